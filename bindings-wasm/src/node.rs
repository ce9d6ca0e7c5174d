//! HTTP and timers of Node: what `ts/node-transport.ts` does is told here and judged in the core.
//!
//! Each call across the border costs more than what it brings, so a request goes out as one text, the head of its answer comes
//! as one, and there is no promise and no closure: Node calls [`node_wake`] with a number, and whoever waits for that number
//! looks for what is new.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use junfeiai::ApiKey;
use junfeiai::async_compat::BoxFuture;
use junfeiai::protocol::Time;
use junfeiai::protocol::connect_failure::{Stage, failure_of};
use junfeiai::protocol::proxy::{Proxy, ProxyRules, Route};
use junfeiai::transport::{
    Failure, Headers, HttpRequest, HttpResponse, Outside, Piece, PieceResponse, ProxySetting, Timer, Transport,
    TransportError,
};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    /// Node's `http`, with the agents of one client: `ts/node-transport.ts`.
    #[derive(Clone)]
    pub type NodeHost;
    /// Begins a request: its head as [`head_of`] writes it. Gives its number.
    #[wasm_bindgen(method)]
    fn begin(this: &NodeHost, head: &str, body: &[u8], connect_ms: f64) -> u32;
    /// Whether the connection of a request that is asked about first is made, and nothing of it was written.
    #[wasm_bindgen(method)]
    fn connected(this: &NodeHost, id: u32) -> bool;
    /// Writes such a request.
    #[wasm_bindgen(method)]
    fn go(this: &NodeHost, id: u32);
    /// The head of the answer, once it is there: status, then names and values, a line each. Or an empty line and why there is
    /// none: see [`failed`].
    #[wasm_bindgen(method)]
    fn head(this: &NodeHost, id: u32) -> Option<String>;
    /// How many bytes of the body are there, [`END`] or [`FAILED`].
    #[wasm_bindgen(method)]
    fn ready(this: &NodeHost, id: u32) -> i32;
    /// Takes as many bytes of the body out of it. Gives a number for them.
    #[wasm_bindgen(method)]
    fn take(this: &NodeHost, id: u32, length: u32) -> u32;
    /// Copies bytes that were taken, from this place on.
    #[wasm_bindgen(method)]
    fn copy(this: &NodeHost, taken: u32, at: u32, into: &mut [u8]);
    /// Nobody needs what was taken any more.
    #[wasm_bindgen(method)]
    fn release(this: &NodeHost, taken: u32);
    /// Why the body failed.
    #[wasm_bindgen(method)]
    fn failure(this: &NodeHost, id: u32) -> String;
    /// Nobody waits for it any more.
    #[wasm_bindgen(method)]
    fn end(this: &NodeHost, id: u32);
    /// A timer. Gives its number.
    #[wasm_bindgen(method)]
    fn set(this: &NodeHost, milliseconds: f64) -> u32;
    /// Ends a timer.
    #[wasm_bindgen(method)]
    fn clear(this: &NodeHost, id: u32);

    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    pub(crate) fn performance_now() -> f64;
    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    fn date_now() -> f64;
    #[wasm_bindgen(js_namespace = Math, js_name = random)]
    fn math_random() -> f64;
}

/// The body has ended.
const END: i32 = -1;
/// The body broke off.
const FAILED: i32 = -2;

/// Who waits for a number, and whether Node has called since it was looked for.
#[derive(Default)]
struct Waiting {
    called: bool,
    waker: Option<Waker>,
}

thread_local! {
    static WAITING: RefCell<BTreeMap<u32, Waiting>> = const { RefCell::new(BTreeMap::new()) };
}

