//! What is known of an event loop without the GIL: the queue that it watches, and whether it was closed.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyWeakrefReference;

#[cfg(unix)]
use crate::loop_queue::{self, WeakQueue};

/// How far away a loop's timer is that does nothing, in seconds: some loops count milliseconds in 32 bits.
const FAR: f64 = 1e6;

thread_local! {
    /// The loops that ran in this thread. Each belongs to one, so this needs no lock, and a child of `fork()` that makes
    /// a loop of its own finds none of its parent's for it.
    static KNOWN: RefCell<Vec<(Py<PyWeakrefReference>, EventLoop)>> = const { RefCell::new(Vec::new()) };
}

/// A loop that may have been closed.
#[derive(Clone, Default)]
pub(crate) struct EventLoop {
    /// `None` when the loop cannot watch one.
    #[cfg(unix)]
    queue: Option<WeakQueue>,
    /// What a timer of a loop without a queue holds: closing it throws its timers away.
    open: Option<Weak<()>>,
}

impl EventLoop {
    /// A loop that runs in this thread.
    pub(crate) fn of(event_loop: &Bound<'_, PyAny>) -> Self {
        let py = event_loop.py();
        let known = KNOWN.with_borrow(|known| {
            let mut found = known.iter().rev().filter(|(owner, _)| {
                let owner = owner.bind(py).upgrade();
                owner.is_some_and(|owner| owner.is(event_loop))
            });
            found.next().map(|(_, found)| found.clone())
        });
        if let Some(known) = known {
            return known;
        }
        // Without a weak reference to know the loop by, it is left to the GIL thread.
        let Ok(owner) = PyWeakrefReference::new(event_loop).map(Bound::unbind) else { return Self::default() };
        let new = Self::new(event_loop, owner.clone_ref(py));
        KNOWN.with_borrow_mut(|known| {
            known.retain(|(owner, _)| owner.bind(py).upgrade().is_some());
            known.push((owner, new.clone()));
        });
        new
    }

    fn new(event_loop: &Bound<'_, PyAny>, owner: Py<PyWeakrefReference>) -> Self {
        static CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = event_loop.py();
        // An empty one: the first caller's variables must not show in the callbacks of other calls, nor be kept.
        let context = CONTEXT.import(py, "contextvars", "Context").and_then(PyAnyMethods::call0);
        let Ok(context) = context else { return Self::default() };
        #[cfg(unix)]
        if let Ok(queue) = loop_queue::watch(event_loop, &context) {
            return Self { queue: Some(queue), open: None };
        }
        let held = Arc::new(());
        let open = Arc::downgrade(&held);
        let timer = Bound::new(py, Timer { owner, _held: held });
        let set = timer.and_then(|timer| context.call_method1(intern!(py, "run"), (timer,)));
        Self { open: set.is_ok().then_some(open), ..Self::default() }
    }

    /// True when the loop was closed, as far as that can be known.
    pub(crate) fn is_closed(&self) -> bool {
        #[cfg(unix)]
        if let Some(queue) = &self.queue {
            return queue.strong_count() == 0;
        }
        self.open.as_ref().is_some_and(|open| open.strong_count() == 0)
    }

    /// The loop's queue; `None` when it has none.
    #[cfg(unix)]
    pub(crate) fn queue(&self) -> Option<&WeakQueue> {
        self.queue.as_ref()
    }
}

/// What the loop would call in the far future.
#[pyclass(frozen, name = "_LoopTimer")]
struct Timer {
    owner: Py<PyWeakrefReference>,
    _held: Arc<()>,
}

#[pymethods]
impl Timer {
    /// Sets it, and sets it anew when its time has come.
    fn __call__(slf: &Bound<'_, Self>) -> PyResult<()> {
        if let Some(owner) = slf.get().owner.bind(slf.py()).upgrade() {
            owner.call_method1(intern!(slf.py(), "call_later"), (FAR, slf))?;
        }
        Ok(())
    }
}
