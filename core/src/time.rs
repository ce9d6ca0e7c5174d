//! Points on a monotonic clock. Nothing below `platform` reads one: time is handed in.

use std::ops::Add;
use std::time::Duration;

/// A point on the driver's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(Duration);

impl Time {
    /// A point this long after the clock's own zero.
    pub const fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// How long this point is after another; zero when it is before it.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}
