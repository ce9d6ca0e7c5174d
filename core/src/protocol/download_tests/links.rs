//! Links with a delay and a speed, in virtual time: how long a file takes, beside the least that the link allows, and what it
//! costs in connections.

use std::collections::BTreeMap;
use std::time::Duration;

use super::lanes::MIB;
use super::*;

const MB: u64 = 1_000_000;
/// What a server sends at first, to be doubled with every round trip.
const FIRST_FLIGHT: u64 = 14_600;
/// Longest piece of a body.
const PIECE: u64 = 256 * 1024;

/// The way to a server that honours `Range`.
#[derive(Clone)]
struct Link {
    round_trip: Duration,
    /// Bytes per second of one connection.
    each: u64,
    /// Bytes per second of all of them.
    together: u64,
    /// A connection becomes fast by and by.
    slow_start: bool,
    /// So many bytes of each answer come at the speed of `together`, the rest at that of `each`.
    burst: u64,
    /// How much later than the first one further requests are answered.
    late: Duration,
}

const NEAR: Link = Link {
    round_trip: Duration::from_micros(200),
    each: 2_000 * MB,
    together: 2_000 * MB,
    slow_start: false,
    burst: 0,
    late: Duration::ZERO,
};

const FAR: Link = Link { round_trip: Duration::from_millis(50), ..NEAR };

/// What a download came to.
#[derive(Debug)]
struct Outcome {
    time: Duration,
    requests: u32,
    /// Most connections at once.
    most: usize,
    /// Bytes that were read, those included that were there already.
    read: u64,
}

enum Exchange {
    /// `warm` is a connection that was used before: it is fast from the beginning.
    Waiting {
        range: Requested,
        until: Time,
        warm: bool,
    },
    Body {
        since: Time,
        start: u64,
        pos: u64,
        end: u64,
        warm: bool,
    },
}

impl Link {
    /// What one of `busy` connections brings in this time, this long and this many bytes behind the begin of its body.
    fn brings(&self, age: Duration, sent: u64, busy: u64, warm: bool, tick: Duration) -> u64 {
        let shared = self.together / busy.max(1);
        let mut rate = if sent < self.burst { shared } else { shared.min(self.each) };
        if self.slow_start && !warm {
            let doubled = (age.as_nanos() / self.round_trip.as_nanos()).min(30) as u32;
            let window = u128::from(FIRST_FLIGHT << doubled) * 1_000_000_000 / self.round_trip.as_nanos();
            rate = rate.min(window as u64);
        }
        (u128::from(rate) * tick.as_nanos() / 1_000_000_000) as u64
    }

    fn download(&self, size: u64, connections: u32) -> Outcome {
        let mut bench = Bench::new(DownloadPolicy { connections, ..unverified() }, &[C], false);
        let tick = (self.round_trip / 10).clamp(Duration::from_micros(100), Duration::from_millis(1));
        let mut lanes: BTreeMap<usize, Exchange> = BTreeMap::new();
        let mut outcome = Outcome { time: Duration::ZERO, requests: 0, most: 0, read: 0 };
        // Connections whose body was read to its end.
        let mut kept = 0;
        for _ in 0..1_000_000 {
            loop {
                match bench.machine.step(bench.now) {
                    DownloadStep::Open { lane, range, .. } => {
                        let warm = kept > 0;
                        let mut wait = if warm { self.round_trip } else { 2 * self.round_trip };
                        wait += if outcome.requests > 0 { self.late } else { Duration::ZERO };
                        kept = kept.max(1) - 1;
                        outcome.requests += 1;
                        let old = lanes.insert(lane, Exchange::Waiting { range, until: bench.now + wait, warm });
                        assert!(old.is_none(), "lane {lane} is busy");
                    }
                    DownloadStep::Close { lane } => assert!(lanes.remove(&lane).is_some(), "lane {lane} is idle"),
                    DownloadStep::Wait(until) => {
                        assert!(until.is_none_or(|until| until > bench.now));
                        break;
                    }
                    DownloadStep::Done(result) => {
                        assert_eq!(result.unwrap().total, Some(size));
                        outcome.time = bench.elapsed();
                        return outcome;
                    }
                    step => panic!("{step:?}"),
                }
            }
            outcome.most = outcome.most.max(lanes.len());
            bench.wait(tick);
            let busy = lanes.values().filter(|lane| matches!(lane, Exchange::Body { .. })).count() as u64;
            for (lane, exchange) in std::mem::take(&mut lanes) {
                match exchange {
                    Exchange::Waiting { range, until, warm } if until <= bench.now => {
                        let (start, end) = range.map_or((0, size), |(start, end)| (start, end.unwrap_or(size)));
                        let head = match range {
                            None => ok(size),
                            Some(_) => part(&format!("{start}-{}/{size}", end - 1)),
                        };
                        if bench.machine.head(bench.now, lane, &head) == HeadVerdict::Read {
                            lanes.insert(lane, Exchange::Body { since: bench.now, start, pos: start, end, warm });
                        }
                    }
                    Exchange::Body { since, start, mut pos, end, warm } => {
                        let age = bench.now.since(since);
                        let mut left = self.brings(age, pos - start, busy, warm, tick).min(end - pos);
                        let mut open = true;
                        while left > 0 && open {
                            let place = bench.machine.data(lane, left.min(PIECE));
                            let came = place.skip + place.write;
                            (pos, left, open) = (pos + came, left - came, !place.finished);
                            outcome.read += came;
                        }
                        if open {
                            lanes.insert(lane, Exchange::Body { since, start, pos, end, warm });
                        } else if pos == end {
                            kept += 1;
                        }
                    }
                    waiting @ Exchange::Waiting { .. } => {
                        lanes.insert(lane, waiting);
                    }
                }
            }
        }
        panic!("it does not end: {outcome:?}");
    }

