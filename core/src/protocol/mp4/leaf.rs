//! What is read inside of the boxes that hold no boxes.

use std::time::Duration;

use super::tables::{Fragment, Of, Sum, Table};
use super::window::{Bytes, Lens};
use super::{ENTRY, Header, Job, MAX_TRACKS, Mp4Check, ROOT, Stop, malformed};

/// The boxes that are read: in what, how much of their body, and how much of that must be there. What is behind it is 0
/// where it is missing. (A table is smaller than the code for it.)
const LEAVES: [(&[u8; 4], &[u8; 4], u8, u8); 22] = [
    (b"moov", b"mvhd", 72, 20),
    (b"trak", b"tkhd", 96, 84),
    (b"edts", b"elst", 20, 8),
    (b"mdia", b"mdhd", 32, 20),
    (b"mdia", b"hdlr", 12, 12),
    (b"minf", b"vmhd", 8, 0),
    (b"minf", b"smhd", 8, 0),
    (b"stbl", b"stsd", 44, 8),
    (&ENTRY, b"pasp", 8, 8),
    (b"stbl", b"stts", 8, 8),
    (b"stbl", b"stsc", 8, 8),
    (b"stbl", b"stsz", 12, 12),
    (b"stbl", b"stz2", 12, 12),
    (b"stbl", b"stco", 8, 8),
    (b"stbl", b"co64", 8, 8),
    (b"mvex", b"mehd", 12, 8),
    (b"mvex", b"trex", 20, 20),
    (b"traf", b"tfhd", 36, 8),
    (b"traf", b"tfdt", 12, 8),
    (b"traf", b"trun", 16, 8),
    (b"mfra", b"tfra", 16, 16),
    (&ROOT, b"sidx", 32, 24),
];

impl Mp4Check {
    /// Takes what is of interest from a box that holds no boxes. Where the first entry of an `stsd` holds some, it says
    /// where they begin.
    pub(super) fn leaf(&mut self, parent: [u8; 4], header: &Header) -> Result<Option<u64>, Stop> {
        let wanted = LEAVES.iter().find(|(of, kind, ..)| *of == &parent && *kind == &header.kind);
        let Some((want, least)) = wanted.map(|(_, _, want, least)| (u64::from(*want), u64::from(*least))) else {
            return Ok(None);
        };
        let body = self.read(Lens::Boxes, header.body, want.min(header.end - header.body), want)?;
        if header.end - header.body < least || !self.read_leaf(header, &body) {
            return Err(malformed(header, "it is too short"));
        }
        match &header.kind {
            // Behind the header of the entry and the fixed part of a picture's.
            b"stsd" if &self.track.handler == b"vide" && header.end - header.body > 8 + 86 => {
                Ok(Some(header.body + 8 + 86))
            }
            b"tfra" => self.tfra(header, &body).map(|()| None),
            _ => Ok(None),
        }
    }

    /// False where the body is too short for what it says of itself.
    fn read_leaf(&mut self, header: &Header, body: &Bytes) -> bool {
        // In full boxes of version 1 times and durations have 64 bits.
        let wide = body.be(0, 1) == 1;
        let flags = body.be(1, 3);
        let [second, third] = [body.be(4, 4), body.be(8, 4)];
        let track = &mut self.track;
        match &header.kind {
            b"mvhd" => {
                let (timescale, ticks) = scaled(body, wide);
                self.movie.timescale = timescale;
                self.movie.duration = if ticks > 0 { seconds(ticks, timescale) } else { None };
                self.movie.matrix = matrix(body, if wide { 48 } else { 36 });
            }
            b"mehd" => self.movie.fragments_duration = ticks(body, 4, wide),
            b"mdhd" => (track.timescale, track.duration) = scaled(body, wide),
            b"tkhd" => {
                track.id = body.be(if wide { 20 } else { 12 }, 4);
                let cells = if wide { 52 } else { 40 };
                track.matrix = matrix(body, cells);
                // 16.16 fixed point.
                let pixels = |at| ((body.be(at, 4) + 0x8000) >> 16) as u32;
                track.shown = some_area(pixels(cells + 36), pixels(cells + 40));
            }
            // Where in the media the film begins: what is before it is never shown.
            b"elst" if second > 0 && !wide && body.be(12, 4) < 1 << 31 => track.skipped = body.be(12, 4),
            b"hdlr" => track.handler = body.fourcc(8).unwrap_or_default(),
            // Where no `hdlr` says what it is, these do.
            b"vmhd" if track.handler == [0; 4] => track.handler = *b"vide",
            b"smhd" if track.handler == [0; 4] => track.handler = *b"soun",
            b"stsd" if second > 0 => {
                track.codec = body.fourcc(12);
                // Only in video entries these are a size; whether it is one is known at the end.
                track.coded = some_area(body.be(40, 2) as u32, body.be(42, 2) as u32);
            }
            b"pasp" => track.pixel = some_area(body.be(0, 4) as u32, second as u32),
            b"stts" => track.times = table(header, second, 8, 64),
            b"stsc" => track.runs = table(header, second, 8, 96),
            b"stco" => track.offsets = table(header, second, 8, 32),
            b"co64" => track.offsets = table(header, second, 8, 64),
            b"stsz" => {
                track.sizes = table(header, third, 12, 32);
                if second > 0 {
                    (track.sizes.count, track.sizes.fixed) = (third, second);
                }
            }
            b"stz2" => {
                let bits = second & 0xFF;
                if !matches!(bits, 4 | 8 | 16) {
                    return false;
                }
                track.sizes = table(header, third, 12, bits);
            }
            b"trex" if self.defaults.len() < MAX_TRACKS => {
                self.defaults.push((second, (body.be(12, 4), body.be(16, 4))));
            }
            b"tfhd" => self.tfhd(flags, body),
            b"tfdt" => {
                let at = ticks(body, 4, wide);
                if let Some(track) = self.tracks.get_mut(self.fragment.track) {
                    track.begin = track.begin.or(Some(at));
                    track.end = at;
                }
            }
            b"trun" => return self.trun(header, flags, body),
            b"sidx" => {
                let (first, rest) = if wide { (body.be(20, 8), 28) } else { (body.be(16, 4), 20) };
                let of = Of::Index { from: header.end.saturating_add(first), of: header.kind };
                return self.add_up(header, of, body.be(rest + 2, 2), rest as u64 + 4, 12, (Some(0), None));
            }
            _ => {}
        }
        true
    }

