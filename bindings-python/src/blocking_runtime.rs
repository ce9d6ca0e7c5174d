//! A pool of runtimes of one thread each: a blocking call runs on the thread of its caller.
//!
//! ```text
//! call ─▶ takes a runtime ─▶ drives the call, its sockets and timers, the GIL released ─▶ puts the runtime back
//!                              ▲          │ every 50 ms, and when there is progress to report
//!                              └──────────┴─ the GIL: Ctrl-C, log lines, callbacks
//! ```
//!
//! No other thread takes part: a call costs no wake-up and no thread switch, and a thread that writes a file, or whose
//! callback is slow, holds up nobody else. Each runtime has its own connections. The one put back last is taken first, so a
//! program of one thread has one, and its connections are reused from call to call.
//!
//! A plain `Runtime::block_on` with the GIL released costs the same (0.93–1.05 of its CPU, 3,000 calls of `get` in three rounds,
//! 2026-11-28), but Ctrl-C waits there until the call ends.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use junfeiai::fork::{PerProcess, Pid};
use junfeiai::platform::native::without_sigpipe;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Sleep;

use crate::interpreter::{detach, may_attach, short};
use crate::log;
use crate::progress::ProgressCallback;

/// How often a waiting thread checks for Ctrl-C and hands on log lines.
const TICK: Duration = Duration::from_millis(50);
/// Idle runtimes that are kept for the next calls, and for how long.
const MAX_IDLE: usize = 32;
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A runtime that the waiting thread drives.
struct BlockingRuntime {
    /// Always there; an option so that `drop` can take it.
    runtime: Option<Runtime>,
    /// One timer for all the ticks of all calls: setting one up for each call would wake the runtime for nothing.
    tick: Mutex<Option<Pin<Box<Sleep>>>>,
    process: Pid,
}

struct Idle {
    runtime: Arc<BlockingRuntime>,
    since: Instant,
}

static IDLE: PerProcess<Mutex<VecDeque<Idle>>> = PerProcess::new();

fn idle() -> MutexGuard<'static, VecDeque<Idle>> {
    IDLE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

impl BlockingRuntime {
    fn take() -> PyResult<Arc<Self>> {
        let kept = idle().pop_back();
        if let Some(kept) = kept {
            return Ok(kept.runtime);
        }
        let runtime = Builder::new_current_thread().thread_name("junfeiai").enable_all().build();
        let runtime =
            runtime.map_err(|error| PyRuntimeError::new_err(format!("the runtime cannot be started: {error}")))?;
        Ok(Arc::new(Self { runtime: Some(runtime), tick: Mutex::default(), process: Pid::current() }))
    }

    fn put_back(self: Arc<Self>) {
        let now = Instant::now();
        let mut old = Vec::new();
        let mut idle = idle();
        while idle.len() >= MAX_IDLE || idle.front().is_some_and(|kept| now.duration_since(kept.since) > IDLE_TIMEOUT) {
            old.extend(idle.pop_front());
        }
        idle.push_back(Idle { runtime: self, since: now });
        drop(idle);
        // After the lock is released: closing their connections must not hold up other calls.
        drop(old);
    }

    /// Puts back a runtime whose call was dropped: its connection is closed now, not with the next call.
    fn put_back_unfinished(self: Arc<Self>) {
        if self.settle() {
            self.put_back();
        }
    }

    /// Runs what its connections have left to do. False where that is not possible.
    fn settle(&self) -> bool {
        if !self.process.is_current() || Handle::try_current().is_ok() {
            return false;
        }
        if let Some(runtime) = &self.runtime {
            without_sigpipe(|| {
                runtime.block_on(async {
                    tokio::task::yield_now().await;
                    tokio::task::yield_now().await;
                });
            });
        }
        true
    }

