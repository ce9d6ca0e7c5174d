//! The request budget: a token bucket whose rate a 429 halves and time restores.

use std::time::Duration;

use super::Time;

/// What [`RequestBudget::eased`] regains per second at least: everything within ten minutes.
pub(super) const LEAST_RECOVERY: f64 = 1.0 / 600.0;
/// Seconds after which the rate that met a 429 is reached again.
pub(super) const RECOVERY: f64 = 60.0;
/// The rate is never cut below this many requests per second, so that even a strict server is asked now and then.
pub(super) const LEAST_RATE: f64 = 0.1;
/// Longest time that a single token is waited for: keeps sums of times in bounds.
const LONGEST_REFILL: f64 = 1e9;
/// Rounding of times must not leave a token short by a billionth.
const WHOLE: f64 = 1.0 - 1e-9;

/// How many requests may leave, and when the next one may.
///
/// After a 429 the rate is halved at once and then grows by a constant step per second (additive increase,
/// multiplicative decrease), until it is whole again. Several 429s to requests that were on their way together count
/// as one. A `Retry-After` stops everything until it has passed.
#[derive(Debug, Clone)]
pub(super) struct RequestBudget {
    rate: f64,
    burst: f64,
    tokens: f64,
    /// The part of the rate that may be used now, from 0 to 1.
    eased: f64,
    /// What `eased` regains per second.
    recovery: f64,
    refilled: Time,
    cut: Option<Time>,
    paused_until: Time,
}

impl RequestBudget {
    pub(super) fn new(rate: f64, burst: u32) -> Self {
        let burst = f64::from(burst).max(1.0);
        Self {
            rate,
            burst,
            tokens: burst,
            eased: 1.0,
            recovery: LEAST_RECOVERY,
            refilled: Time::default(),
            cut: None,
            paused_until: Time::default(),
        }
    }

    /// Brings tokens and rate up to date.
    pub(super) fn refill(&mut self, now: Time) {
        // A pause neither fills the bucket nor restores the rate.
        let seconds = now.since(self.refilled.max(self.paused_until)).as_secs_f64();
        self.refilled = self.refilled.max(now);
        if seconds > 0.0 {
            self.tokens = (self.tokens + seconds * self.rate()).min((self.burst * self.eased).max(1.0));
            self.eased = (self.eased + seconds * self.recovery).min(1.0);
        }
    }

    /// Takes a token, if there is one. [`RequestBudget::refill`] goes before.
    pub(super) fn take(&mut self, now: Time) -> bool {
        let granted = now >= self.paused_until && self.tokens >= WHOLE;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }

    /// Gives back a token whose request was never sent.
    pub(super) fn give_back(&mut self) {
        self.tokens = (self.tokens + 1.0).min((self.burst * self.eased).max(1.0));
    }

    /// When tokens and rate were last brought up to date.
    pub(super) fn refilled(&self) -> Time {
        self.refilled
    }

    /// When the next token is there.
    pub(super) fn next(&self) -> Time {
        let from = self.refilled.max(self.paused_until);
        if self.tokens >= WHOLE {
            return from;
        }
        let missing = ((1.0 - self.tokens) / self.rate()).min(LONGEST_REFILL);
        // One more microsecond: never a moment too early for having been rounded down.
        from + Duration::try_from_secs_f64(missing).unwrap_or(Duration::MAX) + Duration::from_micros(1)
    }

    /// A 429 to a request that was sent at this time.
    pub(super) fn limited(&mut self, now: Time, sent: Time, retry_after: Option<Duration>) {
        self.refill(now);
        if let Some(pause) = retry_after {
            self.paused_until = self.paused_until.max(now + pause);
        }
        if self.cut.is_some_and(|cut| sent <= cut) {
            return;
        }
        self.cut = Some(now);
        self.tokens = self.tokens.min(0.0);
        let least = (LEAST_RATE / self.rate).min(0.5);
        self.eased = (self.eased / 2.0).max(least);
        self.recovery = (self.eased / RECOVERY).max(LEAST_RECOVERY);
    }

    /// Requests per second that may leave now.
    pub(super) fn rate(&self) -> f64 {
        self.rate * self.eased
    }

    /// The part of all limits that may be used now, from 0 to 1.
    pub(super) fn eased(&self) -> f64 {
        self.eased
    }

    /// When the pause that the server asked for ends; a time in the past when there is none.
    pub(super) fn paused_until(&self) -> Time {
        self.paused_until
    }
}
