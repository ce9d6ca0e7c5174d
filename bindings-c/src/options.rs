//! The options of a client.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::time::Duration;

use junfeiai::ClientBuilder;
use junfeiai::protocol::{RetryPolicy, WaitPolicy};

use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::{guard, guard_or};
use crate::setters::Setters;
use crate::status::jfai_status;
use crate::text::{path, text};
use crate::time::milliseconds;

type Step = Box<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>;

/// The options of a client. What is not set has its default.
pub struct jfai_client_options {
    steps: Vec<Step>,
    retry: RetryPolicy,
    wait: WaitPolicy,
    interval: Option<Duration>,
    endpoints: Vec<String>,
    from_env: bool,
    pub(crate) setters: Setters,
}

impl jfai_client_options {
    pub(crate) fn new() -> Self {
        Self {
            steps: vec![Box::new(|builder| builder.sdk_name("c"))],
            retry: RetryPolicy::default(),
            wait: WaitPolicy::default(),
            interval: None,
            endpoints: Vec::new(),
            from_env: false,
            setters: Setters::default(),
        }
    }

    pub(crate) fn with_env() -> Self {
        Self { from_env: true, ..Self::new() }
    }

    /// Notes the function of C that sets this option of the core.
    fn by(&mut self, option: &'static str, function: &'static str) -> &mut Self {
        self.setters.note(option, function);
        self
    }

    /// The same for the endpoints, which the core calls by the way they are given to it.
    fn endpoints_by(&mut self, function: &'static str) -> &mut Self {
        self.by("endpoint", function).by("endpoints", function)
    }

    fn step(&mut self, step: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static) {
        self.steps.push(Box::new(step));
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        let builder = ClientBuilder::default().retry(self.retry.clone()).wait_policy(self.wait.clone());
        let builder = match self.interval {
            Some(interval) => builder.poll_interval(interval),
            None => builder,
        };
        let builder = match self.endpoints.as_slice() {
            [] => builder,
            [one] => builder.endpoint(one),
            several => builder.endpoints(several),
        };
        let builder = self.steps.iter().fold(builder, |builder, step| step(builder));
        // Last, since the environment fills only what was not set.
        if self.from_env { builder.from_env() } else { builder }
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
        need(options, "options")?.from_env = true;
        Ok(())
    })
}

/// Sets the API key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_api_key(
    options: Option<&mut jfai_client_options>,
    api_key: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let api_key = unsafe { text(api_key, "api_key") }?.to_owned();
        need(options, "options")?.by("api_key", "jfai_client_options_set_api_key").step(move |builder| builder.api_key(api_key.clone()));
        Ok(())
    })
}

/// Sets the endpoint: `"standard"` (the default), `"china"`, a base URL ending in `/v1`, or a short host alias.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_endpoint(
    options: Option<&mut jfai_client_options>,
    endpoint: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let endpoint = unsafe { text(endpoint, "endpoint") }?.to_owned();
        need(options, "options")?.endpoints_by("jfai_client_options_set_endpoint").endpoints = vec![endpoint];
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
        let endpoint = unsafe { text(endpoint, "endpoint") }?.to_owned();
        need(options, "options")?.endpoints_by("jfai_client_options_add_endpoint").endpoints.push(endpoint);
        Ok(())
    })
}

/// Sets a custom domain that replaces the official video host, as scheme and host.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_video_base_url(
    options: Option<&mut jfai_client_options>,
    url: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let url = unsafe { text(url, "url") }?.to_owned();
        need(options, "options")?.by("video_base_url", "jfai_client_options_set_video_base_url").step(move |builder| builder.video_base_url(url.clone()));
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
        let host = unsafe { text(host, "host") }?.to_owned();
        need(options, "options")?.by("trusted_hosts", "jfai_client_options_trust_host").step(move |builder| builder.trust_host(host.clone()));
        Ok(())
    })
}

/// Sets a proxy instead of the system's; `""` for none at all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_proxy(
    options: Option<&mut jfai_client_options>,
    url: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let url = unsafe { text(url, "url") }?.to_owned();
        need(options, "options")?.by("proxy", "jfai_client_options_set_proxy").step(move |builder| builder.proxy(url.clone()));
        Ok(())
    })
}

/// Sets a PEM file of further root certificates, besides the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_ca_file(
    options: Option<&mut jfai_client_options>,
    file: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        need(options, "options")?.by("ca_file", "jfai_client_options_set_ca_file").step(move |builder| builder.ca_file(file.clone()));
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
        need(options, "options")?.by("request_rate", "jfai_client_options_set_request_rate").step(move |builder| builder.request_rate(per_second, burst));
        Ok(())
    })
}

