//! The download machine under any order of events: every byte it places is where the body says it is, none is placed
//! twice without a reset between, and it always comes to an end.
#![no_main]

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use junfeiai::protocol::byte_ranges::RangeSet;
use junfeiai::protocol::mp4::{Mp4Fault, check_slice};
use junfeiai::protocol::{DownloadMachine, DownloadPolicy, DownloadStep, Head, HeadVerdict, Time};
use junfeiai::{Error, ErrorKind, Phase, Url};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Setup {
    connections: u8,
    length: u32,
    sources: u8,
    can_query: bool,
    verify: bool,
    wanted: Option<(u16, u16)>,
}

#[derive(Debug, Arbitrary)]
enum Event {
    /// The head is what the server should say, but for the named lies.
    Head {
        lane: u8,
        ignore_range: bool,
        no_length: bool,
        no_content_range: bool,
        other_etag: bool,
        page: bool,
        shift: u8,
    },
    Data {
        lane: u8,
        bytes: u32,
    },
    Ended {
        lane: u8,
    },
    Lost {
        lane: u8,
    },
    Refused {
        lane: u8,
        kind: u8,
    },
    NotVideo {
        lane: u8,
    },
    Queried {
        good: bool,
        same: bool,
    },
    Verified {
        good: bool,
    },
    Time {
        ms: u32,
    },
}

#[derive(Clone, Copy)]
enum Lane {
    Idle,
    Opening(u64, Option<u64>, bool),
    Body(u64),
}

