//! Python values to the core's, and back. A wrong type is a `TypeError` that names the argument.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use junfeiai::{Image, Length, Validate, VideoRequest};
use pyo3::exceptions::{PyException, PyOverflowError, PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyMapping, PyMemoryView, PyString};
use serde_json::{Map, Value};

use crate::errors::raise;
use crate::interpreter::{call, detach, short};
use crate::json::json_object;
use crate::parameter_kind::Kind;
use crate::signatures::REQUEST_FIELDS;

/// `int | float | str`: a length in seconds.
pub(crate) struct Seconds(pub(crate) Length);

impl FromPyObject<'_, '_> for Seconds {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(Self(text.to_str()?.into()));
        }
        if let Some(whole) = whole_number(&value)? {
            return Ok(Self(whole.as_str().into()));
        }
        // NumPy's other floats and Decimal, too. A complex number has no `__float__`, a bool is refused.
        let is_number = value.is_instance_of::<PyFloat>() || value.hasattr(intern!(value.py(), "__float__"))?;
        if is_number && !value.is_instance_of::<PyBool>() {
            return Ok(Self(value.extract::<f64>()?.into()));
        }
        Err(wrong_type(&value, "int, float or str"))
    }
}

/// `int | str`: an account's number.
pub(crate) struct AccountNumber(pub(crate) String);

impl FromPyObject<'_, '_> for AccountNumber {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(Self(text.to_str()?.into()));
        }
        whole_number(&value)?.map(Self).ok_or_else(|| wrong_type(&value, "int or str"))
    }
}

/// The digits of an int, or of what can be an index as one, such as `numpy.int64`. A bool is an int for Python, but here it is
/// a mistake.
fn whole_number(value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let py = value.py();
    if value.is_instance_of::<PyBool>() {
        return Ok(None);
    }
    if !value.hasattr(intern!(py, "__index__"))? {
        return Ok(None);
    }
    // Of an int, too: one of a class of its own, such as an enumeration, may have another text than its digits.
    let whole = value.call_method0(intern!(py, "__index__"))?;
    Ok(Some(whole.str()?.to_str()?.to_owned()))
}

/// `str | os.PathLike | bytes | BinaryIO`: a URL, a file or its content.
pub(crate) enum ImageArgument {
    Url(String),
    File(PathBuf),
    Bytes(Vec<u8>),
    /// An open file's `read`.
    Reader(Py<PyAny>),
}

impl FromPyObject<'_, '_> for ImageArgument {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let py = value.py();
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(Self::Url(text.to_str()?.to_owned()));
        }
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.as_bytes().to_vec()));
        }
        if let Ok(bytes) = value.cast::<PyByteArray>() {
            return Ok(Self::Bytes(bytes.to_vec()));
        }
        if value.is_instance_of::<PyMemoryView>() {
            return Ok(Self::Bytes(value.call_method0(intern!(py, "tobytes"))?.cast::<PyBytes>()?.as_bytes().to_vec()));
        }
        if value.hasattr(intern!(py, "__fspath__"))? {
            return Ok(Self::File(value.extract()?));
        }
        match value.getattr_opt(intern!(py, "read"))? {
            Some(read) if is_coroutine_function(&read) => {
                Err(wrong_type(&value, "a file with a plain read(): pass what `await file.read()` returns"))
            }
            Some(read) if read.is_callable() => Ok(Self::Reader(read.unbind())),
            _ => Err(wrong_type(&value, "str (a URL), os.PathLike, bytes or a file opened with mode 'rb'")),
        }
    }
}

impl ImageArgument {
    fn read(self, py: Python<'_>, name: &'static str) -> PyResult<Image> {
        let image = match self {
            Self::Url(url) => return Ok(Image::url(url)),
            Self::Bytes(bytes) => Image::bytes(&bytes),
            Self::File(path) => detach(py, || Image::file(path)),
            Self::Reader(read) => Image::bytes(read_file(read.bind(py), name)?.as_bytes()),
        };
        image.map_err(|error| raise(py, &error.with_field(name)))
    }
}

