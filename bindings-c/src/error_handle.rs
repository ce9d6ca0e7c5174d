//! The error object, and how a failure becomes one. The functions that show it to C are in `error.rs`.

use std::time::Duration;

use crate::failure::Failure;
use crate::owned_c_str::OwnedCStr;
use crate::status::{ARGUMENT, FORKED, VERSION, jfai_status};
use crate::task_status::task_status;

/// What went wrong, in full. Made by the function that failed; give it to jfai_error_free().
pub struct jfai_error {
    pub(crate) status: jfai_status,
    pub(crate) kind: OwnedCStr,
    pub(crate) phase: OwnedCStr,
    pub(crate) message: OwnedCStr,
    pub(crate) detail: OwnedCStr,
    pub(crate) field: OwnedCStr,
    pub(crate) server_code: OwnedCStr,
    pub(crate) server_message: OwnedCStr,
    pub(crate) request_id: OwnedCStr,
    pub(crate) task_id: OwnedCStr,
    pub(crate) task_ids: Vec<OwnedCStr>,
    pub(crate) json: OwnedCStr,
    pub(crate) http_status: i32,
    pub(crate) last_status: i32,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) maybe_executed: bool,
    pub(crate) transient: bool,
}

impl jfai_error {
    fn own((status, kind, next): (jfai_status, &str, &str), message: &str, task: Option<&str>) -> Self {
        let about = task.map(|id| format!(" (task {id})")).unwrap_or_default();
        let line = format!("{message}{about}; {next}");
        let mut json = serde_json::json!({ "kind": kind, "number": status, "message": message, "text": line });
        if let Some(id) = task {
            json["task_id"] = id.into();
        }
        Self {
            status,
            kind: OwnedCStr::new(kind),
            phase: OwnedCStr::new("config"),
            message: OwnedCStr::new(&line),
            detail: OwnedCStr::new(message),
            field: OwnedCStr::default(),
            server_code: OwnedCStr::default(),
            server_message: OwnedCStr::default(),
            request_id: OwnedCStr::default(),
            task_id: OwnedCStr::maybe(task),
            task_ids: task.into_iter().map(OwnedCStr::new).collect(),
            json: OwnedCStr::new(&json.to_string()),
            http_status: 0,
            last_status: 0,
            retry_after: None,
            attempts: 0,
            maybe_executed: false,
            transient: false,
        }
    }
}

impl From<junfeiai::Error> for jfai_error {
    fn from(error: junfeiai::Error) -> Self {
        Self::of(&error, None)
    }
}

/// The line with a prefix.
fn prefixed(prefix: Option<&str>, line: &str) -> String {
    prefix.map_or_else(|| line.to_owned(), |prefix| format!("{prefix}: {line}"))
}

impl jfai_error {
    /// The core's error. When it refuses an option, `setter` is the function that the caller set it with, which the core
    /// does not know.
    pub(crate) fn of(error: &junfeiai::Error, setter: Option<&str>) -> Self {
        let record = error.record();
        let mut json = error.to_json();
        let (message, detail) = (prefixed(setter, &error.to_string()), prefixed(setter, &record.message));
        if setter.is_some() {
            json["message"] = detail.as_str().into();
            json["text"] = message.as_str().into();
        }
        Self {
            status: i32::from(record.kind.number()),
            kind: OwnedCStr::new(record.kind.name()),
            phase: OwnedCStr::new(record.phase.name()),
            message: OwnedCStr::new(&message),
            detail: OwnedCStr::new(&detail),
            field: OwnedCStr::maybe(record.field.as_deref()),
            server_code: OwnedCStr::maybe(record.code.as_deref()),
            server_message: OwnedCStr::maybe(record.server_message.as_deref()),
            request_id: OwnedCStr::maybe(record.request_id.as_deref()),
            task_id: OwnedCStr::maybe(record.task_id.as_deref()),
            task_ids: record.task_id.iter().map(|id| OwnedCStr::new(id)).collect(),
            json: OwnedCStr::new(&json.to_string()),
            http_status: record.status.map_or(0, i32::from),
            last_status: record.last_status.map_or(0, task_status),
            retry_after: record.retry_after,
            attempts: record.attempts,
            maybe_executed: record.maybe_executed,
            transient: record.transient,
        }
    }

    /// The error of a call about many tasks, with those that exist.
    fn of_many(error: &junfeiai::Error, ids: &[String]) -> Self {
        let mut json = error.to_json();
        let mut message = error.to_string();
        if error.task_id().is_none() && !ids.is_empty() {
            message = format!("{message}; tasks still running: {}", ids.join(", "));
        }
        json["text"] = message.as_str().into();
        json["task_ids"] = ids.into();
        Self {
            message: OwnedCStr::new(&message),
            json: OwnedCStr::new(&json.to_string()),
            task_ids: ids.iter().map(|id| OwnedCStr::new(id)).collect(),
            ..Self::of(error, None)
        }
    }
}

impl From<Failure> for jfai_error {
    fn from(failure: Failure) -> Self {
        let (failure, task) = match failure {
            Failure::About(failure, id) => (*failure, Some(id)),
            failure => (failure, None),
        };
        let task = task.as_deref();
        match failure {
            Failure::Core(error) => Self::from(error),
            Failure::Refused(error, setter) => Self::of(&error, Some(setter)),
            Failure::Many(error, ids) => Self::of_many(&error, &ids),
            Failure::Argument(message) => Self::own(ARGUMENT, &message, task),
            Failure::Version(message) => Self::own(VERSION, &message, task),
            Failure::Forked => Self::own(
                FORKED,
                "the handle was made before fork() and belongs to the parent: make a new client in this process",
                task,
            ),
            // One task is named once.
            Failure::About(failure, _) => Self::from(*failure),
        }
    }
}
