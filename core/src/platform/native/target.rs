//! Judges where a video shall be saved, before it is read or paid for. What it finds is what it leaves.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::part::{check_target, io_error, lock, refuse_link, with_suffix};
use crate::error::{Error, ErrorKind, Phase, Result};

/// Written to see whether the disk takes anything.
const PROBE: [u8; 4096] = [0; 4096];

/// Refuses what a save to this target would be refused for.
pub(super) fn check(target: &Path, overwrite: bool, parents: bool) -> Result<()> {
    if target.as_os_str().as_encoded_bytes().contains(&0) {
        let shown = target.to_string_lossy();
        return Err(refused(format!("\"{}\" holds a NUL character: no file can have this name", shown.escape_debug())));
    }
    check_target(target, overwrite)?;
    if fs::metadata(target).is_ok_and(|data| !data.is_file()) {
        return Err(refused(format!("{} is not a regular file", target.display())));
    }
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
    if state.exists() {
        // Another saver of this file.
        lock(&state)?;
    }
    Ok(())
}

/// The folder takes a new file; where it shall be made first, the nearest one that is there does.
fn check_folder(target: &Path, parents: bool) -> Result<()> {
    let mut folder = parent(target);
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
            Err(_) => folder = parent(&folder),
        }
    };
    probe(&there).map_err(|error| io_error("the folder", &there, &error))
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Writes a file that nobody sees, or at least one that is gone at once: rights alone do not tell of a full disk or of a
/// file system that is mounted read-only.
fn probe(folder: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{CWD, Mode, OFlags, openat};
        use rustix::io::Errno;
        match openat(CWD, folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR) {
            Ok(file) => return File::from(file).write_all(&PROBE),
            // File systems without files that have no name.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let name = folder.join(format!(".junfeiai-{}-{:?}.probe", std::process::id(), std::thread::current().id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&name)?;
    let written = file.write_all(&PROBE);
    drop(file);
    fs::remove_file(&name)?;
    written
}

fn refused(text: String) -> Error {
    Error::new(ErrorKind::Io, Phase::Save, text)
}
