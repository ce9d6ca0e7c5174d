//! What a failure means: again, elsewhere, anew, or the end.

use super::lanes::{Activity, Gain, Lane};
use super::{DownloadMachine, DownloadStep, Guess, State};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::url::Url;
use crate::protocol::byte_ranges::RangeSet;
use crate::protocol::validators::Validators;
use crate::time::Time;

/// So many failures in a row, and a source that never brought a byte is left for the next.
const SOURCE_FAILURES: u32 = 3;
/// An exchange that brought less than this is no reason to continue without a pause.
const CRUMBS: u64 = 64 * 1024;

impl DownloadMachine {
    /// Tells where the task says its video is, best first.
    pub fn queried(&mut self, now: Time, result: Result<Vec<Url>>) {
        if !matches!(self.state, State::Querying) {
            return;
        }
        self.state = State::Reading;
        match result {
            Ok(sources) => {
                // The same unusable link again: continue with the next one.
                let again = sources.len() > 1 && sources.first() == self.sources.get(self.source);
                self.sources = sources;
                self.source = usize::from(again);
                self.queried = true;
                self.source_changed();
            }
            Err(error) if self.doubt.is_some() => self.look_later(now, error.retry_after()),
            Err(error) if error.is_transient() => {
                self.query_due = true;
                self.failure(now, error);
            }
            // What still comes is not thrown away for that.
            Err(error) if self.is_reading() => {
                self.queried = true;
                self.failure(now, error);
            }
            Err(error) => self.finish(Err(error)),
        }
    }

    /// An error answer to this lane's request, already classified.
    pub fn refused(&mut self, now: Time, lane: usize, error: Error) {
        let Some(Activity::Opening { start, .. }) = self.lanes.get(lane).map(|lane| &lane.activity) else {
            return self.release(lane);
        };
        let start = *start;
        if self.look_failed(now, lane, Some(&error)) {
            return;
        }
        self.release(lane);
        let past_the_end = error.status() == Some(416)
            || error.status() == Some(502)
                && error.record().server_message.as_deref().is_some_and(|text| text.contains("status 416"));
        if past_the_end && start > 0 {
            return self.nothing_from(now, start);
        }
        match error.kind() {
            ErrorKind::RateLimited => {
                if !self.is_paused(now) {
                    self.lane_limit = (self.lane_limit.min(self.active_lanes() + 1) / 2).max(1);
                }
                if self.is_reading() {
                    // This one is about all of our requests.
                    let pause = self.side_backoff.next(error.retry_after());
                    self.pause(now + pause);
                    self.last_error = Some(error);
                } else {
                    self.failure(now, error);
                }
            }
            ErrorKind::NotReady => {
                let since = *self.not_ready_since.get_or_insert(now);
                self.settle(now, since, error);
            }
            ErrorKind::Authentication
            | ErrorKind::PermissionDenied
            | ErrorKind::NotFound
            | ErrorKind::BadRequest
            | ErrorKind::UnexpectedResponse
            | ErrorKind::UntrustedHost => self.source_unusable(now, error),
            // Its certificate is not valid.
            ErrorKind::Connect if !error.is_transient() => self.source_unusable(now, error),
            _ => self.failure(now, error),
        }
    }

