//! Is this MP4 whole? A checker that pulls the few bytes it needs.
//!
//! Observed: for some seconds after a task succeeded the file may be incomplete although the answer
//! is 200 and its length is consistent. So a finished download is believed only when its box structure
//! (ISO/IEC 14496-12) holds: the boxes add up to exactly the length of the file; `ftyp`, `moov` and
//! `mdat` are there; the sample tables do not point beyond the end. On the way the duration and the real
//! frame size are read out (the `size` of a task is only advice, the file knows better).
//!
//! [`Mp4Check`] does no IO. It names the bytes that it wants, so the same code checks a `.part` file,
//! a buffer, and a remote file through `Range` requests:
//!
//! ```text
//!            ┌───────────── input(bytes) ─────────────┐
//!            ▼                                        │
//!   Top: headers of the boxes ──▶ Moov: headers of its children ──▶ Done(Ok(Mp4Info))
//!            │                                        │
//!            └────────────────────┴──────────────────▶ Done(Err(Mp4Fault))
//! ```
//!
//! ```
//! use junfeiai::protocol::mp4::{Mp4Check, Mp4Fault, Mp4Step};
//!
//! // An HTML error page that was saved as a video:
//! let file = b"<!DOCTYPE html><title>502</title>";
//! let mut check = Mp4Check::new(file.len() as u64);
//! let fault = loop {
//!     match check.step() {
//!         Mp4Step::Need { offset, len } => check.input(&file[offset as usize..][..len]),
//!         Mp4Step::Done(result) => break result.unwrap_err(),
//!     }
//! };
//! assert!(matches!(fault, Mp4Fault::NotMp4 { .. }));
//! assert_eq!(fault.to_string(), r#"not an MP4: it begins with "<!DOCTYPE html><""#);
//! ```
//!
//! What boxes cannot show: wrong bytes inside of `mdat`, a box of size 0 ("to the end") cut after its
//! last chunk began, and a fragmented file cut exactly between two fragments.

use std::time::Duration;

mod found;
mod leaf;
mod window;

pub use found::{Mp4Fault, Mp4Info, Mp4Step};
use leaf::seconds;
use window::{Bytes, Window};

/// Largest `moov` that is accepted, in bytes. It is walked, not loaded; hours of video stay below this.
pub const MAX_MOOV: u64 = 64 << 20;
/// Most boxes that are looked at, on the top level and inside of `moov` each.
pub const MAX_BOXES: u32 = 100_000;
/// Most bytes that one [`Mp4Step::Need`] asks for.
pub const MAX_NEED: usize = 64 << 10;

/// Up to this size `moov` is read in windows of [`MAX_NEED`], which for the usual video means in one
/// read. Beyond, almost all of it is sample tables, and only the headers are fetched.
const SMALL_MOOV: u64 = 1 << 20;
/// Read-ahead between top-level boxes: takes `ftyp`, a small filler and the next header in one read.
const TOP_AHEAD: u64 = 64;
/// A long header and the longest part of a body that [`Mp4Check::leaf`] reads. They are fetched in one
/// window: a second fetch would lose the first, and the walk would never get on.
const HEAD_AND_LEAF: u64 = 16 + 96;
/// Stands in a fault when the data end before the type of the box.
const UNKNOWN: [u8; 4] = *b"????";

/// Whether data that begin with `first` can be an MP4; `None` means that more bytes are needed
/// (at most 12).
///
/// Looks at the first box only: its type must be one that files begin with (`ftyp`, `styp`, or in old
/// files `moov`, `mdat`, `free`, `skip`, `wide`) and its size one that such a box can have.
pub fn looks_like_mp4(first: &[u8]) -> Option<bool> {
    let head = Bytes::copy(first);
    let (Some(size), Some(kind)) = (head.be(0, 4), head.fourcc(4)) else {
        return None;
    };
    match &kind {
        // Type, brand and version, then a list of compatible brands.
        b"ftyp" | b"styp" => {
            if !(16..=0xFFFF).contains(&size) {
                return Some(false);
            }
            // A brand is four printable letters in every registered case.
            head.fourcc(8).map(is_printable)
        }
        b"moov" | b"mdat" | b"free" | b"skip" | b"wide" => Some(!(2..8).contains(&size)),
        _ => Some(false),
    }
}

