//! The client and its videos.

use std::future::IntoFuture as _;
use std::sync::Arc;

use futures_util::StreamExt as _;
use js_sys::{Function, Promise};
use junfeiai::platform::wasm::{FetchTransport, JsTimer};
use junfeiai::{CheckOptions, Client, ClientBuilder, CreateTracker, ErrorKind, Image, Phase, VideoRequest, Wait};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use crate::convert;
use crate::log::Log;
use crate::many::RawMany;
use crate::run::{RawTracker, promise, promise_create, promise_with};
use crate::task::{RawTask, policy, with_progress};
use crate::video::RawVideo;

/// A client.
#[wasm_bindgen]
pub struct RawClient {
    pub(crate) client: Client,
    pub(crate) log: Log,
}

impl RawClient {
    pub(crate) fn of(client: Client) -> Self {
        Self { client, log: Log::default() }
    }
}

#[wasm_bindgen]
impl RawClient {
    /// Options as [`ClientBuilder::from_json`] reads them.
    #[wasm_bindgen(constructor)]
    pub fn new(options: JsValue, fetch: Option<Function>, for_creates: Option<Function>) -> Result<RawClient, JsValue> {
        let build = || {
            let options = convert::json(options, Phase::Config)?;
            let builder = ClientBuilder::from_json(options)?;
            let transport = FetchTransport::new(fetch)?;
            #[cfg(feature = "node")]
            let transport = transport.for_creates(for_creates);
            // A page has no way to ask for a new connection.
            #[cfg(not(feature = "node"))]
            drop(for_creates);
            builder.transport(Arc::new(transport)).timer(Arc::new(JsTimer)).build()
        };
        build().map(RawClient::of).map_err(|error| convert::error(&error))
    }

    /// No create request leaves any more.
    pub fn close(&self) {
        self.client.close();
    }

    /// The endpoint that is used.
    #[wasm_bindgen(getter)]
    pub fn endpoint(&self) -> String {
        self.client.endpoint().to_string()
    }

    /// Creates a task; the request's fields are those of [`VideoRequest`].
    pub fn create(
        &self,
        request: JsValue,
        tracker: &RawTracker,
        options: JsValue,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let videos = self.client.videos().tracked(&tracker.tracker);
        let options = || convert::json(options, Phase::Create);
        let judged = || Ok((read(request)?, videos.options_json(Phase::Create, options()?)?));
        let (request, videos) = match judged() {
            Ok(judged) => judged,
            Err(error) => return Promise::reject(&convert::error(&error)),
        };
        let log = self.log.clone();
        let created = async move { videos.create(request).await.map(|task| RawTask::new(task, &log)) };
        promise_create(&tracker.tracker, signal, self.log.scoped(created))
    }

    /// Creates a task and waits for its video. `tell` is called with the new task, and with a task for every state that a poll shows.
    pub fn generate(
        &self,
        request: JsValue,
        tracker: &RawTracker,
        options: JsValue,
        tell: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let wait = policy(&self.client, options).and_then(|policy| {
            let request = read(request)?;
            let wait = self.client.videos().tracked(&tracker.tracker).generate(request).policy(policy);
            Ok(with_progress(wait, tell, 0, &self.log))
        });
        match wait {
            Ok(wait) => promise_with(signal, |token| {
                let (wait, log) = (wait.cancel_with(token).into_future(), self.log.clone());
                self.log.scoped(async move { wait.await.map(|video| RawVideo::new(video, &log)) })
            }),
            Err(error) => Promise::reject(&convert::error(&error)),
        }
    }

    /// A task by its id.
    pub fn task(&self, id: &str) -> Result<RawTask, JsValue> {
        let task = self.client.videos().task(id).map_err(|error| convert::error(&error))?;
        Ok(RawTask::new(task, &self.log))
    }

    /// These tasks as they end.
    #[wasm_bindgen(js_name = asCompleted)]
    pub fn as_completed(&self, ids: Vec<String>) -> RawMany {
        RawMany::new(CreateTracker::new(), self.client.videos().as_completed(ids), &self.log)
    }

    /// A task for each request, at most so many alive at a time. The keys are the requests' numbers. `tell` is called as in
    /// [`RawClient::generate`], with the request's number as well.
    #[wasm_bindgen(js_name = generateMany)]
    pub fn generate_many(
        &self,
        requests: Vec<JsValue>,
        concurrency: f64,
        tracker: &RawTracker,
        options: JsValue,
        tell: Option<Function>,
    ) -> Result<RawMany, JsValue> {
        if concurrency.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&concurrency) {
            let text = "concurrency must be a whole number, at least 1";
            return Err(convert::refusal(ErrorKind::InvalidRequest, Phase::Create, "concurrency", text));
        }
        let policy = policy(&self.client, options).map_err(|error| convert::error(&error))?;
        let log = self.log.clone();
        let each = move |number, wait: Wait| with_progress(wait.policy(policy.clone()), tell.clone(), number, &log);
        let begin = || {
            // One that cannot be read is refused before anything is paid for.
            let requests = requests.into_iter().map(read).collect::<junfeiai::Result<Vec<_>>>()?;
            let tracker = &tracker.tracker;
            let stream =
                self.client.videos().tracked(tracker).generate_many_with(requests, concurrency as usize, each)?;
            let stream = Box::pin(stream.map(|(number, result)| (number as u32, result)));
            Ok(RawMany::new(tracker.clone(), stream, &self.log))
        };
        begin().map_err(|error: junfeiai::Error| convert::error(&error))
    }

    /// Checks endpoints, key and video host; costs nothing.
    pub fn check(&self, account: bool, signal: Option<AbortSignal>) -> Promise {
        let client = self.client.clone();
        let options = CheckOptions::default().account(account);
        promise(signal, self.log.scoped(async move { Ok(convert::value(&client.check_with(options).await)) }))
    }

    /// The models that the key may use.
    pub fn models(&self, signal: Option<AbortSignal>) -> Promise {
        let client = self.client.clone();
        promise(signal, self.log.scoped(async move { client.models().await.map(|models| convert::value(&models)) }))
    }

    /// What is left on the key.
    pub fn balance(&self, signal: Option<AbortSignal>) -> Promise {
        let client = self.client.clone();
        promise(signal, self.log.scoped(async move { client.balance().await.map(|balance| convert::value(&balance)) }))
    }

    /// The video of a task, by its id and, where it is known, its address.
    pub fn video(&self, id: Option<String>, url: Option<String>) -> Result<RawVideo, JsValue> {
        let videos = self.client.videos();
        let video = match (id, url) {
            (Some(id), Some(url)) => videos.video_of(&id, &url),
            (Some(id), None) => videos.video(&id),
            (None, url) => videos.video_at(&url.unwrap_or_default()),
        };
        video.map(|video| RawVideo::new(video, &self.log)).map_err(|error| convert::error(&error))
    }
}

pub(crate) fn read(request: JsValue) -> junfeiai::Result<VideoRequest> {
    convert::json(request, Phase::Create).and_then(VideoRequest::from_json)
}

/// An image's bytes as the text that a request carries.
#[wasm_bindgen(js_name = imageOf)]
pub fn image_of(bytes: &[u8]) -> Result<String, JsValue> {
    Image::bytes(bytes).map(|image| image.as_str().to_owned()).map_err(|error| convert::error(&error))
}
