//! The running calls and what is known of their paid tasks, for calls that end with neither their result nor their own
//! error: by Ctrl-C, a cancelled asyncio task, a callback that raises, a `break`, the interpreter's end.
//!
//! Such an end is noted on the exception and logged as a warning, so that no task's id is lost.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Poll;

use junfeiai::fork::PerProcess;
use junfeiai::{CreateTracker, Error, ErrorKind, Phase, Result, Video};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::interpreter::short;
use crate::{gil_thread, log};

/// What awaits a call.
pub(crate) trait Awaiter: Send + Sync {
    /// True when the call was cancelled.
    fn is_cancelled(&self, py: Python<'_>) -> bool;
}

/// What one call, or one iterator, knows of paid tasks.
pub(crate) struct PaidCall {
    number: u64,
    /// Of a call that creates tasks.
    tracker: Option<CreateTracker>,
    /// Of a call about a task.
    task_id: Option<String>,
    /// Of a single call; an iterator has none.
    awaiter: OnceLock<Weak<dyn Awaiter>>,
    /// Of an iterator: what its outcomes were about.
    given_out: Mutex<GivenOut>,
    /// What was logged last.
    logged: Mutex<Option<Facts>>,
}

/// Outcomes that were given out. They are the program's, but for those that a `list(…)` had when it was interrupted.
#[derive(Default)]
struct GivenOut {
    task_ids: Vec<String>,
    maybe_executed: bool,
}

/// Ids of tasks, and whether a create request was in flight.
#[derive(Clone)]
struct Facts {
    task_ids: Vec<String>,
    given_out: Vec<String>,
    created: bool,
    maybe_executed: bool,
}

/// The running calls, by their numbers.
#[derive(Default)]
struct Running {
    all: BTreeMap<u64, Weak<PaidCall>>,
    /// Those whose create requests were not stopped.
    creating: BTreeMap<u64, Weak<PaidCall>>,
}

static RUNNING: PerProcess<Mutex<Running>> = PerProcess::new();

fn running() -> MutexGuard<'static, Running> {
    RUNNING.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// References for use after the list is unlocked: dropping a call locks the list.
fn alive(calls: &BTreeMap<u64, Weak<PaidCall>>) -> Vec<Arc<PaidCall>> {
    calls.values().filter_map(Weak::upgrade).collect()
}

impl PaidCall {
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
        let (awaiter, given_out, logged) = (OnceLock::new(), Mutex::default(), Mutex::default());
        let paid = Arc::new(Self { number, tracker, task_id, awaiter, given_out, logged });
        let mut running = running();
        running.all.insert(number, Arc::downgrade(&paid));
        if paid.tracker.is_some() {
            running.creating.insert(number, Arc::downgrade(&paid));
        }
        drop(running);
        paid
    }

    /// True for a call that creates tasks.
    pub(crate) fn creates(&self) -> bool {
        self.tracker.is_some()
    }

    /// What the create requests of the call report to.
    pub(crate) fn tracker(&self) -> CreateTracker {
        self.tracker.clone().unwrap_or_default()
    }

    /// Names the one that awaits the call, whose end ends it.
    pub(crate) fn set_awaiter(&self, awaiter: Weak<dyn Awaiter>) {
        let _ = self.awaiter.set(awaiter);
    }

    /// True for the one that awaits the call; an iterator has one for each step.
    pub(crate) fn is_awaited_by<T: Awaiter>(&self, awaiter: &Arc<T>) -> bool {
        self.awaiter.get().is_some_and(|own| std::ptr::addr_eq(own.as_ptr(), Arc::as_ptr(awaiter)))
    }

    /// An iterator gives out this outcome.
    pub(crate) fn gives_out(&self, outcome: &Result<Video>) {
        let mut given_out = self.given_out.lock().unwrap_or_else(PoisonError::into_inner);
        let task_id = match outcome {
            Ok(video) => video.task_id(),
            // The charge of a failed one is returned.
            Err(error) if error.kind() == ErrorKind::TaskFailed => None,
            Err(error) => {
                given_out.maybe_executed |= error.maybe_executed();
                error.task_id()
            }
        };
        given_out.task_ids.extend(task_id.map(str::to_owned));
    }

    /// The call has ended.
    pub(crate) fn end(&self) {
        let mut running = running();
        running.all.remove(&self.number);
        running.creating.remove(&self.number);
    }

    /// Lets no further create request of the call leave; those in flight complete.
    pub(crate) fn stop(&self) {
        running().creating.remove(&self.number);
        if let Some(tracker) = &self.tracker {
            tracker.stop();
        }
    }

