//! One request budget for all processes of a journal: who may send when is written in one row of a store.
//!
//! The row is a line of departures. `next` is when the next request may leave, and a process that has something to send
//! reserves the next ones for itself: `next`, one interval later, and so on. So the rate holds whoever reserves, whoever
//! came first leaves first, and nobody starves. A process reserves for about [`AHEAD`], and asks the store at most once in
//! [`ROUND`]: a load and a swap. It reserves for what waits and for as many as left in the last `AHEAD`: who sends one request
//! after the other has only one that waits, and would get one in a `ROUND`. What is not used is dropped and not made up for.
//!
//! **Time.** The row has a time of its own, in milliseconds, which only its writers move on, each by what its monotonic clock has
//! measured since it last read the row. Who reads it takes over what others have measured. What nobody has measured, since processes
//! live for a request only or all of them paused, the clocks of the machines tell: the row holds what such a clock showed at its zero.
//! One that is ahead moves the time on once, and what was reserved then leaves at once; from then on it counts as the others do. By
//! one that is behind the time would stand still: what the row holds is corrected when that is more than [`CLOCK_ERROR`]. A time that
//! lags makes requests leave later, never earlier; for one that runs ahead there are three bounds. A process that had nothing to
//! send for [`STALE`] forgets what it read: it must not move the time on by what others have counted. One that slept, or whose
//! clock jumps, moves it on by `STALE` and one interval at most, once: so no more than `STALE * rate + 1` requests too many
//! leave. And a departure that is reserved is waited for on the own clock, however the row's time moves.
//!
//! **429.** Whoever gets one halves the rate in the row, by an additive increase it comes back, and counts `epoch` up: departures
//! reserved before are void. Everybody looks at the row before a departure that is older than [`ROUND`], so all have slowed
//! down within a second.
//!
//! **Without the store** each process takes its share: the rate divided by the number of processes that were last seen.
//!
//! ```
//! use std::time::Duration;
//! use junfeiai::protocol::Time;
//! use junfeiai::protocol::shared_budget::{BudgetStep, SharedBudget};
//!
//! let at = |ms| Time::from_start(Duration::from_millis(ms));
//! let mut budget = SharedBudget::new("a", 2.0);
//! budget.demand(at(0), 2);
//! assert_eq!(budget.step(at(0)), BudgetStep::Load);
//! budget.loaded(at(0), None); // there is no row yet
//! let BudgetStep::Swap { expected: None, value } = budget.step(at(0)) else { panic!() };
//! assert!(value.contains("\"next\":1000"), "two departures are reserved");
//! budget.swapped(Some(1));
//! assert!(budget.take(at(0)) && !budget.take(at(0)));
//! assert_eq!(budget.step(at(0)), BudgetStep::WaitUntil(at(500)));
//! assert!(budget.take(at(500)));
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Time;
use super::budget::{LEAST_RATE, LEAST_RECOVERY, RECOVERY, RequestBudget};

/// The name of the row.
pub const ROW: &str = "budget";
/// The shortest time between two looks at the store.
pub const ROUND: Duration = Duration::from_secs(1);
/// For how long a process reserves.
pub const AHEAD: Duration = Duration::from_secs(2);
/// Who had nothing to send for so long forgets the row's time; and the most that one process moves it on at a time, beside one
/// interval.
pub const STALE: Duration = Duration::from_secs(5);
/// A process that has written nothing for so long, by the row's time, is not counted any more.
const GONE: u64 = 120_000;
/// How far the clocks of two machines may differ. Requests of one that is further ahead do not wait for those of others.
pub const CLOCK_ERROR: Duration = Duration::from_secs(60);
/// Without the store, it is looked for again so often.
const RETRY: Duration = Duration::from_secs(5);

/// The row. Times are in milliseconds of its own time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    v: u32,
    now: u64,
    /// When the next request may leave.
    next: u64,
    /// Counts the 429s.
    epoch: u64,
    /// The part of the rate that was left after the last of them, and when it came.
    eased: f64,
    cut: u64,
    /// When each process wrote last.
    seen: BTreeMap<String, u64>,
    /// What the clock of a machine showed at the row's zero, in unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zero: Option<u64>,
}

impl Row {
    fn new() -> Self {
        Self { v: 1, now: 0, next: 0, epoch: 0, eased: 1.0, cut: 0, seen: BTreeMap::new(), zero: None }
    }

