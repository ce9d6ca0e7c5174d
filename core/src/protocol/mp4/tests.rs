#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_possible_wrap,
    clippy::indexing_slicing,
    clippy::trivially_copy_pass_by_ref // `b"mdat"` is a reference by itself
)]

use super::*;
use proptest::prelude::*;

mod made;
mod oracle;

fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = (8 + body.len() as u32).to_be_bytes();
    [&size, &kind[..], body].concat()
}

fn large(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = (16 + body.len() as u64).to_be_bytes();
    [&1u32.to_be_bytes(), &kind[..], &size, body].concat()
}

fn to_end(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    [&[0; 4], &kind[..], body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_be_bytes()).collect()
}

fn ftyp() -> Vec<u8> {
    boxed(b"ftyp", b"isom\0\0\x02\0isommp41")
}

fn mvhd(timescale: u32, duration: u32) -> Vec<u8> {
    boxed(b"mvhd", &words(&[0, 0, 0, timescale, duration, 0x10000]))
}

/// With the matrix that players look at.
fn mvhd_with(timescale: u32, duration: u32) -> Vec<u8> {
    let rest = [0x10000, 0x0100_0000, 0, 0, 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000, 0, 0, 0, 0, 0, 0, 3];
    boxed(b"mvhd", &[words(&[0, 0, 0, timescale, duration]), words(&rest)].concat())
}

const UPRIGHT: [u32; 9] = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000];
const TURNED: [u32; 9] = [0, 0x10000, 0, 0xFFFF_0000, 0, 0, 0, 0, 0x4000_0000];

fn tkhd(version: u8, matrix: &[u32], width: u32, height: u32) -> Vec<u8> {
    let times = if version == 1 { 8 } else { 5 };
    let mut body = words(&[u32::from(version) << 24]);
    body.extend(words(&vec![0; times + 4]));
    body.extend(words(matrix));
    body.extend(words(&[width << 16, height << 16]));
    assert_eq!(body.len(), if version == 1 { 96 } else { 84 });
    boxed(b"tkhd", &body)
}

fn hdlr(handler: &[u8; 4]) -> Vec<u8> {
    boxed(b"hdlr", &[&[0; 8], &handler[..], &[0; 13]].concat())
}

fn stsd(codec: &[u8; 4], width: u16, height: u16) -> Vec<u8> {
    let mut entry = vec![0; 24];
    entry.extend(width.to_be_bytes());
    entry.extend(height.to_be_bytes());
    entry.extend([0; 50]);
    boxed(b"stsd", &[words(&[0, 1]), boxed(codec, &entry)].concat())
}

fn stco(offsets: &[u32]) -> Vec<u8> {
    let mut body = words(&[0, offsets.len() as u32]);
    body.extend(words(offsets));
    boxed(b"stco", &body)
}

fn stsz(sizes: &[u32]) -> Vec<u8> {
    let mut body = words(&[0, 0, sizes.len() as u32]);
    body.extend(words(sizes));
    boxed(b"stsz", &body)
}

fn trak(tkhd: Vec<u8>, handler: &[u8; 4], tables: &[Vec<u8>]) -> Vec<u8> {
    let minf = boxed(b"minf", &boxed(b"stbl", &tables.concat()));
    let mdia = boxed(b"mdia", &[hdlr(handler), minf].concat());
    boxed(b"trak", &[tkhd, mdia].concat())
}

/// The tables of a track with one chunk.
fn tables(codec: &[u8; 4], sizes: &[u32], chunk: u32) -> Vec<Vec<u8>> {
    let count = sizes.len() as u32;
    let (stts, stsc) = (words(&[0, 1, count, 100]), words(&[0, 1, 1, count, 1]));
    let (width, height) = if codec == b"mp4a" { (2, 16) } else { (848, 480) };
    vec![stsd(codec, width, height), boxed(b"stts", &stts), boxed(b"stsc", &stsc), stsz(sizes), stco(&[chunk])]
}

/// A 6.5 s movie with sound; its last video chunk is 10 bytes at `chunk`.
fn moov(chunk: u32) -> Vec<u8> {
    let body = [
        mvhd(1000, 6500),
        trak(tkhd(0, &UPRIGHT, 0, 0), b"soun", &tables(b"mp4a", &[5], chunk)),
        trak(tkhd(0, &UPRIGHT, 854, 480), b"vide", &tables(b"avc1", &[4, 6], chunk)),
        boxed(b"udta", &[0; 12]),
    ];
    boxed(b"moov", &body.concat())
}

