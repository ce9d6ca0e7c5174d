//! The box layout around the coded frames.
//!
//! One chunk per second. When a file size is asked for, the missing bytes lie between the chunks inside `mdat`, so that
//! a player that seeks really jumps about in the file.

use bytes::Bytes;

use super::{FPS, Spec, h264::Coder};
use crate::video::VideoFile;

/// Media time units per second, and per frame.
const TIMESCALE: u32 = 12_288;
const FRAME_TICKS: u32 = TIMESCALE / FPS;
/// Movie time units per second.
const MOVIE_SCALE: u32 = 1_000;

/// Builds the file from the coded frames of each second.
pub(crate) fn mux(spec: &Spec, coder: &Coder, seconds: Vec<Vec<Vec<u8>>>) -> VideoFile {
    let sizes: Vec<u32> = seconds.iter().flatten().map(|nal| nal.len() as u32 + 4).collect();
    let chunks: Vec<Bytes> = seconds
        .into_iter()
        .map(|frames| {
            let mut chunk = Vec::new();
            for nal in frames {
                chunk.extend_from_slice(&(nal.len() as u32).to_be_bytes());
                chunk.extend_from_slice(&nal);
            }
            Bytes::from(chunk)
        })
        .collect();
    let payload: u64 = chunks.iter().map(|chunk| chunk.len() as u64).sum();

    // Wide offsets are decided by the wanted size, before the exact layout is known.
    let wide = spec.bytes.unwrap_or(0).max(payload + (1 << 20)) > u64::from(u32::MAX);
    let head = ftyp();
    let moov = |offsets: &[u64]| moov(spec, coder, &sizes, offsets, wide);
    let moov_len = moov(&vec![0; chunks.len()]).len() as u64;
    // The identity comes first in the payload, so that small pictures differ between tasks too.
    let mdat_header: u64 = if wide { 24 } else { 16 };
    let fixed = head.len() as u64 + moov_len + mdat_header + payload;
    let padding = spec.bytes.unwrap_or(0).saturating_sub(fixed);

    let mut at = head.len() as u64 + mdat_header + if spec.moov_at_end { 0 } else { moov_len };
    let mdat_start = at - mdat_header;
    let count = chunks.len().max(1) as u64;
    let mut offsets = Vec::with_capacity(chunks.len());
    for (index, chunk) in chunks.iter().enumerate() {
        offsets.push(at);
        let index = index as u64;
        at += chunk.len() as u64 + padding * (index + 1) / count - padding * index / count;
    }
    let mdat_end = mdat_start + mdat_header + payload + padding;
    let moov = moov(&offsets);

    let mut mdat = Vec::new();
    if wide {
        mdat.extend_from_slice(&1u32.to_be_bytes());
        mdat.extend_from_slice(b"mdat");
        mdat.extend_from_slice(&(mdat_end - mdat_start).to_be_bytes());
    } else {
        mdat.extend_from_slice(&((mdat_end - mdat_start) as u32).to_be_bytes());
        mdat.extend_from_slice(b"mdat");
    }

    mdat.extend_from_slice(&spec.identity.to_be_bytes());

    let moov_start = if spec.moov_at_end { mdat_end } else { head.len() as u64 };
    let mut pieces = vec![(0, Bytes::from(head)), (moov_start, Bytes::from(moov)), (mdat_start, Bytes::from(mdat))];
    pieces.extend(offsets.into_iter().zip(chunks));
    pieces.sort_by_key(|(start, _)| *start);
    VideoFile::new(fixed + padding, pieces, spec.identity)
}

/// One box: size, name, content.
fn boxed(name: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum::<usize>() + 8;
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&(length as u32).to_be_bytes());
    out.extend_from_slice(&name);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Big-endian words in a row.
fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn ftyp() -> Vec<u8> {
    boxed(*b"ftyp", &[b"isom", &512u32.to_be_bytes(), b"isomiso2avc1mp41"])
}

/// The unity matrix of `mvhd` and `tkhd`.
const MATRIX: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

