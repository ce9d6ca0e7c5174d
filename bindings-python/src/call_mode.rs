//! The two ways to run a call, blocking and asyncio, behind one trait.

use std::sync::Arc;

use junfeiai::fork::ForkGuard;
use junfeiai::{Client, Result, Videos};
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::asyncio_bridge::{self, LoopFuture};
use crate::blocking_runtime::{self, PinnedRuntime, look_around};
use crate::convert::Callable;
use crate::deferred::{DeferredObject, TakeBack};
use crate::errors::{exception, raise};
use crate::interpreter::short;
use crate::paid_calls::{Awaiter, PaidCall, guarded};
use crate::progress::{ProgressCallback, ProgressQueue};

/// What belongs to a call beside its future: its callback, its runtime or event loop, its paid tasks.
#[derive(Default)]
pub(crate) struct CallContext {
    callback: Option<Arc<Py<PyAny>>>,
    /// For the callback of a blocking call.
    progress: ProgressQueue,
    /// For the callback and the result of an asyncio call.
    future: Arc<LoopFuture>,
    pinned: Option<PinnedRuntime>,
    paid: Option<Arc<PaidCall>>,
    /// For one step of what lives from call to call.
    take_back: Option<TakeBack>,
}

impl CallContext {
    /// For a call about a task, when its id is known.
    pub(crate) fn about(task_id: Option<&str>) -> Self {
        Self::awaited(PaidCall::about(task_id))
    }

    /// For a call that creates one task.
    pub(crate) fn creating() -> Self {
        Self::awaited(Some(PaidCall::creating()))
    }

    /// The end of the future is the end of the call, even while its exception keeps the objects of the call alive.
    fn awaited(paid: Option<Arc<PaidCall>>) -> Self {
        let future = Arc::<LoopFuture>::default();
        if let Some(paid) = &paid {
            let awaiter: Arc<dyn Awaiter> = future.clone();
            paid.set_awaiter(Arc::downgrade(&awaiter));
        }
        Self { future, paid, ..Self::default() }
    }

    /// For one step of what lives from call to call: an item of an iterator, a read of a file.
    pub(crate) fn step(paid: Option<&Arc<PaidCall>>, take_back: TakeBack) -> Self {
        Self { paid: paid.cloned(), take_back: Some(take_back), ..Self::default() }
    }

    /// For a call that is one of several on the same connection.
    pub(crate) fn pinned_to(pinned: &PinnedRuntime) -> Self {
        Self { pinned: Some(pinned.clone()), ..Self::default() }
    }

    /// An error about the arguments of the call, with what is known of its task.
    pub(crate) fn noted<T>(&self, py: Python<'_>, read: PyResult<T>) -> PyResult<T> {
        noted(py, read, self.paid.as_deref())
    }

    /// Has a callback called with the progress of the call.
    pub(crate) fn on_progress(self, callback: Option<Callable>) -> Self {
        Self { callback: callback.map(|callback| Arc::new(callback.0)), ..self }
    }

    /// The client's videos, whose create requests report to this call.
    pub(crate) fn videos(&self, client: &Client) -> Videos {
        match &self.paid {
            Some(paid) => client.videos().tracked(&paid.tracker()),
            None => client.videos(),
        }
    }

    /// What the core calls with each progress; `None` without a callback. `convert` makes the callback's argument.
    pub(crate) fn progress_sender<M: CallMode, T: ?Sized + 'static>(
        &self,
        convert: impl Fn(&T) -> DeferredObject + Send + 'static,
    ) -> Option<impl FnMut(&T) + Send + 'static> {
        let callback = self.callback.clone()?;
        let (queue, future) = (self.progress.clone(), self.future.clone());
        Some(move |progress: &T| M::notify(&callback, &queue, &future, convert(progress)))
    }
}

/// Blocking or asyncio.
pub(crate) trait CallMode: Send + Sync + 'static {
    /// Runs the call, or returns the coroutine that will.
    fn run<T: Send + 'static>(
        py: Python<'_>,
        context: &CallContext,
        call: impl Future<Output = Result<T>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>>;
    /// Has a callback called in the thread of its caller.
    fn notify(callback: &Arc<Py<PyAny>>, queue: &ProgressQueue, future: &Arc<LoopFuture>, argument: DeferredObject);
}

/// The calling thread runs the call.
pub(crate) struct Blocking;

