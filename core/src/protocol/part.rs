//! What is known about a video that is not whole yet, as text beside its bytes.
//!
//! The text only ever grows, so a process that is killed at any moment leaves it readable. Each line is one of
//!
//! ```text
//! {"junfeiai":1,"task_id":…,"validators":…,"source":…}   what the bytes are from; void what stood before
//! + 0-1048575                                            these bytes are in the file
//! ```
//!
//! As long as the file is written from front to back, its length says which bytes are there, and no `+` line is
//! needed; the first write elsewhere is preceded by a `+` line for what is there and the header key `"sparse":true`.

use serde_json::{Value, json};

use super::Progress;
use super::range::Validators;
use super::ranges::RangeSet;

/// How every text of ours begins. One that begins otherwise is somebody else's.
pub const STATE_START: &str = "{\"junfeiai\":1,";

struct Header {
    task_id: Option<String>,
    validators: Validators,
    source: String,
    sparse: bool,
}

impl Header {
    /// Reads a header line; `None` when it is not one of ours.
    fn read(line: &str) -> Option<Self> {
        let value = crate::text::json::parse(line.as_bytes())?;
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        if value.get("junfeiai").and_then(Value::as_u64) != Some(1) {
            return None;
        }
        Some(Self {
            task_id: text("task_id"),
            validators: Validators::from_json(value.get("validators")?),
            source: text("source")?,
            sparse: value.get("sparse").and_then(Value::as_bool).unwrap_or_default(),
        })
    }
}

/// The state of one part file. Whoever keeps the bytes appends the lines that it gives to the text.
#[derive(Debug, Default)]
pub struct PartState {
    task_id: Option<String>,
    header: Option<(Validators, String)>,
    /// Every byte before this is there, as long as the file is not sparse.
    prefix: u64,
    sparse: bool,
}

/// What a former call left, as far as it can be used.
#[derive(Debug)]
pub struct KeptPart {
    /// To resume from.
    pub state: PartState,
    /// For the download machine.
    pub progress: Progress,
    /// Bytes of the text that are whole lines: behind them is what a killed process was writing.
    pub text_length: usize,
}

impl PartState {
    /// The state of an empty file.
    pub fn new(task_id: Option<&str>) -> Self {
        Self { task_id: task_id.map(str::to_owned), ..Self::default() }
    }

