//! Reading one MP4: which bytes to ask for, over how many connections, and what to believe.
//!
//! ```text
//!   ┌─────────┐  a URL is known   ┌─────────┐ every byte is there ┌───────────┐  whole
//!   │ Asking  │ ────────────────▶ │ Reading │ ──────────────────▶ │ Verifying │ ───────▶ Done(Ok)
//!   │ the task│ ◀──────────────── │ 1–16    │ ◀────────────────── │           │
//!   └─────────┘  link unusable    │ lanes   │  cut, or not whole  └───────────┘
//!                                 └─────────┘  yet: read on or anew
//!                                   │     ▲
//!                 wrong start, other │     │ Reset (once)
//!                 total, other ETag  ▼     │
//!                                 start over ───▶ Done(integrity) the second time
//! ```
//!
//! A *lane* is one HTTP exchange: a request for a range and its body. The machine hands out ranges, is told the length
//! of what arrives (never the bytes), and says where it belongs. A second lane takes the second half of what the first
//! still has to read, and so on; where the server does not honour `Range` there is one lane only.
//!
//! ```
//! use junfeiai::protocol::{DownloadMachine, DownloadPolicy, DownloadStep, Head, HeadVerdict, Time};
//! use junfeiai::Url;
//!
//! let now = Time::default();
//! let url = Url::parse("https://video.example/v1/videos/task_1/content").unwrap();
//! let policy = DownloadPolicy { verify: false, ..DownloadPolicy::default() };
//! let mut download = DownloadMachine::new(policy, vec![url], false, now, 1);
//! let DownloadStep::Open { lane, range: None, .. } = download.step(now) else { panic!() };
//! // The head of a 200 with Content-Length 10, then 4 bytes, then the connection breaks.
//! assert_eq!(download.head(now, lane, &Head { status: 200, length: Some(10), ..Head::default() }), HeadVerdict::Read);
//! assert_eq!(download.data(lane, 4).write, 4);
//! download.lost(now, lane, "reset");
//! // It goes on where it stopped.
//! let DownloadStep::Open { range, .. } = download.step(now + std::time::Duration::from_secs(60)) else { panic!() };
//! assert_eq!(range, Some((4, Some(10))));
//! ```

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::mp4::{Mp4Fault, Mp4Info};
use super::range::Validators;
use super::ranges::RangeSet;
use super::{Backoff, Time};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::url::Url;

mod head;
mod lanes;
mod part;

pub use head::{Head, HeadVerdict};
use lanes::Lane;

/// Most connections for one file.
pub const MAX_CONNECTIONS: u32 = 16;

/// How a video is read.
#[derive(Debug, Clone, PartialEq)]
pub struct DownloadPolicy {
    /// Connections used at once, 1–16. Default 1; more is worth it where each connection is slow.
    pub connections: u32,
    /// How many failures in a row without a new byte end it. Default 8.
    pub max_failures: u32,
    /// First pause after such a failure. Default 0.5 s.
    pub base: Duration,
    /// Longest own pause. Default 20 s.
    pub cap: Duration,
    /// Longest time for the whole; `None` (the default) as long as it goes on.
    pub timeout: Option<Duration>,
    /// How long "not ready" and an incomplete file are believed to pass: a file settles some seconds after SUCCESS.
    /// Default 90 s.
    pub settle: Duration,
    /// Whether the MP4 structure is checked at the end. Default yes.
    pub verify: bool,
    /// Whether the file must begin like an MP4, which keeps error pages out. Default yes.
    pub first_bytes: bool,
    /// Only this part of the file; `None` for all of it.
    pub wanted: Option<Range<u64>>,
}

impl Default for DownloadPolicy {
    fn default() -> Self {
        Self {
            connections: 1,
            max_failures: 8,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            timeout: None,
            settle: Duration::from_secs(90),
            verify: true,
            first_bytes: true,
            wanted: None,
        }
    }
}

/// What a former call left behind.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Which bytes are there.
    pub ranges: RangeSet,
    /// ETag, date and length of the file that they are from.
    pub validators: Validators,
    /// Where they are from, without the query.
    pub source: String,
}

