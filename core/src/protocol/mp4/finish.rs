//! What all of it comes to.

use std::time::Duration;

use super::leaf::seconds;
use super::tables::Track;
use super::window::Lens;
use super::{Header, Job, Mp4Check, Mp4Fault, Mp4Info, Stop, UNKNOWN, malformed};

/// So many bytes at the end of a sample that are all zero are no picture and no sound.
const PROBED: u64 = 16;

impl Mp4Check {
    /// Every box was seen.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        let top = self.top;
        let missing = |what| Err(Stop::Fault(Mp4Fault::Missing { what }));
        let truncated = |box_type, needs| Stop::Fault(Mp4Fault::Truncated { box_type, needs, has: self.total });
        let Some(moov) = top.moov else {
            return match top.overrun {
                Some((header, needs)) => Err(truncated(header.kind, needs)),
                None => missing("moov"),
            };
        };
        if !top.media {
            return missing("mdat");
        }
        if let Some(at) = top.trailing.filter(|at| *at < top.indexed.max(self.movie.media_end)) {
            let header = Header { kind: UNKNOWN, start: at, body: at, end: at };
            return Err(malformed(&header, "zeros where a box with samples should be"));
        }
        let has_samples = |track: &&Track| track.samples > 0;
        let video = self.tracks.iter().find(|track| &track.handler == b"vide");
        if video.map_or_else(|| self.tracks.iter().find(has_samples), |_| self.videos().find(has_samples)).is_none() {
            if self.movie.mvex && top.fragments == 0 {
                return missing("moof");
            }
            return Err(malformed(&moov, "no track of it has a picture: there is nothing to play"));
        }
        if top.fragments > 0 || self.movie.mvex {
            self.all_fragments()?;
        }
        self.job = Job::Probe(0);
        Ok(())
    }

    fn videos(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().filter(|track| &track.handler == b"vide")
    }

    /// Whether what announces fragments is followed by them.
    fn all_fragments(&self) -> Result<(), Stop> {
        let top = self.top;
        let truncated = |box_type, needs| Err(Stop::Fault(Mp4Fault::Truncated { box_type, needs, has: self.total }));
        if let Some(header) = top.announced {
            return truncated(header.kind, self.total.saturating_add(8));
        }
        if let Some((start, _)) = top.last_media.filter(|(start, _)| *start >= self.movie.media_end)
            && !self.movie.unchecked
        {
            // Its samples are named by a fragment that would come behind it.
            let header = Header { kind: *b"mdat", start, body: start, end: start };
            return Err(malformed(&header, "nothing says what is in it: the fragment behind it is missing"));
        }
        let said = seconds(self.movie.fragments_duration, self.movie.timescale);
        let counted = said.filter(|said| !said.is_zero() && top.fragments > 0 && !self.movie.unchecked);
        if let Some(said) = counted {
            // One that is missing is about as long as the others.
            let there = self.fragments_duration(true).unwrap_or_default();
            let each = there / u32::try_from(top.fragments).unwrap_or(u32::MAX).max(1);
            let slack = (each / 2).clamp(Duration::from_millis(50), Duration::from_millis(250));
            if there + slack < said {
                return truncated(*b"moof", self.total.saturating_add(8));
            }
        }
        if let Some(at) = top.trailing {
            // A few zeros may be the begin of a header, and those behind a fragment without samples, or with media
            // that nothing names, the rest of it.
            let unnamed = top.last_media.is_some_and(|(_, end)| end > self.movie.media_end);
            if self.fragment.named == 0 || unnamed || counted.is_none() && self.total - at < 8 {
                return truncated(UNKNOWN, at.saturating_add(8));
            }
        }
        // Without a count the end of the last box is all that there is to believe.
        match top.overrun {
            Some((header, needs)) if counted.is_none() => truncated(header.kind, needs),
            _ => Ok(()),
        }
    }

    /// How long the longest track is, with or without what an edit list skips.
    fn fragments_duration(&self, all: bool) -> Option<Duration> {
        let of = |track: &Track| {
            let skipped = if all { 0 } else { track.skipped };
            seconds(track.end.saturating_sub(track.begin?).saturating_sub(skipped), track.timescale)
        };
        self.tracks.iter().filter_map(of).max().filter(|duration| !duration.is_zero())
    }

    /// Looks at the end of the last sample of each track: a file that was given its length before its bytes has zeros.
    pub(super) fn probe(&mut self, track: usize) -> Result<(), Stop> {
        let Some(Track { last, codec, .. }) = self.tracks.get(track).copied() else {
            self.done = Some(Ok(self.info()));
            return Ok(());
        };
        if last.size >= 4 && codec.is_some_and(is_compressed) {
            let (len, end) = (last.size.min(PROBED), last.end);
            let bytes = self.read(Lens::Boxes, end - len, len, len)?;
            if bytes.all().iter().all(|byte| *byte == 0) {
                let (box_type, offset) = (*b"mdat", end - last.size);
                let why = "the last picture or sound is zeros: the file was not written to its end";
                return Err(Stop::Fault(Mp4Fault::Malformed { box_type, offset, why }));
            }
        }
        self.job = Job::Probe(track + 1);
        Ok(())
    }

    fn info(&self) -> Mp4Info {
        let top = self.top;
        let video = self.videos().next();
        let fragmented = self.movie.mvex || top.fragments > 0;
        let duration = if top.fragments > 0 {
            // `mvhd` counts only what is outside of the fragments, usually nothing.
            let said = seconds(self.movie.fragments_duration, self.movie.timescale);
            let counted = self.fragments_duration(false).filter(|_| !self.movie.unchecked);
            said.filter(|said| !said.is_zero()).or(counted)
        } else {
            self.movie.duration
        };
        let cells = video.map_or([0; 4], |video| turned(video.matrix, self.movie.matrix));
        let quarter = cells[0] == 0 && cells[3] == 0 && cells[1] != 0;
        let rotation = match (quarter, cells[1] > 0, cells[0] < 0 && cells[3] < 0) {
            (true, true, _) => 90,
            (true, false, _) => 270,
            (false, _, true) => 180,
            (false, _, false) => 0,
        };
        let size = video.and_then(|video| {
            let (width, height) = video.shown.or(video.coded)?;
            // The size of the track says how it is shown, unless it is that of the coded picture.
            let (x, y) = video.pixel.filter(|_| Some((width, height)) == video.coded).unwrap_or((1, 1));
            let width = scaled(width, x, y);
            let (width, height) = if quarter { (height, width) } else { (width, height) };
            // A matrix that draws one side out gives a pixel its shape as well.
            let [x, y] = [cells[0].abs().max(cells[2].abs()), cells[1].abs().max(cells[3].abs())];
            Some((
                if x.abs_diff(y) > y.unsigned_abs() / 100 { scaled(width, x as u32, y as u32) } else { width },
                height,
            ))
        });
        Mp4Info {
            duration,
            width: size.map(|size| size.0),
            height: size.map(|size| size.1),
            rotation,
            moov_at_end: top.moov_at_end,
            fragmented,
            loose_end: top.trailing.is_some() || top.overrun.is_some(),
            video_codec: video.and_then(|video| video.codec),
            audio_codec: self.tracks.iter().find(|track| &track.handler == b"soun").and_then(|track| track.codec),
            tracks: self.movie.tracks,
        }
    }
}

