//! Futures as promises, with an `AbortSignal`.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::{Stream, StreamExt as _};
use js_sys::Promise;
use junfeiai::platform::BoxFuture;
use junfeiai::{CancelToken, CreateTracker, Error, ErrorKind, Phase, Result};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::future_to_promise;
use web_sys::AbortSignal;

use crate::convert;

/// Runs a future until it ends or the signal is raised.
pub(crate) fn promise<T: Into<JsValue>>(
    signal: Option<AbortSignal>,
    future: impl Future<Output = Result<T>> + 'static,
) -> Promise {
    promise_for(None, signal, future)
}

/// [`promise`] for a paid create, which reports to this tracker: when it is aborted, the error says what is known of it.
pub(crate) fn promise_of_create<T: Into<JsValue>>(
    tracker: CreateTracker,
    signal: Option<AbortSignal>,
    future: impl Future<Output = Result<T>> + 'static,
) -> Promise {
    start(Some(tracker), None, signal, Box::pin(async move { future.await.map(Into::into) }))
}

/// [`promise`] for a call about a task: when it is aborted, the error carries the task's id.
pub(crate) fn promise_for<T: Into<JsValue>>(
    task_id: Option<&str>,
    signal: Option<AbortSignal>,
    future: impl Future<Output = Result<T>> + 'static,
) -> Promise {
    // Boxed: what follows would be there once for each kind of future otherwise.
    start(None, task_id.map(Into::into), signal, Box::pin(async move { future.await.map(Into::into) }))
}

fn start(
    tracker: Option<CreateTracker>,
    task_id: Option<Box<str>>,
    signal: Option<AbortSignal>,
    future: BoxFuture<'static, Result<JsValue>>,
) -> Promise {
    let linked = Linked::new(signal);
    future_to_promise(async move {
        let result = match (&tracker, &task_id) {
            (Some(tracker), _) => linked.token.run_create(tracker, future).await,
            (None, Some(id)) => linked.token.run_for(id, future).await,
            (None, None) => linked.token.run(future).await,
        };
        drop(linked);
        result.map_err(|error| convert::error(&error))
    })
}

/// A promise that is refused already.
pub(crate) fn refused(error: &Error) -> Promise {
    Promise::reject(&convert::error(error))
}

/// A token that follows a signal for as long as this lives.
pub(crate) struct Linked {
    pub(crate) token: CancelToken,
    listening: Option<(AbortSignal, Closure<dyn FnMut()>)>,
}

impl Linked {
    pub(crate) fn new(signal: Option<AbortSignal>) -> Self {
        let token = CancelToken::new();
        let listening = signal.and_then(|signal| {
            if signal.aborted() {
                token.cancel();
                return None;
            }
            let raised = token.clone();
            let listener = Closure::<dyn FnMut()>::new(move || raised.cancel());
            let callback = listener.as_ref().unchecked_ref();
            signal.add_event_listener_with_callback("abort", callback).ok()?;
            Some((signal, listener))
        });
        Self { token, listening }
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        if let Some((signal, listener)) = self.listening.take() {
            let _ = signal.remove_event_listener_with_callback("abort", listener.as_ref().unchecked_ref());
        }
    }
}

/// A stream that is read one item at a time. The cell is empty while a read is under way.
pub(crate) struct Reading<T> {
    stream: Rc<RefCell<Option<Pin<Box<dyn Stream<Item = Result<T>>>>>>>,
    stop: CancelToken,
}

impl<T: 'static> Reading<T> {
    pub(crate) fn new(stream: Pin<Box<dyn Stream<Item = Result<T>>>>) -> Self {
        Self { stream: Rc::new(RefCell::new(Some(stream))), stop: CancelToken::new() }
    }

    /// The next item, `undefined` at the end. `task_id` is the task that it is about.
    pub(crate) fn next(
        &self,
        phase: Phase,
        task_id: Option<&str>,
        signal: Option<AbortSignal>,
        shape: impl FnOnce(T) -> JsValue + 'static,
    ) -> Promise {
        let Some(mut stream) = self.stream.borrow_mut().take() else {
            if self.stop.is_cancelled() {
                return Promise::resolve(&JsValue::UNDEFINED);
            }
            let text = "the stream is being read already, or a read of it was aborted";
            return refused(&Error::new(ErrorKind::InvalidRequest, phase, text));
        };
        let (cell, stop) = (self.stream.clone(), self.stop.clone());
        promise_for(task_id, signal, async move {
            let item = stop.run(async { Ok(stream.next().await) }).await?;
            cell.borrow_mut().replace(stream);
            item.transpose().map(|item| item.map_or(JsValue::UNDEFINED, shape))
        })
    }

    /// Ends the stream and what it reads from.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
        drop(self.stream.borrow_mut().take());
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
