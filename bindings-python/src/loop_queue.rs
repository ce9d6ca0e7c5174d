//! Callbacks for an event loop, queued without the GIL.
//!
//! ```text
//! runtime ─▶ callback into the queue ─▶ a byte into a socket that the loop watches ─▶ the loop runs the queue
//! ```
//!
//! The runtime's threads need no GIL for that, and no further thread takes part. The loop owns its queue, by watching the
//! socket; everybody else has a weak reference, so that a closed loop frees the queue with whatever is left in it. Loops
//! that cannot watch a socket (Windows' proactor, some loops of GUI frameworks) are served by the
//! [`gil_thread`](crate::gil_thread).

use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::intern;
use pyo3::prelude::*;

use crate::deferred::LoopCallback;
use crate::log;

/// The queue of one loop.
pub(crate) struct LoopQueue {
    callbacks: Mutex<Vec<LoopCallback>>,
    wake: UnixStream,
    /// The end that the loop watches.
    watched: UnixStream,
}

/// A queue whose loop may have been closed.
pub(crate) type WeakQueue = Weak<LoopQueue>;

/// Has a loop that runs in this thread watch a queue, with callbacks in this context.
///
/// # Errors
/// Loops that cannot watch a socket.
pub(crate) fn watch(event_loop: &Bound<'_, PyAny>, context: &Bound<'_, PyAny>) -> PyResult<WeakQueue> {
    let py = event_loop.py();
    let (watched, wake) = UnixStream::pair()?;
    watched.set_nonblocking(true)?;
    wake.set_nonblocking(true)?;
    let number = watched.as_raw_fd();
    let queue = Arc::new(LoopQueue { callbacks: Mutex::default(), wake, watched });
    let weak = Arc::downgrade(&queue);
    let add_reader = event_loop.getattr(intern!(py, "add_reader"))?;
    context.call_method1(intern!(py, "run"), (add_reader, number, QueueReader { queue }))?;
    Ok(weak)
}

impl LoopQueue {
    /// Adds a callback. Needs no GIL.
    pub(crate) fn push(&self, callback: LoopCallback) {
        let mut callbacks = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        callbacks.push(callback);
        let first = callbacks.len() == 1;
        drop(callbacks);
        if first {
            // The only possible failure is a full socket, which wakes the loop by itself.
            let _ = (&self.wake).write(&[1]);
        }
    }
}

/// What the loop calls when its socket is readable.
#[pyclass(frozen, name = "_LoopQueue")]
struct QueueReader {
    queue: Arc<LoopQueue>,
}

#[pymethods]
impl QueueReader {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        // Before the callbacks are taken, so that one that comes now wakes the loop again.
        let mut bytes = [0; 64];
        let _ = (&self.queue.watched).read(&mut bytes);
        let callbacks = std::mem::take(&mut *self.queue.callbacks.lock().unwrap_or_else(PoisonError::into_inner));
        let mut result = log::drain(py);
        for callback in callbacks {
            result = result.and(callback(py));
        }
        result
    }
}
