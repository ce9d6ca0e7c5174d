//! Refusals, sources, pauses, and when it is over.

use super::*;

#[test]
fn failures_in_a_row_are_counted_and_end_it() {
    let mut bench = Bench::plain();
    let mut last = bench.now;
    for round in 0..9 {
        let lane = bench.asks(None);
        if round > 0 {
            let pause = bench.now.since(last);
            let ceiling = Duration::from_millis(500 << (round - 1)).min(Duration::from_secs(20));
            assert!(pause <= ceiling && pause + Duration::from_millis(1) >= ceiling / 2, "{round}: {pause:?}");
        }
        last = bench.now;
        if round % 2 == 0 { bench.lost(lane) } else { bench.refused(lane, ErrorKind::Upstream, 502) }
    }
    let error = bench.fails(ErrorKind::Download);
    assert_eq!((error.record().attempts, error.is_transient()), (9, true));
    assert!(error.to_string().contains("9 failures in a row"), "{error}");
}

#[test]
fn new_bytes_fill_the_budget_again() {
    let mut bench = Bench::new(unverified(), &[C], false);
    for at in 0..5 {
        for _ in 0..8 {
            let (lane, ..) = bench.open();
            bench.lost(lane);
        }
        let (lane, ..) = bench.open();
        bench.head(lane, &if at == 0 { ok(10) } else { part(&format!("{at}-9/10")) });
        bench.reads(lane, at, 1);
        bench.lost(lane);
    }
    assert_eq!(bench.machine.covered(), 5);
}

#[test]
fn bytes_that_are_there_already_are_no_progress() {
    let mut bench = Bench::plain().after_a_cut(4);
    for round in 0..9 {
        let lane = bench.asks(Some((4, Some(10))));
        bench.head(lane, &ok(10));
        let length = 3 - round % 2;
        assert_eq!(bench.machine.data(lane, length).skip, length);
        bench.lost(lane);
    }
    bench.fails(ErrorKind::Download);
}

#[test]
fn where_every_connection_begins_anew_and_ends_in_the_same_place_no_save_can_finish() {
    let mut bench = Bench::plain().after_a_cut(4);
    for _ in 0..2 {
        let lane = bench.asks(Some((4, Some(10))));
        bench.head(lane, &ok(10));
        assert_eq!(bench.machine.data(lane, 4).skip, 4);
        bench.machine.ended(bench.now, lane);
    }
    let error = bench.fails(ErrorKind::Download);
    assert!(!error.is_transient());
    let shown = error.to_string();
    assert!(
        shown.contains("ignores Range and ends every connection after 4 bytes, so that no save can finish"),
        "{shown}"
    );
    assert!(shown.ends_with("saving again cannot help: contact support with the task id"), "{shown}");
}

#[test]
fn after_a_long_body_it_goes_on_at_once_after_a_crumb_soon() {
    for (length, pauses) in [(100_000, false), (10, true)] {
        let mut bench = Bench::plain();
        let lane = bench.asks(None);
        bench.head(lane, &ok(1_000_000));
        bench.reads(lane, 0, length);
        bench.lost(lane);
        bench.asks(Some((length, Some(1_000_000))));
        assert_eq!(bench.elapsed() > Duration::ZERO, pauses);
        assert!(bench.elapsed() < Duration::from_millis(200));
    }
}

#[test]
fn retry_after_is_obeyed() {
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    let minute = Duration::from_secs(60);
    let error = refusal(ErrorKind::RateLimited, 429).with(|record| record.retry_after = Some(minute));
    bench.machine.refused(bench.now, lane, error);
    bench.asks(None);
    assert!(bench.elapsed() >= minute);
}

#[test]
fn not_ready_is_asked_again_for_a_while() {
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.refused(lane, ErrorKind::NotReady, 400);
    let mut requests = 1;
    let error = loop {
        match bench.next() {
            DownloadStep::Open { lane, .. } => bench.refused(lane, ErrorKind::NotReady, 400),
            DownloadStep::Done(result) => break result.unwrap_err(),
            step => panic!("{step:?}"),
        }
        requests += 1;
    };
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert!(bench.elapsed() >= Duration::from_secs(90) && bench.elapsed() < Duration::from_secs(115));
    assert!((6..=12).contains(&requests), "{requests}");
}

#[test]
fn not_ready_has_its_time_from_the_first_time_on() {
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 4);
    bench.wait(Duration::from_secs(600));
    bench.lost(lane);
    let lane = bench.asks(Some((4, Some(10))));
    bench.refused(lane, ErrorKind::NotReady, 400);
    let lane = bench.asks(Some((4, Some(10))));
    // And anew after every byte.
    bench.head(lane, &part("4-9/10"));
    bench.wait(Duration::from_secs(600));
    bench.reads(lane, 4, 1);
    bench.lost(lane);
    let lane = bench.asks(Some((5, Some(10))));
    bench.refused(lane, ErrorKind::NotReady, 400);
    bench.asks(Some((5, Some(10))));
}

