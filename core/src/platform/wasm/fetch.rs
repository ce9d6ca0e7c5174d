//! HTTP by `fetch`.
//!
//! What `fetch` does not let us do, and what is done about it:
//!
//! * Redirects: outside of browsers `redirect: "manual"` shows the answer and the core judges each hop. Browsers hide
//!   it (`opaqueredirect`); then the read is sent again with `redirect: "follow"`, where the standard makes the
//!   browser itself take `Authorization` away on the way to another origin. Custom headers are left out then: those it
//!   would take along. A create is never followed.
//! * Failures: browsers do not say how far a request got, so it counts as possibly sent. Node, Deno and Bun name a code.
//! * Connections: a create should not meet one that the server is just closing. Where the engine has a way to ask for a
//!   new connection, the binding hands it in ([`FetchTransport::for_creates`]); a page has none.
//! * Headers: those that browsers keep to themselves or that would only cost a preflight are left out there.
//!
//! Whatever the caller's own `fetch` gives or throws ends in an error of the request: nothing of it is called in a way
//! that lets a JavaScript exception pass through the module.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use js_sys::{Array, ArrayBuffer, Function, Object, Promise, Reflect, Uint8Array, global, try_iter};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortController;

use crate::async_compat::BoxFuture;
use crate::error::{Error, Result};
#[cfg(feature = "node")]
use crate::net::custom_headers::CustomHeaders;
use crate::net::secret::ApiKey;
use crate::net::transport::{
    BodyStream, Failure, Headers, HttpRequest, HttpResponse, Method, Transport, TransportError,
};
use crate::platform::wasm::timer::property;

/// Left out in browsers: they set them themselves (`cache: "no-store"` says the last).
const BROWSER_SETS: [&str; 3] = ["User-Agent", "Accept-Encoding", "Cache-Control"];

/// Most bytes that are taken out of a piece of a body at a time: memory that the module once had it never gives back.
const MOST_AT_ONCE: u32 = 256 * 1024;

/// The engine's `fetch`, or one that the caller brings.
#[derive(Debug, Clone)]
pub struct FetchTransport {
    fetch: Function,
    #[cfg(feature = "node")]
    for_creates: Option<Function>,
    browser: bool,
    /// The platform was seen to hide redirects.
    hides_redirects: Rc<Cell<bool>>,
}

impl FetchTransport {
    /// A transport on this function, or on the global `fetch`.
    ///
    /// # Errors
    /// `config` when there is none.
    pub fn new(fetch: Option<Function>) -> Result<Self> {
        let fetch = fetch
            .or_else(|| property(&global(), "fetch").and_then(|value| value.dyn_into().ok()))
            .ok_or_else(|| Error::config("fetch", "this JavaScript engine has no fetch: pass one in the options"))?;
        Ok(Self {
            fetch,
            #[cfg(feature = "node")]
            for_creates: None,
            browser: is_browser(),
            hides_redirects: Rc::default(),
        })
    }

    /// A function whose result is added to the second argument of `fetch` for every create: what makes the engine use a
    /// connection of its own for it.
    #[cfg(feature = "node")]
    #[must_use]
    pub fn for_creates(self, init: Option<Function>) -> Self {
        Self { for_creates: init, ..self }
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let words = Words::of(&request);
        let failed = |error: &JsValue| TransportError::new(failure_of(error), words.describe(error));
        let abort = Abort::new().map_err(|error| failed(&error))?;
        let read = request.method == Method::Get;
        // The browser takes `Authorization` away on the way to another origin, and no other header: those stay here when it follows.
        let follow = read && self.hides_redirects.get() && request.custom_headers.is_empty();
        let mut response = self.call(&request, &abort, follow).await.map_err(|error| failed(&error))?;
        if property(&response, "type").is_some_and(|kind| kind == "opaqueredirect") {
            if !read {
                // Which of the redirects it was is hidden; the core reads them all as "this is not the place".
                return Ok(HttpResponse { status: 307, headers: Headers::new(), body: Box::pin(Nothing) });
            }
            self.hides_redirects.set(true);
            response = self.call(&request, &abort, true).await.map_err(|error| failed(&error))?;
        }
        let status = property(&response, "status").and_then(|status| status.as_f64()).unwrap_or_default() as u16;
        let headers = read_headers(&response);
        let body = open_body(&response, abort, words.clone()).await.map_err(|error| words.lost(&error))?;
        Ok(HttpResponse { status, headers, body })
    }