fn drive(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let setup = Setup::arbitrary(u)?;
    let length = u64::from(setup.length % 20_000_000) + 1;
    let urls: Vec<Url> =
        (0..setup.sources % 3).map(|n| Url::parse(&format!("https://host{n}.example/v")).unwrap()).collect();
    let policy = DownloadPolicy {
        connections: u32::from(setup.connections),
        verify: setup.verify,
        wanted: setup.wanted.map(|(start, size)| u64::from(start)..u64::from(start) + u64::from(size) + 1),
        timeout: Some(Duration::from_secs(3600)),
        ..DownloadPolicy::default()
    };
    let mut now = Time::default();
    let mut machine = DownloadMachine::new(policy, urls.clone(), setup.can_query, now, 1);
    let mut lanes = [Lane::Idle; 16];
    let mut placed = RangeSet::new();
    let (mut querying, mut verifying) = (false, false);
    loop {
        // What the machine wants; it may not want for ever without anything happening.
        let mut steps = 0;
        loop {
            steps += 1;
            assert!(steps < 200, "it runs on");
            match machine.step(now) {
                DownloadStep::Open { lane, range, .. } => {
                    assert!(matches!(lanes[lane], Lane::Idle), "a busy lane was opened");
                    let (start, end) = range.unwrap_or((0, None));
                    assert!(end.is_none_or(|end| end > start));
                    lanes[lane] = Lane::Opening(start, end, range.is_some());
                }
                DownloadStep::Close { lane } => lanes[lane] = Lane::Idle,
                DownloadStep::Reset => placed = RangeSet::new(),
                DownloadStep::Query => querying = true,
                DownloadStep::Verify { .. } => verifying = true,
                DownloadStep::Wait(_) => break,
                DownloadStep::Done(result) => {
                    if let Ok(finished) = result {
                        assert!(finished.total.is_some() || setup.wanted.is_some());
                    }
                    return Ok(());
                }
            }
        }
        if u.is_empty() {
            // What is under way outside is answered; then the deadline ends whatever is left.
            now = now + Duration::from_secs(4000);
            if querying {
                machine.queried(now, Err(Error::new(ErrorKind::Timeout, Phase::Query, "late")));
            }
            if verifying {
                machine.verified(now, Ok(sample()));
            }
            let ends = (0..100).any(|_| matches!(machine.step(now), DownloadStep::Done(_)));
            assert!(ends, "it does not end");
            return Ok(());
        }
        let pick = |lane: u8| usize::from(lane) % lanes.len();
        match Event::arbitrary(u)? {
            Event::Head { lane, ignore_range, no_length, no_content_range, other_etag, page, shift } => {
                let lane = pick(lane);
                let Lane::Opening(start, end, ranged) = lanes[lane] else { continue };
                let partial = ranged && !ignore_range && start < length;
                let from = if partial { start } else { 0 };
                let to = if partial { end.unwrap_or(length).min(length) } else { length };
                let said = from + u64::from(shift % 2);
                let head = Head {
                    status: if partial { 206 } else { 200 },
                    length: (!no_length).then_some(to - from),
                    content_range: (partial && !no_content_range).then(|| format!("bytes {said}-{}/{length}", to - 1)),
                    content_type: page.then(|| "text/html".to_owned()),
                    etag: Some(if other_etag { "\"b\"" } else { "\"a\"" }.to_owned()),
                    last_modified: None,
                    compressed: false,
                };
                lanes[lane] = match machine.head(now, lane, &head) {
                    HeadVerdict::Read => Lane::Body(from),
                    HeadVerdict::Drop => Lane::Idle,
                };
            }
            Event::Data { lane, bytes } => {
                let lane = pick(lane);
                let Lane::Body(mut pos) = lanes[lane] else { continue };
                if bytes % 5 > 0 {
                    machine.is_a_video(lane);
                } else if machine.compares() {
                    machine.differs();
                }
                let mut left = u64::from(bytes % 3_000_000).min(length.saturating_sub(pos));
                while left > 0 {
                    let place = machine.data(lane, left);
                    assert!(place.skip + place.write <= left);
                    if place.write > 0 {
                        assert_eq!(place.at, pos + place.skip, "bytes of one place were put in another");
                        assert_eq!(placed.insert(place.at, place.at + place.write), place.write, "placed twice");
                    }
                    pos += place.skip + place.write;
                    left -= place.skip + place.write;
                    lanes[lane] = Lane::Body(pos);
                    if place.finished {
                        lanes[lane] = Lane::Idle;
                        break;
                    }
                    assert!(place.skip + place.write > 0, "no progress");
                }
            }
            Event::Ended { lane } => {
                let lane = pick(lane);
                if matches!(lanes[lane], Lane::Body(_)) {
                    lanes[lane] = Lane::Idle;
                    machine.ended(now, lane);
                }
            }
            Event::Lost { lane } => {
                let lane = pick(lane);
                if !matches!(lanes[lane], Lane::Idle) {
                    lanes[lane] = Lane::Idle;
                    machine.lost(now, lane, "lost");
                }
            }
            Event::Refused { lane, kind } => {
                let lane = pick(lane);
                if matches!(lanes[lane], Lane::Opening(..)) {
                    lanes[lane] = Lane::Idle;
                    let kind = ErrorKind::ALL[usize::from(kind) % ErrorKind::ALL.len()];
                    machine.refused(now, lane, Error::new(kind, Phase::Content, "refused"));
                }
            }
            Event::NotVideo { lane } => {
                let lane = pick(lane);
                if matches!(lanes[lane], Lane::Body(0)) {
                    lanes[lane] = Lane::Idle;
                    machine.not_a_video(now, lane);
                }
            }
            Event::Queried { good, same } => {
                if std::mem::take(&mut querying) {
                    let fresh = if same { urls.clone() } else { vec![Url::parse("https://fresh.example/v").unwrap()] };
                    let failed = || Error::new(ErrorKind::Upstream, Phase::Query, "failed");
                    machine.queried(now, if good { Ok(fresh) } else { Err(failed()) });
                }
            }
            Event::Verified { good } => {
                if std::mem::take(&mut verifying) {
                    let fault = Mp4Fault::Missing { what: "moov" };
                    machine.verified(now, if good { Ok(sample()) } else { Err(fault) });
                }
            }
            Event::Time { ms } => now = now + Duration::from_millis(u64::from(ms % 120_000)),
        }
    }
}

/// The structure of a file that passes.
fn sample() -> junfeiai::protocol::mp4::Mp4Info {
    check_slice(include_bytes!("../../../core/tests/mp4/ok_plain.mp4")).expect("the sample is whole")
}

fuzz_target!(|data: &[u8]| {
    let _ = drive(&mut Unstructured::new(data));
});
