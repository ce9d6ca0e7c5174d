//! What a call knows of paid tasks, for the ways out of it that bring neither its result nor its own error: Ctrl-C, a
//! cancelled asyncio task, a callback that raises, a loop that is left, the interpreter's end.
//!
//! Such a way out is noted on the exception and logged as a warning, so that no task's id is lost.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Poll;

use junfeiai::fork::PerProcess;
use junfeiai::{CreateTracker, Error, ErrorKind, Phase, Result};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::bridge::Link;
use crate::courier;
use crate::interpreter::short;
use crate::log;

/// What one call, or one iterator, knows of paid tasks.
pub(crate) struct Paid {
    number: u64,
    /// Of a call that creates tasks.
    tracker: Option<CreateTracker>,
    /// Of a call about a task.
    task_id: Option<String>,
    /// The asyncio future of a call that creates one task.
    link: OnceLock<Weak<Link>>,
    /// What was logged last.
    told: Mutex<Option<Facts>>,
}

/// Ids of tasks, and whether a create was in flight.
#[derive(Clone, PartialEq, Eq)]
struct Facts {
    task_ids: Vec<String>,
    created: bool,
    maybe_executed: bool,
}

/// The calls under way, by their numbers.
#[derive(Default)]
struct Calls {
    all: BTreeMap<u64, Weak<Paid>>,
    /// Those whose creates were not stopped.
    creating: BTreeMap<u64, Weak<Paid>>,
}

static CALLS: PerProcess<Mutex<Calls>> = PerProcess::new();

fn calls() -> MutexGuard<'static, Calls> {
    CALLS.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// None of them is dropped while the list is locked: the end of one takes it off the list.
fn alive(calls: &BTreeMap<u64, Weak<Paid>>) -> Vec<Arc<Paid>> {
    calls.values().filter_map(Weak::upgrade).collect()
}

impl Paid {
    /// For a call that creates tasks.
    pub(crate) fn creating() -> Arc<Self> {
        Self::new(Some(CreateTracker::new()), None)
    }

    /// For a call about a task.
    pub(crate) fn about(task_id: Option<&str>) -> Option<Arc<Self>> {
        Some(Self::new(None, Some(task_id?.to_owned())))
    }

    fn new(tracker: Option<CreateTracker>, task_id: Option<String>) -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (link, told) = (OnceLock::new(), Mutex::default());
        let paid = Arc::new(Self { number, tracker, task_id, link, told });
        let mut calls = calls();
        calls.all.insert(number, Arc::downgrade(&paid));
        if paid.tracker.is_some() {
            calls.creating.insert(number, Arc::downgrade(&paid));
        }
        drop(calls);
        paid
    }

    /// True for a call that creates tasks.
    pub(crate) fn creates(&self) -> bool {
        self.tracker.is_some()
    }

    /// What the creates of the call report to.
    pub(crate) fn tracker(&self) -> CreateTracker {
        self.tracker.clone().unwrap_or_default()
    }

    /// The call is the one of this future, whose end ends it.
    pub(crate) fn belongs_to(&self, link: &Arc<Link>) {
        let _ = self.link.set(Arc::downgrade(link));
    }

    /// True for the future of this call; an iterator has one for each step.
    pub(crate) fn is_of(&self, link: &Arc<Link>) -> bool {
        self.link.get().is_some_and(|own| std::ptr::eq(own.as_ptr(), Arc::as_ptr(link)))
    }

    /// The call has ended.
    pub(crate) fn end(&self) {
        let mut calls = calls();
        calls.all.remove(&self.number);
        calls.creating.remove(&self.number);
    }

    fn stop(&self) {
        calls().creating.remove(&self.number);
        if let Some(tracker) = &self.tracker {
            tracker.stop();
        }
    }

    fn facts(&self, lost: Option<String>) -> Option<Facts> {
        let tracked = self.tracker.as_ref();
        let mut task_ids = tracked.map(CreateTracker::task_ids).unwrap_or_default();
        for id in self.task_id.clone().into_iter().chain(lost) {
            if !task_ids.contains(&id) {
                task_ids.push(id);
            }
        }
        let maybe_executed = tracked.is_some_and(CreateTracker::maybe_executed);
        let facts = Facts { task_ids, created: tracked.is_some(), maybe_executed };
        (facts.maybe_executed || !facts.task_ids.is_empty()).then_some(facts)
    }

    /// True when this was not logged before.
    fn is_new(&self, facts: &Facts) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.replace(facts.clone()).as_ref() != Some(facts)
    }

    /// Adds what is known to an exception that is not the call's own, and logs it. `lost` is the id of a result that nobody
    /// will see.
    pub(crate) fn note(&self, py: Python<'_>, error: &Bound<'_, PyAny>, lost: Option<String>) {
        static LEFT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let Some(facts) = self.facts(lost) else { return };
        let (text, new) = (facts.to_string(), self.is_new(&facts));
        short(py, || {
            let noted = LEFT
                .import(py, "junfeiai._errors", "left")
                .and_then(|left| left.call1((error, text, facts.task_ids, facts.maybe_executed, new)));
            if let Err(error) = noted {
                error.write_unraisable(py, None);
            }
        });
    }

    /// Logs what is known, where there is no exception to carry it. Needs no GIL.
    pub(crate) fn report(&self) {
        if let Some(facts) = self.facts(None)
            && self.is_new(&facts)
        {
            tracing::warn!(target: "junfeiai", "a call was left before its end: {facts}");
            courier::send(log::drain);
        }
    }
}