    async fn call(&self, request: &HttpRequest, abort: &Abort, follow: bool) -> Result<JsValue, JsValue> {
        let headers = Object::new();
        for (name, value) in &request.headers {
            let unasked = BROWSER_SETS.contains(name) || *name == "Idempotency-Key" && !is_of_this_site(request);
            if !(self.browser && unasked) {
                set(&headers, name, &JsValue::from_str(value))?;
            }
        }
        if !follow {
            for (name, value) in request.custom_headers.iter() {
                set(&headers, name, &JsValue::from_str(value))?;
            }
        }
        if let Some(key) = &request.key {
            set(&headers, "Authorization", &JsValue::from_str(&key.authorization()))?;
        }
        let init = Object::new();
        set(&init, "method", &request.method.name().into())?;
        set(&init, "headers", &headers)?;
        set(&init, "redirect", &if follow { "follow" } else { "manual" }.into())?;
        set(&init, "credentials", &"omit".into())?;
        set(&init, "cache", &"no-store".into())?;
        set(&init, "referrerPolicy", &"no-referrer".into())?;
        set(&init, "signal", &abort.controller.signal())?;
        if let Some(body) = &request.body {
            set(&init, "body", &Uint8Array::from(body.as_ref()))?;
        }
        #[cfg(feature = "node")]
        if let (true, Some(more)) = (request.fresh_connection, &self.for_creates)
            && let Some(more) = more.call0(&JsValue::UNDEFINED)?.dyn_ref::<Object>()
        {
            Object::assign(&init, more);
        }
        let url = JsValue::from_str(&request.url.to_string());
        let answer = self.fetch.call2(&JsValue::UNDEFINED, &url, &init)?;
        let answer = settled(&answer).await?;
        // A custom fetch may give an object that merely looks like a Response: only its parts are used. One without a status (0
        // where the mode `no-cors` hides it) says nothing of what the server did, least of all that it refused.
        let is_hidden_redirect = property(&answer, "type").is_some_and(|kind| kind == "opaqueredirect");
        let status = property(&answer, "status").and_then(|status| status.as_f64());
        let is_status = |status: f64| status.fract() == 0.0 && (100.0..1000.0).contains(&status);
        if !is_hidden_redirect && !status.is_some_and(is_status) {
            return Err(js_sys::TypeError::new("fetch gave no Response with a status").into());
        }
        Ok(answer)
    }
}

impl Transport for FetchTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        Box::pin(self.clone().exchange(request))
    }

    fn shows_connect_failures(&self) -> bool {
        false
    }
}

/// Node, Deno and Bun have `process.versions.node`; a page and its workers have not, though a bundler may give them a `process`.
fn is_browser() -> bool {
    let versions = property(&global(), "process").and_then(|process| property(&process, "versions"));
    let node = versions.and_then(|versions| property(&versions, "node"));
    node.is_none() && property(&global(), "Deno").is_none()
}

/// True when a page asks its own server, which no header keeps from being asked.
fn is_of_this_site(request: &HttpRequest) -> bool {
    let origin = property(&global(), "location").and_then(|location| property(&location, "origin"));
    // A frame that was made of a text has no address, but the origin of its page. Elsewhere a script may have put anything there.
    let origin = origin.filter(|origin| *origin != "null").or_else(|| property(&global(), "origin"));
    origin.is_some_and(|origin| origin == request.url.origin().to_string().as_str())
}

fn set(object: &Object, name: &str, value: &JsValue) -> Result<(), JsValue> {
    Reflect::set(object, &JsValue::from_str(name), value).map(|_| ())
}

/// Ends the exchange when nobody reads it any more.
struct Abort {
    controller: AbortController,
    over: bool,
}

impl Abort {
    fn new() -> Result<Self, JsValue> {
        Ok(Self { controller: AbortController::new()?, over: false })
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        if !self.over {
            self.controller.abort();
        }
    }
}