/// There is something new under this number. Numbers are never used twice, so one of before a restart of the module is nobody's.
#[wasm_bindgen(js_name = nodeWake)]
pub fn node_wake(id: u32) {
    let waker = WAITING.with_borrow_mut(|all| {
        let waiting = all.get_mut(&id)?;
        waiting.called = true;
        waiting.waker.take()
    });
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A number under which Node calls.
struct Number(u32);

impl Number {
    fn new(id: u32) -> Self {
        WAITING.with_borrow_mut(|all| all.insert(id, Waiting::default()));
        Self(id)
    }

    /// Whether Node has called; where not, this task is woken when it does.
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        WAITING.with_borrow_mut(|all| {
            let waiting = all.entry(self.0).or_default();
            if std::mem::take(&mut waiting.called) {
                return Poll::Ready(());
            }
            waiting.waker = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        WAITING.with_borrow_mut(|all| all.remove(&self.0));
    }
}

/// A timer of Node; dropped, it is cleared.
struct Sleep {
    host: NodeHost,
    number: Number,
    rang: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.rang = self.rang || self.number.poll(cx).is_ready();
        if self.rang { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if !self.rang {
            self.host.clear(self.number.0);
        }
    }
}

/// `setTimeout` takes a signed 32-bit number of milliseconds; what is longer would fire at once.
const LONGEST_MS: f64 = 2_147_483_647.0;

pub(crate) struct NodeTimer(pub(crate) NodeHost);

impl Timer for NodeTimer {
    fn now(&self) -> Time {
        Time::from_start(Duration::try_from_secs_f64(performance_now() / 1000.0).unwrap_or_default())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let host = self.0.clone();
        Box::pin(async move {
            // A timer may fire a little early, which would cost a round of asking for nothing.
            let mut left = (duration.as_secs_f64() * 1000.0).ceil();
            while left > 0.0 {
                let step = left.min(LONGEST_MS);
                Sleep { number: Number::new(host.set(step)), host: host.clone(), rang: false }.await;
                left -= step;
            }
        })
    }

    fn unix_now(&self) -> Option<u64> {
        Some((date_now() / 1000.0) as u64)
    }

    fn unix_time(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(date_now() / 1000.0).ok()
    }

    fn seed(&self) -> u64 {
        // Good enough for jitter.
        math_random().to_bits() ^ date_now().to_bits().rotate_left(32)
    }
}

pub(crate) struct NodeTransport {
    pub(crate) host: NodeHost,
    pub(crate) proxies: ProxyRules,
}

impl Transport for NodeTransport {
    fn asks_before_sending(&self) -> bool {
        true
    }

    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let sending = self.send_outside(request);
        Box::pin(async move {
            let PieceResponse { status, headers, body } = sending.await?;
            Ok(HttpResponse { status, headers, body: Box::pin(body.map(|piece| piece.map(Piece::into_bytes))) })
        })
    }

    fn send_outside(&self, request: HttpRequest) -> BoxFuture<'static, Result<PieceResponse, TransportError>> {
        let place = request.url.origin().to_string();
        let head = match self.proxies.route(&request.url) {
            Route::Direct => head_of(&request, None),
            Route::Through(proxy) => head_of(&request, Some(proxy)),
            Route::Refused(why) => {
                let error = TransportError::new(Failure::Connect, format!("{place}: {why}"));
                return Box::pin(std::future::ready(Err(error)));
            }
        };
        let connect_ms = request.connect_timeout.as_secs_f64() * 1000.0;
        let body = request.body.unwrap_or_default();
        let host = self.host.clone();
        let (key, departure) = (request.key, request.departure);
        // It leaves when the future is polled: one that was only made has sent nothing.
        Box::pin(async move {
            let number = Number::new(host.begin(&head, &body, connect_ms));
            drop((head, body));
            let exchange = Exchange { host, number, place, key };
            let text = std::future::poll_fn(|cx| {
                while exchange.number.poll(cx).is_ready() {
                    let (host, number) = (&exchange.host, exchange.number.0);
                    if let Some(text) = host.head(number) {
                        return Poll::Ready(Some(text));
                    }
                    if host.connected(number) {
                        if !departure.may_leave() {
                            return Poll::Ready(None);
                        }
                        host.go(number);
                    }
                }
                Poll::Pending
            });
            let Some(text) = text.await else {
                return Err(TransportError::new(
                    Failure::Connect,
                    format!("{}: the request was withdrawn", exchange.place),
                ));
            };
            let mut lines = text.split('\n');
            let Some(status) = lines.next().and_then(|status| status.parse().ok()) else {
                return Err(exchange.failed(lines));
            };
            let mut headers = Headers::new();
            while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
                headers.push(name, value);
            }
            Ok(PieceResponse { status, headers, body: Box::pin(Body(Some(exchange))) })
        })
    }

    fn proxy_setting(&self) -> Option<ProxySetting> {
        Some(self.proxies.setting().clone())
    }
}

