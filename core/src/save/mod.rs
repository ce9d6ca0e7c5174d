//! Saving a video: to a file of this machine, or into a storage that somebody else brings.

#[cfg(feature = "native")]
pub(crate) mod existing;
#[cfg(feature = "native")]
pub(crate) mod file;
#[cfg(feature = "native")]
pub(crate) mod file_name;
#[cfg(feature = "native")]
mod lock;
#[cfg(feature = "native")]
pub(crate) mod meter;
#[cfg(feature = "native")]
pub(crate) mod part_file;
#[cfg(feature = "native")]
mod refusals;
#[cfg(feature = "native")]
pub(crate) mod setters;
pub(crate) mod storage;
#[cfg(feature = "native")]
mod target;

use crate::error::{Error, Phase};

/// An error of a save: about this task, and not of the reading alone.
fn during_save(error: Error, task_id: Option<&str>) -> Error {
    let error = error.about(task_id);
    error.with(|record| record.phase = if record.phase == Phase::Content { Phase::Save } else { record.phase })
}

/// Adds to the refusal of a check where the bytes are that it refused.
fn refused(error: Error, kept: &str) -> Error {
    if error.record().field.as_deref() != Some("verify") {
        return error;
    }
    let text = format!("{}; {kept}", error.record().message);
    error.with(|record| record.message = text)
}