/// What is left of an open file.
fn read_file<'py>(read: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyBytes>> {
    let content = call(read, ())?;
    content.cast_into::<PyBytes>().map_err(|error| {
        let content = error.into_inner();
        let advice = if content.is_instance_of::<PyString>() {
            "its read() returned str: open it with mode 'rb'".to_owned()
        } else {
            format!("its read() returned {}: pass the bytes", type_name(&content))
        };
        // A coroutine that nobody awaits would be complained of.
        if let Ok(Some(close)) = content.getattr_opt(intern!(content.py(), "close")) {
            let _ = call(&close, ());
        }
        PyTypeError::new_err(format!("argument '{name}': expected a file opened with mode 'rb', but {advice}"))
    })
}

/// An iterable, but none that is a value of its own: a string would be taken for its characters, a file for its lines.
pub(crate) struct Several<T>(pub(crate) Vec<T>);

impl<'py, T: Expected + for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>> FromPyObject<'_, 'py> for Several<T> {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = value.py();
        let is_one = value.is_instance_of::<PyString>()
            || value.is_instance_of::<PyBytes>()
            || value.is_instance_of::<PyByteArray>()
            || value.is_instance_of::<PyMemoryView>()
            || value.cast::<PyMapping>().is_ok()
            || value.hasattr(intern!(py, "read"))?
            || value.hasattr(intern!(py, "__fspath__"))?;
        let refuse = || wrong_type(&value, "a list or another iterable");
        if is_one {
            return Err(refuse());
        }
        let items = value.try_iter().map_err(|_| refuse())?;
        items.map(|item| extracted(&item?)).collect::<PyResult<_>>().map(Self)
    }
}

/// A mapping of strings to strings. An error shows no value: it may be a secret.
pub(crate) struct Headers(pub(crate) Map<String, Value>);

impl FromPyObject<'_, '_> for Headers {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let refuse = |value: &Bound<'_, PyAny>| wrong_type(value, "a mapping of str to str");
        let items = value.cast::<PyMapping>().map_err(|_| refuse(&value))?.items()?;
        let read = |item: Bound<'_, PyAny>| -> PyResult<(String, Value)> {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            let text = |part: &Bound<'_, PyAny>| {
                part.cast::<PyString>().map_err(|_| refuse(part)).and_then(|text| Ok(text.to_str()?.to_owned()))
            };
            Ok((text(&name)?, text(&value)?.into()))
        };
        items.iter().map(read).collect::<PyResult<_>>().map(Self)
    }
}

/// Where a file is saved.
pub(crate) struct SavePath(pub(crate) PathBuf);

impl FromPyObject<'_, '_> for SavePath {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        let (py, expected) = (value.py(), "str or os.PathLike");
        if value.is_instance_of::<PyString>() || value.hasattr(intern!(py, "__fspath__"))? {
            return Ok(Self(value.extract()?));
        }
        if value.hasattr(intern!(py, "write"))? {
            return Err(wrong_type(&value, &format!("{expected}; to write into an open file, use iter_bytes()")));
        }
        Err(wrong_type(&value, expected))
    }
}

/// A callable that is not a coroutine function.
pub(crate) struct Callable(pub(crate) Py<PyAny>);

impl FromPyObject<'_, '_> for Callable {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if !value.is_callable() {
            return Err(wrong_type(&value, "a callable"));
        }
        if is_coroutine_function(&value) {
            let text = "expected a plain function, got a coroutine function: its coroutine would never be awaited";
            return Err(PyTypeError::new_err(text));
        }
        Ok(Self(value.to_owned().unbind()))
    }
}

