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
//! The first line says whose file it is, every other one is a [`Record`]. Only what has not ended is kept, so a ledger is
//! as large as what is still to be done; and what was created under a key, for as long as the key is to be known
//! ([`Ledger::expire`]). A process that is killed leaves at most a torn last line, which is told
//! apart ([`Tail::Torn`]) from damage in the middle ([`Damage`]).
//!
//! ```
//! use junfeiai::protocol::ledger::{Event, Ledger, Record, State};
//!
//! let mut ledger = Ledger::default();
//! let created = Event::Created {
//!     intent: "1f".into(),
//!     task_id: "task_1".into(),
//!     model: "grok-image-video".into(),
//!     request_id: None,
//! };
//! ledger.apply(Record::new(1_750_000_000, created)).unwrap();
//! assert_eq!(ledger.entries().next().unwrap().state, State::Created { task_id: "task_1".into() });
//! ```

mod record;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use self::record::parse;
pub use self::record::{Damage, End, Event, Header, MAX_LINE, Order, OrderKey, Record, Spent, Totals, VERSION};
use crate::net::endpoint::is_task_id;
use crate::protocol::day_budget::{DAY, DayChange, Exceeded, Reservation, Settlement, Used};
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
#[non_exhaustive]
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
    /// The task failed. Known only for a key.
    Failed {
        /// Its id.
        task_id: String,
    },
    /// The task's video was saved. Known only for a key.
    Saved {
        /// Its id.
        task_id: String,
        /// Where.
        path: String,
        /// Its length.
        bytes: u64,
    },
    /// The task was taken off the list. Known only for a key.
    Forgotten {
        /// Its id.
        task_id: String,
    },
}

impl State {
    /// The task's id, once there is one.
    pub fn task_id(&self) -> Option<&str> {
        match self {
            Self::Created { task_id }
            | Self::Succeeded { task_id }
            | Self::Failed { task_id }
            | Self::Saved { task_id, .. }
            | Self::Forgotten { task_id } => Some(task_id),
            Self::Sending | Self::Unknown { .. } => None,
        }
    }

    /// True when there is nothing left to be done.
    pub const fn has_ended(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::Saved { .. } | Self::Forgotten { .. })
    }
}

/// A create, or its task, that has not ended, or that has a key.
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
    /// The id of the create request, where it was answered.
    pub request_id: Option<String>,
    /// Where the video was about to get its name, and its length. Known only for a key.
    pub saving: Option<(String, u64)>,
    /// What the task cost, in units, once that was seen; before the charge of a failed one was returned.
    pub charged: Option<u64>,
}

impl Entry {
    /// The key under which it was created.
    pub fn key(&self) -> Option<&OrderKey> {
        self.order.as_ref()?.key.as_ref()
    }

    /// What it adds to the spending of its day.
    fn spent(&self) -> Totals {
        let cost = self.charged.unwrap_or_default();
        let totals = Totals { creates: 1, charged: cost, ..Totals::default() };
        let reserved = self.order.as_ref().filter(|_| self.charged.is_none()).and_then(|order| order.estimate);
        let reserved = reserved.unwrap_or_default();
        match &self.state {
            State::Sending | State::Unknown { .. } => Totals { unknown: 1, reserved, ..Totals::default() },
            State::Failed { .. } => Totals { refunded: cost, failed: 1, ..totals },
            State::Created { .. } | State::Succeeded { .. } | State::Saved { .. } | State::Forgotten { .. } => {
                Totals { uncharged: u64::from(self.charged.is_none()), reserved, ..totals }
            }
        }
    }

