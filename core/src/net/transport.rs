//! The two things the core needs from outside: a way to send one HTTP request, and a clock that can wake it.
//!
//! A transport is dull on purpose: it sends what it is given once, follows no redirect, retries nothing and decides
//! nothing. Whoever brings a custom one (a test, an unusual platform) writes one method.

#[cfg(any(feature = "node", not(feature = "wasm")))]
use std::any::Any;
use std::fmt;
use std::pin::Pin;
#[cfg(any(feature = "node", not(feature = "wasm")))]
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::FutureExt as _;

use crate::async_compat::{BoxFuture, BoxStream, MaybeSend, MaybeSync};
pub use crate::net::custom_headers::CustomHeaders;
use crate::net::secret::ApiKey;
use crate::net::url::Url;
use crate::time::Time;

/// The two methods that the API uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create.
    Post,
}

impl Method {
    /// The method's name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// One request, ready to be sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HttpRequest {
    /// Method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers without `Authorization`.
    pub headers: Vec<(&'static str, String)>,
    /// The caller's own headers, present only after the URL was found on the list: to be sent like the others, and shown nowhere.
    pub custom_headers: CustomHeaders,
    /// The key, present only after the URL was found on the list.
    pub key: Option<ApiKey>,
    /// JSON body.
    pub body: Option<Bytes>,
    /// True for the call that costs money: it must not meet a pooled connection that the server is just closing,
    /// which would leave its outcome unknown.
    pub fresh_connection: bool,
    /// Longest time to connect, TLS included, where the transport can bound it.
    pub connect_timeout: Duration,
    /// To be asked right before the first byte is written, by a transport that says so ([`Transport::asks_before_sending`]).
    #[cfg(any(feature = "node", not(feature = "wasm")))]
    pub departure: Departure,
}

/// Who is asked whether a request may leave.
#[cfg(any(feature = "node", not(feature = "wasm")))]
pub(crate) trait AskBeforeSending: MaybeSend + MaybeSync {
    /// See [`Departure::may_leave`].
    fn may_leave(&self) -> bool;
}

/// The last moment in which a request can be withdrawn: its connection is made, and nothing of it was written. Clones are one.
#[cfg(any(feature = "node", not(feature = "wasm")))]
#[derive(Clone, Default)]
pub struct Departure(Option<Arc<dyn AskBeforeSending>>);

#[cfg(any(feature = "node", not(feature = "wasm")))]
impl Departure {
    pub(crate) fn new(asked: Arc<dyn AskBeforeSending>) -> Self {
        Self(Some(asked))
    }

    /// True when the request may be written now; from then on it counts as sent. False when it was withdrawn while the connection was
    /// made: it must not be written, and the failure is [`Failure::Connect`].
    pub fn may_leave(&self) -> bool {
        self.0.as_ref().is_none_or(|asked| asked.may_leave())
    }
}

#[cfg(any(feature = "node", not(feature = "wasm")))]
impl fmt::Debug for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Departure")
    }
}

/// Which proxies were set, for the check. It holds names only: values may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxySetting {
    /// The client's own option.
    Own,
    /// The client's own option switched proxies off.
    Off,
    /// These variables of the environment.
    Environment(Vec<&'static str>),
}