/// A file with this movie box, whose one video track has its sample where `moov` puts it.
fn film(moov: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let chunk = ftyp().len() + moov(0).len() + 8;
    [ftyp(), moov(chunk as u32), boxed(b"mdat", &[7; 10])].concat()
}

fn moov_first() -> Vec<u8> {
    let chunk = ftyp().len() + moov(0).len() + 8;
    [ftyp(), moov(chunk as u32), boxed(b"mdat", &[7; 10])].concat()
}

fn moov_last() -> Vec<u8> {
    let chunk = ftyp().len() as u32 + 8;
    [ftyp(), boxed(b"mdat", &[7; 10]), moov(chunk)].concat()
}

fn fragmented() -> Vec<u8> {
    let layout = made::Layout { fragments: true, mehd: true, sound: true, ..made::Layout::default() };
    made::made(&layout, &mut fastrand::Rng::with_seed(1)).file
}

fn info() -> Mp4Info {
    Mp4Info {
        duration: Some(Duration::from_millis(6500)),
        width: Some(854),
        height: Some(480),
        rotation: 0,
        moov_at_end: false,
        fragmented: false,
        loose_end: false,
        video_codec: Some(*b"avc1"),
        audio_codec: Some(*b"mp4a"),
        tracks: 2,
    }
}

/// Runs the machine with inputs of the given sizes (in turn), and counts its steps.
fn drive(bytes: &[u8], sizes: &[usize]) -> (Result<Mp4Info, Mp4Fault>, usize) {
    let mut check = Mp4Check::new(bytes.len() as u64);
    for steps in 0.. {
        let step = check.step();
        assert_eq!(check.step(), step, "asking twice changes nothing");
        match step {
            Mp4Step::Need { offset, len } => {
                assert!((1..=MAX_NEED).contains(&len));
                let give = len.min(sizes[steps % sizes.len()]);
                let from = offset as usize;
                assert!(from + len <= bytes.len(), "a wish outside of the file");
                check.input(&bytes[from..from + give]);
            }
            Mp4Step::Done(result) => return (result, steps),
        }
    }
    unreachable!()
}

#[test]
fn reads_the_usual_file() {
    assert_eq!(check_slice(&moov_first()), Ok(info()));
    let at_end = Mp4Info { moov_at_end: true, ..info() };
    assert_eq!(check_slice(&moov_last()), Ok(at_end));
    // Top level, moov, the ends of both tracks: few enough wishes for a remote file.
    assert!(drive(&moov_first(), &[MAX_NEED]).1 <= 6);
    assert!(drive(&moov_last(), &[MAX_NEED]).1 <= 6);
}

#[test]
fn every_cut_is_a_fault() {
    for file in [moov_first(), moov_last()] {
        for len in 0..file.len() {
            let fault = check_slice(&file[..len]).expect_err("cut file passed");
            let cut = matches!(fault, Mp4Fault::Truncated { needs, has, .. } if has == len as u64 && needs > has);
            assert!(cut || matches!(fault, Mp4Fault::Missing { .. }), "{len}: {fault}");
        }
    }
    // The fragments are counted.
    let file = fragmented();
    for len in 0..file.len() {
        assert!(check_slice(&file[..len]).is_err(), "{len}");
    }
}

#[test]
fn what_taggers_and_devices_leave_behind_is_passed_over() {
    for tail in [&[0; 1][..], &[0; 7], &[0; 512], b"\n", b"\r\n", b"TAGBall\0\0\0", b"ID3\x04\0\0\0\0\0\x0A"] {
        let found = check_slice(&[&moov_first(), tail].concat()).unwrap();
        assert_eq!(found, Mp4Info { loose_end: true, ..info() }, "{}", tail.escape_ascii());
    }
    for tail in [&b"<"[..], &[0xEE; 9], b"\r\n--boundary--", b"\0\0\0\x10", b"\0\0\0\x20uuid...."] {
        assert!(check_slice(&[&moov_first(), tail].concat()).is_err(), "{}", tail.escape_ascii());
    }
    // Where nothing counts the fragments a few zeros may be the begin of the next.
    let layout = made::Layout { fragments: true, ..made::Layout::default() };
    let file = made::made(&layout, &mut fastrand::Rng::with_seed(1)).file;
    assert!(check_slice(&[&file[..], &[0; 3]].concat()).is_err());
    assert!(check_slice(&[&file[..], &[0; 30]].concat()).unwrap().loose_end);
}

