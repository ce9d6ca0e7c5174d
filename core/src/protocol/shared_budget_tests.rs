//! Many processes in virtual time, each with a clock of its own, and a store that answers late.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Wake,
    /// The store carries it out.
    Load,
    Swap(Option<u64>, String),
    /// Its answer arrives.
    Loaded(Option<(String, u64)>),
    Swapped(Option<u64>),
    /// It cannot be reached.
    Failed,
    /// A 429 to a request that was sent at this time of the own clock.
    Limited(Time),
}

struct Process {
    budget: SharedBudget,
    /// How far its clock is ahead, in microseconds.
    skew: u64,
    waiting: usize,
    wake: u64,
    sent: Vec<u64>,
    warnings: u32,
}

struct World {
    now: u64,
    events: BinaryHeap<Reverse<(u64, u64, usize, Event)>>,
    number: u64,
    processes: Vec<Process>,
    row: Option<(String, u64)>,
    random: fastrand::Rng,
    rounds: u64,
    operations: u64,
    /// The store answers nobody within these times.
    outage: std::ops::Range<u64>,
    /// Requests in this time are answered by 429.
    strict: std::ops::Range<u64>,
}

const SECOND: u64 = 1_000_000;

impl World {
    fn new(processes: usize, tasks: usize, rate: f64) -> Self {
        let mut random = fastrand::Rng::with_seed(7);
        let processes = (0..processes)
            .map(|number| Process {
                budget: SharedBudget::new(&format!("p{number}"), rate),
                skew: random.u64(..600) * SECOND,
                waiting: tasks / processes,
                wake: 0,
                sent: Vec::new(),
                warnings: 0,
            })
            .collect();
        let (outage, strict) = (0..0, 0..0);
        Self {
            now: 0,
            events: BinaryHeap::new(),
            number: 0,
            processes,
            row: None,
            random,
            rounds: 0,
            operations: 0,
            outage,
            strict,
        }
    }

    fn push(&mut self, delay: u64, process: usize, event: Event) {
        self.number += 1;
        self.events.push(Reverse((self.now + delay, self.number, process, event)));
    }

    fn run(&mut self) {
        for process in 0..self.processes.len() {
            self.push(0, process, Event::Wake);
        }
        while let Some(Reverse((now, _, process, event))) = self.events.pop() {
            self.now = now;
            assert!(now < 20_000 * SECOND, "they wait for ever");
            self.handle(process, event);
        }
    }

    fn handle(&mut self, number: usize, event: Event) {
        let away = self.outage.contains(&self.now);
        let way = self.random.u64(500..8_000);
        let process = &mut self.processes[number];
        let local = |at: u64| Time::from_start(Duration::from_micros(at + process.skew));
        let here = local(self.now);
        match event {
            Event::Wake if process.wake > self.now => return,
            Event::Wake => {}
            Event::Load => {
                let row = self.row.clone();
                let (delay, event) = if away { (5 * SECOND, Event::Failed) } else { (way, Event::Loaded(row)) };
                return self.push(delay, number, event);
            }
            Event::Swap(expected, value) => {
                let matches = self.row.as_ref().map(|row| row.1) == expected;
                let version = expected.unwrap_or_default() + 1;
                if !away && matches {
                    self.row = Some((value, version));
                }
                let answer = Event::Swapped(matches.then_some(version));
                let (delay, event) = if away { (5 * SECOND, Event::Failed) } else { (way, answer) };
                return self.push(delay, number, event);
            }
            Event::Loaded(row) => process.budget.loaded(here, row.as_ref().map(|row| (row.0.as_str(), row.1))),
            Event::Swapped(version) => process.budget.swapped(version),
            Event::Failed => process.budget.failed(here),
            Event::Limited(sent) => process.budget.limited(here, sent, Some(Duration::from_secs(3))),
        }
        self.advance(number);
    }

