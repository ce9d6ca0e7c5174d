//! Work that is prepared in any thread and done later by one that holds the GIL.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

/// A result of the core that becomes a Python object in the thread of its caller.
pub(crate) type DeferredObject = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;

/// Items of an iterator that a step did not give out, because it was cancelled or interrupted; the next step does.
#[derive(Clone, Default)]
pub(crate) struct GivenBack(Arc<Mutex<VecDeque<DeferredObject>>>);

impl GivenBack {
    pub(crate) fn push(&self, item: DeferredObject) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(item);
    }

    pub(crate) fn pop(&self) -> Option<DeferredObject> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Called with a result or an error that nobody took, because its call was cancelled as it came.
pub(crate) type TakeBack = Arc<dyn Fn(PyResult<Py<PyAny>>) + Send + Sync>;
/// What an event loop calls in its thread.
pub(crate) type LoopCallback = Box<dyn FnOnce(Python<'_>) -> PyResult<()> + Send>;
