//! Reading answers: which kind of failure an answer is.
//!
//! The server family has several error shapes and speaks Chinese or English as it likes, so only the HTTP status and
//! the server's `code` decide; texts are kept for people.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::retry_after::parse_retry_after;
use crate::error::{Error, ErrorKind, Phase, one_line};
use crate::net::transport::{CustomHeaders, Failure, Headers, TransportError};
use crate::text::dates::http_date;
use crate::text::json;

/// A whole answer, read once: body as JSON, `Retry-After` and dates as numbers.
#[derive(Debug, Clone)]
pub struct ApiResponse {
    pub(crate) status: u16,
    pub(super) headers: Headers,
    /// At most 1 MiB; of a helper path 4 MiB.
    pub(super) body: Bytes,
    json: Option<Value>,
    retry_after: Option<Duration>,
    clock_skew_s: Option<i64>,
    /// What no text of it may show: a server may repeat it.
    hidden: CustomHeaders,
}

impl ApiResponse {
    /// An answer whose time is not known: a date in `Retry-After` says nothing then, unless the answer has a `Date`.
    pub fn new(status: u16, headers: Headers, body: impl Into<Bytes>) -> Self {
        Self::received(status, headers, body, None)
    }

    /// An answer that came at this time, in unix seconds by this machine's clock.
    pub fn received(status: u16, headers: Headers, body: impl Into<Bytes>, unix_now: Option<u64>) -> Self {
        let body = body.into();
        let json = json::parse(&body).filter(Value::is_object);
        let server_now = headers.get("date").and_then(http_date);
        // A date by the clock of whoever wrote it: this machine's may be hours away.
        let retry_after = headers.get("retry-after").and_then(|text| parse_retry_after(text, server_now.or(unix_now)));
        let clock_skew_s = unix_now.zip(server_now).map(|(ours, theirs)| ours.cast_signed() - theirs.cast_signed());
        Self { status, headers, body, json, retry_after, clock_skew_s, hidden: CustomHeaders::default() }
    }

    /// The same; what it says to people is shown without the values of these headers.
    pub(crate) fn hiding(self, headers: &CustomHeaders) -> Self {
        Self { hidden: headers.clone(), ..self }
    }

    /// A text of it as it may be shown.
    pub(super) fn shown(&self, text: &str) -> String {
        one_line(&self.hidden.redact(text))
    }

