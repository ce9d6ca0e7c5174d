//! The calls about tasks, blocking.

use std::ffi::c_char;
use std::mem::MaybeUninit;

use crate::call_context::CallContext;
use crate::cancel::{jfai_cancel, token};
use crate::client::jfai_client;
use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::guard;
use crate::request::jfai_request;
use crate::status::jfai_status;
use crate::task::jfai_task;
use crate::text::text;
use crate::video::jfai_video;
use crate::wait::{Begin, jfai_wait_options, wait_call};

/// Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it provably was not
/// accepted. When no response was received: `JFAI_ERR_CREATE_OUTCOME_UNKNOWN`, and jfai_error_maybe_executed() is true.
/// `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_create(
    client: Option<&jfai_client>,
    request: Option<&jfai_request>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_task>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        let jfai_request { request, setters } = need(request, "request")?.clone();
        let context = CallContext::default();
        let (videos, token) = (runtime.client().videos().tracked(&context.tracker), token(cancel));
        context.guard(|| {
            let create = token.run_create(&context.tracker, videos.create(request));
            let task = runtime.run_in(&context, create).map_err(|failure| setters.named(failure))?;
            out.write(jfai_task::new(task, runtime.clone()));
            Ok(())
        })
    })
}

/// Queries a task's state. `cancel` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_get(
    client: Option<&jfai_client>,
    task_id: *const c_char,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_task>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        // SAFETY: the header asks for a string or NULL.
        let id = unsafe { text(task_id, "task_id") }?;
        let videos = runtime.client().videos();
        let task = runtime.run(token(cancel).run_for(id, videos.get(id)))?;
        out.write(jfai_task::new(task, runtime.clone()));
        Ok(())
    })
}

/// A task by its id, without a query: to resume it in a later process, for example.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_task_by_id(
    client: Option<&jfai_client>,
    task_id: *const c_char,
    out: Option<&mut MaybeUninit<Box<jfai_task>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        runtime.check()?;
        // SAFETY: the header asks for a string or NULL.
        let task = runtime.client().videos().task(unsafe { text(task_id, "task_id") }?)?;
        out.write(jfai_task::new(task, runtime.clone()));
        Ok(())
    })
}

/// Queries the state again; `out` gets a new handle. `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_refresh(
    task: Option<&jfai_task>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_task>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_task::id_of(task) => {
        let out = need(out, "out")?;
        let (task, runtime) = &need(task, "task")?.held();
        let context = CallContext::task(Some(task.id()));
        let seen = runtime.run_in(&context, token(cancel).run_for(task.id(), task.refresh()))?;
        out.write(jfai_task::new(seen, runtime.clone()));
        Ok(())
    })
}

/// Waits for the end of a task and returns its video. A failed poll is not a failed task: only SUCCESS, FAILURE, a definite
/// refusal or the deadline end a wait; every error carries the task's id. `options` and `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait(
    task: Option<&jfai_task>,
    options: Option<&jfai_wait_options>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_video>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_task::id_of(task) => {
        let out = need(out, "out")?;
        let (task, runtime) = &need(task, "task")?.held();
        let progress = options.map(|options| options.progress).unwrap_or_default();
        let context = CallContext::task(Some(task.id()));
        let call = wait_call(Begin::Task(task.clone()), options, token(cancel), runtime, &context)?;
        context.guard(|| {
            let video = runtime.run_with_progress(call, |task| progress.call(task, runtime))?;
            out.write(jfai_video::new(video, runtime.clone()));
            Ok(())
        })
    })
}

/// jfai_create() and jfai_wait() in one. **This costs money.** `options` and `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_generate(
    client: Option<&jfai_client>,
    request: Option<&jfai_request>,
    options: Option<&jfai_wait_options>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_video>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        let jfai_request { request, setters } = need(request, "request")?.clone();
        let progress = options.map(|options| options.progress).unwrap_or_default();
        let context = CallContext::default();
        let call = wait_call(Begin::Request(request), options, token(cancel), runtime, &context)?;
        context.guard(|| {
            let video = runtime.run_with_progress(call, |task| progress.call(task, runtime)).map_err(|failure| setters.named(failure))?;
            out.write(jfai_video::new(video, runtime.clone()));
            Ok(())
        })
    })
}
