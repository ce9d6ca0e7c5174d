//! The one loop: ask a machine, do the IO, tell the machine. Short and dull on purpose; whatever decides is in
//! [`protocol`](crate::protocol).

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use futures_util::future::{Either, select};

use crate::async_compat::BoxFuture;
use crate::calls::cancel::CancelToken;
use crate::calls::config::Config;
use crate::calls::departure::{Gate, hand_over};
use crate::calls::scheduler::{Limited, Permit, Scheduler};
#[cfg(feature = "journal")]
use crate::calls::shared_turn::SharedTurns;
use crate::calls::tracker::{TrackedCreate, in_time};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::PerProcess;
#[cfg(feature = "journal")]
use crate::journal::Recorder;
use crate::model::Snapshot;
use crate::net::endpoint::{Endpoint, path_segment};
#[cfg(feature = "journal")]
use crate::net::secret::AccountAccess;
use crate::net::secret::ApiKey;
use crate::net::transport::{
    CustomHeaders, Failure, Headers, HttpRequest, Method, PieceResponse, PieceStream, Timer, Transport, TransportError,
};
use crate::net::url::Url;
#[cfg(feature = "prices")]
use crate::protocol::PriceBook;
use crate::protocol::{
    ApiResponse, CallEvent, CallMachine, CallStep, Failover, GRACE, Reach, RecentCreates, RetryPolicy, Safety,
    WaitMachine, WaitStep, next_hop, parse_query,
};
use crate::text::decimal::Seconds;
use crate::time::Time;

/// Largest JSON answer that is read.
const MAX_ANSWER: usize = 1024 * 1024;
/// Largest answer of a helper path: a log of 1000 rows.
const MAX_HELPER_ANSWER: usize = 4 * MAX_ANSWER;
/// Longest time until the other processes of the journal know of a 429.
#[cfg(feature = "journal")]
const LIMIT_WRITE: Duration = Duration::from_secs(2);

/// Ends later than its time by more than this, a call was not driven: its program did something else, or was stopped.
const STOOD_STILL: Duration = Duration::from_millis(250);
/// What such a call has to find an answer that is there already.
const CATCH_UP: Duration = Duration::from_secs(1);

/// Everything that a call needs.
pub(crate) struct ClientCore {
    pub(crate) config: Config,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) timer: Arc<dyn Timer>,
    pub(crate) state: PerProcess<State>,
    /// No create request leaves any more.
    pub(crate) closed: CancelToken,
    #[cfg(feature = "journal")]
    pub(crate) recorder: Option<Recorder>,
}

/// What a client has learnt and promised so far, and the locks around it: each process that inherits the client by
/// `fork()` begins anew.
pub(crate) struct State {
    scheduler: Scheduler,
    /// Where the journal is in a store: the turns among all processes that share it.
    #[cfg(feature = "journal")]
    shared_turns: Option<SharedTurns>,
    failover: Mutex<Failover>,
    recent_creates: Mutex<RecentCreates>,
    #[cfg(feature = "prices")]
    prices: Mutex<PriceBook>,
}

/// One call to the API.
pub(crate) struct Call {
    pub(crate) phase: Phase,
    pub(crate) safety: Safety,
    pub(crate) path: Path,
    pub(crate) body: Option<Bytes>,
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    /// The paid create that this is.
    pub(crate) create: Option<TrackedCreate>,
    /// Unix seconds after which it must not leave: it could still be under way when others count it as given up. A process that was
    /// stopped comes so late, and an attempt whose turn does.
    pub(crate) not_after: Option<u64>,
    /// The same for all attempts, for a proxy of the user's that answers a repeated request as the first.
    pub(crate) idempotency_key: Option<String>,
    /// Asks in the name of the account instead of the key.
    #[cfg(feature = "journal")]
    pub(crate) account: Option<AccountAccess>,
}

impl Call {
    /// A call that changes nothing at the server.
    pub(crate) fn read(phase: Phase, path: Path, timeout: Duration, retry: RetryPolicy) -> Self {
        let safety = Safety::Idempotent;
        Self {
            phase,
            safety,
            path,
            body: None,
            timeout,
            retry,
            create: None,
            not_after: None,
            idempotency_key: None,
            #[cfg(feature = "journal")]
            account: None,
        }
    }
}