    /// Runs the call until it is done, or until `pause` or the clock asks to run Python code.
    fn drive<T>(
        &self,
        mut call: Pin<&mut (dyn Future<Output = T> + Send + '_)>,
        pause: impl Fn() -> bool,
    ) -> Option<T> {
        let runtime = self.runtime.as_ref()?;
        // Python's own disposition of SIGPIPE is left as it is, and its callbacks run with the mask that it chose.
        without_sigpipe(|| {
            runtime.block_on(async {
                // First what happened since the last call: a connection became free, or the server closed it.
                tokio::task::yield_now().await;
                let mut kept = self.tick.try_lock().ok();
                let mut own = None;
                let tick = kept.as_deref_mut().unwrap_or(&mut own);
                let mut tick = tick.get_or_insert_with(|| Box::pin(tokio::time::sleep(TICK))).as_mut();
                if tick.is_elapsed() {
                    tick.as_mut().reset(tokio::time::Instant::now() + TICK);
                }
                poll_fn(|cx| {
                    // The clock first: a call that is always ready must not starve it.
                    if tick.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    match call.as_mut().poll(cx) {
                        Poll::Ready(output) => Poll::Ready(Some(output)),
                        Poll::Pending if pause() => Poll::Ready(None),
                        Poll::Pending => Poll::Pending,
                    }
                })
                .await
            })
        })
    }
}

impl Drop for BlockingRuntime {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if self.process.is_current() {
            // Without waiting for a DNS lookup that hangs.
            without_sigpipe(|| runtime.shutdown_background());
        } else {
            // After a fork this is the parent's: dropping it would take the sockets off the epoll list that both share.
            std::mem::forget(runtime);
            std::mem::forget(std::mem::take(&mut self.tick));
        }
    }
}

/// Closes the connections of a dropped client: without a further call, nothing else drives these runtimes.
pub(crate) fn close_idle_connections() {
    let mut kept = std::mem::take(&mut *idle());
    for one in &kept {
        one.runtime.settle();
    }
    let mut idle = idle();
    while let Some(one) = kept.pop_back() {
        idle.push_front(one);
    }
}

/// The runtime of something that lives longer than one call, a file or an iterator, and has its connection there.
#[derive(Clone, Default)]
pub(crate) struct PinnedRuntime(Arc<PinnedSlot>);

#[derive(Default)]
struct PinnedSlot(Mutex<Option<Arc<BlockingRuntime>>>);

impl PinnedRuntime {
    fn get(&self) -> PyResult<Arc<BlockingRuntime>> {
        let mut slot = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Some(runtime) if runtime.process.is_current() => Ok(runtime.clone()),
            _ => Ok(slot.insert(BlockingRuntime::take()?).clone()),
        }
    }
}

impl Drop for PinnedSlot {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            runtime.put_back_unfinished();
        }
    }
}

/// The runtime of one call, put back at its end.
struct RuntimeLease<'a> {
    runtime: Option<Arc<BlockingRuntime>>,
    pinned: Option<&'a PinnedRuntime>,
    finished: bool,
}

impl Drop for RuntimeLease<'_> {
    fn drop(&mut self) {
        match self.runtime.take() {
            Some(runtime) if self.pinned.is_none() && self.finished => runtime.put_back(),
            Some(runtime) if self.pinned.is_none() => runtime.put_back_unfinished(),
            _ => {}
        }
    }
}

/// Signals, what another thread has set for this one, such as the time limit of a job engine (`PyThreadState_SetAsyncExc`), and
/// lines for the log. These last: a handler of `logging` is Python code, in which the others would be raised as well.
pub(crate) fn look_around(py: Python<'_>) -> PyResult<()> {
    static NOTHING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    short(py, || {
        py.check_signals()?;
        // Nothing but Python code has the interpreter raise what another thread has set.
        NOTHING.import(py, "junfeiai._errors", "nothing")?.call0().map(drop)
    })?;
    log::drain(py)
}

/// Runs a call to its end on this thread, on its pinned runtime or on any. Ctrl-C, and an exception in the callback, end it
/// at once.
pub(crate) fn block<T: Send>(
    py: Python<'_>,
    pinned: Option<&PinnedRuntime>,
    progress: Option<&ProgressCallback<'_>>,
    call: Pin<Box<dyn Future<Output = T> + Send + '_>>,
) -> PyResult<T> {
    // Before anything is sent: an image may have been read since Python last looked, which takes as long as its disk, and the
    // first tick may come after the request has left.
    look_around(py)?;
    log::read_level(py)?;
    let runtime = pinned.map_or_else(BlockingRuntime::take, PinnedRuntime::get)?;
    let mut lease = RuntimeLease { runtime: Some(runtime.clone()), pinned, finished: false };
    // Declared after the lease: a call that ends early is dropped before its runtime is put back.
    let mut call = call;
    let queue = progress.map(|progress| progress.queue);
    loop {
        let step = detach(py, || {
            if !may_attach() {
                return None;
            }
            runtime.drive(call.as_mut(), || queue.is_some_and(|queue| !queue.is_empty()))
        });
        if step.is_none() {
            look_around(py)?;
        }
        if let Some(progress) = progress {
            progress.notify(py)?;
        }
        if let Some(output) = step {
            // Whoever called sees to signals: nothing of the result may be lost to them.
            lease.finished = true;
            return Ok(output);
        }
    }
}