impl CallMode for Blocking {
    fn run<T: Send + 'static>(
        py: Python<'_>,
        context: &CallContext,
        call: impl Future<Output = Result<T>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let progress =
            context.callback.as_deref().map(|callback| ProgressCallback { callback, queue: &context.progress });
        let call = Box::pin(guarded(call, context.paid.clone()));
        let ended = blocking_runtime::block(py, context.pinned.as_ref(), progress.as_ref(), call);
        finish(py, ended, context.paid.as_deref(), |value| short(py, || convert(py, value)), |_| None)
    }

    fn notify(_: &Arc<Py<PyAny>>, queue: &ProgressQueue, _: &Arc<LoopFuture>, argument: DeferredObject) {
        // The waiting thread runs the call itself. It calls the callback as soon as this step of the call is done.
        queue.push(argument);
    }
}

/// The call runs on our runtime, and an event loop awaits it.
pub(crate) struct Asyncio;

impl CallMode for Asyncio {
    fn run<T: Send + 'static>(
        py: Python<'_>,
        context: &CallContext,
        call: impl Future<Output = Result<T>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let paid = context.paid.clone();
        let call = async move {
            let result = guarded(call, paid).await;
            let result: DeferredObject = Box::new(move |py| match result {
                Ok(value) => convert(py, value),
                Err(error) => Err(raise(py, &error)),
            });
            result
        };
        let (paid, take_back) = (context.paid.clone(), context.take_back.clone());
        asyncio_bridge::coroutine(py, context.future.clone(), paid, take_back, Box::pin(call))
    }

    fn notify(callback: &Arc<Py<PyAny>>, _: &ProgressQueue, future: &Arc<LoopFuture>, argument: DeferredObject) {
        future.notify(callback, argument);
    }
}

/// What a callback or a signal raised, with what is known of paid tasks.
pub(crate) fn noted<T>(py: Python<'_>, ended: PyResult<T>, paid: Option<&PaidCall>) -> PyResult<T> {
    ended.inspect_err(|error| {
        if let Some(paid) = paid {
            paid.note(py, error.value(py), None);
        }
    })
}

/// An error about the arguments of a method, with the task that the method is about.
pub(crate) fn naming<T>(py: Python<'_>, result: PyResult<T>, task_id: Option<&str>) -> PyResult<T> {
    result.inspect_err(|error| {
        let error = error.value(py);
        // Those of the call itself have it.
        let named = short(py, || error.hasattr(intern!(py, "task_id")));
        if named.is_ok_and(|named| !named)
            && let Some(paid) = PaidCall::about(task_id)
        {
            paid.note(py, error, None);
        }
    })
}

/// The end of a blocking call: its result, its error, or what else ended it, with what is known of paid tasks.
///
/// Behind the call Python would raise a signal that came with the result, where nobody has the result yet. `lost` is the id in a
/// result that is not given.
pub(crate) fn finish<T, R>(
    py: Python<'_>,
    ended: PyResult<Result<T>>,
    paid: Option<&PaidCall>,
    convert: impl FnOnce(T) -> PyResult<R>,
    lost: impl FnOnce(&R) -> Option<String>,
) -> PyResult<R> {
    let (error, id) = match ended {
        Err(error) => (error, None),
        Ok(Err(error)) => match exception(py, &error) {
            Err(signal) => (signal, None),
            Ok(own) => match look_around(py) {
                // It says itself what is known of tasks.
                Ok(()) => return Err(PyErr::from_value(own)),
                Err(signal) => {
                    signal.set_cause(py, Some(PyErr::from_value(own)));
                    (signal, None)
                }
            },
        },
        Ok(Ok(value)) => match convert(value) {
            Err(error) => (error, None),
            Ok(result) => match look_around(py) {
                Ok(()) => return Ok(result),
                Err(signal) => (signal, lost(&result)),
            },
        },
    };
    if let Some(paid) = paid {
        paid.note(py, error.value(py), id);
    }
    Err(error)
}

/// What lives from call to call stays with the process that made it: resuming it in a child of `fork()` as well would
/// create the rest of `generate_many` twice.
pub(crate) fn of_this_process<T>(guard: &ForkGuard<T>) -> PyResult<&T> {
    let inherited =
        || PyRuntimeError::new_err("this object was made before fork() and belongs to the parent: make a new one");
    guard.get().ok_or_else(inherited)
}
