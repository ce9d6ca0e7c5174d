//! What is known of a saved video.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::protocol::UNITS_PER_USD;

/// A save that came to its end.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Where the video is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Running time, as the file says; `None` when it was not checked or does not say.
    #[serde(rename = "duration_s", serialize_with = "seconds")]
    pub duration: Option<Duration>,
    /// Width in pixels, as the file says. The size asked for is only advice to the model.
    pub width: Option<u32>,
    /// Height in pixels, as the file says.
    pub height: Option<u32>,
    /// True when the file was not read in one go: after a cut, or from what a former call left.
    pub resumed: bool,
    /// Requests sent for it.
    pub attempts: u32,
    /// How long this call took.
    #[serde(rename = "elapsed_s", serialize_with = "some_seconds")]
    pub elapsed: Duration,
    /// SHA-256 in hexadecimal, when it was asked for.
    pub sha256: Option<String>,
    /// What the task cost, in the server's units (500000 = 1 USD), where an answer of the server or the journal said it.
    pub charged_units: Option<u64>,
}

impl Summary {
    /// What the task cost, in USD.
    pub fn charged_usd(&self) -> Option<f64> {
        self.charged_units.map(|units| units as f64 / UNITS_PER_USD)
    }
}

#[allow(clippy::ref_option)] // the signature is serde's
fn seconds<S: serde::Serializer>(value: &Option<Duration>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    value.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

fn some_seconds<S: serde::Serializer>(value: &Duration, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_f64(value.as_secs_f64())
}
