//! Saving through functions of JavaScript: the package brings those of Node's `fs`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use js_sys::{Function, Promise, Uint8Array};
use junfeiai::async_compat::BoxFuture;
use junfeiai::protocol::process::ProcessTable;
use junfeiai::storage::{Access, FileStat, Renamed, Storage, SystemLock};
use junfeiai::transport::Piece;
use junfeiai::{CancelToken, Phase, Result, SaveOptions, Video};
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortSignal;

use crate::convert::{self, io_error, progress_callback};
use crate::node::{Taken, performance_now};
use crate::run::promise_with;
use crate::video::RawVideo;

#[wasm_bindgen]
extern "C" {
    /// The storage that the package passes: see `bindings-wasm/ts/saver.ts`.
    pub type JsStorage;
    #[wasm_bindgen(method)]
    fn display(this: &JsStorage, suffix: &str) -> String;
    #[wasm_bindgen(method, getter)]
    fn pid(this: &JsStorage) -> u32;
    #[wasm_bindgen(method, getter, js_name = bootId)]
    fn boot_id(this: &JsStorage) -> Option<String>;
    #[wasm_bindgen(method, getter, js_name = pidSpace)]
    fn pid_space(this: &JsStorage) -> Option<String>;
    #[wasm_bindgen(method, js_name = procStat)]
    fn proc_stat(this: &JsStorage, pid: Option<u32>) -> Option<String>;
    #[wasm_bindgen(method, js_name = processExists)]
    fn process_exists(this: &JsStorage, pid: u32) -> Option<bool>;
    #[wasm_bindgen(method)]
    fn stat(this: &JsStorage, suffix: &str, follow: bool) -> Promise;
    #[wasm_bindgen(method)]
    fn open(this: &JsStorage, suffix: &str, write: bool, create: bool) -> Promise;
    #[wasm_bindgen(method)]
    fn close(this: &JsStorage, suffix: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn read(this: &JsStorage, suffix: &str, at: f64, length: f64) -> Promise;
    #[wasm_bindgen(method)]
    fn write(this: &JsStorage, suffix: &str, at: f64, bytes: Uint8Array, places: &[f64]) -> Promise;
    #[wasm_bindgen(method)]
    fn truncate(this: &JsStorage, suffix: &str, length: f64) -> Promise;
    #[wasm_bindgen(method)]
    fn sync(this: &JsStorage, suffix: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn create(this: &JsStorage, suffix: &str, text: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn rename(this: &JsStorage, from: &str, to: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn link(this: &JsStorage, from: &str, to: &str) -> Promise;
    #[wasm_bindgen(method)]
    fn remove(this: &JsStorage, suffix: &str) -> Promise;
    #[wasm_bindgen(method, js_name = createFolders)]
    fn create_folders(this: &JsStorage) -> Promise;
    #[wasm_bindgen(method, js_name = syncFolder)]
    fn sync_folder(this: &JsStorage) -> Promise;
    #[wasm_bindgen(method, js_name = freeSpace)]
    fn free_space(this: &JsStorage) -> Promise;

    /// What a name leads to.
    type JsFileStat;
    #[wasm_bindgen(method, getter, js_name = isFile)]
    fn is_file(this: &JsFileStat) -> bool;
    #[wasm_bindgen(method, getter, js_name = isFolder)]
    fn is_folder(this: &JsFileStat) -> bool;
    #[wasm_bindgen(method, getter)]
    fn length(this: &JsFileStat) -> f64;
    #[wasm_bindgen(method, getter, js_name = ageMs)]
    fn age_ms(this: &JsFileStat) -> f64;
    #[wasm_bindgen(method, getter)]
    fn id(this: &JsFileStat) -> Option<String>;

    /// The caller's options.
    pub type JsSaveOptions;
    #[wasm_bindgen(method, getter)]
    fn overwrite(this: &JsSaveOptions) -> bool;
    #[wasm_bindgen(method, getter, js_name = createParents)]
    fn create_parents(this: &JsSaveOptions) -> bool;
    #[wasm_bindgen(method, getter)]
    fn verify(this: &JsSaveOptions) -> bool;
    #[wasm_bindgen(method, getter)]
    fn connections(this: &JsSaveOptions) -> Option<u32>;
    #[wasm_bindgen(method, getter, js_name = timeoutMs)]
    fn timeout_ms(this: &JsSaveOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = rateLimit)]
    fn rate_limit(this: &JsSaveOptions) -> Option<f64>;
    #[wasm_bindgen(method, getter, js_name = maxBytes)]
    fn max_bytes(this: &JsSaveOptions) -> Option<f64>;
    /// Takes a whole video of that name for one that a former process saved.
    #[wasm_bindgen(method, getter)]
    fn resume(this: &JsSaveOptions) -> Option<bool>;
}

/// Node's files. A promise of theirs begins when it is made, and they are carried out one after the other.
pub(crate) struct NodeStorage(JsStorage);

/// What a promise of the storage brings.
fn settled<T>(promise: Promise, convert: impl FnOnce(JsValue) -> T + 'static) -> BoxFuture<'static, Result<T>> {
    let promise = JsFuture::from(promise);
    Box::pin(async move { promise.await.map(convert).map_err(|error| io_error(&error, Phase::Save)) })
}

fn file_stat(value: JsValue) -> Option<FileStat> {
    let stat: JsFileStat = (!value.is_undefined()).then(|| value.unchecked_into())?;
    Some(FileStat {
        is_file: stat.is_file(),
        is_folder: stat.is_folder(),
        length: stat.length() as u64,
        age: Duration::try_from_secs_f64((stat.age_ms() / 1000.0).max(0.0)).ok(),
        id: stat.id(),
    })
}

impl ProcessTable for NodeStorage {
    fn pid(&self) -> u32 {
        self.0.pid()
    }

    fn boot_id(&self) -> Option<String> {
        self.0.boot_id()
    }

    fn pid_space(&self) -> Option<String> {
        self.0.pid_space()
    }

    fn proc_stat(&self, pid: Option<u32>) -> Option<String> {
        self.0.proc_stat(pid)
    }

    fn process_exists(&self, pid: u32) -> Option<bool> {
        self.0.process_exists(pid)
    }
}

impl Storage for NodeStorage {
    fn display(&self, suffix: &str) -> String {
        self.0.display(suffix)
    }

    fn has_system_locks(&self) -> bool {
        false
    }

    fn stat(&self, suffix: &str, follow: bool) -> BoxFuture<'static, Result<Option<FileStat>>> {
        settled(self.0.stat(suffix, follow), file_stat)
    }

    fn open(&self, suffix: &str, access: Access) -> BoxFuture<'static, Result<Option<FileStat>>> {
        settled(self.0.open(suffix, access != Access::Read, access == Access::Create), file_stat)
    }

    fn lock(&self, _: &str) -> BoxFuture<'static, Result<SystemLock>> {
        Box::pin(async { Ok(SystemLock::Unsupported) })
    }

    fn close(&self, suffix: &str) -> BoxFuture<'static, Result<()>> {
        settled(self.0.close(suffix), drop)
    }

    fn read(&self, suffix: &str, at: u64, length: usize) -> BoxFuture<'static, Result<Bytes>> {
        settled(self.0.read(suffix, at as f64, length as f64), |value| {
            value.dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec().into()).unwrap_or_default()
        })
    }

    fn write(&self, suffix: &str, at: u64, pieces: Vec<Piece>) -> BoxFuture<'static, Result<()>> {
        // What is in this module is handed over, and of each piece a number of what Node has (0 for the former), and a part of it.
        let mut here = Vec::new();
        let mut places = Vec::with_capacity(pieces.len() * 3);
        for piece in &pieces {
            let taken = match piece {
                Piece::Outside { place, at, length } => {
                    place.as_any().downcast_ref().map(|taken: &Taken| [taken.number as usize, *at, *length])
                }
                Piece::Here(_) => None,
            };
            let part = taken.unwrap_or_else(|| {
                let bytes = piece.clone().into_bytes();
                here.extend_from_slice(&bytes);
                [0, here.len() - bytes.len(), bytes.len()]
            });
            places.extend(part.map(|number| number as f64));
        }
        settled(self.0.write(suffix, at as f64, Uint8Array::from(here.as_slice()), &places), drop)
    }

    fn truncate(&self, suffix: &str, length: u64) -> BoxFuture<'static, Result<()>> {
        settled(self.0.truncate(suffix, length as f64), drop)
    }

    fn sync(&self, suffix: &str) -> BoxFuture<'static, Result<()>> {
        settled(self.0.sync(suffix), drop)
    }

    fn create(&self, suffix: &str, text: String) -> BoxFuture<'static, Result<bool>> {
        settled(self.0.create(suffix, &text), |made| made.is_truthy())
    }

    fn rename(&self, from: &str, to: &str) -> BoxFuture<'static, Result<()>> {
        settled(self.0.rename(from, to), drop)
    }

    fn rename_new(&self, _: &str, _: &str) -> BoxFuture<'static, Result<Renamed>> {
        Box::pin(async { Ok(Renamed::Unsupported) })
    }

    fn link(&self, from: &str, to: &str) -> BoxFuture<'static, Result<Renamed>> {
        settled(self.0.link(from, to), |renamed| match renamed.as_string().as_deref() {
            Some("done") => Renamed::Done,
            Some("exists") => Renamed::Exists,
            _ => Renamed::Unsupported,
        })
    }

    fn remove(&self, suffix: &str) -> BoxFuture<'static, Result<()>> {
        settled(self.0.remove(suffix), drop)
    }

    fn create_folders(&self) -> BoxFuture<'static, Result<()>> {
        settled(self.0.create_folders(), drop)
    }

    fn sync_folder(&self) -> BoxFuture<'static, ()> {
        let synced = settled(self.0.sync_folder(), drop);
        Box::pin(async { drop(synced.await) })
    }

    fn free_space(&self) -> BoxFuture<'static, Option<u64>> {
        let free = settled(self.0.free_space(), |free| free.as_f64().map(|free| free as u64));
        Box::pin(async { free.await.ok().flatten() })
    }
}

