//! HTTP by reqwest.

use std::error::Error as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::runtime::{Handle, Id};
use tower::{Layer, Service};

use crate::async_compat::BoxFuture;
use crate::error::{Error, Result};
use crate::fork::PerProcess;
use crate::net::transport::{
    Departure, Failure, Headers, HttpRequest, HttpResponse, Method, Transport, TransportError,
};
use crate::net::url::{Origin, Url, is_loopback_host};
use crate::platform::native::tls;

/// What the transport can be told.
#[derive(Clone)]
pub struct HttpOptions {
    /// Longest time to connect, TLS included. Default 10 s.
    pub connect_timeout: Duration,
    /// A proxy for all requests (`http://…`, `https://…`), instead of the system's `HTTP_PROXY`, `HTTPS_PROXY`,
    /// `ALL_PROXY` and `NO_PROXY`. An empty string means none at all.
    ///
    /// Plain http to this machine goes through no proxy but a given one on this machine: the key would travel in the
    /// clear, to a machine for which `127.0.0.1` is itself.
    pub proxy: Option<String>,
    /// Further root certificates, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), proxy: None, ca_file: None }
    }
}

impl std::fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A proxy URL may hold a password.
        f.debug_struct("HttpOptions").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

/// The ways of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// https.
    Secure,
    /// Plain http.
    Plain,
    /// Plain http to this machine, without a proxy.
    Direct,
}

/// Whether connections are kept for later requests.
#[derive(Clone, Copy)]
enum Keep<'a> {
    Some,
    /// One request only, which this is asked about.
    None(&'a Departure),
}

/// Runtimes whose connections are kept; the one that was idle longest goes first.
const MOST_RUNTIMES: usize = 64;

/// The clients that keep connections, one for each runtime, the one used last at the end. The call that costs money has a client of its
/// own, whose connection nobody else uses, and which tells when it is made.
struct Pools {
    tls: rustls::ClientConfig,
    by_runtime: Mutex<Vec<(Option<Id>, reqwest::Client)>>,
}

/// A layer around the step that makes a connection: it asks before the connection is handed over to be written to.
#[derive(Clone)]
struct AskLayer(Departure);

/// The step with the question.
#[derive(Clone)]
struct Asking<S> {
    connector: S,
    departure: Departure,
}

impl<S> Layer<S> for AskLayer {
    type Service = Asking<S>;

    fn layer(&self, connector: S) -> Self::Service {
        Asking { connector, departure: self.0.clone() }
    }
}

impl<S, Target> Service<Target> for Asking<S>
where
    S: Service<Target, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, target: Target) -> Self::Future {
        let (connecting, departure) = (self.connector.call(target), self.departure.clone());
        Box::pin(async move {
            let connection = connecting.await?;
            if departure.may_leave() { Ok(connection) } else { Err("the request was withdrawn".into()) }
        })
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// reqwest over HTTP/1.1 with rustls. Cheap to make: certificates are loaded when the first https request is sent. A
/// process made by `fork()` gets connections of its own, and so does every tokio runtime: a connection is carried by a
/// task of the runtime that made it, and never answers where nobody turns that one any more.
pub struct NativeTransport {
    options: HttpOptions,
    proxy_is_near: bool,
    plain: PerProcess<Result<Pools>>,
    secure: PerProcess<Result<Pools>>,
    direct: PerProcess<Result<Pools>>,
}

impl NativeTransport {
    /// A transport with these options.
    ///
    /// # Errors
    /// `config` when the proxy is no URL or the CA file cannot be read: better now than at the first paid call.
    pub fn new(options: HttpOptions) -> Result<Self> {
        let proxy_is_near = options.proxy.as_deref().is_some_and(is_near);
        let (plain, secure, direct) = (PerProcess::new(), PerProcess::new(), PerProcess::new());
        let transport = Self { options, proxy_is_near, plain, secure, direct };
        if transport.options.proxy.is_some() {
            transport.pooled(Way::Plain)?;
        }
        if transport.options.ca_file.is_some() {
            transport.pooled(Way::Secure)?;
        }
        Ok(transport)
    }

    fn way(&self, url: &Url) -> Way {
        match (url.is_https(), url.is_loopback() && !self.proxy_is_near) {
            (true, _) => Way::Secure,
            (false, true) => Way::Direct,
            (false, false) => Way::Plain,
        }
    }

    fn pools(&self, way: Way) -> Result<&Pools> {
        let cell = match way {
            Way::Secure => &self.secure,
            Way::Plain => &self.plain,
            Way::Direct => &self.direct,
        };
        let pools = cell.get_or_init(|| {
            let tls = if way == Way::Secure || way == Way::Plain && self.options.proxy.is_some() {
                tls::client_config(self.options.ca_file.as_deref())?
            } else {
                // A plain client never sees a certificate: an empty list saves reading the system's.
                tls::no_roots()?
            };
            Ok(Pools { tls, by_runtime: Mutex::default() })
        });
        pools.as_ref().map_err(Clone::clone)
    }

    fn client(&self, request: &HttpRequest) -> Result<reqwest::Client> {
        let way = self.way(&request.url);
        if !request.fresh_connection {
            return self.pooled(way);
        }
        let connect = request.connect_timeout.min(self.options.connect_timeout);
        self.build(way, &self.pools(way)?.tls, Keep::None(&request.departure), connect)
    }

    fn pooled(&self, way: Way) -> Result<reqwest::Client> {
        let pools = self.pools(way)?;
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        let mut known = pools.by_runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = if let Some(place) = known.iter().rposition(|(id, _)| *id == runtime) {
            known.remove(place)
        } else {
            (runtime, self.build(way, &pools.tls, Keep::Some, self.options.connect_timeout)?)
        };
        let client = entry.1.clone();
        known.push(entry);
        let old = (known.len() > MOST_RUNTIMES).then(|| known.remove(0));
        drop(known);
        drop(old);
        Ok(client)
    }

    fn build(
        &self,
        way: Way,
        tls: &rustls::ClientConfig,
        keep: Keep<'_>,
        connect: Duration,
    ) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(connect)
            .pool_max_idle_per_host(if matches!(keep, Keep::Some) { 8 } else { 0 })
            .pool_idle_timeout(Duration::from_secs(50))
            .tcp_nodelay(true);
        if let Keep::None(departure) = keep {
            builder = builder.connector_layer(AskLayer(departure.clone()));
        }
        match self.options.proxy.as_deref() {
            _ if way == Way::Direct => builder = builder.no_proxy(),
            None => {}
            Some("") => builder = builder.no_proxy(),
            Some(proxy) => {
                let proxy = reqwest::Proxy::all(proxy)
                    .map_err(|_| Error::config("proxy", "the proxy is not a URL such as http://127.0.0.1:8080"))?;
                builder = builder.proxy(proxy);
            }
        }
        builder.build().map_err(|error| Error::config("transport", format!("the HTTP client cannot be built: {error}")))
    }
}

