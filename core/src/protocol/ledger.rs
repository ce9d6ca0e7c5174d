//! The journal's lines and what they add up to: a pure codec and a fold, without files, clocks or locks.
//!
//! ```text
//!            intent                created              finished             saved
//!   (none) ─────────▶ Sending ──────────────▶ Created ───────────▶ Succeeded ───────▶ over
//!                      │   │                   ▲   │ finished: failed; forgotten ───▶ over
//!                      │   └ unknown ▶ Unknown ┘   └────────────────────────────────▶ over
//!                      └ refused ──────▶ over  └ forgotten ─────────────────────────▶ over
//! ```
//!
//! The first line says whose file it is, every other one is a [`Record`]. Only what is not over is kept, so a ledger is
//! as large as what is still to be done. A process that is killed leaves at most a torn last line, which is told
//! apart ([`Tail::Torn`]) from damage in the middle ([`Damage`]).
//!
//! ```
//! use junfeiai::protocol::ledger::{Event, Ledger, Record, State};
//!
//! let mut ledger = Ledger::default();
//! let created = Event::Created { intent: "1f".into(), task_id: "task_1".into(), model: "grok-image-video".into() };
//! ledger.apply(Record::new(1_750_000_000, created)).unwrap();
//! assert_eq!(ledger.entries().next().unwrap().state, State::Created { task_id: "task_1".into() });
//! ```

mod record;

use std::collections::{BTreeMap, HashMap};

use self::record::parse;
pub use self::record::{Damage, End, Event, Header, MAX_LINE, Order, Record, VERSION};
use crate::net::endpoint::is_task_id;
pub use crate::protocol::process::Process;

/// How the text that was read ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// With the end of a line.
    Whole,
    /// With a whole record that lacks only the end of its line. It was taken in.
    Unended,
    /// With the beginning of a record, whose writer was killed: of no use.
    Torn,
}

/// How far a create or its task has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// About to be sent, or being sent.
    Sending,
    /// Sent, and the answer never came.
    Unknown {
        /// The kind of the error.
        reason: String,
    },
    /// There is a task.
    Created {
        /// Its id.
        task_id: String,
    },
    /// The task has a video that was not saved yet.
    Succeeded {
        /// Its id.
        task_id: String,
    },
}

impl State {
    /// The task's id, once there is one.
    pub fn task_id(&self) -> Option<&str> {
        match self {
            Self::Created { task_id } | Self::Succeeded { task_id } => Some(task_id),
            Self::Sending | Self::Unknown { .. } => None,
        }
    }
}

/// A create, or its task, that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Our own name for the create.
    pub intent: String,
    /// The model asked for.
    pub model: String,
    /// Unix seconds of the first record about it.
    pub at: u64,
    /// Unix seconds of the last record about it.
    pub changed_at: u64,
    /// What was known before it was sent; `None` for a task that came without its intent.
    pub order: Option<Order>,
    /// How far it has come.
    pub state: State,
}

impl Entry {
    /// The fewest records that lead to this entry.
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::with_capacity(3);
        if let Some(order) = &self.order {
            let event = Event::Intent { intent: self.intent.clone(), order: order.clone() };
            records.push(Record::new(self.at, event));
        }
        // The first record of all says when it began.
        let at = if self.order.is_some() { self.changed_at } else { self.at };
        if let State::Unknown { reason } = &self.state {
            records.push(Record::new(at, Event::Unknown { intent: self.intent.clone(), reason: reason.clone() }));
        }
        if let Some(task_id) = self.state.task_id() {
            let (intent, task_id, model) = (self.intent.clone(), task_id.to_owned(), self.model.clone());
            records.push(Record::new(at, Event::Created { intent, task_id, model }));
        }
        if let State::Succeeded { task_id } = &self.state {
            let event = Event::Finished { task_id: task_id.clone(), status: End::Succeeded };
            records.push(Record::new(self.changed_at, event));
        }
        records
    }
}

/// What the lines add up to.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: BTreeMap<u64, Entry>,
    by_intent: HashMap<String, u64>,
    by_task: HashMap<String, u64>,
    begun: u64,
    over: u64,
    lines: u64,
}

impl Ledger {
    /// What is not over, in the order of its beginning.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// How many are not over.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing is left to be done.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many were seen to come to their end.
    pub fn over(&self) -> u64 {
        self.over
    }

    /// Notes lines that were read elsewhere (the header), so that the numbers in [`Damage`] are those of the file.
    pub fn skip_lines(&mut self, lines: u64) {
        self.lines += lines;
    }