    fn advance(&mut self, number: usize) {
        loop {
            let way = self.random.u64(500..8_000);
            let process = &mut self.processes[number];
            let here = Time::from_start(Duration::from_micros(self.now + process.skew));
            process.budget.demand(here, process.waiting);
            while process.waiting > 0 && process.budget.take(here) {
                process.waiting -= 1;
                process.sent.push(self.now);
                if self.strict.contains(&self.now) {
                    self.number += 1;
                    self.events.push(Reverse((self.now + 200_000, self.number, number, Event::Limited(here))));
                }
            }
            process.warnings += u32::from(process.budget.take_warning());
            match process.budget.step(here) {
                BudgetStep::Load => {
                    self.rounds += 1;
                    self.operations += 1;
                    self.push(way, number, Event::Load);
                }
                BudgetStep::Swap { expected, value } => {
                    self.operations += 1;
                    self.push(way, number, Event::Swap(expected, value));
                }
                BudgetStep::WaitUntil(at) => {
                    let delay = (at.since(here).as_micros() as u64).max(1);
                    process.wake = self.now + delay;
                    return self.push(delay, number, Event::Wake);
                }
                BudgetStep::Idle => {
                    process.wake = u64::MAX;
                    return;
                }
            }
        }
    }

    fn all_sent(&self) -> Vec<u64> {
        let mut sent: Vec<u64> = self.processes.iter().flat_map(|process| process.sent.iter().copied()).collect();
        sent.sort_unstable();
        sent
    }

    /// The most that left within any ten seconds of this time.
    fn most(&self, within: std::ops::Range<u64>) -> usize {
        let sent = self.all_sent();
        let starts = sent.iter().enumerate().filter(|(_, at)| within.contains(at));
        starts
            .map(|(first, at)| sent.partition_point(|other| *other < (at + 10 * SECOND).min(within.end)) - first)
            .max()
            .unwrap_or(0)
    }
}

#[test]
fn of_64_processes_the_rate_is_kept_and_none_starves() {
    let mut world = World::new(64, 100_000, 50.0);
    world.run();
    let sent = world.all_sent();
    let seconds = *sent.last().unwrap() as f64 / SECOND as f64;
    let (rounds, operations) = (world.rounds as f64, world.operations as f64);
    println!(
        "{} requests in {seconds:.0} s, at most {} in 10 s; {:.2} operations of the store per request, {:.2} rounds per second and process",
        sent.len(),
        world.most(0..u64::MAX / 2),
        operations / sent.len() as f64,
        rounds / seconds / 64.0,
    );
    assert_eq!(sent.len(), 64 * (100_000 / 64));
    assert!(world.most(0..u64::MAX / 2) <= 550);
    assert!(seconds < sent.len() as f64 / 50.0 * 1.1, "{seconds} s");
    assert!(rounds / seconds / 64.0 <= 1.0);
    // In any two minutes each of them gets at least half of its share.
    for (number, process) in world.processes.iter().enumerate() {
        for start in (0..1_600).step_by(60) {
            let within = start * SECOND..(start + 120) * SECOND;
            let count = process.sent.iter().filter(|at| within.contains(at)).count();
            assert!(count >= 47, "process {number} sent {count} from {start} s");
        }
    }
}

#[test]
fn a_slow_server_with_many_processes() {
    let mut world = World::new(64, 1_280, 2.0);
    world.run();
    let sent = world.all_sent();
    let seconds = *sent.last().unwrap() as f64 / SECOND as f64;
    println!(
        "{} requests in {seconds:.0} s, {:.2} operations per request",
        sent.len(),
        world.operations as f64 / sent.len() as f64
    );
    assert!(world.most(0..u64::MAX / 2) <= 22 && seconds < 640.0 * 1.1, "{} {seconds}", world.most(0..u64::MAX / 2));
    for process in &world.processes {
        let longest = process.sent.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest < 80 * SECOND, "{longest}");
    }
}