    /// HTTP status.
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body as a JSON object, if it is one.
    pub(crate) fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }

    /// True for an answer without a length that is a whole object of JSON: a server that ends such a connection without
    /// the end of TLS has still said everything.
    pub(crate) fn ends_by_itself(&self) -> bool {
        self.json.is_some() && self.headers.get("content-length").is_none()
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn looks_like_html(&self) -> bool {
        let by_type = self.headers.get("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
        let text = self.body.trim_ascii_start();
        by_type || text.starts_with(b"<")
    }

    /// The server's `Retry-After`.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// How far this machine's clock is ahead of the server's, in seconds.
    pub(super) fn clock_skew_s(&self) -> Option<i64> {
        self.clock_skew_s
    }

    pub(crate) fn request_id(&self, message: Option<&str>) -> Option<String> {
        let from_header = self.headers.get("x-oneapi-request-id").map(|text| {
            // Two gateways in a row join theirs with a comma: the first is the one we spoke to.
            text.split(',').next().unwrap_or_default().trim().to_owned()
        });
        let from_text = || {
            let rest = message?.split("request id:").nth(1)?;
            Some(rest.split(')').next().unwrap_or_default().trim().to_owned())
        };
        from_header.filter(|id| !id.is_empty()).or_else(from_text).filter(|id| !id.is_empty()).map(|id| self.shown(&id))
    }
}

/// `code` and message of an error body, whichever shape it has.
struct Said {
    code: Option<String>,
    message: Option<String>,
    /// The task layer's shape: a `code` that is not the word for yes, beside `"data":null`. A create that it answers so was
    /// refunded and made no task, whatever the status (observed).
    is_task_layer: bool,
}

fn said(answer: &ApiResponse) -> Said {
    let text = |value: Option<&Value>| {
        value.and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let Some(body) = answer.json() else {
        return Said { code: None, message: None, is_task_layer: false };
    };
    let own_code = text(body.get("code"));
    let inner = body.get("error").filter(|error| error.is_object()).unwrap_or(body);
    Said {
        is_task_layer: own_code.as_deref().is_some_and(|code| !means_yes(code))
            && body.get("data") == Some(&Value::Null),
        code: own_code.or_else(|| text(inner.get("code"))).map(|code| one_line(&code)),
        message: text(body.get("message"))
            .or_else(|| text(inner.get("message")))
            .or_else(|| text(body.get("error")))
            .map(|message| answer.shown(&message)),
    }
}

/// The documented word for yes, in the place of an error code.
fn means_yes(code: &str) -> bool {
    code.eq_ignore_ascii_case("success")
}

/// The code of an answer of the upstream that the gateway hands through.
const FROM_UPSTREAM: &str = "fail_to_fetch_task";

/// True for an answer of the upstream that the gateway hands through.
pub(crate) fn is_from_upstream(answer: &ApiResponse) -> bool {
    said(answer).code.as_deref() == Some(FROM_UPSTREAM)
}

/// The kind that an HTTP status and a server code mean in this phase.
fn kind_of(phase: Phase, status: u16, said: &Said) -> ErrorKind {
    let unknown_outcome = phase == Phase::Create && !said.is_task_layer;
    match (said.code.as_deref(), status) {
        (Some("insufficient_user_quota" | "pre_consume_token_quota_failed"), _) => ErrorKind::InsufficientBalance,
        (Some("task_not_exist"), _) => ErrorKind::NotFound,
        // In every shape: refused and refunded (observed). A model that nobody serves at the moment may be back soon.
        (_, 429) => ErrorKind::RateLimited,
        (Some("model_not_found"), _) => ErrorKind::ModelUnavailable,
        // The upstream's own status, handed through: a 401 here is not about our key.
        (Some(FROM_UPSTREAM), 500..) if unknown_outcome => ErrorKind::CreateOutcomeUnknown,
        (Some(FROM_UPSTREAM), _) => ErrorKind::Upstream,
        // After a POST it says that the request was carried out, and where to look.
        (_, 303) if unknown_outcome => ErrorKind::CreateOutcomeUnknown,
        // Another protocol takes over, unasked: whatever comes next is not read.
        (_, ..200) if unknown_outcome => ErrorKind::CreateOutcomeUnknown,
        (_, 300..=399) => ErrorKind::UnexpectedResponse,
        (_, 400) if phase == Phase::Content => ErrorKind::NotReady,
        (_, 401) => ErrorKind::Authentication,
        (_, 403) => ErrorKind::PermissionDenied,
        (_, 404) => ErrorKind::NotFound,
        // 499: a proxy that passed the request on, and says that somebody gave it up before the answer came.
        (_, 408 | 499) if unknown_outcome => ErrorKind::CreateOutcomeUnknown,
        (_, 408 | 499) if phase == Phase::Create => ErrorKind::Upstream,
        (_, 408 | 499) => ErrorKind::Timeout,
        (_, 400..=499) => ErrorKind::BadRequest,
        (_, 500..) if unknown_outcome => ErrorKind::CreateOutcomeUnknown,
        (_, 500..) => ErrorKind::Upstream,
        _ => ErrorKind::UnexpectedResponse,
    }
}

/// The error that an answer is, or `None` for a 2xx answer that may be what was asked for.
pub fn classify(phase: Phase, answer: &ApiResponse) -> Option<Error> {
    let json = answer.json();
    let said = said(answer);
    if answer.is_success() {
        let json = json?;
        // A gateway says "no" with 200 as well.
        let refused = json.get("success").and_then(Value::as_bool) == Some(false);
        let has_code = said.code.as_deref().is_some_and(|code| !means_yes(code));
        let no_data = json.get("data").is_none_or(Value::is_null) && json.get("status").is_none();
        if phase == Phase::Create || !(refused || has_code && no_data) {
            return None;
        }
        let kind = match if has_code { kind_of(phase, 400, &said) } else { ErrorKind::UnexpectedResponse } {
            ErrorKind::BadRequest | ErrorKind::NotReady => ErrorKind::UnexpectedResponse,
            kind => kind,
        };
        return Some(error_of(phase, kind, answer, said));
    }
    let kind = kind_of(phase, answer.status, &said);
    let nothing_said = said.code.is_none() && said.message.is_none();
    let error = error_of(phase, kind, answer, said);
    Some(if nothing_said { from_in_front(phase, error) } else { error })
}

/// The error of a 2xx that is the task layer's "no" to a create.
pub(crate) fn task_layer_error(phase: Phase, answer: &ApiResponse) -> Option<Error> {
    let said = said(answer);
    said.is_task_layer.then(|| {
        let kind = match kind_of(phase, 400, &said) {
            ErrorKind::BadRequest => ErrorKind::Upstream,
            kind => kind,
        };
        error_of(phase, kind, answer, said)
    })
}

/// A refusal without a code and a message is none of the service's: a web page, an empty body or `{}` comes from a proxy in front of
/// it, which may answer otherwise in a moment.
fn from_in_front(phase: Phase, error: Error) -> Error {
    let refusal = matches!(
        error.kind(),
        ErrorKind::Authentication | ErrorKind::PermissionDenied | ErrorKind::BadRequest | ErrorKind::NotReady
    );
    if !refusal || phase == Phase::Content {
        return error;
    }
    error.with(|record| {
        record.transient = true;
        record.message = format!("a proxy in front of the service refused the request{}", detail_of(&record.message));
    })
}

/// What stands in brackets at the end of a message, with them.
fn detail_of(message: &str) -> &str {
    // Not by `rfind`, which carries a search of its own.
    let begin = message.as_bytes().windows(2).rposition(|pair| pair == b" (");
    begin.and_then(|at| message.get(at..)).unwrap_or_default()
}

fn error_of(phase: Phase, kind: ErrorKind, answer: &ApiResponse, said: Said) -> Error {
    let who = match kind {
        ErrorKind::UnexpectedResponse | ErrorKind::CreateOutcomeUnknown if (300..400).contains(&answer.status) => {
            "the server redirects where it should not"
        }
        ErrorKind::Upstream | ErrorKind::CreateOutcomeUnknown => "the upstream service failed",
        ErrorKind::RateLimited => "the server asks to slow down",
        ErrorKind::NotReady => "the video cannot be read yet",
        ErrorKind::Authentication => "the server does not accept the API key",
        ErrorKind::PermissionDenied => "the server denies this",
        ErrorKind::InsufficientBalance => "the balance does not suffice",
        ErrorKind::NotFound => "the server does not know this task or path",
        ErrorKind::ModelUnavailable => "the server does not offer this model",
        ErrorKind::Timeout => "the server gave up waiting for the request",
        ErrorKind::UnexpectedResponse => "the server's answer is not one of this API",
        _ => "the server refused the request",
    };
    let message = match &said.message {
        Some(text) => format!("{who}: {text}"),
        None => match (answer.looks_like_html(), answer.body.is_empty()) {
            (true, _) => format!("{who} (a web page instead of an answer)"),
            (_, true) => format!("{who} (an empty answer)"),
            _ => who.to_owned(),
        },
    };
    let request_id = answer.request_id(said.message.as_deref());
    let retry_after = answer.retry_after();
    Error::new(kind, phase, message).with(|record| {
        record.status = Some(answer.status);
        record.code = said.code.map(|code| answer.shown(&code));
        record.server_message = said.message;
        record.request_id = request_id;
        record.retry_after = retry_after;
        // The MP4 proxy's 403 is the server's own trouble (observed); elsewhere a 403 is final.
        record.transient |= phase == Phase::Content && kind == ErrorKind::PermissionDenied;
    })
}

/// A 2xx that cannot be read. For a create its outcome is unknown: a task may have been made.
pub(crate) fn unreadable(phase: Phase, answer: &ApiResponse, what: &str) -> Error {
    let kind = if phase == Phase::Create { ErrorKind::CreateOutcomeUnknown } else { ErrorKind::UnexpectedResponse };
    let said = said(answer);
    let detail = if answer.looks_like_html() {
        "the server answered with a web page: the base URL must end in /v1".to_owned()
    } else if let Some(text) = &said.message {
        format!("{what}: {text}")
    } else {
        what.to_owned()
    };
    let request_id = answer.request_id(said.message.as_deref());
    Error::new(kind, phase, detail).with(|record| {
        record.status = Some(answer.status);
        record.code = said.code.filter(|code| !means_yes(code)).map(|code| answer.shown(&code));
        record.server_message = said.message;
        record.request_id = request_id;
    })
}

/// The error that a failed transfer is. A create that may have been sent ends in an unknown outcome.
pub fn transport_error(phase: Phase, error: TransportError) -> Error {
    let kind = match error.failure {
        failure if failure.not_sent() => ErrorKind::Connect,
        _ if phase == Phase::Create => ErrorKind::CreateOutcomeUnknown,
        Failure::Timeout => ErrorKind::Timeout,
        _ => ErrorKind::Connection,
    };
    let message = match error.failure {
        Failure::Dns => format!("the host name was not found: {error}"),
        Failure::Connect => format!("no connection: {error}"),
        Failure::Tls | Failure::Certificate => format!("no secure connection: {error}"),
        Failure::Timeout => format!("no answer in time: {error}"),
        Failure::Lost => format!("the connection was lost: {error}"),
    };
    let passes = error.failure != Failure::Certificate;
    let made = Error::new(kind, phase, message).with_source(error);
    made.with(|record| record.transient &= passes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_to_try_again_at_is_read_by_the_clock_of_the_server() {
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        let at = 784_111_777;
        // This machine's clock is right, or two hours away.
        for now in [None, Some(at), Some(at - 7200), Some(at + 7200)] {
            let headers = Headers::from_iter([("Date", date), ("Retry-After", later)]);
            let answer = ApiResponse::received(429, headers, "", now);
            assert_eq!(answer.retry_after(), Some(Duration::from_secs(30)), "{now:?}");
        }
        let answer = ApiResponse::received(429, Headers::from_iter([("Retry-After", later)]), "", Some(at));
        assert_eq!(answer.retry_after(), Some(Duration::from_secs(30)));
    }
}
