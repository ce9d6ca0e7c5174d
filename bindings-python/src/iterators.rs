//! Streams of the core as iterators of Python.

use std::sync::Arc;

use futures_util::StreamExt as _;
use junfeiai::Result;
use junfeiai::async_compat::BoxStream;
use junfeiai::fork::ForkGuard;
use pyo3::exceptions::PyStopAsyncIteration;
use pyo3::intern;
use pyo3::prelude::*;
use tokio::sync::Mutex;

use crate::blocking_runtime::{self, PinnedRuntime};
use crate::call_mode::{Asyncio, CallContext, CallMode, finish, of_this_process};
use crate::deferred::{DeferredObject, GivenBack};
use crate::errors::raise;
use crate::interpreter::short;
use crate::paid_calls::{PaidCall, guarded};

/// A stream of what becomes Python objects.
pub(crate) type Items = BoxStream<'static, Result<DeferredObject>>;

/// The stream of an iterator, and what is known of the paid tasks in it.
struct Stream {
    /// `None` after the end.
    items: Mutex<Option<Items>>,
    paid: Option<Arc<PaidCall>>,
}

impl Stream {
    fn new(items: Items, paid: Option<Arc<PaidCall>>) -> Self {
        // The caller of `watch` has the task already: nothing is to be reported when it stops.
        if let Some(paid) = paid.as_deref().filter(|paid| !paid.creates()) {
            paid.end();
        }
        Self { items: Mutex::new(Some(items)), paid }
    }

    /// The next item; after the end, and after an error, there is none.
    async fn next(&self) -> Result<Option<DeferredObject>> {
        let mut items = self.items.lock().await;
        let Some(stream) = items.as_mut() else { return Ok(None) };
        // A stream that panicked is not polled again.
        let item = guarded(async { stream.next().await.transpose() }, self.paid.clone()).await;
        if !matches!(item, Ok(Some(_))) {
            *items = None;
        }
        item
    }
}

impl Drop for Stream {
    /// The loop was left early: log the ids of tasks that were created and not returned.
    fn drop(&mut self) {
        let Some(paid) = self.paid.take().filter(|paid| paid.creates()) else { return };
        // First, so that the create requests in flight have ended.
        drop(self.items.get_mut().take());
        paid.report();
    }
}

/// Items as they come; each ``next()`` blocks until there is one.
#[pyclass(frozen, name = "_Iterator", module = "junfeiai._native")]
pub(crate) struct Iterator {
    // Dropped in this order: the stream before the runtime of its connection.
    items: ForkGuard<Stream>,
    pinned: PinnedRuntime,
    given_back: GivenBack,
}

impl Iterator {
    pub(crate) fn new(items: Items, paid: Option<Arc<PaidCall>>) -> Self {
        Self {
            items: ForkGuard::new(Stream::new(items, paid)),
            pinned: PinnedRuntime::default(),
            given_back: GivenBack::default(),
        }
    }

    /// Items whose connection is on this runtime already.
    pub(crate) fn pinned_to(items: Items, pinned: PinnedRuntime) -> Self {
        Self { items: ForkGuard::new(Stream::new(items, None)), pinned, given_back: GivenBack::default() }
    }
}

#[pymethods]
impl Iterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let items = of_this_process(&self.items)?;
        if let Some(item) = self.given_back.pop() {
            return short(py, || item(py)).map(Some);
        }
        let ended = blocking_runtime::block(py, Some(&self.pinned), None, Box::pin(items.next()));
        let failed = matches!(ended, Ok(Err(_)));
        let convert = |item: Option<DeferredObject>| item.map(|item| short(py, || item(py))).transpose();
        let result = finish(py, ended, items.paid.as_deref(), convert, |item| {
            let item = item.as_ref()?.clone_ref(py);
            let id = item.bind(py).getattr(intern!(py, "task_id")).ok().and_then(|id| id.extract().ok());
            self.given_back.push(Box::new(move |_| Ok(item)));
            id
        });
        // A signal that came with the error has it as its cause. The next step raises it: without it a video that broke off would seem
        // to have ended.
        if failed
            && let Err(signal) = &result
            && let Some(own) = signal.cause(py)
        {
            self.given_back.push(Box::new(move |_| Err(own)));
        }
        result
    }
}

/// Items as they come, for ``async for``.
#[pyclass(frozen, name = "_AsyncIterator", module = "junfeiai._native")]
pub(crate) struct AsyncIterator {
    /// Also of each step that has not ended: `await anext(client.videos.generate_many(…))` drops the iterator before its first step
    /// begins. The last of them ends the stream.
    items: Arc<ForkGuard<Stream>>,
    given_back: GivenBack,
}

impl AsyncIterator {
    pub(crate) fn new(items: Items, paid: Option<Arc<PaidCall>>) -> Self {
        Self { items: Arc::new(ForkGuard::new(Stream::new(items, paid))), given_back: GivenBack::default() }
    }
}

/// An item on its way to the event loop. If it does not arrive, because nobody awaits it any more, it is given back.
struct OnItsWay {
    item: Option<DeferredObject>,
    given_back: GivenBack,
}

impl OnItsWay {
    /// The item; without one the iterator has ended.
    fn arrive(mut self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.item.take() {
            Some(item) => item(py),
            None => Err(PyStopAsyncIteration::new_err(())),
        }
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.given_back.push(item);
        }
    }
}

#[pymethods]
impl AsyncIterator {
    fn __aiter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __anext__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let paid = of_this_process(&self.items)?.paid.as_ref();
        let (items, given_back) = (self.items.clone(), self.given_back.clone());
        let step = async move {
            let item = match (given_back.pop(), items.get()) {
                (Some(item), _) => Some(item),
                // An error, too: without it a video that broke off would seem to have ended.
                (None, Some(items)) => items.next().await.unwrap_or_else(|error| -> Option<DeferredObject> {
                    Some(Box::new(move |py| Err(raise(py, &error))))
                }),
                (None, None) => None,
            };
            Result::Ok(OnItsWay { item, given_back })
        };
        let given_back = self.given_back.clone();
        let take_back = Arc::new(move |item: PyResult<Py<PyAny>>| given_back.push(Box::new(move |_| item)));
        let context = CallContext::step(paid, take_back);
        Asyncio::run(py, &context, step, |py, item| item.arrive(py))
    }
}
