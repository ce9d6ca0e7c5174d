//! In a page no transport tells when a request leaves: a create leaves when it is handed over. No code for more.

use std::sync::Arc;

use crate::calls::tracker::TrackedCreate;
use crate::error::{Error, Result};
use crate::net::transport::{Timer, Transport};

pub(crate) fn hand_over(create: &TrackedCreate, _: &dyn Transport) -> Result<()> {
    create.leaves()
}

#[derive(Clone, Default)]
pub(crate) struct Gate(());

#[allow(clippy::unused_self)] // the shape of the one that asks
impl Gate {
    pub(crate) fn new(_: Option<&TrackedCreate>, _: Option<u64>, _: &Arc<dyn Timer>, _: &dyn Transport) -> Self {
        Self(())
    }

    pub(crate) fn is_shut(&self) -> bool {
        false
    }

    pub(crate) fn refusal(&self) -> Option<Error> {
        None
    }
}
