//! The files of a save, and looking at them.

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::protocol::mp4::{Mp4Check, Mp4Fault, Mp4Info, Mp4Step};
use crate::storage::{Access, FileStat, Storage};

/// The target itself, which appears when it is whole.
pub(super) const TARGET: &str = "";
/// The bytes until then.
pub(super) const PART: &str = ".part";
/// What is known of them.
pub(super) const STATE: &str = ".part.state";
/// Who is at work.
pub(super) const LOCK: &str = ".part.lock";
/// Where the lock file of a saver that is gone is moved before it is removed. No longer than the longest of the others, so
/// that there is room for it.
pub(super) const STALE: &str = ".part.stale";

/// A link in place of our own files would lead the bytes elsewhere.
pub(super) async fn refuse_other_than_file(storage: &dyn Storage, suffix: &str) -> Result<()> {
    match storage.stat(suffix, false).await? {
        Some(stat) if !stat.is_file => Err(not_a_file(storage, suffix)),
        _ => Ok(()),
    }
}

/// Opens one of our own files. What a name leads to may change between a look and the opening, so both are judged.
pub(super) async fn open(storage: &dyn Storage, suffix: &str, access: Access) -> Result<Option<FileStat>> {
    refuse_other_than_file(storage, suffix).await?;
    let opened = storage.open(suffix, access).await?;
    if opened.as_ref().is_some_and(|stat| !stat.is_file) {
        storage.close(suffix).await?;
        return Err(not_a_file(storage, suffix));
    }
    Ok(opened)
}

/// The text of a small file, as far as it is one; `None` when it is not there. It is not left open.
pub(super) async fn read_file(storage: &dyn Storage, suffix: &str, most: usize) -> Result<Option<String>> {
    if open(storage, suffix, Access::Read).await?.is_none() {
        return Ok(None);
    }
    let bytes = storage.read(suffix, 0, most).await;
    storage.close(suffix).await?;
    Ok(Some(String::from_utf8_lossy(&bytes?).into_owned()))
}

/// Checks the MP4 structure of the first `total` bytes of an open file.
pub(super) async fn check_structure(
    storage: &dyn Storage,
    suffix: &str,
    total: u64,
) -> Result<std::result::Result<Mp4Info, Mp4Fault>> {
    let mut check = Mp4Check::new(total);
    loop {
        match check.step() {
            Mp4Step::Done(result) => return Ok(result),
            Mp4Step::Need { offset, len } => check.input(&storage.read(suffix, offset, len).await?),
        }
    }
}

/// Refuses what cannot be a target. What is refused stays as it is.
pub(super) async fn check_target(storage: &dyn Storage, overwrite: bool) -> Result<()> {
    let Some(seen) = storage.stat(TARGET, false).await? else { return Ok(()) };
    let name = storage.display(TARGET);
    // A link is looked through: what it leads to counts.
    let there = if seen.is_file { Some(seen) } else { storage.stat(TARGET, true).await.unwrap_or_default() };
    let refused = |text| Err(Error::new(ErrorKind::Io, Phase::Save, text));
    match there {
        Some(there) if there.is_folder => refused(format!("{name} is a folder: name a file in it")),
        _ if !overwrite => Err(exists(storage)),
        // A pipe or a device is no place that a file can be renamed to.
        Some(there) if !there.is_file => refused(format!("{name} is not a regular file: name another")),
        _ => Ok(()),
    }
}

pub(super) fn exists(storage: &dyn Storage) -> Error {
    Error::new(ErrorKind::FileExists, Phase::Save, format!("{} exists already", storage.display(TARGET)))
}

fn not_a_file(storage: &dyn Storage, suffix: &str) -> Error {
    Error::new(ErrorKind::Io, Phase::Save, format!("{} is not a regular file", storage.display(suffix)))
}
