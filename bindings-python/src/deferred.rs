//! Work that is prepared in any thread and done later by one that holds the GIL.

use pyo3::prelude::*;

/// A result of the core that becomes a Python object in the thread of its caller.
pub(crate) type DeferredObject = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;
/// What an event loop calls in its thread.
pub(crate) type LoopCallback = Box<dyn FnOnce(Python<'_>) -> PyResult<()> + Send>;
