//! The state of a task as one answer shows it.

use serde::Serialize;

use crate::status::TaskStatus;

/// A video that an earlier call saved, as the journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SavedFile {
    /// Where.
    pub(crate) path: String,
    /// Its length.
    pub(crate) bytes: u64,
    /// False when it was only about to get its name.
    pub(crate) named: bool,
}

/// A task that was created under the same key before, as the journal says.
pub(crate) struct Earlier {
    pub(crate) task_id: String,
    pub(crate) model: String,
    /// Unix seconds.
    pub(crate) created_at: u64,
    pub(crate) succeeded: bool,
    /// What it cost, in units.
    pub(crate) charged: Option<u64>,
    pub(crate) saved: Option<SavedFile>,
}

/// What one answer of the server says about a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The task's id.
    pub task_id: String,
    /// Its state.
    pub status: TaskStatus,
    /// The server's own word for the state.
    pub raw_status: String,
    /// 0–100, where the server says it. May stand still or go back.
    pub progress: Option<f64>,
    /// Where the MP4 is, once it succeeded.
    pub video_url: Option<String>,
    /// Why it failed.
    pub fail_reason: Option<String>,
    /// The model as the server names it; may differ from the one asked for.
    pub model: Option<String>,
    /// Seconds of video that the server billed, where it says so.
    pub billed_seconds: Option<f64>,
    /// What the server charged for the task, in its units: 500,000 are 1 USD (observed). Queries say it, where the server
    /// does; a failed task's charge is returned, so that it is 0.
    pub charged_units: Option<u64>,
    /// Unix seconds, where the server says it.
    pub created_at: Option<u64>,
    /// Unix seconds, where the server says it.
    pub started_at: Option<u64>,
    /// Unix seconds, where the server says it.
    pub finished_at: Option<u64>,
    /// The server's answer, whole, as JSON text.
    #[serde(skip)]
    pub raw: Box<str>,
}
