//! The one tokio runtime of this process, and how a Python thread waits on it.
//!
//! A call is polled on the thread that made it, with the GIL released; the runtime's two threads only turn its sockets
//! and timers. So bytes are written by the caller's own thread, and a callback runs where Python expects it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Thread, ThreadId};
use std::time::{Duration, Instant};

use junfeiai::platform::native::PerProcess;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Handle, Runtime};

use crate::log;

/// How often a waiting thread looks for Ctrl-C and hands on log lines.
const TICK: Duration = Duration::from_millis(50);
/// How long the interpreter's end waits for what is in flight to let go.
const FAREWELL: Duration = Duration::from_millis(300);

struct Running {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

static RUNTIME: PerProcess<Result<Running, String>> = PerProcess::new();
/// The thread that ends the interpreter, once it does.
static CLOSING: OnceLock<ThreadId> = OnceLock::new();

/// This process's runtime; after `fork()` the child makes its own.
pub(crate) fn handle() -> PyResult<Handle> {
    let start = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("junfeiai")
            .enable_all()
            .build()
            .map(|runtime| Running { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
            .map_err(|error| format!("the runtime cannot be started: {error}"))
    };
    match RUNTIME.get_or_init(start) {
        Ok(running) => Ok(running.handle.clone()),
        Err(message) => Err(PyRuntimeError::new_err(message.clone())),
    }
}

/// True while this thread may go back into the interpreter.
pub(crate) fn may_attach() -> bool {
    CLOSING.get().is_none_or(|closer| *closer == std::thread::current().id())
}

/// Called by `atexit`: what is in flight is dropped, and no thread of ours enters the interpreter any more.
pub(crate) fn shutdown(py: Python<'_>) {
    let _ = CLOSING.set(std::thread::current().id());
    py.detach(|| {
        crate::courier::stop();
        if let Some(Ok(running)) = RUNTIME.get() {
            let runtime = running.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(FAREWELL);
            }
        }
    });
}

/// Keeps a daemon thread out of an interpreter that is being taken down, where entering would kill it in the middle of
/// Rust code. It sleeps until the process ends.
struct StayOut;

impl Drop for StayOut {
    fn drop(&mut self) {
        while !may_attach() {
            std::thread::park();
        }
    }
}

struct Alarm {
    thread: Thread,
    rung: AtomicBool,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Where a callback that raised leaves its exception: the call then ends with it.
pub(crate) type Raised = Arc<Mutex<Option<PyErr>>>;

/// Runs a call to its end on this thread. Ctrl-C, and an exception in a callback, end it at once.
pub(crate) fn block<T: Send>(
    py: Python<'_>,
    raised: Option<&Raised>,
    mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>,
) -> PyResult<T> {
    let handle = handle()?;
    log::look_at_level(py);
    let alarm = Arc::new(Alarm { thread: std::thread::current(), rung: AtomicBool::new(true) });
    let waker = Waker::from(alarm.clone());
    let error = || raised.and_then(|raised| raised.lock().unwrap_or_else(PoisonError::into_inner).take());
    loop {
        let step = py.detach(|| {
            let _stay_out = StayOut;
            let _entered = handle.enter();
            let mut cx = Context::from_waker(&waker);
            let end = Instant::now() + TICK;
            loop {
                if !may_attach() {
                    return Ok(None);
                }
                if alarm.rung.swap(false, Ordering::Acquire) {
                    let polled = future.as_mut().poll(&mut cx);
                    if let Some(error) = error() {
                        return Err(error);
                    }
                    if let Poll::Ready(output) = polled {
                        return Ok(Some(output));
                    }
                }
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Ok(None);
                }
                if !alarm.rung.load(Ordering::Acquire) {
                    std::thread::park_timeout(left);
                }
            }
        });
        log::drain(py);
        if let Some(output) = step? {
            return Ok(output);
        }
        py.check_signals()?;
    }
}
