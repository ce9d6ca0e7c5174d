//! Judges where a video shall be saved, before it is read or paid for. What it finds is what it leaves.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use futures_util::FutureExt as _;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::journal::Journal;
use crate::platform::native::files::{folder_of, with_suffix, write_probe};
use crate::platform::native::storage::{FileStorage, io_error};
use crate::save::files::{LOCK, PART, STALE, STATE, TARGET, check_target, open, refuse_other_than_file};
use crate::save::lock;
use crate::storage::{Access, Storage as _};

/// Refuses what a save to this target would be refused for.
pub(super) fn check(target: &Path, overwrite: bool, parents: bool, journal: Option<&dyn Journal>) -> Result<()> {
    if target.as_os_str().as_encoded_bytes().contains(&0) {
        let shown = target.to_string_lossy();
        return Err(refused(format!("\"{}\" holds a NUL character: no file can have this name", shown.escape_debug())));
    }
    let as_named = FileStorage::in_place(target)?;
    let made = if parents { once_folders_are_made(target, check_folder)? } else { target.to_owned() };
    refuse_journal(&made, journal)?;
    let storage = FileStorage::in_place(&made)?;
    let check = async {
        // A path can be too long as it was given, and short behind its `..`.
        as_named.stat(STATE, false).await?;
        check_target(&*storage, overwrite).await?;
        for suffix in [PART, STATE] {
            storage.stat(suffix, false).await?;
        }
        if !parents {
            check_folder(folder_of(target))?;
        }
        for suffix in [PART, STATE] {
            refuse_other_than_file(&*storage, suffix).await?;
        }
        open(&*storage, PART, Access::Write).await?;
        storage.close(PART).await?;
        lock::check(&*storage).await
    };
    let waits = || Error::new(ErrorKind::Internal, Phase::Save, "a look at the target did not end at once");
    check.now_or_never().unwrap_or_else(|| Err(waits()))
}

/// What is saved over the journal, or written beside a video of such a name, ends it: nobody knows then what was paid for.
pub(super) fn refuse_journal(target: &Path, journal: Option<&dyn Journal>) -> Result<()> {
    let Some(journal) = journal else { return Ok(()) };
    match [TARGET, PART, STATE, LOCK, STALE]
        .map(|suffix| with_suffix(target, suffix))
        .iter()
        .find(|file| journal.owns(file))
    {
        Some(file) => Err(refused(format!("{} is a file of this client's journal: name another", file.display()))),
        None => Ok(()),
    }
}

/// The folder is there and takes a new file.
fn check_folder(folder: &Path) -> Result<()> {
    match fs::metadata(folder) {
        Ok(data) if data.is_dir() => {}
        Ok(_) => return Err(refused(format!("{} is not a folder", folder.display()))),
        Err(error) if error.kind() != io::ErrorKind::NotFound || fs::symlink_metadata(folder).is_ok() => {
            return Err(io_error("the folder", folder, &error));
        }
        Err(_) => {
            let text = format!("the folder {} does not exist: make it first, or ask for parents", folder.display());
            return Err(refused(text));
        }
    }
    write_probe(folder).map_err(|error| io_error("the folder", folder, &error))
}

/// What the target will be when the folders that are missing have been made: `..` in such a folder leads back to the one that
/// it is made in, which the system cannot say before. `check` judges each folder that something is made in.
pub(super) fn once_folders_are_made(target: &Path, check: impl Fn(&Path) -> Result<()>) -> Result<PathBuf> {
    let absolute = std::path::absolute(target).map_err(|error| io_error("the file", target, &error))?;
    let (mut there, mut missing) = (PathBuf::new(), Vec::new());
    for part in folder_of(&absolute).components() {
        match part {
            Component::ParentDir if missing.pop().is_some() => {}
            Component::Normal(name) if !missing.is_empty() => {
                // In a folder that is not there, no name is too long.
                is_there(&there.join(name))?;
                missing.push(name);
            }
            Component::Normal(name) if !is_there(&there.join(name))? => {
                check(&there)?;
                missing.push(name);
            }
            part => there.push(part),
        }
    }
    check(&there)?;
    let name = target.file_name().unwrap_or_default();
    if !missing.is_empty() {
        is_there(&with_suffix(&there.join(name), STATE))?;
    }
    there.extend(missing);
    Ok(there.join(name))
}

/// Also a link that leads nowhere.
fn is_there(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error("the file", path, &error)),
    }
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::Io, Phase::Save, text)
}
