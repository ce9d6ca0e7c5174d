//! Times as C has them: milliseconds, and unix seconds.

use std::time::Duration;

/// Milliseconds of C as a time; `JFAI_FOREVER` is the longest there is.
pub(crate) fn milliseconds(ms: u64) -> Duration {
    if ms == u64::MAX { Duration::MAX } else { Duration::from_millis(ms) }
}

/// Milliseconds of C as seconds, as the core reads them in JSON; `JFAI_FOREVER` is more than any time.
pub(crate) fn seconds(ms: u64) -> f64 {
    milliseconds(ms).as_secs_f64()
}

/// A time as milliseconds of C.
pub(crate) fn to_milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Unix seconds, or -1.
pub(crate) fn unix_seconds(value: Option<u64>) -> i64 {
    value.and_then(|value| i64::try_from(value).ok()).unwrap_or(-1)
}
