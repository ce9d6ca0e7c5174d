//! Waiting for a task: when to ask, when to continue although a poll failed, and when it ends.
//!
//! ```text
//!              time has come            input: state or error
//!  ┌─────────┐ ───────────▶ ┌────────┐ ──────────────┐
//!  │ Pausing │   step: Poll  │ Asking │               ▼
//!  └─────────┘ ◀─────────── └────────┘     SUCCESS → Done(Ok)
//!       ▲                                  FAILURE → Done(task_failed)
//!       │  still running, or a            401, 403, persistent 404 → Done(that error)
//!       └─ failure within the budget ◀──  last poll at the deadline made → Done(wait_timeout)
//! ```
//!
//! A failed poll is not a failed task. Transient errors only use up a budget that every good answer fills again.
//!
//! ```
//! use std::time::Duration;
//! use junfeiai::protocol::{Time, WaitMachine, WaitPolicy, WaitStep};
//! use junfeiai::{Snapshot, TaskStatus};
//!
//! let mut now = Time::default();
//! let mut wait = WaitMachine::new("task_1", WaitPolicy::default(), None, now, 1);
//! assert!(matches!(wait.step(now), WaitStep::Poll { .. }));
//! wait.input(now, Ok(&Snapshot::default())); // still running
//! let WaitStep::WaitUntil(next) = wait.step(now) else { panic!() };
//! assert!(next.since(now) >= Duration::from_secs(5));
//! now = next;
//! assert!(matches!(wait.step(now), WaitStep::Poll { .. }));
//! let mut done = Snapshot::default();
//! done.status = TaskStatus::Succeeded;
//! wait.input(now, Ok(&done));
//! assert!(matches!(wait.step(now), WaitStep::Done(Ok(()))));
//! ```

use std::time::Duration;

use super::backoff::stretched;
use super::retry_after::MAX_RETRY_AFTER;
use super::{Backoff, Time};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::Snapshot;
use crate::status::TaskStatus;
use crate::text::decimal::Seconds;

/// The service asks for 5 s at least between two queries of a task (service document §5).
pub const MIN_INTERVAL: Duration = Duration::from_secs(5);

/// Longest delay between two polls that may be set.
pub const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// When to ask and when to give up.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitPolicy {
    /// First pause between two polls. Default 5 s, which is also the least for any host but this machine; at most 24 hours.
    pub interval: Duration,
    /// Longest pause between two polls; the pause grows towards it. Default 10 s; at most 24 hours.
    pub max_interval: Duration,
    /// Longest wait; `None` waits for ever. Default 30 minutes.
    pub timeout: Option<Duration>,
    /// Longest time for one poll. Default 30 s.
    pub call_timeout: Duration,
    /// How many polls may fail in a row. Default 20.
    pub max_errors: u32,
    /// How long after our own create "not found" means "not visible yet". Default 30 s.
    pub visible_after: Duration,
}

impl Default for WaitPolicy {
    fn default() -> Self {
        Self {
            interval: MIN_INTERVAL,
            max_interval: Duration::from_secs(10),
            timeout: Some(Duration::from_secs(30 * 60)),
            call_timeout: Duration::from_secs(30),
            max_errors: 20,
            visible_after: Duration::from_secs(30),
        }
    }
}

impl WaitPolicy {
    /// The policy as it may be used against this kind of host: anything but this machine is not asked faster than
    /// the service allows.
    #[must_use]
    pub fn for_host(mut self, loopback: bool) -> Self {
        if !loopback {
            self.interval = self.interval.max(MIN_INTERVAL);
        }
        self.max_interval = self.max_interval.max(self.interval);
        self
    }

    /// Between any two polls, the last one at the deadline included.
    pub(super) fn least_gap(&self) -> Duration {
        self.interval.min(MIN_INTERVAL)
    }

    /// The longest pause that a wait plans by itself, or that a server may ask it for.
    pub(super) fn longest_pause(&self) -> Duration {
        let own = stretched(self.max_interval.max(self.interval), 1.0 + JITTER).max(MAX_ERROR_PAUSE);
        let asked_for = MAX_RETRY_AFTER.saturating_add(self.interval);
        // A poll right before the deadline is left out for the one at it; and a millisecond for the rounding.
        own.max(asked_for).saturating_add(self.least_gap()).saturating_add(Duration::from_millis(1))
    }

