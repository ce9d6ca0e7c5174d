//! The moment in which a create request leaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::calls::tracker::{TrackedCreate, in_time};
use crate::error::{Error, Result};
use crate::net::transport::{AskBeforeSending, Departure, Timer, Transport};

/// A create request may be handed to this transport. With one that does not tell when it leaves, it leaves now.
///
/// # Errors
/// `cancelled` when it was stopped.
pub(crate) fn hand_over(create: &TrackedCreate, transport: &dyn Transport) -> Result<()> {
    if transport.asks_before_sending() { create.may_leave() } else { create.leaves() }
}

/// What a transport that can tell asks when it has a connection for a create request; for others, and for other calls, nothing.
#[derive(Clone, Default)]
pub(crate) struct Gate(Option<Arc<CreateGate>>);

struct CreateGate {
    create: TrackedCreate,
    not_after: Option<u64>,
    timer: Arc<dyn Timer>,
    passed: AtomicBool,
    refusal: OnceLock<Error>,
}

impl Gate {
    pub(crate) fn new(
        create: Option<&TrackedCreate>,
        not_after: Option<u64>,
        timer: &Arc<dyn Timer>,
        transport: &dyn Transport,
    ) -> Self {
        let create = create.filter(|_| transport.asks_before_sending());
        let (passed, refusal) = (AtomicBool::new(false), OnceLock::new());
        let gate = |create: &TrackedCreate| CreateGate {
            create: create.clone(),
            not_after,
            timer: timer.clone(),
            passed,
            refusal,
        };
        Self(create.map(gate).map(Arc::new))
    }

    /// It is known that nothing has left.
    pub(crate) fn is_shut(&self) -> bool {
        self.0.as_ref().is_some_and(|gate| !gate.passed.load(Ordering::SeqCst))
    }

    /// Why the request was not let through.
    pub(crate) fn refusal(&self) -> Option<Error> {
        self.0.as_ref()?.refusal.get().cloned()
    }

    pub(crate) fn departure(&self) -> Departure {
        self.0.clone().map(|gate| Departure::new(gate)).unwrap_or_default()
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
