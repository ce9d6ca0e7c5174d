//! In the place of the journal where it is left out: nothing is written down.

use std::sync::Arc;

use crate::calls::client_core::ClientCore;
use crate::calls::tracker::TrackedCreate;
use crate::error::{Error, Result};
use crate::model::{Prepared, Warning};

pub(crate) struct OpenIntent;

impl ClientCore {
    #[allow(clippy::unused_async)] // the shape of the one that writes
    pub(crate) async fn begin_create(self: &Arc<Self>, _: &Prepared, _: &str, _: &TrackedCreate) -> Result<OpenIntent> {
        Ok(OpenIntent)
    }

    #[allow(clippy::unused_async)] // as above
    pub(crate) async fn note_finished(&self, _: &str, _: &Result<()>) {}
}

#[allow(clippy::unused_async)] // as above
impl OpenIntent {
    pub(crate) async fn created(self, _: &str) -> Option<Warning> {
        None
    }

    pub(crate) async fn failed(self, error: Error) -> Error {
        error
    }
}
