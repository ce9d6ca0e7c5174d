//! A way to stop a call for those who cannot drop its future.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, ErrorKind, Phase, Result};

/// Cancels what was started with it, from any thread. Clones are one token. A paid task is never cancelled, only
/// the call that waits for it or reads it.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    cancelled: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends everything that runs with this token, now and later.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        let wakers = std::mem::take(&mut *self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner));
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
        poll_fn(|cx| self.poll_cancelled(cx)).await;
    }

    /// Runs a future until it ends or the token is cancelled, which drops it.
    ///
    /// # Errors
    /// `cancelled`, or the future's own.
    pub async fn run<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let mut future = pin!(future);
        poll_fn(|cx| match self.poll_cancelled(cx) {
            Poll::Ready(()) => {
                Poll::Ready(Err(Error::new(ErrorKind::Cancelled, Phase::Wait, "the call was cancelled")))
            }
            Poll::Pending => future.as_mut().poll(cx),
        })
        .await
    }

    /// [`CancelToken::run`] for a call about a task that exists: the error carries its id.
    ///
    /// # Errors
    /// `cancelled`, or the future's own.
    pub async fn run_for<T>(&self, task_id: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
        self.run(future).await.map_err(|error| error.with_task(task_id))
    }

    /// [`CancelToken::run`] for a paid create: once it was begun its outcome is not known, and the error says so.
    ///
    /// # Errors
    /// `cancelled`, with `maybe_executed` when the request may have left; or the future's own.
    pub async fn run_create<T>(&self, future: impl Future<Output = Result<T>>) -> Result<T> {
        let mut begun = false;
        let mut future = pin!(future);
        poll_fn(|cx| match self.poll_cancelled(cx) {
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

    fn poll_cancelled(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_cancelled() {
            return Poll::Ready(());
        }
        let mut wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            // Wakers of calls that ended long ago should not pile up in a token that lives on.
            if wakers.len() >= 64 {
                wakers.drain(..32).for_each(Waker::wake);
            }
            wakers.push(cx.waker().clone());
        }
        drop(wakers);
        // It may have been cancelled between the first look and the registration.
        if self.is_cancelled() { Poll::Ready(()) } else { Poll::Pending }
    }
}
