//! Faults by chance, repeatable: the n-th request for a file (or a task) always meets the same fate under one seed.

use serde::{Deserialize, Serialize};

use crate::{
    errors::Shape,
    fault::Fault,
    rules::unit,
    scenario::{Op, RetryAfter},
    video::mix,
};

/// Probabilities of faults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Chaos {
    /// For MP4 requests.
    pub content: ContentChaos,
    /// For task queries.
    pub query: QueryChaos,
}

/// Probabilities for MP4 requests; at most one fault strikes a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentChaos {
    /// The body ends too soon.
    pub cut: f64,
    /// The connection is reset in the body.
    pub reset: f64,
    /// The body pauses.
    pub stall: f64,
    /// Upstream trouble.
    pub status_502: f64,
    /// Too many requests.
    pub status_429: f64,
    /// 200 with everything.
    pub ignore_range: f64,
    /// 206 with another part.
    pub wrong_range: f64,
    /// The file changes for good.
    pub change_file: f64,
    /// Real milliseconds of a stall.
    pub stall_ms: u64,
}

impl Default for ContentChaos {
    fn default() -> Self {
        Self {
            cut: 0.0,
            reset: 0.0,
            stall: 0.0,
            status_502: 0.0,
            status_429: 0.0,
            ignore_range: 0.0,
            wrong_range: 0.0,
            change_file: 0.0,
            stall_ms: 300,
        }
    }
}

/// Probabilities for task queries.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueryChaos {
    /// The connection is closed without an answer.
    pub drop: f64,
    /// An HTML 502.
    pub status_502: f64,
    /// Too many requests.
    pub status_429: f64,
    /// The task is said to be unknown.
    pub not_exist: f64,
}

/// A fault by chance; where it strikes within the body is a fraction, as the length is not known yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Strike {
    /// Nothing in particular about the body.
    Fault(Fault),
    /// Cut at a fraction of the body.
    Cut { at: f64, rst: bool },
    /// Stall at a fraction of the body.
    Stall { at: f64, ms: u64 },
    /// Serve everything.
    IgnoreRange,
}

impl Chaos {
    pub(crate) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let c = &self.content;
        let content =
            [c.cut, c.reset, c.stall, c.status_502, c.status_429, c.ignore_range, c.wrong_range, c.change_file];
        let q = &self.query;
        let query = [q.drop, q.status_502, q.status_429, q.not_exist];
        let sound = |all: &[f64]| all.iter().all(|p| (0.0..=1.0).contains(p)) && all.iter().sum::<f64>() <= 1.000_001;
        if !sound(&content) {
            return Err(("content", "probabilities must be from 0 to 1 and add up to at most 1"));
        }
        if !sound(&query) {
            return Err(("query", "probabilities must be from 0 to 1 and add up to at most 1"));
        }
        Ok(())
    }

    /// The fate of the `count`-th request of its kind.
    pub(crate) fn strike(&self, op: Op, seed: u64, count: u64) -> Option<(&'static str, Strike)> {
        let word = mix(seed ^ mix(count ^ (op as u64) << 56));
        let mut roll = unit(word);
        let at = unit(mix(word));
        let mut falls = |probability: f64| {
            let hit = roll >= 0.0 && roll < probability;
            roll -= probability;
            hit
        };
        let error = |shape| Strike::Fault(Fault::ErrorShape { shape, act: false });
        let limited = || Strike::Fault(Fault::RateLimited { retry_after: RetryAfter::None, seconds: 1 });
        let c = &self.content;
        let q = &self.query;
        match op {
            Op::Content if falls(c.cut) => Some(("chaos:cut", Strike::Cut { at, rst: false })),
            Op::Content if falls(c.reset) => Some(("chaos:reset", Strike::Cut { at, rst: true })),
            Op::Content if falls(c.stall) => Some(("chaos:stall", Strike::Stall { at, ms: c.stall_ms })),
            Op::Content if falls(c.status_502) => Some(("chaos:status_502", error(Shape::Proxy502))),
            Op::Content if falls(c.status_429) => Some(("chaos:status_429", limited())),
            Op::Content if falls(c.ignore_range) => Some(("chaos:ignore_range", Strike::IgnoreRange)),
            Op::Content if falls(c.wrong_range) => Some((
                "chaos:wrong_range",
                Strike::Fault(Fault::WrongContentRange { shift: 1 + (at * 4096.0) as i64, total: 0 }),
            )),
            Op::Content if falls(c.change_file) => Some(("chaos:change_file", Strike::Fault(Fault::ChangeFile {}))),
            Op::Query if falls(q.drop) => Some(("chaos:drop", Strike::Fault(Fault::DropBeforeAccept { rst: false }))),
            Op::Query if falls(q.status_502) => {
                Some(("chaos:status_502", Strike::Fault(Fault::Html { status: 502, act: false })))
            }
            Op::Query if falls(q.status_429) => Some(("chaos:status_429", limited())),
            Op::Query if falls(q.not_exist) => Some(("chaos:not_exist", error(Shape::TaskNotExist))),
            _ => None,
        }
    }
}
