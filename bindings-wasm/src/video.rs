//! A video: its bytes.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use js_sys::{Function, Promise, Uint8Array};
use junfeiai::{DEFAULT_MAX_BYTES, Error, MemorySink, Phase, RangeResponse, Video};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use crate::convert::{self, io_error, progress_callback};
use crate::log::Log;
use crate::run::{Reading, Watched, promise_for};

/// A video that is done.
#[wasm_bindgen]
pub struct RawVideo {
    video: Video,
    /// The length that an earlier response to a player gave.
    total: Rc<Cell<Option<u64>>>,
    pub(crate) log: Log,
}

impl RawVideo {
    pub(crate) fn new(video: Video, log: &Log) -> Self {
        Self { video, total: Rc::default(), log: log.clone() }
    }

    /// What a save and a reader read.
    #[cfg(feature = "node")]
    pub(crate) fn video(&self) -> &Video {
        &self.video
    }
}

fn array(bytes: &Bytes) -> JsValue {
    Uint8Array::from(bytes.as_ref()).into()
}

#[wasm_bindgen]
extern "C" {
    /// Memory of JavaScript: what this module once took it never gives back.
    pub type Memory;
    #[wasm_bindgen(method, catch)]
    fn write(this: &Memory, at: f64, bytes: &[u8], length: Option<f64>) -> Result<(), JsValue>;
    #[wasm_bindgen(method)]
    fn clear(this: &Memory);
    #[wasm_bindgen(method)]
    fn read(this: &Memory, at: f64, length: f64) -> Uint8Array;
}

pub(crate) struct JsMemory(pub(crate) Memory);

impl MemorySink for JsMemory {
    fn write(&mut self, at: u64, bytes: &[u8], length: Option<u64>) -> Result<(), Error> {
        let written = self.0.write(at as f64, bytes, length.map(|length| length as f64));
        written.map_err(|error| io_error(&error, Phase::Content))
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn read(&self, at: u64, length: usize) -> Result<Bytes, Error> {
        Ok(self.0.read(at as f64, length as f64).to_vec().into())
    }
}

#[wasm_bindgen]
impl RawVideo {
    /// The task that made it.
    #[wasm_bindgen(getter, js_name = taskId)]
    pub fn task_id(&self) -> Option<String> {
        self.video.task_id().map(str::to_owned)
    }

    /// Its address, when it is known.
    #[wasm_bindgen(getter)]
    pub fn url(&self) -> Option<String> {
        self.video.url().map(str::to_owned)
    }

    /// The whole, checked video, into this memory.
    pub fn bytes(
        &self,
        memory: Memory,
        max_bytes: Option<f64>,
        tell: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let limit = match max_bytes.map(|max| convert::bytes(max, "maxBytes", self.video.task_id())).transpose() {
            Ok(limit) => limit.map_or(DEFAULT_MAX_BYTES, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            Err(error) => return Promise::reject(&error),
        };
        let video = self.video.clone();
        let read = async move {
            video.bytes_into(JsMemory(memory), limit, progress_callback(tell)).await.map(|_| JsValue::UNDEFINED)
        };
        promise_for(self.video.task_id(), signal, self.log.scoped(read))
    }

    /// Bytes from `start` up to, without, `end`, into this memory.
    #[wasm_bindgen(js_name = readRange)]
    pub fn read_range(&self, memory: Memory, start: f64, end: f64, signal: Option<AbortSignal>) -> Promise {
        let count = |number, name| convert::bytes(number, name, self.video.task_id());
        let range = match count(start, "start").and_then(|start| Ok(start..count(end, "end")?)) {
            Ok(range) => range,
            Err(error) => return Promise::reject(&error),
        };
        let video = self.video.clone();
        let read = async move { video.read_range_into(JsMemory(memory), range).await.map(|_| JsValue::UNDEFINED) };
        promise_for(self.video.task_id(), signal, self.log.scoped(read))
    }

    /// The bytes as they come.
    pub fn stream(&self) -> RawStream {
        RawStream { reading: Reading::new(self.log.stream(self.video.stream())) }
    }

    /// The response to a player that sent this `Range` header: `{status, headers, body}`.
    pub fn serve(&self, range: Option<String>, signal: Option<AbortSignal>) -> Promise {
        let (video, total, log) = (self.video.clone(), self.total.clone(), self.log.clone());
        let served = async move {
            let served = video.serve(range.as_deref(), total.get()).await?;
            total.set(served.total.or(total.get()));
            Ok(RawServed::new(served, &log))
        };
        promise_for(self.video.task_id(), signal, self.log.scoped(served))
    }
}

/// Bytes as they come.
#[wasm_bindgen]
pub struct RawStream {
    reading: Reading<Bytes>,
}

#[wasm_bindgen]
impl RawStream {
    /// The next piece; `undefined` at the end.
    pub fn next(&self) -> Promise {
        self.reading.next(Watched::Task(None), None, |bytes| array(&bytes))
    }

    /// Ends the transfer.
    pub fn cancel(&self) {
        self.reading.cancel();
    }
}

/// A response to a player.
#[wasm_bindgen]
pub struct RawServed {
    /// 200, 206 or 416.
    #[wasm_bindgen(readonly)]
    pub status: u16,
    headers: Vec<(&'static str, String)>,
    body: Option<RawStream>,
}

impl RawServed {
    fn new(served: RangeResponse, log: &Log) -> Self {
        let body = Some(RawStream { reading: Reading::new(log.stream(served.body)) });
        Self { status: served.status, headers: served.headers, body }
    }
}

#[wasm_bindgen]
impl RawServed {
    /// Pairs of name and value.
    pub fn headers(&self) -> JsValue {
        convert::value(&self.headers)
    }

    /// The body, once.
    pub fn body(&mut self) -> Option<RawStream> {
        self.body.take()
    }
}