    /// The fewest records that lead to this entry.
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::with_capacity(3);
        if let Some(order) = &self.order {
            let event = Event::Intent { intent: self.intent.clone(), order: order.clone() };
            records.push(Record::new(self.at, event));
        }
        // The first record of all says when it began.
        let at = if self.order.is_some() { self.changed_at } else { self.at };
        let request_id = self.request_id.clone();
        if let State::Unknown { reason } = &self.state {
            let (intent, reason) = (self.intent.clone(), reason.clone());
            records.push(Record::new(at, Event::Unknown { intent, reason, request_id }));
        } else if let Some(task_id) = self.state.task_id() {
            let (intent, task_id, model) = (self.intent.clone(), task_id.to_owned(), self.model.clone());
            records.push(Record::new(at, Event::Created { intent, task_id, model, request_id }));
        }
        let finished =
            |task_id: &String, status| Event::Finished { task_id: task_id.clone(), status, charged: self.charged };
        if let State::Saved { task_id, .. } | State::Forgotten { task_id } = &self.state
            && self.charged.is_some()
        {
            records.push(Record::new(self.changed_at, finished(task_id, End::Succeeded)));
        }
        let last = match &self.state {
            State::Sending | State::Unknown { .. } | State::Created { .. } => None,
            State::Succeeded { task_id } => Some(finished(task_id, End::Succeeded)),
            State::Failed { task_id } => Some(finished(task_id, End::Failed)),
            State::Saved { task_id, path, bytes } => {
                Some(Event::Saved { task_id: task_id.clone(), path: path.clone(), bytes: *bytes })
            }
            State::Forgotten { task_id } => Some(Event::Forgotten { name: task_id.clone() }),
        };
        records.extend(last.map(|event| Record::new(self.changed_at, event)));
        let task_id = self.state.task_id().filter(|_| !self.state.has_ended());
        if let (Some(task_id), Some((path, bytes))) = (task_id, &self.saving) {
            let (task_id, path) = (task_id.to_owned(), path.clone());
            records.push(Record::new(self.changed_at, Event::Saving { task_id, path, bytes: *bytes }));
        }
        records
    }
}

/// What is known of a key when somebody wants to create a task under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing was created under it, or what was created failed and the caller wants another: this many-th task.
    Free {
        /// The number of the task under this key, from 1.
        attempt: u32,
    },
    /// This was created under it, or is being created.
    Taken(Box<Entry>),
}

/// What becomes of a create request that reserves its cost of a day's budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// It may be sent: its intent is kept.
    Kept {
        /// The number of the task under its key, from 1; 1 without a key.
        attempt: u32,
        /// What it reserved, in units.
        units: u64,
    },
    /// Something was created under its key, or is being created: nothing is to be sent, and nothing was reserved.
    Taken(Box<Entry>),
    /// The budget has no room for it. Nothing was kept.
    Exceeded(Exceeded),
}

impl From<Claim> for Reserved {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Free { attempt } => Self::Kept { attempt, units: 0 },
            Claim::Taken(entry) => Self::Taken(entry),
        }
    }
}

impl Spent {
    /// What these entries add up to, a line for each day and model, oldest first.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Self> {
        let mut sums = Sums::new();
        for entry in entries {
            add(&mut sums, entry.at / DAY, &entry.model, &entry.spent());
        }
        Self::lines(sums)
    }

    /// The sums of several places as one list.
    pub fn merged(lists: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut sums = Sums::new();
        for spent in lists {
            add(&mut sums, spent.day, &spent.model, &spent.totals);
        }
        Self::lines(sums)
    }

    fn lines(sums: Sums) -> Vec<Self> {
        sums.into_iter().map(|((day, model), totals)| Self { day, model, totals }).collect()
    }
}

/// By day and model.
type Sums = BTreeMap<(u64, String), Totals>;

fn add(sums: &mut Sums, day: u64, model: &str, totals: &Totals) {
    sums.entry((day, model.to_owned())).or_default().add(totals);
}

/// How many days the spending of ended tasks is kept.
const SPENT_DAYS: u64 = 400;
/// How long the ids of answered requests are kept, in seconds: the service's log shows the newest rows only.
pub const ANSWERED_KEPT: u64 = 3 * 24 * 3600;
/// How many of them are kept at most.
const MAX_ANSWERED: usize = 5000;

/// What the lines add up to.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    entries: BTreeMap<u64, Entry>,
    by_intent: HashMap<String, u64>,
    by_task: HashMap<String, u64>,
    /// Per key the number of its entry, and that of the failed one before it while the later one has no task.
    by_key: HashMap<String, (u64, Option<u64>)>,
    /// The ids of answered requests, oldest first, with their times and tasks.
    answered: VecDeque<(u64, String, Option<String>)>,
    last_answered: u64,
    /// What was spent on entries that are not kept.
    spent: Sums,
    begun: u64,
    over: u64,
    lines: u64,
}

