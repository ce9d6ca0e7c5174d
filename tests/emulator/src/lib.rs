//! A faithful local stand-in for the `JunFeiAI` video API, faults included.
//!
//! ```
//! use junfeiai_emulator::{Emulator, TaskSpec};
//!
//! let emulator = Emulator::builder().api_key("sk-test").time_scale(60.0).start()?;
//! let task = emulator.add_task(TaskSpec::default());
//! let url = format!("{}/videos/{task}/content", emulator.base_url());
//! assert!(url.starts_with("http://127.0.0.1:"));
//! emulator.set_scenario_json(r#"{"rules":[{"match":{"op":"create"},"times":1,"fault":{"kind":"drop_after_accept"}}]}"#)?;
//! assert_eq!(emulator.created_tasks(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The handle is synchronous and runs its own threads, so that any kind of test can hold one. What it plays, and how to
//! ask for faults, stands in the crate's `README.md`.

mod accounts;
mod arrival;
mod chaos;
mod clock;
mod content;
mod control;
mod create;
mod delivery;
mod emulator;
mod errors;
mod exchange;
mod fault;
mod helpers;
mod io;
mod log;
mod mp4;
mod plan;
mod query;
mod routes;
mod rules;
mod scenario;
mod server;
mod state;
mod synthetic;
mod task_spec;
mod tasks;
mod tls;
mod video;

pub use chaos::{Chaos, ContentChaos, QueryChaos};
pub use emulator::{Builder, Emulator};
pub use errors::Shape;
pub use fault::Fault;
pub use log::{KeySeen, RecordedRequest};
pub use plan::{ContentPlan, Envelope, EtagPlan, Outcome, RangePlan, ResultField, TaskPlan};
pub use rules::{HostName, Match, Rule};
pub use scenario::{
    AccountSpec, ApiPlan, CreateId, KeySpec, KeyState, Op, RateLimit, RetryAfter, Scenario, ScenarioError, Version,
};
pub use state::Stats;
pub use task_spec::{TaskSpec, TaskState};
pub use tls::{Certificate, TlsPlan};

/// The examples of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
