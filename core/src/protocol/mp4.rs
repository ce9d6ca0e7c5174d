//! Is this MP4 whole? A checker that pulls the few bytes it needs.
//!
//! Observed: for some seconds after a task succeeded the file may be incomplete although the answer
//! is 200 and its length is consistent. So a finished download is believed only when its structure
//! (ISO/IEC 14496-12) holds: there is a track with complete tables, and every sample that any table or
//! fragment names lies inside of the file. What players do not mind is no fault: bytes behind the last box that
//! taggers and block devices leave, a box that claims more than there is without a sample in it, odd first boxes.
//! On the way the duration and the real frame size are read out (the `size` of a task is only advice, the file knows
//! better).
//!
//! [`Mp4Check`] does no IO. It names the bytes that it wants, so the same code checks a `.part` file,
//! a buffer, and a remote file through `Range` requests:
//!
//! ```text
//!            ┌───────────────────── input(bytes) ──────────────────────┐
//!            ▼                                                         │
//!   Walk: headers of boxes ◀──▶ Sum, Chunks: the tables of a track ──▶ Probe: ends of samples ──▶ Done(Ok(Mp4Info))
//!            │                          or a fragment                  │
//!            └────────────────────────────┴────────────────────────────┴──▶ Done(Err(Mp4Fault))
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
//! What it cannot show: wrong bytes inside of a sample (only zeros at the end of a track are looked for), and a
//! fragmented file cut exactly between two fragments where no `mehd`, `sidx` or `tfra` counts them. Tables are read in
//! pieces of [`MAX_NEED`]; behind [`MAX_TABLES`] bytes of them the rest is taken on trust.

use std::time::Duration;

mod counter;
mod finish;
mod info;
mod leaf;
mod tables;
mod window;

pub use counter::BoxCounter;
pub use info::{Mp4Fault, Mp4Info, Mp4Step};
use tables::{Chunks, Fragment, Sum, Track};
use window::{Bytes, Lens, Window};

/// Largest `moov` or `moof` that is accepted, in bytes. It is walked, not loaded; hours of video stay below this.
pub const MAX_MOOV: u64 = 64 << 20;
/// Most boxes that are looked at.
pub const MAX_BOXES: u32 = 200_000;
/// Most bytes that one [`Mp4Step::Need`] asks for.
pub const MAX_NEED: usize = 64 << 10;
/// Most bytes of sample tables that are read. What further ones say is not checked.
pub const MAX_TABLES: u64 = 64 << 20;

/// Up to this size `moov` is read in windows of [`MAX_NEED`], which for the usual video means in one
/// read. Beyond, almost all of it is sample tables, and only the headers are fetched.
const SMALL_MOOV: u64 = 1 << 20;
/// Read-ahead between top-level boxes: takes `ftyp`, a small filler and the next header in one read.
const TOP_AHEAD: u64 = 64;
/// A long header and the longest part of a body that [`Mp4Check::leaf`] reads. They are fetched in one
/// window: a second fetch would lose the first, and the walk would never get on.
const HEAD_AND_LEAF: u64 = 16 + 96;
/// The same on the top level.
const TOP_LEAF: u64 = 16 + 32;
/// Tracks that fragments and the search for zeros know. More are checked, and then forgotten.
const MAX_TRACKS: usize = 64;
/// Stands in a fault when the data end before the type of the box.
const UNKNOWN: [u8; 4] = *b"????";
/// The whole file, as the container of the top-level boxes.
const ROOT: [u8; 4] = *b"root";
/// The first entry of a video track's `stsd`, whatever its type.
const ENTRY: [u8; 4] = *b"pict";

