//! What a check found, as data and as text.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::protocol::{Balance, CheckStep, StepStatus};

/// One entry as the check found it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct EntryCheck {
    /// The base URL.
    pub endpoint: String,
    /// True for the entry that calls go to now.
    pub in_use: bool,
    /// True when no step failed: tasks can be created here, as far as can be told without creating one.
    pub ok: bool,
    /// `dns`, `connect`, `tls`, `answer`, `base_url`, `key`, `clock`, in this order.
    pub steps: Vec<CheckStep>,
    /// From sending the request to the end of the answer, connecting included.
    #[serde(rename = "latency_s", serialize_with = "seconds")]
    pub latency: Option<Duration>,
    /// How far this machine's clock is ahead of the server's, in seconds; `None` when the server's is not shown.
    pub clock_skew_s: Option<i64>,
    /// The server's request id, for the administrator.
    pub request_id: Option<String>,
}

/// What [`Client::check`](crate::Client::check) found. `Display` gives a readable text of several lines.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// This library's version.
    pub version: &'static str,
    /// True when the entry that calls end up at (the first that can be connected to) can be used and the video host
    /// answers.
    pub ok: bool,
    /// Every endpoint in the order of preference.
    pub entries: Vec<EntryCheck>,
    /// `proxy`, `video_host`, `models`, `balance`, in this order.
    pub steps: Vec<CheckStep>,
    /// The models of this key, where they were asked for (see [`CheckOptions`](crate::CheckOptions)) and the server
    /// tells them.
    pub models: Option<Vec<String>>,
    /// What is left on the key, where it was asked for and the server tells it.
    pub balance: Option<Balance>,
}

#[allow(clippy::ref_option)] // the signature is serde's
fn seconds<S: serde::Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

impl EntryCheck {
    /// The step of this name.
    pub fn step(&self, name: &str) -> Option<&CheckStep> {
        self.steps.iter().find(|step| step.name == name)
    }
}

impl CheckReport {
    /// The step of this name among those that belong to no entry.
    pub fn step(&self, name: &str) -> Option<&CheckStep> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The report as JSON, for logs and for the bindings.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let good = self.entries.iter().filter(|entry| entry.ok).count();
        let verdict = if self.ok { "ready" } else { "NOT ready" };
        write!(f, "junfeiai {}: {verdict}, {good} of {} entries can be used", self.version, self.entries.len())?;
        for entry in &self.entries {
            write!(f, "\n\n{}", entry.endpoint)?;
            if entry.in_use {
                f.write_str(" (in use)")?;
            }
            if let Some(latency) = entry.latency {
                write!(f, ", {} ms", latency.as_millis() as u64)?;
            }
            if let Some(id) = &entry.request_id {
                write!(f, ", request {id}")?;
            }
            lines(f, &entry.steps)?;
        }
        f.write_str("\n\naround it")?;
        lines(f, &self.steps)
    }
}

fn lines(f: &mut fmt::Formatter<'_>, steps: &[CheckStep]) -> fmt::Result {
    for step in steps {
        let status = match step.status {
            StepStatus::Ok => "ok",
            StepStatus::Warn => "WARN",
            StepStatus::Fail => "FAIL",
            StepStatus::Skipped => "-",
        };
        write!(f, "\n  {:<11} {status:<5} {}", step.name, step.detail)?;
        if let Some(advice) = &step.advice {
            write!(f, "\n  {:<17} → {advice}", "")?;
        }
    }
    Ok(())
}
