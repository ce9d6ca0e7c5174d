//! Options by name, as the bindings hand them over: one JSON object, durations in seconds, every refusal naming its option.

use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::calls::create::judged;
use crate::client::builder::ClientBuilder;
#[cfg(feature = "prices")]
use crate::client::setters::CLIENT_FLAGS;
#[cfg(feature = "native")]
use crate::client::setters::CLIENT_PATHS;
use crate::client::setters::{CLIENT_COUNTS, CLIENT_SECONDS, CLIENT_TEXTS, WAIT_SECONDS};
use crate::client::task::Wait;
use crate::client::videos::Videos;
use crate::error::{ErrorKind, Phase, Result};
#[cfg(feature = "native")]
use crate::protocol::DownloadPolicy;
use crate::protocol::WaitPolicy;
#[cfg(feature = "native")]
use crate::save::file::Save;
#[cfg(feature = "native")]
use crate::save::setters::{SAVE_COUNTS, SAVE_FLAGS, SAVE_SECONDS};
use crate::text::decimal::Decimal;
use crate::text::fields::{Fields, read};

impl ClientBuilder {
    /// Options from a JSON object, as the bindings hand them over. Its fields have the names of the setters; besides,
    /// `env` (true: what is not given comes from the environment, see [`ClientBuilder::from_env`]), `environment` (the
    /// same from an object, where the host language knows the variables and we do not), `base_url` (the same as
    /// `endpoint`), `trusted_hosts` (a list) `headers` (an object of names and values) and `request_burst` (the second part of
    /// `request_rate`). Durations are numbers of
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
        let mut fields = Fields::of(value, ErrorKind::Config, Phase::Config, "the options")?;
        let mut builder = Self::default();
        let env = fields.flag("env")?.unwrap_or_default();
        let environment = fields.object("environment")?;
        match (fields.text("endpoint")?, fields.text("base_url")?, fields.texts("endpoints")?) {
            (None, None, None) => {}
            (Some(one), None, None) => builder.set_endpoint(one),
            (None, Some(one), None) => builder.options.endpoints = vec![one],
            (None, None, Some(several)) => builder.set_endpoints(several),
            _ => {
                let text = "endpoint, base_url and endpoints are one option; give one of them";
                return Err(fields.refuse("endpoints", text));
            }
        }
        builder.options.trusted_hosts = fields.texts("trusted_hosts")?.unwrap_or_default();
        for (name, value) in fields.object("headers")? {
            match value {
                Value::String(value) => builder.options.headers.push((name, Zeroizing::new(value))),
                Value::Null => {}
                _ => {
                    return Err(
                        fields.refuse("headers", "headers must be an object of strings: names and their values")
                    );
                }
            }
        }
        read(&mut builder, CLIENT_TEXTS, |name| fields.text(name))?;
        read(&mut builder, CLIENT_SECONDS, |name| duration(&mut fields, name))?;
        read(&mut builder, CLIENT_COUNTS, |name| count(&mut fields, name))?;
        builder.options.request_rate = match (fields.number("request_rate")?, count(&mut fields, "request_burst")?) {
            (None, None) => None,
            (Some(_), Some(0)) => return Err(fields.refuse("request_burst", "request_burst must be at least 1")),
            (Some(rate), Some(burst)) => Some((rate, burst)),
            // The usual burst is twice the usual rate.
            (Some(rate), None) => Some((rate, (rate * 2.0).max(1.0) as u32)),
            (None, Some(_)) => {
                return Err(fields.refuse("request_burst", "request_burst needs request_rate: give both"));
            }
        };
        #[cfg(feature = "prices")]
        {
            builder.options.max_cost = fields.number("max_cost")?;
        }
        #[cfg(feature = "journal")]
        {
            builder.options.budget = fields.number("budget")?;
        }
        #[cfg(feature = "prices")]
        read(&mut builder, CLIENT_FLAGS, |name| fields.flag(name))?;
        #[cfg(feature = "native")]
        read(&mut builder, CLIENT_PATHS, |name| Ok(fields.text(name)?.map(Into::into)))?;
        fields.end("options")?;
        let builder = builder.fill_from(|name| environment.get(name)?.as_str().map(str::to_owned));
        Ok(if env { builder.from_env() } else { builder })
    }
}

