//! Completions for the caller's own loop.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use junfeiai::fork::ForkGuard;

use crate::callback::{Delivery, UserData};
use crate::error_handle::jfai_error;
use crate::failure::{Failure, Outcome, need};
use crate::guard::{guard, guard_or};
use crate::status::jfai_status;
use crate::time::milliseconds;

/// Called by the library's thread when something new is in a queue. It should only wake the loop that drains the queue.
pub type jfai_wakeup_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// Holds callbacks back until the caller's own loop drains it. Shareable between threads.
pub struct jfai_queue {
    /// A child of `fork()` leaves it alone: the library's thread of the parent may have held its lock.
    queue: ForkGuard<Arc<CompletionQueue>>,
}

impl jfai_queue {
    pub(crate) fn get(&self) -> Outcome<&Arc<CompletionQueue>> {
        self.queue.get().ok_or(Failure::Forked)
    }
}

#[derive(Default)]
pub(crate) struct CompletionQueue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Delivery>,
    wakeup: Option<(unsafe extern "C" fn(*mut c_void), UserData)>,
    closed: bool,
}

impl CompletionQueue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, delivery: Delivery) {
        let mut state = self.state();
        if state.closed {
            drop(state);
            // Nobody drains it any more, but every callback is called once.
            delivery.call();
            return;
        }
        state.waiting.push_back(delivery);
        self.arrived.notify_one();
        if let Some((wakeup, user)) = state.wakeup {
            // SAFETY: the header asks for a function that may be called from any thread until it is replaced or the
            // queue is freed; both take this lock first.
            unsafe { wakeup(user.0) };
        }
    }

    fn take(&self, timeout: Duration) -> VecDeque<Delivery> {
        let until = Instant::now().checked_add(timeout);
        let mut state = self.state();
        while state.waiting.is_empty() {
            let left = until.map_or(Duration::from_secs(3600), |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            state = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut state.waiting)
    }
}

/// Makes a queue.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_queue_new(
    out: Option<&mut MaybeUninit<Box<jfai_queue>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(out, "out")?.write(Box::new(jfai_queue { queue: ForkGuard::new(Arc::default()) }));
        Ok(())
    })
}

/// Frees a queue. NULL is ignored. Callbacks that wait in it are called now; those of calls that still run will be called on the
/// library's thread, so cancel and drain these first, or free the client first.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_queue_free(queue: Option<Box<jfai_queue>>) {
    guard_or!(() => if let Some(queue) = queue.as_ref().and_then(|queue| queue.queue.get()) {
        let rest = {
            let mut state = queue.state();
            state.closed = true;
            state.wakeup = None;
            std::mem::take(&mut state.waiting)
        };
        rest.into_iter().for_each(Delivery::call);
    });
}

/// Sets the function that wakes the loop that drains the queue: it writes to a pipe or an eventfd, or posts a message. NULL for none.
/// It is called on the library's thread and must not call the library. After this returned, the previous one is no longer called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_queue_set_wakeup(
    queue: Option<&jfai_queue>,
    wakeup: jfai_wakeup_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(queue, "queue")?.get()?.state().wakeup = wakeup.map(|wakeup| (wakeup, UserData(user)));
        Ok(())
    })
}

/// Calls the callbacks that wait in the queue, on this thread. When there are none it waits for the first, up to
/// `timeout_ms` milliseconds (0: not at all; `JFAI_FOREVER`). `out_count` (may be NULL) gets how many were called.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_queue_drain(
    queue: Option<&jfai_queue>,
    timeout_ms: u64,
    out_count: Option<&mut MaybeUninit<usize>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let deliveries = need(queue, "queue")?.get()?.take(milliseconds(timeout_ms));
        let count = deliveries.len();
        for delivery in deliveries {
            delivery.call();
        }
        if let Some(out) = out_count {
            out.write(count);
        }
        Ok(())
    })
}
