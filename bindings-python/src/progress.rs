//! Progress of a blocking call, on its way to the caller's callback.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;

use crate::deferred::DeferredObject;
use crate::interpreter::{call, short};

/// Arguments that the callback has not been called with yet.
#[derive(Clone, Default)]
pub(crate) struct ProgressQueue(Arc<Mutex<VecDeque<DeferredObject>>>);

impl ProgressQueue {
    pub(crate) fn push(&self, argument: DeferredObject) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(argument);
    }

    fn pop(&self) -> Option<DeferredObject> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// A callback and the queue of its arguments.
pub(crate) struct ProgressCallback<'a> {
    pub(crate) callback: &'a Py<PyAny>,
    pub(crate) queue: &'a ProgressQueue,
}

impl ProgressCallback<'_> {
    /// Calls the callback with everything that is queued.
    pub(crate) fn notify(&self, py: Python<'_>) -> PyResult<()> {
        while let Some(argument) = self.queue.pop() {
            let argument = short(py, || argument(py))?;
            call(self.callback.bind(py), (argument,))?;
        }
        Ok(())
    }
}
