//! Everything about videos: create, look up, read.

use std::sync::Arc;

use crate::client::Client;
use crate::driver::{Call, Path};
use crate::endpoint::check_task_id;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fetch::Source;
use crate::model::{Snapshot, VideoRequest};
use crate::platform::BoxFuture;
use crate::protocol::{Safety, parse_create};
use crate::task::{Task, Wait};
use crate::tracker::{CreateTracker, LeftBehind, TrackedCreate};
use crate::url::Url;
use crate::video::Video;

/// Everything about videos. Made by [`Client::videos`].
#[derive(Debug, Clone)]
pub struct Videos {
    pub(crate) client: Client,
    pub(crate) tracker: Option<CreateTracker>,
}

impl Videos {
    /// Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it provably
    /// was not accepted (service document §3).
    ///
    /// # Errors
    /// `invalid_request`, or `journal` when a journal is kept and cannot be written, before anything is sent; what the
    /// server refuses; `create_outcome_unknown` (with `maybe_executed`) when the answer is lost.
    pub async fn create(&self, request: impl Into<VideoRequest>) -> Result<Task> {
        self.begin(request.into(), TrackedCreate::new(self.tracker.as_ref())).await
    }

    /// The same, with a tracker that follows what its paid calls come to: `create`, `generate` and `generate_many`.
    #[must_use]
    pub fn tracked(&self, tracker: &CreateTracker) -> Self {
        Self { client: self.client.clone(), tracker: Some(tracker.clone()) }
    }

    /// The create, boxed: it is over soon, and the waiting that follows should not carry its size.
    pub(crate) fn begin(&self, request: VideoRequest, create: TrackedCreate) -> BoxFuture<'static, Result<Task>> {
        let client = self.client.clone();
        Box::pin(async move {
            let io = &client.io;
            let prepared = request.prepare()?;
            for warning in &prepared.warnings {
                tracing::warn!(code = warning.code.name(), "{warning}");
            }
            let call = Call {
                phase: Phase::Create,
                safety: Safety::AtMostOnce,
                path: Path::Api("/video/generations".to_owned()),
                body: Some(prepared.body.clone()),
                timeout: io.config.create_timeout,
                retry: io.config.retry.clone(),
                // The service knows no such names; an own proxy in front, which adds the key, may.
                create: Some(create.clone()),
                once: io.config.key.is_none().then(|| format!("{:016x}{:016x}", io.timer.seed(), io.timer.seed())),
            };
            // The turn first: a create that only queues is not one that may have been sent.
            let turn = io.turn(&call, io.now()).await?;
            let intent = io.begin_create(&prepared, &request.prompt, &create).await?;
            let left_behind = LeftBehind::create(&create);
            let result = io.call_with(call, turn).await;
            left_behind.nothing();
            let result = result.and_then(|(answer, attempts, _)| {
                parse_create(&answer, prepared.seconds.as_ref())
                    .map_err(|error| error.with(|record| record.attempts = attempts))
            });
            let created = match result {
                Ok(created) => created,
                Err(error) => {
                    match (error.task_id(), error.maybe_executed()) {
                        (Some(id), _) => create.created(id),
                        (None, true) => {}
                        (None, false) => create.refused(),
                    }
                    return Err(intent.failed(error).await);
                }
            };
            // First of all: whatever ends this future now, the id is known.
            create.created(&created.snapshot.task_id);
            let mut warnings = prepared.warnings;
            warnings.extend(intent.created(&created.snapshot.task_id).await);
            if let Some(warning) = created.warning {
                tracing::warn!(code = warning.code.name(), task_id = created.snapshot.task_id, "{warning}");
                warnings.push(warning);
            }
            tracing::info!(task_id = created.snapshot.task_id, model = prepared.model, "task created");
            let now = io.now();
            io.newborn().note(now, &created.snapshot.task_id, io.config.wait.visible_after);
            Ok(Task {
                client: client.clone(),
                snapshot: Arc::new(created.snapshot),
                created: Some(now),
                warnings: warnings.into(),
            })
        })
    }

    /// Asks for a task's state (service document §5).
    ///
    /// # Errors
    /// `not_found`, and whatever keeps us from asking.
    pub async fn get(&self, task_id: &str) -> Result<Task> {
        self.task(task_id)?.refresh().await
    }

    /// A task by its id, without asking for it: to wait for it again in a later process, for example.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a task id.
    pub fn task(&self, task_id: &str) -> Result<Task> {
        let snapshot = Snapshot { task_id: check_task_id(task_id)?.to_owned(), ..Snapshot::default() };
        let created = self.client.io.newborn().created(task_id);
        Ok(Task { client: self.client.clone(), snapshot: Arc::new(snapshot), created, warnings: Arc::default() })
    }

    /// Creates a task and waits for its video: await it, after setting what differs. **This costs money.** The task's id
    /// comes with the first call of [`Wait::on_progress`], or with the error.
    ///
    /// # Errors
    /// Those of [`Videos::create`] and of [`Task::wait`].
    pub fn generate(&self, request: impl Into<VideoRequest>) -> Wait {
        Wait::after_create(self.clone(), request.into())
    }

    /// The video of a task that is done: its address is asked for when it is read.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a task id.
    pub fn video(&self, task_id: &str) -> Result<Video> {
        let task_id = check_task_id(task_id)?.to_owned();
        Ok(Video::new(self.client.clone(), Source { task_id: Some(task_id), url: None }))
    }

    /// The video of a task whose address was noted earlier. When the address does not open any more, the task is asked.
    ///
    /// # Errors
    /// `invalid_request` when the texts cannot be a task id and an http(s) URL.
    pub fn video_of(&self, task_id: &str, url: &str) -> Result<Video> {
        let mut video = self.video_at(url)?;
        video.source.task_id = Some(check_task_id(task_id)?.to_owned());
        Ok(video)
    }

    /// A video by its address. The key goes along only when the host is on the list.
    ///
    /// # Errors
    /// `invalid_request` when it is not an http(s) URL.
    pub fn video_at(&self, url: &str) -> Result<Video> {
        Url::parse(url).map_err(|error| {
            let text = format!("the video URL cannot be used: {error}");
            Error::field(ErrorKind::InvalidRequest, Phase::Content, "url", text)
        })?;
        Ok(Video::new(self.client.clone(), Source { task_id: None, url: Some(url.to_owned()) }))
    }
}
