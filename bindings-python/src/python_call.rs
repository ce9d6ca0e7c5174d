//! Calls of Python code that have Rust code below them.
//!
//! `CPython` up to 3.13 ends a daemon thread by `pthread_exit` as soon as it asks for the GIL of an interpreter that is being
//! taken down; 3.14 lets it sleep. The C library carries `pthread_exit` out by unwinding, and where that meets a Rust function
//! of the C ABI, such as each method of our classes, the process is aborted. So the thread is stopped right behind the
//! Python code, as 3.14 does it: what unwinds drops a guard, and the guard sleeps until the process has ended.
#![allow(unsafe_code)] // `pyo3` has no call that can be unwound through

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

#[cfg(not(windows))]
unsafe extern "C-unwind" {
    #[link_name = "PyObject_Call"]
    fn call_that_may_unwind(
        callable: *mut ffi::PyObject,
        arguments: *mut ffi::PyObject,
        keywords: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}

/// Dropped by nothing but unwinding.
struct SleepForGood;

impl Drop for SleepForGood {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// `callable(*arguments)`. In a thread that the interpreter's end meets in there, this does not return.
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    let arguments = arguments.into_pyobject(py).map_err(Into::into)?;
    #[cfg(windows)]
    return callable.call(arguments, None);
    #[cfg(not(windows))]
    {
        let guard = SleepForGood;
        // SAFETY: both pointers are of living objects, the second of a tuple; the GIL is held. What comes back is an own
        // reference, or NULL with an exception set.
        unsafe {
            let result = call_that_may_unwind(callable.as_ptr(), arguments.as_ptr(), std::ptr::null_mut());
            std::mem::forget(guard);
            Bound::from_owned_ptr_or_err(py, result)
        }
    }
}

/// `object.name(*arguments)`, see [`call`].
pub(crate) fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
) -> PyResult<Bound<'py, PyAny>> {
    call(&object.getattr(name)?, arguments)
}
