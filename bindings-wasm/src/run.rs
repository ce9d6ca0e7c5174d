//! Futures as promises, with an `AbortSignal`.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::StreamExt as _;
use js_sys::Promise;
use junfeiai::async_compat::{BoxFuture, BoxStream};
use junfeiai::{CancelToken, CreateTracker, Error, ErrorKind, Phase, Result};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::future_to_promise;
use web_sys::AbortSignal;

use crate::convert;

/// What a call says when it is aborted.
enum About {
    Nothing,
    Task(Box<str>),
    /// The outcome of its create request so far.
    Create(CreateTracker),
    /// The outcome of several create requests so far.
    Many(CreateTracker),
}

/// Runs a future until it ends or the signal is raised.
pub(crate) fn promise<T: Into<JsValue>>(
    signal: Option<AbortSignal>,
    future: impl Future<Output = Result<T>> + 'static,
) -> Promise {
    start(About::Nothing, signal, future)
}

/// [`promise`] for a call about a task: when it is aborted, the error carries the task's id.
pub(crate) fn promise_for<T: Into<JsValue>>(
    task_id: Option<&str>,
    signal: Option<AbortSignal>,
    future: impl Future<Output = Result<T>> + 'static,
) -> Promise {
    start(task_id.map_or(About::Nothing, |id| About::Task(id.into())), signal, future)
}

/// [`promise`] for a paid create: when it is aborted, the error says what became of the create request.
pub(crate) fn promise_create<T: Into<JsValue>>(
    tracker: &CreateTracker,
    signal: Option<AbortSignal>,
    future: impl Future<Output = Result<T>> + 'static,
) -> Promise {
    start(About::Create(tracker.clone()), signal, future)
}

/// A promise of something that looks at the token itself.
pub(crate) fn promise_with<T: Into<JsValue>, F: Future<Output = Result<T>> + 'static>(
    signal: Option<AbortSignal>,
    begin: impl FnOnce(&CancelToken) -> F,
) -> Promise {
    match Linked::new(signal) {
        Ok(linked) => {
            let future = begin(&linked.token);
            settle(Box::pin(async move {
                let result = future.await;
                drop(linked);
                result.map(Into::into)
            }))
        }
        Err(error) => Promise::reject(&error),
    }
}

fn start<T: Into<JsValue>>(
    about: About,
    signal: Option<AbortSignal>,
    future: impl Future<Output = Result<T>> + 'static,
) -> Promise {
    // Boxed: what follows would be there once for each kind of future otherwise.
    begin(about, signal, Box::pin(async move { future.await.map(Into::into) }))
}

fn begin(about: About, signal: Option<AbortSignal>, future: BoxFuture<'static, Result<JsValue>>) -> Promise {
    let linked = match Linked::new(signal) {
        Ok(linked) => linked,
        Err(error) => return Promise::reject(&error),
    };
    settle(Box::pin(async move {
        let result = match &about {
            About::Create(tracker) => linked.token.run_create(tracker, future).await,
            About::Task(id) => linked.token.run_for(id, future).await,
            About::Nothing => linked.token.run(future).await,
            About::Many(tracker) => linked.token.run(future).await.map_err(|error| tracker.stamp(error)),
        };
        drop(linked);
        result
    }))
}

fn settle(future: BoxFuture<'static, Result<JsValue>>) -> Promise {
    future_to_promise(async move { future.await.map_err(|error| convert::error(&error)) })
}

/// A token that follows a signal for as long as this lives.
pub(crate) struct Linked {
    pub(crate) token: CancelToken,
    listening: Option<(AbortSignal, Closure<dyn FnMut()>)>,
}

