//! A video file that need not be in memory: real pieces at their offsets, and between them bytes computed from the offset.

use bytes::{Bytes, BytesMut};

/// How much is handed to a connection at a time.
pub(crate) const CHUNK: usize = 64 * 1024;
/// Files up to this size are kept whole, so that a response only slices them.
const KEEP_WHOLE: u64 = 64 * 1024 * 1024;

/// One generated file.
#[derive(Debug)]
pub(crate) struct VideoFile {
    length: u64,
    pieces: Vec<(u64, Bytes)>,
    seed: u64,
    whole: Option<Bytes>,
}

impl VideoFile {
    /// A file of `length` bytes with `pieces` (sorted, not overlapping) and computed bytes elsewhere.
    pub(crate) fn new(length: u64, pieces: Vec<(u64, Bytes)>, seed: u64) -> Self {
        let mut file = Self { length, pieces, seed, whole: None };
        if length <= KEEP_WHOLE {
            let mut whole = BytesMut::zeroed(length as usize);
            file.fill(0, &mut whole);
            file.whole = Some(whole.freeze());
            file.pieces = Vec::new();
        }
        file
    }

    /// Size in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Up to `most` bytes from `start`; empty at the end of the file.
    pub(crate) fn read(&self, start: u64, most: usize) -> Bytes {
        let end = self.length.min(start.saturating_add(most as u64));
        if start >= end {
            return Bytes::new();
        }
        if let Some(whole) = &self.whole {
            return whole.slice(start as usize..end as usize);
        }
        let mut out = BytesMut::zeroed((end - start) as usize);
        self.fill(start, &mut out);
        out.freeze()
    }

    fn fill(&self, start: u64, out: &mut [u8]) {
        let end = start + out.len() as u64;
        padding(self.seed, start, out);
        let first = self.pieces.partition_point(|(at, piece)| at + piece.len() as u64 <= start);
        for (at, piece) in &self.pieces[first..] {
            if *at >= end {
                break;
            }
            let from = start.max(*at);
            let to = end.min(at + piece.len() as u64);
            out[(from - start) as usize..(to - start) as usize]
                .copy_from_slice(&piece[(from - at) as usize..(to - at) as usize]);
        }
    }
}

/// The padding bytes of a file: each eight-byte word is a hash of its index, so a misplaced byte shows.
fn padding(seed: u64, start: u64, out: &mut [u8]) {
    let mut index = start / 8;
    let skip = (start % 8) as usize;
    let mut rest = out;
    if skip > 0 {
        let word = mix(seed ^ index).to_le_bytes();
        let take = (8 - skip).min(rest.len());
        rest[..take].copy_from_slice(&word[skip..skip + take]);
        rest = &mut rest[take..];
        index += 1;
    }
    let mut words = rest.chunks_exact_mut(8);
    for chunk in words.by_ref() {
        chunk.copy_from_slice(&mix(seed ^ index).to_le_bytes());
        index += 1;
    }
    let tail = words.into_remainder();
    let length = tail.len();
    tail.copy_from_slice(&mix(seed ^ index).to_le_bytes()[..length]);
}

/// The finaliser of `SplitMix64`: also used wherever a number must look random and be repeatable.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{KEEP_WHOLE, VideoFile};

    #[test]
    fn any_way_of_reading_gives_the_same_bytes() {
        let pieces = vec![(0, Bytes::from_static(b"head")), (1_000, Bytes::from_static(b"middle"))];
        let large = VideoFile::new(KEEP_WHOLE + 3, pieces.clone(), 9);
        let small = VideoFile::new(5_000, pieces, 9);
        let reference = small.read(0, 5_000);
        assert_eq!(&reference[..4], b"head");
        assert_eq!(&reference[1_000..1_006], b"middle");
        for start in 0..40u64 {
            for length in [1usize, 7, 8, 9, 1_300] {
                let expected = &reference[start as usize..start as usize + length];
                assert_eq!(large.read(start, length), expected, "{start}+{length}");
            }
        }
        assert_eq!(large.read(KEEP_WHOLE, 100).len(), 3);
        assert!(large.read(KEEP_WHOLE + 3, 100).is_empty());
    }
}
