//! The options of a client, set one by one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::calls::client_core::ClientCore;
use crate::calls::config::{Config, Options};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::fork::PerProcess;
#[cfg(feature = "journal")]
use crate::journal::{Journal, Recorder};
use crate::net::transport::{Timer, Transport};
use crate::protocol::{RetryPolicy, WaitPolicy};

impl Client {
    /// A client for this key with every default: the standard endpoint, the system's proxies and certificates.
    ///
    /// # Errors
    /// `config` when the key cannot be one.
    pub fn new(api_key: impl Into<String>) -> Result<Self> {
        Self::builder().api_key(api_key).build()
    }

    /// A client from `JUNFEIAI_API_KEY`, `JUNFEIAI_BASE_URL` and `JUNFEIAI_VIDEO_BASE_URL`.
    ///
    /// # Errors
    /// `config` when the key is missing or a URL cannot be used.
    pub fn from_env() -> Result<Self> {
        Self::builder().from_env().build()
    }

    /// The options, to be set one by one.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }
}

/// The options of a [`Client`]. Whatever cannot be used is refused by [`ClientBuilder::build`], which names it.
///
/// ```
/// use std::time::Duration;
///
/// let client = junfeiai::Client::builder()
///     .api_key("sk-1")
///     .endpoints(["standard", "china"])
///     .wait_timeout(Duration::from_secs(3600))
///     .build()?;
/// assert_eq!(client.endpoints().len(), 2);
/// # Ok::<(), junfeiai::Error>(())
/// ```
#[derive(Default)]
pub struct ClientBuilder {
    pub(crate) options: Options,
    transport: Option<Arc<dyn Transport>>,
    timer: Option<Arc<dyn Timer>>,
    #[cfg(feature = "journal")]
    journal: Option<Arc<dyn Journal>>,
    #[cfg(feature = "journal")]
    journal_prompts: bool,
    #[cfg(feature = "native")]
    journal_path: Option<std::path::PathBuf>,
    #[cfg(feature = "native")]
    http: crate::platform::native::HttpOptions,
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of it: the key, and what a URL that is not checked yet may hold.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// The API key. Default: none, which only your own proxy in front of the service accepts.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.options.api_key = Some(Zeroizing::new(key.into()));
        self
    }

    /// Fills what is not set yet from `JUNFEIAI_API_KEY`, `JUNFEIAI_BASE_URL` (one endpoint, or several with commas between
    /// them) and `JUNFEIAI_VIDEO_BASE_URL`. An empty variable is one that is not set; any other value is judged as the
    /// option is, and [`ClientBuilder::build`] names the variable where it cannot be used.
    #[must_use]
    pub fn from_env(mut self) -> Self {
        // What is no text is no key and no URL either; the replacement character has it refused as such.
        self = self.fill_from(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()));
        self
    }

    /// [`ClientBuilder::from_env`] with another place to read the variables from.
    pub(crate) fn fill_from(mut self, read: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| read(name).map(Zeroizing::new).filter(|value| !value.is_empty());
        let options = &mut self.options;
        if options.api_key.is_none()
            && let Some(key) = read("JUNFEIAI_API_KEY")
        {
            options.api_key = Some(key);
            options.names.variables.push(("api_key", "JUNFEIAI_API_KEY"));
        }
        if options.endpoints.is_empty()
            && let Some(list) = read("JUNFEIAI_BASE_URL")
        {
            let entries = list.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            options.endpoints.extend(entries.map(str::to_owned));
            if options.endpoints.is_empty() {
                // Nothing but white space and commas: the judgement of an empty base URL.
                options.endpoints.push(String::new());
            }
            options.names.variables.push(("base_url", "JUNFEIAI_BASE_URL"));
        }
        if options.video_base_url.is_none()
            && let Some(url) = read("JUNFEIAI_VIDEO_BASE_URL")
        {
            options.video_base_url = Some(url.to_string());
            options.names.variables.push(("video_base_url", "JUNFEIAI_VIDEO_BASE_URL"));
        }
        self
    }

    /// The endpoint: `standard`, `china`, a base URL, or a short host alias. Default `standard`.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.options.endpoints = vec![endpoint.into()];
        self.options.names.endpoints = Some("endpoint");
        self
    }

    /// Several endpoints, the preferred one first: `["standard", "china"]`. Another is tried only when no connection could
    /// be made (DNS, TCP, TLS, or 5 s without one), so that nothing is paid for twice; it is then kept, and the preferred
    /// one is looked at again after 5 minutes. Task ids are valid on all of them, and all of them get the key.
    #[must_use]
    pub fn endpoints<E: Into<String>>(mut self, endpoints: impl IntoIterator<Item = E>) -> Self {
        self.options.endpoints = endpoints.into_iter().map(Into::into).collect();
        self.options.names.endpoints = Some("endpoints");
        self
    }

    /// A custom domain in place of the documented video host (service document §1), as scheme and host. Default: none, the
    /// documented one.
    #[must_use]
    pub fn video_base_url(mut self, url: impl Into<String>) -> Self {
        self.options.video_base_url = Some(url.into());
        self
    }

    /// A further host that may be given the key, as `host` or `host:port`; call it again for more. Default: the endpoints
    /// and the documented hosts, see [`Trust`](crate::net::endpoint::Trust).
    #[must_use]
    pub fn trust_host(mut self, host: impl Into<String>) -> Self {
        self.options.trusted_hosts.push(host.into());
        self
    }

    /// Timeout of a query. Default 30 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// Timeout of a create request. Default 180 s: the upstream can take minutes, and after it the task may still be
    /// created and charged.
    #[must_use]
    pub fn create_timeout(mut self, timeout: Duration) -> Self {
        self.options.create_timeout = timeout;
        self
    }

    /// Longest time to connect. Default 10 s; with several endpoints 5 s at the most.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// Maximum time without data during a download. Default 30 s.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.options.idle_timeout = timeout;
        self
    }

    /// How calls are tried again. Default: 4 attempts within 2 minutes, with pauses from 0.5 s to 20 s. A create is sent
    /// again only when it provably was not accepted, whatever the policy.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = policy;
        self
    }

    /// How tasks are waited for. Default: every 5 s, growing to 10 s, for 30 minutes. Any host but this machine is asked
    /// every 5 s at the most (service document §5).
    #[must_use]
    pub fn wait_policy(mut self, policy: WaitPolicy) -> Self {
        self.options.wait = policy;
        self
    }

    /// Delay between polls: starts at 5 s, backs off to 10 s; at least 5 s except for localhost
    /// (service document §5).
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.options.set_poll_interval(interval);
        self
    }

    /// The request budget that all tasks, clones and threads of the client share: requests per second, and how many
    /// may leave together after a quiet time. Default 2 a second in bursts of 4 (the service document asks for "lower
    /// concurrency, longer intervals" after a 429, §9, and names no number); for a server on this machine 1000 and
    /// 1000. Polls and create requests wait for their turn; `get`, `refresh` and the like count as well and go first. After a
    /// 429 the rate is halved for a while, and a `Retry-After` is obeyed by everybody. Downloads are not limited.
    ///
    /// A rate that is not above zero, or a burst of 0, is refused by [`ClientBuilder::build`].
    #[must_use]
    pub fn request_rate(mut self, per_second: f64, burst: u32) -> Self {
        self.options.request_rate = Some((per_second, burst));
        self
    }

    /// How many create requests may be in flight at a time; the others wait. Default 4. Less for a while after a 429.
    ///
    /// 0 is refused by [`ClientBuilder::build`].
    #[must_use]
    pub fn max_in_flight_creates(mut self, count: u32) -> Self {
        self.options.max_in_flight_creates = count;
        self
    }

    /// Longest wait for a task. Default 30 minutes; [`Duration::MAX`] waits for ever.
    #[must_use]
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.options.set_wait_timeout(timeout);
        self
    }

    /// Most attempts of one call, the first included. Default 4.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.options.retry.max_attempts = attempts;
        self
    }

    /// `Accept-Language`, which decides the language of the server's messages. Default: none, the server chooses.
    #[must_use]
    pub fn language(mut self, language: impl Into<String>) -> Self {
        self.options.language = Some(language.into());
        self
    }

    /// What calls the library, for the `User-Agent`. Default `rust`; the bindings set theirs.
    #[must_use]
    pub fn sdk_name(mut self, sdk_name: impl Into<String>) -> Self {
        self.options.sdk_name = sdk_name.into();
        self
    }

    /// A custom transport instead of the built-in one. Default: reqwest with the feature `native`, else none.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// A custom clock instead of the built-in one. Default: tokio's with the feature `native`, else none.
    #[must_use]
    pub fn timer(mut self, timer: Arc<dyn Timer>) -> Self {
        self.timer = Some(timer);
        self
    }

    /// Keeps a journal in this file, so that a later process can resume what this one paid for: see
    /// [`Videos::pending`](crate::Videos::pending) and [`FileJournal`](crate::FileJournal). Several processes may share the file. Default: none.
    #[cfg(feature = "native")]
    #[must_use]
    pub fn journal(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.journal_path = Some(path.into());
        self
    }

    /// Keeps the journal in a place of your own; goes before [`ClientBuilder::journal`]. Default: none.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn journal_with(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Writes prompts into the journal. Default no: a SHA-256 of the request stands in their place.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn journal_prompts(mut self, yes: bool) -> Self {
        self.journal_prompts = yes;
        self
    }

    /// A proxy instead of the system's (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`); empty for none at all.
    /// Plain http to this machine goes through no proxy but one given here that is on this machine as well.
    #[cfg(feature = "native")]
    #[must_use]
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http.proxy = Some(url.into());
        self
    }

    /// Further root certificates, as a PEM file, besides the system's and `SSL_CERT_FILE`. Default: none.
    #[cfg(feature = "native")]
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.http.ca_file = Some(path.into());
        self
    }

    /// The client.
    ///
    /// # Errors
    /// `config`, naming the option that cannot be used; `journal` when the journal's file cannot be one.
    pub fn build(self) -> Result<Client> {
        #[cfg(feature = "native")]
        let (options, transport, timer) = {
            let mut options = self.options;
            options.proxy = self.http.proxy.as_deref().map(|proxy| !proxy.is_empty());
            let mut http = self.http;
            http.connect_timeout = options.connect_limit();
            let transport: Arc<dyn Transport> = match self.transport {
                Some(transport) => transport,
                None => Arc::new(crate::platform::native::NativeTransport::new(http)?),
            };
            let timer = self.timer.unwrap_or_else(|| Arc::new(crate::platform::native::TokioTimer::new()));
            (options, Some(transport), Some(timer))
        };
        #[cfg(not(feature = "native"))]
        let (options, transport, timer) = (self.options, self.transport, self.timer);
        #[cfg(feature = "native")]
        let names = options.names.clone();
        let config = Config::check(options)?;
        #[cfg(feature = "native")]
        config.agree(crate::platform::native::is_agreed).map_err(|error| names.say(error))?;
        let missing = |what| Error::config(what, format!("this build has no {what} of its own: bring one"));
        let transport = transport.ok_or_else(|| missing("transport"))?;
        let timer = timer.ok_or_else(|| missing("timer"))?;
        #[cfg(feature = "journal")]
        let journal = self.journal;
        #[cfg(feature = "native")]
        let journal = match (journal, self.journal_path) {
            (None, Some(path)) => Some(Arc::new(crate::platform::native::FileJournal::open(path)?) as Arc<dyn Journal>),
            (journal, _) => journal,
        };
        #[cfg(feature = "journal")]
        let recorder = journal.map(|journal| Recorder { journal, prompts: self.journal_prompts });
        let core = ClientCore {
            config,
            transport,
            timer,
            state: PerProcess::new(),
            #[cfg(feature = "journal")]
            recorder,
        };
        Ok(Client { core: Arc::new(core) })
    }
}
