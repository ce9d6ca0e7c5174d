//! Connections that fail beside others.

use super::lanes::{MIB, mib, reading, slice, wide};
use super::*;

#[test]
fn a_429_halves_the_lanes() {
    let policy = DownloadPolicy { connections: 8, min_part: 64 * 1024, ..unverified() };
    let mut bench = Bench::new(policy, &[C], false);
    let lane = bench.asks(None);
    bench.head(lane, &ok(16 * MIB));
    bench.reads(0, 0, 1);
    for _ in 1..8 {
        bench.open();
    }
    // A burst is one refusal.
    for lane in 4..8 {
        bench.refused(lane, ErrorKind::RateLimited, 429);
    }
    assert_eq!(bench.machine.lane_limit, 4);
    bench.is_idle();
    for lane in 1..4 {
        bench.lost(lane);
    }
    let (lane, _, range) = bench.open();
    let start = range.unwrap().0;
    bench.head(lane, &part(&format!("{start}-{}/{}", 16 * MIB - 1, 16 * MIB)));
    let again = (0..8).filter(|_| matches!(bench.next(), DownloadStep::Open { .. })).count();
    assert_eq!((again, bench.machine.active_lanes()), (2, 4));
    bench.refused(2, ErrorKind::RateLimited, 429);
    assert_eq!(bench.machine.lane_limit, 2);
    bench.wait(Duration::from_secs(60));
    bench.refused(3, ErrorKind::RateLimited, 429);
    assert_eq!(bench.machine.lane_limit, 1);
}

#[test]
fn lanes_that_fail_together_fail_once() {
    let mut bench = Bench::new(DownloadPolicy { connections: 8, ..unverified() }, &[C], false);
    let validators = Validators { total: Some(16 * MIB), ..Validators::default() };
    let ranges = (0..8).map(|part| (2 * part + 1) * MIB..(2 * part + 2) * MIB).collect();
    bench.machine = bench.machine.resume(Progress { ranges, validators, source: String::new() });
    for round in 1..=8 {
        for _ in 0..8 {
            bench.open();
        }
        for lane in 0..8 {
            bench.lost(lane);
        }
        assert_eq!(bench.machine.backoff.failures(), round);
    }
    // Refused together, the task is asked once.
    let mut bench = wide(2);
    let validators = Validators { total: Some(16 * MIB), ..Validators::default() };
    let ranges = std::iter::once(MIB..2 * MIB).collect();
    bench.machine = bench.machine.resume(Progress { ranges, validators, source: String::new() });
    for _ in 0..2 {
        bench.open();
    }
    bench.refused(0, ErrorKind::PermissionDenied, 403);
    bench.queries();
    bench.refused(1, ErrorKind::PermissionDenied, 403);
    bench.machine.queried(bench.now, Ok(urls(&["https://r.example/video?sig=2", C])));
    bench.asks_at("https://r.example/video?sig=2");
}

#[test]
fn a_failing_helper_does_not_disturb_the_one_that_reads() {
    for (kind, status) in [
        (ErrorKind::Authentication, 401),
        (ErrorKind::PermissionDenied, 403),
        (ErrorKind::NotFound, 404),
        (ErrorKind::NotReady, 400),
        (ErrorKind::Upstream, 502),
        (ErrorKind::RateLimited, 429),
        (ErrorKind::Connection, 0),
    ] {
        let mut bench = reading(2);
        bench.reads(0, 0, 1);
        let mut at = 1;
        let mut tries = 0;
        while bench.elapsed() < Duration::from_secs(300) {
            match bench.machine.step(bench.now) {
                DownloadStep::Open { lane: 1, .. } => {
                    tries += 1;
                    if status == 0 { bench.lost(1) } else { bench.refused(1, kind, status) }
                }
                DownloadStep::Wait(_) => {}
                step => panic!("{kind}: {step:?}"),
            }
            bench.reads(0, at, 1);
            at += 1;
            bench.wait(Duration::from_millis(100));
        }
        let expected = if status == 429 { 1..=1 } else { 10..=35 };
        assert!(expected.contains(&tries), "{kind}: {tries} tries");
    }
}

#[test]
fn the_pauses_of_a_helper_are_its_own() {
    let mut bench = reading(2);
    bench.reads(0, 0, MIB);
    for _ in 0..7 {
        bench.open();
        bench.lost(1);
    }
    // Many failures made its pause long; the lane that read goes on at once all the same.
    bench.lost(0);
    let before = bench.now;
    bench.asks(mib(1, 16));
    assert_eq!(bench.now, before);
    // Once it has brought bytes its pauses are short again.
    let mut bench = reading(2);
    bench.reads(0, 0, MIB);
    for _ in 0..7 {
        bench.open();
        bench.lost(1);
    }
    let (lane, _, range) = bench.open();
    let start = range.unwrap().0;
    bench.head(lane, &part(&format!("{start}-{}/{}", 16 * MIB - 1, 16 * MIB)));
    bench.reads(lane, start, MIB);
    bench.lost(lane);
    bench.open();
    bench.lost(lane);
    let before = bench.now;
    bench.open();
    assert!(bench.now.since(before) <= Duration::from_millis(500), "{:?}", bench.now.since(before));
}

#[test]
fn two_lanes_that_fail_in_turns_do_not_go_on_for_ever() {
    let mut bench = wide(2);
    let validators = Validators { total: Some(16 * MIB), ..Validators::default() };
    let ranges = std::iter::once(MIB..2 * MIB).collect();
    bench.machine = bench.machine.resume(Progress { ranges, validators, source: String::new() });
    let mut open: Vec<usize> = Vec::new();
    for _ in 0..1000 {
        match bench.machine.step(bench.now) {
            DownloadStep::Open { lane, range, .. } => {
                let from = range.unwrap().0 / MIB;
                let to = if from == 0 { 1 } else { 16 };
                bench.head(lane, &slice(from, to));
                open.push(lane);
            }
            DownloadStep::Wait(_) => {
                bench.wait(Duration::from_secs(10));
                // The older one stalls; the younger one has not brought a byte either.
                if open.len() == 2 {
                    let lane = open.remove(0);
                    bench.lost(lane);
                }
            }
            DownloadStep::Close { lane } => open.retain(|open| *open != lane),
            DownloadStep::Done(result) => {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Download);
                return;
            }
            step => panic!("{step:?}"),
        }
    }
    panic!("it goes on for ever");
}

#[test]
fn the_longest_pause_that_any_of_the_lanes_was_asked_for_is_kept() {
    let mut bench = reading(2);
    assert_eq!(bench.asks(mib(8, 16)), 1);
    // Neither has brought a byte. The first failure begins a pause, the second one is asked for a longer one.
    bench.lost(0);
    let limited =
        refusal(ErrorKind::RateLimited, 429).with(|record| record.retry_after = Some(Duration::from_secs(50)));
    bench.machine.refused(bench.now, 1, limited);
    bench.open();
    assert!(bench.elapsed() >= Duration::from_secs(50), "{:?}", bench.elapsed());
}