/// Whose turn it is by the client's schedule, and among all processes that share the journal.
pub(crate) enum Turn<'a> {
    /// The call waits for it.
    ToCome,
    /// The caller has waited for both; a create brings its place among those in flight.
    Come(Option<Permit<'a>>),
}

/// What a call brings.
pub(crate) struct Reply<'a> {
    pub(crate) response: ApiResponse,
    pub(crate) attempts: u32,
    /// The endpoint that answered.
    pub(crate) endpoint: &'a Endpoint,
}

/// Where a call goes at the endpoint that an attempt is sent to.
pub(crate) enum Path {
    /// Below the base URL, behind its `/v1`.
    Api(String),
    /// Below the origin: helper paths.
    Root(&'static str),
    /// The same with a query of its own.
    #[cfg(feature = "journal")]
    Asking(String),
}

impl Path {
    pub(crate) fn at(&self, endpoint: &Endpoint) -> Url {
        match self {
            Self::Api(path) => endpoint.url(path),
            Self::Root(path) => endpoint.root_url(path),
            #[cfg(feature = "journal")]
            Self::Asking(path) => endpoint.root_url(path),
        }
    }
}

/// What a request carries beside the usual.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extra<'a> {
    idempotency_key: Option<&'a str>,
    gate: Option<&'a Gate>,
    #[cfg(feature = "journal")]
    account: Option<&'a AccountAccess>,
}

/// What goes in the key's place; nothing where there is no journal, whose calls alone have it: a page need not load it.
#[derive(Default)]
pub(crate) struct Secret {
    #[cfg(feature = "journal")]
    token: Option<ApiKey>,
}

impl Secret {
    #[cfg(feature = "journal")]
    fn get(&self) -> Option<&ApiKey> {
        self.token.as_ref()
    }

    #[cfg(not(feature = "journal"))]
    #[allow(clippy::unused_self)] // the shape of the one that has it
    fn get(&self) -> Option<&ApiKey> {
        None
    }
}

impl<'a> Extra<'a> {
    fn of(call: &'a Call) -> Self {
        Self {
            idempotency_key: call.idempotency_key.as_deref(),
            gate: None,
            #[cfg(feature = "journal")]
            account: call.account.as_ref(),
        }
    }

    #[cfg_attr(not(feature = "journal"), allow(clippy::unused_self))] // the shape of the one that has it
    fn secret(self) -> Secret {
        Secret {
            #[cfg(feature = "journal")]
            token: self.account.map(|account| account.token().clone()),
        }
    }
}

/// Why a request brought no response.
pub(crate) enum NoResponse {
    Failed(TransportError),
    Refused(Error),
}

impl ClientCore {
    pub(crate) fn now(&self) -> Time {
        self.timer.now()
    }

    pub(crate) async fn sleep_until(&self, time: Time) {
        let left = time.since(self.timer.now());
        if !left.is_zero() {
            self.timer.sleep(left).await;
        }
    }

