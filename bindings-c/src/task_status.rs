//! The states of a task as numbers.

use junfeiai::TaskStatus;

/// Not queried yet, or a status of the server that is not known here: treated as still running.
pub const JFAI_TASK_UNKNOWN: i32 = 0;
/// Accepted, not started.
pub const JFAI_TASK_QUEUED: i32 = 1;
/// In progress.
pub const JFAI_TASK_IN_PROGRESS: i32 = 2;
/// Done; the video can be read.
pub const JFAI_TASK_SUCCEEDED: i32 = 3;
/// Ended without a video; the service returns the charge.
pub const JFAI_TASK_FAILED: i32 = 4;

/// The number of a state.
pub(crate) fn task_status(status: TaskStatus) -> i32 {
    match status {
        TaskStatus::Queued => JFAI_TASK_QUEUED,
        TaskStatus::InProgress => JFAI_TASK_IN_PROGRESS,
        TaskStatus::Succeeded => JFAI_TASK_SUCCEEDED,
        TaskStatus::Failed => JFAI_TASK_FAILED,
        _ => JFAI_TASK_UNKNOWN,
    }
}
