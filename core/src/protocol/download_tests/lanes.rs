//! Several connections for one file.

use super::*;

pub(super) const MIB: u64 = 1024 * 1024;

pub(super) fn wide(connections: u32) -> Bench {
    Bench::new(DownloadPolicy { connections, ..unverified() }, &[R, C], true)
}

/// One lane reads a file of 16 MiB, the others were not asked for yet.
pub(super) fn reading(connections: u32) -> Bench {
    let mut bench = wide(connections);
    let lane = bench.asks(None);
    bench.is_idle();
    bench.head(lane, &ok(16 * MIB));
    bench
}

#[allow(clippy::unnecessary_wraps)] // it is compared with what a request asks for
pub(super) fn mib(from: u64, to: u64) -> Requested {
    Some((from * MIB, Some(to * MIB)))
}

pub(super) fn slice(from: u64, to: u64) -> Head {
    part(&format!("{}-{}/{}", from * MIB, to * MIB - 1, 16 * MIB))
}

/// A piece that fills the lane's part to its end.
fn fills(bench: &mut Bench, lane: usize, from: u64, to: u64) {
    let place = bench.machine.data(lane, 16 * MIB);
    assert_eq!((place.at, place.write), (from * MIB, (to - from) * MIB));
}

#[test]
fn the_parts_are_even_and_a_free_lane_helps_where_most_is_left() {
    let mut bench = reading(4);
    // A part that is only asked for is not divided, its answer may not come: so all of it is taken from the first.
    assert_eq!(bench.asks(mib(12, 16)), 1);
    assert_eq!(bench.asks(mib(8, 12)), 2);
    assert_eq!(bench.asks(mib(4, 8)), 3);
    bench.is_idle();
    bench.head(1, &slice(12, 16));
    bench.head(2, &slice(8, 12));
    bench.head(3, &slice(4, 8));
    fills(&mut bench, 0, 0, 4);
    assert_eq!(bench.asks(mib(6, 8)), 0);
    bench.head(0, &slice(6, 8));
    for (lane, from, to) in [(1, 12, 16), (2, 8, 12), (3, 4, 6), (0, 6, 8)] {
        fills(&mut bench, lane, from, to);
    }
    let finished = bench.done();
    assert_eq!((finished.attempts, finished.resumed), (5, false));
}

#[test]
fn a_lane_that_is_sooner_done_than_another_could_ask_is_left_alone() {
    for (read, helped) in [(3, false), (2, true)] {
        let mut bench = wide(2);
        let lane = bench.asks(None);
        // Each answer takes 100 ms to come.
        bench.wait(Duration::from_millis(100));
        bench.head(lane, &ok(12 * MIB));
        assert_eq!(bench.asks(mib(6, 12)), 1);
        bench.wait(Duration::from_millis(100));
        bench.head(1, &part(&format!("{}-{}/{}", 6 * MIB, 12 * MIB - 1, 12 * MIB)));
        bench.wait(Duration::from_millis(50));
        // 160 ms after its answer the first lane has 3 MiB to go and is done in 160 ms, or 4 MiB and needs 320.
        assert_eq!(bench.machine.data(0, read * MIB).write, read * MIB);
        fills(&mut bench, 1, 6, 12);
        if helped {
            // Of 4 MiB it reads 1.25 before the answer comes. From then on the parts are even.
            let (lane, _, range) = bench.open();
            assert_eq!((lane, range), (1, Some((4 * MIB + 640 * 1024, Some(6 * MIB)))));
        } else {
            bench.is_idle();
        }
    }
}

#[test]
fn small_rests_are_not_divided() {
    let mut bench = wide(8);
    let lane = bench.asks(None);
    bench.head(lane, &ok(2 * MIB - 1));
    bench.is_idle();
    let mut bench = Bench::new(DownloadPolicy { connections: 3, min_part: 2, ..unverified() }, &[C], false);
    let lane = bench.asks(None);
    bench.head(lane, &ok(8));
    assert_eq!(bench.asks(Some((6, Some(8)))), 1);
    assert_eq!(bench.asks(Some((3, Some(6)))), 2);
    bench.head(2, &part("3-5/8"));
    bench.lost(1);
    // Nobody has as much as twice the least part any more, but the lost part is free.
    bench.asks(Some((6, Some(8))));
    bench.is_idle();
}

#[test]
fn one_lane_goes_on_while_the_length_is_not_known() {
    let mut bench = wide(4);
    let lane = bench.asks(None);
    bench.head(lane, &Head { status: 200, ..Head::default() });
    bench.is_idle();
    bench.reads(lane, 0, 8 * MIB);
    bench.is_idle();
}

