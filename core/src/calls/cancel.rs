//! A way to stop a call for those who cannot drop its future.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::{PerProcess, Pid};

/// Cancels what was started with it, from any thread. Clones are one token. A paid task is never cancelled, only
/// the call that waits for it or reads it.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    /// Of each process its own: those who wait in a parent are not woken by its child.
    waiting: PerProcess<Mutex<Waiting>>,
}

/// Whom to wake, by place: one token may stand behind any number of calls, and each leaves the list when it ends.
#[derive(Debug, Default)]
struct Waiting {
    wakers: Vec<Option<Waker>>,
    free: Vec<usize>,
}

impl Waiting {
    /// Notes whom to wake, in the caller's place or in a new one. Gives the place.
    fn note(&mut self, place: Option<usize>, waker: &Waker) -> usize {
        let place = place.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.wakers.push(None);
            self.wakers.len() - 1
        });
        match self.wakers.get_mut(place) {
            Some(Some(old)) => old.clone_from(waker),
            Some(empty) => *empty = Some(waker.clone()),
            None => {}
        }
        place
    }

    fn leave(&mut self, place: usize) {
        if let Some(waker) = self.wakers.get_mut(place) {
            *waker = None;
            self.free.push(place);
        }
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends everything that runs with this token, now and later.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        // The places stay: those who wait leave them themselves.
        let wakers: Vec<Waker> = self.0.waiting().wakers.iter_mut().filter_map(Option::take).collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// True after [`CancelToken::cancel`].
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Completes when the token is cancelled.
    pub async fn cancelled(&self) {
        let mut watch = self.watch();
        poll_fn(|cx| watch.poll(cx)).await;
    }

    /// Runs a future until it ends or the token is cancelled, which drops it.
    ///
    /// # Errors
    /// `cancelled`, or the future's own.
    pub async fn run<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.run_or(future, || Error::new(ErrorKind::Cancelled, Phase::Wait, "the call was cancelled")).await
    }

    /// [`CancelToken::run`] with another error for the cancelled call.
    pub(crate) async fn run_or<T>(
        &self,
        future: impl Future<Output = Result<T>>,
        cancelled: impl Fn() -> Error,
    ) -> Result<T> {
        let mut future = pin!(future);
        let mut watch = self.watch();
        poll_fn(|cx| match watch.poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(cancelled())),
            Poll::Pending => future.as_mut().poll(cx),
        })
        .await
    }

    /// [`CancelToken::run`] for a call about a task: `cancelled` carries its id. The call's own errors stay as they are, since
    /// not every text that is given as an id is one.
    ///
    /// # Errors
    /// `cancelled`, or the future's own.
    pub async fn run_for<T>(&self, task_id: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
        let ended = self.run(future).await;
        ended.map_err(|error| if error.kind() == ErrorKind::Cancelled { error.with_task(task_id) } else { error })
    }

    fn watch(&self) -> Watch<'_> {
        Watch { inner: &self.0, process: Pid::current(), place: None }
    }
}

/// One who waits for a token.
struct Watch<'a> {
    inner: &'a Inner,
    process: Pid,
    place: Option<usize>,
}

impl Watch<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.inner.cancelled.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        self.place = Some(self.inner.waiting().note(self.place, cx.waker()));
        // It may have been cancelled between the first look and the registration.
        if self.inner.cancelled.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place
            && self.process.is_current()
        {
            self.inner.waiting().leave(place);
        }
    }
}
