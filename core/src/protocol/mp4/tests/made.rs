//! Makes MP4 files whose samples are known.

use std::ops::Range;

use super::{boxed, hdlr, mvhd_with, stsd, to_end, words};

/// How a file is laid out.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) moov_last: bool,
    pub(super) co64: bool,
    /// 64-bit header of the media box.
    pub(super) long: bool,
    /// The media box says that it reaches to the end.
    pub(super) open: bool,
    pub(super) two_mdats: bool,
    /// Sizes of 16 bits.
    pub(super) stz2: bool,
    pub(super) edit: bool,
    pub(super) turned: bool,
    pub(super) sound: bool,
    /// Samples come in fragments.
    pub(super) fragments: bool,
    pub(super) mehd: bool,
    pub(super) sidx: bool,
    pub(super) styp: bool,
    pub(super) tfra: bool,
    /// Each media box stands before its fragment.
    pub(super) media_first: bool,
    /// Offsets count from: 0 the fragment, 1 an explicit place, 2 whatever is implied.
    pub(super) base: u8,
}

impl Layout {
    pub(super) fn any(rng: &mut fastrand::Rng) -> Self {
        let mut yes = || rng.bool();
        let fragments = yes();
        let mut layout = Self {
            moov_last: yes() && !fragments,
            co64: yes(),
            long: yes(),
            open: yes() && yes(),
            two_mdats: yes() && !fragments,
            stz2: yes(),
            edit: yes(),
            turned: yes(),
            sound: yes(),
            fragments,
            mehd: yes(),
            sidx: yes(),
            styp: yes(),
            tfra: yes(),
            media_first: yes(),
            base: 0,
        };
        layout.open &= !layout.moov_last && !fragments && !layout.long;
        layout.sidx &= !layout.media_first;
        layout.base = rng.u8(..3);
        layout
    }

    /// The file says itself how many fragments there are.
    pub(super) fn counted(&self) -> bool {
        !self.fragments || self.mehd || self.sidx
    }
}

/// A file, and what must be there for it to be whole.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) file: Vec<u8>,
    pub(super) samples: Vec<Range<usize>>,
    pub(super) moov: Range<usize>,
    /// Where fragments end.
    pub(super) borders: Vec<usize>,
}

impl Made {
    /// No sample is missing when the file ends here.
    pub(super) fn is_whole_at(&self, length: usize) -> bool {
        self.moov.end <= length && self.samples.iter().all(|sample| sample.end <= length)
    }
}

/// Seconds of every made file.
pub(super) const SECONDS: u32 = 4;
/// Samples of a track in one of its four chunks or fragments.
const EACH: usize = 4;

const UPRIGHT: [u32; 4] = [0x10000, 0, 0, 0x10000];
const QUARTER: [u32; 4] = [0, 0x10000, 0xFFFF_0000, 0];

struct Samples {
    id: u32,
    handler: [u8; 4],
    sizes: Vec<u32>,
}

fn wide(value: usize) -> [u8; 8] {
    (value as u64).to_be_bytes()
}

fn trak(layout: &Layout, track: &Samples, offsets: &[usize]) -> Vec<u8> {
    let video = &track.handler == b"vide";
    let [a, b, c, d] = if layout.turned && video { QUARTER } else { UPRIGHT };
    let mut tkhd = words(&[7, 0, 0, track.id, 0, SECONDS * 1000, 0, 0, 0, 0, a, b, 0, c, d, 0, 0, 0, 0x4000_0000]);
    tkhd.extend(if video { words(&[192 << 16, 108 << 16]) } else { words(&[0, 0]) });
    let stsd = if video { stsd(b"avc1", 192, 108) } else { stsd(b"mp4a", 2, 16) };
    let placed = !offsets.is_empty();
    let count = if placed { track.sizes.len() as u32 } else { 0 };
    let stsz = if layout.stz2 {
        let sizes: Vec<u8> = track.sizes.iter().flat_map(|size| (*size as u16).to_be_bytes()).collect();
        boxed(b"stz2", &[words(&[0, 16, count]), if placed { sizes } else { Vec::new() }].concat())
    } else {
        boxed(b"stsz", &[words(&[0, 0, count]), if placed { words(&track.sizes) } else { Vec::new() }].concat())
    };
    let stts = if placed { words(&[0, 1, count, SECONDS * 1000 / count]) } else { words(&[0, 0]) };
    // Two runs that say the same.
    let stsc = if placed { words(&[0, 2, 1, EACH as u32, 1, 3, EACH as u32, 1]) } else { words(&[0, 0]) };
    let number = words(&[0, offsets.len() as u32]);
    let chunks = if layout.co64 {
        boxed(b"co64", &[number, offsets.iter().flat_map(|at| wide(*at)).collect()].concat())
    } else {
        boxed(b"stco", &[number, words(&offsets.iter().map(|at| *at as u32).collect::<Vec<_>>())].concat())
    };
    let tables = [stsd, boxed(b"stts", &stts), boxed(b"stsc", &stsc), stsz, chunks].concat();
    let duration = if placed { SECONDS * 1000 } else { 0 };
    let mdia = [
        boxed(b"mdhd", &words(&[0, 0, 0, 1000, duration, 0])),
        hdlr(&track.handler),
        boxed(b"minf", &boxed(b"stbl", &tables)),
    ];
    let edts = if layout.edit { boxed(b"edts", &boxed(b"elst", &words(&[0, 1, 0, 0, 0x10000]))) } else { Vec::new() };
    boxed(b"trak", &[boxed(b"tkhd", &tkhd), edts, boxed(b"mdia", &mdia.concat())].concat())
}

