//! The state of a task as one answer shows it.

use std::fmt;

use serde::Serialize;

/// The five states of a task, in one language for all servers of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Default)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskStatus {
    /// Accepted, not begun.
    Queued,
    /// Being made.
    InProgress,
    /// Done; the video can be read.
    Succeeded,
    /// Ended without a video; the service returns the charge.
    Failed,
    /// The server said a word that is not known here, or none: taken as still running.
    #[default]
    Unknown,
}

impl TaskStatus {
    /// Reads the server's own word (service document §5, and the words that relatives of the service were observed to
    /// use). Case does not matter, nor do spaces, dashes and underscores: `IN_PROGRESS`, `in-progress` and `InProgress`
    /// are one word. A word that is not known is [`TaskStatus::Unknown`], which is taken as still running.
    pub fn from_server(word: &str) -> Self {
        let separator = |c: &char| c.is_whitespace() || matches!(c, '_' | '-');
        let folded: String = word.chars().filter(|c| !separator(c)).map(|c| c.to_ascii_lowercase()).collect();
        match folded.as_str() {
            "notstart" | "submitted" | "queued" | "pending" => Self::Queued,
            "inprogress" | "processing" | "running" => Self::InProgress,
            "success" | "succeeded" | "succeed" | "complete" | "completed" | "done" | "finished" => Self::Succeeded,
            "failure" | "failed" | "fail" | "error" | "rejected" | "expired" | "moderated" | "aborted"
            | "cancelled" | "canceled" => Self::Failed,
            _ => Self::Unknown,
        }
    }

    /// The stable name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// True for `succeeded` and `failed`: nothing comes after them.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
