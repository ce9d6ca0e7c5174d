//! Machines and codecs: everything that decides, and nothing that does.
//!
//! A machine is asked [`step(now)`](CallMachine::step) and answers what to do next; when that was done it is told by
//! `input(now, …)`. Time is handed in, so half an hour of waiting with faults is a test of microseconds, and the same
//! code runs under tokio, in a browser, or behind a C call.
//!
//! Not a promise: it is public for the tests, fuzz targets and benches of this repository, and may change with every release. What is
//! promised of it stands at the root of the crate.

mod account;
#[cfg(feature = "journal")]
pub mod account_tasks;
mod backoff;
pub mod blocks;
mod budget;
pub mod byte_ranges;
pub mod call;
#[cfg(feature = "journal")]
pub mod claim;
pub mod connect_failure;
pub mod content_range;
mod create;
#[cfg(feature = "journal")]
pub mod day_budget;
pub mod download;
mod due_queue;
pub mod failover;
#[cfg(feature = "journal")]
pub mod journal_text;
#[cfg(feature = "journal")]
pub mod ledger;
pub mod mp4;
pub mod part;
#[cfg(feature = "prices")]
pub mod price;
mod probe;
pub mod process;
pub mod proxy;
mod query;
mod range_request;
pub mod recent_creates;
#[cfg(feature = "journal")]
pub mod reconcile;
mod redirect;
pub mod retry_after;
pub mod schedule;
#[cfg(feature = "journal")]
pub mod shared_budget;
mod slot;
#[cfg(feature = "journal")]
mod task_match;
pub mod usage_log;
pub mod validators;
pub mod wait;
pub mod wait_state;
mod wire;

pub(crate) use account::{BALANCE, MODELS, if_offered};
pub use account::{Balance, UNITS_PER_USD, parse_balance, parse_models};
pub use backoff::Backoff;
pub use call::{CallEvent, CallMachine, CallStep, RetryPolicy, Safety};
pub use create::{Created, parse_create};
pub use download::{
    DownloadMachine, DownloadPolicy, DownloadStep, Finished, Head, HeadVerdict, MAX_CONNECTIONS, OVERLAP, Place,
    Progress,
};
pub use failover::{CONNECT_CAP, Failover, Reach, Round};
#[cfg(feature = "prices")]
pub use price::{Certainty, CostLimit, Estimate, PriceBook, PriceFacts, PriceStep, parse_prices};
pub use probe::{
    CheckStep, IMPOSSIBLE_TASK, KeyDoubt, ProbeFacts, Probed, StepStatus, judge_key_without_right, judge_probe,
    judge_refused_key,
};
pub use query::parse_query;
pub use range_request::RangeRequest;
pub use recent_creates::RecentCreates;
pub use redirect::{MAX_REDIRECTS, next_hop};
pub use schedule::{Collected, FRESH, GRACE, LINGER, ScheduleMachine, SchedulePolicy, ScheduleStep, SlotRequest};
pub use slot::SlotId;
#[cfg(feature = "journal")]
pub(crate) use usage_log::USAGE_LOG;
pub use usage_log::{RowKind, UsageLog, UsageRow, parse_usage_log};
pub use wait::{MAX_INTERVAL, MIN_INTERVAL, WaitMachine, WaitPolicy, WaitStep};
pub use wait_state::WaitState;
pub(crate) use wire::is_from_upstream;
pub use wire::{ApiResponse, classify, transport_error};

pub use crate::time::Time;
