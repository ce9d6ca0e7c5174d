//! The loop of a download: carries out what [`DownloadMachine`] says, and hands on the bytes.

mod reading;
mod source;

use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::async_compat::BoxFuture;
use crate::calls::client_core::{ClientCore, NoResponse, Secret, Turn, read_capped};
use crate::calls::departure::Gate;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::transport::{Failure, Piece, PieceResponse, PieceStream};
use crate::net::url::Url;
use crate::protocol::content_range::range_header;
use crate::protocol::mp4::{BoxCounter, Mp4Fault, Mp4Info, begins_mp4, looks_like_mp4};
use crate::protocol::{
    DownloadMachine, DownloadPolicy, DownloadStep, Finished, Head, HeadVerdict, OVERLAP, Progress, classify,
    transport_error,
};
use crate::text::decimal::Seconds;
use crate::time::Time;

pub use reading::MemorySink;
pub(crate) use reading::{ByteStream, Tell, to_memory};
pub(crate) use source::{Charge, Source, video_of};

/// Largest error body that is read.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// Bytes that show whether a file begins like an MP4.
const JUDGED: usize = 32;

/// What a download brings to whoever keeps the bytes.
pub(crate) enum FetchEvent {
    /// New bytes for this place in the file.
    Write { at: u64, bytes: Piece },
    /// Everything written so far is void.
    Reset,
    /// Every byte is there: check it and call [`Fetch::verified`].
    Verify { total: u64 },
    /// It has ended.
    Done(Result<Finished>),
}

enum Opened {
    Response(PieceResponse),
    Refused(Error),
    Unreachable(String),
    Lost(String),
}

enum Lane {
    Idle,
    Opening(BoxFuture<'static, Opened>),
    Reading { body: PieceStream, guard: IdleGuard },
}

/// Ends a read that brings nothing for too long. Armed once per period, so a busy body costs no timer operations.
struct IdleGuard {
    sleep: BoxFuture<'static, ()>,
    busy: bool,
}

/// A download at work.
pub(crate) struct Fetch {
    core: Arc<ClientCore>,
    /// In a box: a future holds it several times.
    machine: Box<DownloadMachine>,
    task_id: Option<String>,
    charge: Charge,
    lanes: Vec<Lane>,
    /// Where the next round of polling begins, so that no lane starves.
    turn: usize,
    /// What is left of a piece that belongs to several places.
    piece: Option<(usize, Piece)>,
    query: Option<BoxFuture<'static, Result<Vec<Url>>>>,
    alarm: Option<(Time, BoxFuture<'static, ()>)>,
    check_first_bytes: bool,
    /// The first bytes of a body, while they are too few to be judged.
    beginning: Option<(usize, Vec<u8>)>,
    /// Counts boxes, where no check at the end does.
    boxes: Option<BoxCounter>,
    /// The last bytes that were handed on, and where they end: to be compared with another answer's.
    tail: (u64, Vec<u8>),
    rate_limit: Option<u64>,
    max_bytes: u64,
    /// The bandwidth limit is used up to this time.
    paid_until: Time,
}

impl Fetch {
    pub(crate) fn new(core: Arc<ClientCore>, source: &Source, policy: DownloadPolicy, kept: Option<Progress>) -> Self {
        let urls = source.urls(&core);
        let lanes = (0..policy.connections.clamp(1, crate::protocol::MAX_CONNECTIONS)).map(|_| Lane::Idle).collect();
        let check_first_bytes = policy.first_bytes;
        // A part is bounded by what was asked for.
        let max_bytes = if policy.wanted.is_some() { u64::MAX } else { policy.max_bytes };
        let (now, seed) = (core.now(), core.timer.seed());
        let mut machine = DownloadMachine::new(policy, urls, source.task_id.is_some(), now, seed);
        if let Some(kept) = kept {
            machine = machine.resume(kept);
        }
        Self {
            machine: Box::new(machine),
            task_id: source.task_id.clone(),
            charge: source.charge.clone(),
            lanes,
            turn: 0,
            piece: None,
            query: None,
            alarm: None,
            check_first_bytes,
            beginning: None,
            boxes: None,
            tail: (0, Vec::new()),
            rate_limit: None,
            max_bytes,
            paid_until: now,
            core,
        }
    }