/// True for an `async def`, or an object or method that calls one.
fn is_coroutine_function(value: &Bound<'_, PyAny>) -> bool {
    /// `inspect.CO_COROUTINE`; the module is slow to import.
    const CO_COROUTINE: i64 = 0x80;
    let flags = |value: &Bound<'_, PyAny>| value.getattr("__code__")?.getattr("co_flags")?.extract::<i64>();
    let (py, mut called) = (value.py(), value.clone());
    // A partial calls what it holds.
    if let Ok(partial) = py.import(intern!(py, "functools")).and_then(|module| module.getattr("partial")) {
        while called.is_instance(&partial).unwrap_or_default()
            && let Ok(function) = called.getattr("func")
        {
            called = function;
        }
    }
    let call = || called.get_type().getattr("__call__");
    flags(&called).or_else(|_| flags(&call()?)).is_ok_and(|flags| flags & CO_COROUTINE != 0)
}

fn wrong_type(value: &Bound<'_, PyAny>, expected: &str) -> PyErr {
    PyTypeError::new_err(format!("expected {expected}, got {}", type_name(value)))
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string())
}

/// What a type is called in the error for a value of another one; empty where its own error says it.
pub(crate) trait Expected {
    const WORDS: &'static str = "";
}

macro_rules! expected {
    ($($type:ty: $words:literal)*) => {
        $(impl Expected for $type {
            const WORDS: &'static str = $words;
        })*
    };
}

expected! {
    String: "str"
    PathBuf: "str or os.PathLike"
    bool: "bool"
    f64: "float"
    i64: "int"
    u64: "int"
    usize: "int"
    Bound<'_, PyDict>: "dict"
}

impl Expected for Seconds {}
impl Expected for AccountNumber {}
impl Expected for ImageArgument {}
impl Expected for Headers {}
impl Expected for SavePath {}
impl Expected for Callable {}
impl<T> Expected for Several<T> {}

/// Reads a value. A wrong type is said in the same words everywhere: `PyO3` has others for each type.
fn extracted<'py, T: Expected + for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>>(
    value: &Bound<'py, PyAny>,
) -> PyResult<T> {
    value.extract().map_err(|error: <T as FromPyObject<'_, 'py>>::Error| {
        let (py, error): (_, PyErr) = (value.py(), error.into());
        let plain = error.get_type(py).is(py.get_type::<PyTypeError>());
        if plain && !T::WORDS.is_empty() { wrong_type(value, T::WORDS) } else { error }
    })
}

/// Reads one argument. An error names it in its message: `PyO3` does so in a note, which Python 3.10 does not have.
pub(crate) fn argument<'py, T: Expected + for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>>(
    value: &Bound<'py, PyAny>,
    name: &str,
) -> PyResult<T> {
    let py = value.py();
    short(py, || extracted(value)).map_err(|error| {
        // Ctrl-C and the end of the program, in the code of an object that was given, say nothing about it.
        if !error.is_instance_of::<PyException>(py) {
            return error;
        }
        let text = format!("argument '{name}': {}", error.value(py));
        if error.is_instance_of::<PyOverflowError>(py) {
            return PyOverflowError::new_err(text);
        }
        let named = PyTypeError::new_err(text);
        if !error.is_instance_of::<PyTypeError>(py) && !error.is_instance_of::<PyValueError>(py) {
            named.set_cause(py, Some(error));
        }
        named
    })
}

/// Arguments by name, taken one by one. `None` counts as not given.
pub(crate) struct Arguments<'py>(Vec<(&'static str, Option<Bound<'py, PyAny>>)>);

impl<'py> Arguments<'py> {
    pub(crate) fn new(given: impl IntoIterator<Item = (&'static str, Option<Bound<'py, PyAny>>)>) -> Self {
        Self(given.into_iter().collect())
    }

    fn given(&mut self, name: &str) -> Option<&mut Option<Bound<'py, PyAny>>> {
        self.0.iter_mut().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(crate) fn take<T: Expected + for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>>(
        &mut self,
        name: &str,
    ) -> PyResult<Option<T>> {
        let value = self.given(name).and_then(Option::take).filter(|value| !value.is_none());
        value.map(|value| argument(&value, name)).transpose()
    }

