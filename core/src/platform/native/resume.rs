//! Going on with everything that a former process paid for.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;

use super::Summary;
use super::part::{read_full, tidy};
use super::save::{note_saved, safe_file_name};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::pending::{Pending, PendingState};
use crate::platform::BoxStream;
use crate::protocol::mp4::{Mp4Check, Mp4Info, Mp4Step};
use crate::videos::Videos;

/// Videos that are read at once.
const SAVES: usize = 4;

impl Videos {
    /// Waits for all pending tasks of the journal and saves them as `DIR/<task id>.mp4`
    /// ([`Video::file_name`](crate::Video::file_name)). Each is reported, as a stream, when it is done, in order of
    /// completion; one that fails stops no other. All are waited for at once, four are read at a time.
    ///
    /// It can itself be killed and called again: a video that stands whole under its name is not read again, one that
    /// was begun is gone on with. Creates whose outcome is unknown are left alone: see [`Videos::pending`].
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
                self.note_young(&task_id, created_at);
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

    /// A task whose create ended a moment ago in another process may not be shown yet, as if it were our own.
    fn note_young(&self, task_id: &str, created_at: u64) {
        let io = &self.client.io;
        let visible_after = io.config.wait.visible_after;
        // The journal knows when the create began; its end may have come as late as that was allowed to take.
        let young = visible_after.saturating_add(io.config.create_timeout).as_secs();
        if io.timer.unix_now().is_some_and(|now| now.saturating_sub(created_at) <= young) {
            io.newborn().note(io.now(), task_id, visible_after);
        }
    }

    async fn resume(&self, id: &str, state: PendingState, path: PathBuf, saves: &Semaphore) -> Result<Summary> {
        if let Some(summary) = whole(&path)? {
            tidy(&path);
            note_saved(&self.client.io, id, &summary).await;
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

/// What is known of a video that a former process saved without coming to say so. A file has this name only when it is
/// whole; one that is not a whole MP4 is somebody else's, and saving will say that it is in the way.
fn whole(path: &Path) -> Result<Option<Summary>> {
    let begun = Instant::now();
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let io = |error: std::io::Error| super::part::io_error("the file", path, &error);
    let bytes = file.metadata().map_err(io)?.len();
    let Some(info) = check(&mut file, bytes).map_err(io)? else { return Ok(None) };
    Ok(Some(Summary {
        path: path.to_owned(),
        bytes,
        duration: info.duration,
        width: info.width,
        height: info.height,
        resumed: false,
        attempts: 0,
        elapsed: begun.elapsed(),
        sha256: None,
    }))
}

fn check(file: &mut File, bytes: u64) -> std::io::Result<Option<Mp4Info>> {
    let mut check = Mp4Check::new(bytes);
    let mut buffer = Vec::new();
    loop {
        match check.step() {
            Mp4Step::Done(result) => return Ok(result.ok()),
            Mp4Step::Need { offset, len } => {
                buffer.resize(len, 0);
                file.seek(SeekFrom::Start(offset))?;
                let read = read_full(file, &mut buffer)?;
                check.input(buffer.get(..read).unwrap_or_default());
            }
        }
    }
}
