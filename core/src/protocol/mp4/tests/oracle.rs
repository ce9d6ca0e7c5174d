//! Where the samples of a plain file are, read the simple way: all of it in memory, no limits, no leniency. Gives the
//! samples of every track of the first `moov` whose tables can be read in full.

/// The boxes in this part of the file: type, and where their bodies are.
fn boxes(file: &[u8], mut at: usize, end: usize) -> Vec<([u8; 4], usize, usize)> {
    let mut found = Vec::new();
    while let Some(head) = file.get(at..end).and_then(|rest| rest.get(..8)) {
        let kind = [head[4], head[5], head[6], head[7]];
        let (body, size) = match number(file, at, 4) {
            Some(0) if kind != [0; 4] => (at + 8, (end - at) as u64),
            Some(1) => (at + 16, number(file, at + 8, 8).unwrap_or(0)),
            size => (at + 8, size.unwrap_or(0)),
        };
        if size < (body - at) as u64 || body > end {
            break;
        }
        let stop = (at as u64).saturating_add(size).min(end as u64) as usize;
        found.push((kind, body, stop));
        at = stop;
    }
    found
}

fn number(file: &[u8], at: usize, width: usize) -> Option<u64> {
    Some(file.get(at..)?.get(..width)?.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
}

/// The only box of this type.
fn child(file: &[u8], of: (usize, usize), kind: &[u8; 4]) -> Option<(usize, usize)> {
    let mut found = boxes(file, of.0, of.1).into_iter().filter(|(other, ..)| other == kind);
    let (_, body, end) = found.next()?;
    found.next().is_none().then_some((body, end))
}

fn track(file: &[u8], trak: (usize, usize)) -> Option<Vec<(u64, u64)>> {
    let minf = child(file, child(file, trak, b"mdia")?, b"minf")?;
    let stbl = child(file, minf, b"stbl")?;
    let (stsc, stsz) = (child(file, stbl, b"stsc")?, child(file, stbl, b"stsz")?);
    let (stco, width) = match (child(file, stbl, b"stco"), child(file, stbl, b"co64")) {
        (Some(stco), None) => (stco, 4),
        (None, Some(co64)) => (co64, 8),
        _ => return None,
    };
    let entries = |(body, end): (usize, usize), from: usize, width: usize, count: u64| -> Option<usize> {
        let fits = (body + from) as u64 + count.checked_mul(width as u64)? <= end as u64;
        fits.then_some(count as usize)
    };
    let stts = child(file, stbl, b"stts")?;
    entries(stts, 8, 8, number(file, stts.0 + 4, 4).filter(|count| *count > 0)?)?;
    if boxes(file, stbl.0, stbl.1).iter().any(|(kind, ..)| kind == b"stz2") {
        return None;
    }
    let chunks = entries(stco, 8, width, number(file, stco.0 + 4, 4)?)?;
    let runs = entries(stsc, 8, 12, number(file, stsc.0 + 4, 4)?)?;
    let (fixed, count) = (number(file, stsz.0 + 4, 4)?, number(file, stsz.0 + 8, 4)?);
    let count = if fixed == 0 { entries(stsz, 12, 4, count)? } else { usize::try_from(count.min(100_000)).ok()? };
    let mut samples = Vec::new();
    for chunk in 0..chunks {
        let mut at = number(file, stco.0 + 8 + chunk * width, width)?;
        // The last run that has begun.
        let begins =
            |run: &usize| number(file, stsc.0 + 8 + run * 12, 4).is_some_and(|first| first <= chunk as u64 + 1);
        let run = (0..runs).take_while(|run| *run == 0 || begins(run)).last()?;
        for _ in 0..number(file, stsc.0 + 8 + run * 12 + 4, 4)? {
            if samples.len() == count {
                return Some(samples);
            }
            let size = if fixed == 0 { number(file, stsz.0 + 12 + samples.len() * 4, 4)? } else { fixed };
            samples.push((at, size));
            at = at.saturating_add(size);
        }
    }
    Some(samples)
}

/// Offset and length of every sample.
pub(crate) fn samples(file: &[u8]) -> Vec<(u64, u64)> {
    let Some((_, body, end)) = boxes(file, 0, file.len()).into_iter().find(|(kind, ..)| kind == b"moov") else {
        return Vec::new();
    };
    let traks = boxes(file, body, end).into_iter().filter(|(kind, ..)| kind == b"trak");
    traks.filter_map(|(_, body, end)| track(file, (body, end))).flatten().collect()
}