#[test]
fn a_429_slows_all_of_them() {
    let mut world = World::new(16, 20_000, 50.0);
    world.strict = 100 * SECOND..100 * SECOND + 50_000;
    world.run();
    // Whoever got it stops; the others hear of it at their next look, within a second.
    assert!(world.most(102 * SECOND..104 * SECOND) <= 30, "{}", world.most(102 * SECOND..104 * SECOND));
    let after = world.most(110 * SECOND..120 * SECOND);
    assert!((200..=340).contains(&after), "{after}");
    assert!(world.most(250 * SECOND..u64::MAX / 2) >= 450, "the rate comes back");
}

#[test]
fn without_the_store_each_takes_its_share() {
    let mut world = World::new(16, 20_000, 50.0);
    world.outage = 100 * SECOND..160 * SECOND;
    world.run();
    // Not all of them come back at the same time: until then both ways of sharing add up to a little more.
    assert!(world.most(0..u64::MAX / 2) <= 600, "{}", world.most(0..u64::MAX / 2));
    assert!(world.most(0..155 * SECOND) <= 550, "{}", world.most(0..155 * SECOND));
    assert!(world.most(110 * SECOND..160 * SECOND) >= 400, "{}", world.most(110 * SECOND..160 * SECOND));
    assert!(world.processes.iter().all(|process| process.warnings == 1));
}

#[test]
fn a_clock_that_jumps_lets_little_through() {
    let mut world = World::new(4, 4_000, 10.0);
    // One process sleeps for an hour and jumps: its own clock is that much further.
    for start in 0..4 {
        world.push(0, start, Event::Wake);
    }
    while let Some(Reverse((now, _, process, event))) = world.events.pop() {
        if world.now < 100 * SECOND && now >= 100 * SECOND {
            world.processes[0].skew += 3_600 * SECOND;
            world.processes[0].wake = 0;
        }
        world.now = now;
        world.handle(process, event);
    }
    let most = world.most(0..u64::MAX / 2);
    assert!(most <= 100 + 60, "{most}");
}

/// One process with a store that answers at once, in steps of 10 ms: `waiting` says how many requests wait at a time.
fn alone(seconds: u64, mut waiting: impl FnMut(Time, usize) -> usize) -> Vec<Time> {
    let mut budget = SharedBudget::new("a", 2.0);
    let mut row: Option<(String, u64)> = None;
    let mut sent = Vec::new();
    for now in (0..seconds * 100).map(|step| Time::from_start(Duration::from_millis(step * 10))) {
        budget.demand(now, waiting(now, sent.len()));
        loop {
            match budget.step(now) {
                BudgetStep::Load => budget.loaded(now, row.as_ref().map(|(value, version)| (value.as_str(), *version))),
                BudgetStep::Swap { expected, value } => {
                    assert_eq!(expected, row.as_ref().map(|(_, version)| *version));
                    row = Some((value, expected.unwrap_or_default() + 1));
                    budget.swapped(row.as_ref().map(|(_, version)| *version));
                }
                BudgetStep::WaitUntil(_) | BudgetStep::Idle => break,
            }
        }
        while budget.demand > 0 && budget.take(now) {
            sent.push(now);
        }
    }
    sent
}

#[test]
fn who_sends_one_request_after_the_other_has_the_whole_rate() {
    let mut last = (0, Time::default());
    let sent = alone(60, |now, sent| {
        if last.0 != sent {
            last = (sent, now);
        }
        // Each answer takes 0.2 s; then the next request is there.
        usize::from(sent == 0 || now.since(last.1) >= Duration::from_millis(200))
    });
    assert!((115..=121).contains(&sent.len()), "{}", sent.len());
    for pair in sent.windows(5) {
        let took = pair[4].since(pair[0]);
        assert!(took >= Duration::from_millis(1_990), "{took:?}");
    }
}

#[test]
fn what_was_reserved_and_not_used_is_not_made_up_for() {
    let until = |seconds| Time::from_start(Duration::from_secs(seconds));
    // One after the other, then nothing for a while, then many at once.
    let sent = alone(60, |now, _| match now {
        now if now < until(20) => 1,
        now if now < until(40) => 0,
        _ => 50,
    });
    let late = sent.iter().filter(|at| **at >= until(40)).count();
    // What was reserved last is waited for: nobody has moved the row's time on.
    assert!((34..=41).contains(&late), "{late}");
    let first: Vec<_> = sent.iter().filter(|at| **at >= until(40)).take(5).collect();
    assert!(first[4].since(*first[0]) >= Duration::from_millis(1_990), "{first:?}");
}

