//! The core's error record as a Python exception.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::interpreter::short;
use crate::json::json_to_python;

/// The exception for this error. `_errors.py` has the table of classes by kind.
///
/// # Errors
/// What a signal raises meanwhile, such as `KeyboardInterrupt`: the exception for this error is its cause.
pub(crate) fn exception<'py>(py: Python<'py>, error: &junfeiai::Error) -> PyResult<Bound<'py, PyAny>> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || {
        let make = MAKE.get_or_try_init(py, || {
            let module = py.import(intern!(py, "junfeiai._errors"))?;
            module.getattr(intern!(py, "from_record")).map(Bound::unbind)
        })?;
        let record = json_to_python(py, &error.to_json())?;
        make.bind(py).call1((record,))
    };
    let interrupted = |signal: PyErr| {
        if let Ok(own) = short(py, make) {
            signal.set_cause(py, Some(PyErr::from_value(own)));
        }
        signal
    };
    // Python code handles a signal first: it would take the place of what is known of a paid task.
    short(py, || py.check_signals()).map_err(interrupted)?;
    short(py, make).map_err(interrupted)
}

/// The exception for this error, or what a signal raised.
pub(crate) fn raise(py: Python<'_>, error: &junfeiai::Error) -> PyErr {
    exception(py, error).map_or_else(|signal| signal, PyErr::from_value)
}

/// Every kind of the core as `(name, number, next_step)`.
pub(crate) fn kinds() -> Vec<(&'static str, u16, &'static str)> {
    junfeiai::ErrorKind::ALL.iter().map(|kind| (kind.name(), kind.number(), kind.next_step())).collect()
}
