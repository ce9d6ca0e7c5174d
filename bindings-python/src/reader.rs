//! A video as a file: `_Reader` behind Python's `io` classes, `AsyncVideoReader` for asyncio.

use std::io::SeekFrom;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use junfeiai::fork::ForkGuard;
use junfeiai::{Result, VideoReader};
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tokio::sync::MutexGuard;

use crate::asyncio_bridge::{done, immediate};
use crate::blocking_runtime::PinnedRuntime;
use crate::call_mode::{Asyncio, Blocking, CallContext, CallMode, of_this_process};
use crate::convert::{argument, to_bytes};
use crate::interpreter::short;

/// The most that one read of the core returns.
const CHUNK: usize = 256 * 1024;

/// The core's reader, until it is closed.
#[derive(Clone)]
struct Shared(Arc<ForkGuard<Slot>>);

/// `None` when it is closed.
type Slot = Mutex<Option<Arc<tokio::sync::Mutex<VideoReader>>>>;

impl Shared {
    fn new(reader: VideoReader) -> Self {
        Self(Arc::new(ForkGuard::new(Mutex::new(Some(Arc::new(tokio::sync::Mutex::new(reader)))))))
    }

    fn get(&self) -> PyResult<Arc<tokio::sync::Mutex<VideoReader>>> {
        let reader = of_this_process(&self.0)?.lock().unwrap_or_else(PoisonError::into_inner).clone();
        reader.ok_or_else(|| PyValueError::new_err("I/O operation on closed file."))
    }

    fn close(&self) {
        // In a child of `fork()` it is the parent's to close.
        if let Some(slot) = self.0.get() {
            slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }
}

/// A read under way. Without its end, after an error or when it was cancelled, the next one begins where it began.
struct Reading<'a> {
    reader: MutexGuard<'a, VideoReader>,
    begun_at: u64,
    ended: bool,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if !self.ended {
            // Counted from the start it waits for nothing.
            let _ = self.reader.seek(SeekFrom::Start(self.begun_at)).now_or_never();
        }
    }
}

/// Up to `size` bytes, fewer only at the end of the file; all the rest without a size.
async fn read(reader: Arc<tokio::sync::Mutex<VideoReader>>, size: Option<usize>) -> Result<Bytes> {
    let reader = reader.lock().await;
    let mut reading = Reading { begun_at: reader.position(), reader, ended: false };
    let mut whole = BytesMut::new();
    while size.is_none_or(|size| whole.len() < size) {
        let filled = whole.len();
        let room = size.map_or(CHUNK, |size| (size - filled).min(CHUNK));
        whole.resize(filled + room, 0);
        let length = reading.reader.read(&mut whole[filled..]).await?;
        whole.truncate(filled + length);
        if length == 0 {
            break;
        }
    }
    reading.ended = true;
    Ok(whole.freeze())
}

/// Where a read of an event loop began.
#[derive(Clone)]
struct Begun {
    reader: Arc<tokio::sync::Mutex<VideoReader>>,
    at: Arc<OnceLock<u64>>,
}

impl Begun {
    /// The next read begins there as well.
    fn go_back(&self) {
        if let (Some(at), Ok(mut reader)) = (self.at.get(), self.reader.try_lock()) {
            let _ = reader.seek(SeekFrom::Start(*at)).now_or_never();
        }
    }
}

/// Bytes on their way to the event loop. If they do not arrive, because nobody awaits them any more, they are read again.
struct OnTheirWay {
    bytes: Option<Bytes>,
    begun: Begun,
}

impl OnTheirWay {
    fn arrive(mut self, py: Python<'_>) -> Py<PyAny> {
        to_bytes(py, &self.bytes.take().unwrap_or_default())
    }
}

impl Drop for OnTheirWay {
    fn drop(&mut self) {
        if self.bytes.is_some() {
            self.begun.go_back();
        }
    }
}

fn seek_target(offset: i64, whence: i64) -> PyResult<SeekFrom> {
    match (whence, u64::try_from(offset)) {
        (0, Ok(offset)) => Ok(SeekFrom::Start(offset)),
        (0, Err(_)) => Err(PyValueError::new_err(format!("negative seek position {offset}"))),
        (1, _) => Ok(SeekFrom::Current(offset)),
        (2, _) => Ok(SeekFrom::End(offset)),
        _ => Err(PyValueError::new_err(format!("invalid whence ({whence}, should be 0, 1 or 2)"))),
    }
}

fn seek<M: CallMode>(py: Python<'_>, context: &CallContext, shared: &Shared, to: SeekFrom) -> PyResult<Py<PyAny>> {
    let reader = shared.get()?;
    M::run(py, context, async move { reader.lock().await.seek(to).await }, |py, position| {
        Ok(position.into_pyobject(py)?.into_any().unbind())
    })
}

fn size<M: CallMode>(py: Python<'_>, context: &CallContext, shared: &Shared) -> PyResult<Py<PyAny>> {
    let reader = shared.get()?;
    M::run(py, context, async move { reader.lock().await.size().await }, |py, size| {
        Ok(size.into_pyobject(py)?.into_any().unbind())
    })
}

