//! A task as it was last seen.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use junfeiai::Task;

use crate::client_runtime::{ClientRuntime, release};
use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::{guard, guard_or};
use crate::owned_c_str::OwnedCStr;
use crate::request::jfai_warnings;
use crate::status::jfai_status;
use crate::task_status::{
    JFAI_TASK_FAILED, JFAI_TASK_IN_PROGRESS, JFAI_TASK_QUEUED, JFAI_TASK_SUCCEEDED, JFAI_TASK_UNKNOWN, task_status,
};
use crate::time::unix_seconds;

/// A task as it was last seen. It never changes: a query returns a new handle. Shareable between threads.
pub struct jfai_task {
    pub(crate) task: Task,
    pub(crate) runtime: Arc<ClientRuntime>,
    id: OwnedCStr,
    raw_status: OwnedCStr,
    video_url: OwnedCStr,
    fail_reason: OwnedCStr,
    model: OwnedCStr,
    raw: OwnedCStr,
    saved_path: OwnedCStr,
    warnings: jfai_warnings,
}

impl jfai_task {
    pub(crate) fn new(task: Task, runtime: Arc<ClientRuntime>) -> Box<Self> {
        let seen = task.snapshot();
        Box::new(Self {
            id: OwnedCStr::new(task.id()),
            raw_status: OwnedCStr::new(&seen.raw_status),
            video_url: OwnedCStr::maybe(seen.video_url.as_deref()),
            fail_reason: OwnedCStr::maybe(seen.fail_reason.as_deref()),
            model: OwnedCStr::maybe(seen.model.as_deref()),
            raw: OwnedCStr::new(&seen.raw),
            saved_path: OwnedCStr::maybe(task.saved_path().and_then(|path| path.to_str())),
            warnings: jfai_warnings::new(task.warnings()),
            task,
            runtime,
        })
    }

    /// The id of a handle, which may be NULL, for the errors of a call about it.
    pub(crate) fn id_of(task: Option<&Self>) -> Option<String> {
        task.map(|task| task.task.id().to_owned())
    }

    /// What a blocking call needs of it: a callback or another thread may free the handle before the call has ended.
    pub(crate) fn held(&self) -> (Task, Arc<ClientRuntime>) {
        (self.task.clone(), self.runtime.clone())
    }
}

/// Frees a task handle. NULL is ignored. The task itself is not affected.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_free(task: Option<Box<jfai_task>>) {
    guard_or!(() => release(task, |task| &task.runtime));
}

/// Makes a second handle of a task, to keep the one that a callback was called with.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_clone(
    task: Option<&jfai_task>,
    out: Option<&mut MaybeUninit<Box<jfai_task>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let task = need(task, "task")?;
        out.write(jfai_task::new(task.task.clone(), task.runtime.clone()));
        Ok(())
    })
}

/// Its id: store it to resume the task in a later process.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_id(task: Option<&jfai_task>) -> *const c_char {
    guard_or!(ptr::null() => task.map_or(ptr::null(), |task| task.id.pointer()))
}

/// Its state: `JFAI_TASK_…`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_status(task: Option<&jfai_task>) -> i32 {
    guard_or!(JFAI_TASK_UNKNOWN => task.map_or(JFAI_TASK_UNKNOWN, |task| task_status(task.task.status())))
}

/// The name of a state: `"queued"`, `"in_progress"`, `"succeeded"`, `"failed"` or `"unknown"`. The text is constant.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_status_name(status: i32) -> *const c_char {
    guard_or!(ptr::null() => match status {
        JFAI_TASK_QUEUED => c"queued",
        JFAI_TASK_IN_PROGRESS => c"in_progress",
        JFAI_TASK_SUCCEEDED => c"succeeded",
        JFAI_TASK_FAILED => c"failed",
        _ => c"unknown",
    }.as_ptr())
}

/// The server's own spelling of the state.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_raw_status(task: Option<&jfai_task>) -> *const c_char {
    guard_or!(ptr::null() => task.map_or(ptr::null(), |task| task.raw_status.pointer()))
}

/// 0 to 100; -1 when the server does not report it. May stall or go back.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_progress(task: Option<&jfai_task>) -> f64 {
    guard_or!(-1.0 => task.and_then(|task| task.task.progress()).unwrap_or(-1.0))
}

/// The seconds of video that the server billed; -1 when it does not report it.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_billed_seconds(task: Option<&jfai_task>) -> f64 {
    guard_or!(-1.0 => task.and_then(|task| task.task.billed_seconds()).unwrap_or(-1.0))
}

/// What the server charged for it, in its units: 500,000 are 1 USD. Known after the first query, where the server reports it; 0
/// for a failed task, whose charge is returned; -1 when it is not known.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_charged_units(task: Option<&jfai_task>) -> i64 {
    guard_or!(-1 => task.and_then(|task| task.task.charged_units()).and_then(|units| i64::try_from(units).ok()).unwrap_or(-1))
}

/// True when the task was created by an earlier call with the same key: this one sent no request and cost nothing.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_is_reused(task: Option<&jfai_task>) -> bool {
    guard_or!(false => task.is_some_and(|task| task.task.is_reused()))
}

/// Where an earlier call with the same key saved the video, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_saved_path(task: Option<&jfai_task>) -> *const c_char {
    guard_or!(ptr::null() => task.map_or(ptr::null(), |task| task.saved_path.pointer()))
}

/// Where the MP4 is, or NULL. Reading it needs the key, unless the link is signed.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_video_url(task: Option<&jfai_task>) -> *const c_char {
    guard_or!(ptr::null() => task.map_or(ptr::null(), |task| task.video_url.pointer()))
}

/// Why it failed, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_fail_reason(task: Option<&jfai_task>) -> *const c_char {
    guard_or!(ptr::null() => task.map_or(ptr::null(), |task| task.fail_reason.pointer()))
}

/// The model as the server names it, or NULL. May differ from the requested one.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_model(task: Option<&jfai_task>) -> *const c_char {
    guard_or!(ptr::null() => task.map_or(ptr::null(), |task| task.model.pointer()))
}

/// When it was accepted, in unix seconds; -1 when the server does not report it.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_created_at(task: Option<&jfai_task>) -> i64 {
    guard_or!(-1 => unix_seconds(task.and_then(|task| task.task.snapshot().created_at)))
}

/// When it was started, in unix seconds; -1 when the server does not report it.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_started_at(task: Option<&jfai_task>) -> i64 {
    guard_or!(-1 => unix_seconds(task.and_then(|task| task.task.snapshot().started_at)))
}

/// When it ended, in unix seconds; -1 when the server does not report it.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_finished_at(task: Option<&jfai_task>) -> i64 {
    guard_or!(-1 => unix_seconds(task.and_then(|task| task.task.snapshot().finished_at)))
}

/// The server's last response, whole, as JSON; empty before the first query.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_raw_json(task: Option<&jfai_task>) -> *const c_char {
    guard_or!(ptr::null() => task.map_or(ptr::null(), |task| task.raw.pointer()))
}

/// Advice that the request did not follow, and a billed length that differs from the requested one. They belong to the task.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_warnings(task: Option<&jfai_task>) -> *const jfai_warnings {
    guard_or!(ptr::null() => task.map_or(ptr::null(), |task| ptr::from_ref(&task.warnings)))
}
