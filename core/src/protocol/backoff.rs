//! How long to wait before trying again.

use std::time::Duration;

/// Exponential backoff with jitter: the n-th pause is a random part, at least half, of `base · 2ⁿ⁻¹` or of `cap` if that
/// is less.
///
/// Jitter over the whole pause would spread many clients that failed together best; half of it is kept as a floor, so
/// that a pause never comes out as none.
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

    /// The same sequence after so many failures.
    pub(super) fn after(self, failures: u32) -> Self {
        Self { failures, ..self }
    }

    /// What the jitter to come is made from.
    pub(super) fn seed(&self) -> u64 {
        self.rng.get_seed()
    }

    /// Notes one more failure and says how long to pause; a server's `Retry-After` is obeyed in full.
    pub fn next(&mut self, retry_after: Option<Duration>) -> Duration {
        let ceiling =
            self.base.saturating_mul(1_u32.checked_shl(self.failures.min(20)).unwrap_or(u32::MAX)).min(self.cap);
        self.failures = self.failures.saturating_add(1);
        let own = stretched(ceiling, 0.5 + 0.5 * self.rng.f64());
        // Never earlier than asked; a little later, so that all who were sent away do not come back together.
        retry_after.map_or(own, |asked| asked.saturating_add(stretched(self.base, self.rng.f64())))
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

/// A duration times a factor; the longest one there is where the product is longer.
pub(crate) fn stretched(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_pause_doubles_up_to_the_cap_and_keeps_half(seed: u64, base_ms in 1_u64..5_000, cap_ms in 1_u64..60_000) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            let mut backoff = Backoff::new(base, cap, seed);
            for n in 0..40_u32 {
                let ceiling = base.saturating_mul(1 << n.min(20)).min(cap);
                let pause = backoff.next(None);
                prop_assert!(pause <= ceiling && pause + Duration::from_nanos(2) >= ceiling / 2, "{n}: {pause:?} of {ceiling:?}");
                prop_assert_eq!(backoff.failures(), n + 1);
            }
            backoff.reset();
            prop_assert!(backoff.next(None) <= base.min(cap));
        }

        #[test]
        fn retry_after_is_obeyed_in_full(seed: u64, asked_ms in 0_u64..4_000_000) {
            let (base, asked) = (Duration::from_millis(500), Duration::from_millis(asked_ms));
            let mut backoff = Backoff::new(base, Duration::from_secs(1), seed);
            let pause = backoff.next(Some(asked));
            prop_assert!(pause >= asked && pause <= asked + base);
        }
    }

    #[test]
    fn the_longest_durations_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX, 1);
        for _ in 0..70 {
            assert!(backoff.next(None) >= Duration::MAX / 3);
            assert!(backoff.next(Some(Duration::MAX)) == Duration::MAX);
        }
        assert_eq!(stretched(Duration::MAX, 1.5), Duration::MAX);
    }
}
