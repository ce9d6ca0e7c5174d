//! The error object.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use crate::guard::{Failure, guard_or};
use crate::status::{ARGUMENT, FORKED, OWN, jfai_status};
use crate::task::task_status;
use crate::text::Kept;

/// What went wrong, in full. Made by the function that failed; give it to jfai_error_free().
pub struct jfai_error {
    status: jfai_status,
    kind: Kept,
    phase: Kept,
    message: Kept,
    detail: Kept,
    field: Kept,
    server_code: Kept,
    server_message: Kept,
    request_id: Kept,
    task_id: Kept,
    task_ids: Vec<Kept>,
    json: Kept,
    http_status: i32,
    last_status: i32,
    retry_after: Option<Duration>,
    attempts: u32,
    maybe_executed: bool,
    transient: bool,
}

impl jfai_error {
    pub(crate) fn status(&self) -> jfai_status {
        self.status
    }

    fn own((status, kind, next): (jfai_status, &str, &str), message: &str) -> Self {
        let line = format!("{message}; {next}");
        let json = serde_json::json!({ "kind": kind, "number": status, "message": message, "text": line });
        Self {
            status,
            kind: Kept::new(kind),
            phase: Kept::new("config"),
            message: Kept::new(&line),
            detail: Kept::new(message),
            field: Kept::default(),
            server_code: Kept::default(),
            server_message: Kept::default(),
            request_id: Kept::default(),
            task_id: Kept::default(),
            task_ids: Vec::new(),
            json: Kept::new(&json.to_string()),
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

/// The line, with something in front of it.
fn prefixed(prefix: Option<&str>, line: &str) -> String {
    prefix.map_or_else(|| line.to_owned(), |prefix| format!("{prefix}: {line}"))
}

impl jfai_error {
    /// The core's error. When it refuses an option, `setter` is the function that the caller set it with, which the core
    /// does not know.
    fn of(error: &junfeiai::Error, setter: Option<&str>) -> Self {
        let record = error.record();
        let mut json = error.to_json();
        let (message, detail) = (prefixed(setter, &error.to_string()), prefixed(setter, &record.message));
        if setter.is_some() {
            json["message"] = detail.as_str().into();
            json["text"] = message.as_str().into();
        }
        Self {
            status: i32::from(record.kind.number()),
            kind: Kept::new(record.kind.name()),
            phase: Kept::new(record.phase.name()),
            message: Kept::new(&message),
            detail: Kept::new(&detail),
            field: Kept::maybe(record.field.as_deref()),
            server_code: Kept::maybe(record.code.as_deref()),
            server_message: Kept::maybe(record.server_message.as_deref()),
            request_id: Kept::maybe(record.request_id.as_deref()),
            task_id: Kept::maybe(record.task_id.as_deref()),
            task_ids: record.task_id.iter().map(|id| Kept::new(id)).collect(),
            json: Kept::new(&json.to_string()),
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
            message = format!("{message}; tasks that go on: {}", ids.join(", "));
        }
        json["text"] = message.as_str().into();
        json["task_ids"] = ids.into();
        Self {
            message: Kept::new(&message),
            json: Kept::new(&json.to_string()),
            task_ids: ids.iter().map(|id| Kept::new(id)).collect(),
            ..Self::of(error, None)
        }
    }
}

impl From<Failure> for jfai_error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Core(error) => Self::from(error),
            Failure::Refused(error, setter) => Self::of(&error, Some(setter)),
            Failure::Many(error, ids) => Self::of_many(&error, &ids),
            Failure::Argument(message) => Self::own(ARGUMENT, &message),
            Failure::Forked => Self::own(
                FORKED,
                "the handle was made before fork() and belongs to the parent: make a new client in this process",
            ),
        }
    }
}

/// Which function of C set which option, by the core's name of the option: a refusal names what the caller wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setters(Vec<(&'static str, &'static str)>);

impl Setters {
    /// Notes that this function set the option; the last one counts.
    pub(crate) fn note(&mut self, option: &'static str, function: &'static str) {
        self.0.retain(|(known, _)| *known != option);
        self.0.push((option, function));
    }

    /// The function that set the option which this error refuses, if it is one of these.
    pub(crate) fn of(&self, error: &junfeiai::Error) -> Option<&'static str> {
        let refused = error.record().field.as_deref()?;
        self.0.iter().find(|(option, _)| *option == refused).map(|(_, function)| *function)
    }

    /// The failure, with that function's name in front.
    pub(crate) fn named(&self, failure: Failure) -> Failure {
        match failure {
            Failure::Core(error) => match self.of(&error) {
                Some(setter) => Failure::Refused(error, setter),
                None => Failure::Core(error),
            },
            failure => failure,
        }
    }

    /// The error object of a call that was made with these options.
    pub(crate) fn error(&self, error: junfeiai::Error) -> Box<jfai_error> {
        Box::new(jfai_error::of(&error, self.of(&error)))
    }
}