#[test]
fn large_and_open_ended_mdat() {
    let chunk = ftyp().len() as u32 + 16;
    let file = [ftyp(), large(b"mdat", &[7; 10]), moov(chunk)].concat();
    assert!(check_slice(&file).unwrap().moov_at_end);

    let chunk = (ftyp().len() + moov(0).len() + 8) as u32;
    let file = [ftyp(), moov(chunk), to_end(b"mdat", &[7; 10])].concat();
    assert_eq!(check_slice(&file), Ok(info()));
    // The boxes add up wherever it is cut; the sample tables know better.
    for len in file.len() - 10..file.len() {
        let fault = check_slice(&file[..len]).unwrap_err();
        assert!(matches!(fault, Mp4Fault::Truncated { box_type: [b'm', b'd', b'a', b't'], .. }), "{len}: {fault}");
    }
    // A box that claims more than there is, and every sample is there.
    let mut file = [ftyp(), moov(chunk), boxed(b"mdat", &[7; 10])].concat();
    let at = file.len() - 15;
    file[at] += 8;
    assert_eq!(check_slice(&file), Ok(Mp4Info { loose_end: true, ..info() }));
}

#[test]
fn samples_must_lie_inside() {
    let file = [ftyp(), boxed(b"mdat", &[7; 10]), moov(100_000)].concat();
    let text = check_slice(&file).unwrap_err().to_string();
    assert!(text.contains("'mdat' box: at least 1000"), "{text}");

    let mut far = tables(b"avc1", &[4], 0);
    far[4] = boxed(b"co64", &[words(&[0, 1]), vec![0xFF; 8]].concat());
    let moov = boxed(b"moov", &[mvhd(1, 1), trak(tkhd(0, &UPRIGHT, 8, 8), b"vide", &far)].concat());
    let file = [ftyp(), moov, boxed(b"mdat", &[7; 10])].concat();
    assert!(matches!(check_slice(&file), Err(Mp4Fault::Truncated { needs: u64::MAX, .. })));

    let mut lying = tables(b"avc1", &[4], 0);
    lying[4] = boxed(b"stco", &words(&[0, u32::MAX]));
    let moov = boxed(b"moov", &[mvhd(1, 1), trak(tkhd(0, &UPRIGHT, 8, 8), b"vide", &lying)].concat());
    let file = [ftyp(), moov, boxed(b"mdat", &[7; 10])].concat();
    let text = check_slice(&file).unwrap_err().to_string();
    assert!(text.contains("'stco'") && text.ends_with("cannot be played"), "{text}");
}

/// A film of one track with these tables, `change`d.
fn with_tables(change: impl Fn(&mut Vec<Vec<u8>>)) -> Result<Mp4Info, Mp4Fault> {
    check_slice(&film(|chunk| {
        let mut tables = tables(b"avc1", &[4, 4, 2], chunk);
        change(&mut tables);
        boxed(b"moov", &[mvhd(1, 1), trak(tkhd(0, &UPRIGHT, 8, 8), b"vide", &tables)].concat())
    }))
}

#[test]
fn tables_must_agree() {
    assert!(with_tables(|_| ()).is_ok());
    // One entry short, or one too many, plays.
    assert!(with_tables(|tables| tables[3] = stsz(&[4, 4])).is_ok());
    assert!(with_tables(|tables| tables[2] = boxed(b"stsc", &words(&[0, 1, 1, 4, 1]))).is_ok());
    assert!(with_tables(|tables| tables[1] = boxed(b"stts", &words(&[0, 1, 2, 100]))).is_ok());
    assert!(with_tables(|tables| tables[3] = boxed(b"stsz", &words(&[0, 0, 3, 4, 4]))).is_ok());
    assert!(with_tables(|tables| tables[4].extend([0; 8])).is_ok(), "padding");
    for (at, text) in [
        (1, "'stts' box at byte 64: it is missing or empty: the track cannot be played"),
        (2, "'stsc' box at byte 64: it is missing or empty: the track cannot be played"),
        (3, "'stsz' box at byte 64: it is missing or empty: the track cannot be played"),
        (4, "'stco' box at byte 64: it is missing or empty: the track cannot be played"),
    ] {
        for zeros in [false, true] {
            let fault = with_tables(|tables| if zeros { tables[at][8..].fill(0) } else { drop(tables.remove(at)) });
            let shown = fault.unwrap_err().to_string();
            assert!(shown.ends_with(text), "{shown}");
        }
    }
    let fault = with_tables(|tables| tables[3] = stsz(&[4])).unwrap_err().to_string();
    assert!(fault.ends_with("it does not list all samples"), "{fault}");
    let fault = with_tables(|tables| tables[2] = boxed(b"stsc", &words(&[0, 1, 1, 1, 1]))).unwrap_err().to_string();
    assert!(fault.ends_with("its chunks have no room for all samples"), "{fault}");
    let fault = with_tables(|tables| tables[1] = boxed(b"stts", &words(&[0, 1, 0, 100]))).unwrap_err().to_string();
    assert!(fault.ends_with("it gives no sample a time: the track cannot be played"), "{fault}");
    assert!(with_tables(Vec::clear).unwrap_err().to_string().ends_with("nothing to play"));
    // Sizes of four bits, two in a byte.
    let stz2 = |sizes: [u8; 2]| boxed(b"stz2", &[words(&[0, 4, 3]), sizes.to_vec()].concat());
    assert!(with_tables(|tables| tables[3] = stz2([0x44, 0x20])).is_ok());
    assert!(matches!(with_tables(|tables| tables[3] = stz2([0x44, 0x30])), Err(Mp4Fault::Truncated { .. })));
    let sized = |size| boxed(b"stsz", &words(&[0, size, 3]));
    assert!(with_tables(|tables| tables[3] = sized(3)).is_ok());
    assert!(matches!(with_tables(|tables| tables[3] = sized(4)), Err(Mp4Fault::Truncated { .. })));
}

