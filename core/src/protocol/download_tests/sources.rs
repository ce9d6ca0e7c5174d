//! Where the video is read from: the link of the task, a fresh one, the content path.

use super::*;

#[test]
fn a_result_url_that_our_key_cannot_open_is_left_for_the_content_path() {
    let mut bench = Bench::new(unverified(), &[R, C], true);
    let lane = bench.asks_at(R);
    bench.refused(lane, ErrorKind::Authentication, 401);
    let lane = bench.asks_at(C);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 10);
    assert_eq!(bench.done().attempts, 2);
    assert_eq!(bench.elapsed(), Duration::ZERO);
}

#[test]
fn a_401_on_the_content_path_too_is_the_key() {
    let mut bench = Bench::new(unverified(), &[R, C], false);
    for url in [R, C] {
        let lane = bench.asks_at(url);
        bench.refused(lane, ErrorKind::Authentication, 401);
    }
    bench.fails(ErrorKind::Authentication);
}

#[test]
fn for_an_expired_link_the_task_is_asked_for_a_fresh_one() {
    for (kind, status) in [(ErrorKind::PermissionDenied, 403), (ErrorKind::NotFound, 404)] {
        let mut bench = Bench::new(unverified(), &[R, C], true);
        let lane = bench.asks_at(R);
        bench.head(lane, &Head { etag: Some("\"a\"".into()), ..ok(10) });
        bench.reads(lane, 0, 4);
        bench.lost(lane);
        let lane = bench.asks_at(R);
        bench.refused(lane, kind, status);
        bench.queries();
        bench.is_idle();
        let fresh = "https://r.example/video?sig=2";
        bench.machine.queried(bench.now, Ok(urls(&[fresh, C])));
        let lane = bench.asks_at(fresh);
        // It is the same file by another signature, so its tag must be the same.
        bench.drops(lane, &Head { etag: Some("\"b\"".into()), ..part("4-9/10") });
        bench.resets();
    }
}

#[test]
fn the_same_unusable_link_again_is_passed_over() {
    let mut bench = Bench::new(unverified(), &[R, C], true);
    let lane = bench.asks_at(R);
    bench.refused(lane, ErrorKind::PermissionDenied, 403);
    bench.queries();
    bench.machine.queried(bench.now, Ok(urls(&[R, C])));
    let lane = bench.asks_at(C);
    // And the task is not asked a second time for nothing.
    bench.refused(lane, ErrorKind::Authentication, 401);
    bench.fails(ErrorKind::Authentication);
}

#[test]
fn another_host_has_other_tags() {
    let mut bench = Bench::new(unverified(), &[R, C], false);
    let lane = bench.asks_at(R);
    bench.head(lane, &Head { etag: Some("\"a\"".into()), ..ok(10) });
    bench.reads(lane, 0, 4);
    bench.lost(lane);
    let lane = bench.asks_at(R);
    bench.refused(lane, ErrorKind::NotFound, 404);
    let (lane, url, range) = bench.open();
    assert_eq!((url.as_str(), range), (C, Some((4, Some(10)))));
    bench.head(lane, &Head { etag: Some("\"b\"".into()), ..part("4-9/10") });
    bench.reads(lane, 4, 6);
    bench.done();
}

#[test]
fn a_host_that_never_brings_a_byte_is_left_for_the_next() {
    let mut bench = Bench::new(unverified(), &[R, C], false);
    for _ in 0..3 {
        let lane = bench.asks_at(R);
        bench.lost(lane);
    }
    bench.asks_at(C);
    // One that has worked is not left for a few failures.
    let mut bench = Bench::new(unverified(), &[R, C], false).after_a_cut(4);
    for _ in 0..8 {
        let lane = bench.asks_at(R);
        bench.lost(lane);
    }
    bench.asks_at(R);
}

#[test]
fn without_a_connection_the_sources_take_turns() {
    let third = "https://d.example/v1/videos/task_1/content";
    let mut bench = Bench::new(unverified(), &[R, C, third], false);
    for round in 0..9 {
        let before = bench.now;
        for url in [R, C, third] {
            let lane = bench.asks_at(url);
            assert_eq!(bench.now > before, round > 0, "only after the last one there is a pause");
            bench.machine.unreachable(bench.now, lane, "refused");
            // A second word about it is none.
            bench.machine.unreachable(bench.now, lane, "refused");
        }
    }
    assert_eq!(bench.fails(ErrorKind::Download).record().attempts, 27);
    // Beside a lane that reads it means nothing for the source.
    let mut bench = Bench::new(DownloadPolicy { connections: 2, min_part: 1, ..unverified() }, &[R, C], false);
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 1);
    bench.asks_at(R);
    bench.machine.unreachable(bench.now, 1, "refused");
    bench.is_idle();
    bench.reads(lane, 1, 1);
}

#[test]
fn without_a_link_the_task_is_asked_first() {
    let mut bench = Bench::new(unverified(), &[], true);
    bench.queries();
    // A failed query is tried again, but not without a pause.
    for round in 1..=3 {
        let before = bench.now;
        bench.machine.queried(bench.now, Err(refusal(ErrorKind::Upstream, 502)));
        bench.queries();
        assert!(bench.now.since(before) >= Duration::from_millis(250 << (round - 1)), "{round}");
    }
    bench.machine.queried(bench.now, Ok(urls(&[C])));
    bench.asks_at(C);
}

#[test]
fn a_query_that_cannot_succeed_ends_it() {
    let mut bench = Bench::new(unverified(), &[], true);
    bench.queries();
    bench.machine.queried(bench.now, Err(refusal(ErrorKind::NotFound, 404)));
    bench.fails(ErrorKind::NotFound);
    let mut bench = Bench::new(unverified(), &[], true);
    for _ in 0..9 {
        bench.queries();
        bench.machine.queried(bench.now, Err(refusal(ErrorKind::Upstream, 502)));
    }
    bench.fails(ErrorKind::Download);
    // A task without any link.
    let mut bench = Bench::new(unverified(), &[], true);
    bench.queries();
    bench.machine.queried(bench.now, Ok(Vec::new()));
    bench.fails(ErrorKind::Download);
}

#[test]
fn a_source_that_never_settles_is_left_for_the_next() {
    let mut bench = Bench::new(unverified(), &[R, C], false);
    let lane = loop {
        let (lane, url, _) = bench.open();
        if url == C {
            break lane;
        }
        bench.refused(lane, ErrorKind::NotReady, 400);
        assert!(bench.elapsed() < Duration::from_secs(200));
    };
    assert!(bench.elapsed() >= DownloadPolicy::default().settle);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 10);
    bench.done();
}

/// It is shown again the next time: no pause would help.
#[test]
fn a_source_whose_certificate_is_not_valid_is_left_at_once() {
    let invalid = || {
        let error = Error::new(ErrorKind::Connect, Phase::Content, "no secure connection");
        error.with(|record| record.transient = false)
    };
    let mut bench = Bench::new(unverified(), &[R, C], false);
    let (lane, url, _) = bench.open();
    assert_eq!(url, R);
    bench.machine.refused(bench.now, lane, invalid());
    let lane = bench.asks_at(C);
    bench.machine.refused(bench.now, lane, invalid());
    let error = bench.fails(ErrorKind::Connect);
    assert_eq!((error.record().attempts, bench.elapsed()), (2, Duration::ZERO));
}
