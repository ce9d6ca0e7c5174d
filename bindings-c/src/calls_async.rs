//! The same calls for those who must not block.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use junfeiai::{CancelToken, Result};

use crate::bytes::jfai_bytes;
use crate::cancel::jfai_cancel;
use crate::client::jfai_client;
use crate::engine::{Engine, cancellable, token};
use crate::error::{Setters, jfai_error};
use crate::guard::{About, Outcome, guard, need};
use crate::ops::User;
use crate::pump::{Events, Pump};
use crate::queue::{Line, jfai_queue};
use crate::request::jfai_request;
use crate::save::{jfai_save_options, jfai_summary};
use crate::status::jfai_status;
use crate::task::jfai_task;
use crate::text::{path, text};
use crate::video::jfai_video;
use crate::wait::{Begin, jfai_wait_options};
use crate::{save, wait};

/// Told the end of a call: `task` or `error` is there, the other is NULL. What is there belongs to the callback, to be freed.
pub type jfai_task_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, task: Option<Box<jfai_task>>, error: Option<Box<jfai_error>>)>;
/// Told the end of a call: `video` or `error` is there, the other is NULL. What is there belongs to the callback, to be freed.
pub type jfai_video_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, video: Option<Box<jfai_video>>, error: Option<Box<jfai_error>>)>;
/// Told the end of a call: `summary` or `error` is there, the other is NULL. What is there belongs to the callback, to be freed.
pub type jfai_summary_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, summary: Option<Box<jfai_summary>>, error: Option<Box<jfai_error>>)>;
/// Told the end of a call: `bytes` or `error` is there, the other is NULL. What is there belongs to the callback, to be freed.
pub type jfai_bytes_done_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, bytes: Option<Box<jfai_bytes>>, error: Option<Box<jfai_error>>)>;

type Done<T> = unsafe extern "C" fn(user: *mut c_void, value: Option<Box<T>>, error: Option<Box<jfai_error>>);

/// What is known of a call besides its result.
#[derive(Default)]
struct Known {
    about: About,
    /// Which functions made its request.
    setters: Setters,
}

/// What a callback gets for the end of a call. It is called whatever happens: a panic while its handle is made is an error.
fn finish<V, T>(done: Done<T>, user: User, known: Known, convert: impl FnOnce(V) -> Box<T>) -> impl FnOnce(Result<V>) {
    move |result| {
        let made = result.and_then(|value| {
            catch_unwind(AssertUnwindSafe(|| convert(value))).map_err(|panic| known.about.panicked(panic))
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

fn line(queue: Option<&jfai_queue>) -> Outcome<Option<Arc<Line>>> {
    queue.map(|queue| queue.line().cloned()).transpose()
}

/// Starts a call that has no progress.
fn start<V: Send + 'static, T: 'static, F>(
    engine: &Arc<Engine>,
    queue: Option<&jfai_queue>,
    cancel: Option<&jfai_cancel>,
    (done, user): (Done<T>, User),
    known: Known,
    convert: impl FnOnce(V) -> Box<T> + Send + 'static,
    call: impl FnOnce(CancelToken) -> F,
) -> Outcome
where
    F: Future<Output = Result<V>> + Send + 'static,
{
    let pump = Pump::new(vec![token(cancel)], &known.about, |own, _: Events<()>| call(own));
    engine.ops()?.start(engine, pump, line(queue)?, |()| true, finish(done, user, known, convert))
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
        let done = (need(done, "done")?, User(user));
        let engine = &need(client, "client")?.engine;
        let jfai_request { request, setters } = need(request, "request")?.clone();
        let known = Known { about: About::default(), setters };
        let tracker = known.about.tracker.clone();
        let videos = engine.client().videos().tracked(&tracker);
        let of = engine.clone();
        start(engine, queue, cancel, done, known, |task| jfai_task::new(task, of), |own| async move {
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
        let done = (need(done, "done")?, User(user));
        let engine = &need(client, "client")?.engine;
        // SAFETY: the header asks for a string or NULL.
        let id = unsafe { text(task_id, "task_id") }?.to_owned();
        let videos = engine.client().videos();
        let of = engine.clone();
        start(engine, queue, cancel, done, Known::default(), |task| jfai_task::new(task, of), |own| async move {
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
    guard!(err => {
        let done = need(done, "done")?;
        let jfai_task { task, engine, .. } = need(task, "task")?;
        let known = Known { about: About::task(Some(task.id())), ..Known::default() };
        wait_in_ops(engine, Begin::Task(task.clone()), options, cancel, queue, (done, User(user)), known)
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
        let engine = &need(client, "client")?.engine;
        let jfai_request { request, setters } = need(request, "request")?.clone();
        let known = Known { about: About::default(), setters };
        wait_in_ops(engine, Begin::Request(request), options, cancel, queue, (done, User(user)), known)
    })
}

fn wait_in_ops(
    engine: &Arc<Engine>,
    begin: Begin,
    options: Option<&jfai_wait_options>,
    cancel: Option<&jfai_cancel>,
    queue: Option<&jfai_queue>,
    (done, user): (Done<jfai_video>, User),
    known: Known,
) -> Outcome {
    let progress = options.map(|options| options.progress).unwrap_or_default();
    let pump = wait::pump(begin, options, token(cancel), engine, &known.about)?;
    let (of, shown) = (engine.clone(), engine.clone());
    let told = move |task| progress.tell(task, &shown);
    engine.ops()?.start(engine, pump, line(queue)?, told, finish(done, user, known, |video| jfai_video::new(video, of)))
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
    guard!(err => {
        let done = need(done, "done")?;
        let jfai_video { video, engine, .. } = need(video, "video")?;
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        let options = options.cloned().unwrap_or_default();
        let pump = save::pump(video, file, &options, token(cancel))?;
        let progress = options.progress;
        let known = Known { about: About::task(video.task_id()), ..Known::default() };
        let done = finish(done, User(user), known, jfai_summary::new);
        engine.ops()?.start(engine, pump, line(queue)?, move |p| progress.tell(p), done)
    })
}

/// Reads bytes from `offset` up to, without, `end`, without blocking; see jfai_create_async(). Fewer only at the end of the file.
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
    guard!(err => {
        let done = (need(done, "done")?, User(user));
        let jfai_video { video, engine, .. } = need(video, "video")?;
        let video = video.clone();
        start(engine, queue, cancel, done, Known::default(), |bytes| Box::new(jfai_bytes { bytes }), |own| async move {
            cancellable(&own, video.task_id(), video.read_range(offset..end)).await
        })
    })
}
