//! A call of the core as an awaitable of the running event loop.
//!
//! ```text
//! method() ─▶ coroutine ─await▶ start: asyncio.Future + task on our runtime
//!                                 │ done      ─▶ queue of the loop ─▶ future.set_result
//!                                 │ progress  ─▶ queue of the loop ─▶ the callback
//!                                 └ cancelled ◀─ the future's own done callback
//! ```
//!
//! Nothing starts before the await, as with every coroutine. Each call belongs to the loop that awaits it, so one client
//! serves any number of loops. A loop without a [`LoopQueue`](crate::loop_queue::LoopQueue) is reached through the
//! [`gil_thread`]. `asyncio` is imported by the first await, when the program has imported it already.
//!
//! **Why not `pyo3-async-runtimes`.** Measured beside its 0.30 (`future_into_py` over the same core, release builds, `CPython` 3.11, three
//! rounds each in turn, 2026-11-28): one awaited `get` took 0.70–0.94 of its CPU, a hundred at once 0.70–0.76, 1,000 waiting tasks
//! 0.79–0.89; the latency of one was equal within the noise. After `fork()` a child's first await never ended there (its one runtime
//! belongs to the parent); here it works. It also has no progress callbacks, and does not wait for a cancelled call to release its file.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::task::AbortHandle;

use crate::deferred::{DeferredObject, LoopCallback, TakeBack};
use crate::event_loop::EventLoop;
use crate::interpreter::{call, detach, short};
use crate::paid_calls::{Awaiter, PaidCall, stop_cancelled};
use crate::{gil_thread, log, runtime};

/// A call that has not started.
pub(crate) type Call = Pin<Box<dyn Future<Output = DeferredObject> + Send>>;

/// How long the loop waits for a cancelled call to release its file or its lock.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(250);
const RELEASE_POLL: Duration = Duration::from_micros(50);

/// The asyncio future of a call, which exists once the call was started.
#[derive(Default)]
pub(crate) struct LoopFuture {
    started: OnceLock<Started>,
    /// The call on our runtime.
    task: OnceLock<AbortHandle>,
    /// The call itself ended with an error.
    failed: AtomicBool,
    /// Its coroutine ended, and the call did not.
    abandoned: AtomicBool,
}

struct Started {
    event_loop: Py<PyAny>,
    known: EventLoop,
    future: Py<PyAny>,
    /// The caller's context variables, for its callback.
    context: Py<PyAny>,
}

impl Awaiter for LoopFuture {
    /// A closed loop cancels nothing, and its futures are awaited by nobody.
    fn is_cancelled(&self, py: Python<'_>) -> bool {
        let cancelled = |started: &Started| -> PyResult<bool> {
            Ok(started.future.bind(py).call_method0(intern!(py, "cancelled"))?.is_truthy()?
                || started.event_loop.bind(py).call_method0(intern!(py, "is_closed"))?.is_truthy()?)
        };
        self.abandoned.load(Ordering::Relaxed)
            || short(py, || self.started.get().is_some_and(|started| cancelled(started).unwrap_or_default()))
    }
}

impl LoopFuture {
    /// Has `callback(argument)` called by the loop, in a copy of the context of whoever awaits the call, as `call_soon` does it.
    /// If it raises, the call ends with that exception.
    pub(crate) fn notify(self: &Arc<Self>, callback: &Arc<Py<PyAny>>, argument: DeferredObject) {
        let (this, callback) = (self.clone(), callback.clone());
        self.send(move |py, future| {
            // Progress is not reported after the end of the call.
            if is_done(py, future)? {
                return Ok(());
            }
            let Some(started) = this.started.get() else { return Ok(()) };
            let read = || PyResult::Ok((argument(py)?, started.context.bind(py).getattr(intern!(py, "run"))?));
            match short(py, read).and_then(|(argument, run)| call(&run, (callback.bind(py), argument))) {
                Ok(_) => Ok(()),
                Err(error) => settle(py, future, Err(error)),
            }
        });
    }

    /// Ends the call.
    fn complete(self: &Arc<Self>, result: DeferredObject, paid: Option<Arc<PaidCall>>) {
        let this = self.clone();
        self.send(move |py, future| {
            // What nobody awaits any more is not converted: an iterator gives it out in its next step, a file reads it again.
            if is_done(py, future)? {
                return Ok(());
            }
            let result = short(py, || result(py));
            this.failed.store(result.is_err(), Ordering::Relaxed);
            // An iterator has further calls.
            if let Some(paid) = paid.filter(|paid| paid.is_awaited_by(&this)) {
                paid.end();
            }
            settle(py, future, result)
        });
    }

