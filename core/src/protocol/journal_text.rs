//! The file of a journal as text: what of it is read, what is written where, and when it is written anew. Whoever has the file locks
//! it, and reads, writes and renames as it is told here: `platform/native/file_journal.rs`, and Node through `bindings-wasm`.
//!
//! ```text
//!                         first line is torn, or none: begin ─▶ write all of it under another name, rename
//!   locked ─▶ open(start) ┤
//!                         └ take(from `end` on) ─▶ mend ─▶ keep(record) ─▶ write ─▶ is_due? ─▶ replacement ─▶ … rename
//! ```
//!
//! ```
//! use junfeiai::protocol::journal_text::{JournalText, KeepPolicy};
//! use junfeiai::protocol::ledger::{Event, Record};
//!
//! let (mut file, mut text) = JournalText::begin("5d1f0c6b");
//! let created = Event::Created { intent: "1f".into(), task_id: "task_1".into(), model: "grok-image-video".into(), request_id: None };
//! let write = text.keep(Record::new(1_750_000_000, created)).unwrap().unwrap();
//! assert_eq!(write.at, file.len() as u64);
//! file.push_str(&write.text);
//! // What another process reads of it.
//! let mut read = JournalText::open(None, file.as_bytes(), file.len() as u64).unwrap().unwrap();
//! read.take(&file.as_bytes()[read.end() as usize..]).unwrap();
//! assert!(read.ledger().knows_task("task_1"));
//! assert!(!read.is_due(&KeepPolicy::default()));
//! ```

use std::time::Duration;

use crate::protocol::day_budget::Reservation;
use crate::protocol::ledger::{Claim, Event, Header, Ledger, MAX_LINE, Record, Reserved, Tail};

/// How many bytes of the beginning [`JournalText::open`] looks at.
pub const START: usize = 256;
/// What is said of a file that is gone, or empty, while it is in use: begun anew it would know nothing of what was paid for.
pub const GONE: &str = "it is gone while it is in use: put it back, or make a new client, which begins another";
/// Largest file that is read.
pub const MAX_FILE: u64 = 256 * 1024 * 1024;
/// From this size on no further create request is noted: what is left is for what becomes of those that are. A file that could not be
/// read any more could not be made smaller either.
const FULL: u64 = MAX_FILE - 16 * 1024 * 1024;

/// What is kept of what has ended, and when the file is written anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepPolicy {
    /// After so many entries that have ended, when they are at least as many as those that have not. Default 512.
    pub max_over: u64,
    /// When the file has so many bytes, and twice as many as when it was read first. Default 1 MiB.
    pub max_bytes: u64,
    /// How long a key is known after its task has ended. Default 30 days.
    pub keep_keys: Duration,
}

impl Default for KeepPolicy {
    fn default() -> Self {
        Self { max_over: 512, max_bytes: 1024 * 1024, keep_keys: Duration::from_secs(30 * 24 * 3600) }
    }
}

/// What to write to the file, and to make durable: the file ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where. What the file has from here on was left by a writer that was killed, and is cut off first.
    pub at: u64,
    /// Whole lines, or the end of one.
    pub text: String,
}

/// What was read of the file so far.
#[derive(Debug, Clone)]
pub struct JournalText {
    generation: String,
    ledger: Ledger,
    /// Where the next record goes.
    end: u64,
    /// The last line lacks its end.
    unended: bool,
    /// Size when it was read for the first time: a file of live entries is not written anew at every record.
    first_size: u64,
}

impl JournalText {
    /// A new file, and what it says. `generation` is a name that no file had before.
    pub fn begin(generation: impl Into<String>) -> (String, Self) {
        let header = Header::new(generation);
        let text = header.to_line();
        let known = Self::behind(header, text.len() as u64, text.len() as u64);
        (text, known)
    }

    fn behind(header: Header, end: u64, first_size: u64) -> Self {
        let mut ledger = Ledger::default();
        ledger.skip_lines(1);
        Self { generation: header.generation, ledger, end, unended: false, first_size }
    }