/// Frees an error. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_free(error: Option<Box<jfai_error>>) {
    guard_or!(() => drop(error));
}

/// Its number, the one that the function returned: `JFAI_ERR_…`. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_status(error: Option<&jfai_error>) -> jfai_status {
    guard_or!(0 => error.map_or(0, |error| error.status))
}

/// Its kind by name, such as `"task_failed"`; the same in every language.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_kind(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.kind.pointer()))
}

/// Where it happened: `"config"`, `"create"`, `"query"`, `"wait"`, `"content"`, `"save"`, `"check"`, `"journal"`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_phase(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.phase.pointer()))
}

/// One line for people: what happened, with its numbers, and what to do next.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_message(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.message.pointer()))
}

/// What happened, without what jfai_error_message() adds.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_detail(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.detail.pointer()))
}

/// The option or request field at fault, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_field(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.field.pointer()))
}

/// The HTTP status of the answer, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_http_status(error: Option<&jfai_error>) -> i32 {
    guard_or!(0 => error.map_or(0, |error| error.http_status))
}

/// The server's own code, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_server_code(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.server_code.pointer()))
}

/// The server's own message in its language, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_server_message(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.server_message.pointer()))
}

/// The server's request id, for its administrator, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_request_id(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.request_id.pointer()))
}

/// The task that it is about, or NULL. Every error after a task exists has it: with it the task can be gone on with.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_task_id(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.task_id.pointer()))
}

/// How many tasks it is about: those of jfai_generate_many() that exist when it ends early, else 1 or 0.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_task_count(error: Option<&jfai_error>) -> usize {
    guard_or!(0 => error.map_or(0, |error| error.task_ids.len()))
}

/// One of these tasks, counted from 0; NULL past the end.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_task_id_at(error: Option<&jfai_error>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => {
        error.and_then(|error| error.task_ids.get(index)).map_or(ptr::null(), Kept::pointer)
    })
}

/// The last state seen of that task: `JFAI_TASK_…`, 0 when none was seen.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_last_status(error: Option<&jfai_error>) -> i32 {
    guard_or!(0 => error.map_or(0, |error| error.last_status))
}

/// How long the server asked to wait, in milliseconds; -1 when it did not.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_retry_after_ms(error: Option<&jfai_error>) -> i64 {
    guard_or!(-1 => error.and_then(|error| error.retry_after).map_or(-1, |after| {
        i64::try_from(after.as_millis()).unwrap_or(i64::MAX)
    }))
}

/// How many requests were sent for the call.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_attempts(error: Option<&jfai_error>) -> u32 {
    guard_or!(0 => error.map_or(0, |error| error.attempts))
}

/// True when the request may have been carried out, and charged, although there is no answer. Do not just send it again.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_maybe_executed(error: Option<&jfai_error>) -> bool {
    guard_or!(false => error.is_some_and(|error| error.maybe_executed))
}

/// True when the same call may succeed later without any change.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_is_transient(error: Option<&jfai_error>) -> bool {
    guard_or!(false => error.is_some_and(|error| error.transient))
}

/// All of it as one JSON object, for logs.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_error_json(error: Option<&jfai_error>) -> *const c_char {
    guard_or!(ptr::null() => error.map_or(ptr::null(), |error| error.json.pointer()))
}

/// The name of a status: `"ok"`, `"task_failed"`, …; `"unknown"` for a number that is none. The text is constant.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_status_name(status: jfai_status) -> *const c_char {
    static NAMES: std::sync::OnceLock<Vec<(jfai_status, Kept)>> = std::sync::OnceLock::new();
    guard_or!(c"unknown".as_ptr() => {
        let core = junfeiai::ErrorKind::ALL.iter().map(|kind| (i32::from(kind.number()), kind.name()));
        let own = OWN.iter().map(|(number, name, _)| (*number, *name));
        let names = NAMES.get_or_init(|| {
            own.chain(core).chain([(0, "ok")]).map(|(number, name)| (number, Kept::new(name))).collect()
        });
        names.iter().find(|(number, _)| *number == status).map_or(c"unknown".as_ptr(), |(_, name)| name.pointer())
    })
}
