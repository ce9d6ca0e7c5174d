//! Who may send the next request: one schedule for all that a client waits for.
//!
//! ```text
//!        add (a poll)          time has come            step: Grant             collect
//!  ────────▶ ┌──────────┐ ─────────────▶ ┌───────┐ ─────────────▶ ┌─────────┐ ─────────▶ gone, the request is sent
//!            │ Sleeping │                │ Ready │ ◀───────────── │ Granted │
//!            └──────────┘                └───────┘  fetched late  └─────────┘
//!                                            │ step: Expire, GRACE after its deadline
//!                                            ▼
//!                                        ┌─────────┐  collect: the wait ends without a request
//!                                        │ Expired │ ─────────▶ gone
//!                                        └─────────┘
//!        add (a create)                  step: Grant             collect               remove
//!  ────────▶ ┌────────┐ ─────────────▶ ┌─────────┐ ─────────────▶ ┌──────────┐ ─────────▶ gone
//!            │ Queued │ ◀───────────── │ Granted │                │ InFlight │
//!            └────────┘  fetched late  └─────────┘                └──────────┘
//! ```
//!
//! **Order.** Whoever is ready longest is next. Under pressure, when the queue is too long for somebody's deadline,
//! every second grant goes to the nearest deadline instead. So of two grants at least one goes to the oldest, and
//! nobody waits longer than twice his fair share (the number of those who wait, divided by the rate).
//!
//! **Budget.** Every grant takes a token (2 a second, bursts of 4). A 429 halves the rate and the number of create requests in
//! flight for everybody at once, both recover step by step, and a `Retry-After` stops all grants until it has passed.
//!
//! **Create requests that are dropped.** One that was in flight keeps its place for [`LINGER`]; one that only waited is gone.
//! One waits for the server's pauses for as long as its own limit allows, whether it is one pause or several: as soon as the server
//! has asked for more, it expires, and its caller hears of it at once.
//!
//! **Nothing hangs on one waiter.** A grant that is not fetched within [`FRESH`] is void, since whoever got it is not
//! being polled now; and a create counts as in flight for no longer than a create can take.
//!
//! ```
//! use std::time::Duration;
//! use junfeiai::protocol::{Collected, SlotRequest, ScheduleMachine, SchedulePolicy, ScheduleStep, Time};
//!
//! let at = |seconds| Time::from_start(Duration::from_secs(seconds));
//! let mut schedule = ScheduleMachine::new(SchedulePolicy { burst: 1, ..SchedulePolicy::default() });
//! let first = schedule.add(at(0), SlotRequest::Poll { due: at(5), deadline: None });
//! let second = schedule.add(at(0), SlotRequest::Poll { due: at(6), deadline: None });
//! assert_eq!(schedule.step(at(0)), ScheduleStep::WaitUntil(at(5)));
//! assert_eq!(schedule.step(at(7)), ScheduleStep::Grant(first));
//! assert_eq!(schedule.collect(at(7), first), Collected::Granted);
//! // Two requests a second: the other one is half a second later.
//! let ScheduleStep::WaitUntil(next) = schedule.step(at(7)) else { panic!() };
//! assert_eq!(next.since(at(7)).as_millis(), 500);
//! // The server says 429 and asks for 30 s: everybody pauses, then continues at half the rate.
//! schedule.limited(at(7), at(7), Some(Duration::from_secs(30)));
//! let ScheduleStep::WaitUntil(next) = schedule.step(at(8)) else { panic!() };
//! assert_eq!(next.since(at(7)).as_millis(), 31_000);
//! assert_eq!(schedule.step(next), ScheduleStep::Grant(second));
//! ```

use std::time::Duration;

use super::Time;
use super::budget::RequestBudget;
use super::due_queue::DueQueue;
use super::slot::SlotId;

/// How long after its deadline a poll may still be granted.
pub const GRACE: Duration = Duration::from_secs(5);
/// How long a grant may lie before it is fetched.
pub const FRESH: Duration = Duration::from_secs(1);
/// How long a create whose caller dropped it keeps its place among those in flight. Who cancels many creates does so one
/// after the other: a place that was free at once would let another of them leave before its own turn to be cancelled.
pub const LINGER: Duration = Duration::from_secs(1);

/// The limits of a schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SchedulePolicy {
    /// Requests per second. Default 2.
    pub rate: f64,
    /// How many requests may leave together after a quiet time. Default 4.
    pub burst: u32,
    /// How many create requests may be in flight at a time. Default 4.
    pub max_in_flight_creates: u32,
    /// How long a create counts as in flight at most. Default 180 s, as a create may take.
    pub create_lease: Duration,
}

