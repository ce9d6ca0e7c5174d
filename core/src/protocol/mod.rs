//! Machines and codecs: everything that decides, and nothing that does.
//!
//! A machine is asked [`step(now)`](CallMachine::step) and answers what to do next; when that was done it is told by
//! `input(now, …)`. Time is handed in, so half an hour of waiting with faults is a test of microseconds, and the same
//! code runs under tokio, in a browser, or behind a C call.

mod account;
mod agenda;
mod backoff;
pub mod blocks;
mod budget;
pub mod call;
mod create;
pub mod download;
pub mod failover;
#[cfg(feature = "journal")]
pub mod ledger;
pub mod mp4;
pub mod newborn;
pub mod part;
mod player;
mod probe;
mod query;
pub mod range;
pub mod ranges;
mod redirect;
pub mod schedule;
pub mod wait;
mod wire;

use std::ops::Add;
use std::time::Duration;

pub(crate) use account::{BALANCE, MODELS, if_offered};
pub use account::{Balance, UNITS_PER_USD, parse_balance, parse_models};
pub use backoff::Backoff;
pub use call::{CallEvent, CallMachine, CallStep, RetryPolicy, Safety};
pub use create::{Created, parse_create};
pub use download::{
    DownloadMachine, DownloadPolicy, DownloadStep, Finished, Head, HeadVerdict, MAX_CONNECTIONS, Place, Progress,
};
pub use failover::{CONNECT_CAP, Failover, Reach, Round};
pub use newborn::Newborn;
pub use player::Asked;
pub use probe::{
    CheckStep, IMPOSSIBLE_TASK, KeyDoubt, ProbeFacts, Probed, StepStatus, judge_key_without_right, judge_probe,
    judge_refused_key,
};
pub use query::parse_query;
pub use redirect::{MAX_REDIRECTS, next_hop};
pub use schedule::{Collected, Errand, FRESH, GRACE, LINGER, ScheduleMachine, SchedulePolicy, ScheduleStep, Slot};
pub use wait::{MIN_INTERVAL, WaitMachine, WaitPolicy, WaitStep};
pub(crate) use wire::is_from_upstream;
pub use wire::{Answer, classify, transport_error};

/// A point on the driver's monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(Duration);

impl Time {
    /// A point this long after the clock's own zero.
    pub const fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// How long this point is after another; zero when it is before it.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}
