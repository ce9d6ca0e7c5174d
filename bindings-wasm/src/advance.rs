//! Durable waits, for servers: a page does not load them.

use js_sys::Promise;
use junfeiai::{Advance, Phase, WaitState};
use serde_json::Value;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast as _, JsValue};
use web_sys::AbortSignal;

use crate::client::RawClient;
use crate::convert;
use crate::run::promise_for;
use crate::task::RawTask;
use crate::video::RawVideo;

#[wasm_bindgen]
impl RawTask {
    /// A durable wait that begins now, as a plain object.
    #[wasm_bindgen(js_name = waitState)]
    pub fn wait_state(&self, options: JsValue) -> Result<JsValue, JsValue> {
        let policy = self.policy(options)?;
        let state = self.task.wait_state_with(policy).map_err(|error| convert::error(&error))?;
        Ok(convert::value(&state))
    }
}

#[wasm_bindgen]
impl RawClient {
    /// One step of a durable wait: the video, or `[state, seconds to pause]`.
    pub fn advance(&self, state: JsValue, signal: Option<AbortSignal>) -> Promise {
        let state = convert::json(state, Phase::Wait).and_then(WaitState::from_json);
        let state = match state {
            Ok(state) => state,
            Err(error) => return Promise::reject(&convert::error(&error)),
        };
        let (videos, id) = (self.client.videos(), state.task_id().to_owned());
        let log = self.log.clone();
        let advanced = async move {
            Ok(match videos.advance(state).await? {
                Advance::Done(video) => JsValue::from(RawVideo::new(video, &log)),
                Advance::Later { state, retry_after } => {
                    let pause = Value::from(retry_after.as_secs_f64());
                    convert::value(&Value::Array(vec![state.to_json(), pause])).unchecked_into()
                }
            })
        };
        promise_for(Some(&id), signal, self.log.scoped(advanced))
    }
}
