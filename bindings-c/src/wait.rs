//! How a wait is done, and what is called with its progress.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

use junfeiai::WaitPolicy;
use junfeiai::{CancelToken, Task, Video, VideoRequest};
use serde_json::Value;

use crate::call_context::CallContext;
use crate::callback::UserData;
use crate::client_runtime::ClientRuntime;
use crate::error_handle::jfai_error;
use crate::failure::{Outcome, need};
use crate::guard::{guard, guard_or};
use crate::option_values::OptionValues;
use crate::progress_call::ProgressCall;
use crate::status::jfai_status;
use crate::task::jfai_task;

/// Progress callback: called with every state of a task that a poll returns, and with the new task first when the call creates it. The
/// task is borrowed: see jfai_task_clone(). Return 0 to continue; anything else ends the call with `JFAI_ERR_CANCELLED`. It may call any
/// function.
pub type jfai_task_progress_fn = Option<unsafe extern "C" fn(user: *mut c_void, task: *const jfai_task) -> c_int>;

/// How a wait is done. What is not set has the client's value.
#[derive(Default)]
pub struct jfai_wait_options {
    values: OptionValues,
    pub(crate) progress: Progress,
}

/// The callback, when there is one.
#[derive(Default, Clone, Copy)]
pub(crate) struct Progress(Option<(unsafe extern "C" fn(*mut c_void, *const jfai_task) -> c_int, UserData)>);

impl Progress {
    /// Calls it; false when the call is to end.
    pub(crate) fn call(self, task: Task, runtime: &std::sync::Arc<ClientRuntime>) -> bool {
        let Some((callback, user)) = self.0 else { return true };
        let task = jfai_task::new(task, runtime.clone());
        // SAFETY: the header asks for a function that may be called until the call has ended; the task lives longer
        // than it.
        unsafe { callback(user.0, &raw const *task) == 0 }
    }
}

impl jfai_wait_options {
    pub(crate) fn set(&mut self, option: &'static str, function: &'static str, value: impl Into<Value>) {
        self.values.set(option, function, value);
    }

    /// The client's policy with what differs, judged by the core.
    pub(crate) fn policy(options: Option<&Self>, runtime: &ClientRuntime) -> Outcome<WaitPolicy> {
        let mut policy = runtime.client().wait_policy().clone();
        if let Some(options) = options {
            policy.set_options(options.values.json()).map_err(|error| options.values.named(error))?;
        }
        Ok(policy)
    }
}

/// What a wait begins with.
pub(crate) enum Begin {
    Task(Task),
    Request(VideoRequest),
}

/// The wait as a call with progress.
pub(crate) fn wait_call(
    begin: Begin,
    options: Option<&jfai_wait_options>,
    token: CancelToken,
    runtime: &ClientRuntime,
    context: &CallContext,
) -> Outcome<ProgressCall<Video, Task>> {
    let policy = jfai_wait_options::policy(options, runtime)?;
    let watched = options.is_some_and(|options| options.progress.0.is_some());
    let videos = runtime.client().videos().tracked(&context.tracker);
    Ok(ProgressCall::new(vec![token], context, move |own, events| async move {
        let wait = match begin {
            Begin::Task(task) => task.wait(),
            Begin::Request(request) => videos.generate(request),
        };
        let wait = wait.policy(policy).cancel_with(&own);
        if watched { wait.on_progress(move |task| events.push(task.clone())).await } else { wait.await }
    }))
}

/// Makes options that all have the client's values.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_options_new(
    out: Option<&mut MaybeUninit<Box<jfai_wait_options>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(out, "out")?.write(Box::default());
        Ok(())
    })
}

/// Frees options. NULL is ignored. A call that was started with them does not need them any more.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_options_free(options: Option<Box<jfai_wait_options>>) {
    guard_or!(() => drop(options));
}

/// Sets the progress callback; NULL for none. `user` is passed to it as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_wait_options_set_progress(
    options: Option<&mut jfai_wait_options>,
    progress: jfai_task_progress_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.progress = Progress(progress.map(|progress| (progress, UserData(user))));
        Ok(())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use junfeiai::Client;

    use super::*;
    use crate::time::{milliseconds, seconds};

    fn runtime(interval: Option<Duration>) -> std::sync::Arc<ClientRuntime> {
        let builder = Client::builder().api_key("sk-test");
        ClientRuntime::new(match interval {
            Some(interval) => builder.poll_interval(interval),
            None => builder,
        })
        .unwrap()
    }

    fn with_interval(ms: u64) -> jfai_wait_options {
        let mut options = jfai_wait_options::default();
        options.set("poll_interval", "jfai_wait_options_set_poll_interval_ms", seconds(ms));
        options
    }

    #[test]
    fn a_pause_of_one_call_grows_as_that_of_a_client() {
        for ms in [1, 4_000, 5_000, 7_000, 20_000, 86_400_000] {
            let options = with_interval(ms);
            let Ok(policy) = jfai_wait_options::policy(Some(&options), &runtime(None)) else { unreachable!("refused") };
            let of_client = runtime(Some(milliseconds(ms)));
            assert_eq!(policy.for_host(false), of_client.client().wait_policy().clone(), "{ms} ms");
        }
        for ms in [86_400_001, u64::MAX] {
            assert!(jfai_wait_options::policy(Some(&with_interval(ms)), &runtime(None)).is_err(), "{ms} ms");
        }
        let seven = with_interval(7_000);
        let Ok(policy) = jfai_wait_options::policy(Some(&seven), &runtime(None)) else { unreachable!("refused") };
        assert_eq!((policy.interval, policy.max_interval), (Duration::from_secs(7), Duration::from_secs(10)));
    }
}