fn tell<M: CallMode>(py: Python<'_>, context: &CallContext, shared: &Shared) -> PyResult<Py<PyAny>> {
    let reader = shared.get()?;
    M::run(py, context, async move { Ok(reader.lock().await.position()) }, |py, position| {
        Ok(position.into_pyobject(py)?.into_any().unbind())
    })
}

/// What `_reader.VideoReader` reads from.
#[pyclass(frozen, name = "_Reader", module = "junfeiai._native")]
pub(crate) struct Reader {
    // Dropped in this order: the response before the runtime of its connection.
    shared: Shared,
    pinned: PinnedRuntime,
}

/// The file object of an open video.
pub(crate) fn file(py: Python<'_>, reader: VideoReader, pinned: PinnedRuntime) -> PyResult<Py<PyAny>> {
    let reader = Py::new(py, Reader { shared: Shared::new(reader), pinned })?;
    short(py, || {
        py.import(intern!(py, "junfeiai._reader"))?.call_method1(intern!(py, "buffered"), (reader,)).map(Bound::unbind)
    })
}

#[pymethods]
impl Reader {
    /// Up to so many bytes.
    fn read(&self, py: Python<'_>, size: usize) -> PyResult<Py<PyAny>> {
        let reader = self.shared.get()?;
        Blocking::run(py, &CallContext::pinned_to(&self.pinned), read(reader, Some(size)), |py, bytes| {
            Ok(to_bytes(py, &bytes))
        })
    }

    /// Moves to another position.
    fn seek(&self, py: Python<'_>, offset: i64, whence: i64) -> PyResult<Py<PyAny>> {
        seek::<Blocking>(py, &CallContext::pinned_to(&self.pinned), &self.shared, seek_target(offset, whence)?)
    }

    /// The position where the next read starts.
    fn tell(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        tell::<Blocking>(py, &CallContext::pinned_to(&self.pinned), &self.shared)
    }

    /// Length of the file in bytes.
    fn size(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        size::<Blocking>(py, &CallContext::pinned_to(&self.pinned), &self.shared)
    }
}

/// A video open for reading from any position, without a file. ``AsyncVideo.open`` returns it.
///
/// >>> import asyncio
/// >>> async def main():
/// ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
/// ...     async with video.open() as file:
/// ...         await file.seek(4)
/// ...         return await file.read(4)
/// >>> asyncio.run(main())
/// b'ftyp'
#[pyclass(frozen, module = "junfeiai")]
pub(crate) struct AsyncVideoReader(Shared);

impl From<VideoReader> for AsyncVideoReader {
    fn from(reader: VideoReader) -> Self {
        Self(Shared::new(reader))
    }
}

#[pymethods]
impl AsyncVideoReader {
    /// Up to ``size`` bytes, fewer only at the end of the file; all the rest when it is negative.
    #[pyo3(signature = (size = None), text_signature = "($self, size=-1)")]
    fn read(&self, py: Python<'_>, size: Option<Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        let size: i64 = size.map_or(Ok(-1), |size| argument(&size, "size"))?;
        let begun = Begun { reader: self.0.get()?, at: Arc::default() };
        let undone = begun.clone();
        let call = async move {
            let at = begun.reader.lock().await.position();
            let _ = begun.at.set(at);
            let bytes = read(begun.reader.clone(), usize::try_from(size).ok()).await?;
            Ok(OnTheirWay { bytes: Some(bytes), begun })
        };
        let context = CallContext::step(None, Arc::new(move |_: PyResult<Py<PyAny>>| undone.go_back()));
        Asyncio::run(py, &context, call, |py, read| Ok(read.arrive(py)))
    }

    /// Moves to another position and returns it. Sends no request.
    #[pyo3(signature = (offset, whence = None), text_signature = "($self, offset, whence=0)")]
    fn seek(&self, py: Python<'_>, offset: &Bound<'_, PyAny>, whence: Option<Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        let whence: i64 = whence.map_or(Ok(0), |whence| argument(&whence, "whence"))?;
        seek::<Asyncio>(py, &CallContext::default(), &self.0, seek_target(argument(offset, "offset")?, whence)?)
    }

    /// The position where the next read starts.
    fn tell(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        tell::<Asyncio>(py, &CallContext::default(), &self.0)
    }

    /// Length of the file in bytes.
    fn size(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        size::<Asyncio>(py, &CallContext::default(), &self.0)
    }

    /// Closes the video and its connection. May be awaited, and need not be.
    fn close(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.close();
        done(py)
    }

    /// The same as ``close``, for code that expects a coroutine.
    fn aclose(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.0.close();
        immediate(py, py.None())
    }

    fn __aenter__(this: Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        immediate(this.py(), this.into_any().unbind())
    }

    #[pyo3(signature = (*exception))]
    fn __aexit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
        let _ = exception;
        self.0.close();
        immediate(py, py.None())
    }
}
