//! How long to wait before trying again.

use std::time::Duration;

/// Exponential backoff with full jitter: the n-th pause is a random part of `base · 2ⁿ`, at most `cap`.
///
/// Full jitter spreads many clients that failed together best. Half of it is kept as a floor, so that a pause never
/// comes out as none.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
    rng: fastrand::Rng,
}

impl Backoff {
    /// A new sequence.
    pub fn new(base: Duration, cap: Duration, seed: u64) -> Self {
        Self { base, cap, failures: 0, rng: fastrand::Rng::with_seed(seed) }
    }

    /// Notes one more failure and says how long to pause; a server's `Retry-After` is obeyed in full.
    pub fn next(&mut self, retry_after: Option<Duration>) -> Duration {
        let ceiling =
            self.base.saturating_mul(1_u32.checked_shl(self.failures.min(20)).unwrap_or(u32::MAX)).min(self.cap);
        self.failures = self.failures.saturating_add(1);
        let own = ceiling.mul_f64(0.5 + 0.5 * self.rng.f64());
        // Never earlier than asked; a little later, so that all who were sent away do not come back together.
        retry_after.map_or(own, |asked| asked + self.base.mul_f64(self.rng.f64()))
    }

    /// Notes a success: the next pause starts from the base again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// A random factor from `1` to `1 + spread`.
    pub(crate) fn spread(&mut self, spread: f64) -> f64 {
        1.0 + spread * self.rng.f64()
    }
}
