//! The `Retry-After` header.

use std::time::Duration;

use crate::text::dates::http_date;
use crate::text::decimal;

/// The longest wait that [`parse_retry_after`] returns: one hour. A server that names more is
/// more likely wrong than right, and the caller's own deadline should get its say again by then.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Reads a `Retry-After` header: how long to wait from now.
///
/// The value is a number of seconds (decimals, though not in the standard, are understood) or an
/// HTTP date; a date needs `now_unix` (seconds since 1970, UTC) and is `None` without. A date that has
/// passed is zero. Nothing longer than [`MAX_RETRY_AFTER`] comes out. `None` is an unreadable value.
pub fn parse_retry_after(value: &str, now_unix: Option<u64>) -> Option<Duration> {
    let value = value.trim();
    // `f64` would also read "inf", "1e9" and "-0".
    if value.starts_with(|c: char| c.is_ascii_digit()) && value.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        // A number beyond all others is as good as any that is too long.
        let whole = value.bytes().all(|b| b.is_ascii_digit());
        let seconds = decimal::read(value).or_else(|| whole.then_some(f64::INFINITY))?;
        return Duration::try_from_secs_f64(seconds.min(MAX_RETRY_AFTER.as_secs_f64())).ok();
    }
    let at = http_date(value)?;
    let wait = Duration::from_secs(at.saturating_sub(now_unix?));
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn retry_after_seconds_and_dates() {
        let seconds = |v: &str| parse_retry_after(v, None);
        assert_eq!(seconds("0"), Some(Duration::ZERO));
        assert_eq!(seconds(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(seconds("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(seconds("86400"), Some(MAX_RETRY_AFTER));
        assert_eq!(seconds(&"9".repeat(400)), Some(MAX_RETRY_AFTER));
        for bad in ["", "-1", "+1", ".", "1.2.3", "1e3", "inf", "NaN", "soon"] {
            assert_eq!(seconds(bad), None, "{bad:?}");
        }
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let at = 784_111_777;
        assert_eq!(parse_retry_after(date, None), None);
        let ten = Some(Duration::from_secs(10));
        assert_eq!(parse_retry_after(date, Some(at - 10)), ten);
        assert_eq!(parse_retry_after(date, Some(at)), Some(Duration::ZERO));
        assert_eq!(parse_retry_after(date, Some(u64::MAX)), Some(Duration::ZERO));
        assert_eq!(parse_retry_after(date, Some(0)), Some(MAX_RETRY_AFTER));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse_retry_after(&text, Some(5));
        }
    }
}
