//! The clock of a JavaScript engine.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use js_sys::{Date, Function, Math, Reflect, global};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::async_compat::BoxFuture;
use crate::net::transport::Timer;
use crate::time::Time;

/// `setTimeout` takes a signed 32-bit number of milliseconds; what is longer would fire at once.
const LONGEST_MS: f64 = 2_147_483_647.0;

/// Time by `performance.now` and `setTimeout`.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsTimer;

impl Timer for JsTimer {
    fn now(&self) -> Time {
        let monotonic = property(&global(), "performance").and_then(|performance| {
            let now = property(&performance, "now")?.dyn_into::<Function>().ok()?;
            now.call0(&performance).ok()?.as_f64()
        });
        let milliseconds = monotonic.unwrap_or_else(Date::now);
        Time::from_start(Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // A timer may fire a little early, which would cost a round of asking for nothing.
            let mut left = (duration.as_secs_f64() * 1000.0).ceil();
            while left > 0.0 {
                let step = left.min(LONGEST_MS);
                Timeout::set(step).await;
                left -= step;
            }
        })
    }

    fn unix_now(&self) -> Option<u64> {
        Some((Date::now() / 1000.0) as u64)
    }

    fn unix_time(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(Date::now() / 1000.0).ok()
    }

    fn seed(&self) -> u64 {
        // Good enough for jitter.
        Math::random().to_bits() ^ Date::now().to_bits().rotate_left(32)
    }
}

/// A timer of the engine. Dropped, it is cleared (it would keep a Node process alive) and its callback freed. It is no
/// promise, because one that never settles is never freed: most timers here are limits that are not reached.
struct Timeout {
    id: JsValue,
    state: Rc<RefCell<State>>,
    _callback: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct State {
    fired: bool,
    waker: Option<Waker>,
}

impl Timeout {
    fn set(milliseconds: f64) -> Self {
        let state = Rc::new(RefCell::new(State::default()));
        let told = state.clone();
        let callback = Closure::<dyn FnMut()>::new(move || {
            let mut state = told.borrow_mut();
            state.fired = true;
            let waker = state.waker.take();
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        let id = call("setTimeout", callback.as_ref(), &milliseconds.into());
        Self { id, state, _callback: callback }
    }
}

impl Future for Timeout {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        if state.fired {
            return Poll::Ready(());
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        if !self.state.borrow().fired {
            call("clearTimeout", &self.id, &JsValue::UNDEFINED);
        }
    }
}

fn call(name: &str, first: &JsValue, second: &JsValue) -> JsValue {
    let function = property(&global(), name).and_then(|value| value.dyn_into::<Function>().ok());
    function.and_then(|function| function.call2(&JsValue::UNDEFINED, first, second).ok()).unwrap_or_default()
}

/// A property that is there and has a value.
pub(super) fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &JsValue::from_str(name)).ok().filter(|value| !value.is_undefined() && !value.is_null())
}
