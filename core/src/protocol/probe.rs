//! What one harmless question tells about an entry: the query of a task that cannot exist.
//!
//! It costs nothing, needs the key, and passes through DNS, TCP, TLS, proxies and the gate, so that how it ends says how
//! far each of them works. No probe of its own goes to any of them: behind a proxy and in a browser it could not.
//!
//! Two answers have more than one meaning (observed). A 401 is a key that is wrong, expired or used up. A 403 of the gate
//! is a key that may not be used, or a good key with a list of models, to which a task that does not exist belongs to no
//! model of the list. [`KeyDoubt`] says what is to be asked besides.

use serde::Serialize;

use super::query::text;
use super::wire::{ApiResponse, classify, transport_error};
use super::{Balance, CallEvent};
use crate::error::{Error, ErrorKind, Phase, Result, one_line};
use crate::net::transport::{Failure, TransportError};
use crate::net::url::Url;

/// The id of a task that cannot exist.
pub const IMPOSSIBLE_TASK: &str = "task_00000000000000000000000000000000";
/// A clock that is further off than this is worth a warning: certificates and signed links depend on it.
const MAX_SKEW: i64 = 60;

/// How a step of a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepStatus {
    /// As it should be.
    Ok,
    /// It works, but should be looked at.
    Warn,
    /// It does not work.
    Fail,
    /// It could not be looked at, or there was nothing to look at.
    Skipped,
}

impl StepStatus {
    /// The stable name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckStep {
    /// Its stable name: `dns`, `connect`, `tls`, `answer`, `base_url`, `key`, `clock`, `proxy`, `video_host`, `models`,
    /// `balance`.
    pub name: &'static str,
    /// How it ended.
    pub status: StepStatus,
    /// What was found, one line.
    pub detail: String,
    /// What to do, one line, where something is to be done.
    pub advice: Option<String>,
}

impl CheckStep {
    pub(crate) fn new(name: &'static str, status: StepStatus, detail: impl Into<String>) -> Self {
        Self { name, status, detail: one_line(&detail.into()), advice: None }
    }

    pub(crate) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, StepStatus::Ok, detail)
    }

    pub(crate) fn skipped(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, StepStatus::Skipped, detail)
    }

    pub(crate) fn fail(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, StepStatus::Fail, detail).advise(advice)
    }

    pub(crate) fn warn(name: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(name, StepStatus::Warn, detail).advise(advice)
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// What has to be asked besides, because the answer about the key has more than one meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDoubt {
    /// 401: the balance of the key tells one that is wrong from one that is expired or used up.
    Refused,
    /// 403 of the gate without a code: the list of models is open to a good key that may use some models only.
    NoRight,
}

/// What the question told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What is left open about the key.
    pub doubt: Option<KeyDoubt>,
    /// `dns`, `connect`, `tls`, `answer`, `base_url`, `key`, `clock`.
    pub steps: Vec<CheckStep>,
    /// How far our clock is ahead of the server's, in seconds.
    pub clock_skew_s: Option<i64>,
    /// The server's request id.
    pub request_id: Option<String>,
}

/// How the question is to be read.
#[derive(Debug, Clone, Copy)]
pub struct ProbeFacts {
    /// A key went along.
    pub has_key: bool,
    /// The transport tells a connection that was not made from one that broke; a browser does not.
    pub connect_is_visible: bool,
}

/// Reads what came of the question for [`IMPOSSIBLE_TASK`] at `url`.
pub fn judge_probe(url: &Url, event: CallEvent, facts: ProbeFacts) -> Probed {
    let (answer, error) = match event {
        CallEvent::Answered(answer) => (Some(answer), None),
        CallEvent::Broken(answer, error) => (Some(answer), Some(error)),
        CallEvent::Failed(error) => (None, Some(error)),
        CallEvent::Refused(error) => return redirected(url, &error, facts),
    };
    let failure = if answer.is_some() { None } else { error.as_ref().map(|error| error.failure) };
    let mut steps = connection(url, failure, error.as_ref(), facts);
    let mut clock_skew_s = None;
    let mut request_id = None;
    let mut doubt = None;
    if let Some(answer) = answer {
        let verdict = classify(Phase::Check, &answer);
        request_id = answer.request_id(verdict.as_ref().and_then(|error| error.record().server_message.as_deref()));
        let skew = answer.clock_skew_s();
        clock_skew_s = skew;
        doubt = verdict.as_ref().filter(|_| facts.has_key && !answer.looks_like_html()).and_then(key_doubt);
        steps.extend([
            said(&answer, error),
            base_url(&answer, verdict.as_ref()),
            key(&answer, verdict.as_ref(), facts),
        ]);
        steps.push(clock(skew));
    } else {
        let late = matches!(failure, Some(Failure::Timeout | Failure::Lost));
        steps.push(match error {
            Some(error) if late => CheckStep::fail(
                "answer",
                transport_error(Phase::Check, error).record().message.clone(),
                "try again; if the error persists, contact support, or check whether a device in between cuts connections",
            ),
            _ => CheckStep::skipped("answer", "not reached"),
        });
        steps.extend(["base_url", "key", "clock"].map(|name| CheckStep::skipped(name, "no answer to judge by")));
    }
    Probed { doubt, steps, clock_skew_s, request_id }
}