    /// The part of the rate that may be used at its time.
    fn eased(&self) -> f64 {
        let seconds = self.now.saturating_sub(self.cut) as f64 / 1_000.0;
        (self.eased + seconds * (self.eased / RECOVERY).max(LEAST_RECOVERY)).min(1.0)
    }
}

/// What the driver shall do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BudgetStep {
    /// Load the row [`ROW`], then say [`SharedBudget::loaded`] or [`SharedBudget::failed`].
    Load,
    /// Write it, then say [`SharedBudget::swapped`] or [`SharedBudget::failed`].
    Swap {
        /// The version that it replaces.
        expected: Option<u64>,
        /// The row.
        value: String,
    },
    /// Ask again at this time, or when the demand changed: something may leave then, or the store is to be asked.
    WaitUntil(Time),
    /// Nothing is wanted, or an answer of the store is awaited.
    Idle,
}

#[derive(Debug)]
enum Store {
    Quiet,
    Loading,
    Read { row: Row, version: Option<u64> },
    Writing { reserved: Vec<Time>, epoch: u64, limited: bool, written: (Option<u64>, String) },
}

/// A 429 that is to be written down.
#[derive(Debug)]
struct Limit {
    sent: Time,
    /// When the server's pause ends.
    until: Time,
}

/// The machine of one process.
#[derive(Debug)]
pub struct SharedBudget {
    id: String,
    rate: f64,
    demand: usize,
    /// Since when nothing waits.
    idle_since: Option<Time>,
    store: Store,
    /// Reserved, in their order.
    departures: VecDeque<Time>,
    /// When the last ones left, no longer ago than [`AHEAD`].
    left: VecDeque<Time>,
    /// When the row was last read, and the time that it had then.
    read: Option<(Time, u64)>,
    /// What the clock of this machine showed, in unix milliseconds, and when.
    clock: Option<(Time, u64)>,
    /// Of the row that was last read.
    epoch: Option<u64>,
    /// When this process learned of the last 429: one to a request that was sent before is the same.
    cut: Option<Time>,
    limit: Option<Limit>,
    paused_until: Time,
    next_round: Time,
    /// How many processes there were in the row.
    processes: u32,
    /// The own share, while the store cannot be reached.
    alone: Option<RequestBudget>,
    /// What was last written in vain, for that another was faster: the version that it should replace, and its text.
    lost: Option<(Option<u64>, String)>,
    warned: bool,
}

impl SharedBudget {
    /// A process with a name of its own, and how many requests per second all processes together may send.
    pub fn new(id: &str, rate: f64) -> Self {
        Self {
            id: id.to_owned(),
            rate,
            demand: 0,
            idle_since: None,
            store: Store::Quiet,
            departures: VecDeque::new(),
            left: VecDeque::new(),
            read: None,
            clock: None,
            epoch: None,
            cut: None,
            limit: None,
            paused_until: Time::default(),
            next_round: Time::default(),
            processes: 1,
            alone: None,
            lost: None,
            warned: false,
        }
    }

    /// How many requests wait for their departure now.
    pub fn demand(&mut self, now: Time, waiting: usize) {
        if waiting == 0 {
            self.idle_since = self.idle_since.or(Some(now));
        } else if self.idle_since.take().is_some_and(|since| now.since(since) > STALE) {
            self.read = None;
        }
        self.demand = waiting;
        // Their time has passed, and nobody was there.
        while self.departures.len() > waiting && self.departures.front().is_some_and(|at| now.since(*at) > ROUND) {
            self.departures.pop_front();
        }
        while self.left.front().is_some_and(|at| now.since(*at) > AHEAD) {
            self.left.pop_front();
        }
    }

    /// What the clock of this machine shows, as time since 1970. To be said before [`SharedBudget::loaded`], where there is one.
    pub fn shown(&mut self, now: Time, unix: Duration) {
        self.clock = Some((now, millis(unix)));
    }

    fn unix(&self, now: Time) -> Option<u64> {
        self.clock.map(|(at, unix)| unix.saturating_add(millis(now.since(at))))
    }

