//! Who may run Python code, and who may ask for the GIL, while the interpreter is being taken down.
//!
//! `CPython` up to 3.13 ends a daemon thread by `pthread_exit` as soon as it asks for the GIL of an interpreter that is being
//! taken down; 3.14 lets it sleep. The C library carries `pthread_exit` out by unwinding, and where that meets Rust code,
//! such as each method of our classes, the process is aborted. So no thread with Rust code below it may ask for the GIL then:
//!
//! - [`short`] surrounds what may run Python code, or release the GIL in another way, and soon ends. The interpreter's end
//!   waits until no thread is in there; a thread that would enter later sleeps until the process ends.
//! - [`call`] runs code of any duration, such as callbacks. Nothing waits for it: a guard that unwinding drops lets the
//!   thread sleep right behind the Python code, as 3.14 does it.
//! - [`detach`] releases the GIL. A thread that would ask for it again after the start of the end sleeps.
//!
//! Between two of them a thread with Rust code keeps the GIL, so that the end cannot proceed.
#![allow(unsafe_code)] // `pyo3` has no call that can be unwound through
#![allow(clippy::disallowed_methods)] // they are disallowed in favour of this module

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use junfeiai::fork::PerProcess;
#[cfg(not(windows))]
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// How long the interpreter's end waits for threads that are in [`short`].
const SHORT_MOST: Duration = Duration::from_secs(5);

/// The thread that ends the interpreter, once it does.
static CLOSING: OnceLock<ThreadId> = OnceLock::new();
/// How many threads are in [`short`]. Signed: a child of `fork()` begins with 0, and its only thread may be in there.
static IN_SHORT: PerProcess<AtomicIsize> = PerProcess::new();

thread_local! {
    /// How deep this thread is in [`short`].
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

fn in_short() -> &'static AtomicIsize {
    IN_SHORT.get_or_init(AtomicIsize::default)
}

/// True while this thread may go back into the interpreter.
pub(crate) fn may_attach() -> bool {
    CLOSING.get().is_none_or(|closer| *closer == std::thread::current().id())
}

/// From now on only this thread may run Python code.
pub(crate) fn close() {
    let _ = CLOSING.set(std::thread::current().id());
}

/// Waits until no thread is in [`short`] any more.
pub(crate) fn wait_for_the_short(py: Python<'_>) {
    let begun = Instant::now();
    while in_short().load(Ordering::SeqCst) > 0 && begun.elapsed() < SHORT_MOST {
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
    }
}

fn sleep_for_good() -> ! {
    loop {
        std::thread::park();
    }
}

/// Counts this thread, from then until it is dropped.
struct Counted;

impl Counted {
    /// `None` when the end has started. Counted first: either the end sees this thread, or this thread sees the end.
    fn enter() -> Option<Self> {
        in_short().fetch_add(1, Ordering::SeqCst);
        let counted = Self;
        may_attach().then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        in_short().fetch_sub(1, Ordering::SeqCst);
    }
}

/// Puts the depth back.
struct Depth(usize);

impl Depth {
    fn set(depth: usize) -> Self {
        Self(DEPTH.replace(depth))
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// Runs something that may run Python code and soon ends.
pub(crate) fn short<T>(py: Python<'_>, work: impl FnOnce() -> T) -> T {
    let depth = DEPTH.get();
    let counted = (depth == 0).then(|| Counted::enter().unwrap_or_else(|| stay_out(py)));
    let deeper = Depth::set(depth + 1);
    let result = work();
    drop(deeper);
    drop(counted);
    result
}

/// Releases the GIL for ever.
fn stay_out(py: Python<'_>) -> ! {
    match py.detach(|| -> Infallible { sleep_for_good() }) {}
}

/// Runs something that the interpreter's end does not wait for. Afterwards this thread is counted again, or sleeps.
fn uncounted<T>(work: impl FnOnce() -> T, come_back: impl FnOnce() -> Counted) -> T {
    /// However the work ends.
    struct Back<F: FnOnce() -> Counted>(usize, Option<F>);
    impl<F: FnOnce() -> Counted> Drop for Back<F> {
        fn drop(&mut self) {
            let counted = self.1.take().map(|come_back| come_back());
            if self.0 > 0 {
                // The outermost `short` of this thread takes it off.
                std::mem::forget(counted);
            }
            DEPTH.set(self.0);
        }
    }
    let depth = DEPTH.replace(0);
    if depth > 0 {
        drop(Counted);
    }
    let _back = Back(depth, Some(come_back));
    work()
}

/// Runs something without the GIL.
pub(crate) fn detach<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    short(py, || py.detach(|| uncounted(work, || Counted::enter().unwrap_or_else(|| sleep_for_good()))))
}

/// Attaches a thread of ours. `None` when the interpreter ends.
pub(crate) fn attach<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _counted = Counted::enter()?;
    Python::try_attach(|py| {
        let _deeper = Depth::set(1);
        work(py)
    })
}

#[cfg(not(windows))]
unsafe extern "C-unwind" {
    #[link_name = "PyObject_Call"]
    fn call_that_may_unwind(
        callable: *mut ffi::PyObject,
        arguments: *mut ffi::PyObject,
        keywords: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;
}

/// Dropped by nothing but unwinding.
#[cfg(not(windows))]
struct SleepForGood;

#[cfg(not(windows))]
impl Drop for SleepForGood {
    fn drop(&mut self) {
        sleep_for_good()
    }
}

/// `callable(*arguments)`, of code that is not ours. If the interpreter ends meanwhile, this does not return.
pub(crate) fn call<'py>(
    callable: &Bound<'py, PyAny>,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = callable.py();
    let arguments = short(py, || arguments.into_pyobject(py).map_err(Into::into))?;
    uncounted(|| call_guarded(callable, &arguments), || Counted::enter().unwrap_or_else(|| stay_out(py)))
}

#[cfg(windows)]
fn call_guarded<'py>(callable: &Bound<'py, PyAny>, arguments: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
    callable.call(arguments, None)
}

#[cfg(not(windows))]
fn call_guarded<'py>(callable: &Bound<'py, PyAny>, arguments: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
    let guard = SleepForGood;
    // SAFETY: both pointers are of living objects, the second of a tuple; the GIL is held. The result is an owned
    // reference, or NULL with an exception set.
    unsafe {
        let result = call_that_may_unwind(callable.as_ptr(), arguments.as_ptr(), std::ptr::null_mut());
        std::mem::forget(guard);
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}

/// `object.name(*arguments)`, of code that should soon end: the interpreter's end waits for it.
pub(crate) fn call_method_waited_for<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error: Into<PyErr>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    short(py, || call_guarded(&object.getattr(name)?, &arguments.into_pyobject(py).map_err(Into::into)?))
}
