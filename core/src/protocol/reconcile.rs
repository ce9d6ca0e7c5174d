//! What became of create requests whose answer was lost, as far as the key's usage and log prove it.
//!
//! A verdict of [`NotCharged`](Verdict::NotCharged) allows another paid request, so each line of it needs a proof. *Unexplained*
//! is a charge whose request id no answered create request of the journal had. One *fits* a create request when it has the model,
//! the time and the amount that this would have. The *sum* is that of all charges less all refunds.
//!
//! | the log shows | verdict |
//! |---|---|
//! | a charge with the request's own id | made and charged |
//! | as many fitting unexplained charges as requests that they fit, and no other unexplained charge | made and charged |
//! | the same, and its refund is the only one of that model and amount | made and charged, refunded, with the task's id |
//! | more or fewer of them than requests that they fit | cannot be known |
//! | unexplained charges that no request of the journal fits: other programs use the key | cannot be known |
//! | the request was sent with another key of the journal, whose log this is not | cannot be known |
//! | no fitting charge; the request was sent in the last 10 minutes | still under way |
//! | no fitting charge; usage above the sum; sent in the last 75 minutes | still under way |
//! | no fitting charge; usage above the sum; older | cannot be known: charged without a row |
//! | no fitting charge; usage below the sum, or a row of the last 20 minutes: the two answers are of different times | cannot be known |
//! | 1000 rows, or unreadable ones: the sum is not that of all | cannot be known |
//! | no fitting charge; the journal does not say with which key the request was sent | cannot be known |
//! | no fitting charge; an unexplained one has its model and time, and another amount | cannot be known |
//! | no fitting charge; no earlier charge is explained: the log may be off, its ids others, or the key a new one | cannot be known |
//! | no fitting charge; an answered request of the journal is not in the log: the journal is that of several keys or servers | cannot be known |
//! | sent in the last hour and no explained charge is later: usage may be written in batches | still under way |
//! | older than the journal keeps the ids of answered requests | cannot be known |
//! | no fitting charge; usage is the sum; none of the above | **not charged** |
//!
//! The last line holds although no row is written before the upstream accepts: usage rises when a request arrives. When it is
//! the sum of the rows, every charge has a row. What it assumes: a request arrives within 5 minutes or not at all and is carried
//! out within an hour, the gateway writes usage at least every 10 minutes (its default is 5 seconds) and a row for each
//! refund, and clocks differ by less than 10 minutes. A clock that was hours ahead when the request was sent is allowed for: its charge
//! is then one that nobody explains.
//!
//! *Made and charged* without the request's own id assumes more: that the amount is that of the seconds asked for, and that no
//! other program's charge is the only unexplained one and fits. Where that is wrong nothing is paid twice: such a request
//! stays on the journal's list.
//!
//! With the list of the account's tasks a charge may get its task's id (`task_match.rs`). The list says nothing else: no task in it
//! makes a request charged, and none in it does not make one not charged. It assumes what *made and charged* does, and that the
//! gateway writes a charge and its task at one moment.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::account_tasks::{TaskList, TaskRow};
use super::ledger::{ANSWERED_KEPT, Entry, State};
use super::task_match::{self, NEAR, match_tasks};
use super::usage_log::{RowKind, UsageLog, UsageRow};
use crate::status::TaskStatus;

/// The reason that the journal keeps with a create request that was charged and whose task is not known.
pub const CHARGED: &str = "charged";
/// The reason that the journal keeps with a create request that was not charged.
pub const NOT_CHARGED: &str = "not_charged";

/// A gateway may carry out a request for this long before it is worth asking, in seconds.
const UNDER_WAY: u64 = 600;
/// How far clocks may be apart, in seconds.
const SKEW: u64 = 600;
/// How late a row may be written: an hour for the upstream, 5 minutes for the way there, and the clocks, in seconds.
const LATE: u64 = 3600 + 300 + SKEW;
/// Without a later charge in the sum a request has to be this old, in seconds.
const WRITTEN: u64 = 3600;
/// A row this much older than a request may be its own, in seconds: the clock of a machine that takes another zone's time for its own
/// is up to 26 hours ahead until it is set right.
const WRONG_ZONE: u64 = 26 * 3600;
/// A row that is younger may be in one of the two answers only, or not in the usage yet: 10 minutes and the clocks, in seconds.
const QUIET: u64 = 600 + SKEW;