    fn tfhd(&mut self, flags: u64, body: &Bytes) {
        let id = body.be(4, 4);
        self.fragment.track = self.tracks.iter().position(|track| track.id == id).unwrap_or(usize::MAX);
        let defaults = self.defaults.iter().find(|(track, _)| *track == id);
        let (mut duration, mut size) = defaults.map_or((0, 0), |(_, defaults)| *defaults);
        let Fragment { start, next, .. } = self.fragment;
        // Without a word about it the data of a track follow those of the one before.
        let mut base = if flags & 0x2_0000 != 0 { start } else { next };
        let mut at = 8;
        for (flag, width) in [(0x1, 8), (0x2, 4), (0x8, 4), (0x10, 4)] {
            if flags & flag != 0 {
                let value = body.be(at, width);
                match flag {
                    0x1 => base = value,
                    0x8 => duration = value,
                    0x10 => size = value,
                    _ => {}
                }
                at += width;
            }
        }
        (self.fragment.base, self.fragment.next) = (base, base);
        self.fragment.defaults = (duration, size);
    }

    fn trun(&mut self, header: &Header, flags: u64, body: &Bytes) -> bool {
        let samples = body.be(4, 4);
        let mut from = self.fragment.next;
        let mut at = 8;
        if flags & 0x1 != 0 {
            from = self.fragment.base.saturating_add_signed(i64::from((body.be(8, 4) as u32).cast_signed()));
            at += 4;
        }
        at += flags & 0x4;
        let column = |flag: u64| (flags & flag != 0).then(|| 4 * u64::from((flags & (flag - 1) & 0xF00).count_ones()));
        let stride = 4 * u64::from((flags & 0xF00).count_ones());
        let (durations, sizes) = (column(0x100), column(0x200));
        self.add_up(header, Of::Run { from, samples }, samples, at, stride, (sizes, durations))
    }

    /// Begins a sum; false if the box has no room for so many entries.
    fn add_up(
        &mut self,
        header: &Header,
        of: Of,
        count: u64,
        table: u64,
        stride: u64,
        (sizes, durations): (Option<u64>, Option<u64>),
    ) -> bool {
        let at = header.body.saturating_add(table);
        if at.saturating_add(count.saturating_mul(stride)) > header.end {
            return false;
        }
        let (each_duration, each_size) = self.fragment.defaults;
        let fixed = |column: Option<u64>, each: u64| if column.is_none() { each.saturating_mul(count) } else { 0 };
        self.job = Job::Sum(Sum {
            of,
            at,
            left: if stride > 0 { count } else { 0 },
            stride,
            sizes,
            durations,
            size: fixed(sizes, each_size),
            duration: fixed(durations, each_duration),
            last: if sizes.is_none() && count > 0 { each_size } else { 0 },
        });
        true
    }

    /// The last fragment that an index at the end names must be there.
    fn tfra(&mut self, header: &Header, body: &Bytes) -> Result<(), Stop> {
        let wide = body.be(0, 1) == 1;
        let (lengths, count) = (body.be(8, 4), body.be(12, 4));
        let numbers = 3 + (lengths & 3) + (lengths >> 2 & 3) + (lengths >> 4 & 3);
        let width = if wide { 8 } else { 4 };
        let stride = 2 * width + numbers;
        let end = header.body + 16 + count * stride;
        if count == 0 || end > header.end {
            return Ok(());
        }
        let at = end - stride + width;
        // Through a window of its own, as the walk comes back to this header.
        match self.entry(Lens::Offsets, at, width as usize, at + width) {
            Ok(moof) if moof > self.top.last_moof => Err(malformed(header, "it names a fragment that is not there")),
            Ok(_) | Err(Stop::Unchecked) => Ok(()),
            Err(stop) => Err(stop),
        }
    }
}

/// A table of at most `count` entries of `bits` that begin at `from`. A box that is too short has fewer: what that
/// means is known when the other tables are.
fn table(header: &Header, count: u64, from: u64, bits: u64) -> Table {
    let room = (header.end - header.body).saturating_sub(from) * 8 / bits;
    Table { at: header.body + from, count: count.min(room), bits, fixed: 0 }
}

/// Timescale and duration of `mvhd` and `mdhd`.
fn scaled(body: &Bytes, wide: bool) -> (u64, u64) {
    let at = if wide { 20 } else { 12 };
    (body.be(at, 4), ticks(body, at + 4, wide))
}

/// A time of 32 or 64 bits; 0 where it is unknown, for which all ones stand as well.
fn ticks(body: &Bytes, at: usize, wide: bool) -> u64 {
    let (ticks, unknown) = if wide { (body.be(at, 8), u64::MAX) } else { (body.be(at, 4), 0xFFFF_FFFF) };
    if ticks == unknown { 0 } else { ticks }
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

/// The cells a, b, c, d of a matrix.
fn matrix(body: &Bytes, at: usize) -> [u32; 4] {
    [0, 4, 12, 16].map(|cell| body.be(at + cell, 4) as u32)
}