    /// The least time for it: the first connection brings bytes after two round trips, the others two later.
    fn least(&self, size: u64, connections: u64) -> Duration {
        let first = 2 * self.round_trip;
        let others = 2 * first;
        let shared = first.as_secs_f64() + size as f64 / self.together as f64;
        let head_start = self.each as f64 * first.as_secs_f64();
        let beside = (size as f64 - head_start).max(0.0) / (self.each * connections) as f64;
        Duration::from_secs_f64(shared.max(others.as_secs_f64() + beside))
    }
}

#[track_caller]
fn near(is: Duration, least: Duration, percent: u32) {
    assert!(is <= least * (100 + percent) / 100, "{is:?} instead of {least:?}");
}

#[test]
fn one_connection_that_is_soon_done_is_left_alone() {
    for (link, size) in [
        (NEAR, 1024 * MIB),
        (NEAR, 8 * MIB),
        (Link { each: 400 * MB, together: 400 * MB, ..FAR }, 100 * MIB),
        (Link { each: 400 * MB, together: 400 * MB, ..FAR }, 200 * MIB),
    ] {
        let outcome = link.download(size, 8);
        assert_eq!((outcome.requests, outcome.read), (1, size));
        near(outcome.time, 2 * link.round_trip + Duration::from_secs_f64(size as f64 / link.together as f64), 5);
    }
}

#[test]
fn where_each_connection_is_slow_all_are_used() {
    for round_trip in [1, 5, 50] {
        let link = Link { round_trip: Duration::from_millis(round_trip), each: 20 * MB, together: 1_000 * MB, ..NEAR };
        for size in [20 * MIB, 100 * MIB, 200 * MIB] {
            let outcome = link.download(size, 8);
            assert_eq!((outcome.most, outcome.read), (8, size));
            // One trial of 10 ms.
            near(outcome.time, link.least(size, 8) + Duration::from_millis(12), 2);
            assert_eq!(outcome.requests, 8);
        }
    }
}

#[test]
fn far_away_a_connection_becomes_fast_by_and_by_and_the_parts_are_even_all_the_same() {
    let link = Link { each: 40 * MB, together: 1_000 * MB, slow_start: true, ..FAR };
    let (one, eight) = (link.download(100 * MIB, 1).time, link.download(100 * MIB, 8).time);
    assert!(eight * 3 < one, "{eight:?} with eight, {one:?} with one");
    // Slow start takes 7 round trips, and brings something meanwhile.
    near(eight, link.least(100 * MIB, 8) + 6 * link.round_trip, 5);
}

#[test]
fn several_connections_that_share_a_far_link_never_leave_it_idle() {
    for rate in [30, 100, 200, 400] {
        let link = Link { each: rate * MB, together: rate * MB, ..FAR };
        for size in [20 * MIB, 100 * MIB, 1024 * MIB] {
            let outcome = link.download(size, 8);
            assert_eq!(outcome.read, size, "{rate} MB/s");
            near(outcome.time, 2 * link.round_trip + Duration::from_secs_f64(size as f64 / link.together as f64), 5);
        }
    }
}