/// What became of a create request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// A task was made and charged.
    Charged,
    /// It was not charged: it may be created again.
    NotCharged,
    /// It may still be carried out: ask again later.
    UnderWay,
    /// It cannot be known.
    NotKnown,
}

impl Verdict {
    /// The stable name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Charged => "charged",
            Self::NotCharged => "not_charged",
            Self::UnderWay => "under_way",
            Self::NotKnown => "not_known",
        }
    }
}

/// The verdict about one create request, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What became of it.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: &'static str,
    /// The id of the request, from its row.
    pub request_id: Option<String>,
    /// The task's id, where a refund names it (the task failed), or the account's list.
    pub task_id: Option<String>,
    /// Units charged (500000 = 1 USD).
    pub charged_units: Option<i64>,
    /// The times of the charges of which one is its own, the first and the last, in unix seconds by the server's clock.
    pub charged_between: Option<(u64, u64)>,
}

impl Judged {
    /// Nothing can be said, for this reason.
    pub fn not_known(reason: &'static str) -> Self {
        Self::without_charge(Verdict::NotKnown, reason)
    }

    fn without_charge(verdict: Verdict, reason: &'static str) -> Self {
        Self { verdict, reason, request_id: None, task_id: None, charged_units: None, charged_between: None }
    }
}

/// What is known beside the create requests.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Unix seconds when the first of the two was asked for.
    pub now: u64,
    /// Units used, asked for **before** the log.
    pub used_units: i64,
    /// The key's log.
    pub log: &'a UsageLog,
    /// The ids of the journal's answered create requests, of all keys.
    pub answered: &'a HashSet<String>,
    /// The name of the key that the log is of, as [`Order::account`](super::ledger::Order::account) has it: another key's request
    /// leaves no row here. `None` where it has none.
    pub account: Option<&'a str>,
    /// The tasks of the account, where they were asked for.
    pub tasks: AccountTasks<'a>,
}

/// The tasks of the account of the key.
#[derive(Debug, Clone, Copy, Default)]
pub enum AccountTasks<'a> {
    /// They were not asked for.
    #[default]
    NotAsked,
    /// They cannot be told, for this reason.
    NotTold(&'static str),
    /// They are these.
    Listed {
        /// The list, of [`task_window`].
        list: &'a TaskList,
        /// The ids of tasks that the journal names, ended or not.
        known: &'a HashSet<String>,
    },
}

/// The time within which the account's tasks would name those of these requests, in unix seconds by the server's clock; `None` where
/// there is nothing to name. It holds the nearest charge that the journal explains, too, whose task shows that the list is this
/// key's account's.
pub fn task_window(judged: &[Judged], evidence: Evidence<'_>) -> Option<(u64, u64)> {
    let Evidence { log, answered, .. } = evidence;
    let nameless = judged.iter().filter(|judged| judged.task_id.is_none()).filter_map(|judged| judged.charged_between);
    let (from, to) = nameless.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
    let explained = log.rows.iter().filter(|row| row.kind == RowKind::Charge && is_answered(answered, row));
    let away = |row: &&UsageRow| from.saturating_sub(row.created_at).max(row.created_at.saturating_sub(to));
    let nearest = explained.min_by_key(away).map(|row| row.created_at);
    let (from, to) = (from.min(nearest.unwrap_or(from)), to.max(nearest.unwrap_or(to)));
    Some((from.saturating_sub(NEAR), to.saturating_add(NEAR)))
}

fn is_answered(answered: &HashSet<String>, row: &UsageRow) -> bool {
    row.request_id.as_ref().is_some_and(|id| answered.contains(id))
}

