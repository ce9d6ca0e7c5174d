//! Who reads which part.

use std::ops::Range;
use std::time::Duration;

use super::{DownloadMachine, DownloadStep, Guess, MAX_CONNECTIONS, Place};
use crate::error::{Error, ErrorKind, Phase};
use crate::time::Time;

/// What the `Range` header asks for: start and end (exclusive, open when `None`); no header when it is `None` itself.
pub(super) type AskedRange = Option<(u64, Option<u64>)>;

/// So long a connection reads before it is judged whether others pay, and so long until it is judged again: enough to tell
/// a fast one, and little beside the round trips that a further one costs.
const TRIAL: Duration = Duration::from_millis(10);

/// A first answer that comes later than this says little about the next one: the server may have fetched the file from afar.
const LONGEST_ASKING: Duration = Duration::from_millis(250);

/// Bytes per second that no network of 1 Gbit/s brings. A connection that is faster is mostly held up by this machine or by
/// the server, not by the way between them, and several would share what it has.
const FAST: u64 = 125_000_000;

/// A fast connection is left alone when it brings all that is missing within this time.
const SOON: Duration = Duration::from_secs(1);

/// So long it is measured what several fast connections bring together, before their number is doubled.
const MEASURED: Duration = Duration::from_millis(50);

/// So long until it is measured again whether a further fast one would pay, after it did not.
const MEASURED_AGAIN: Duration = Duration::from_secs(1);

/// Long parts begin at multiples of this, which disks and caches like.
const ALIGN: u64 = 64 * 1024;

/// So many bytes of two answers are compared where their tags cannot be.
pub const OVERLAP: u64 = 4 * 1024;

#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) activity: Activity,
    /// New bytes that this exchange brought.
    pub(super) gained: u64,
    /// Where in the file its body began.
    pub(super) from: u64,
    /// Its answer is a part that does not say where it belongs.
    pub(super) unplaced: bool,
    /// Its answer has nothing in common with what is there that would name the version of the file.
    pub(super) unnamed: bool,
    /// Status and content type of an answer that calls itself something else than a video.
    pub(super) other_type: Option<(u16, String)>,
    /// When its request was sent.
    pub(super) asked: Time,
    /// When the head of its answer came.
    pub(super) answered: Time,
}

impl Lane {
    /// How long a further request is taken to wait for its answer: as long as this one did.
    fn asking(&self) -> Duration {
        self.answered.since(self.asked).min(LONGEST_ASKING)
    }

    /// True when this many bytes would come within this time at the speed of this lane so far. Before anything came they
    /// would not. In whole numbers: a length that a server made up must not overflow.
    fn brings(&self, bytes: u64, within: Duration, now: Time) -> bool {
        let reading = now.since(self.answered).as_nanos();
        reading.saturating_mul(bytes.into()) <= within.as_nanos().saturating_mul(self.gained.into())
    }

    /// When it is judged again whether another lane should take part of this one's rest; `None` when it should now. A lane
    /// that asks first waits for its answer, while this one reads on.
    fn left_alone_until(&self, rest: u64, now: Time) -> Option<Time> {
        if now < self.answered + TRIAL {
            return Some(self.answered + TRIAL);
        }
        let sooner_done = self.gained > 0 && self.brings(rest, 2 * self.asking(), now);
        // It may become slower, without a further event.
        sooner_done.then(|| now + TRIAL)
    }

    fn is_fast(&self, now: Time) -> bool {
        self.gained > 0 && self.brings(FAST, Duration::from_secs(1), now)
    }

    /// How much of its rest it will have read when the answer to a further request comes.
    fn reads_meanwhile(&self, rest: u64, now: Time) -> u64 {
        let reading = now.since(self.answered).as_nanos();
        let read = u128::from(self.gained).saturating_mul(self.asking().as_nanos()).checked_div(reading);
        read.map_or(0, |read| read.min(rest.into()) as u64)
    }
}

