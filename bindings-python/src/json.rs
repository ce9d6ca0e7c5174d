//! JSON and Python's own values.

use pyo3::exceptions::{PyException, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict as _, PyBool, PyDict, PyList, PyString};
use serde_json::{Map, Value};

use crate::interpreter::short;

/// A dict as the JSON object that `json.dumps` makes of it; `name` is the argument's.
pub(crate) fn json_object(value: &Bound<'_, PyDict>, name: &str) -> PyResult<Map<String, Value>> {
    let py = value.py();
    let dumps = || {
        // Not escaped: half a letter (a lone surrogate) is refused here, in Python's words.
        let options = [("allow_nan", false), ("ensure_ascii", false)].into_py_dict(py)?;
        py.import(intern!(py, "json"))?.call_method("dumps", (value,), Some(&options))?.extract::<String>()
    };
    let text = short(py, dumps).map_err(|error| {
        if !error.is_instance_of::<PyException>(py) {
            return error;
        }
        let text = format!("argument '{name}': {}", error.value(py));
        if error.is_instance_of::<PyValueError>(py) { PyValueError::new_err(text) } else { PyTypeError::new_err(text) }
    })?;
    serde_json::from_str(&text).map_err(|error| PyValueError::new_err(format!("argument '{name}': {error}")))
}

/// JSON as Python's own values.
pub(crate) fn json_to_python(py: Python<'_>, value: &Value) -> PyResult<Py<PyAny>> {
    Ok(match value {
        Value::Null => py.None(),
        Value::Bool(yes) => PyBool::new(py, *yes).to_owned().into_any().unbind(),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any().unbind(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any().unbind(),
            (None, None) => number.as_f64().into_pyobject(py)?.into_any().unbind(),
        },
        Value::String(text) => PyString::new(py, text).into_any().unbind(),
        Value::Array(items) => {
            let items = items.iter().map(|item| json_to_python(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any().unbind()
        }
        Value::Object(fields) => {
            let dict = PyDict::new(py);
            for (name, value) in fields {
                dict.set_item(name, json_to_python(py, value)?)?;
            }
            dict.into_any().unbind()
        }
    })
}
