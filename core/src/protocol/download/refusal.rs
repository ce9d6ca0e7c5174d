//! A file that the check refused: whether the server has another one by now, at the price of a head.
//!
//! Seen for 5–15 s after SUCCESS: an incomplete file with status 200. So the server is asked again for a while, but the
//! same bytes are not read again: the head of its answer says whether the file is another one. What was read stays.

use std::time::Duration;

use super::DownloadMachine;
use super::head::{Head, HeadVerdict, is_empty};
use super::lanes::{Activity, AskedRange};
use crate::error::{Error, ErrorKind, Phase};
use crate::protocol::mp4::Mp4Fault;
use crate::protocol::validators::Validators;
use crate::time::Time;

/// So long a file that does not change is believed to be still written: twice what was seen.
const STILL_WRITTEN: Duration = Duration::from_secs(30);

/// A whole file that the check refused.
#[derive(Debug)]
pub(super) struct Doubt {
    error: Error,
    /// Until then the server is asked whether it has another one.
    until: Time,
}

impl DownloadMachine {
    /// Every byte is there up to `total`, and the check refused them.
    pub(super) fn doubt(&mut self, now: Time, total: u64, fault: Mp4Fault) {
        let mut text = format!("the file is not a whole MP4: {fault}");
        if self.ended_here_again {
            text = format!("{text}; {}", Self::no_save_can_finish(total));
        }
        let error = Error::field(ErrorKind::Integrity, Phase::Content, "verify", text);
        // A fact by now, and what a later call needs to take the bytes as they are.
        self.validators.total = Some(total);
        let again = self.last_fault.replace((fault.clone(), total)) == Some((fault, total));
        if again {
            return self.finish(Err(error));
        }
        if self.mixed && self.restarts == 0 {
            // Nothing showed that all connections read the same file.
            return self.start_over(now, error);
        }
        self.last_error = Some(error.clone());
        let until = (now + STILL_WRITTEN).min(self.started + self.policy.settle);
        // What a former call left was waited for then: one look is enough.
        let left_behind = self.attempts == 0;
        self.doubt = Some(Doubt { error, until: if left_behind { now } else { until } });
        if !left_behind {
            self.look_later(now, None);
        }
    }

    pub(super) fn no_save_can_finish(end: u64) -> String {
        format!("the server ignores Range and ends every connection after {end} bytes, so that no save can finish")
    }

    /// The next look at the server, or the end of it.
    pub(super) fn look_later(&mut self, now: Time, asked: Option<Duration>) {
        let pause = self.settle_backoff.next(asked);
        if self.doubt.as_ref().is_some_and(|doubt| now + pause > doubt.until)
            && let Some(Doubt { error, .. }) = self.doubt.take()
        {
            return self.finish(Err(error));
        }
        self.pause(now + pause);
    }

    /// What to ask for, to learn whether the file is another one.
    pub(super) fn look(&mut self, now: Time) -> Option<(usize, AskedRange)> {
        if self.active_lanes() > 0 {
            return None;
        }
        let nameless = self.validators.etag.is_none() && self.validators.last_modified.is_none();
        // Where no head has a length, only what is behind the end can tell.
        let behind = self.validators.total.filter(|total| nameless && !self.length_told && *total > 0);
        let range = behind.filter(|_| self.ranges_honoured != Some(false)).map(|total| (total, None));
        let lane = self.lanes.first_mut()?;
        lane.activity =
            Activity::Opening { start: range.map_or(0, |range| range.0), end: None, ranged: range.is_some() };
        lane.asked = now;
        Some((0, range))
    }

    /// The head of an answer to a look: another file is read at once, the same one is not.
    pub(super) fn looked(&mut self, now: Time, lane: usize, head: &Head) -> Option<HeadVerdict> {
        self.doubt.as_ref()?;
        let ranged = match self.lanes.get(lane).map(|lane| &lane.activity) {
            Some(Activity::Opening { ranged, .. }) => *ranged,
            _ => return Some(HeadVerdict::Drop),
        };
        let seen = Validators {
            etag: head.etag.clone(),
            last_modified: head.last_modified.clone(),
            total: if head.status == 200 { head.length } else { None },
        };
        let another = match head.status {
            200 => head.names_another_type().is_none() && !is_empty(head) && self.validators.conflict(&seen).is_some(),
            // There is something behind the end.
            status => status == 206 && ranged,
        };
        self.release(lane);
        if !another {
            self.look_later(now, None);
            return Some(HeadVerdict::Drop);
        }
        self.doubt = None;
        self.reset();
        if head.status == 206 {
            return Some(HeadVerdict::Drop);
        }
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.activity = Activity::Opening { start: 0, end: None, ranged: false };
        }
        None
    }

    /// A look that brought no head. True when this was one.
    pub(super) fn look_failed(&mut self, now: Time, lane: usize, error: Option<&Error>) -> bool {
        if self.doubt.is_none() {
            return false;
        }
        if self.lanes.get(lane).is_some_and(|lane| !matches!(lane.activity, Activity::Idle)) {
            self.release(lane);
            self.look_later(now, error.and_then(Error::retry_after));
        }
        true
    }

    /// A connection ended here without a new byte, at a server that begins anew each time. True when that is the end of
    /// it all.
    pub(super) fn is_stuck(&mut self, pos: u64) -> bool {
        if self.ranges_honoured != Some(false) || self.have.first_gap(0..u64::MAX).is_none_or(|gap| gap.start != pos) {
            return false;
        }
        let times = if self.stuck.0 == pos { self.stuck.1 + 1 } else { 1 };
        self.stuck = (pos, times);
        if times < 2 || pos == 0 {
            return false;
        }
        let error = Error::new(ErrorKind::Download, Phase::Content, Self::no_save_can_finish(pos));
        self.finish(Err(error));
        true
    }
}