    /// Ends the call of a coroutine that was closed, also because its loop was: its future is cancelled by nobody.
    fn abandon(&self, py: Python<'_>) {
        let (Some(started), Some(task)) = (self.started.get(), self.task.get()) else { return };
        if is_done(py, &started.future).unwrap_or(true) {
            return;
        }
        self.abandoned.store(true, Ordering::Relaxed);
        abort(py, task);
    }

    /// True when the loop was closed and nobody can cancel the call any more.
    fn is_orphaned(&self) -> bool {
        self.started.get().is_some_and(|started| started.known.is_closed())
    }

    /// The result or the error of a future that was done when its coroutine ended with another error, so that the caller does not
    /// get it.
    fn lost(&self, py: Python<'_>, raised: &Bound<'_, PyAny>) -> Option<PyResult<Py<PyAny>>> {
        let future = self.started.get()?.future.bind(py);
        let yes = |name: &str| future.call_method0(name)?.is_truthy();
        if !yes("done").ok()? || yes("cancelled").ok()? {
            return None;
        }
        let error = future.call_method0("exception").ok()?;
        if error.is_none() {
            return future.call_method0("result").ok().map(|result| Ok(result.unbind()));
        }
        (!error.is(raised)).then(|| Err(PyErr::from_value(error)))
    }

    /// Has something done with the future in the loop's thread; nothing, if the loop was closed meanwhile.
    fn send(self: &Arc<Self>, work: impl FnOnce(Python<'_>, &Py<PyAny>) -> PyResult<()> + Send + 'static) {
        let this = self.clone();
        let callback: LoopCallback =
            Box::new(move |py| this.started.get().map_or(Ok(()), |started| work(py, &started.future)));
        #[cfg(unix)]
        if let Some(queue) = self.started.get().and_then(|started| started.known.queue()) {
            if let Some(queue) = queue.upgrade() {
                queue.push(callback);
            }
            return;
        }
        let this = self.clone();
        gil_thread::send(move |py| {
            let Some(started) = this.started.get() else { return };
            let handle = CallbackHandle { callback: Mutex::new(Some(callback)) };
            short(py, || {
                let _ = started.event_loop.bind(py).call_method1(intern!(py, "call_soon_threadsafe"), (handle,));
            });
        });
    }
}

fn is_done(py: Python<'_>, future: &Py<PyAny>) -> PyResult<bool> {
    short(py, || future.bind(py).call_method0(intern!(py, "done"))?.is_truthy())
}

/// Sets the future's result, unless it was cancelled.
fn settle(py: Python<'_>, future: &Py<PyAny>, result: PyResult<Py<PyAny>>) -> PyResult<()> {
    if is_done(py, future)? {
        return Ok(());
    }
    let future = future.bind(py);
    short(py, || match result {
        Ok(value) => future.call_method1(intern!(py, "set_result"), (value,)),
        Err(error) => {
            let set = |error: PyErr| future.call_method1(intern!(py, "set_exception"), (error.into_value(py),));
            // A future refuses StopIteration; the call has to end nevertheless.
            set(error.clone_ref(py)).or_else(|_| {
                let other = PyRuntimeError::new_err("the callback raised StopIteration");
                other.set_cause(py, Some(error));
                set(other)
            })
        }
    })?;
    Ok(())
}

/// A callback for `call_soon_threadsafe`.
#[pyclass(frozen, name = "_LoopCallback")]
struct CallbackHandle {
    callback: Mutex<Option<LoopCallback>>,
}

#[pymethods]
impl CallbackHandle {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let callback = self.callback.lock().unwrap_or_else(PoisonError::into_inner).take();
        callback.map_or(Ok(()), |callback| callback(py))
    }
}

/// The future's done callback: aborts a call that still runs.
#[pyclass(frozen, name = "_Canceller")]
struct Canceller {
    task: AbortHandle,
}

#[pymethods]
impl Canceller {
    fn __call__(&self, py: Python<'_>, _future: &Bound<'_, PyAny>) {
        abort(py, &self.task);
    }
}

/// Ends a call that still runs, and waits until it has released what it holds.
fn abort(py: Python<'_>, task: &AbortHandle) {
    if task.is_finished() {
        return;
    }
    // Before anything is dropped: the slot of a dropped create request would go to the next one.
    stop_cancelled(py);
    task.abort();
    detach(py, || {
        // Whoever awaits the cancelled call may save to the same file next.
        let end = Instant::now() + RELEASE_TIMEOUT;
        while !task.is_finished() && Instant::now() < end {
            std::thread::sleep(RELEASE_POLL);
        }
    });
}

/// What the coroutine calls at its first step: starts the call and returns the future to await.
#[pyclass(frozen, name = "_Start")]
struct Start {
    future: Arc<LoopFuture>,
    paid: Option<Arc<PaidCall>>,
    take_back: Option<TakeBack>,
    call: Mutex<Option<Call>>,
}

