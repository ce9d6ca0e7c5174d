//! The tokio runtime of the async client, and who may enter the interpreter while it ends.
//!
//! Blocking calls have no part in this runtime: see [`lane`](crate::lane).
//!
//! A thread that asks for the GIL of an interpreter that is being taken down does not come back from there, see
//! [`python_call`](crate::python_call). So whoever has Rust code below looks first, and sleeps when the end has begun.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use junfeiai::platform::PerProcess;
use junfeiai::platform::native::block_sigpipe;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Handle, Runtime};

/// How long the interpreter's end waits for what is in flight to let go.
const FAREWELL: Duration = Duration::from_millis(300);
/// How long the interpreter's end waits for threads that are about to take the GIL.
const ENTERING_MOST: Duration = Duration::from_secs(5);

struct Running {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

static RUNTIME: PerProcess<Result<Running, String>> = PerProcess::new();
/// The thread that ends the interpreter, once it does.
static CLOSING: OnceLock<ThreadId> = OnceLock::new();

/// This process's runtime for asyncio; after `fork()` the child makes its own.
pub(crate) fn handle() -> PyResult<Handle> {
    let start = || {
        tokio::runtime::Builder::new_multi_thread()
            // One: a second is woken for every answer, and has nothing to do. What keeps a disk busy is not done here.
            .worker_threads(1)
            .thread_name("junfeiai")
            // These threads run nothing of the program's, and it may want SIGPIPE for its own pipes.
            .on_thread_start(block_sigpipe)
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
    crate::paid::report_all(py);
    wait_for_the_entering(py);
}

/// Threads that are about to take the GIL: they looked before the end began, and must not find the interpreter gone.
static ENTERING: PerProcess<AtomicUsize> = PerProcess::new();

fn entering() -> &'static AtomicUsize {
    ENTERING.get_or_init(AtomicUsize::default)
}

/// Waits until whoever looked before the end began has the GIL. From then on each stops where it leaves it.
fn wait_for_the_entering(py: Python<'_>) {
    let begun = Instant::now();
    while entering().load(Ordering::SeqCst) > 0 && begun.elapsed() < ENTERING_MOST {
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
    }
}

/// Lets a thread go on only while the interpreter is not being taken down; otherwise it sleeps until the process ends.
/// Called without the GIL, which the thread then takes; it counts as entering until it has it.
fn enter_or_stay_out() {
    entering().fetch_add(1, Ordering::SeqCst);
    if !may_attach() {
        has_entered();
        loop {
            std::thread::park();
        }
    }
}

fn has_entered() {
    entering().fetch_sub(1, Ordering::SeqCst);
}

/// Shows that this thread runs Python code with Rust code below it, or is about to.
pub(crate) struct Inside(());

impl Inside {
    /// For a thread that was attached by Python.
    pub(crate) fn enter(py: Python<'_>) -> Self {
        let inside = Self(());
        inside.stay_out_at_the_end(py);
        inside
    }

    /// Attaches a thread of ours. `None` when the interpreter ends.
    pub(crate) fn attach<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
        entering().fetch_add(1, Ordering::SeqCst);
        if !may_attach() {
            has_entered();
            return None;
        }
        Python::try_attach(|py| {
            has_entered();
            work(py)
        })
    }

    /// Runs something without the GIL.
    #[allow(clippy::unused_self)] // whoever has it has looked whether the interpreter ends
    pub(crate) fn detach<T: Send>(&self, py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
        let result = py.detach(|| {
            /// However the work ends, and before the GIL is asked for.
            struct Back;
            impl Drop for Back {
                fn drop(&mut self) {
                    enter_or_stay_out();
                }
            }
            let _back = Back;
            work()
        });
        has_entered();
        result
    }

    /// To be called after Python code that may have taken its time: when the interpreter ends, this does not return.
    pub(crate) fn stay_out_at_the_end(&self, py: Python<'_>) {
        if !may_attach() {
            self.detach(py, || {});
        }
    }
}
