//! Judges where a video shall be saved, before it is read or paid for. What it finds is what it leaves.

use std::fs;
use std::io;
use std::path::Path;

use futures_util::FutureExt as _;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::platform::native::files::{folder_of, write_probe};
use crate::platform::native::storage::{FileStorage, io_error};
use crate::save::files::{PART, STATE, check_target, open, refuse_other_than_file};
use crate::save::lock;
use crate::storage::{Access, Storage as _};

/// Refuses what a save to this target would be refused for.
pub(super) fn check(target: &Path, overwrite: bool, parents: bool) -> Result<()> {
    if target.as_os_str().as_encoded_bytes().contains(&0) {
        let shown = target.to_string_lossy();
        return Err(refused(format!("\"{}\" holds a NUL character: no file can have this name", shown.escape_debug())));
    }
    let storage = FileStorage::in_place(target)?;
    let check = async {
        check_target(&*storage, overwrite).await?;
        for suffix in [PART, STATE] {
            storage.stat(suffix, false).await?;
        }
        check_folder(target, parents)?;
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

/// The folder takes a new file; where it shall be made first, the nearest one that is there does.
fn check_folder(target: &Path, parents: bool) -> Result<()> {
    let mut folder = folder_of(target).to_owned();
    let there = loop {
        match fs::metadata(&folder) {
            Ok(data) if data.is_dir() => break folder,
            Ok(_) => return Err(refused(format!("{} is not a folder", folder.display()))),
            Err(error) if error.kind() != io::ErrorKind::NotFound || fs::symlink_metadata(&folder).is_ok() => {
                return Err(io_error("the folder", &folder, &error));
            }
            Err(_) if !parents => {
                let text = format!("the folder {} does not exist: make it first, or ask for parents", folder.display());
                return Err(refused(text));
            }
            Err(_) => folder = folder_of(&folder).into(),
        }
    };
    write_probe(&there).map_err(|error| io_error("the folder", &there, &error))
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::Io, Phase::Save, text)
}
