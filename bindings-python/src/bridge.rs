//! A call of the core as an awaitable of the running event loop.
//!
//! ```text
//! method() ─▶ coroutine ─await▶ start: asyncio.Future + task on our runtime
//!                                 │ done      ─▶ mailbox of the loop ─▶ future.set_result
//!                                 │ progress  ─▶ mailbox of the loop ─▶ the callback
//!                                 └ cancelled ◀─ the future's own done callback
//! ```
//!
//! Nothing begins before the await, as with every coroutine. Each call belongs to the loop that awaits it, so one client
//! serves any number of loops. A loop without a mailbox gets the same by the courier. `asyncio` is imported by the first
//! await, where it has been imported long since.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::task::AbortHandle;

use crate::interpreter::{call, detach, short};
#[cfg(unix)]
use crate::mailbox;
use crate::paid::{Paid, stop_cancelled};
use crate::{courier, log, runtime};

/// What a call brings; it becomes a Python object on the thread of its loop.
pub(crate) type Output = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;
/// A call that has not begun.
pub(crate) type Call = Pin<Box<dyn Future<Output = Output> + Send>>;

/// How long a cancelled call may take to let go of its file or its lock before the loop goes on without it.
const LET_GO: Duration = Duration::from_millis(250);
const LOOK_AGAIN: Duration = Duration::from_micros(50);

/// Where a call finds its loop and its future, once it was begun.
#[derive(Default)]
pub(crate) struct Link {
    ends: OnceLock<Ends>,
    /// The call itself ended with an error.
    failed: AtomicBool,
}

struct Ends {
    event_loop: Py<PyAny>,
    #[cfg(unix)]
    mailbox: Option<mailbox::Address>,
    future: Py<PyAny>,
}

