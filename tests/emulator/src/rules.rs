//! The rules of a scenario: which request meets which fault.

use serde::{Deserialize, Serialize};

use crate::{fault::Fault, scenario::Op, video::mix};

/// A fault and when it strikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests; every request when left out.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// How often at most.
    #[serde(default)]
    pub times: Option<u32>,
    /// What happens.
    pub fault: Fault,
}

/// Which requests a rule is about: all conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// What the request is for.
    pub op: Op,
    /// HTTP method.
    pub method: Option<String>,
    /// A part of the path.
    pub path_contains: Option<String>,
    /// Which listener.
    pub host: Option<HostName>,
    /// `Range` starts at or after this byte.
    pub range_start_at_least: Option<u64>,
    /// Of the requests that fit so far: only these, counted from 1.
    pub nth: Option<Vec<u64>>,
    /// Of the requests that fit so far: from this one on.
    pub from: Option<u64>,
    /// Of the requests that fit so far: up to this one.
    pub to: Option<u64>,
    /// Of those, by chance.
    pub probability: Option<f64>,
}

/// Which listener a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostName {
    /// The API host.
    First,
    /// The other host.
    Second,
}

impl Rule {
    /// Checks the values that a type cannot; the error is field and reason.
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let status = match &self.fault {
            Fault::Status { status, headers, .. } => {
                let valid = |(name, value): (&String, &String)| header_is_valid(name, value);
                if !headers.iter().all(valid) {
                    return Err(("fault.headers", "not a valid header"));
                }
                *status
            }
            Fault::Html { status, .. }
            | Fault::EmptyBody { status, .. }
            | Fault::Garbage { status, .. }
            | Fault::Redirect { status, .. } => *status,
            Fault::Header { name, value } if !header_is_valid(name, value.as_deref().unwrap_or("")) => {
                return Err(("fault.name", "not a valid header"));
            }
            _ => 200,
        };
        if !(200..=999).contains(&status) {
            return Err(("fault.status", "must be from 200 to 999"));
        }
        if self.matches.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err(("match.probability", "must be from 0 to 1"));
        }
        if self.matches.nth.as_ref().is_some_and(|nth| nth.contains(&0)) || self.matches.from == Some(0) {
            return Err(("match.nth", "requests are counted from 1"));
        }
        Ok(())
    }
}

fn header_is_valid(name: &str, value: &str) -> bool {
    hyper::header::HeaderName::try_from(name).is_ok() && hyper::header::HeaderValue::try_from(value).is_ok()
}

/// What a rule may look at.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) op: Op,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) host: HostName,
    pub(crate) range_start: Option<u64>,
}

/// The rules of a scenario with their counters.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    rules: Vec<(Rule, u64, u32)>,
    seed: u64,
}

impl Rules {
    pub(crate) fn new(rules: &[Rule], seed: u64) -> Self {
        Self { rules: rules.iter().map(|rule| (rule.clone(), 0, 0)).collect(), seed }
    }

    /// One more, behind the others, whose counters go on.
    pub(crate) fn push(&mut self, rule: Rule) {
        self.rules.push((rule, 0, 0));
    }

    /// The fault for one request. Every rule counts it; the first that fires wins.
    pub(crate) fn pick(&mut self, facts: &Facts<'_>) -> Option<Fault> {
        let mut picked = None;
        for (index, (rule, seen, fired)) in self.rules.iter_mut().enumerate() {
            if !rule.matches.fits(facts) {
                continue;
            }
            *seen += 1;
            if picked.is_some() || rule.times.is_some_and(|times| *fired >= times) {
                continue;
            }
            let roll = mix(self.seed ^ (index as u64) << 40 ^ *seen);
            if rule.matches.is_turn(*seen, unit(roll)) {
                *fired += 1;
                picked = Some(rule.fault.clone());
            }
        }
        picked
    }
}

impl Match {
    fn fits(&self, facts: &Facts<'_>) -> bool {
        // A preflight is the browser's own doing: it counts only for a rule that names its method.
        let method = match &self.method {
            Some(method) => method.eq_ignore_ascii_case(facts.method),
            None => facts.method != "OPTIONS",
        };
        method
            && (self.op == Op::Any || self.op == facts.op)
            && self.path_contains.as_deref().is_none_or(|part| facts.path.contains(part))
            && self.host.is_none_or(|host| host == facts.host)
            && self.range_start_at_least.is_none_or(|least| facts.range_start.is_some_and(|start| start >= least))
    }

    fn is_turn(&self, count: u64, roll: f64) -> bool {
        self.nth.as_ref().is_none_or(|nth| nth.contains(&count))
            && self.from.is_none_or(|from| count >= from)
            && self.to.is_none_or(|to| count <= to)
            && self.probability.is_none_or(|probability| roll < probability)
    }
}

/// A random word as a number from 0 to 1.
pub(crate) fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / (1u64 << 53) as f64
}