/// Whether data that begin with `first` can be an MP4; `None` means that more bytes are needed
/// (at most 8).
///
/// Looks at the first box only: its type must be one that files begin with (`ftyp`, `styp`, or in old and odd
/// files `moov`, `mdat`, `free`, `skip`, `wide`, `pnot`, `uuid`) and its size one that such a box can have.
pub fn looks_like_mp4(first: &[u8]) -> Option<bool> {
    let head = Bytes::copy(first);
    let (Some(size), Some(kind)) = (head.get(0, 4), head.fourcc(4)) else {
        return None;
    };
    Some(match &kind {
        // Type, brand and version, then a list of compatible brands. 1 is a long header.
        b"ftyp" | b"styp" => size == 1 || (16..=0xFFFF).contains(&size),
        b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"pnot" | b"uuid" => !(2..8).contains(&size),
        _ => false,
    })
}

/// Whether data that begin with `first` are the begin of an MP4 and no place inside of one: other boxes than `ftyp` are there,
/// too, and read from.
pub fn begins_mp4(first: &[u8]) -> bool {
    first.get(4..8) == Some(b"ftyp") && looks_like_mp4(first) == Some(true)
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
    windows: [Window; 4],
    wants: Lens,
    /// How much of the tables may still be read.
    table_bytes: u64,
    job: Job,
    /// Where the next box header is.
    pos: u64,
    boxes: u32,
    top: Top,
    /// The containers around `pos`, outermost first. As deep as [`is_container`] allows: seven.
    stack: Vec<Open>,
    movie: Movie,
    track: Track,
    tracks: Vec<Track>,
    /// From `trex`, by track: duration and size of samples in fragments that do not say.
    defaults: Vec<(u64, (u64, u64))>,
    fragment: Fragment,
    done: Option<Result<Mp4Info, Mp4Fault>>,
}

#[derive(Debug, Clone, Copy)]
enum Job {
    Walk,
    Sum(Sum),
    Chunks(Chunks),
    /// The end of the last sample of this track.
    Probe(usize),
}