    /// Takes an int. A bool is one for Python, but here it is a mistake.
    pub(crate) fn int<T: Expected + for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>>(
        &mut self,
        name: &str,
    ) -> PyResult<Option<T>> {
        self.refuse_bool(name, "int")?;
        self.take(name)
    }

    fn refuse_bool(&mut self, name: &str, expected: &str) -> PyResult<()> {
        match self.given(name) {
            Some(Some(value)) if value.is_instance_of::<PyBool>() => {
                Err(PyTypeError::new_err(format!("argument '{name}': expected {expected}, got bool")))
            }
            _ => Ok(()),
        }
    }

    /// Takes options for the core by name and type.
    pub(crate) fn options(&mut self, table: &[(&str, Kind)]) -> PyResult<Map<String, Value>> {
        let mut options = Map::new();
        for (name, kind) in table {
            let value: Value = match kind {
                Kind::Text => self.take::<String>(name)?.into(),
                Kind::Texts => self.take::<Several<String>>(name)?.map(|texts| texts.0).into(),
                Kind::Headers => self.take::<Headers>(name)?.map(|headers| headers.0).into(),
                Kind::Path => self.take::<PathBuf>(name)?.map(|path| text(&path, name)).transpose()?.into(),
                Kind::Int => self.int::<i64>(name)?.into(),
                Kind::Number => {
                    self.refuse_bool(name, "float")?;
                    number(self.take::<f64>(name)?, name)?
                }
                Kind::Bool => self.take::<bool>(name)?.into(),
            };
            if !value.is_null() {
                options.insert((*name).to_owned(), value);
            }
        }
        Ok(options)
    }
}

/// Takes the arguments that describe a video.
pub(crate) fn request(py: Python<'_>, arguments: &mut Arguments<'_>) -> PyResult<VideoRequest> {
    let mut request = VideoRequest::new(arguments.take::<String>("prompt")?.unwrap_or_default());
    if let Some(model) = arguments.take::<String>("model")? {
        request = request.model(model);
    }
    request.seconds = arguments.take::<Seconds>("seconds")?.map(|seconds| seconds.0);
    request.duration = arguments.take::<Seconds>("duration")?.map(|seconds| seconds.0);
    request.size = arguments.take("size")?;
    let image = arguments.take::<ImageArgument>("image")?;
    let images = arguments.take::<Several<ImageArgument>>("images")?.map_or_else(Vec::new, |images| images.0);
    if let Some(extra) = arguments.take::<Bound<'_, PyDict>>("extra")? {
        request.extra = json_object(&extra, "extra")?;
    }
    request.key = arguments.take("key")?;
    request.retry_failed = arguments.take("retry_failed")?.unwrap_or_default();
    if let Some(validate) = arguments.take::<String>("validate")? {
        let read = Validate::from_name(&validate);
        let refuse = || PyValueError::new_err("argument 'validate': it is \"strict\", \"default\" or \"off\"");
        request = request.validate(read.ok_or_else(refuse)?);
    }
    // Files are read last, when everything else is valid.
    request.image = image.map(|image| image.read(py, "image")).transpose()?;
    for image in images {
        request.images.push(image.read(py, "images")?);
    }
    Ok(request)
}