    /// A 429 to a request that was sent at this time.
    pub fn limited(&mut self, now: Time, sent: Time, retry_after: Option<Duration>) {
        self.paused_until = self.paused_until.max(now + retry_after.unwrap_or_default());
        if let Some(alone) = &mut self.alone {
            alone.limited(now, sent, retry_after);
        }
        if self.cut.is_some_and(|cut| sent <= cut) {
            return;
        }
        self.cut = Some(now);
        self.limit = Some(Limit { sent, until: self.paused_until });
        self.departures.clear();
    }

    /// True while a 429 is to be written down.
    pub fn has_limit(&self) -> bool {
        self.limit.is_some()
    }

    /// What to do now.
    pub fn step(&mut self, now: Time) -> BudgetStep {
        match &self.store {
            Store::Loading | Store::Writing { .. } => return self.idle(now),
            Store::Read { .. } => {
                if let Some(step) = self.write(now) {
                    return step;
                }
            }
            Store::Quiet => {}
        }
        if self.wants_store(now) {
            if now < self.next_round {
                return BudgetStep::WaitUntil(
                    self.next_departure(now).map_or(self.next_round, |at| at.min(self.next_round)),
                );
            }
            self.next_round = now + ROUND;
            self.store = Store::Loading;
            return BudgetStep::Load;
        }
        self.idle(now)
    }

    /// Waits for a departure, if there is one.
    fn idle(&self, now: Time) -> BudgetStep {
        let asked = matches!(self.store, Store::Loading | Store::Writing { .. });
        let departure = self.next_departure(now).filter(|at| !asked || *at > now);
        let look = (!asked && self.demand > 0).then(|| self.next_round.max(now + Duration::from_millis(1)));
        match departure.or(look) {
            Some(at) if self.demand > 0 => BudgetStep::WaitUntil(at),
            _ => BudgetStep::Idle,
        }
    }

    /// When the next request of this process may leave, as far as that is reserved.
    pub fn next_departure(&self, now: Time) -> Option<Time> {
        let at = match &self.alone {
            Some(alone) => Some(alone.next()),
            None => self.departures.front().copied(),
        };
        at.map(|at| at.max(self.paused_until).max(now))
    }

    fn is_fresh(&self, now: Time) -> bool {
        self.read.is_some_and(|(at, _)| now.since(at) <= ROUND)
    }

    fn wants_store(&self, now: Time) -> bool {
        if self.limit.is_some() {
            return true;
        }
        if self.demand == 0 {
            return false;
        }
        if self.alone.is_some() {
            return now >= self.next_round;
        }
        let due = self.departures.front().is_some_and(|at| *at <= now);
        let short =
            self.departures.len() < self.demand && self.departures.back().is_none_or(|last| *last <= now + ROUND);
        short || (due && !self.is_fresh(now))
    }

    /// What the row says: its value and version, or that there is none.
    pub fn loaded(&mut self, now: Time, row: Option<(&str, u64)>) {
        let version = row.map(|(_, version)| version);
        if let Some((expected, value)) = self.lost.take()
            && (version == expected || row.is_some_and(|(text, _)| text == value))
        {
            // Nobody was faster: it takes no write, or does not say so.
            return self.failed(now);
        }
        // What cannot be read is begun anew: it holds nothing that would be missed for long.
        let row = row.and_then(|(value, _)| serde_json::from_str(value).ok()).unwrap_or_else(Row::new);
        self.alone = None;
        self.see(now, &row);
        self.store = Store::Read { row, version };
    }

    /// Takes over what a row says.
    fn see(&mut self, now: Time, row: &Row) {
        let measured = self.read.map_or(0, |(at, time)| time.saturating_add(millis(now.since(at))));
        // A line that moves slowly is written seldom.
        let most = millis(STALE.saturating_add(after(1, 1_000.0 / (self.rate * row.eased()))));
        let shown = self.unix(now).zip(row.zero).map_or(0, |(unix, zero)| unix.saturating_sub(zero));
        self.read = Some((now, measured.min(row.now.saturating_add(most)).max(row.now).max(shown)));
        self.processes = u32::try_from(row.seen.len()).unwrap_or(u32::MAX).max(1);
        if self.epoch.is_some_and(|epoch| epoch != row.epoch) {
            if self.limit.as_ref().is_some_and(|limit| limit.sent <= now) {
                // The same one, which another has written down.
                self.limit = None;
            }
            self.cut = Some(now);
            self.departures.clear();
        }
        self.epoch = Some(row.epoch);
    }

