//! A video to read here and there, for Node: a page does not load it.

use std::cell::RefCell;
use std::io::SeekFrom;
use std::rc::Rc;

use js_sys::Promise;
use junfeiai::{Error, ErrorKind, MemorySink as _, Phase, Result, VideoReader};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use crate::log::Log;
use crate::run::promise_for;
use crate::video::{JsMemory, Memory, RawVideo};

/// The most that crosses at once.
const CHUNK: u64 = 256 * 1024;

/// Empty while a read is under way.
type Shared = Rc<RefCell<Option<VideoReader>>>;

#[wasm_bindgen]
impl RawVideo {
    /// Opens it: reads its first bytes, and finds out its length.
    pub fn open(&self, signal: Option<AbortSignal>) -> Promise {
        let video = self.video().clone();
        let log = self.log.clone();
        let opened = async move {
            let mut reader = video.open().await?;
            let size = reader.size().await?;
            let task_id = video.task_id().map(str::to_owned);
            Ok(RawReader { reader: Rc::new(RefCell::new(Some(reader))), size, task_id, log })
        };
        promise_for(self.video().task_id(), signal, self.log.scoped(opened))
    }
}

/// An open video.
#[wasm_bindgen]
pub struct RawReader {
    reader: Shared,
    size: u64,
    task_id: Option<String>,
    log: Log,
}

#[wasm_bindgen]
impl RawReader {
    /// Length of the file in bytes.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> f64 {
        self.size as f64
    }

    /// So many bytes from this place on, which all lie within the file, into this memory.
    pub fn read(&self, memory: Memory, position: f64, length: f64, signal: Option<AbortSignal>) -> Promise {
        let (cell, mut memory) = (self.reader.clone(), JsMemory(memory));
        let (position, length) = (position as u64, length as u64);
        let read = async move {
            let mut reading = Reading { reader: cell.take(), cell, ended: false };
            reading.reader()?.seek(SeekFrom::Start(position)).await?;
            let mut piece = vec![0; length.min(CHUNK) as usize];
            let mut done = 0;
            while done < length {
                let room = piece.get_mut(..(length - done).min(CHUNK) as usize).unwrap_or_default();
                let count = reading.reader()?.read(room).await?;
                if count == 0 {
                    let text = format!("the video ended at byte {}, before its length", position + done);
                    return Err(Error::new(ErrorKind::Integrity, Phase::Content, text));
                }
                memory.write(done, room.get(..count).unwrap_or_default(), Some(length))?;
                done += count as u64;
            }
            reading.ended = true;
            Ok(JsValue::UNDEFINED)
        };
        promise_for(self.task_id.as_deref(), signal, self.log.scoped(read))
    }

    /// Ends the request under way, unless a read waits for it.
    pub fn pause(&self) {
        if let Some(reader) = self.reader.borrow_mut().as_mut() {
            reader.pause();
        }
    }
}

/// A read under way. One that is aborted or fails leaves no request behind.
struct Reading {
    cell: Shared,
    reader: Option<VideoReader>,
    ended: bool,
}

impl Reading {
    /// The package makes one read at a time.
    fn reader(&mut self) -> Result<&mut VideoReader> {
        let busy = || Error::new(ErrorKind::Internal, Phase::Content, "a read of this reader is under way");
        self.reader.as_mut().ok_or_else(busy)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let Some(mut reader) = self.reader.take() else { return };
        if !self.ended {
            reader.pause();
        }
        self.cell.borrow_mut().replace(reader);
    }
}
