//! The lines of a journal.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::protocol::day_budget::Used;
use crate::protocol::process::Process;

/// The version of the format that the first line names.
pub const VERSION: u32 = 1;
/// The version of a record with a key. A library that does not know keys would drop them when it compacts the file, and
/// then pay twice: it refuses the record instead.
const WITH_KEY: u32 = 2;
/// Longest line that is read or written, its end included.
pub const MAX_LINE: usize = 64 * 1024;

/// What is known of a create before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// SHA-256 of the request's body, in hexadecimal.
    pub fingerprint: String,
    /// The model asked for.
    pub model: String,
    /// The length asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<String>,
    /// The prompt, only where the client was told to keep prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Unix seconds after which its writer has given the create up, whatever happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Who sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// The key under which it is created once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<OrderKey>,
    /// A name for the API key that it is sent with, from which that cannot be found: the key's log shows its own charges only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What it will cost in units, which it reserves of its day's budget until its charge is seen; only where the client has a
    /// budget. An older version of this library passes over it, and drops it when it compacts the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<u64>,
}

/// The key of a create request: the caller's own name for the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderKey {
    /// The key.
    pub name: String,
    /// 1 for the first task of the key, one more for each that was created after a failed one.
    #[serde(default = "first_attempt")]
    pub attempt: u32,
    /// The request's fields, to name what differs in another request: short ones as they are, others as a hash.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
}

const fn first_attempt() -> u32 {
    1
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With a video.
    Succeeded,
    /// Without one; the service returns the charge.
    Failed,
}

