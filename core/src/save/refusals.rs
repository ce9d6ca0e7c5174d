//! Why a file cannot be used, as errors of a save.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind, Phase, Result};

/// A link in place of our own files would lead the bytes elsewhere.
pub(super) fn refuse_link(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(data) if !data.is_file() => {
            Err(Error::new(ErrorKind::Io, Phase::Save, format!("{} is not a regular file", path.display())))
        }
        _ => Ok(()),
    }
}

pub(super) fn io_error(what: &str, path: &Path, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => ErrorKind::NoSpace,
        _ => ErrorKind::Io,
    };
    let advice = match error.kind() {
        // Most systems take 255 bytes; what is not whole has 11 more.
        io::ErrorKind::InvalidFilename => ": take a shorter name, of 240 bytes at most",
        _ => "",
    };
    Error::new(kind, Phase::Save, format!("{what} {} cannot be used: {error}{advice}", path.display()))
}