#[test]
fn an_incomplete_file_is_read_anew_when_there_is_another() {
    let of = |length: u64| Head { etag: Some(format!("\"{length}\"")), ..ok(length) };
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
    let lane = bench.asks(None);
    bench.head(lane, &of(10));
    bench.reads(lane, 0, 10);
    bench.verifies(10);
    bench.machine.verified(bench.now, Err(cut_mp4()));
    // The same one still: not a byte of it is read again.
    for _ in 0..2 {
        let lane = bench.asks(None);
        bench.drops(lane, &of(10));
        assert_eq!(bench.machine.covered(), 10);
    }
    let lane = bench.asks(None);
    bench.head(lane, &of(20));
    bench.resets();
    bench.reads(lane, 0, 20);
    bench.verifies(20);
    bench.machine.verified(bench.now, Ok(info()));
    let finished = bench.done();
    assert_eq!((finished.total, finished.attempts, finished.resumed), (Some(20), 4, false));
    assert!(bench.elapsed() > Duration::from_secs(2), "it was given no time: {:?}", bench.elapsed());
}

/// Drives a refused file of ten bytes to its end, and gives how often it was read.
fn refused_to_the_end(bench: &mut Bench, head: impl Fn(u32) -> Head) -> (Error, u32) {
    let (mut requests, mut read) = (0, 0);
    loop {
        match bench.next() {
            DownloadStep::Open { lane, .. } => {
                requests += 1;
                if bench.machine.head(bench.now, lane, &head(requests)) == HeadVerdict::Read {
                    if let DownloadStep::Reset = bench.machine.step(bench.now) {
                        assert_eq!(bench.machine.covered(), 0);
                    }
                    read += 1;
                    bench.reads(lane, 0, 10);
                }
            }
            DownloadStep::Verify { .. } => bench.machine.verified(bench.now, Err(cut_mp4())),
            DownloadStep::Reset => {}
            DownloadStep::Done(result) => return (result.unwrap_err(), read),
            step => panic!("{step:?}"),
        }
    }
}

#[test]
fn a_file_that_stays_incomplete_is_read_once() {
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
    let (error, read) = refused_to_the_end(&mut bench, |_| ok(10));
    assert_eq!((error.kind(), read), (ErrorKind::Integrity, 1));
    assert!(error.record().attempts <= 7, "it was asked for {} times", error.record().attempts);
    assert!((15..=30).contains(&bench.elapsed().as_secs()), "{:?}", bench.elapsed());
    assert_eq!(error.record().field.as_deref(), Some("verify"));
    let shown = error.to_string();
    assert!(shown.contains("at least 20 bytes are needed, 10 are there"), "{shown}");
    assert!(shown.contains("save it with verify off"), "{shown}");
    // Tags that change all the time look like another file: the second time it fails the same way, and that is it.
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
    let (_, read) = refused_to_the_end(&mut bench, |n| Head { etag: Some(format!("\"{n}\"")), ..ok(10) });
    assert_eq!(read, 2);
    // What the bytes are is known by now: unchecked they need no request.
    let progress = bench.machine.progress();
    let mut bench = Bench::plain();
    bench.machine = bench.machine.resume(progress.clone());
    assert_eq!(bench.done().attempts, 0);
    // Checked they need one look.
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
    bench.machine = bench.machine.resume(progress);
    let (_, read) = refused_to_the_end(&mut bench, |_| Head { etag: Some("\"2\"".into()), ..ok(10) });
    assert_eq!((read, bench.elapsed()), (0, Duration::ZERO));
}

#[test]
fn a_look_that_fails_throws_nothing_away() {
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], true);
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 10);
    bench.verifies(10);
    bench.machine.verified(bench.now, Err(cut_mp4()));
    let lane = bench.asks(None);
    bench.refused(lane, ErrorKind::PermissionDenied, 403);
    let lane = bench.asks(None);
    bench.lost(lane);
    let lane = bench.asks(None);
    bench.drops(lane, &Head { content_type: Some("text/html".into()), ..ok(77) });
    assert_eq!((bench.machine.covered(), bench.machine.total()), (10, Some(10)));
    while let DownloadStep::Open { lane, .. } = bench.next() {
        bench.machine.unreachable(bench.now, lane, "refused");
    }
    assert!(bench.elapsed() <= Duration::from_secs(30));
}

#[test]
fn parts_that_nothing_ties_together_are_read_anew_once() {
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], false).after_a_cut(4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.head(lane, &part("4-9/10"));
    bench.reads(lane, 4, 6);
    bench.verifies(10);
    bench.machine.verified(bench.now, Err(cut_mp4()));
    bench.resets();
    let (_, read) = refused_to_the_end(&mut bench, |_| ok(10));
    assert_eq!(read, 1);
}