fn read_headers(response: &JsValue) -> Headers {
    let mut headers = Headers::new();
    let lines = property(response, "headers").and_then(|headers| try_iter(&headers).ok().flatten());
    for line in lines.into_iter().flatten().flatten() {
        let text = |at| Reflect::get_u32(&line, at).ok().and_then(|value| value.as_string());
        if let (Some(name), Some(value)) = (text(0), text(1)) {
            headers.push(name, value);
        }
    }
    headers
}

/// Calls a method, whatever the object is.
fn invoke(object: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    Reflect::get(object, &JsValue::from_str(name))?.dyn_into::<Function>()?.call0(object)
}

/// What a method promises.
fn promised(object: &JsValue, name: &str) -> Result<JsFuture, JsValue> {
    Ok(settled(&invoke(object, name)?))
}

/// What a value comes to that may be a promise. Its `then` is called by the engine, so that what that throws is a rejection.
fn settled(value: &JsValue) -> JsFuture {
    JsFuture::from(Promise::race(&Array::of1(value)))
}

async fn open_body(response: &JsValue, mut abort: Abort, words: Words) -> Result<BodyStream, JsValue> {
    let stream = property(response, "body").filter(|body| property(body, "getReader").is_some());
    if let Some(stream) = stream {
        let reader = invoke(&stream, "getReader")?;
        return Ok(Box::pin(Body { reader, read: None, rest: None, abort, words }));
    }
    // No body, or one that is no web stream: taken as a whole.
    let whole = promised(response, "arrayBuffer")?.await?;
    abort.over = true;
    Ok(Box::pin(Whole(Some(array_of(&whole)?))))
}

struct Body {
    reader: JsValue,
    read: Option<JsFuture>,
    /// What is left of the last piece.
    rest: Option<Uint8Array>,
    abort: Abort,
    words: Words,
}

impl Stream for Body {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(bytes) = next_bytes(&mut self.rest) {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.abort.over {
                return Poll::Ready(None);
            }
            let read = self.read.take().map_or_else(|| promised(&self.reader, "read"), Ok);
            let piece = match read {
                Ok(mut read) => match Pin::new(&mut read).poll(cx) {
                    Poll::Ready(piece) => piece,
                    Poll::Pending => {
                        self.read = Some(read);
                        return Poll::Pending;
                    }
                },
                Err(error) => Err(error),
            };
            let bytes = piece.and_then(|piece| property(&piece, "value").map(|value| array_of(&value)).transpose());
            self.abort.over = !matches!(bytes, Ok(Some(_)));
            match bytes {
                Ok(bytes) => self.rest = bytes,
                Err(error) => return Poll::Ready(Some(Err(self.words.lost(&error)))),
            }
        }
    }
}

/// A piece of a body as bytes. It is made anew of whatever a caller's own `fetch` gives: what merely passes for an instance, such as
/// a proxy, would throw where it is read.
fn array_of(value: &JsValue) -> Result<Uint8Array, JsValue> {
    let of = if ArrayBuffer::is_view(value) {
        let part = |name| Reflect::get(value, &JsValue::from_str(name));
        Array::of3(&part("buffer")?, &part("byteOffset")?, &part("byteLength")?)
    } else {
        Array::of1(value)
    };
    match property(&global(), "Uint8Array").and_then(|class| class.dyn_into::<Function>().ok()) {
        Some(class) if value.is_object() => Ok(Reflect::construct(&class, &of)?.unchecked_into()),
        _ => Err(js_sys::TypeError::new("fetch gave a body of something else than bytes").into()),
    }
}

/// The next bytes of a piece; `None` at its end.
fn next_bytes(rest: &mut Option<Uint8Array>) -> Option<Bytes> {
    let piece = rest.take().filter(|piece| piece.length() > 0)?;
    if piece.length() > MOST_AT_ONCE {
        *rest = Some(piece.subarray(MOST_AT_ONCE, piece.length()));
    }
    Some(piece.subarray(0, MOST_AT_ONCE).to_vec().into())
}

struct Whole(Option<Uint8Array>);

impl Stream for Whole {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(next_bytes(&mut self.0).map(Ok))
    }
}

struct Nothing;

impl Stream for Nothing {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}

/// A page is never told how far a request got.
#[cfg(not(feature = "node"))]
fn failure_of(_: &JsValue) -> Failure {
    Failure::Lost
}

