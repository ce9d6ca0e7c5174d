//! A task on its way to a video.

use js_sys::{Function, Promise};
use junfeiai::WaitPolicy;
use junfeiai::{Client, Phase, Task, Wait};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::AbortSignal;

use crate::convert;
use crate::log::Log;
use crate::run::{Reading, Watched, promise_for};
use crate::video::RawVideo;

/// A task as it was last seen.
#[wasm_bindgen]
pub struct RawTask {
    pub(crate) task: Task,
    log: Log,
}

impl RawTask {
    pub(crate) fn new(task: Task, log: &Log) -> Self {
        Self { task, log: log.clone() }
    }

    /// [`policy`] for this task, which a refusal names.
    pub(crate) fn policy(&self, options: JsValue) -> Result<WaitPolicy, JsValue> {
        policy(self.task.client(), options).map_err(|error| convert::error(&error.with_task(self.task.id())))
    }
}

/// The client's policy with what the caller wants otherwise.
pub(crate) fn policy(client: &Client, options: JsValue) -> junfeiai::Result<WaitPolicy> {
    let mut policy = client.wait_policy().clone();
    let read = convert::json(options, Phase::Wait).and_then(|options| policy.set_options(options));
    read.map(|()| policy)
}

/// The caller's callback for every state of a task, with the number of its request. What it throws is the wrapper's business.
pub(crate) fn with_progress(wait: Wait, tell: Option<Function>, number: usize, log: &Log) -> Wait {
    let Some(tell) = tell else { return wait };
    let log = log.clone();
    wait.on_progress(move |task| {
        let _ = tell.call2(&JsValue::UNDEFINED, &RawTask::new(task.clone(), &log).into(), &(number as u32).into());
    })
}

#[wasm_bindgen]
impl RawTask {
    /// Everything that the last response said, and advice that the request does not follow, or a bill that differs: an array of the
    /// two as JSON text; whether an earlier call with its key created it, and where that saved its video. Value by value it would cost more than asking for the task.
    pub fn seen(&self) -> String {
        let (task, saved) = (&self.task, self.task.saved_path());
        let saved = saved.map(|path| path.to_string_lossy());
        serde_json::to_string(&(task.snapshot(), task.warnings(), task.is_reused(), saved)).unwrap_or_default()
    }

    /// The server's last response, complete, as JSON text.
    pub fn raw(&self) -> String {
        self.task.snapshot().raw.to_string()
    }

    /// Asks for the state anew.
    pub fn refresh(&self, options: JsValue, signal: Option<AbortSignal>) -> Promise {
        let task = self.task.clone();
        let options = convert::json(options, Phase::Query);
        let videos = options.and_then(|options| task.client().videos().options_json(Phase::Query, options));
        let videos = match videos {
            Ok(videos) => videos,
            Err(error) => return Promise::reject(&convert::error(&error.with_task(task.id()))),
        };
        let log = self.log.clone();
        let seen = async move { videos.refresh(&task).await.map(|task| RawTask::new(task, &log)) };
        promise_for(Some(self.task.id()), signal, self.log.scoped(seen))
    }

    /// Waits for the end of the task. `tell` is called with a task for every state that a poll shows.
    pub fn wait(&self, options: JsValue, tell: Option<Function>, signal: Option<AbortSignal>) -> Promise {
        let wait = match self.policy(options) {
            Ok(policy) => with_progress(self.task.wait().policy(policy), tell, 0, &self.log),
            Err(error) => return Promise::reject(&error),
        };
        let log = self.log.clone();
        let done = async move { wait.await.map(|video| RawVideo::new(video, &log)) };
        promise_for(Some(self.task.id()), signal, self.log.scoped(done))
    }

    /// The states as they come.
    pub fn watch(&self, options: JsValue) -> Result<RawWatch, JsValue> {
        let policy = self.policy(options)?;
        let reading = Reading::new(self.log.stream(self.task.watch_with(policy)));
        Ok(RawWatch { task_id: self.task.id().into(), reading, log: self.log.clone() })
    }

    /// The video, when the last seen state says that there is one.
    pub fn video(&self) -> Result<RawVideo, JsValue> {
        self.task.video().map(|video| RawVideo::new(video, &self.log)).map_err(|error| convert::error(&error))
    }
}

/// A task being watched.
#[wasm_bindgen]
pub struct RawWatch {
    task_id: Box<str>,
    reading: Reading<Task>,
    log: Log,
}

#[wasm_bindgen]
impl RawWatch {
    /// The next state; `undefined` after the last.
    pub fn next(&self, signal: Option<AbortSignal>) -> Promise {
        let log = self.log.clone();
        self.reading.next(Watched::Task(Some(&self.task_id)), signal, move |task| RawTask::new(task, &log).into())
    }

    /// Ends the watching, never the task.
    pub fn cancel(&self) {
        self.reading.cancel();
    }
}