fn key_doubt(error: &Error) -> Option<KeyDoubt> {
    let code = error.record().code.as_deref().unwrap_or_default();
    match error.kind() {
        ErrorKind::Authentication => Some(KeyDoubt::Refused),
        ErrorKind::PermissionDenied if code.is_empty() => Some(KeyDoubt::NoRight),
        _ => None,
    }
}

/// The step `key` of a key that was answered 401, now that the server was asked for its balance. `unix_now` is the
/// server's time, as far as it is known.
pub fn judge_refused_key(step: &CheckStep, told: &Result<Balance>, unix_now: Option<u64>) -> CheckStep {
    let balance = match told {
        Ok(balance) => balance,
        Err(error) if error.kind() == ErrorKind::Authentication => {
            let advice = "check the key for missing characters; it may also have been deleted or switched off";
            return CheckStep::fail("key", "the server does not know this key", advice);
        }
        // A server that does not say, or not now: what is known is that the key was refused.
        Err(_) => return step.clone(),
    };
    if let (Some(end), Some(now)) = (balance.expires_at, unix_now)
        && end <= now
    {
        let advice = "take another key of the account, or ask the administrator to renew it";
        return CheckStep::fail("key", format!("the key expired {} ago", span(now - end)), advice);
    }
    if balance.available_units == Some(0) {
        let advice = "top up the key; another key of the same account can continue with its tasks";
        return CheckStep::fail("key", "the key is used up: 0.00 USD left", advice);
    }
    let detail = "the server knows the key, which is neither expired nor used up, and does not accept it";
    CheckStep::fail("key", detail, "ask the administrator whether it is switched off")
}

/// The step `key` of a key that was answered 403, now that the server was asked for its models.
pub fn judge_key_without_right(step: &CheckStep, told: &Result<Vec<String>>) -> CheckStep {
    match told {
        Ok(_) => CheckStep::ok("key", "accepted; it may use some models only"),
        Err(error) if matches!(error.kind(), ErrorKind::Authentication | ErrorKind::PermissionDenied) => step.clone(),
        Err(_) => {
            let detail = "the server knows the key and shows it no task: it may use some models only, or none at all";
            CheckStep::warn("key", detail, "if a create is refused with 403 as well, ask the administrator")
        }
    }
}

