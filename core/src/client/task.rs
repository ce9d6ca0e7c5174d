//! A task: paid for, and to be waited for.

use std::fmt;
use std::future::IntoFuture;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream;

use crate::async_compat::{BoxCallback, BoxFuture, BoxStream, MaybeSend};
use crate::calls::cancel::CancelToken;
use crate::calls::client_core::{Turn, WaitEvent};
use crate::calls::create::{self, CreatedTask};
use crate::calls::tracker::{CreateTracker, LeftBehind, TrackedCreate};
use crate::client::Client;
use crate::client::video::Video;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::{SavedFile, Snapshot, VideoRequest, Warning};
use crate::protocol::{WaitMachine, WaitPolicy};
use crate::status::TaskStatus;
use crate::time::Time;
use crate::video::fetch::{Charge, Source, video_of};

/// A task as it was last seen. Cheap to clone; looking at it costs no request.
#[derive(Clone)]
pub struct Task {
    pub(crate) client: Client,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) created: Option<Time>,
    pub(crate) warnings: Arc<[Warning]>,
    /// What is known of a task that was created under a key before.
    pub(crate) earlier: Option<Arc<Option<SavedFile>>>,
}

impl Task {
    pub(crate) fn new(client: &Client, created: CreatedTask) -> Self {
        Self {
            client: client.clone(),
            snapshot: Arc::new(created.snapshot),
            created: created.at,
            warnings: created.warnings.into(),
            earlier: created.reused.then(|| Arc::new(created.saved)),
        }
    }

    /// The task's id: what to keep to come back to it.
    pub fn id(&self) -> &str {
        &self.snapshot.task_id
    }

    /// The client that it belongs to.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The last seen state; `unknown` for a task that was not asked for yet.
    pub fn status(&self) -> TaskStatus {
        self.snapshot.status
    }

    /// 0–100, where the server says it.
    pub fn progress(&self) -> Option<f64> {
        self.snapshot.progress
    }

    /// The seconds of video that the server billed, where it says so.
    pub fn billed_seconds(&self) -> Option<f64> {
        self.snapshot.billed_seconds
    }

    /// What the server charged for it, in its units: 500,000 are 1 USD (observed). Known after the first query, where the
    /// server says it; 0 for a failed task, whose charge is returned.
    pub fn charged_units(&self) -> Option<u64> {
        self.snapshot.charged_units
    }

    /// True when the task was created by an earlier call with the same [key](VideoRequest#structfield.key): this one sent
    /// no request and cost nothing.
    pub fn is_reused(&self) -> bool {
        self.earlier.is_some()
    }

    /// Where an earlier call with the same key saved the video, as the journal says. The file may have been moved since.
    pub fn saved_path(&self) -> Option<&Path> {
        self.saved_file().filter(|file| file.named).map(|file| Path::new(&file.path))
    }

    fn saved_file(&self) -> Option<&SavedFile> {
        self.earlier.as_deref()?.as_ref()
    }

    /// Everything the last answer said.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Advice that the request does not follow, and a bill that differs from what was asked.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Asks for the state anew. A task that this client created less than 30 s ago and that the server does not know yet
    /// is asked for again.
    ///
    /// # Errors
    /// `not_found`, and whatever keeps us from asking.
    pub async fn refresh(&self) -> Result<Self> {
        self.refresh_within(None).await
    }

    /// [`Task::refresh`] with a timeout in place of the client's.
    pub(crate) async fn refresh_within(&self, timeout: Option<Duration>) -> Result<Self> {
        let core = &self.client.core;
        let timeout = create::judged(timeout, core.config.timeout, Phase::Query);
        let timeout = timeout.map_err(|error| error.with_task(self.id()))?;
        loop {
            match core.query(self.id(), timeout, core.config.retry.clone(), Turn::ToCome).await {
                Ok(seen) => {
                    Box::pin(core.note_seen(&seen)).await;
                    return Ok(self.seen(seen));
                }
                Err(error) => match core.config.wait.not_visible_yet(self.created, core.now(), &error) {
                    Some(again) => core.sleep_until(again).await,
                    None => return Err(error),
                },
            }
        }
    }

    /// Waits for the end of the task and gives its video. Await it, after setting what differs from the client's
    /// [`WaitPolicy`]. Dropping it stops the waiting, never the task.
    ///
    /// # Errors
    /// `task_failed`; `wait_timeout`; a 401, 403 or persistent 404; what kept us from asking too often in a row.
    /// Every one of them carries the task's id.
    pub fn wait(&self) -> Wait {
        Wait::new(self.clone())
    }