/// Checks a whole MP4 in memory.
///
/// # Errors
/// The [`Mp4Fault`] that was found first.
pub fn check_slice(bytes: &[u8]) -> Result<Mp4Info, Mp4Fault> {
    let mut check = Mp4Check::new(bytes.len() as u64);
    loop {
        match check.step() {
            Mp4Step::Need { offset, len } => {
                // Every wish lies inside of the slice; an empty input would end the check anyway.
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let tail = bytes.get(from..).unwrap_or_default();
                check.input(tail.get(..len).unwrap_or(tail));
            }
            Mp4Step::Done(result) => return result,
        }
    }
}

/// The checker: a machine that is asked with [`step`](Self::step) and fed with [`input`](Self::input).
#[derive(Debug, Clone)]
pub struct Mp4Check {
    total: u64,
    window: Window,
    phase: Phase,
    /// Where the next box header is.
    pos: u64,
    boxes: u32,
    top: Top,
    /// The containers around `pos`, outermost first. As deep as [`is_container`] allows: five.
    stack: Vec<Open>,
    movie: Movie,
    track: Track,
    /// Offsets of the last entry of a table, still to be read.
    entry: Option<LastEntry>,
    done: Option<Result<Mp4Info, Mp4Fault>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Top,
    Moov,
}

/// What the walk over the top level has found.
#[derive(Debug, Clone, Copy, Default)]
struct Top {
    ftyp: bool,
    moov: Option<Header>,
    mdat: bool,
    moof: bool,
    /// A `moof` that waits for its `mdat`.
    moof_open: bool,
    moov_at_end: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Movie {
    seen_mvhd: bool,
    duration: Option<Duration>,
    timescale: u64,
    /// Of the whole fragmented movie, in units of `timescale`.
    fragments_duration: Option<u64>,
    mvex: bool,
    tracks: u32,
    video: Option<Track>,
    audio_codec: Option<[u8; 4]>,
    /// How far the media of all tracks reach at least.
    media_end: u64,
}

/// Collected between the start of a `trak` and its end.
#[derive(Debug, Clone, Copy, Default)]
struct Track {
    handler: [u8; 4],
    codec: Option<[u8; 4]>,
    /// From `tkhd`: how large the picture is meant to be shown.
    shown: Option<(u32, u32)>,
    /// From `stsd`: how large it is encoded.
    coded: Option<(u32, u32)>,
    rotation: u16,
    last_chunk: Option<u64>,
    last_sample_size: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    kind: [u8; 4],
    end: u64,
}

#[derive(Debug, Clone, Copy)]
struct LastEntry {
    at: u64,
    width: usize,
    is_chunk: bool,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    kind: [u8; 4],
    start: u64,
    body: u64,
    end: u64,
}

/// Why the machine cannot continue by itself.
enum Stop {
    /// The window has noted which bytes are missing.
    Need,
    Fault(Mp4Fault),
}

impl Mp4Check {
    /// A check of a file of `total` bytes.
    pub fn new(total: u64) -> Self {
        Self {
            total,
            window: Window::default(),
            phase: Phase::Top,
            pos: 0,
            boxes: 0,
            top: Top::default(),
            stack: Vec::new(),
            movie: Movie::default(),
            track: Track::default(),
            entry: None,
            done: None,
        }
    }

    /// Says what is wanted next. Without an [`input`](Self::input) in between it says the same again.
    pub fn step(&mut self) -> Mp4Step {
        loop {
            if let Some(result) = &self.done {
                return Mp4Step::Done(result.clone());
            }
            // Each round takes one of the bounded number of boxes, leaves a container that one of them
            // opened, or finishes the entry that one of them left: so the loop ends.
            let stop = match self.phase {
                Phase::Top => self.walk_top(),
                Phase::Moov => self.walk_moov(),
            };
            match stop {
                Ok(()) => {}
                Err(Stop::Fault(fault)) => self.done = Some(Err(fault)),
                Err(Stop::Need) => {
                    let (offset, len) = self.window.missing();
                    return Mp4Step::Need { offset, len };
                }
            }
        }
    }

