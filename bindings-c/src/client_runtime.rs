//! A client with what drives its calls: the executor for blocking ones, the worker for `…_async` ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use junfeiai::{Client, ClientBuilder, Result};

use crate::async_worker::{AsyncWorker, Ending};
use crate::call_context::{CallContext, caught};
use crate::completion_queue::CompletionQueue;
use crate::executor::Executor;
use crate::failure::Outcome;
use crate::progress_call::ProgressCall;

/// What every handle of a client holds on to.
pub(crate) struct ClientRuntime {
    // Before the client: the runtime is shut down first, then the connections are dropped.
    executor: Arc<Executor>,
    client: Client,
    /// From the first `…_async` to the end of the client.
    worker: Mutex<AsyncWorker>,
}

impl ClientRuntime {
    pub(crate) fn new(builder: ClientBuilder) -> Result<Arc<Self>> {
        let client = builder.build()?;
        let executor = Arc::new(Executor::new()?);
        Ok(Arc::new(Self { executor, client, worker: Mutex::default() }))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Fails in a child of `fork()`.
    pub(crate) fn check(&self) -> Outcome {
        self.executor.check()
    }

    /// Drives a call to its end, or until it is cancelled.
    pub(crate) fn run<T>(&self, call: impl Future<Output = Result<T>>) -> Outcome<T> {
        self.run_in(&CallContext::default(), call)
    }

    /// [`ClientRuntime::run`] for a call that creates, or that is about a task: a panic of it is an error that says so.
    pub(crate) fn run_in<T>(&self, context: &CallContext, call: impl Future<Output = Result<T>>) -> Outcome<T> {
        Ok(self.executor.block_on(caught(context.clone(), call))??)
    }

    /// Drives a call to its end on this thread; see [`ProgressCall::run`].
    pub(crate) fn run_with_progress<T: Send + 'static, P>(
        &self,
        call: ProgressCall<T, P>,
        on_progress: impl FnMut(P) -> bool,
    ) -> Outcome<T> {
        call.run(&self.executor, on_progress)
    }

    /// Starts a call on the worker's thread; see [`AsyncWorker::start`].
    pub(crate) fn start<T: Send + 'static, P: Send + 'static>(
        &self,
        call: ProgressCall<T, P>,
        queue: Option<Arc<CompletionQueue>>,
        on_progress: impl Fn(P) -> bool + Send + Sync + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Outcome {
        self.worker()?.start(&self.executor, call, queue, on_progress, done)
    }

    /// Cancels every `…_async` call and lets no new one begin.
    pub(crate) fn end_async(&self) -> Outcome<Ending> {
        Ok(self.worker()?.end())
    }

    /// Not after a fork, when the lock may be shut for ever.
    fn worker(&self) -> Outcome<MutexGuard<'_, AsyncWorker>> {
        self.check()?;
        Ok(self.worker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Frees a handle of a client. After a fork the child's copy is left alone: closing its sockets would disturb the parent.
pub(crate) fn release<T>(handle: Option<Box<T>>, runtime: impl FnOnce(&T) -> &ClientRuntime) {
    if let Some(handle) = handle {
        if runtime(&handle).executor.forked() {
            std::mem::forget(handle);
        } else {
            drop(handle);
        }
    }
}