/// What the driver shall do next.
#[derive(Debug)]
pub enum DownloadStep {
    /// Throw away every byte written so far.
    Reset,
    /// Ask the task where its video is, then call [`DownloadMachine::queried`].
    Query,
    /// Send a GET, with `Range` if one is named (end exclusive; open when `None`).
    Open {
        /// Which lane it is for.
        lane: usize,
        /// Where to.
        url: Url,
        /// The part to ask for.
        range: Option<(u64, Option<u64>)>,
    },
    /// Drop this lane's exchange.
    Close {
        /// Which lane.
        lane: usize,
    },
    /// Every byte is there: check the file of this length, then call [`DownloadMachine::verified`].
    Verify {
        /// Length of the file.
        total: u64,
    },
    /// Nothing to do before this time or the next event.
    Wait(Option<Time>),
    /// It is over.
    Done(Result<Finished>),
}

/// A download that came to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Length of the whole file, where it is known.
    pub total: Option<u64>,
    /// What the MP4 structure says; `None` when it was not checked.
    pub info: Option<Mp4Info>,
    /// Requests sent for the file.
    pub attempts: u32,
    /// True when bytes of a former call or connection were kept and added to.
    pub resumed: bool,
}

/// Where a piece of a body belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// So many bytes are known already: pass over them.
    pub skip: u64,
    /// So many bytes after those are new.
    pub write: u64,
    /// Where the new bytes begin in the file.
    pub at: u64,
    /// The lane has what it came for: drop its exchange, and what is left of the piece.
    pub finished: bool,
}

#[derive(Debug)]
enum State {
    Reading,
    Querying,
    Verifying,
    Finished(Option<Result<Finished>>),
}

/// The machine of one download. See the [module documentation](self).
#[derive(Debug)]
pub struct DownloadMachine {
    policy: DownloadPolicy,
    sources: Vec<Url>,
    source: usize,
    can_query: bool,
    query_due: bool,
    /// The task was asked for a fresh link and no byte came since.
    queried: bool,
    /// The error that made us ask; shown when asking does not help.
    last_error: Option<Error>,
    have: RangeSet,
    validators: Validators,
    /// Origin and path that the validators are from: another host has ETags of its own.
    validators_from: String,
    /// The total is where a body without a length ended; a structure that is cut there takes it back.
    total_is_guess: bool,
    ranges_honoured: Option<bool>,
    lanes: Vec<Lane>,
    /// Lanes allowed at once; a 429 halves it.
    lane_limit: u32,
    paused_until: Option<Time>,
    backoff: Backoff,
    settle_backoff: Backoff,
    restarts: u32,
    attempts: u32,
    resumed: bool,
    started: Time,
    queue: VecDeque<DownloadStep>,
    state: State,
}

impl DownloadMachine {
    /// A download that begins now from the first usable of `sources`; without any, the task is asked first.
    pub fn new(policy: DownloadPolicy, sources: Vec<Url>, can_query: bool, now: Time, seed: u64) -> Self {
        let lane_limit = policy.connections.clamp(1, MAX_CONNECTIONS);
        let backoff = Backoff::new(policy.base, policy.cap, seed);
        let settle_backoff = Backoff::new(policy.base * 4, policy.cap, seed ^ 1);
        let validators_from = sources.first().map(Url::for_display).unwrap_or_default();
        Self {
            query_due: sources.is_empty(),
            sources,
            source: 0,
            can_query,
            queried: false,
            last_error: None,
            have: RangeSet::new(),
            validators: Validators::default(),
            validators_from,
            total_is_guess: false,
            ranges_honoured: None,
            lanes: (0..lane_limit).map(|_| Lane::default()).collect(),
            lane_limit,
            paused_until: None,
            backoff,
            settle_backoff,
            restarts: 0,
            attempts: 0,
            resumed: false,
            started: now,
            queue: VecDeque::new(),
            state: State::Reading,
            policy,
        }
    }

    /// Goes on from what a former call left.
    #[must_use]
    pub fn resume(mut self, progress: Progress) -> Self {
        self.resumed = !progress.ranges.is_empty();
        self.have = progress.ranges;
        self.know(progress.validators, progress.source);
        self
    }