/// Judges the create requests whose outcome is not known, in their order. `in_flight` are those that are being sent: they may
/// have made a row, too.
pub fn reconcile(unknown: &[Entry], in_flight: &[Entry], evidence: Evidence<'_>) -> Vec<Judged> {
    let Evidence { now, log, answered, account, .. } = evidence;
    let is_answered = |row: &UsageRow| is_answered(answered, row);
    let all: Vec<&Entry> = unknown.iter().chain(in_flight).collect();
    let fits = |entry: &Entry, row: &UsageRow| key_of(entry, account) != Key::Other && fits(entry, row);
    let charges: Vec<&UsageRow> = log.rows.iter().filter(|row| row.kind == RowKind::Charge).collect();
    let mut own: Vec<Option<&UsageRow>> =
        all.iter().map(|entry| charges.iter().find(|row| has_id(entry, row)).copied()).collect();
    // Older rows are those of requests whose ids are not kept any more.
    let kept_since = now.saturating_sub(ANSWERED_KEPT - WRITTEN);
    let unexplained: Vec<&UsageRow> = charges
        .iter()
        .filter(|row| row.created_at >= kept_since && !is_answered(row))
        .filter(|row| !all.iter().any(|entry| has_id(entry, row)))
        .copied()
        .collect();
    let explained = || charges.iter().filter(|row| is_answered(row));
    let has_ids = explained().next().is_some();
    let shown: HashSet<&str> = charges.iter().filter_map(|row| row.request_id.as_deref()).collect();
    let groups = groups(&all, &own, &unexplained, fits);
    let foreign = groups.values().any(|(entries, rows)| rows.len() > entries.len());
    let mut ambiguous = vec![false; all.len()];
    for (entries, rows) in groups.values().filter(|(_, rows)| !rows.is_empty()) {
        let certain = !foreign && has_ids && log.unreadable == 0 && entries.len() == rows.len();
        // All of them were made; which row is whose is only certain for one.
        for (entry, row) in entries.iter().zip(rows) {
            if certain && let (Some(own), Some(row)) = (own.get_mut(*entry), unexplained.get(*row)) {
                *own = Some(*row);
            }
        }
        for entry in entries.iter().filter(|_| !certain) {
            if let Some(ambiguous) = ambiguous.get_mut(*entry) {
                *ambiguous = true;
            }
        }
    }
    let taken: HashSet<*const UsageRow> = own.iter().flatten().map(|row| std::ptr::from_ref(*row)).collect();
    let alone = |entry: usize| groups.values().all(|(entries, _)| !entries.contains(&entry) || entries.len() == 1);
    let (numbers, requests) = charged_requests(&all, &own, &unexplained, &groups, account);
    let tasks = tasks_of(&requests, &explained().copied().collect::<Vec<_>>(), evidence.tasks);
    let judge = |(index, entry): (usize, &Entry)| {
        if let Some(row) = own.get(index).copied().flatten() {
            let number = numbers.iter().position(|number| *number == index);
            let found = number.and_then(|number| Some((requests.get(number)?, tasks.get(number))));
            return with_task(charged(log, row, alone(index)), found);
        }
        let sent = last_sent(entry);
        let age = now.saturating_sub(sent);
        let (verdict, reason) = if entry.state == (State::Unknown { reason: CHARGED.into() }) {
            (Verdict::Charged, "the log had its charge when it was looked at before: do not create it again")
        } else if key_of(entry, account) == Key::Other {
            (Verdict::NotKnown, "it was sent with another API key, which has a log of its own: ask with that key")
        } else if entry.at < kept_since.saturating_add(WRONG_ZONE) {
            (Verdict::NotKnown, "it is older than the journal keeps the ids of answered requests")
        } else if ambiguous.get(index) == Some(&true) && foreign {
            (Verdict::NotKnown, "other programs use this key: a charge that fits may be theirs")
        } else if ambiguous.get(index) == Some(&true) {
            (Verdict::NotKnown, "the log has charges that fit, and not as many as there are requests that they fit")
        } else if age < UNDER_WAY {
            (Verdict::UnderWay, "the server may still be carrying it out: ask again 10 minutes after it was sent")
        } else if log.is_full || log.unreadable > 0 {
            (Verdict::NotKnown, "the log does not show all rows of this key, so a missing one proves nothing")
        } else if !has_ids {
            (Verdict::NotKnown, "the log shows none of this journal's answered requests: it may be switched off")
        } else if key_of(entry, account) == Key::Unknown {
            (Verdict::NotKnown, "the journal does not say with which API key it was sent")
        } else if !explained().any(|row| row.created_at < entry.at) {
            (
                Verdict::NotKnown,
                "the log shows no earlier request of this journal: it may have been sent with another key",
            )
        } else if !answered.iter().all(|id| shown.contains(id.as_str())) {
            (Verdict::NotKnown, "the log lacks answered requests of this journal, which may be those of another key")
        } else if unexplained.iter().any(|row| has_time_and_model(entry, row)) {
            (Verdict::NotKnown, "the log has a charge of its model and time, and of another amount")
        } else if unexplained.iter().any(|row| {
            !taken.contains(&std::ptr::from_ref(*row)) && row.created_at.saturating_add(WRONG_ZONE) >= entry.at
        }) {
            (Verdict::NotKnown, "other programs use this key: a charge that nobody explains may be this one")
        } else if log.rows.iter().any(|row| row.created_at.saturating_add(QUIET) >= now) {
            (Verdict::NotKnown, "the key was used in the last 20 minutes: ask again when it was not")
        } else {
            let sum = sum_of(log);
            let later = explained().any(|row| row.created_at > sent.saturating_add(SKEW));
            if evidence.used_units > sum && age < LATE {
                (Verdict::UnderWay, "the key was charged for something that the log does not show yet")
            } else if evidence.used_units > sum {
                (
                    Verdict::NotKnown,
                    "the key was charged for something that the log does not show: ask the administrator",
                )
            } else if evidence.used_units < sum {
                (Verdict::NotKnown, "the usage of this key is behind its log, so it proves nothing")
            } else if !later && age < WRITTEN {
                (Verdict::UnderWay, "the usage of this key may be written late: ask again an hour after it was sent")
            } else {
                (Verdict::NotCharged, "every charge of this key belongs to another request")
            }
        };
        Judged::without_charge(verdict, reason)
    };
    unknown.iter().enumerate().map(judge).collect()
}

