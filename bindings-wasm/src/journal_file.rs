//! The journal in a file that all languages share, through functions of JavaScript: `ts/file-journal.ts` locks, reads, writes
//! and renames; what is read and written is judged in the core, as for the native file.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use js_sys::{Promise, Reflect, Uint8Array};
use junfeiai::async_compat::BoxFuture;
use junfeiai::journal::{Claim, Entry, Journal, Process, Record, Reservation, Reserved, Spent};
use junfeiai::protocol::journal_text::{GONE, JournalText, KeepPolicy, MAX_FILE, START, Write};
use junfeiai::protocol::process;
use junfeiai::{Error, ErrorKind, Phase, Result};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use crate::process::Processes;

#[wasm_bindgen]
extern "C" {
    /// A file that several processes write: `ts/file-journal.ts`.
    pub type JsJournalFile;
    #[wasm_bindgen(method, getter)]
    fn path(this: &JsJournalFile) -> String;
    /// An array of the file's size and its first bytes; `undefined` where there is no file.
    #[wasm_bindgen(method, catch)]
    fn start(this: &JsJournalFile, most: usize) -> std::result::Result<JsValue, JsValue>;
    /// Ends when nobody else writes, in this process or another one; of those that ask, one after the other.
    #[wasm_bindgen(method)]
    fn lock(this: &JsJournalFile) -> Promise;
    /// Ends when those that asked before have unlocked it.
    #[wasm_bindgen(method)]
    fn settled(this: &JsJournalFile) -> Promise;
    #[wasm_bindgen(method)]
    fn unlock(this: &JsJournalFile) -> Promise;
    /// An array of the file's size, its first bytes, and what it has from a place on, unless it is longer than `most`; `undefined`
    /// where there is no file.
    #[wasm_bindgen(method)]
    fn read(this: &JsJournalFile, start: usize, from: f64, most: f64) -> Promise;
    /// Ends the file with this, durably. Where that fails, the file ends at that place.
    #[wasm_bindgen(method)]
    fn write(this: &JsJournalFile, at: f64, text: &str) -> Promise;
    /// Puts a file with this text, durably, in the place of the other.
    #[wasm_bindgen(method)]
    fn replace(this: &JsJournalFile, text: &str) -> Promise;
    /// A name that no file had before.
    #[wasm_bindgen(method)]
    fn generation(this: &JsJournalFile) -> String;
}

/// A journal in a file.
pub(crate) struct FileJournal {
    file: Rc<JournalFile>,
    processes: Arc<Processes>,
}

struct JournalFile {
    file: JsJournalFile,
    policy: KeepPolicy,
    /// What was read of the file under the lock.
    known: RefCell<Option<JournalText>>,
    /// There was a file.
    seen: Cell<bool>,
}

impl FileJournal {
    /// Looks whether the file is one of ours: what is none gets no lock file beside it.
    pub(crate) fn open(file: JsJournalFile, processes: Arc<Processes>) -> Result<Self> {
        let file =
            JournalFile { file, policy: KeepPolicy::default(), known: RefCell::default(), seen: Cell::new(false) };
        let start = file.file.start(START).map_err(|error| file.thrown(&error))?;
        if !start.is_undefined() {
            JournalText::open(None, &bytes_at(&start, 1), size_of(&start)).map_err(|what| file.error(&what))?;
        }
        Ok(Self { file: Rc::new(file), processes })
    }

    /// Keeps the record that comes of what the file says, in one step; to the end, whoever waits for it.
    fn judged<T: 'static>(
        &self,
        judge: impl FnOnce(&JournalText) -> std::result::Result<(T, Option<Record>), &'static str> + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let (file, result) = (self.file.clone(), Rc::new(RefCell::new(None)));
        let kept = result.clone();
        // At once: what is asked for later sees it.
        let turn = file.file.lock();
        let ended = JsFuture::from(future_to_promise(async move {
            let ended = file.judged(turn, judge).await;
            kept.borrow_mut().replace(ended);
            Ok(JsValue::UNDEFINED)
        }));
        let file = self.file.clone();
        Box::pin(async move {
            _ = ended.await;
            result.borrow_mut().take().unwrap_or_else(|| Err(file.error("the write did not end")))
        })
    }

    /// What the file says now.
    fn look<T: 'static>(&self, look: impl FnOnce(&JournalText) -> T + 'static) -> BoxFuture<'static, Result<T>> {
        let file = self.file.clone();
        let before = file.file.settled();
        Box::pin(async move {
            file.call(before).await?;
            // What is read without the lock may be taken back by its writer: it is not kept.
            let known = file.known.borrow().clone();
            Ok(match file.read(known).await? {
                Some(known) => look(&known),
                None => look(&JournalText::begin("").1),
            })
        })
    }
}

impl JournalFile {
    async fn judged<T>(
        &self,
        turn: Promise,
        judge: impl FnOnce(&JournalText) -> std::result::Result<(T, Option<Record>), &'static str>,
    ) -> Result<T> {
        self.call(turn).await?;
        let result = self.judged_alone(judge).await;
        // What was written is written.
        _ = self.call(self.file.unlock()).await;
        result
    }

