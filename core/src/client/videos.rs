//! Everything about videos: create, look up, read.

use std::sync::Arc;
use std::time::Duration;

use crate::calls::create;
use crate::calls::tracker::{CreateTracker, TrackedCreate};
use crate::client::Client;
use crate::client::task::{Task, Wait};
use crate::client::video::Video;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::{Snapshot, VideoRequest};
use crate::net::endpoint::check_task_id;
use crate::net::url::Url;
#[cfg(feature = "prices")]
use crate::protocol::Estimate;
use crate::video::fetch::Source;

/// Everything about videos. Made by [`Client::videos`].
#[derive(Debug, Clone)]
pub struct Videos {
    pub(crate) client: Client,
    pub(crate) tracker: Option<CreateTracker>,
    pub(crate) timeout: Option<Duration>,
}

impl Client {
    /// Everything about videos.
    pub fn videos(&self) -> Videos {
        Videos { client: self.clone(), tracker: None, timeout: None }
    }
}

impl Videos {
    /// Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it provably
    /// was not accepted (service document §3).
    ///
    /// # Errors
    /// `invalid_request`, or `journal` when a journal is kept and cannot be written, before anything is sent; what the
    /// server refuses; `create_outcome_unknown` (with `maybe_executed`) when the answer is lost.
    pub async fn create(&self, request: impl Into<VideoRequest>) -> Result<Task> {
        let create = TrackedCreate::new(self.tracker.as_ref(), &self.client.core.closed);
        let created = create::create(self.client.core.clone(), request.into(), create, self.timeout).await?;
        Ok(Task::new(&self.client, created))
    }

    /// What a create request will cost, without creating anything: checks the request, then reads the server's price list
    /// and the key's log, each at most once in 15 minutes. [`Estimate::certainty`] says how sure it is. Beyond the service
    /// document (observed): where the server does not tell, the cost is unknown, which is no error.
    ///
    /// # Errors
    /// `invalid_request`, as [`Videos::create`] would refuse it.
    #[cfg(feature = "prices")]
    pub async fn estimate(&self, request: impl Into<VideoRequest>) -> Result<Estimate> {
        let prepared = request.into().prepare()?;
        Ok(self.client.core.estimate(&prepared).await)
    }

    /// These calls with a tracker that follows what its paid calls come to: `create`, `generate` and `generate_many`.
    #[must_use]
    pub fn tracked(&self, tracker: &CreateTracker) -> Self {
        Self { tracker: Some(tracker.clone()), ..self.clone() }
    }

    /// These calls with a timeout of their own: of a create request in place of
    /// [`ClientBuilder::create_timeout`](crate::ClientBuilder::create_timeout), and of the query of [`Videos::get`] and [`Videos::refresh`] in place of
    /// [`ClientBuilder::timeout`](crate::ClientBuilder::timeout). It means what these mean: after the timeout of a create request the task
    /// may still be created and charged. Waits have theirs, see [`Wait::timeout`]. Default: the client's. Zero is refused by the call,
    /// before anything is sent.
    ///
    /// ```no_run
    /// # async fn run(client: junfeiai::Client) -> junfeiai::Result<()> {
    /// let task = client.videos().timeout(std::time::Duration::from_secs(5)).get("task_1").await?;
    /// # drop(task); Ok(()) }
    /// ```
    #[must_use]
    pub fn timeout(mut self, value: Duration) -> Self {
        self.timeout = Some(value);
        self
    }

    /// Asks for a task's state (service document §5).
    ///
    /// # Errors
    /// `not_found`, and whatever keeps us from asking.
    pub async fn get(&self, task_id: &str) -> Result<Task> {
        self.refresh(&self.task(task_id)?).await
    }

    /// [`Task::refresh`] with the timeout of these calls.
    ///
    /// # Errors
    /// Those of [`Task::refresh`].
    pub async fn refresh(&self, task: &Task) -> Result<Task> {
        task.refresh_within(self.timeout).await
    }

    /// A task by its id, without asking for it: to wait for it again in a later process, for example.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a task id.
    pub fn task(&self, task_id: &str) -> Result<Task> {
        let snapshot = Snapshot { task_id: check_task_id(task_id)?.to_owned(), ..Snapshot::default() };
        let created = self.client.core.recent_creates().created(task_id);
        Ok(Task {
            client: self.client.clone(),
            snapshot: Arc::new(snapshot),
            created,
            warnings: Arc::default(),
            earlier: None,
        })
    }

    /// Creates a task and waits for its video: await it, after setting what differs. **This costs money.** The task's id
    /// comes with the first call of [`Wait::on_progress`], or with the error.
    ///
    /// # Errors
    /// Those of [`Videos::create`] and of [`Task::wait`].
    pub fn generate(&self, request: impl Into<VideoRequest>) -> Wait {
        Wait::after_create(&self.client, self.tracker.as_ref(), request.into(), self.timeout)
    }

    /// The video of a task that is done: its address is asked for when it is read.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a task id.
    pub fn video(&self, task_id: &str) -> Result<Video> {
        let task_id = check_task_id(task_id)?.to_owned();
        Ok(Video::new(self.client.clone(), Source { task_id: Some(task_id), ..Source::default() }))
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
        Ok(Video::new(self.client.clone(), Source { url: Some(url.to_owned()), ..Source::default() }))
    }
}
