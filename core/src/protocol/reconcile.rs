//! What became of create requests whose answer was lost, as far as the key's usage and log prove it.
//!
//! A verdict of [`NotCharged`](Verdict::NotCharged) allows another paid request, so each line of it needs a proof. *Unexplained*
//! is a charge whose request id no answered create request of the journal had; the *sum* is that of all charges less all refunds.
//!
//! | the log shows | verdict |
//! |---|---|
//! | a charge with the request's own id | made and charged |
//! | as many fitting unexplained charges as requests that they fit, and no other unexplained charge | made and charged |
//! | the same, and its refund is the only one of that model and amount | made and charged, refunded, with the task's id |
//! | more or fewer of them than requests that they fit | cannot be known |
//! | unexplained charges that no request of the journal fits: other programs use the key | cannot be known |
//! | no fitting charge; the request was sent in the last 10 minutes | still under way |
//! | no fitting charge; usage above the sum; sent in the last 30 minutes | still under way |
//! | no fitting charge; usage above the sum; older | cannot be known: charged without a row |
//! | no fitting charge; usage below the sum, or a row of the last 10 minutes: the two answers are of different times | cannot be known |
//! | 1000 rows, or unreadable ones: the sum is not that of all | cannot be known |
//! | no fitting charge; not all requests of the journal were sent with this key | cannot be known |
//! | no fitting charge; no earlier charge is explained: the log may be off, its ids others, or the key a new one | cannot be known |
//! | no fitting charge; an answered request of the journal is not in the log: the journal is that of several keys | cannot be known |
//! | sent in the last hour and no explained charge is later: usage may be written in batches | still under way |
//! | older than the journal keeps the ids of answered requests | cannot be known |
//! | no fitting charge; usage is the sum; none of the above | **not charged** |
//!
//! The last line holds although no row is written before the upstream accepts: usage rises when a request arrives. When it is
//! the sum of the rows, every charge has a row. What it assumes: the gateway writes usage at least every 10 minutes (its default is
//! 5 seconds), and clocks differ by less than that.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::ledger::{ANSWERED_KEPT, Entry};
use super::usage_log::{RowKind, UsageLog, UsageRow};

/// A gateway may carry out a request for this long, in seconds.
const UNDER_WAY: u64 = 600;
/// A charge without a row may still be refunded or get its row for this long, in seconds.
const NO_ROW: u64 = 1800;
/// Without a later charge in the sum a request has to be this old, in seconds; and rows this much older may be its own.
const WRITTEN: u64 = 3600;
/// A row that is younger may be in one of the two answers only, or not in the usage yet, in seconds.
const QUIET: u64 = 600;
/// How far a row's time may be from that of the request that it fits, in seconds.
const TOLERANCE: u64 = 300;

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
    /// The task's id, where a refund names it: the task failed.
    pub task_id: Option<String>,
    /// Units charged (500000 = 1 USD).
    pub charged_units: Option<i64>,
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
    /// True only where every create request of the journal is known to have been sent with the key that the log is of: another
    /// key's request leaves no row here.
    pub one_key: bool,
}

