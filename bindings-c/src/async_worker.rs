//! The library's thread: it drives every `…_async` call of a client, and calls the callbacks between two steps.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle, ThreadId};

use futures_util::stream::{self, SelectAll, StreamExt as _};
use junfeiai::async_compat::BoxStream;
use junfeiai::platform::native::serving_others;
use junfeiai::{CancelToken, Error, ErrorKind, Phase, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::callback::Delivery;
use crate::completion_queue::CompletionQueue;
use crate::executor::Executor;
use crate::failure::{Failure, Outcome, need};
use crate::progress_call::{ProgressCall, Step};

/// A call as the callbacks that it makes due, one after the other.
type Operation = BoxStream<'static, Delivery>;

/// The thread, once there is one.
#[derive(Default)]
pub(crate) struct AsyncWorker {
    thread: Option<Thread>,
    ended: bool,
}

struct Thread {
    inbox: UnboundedSender<Operation>,
    stop: CancelToken,
    handle: JoinHandle<()>,
}

impl AsyncWorker {
    /// Starts a call. `on_progress` is called with each progress and returns false to end the call, after which it is not
    /// called again; `done` is called with the result. With a queue both are called where it is drained.
    pub(crate) fn start<T: Send + 'static, P: Send + 'static>(
        &mut self,
        executor: &Arc<Executor>,
        mut call: ProgressCall<T, P>,
        queue: Option<Arc<CompletionQueue>>,
        on_progress: impl Fn(P) -> bool + Send + Sync + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Outcome {
        executor.check()?;
        let thread = self.thread(executor)?;
        call.cancel_with(thread.stop.clone());
        let on_progress = Arc::new((on_progress, AtomicBool::new(false)));
        let operation = stream::unfold(Some((call, done)), move |state| {
            let on_progress = on_progress.clone();
            async move {
                let (mut call, done) = state?;
                Some(match call.next().await {
                    Step::Progress(event) => {
                        let token = call.token().clone();
                        let deliver = move || {
                            let (on_progress, stopped) = &*on_progress;
                            // A queue may hold several of them.
                            if !stopped.load(Ordering::Relaxed) && !on_progress(event) {
                                stopped.store(true, Ordering::Relaxed);
                                token.cancel();
                            }
                        };
                        (Delivery::new(deliver), Some((call, done)))
                    }
                    Step::Done(result) => (Delivery::new(move || done(result)), None),
                })
            }
        });
        let operation: Operation = match queue {
            None => Box::pin(operation),
            // The thread only puts it into the queue; the caller's loop calls it.
            Some(queue) => Box::pin(operation.map(move |delivery| {
                let queue = queue.clone();
                Delivery::new(move || queue.push(delivery))
            })),
        };
        let gone = |_| Failure::Core(Error::new(ErrorKind::Internal, Phase::Config, "the library's thread is gone"));
        thread.inbox.send(operation).map_err(gone)
    }

    fn thread(&mut self, executor: &Arc<Executor>) -> Outcome<&Thread> {
        if self.ended {
            return Err(Failure::Argument("the client was freed: its asynchronous calls have ended".to_owned()));
        }
        if self.thread.is_none() {
            let (inbox, receiver) = unbounded_channel();
            let executor = executor.clone();
            let handle = thread::Builder::new()
                .name("junfeiai".to_owned())
                .spawn(move || work(&executor, receiver))
                .map_err(|error| {
                    let text = format!("the library's thread cannot be started: {error}");
                    Failure::Core(Error::new(ErrorKind::Io, Phase::Config, text))
                })?;
            self.thread = Some(Thread { inbox, stop: CancelToken::new(), handle });
        }
        need(self.thread.as_ref(), "the thread")
    }

    /// Cancels every call and lets no new one begin.
    pub(crate) fn end(&mut self) -> Ending {
        self.ended = true;
        Ending(self.thread.take().map(|thread| {
            thread.stop.cancel();
            // Without a sender left the thread ends after its last call.
            drop(thread.inbox);
            thread.handle
        }))
    }
}

/// A thread that is about to end.
pub(crate) struct Ending(Option<JoinHandle<()>>);

impl Ending {
    /// Waits for it, unless it is the thread that asks.
    pub(crate) fn join(self) {
        if let Some(handle) = self.0
            && handle.thread().id() != current()
        {
            let _ = handle.join();
        }
    }
}

fn current() -> ThreadId {
    thread::current().id()
}

fn work(executor: &Executor, mut inbox: UnboundedReceiver<Operation>) {
    let mut operations: SelectAll<Operation> = SelectAll::new();
    let mut open = true;
    loop {
        let poll = poll_fn(|cx| {
            while open {
                match inbox.poll_recv(cx) {
                    Poll::Ready(Some(operation)) => operations.push(operation),
                    Poll::Ready(None) => open = false,
                    Poll::Pending => break,
                }
            }
            match operations.poll_next_unpin(cx) {
                Poll::Ready(Some(delivery)) => Poll::Ready(Some(delivery)),
                Poll::Ready(None) if !open => Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        });
        // A disk that stalls under one call stalls no other one.
        match serving_others(|| executor.block_on(poll)) {
            Ok(Some(delivery)) => delivery.call(),
            Ok(None) | Err(_) => return,
        }
    }
}