#[test]
fn zeros_where_the_last_picture_should_be() {
    let file = moov_first();
    for zeros in 0..=10 {
        let mut file = file.clone();
        let length = file.len();
        file[length - zeros..].fill(0);
        // The picture has six bytes; as few as are zero by chance pass.
        assert_eq!(check_slice(&file).is_err(), zeros >= 6, "{zeros}");
    }
}

#[test]
fn fragmented_files() {
    let found = check_slice(&fragmented()).unwrap();
    assert!(found.fragmented && !found.moov_at_end);
    assert_eq!(found.duration, Some(Duration::from_secs(4)));
    assert_eq!(found.video_codec, Some(*b"avc1"));
    let layout = made::Layout { fragments: true, ..made::Layout::default() };
    let made = made::made(&layout, &mut fastrand::Rng::with_seed(1));
    // Nothing counts them: what is there is what can be told.
    for (number, border) in made.borders.iter().enumerate() {
        let found = check_slice(&made.file[..*border]).unwrap();
        assert_eq!(found.duration.unwrap().as_secs(), number as u64 + 1);
        // What stands before a fragment is followed by one.
        for kind in [b"styp", b"sidx", b"prft", b"emsg"] {
            let announced = [&made.file[..*border], &boxed(kind, &[0; 28])].concat();
            let fault = check_slice(&announced).unwrap_err();
            assert!(matches!(fault, Mp4Fault::Truncated { box_type, .. } if box_type == *kind), "{fault}");
        }
        let dangling = [&made.file[..*border], &boxed(b"mdat", &[7; 10])].concat();
        assert!(check_slice(&dangling).unwrap_err().to_string().contains("the fragment behind it is missing"));
    }
    assert_eq!(check_slice(&made.file[..made.moov.end]), Err(Mp4Fault::Missing { what: "mdat" }));
    let bare = [&made.file[..made.moov.end], &boxed(b"mdat", &[])].concat();
    assert_eq!(check_slice(&bare), Err(Mp4Fault::Missing { what: "moof" }));
}