/// All charges less all refunds.
fn sum_of(log: &UsageLog) -> i64 {
    log.rows.iter().fold(0_i64, |sum, row| match row.kind {
        RowKind::Charge => sum.saturating_add(row.quota),
        RowKind::Refund => sum.saturating_sub(row.quota),
        RowKind::Other(_) => sum,
    })
}

/// A request's task, or why it is not known.
type Found<'a> = std::result::Result<&'a TaskRow, &'static str>;

/// Those that were charged, by their numbers, with the charges of which one is their own.
fn charged_requests<'a>(
    all: &[&'a Entry],
    own: &[Option<&'a UsageRow>],
    unexplained: &[&'a UsageRow],
    groups: &BTreeMap<usize, (Vec<usize>, Vec<usize>)>,
    account: Option<&str>,
) -> (Vec<usize>, Vec<task_match::Charged<'a>>) {
    let (mut numbers, mut requests) = (Vec::new(), Vec::new());
    for (index, entry) in all.iter().copied().enumerate() {
        let Some(row) = own.get(index).copied().flatten() else { continue };
        let of_group = groups.values().find(|(entries, _)| entries.contains(&index));
        let (charges, of_this_key) = if has_id(entry, row) {
            (vec![row], true)
        } else {
            let rows = of_group.map_or(&[][..], |(_, rows)| rows.as_slice());
            let rows = rows.iter().filter_map(|row| unexplained.get(*row).copied());
            (rows.filter(|row| fits(entry, row)).collect(), key_of(entry, account) == Key::This)
        };
        numbers.push(index);
        requests.push(task_match::Charged { entry, charges, of_this_key });
    }
    (numbers, requests)
}

/// The task of each, as the account's list tells; nothing where it was not asked for.
fn tasks_of<'a>(
    requests: &[task_match::Charged<'_>],
    explained: &[&UsageRow],
    tasks: AccountTasks<'a>,
) -> Vec<Found<'a>> {
    match tasks {
        AccountTasks::NotAsked => Vec::new(),
        AccountTasks::NotTold(reason) => requests.iter().map(|_| Err(reason)).collect(),
        AccountTasks::Listed { list, known } => {
            match_tasks(requests, explained, task_match::Known { list, tasks: known })
        }
    }
}

/// A charged request with its task, unless a refund names it already.
fn with_task(judged: Judged, found: Option<(&task_match::Charged<'_>, Option<&Found<'_>>)>) -> Judged {
    let judged = Judged { charged_between: found.map(|(request, _)| request.times()), ..judged };
    match found.and_then(|(_, found)| found).filter(|_| judged.task_id.is_none()) {
        None => judged,
        Some(Err(reason)) => Judged { reason, ..judged },
        Some(Ok(task)) => {
            let reason = match task.status {
                TaskStatus::Failed => "the log has its charge, and the account's list its task, which failed",
                _ => "the log has its charge, and the account's list its task",
            };
            // Of several requests that fit the same charges this row's may be another's.
            let charged_units = task.quota.filter(|quota| *quota > 0).or(judged.charged_units);
            Judged { reason, task_id: Some(task.task_id.clone()), charged_units, ..judged }
        }
    }
}

/// Whether a charge has the request's own id.
fn has_id(entry: &Entry, row: &UsageRow) -> bool {
    entry.request_id.is_some() && entry.request_id == row.request_id
}

fn charged(log: &UsageLog, row: &UsageRow, alone: bool) -> Judged {
    let same = |kind: RowKind| {
        let same = move |other: &&UsageRow| other.kind == kind && other.model == row.model && other.quota == row.quota;
        log.rows.iter().filter(same)
    };
    // A refund names no request. Of one charge and one refund, in a log without gaps, it is this one's.
    let whole = !log.is_full && log.unreadable == 0 && same(RowKind::Charge).count() == 1;
    let mut refunds = same(RowKind::Refund);
    let refund = refunds.next().filter(|refund| whole && alone && refund.created_at >= row.created_at);
    let refund = if refunds.next().is_none() { refund } else { None };
    let task_id = refund.and_then(|refund| refund.task_id.clone());
    let reason = match &task_id {
        Some(_) => "the log has its charge and the refund: the task failed",
        None => "the log has its charge: do not create it again",
    };
    let request_id = row.request_id.clone().filter(|_| alone);
    let charged_units = Some(row.quota);
    Judged { request_id, task_id, charged_units, ..Judged::without_charge(Verdict::Charged, reason) }
}

/// Requests and the unexplained rows that fit them, by their numbers: each group is what hangs together. A row that fits none is
/// a group of its own.
fn groups(
    all: &[&Entry],
    own: &[Option<&UsageRow>],
    rows: &[&UsageRow],
    fits: impl Fn(&Entry, &UsageRow) -> bool,
) -> BTreeMap<usize, (Vec<usize>, Vec<usize>)> {
    let count = all.len() + rows.len();
    let mut group: Vec<usize> = (0..count).collect();
    for (index, entry) in all.iter().enumerate().filter(|(index, _)| own.get(*index).copied().flatten().is_none()) {
        for (number, _) in rows.iter().enumerate().filter(|(_, row)| fits(entry, row)) {
            let (Some(one), Some(other)) = (group.get(index).copied(), group.get(all.len() + number).copied()) else {
                continue;
            };
            for name in group.iter_mut().filter(|name| **name == other) {
                *name = one;
            }
        }
    }
    let mut groups: BTreeMap<usize, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (index, name) in group.into_iter().enumerate() {
        let (entries, members) = groups.entry(name).or_default();
        match index.checked_sub(all.len()) {
            None if own.get(index).copied().flatten().is_none() => entries.push(index),
            None => {}
            Some(row) => members.push(row),
        }
    }
    groups
}

/// Whose log a request's charge is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    This,
    Other,
    Unknown,
}

