//! The tokio runtime of the async client, and the interpreter's end.
//!
//! Blocking calls have no part in this runtime: see [`lane`](crate::lane).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use junfeiai::fork::PerProcess;
use junfeiai::platform::native::block_sigpipe;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Handle, Runtime};

use crate::{courier, interpreter, log, paid};

/// How long the interpreter's end waits for what is in flight to let go.
const FAREWELL: Duration = Duration::from_millis(300);

struct Running {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

static RUNTIME: PerProcess<Result<Running, String>> = PerProcess::new();

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

/// Called by `atexit`: what is in flight is dropped, and no thread of ours enters the interpreter any more.
pub(crate) fn shutdown(py: Python<'_>) {
    interpreter::close();
    interpreter::detach(py, || {
        courier::stop();
        if let Some(Ok(running)) = RUNTIME.get() {
            let runtime = running.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(FAREWELL);
            }
        }
    });
    paid::report_all(py);
    interpreter::wait_for_the_short(py);
    log::drain(py);
}