/// Response headers, looked up without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one header line.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// The same without the key, should the server repeat it.
    pub(crate) fn redacted(self, key: &ApiKey) -> Self {
        Self(self.0.into_iter().map(|(name, value)| (name, key.redact(&value).into_owned())).collect())
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(iter: I) -> Self {
        Self(iter.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// The head of an answer, and its body as a stream of pieces.
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers that the platform lets us see.
    pub headers: Headers,
    /// The body. Dropping it ends the transfer.
    pub body: BodyStream,
}

/// The same, with a body that need not be in this program's memory.
pub struct PieceResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers that the platform lets us see.
    pub headers: Headers,
    /// The body. Dropping it ends the transfer.
    pub body: PieceStream,
}

impl fmt::Debug for PieceResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceResponse")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// A body as a stream of pieces.
pub type BodyStream = BoxStream<'static, Result<Bytes, TransportError>>;

/// A body whose pieces need not be in this program's memory.
pub type PieceStream = BoxStream<'static, Result<Piece, TransportError>>;

/// Bytes that are kept outside of this program's memory: a WebAssembly module takes in only those that it looks at. A page, which
/// has no files, does not load what they need.
#[cfg(any(feature = "node", not(feature = "wasm")))]
pub trait Outside: MaybeSend + MaybeSync {
    /// Takes them in from this place on.
    fn read(&self, at: usize, length: usize) -> Bytes;
    /// What it is, for the storage that comes from the same hand as the transport.
    fn as_any(&self) -> &dyn Any;
}

/// A piece of a body.
#[derive(Clone)]
pub enum Piece {
    /// In this program's memory.
    Here(Bytes),
    /// Outside of it: a part of what is kept there.
    #[cfg(any(feature = "node", not(feature = "wasm")))]
    Outside {
        /// Where they are.
        place: Arc<dyn Outside>,
        /// The first of them in there.
        at: usize,
        /// How many they are.
        length: usize,
    },
}

impl Piece {
    /// Number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Here(bytes) => bytes.len(),
            #[cfg(any(feature = "node", not(feature = "wasm")))]
            Self::Outside { length, .. } => *length,
        }
    }

    /// True for no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes off the first bytes, all of them where there are fewer.
    #[must_use]
    pub fn split_to(&mut self, length: usize) -> Self {
        let first = length.min(self.len());
        match self {
            Self::Here(bytes) => Self::Here(bytes.split_to(first)),
            #[cfg(any(feature = "node", not(feature = "wasm")))]
            Self::Outside { place, at, length } => {
                let taken = Self::Outside { place: place.clone(), at: *at, length: first };
                *at += first;
                *length -= first;
                taken
            }
        }
    }

    /// The bytes, taken in where they are not.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Here(bytes) => bytes,
            #[cfg(any(feature = "node", not(feature = "wasm")))]
            Self::Outside { place, at, length } => place.read(at, length),
        }
    }

    /// The first bytes, at most so many.
    pub(crate) fn first(&self, most: usize) -> Bytes {
        match self {
            Self::Here(bytes) => bytes.slice(..most.min(bytes.len())),
            #[cfg(any(feature = "node", not(feature = "wasm")))]
            Self::Outside { place, at, length } => place.read(*at, most.min(*length)),
        }
    }

    /// The bytes, where they are in memory; none otherwise.
    pub(crate) fn here(&self) -> &[u8] {
        match self {
            Self::Here(bytes) => bytes,
            #[cfg(any(feature = "node", not(feature = "wasm")))]
            Self::Outside { .. } => &[],
        }
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self::Here(bytes)
    }
}

/// A body in memory as one of pieces.
struct Pieces(BodyStream);

impl Stream for Pieces {
    type Item = Result<Piece, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map(|piece| piece.map(|piece| piece.map(Piece::Here)))
    }
}

/// How far a request got before it failed: what decides whether a paid call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The host name has no address. Nothing was sent.
    Dns,
    /// No TCP or proxy connection. Nothing was sent.
    Connect,
    /// The TLS handshake failed. Nothing was sent.
    Tls,
    /// The server's certificate is not valid for us. Nothing was sent, and it will not be valid the next time either.
    Certificate,
    /// No answer in time; the request may have arrived.
    Timeout,
    /// The connection broke; the request may have arrived.
    Lost,
}

impl Failure {
    /// True when the server cannot have seen the request.
    pub const fn not_sent(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::Tls | Self::Certificate)
    }
}

/// Why there is no answer, or no more of it.
#[derive(Clone)]
pub struct TransportError {
    /// How far it got.
    pub failure: Failure,
    /// One line for people, without the key and without the query of the URL.
    pub message: String,
}

impl TransportError {
    /// A new one.
    pub fn new(failure: Failure, message: impl Into<String>) -> Self {
        Self { failure, message: message.into() }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Written out, since errors hold it as a trait object: the derived form brings the tables of printable characters.
impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = match self.failure {
            Failure::Dns => "Dns",
            Failure::Connect => "Connect",
            Failure::Tls => "Tls",
            Failure::Certificate => "Certificate",
            Failure::Timeout => "Timeout",
            Failure::Lost => "Lost",
        };
        write!(f, "{failure}: {}", self.message)
    }
}

impl std::error::Error for TransportError {}