/// What the walk over the top level has found.
#[derive(Debug, Clone, Copy, Default)]
struct Top {
    moov: Option<Header>,
    moov_at_end: bool,
    media: bool,
    /// Where the last box with media begins that is not empty, and where it ends.
    last_media: Option<(u64, u64)>,
    fragments: u64,
    last_moof: u64,
    /// A box that stands before a fragment, and none came behind it yet.
    announced: Option<Header>,
    /// A box that claims more than there is, and how long the file would have to be for it.
    overrun: Option<(Header, u64)>,
    /// Where bytes begin behind the last box that are no box.
    trailing: Option<u64>,
    /// How far the boxes must reach by the word of an index.
    indexed: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Movie {
    duration: Option<Duration>,
    timescale: u64,
    /// All zero where there is none.
    matrix: [u32; 4],
    /// Of the whole fragmented movie, in units of `timescale`; 0 when it is not told.
    fragments_duration: u64,
    mvex: bool,
    tracks: u32,
    /// How far the samples reach.
    media_end: u64,
    /// Some tables were too much to read.
    unchecked: bool,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    kind: [u8; 4],
    end: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The tables are more than may be read.
    Unchecked,
    Fault(Mp4Fault),
}

impl Mp4Check {
    /// A check of a file of `total` bytes.
    pub fn new(total: u64) -> Self {
        Self {
            total,
            windows: Default::default(),
            wants: Lens::Boxes,
            table_bytes: MAX_TABLES,
            job: Job::Walk,
            pos: 0,
            boxes: 0,
            top: Top::default(),
            stack: vec![Open { kind: ROOT, end: total }],
            movie: Movie::default(),
            track: Track::default(),
            tracks: Vec::new(),
            defaults: Vec::new(),
            fragment: Fragment::default(),
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
            // opened, or finishes the tables that one of them left: so the loop ends.
            let stop = match self.job {
                Job::Walk => self.walk(),
                Job::Sum(mut sum) => {
                    let result = self.sum(&mut sum);
                    self.job = Job::Sum(sum);
                    result.and_then(|()| self.summed(&sum))
                }
                Job::Chunks(mut chunks) => {
                    let result = self.chunks(&mut chunks);
                    self.job = Job::Chunks(chunks);
                    result.and_then(|()| self.placed(&chunks))
                }
                Job::Probe(track) => self.probe(track),
            };
            match stop {
                Ok(()) => {}
                Err(Stop::Fault(fault)) => self.done = Some(Err(fault)),
                Err(Stop::Unchecked) => self.pass(),
                Err(Stop::Need) => {
                    let (offset, len) = self.missing();
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
        let (offset, len) = self.missing();
        if self.done.is_some() || len == 0 {
            return;
        }
        if bytes.is_empty() {
            let kind = self.stack.get(1..).and_then(<[Open]>::last).map_or(UNKNOWN, |open| open.kind);
            let needs = offset.saturating_add(len as u64);
            self.done = Some(Err(Mp4Fault::Truncated { box_type: kind, needs, has: offset }));
            return;
        }
        self.fill(bytes);
    }

    /// Takes the box at `pos`, or leaves the container that ends there.
    fn walk(&mut self) -> Result<(), Stop> {
        let Some(&parent) = self.stack.last() else {
            return self.finish();
        };
        let (root, left) = (parent.kind == ROOT, parent.end - self.pos);
        if left == 0 && self.pos > 0 || left < 8 && !root {
            return self.leave(parent);
        }
        let (want, ahead) = match self.stack.get(1) {
            None => (left.min(TOP_LEAF), left.min(TOP_AHEAD)),
            Some(outer) => {
                let want = left.min(HEAD_AND_LEAF);
                (want, if outer.end - self.pos <= SMALL_MOOV { outer.end - self.pos } else { want })
            }
        };
        let head = self.read(Lens::Boxes, self.pos, want, ahead)?;
        if self.pos == 0 {
            // An MP4 of under 8 bytes cannot be told apart by type, but no first box has 16 MiB.
            if looks_like_mp4(head.all()).map_or(left < 8 && head.be(0, 1) > 0, |is| !is) {
                let first = head.all().get(..16).unwrap_or(head.all()).to_vec();
                return Err(Stop::Fault(Mp4Fault::NotMp4 { first }));
            }
        }
        let Some(header) = self.header(head, parent)? else {
            return self.leave(parent);
        };
        self.boxes += 1;
        if self.boxes > MAX_BOXES {
            return Err(malformed(&header, "there are too many boxes"));
        }
        if root {
            self.note(&header);
        }
        if is_container(parent.kind, header.kind) {
            if header.end - header.body > MAX_MOOV {
                return Err(malformed(&header, "larger than 64 MiB"));
            }
            self.enter(&header);
            return Ok(());
        }
        let entry = self.leaf(parent.kind, &header)?;
        self.pos = entry.unwrap_or(header.end);
        if entry.is_some() {
            self.stack.push(Open { kind: ENTRY, end: header.end });
        }
        Ok(())
    }

    /// Reads the header at `pos`, whose bytes (as many as there are) are in `head`. `None` where the boxes end: what
    /// is left of the container is no box.
    fn header(&mut self, head: Bytes, parent: Open) -> Result<Option<Header>, Stop> {
        let (root, left) = (parent.kind == ROOT, parent.end - self.pos);
        let kind = head.fourcc(4).unwrap_or(UNKNOWN);
        let mut header = Header { kind, start: self.pos, body: self.pos.saturating_add(8), end: parent.end };
        let size = match head.get(0, 4) {
            Some(1) => {
                header.body = self.pos.saturating_add(16);
                head.get(8, 8)
            }
            Some(0) if kind != [0; 4] => Some(left),
            size => size,
        };
        // Nothing is left out in a fragment: behind a hole in it nobody would miss the samples.
        let strict = root || self.stack.get(1).is_some_and(|outer| &outer.kind == b"moof");
        let size = size.filter(|_| header.body <= parent.end);
        let Some(size) = size.filter(|size| *size >= header.body - self.pos) else {
            // Padding in the movie box ends a container. Behind the last box only what taggers and block devices leave is
            // passed over; anything else may be the rest of a box.
            if !strict {
                return Ok(None);
            }
            if is_trailer(head.all()) && self.pos > 0 && root {
                self.top.trailing = Some(self.pos);
                return Ok(None);
            }
            if size.is_some() {
                return Err(malformed(&header, "its size is smaller than its header"));
            }
            let (needs, has) = (header.body, self.total);
            return Err(Stop::Fault(Mp4Fault::Truncated { box_type: kind, needs, has }));
        };
        if strict && kind.contains(&0) && !is_trailer(head.all()) {
            return Err(malformed(&header, "this is not a box type"));
        }
        let needs = self.pos.saturating_add(size);
        if needs > parent.end && root {
            // Whether it is cut or only says so is known when all samples are.
            let passes = matches!(&kind, b"mdat" | b"imda" | b"free" | b"skip" | b"wide");
            if !passes && is_trailer(head.all()) {
                self.top.trailing = Some(self.pos);
                return Ok(None);
            }
            if !passes {
                return Err(Stop::Fault(Mp4Fault::Truncated { box_type: kind, needs, has: self.total }));
            }
            self.top.overrun = Some((header, needs));
        }
        header.end = needs.min(parent.end);
        Ok(Some(header))
    }

    /// Notes what a top-level box says about the file.
    fn note(&mut self, header: &Header) {
        let top = &mut self.top;
        match &header.kind {
            b"moov" if top.moov.is_none() => {
                top.moov = Some(*header);
                top.moov_at_end = top.media;
            }
            b"mdat" | b"imda" => {
                top.media = true;
                if header.end > header.body {
                    top.last_media = Some((header.start, header.end));
                }
            }
            b"moof" => {
                top.fragments += 1;
                top.last_moof = header.start;
                top.announced = None;
            }
            b"sidx" | b"styp" | b"prft" | b"emsg" if self.pos > 0 => top.announced = Some(*header),
            _ => {}
        }
    }

    fn enter(&mut self, header: &Header) {
        // Of two movies players take the first.
        if &header.kind == b"moov" && self.top.moov != Some(*header) {
            self.pos = header.end;
            return;
        }
        match &header.kind {
            b"trak" => self.track = Track { start: header.start, ..Track::default() },
            b"mvex" => self.movie.mvex = true,
            b"moof" => self.fragment = Fragment { start: header.start, next: header.start, ..Fragment::default() },
            _ => {}
        }
        self.pos = header.body;
        self.stack.push(Open { kind: header.kind, end: header.end });
    }

    fn leave(&mut self, container: Open) -> Result<(), Stop> {
        self.stack.pop();
        self.pos = container.end;
        if &container.kind == b"trak" { self.finish_track() } else { Ok(()) }
    }
}

fn malformed(header: &Header, why: &'static str) -> Stop {
    Stop::Fault(Mp4Fault::Malformed { box_type: header.kind, offset: header.start, why })
}

/// The boxes that are entered, each only where it belongs; so the depth is that of this grammar.
fn is_container(parent: [u8; 4], kind: [u8; 4]) -> bool {
    matches!(
        (&parent, &kind),
        (&ROOT, b"moov" | b"moof" | b"mfra")
            | (b"moov", b"trak" | b"mvex")
            | (b"trak", b"mdia" | b"edts")
            | (b"mdia", b"minf")
            | (b"minf", b"stbl")
            | (b"moof", b"traf")
    )
}

/// What is found behind the last box of files that are whole: zeros, the end of a line, a tag of music players.
fn is_trailer(rest: &[u8]) -> bool {
    let tag = [&b"TAG"[..], b"ID3", b"3DI", b"APETAG", b"LYRICS"];
    rest.iter().take(16).all(|byte| matches!(byte, 0 | b'\t' | b'\r' | b'\n' | b' '))
        || tag.iter().any(|tag| rest.starts_with(tag))
}

#[cfg(test)]
mod tests;