    /// The states as they come, one for each poll, as a stream. It ends after the last state, or with the error
    /// that a wait would have ended with.
    pub fn watch(&self) -> BoxStream<'static, Result<Task>> {
        self.watch_with(self.client.core.config.wait.clone())
    }

    /// [`Task::watch`] with a policy of its own.
    pub fn watch_with(&self, policy: WaitPolicy) -> BoxStream<'static, Result<Task>> {
        if let Err(error) = policy.check() {
            let error = error.with_task(self.id());
            return Box::pin(stream::once(async { Err(error) }));
        }
        let machine = machine(&self.client, self.id(), policy, self.created);
        Box::pin(stream::unfold(Some((self.clone(), machine)), |state| async move {
            let (task, mut machine) = state?;
            match task.client.core.wait_step(&mut machine).await {
                WaitEvent::Seen(seen) => {
                    let next = task.seen(*seen);
                    Some((Ok(next.clone()), Some((next, machine))))
                }
                WaitEvent::Done(Ok(())) => None,
                WaitEvent::Done(Err(error)) => Some((Err(error), None)),
            }
        }))
    }

    /// The video, when the last seen state says that there is one.
    ///
    /// # Errors
    /// `task_failed` or `not_ready`.
    pub fn video(&self) -> Result<Video> {
        video_of(&self.snapshot)?;
        let (id, url) = (self.id().to_owned(), self.snapshot.video_url.clone());
        let source = Source { task_id: Some(id), url, charge: Charge::of(&self.snapshot) };
        let video = Video::new(self.client.clone(), source);
        Ok(Video { saved: self.saved_file().cloned().map(Arc::new), ..video })
    }

    fn seen(&self, mut snapshot: Snapshot) -> Self {
        // The bill came with the create; queries do not repeat it.
        snapshot.billed_seconds = snapshot.billed_seconds.or(self.snapshot.billed_seconds);
        Self { snapshot: Arc::new(snapshot), ..self.clone() }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id())
            .field("status", &self.status())
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}

enum Begin {
    Task(Task),
    Create(Client, Option<CreateTracker>, Box<VideoRequest>, Option<Duration>),
}

/// A wait that has not begun: set what differs, then await it.
#[must_use = "a wait does nothing until it is awaited"]
pub struct Wait {
    begin: Begin,
    pub(super) policy: WaitPolicy,
    cancel: Option<CancelToken>,
    on_progress: Option<BoxCallback<Task>>,
}

impl Wait {
    fn new(task: Task) -> Self {
        let policy = task.client.core.config.wait.clone();
        Self { begin: Begin::Task(task), policy, cancel: None, on_progress: None }
    }

    pub(crate) fn after_create(
        client: &Client,
        tracker: Option<&CreateTracker>,
        request: VideoRequest,
        timeout: Option<Duration>,
    ) -> Self {
        let policy = client.core.config.wait.clone();
        let begin = Begin::Create(client.clone(), tracker.cloned(), Box::new(request), timeout);
        Self { begin, policy, cancel: None, on_progress: None }
    }

    /// The task that is waited for; none before it was created.
    pub(super) fn task_id(&self) -> Option<&str> {
        match &self.begin {
            Begin::Task(task) => Some(task.id()),
            Begin::Create(..) => None,
        }
    }

    /// Waits as long as it takes.
    pub fn no_timeout(mut self) -> Self {
        self.policy.timeout = None;
        self
    }

    /// Another policy than the client's.
    pub fn policy(mut self, policy: WaitPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Ends the wait when the token is cancelled; the error carries the task's id, or says `maybe_executed` when the
    /// create was under way.
    pub fn cancel_with(mut self, token: &CancelToken) -> Self {
        self.cancel = Some(token.clone());
        self
    }

    /// Called with every state that a poll shows, and with the new task first when the wait creates it.
    pub fn on_progress(mut self, callback: impl FnMut(&Task) + MaybeSend + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }
}

/// What a wait keeps of its task. Thousands may wait in one process, so the last seen state is not among it.
struct Waiting {
    client: Client,
    id: Box<str>,
    billed_seconds: Option<f64>,
    created: Option<Time>,
    warnings: Arc<[Warning]>,
}

impl From<Task> for Waiting {
    fn from(task: Task) -> Self {
        let (id, billed_seconds) = (task.id().into(), task.billed_seconds());
        Self { client: task.client, id, billed_seconds, created: task.created, warnings: task.warnings }
    }
}

impl Waiting {
    fn seen(&self, mut snapshot: Snapshot) -> Task {
        snapshot.billed_seconds = snapshot.billed_seconds.or(self.billed_seconds);
        let (client, warnings) = (self.client.clone(), self.warnings.clone());
        Task { client, snapshot: Arc::new(snapshot), created: self.created, warnings, earlier: None }
    }

