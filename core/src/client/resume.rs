//! Going on with everything that a former process paid for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use crate::async_compat::BoxStream;
use crate::client::pending::{Pending, PendingState};
use crate::client::videos::Videos;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::save::existing::whole;
use crate::save::file::note_saved;
use crate::save::file_name::safe_file_name;
use crate::save::summary::Summary;

/// Videos that are read at once.
const SAVES: usize = 4;

impl Videos {
    /// Waits for all pending tasks of the journal and saves them as `DIR/<task id>.mp4`
    /// ([`Video::file_name`](crate::Video::file_name)). Each is reported, as a stream, when it is done, in order of
    /// completion; one that fails stops no other. All are waited for at once, four are read at a time.
    ///
    /// It can itself be killed and called again: a video that stands whole under its name is not read again, one that
    /// was begun is resumed. Create requests whose outcome is unknown are left alone: see [`Videos::pending`].
    ///
    /// # Errors
    /// `config` without a journal; `journal` when it cannot be read. Errors of single tasks are in the stream.
    pub async fn resume_pending(
        &self,
        dir: impl AsRef<Path> + Send,
    ) -> Result<BoxStream<'static, (String, Result<Summary>)>> {
        let dir = dir.as_ref().to_owned();
        let saves = Arc::new(Semaphore::new(SAVES));
        let tasks = FuturesUnordered::new();
        for entry in self.pending().await? {
            if let Pending::Task { task_id, state, created_at, .. } = entry {
                self.client.core.note_young(&task_id, created_at);
                let path = dir.join(safe_file_name(&task_id));
                let (videos, saves) = (self.clone(), saves.clone());
                tasks.push(async move {
                    let result = videos.resume(&task_id, state, path, &saves).await;
                    let result = result.map_err(|error| error.with_task(&task_id));
                    (task_id, result)
                });
            }
        }
        Ok(Box::pin(tasks))
    }

    async fn resume(&self, id: &str, state: PendingState, path: PathBuf, saves: &Semaphore) -> Result<Summary> {
        let core = &self.client.core;
        if let Some(summary) = whole(&path, core.timer.seed(), || core.now()).await? {
            note_saved(&self.client.core, id, &summary).await;
            return Ok(summary);
        }
        let video = match state {
            PendingState::Created => self.task(id)?.wait().await?,
            PendingState::Succeeded => self.video(id)?,
        };
        let closed = |_| Error::new(ErrorKind::Internal, Phase::Save, "the saves were ended too early");
        let _permit = saves.acquire().await.map_err(closed)?;
        video.save(path).create_parents(true).await
    }
}
