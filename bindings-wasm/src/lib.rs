//! The JavaScript binding of `junfeiai`: it converts and never decides.
//!
//! Everything here is private to the npm package, whose TypeScript (`bindings-wasm/ts`) gives it its shape. Its
//! rules: a promise owns clones of what it needs, so no borrow is held over an await; errors cross as the plain
//! record of `junfeiai::Error::to_json`; durations cross as seconds; a stream is taken out of its cell while it is read.
//!
//! On other targets than wasm32 there is nothing in it.
#![cfg(target_arch = "wasm32")]
// What the attribute exports to JavaScript has to be `pub`.
#![allow(unreachable_pub)]
// What crosses the border crosses it by value.
#![allow(clippy::needless_pass_by_value)]
// Nothing is `Send` here; the core takes what is shared as it does where there are threads.
#![allow(clippy::arc_with_non_send_sync)]

#[cfg(feature = "node")]
mod advance;
mod client;
mod convert;
#[cfg(feature = "journal")]
mod journal;
#[cfg(feature = "node")]
mod journal_file;
#[cfg(feature = "node")]
mod log;
#[cfg(not(feature = "node"))]
#[path = "no_log.rs"]
mod log;
mod many;
#[cfg(feature = "node")]
mod node;
#[cfg(feature = "node")]
mod node_client;
#[cfg(feature = "journal")]
mod process;
#[cfg(feature = "node")]
mod reader;
mod run;
#[cfg(feature = "node")]
mod save;
mod task;
mod video;

use wasm_bindgen::prelude::wasm_bindgen;

/// A defect on purpose: what the tests of the way from a panic to an error call.
///
/// # Panics
/// At once, or when the promise is polled.
#[wasm_bindgen(js_name = panicForTests)]
pub fn panic_for_tests(later: bool) -> js_sys::Promise {
    assert!(later, "a defect made on purpose");
    wasm_bindgen_futures::future_to_promise(async move {
        assert!(!later, "a defect made on purpose, later");
        Ok(wasm_bindgen::JsValue::UNDEFINED)
    })
}

/// Where panics are reported before the engine stops the module. The function gets one line of text.
#[wasm_bindgen(js_name = onPanic)]
pub fn on_panic(tell: js_sys::Function) {
    let tell = run::OneThread(tell);
    std::panic::set_hook(Box::new(move |info| {
        let text = wasm_bindgen::JsValue::from_str(&info.to_string());
        // There is nothing left to report a failure to.
        let _ = tell.get().call1(&wasm_bindgen::JsValue::UNDEFINED, &text);
    }));
}
