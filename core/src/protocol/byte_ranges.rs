//! Which bytes of a file are already there: a set of half-open ranges.
//!
//! A parallel download finishes its pieces in any order, and a later process must know exactly which
//! of them reached the disk. [`RangeSet`] keeps them sorted, disjoint and merged, so it stays a handful
//! of entries long; its text form goes into the sidecar beside the `.part` file.
//!
//! The text form is the notation of an HTTP `Range` header: decimal, **both ends included**, ascending,
//! separated by commas (`0-1023,4096-8191`); the empty set is the empty text.
//!
//! ```
//! use junfeiai::protocol::byte_ranges::RangeSet;
//!
//! let mut have = RangeSet::new();
//! have.insert(4096, 8192);
//! have.insert(0, 1024);
//! assert_eq!(have.to_string(), "0-1023,4096-8191");
//! assert_eq!(have.first_gap(0..8192), Some(1024..4096));
//! have.insert(1024, 4096);
//! assert!(have.is_complete(8192));
//! assert_eq!("0-8191".parse(), Ok(have));
//! ```

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// A set of byte positions, kept as sorted, disjoint, non-touching ranges `[start, end)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// Invariant: every range is non-empty, and each starts *after* the end of the one before
    /// (ranges that touch are one range).
    runs: Vec<Range<u64>>,
}

/// A text that [`RangeSet`]'s `Display` would not have written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseRangeSetError {
    /// The first entry that is wrong.
    entry: String,
}

impl fmt::Display for ParseRangeSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a list of byte ranges: at \"{}\"", self.entry)
    }
}

impl std::error::Error for ParseRangeSetError {}

impl RangeSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { runs: Vec::new() }
    }

    /// Adds `[start, end)` and returns how many of its bytes were not in the set before.
    /// An empty or reversed range adds nothing.
    pub fn insert(&mut self, start: u64, end: u64) -> u64 {
        if start >= end {
            return 0;
        }
        let before = self.covered();
        // All runs that overlap or touch [start, end) melt into one.
        let from = self.runs.partition_point(|run| run.end < start);
        let to = self.runs.partition_point(|run| run.start <= end);
        let melted = self.runs.get(from..to).unwrap_or_default();
        let merged = Range {
            start: melted.first().map_or(start, |run| run.start.min(start)),
            end: melted.last().map_or(end, |run| run.end.max(end)),
        };
        self.runs.splice(from..to, [merged]);
        self.covered().saturating_sub(before)
    }

    /// Whether every byte of `[start, end)` is in the set. True for an empty range: nothing is missing.
    pub fn contains(&self, start: u64, end: u64) -> bool {
        start >= end || self.first_gap(start..end).is_none()
    }

    /// Number of bytes in the set.
    pub fn covered(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// The first stretch inside `within` that is not in the set, as long as it is.
    pub fn first_gap(&self, within: Range<u64>) -> Option<Range<u64>> {
        self.gaps(within).next()
    }

    /// All stretches inside `within` that are not in the set, ascending.
    pub fn gaps(&self, within: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        let first = self.runs.partition_point(|run| run.end <= within.start);
        let mut runs = self.runs.get(first..).unwrap_or_default().iter();
        let mut at = within.start;
        std::iter::from_fn(move || {
            while at < within.end {
                let Some(run) = runs.next() else {
                    return Some(std::mem::replace(&mut at, within.end)..within.end);
                };
                let gap = at..run.start.min(within.end);
                at = run.end;
                if !gap.is_empty() {
                    return Some(gap);
                }
            }
            None
        })
    }

    /// Whether the whole of a file of `total` bytes is in the set.
    pub fn is_complete(&self, total: u64) -> bool {
        self.contains(0, total)
    }

    /// The end of the run that starts at byte 0: how far the file can be read from its start.
    pub fn prefix_end(&self) -> u64 {
        match self.runs.first() {
            Some(run) if run.start == 0 => run.end,
            _ => 0,
        }
    }

    /// The ranges, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Range<u64>> + '_ {
        self.runs.iter().cloned()
    }

    /// Number of separate ranges (not of bytes: that is [`covered`](Self::covered)).
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there is no byte in the set.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl FromIterator<Range<u64>> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range<u64>>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range.start, range.end);
        }
        set
    }
}

impl fmt::Display for RangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, run) in self.runs.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            // Runs are never empty, so `end` is at least 1.
            write!(f, "{comma}{}-{}", run.start, run.end - 1)?;
        }
        Ok(())
    }
}

/// Accepts exactly what `Display` writes. Ranges out of order, overlapping or touching, spaces and
/// leading zeros are refused: they mean that somebody else had the sidecar in hand, and to fetch a file
/// again is cheaper than to trust it.
impl FromStr for RangeSet {
    type Err = ParseRangeSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        if text.is_empty() {
            return Ok(Self { runs });
        }
        for entry in text.split(',') {
            let run = parse_entry(entry)
                .filter(|run| runs.last().is_none_or(|last| last.end < run.start))
                .ok_or_else(|| ParseRangeSetError { entry: entry.chars().take(48).collect() })?;
            runs.push(run);
        }
        Ok(Self { runs })
    }
}

