//! A server that misbehaves in every way that was seen, a disk, and a clock that only the test moves.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::super::*;
use super::{info, past_the_end, refusal};
use crate::protocol::byte_ranges::RangeSet;
use crate::protocol::mp4::Mp4Fault;

/// One state of the file on the server. Its first 8 bytes are its length, which stands for the MP4 structure.
pub(super) struct Version {
    bytes: Vec<u8>,
    etag: String,
    modified: String,
}

/// What may go wrong, and how often in a thousand.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    pub(super) cut: u32,
    pub(super) clean_cut: u32,
    pub(super) lost: u32,
    pub(super) upstream: u32,
    pub(super) rate_limited: u32,
    pub(super) not_ready: u32,
    pub(super) html: u32,
    pub(super) wrong_start: u32,
    pub(super) short_part: u32,
    pub(super) ignores_range: u32,
    pub(super) blocked: u32,
    pub(super) killed: u32,
    /// The file becomes another one.
    pub(super) change: u32,
    /// No fault after so many.
    pub(super) at_most: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) honours_range: bool,
    pub(super) content_range: bool,
    pub(super) content_length: bool,
    pub(super) etag: bool,
    /// Every answer has a tag of its own.
    pub(super) alternates: bool,
    pub(super) weakens: bool,
    pub(super) modified: bool,
    pub(super) past_end: u16,
    /// Sources that never work, with the status that they answer.
    pub(super) unusable: BTreeMap<&'static str, u16>,
    pub(super) faults: Faults,
}

enum Exchange {
    Opening { host: String, range: Option<(u64, Option<u64>)> },
    Body { version: usize, pos: usize, end: usize, cut: Option<(usize, bool)> },
}

pub(super) struct Simulation {
    pub(super) server: Server,
    pub(super) versions: Vec<Version>,
    pub(super) policy: DownloadPolicy,
    pub(super) sources: Vec<Url>,
    pub(super) can_query: bool,
    /// No source is known at the beginning.
    pub(super) asks_first: bool,
    pub(super) rng: fastrand::Rng,
    pub(super) now: Time,
    pub(super) requests: u32,
    pub(super) resets: u32,
    pub(super) trace: String,
    version: usize,
    faults: u32,
    disk: Vec<u8>,
    written: RangeSet,
    lanes: BTreeMap<usize, Exchange>,
    querying: bool,
}

