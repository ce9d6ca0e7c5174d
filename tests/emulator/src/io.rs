//! A stream that counts what is written, can drip, and can end in a reset, whether it is secured or not.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tokio_rustls::server::TlsStream;

/// What the request side of a connection may ask of its stream.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// Counted from 1 over both listeners.
    pub(crate) number: u64,
    written: AtomicU64,
    reset: AtomicBool,
    silent_end: AtomicBool,
    drip_bytes: AtomicU64,
    drip_ms: AtomicU64,
}

impl Connection {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// Bytes of HTTP that the kernel, or TLS in front of it, took so far.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Close by RST when the connection is dropped.
    pub(crate) fn reset_on_close(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// End without the notice that TLS asks for.
    pub(crate) fn end_silently(&self) {
        self.silent_end.store(true, Ordering::Release);
    }

    /// Let the next bytes out one by one.
    pub(crate) fn drip(&self, bytes: u64, ms: u64) {
        self.drip_ms.store(ms, Ordering::Release);
        self.drip_bytes.store(bytes, Ordering::Release);
    }
}

/// The TCP stream below everything.
#[derive(Debug)]
pub(crate) struct Tcp {
    tcp: TcpStream,
    shared: Arc<Connection>,
}

impl Tcp {
    pub(crate) fn new(tcp: TcpStream, shared: Arc<Connection>) -> Self {
        Self { tcp, shared }
    }

    /// Looks at the first byte that comes without taking it: TLS begins with a handshake record.
    pub(crate) async fn begins_with_tls(&self) -> io::Result<bool> {
        let mut first = [0];
        Ok(self.tcp.peek(&mut first).await? == 1 && first[0] == 0x16)
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        if self.shared.reset.load(Ordering::Acquire) {
            // Where this fails the peer sees an orderly end, which is the nearest thing.
            let _ = self.tcp.set_zero_linger();
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// What HTTP is spoken over.
#[derive(Debug)]
pub(crate) enum Wire {
    Plain(Tcp),
    Secure(Box<TlsStream<Tcp>>),
}

impl Wire {
    fn ends_silently(&self) -> bool {
        matches!(self, Self::Secure(stream) if stream.get_ref().0.shared.silent_end.load(Ordering::Acquire))
    }
}

macro_rules! either {
    ($wire:expr, $stream:ident => $call:expr) => {
        match $wire {
            Wire::Plain($stream) => $call,
            Wire::Secure($stream) => $call,
        }
    };
}

/// The stream itself.
#[derive(Debug)]
pub(crate) struct Stream {
    wire: Wire,
    shared: Arc<Connection>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(crate) fn new(wire: Wire, shared: Arc<Connection>) -> Self {
        Self { wire, shared, pause: None }
    }

    fn wrote(&self, result: &io::Result<usize>) {
        if let Ok(count) = result {
            self.shared.written.fetch_add(*count as u64, Ordering::AcqRel);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(&mut self.wire, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let left = self.shared.drip_bytes.load(Ordering::Acquire);
        let part = if left > 0 { &buf[..buf.len().min(1)] } else { buf };
        let result = ready!(either!(&mut self.wire, stream => Pin::new(stream).poll_write(cx, part)));
        self.wrote(&result);
        if left > 0 && result.is_ok() {
            self.shared.drip_bytes.store(left - 1, Ordering::Release);
            let pause = Duration::from_millis(self.shared.drip_ms.load(Ordering::Acquire));
            self.pause = Some(Box::pin(tokio::time::sleep(pause)));
        }
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.pause.is_some() || self.shared.drip_bytes.load(Ordering::Acquire) > 0 {
            let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
            return self.poll_write(cx, first);
        }
        let result = ready!(either!(&mut self.wire, stream => Pin::new(stream).poll_write_vectored(cx, bufs)));
        self.wrote(&result);
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut self.wire, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let silent = self.wire.ends_silently();
        match &mut self.wire {
            Wire::Secure(stream) if silent => Pin::new(stream.get_mut().0).poll_shutdown(cx),
            wire => either!(wire, stream => Pin::new(stream).poll_shutdown(cx)),
        }
    }
}
