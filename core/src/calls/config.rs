//! What a client knows: entries, key, limits. Plain data, checked once when the client is built.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::custom_headers::CustomHeaders;
use crate::net::endpoint::{Endpoint, Trust, parse_video_base};
use crate::net::secret::ApiKey;
use crate::net::url::Origin;
#[cfg(feature = "prices")]
use crate::protocol::CostLimit;
#[cfg(feature = "journal")]
use crate::protocol::day_budget::DayBudget;
use crate::protocol::{CONNECT_CAP, MAX_INTERVAL, RetryPolicy, SchedulePolicy, WaitPolicy};
use crate::text::decimal::Decimal;

/// This library's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The options of a client before they are checked.
// No `Debug`: it holds the key as the caller gave it.
#[derive(Clone)]
pub(crate) struct Options {
    /// The API key; `None` for your own proxy in front, which adds it.
    pub(crate) api_key: Option<Zeroizing<String>>,
    /// `standard`, `china`, a base URL or a short host alias; the first is asked first.
    pub(crate) endpoints: Vec<String>,
    /// The custom domain in place of the documented video host.
    pub(crate) video_base_url: Option<String>,
    /// Further hosts that may be given the key, as `host` or `host:port`.
    pub(crate) trusted_hosts: Vec<String>,
    /// Timeout of a query.
    pub(crate) timeout: Duration,
    /// Timeout of a create request. The upstream can take minutes, and after it the task may still be created and charged.
    pub(crate) create_timeout: Duration,
    /// Longest time to connect; with several endpoints 5 s at the most.
    pub(crate) connect_timeout: Duration,
    /// A proxy was given (`true`), or proxies were switched off (`false`); for the check only.
    pub(crate) proxy: Option<bool>,
    /// Maximum time without data in the middle of a body.
    pub(crate) idle_timeout: Duration,
    /// How calls are tried again.
    pub(crate) retry: RetryPolicy,
    /// How tasks are waited for.
    pub(crate) wait: WaitPolicy,
    /// Requests per second and burst; `None` leaves it to the host.
    pub(crate) request_rate: Option<(f64, u32)>,
    /// How many create requests may be in flight at a time.
    pub(crate) max_in_flight_creates: u32,
    /// Most USD that one create request may cost.
    #[cfg(feature = "prices")]
    pub(crate) max_cost: Option<f64>,
    /// Refuses requests whose cost is not known, where `max_cost` or `budget` is set.
    #[cfg(feature = "prices")]
    pub(crate) max_cost_strict: bool,
    /// Most USD that the create requests of one UTC day may cost.
    #[cfg(feature = "journal")]
    pub(crate) budget: Option<f64>,
    /// `Accept-Language`, which decides the language of server messages.
    pub(crate) language: Option<String>,
    /// Further headers of every request, as the caller gave them.
    pub(crate) headers: Vec<(String, Zeroizing<String>)>,
    /// What the caller adds to the `User-Agent`.
    pub(crate) user_agent: Option<String>,
    /// What calls the library, for the `User-Agent`: `rust`, `python`, …
    pub(crate) sdk_name: String,
    pub(crate) names: OptionNames,
}

/// What the caller calls the options, where that is not what we call them.
#[derive(Debug, Clone, Default)]
pub(crate) struct OptionNames {
    /// The option that the endpoints were given by.
    pub(crate) endpoints: Option<&'static str>,
    /// Options that came from the environment, and the variable of each.
    pub(crate) variables: Vec<(&'static str, &'static str)>,
}

impl OptionNames {
    /// The error with the option's name as the caller wrote it.
    pub(crate) fn say(&self, error: Error) -> Error {
        let field = error.record().field.clone();
        let variable = self.variables.iter().find(|(option, _)| field.as_deref() == Some(*option));
        match (variable, self.endpoints) {
            // Whoever set a variable looks for its name.
            (Some((_, variable)), _) => error.with(|record| record.message = format!("{variable}: {}", record.message)),
            (None, Some(name)) if field.as_deref() == Some("base_url") => error.with(|record| {
                record.field = Some(name.into());
                record.message = format!("{name}: {}", record.message);
            }),
            _ => error,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            api_key: None,
            endpoints: Vec::new(),
            video_base_url: None,
            trusted_hosts: Vec::new(),
            timeout: Duration::from_secs(30),
            create_timeout: Duration::from_secs(180),
            connect_timeout: Duration::from_secs(10),
            proxy: None,
            idle_timeout: Duration::from_secs(30),
            retry: RetryPolicy::default(),
            wait: WaitPolicy::default(),
            request_rate: None,
            max_in_flight_creates: SchedulePolicy::default().max_in_flight_creates,
            #[cfg(feature = "prices")]
            max_cost: None,
            #[cfg(feature = "prices")]
            max_cost_strict: false,
            #[cfg(feature = "journal")]
            budget: None,
            language: None,
            headers: Vec::new(),
            user_agent: None,
            sdk_name: "rust".to_owned(),
            names: OptionNames::default(),
        }
    }
}