/// A process that begins now, on a machine whose clock shows this many seconds, and what it writes for one request: the row, and how
/// long it waits.
fn one_request(row: Option<&(String, u64)>, shown: u64) -> ((String, u64), Duration) {
    let now = Time::default();
    let mut budget = SharedBudget::new(&format!("p{shown}"), 2.0);
    budget.demand(now, 1);
    assert_eq!(budget.step(now), BudgetStep::Load);
    budget.shown(now, Duration::from_secs(1_800_000_000 + shown));
    budget.loaded(now, row.map(|(value, version)| (value.as_str(), *version)));
    let BudgetStep::Swap { expected, value } = budget.step(now) else { panic!("it reserves one") };
    let version = expected.unwrap_or_default() + 1;
    budget.swapped(Some(version));
    ((value, version), budget.next_departure(now).unwrap().since(now))
}

/// Such are jobs of cron and functions in a cloud: none of them measures the time between two.
#[test]
fn time_passes_between_processes_that_live_for_one_request() {
    let mut row = None;
    for run in 0..200 {
        let (written, waits) = one_request(row.as_ref(), run * 10);
        assert_eq!(waits, Duration::ZERO, "run {run}");
        row = Some(written);
    }
    // At the same time the rate holds.
    for more in 1..5 {
        let (written, waits) = one_request(row.as_ref(), 1_990);
        assert_eq!(waits, Duration::from_millis(500 * more));
        row = Some(written);
    }
}

#[test]
fn a_pause_of_the_server_ends_for_those_who_come_later() {
    let mut budget = SharedBudget::new("a", 2.0);
    let now = Time::default();
    budget.limited(now, now, Some(Duration::from_secs(1_200)));
    assert_eq!(budget.step(now), BudgetStep::Load);
    budget.shown(now, Duration::from_secs(1_800_000_000));
    budget.loaded(now, None);
    let BudgetStep::Swap { value, .. } = budget.step(now) else { panic!("it writes the 429") };
    let row = (value, 1);
    assert_eq!(one_request(Some(&row), 1_100).1, Duration::from_secs(100));
    assert_eq!(one_request(Some(&row), 1_201).1, Duration::ZERO);
}

#[test]
fn a_clock_that_is_hours_ahead_does_not_stop_the_others() {
    let (row, _) = one_request(None, 0);
    let (row, waits) = one_request(Some(&row), 8 * 3_600);
    assert_eq!(waits, Duration::ZERO);
    let (row, waits) = one_request(Some(&row), 10);
    assert_eq!(waits, Duration::from_millis(500), "what was reserved last is waited for");
    assert_eq!(one_request(Some(&row), 20).1, Duration::ZERO, "time passes by its clock");
}

#[test]
fn the_slowest_rate_does_not_overflow() {
    let at = |ms| Time::from_start(Duration::from_millis(ms));
    let mut first = SharedBudget::new("a", 1e-300);
    first.demand(at(0), 2);
    assert_eq!(first.step(at(0)), BudgetStep::Load);
    first.loaded(at(0), None);
    let BudgetStep::Swap { value, .. } = first.step(at(0)) else { panic!("it reserves one") };
    first.swapped(Some(1));
    assert!(first.take(at(0)));
    // Behind it there is no room before the end of time.
    let mut second = SharedBudget::new("b", 1e-300);
    second.demand(at(0), 1);
    assert_eq!(second.step(at(0)), BudgetStep::Load);
    second.loaded(at(0), Some((value.as_str(), 1)));
    assert!(matches!(second.step(at(0)), BudgetStep::Swap { .. }));
    second.swapped(Some(2));
    assert!(
        !second.take(at(500)) && second.next_departure(at(500)).is_some_and(|at| at.since(Time::default()) > STALE)
    );
}