    /// Reads the text that stands beside a file of `length` bytes; `None` when it is of no use: not one of ours, of
    /// another task's video that was saved under this name, or about bytes that the file has lost.
    pub fn read(task_id: Option<&str>, text: &str, length: u64) -> Option<KeptPart> {
        if length == 0 {
            return None;
        }
        let mut header: Option<Header> = None;
        let mut ranges = RangeSet::new();
        // A last line without its end was being written when the process was killed.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            if let Some(added) = line.strip_prefix("+ ").and_then(|text| text.parse::<RangeSet>().ok()) {
                for range in added.iter() {
                    ranges.insert(range.start, range.end);
                }
            } else {
                let new = Header::read(line)?;
                if !new.sparse {
                    ranges = RangeSet::new();
                }
                header = Some(new);
            }
        }
        let header = header?;
        if header.task_id.is_some() && task_id.is_some() && header.task_id.as_deref() != task_id {
            return None;
        }
        if !header.sparse {
            ranges.insert(0, length);
        }
        // A system that lost power may have kept the text and lost bytes. They cannot be struck out of a text that only
        // grows, and would count as there once the file is as long again.
        if ranges.iter().any(|range| range.end > length) {
            return None;
        }
        let state = Self {
            task_id: task_id.map(str::to_owned),
            header: Some((header.validators.clone(), header.source.clone())),
            prefix: length,
            sparse: header.sparse,
        };
        let progress = Progress { ranges, validators: header.validators, source: header.source };
        Some(KeptPart { state, progress, text_length: text.rfind('\n').map_or(0, |at| at + 1) })
    }

    /// True when the text says already that the bytes are from there.
    pub fn knows(&self, validators: &Validators, source: &str) -> bool {
        self.header.as_ref().is_some_and(|(known, from)| known == validators && from == source)
    }

    /// Notes what the bytes that follow are from. Gives the line to append, unless it is known already; bytes that
    /// were gathered before must be in the file first.
    pub fn describe(&mut self, validators: &Validators, source: &str) -> Option<String> {
        if self.knows(validators, source) {
            return None;
        }
        self.header = Some((validators.clone(), source.to_owned()));
        Some(self.header_line())
    }

    /// Gives the lines to append before bytes are written at this place.
    pub fn before_write(&mut self, at: u64) -> Option<String> {
        if self.sparse || at == self.prefix {
            return None;
        }
        self.sparse = true;
        // First what is there, then the word that the length does not say it any more.
        let header = self.header_line();
        Some(if self.prefix > 0 { format!("{header}+ 0-{}\n", self.prefix - 1) } else { header })
    }

    /// Gives the line to append after `length` bytes (more than none) were written at this place.
    pub fn after_write(&mut self, at: u64, length: u64) -> Option<String> {
        let end = at + length;
        if self.sparse {
            return Some(format!("+ {at}-{}\n", end.saturating_sub(1)));
        }
        self.prefix = end;
        None
    }

    /// The file and the text were emptied.
    pub fn reset(&mut self) {
        *self = Self { task_id: self.task_id.take(), ..Self::default() };
    }

    fn header_line(&self) -> String {
        let (validators, source) = self.header.clone().unwrap_or_default();
        let header = json!({
            "junfeiai": 1,
            "task_id": self.task_id,
            "validators": validators.to_json(),
            "source": source,
            "sparse": self.sparse,
        });
        let mut line = crate::text::json::write(&header);
        line.push('\n');
        line
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn validators() -> Validators {
        Validators { etag: Some("\"a\"".into()), last_modified: None, total: Some(1000) }
    }

    #[test]
    fn front_to_back_needs_one_line() {
        let mut state = PartState::new(Some("task_1"));
        let text = state.describe(&validators(), "https://a.b/c").unwrap();
        assert!(text.starts_with(STATE_START), "{text}");
        assert_eq!(state.describe(&validators(), "https://a.b/c"), None);
        assert_eq!((state.before_write(0), state.after_write(0, 300)), (None, None));
        let kept = PartState::read(Some("task_1"), &text, 300).unwrap();
        assert_eq!(kept.progress.ranges.to_string(), "0-299");
        assert_eq!(kept.progress.validators, validators());
        assert!(PartState::read(Some("task_2"), &text, 300).is_none(), "bytes of another video");
        assert!(PartState::read(Some("task_1"), &text, 0).is_none());
        assert!(PartState::read(Some("task_1"), "hello\n", 300).is_none());
    }

    #[test]
    fn a_write_elsewhere_is_noted_and_a_torn_line_is_passed_over() {
        let mut state = PartState::new(None);
        let mut text = state.describe(&validators(), "").unwrap();
        assert_eq!((state.before_write(0), state.after_write(0, 100)), (None, None));
        text += &state.before_write(500).unwrap();
        text += &state.after_write(500, 50).unwrap();
        let whole = text.len();
        text += "+ 100-1";
        let kept = PartState::read(None, &text, 550).unwrap();
        assert_eq!((kept.progress.ranges.to_string().as_str(), kept.text_length), ("0-99,500-549", whole));
    }

    #[test]
    fn bytes_that_the_file_has_lost_make_the_text_useless() {
        let mut state = PartState::new(None);
        let mut text = state.describe(&validators(), "").unwrap();
        text += &state.before_write(500).unwrap();
        text += &state.after_write(500, 50).unwrap();
        assert!(PartState::read(None, &text, 550).is_some());
        // Gone on with, the lost bytes would be a hole that counts as there when the file has grown again.
        assert!(PartState::read(None, &text, 549).is_none());
    }
}
