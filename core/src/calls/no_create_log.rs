//! In the place of the journal where it is left out: nothing is written down, and nothing can be created under a key.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::calls::client_core::ClientCore;
use crate::calls::tracker::TrackedCreate;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::{Earlier, Prepared, Snapshot, VideoRequest, Warning};

pub(crate) struct OpenIntent;

pub(crate) struct Keyed(Infallible);

/// Without a journal there is no budget.
#[derive(Default)]
pub(crate) struct BudgetShare(());

#[allow(clippy::unused_self)] // the shapes of those that look and write
impl ClientCore {
    pub(crate) fn keyed(&self, request: &VideoRequest, _: &Prepared, _: Duration) -> Result<Option<Keyed>> {
        if request.key.is_none() {
            return Ok(None);
        }
        let text = "a key needs a journal, which this build does not have: leave the key out";
        Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "key", text))
    }

    #[allow(clippy::unused_async)] // the shape of the one that looks
    pub(crate) async fn earlier(&self, keyed: &mut Keyed, _: &TrackedCreate) -> Result<Option<Earlier>> {
        match keyed.0 {}
    }

    #[allow(clippy::unused_async)] // the shape of the one that writes
    pub(crate) async fn begin_create(
        self: &Arc<Self>,
        _: &Prepared,
        _: &str,
        _: &TrackedCreate,
        _: Option<&mut Keyed>,
        _: &BudgetShare,
        _: Duration,
    ) -> Result<Option<OpenIntent>> {
        Ok(Some(OpenIntent))
    }

    #[allow(clippy::unused_async)] // as above
    pub(crate) async fn salt(&self, _: &str) -> Result<String> {
        Ok(String::new())
    }

    #[allow(clippy::unused_async)] // as above
    pub(crate) async fn note_finished(&self, _: &str, _: &Result<()>, _: Option<u64>) {}

    #[allow(clippy::unused_async)] // as above
    pub(crate) async fn note_seen(&self, _: &Snapshot) {}
}

#[allow(clippy::unused_async, clippy::unused_self)] // as above
impl OpenIntent {
    pub(crate) fn until(&self) -> Option<u64> {
        None
    }

    pub(crate) fn idempotency_key(&self, _: &str) -> Option<String> {
        None
    }

    pub(crate) async fn created(self, _: &str, _: Option<&str>) -> Option<Warning> {
        None
    }

    pub(crate) async fn failed(self, error: Error) -> Error {
        error
    }
}
