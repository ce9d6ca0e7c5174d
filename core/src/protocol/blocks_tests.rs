#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::ops::Range;

use proptest::prelude::*;

use super::*;

/// Part of a file that need not be in memory: every byte follows from its place.
fn part(part: Range<usize>) -> Vec<u8> {
    let word = |number: usize| (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    let words = part.start / 8..part.end.div_ceil(8);
    let mut bytes: Vec<u8> = words.clone().flat_map(word).collect();
    bytes.drain(..part.start - words.start * 8);
    bytes.truncate(part.len());
    bytes
}

/// A server in memory: answers in pieces, and counts.
struct Model {
    length: usize,
    blocks: BlockReader,
    /// What is still to come of the running answer.
    body: Range<usize>,
    piece: usize,
    requests: Vec<(u64, Option<u64>)>,
    fetched: usize,
    tells_total: bool,
    honours_ranges: bool,
    /// The rest of an answer comes quickly.
    quick: bool,
}

impl Model {
    fn new(length: usize, piece: usize, options: ReaderOptions) -> Self {
        Self {
            length,
            blocks: BlockReader::new(options),
            body: 0..0,
            piece,
            requests: Vec::new(),
            fetched: 0,
            tells_total: true,
            honours_ranges: true,
            quick: true,
        }
    }

    /// One call of `read`: what a driver does.
    fn read(&mut self, at: u64, most: usize) -> Vec<u8> {
        for _ in 0..100_000 {
            match self.blocks.step(at) {
                BlockStep::End => return Vec::new(),
                BlockStep::Ready => {
                    let mut buf = vec![0; most];
                    let length = self.blocks.copy(at, &mut buf);
                    assert!(length > 0 || most == 0, "ready, but nothing came");
                    buf.truncate(length);
                    return buf;
                }
                BlockStep::Open { start, end } => {
                    assert!(end.is_none_or(|end| end > start), "an empty part: {start}..{end:?}");
                    self.requests.push((start, end));
                    if start as usize == self.length {
                        // 416: it was the end already.
                        assert_eq!(self.blocks.total(), None);
                        self.blocks.learnt(Some(start), self.honours_ranges);
                        self.blocks.ended();
                        continue;
                    }
                    let end = end.map_or(self.length, |end| self.length.min(end as usize));
                    assert!((start as usize) < end, "a part behind the end: {start}");
                    // A server without parts sends what comes before as well; the download passes over it.
                    self.body = start as usize..if self.honours_ranges { end } else { self.length };
                    let open = end == self.length;
                    let told = self.tells_total || open && self.honours_ranges;
                    self.blocks.learnt(told.then_some(self.length as u64), self.honours_ranges);
                }
                BlockStep::Finish if !self.quick || self.body.is_empty() => self.blocks.ended(),
                BlockStep::More if self.body.is_empty() => {
                    let known = self.body.end == self.length;
                    self.blocks.learnt(known.then_some(self.length as u64), self.honours_ranges);
                    self.blocks.ended();
                }
                BlockStep::More | BlockStep::Finish => {
                    let from = self.body.start;
                    let to = self.body.end.min(from + self.piece);
                    self.body.start = to;
                    self.fetched += to - from;
                    self.blocks.arrived(from as u64, part(from..to).into());
                }
            }
        }
        panic!("no end at {at}: {:?}", self.blocks);
    }

    fn read_exactly(&mut self, at: u64, length: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < length {
            let piece = self.read(at + all.len() as u64, length - all.len());
            if piece.is_empty() {
                break;
            }
            all.extend(piece);
        }
        all
    }
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

fn default_model(length: usize) -> Model {
    Model::new(length, 64 * KIB, ReaderOptions::default())
}

#[test]
fn sequential_reading_is_one_long_request_after_the_first() {
    for buffer in [8 * KIB, 3 * MIB] {
        let mut model = default_model(20 * MIB);
        let mut all = Vec::new();
        loop {
            let piece = model.read(all.len() as u64, buffer);
            if piece.is_empty() {
                break;
            }
            all.extend(piece);
        }
        assert!(all == part(0..20 * MIB));
        assert_eq!(model.requests, [(0, Some(256 * KIB as u64)), (256 * KIB as u64, None)], "{buffer}");
        assert_eq!(model.fetched, model.length);
    }
}

#[test]
fn moov_at_the_end_then_a_large_first_frame() {
    let mut model = default_model(200 * MIB);
    model.read_exactly(0, 48);
    let moov = 200 * MIB - 5000;
    assert_eq!(model.read_exactly(moov as u64, 5000), part(moov..200 * MIB));
    assert_eq!(model.requests.len(), 2);
    model.read_exactly(48, 200 * KIB);
    assert_eq!(model.requests.len(), 2, "the rest of the first part was read before the jump");
    model.read_exactly(48, MIB);
    assert_eq!(model.requests.len(), 3, "{:?}", model.requests);
    assert!(model.fetched <= 2 * MIB, "{}", model.fetched);
    // What was read is still here.
    model.read_exactly(moov as u64, 5000);
    model.read_exactly(100, 5000);
    assert_eq!(model.requests.len(), 3);
}

#[test]
fn a_walk_over_far_boxes_stays_small() {
    let mut model = default_model(100 * MIB);
    for at in (0..10).map(|number| number * 10 * MIB) {
        model.read_exactly(at as u64, 16);
    }
    assert_eq!(model.requests.len(), 10);
    assert!(model.requests.iter().all(|(start, end)| end.unwrap() - start == 256 * KIB as u64), "{:?}", model.requests);
}

#[test]
fn a_small_gap_is_read_through_and_a_large_one_is_not() {
    let mut model = default_model(50 * MIB);
    model.read_exactly(0, MIB);
    let before = model.requests.len();
    model.read_exactly((MIB + 200 * KIB) as u64, 10);
    assert_eq!(model.requests.len(), before);
    model.read_exactly(10 * MIB as u64, 10);
    assert_eq!(model.requests.len(), before + 1);
}

#[test]
fn a_look_behind_the_first_part_is_not_reading_on() {
    let mut model = default_model(100 * MIB);
    model.read_exactly(0, 100 * KIB);
    model.read_exactly(300 * KIB as u64, 16);
    assert_eq!(model.requests.len(), 2);
    assert!(model.requests[1].1.is_some(), "{:?}", model.requests);
}

#[test]
fn interleaved_reading_does_not_ask_again_and_again() {
    // Sound and picture lie 200 KiB apart, and both go forward.
    let mut model = default_model(30 * MIB);
    for step in 0..1000 {
        let at = step * 16 * KIB;
        model.read_exactly(at as u64, 4 * KIB);
        model.read_exactly((at + 200 * KIB) as u64, 4 * KIB);
    }
    assert!(model.requests.len() <= 4, "{:?}", model.requests);
}

#[test]
fn a_server_without_parts_is_read_on() {
    let mut model = default_model(10 * MIB);
    model.honours_ranges = false;
    model.read_exactly(0, 10);
    model.read_exactly(5 * MIB as u64, 10);
    model.read_exactly(9 * MIB as u64, 10);
    assert_eq!(model.requests.len(), 1, "{:?}", model.requests);
    model.read_exactly(5, 10);
    assert_eq!(model.requests.len(), 1, "the beginning is still here: what was passed over did not push it out");
}

#[test]
fn an_unknown_length_is_found_out_before_a_jump() {
    let mut model = default_model(10 * MIB);
    model.tells_total = false;
    model.read_exactly(0, 10);
    assert_eq!(model.blocks.total(), None);
    assert!(model.read_exactly(20 * MIB as u64, 10).is_empty(), "behind the end");
    assert_eq!(model.requests.len(), 2);
    assert_eq!(model.blocks.total(), Some(10 * MIB as u64));
}

proptest! {
    /// Whatever is read wherever, the bytes are those of the file; what was just read costs nothing.
    #[test]
    fn any_reads_give_the_bytes_of_the_file(
        length in 1..3000_usize,
        piece in 1..700_usize,
        sizes in (1..200_usize, 0..6_usize, 1..600_u64, 0..1500_u64, 0..400_u64),
        (tells_total, honours_ranges, quick) in any::<(bool, bool, bool)>(),
        reads in prop::collection::vec((0..3200_u64, 0..500_usize, any::<bool>()), 1..40),
    ) {
        let (block_bytes, blocks, read_ahead, long_after, skip) = sizes;
        let options = ReaderOptions { block_bytes, blocks, read_ahead, long_after, skip };
        let mut model = Model::new(length, piece, options);
        (model.tells_total, model.honours_ranges, model.quick) = (tells_total, honours_ranges, quick);
        let mut at = 0;
        for (to, most, jump) in reads {
            if jump {
                at = to;
            }
            let got = model.read(at, most);
            let from = length.min(at as usize);
            prop_assert_eq!(&got[..], part(from..from + got.len()));
            prop_assert_eq!(got.is_empty(), most == 0 || at >= length as u64);
            let before = (model.requests.len(), model.fetched);
            if let Some(last) = got.len().checked_sub(1) {
                prop_assert_eq!(model.read(at + last as u64, 1), &got[last..]);
                // The bookkeeping of jumps should not be disturbed more than by a reader that looks twice.
                prop_assert_eq!((model.requests.len(), model.fetched), before);
            }
            prop_assert!(model.blocks.blocks.len() <= blocks.max(2));
            prop_assert!(model.blocks.blocks.iter().all(|block| block.data.len() <= block_bytes));
            at += got.len() as u64;
        }
    }

    #[test]
    fn reading_through_needs_two_requests_whatever_the_buffer(
        length in 1..100_000_usize,
        piece in 1..9000_usize,
        buffer in 1..9000_usize,
    ) {
        let options = ReaderOptions { block_bytes: 1024, blocks: 4, read_ahead: 2048, long_after: 8192, skip: 2048 };
        let mut model = Model::new(length, piece, options);
        let mut all = Vec::new();
        while all.len() < length {
            all.extend(model.read(all.len() as u64, buffer));
        }
        prop_assert!(all == part(0..length));
        prop_assert!(model.requests.len() <= 2, "{:?}", model.requests);
        prop_assert_eq!(model.fetched, length);
    }
}
