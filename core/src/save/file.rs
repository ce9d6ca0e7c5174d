//! Saving a video to a file.

use std::fmt;
use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::async_compat::{BoxCallback, BoxFuture};
use crate::calls::client_core::{ClientCore, log_seconds};
use crate::error::{Phase, Result};
use crate::journal::{Event, Journal};
use crate::model::SavedFile;
use crate::platform::native::storage::FileStorage;
use crate::protocol::DownloadPolicy;
use crate::save::existing::whole;
use crate::save::files::PART;
use crate::save::meter::{Meter, SaveProgress};
use crate::save::saver::{SaveOptions, check_rate, during_save, save};
use crate::save::summary::Summary;
use crate::save::target;
use crate::storage::Storage as _;
use crate::video::fetch::Source;

/// A save that has not begun: set what differs, then await it.
///
/// The bytes go to `NAME.part` beside the target and get the final name only when the file is whole, checked and on the
/// disk. A save that ends early (an error, a dropped future, a killed process) is resumed by the next. `NAME.part` and the
/// names that begin with `NAME.part.` belong to it: a `NAME.part` that another program left there is overwritten.
///
/// # Errors
/// `invalid_request` for an option that cannot be used; `file_exists`, `file_locked`, `no_space`, `io`; `not_ready`; `download` after too many failures in a row;
/// `integrity` when the file changed twice or is not a whole MP4 (then `field` is `verify`, the bytes are kept, and a
/// save with [`Save::verify`] off takes them without a request); and what the server refuses.
#[must_use = "a save does nothing until it is awaited"]
pub struct Save {
    core: Arc<ClientCore>,
    source: Source,
    path: PathBuf,
    /// Where an earlier call with the same key saved it.
    saved: Option<Arc<SavedFile>>,
    pub(super) policy: DownloadPolicy,
    pub(super) overwrite: bool,
    pub(super) parents: bool,
    pub(super) sha256: bool,
    rate_limit: Option<u64>,
    on_progress: Option<BoxCallback<SaveProgress>>,
}

impl Save {
    pub(crate) fn new(core: Arc<ClientCore>, source: Source, path: &Path, saved: Option<Arc<SavedFile>>) -> Self {
        Self {
            core,
            source,
            path: path.to_owned(),
            saved,
            policy: DownloadPolicy::default(),
            overwrite: false,
            parents: false,
            sha256: false,
            rate_limit: None,
            on_progress: None,
        }
    }

    /// Bytes per second at most; 0 is refused. Default: as fast as it comes.
    pub fn rate_limit(mut self, bytes_per_second: u64) -> Self {
        self.set_rate_limit(bytes_per_second);
        self
    }

    pub(crate) fn set_rate_limit(&mut self, bytes_per_second: u64) {
        self.rate_limit = Some(bytes_per_second);
    }

