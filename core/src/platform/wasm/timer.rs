//! The clock of a JavaScript engine.

use std::time::Duration;

use js_sys::{Date, Function, Math, Promise, Reflect, global};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::platform::BoxFuture;
use crate::protocol::Time;
use crate::transport::Timer;

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
                let mut timeout = Timeout(JsValue::UNDEFINED);
                let fired = Promise::new(&mut |resolve, _| timeout = Timeout::set(&resolve, step));
                // It never rejects.
                let _ = JsFuture::from(fired).await;
                drop(timeout);
                left -= step;
            }
        })
    }

    fn unix_now(&self) -> Option<u64> {
        Some((Date::now() / 1000.0) as u64)
    }

    fn seed(&self) -> u64 {
        // Good enough for jitter.
        Math::random().to_bits() ^ Date::now().to_bits().rotate_left(32)
    }
}

/// An HTTP date in unix seconds.
pub(crate) fn http_date(text: &str) -> Option<u64> {
    // The engine reads much more than the three forms of HTTP, which all but one end so.
    let milliseconds = if text.ends_with(" GMT") { Date::parse(text) } else { f64::NAN };
    (milliseconds >= 0.0).then_some((milliseconds / 1000.0) as u64)
}

/// A timer of the engine, given back when nobody waits for it any more: it would keep a Node process alive.
struct Timeout(JsValue);

impl Timeout {
    fn set(callback: &Function, milliseconds: f64) -> Self {
        Self(call("setTimeout", callback, &milliseconds.into()))
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        if !self.0.is_undefined() {
            call("clearTimeout", &self.0, &JsValue::UNDEFINED);
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
