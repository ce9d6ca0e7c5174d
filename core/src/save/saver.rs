//! The one saver: reads a video into a [`Storage`], resuming where an earlier save stopped, and gives the whole, checked file
//! its name. What is written when, and what an earlier save left, is decided here and in what this module uses.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::async_compat::MaybeSend;
use crate::calls::cancel::CancelToken;
use crate::calls::client_core::ClientCore;
#[cfg(any(feature = "native", feature = "node"))]
use crate::error::ErrorKind;
use crate::error::{Error, Phase, Result};
#[cfg(feature = "journal")]
use crate::journal::Event;
use crate::protocol::{DownloadPolicy, Finished};
use crate::save::part_file::PartFile;
use crate::storage::Storage;
use crate::video::fetch::{Fetch, FetchEvent, Source};

/// How a video is saved into a [`Storage`].
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SaveOptions {
    /// How the video is read.
    pub policy: DownloadPolicy,
    /// Replaces a file of that name. Default: it is an error.
    pub overwrite: bool,
    /// Makes missing parent folders. Default: it is an error.
    pub create_parents: bool,
    /// Bytes per second at most; 0 is refused. Default: as fast as they come.
    #[cfg(any(feature = "native", feature = "node"))]
    pub rate_limit: Option<u64>,
    /// The absolute path, as the journal keeps it. Default: the journal is not told of the save.
    #[cfg(feature = "journal")]
    pub kept_path: Option<String>,
    /// Takes a whole MP4 of that name for the video, which a former process saved without coming to say so, and reads nothing.
    /// Default: it is in the way.
    #[cfg(feature = "journal")]
    pub take_whole: bool,
    /// Ends the save early. Unlike a dropped future it waits until what was read is kept and the lock is released, which a
    /// storage that cannot work in place needs.
    pub cancel: Option<CancelToken>,
}

#[cfg(any(feature = "native", feature = "node"))]
pub(crate) fn check_rate(rate_limit: Option<u64>) -> Result<()> {
    if rate_limit == Some(0) {
        let text = "rate_limit must be at least 1 byte per second";
        return Err(Error::field(ErrorKind::InvalidRequest, Phase::Save, "rate_limit", text));
    }
    Ok(())
}

/// Shortest time between two calls of a progress callback.
pub(crate) const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// How far a save is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    /// Bytes that an earlier save had left.
    #[cfg(feature = "native")]
    pub(crate) earlier: u64,
    /// Bytes that are there.
    pub(crate) bytes: u64,
    /// The length, where it is known.
    pub(crate) total: Option<u64>,
}

/// Saves a video; `notify` is called with every piece.
pub(crate) async fn save(
    core: Arc<ClientCore>,
    source: &Source,
    storage: Arc<dyn Storage>,
    options: SaveOptions,
    mut notify: impl FnMut(Reached) + MaybeSend,
) -> Result<Finished> {
    let task_id = source.task_id.as_deref();
    let result = async {
        #[cfg(any(feature = "native", feature = "node"))]
        check_rate(options.rate_limit)?;
        options.policy.check(Phase::Save)?;
        let seed = core.timer.seed();
        let mut part = PartFile::new(storage, task_id, seed, core.now());
        let result = run(core, source, &mut part, &options, &mut notify).await;
        if result.is_err() {
            part.keep().await;
        }
        result
    };
    result.await.map_err(|error| during_save(error, task_id))
}

async fn run(
    core: Arc<ClientCore>,
    source: &Source,
    part: &mut PartFile,
    options: &SaveOptions,
    notify: &mut (impl FnMut(Reached) + MaybeSend),
) -> Result<Finished> {
    let left = part.open(options.overwrite, options.create_parents, &source.names(&core)).await?;
    let fetch = Fetch::new(core.clone(), source, options.policy.clone(), left);
    #[cfg(any(feature = "native", feature = "node"))]
    let fetch = {
        let mut fetch = fetch;
        fetch.limit_rate(options.rate_limit);
        fetch
    };
    let read = read_all(&core, fetch, part, notify);
    let finished = match (&options.cancel, source.task_id.as_deref()) {
        (Some(token), Some(id)) => token.run_for(id, read).await?,
        (Some(token), None) => token.run(read).await?,
        (None, _) => read.await?,
    };
    #[cfg(feature = "journal")]
    if let (Some(id), Some(path)) = (source.task_id.as_deref(), &options.kept_path) {
        let (task_id, bytes) = (id.to_owned(), finished.total.unwrap_or_default());
        core.note(Event::Saving { task_id, path: path.clone(), bytes }).await;
    }
    part.finish(finished.total.unwrap_or_default(), options.overwrite).await?;
    Ok(finished)
}

async fn read_all(
    core: &ClientCore,
    mut fetch: Fetch,
    part: &mut PartFile,
    notify: &mut (impl FnMut(Reached) + MaybeSend),
) -> Result<Finished> {
    let mut room_checked = false;
    #[cfg(feature = "native")]
    let earlier = fetch.machine().covered();
    loop {
        // What is being written goes on while bytes come.
        let event = poll_fn(|cx| match part.poll_batch(cx) {
            Err(error) => Poll::Ready(Err(error)),
            Ok(()) => fetch.poll_event(cx).map(Ok),
        });
        let event = event.await?;
        part.set_time(core.now());
        match event {
            FetchEvent::Write { at, bytes } => {
                let machine = fetch.machine();
                if !room_checked && let Some(total) = machine.total() {
                    room_checked = true;
                    let there = machine.covered() - bytes.len() as u64;
                    part.check_room(total.saturating_sub(there)).await?;
                }
                part.describe(machine.validators(), machine.source()).await?;
                part.write(at, bytes).await?;
                notify(Reached {
                    #[cfg(feature = "native")]
                    earlier,
                    bytes: fetch.machine().covered(),
                    total: fetch.machine().total(),
                });
            }
            FetchEvent::Reset => part.reset().await?,
            FetchEvent::Verify { total } => {
                let result = part.verify(total).await?;
                fetch.verified(result);
                // What is refused stays, with its length: a later call can take it as it is.
                part.describe(fetch.machine().validators(), fetch.machine().source()).await?;
            }
            FetchEvent::Done(result) => return result.map_err(|error| refused(error, &part.display())),
        }
    }
}

/// Adds to the refusal of a check where the bytes are that it refused.
fn refused(error: Error, part: &str) -> Error {
    if error.record().field.as_deref() != Some("verify") {
        return error;
    }
    let text = format!("{}; what was read is in {part}", error.record().message);
    error.with(|record| record.message = text)
}

/// An error of a save: about this task, and not of the reading alone.
pub(super) fn during_save(error: Error, task_id: Option<&str>) -> Error {
    let error = error.about(task_id);
    error.with(|record| record.phase = if record.phase == Phase::Content { Phase::Save } else { record.phase })
}