/// Cuts, zeros, tails and padding of every layout, judged by where the samples are.
fn judge_made(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let layout = made::Layout::any(&mut rng);
    let made = made::made(&layout, &mut rng);
    let found = check_slice(&made.file).unwrap_or_else(|fault| panic!("{fault}: {layout:?}"));
    let size = if layout.turned { (Some(108), Some(192)) } else { (Some(192), Some(108)) };
    assert_eq!((found.width, found.height), size, "{layout:?}");
    let seconds = found.duration.expect("it is known").as_secs_f64();
    assert!((seconds - f64::from(made::SECONDS)).abs() < 0.1, "{seconds}: {layout:?}");
    assert!(!found.loose_end);

    for _ in 0..20 {
        let length = rng.usize(..made.file.len());
        let verdict = check_slice(&made.file[..length]);
        // Behind a fragment nothing says that another one was to come, where nobody counts.
        let border = made.borders.contains(&length) && !layout.counted();
        assert!(verdict.is_err() || made.is_whole_at(length) || border, "cut at {length}: {verdict:?} {layout:?}");

        let mut zeroed = made.file.clone();
        let from = rng.usize(..made.file.len());
        zeroed[from..].fill(0);
        let last = made.samples.iter().map(|sample| sample.end).max().unwrap();
        // Nor where so little before it is zero that it may be the end of a sample.
        let border = made.borders.iter().any(|border| (border - 15..border + 8).contains(&from)) && !layout.counted();
        let verdict = check_slice(&zeroed);
        let lost = !made.is_whole_at(from) && from + 16 <= last;
        assert!(verdict.is_err() || !lost || border, "zeros from {from}: {verdict:?} {layout:?}");
    }
    for border in &made.borders {
        let verdict = check_slice(&made.file[..*border]);
        let expected = made.is_whole_at(*border) || !layout.counted();
        assert_eq!(verdict.is_ok(), expected, "cut behind a fragment: {verdict:?} {layout:?}");
    }
    if !layout.open {
        for tail in [&[0; 9][..], &[0; 100], b"\n\n\n\n\n\n\n\n\n", b"TAG Ball"] {
            let verdict = check_slice(&[&made.file, tail].concat());
            assert!(verdict.is_ok_and(|found| found.loose_end), "{layout:?}");
        }
    }
    // The samples are where the simple reader finds them.
    let mut read = oracle::samples(&made.file);
    if !layout.fragments && !layout.stz2 {
        let mut known: Vec<_> = made.samples.iter().map(|at| (at.start as u64, at.len() as u64)).collect();
        known.sort_unstable();
        read.sort_unstable();
        assert_eq!(read, known);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn made_files_are_judged_by_their_samples(seeds: [u64; 2]) {
        for seed in seeds {
            judge_made(seed);
        }
    }

    /// Whatever is damaged: what passes has every sample inside.
    #[test]
    fn no_sample_of_an_accepted_file_is_outside(seed: u64, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        let mut rng = fastrand::Rng::with_seed(seed);
        let layout = made::Layout::any(&mut rng);
        let made = made::made(&layout, &mut rng);
        let mut file = made.file;
        for (at, byte) in edits {
            // In the tables, mostly.
            let at = made.moov.start + at.index(made.moov.len());
            file[at] = byte;
        }
        if check_slice(&file).is_ok() {
            for (at, length) in oracle::samples(&file) {
                prop_assert!(at.saturating_add(length) <= file.len() as u64, "{at} + {length}: {layout:?}");
            }
        }
    }
}

#[test]
fn version_one_boxes_and_a_turned_picture() {
    let mut long = words(&[1 << 24, 0, 0, 0, 0, 90_000]);
    long.extend((90_000u64 << 32).to_be_bytes());
    let found = check_slice(&film(|chunk| {
        let track = trak(tkhd(1, &TURNED, 854, 480), b"vide", &tables(b"av01", &[10], chunk));
        boxed(b"moov", &[boxed(b"mvhd", &long), track].concat())
    }))
    .unwrap();
    assert_eq!(found.duration, Some(Duration::from_secs(1 << 32)));
    assert_eq!((found.width, found.height), (Some(480), Some(854)));
    assert_eq!(found.rotation, 90);
}

const MINUS: u32 = 0xFFFF_0000;

/// What is shown of a track with these matrices and this shape of a pixel.
fn shown(cells: [u32; 4], movie: [u32; 4], pixel: Option<(u32, u32)>, tkhd_size: (u32, u32)) -> Mp4Info {
    let nine = |[a, b, c, d]: [u32; 4]| [a, b, 0, c, d, 0, 0, 0, 0x4000_0000];
    check_slice(&film(|chunk| {
        let mut tables = tables(b"avc1", &[10], chunk);
        if let Some((x, y)) = pixel {
            let inner = [&tables[0][24..], &boxed(b"avcC", &[1; 9]), &boxed(b"pasp", &words(&[x, y]))].concat();
            tables[0] = boxed(b"stsd", &[words(&[0, 1]), boxed(b"avc1", &inner)].concat());
        }
        let mut mvhd = words(&[0, 0, 0, 1000, 1, 0x10000, 0x0100_0000, 0, 0]);
        mvhd.extend(words(&nine(movie)));
        let track = trak(tkhd(0, &nine(cells), tkhd_size.0, tkhd_size.1), b"vide", &tables);
        boxed(b"moov", &[boxed(b"mvhd", &mvhd), track].concat())
    }))
    .unwrap()
}

#[test]
fn every_turn_is_read() {
    const ONE: u32 = 0x10000;
    let (upright, turned) = ((Some(848), Some(480)), (Some(480), Some(848)));
    let cells = [
        ([ONE, 0, 0, ONE], 0, upright),
        ([0, ONE, MINUS, 0], 90, turned),
        ([MINUS, 0, 0, MINUS], 180, upright),
        ([0, MINUS, ONE, 0], 270, turned),
        ([0x8000, 0, 0, 0x8000], 0, upright),
        // Mirrored.
        ([MINUS, 0, 0, ONE], 0, upright),
        ([0, ONE, ONE, 0], 90, turned),
        ([0, MINUS, MINUS, 0], 270, turned),
        // Drawn to twice its width.
        ([2 * ONE, 0, 0, ONE], 0, (Some(1696), Some(480))),
    ];
    for (cells, turn, size) in cells {
        for found in [
            shown(cells, [ONE, 0, 0, ONE], None, (848, 480)),
            shown([ONE, 0, 0, ONE], cells, None, (848, 480)),
            shown(cells, [0; 4], None, (848, 480)),
        ] {
            assert_eq!((found.rotation, (found.width, found.height)), (turn, size), "{cells:?}");
        }
    }
    // Two turns.
    let found = shown([0, ONE, MINUS, 0], [0, ONE, MINUS, 0], None, (848, 480));
    assert_eq!((found.rotation, found.width), (180, Some(848)));
}

#[test]
fn pixels_have_a_shape() {
    const ONE: [u32; 4] = [0x10000, 0, 0, 0x10000];
    const TURN: [u32; 4] = [0, 0x10000, MINUS, 0];
    let size = |found: Mp4Info| (found.width.unwrap(), found.height.unwrap());
    assert_eq!(size(shown(ONE, ONE, Some((4, 3)), (848, 480))), (1131, 480));
    assert_eq!(size(shown(ONE, ONE, Some((4, 3)), (0, 0))), (1131, 480), "no size in the track header");
    assert_eq!(size(shown(ONE, ONE, Some((4, 3)), (1131, 480))), (1131, 480), "it is in the track header already");
    assert_eq!(size(shown(TURN, ONE, Some((4, 3)), (848, 480))), (480, 1131));
    assert_eq!(size(shown(ONE, ONE, Some((1, 1)), (848, 480))), (848, 480));
    assert_eq!(size(shown(ONE, ONE, Some((0, 5)), (848, 480))), (848, 480));
}

#[test]
fn a_track_without_an_entry_has_no_codec() {
    let found = check_slice(&film(|chunk| {
        let mut tables = tables(b"avc1", &[10], chunk);
        tables[0] = boxed(b"stsd", &words(&[0, 0]));
        boxed(b"moov", &[mvhd(1000, 1), trak(tkhd(0, &UPRIGHT, 0, 0), b"vide", &tables)].concat())
    }))
    .unwrap();
    assert_eq!((found.tracks, found.video_codec, found.width), (1, None, None));
}

#[test]
fn what_is_unknown_is_none() {
    let file = |mvhd: Vec<u8>, kind: &[u8; 4], codec: &[u8; 4]| {
        let moov = |chunk| {
            let track = trak(tkhd(0, &UPRIGHT, 0, 0), kind, &tables(codec, &[10], chunk));
            boxed(b"moov", &[mvhd.clone(), track].concat())
        };
        check_slice(&film(moov)).unwrap()
    };
    let found = file(mvhd(1000, u32::MAX), b"soun", b"mp4a");
    assert_eq!((found.duration, found.width, found.video_codec), (None, None, None));
    assert_eq!((found.audio_codec, found.tracks), (Some(*b"mp4a"), 1));
    assert_eq!(file(mvhd(0, 5), b"vide", b"avc1").duration, None);
    assert_eq!(file(mvhd(1000, 0), b"vide", b"avc1").duration, None, "0 s is no running time");
    assert_eq!(file(Vec::new(), b"vide", b"avc1").duration, None);
    // No size in the track header: the encoded one counts.
    assert_eq!(file(mvhd(1, 1), b"vide", b"avc1").width, Some(848));
}

#[test]
fn without_a_handler_the_media_header_says_what_it_is() {
    let found = check_slice(&film(|chunk| {
        let stbl = boxed(b"stbl", &tables(b"avc1", &[10], chunk).concat());
        let minf = boxed(b"minf", &[boxed(b"vmhd", &words(&[1, 0, 0])), stbl].concat());
        let track = boxed(b"trak", &[tkhd(0, &UPRIGHT, 854, 480), boxed(b"mdia", &minf)].concat());
        boxed(b"moov", &[mvhd(1000, 1), track].concat())
    }))
    .unwrap();
    assert_eq!((found.width, found.video_codec), (Some(854), Some(*b"avc1")));
}

#[test]
fn odd_first_boxes() {
    let plain = moov_first();
    let rest = &plain[ftyp().len()..];
    let moved = |first: Vec<u8>| {
        let at = first.len() + moov(0).len() + 8;
        [first, moov(at as u32), boxed(b"mdat", &[7; 10])].concat()
    };
    assert_eq!(rest.len() + ftyp().len(), plain.len());
    for first in [
        vec![],
        large(b"ftyp", b"isom\0\0\x02\0isommp41"),
        boxed(b"ftyp", b"qt\0\0\0\0\0\0qt\0\0"),
        [boxed(b"uuid", &[7; 40]), ftyp()].concat(),
        [boxed(b"pnot", &[0; 12]), ftyp()].concat(),
        [ftyp(), boxed(b"\xA9xyz", b"here")].concat(),
    ] {
        assert!(check_slice(&moved(first.clone())).is_ok(), "{}", first.escape_ascii());
    }
}

#[test]
fn faults_say_what_is_wrong() {
    let mdat = || boxed(b"mdat", &[7; 10]);
    let moov_of = |body: &[u8]| [ftyp(), boxed(b"moov", body), mdat()].concat();
    for (file, text) in [
        (b"{\"error\":{\"message\":1}}".to_vec(), r#"not an MP4: it begins with "{\"error\":{\"messa""#),
        (b"{}".to_vec(), r#"not an MP4: it begins with "{}""#),
        (vec![], "the MP4 is cut off in its '????' box: at least 8 bytes are needed, 0 are there"),
        (ftyp(), "the MP4 has no 'moov' box"),
        ([ftyp(), moov(0)].concat(), "the MP4 has no 'mdat' box"),
        (
            moov_of(&[]),
            "the MP4 is malformed: 'moov' box at byte 24: no track of it has a picture: there is nothing to play",
        ),
        (
            moov_of(&[0; 40]),
            "the MP4 is malformed: 'moov' box at byte 24: no track of it has a picture: there is nothing to play",
        ),
        (moov_of(&boxed(b"mvhd", &[0; 16])), "the MP4 is malformed: 'mvhd' box at byte 32: it is too short"),
        (moov_of(&boxed(b"mvhd", &[])), "the MP4 is malformed: 'mvhd' box at byte 32: it is too short"),
        (
            [ftyp(), b"\0\0\0\x07free".to_vec()].concat(),
            "the MP4 is malformed: 'free' box at byte 24: its size is smaller than its header",
        ),
        (
            [ftyp(), large(b"mdat", &[]).into_iter().map(|b| if b == 16 { 15 } else { b }).collect()].concat(),
            "the MP4 is malformed: 'mdat' box at byte 24: its size is smaller than its header",
        ),
        (
            [ftyp(), b"\0\0\0\x01mdat\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF".to_vec()].concat(),
            "the MP4 is cut off in its 'mdat' box: at least 18446744073709551615 bytes are needed, 40 are there",
        ),
        (
            [ftyp(), boxed(b"free", &[]).repeat(MAX_BOXES as usize)].concat(),
            "the MP4 is malformed: 'free' box at byte 1600016: there are too many boxes",
        ),
        (
            moov_of(&boxed(b"free", &[]).repeat(MAX_BOXES as usize)),
            "the MP4 is malformed: 'free' box at byte 1600016: there are too many boxes",
        ),
        (moov_of(&vec![1; MAX_MOOV as usize + 1]), "the MP4 is malformed: 'moov' box at byte 24: larger than 64 MiB"),
    ] {
        assert_eq!(check_slice(&file).unwrap_err().to_string(), text);
    }
}

#[test]
fn tables_are_read_in_pieces_and_only_so_many() {
    let sizes = vec![1; 1 << 20];
    let moov = |chunk| {
        let track = trak(tkhd(0, &UPRIGHT, 8, 8), b"vide", &tables(b"avc1", &sizes, chunk));
        boxed(b"moov", &[mvhd(1, 1), track].concat())
    };
    let chunk = ftyp().len() as u32 + 8;
    for short in [0, 1] {
        let file = [ftyp(), boxed(b"mdat", &vec![7; (1 << 20) - short]), moov(chunk)].concat();
        // The last sample of the short one is the first byte of the movie box.
        let mut check = Mp4Check::new(file.len() as u64);
        let mut fetched = 0;
        let found = loop {
            match check.step() {
                Mp4Step::Need { offset, len } => {
                    fetched += len;
                    check.input(&file[offset as usize..][..len]);
                }
                Mp4Step::Done(result) => break result,
            }
        };
        assert!(found.is_ok() && (4 << 20..5 << 20).contains(&fetched), "{fetched} bytes of {}", file.len());
    }
    // Beyond the limit it is taken on trust.
    let file = [ftyp(), boxed(b"mdat", &[7; 100]), moov(chunk)].concat();
    assert!(check_slice(&file).is_ok(), "they lie in the movie box, which is inside");
    let mut check = Mp4Check::new(file.len() as u64);
    check.table_bytes = 100_000;
    let found = loop {
        match check.step() {
            Mp4Step::Need { offset, len } => check.input(&file[offset as usize..][..len]),
            Mp4Step::Done(result) => break result,
        }
    };
    assert!(found.is_ok());
}

#[test]
fn an_empty_input_ends_the_check() {
    let mut check = Mp4Check::new(1000);
    check.input(b"nobody asked"); // ignored
    assert_eq!(check.step(), Mp4Step::Need { offset: 0, len: 64 });
    check.input(&ftyp()[..10]);
    assert_eq!(check.step(), Mp4Step::Need { offset: 10, len: 54 });
    check.input(&[]);
    let fault = Mp4Fault::Truncated { box_type: UNKNOWN, needs: 64, has: 10 };
    assert_eq!(check.step(), Mp4Step::Done(Err(fault.clone())));
    check.input(&ftyp());
    assert_eq!(check.step(), Mp4Step::Done(Err(fault)));
}

#[test]
fn first_bytes() {
    for (bytes, want) in [
        (&b""[..], None),
        (b"\0\0\0\x18fty", None),
        (b"\0\0\0\x18ftypisom", Some(true)),
        (b"\0\0\0\x18stypmsdh", Some(true)),
        (b"\0\0\0\x08ftypisom", Some(false)),
        (b"\xFF\0\0\x18ftypisom", Some(false)),
        (b"\0\0\0\x18ftyp\0\0\0\0", Some(true)),
        (b"\0\0\0\x01ftyp\0\0\0\0", Some(true)),
        (b"\0\0\0\x28uuid", Some(true)),
        (b"\0\0\0\x08wide", Some(true)),
        (b"\0\0\0\x01mdat", Some(true)),
        (b"\0\0\0\0mdat", Some(true)),
        (b"\0\0\0\x07free", Some(false)),
        (b"<!DOCTYP", Some(false)),
        (b"{\"error\"", Some(false)),
        (b"\x1A\x45\xDF\xA3\0\0\0\0", Some(false)),
    ] {
        assert_eq!(looks_like_mp4(bytes), want, "{}", bytes.escape_ascii());
    }
}

/// Sound files with some bytes replaced: goes deeper than noise does.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let file = prop_oneof![Just(moov_first()), Just(moov_last()), Just(fragmented())];
    let byte = prop_oneof![Just(0), Just(1), Just(8), Just(255), any::<u8>()];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), byte), 0..6);
    (file, edits).prop_map(|(mut file, edits)| {
        for (at, byte) in edits {
            let at = at.index(file.len());
            file[at] = byte;
        }
        file
    })
}

fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..300);
    let noise_in = |noise: Vec<u8>| [ftyp(), boxed(b"moov", &noise), boxed(b"mdat", &[])].concat();
    prop_oneof![1 => noise.clone(), 1 => noise.prop_map(noise_in), 6 => damaged()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_panics_or_runs_on(file in any_file(), sizes in prop::collection::vec(1..80usize, 1..8)) {
        let whole = check_slice(&file);
        let (result, steps) = drive(&file, &[MAX_NEED]);
        prop_assert_eq!(&result, &whole);
        prop_assert!(steps <= file.len() / 4 + 8, "{} steps for {} bytes", steps, file.len());
        let (result, _) = drive(&file, &sizes);
        prop_assert_eq!(&result, &whole);
        if let Err(fault) = whole {
            prop_assert!(!fault.to_string().contains('\n'));
        }
    }

    /// A source that makes up its bytes, of any length up to the largest.
    #[test]
    fn a_lying_source_comes_to_an_end(total in prop_oneof![any::<u64>(), Just(u64::MAX)], file in any_file()) {
        let mut check = Mp4Check::new(total);
        let mut steps = 0;
        while let Mp4Step::Need { offset, len } = check.step() {
            prop_assert!(len <= MAX_NEED && offset.checked_add(len as u64).unwrap() <= total);
            let from = (offset % (file.len() as u64 + 1)) as usize;
            check.input(&file.iter().chain(&[0]).cycle().skip(from).take(len).copied().collect::<Vec<_>>());
            steps += 1;
            prop_assert!(steps <= 3 * MAX_BOXES as usize);
        }
    }
}