    /// Takes the bytes that the last [`step`](Self::step) asked for.
    ///
    /// Fewer bytes are fine, the next step asks for the rest; what is too much is ignored. An **empty**
    /// input says that the data end there: the check ends with [`Mp4Fault::Truncated`].
    pub fn input(&mut self, bytes: &[u8]) {
        let (offset, len) = self.window.missing();
        if self.done.is_some() || len == 0 {
            return;
        }
        if bytes.is_empty() {
            self.done = Some(Err(Mp4Fault::Truncated {
                box_type: self.stack.last().map_or(UNKNOWN, |open| open.kind),
                needs: offset.saturating_add(len as u64),
                has: offset,
            }));
            return;
        }
        self.window.bytes.extend(bytes.iter().take(len));
    }

    fn walk_top(&mut self) -> Result<(), Stop> {
        let left = self.total - self.pos;
        if left == 0 && self.pos > 0 {
            return self.finish_top();
        }
        let head = self.window.read(self.pos, left.min(16), left.min(TOP_AHEAD))?;
        if self.pos == 0 {
            let first = self.window.bytes.get(..16).unwrap_or(&self.window.bytes);
            // An MP4 of under 8 bytes cannot be told apart by type, but no first box has 16 MiB.
            let alien = looks_like_mp4(first).map_or(left < 8 && head.be(0, 1) > Some(0), |is| !is);
            if alien {
                let first = first.to_vec();
                return Err(Stop::Fault(Mp4Fault::NotMp4 { first }));
            }
        }
        let header = self.header(head, self.total)?;
        if !is_printable(header.kind) {
            return Err(malformed(&header, "this is not a box type"));
        }
        match &header.kind {
            b"ftyp" => self.top.ftyp = true,
            b"moov" if self.top.moov.is_none() => {
                self.top.moov = Some(header);
                self.top.moov_at_end = self.top.mdat;
            }
            b"mdat" => {
                self.top.mdat = true;
                self.top.moof_open = false;
            }
            b"moof" => {
                self.top.moof = true;
                self.top.moof_open = true;
            }
            _ => {}
        }
        self.pos = header.end;
        Ok(())
    }

    fn finish_top(&mut self) -> Result<(), Stop> {
        let missing = |what| Err(Stop::Fault(Mp4Fault::Missing { what }));
        if !self.top.ftyp {
            return missing("ftyp");
        }
        let Some(moov) = self.top.moov else {
            return missing("moov");
        };
        if !self.top.mdat || self.top.moof_open {
            return missing("mdat");
        }
        if moov.end - moov.body > MAX_MOOV {
            return Err(malformed(&moov, "larger than 64 MiB"));
        }
        self.phase = Phase::Moov;
        self.pos = moov.body;
        self.boxes = 0;
        self.stack.push(Open { kind: moov.kind, end: moov.end });
        Ok(())
    }

    fn walk_moov(&mut self) -> Result<(), Stop> {
        if let Some(entry) = self.entry {
            let value = self.read(entry.at, entry.width as u64)?.be(0, entry.width);
            if entry.is_chunk {
                self.track.last_chunk = value;
            } else {
                self.track.last_sample_size = value;
            }
            self.entry = None;
            return Ok(());
        }
        let Some(&parent) = self.stack.last() else {
            return self.finish();
        };
        let left = parent.end - self.pos;
        // QuickTime ends some lists of boxes with four zero bytes; less than a header is no box.
        if left < 8 {
            self.stack.pop();
            self.pos = parent.end;
            if &parent.kind == b"trak" {
                self.finish_track();
            }
            return Ok(());
        }
        let head = self.read(self.pos, left.min(HEAD_AND_LEAF))?;
        let header = self.header(head, parent.end)?;
        if header.kind == [0; 4] {
            return Err(malformed(&header, "zeros where a box should be"));
        }
        if is_container(parent.kind, header.kind) {
            match &header.kind {
                b"trak" => self.track = Track::default(),
                b"mvex" => self.movie.mvex = true,
                _ => {}
            }
            self.pos = header.body;
            self.stack.push(Open { kind: header.kind, end: header.end });
            return Ok(());
        }
        self.leaf(parent.kind, &header)?;
        self.pos = header.end;
        Ok(())
    }

