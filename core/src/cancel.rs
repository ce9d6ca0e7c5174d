//! A way to stop a call for those who cannot drop its future.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, ErrorKind, Phase, Result};

/// Cancels what was started with it, from any thread. Clones are one token. A paid task is never cancelled, only
/// the call that waits for it or reads it.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    waiting: Mutex<Waiting>,
}

/// Whom to wake, by number: one token may stand behind any number of calls, and each leaves the list when it ends.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
        let wakers = std::mem::take(&mut self.0.waiting().wakers);
        for waker in wakers.into_values() {
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
        let mut future = pin!(future);
        let mut watch = self.watch();
        poll_fn(|cx| match watch.poll(cx) {
            Poll::Ready(()) => {
                Poll::Ready(Err(Error::new(ErrorKind::Cancelled, Phase::Wait, "the call was cancelled")))
            }
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

    /// [`CancelToken::run`] for a paid create: once it was begun its outcome is not known, and the error says so.
    ///
    /// # Errors
    /// `cancelled`, with `maybe_executed` when the request may have left; or the future's own.
    pub async fn run_create<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let mut begun = false;
        let mut future = pin!(future);
        let mut watch = self.watch();
        poll_fn(|cx| match watch.poll(cx) {
            Poll::Ready(()) => {
                let text =
                    if begun { "the create was cancelled after it was begun" } else { "the create was cancelled" };
                let error = Error::new(ErrorKind::Cancelled, Phase::Create, text);
                Poll::Ready(Err(error.with(|record| record.maybe_executed = begun)))
            }
            Poll::Pending => {
                begun = true;
                future.as_mut().poll(cx)
            }
        })
        .await
    }

    fn watch(&self) -> Watch<'_> {
        Watch { inner: &self.0, number: None }
    }
}

/// One who waits for a token.
struct Watch<'a> {
    inner: &'a Inner,
    number: Option<u64>,
}

impl Watch<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.inner.cancelled.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let mut waiting = self.inner.waiting();
        let number = *self.number.get_or_insert_with(|| {
            waiting.next += 1;
            waiting.next
        });
        match waiting.wakers.entry(number) {
            Entry::Occupied(mut old) => {
                if !old.get().will_wake(cx.waker()) {
                    old.insert(cx.waker().clone());
                }
            }
            Entry::Vacant(place) => {
                place.insert(cx.waker().clone());
            }
        }
        drop(waiting);
        // It may have been cancelled between the first look and the registration.
        if self.inner.cancelled.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.inner.waiting().wakers.remove(&number);
        }
    }
}
