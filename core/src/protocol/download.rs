//! Reading one MP4: which bytes to ask for, over how many connections, and what to believe.
//!
//! ```text
//!   ┌─────────┐  a URL is known   ┌─────────┐ every byte is there ┌───────────┐  whole
//!   │ Asking  │ ────────────────▶ │ Reading │ ──────────────────▶ │ Verifying │ ───────▶ Done(Ok)
//!   │ the task│ ◀──────────────── │ 1–16    │ ◀────────────────── │           │
//!   └─────────┘  link unusable    │ lanes   │  cut, or not whole  └───────────┘
//!                                 └─────────┘  yet: read on, or look again
//!                                   │     ▲
//!                 wrong start, other │     │ Reset (once)
//!                 total, other ETag  ▼     │
//!                                 start over ───▶ Done(integrity) the second time
//! ```
//!
//! A *lane* is one HTTP exchange: a request for a range and its body. The machine hands out ranges, is told the length
//! of what arrives (never the bytes), and says where it belongs. A further lane takes the end of what another
//! still has to read, so that both end together, where that pays; where the server does not honour `Range` there is one lane
//! only. Who reads on to a part for which another lane has no answer yet takes it back.
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
//! // It resumes where it stopped.
//! let DownloadStep::Open { range, .. } = download.step(now + std::time::Duration::from_secs(60)) else { panic!() };
//! assert_eq!(range, Some((4, Some(10))));
//! ```

use std::collections::VecDeque;
use std::ops::Range;

use super::byte_ranges::RangeSet;
use super::mp4::{Mp4Fault, Mp4Info};
use super::validators::Validators;
use super::{Backoff, Time};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::url::Url;
use crate::text::decimal::Seconds;

mod head;
mod lanes;
mod part;
mod policy;
mod recovery;
mod refusal;

pub use head::{Head, HeadVerdict};
pub use lanes::OVERLAP;
use lanes::{Gain, Lane};
pub use policy::{DownloadPolicy, Finished, Progress};
use refusal::Doubt;

/// Most connections for one file.
pub const MAX_CONNECTIONS: u32 = 16;

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
    /// It has ended.
    Done(Result<Finished>),
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