fn parse_entry(entry: &str) -> Option<Range<u64>> {
    let number = |text: &str| -> Option<u64> {
        let canonical = text == "0" || !text.starts_with(['0', '+']);
        canonical.then(|| text.parse().ok()).flatten()
    };
    let (start, last) = entry.split_once('-')?;
    let (start, last) = (number(start)?, number(last)?);
    let end = last.checked_add(1)?;
    (start < end).then_some(start..end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn merges_what_overlaps_or_touches() {
        let mut set = RangeSet::new();
        assert_eq!(set.insert(10, 20), 10);
        assert_eq!(set.insert(30, 40), 10);
        assert_eq!(set.insert(12, 18), 0);
        assert_eq!(set.insert(20, 22), 2);
        assert_eq!(set.len(), 2);
        assert_eq!(set.insert(5, 50), 45 - 22);
        assert_eq!(set.iter().collect::<Vec<_>>(), vec![5..50]);
        assert_eq!(set.insert(7, 7), 0);
        assert_eq!(set.insert(9, 3), 0);
        assert_eq!(set.prefix_end(), 0);
        set.insert(0, 5);
        assert_eq!(set.prefix_end(), 50);
    }

    #[test]
    fn the_largest_positions_fit() {
        let mut set = RangeSet::new();
        set.insert(u64::MAX - 1, u64::MAX);
        set.insert(0, u64::MAX);
        assert_eq!(set.covered(), u64::MAX);
        assert_eq!(set.to_string(), "0-18446744073709551614");
        assert_eq!(set.to_string().parse(), Ok(set));
    }

    #[test]
    fn text_is_strict() {
        assert_eq!("".parse(), Ok(RangeSet::new()));
        for bad in [
            " ",
            "5",
            "-",
            "5-",
            "-5",
            "5-4",
            "0-1,",
            ",0-1",
            "0-1, 3-4",
            "3-4,0-1",
            "0-5,3-9",
            "0-5,6-9",
            "00-5",
            "+0-5",
            "0-+5",
            "0-05",
            "0-1-2",
            "0-18446744073709551615",
            "0-99999999999999999999",
            "一-二",
        ] {
            assert!(bad.parse::<RangeSet>().is_err(), "{bad:?}");
        }
        let error = "0-5,x".parse::<RangeSet>().unwrap_err();
        assert_eq!(error.to_string(), "not a list of byte ranges: at \"x\"");
    }

    const SPACE: u64 = 64;

    proptest! {
        /// One `bool` per byte is slow and obviously right.
        #[test]
        fn agrees_with_a_naive_model(
            inserts in prop::collection::vec((0..SPACE, 0..=SPACE), 0..24),
            (from, to) in (0..SPACE, 0..=SPACE),
        ) {
            let mut set = RangeSet::new();
            let mut model = vec![false; SPACE as usize];
            for (start, end) in inserts {
                let mut new = 0;
                for i in start..end {
                    new += u64::from(!std::mem::replace(&mut model[i as usize], true));
                }
                prop_assert_eq!(set.insert(start, end), new);
                let runs: Vec<_> = set.iter().collect();
                prop_assert!(runs.iter().all(|r| r.start < r.end));
                prop_assert!(runs.windows(2).all(|w| w[0].end < w[1].start));
            }
            let count = model.iter().filter(|&&b| b).count() as u64;
            prop_assert_eq!(set.covered(), count);
            prop_assert_eq!(set.is_empty(), count == 0);
            prop_assert_eq!(set.is_complete(SPACE), count == SPACE);
            prop_assert_eq!(set.prefix_end(), model.iter().take_while(|&&b| b).count() as u64);
            prop_assert_eq!(set.contains(from, to), (from..to).all(|i| model[i as usize]));

            let gaps: Vec<_> = set.gaps(from..to).collect();
            let missing: Vec<u64> = gaps.iter().cloned().flatten().collect();
            let expected: Vec<u64> = (from..to).filter(|&i| !model[i as usize]).collect();
            prop_assert_eq!(missing, expected);
            prop_assert!(gaps.windows(2).all(|w| w[0].end < w[1].start));
            prop_assert_eq!(set.first_gap(from..to), gaps.first().cloned());

            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }

        #[test]
        fn parsed_text_is_canonical(text in "[0-9]{1,3}-[0-9]{1,3}(,[0-9]{1,3}-[0-9]{1,3}){0,3}") {
            if let Ok(set) = text.parse::<RangeSet>() {
                prop_assert_eq!(set.to_string(), text);
            }
        }
    }
}
