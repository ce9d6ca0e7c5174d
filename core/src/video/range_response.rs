//! Answering a media player: a video handed on as an HTTP answer of one's own, exact to the byte.
//!
//! A service worker or a program's own backend stands between a `<video>` element and the service, adds the key, and
//! has to answer as a careful server would, whatever the real one does with `Range` or hides of its headers.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;

use crate::async_compat::BoxStream;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::protocol::{DownloadPolicy, RangeRequest};
use crate::video::fetch::{ByteStream, Fetch};

/// An answer for a player.
#[non_exhaustive]
pub struct RangeResponse {
    /// 200, 206 or 416.
    pub status: u16,
    /// Everything that a player looks at.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes; the body resumes by itself when a connection breaks. Dropping it ends the transfer.
    pub body: BoxStream<'static, Result<Bytes>>,
    /// Length of the whole file, where it is known: what the next call should be told.
    pub total: Option<u64>,
}

impl fmt::Debug for RangeResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeResponse")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// The answer to a player, see [`Video::serve`](crate::Video::serve). `fetch` begins a download by a policy.
pub(crate) async fn serve(
    fetch: impl Fn(DownloadPolicy) -> Fetch,
    range: Option<&str>,
    known_total: Option<u64>,
) -> Result<RangeResponse> {
    let mut asked = RangeRequest::read(range);
    let mut total = known_total;
    // An answer without a length was had: one that begins behind the front may have one.
    let mut probing = false;
    loop {
        let part = match (asked, total) {
            (RangeRequest::Whole, _) => None,
            (_, Some(total)) => match asked.place(total) {
                Some(part) => Some(part),
                None => return Ok(unsatisfiable(total)),
            },
            _ if probing => Some(1..u64::MAX),
            // The length has to be found out first: what an open end leaves is what its answer says.
            (RangeRequest::From { start, .. }, None) => Some(start..u64::MAX),
            (RangeRequest::Last(_), None) => Some(0..u64::MAX),
        };
        let policy = DownloadPolicy { wanted: part.clone(), verify: false, ..DownloadPolicy::default() };
        let mut stream = ByteStream::new(fetch(policy));
        let first = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await.transpose()?.unwrap_or_default();
        let learned = total.is_none();
        total = total.or_else(|| stream.total());
        if std::mem::take(&mut probing) {
            if total.is_none() {
                // A server that says nothing about lengths: a player can show it, not seek in it.
                asked = RangeRequest::Whole;
            }
            continue;
        }
        let Some(total) = total else {
            if matches!(asked, RangeRequest::Whole) {
                return Ok(whole(first, stream, None));
            }
            probing = true;
            continue;
        };
        match (asked, part) {
            (RangeRequest::Whole, _) => return Ok(whole(first, stream, Some(total))),
            // What began at the front began at the wrong place.
            (RangeRequest::Last(_), Some(part))
                if learned && asked.place(total).is_none_or(|p| p.start != part.start) => {}
            _ => match asked.place(total) {
                Some(part) => return Ok(partial(first, stream, &part, total)),
                None => return Ok(unsatisfiable(total)),
            },
        }
    }
}

fn headers(length: Option<u64>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("Content-Type", "video/mp4".to_owned()),
        // It is private, whatever the service says about it.
        ("Cache-Control", "private, no-store".to_owned()),
    ];
    if let Some(length) = length {
        headers.push(("Content-Length", length.to_string()));
        headers.push(("Accept-Ranges", "bytes".to_owned()));
    }
    headers
}

fn whole(first: Bytes, rest: ByteStream, total: Option<u64>) -> RangeResponse {
    let body = Limited { first, rest: Some(rest), left: total.unwrap_or(u64::MAX) };
    RangeResponse { status: 200, headers: headers(total), body: Box::pin(body), total }
}

fn partial(first: Bytes, rest: ByteStream, part: &std::ops::Range<u64>, total: u64) -> RangeResponse {
    let length = part.end - part.start;
    let mut headers = headers(Some(length));
    headers.push(("Content-Range", format!("bytes {}-{}/{total}", part.start, part.end - 1)));
    let body = Limited { first, rest: Some(rest), left: length };
    RangeResponse { status: 206, headers, body: Box::pin(body), total: Some(total) }
}

fn unsatisfiable(total: u64) -> RangeResponse {
    let headers = vec![("Content-Range", format!("bytes */{total}")), ("Content-Length", "0".to_owned())];
    let body = Limited { first: Bytes::new(), rest: None, left: 0 };
    RangeResponse { status: 416, headers, body: Box::pin(body), total: Some(total) }
}

/// The bytes that were asked for, and none of those that came along.
struct Limited {
    first: Bytes,
    rest: Option<ByteStream>,
    left: u64,
}

impl Stream for Limited {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut piece = std::mem::take(&mut self.first);
        if piece.is_empty() {
            let left = self.left;
            let Some(rest) = self.rest.as_mut().filter(|_| left > 0) else {
                return Poll::Ready(None);
            };
            piece = match std::task::ready!(Pin::new(rest).poll_next(cx)) {
                Some(Ok(piece)) => piece,
                None if self.left == u64::MAX => Bytes::new(),
                None => {
                    self.rest = None;
                    let why = "the video is shorter than it was said to be";
                    return Poll::Ready(Some(Err(Error::new(ErrorKind::Integrity, Phase::Content, why))));
                }
                Some(Err(error)) => {
                    self.rest = None;
                    return Poll::Ready(Some(Err(error)));
                }
            };
        }
        piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        if self.left != u64::MAX {
            self.left -= piece.len() as u64;
        }
        if self.left == 0 || piece.is_empty() {
            // Nobody reads on: the exchange ends with its stream.
            self.rest = None;
        }
        Poll::Ready(Some(piece).filter(|piece| !piece.is_empty()).map(Ok))
    }
}
