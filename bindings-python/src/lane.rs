//! How a Python thread carries its own blocking call.
//!
//! ```text
//! call ─▶ takes a lane ─▶ polls the call and turns its sockets and timers, the GIL released ─▶ puts the lane back
//!                              ▲          │ every 50 ms, and when there is progress to tell
//!                              └──────────┴─ the GIL: Ctrl-C, log lines, callbacks
//! ```
//!
//! No other thread takes part: a call costs no wake-up and no switch, and a thread that writes a file, or whose callback
//! takes its time, holds up nobody else. A lane is a runtime of one thread with its own connections. The one put back
//! last is taken first, so a program of one thread has one, and its connections live on from call to call.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use junfeiai::fork::{PerProcess, Pid};
use junfeiai::platform::native::without_sigpipe;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Sleep;

use crate::bridge::Output;
use crate::interpreter::{call, detach, may_attach, short};
use crate::log;

/// How often a waiting thread looks for Ctrl-C and hands on log lines.
const TICK: Duration = Duration::from_millis(50);
/// Lanes that are kept for the next calls, and for how long.
const MOST_IDLE: usize = 32;
const KEPT: Duration = Duration::from_secs(60);

/// A runtime that whoever waits on it turns.
struct Lane {
    /// Always there; an option so that the end can take it.
    runtime: Option<Runtime>,
    /// One timer for all the ticks of all calls: setting one up for each call would wake the runtime for nothing.
    tick: Mutex<Option<Pin<Box<Sleep>>>>,
    process: Pid,
}

struct Idle {
    lane: Arc<Lane>,
    since: Instant,
}

static IDLE: PerProcess<Mutex<VecDeque<Idle>>> = PerProcess::new();

fn idle() -> MutexGuard<'static, VecDeque<Idle>> {
    IDLE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lane {
    fn take() -> PyResult<Arc<Self>> {
        let kept = idle().pop_back();
        if let Some(kept) = kept {
            return Ok(kept.lane);
        }
        let runtime = Builder::new_current_thread().thread_name("junfeiai").enable_all().build();
        let runtime =
            runtime.map_err(|error| PyRuntimeError::new_err(format!("the runtime cannot be started: {error}")))?;
        Ok(Arc::new(Self { runtime: Some(runtime), tick: Mutex::default(), process: Pid::current() }))
    }

    fn put_back(self: Arc<Self>) {
        let now = Instant::now();
        let mut old = Vec::new();
        let mut idle = idle();
        while idle.len() >= MOST_IDLE || idle.front().is_some_and(|kept| now.duration_since(kept.since) > KEPT) {
            old.extend(idle.pop_front());
        }
        idle.push_back(Idle { lane: self, since: now });
        drop(idle);
        // Closing their connections need not hold up the others.
        drop(old);
    }

    /// Puts back a lane whose call was given up: its connection hears of that now, not with the next call.
    fn put_back_unfinished(self: Arc<Self>) {
        if self.settle() {
            self.put_back();
        }
    }

    /// Lets its connections do what is left to do. False where that is not possible.
    fn settle(&self) -> bool {
        if !self.process.is_current() || Handle::try_current().is_ok() {
            return false;
        }
        if let Some(runtime) = &self.runtime {
            without_sigpipe(|| {
                runtime.block_on(async {
                    tokio::task::yield_now().await;
                    tokio::task::yield_now().await;
                });
            });
        }
        true
    }

    /// Runs the call until it is done, or until `pause` or the clock asks to look after Python.
    fn drive<T>(
        &self,
        mut call: Pin<&mut (dyn Future<Output = T> + Send + '_)>,
        pause: impl Fn() -> bool,
    ) -> Option<T> {
        let runtime = self.runtime.as_ref()?;
        // Python's own disposition of SIGPIPE is left as it is, and its callbacks run with the mask that it chose.
        without_sigpipe(|| {
            runtime.block_on(async {
                // What came since the last call first: a connection that is free again, or that the server closed.
                tokio::task::yield_now().await;
                let mut kept = self.tick.try_lock().ok();
                let mut own = None;
                let tick = kept.as_deref_mut().unwrap_or(&mut own);
                let mut tick = tick.get_or_insert_with(|| Box::pin(tokio::time::sleep(TICK))).as_mut();
                if tick.is_elapsed() {
                    tick.as_mut().reset(tokio::time::Instant::now() + TICK);
                }
                poll_fn(|cx| {
                    // The clock first: a call that is busy without end must not use up the turn of this one.
                    if tick.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    match call.as_mut().poll(cx) {
                        Poll::Ready(output) => Poll::Ready(Some(output)),
                        Poll::Pending if pause() => Poll::Ready(None),
                        Poll::Pending => Poll::Pending,
                    }
                })
                .await
            })
        })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if self.process.is_current() {
            // Without waiting for a name lookup that hangs.
            without_sigpipe(|| runtime.shutdown_background());
        } else {
            // After a fork this is the parent's: taking it down would take its sockets off the parent's list.
            std::mem::forget(runtime);
            std::mem::forget(std::mem::take(&mut self.tick));
        }
    }
}

/// Has the connections of a client closed that is gone: nobody else would, as long as no call is made.
pub(crate) fn let_go() {
    let mut kept = std::mem::take(&mut *idle());
    for one in &kept {
        one.lane.settle();
    }
    let mut idle = idle();
    while let Some(one) = kept.pop_back() {
        idle.push_front(one);
    }
}

/// The lane of something that lives longer than one call, a file or an iterator, and has its connection there.
#[derive(Clone, Default)]
pub(crate) struct Home(Arc<HomeLane>);

#[derive(Default)]
struct HomeLane(Mutex<Option<Arc<Lane>>>);

impl Home {
    fn lane(&self) -> PyResult<Arc<Lane>> {
        let mut lane = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*lane {
            Some(lane) if lane.process.is_current() => Ok(lane.clone()),
            _ => Ok(lane.insert(Lane::take()?).clone()),
        }
    }
}

impl Drop for HomeLane {
    fn drop(&mut self) {
        if let Some(lane) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            lane.put_back_unfinished();
        }
    }
}