    /// Bytes per second at most.
    #[cfg(any(feature = "native", feature = "node"))]
    pub(crate) fn limit_rate(&mut self, bytes_per_second: Option<u64>) {
        self.rate_limit = bytes_per_second.filter(|rate| *rate > 0);
    }

    /// Counts the boxes that go past: where the length of the file was never told, an end inside of one is an error.
    pub(crate) fn counting(mut self) -> Self {
        self.boxes = (!self.machine.checks_structure()).then(BoxCounter::default);
        self
    }

    /// Drops what is in progress and begins with another part; see [`DownloadMachine::next_part`].
    pub(crate) fn next_part(&mut self, wanted: Range<u64>, known: Progress) {
        self.lanes.fill_with(|| Lane::Idle);
        self.piece = None;
        self.beginning = None;
        self.query = None;
        self.alarm = None;
        self.machine.next_part(self.core.now(), wanted, known);
    }

    /// See [`DownloadMachine::widen`].
    pub(crate) fn widen(&mut self) {
        self.machine.widen();
    }

    /// A pause by the clock of this download.
    pub(crate) fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.core.timer.sleep(duration)
    }

    pub(crate) fn machine(&self) -> &DownloadMachine {
        &self.machine
    }

    pub(crate) fn verified(&mut self, result: Result<Mp4Info, Mp4Fault>) {
        self.machine.verified(self.core.now(), result);
    }