    /// When to ask again for a task that the server does not know although we created it, at the time named, a moment
    /// ago; `None` when the error is to be believed.
    pub fn not_visible_yet(&self, created: Option<Time>, now: Time, error: &Error) -> Option<Time> {
        let created = created.filter(|created| now.since(*created) < self.visible_after)?;
        // The last question comes when the time is up.
        (error.kind() == ErrorKind::NotFound).then(|| (now + self.interval).min(created + self.visible_after))
    }
}

/// How often in a row "not found" must be heard before it is believed.
const NOT_FOUND_LIMIT: u32 = 3;
/// What the last poll, made at the deadline, may take at most.
const LAST_CALL: Duration = Duration::from_secs(5);
/// The pause grows by this factor from poll to poll.
const GROWTH: f64 = 1.25;
/// Pauses are stretched by up to this part, so that many waits do not bunch.
const JITTER: f64 = 0.15;
/// Longest own pause after failures in a row.
const MAX_ERROR_PAUSE: Duration = Duration::from_secs(60);

/// What the driver shall do next.
#[derive(Debug)]
pub enum WaitStep {
    /// Ask for the task's state, within this time.
    Poll {
        /// How long to wait for the answer.
        timeout: Duration,
    },
    /// Ask the machine again at this time.
    WaitUntil(Time),
    /// The wait has ended: the snapshot that came last succeeded, or this error.
    Done(Result<()>),
}

/// What a wait is between two polls: all that another machine needs to continue it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Paused {
    pub(super) id: Box<str>,
    pub(super) policy: WaitPolicy,
    pub(super) due: Time,
    pub(super) deadline: Option<Time>,
    pub(super) created: Option<Time>,
    pub(super) asked_at: Option<Time>,
    pub(super) interval: Duration,
    pub(super) polls: u32,
    pub(super) errors: u32,
    pub(super) not_found: u32,
    pub(super) last_status: Option<TaskStatus>,
    /// Of use to a journal alone.
    #[cfg(feature = "journal")]
    pub(super) charged: Option<u64>,
    pub(super) last_error: Option<Box<str>>,
    /// Of the jitter to come.
    pub(super) seed: u64,
}

#[derive(Debug)]
enum State {
    Pausing(Time),
    Asking,
    Finished(Option<Result<()>>),
}

/// The machine of one wait. See the [module documentation](self).
#[derive(Debug)]
pub struct WaitMachine {
    id: Box<str>,
    policy: WaitPolicy,
    deadline: Option<Time>,
    /// When our own create was answered, for a task that is younger than this wait.
    created: Option<Time>,
    interval: Duration,
    not_found: u32,
    backoff: Backoff,
    last_status: Option<TaskStatus>,
    /// What was charged, as the last answer before a failure said.
    charged: Option<u64>,
    /// Why the last poll failed, if it did.
    last_error: Option<Box<str>>,
    polls: u32,
    asked_at: Option<Time>,
    state: State,
}

impl WaitMachine {
    /// A wait that begins now. `created` is when this client created the task: such a task cannot be done at once, so
    /// the first poll waits for one interval; any other task is asked for at once.
    pub fn new(id: &str, policy: WaitPolicy, created: Option<Time>, now: Time, seed: u64) -> Self {
        let mut backoff = backoff(&policy, seed);
        let deadline = policy.timeout.map(|timeout| now + timeout);
        let first = created.map_or(now, |created| (created + pause(policy.interval, backoff.spread(JITTER))).max(now));
        let first = deadline.map_or(first, |deadline| first.min(deadline));
        let interval = policy.interval;
        Self {
            id: id.into(),
            policy,
            deadline,
            created,
            interval,
            not_found: 0,
            backoff,
            last_status: None,
            charged: None,
            last_error: None,
            polls: 0,
            asked_at: None,
            state: State::Pausing(first),
        }
    }

