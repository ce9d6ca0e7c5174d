//! One part after the other of the same file, for a reader that seeks.

use std::ops::Range;

use super::lanes::{Activity, Gain, Lane};
use super::{DownloadMachine, Progress, State};
use crate::protocol::byte_ranges::RangeSet;
use crate::time::Time;

impl DownloadMachine {
    /// Gives up what is in progress, whose exchanges the driver has dropped, and begins with another part of the file
    /// (`u64::MAX` for an end that is not known). What was learnt stays: the address that works, and whether the
    /// server gives parts. `known` says which file it has to be.
    pub fn next_part(&mut self, now: Time, wanted: Range<u64>, known: Progress) {
        if self.have.covered() > 0 {
            self.restarts = 0;
        }
        self.policy.wanted = Some(wanted);
        self.have = RangeSet::new();
        self.gain = Gain::default();
        self.guess = None;
        self.announced = 0;
        self.clean_end = None;
        self.ended_here_again = false;
        self.mixed = false;
        self.stuck = (0, 0);
        self.alone_until = None;
        self.not_ready_since = None;
        self.know(known.validators, known.source);
        for lane in &mut self.lanes {
            *lane = Lane::default();
        }
        self.queue.clear();
        self.state = State::Reading;
        self.query_due = self.sources.is_empty();
        self.queried = false;
        self.last_error = None;
        self.backoff.reset();
        self.side_backoff.reset();
        self.settle_backoff.reset();
        self.attempts = 0;
        self.resumed = false;
        self.started = now;
    }

    /// Wants everything up to the end of the file: the server sends it anyway.
    pub fn widen(&mut self) {
        let Some(wanted) = &mut self.policy.wanted else { return };
        wanted.end = u64::MAX;
        for lane in &mut self.lanes {
            if let Activity::Reading { end, body_end, .. } = &mut lane.activity {
                *end = *body_end;
            }
        }
    }

    /// True while a body is being read, in contrast to waiting for one.
    pub fn is_reading(&self) -> bool {
        self.lanes.iter().any(|lane| matches!(lane.activity, Activity::Reading { .. }))
    }

    /// False when the server answered a `Range` with the whole file.
    pub fn ranges_honoured(&self) -> bool {
        self.ranges_honoured != Some(false)
    }
}
