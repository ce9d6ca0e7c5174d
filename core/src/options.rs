//! Options by name, as the bindings hand them over: one JSON object, durations in seconds, every refusal naming its option.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::client::ClientBuilder;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::task::Wait;

type SetDuration = fn(ClientBuilder, Duration) -> ClientBuilder;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ClientOptions {
    env: bool,
    /// Any value: a refusal by type would repeat it.
    api_key: Option<Value>,
    endpoint: Option<String>,
    base_url: Option<String>,
    endpoints: Option<Vec<String>>,
    video_base_url: Option<String>,
    trusted_hosts: Option<Vec<String>>,
    timeout: Option<f64>,
    create_timeout: Option<f64>,
    connect_timeout: Option<f64>,
    idle_timeout: Option<f64>,
    poll_interval: Option<f64>,
    wait_timeout: Option<f64>,
    max_attempts: Option<i64>,
    request_rate: Option<f64>,
    request_burst: Option<i64>,
    max_in_flight_creates: Option<i64>,
    language: Option<String>,
    journal_prompts: bool,
    #[cfg(feature = "native")]
    journal: Option<std::path::PathBuf>,
    #[cfg(feature = "native")]
    proxy: Option<String>,
    #[cfg(feature = "native")]
    ca_file: Option<std::path::PathBuf>,
    face: Option<String>,
}