    /// The future's output, or `None` when the time is up first.
    pub(crate) async fn within<T>(&self, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        match select(pin!(future), self.timer.sleep(limit)).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(((), _)) => None,
        }
    }

    /// Carries a call through, by the rules of [`CallMachine`]: the one way to the API. Every attempt waits for its turn; the
    /// time until the first turn is no part of the call.
    ///
    /// Boxed, as [`ClientCore::turn`] is: each place that calls it would carry a copy of the code otherwise.
    pub(crate) fn request<'a>(&'a self, call: Call, turn: Turn<'a>) -> BoxFuture<'a, Result<Reply<'a>>> {
        Box::pin(async move {
            let mut turn = match turn {
                Turn::Come(permit) => Some(permit),
                Turn::ToCome => {
                    let permit = self.turn(&call, self.now()).await?;
                    self.shared_turn(&call).await?;
                    Some(permit)
                }
            };
            let (phase, safety) = (call.phase, call.safety);
            let retry = call.retry.clone();
            let begun = self.now();
            let mut machine = CallMachine::new(phase, safety, retry, call.timeout, begun, self.timer.seed());
            let mut endpoint = self.endpoint();
            loop {
                match machine.step(self.now()) {
                    CallStep::WaitUntil(time) => match &call.create {
                        Some(create) => create.unless_stopped(self.sleep_until(time).map(Ok)).await?,
                        None => self.sleep_until(time).await,
                    },
                    CallStep::Send { attempt, timeout } => {
                        let permit = if let Some(permit) = turn.take() {
                            permit
                        } else {
                            let permit = self.turn(&call, begun).await?;
                            self.shared_turn(&call).await?;
                            permit
                        };
                        self.may_leave(&call)?;
                        let sent = self.now();
                        let (event, entry) = self.attempt(&call, timeout).await;
                        endpoint = entry;
                        let limit = self.scheduler().note(phase, sent, &event);
                        self.note_limit(sent, limit);
                        if let Some(permit) = permit {
                            permit.release();
                        }
                        tracing::debug!(
                            name: "request",
                            phase = phase.name(),
                            attempt,
                            %endpoint,
                            outcome = %Outcome(&event),
                            elapsed = log_seconds(self.now().since(sent)),
                            request_id = log_request_id(&event),
                            "request"
                        );
                        machine.input(self.now(), event);
                        if let Some(create) = call.create.as_ref().filter(|_| !machine.maybe_executed()) {
                            create.refused();
                        }
                        if limit.is_some() {
                            self.write_limit(call.create.as_ref()).await;
                        }
                    }
                    CallStep::Done(result) => {
                        let response = result?;
                        return Ok(Reply { response, attempts: machine.attempts(), endpoint });
                    }
                }
            }
        })
    }

    /// Whether a create request may be handed to the transport.
    fn may_leave(&self, call: &Call) -> Result<()> {
        let Some(create) = &call.create else { return Ok(()) };
        in_time(call.not_after, &*self.timer)?;
        hand_over(create, &*self.transport)
    }

    /// Waits for an attempt's turn among all processes that share the journal.
    ///
    /// # Errors
    /// `rate_limited`, without anything sent, when it would come later than the call may take: one of them was asked to pause, or
    /// too many wait.
    #[cfg(feature = "journal")]
    pub(crate) async fn shared_turn(&self, call: &Call) -> Result<()> {
        let Some(turns) = &self.state().shared_turns else { return Ok(()) };
        let turn = self.within(call.timeout, turns.turn(Some(self.now() + call.timeout)));
        let came = match &call.create {
            Some(create) => create.unless_stopped(turn.map(Ok)).await?,
            None => turn.await,
        };
        if came == Some(true) { Ok(()) } else { Err(turns.late(call.phase)) }
    }

    #[cfg(not(feature = "journal"))]
    #[allow(clippy::unused_async, clippy::unused_self)] // the shape of the one that waits
    pub(crate) async fn shared_turn(&self, _: &Call) -> Result<()> {
        Ok(())
    }

    /// The same for a poll of a wait; false when it does not come by this time. `at_once` says so as soon as that is known.
    #[cfg(feature = "journal")]
    pub(crate) fn shared_poll_turn(&self, until: Option<Time>, at_once: bool) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let Some(turns) = &self.state().shared_turns else { return true };
            let turn = turns.turn(until.filter(|_| at_once));
            match until {
                Some(until) => self.within(until.since(self.now()), turn).await == Some(true),
                None => turn.await,
            }
        })
    }

    #[cfg(not(feature = "journal"))]
    #[allow(clippy::unused_self)] // the shape of the one that waits
    pub(crate) fn shared_poll_turn(&self, _: Option<Time>, _: bool) -> std::future::Ready<bool> {
        std::future::ready(true)
    }

    /// Slows all processes that share the journal, after a 429.
    #[cfg(feature = "journal")]
    fn note_limit(&self, sent: Time, limit: Option<Limited>) {
        if let (Some(turns), Some(Limited(retry_after))) = (&self.state().shared_turns, limit) {
            turns.limited(sent, retry_after);
        }
    }

    #[cfg(not(feature = "journal"))]
    #[allow(clippy::unused_self)] // the shape of the one that slows
    fn note_limit(&self, _: Time, _: Option<Limited>) {}

    /// Lets them know at once, since this process may have nothing more to send for long. A call that is tried again pauses meanwhile
    /// anyway; an error comes by [`LIMIT_WRITE`] later at most.
    #[cfg(feature = "journal")]
    async fn write_limit(&self, create: Option<&TrackedCreate>) {
        let Some(turns) = &self.state().shared_turns else { return };
        let written = turns.write_limit(self.now() + LIMIT_WRITE);
        match create {
            // What was stopped is found so at its next step.
            Some(create) => _ = create.unless_stopped(written.map(Ok)).await,
            None => written.await,
        }
    }

    #[cfg(not(feature = "journal"))]
    #[allow(clippy::unused_async, clippy::unused_self)] // the shape of the one that writes
    async fn write_limit(&self, _: Option<&TrackedCreate>) {}

    /// Waits for an attempt's turn by the client's schedule.
    pub(crate) fn turn<'a>(&'a self, call: &Call, since: Time) -> BoxFuture<'a, Result<Option<Permit<'a>>>> {
        let (phase, timeout, create) = (call.phase, call.timeout, call.create.clone());
        Box::pin(async move {
            match create {
                Some(create) => create.unless_stopped(self.scheduler().create_turn(since, timeout)).await.map(Some),
                None => self.scheduler().query_turn(phase, timeout).await.map(|()| None),
            }
        })
    }

    /// One attempt: the endpoints in the order that [`Failover`] says, until one takes the connection.
    async fn attempt(&self, call: &Call, timeout: Duration) -> (CallEvent, &Endpoint) {
        let begun = self.now();
        let mut round = self.failover().begin(begun, call.safety == Safety::Idempotent);
        let mut failures: Vec<String> = Vec::new();
        // A certificate that is not valid ends the call only where no endpoint failed otherwise, which may pass.
        let mut passing = None;
        loop {
            // While the one before was tried the program may have ended its creates, or the machine may have slept.
            if !failures.is_empty()
                && let Err(error) = self.may_leave(call)
            {
                return (CallEvent::Refused(error), self.endpoint());
            }
            let endpoint = self.config.endpoints.get(round.entry()).unwrap_or(&self.config.endpoint);
            let left = if failures.is_empty() {
                timeout
            } else {
                // Whole milliseconds, since an error may show it.
                Duration::from_millis(timeout.saturating_sub(self.now().since(begun)).as_millis() as u64)
            };
            let gate = Gate::new(call.create.as_ref(), call.not_after, &self.timer, &*self.transport);
            let extra = Extra { gate: Some(&gate), ..Extra::of(call) };
            let event = self.exchange(call.phase, &call.path.at(endpoint), call.body.clone(), left, extra).await;
            let on = self.failover().input(self.now(), &mut round, reach(&event));
            let event = match event {
                CallEvent::Failed(error) if error.failure.not_sent() => {
                    tracing::debug!(name: "no_connection", phase = call.phase.name(), %endpoint, %error, "no connection");
                    failures.push(error.message);
                    if error.failure != Failure::Certificate {
                        passing = Some(error.failure);
                    }
                    CallEvent::Failed(TransportError::new(passing.unwrap_or(error.failure), failures.join("; ")))
                }
                event => event,
            };
            if !on || self.now().since(begun) >= timeout {
                return (event, endpoint);
            }
        }
    }

    fn state(&self) -> &State {
        self.state.get_or_init(|| State {
            scheduler: Scheduler::new(self.config.schedule, self.timer.clone()),
            #[cfg(feature = "journal")]
            shared_turns: self
                .recorder
                .as_ref()
                .and_then(|recorder| recorder.journal.store())
                .map(|store| SharedTurns::new(store, self.timer.clone(), self.config.schedule.rate)),
            failover: Mutex::new(Failover::new(self.config.endpoints.len())),
            recent_creates: Mutex::default(),
            #[cfg(feature = "prices")]
            prices: Mutex::default(),
        })
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.state().scheduler
    }

    fn failover(&self) -> MutexGuard<'_, Failover> {
        self.state().failover.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn recent_creates(&self) -> MutexGuard<'_, RecentCreates> {
        self.state().recent_creates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(feature = "prices")]
    pub(crate) fn prices(&self) -> &Mutex<PriceBook> {
        &self.state().prices
    }

    /// The entry that calls go to first.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        let current = self.failover().current();
        self.config.endpoints.get(current).unwrap_or(&self.config.endpoint)
    }

    /// One request and its whole answer.
    pub(crate) fn exchange<'a>(
        &'a self,
        phase: Phase,
        url: &Url,
        body: Option<Bytes>,
        timeout: Duration,
        extra: Extra<'_>,
    ) -> BoxFuture<'a, CallEvent> {
        let url = url.clone();
        // Where nothing is said of it a server may pack its answer, and with it the id that was paid for.
        let mut headers = vec![("Accept", "application/json".to_owned()), ("Accept-Encoding", "identity".to_owned())];
        headers.extend(extra.idempotency_key.map(|key| ("Idempotency-Key", key.to_owned())));
        #[cfg(feature = "journal")]
        headers.extend(extra.account.and_then(AccountAccess::number).map(|number| ("New-Api-User", number.to_owned())));
        let (secret, gate) = (extra.secret(), extra.gate.cloned().unwrap_or_default());
        Box::pin(async move {
            // To end a call in the middle of connecting would hide that nothing was sent, which a create has to know.
            let connect = if phase == Phase::Create { timeout / 10 * 9 } else { Duration::MAX };
            let begun = self.now();
            // Kept outside of what time ends: an answer that stands still may have brought the id that was paid for, or a refusal.
            let (mut head, mut come, mut broken) = (None, BytesMut::new(), None);
            let ended = {
                let mut exchange = pin!(async {
                    let response = match self.send(phase, &url, body, headers, &secret, connect, &gate).await {
                        Ok((response, _)) => response,
                        Err(NoResponse::Failed(error)) => return Some(CallEvent::Failed(error)),
                        Err(NoResponse::Refused(error)) => return Some(CallEvent::Refused(error)),
                    };
                    head = Some((response.status, response.headers));
                    let limit = if phase == Phase::Check { MAX_HELPER_ANSWER } else { MAX_ANSWER };
                    broken = read_capped(response.body, limit, &mut come).await;
                    None
                });
                let mut limits = [timeout, CATCH_UP].into_iter();
                loop {
                    let Some(limit) = limits.next() else { break None };
                    let ended = self.within(limit, exchange.as_mut()).await;
                    // Where the clock went on while nobody drove this call, what came meanwhile has not been looked at.
                    if ended.is_some() || self.now().since(begun) < timeout + STOOD_STILL {
                        break ended;
                    }
                }
            };
            let late = || {
                let (failure, text) = if gate.is_shut() {
                    (Failure::Connect, "made no connection")
                } else {
                    (Failure::Timeout, "did not answer")
                };
                TransportError::new(failure, format!("{} {text} within {} s", url.origin(), Seconds(timeout)))
            };
            match ended {
                Some(Some(event)) => return event,
                Some(None) => {}
                None => broken = Some(late()),
            }
            let Some((status, headers)) = head else { return CallEvent::Failed(broken.unwrap_or_else(late)) };
            let body = come.freeze();
            let body = match secret.get() {
                Some(secret) => secret.redact_body(&body),
                None => body,
            };
            let answer = self.answer(status, headers, &body);
            match broken {
                None => CallEvent::Answered(answer),
                Some(_) if answer.ends_by_itself() => CallEvent::Answered(answer),
                Some(error) => CallEvent::Broken(answer, error),
            }
        })
    }

    /// Sends one request and follows redirects. The key and the caller's headers go along only where the list allows it, judged on every hop; the secret,
    /// which goes in the key's place, only to the host that was asked. `connect` is the longest time to connect where it is shorter than the client's;
    /// `gate` is asked when a create leaves.
    #[allow(clippy::too_many_arguments)] // each is of another kind
    pub(crate) async fn send(
        &self,
        phase: Phase,
        url: &Url,
        body: Option<Bytes>,
        extra_headers: Vec<(&'static str, String)>,
        secret: &Secret,
        connect: Duration,
        gate: &Gate,
    ) -> Result<(PieceResponse, Url), NoResponse> {
        let secret = secret.get();
        let method = if body.is_some() { Method::Post } else { Method::Get };
        let asked = url;
        let mut url = url.clone();
        let mut hops = 0;
        loop {
            let trusted = self.config.trust.allows(&url) && (secret.is_none() || url.origin() == asked.origin());
            if !trusted && phase != Phase::Content {
                let message = match secret {
                    Some(_) => format!("the account token may not go to {}", url.origin()),
                    None => format!("the API key may not go to {}", url.origin()),
                };
                return Err(NoResponse::Refused(Error::new(ErrorKind::UntrustedHost, phase, message)));
            }
            let request = HttpRequest {
                method,
                url: url.clone(),
                headers: self.headers(body.is_some(), &extra_headers),
                custom_headers: if trusted { self.config.headers.clone() } else { CustomHeaders::default() },
                key: secret.cloned().or_else(|| self.config.key.clone()).filter(|_| trusted),
                body: body.clone(),
                fresh_connection: phase == Phase::Create,
                connect_timeout: self.config.connect_timeout.min(connect),
                #[cfg(any(feature = "node", not(feature = "wasm")))]
                departure: gate.departure(),
            };
            let sent = self.transport.send_outside(request).await;
            let mut response = sent.map_err(|error| match gate.refusal() {
                Some(refusal) => NoResponse::Refused(refusal),
                None => NoResponse::Failed(self.hidden(error)),
            })?;
            // Before anything is made of them: a `Location` ends in errors, an `ETag` beside the file.
            if let Some(key) = &self.config.key {
                response.headers = response.headers.redacted(key);
            }
            if let Some(secret) = secret {
                response.headers = response.headers.redacted(secret);
            }
            match next_hop(method, &url, response.status, response.headers.get("location"), hops) {
                Ok(None) => return Ok((response, url)),
                Ok(Some(next)) => url = next,
                Err(error) => {
                    return Err(NoResponse::Refused(error.with(|record| {
                        record.phase = phase;
                        record.message = self.config.headers.redact(&record.message).into_owned();
                    })));
                }
            }
            hops += 1;
        }
    }

    /// An error of the transport without the values of the caller's headers.
    fn hidden(&self, mut error: TransportError) -> TransportError {
        error.message = self.config.headers.redact(&error.message).into_owned();
        error
    }

    fn headers(&self, has_body: bool, extra: &[(&'static str, String)]) -> Vec<(&'static str, String)> {
        let mut headers = vec![("User-Agent", self.config.user_agent.clone())];
        if let Some(language) = &self.config.language {
            headers.push(("Accept-Language", language.clone()));
        }
        if has_body {
            headers.push(("Content-Type", "application/json".to_owned()));
        }
        headers.extend(extra.iter().cloned());
        headers
    }

    /// An answer as codecs read it: without the key, should the server repeat it. ([`ClientCore::send`] saw to the headers.)
    pub(crate) fn answer(&self, status: u16, headers: Headers, body: &Bytes) -> ApiResponse {
        let unix_now = self.timer.unix_now();
        let body = self.config.key.as_ref().map_or_else(|| body.clone(), |key| key.redact_body(body));
        ApiResponse::received(status, headers, body, unix_now).hiding(&self.config.headers)
    }

    /// Asks for a task's state, with as many attempts as `retry` allows.
    ///
    /// Boxed: thousands may wait, few of them are asking.
    pub(crate) fn query<'a>(
        &'a self,
        id: &str,
        timeout: Duration,
        retry: RetryPolicy,
        turn: Turn<'a>,
    ) -> BoxFuture<'a, Result<Snapshot>> {
        let id: Box<str> = id.into();
        Box::pin(async move {
            let path = Path::Api(format!("/video/generations/{}", path_segment(&id)));
            let reply = self.request(Call::read(Phase::Query, path, timeout, retry), turn).await;
            let reply = reply.map_err(|error| error.with_task(&id))?;
            parse_query(&id, reply.endpoint, &reply.response)
        })
    }

    /// Continues a wait until an answer shows a state, or the wait ends.
    pub(crate) async fn wait_step(&self, machine: &mut WaitMachine) -> WaitEvent {
        loop {
            if let Some(due) = machine.due()
                && (self.scheduler().poll_turn(due, machine.deadline()).await.is_none()
                    || !self.shared_poll_turn(machine.deadline().map(|deadline| deadline + GRACE), false).await)
            {
                return WaitEvent::Done(Err(machine.timed_out()));
            }
            match machine.step(self.now()) {
                WaitStep::WaitUntil(time) => self.sleep_until(time).await,
                WaitStep::Poll { timeout } => {
                    // A wait has a budget of its own for failures: one attempt a poll.
                    let retry = RetryPolicy { max_attempts: 1, ..self.config.retry.clone() };
                    let result = self.query(machine.task_id(), timeout, retry, Turn::Come(None)).await;
                    let id = machine.task_id();
                    match result {
                        Ok(seen) => {
                            let status = seen.status.name();
                            tracing::debug!(name: "polled", task_id = id, status, progress = seen.progress, "polled");
                            machine.input(self.now(), Ok(&seen));
                            return WaitEvent::Seen(Box::new(seen));
                        }
                        Err(error) => {
                            let (kind, request_id) = (error.kind().name(), error.record().request_id.as_deref());
                            tracing::debug!(name: "poll_failed", task_id = id, error = kind, request_id, "poll failed");
                            machine.input(self.now(), Err(error));
                        }
                    }
                }
                WaitStep::Done(result) => {
                    Box::pin(self.note_finished(machine.task_id(), &result, machine.charged_units())).await;
                    return WaitEvent::Done(result);
                }
            }
        }
    }
}