    pub(crate) async fn next(&mut self) -> FetchEvent {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<FetchEvent> {
        loop {
            if let Some((lane, piece)) = self.piece.take()
                && let Some(event) = self.place(lane, piece)
            {
                return Poll::Ready(event);
            }
            if self.piece.is_some() {
                continue;
            }
            let until = match self.machine.step(self.core.now()) {
                DownloadStep::Open { lane, url, range } => {
                    let opening = open(self.core.clone(), url, range);
                    self.set(lane, Lane::Opening(opening));
                    continue;
                }
                DownloadStep::Close { lane } => {
                    self.set(lane, Lane::Idle);
                    continue;
                }
                DownloadStep::Query => {
                    self.query = Some(query(self.core.clone(), self.task_id.clone(), self.charge.clone()));
                    continue;
                }
                DownloadStep::Reset => {
                    self.tail.1.clear();
                    self.boxes = self.boxes.take().map(|_| BoxCounter::default());
                    return Poll::Ready(FetchEvent::Reset);
                }
                DownloadStep::Verify { total } => return Poll::Ready(FetchEvent::Verify { total }),
                DownloadStep::Done(result) => {
                    let task = self.task_id.as_deref();
                    let result = result.and_then(|finished| self.not_cut(&finished).map_or(Ok(finished), Err));
                    return Poll::Ready(FetchEvent::Done(result.map_err(|error| error.about(task))));
                }
                DownloadStep::Wait(until) => until,
            };
            if let Some(query) = &mut self.query
                && let Poll::Ready(result) = query.as_mut().poll(cx)
            {
                self.query = None;
                self.machine.queried(self.core.now(), result);
                continue;
            }
            let throttled = self.rate_limit.is_some() && self.paid_until > self.core.now();
            if self.poll_lanes(cx, throttled) {
                continue;
            }
            let until = match (until, throttled) {
                (Some(until), true) => Some(until.min(self.paid_until)),
                (None, true) => Some(self.paid_until),
                (until, false) => until,
            };
            if self.poll_alarm(cx, until) {
                continue;
            }
            return Poll::Pending;
        }
    }

    /// True when the time has come.
    fn poll_alarm(&mut self, cx: &mut Context<'_>, until: Option<Time>) -> bool {
        let Some(until) = until else {
            self.alarm = None;
            return false;
        };
        if self.alarm.as_ref().is_none_or(|(set, _)| *set != until) {
            let left = until.since(self.core.now());
            self.alarm = Some((until, self.core.timer.sleep(left)));
        }
        let due = self.alarm.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
        if due {
            self.alarm = None;
        }
        due
    }

    /// Polls the lanes in turn; true when one brought something.
    fn poll_lanes(&mut self, cx: &mut Context<'_>, throttled: bool) -> bool {
        let count = self.lanes.len();
        for offset in 0..count {
            let at = (self.turn + offset) % count;
            let Some(lane) = self.lanes.get_mut(at) else { continue };
            match lane {
                Lane::Idle => {}
                Lane::Opening(opening) => {
                    if let Poll::Ready(opened) = opening.as_mut().poll(cx) {
                        self.opened(at, opened);
                        return true;
                    }
                }
                Lane::Reading { .. } if throttled => {}
                Lane::Reading { body, guard } => match body.as_mut().poll_next(cx) {
                    Poll::Ready(Some(Ok(piece))) => {
                        guard.busy = true;
                        self.turn = at + 1;
                        self.arrived(at, piece);
                        return true;
                    }
                    Poll::Ready(Some(Err(error))) => {
                        self.set(at, Lane::Idle);
                        self.machine.lost(self.core.now(), at, &error.message);
                        return true;
                    }
                    Poll::Ready(None) => {
                        let short = self.beginning.as_ref().is_some_and(|(lane, _)| *lane == at);
                        if short && self.machine.trusts_place(at) {
                            // So few bytes are no beginning of an MP4. The end comes again, behind them.
                            *body = Box::pin(futures_util::stream::empty());
                            let bytes = self.beginning.take().map(|(_, bytes)| bytes).unwrap_or_default();
                            self.piece = Some((at, Bytes::from(bytes).into()));
                            return true;
                        }
                        self.set(at, Lane::Idle);
                        if short {
                            self.machine.not_a_video(self.core.now(), at);
                            return true;
                        }
                        self.machine.ended(self.core.now(), at);
                        return true;
                    }
                    Poll::Pending => {
                        while guard.sleep.as_mut().poll(cx).is_ready() {
                            let idle = self.core.config.idle_timeout;
                            if !guard.busy {
                                self.set(at, Lane::Idle);
                                let why = format!("no byte came for {} s", Seconds(idle));
                                self.machine.lost(self.core.now(), at, &why);
                                return true;
                            }
                            *guard = IdleGuard { sleep: self.core.timer.sleep(idle), busy: false };
                        }
                    }
                },
            }
        }
        false
    }

    fn opened(&mut self, lane: usize, opened: Opened) {
        let now = self.core.now();
        match opened {
            Opened::Response(response) => {
                let head = Head::new(response.status, &response.headers);
                tracing::debug!(name: "video_response", lane, status = head.status, length = head.length, "video response");
                if self.machine.head(now, lane, &head) == HeadVerdict::Read {
                    let guard = IdleGuard { sleep: self.core.timer.sleep(self.core.config.idle_timeout), busy: false };
                    self.set(lane, Lane::Reading { body: response.body, guard });
                } else {
                    self.set(lane, Lane::Idle);
                }
            }
            Opened::Refused(error) => {
                self.set(lane, Lane::Idle);
                tracing::debug!(name: "video_refused", lane, error = error.kind().name(), status = error.status(), "video request refused");
                self.machine.refused(now, lane, error);
            }
            Opened::Unreachable(why) => {
                self.set(lane, Lane::Idle);
                tracing::debug!(name: "no_connection", lane, why, "no connection for the video");
                self.machine.unreachable(now, lane, &why);
            }
            Opened::Lost(why) => {
                self.set(lane, Lane::Idle);
                tracing::debug!(name: "video_failed", lane, why, "video request failed");
                self.machine.lost(now, lane, &why);
            }
        }
    }

    fn arrived(&mut self, lane: usize, piece: Piece) {
        if let Some(rate) = self.rate_limit {
            let now = self.core.now();
            let seconds = piece.len() as f64 / rate as f64;
            self.paid_until = self.paid_until.max(now) + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        }
        self.piece = self.judgeable(lane, piece).map(|piece| (lane, piece));
    }

    /// The piece, unless it is, or must not be, the begin of the file and is too short to be judged: then the next one is waited for.
    fn judgeable(&mut self, lane: usize, piece: Piece) -> Option<Piece> {
        let judges = self.check_first_bytes || self.machine.doubts_type(lane);
        let begins = judges && self.machine.expects_beginning(lane) && !self.machine.wants_less_than(8);
        if !begins && !self.machine.trusts_place(lane) {
            return Some(piece);
        }
        let mut begun = self.beginning.take().filter(|(of, _)| *of == lane).map(|(_, bytes)| bytes).unwrap_or_default();
        if begun.is_empty() && looks_like_mp4(&piece.first(JUDGED)).is_some() {
            return Some(piece);
        }
        begun.extend_from_slice(&piece.into_bytes());
        if looks_like_mp4(&begun).is_some() {
            return Some(Bytes::from(begun).into());
        }
        self.beginning = Some((lane, begun));
        None
    }

    /// What is wrong with the end of a file whose length was never told: it lies inside of a box.
    fn not_cut(&self, finished: &Finished) -> Option<Error> {
        let end = finished.total.filter(|_| self.machine.total().is_none())?;
        let (kind, needs) = self.boxes.as_ref()?.cut_at(end)?;
        let box_type = kind.escape_ascii();
        let mut why =
            format!("the video ends in its '{box_type}' box: {end} bytes came, and at least {needs} are needed");
        if !self.machine.ranges_honoured() {
            why.push_str("; the server ignores Range and ends every connection there");
        }
        Some(Error::new(ErrorKind::Integrity, Phase::Content, why))
    }

    /// Keeps the last bytes that are there and compares those that come again. False when they differ.
    fn compare(&mut self, skipped: &[u8], at: u64, new: &[u8]) -> bool {
        let (end, tail) = &mut self.tail;
        if self.machine.compares() {
            let (from, to) = (at - skipped.len() as u64, at);
            let begin = *end - tail.len() as u64;
            let (first, last) = (from.max(begin), to.min(*end));
            let part = |bytes: &[u8], start: u64| {
                bytes.get((first - start) as usize..(last - start) as usize).map(<[u8]>::to_vec)
            };
            if first < last && part(tail, begin) != part(skipped, from) {
                return false;
            }
        }
        if self.machine.may_compare() && !new.is_empty() {
            if *end != at {
                tail.clear();
            }
            tail.extend_from_slice(new);
            *end = at + new.len() as u64;
            let too_many = tail.len().saturating_sub(OVERLAP as usize);
            tail.drain(..too_many);
        }
        true
    }

    /// Finds out where the piece belongs; what is left of it waits for the next round.
    fn place(&mut self, lane: usize, mut piece: Piece) -> Option<FetchEvent> {
        let doubted = self.machine.doubts_type(lane);
        if (self.check_first_bytes || doubted) && self.machine.expects_beginning(lane) {
            if looks_like_mp4(&piece.first(JUDGED)) == Some(false) {
                self.set(lane, Lane::Idle);
                self.machine.not_a_video(self.core.now(), lane);
                return None;
            }
            self.machine.is_a_video(lane);
        }
        if self.machine.trusts_place(lane) && begins_mp4(&piece.first(JUDGED)) {
            self.set(lane, Lane::Idle);
            self.machine.misplaced(self.core.now(), lane);
            return None;
        }
        let place = self.machine.data(lane, piece.len() as u64);
        if place.finished {
            self.set(lane, Lane::Idle);
        }
        if self.machine.compares() || self.machine.may_compare() || self.boxes.is_some() {
            piece = piece.into_bytes().into();
        }
        let skipped = piece.split_to(place.skip as usize);
        let bytes = piece.split_to(place.write as usize);
        if !place.finished && !piece.is_empty() && place.skip + place.write > 0 {
            self.piece = Some((lane, piece));
        }
        if !self.compare(skipped.here(), place.at, bytes.here()) {
            self.piece = None;
            self.machine.differs();
            return None;
        }
        if let Some(boxes) = &mut self.boxes {
            boxes.pass(place.at - skipped.len() as u64, skipped.here());
            boxes.pass(place.at, bytes.here());
        }
        // Where the length is known, whoever keeps the bytes can judge it.
        let needed = if self.machine.total().is_some() { 0 } else { place.at + bytes.len() as u64 };
        match bytes.is_empty() {
            true => None,
            false if needed > self.max_bytes => {
                self.lanes.fill_with(|| Lane::Idle);
                self.piece = None;
                Some(FetchEvent::Done(Err(self.too_long())))
            }
            false => Some(FetchEvent::Write { at: place.at, bytes }),
        }
    }

    /// The text does not say how many bytes came: that depends on how the body was cut into pieces.
    fn too_long(&self) -> Error {
        let most = self.max_bytes;
        let text = format!("the server does not say how long the video is, and more than {most} bytes came");
        let error = Error::field(ErrorKind::InvalidRequest, Phase::Content, "max_bytes", text);
        error.about(self.task_id.as_deref())
    }

    fn set(&mut self, lane: usize, state: Lane) {
        self.beginning = self.beginning.take().filter(|(of, _)| *of != lane);
        if let Some(lane) = self.lanes.get_mut(lane) {
            *lane = state;
        }
    }
}

fn open(core: Arc<ClientCore>, url: Url, range: Option<(u64, Option<u64>)>) -> BoxFuture<'static, Opened> {
    Box::pin(async move {
        // Private content comes marked as public and cacheable (observed), and a compressed answer has no ranges.
        let mut headers = vec![
            ("Accept", "video/mp4, video/*;q=0.9, */*;q=0.1".to_owned()),
            ("Accept-Encoding", "identity".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        if let Some((start, end)) = range {
            headers.push(("Range", range_header(start, end)));
        }
        let exchange = async {
            let response = match core
                .send(Phase::Content, &url, None, headers, &Secret::default(), Duration::MAX, &Gate::default())
                .await
            {
                Ok((response, _)) => response,
                Err(NoResponse::Refused(error)) => return Opened::Refused(error),
                Err(NoResponse::Failed(error)) if error.failure == Failure::Certificate => {
                    return Opened::Refused(transport_error(Phase::Content, error));
                }
                Err(NoResponse::Failed(error)) if error.failure.not_sent() => {
                    return Opened::Unreachable(error.message);
                }
                Err(NoResponse::Failed(error)) => return Opened::Lost(error.message),
            };
            if (200..300).contains(&response.status) {
                return Opened::Response(response);
            }
            let (status, headers) = (response.status, response.headers);
            let mut body = BytesMut::new();
            let _ = read_capped(response.body, MAX_ERROR_BODY, &mut body).await;
            let answer = core.answer(status, headers, &body.freeze());
            let odd =
                || Error::new(ErrorKind::UnexpectedResponse, Phase::Content, format!("HTTP {status} for a video"));
            Opened::Refused(classify(Phase::Content, &answer).unwrap_or_else(odd))
        };
        let limit = core.config.timeout;
        let late = || Opened::Lost(format!("{} did not answer within {} s", url.origin(), Seconds(limit)));
        core.within(limit, exchange).await.unwrap_or_else(late)
    })
}

fn query(core: Arc<ClientCore>, task_id: Option<String>, charge: Charge) -> BoxFuture<'static, Result<Vec<Url>>> {
    Box::pin(async move {
        let id = task_id.unwrap_or_default();
        let snapshot = core.query(&id, core.config.timeout, core.config.retry.clone(), Turn::ToCome).await?;
        charge.note(&snapshot);
        let source = Source { task_id: Some(id), url: snapshot.video_url.clone(), charge };
        video_of(&snapshot).map(|()| source.urls(&core))
    })
}