/// One request of several: a prompt, or a mapping with the arguments of `create`.
fn request_item(value: &Bound<'_, PyAny>) -> PyResult<VideoRequest> {
    if value.is_instance_of::<PyString>() {
        return argument::<String>(value, "prompt").map(VideoRequest::new);
    }
    let Ok(fields) = value.cast::<PyMapping>() else {
        return Err(wrong_type(value, "str (a prompt) or a mapping with the arguments of create()"));
    };
    let copy = PyDict::new(value.py());
    short(value.py(), || copy.update(fields))?;
    for name in copy.keys() {
        let Ok(name) = name.cast::<PyString>() else { return Err(wrong_type(&name, "str as the name of an argument")) };
        let name = name.to_string_lossy();
        if !REQUEST_FIELDS.contains(&name.as_ref()) {
            // `timeout` is one of create(), and none of a request.
            return Err(PyTypeError::new_err(format!("unexpected keyword argument '{name}' of a request")));
        }
    }
    let given: PyResult<Vec<_>> = REQUEST_FIELDS.iter().map(|name| Ok((*name, copy.get_item(name)?))).collect();
    request(value.py(), &mut Arguments::new(given?))
}

/// Several requests. A mapping is refused: iterating it would take the field names of one request for prompts.
pub(crate) fn requests(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<VideoRequest>> {
    let py = value.py();
    let refuse = |advice: &str| {
        let text = wrong_type(value, "an iterable of prompts and mappings").value(py).to_string();
        PyTypeError::new_err(format!("argument '{name}': {text}{advice}"))
    };
    if value.is_instance_of::<PyBytes>() || value.cast::<PyMapping>().is_ok() {
        return Err(refuse(""));
    }
    // Iterating a table of pandas would take the names of its columns for prompts.
    if short(py, || value.hasattr(intern!(py, "itertuples")))? {
        return Err(refuse(": pass its to_dict(\"records\")"));
    }
    let named = |index: usize, error: PyErr| {
        let class = error.get_type(py);
        let plain = class.is(py.get_type::<PyTypeError>())
            || class.is(py.get_type::<PyValueError>())
            || class.is(py.get_type::<PyOverflowError>());
        if !plain {
            return error;
        }
        let named = PyErr::from_type(class, format!("{name}[{index}]: {}", error.value(py)));
        named.set_cause(py, error.cause(py));
        named
    };
    let items = several(value, name)?;
    items.iter().enumerate().map(|(index, item)| request_item(item).map_err(|error| named(index, error))).collect()
}

/// A dict as JSON.
pub(crate) fn json_argument(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Map<String, Value>> {
    if let Ok(dict) = value.cast::<PyDict>() {
        return json_object(dict, name);
    }
    let text = wrong_type(value, "dict").value(value.py()).to_string();
    Err(PyTypeError::new_err(format!("argument '{name}': {text}")))
}

/// Several strings.
pub(crate) fn texts(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Vec<String>> {
    several(value, name)?.iter().map(|text| argument(text, name)).collect()
}

/// The items of an iterable. A string is one too, but here it is a mistake.
fn several<'py>(value: &Bound<'py, PyAny>, name: &str) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let error = || {
        let text = wrong_type(value, "an iterable").value(value.py()).to_string();
        PyTypeError::new_err(format!("argument '{name}': {text}"))
    };
    if value.is_instance_of::<PyString>() {
        return Err(error());
    }
    short(value.py(), || value.try_iter().map_err(|_| error())?.collect())
}

/// A path for the core's options, which are text: a name that is not UTF-8 would become another name.
fn text(path: &Path, name: &str) -> PyResult<String> {
    let refuse = || PyValueError::new_err(format!("argument '{name}': the path is not valid UTF-8: use another name"));
    path.to_str().map(str::to_owned).ok_or_else(refuse)
}

/// A number for the core's options; JSON has no infinity, the core takes the largest number for it.
fn number(value: Option<f64>, name: &str) -> PyResult<Value> {
    match value {
        None => Ok(Value::Null),
        Some(value) if value.is_nan() => Err(PyValueError::new_err(format!("argument '{name}': nan is not a number"))),
        Some(value) => Ok(value.clamp(f64::MIN, f64::MAX).into()),
    }
}

/// Bytes of a video as Python's.
pub(crate) fn to_bytes(py: Python<'_>, bytes: &Bytes) -> Py<PyAny> {
    PyBytes::new(py, bytes).into_any().unbind()
}
