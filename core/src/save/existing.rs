//! A video that was saved before.

use std::path::Path;

use crate::error::Result;
use crate::platform::native::storage::FileStorage;
use crate::save::files::{TARGET, check_structure};
use crate::save::part_file::PartFile;
use crate::save::summary::Summary;
use crate::storage::{Access, Storage as _};
use crate::time::Time;

/// What is known of a video that a former process saved without coming to say so. A file has this name only when it is
/// whole; one that is not a whole MP4 is somebody else's, and saving will say that it is in the way. What was left beside
/// a whole one is removed.
pub(crate) async fn whole(path: &Path, seed: u64, now: impl Fn() -> Time) -> Result<Option<Summary>> {
    let begun = now();
    let storage = FileStorage::new(path)?;
    // A link is not followed, and a pipe not waited for: neither is what a save leaves.
    let Ok(Some(opened)) = storage.open(TARGET, Access::Read).await else { return Ok(None) };
    if !opened.is_file {
        return Ok(None);
    }
    let checked = check_structure(&*storage, TARGET, opened.length).await?;
    storage.close(TARGET).await?;
    let Ok(info) = checked else { return Ok(None) };
    PartFile::new(storage, None, seed, begun).only_tidy().await?;
    Ok(Some(Summary {
        path: path.to_owned(),
        bytes: opened.length,
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