    /// Takes over what identifies the file, and where that was seen.
    fn know(&mut self, validators: Validators, source: String) {
        self.validators = validators;
        // Without a source yet, the comparison comes when the task has named one.
        if self.sources.is_empty() {
            self.validators_from = source;
        } else if source != self.validators_from {
            self.forget_source_validators();
        }
    }

    /// What is there so far, to be kept for a later call.
    pub fn progress(&self) -> Progress {
        Progress {
            ranges: self.have.clone(),
            validators: self.validators.clone(),
            source: self.validators_from.clone(),
        }
    }

    /// Bytes that are there.
    pub fn covered(&self) -> u64 {
        self.have.covered()
    }

    /// Length of the file, where it is known.
    pub fn total(&self) -> Option<u64> {
        self.validators.total.filter(|_| !self.total_is_guess)
    }

    /// How many bytes are wanted, where it is known.
    pub fn wanted_length(&self) -> Option<u64> {
        self.wanted().filter(|_| self.total().is_some()).map(|wanted| wanted.end - wanted.start.min(wanted.end))
    }

    /// Where the bytes are from, without the query.
    pub fn source(&self) -> &str {
        &self.validators_from
    }

    /// ETag, date and length of the file, as far as they are known.
    pub fn validators(&self) -> &Validators {
        &self.validators
    }

