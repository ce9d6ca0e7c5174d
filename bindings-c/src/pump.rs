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

use crate::engine::{Engine, caught};
use crate::guard::{About, Outcome};

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

pub(crate) struct Pump<T, P> {
    call: BoxFuture<'static, Result<T>>,
    events: Events<P>,
    /// Ends this call alone.
    own: CancelToken,
    /// End it too, when they complete.
    others: Vec<BoxFuture<'static, ()>>,
    ended: Option<Result<T>>,
}

impl<T: Send + 'static, P> Pump<T, P> {
    /// The call is made with the token that ends it and the place for its progress. A panic of it is an
    /// error that says what it is about.
    pub(crate) fn new<F>(
        others: Vec<CancelToken>,
        about: &About,
        call: impl FnOnce(CancelToken, Events<P>) -> F,
    ) -> Self
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let own = CancelToken::new();
        let events = Events(Arc::default());
        let call = Box::pin(caught(about.clone(), call(own.clone(), events.clone())));
        let mut pump = Self { call, events, own, others: Vec::new(), ended: None };
        for other in others {
            pump.also(other);
        }
        pump
    }

    /// The token that ends this call.
    pub(crate) fn own(&self) -> &CancelToken {
        &self.own
    }

    pub(crate) fn also(&mut self, token: CancelToken) {
        self.others.push(Box::pin(async move { token.cancelled().await }));
    }

    /// The next progress, or the end; not to be asked again after that.
    pub(crate) async fn next(&mut self) -> Step<T, P> {
        poll_fn(|cx| {
            let count = self.others.len();
            self.others.retain_mut(|other| other.as_mut().poll(cx).is_pending());
            if self.others.len() < count {
                self.own.cancel();
            }
            if let Some(event) = self.events.pop() {
                return Poll::Ready(Step::Progress(event));
            }
            if self.ended.is_none()
                && let Poll::Ready(result) = self.call.as_mut().poll(cx)
            {
                self.ended = Some(result);
            }
            if let Some(event) = self.events.pop() {
                return Poll::Ready(Step::Progress(event));
            }
            self.ended.take().map_or(Poll::Pending, |result| Poll::Ready(Step::Done(result)))
        })
        .await
    }

    /// Carries the call through on this thread. `told` answers false to end it, and is not called again then.
    pub(crate) fn run(mut self, engine: &Engine, mut told: impl FnMut(P) -> bool) -> Outcome<T> {
        let mut stopped = false;
        loop {
            match engine.block_on(self.next())? {
                Step::Progress(event) => {
                    if !stopped && !told(event) {
                        stopped = true;
                        self.own.cancel();
                    }
                }
                Step::Done(result) => return Ok(result?),
            }
        }
    }
}
