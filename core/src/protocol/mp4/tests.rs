#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::trivially_copy_pass_by_ref // `b"mdat"` is a reference by itself
)]

use super::*;
use proptest::prelude::*;

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

/// A 6.5 s movie with sound; its last video chunk is 10 bytes at `chunk`.
fn moov(chunk: u32) -> Vec<u8> {
    let video = [stsd(b"avc1", 848, 480), stsz(&[4, 10]), stco(&[chunk])];
    let sound = [stsd(b"mp4a", 2, 16), stco(&[chunk])];
    let body = [
        mvhd(1000, 6500),
        trak(tkhd(0, &UPRIGHT, 0, 0), b"soun", &sound),
        trak(tkhd(0, &UPRIGHT, 854, 480), b"vide", &video),
        boxed(b"udta", &[0; 12]),
    ];
    boxed(b"moov", &body.concat())
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
    let mehd = boxed(b"mehd", &words(&[0, 9000]));
    let track = trak(tkhd(0, &UPRIGHT, 640, 360), b"vide", &[stsd(b"hvc1", 640, 360), stco(&[])]);
    let moov = boxed(b"moov", &[mvhd(1000, 0), track, boxed(b"mvex", &mehd)].concat());
    let fragment = [boxed(b"moof", &[0; 24]), boxed(b"mdat", &[7; 10])].concat();
    [ftyp(), moov, fragment.clone(), fragment].concat()
}

fn info() -> Mp4Info {
    Mp4Info {
        duration: Some(Duration::from_millis(6500)),
        width: Some(854),
        height: Some(480),
        rotation: 0,
        moov_at_end: false,
        fragmented: false,
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
    // Top level, moov: few enough wishes for a remote file.
    assert!(drive(&moov_first(), &[MAX_NEED]).1 <= 3);
    assert!(drive(&moov_last(), &[MAX_NEED]).1 <= 3);
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
    // Fragments are independent: a cut between them leaves a whole, shorter film.
    let file = fragmented();
    let between = file.len() - (8 + 24 + 8 + 10);
    for len in (0..file.len()).filter(|&len| len != between) {
        assert!(check_slice(&file[..len]).is_err(), "{len}");
    }
}

#[test]
fn every_tail_is_a_fault() {
    for extra in 1..8 {
        let file = [moov_first(), vec![0; extra]].concat();
        assert!(matches!(check_slice(&file), Err(Mp4Fault::Truncated { .. })));
    }
    let file = [moov_first(), vec![0; 64]].concat();
    let fault = check_slice(&file).unwrap_err().to_string();
    assert!(fault.ends_with("this is not a box type"), "{fault}");
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
        let (needs, has) = (file.len() as u64, len as u64);
        let box_type = *b"mdat";
        assert_eq!(fault, Mp4Fault::Truncated { box_type, needs, has });
    }
}

#[test]
fn chunks_must_lie_inside() {
    let file = [ftyp(), boxed(b"mdat", &[7; 10]), moov(100_000)].concat();
    let text = check_slice(&file).unwrap_err().to_string();
    assert!(text.contains("'mdat' box: at least 1000"), "{text}");

    let co64 = boxed(b"co64", &[words(&[0, 2, 0, 30]), vec![0xFF; 8]].concat());
    let track = trak(tkhd(0, &UPRIGHT, 8, 8), b"vide", &[co64]);
    let moov = boxed(b"moov", &[mvhd(1, 1), track].concat());
    let file = [ftyp(), moov, boxed(b"mdat", &[7; 10])].concat();
    assert!(matches!(check_slice(&file), Err(Mp4Fault::Truncated { needs: u64::MAX, .. })));

    let lying = boxed(b"stco", &words(&[0, u32::MAX, 0]));
    let track = trak(tkhd(0, &UPRIGHT, 8, 8), b"vide", &[lying]);
    let moov = boxed(b"moov", &[mvhd(1, 1), track].concat());
    let file = [ftyp(), moov, boxed(b"mdat", &[7; 10])].concat();
    let text = check_slice(&file).unwrap_err().to_string();
    assert!(text.contains("'stco'") && text.ends_with("too short"), "{text}");
}

#[test]
fn fragmented_files() {
    let found = check_slice(&fragmented()).unwrap();
    assert!(found.fragmented && !found.moov_at_end);
    assert_eq!(found.duration, Some(Duration::from_secs(9)));
    assert_eq!(found.video_codec, Some(*b"hvc1"));

    let moov = boxed(b"moov", &mvhd(1000, 0));
    let fragment = [boxed(b"moof", &[0; 24]), boxed(b"mdat", &[7; 10])].concat();
    let file = [ftyp(), moov.clone(), fragment.clone()].concat();
    assert_eq!(check_slice(&file).unwrap().duration, None);

    let file = [ftyp(), moov, fragment, boxed(b"moof", &[0; 24])].concat();
    assert_eq!(check_slice(&file), Err(Mp4Fault::Missing { what: "mdat" }));
}

#[test]
fn version_one_boxes_and_a_turned_picture() {
    let mut long = words(&[1 << 24, 0, 0, 0, 0, 90_000]);
    long.extend((90_000u64 << 32).to_be_bytes());
    let track = trak(tkhd(1, &TURNED, 854, 480), b"vide", &[stsd(b"av01", 854, 480)]);
    let moov = boxed(b"moov", &[boxed(b"mvhd", &long), track].concat());
    let found = check_slice(&[ftyp(), moov, boxed(b"mdat", &[])].concat()).unwrap();
    assert_eq!(found.duration, Some(Duration::from_secs(1 << 32)));
    assert_eq!((found.width, found.height), (Some(480), Some(854)));
    assert_eq!(found.rotation, 90);
}

