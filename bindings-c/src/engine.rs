//! A client with the runtime that drives it, and the process that it belongs to.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use junfeiai::fork::Pid;
use junfeiai::platform::native::without_sigpipe;
use junfeiai::{CancelToken, Client, ClientBuilder, Error, ErrorKind, Phase, Result};
use tokio::runtime::{Builder, Runtime};

use crate::guard::{About, Failure, Outcome, need};
use crate::ops::Ops;

/// What every handle of a client holds on to.
pub(crate) struct Engine {
    client: Client,
    /// Always there; an option so that the end can take it.
    runtime: Option<Runtime>,
    process: Pid,
    /// The library's thread, from the first `…_async` to the end of the client.
    ops: Mutex<Ops>,
}

impl Engine {
    pub(crate) fn new(builder: ClientBuilder) -> Result<Arc<Self>> {
        let client = builder.build()?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(ErrorKind::Io, Phase::Config, format!("the runtime cannot be started: {error}"))
        })?;
        let (runtime, process) = (Some(runtime), Pid::current());
        Ok(Arc::new(Self { client, runtime, process, ops: Mutex::new(Ops::default()) }))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Sockets and threads do not survive a fork: what was made before it must not be touched after it.
    pub(crate) fn forked(&self) -> bool {
        !self.process.is_current()
    }

    pub(crate) fn check(&self) -> Outcome {
        if self.forked() { Err(Failure::Forked) } else { Ok(()) }
    }

    /// Drives a future to its end on the calling thread.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> Outcome<F::Output> {
        self.check()?;
        let runtime = need(self.runtime.as_ref(), "the runtime")?;
        // The program's own disposition of SIGPIPE is left as it is, and its callbacks run with the mask that it chose.
        Ok(without_sigpipe(|| {
            let _entered = runtime.enter();
            runtime.block_on(future)
        }))
    }

    /// Drives a call to its end, or to its cancelling.
    pub(crate) fn run<T>(&self, call: impl Future<Output = Result<T>>) -> Outcome<T> {
        self.run_about(&About::default(), call)
    }

    /// [`Engine::run`] for a call that creates, or that is about a task: a panic of it is an error that says so.
    pub(crate) fn run_about<T>(&self, about: &About, call: impl Future<Output = Result<T>>) -> Outcome<T> {
        Ok(self.block_on(caught(about.clone(), call))??)
    }

    /// Not after a fork, when the lock may be shut for ever.
    pub(crate) fn ops(&self) -> Outcome<MutexGuard<'_, Ops>> {
        self.check()?;
        Ok(self.ops.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without waiting: a name lookup that hangs must not hold up whoever frees the last handle, and the last
            // handle may be freed by a callback.
            without_sigpipe(|| runtime.shutdown_background());
        }
    }
}

/// A panic inside a call is an error of that call.
pub(crate) async fn caught<T>(about: About, call: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|panic| Err(about.panicked(panic)))
}

/// The token of a call: the caller's, or one that nobody cancels.
pub(crate) fn token(cancel: Option<&crate::jfai_cancel>) -> CancelToken {
    cancel.map(|cancel| cancel.token.clone()).unwrap_or_default()
}

/// Cancels for a call that may know its task.
pub(crate) async fn cancellable<T>(
    token: &CancelToken,
    task: Option<&str>,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    match task {
        Some(id) => token.run_for(id, call).await,
        None => token.run(call).await,
    }
}

/// Frees a handle of a client. After a fork the child's copy is left alone: closing its sockets would disturb the parent.
pub(crate) fn release<T>(handle: Option<Box<T>>, engine: impl FnOnce(&T) -> &Engine) {
    if let Some(handle) = handle {
        if engine(&handle).forked() {
            std::mem::forget(handle);
        } else {
            drop(handle);
        }
    }
}
