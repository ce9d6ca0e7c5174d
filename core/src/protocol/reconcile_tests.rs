//! Each line of the table, and a model of the gateway's billing.
//!
//! `JUNFEIAI_SEED` repeats a run of the model, `JUNFEIAI_CASES` makes it longer. A failure names its seed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::net::transport::Headers;
use crate::protocol::ApiResponse;
use crate::protocol::account_tasks::{TaskPages, parse_account_tasks};
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
        Evidence {
            now: START + now,
            used_units: used,
            log,
            answered: &answered,
            account: Some(OURS),
            tasks: AccountTasks::NotAsked,
        },
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
        ("its charge, by a clock that was 15 minutes ahead", with(row(100, 2, "x", 6)), 9000, 1800, NotKnown),
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
        (160_000, 1200, NotCharged),
        (165_000, 1200, NotKnown),
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
    let mut ids: BTreeMap<&str, u32> = BTreeMap::new();
    let mut nameless: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in first..first.saturating_add(cases) {
        let case = Gateway::new(seed).run();
        for reason in case.reasons {
            *nameless.entry(reason).or_default() += 1;
        }
        for (what, count) in case.ids {
            *ids.entry(what).or_default() += count;
            if what == WRONG_ID {
                wrong += count;
                println!("repeat with JUNFEIAI_SEED={seed} JUNFEIAI_CASES=1: a wrong id");
            }
        }
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
    println!("with the account's list: {ids:?}; not named: {nameless:#?}");
    assert_eq!(wrong, 0);
    if cases >= 1000 {
        let of_lists = |what| ids.get(what).copied().unwrap_or_default();
        assert!(of_lists(NAMED) * 5 > of_lists(NAMELESS), "few lost tasks are found: {ids:?}");
        // As many as the lengths of a few videos are the same by chance.
        assert!(of_lists(STRANGERS_ID) * 100 < total && of_lists(OTHERWISE_ID) * 30 < total, "{ids:?}");
        assert!(of_lists(MOMENTS_ID) * 200 < total, "{ids:?}");
        let count = |truth, verdict| table.get(&(truth, verdict)).copied().unwrap_or_default();
        let free = count(Truth::NeverArrived, "not_charged") + count(Truth::Refused, "not_charged");
        assert!(free >= 20 && count(Truth::Made, "charged") >= 20, "nothing is settled: {table:?}");
        assert!(total >= 1000 && mistaken * 20 < total, "{mistaken} of {total}");
    }
}

/// What the list of an account did for create requests that were charged.
const NAMED: &str = "named";
const NAMELESS: &str = "not named";
/// By a refund, without the list.
const REFUNDED: &str = "named by a refund";
const WRONG_ID: &str = "wrong";
/// Wrong, where another program used the same key and its charge was taken for the lost one's.
const STRANGERS_ID: &str = "wrong: another program has the same key";
/// Wrong, where another was billed for more seconds than it was asked for, as this one would have been.
const OTHERWISE_ID: &str = "wrong: billed otherwise than asked";
/// Wrong, where a task and its charge were written at two moments.
const MOMENTS_ID: &str = "wrong: not written at one moment";

struct Gateway {
    random: fastrand::Rng,
    seed: u64,
    rows: Vec<Row>,
    /// Time and units.
    used: Vec<(u64, i64)>,
    /// The tasks of the account.
    tasks: Vec<Made>,
    /// Tasks have the other one of the times of arrival and acceptance than their charges.
    other_times: bool,
}

/// A task: all that its row in the list is made of.
struct Made {
    id: String,
    submitted: u64,
    accepted: u64,
    seconds: u64,
    prompt: String,
    failed_at: Option<u64>,
}

struct Case {
    judged: Vec<(Truth, Judged)>,
    ids: Vec<(&'static str, u32)>,
    /// Why a task was not named.
    reasons: Vec<&'static str>,
    /// No other program used the key, and all were billed as they were asked for.
    as_assumed: bool,
}

impl Gateway {
    fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { random, seed, rows: Vec::new(), used: Vec::new(), tasks: Vec::new(), other_times: false }
    }

    /// One more of this many comes true.
    fn one_of(&mut self, count: u32) -> bool {
        self.random.u32(..count) == 0
    }

