//! A download into memory, and one as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::{Fetch, FetchEvent};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::platform::{BoxCallback, BoxFuture};

/// Told with every piece: bytes that are there, and length where it is known.
pub(crate) type Tell = BoxCallback<(u64, Option<u64>)>;

/// Reads everything that is wanted into memory. `limit` bounds it.
pub(crate) fn to_memory(
    mut fetch: Fetch,
    start: u64,
    limit: usize,
    mut tell: Option<Tell>,
) -> BoxFuture<'static, Result<Bytes>> {
    Box::pin(async move {
        let task_id = fetch.task_id.clone();
        let too_long = |bytes: u64| {
            let text = format!(
                "the video has more than {limit} bytes (at least {bytes}): raise max_bytes or save it to a file"
            );
            let error = Error::field(ErrorKind::InvalidRequest, Phase::Content, "max_bytes", text);
            Err(error.about(task_id.as_deref()))
        };
        let mut whole: Vec<u8> = Vec::new();
        loop {
            if let Some(total) = fetch.machine().wanted_length()
                && total > limit as u64
            {
                return too_long(total);
            }
            match fetch.next().await {
                FetchEvent::Reset => whole.clear(),
                FetchEvent::Write { at, bytes } => {
                    let from = at.saturating_sub(start) as usize;
                    let end = from.saturating_add(bytes.len());
                    if end > limit {
                        return too_long(end as u64);
                    }
                    if from == whole.len() {
                        whole.extend_from_slice(&bytes);
                    } else {
                        if whole.len() < end {
                            whole.resize(end, 0);
                        }
                        if let Some(place) = whole.get_mut(from..end) {
                            place.copy_from_slice(&bytes);
                        }
                    }
                    if let Some(tell) = &mut tell {
                        tell(&(fetch.machine().covered(), fetch.machine().wanted_length()));
                    }
                }
                FetchEvent::Verify { total } => {
                    whole.truncate(usize::try_from(total).unwrap_or(usize::MAX));
                    fetch.verified(crate::protocol::mp4::check_slice(&whole));
                }
                FetchEvent::Done(result) => return result.map(|_| whole.into()),
            }
        }
    })
}

/// The bytes in order, as a stream that goes on by itself when a connection breaks.
pub(crate) struct ByteStream {
    fetch: Fetch,
    sent: u64,
    done: bool,
}

impl ByteStream {
    pub(crate) fn new(fetch: Fetch) -> Self {
        Self { fetch, sent: 0, done: false }
    }

    /// Length of the whole file, once an answer has said it.
    pub(crate) fn total(&self) -> Option<u64> {
        self.fetch.machine().total()
    }
}

impl futures_core::Stream for ByteStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        loop {
            let Poll::Ready(event) = self.fetch.poll_event(cx) else {
                return Poll::Pending;
            };
            let end = match event {
                FetchEvent::Write { bytes, .. } => {
                    self.sent += bytes.len() as u64;
                    return Poll::Ready(Some(Ok(bytes)));
                }
                FetchEvent::Reset if self.sent == 0 => continue,
                // What was handed out cannot be taken back.
                FetchEvent::Reset => {
                    let why = "the file changed while it was read; bytes of the old one were handed out already";
                    Some(Err(Error::new(ErrorKind::Integrity, Phase::Content, why)))
                }
                // Nothing is kept that could be checked: streams are read without that step.
                FetchEvent::Verify { .. } => {
                    Some(Err(Error::new(ErrorKind::Internal, Phase::Content, "a stream was to be checked")))
                }
                FetchEvent::Done(Ok(_)) => None,
                FetchEvent::Done(Err(error)) => Some(Err(error)),
            };
            self.done = true;
            return Poll::Ready(end);
        }
    }
}