    /// What is known of tasks whose outcomes were not given out. `lost` is the id in a result that the caller does not get.
    fn facts(&self, lost: Option<String>) -> Facts {
        let tracked = self.tracker.as_ref();
        let mut task_ids = tracked.map(CreateTracker::task_ids).unwrap_or_default();
        for id in self.task_id.clone().into_iter().chain(lost) {
            if !task_ids.contains(&id) {
                task_ids.push(id);
            }
        }
        let maybe_executed = tracked.is_some_and(CreateTracker::maybe_executed);
        Facts { task_ids, given_out: Vec::new(), created: tracked.is_some(), maybe_executed }
    }

    /// The same and what was given out before: an exception may take that from the program as well.
    fn all_facts(&self, lost: Option<String>) -> Facts {
        let mut facts = self.facts(lost);
        let given_out = self.given_out.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = BTreeSet::new();
        let others = given_out.task_ids.iter().filter(|id| !facts.task_ids.contains(id) && seen.insert(*id));
        facts.given_out = others.cloned().collect();
        facts.maybe_executed |= given_out.maybe_executed;
        facts
    }

    /// True when this was not logged before.
    fn is_new(&self, facts: &Facts) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let known = logged.as_ref().is_some_and(|logged| logged.says(facts));
        if !known {
            *logged = Some(facts.clone());
        }
        !known
    }

    /// Adds what is known to an exception that is not the call's own, and logs it. `lost` is the id of a result that the
    /// caller does not get.
    pub(crate) fn note(&self, py: Python<'_>, error: &Bound<'_, PyAny>, lost: Option<String>) {
        static LEFT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let facts = self.all_facts(lost);
        if facts.is_empty() {
            return;
        }
        let (text, new) = (facts.to_string(), self.is_new(&facts));
        let task_ids = [facts.given_out, facts.task_ids].concat();
        short(py, || {
            let noted = LEFT
                .import(py, "junfeiai._errors", "left")
                .and_then(|left| left.call1((error, text, task_ids, facts.maybe_executed, new)));
            if let Err(error) = noted {
                error.write_unraisable(py, None);
            }
        });
    }

    /// Logs what is known, where there is no exception to carry it. Needs no GIL.
    pub(crate) fn report(&self) {
        // Without what was given out: whoever leaves a loop has it.
        let facts = self.facts(None);
        if !facts.is_empty() && self.is_new(&facts) {
            let task_id = if let [id] = facts.task_ids.as_slice() { Some(id.as_str()) } else { None };
            // The text names the task already.
            tracing::warn!(name: "call_ended_early", target: "junfeiai", task_id, "a call ended early: {facts}");
            gil_thread::send(log::drain_quietly);
        }
    }
}

impl Drop for PaidCall {
    fn drop(&mut self) {
        self.end();
    }
}

impl Facts {
    fn is_empty(&self) -> bool {
        self.task_ids.is_empty() && self.given_out.is_empty() && !self.maybe_executed
    }

    /// True when nothing is new in the others.
    fn says(&self, others: &Self) -> bool {
        let given_out = others.given_out.is_empty() || self.given_out == others.given_out;
        given_out && self.task_ids == others.task_ids && self.maybe_executed == others.maybe_executed
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
        let mut and = if self.task_ids.is_empty() { "" } else { "; " };
        if self.maybe_executed {
            let advice = "check your account's usage page before creating it again";
            write!(f, "{and}a create request was in flight and may have been charged: {advice}")?;
            and = "; ";
        }
        if !self.given_out.is_empty() {
            write!(f, "{and}outcomes of {} were given out before", self.given_out.join(", "))?;
        }
        Ok(())
    }
}

/// Stops the create requests of all cancelled calls at once.
///
/// Cancelled calls are dropped one after the other, and the slot of one would go to the next.
pub(crate) fn stop_cancelled(py: Python<'_>) {
    let creating = alive(&running().creating);
    for paid in creating {
        if paid.awaiter.get().and_then(Weak::upgrade).is_some_and(|awaiter| awaiter.is_cancelled(py)) {
            paid.stop();
        }
    }
}

/// Stops the create requests of this process that were not sent yet; those in flight complete.
pub(crate) fn stop_all() {
    let creating = alive(&running().creating);
    for paid in creating {
        paid.stop();
    }
}

/// Logs what is known of the calls that the interpreter's end drops.
pub(crate) fn report_all(py: Python<'_>) {
    let all = alive(&running().all);
    for paid in all {
        paid.report();
    }
    log::drain_quietly(py);
}

/// The call, with a panic in it as its error, which carries the task's id where there is one.
pub(crate) async fn guarded<T>(call: impl Future<Output = Result<T>>, paid: Option<Arc<PaidCall>>) -> Result<T> {
    let mut call = pin!(call);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))) {
        Ok(polled) => polled,
        Err(panic) => Poll::Ready(Err(stamped(panicked(panic), paid.as_deref()))),
    })
    .await
}

/// The error with what is known of tasks.
fn stamped(error: Error, paid: Option<&PaidCall>) -> Error {
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