impl Start {
    fn begin(&self, py: Python<'_>, call: Call) -> PyResult<Py<PyAny>> {
        static ASYNCIO_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let running = ASYNCIO_LOOP.import(py, "asyncio", "get_running_loop")?;
        let event_loop = running.call0()?;
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        let started = Started {
            known: EventLoop::of(&event_loop),
            event_loop: event_loop.unbind(),
            future: future.clone().unbind(),
            context: COPY_CONTEXT.import(py, "contextvars", "copy_context")?.call0()?.unbind(),
        };
        let _ = self.future.started.set(started);
        log::read_level(py)?;
        let task = runtime::handle()?.spawn(run(self.future.clone(), self.paid.clone(), call));
        let _ = self.future.task.set(task.abort_handle());
        let canceller = Canceller { task: task.abort_handle() };
        future.call_method1(intern!(py, "add_done_callback"), (Py::new(py, canceller)?,))?;
        Ok(future.unbind())
    }
}

#[pymethods]
impl Start {
    fn __call__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let call = self.call.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(call) = call else { return Err(PyRuntimeError::new_err("this call was awaited already")) };
        short(py, || self.begin(py, call))
    }

    /// Called when the coroutine ends with an exception, which need not be the call's.
    fn left(&self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let noted = self.note(py, error);
        if let Some(take_back) = &self.take_back
            && let Some(result) = short(py, || self.future.lost(py, error))
        {
            take_back(result);
        }
        self.future.abandon(py);
        if let Some(paid) = self.paid.as_ref().filter(|paid| paid.is_awaited_by(&self.future)) {
            paid.end();
        }
        noted
    }
}

impl Start {
    /// Adds what is known of paid tasks to the exception, unless it says so itself.
    fn note(&self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        static BASE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let Some(paid) = &self.paid else { return Ok(()) };
        short(py, || {
            // The call's own error names the task already, and the end of an iterator is none.
            let own = BASE.import(py, "junfeiai._errors", "JunFeiAIError")?;
            let own = error.is_instance(own)? || error.is_instance_of::<PyStopAsyncIteration>();
            if !(self.future.failed.load(Ordering::Relaxed) && own) {
                let lost = self.future.lost(py, error).and_then(|result| {
                    let result = result.ok()?.into_bound(py);
                    let id = result.getattr(intern!(py, "task_id")).or_else(|_| result.getattr(intern!(py, "id")));
                    id.ok()?.extract().ok()
                });
                paid.note(py, error, lost);
            }
            Ok(())
        })
    }
}

async fn run(future: Arc<LoopFuture>, paid: Option<Arc<PaidCall>>, mut call: Call) {
    let result = poll_fn(|cx| {
        // What has left runs to its end, and nothing more is sent. An iterator may be continued by another loop.
        if future.is_orphaned()
            && let Some(paid) = paid.as_ref().filter(|paid| paid.is_awaited_by(&future))
        {
            paid.stop();
        }
        let polled = call.as_mut().poll(cx);
        if polled.is_pending() && log::is_waiting() {
            gil_thread::send(log::drain_quietly);
        }
        polled
    })
    .await;
    // What the call holds (a file, its lock) is released before its end is reported.
    drop(call);
    future.complete(result, paid);
}

/// A coroutine that runs this call when it is awaited.
pub(crate) fn coroutine(
    py: Python<'_>,
    future: Arc<LoopFuture>,
    paid: Option<Arc<PaidCall>>,
    take_back: Option<TakeBack>,
    call: Call,
) -> PyResult<Py<PyAny>> {
    static WRAP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    short(py, || {
        let wrap = WRAP.import(py, "junfeiai._aio", "call")?;
        wrap.call1((Start { future, paid, take_back, call: Mutex::new(Some(call)) },)).map(Bound::unbind)
    })
}

/// A coroutine that returns this value at once.
pub(crate) fn immediate(py: Python<'_>, value: Py<PyAny>) -> PyResult<Py<PyAny>> {
    short(py, || {
        py.import(intern!(py, "junfeiai._aio"))?.call_method1(intern!(py, "immediate"), (value,)).map(Bound::unbind)
    })
}

/// What may be awaited and need not be, and returns nothing.
pub(crate) fn done(py: Python<'_>) -> PyResult<Py<PyAny>> {
    short(py, || py.import(intern!(py, "junfeiai._aio"))?.getattr(intern!(py, "DONE")).map(Bound::unbind))
}

/// The coroutine of a call that opens something, to be awaited or entered.
pub(crate) fn opening(py: Python<'_>, coroutine: Py<PyAny>) -> PyResult<Py<PyAny>> {
    short(py, || {
        py.import(intern!(py, "junfeiai._aio"))?.call_method1(intern!(py, "Opening"), (coroutine,)).map(Bound::unbind)
    })
}
