//! The request for a video.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;

use junfeiai::{Image, Validate, VideoRequest, Warning};

use crate::error_handle::jfai_error;
use crate::failure::{Failure, Outcome, need};
use crate::guard::{guard, guard_or};
use crate::owned_c_str::OwnedCStr;
use crate::setters::Setters;
use crate::status::jfai_status;
use crate::text::{path, slice, text};

/// Refuses what violates the service document; what it only advises against is a warning. The default.
pub const JFAI_VALIDATE_DEFAULT: i32 = 0;
/// Treats warnings as errors.
pub const JFAI_VALIDATE_STRICT: i32 = 1;
/// Sends everything as it is.
pub const JFAI_VALIDATE_OFF: i32 = 2;

/// A request for one video. What is not set has its default.
#[derive(Clone)]
pub struct jfai_request {
    pub(crate) request: VideoRequest,
    pub(crate) setters: Setters,
}

impl jfai_request {
    fn new(request: VideoRequest) -> Self {
        Self { request, setters: Setters::default() }
    }

    /// Notes the function of C that sets this field of the core.
    fn by(&mut self, field: &'static str, function: &'static str) -> &mut Self {
        self.setters.note(field, function);
        self
    }
}

/// Advice that a request does not follow, and other things that the caller should know. Nothing failed.
pub struct jfai_warnings {
    list: Vec<(OwnedCStr, OwnedCStr)>,
}

impl jfai_warnings {
    pub(crate) fn new(warnings: &[Warning]) -> Self {
        Self { list: warnings.iter().map(|w| (OwnedCStr::new(w.code.name()), OwnedCStr::new(&w.message))).collect() }
    }
}

/// Makes a request with this prompt and every default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_new(
    prompt: *const c_char,
    out: Option<&mut MaybeUninit<Box<jfai_request>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        // SAFETY: the header asks for a string or NULL.
        let prompt = unsafe { text(prompt, "prompt") }?;
        let mut request = jfai_request::new(VideoRequest::new(prompt));
        request.by("prompt", "jfai_request_new");
        out.write(Box::new(request));
        Ok(())
    })
}

/// Makes a request from a JSON object with the fields `model`, `prompt`, `seconds`, `size`, `image`, `images`, `extra`, `validate`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_from_json(
    json: *const c_char,
    out: Option<&mut MaybeUninit<Box<jfai_request>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        // SAFETY: the header asks for a string or NULL.
        let value = unsafe { json_of(json, "json") }?;
        out.write(Box::new(jfai_request::new(VideoRequest::from_json(value)?)));
        Ok(())
    })
}

/// Frees a request. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_request_free(request: Option<Box<jfai_request>>) {
    guard_or!(() => drop(request));
}

/// Sets the model. Default `"grok-image-video"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_set_model(
    request: Option<&mut jfai_request>,
    model: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        unsafe { text(model, "model") }?.clone_into(&mut need(request, "request")?.by("model", "jfai_request_set_model").request.model);
        Ok(())
    })
}

/// Sets the length in seconds. The known models make whole seconds from 1 to 15; without it the server makes and bills 4 s.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_request_set_seconds(
    request: Option<&mut jfai_request>,
    seconds: f64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("seconds", "jfai_request_set_seconds");
        request.request.seconds = Some(seconds.into());
        Ok(())
    })
}

/// Sets the frame size such as `"1280x720"`: advice to the model, which may use another.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_set_size(
    request: Option<&mut jfai_request>,
    size: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("size", "jfai_request_set_size");
        // SAFETY: the header asks for a string or NULL.
        request.request.size = Some(unsafe { text(size, "size") }?.to_owned());
        Ok(())
    })
}

/// Sets the one image to start from, as a URL that the service fetches. `grok-video-1.5` needs an image.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_set_image_url(
    request: Option<&mut jfai_request>,
    url: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("image", "jfai_request_set_image_url");
        // SAFETY: the header asks for a string or NULL.
        request.request.image = Some(Image::url(unsafe { text(url, "url") }?));
        Ok(())
    })
}

/// Sets the one image to start from, as a PNG, JPEG or WebP file that is read now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_set_image_file(
    request: Option<&mut jfai_request>,
    file: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("image", "jfai_request_set_image_file");
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        request.request.image = Some(Image::file(file)?);
        Ok(())
    })
}

/// Sets the one image to start from, as the bytes of a PNG, JPEG or WebP file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_set_image_bytes(
    request: Option<&mut jfai_request>,
    data: *const u8,
    size: usize,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("image", "jfai_request_set_image_bytes");
        // SAFETY: the header asks for `size` bytes or NULL.
        let data = unsafe { slice(data, size, "data") }?;
        request.request.image = Some(Image::bytes(data)?);
        Ok(())
    })
}

