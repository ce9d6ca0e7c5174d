//! Virtual time: a clock that stands still until a test lets it go on.
#![allow(dead_code)] // each test program uses a part of it

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use junfeiai::async_compat::BoxFuture;
use junfeiai::protocol::Time;
use junfeiai::transport::Timer;

/// A call that has not ended after so much virtual time waits for ever, as it was told to.
const FOR_EVER: Duration = Duration::from_secs(400 * 86_400);
/// A call that is woken so often while time goes on was told to try without an end; one that is woken so often while
/// time stands still is in a circle.
const MOST_WAKES: usize = 500;
/// The wall clock at the beginning, in unix seconds.
const BEGIN: u64 = 1_750_000_000;

/// The clock. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Clock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Duration,
    /// Whom to wake when: the time, and a number that tells those of one time apart.
    sleepers: BTreeMap<(Duration, usize), Waker>,
    numbers: usize,
}

struct Sleep {
    clock: Clock,
    until: Duration,
    key: Option<(Duration, usize)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if state.now >= self.until {
            return Poll::Ready(());
        }
        state.numbers += 1;
        let key = self.key.unwrap_or((self.until, state.numbers));
        state.sleepers.insert(key, cx.waker().clone());
        drop(state);
        self.key = Some(key);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.clock.state().sleepers.remove(&key);
        }
    }
}

impl Timer for Clock {
    fn now(&self) -> Time {
        Time::from_start(self.state().now)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.state().now.saturating_add(duration);
        Box::pin(Sleep { clock: self.clone(), until, key: None })
    }

    fn unix_now(&self) -> Option<u64> {
        Some(BEGIN + self.state().now.as_secs())
    }

    fn unix_time(&self) -> Option<Duration> {
        Some(Duration::from_secs(BEGIN) + self.state().now)
    }

    fn seed(&self) -> u64 {
        let mut state = self.state();
        state.numbers += 1;
        state.numbers as u64
    }
}

impl Clock {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Goes on by this much and wakes whoever is due.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.now += by;
        let after = state.now + Duration::from_nanos(1);
        let late = state.sleepers.split_off(&(after, 0));
        let due = std::mem::replace(&mut state.sleepers, late);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Drives a call to its end; `None` when it would wait for ever.
    pub(crate) fn run<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        struct Woken(AtomicBool);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(woken.clone());
        let begun = self.state().now;
        let mut call = pin!(call);
        let mut at = begun;
        let mut standing = 0;
        let mut moves = 0;
        loop {
            if let Poll::Ready(output) = call.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(output);
            }
            standing += 1;
            assert!(standing < MOST_WAKES, "woken {standing} times while time stands still");
            if woken.0.swap(false, Ordering::SeqCst) {
                continue;
            }
            let mut state = self.state();
            let ((until, _), waker) = state.sleepers.pop_first()?;
            if until.saturating_sub(begun) > FOR_EVER {
                return None;
            }
            state.now = state.now.max(until);
            if state.now > at {
                (at, moves, standing) = (state.now, moves + 1, 0);
                if moves == MOST_WAKES {
                    return None;
                }
            }
            drop(state);
            waker.wake();
        }
    }
}
