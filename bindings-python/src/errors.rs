//! The core's error record as a Python exception.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::interpreter::short;
use crate::json::json_to_python;

/// The exception for this error. `_errors.py` has the table of classes by kind.
pub(crate) fn raise(py: Python<'_>, error: &junfeiai::Error) -> PyErr {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || {
        let make = MAKE.get_or_try_init(py, || {
            let module = py.import(intern!(py, "junfeiai._errors"))?;
            module.getattr(intern!(py, "from_record")).map(Bound::unbind)
        })?;
        let record = json_to_python(py, &error.to_json())?;
        make.bind(py).call1((record,))
    };
    match short(py, make) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// Every kind of the core as `(name, number, next_step)`.
pub(crate) fn kinds() -> Vec<(&'static str, u16, &'static str)> {
    junfeiai::ErrorKind::ALL.iter().map(|kind| (kind.name(), kind.number(), kind.next_step())).collect()
}
