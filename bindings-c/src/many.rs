//! Many tasks at once: their results one after the other, as they end.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use junfeiai::async_compat::BoxStream;
use junfeiai::{Result, Summary, Video};

use crate::call_context::CallContext;
use crate::cancel::{jfai_cancel, token};
use crate::check::jfai_names;
use crate::client::jfai_client;
use crate::client_runtime::{ClientRuntime, release};
use crate::error_handle::jfai_error;
use crate::failure::{Outcome, need};
use crate::guard::{guard, guard_or};
use crate::owned_c_str::OwnedCStr;
use crate::request::jfai_request;
use crate::save::jfai_summary;
use crate::setters::Setters;
use crate::status::jfai_status;
use crate::text::{path, slice, text};
use crate::video::jfai_video;

/// How one of many ended: a video or a file, or an error.
pub struct jfai_result {
    index: usize,
    task_id: OwnedCStr,
    video: Option<Box<jfai_video>>,
    summary: Option<Box<jfai_summary>>,
    error: Option<Box<jfai_error>>,
    runtime: Arc<ClientRuntime>,
}

/// What comes out of the core, before it is a handle.
enum Ended {
    /// With the functions that made the request, where it was one.
    Video(usize, Option<String>, Result<Video>, Setters),
    Saved(String, Result<Summary>),
}

impl jfai_result {
    fn new(ended: Ended, number: usize, runtime: &Arc<ClientRuntime>) -> Box<Self> {
        let runtime = runtime.clone();
        Box::new(match ended {
            Ended::Video(index, id, result, setters) => {
                let known = match &result {
                    Ok(video) => video.task_id(),
                    Err(error) => error.task_id(),
                };
                let task_id = OwnedCStr::maybe(id.as_deref().or(known));
                let (video, error) = match result {
                    Ok(video) => (Some(jfai_video::new(video, runtime.clone())), None),
                    Err(error) => (None, Some(setters.error(error))),
                };
                Self { index, task_id, video, summary: None, error, runtime }
            }
            Ended::Saved(id, result) => {
                let (summary, error) = match result {
                    Ok(summary) => (Some(jfai_summary::new(summary)), None),
                    Err(error) => (None, Some(Box::new(jfai_error::from(error)))),
                };
                Self { index: number, task_id: OwnedCStr::new(&id), video: None, summary, error, runtime }
            }
        })
    }
}

/// Many tasks that are waited for or created, and their results as they end. For one thread at a time.
pub struct jfai_batch {
    // The lock makes the handle one that threads may hand on.
    stream: Mutex<BoxStream<'static, Ended>>,
    count: usize,
    /// What it created; nothing for a batch that creates nothing.
    context: CallContext,
    runtime: Arc<ClientRuntime>,
}

impl jfai_batch {
    fn new(
        stream: impl futures_util::Stream<Item = Ended> + Send + 'static,
        context: CallContext,
        runtime: &Arc<ClientRuntime>,
    ) -> Box<Self> {
        Box::new(Self { stream: Mutex::new(Box::pin(stream)), count: 0, context, runtime: runtime.clone() })
    }
}

impl Drop for jfai_batch {
    fn drop(&mut self) {
        let (ids, unknown) = (self.context.tracker.task_ids(), self.context.tracker.maybe_executed());
        if !ids.is_empty() || unknown {
            tracing::warn!(task_ids = ids.join(" "), unknown, "a batch was freed before these tasks were given out");
        }
    }
}

/// # Safety
/// As for [`slice()`], and each item as for [`text`].
unsafe fn ids_of(pointer: *const *const c_char, count: usize) -> Outcome<Vec<String>> {
    // SAFETY: the caller promises what `slice` asks for.
    let pointers = unsafe { slice(pointer, count, "task_ids") }?;
    // SAFETY: the caller promises what `text` asks for.
    pointers.iter().map(|pointer| Ok(unsafe { text(*pointer, "an item of task_ids") }?.to_owned())).collect()
}

/// Begins to wait for all these tasks; jfai_batch_next() returns each as soon as it has ended. One failure does not end the other
/// waits. They share the client's rate limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_wait_all(
    client: Option<&jfai_client>,
    task_ids: *const *const c_char,
    count: usize,
    out: Option<&mut MaybeUninit<Box<jfai_batch>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        runtime.check()?;
        // SAFETY: the header asks for `count` strings.
        let ids = unsafe { ids_of(task_ids, count) }?;
        let known = ids.clone();
        // An id that stands twice is waited for twice: each end takes the next place of that name.
        let mut taken = vec![false; known.len()];
        let stream = runtime.client().videos().as_completed(ids).map(move |(id, result)| {
            let place = known.iter().zip(&taken).position(|(known, taken)| *known == id && !taken).unwrap_or_default();
            if let Some(taken) = taken.get_mut(place) {
                *taken = true;
            }
            Ended::Video(place, Some(id), result, Setters::default())
        });
        out.write(jfai_batch::new(stream, CallContext::default(), runtime));
        Ok(())
    })
}

