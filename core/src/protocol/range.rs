//! Codecs for partial reads of a video: `Range`, `Content-Range`, validators and `Retry-After`.
//!
//! A resumed download is only as good as the proof that both halves belong to one file. Servers of
//! this family were observed to ignore `If-Range`, to leave out any validator, and to make a strong
//! `ETag` weak on the way; so each part is compared here, with whatever both answers happen to have.
//!
//! ```
//! use junfeiai::protocol::range::{ContentRange, ContentRangeHeader, Validators, range_header};
//!
//! assert_eq!(range_header(1024, None), "bytes=1024-");
//! let Some(ContentRangeHeader::Satisfied(part)) = ContentRange::parse("bytes 1024-4095/4096") else {
//!     unreachable!()
//! };
//! assert_eq!((part.start, part.end_exclusive(), part.total), (1024, 4096, Some(4096)));
//!
//! let before = Validators { etag: Some("\"a\"".into()), ..Validators::default() };
//! let now = Validators { etag: Some("\"b\"".into()), ..Validators::default() };
//! assert_eq!(before.conflict(&now).unwrap().what, "etag");
//! ```

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::text::dates::http_date;
use crate::text::decimal;

/// The longest wait that [`parse_retry_after`] returns: one hour. A server that names more is
/// more likely wrong than right, and the caller's own deadline should get its say again by then.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// The part of a file that a 206 answer carries. Positions are bytes from the start of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// First byte of the part.
    pub start: u64,
    /// Last byte of the part, itself included; never before `start`, never `u64::MAX`.
    pub end_inclusive: u64,
    /// Length of the whole file; `None` where the server wrote `*`.
    pub total: Option<u64>,
}

/// What a `Content-Range` header can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentRangeHeader {
    /// `bytes 0-1023/146515`: this part follows (status 206).
    Satisfied(ContentRange),
    /// `bytes */146515`: the asked part lies outside of the file (status 416).
    Unsatisfied {
        /// Length of the whole file.
        total: u64,
    },
}

impl ContentRange {
    /// Reads the value of a `Content-Range` header (RFC 9110 §14.4).
    ///
    /// Odd spacing and letter case are tolerated. `None` is everything that cannot be true: another
    /// unit than bytes, an end before the start or beyond the total, a number that does not fit.
    /// Treat it like an answer without the header.
    pub fn parse(value: &str) -> Option<ContentRangeHeader> {
        let value = value.trim();
        let (unit, rest) = value.split_at_checked("bytes".len())?;
        // "bytes5-9/10" is a typo that cannot be misread, but "bytesize 5-9/10" is another unit;
        // the digit or star that must come next tells them apart.
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, total) = rest.split_once('/')?;
        let (range, total) = (range.trim(), total.trim());
        let total = match total {
            "*" => None,
            digits => Some(parse_digits(digits)?),
        };
        if range == "*" {
            // `bytes */*` says nothing at all (RFC 9110 requires the length here).
            return total.map(|total| ContentRangeHeader::Unsatisfied { total });
        }
        let (start, end) = range.split_once('-')?;
        let start = parse_digits(start.trim())?;
        let end_inclusive = parse_digits(end.trim())?;
        let beyond = total.is_some_and(|total| end_inclusive >= total);
        // The end must stay expressible as a half-open bound.
        if end_inclusive < start || beyond || end_inclusive == u64::MAX {
            return None;
        }
        Some(ContentRangeHeader::Satisfied(ContentRange { start, end_inclusive, total }))
    }

    /// The position just after the last byte of the part.
    pub fn end_exclusive(&self) -> u64 {
        self.end_inclusive.saturating_add(1)
    }

    /// Number of bytes in the part: at least 1.
    pub fn byte_count(&self) -> u64 {
        self.end_exclusive().saturating_sub(self.start)
    }
}

/// Writes a `Range` header value: `bytes=0-1023`, or `bytes=100-` for everything from `start` on.
///
/// `end_exclusive` is half-open like all ranges of this library. HTTP cannot ask for an empty range:
/// where `end_exclusive <= start`, the single byte at `start` is asked for.
pub fn range_header(start: u64, end_exclusive: Option<u64>) -> String {
    match end_exclusive {
        None => format!("bytes={start}-"),
        Some(end) => format!("bytes={start}-{}", end.saturating_sub(1).max(start)),
    }
}

/// What identifies one version of a file. Each part of it may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The `ETag` header as it was sent, quotes and a `W/` included.
    pub etag: Option<String>,
    /// The `Last-Modified` header as it was sent.
    pub last_modified: Option<String>,
    /// Length of the whole file in bytes.
    pub total: Option<u64>,
}

/// Two answers that cannot be about the same version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorConflict {
    /// Which validator differs: `"etag"`, `"last_modified"` or `"total"`.
    pub what: &'static str,
    /// Its value in the earlier answer.
    pub was: String,
    /// Its value in the later answer.
    pub is: String,
}

