//! Progress of a save: what its callback is called with, and how often.

use serde::Serialize;

use crate::save::saver::{PROGRESS_EVERY, Reached};
use crate::time::Time;

/// How far a save is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SaveProgress {
    /// Bytes that are there, those of former calls included.
    pub bytes: u64,
    /// Length of the file, once it is known.
    pub total: Option<u64>,
    /// Bytes per second of this call, over the last second or so.
    pub rate: f64,
}

/// Rate and pace of the progress callback.
pub(super) struct Meter {
    notified: Option<Time>,
    window: Time,
    /// Bytes that were there when the window began; `None` before the first piece.
    window_bytes: Option<u64>,
    rate: f64,
}

impl Meter {
    pub(super) fn new(begun: Time) -> Self {
        Self { notified: None, window: begun, window_bytes: None, rate: 0.0 }
    }

    pub(super) fn tick(&mut self, now: Time, reached: Reached) -> Option<SaveProgress> {
        let Reached { earlier, bytes, total } = reached;
        if self.notified.is_some_and(|notified| now.since(notified) < PROGRESS_EVERY) {
            return None;
        }
        self.notified = Some(now);
        let span = now.since(self.window).as_secs_f64();
        if span > 0.0 {
            let current = bytes.saturating_sub(self.window_bytes.unwrap_or(earlier)) as f64 / span;
            self.rate = if self.rate == 0.0 { current } else { 0.7 * self.rate + 0.3 * current };
            self.window = now;
            self.window_bytes = Some(bytes);
        }
        Some(SaveProgress { bytes, total, rate: self.rate })
    }

    pub(super) fn last(&mut self, now: Time, total: u64) -> SaveProgress {
        self.notified = None;
        // Without a piece of this save nothing was read.
        let reached = Reached { earlier: total, bytes: total, total: Some(total) };
        let rate = self.tick(now, reached).map_or(self.rate, |progress| progress.rate);
        SaveProgress { bytes: total, total: Some(total), rate }
    }
}
