#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use super::*;

#[path = "download_tests/answers.rs"]
mod answers;
#[path = "download_tests/chaos.rs"]
mod chaos;
#[path = "download_tests/helpers.rs"]
mod helpers;
#[path = "download_tests/lanes.rs"]
mod lanes;
#[path = "download_tests/links.rs"]
mod links;
#[path = "download_tests/random.rs"]
mod random;
#[path = "download_tests/recovery.rs"]
mod recovery;
#[path = "download_tests/resume.rs"]
mod resume;
#[path = "download_tests/simulation.rs"]
mod simulation;
#[path = "download_tests/sources.rs"]
mod sources;

/// What a sound MP4 says.
fn info() -> Mp4Info {
    Mp4Info {
        duration: Some(Duration::from_secs(6)),
        width: Some(1280),
        height: Some(720),
        rotation: 0,
        moov_at_end: false,
        fragmented: false,
        loose_end: false,
        video_codec: Some(*b"avc1"),
        audio_codec: None,
        tracks: 1,
    }
}

/// An error answer, as `classify` makes it.
fn refusal(kind: ErrorKind, status: u16) -> Error {
    Error::new(kind, Phase::Content, format!("HTTP {status}")).with(|record| record.status = Some(status))
}

/// The answer to a range that begins behind the file: a plain 416, or what the proxy makes of it.
fn past_the_end(status: u16) -> Error {
    if status == 416 {
        return refusal(ErrorKind::BadRequest, 416);
    }
    let said = "Upstream service returned status 416";
    refusal(ErrorKind::Upstream, status).with(|record| record.server_message = Some(said.into()))
}

/// What the task said.
const R: &str = "https://r.example/video?sig=1";
/// The content path of our own API.
const C: &str = "https://c.example/v1/videos/task_1/content";

fn urls(urls: &[&str]) -> Vec<Url> {
    urls.iter().map(|url| Url::parse(url).unwrap()).collect()
}

/// Whether the structure is looked at is said by each test that has to do with it.
fn unverified() -> DownloadPolicy {
    DownloadPolicy { verify: false, ..DownloadPolicy::default() }
}

type Requested = Option<(u64, Option<u64>)>;

/// A machine, and a clock that stands still unless the machine waits.
struct Bench {
    machine: DownloadMachine,
    now: Time,
}

impl Bench {
    fn new(policy: DownloadPolicy, sources: &[&str], can_query: bool) -> Self {
        let now = Time::from_start(Duration::from_secs(1000));
        Self { machine: DownloadMachine::new(policy, urls(sources), can_query, now, 7), now }
    }

    fn plain() -> Self {
        Self::new(unverified(), &[C], false)
    }

    /// How long it has been.
    fn elapsed(&self) -> Duration {
        self.now.since(Time::from_start(Duration::from_secs(1000)))
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    /// The next thing to do; pauses are waited for.
    fn next(&mut self) -> DownloadStep {
        loop {
            match self.machine.step(self.now) {
                DownloadStep::Wait(Some(until)) if until > self.now => self.now = until,
                step => return step,
            }
        }
    }

    /// The next request.
    fn open(&mut self) -> (usize, String, Requested) {
        match self.next() {
            DownloadStep::Open { lane, url, range } => (lane, url.to_string(), range),
            step => panic!("a request was expected, not {step:?}"),
        }
    }

    /// The next request, for this range.
    fn asks(&mut self, range: Requested) -> usize {
        let (lane, _, asked) = self.open();
        assert_eq!(asked, range);
        lane
    }

    /// The next request, to this URL.
    fn asks_at(&mut self, url: &str) -> usize {
        let (lane, asked, _) = self.open();
        assert_eq!(asked, url);
        lane
    }

    fn is_idle(&mut self) {
        let step = self.machine.step(self.now);
        assert!(matches!(step, DownloadStep::Wait(_)), "{step:?}");
    }

    fn resets(&mut self) {
        let step = self.next();
        assert!(matches!(step, DownloadStep::Reset), "{step:?}");
    }

    fn queries(&mut self) {
        let step = self.next();
        assert!(matches!(step, DownloadStep::Query), "{step:?}");
    }

    fn closes(&mut self, lane: usize) {
        let step = self.next();
        assert!(matches!(step, DownloadStep::Close { lane: closed } if closed == lane), "{step:?}");
    }

    fn verifies(&mut self, total: u64) {
        let step = self.next();
        assert!(matches!(step, DownloadStep::Verify { total: told } if told == total), "{step:?}");
    }

    fn head(&mut self, lane: usize, head: &Head) {
        assert_eq!(self.machine.head(self.now, lane, head), HeadVerdict::Read, "{head:?}");
    }

    fn drops(&mut self, lane: usize, head: &Head) {
        assert_eq!(self.machine.head(self.now, lane, head), HeadVerdict::Drop, "{head:?}");
    }

    /// So many bytes come, all of them new.
    fn reads(&mut self, lane: usize, at: u64, length: u64) {
        let place = self.machine.data(lane, length);
        assert_eq!((place.skip, place.at, place.write), (0, at, length));
    }

    fn refused(&mut self, lane: usize, kind: ErrorKind, status: u16) {
        self.machine.refused(self.now, lane, refusal(kind, status));
    }

    fn lost(&mut self, lane: usize) {
        self.machine.lost(self.now, lane, "reset by peer");
    }

    fn done(&mut self) -> Finished {
        match self.next() {
            DownloadStep::Done(result) => result.unwrap(),
            step => panic!("the end was expected, not {step:?}"),
        }
    }

    fn fails(&mut self, kind: ErrorKind) -> Error {
        match self.next() {
            DownloadStep::Done(Err(error)) if error.kind() == kind => error,
            step => panic!("{kind} was expected, not {step:?}"),
        }
    }

    /// So many bytes of a file of ten have come, then the connection broke.
    fn after_a_cut(mut self, length: u64) -> Self {
        let lane = self.asks(None);
        self.head(lane, &ok(10));
        self.reads(lane, 0, length);
        self.lost(lane);
        self
    }
}

/// The head of a 200 with `Content-Length`.
fn ok(length: u64) -> Head {
    Head { status: 200, length: Some(length), ..Head::default() }
}

/// The head of a 206: `first-last/total`.
fn part(content_range: &str) -> Head {
    Head { status: 206, content_range: Some(format!("bytes {content_range}")), ..Head::default() }
}

/// The head of a 206 as a browser shows it.
fn hidden(length: u64) -> Head {
    Head { status: 206, length: Some(length), ..Head::default() }
}

fn cut_mp4() -> Mp4Fault {
    Mp4Fault::Truncated { box_type: *b"mdat", needs: 20, has: 10 }
}
