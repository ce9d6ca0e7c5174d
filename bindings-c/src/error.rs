//! What C reads of an error object.

use std::ffi::c_char;
use std::ptr;

use crate::error_handle::jfai_error;
use crate::guard::guard_or;
use crate::owned_c_str::OwnedCStr;
use crate::status::{OWN, jfai_status};

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

/// One line of text: what happened, with its numbers, and what to do next.
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

/// The HTTP status of the response, or 0.
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

/// The task that it is about, or NULL. Every error after a task exists has it: with it the task can be resumed.
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
        error.and_then(|error| error.task_ids.get(index)).map_or(ptr::null(), OwnedCStr::pointer)
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

/// True when the request may have been carried out, and charged, although no response was received. Do not simply send it again.
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
    static NAMES: std::sync::OnceLock<Vec<(jfai_status, OwnedCStr)>> = std::sync::OnceLock::new();
    guard_or!(c"unknown".as_ptr() => {
        let core = junfeiai::ErrorKind::ALL.iter().map(|kind| (i32::from(kind.number()), kind.name()));
        let own = OWN.iter().map(|(number, name, _)| (*number, *name));
        let names = NAMES.get_or_init(|| {
            own.chain(core).chain([(0, "ok")]).map(|(number, name)| (number, OwnedCStr::new(name))).collect()
        });
        names.iter().find(|(number, _)| *number == status).map_or(c"unknown".as_ptr(), |(_, name)| name.pointer())
    })
}