    /// What is known of a file that begins so and has so many bytes: what was read of it `before`, unless it was written anew
    /// since. `None` when it has no first line, or a torn one: it is to be begun.
    ///
    /// # Errors
    /// When the file is not a journal, one of a later version, or too large.
    pub fn open(before: Option<Self>, start: &[u8], size: u64) -> Result<Option<Self>, String> {
        if size > MAX_FILE {
            return Err(format!(
                "it has {size} bytes, and up to {MAX_FILE} are read: leave it there, see what it has by junfeiai export --journal \
                 FILE, and name a new one, which does not know the keys of this one"
            ));
        }
        let start = start.get(..START).unwrap_or(start);
        let Some((header, first)) = Header::read(start).map_err(|damage| damage.to_string())? else { return Ok(None) };
        let same = before.filter(|known| known.generation == header.generation && known.end <= size);
        Ok(Some(same.unwrap_or_else(|| Self::behind(header, first as u64, size))))
    }

    /// How far it was read: where reading continues, and where the next record goes.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// What the lines add up to.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes in what the file has from [`JournalText::end`] on. A last line that is torn is passed over. After an error this is of
    /// no use any more.
    ///
    /// # Errors
    /// The first line that is damaged.
    pub fn take(&mut self, text: &[u8]) -> Result<(), String> {
        let (used, tail) = self.ledger.read(text).map_err(|damage| damage.to_string())?;
        self.end += used as u64;
        self.unended = tail == Tail::Unended;
        Ok(())
    }

    /// The end of a last line that lacks it, for whoever has the lock: its writer was killed.
    pub fn mend(&mut self) -> Option<Write> {
        let at = self.end;
        std::mem::take(&mut self.unended).then(|| {
            self.end += 1;
            Write { at, text: "\n".to_owned() }
        })
    }