/// Sets how many create requests may be in flight at a time; the others wait. Default 4.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_max_in_flight_creates(
    options: Option<&mut jfai_client_options>,
    count: u32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("max_in_flight_creates", "jfai_client_options_set_max_in_flight_creates").step(move |builder| builder.max_in_flight_creates(count));
        Ok(())
    })
}

/// Keeps a journal in this file, so that a later process can resume what this one paid for: see jfai_list_pending(). Several
/// processes may share the file. Default: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_journal(
    options: Option<&mut jfai_client_options>,
    file: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        need(options, "options")?.by("journal", "jfai_client_options_set_journal").step(move |builder| builder.journal(file.clone()));
        Ok(())
    })
}

/// Writes prompts into the journal. Default false: a SHA-256 of the request stands in their place.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_journal_prompts(
    options: Option<&mut jfai_client_options>,
    yes: bool,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("journal_prompts", "jfai_client_options_set_journal_prompts").step(move |builder| builder.journal_prompts(yes));
        Ok(())
    })
}

/// Sets `Accept-Language`, which decides the language of the server's messages, such as `"en"` or `"zh-CN"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_language(
    options: Option<&mut jfai_client_options>,
    language: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let language = unsafe { text(language, "language") }?.to_owned();
        need(options, "options")?.by("language", "jfai_client_options_set_language").step(move |builder| builder.language(language.clone()));
        Ok(())
    })
}

/// Sets the client name in the `User-Agent`. Default `"c"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_sdk_name(
    options: Option<&mut jfai_client_options>,
    sdk_name: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let sdk_name = unsafe { text(sdk_name, "sdk_name") }?.to_owned();
        need(options, "options")?.by("sdk_name", "jfai_client_options_set_sdk_name").step(move |builder| builder.sdk_name(sdk_name.clone()));
        Ok(())
    })
}

/// Sets the timeout of one query, in milliseconds. Default 30000.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("timeout", "jfai_client_options_set_timeout_ms").step(move |builder| builder.timeout(milliseconds(ms)));
        Ok(())
    })
}

/// Sets the timeout of a create request, in milliseconds. Default 180000: the service can take minutes, and after the timeout the
/// task may still be created and charged.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_create_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("create_timeout", "jfai_client_options_set_create_timeout_ms").step(move |builder| builder.create_timeout(milliseconds(ms)));
        Ok(())
    })
}

/// Sets the timeout of connecting, in milliseconds. Default 10000.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_connect_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("connect_timeout", "jfai_client_options_set_connect_timeout_ms").step(move |builder| builder.connect_timeout(milliseconds(ms)));
        Ok(())
    })
}

/// Sets the maximum time without data during a download, in milliseconds. Default 30000.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_idle_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("idle_timeout", "jfai_client_options_set_idle_timeout_ms").step(move |builder| builder.idle_timeout(milliseconds(ms)));
        Ok(())
    })
}

/// Sets how often one call is tried, the first time included. Default 4. A paid create request is tried again only when it provably
/// was not accepted.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_max_attempts(
    options: Option<&mut jfai_client_options>,
    attempts: u32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("max_attempts", "jfai_client_options_set_max_attempts").retry.max_attempts = attempts;
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
        let retry = &mut need(options, "options")?.by("retry", "jfai_client_options_set_retry_pauses_ms").retry;
        retry.base = milliseconds(first_ms);
        retry.cap = milliseconds(longest_ms);
        retry.budget = milliseconds(budget_ms);
        Ok(())
    })
}

/// Sets the first delay between polls, in milliseconds. Default 5000, backing off to 10000. The minimum is 5000, whatever is set
/// here, except for localhost.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_poll_interval_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("poll_interval", "jfai_client_options_set_poll_interval_ms").interval = Some(milliseconds(ms));
        Ok(())
    })
}

/// Sets the timeout of a wait, in milliseconds. Default 30 minutes; `JFAI_FOREVER` for no timeout.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_wait_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("wait_timeout", "jfai_client_options_set_wait_timeout_ms").wait.timeout = (ms != u64::MAX).then(|| Duration::from_millis(ms));
        Ok(())
    })
}

/// Sets how many polls may fail in a row before a wait ends with an error. Default 20.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_max_poll_errors(
    options: Option<&mut jfai_client_options>,
    errors: u32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.by("max_poll_errors", "jfai_client_options_set_max_poll_errors").wait.max_errors = errors;
        Ok(())
    })
}
