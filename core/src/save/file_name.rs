//! File names made from task ids.

use sha2::{Digest as _, Sha256};

use crate::text::windows_names::is_device;

/// A file name from a task id: nothing that any file system reads as more than a name. Where that loses something of the
/// id, a part of its SHA-256 keeps the names of two ids apart.
pub(crate) fn safe_file_name(id: &str) -> String {
    let kept: String = id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') { c } else { '_' })
        .take(180)
        .collect();
    let mut name = kept.trim_matches('.').to_owned();
    if name != id {
        let digest = format!("{:x}", Sha256::digest(id));
        name = format!("{name}-{}", digest.get(..12).unwrap_or_default());
    }
    if is_device(&name) {
        name = format!("video_{name}");
    }
    name + ".mp4"
}
