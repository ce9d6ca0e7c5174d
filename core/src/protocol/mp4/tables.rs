//! Sample tables and fragments: where every sample is.

use super::window::Lens;
use super::{Job, MAX_TRACKS, Mp4Check, Mp4Fault, Stop};

/// A table of entries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Table {
    pub(super) at: u64,
    /// How many entries there are, and how many the box claims.
    pub(super) count: u64,
    /// Bits of one.
    pub(super) bits: u64,
    /// All entries are this, and none is written down.
    pub(super) fixed: u64,
}

impl Table {
    fn end(&self) -> u64 {
        self.at.saturating_add(self.count.saturating_mul(self.bits).div_ceil(8))
    }
}

/// A sample that lies behind the others.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    pub(super) end: u64,
    pub(super) size: u64,
}

impl Sample {
    fn or_later(&mut self, other: Self) {
        if other.size > 0 && other.end >= self.end {
            *self = other;
        }
    }
}

/// Collected between the start of a `trak` and its end; fragments add to it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Track {
    pub(super) start: u64,
    pub(super) id: u64,
    pub(super) handler: [u8; 4],
    pub(super) codec: Option<[u8; 4]>,
    /// From `tkhd`: how large the picture is meant to be shown.
    pub(super) shown: Option<(u32, u32)>,
    /// From `stsd`: how large it is encoded.
    pub(super) coded: Option<(u32, u32)>,
    /// Width and height of a pixel.
    pub(super) pixel: Option<(u32, u32)>,
    pub(super) matrix: [u32; 4],
    pub(super) timescale: u64,
    pub(super) duration: u64,
    /// So much at the begin is not shown.
    pub(super) skipped: u64,
    pub(super) times: Table,
    pub(super) runs: Table,
    pub(super) sizes: Table,
    pub(super) offsets: Table,
    /// Samples that have a place.
    pub(super) samples: u64,
    pub(super) last: Sample,
    /// When its first fragment begins, and its last ends.
    pub(super) begin: Option<u64>,
    pub(super) end: u64,
}

impl Track {
    pub(super) fn is_media(&self) -> bool {
        matches!(&self.handler, b"vide" | b"soun")
    }
}

/// The fragment that is being read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fragment {
    pub(super) start: u64,
    /// Where the data of the next run begin, if it does not say.
    pub(super) next: u64,
    /// What its offsets count from.
    pub(super) base: u64,
    /// Bytes of samples that it names.
    pub(super) named: u64,
    pub(super) track: usize,
    /// Duration and size of its samples.
    pub(super) defaults: (u64, u64),
}

/// What a sum is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of {
    /// Samples in `stts`.
    Times,
    /// Bytes of the parts that a `sidx` lists, which begin here.
    Index { from: u64, of: [u8; 4] },
    /// Bytes and durations of a `trun` whose data begin here, so many samples.
    Run { from: u64, samples: u64 },
}

/// Adds up one or two columns of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    pub(super) of: Of,
    pub(super) at: u64,
    pub(super) left: u64,
    pub(super) stride: u64,
    /// Where in an entry the columns are.
    pub(super) sizes: Option<u64>,
    pub(super) durations: Option<u64>,
    pub(super) size: u64,
    pub(super) duration: u64,
    pub(super) last: u64,
}

/// A walk over the chunks of a track.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chunks {
    /// What `stts` says.
    timed: u64,
    chunk: u64,
    /// The next entry of `stsc`, and the chunk that it begins at.
    run: u64,
    run_end: u64,
    per_chunk: u64,
    /// Samples of this chunk that are still to be added.
    left: u64,
    end: u64,
    sample: u64,
    /// Samples for which the chunks have room.
    room: u64,
    last: Sample,
}

impl Mp4Check {
    /// Every box of the track was seen: now its tables.
    pub(super) fn finish_track(&mut self) -> Result<(), Stop> {
        self.movie.tracks += 1; // bounded by MAX_BOXES
        let Track { times, runs, sizes, offsets, .. } = self.track;
        let empty = [(times, *b"stts"), (runs, *b"stsc"), (sizes, *b"stsz"), (offsets, *b"stco")];
        let mut missing = empty.iter().filter(|(table, _)| table.count == 0);
        match (missing.next(), missing.count()) {
            // No sample is named: fragments may bring some.
            (Some(_), 3) => self.keep_track(),
            (Some((_, kind)), _) if self.track.is_media() => {
                return Err(self.broken(*kind, "it is missing or empty: the track cannot be played"));
            }
            (Some(_), _) => self.keep_track(),
            (None, _) => {
                self.job = Job::Sum(Sum {
                    of: Of::Times,
                    at: times.at,
                    left: times.count,
                    stride: 8,
                    sizes: Some(0),
                    durations: None,
                    size: 0,
                    duration: 0,
                    last: 0,
                });
            }
        }
        Ok(())
    }

    fn broken(&self, kind: [u8; 4], why: &'static str) -> Stop {
        Stop::Fault(Mp4Fault::Malformed { box_type: kind, offset: self.track.start, why })
    }

    fn keep_track(&mut self) {
        self.job = Job::Walk;
        let mut track = self.track;
        if track.samples > 0 {
            (track.begin, track.end) = (Some(0), track.duration);
        }
        if self.tracks.len() < MAX_TRACKS {
            self.tracks.push(track);
        }
    }

    /// Goes on behind tables that are more than may be read.
    pub(super) fn pass(&mut self) {
        self.movie.unchecked = true;
        let in_track = matches!(self.job, Job::Sum(Sum { of: Of::Times, .. }) | Job::Chunks(_));
        if let Job::Sum(Sum { of: Of::Run { samples, .. }, .. }) = self.job
            && let Some(track) = self.tracks.get_mut(self.fragment.track)
        {
            track.samples = track.samples.saturating_add(samples);
        }
        self.job = Job::Walk;
        if in_track {
            self.track.samples = self.track.sizes.count;
            self.keep_track();
        }
    }

