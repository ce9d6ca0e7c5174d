//! Who reads which part.

use std::ops::Range;

use super::{DownloadMachine, DownloadStep, Place};
use crate::protocol::Time;

/// What the `Range` header asks for: start and end (exclusive, open when `None`); no header when it is `None` itself.
pub(super) type AskedRange = Option<(u64, Option<u64>)>;

/// A lane takes half of another's rest only when that leaves both at least this much.
const MIN_PART: u64 = 1024 * 1024;
/// Parts begin at multiples of this, which disks and caches like.
const ALIGN: u64 = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) activity: Activity,
    /// New bytes that this exchange brought.
    pub(super) gained: u64,
}

#[derive(Debug, Default)]
pub(super) enum Activity {
    #[default]
    Idle,
    Opening {
        start: u64,
        end: Option<u64>,
        /// True when the request has a `Range` header.
        ranged: bool,
    },
    Reading {
        /// Where in the file the next byte of the body belongs.
        pos: u64,
        /// Where this lane stops; another lane may have taken over from there.
        end: Option<u64>,
        /// Where the body itself ends, as its head says.
        body_end: Option<u64>,
    },
}

impl Lane {
    /// The part that nobody else should ask for.
    fn claim(&self) -> Option<Range<u64>> {
        match self.activity {
            Activity::Idle => None,
            Activity::Opening { start, end, .. } => Some(start..end.unwrap_or(u64::MAX)),
            Activity::Reading { pos, end, .. } => Some(pos..end.unwrap_or(u64::MAX)),
        }
    }
}

impl DownloadMachine {
    pub(super) fn active_lanes(&self) -> u32 {
        self.lanes.iter().filter(|lane| !matches!(lane.activity, Activity::Idle)).count() as u32
    }

    /// The lane is free again; its exchange is over already.
    pub(super) fn release(&mut self, lane: usize) {
        if let Some(lane) = self.lanes.get_mut(lane) {
            *lane = Lane::default();
        }
    }

    /// Ends the lane's exchange, if there is one.
    pub(super) fn close(&mut self, lane: usize) {
        if self.lanes.get(lane).is_some_and(|lane| !matches!(lane.activity, Activity::Idle)) {
            self.release(lane);
            self.queue.push_back(DownloadStep::Close { lane });
        }
    }

    /// Gives a free lane something to ask for.
    pub(super) fn assign(&mut self) -> Option<(usize, AskedRange)> {
        if self.active_lanes() >= self.lane_limit {
            return None;
        }
        let free = self.lanes.iter().position(|lane| matches!(lane.activity, Activity::Idle))?;
        let part = self.unclaimed().or_else(|| self.steal())?;
        let whole = part.start == 0 && (part.end == u64::MAX || Some(part.end) == self.validators.total);
        let end = (part.end != u64::MAX).then_some(part.end);
        // The plain request is what every server understands; it brings the length as well.
        let range = (!whole).then_some((part.start, end));
        if let Some(lane) = self.lanes.get_mut(free) {
            lane.activity = Activity::Opening { start: part.start, end, ranged: range.is_some() };
            lane.gained = 0;
        }
        Some((free, range))
    }

    /// The first part that is neither there nor asked for.
    fn unclaimed(&self) -> Option<Range<u64>> {
        let wanted = match (self.wanted(), &self.policy.wanted) {
            (Some(wanted), _) => wanted,
            (None, _) => 0..u64::MAX,
        };
        // While the length is not known, one lane finds it out.
        if self.validators.total.is_none() && self.active_lanes() > 0 {
            return None;
        }
        let mut claims: Vec<Range<u64>> = self.lanes.iter().filter_map(Lane::claim).collect();
        claims.sort_by_key(|claim| claim.start);
        for gap in self.have.gaps(wanted) {
            let mut start = gap.start;
            for claim in &claims {
                if claim.start > start {
                    break;
                }
                start = start.max(claim.end);
            }
            if start < gap.end {
                let next = claims.iter().map(|claim| claim.start).filter(|next| *next > start).min();
                return Some(start..next.map_or(gap.end, |next| next.min(gap.end)));
            }
        }
        None
    }

