//! The tokio runtime of the async client, and who may enter the interpreter while it ends.
//!
//! Blocking calls have no part in this runtime: see [`lane`](crate::lane).
//!
//! `CPython` up to 3.13 ends a daemon thread by `pthread_exit` as soon as it asks for the GIL of an interpreter that is being
//! taken down, and unwinding by `pthread_exit` aborts the process when it meets Rust code. So whoever has Rust code below the
//! Python code that it runs is [`Inside`], the interpreter's end waits until nobody is, and nobody enters any more.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use junfeiai::platform::PerProcess;
use junfeiai::platform::native::block_sigpipe;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use tokio::runtime::{Handle, Runtime};

/// How long the interpreter's end waits for what is in flight to let go.
const FAREWELL: Duration = Duration::from_millis(300);
/// How long the interpreter's end waits for callbacks of daemon threads: so long after the last one ended, and at most so long.
const CALLBACKS_STEP: Duration = Duration::from_secs(2);
const CALLBACKS_MOST: Duration = Duration::from_secs(10);
/// How often those that go on are interrupted again: whoever handled the exception gets another.
const INTERRUPT_EVERY: Duration = Duration::from_millis(100);

struct Running {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
}

static RUNTIME: PerProcess<Result<Running, String>> = PerProcess::new();
/// The thread that ends the interpreter, once it does.
static CLOSING: OnceLock<ThreadId> = OnceLock::new();

/// This process's runtime for asyncio; after `fork()` the child makes its own.
pub(crate) fn handle() -> PyResult<Handle> {
    let start = || {
        tokio::runtime::Builder::new_multi_thread()
            // One: a second is woken for every answer, and has nothing to do. What keeps a disk busy is not done here.
            .worker_threads(1)
            .thread_name("junfeiai")
            // These threads run nothing of the program's, and it may want SIGPIPE for its own pipes.
            .on_thread_start(block_sigpipe)
            .enable_all()
            .build()
            .map(|runtime| Running { handle: runtime.handle().clone(), runtime: Mutex::new(Some(runtime)) })
            .map_err(|error| format!("the runtime cannot be started: {error}"))
    };
    match RUNTIME.get_or_init(start) {
        Ok(running) => Ok(running.handle.clone()),
        Err(message) => Err(PyRuntimeError::new_err(message.clone())),
    }
}

/// True while this thread may go back into the interpreter.
pub(crate) fn may_attach() -> bool {
    CLOSING.get().is_none_or(|closer| *closer == std::thread::current().id())
}

/// Called by `atexit`: what is in flight is dropped, and no thread of ours enters the interpreter any more.
pub(crate) fn shutdown(py: Python<'_>) {
    let _ = CLOSING.set(std::thread::current().id());
    py.detach(|| {
        crate::courier::stop();
        if let Some(Ok(running)) = RUNTIME.get() {
            let runtime = running.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(FAREWELL);
            }
        }
    });
    crate::paid::report_all(py);
    end_callbacks(py);
}

/// Has every callback of another thread end by an exception, and waits for that. One that sleeps in C code for longer is
/// left: the process ends before it wakes up.
fn end_callbacks(py: Python<'_>) {
    let begun = Instant::now();
    let (mut left, mut since, mut interrupted) = (usize::MAX, begun, None);
    loop {
        let others = others_inside();
        let now = Instant::now();
        if others.len() < left {
            (left, since) = (others.len(), now);
        }
        if left == 0 || now - since > CALLBACKS_STEP || now - begun > CALLBACKS_MOST {
            return;
        }
        if interrupted.is_none_or(|last| now - last > INTERRUPT_EVERY) {
            interrupted = Some(now);
            let idents: Vec<u64> = others.into_iter().flatten().collect();
            // Without it, threads are only waited for.
            let _ =
                py.import(intern!(py, "junfeiai._exit")).and_then(|module| module.call_method1("interrupt", (idents,)));
        }
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
    }
}

/// Threads that are [`Inside`], each with Python's number of it.
type Threads = Mutex<Vec<(ThreadId, Option<u64>)>>;

static INSIDE: PerProcess<Threads> = PerProcess::new();

fn inside() -> MutexGuard<'static, Vec<(ThreadId, Option<u64>)>> {
    INSIDE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

fn others_inside() -> Vec<Option<u64>> {
    let this = std::thread::current().id();
    inside().iter().filter(|(thread, _)| *thread != this).map(|(_, ident)| *ident).collect()
}

/// Puts this thread on the list; false when it is there already.
fn register() -> bool {
    let this = std::thread::current().id();
    let mut threads = inside();
    let new = threads.iter().all(|(thread, _)| *thread != this);
    if new {
        threads.push((this, IDENT.get()));
    }
    new
}

fn unregister() {
    let this = std::thread::current().id();
    inside().retain(|(thread, _)| *thread != this);
}

thread_local! {
    /// Python's number of this thread, once it is known.
    static IDENT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Lets a thread go on only while the interpreter is not being taken down; otherwise it sleeps until the process ends.
/// Called without the GIL.
fn enter_or_stay_out() {
    register();
    while !may_attach() {
        unregister();
        std::thread::park();
    }
}

/// Marks that this thread runs Python code with Rust code below it, or is about to.
pub(crate) struct Inside {
    outermost: bool,
}

impl Inside {
    /// For a thread that was attached by Python.
    pub(crate) fn enter(py: Python<'_>) -> Self {
        if IDENT.get().is_none() {
            let ident = || py.import(intern!(py, "_thread"))?.call_method0(intern!(py, "get_ident"))?.extract();
            IDENT.set(ident().ok());
        }
        let inside = Self { outermost: register() };
        inside.stay_out_at_the_end(py);
        inside
    }

    /// For a thread of ours that attaches itself next. `None` when the interpreter ends.
    pub(crate) fn before_attach() -> Option<Self> {
        let inside = Self { outermost: register() };
        may_attach().then_some(inside)
    }

    /// Runs something without the GIL.
    #[allow(clippy::unused_self)] // whoever has it has registered this thread
    pub(crate) fn detach<T: Send>(&self, py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
        py.detach(|| {
            /// However the work ends, and before the GIL is asked for.
            struct Back;
            impl Drop for Back {
                fn drop(&mut self) {
                    enter_or_stay_out();
                }
            }
            unregister();
            let _back = Back;
            work()
        })
    }

    /// To be called after Python code that may have taken its time: when the interpreter ends, this does not return.
    pub(crate) fn stay_out_at_the_end(&self, py: Python<'_>) {
        if !may_attach() {
            self.detach(py, || {});
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if self.outermost {
            unregister();
        }
    }
}
