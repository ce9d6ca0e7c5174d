//! tokio's clock.

use std::hash::{BuildHasher as _, Hasher as _};
use std::time::{Duration, SystemTime};

use once_cell::race::OnceBox;
use tokio::time::Instant;

use crate::async_compat::BoxFuture;
use crate::net::transport::Timer;
use crate::time::Time;

/// Time by tokio; paused in tests that pause tokio's clock.
#[derive(Debug)]
pub struct TokioTimer {
    /// Without a lock, which another thread might hold at the moment of a fork.
    zero: OnceBox<Instant>,
}

impl TokioTimer {
    /// A clock that begins at its first use.
    pub fn new() -> Self {
        Self { zero: OnceBox::new() }
    }
}

impl Default for TokioTimer {
    fn default() -> Self {
        Self::new()
    }
}

impl Timer for TokioTimer {
    fn now(&self) -> Time {
        Time::from_start(self.zero.get_or_init(|| Box::new(Instant::now())).elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // `Duration::MAX` and its like mean "for ever", which tokio's sleep takes as well.
        Box::pin(async move { tokio::time::sleep(duration).await })
    }

    fn unix_now(&self) -> Option<u64> {
        self.unix_time().map(|since| since.as_secs())
    }

    fn unix_time(&self) -> Option<Duration> {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()
    }

    fn seed(&self) -> u64 {
        // The standard library seeds its hash maps from the system: good enough for jitter.
        let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
        // After a fork, parent and child continue with the same seeds.
        hasher.write_u32(std::process::id());
        hasher.finish()
    }
}
