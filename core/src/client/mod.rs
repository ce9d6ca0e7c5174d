//! The client: one object for a key, cheap to clone, safe to share; and what it hands out.

pub(crate) mod advance;
#[cfg(feature = "blocking")]
pub mod blocking;
pub(crate) mod builder;
pub(crate) mod many;
mod options;
#[cfg(feature = "journal")]
pub(crate) mod pending;
#[cfg(feature = "journal")]
pub(crate) mod reconcile;
#[cfg(feature = "native")]
mod resume;
#[cfg(feature = "native")]
mod saving;
pub(crate) mod setters;
#[cfg(feature = "journal")]
pub(crate) mod spending;
pub(crate) mod task;
pub(crate) mod video;
pub(crate) mod videos;

use std::fmt;
use std::sync::Arc;

use crate::calls::client_core::ClientCore;
use crate::check::{CheckOptions, CheckReport};
use crate::error::Result;
use crate::net::endpoint::Endpoint;
use crate::protocol::{Balance, WaitPolicy};

/// A client of the video API: one for a key is enough. Clones share everything and cost nothing, and any number of
/// threads and tasks may use them at once. With the built-in transport its calls need a tokio runtime; without one take
/// [`blocking::Client`].
///
/// **Fork.** A process made by `fork()` may use the clients that it inherits: it gets connections, a request budget and
/// a choice of endpoint of its own, and shares the journal. Calls, streams and readers that were begun before the fork
/// belong to the parent: the child neither polls nor drops them (`std::mem::forget`).
///
/// **Signals.** On Linux a server that resets the connection causes SIGPIPE. Rust programs ignore it, and `blocking` and the
/// bindings keep it away; a runtime of your own inside a program that does not ignore it calls
/// [`block_sigpipe`](crate::platform::native::block_sigpipe) at the start of its threads.
///
/// ```no_run
/// # async fn run() -> junfeiai::Result<()> {
/// let client = junfeiai::Client::from_env()?;
/// let task = client.videos().create("A small red ball bouncing once").await?;
/// task.wait().await?.save("ball.mp4").await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(crate) core: Arc<ClientCore>,
}

impl Client {
    /// The endpoint that calls go to now: the first of [`Client::endpoints`], until it could not be reached.
    pub fn endpoint(&self) -> &Endpoint {
        self.core.endpoint()
    }

    /// Every endpoint, in the order of preference.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.core.config.endpoints
    }

    /// Checks every endpoint, the key, the clock, the proxy and the video host, and says what to do where something is
    /// wrong. Costs nothing, creates nothing and never fails: what is wrong is in the report.
    pub async fn check(&self) -> CheckReport {
        self.check_with(CheckOptions::default()).await
    }

    /// [`Client::check`] with options.
    pub async fn check_with(&self, options: CheckOptions) -> CheckReport {
        crate::check::check(&self.core, options).await
    }

    /// The models that this key may use. Beyond the service document (observed): a server need not offer it.
    ///
    /// # Errors
    /// `not_offered`, and whatever keeps us from asking.
    pub async fn models(&self) -> Result<Vec<String>> {
        crate::check::models(&self.core).await
    }

    /// What is left on this key. Beyond the service document (observed): a server need not offer it, and allows 20 calls
    /// in 20 minutes where it does.
    ///
    /// # Errors
    /// `not_offered`, and whatever keeps us from asking.
    pub async fn balance(&self) -> Result<Balance> {
        crate::check::balance(&self.core).await
    }

    /// Lets no further create request leave, of this client and its clones: those that wait for their turn, or to be sent again, end
    /// with `cancelled` and without `maybe_executed`, and so does whatever is created later. What has left runs to its end; queries,
    /// waits and reads go on. Dropping a client does not close it.
    ///
    /// ```no_run
    /// # async fn run(client: junfeiai::Client) {
    /// client.close();
    /// let error = client.videos().create("A red ball").await.unwrap_err();
    /// assert!(error.kind() == junfeiai::ErrorKind::Cancelled && !error.maybe_executed());
    /// # }
    /// ```
    pub fn close(&self) {
        self.core.closed.cancel();
    }

    /// How tasks are waited for by default.
    pub fn wait_policy(&self) -> &WaitPolicy {
        &self.core.config.wait
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", self.endpoint())
            .field("key", &self.core.config.key)
            .finish_non_exhaustive()
    }
}
