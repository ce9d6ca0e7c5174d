//! The same calls for programs without an async runtime.
//!
//! ```no_run
//! # fn main() -> junfeiai::Result<()> {
//! let client = junfeiai::blocking::Client::from_env()?;
//! let video = client.generate("A small red ball bouncing once")?;
//! println!("{}", client.save(&video, "ball.mp4")?.path.display());
//! # Ok(()) }
//! ```

mod reader;

use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use tokio::runtime::Runtime;

use crate::client;
use crate::client::advance::Advance;
use crate::client::builder::ClientBuilder;
use crate::client::pending::Pending;
use crate::client::reconcile::Reconciliation;
use crate::client::spending::Spending;
use crate::client::task::Task;
use crate::client::video::Video;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::PerProcess;
use crate::model::VideoRequest;
use crate::net::secret::AccountAccess;
use crate::platform::native::without_sigpipe;
use crate::protocol::blocks::ReaderOptions;
use crate::protocol::{Estimate, WaitState};
use crate::save::summary::Summary;

pub use reader::Reader;

/// A client whose calls block the calling thread. Clones share everything; threads may share one, and so may a process
/// made by `fork()`, see [`crate::Client`].
///
/// Not for use inside an async runtime: take [`crate::Client`] there.
#[derive(Debug, Clone)]
pub struct Client {
    client: client::Client,
    runtime: Arc<BlockingRuntime>,
}

/// A runtime of one thread for each process: nobody turns the parent's in its child.
#[derive(Debug)]
struct BlockingRuntime(PerProcess<Runtime>);

impl BlockingRuntime {
    fn new() -> Result<Self> {
        let cell = PerProcess::new();
        let runtime = Self::start()?;
        cell.get_or_init(|| runtime);
        Ok(Self(cell))
    }

    fn start() -> Result<Runtime> {
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(ErrorKind::Io, Phase::Config, format!("the runtime cannot be started: {error}"))
        })
    }

    /// Turns the runtime until the future is done. The future is made inside, so that it finds the runtime.
    fn run<F: Future>(&self, make: impl FnOnce() -> F) -> F::Output {
        // A Rust program ignores SIGPIPE, unless it was told otherwise or is a library of a C program.
        without_sigpipe(|| {
            let runtime = self.0.get_or_init(|| {
                #[allow(clippy::panic)] // a child of `fork()` that gets no descriptors; there is no error to give
                Self::start().unwrap_or_else(|error| panic!("{error}"))
            });
            let _entered = runtime.enter();
            runtime.block_on(make())
        })
    }
}

impl Client {
    /// A client for this key with every default.
    ///
    /// # Errors
    /// `config` when the key cannot be one.
    pub fn new(api_key: impl Into<String>) -> Result<Self> {
        Self::build(client::Client::builder().api_key(api_key))
    }

    /// A client from `JUNFEIAI_API_KEY`, `JUNFEIAI_BASE_URL` and `JUNFEIAI_VIDEO_BASE_URL`.
    ///
    /// # Errors
    /// `config` when the key is missing or a URL cannot be used.
    pub fn from_env() -> Result<Self> {
        Self::build(client::Client::builder().from_env())
    }

    /// A client with these options.
    ///
    /// # Errors
    /// `config`, naming the option that cannot be used.
    pub fn build(builder: ClientBuilder) -> Result<Self> {
        let runtime = Arc::new(BlockingRuntime::new()?);
        Ok(Self { client: builder.build()?, runtime })
    }

    /// The async client behind this one, whose futures [`Client::run`] takes.
    pub fn inner(&self) -> &client::Client {
        &self.client
    }

    /// Lets no further create request leave. See [`crate::Client::close`].
    pub fn close(&self) {
        self.client.close();
    }

    /// Runs any call of the async client to its end: `client.run(task.wait().timeout(limit))`.
    ///
    /// # Panics
    /// In a child of `fork()` whose own runtime cannot be started, because the system has no descriptors left.
    pub fn run<F: IntoFuture>(&self, call: F) -> F::Output {
        self.runtime.run(|| call.into_future())
    }

