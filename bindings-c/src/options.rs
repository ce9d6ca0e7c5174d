//! The options of a client.

use std::ffi::c_char;
use std::mem::MaybeUninit;

use junfeiai::ClientBuilder;
use serde_json::Value;

use crate::error_handle::jfai_error;
use crate::failure::{Outcome, need};
use crate::guard::{guard, guard_or};
use crate::option_values::OptionValues;
use crate::status::jfai_status;
use crate::text::text;
use crate::time::milliseconds;

type Step = Box<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>;

/// The options of a client. What is not set has its default.
pub struct jfai_client_options {
    pub(crate) values: OptionValues,
    /// What JSON cannot hold: names of files that are not text, and several values in one.
    steps: Vec<Step>,
}

impl jfai_client_options {
    pub(crate) fn new() -> Self {
        let mut values = OptionValues::default();
        values.insert("sdk_name", "c");
        Self { values, steps: Vec::new() }
    }

    pub(crate) fn with_env() -> Self {
        let mut options = Self::new();
        options.values.insert("env", true);
        options
    }

    pub(crate) fn set(&mut self, option: &'static str, function: &'static str, value: impl Into<Value>) {
        if option == "endpoint" {
            // It takes the place of all that are set.
            self.values.remove("endpoints");
        }
        self.values.set(option, function, value);
    }

    /// The core calls the endpoints by the way they are given to it: one, or several.
    fn add_endpoint(&mut self, function: &'static str, endpoint: &str) {
        if let Some(first) = self.values.remove("endpoint") {
            self.values.push("endpoints", first);
        }
        self.values.push("endpoints", endpoint.into());
        self.values.note("endpoints", function);
    }

    /// Sets an option that JSON cannot hold.
    pub(crate) fn step(
        &mut self,
        option: &'static str,
        function: &'static str,
        step: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
    ) {
        self.values.note(option, function);
        self.steps.push(Box::new(step));
    }

    pub(crate) fn builder(&self) -> Outcome<ClientBuilder> {
        let builder = ClientBuilder::from_json(self.values.json());
        let builder = builder.map_err(|error| self.values.named(error))?;
        Ok(self.steps.iter().fold(builder, |builder, step| step(builder)))
    }
}

/// Makes options that are all at their defaults.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_new(
    out: Option<&mut MaybeUninit<Box<jfai_client_options>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(out, "out")?.write(Box::new(jfai_client_options::new()));
        Ok(())
    })
}

/// Frees options. NULL is ignored. A client that was made with them does not need them any more.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_free(options: Option<Box<jfai_client_options>>) {
    guard_or!(() => drop(options));
}

/// Fills what is not set from `JUNFEIAI_API_KEY`, `JUNFEIAI_BASE_URL` and `JUNFEIAI_VIDEO_BASE_URL`, when the client is made.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_use_env(
    options: Option<&mut jfai_client_options>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.values.insert("env", true);
        Ok(())
    })
}

/// Adds an endpoint after those that are set. Another one than the first is used only when no connection can be made, so that
/// nothing is paid for twice. The key is sent to all of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_add_endpoint(
    options: Option<&mut jfai_client_options>,
    endpoint: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let endpoint = unsafe { text(endpoint, "endpoint") }?;
        need(options, "options")?.add_endpoint("jfai_client_options_add_endpoint", endpoint);
        Ok(())
    })
}

/// Adds a host that the key may be sent to, as `host` or `host:port`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_trust_host(
    options: Option<&mut jfai_client_options>,
    host: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let host = unsafe { text(host, "host") }?;
        let values = &mut need(options, "options")?.values;
        values.push("trusted_hosts", host.into());
        values.note("trusted_hosts", "jfai_client_options_trust_host");
        Ok(())
    })
}

/// Sets a further header of every request, for a gateway of yours for example; call it again for more. A name that was set before, in
/// whatever case, gets this value. Headers are sent only to hosts that may receive the key, and their values are never shown: they may
/// be secrets. `jfai_client_new` refuses a name or value that cannot be sent, and what this library sends itself, such as
/// `Authorization` or `Range`. Default: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_header(
    options: Option<&mut jfai_client_options>,
    name: *const c_char,
    value: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for strings or NULL.
        let (name, value) = unsafe { (text(name, "name")?, text(value, "value")?) };
        let values = &mut need(options, "options")?.values;
        values.set_part("headers", name, value);
        values.note("headers", "jfai_client_options_set_header");
        Ok(())
    })
}

/// Sets the most that one create request may cost, in USD: one that would cost more is refused before it is sent. Default: no
/// limit.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_max_cost(
    options: Option<&mut jfai_client_options>,
    usd: f64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // Not in JSON, which has neither infinity nor NaN.
        need(options, "options")?.step("max_cost", "jfai_client_options_set_max_cost", move |builder| builder.max_cost(usd));
        Ok(())
    })
}

/// Sets the most that all create requests of one UTC day may cost together, in USD, of all clients that share the journal: one that
/// would exceed it is refused before it is sent. Needs a journal. Default: no limit.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_budget(
    options: Option<&mut jfai_client_options>,
    usd: f64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // Not in JSON, which has neither infinity nor NaN.
        need(options, "options")?.step("budget", "jfai_client_options_set_budget", move |builder| builder.budget(usd));
        Ok(())
    })
}

/// Sets the rate limit that all tasks and threads of the client share (a token bucket): requests per second, and the burst. Downloads
/// are not limited. Default 2 per second in bursts of 4; for a server on localhost 1000 and 1000.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_request_rate(
    options: Option<&mut jfai_client_options>,
    per_second: f64,
    burst: u32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // Not in JSON, which has neither infinity nor NaN.
        need(options, "options")?.step("request_rate", "jfai_client_options_set_request_rate", move |builder| builder.request_rate(per_second, burst));
        Ok(())
    })
}

/// Sets the delays between attempts, in milliseconds: the first (default 500), the longest (20000), and the time from the
/// first attempt to the start of the last (120000).
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_retry_pauses_ms(
    options: Option<&mut jfai_client_options>,
    first_ms: u64,
    longest_ms: u64,
    budget_ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let (first, longest, budget) = (milliseconds(first_ms), milliseconds(longest_ms), milliseconds(budget_ms));
        need(options, "options")?.step("retry", "jfai_client_options_set_retry_pauses_ms", move |builder| builder.retry_pauses(first, longest, budget));
        Ok(())
    })
}