/// What the `fetch` of Node, Deno or Bun says, where a program brings it. The same code may come while a connection is made and
/// after the request has left, as with `read EHOSTUNREACH` or a TLS record that was damaged on its way: only what cannot be the latter
/// counts as not sent.
#[cfg(feature = "node")]
fn failure_of(error: &JsValue) -> Failure {
    use crate::protocol::connect_failure::CertificateFault;

    let Some((source, code)) = coded(error) else { return Failure::Lost };
    let call = syscall(&source);
    let call = call.as_deref();
    // Where several addresses were tried, the call stands in the error of each.
    let connecting = call == Some("connect") || call.is_none() && all_connecting(&source);
    match code.as_str() {
        "ENOTFOUND" | "EAI_AGAIN" | "EAI_NONAME"
            if call.is_none_or(|call| call == "getaddrinfo" || call.starts_with("query")) =>
        {
            Failure::Dns
        }
        // A connection that there is does not end with it: it may come without its call.
        "ECONNREFUSED" if connecting || call.is_none() => Failure::Connect,
        "EHOSTUNREACH" | "ENETUNREACH" | "EADDRNOTAVAIL" | "ETIMEDOUT" if connecting => Failure::Connect,
        "UND_ERR_CONNECT_TIMEOUT" | "ConnectionRefused" => Failure::Connect,
        code if CertificateFault::from_code(code).is_some() => Failure::Certificate,
        "UND_ERR_HEADERS_TIMEOUT" | "UND_ERR_BODY_TIMEOUT" => Failure::Timeout,
        _ => Failure::Lost,
    }
}

/// The system call that failed; `erroredSysCall` is what node-fetch calls it.
#[cfg(feature = "node")]
fn syscall(error: &JsValue) -> Option<String> {
    let call = property(error, "syscall").or_else(|| property(error, "erroredSysCall"));
    call.and_then(|call| call.as_string())
}

#[cfg(feature = "node")]
fn all_connecting(error: &JsValue) -> bool {
    let errors = property(error, "errors").and_then(|errors| try_iter(&errors).ok().flatten());
    let mut calls = errors.into_iter().flatten().map(|one| one.ok().and_then(|one| syscall(&one))).peekable();
    calls.peek().is_some() && calls.all(|call| call.as_deref() == Some("connect"))
}

/// The code of an error, and what has it: the cause, where that has one.
#[cfg(feature = "node")]
fn coded(error: &JsValue) -> Option<(JsValue, String)> {
    let of = |value: JsValue| property(&value, "code").and_then(|code| code.as_string()).map(|code| (value, code));
    property(error, "cause").and_then(of).or_else(|| of(error.clone()))
}

/// How the errors of one exchange are put into words. It has what they must not show: a custom `fetch` may put anything into its own.
#[derive(Clone)]
struct Words {
    place: String,
    key: Option<ApiKey>,
    #[cfg(feature = "node")]
    custom_headers: CustomHeaders,
}

impl Words {
    fn of(request: &HttpRequest) -> Self {
        Self {
            place: request.url.origin().to_string(),
            key: request.key.clone(),
            #[cfg(feature = "node")]
            custom_headers: request.custom_headers.clone(),
        }
    }

    /// The innermost cause, which is the one that helps, and the origin; never the URL, whose query may be a signature.
    fn describe(&self, error: &JsValue) -> String {
        let text = |value: &JsValue, name| {
            property(value, name).and_then(|text| text.as_string()).filter(|text| !text.is_empty())
        };
        let inner = property(error, "cause").and_then(|cause| text(&cause, "message").or_else(|| text(&cause, "code")));
        let text = inner.or_else(|| text(error, "message")).or_else(|| error.as_string());
        let text = text.unwrap_or_else(|| "the request failed".to_owned());
        let text = self.key.as_ref().map_or_else(|| text.as_str().into(), |key| key.redact(&text));
        #[cfg(feature = "node")]
        let text = self.custom_headers.redact(&text);
        format!("{}: {text}", self.place)
    }

    /// What fails once the head has come fails after sending, whatever its code.
    fn lost(&self, error: &JsValue) -> TransportError {
        TransportError::new(Failure::Lost, self.describe(error))
    }
}