#[wasm_bindgen]
impl RawVideo {
    /// Where an earlier call with the same key saved it, as the journal says.
    #[wasm_bindgen(getter, js_name = savedPath)]
    pub fn saved_path(&self) -> Option<String> {
        Some(self.video().saved_path()?.to_string_lossy().into_owned())
    }

    /// A file name made of the task's id.
    #[wasm_bindgen(js_name = fileName)]
    pub fn file_name(&self) -> String {
        self.video().file_name()
    }

    /// Saves into a storage of JavaScript functions; gives what is known about the whole video.
    pub fn save(
        &self,
        storage: JsStorage,
        options: &JsSaveOptions,
        notify: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let mut save = SaveOptions::default();
        save.overwrite = options.overwrite();
        save.create_parents = options.create_parents();
        save.policy.verify = options.verify();
        save.policy.first_bytes = options.verify();
        save.policy.connections = options.connections().unwrap_or(save.policy.connections);
        // What no clock can hold, or Infinity, is for ever.
        save.policy.timeout = options.timeout_ms().and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok());
        save.policy.max_bytes = options.max_bytes().map_or(save.policy.max_bytes, |bytes| bytes as u64);
        save.rate_limit = options.rate_limit().map(|rate| rate as u64);
        save.take_whole = options.resume().unwrap_or_default();
        let video = self.video().clone();
        promise_with(signal, |token| self.log.scoped(run(video, storage, save, token.clone(), notify)))
    }
}

async fn run(
    video: Video,
    storage: JsStorage,
    mut options: SaveOptions,
    token: CancelToken,
    notify: Option<Function>,
) -> Result<JsValue> {
    let (path, begun) = (storage.display(""), performance_now());
    options.cancel = Some(token);
    options.kept_path = Some(path.clone());
    let finished = video.save_to(Arc::new(NodeStorage(storage)), options, progress_callback(notify)).await?;
    let info = finished.info.as_ref();
    // As the native saver says it.
    tracing::info!(
        name: "video_saved",
        target: "junfeiai",
        task_id = video.task_id(),
        path,
        bytes = finished.total,
        attempts = finished.attempts,
        elapsed = (performance_now() - begun).round() / 1000.0,
        "video saved"
    );
    Ok(convert::value(&json!({
        "bytes": finished.total,
        "attempts": finished.attempts,
        "resumed": finished.resumed,
        "charged_units": video.charged_units(),
        "duration_s": info.and_then(|info| info.duration).map(|duration| duration.as_secs_f64()),
        "width": info.and_then(|info| info.width),
        "height": info.and_then(|info| info.height),
    })))
}
