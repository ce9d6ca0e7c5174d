//! Range headers: what is read is true in itself, and what we write we can read.
#![no_main]

use junfeiai::protocol::byte_ranges::RangeSet;
use junfeiai::protocol::content_range::{ContentRange, ContentRangeHeader};
use junfeiai::protocol::retry_after::parse_retry_after;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(ContentRangeHeader::Satisfied(range)) = ContentRange::parse(text) {
        assert!(range.start <= range.end_inclusive);
        assert!(range.total.is_none_or(|total| range.end_inclusive < total));
        let written = format!(
            "bytes {}-{}/{}",
            range.start,
            range.end_inclusive,
            range.total.map_or_else(|| "*".to_owned(), |total| total.to_string())
        );
        assert_eq!(ContentRange::parse(&written), Some(ContentRangeHeader::Satisfied(range)));
    }
    if let Ok(ranges) = text.parse::<RangeSet>() {
        assert_eq!(ranges.to_string(), text);
    }
    for now in [None, Some(0), Some(1_800_000_000)] {
        if let Some(after) = parse_retry_after(text, now) {
            assert!(after.as_secs() <= 3600);
        }
    }
});
