//! The states of a task as they come, one for each poll.

use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use junfeiai::async_compat::BoxStream;
use junfeiai::{Result, Task};

use crate::call_context::CallContext;
use crate::cancel::{jfai_cancel, token};
use crate::client_runtime::{ClientRuntime, release};
use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::{guard, guard_or};
use crate::status::jfai_status;
use crate::task::jfai_task;
use crate::wait::jfai_wait_options;

/// The states of a task as they come. For one thread at a time.
pub struct jfai_watch {
    // A stream is not shareable; the lock makes the handle one that is.
    stream: Mutex<BoxStream<'static, Result<Task>>>,
    id: String,
    runtime: Arc<ClientRuntime>,
}

/// Begins to watch a task. `options` may be NULL; its progress callback is not used.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_watch_new(
    task: Option<&jfai_task>,
    options: Option<&jfai_wait_options>,
    out: Option<&mut MaybeUninit<Box<jfai_watch>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_task::id_of(task) => {
        let out = need(out, "out")?;
        let task = need(task, "task")?;
        task.runtime.check()?;
        let policy = jfai_wait_options::policy(options, &task.runtime)?;
        let stream = Mutex::new(task.task.watch_with(policy));
        out.write(Box::new(jfai_watch { stream, id: task.task.id().to_owned(), runtime: task.runtime.clone() }));
        Ok(())
    })
}

/// Waits for the next state; `out` gets NULL after the last one. Fails as a wait fails: `JFAI_ERR_TASK_FAILED`, …
/// `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_watch_next(
    watch: Option<&mut jfai_watch>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Option<Box<jfai_task>>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about watch.as_deref().map(|watch| watch.id.clone()) => {
        let out = need(out, "out")?;
        let jfai_watch { stream, id, runtime } = need(watch, "watch")?;
        let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        let next = async { stream.next().await.transpose() };
        let seen = runtime.run_in(&CallContext::task(Some(id)), token(cancel).run_for(id, next))?;
        out.write(seen.map(|task| jfai_task::new(task, runtime.clone())));
        Ok(())
    })
}

/// Stops watching. NULL is ignored. The task itself is not affected.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_watch_free(watch: Option<Box<jfai_watch>>) {
    guard_or!(() => release(watch, |watch| &watch.runtime));
}