fn moov(spec: &Spec, coder: &Coder, sizes: &[u32], offsets: &[u64], wide: bool) -> Vec<u8> {
    let movie_length = spec.seconds * MOVIE_SCALE;
    let mut mvhd = words(&[0, 0, 0, MOVIE_SCALE, movie_length, 0x1_0000, 0x0100_0000, 0, 0]);
    mvhd.extend(words(&MATRIX));
    mvhd.extend(words(&[0, 0, 0, 0, 0, 0, 2]));
    let mut tkhd = words(&[3, 0, 0, 1, 0, movie_length, 0, 0, 0, 0]);
    tkhd.extend(words(&MATRIX));
    tkhd.extend(words(&[spec.width << 16, spec.height << 16]));
    let mdhd = words(&[0, 0, 0, TIMESCALE, spec.seconds * TIMESCALE, 0x55C4_0000]);
    let mut hdlr = words(&[0, 0]);
    hdlr.extend_from_slice(b"vide");
    hdlr.extend(words(&[0, 0, 0]));
    hdlr.extend_from_slice(b"VideoHandler\0");
    let dref = boxed(*b"dref", &[&words(&[0, 1]), &boxed(*b"url ", &[&words(&[1])])]);
    let minf = boxed(
        *b"minf",
        &[
            &boxed(*b"vmhd", &[&words(&[1, 0, 0])]),
            &boxed(*b"dinf", &[&dref]),
            &stbl(spec, coder, sizes, offsets, wide),
        ],
    );
    let mdia = boxed(*b"mdia", &[&boxed(*b"mdhd", &[&mdhd]), &boxed(*b"hdlr", &[&hdlr]), &minf]);
    let trak = boxed(*b"trak", &[&boxed(*b"tkhd", &[&tkhd]), &mdia]);
    boxed(*b"moov", &[&boxed(*b"mvhd", &[&mvhd]), &trak])
}

fn stbl(spec: &Spec, coder: &Coder, sizes: &[u32], offsets: &[u64], wide: bool) -> Vec<u8> {
    let (sps, pps) = (coder.sps(), Coder::pps());
    let mut avcc = vec![1, sps[1], sps[2], sps[3], 0xFF, 0xE1];
    avcc.extend_from_slice(&(sps.len() as u16).to_be_bytes());
    avcc.extend_from_slice(&sps);
    avcc.push(1);
    avcc.extend_from_slice(&(pps.len() as u16).to_be_bytes());
    avcc.extend_from_slice(&pps);

    let mut avc1 = vec![0; 6];
    avc1.extend_from_slice(&1u16.to_be_bytes());
    avc1.extend_from_slice(&[0; 16]);
    avc1.extend_from_slice(&(spec.width as u16).to_be_bytes());
    avc1.extend_from_slice(&(spec.height as u16).to_be_bytes());
    avc1.extend(words(&[0x48_0000, 0x48_0000, 0]));
    avc1.extend_from_slice(&1u16.to_be_bytes());
    avc1.extend_from_slice(&[0; 32]);
    avc1.extend_from_slice(&[0, 24, 0xFF, 0xFF]);
    let colr = boxed(*b"colr", &[b"nclx", &[0, 1, 0, 1, 0, 1, 0]]);
    let stsd = [words(&[0, 1]), boxed(*b"avc1", &[&avc1, &boxed(*b"avcC", &[&avcc]), &colr])].concat();

    let frames = sizes.len() as u32;
    let stts = words(&[0, 1, frames, FRAME_TICKS]);
    let keyframes: Vec<u32> = (0..spec.seconds).map(|second| second * FPS + 1).collect();
    let stss = [words(&[0, spec.seconds]), words(&keyframes)].concat();
    let stsc = words(&[0, 1, 1, FPS, 1]);
    let stsz = [words(&[0, 0, frames]), words(sizes)].concat();
    let count = words(&[0, offsets.len() as u32]);
    let chunk_offsets = if wide {
        let long: Vec<u8> = offsets.iter().flat_map(|offset| offset.to_be_bytes()).collect();
        boxed(*b"co64", &[&count, &long])
    } else {
        let short: Vec<u8> = offsets.iter().flat_map(|offset| (*offset as u32).to_be_bytes()).collect();
        boxed(*b"stco", &[&count, &short])
    };
    boxed(
        *b"stbl",
        &[
            &boxed(*b"stsd", &[&stsd]),
            &boxed(*b"stts", &[&stts]),
            &boxed(*b"stss", &[&stss]),
            &boxed(*b"stsc", &[&stsc]),
            &boxed(*b"stsz", &[&stsz]),
            &chunk_offsets,
        ],
    )
}
