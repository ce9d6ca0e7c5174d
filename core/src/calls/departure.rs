//! The moment in which a create request leaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::calls::tracker::TrackedCreate;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::transport::{AskBeforeSending, Timer};

/// Refuses to send what others may count as given up before its answer is there: `not_after` is in unix seconds.
pub(crate) fn in_time(not_after: Option<u64>, timer: &dyn Timer) -> Result<()> {
    match (not_after, timer.unix_now()) {
        (Some(not_after), Some(now)) if now >= not_after => {
            let text =
                "nothing was sent: the turn of the create request came too late, or the process was stopped in between";
            Err(Error::new(ErrorKind::Timeout, Phase::Create, text))
        }
        _ => Ok(()),
    }
}

/// What a transport that can tell asks when it has a connection for a create request.
pub(crate) struct CreateGate {
    create: TrackedCreate,
    not_after: Option<u64>,
    timer: Arc<dyn Timer>,
    passed: AtomicBool,
    refusal: OnceLock<Error>,
}

impl CreateGate {
    pub(crate) fn new(create: TrackedCreate, not_after: Option<u64>, timer: Arc<dyn Timer>) -> Self {
        Self { create, not_after, timer, passed: AtomicBool::new(false), refusal: OnceLock::new() }
    }

    /// The request left.
    pub(crate) fn was_passed(&self) -> bool {
        self.passed.load(Ordering::SeqCst)
    }

    /// Why it was not let through.
    pub(crate) fn refusal(&self) -> Option<Error> {
        self.refusal.get().cloned()
    }
}

impl AskBeforeSending for CreateGate {
    fn may_leave(&self) -> bool {
        match in_time(self.not_after, &*self.timer).and_then(|()| self.create.leaves()) {
            Ok(()) => {
                self.passed.store(true, Ordering::SeqCst);
                true
            }
            Err(error) => {
                let _ = self.refusal.set(error);
                false
            }
        }
    }
}
