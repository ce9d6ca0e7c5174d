//! Results on their way to an event loop, without the interpreter.
//!
//! ```text
//! runtime ─▶ letter into the box ─▶ a byte into a socket that the loop watches ─▶ the loop empties the box
//! ```
//!
//! The runtime's threads need no GIL for that, and no thread stands between. The loop owns its box, by watching it; all
//! others only know it, so that a loop that is closed takes it along with what nobody will fetch any more. Loops that
//! cannot watch a socket (Windows' proactor, some loops of GUI frameworks) are served by the [`courier`](crate::courier).

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyWeakrefReference;

use crate::bridge::Letter;
use crate::log;

/// The box of one loop.
pub(crate) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    bell: UnixStream,
    /// The end that the loop watches.
    ear: UnixStream,
}

/// A box that may be gone.
pub(crate) type Address = Weak<Mailbox>;

thread_local! {
    /// The loops that ran in this thread. Each belongs to one, so this needs no lock, and a child of `fork()` that makes
    /// a loop of its own finds none of its parent's for it.
    static KNOWN: RefCell<Vec<(Py<PyWeakrefReference>, Option<Address>)>> = const { RefCell::new(Vec::new()) };
}

/// The box of a loop that runs in this thread; `None` when it cannot watch one.
pub(crate) fn of(event_loop: &Bound<'_, PyAny>) -> Option<Address> {
    let py = event_loop.py();
    let known = KNOWN.with_borrow(|known| {
        let mut found = known.iter().rev().filter(|(owner, _)| {
            let owner = owner.bind(py).upgrade();
            owner.is_some_and(|owner| owner.is(event_loop))
        });
        found.next().map(|(_, address)| address.clone())
    });
    if let Some(address) = known {
        return address;
    }
    // Without a weak reference to know the loop by, it is left to the courier.
    let owner = PyWeakrefReference::new(event_loop).ok()?.unbind();
    let address = watch(event_loop).ok();
    KNOWN.with_borrow_mut(|known| {
        known.retain(|(owner, _)| owner.bind(py).upgrade().is_some());
        known.push((owner, address.clone()));
    });
    address
}

fn watch(event_loop: &Bound<'_, PyAny>) -> PyResult<Address> {
    static CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = event_loop.py();
    let (ear, bell) = UnixStream::pair()?;
    ear.set_nonblocking(true)?;
    bell.set_nonblocking(true)?;
    let number = ear.as_raw_fd();
    let mailbox = Arc::new(Mailbox { letters: Mutex::default(), bell, ear });
    let address = Arc::downgrade(&mailbox);
    let add_reader = event_loop.getattr(intern!(py, "add_reader"))?;
    // In a context of its own: the first caller's is none of the others' business.
    let context = CONTEXT.import(py, "contextvars", "Context")?.call0()?;
    context.call_method1(intern!(py, "run"), (add_reader, number, Opener { mailbox }))?;
    Ok(address)
}

impl Mailbox {
    /// Puts a letter in. Needs no GIL.
    pub(crate) fn post(&self, letter: Letter) {
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.push(letter);
        let first = letters.len() == 1;
        drop(letters);
        if first {
            // The only thing that can go wrong is a full socket, which rings by itself.
            let _ = (&self.bell).write(&[1]);
        }
    }
}

/// What the loop calls when the bell was rung.
#[pyclass(frozen, name = "_Mailbox")]
struct Opener {
    mailbox: Arc<Mailbox>,
}

#[pymethods]
impl Opener {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        // Before the letters are taken, so that one that comes now rings again.
        let mut rung = [0; 64];
        let _ = (&self.mailbox.ear).read(&mut rung);
        let letters = std::mem::take(&mut *self.mailbox.letters.lock().unwrap_or_else(PoisonError::into_inner));
        log::drain(py);
        let mut result = Ok(());
        for letter in letters {
            result = result.and(letter(py));
        }
        result
    }
}
