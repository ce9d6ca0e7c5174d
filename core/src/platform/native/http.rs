//! HTTP by reqwest.

use std::error::Error as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::runtime::{Handle, Id};

use super::per_process::PerProcess;
use super::tls;
use crate::error::{Error, Result};
use crate::platform::BoxFuture;
use crate::transport::{Failure, Headers, HttpRequest, HttpResponse, Method, Transport, TransportError};

/// What the transport can be told.
#[derive(Clone, Default)]
pub struct HttpOptions {
    /// Longest time to connect, TLS included.
    pub connect_timeout: Duration,
    /// A proxy for all requests (`http://…`, `https://…`), instead of the system's `HTTP_PROXY`, `HTTPS_PROXY`,
    /// `ALL_PROXY` and `NO_PROXY`. An empty string means none at all.
    pub proxy: Option<String>,
    /// Further root certificates, as a PEM file.
    pub ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A proxy URL may hold a password.
        f.debug_struct("HttpOptions").field("ca_file", &self.ca_file).finish_non_exhaustive()
    }
}

/// Runtimes whose connections are kept; the one that was idle longest goes first.
const MOST_RUNTIMES: usize = 64;

/// Two clients of each kind: one that keeps connections, and one that never reuses any, for the call that costs money.
struct Clients {
    pooled: reqwest::Client,
    fresh: reqwest::Client,
}

/// The clients of each runtime, the one used last at the end.
struct Pools {
    tls: rustls::ClientConfig,
    by_runtime: Mutex<Vec<(Option<Id>, Arc<Clients>)>>,
}

/// reqwest over HTTP/1.1 with rustls. Cheap to make: certificates are loaded when the first https request is sent. A
/// process made by `fork()` gets connections of its own, and so does every tokio runtime: a connection is carried by a
/// task of the runtime that made it, and never answers where nobody turns that one any more.
pub struct NativeTransport {
    options: HttpOptions,
    plain: PerProcess<Result<Pools>>,
    secure: PerProcess<Result<Pools>>,
}

impl NativeTransport {
    /// A transport with these options.
    ///
    /// # Errors
    /// `config` when the proxy is no URL or the CA file cannot be read: better now than at the first paid call.
    pub fn new(options: HttpOptions) -> Result<Self> {
        let transport = Self { options, plain: PerProcess::new(), secure: PerProcess::new() };
        if transport.options.proxy.is_some() {
            transport.clients(false)?;
        }
        if transport.options.ca_file.is_some() {
            transport.clients(true)?;
        }
        Ok(transport)
    }

    fn clients(&self, https: bool) -> Result<Arc<Clients>> {
        let cell = if https { &self.secure } else { &self.plain };
        let pools = cell.get_or_init(|| {
            let tls = if https || self.options.proxy.is_some() {
                tls::client_config(self.options.ca_file.as_deref())?
            } else {
                // A plain client never sees a certificate: an empty list saves reading the system's.
                tls::no_roots()?
            };
            Ok(Pools { tls, by_runtime: Mutex::default() })
        });
        let pools = pools.as_ref().map_err(Clone::clone)?;
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        let mut known = pools.by_runtime.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = if let Some(place) = known.iter().rposition(|(id, _)| *id == runtime) {
            known.remove(place)
        } else {
            let clients = Clients { pooled: self.build(&pools.tls, 8)?, fresh: self.build(&pools.tls, 0)? };
            (runtime, Arc::new(clients))
        };
        let clients = entry.1.clone();
        known.push(entry);
        let old = (known.len() > MOST_RUNTIMES).then(|| known.remove(0));
        drop(known);
        drop(old);
        Ok(clients)
    }

    fn build(&self, tls: &rustls::ClientConfig, keep: usize) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.options.connect_timeout)
            .pool_max_idle_per_host(keep)
            .pool_idle_timeout(Duration::from_secs(50))
            .tcp_nodelay(true);
        match self.options.proxy.as_deref() {
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
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let clients = self.clients(request.url.is_https());
        Box::pin(async move {
            let clients =
                clients.map_err(|error| TransportError::new(Failure::Connect, error.record().message.clone()))?;
            let client = if request.fresh_connection { &clients.fresh } else { &clients.pooled };
            let place = request.url.origin().to_string();
            let method = match request.method {
                Method::Get => reqwest::Method::GET,
                Method::Post => reqwest::Method::POST,
            };
            let mut builder = client.request(method, request.url.to_string());
            for (name, value) in &request.headers {
                builder = builder.header(*name, value);
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
        })
    }
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
        let mut cause = error.source();
        let mut failure = Failure::Connect;
        while let Some(inner) = cause {
            if inner.downcast_ref::<rustls::Error>().is_some() {
                failure = Failure::Tls;
            }
            // hyper-util names the step in its message; its type is private.
            if inner.to_string() == "dns error" {
                failure = Failure::Dns;
            }
            if let Some(io) = inner.downcast_ref::<std::io::Error>()
                && io.get_ref().is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some())
            {
                failure = Failure::Tls;
            }
            cause = inner.source();
        }
        failure
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
    let text = if error.source().is_none() { "the request failed".to_owned() } else { cause.to_string() };
    if error.is_timeout() && error.is_connect() {
        format!("{place}: no connection in time")
    } else {
        format!("{place}: {text}")
    }
}
