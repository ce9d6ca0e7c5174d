//! The two faces, blocking and asyncio, over one set of calls.

use std::sync::Arc;

use futures_util::StreamExt as _;
use junfeiai::platform::{BoxStream, ForkGuard};
use junfeiai::{Result, Task, Video, VideoReader};
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyTypeError};
use pyo3::prelude::*;

use crate::bridge::{self, Link, Output};
use crate::classes;
use crate::errors::raise;
use crate::lane::{self, Home, Listener, News};
use crate::reader;

/// A callable argument.
pub(crate) struct Callback(Py<PyAny>);

impl FromPyObject<'_, '_> for Callback {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if value.is_callable() {
            Ok(Self(value.to_owned().unbind()))
        } else {
            Err(PyTypeError::new_err(format!("expected a callable, got {}", value.get_type().name()?)))
        }
    }
}

/// What connects a call under way with its caller.
#[derive(Default)]
pub(crate) struct Ear {
    callback: Option<Arc<Py<PyAny>>>,
    news: News,
    link: Arc<Link>,
    home: Option<Home>,
}

impl Ear {
    pub(crate) fn new(callback: Option<Callback>) -> Self {
        Self { callback: callback.map(|callback| Arc::new(callback.0)), ..Self::default() }
    }

    /// For a call that is one of several of the same connection.
    pub(crate) fn at(home: &Home) -> Self {
        Self { home: Some(home.clone()), ..Self::default() }
    }

    /// What the core calls with each bit of news; `None` when nobody listens.
    pub(crate) fn speaker<F: Face, T: ?Sized + 'static>(
        &self,
        say: impl Fn(&T) -> Output + Send + 'static,
    ) -> Option<impl FnMut(&T) + Send + 'static> {
        let callback = self.callback.clone()?;
        let (news, link) = (self.news.clone(), self.link.clone());
        Some(move |said: &T| F::tell(&callback, &news, &link, say(said)))
    }
}

/// Blocking or asyncio.
pub(crate) trait Face: Send + Sync + 'static {
    /// Carries the call out, or gives the coroutine that will.
    fn run<T: Send + 'static>(
        py: Python<'_>,
        ear: &Ear,
        call: impl Future<Output = Result<T>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>>;
    /// Has a callback called where its caller expects it.
    fn tell(callback: &Arc<Py<PyAny>>, news: &News, link: &Arc<Link>, argument: Output);
    /// The core's task as an object of this face.
    fn task(py: Python<'_>, task: Task) -> PyResult<Py<PyAny>>;
    /// The core's video as an object of this face.
    fn video(py: Python<'_>, video: Video) -> PyResult<Py<PyAny>>;
    /// The end of one of several tasks.
    fn outcome(
        py: Python<'_>,
        index: Option<usize>,
        task_id: Option<String>,
        result: Result<Video>,
    ) -> PyResult<Py<PyAny>>;
    /// An open video as a file of this face.
    fn reader(py: Python<'_>, reader: VideoReader, home: Home) -> PyResult<Py<PyAny>>;
    /// A stream as an iterator of this face.
    fn items(py: Python<'_>, items: Items) -> PyResult<Py<PyAny>>;
}

/// A stream of what becomes Python objects.
pub(crate) type Items = BoxStream<'static, Result<Output>>;

type Shared = Arc<tokio::sync::Mutex<Option<Items>>>;

/// What goes on from call to call stays with the process that began it: going on in a child of `fork()` as well would
/// create the rest of `generate_many` twice.
pub(crate) fn own<T>(guard: &ForkGuard<T>) -> PyResult<&T> {
    let inherited =
        || PyRuntimeError::new_err("this object was made before fork() and belongs to the parent: make a new one");
    guard.get().ok_or_else(inherited)
}

/// The next item; after the end, and after an error, there is none.
async fn next(items: Shared) -> Result<Option<Output>> {
    let mut items = items.lock().await;
    let Some(stream) = items.as_mut() else { return Ok(None) };
    let item = stream.next().await.transpose();
    if !matches!(item, Ok(Some(_))) {
        *items = None;
    }
    item
}

pub(crate) struct Blocking;

impl Face for Blocking {
    fn run<T: Send + 'static>(
        py: Python<'_>,
        ear: &Ear,
        call: impl Future<Output = Result<T>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let listener = ear.callback.as_deref().map(|callback| Listener { callback, news: &ear.news });
        match lane::block(py, ear.home.as_ref(), listener.as_ref(), Box::pin(call))? {
            Ok(value) => convert(py, value),
            Err(error) => Err(raise(py, &error)),
        }
    }

    fn tell(_: &Arc<Py<PyAny>>, news: &News, _: &Arc<Link>, argument: Output) {
        // The thread that waits carries the call itself and tells it there, as soon as this step of the call is done.
        news.push(argument);
    }

    fn task(py: Python<'_>, task: Task) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, classes::Task::from(task))?.into_any())
    }

    fn video(py: Python<'_>, video: Video) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, classes::Video::from(video))?.into_any())
    }

    fn outcome(
        py: Python<'_>,
        index: Option<usize>,
        task_id: Option<String>,
        result: Result<Video>,
    ) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, classes::Outcome::new(py, index, task_id, result)?)?.into_any())
    }

    fn reader(py: Python<'_>, reader: VideoReader, home: Home) -> PyResult<Py<PyAny>> {
        reader::file(py, reader, home)
    }

    fn items(py: Python<'_>, items: Items) -> PyResult<Py<PyAny>> {
        let items = Arc::new(tokio::sync::Mutex::new(Some(items)));
        Ok(Py::new(py, Iterator { items: ForkGuard::new(items), home: Home::default() })?.into_any())
    }
}

