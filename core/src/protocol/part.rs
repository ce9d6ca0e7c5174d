//! What is known about a video that is not whole yet, as text beside its bytes.
//!
//! The text only ever grows, so a process that is killed at any moment leaves it readable. Each line is one of
//!
//! ```text
//! {"junfeiai":1,"machine_boot":…,"task_id":…,"validators":…,"source":…}   what the bytes are from
//! + 0-1048575                                                             these bytes are in the file
//! synced 0-1048575                                                        these bytes are on the disk
//! ```
//!
//! As long as the file is written from front to back, its length says which bytes are there, and no `+` line is
//! needed; the first write elsewhere is preceded by a `+` line for what is there and the header key `"sparse":true`.
//!
//! **What is believed.** A process that is killed takes nothing along: what it wrote is in the page cache, and everything that
//! the text says holds until the machine is booted anew, which the header's `machine_boot` tells. A machine that lost power kept any
//! part of what was not synced, bytes and lines alike. So in another boot, or where boots cannot be told apart, only the
//! `synced` lines hold, each written after the sync that it is about. A text of an older version has no boot: nothing in it is
//! known to be on the disk, and the video is read anew, which costs less than a wrong one.
//!
//! A text and the bytes that it is about are emptied together, and that is durable before another video's bytes are written.
//! So a `synced` line holds whatever stands behind it, and a line that cannot be read ends what a lost power has left.

use serde_json::{Value, json};

use super::Progress;
use super::byte_ranges::RangeSet;
use super::validators::Validators;

/// How every text of ours begins. One that begins otherwise is somebody else's.
pub const STATE_START: &str = "{\"junfeiai\":1,";

struct Header {
    boot_id: Option<String>,
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
            boot_id: text("machine_boot"),
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
    boot_id: Option<String>,
    header: Option<(Validators, String)>,
    /// Every byte before this is there, as long as the file is not sparse.
    prefix: u64,
    sparse: bool,
    /// What is there when it is.
    ranges: RangeSet,
    /// How many bytes the last `synced` line names.
    synced: u64,
}

/// What an earlier save left, as far as it can be used.
#[derive(Debug)]
pub struct KeptPart {
    /// To resume from.
    pub state: PartState,
    /// For the download machine.
    pub progress: Progress,
    /// The bytes are known to be of the task's video. Otherwise only [`Progress::source`] says whose they are.
    pub same_task: bool,
    /// Bytes of the text that are whole lines and can be read. Behind them is what a killed process was writing, or what a
    /// machine that lost power has made of it.
    pub text_length: usize,
    /// What has to be done first when the machine was booted anew since.
    pub rebooted: Option<Rebooted>,
}

/// What takes back that bytes are there which were not synced before the machine was booted anew: the file is cut, then the
/// lines are appended, then the text is synced, and only then are bytes written.
#[derive(Debug, PartialEq, Eq)]
pub struct Rebooted {
    /// Length to cut the file to, where its length says what is there.
    pub cut: Option<u64>,
    /// The lines.
    pub lines: String,
}

/// What the lines of a text say.
#[derive(Default)]
struct Lines {
    header: Option<Header>,
    /// What is there, `+` lines only.
    ranges: RangeSet,
    synced: RangeSet,
    /// Bytes of the text up to the first line that is none of ours.
    length: usize,
    /// There is such a line.
    broken: bool,
}

impl Lines {
    fn read(text: &[u8]) -> Self {
        let mut lines = Self::default();
        // A last line without its end was being written when the process was killed.
        for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            let known = std::str::from_utf8(line).ok().and_then(|line| lines.take(line.trim_end_matches('\n')));
            if known.is_none() {
                lines.broken = true;
                break;
            }
            lines.length += line.len();
        }
        lines
    }

    fn take(&mut self, line: &str) -> Option<()> {
        if let Some(added) = line.strip_prefix("+ ") {
            insert(&mut self.ranges, &added.parse().ok()?);
        } else if let Some(synced) = line.strip_prefix("synced ") {
            insert(&mut self.synced, &synced.parse().ok()?);
        } else {
            let header = Header::read(line)?;
            let before = self.header.as_ref().map(|before| &before.boot_id);
            if before.is_some_and(|before| before.is_none() || *before != header.boot_id) {
                // What was not synced before that boot is not known to be there.
                self.ranges = self.synced.clone();
            }
            if !header.sparse {
                self.ranges = RangeSet::new();
            }
            self.header = Some(header);
        }
        Some(())
    }
}

fn insert(set: &mut RangeSet, other: &RangeSet) {
    for range in other.iter() {
        set.insert(range.start, range.end);
    }
}