/// What a wait brings.
pub(crate) enum WaitEvent {
    /// An answer showed this state.
    Seen(Box<Snapshot>),
    /// The wait has ended: the state that was seen last is the final one, or this error.
    Done(Result<()>),
}

/// Reads a body up to a limit; says why when it did not come to its end. What has come is kept where the caller drops this, too.
pub(crate) async fn read_capped(mut body: PieceStream, limit: usize, whole: &mut BytesMut) -> Option<TransportError> {
    loop {
        match poll_fn(|cx| body.as_mut().poll_next(cx)).await {
            None => return None,
            Some(Err(error)) => return Some(error),
            Some(Ok(piece)) => {
                let piece = piece.into_bytes();
                let room = limit.saturating_sub(whole.len());
                whole.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
                if piece.len() > room {
                    let message = format!("the answer is longer than {limit} bytes");
                    return Some(TransportError::new(Failure::Lost, message));
                }
            }
        }
    }
}

/// What an attempt says about the endpoint. A gateway error speaks neither for it nor against it.
fn reach(event: &CallEvent) -> Reach {
    match event {
        CallEvent::Failed(error) if error.failure.not_sent() => Reach::NoConnection,
        CallEvent::Answered(answer) if answer.status < 500 => Reach::Answered,
        _ => Reach::NoAnswer,
    }
}

/// The server's id of a request in a log line, if it was answered.
fn log_request_id(event: &CallEvent) -> Option<String> {
    match event {
        CallEvent::Answered(answer) | CallEvent::Broken(answer, _) => answer.request_id(None),
        CallEvent::Failed(_) | CallEvent::Refused(_) => None,
    }
}

/// Seconds in a log line, to the millisecond.
pub(crate) fn log_seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// An attempt's outcome in a log line.
struct Outcome<'a>(&'a CallEvent);

impl std::fmt::Display for Outcome<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            CallEvent::Answered(answer) | CallEvent::Broken(answer, _) => write!(f, "HTTP {}", answer.status),
            CallEvent::Failed(error) => write!(f, "{error}"),
            CallEvent::Refused(error) => write!(f, "{}", error.kind()),
        }
    }
}