/// An end of the file that is concluded, not told.
#[derive(Debug, Clone, Copy)]
struct Guess {
    at: u64,
    /// Seen twice, or "nothing behind it" was the answer: reading on would bring no more.
    confirmed: bool,
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
    /// Where the file seems to end although no answer ever said so.
    guess: Option<Guess>,
    /// How far the answers said that they reach: the file is no shorter.
    announced: u64,
    /// Where a body without a length ended without an error.
    clean_end: Option<u64>,
    /// What the present source did with `Range`, as far as it was tried.
    ranges_honoured: Option<bool>,
    /// The present source has brought bytes.
    source_worked: bool,
    lanes: Vec<Lane>,
    /// Lanes allowed at once; a 429 halves it.
    lane_limit: u32,
    /// Before this time no further lane helps one that reads.
    judged_again: Option<Time>,
    gain: Gain,
    /// No request before this time.
    paused_until: Option<Time>,
    /// No further request beside a running one before this time.
    alone_until: Option<Time>,
    backoff: Backoff,
    /// For requests that fail while another lane reads on; its bytes say nothing about them.
    side_backoff: Backoff,
    settle_backoff: Backoff,
    not_ready_since: Option<Time>,
    restarts: u32,
    /// The tags of the answers differ all the time: whether they are of one file is seen by the bytes that two of them
    /// have in common.
    by_content: bool,
    /// A content type that is not a video's, although the bytes were.
    false_type: Option<String>,
    /// A head said how long the file is.
    length_told: bool,
    /// Bytes of several answers are there that nothing showed to be of one file.
    mixed: bool,
    /// The body of a file of unknown length ended a second time in the same place.
    ended_here_again: bool,
    /// Where a connection ended without a new byte, and how often in a row.
    stuck: (u64, u32),
    /// What the check found last, and in how many bytes.
    last_fault: Option<(Mp4Fault, u64)>,
    doubt: Option<Doubt>,
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
        let settle_backoff = Backoff::new(policy.base.saturating_mul(4), policy.cap, seed ^ 1);
        let side_backoff = Backoff::new(policy.base, policy.cap, seed ^ 2);
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
            guess: None,
            announced: 0,
            clean_end: None,
            ranges_honoured: None,
            source_worked: false,
            lanes: (0..lane_limit).map(|_| Lane::default()).collect(),
            lane_limit,
            judged_again: None,
            gain: Gain::default(),
            paused_until: None,
            alone_until: None,
            backoff,
            side_backoff,
            settle_backoff,
            not_ready_since: None,
            restarts: 0,
            by_content: false,
            false_type: None,
            length_told: false,
            mixed: false,
            ended_here_again: false,
            stuck: (0, 0),
            last_fault: None,
            doubt: None,
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
        if let (Some(total), Some(last)) = (progress.validators.total, progress.ranges.iter().last())
            && last.end > total
        {
            // Nobody wrote that: what is there cannot be trusted.
            self.reset();
            return self;
        }
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
        self.validators.total
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
        let in_time = self.deadline().is_none_or(|deadline| now < deadline);
        match &mut self.state {
            State::Finished(result) => {
                let misuse =
                    || Err(Error::new(ErrorKind::Internal, Phase::Content, "the download was asked after its end"));
                return DownloadStep::Done(result.take().unwrap_or_else(misuse));
            }
            // The check is the driver's own work; it is never too late for a file that is there.
            State::Verifying => return DownloadStep::Wait(None),
            State::Querying if in_time => return DownloadStep::Wait(self.deadline()),
            State::Querying | State::Reading => {}
        }
        if self.doubt.is_none()
            && let Some(total) = self.complete()
        {
            for lane in 0..self.lanes.len() {
                self.close(lane);
            }
            if self.checks_structure() {
                self.state = State::Verifying;
                self.queue.push_back(DownloadStep::Verify { total });
            } else {
                self.succeed(None);
            }
            return self.step(now);
        }
        if !in_time {
            let seconds = Seconds(self.policy.timeout.unwrap_or_default());
            let error =
                Error::new(ErrorKind::Timeout, Phase::Content, format!("the video was not read within {seconds} s"));
            self.finish(Err(self.caused(error)));
            return self.step(now);
        }
        let beside = self.alone_until.filter(|_| self.active_lanes() > 0);
        if let Some(until) = self.paused_until.max(beside).filter(|until| now < *until) {
            return DownloadStep::Wait(Some(self.deadline().map_or(until, |deadline| deadline.min(until))));
        }
        if self.query_due {
            self.query_due = false;
            self.state = State::Querying;
            return DownloadStep::Query;
        }
        let Some(url) = self.sources.get(self.source).cloned() else {
            let error = self.last_error.take();
            let none = || Error::new(ErrorKind::Download, Phase::Content, "there is no URL to read the video from");
            self.finish(Err(error.unwrap_or_else(none)));
            return self.step(now);
        };
        let next = if self.doubt.is_some() { self.look(now) } else { self.assign(now) };
        if let Some((lane, range)) = next {
            self.attempts += 1;
            return DownloadStep::Open { lane, url, range };
        }
        let again = self.judged_again.filter(|again| *again > now);
        DownloadStep::Wait([self.deadline(), again].into_iter().flatten().min())
    }

    /// Tells what came of the check that [`DownloadStep::Verify`] asked for.
    pub fn verified(&mut self, now: Time, result: std::result::Result<Mp4Info, Mp4Fault>) {
        if !matches!(self.state, State::Verifying) {
            return;
        }
        self.state = State::Reading;
        let total = self.file_end().unwrap_or_default();
        let unsure = self.guess.take().is_some_and(|guess| !guess.confirmed);
        let cut = match result {
            // No structure tells that another fragment was to come: where the length was only guessed, a look behind it
            // does.
            Ok(info) if unsure && (info.fragmented || info.loose_end) => "the file may be longer".to_owned(),
            Ok(info) => {
                self.guess = Some(Guess { at: total, confirmed: true });
                return self.succeed(Some(info));
            }
            Err(fault) if !unsure => return self.doubt(now, total, fault),
            // The body had no length and simply ended: it was cut. Read on behind it.
            Err(fault) => format!("the file is not a whole MP4: {fault}"),
        };
        self.resumed = true;
        self.failure(now, Error::new(ErrorKind::Integrity, Phase::Content, cut));
    }

    /// Whether the MP4 structure is checked at the end.
    pub fn checks_structure(&self) -> bool {
        self.policy.verify && self.policy.wanted.is_none()
    }

    fn deadline(&self) -> Option<Time> {
        self.policy.timeout.map(|timeout| self.started + timeout)
    }

    /// Where the file ends, told or concluded.
    fn file_end(&self) -> Option<u64> {
        self.validators.total.or(self.guess.map(|guess| guess.at))
    }

    /// The part of the file that is wanted, as far as its end is known.
    fn wanted(&self) -> Option<Range<u64>> {
        match (&self.policy.wanted, self.file_end()) {
            (Some(wanted), Some(end)) => Some(wanted.start.min(end)..wanted.end.min(end)),
            (Some(wanted), None) => Some(wanted.clone()),
            (None, Some(end)) => Some(0..end),
            (None, None) => None,
        }
    }

    /// Where the wanted part ends, when every byte of it is there.
    fn complete(&self) -> Option<u64> {
        let wanted = self.wanted()?;
        self.have.contains(wanted.start, wanted.end).then_some(wanted.end)
    }

    fn succeed(&mut self, info: Option<Mp4Info>) {
        let total = self.file_end();
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