#[test]
fn a_lane_reads_on_where_its_helper_failed() {
    let mut bench = reading(2);
    bench.asks(mib(8, 16));
    bench.reads(0, 0, MIB);
    bench.lost(1);
    // The part is free again, but the helper has to pause.
    bench.is_idle();
    assert_eq!(bench.machine.data(0, 7 * MIB), Place { skip: 0, write: 7 * MIB, at: MIB, finished: false });
    // It is the lane's own again, so it may be halved anew.
    bench.wait(Duration::from_secs(1));
    assert_eq!(bench.asks(mib(12, 16)), 1);
    bench.head(1, &slice(12, 16));
    fills(&mut bench, 0, 8, 12);
    fills(&mut bench, 1, 12, 16);
    bench.done();
}

#[test]
fn a_lane_stops_where_its_helper_began() {
    let mut bench = reading(2);
    bench.asks(mib(8, 16));
    bench.head(1, &slice(8, 16));
    bench.reads(1, 8 * MIB, MIB);
    bench.lost(1);
    // Its own answer goes on behind, but the next bytes are there already.
    assert_eq!(bench.machine.data(0, 9 * MIB), Place { skip: 0, write: 8 * MIB, at: 0, finished: true });
    bench.asks(mib(9, 16));
    assert!(bench.machine.resumed);
}

#[test]
fn a_helper_that_is_through_leaves_the_first_nothing_to_read_again() {
    let mut bench = reading(2);
    bench.asks(mib(8, 16));
    bench.head(1, &slice(8, 16));
    fills(&mut bench, 1, 8, 16);
    bench.asks(mib(4, 8));
    bench.head(1, &slice(4, 8));
    fills(&mut bench, 1, 4, 8);
    bench.asks(mib(2, 4));
    bench.head(1, &slice(2, 4));
    assert_eq!(bench.machine.data(0, 2 * MIB), Place { skip: 0, write: 2 * MIB, at: 0, finished: true });
}

#[test]
fn a_lane_reads_on_through_parts_that_were_only_asked_for() {
    let mut bench = reading(4);
    assert_eq!((bench.asks(mib(12, 16)), bench.asks(mib(8, 12)), bench.asks(mib(4, 8))), (1, 2, 3));
    bench.head(1, &slice(12, 16));
    bench.head(2, &slice(8, 12));
    // The third helper has no answer when the first lane comes to its part, so that is the first lane's again.
    let place = bench.machine.data(0, 7 * MIB);
    assert_eq!((place.at, place.write, place.finished), (0, 4 * MIB, false));
    bench.closes(3);
    // An answer that was under way is of no use any more.
    bench.drops(3, &slice(4, 8));
    bench.reads(0, 4 * MIB, MIB);
    // Where a helper has its answer the first one ends.
    assert_eq!(bench.machine.data(0, 9 * MIB), Place { skip: 0, write: 3 * MIB, at: 5 * MIB, finished: true });
    fills(&mut bench, 1, 12, 16);
    fills(&mut bench, 2, 8, 12);
    assert_eq!(bench.done().attempts, 4);
    // A lane whose own answer ends there cannot read on.
    let mut bench = wide(2);
    let validators = Validators { total: Some(16 * MIB), ..Validators::default() };
    let ranges = std::iter::once(MIB..2 * MIB).collect();
    bench.machine = bench.machine.resume(Progress { ranges, validators, source: String::new() });
    assert_eq!((bench.asks(mib(0, 1)), bench.asks(mib(2, 16))), (0, 1));
    bench.head(0, &slice(0, 1));
    assert_eq!(bench.machine.data(0, 2 * MIB), Place { skip: 0, write: MIB, at: 0, finished: true });
    bench.head(1, &slice(2, 16));
}

#[test]
fn where_range_is_ignored_there_is_one_lane() {
    let mut bench = reading(4);
    for lane in 1..4 {
        let (asked, ..) = bench.open();
        assert_eq!(asked, lane);
    }
    for lane in 1..4 {
        bench.drops(lane, &ok(16 * MIB));
    }
    bench.is_idle();
    bench.wait(Duration::from_secs(3600));
    bench.is_idle();
    fills(&mut bench, 0, 0, 4);
    fills(&mut bench, 0, 4, 16);
    assert_eq!(bench.done().attempts, 4);
}

