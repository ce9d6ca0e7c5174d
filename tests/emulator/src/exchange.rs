//! One request from arrival to answer: log, fault, rate limit, route, delivery.

use std::{io, sync::Arc, time::Duration};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::{
    Method, Request, StatusCode, Version,
    body::{Body as _, Incoming},
    header::{self, HeaderName, HeaderValue},
    http::request::Parts,
};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::{
    arrival::{Context, Tweaks, bearer, classify, range_start, record, text},
    chaos::Strike,
    create,
    delivery::{Delivery, deliver},
    errors::{self, Lacks, Lang, Shape},
    fault::Fault,
    io::Connection,
    log::Entry,
    routes,
    rules::{Facts, HostName},
    scenario::{Op, RetryAfter},
    state::{InFlight, State},
    synthetic,
};

/// Larger requests are refused as a proxy in front would.
const LARGEST_REQUEST: usize = 64 * 1024 * 1024;
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-oneapi-request-id");

/// One exchange, with all that its steps need.
struct Exchange {
    state: Arc<State>,
    router: Router,
    connection: Arc<Connection>,
    entry: Arc<Entry>,
    context: Context,
    head: Parts,
    body: Bytes,
    op: Op,
}

/// Plays one request. `Err` closes the connection without an answer.
pub(crate) async fn serve(
    state: Arc<State>,
    router: Router,
    host: HostName,
    misplaced: bool,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> io::Result<Response> {
    if request.uri().path().starts_with("/__emulator/") {
        let answer = router.oneshot(request.map(Body::new)).await;
        return Ok(answer.unwrap_or_else(|never| match never {}));
    }
    if misplaced {
        return Ok(errors::answer(400, Some("text/plain"), "Client sent an HTTP request to an HTTPS server.\n"));
    }
    let (head, body) = request.into_parts();
    let op = classify(&head.method, head.uri.path());
    let in_flight = state.enter(op);
    let key = bearer(&head.headers);
    let strike = state.strike(&Facts {
        op,
        method: head.method.as_str(),
        path: head.uri.path(),
        host,
        range_start: range_start(&head.headers),
    });
    let entry = state.log.open(record(&state, &head, op, host, key.as_deref(), connection.number));
    if let Some((name, _)) = &strike {
        entry.set_fault(name);
    }
    if let Some((_, Strike::Fault(Fault::DropBeforeAccept { rst }))) = &strike {
        return Err(gone(&connection, *rst));
    }
    let context = Context {
        host,
        lang: Lang::of(text(&head.headers, &header::ACCEPT_LANGUAGE)),
        request_id: state.request_id(),
        key,
        tweaks: Tweaks::default(),
    };
    let Ok(body) = Limited::new(body, LARGEST_REQUEST).collect().await else {
        entry.set_status(413);
        return Ok(errors::html(413));
    };
    let body = body.to_bytes();
    if !body.is_empty() {
        entry.set_body(&body, &state.redact(&String::from_utf8_lossy(&body)));
    }
    let exchange = Exchange { state, router, connection, entry, context, head, body, op };
    exchange.play(strike.map(|(_, strike)| strike), in_flight).await
}

impl Exchange {
    async fn play(mut self, strike: Option<Strike>, in_flight: InFlight) -> io::Result<Response> {
        let mut delivery = Delivery::default();
        let mut share = None;
        let mut fault = None;
        match strike {
            Some(Strike::Fault(struck)) => fault = Some(struck),
            Some(Strike::IgnoreRange) => self.context.tweaks.ignore_range = true,
            Some(partway) => share = Some(partway),
            None => {}
        }
        let limited =
            if fault.is_none() && self.head.method != Method::OPTIONS { self.state.limit(self.op).err() } else { None };
        let mut response = if let Some((limit, wait)) = limited {
            self.too_many(limit.retry_after, wait)
        } else {
            match fault {
                Some(fault) => self.strike(&fault, &mut delivery).await?,
                None => self.act().await,
            }
        };

        self.entry.set_status(response.status().as_u16());
        self.finish_headers(&mut response);
        if let Some(file) = response.extensions_mut().remove::<IsFile>() {
            self.file_delivery(&mut delivery, file.started);
        }
        let said = response.headers().get(header::CONTENT_LENGTH);
        let length =
            said.and_then(|value| value.to_str().ok()?.parse::<u64>().ok()).or(response.body().size_hint().exact());
        // By chance faults strike partway: where that is follows from the length.
        let at = |share: f64| (length.unwrap_or(0) as f64 * share) as u64;
        match share {
            Some(Strike::Cut { at: share, rst }) => delivery.cut = Some((at(share), rst)),
            Some(Strike::Stall { at: share, ms }) => delivery.stall = Some((at(share), Some(ms))),
            _ => {}
        }
        announce(&mut response, length, &mut delivery);
        delivery.expected = length.map(|length| length + delivery.extra);
        Ok(response.map(|body| deliver(body, delivery, self.connection, self.entry, in_flight)))
    }

    /// The regular answer.
    async fn act(&self) -> Response {
        let plan = self.state.lock().scenario.api.clone();
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.head.method.clone();
        *request.uri_mut() = self.head.uri.clone();
        *request.headers_mut() = self.head.headers.clone();
        request.extensions_mut().insert(self.context.clone());
        // The router would let HEAD read: the gateway has no route for it.
        let mut answer = if self.head.method == Method::HEAD {
            routes::elsewhere(request).await.map(|_| Body::empty())
        } else {
            self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
        };
        answer.headers_mut().remove(header::ALLOW);
        let wait = match self.op {
            Op::Create => plan.create_latency_ms,
            Op::Query => plan.query_latency_ms,
            _ => 0,
        };
        sleep(Duration::from_millis(wait)).await;
        answer
    }

    /// Plays a fault.
    async fn strike(&mut self, fault: &Fault, delivery: &mut Delivery) -> io::Result<Response> {
        match fault {
            Fault::DropBeforeAccept { rst } => return Err(gone(&self.connection, *rst)),
            Fault::DropAfterAccept { rst } => {
                self.act().await;
                return Err(gone(&self.connection, *rst));
            }
            Fault::ResetAfterAccept {} => {
                self.act().await;
                return Err(gone(&self.connection, true));
            }
            Fault::DieAfterCharge { rst } => {
                create::charge_only(&self.state, &self.context, &self.head.headers, &self.body);
                return Err(gone(&self.connection, *rst));
            }
            Fault::Hang { act, ms } => {
                let early = if *act { Some(self.act().await) } else { None };
                match ms {
                    Some(ms) => sleep(Duration::from_millis(*ms)).await,
                    None => std::future::pending().await,
                }
                return Ok(match early {
                    Some(answer) => answer,
                    None => self.act().await,
                });
            }
            Fault::SlowHeaders { ms_per_byte, bytes } => self.connection.drip(*bytes, *ms_per_byte),
            Fault::CutBody { after_bytes, rst, clean, pause_ms } => {
                delivery.cut = Some((*after_bytes, *rst));
                delivery.cut_pause = Some(Duration::from_millis(*pause_ms));
                delivery.breaks = !clean;
            }
            Fault::StallBody { after_bytes, ms } => delivery.stall = Some((*after_bytes, *ms)),
            Fault::UntilClose {} => delivery.until_close = true,
            Fault::ExtraBytes { bytes } => delivery.extra = *bytes,
            Fault::WrongContentRange { shift, total } => {
                self.context.tweaks.shift = *shift;
                self.context.tweaks.total = *total;
            }
            Fault::IncompleteFile { bytes } => {
                self.context.tweaks.incomplete = true;
                self.context.tweaks.incomplete_bytes = *bytes;
            }
            Fault::WrongLength { delta } => delivery.promise = *delta,
            Fault::ChangeEtag {} => self.context.tweaks.change_etag = true,
            Fault::ChangeFile {} => self.context.tweaks.change_file = true,
            Fault::RateLimited { retry_after, seconds } => return Ok(self.too_many(*retry_after, *seconds as f64)),
            Fault::Redirect { status, location } => {
                return Ok(synthetic::redirect(*status, &self.fill_in(location)));
            }
            Fault::DuplicateRequestId {} | Fault::Header { .. } => {}
            made_up => {
                if synthetic::acts(made_up) {
                    self.act().await;
                }
                let mut response = synthetic::answer(made_up, self.context.lang, &self.context.request_id);
                let before = matches!(made_up, Fault::ErrorShape { shape: Shape::InvalidResponse, .. });
                if let Some(ratios) = create::ratios_of(&self.state, &self.body).filter(|_| before) {
                    response.headers_mut().insert(create::RATIOS, header_value(&ratios));
                }
                return Ok(response);
            }
        }
        let mut response = self.act().await;
        match fault {
            Fault::DuplicateRequestId {} => {
                let id = self.state.request_id();
                response.headers_mut().append(REQUEST_ID, header_value(&self.context.request_id));
                response.headers_mut().append(REQUEST_ID, header_value(&id));
            }
            Fault::Header { name, value } => {
                if let Ok(name) = HeaderName::try_from(name.as_str()) {
                    response.headers_mut().remove(&name);
                    if let Some(value) = value {
                        response.headers_mut().insert(name, header_value(value));
                    }
                }
            }
            _ => {}
        }
        Ok(response)
    }

    fn too_many(&self, form: RetryAfter, wait: f64) -> Response {
        let mut response = synthetic::too_many(self.op, self.context.lang, &self.context.request_id);
        let seconds = wait.ceil().max(1.0) as u64;
        let value = match form {
            RetryAfter::None => return response,
            RetryAfter::Seconds => HeaderValue::from(seconds),
            RetryAfter::Date => {
                let at = std::time::SystemTime::now() + Duration::from_secs(seconds);
                header_value(&httpdate::fmt_http_date(at))
            }
        };
        response.headers_mut().insert(header::RETRY_AFTER, value);
        response
    }

    /// Request id and CORS, on everything but pages of proxies in front.
    fn finish_headers(&self, response: &mut Response) {
        let lacks = response.extensions_mut().remove::<Lacks>();
        let html = text(response.headers(), &header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
        if lacks == Some(Lacks::RequestIdAndCors) || (html && lacks.is_none()) {
            return;
        }
        // A file comes from the upstream with the upstream's own id; ours is the first.
        let upstream = response.extensions().get::<IsFile>().map(|_| self.state.request_id());
        let again = self.state.lock().scenario.api.duplicate_request_id.then(|| self.context.request_id.clone());
        let headers = response.headers_mut();
        if !headers.contains_key(REQUEST_ID) {
            headers.append(REQUEST_ID, header_value(&self.context.request_id));
            if let Some(second) = upstream.or(again) {
                headers.append(REQUEST_ID, header_value(&second));
            }
        }
        if lacks.is_none() && routes::foreign_origin(&self.head.headers).is_some() {
            headers.entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(HeaderValue::from_static("*"));
            headers.entry(header::ACCESS_CONTROL_ALLOW_CREDENTIALS).or_insert(HeaderValue::from_static("true"));
        }
    }

    /// Rates and the cut that belong to every file response.
    fn file_delivery(&self, delivery: &mut Delivery, started: Instant) {
        let plan = self.state.lock().scenario.content.clone();
        delivery.rate = plan.per_connection_rate;
        delivery.shared_rate = plan.rate_bytes_per_s.map(|rate| (rate, Arc::clone(&self.state.pacer)));
        delivery.deadline = plan.cut_after_s.map(|after| started + self.state.clock.real(after));
    }

    fn fill_in(&self, template: &str) -> String {
        let own = match self.context.host {
            HostName::First => &self.state.origin,
            HostName::Second => self.state.second.as_ref().unwrap_or(&self.state.origin),
        };
        let path = self.head.uri.path();
        let id = path.split('/').find(|part| part.starts_with("task_")).unwrap_or("");
        fill_in(&self.state, template, id).replace("{host}", own).replace("{path}", path)
    }
}

/// Says the length of the body, unless the body is to be chunked.
fn announce(response: &mut Response, length: Option<u64>, delivery: &mut Delivery) {
    let bodiless = response.status() == StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    // The file handler's mark; the server itself writes the header of a chunked body.
    let chunked = headers.remove(header::TRANSFER_ENCODING).is_some();
    delivery.chunked = chunked;
    if delivery.until_close {
        headers.remove(header::CONTENT_LENGTH);
        // Of that version there are no chunks: the end of the connection is the end of the body.
        *response.version_mut() = Version::HTTP_10;
    } else if let (Some(length), false) = (length, chunked || bodiless) {
        let said = (length + delivery.extra).saturating_add_signed(delivery.promise);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(said));
    }
}

/// Marks the response that carries a file, so that rates and cuts apply to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IsFile {
    pub(crate) started: Instant,
}

/// Fills `{origin}`, `{second}` and `{id}` in.
pub(crate) fn fill_in(state: &State, template: &str, id: &str) -> String {
    let second = state.second.as_deref().unwrap_or(&state.origin);
    template.replace("{origin}", &state.origin).replace("{second}", second).replace("{id}", id)
}

/// A header value from text that is known to be harmless, or nothing.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

fn gone(connection: &Connection, rst: bool) -> io::Error {
    if rst {
        connection.reset_on_close();
    }
    io::Error::new(io::ErrorKind::ConnectionAborted, "closed by the scenario")
}