pub(crate) struct Asyncio;

impl Face for Asyncio {
    fn run<T: Send + 'static>(
        py: Python<'_>,
        ear: &Ear,
        call: impl Future<Output = Result<T>> + Send + 'static,
        convert: impl FnOnce(Python<'_>, T) -> PyResult<Py<PyAny>> + Send + 'static,
    ) -> PyResult<Py<PyAny>> {
        let call = async move {
            let result = call.await;
            let output: Output = Box::new(move |py| match result {
                Ok(value) => convert(py, value),
                Err(error) => Err(raise(py, &error)),
            });
            output
        };
        bridge::coroutine(py, ear.link.clone(), Box::pin(call))
    }

    fn tell(callback: &Arc<Py<PyAny>>, _: &News, link: &Arc<Link>, argument: Output) {
        link.tell(callback, argument);
    }

    fn task(py: Python<'_>, task: Task) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, classes::AsyncTask::from(task))?.into_any())
    }

    fn video(py: Python<'_>, video: Video) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, classes::AsyncVideo::from(video))?.into_any())
    }

    fn outcome(
        py: Python<'_>,
        index: Option<usize>,
        task_id: Option<String>,
        result: Result<Video>,
    ) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, classes::AsyncOutcome::new(py, index, task_id, result)?)?.into_any())
    }

    fn reader(py: Python<'_>, reader: VideoReader, _: Home) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, reader::AsyncVideoReader::from(reader))?.into_any())
    }

    fn items(py: Python<'_>, items: Items) -> PyResult<Py<PyAny>> {
        let items = Arc::new(tokio::sync::Mutex::new(Some(items)));
        Ok(Py::new(py, AsyncIterator { items: ForkGuard::new(items) })?.into_any())
    }
}

/// Items as they come; each ``next()`` blocks until there is one.
#[pyclass(frozen, name = "_Iterator", module = "junfeiai._native")]
pub(crate) struct Iterator {
    // Dropped in this order: what is left of the stream before its home.
    items: ForkGuard<Shared>,
    home: Home,
}

#[pymethods]
impl Iterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        match lane::block(py, Some(&self.home), None, Box::pin(next(own(&self.items)?.clone())))? {
            Ok(item) => item.map(|item| item(py)).transpose(),
            Err(error) => Err(raise(py, &error)),
        }
    }
}

/// Items as they come, for ``async for``.
#[pyclass(frozen, name = "_AsyncIterator", module = "junfeiai._native")]
pub(crate) struct AsyncIterator {
    items: ForkGuard<Shared>,
}

#[pymethods]
impl AsyncIterator {
    fn __aiter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __anext__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Asyncio::run(py, &Ear::default(), next(own(&self.items)?.clone()), |py, item| match item {
            Some(item) => item(py),
            None => Err(PyStopAsyncIteration::new_err(())),
        })
    }
}
