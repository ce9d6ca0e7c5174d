//! The tokio runtime of the async client.
//!
//! Blocking calls have no part in it: see [`blocking_runtime`](crate::blocking_runtime).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use junfeiai::fork::PerProcess;
use junfeiai::platform::native::block_sigpipe;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Handle, Runtime};

struct Running {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

static RUNTIME: PerProcess<Result<Running, String>> = PerProcess::new();

/// This process's runtime for asyncio; after `fork()` the child makes its own.
pub(crate) fn handle() -> PyResult<Handle> {
    let start = || {
        tokio::runtime::Builder::new_multi_thread()
            // One: a second is woken for every response, and has nothing to do. What keeps a disk busy is not done here.
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
        // What is spawned on a runtime that was stopped is dropped without a word: whoever awaits it would wait for ever.
        Ok(running) if running.runtime.lock().unwrap_or_else(PoisonError::into_inner).is_none() => Err(
            PyRuntimeError::new_err("the interpreter is ending and AsyncClient starts nothing any more: use Client"),
        ),
        Ok(running) => Ok(running.handle.clone()),
        Err(message) => Err(PyRuntimeError::new_err(message.clone())),
    }
}

/// Drops everything that runs there and waits up to `grace` for it. Called with the GIL released.
pub(crate) fn stop(grace: Duration) {
    if let Some(Ok(running)) = RUNTIME.get() {
        let runtime = running.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_timeout(grace);
        }
    }
}
