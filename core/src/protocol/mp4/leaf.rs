//! What is read inside of the boxes that hold no boxes.

use std::time::Duration;

use super::window::Bytes;
use super::{Header, LastEntry, Mp4Check, Stop, malformed};

impl Mp4Check {
    /// Takes what is of interest from a box that holds no boxes.
    pub(super) fn leaf(&mut self, parent: [u8; 4], header: &Header) -> Result<(), Stop> {
        let want = match (&parent, &header.kind) {
            (b"moov", b"mvhd") => 32,
            (b"trak", b"tkhd") => 96,
            (b"stbl", b"stsd") => 44,
            (b"stbl", b"stco" | b"co64") => 8,
            (b"mvex", b"mehd") | (b"mdia", b"hdlr") | (b"stbl", b"stsz") => 12,
            _ => return Ok(()),
        };
        let body = self.read(header.body, want.min(header.end - header.body))?;
        self.read_leaf(header, body).unwrap_or_else(|| Err(malformed(header, "it is too short")))
    }

    /// `None` where the body ends before a field.
    fn read_leaf(&mut self, header: &Header, body: Bytes) -> Option<Result<(), Stop>> {
        // In full boxes of version 1 times and durations have 64 bits.
        let wide = body.be(0, 1)? == 1;
        match &header.kind {
            b"mvhd" => {
                let (timescale, duration) = if wide {
                    (body.be(20, 4)?, known(body.be(24, 8)?, u64::MAX))
                } else {
                    (body.be(12, 4)?, known(body.be(16, 4)?, 0xFFFF_FFFF))
                };
                self.movie.seen_mvhd = true;
                self.movie.timescale = timescale;
                self.movie.duration = duration.and_then(|ticks| seconds(ticks, timescale));
            }
            b"mehd" => {
                self.movie.fragments_duration =
                    if wide { known(body.be(4, 8)?, u64::MAX) } else { known(body.be(4, 4)?, 0xFFFF_FFFF) };
            }
            b"tkhd" => {
                let matrix = if wide { 52 } else { 40 };
                self.track.rotation =
                    rotation([0, 4, 12, 16].map(|cell| body.be(matrix + cell, 4).unwrap_or(0) as u32));
                // 16.16 fixed point.
                let pixels = |at| Some(((body.be(at, 4)? + 0x8000) >> 16) as u32);
                self.track.shown = some_area(pixels(matrix + 36)?, pixels(matrix + 40)?);
            }
            b"hdlr" => self.track.handler = body.fourcc(8)?,
            b"stsd" => {
                if body.be(4, 4)? == 0 {
                    return Some(Ok(()));
                }
                self.track.codec = Some(body.fourcc(12)?);
                // Only in video entries these are a size; whether it is one is known at the end.
                let coded = |at| body.be(at, 2).unwrap_or(0) as u32;
                self.track.coded = some_area(coded(40), coded(42));
            }
            b"stsz" => match body.be(4, 4)? {
                0 => return self.last_entry(header, body.be(8, 4)?, 12, 4, false),
                same_for_all => self.track.last_sample_size = Some(same_for_all),
            },
            b"stco" => return self.last_entry(header, body.be(4, 4)?, 8, 4, true),
            b"co64" => return self.last_entry(header, body.be(4, 4)?, 8, 8, true),
            _ => {}
        }
        Some(Ok(()))
    }

    /// Notes that the last of `count` entries must be read; `None` if the box has no room for them.
    fn last_entry(
        &mut self,
        header: &Header,
        count: u64,
        table: u64,
        width: u64,
        is_chunk: bool,
    ) -> Option<Result<(), Stop>> {
        let end = header.body + table + count * width; // count < 2^32
        if end > header.end {
            return None;
        }
        if count > 0 {
            self.entry = Some(LastEntry { at: end - width, width: width as usize, is_chunk });
        }
        Some(Ok(()))
    }
}

fn known(ticks: u64, unknown: u64) -> Option<u64> {
    (ticks != unknown).then_some(ticks)
}

fn some_area(width: u32, height: u32) -> Option<(u32, u32)> {
    (width > 0 && height > 0).then_some((width, height))
}

pub(super) fn seconds(ticks: u64, timescale: u64) -> Option<Duration> {
    let whole = ticks.checked_div(timescale)?;
    // timescale < 2^32, so the product stays below 2^62.
    let nanos = (ticks % timescale) * 1_000_000_000 / timescale;
    Some(Duration::new(whole, nanos as u32))
}

/// The turn that the cells a, b, c, d of the track's matrix describe; other transformations are 0.
fn rotation([a, b, c, d]: [u32; 4]) -> u16 {
    const ONE: u32 = 0x0001_0000;
    const MINUS: u32 = ONE.wrapping_neg();
    match [a, b, c, d] {
        [0, ONE, MINUS, 0] => 90,
        [MINUS, 0, 0, MINUS] => 180,
        [0, MINUS, ONE, 0] => 270,
        _ => 0,
    }
}
