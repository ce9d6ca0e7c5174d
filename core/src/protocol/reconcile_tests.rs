//! Each line of the table, and a model of the gateway's billing.
//!
//! `JUNFEIAI_SEED` repeats a run of the model, `JUNFEIAI_CASES` makes it longer. A failure names its seed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::net::transport::Headers;
use crate::protocol::ApiResponse;
use crate::protocol::ledger::{Order, State};
use crate::protocol::usage_log::parse_usage_log;

const START: u64 = 1_750_000_000;
/// The key that the log is of.
const OURS: &str = "ours";

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
            account: Some(OURS.into()),
            estimate: None,
        }),
        state: State::Unknown { reason: "timeout".into() },
        charged: None,
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
        Evidence { now: START + now, used_units: used, log, answered: &answered, account: Some(OURS) },
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
        (1700, 1200, UnderWay),
        (2500, 1800, UnderWay),
        (6000, 1800, NotKnown),
        (2500, 1200, UnderWay),
        (5000, 1200, NotCharged),
        (250_000, 1200, NotCharged),
        (257_000, 1200, NotKnown),
    ] {
        assert_eq!(judge(&one, &[], now, used, &log(&early))[0].verdict, verdict, "{now} {used}");
    }
    // What the journal noted of an earlier look stays, whatever the log shows now.
    let noted = Entry { state: State::Unknown { reason: CHARGED.into() }, ..lost(START + 1000, 6) };
    assert_eq!(judge(&[noted], &[], 9000, 1200, &log(&own()))[0].verdict, Charged);
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
    // Of another key, or of nobody knows which.
    let sent_with = |account: Option<&str>| {
        let mut entry = lost(START + 1000, 6);
        entry.order.as_mut().unwrap().account = account.map(str::to_owned);
        entry
    };
    let charge = with(row(1010, 2, "x", 6));
    for (account, rows, used, verdict) in [
        (Some("other"), own(), 1200, NotKnown),
        (Some("other"), charge.clone(), 1800, NotKnown),
        (None, own(), 1200, NotKnown),
        (None, charge, 1800, Charged),
    ] {
        assert_eq!(
            judge(&[sent_with(account)], &[], 9000, used, &log(&rows))[0].verdict,
            verdict,
            "{account:?} {used}"
        );
    }
    // Two requests: one row is either's, two rows are both's, and lengths tell them apart.
    let verdicts = |unknown: &[Entry], flying: &[Entry], rows: Vec<Row>, used| {
        judge(unknown, flying, 9000, used, &log(&rows)).iter().map(|judged| judged.verdict).collect::<Vec<_>>()
    };
    let two = [lost(START + 1000, 6), lost(START + 1001, 6)];
    assert_eq!(verdicts(&two, &[], with(row(1010, 2, "x", 6)), 1800), [NotKnown, NotKnown]);
    let both = [with(row(1010, 2, "x", 6)), vec![row(1011, 2, "y", 6)]].concat();
    assert_eq!(verdicts(&two, &[], both, 2400), [Charged, Charged]);
    let lengths = [lost(START + 1000, 6), lost(START + 1001, 8)];
    // The first could have been billed as the second.
    assert_eq!(verdicts(&lengths, &[], with(row(1010, 2, "x", 8)), 2000), [NotKnown, Charged]);
    assert_eq!(verdicts(&two[..1], &two[1..], with(row(1010, 2, "x", 6)), 1800), [NotKnown]);
    // A refund names the task.
    let refunded =
        [vec![row(0, 2, "a", 8), row(5000, 2, "b", 8)], vec![row(1010, 2, "x", 6), row(1400, 6, "task_x", 6)]].concat();
    let judged = judge(&one, &[], 9000, 1600, &log(&refunded));
    assert_eq!((judged[0].verdict, judged[0].task_id.as_deref()), (Charged, Some("task_x")));
    let unsure = [own(), vec![row(1010, 2, "x", 6), row(1400, 6, "task_x", 6)]].concat();
    assert_eq!(judge(&one, &[], 9000, 1200, &log(&unsure))[0].task_id, None);
}