    /// What to do now.
    pub fn step(&mut self, now: Time) -> DownloadStep {
        if let Some(step) = self.queue.pop_front() {
            return step;
        }
        match &mut self.state {
            State::Finished(result) => {
                let misuse =
                    || Err(Error::new(ErrorKind::Internal, Phase::Content, "the download was asked after its end"));
                return DownloadStep::Done(result.take().unwrap_or_else(misuse));
            }
            State::Querying | State::Verifying => return DownloadStep::Wait(self.deadline()),
            State::Reading => {}
        }
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            let seconds = self.policy.timeout.unwrap_or_default().as_secs_f64();
            let error =
                Error::new(ErrorKind::Timeout, Phase::Content, format!("the video was not read within {seconds} s"));
            self.finish(Err(self.caused(error)));
            return self.step(now);
        }
        if let Some(total) = self.complete() {
            for lane in 0..self.lanes.len() {
                self.close(lane);
            }
            if self.policy.verify && self.policy.wanted.is_none() {
                self.state = State::Verifying;
                self.queue.push_back(DownloadStep::Verify { total });
            } else {
                self.succeed(None);
            }
            return self.step(now);
        }
        if self.query_due {
            self.query_due = false;
            self.state = State::Querying;
            return DownloadStep::Query;
        }
        if let Some(until) = self.paused_until {
            if now < until {
                return DownloadStep::Wait(Some(self.deadline().map_or(until, |deadline| deadline.min(until))));
            }
            self.paused_until = None;
        }
        let Some(url) = self.sources.get(self.source).cloned() else {
            let error = self.last_error.take();
            let none = || Error::new(ErrorKind::Download, Phase::Content, "there is no URL to read the video from");
            self.finish(Err(error.unwrap_or_else(none)));
            return self.step(now);
        };
        if let Some((lane, range)) = self.assign() {
            self.attempts += 1;
            return DownloadStep::Open { lane, url, range };
        }
        DownloadStep::Wait(self.deadline())
    }

    /// Tells where the task says its video is, best first.
    pub fn queried(&mut self, now: Time, result: Result<Vec<Url>>) {
        self.state = State::Reading;
        match result {
            Ok(sources) => {
                // The same unusable link again: go on to the next one.
                let again = self.sources.get(self.source).is_some_and(|old| sources.first() == Some(old));
                self.sources = sources;
                self.source = usize::from(again && self.queried);
                self.queried = true;
                self.source_changed();
            }
            Err(error) if error.is_transient() => {
                self.query_due = true;
                self.failure(now, error);
            }
            Err(error) => self.finish(Err(error)),
        }
    }

    /// Tells what came of the check that [`DownloadStep::Verify`] asked for.
    pub fn verified(&mut self, now: Time, result: std::result::Result<Mp4Info, Mp4Fault>) {
        self.state = State::Reading;
        let fault = match result {
            Ok(info) => return self.succeed(Some(info)),
            Err(fault) => fault,
        };
        let error = Error::new(ErrorKind::Integrity, Phase::Content, format!("the file is not a whole MP4: {fault}"));
        if self.total_is_guess {
            // The body had no length and simply ended: it was cut. Read on behind it.
            self.total_is_guess = false;
            self.validators.total = None;
            return self.failure(now, error);
        }
        if now.since(self.started) < self.policy.settle {
            // Seen for 5–15 s after SUCCESS: an incomplete file with status 200.
            self.reset();
            return self.settle(now, error);
        }
        self.start_over(now, error);
    }

    /// An error answer to this lane's request, already classified.
    pub fn refused(&mut self, now: Time, lane: usize, error: Error) {
        self.release(lane);
        let past_the_end = error.status() == Some(416)
            || error.status() == Some(502)
                && error.record().server_message.as_deref().is_some_and(|text| text.contains("status 416"));
        let begin = self.policy.wanted.as_ref().map_or(0, |wanted| wanted.start);
        if past_the_end && (self.have.covered() > 0 || begin > 0) {
            if self.total().is_some() {
                let why = "the file became shorter while it was read";
                return self.start_over(now, Error::new(ErrorKind::Integrity, Phase::Content, why));
            }
            // The length was never known and there is nothing behind what we have: perhaps that is all.
            self.validators.total = Some(self.have.iter().last().map_or(begin, |last| last.end));
            self.total_is_guess = true;
            return;
        }
        match error.kind() {
            ErrorKind::RateLimited => {
                self.lane_limit = (self.active_lanes() / 2).max(1);
                self.failure(now, error);
            }
            ErrorKind::NotReady => self.settle(now, error),
            ErrorKind::Authentication
            | ErrorKind::PermissionDenied
            | ErrorKind::NotFound
            | ErrorKind::BadRequest
            | ErrorKind::UnexpectedResponse
            | ErrorKind::UntrustedHost => self.source_unusable(now, error),
            _ => self.failure(now, error),
        }
    }

    /// The lane's exchange broke.
    pub fn lost(&mut self, now: Time, lane: usize, why: &str) {
        let gained = self.lanes.get(lane).map_or(0, |lane| lane.gained);
        self.release(lane);
        if gained > 0 {
            self.gained(now, gained);
        } else {
            let message = format!("the transfer broke off: {why}");
            self.failure(now, Error::new(ErrorKind::Connection, Phase::Content, message));
        }
    }

    /// No connection for this lane. The next source is tried at once; after the last one there is a pause, and then the
    /// first again.
    pub fn unreachable(&mut self, now: Time, lane: usize, why: &str) {
        self.release(lane);
        let error = Error::new(ErrorKind::Connect, Phase::Content, format!("no connection: {why}"));
        // Other lanes at work show that the source is there.
        if self.sources.len() > 1 && self.active_lanes() == 0 {
            self.source = (self.source + 1) % self.sources.len();
            self.source_changed();
            if self.source > 0 {
                self.last_error = Some(error);
                return;
            }
        }
        self.failure(now, error);
    }

    fn deadline(&self) -> Option<Time> {
        self.policy.timeout.map(|timeout| self.started + timeout)
    }

    /// The part of the file that is wanted, as far as its end is known.
    fn wanted(&self) -> Option<Range<u64>> {
        match (&self.policy.wanted, self.validators.total) {
            (Some(wanted), Some(total)) => Some(wanted.start.min(total)..wanted.end.min(total)),
            (Some(wanted), None) => Some(wanted.clone()),
            (None, Some(total)) => Some(0..total),
            (None, None) => None,
        }
    }

    /// The length of the file, when every wanted byte is there.
    fn complete(&self) -> Option<u64> {
        let wanted = self.wanted()?;
        let done = wanted.is_empty() && self.validators.total.is_some() || self.have.contains(wanted.start, wanted.end);
        (done && !(wanted.is_empty() && self.validators.total.is_none())).then_some(wanted.end)
    }

    fn succeed(&mut self, info: Option<Mp4Info>) {
        let total = self.validators.total;
        let finished = Finished { total, info, attempts: self.attempts, resumed: self.resumed };
        self.finish(Ok(finished));
    }

    fn finish(&mut self, result: Result<Finished>) {
        for lane in 0..self.lanes.len() {
            self.close(lane);
        }
        let attempts = self.attempts;
        let result = result.map_err(|error| error.with(|record| record.attempts = attempts));
        self.state = State::Finished(Some(result));
    }

    /// Pauses after a failure without progress; ends when there were too many in a row.
    fn failure(&mut self, now: Time, error: Error) {
        let pause = self.backoff.next(error.retry_after());
        if self.backoff.failures() > self.policy.max_failures {
            let failures = self.backoff.failures();
            let record = error.record().clone();
            let message =
                format!("the video could not be read ({failures} failures in a row, the last: {})", record.message);
            let error = Error::new(ErrorKind::Download, Phase::Content, message).with(|new| {
                new.status = record.status;
                new.code = record.code;
                new.server_message = record.server_message;
                new.request_id = record.request_id;
                new.retry_after = record.retry_after;
                new.transient = true;
            });
            return self.finish(Err(error));
        }
        self.pause(now + pause);
        self.last_error = Some(error);
    }

    fn pause(&mut self, until: Time) {
        self.paused_until = Some(self.paused_until.map_or(until, |old| old.max(until)));
    }

    /// New bytes came before the exchange broke: go on at once, but not in a tight loop over crumbs.
    fn gained(&mut self, now: Time, bytes: u64) {
        self.backoff.reset();
        self.queried = false;
        if bytes < 64 * 1024 {
            self.pause(now + self.policy.base / 4);
        }
    }

    /// Waits for a file that is not there or not whole yet.
    fn settle(&mut self, now: Time, error: Error) {
        if now.since(self.started) >= self.policy.settle {
            return self.finish(Err(error));
        }
        let pause = self.settle_backoff.next(error.retry_after());
        self.pause(now + pause);
        self.query_due |= self.sources.is_empty();
        self.last_error = Some(error);
    }

    /// Tries the next source, then asks the task for a fresh link, then counts it as a failure.
    fn source_unusable(&mut self, now: Time, error: Error) {
        let more = self.source + 1 < self.sources.len();
        let expired = matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound) && more;
        if self.can_query && !self.queried && (expired || !more) {
            self.query_due = true;
        } else if more {
            self.source += 1;
            self.source_changed();
        } else if error.is_transient() || error.kind() == ErrorKind::NotFound && self.backoff.failures() < 3 {
            return self.failure(now, error);
        } else {
            return self.finish(Err(error));
        }
        self.last_error = Some(error);
    }

    fn source_changed(&mut self) {
        for lane in 0..self.lanes.len() {
            self.close(lane);
        }
        let from = self.sources.get(self.source).map(Url::for_display).unwrap_or_default();
        if from != self.validators_from {
            self.validators_from = from;
            self.forget_source_validators();
        }
        self.ranges_honoured = None;
    }

    /// ETag and date belong to one host; the length belongs to the video.
    fn forget_source_validators(&mut self) {
        self.validators = Validators { total: self.validators.total, ..Validators::default() };
    }

    /// The file is not the one we began with: once from the beginning, then it is an error.
    fn start_over(&mut self, now: Time, error: Error) {
        self.restarts += 1;
        if self.restarts > 1 {
            return self.finish(Err(error));
        }
        self.reset();
        self.pause(now + self.policy.base);
        self.last_error = Some(error);
    }

    fn reset(&mut self) {
        for lane in 0..self.lanes.len() {
            self.close(lane);
        }
        self.have = RangeSet::new();
        self.validators = Validators::default();
        self.total_is_guess = false;
        self.resumed = false;
        self.queue.push_back(DownloadStep::Reset);
    }

    /// Adds to an error what was behind it.
    fn caused(&self, error: Error) -> Error {
        match &self.last_error {
            Some(last) => {
                let text = format!("{} (before that: {})", error.record().message, last.record().message);
                error.with(|record| record.message = text)
            }
            None => error,
        }
    }
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
