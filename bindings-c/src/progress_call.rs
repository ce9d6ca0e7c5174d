//! A call with its progress, one step after the other.
//!
//! The callbacks of C never run inside the runtime: between two steps nothing is held, so a callback may call any
//! function of the library, take its time, and free what it likes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use junfeiai::async_compat::BoxFuture;
use junfeiai::{CancelToken, Result};

use crate::call_context::{CallContext, caught};
use crate::executor::Executor;
use crate::failure::Outcome;

/// Where a call puts its progress.
pub(crate) struct Events<P>(Arc<Mutex<VecDeque<P>>>);

impl<P> Clone for Events<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P> Events<P> {
    pub(crate) fn push(&self, event: P) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
    }

    fn pop(&self) -> Option<P> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

pub(crate) enum Step<T, P> {
    Progress(P),
    Done(Result<T>),
}

pub(crate) struct ProgressCall<T, P> {
    future: BoxFuture<'static, Result<T>>,
    events: Events<P>,
    /// Ends this call alone.
    token: CancelToken,
    /// End it too, when they complete.
    others: Vec<BoxFuture<'static, ()>>,
    result: Option<Result<T>>,
}

impl<T: Send + 'static, P> ProgressCall<T, P> {
    /// The call is made with the token that ends it and the place for its progress. A panic of it is an
    /// error that says what it is about.
    pub(crate) fn new<F>(
        others: Vec<CancelToken>,
        context: &CallContext,
        call: impl FnOnce(CancelToken, Events<P>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let token = CancelToken::new();
        let events = Events(Arc::default());
        let future = Box::pin(caught(context.clone(), call(token.clone(), events.clone())));
        let mut call = Self { future, events, token, others: Vec::new(), result: None };
        for other in others {
            call.cancel_with(other);
        }
        call
    }

    /// The token that ends this call.
    pub(crate) fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Lets this token end the call, too.
    pub(crate) fn cancel_with(&mut self, token: CancelToken) {
        self.others.push(Box::pin(async move { token.cancelled().await }));
    }

    /// The next progress, or the end; not to be called again after that.
    pub(crate) async fn next(&mut self) -> Step<T, P> {
        poll_fn(|cx| {
            let count = self.others.len();
            self.others.retain_mut(|other| other.as_mut().poll(cx).is_pending());
            if self.others.len() < count {
                self.token.cancel();
            }
            if let Some(event) = self.events.pop() {
                return Poll::Ready(Step::Progress(event));
            }
            if self.result.is_none()
                && let Poll::Ready(result) = self.future.as_mut().poll(cx)
            {
                self.result = Some(result);
            }
            if let Some(event) = self.events.pop() {
                return Poll::Ready(Step::Progress(event));
            }
            self.result.take().map_or(Poll::Pending, |result| Poll::Ready(Step::Done(result)))
        })
        .await
    }

    /// Drives the call to its end on this thread. `on_progress` returns false to end it, after which it is not called again.
    pub(crate) fn run(mut self, executor: &Executor, mut on_progress: impl FnMut(P) -> bool) -> Outcome<T> {
        let mut stopped = false;
        loop {
            match executor.block_on(self.next())? {
                Step::Progress(event) => {
                    if !stopped && !on_progress(event) {
                        stopped = true;
                        self.token.cancel();
                    }
                }
                Step::Done(result) => return Ok(result?),
            }
        }
    }
}