impl ClientBuilder {
    /// Options from a JSON object, as the bindings hand them over. Its fields have the names of the setters; besides,
    /// `env` (true: what is not given comes from the environment, see [`ClientBuilder::from_env`]), `base_url` (the
    /// same as `endpoint`), `trusted_hosts` (a list) and `request_burst` (the second part of `request_rate`). Durations are numbers of
    /// seconds. `null` is the default.
    ///
    /// ```
    /// let options = serde_json::json!({"api_key": "sk-1", "endpoint": "china", "timeout": 20.5});
    /// let client = junfeiai::ClientBuilder::from_json(options)?.build()?;
    /// assert_eq!(client.endpoint().to_string(), junfeiai::endpoint::CHINA_BASE_URL);
    /// # Ok::<(), junfeiai::Error>(())
    /// ```
    ///
    /// # Errors
    /// `config`, naming the option that is unknown or cannot be used.
    pub fn from_json(value: Value) -> Result<Self> {
        let options: ClientOptions = read(value, ErrorKind::Config, Phase::Config)?;
        let seconds = |name, value| duration(ErrorKind::Config, Phase::Config, name, value);
        let mut builder = Self::default();
        match options.api_key {
            None => {}
            Some(Value::String(key)) => builder = builder.api_key(key),
            Some(_) => return Err(Error::config("api_key", "api_key must be a string")),
        }
        builder = match (options.endpoint, options.base_url, options.endpoints) {
            (None, None, None) => builder,
            (Some(one), None, None) | (None, Some(one), None) => builder.endpoint(one),
            (None, None, Some(several)) => builder.endpoints(several),
            _ => {
                let text = "endpoint, base_url and endpoints are one option; give one of them";
                return Err(Error::config("endpoints", text));
            }
        };
        if let Some(url) = options.video_base_url {
            builder = builder.video_base_url(url);
        }
        for host in options.trusted_hosts.unwrap_or_default() {
            builder = builder.trust_host(host);
        }
        let durations: [(&'static str, Option<f64>, SetDuration); 6] = [
            ("timeout", options.timeout, Self::timeout),
            ("create_timeout", options.create_timeout, Self::create_timeout),
            ("connect_timeout", options.connect_timeout, Self::connect_timeout),
            ("idle_timeout", options.idle_timeout, Self::idle_timeout),
            ("poll_interval", options.poll_interval, Self::poll_interval),
            ("wait_timeout", options.wait_timeout, Self::wait_timeout),
        ];
        for (name, value, set) in durations {
            if let Some(value) = value {
                builder = set(builder, seconds(name, value)?);
            }
        }
        let count = |name: &'static str, value: i64| {
            u32::try_from(value).map_err(|_| Error::config(name, format!("{name} must be at least 1")))
        };
        if let Some(attempts) = options.max_attempts {
            builder = builder.max_attempts(count("max_attempts", attempts)?);
        }
        if let Some(creates) = options.max_in_flight_creates {
            builder = builder.max_in_flight_creates(count("max_in_flight_creates", creates)?);
        }
        builder = match (options.request_rate, options.request_burst) {
            (None, None) => builder,
            (Some(rate), Some(burst)) => builder.request_rate(rate, count("request_burst", burst)?),
            // The usual burst is twice the usual rate.
            (Some(rate), None) => builder.request_rate(rate, (rate * 2.0).max(1.0) as u32),
            (None, Some(_)) => {
                return Err(Error::config("request_burst", "request_burst needs request_rate: give both"));
            }
        };
        if let Some(language) = options.language {
            builder = builder.language(language);
        }
        builder = builder.journal_prompts(options.journal_prompts);
        #[cfg(feature = "native")]
        {
            if let Some(path) = options.journal {
                builder = builder.journal(path);
            }
            if let Some(proxy) = options.proxy {
                builder = builder.proxy(proxy);
            }
            if let Some(path) = options.ca_file {
                builder = builder.ca_file(path);
            }
        }
        if let Some(face) = options.face {
            builder = builder.face(face);
        }
        Ok(if options.env { builder.from_env() } else { builder })
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WaitOptions {
    timeout: Option<f64>,
}

impl Wait {
    /// Sets options from a JSON object, as the bindings hand them over: `timeout` in seconds, where anything beyond
    /// what a clock can hold means for ever. `null` is the client's own.
    ///
    /// # Errors
    /// `invalid_request`, naming the option that is unknown or cannot be used.
    pub fn options_json(self, value: Value) -> Result<Self> {
        let options: WaitOptions = read(value, ErrorKind::InvalidRequest, Phase::Wait)?;
        Ok(match options.timeout {
            None => self,
            Some(seconds) => match duration(ErrorKind::InvalidRequest, Phase::Wait, "timeout", seconds)? {
                Duration::MAX => self.no_timeout(),
                timeout => self.timeout(timeout),
            },
        })
    }
}

#[cfg(feature = "native")]
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SaveOptions {
    connections: Option<i64>,
    overwrite: bool,
    create_parents: bool,
    sha256: bool,
    verify: Option<bool>,
    timeout: Option<f64>,
    rate_limit: Option<f64>,
}

#[cfg(feature = "native")]
impl crate::platform::native::Save {
    /// Sets options from a JSON object, as the bindings hand them over: fields have the names of the setters, `timeout`
    /// is in seconds, `rate_limit` in bytes per second. `null` is the default.
    ///
    /// # Errors
    /// `invalid_request`, naming the option that is unknown or cannot be used.
    pub fn options_json(self, value: Value) -> Result<Self> {
        let options: SaveOptions = read(value, ErrorKind::InvalidRequest, Phase::Save)?;
        let refuse = |name, text: &str| Err(Error::field(ErrorKind::InvalidRequest, Phase::Save, name, text));
        let mut save = self.overwrite(options.overwrite).create_parents(options.create_parents).sha256(options.sha256);
        if let Some(connections) = options.connections {
            let most = i64::from(crate::protocol::MAX_CONNECTIONS);
            match u32::try_from(connections) {
                Ok(number) if (1..=most).contains(&connections) => save = save.connections(number),
                _ => return refuse("connections", &format!("connections must be from 1 to {most}")),
            }
        }
        if let Some(yes) = options.verify {
            save = save.verify(yes);
        }
        if let Some(seconds) = options.timeout {
            let timeout = duration(ErrorKind::InvalidRequest, Phase::Save, "timeout", seconds)?;
            if timeout < Duration::MAX {
                save = save.timeout(timeout);
            }
        }
        match options.rate_limit {
            None => {}
            Some(rate) if rate.is_finite() && rate >= 1.0 => save = save.rate_limit(rate as u64),
            Some(_) => return refuse("rate_limit", "rate_limit must be at least 1 byte per second"),
        }
        Ok(save)
    }
}

/// Reads the object. serde's own line names what is unknown or of a wrong type.
fn read<T: for<'de> Deserialize<'de>>(value: Value, kind: ErrorKind, phase: Phase) -> Result<T> {
    serde_json::from_value(value)
        .map_err(|error| Error::new(kind, phase, format!("the options cannot be read: {error}")))
}

/// Seconds as a duration; [`Duration::MAX`] for everything too long to be one. JSON has no infinity: bindings hand over
/// `f64::MAX`.
fn duration(kind: ErrorKind, phase: Phase, name: &'static str, seconds: f64) -> Result<Duration> {
    if seconds.is_nan() || seconds < 0.0 {
        return Err(Error::field(kind, phase, name, format!("{name} must be a number of seconds, not {seconds}")));
    }
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(options: Value) -> Error {
        match ClientBuilder::from_json(options).and_then(ClientBuilder::build) {
            Ok(_) => unreachable!("it was taken"),
            Err(error) => error,
        }
    }

    #[test]
    fn a_refused_option_is_named() {
        for (options, name) in [
            (json!({"api_key": "k", "timeout": -1.0}), "timeout"),
            (json!({"api_key": "k", "timeout": 0}), "timeout"),
            (json!({"api_key": "k", "max_attempts": -1}), "max_attempts"),
            (json!({"api_key": "k", "endpoint": "china", "base_url": "standard"}), "endpoints"),
            (json!({"api_key": "k", "trusted_hosts": ["*.example.org"]}), "trusted_hosts"),
        ] {
            let error = refused(options);
            assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Config, Some(name)), "{error}");
        }
        let error = refused(json!({"api_key": 123_456}));
        assert!(!error.to_string().contains("123456"), "{error}");
        let error = refused(json!({"api_key": "sk-secret", "tiemout": 3}));
        assert!(error.to_string().contains("tiemout") && !error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn nulls_are_defaults() {
        let options = json!({"api_key": "k", "timeout": null, "trusted_hosts": null, "proxy": null});
        let client = ClientBuilder::from_json(options).unwrap().build().unwrap();
        assert_eq!(client.endpoint(), &crate::endpoint::Endpoint::standard());
    }

    #[test]
    fn wait_and_save_options() {
        let client = crate::Client::new("k").unwrap();
        let wait = || client.videos().task("task_1").unwrap().wait();
        assert!(format!("{:?}", wait().options_json(json!({"timeout": 7})).unwrap()).contains("Some(7s)"));
        assert!(format!("{:?}", wait().options_json(json!({"timeout": f64::MAX})).unwrap()).contains("timeout: None"));
        assert_eq!(wait().options_json(json!({"timeout": -7})).unwrap_err().record().field.as_deref(), Some("timeout"));
        #[cfg(feature = "native")]
        for (name, value) in [("connections", json!(17)), ("connections", json!(0)), ("rate_limit", json!(0))] {
            let save = client.videos().video("task_1").unwrap().save("x.mp4");
            let error = save.options_json(json!({ name: value })).unwrap_err();
            assert_eq!(error.record().field.as_deref(), Some(name));
        }
    }
}