impl Drop for Paid {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Display for Facts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.task_ids.as_slice(), self.created) {
            ([], _) => {}
            ([id], true) => write!(f, "task {id} was created and paid for: continue with client.videos.task({id:?})")?,
            ([id], false) => write!(f, "task {id} is not affected: continue with client.videos.task({id:?})")?,
            (ids, _) => {
                write!(f, "tasks {} were created and paid for: continue with client.videos.task(id)", ids.join(", "))?;
            }
        }
        if self.maybe_executed {
            let and = if self.task_ids.is_empty() { "" } else { "; " };
            write!(
                f,
                "{and}a create request was in flight; it may have been charged: look into the account before creating it again"
            )?;
        }
        Ok(())
    }
}

/// No further create request leaves: none of a call that was cancelled, at once for all that were.
///
/// Cancelled calls are dropped one after the other, and the turn of one would fall to the next.
pub(crate) fn stop_cancelled(py: Python<'_>) {
    let creating = alive(&calls().creating);
    for paid in creating {
        if paid.link.get().and_then(Weak::upgrade).is_some_and(|link| link.is_cancelled(py)) {
            paid.stop();
        }
    }
}

/// No further create request of this process leaves; those in flight run to their end.
pub(crate) fn stop_all() {
    let creating = alive(&calls().creating);
    for paid in creating {
        paid.stop();
    }
}

/// Logs what is known of the calls that the interpreter's end leaves.
pub(crate) fn report_all(py: Python<'_>) {
    let all = alive(&calls().all);
    for paid in all {
        paid.report();
    }
    log::drain(py);
}

/// The call, with a panic in it as its error. That carries the task's id, where there is one.
pub(crate) async fn guarded<T>(call: impl Future<Output = Result<T>>, paid: Option<Arc<Paid>>) -> Result<T> {
    let mut call = pin!(call);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(panic) => Poll::Ready(Err(stamped(panicked(panic), paid.as_deref()))),
    })
    .await
}

/// The error with what is known of tasks.
fn stamped(error: Error, paid: Option<&Paid>) -> Error {
    let Some(paid) = paid else { return error };
    match (&paid.tracker, &paid.task_id) {
        (Some(tracker), _) => tracker.stamp(error),
        (None, Some(id)) => error.with_task(id),
        (None, None) => error,
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Error {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "an unknown panic".to_owned(),
    };
    // Dropping what was thrown may panic again.
    std::mem::forget(panic);
    Error::new(ErrorKind::Internal, Phase::Config, format!("the library panicked: {text}"))
}