impl Default for SchedulePolicy {
    fn default() -> Self {
        Self { rate: 2.0, burst: 4, max_in_flight_creates: 4, create_lease: Duration::from_secs(180) }
    }
}

/// What a slot in the schedule is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotRequest {
    /// A query, not before `due`; nobody needs it any more [`GRACE`] after `deadline`.
    Poll {
        /// Not before this time.
        due: Time,
        /// The nearest of these goes first under pressure; `None` is never near.
        deadline: Option<Time>,
    },
    /// A create, as soon as one more may be in flight. One that is tried again does not queue anew.
    Create {
        /// Since when it has been waiting, its earlier attempts included.
        since: Time,
        /// How long it waits for pauses that the server asks for from now on, or asked for before, all together. Nothing else that
        /// it waits for counts.
        patience: Duration,
    },
}

/// What the driver shall do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleStep {
    /// Wake this entry: it may send its request.
    Grant(SlotId),
    /// Wake this entry: its time is up.
    Expire(SlotId),
    /// Ask again at this time, or when an entry came or went.
    WaitUntil(Time),
    /// There is nothing to wait for.
    Idle,
}

/// What an entry finds when it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collected {
    /// Not yet.
    Waiting,
    /// Send the request now. A poll's entry is gone; a create's is to be removed when its answer is there.
    Granted,
    /// No slot came in time, or the server asked for longer pauses than a create waits for. The entry is gone.
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Free,
    Sleeping,
    Ready,
    Granted,
    Expired,
    Queued,
    CreateGranted,
    InFlight,
    /// A create whose grant or lease has run out: it does not count as in flight any more.
    Lapsed,
    /// A create that was dropped while it was in flight, or about to be. Nobody has its slot any more.
    Lingering,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The key in the set of its state: due, ready since, granted at, or the end of its lease.
    at: Time,
    /// Of a poll. Of a create: the sum of all pauses since the start, as in [`ScheduleMachine::pauses`], beyond which it expires.
    deadline: Time,
    state: State,
}

/// No deadline.
const NEVER: Time = Time::from_start(Duration::MAX);

/// The machine of one client's schedule. See the [module documentation](self). Every call costs O(log n).
#[derive(Debug)]
pub struct ScheduleMachine {
    policy: SchedulePolicy,
    budget: RequestBudget,
    entries: Vec<Entry>,
    free: Vec<u32>,
    sleeping: DueQueue,
    /// Polls whose time has come, the oldest first.
    ready: DueQueue,
    /// The same by deadline, without those that have none.
    urgent: DueQueue,
    creates: DueQueue,
    /// The same by the sum of pauses beyond which they expire.
    patience: DueQueue,
    /// All pauses that the server has asked for, up to the end of the last, laid one behind the other.
    pauses: Duration,
    /// Create requests that count as in flight, by the end of their lease.
    leases: DueQueue,
    /// The last grant went by deadline: the next goes by age.
    by_age: bool,
}

impl ScheduleMachine {
    /// An empty schedule with a full bucket.
    pub fn new(policy: SchedulePolicy) -> Self {
        Self {
            policy,
            budget: RequestBudget::new(policy.rate, policy.burst),
            entries: Vec::new(),
            free: Vec::new(),
            sleeping: DueQueue::default(),
            ready: DueQueue::default(),
            urgent: DueQueue::default(),
            creates: DueQueue::default(),
            patience: DueQueue::default(),
            pauses: Duration::ZERO,
            leases: DueQueue::default(),
            by_age: false,
        }
    }

    /// Adds an entry.
    pub fn add(&mut self, now: Time, request: SlotRequest) -> SlotId {
        let entry = match request {
            SlotRequest::Poll { due, deadline } => {
                Entry { at: due.max(now), deadline: deadline.unwrap_or(NEVER), state: State::Sleeping }
            }
            SlotRequest::Create { since, patience } => {
                let past = self.pauses.saturating_sub(self.budget.paused_until().since(now));
                let deadline = Time::from_start(past) + patience;
                Entry { at: since.min(now), deadline, state: State::Queued }
            }
        };
        let slot = SlotId(self.free.pop().unwrap_or(self.entries.len() as u32));
        if slot.index() == self.entries.len() {
            self.entries.push(entry);
        }
        self.put(slot, entry);
        slot
    }

