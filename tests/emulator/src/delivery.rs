//! The way a response's body goes out: counted, slowed, paused or cut.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{io::Connection, log::Entry, state::InFlight, video::CHUNK};

/// What happens to a body on its way.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delivery {
    /// End the connection after so many bytes, by RST or FIN.
    pub(crate) cut: Option<(u64, bool)>,
    /// The body has no length: where it is cut its end looks like the whole's.
    pub(crate) chunked: bool,
    /// Its end is the end of the connection.
    pub(crate) until_close: bool,
    /// It breaks off all the same.
    pub(crate) breaks: bool,
    /// Time between the last byte before a cut and the end of the connection, 10 ms unless it is said.
    pub(crate) cut_pause: Option<Duration>,
    /// Pause after so many bytes, for so many milliseconds or for ever.
    pub(crate) stall: Option<(u64, Option<u64>)>,
    /// End the connection at a moment.
    pub(crate) deadline: Option<Instant>,
    /// Bytes per second for this response.
    pub(crate) rate: Option<u64>,
    /// Bytes per second for all responses together.
    pub(crate) shared_rate: Option<(u64, Arc<Pacer>)>,
    /// Bytes after the end.
    pub(crate) extra: u64,
    /// Added to the announced length.
    pub(crate) promise: i64,
    /// Length of the body as it will be sent, where that is known.
    pub(crate) expected: Option<u64>,
}

/// Hands out moments so that all takers together keep one rate.
#[derive(Debug, Default)]
pub(crate) struct Pacer {
    free_at: Mutex<Option<Instant>>,
}

impl Pacer {
    fn reserve(&self, bytes: u64, rate: u64) -> Instant {
        let now = Instant::now();
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let start = free_at.map_or(now, |at| at.max(now));
        *free_at = Some(start + Duration::from_secs_f64(bytes as f64 / rate as f64));
        start
    }
}

struct Sender {
    body: Option<BodyDataStream>,
    rest: Bytes,
    sent: u64,
    started: Instant,
    written_before: u64,
    delivery: Delivery,
    connection: Arc<Connection>,
    entry: Arc<Entry>,
    // Ends with the body: that is when the request is over.
    _in_flight: InFlight,
}

/// Wraps a body.
pub(crate) fn deliver(
    body: Body,
    delivery: Delivery,
    connection: Arc<Connection>,
    entry: Arc<Entry>,
    in_flight: InFlight,
) -> Body {
    let sender = Sender {
        body: Some(body.into_data_stream()),
        rest: Bytes::new(),
        sent: 0,
        started: Instant::now(),
        written_before: connection.written(),
        delivery,
        connection,
        entry,
        _in_flight: in_flight,
    };
    sender.note_end();
    Body::from_stream(stream::unfold(sender, |mut sender| async move {
        let piece = sender.next().await?;
        Some((piece, sender))
    }))
}

impl Sender {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        if let Some(deadline) = self.delivery.deadline {
            // A timeout looks at its future first: of a server that stood still, every piece is due when the time is over.
            let in_time = if Instant::now() < deadline {
                tokio::time::timeout_at(deadline, self.piece()).await.ok()
            } else {
                None
            };
            match in_time {
                Some(piece) => piece,
                None if self.ends_cleanly(false) => None,
                None => Some(Err(self.cut(false).await)),
            }
        } else {
            self.piece().await
        }
    }

    async fn piece(&mut self) -> Option<io::Result<Bytes>> {
        if let Some((at, ms)) = self.delivery.stall
            && self.sent >= at
        {
            match ms {
                Some(ms) => sleep(Duration::from_millis(ms)).await,
                None => std::future::pending().await,
            }
            self.delivery.stall = None;
        }
        if let Some((at, rst)) = self.delivery.cut
            && self.sent >= at
        {
            return if self.ends_cleanly(rst) { None } else { Some(Err(self.cut(rst).await)) };
        }
        // Where less is promised than there is, the server would drop the connection rather than send a part.
        let promised = match (self.delivery.expected, self.delivery.promise) {
            (Some(expected), promise @ i64::MIN..0) => expected.saturating_add_signed(promise),
            _ => u64::MAX,
        };
        if self.sent >= promised {
            return None;
        }
        while self.rest.is_empty() {
            match self.body.as_mut()?.next().await {
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(error)) => return Some(Err(io::Error::other(error))),
                None if self.delivery.extra > 0 => {
                    let extra = self.delivery.extra.min(CHUNK as u64);
                    self.delivery.extra -= extra;
                    self.rest = Bytes::from(vec![0xEE; extra as usize]);
                }
                // More was promised: the connection ends, as the server could not go on with it.
                None if self.delivery.promise > 0 => return Some(Err(self.cut(false).await)),
                None => {
                    self.body = None;
                    self.entry.set_complete();
                    return None;
                }
            }
        }
        let mut most = (CHUNK as u64).min(promised - self.sent);
        for at in [self.delivery.cut.map(|cut| cut.0), self.delivery.stall.map(|stall| stall.0)].into_iter().flatten() {
            most = most.min(at - self.sent);
        }
        // Slow bodies go out in pieces of about a fiftieth of a second, so that the rate is smooth.
        for rate in
            [self.delivery.rate, self.delivery.shared_rate.as_ref().map(|shared| shared.0)].into_iter().flatten()
        {
            most = most.min((rate / 50).max(1));
        }
        let size = (self.rest.len() as u64).min(most);
        if let Some(rate) = self.delivery.rate {
            sleep_until(self.started + Duration::from_secs_f64(self.sent as f64 / rate as f64)).await;
        }
        if let Some((rate, pacer)) = &self.delivery.shared_rate {
            sleep_until(pacer.reserve(size, *rate)).await;
        }
        let piece = self.rest.split_to(size as usize);
        self.sent += size;
        self.entry.add_sent(piece.len());
        self.note_end();
        Some(Ok(piece))
    }

    /// The server stops asking once the announced length is reached, so the end is noted here.
    fn note_end(&self) {
        if self.delivery.expected == Some(self.sent) {
            self.entry.set_complete();
        }
    }

    /// A body without a length that the upstream breaks off: the gateway ends it as if it were whole.
    fn ends_cleanly(&self, rst: bool) -> bool {
        self.delivery.chunked && !self.delivery.breaks && !rst
    }

    /// Waits until what was handed over has left, then makes the error that ends the connection: without the wait the
    /// server would throw its buffer away, and a cut "after N bytes" would come sooner.
    async fn cut(&mut self, rst: bool) -> io::Error {
        while self.connection.written() - self.written_before < self.sent {
            sleep(Duration::from_millis(1)).await;
        }
        sleep(self.delivery.cut_pause.unwrap_or(Duration::from_millis(10))).await;
        if rst {
            self.connection.reset_on_close();
        }
        io::Error::new(io::ErrorKind::ConnectionAborted, "cut by the scenario")
    }
}