impl Options {
    /// The first pause between two polls; it grows to twice this, or to what was the longest.
    pub(crate) fn set_poll_interval(&mut self, interval: Duration) {
        self.wait.set_poll_interval(interval);
    }

    /// Longest wait for a task; [`Duration::MAX`] is for ever.
    pub(crate) fn set_wait_timeout(&mut self, timeout: Duration) {
        self.wait.set_timeout(timeout);
    }

    /// Longest time to connect: an endpoint that does not answer must not keep a call from the next one for long.
    pub(crate) fn connect_limit(&self) -> Duration {
        if self.endpoints.len() > 1 { self.connect_timeout.min(CONNECT_CAP) } else { self.connect_timeout }
    }
}

impl WaitPolicy {
    /// Sets the first pause between two polls, as [`ClientBuilder::poll_interval`](crate::ClientBuilder::poll_interval)
    /// does: the pause grows to twice this, or to what was the longest before.
    pub fn set_poll_interval(&mut self, interval: Duration) {
        self.interval = interval;
        self.max_interval = interval.saturating_mul(2).min(self.max_interval.max(interval));
    }

    /// Sets the longest wait; [`Duration::MAX`] is for ever.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = (timeout < Duration::MAX).then_some(timeout);
    }

    /// Refuses what no wait can be done with, for a policy that is made for one call: a client's is judged when the
    /// client is built.
    ///
    /// # Errors
    /// `invalid_request`, naming the option that cannot be used.
    pub fn check(&self) -> Result<()> {
        match self.wrong() {
            None => Ok(()),
            Some((name, text)) => Err(Error::field(ErrorKind::InvalidRequest, Phase::Wait, name, text)),
        }
    }

    /// The option that cannot be used, and why.
    fn wrong(&self) -> Option<(&'static str, String)> {
        let zero = [("poll_interval", self.interval), ("poll_timeout", self.call_timeout)];
        let zero = zero.into_iter().find(|(_, time)| time.is_zero());
        // A wait that hardly ever polls would not see the end of its task.
        let long = [("poll_interval", self.interval), ("max_poll_interval", self.max_interval)];
        let long = long.into_iter().find(|(_, time)| *time > MAX_INTERVAL);
        zero.map(|(name, _)| (name, format!("{name} must be more than zero")))
            .or_else(|| long.map(|(name, _)| (name, format!("{name} must be at most 24 hours"))))
    }
}

/// The options of a client, checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) key: Option<ApiKey>,
    /// The preferred endpoint.
    pub(crate) endpoint: Endpoint,
    /// Every endpoint in the order of preference, `endpoint` first.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Every endpoint is this machine.
    pub(crate) loopback: bool,
    pub(crate) video_base: Option<Origin>,
    pub(crate) trust: Trust,
    pub(crate) timeout: Duration,
    pub(crate) create_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) proxy: Option<bool>,
    pub(crate) idle_timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) wait: WaitPolicy,
    pub(crate) schedule: SchedulePolicy,
    #[cfg(feature = "prices")]
    pub(crate) max_cost: Option<CostLimit>,
    #[cfg(feature = "journal")]
    pub(crate) budget: Option<DayBudget>,
    pub(crate) language: Option<String>,
    pub(crate) headers: CustomHeaders,
    pub(crate) user_agent: String,
}

impl Config {
    pub(crate) fn check(options: Options) -> Result<Self> {
        let names = options.names.clone();
        Self::judge(options).map_err(|error| names.say(error))
    }

    /// Refuses an address that the HTTP stack takes for another place than we do, or for none.
    #[cfg(feature = "native")]
    pub(crate) fn agree(&self, is_agreed: impl Fn(&Origin) -> bool) -> Result<()> {
        let entries = self.endpoints.iter().map(|endpoint| ("base_url", endpoint.base().origin()));
        for (name, origin) in entries.chain(self.video_base.clone().map(|origin| ("video_base_url", origin))) {
            if !is_agreed(&origin) {
                let text = format!("the address {origin} cannot be used: the HTTP stack does not take this host name");
                return Err(Error::config(name, text));
            }
        }
        Ok(())
    }

