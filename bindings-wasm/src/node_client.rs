//! The client of Node's module, on Node's `http` or on `fetch`, with a journal where there is a store for it.

use std::sync::Arc;

use js_sys::Function;
use junfeiai::platform::wasm::{FetchTransport, JsTimer};
use junfeiai::protocol::RangeRequest;
use junfeiai::protocol::proxy::ProxyRules;
use junfeiai::transport::Timer;
use junfeiai::{ClientBuilder, ErrorKind, Phase};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::client::RawClient;
use crate::convert;
use crate::journal::{JsJournal, client_on, with_journal};
use crate::log::{JsLog, Log};
use crate::node::{NodeHost, NodeTimer, NodeTransport};

#[wasm_bindgen]
impl RawClient {
    /// A client on Node's `http`. `proxy` is the option of that name, `variables` an object of those that name proxies.
    #[wasm_bindgen(js_name = onNode)]
    pub fn on_node(
        options: JsValue,
        host: NodeHost,
        proxy: JsValue,
        variables: JsValue,
        journal: Option<JsJournal>,
    ) -> Result<RawClient, JsValue> {
        let proxy = match (proxy.as_string(), proxy.is_undefined() || proxy.is_null()) {
            (None, false) => {
                return Err(convert::refusal(ErrorKind::Config, Phase::Config, "proxy", "proxy must be a string"));
            }
            (proxy, _) => proxy,
        };
        let build = || {
            let options = convert::json(options, Phase::Config)?;
            let builder = ClientBuilder::from_json(options)?;
            let variables = convert::json(variables, Phase::Config)?;
            let read = |name: &str| variables.get(name)?.as_str().map(str::to_owned);
            let proxies = ProxyRules::new(proxy.as_deref(), read)?;
            let timer: Arc<dyn Timer> = Arc::new(NodeTimer(host.clone()));
            let builder = with_journal(builder, journal, &timer)?;
            builder.transport(Arc::new(NodeTransport { host, proxies })).timer(timer).build()
        };
        build().map(RawClient::of).map_err(|error| convert::error(&error))
    }

    /// A client on `fetch`, with a journal. `for_creates` gives what asks the engine for a new connection; `host` has the timers, which
    /// end with the module.
    #[wasm_bindgen(js_name = onFetch)]
    pub fn on_fetch(
        options: JsValue,
        fetch: Option<Function>,
        for_creates: Option<Function>,
        journal: Option<JsJournal>,
        host: Option<NodeHost>,
    ) -> Result<RawClient, JsValue> {
        let transport = FetchTransport::new(fetch).map(|transport| transport.for_creates(for_creates));
        let timer: Arc<dyn Timer> = match host {
            Some(host) => Arc::new(NodeTimer(host)),
            None => Arc::new(JsTimer),
        };
        client_on(options, transport, timer, journal)
    }

    /// What the client and its tasks and videos log from now on is written to this.
    #[wasm_bindgen(js_name = logTo)]
    pub fn log_to(&mut self, log: JsLog) {
        self.log = Log::of(log);
    }

    /// Status, begin and end of the answer to a player that sends this `Range` header for a file of this length.
    #[wasm_bindgen(js_name = rangeOf)]
    pub fn range_of(header: Option<String>, length: f64) -> Vec<f64> {
        let (status, place) = RangeRequest::read(header.as_deref()).answer(length as u64);
        vec![f64::from(status), place.start as f64, place.end as f64]
    }
}