/// What became of a lost create request in the model, as it can come about without anybody's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    NeverArrived,
    /// The upstream refused: taken and given back, without a row.
    Refused,
    Made,
    /// Made, and billed for more seconds than were asked for.
    BilledOtherwise,
    /// The answer of the upstream takes longer than 10 minutes.
    Slow,
    /// Charged for good, without a row.
    GatewayDied,
}

/// A gateway that charges, refunds, dies, writes late or not at all, and serves others and other keys; clocks that differ. No
/// verdict lets anything be paid twice, and a charge is wrongly seen only where an assumption does not hold.
#[test]
fn a_thousand_gateways_and_no_wrong_verdict() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("JUNFEIAI_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 1_000_003);
    let cases = number("JUNFEIAI_CASES").unwrap_or(1000);
    let (mut table, mut wrong): (BTreeMap<(Truth, &str), u32>, u32) = (BTreeMap::new(), 0);
    let mut mistaken = 0;
    for seed in first..first.saturating_add(cases) {
        let case = Gateway::new(seed).run();
        for (truth, judged) in case.judged {
            *table.entry((truth, judged.verdict.name())).or_default() += 1;
            let charged = !matches!(truth, Truth::NeverArrived | Truth::Refused);
            let paid_twice = judged.verdict == Verdict::NotCharged && charged;
            let never_again = judged.verdict == Verdict::Charged && !charged;
            if paid_twice || (never_again && case.as_assumed) {
                wrong += 1;
                println!("repeat with JUNFEIAI_SEED={seed} JUNFEIAI_CASES=1: {truth:?} {judged:?}");
            }
            mistaken += u32::from(never_again && !case.as_assumed);
        }
    }
    for ((truth, verdict), count) in &table {
        println!("{:<16} {verdict:<12} {count:>5}", format!("{truth:?}"));
    }
    let total: u32 = table.values().sum();
    println!("{total} lost create requests, {wrong} wrong verdicts; {mistaken} charges of others taken for their own");
    assert_eq!(wrong, 0);
    if cases >= 1000 {
        let count = |truth, verdict| table.get(&(truth, verdict)).copied().unwrap_or_default();
        let free = count(Truth::NeverArrived, "not_charged") + count(Truth::Refused, "not_charged");
        assert!(free >= 20 && count(Truth::Made, "charged") >= 20, "nothing is settled: {table:?}");
        assert!(total >= 1000 && mistaken * 20 < total, "{mistaken} of {total}");
    }
}

struct Gateway {
    random: fastrand::Rng,
    seed: u64,
    rows: Vec<Row>,
    /// Time and units.
    used: Vec<(u64, i64)>,
}

struct Case {
    judged: Vec<(Truth, Judged)>,
    /// No other program used the key, and all were billed as they were asked for.
    as_assumed: bool,
}