    fn judge(options: Options) -> Result<Self> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for text in &options.endpoints {
            let endpoint = Endpoint::parse(text)?;
            // The same endpoint twice is no alternative.
            if !endpoints.contains(&endpoint) {
                endpoints.push(endpoint);
            }
        }
        let endpoint = endpoints.first().cloned().unwrap_or_else(Endpoint::standard);
        if endpoints.is_empty() {
            endpoints.push(endpoint.clone());
        }
        let key = options.api_key.as_ref().map(|key| ApiKey::new(key)).transpose()?;
        if key.is_none() && endpoints.iter().any(Endpoint::is_documented) {
            return Err(Error::config("api_key", "no API key is given: set JUNFEIAI_API_KEY or pass api_key"));
        }
        let video_base = options.video_base_url.as_deref().map(parse_video_base).transpose()?;
        let trust = Trust::new(&endpoints, video_base.as_ref(), &options.trusted_hosts)?;
        for (name, duration) in options.times_above_zero() {
            if duration.is_zero() {
                return Err(Error::config(name, format!("{name} must be more than zero")));
            }
        }
        if let Some((name, text)) = options.wait.wrong() {
            return Err(Error::config(name, text));
        }
        for (name, count) in options.counts_above_zero() {
            if count == 0 {
                return Err(Error::config(name, format!("{name} must be at least 1")));
            }
        }
        if let Some(language) = &options.language
            && (language.len() > LONGEST_NAME || !language.bytes().all(|b| b.is_ascii_graphic() || b == b' '))
        {
            let text = format!(
                "language is an Accept-Language value such as \"en\" or \"zh-CN\": at most {LONGEST_NAME} printable \
                 ASCII characters"
            );
            return Err(Error::config("language", text));
        }
        let sdk_name: String =
            options.sdk_name.chars().filter(|c| c.is_ascii_alphanumeric() || " ./-_".contains(*c)).collect();
        let mut user_agent = format!("junfeiai/{VERSION} ({sdk_name})");
        if let Some(own) = &options.user_agent {
            if own.trim().is_empty()
                || own.len() > LONGEST_NAME
                || !own.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
            {
                let text = format!(
                    "user_agent is a name such as \"my-app/1.2\": 1 to {LONGEST_NAME} printable ASCII characters"
                );
                return Err(Error::config("user_agent", text));
            }
            user_agent = format!("{user_agent} {}", own.trim());
        }
        let headers = CustomHeaders::new(options.headers.clone()).map_err(|error| match &key {
            // Whoever takes the value for the name must not see the key in an error.
            Some(key) => error.with(|record| record.message = key.redact(&record.message).into_owned()),
            None => error,
        })?;
        let connect_timeout = options.connect_limit();
        let loopback = endpoints.iter().all(|endpoint| endpoint.base().is_loopback());
        let schedule = schedule(&options, loopback)?;
        let wait = options.wait.for_host(loopback);
        #[cfg(feature = "journal")]
        let budget = options.budget.map(|usd| DayBudget::new(usd, options.max_cost_strict)).transpose()?;
        #[cfg(feature = "journal")]
        let has_budget = budget.is_some();
        #[cfg(all(feature = "prices", not(feature = "journal")))]
        let has_budget = false;
        #[cfg(feature = "prices")]
        let max_cost = match (options.max_cost, options.max_cost_strict && !has_budget) {
            (Some(usd), _) => Some(CostLimit::new(usd, options.max_cost_strict)?),
            (None, false) => None,
            (None, true) => {
                let text = "max_cost_strict needs max_cost or budget: give one of them";
                return Err(Error::config("max_cost_strict", text));
            }
        };
        Ok(Self {
            key,
            endpoint,
            endpoints,
            loopback,
            video_base,
            trust,
            timeout: options.timeout,
            create_timeout: options.create_timeout,
            connect_timeout,
            proxy: options.proxy,
            idle_timeout: options.idle_timeout,
            retry: options.retry,
            wait,
            schedule,
            #[cfg(feature = "prices")]
            max_cost,
            #[cfg(feature = "journal")]
            budget,
            language: options.language,
            headers,
            user_agent,
        })
    }
}

/// Longest `Accept-Language`, and longest text that the caller adds to the `User-Agent`, in bytes.
const LONGEST_NAME: usize = 200;

/// A test, or a proxy of the user's on this machine, needs no restraint; whoever wants it there says so.
const LOOPBACK_RATE: (f64, u32) = (1000.0, 1000);

fn schedule(options: &Options, loopback: bool) -> Result<SchedulePolicy> {
    let default = SchedulePolicy::default();
    let usual = if loopback { LOOPBACK_RATE } else { (default.rate, default.burst) };
    let (rate, burst) = options.request_rate.unwrap_or(usual);
    if !rate.is_finite() || rate <= 0.0 {
        let text = format!("request_rate must be a number of requests per second above zero, not {}", Decimal(rate));
        return Err(Error::config("request_rate", text));
    }
    // As an interval of polls: at a slower rate a create request would wait in the queue for ever.
    if rate < 1.0 / MAX_INTERVAL.as_secs_f64() {
        let text = format!("request_rate must be at least one request in 24 hours, 1 / 86400, not {}", Decimal(rate));
        return Err(Error::config("request_rate", text));
    }
    if burst == 0 {
        return Err(Error::config("request_rate", "the burst of request_rate must be at least 1"));
    }
    let max_in_flight_creates = options.max_in_flight_creates;
    Ok(SchedulePolicy { rate, burst, max_in_flight_creates, create_lease: options.create_timeout })
}
