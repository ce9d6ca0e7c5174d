//! The calls without blocking.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use junfeiai::{CancelToken, Result};

use crate::advance::{jfai_wait_step, parse};
use crate::bytes::jfai_bytes;
use crate::call_context::CallContext;
use crate::callback::UserData;
use crate::cancel::{cancellable, jfai_cancel, token};
use crate::client::jfai_client;
use crate::client_runtime::ClientRuntime;
use crate::completion_queue::{CompletionQueue, jfai_queue};
use crate::error_handle::jfai_error;
use crate::failure::{Outcome, need};
use crate::guard::guard;
use crate::progress_call::{Events, ProgressCall};
use crate::request::jfai_request;
use crate::save::{jfai_save_options, jfai_summary, save_call};
use crate::setters::Setters;
use crate::status::jfai_status;
use crate::task::jfai_task;
use crate::text::{path, text};
use crate::video::jfai_video;
use crate::wait::{Begin, jfai_wait_options, wait_call};

/// Completion callback of a call: `task` or `error` is set, the other is NULL. The callback owns what is set and frees it.
pub type jfai_task_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, task: Option<Box<jfai_task>>, error: Option<Box<jfai_error>>)>;
/// Completion callback of a call: `video` or `error` is set, the other is NULL. The callback owns what is set and frees it.
pub type jfai_video_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, video: Option<Box<jfai_video>>, error: Option<Box<jfai_error>>)>;
/// Completion callback of a call: `summary` or `error` is set, the other is NULL. The callback owns what is set and frees it.
pub type jfai_summary_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, summary: Option<Box<jfai_summary>>, error: Option<Box<jfai_error>>)>;
/// Completion callback of a call: `bytes` or `error` is set, the other is NULL. The callback owns what is set and frees it.
pub type jfai_bytes_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, bytes: Option<Box<jfai_bytes>>, error: Option<Box<jfai_error>>)>;
/// Completion callback of a call: `step` or `error` is set, the other is NULL. The callback owns what is set and frees it.
pub type jfai_wait_step_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, step: Option<Box<jfai_wait_step>>, error: Option<Box<jfai_error>>)>;

type Done<T> = unsafe extern "C" fn(user: *mut c_void, value: Option<Box<T>>, error: Option<Box<jfai_error>>);

/// What is known of a call besides its result.
#[derive(Default)]
struct Known {
    context: CallContext,
    /// Which functions made its request.
    setters: Setters,
}

/// What a callback gets for the end of a call. It is called whatever happens: a panic while its handle is made is an error.
fn finish<V, T>(
    done: Done<T>,
    user: UserData,
    known: Known,
    convert: impl FnOnce(V) -> Box<T>,
) -> impl FnOnce(Result<V>) {
    move |result| {
        let made = result.and_then(|value| {
            catch_unwind(AssertUnwindSafe(|| convert(value))).map_err(|panic| known.context.panicked(panic))
        });
        let (value, error) = match made {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(known.setters.error(error))),
        };
        let user = user;
        // SAFETY: the header asks for a function that may be called until the call has ended, which is now.
        unsafe { done(user.0, value, error) }
    }
}

fn shared(queue: Option<&jfai_queue>) -> Outcome<Option<Arc<CompletionQueue>>> {
    queue.map(|queue| queue.get().cloned()).transpose()
}

/// Starts a call that has no progress.
fn start<V: Send + 'static, T: 'static, F>(
    runtime: &Arc<ClientRuntime>,
    queue: Option<&jfai_queue>,
    cancel: Option<&jfai_cancel>,
    (done, user): (Done<T>, UserData),
    known: Known,
    convert: impl FnOnce(V) -> Box<T> + Send + 'static,
    call: impl FnOnce(CancelToken) -> F,
) -> Outcome
where
    F: Future<Output = Result<V>> + Send + 'static,
{
    let call = ProgressCall::new(vec![token(cancel)], &known.context, |own, _: Events<()>| call(own));
    runtime.start(call, shared(queue)?, |()| true, finish(done, user, known, convert))
}

/// jfai_create() without blocking. The callback is called once, on the library's thread or, with a `queue`, in
/// jfai_queue_drain(). `cancel` and `queue` may be NULL. When this fails, the callback is not called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_create_async(
    client: Option<&jfai_client>,
    request: Option<&jfai_request>,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    done: jfai_task_done_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let done = (need(done, "done")?, UserData(user));
        let runtime = &need(client, "client")?.runtime;
        let jfai_request { request, setters } = need(request, "request")?.clone();
        let known = Known { context: CallContext::default(), setters };
        let tracker = known.context.tracker.clone();
        let videos = runtime.client().videos().tracked(&tracker);
        let of = runtime.clone();
        start(runtime, queue, cancel, done, known, |task| jfai_task::new(task, of), |own| async move {
            own.run_create(&tracker, videos.create(request)).await
        })
    })
}

