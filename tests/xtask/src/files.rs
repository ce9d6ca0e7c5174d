//! The files of the repository, without what is built or installed in it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

const BUILT: [&str; 3] = ["target", "node_modules", "__pycache__"];

/// Every file below a folder, in the order of their names. Hidden ones are none of ours.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if name.starts_with('.') || BUILT.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            found.extend(below(&entry.path())?);
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}