/// A length in units of another size.
fn scaled(length: u32, by: u32, of: u32) -> u32 {
    let half = u64::from(of) / 2;
    let value = (u64::from(length) * u64::from(by) + half).checked_div(u64::from(of));
    value.and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0).unwrap_or(length)
}

/// The cells of the track's matrix, turned by the movie's. 16.16 fixed point.
fn turned(track: [u32; 4], movie: [u32; 4]) -> [i64; 4] {
    let signed = |cells: [u32; 4]| cells.map(|cell| i64::from(cell.cast_signed()));
    let (own, movie) = (signed(track), signed(movie));
    if movie == [0; 4] {
        return own;
    }
    // Each product of two 32-bit numbers fits; the sum of the two largest is one too many.
    let product = |row: usize, column: usize| own[row] * movie[column];
    let cell = |row: usize, column: usize| product(row, column).saturating_add(product(row + 1, column + 2)) >> 16;
    [cell(0, 0), cell(0, 1), cell(2, 0), cell(2, 1)]
}

/// Formats in which no picture and no frame of sound is zeros, silence and black included.
fn is_compressed(codec: [u8; 4]) -> bool {
    let [first, second, ..] = codec;
    matches!(&[first, second], b"av" | b"hv" | b"he" | b"vv" | b"vp" | b"mp" | b"en" | b"ac" | b"ec")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_matrices_do_not_overflow() {
        let most = [0x8000_0000; 4];
        assert!(turned(most, most).iter().all(|cell| *cell > 0));
    }
}
