//! Saving a video to a file.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::ptr;

use junfeiai::{CancelToken, SaveProgress, Summary, Video};
use serde_json::Value;

use crate::call_context::CallContext;
use crate::callback::UserData;
use crate::cancel::{cancellable, jfai_cancel, token};
use crate::client::jfai_client;
use crate::error_handle::jfai_error;
use crate::failure::{Outcome, need};
use crate::guard::{guard, guard_or};
use crate::option_values::OptionValues;
use crate::owned_c_str::OwnedCStr;
use crate::progress_call::ProgressCall;
use crate::status::jfai_status;
use crate::text::path;
use crate::time::to_milliseconds;
use crate::video::jfai_video;

/// Progress callback: called at most every 100 ms and once at the end with the bytes that are there, the length of the file (0 until it
/// is known), and bytes per second. Return 0 to continue; anything else ends the call with `JFAI_ERR_CANCELLED`. It may call any
/// function.
pub type jfai_save_progress_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, bytes: u64, total: u64, bytes_per_second: f64) -> c_int>;

/// How a video is saved. What is not set has its default.
#[derive(Default, Clone)]
pub struct jfai_save_options {
    pub(crate) values: OptionValues,
    pub(crate) progress: Progress,
}

impl jfai_save_options {
    pub(crate) fn set(&mut self, option: &'static str, function: &'static str, value: impl Into<Value>) {
        self.values.set(option, function, value);
    }
}

/// The callback, when there is one.
#[derive(Default, Clone, Copy)]
pub(crate) struct Progress(Option<(unsafe extern "C" fn(*mut c_void, u64, u64, f64) -> c_int, UserData)>);

impl Progress {
    /// Calls it; false when the call is to end.
    pub(crate) fn call(self, progress: SaveProgress) -> bool {
        let Some((callback, user)) = self.0 else { return true };
        // SAFETY: the header asks for a function that may be called until the call has ended.
        unsafe { callback(user.0, progress.bytes, progress.total.unwrap_or(0), progress.rate) == 0 }
    }
}

/// The save as a call with progress. Options that cannot be are refused here, before anything is sent.
pub(crate) fn save_call(
    video: &Video,
    path: PathBuf,
    options: &jfai_save_options,
    token: CancelToken,
) -> Outcome<ProgressCall<Summary, SaveProgress>> {
    let save = video.save(path).options_json(options.values.json()).map_err(|error| options.values.named(error))?;
    let (video, watched) = (video.clone(), options.progress.0.is_some());
    let context = CallContext::task(video.task_id());
    Ok(ProgressCall::new(vec![token], &context, move |own, events| async move {
        let save = if watched { save.on_progress(move |progress| events.push(*progress)) } else { save };
        cancellable(&own, video.task_id(), save.into_future()).await
    }))
}

/// The result of a save.
pub struct jfai_summary {
    summary: Summary,
    path: OwnedCStr,
    sha256: OwnedCStr,
}

impl jfai_summary {
    pub(crate) fn new(summary: Summary) -> Box<Self> {
        let path = OwnedCStr::path(&summary.path);
        let sha256 = OwnedCStr::maybe(summary.sha256.as_deref());
        Box::new(Self { summary, path, sha256 })
    }
}

/// Saves a video as a file. The bytes go to `NAME.part`; the final file name appears only after the download is complete,
/// verified and on the disk. A save that ended early is resumed by the next. `options` and `cancel` may be NULL; `out` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_save(
    video: Option<&jfai_video>,
    file: *const c_char,
    options: Option<&jfai_save_options>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_summary>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_video::id_of(video) => {
        let (video, runtime) = &need(video, "video")?.held();
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        let defaults = jfai_save_options::default();
        let options = options.unwrap_or(&defaults);
        let call = save_call(video, file, options, token(cancel))?;
        // The callback may free the options.
        let progress = options.progress;
        CallContext::task(video.task_id()).guard(|| {
            let summary = runtime.run_with_progress(call, |p| progress.call(p))?;
            if let Some(out) = out {
                out.write(jfai_summary::new(summary));
            }
            Ok(())
        })
    })
}

