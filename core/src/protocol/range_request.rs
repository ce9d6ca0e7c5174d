//! What a media player asks for with its `Range` header, and which part of the file that is.
//!
//! ```
//! use junfeiai::protocol::RangeRequest;
//!
//! // Safari asks for two bytes first and plays nothing when the answer is not exact.
//! assert_eq!(RangeRequest::read(Some("bytes=0-1")).place(1000), Some(0..2));
//! assert_eq!(RangeRequest::read(Some("bytes=500-")).place(1000), Some(500..1000));
//! assert_eq!(RangeRequest::read(Some("bytes=-100")).place(1000), Some(900..1000));
//! assert_eq!(RangeRequest::read(Some("bytes=1000-")).place(1000), None); // 416
//! assert_eq!(RangeRequest::read(None), RangeRequest::Whole);
//! ```

use std::ops::Range;

/// A `Range` header as it was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeRequest {
    /// The whole file: no header, one that is not understood, or several ranges (which a server may ignore).
    Whole,
    /// From here on, up to and without `end`.
    From {
        /// First byte.
        start: u64,
        /// Byte behind the last; open when `None`.
        end: Option<u64>,
    },
    /// So many bytes at the end.
    Last(u64),
}

impl RangeRequest {
    /// Reads a `Range` header (RFC 9110 §14.2). What it does not allow is as if the header were not there.
    pub fn read(header: Option<&str>) -> Self {
        header.and_then(Self::parse).unwrap_or(Self::Whole)
    }

    fn parse(header: &str) -> Option<Self> {
        let (unit, spec) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (start, end) = spec.trim().split_once('-')?;
        match (start.trim(), end.trim()) {
            ("", last) => number(last).map(Self::Last),
            (start, "") => Some(Self::From { start: number(start)?, end: None }),
            (start, end) => {
                let (start, end) = (number(start)?, number(end)?);
                (start <= end).then(|| Self::From { start, end: Some(end.saturating_add(1)) })
            }
        }
    }

    /// The part of a file of this length; `None` when no byte of the file was asked for.
    pub fn place(self, total: u64) -> Option<Range<u64>> {
        let place = match self {
            Self::Whole => return Some(0..total),
            Self::From { start, end } => start..end.unwrap_or(total).min(total),
            Self::Last(count) => total.saturating_sub(count)..total,
        };
        (place.start < place.end).then_some(place)
    }

    /// The status of the answer for a file of this length, 200, 206 or 416, and the part of the file that it brings.
    pub fn answer(self, total: u64) -> (u16, Range<u64>) {
        match (self, self.place(total)) {
            (Self::Whole, _) => (200, 0..total),
            (_, Some(place)) => (206, place),
            (_, None) => (416, 0..0),
        }
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // More digits than a number has: further than any file reaches.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_range_is_the_whole_file() {
        for odd in
            ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,5-9", "items=0-1", "bytes=a-b", "bytes=+1-2"]
        {
            assert_eq!(RangeRequest::read(Some(odd)), RangeRequest::Whole, "{odd}");
        }
    }

    #[test]
    fn ends_are_cut_to_the_file() {
        assert_eq!(RangeRequest::read(Some("bytes=10-99999999999999999999999")).place(100), Some(10..100));
        assert_eq!(RangeRequest::read(Some("Bytes = 7 - 7")).place(100), Some(7..8));
        assert_eq!(RangeRequest::read(Some("bytes=-500")).place(100), Some(0..100));
        assert_eq!(RangeRequest::read(Some("bytes=-0")).place(100), None);
        assert_eq!(RangeRequest::read(Some("bytes=0-")).place(0), None);
        assert_eq!(RangeRequest::Whole.place(0), Some(0..0));
        let answers =
            ["items=0-1", "bytes=-7", "bytes=100-"].map(|header| RangeRequest::read(Some(header)).answer(100));
        assert_eq!(answers, [(200, 0..100), (206, 93..100), (416, 0..0)]);
    }
}