impl WaitPolicy {
    /// Sets options from a JSON object, as the bindings hand them over: `timeout` and `poll_interval` in seconds, where a
    /// timeout beyond what a clock can hold means for ever. `null` leaves what is set.
    ///
    /// # Errors
    /// `invalid_request`, naming the option that is unknown or cannot be used.
    pub fn set_options(&mut self, value: Value) -> Result<()> {
        let mut fields = Fields::of(value, ErrorKind::InvalidRequest, Phase::Wait, "the options")?;
        read(self, WAIT_SECONDS, |name| duration(&mut fields, name))?;
        fields.end("options")?;
        self.check()
    }
}

impl Videos {
    /// Sets options of single calls from a JSON object, as the bindings hand them over: `timeout` in seconds, see
    /// [`Videos::timeout`]. `null` is the client's. The phase is that of the call.
    ///
    /// # Errors
    /// `invalid_request`, naming the option that is unknown or cannot be used.
    pub fn options_json(mut self, phase: Phase, value: Value) -> Result<Self> {
        let mut fields = Fields::of(value, ErrorKind::InvalidRequest, phase, "the options")?;
        self.timeout = duration(&mut fields, "timeout")?;
        fields.end("options")?;
        judged(self.timeout, Duration::MAX, phase)?;
        Ok(self)
    }
}

impl Wait {
    /// Sets options from a JSON object, see [`WaitPolicy::set_options`].
    ///
    /// # Errors
    /// `invalid_request`, naming the option that is unknown or cannot be used.
    pub fn options_json(mut self, value: Value) -> Result<Self> {
        match self.policy.set_options(value) {
            Ok(()) => Ok(self),
            Err(error) => Err(error.about(self.task_id())),
        }
    }
}

#[cfg(feature = "native")]
impl Save {
    /// Sets options from a JSON object, as the bindings hand them over: fields have the names of the setters, `timeout`
    /// is in seconds, `rate_limit` in bytes per second. `null` is the default.
    ///
    /// # Errors
    /// `invalid_request`, naming the option that is unknown or cannot be used.
    pub fn options_json(mut self, value: Value) -> Result<Self> {
        match self.read_options(value) {
            Ok(()) => Ok(self),
            Err(error) => Err(error.about(self.task_id())),
        }
    }

    fn read_options(&mut self, value: Value) -> Result<()> {
        let mut fields = Fields::of(value, ErrorKind::InvalidRequest, Phase::Save, "the options")?;
        read(self, SAVE_FLAGS, |name| fields.flag(name))?;
        read(self, SAVE_SECONDS, |name| duration(&mut fields, name))?;
        // What is no number of that size is none of the numbers that are taken.
        read(self, SAVE_COUNTS, |name| Ok(fields.whole(name)?.map(|count| u32::try_from(count).unwrap_or(0))))?;
        // What is not a number, or less than 1, ends as 0.
        if let Some(rate) = fields.number("rate_limit")? {
            self.set_rate_limit(rate as u64);
        }
        fields.end("options")?;
        self.check_options()
    }
}

#[cfg(feature = "native")]
impl DownloadPolicy {
    /// Sets whether the file must begin like an MP4 and have an MP4's structure.
    pub(crate) fn set_verify(&mut self, yes: bool) {
        self.verify = yes;
        self.first_bytes = yes;
    }

    /// Sets the longest time for the whole; [`Duration::MAX`] is for ever.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = (timeout < Duration::MAX).then_some(timeout);
    }
}

/// Seconds as a duration; [`Duration::MAX`] for everything too long to be one. JSON has no infinity: bindings hand over
/// `f64::MAX`.
fn duration(fields: &mut Fields, name: &'static str) -> Result<Option<Duration>> {
    match fields.number(name)? {
        None => Ok(None),
        Some(seconds) if seconds >= 0.0 => Ok(Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))),
        Some(seconds) => {
            Err(fields.refuse(name, format!("{name} must be a number of seconds, not {}", Decimal(seconds))))
        }
    }
}