/// What was created and charged on one UTC day with one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Days since 1970-01-01, UTC; 0 where the platform has no wall clock.
    pub day: u64,
    /// The model asked for.
    pub model: String,
    /// How much.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Sums of create requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Tasks that were created.
    pub creates: u64,
    /// What they cost in units, where that is known, with what was returned since.
    pub charged: u64,
    /// What was returned of it, for failed tasks.
    pub refunded: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that have not failed and whose charge was never seen.
    pub uncharged: u64,
    /// Create requests whose outcome is not known, those in flight with them.
    pub unknown: u64,
    /// Units that create requests have reserved of a budget whose charge was never seen.
    #[serde(skip_serializing_if = "is_zero")]
    pub reserved: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde hands it over
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Totals {
    /// What they use of their day's budget.
    pub fn used(&self) -> Used {
        Used { spent: self.charged.saturating_sub(self.refunded), reserved: self.reserved }
    }

    /// Adds the others.
    pub fn add(&mut self, others: &Self) {
        for (sum, part) in [
            (&mut self.creates, others.creates),
            (&mut self.charged, others.charged),
            (&mut self.refunded, others.refunded),
            (&mut self.failed, others.failed),
            (&mut self.uncharged, others.uncharged),
            (&mut self.unknown, others.unknown),
            (&mut self.reserved, others.reserved),
        ] {
            *sum = sum.saturating_add(part);
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A create is about to be sent.
    Intent {
        /// Our own name for it.
        intent: String,
        /// What is known of it.
        #[serde(flatten)]
        order: Order,
    },
    /// The server named the task.
    Created {
        /// Our own name for the create.
        intent: String,
        /// The task's id.
        task_id: String,
        /// The model asked for.
        model: String,
        /// The id of the answered request, which the service's log repeats.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// The create provably was not carried out.
    Refused {
        /// Our own name for the create.
        intent: String,
        /// The kind of the error.
        reason: String,
    },
    /// The create may have been carried out; its answer never came.
    Unknown {
        /// Our own name for the create.
        intent: String,
        /// The kind of the error.
        reason: String,
        /// The id of the request, where an answer named it although it is of no other use.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
    /// The task ended.
    Finished {
        /// The task's id.
        task_id: String,
        /// How.
        status: End,
        /// What it cost, in units, before the charge of a failed one was returned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charged: Option<u64>,
    },
    /// The video is read whole and gets its name next. Kept for a task with a key: a process that is killed between the
    /// name and [`Event::Saved`] must not leave a file that the next one takes for somebody else's.
    Saving {
        /// The task's id.
        task_id: String,
        /// Where.
        path: String,
        /// Its length.
        bytes: u64,
    },
    /// The video is on the disk, whole.
    Saved {
        /// The task's id.
        task_id: String,
        /// Where.
        path: String,
        /// Its length.
        bytes: u64,
    },
    /// The request id of a create that was answered and has ended since: what explains a row of the service's log.
    Answered {
        /// The id.
        request_id: String,
        /// The task that it made: what explains a row of the account's list of tasks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task_id: Option<String>,
    },
    /// What was spent on entries that are not kept.
    Spent(Spent),
    /// The user does not want to resume it. The name is a task's id or, for a create without one, ours.
    Forgotten {
        /// Which.
        name: String,
    },
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    v: u32,
    /// Unix seconds; 0 where the platform has no wall clock.
    pub at: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Record {
    /// A record of this moment.
    pub const fn new(at: u64, event: Event) -> Self {
        let keyed = matches!(&event, Event::Intent { order: Order { key: Some(_), .. }, .. });
        Self { v: if keyed { WITH_KEY } else { VERSION }, at, event }
    }

    /// The same as this many-th attempt of its key.
    #[must_use]
    pub fn with_attempt(mut self, number: u32) -> Self {
        if let Event::Intent { order: Order { key: Some(key), .. }, .. } = &mut self.event {
            key.attempt = number;
        }
        self
    }

    /// The same with so many units reserved of its day's budget.
    #[must_use]
    pub fn with_estimate(mut self, units: u64) -> Self {
        if let Event::Intent { order, .. } = &mut self.event {
            order.estimate = Some(units);
        }
        self
    }

    /// The line, with its end.
    pub fn to_line(&self) -> String {
        // Plain data with text keys: there is nothing that JSON could refuse.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

/// The first line of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the format.
    junfeiai_journal: u32,
    /// Another one whenever the file is written anew, so that a reader knows that its place in it is void.
    pub generation: String,
}

const HEADER_START: &str = "{\"junfeiai_journal\":";

impl Header {
    /// The first line of a new file.
    pub fn new(generation: impl Into<String>) -> Self {
        Self { junfeiai_journal: VERSION, generation: generation.into() }
    }

    /// The line, with its end.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }

    /// Reads the first line and gives its length with it; `None` for an empty file or a first line that was torn while
    /// it was written.
    ///
    /// # Errors
    /// When the file is not a journal, or one of a later version.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Damage> {
        let damage = |what: &str| Damage { line: 1, what: what.to_owned() };
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            let known = bytes.len().min(HEADER_START.len());
            let torn = bytes.len() < 200 && bytes.get(..known) == HEADER_START.as_bytes().get(..known);
            return if torn { Ok(None) } else { Err(damage("this file is not a journal of junfeiai")) };
        };
        let header: Self = serde_json::from_slice(bytes.get(..end).unwrap_or_default())
            .map_err(|_| damage("this file is not a journal of junfeiai"))?;
        if header.junfeiai_journal != VERSION {
            return Err(damage("the journal was written by a later version of junfeiai"));
        }
        Ok(Some((header, end + 1)))
    }
}

/// A line that cannot be one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Reads a line without its end.
pub(super) fn parse(line: &[u8]) -> Result<Record, &'static str> {
    if line.len() >= MAX_LINE {
        return Err("the line is longer than 64 KiB");
    }
    // What the parser says is left out: it repeats parts of the line, and the line may be anything.
    let record: Record = serde_json::from_slice(line).map_err(|_| "this is not a record of a journal")?;
    match record.v {
        VERSION | WITH_KEY => Ok(record),
        _ => Err("the record was written by a later version of junfeiai"),
    }
}
