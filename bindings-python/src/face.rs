//! The two faces, blocking and asyncio, over one set of calls.

use std::sync::Arc;

use futures_util::StreamExt as _;
use junfeiai::async_compat::BoxStream;
use junfeiai::fork::ForkGuard;
use junfeiai::{Client, Result, Task, Video, VideoReader, Videos};
use pyo3::exceptions::{PyRuntimeError, PyStopAsyncIteration, PyTypeError};
use pyo3::prelude::*;

use crate::bridge::{self, Link, Output};
use crate::classes;
use crate::errors::raise;
use crate::interpreter::short;
use crate::lane::{self, Home, Listener, News};
use crate::paid::{Paid, guarded};
use crate::reader;

/// A callable argument.
pub(crate) struct Callback(Py<PyAny>);

impl FromPyObject<'_, '_> for Callback {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        if !value.is_callable() {
            return Err(PyTypeError::new_err(format!("expected a callable, got {}", value.get_type().name()?)));
        }
        if is_coroutine_function(&value) {
            let text = "expected a plain function, got a coroutine function: nobody would await what it gives";
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
    let call = || value.get_type().getattr("__call__");
    flags(value).or_else(|_| flags(&call()?)).is_ok_and(|flags| flags & CO_COROUTINE != 0)
}

/// What connects a call under way with its caller.
#[derive(Default)]
pub(crate) struct Ear {
    callback: Option<Arc<Py<PyAny>>>,
    news: News,
    link: Arc<Link>,
    home: Option<Home>,
    /// What is known of paid tasks.
    paid: Option<Arc<Paid>>,
}

impl Ear {
    /// For a call about a task, when its id is known.
    pub(crate) fn about(task_id: Option<&str>) -> Self {
        Self { paid: Paid::about(task_id), ..Self::default() }
    }

    /// For a call that creates one task.
    pub(crate) fn creating() -> Self {
        let (paid, link) = (Paid::creating(), Arc::default());
        paid.belongs_to(&link);
        Self { paid: Some(paid), link, ..Self::default() }
    }

    /// For one step of an iterator.
    fn step(paid: Option<&Arc<Paid>>) -> Self {
        Self { paid: paid.cloned(), ..Self::default() }
    }

    /// Has a callback called with the news of the call.
    pub(crate) fn with(self, callback: Option<Callback>) -> Self {
        Self { callback: callback.map(|callback| Arc::new(callback.0)), ..self }
    }

    /// The client's videos, whose creates report to this call.
    pub(crate) fn videos(&self, client: &Client) -> Videos {
        match &self.paid {
            Some(paid) => client.videos().tracked(&paid.tracker()),
            None => client.videos(),
        }
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
    /// A stream as an iterator of this face, with what is known of the paid tasks in it.
    fn items(py: Python<'_>, items: Items, paid: Option<Arc<Paid>>) -> PyResult<Py<PyAny>>;
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
async fn next(items: Shared, paid: Option<Arc<Paid>>) -> Result<Option<Output>> {
    let mut items = items.lock().await;
    let Some(stream) = items.as_mut() else { return Ok(None) };
    // A stream that panicked is not asked again.
    let item = guarded(async { stream.next().await.transpose() }, paid).await;
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
        let call = Box::pin(guarded(call, ear.paid.clone()));
        let ended = match lane::block(py, ear.home.as_ref(), listener.as_ref(), call) {
            Ok(Ok(value)) => short(py, || convert(py, value)),
            Ok(Err(error)) => return Err(raise(py, &error)),
            Err(error) => Err(error),
        };
        noted(py, ended, ear.paid.as_deref())
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

    fn items(py: Python<'_>, items: Items, paid: Option<Arc<Paid>>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, Iterator { items: ForkGuard::new(Stream::new(items, paid)), home: Home::default() })?.into_any())
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
        let paid = ear.paid.clone();
        let call = async move {
            let result = guarded(call, paid).await;
            let output: Output = Box::new(move |py| match result {
                Ok(value) => convert(py, value),
                Err(error) => Err(raise(py, &error)),
            });
            output
        };
        bridge::coroutine(py, ear.link.clone(), ear.paid.clone(), Box::pin(call))
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

    fn items(py: Python<'_>, items: Items, paid: Option<Arc<Paid>>) -> PyResult<Py<PyAny>> {
        Ok(Py::new(py, AsyncIterator { items: ForkGuard::new(Stream::new(items, paid)) })?.into_any())
    }
}

/// What a callback or a signal raised, with what is known of paid tasks.
fn noted<T>(py: Python<'_>, ended: PyResult<T>, paid: Option<&Paid>) -> PyResult<T> {
    ended.inspect_err(|error| {
        if let Some(paid) = paid {
            paid.note(py, error.value(py), None);
        }
    })
}

/// The stream of an iterator, and what is known of the paid tasks in it.
struct Stream {
    shared: Shared,
    paid: Option<Arc<Paid>>,
}

impl Stream {
    fn new(items: Items, paid: Option<Arc<Paid>>) -> Self {
        // Whoever only watches a task has it already.
        if let Some(paid) = paid.as_deref().filter(|paid| !paid.creates()) {
            paid.end();
        }
        Self { shared: Arc::new(tokio::sync::Mutex::new(Some(items))), paid }
    }

    fn next(&self) -> impl Future<Output = Result<Option<Output>>> + Send + 'static {
        next(self.shared.clone(), self.paid.clone())
    }
}

impl Drop for Stream {
    /// The loop was left: what was created and not handed out would have no name.
    fn drop(&mut self) {
        let Some(paid) = self.paid.take().filter(|paid| paid.creates()) else { return };
        // First, so that the creates in flight have ended.
        drop(self.shared.try_lock().ok().and_then(|mut items| items.take()));
        paid.report();
    }
}

/// Items as they come; each ``next()`` blocks until there is one.
#[pyclass(frozen, name = "_Iterator", module = "junfeiai._native")]
pub(crate) struct Iterator {
    // Dropped in this order: what is left of the stream before its home.
    items: ForkGuard<Stream>,
    home: Home,
}

#[pymethods]
impl Iterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let items = own(&self.items)?;
        // `list(…)` and its like look for Ctrl-C at no item, and the next one may come before the call does.
        let ended = short(py, || py.check_signals())
            .and_then(|()| lane::block(py, Some(&self.home), None, Box::pin(items.next())));
        match noted(py, ended, items.paid.as_deref())? {
            Ok(item) => item.map(|item| short(py, || item(py))).transpose(),
            Err(error) => Err(raise(py, &error)),
        }
    }
}

/// Items as they come, for ``async for``.
#[pyclass(frozen, name = "_AsyncIterator", module = "junfeiai._native")]
pub(crate) struct AsyncIterator {
    items: ForkGuard<Stream>,
}

#[pymethods]
impl AsyncIterator {
    fn __aiter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __anext__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let items = own(&self.items)?;
        Asyncio::run(py, &Ear::step(items.paid.as_ref()), items.next(), |py, item| match item {
            Some(item) => item(py),
            None => Err(PyStopAsyncIteration::new_err(())),
        })
    }
}