#[test]
fn an_unknown_video_is_asked_for_a_few_times() {
    let mut bench = Bench::plain();
    for _ in 0..4 {
        let lane = bench.asks(None);
        bench.refused(lane, ErrorKind::NotFound, 404);
    }
    let error = bench.fails(ErrorKind::NotFound);
    assert_eq!(error.record().attempts, 4);
}

#[test]
fn a_blocked_request_is_the_servers_trouble() {
    let mut bench = Bench::plain();
    for _ in 0..9 {
        let lane = bench.asks(None);
        let blocked = refusal(ErrorKind::PermissionDenied, 403).with(|record| record.transient = true);
        bench.machine.refused(bench.now, lane, blocked);
    }
    assert_eq!(bench.fails(ErrorKind::Download).status(), Some(403));
}

#[test]
fn behind_the_known_end_there_must_be_nothing_to_ask_for() {
    for status in [416, 502] {
        let mut bench = Bench::plain().after_a_cut(4);
        let lane = bench.asks(Some((4, Some(10))));
        bench.machine.refused(bench.now, lane, past_the_end(status));
        bench.resets();
        bench.asks(None);
    }
    // Nor does it mean an empty file.
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.machine.refused(bench.now, lane, past_the_end(416));
    bench.fails(ErrorKind::BadRequest);
    // A plain 502 is no such answer.
    let mut bench = Bench::plain().after_a_cut(4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.refused(lane, ErrorKind::Upstream, 502);
    bench.asks(Some((4, Some(10))));
}

#[test]
fn nothing_behind_what_is_there_ends_a_file_of_unknown_length() {
    for status in [416, 502] {
        let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
        let lane = bench.asks(None);
        bench.head(lane, &Head { status: 200, ..Head::default() });
        bench.reads(lane, 0, 4);
        bench.lost(lane);
        let lane = bench.asks(Some((4, None)));
        bench.machine.refused(bench.now, lane, past_the_end(status));
        bench.verifies(4);
        bench.machine.verified(bench.now, Ok(info()));
        assert_eq!(bench.done().total, Some(4));
    }
}

fn in_ten_seconds() -> DownloadPolicy {
    DownloadPolicy { timeout: Some(Duration::from_secs(10)), ..DownloadPolicy::default() }
}

#[test]
fn the_deadline_ends_pauses_transfers_and_queries() {
    let late = Duration::from_secs(10);
    // In a pause: it is not slept over.
    let mut bench = Bench::new(in_ten_seconds(), &[C], false);
    let lane = bench.asks(None);
    let error = refusal(ErrorKind::RateLimited, 429).with(|record| record.retry_after = Some(late * 60));
    bench.machine.refused(bench.now, lane, error);
    let error = bench.fails(ErrorKind::Timeout);
    assert!(error.to_string().contains("HTTP 429"), "what was behind it: {error}");
    assert_eq!(bench.elapsed(), late);
    // In a transfer.
    let mut bench = Bench::new(in_ten_seconds(), &[C], false);
    let lane = bench.asks(None);
    assert!(matches!(bench.machine.step(bench.now), DownloadStep::Wait(Some(until)) if until == bench.now + late));
    bench.wait(late);
    bench.closes(lane);
    bench.fails(ErrorKind::Timeout);
    // In a query: what it brings later changes nothing.
    let mut bench = Bench::new(in_ten_seconds(), &[], true);
    bench.queries();
    assert!(matches!(bench.machine.step(bench.now), DownloadStep::Wait(Some(until)) if until == bench.now + late));
    bench.wait(late);
    bench.fails(ErrorKind::Timeout);
    bench.machine.queried(bench.now, Ok(urls(&[C])));
    assert!(matches!(bench.next(), DownloadStep::Done(Err(error)) if error.kind() == ErrorKind::Internal));
}

#[test]
fn what_is_complete_at_the_deadline_is_not_thrown_away() {
    let mut bench = Bench::new(in_ten_seconds(), &[C], false);
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 10);
    bench.wait(Duration::from_secs(10));
    bench.verifies(10);
    bench.wait(Duration::from_secs(10));
    assert!(matches!(bench.machine.step(bench.now), DownloadStep::Wait(None)), "it would be asked again at once");
    bench.machine.verified(bench.now, Ok(info()));
    bench.done();
}

#[test]
fn late_words_about_a_closed_lane_change_nothing() {
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 10);
    for _ in 0..20 {
        bench.lost(lane);
        bench.machine.ended(bench.now, lane);
        bench.refused(lane, ErrorKind::Authentication, 401);
        bench.machine.not_a_video(bench.now, lane);
        bench.drops(lane, &ok(11));
        assert_eq!(bench.machine.data(lane, 5), Place { skip: 0, write: 0, at: 0, finished: true });
        bench.machine.verified(bench.now, Err(cut_mp4()));
        bench.machine.queried(bench.now, Ok(urls(&[R])));
    }
    assert_eq!(bench.done().attempts, 1);
}
