//! Many tasks at once.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use js_sys::{Array, Promise};
use junfeiai::{CreateTracker, Result, Video};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use crate::convert;
use crate::log::Log;
use crate::run::{Reading, Watched};
use crate::video::RawVideo;

type Ended = (JsValue, Result<Video>);

/// Tasks as they end.
#[wasm_bindgen]
pub struct RawMany {
    reading: Reading<Ended>,
    tracker: CreateTracker,
    log: Log,
}

impl RawMany {
    pub(crate) fn new<K: Into<JsValue> + 'static>(
        tracker: CreateTracker,
        stream: Pin<Box<dyn Stream<Item = (K, Result<Video>)>>>,
        log: &Log,
    ) -> Self {
        let reading = Reading::new(Box::pin(log.stream(stream).map(|(key, result)| Ok((key.into(), result)))));
        Self { reading, tracker, log: log.clone() }
    }
}

#[wasm_bindgen]
impl RawMany {
    /// The next that ended as `[key, video, error]`; `undefined` after the last.
    pub fn next(&self, signal: Option<AbortSignal>) -> Promise {
        let log = self.log.clone();
        self.reading.next(Watched::Creates(&self.tracker), signal, move |(key, result)| {
            let (video, error) = match result {
                Ok(video) => (RawVideo::new(video, &log).into(), JsValue::NULL),
                Err(error) => (JsValue::NULL, convert::error(&error)),
            };
            Array::of3(&key, &video, &error).into()
        })
    }

    /// Ends the waiting, never the tasks.
    pub fn cancel(&self) {
        self.reading.cancel();
    }
}
