//! Saving through functions of JavaScript: the package brings those of Node's `fs`.

use std::sync::Arc;

use bytes::Bytes;
use js_sys::{Function, Promise, Uint8Array};
use junfeiai::async_compat::BoxFuture;
use junfeiai::{Keep, Phase, Result, Storage, Video};
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::convert::{self, io_error, progress_callback};

#[wasm_bindgen]
extern "C" {
    /// The storage that the package passes.
    #[derive(Clone)]
    pub type Handed;
    #[wasm_bindgen(method, getter)]
    fn text(this: &Handed) -> String;
    #[wasm_bindgen(method, getter)]
    fn length(this: &Handed) -> f64;
    #[wasm_bindgen(method, getter)]
    fn verify(this: &Handed) -> bool;
    #[wasm_bindgen(method, getter)]
    fn connections(this: &Handed) -> Option<u32>;
    #[wasm_bindgen(method, catch)]
    fn write(this: &Handed, at: f64, bytes: Uint8Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn note(this: &Handed, lines: &str) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn reset(this: &Handed) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn read(this: &Handed, at: f64, length: f64) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = cutText)]
    fn cut_text(this: &Handed, length: f64) -> Result<Promise, JsValue>;
}

struct JsStorage(Handed);

impl Storage for JsStorage {
    fn write(&self, at: u64, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        Box::pin(done(self.0.write(at as f64, Uint8Array::from(bytes.as_ref()))))
    }

    fn note(&self, lines: String) -> BoxFuture<'_, Result<()>> {
        Box::pin(done(self.0.note(&lines)))
    }

    fn reset(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(done(self.0.reset()))
    }

    fn read(&self, at: u64, length: usize) -> BoxFuture<'_, Result<Bytes>> {
        let read = self.0.read(at as f64, length as f64);
        Box::pin(async move {
            let value = settled(read).await?;
            Ok(value.dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec().into()).unwrap_or_default())
        })
    }

    fn cut_text(&self, length: usize) -> BoxFuture<'_, Result<()>> {
        Box::pin(done(self.0.cut_text(length as f64)))
    }
}

async fn done(begun: Result<Promise, JsValue>) -> Result<()> {
    settled(begun).await.map(|_| ())
}

async fn settled(begun: Result<Promise, JsValue>) -> Result<JsValue> {
    match begun {
        Ok(promise) => JsFuture::from(promise).await.map_err(|error| io_error(&error, Phase::Save)),
        Err(error) => Err(io_error(&error, Phase::Save)),
    }
}

pub(crate) async fn keep(video: Video, handed: Handed, tell: Option<Function>) -> Result<JsValue> {
    let mut policy = junfeiai::DownloadPolicy::default();
    policy.verify = handed.verify();
    policy.first_bytes = handed.verify();
    policy.connections = handed.connections().unwrap_or(policy.connections);
    let (text, length) = (handed.text(), handed.length() as u64);
    let keep = Keep { storage: Arc::new(JsStorage(handed)), text, length, policy };
    let finished = video.keep(keep, progress_callback(tell)).await?;
    let info = finished.info.as_ref();
    Ok(convert::value(&json!({
        "bytes": finished.total,
        "attempts": finished.attempts,
        "resumed": finished.resumed,
        "duration_s": info.and_then(|info| info.duration).map(|duration| duration.as_secs_f64()),
        "width": info.and_then(|info| info.width),
        "height": info.and_then(|info| info.height),
    })))
}
