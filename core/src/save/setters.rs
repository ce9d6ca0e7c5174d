//! Options one by one: their setters, and by type for the reader of JSON.
//!
//! Written from core/options.toml by `make options`; do not edit.

use std::time::Duration;

use crate::save::file::Save;
use crate::text::fields::Setter;

impl Save {
    /// Connections used at once, 1–16; more than one helps where each connection is slow. Default: 1. Other numbers are
    /// refused.
    pub fn connections(mut self, value: u32) -> Self {
        self.policy.connections = value;
        self
    }

    /// Replaces an existing file; otherwise it is an error. Default: `false`.
    pub fn overwrite(mut self, value: bool) -> Self {
        self.overwrite = value;
        self
    }

    /// Creates missing folders; otherwise it is an error. Default: `false`.
    pub fn create_parents(mut self, value: bool) -> Self {
        self.parents = value;
        self
    }

    /// Computes the SHA-256 of the file. Default: `false`.
    pub fn sha256(mut self, value: bool) -> Self {
        self.sha256 = value;
        self
    }

    /// Checks that every sample of the MP4 is present; if off, bytes that an earlier check refused are used without
    /// another request. Default: `true`.
    pub fn verify(mut self, value: bool) -> Self {
        self.policy.set_verify(value);
        self
    }

    /// Timeout of the whole save. Default: none. Zero is refused.
    pub fn timeout(mut self, value: Duration) -> Self {
        self.policy.set_timeout(value);
        self
    }
}

pub(crate) const SAVE_SECONDS: &[Setter<Save, Duration>] = &[("timeout", |save, value| save.policy.set_timeout(value))];

pub(crate) const SAVE_COUNTS: &[Setter<Save, u32>] = &[("connections", |save, value| save.policy.connections = value)];

pub(crate) const SAVE_FLAGS: &[Setter<Save, bool>] = &[
    ("overwrite", |save, value| save.overwrite = value),
    ("create_parents", |save, value| save.parents = value),
    ("sha256", |save, value| save.sha256 = value),
    ("verify", |save, value| save.policy.set_verify(value)),
];
