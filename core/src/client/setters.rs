//! Options one by one: their setters, and by type for the reader of JSON.
//!
//! Written from core/options.toml by `make options`; do not edit.

#[cfg(feature = "native")]
use std::path::PathBuf;
use std::time::Duration;

use crate::client::builder::ClientBuilder;
use crate::client::task::Wait;
use crate::protocol::WaitPolicy;
use crate::text::fields::Setter;

impl ClientBuilder {
    /// The API key; optional when your reverse proxy adds it. Default: none.
    #[must_use]
    pub fn api_key(mut self, value: impl Into<String>) -> Self {
        self.set_api_key(value.into());
        self
    }

    /// The endpoint: `"standard"`, `"china"`, a base URL ending in `/v1`, or a short host alias. Default: `"standard"`.
    /// Source: service document §1.
    #[must_use]
    pub fn endpoint(mut self, value: impl Into<String>) -> Self {
        self.set_endpoint(value.into());
        self
    }

    /// Several endpoints, the preferred one first; another is tried only when no connection can be made, so that
    /// nothing is paid for twice. Task ids are valid on all of them, and all of them get the key.
    #[must_use]
    pub fn endpoints(mut self, value: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.set_endpoints(value.into_iter().map(Into::into).collect());
        self
    }

    /// A custom domain in place of the documented video host, as scheme and host. Default: none. Source: service
    /// document §1.
    #[must_use]
    pub fn video_base_url(mut self, value: impl Into<String>) -> Self {
        self.options.video_base_url = Some(value.into());
        self
    }

    /// Timeout of one query. Default: 30 s. Zero is refused.
    #[must_use]
    pub fn timeout(mut self, value: Duration) -> Self {
        self.options.timeout = value;
        self
    }

    /// Timeout of a create request: the service can take minutes, and after the timeout the task may still be created
    /// and charged. Default: 180 s. Zero is refused.
    #[must_use]
    pub fn create_timeout(mut self, value: Duration) -> Self {
        self.options.create_timeout = value;
        self
    }

    /// Timeout of connecting; at most 5 s with several endpoints. Default: 10 s. Zero is refused.
    #[must_use]
    pub fn connect_timeout(mut self, value: Duration) -> Self {
        self.options.connect_timeout = value;
        self
    }

    /// Maximum time without data during a download. Default: 30 s. Zero is refused.
    #[must_use]
    pub fn idle_timeout(mut self, value: Duration) -> Self {
        self.options.idle_timeout = value;
        self
    }

    /// Delay between polls: starts at this value, backs off to 10 s or twice the value, whichever is less; at least 5 s
    /// except for localhost, at most 24 hours. Default: 5 s. Zero is refused. Source: service document §5.
    #[must_use]
    pub fn poll_interval(mut self, value: Duration) -> Self {
        self.options.set_poll_interval(value);
        self
    }

    /// Timeout of one wait for a task; `Duration::MAX` for no limit. Default: 30 min.
    #[must_use]
    pub fn wait_timeout(mut self, value: Duration) -> Self {
        self.options.set_wait_timeout(value);
        self
    }

    /// Attempts of one call, the first included. A create request is sent again only when it provably was not accepted.
    /// Default: 4. 0 is refused.
    #[must_use]
    pub fn max_attempts(mut self, value: u32) -> Self {
        self.options.retry.max_attempts = value;
        self
    }

    /// Polls that may fail in a row before a wait ends with an error. Default: 20.
    #[must_use]
    pub fn max_poll_errors(mut self, value: u32) -> Self {
        self.options.wait.max_errors = value;
        self
    }

    /// Concurrent create requests; the others wait. Default: 4. 0 is refused.
    #[must_use]
    pub fn max_in_flight_creates(mut self, value: u32) -> Self {
        self.options.max_in_flight_creates = value;
        self
    }

    /// Refuses a create request as well if its cost may exceed `max_cost` or `budget`: the server hides its prices, or
    /// the key's group is not known and another group would pay more. Otherwise an unknown price is a warning. Default:
    /// `false`.
    #[cfg(feature = "prices")]
    #[must_use]
    pub fn max_cost_strict(mut self, value: bool) -> Self {
        self.options.max_cost_strict = value;
        self
    }

    /// `Accept-Language`, which decides the language of the server's messages, such as `en` or `zh-CN`. Default: the
    /// server's.
    #[must_use]
    pub fn language(mut self, value: impl Into<String>) -> Self {
        self.options.language = Some(value.into());
        self
    }