    /// Creates a task; this costs money. See [`crate::Videos::create`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::create`].
    pub fn create(&self, request: impl Into<VideoRequest>) -> Result<Task> {
        self.run(self.client.videos().create(request))
    }

    /// What a create request will cost. See [`crate::Videos::estimate`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::estimate`].
    pub fn estimate(&self, request: impl Into<VideoRequest>) -> Result<Estimate> {
        self.run(self.client.videos().estimate(request))
    }

    /// What was spent. See [`crate::Videos::spending`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::spending`].
    pub fn spending(&self, since: Option<&str>) -> Result<Vec<Spending>> {
        self.run(self.client.videos().spending(since))
    }

    /// Asks for a task's state. See [`crate::Videos::get`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::get`].
    pub fn get(&self, task_id: &str) -> Result<Task> {
        self.run(self.client.videos().get(task_id))
    }

    /// A task by its id, without asking for it.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a task id.
    pub fn task(&self, task_id: &str) -> Result<Task> {
        self.client.videos().task(task_id)
    }

    /// Waits for a task. See [`Task::wait`].
    ///
    /// # Errors
    /// Those of [`Task::wait`].
    pub fn wait(&self, task: &Task) -> Result<Video> {
        self.run(task.wait())
    }

    /// One step of a durable wait. See [`crate::Videos::advance`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::advance`].
    pub fn advance(&self, state: WaitState) -> Result<Advance> {
        self.run(self.client.videos().advance(state))
    }

    /// Creates a task and waits for its video; this costs money.
    ///
    /// # Errors
    /// Those of [`crate::Videos::create`] and [`Task::wait`].
    pub fn generate(&self, request: impl Into<VideoRequest>) -> Result<Video> {
        self.run(self.client.videos().generate(request))
    }

    /// Saves a video. See [`Video::save`].
    ///
    /// # Errors
    /// Those of [`Video::save`].
    pub fn save(&self, video: &Video, path: impl AsRef<Path>) -> Result<Summary> {
        self.run(video.save(path))
    }

    /// Opens a video for reading here and there, without a file. See [`Video::open`].
    ///
    /// # Errors
    /// Those of [`Video::open`].
    pub fn open(&self, video: &Video) -> Result<Reader> {
        Ok(Reader::new(self.run(video.open())?, self.runtime.clone()))
    }

    /// [`Client::open`] with a custom size of the cache and of the read-ahead.
    ///
    /// # Errors
    /// Those of [`Video::open`].
    pub fn open_with(&self, video: &Video, options: ReaderOptions) -> Result<Reader> {
        Ok(Reader::new(self.run(video.open_with(options))?, self.runtime.clone()))
    }

    /// What the journal says is left to be done. See [`crate::Videos::pending`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::pending`].
    pub fn pending(&self) -> Result<Vec<Pending>> {
        self.run(self.client.videos().pending())
    }

    /// Finds out what became of create requests whose answer was lost. See [`crate::Videos::reconcile`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::reconcile`].
    pub fn reconcile(&self) -> Result<Reconciliation> {
        self.run(self.client.videos().reconcile())
    }

    /// [`Client::reconcile`] with the access of the account's owner. See [`crate::Videos::reconcile_with`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::reconcile_with`].
    pub fn reconcile_with(&self, access: &AccountAccess) -> Result<Reconciliation> {
        self.run(self.client.videos().reconcile_with(access))
    }

    /// Waits for all pending tasks and saves them in this folder; the callback is called with each as it ends. See
    /// [`crate::Videos::resume_pending`].
    ///
    /// # Errors
    /// Those of [`crate::Videos::resume_pending`]; errors of single tasks go to the callback.
    pub fn resume_pending(&self, dir: impl AsRef<Path>, mut done: impl FnMut(String, Result<Summary>)) -> Result<()> {
        let dir = dir.as_ref();
        self.run(async {
            let mut tasks = self.client.videos().resume_pending(dir).await?;
            while let Some((id, result)) = tasks.next().await {
                done(id, result);
            }
            Ok(())
        })
    }
}
