//! A download into memory, and one as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::async_compat::{BoxCallback, BoxFuture, MaybeSend};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::protocol::mp4::{Mp4Check, Mp4Step};
use crate::video::fetch::{Fetch, FetchEvent};

/// Told with every piece: bytes that are there, and length where it is known.
pub(crate) type Tell = BoxCallback<(u64, Option<u64>)>;

/// Keeps the bytes of a video that is read into memory. A binding brings one where the core's own memory is the wrong
/// place: WebAssembly never gives memory back.
pub trait MemorySink: MaybeSend {
    /// Keeps bytes for this place, counted from the beginning of what was asked for. They come in order, except after
    /// [`MemorySink::clear`]. `length` is the length of the whole, where it is known.
    ///
    /// # Errors
    /// When there is no room for them: the read ends with that error.
    fn write(&mut self, at: u64, bytes: &[u8], length: Option<u64>) -> Result<()>;
    /// Everything so far is void.
    fn clear(&mut self);
    /// Bytes that were written, for the check of the structure; fewer at the end.
    ///
    /// # Errors
    /// When they cannot be had: the read ends with that error.
    fn read(&self, at: u64, length: usize) -> Result<Bytes>;
}

impl MemorySink for Vec<u8> {
    fn write(&mut self, at: u64, bytes: &[u8], _: Option<u64>) -> Result<()> {
        let from = usize::try_from(at).unwrap_or(usize::MAX);
        if from == self.len() {
            self.extend_from_slice(bytes);
            return Ok(());
        }
        let end = from.saturating_add(bytes.len());
        if self.len() < end {
            self.resize(end, 0);
        }
        if let Some(place) = self.get_mut(from..end) {
            place.copy_from_slice(bytes);
        }
        Ok(())
    }

    fn clear(&mut self) {
        Self::clear(self);
    }

    fn read(&self, at: u64, length: usize) -> Result<Bytes> {
        let tail = usize::try_from(at).ok().and_then(|from| self.get(from..)).unwrap_or_default();
        Ok(Bytes::copy_from_slice(tail.get(..length).unwrap_or(tail)))
    }
}

/// Reads everything that is wanted into memory. `limit` bounds it.
pub(crate) fn to_memory<M: MemorySink + 'static>(
    mut fetch: Fetch,
    start: u64,
    limit: usize,
    mut tell: Option<Tell>,
    mut memory: M,
) -> BoxFuture<'static, Result<M>> {
    Box::pin(async move {
        fetch = fetch.counting();
        loop {
            match fetch.next().await {
                FetchEvent::Reset => memory.clear(),
                FetchEvent::Write { at, bytes } => {
                    let (at, length) = (at.saturating_sub(start), fetch.machine().wanted_length());
                    // By the length where it is known: how many bytes came in this piece is chance.
                    let needed = length.unwrap_or(at.saturating_add(bytes.len() as u64));
                    if needed > limit as u64 {
                        return Err(too_long(limit, length).about(fetch.task_id.as_deref()));
                    }
                    memory
                        .write(at, &bytes.into_bytes(), length)
                        .map_err(|error| error.about(fetch.task_id.as_deref()))?;
                    if let Some(tell) = &mut tell {
                        tell(&(fetch.machine().covered(), length));
                    }
                }
                FetchEvent::Verify { total } => {
                    let mut check = Mp4Check::new(total);
                    let verdict = loop {
                        match check.step() {
                            Mp4Step::Done(verdict) => break verdict,
                            Mp4Step::Need { offset, len } => {
                                let read = memory.read(offset, len);
                                check.input(&read.map_err(|error| error.about(fetch.task_id.as_deref()))?);
                            }
                        }
                    };
                    fetch.verified(verdict);
                }
                FetchEvent::Done(result) => return result.map(|_| memory),
            }
        }
    })
}

/// The refusal of a video that is too long for the caller's memory.
fn too_long(limit: usize, length: Option<u64>) -> Error {
    let text = match length {
        Some(length) => format!("the video has {length} bytes, more than {limit}"),
        None => format!("the server does not say how long the video is, and more than {limit} bytes came"),
    };
    let text = format!("{text}: raise max_bytes or save it to a file");
    Error::field(ErrorKind::InvalidRequest, Phase::Content, "max_bytes", text)
}

/// The bytes in order, as a stream that resumes by itself when a connection breaks.
pub(crate) struct ByteStream {
    fetch: Fetch,
    sent: u64,
    done: bool,
}

impl ByteStream {
    pub(crate) fn new(fetch: Fetch) -> Self {
        Self { fetch: fetch.counting(), sent: 0, done: false }
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
                    return Poll::Ready(Some(Ok(bytes.into_bytes())));
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
