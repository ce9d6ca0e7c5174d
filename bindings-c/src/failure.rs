//! Why a function of C fails, before it is a status and an error object.

use junfeiai::{CreateTracker, Error};

/// Why a function failed.
pub(crate) enum Failure {
    /// The core says so.
    Core(Error),
    /// The core refuses an option, and this function set it.
    Refused(Error, &'static str),
    /// A call about many ends early, and these tasks of it exist.
    Many(Error, Vec<String>),
    /// An argument cannot be one.
    Argument(String),
    /// The handle was made before a fork.
    Forked,
    /// The header does not fit this library.
    Version(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl Failure {
    /// The failure of a call about this task.
    pub(crate) fn about(self, task_id: &str) -> Self {
        match self {
            Self::Core(error) => Self::Core(error.with_task(task_id)),
            Self::Refused(error, setter) => Self::Refused(error.with_task(task_id), setter),
            failure => failure,
        }
    }

    /// The failure of a call that creates many tasks, with those that exist and were not returned yet.
    pub(crate) fn of_many(self, tracker: &CreateTracker) -> Self {
        match self {
            Self::Core(error) => Self::Many(tracker.stamp(error), tracker.task_ids()),
            failure => failure,
        }
    }
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The handle, or which argument is NULL.
pub(crate) fn need<T>(argument: Option<T>, name: &str) -> Outcome<T> {
    argument.ok_or_else(|| Failure::Argument(format!("{name} is NULL")))
}
