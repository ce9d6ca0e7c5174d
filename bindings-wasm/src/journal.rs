//! The journal in a store of JavaScript functions: what `ts/journal-calls.ts` passes is called here and judged in the core.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use js_sys::{Array, Promise, Reflect};
use junfeiai::async_compat::BoxFuture;
use junfeiai::platform::wasm::FetchTransport;
#[cfg(not(feature = "node"))]
use junfeiai::platform::wasm::JsTimer;
use junfeiai::store::{Store, Versioned, check_row, failed, unavailable};
use junfeiai::transport::Timer;
use junfeiai::{AccountAccess, ClientBuilder, Phase, Result, StoreJournal};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;
use web_sys::AbortSignal;

use crate::client::{self, RawClient};
use crate::convert;
#[cfg(feature = "node")]
use crate::journal_file::{FileJournal, JsJournalFile};
use crate::process::{JsProcesses, Processes};
use crate::run::{promise, promise_for};
use crate::task::RawTask;

/// Longest time that one operation of the store may take.
const LIMIT: Duration = Duration::from_secs(10);
/// 2^53: beyond it numbers are not exact any more.
const MOST: f64 = 9_007_199_254_740_992.0;

#[wasm_bindgen]
extern "C" {
    /// The caller's store, with what this system says about processes: `ts/journal-calls.ts`.
    pub type JsJournal;
    #[wasm_bindgen(method, catch)]
    fn load(this: &JsJournal, name: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn swap(
        this: &JsJournal,
        name: &str,
        expected: Option<f64>,
        value: Option<String>,
    ) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn scan(this: &JsJournal, prefix: &str) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method, getter, js_name = sameAccount)]
    fn same_account(this: &JsJournal) -> bool;
    #[wasm_bindgen(method, getter)]
    fn processes(this: &JsJournal) -> Option<JsProcesses>;
    #[cfg(feature = "node")]
    #[wasm_bindgen(method, getter)]
    fn file(this: &JsJournal) -> Option<JsJournalFile>;
}

/// The options of a client, with its journal where it keeps one.
#[cfg_attr(not(feature = "node"), allow(clippy::unnecessary_wraps))] // a file may be no journal
pub(crate) fn with_journal(
    builder: ClientBuilder,
    journal: Option<JsJournal>,
    timer: &Arc<dyn Timer>,
) -> Result<ClientBuilder> {
    let Some(journal) = journal else { return Ok(builder) };
    let processes = journal.processes().map(|processes| Arc::new(Processes::new(processes)));
    #[cfg(feature = "node")]
    if let (Some(file), Some(processes)) = (journal.file(), &processes) {
        return Ok(builder.journal_with(Arc::new(FileJournal::open(file, processes.clone())?)));
    }
    let same_account = journal.same_account();
    let store = StoreJournal::new(Arc::new(JsStore { journal, timer: timer.clone() }));
    let store = match processes {
        Some(processes) => store.processes(processes),
        None => store,
    };
    Ok(builder.journal_store(store, same_account))
}

/// A store of JavaScript functions. Each is called when its method is, and carries its operation out to the end.
struct JsStore {
    journal: JsJournal,
    timer: Arc<dyn Timer>,
}

impl JsStore {
    /// What a function returned or its promise brings, within the time that it may take.
    fn settle<T: 'static>(
        &self,
        function: &'static str,
        called: Result<std::result::Result<JsValue, JsValue>>,
        read: impl FnOnce(JsValue) -> Result<T> + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let timer = self.timer.clone();
        // A rejection is looked at from now on, whoever waits for it.
        let future = called.map(|called| called.map(|value| JsFuture::from(Promise::resolve(&value))));
        Box::pin(async move {
            let settled = match future? {
                Ok(future) => match select(future, timer.sleep(LIMIT)).await {
                    Either::Left((settled, _)) => settled,
                    Either::Right(_) => {
                        let limit = LIMIT.as_secs();
                        let text =
                            format!("{function}() of the journal's store did not end within {limit} s: try again");
                        return Err(unavailable(text));
                    }
                },
                Err(thrown) => Err(thrown),
            };
            match settled {
                Ok(value) => read(value),
                Err(thrown) => {
                    let why = text_of(&thrown, "message").or_else(|| thrown.as_string());
                    let why = why.unwrap_or_else(|| "no error was given".to_owned()).replace(['\r', '\n'], " ");
                    Err(unavailable(format!("{function}() of the journal's store failed: {why}")))
                }
            }
        })
    }
}

impl Store for JsStore {
    fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
        let called = check_row(name, None).map(|()| self.journal.load(name));
        self.settle("load", called, |value| {
            if value.is_null() || value.is_undefined() {
                return Ok(None);
            }
            row(&value).map(Some).ok_or_else(|| {
                failed("load() of the journal's store must give {value: string, version: whole number from 1}, or null")
            })
        })
    }

    fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
        let called = check_row(name, value.as_deref())
            .map(|()| self.journal.swap(name, expected.map(|version| version as f64), value));
        self.settle("swap", called, |value| {
            if value.is_null() || value.is_undefined() {
                return Ok(None);
            }
            version(&value).map(Some).ok_or_else(|| {
                failed("swap() of the journal's store must give the new version, a whole number from 1, or null")
            })
        })
    }

    fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
        let called = Ok(self.journal.scan(prefix));
        let prefix = prefix.to_owned();
        self.settle("scan", called, move |value| {
            let rows = Array::is_array(&value).then(|| Array::from(&value));
            let named = |value: JsValue| {
                let name = text_of(&value, "name").filter(|name| name.starts_with(&prefix))?;
                Some((name, row(&value)?))
            };
            rows.and_then(|rows| rows.iter().map(named).collect::<Option<Vec<_>>>()).ok_or_else(|| {
                failed(
                    "scan() of the journal's store must give an array of {name, value, version}, with names that begin \
                     with the prefix",
                )
            })
        })
    }
}