    pub(super) fn sum(&mut self, sum: &mut Sum) -> Result<(), Stop> {
        while sum.left > 0 {
            let end = sum.at.saturating_add(sum.left.saturating_mul(sum.stride));
            let mut column = |at: Option<u64>| match at {
                Some(at) => self.entry(Lens::Sizes, sum.at + at, 4, end),
                None => Ok(0),
            };
            let (duration, size) = (column(sum.durations)?, column(sum.sizes)?);
            let size = if matches!(sum.of, Of::Index { .. }) { size & 0x7FFF_FFFF } else { size };
            sum.duration = sum.duration.saturating_add(duration);
            sum.size = sum.size.saturating_add(size);
            sum.last = size;
            sum.left -= 1;
            sum.at += sum.stride;
        }
        Ok(())
    }

    pub(super) fn summed(&mut self, sum: &Sum) -> Result<(), Stop> {
        self.job = Job::Walk;
        match sum.of {
            Of::Times if sum.size == 0 && self.track.is_media() => {
                return Err(self.broken(*b"stts", "it gives no sample a time: the track cannot be played"));
            }
            Of::Times => self.job = Job::Chunks(Chunks { timed: sum.size, ..Chunks::default() }),
            Of::Index { from, of } => {
                let end = from.saturating_add(sum.size);
                self.inside(of, end)?;
                self.top.indexed = self.top.indexed.max(end);
            }
            Of::Run { from, samples } => {
                let end = from.saturating_add(sum.size);
                self.inside(*b"mdat", end)?;
                self.fragment.next = end;
                self.fragment.named = self.fragment.named.saturating_add(sum.size);
                if sum.size > 0 {
                    self.movie.media_end = self.movie.media_end.max(end);
                }
                if let Some(track) = self.tracks.get_mut(self.fragment.track) {
                    track.samples = track.samples.saturating_add(samples.min(sum.size));
                    track.last.or_later(Sample { end, size: sum.last });
                    track.begin = track.begin.or(Some(track.end));
                    track.end = track.end.saturating_add(sum.duration);
                }
            }
        }
        Ok(())
    }

    /// A fault when the file ends before this.
    pub(super) fn inside(&self, box_type: [u8; 4], needs: u64) -> Result<(), Stop> {
        let has = self.total;
        if needs > has { Err(Stop::Fault(Mp4Fault::Truncated { box_type, needs, has })) } else { Ok(()) }
    }

    pub(super) fn chunks(&mut self, walk: &mut Chunks) -> Result<(), Stop> {
        let Track { sizes, offsets, runs, .. } = self.track;
        loop {
            while walk.left > 0 && walk.sample < sizes.count {
                let (taken, size) = if sizes.fixed > 0 {
                    (walk.left.min(sizes.count - walk.sample), sizes.fixed)
                } else {
                    (1, self.sample_size(walk.sample)?)
                };
                walk.end = walk.end.saturating_add(size.saturating_mul(taken));
                self.inside(*b"mdat", walk.end)?;
                walk.last.or_later(Sample { end: walk.end, size });
                walk.sample += taken;
                walk.left -= taken;
            }
            if walk.chunk == offsets.count {
                return Ok(());
            }
            while walk.chunk >= walk.run_end {
                if walk.run >= runs.count {
                    walk.run_end = u64::MAX;
                    break;
                }
                let at = runs.at + walk.run * 12;
                // The next entry says where this one ends.
                let next = if walk.run + 1 < runs.count { self.entry(Lens::Runs, at + 12, 4, runs.end())? } else { 0 };
                walk.per_chunk = self.entry(Lens::Runs, at + 4, 4, runs.end())?;
                walk.run += 1;
                walk.run_end = if walk.run < runs.count { next.saturating_sub(1) } else { u64::MAX };
            }
            let width = offsets.bits / 8;
            walk.end = self.entry(Lens::Offsets, offsets.at + walk.chunk * width, width as usize, offsets.end())?;
            self.inside(*b"mdat", walk.end.saturating_add(u64::from(walk.per_chunk > 0)))?;
            walk.left = walk.per_chunk;
            walk.room = walk.room.saturating_add(walk.per_chunk);
            walk.chunk += 1;
        }
    }

    fn sample_size(&mut self, sample: u64) -> Result<u64, Stop> {
        let sizes = self.track.sizes;
        let at = sizes.at + sample * sizes.bits / 8;
        let value = self.entry(Lens::Sizes, at, (sizes.bits / 8).max(1) as usize, sizes.end())?;
        Ok(match sizes.bits {
            4 if sample.is_multiple_of(2) => value >> 4,
            4 => value & 15,
            _ => value,
        })
    }

    pub(super) fn placed(&mut self, walk: &Chunks) -> Result<(), Stop> {
        let listed = self.track.sizes.count;
        if self.track.is_media() {
            // Writers leave the last chunk shorter than `stsc` says, and count one too many here and there.
            if walk.room < listed.min(walk.timed) {
                return Err(self.broken(*b"stco", "its chunks have no room for all samples"));
            }
            if listed + 1 < walk.room.min(walk.timed) {
                return Err(self.broken(*b"stsz", "it does not list all samples"));
            }
        }
        self.track.samples = walk.sample;
        self.track.last = walk.last;
        self.movie.media_end = self.movie.media_end.max(walk.last.end);
        self.keep_track();
        Ok(())
    }
}