impl std::fmt::Debug for NativeTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A proxy URL may hold a password.
        f.debug_struct("NativeTransport").field("ca_file", &self.options.ca_file).finish_non_exhaustive()
    }
}

impl Transport for NativeTransport {
    fn asks_before_sending(&self) -> bool {
        true
    }

    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let client = self.client(&request);
        let sending = async move {
            let client =
                client.map_err(|error| TransportError::new(Failure::Connect, error.record().message.clone()))?;
            let place = request.url.origin().to_string();
            let method = match request.method {
                Method::Get => reqwest::Method::GET,
                Method::Post => reqwest::Method::POST,
            };
            let url = agreed(&request.url.to_string(), &request.url.origin()).ok_or_else(|| {
                let text = format!("{place}: the HTTP stack reads this address differently; nothing was sent");
                TransportError::new(Failure::Connect, text)
            })?;
            let mut builder = client.request(method, url);
            for (name, value) in &request.headers {
                builder = builder.header(*name, value);
            }
            for (name, value) in request.custom_headers.iter() {
                let mut value = HeaderValue::from_str(value)
                    .map_err(|_| TransportError::new(Failure::Connect, format!("the header {name} cannot be sent")))?;
                value.set_sensitive(true);
                builder = builder.header(name, value);
            }
            if let Some(key) = &request.key {
                let mut value = HeaderValue::from_str(&key.authorization())
                    .map_err(|_| TransportError::new(Failure::Connect, "the API key cannot be a header"))?;
                value.set_sensitive(true);
                builder = builder.header(AUTHORIZATION, value);
            }
            if let Some(body) = request.body {
                builder = builder.body(body);
            }
            let response = builder.send().await.map_err(|error| classify(&error, &place))?;
            let status = response.status().as_u16();
            let headers: Headers = response
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())))
                .collect();
            let body = Body { stream: Box::pin(response.bytes_stream()), place };
            Ok(HttpResponse { status, headers, body: Box::pin(body) })
        };
        Box::pin(DroppedInRuntime { future: Some(Box::pin(sending)), runtime: None })
    }
}

/// A future that may be dropped anywhere. A request that is dropped with its answer there, and not taken, gives the connection
/// back, for which the HTTP stack starts a task of the runtime: outside of one that is a panic.
struct DroppedInRuntime<F> {
    /// Always there; an option so that `drop` can take it.
    future: Option<Pin<Box<F>>>,
    /// The runtime that polled it first.
    runtime: Option<Handle>,
}

impl<F: Future> Future for DroppedInRuntime<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.runtime.is_none() {
            self.runtime = Handle::try_current().ok();
        }
        self.future.as_mut().map_or(Poll::Pending, |future| future.as_mut().poll(cx))
    }
}

impl<F> Drop for DroppedInRuntime<F> {
    fn drop(&mut self) {
        let entered = self.runtime.as_ref().map(Handle::enter);
        self.future = None;
        drop(entered);
    }
}