fn property(value: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(value, &JsValue::from_str(name)).ok()
}

fn text_of(value: &JsValue, name: &str) -> Option<String> {
    property(value, name)?.as_string()
}

fn version(value: &JsValue) -> Option<u64> {
    let version = value.as_f64().filter(|version| version.fract() == 0.0 && (1.0..MOST).contains(version))?;
    Some(version as u64)
}

fn row(value: &JsValue) -> Option<Versioned> {
    Some(Versioned { value: text_of(value, "value")?, version: version(&property(value, "version")?)? })
}

/// A client on `fetch`, with a journal where there is a store for it.
pub(crate) fn client_on(
    options: JsValue,
    transport: Result<FetchTransport>,
    timer: Arc<dyn Timer>,
    journal: Option<JsJournal>,
) -> std::result::Result<RawClient, JsValue> {
    let build = || {
        let builder = ClientBuilder::from_json(convert::json(options, Phase::Config)?)?;
        let builder = builder.transport(Arc::new(transport?));
        with_journal(builder, journal, &timer)?.timer(timer).build()
    };
    build().map(RawClient::of).map_err(|error| convert::error(&error))
}

#[cfg(not(feature = "node"))]
#[wasm_bindgen]
impl RawClient {
    /// A client on `fetch`, with a journal. A page has no way to ask for a new connection.
    #[wasm_bindgen(js_name = onFetch)]
    pub fn on_fetch(
        options: JsValue,
        fetch: Option<js_sys::Function>,
        _for_creates: Option<js_sys::Function>,
        journal: Option<JsJournal>,
    ) -> std::result::Result<RawClient, JsValue> {
        client_on(options, FetchTransport::new(fetch), Arc::new(JsTimer), journal)
    }
}

#[wasm_bindgen]
impl RawClient {
    /// What the journal knows of a key; `null` for nothing.
    pub fn key(&self, key: String, signal: Option<AbortSignal>) -> Promise {
        let videos = self.client.videos();
        promise(signal, self.log.scoped(async move { videos.key(&key).await.map(|known| convert::value(&known)) }))
    }

    /// What is left to be done, as the journal says.
    pub fn pending(&self, signal: Option<AbortSignal>) -> Promise {
        let videos = self.client.videos();
        promise(signal, self.log.scoped(async move { videos.pending().await.map(|pending| convert::value(&pending)) }))
    }

    /// Takes a task off the journal's list.
    pub fn forget(&self, id: String, signal: Option<AbortSignal>) -> Promise {
        let videos = self.client.videos();
        promise_for(Some(&id.clone()), signal, self.log.scoped(async move { videos.forget(&id).await }))
    }

    /// Ends a create request whose outcome was unknown.
    #[wasm_bindgen(js_name = resolveUnknown)]
    pub fn resolve_unknown(&self, intent: String, id: Option<String>, signal: Option<AbortSignal>) -> Promise {
        let videos = self.client.videos();
        promise(signal, self.log.scoped(async move { videos.resolve_unknown(&intent, id.as_deref()).await }))
    }

    /// What became of the create requests whose answer was lost, as the key's usage and log prove it.
    pub fn reconcile(&self, token: Option<String>, user: Option<String>, signal: Option<AbortSignal>) -> Promise {
        let videos = self.client.videos();
        let access = AccountAccess::from_options(token.as_deref(), user.as_deref());
        let reconciled = async move {
            let found = match access? {
                Some(access) => videos.reconcile_with(&access).await?,
                None => videos.reconcile().await?,
            };
            Ok(convert::value(&found))
        };
        promise(signal, self.log.scoped(reconciled))
    }

    /// What was created and charged, per day and model.
    pub fn spending(&self, since: Option<String>, signal: Option<AbortSignal>) -> Promise {
        let videos = self.client.videos();
        let spent = async move { videos.spending(since.as_deref()).await.map(|found| convert::value(&found)) };
        promise(signal, self.log.scoped(spent))
    }

    /// What a create request will cost. Creates nothing.
    pub fn estimate(&self, request: JsValue, signal: Option<AbortSignal>) -> Promise {
        match client::read(request) {
            Ok(request) => {
                let videos = self.client.videos();
                let cost = async move { videos.estimate(request).await.map(|found| convert::value(&found)) };
                promise(signal, self.log.scoped(cost))
            }
            Err(error) => Promise::reject(&convert::error(&error)),
        }
    }

    /// A task that was created at this time, in unix seconds, maybe a moment ago by another process.
    #[wasm_bindgen(js_name = pendingTask)]
    pub fn pending_task(&self, id: &str, created_at: f64) -> std::result::Result<RawTask, JsValue> {
        let task = self.client.videos().pending_task(id, created_at as u64);
        task.map(|task| RawTask::new(task, &self.log)).map_err(|error| convert::error(&error))
    }
}
