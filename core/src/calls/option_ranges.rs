//! Options that must be above zero.
//!
//! Written from core/options.toml by `make options`; do not edit.

use std::time::Duration;

use crate::calls::config::Options;

impl Options {
    /// The options that must be above zero, and what they are set to.
    pub(super) fn times_above_zero(&self) -> [(&'static str, Duration); 4] {
        [
            ("timeout", self.timeout),
            ("create_timeout", self.create_timeout),
            ("connect_timeout", self.connect_timeout),
            ("idle_timeout", self.idle_timeout),
        ]
    }

    /// The options that must be above zero, and what they are set to.
    pub(super) fn counts_above_zero(&self) -> [(&'static str, u32); 2] {
        [("max_attempts", self.retry.max_attempts), ("max_in_flight_creates", self.max_in_flight_creates)]
    }
}
