//! Going on from what a former call left, and parts of a file.

use super::super::*;
use super::*;
use crate::protocol::part::PartState;

fn left(ranges: &str, source: &str) -> Progress {
    Progress {
        ranges: ranges.parse().unwrap(),
        validators: Validators { etag: Some("\"a\"".into()), last_modified: None, total: Some(10) },
        source: source.to_owned(),
    }
}

fn resumed(policy: DownloadPolicy, sources: &[&str], progress: Progress) -> Bench {
    let mut bench = Bench::new(policy, sources, true);
    bench.machine = bench.machine.resume(progress);
    bench
}

fn other_tag() -> Head {
    Head { etag: Some("\"b\"".into()), ..part("4-9/10") }
}

#[test]
fn a_later_call_goes_on() {
    let source = Bench::plain().machine.source().to_owned();
    let mut bench = resumed(unverified(), &[C], left("0-3", &source));
    assert_eq!(bench.machine.covered(), 4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.head(lane, &Head { etag: Some("\"a\"".into()), ..part("4-9/10") });
    bench.reads(lane, 4, 6);
    assert_eq!(bench.done(), Finished { total: Some(10), info: None, attempts: 1, resumed: true });
}

#[test]
fn a_complete_file_needs_no_request() {
    let mut bench = resumed(DownloadPolicy::default(), &[C], left("0-9", C));
    bench.verifies(10);
    bench.machine.verified(bench.now, Ok(info()));
    assert_eq!(bench.done().attempts, 0);
}

#[test]
fn the_same_source_must_show_the_same_tag() {
    let mut bench = resumed(unverified(), &[C], left("0-3", C));
    let lane = bench.asks(Some((4, Some(10))));
    bench.drops(lane, &other_tag());
    bench.resets();
}

#[test]
fn another_source_has_tags_of_its_own_but_the_same_length() {
    let mut bench = resumed(unverified(), &[C], left("0-3", "https://elsewhere.example/video"));
    let lane = bench.asks(Some((4, Some(10))));
    bench.head(lane, &other_tag());
    let mut bench = resumed(unverified(), &[C], left("0-3", "https://elsewhere.example/video"));
    let lane = bench.asks(Some((4, Some(10))));
    bench.drops(lane, &part("4-10/11"));
    bench.resets();
}

#[test]
fn whether_the_source_is_the_same_may_turn_out_after_the_query() {
    for (source, same) in [(C, true), ("https://elsewhere.example/video", false)] {
        let mut bench = resumed(unverified(), &[], left("0-3", source));
        bench.queries();
        bench.machine.queried(bench.now, Ok(urls(&[C])));
        let lane = bench.asks(Some((4, Some(10))));
        if same {
            bench.drops(lane, &other_tag());
        } else {
            bench.head(lane, &other_tag());
        }
    }
}

#[test]
fn what_nobody_can_have_written_is_thrown_away() {
    let mut bench = resumed(unverified(), &[C], left("0-19", C));
    bench.resets();
    bench.asks(None);
    assert!(!bench.machine.resumed);
}

#[test]
fn a_sidecar_survives_being_written_and_read() {
    let bench = Bench::plain().after_a_cut(4);
    let progress = bench.machine.progress();
    let line = PartState::new(None, Some("boot")).describe(&progress.validators, &progress.source).unwrap();
    let kept = PartState::read(None, Some("boot"), line.as_bytes(), 4).unwrap().progress;
    assert_eq!(kept, progress);
    let mut bench = resumed(unverified(), &[C], kept);
    bench.asks(Some((4, Some(10))));
}

#[test]
fn while_the_length_is_not_known_one_lane_reads() {
    let progress = Progress { ranges: "0-1,4-5".parse().unwrap(), ..Progress::default() };
    let mut bench = resumed(DownloadPolicy { connections: 4, ..unverified() }, &[C], progress);
    bench.asks(Some((2, Some(4))));
    bench.is_idle();
}

fn wanted(range: Range<u64>) -> Bench {
    Bench::new(DownloadPolicy { wanted: Some(range), ..DownloadPolicy::default() }, &[C], false)
}

#[test]
fn a_part_of_the_file_is_one_request() {
    let mut bench = wanted(2..6);
    let lane = bench.asks(Some((2, Some(6))));
    bench.head(lane, &part("2-5/10"));
    assert_eq!((bench.machine.total(), bench.machine.wanted_length()), (Some(10), Some(4)));
    bench.reads(lane, 2, 4);
    // A part has no structure that could be checked.
    assert_eq!(bench.done(), Finished { total: Some(10), info: None, attempts: 1, resumed: false });
}

#[test]
fn only_the_wanted_bytes_of_a_whole_answer_are_handed_on() {
    let mut bench = wanted(2..6);
    let lane = bench.asks(Some((2, Some(6))));
    bench.head(lane, &ok(10));
    assert_eq!(bench.machine.data(lane, 1), Place { skip: 1, write: 0, at: 1, finished: false });
    assert_eq!(bench.machine.data(lane, 9), Place { skip: 1, write: 4, at: 2, finished: true });
    bench.done();
}

#[test]
fn more_than_was_asked_for_is_left_alone() {
    let mut bench = wanted(2..6);
    let lane = bench.asks(Some((2, Some(6))));
    bench.head(lane, &part("2-9/10"));
    assert_eq!(bench.machine.data(lane, 8), Place { skip: 0, write: 4, at: 2, finished: true });
    bench.done();
    // The end of the body is not known: the end of the part is.
    let mut bench = wanted(0..6);
    let lane = bench.asks(Some((0, Some(6))));
    bench.head(lane, &Head { status: 200, ..Head::default() });
    assert_eq!(bench.machine.data(lane, 8), Place { skip: 0, write: 6, at: 0, finished: true });
    bench.done();
}

#[test]
fn a_part_ends_with_the_file() {
    let mut bench = wanted(8..20);
    let lane = bench.asks(Some((8, Some(20))));
    bench.head(lane, &part("8-9/10"));
    bench.reads(lane, 8, 2);
    assert_eq!(bench.done().total, Some(10));
    // A browser does not see that this is the end; the next request tells.
    let mut bench = wanted(8..20);
    let lane = bench.asks(Some((8, Some(20))));
    bench.head(lane, &hidden(2));
    bench.reads(lane, 8, 2);
    let lane = bench.asks(Some((10, Some(20))));
    bench.machine.refused(bench.now, lane, past_the_end(416));
    bench.done();
}

#[test]
fn a_part_beyond_the_end_is_empty() {
    for status in [416, 502] {
        let mut bench = wanted(20..30);
        let lane = bench.asks(Some((20, Some(30))));
        bench.machine.refused(bench.now, lane, past_the_end(status));
        // Where the file ends was not said, but not behind this.
        assert_eq!(bench.done(), Finished { total: Some(20), info: None, attempts: 1, resumed: false });
        assert_eq!(bench.machine.covered(), 0);
    }
    let mut bench = wanted(20..30);
    let lane = bench.asks(Some((20, Some(30))));
    bench.head(lane, &ok(10));
    bench.closes(lane);
    assert_eq!(bench.done().total, Some(10));
    assert_eq!((bench.machine.covered(), bench.machine.wanted_length()), (0, Some(0)));
}

#[test]
fn a_part_of_an_empty_file_is_empty() {
    let mut bench = wanted(0..5);
    let lane = bench.asks(Some((0, Some(5))));
    bench.head(lane, &ok(0));
    bench.closes(lane);
    assert_eq!(bench.done().total, Some(0));
}

#[test]
fn an_empty_part_is_there_already() {
    #[allow(clippy::reversed_empty_ranges)]
    for range in [3..3, 5..2] {
        assert_eq!(wanted(range).done().attempts, 0);
    }
}

#[test]
fn the_end_of_an_open_part_without_a_length_is_seen_twice() {
    let mut bench = wanted(2..u64::MAX);
    for _ in 0..2 {
        let (lane, _, range) = bench.open();
        assert!(range.is_some_and(|(start, end)| start >= 2 && end.is_none()));
        bench.head(lane, &Head { status: 200, ..Head::default() });
        bench.machine.data(lane, 5);
        bench.machine.data(lane, 3);
        bench.machine.ended(bench.now, lane);
    }
    bench.done();
    assert_eq!(bench.machine.progress().ranges.to_string(), "2-7");
}

#[test]
fn the_next_part_knows_the_file_but_not_the_end_of_the_last() {
    let mut bench = wanted(20..30);
    let lane = bench.asks(Some((20, Some(30))));
    bench.machine.refused(bench.now, lane, past_the_end(416));
    bench.done();
    let known = Progress { ranges: RangeSet::new(), ..left("", C) };
    bench.machine.next_part(bench.now, 2..6, Progress { source: C.to_owned(), ..known });
    let lane = bench.asks(Some((2, Some(6))));
    bench.drops(lane, &Head { etag: Some("\"b\"".into()), ..part("2-5/10") });
    bench.resets();
    let lane = bench.asks(Some((2, Some(6))));
    bench.head(lane, &part("2-5/10"));
    bench.reads(lane, 2, 4);
    assert_eq!(bench.done().attempts, 2);
}

#[test]
fn a_file_that_was_longer_a_moment_ago_is_another() {
    let mut bench = wanted(2..8);
    let lane = bench.asks(Some((2, Some(8))));
    bench.head(lane, &hidden(6));
    bench.reads(lane, 2, 3);
    bench.lost(lane);
    let lane = bench.asks(Some((5, Some(8))));
    bench.machine.refused(bench.now, lane, past_the_end(416));
    bench.resets();
    bench.asks(Some((2, Some(8))));
}
