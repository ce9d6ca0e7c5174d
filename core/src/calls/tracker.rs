//! What became of paid calls, seen from outside of their futures.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;

use crate::calls::cancel::CancelToken;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::transport::Timer;

/// Follows the creates of one paid call (or of several): which tasks exist, and whether a request is out whose outcome is
/// not known. It can be read while the call's future runs, and after the future was dropped or panicked, when nobody else
/// can tell. Clones are one tracker.
///
/// ```no_run
/// # async fn run(client: junfeiai::Client) {
/// let tracker = junfeiai::CreateTracker::new();
/// let videos = client.videos().tracked(&tracker);
/// let limit = std::time::Duration::from_secs(600);
/// if tokio::time::timeout(limit, videos.generate("A red ball")).await.is_err() {
///     // The future is gone, and with it its error. The tracker still knows what was paid for.
///     eprintln!("tasks: {:?}, may have been charged: {}", tracker.task_ids(), tracker.maybe_executed());
/// }
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct CreateTracker(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    facts: Mutex<Facts>,
    stop: CancelToken,
}

#[derive(Debug, Default)]
struct Facts {
    /// Requests that left and whose outcome is not known.
    unsettled: usize,
    /// Tasks that exist, in the order of their creates.
    tasks: Vec<String>,
}

impl CreateTracker {
    /// A tracker that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// True when a create request left and its outcome is not known: its answer is being waited for, was lost, or the
    /// future was dropped before it came. False for a create that only waits for its turn, or that was refused.
    pub fn maybe_executed(&self) -> bool {
        self.facts().unsettled > 0
    }

    /// The ids of the tasks that exist, in the order of their creates. A task of `generate_many` leaves the list when its
    /// outcome is given out.
    pub fn task_ids(&self) -> Vec<String> {
        self.facts().tasks.clone()
    }

    /// Lets no further create request leave: those that wait for their turn, or to be sent again, end with `cancelled` and
    /// without `maybe_executed`. Requests that have left run to their end, and so do waits.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Adds what is known to an error that was made outside of the call, such as that of a cancelled or panicked one: the
    /// task's id, when there is exactly one task, and `maybe_executed`.
    #[must_use]
    pub fn stamp(&self, error: Error) -> Error {
        let facts = self.facts();
        let error = match facts.tasks.as_slice() {
            [id] => error.with_task(id),
            _ => error,
        };
        error.with(|record| record.maybe_executed |= facts.unsettled > 0)
    }

