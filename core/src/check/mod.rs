//! The check ("doctor"), and what else the server tells without creating anything.

mod report;

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join;

use crate::async_compat::BoxFuture;
use crate::calls::client_core::{Call, ClientCore, Extra, Path, Turn};
use crate::calls::config::VERSION;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::endpoint::{Endpoint, video_origin};
#[cfg(feature = "journal")]
use crate::net::secret::AccountAccess;
use crate::net::transport::{CustomHeaders, HttpRequest, Method, ProxySetting};
use crate::net::url::Url;
#[cfg(feature = "journal")]
use crate::protocol::account_tasks::{TaskList, TaskPages, account_error, parse_account_tasks};
use crate::protocol::proxy::PROXY_VARIABLES;
use crate::protocol::{
    BALANCE, Balance, CallEvent, CheckStep, IMPOSSIBLE_TASK, KeyDoubt, MODELS, ProbeFacts, RetryPolicy, StepStatus,
    UNITS_PER_USD, if_offered, judge_key_without_right, judge_probe, judge_refused_key, parse_balance, parse_models,
    transport_error,
};
#[cfg(feature = "journal")]
use crate::protocol::{USAGE_LOG, UsageLog, parse_usage_log};

pub use report::{CheckReport, EntryCheck};

/// What a check looks at beside the entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckOptions {
    /// Ask for the models and the balance as well. Default no: a server that tells the balance allows 20 calls in 20
    /// minutes (observed). Whatever is set here, the balance is asked for once when the key was answered 401, to tell a
    /// wrong key from one that is expired or used up, and the models when it was answered 403, to tell a key that may
    /// use some models only from one that may not be used.
    pub account: bool,
}

impl CheckOptions {
    /// Ask for the models and the balance as well.
    #[must_use]
    pub fn account(mut self, yes: bool) -> Self {
        self.account = yes;
        self
    }
}

pub(crate) async fn check(core: &ClientCore, options: CheckOptions) -> CheckReport {
    let in_use = core.endpoint();
    let probes = core.config.endpoints.iter().map(|endpoint| entry(core, endpoint, endpoint == in_use)).collect();
    let (probes, video_host) = join(together(probes), video_host(core)).await;
    let (mut entries, doubts): (Vec<EntryCheck>, Vec<Option<KeyDoubt>>) = probes.into_iter().unzip();

    // Each list is asked for once: at the endpoint that left a question open about the key, or where the account is wanted.
    let doubted = |doubt| doubts.iter().position(|found| *found == Some(doubt));
    let wanted = |entries: &[EntryCheck]| entries.iter().position(|entry| entry.ok).filter(|_| options.account);
    let at = |index: Option<usize>| index.and_then(|index| core.config.endpoints.get(index));

    let models = match at(doubted(KeyDoubt::NoRight).or_else(|| wanted(&entries))) {
        Some(endpoint) => Some(models_at(core, endpoint).await),
        None => None,
    };
    if let Some(told) = &models {
        settle(&mut entries, &doubts, KeyDoubt::NoRight, |_, step| judge_key_without_right(step, told));
    }
    let balance = match at(doubted(KeyDoubt::Refused).or_else(|| wanted(&entries))) {
        Some(endpoint) => Some(balance_at(core, endpoint).await),
        None => None,
    };
    if let Some(told) = &balance {
        let unix_now = core.timer.unix_now();
        settle(&mut entries, &doubts, KeyDoubt::Refused, |entry, step| {
            let server_now = unix_now.map(|now| now.saturating_add_signed(-entry.clock_skew_s.unwrap_or_default()));
            judge_refused_key(step, told, server_now)
        });
    }

    let why_not = if options.account { "no endpoint can be asked" } else { "not asked for" };
    let (models, models_step) =
        told("models", why_not, models, |models| if models.is_empty() { "none".to_owned() } else { models.join(", ") });
    let (balance, balance_step) = told("balance", why_not, balance, |balance: &Balance| {
        let used = usd(balance.used_units);
        match balance.available_units {
            Some(left) => format!("{} USD left, {used} USD used", usd(left)),
            None => format!("the key has no limit of its own, {used} USD used"),
        }
    });
    CheckReport {
        version: VERSION,
        ok: reached(&entries).is_some_and(|entry| entry.ok) && video_host.status != StepStatus::Fail,
        entries,
        steps: vec![proxy(core), video_host, models_step, balance_step],
        models,
        balance,
    }
}

/// Judges the key anew at every endpoint that left this question open.
fn settle(
    entries: &mut [EntryCheck],
    doubts: &[Option<KeyDoubt>],
    doubt: KeyDoubt,
    judge: impl Fn(&EntryCheck, &CheckStep) -> CheckStep,
) {
    for (entry, _) in entries.iter_mut().zip(doubts).filter(|(_, found)| **found == Some(doubt)) {
        if let Some(place) = entry.steps.iter().position(|step| step.name == "key")
            && let Some(judged) = entry.steps.get(place).map(|step| judge(entry, step))
            && let Some(step) = entry.steps.get_mut(place)
        {
            *step = judged;
        }
        entry.ok = is_ok(&entry.steps);
    }
}