    async fn judged_alone<T>(
        &self,
        judge: impl FnOnce(&JournalText) -> std::result::Result<(T, Option<Record>), &'static str>,
    ) -> Result<T> {
        // After a failure the file is the only truth.
        let known = self.known.borrow_mut().take();
        let mut known = if let Some(known) = self.read(known).await? {
            known
        } else {
            let (text, known) = JournalText::begin(self.file.generation());
            self.call(self.file.replace(&text)).await?;
            self.seen.set(true);
            known
        };
        if let Some(write) = known.mend() {
            self.write(&write).await?;
        }
        let (result, record) = judge(&known).map_err(|what| self.error(what))?;
        if let Some(record) = record {
            let at = record.at;
            if let Some(write) = known.keep(record).map_err(|what| self.error(what))? {
                self.write(&write).await?;
                if known.is_due(&self.policy) {
                    // The record is kept already: that the file could not be made smaller is no reason to fail.
                    known = self.compacted(at, known).await;
                }
            }
        }
        self.known.borrow_mut().replace(known);
        Ok(result)
    }

    async fn compacted(&self, at: u64, known: JournalText) -> JournalText {
        match known.replacement(at, &self.policy, self.file.generation()) {
            Ok((text, smaller)) if self.call(self.file.replace(&text)).await.is_ok() => smaller,
            _ => known,
        }
    }

    /// Reads what is new in the file, or all of it when it was written anew. `None` when it has no first line.
    async fn read(&self, mut known: Option<JournalText>) -> Result<Option<JournalText>> {
        loop {
            let from = known.as_ref().map_or(0, JournalText::end);
            let found = self.call(self.file.read(START, from as f64, MAX_FILE as f64)).await?;
            if found.is_undefined() {
                return self.nothing();
            }
            let opened = JournalText::open(known, &bytes_at(&found, 1), size_of(&found));
            let opened = opened.map_err(|what| self.error(&what))?;
            let Some(mut opened) = opened else { return self.nothing() };
            self.seen.set(true);
            // Written anew: what was read is from the middle of another file, or begins with its first line.
            let skipped = usize::try_from(opened.end().wrapping_sub(from)).unwrap_or(usize::MAX);
            if let Some(text) = bytes_at(&found, 2).get(skipped..) {
                opened.take(text).map_err(|what| self.error(&what))?;
                return Ok(Some(opened));
            }
            known = None;
        }
    }

    fn nothing(&self) -> Result<Option<JournalText>> {
        if self.seen.get() { Err(self.error(GONE)) } else { Ok(None) }
    }

    async fn write(&self, write: &Write) -> Result<()> {
        self.call(self.file.write(write.at as f64, &write.text)).await.map(drop)
    }

    async fn call(&self, promise: Promise) -> Result<JsValue> {
        JsFuture::from(promise).await.map_err(|error| self.thrown(&error))
    }

    fn thrown(&self, error: &JsValue) -> Error {
        let text = |name| Reflect::get(error, &JsValue::from_str(name)).ok().and_then(|text| text.as_string());
        let message = text("message").unwrap_or_else(|| "the system gave no reason".to_owned());
        // What the system refuses has a code, what the package itself says has none.
        self.error(&if text("code").is_some() { format!("it cannot be used: {message}") } else { message })
    }

    fn error(&self, what: &str) -> Error {
        Error::new(ErrorKind::Journal, Phase::Journal, format!("{}: {what}", self.file.path()))
    }
}

/// The size of what was read of a file.
fn size_of(found: &JsValue) -> u64 {
    Reflect::get_u32(found, 0).ok().and_then(|size| size.as_f64()).unwrap_or_default() as u64
}

/// Bytes of what was read of a file.
fn bytes_at(found: &JsValue, index: u32) -> Vec<u8> {
    let bytes = Reflect::get_u32(found, index).unwrap_or_default();
    bytes.dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec()).unwrap_or_default()
}

impl Journal for FileJournal {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<()>> {
        self.judged(|_| Ok(((), Some(record))))
    }

    fn append_now(&self, record: Record) -> Result<()> {
        // It is carried out to its end, which the command waits for.
        drop(self.append(record));
        Ok(())
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        self.look(|known| known.ledger().entries().cloned().collect())
    }

    fn key<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        let key = key.to_owned();
        self.look(move |known| known.ledger().key(&key).cloned())
    }

    fn claim(&self, record: Record, retry_failed: bool) -> BoxFuture<'_, Result<Claim>> {
        self.judged(move |known| known.claim(record, retry_failed))
    }

    fn reserve(&self, record: Record, retry_failed: bool, share: Reservation) -> BoxFuture<'_, Result<Reserved>> {
        self.judged(move |known| known.reserve(record, retry_failed, &share))
    }

    fn answered(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.look(|known| known.ledger().answered().map(str::to_owned).collect())
    }

    fn tasks(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.look(|known| known.ledger().tasks().map(str::to_owned).collect())
    }

    fn spending(&self) -> BoxFuture<'_, Result<Vec<Spent>>> {
        self.look(|known| known.ledger().spending())
    }

    fn process(&self) -> Option<Process> {
        Some(process::current(&*self.processes))
    }

    fn runs(&self, process: &Process) -> Option<bool> {
        process::runs(&*self.processes, process)
    }
}
