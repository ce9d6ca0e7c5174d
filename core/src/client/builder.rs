//! The options of a client, set one by one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::calls::cancel::CancelToken;
use crate::calls::client_core::ClientCore;
use crate::calls::config::{Config, Options};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::fork::PerProcess;
#[cfg(feature = "journal")]
use crate::journal::{Journal, Recorder};
use crate::net::transport::{Timer, Transport};
use crate::protocol::{RetryPolicy, WaitPolicy};
#[cfg(feature = "journal")]
use crate::store_journal::StoreJournal;

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
    store: Option<(StoreJournal, bool)>,
    #[cfg(feature = "journal")]
    pub(super) journal_prompts: bool,
    #[cfg(feature = "native")]
    pub(super) journal_path: Option<std::path::PathBuf>,
    #[cfg(feature = "native")]
    pub(super) http: crate::platform::native::HttpOptions,
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of it: the key, and what a URL that is not checked yet may hold.
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

/// What sets an option in another way than by a field, and what takes something of the caller's own. The other setters are
/// in `setters.rs`.
impl ClientBuilder {
    pub(crate) fn set_api_key(&mut self, key: String) {
        self.options.api_key = Some(Zeroizing::new(key));
    }

    pub(crate) fn set_endpoint(&mut self, endpoint: String) {
        self.options.endpoints = vec![endpoint];
        self.options.names.endpoints = Some("endpoint");
    }

    pub(crate) fn set_endpoints(&mut self, endpoints: Vec<String>) {
        self.options.endpoints = endpoints;
        self.options.names.endpoints = Some("endpoints");
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

    /// A further host that may be given the key, as `host` or `host:port`; call it again for more. Default: the endpoints
    /// and the documented hosts, see [`Trust`](crate::net::endpoint::Trust).
    #[must_use]
    pub fn trust_host(mut self, host: impl Into<String>) -> Self {
        self.options.trusted_hosts.push(host.into());
        self
    }

    /// A further header of every request, such as `X-Tenant` for a gateway of yours; call it again for more. A name that was given
    /// before, in whatever case, gets this value. Headers go where the key may go and nowhere else, and their values are
    /// never shown: they may be secrets. What cannot be a header, and what this library sends itself (`Authorization`, `Range`, …), is
    /// refused by [`ClientBuilder::build`], which names it. Default: none.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        let headers = &mut self.options.headers;
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
        headers.push((name, Zeroizing::new(value.into())));
        self
    }

    /// How calls are tried again. Default: 4 attempts within 2 minutes, with pauses from 0.5 s to 20 s. A create is sent
    /// again only when it provably was not accepted, whatever the policy.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.options.retry = policy;
        self
    }

    /// The delays between attempts: the first, the longest, and the time from the first attempt to the start of the last.
    /// Default 0.5 s, 20 s and 2 minutes.
    #[must_use]
    pub fn retry_pauses(mut self, first: Duration, longest: Duration, budget: Duration) -> Self {
        let retry = &mut self.options.retry;
        (retry.base, retry.cap, retry.budget) = (first, longest, budget);
        self
    }

    /// How tasks are waited for. Default: every 5 s, growing to 10 s, for 30 minutes. Any host but this machine is asked
    /// every 5 s at the most (service document §5).
    #[must_use]
    pub fn wait_policy(mut self, policy: WaitPolicy) -> Self {
        self.options.wait = policy;
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

    /// The most that one create request may cost, in USD: one that would cost more is refused before it is sent. The price is
    /// the one of [`Videos::estimate`](crate::Videos::estimate). Default: no limit. What is not an amount of money is
    /// refused by [`ClientBuilder::build`].
    #[cfg(feature = "prices")]
    #[must_use]
    pub fn max_cost(mut self, usd: f64) -> Self {
        self.options.max_cost = Some(usd);
        self
    }

    /// The most that all create requests of one UTC day may cost together, in USD, of all clients that share the journal and
    /// have this option: one that would exceed it is refused before it is sent. Each reserves the price of
    /// [`Videos::estimate`](crate::Videos::estimate) until its charge is seen; what was refused, or failed and was refunded, is
    /// given back, and one whose outcome is unknown keeps it until it is settled
    /// ([`Videos::reconcile`](crate::Videos::reconcile), [`Videos::resolve_unknown`](crate::Videos::resolve_unknown)). A process
    /// that is killed may leave the day's sum too high, never too low. What exists under its key costs nothing and is never
    /// refused by it. A price that is not known counts as the last known charge of the model, or nothing, with a warning; with
    /// [`max_cost_strict`](ClientBuilder::max_cost_strict) it is refused, and the most that a request may cost is reserved.
    ///
    /// Needs a journal. Default: no limit. What is not an amount above 0 is refused by [`ClientBuilder::build`].
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn budget(mut self, usd: f64) -> Self {
        self.options.budget = Some(usd);
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

    /// Keeps the journal in a place of your own; goes before [`ClientBuilder::journal`]. Default: none.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn journal_with(mut self, journal: Arc<dyn Journal>) -> Self {
        self.journal = Some(journal);
        self
    }

    /// Keeps the journal in a store of your own, for the account of this client's API key: create requests for another
    /// account than that of its tasks are refused. `same_account` adds this key to those that it knows. Goes before
    /// [`ClientBuilder::journal`], and behind [`ClientBuilder::journal_with`]. Default: none.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn journal_store(mut self, journal: StoreJournal, same_account: bool) -> Self {
        self.store = Some((journal, same_account));
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
        let journal = match (self.journal, self.store) {
            (None, Some((journal, same_account))) => {
                let journal: Arc<dyn Journal> = Arc::new(journal.account_of(config.key.as_ref(), same_account));
                Some(journal)
            }
            (journal, _) => journal,
        };
        #[cfg(feature = "native")]
        let journal = match (journal, self.journal_path) {
            (None, Some(place)) => Some(crate::platform::native::open_journal(&place, config.key.as_ref())?),
            (journal, _) => journal,
        };
        #[cfg(feature = "journal")]
        if config.budget.is_some() && journal.is_none() {
            let text = "budget needs a journal, which keeps the sum of the day: give the client one with journal";
            return Err(Error::config("budget", text));
        }
        #[cfg(feature = "journal")]
        let recorder = journal.map(|journal| Recorder { journal, prompts: self.journal_prompts });
        let core = ClientCore {
            config,
            transport,
            timer,
            state: PerProcess::new(),
            closed: CancelToken::new(),
            #[cfg(feature = "journal")]
            recorder,
        };
        Ok(Client { core: Arc::new(core) })
    }
}