impl PartState {
    /// The state of an empty file. `boot_id` names this boot of the machine, where that is known.
    pub fn new(task_id: Option<&str>, boot_id: Option<&str>) -> Self {
        Self { task_id: task_id.map(str::to_owned), boot_id: boot_id.map(str::to_owned), ..Self::default() }
    }

    /// Reads the text that stands beside a file of `length` bytes; `None` when it is of no use: not one of ours, of
    /// another task's video that was saved under this name, about bytes that the file has lost, or about none that are known
    /// to be on the disk.
    pub fn read(task_id: Option<&str>, boot_id: Option<&str>, text: &[u8], length: u64) -> Option<KeptPart> {
        if length == 0 {
            return None;
        }
        let Lines { header, mut ranges, synced, length: text_length, broken } = Lines::read(text);
        let header = header?;
        if header.task_id.is_some() && task_id.is_some() && header.task_id.as_deref() != task_id {
            return None;
        }
        let same_task = task_id.is_some() && header.task_id.as_deref() == task_id;
        let same_boot = boot_id.is_some() && header.boot_id.as_deref() == boot_id;
        if same_boot && broken {
            return None;
        }
        if synced.iter().any(|range| range.end > length) {
            return None;
        }
        if !same_boot {
            ranges = synced;
        }
        let mut prefix = length;
        if !header.sparse {
            if !same_boot {
                prefix = ranges.prefix_end();
                ranges = RangeSet::new();
            }
            ranges.insert(0, prefix);
        }
        // Nothing is known to be there. Or the file has lost bytes, which cannot be struck out of a text that only grows, and
        // would count as there once the file is as long again.
        if ranges.is_empty() || ranges.iter().any(|range| range.end > length) {
            return None;
        }
        let state = Self {
            task_id: task_id.map(str::to_owned),
            boot_id: boot_id.map(str::to_owned),
            header: Some((header.validators.clone(), header.source.clone())),
            prefix,
            sparse: header.sparse,
            ranges: if header.sparse { ranges.clone() } else { RangeSet::new() },
            synced: if same_boot { 0 } else { ranges.covered() },
        };
        let rebooted =
            (!same_boot).then(|| Rebooted { cut: (!header.sparse).then_some(prefix), lines: state.header_line() });
        let progress = Progress { ranges, validators: header.validators, source: header.source };
        Some(KeptPart { state, progress, same_task, text_length, rebooted })
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
        self.ranges.insert(0, self.prefix);
        // First what is there, then the word that the length does not say it any more.
        let header = self.header_line();
        Some(if self.prefix > 0 { format!("{header}+ 0-{}\n", self.prefix - 1) } else { header })
    }

    /// Gives the line to append after `length` bytes (more than none) were written at this place.
    pub fn after_write(&mut self, at: u64, length: u64) -> Option<String> {
        let end = at + length;
        if self.sparse {
            self.ranges.insert(at, end);
            return Some(format!("+ {at}-{}\n", end.saturating_sub(1)));
        }
        self.prefix = end;
        None
    }

    /// Gives the line to append after everything that was written until now was synced; `None` when that brings nothing new.
    pub fn after_sync(&mut self) -> Option<String> {
        let ranges =
            if self.sparse { self.ranges.clone() } else { std::iter::once(0..self.prefix).collect::<RangeSet>() };
        if ranges.covered() == self.synced || self.header.is_none() {
            return None;
        }
        self.synced = ranges.covered();
        Some(format!("synced {ranges}\n"))
    }

    /// The file and the text were emptied.
    pub fn reset(&mut self) {
        *self = Self { task_id: self.task_id.take(), boot_id: self.boot_id.take(), ..Self::default() };
    }

