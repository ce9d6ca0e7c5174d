//! A video that is done: reading it.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use junfeiai::{DEFAULT_MAX_BYTES, Video};

use crate::bytes::jfai_bytes;
use crate::cancel::{cancellable, jfai_cancel, token};
use crate::client::jfai_client;
use crate::client_runtime::{ClientRuntime, release};
use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::{guard, guard_or};
use crate::owned_c_str::OwnedCStr;
use crate::status::jfai_status;
use crate::task::jfai_task;
use crate::text::{fill, room, text};

/// A video of the service. Result links expire after about a day: save it soon. Shareable between threads.
pub struct jfai_video {
    pub(crate) video: Video,
    pub(crate) runtime: Arc<ClientRuntime>,
    task_id: OwnedCStr,
    url: OwnedCStr,
    file_name: OwnedCStr,
    saved_path: OwnedCStr,
}

impl jfai_video {
    pub(crate) fn new(video: Video, runtime: Arc<ClientRuntime>) -> Box<Self> {
        let task_id = OwnedCStr::maybe(video.task_id());
        let url = OwnedCStr::maybe(video.url());
        let file_name = OwnedCStr::new(&video.file_name());
        let saved_path = OwnedCStr::maybe(video.saved_path().and_then(|path| path.to_str()));
        Box::new(Self { video, runtime, task_id, url, file_name, saved_path })
    }

    /// The task's id of a handle, which may be NULL, for the errors of a call about it.
    pub(crate) fn id_of(video: Option<&Self>) -> Option<String> {
        video.and_then(|video| video.video.task_id()).map(str::to_owned)
    }

    /// What a blocking call needs of it: a callback or another thread may free the handle before the call has ended.
    pub(crate) fn held(&self) -> (Video, Arc<ClientRuntime>) {
        (self.video.clone(), self.runtime.clone())
    }
}

/// The video of a task, when its last seen state says that there is one; else `JFAI_ERR_NOT_READY` or `JFAI_ERR_TASK_FAILED`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_task_video(
    task: Option<&jfai_task>,
    out: Option<&mut MaybeUninit<Box<jfai_video>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_task::id_of(task) => {
        let out = need(out, "out")?;
        let jfai_task { task, runtime, .. } = need(task, "task")?;
        out.write(jfai_video::new(task.video()?, runtime.clone()));
        Ok(())
    })
}

/// The video of a task that is done, by the task's id: its URL is queried when it is read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_video_by_id(
    client: Option<&jfai_client>,
    task_id: *const c_char,
    out: Option<&mut MaybeUninit<Box<jfai_video>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        runtime.check()?;
        // SAFETY: the header asks for a string or NULL.
        let video = runtime.client().videos().video(unsafe { text(task_id, "task_id") }?)?;
        out.write(jfai_video::new(video, runtime.clone()));
        Ok(())
    })
}

/// A video by its URL. The key is sent only when the host is trusted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_video_at(
    client: Option<&jfai_client>,
    url: *const c_char,
    out: Option<&mut MaybeUninit<Box<jfai_video>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        runtime.check()?;
        // SAFETY: the header asks for a string or NULL.
        let video = runtime.client().videos().video_at(unsafe { text(url, "url") }?)?;
        out.write(jfai_video::new(video, runtime.clone()));
        Ok(())
    })
}

/// Frees a video handle. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_video_free(video: Option<Box<jfai_video>>) {
    guard_or!(() => release(video, |video| &video.runtime));
}

/// The id of the task that made it, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_video_task_id(video: Option<&jfai_video>) -> *const c_char {
    guard_or!(ptr::null() => video.map_or(ptr::null(), |video| video.task_id.pointer()))
}

/// Its URL, or NULL when it is not known yet. Reading it needs the key, unless the link is signed.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_video_url(video: Option<&jfai_video>) -> *const c_char {
    guard_or!(ptr::null() => video.map_or(ptr::null(), |video| video.url.pointer()))
}

/// Where an earlier call with the same key saved it, or NULL. Saving to the same path gives a file that is still there without a
/// request.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_video_saved_path(video: Option<&jfai_video>) -> *const c_char {
    guard_or!(ptr::null() => video.map_or(ptr::null(), |video| video.saved_path.pointer()))
}

/// A file name made from the task's id that is valid on every system, such as `"task_abc.mp4"`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_video_file_name(video: Option<&jfai_video>) -> *const c_char {
    guard_or!(ptr::null() => video.map_or(ptr::null(), |video| video.file_name.pointer()))
}

/// Reads part of a video into `buffer`: up to `size` bytes from `offset` on, fewer only at the end of the file. `out_size` gets how many.
/// Every call sends a request: see jfai_reader_open() for sequential reads. `cancel` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_video_read_range(
    video: Option<&jfai_video>,
    offset: u64,
    buffer: *mut u8,
    size: usize,
    cancel: Option<&jfai_cancel>,
    out_size: Option<&mut MaybeUninit<usize>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_video::id_of(video) => {
        let out_size = need(out_size, "out_size")?;
        let (video, runtime) = &need(video, "video")?.held();
        // SAFETY: the header asks for room for `size` bytes or NULL.
        let room = unsafe { room(buffer, size, "buffer") }?;
        let end = offset.saturating_add(room.len() as u64);
        let read = video.read_range(offset..end);
        let bytes = runtime.run(cancellable(&token(cancel), video.task_id(), read))?;
        out_size.write(fill(room, &bytes));
        Ok(())
    })
}

/// Reads a whole video into memory, length and MP4 structure checked. Refuses more than `max_size` bytes (0: 1 GiB).
/// `cancel` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_video_bytes(
    video: Option<&jfai_video>,
    max_size: usize,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_bytes>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_video::id_of(video) => {
        let out = need(out, "out")?;
        let (video, runtime) = &need(video, "video")?.held();
        let max = if max_size == 0 { DEFAULT_MAX_BYTES } else { max_size };
        let bytes = runtime.run(cancellable(&token(cancel), video.task_id(), video.bytes_up_to(max)))?;
        out.write(Box::new(jfai_bytes { bytes }));
        Ok(())
    })
}