    /// The second half of the longest rest that another lane has to read.
    fn steal(&mut self) -> Option<Range<u64>> {
        if self.ranges_honoured == Some(false) || self.total().is_none() {
            return None;
        }
        let rest = |lane: &Lane| match lane.activity {
            Activity::Reading { pos, end: Some(end), .. } => end.saturating_sub(pos),
            _ => 0,
        };
        let victim = self.lanes.iter_mut().max_by_key(|lane| rest(lane))?;
        if rest(victim) < 2 * MIN_PART {
            return None;
        }
        let Activity::Reading { pos, end: Some(end), .. } = &mut victim.activity else {
            return None;
        };
        let middle = (*pos + (*end - *pos) / 2).next_multiple_of(ALIGN);
        let taken = middle..*end;
        *end = middle;
        Some(taken)
    }

    /// True when the next byte of this lane is the first of the file.
    pub fn expects_beginning(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| matches!(lane.activity, Activity::Reading { pos: 0, .. }))
    }

    /// Tells that a piece of this length has come on this lane, and learns where it belongs. What is left of the piece
    /// behind [`Place::skip`] and [`Place::write`] is told again.
    pub fn data(&mut self, lane: usize, length: u64) -> Place {
        let mut place = Place { skip: 0, write: 0, at: 0, finished: true };
        let Some(Activity::Reading { pos, end, body_end }) = self.lanes.get(lane).map(|lane| &lane.activity) else {
            return place;
        };
        let (pos, mut end, body_end) = (*pos, *end, *body_end);
        if end == Some(pos) && body_end.is_none_or(|body_end| body_end > pos) {
            end = self.extended(lane, pos, body_end);
        }
        let length = end.map_or(length, |end| length.min(end.saturating_sub(pos)));
        place.at = pos;
        // A server that ignores Range begins before the wanted part: that is passed over, too.
        let from = self.policy.wanted.as_ref().map_or(pos, |wanted| wanted.start.max(pos));
        let gap = self.have.first_gap(from..pos.saturating_add(length).max(from));
        match gap {
            None => place.skip = length,
            Some(gap) => {
                place.skip = gap.start - pos;
                place.at = gap.start;
                place.write = gap.end - gap.start;
            }
        }
        let pos = pos + place.skip + place.write;
        place.finished = end.is_some_and(|end| pos >= end)
            && (body_end == Some(pos) || self.extended(lane, pos, body_end) == Some(pos));
        let gained = self.have.insert(place.at, place.at + place.write);
        if let Some(lane) = self.lanes.get_mut(lane) {
            lane.gained += gained;
            lane.activity = Activity::Reading { pos, end, body_end };
        }
        if gained > 0 {
            self.backoff.reset();
            self.settle_backoff.reset();
        }
        if place.finished {
            self.release(lane);
        }
        place
    }

    /// Where a lane that reached its end may read on to, because nobody took over from there.
    fn extended(&self, lane: usize, pos: u64, body_end: Option<u64>) -> Option<u64> {
        let limit = match (self.wanted(), body_end) {
            (Some(wanted), Some(body_end)) => wanted.end.min(body_end),
            (Some(wanted), None) => wanted.end,
            (None, body_end) => return body_end,
        };
        let Some(gap) = self.have.first_gap(pos..limit).filter(|gap| gap.start == pos) else {
            return Some(pos);
        };
        let claimed = self.lanes.iter().enumerate().filter(|(at, _)| *at != lane).filter_map(|(_, lane)| lane.claim());
        let next = claimed.filter(|claim| claim.end > pos).map(|claim| claim.start.max(pos)).min();
        Some(next.map_or(gap.end, |next| next.min(gap.end)))
    }

    /// True when everything up to the end is wanted, wherever that is.
    fn wants_the_end(&self) -> bool {
        self.policy.wanted.as_ref().is_none_or(|wanted| wanted.end == u64::MAX)
    }

    /// The lane's body came to its regular end.
    pub fn ended(&mut self, now: Time, lane: usize) {
        let Some(Activity::Reading { pos, end, .. }) = self.lanes.get(lane).map(|lane| &lane.activity) else {
            return;
        };
        let (pos, end) = (*pos, *end);
        if end.is_some_and(|end| pos >= end) {
            self.release(lane);
        } else if self.validators.total.is_none() && self.wants_the_end() && pos > 0 {
            // A body without a length: perhaps it is whole. The MP4 structure will tell.
            self.release(lane);
            self.validators.total = Some(pos);
            self.total_is_guess = true;
        } else {
            self.lost(now, lane, "the body ended early");
        }
    }
}