/// What is done in the thread of a loop.
pub(crate) type Letter = Box<dyn FnOnce(Python<'_>) -> PyResult<()> + Send>;

impl Link {
    /// Has `callback(argument)` called by the loop. If it raises, the call ends with that exception.
    pub(crate) fn tell(self: &Arc<Self>, callback: &Arc<Py<PyAny>>, argument: Output) {
        let callback = callback.clone();
        self.send(move |py, future| {
            // After the end of the call nobody wants to hear of its progress.
            if is_done(py, future)? {
                return Ok(());
            }
            match short(py, || argument(py)).and_then(|argument| call(callback.bind(py), (argument,))) {
                Ok(_) => Ok(()),
                Err(error) => settle(py, future, Err(error)),
            }
        });
    }

    /// Ends the call.
    fn deliver(self: &Arc<Self>, output: Output, paid: Option<Arc<Paid>>) {
        let link = self.clone();
        self.send(move |py, future| {
            let result = short(py, || output(py));
            if !is_done(py, future)? {
                link.failed.store(result.is_err(), Ordering::Relaxed);
                // An iterator has further calls.
                if let Some(paid) = paid.filter(|paid| paid.is_of(&link)) {
                    paid.end();
                }
            }
            settle(py, future, result)
        });
    }

    /// True when the future was cancelled.
    pub(crate) fn is_cancelled(&self, py: Python<'_>) -> bool {
        let cancelled = |ends: &Ends| ends.future.bind(py).call_method0(intern!(py, "cancelled"))?.is_truthy();
        short(py, || self.ends.get().is_some_and(|ends| cancelled(ends).unwrap_or_default()))
    }

    /// What the coroutine is left with when its future was done already: its result, which nobody sees.
    fn lost(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let future = self.ends.get()?.future.bind(py);
        let yes = |name: &str| future.call_method0(name)?.is_truthy();
        if !yes("done").ok()? || yes("cancelled").ok()? || !future.call_method0("exception").ok()?.is_none() {
            return None;
        }
        future.call_method0("result").ok().map(Bound::unbind)
    }

    /// Has something done with the future in the loop's thread. A loop that was closed meanwhile wants nothing any more.
    fn send(self: &Arc<Self>, errand: impl FnOnce(Python<'_>, &Py<PyAny>) -> PyResult<()> + Send + 'static) {
        let link = self.clone();
        let letter: Letter = Box::new(move |py| link.ends.get().map_or(Ok(()), |ends| errand(py, &ends.future)));
        #[cfg(unix)]
        if let Some(mailbox) = self.ends.get().and_then(|ends| ends.mailbox.as_ref()) {
            if let Some(mailbox) = mailbox.upgrade() {
                mailbox.post(letter);
            }
            return;
        }
        let link = self.clone();
        courier::send(move |py| {
            let Some(ends) = link.ends.get() else { return };
            let delivery = Delivery { letter: Mutex::new(Some(letter)) };
            short(py, || {
                let _ = ends.event_loop.bind(py).call_method1(intern!(py, "call_soon_threadsafe"), (delivery,));
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
            // A future takes no StopIteration. The call ends all the same.
            set(error.clone_ref(py)).or_else(|_| {
                let other = PyRuntimeError::new_err("the callback raised StopIteration");
                other.set_cause(py, Some(error));
                set(other)
            })
        }
    })?;
    Ok(())
}

/// A letter that the courier brings.
#[pyclass(frozen, name = "_Delivery")]
struct Delivery {
    letter: Mutex<Option<Letter>>,
}

#[pymethods]
impl Delivery {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let letter = self.letter.lock().unwrap_or_else(PoisonError::into_inner).take();
        letter.map_or(Ok(()), |letter| letter(py))
    }
}

/// The future's done callback: what still runs is not wanted any more.
#[pyclass(frozen, name = "_Canceller")]
struct Canceller {
    task: AbortHandle,
}

#[pymethods]
impl Canceller {
    fn __call__(&self, py: Python<'_>, _future: &Bound<'_, PyAny>) {
        if self.task.is_finished() {
            return;
        }
        // Before anything is dropped: the turn of a create that is dropped would be the next one's.
        stop_cancelled(py);
        self.task.abort();
        detach(py, || {
            // Whoever awaits the cancelled call may save to the same file next.
            let end = Instant::now() + LET_GO;
            while !self.task.is_finished() && Instant::now() < end {
                std::thread::sleep(LOOK_AGAIN);
            }
        });
    }
}

/// What the coroutine calls at its first step: begins the call and gives the future to await.
#[pyclass(frozen, name = "_Start")]
struct Start {
    link: Arc<Link>,
    paid: Option<Arc<Paid>>,
    call: Mutex<Option<Call>>,
}

impl Start {
    fn begin(&self, py: Python<'_>, call: Call) -> PyResult<Py<PyAny>> {
        static ASYNCIO_LOOP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let running = ASYNCIO_LOOP.import(py, "asyncio", "get_running_loop")?;
        let event_loop = running.call0()?;
        let future = event_loop.call_method0(intern!(py, "create_future"))?;
        let ends = Ends {
            #[cfg(unix)]
            mailbox: mailbox::of(&event_loop),
            event_loop: event_loop.unbind(),
            future: future.clone().unbind(),
        };
        let _ = self.link.ends.set(ends);
        log::look_at_level(py);
        let task = runtime::handle()?.spawn(run(self.link.clone(), self.paid.clone(), call));
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

    /// Called when the coroutine ends with an exception, which may be anybody's.
    fn left(&self, py: Python<'_>, error: &Bound<'_, PyAny>) -> PyResult<()> {
        static BASE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let Some(paid) = &self.paid else { return Ok(()) };
        short(py, || {
            // The call's own error says it all.
            let own = BASE.import(py, "junfeiai._errors", "JunFeiAIError")?;
            if !(self.link.failed.load(Ordering::Relaxed) && error.is_instance(own)?) {
                let lost = self.link.lost(py).and_then(|result| {
                    let result = result.bind(py);
                    let id = result.getattr(intern!(py, "task_id")).or_else(|_| result.getattr(intern!(py, "id")));
                    id.ok()?.extract().ok()
                });
                paid.note(py, error, lost);
            }
            PyResult::Ok(())
        })?;
        if paid.is_of(&self.link) {
            paid.end();
        }
        Ok(())
    }
}

async fn run(link: Arc<Link>, paid: Option<Arc<Paid>>, mut call: Call) {
    let output = poll_fn(|cx| {
        let polled = call.as_mut().poll(cx);
        if polled.is_pending() && log::is_waiting() {
            courier::send(log::drain);
        }
        polled
    })
    .await;
    // The call's own things (a file, its lock) are gone before anybody hears of its end.
    drop(call);
    link.deliver(output, paid);
}

/// A coroutine that runs this call when it is awaited.
pub(crate) fn coroutine(py: Python<'_>, link: Arc<Link>, paid: Option<Arc<Paid>>, call: Call) -> PyResult<Py<PyAny>> {
    static WRAP: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    short(py, || {
        let wrap = WRAP.import(py, "junfeiai._aio", "call")?;
        wrap.call1((Start { link, paid, call: Mutex::new(Some(call)) },)).map(Bound::unbind)
    })
}