    /// Your program's name, such as `my-app/1.2`, added to the `User-Agent`. Default: none.
    #[must_use]
    pub fn user_agent(mut self, value: impl Into<String>) -> Self {
        self.options.user_agent = Some(value.into());
        self
    }

    /// A file that records paid tasks, so that a later process can resume them; several processes of a machine may
    /// share it. For several machines the address of a database: `"postgresql://…"`, `"redis://…"`, `"valkey://…"`.
    /// Default: none.
    #[cfg(feature = "native")]
    #[must_use]
    pub fn journal(mut self, value: impl Into<PathBuf>) -> Self {
        self.journal_path = Some(value.into());
        self
    }

    /// Keeps prompts in the journal instead of the SHA-256 of the request. Default: `false`.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn journal_prompts(mut self, value: bool) -> Self {
        self.journal_prompts = value;
        self
    }

    /// A proxy instead of the one in `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY`; `""` for no proxy. Default: the
    /// system's.
    #[cfg(feature = "native")]
    #[must_use]
    pub fn proxy(mut self, value: impl Into<String>) -> Self {
        self.http.proxy = Some(value.into());
        self
    }

    /// Further root certificates as a PEM file, besides the system's and `SSL_CERT_FILE`. Default: none.
    #[cfg(feature = "native")]
    #[must_use]
    pub fn ca_file(mut self, value: impl Into<PathBuf>) -> Self {
        self.http.ca_file = Some(value.into());
        self
    }

    /// The client name in the `User-Agent`. Default: `"rust"`.
    #[must_use]
    pub fn sdk_name(mut self, value: impl Into<String>) -> Self {
        self.options.sdk_name = value.into();
        self
    }
}

impl Wait {
    /// Timeout of the wait; `Duration::MAX` for no limit. Default: the client's.
    pub fn timeout(mut self, value: Duration) -> Self {
        self.policy.set_timeout(value);
        self
    }

    /// Delay between polls: starts at this value, backs off to twice of it or to the client's longest delay; at least 5 s
    /// except for localhost, at most 24 hours. Default: the client's. Zero is refused. Source: service document §5.
    pub fn poll_interval(mut self, value: Duration) -> Self {
        self.policy.set_poll_interval(value);
        self
    }
}

pub(crate) const CLIENT_TEXTS: &[Setter<ClientBuilder, String>] = &[
    ("api_key", |builder, value| builder.set_api_key(value)),
    ("video_base_url", |builder, value| builder.options.video_base_url = Some(value)),
    ("language", |builder, value| builder.options.language = Some(value)),
    ("user_agent", |builder, value| builder.options.user_agent = Some(value)),
    #[cfg(feature = "native")]
    ("proxy", |builder, value| builder.http.proxy = Some(value)),
    ("sdk_name", |builder, value| builder.options.sdk_name = value),
];

pub(crate) const CLIENT_SECONDS: &[Setter<ClientBuilder, Duration>] = &[
    ("timeout", |builder, value| builder.options.timeout = value),
    ("create_timeout", |builder, value| builder.options.create_timeout = value),
    ("connect_timeout", |builder, value| builder.options.connect_timeout = value),
    ("idle_timeout", |builder, value| builder.options.idle_timeout = value),
    ("poll_interval", |builder, value| builder.options.set_poll_interval(value)),
    ("wait_timeout", |builder, value| builder.options.set_wait_timeout(value)),
];

pub(crate) const CLIENT_COUNTS: &[Setter<ClientBuilder, u32>] = &[
    ("max_attempts", |builder, value| builder.options.retry.max_attempts = value),
    ("max_poll_errors", |builder, value| builder.options.wait.max_errors = value),
    ("max_in_flight_creates", |builder, value| builder.options.max_in_flight_creates = value),
];

#[cfg(feature = "prices")]
pub(crate) const CLIENT_FLAGS: &[Setter<ClientBuilder, bool>] = &[
    ("max_cost_strict", |builder, value| builder.options.max_cost_strict = value),
    #[cfg(feature = "journal")]
    ("journal_prompts", |builder, value| builder.journal_prompts = value),
];

#[cfg(feature = "native")]
pub(crate) const CLIENT_PATHS: &[Setter<ClientBuilder, PathBuf>] = &[
    ("journal", |builder, value| builder.journal_path = Some(value)),
    ("ca_file", |builder, value| builder.http.ca_file = Some(value)),
];

/// How one wait differs from the client's others.
pub(super) const WAIT_SECONDS: &[Setter<WaitPolicy, Duration>] =
    &[("timeout", WaitPolicy::set_timeout), ("poll_interval", WaitPolicy::set_poll_interval)];