    /// Takes an entry out, whatever its state: its owner was dropped, or its create has been answered.
    pub fn remove(&mut self, slot: SlotId) {
        let Some(entry) = self.entry(slot).filter(|entry| entry.state != State::Free) else { return };
        self.unlink(slot, entry);
        // In the place of an old grant's token another may have flowed in: given back as well, it would leave twice.
        let fresh = entry.state == State::Granted && self.budget.refilled().since(entry.at) <= FRESH;
        if fresh || entry.state == State::CreateGranted {
            self.budget.give_back();
        }
        self.release(slot);
    }

    /// Takes out a create whose owner was dropped before its answer was there. One that was granted counts as in flight for
    /// another [`LINGER`].
    pub fn abandon(&mut self, now: Time, slot: SlotId) {
        match self.entry(slot) {
            Some(entry) if matches!(entry.state, State::CreateGranted | State::InFlight) => {
                self.unlink(slot, entry);
                self.put(slot, Entry { at: now + LINGER, state: State::Lingering, ..entry });
            }
            _ => self.remove(slot),
        }
    }

    /// What an entry has come to. After `Granted` for a poll, and after `Expired`, the entry is gone.
    pub fn collect(&mut self, now: Time, slot: SlotId) -> Collected {
        let Some(entry) = self.entry(slot) else { return Collected::Expired };
        match entry.state {
            State::Sleeping | State::Ready | State::Queued => Collected::Waiting,
            State::Granted if now.since(entry.at) <= FRESH => {
                self.release(slot);
                Collected::Granted
            }
            // Many old grants fetched together would leave as one bunch: back into the queue.
            State::Granted => {
                self.put(slot, Entry { at: now, state: State::Sleeping, ..entry });
                Collected::Waiting
            }
            State::CreateGranted => {
                self.unlink(slot, entry);
                self.put(slot, Entry { at: now + self.policy.create_lease, state: State::InFlight, ..entry });
                Collected::Granted
            }
            State::Lapsed => {
                self.put(slot, Entry { at: now, state: State::Queued, ..entry });
                Collected::Waiting
            }
            State::InFlight => Collected::Granted,
            State::Expired | State::Free => {
                self.release(slot);
                Collected::Expired
            }
            State::Lingering => Collected::Expired,
        }
    }

    /// What to do now. To be asked until it answers `WaitUntil` or `Idle`.
    pub fn step(&mut self, now: Time) -> ScheduleStep {
        self.budget.refill(now);
        while let Some(slot) = self.sleeping.pop_until(now) {
            self.change(slot, |entry| entry.state = State::Ready);
        }
        while let Some(slot) = self.leases.pop_until(now) {
            match self.entry(slot).map(|entry| entry.state) {
                Some(State::Lingering) => self.release(slot),
                _ => self.change(slot, |entry| entry.state = State::Lapsed),
            }
        }
        let impatient = self.patience.first().filter(|(most, _)| *most < Time::from_start(self.pauses));
        if let Some((_, slot)) = impatient {
            self.change(slot, |entry| entry.state = State::Expired);
            return ScheduleStep::Expire(slot);
        }
        let overdue = self.urgent.first().filter(|(deadline, _)| *deadline + GRACE <= now);
        if let Some((_, slot)) = overdue {
            self.change(slot, |entry| entry.state = State::Expired);
            return ScheduleStep::Expire(slot);
        }
        let Some((slot, by_deadline)) = self.next_in_line(now) else { return self.wait(None) };
        if !self.budget.take(now) {
            return self.wait(Some(self.budget.next()));
        }
        self.by_age = by_deadline;
        self.change(slot, |entry| {
            if entry.state == State::Queued {
                *entry = Entry { at: now + FRESH, state: State::CreateGranted, ..*entry };
            } else {
                *entry = Entry { at: now, state: State::Granted, ..*entry };
            }
        });
        ScheduleStep::Grant(slot)
    }

    /// Notes a 429 to a request that was sent at this time. Answers to requests that were under way together halve the
    /// rate once; each of their `Retry-After` is obeyed.
    pub fn limited(&mut self, now: Time, sent: Time, retry_after: Option<Duration>) {
        let before = self.budget.paused_until().max(now);
        self.budget.limited(now, sent, retry_after);
        self.pauses = self.pauses.saturating_add(self.budget.paused_until().since(before));
    }

