//! Where a video is.

#[cfg(feature = "journal")]
use std::sync::{Arc, OnceLock};

use crate::calls::client_core::ClientCore;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::Snapshot;
use crate::net::endpoint::rewrite_video_url;
use crate::net::url::Url;
use crate::status::TaskStatus;

/// Which video is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) task_id: Option<String>,
    /// What the task said, or what the caller gave.
    pub(crate) url: Option<String>,
    pub(crate) charge: Charge,
}

/// What the task cost, in units, once that was seen. Clones share it: whoever asks for the task notes it for all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Charge(#[cfg(feature = "journal")] Arc<OnceLock<u64>>);

#[cfg_attr(not(feature = "journal"), allow(clippy::unused_self, clippy::missing_const_for_fn))]
impl Charge {
    /// What this state of the task says.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let charge = Self::default();
        charge.note(snapshot);
        charge
    }

    pub(crate) fn note(&self, snapshot: &Snapshot) {
        #[cfg(feature = "journal")]
        if let Some(units) = snapshot.charged_units {
            _ = self.0.set(units);
        }
        #[cfg(not(feature = "journal"))]
        let _ = snapshot;
    }

    #[cfg(feature = "journal")]
    pub(crate) fn units(&self) -> Option<u64> {
        self.0.get().copied()
    }
}

impl Source {
    /// Where it can be read, as what was read says where it is from; see [`DownloadMachine::source`].
    ///
    /// [`DownloadMachine::source`]: crate::protocol::DownloadMachine::source
    pub(crate) fn names(&self, core: &ClientCore) -> Vec<String> {
        self.urls(core).iter().map(Url::for_display).collect()
    }

    /// Where it can be read, best first; empty when the task has to be asked.
    pub(super) fn urls(&self, core: &ClientCore) -> Vec<Url> {
        let Some(url) = self.url.as_deref().and_then(|url| Url::parse(url).ok()) else {
            return Vec::new();
        };
        let url = rewrite_video_url(url, core.config.video_base.as_ref());
        let mut urls = vec![url];
        if let Some(id) = self.task_id.as_deref() {
            // The endpoint in use first; ids are valid on the others as well.
            for entry in std::iter::once(core.endpoint()).chain(&core.config.endpoints) {
                let content = entry.content_url(id);
                if !urls.contains(&content) {
                    urls.push(content);
                }
            }
        }
        urls
    }
}

/// Whether there is a video to read.
pub(crate) fn video_of(snapshot: &Snapshot) -> Result<()> {
    let status = snapshot.status;
    let error = match status {
        TaskStatus::Succeeded => return Ok(()),
        TaskStatus::Failed => {
            let reason = snapshot.fail_reason.as_deref().unwrap_or("the server gave no reason");
            Error::new(ErrorKind::TaskFailed, Phase::Content, format!("the task failed: {reason}"))
        }
        _ => Error::new(ErrorKind::NotReady, Phase::Content, format!("the task is {status}: wait for it first"))
            .with(|record| record.transient = false),
    };
    Err(error.with_task(&snapshot.task_id).with(|record| record.last_status = Some(status)))
}