/// jfai_get() without blocking; see jfai_create_async().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_get_async(
    client: Option<&jfai_client>,
    task_id: *const c_char,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    done: jfai_task_done_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let done = (need(done, "done")?, UserData(user));
        let runtime = &need(client, "client")?.runtime;
        // SAFETY: the header asks for a string or NULL.
        let id = unsafe { text(task_id, "task_id") }?.to_owned();
        let videos = runtime.client().videos();
        let of = runtime.clone();
        start(runtime, queue, cancel, done, Known::default(), |task| jfai_task::new(task, of), |own| async move {
            own.run_for(&id, videos.get(&id)).await
        })
    })
}

/// jfai_wait() without blocking; see jfai_create_async(). The progress callback of `options` is called where `done` is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_wait_async(
    task: Option<&jfai_task>,
    options: Option<&jfai_wait_options>,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    done: jfai_video_done_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_task::id_of(task) => {
        let done = need(done, "done")?;
        let jfai_task { task, runtime, .. } = need(task, "task")?;
        let known = Known { context: CallContext::task(Some(task.id())), ..Known::default() };
        start_wait(runtime, Begin::Task(task.clone()), options, cancel, queue, (done, UserData(user)), known)
    })
}

/// jfai_advance() without blocking; see jfai_create_async().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_advance_async(
    client: Option<&jfai_client>,
    state: *const c_char,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    done: jfai_wait_step_done_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let done = (need(done, "done")?, UserData(user));
        let runtime = &need(client, "client")?.runtime;
        // SAFETY: the header asks for a string or NULL.
        let state = parse(unsafe { text(state, "state") }?)?;
        let id = state.task_id().to_owned();
        let known = Known { context: CallContext::task(Some(&id)), ..Known::default() };
        let videos = runtime.client().videos();
        let (of, about) = (runtime.clone(), id.clone());
        let started = start(runtime, queue, cancel, done, known, |step| jfai_wait_step::of(step, of), |own| async move {
            own.run_for(&id, videos.advance(state)).await
        });
        started.map_err(|failure| failure.about(&about))
    })
}

/// jfai_generate() without blocking; see jfai_create_async(). The progress callback of `options` is called where `done` is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_generate_async(
    client: Option<&jfai_client>,
    request: Option<&jfai_request>,
    options: Option<&jfai_wait_options>,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    done: jfai_video_done_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let done = need(done, "done")?;
        let runtime = &need(client, "client")?.runtime;
        let jfai_request { request, setters } = need(request, "request")?.clone();
        let known = Known { context: CallContext::default(), setters };
        start_wait(runtime, Begin::Request(request), options, cancel, queue, (done, UserData(user)), known)
    })
}

fn start_wait(
    runtime: &Arc<ClientRuntime>,
    begin: Begin,
    options: Option<&jfai_wait_options>,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    (done, user): (Done<jfai_video>, UserData),
    known: Known,
) -> Outcome {
    let progress = options.map(|options| options.progress).unwrap_or_default();
    let call = wait_call(begin, options, token(cancel), runtime, &known.context)?;
    let (of, shown) = (runtime.clone(), runtime.clone());
    let on_progress = move |task| progress.call(task, &shown);
    runtime.start(call, shared(queue)?, on_progress, finish(done, user, known, |video| jfai_video::new(video, of)))
}

/// jfai_save() without blocking; see jfai_create_async(). The progress callback of `options` is called where `done` is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_save_async(
    video: Option<&jfai_video>,
    file: *const c_char,
    options: Option<&jfai_save_options>,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    done: jfai_summary_done_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_video::id_of(video) => {
        let done = need(done, "done")?;
        let jfai_video { video, runtime, .. } = need(video, "video")?;
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        let options = options.cloned().unwrap_or_default();
        let call = save_call(video, file, &options, token(cancel))?;
        let progress = options.progress;
        let known = Known { context: CallContext::task(video.task_id()), ..Known::default() };
        let done = finish(done, UserData(user), known, jfai_summary::new);
        runtime.start(call, shared(queue)?, move |p| progress.call(p), done)
    })
}

/// Reads the bytes from `offset` up to, not including, `end`, without blocking; see jfai_create_async(). Fewer only at the end of the file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_video_read_range_async(
    video: Option<&jfai_video>,
    offset: u64,
    end: u64,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    done: jfai_bytes_done_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_video::id_of(video) => {
        let done = (need(done, "done")?, UserData(user));
        let jfai_video { video, runtime, .. } = need(video, "video")?;
        let video = video.clone();
        start(runtime, queue, cancel, done, Known::default(), |bytes| Box::new(jfai_bytes { bytes }), |own| async move {
            cancellable(&own, video.task_id(), video.read_range(offset..end)).await
        })
    })
}