#[test]
fn who_reads_takes_back_what_others_have_no_answer_for() {
    // One connection alone needs 2.2 s, and no other one is ever answered in that time.
    let link = Link { each: 50 * MB, together: 50 * MB, late: Duration::from_secs(60), ..FAR };
    let outcome = link.download(100 * MIB, 8);
    near(outcome.time, Duration::from_millis(2200), 3);
    assert_eq!(outcome.read, 100 * MIB);
    assert!(outcome.requests <= 40, "{outcome:?}");
    // Those that are answered late help from then on.
    let link = Link { each: 10 * MB, together: 1_000 * MB, late: Duration::from_secs(3), ..FAR };
    let outcome = link.download(200 * MIB, 8);
    assert_eq!(outcome.read, 200 * MIB);
    near(outcome.time, link.least(200 * MIB - 30 * MB, 8) + link.late, 15);
}

#[test]
fn a_connection_that_only_begins_fast_is_helped() {
    let link = Link { each: 10 * MB, together: 1_000 * MB, burst: 4 * MB, ..NEAR };
    let outcome = link.download(100 * MIB, 8);
    assert_eq!((outcome.most, outcome.read), (8, 100 * MIB));
    near(outcome.time, Duration::from_secs_f64((100 * MIB - 32 * MB) as f64 / (80 * MB) as f64), 25);
}

#[test]
fn a_fast_connection_that_stops_is_judged_again_without_a_further_byte() {
    let mut bench = super::lanes::wide(2);
    let lane = bench.asks(None);
    bench.head(lane, &ok(1024 * MIB));
    bench.wait(Duration::from_millis(10));
    // 6.4 GB/s so far.
    bench.reads(lane, 0, 64 * MIB);
    let begun = bench.now;
    let mut looks = 0;
    loop {
        match bench.machine.step(bench.now) {
            DownloadStep::Wait(Some(until)) => {
                assert!(until > bench.now);
                bench.now = until;
                looks += 1;
            }
            DownloadStep::Open { lane: 1, .. } => break,
            step => panic!("{step:?}"),
        }
    }
    // 67 ms after its head, 960 MiB would take more than a second. It is still a fast one, so it is measured for 50 ms.
    let waited = bench.now.since(begun);
    assert!(waited >= Duration::from_millis(100) && waited <= Duration::from_millis(120), "{waited:?}");
    assert!(looks < 10, "{looks}");
}

#[test]
fn fast_connections_are_doubled_as_long_as_they_bring_more() {
    // They share what one has: a second one is tried.
    for size in [4096, 16384] {
        let outcome = NEAR.download(size * MIB, 8);
        assert_eq!((outcome.most, outcome.read), (2, size * MIB));
        assert!(outcome.requests <= 4, "{outcome:?}");
        near(outcome.time, NEAR.least(size * MIB, 8), 2);
    }
    // Each brings as much again: 50 ms with one, with two and with four are measured.
    let link = Link { each: 150 * MB, ..NEAR };
    let outcome = link.download(1024 * MIB, 8);
    assert_eq!((outcome.most, outcome.read), (8, 1024 * MIB));
    near(outcome.time, link.least(1024 * MIB, 8) + Duration::from_millis(150), 5);
    // Four bring all that there is; beside eight each is a slow one.
    let link = Link { each: 150 * MB, together: 600 * MB, ..NEAR };
    let outcome = link.download(4096 * MIB, 16);
    assert_eq!((outcome.most, outcome.read), (8, 4096 * MIB));
    near(outcome.time, link.least(4096 * MIB, 16), 5);
    // Two were tried before it became slow: then all are used.
    let link = Link { each: 10 * MB, burst: 100 * MB, ..NEAR };
    let outcome = link.download(2048 * MIB, 8);
    assert_eq!((outcome.most, outcome.read), (8, 2048 * MIB));
}

#[test]
fn a_first_answer_that_was_very_late_keeps_nobody_from_helping() {
    let mut bench = super::lanes::wide(4);
    let lane = bench.asks(None);
    bench.wait(Duration::from_secs(5));
    bench.head(lane, &ok(6 * MIB));
    bench.wait(Duration::from_millis(10));
    // 750 ms for all of it.
    bench.reads(lane, 0, 80 * 1024);
    let (helper, _, range) = bench.open();
    // By 2 MiB the first one is ahead when the answer comes, if it comes in time.
    assert_eq!((helper, range), (1, Some((5 * MIB, Some(6 * MIB)))));
}