impl Ledger {
    /// What has not ended, in the order of its beginning.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !entry.state.has_ended())
    }

    /// What was created under this key last, ended or not.
    pub fn key(&self, key: &str) -> Option<&Entry> {
        let (number, _) = self.by_key.get(key)?;
        self.entries.get(number)
    }

    /// Whether an entry is about this task.
    pub fn knows_task(&self, task_id: &str) -> bool {
        self.by_task.contains_key(task_id)
    }

    /// What was created under keys, ended or not, in the order of its beginning.
    pub fn keys(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| entry.key().is_some())
    }

    /// Whether a task may be created under this key. `retry_failed` asks for another one after a failed one.
    pub fn claim(&self, key: &str, retry_failed: bool) -> Claim {
        match self.key(key) {
            None => Claim::Free { attempt: 1 },
            Some(Entry { state: State::Failed { .. }, order: Some(Order { key: Some(key), .. }), .. })
                if retry_failed =>
            {
                Claim::Free { attempt: key.attempt.saturating_add(1) }
            }
            Some(entry) => Claim::Taken(Box::new(entry.clone())),
        }
    }

    /// What becomes of a create request, whose intent this record is, that reserves its cost of the budget of its day. It
    /// keeps nothing: whoever gets [`Reserved::Kept`] applies the record with that attempt and estimate. A key that is taken
    /// costs nothing, so that no budget refuses it.
    ///
    /// # Errors
    /// When the record is not an intent.
    pub fn reserve(&self, record: &Record, retry_failed: bool, share: &Reservation) -> Result<Reserved, &'static str> {
        let Event::Intent { order, .. } = &record.event else { return Err("only a create reserves") };
        let claim = order.key.as_ref().map_or(Claim::Free { attempt: 1 }, |key| self.claim(&key.name, retry_failed));
        Ok(match claim {
            Claim::Taken(entry) => Reserved::Taken(entry),
            Claim::Free { attempt } => {
                match share.admit(self.used_on(record.at / DAY), || self.last_charge(&order.model)) {
                    Ok(units) => Reserved::Kept { attempt, units },
                    Err(exceeded) => Reserved::Exceeded(exceeded),
                }
            }
        })
    }

    /// How much the create requests of a day use of its budget. An entry without an estimate, of a client that has no
    /// budget, counts once its charge is seen.
    pub fn used_on(&self, day: u64) -> Used {
        let mut used = Used::default();
        let ended = self.spent.range((day, String::new())..(day.saturating_add(1), String::new()));
        ended.for_each(|(_, totals)| used.add(totals.used()));
        let kept = self.entries.values().filter(|entry| entry.at / DAY == day);
        kept.for_each(|entry| used.add(entry.spent().used()));
        used
    }

    /// What the latest task of this model cost in units, or the mean of the latest day that is known of.
    pub fn last_charge(&self, model: &str) -> Option<u64> {
        let kept = self.entries.values().filter(|entry| entry.model == model && entry.charged.is_some());
        kept.max_by_key(|entry| entry.changed_at).and_then(|entry| entry.charged).or_else(|| {
            let days = self.spent.iter().rev().filter(|((_, name), _)| name == model);
            days.map(|(_, totals)| totals).find_map(|totals| {
                let count = totals.creates.saturating_sub(totals.uncharged);
                (totals.charged > 0 && count > 0).then(|| totals.charged.div_ceil(count))
            })
        })
    }

    /// What a record will change in the sum of a day, judged before it is applied, for journals that keep such a sum beside
    /// their entries.
    pub fn day_change(&self, record: &Record) -> Option<DayChange> {
        let (number, settlement) = match &record.event {
            // A create that was dropped while its intent was on the way: it may have reserved something. Where anything was
            // spent it may be that create's, which ended: its reservation stays.
            Event::Refused { intent, .. } if !self.by_intent.contains_key(intent) && self.spent.is_empty() => {
                let (day, intent, model) = (record.at / DAY, intent.clone(), String::new());
                return Some(DayChange { day, intent, model, settlement: Settlement::Released });
            }
            Event::Refused { intent, .. } => (self.without_task(intent), Settlement::Released),
            // A task that is forgotten is paid for.
            Event::Forgotten { name } if self.open_task(name).is_none() => {
                (self.without_task(name), Settlement::Released)
            }
            Event::Finished { task_id, status: End::Failed, .. } => (self.open_task(task_id), Settlement::Released),
            Event::Finished { task_id, status: End::Succeeded, charged: Some(units) } => {
                (self.open_task(task_id), Settlement::Charged(*units))
            }
            _ => return None,
        };
        let entry = self.entries.get(&number?)?;
        entry.order.as_ref()?.estimate?;
        let (day, intent, model) = (entry.at / DAY, entry.intent.clone(), entry.model.clone());
        Some(DayChange { day, intent, model, settlement })
    }

    /// The ids of create requests that were answered in the last three days.
    pub fn answered(&self) -> impl Iterator<Item = &str> {
        self.answered.iter().map(|(_, id, _)| id.as_str())
    }

    /// The ids of the tasks that are known: those of entries, and of create requests that were answered in the last three days.
    pub fn tasks(&self) -> impl Iterator<Item = &str> {
        let ended = self.answered.iter().filter_map(|(_, _, task_id)| task_id.as_deref());
        self.by_task.keys().map(String::as_str).chain(ended)
    }

    /// What was created and charged, a line for each UTC day and model, oldest first; for 400 days of what has ended.
    pub fn spending(&self) -> Vec<Spent> {
        let ended = self.spent.iter().map(|((day, model), totals)| (*day, model.clone(), *totals));
        let kept = self.entries.values().map(|entry| (entry.at / DAY, entry.model.clone(), entry.spent()));
        Spent::merged(ended.chain(kept).map(|(day, model, totals)| Spent { day, model, totals }))
    }

    /// Unix seconds of the beginning of the last day with spending of entries that are not kept.
    pub fn last_spent(&self) -> Option<u64> {
        self.spent.last_key_value().map(|((day, _), _)| day * DAY)
    }

    /// Unix seconds of the last record that it knows of.
    pub fn changed_at(&self) -> Option<u64> {
        let answered = self.answered.iter().map(|(at, ..)| *at);
        self.entries.values().map(|entry| entry.changed_at).chain(answered).max()
    }

    /// Drops keys whose tasks ended before this time, in unix seconds.
    pub fn expire(&mut self, before: u64) {
        let old = |entry: &Entry| entry.state.has_ended() && entry.changed_at < before;
        let numbers: Vec<u64> =
            self.entries.iter().filter(|(_, entry)| old(entry)).map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(key) = self.entries.get(&number).and_then(Entry::key).map(|key| key.name.clone()) {
                match self.by_key.get(&key).copied() {
                    Some((newest, _)) if newest == number => _ = self.by_key.remove(&key),
                    Some((newest, Some(before))) if before == number => _ = self.by_key.insert(key, (newest, None)),
                    _ => {}
                }
            }
            self.settle(number);
            self.forget(number);
        }
    }

    /// How many records there are to keep.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing is to be kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// How many were seen to come to their end and are not kept.
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
                if let Some(key) = &order.key
                    && matches!(self.claim(&key.name, true), Claim::Taken(_))
                {
                    return Err("the key of the create is taken");
                }
                let (model, order) = (order.model.clone(), Some(order));
                self.begin(Entry {
                    intent,
                    model,
                    at,
                    changed_at: at,
                    order,
                    state: State::Sending,
                    request_id: None,
                    saving: None,
                    charged: None,
                });
                Ok(true)
            }
            Event::Created { intent, task_id, model, request_id } => {
                if !is_task_id(&task_id) {
                    return Err("the task id is not one");
                }
                self.note_answered(at, request_id.as_deref(), Some(&task_id));
                let known = self.by_intent.get(&intent).copied();
                if let Some(number) = self.by_task.get(&task_id).copied() {
                    // The same task under another name: one of the two is enough, and a key needs its own.
                    let other = known.filter(|known| *known != number);
                    return Ok(other.is_some_and(|known| self.same_task(number, known)));
                }
                let state = State::Created { task_id: task_id.clone() };
                if let Some(number) = known {
                    self.change(number, at, state);
                    if let Some(entry) = self.entries.get_mut(&number) {
                        entry.request_id = request_id;
                    }
                } else {
                    // Its intent was forgotten meanwhile; what was paid for is kept all the same.
                    let (order, saving, charged) = (None, None, None);
                    self.begin(Entry { intent, model, at, changed_at: at, order, state, request_id, saving, charged });
                }
                Ok(true)
            }
            Event::Refused { intent, .. } => Ok(self.without_task(&intent).is_some_and(|number| self.end(number))),
            Event::Unknown { intent, reason, request_id } => {
                let number = self.without_task(&intent);
                if let Some(number) = number {
                    self.change(number, at, State::Unknown { reason });
                    if let Some(entry) = self.entries.get_mut(&number) {
                        entry.request_id = request_id;
                    }
                }
                Ok(number.is_some())
            }
            Event::Finished { task_id, status, charged } => Ok(self.finish(at, task_id, status, charged)),
            Event::Saving { task_id, path, bytes } => {
                let number = self.open_task(&task_id);
                let entry = number.and_then(|number| self.entries.get_mut(&number));
                let Some(entry) = entry.filter(|entry| entry.key().is_some()) else { return Ok(false) };
                let saving = Some((path, bytes));
                let changed = entry.saving != saving;
                entry.saving = saving;
                entry.changed_at = if changed { at } else { entry.changed_at };
                Ok(changed)
            }
            Event::Saved { task_id, path, bytes } => {
                let Some(number) = self.by_task.get(&task_id).copied() else { return Ok(false) };
                let state = State::Saved { task_id, path, bytes };
                let same = self.entries.get(&number).is_some_and(|entry| entry.state == state);
                Ok(!same && self.close(number, at, state))
            }
            Event::Answered { request_id, task_id } => {
                self.note_answered(at, Some(&request_id), task_id.as_deref());
                Ok(true)
            }
            Event::Spent(Spent { day, model, totals }) => {
                self.note_spent(day, &model, &totals);
                Ok(true)
            }
            Event::Forgotten { name } => match self.open_task(&name) {
                Some(number) => Ok(self.close(number, at, State::Forgotten { task_id: name })),
                None => Ok(self.without_task(&name).is_some_and(|number| self.end(number))),
            },
        }
    }

    /// A file with only what is to be kept.
    pub fn compacted(&self, header: &Header) -> String {
        let mut text = header.to_line();
        for record in self.records() {
            text.push_str(&record.to_line());
        }
        text
    }

    /// The fewest records that lead to this ledger.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let kept: HashSet<&str> = self.entries.values().filter_map(|entry| entry.request_id.as_deref()).collect();
        let answered = self.answered.iter().filter(move |(_, id, _)| !kept.contains(id.as_str()));
        let answered = answered.map(|(at, request_id, task_id)| {
            Record::new(*at, Event::Answered { request_id: request_id.clone(), task_id: task_id.clone() })
        });
        let spent = self.spent.iter().map(|((day, model), totals)| {
            let event = Event::Spent(Spent { day: *day, model: model.clone(), totals: *totals });
            Record::new(day.saturating_mul(DAY), event)
        });
        answered.chain(spent).chain(self.entries.values().flat_map(Entry::records))
    }

    fn note_answered(&mut self, at: u64, request_id: Option<&str>, task_id: Option<&str>) {
        let Some(id) = request_id else { return };
        self.answered.push_back((at, id.to_owned(), task_id.map(str::to_owned)));
        self.last_answered = self.last_answered.max(at);
        while let Some((at, ..)) = self.answered.front()
            && (self.answered.len() > MAX_ANSWERED || at.saturating_add(ANSWERED_KEPT) < self.last_answered)
        {
            self.answered.pop_front();
        }
    }

    fn finish(&mut self, at: u64, task_id: String, status: End, charged: Option<u64>) -> bool {
        let Some(number) = self.open_task(&task_id) else { return false };
        let Some(entry) = self.entries.get_mut(&number) else { return false };
        let news = charged.is_some() && entry.charged != charged;
        entry.charged = charged.or(entry.charged);
        match (status, &entry.state) {
            (End::Failed, _) => self.close(number, at, State::Failed { task_id }),
            (End::Succeeded, State::Created { .. }) => {
                self.change(number, at, State::Succeeded { task_id });
                true
            }
            (End::Succeeded, _) => news,
        }
    }

    fn note_spent(&mut self, day: u64, model: &str, totals: &Totals) {
        add(&mut self.spent, day, model, totals);
        let newest = self.spent.last_key_value().map_or(day, |((day, _), _)| *day);
        while let Some(((day, _), _)) = self.spent.first_key_value()
            && day.saturating_add(SPENT_DAYS) < newest
        {
            self.spent.pop_first();
        }
    }

    /// Keeps what an entry has cost, which is about to go.
    fn settle(&mut self, number: u64) {
        let Some(entry) = self.entries.get(&number) else { return };
        let (day, model, totals) = (entry.at / DAY, entry.model.clone(), entry.spent());
        self.note_spent(day, &model, &totals);
    }

    /// A create brought a task that is known by another entry.
    fn same_task(&mut self, number: u64, known: u64) -> bool {
        let keyed = |entries: &BTreeMap<u64, Entry>, number| {
            entries.get(&number).is_some_and(|entry: &Entry| entry.key().is_some())
        };
        if !keyed(&self.entries, known) {
            return self.end(known);
        }
        let Some(entry) = self.entries.get(&number).cloned() else { return false };
        if !keyed(&self.entries, number) {
            self.forget(number);
        }
        self.change(known, entry.changed_at, entry.state);
        if let Some(known) = self.entries.get_mut(&known) {
            known.charged = entry.charged;
        }
        true
    }

    fn without_task(&self, intent: &str) -> Option<u64> {
        let number = self.by_intent.get(intent).copied()?;
        self.entries.get(&number).filter(|entry| entry.state.task_id().is_none()).map(|_| number)
    }

    fn open_task(&self, task_id: &str) -> Option<u64> {
        let number = self.by_task.get(task_id).copied()?;
        self.entries.get(&number).filter(|entry| !entry.state.has_ended()).map(|_| number)
    }

    fn begin(&mut self, entry: Entry) {
        self.begun += 1;
        let number = self.begun;
        self.by_intent.insert(entry.intent.clone(), number);
        if let Some(id) = entry.state.task_id() {
            self.by_task.insert(id.to_owned(), number);
        }
        if let Some(key) = entry.key() {
            let before = self.by_key.get(&key.name).map(|(number, _)| *number);
            self.by_key.insert(key.name.clone(), (number, before));
        }
        self.entries.insert(number, entry);
    }

    fn change(&mut self, number: u64, at: u64, state: State) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        if let Some(old) = entry.state.task_id()
            && self.by_task.get(old) == Some(&number)
        {
            self.by_task.remove(old);
        }
        if let Some(new) = state.task_id() {
            self.by_task.insert(new.to_owned(), number);
        }
        entry.changed_at = at;
        entry.state = state;
        if entry.state.has_ended() {
            entry.saving = None;
        }
        // With a task of its own it takes the place of the failed one before it.
        let key = entry.key().filter(|_| entry.state.task_id().is_some()).map(|key| key.name.clone());
        let before = key.and_then(|key| self.by_key.get_mut(&key)).and_then(|(_, before)| before.take());
        if let Some(before) = before {
            self.settle(before);
            self.forget(before);
            self.over += 1;
        }
    }

    /// Nothing is left to be done: only for its key it is kept.
    fn close(&mut self, number: u64, at: u64, state: State) -> bool {
        if self.entries.get(&number).is_some_and(|entry| entry.key().is_some()) {
            self.change(number, at, state);
            return true;
        }
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.state = state;
        }
        self.settle(number);
        self.end(number)
    }

    fn end(&mut self, number: u64) -> bool {
        let key = self.entries.get(&number).and_then(Entry::key).map(|key| key.name.clone());
        if let Some(key) = key {
            match self.by_key.get(&key).copied() {
                Some((newest, Some(before))) if newest == number => self.by_key.insert(key, (before, None)),
                Some((newest, None)) if newest == number => self.by_key.remove(&key),
                _ => None,
            };
        }
        let ended = self.forget(number);
        self.over += u64::from(ended);
        ended
    }

    /// Takes an entry out, with its names. Its key is the caller's matter.
    fn forget(&mut self, number: u64) -> bool {
        let Some(entry) = self.entries.remove(&number) else { return false };
        self.by_intent.remove(&entry.intent);
        if let Some(id) = entry.state.task_id()
            && self.by_task.get(id) == Some(&number)
        {
            self.by_task.remove(id);
        }
        true
    }
}