fn is_ok(steps: &[CheckStep]) -> bool {
    steps.iter().all(|step| step.status != StepStatus::Fail)
}

/// The server's units in USD, to the cent.
fn usd(units: i64) -> String {
    let per_cent = (UNITS_PER_USD / 100.0) as u64;
    let cents = (units.unsigned_abs() + per_cent / 2) / per_cent;
    let sign = if units < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// The endpoint that calls end up at: only a connection that cannot be made leads to another one, so that an endpoint which
/// answers wrongly stands in the way of the good ones behind it.
fn reached(entries: &[EntryCheck]) -> Option<&EntryCheck> {
    let connects = |entry: &&EntryCheck| {
        ["dns", "connect", "tls"].iter().all(|name| entry.step(name).is_none_or(|step| step.status != StepStatus::Fail))
    };
    entries.iter().filter(|entry| entry.in_use).chain(entries).find(connects)
}

/// The models, asked for at the endpoint in use.
pub(crate) async fn models(core: &ClientCore) -> Result<Vec<String>> {
    let call = Call::read(Phase::Check, models_path(), core.config.timeout, core.config.retry.clone());
    parse_models(&core.request(call, Turn::ToCome).await.map_err(|error| if_offered(error, MODELS))?.response)
}

/// The balance, asked for at the endpoint in use.
pub(crate) async fn balance(core: &ClientCore) -> Result<Balance> {
    // A 429 here lasts for minutes: asking again would only make it last longer.
    let retry = RetryPolicy { max_attempts: 1, ..core.config.retry.clone() };
    let call = Call::read(Phase::Check, balance_path(), core.config.timeout, retry);
    parse_balance(&core.request(call, Turn::ToCome).await.map_err(|error| if_offered(error, BALANCE))?.response)
}

/// The newest rows of the key's log, asked for at the endpoint in use. One call, and no second one: it shares the balance's
/// narrow limit.
#[cfg(feature = "journal")]
pub(crate) async fn usage_log(core: &ClientCore) -> Result<UsageLog> {
    let retry = RetryPolicy { max_attempts: 1, ..core.config.retry.clone() };
    let call = Call::read(Phase::Check, Path::Root("/api/log/token"), core.config.timeout, retry);
    parse_usage_log(&core.request(call, Turn::ToCome).await.map_err(|error| if_offered(error, USAGE_LOG))?.response)
}

/// The tasks of the key's account that were submitted between these times, in unix seconds, asked for at the endpoint in use. A few
/// calls at most, and none again: they share the balance's narrow limit.
#[cfg(feature = "journal")]
pub(crate) async fn account_tasks(core: &ClientCore, access: &AccountAccess, window: (u64, u64)) -> Result<TaskList> {
    let retry = RetryPolicy { max_attempts: 1, ..core.config.retry.clone() };
    let mut pages = TaskPages::new(window.0, window.1);
    while let Some(path) = pages.next_path() {
        let call = Call::read(Phase::Check, Path::Asking(path), core.config.timeout, retry.clone());
        let call = Call { account: Some(access.clone()), ..call };
        let answer = core.request(call, Turn::ToCome).await.map_err(account_error)?;
        pages.input(parse_account_tasks(&answer.response)?);
    }
    Ok(pages.list())
}

fn models_path() -> Path {
    Path::Api("/models".to_owned())
}

/// With the slash: without it the server redirects (observed).
fn balance_path() -> Path {
    Path::Root("/api/usage/token/")
}

async fn models_at(core: &ClientCore, endpoint: &Endpoint) -> Result<Vec<String>> {
    match core.exchange(Phase::Check, &models_path().at(endpoint), None, patience(core), Extra::default()).await {
        CallEvent::Answered(answer) => parse_models(&answer),
        event => Err(unanswered(event)),
    }
}

async fn balance_at(core: &ClientCore, endpoint: &Endpoint) -> Result<Balance> {
    match core.exchange(Phase::Check, &balance_path().at(endpoint), None, patience(core), Extra::default()).await {
        CallEvent::Answered(answer) => parse_balance(&answer),
        event => Err(unanswered(event)),
    }
}

fn unanswered(event: CallEvent) -> Error {
    match event {
        CallEvent::Failed(error) | CallEvent::Broken(_, error) => transport_error(Phase::Check, error),
        CallEvent::Refused(error) => error,
        CallEvent::Answered(_) => Error::new(ErrorKind::Internal, Phase::Check, "an answer is not a failure"),
    }
}

/// Long enough that a connection that is not made fails as such, and not as an answer that is late.
fn patience(core: &ClientCore) -> Duration {
    core.config.timeout.max(core.config.connect_timeout.saturating_add(Duration::from_secs(1)))
}

/// An optional answer and the step that tells of it.
fn told<T>(
    name: &'static str,
    why_not: &str,
    asked: Option<Result<T>>,
    detail: impl Fn(&T) -> String,
) -> (Option<T>, CheckStep) {
    match asked {
        None => (None, CheckStep::skipped(name, why_not)),
        Some(Ok(value)) => {
            let step = CheckStep::ok(name, detail(&value));
            (Some(value), step)
        }
        Some(Err(error)) => match error.kind() {
            ErrorKind::NotOffered => (None, CheckStep::skipped(name, "not offered by this server")),
            // These paths have a budget of their own, which says nothing about videos.
            ErrorKind::RateLimited => (None, CheckStep::skipped(name, "not told now: it was asked for too often")),
            // The key, which the entry's own step tells of.
            ErrorKind::Authentication => (None, CheckStep::skipped(name, "not told with this key")),
            kind => (None, CheckStep::warn(name, error.record().message.clone(), kind.next_step())),
        },
    }
}

/// The results of a few futures that run at the same time, in their order.
async fn together<T>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let Poll::Ready(ended) = future.as_mut().poll(cx)
            {
                *result = Some(ended);
            }
        }
        if results.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    results.into_iter().flatten().collect()
}