fn media(layout: &Layout, body: &[u8]) -> Vec<u8> {
    if layout.open {
        return to_end(b"mdat", body);
    }
    if layout.long { super::large(b"mdat", body) } else { boxed(b"mdat", body) }
}

pub(super) fn made(layout: &Layout, rng: &mut fastrand::Rng) -> Made {
    let mut tracks = vec![Samples { id: 1, handler: *b"vide", sizes: Vec::new() }];
    if layout.sound {
        tracks.push(Samples { id: 2, handler: *b"soun", sizes: Vec::new() });
    }
    for track in &mut tracks {
        track.sizes = (0..4 * EACH).map(|_| rng.u32(20..200)).collect();
    }
    let ftyp = super::ftyp();
    if layout.fragments { fragmented(layout, &tracks, &ftyp, rng) } else { plain(layout, &tracks, &ftyp, rng) }
}

fn noise(rng: &mut fastrand::Rng, length: usize) -> Vec<u8> {
    std::iter::repeat_with(|| rng.u8(1..)).take(length).collect()
}

fn plain(layout: &Layout, tracks: &[Samples], ftyp: &[u8], rng: &mut fastrand::Rng) -> Made {
    // Chunks of the tracks in turn; the second half in a box of its own, where there are two.
    let halves = |half: usize| -> Vec<(usize, usize)> {
        (0..2).flat_map(|chunk| (0..tracks.len()).map(move |track| (2 * half + chunk, track))).collect()
    };
    let sizes = |chunk: usize, track: usize| &tracks[track].sizes[chunk * EACH..(chunk + 1) * EACH];
    let header = if layout.long { 16 } else { 8 };
    let moov_of = |offsets: &[Vec<usize>]| {
        let traks = tracks.iter().zip(offsets).flat_map(|(track, offsets)| trak(layout, track, offsets));
        boxed(b"moov", &[mvhd_with(1000, SECONDS * 1000), traks.collect()].concat())
    };
    let length = moov_of(&vec![vec![0; 4]; tracks.len()]).len();
    let mut at = ftyp.len() + if layout.moov_last { 0 } else { length };
    let mut offsets = vec![Vec::new(); tracks.len()];
    let mut samples = Vec::new();
    let mut boxes = Vec::new();
    let parts = if layout.two_mdats { vec![halves(0), halves(1)] } else { vec![[halves(0), halves(1)].concat()] };
    let last = parts.len() - 1;
    for (number, part) in parts.into_iter().enumerate() {
        let here = Layout { open: layout.open && number == last, ..layout.clone() };
        at += header;
        let begin = at;
        for (chunk, track) in part {
            // A gap that is of no sample.
            at += rng.usize(..9);
            offsets[track].push(at);
            for size in sizes(chunk, track) {
                samples.push(at..at + *size as usize);
                at += *size as usize;
            }
        }
        at += rng.usize(..9);
        boxes.extend(media(&here, &noise(rng, at - begin)));
    }
    let moov = moov_of(&offsets);
    let start = if layout.moov_last { ftyp.len() + boxes.len() } else { ftyp.len() };
    let file = if layout.moov_last { [ftyp, &boxes, &moov].concat() } else { [ftyp, &moov, &boxes].concat() };
    Made { file, samples, moov: start..start + moov.len(), borders: Vec::new() }
}

