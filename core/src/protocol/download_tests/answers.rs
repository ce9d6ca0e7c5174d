//! What the head of an answer and the end of a body are taken for.

use super::*;
use crate::net::transport::Headers;

#[test]
fn a_whole_answer_needs_one_plain_request() {
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
    let lane = bench.asks(None);
    assert!(!bench.machine.expects_beginning(lane));
    bench.head(lane, &ok(10));
    assert!(bench.machine.expects_beginning(lane));
    assert_eq!((bench.machine.total(), bench.machine.wanted_length()), (Some(10), Some(10)));
    bench.reads(lane, 0, 4);
    assert!(!bench.machine.expects_beginning(lane));
    assert_eq!(bench.machine.data(lane, 6), Place { skip: 0, write: 6, at: 4, finished: true });
    bench.verifies(10);
    bench.is_idle();
    bench.machine.verified(bench.now, Ok(info()));
    assert_eq!(bench.done(), Finished { total: Some(10), info: Some(info()), attempts: 1, resumed: false });
}

/// Cut to it, a video that was paid for would never pass the check.
#[test]
fn the_length_of_a_packed_answer_is_not_that_of_its_bytes() {
    let length = |coding: &str| {
        let headers = [("Content-Length", "10"), ("Content-Encoding", coding)];
        Head::new(200, &Headers::from_iter(headers)).length
    };
    assert_eq!((length("gzip"), length("br")), (None, None));
    assert_eq!(length("Identity"), Some(10));
}

#[test]
fn a_coding_that_packs_bytes_is_told_from_other_words() {
    let compressed = |coding: &str| Head::new(206, &Headers::from_iter([("Content-Encoding", coding)])).compressed;
    for (coding, is) in [
        ("gzip", true),
        ("GZIP", true),
        ("br", true),
        ("identity, zstd", true),
        ("", false),
        ("identity", false),
        ("aws-chunked", false),
        ("utf-8", false),
    ] {
        assert_eq!(compressed(coding), is, "{coding:?}");
    }
}

/// Just after SUCCESS a gateway answers 200 without a byte. It is no video of length 0, and what is there stays.
#[test]
fn an_empty_answer_is_a_file_that_is_not_there_yet() {
    for verify in [false, true] {
        for length in [0, 4] {
            let policy = DownloadPolicy { verify, ..DownloadPolicy::default() };
            let mut bench = Bench::new(policy, &[C], false);
            if length > 0 {
                bench = bench.after_a_cut(length);
            }
            let range = (length > 0).then_some((length, Some(10)));
            for _ in 0..4 {
                let lane = bench.asks(range);
                bench.drops(lane, &ok(0));
            }
            let lane = bench.asks(range);
            bench.head(lane, &ok(10));
            let place = bench.machine.data(lane, 10);
            assert_eq!((place.skip, place.write), (length, 10 - length));
        }
    }
    // For ever, it is the end.
    let mut bench = Bench::plain();
    for _ in 0..9 {
        let lane = bench.asks(None);
        bench.drops(lane, &ok(0));
    }
    let error = bench.fails(ErrorKind::Download);
    assert!(error.to_string().contains("the answer is empty, not a video"), "{error}");
    assert!(bench.elapsed() > Duration::from_secs(30), "longer than a file was seen to settle");
}

/// What was refused by the check is kept, unless there is another file: an empty one is none.
#[test]
fn an_empty_answer_is_no_other_file() {
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 10);
    bench.verifies(10);
    bench.machine.verified(bench.now, Err(cut_mp4()));
    let lane = bench.asks(None);
    bench.drops(lane, &ok(0));
    assert_eq!(bench.machine.covered(), 10);
    let lane = bench.asks(None);
    bench.head(lane, &ok(12));
    bench.resets();
}