#[test]
fn every_turn_is_read() {
    const MINUS: u32 = 0xFFFF_0000;
    for (cells, turn, size) in [
        ([0x10000, 0, 0, 0x10000], 0, (Some(854), Some(480))),
        ([0, 0x10000, MINUS, 0], 90, (Some(480), Some(854))),
        ([MINUS, 0, 0, MINUS], 180, (Some(854), Some(480))),
        ([0, MINUS, 0x10000, 0], 270, (Some(480), Some(854))),
        ([0x8000, 0, 0, 0x8000], 0, (Some(854), Some(480))),
    ] {
        let [a, b, c, d] = cells;
        let matrix = [a, b, 0, c, d, 0, 0, 0, 0x4000_0000];
        let track = trak(tkhd(0, &matrix, 854, 480), b"vide", &[stsd(b"avc1", 854, 480)]);
        let moov = boxed(b"moov", &[mvhd(1000, 1), track].concat());
        let found = check_slice(&[ftyp(), moov, boxed(b"mdat", &[])].concat()).unwrap();
        assert_eq!((found.rotation, (found.width, found.height)), (turn, size));
    }
}

#[test]
fn a_track_without_an_entry_has_no_codec() {
    let empty = boxed(b"stsd", &words(&[0, 0]));
    let moov = boxed(b"moov", &[mvhd(1000, 1), trak(tkhd(0, &UPRIGHT, 0, 0), b"vide", &[empty])].concat());
    let found = check_slice(&[ftyp(), moov, boxed(b"mdat", &[])].concat()).unwrap();
    assert_eq!((found.tracks, found.video_codec, found.width), (1, None, None));
}

#[test]
fn what_is_unknown_is_none() {
    let file = |mvhd: Vec<u8>, track: Vec<u8>| {
        let moov = boxed(b"moov", &[mvhd, track].concat());
        check_slice(&[ftyp(), moov, boxed(b"mdat", &[])].concat()).unwrap()
    };
    let sound = trak(tkhd(0, &UPRIGHT, 0, 0), b"soun", &[stsd(b"mp4a", 2, 16)]);
    let found = file(mvhd(1000, u32::MAX), sound);
    assert_eq!((found.duration, found.width, found.video_codec), (None, None, None));
    assert_eq!((found.audio_codec, found.tracks), (Some(*b"mp4a"), 1));
    assert_eq!(file(mvhd(0, 5), Vec::new()).duration, None);
    // No size in the track header: the encoded one counts.
    let video = trak(tkhd(0, &UPRIGHT, 0, 0), b"vide", &[stsd(b"avc1", 640, 360)]);
    assert_eq!(file(mvhd(1, 1), video).width, Some(640));
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
        ([moov(0), mdat()].concat(), "the MP4 has no 'ftyp' box"),
        (moov_of(&[]), "the MP4 is malformed: 'moov' box at byte 24: it has no 'mvhd'"),
        (moov_of(&[0; 40]), "the MP4 is malformed: '\\x00\\x00\\x00\\x00' box at byte 32: zeros where a box should be"),
        (moov_of(&boxed(b"mvhd", &[0; 16])), "the MP4 is malformed: 'mvhd' box at byte 32: it is too short"),
        (moov_of(&boxed(b"mvhd", &[])), "the MP4 is malformed: 'mvhd' box at byte 32: it is too short"),
        (
            moov_of(&mvhd(1, 1)[..20]),
            "the MP4 is malformed: 'mvhd' box at byte 32: it is larger than the box around it",
        ),
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
            "the MP4 is malformed: 'free' box at byte 800016: there are too many boxes",
        ),
        (
            moov_of(&boxed(b"free", &[]).repeat(MAX_BOXES as usize + 1)),
            "the MP4 is malformed: 'free' box at byte 800032: there are too many boxes",
        ),
        (moov_of(&vec![1; MAX_MOOV as usize + 1]), "the MP4 is malformed: 'moov' box at byte 24: larger than 64 MiB"),
    ] {
        assert_eq!(check_slice(&file).unwrap_err().to_string(), text);
    }
}

#[test]
fn sample_tables_are_not_fetched() {
    let chunk = ftyp().len() as u32 + 8;
    let tables = [stsz(&vec![10; 1 << 20]), stsd(b"avc1", 8, 8), stco(&vec![chunk; 1 << 18])];
    let track = trak(tkhd(0, &UPRIGHT, 8, 8), b"vide", &tables);
    let moov = boxed(b"moov", &[mvhd(1, 1), track].concat());
    let file = [ftyp(), boxed(b"mdat", &[7; 10]), moov].concat();
    let mut check = Mp4Check::new(file.len() as u64);
    let mut fetched = 0;
    let found = loop {
        match check.step() {
            Mp4Step::Need { offset, len } => {
                fetched += len;
                check.input(&file[offset as usize..][..len]);
            }
            Mp4Step::Done(result) => break result.unwrap(),
        }
    };
    assert_eq!(found.video_codec, Some(*b"avc1"));
    assert!(fetched < 2000, "{fetched} bytes of {}", file.len());
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
        (b"\0\0\0\x18ftypiso", None),
        (b"\0\0\0\x18ftypisom", Some(true)),
        (b"\0\0\0\x18stypmsdh", Some(true)),
        (b"\0\0\0\x08ftypisom", Some(false)),
        (b"\xFF\0\0\x18ftypisom", Some(false)),
        (b"\0\0\0\x18ftyp\0\0\0\0", Some(false)),
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
        prop_assert!(steps <= file.len() / 8 + 2, "{} steps for {} bytes", steps, file.len());
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
            prop_assert!(steps <= 2 * MAX_BOXES as usize);
        }
    }
}