fn key_of(entry: &Entry, account: Option<&str>) -> Key {
    match (entry.order.as_ref().and_then(|order| order.account.as_deref()), account) {
        (Some(sent), Some(asked)) if sent == asked => Key::This,
        (Some(_), Some(_)) => Key::Other,
        _ => Key::Unknown,
    }
}

/// When it was sent at the latest, in unix seconds.
pub fn last_sent(entry: &Entry) -> u64 {
    let until = entry.order.as_ref().and_then(|order| order.until);
    match entry.state {
        State::Sending => until.unwrap_or(entry.at).max(entry.at),
        _ => until.map_or(entry.changed_at, |until| until.min(entry.changed_at)).max(entry.at),
    }
}

/// Whether a charge may be that of a request: model, time, and the amount as far as it is known.
fn fits(entry: &Entry, row: &UsageRow) -> bool {
    has_time_and_model(entry, row) && costs(entry, row)
}

fn has_time_and_model(entry: &Entry, row: &UsageRow) -> bool {
    let in_time =
        row.created_at.saturating_add(SKEW) >= entry.at && row.created_at <= last_sent(entry).saturating_add(LATE);
    in_time && row.model.as_ref().is_none_or(|model| *model == entry.model)
}

/// The amount is the price of a second by the billed seconds, and for two sizes five thirds of it (observed). What is not a whole
/// number of seconds is billed in a way that is not known here.
fn costs(entry: &Entry, row: &UsageRow) -> bool {
    let Some(price) = row.model_price else { return true };
    let seconds = entry.order.as_ref().and_then(|order| order.seconds.as_deref());
    let Some(seconds) = seconds.map_or(Some(4), |text| text.parse::<u32>().ok()) else { return true };
    let second = (price * super::UNITS_PER_USD * row.group_ratio.unwrap_or(1.0) + 1e-6).floor();
    let plain = second * f64::from(seconds);
    let near = |units: f64| (row.quota as f64 - units).abs() <= f64::from(seconds) + 1.0;
    near(plain) || near(plain * 5.0 / 3.0)
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