fn count(fields: &mut Fields, name: &'static str) -> Result<Option<u32>> {
    match fields.whole(name)? {
        None => Ok(None),
        // More than can be counted is as good as no limit.
        Some(count) if count >= 0 => Ok(Some(u32::try_from(count).unwrap_or(u32::MAX))),
        Some(_) => Err(fields.refuse(name, format!("{name} must not be negative"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Error;
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
            (json!({"api_key": "k", "tiemout": 1}), "tiemout"),
            (json!({"api_key": "k", "endpoint": "china", "base_url": "standard"}), "endpoints"),
            (json!({"api_key": "k", "trusted_hosts": ["*.example.org"]}), "trusted_hosts"),
            (json!({"api_key": "k", "request_rate": 1e-5}), "request_rate"),
            (json!({"api_key": "k", "language": "x".repeat(201)}), "language"),
            (json!({"api_key": "x".repeat(10_000)}), "api_key"),
        ] {
            let error = refused(options);
            assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Config, Some(name)), "{error}");
        }
        for (option, value) in [("endpoint", json!("x")), ("endpoints", json!(["x"]))] {
            let error = refused(json!({"api_key": "k", option: value}));
            assert!(error.to_string().starts_with(&format!("{option}: the base URL \"x\"")), "{error}");
        }
        let error = refused(json!({"api_key": 123_456}));
        assert!(!error.to_string().contains("123456"), "{error}");
        let error = refused(json!({"api_key": "sk-secret", "tiemout": 3}));
        assert!(error.to_string().contains("tiemout") && !error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_variable_is_judged_as_the_option_and_named() {
        for (variable, value, field) in [
            ("JUNFEIAI_API_KEY", " ", "api_key"),
            ("JUNFEIAI_API_KEY", "sk-se\ncret", "api_key"),
            ("JUNFEIAI_API_KEY", "sk-\u{fffd}", "api_key"),
            ("JUNFEIAI_API_KEY", "Bearer sk-secret", "api_key"),
            ("JUNFEIAI_BASE_URL", " ", "base_url"),
            ("JUNFEIAI_BASE_URL", ",", "base_url"),
            ("JUNFEIAI_BASE_URL", "standard,http://example.org", "base_url"),
            ("JUNFEIAI_BASE_URL", "https://user:secret@example.org/v1", "base_url"),
            ("JUNFEIAI_VIDEO_BASE_URL", " ", "video_base_url"),
            ("JUNFEIAI_VIDEO_BASE_URL", "https://a.example/path", "video_base_url"),
        ] {
            let mut environment = json!({"JUNFEIAI_API_KEY": "sk-1"});
            environment[variable] = value.into();
            let error = refused(json!({ "environment": environment }));
            assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Config, Some(field)), "{error}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("{variable}: ")) && !text.contains("secret"), "{text}");
        }
        // An option that was given is judged as such, whatever the variable says.
        let error = refused(json!({"api_key": "a b", "environment": {"JUNFEIAI_API_KEY": "sk-1"}}));
        assert!(!error.to_string().contains("JUNFEIAI"), "{error}");
        let given = json!({"environment": {
            "JUNFEIAI_API_KEY": "sk-1", "JUNFEIAI_BASE_URL": " china , standard,", "JUNFEIAI_VIDEO_BASE_URL": "",
        }});
        let client = ClientBuilder::from_json(given).unwrap().build().unwrap();
        assert_eq!(client.endpoints().len(), 2);
    }

    #[test]
    fn nulls_are_defaults() {
        let options = json!({"api_key": "k", "timeout": null, "trusted_hosts": null, "proxy": null});
        let client = ClientBuilder::from_json(options).unwrap().build().unwrap();
        assert_eq!(client.endpoint(), &crate::net::endpoint::Endpoint::standard());
    }

    #[test]
    fn wait_and_save_options() {
        let client = crate::Client::new("k").unwrap();
        let wait = || client.videos().task("task_1").unwrap().wait();
        assert!(format!("{:?}", wait().options_json(json!({"timeout": 7})).unwrap()).contains("Some(7s)"));
        assert!(format!("{:?}", wait().options_json(json!({"timeout": f64::MAX})).unwrap()).contains("timeout: None"));
        for (interval, taken) in
            [(7.0, true), (86_400.0, true), (86_400.1, false), (f64::MAX, false), (0.0, false), (-1.0, false)]
        {
            let wait = wait().options_json(json!({"poll_interval": interval}));
            let field = wait.as_ref().err().and_then(|error| error.record().field.as_deref());
            assert_eq!(field, (!taken).then_some("poll_interval"), "{interval}");
        }
        assert_eq!(wait().options_json(json!({"timeout": -7})).unwrap_err().record().field.as_deref(), Some("timeout"));
        #[cfg(feature = "native")]
        for (name, value) in [("connections", json!(17)), ("connections", json!(0)), ("rate_limit", json!(0))] {
            let save = client.videos().video("task_1").unwrap().save("x.mp4");
            let error = save.options_json(json!({ name: value })).unwrap_err();
            assert_eq!(error.record().field.as_deref(), Some(name));
        }
    }
}
