//! The library's thread: it drives every `…_async` call of a client, and calls the callbacks between two steps.

use std::ffi::c_void;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread::{self, JoinHandle, ThreadId};

use futures_util::stream::{self, SelectAll, StreamExt as _};
use junfeiai::async_compat::BoxStream;
use junfeiai::{CancelToken, Error, ErrorKind, Phase, Result};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::engine::Engine;
use crate::guard::{Failure, Outcome};
use crate::pump::{Pump, Step};
use crate::queue::Line;

/// What the caller wants back in its callbacks.
#[derive(Clone, Copy)]
pub(crate) struct User(pub(crate) *mut c_void);

// SAFETY: the library never looks behind this pointer; the header says on which thread a callback gets it.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

/// A call of a callback that is due.
pub(crate) struct Delivery(Box<dyn FnOnce() + Send>);

impl Delivery {
    pub(crate) fn call(self) {
        // A callback is C; what can panic here is our own conversion, and nobody is there to be told.
        let _ = catch_unwind(AssertUnwindSafe(self.0));
    }
}

type Op = BoxStream<'static, Delivery>;

/// The thread, once there is one.
#[derive(Default)]
pub(crate) struct Ops {
    thread: Option<Thread>,
    ended: bool,
}

struct Thread {
    inbox: UnboundedSender<Op>,
    stop: CancelToken,
    handle: JoinHandle<()>,
}

impl Ops {
    /// Starts a call. `told` is asked for each progress and answers false to end the call, and is not called again then;
    /// `done` gets the end.
    pub(crate) fn start<T: Send + 'static, P: Send + 'static>(
        &mut self,
        engine: &Arc<Engine>,
        mut pump: Pump<T, P>,
        line: Option<Arc<Line>>,
        told: impl Fn(P) -> bool + Send + Sync + 'static,
        done: impl FnOnce(Result<T>) + Send + 'static,
    ) -> Outcome {
        engine.check()?;
        let thread = self.thread(engine)?;
        pump.also(thread.stop.clone());
        let told = Arc::new((told, AtomicBool::new(false)));
        let op = stream::unfold(Some((pump, done)), move |state| {
            let told = told.clone();
            async move {
                let (mut pump, done) = state?;
                Some(match pump.next().await {
                    Step::Progress(event) => {
                        let own = pump.own().clone();
                        let call = move || {
                            let (told, stopped) = &*told;
                            // A queue may hold several of them.
                            if !stopped.load(Ordering::Relaxed) && !told(event) {
                                stopped.store(true, Ordering::Relaxed);
                                own.cancel();
                            }
                        };
                        (Delivery(Box::new(call)), Some((pump, done)))
                    }
                    Step::Done(result) => (Delivery(Box::new(move || done(result))), None),
                })
            }
        });
        let op: Op = match line {
            None => Box::pin(op),
            // The caller's loop calls it; the queue lets it pass here.
            Some(line) => Box::pin(op.map(move |delivery| {
                let line = line.clone();
                Delivery(Box::new(move || line.push(delivery)))
            })),
        };
        let gone = |_| Failure::Core(Error::new(ErrorKind::Internal, Phase::Config, "the library's thread is gone"));
        thread.inbox.send(op).map_err(gone)
    }

    fn thread(&mut self, engine: &Arc<Engine>) -> Outcome<&Thread> {
        if self.ended {
            return Err(Failure::Argument("the client was freed: its asynchronous calls are over".to_owned()));
        }
        if self.thread.is_none() {
            let (inbox, receiver) = unbounded_channel();
            let engine = engine.clone();
            let handle = thread::Builder::new()
                .name("junfeiai".to_owned())
                .spawn(move || work(&engine, receiver))
                .map_err(|error| {
                    let text = format!("the library's thread cannot be started: {error}");
                    Failure::Core(Error::new(ErrorKind::Io, Phase::Config, text))
                })?;
            self.thread = Some(Thread { inbox, stop: CancelToken::new(), handle });
        }
        crate::guard::need(self.thread.as_ref(), "the thread")
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

fn work(engine: &Engine, mut inbox: UnboundedReceiver<Op>) {
    let mut ops: SelectAll<Op> = SelectAll::new();
    let mut open = true;
    loop {
        let next = engine.block_on(poll_fn(|cx| {
            while open {
                match inbox.poll_recv(cx) {
                    Poll::Ready(Some(op)) => ops.push(op),
                    Poll::Ready(None) => open = false,
                    Poll::Pending => break,
                }
            }
            match ops.poll_next_unpin(cx) {
                Poll::Ready(Some(delivery)) => Poll::Ready(Some(delivery)),
                Poll::Ready(None) if !open => Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        }));
        match next {
            Ok(Some(delivery)) => delivery.call(),
            Ok(None) | Err(_) => return,
        }
    }
}