impl Gateway {
    fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), seed, rows: Vec::new(), used: Vec::new() }
    }

    /// One more of this many comes true.
    fn one_of(&mut self, count: u32) -> bool {
        self.random.u32(..count) == 0
    }

    /// A task that was accepted at this time, of a request that arrived before.
    fn accepted(&mut self, arrived: u64, accepted: u64, name: &str, seconds: u64) {
        self.used.push((arrived, cost(seconds)));
        let row_at = if self.one_of(2) { arrived } else { accepted };
        self.rows.push((row_at, 2, name.to_owned(), seconds));
        // Rows that are not there yet are left out in the end.
        self.rows.last_mut().unwrap().0 = row_at;
        if self.one_of(4) {
            let ended = accepted + self.random.u64(60..2000);
            self.used.push((ended, -cost(seconds)));
            self.rows.push((ended, 6, format!("task_{name}"), seconds));
        }
    }

    fn run(mut self) -> Case {
        // A busy hour or two, and a look at it soon or much later.
        let busy = self.random.u64(600..8000);
        let now = START + busy + if self.one_of(2) { self.random.u64(..3000) } else { self.random.u64(3000..30_000) };
        let skew = self.random.i64(-590..=590);
        let batch = [1, 5, 60, 600][self.random.usize(..4)];
        let (log_off, other_key) = (self.one_of(12), self.one_of(8));
        let losses = [2, 4, 20][self.random.usize(..3)];
        let (mut answered, mut unknown, mut truths) = (HashSet::new(), Vec::new(), Vec::new());
        // The journal was used with this key before.
        let earlier = if self.one_of(10) { Vec::new() } else { vec![(START - 1000, false)] };
        let creates: Vec<(u64, bool)> =
            (0..self.random.u64(1..10)).map(|_| (START + self.random.u64(..busy), self.one_of(losses))).collect();
        let (mut shown, mut billed_otherwise) = (Vec::new(), false);
        for (number, (at, lost_one)) in earlier.into_iter().chain(creates).enumerate() {
            let (name, seconds) = (format!("r{}-{number}", self.seed), [4, 6, 8, 10][self.random.usize(..4)]);
            let elsewhere = other_key && self.one_of(3);
            let before = (self.rows.len(), self.used.len());
            let arrived = at + self.random.u64(1..=if lost_one { 480 } else { 5 });
            let mut shown_at = 0;
            if lost_one {
                let all = [
                    Truth::NeverArrived,
                    Truth::NeverArrived,
                    Truth::Refused,
                    Truth::Made,
                    Truth::BilledOtherwise,
                    Truth::Slow,
                    Truth::GatewayDied,
                ];
                let truth = all[self.random.usize(..all.len())];
                match truth {
                    Truth::NeverArrived => {}
                    Truth::Refused => {
                        self.used.push((arrived, cost(seconds)));
                        self.used.push((arrived + self.random.u64(1..300), -cost(seconds)));
                    }
                    Truth::GatewayDied => self.used.push((arrived, cost(seconds))),
                    Truth::Made | Truth::BilledOtherwise | Truth::Slow => {
                        let took = if truth == Truth::Slow { 600..3600 } else { 1..300 };
                        shown_at = arrived + self.random.u64(took);
                        let more = if truth == Truth::BilledOtherwise { 2 } else { 0 };
                        self.accepted(arrived, shown_at, &name, seconds + more);
                    }
                }
                billed_otherwise |= truth == Truth::BilledOtherwise;
                let mut entry = lost(at, seconds);
                entry.order.as_mut().unwrap().account = match (elsewhere, self.one_of(2)) {
                    (true, true) => Some("another".into()),
                    (true, false) => None,
                    (false, _) => Some(OURS.into()),
                };
                unknown.push(entry);
                truths.push(truth);
            } else {
                shown_at = arrived + self.random.u64(1..100);
                self.accepted(arrived, shown_at, &name, seconds);
                answered.insert(name);
            }
            if elsewhere {
                self.rows.truncate(before.0);
                self.used.truncate(before.1);
            }
            shown.resize(self.rows.len(), shown_at);
        }
        let foreign = if self.one_of(5) { self.random.u64(1..8) } else { 0 };
        for number in 0..foreign {
            let at = START + self.random.u64(..busy);
            let seconds = [4, 6, 8, 10][self.random.usize(..4)];
            self.accepted(at, at + 20, &format!("foreign{number}"), seconds);
            shown.resize(self.rows.len(), at + 20);
        }
        // A refund's row is there when its time has come, that of a charge when the upstream has accepted.
        let mut rows: Vec<Row> = Vec::new();
        for ((at, kind, name, seconds), shown_at) in self.rows.iter().zip(&shown) {
            if (*at).max(*shown_at) <= now && !log_off {
                rows.push((at.checked_add_signed(skew).unwrap(), *kind, name.clone(), *seconds));
            }
        }
        let written = now / batch * batch;
        let used_units = self.used.iter().filter(|(at, _)| *at <= written).map(|(_, units)| units).sum();
        let log = log(&rows);
        let evidence = Evidence { now, used_units, log: &log, answered: &answered, account: Some(OURS) };
        let judged = reconcile(&unknown, &[], evidence);
        Case { judged: truths.into_iter().zip(judged).collect(), as_assumed: foreign == 0 && !billed_otherwise }
    }
}

fn cost(seconds: u64) -> i64 {
    i64::try_from(seconds * 100).unwrap()
}