/// Which bytes a part without `Content-Range` brings is not said: the driver looks at the first ones.
#[test]
fn a_part_that_does_not_say_where_it_belongs_is_looked_at() {
    for (head, trusted) in [(hidden(6), true), (Head { status: 206, ..Head::default() }, true), (part("4-9/10"), false)]
    {
        let mut bench = Bench::plain().after_a_cut(4);
        let lane = bench.asks(Some((4, Some(10))));
        bench.head(lane, &head);
        assert_eq!(bench.machine.trusts_place(lane), trusted);
        bench.reads(lane, 4, 3);
        assert!(!bench.machine.trusts_place(lane), "only its first bytes tell");
    }
    let mut bench = Bench::plain();
    for round in 0..2 {
        let lane = bench.asks(None);
        bench.head(lane, &ok(10));
        assert!(!bench.machine.trusts_place(lane));
        bench.reads(lane, 0, 4);
        bench.lost(lane);
        let lane = bench.asks(Some((4, Some(10))));
        bench.head(lane, &hidden(6));
        bench.machine.misplaced(bench.now, lane);
        if round == 0 {
            bench.resets();
            assert_eq!(bench.machine.covered(), 0);
        }
    }
    bench.fails(ErrorKind::Integrity);
}

#[test]
fn a_cut_body_is_gone_on_with() {
    let mut bench = Bench::plain().after_a_cut(4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.head(lane, &part("4-9/10"));
    bench.reads(lane, 4, 6);
    assert_eq!(bench.done(), Finished { total: Some(10), info: None, attempts: 2, resumed: true });
}

#[test]
fn a_body_that_ends_early_without_an_error_is_a_cut_too() {
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 4);
    bench.machine.ended(bench.now, lane);
    bench.asks(Some((4, Some(10))));
}

#[test]
fn in_a_browser_the_length_says_what_content_range_cannot() {
    let mut bench = Bench::plain().after_a_cut(4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.head(lane, &hidden(6));
    bench.reads(lane, 4, 6);
    bench.done();
    // Where the length was not known either, the rest tells it.
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &Head { status: 200, ..Head::default() });
    bench.reads(lane, 0, 4);
    bench.lost(lane);
    let lane = bench.asks(Some((4, None)));
    bench.head(lane, &hidden(6));
    assert_eq!(bench.machine.total(), Some(10));
    bench.reads(lane, 4, 6);
    assert_eq!(bench.done().total, Some(10));
}

