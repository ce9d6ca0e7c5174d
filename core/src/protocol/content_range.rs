//! Codecs of `Range` and `Content-Range`.
//!
//! ```
//! use junfeiai::protocol::content_range::{ContentRange, ContentRangeHeader, range_header};
//!
//! assert_eq!(range_header(1024, None), "bytes=1024-");
//! let Some(ContentRangeHeader::Satisfied(part)) = ContentRange::parse("bytes 1024-4095/4096") else {
//!     unreachable!()
//! };
//! assert_eq!((part.start, part.end_exclusive(), part.total), (1024, 4096, Some(4096)));
//! ```

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

/// Digits only: `u64::from_str` would also take a plus sign.
fn parse_digits(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
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

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", bytesish in "(?i:bytes)[ =]?[0-9*]{0,22}[-/ ]{0,2}[0-9*]{0,22}/?[0-9*]{0,22}") {
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