    /// Continues a wait where another machine has left it.
    pub(super) fn resumed(paused: Paused) -> Self {
        Self {
            backoff: backoff(&paused.policy, paused.seed).after(paused.errors),
            id: paused.id,
            policy: paused.policy,
            deadline: paused.deadline,
            created: paused.created,
            interval: paused.interval,
            not_found: paused.not_found,
            last_status: paused.last_status,
            #[cfg(feature = "journal")]
            charged: paused.charged,
            #[cfg(not(feature = "journal"))]
            charged: None,
            last_error: paused.last_error,
            polls: paused.polls,
            asked_at: paused.asked_at,
            state: State::Pausing(paused.due),
        }
    }

    /// The wait between two polls; `None` while one is under way and when the wait has ended.
    pub(super) fn paused(&self) -> Option<Paused> {
        Some(Paused {
            id: self.id.clone(),
            policy: self.policy.clone(),
            due: self.due()?,
            deadline: self.deadline,
            created: self.created,
            asked_at: self.asked_at,
            interval: self.interval,
            polls: self.polls,
            errors: self.backoff.failures(),
            not_found: self.not_found,
            last_status: self.last_status,
            #[cfg(feature = "journal")]
            charged: self.charged,
            last_error: self.last_error.clone(),
            seed: self.backoff.seed(),
        })
    }

    /// What to do now.
    pub fn step(&mut self, now: Time) -> WaitStep {
        let too_soon = self.last_poll_would_come_too_soon(now);
        match &mut self.state {
            State::Pausing(until) if now < *until => WaitStep::WaitUntil(*until),
            State::Pausing(_) if too_soon => {
                let error = self.timed_out();
                self.state = State::Finished(None);
                WaitStep::Done(Err(error))
            }
            State::Pausing(_) => {
                self.state = State::Asking;
                self.polls = self.polls.saturating_add(1);
                self.asked_at = Some(now);
                let left = self.deadline.map_or(self.policy.call_timeout, |deadline| deadline.since(now));
                WaitStep::Poll { timeout: self.policy.call_timeout.min(left.max(LAST_CALL)) }
            }
            State::Finished(result) => {
                let result = result.take();
                WaitStep::Done(result.unwrap_or_else(|| Err(self.misuse())))
            }
            State::Asking => WaitStep::Done(Err(self.misuse())),
        }
    }

    /// Tells what came of the poll that [`WaitStep::Poll`] asked for.
    pub fn input(&mut self, now: Time, result: Result<&Snapshot>) {
        if !matches!(self.state, State::Asking) {
            return;
        }
        let next = match result {
            Ok(snapshot) => self.answered(now, snapshot),
            Err(error) => self.failed(now, error),
        };
        self.state = match next {
            Err(result) => State::Finished(Some(result)),
            Ok(next) => match self.deadline {
                Some(deadline) if now >= deadline => State::Finished(Some(Err(self.timed_out()))),
                // The last poll is made at the deadline. One that would come right before it is left out for it.
                Some(deadline) if next + self.least_gap() > deadline => State::Pausing(deadline),
                Some(_) => State::Pausing(next),
                None => State::Pausing(next),
            },
        };
    }

    /// The task that is waited for.
    pub fn task_id(&self) -> &str {
        &self.id
    }

    /// The last status that an answer showed.
    pub fn last_status(&self) -> Option<TaskStatus> {
        self.last_status
    }

    /// What was charged for the task in units, where an answer of this wait said it before the task failed.
    pub fn charged_units(&self) -> Option<u64> {
        self.charged
    }

    /// When the next poll is due; `None` while one is under way and when the wait has ended.
    pub fn due(&self) -> Option<Time> {
        match self.state {
            State::Pausing(until) => Some(until),
            State::Asking | State::Finished(_) => None,
        }
    }

    /// When the wait gives up.
    pub fn deadline(&self) -> Option<Time> {
        self.deadline
    }

    /// The error of a wait that has to end now without a last poll: no request could be made any more.
    pub fn timed_out(&self) -> Error {
        let seconds = Seconds(self.policy.timeout.unwrap_or_default());
        let status = self.last_status;
        let said = status.map_or("it could not be asked for".to_owned(), |status| format!("it is {status}"));
        let why = self.last_error.as_ref();
        let why = why.map_or(String::new(), |error| format!(" (the last poll failed: {error})"));
        let text = format!("the task did not end within {seconds} s; {said}{why}");
        Error::new(ErrorKind::WaitTimeout, Phase::Wait, text).with_task(&self.id).with(|record| {
            record.last_status = status;
            record.attempts = self.polls;
        })
    }