    /// Takes in a record and gives what keeps it; `None` for one that changes nothing. When the writing fails this is of no use any
    /// more, and what was written of it is cut off.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub fn keep(&mut self, record: Record) -> Result<Option<Write>, &'static str> {
        let text = record.to_line();
        if text.len() > MAX_LINE {
            return Err("a record is longer than 64 KiB");
        }
        if self.end >= FULL && matches!(record.event, Event::Intent { .. }) {
            return Err(
                "it is full: save or forget what junfeiai pending lists, or name a new one, without the keys of this one",
            );
        }
        if !self.ledger.apply(record)? {
            return Ok(None);
        }
        let at = self.end;
        self.end += text.len() as u64;
        Ok(Some(Write { at, text }))
    }

    /// Judges whether a create request may be sent under its key, and gives the record that claims it if so.
    ///
    /// # Errors
    /// When the record is no create request with a key.
    pub fn claim(&self, record: Record, retry_failed: bool) -> Result<(Claim, Option<Record>), &'static str> {
        let Event::Intent { order, .. } = &record.event else { return Err("only a create is claimed") };
        let Some(key) = &order.key else { return Err("the create has no key") };
        let claim = self.ledger.claim(&key.name, retry_failed);
        let kept = if let Claim::Free { attempt } = claim { Some(record.with_attempt(attempt)) } else { None };
        Ok((claim, kept))
    }

    /// Judges whether a create request has room in the budget of its day, and gives the record that reserves it if so.
    ///
    /// # Errors
    /// When the record is no create request.
    pub fn reserve(
        &self,
        record: Record,
        retry_failed: bool,
        share: &Reservation,
    ) -> Result<(Reserved, Option<Record>), &'static str> {
        let reserved = self.ledger.reserve(&record, retry_failed, share)?;
        let kept = if let Reserved::Kept { attempt, units } = reserved {
            Some(record.with_attempt(attempt).with_estimate(units))
        } else {
            None
        };
        Ok((reserved, kept))
    }

    /// Whether so much has ended that the file is to be written anew. A full one is whenever that makes room.
    pub fn is_due(&self, policy: &KeepPolicy) -> bool {
        let over = self.ledger.over();
        let many = over >= policy.max_over && over >= self.ledger.len() as u64;
        let large = self.end >= policy.max_bytes && self.end >= self.first_size.saturating_mul(2);
        let full = self.end >= FULL && over >= policy.max_over;
        many || large || full
    }

    /// The file with only what is to be kept, and what it says. `now` is the time in unix seconds, `generation` a name that no file
    /// had before. It is made durable under another name and then renamed; until then, and when that fails, this one holds: a key
    /// that only the new file does not know any more is still taken in this one.
    ///
    /// # Errors
    /// A line of the new file that is damaged.
    pub fn replacement(
        &self,
        now: u64,
        policy: &KeepPolicy,
        generation: impl Into<String>,
    ) -> Result<(String, Self), String> {
        let mut ledger = self.ledger.clone();
        ledger.expire(now.saturating_sub(policy.keep_keys.as_secs()));
        let header = Header::new(generation);
        let text = ledger.compacted(&header);
        let first = header.to_line().len();
        let mut known = Self::behind(header, first as u64, text.len() as u64);
        known.take(text.as_bytes().get(first..).unwrap_or_default())?;
        Ok((text, known))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::protocol::ledger::{End, Order, OrderKey};

    fn created(number: u32) -> Record {
        let (intent, task_id) = (format!("{number:x}"), format!("task_{number}"));
        Record::new(100, Event::Created { intent, task_id, model: "m".into(), request_id: None })
    }

    fn failed(number: u32) -> Record {
        Record::new(101, Event::Finished { task_id: format!("task_{number}"), status: End::Failed, charged: None })
    }

    /// A file as its writers and readers have it.
    struct Disk {
        bytes: Vec<u8>,
    }

    impl Disk {
        fn begun() -> (Self, JournalText) {
            let (text, known) = JournalText::begin("g1");
            (Self { bytes: text.into_bytes() }, known)
        }

        fn write(&mut self, write: &Write) {
            self.bytes.truncate(write.at as usize);
            self.bytes.extend_from_slice(write.text.as_bytes());
        }

        fn read(&self, before: Option<JournalText>) -> Result<JournalText, String> {
            let mut text = JournalText::open(before, &self.bytes, self.bytes.len() as u64)?.unwrap();
            text.take(&self.bytes[text.end() as usize..])?;
            Ok(text)
        }
    }

    #[test]
    fn another_reads_on_where_it_was_and_anew_when_the_file_was_replaced() {
        let (mut disk, mut writer) = Disk::begun();
        disk.write(&writer.keep(created(1)).unwrap().unwrap());
        let reader = disk.read(None).unwrap();
        disk.write(&writer.keep(created(2)).unwrap().unwrap());
        let again = JournalText::open(Some(reader.clone()), &disk.bytes, disk.bytes.len() as u64).unwrap().unwrap();
        assert_eq!(again.end(), reader.end(), "it reads on");
        let reader = disk.read(Some(reader)).unwrap();
        assert!(reader.ledger().knows_task("task_1") && reader.ledger().knows_task("task_2"));
        for number in [1, 2] {
            disk.write(&writer.keep(failed(number)).unwrap().unwrap());
        }
        assert_eq!(writer.keep(failed(2)).unwrap(), None, "it has ended already");
        let (text, _) = writer.replacement(102, &KeepPolicy::default(), "g2").unwrap();
        disk.bytes = text.into_bytes();
        let reader = disk.read(Some(reader)).unwrap();
        assert!(reader.ledger().is_empty() && reader.end() == disk.bytes.len() as u64);
    }

    #[test]
    fn a_torn_line_is_cut_off_and_an_unended_one_gets_its_end() {
        let (mut disk, mut writer) = Disk::begun();
        disk.write(&writer.keep(created(1)).unwrap().unwrap());
        let whole = disk.bytes.clone();
        disk.bytes.extend_from_slice(b"{\"v\":1,\"at\":1,\"event\":\"int");
        let mut next = disk.read(None).unwrap();
        assert_eq!(next.mend(), None);
        disk.write(&next.keep(created(2)).unwrap().unwrap());
        assert_eq!(disk.bytes, [whole.clone(), created(2).to_line().into_bytes()].concat());
        disk.bytes.pop();
        let mut next = disk.read(None).unwrap();
        assert!(next.ledger().knows_task("task_2"));
        disk.write(&next.mend().unwrap());
        assert_eq!(next.mend(), None);
        disk.write(&next.keep(created(3)).unwrap().unwrap());
        let all = disk.read(None).unwrap();
        assert!((1..4).all(|number| all.ledger().knows_task(&format!("task_{number}"))));
        assert_eq!(all.end(), disk.bytes.len() as u64);
    }

    #[test]
    fn it_is_due_when_enough_has_ended_or_it_has_grown_to_twice_its_size() {
        let (_, mut text) = JournalText::begin("g1");
        let few = KeepPolicy { max_over: 2, ..KeepPolicy::default() };
        for number in 0..3 {
            text.keep(created(number)).unwrap();
        }
        text.keep(failed(0)).unwrap();
        assert!(!text.is_due(&few));
        text.keep(failed(1)).unwrap();
        assert!(text.is_due(&few));
        assert!(!text.is_due(&KeepPolicy::default()));
        let small = KeepPolicy { max_bytes: 1, ..KeepPolicy::default() };
        assert!(text.is_due(&small));
        let (_, mut anew) = text.replacement(102, &few, "g2").unwrap();
        assert!(!anew.is_due(&few) && !anew.is_due(&small), "its size is what it was when it was written");
        for number in 3..9 {
            anew.keep(created(number)).unwrap();
        }
        assert!(anew.is_due(&small));
    }

    /// The file with the old keys stays when no other can take its place: what claims one of them would make it unreadable.
    #[test]
    fn a_key_is_known_until_the_file_without_it_is_there() {
        let intent = |name: &str| {
            let key = Some(OrderKey { name: "k".into(), attempt: 1, fields: BTreeMap::new() });
            let order = Order {
                fingerprint: "f".into(),
                model: "m".into(),
                seconds: None,
                prompt: None,
                until: None,
                process: None,
                key,
                account: None,
                estimate: None,
            };
            Record::new(100, Event::Intent { intent: name.to_owned(), order })
        };
        let (mut disk, mut writer) = Disk::begun();
        let created =
            Event::Created { intent: "1".into(), task_id: "task_1".into(), model: "m".into(), request_id: None };
        let saved = Event::Saved { task_id: "task_1".into(), path: "/a.mp4".into(), bytes: 1 };
        for record in [intent("1"), Record::new(101, created), Record::new(102, saved)] {
            disk.write(&writer.keep(record).unwrap().unwrap());
        }
        let policy = KeepPolicy::default();
        let later = 103 + policy.keep_keys.as_secs();
        let (_, smaller) = writer.replacement(later, &policy, "g2").unwrap();
        assert!(smaller.ledger().key("k").is_none(), "the new file does not know it");
        // It could not be renamed: a full disk, a folder without rights.
        let (claim, record) = writer.claim(intent("2"), false).unwrap();
        assert!(matches!(claim, Claim::Taken(_)) && record.is_none(), "{claim:?}");
        disk.read(None).unwrap();
    }

    #[test]
    fn a_full_file_takes_what_becomes_of_its_tasks_and_no_further_create_request() {
        let order = Order {
            fingerprint: "f".into(),
            model: "m".into(),
            seconds: None,
            prompt: None,
            until: None,
            process: None,
            key: None,
            account: None,
            estimate: None,
        };
        let intent = |name: &str| Record::new(100, Event::Intent { intent: name.to_owned(), order: order.clone() });
        let (_, mut text) = JournalText::begin("g1");
        text.first_size = FULL;
        text.keep(intent("1")).unwrap().unwrap();
        text.end = FULL - 1;
        text.keep(intent("2")).unwrap().unwrap();
        assert!(text.end() >= FULL);
        assert!(text.keep(intent("3")).unwrap_err().contains("forget"));
        for number in 1..3 {
            text.keep(created(number)).unwrap().unwrap();
        }
        let one = KeepPolicy { max_over: 1, ..KeepPolicy::default() };
        assert!(!text.is_due(&one), "nothing has ended");
        text.keep(failed(1)).unwrap().unwrap();
        text.keep(created(4)).unwrap().unwrap();
        assert!(
            text.is_due(&one) && text.ledger().over() < text.ledger().len() as u64,
            "few have ended, and the file is full"
        );
        let (_, smaller) = text.replacement(102, &one, "g2").unwrap();
        assert!(smaller.end() < FULL && smaller.ledger().knows_task("task_2"));
    }

    #[test]
    fn what_is_no_journal_is_refused_and_a_torn_first_line_is_none() {
        assert!(JournalText::open(None, b"", 0).unwrap().is_none());
        assert!(JournalText::open(None, b"{\"junfeiai_jour", 15).unwrap().is_none());
        let other = JournalText::open(None, b"prompt,seconds\n", 15).unwrap_err();
        assert_eq!(other, "line 1: this file is not a journal of junfeiai");
        // It cannot be read, so nothing in it can be forgotten.
        let large = JournalText::open(None, b"", MAX_FILE + 1).unwrap_err();
        assert!(large.contains("junfeiai export") && !large.contains("forget"), "{large}");
        let (mut disk, _) = Disk::begun();
        disk.bytes.extend_from_slice(b"{}\n");
        assert_eq!(disk.read(None).unwrap_err(), "line 2: this is not a record of a journal");
    }
}
