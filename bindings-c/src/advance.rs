//! Durable waits: a wait as a JSON text that any process can continue.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use junfeiai::{Advance, Error, ErrorKind, Phase, Result, Video, WaitState};

use crate::call_context::CallContext;
use crate::cancel::{jfai_cancel, token};
use crate::client::jfai_client;
use crate::client_runtime::{ClientRuntime, release};
use crate::error_handle::jfai_error;
use crate::failure::{Outcome, need};
use crate::guard::{guard, guard_or};
use crate::owned_c_str::OwnedCStr;
use crate::status::jfai_status;
use crate::task::jfai_task;
use crate::text::text;
use crate::time::to_milliseconds;
use crate::video::jfai_video;
use crate::wait::jfai_wait_options;

/// A durable wait after one of its steps: the state to store, or the video. It never changes. Shareable between threads.
pub struct jfai_wait_step {
    task_id: OwnedCStr,
    /// Nothing once the task succeeded.
    state: OwnedCStr,
    retry_after_ms: i64,
    video: Option<Video>,
    runtime: Arc<ClientRuntime>,
}

impl jfai_wait_step {
    fn new(state: &WaitState, retry_after_ms: i64, runtime: Arc<ClientRuntime>) -> Box<Self> {
        let (task_id, text) = (OwnedCStr::new(state.task_id()), OwnedCStr::new(&state.to_string()));
        Box::new(Self { task_id, state: text, retry_after_ms, video: None, runtime })
    }

    pub(crate) fn of(step: Advance, runtime: Arc<ClientRuntime>) -> Box<Self> {
        match step {
            Advance::Later { state, retry_after } => Self::new(&state, to_milliseconds_up(retry_after), runtime),
            Advance::Done(video) => {
                let task_id = OwnedCStr::maybe(video.task_id());
                Box::new(Self { task_id, state: OwnedCStr::default(), retry_after_ms: -1, video: Some(video), runtime })
            }
        }
    }

    fn video(&self) -> Result<Video> {
        let early = || {
            let error = Error::new(
                ErrorKind::NotReady,
                Phase::Wait,
                "the wait has not ended: store its state, and continue it",
            );
            match self.task_id.text() {
                Some(id) => error.with_task(id),
                None => error,
            }
        };
        self.video.clone().ok_or_else(early)
    }
}

/// A pause for C, never shorter than it is.
fn to_milliseconds_up(pause: std::time::Duration) -> i64 {
    to_milliseconds(pause.saturating_add(std::time::Duration::from_nanos(999_999)))
}

/// A state of C, which names its task from then on.
pub(crate) fn parse(state: &str) -> Outcome<WaitState> {
    Ok(state.parse()?)
}

/// Begins a durable wait: a step whose state can be stored, passed to jfai_advance() by any process and read by every binding. For job
/// queues and workflow engines, which must not hold a worker while the video is made. Sends nothing. `options` may be NULL; the timeout
/// counts from now, and the progress callback is not used.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_wait_state(
    task: Option<&jfai_task>,
    options: Option<&jfai_wait_options>,
    out: Option<&mut MaybeUninit<Box<jfai_wait_step>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_task::id_of(task) => {
        let out = need(out, "out")?;
        let jfai_task { task, runtime, .. } = need(task, "task")?;
        runtime.check()?;
        let policy = jfai_wait_options::policy(options, runtime)?;
        let state = task.wait_state_with(policy)?;
        out.write(jfai_wait_step::new(&state, 0, runtime.clone()));
        Ok(())
    })
}

/// One step of a durable wait, from the state of the step before: queries the task if a poll is due, once, and never sleeps until
/// then. The deadline and the budget of failed polls are in the state, so a failed poll is no error here; the errors are those that end
/// a jfai_wait(), and every one of them has the task's id. `cancel` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_advance(
    client: Option<&jfai_client>,
    state: *const c_char,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_wait_step>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        // SAFETY: the header asks for a string or NULL.
        let state = parse(unsafe { text(state, "state") }?)?;
        let id = state.task_id().to_owned();
        let videos = runtime.client().videos();
        let token = token(cancel);
        let step = runtime.run_in(&CallContext::task(Some(&id)), token.run_for(&id, videos.advance(state)));
        out.write(jfai_wait_step::of(step.map_err(|failure| failure.about(&id))?, runtime.clone()));
        Ok(())
    })
}

/// True when the task succeeded: jfai_wait_step_video() has its video.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_step_done(step: Option<&jfai_wait_step>) -> bool {
    guard_or!(false => step.is_some_and(|step| step.video.is_some()))
}

/// The state to store, as one line of JSON of a few hundred bytes without the key; NULL when the wait has ended.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_step_state(step: Option<&jfai_wait_step>) -> *const c_char {
    guard_or!(ptr::null() => step.map_or(ptr::null(), |step| step.state.pointer()))
}

/// How long to pause before the next jfai_advance(); -1 when the wait has ended. Sooner is no error: then nothing is sent.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_step_retry_after_ms(step: Option<&jfai_wait_step>) -> i64 {
    guard_or!(-1 => step.map_or(-1, |step| step.retry_after_ms))
}

/// The task's id.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_step_task_id(step: Option<&jfai_wait_step>) -> *const c_char {
    guard_or!(ptr::null() => step.map_or(ptr::null(), |step| step.task_id.pointer()))
}

/// The video; `JFAI_ERR_NOT_READY` while the task is still running.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_step_video(
    step: Option<&jfai_wait_step>,
    out: Option<&mut MaybeUninit<Box<jfai_video>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about step.and_then(|step| step.task_id.text()).map(str::to_owned) => {
        let out = need(out, "out")?;
        let step = need(step, "step")?;
        out.write(jfai_video::new(step.video()?, step.runtime.clone()));
        Ok(())
    })
}

/// Frees a step. NULL is ignored. The task itself is not affected.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_step_free(step: Option<Box<jfai_wait_step>>) {
    guard_or!(() => release(step, |step| &step.runtime));
}