    /// A task that was accepted at this time, of a request that arrived before.
    fn accepted(&mut self, arrived: u64, accepted: u64, name: &str, seconds: u64, prompt: &str) {
        self.used.push((arrived, cost(seconds)));
        let row_at = if self.one_of(2) { arrived } else { accepted };
        self.rows.push((row_at, 2, name.to_owned(), seconds));
        // Rows that are not there yet are left out in the end.
        self.rows.last_mut().unwrap().0 = row_at;
        let mut failed_at = None;
        if self.one_of(4) {
            let ended = accepted + self.random.u64(60..2000);
            self.used.push((ended, -cost(seconds)));
            self.rows.push((ended, 6, format!("task_{name}"), seconds));
            failed_at = Some(ended);
        }
        let one_moment = row_at + self.random.u64(..5);
        let submitted = if self.other_times { arrived + accepted - row_at } else { one_moment };
        let (id, prompt) = (format!("task_{name}"), prompt.to_owned());
        self.tasks.push(Made { id, submitted, accepted, seconds, prompt, failed_at });
    }

    /// What becomes of a create request whose answer is lost, and when its task was accepted.
    fn lose(&mut self, arrived: u64, name: &str, seconds: u64, prompt: &str) -> (Truth, Option<u64>) {
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
                let accepted = arrived + self.random.u64(took);
                let more = if truth == Truth::BilledOtherwise { 2 } else { 0 };
                self.accepted(arrived, accepted, name, seconds + more, prompt);
                return (truth, Some(accepted));
            }
        }
        (truth, None)
    }

    /// Tasks of other keys of the account, which this key's log does not show.
    fn neighbours(&mut self, busy: u64) {
        for number in 0..self.random.u64(1..80) {
            let submitted = START + self.random.u64(..busy + 1000);
            let (seconds, prompt) = ([4, 6, 8, 10][self.random.usize(..4)], self.prompt());
            let (id, failed_at) = (format!("task_neighbour{number}"), None);
            self.tasks.push(Made { id, submitted, accepted: submitted, seconds, prompt, failed_at });
        }
    }

    fn prompt(&mut self) -> String {
        format!("prompt {}", self.random.u32(..4))
    }

    /// The list as the server shows it at this time, without what is outside of the window.
    fn list(&mut self, (from, to): (u64, u64), now: u64, skew: i64) -> TaskList {
        let (newer, shows_prompts) = (self.one_of(2), self.one_of(3));
        let of_another_account = self.one_of(12);
        let mut rows = Vec::new();
        for task in self.tasks.iter().filter(|task| task.submitted.max(task.accepted) <= now) {
            let submitted = task.submitted.checked_add_signed(skew).unwrap();
            let failed = task.failed_at.is_some_and(|at| at <= now);
            let quota = if failed && newer { 0 } else { cost(task.seconds) };
            if of_another_account && !task.id.contains("neighbour") {
                continue;
            }
            rows.push(serde_json::json!({
                "task_id": task.id, "submit_time": submitted, "quota": quota, "status": if failed { "FAILURE" } else { "SUCCESS" },
                "properties": {"origin_model_name": "m", "input": if shows_prompts { task.prompt.as_str() } else { "" }},
            }));
        }
        let body = serde_json::json!({"success": true, "data": {"items": rows, "total": rows.len()}}).to_string();
        let mut pages = TaskPages::new(from, to);
        pages.input(parse_account_tasks(&ApiResponse::new(200, Headers::new(), body)).unwrap());
        let mut list = pages.list();
        list.is_whole &= !self.one_of(20);
        list.unreadable += usize::from(self.one_of(30));
        list
    }

    fn run(mut self) -> Case {
        // A busy hour or two, and a look at it soon or much later.
        let busy = self.random.u64(600..8000);
        let now = START + busy + if self.one_of(2) { self.random.u64(..3000) } else { self.random.u64(3000..30_000) };
        let skew = self.random.i64(-590..=590);
        let batch = [1, 5, 60, 600][self.random.usize(..4)];
        let (log_off, other_key) = (self.one_of(12), self.one_of(8));
        let losses = [2, 4, 20][self.random.usize(..3)];
        self.other_times = self.one_of(10);
        let keeps_prompts = self.one_of(2);
        let burst = if self.one_of(4) { busy.min(60) } else { busy };
        let (mut answered, mut unknown, mut truths) = (HashSet::new(), Vec::new(), Vec::new());
        // Tasks that the journal names, and the lost ones with what was asked for.
        let (mut named, mut lost_tasks) = (HashSet::new(), BTreeMap::new());
        // The journal was used with this key before.
        let earlier = if self.one_of(10) { Vec::new() } else { vec![(START - 1000, false)] };
        let creates: Vec<(u64, bool)> =
            (0..self.random.u64(1..10)).map(|_| (START + self.random.u64(..burst), self.one_of(losses))).collect();
        let (mut shown, mut billed_otherwise) = (Vec::new(), false);
        for (number, (at, lost_one)) in earlier.into_iter().chain(creates).enumerate() {
            let (name, seconds) = (format!("r{}-{number}", self.seed), [4, 6, 8, 10][self.random.usize(..4)]);
            let prompt = self.prompt();
            let fingerprint = format!("{seconds} {prompt}");
            let elsewhere = other_key && self.one_of(3);
            let before = (self.rows.len(), self.used.len());
            let arrived = at + self.random.u64(1..=if lost_one { 480 } else { 5 });
            let mut shown_at = 0;
            if lost_one {
                let (truth, accepted) = self.lose(arrived, &name, seconds, &prompt);
                if let Some(accepted) = accepted {
                    shown_at = accepted;
                    lost_tasks.insert(format!("task_{name}"), fingerprint.clone());
                }
                billed_otherwise |= truth == Truth::BilledOtherwise;
                let mut entry = lost(at, seconds);
                let order = entry.order.as_mut().unwrap();
                order.fingerprint = fingerprint;
                order.prompt = keeps_prompts.then_some(prompt);
                order.account = match (elsewhere, self.one_of(2)) {
                    (true, true) => Some("another".into()),
                    (true, false) => None,
                    (false, _) => Some(OURS.into()),
                };
                unknown.push(entry);
                truths.push(truth);
            } else {
                shown_at = arrived + self.random.u64(1..100);
                self.accepted(arrived, shown_at, &name, seconds, &prompt);
                // Those of a version before are not known by their ids.
                if !self.one_of(6) {
                    named.insert(format!("task_{name}"));
                }
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
            let prompt = self.prompt();
            self.accepted(at, at + 20, &format!("foreign{number}"), seconds, &prompt);
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
        let evidence = Evidence {
            now,
            used_units,
            log: &log,
            answered: &answered,
            account: Some(OURS),
            tasks: AccountTasks::NotAsked,
        };
        let judged = reconcile(&unknown, &[], evidence);
        if self.one_of(2) {
            self.neighbours(busy);
        }
        let blame = [(foreign > 0, STRANGERS_ID), (billed_otherwise, OTHERWISE_ID), (self.other_times, MOMENTS_ID)];
        let blame = blame.into_iter().find(|(is_so, _)| *is_so).map_or(WRONG_ID, |(_, blame)| blame);
        let mut lost = Lost { unknown, tasks: lost_tasks, named, blame };
        let (judged, ids, reasons) = self.ask_for_the_list(evidence, judged, &mut lost, skew);
        let judged = truths.into_iter().zip(judged).collect();
        Case { judged, ids, reasons, as_assumed: foreign == 0 && !billed_otherwise }
    }

    /// The verdicts with the account's list, how many tasks it named, and why not the others.
    fn ask_for_the_list(&mut self, evidence: Evidence<'_>, judged: Vec<Judged>, lost: &mut Lost, skew: i64) -> Named {
        let (mut ids, mut reasons) = (Vec::new(), Vec::new());
        let Some(window) = task_window(&judged, evidence) else { return (judged, ids, reasons) };
        // It is asked for after the log: what is charged there has its task by then.
        let list = self.list(window, evidence.now + 5, skew);
        let before = judged;
        let tasks = AccountTasks::Listed { list: &list, known: &lost.named };
        let judged = reconcile(&lost.unknown, &[], Evidence { tasks, ..evidence });
        // The list names tasks, and changes no verdict.
        let verdicts = |judged: &[Judged]| judged.iter().map(|judged| judged.verdict).collect::<Vec<_>>();
        assert_eq!(verdicts(&before), verdicts(&judged), "seed {}", self.seed);
        for ((before, judged), entry) in before.iter().zip(&judged).zip(&lost.unknown) {
            let charged = judged.verdict == Verdict::Charged;
            let right = judged.task_id.as_ref().map(|id| {
                // Of requests that are the same it does not matter which is whose; no task is two requests'.
                lost.tasks.remove(id) == entry.order.as_ref().map(|order| order.fingerprint.clone())
            });
            reasons.extend(right.is_none().then_some(judged.reason).filter(|_| charged));
            ids.push(match right {
                _ if !charged => continue,
                None => (NAMELESS, 1),
                Some(_) if before.task_id.is_some() => (REFUNDED, 1),
                Some(true) => (NAMED, 1),
                Some(false) => {
                    if lost.blame == WRONG_ID {
                        println!("{judged:?}\n{entry:?}\n{list:?}\n{:?}", evidence.log.rows);
                    }
                    (lost.blame, 1)
                }
            });
        }
        (judged, ids, reasons)
    }
}

/// The lost create requests of a gateway.
struct Lost {
    unknown: Vec<Entry>,
    /// Their tasks, with what was asked for.
    tasks: BTreeMap<String, String>,
    /// The tasks that the journal names.
    named: HashSet<String>,
    /// What a wrong id comes from.
    blame: &'static str,
}

/// Verdicts, what the list did, and why it named no task.
type Named = (Vec<Judged>, Vec<(&'static str, u32)>, Vec<&'static str>);

fn cost(seconds: u64) -> i64 {
    i64::try_from(seconds * 100).unwrap()
}

fn task(id: &str, at: u64, seconds: u64, status: &str, prompt: &str) -> serde_json::Value {
    let quota = if status == "FAILURE" { 0 } else { cost(seconds) };
    serde_json::json!({"task_id": id, "submit_time": START + at, "quota": quota, "status": status,
        "properties": {"origin_model_name": "m", "input": prompt}})
}

fn running(id: &str, at: u64, seconds: u64) -> serde_json::Value {
    task(id, at, seconds, "IN_PROGRESS", "")
}

/// The verdicts by these rows of the log and these tasks of the account, of which the journal names `task_a` and `task_b`.
fn judge_all(
    unknown: &[Entry],
    flying: &[Entry],
    rows: &[Row],
    tasks: &[serde_json::Value],
    change: fn(&mut TaskList),
) -> Vec<Judged> {
    let (log, answered) = (log(rows), ["a", "b"].map(str::to_owned).into());
    let used_units = rows.iter().map(|row| cost(row.3)).sum();
    let (now, account, not_asked) = (START + 9000, Some(OURS), AccountTasks::NotAsked);
    let evidence = Evidence { now, used_units, log: &log, answered: &answered, account, tasks: not_asked };
    let window = task_window(&reconcile(unknown, flying, evidence), evidence).unwrap();
    let mut pages = TaskPages::new(window.0, window.1);
    let body = serde_json::json!({"success": true, "data": {"items": tasks, "total": tasks.len()}}).to_string();
    pages.input(parse_account_tasks(&ApiResponse::new(200, Headers::new(), body)).unwrap());
    let mut list = pages.list();
    change(&mut list);
    let known = ["task_a", "task_b"].map(str::to_owned).into();
    reconcile(unknown, flying, Evidence { tasks: AccountTasks::Listed { list: &list, known: &known }, ..evidence })
}

/// A name, the account's tasks, a change of the list, and the task or the reason.
type ListCase =
    (&'static str, Vec<serde_json::Value>, fn(&mut TaskList), std::result::Result<&'static str, &'static str>);

/// Each reason why a task is named or not, by the key's log and the account's list.
#[test]
fn each_case_of_a_list() {
    use Verdict::Charged;
    let rows = [row(0, 2, "a", 6), row(5000, 2, "b", 6), row(1010, 2, "x", 6)];
    let [of_a, of_b, of_x] = [running("task_a", 0, 6), running("task_b", 5001, 6), running("task_x", 1012, 6)];
    let own = [of_a.clone(), of_b.clone(), of_x.clone()];
    let with = |more: serde_json::Value| [own.as_slice(), &[more]].concat();
    let nothing: fn(&mut TaskList) = |_| {};
    let one = [lost(START + 1000, 6)];
    let cases: [ListCase; 13] = [
        ("its task", own.to_vec(), nothing, Ok("task_x")),
        ("half a minute away", vec![of_a.clone(), of_b.clone(), running("task_x", 1040, 6)], nothing, Ok("task_x")),
        ("more than that", vec![of_a.clone(), of_b.clone(), running("task_x", 1041, 6)], nothing, Err("no such task")),
        ("two that fit", with(running("task_y", 1020, 6)), nothing, Err("more than one task")),
        ("another length beside it", with(running("task_y", 1020, 8)), nothing, Ok("task_x")),
        (
            "a refunded one beside it, of any length",
            with(task("task_y", 1020, 8, "FAILURE", "")),
            nothing,
            Err("more than one"),
        ),
        ("it failed", vec![of_a.clone(), of_b.clone(), task("task_x", 1012, 6, "FAILURE", "")], nothing, Ok("task_x")),
        ("of another model", vec![of_a.clone(), of_b.clone()], nothing, Err("no such task")),
        ("the list of another account", vec![of_x.clone()], nothing, Err("lacks tasks of this key")),
        (
            "that of another account, which is as busy",
            vec![running("task_p", 0, 6), running("task_q", 5001, 6), running("task_r", 1012, 6)],
            nothing,
            Err("lacks tasks of this key"),
        ),
        ("no list", vec![], nothing, Err("lacks tasks of this key")),
        ("not whole", own.to_vec(), |list| list.is_whole = false, Err("more tasks of that time")),
        ("unreadable", own.to_vec(), |list| list.unreadable = 1, Err("cannot be read")),
    ];
    for (name, tasks, change, expected) in cases {
        let judged = &judge_all(&one, &[], &rows, &tasks, change)[0];
        assert_eq!((judged.verdict, judged.task_id.as_deref()), (Charged, expected.ok()), "{name}: {}", judged.reason);
        assert!(judged.reason.contains(expected.err().unwrap_or("its task")), "{name}: {}", judged.reason);
        assert_eq!(judged.reason.contains("failed"), name == "it failed", "{name}: {}", judged.reason);
    }
    // Two requests, two charges, two tasks: by length, by time, by prompt, or because they are the same.
    let asks = |at: u64, seconds: u64, fingerprint: &str, prompt: Option<&str>| {
        let mut entry = lost(START + at, seconds);
        let order = entry.order.as_mut().unwrap();
        (order.fingerprint, order.prompt) = (fingerprint.to_owned(), prompt.map(str::to_owned));
        entry
    };
    let ids = |unknown: &[Entry], flying: &[Entry], seconds: u64, later: u64, prompts: [&str; 2]| {
        let rows = [rows.as_slice(), &[row(1015 + later, 2, "y", seconds)]].concat();
        let tasks = [
            of_a.clone(),
            of_b.clone(),
            task("task_x", 1012, 6, "SUCCESS", prompts[0]),
            task("task_y", 1016 + later, seconds, "SUCCESS", prompts[1]),
        ];
        let judged = judge_all(unknown, flying, &rows, &tasks, nothing);
        assert!(judged.iter().all(|judged| judged.verdict == Charged), "{judged:?}");
        judged.into_iter().map(|judged| judged.task_id.unwrap_or_default()).collect::<Vec<_>>()
    };
    let different = [asks(1000, 6, "f", None), asks(1001, 6, "g", None)];
    assert_eq!(ids(&different, &[], 6, 0, ["", ""]), ["", ""]);
    assert_eq!(ids(&[asks(1000, 6, "f", None), asks(1001, 8, "g", None)], &[], 8, 0, ["", ""]), ["task_x", "task_y"]);
    // The second was not sent yet when the first was charged.
    assert_eq!(ids(&[asks(1000, 6, "f", None), asks(1700, 6, "g", None)], &[], 6, 800, ["", ""]), ["task_x", "task_y"]);
    let mut same = ids(&[asks(1000, 6, "f", None), asks(1001, 6, "f", None)], &[], 6, 0, ["", ""]);
    same.sort();
    assert_eq!(same, ["task_x", "task_y"]);
    let kept = [asks(1000, 6, "f", Some("red")), asks(1001, 6, "g", Some("blue"))];
    assert_eq!(ids(&kept, &[], 6, 0, ["blue", "red"]), ["task_y", "task_x"]);
    // One that is being sent may have made either.
    assert_eq!(ids(&different[..1], &different[1..], 6, 0, ["", ""]), [""]);
    // The hash of a prompt is enough.
    let mut keyed = asks(1000, 6, "f", None);
    let fields = super::super::claim::kept_fields(br#"{"prompt":"red"}"#);
    let key = super::super::ledger::OrderKey { name: "film/1".into(), attempt: 1, fields };
    keyed.order.as_mut().unwrap().key = Some(key);
    assert_eq!(ids(&[keyed, different[1].clone()], &[], 6, 0, ["blue", "red"]), ["task_y", "task_x"]);
    // Another length is another charge; one of nobody knows which key is left alone.
    let judged = &judge_all(&[one[0].clone(), lost(START + 1001, 8)], &[], &rows, &own, nothing);
    assert_eq!((judged[0].task_id.as_deref(), judged[1].task_id.as_deref()), (Some("task_x"), None));
    let mut keyless = lost(START + 1000, 6);
    keyless.order.as_mut().unwrap().account = None;
    let judged = &judge_all(&[keyless], &[], &rows, &own, nothing)[0];
    assert!(judged.task_id.is_none() && judged.reason.contains("with which API key"), "{}", judged.reason);
    // Its own id is proof even so, and with another program on the key.
    let mut named = lost(START + 1000, 6);
    named.request_id = Some("x".into());
    let more = [rows.as_slice(), &[row(1300, 2, "foreign", 6)]].concat();
    let tasks = with(running("task_foreign", 1301, 6));
    let judged = &judge_all(&[named, lost(START + 1001, 8)], &[], &more, &tasks, nothing)[0];
    assert_eq!(judged.task_id.as_deref(), Some("task_x"));
}