/// A length of time in the largest unit that does not hide too much.
fn span(seconds: u64) -> String {
    match seconds {
        0..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// DNS, TCP and TLS, as far as the request came.
fn connection(
    url: &Url,
    failure: Option<Failure>,
    error: Option<&TransportError>,
    facts: ProbeFacts,
) -> Vec<CheckStep> {
    let host = url.host();
    let why = error.map(|error| error.message.clone()).unwrap_or_default();
    let reached = |name| CheckStep::skipped(name, "not reached");
    // Where a connection that was not made is told as such, it is visible.
    if failure.is_some_and(|failure| !failure.not_sent()) && !facts.connect_is_visible {
        return ["dns", "connect", "tls"].map(|name| CheckStep::skipped(name, "not told apart in a browser")).into();
    }
    let numeric = host.starts_with('[') || host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let dns = match failure {
        Some(Failure::Dns) => {
            let advice = "check the base URL's spelling, the network and its DNS server";
            return vec![CheckStep::fail("dns", why, advice), reached("connect"), reached("tls")];
        }
        _ if numeric => CheckStep::skipped("dns", "an address needs no look-up"),
        // What did not connect may have been looked up by a proxy: then it is not known.
        Some(Failure::Connect) => CheckStep::ok("dns", format!("{host} was looked up, or left to the proxy")),
        _ => CheckStep::ok("dns", format!("{host} was found")),
    };
    if failure == Some(Failure::Connect) {
        let advice = "check the network, firewall, proxy and port; another entry may be reachable";
        return vec![dns, CheckStep::fail("connect", why, advice), reached("tls")];
    }
    let connect = CheckStep::ok("connect", format!("port {} takes connections", url.port()));
    let tls = match failure {
        Some(Failure::Tls | Failure::Certificate) => {
            let advice =
                "check this machine's date; where a company proxy inspects TLS, give its certificate as ca_file";
            CheckStep::fail("tls", why, advice)
        }
        _ if url.is_https() => CheckStep::ok("tls", "the certificate is trusted"),
        _ => CheckStep::skipped("tls", "plain http, allowed to this machine only"),
    };
    vec![dns, connect, tls]
}

/// A redirect that is not followed: it came as an answer, but leads somewhere else.
fn redirected(url: &Url, error: &Error, facts: ProbeFacts) -> Probed {
    let mut steps = connection(url, None, None, facts);
    steps.push(CheckStep::ok("answer", "the server answered with a redirect"));
    let advice = "correct the base URL: the key goes to listed hosts only";
    steps.push(CheckStep::fail("base_url", error.record().message.clone(), advice));
    steps.extend(["key", "clock"].map(|name| CheckStep::skipped(name, "no answer to judge by")));
    Probed { doubt: None, steps, clock_skew_s: None, request_id: None }
}

fn said(answer: &ApiResponse, broken: Option<TransportError>) -> CheckStep {
    let status = answer.status;
    match (broken, status) {
        (Some(error), _) => {
            let advice = "try again; something between cuts answers short";
            CheckStep::warn("answer", format!("HTTP {status}, but the answer broke off: {error}"), advice)
        }
        (None, 500..) => {
            let advice = "the service or a proxy in front of it has trouble: try again later";
            CheckStep::fail("answer", format!("HTTP {status}"), advice)
        }
        (None, 429) => CheckStep::warn("answer", "HTTP 429", "the server asks to slow down: check again later"),
        _ => CheckStep::ok("answer", format!("HTTP {status}")),
    }
}

/// Whether the path is one of this API.
fn base_url(answer: &ApiResponse, verdict: Option<&Error>) -> CheckStep {
    let advice = "a base URL ends in /v1, as in https://junfeiai.com/v1";
    if answer.status >= 500 || answer.status == 429 {
        return CheckStep::skipped("base_url", "not shown by this answer");
    }
    if answer.body.is_empty() && matches!(answer.status, 401 | 403) {
        return CheckStep::skipped("base_url", "not shown by an empty answer");
    }
    if answer.json().is_none() {
        let what = if answer.looks_like_html() { "a web page" } else { "no JSON" };
        return CheckStep::fail("base_url", format!("{what} instead of an answer of this API"), advice);
    }
    if is_unknown_path(answer) {
        return CheckStep::fail("base_url", "the server does not have this path", advice);
    }
    match verdict {
        Some(error) if error.kind() == ErrorKind::UnexpectedResponse => {
            CheckStep::warn("base_url", error.record().message.clone(), advice)
        }
        _ => CheckStep::ok("base_url", "the path is one of this API"),
    }
}

/// The gateway's own word for a path that it does not have (observed); an unknown task has the code `task_not_exist`.
fn is_unknown_path(answer: &ApiResponse) -> bool {
    let json = answer.json();
    let kind = json.as_ref().and_then(|json| text(json.get("error")?, "type"));
    answer.status == 404 && kind.as_deref() == Some("invalid_request_error")
}

/// Whether the gate let the key in.
fn key(answer: &ApiResponse, verdict: Option<&Error>, facts: ProbeFacts) -> CheckStep {
    if answer.looks_like_html() || is_unknown_path(answer) {
        return CheckStep::skipped("key", "not shown by this answer");
    }
    let kind = verdict.map(Error::kind);
    let shown = verdict.map(|error| error.record().message.clone()).unwrap_or_default();
    match kind {
        Some(ErrorKind::Authentication) if !facts.has_key => {
            CheckStep::fail("key", "no key is set, and the server wants one", "set JUNFEIAI_API_KEY or pass api_key")
        }
        Some(ErrorKind::Authentication) => {
            let advice = "check the key for missing characters; an expired or used-up key is answered the same way";
            CheckStep::fail("key", shown, advice)
        }
        Some(ErrorKind::PermissionDenied)
            if verdict.and_then(|error| error.record().code.as_deref()) == Some("access_denied") =>
        {
            let advice =
                "ask the administrator to allow this machine's address for the key, or send from an allowed one";
            CheckStep::fail("key", "the key may not be used from this address", advice)
        }
        Some(ErrorKind::PermissionDenied) => {
            let advice = "the key is known but may not be used: ask the administrator (account, allowed addresses)";
            CheckStep::fail("key", shown, advice)
        }
        Some(ErrorKind::InsufficientBalance) => CheckStep::warn("key", shown, "top up the account"),
        // An unknown task, or trouble behind the gate: the key was let in.
        Some(ErrorKind::NotFound | ErrorKind::BadRequest) if answer.json().is_some() => accepted(facts),
        Some(ErrorKind::Upstream) if verdict.is_some_and(|error| error.record().code.is_some()) => accepted(facts),
        None if answer.json().is_some_and(|json| json.get("data").is_some() || json.get("status").is_some()) => {
            accepted(facts)
        }
        _ => CheckStep::skipped("key", "not shown by this answer"),
    }
}

fn accepted(facts: ProbeFacts) -> CheckStep {
    CheckStep::ok("key", if facts.has_key { "accepted" } else { "none is set, and the server asks for none" })
}

fn clock(skew: Option<i64>) -> CheckStep {
    match skew {
        None => CheckStep::skipped("clock", "the server's clock is not shown"),
        Some(skew) if skew.abs() > MAX_SKEW => {
            let side = if skew > 0 { "ahead of" } else { "behind" };
            let detail = format!("this machine's clock is {} s {side} the server's", skew.abs());
            CheckStep::warn("clock", detail, "set this machine's clock")
        }
        Some(skew) => CheckStep::ok("clock", format!("within {} s of the server's", skew.abs())),
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
