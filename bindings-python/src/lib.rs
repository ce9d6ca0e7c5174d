//! The Python face of `junfeiai`: it converts, waits and hands on, and decides nothing.
//!
//! ```text
//! classes    signatures and documentation, once for both faces
//! calls      each call of the core, once for both faces
//! face       blocking (lane) or asyncio (bridge, mailbox, courier, runtime)
//! paid       ids of paid tasks, for those who leave a call before its end
//! convert, values, errors, log
//! interpreter   who may run Python code while the interpreter is being taken down
//! ```
#![deny(unsafe_code)] // but for one call in `interpreter`

mod bridge;
mod calls;
mod classes;
mod convert;
mod courier;
mod errors;
mod face;
mod interpreter;
mod lane;
mod log;
#[cfg(unix)]
mod mailbox;
mod paid;
mod reader;
mod runtime;
mod values;

use pyo3::prelude::*;

/// Called at the interpreter's end, before it is taken down.
#[pyfunction]
fn _shutdown(py: Python<'_>) {
    runtime::shutdown(py);
}

/// For the command: no further create request of this process leaves; those in flight run to their end.
#[pyfunction]
fn _stop_creates() {
    paid::stop_all();
}

/// The native part of junfeiai. Import names from ``junfeiai``.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    log::install();
    module.add("__version__", junfeiai::VERSION)?;
    module.add("ERROR_KINDS", errors::kinds())?;
    module.add_function(wrap_pyfunction!(_shutdown, module)?)?;
    module.add_function(wrap_pyfunction!(_stop_creates, module)?)?;
    module.add_function(wrap_pyfunction!(calls::_panic, module)?)?;
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
    module.add_class::<classes::Outcome>()?;
    module.add_class::<classes::AsyncOutcome>()?;
    module.add_class::<values::Pending>()?;
    module.add_class::<values::Saved>()?;
    module.add_class::<values::Balance>()?;
    module.add_class::<values::CheckStep>()?;
    module.add_class::<values::EntryCheck>()?;
    module.add_class::<values::CheckReport>()?;
    module.py().import("atexit")?.call_method1("register", (module.getattr("_shutdown")?,))?;
    Ok(())
}
