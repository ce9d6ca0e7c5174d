//! The generated files are sound MP4: boxes add up, sizes and lengths are exact, samples lie where the tables say.

use junfeiai_emulator::{Emulator, TaskPlan, TaskSpec};

/// Boxes of one level: name, content.
fn boxes(mut data: &[u8]) -> Vec<(String, &[u8])> {
    let mut out = Vec::new();
    while !data.is_empty() {
        let mut header = 8;
        let mut size = be32(data, 0) as usize;
        if size == 1 {
            header = 16;
            size = usize::try_from(u64::from_be_bytes(data[8..16].try_into().unwrap())).unwrap();
        }
        assert!(size >= header && size <= data.len(), "box of {size} in {}", data.len());
        out.push((String::from_utf8_lossy(&data[4..8]).into_owned(), &data[header..size]));
        data = &data[size..];
    }
    out
}

fn find<'a>(data: &'a [u8], path: &[&str]) -> &'a [u8] {
    path.iter().fold(data, |data, name| {
        let found = boxes(data).into_iter().find(|(found, _)| found == name);
        found.unwrap_or_else(|| panic!("no {name}")).1
    })
}

fn be32(data: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(data[at..at + 4].try_into().unwrap())
}

fn make(size: &str, seconds: u32, bytes: Option<u64>, moov_at_end: bool) -> Vec<u8> {
    let emu = Emulator::builder().start().unwrap();
    let plan = TaskPlan { size: Some(size.into()), video_bytes: bytes, moov_at_end, ..TaskPlan::default() };
    let id = emu.add_task(TaskSpec { seconds, plan, ..TaskSpec::default() });
    emu.video_bytes(&id).unwrap().to_vec()
}

/// Checks one file from outside in.
fn check(file: &[u8], width: u32, height: u32, seconds: u32) {
    let moov = find(file, &["moov"]);
    let mvhd = find(moov, &["mvhd"]);
    assert_eq!(be32(mvhd, 16), seconds * be32(mvhd, 12));
    let tkhd = find(moov, &["trak", "tkhd"]);
    assert_eq!((be32(tkhd, 76) >> 16, be32(tkhd, 80) >> 16), (width, height));
    let mdhd = find(moov, &["trak", "mdia", "mdhd"]);
    assert_eq!(be32(mdhd, 16), seconds * be32(mdhd, 12));
    let stbl = find(moov, &["trak", "mdia", "minf", "stbl"]);
    let avc1 = &find(stbl, &["stsd"])[8..];
    let avc1 = find(avc1, &["avc1"]);
    assert_eq!(be32(avc1, 24), width << 16 | height);
    let avcc = find(&avc1[78..], &["avcC"]);
    assert_eq!((avcc[0], avcc[1], avcc[4], avcc[5]), (1, 66, 0xFF, 0xE1));
    assert_eq!(avcc[8], 0x67, "a sequence parameter set");

    let stsz = find(stbl, &["stsz"]);
    let frames = be32(stsz, 8) as usize;
    let stts = find(stbl, &["stts"]);
    assert_eq!(be32(stts, 8) as usize, frames);
    assert_eq!(be32(stts, 8) * be32(stts, 12), seconds * be32(mdhd, 12));
    let stss = find(stbl, &["stss"]);
    let keyframes: Vec<usize> = (0..be32(stss, 4) as usize).map(|n| be32(stss, 8 + 4 * n) as usize).collect();
    assert_eq!(keyframes.len(), seconds as usize, "one keyframe a second");
    let stco = find(stbl, &["stco"]);
    let chunks = be32(stco, 4) as usize;
    let per_chunk = be32(find(stbl, &["stsc"]), 12) as usize;
    assert_eq!(chunks * per_chunk, frames);
    let mut frame = 0;
    for chunk in 0..chunks {
        let mut at = be32(stco, 8 + 4 * chunk) as usize;
        for _ in 0..per_chunk {
            let size = be32(stsz, 12 + 4 * frame) as usize;
            assert_eq!(be32(file, at) as usize + 4, size, "frame {frame} is one NAL unit");
            let kind = if keyframes.contains(&(frame + 1)) { 0x65 } else { 0x41 };
            assert_eq!(file[at + 4], kind, "frame {frame}");
            at += size;
            frame += 1;
        }
    }
}

#[test]
fn size_and_length_are_what_was_asked() {
    for (size, width, height, seconds) in [
        ("1280x720", 1280, 720, 6),
        ("720x1280", 720, 1280, 4),
        ("854x480", 854, 480, 10),
        ("1000x602", 1000, 602, 2),
        ("16x16", 16, 16, 1),
    ] {
        let file = make(size, seconds, None, false);
        let names: Vec<String> = boxes(&file).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["ftyp", "moov", "mdat"]);
        check(&file, width, height, seconds);
    }
}

#[test]
fn moov_may_come_last() {
    let file = make("320x192", 6, Some(300_000), true);
    let names: Vec<String> = boxes(&file).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["ftyp", "mdat", "moov"]);
    check(&file, 320, 192, 6);
}

#[test]
fn padded_files_have_exactly_the_size() {
    for bytes in [40_000, 40_001, 1 << 20, (8 << 20) + 7] {
        let file = make("320x192", 6, Some(bytes), false);
        assert_eq!(file.len() as u64, bytes);
        check(&file, 320, 192, 6);
    }
    // No two aligned blocks are equal, so a block in the wrong place is seen.
    let file = make("64x64", 1, Some(1 << 20), false);
    let mut blocks: Vec<&[u8]> = file.chunks_exact(4_096).collect();
    blocks.sort_unstable();
    assert!(blocks.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn no_two_tasks_have_the_same_file() {
    let same = make("64x64", 1, None, false) == make("64x64", 1, None, false);
    assert!(!same);
}