    fn header_line(&self) -> String {
        let (validators, source) = self.header.clone().unwrap_or_default();
        let header = json!({
            "junfeiai": 1,
            "machine_boot": self.boot_id,
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

    const BOOT: Option<&str> = Some("boot-1");
    const NEXT_BOOT: Option<&str> = Some("boot-2");

    fn validators() -> Validators {
        Validators { etag: Some("\"a\"".into()), last_modified: None, total: Some(1000) }
    }

    /// A text about a file that was written from front to back, or one about two places.
    fn text(sparse: bool) -> (PartState, String) {
        let mut state = PartState::new(Some("task_1"), BOOT);
        let mut text = state.describe(&validators(), "https://a.b/c").unwrap();
        assert_eq!((state.before_write(0), state.after_write(0, 300)), (None, None));
        if sparse {
            text += &state.before_write(500).unwrap();
            text += &state.after_write(500, 50).unwrap();
        }
        (state, text)
    }

    fn ranges(boot: Option<&str>, text: &str, length: u64) -> Option<String> {
        PartState::read(Some("task_1"), boot, text.as_bytes(), length).map(|kept| kept.progress.ranges.to_string())
    }

    #[test]
    fn front_to_back_needs_one_line() {
        let (mut state, text) = text(false);
        assert!(text.starts_with(STATE_START), "{text}");
        assert_eq!(state.describe(&validators(), "https://a.b/c"), None);
        let kept = PartState::read(Some("task_1"), BOOT, text.as_bytes(), 300).unwrap();
        assert_eq!(kept.progress.ranges.to_string(), "0-299");
        assert_eq!(kept.progress.validators, validators());
        assert_eq!((kept.rebooted, kept.same_task), (None, true));
        assert!(!PartState::read(None, BOOT, text.as_bytes(), 300).unwrap().same_task);
        assert!(PartState::read(Some("task_2"), BOOT, text.as_bytes(), 300).is_none(), "bytes of another video");
        assert_eq!(ranges(BOOT, &text, 0), None);
        assert_eq!(ranges(BOOT, "hello\n", 300), None);
    }

    #[test]
    fn a_write_elsewhere_is_noted_and_a_torn_line_is_passed_over() {
        let (_, mut text) = text(true);
        let whole = text.len();
        text += "+ 100-1";
        let kept = PartState::read(None, BOOT, text.as_bytes(), 550).unwrap();
        assert_eq!((kept.progress.ranges.to_string().as_str(), kept.text_length), ("0-299,500-549", whole));
    }

    #[test]
    fn bytes_that_the_file_has_lost_make_the_text_useless() {
        let (_, text) = text(true);
        assert!(ranges(BOOT, &text, 550).is_some());
        // Resumed, the lost bytes would be a hole that counts as there when the file has grown again.
        assert_eq!(ranges(BOOT, &text, 549), None);
    }

    #[test]
    fn in_another_boot_only_what_was_synced_is_believed() {
        for (sparse, synced, length) in [(false, "0-299", 300), (true, "0-299,500-549", 550)] {
            let (mut state, mut text) = text(sparse);
            for boot in [NEXT_BOOT, None] {
                assert_eq!(ranges(boot, &text, length), None, "nothing was synced");
            }
            text += &state.after_sync().unwrap();
            assert_eq!(state.after_sync(), None, "there is nothing new");
            text.extend(state.before_write(length));
            text.extend(state.after_write(length, 100));
            assert_eq!(
                ranges(BOOT, &text, length + 100).unwrap().rsplit('-').next(),
                Some(&*(length + 99).to_string())
            );
            let kept = PartState::read(None, NEXT_BOOT, text.as_bytes(), length + 100).unwrap();
            assert_eq!(kept.progress.ranges.to_string(), synced);
            let rebooted = kept.rebooted.unwrap();
            assert_eq!(rebooted.cut, (!sparse).then_some(300));
            // With these lines, a process that is killed in the new boot leaves what is known.
            text += &rebooted.lines;
            let cut = rebooted.cut.unwrap_or(length + 100);
            assert_eq!(ranges(NEXT_BOOT, &text, cut).as_deref(), Some(synced));
            assert_eq!(ranges(Some("boot-3"), &text, cut).as_deref(), Some(synced));
            assert_eq!(ranges(NEXT_BOOT, &text, 200), None, "synced, and yet lost");
        }
    }

    #[test]
    fn where_boots_cannot_be_told_apart_only_what_was_synced_is_believed() {
        let mut state = PartState::new(None, None);
        let mut text = state.describe(&validators(), "").unwrap();
        state.after_write(0, 300);
        assert_eq!(ranges(None, &text, 300), None);
        text += &state.after_sync().unwrap();
        assert_eq!(ranges(None, &text, 400).as_deref(), Some("0-299"));
    }

    #[test]
    fn a_text_of_an_older_version_is_not_believed() {
        let old = "{\"junfeiai\":1,\"source\":\"\",\"sparse\":false,\"task_id\":\"task_1\",\"validators\":{}}\n";
        assert_eq!((ranges(BOOT, old, 300), ranges(None, old, 300)), (None, None));
    }

    #[test]
    fn what_a_lost_power_made_of_a_line_ends_the_text() {
        let (mut state, mut text) = text(false);
        text += &state.after_sync().unwrap();
        let whole = text.len();
        text += "synced 0-4\0\0\0\nsynced 0-599\n";
        assert_eq!(ranges(BOOT, &text, 600), None, "a process that was killed leaves nothing of the kind");
        let kept = PartState::read(None, NEXT_BOOT, text.as_bytes(), 600).unwrap();
        assert_eq!((kept.progress.ranges.to_string().as_str(), kept.text_length), ("0-299", whole));
    }
}