    /// Most bytes that are taken of a file whose length the server does not say. Default 16 GiB: a body without an end
    /// must not fill the disk.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.policy.max_bytes = max_bytes;
        self
    }

    /// Everything that decides how the video is read.
    pub fn policy(mut self, policy: DownloadPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Called at most every 100 ms while bytes come, and once at the end.
    pub fn on_progress(mut self, callback: impl FnMut(&SaveProgress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(callback));
        self
    }

    /// Judges the options; the first thing that a save does.
    ///
    /// # Errors
    /// `invalid_request`, naming the option.
    pub(crate) fn check_options(&self) -> Result<()> {
        self.stamp(check_rate(self.rate_limit).and_then(|()| self.policy.check(Phase::Save)))
    }

    /// The task whose video it is, when it is known.
    pub(crate) fn task_id(&self) -> Option<&str> {
        self.source.task_id.as_deref()
    }

    fn journal(&self) -> Option<&dyn Journal> {
        self.core.recorder.as_ref().map(|recorder| &*recorder.journal)
    }

    /// The task's id on every error.
    fn stamp<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.about(self.task_id()))
    }

    /// Judges options and target without reading anything of the video: what is refused here, the save itself would refuse before
    /// its first request. Leaves nothing behind. For a video that is not paid for yet see
    /// [`Videos::check_save`](crate::Videos::check_save).
    ///
    /// # Errors
    /// `invalid_request` for an option that cannot be used; `file_exists`; `file_locked`; `no_space`; `io` for a folder
    /// that is missing or cannot be written, a name that no file can have, or a target that is not a regular
    /// file, or one of the files of the client's journal.
    pub fn check(&self) -> Result<()> {
        self.check_options()?;
        self.stamp(target::check(&self.path, self.overwrite, self.parents, self.journal()))
    }

    async fn run(mut self) -> Result<Summary> {
        let task_id = self.source.task_id.clone();
        let result = self.save().await;
        if let (Ok(summary), Some(id)) = (&result, &task_id) {
            note_saved(&self.core, id, summary).await;
        }
        result.map_err(|error| during_save(error, task_id.as_deref()))
    }

    async fn save(&mut self) -> Result<Summary> {
        self.check_options()?;
        if let Some(saved) = self.saved.take().filter(|saved| saved.path == kept_path(&self.path))
            && let Some(summary) = saved_before(self.core.clone(), saved, self.path.clone(), self.sha256).await?
        {
            return Ok(Summary { charged_units: self.source.charge.units(), ..summary });
        }
        let begun = self.core.now();
        let storage = FileStorage::new(&self.path)?;
        // A folder that cannot be made is refused when it is made.
        let made = if self.parents { target::once_folders_are_made(&self.path, |_| Ok(())).ok() } else { None };
        target::refuse_journal(made.as_ref().unwrap_or(&self.path), self.journal())?;
        let options = SaveOptions {
            policy: self.policy.clone(),
            overwrite: self.overwrite,
            create_parents: self.parents,
            rate_limit: self.rate_limit,
            cancel: None,
            kept_path: Some(kept_path(&self.path)),
            take_whole: false,
        };
        let (core, on_progress) = (self.core.clone(), &mut self.on_progress);
        let mut meter = Meter::new(begun);
        let notify = |reached| {
            if let Some(callback) = on_progress
                && let Some(progress) = meter.tick(core.now(), reached)
            {
                callback(&progress);
            }
        };
        let finished = save(self.core.clone(), &self.source, storage.clone(), options, notify).await?;
        let total = finished.total.unwrap_or_default();
        let sha256 = if self.sha256 { Some(storage.sha256().await?) } else { None };
        if let Some(callback) = &mut self.on_progress {
            callback(&meter.last(self.core.now(), total));
        }
        let info = finished.info.as_ref();
        let (task_id, elapsed) = (self.source.task_id.as_deref(), self.core.now().since(begun));
        tracing::info!(
            name: "video_saved",
            task_id,
            path = %self.path.display(),
            bytes = total,
            attempts = finished.attempts,
            elapsed = log_seconds(elapsed),
            "video saved"
        );
        Ok(Summary {
            path: self.path.clone(),
            bytes: total,
            duration: info.and_then(|info| info.duration),
            width: info.and_then(|info| info.width),
            height: info.and_then(|info| info.height),
            resumed: finished.resumed,
            attempts: finished.attempts,
            elapsed,
            sha256,
            charged_units: self.source.charge.units(),
        })
    }
}

impl IntoFuture for Save {
    type Output = Result<Summary>;
    type IntoFuture = BoxFuture<'static, Result<Summary>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Save {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Save").field("task_id", &self.source.task_id).field("path", &self.path).finish_non_exhaustive()
    }
}

/// What an earlier call with the same key saved under this name: it is not read again while it is there.
async fn saved_before(
    core: Arc<ClientCore>,
    saved: Arc<SavedFile>,
    path: PathBuf,
    sha256: bool,
) -> Result<Option<Summary>> {
    let summary = whole(&path, core.timer.seed(), || core.now()).await?;
    let Some(mut summary) = summary.filter(|summary| summary.bytes == saved.bytes) else { return Ok(None) };
    let storage = FileStorage::new(&path)?;
    // While there is what was read beside it, the file of that name is another one.
    if !saved.named && storage.stat(PART, false).await?.is_some() {
        return Ok(None);
    }
    if sha256 {
        summary.sha256 = Some(storage.sha256().await?);
    }
    Ok(Some(summary))
}

/// Closes the task's entry in the journal, where there is one.
pub(crate) async fn note_saved(core: &ClientCore, task_id: &str, summary: &Summary) {
    let path = kept_path(&summary.path);
    core.note(Event::Saved { task_id: task_id.to_owned(), path, bytes: summary.bytes }).await;
}

/// A path as the journal keeps it.
fn kept_path(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}