    /// The lane's exchange broke.
    pub fn lost(&mut self, now: Time, lane: usize, why: &str) {
        if self.look_failed(now, lane, None) {
            return;
        }
        let (gained, pos) = match self.lanes.get(lane) {
            Some(Lane { activity: Activity::Reading { pos, .. }, gained, .. }) => (*gained, Some(*pos)),
            Some(Lane { activity: Activity::Opening { .. }, .. }) => (0, None),
            _ => return,
        };
        self.release(lane);
        if gained == 0 && pos.is_some_and(|pos| self.is_stuck(pos)) {
            return;
        }
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
        if self.lanes.get(lane).is_none_or(|lane| matches!(lane.activity, Activity::Idle)) {
            return;
        }
        if self.look_failed(now, lane, None) {
            return;
        }
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

    /// The server has nothing from this place on.
    fn nothing_from(&mut self, now: Time, start: u64) {
        if self.validators.total.is_some() || self.least_end() > start {
            let why = "the file became shorter while it was read";
            return self.start_over(now, Error::new(ErrorKind::Integrity, Phase::Content, why));
        }
        // The length was never known: that is all, or the wanted part lies beyond the end.
        self.guess = Some(Guess { at: start, confirmed: true });
    }

    pub(super) fn is_paused(&self, now: Time) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    /// Pauses after a failure without progress; ends when there were too many in a row.
    pub(super) fn failure(&mut self, now: Time, error: Error) {
        // Only bytes count: two lanes that fail in turns would otherwise continue for ever.
        if self.is_gaining() {
            return self.beside(now, error);
        }
        if self.is_paused(now) {
            // Several lanes failed together: that is one failure.
            if let Some(asked) = error.retry_after() {
                self.pause(now + asked);
            }
            self.last_error = Some(error);
            return;
        }
        let pause = self.backoff.next(error.retry_after());
        let failures = self.backoff.failures();
        if failures > self.policy.max_failures {
            return self.finish(Err(given_up(failures, &error)));
        }
        // Where there is no connection, the sources take turns by themselves.
        let stays = self.source_worked || error.kind() == ErrorKind::Connect;
        if failures >= SOURCE_FAILURES && !stays && self.source + 1 < self.sources.len() {
            self.source += 1;
            self.source_changed();
        }
        self.pause(now + pause);
        self.last_error = Some(error);
    }

    /// A request failed while another lane reads on: nothing ends, but no further one is sent for a while.
    fn beside(&mut self, now: Time, error: Error) {
        if self.alone_until.is_none_or(|until| now >= until) {
            let pause = self.side_backoff.next(error.retry_after());
            self.alone_until = Some(now + pause);
        }
        self.last_error = Some(error);
    }

    pub(super) fn pause(&mut self, until: Time) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// New bytes came before the exchange broke: continue at once, but not in a tight loop over crumbs.
    fn gained(&mut self, now: Time, bytes: u64) {
        self.resumed = true;
        self.queried = false;
        if bytes < CRUMBS {
            self.pause(now + self.policy.base / 4);
        }
    }

    /// Waits for a file that is not there or not whole yet.
    pub(super) fn settle(&mut self, now: Time, since: Time, error: Error) {
        if self.is_reading() {
            return self.beside(now, error);
        }
        if now.since(since) >= self.policy.settle {
            if self.source + 1 >= self.sources.len() {
                return self.finish(Err(error));
            }
            self.source += 1;
            self.source_changed();
        } else if !self.is_paused(now) {
            let pause = self.settle_backoff.next(error.retry_after());
            self.pause(now + pause);
        }
        self.last_error = Some(error);
    }

    /// Tries the next source, then asks the task for a fresh link, then counts it as a failure.
    pub(super) fn source_unusable(&mut self, now: Time, error: Error) {
        if self.is_reading() {
            return self.beside(now, error);
        }
        let asking = self.query_due || matches!(self.state, State::Querying);
        let more = self.source + 1 < self.sources.len();
        let expired = matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound) && more;
        if asking {
            // Several lanes were refused together.
        } else if self.can_query && !self.queried && (expired || !more) {
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

    /// Another link: what runs on the old one ends, unless it is the same file by another signature.
    fn source_changed(&mut self) {
        let from = self.sources.get(self.source).map(Url::for_display).unwrap_or_default();
        let other = from != self.validators_from;
        for lane in 0..self.lanes.len() {
            let opening = self.lanes.get(lane).is_some_and(|lane| matches!(lane.activity, Activity::Opening { .. }));
            if other || opening {
                self.close(lane);
            }
        }
        if other {
            self.validators_from = from;
            self.forget_source_validators();
            self.ranges_honoured = None;
            self.source_worked = false;
        }
        self.not_ready_since = None;
        self.alone_until = None;
    }

    /// ETag and date belong to one host; the length belongs to the video.
    pub(super) fn forget_source_validators(&mut self) {
        self.validators = Validators { total: self.validators.total, ..Validators::default() };
    }

    /// The file is not the one we began with: once from the beginning, then it is an error.
    pub(super) fn start_over(&mut self, now: Time, error: Error) {
        self.restarts += 1;
        if self.restarts > 1 {
            return self.finish(Err(error));
        }
        self.reset();
        // One connection reads one file.
        self.lane_limit = 1;
        self.pause(now + self.policy.base);
        self.last_error = Some(error);
    }

    pub(super) fn reset(&mut self) {
        for lane in 0..self.lanes.len() {
            self.close(lane);
        }
        self.have = RangeSet::new();
        self.gain = Gain::default();
        self.validators = Validators::default();
        self.guess = None;
        self.announced = 0;
        self.clean_end = None;
        self.resumed = false;
        self.by_content = false;
        self.mixed = false;
        self.ended_here_again = false;
        self.stuck = (0, 0);
        self.length_told = false;
        self.queue.push_back(DownloadStep::Reset);
    }
}

/// The end after too many failures; what the server said last stays in it.
fn given_up(failures: u32, last: &Error) -> Error {
    let record = last.record().clone();
    let message = format!("the video could not be read ({failures} failures in a row, the last: {})", record.message);
    Error::new(ErrorKind::Download, Phase::Content, message).with(|new| {
        new.status = record.status;
        new.code = record.code;
        new.server_message = record.server_message;
        new.request_id = record.request_id;
        new.retry_after = record.retry_after;
        new.transient = true;
    })
}