    /// An outcome of `generate_many` was given out, with the id of its task or what went wrong: it is the caller's now.
    pub(crate) fn given_out(&self, outcome: Result<Option<&str>, &Error>) {
        let mut facts = self.facts();
        let id = outcome.unwrap_or_else(Error::task_id);
        if let Some(at) = facts.tasks.iter().position(|known| Some(known.as_str()) == id) {
            facts.tasks.remove(at);
        } else if outcome.is_err_and(Error::maybe_executed) {
            facts.unsettled = facts.unsettled.saturating_sub(1);
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One create on its way. Whoever sends the request says so here, and what came of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrackedCreate(Arc<Create>);

#[derive(Debug, Default)]
struct Create {
    tracker: Option<CreateTracker>,
    /// The client was closed.
    closed: CancelToken,
    /// The request left and its outcome is not known.
    unsettled: AtomicBool,
    task_id: OnceLock<String>,
}

impl TrackedCreate {
    /// A create that nobody has sent. `closed` is the client's.
    pub(crate) fn new(tracker: Option<&CreateTracker>, closed: &CancelToken) -> Self {
        Self(Arc::new(Create {
            tracker: tracker.cloned(),
            closed: closed.clone(),
            unsettled: AtomicBool::new(false),
            task_id: OnceLock::new(),
        }))
    }

    /// The request may leave, as far as is known now.
    ///
    /// # Errors
    /// `cancelled` when the tracker was stopped or the client was closed.
    #[cfg(any(feature = "node", not(feature = "wasm")))]
    pub(crate) fn may_leave(&self) -> Result<()> {
        let stopped = self.0.tracker.as_ref().is_some_and(|tracker| tracker.0.stop.is_cancelled());
        if stopped || self.0.closed.is_cancelled() { Err(self.stopped()) } else { Ok(()) }
    }

    /// The request leaves now.
    ///
    /// # Errors
    /// `cancelled` when the tracker was stopped or the client was closed: it must not leave.
    pub(crate) fn leaves(&self) -> Result<()> {
        if self.0.closed.is_cancelled() {
            return Err(self.stopped());
        }
        if let Some(tracker) = &self.0.tracker {
            // Under the lock: whoever stops the tracker and then asks it must not be told less than the truth.
            let mut facts = tracker.facts();
            if tracker.0.stop.is_cancelled() {
                return Err(self.stopped());
            }
            if !self.0.unsettled.swap(true, Ordering::SeqCst) {
                facts.unsettled += 1;
            }
        } else {
            self.0.unsettled.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    /// A request of another call left, and its outcome is not known.
    #[cfg(feature = "journal")]
    pub(crate) fn was_sent(&self) {
        if !self.0.unsettled.swap(true, Ordering::SeqCst)
            && let Some(tracker) = &self.0.tracker
        {
            tracker.facts().unsettled += 1;
        }
    }

    /// The request provably made no task.
    pub(crate) fn refused(&self) {
        self.settle(None);
    }

    /// The request made this task.
    pub(crate) fn created(&self, task_id: &str) {
        self.settle(Some(task_id));
    }

    /// The task that the request made, as far as is known.
    #[cfg(feature = "journal")]
    pub(crate) fn task_id(&self) -> Option<&str> {
        self.0.task_id.get().map(String::as_str)
    }

    /// The request left and its outcome is not known.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.0.unsettled.load(Ordering::SeqCst)
    }

    /// [`CreateTracker::stamp`] for this one create.
    pub(crate) fn stamp(&self, error: Error) -> Error {
        let error = error.about(self.0.task_id.get().map(String::as_str));
        error.with(|record| record.maybe_executed |= self.is_unsettled())
    }

    fn settle(&self, task_id: Option<&str>) {
        if let Some(id) = task_id {
            let _ = self.0.task_id.set(id.to_owned());
        }
        let was_unsettled = self.0.unsettled.swap(false, Ordering::SeqCst);
        if let Some(tracker) = &self.0.tracker {
            let mut facts = tracker.facts();
            facts.unsettled -= usize::from(was_unsettled);
            facts.tasks.extend(task_id.map(str::to_owned));
        }
    }

    /// Runs what a create does before it is sent, until the tracker is stopped or the client is closed.
    ///
    /// # Errors
    /// `cancelled`, or the future's own.
    pub(crate) async fn unless_stopped<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let mut closed = pin!(self.0.closed.cancelled());
        let mut stop = pin!(self.0.tracker.as_ref().map(|tracker| tracker.0.stop.cancelled()));
        let mut future = pin!(future);
        poll_fn(|cx| {
            let stopped = stop.as_mut().as_pin_mut().is_some_and(|stop| stop.poll(cx).is_ready());
            if stopped || closed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(self.stopped()));
            }
            future.as_mut().poll(cx)
        })
        .await
    }

    fn stopped(&self) -> Error {
        let text = if self.0.closed.is_cancelled() {
            "the client was closed before the create request was sent: nothing was charged, create it with another client"
        } else {
            "the create request was cancelled before it was sent"
        };
        Error::new(ErrorKind::Cancelled, Phase::Create, text)
    }
}

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

/// Says in the log what a dropped call leaves behind. Whoever drops a future, or whose own exception ends a call, gets no error
/// of ours that could carry the id.
#[derive(Default)]
pub(crate) struct LeftBehind {
    create: Option<TrackedCreate>,
    task_id: Option<Box<str>>,
}

impl LeftBehind {
    /// A create that is about to be sent.
    pub(crate) fn create(create: &TrackedCreate) -> Self {
        Self { create: Some(create.clone()), task_id: None }
    }

    /// A task that its own caller may not have seen yet.
    pub(crate) fn task(task_id: &str) -> Self {
        Self { create: None, task_id: Some(task_id.into()) }
    }

    /// The call ends with a result or an error, which says it all.
    pub(crate) fn nothing(mut self) {
        (self.create, self.task_id) = (None, None);
    }
}

impl Drop for LeftBehind {
    fn drop(&mut self) {
        if let Some(task_id) = &self.task_id {
            tracing::warn!(
                name: "call_ended_early",
                task_id,
                "a call was ended while its task is still running: wait for it with this id"
            );
        } else if self.create.as_ref().is_some_and(TrackedCreate::is_unsettled) {
            tracing::warn!(
                name: "call_ended_early",
                "a create request was abandoned before its answer came: a task may exist and may have been charged"
            );
        }
    }
}

impl CancelToken {
    /// [`CancelToken::run`] for a paid create. What `cancelled` says of it comes from the tracker, to which the create has
    /// to report: see [`Videos::tracked`](crate::Videos::tracked).
    ///
    /// # Errors
    /// `cancelled`, with `maybe_executed` when the request has left, and with the id of a task that exists; or the
    /// future's own.
    pub async fn run_create<T>(&self, tracker: &CreateTracker, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.run_stamped(|error| tracker.stamp(error), future).await
    }

    /// Runs a create; `stamp` adds what is known of it to `cancelled`.
    pub(crate) async fn run_stamped<T>(
        &self,
        stamp: impl Fn(Error) -> Error,
        future: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.run_or(future, || {
            let error = stamp(Error::new(ErrorKind::Cancelled, Phase::Create, ""));
            let text = match (error.task_id(), error.maybe_executed()) {
                (Some(_), _) => "the call was cancelled after the task was created",
                (None, true) => "the create request was cancelled after it was sent",
                (None, false) => "the create request was cancelled before it was sent",
            };
            error.with(|record| text.clone_into(&mut record.message))
        })
        .await
    }
}
