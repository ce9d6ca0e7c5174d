//! tokio's traits for [`VideoReader`].

use std::io::{self, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

use crate::video::reader::VideoReader;

impl AsyncRead for VideoReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = ready!(self.poll_read_some(cx, buf.initialize_unfilled()))?;
        buf.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for VideoReader {
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        // Carried out when it is polled: a place counted from the end may need a request.
        self.seeking = Some(to);
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let Some(to) = self.seeking else {
            return Poll::Ready(Ok(self.position()));
        };
        let place = ready!(self.poll_seek_to(cx, to));
        self.seeking = None;
        Poll::Ready(Ok(place?))
    }
}