/// What the HTTP stack makes of an address, unless that is another place than ours. The list of hosts that get the key
/// was asked about our reading of it, and the stack goes where its own leads.
fn agreed(text: &str, origin: &Origin) -> Option<reqwest::Url> {
    let theirs = reqwest::Url::parse(text).ok()?;
    let same = theirs.scheme() == if origin.https { "https" } else { "http" }
        && theirs.host_str() == Some(origin.host.as_str())
        && theirs.port_or_known_default() == Some(origin.port)
        && theirs.username().is_empty()
        && theirs.password().is_none();
    same.then_some(theirs)
}

/// True when the HTTP stack comes to the same place: asked when a client is built, so that an entry of which it does not
/// is an error of the options.
pub(crate) fn is_agreed(origin: &Origin) -> bool {
    agreed(&format!("{origin}/"), origin).is_some()
}

/// True for the URL of a proxy on this machine, as the HTTP stack reads it: that is where requests will go.
fn is_near(proxy: &str) -> bool {
    let url = reqwest::Url::parse(proxy).ok().filter(reqwest::Url::has_host);
    let url = url.or_else(|| reqwest::Url::parse(&format!("http://{proxy}")).ok());
    url.is_some_and(|url| url.host_str().is_some_and(is_loopback_host))
}

struct Body<S> {
    stream: Pin<Box<S>>,
    place: String,
}

impl<S: Stream<Item = reqwest::Result<Bytes>>> Stream for Body<S> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.as_mut().poll_next(cx).map(|piece| {
            // The head has come, so whatever happens now happens after sending.
            piece.map(|piece| piece.map_err(|error| TransportError::new(Failure::Lost, describe(&error, &self.place))))
        })
    }
}

fn classify(error: &reqwest::Error, place: &str) -> TransportError {
    let text = describe(error, place);
    let failure = if error.is_builder() {
        Failure::Connect
    } else if error.is_connect() {
        let mut causes = std::iter::successors(error.source(), |cause| (*cause).source());
        if let Some(tls) = tls::error_in(error) {
            if matches!(tls, rustls::Error::InvalidCertificate(_)) { Failure::Certificate } else { Failure::Tls }
        } else if causes.any(|cause| cause.to_string() == "dns error") {
            // hyper-util names the step in its message; its type is private.
            Failure::Dns
        } else {
            Failure::Connect
        }
    } else if error.is_timeout() {
        Failure::Timeout
    } else {
        Failure::Lost
    };
    TransportError::new(failure, text)
}

/// The innermost cause, which is the one that helps, and the origin; never the URL, whose query may be a signature.
fn describe(error: &reqwest::Error, place: &str) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let text = match tls::error_in(error).and_then(tls::explained) {
        Some(why) => format!("{cause} ({why})"),
        None if error.source().is_none() => "the request failed".to_owned(),
        // Whoever reads it is helped by no manual of a library.
        None if cause.to_string().contains("close_notify") => {
            "the connection was closed without the end of TLS".to_owned()
        }
        None => cause.to_string(),
    };
    if error.is_timeout() && error.is_connect() {
        format!("{place}: no connection in time")
    } else {
        format!("{place}: {text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_on_this_machine_is_told_from_others() {
        for near in ["http://127.0.0.1:8080", "http://user:a@b@localhost:1/", "https://[::1]:3128", "localhost:8080"] {
            assert!(is_near(near), "{near}");
        }
        // A backslash is a slash to the stack.
        for far in [
            "",
            "http://proxy.example:8080",
            "http://127.0.0.1@proxy.example",
            "http://localhost.example",
            "?",
            "http://proxy.example\\@127.0.0.1:8080",
            "http://proxy.example:8080?@localhost",
        ] {
            assert!(!is_near(far), "{far}");
        }
    }

    #[test]
    fn the_stack_goes_where_we_say_or_nowhere() {
        let origin = |https, host: &str, port| Origin { https, host: host.to_owned(), port };
        let ours = origin(true, "a.example", 443);
        assert!(agreed("https://a.example/v1?x=1", &ours).is_some());
        assert!(agreed("http://[::1]:9/v1", &origin(false, "[::1]", 9)).is_some());
        for other in [
            "http://a.example/",
            "http://a.example:443/",
            "https://a.example:444/",
            "https://a.example./",
            "https://b.example/",
            "https://a.example@b.example/",
            "https://user@a.example/",
            "https://:word@a.example/",
            "https://xn--a/",
            "no address",
        ] {
            assert!(agreed(other, &ours).is_none(), "{other}");
        }
        // To the stack that backslash is a slash: it would go to the first host, and not to the one behind the "@".
        assert!(agreed("https://a.example\\@b.example/", &origin(true, "b.example", 443)).is_none());
        assert!(is_agreed(&ours) && !is_agreed(&origin(true, "xn--a", 443)));
    }
}