impl Linked {
    /// Follows a signal from now on.
    ///
    /// # Errors
    /// What the signal throws: a call that cannot be aborted any more is not begun.
    pub(crate) fn new(signal: Option<AbortSignal>) -> std::result::Result<Self, JsValue> {
        let token = CancelToken::new();
        let Some(signal) = signal else { return Ok(Self { token, listening: None }) };
        if signal.aborted() {
            token.cancel();
            return Ok(Self { token, listening: None });
        }
        let raised = token.clone();
        let listener = Closure::<dyn FnMut()>::new(move || raised.cancel());
        signal.add_event_listener_with_callback("abort", listener.as_ref().unchecked_ref())?;
        Ok(Self { token, listening: Some((signal, listener)) })
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        if let Some((signal, listener)) = self.listening.take() {
            let _ = signal.remove_event_listener_with_callback("abort", listener.as_ref().unchecked_ref());
        }
    }
}

/// What a stream is about.
pub(crate) enum Watched<'a> {
    Task(Option<&'a str>),
    Creates(&'a CreateTracker),
}

/// A stream that is read one item at a time. The cell is empty while a read is under way.
pub(crate) struct Reading<T> {
    stream: Rc<RefCell<Option<BoxStream<'static, Result<T>>>>>,
    stop: CancelToken,
}

impl<T: 'static> Reading<T> {
    pub(crate) fn new(stream: BoxStream<'static, Result<T>>) -> Self {
        Self { stream: Rc::new(RefCell::new(Some(stream))), stop: CancelToken::new() }
    }

    /// The next item, `undefined` at the end.
    pub(crate) fn next(
        &self,
        about: Watched<'_>,
        signal: Option<AbortSignal>,
        shape: impl FnOnce(T) -> JsValue + 'static,
    ) -> Promise {
        let Some(mut stream) = self.stream.borrow_mut().take() else {
            if self.stop.is_cancelled() {
                return Promise::resolve(&JsValue::UNDEFINED);
            }
            let phase = if let Watched::Task(None) = about { Phase::Content } else { Phase::Wait };
            let text = "the stream is being read already, or a read of it was aborted";
            return Promise::reject(&convert::error(&Error::new(ErrorKind::InvalidRequest, phase, text)));
        };
        let (cell, stop) = (self.stream.clone(), self.stop.clone());
        let next = async move {
            let item = stop.run(async { Ok(stream.next().await) }).await?;
            cell.borrow_mut().replace(stream);
            item.transpose().map(|item| item.map_or(JsValue::UNDEFINED, shape))
        };
        match about {
            Watched::Creates(tracker) => start(About::Many(tracker.clone()), signal, next),
            Watched::Task(id) => promise_for(id, signal, next),
        }
    }

    /// Ends the stream and what it reads from.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
        drop(self.stream.borrow_mut().take());
    }
}

/// The outcome so far of the paid calls that were started with it, for those that end them from outside.
#[wasm_bindgen]
#[derive(Default)]
pub struct RawTracker {
    pub(crate) tracker: CreateTracker,
}

#[wasm_bindgen]
impl RawTracker {
    /// Of nothing so far.
    #[wasm_bindgen(constructor)]
    pub fn new() -> RawTracker {
        Self::default()
    }

    /// A create request left, and its outcome is not known.
    #[wasm_bindgen(js_name = maybeExecuted)]
    pub fn maybe_executed(&self) -> bool {
        self.tracker.maybe_executed()
    }

    /// Lets no further create request leave; those that have left run to their end.
    pub fn stop(&self) {
        self.tracker.stop();
    }

    /// Tasks that exist and were not given out.
    #[wasm_bindgen(js_name = taskIds)]
    pub fn task_ids(&self) -> Vec<String> {
        self.tracker.task_ids()
    }
}

/// A value of the one thread that there is.
pub(crate) struct OneThread<T>(pub(crate) T);

impl<T> OneThread<T> {
    pub(crate) fn get(&self) -> &T {
        &self.0
    }
}

// SAFETY: wasm32-unknown-unknown without atomics has one thread; nothing can be sent to, or shared with, another.
#[cfg(not(target_feature = "atomics"))]
unsafe impl<T> Send for OneThread<T> {}
// SAFETY: as above.
#[cfg(not(target_feature = "atomics"))]
unsafe impl<T> Sync for OneThread<T> {}
