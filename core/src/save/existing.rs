//! A video that was saved before.

#[cfg(feature = "native")]
use std::path::Path;
use std::sync::Arc;

use crate::error::Result;
use crate::model::SavedFile;
#[cfg(feature = "native")]
use crate::platform::native::storage::FileStorage;
use crate::protocol::Finished;
use crate::protocol::mp4::Mp4Info;
use crate::save::files::{PART, TARGET, check_structure};
use crate::save::part_file::PartFile;
#[cfg(feature = "native")]
use crate::save::summary::Summary;
use crate::storage::{Access, Storage};
use crate::time::Time;

/// What is known of a video that a former process saved without coming to say so. A file has this name only when it is
/// whole; one that is not a whole MP4 is somebody else's, and saving will say that it is in the way. What was left beside
/// a whole one is removed.
#[cfg(feature = "native")]
pub(crate) async fn whole(path: &Path, seed: u64, now: impl Fn() -> Time) -> Result<Option<Summary>> {
    let begun = now();
    let storage = FileStorage::new(path)?;
    let Some((bytes, info)) = whole_in(storage, seed, begun).await? else { return Ok(None) };
    Ok(Some(Summary {
        path: path.to_owned(),
        bytes,
        duration: info.duration,
        width: info.width,
        height: info.height,
        resumed: false,
        attempts: 0,
        elapsed: now().since(begun),
        sha256: None,
        charged_units: None,
    }))
}

/// Length and structure of the target, where that is a whole MP4.
async fn whole_in(storage: Arc<dyn Storage>, seed: u64, now: Time) -> Result<Option<(u64, Mp4Info)>> {
    // A link is not followed, and a pipe not waited for: neither is what a save leaves.
    let Ok(Some(opened)) = storage.open(TARGET, Access::Read).await else { return Ok(None) };
    if !opened.is_file {
        return Ok(None);
    }
    let checked = check_structure(&*storage, TARGET, opened.length).await?;
    storage.close(TARGET).await?;
    let Ok(info) = checked else { return Ok(None) };
    PartFile::new(storage, None, seed, now).only_tidy().await?;
    Ok(Some((opened.length, info)))
}

/// What an earlier call with the same key saved in this storage, or, where that is not known, whatever whole video there is:
/// it is not read again while it is there.
pub(crate) async fn saved_in(
    storage: &Arc<dyn Storage>,
    saved: Option<&SavedFile>,
    seed: u64,
    now: Time,
) -> Result<Option<Finished>> {
    let found = whole_in(storage.clone(), seed, now).await?;
    let Some((bytes, info)) = found.filter(|(bytes, _)| saved.is_none_or(|saved| *bytes == saved.bytes)) else {
        return Ok(None);
    };
    // While there is what was read beside it, the file of that name is another one.
    if saved.is_some_and(|saved| !saved.named) && storage.stat(PART, false).await?.is_some() {
        return Ok(None);
    }
    Ok(Some(Finished { total: Some(bytes), info: Some(info), attempts: 0, resumed: false }))
}
