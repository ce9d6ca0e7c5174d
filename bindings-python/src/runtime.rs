//! The tokio runtime of the async client, and who may enter the interpreter while it ends.
//!
//! Blocking calls have no part in this runtime: see [`lane`](crate::lane).

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use junfeiai::platform::PerProcess;
use junfeiai::platform::native::block_sigpipe;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Handle, Runtime};

/// How long the interpreter's end waits for what is in flight to let go.
const FAREWELL: Duration = Duration::from_millis(300);

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
}

/// Keeps a daemon thread out of an interpreter that is being taken down, where entering would kill it in the middle of
/// Rust code. It sleeps until the process ends.
pub(crate) struct StayOut;

impl Drop for StayOut {
    fn drop(&mut self) {
        while !may_attach() {
            std::thread::park();
        }
    }
}