fn traf(layout: &Layout, track: &Samples, number: usize, base: u64, offset: i32) -> Vec<u8> {
    let flags = [0x2_0000, 1, 0][usize::from(layout.base)];
    let mut tfhd = words(&[flags | 8, track.id]);
    if layout.base == 1 {
        tfhd.extend(base.to_be_bytes());
    }
    tfhd.extend(words(&[SECONDS * 1000 / (4 * EACH) as u32]));
    let sizes = &track.sizes[number * EACH..(number + 1) * EACH];
    let trun = [words(&[0x201, EACH as u32, offset as u32]), words(sizes)].concat();
    let tfdt = boxed(b"tfdt", &words(&[0, number as u32 * SECONDS * 250]));
    boxed(b"traf", &[boxed(b"tfhd", &tfhd), tfdt, boxed(b"trun", &trun)].concat())
}

fn fragmented(layout: &Layout, tracks: &[Samples], ftyp: &[u8], rng: &mut fastrand::Rng) -> Made {
    let traks = tracks.iter().flat_map(|track| trak(layout, track, &[]));
    let mehd = if layout.mehd { boxed(b"mehd", &words(&[0, SECONDS * 1000])) } else { Vec::new() };
    let trexs = tracks.iter().flat_map(|track| boxed(b"trex", &words(&[0, track.id, 1, 0, 0, 0])));
    let mvex = boxed(b"mvex", &[mehd, trexs.collect()].concat());
    let moov = boxed(b"moov", &[mvhd_with(1000, 0), traks.collect(), mvex].concat());
    let moov_at = ftyp.len()..ftyp.len() + moov.len();
    let mut file = [ftyp, &moov].concat();
    let sidx = file.len();
    if layout.sidx {
        file.extend(vec![0; 32 + 4 * 12]);
    }
    let (mut samples, mut borders, mut moofs, mut lengths) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let header = if layout.long { 16 } else { 8 };
    for number in 0..4 {
        let begin = file.len();
        if layout.styp {
            file.extend(boxed(b"styp", b"msdh\0\0\0\0msdh"));
        }
        let length: usize =
            tracks.iter().flat_map(|track| &track.sizes[number * EACH..(number + 1) * EACH]).sum::<u32>() as usize;
        let empty = |track| traf(layout, track, number, 0, 0);
        let head = 8 + 16 + tracks.iter().map(|track| empty(track).len()).sum::<usize>();
        let moof = file.len() + if layout.media_first { header + length } else { 0 };
        let data = if layout.media_first { file.len() + header } else { moof + head + header };
        let mut at = data;
        let mut trafs = Vec::new();
        for track in tracks {
            // From the fragment, from an explicit place, or for the second track from the end of the first.
            let implied = if layout.base == 2 && at > data { at } else { moof };
            let base = if layout.base == 1 { data } else { implied };
            trafs.extend(traf(layout, track, number, base as u64, (at as i32).wrapping_sub(base as i32)));
            for size in &track.sizes[number * EACH..(number + 1) * EACH] {
                samples.push(at..at + *size as usize);
                at += *size as usize;
            }
        }
        let head = boxed(b"moof", &[boxed(b"mfhd", &words(&[0, number as u32 + 1])), trafs].concat());
        let body = media(layout, &noise(rng, length));
        file.extend(if layout.media_first { [body, head].concat() } else { [head, body].concat() });
        moofs.push(moof);
        lengths.push(file.len() - begin);
        borders.push(file.len());
    }
    if layout.sidx {
        let mut body = words(&[0, 1, 1000, 0, 0, 4]);
        for length in lengths {
            body.extend(words(&[length as u32, 1000, 0x9000_0000]));
        }
        file[sidx..sidx + 80].copy_from_slice(&boxed(b"sidx", &body));
    }
    if layout.tfra {
        let mut body = words(&[0, 1, 0, 4]);
        for (number, moof) in moofs.iter().enumerate() {
            body.extend(words(&[number as u32 * 1000, *moof as u32]));
            body.extend([1, 1, 1]);
        }
        let tfra = boxed(b"tfra", &body);
        let length = 8 + tfra.len() as u32 + 16;
        file.extend(boxed(b"mfra", &[tfra, boxed(b"mfro", &words(&[0, length]))].concat()));
    }
    Made { file, samples, moov: moov_at, borders }
}