#[test]
fn a_hidden_part_that_is_the_whole_file_is_not_believed() {
    let mut bench = Bench::plain().after_a_cut(4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.drops(lane, &hidden(10));
    bench.resets();
}

#[test]
fn an_answer_that_ignores_the_range_is_passed_over_to_the_new_bytes() {
    let mut bench = Bench::plain().after_a_cut(4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.head(lane, &ok(10));
    assert_eq!(bench.machine.data(lane, 3), Place { skip: 3, write: 0, at: 3, finished: false });
    assert_eq!(bench.machine.data(lane, 7), Place { skip: 1, write: 6, at: 4, finished: true });
    assert_eq!(bench.done().total, Some(10));
}

#[test]
fn an_answer_that_ignores_the_range_fills_every_gap() {
    let progress = Progress {
        ranges: "0-1,4-5".parse().unwrap(),
        validators: Validators { total: Some(10), ..Validators::default() },
        source: C.to_owned(),
    };
    let mut bench = Bench::plain();
    bench.machine = bench.machine.resume(progress);
    let lane = bench.asks(Some((2, Some(4))));
    bench.head(lane, &ok(10));
    assert_eq!(bench.machine.data(lane, 10), Place { skip: 2, write: 2, at: 2, finished: false });
    // What is left of the piece is told again.
    assert_eq!(bench.machine.data(lane, 6), Place { skip: 2, write: 4, at: 6, finished: true });
    assert_eq!(bench.done().attempts, 1);
}

/// Each is another file, or another place in it: once from the beginning, the second time an error.
#[test]
fn another_file_is_read_anew_once() {
    for (name, first, second) in [
        ("start", ok(10), part("5-9/10")),
        ("the beginning again", ok(10), part("0-9/10")),
        ("total", ok(10), part("4-9/11")),
        ("total of a whole answer", ok(10), ok(11)),
        ("length against content-range", ok(10), Head { length: Some(3), ..part("4-9/10") }),
        ("no content-range at all", ok(10), part("4-9")),
        ("not satisfied", ok(10), part("*/10")),
        ("compressed", ok(10), Head { compressed: true, ..part("4-9/10") }),
    ] {
        let mut bench = Bench::plain();
        for round in 0..2 {
            let lane = bench.asks(None);
            bench.head(lane, &first);
            bench.reads(lane, 0, 4);
            bench.lost(lane);
            let lane = bench.asks(Some((4, Some(10))));
            bench.drops(lane, &second);
            if round == 0 {
                bench.resets();
                assert_eq!((bench.machine.covered(), bench.machine.total()), (0, None), "{name}");
            }
        }
        let error = bench.fails(ErrorKind::Integrity);
        assert_eq!(error.record().attempts, 4, "{name}");
    }
}

/// Two nodes of one service with tags of their own: once from the beginning on one connection, then by the bytes.
#[test]
fn tags_that_differ_from_answer_to_answer_are_no_reason_to_give_up() {
    let tagged = |head: Head, etag: &str| Head { etag: Some(etag.into()), ..head };
    let dated =
        |head: Head, second: u32| Head { last_modified: Some(format!("Mon, 01 Jun 2026 10:00:0{second} GMT")), ..head };
    for (name, first, second) in [
        ("etag", tagged(ok(40_000), "\"a\""), tagged(part("30000-39999/40000"), "\"b\"")),
        ("etag of a whole answer", tagged(ok(40_000), "\"a\""), tagged(ok(40_000), "\"b\"")),
        ("weak etag", tagged(ok(40_000), "W/\"a\""), tagged(part("30000-39999/40000"), "W/\"b\"")),
        ("date", dated(ok(40_000), 1), dated(part("30000-39999/40000"), 2)),
    ] {
        for same in [true, false] {
            let mut bench = Bench::new(DownloadPolicy { connections: 4, ..unverified() }, &[C], false);
            for round in 0..2 {
                let lane = bench.asks(None);
                bench.head(lane, &first);
                bench.reads(lane, 0, 30_000);
                bench.lost(lane);
                assert_eq!((bench.machine.may_compare(), bench.machine.compares()), (round == 1, false));
                let lane = bench.asks(Some((30_000, Some(40_000))));
                bench.drops(lane, &second);
                if round == 0 {
                    bench.resets();
                    assert_eq!((bench.machine.covered(), bench.machine.total()), (0, None), "{name}");
                }
            }
            // With bytes that are there already.
            let from = 30_000 - OVERLAP;
            let lane = bench.asks(Some((from, Some(40_000))));
            bench.is_idle();
            assert!(bench.machine.compares());
            bench.head(lane, &tagged(part(&format!("{from}-39999/40000")), "\"c\""));
            assert_eq!(
                bench.machine.data(lane, OVERLAP),
                Place { skip: OVERLAP, write: 0, at: 30_000, finished: false }
            );
            if same {
                bench.reads(lane, 30_000, 10_000);
                assert_eq!(bench.done().attempts, 5, "{name}");
            } else {
                bench.machine.differs();
                bench.closes(lane);
                bench.fails(ErrorKind::Integrity);
            }
        }
    }
}

#[test]
fn another_length_is_another_file_whatever_the_tags() {
    let tagged = |head: Head, etag: &str| Head { etag: Some(etag.into()), ..head };
    let mut bench = Bench::plain();
    for _ in 0..2 {
        let lane = bench.asks(None);
        bench.head(lane, &tagged(ok(10), "\"a\""));
        bench.reads(lane, 0, 4);
        bench.lost(lane);
        let lane = bench.asks(Some((4, Some(10))));
        bench.drops(lane, &tagged(part("4-10/11"), "\"a\""));
        if bench.machine.restarts == 1 {
            bench.resets();
        }
    }
    bench.fails(ErrorKind::Integrity);
}

#[test]
fn the_same_file_may_look_different() {
    let monday = "Mon, 01 Jun 2026 10:00:00 GMT".to_owned();
    for (first, second) in [
        (Head { etag: Some("\"a\"".into()), ..ok(10) }, Head { etag: Some("W/\"a\"".into()), ..part("4-9/10") }),
        (Head { etag: Some("\"a\"".into()), ..ok(10) }, Head { last_modified: Some(monday), ..part("4-9/*") }),
        (ok(10), Head { length: Some(6), ..part("4-9/10") }),
        (Head { content_type: Some("video/mp4".into()), ..ok(10) }, hidden(6)),
        (ok(10), Head { status: 206, ..Head::default() }),
    ] {
        let mut bench = Bench::plain();
        let lane = bench.asks(None);
        bench.head(lane, &first);
        bench.reads(lane, 0, 4);
        bench.lost(lane);
        let lane = bench.asks(Some((4, Some(10))));
        bench.head(lane, &second);
        bench.reads(lane, 4, 6);
        bench.done();
    }
}

#[test]
fn a_part_shorter_than_asked_is_followed_by_the_next() {
    let mut bench = Bench::plain().after_a_cut(4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.head(lane, &part("4-6/10"));
    bench.reads(lane, 4, 3);
    bench.asks(Some((7, Some(10))));
    assert_eq!(bench.machine.total(), Some(10));
}

#[test]
fn a_hidden_part_of_another_length_is_not_believed() {
    // It may be from another place, which nothing else would show.
    let mut bench = Bench::plain().after_a_cut(4);
    let lane = bench.asks(Some((4, Some(10))));
    bench.drops(lane, &hidden(3));
    bench.resets();
    bench.asks(None);
}

#[test]
fn a_part_without_a_byte_is_a_failure_and_no_loop() {
    let mut bench = Bench::plain().after_a_cut(4);
    for _ in 0..9 {
        let lane = bench.asks(Some((4, Some(10))));
        bench.head(lane, &hidden(0));
        bench.machine.ended(bench.now, lane);
    }
    bench.fails(ErrorKind::Download);
    assert!(bench.elapsed() > Duration::from_secs(30));
}

#[test]
fn a_body_without_a_length_is_judged_by_the_structure() {
    let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
    let lane = bench.asks(None);
    bench.head(lane, &Head { status: 200, ..Head::default() });
    bench.reads(lane, 0, 4);
    bench.machine.ended(bench.now, lane);
    bench.verifies(4);
    // A sidecar written now would not call the guess a fact.
    assert_eq!((bench.machine.total(), bench.machine.progress().validators.total), (None, None));
    bench.machine.verified(bench.now, Err(cut_mp4()));
    // It was cut: nothing is thrown away.
    let lane = bench.asks(Some((4, None)));
    bench.head(lane, &part("4-9/10"));
    bench.reads(lane, 4, 6);
    bench.verifies(10);
    bench.machine.verified(bench.now, Ok(info()));
    let finished = bench.done();
    assert_eq!((finished.total, finished.resumed), (Some(10), true));
}

#[test]
fn a_body_without_a_length_whose_end_is_certain_is_not_read_on() {
    for second in [Some(416), Some(502), None] {
        let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
        let lane = bench.asks(None);
        bench.head(lane, &Head { status: 200, ..Head::default() });
        bench.reads(lane, 0, 4);
        bench.machine.ended(bench.now, lane);
        bench.verifies(4);
        bench.machine.verified(bench.now, Err(cut_mp4()));
        let lane = bench.asks(Some((4, None)));
        if let Some(status) = second {
            bench.machine.refused(bench.now, lane, past_the_end(status));
        } else {
            bench.head(lane, &Head { status: 200, ..Head::default() });
            assert_eq!(bench.machine.data(lane, 4).skip, 4);
            bench.machine.ended(bench.now, lane);
        }
        bench.verifies(4);
        // The file itself is not whole yet. What no head shows is asked for behind the end, where that works.
        bench.machine.verified(bench.now, Err(cut_mp4()));
        let lane = bench.asks(if second.is_some() { Some((4, None)) } else { None });
        if let Some(status) = second {
            bench.machine.refused(bench.now, lane, past_the_end(status));
            let lane = bench.asks(Some((4, None)));
            bench.drops(lane, &part("4-9/10"));
            bench.resets();
            bench.asks(None);
        } else {
            bench.drops(lane, &Head { status: 200, ..Head::default() });
            let error = loop {
                match bench.next() {
                    DownloadStep::Open { lane, range: None, .. } => {
                        bench.drops(lane, &Head { status: 200, ..Head::default() });
                    }
                    DownloadStep::Done(result) => break result.unwrap_err(),
                    step => panic!("{step:?}"),
                }
            };
            assert!(error.to_string().contains("ends every connection after 4 bytes, so that no save can"), "{error}");
        }
    }
}

#[test]
fn fragments_without_a_length_are_believed_when_nothing_is_behind_them() {
    for (info, asked) in
        [(Mp4Info { fragmented: true, ..info() }, true), (Mp4Info { loose_end: true, ..info() }, true), (info(), false)]
    {
        let mut bench = Bench::new(DownloadPolicy::default(), &[C], false);
        let lane = bench.asks(None);
        bench.head(lane, &Head { status: 200, ..Head::default() });
        bench.reads(lane, 0, 4);
        bench.machine.ended(bench.now, lane);
        bench.verifies(4);
        bench.machine.verified(bench.now, Ok(info.clone()));
        if asked {
            // It was cut between two fragments.
            let lane = bench.asks(Some((4, None)));
            bench.head(lane, &Head { length: None, ..part("4-6/*") });
            bench.reads(lane, 4, 3);
            let lane = bench.asks(Some((7, None)));
            bench.machine.refused(bench.now, lane, past_the_end(416));
            bench.verifies(7);
            bench.machine.verified(bench.now, Ok(info));
        }
        assert_eq!(bench.done().total, Some(if asked { 7 } else { 4 }));
    }
}

#[test]
fn without_a_check_the_end_of_a_body_without_a_length_is_seen_twice() {
    let chunked = Head { status: 200, ..Head::default() };
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &chunked);
    bench.reads(lane, 0, 4);
    bench.machine.ended(bench.now, lane);
    let lane = bench.asks(Some((4, None)));
    bench.head(lane, &chunked);
    // The first end was none.
    assert_eq!(bench.machine.data(lane, 6), Place { skip: 4, write: 2, at: 4, finished: false });
    bench.machine.ended(bench.now, lane);
    let lane = bench.asks(Some((6, None)));
    bench.machine.refused(bench.now, lane, past_the_end(502));
    assert_eq!(bench.done().total, Some(6));
}

#[test]
fn a_page_is_no_video() {
    let typed = |kind: &str| Head { content_type: Some(kind.into()), ..ok(10) };
    // Its first bytes say so.
    for head in [typed("text/html; charset=utf-8"), typed("Application/JSON")] {
        let mut bench = Bench::new(unverified(), &[R, C], false);
        let lane = bench.asks_at(R);
        bench.head(lane, &head);
        assert!(bench.machine.doubts_type(lane));
        bench.machine.not_a_video(bench.now, lane);
        let shown = bench.machine.last_error.as_ref().unwrap().to_string();
        assert!(shown.contains("not a video") && shown.contains("HTTP 200"), "{shown}");
        bench.asks_at(C);
        assert_eq!((bench.machine.covered(), bench.machine.total()), (0, None));
    }
    // There are none.
    for head in [Head { status: 204, ..ok(0) }, Head { length: Some(0), ..typed("text/html") }] {
        let mut bench = Bench::new(unverified(), &[R, C], false);
        let lane = bench.asks_at(R);
        bench.drops(lane, &head);
        bench.asks_at(C);
    }
    for kind in ["video/mp4", "application/octet-stream", "binary/whatever", ""] {
        let mut bench = Bench::plain();
        let lane = bench.asks(None);
        bench.head(lane, &typed(kind));
        assert!(!bench.machine.doubts_type(lane));
    }
}

#[test]
fn a_wrong_content_type_alone_refuses_nothing() {
    let page = |head: Head| Head { content_type: Some("text/html".into()), ..head };
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &page(ok(10)));
    bench.machine.is_a_video(lane);
    bench.reads(lane, 0, 4);
    bench.lost(lane);
    // It calls every answer so.
    let lane = bench.asks(Some((4, Some(10))));
    bench.head(lane, &page(part("4-9/10")));
    bench.reads(lane, 4, 6);
    bench.done();
    // A page in the middle, where the first bytes cannot tell, is none of the video, and neither is its length.
    for head in [page(part("4-9/10")), page(ok(77))] {
        let mut bench = Bench::new(unverified(), &[C], true).after_a_cut(4);
        let lane = bench.asks(Some((4, Some(10))));
        bench.drops(lane, &head);
        bench.queries();
        assert_eq!((bench.machine.covered(), bench.machine.total()), (4, Some(10)));
    }
}

#[test]
fn a_body_that_does_not_begin_like_an_mp4_is_given_up() {
    let mut bench = Bench::new(unverified(), &[C], true);
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.machine.not_a_video(bench.now, lane);
    bench.queries();
    bench.machine.queried(bench.now, Ok(urls(&[C])));
    // It may pass, but not for ever.
    for _ in 0..9 {
        let lane = bench.asks(None);
        bench.head(lane, &ok(10));
        bench.machine.not_a_video(bench.now, lane);
    }
    let error = bench.fails(ErrorKind::Download);
    assert!(error.to_string().contains("not an MP4 by its first bytes"), "{error}");
}

#[test]
fn the_length_of_what_is_no_video_is_not_the_videos() {
    let mut bench = Bench::new(unverified(), &[C], true);
    let lane = bench.asks(None);
    bench.head(lane, &ok(77));
    bench.machine.not_a_video(bench.now, lane);
    bench.queries();
    bench.machine.queried(bench.now, Ok(urls(&[C])));
    let lane = bench.asks(None);
    bench.head(lane, &ok(10));
    bench.reads(lane, 0, 10);
    assert_eq!((bench.machine.restarts, bench.done().total), (0, Some(10)));
}

#[test]
fn an_empty_part_is_no_end_of_the_file() {
    let nameless = |status| Head { status, ..Head::default() };
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &nameless(200));
    bench.reads(lane, 0, 4);
    bench.machine.ended(bench.now, lane);
    let lane = bench.asks(Some((4, None)));
    bench.head(lane, &nameless(206));
    bench.machine.ended(bench.now, lane);
    bench.asks(Some((4, None)));
}

#[test]
fn the_end_of_another_file_is_not_its_end() {
    let tagged = |etag: &str| Head { status: 200, etag: Some(etag.into()), ..Head::default() };
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &tagged("\"a\""));
    bench.reads(lane, 0, 4);
    bench.machine.ended(bench.now, lane);
    let lane = bench.asks(Some((4, None)));
    bench.drops(lane, &tagged("\"b\""));
    bench.resets();
    let lane = bench.asks(None);
    bench.head(lane, &tagged("\"b\""));
    bench.reads(lane, 0, 4);
    bench.machine.ended(bench.now, lane);
    bench.asks(Some((4, None)));
}

#[test]
fn a_file_that_is_shorter_than_what_was_read_is_another_one() {
    let mut bench = Bench::plain();
    let lane = bench.asks(None);
    bench.head(lane, &Head { status: 200, ..Head::default() });
    bench.reads(lane, 0, 10);
    bench.lost(lane);
    let lane = bench.asks(Some((10, None)));
    // The length is told for the first time, and it cannot be that of the file that was begun.
    bench.drops(lane, &ok(8));
    bench.resets();
}
