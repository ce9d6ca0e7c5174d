//! One call to the API: attempts, pauses, and the rule that a paid call is never sent twice.
//!
//! ```text
//!            step: Send                       input: answer or failure
//!  ┌──────┐ ───────────▶ ┌─────────┐ ───────────────────────────────┐
//!  │ Ready │              │ Sending │                                ▼
//!  └──────┘ ◀─────────── └─────────┘            good, final, or budget used up? ──▶ Done
//!      ▲       step: time has come                                  │ may be sent again
//!      │                ┌────────┐                                  │
//!      └─────────────── │ Paused │ ◀────────────────────────────────┘
//!                       └────────┘
//! ```
//!
//! ```
//! use std::time::Duration;
//! use junfeiai::protocol::{ApiResponse, CallEvent, CallMachine, CallStep, RetryPolicy, Safety, Time};
//! use junfeiai::{ErrorKind, Phase, transport::{Failure, Headers, TransportError}};
//!
//! let now = Time::default();
//! let mut call = CallMachine::new(Phase::Create, Safety::AtMostOnce, RetryPolicy::default(), Duration::from_secs(180), now, 1);
//! assert!(matches!(call.step(now), CallStep::Send { attempt: 1, .. }));
//! // The connection broke after the request may have been sent: there is no second attempt.
//! call.input(now, CallEvent::Failed(TransportError::new(Failure::Lost, "reset")));
//! let CallStep::Done(Err(error)) = call.step(now) else { panic!() };
//! assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown);
//! assert!(error.maybe_executed());
//! ```

use std::time::Duration;

use super::create::create_error;
use super::wire::{ApiResponse, classify, transport_error};
use super::{Backoff, Time};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::transport::TransportError;

/// How often and how long a call is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Most attempts, the first included. Default 4.
    pub max_attempts: u32,
    /// First pause. Default 0.5 s.
    pub base: Duration,
    /// Longest own pause. Default 20 s.
    pub cap: Duration,
    /// Longest time from the first attempt to the start of the last. Default 2 minutes.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            budget: Duration::from_secs(120),
        }
    }
}

/// Whether a call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// A read: again after any transient failure.
    Idempotent,
    /// A paid call: again only when it provably was not accepted (no connection, or 429).
    AtMostOnce,
}

/// What the driver shall do next.
#[derive(Debug)]
pub enum CallStep {
    /// Send the request and report what came of it.
    Send {
        /// Number of this attempt, from 1.
        attempt: u32,
        /// How long to wait for the answer.
        timeout: Duration,
    },
    /// Ask again at this time.
    WaitUntil(Time),
    /// It has ended.
    Done(Result<ApiResponse>),
}

/// What came of an attempt.
#[derive(Debug)]
pub enum CallEvent {
    /// An answer, of whatever status.
    Answered(ApiResponse),
    /// An answer whose body broke off.
    Broken(ApiResponse, TransportError),
    /// No answer.
    Failed(TransportError),
    /// The attempt was refused on our side (the key would have left for an unlisted host, a redirect makes no sense).
    Refused(Error),
}

#[derive(Debug)]
enum State {
    Ready,
    Sending,
    /// Until then, after this error.
    Paused(Time, Error),
    Finished(Option<Result<ApiResponse>>),
}

/// The machine of one call. See the [module documentation](self).
#[derive(Debug)]
pub struct CallMachine {
    phase: Phase,
    safety: Safety,
    policy: RetryPolicy,
    timeout: Duration,
    started: Time,
    attempts: u32,
    backoff: Backoff,
    state: State,
}

impl CallMachine {
    /// A call that has not been sent. `timeout` bounds each attempt.
    pub fn new(phase: Phase, safety: Safety, policy: RetryPolicy, timeout: Duration, now: Time, seed: u64) -> Self {
        let backoff = Backoff::new(policy.base, policy.cap, seed);
        Self { phase, safety, policy, timeout, started: now, attempts: 0, backoff, state: State::Ready }
    }

    /// What to do now.
    pub fn step(&mut self, now: Time) -> CallStep {
        self.state = match std::mem::replace(&mut self.state, State::Sending) {
            State::Paused(until, error) if now < until => {
                self.state = State::Paused(until, error);
                return CallStep::WaitUntil(until);
            }
            State::Ready | State::Paused(..) => {
                self.attempts += 1;
                return CallStep::Send { attempt: self.attempts, timeout: self.timeout };
            }
            State::Sending => return CallStep::Done(Err(self.misuse())),
            finished @ State::Finished(_) => finished,
        };
        match &mut self.state {
            State::Finished(result) => CallStep::Done(result.take().unwrap_or_else(|| Err(self.misuse()))),
            _ => CallStep::Done(Err(self.misuse())),
        }
    }

    /// Tells what came of the attempt that [`CallStep::Send`] asked for.
    pub fn input(&mut self, now: Time, event: CallEvent) {
        if !matches!(self.state, State::Sending) {
            // A late word about an attempt that is settled must not bring about another.
            return;
        }
        let event = match event {
            // A refusal is a refusal without its last bytes, too; and of a create nothing may be thrown away.
            CallEvent::Broken(answer, _) if !answer.is_success() || self.phase == Phase::Create => {
                CallEvent::Answered(answer)
            }
            CallEvent::Broken(_, error) => CallEvent::Failed(error),
            event => event,
        };
        let error = match event {
            CallEvent::Broken(_, error) | CallEvent::Failed(error) => transport_error(self.phase, error),
            CallEvent::Answered(answer) => match self.error_in(&answer) {
                None => {
                    self.state = State::Finished(Some(Ok(answer)));
                    return;
                }
                Some(error) => error,
            },
            CallEvent::Refused(error) => error,
        };
        let again = match self.safety {
            Safety::Idempotent => error.is_transient(),
            Safety::AtMostOnce => match error.kind() {
                ErrorKind::Connect => error.is_transient(),
                kind => kind == ErrorKind::RateLimited,
            },
        };
        let error = error.with(|record| record.attempts = self.attempts);
        if !again || self.attempts >= self.policy.max_attempts {
            self.state = State::Finished(Some(Err(error)));
            return;
        }
        let until = now + self.backoff.next(error.retry_after());
        let too_late = until.since(self.started) > self.policy.budget;
        self.state = if too_late { State::Finished(Some(Err(error))) } else { State::Paused(until, error) };
    }

    fn error_in(&self, answer: &ApiResponse) -> Option<Error> {
        if self.phase == Phase::Create { create_error(answer) } else { classify(self.phase, answer) }
    }

    /// True while the call may have been carried out, as far as is known: its request is under way, was answered well, or
    /// was lost. False before it is sent, and after a refusal or a connection that was not made.
    pub fn maybe_executed(&self) -> bool {
        match &self.state {
            State::Ready | State::Paused(..) => false,
            State::Sending | State::Finished(None | Some(Ok(_))) => true,
            State::Finished(Some(Err(error))) => error.maybe_executed(),
        }
    }

    /// How many attempts were begun.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    fn misuse(&self) -> Error {
        Error::new(ErrorKind::Internal, self.phase, "the call machine was asked out of turn")
    }
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