    /// The wait, until a token ends it. Without a token it carries nothing more.
    fn run_until(
        self,
        cancel: Option<CancelToken>,
        policy: Box<WaitPolicy>,
        on_progress: Option<BoxCallback<Task>>,
    ) -> BoxFuture<'static, Result<Video>> {
        let Some(token) = cancel else { return self.run(policy, on_progress) };
        let id = self.id.clone();
        let wait = self.run(policy, on_progress);
        Box::pin(async move { token.run_for(&id, wait).await })
    }

    /// The wait itself. A block and not an `async fn`, which would keep each argument twice.
    fn run(
        mut self,
        policy: Box<WaitPolicy>,
        mut on_progress: Option<BoxCallback<Task>>,
    ) -> BoxFuture<'static, Result<Video>> {
        Box::pin(async move {
            // Begun here, when somebody awaits it.
            let id = std::mem::take(&mut self.id);
            policy.check().map_err(|error| error.with_task(&id))?;
            let mut machine = machine(&self.client, &id, *policy, self.created);
            drop(id);
            let mut last = None;
            loop {
                match self.client.core.wait_step(&mut machine).await {
                    WaitEvent::Seen(seen) => {
                        // A state that another will follow is not kept: most waits are at this point.
                        let ended = seen.status.is_terminal();
                        let task = (ended || on_progress.is_some()).then(|| self.seen(*seen));
                        if let (Some(callback), Some(task)) = (&mut on_progress, &task) {
                            callback(task);
                        }
                        last = task.filter(|_| ended);
                    }
                    WaitEvent::Done(result) => {
                        result?;
                        let missing = || Error::new(ErrorKind::Internal, Phase::Wait, "a wait ended without a state");
                        return last.ok_or_else(missing)?.video();
                    }
                }
            }
        })
    }
}

impl IntoFuture for Wait {
    type Output = Result<Video>;
    type IntoFuture = BoxFuture<'static, Result<Video>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { begin, policy, cancel, mut on_progress } = self;
        let policy = Box::new(policy);
        match begin {
            Begin::Task(task) => Waiting::from(task).run_until(cancel, policy, on_progress),
            Begin::Create(client, tracker, request, timeout) => Box::pin(async move {
                // Whatever can be refused is refused before it is paid for.
                policy.check()?;
                let request = *request;
                // The callback outlives the first wait only where another may follow.
                let next_callback = request.retry_failed.then(|| shared(on_progress.take()));
                if let Some(next) = &next_callback {
                    on_progress = next();
                }
                // The task under the key that was seen failing.
                let mut failed: Option<String> = None;
                loop {
                    let create = TrackedCreate::new(tracker.as_ref(), &client.core.closed);
                    let creating = create::create(client.core.clone(), request.clone(), create.clone(), timeout);
                    let created = match &cancel {
                        Some(token) => Box::pin(token.run_stamped(|error| create.stamp(error), creating)).await?,
                        None => creating.await?,
                    };
                    let task = Task::new(&client, created);
                    let left_behind = LeftBehind::task(task.id());
                    if let Some(callback) = &mut on_progress {
                        callback(&task);
                    }
                    // What the journal knows to be done need not be waited for.
                    if task.is_reused() && task.status().is_terminal() {
                        left_behind.nothing();
                        return task.video();
                    }
                    // The same one once more: that it failed could not be written into the journal, so no other can be created.
                    let again = task.is_reused() && request.retry_failed && failed.as_deref() != Some(task.id());
                    failed = again.then(|| task.id().to_owned());
                    let waiting = Waiting::from(task);
                    let ended = waiting.run_until(cancel.clone(), policy.clone(), on_progress.take()).await;
                    left_behind.nothing();
                    match ended {
                        // The journal knows now that it failed, and the next task is this call's own.
                        Err(error) if again && error.kind() == ErrorKind::TaskFailed => {
                            on_progress = next_callback.as_ref().and_then(|next| next());
                        }
                        ended => return ended,
                    }
                }
            }),
        }
    }
}

/// Callbacks that share this one.
fn shared(callback: Option<BoxCallback<Task>>) -> impl Fn() -> Option<BoxCallback<Task>> {
    let callback = callback.map(|callback| Arc::new(Mutex::new(callback)));
    move || {
        let callback = callback.clone()?;
        let one = move |task: &Task| callback.lock().unwrap_or_else(PoisonError::into_inner)(task);
        Some(Box::new(one) as BoxCallback<Task>)
    }
}

fn machine(client: &Client, id: &str, policy: WaitPolicy, created: Option<Time>) -> WaitMachine {
    let core = &client.core;
    WaitMachine::new(id, policy.for_host(core.config.loopback), created, core.now(), core.timer.seed())
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("policy", &self.policy).finish_non_exhaustive()
    }
}