/// Begins to create a task for each request and to wait for its video, with at most `concurrency` tasks alive at a time. **This costs
/// money.** jfai_batch_next() returns each as it ends; nothing is sent before the first call of it. One failure does not stop the
/// rest: see jfai_batch_stop(). Freeing the batch stops it at once; tasks that exist keep running, see jfai_batch_task_ids().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_generate_many(
    client: Option<&jfai_client>,
    requests: *const *const jfai_request,
    count: usize,
    concurrency: usize,
    out: Option<&mut MaybeUninit<Box<jfai_batch>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        runtime.check()?;
        // SAFETY: the header asks for `count` handles; NULL among them is what `Option` says.
        let requests = unsafe { slice(requests.cast::<Option<&jfai_request>>(), count, "requests") }?;
        let requests = requests.iter().map(|request| Ok(need(*request, "an item of requests")?.clone()));
        let requests = requests.collect::<Outcome<Vec<_>>>()?;
        let (requests, mut setters): (Vec<_>, Vec<_>) =
            requests.into_iter().map(|jfai_request { request, setters }| (request, setters)).unzip();
        let context = CallContext::default();
        let stream = runtime.client().videos().tracked(&context.tracker).generate_many(requests, concurrency)?;
        // Each number comes once.
        let stream = stream.map(move |(index, result)| {
            Ended::Video(index, None, result, setters.get_mut(index).map(std::mem::take).unwrap_or_default())
        });
        out.write(jfai_batch::new(stream, context, runtime));
        Ok(())
    })
}

/// Begins to wait for all pending tasks of the client's journal and to save them as `FOLDER/<task id>.mp4`; jfai_batch_next() returns
/// each when it is done. The process may be killed meanwhile and call this again. Create requests whose outcome is unknown are left
/// alone: see jfai_list_pending(). `JFAI_ERR_CONFIG` when the client has no journal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_resume_pending(
    client: Option<&jfai_client>,
    folder: *const c_char,
    out: Option<&mut MaybeUninit<Box<jfai_batch>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        // SAFETY: the header asks for a string or NULL.
        let folder = unsafe { path(folder, "folder") }?;
        let stream = runtime.run(runtime.client().videos().resume_pending(folder))?;
        let stream = stream.map(|(id, result)| Ended::Saved(id, result));
        out.write(jfai_batch::new(stream, CallContext::default(), runtime));
        Ok(())
    })
}

/// Waits for the next one to end; `out` gets NULL after the last. When `cancel` ends this call, the batch can be resumed, and the
/// error lists the tasks that were created and not returned yet: jfai_error_task_id_at(). `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_batch_next(
    batch: Option<&mut jfai_batch>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Option<Box<jfai_result>>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let jfai_batch { stream, count, context, runtime } = need(batch, "batch")?;
        let stream = stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (next, token) = (async { Ok(stream.next().await) }, token(cancel));
        let ended = runtime.run_in(context, token.run(next)).map_err(|failure| failure.of_many(&context.tracker))?;
        out.write(ended.map(|ended| {
            *count += 1;
            jfai_result::new(ended, *count - 1, runtime)
        }));
        Ok(())
    })
}

/// Stops creating: no further create request is sent, and jfai_batch_next() returns those that were not sent as
/// `JFAI_ERR_CANCELLED`. What was sent before is waited for and returned as usual. For jfai_generate_many(); other batches create nothing.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_batch_stop(
    batch: Option<&mut jfai_batch>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(batch, "batch")?.context.tracker.stop();
        Ok(())
    })
}

/// The ids of the tasks of jfai_generate_many() that exist and were not returned by jfai_batch_next() yet, for jfai_names_free(): store
/// them before the batch is freed early. These tasks keep running.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_batch_task_ids(
    batch: Option<&jfai_batch>,
    out: Option<&mut MaybeUninit<Box<jfai_names>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        out.write(jfai_names::new(&need(batch, "batch")?.context.tracker.task_ids()));
        Ok(())
    })
}

/// True while a create request of the batch was sent and its outcome is not known: a task may exist that jfai_batch_task_ids() does not list.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_batch_maybe_executed(batch: Option<&jfai_batch>) -> bool {
    guard_or!(false => batch.is_some_and(|batch| batch.context.tracker.maybe_executed()))
}

/// Stops and frees a batch. NULL is ignored. No further task is created, and waiting ends; tasks that exist keep running.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_batch_free(batch: Option<Box<jfai_batch>>) {
    guard_or!(() => release(batch, |batch| &batch.runtime));
}

/// The index of the id or request that was given, from 0; for jfai_resume_pending() the number of the result.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_result_index(result: Option<&jfai_result>) -> usize {
    guard_or!(0 => result.map_or(0, |result| result.index))
}

/// The task's id; NULL when none was created.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_result_task_id(result: Option<&jfai_result>) -> *const c_char {
    guard_or!(ptr::null() => result.map_or(ptr::null(), |result| result.task_id.pointer()))
}

/// The video, or NULL. It belongs to the result.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_result_video(result: Option<&jfai_result>) -> *const jfai_video {
    guard_or!(ptr::null() => borrowed(result.and_then(|result| result.video.as_deref())))
}

/// The file, for jfai_resume_pending(), or NULL. It belongs to the result.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_result_summary(result: Option<&jfai_result>) -> *const jfai_summary {
    guard_or!(ptr::null() => borrowed(result.and_then(|result| result.summary.as_deref())))
}

/// The error, or NULL. It belongs to the result.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_result_error(result: Option<&jfai_result>) -> *const jfai_error {
    guard_or!(ptr::null() => borrowed(result.and_then(|result| result.error.as_deref())))
}

fn borrowed<T>(part: Option<&T>) -> *const T {
    part.map_or(ptr::null(), ptr::from_ref)
}

/// Frees a result with what belongs to it. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_result_free(result: Option<Box<jfai_result>>) {
    guard_or!(() => release(result, |result| &result.runtime));
}