    /// Between two polls, the last one included.
    fn least_gap(&self) -> Duration {
        self.policy.least_gap()
    }

    /// At the deadline, when the poll before it was only just made: the service asks for a pause between two.
    fn last_poll_would_come_too_soon(&self, now: Time) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
            && self.asked_at.is_some_and(|asked| now < asked + self.least_gap())
    }

    fn answered(&mut self, now: Time, snapshot: &Snapshot) -> std::result::Result<Time, Result<()>> {
        self.backoff.reset();
        self.not_found = 0;
        self.last_error = None;
        // After a failure the charge is returned, and newer servers show 0.
        if snapshot.status != TaskStatus::Failed {
            self.charged = snapshot.charged_units.or(self.charged);
        }
        match snapshot.status {
            TaskStatus::Succeeded => return Err(Ok(())),
            TaskStatus::Failed => {
                let reason = snapshot.fail_reason.as_deref().unwrap_or("the server gave no reason");
                let error = Error::new(ErrorKind::TaskFailed, Phase::Wait, format!("the task failed: {reason}"))
                    .with_task(&self.id)
                    .with(|record| {
                        record.last_status = Some(TaskStatus::Failed);
                        record.attempts = self.polls;
                        record.server_message.clone_from(&snapshot.fail_reason);
                    });
                return Err(Err(error));
            }
            _ => {}
        }
        // Thousands may wait in one process: what nobody will read is not kept.
        self.last_status = Some(snapshot.status);
        let next = now + pause(self.interval, self.backoff.spread(JITTER));
        let longest = self.policy.max_interval.max(self.policy.interval);
        self.interval = stretched(self.interval, GROWTH).min(longest);
        Ok(next)
    }

    fn failed(&mut self, now: Time, error: Error) -> std::result::Result<Time, Result<()>> {
        let last_status = self.last_status;
        let own = self.backoff.next(error.retry_after()).max(self.policy.interval);
        let failures = self.backoff.failures();
        let ends = match error.kind() {
            // The service says with a code or in words that it knows no such task; who says nothing is a proxy in front of it.
            ErrorKind::NotFound if says_something(&error) => {
                if self.policy.not_visible_yet(self.created, now, &error).is_none() {
                    self.not_found = self.not_found.saturating_add(1);
                }
                self.not_found >= NOT_FOUND_LIMIT
            }
            // An HTML page, an odd answer, a redirect to where a proxy wants a log-in or a certificate that is renewed may pass as
            // well: it counts against the budget.
            ErrorKind::NotFound | ErrorKind::UnexpectedResponse | ErrorKind::Connect | ErrorKind::UntrustedHost => {
                failures > self.policy.max_errors
            }
            _ if error.is_transient() => failures > self.policy.max_errors,
            // No other answer says that the task cannot be asked for: a proxy, or a release of the gateway, may be behind it.
            _ => {
                failures > self.policy.max_errors
                    || !matches!(error.status(), Some(status) if !matches!(status, 401 | 403))
            }
        };
        if ends {
            let error = error.with_task(&self.id).with(|record| {
                record.phase = Phase::Wait;
                record.last_status = last_status;
                record.attempts = self.polls;
            });
            return Err(Err(error));
        }
        self.last_error = Some(error.record().message.as_str().into());
        Ok(now + pause(own, 1.0))
    }

    fn misuse(&self) -> Error {
        Error::new(ErrorKind::Internal, Phase::Wait, "the wait machine was asked out of turn").with_task(&self.id)
    }
}

fn says_something(error: &Error) -> bool {
    let record = error.record();
    record.code.is_some() || record.server_message.is_some()
}

fn backoff(policy: &WaitPolicy, seed: u64) -> Backoff {
    Backoff::new(policy.interval, MAX_ERROR_PAUSE.max(policy.interval), seed)
}

/// A pause times a factor, in whole milliseconds: so exactly can any language hold a time.
fn pause(duration: Duration, factor: f64) -> Duration {
    let pause = stretched(duration, factor);
    let over = u64::from(pause.subsec_nanos() % 1_000_000);
    if over == 0 { pause } else { pause.saturating_add(Duration::from_nanos(1_000_000 - over)) }
}

#[cfg(test)]
#[path = "wait_tests.rs"]
mod tests;