/// Adds a reference image, as a URL that the service fetches. Up to 7, for `grok-image-video`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_add_reference_url(
    request: Option<&mut jfai_request>,
    url: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("images", "jfai_request_add_reference_url");
        // SAFETY: the header asks for a string or NULL.
        request.request.images.push(Image::url(unsafe { text(url, "url") }?));
        Ok(())
    })
}

/// Adds a reference image, as a PNG, JPEG or WebP file that is read now.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_add_reference_file(
    request: Option<&mut jfai_request>,
    file: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("images", "jfai_request_add_reference_file");
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        request.request.images.push(Image::file(file).map_err(|error| error.with_field("images"))?);
        Ok(())
    })
}

/// Adds a reference image, as the bytes of a PNG, JPEG or WebP file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_add_reference_bytes(
    request: Option<&mut jfai_request>,
    data: *const u8,
    size: usize,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("images", "jfai_request_add_reference_bytes");
        // SAFETY: the header asks for `size` bytes or NULL.
        let data = unsafe { slice(data, size, "data") }?;
        request.request.images.push(Image::bytes(data).map_err(|error| error.with_field("images"))?);
        Ok(())
    })
}

/// Adds a further field, passed on to the model as it is; `json` is its value as JSON, such as `"\"16:9\""` or `"3"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_set_extra_json(
    request: Option<&mut jfai_request>,
    name: *const c_char,
    json: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("extra", "jfai_request_set_extra_json");
        // SAFETY: the header asks for strings or NULL.
        let (name, value) = unsafe { (text(name, "name")?, json_of(json, "json")?) };
        request.request.extra.insert(name.to_owned(), value);
        Ok(())
    })
}

/// Sets your own name for the job, 1 to 200 bytes: one task is created per key, whoever asks, however often; a later request
/// with the same key gets the same task. Needs a journal: see jfai_client_options_set_journal().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_request_set_key(
    request: Option<&mut jfai_request>,
    key: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("key", "jfai_request_set_key");
        // SAFETY: the header asks for a string or NULL.
        request.request.key = Some(unsafe { text(key, "key") }?.to_owned());
        Ok(())
    })
}

/// Sets whether another task is created under the key when its task failed.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_request_set_retry_failed(
    request: Option<&mut jfai_request>,
    yes: bool,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?.by("retry_failed", "jfai_request_set_retry_failed");
        request.request.retry_failed = yes;
        Ok(())
    })
}

/// Sets how strictly the request is checked before it is sent: `JFAI_VALIDATE_…`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_request_set_validate(
    request: Option<&mut jfai_request>,
    validate: i32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let request = need(request, "request")?;
        request.request.validate = match validate {
            JFAI_VALIDATE_DEFAULT => Validate::Default,
            JFAI_VALIDATE_STRICT => Validate::Strict,
            JFAI_VALIDATE_OFF => Validate::Off,
            other => return Err(Failure::Argument(format!("validate is {other}, not a JFAI_VALIDATE_ number"))),
        };
        Ok(())
    })
}

/// Checks a request as jfai_create() does, without sending it. `out` (may be NULL) gets the warnings, for jfai_warnings_free().
#[unsafe(no_mangle)]
pub extern "C" fn jfai_request_check(
    request: Option<&jfai_request>,
    out: Option<&mut MaybeUninit<Box<jfai_warnings>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let jfai_request { request, setters } = need(request, "request")?;
        let prepared = request.prepare().map_err(|error| setters.named(error.into()))?;
        if let Some(out) = out {
            out.write(Box::new(jfai_warnings::new(&prepared.warnings)));
        }
        Ok(())
    })
}

/// How many warnings there are. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_warnings_count(warnings: Option<&jfai_warnings>) -> usize {
    guard_or!(0 => warnings.map_or(0, |warnings| warnings.list.len()))
}

/// The stable name of a warning, such as `"unusual_length"`; NULL past the end.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_warnings_code(warnings: Option<&jfai_warnings>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => {
        warnings.and_then(|warnings| warnings.list.get(index)).map_or(ptr::null(), |(code, _)| code.pointer())
    })
}

/// A warning as one line of text; NULL past the end.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_warnings_message(warnings: Option<&jfai_warnings>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => {
        warnings.and_then(|warnings| warnings.list.get(index)).map_or(ptr::null(), |(_, message)| message.pointer())
    })
}

/// Frees warnings that jfai_request_check() gave; not those of a task, which belong to it. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_warnings_free(warnings: Option<Box<jfai_warnings>>) {
    guard_or!(() => drop(warnings));
}

/// # Safety
/// As for [`text`].
unsafe fn json_of(pointer: *const c_char, name: &str) -> Outcome<serde_json::Value> {
    // SAFETY: the caller promises what `text` asks for.
    let json = unsafe { text(pointer, name) }?;
    serde_json::from_str(json).map_err(|error| Failure::Argument(format!("{name} is not JSON: {error}")))
}