/// Judges where a video that does not exist yet shall be saved, and how: call it before jfai_generate(), which is paid for. It sends
/// nothing and leaves nothing behind. An answer for this moment: the disk may be full when the video is there. `options` may be
/// NULL; their progress callback is not called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_check_save(
    client: Option<&jfai_client>,
    file: *const c_char,
    options: Option<&jfai_save_options>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let runtime = jfai_client::runtime(client)?;
        runtime.check()?;
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        let defaults = jfai_save_options::default();
        let options = options.unwrap_or(&defaults);
        let judged = runtime.client().videos().check_save(file, options.values.json());
        judged.map_err(|error| options.values.named(error))
    })
}

/// Makes options that are all at their defaults.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_new(
    out: Option<&mut MaybeUninit<Box<jfai_save_options>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(out, "out")?.write(Box::default());
        Ok(())
    })
}

/// Frees options. NULL is ignored. A call that was started with them does not need them any more.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_free(options: Option<Box<jfai_save_options>>) {
    guard_or!(() => drop(options));
}

/// Sets the maximum number of bytes per second, at least 1. Default: no limit. 0 is refused by the call that gets these options.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_set_rate_limit(
    options: Option<&mut jfai_save_options>,
    bytes_per_second: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("rate_limit", "jfai_save_options_set_rate_limit", bytes_per_second);
        Ok(())
    })
}

/// Sets the progress callback; NULL for none. `user` is passed to it as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_save_options_set_progress(
    options: Option<&mut jfai_save_options>,
    progress: jfai_save_progress_fn,
    user: *mut c_void,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.progress = Progress(progress.map(|progress| (progress, UserData(user))));
        Ok(())
    })
}

/// Where the file is.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_path(summary: Option<&jfai_summary>) -> *const c_char {
    guard_or!(ptr::null() => summary.map_or(ptr::null(), |summary| summary.path.pointer()))
}

/// Its length.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_bytes(summary: Option<&jfai_summary>) -> u64 {
    guard_or!(0 => summary.map_or(0, |summary| summary.summary.bytes))
}

/// The duration in milliseconds, as the file says; -1 when it was not checked or does not say.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_duration_ms(summary: Option<&jfai_summary>) -> i64 {
    guard_or!(-1 => summary.and_then(|summary| summary.summary.duration).map_or(-1, to_milliseconds))
}

/// The width in pixels, as the file says; 0 when it was not checked or does not say.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_width(summary: Option<&jfai_summary>) -> u32 {
    guard_or!(0 => summary.and_then(|summary| summary.summary.width).unwrap_or(0))
}

/// The height in pixels, as the file says; 0 when it was not checked or does not say.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_height(summary: Option<&jfai_summary>) -> u32 {
    guard_or!(0 => summary.and_then(|summary| summary.summary.height).unwrap_or(0))
}

/// True when the download was resumed: after a lost connection, or from what an earlier call left.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_resumed(summary: Option<&jfai_summary>) -> bool {
    guard_or!(false => summary.is_some_and(|summary| summary.summary.resumed))
}

/// How many requests were sent for it.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_attempts(summary: Option<&jfai_summary>) -> u32 {
    guard_or!(0 => summary.map_or(0, |summary| summary.summary.attempts))
}

/// How long the call took, in milliseconds.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_elapsed_ms(summary: Option<&jfai_summary>) -> i64 {
    guard_or!(0 => summary.map_or(0, |summary| to_milliseconds(summary.summary.elapsed)))
}

/// The SHA-256 in hexadecimal, or NULL when it was not computed.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_sha256(summary: Option<&jfai_summary>) -> *const c_char {
    guard_or!(ptr::null() => summary.map_or(ptr::null(), |summary| summary.sha256.pointer()))
}

/// What the task cost, in the server's units (500000 = 1 USD), where a response or the journal said it; else -1.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_charged_units(summary: Option<&jfai_summary>) -> i64 {
    guard_or!(-1 => summary.and_then(|summary| summary.summary.charged_units).and_then(|units| i64::try_from(units).ok()).unwrap_or(-1))
}

/// Frees a summary. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_summary_free(summary: Option<Box<jfai_summary>>) {
    guard_or!(() => drop(summary));
}