impl fmt::Display for ValidatorConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, was, is } = self;
        write!(f, "the file changed: {what} was {was}, is {is}")
    }
}

impl std::error::Error for ValidatorConflict {}

impl Validators {
    /// As a JSON object; what is unknown is left out.
    pub fn to_json(&self) -> Value {
        let known = [
            ("etag", self.etag.clone().map(Value::from)),
            ("last_modified", self.last_modified.clone().map(Value::from)),
            ("total", self.total.map(Value::from)),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// Reads what [`Validators::to_json`] wrote. What cannot be read is unknown.
    pub fn from_json(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let total = value.get("total").and_then(Value::as_u64);
        Self { etag: text("etag"), last_modified: text("last_modified"), total }
    }

    /// Compares an earlier answer (`self`) with a later one; `None` if nothing speaks against both
    /// being the same file.
    ///
    /// Only what both have is compared. Strong `ETag`s are compared by bytes; if either is weak, the
    /// opaque tags are (RFC 9110 §8.8.3.2: proxies weaken a tag when they touch the encoding, and we
    /// always ask for `identity`). `Last-Modified` decides only where no `ETag` can be compared:
    /// replicas of one file may differ in it. The total always decides.
    pub fn conflict(&self, other: &Validators) -> Option<ValidatorConflict> {
        let conflict = |what, was: &dyn fmt::Display, is: &dyn fmt::Display| {
            Some(ValidatorConflict { what, was: was.to_string(), is: is.to_string() })
        };
        if let (Some(was), Some(is)) = (present(&self.etag), present(&other.etag)) {
            if !same_etag(was, is) {
                return conflict("etag", &was, &is);
            }
        } else if let (Some(was), Some(is)) = (present(&self.last_modified), present(&other.last_modified))
            && !same_date(was, is)
        {
            return conflict("last_modified", &was, &is);
        }
        if let (Some(was), Some(is)) = (self.total, other.total)
            && was != is
        {
            return conflict("total", &was, &is);
        }
        None
    }

    /// Takes over from `other` what is unknown here; what is known stays.
    pub fn merge(&mut self, other: &Validators) {
        if present(&self.etag).is_none() {
            self.etag.clone_from(&other.etag);
        }
        if present(&self.last_modified).is_none() {
            self.last_modified.clone_from(&other.last_modified);
        }
        self.total = self.total.or(other.total);
    }
}

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

/// Digits only: `u64::from_str` would also take a plus sign.
fn parse_digits(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// The value without outer space; an empty header says nothing.
#[allow(clippy::ref_option)] // called on fields, where `as_deref` at each place would only be noise
fn present(value: &Option<String>) -> Option<&str> {
    value.as_deref().map(str::trim).filter(|v| !v.is_empty())
}

/// Splits an entity tag into "is weak" and the opaque tag.
fn split_weak(tag: &str) -> (bool, &str) {
    match tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")) {
        Some(opaque) => (true, opaque.trim_start()),
        None => (false, tag),
    }
}

fn same_etag(a: &str, b: &str) -> bool {
    // Two strong tags are their own opaque tags, so both kinds of comparison are this one.
    split_weak(a).1 == split_weak(b).1
}

fn same_date(a: &str, b: &str) -> bool {
    // The same instant may be written in three ways (RFC 9110 §5.6.7).
    match (http_date(a), http_date(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unnecessary_wraps // `satisfied` stands beside what `parse` returns
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn satisfied(start: u64, end_inclusive: u64, total: Option<u64>) -> Option<ContentRangeHeader> {
        Some(ContentRangeHeader::Satisfied(ContentRange { start, end_inclusive, total }))
    }

    #[test]
    fn content_range_reads_what_servers_write() {
        for (text, want) in [
            ("bytes 0-1023/146515", satisfied(0, 1023, Some(146_515))),
            ("bytes 5-9/*", satisfied(5, 9, None)),
            ("  BYTES   5 - 9 / 10 ", satisfied(5, 9, Some(10))),
            ("bytes\t5-9/10", satisfied(5, 9, Some(10))),
            ("bytes5-9/10", satisfied(5, 9, Some(10))),
            ("bytes 0-0/1", satisfied(0, 0, Some(1))),
            ("bytes */123", Some(ContentRangeHeader::Unsatisfied { total: 123 })),
            ("Bytes * / *", None),
        ] {
            assert_eq!(ContentRange::parse(text), want, "{text:?}");
        }
    }

    #[test]
    fn content_range_refuses_nonsense() {
        for text in [
            "",
            "bytes",
            "bytes ",
            "bytes /",
            "bytes 5-9",
            "bytes 5-/10",
            "bytes -5/10",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "bytes 0-0/0",
            "bytes +5-9/10",
            "bytes 5-9/+10",
            "bytes 5-9/ten",
            "bytes 5-9/10/11",
            "bytes 0-18446744073709551615/*",
            "bytes 0-18446744073709551616/*",
            "bytes 0-9/99999999999999999999",
            "bytesize 5-9/10",
            "items 5-9/10",
            "字节 5-9/10",
            "byte字 5-9/10",
            "bytes 5–9/10",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn range_header_is_inclusive_on_the_wire() {
        assert_eq!(range_header(0, Some(1024)), "bytes=0-1023");
        assert_eq!(range_header(100, None), "bytes=100-");
        assert_eq!(range_header(7, Some(8)), "bytes=7-7");
        assert_eq!(range_header(7, Some(7)), "bytes=7-7");
        assert_eq!(range_header(7, Some(0)), "bytes=7-7");
    }

    fn validators(etag: &str, modified: &str, total: u64) -> Validators {
        let some = |s: &str| (s != "-").then(|| s.to_owned());
        Validators { etag: some(etag), last_modified: some(modified), total: (total != 0).then_some(total) }
    }

    #[test]
    fn validators_compare_only_what_both_have() {
        let monday = "Mon, 01 Jun 2026 10:00:00 GMT";
        let monday_old_style = "Mon Jun  1 10:00:00 2026";
        let tuesday = "Tue, 02 Jun 2026 10:00:00 GMT";
        for (was, is, what) in [
            (("-", "-", 0), ("\"a\"", monday, 5), None),
            (("\"a\"", "-", 0), ("-", monday, 5), None),
            (("\"a\"", "-", 5), ("\"a\"", "-", 5), None),
            (("\"a\"", "-", 5), ("\"b\"", "-", 5), Some("etag")),
            (("\"a\"", "-", 5), ("\"A\"", "-", 5), Some("etag")),
            (("\"a\"", "-", 0), ("W/\"a\"", "-", 0), None),
            (("W/\"a\"", "-", 0), ("w/\"a\"", "-", 0), None),
            (("W/\"a\"", "-", 0), ("\"b\"", "-", 0), Some("etag")),
            // The dates of replicas may differ while the tag says "the same".
            (("\"a\"", monday, 0), ("\"a\"", tuesday, 0), None),
            (("\"a\"", monday, 0), ("-", tuesday, 0), Some("last_modified")),
            (("", monday, 0), (" ", tuesday, 0), Some("last_modified")),
            (("-", monday, 0), ("-", monday_old_style, 0), None),
            (("-", "yesterday", 0), ("-", "today", 0), Some("last_modified")),
            // The total decides even against equal tags.
            (("\"a\"", monday, 5), ("\"a\"", monday, 6), Some("total")),
        ] {
            let a = validators(was.0, was.1, was.2);
            let b = validators(is.0, is.1, is.2);
            assert_eq!(a.conflict(&b).map(|c| c.what), what, "{a:?} {b:?}");
            assert_eq!(b.conflict(&a).map(|c| c.what), what, "{b:?} {a:?}");
        }
        let conflict = validators("-", "-", 5).conflict(&validators("-", "-", 6));
        assert_eq!(conflict.unwrap().to_string(), "the file changed: total was 5, is 6");
    }

    #[test]
    fn merge_fills_and_never_replaces() {
        let mut a = validators("\"a\"", "-", 0);
        a.merge(&validators("\"b\"", "then", 7));
        assert_eq!(a, validators("\"a\"", "then", 7));
        let some = validators("\"a\"", "-", 7);
        assert_eq!(some.to_json().to_string(), r#"{"etag":"\"a\"","total":7}"#);
        assert_eq!(Validators::from_json(&some.to_json()), some);
        assert_eq!(Validators::from_json(&Value::Null), Validators::default());
    }

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
        fn no_text_panics(text in "\\PC{0,40}", bytesish in "(?i:bytes)[ =]?[0-9*]{0,22}[-/ ]{0,2}[0-9*]{0,22}/?[0-9*]{0,22}") {
            let _ = parse_retry_after(&text, Some(5));
            for text in [&text, &bytesish] {
                if let Some(ContentRangeHeader::Satisfied(part)) = ContentRange::parse(text) {
                    prop_assert!(part.start < part.end_exclusive());
                    prop_assert!(part.total.is_none_or(|total| part.end_exclusive() <= total));
                }
            }
        }

        #[test]
        fn content_range_round_trips(start in 0..u64::MAX / 2, more in 0..u64::MAX / 4, tail in 1..u64::MAX / 4) {
            let (end, total) = (start + more, start + more + tail);
            prop_assert_eq!(ContentRange::parse(&format!("bytes {start}-{end}/{total}")), satisfied(start, end, Some(total)));
            prop_assert_eq!(range_header(start, Some(end + 1)), format!("bytes={start}-{end}"));
        }
    }
}
