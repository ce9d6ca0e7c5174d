//! The states of a task. Errors name them, too, so they stand below the models.

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
