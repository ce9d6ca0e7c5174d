//! The Python binding of `junfeiai`: it converts arguments and results and waits; it decides nothing.
//!
//! Arrows point down only: a file uses those below it.
//!
//! ```text
//! shutdown            what the interpreter's end does
//! classes             signatures and documentation, once for both call modes
//! calls               each call of the core, once for both call modes
//! iterators, reader   what lives from call to call
//! call_mode           blocking or asyncio
//!   asyncio_bridge      a call as an awaitable
//!     event_loop          what is known of an event loop without the GIL: its queue, whether it was closed
//!     loop_queue          callbacks for an event loop, queued without the GIL
//!     runtime             the tokio runtime of asyncio calls
//!   blocking_runtime    a call on the thread of its caller
//!     progress            progress on its way to the callback
//! paid_calls          ids of paid tasks, for calls that end early
//! gil_thread          the one thread of ours that asks for the GIL
//! log                 `tracing` to `logging`
//! values, convert     results and arguments
//! errors, json        the core's errors and JSON as Python objects
//! deferred            work that is prepared without the GIL
//! interpreter         who may run Python code while the interpreter is being taken down
//! ```
#![deny(unsafe_code)] // but for one call in `interpreter`

mod asyncio_bridge;
mod blocking_runtime;
mod call_mode;
mod calls;
mod classes;
mod convert;
mod deferred;
mod errors;
mod event_loop;
mod gil_thread;
mod interpreter;
mod iterators;
mod json;
mod log;
#[cfg(unix)]
mod loop_queue;
mod paid_calls;
mod parameter_kind;
mod progress;
mod range_response;
mod reader;
mod runtime;
mod shutdown;
mod signatures;
mod values;

use pyo3::prelude::*;
use pyo3::types::PyDict;

use call_mode::{Asyncio, Blocking};

/// Called by `atexit`, before the interpreter is taken down.
#[pyfunction]
fn _shutdown(py: Python<'_>) {
    shutdown::shutdown(py);
}

/// For the command: stops the create requests of this process that were not sent yet; those in flight complete.
#[pyfunction]
fn _stop_create_requests() {
    paid_calls::stop_all();
}

/// For the command: status, begin and end of the answer to a player that sends this `Range` header for a file of this length.
#[pyfunction]
fn _range_of(header: Option<&str>, length: u64) -> (u16, u64, u64) {
    let (status, place) = junfeiai::protocol::RangeRequest::read(header).answer(length);
    (status, place.start, place.end)
}

/// For the tests: a call that creates a task and panics.
#[pyfunction]
fn _panic(py: Python<'_>, videos: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    match videos.cast::<classes::Videos>() {
        Ok(videos) => calls::panic::<Blocking>(py, &videos.get().client),
        Err(_) => calls::panic::<Asyncio>(py, &videos.cast::<classes::AsyncVideos>()?.get().client),
    }
}

/// Facts of the build for `junfeiai --version`: `target`, `compiler`, and `commit` where the build was told it.
fn build(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let facts = PyDict::new(py);
    for (name, fact) in [
        ("target", env!("JUNFEIAI_BUILD_TARGET")),
        ("compiler", env!("JUNFEIAI_BUILD_COMPILER")),
        ("commit", env!("JUNFEIAI_BUILD_COMMIT")),
    ] {
        if !fact.is_empty() {
            facts.set_item(name, fact)?;
        }
    }
    Ok(facts)
}

/// The native part of junfeiai. Import names from ``junfeiai``.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    log::install();
    module.add("__version__", junfeiai::VERSION)?;
    module.add("ERROR_KINDS", errors::kinds())?;
    module.add("BUILD", build(module.py())?)?;
    module.add("DEFAULT_MODEL", junfeiai::VideoRequest::new("").model)?;
    module.add_function(wrap_pyfunction!(_shutdown, module)?)?;
    module.add_function(wrap_pyfunction!(_stop_create_requests, module)?)?;
    module.add_function(wrap_pyfunction!(_range_of, module)?)?;
    module.add_function(wrap_pyfunction!(_panic, module)?)?;
    module.add_class::<classes::Client>()?;
    module.add_class::<classes::Videos>()?;
    module.add_class::<classes::Task>()?;
    module.add_class::<classes::Video>()?;
    module.add_class::<classes::AsyncClient>()?;
    module.add_class::<classes::AsyncVideos>()?;
    module.add_class::<classes::AsyncTask>()?;
    module.add_class::<classes::AsyncVideo>()?;
    module.add_class::<values::Summary>()?;
    module.add_class::<values::SaveProgress>()?;
    module.add_class::<values::TaskWarning>()?;
    module.add_class::<reader::AsyncVideoReader>()?;
    module.add_class::<range_response::RangeResponse>()?;
    module.add_class::<range_response::AsyncRangeResponse>()?;
    module.add_class::<classes::Outcome>()?;
    module.add_class::<classes::AsyncOutcome>()?;
    module.add_class::<classes::Advanced>()?;
    module.add_class::<classes::AsyncAdvanced>()?;
    module.add_class::<values::Pending>()?;
    module.add_class::<values::Reconciliation>()?;
    module.add_class::<values::Settled>()?;
    module.add_class::<values::KeyRecord>()?;
    module.add_class::<values::Spending>()?;
    module.add_class::<values::Saved>()?;
    module.add_class::<values::Balance>()?;
    module.add_class::<values::Estimate>()?;
    module.add_class::<values::CheckStep>()?;
    module.add_class::<values::EntryCheck>()?;
    module.add_class::<values::CheckReport>()?;
    module.py().import("atexit")?.call_method1("register", (module.getattr("_shutdown")?,))?;
    Ok(())
}
