//! Judges where a video shall be saved, before it is read or paid for. What it finds is what it leaves.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::platform::native::files::{folder_of, with_suffix, write_probe};
use crate::save::lock::SaveLock;
use crate::save::part_file::check_target;
use crate::save::refusals::{io_error, refuse_link};

/// Refuses what a save to this target would be refused for.
pub(super) fn check(target: &Path, overwrite: bool, parents: bool) -> Result<()> {
    if target.as_os_str().as_encoded_bytes().contains(&0) {
        let shown = target.to_string_lossy();
        return Err(refused(format!("\"{}\" holds a NUL character: no file can have this name", shown.escape_debug())));
    }
    check_target(target, overwrite)?;
    let [part, state] = [".part", ".part.state"].map(|suffix| with_suffix(target, suffix));
    for path in [target, &part, &state] {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("the file", path, &error)),
            _ => {}
        }
    }
    check_folder(target, parents)?;
    for path in [&part, &state] {
        refuse_link(path)?;
    }
    if part.exists() {
        OpenOptions::new().write(true).open(&part).map_err(|error| io_error("the file", &part, &error))?;
    }
    SaveLock::check(target)
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