#[test]
fn of_several_whole_answers_the_last_is_read() {
    let mut bench = wide(3);
    let validators = Validators { total: Some(16 * MIB), ..Validators::default() };
    let ranges = [MIB..2 * MIB, 8 * MIB..9 * MIB].into_iter().collect();
    bench.machine = bench.machine.resume(Progress { ranges, validators, source: String::new() });
    for range in [mib(0, 1), mib(2, 8), mib(9, 16)] {
        bench.asks(range);
    }
    bench.drops(1, &ok(16 * MIB));
    bench.drops(0, &ok(16 * MIB));
    bench.head(2, &ok(16 * MIB));
    bench.is_idle();
    fills(&mut bench, 2, 0, 1);
    assert_eq!(bench.machine.data(2, 15 * MIB), Place { skip: MIB, write: 6 * MIB, at: 2 * MIB, finished: false });
    assert_eq!(bench.machine.data(2, 8 * MIB), Place { skip: MIB, write: 7 * MIB, at: 9 * MIB, finished: true });
    assert_eq!(bench.done().attempts, 3);
}

#[test]
fn another_source_is_tried_with_all_lanes_again() {
    let mut bench = reading(2);
    bench.asks(mib(8, 16));
    bench.drops(1, &ok(16 * MIB));
    bench.reads(0, 0, MIB);
    bench.lost(0);
    let (lane, ..) = bench.open();
    bench.refused(lane, ErrorKind::Authentication, 401);
    let (lane, url, range) = bench.open();
    assert_eq!((url.as_str(), range), (C, mib(1, 16)));
    bench.head(lane, &slice(1, 16));
    bench.open();
}

/// Whatever a helper meets, the lane that reads is left alone; the helper's tries become rare.
#[test]
fn another_source_may_honour_range_from_its_first_answer_on() {
    let mut bench = reading(2);
    bench.asks(mib(8, 16));
    bench.drops(1, &ok(16 * MIB));
    bench.lost(0);
    let (lane, ..) = bench.open();
    bench.refused(lane, ErrorKind::Authentication, 401);
    let lane = bench.asks_at(C);
    bench.head(lane, &ok(16 * MIB));
    bench.open();
}

#[test]
fn a_pause_does_not_stop_what_comes_in() {
    let mut bench = reading(2);
    bench.asks(mib(8, 16));
    bench.reads(0, 0, 1);
    bench.refused(1, ErrorKind::RateLimited, 429);
    bench.is_idle();
    bench.reads(0, 1, MIB);
    fills_to_the_end(&mut bench, 0);
    bench.done();
}

fn fills_to_the_end(bench: &mut Bench, lane: usize) {
    while !bench.machine.data(lane, MIB).finished {}
}

#[test]
fn a_changed_file_stops_every_lane() {
    let mut bench = reading(4);
    bench.asks(mib(12, 16));
    bench.asks(mib(8, 12));
    bench.asks(mib(4, 8));
    bench.reads(0, 0, MIB);
    bench.drops(1, &part(&format!("{}-{}/{}", 12 * MIB, 16 * MIB - 1, 17 * MIB)));
    bench.closes(0);
    bench.closes(2);
    bench.closes(3);
    bench.resets();
    let lane = bench.asks(None);
    bench.head(lane, &ok(17 * MIB));
}

#[test]
fn a_fresh_signature_does_not_stop_who_reads() {
    let mut bench = wide(2);
    let validators = Validators { total: Some(16 * MIB), ..Validators::default() };
    let ranges = std::iter::once(MIB..2 * MIB).collect();
    bench.machine = bench.machine.resume(Progress { ranges, validators, source: String::new() });
    for _ in 0..2 {
        bench.open();
    }
    bench.refused(0, ErrorKind::PermissionDenied, 403);
    bench.queries();
    bench.head(1, &slice(2, 16));
    bench.machine.queried(bench.now, Ok(urls(&["https://r.example/video?sig=2", C])));
    // No `Close` for lane 1.
    let (lane, url, range) = bench.open();
    assert_eq!((lane, url.as_str(), range), (0, "https://r.example/video?sig=2", mib(0, 1)));
    bench.reads(1, 2 * MIB, MIB);
    // Neither does a query that fails for good, as long as something comes.
    let mut bench = wide(2);
    let ranges = std::iter::once(MIB..2 * MIB).collect();
    let validators = Validators { total: Some(16 * MIB), ..Validators::default() };
    bench.machine = bench.machine.resume(Progress { ranges, validators, source: String::new() });
    for _ in 0..2 {
        bench.open();
    }
    bench.refused(0, ErrorKind::PermissionDenied, 403);
    bench.queries();
    bench.head(1, &slice(2, 16));
    bench.reads(1, 2 * MIB, MIB);
    bench.machine.queried(bench.now, Err(refusal(ErrorKind::Authentication, 401)));
    bench.is_idle();
    bench.reads(1, 3 * MIB, MIB);
}