fn entry<'a>(
    core: &'a ClientCore,
    endpoint: &'a Endpoint,
    in_use: bool,
) -> BoxFuture<'a, (EntryCheck, Option<KeyDoubt>)> {
    Box::pin(async move {
        let url = Path::Api(format!("/video/generations/{IMPOSSIBLE_TASK}")).at(endpoint);
        let begun = core.now();
        let event = core.exchange(Phase::Check, &url, None, patience(core), Extra::default()).await;
        let answered = matches!(event, CallEvent::Answered(_) | CallEvent::Broken(..));
        let latency = answered.then(|| core.now().since(begun));
        let facts = ProbeFacts {
            has_key: core.config.key.is_some(),
            connect_is_visible: core.transport.shows_connect_failures(),
        };
        let probed = judge_probe(&url, event, facts);
        let entry = EntryCheck {
            endpoint: endpoint.to_string(),
            in_use,
            ok: is_ok(&probed.steps),
            steps: probed.steps,
            latency,
            clock_skew_s: probed.clock_skew_s,
            request_id: probed.request_id,
        };
        (entry, probed.doubt)
    })
}

/// Whether the host of the results answers at all. The key stays here: any answer will do.
async fn video_host(core: &ClientCore) -> CheckStep {
    let documented = || {
        let own = core.config.endpoints.iter().any(Endpoint::is_documented);
        own.then(video_origin)
    };
    let Some(origin) = core.config.video_base.clone().or_else(documented) else {
        return CheckStep::skipped("video_host", "none is set: videos come from the endpoints");
    };
    let Ok(url) = Url::parse(&format!("{origin}/")) else {
        return CheckStep::skipped("video_host", "it has no URL");
    };
    let headers = vec![("User-Agent", core.config.user_agent.clone()), ("Cache-Control", "no-store".to_owned())];
    let request = HttpRequest {
        method: Method::Get,
        url,
        headers,
        custom_headers: CustomHeaders::default(),
        key: None,
        body: None,
        fresh_connection: false,
        connect_timeout: core.config.connect_timeout,
        #[cfg(any(feature = "node", not(feature = "wasm")))]
        departure: crate::net::transport::Departure::default(),
    };
    let advice = "videos could be read from the endpoints only: check network, firewall and proxy for this host, \
                  or set video_base_url to your own host name for it";
    match core.within(patience(core), core.transport.send(request)).await {
        Some(Ok(response)) => CheckStep::ok("video_host", format!("{origin} answers (HTTP {})", response.status)),
        Some(Err(error)) => {
            CheckStep::fail("video_host", transport_error(Phase::Check, error).record().message.clone(), advice)
        }
        None => CheckStep::fail("video_host", format!("{origin} did not answer in time"), advice),
    }
}

/// Which proxy is in the way. Names of variables only: their values may hold a password.
fn proxy(core: &ClientCore) -> CheckStep {
    let setting = core.transport.proxy_setting().unwrap_or_else(|| match core.config.proxy {
        Some(true) => ProxySetting::Own,
        Some(false) => ProxySetting::Off,
        None => {
            let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
            ProxySetting::Environment(PROXY_VARIABLES.into_iter().filter(is_set).collect())
        }
    });
    let detail = match setting {
        ProxySetting::Own => "the client's own option proxy is used".to_owned(),
        ProxySetting::Off => "switched off by the client's option proxy".to_owned(),
        ProxySetting::Environment(set) if set.is_empty() => "none is set in the environment".to_owned(),
        ProxySetting::Environment(set) => format!("set in the environment: {}", set.join(", ")),
    };
    CheckStep::ok("proxy", detail)
}
