//! Service time: real time multiplied by the time scale, continuous when the scale changes.

use std::{
    sync::Mutex,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Seconds of the service's own time since the emulator started.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_unix: u64,
    base: Mutex<Base>,
}

#[derive(Debug, Clone, Copy)]
struct Base {
    real: Instant,
    service: f64,
    scale: f64,
}

impl Clock {
    /// Starts at zero.
    pub(crate) fn new(scale: f64) -> Self {
        let started = Instant::now();
        let started_unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { started, started_unix, base: Mutex::new(Base { real: started, service: 0.0, scale }) }
    }

    /// Service seconds since start.
    pub(crate) fn now(&self) -> f64 {
        let base = *self.base.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        base.service + base.real.elapsed().as_secs_f64() * base.scale
    }

    /// Real milliseconds since start.
    pub(crate) fn real_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Changes the scale from now on.
    pub(crate) fn set_scale(&self, scale: f64) {
        let mut base = self.base.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let service = base.service + base.real.elapsed().as_secs_f64() * base.scale;
        *base = Base { real: Instant::now(), service, scale };
    }

    /// The real time that a stretch of service time takes.
    pub(crate) fn real(&self, service_seconds: f64) -> Duration {
        let scale = self.base.lock().unwrap_or_else(std::sync::PoisonError::into_inner).scale;
        Duration::from_secs_f64((service_seconds / scale).clamp(0.0, 1e9))
    }

    /// Unix seconds of a moment in service time.
    pub(crate) fn unix(&self, service: f64) -> u64 {
        self.started_unix.saturating_add_signed(service as i64)
    }
}