    /// Reads the header at `pos`, whose bytes (as many as there are, at most 16) are in `head`.
    fn header(&mut self, head: Bytes, limit: u64) -> Result<Header, Stop> {
        let left = limit - self.pos;
        let kind = head.fourcc(4).unwrap_or(UNKNOWN);
        let mut header = Header { kind, start: self.pos, body: self.pos.saturating_add(8), end: limit };
        let size = match head.be(0, 4) {
            Some(1) => {
                header.body = self.pos.saturating_add(16);
                head.be(8, 8)
            }
            Some(0) => Some(left),
            size => size,
        };
        let needs = match size {
            _ if header.body > limit => header.body,
            Some(size) if size < header.body - self.pos => {
                return Err(malformed(&header, "its size is smaller than its header"));
            }
            Some(size) => self.pos.saturating_add(size),
            None => header.body,
        };
        if needs > limit {
            if self.phase == Phase::Moov {
                return Err(malformed(&header, "it is larger than the box around it"));
            }
            return Err(Stop::Fault(Mp4Fault::Truncated { box_type: kind, needs, has: self.total }));
        }
        self.boxes = self.boxes.saturating_add(1);
        if self.boxes > MAX_BOXES {
            return Err(malformed(&header, "there are too many boxes"));
        }
        header.end = needs;
        Ok(header)
    }

    fn finish_track(&mut self) {
        let track = self.track;
        self.movie.tracks += 1; // bounded by MAX_BOXES
        match &track.handler {
            b"vide" if self.movie.video.is_none() => self.movie.video = Some(track),
            b"soun" if self.movie.audio_codec.is_none() => self.movie.audio_codec = track.codec,
            _ => {}
        }
        // The last sample lies in the last chunk, so at least this much must be there. (Not the sum of
        // the chunk's samples: some writers leave the last chunk shorter than `stsc` claims, and a
        // sound file must never be refused.)
        if let Some(chunk) = track.last_chunk {
            let end = chunk.saturating_add(track.last_sample_size.unwrap_or(1));
            self.movie.media_end = self.movie.media_end.max(end);
        }
    }

    fn finish(&mut self) -> Result<(), Stop> {
        let Movie { seen_mvhd, duration, timescale, fragments_duration, mvex, tracks, video, audio_codec, media_end } =
            self.movie;
        if let (false, Some(moov)) = (seen_mvhd, self.top.moov) {
            return Err(malformed(&moov, "it has no 'mvhd'"));
        }
        if media_end > self.total {
            return Err(Stop::Fault(Mp4Fault::Truncated { box_type: *b"mdat", needs: media_end, has: self.total }));
        }
        let fragmented = mvex || self.top.moof;
        let duration = if fragmented {
            // `mvhd` counts only what is outside of the fragments, usually nothing.
            fragments_duration
                .and_then(|ticks| seconds(ticks, timescale))
                .or(duration)
                .filter(|duration| !duration.is_zero())
        } else {
            duration
        };
        let rotation = video.map_or(0, |video| video.rotation);
        let size = video.and_then(|video| video.shown.or(video.coded)).map(|(width, height)| match rotation {
            90 | 270 => (height, width),
            _ => (width, height),
        });
        self.done = Some(Ok(Mp4Info {
            duration,
            width: size.map(|size| size.0),
            height: size.map(|size| size.1),
            rotation,
            moov_at_end: self.top.moov_at_end,
            fragmented,
            video_codec: video.and_then(|video| video.codec),
            audio_codec,
            tracks,
        }));
        Ok(())
    }

    /// Reads inside of `moov`, with read-ahead if it is small.
    fn read(&mut self, at: u64, len: u64) -> Result<Bytes, Stop> {
        let ahead = match self.top.moov {
            Some(moov) if moov.end - moov.body <= SMALL_MOOV => moov.end - at,
            _ => len,
        };
        self.window.read(at, len, ahead)
    }
}

fn malformed(header: &Header, why: &'static str) -> Stop {
    Stop::Fault(Mp4Fault::Malformed { box_type: header.kind, offset: header.start, why })
}

/// The boxes that are entered, each only where it belongs; so the depth is that of this grammar.
fn is_container(parent: [u8; 4], kind: [u8; 4]) -> bool {
    matches!(
        (&parent, &kind),
        (b"moov", b"trak" | b"mvex") | (b"trak", b"mdia") | (b"mdia", b"minf") | (b"minf", b"stbl")
    )
}

fn is_printable(kind: [u8; 4]) -> bool {
    kind.iter().all(|byte| (0x20..0x7F).contains(byte))
}

#[cfg(test)]
mod tests;