    /// Takes in text that begins at the beginning of a line. Gives how many bytes of it are of use, and how it ends.
    ///
    /// # Errors
    /// The first line that is damaged.
    pub fn read(&mut self, text: &[u8]) -> Result<(usize, Tail), Damage> {
        let mut used = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(whole) = line.strip_suffix(b"\n") else {
                // An object is only readable with its last brace, so what can be read is all of it.
                return match parse(line).and_then(|record| self.apply(record)) {
                    Ok(_) => {
                        self.lines += 1;
                        Ok((used + line.len(), Tail::Unended))
                    }
                    Err(_) => Ok((used, Tail::Torn)),
                };
            };
            self.lines += 1;
            let result = parse(whole).and_then(|record| self.apply(record));
            result.map_err(|what| Damage { line: self.lines, what: what.to_owned() })?;
            used += line.len();
        }
        Ok((used, Tail::Whole))
    }

    /// Takes in one record. False when it changes nothing, so that it need not be kept: a task that was made without
    /// this journal, or that has ended already.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn apply(&mut self, record: Record) -> Result<bool, &'static str> {
        let at = record.at;
        match record.event {
            Event::Intent { intent, order } => {
                if self.by_intent.contains_key(&intent) {
                    return Err("the same create begins twice");
                }
                let (model, order) = (order.model.clone(), Some(order));
                self.begin(Entry { intent, model, at, changed_at: at, order, state: State::Sending });
                Ok(true)
            }
            Event::Created { intent, task_id, model } => {
                if !is_task_id(&task_id) {
                    return Err("the task id is not one");
                }
                if self.by_task.contains_key(&task_id) {
                    // The same task under another name: one of the two is enough.
                    let known = self.by_intent.get(&intent).copied();
                    let other = known.filter(|key| self.by_task.get(&task_id) != Some(key));
                    return Ok(other.is_some_and(|key| self.end(key)));
                }
                let state = State::Created { task_id: task_id.clone() };
                match self.by_intent.get(&intent).copied() {
                    Some(key) => self.change(key, at, state),
                    // Its intent was forgotten meanwhile; what was paid for is kept all the same.
                    None => self.begin(Entry { intent, model, at, changed_at: at, order: None, state }),
                }
                Ok(true)
            }
            Event::Refused { intent, .. } => Ok(self.without_task(&intent).is_some_and(|key| self.end(key))),
            Event::Unknown { intent, reason } => {
                let key = self.without_task(&intent);
                if let Some(key) = key {
                    self.change(key, at, State::Unknown { reason });
                }
                Ok(key.is_some())
            }
            Event::Finished { task_id, status } => {
                let Some(key) = self.by_task.get(&task_id).copied() else { return Ok(false) };
                match (status, self.entries.get(&key).map(|entry| &entry.state)) {
                    (End::Failed, _) => Ok(self.end(key)),
                    (End::Succeeded, Some(State::Created { .. })) => {
                        self.change(key, at, State::Succeeded { task_id });
                        Ok(true)
                    }
                    (End::Succeeded, _) => Ok(false),
                }
            }
            Event::Saved { task_id, .. } => Ok(self.by_task.get(&task_id).copied().is_some_and(|key| self.end(key))),
            Event::Forgotten { name } => {
                let key = self.by_task.get(&name).copied().or_else(|| self.without_task(&name));
                Ok(key.is_some_and(|key| self.end(key)))
            }
        }
    }

    /// A file with only what is not over.
    pub fn compacted(&self, header: &Header) -> String {
        let mut text = header.to_line();
        for record in self.entries().flat_map(Entry::records) {
            text.push_str(&record.to_line());
        }
        text
    }

    fn without_task(&self, intent: &str) -> Option<u64> {
        let key = self.by_intent.get(intent).copied()?;
        self.entries.get(&key).filter(|entry| entry.state.task_id().is_none()).map(|_| key)
    }

    fn begin(&mut self, entry: Entry) {
        self.begun += 1;
        self.by_intent.insert(entry.intent.clone(), self.begun);
        if let Some(id) = entry.state.task_id() {
            self.by_task.insert(id.to_owned(), self.begun);
        }
        self.entries.insert(self.begun, entry);
    }

    fn change(&mut self, key: u64, at: u64, state: State) {
        if let Some(entry) = self.entries.get_mut(&key) {
            if let Some(old) = entry.state.task_id() {
                self.by_task.remove(old);
            }
            if let Some(new) = state.task_id() {
                self.by_task.insert(new.to_owned(), key);
            }
            entry.changed_at = at;
            entry.state = state;
        }
    }

    fn end(&mut self, key: u64) -> bool {
        let Some(entry) = self.entries.remove(&key) else { return false };
        self.by_intent.remove(&entry.intent);
        if let Some(id) = entry.state.task_id() {
            self.by_task.remove(id);
        }
        self.over += 1;
        true
    }
}