/// Progress that waits to be told, on its way from a call to its callback.
#[derive(Clone, Default)]
pub(crate) struct News(Arc<Mutex<VecDeque<Output>>>);

impl News {
    pub(crate) fn push(&self, argument: Output) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(argument);
    }

    fn pop(&self) -> Option<Output> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn is_waiting(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// A callback and the news for it.
pub(crate) struct Listener<'a> {
    pub(crate) callback: &'a Py<PyAny>,
    pub(crate) news: &'a News,
}

impl Listener<'_> {
    /// Calls the callback with all that there is.
    fn tell(&self, py: Python<'_>) -> PyResult<()> {
        while let Some(argument) = self.news.pop() {
            let argument = short(py, || argument(py))?;
            call(self.callback.bind(py), (argument,))?;
        }
        Ok(())
    }
}

/// The lane of one call, which goes back at its end.
struct Seat<'a> {
    lane: Option<Arc<Lane>>,
    home: Option<&'a Home>,
    finished: bool,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        match self.lane.take() {
            Some(lane) if self.home.is_none() && self.finished => lane.put_back(),
            Some(lane) if self.home.is_none() => lane.put_back_unfinished(),
            _ => {}
        }
    }
}

/// Runs a call to its end on this thread, in its home or on any lane. Ctrl-C, and an exception in the callback, end it
/// at once.
pub(crate) fn block<T: Send>(
    py: Python<'_>,
    home: Option<&Home>,
    listener: Option<&Listener<'_>>,
    call: Pin<Box<dyn Future<Output = T> + Send + '_>>,
) -> PyResult<T> {
    log::look_at_level(py);
    let lane = home.map_or_else(Lane::take, Home::lane)?;
    let mut seat = Seat { lane: Some(lane.clone()), home, finished: false };
    // Behind the seat: a call that is given up is dropped before its lane goes back.
    let mut call = call;
    let news = listener.map(|listener| listener.news);
    loop {
        let step = detach(py, || {
            if !may_attach() {
                return None;
            }
            lane.drive(call.as_mut(), || news.is_some_and(News::is_waiting))
        });
        log::drain(py);
        if let Some(listener) = listener {
            listener.tell(py)?;
        }
        if let Some(output) = step {
            seat.finished = true;
            return Ok(output);
        }
        short(py, || py.check_signals())?;
    }
}