/// Judges the create requests whose outcome is not known, in their order. `in_flight` are those that are being sent: they may
/// have made a row, too.
pub fn reconcile(unknown: &[Entry], in_flight: &[Entry], evidence: Evidence<'_>) -> Vec<Judged> {
    let Evidence { now, log, answered, .. } = evidence;
    let is_answered = |row: &UsageRow| row.request_id.as_ref().is_some_and(|id| answered.contains(id));
    let all: Vec<&Entry> = unknown.iter().chain(in_flight).collect();
    let named = |entry: &Entry, row: &UsageRow| entry.request_id.is_some() && entry.request_id == row.request_id;
    let charges: Vec<&UsageRow> = log.rows.iter().filter(|row| row.kind == RowKind::Charge).collect();
    let mut own: Vec<Option<&UsageRow>> =
        all.iter().map(|entry| charges.iter().find(|row| named(entry, row)).copied()).collect();
    // Older rows are those of requests whose ids are not kept any more.
    let kept_since = now.saturating_sub(ANSWERED_KEPT - WRITTEN);
    let unexplained: Vec<&UsageRow> = charges
        .iter()
        .filter(|row| row.created_at >= kept_since && !is_answered(row))
        .filter(|row| !all.iter().any(|entry| named(entry, row)))
        .copied()
        .collect();
    let explained = || charges.iter().filter(|row| is_answered(row));
    let has_ids = explained().next().is_some();
    let shown: HashSet<&str> = charges.iter().filter_map(|row| row.request_id.as_deref()).collect();
    let groups = groups(&all, &own, &unexplained);
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
    let judge = |(index, entry): (usize, &Entry)| {
        if let Some(row) = own.get(index).copied().flatten() {
            return charged(log, row, alone(index));
        }
        let sent = last_sent(entry);
        let age = now.saturating_sub(sent);
        let (verdict, reason) = if entry.at < kept_since {
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
        } else if !evidence.one_key {
            (
                Verdict::NotKnown,
                "the journal may hold create requests of other keys, which this key's log does not show",
            )
        } else if !explained().any(|row| row.created_at < entry.at) {
            (
                Verdict::NotKnown,
                "the log shows no earlier request of this journal: it may have been sent with another key",
            )
        } else if !answered.iter().all(|id| shown.contains(id.as_str())) {
            (Verdict::NotKnown, "the log lacks answered requests of this journal, which may be those of another key")
        } else if unexplained
            .iter()
            .any(|row| !taken.contains(&std::ptr::from_ref(*row)) && row.created_at.saturating_add(WRITTEN) >= entry.at)
        {
            (Verdict::NotKnown, "other programs use this key: a charge that nobody explains may be this one")
        } else if log.rows.iter().any(|row| row.created_at.saturating_add(QUIET) >= now) {
            (Verdict::NotKnown, "the key was used in the last 10 minutes: ask again when it was not")
        } else {
            let sum = log.rows.iter().fold(0_i64, |sum, row| match row.kind {
                RowKind::Charge => sum.saturating_add(row.quota),
                RowKind::Refund => sum.saturating_sub(row.quota),
                RowKind::Other(_) => sum,
            });
            let later = explained().any(|row| row.created_at > sent.saturating_add(TOLERANCE));
            if evidence.used_units > sum && age < NO_ROW {
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
        Judged { verdict, reason, request_id: None, task_id: None, charged_units: None }
    };
    unknown.iter().enumerate().map(judge).collect()
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
    Judged { verdict: Verdict::Charged, reason, request_id, task_id, charged_units: Some(row.quota) }
}

/// Requests and the unexplained rows that fit them, by their numbers: each group is what hangs together. A row that fits none is
/// a group of its own.
fn groups(all: &[&Entry], own: &[Option<&UsageRow>], rows: &[&UsageRow]) -> BTreeMap<usize, (Vec<usize>, Vec<usize>)> {
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

/// When it was sent at the latest.
fn last_sent(entry: &Entry) -> u64 {
    let until = entry.order.as_ref().and_then(|order| order.until);
    match entry.state {
        super::ledger::State::Sending => until.unwrap_or(entry.at).max(entry.at),
        _ => until.map_or(entry.changed_at, |until| until.min(entry.changed_at)).max(entry.at),
    }
}

/// Whether a charge may be that of a request: model, time, and the amount as far as it is known.
fn fits(entry: &Entry, row: &UsageRow) -> bool {
    let in_time = row.created_at.saturating_add(TOLERANCE) >= entry.at
        && row.created_at <= last_sent(entry).saturating_add(TOLERANCE);
    in_time && row.model.as_ref().is_none_or(|model| *model == entry.model) && costs(entry, row)
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::net::transport::Headers;
    use crate::protocol::ApiResponse;
    use crate::protocol::ledger::{Order, State};
    use crate::protocol::usage_log::parse_usage_log;

    const START: u64 = 1_750_000_000;

    fn lost(at: u64, seconds: u64) -> Entry {
        Entry {
            intent: at.to_string(),
            model: "m".into(),
            at,
            changed_at: at + 180,
            order: Some(Order {
                fingerprint: String::new(),
                model: "m".into(),
                seconds: Some(seconds.to_string()),
                prompt: None,
                until: Some(at + 360),
                process: None,
                key: None,
            }),
            state: State::Unknown { reason: "timeout".into() },
            request_id: None,
            saving: None,
        }
    }

    /// Time, server's type, request or task id, seconds at 100 units each.
    type Row = (u64, u64, String, u64);

    fn log(rows: &[Row]) -> UsageLog {
        let row = |(id, (at, kind, name, seconds)): (usize, &Row)| {
            let mut other = serde_json::json!({"model_price": 0.0002, "group_ratio": 1});
            if *kind == 6 {
                other["task_id"] = name.as_str().into();
            }
            serde_json::json!({"id": id + 1, "created_at": at, "type": kind, "model_name": "m", "quota": seconds * 100,
                "request_id": if *kind == 2 { name } else { "" }, "other": other.to_string()})
        };
        let rows: Vec<_> = rows.iter().enumerate().map(row).collect();
        let body = serde_json::json!({"data": rows, "success": true}).to_string();
        parse_usage_log(&ApiResponse::new(200, Headers::new(), body)).unwrap()
    }

    fn row(at: u64, kind: u64, name: &str, seconds: u64) -> Row {
        (START + at, kind, name.to_owned(), seconds)
    }

    fn judge(unknown: &[Entry], in_flight: &[Entry], now: u64, used: i64, log: &UsageLog) -> Vec<Judged> {
        let answered = ["a", "b"].map(str::to_owned).into();
        reconcile(
            unknown,
            in_flight,
            Evidence { now: START + now, used_units: used, log, answered: &answered, one_key: true },
        )
    }

    /// Every line of the table, with what is changed of a case that proves that nothing was charged.
    #[test]
    fn each_line_of_the_table() {
        use Verdict::{Charged, NotCharged, NotKnown, UnderWay};
        let own = || vec![row(0, 2, "a", 6), row(5000, 2, "b", 6)];
        let with = |more: Row| [own(), vec![more]].concat();
        let one = [lost(START + 1000, 6)];
        let cases: Vec<(&str, Vec<Row>, u64, i64, Verdict)> = vec![
            ("nothing", own(), 9000, 1200, NotCharged),
            ("its charge", with(row(1010, 2, "x", 6)), 9000, 1800, Charged),
            (
                "its charge, and that of others",
                [with(row(1010, 2, "x", 6)), vec![row(7000, 2, "y", 6)]].concat(),
                9000,
                2400,
                NotKnown,
            ),
            ("another length", with(row(1010, 2, "x", 8)), 9000, 2000, NotKnown),
            ("two charges", [with(row(1010, 2, "x", 6)), vec![row(1020, 2, "y", 6)]].concat(), 9000, 2400, NotKnown),
            ("a charge without a row", own(), 9000, 1800, NotKnown),
            ("usage behind", own(), 9000, 600, NotKnown),
            ("a row of this moment", own(), 5060, 1200, NotKnown),
            ("the log is empty", vec![], 9000, 0, NotKnown),
            ("no earlier one", vec![row(4000, 2, "a", 6), row(5000, 2, "b", 6)], 9000, 1200, NotKnown),
            ("another key", vec![row(0, 2, "a", 6)], 9000, 600, NotKnown),
        ];
        for (name, rows, now, used, verdict) in cases {
            let judged = judge(&one, &[], now, used, &log(&rows));
            assert_eq!(judged[0].verdict, verdict, "{name}: {}", judged[0].reason);
        }
        let early = [row(0, 2, "a", 6), row(10, 2, "b", 6)];
        for (now, used, verdict) in [
            (1100, 1200, UnderWay),
            (2000, 1800, UnderWay),
            (4000, 1800, NotKnown),
            (2000, 1200, UnderWay),
            (5000, 1200, NotCharged),
            (250_000, 1200, NotCharged),
            (257_000, 1200, NotKnown),
        ] {
            assert_eq!(judge(&one, &[], now, used, &log(&early))[0].verdict, verdict, "{now} {used}");
        }
        // Its own id tells, whatever others did; a full or unreadable log hides nothing that is there.
        let mut named = lost(START + 1000, 6);
        named.request_id = Some("x".into());
        let mut rows = log(&[with(row(1010, 2, "x", 6)), vec![row(7000, 2, "y", 6)]].concat());
        rows.is_full = true;
        assert_eq!(judge(&[named.clone()], &[], 9000, 0, &rows)[0].verdict, Charged);
        for change in [|log: &mut UsageLog| log.is_full = true, |log: &mut UsageLog| log.unreadable = 1] {
            let mut rows = log(&own());
            change(&mut rows);
            assert_eq!(judge(&one, &[], 9000, 1200, &rows)[0].verdict, NotKnown);
        }
        let answered = ["a", "b"].map(str::to_owned).into();
        let evidence =
            Evidence { now: START + 9000, used_units: 1200, log: &log(&own()), answered: &answered, one_key: false };
        assert_eq!(reconcile(&one, &[], evidence)[0].verdict, NotKnown);
        // Two requests: one row is either's, two rows are both's, and lengths tell them apart.
        let verdicts = |unknown: &[Entry], flying: &[Entry], rows: Vec<Row>, used| {
            judge(unknown, flying, 9000, used, &log(&rows)).iter().map(|judged| judged.verdict).collect::<Vec<_>>()
        };
        let two = [lost(START + 1000, 6), lost(START + 1001, 6)];
        assert_eq!(verdicts(&two, &[], with(row(1010, 2, "x", 6)), 1800), [NotKnown, NotKnown]);
        let both = [with(row(1010, 2, "x", 6)), vec![row(1011, 2, "y", 6)]].concat();
        assert_eq!(verdicts(&two, &[], both, 2400), [Charged, Charged]);
        let lengths = [lost(START + 1000, 6), lost(START + 1001, 8)];
        assert_eq!(verdicts(&lengths, &[], with(row(1010, 2, "x", 8)), 2000), [NotCharged, Charged]);
        assert_eq!(verdicts(&two[..1], &two[1..], with(row(1010, 2, "x", 6)), 1800), [NotKnown]);
        // A refund names the task.
        let refunded =
            [vec![row(0, 2, "a", 8), row(5000, 2, "b", 8)], vec![row(1010, 2, "x", 6), row(1400, 6, "task_x", 6)]]
                .concat();
        let judged = judge(&one, &[], 9000, 1600, &log(&refunded));
        assert_eq!((judged[0].verdict, judged[0].task_id.as_deref()), (Charged, Some("task_x")));
        let unsure = [own(), vec![row(1010, 2, "x", 6), row(1400, 6, "task_x", 6)]].concat();
        assert_eq!(judge(&one, &[], 9000, 1200, &log(&unsure))[0].task_id, None);
    }

    /// A gateway that charges, refunds, dies, writes late or not at all, and serves others: no verdict is wrong.
    #[test]
    fn a_thousand_gateways_and_no_wrong_verdict() {
        let mut seed = 7_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let (mut table, mut wrong): (BTreeMap<(&str, &str), u32>, u32) = (BTreeMap::new(), 0);
        for run in 0..1000 {
            let now = START + 8000 + next(20_000);
            let (log_off, foreign, other_key) = (next(10) == 0, next(5) == 0, next(10) == 0);
            let batch = [1, 5, 60, 600][next(4) as usize];
            let (mut rows, mut used): (Vec<Row>, Vec<(u64, i64)>) = (Vec::new(), Vec::new());
            let (mut answered, mut unknown, mut truth) = (HashSet::new(), Vec::new(), Vec::new());
            for number in 0..3 + next(8) {
                let (at, seconds) = (START + next(8000), [4, 6, 8, 10][next(4) as usize]);
                let (id, cost) = (format!("r{run}-{number}"), (seconds * 100) as i64);
                let elsewhere = other_key && next(3) == 0;
                let mut make = |row_at: Option<u64>, fails: bool| {
                    if elsewhere {
                        return;
                    }
                    used.push((at, cost));
                    if let Some(row_at) = row_at.filter(|row_at| *row_at <= now) {
                        rows.push((at, 2, id.clone(), seconds));
                        if fails && row_at + 400 <= now {
                            used.push((row_at + 400, -cost));
                            rows.push((row_at + 400, 6, format!("task_{id}"), seconds));
                        }
                    }
                };
                if next(2) == 0 {
                    make(Some(at + 10), next(4) == 0);
                    answered.insert(id);
                    continue;
                }
                let what = ["never arrived", "made", "refunded", "gateway died", "slow"][next(5) as usize];
                match what {
                    "made" => make(Some(at + next(200)), next(4) == 0),
                    "gateway died" => make(None, false),
                    "slow" => make(Some(at + 200 + next(400)), false),
                    _ => {}
                }
                unknown.push(lost(at, seconds));
                truth.push((what, matches!(what, "made" | "slow" | "gateway died")));
            }
            for number in 0..if foreign { 3 + next(5) } else { 0 } {
                let (at, seconds) = (START + next(8000), [4, 6, 8, 10][next(4) as usize]);
                used.push((at, (seconds * 100) as i64));
                rows.push((at, 2, format!("foreign{number}"), seconds));
            }
            if log_off {
                rows.clear();
            }
            let written = now / batch * batch;
            let used_units = used.iter().filter(|(at, _)| *at <= written).map(|(_, units)| units).sum();
            let log = log(&rows);
            let judged = reconcile(
                &unknown,
                &[],
                Evidence { now, used_units, log: &log, answered: &answered, one_key: !other_key },
            );
            for ((what, charged), judged) in truth.into_iter().zip(judged) {
                *table.entry((what, judged.verdict.name())).or_default() += 1;
                let is_wrong = match judged.verdict {
                    Verdict::Charged => !charged,
                    Verdict::NotCharged => charged,
                    Verdict::UnderWay | Verdict::NotKnown => false,
                };
                wrong += u32::from(is_wrong);
                if is_wrong {
                    println!("run {run}: {what}, foreign {foreign}, other key {other_key}, batch {batch}: {judged:?}");
                }
            }
        }
        for ((what, verdict), count) in &table {
            println!("{what:<14} {verdict:<12} {count:>5}");
        }
        let total: u32 = table.values().sum();
        println!("{total} lost create requests, {wrong} wrong verdicts");
        assert_eq!(wrong, 0);
        assert!(total >= 1000 && table.contains_key(&("never arrived", "not_charged")), "{table:?}");
        assert!(table.contains_key(&("made", "charged")) && !table.contains_key(&("gateway died", "not_charged")));
    }
}