impl Simulation {
    pub(super) fn new(seed: u64, lengths: &[usize], server: Server, policy: DownloadPolicy) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let versions = lengths.iter().enumerate().map(|(number, length)| {
            let mut bytes: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(*length).collect();
            let head = (*length as u64).to_be_bytes();
            let known = head.len().min(*length);
            bytes[..known].copy_from_slice(&head[..known]);
            Version { bytes, etag: format!("\"{number}\""), modified: format!("Mon, 01 Jun 2026 10:00:0{number} GMT") }
        });
        let versions = versions.collect();
        Self {
            server,
            versions,
            policy,
            sources: vec![Url::parse("https://r.example/video?sig=1").unwrap()],
            can_query: false,
            asks_first: false,
            rng,
            now: Time::default(),
            requests: 0,
            resets: 0,
            trace: String::new(),
            version: 0,
            faults: 0,
            disk: Vec::new(),
            written: RangeSet::new(),
            lanes: BTreeMap::new(),
            querying: false,
        }
    }

    fn says(&mut self, per_mille: u32) -> bool {
        let yes = self.faults < self.server.faults.at_most && self.rng.u32(..1000) < per_mille;
        self.faults += u32::from(yes);
        yes
    }

    fn machine(&mut self) -> DownloadMachine {
        let sources = if self.asks_first { Vec::new() } else { self.sources.clone() };
        DownloadMachine::new(self.policy.clone(), sources, self.can_query, self.now, self.rng.u64(..))
    }

    /// Runs to the end and checks what must hold at every moment; the bytes that were wanted, or the error.
    pub(super) fn run(&mut self) -> Result<(Vec<u8>, Finished)> {
        let mut machine = self.machine();
        let mut rounds = 0;
        loop {
            rounds += 1;
            assert!(rounds < 200_000, "it does not end\n{}", self.tail());
            let until = match self.steps(&mut machine) {
                Ok(until) => until,
                Err(result) => {
                    assert!(self.lanes.is_empty(), "lanes are left open\n{}", self.tail());
                    return result.map(|finished| (self.disk.clone(), finished));
                }
            };
            if self.says(self.server.faults.killed) {
                // The process dies; the next one goes on from the sidecar.
                let progress = machine.progress();
                let _ = writeln!(self.trace, "killed with {progress:?}");
                self.lanes.clear();
                self.querying = false;
                machine = self.machine().resume(progress);
                continue;
            }
            if self.version + 1 < self.versions.len() && self.says(self.server.faults.change) {
                self.version += 1;
                let _ = writeln!(self.trace, "the file changes");
            }
            let due = self.lanes.len() + usize::from(self.querying);
            if due == 0 {
                let until = until.unwrap_or_else(|| panic!("it waits for nothing\n{}", self.tail()));
                assert!(until > self.now, "it waits for the past\n{}", self.tail());
                self.now = until;
                continue;
            }
            self.now = self.now + Duration::from_millis(self.rng.u64(..50));
            let choice = self.rng.usize(..due);
            if let Some(lane) = self.lanes.keys().nth(choice).copied() {
                self.event(&mut machine, lane);
            } else {
                self.querying = false;
                let fails = self.says(self.server.faults.upstream);
                let answer = if fails { Err(refusal(ErrorKind::Upstream, 502)) } else { Ok(self.sources.clone()) };
                machine.queried(self.now, answer);
            }
            self.no_two_lanes_share(&machine);
        }
    }

    /// Steps until the machine waits.
    fn steps(&mut self, machine: &mut DownloadMachine) -> std::result::Result<Option<Time>, Result<Finished>> {
        for _ in 0..64 {
            let step = machine.step(self.now);
            self.no_two_lanes_share(machine);
            if !matches!(step, DownloadStep::Wait(_)) {
                let _ = writeln!(self.trace, "{:?} {step:?}", self.now.since(Time::default()));
            }
            match step {
                DownloadStep::Wait(until) => return Ok(until),
                DownloadStep::Done(result) => return Err(result),
                DownloadStep::Query => {
                    assert!(!self.querying && self.can_query, "{}", self.tail());
                    self.querying = true;
                }
                DownloadStep::Reset => {
                    self.resets += 1;
                    self.written = RangeSet::new();
                    self.disk.clear();
                }
                DownloadStep::Close { lane } => {
                    assert!(self.lanes.remove(&lane).is_some(), "an idle lane is closed\n{}", self.tail());
                }
                DownloadStep::Open { lane, url, range } => {
                    self.requests += 1;
                    assert!(self.requests < 4_000, "too many requests\n{}", self.tail());
                    let (start, end) = range.unwrap_or((0, None));
                    let end = end.unwrap_or(u64::MAX);
                    assert!(start < end, "an empty range is asked for\n{}", self.tail());
                    let missing = self.written.first_gap(start..end);
                    // But for a few to compare, and for a look whether a refused file has become another one.
                    let again = if machine.compares() { OVERLAP } else { 0 };
                    let looks = range.is_none() || start == self.disk.len() as u64;
                    let asked = missing.is_some_and(|gap| gap.start <= start + again);
                    assert!(asked || looks, "asked again\n{}", self.tail());
                    let behind = self.written.iter().any(|run| run.end > start + again && run.start < end);
                    assert!(!behind || looks, "bytes that are there are asked for\n{}", self.tail());
                    let host = url.host().to_owned();
                    let old = self.lanes.insert(lane, Exchange::Opening { host, range });
                    assert!(old.is_none(), "a busy lane is opened\n{}", self.tail());
                }
                DownloadStep::Verify { total } => {
                    let seen = &self.disk[..self.disk.len().min(total as usize)];
                    let needs = seen.first_chunk().map_or(8, |head| u64::from_be_bytes(*head));
                    let whole = needs == total && seen.len() as u64 == total;
                    let fault = Mp4Fault::Truncated { box_type: *b"mdat", needs, has: total };
                    machine.verified(self.now, if whole { Ok(info()) } else { Err(fault) });
                }
            }
        }
        panic!("the steps do not end\n{}", self.tail());
    }

    fn event(&mut self, machine: &mut DownloadMachine, lane: usize) {
        match self.lanes.remove(&lane).unwrap() {
            Exchange::Opening { host, range } => self.answer(machine, lane, &host, range),
            Exchange::Body { version, pos, end, cut } => {
                let stop = cut.map_or(end, |(at, _)| at);
                if pos < stop {
                    let most = if self.rng.u8(..4) == 0 { 10 } else { 20_000 };
                    let length = self.rng.usize(1..=most).min(stop - pos);
                    if let Some(pos) = self.piece(machine, lane, version, pos, length) {
                        self.lanes.insert(lane, Exchange::Body { version, pos, end, cut });
                    }
                } else if cut.is_some_and(|(_, clean)| !clean) {
                    let _ = writeln!(self.trace, "lane {lane} lost at {pos}");
                    machine.lost(self.now, lane, "cut");
                } else {
                    let _ = writeln!(self.trace, "lane {lane} ended at {pos}");
                    machine.ended(self.now, lane);
                }
            }
        }
    }

    /// One piece of a body, as the driver hands it on. `None` when the lane has what it came for.
    fn piece(
        &mut self,
        machine: &mut DownloadMachine,
        lane: usize,
        from: usize,
        mut pos: usize,
        length: usize,
    ) -> Option<usize> {
        let stop = pos + length;
        while pos < stop {
            let place = machine.data(lane, (stop - pos) as u64);
            let (skip, write, at) = (place.skip as usize, place.write as usize, place.at as usize);
            if machine.compares() && self.disk.get(pos..pos + skip) != self.versions[from].bytes.get(pos..pos + skip) {
                let _ = writeln!(self.trace, "lane {lane} differs at {pos}");
                machine.differs();
                return (!place.finished).then_some(pos);
            }
            pos += skip;
            if write > 0 {
                let fresh = self.written.insert(place.at, place.at + place.write);
                assert_eq!(fresh, place.write, "bytes come twice\n{}", self.tail());
                if self.disk.len() < at + write {
                    self.disk.resize(at + write, 0);
                }
                self.disk[at..at + write].copy_from_slice(&self.versions[from].bytes[pos..pos + write]);
                pos += write;
            }
            if place.finished {
                let _ = writeln!(self.trace, "lane {lane} finished at {pos}");
                return None;
            }
            assert!(skip + write > 0, "a piece goes nowhere\n{}", self.tail());
        }
        Some(pos)
    }

    fn answer(&mut self, machine: &mut DownloadMachine, lane: usize, host: &str, range: Option<(u64, Option<u64>)>) {
        let now = self.now;
        let faults = self.server.faults.clone();
        if let Some(status) = self.server.unusable.get(host) {
            let kind = match status {
                401 => ErrorKind::Authentication,
                403 => ErrorKind::PermissionDenied,
                _ => ErrorKind::NotFound,
            };
            return machine.refused(now, lane, refusal(kind, *status));
        }
        let kinds = [
            (faults.upstream, ErrorKind::Upstream, 502),
            (faults.rate_limited, ErrorKind::RateLimited, 429),
            (faults.not_ready, ErrorKind::NotReady, 400),
            (faults.blocked, ErrorKind::PermissionDenied, 403),
        ];
        for (often, kind, status) in kinds {
            if self.says(often) {
                let _ = writeln!(self.trace, "lane {lane} refused: {status}");
                let error = refusal(kind, status).with(|record| record.transient = true);
                return machine.refused(now, lane, error);
            }
        }
        if self.says(faults.lost) {
            let _ = writeln!(self.trace, "lane {lane} lost before its head");
            return machine.lost(now, lane, "no answer");
        }
        let version = &self.versions[self.version];
        let length = version.bytes.len();
        let etag = if self.server.alternates { format!("\"{}\"", self.requests % 2) } else { version.etag.clone() };
        let modified = version.modified.clone();
        let honours = self.server.honours_range && !self.says(faults.ignores_range);
        let (status, start, mut end) = match range.filter(|_| honours) {
            None => (200, 0, length),
            Some((start, _)) if start as usize >= length => {
                let _ = writeln!(self.trace, "lane {lane} is past the end");
                return machine.refused(now, lane, past_the_end(self.server.past_end));
            }
            Some((start, end)) => (206, start as usize, end.map_or(length, |end| length.min(end as usize))),
        };
        let visible = self.server.content_range;
        if status == 206 && visible && self.says(faults.short_part) {
            end = self.rng.usize(start + 1..=end);
        }
        let shown = if status == 206 && visible && self.says(faults.wrong_start) { start + 1 } else { start };
        let weak = self.server.weakens && self.rng.bool();
        let html = self.says(faults.html);
        let head = Head {
            status,
            length: self.server.content_length.then_some((end - start) as u64),
            content_range: (status == 206 && visible)
                .then(|| format!("bytes {shown}-{}/{length}", shown + (end - start) - 1)),
            content_type: html.then(|| "text/html".into()),
            etag: self.server.etag.then(|| if weak { format!("W/{etag}") } else { etag }),
            last_modified: self.server.modified.then_some(modified),
            compressed: false,
        };
        let verdict = machine.head(now, lane, &head);
        let _ = writeln!(self.trace, "lane {lane} {head:?} {verdict:?}");
        if verdict == HeadVerdict::Read {
            let cut = if self.says(faults.cut) {
                Some((self.rng.usize(start..=end), false))
            } else if self.says(faults.clean_cut) {
                Some((self.rng.usize(start..=end), true))
            } else {
                None
            };
            self.lanes.insert(lane, Exchange::Body { version: self.version, pos: start, end, cut });
        }
    }

    /// Never may two lanes claim the same byte.
    fn no_two_lanes_share(&self, machine: &DownloadMachine) {
        let mut claims: Vec<_> = machine.lanes.iter().filter_map(Lane::claim).collect();
        claims.sort_by_key(|claim| claim.start);
        for pair in claims.windows(2) {
            assert!(pair[0].end <= pair[1].start, "claims overlap: {claims:?}\n{}", self.tail());
        }
    }

    pub(super) fn tail(&self) -> String {
        let lines: Vec<_> = self.trace.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// The bytes on the disk are those of one version, or the test fails.
    pub(super) fn check(&self, disk: &[u8], finished: &Finished) {
        let wanted = self.policy.wanted.clone();
        let of = |bytes: &[u8], total: usize| {
            let range = wanted
                .clone()
                .map_or(0..total, |wanted| (wanted.start as usize).min(total)..(wanted.end as usize).min(total));
            bytes.get(range).map(<[u8]>::to_vec)
        };
        let same = self.versions.iter().any(|version| {
            let total = version.bytes.len();
            let part = of(&version.bytes, total).unwrap();
            let behind = wanted.as_ref().is_some_and(|wanted| wanted.start >= total as u64);
            let told = finished.total.is_none_or(|told| told == total as u64 || behind && told > total as u64);
            let read = of(disk, total).unwrap_or_default();
            let no_more = wanted.is_some() || disk.len() == total;
            told && read == part && no_more
        });
        assert!(same, "the bytes are of no version: {finished:?}\n{}", self.tail());
    }
}