    /// Reserves, and writes down a 429.
    fn write(&mut self, now: Time) -> Option<BudgetStep> {
        let Store::Read { mut row, version } = std::mem::replace(&mut self.store, Store::Quiet) else { return None };
        let (read_at, time) = self.read?;
        let time = time.saturating_add(millis(now.since(read_at)));
        self.read = Some((now, time));
        row.now = time;
        let error = millis(CLOCK_ERROR);
        if let Some(unix) = self.unix(now)
            && row.zero.is_none_or(|zero| unix.saturating_sub(zero).saturating_add(error) < time)
        {
            row.zero = Some(unix.saturating_sub(time));
        }
        if let Some(limit) = &self.limit {
            let least = (LEAST_RATE / self.rate).min(0.5);
            row.eased = (row.eased() / 2.0).max(least);
            row.cut = time;
            row.epoch = row.epoch.wrapping_add(1);
            row.next = time.saturating_add(millis(limit.until.since(now)));
        }
        row.seen.insert(self.id.clone(), time);
        row.seen.retain(|_, seen| seen.saturating_add(GONE) >= time);
        self.processes = u32::try_from(row.seen.len()).unwrap_or(u32::MAX).max(1);
        let interval = 1_000.0 / (self.rate * row.eased());
        let fair = (AHEAD.as_secs_f64() * self.rate / f64::from(self.processes)).ceil().max(1.0) as usize;
        let expected = if self.demand > 0 { self.demand + self.left.len() } else { 0 };
        let wanted = fair.min(expected.saturating_sub(self.departures.len()));
        // What was not used is not made up for.
        let first = row.next.max(time);
        let reserved: Vec<Time> =
            (0..wanted).map(|number| now + Duration::from_millis(first - time) + after(number, interval)).collect();
        row.next = first.saturating_add(millis(after(wanted, interval)));
        if wanted == 0 && self.limit.is_none() {
            return None;
        }
        let value = serde_json::to_string(&row).unwrap_or_default();
        let written = (version, value.clone());
        self.store = Store::Writing { reserved, epoch: row.epoch, limited: self.limit.is_some(), written };
        Some(BudgetStep::Swap { expected: version, value })
    }

    /// What came of the write: `None` when another was faster.
    pub fn swapped(&mut self, version: Option<u64>) {
        let Store::Writing { reserved, epoch, limited, written } = std::mem::replace(&mut self.store, Store::Quiet)
        else {
            return;
        };
        if version.is_none() {
            self.lost = Some(written);
            return;
        }
        self.epoch = Some(epoch);
        if limited {
            self.limit = None;
        } else if self.limit.is_some() {
            // Meanwhile there was a 429: these were reserved before it.
            return;
        }
        self.departures.extend(reserved);
    }

    /// The store could not be reached.
    pub fn failed(&mut self, now: Time) {
        self.store = Store::Quiet;
        self.next_round = now + RETRY;
        if self.alone.is_none() {
            let mut alone = RequestBudget::new(self.rate / f64::from(self.processes), 1);
            alone.refill(now);
            // All of them lose the store together: none begins with a request at once.
            let _ = alone.take(now);
            self.alone = Some(alone);
            self.departures.clear();
        }
    }

    /// True once each time that the store is lost: each process sends its share of the rate then.
    pub fn take_warning(&mut self) -> bool {
        let lost = self.alone.is_some();
        let news = lost && !self.warned;
        self.warned = lost;
        news
    }

    /// Takes a departure whose time has come.
    pub fn take(&mut self, now: Time) -> bool {
        if now < self.paused_until {
            return false;
        }
        let taken = if let Some(alone) = &mut self.alone {
            alone.refill(now);
            alone.take(now)
        } else {
            let due = self.is_fresh(now) && self.departures.front().is_some_and(|at| *at <= now);
            due && self.departures.pop_front().is_some()
        };
        self.demand = self.demand.saturating_sub(usize::from(taken));
        if taken {
            self.left.push_back(now);
        }
        taken
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// So many intervals of so many milliseconds.
fn after(intervals: usize, interval: f64) -> Duration {
    Duration::try_from_secs_f64(intervals as f64 * interval / 1_000.0).unwrap_or(Duration::MAX)
}

#[cfg(test)]
#[path = "shared_budget_tests.rs"]
mod tests;
