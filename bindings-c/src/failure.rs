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
    /// One that the core does not know, in a call about this task.
    About(Box<Failure>, String),
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
            failure @ (Self::Argument(_) | Self::Forked | Self::Version(_)) => {
                Self::About(Box::new(failure), task_id.to_owned())
            }
            failure @ (Self::Many(..) | Self::About(..)) => failure,
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::mem::MaybeUninit;

    use junfeiai::Client;

    use crate::calls::jfai_wait;
    use crate::client_runtime::ClientRuntime;
    use crate::error_handle::jfai_error;
    use crate::owned_c_str::OwnedCStr;
    use crate::status::ARGUMENT;
    use crate::task::jfai_task;
    use crate::watch::{jfai_watch_new, jfai_watch_next};

    /// The function failed, so it wrote its error, and the error is of this task.
    fn is_of_task_1(place: MaybeUninit<Box<jfai_error>>, message: &str) {
        // SAFETY: a function that fails writes its error.
        let error = unsafe { place.assume_init() };
        assert_eq!(error.task_id.text(), Some("task_1"));
        let ids: Vec<_> = error.task_ids.iter().map(OwnedCStr::text).collect();
        assert_eq!(ids, [Some("task_1")]);
        assert!(error.message.text().unwrap().starts_with(message), "{:?}", error.message.text());
        assert!(error.json.text().unwrap().contains(r#""task_id":"task_1""#), "{:?}", error.json.text());
    }

    #[test]
    fn a_misuse_in_a_call_about_a_task_names_the_task() {
        let runtime = ClientRuntime::new(Client::builder().api_key("sk-test")).unwrap();
        let task: &jfai_task = &jfai_task::new(runtime.client().videos().task("task_1").unwrap(), runtime.clone());
        let mut place = MaybeUninit::uninit();
        assert_eq!(jfai_wait(Some(task), None, None, None, Some(&mut place)), ARGUMENT.0);
        is_of_task_1(place, "out is NULL (task task_1); ");

        let (mut watch, mut place) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        assert_eq!(jfai_watch_new(Some(task), None, Some(&mut watch), None), 0);
        // SAFETY: the function wrote the handle.
        let mut watch = unsafe { watch.assume_init() };
        assert_eq!(jfai_watch_next(Some(&mut *watch), None, None, Some(&mut place)), ARGUMENT.0);
        is_of_task_1(place, "out is NULL (task task_1); ");
    }
}