    /// When the pause that the server asked for ends; a time in the past when there is none.
    pub fn paused_until(&self) -> Time {
        self.budget.paused_until()
    }

    /// Requests per second that may leave now: the policy's rate, or less for a while after a 429.
    pub fn rate(&self) -> f64 {
        self.budget.rate()
    }

    /// How many create requests may be in flight now: the policy's number, or less for a while after a 429, at least 1.
    pub fn creates_allowed(&self) -> usize {
        ((f64::from(self.policy.max_in_flight_creates) * self.budget.eased()) as usize).max(1)
    }

    /// How long it takes to serve all whose time has come, at the rate of now: the fair share of each.
    pub fn queue_time(&self) -> Duration {
        let waiting = self.ready.len() + self.creates.len();
        Duration::try_from_secs_f64(waiting as f64 / self.budget.rate()).unwrap_or(Duration::MAX)
    }

    /// An entry that is likely to wait longest from now, other than this one.
    pub fn last_in_line(&self, but: SlotId) -> Option<SlotId> {
        [&self.sleeping, &self.ready, &self.creates].into_iter().find_map(|queue| queue.last_but(but))
    }

    /// Who gets the next token, and whether that is by deadline.
    fn next_in_line(&self, now: Time) -> Option<(SlotId, bool)> {
        let create = self.creates.first().filter(|_| self.leases.len() < self.creates_allowed());
        let oldest = match (self.ready.first(), create) {
            (Some(poll), Some(create)) => Some(poll.min(create)),
            (poll, create) => poll.or(create),
        };
        if !self.by_age
            && let Some((deadline, slot)) = self.urgent.first()
            // Within this time its turn by age may not come.
            && deadline.since(now) <= self.queue_time().saturating_mul(2)
        {
            return Some((slot, true));
        }
        oldest.map(|(_, slot)| (slot, false))
    }

    /// The next time at which something can change by itself.
    fn wait(&self, token: Option<Time>) -> ScheduleStep {
        let first = |queue: &DueQueue| queue.first().map(|(at, _)| at);
        // Leases matter to those only who wait for one.
        let lease = first(&self.leases).filter(|_| !self.creates.is_empty());
        let overdue = first(&self.urgent).map(|deadline| deadline + GRACE);
        let next = [token, first(&self.sleeping), lease, overdue].into_iter().flatten().min();
        next.map_or(ScheduleStep::Idle, ScheduleStep::WaitUntil)
    }

    fn entry(&self, slot: SlotId) -> Option<Entry> {
        self.entries.get(slot.index()).copied()
    }

    fn change(&mut self, slot: SlotId, change: impl FnOnce(&mut Entry)) {
        if let Some(mut entry) = self.entry(slot) {
            self.unlink(slot, entry);
            change(&mut entry);
            self.put(slot, entry);
        }
    }

    /// Writes an entry and puts it into the sets of its state.
    fn put(&mut self, slot: SlotId, entry: Entry) {
        if let Some(place) = self.entries.get_mut(slot.index()) {
            *place = entry;
        }
        let key = (entry.at, slot);
        match entry.state {
            State::Sleeping => self.sleeping.insert(key),
            State::Ready => {
                self.ready.insert(key);
                if entry.deadline < NEVER {
                    self.urgent.insert((entry.deadline, slot));
                }
            }
            State::Queued => {
                self.creates.insert(key);
                self.patience.insert((entry.deadline, slot));
            }
            State::CreateGranted | State::InFlight | State::Lingering => self.leases.insert(key),
            State::Free | State::Granted | State::Expired | State::Lapsed => {}
        }
    }

    /// Takes an entry out of the sets of its state.
    fn unlink(&mut self, slot: SlotId, entry: Entry) {
        let key = (entry.at, slot);
        match entry.state {
            State::Sleeping => self.sleeping.remove(key),
            State::Ready => {
                self.ready.remove(key);
                self.urgent.remove((entry.deadline, slot));
            }
            State::Queued => {
                self.creates.remove(key);
                self.patience.remove((entry.deadline, slot));
            }
            State::CreateGranted | State::InFlight | State::Lingering => self.leases.remove(key),
            State::Free | State::Granted | State::Expired | State::Lapsed => {}
        }
    }

    /// Makes the slot's number free, once.
    fn release(&mut self, slot: SlotId) {
        if let Some(entry) = self.entries.get_mut(slot.index())
            && entry.state != State::Free
        {
            entry.state = State::Free;
            self.free.push(slot.0);
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