/// A request without its body, a line for each part. Nothing in it can hold a line break: the core has judged every part.
fn head_of(request: &HttpRequest, proxy: Option<&Proxy>) -> String {
    let url = &request.url;
    let origin = url.origin().to_string();
    let authority = origin.split_once("://").map_or("", |(_, authority)| authority);
    let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut lines = vec![
        if url.is_https() { "https" } else { "http" }.to_owned(),
        bare(url.host()),
        url.port().to_string(),
        authority.to_owned(),
        request.method.name().to_owned(),
        url.path_and_query().to_owned(),
        if request.fresh_connection { "fresh" } else { "" }.to_owned(),
        proxy.map(|proxy| if proxy.https { "https" } else { "http" }.to_owned()).unwrap_or_default(),
        proxy.map(|proxy| bare(&proxy.host)).unwrap_or_default(),
        proxy.map(|proxy| proxy.port.to_string()).unwrap_or_default(),
        proxy.and_then(|proxy| proxy.authorization.as_ref().map(|text| text.to_string())).unwrap_or_default(),
    ];
    for (name, value) in &request.headers {
        lines.extend([(*name).to_owned(), value.clone()]);
    }
    for (name, value) in request.custom_headers.iter() {
        lines.extend([name.to_owned(), value.to_owned()]);
    }
    if let Some(key) = &request.key {
        lines.extend(["Authorization".to_owned(), key.authorization().to_string()]);
    }
    if let Some(body) = &request.body {
        lines.extend(["Content-Length".to_owned(), body.len().to_string()]);
    }
    lines.join("\n")
}

/// A request under way. Dropped, it is ended.
struct Exchange {
    host: NodeHost,
    number: Number,
    place: String,
    key: Option<ApiKey>,
}

impl Exchange {
    /// What failed: how far the request was, the system call, the code, and what Node says.
    fn failed<'a>(&self, mut lines: impl Iterator<Item = &'a str>) -> TransportError {
        let stage = match lines.next() {
            Some("connecting") => Stage::Connecting,
            Some("handshake") => Stage::Handshake,
            _ => Stage::Sent,
        };
        let mut next = || lines.next().unwrap_or_default();
        let (call, code, message) = (next(), next(), next());
        let (failure, text) = failure_of(stage, call, code, message);
        let text = format!("{}: {text}", self.place);
        let text = self.key.as_ref().map_or_else(|| text.as_str().into(), |key| key.redact(&text)).into_owned();
        TransportError::new(failure, text)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.host.end(self.number.0);
    }
}

/// Bytes of a body in Node's memory: those of a save go from there to the file.
pub(crate) struct Taken {
    host: NodeHost,
    pub(crate) number: u32,
}

impl Outside for Taken {
    fn read(&self, at: usize, length: usize) -> Bytes {
        let mut bytes = vec![0; length];
        self.host.copy(self.number, at as u32, &mut bytes);
        bytes.into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.host.release(self.number);
    }
}

/// The body of an answer; `None` after its end.
struct Body(Option<Exchange>);

impl Stream for Body {
    type Item = Result<Piece, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(exchange) = &self.0 else { return Poll::Ready(None) };
        loop {
            let item = match exchange.host.ready(exchange.number.0) {
                0 if exchange.number.poll(cx).is_pending() => return Poll::Pending,
                0 => continue,
                END => None,
                FAILED => Some(Err(exchange.failed(exchange.host.failure(exchange.number.0).split('\n')))),
                length => {
                    let number = exchange.host.take(exchange.number.0, length as u32);
                    let taken = Arc::new(Taken { host: exchange.host.clone(), number });
                    return Poll::Ready(Some(Ok(Piece::Outside { place: taken, at: 0, length: length as usize })));
                }
            };
            self.0 = None;
            return Poll::Ready(item);
        }
    }
}