/// Sends one request.
///
/// ```
/// use std::sync::Arc;
///
/// use junfeiai::async_compat::BoxFuture;
/// use junfeiai::transport::{Headers, HttpRequest, HttpResponse, Transport, TransportError};
/// use junfeiai::{Client, TaskStatus};
///
/// /// Answers every question in the same way: a test needs no server.
/// struct Fixed(&'static str);
///
/// impl Transport for Fixed {
///     fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
///         assert!(request.key.is_some(), "the key goes to this host");
///         let body = futures_util::stream::iter([Ok(self.0.into())]);
///         Box::pin(async { Ok(HttpResponse { status: 200, headers: Headers::new(), body: Box::pin(body) }) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> junfeiai::Result<()> {
/// let answer = Fixed(r#"{"code":"success","data":{"task_id":"task_1","status":"IN_PROGRESS"}}"#);
/// let client = Client::builder().api_key("sk-1").transport(Arc::new(answer)).build()?;
/// assert_eq!(client.videos().get("task_1").await?.status(), TaskStatus::InProgress);
/// # Ok(()) }
/// ```
pub trait Transport: MaybeSend + MaybeSync {
    /// Sends it once and returns the head of the answer as soon as it is there. Dropping the future gives the request up.
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>>;

    /// The same, where bytes of the body may stay outside of this program's memory. Default: they do not.
    fn send_outside(&self, request: HttpRequest) -> BoxFuture<'static, Result<PieceResponse, TransportError>> {
        let piecewise =
            |HttpResponse { status, headers, body }| PieceResponse { status, headers, body: Box::pin(Pieces(body)) };
        Box::pin(self.send(request).map(move |sent| sent.map(piecewise)))
    }

    /// Whether it asks [`HttpRequest::departure`] before it writes a request. Default no: then a create request counts as sent from the
    /// moment in which it is handed over, also while its connection is being made.
    #[cfg(any(feature = "node", not(feature = "wasm")))]
    fn asks_before_sending(&self) -> bool {
        false
    }

    /// Whether it can tell a connection that was not made from one that broke. Default yes; `fetch` does not say.
    fn shows_connect_failures(&self) -> bool {
        true
    }

    /// Which proxies it goes by, where it was told itself. Default: those of the client's options and this process's environment.
    fn proxy_setting(&self) -> Option<ProxySetting> {
        None
    }
}

/// The clock of the driver. Machines never see it: they are handed [`Time`] values.
pub trait Timer: MaybeSend + MaybeSync {
    /// Monotonic time since any fixed point.
    fn now(&self) -> Time;
    /// Completes after this duration.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// Seconds since 1970 by the wall clock, for HTTP dates and for what outlives the process.
    fn unix_now(&self) -> Option<u64>;
    /// Time since 1970 by the wall clock, as exactly as it is known. Default: whole seconds, by `unix_now`.
    fn unix_time(&self) -> Option<Duration> {
        self.unix_now().map(Duration::from_secs)
    }
    /// A number to seed jitter with.
    fn seed(&self) -> u64;
}

#[cfg(all(test, any(feature = "node", not(feature = "wasm"))))]
mod tests {
    use super::*;

    /// Bytes somewhere else, and which of them were taken in.
    struct Elsewhere(Bytes, std::sync::Mutex<Vec<(usize, usize)>>);

    impl Outside for Elsewhere {
        fn read(&self, at: usize, length: usize) -> Bytes {
            if let Ok(mut read) = self.1.lock() {
                read.push((at, length));
            }
            self.0.slice(at..at + length)
        }

        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    #[test]
    fn a_piece_is_split_without_being_taken_in() {
        let whole = Bytes::from_static(b"0123456789");
        let place = Arc::new(Elsewhere(whole.clone(), std::sync::Mutex::default()));
        for mut rest in [Piece::from(whole.clone()), Piece::Outside { place: place.clone(), at: 0, length: 10 }] {
            let outside = matches!(rest, Piece::Outside { .. });
            let skipped = rest.split_to(3);
            let middle = rest.split_to(4);
            assert_eq!((skipped.len(), middle.len(), rest.len(), rest.is_empty()), (3, 4, 3, false));
            assert_eq!(place.1.lock().map(|read| read.len()).ok(), Some(0));
            assert_eq!(middle.here(), if outside { &b""[..] } else { b"3456" });
            assert_eq!(middle.first(2), &b"34"[..]);
            assert_eq!(middle.first(9), &b"3456"[..]);
            assert_eq!(middle.into_bytes(), &b"3456"[..]);
            let end = rest.split_to(99);
            assert_eq!(end.into_bytes(), &b"789"[..]);
            assert!(rest.is_empty() && rest.into_bytes().is_empty());
        }
    }
}
