//! The setters of jfai_client_options.
//!
//! Written from core/options.toml by `make options`; do not edit.

use std::ffi::c_char;
use std::mem::MaybeUninit;

use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::guard;
use crate::options::jfai_client_options;
use crate::status::jfai_status;
use crate::text::{path, text};
use crate::time::seconds;

/// The API key; optional when your reverse proxy adds it. Default: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_api_key(
    options: Option<&mut jfai_client_options>,
    api_key: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let api_key = unsafe { text(api_key, "api_key") }?;
        need(options, "options")?.set("api_key", "jfai_client_options_set_api_key", api_key);
        Ok(())
    })
}

/// The endpoint: `"standard"`, `"china"`, a base URL ending in `/v1`, or a short host alias. Default: `"standard"`.
/// Source: service document §1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_endpoint(
    options: Option<&mut jfai_client_options>,
    endpoint: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let endpoint = unsafe { text(endpoint, "endpoint") }?;
        need(options, "options")?.set("endpoint", "jfai_client_options_set_endpoint", endpoint);
        Ok(())
    })
}

/// A custom domain in place of the documented video host, as scheme and host. Default: none. Source: service document
/// §1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_video_base_url(
    options: Option<&mut jfai_client_options>,
    video_base_url: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let video_base_url = unsafe { text(video_base_url, "video_base_url") }?;
        need(options, "options")?.set("video_base_url", "jfai_client_options_set_video_base_url", video_base_url);
        Ok(())
    })
}

/// Timeout of one query. In milliseconds. Default: 30 000. Zero is refused.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("timeout", "jfai_client_options_set_timeout_ms", seconds(ms));
        Ok(())
    })
}

/// Timeout of a create request: the service can take minutes, and after the timeout the task may still be created and
/// charged. In milliseconds. Default: 180 000. Zero is refused.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_create_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("create_timeout", "jfai_client_options_set_create_timeout_ms", seconds(ms));
        Ok(())
    })
}

/// Timeout of connecting; at most 5 000 with several endpoints. In milliseconds. Default: 10 000. Zero is refused.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_connect_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("connect_timeout", "jfai_client_options_set_connect_timeout_ms", seconds(ms));
        Ok(())
    })
}

/// Maximum time without data during a download. In milliseconds. Default: 30 000. Zero is refused.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_idle_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("idle_timeout", "jfai_client_options_set_idle_timeout_ms", seconds(ms));
        Ok(())
    })
}

/// Delay between polls: starts at this value, backs off to 10 000 or twice the value, whichever is less; at least 5 000
/// except for localhost, at most 24 hours. In milliseconds. Default: 5 000. Zero is refused. Source: service document
/// §5.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_poll_interval_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("poll_interval", "jfai_client_options_set_poll_interval_ms", seconds(ms));
        Ok(())
    })
}

/// Timeout of one wait for a task; `JFAI_FOREVER` for no limit. In milliseconds. Default: 1 800 000.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_wait_timeout_ms(
    options: Option<&mut jfai_client_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("wait_timeout", "jfai_client_options_set_wait_timeout_ms", seconds(ms));
        Ok(())
    })
}

/// Attempts of one call, the first included. A create request is sent again only when it provably was not accepted.
/// Default: 4. 0 is refused.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_max_attempts(
    options: Option<&mut jfai_client_options>,
    max_attempts: u32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("max_attempts", "jfai_client_options_set_max_attempts", max_attempts);
        Ok(())
    })
}

/// Polls that may fail in a row before a wait ends with an error. Default: 20.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_max_poll_errors(
    options: Option<&mut jfai_client_options>,
    max_poll_errors: u32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("max_poll_errors", "jfai_client_options_set_max_poll_errors", max_poll_errors);
        Ok(())
    })
}

/// Concurrent create requests; the others wait. Default: 4. 0 is refused.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_max_in_flight_creates(
    options: Option<&mut jfai_client_options>,
    max_in_flight_creates: u32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("max_in_flight_creates", "jfai_client_options_set_max_in_flight_creates", max_in_flight_creates);
        Ok(())
    })
}

/// Refuses a create request as well if its cost may exceed `max_cost` or `budget`: the server hides its prices, or the
/// key's group is not known and another group would pay more. Otherwise an unknown price is a warning. Default:
/// `false`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_max_cost_strict(
    options: Option<&mut jfai_client_options>,
    yes: bool,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("max_cost_strict", "jfai_client_options_set_max_cost_strict", yes);
        Ok(())
    })
}

/// `Accept-Language`, which decides the language of the server's messages, such as `en` or `zh-CN`. Default: the
/// server's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_language(
    options: Option<&mut jfai_client_options>,
    language: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let language = unsafe { text(language, "language") }?;
        need(options, "options")?.set("language", "jfai_client_options_set_language", language);
        Ok(())
    })
}

/// Your program's name, such as `my-app/1.2`, added to the `User-Agent`. Default: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_user_agent(
    options: Option<&mut jfai_client_options>,
    user_agent: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let user_agent = unsafe { text(user_agent, "user_agent") }?;
        need(options, "options")?.set("user_agent", "jfai_client_options_set_user_agent", user_agent);
        Ok(())
    })
}

/// A file that records paid tasks, so that a later process can resume them; several processes of a machine may share
/// it. For several machines the address of a database: `"postgresql://…"`, `"redis://…"`, `"valkey://…"`. Default:
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_journal(
    options: Option<&mut jfai_client_options>,
    file: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        need(options, "options")?.step("journal", "jfai_client_options_set_journal", move |builder| builder.journal(file.clone()));
        Ok(())
    })
}

/// Keeps prompts in the journal instead of the SHA-256 of the request. Default: `false`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_options_set_journal_prompts(
    options: Option<&mut jfai_client_options>,
    yes: bool,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("journal_prompts", "jfai_client_options_set_journal_prompts", yes);
        Ok(())
    })
}

/// A proxy instead of the one in `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY`; `""` for no proxy. Default: the system's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_proxy(
    options: Option<&mut jfai_client_options>,
    proxy: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let proxy = unsafe { text(proxy, "proxy") }?;
        need(options, "options")?.set("proxy", "jfai_client_options_set_proxy", proxy);
        Ok(())
    })
}

/// Further root certificates as a PEM file, besides the system's and `SSL_CERT_FILE`. Default: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_ca_file(
    options: Option<&mut jfai_client_options>,
    file: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let file = unsafe { path(file, "file") }?;
        need(options, "options")?.step("ca_file", "jfai_client_options_set_ca_file", move |builder| builder.ca_file(file.clone()));
        Ok(())
    })
}

/// The client name in the `User-Agent`. Default: `"c"`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_client_options_set_sdk_name(
    options: Option<&mut jfai_client_options>,
    sdk_name: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let sdk_name = unsafe { text(sdk_name, "sdk_name") }?;
        need(options, "options")?.set("sdk_name", "jfai_client_options_set_sdk_name", sdk_name);
        Ok(())
    })
}