/// What several fast connections bring together, measured while their number is the same.
#[derive(Debug)]
pub(super) struct Gain {
    /// So many have shown that they are worth it, or are being tried. One while no second one was.
    lanes: u32,
    /// Bytes per second with half as many.
    before: u64,
    /// When the measurement began and how many bytes were there then, with so many lanes.
    begun: Option<(u32, Time, u64)>,
}

impl Default for Gain {
    fn default() -> Self {
        Self { lanes: 1, before: 0, begun: None }
    }
}

impl Gain {
    /// True while one lane has read alone.
    fn is_untried(&self) -> bool {
        self.lanes == 1
    }

    /// How many lanes may be at work; or when that is judged again, where these are.
    fn allowed(&mut self, active: u32, all_read: bool, covered: u64, now: Time) -> Result<u32, Time> {
        if active < self.lanes {
            return Ok(self.lanes);
        }
        if !all_read {
            return Err(now + TRIAL);
        }
        let (since, earlier) = match self.begun {
            Some((lanes, since, covered)) if lanes == active => (since, covered),
            _ => {
                self.begun = Some((active, now, covered));
                return Err(now + MEASURED);
            }
        };
        let time = now.since(since).as_nanos();
        if time < MEASURED.as_nanos() {
            return Err(since + MEASURED);
        }
        let rate = (u128::from(covered.saturating_sub(earlier)) * 1_000_000_000 / time).min(u64::MAX.into()) as u64;
        self.begun = None;
        if rate < FAST {
            // It only began fast.
            self.lanes = MAX_CONNECTIONS;
        } else if rate / 5 < self.before / 4 {
            return Err(now + MEASURED_AGAIN);
        } else {
            self.before = rate;
            self.lanes = active.saturating_mul(2);
        }
        Ok(self.lanes)
    }
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
    pub(super) fn claim(&self) -> Option<Range<u64>> {
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

    /// True while a body comes in that has brought new bytes.
    pub(super) fn is_gaining(&self) -> bool {
        self.lanes.iter().any(|lane| lane.gained > 0)
    }

    /// The lane is free again; its exchange has ended already.
    pub(super) fn release(&mut self, lane: usize) {
        self.judged_again = None;
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
    pub(super) fn assign(&mut self, now: Time) -> Option<(usize, AskedRange)> {
        // A server that sends everything whatever is asked for serves one lane only.
        let limit = if self.ranges_honoured == Some(false) { 1 } else { self.lane_limit };
        if self.active_lanes() >= limit {
            return None;
        }
        let free = self.lanes.iter().position(|lane| matches!(lane.activity, Activity::Idle))?;
        let part = self.unclaimed().or_else(|| self.steal(now, limit))?;
        let part = part.start - self.overlap(part.start)..part.end;
        let whole = part.start == 0 && (part.end == u64::MAX || Some(part.end) == self.validators.total);
        let end = (part.end != u64::MAX).then_some(part.end);
        // The plain request is what every server understands; it brings the length as well.
        let range = (!whole).then_some((part.start, end));
        if let Some(lane) = self.lanes.get_mut(free) {
            lane.activity = Activity::Opening { start: part.start, end, ranged: range.is_some() };
            lane.gained = 0;
            lane.asked = now;
        }
        Some((free, range))
    }

    /// So many bytes before this place are asked for again, to be compared with those that are there.
    fn overlap(&self, start: u64) -> u64 {
        let before = self.have.iter().find(|run| run.end == start).filter(|_| self.by_content);
        before.map_or(0, |run| (run.end - run.start).min(OVERLAP))
    }

    /// The first part that is neither there nor asked for.
    fn unclaimed(&self) -> Option<Range<u64>> {
        let wanted = self.wanted().unwrap_or(0..u64::MAX);
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

    /// The end of the longest rest that another lane has to read: as much as makes all free lanes and that one end together.
    fn steal(&mut self, now: Time, limit: u32) -> Option<Range<u64>> {
        if self.ranges_honoured == Some(false) || self.total().is_none() {
            return None;
        }
        if self.judged_again.is_some_and(|again| now < again) {
            return None;
        }
        self.judged_again = None;
        let rest = |lane: &Lane| match lane.activity {
            Activity::Reading { pos, end: Some(end), .. } => end.saturating_sub(pos),
            _ => 0,
        };
        let active = self.active_lanes();
        let min_part = self.policy.min_part.max(1);
        let victim = self.lanes.iter().max_by_key(|lane| rest(lane))?;
        let left = rest(victim);
        if left / 2 < min_part {
            return None;
        }
        self.judged_again = victim.left_alone_until(left, now);
        if self.judged_again.is_some() {
            return None;
        }
        let mut limit = limit;
        if victim.is_fast(now) || !self.gain.is_untried() {
            let soon = self.gain.is_untried() && victim.brings(self.missing(), SOON, now);
            let all_read = !self.lanes.iter().any(|lane| matches!(lane.activity, Activity::Opening { .. }));
            let covered = self.have.covered();
            let allowed = if soon { Err(now + TRIAL) } else { self.gain.allowed(active, all_read, covered, now) };
            match allowed {
                Ok(allowed) => limit = limit.min(allowed),
                Err(again) => {
                    self.judged_again = Some(again);
                    return None;
                }
            }
        }
        let free = u64::from(limit.saturating_sub(active).max(1));
        let victim = self.lanes.iter_mut().max_by_key(|lane| rest(lane))?;
        // Who reads already reads on while the others wait for their answers.
        let shared = left - victim.reads_meanwhile(left, now);
        let Activity::Reading { end: Some(end), .. } = &mut victim.activity else {
            return None;
        };
        let part = (shared / (free + 1)).max(min_part);
        let middle = *end - part;
        let middle = if min_part < ALIGN { middle } else { middle.next_multiple_of(ALIGN).min(*end - 1) };
        let taken = middle..*end;
        *end = middle;
        Some(taken)
    }

    /// Bytes that are wanted and not there.
    fn missing(&self) -> u64 {
        let wanted = self.wanted().unwrap_or(0..u64::MAX);
        self.have.gaps(wanted).map(|gap| gap.end - gap.start).fold(0, u64::saturating_add)
    }

    /// Frees the part that begins at this place, if it was only asked for: a body that brings it now is there sooner than an
    /// answer that has not come. True when there was one.
    fn take_back(&mut self, pos: u64) -> bool {
        let asked = |lane: &Lane| matches!(lane.activity, Activity::Opening { start, .. } if start == pos);
        let Some(helper) = self.lanes.iter().position(asked) else { return false };
        self.close(helper);
        true
    }

    /// True when the next byte of this lane is the first of the file.
    pub fn expects_beginning(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| matches!(lane.activity, Activity::Reading { pos: 0, .. }))
    }

    /// True when nothing is wanted from this place on.
    pub fn wants_less_than(&self, end: u64) -> bool {
        self.policy.wanted.as_ref().is_some_and(|wanted| wanted.end < end)
    }

    /// Tells that a piece of this length has come on this lane, and learns where it belongs. What is left of the piece
    /// behind [`Place::skip`] and [`Place::write`] is told again.
    pub fn data(&mut self, lane: usize, length: u64) -> Place {
        let mut place = Place { skip: 0, write: 0, at: 0, finished: true };
        let Some(Activity::Reading { pos, end, body_end }) = self.lanes.get(lane).map(|lane| &lane.activity) else {
            return place;
        };
        let (pos, mut end, body_end) = (*pos, *end, *body_end);
        let length = end.map_or(length, |end| length.min(end.saturating_sub(pos)));
        let until = pos.saturating_add(length);
        // A server that ignores `Range` sends what nobody asked for, too.
        let wanted = self.policy.wanted.as_ref().map_or(pos, |wanted| wanted.start.max(pos));
        match self.have.first_gap(wanted..until) {
            None => {
                place.skip = until - pos;
                place.at = until;
            }
            Some(gap) => {
                place.skip = gap.start - pos;
                place.at = gap.start;
                place.write = gap.end - gap.start;
            }
        }
        let pos = pos + place.skip + place.write;
        let gained = self.have.insert(place.at, place.at + place.write);
        if end.is_some_and(|end| pos >= end) {
            let mut reach = self.reach(lane, pos, body_end);
            if reach <= pos && body_end.is_some_and(|body_end| pos < body_end) && self.take_back(pos) {
                reach = self.reach(lane, pos, body_end);
            }
            place.finished = reach <= pos;
            end = Some(reach);
        } else {
            place.finished = false;
        }
        if gained > 0 {
            self.backoff.reset();
            self.not_ready_since = None;
            self.source_worked = true;
        }
        if let Some(lane) = self.lanes.get_mut(lane) {
            if gained > 0 && lane.gained == 0 {
                self.side_backoff.reset();
            }
            lane.gained += gained;
            self.mixed |= lane.unnamed && gained > 0;
            lane.activity = Activity::Reading { pos, end, body_end };
        }
        if place.finished {
            self.release(lane);
        }
        place
    }

    /// How far a lane that came to its end may read on, because nobody took over from there; `pos` when it may not.
    fn reach(&self, lane: usize, pos: u64, body_end: Option<u64>) -> u64 {
        let wanted_end = self.wanted().map_or(u64::MAX, |wanted| wanted.end);
        let limit = wanted_end.min(body_end.unwrap_or(u64::MAX));
        let Some(gap) = self.have.first_gap(pos..limit).filter(|gap| gap.start == pos) else {
            return pos;
        };
        let others = self.lanes.iter().enumerate().filter(|(at, _)| *at != lane).filter_map(|(_, lane)| lane.claim());
        let next = others.filter(|claim| claim.end > pos).map(|claim| claim.start.max(pos)).min();
        next.map_or(gap.end, |next| next.min(gap.end))
    }

    /// The file cannot end before this.
    pub(super) fn least_end(&self) -> u64 {
        self.have.iter().last().map_or(0, |run| run.end).max(self.announced)
    }

    /// Whether the bytes of [`Place::skip`] have to be compared with those that are there.
    pub fn compares(&self) -> bool {
        self.by_content
    }

    /// Whether bytes have to be kept, in case that they have to be compared.
    pub fn may_compare(&self) -> bool {
        self.restarts > 0 && self.policy.wanted.is_none()
    }

    /// The bytes of an answer are not those that are there.
    pub fn differs(&mut self) {
        let why = "the file changed while it was read: its tags differ from answer to answer, and so do its bytes";
        self.finish(Err(Error::new(ErrorKind::Integrity, Phase::Content, why)));
    }

    /// The lane's body came to its regular end.
    pub fn ended(&mut self, now: Time, lane: usize) {
        if self.look_failed(now, lane, None) {
            return;
        }
        let Some(Lane { activity: Activity::Reading { pos, end, body_end }, gained, from, .. }) = self.lanes.get(lane)
        else {
            return self.lost(now, lane, "the answer ended before its body");
        };
        let (pos, end, body_end, gained, from) = (*pos, *end, *body_end, *gained, *from);
        if end.is_some_and(|end| pos >= end) {
            self.release(lane);
            if gained == 0 && self.complete().is_none() {
                let why = "the answer brought no new byte";
                self.failure(now, Error::new(ErrorKind::Connection, Phase::Content, why));
            }
            return;
        }
        // A body without a length, of a file without one: perhaps it is whole. The MP4 structure will tell; where that is
        // not looked at, the end is believed when it is seen a second time.
        if self.validators.total.is_none() && body_end.is_none() && pos > from && pos >= self.least_end() {
            let confirmed = self.clean_end.replace(pos) == Some(pos);
            self.ended_here_again |= confirmed && self.ranges_honoured == Some(false);
            if confirmed || self.checks_structure() {
                self.release(lane);
                self.guess = Some(Guess { at: pos, confirmed });
                return;
            }
        }
        self.lost(now, lane, "the body ended early");
    }
}
