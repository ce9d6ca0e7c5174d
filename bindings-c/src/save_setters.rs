//! The setters of jfai_save_options.
//!
//! Written from core/options.toml by `make options`; do not edit.

use std::mem::MaybeUninit;

use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::guard;
use crate::save::jfai_save_options;
use crate::status::jfai_status;
use crate::time::seconds;

/// Connections used at once, 1–16; more than one helps where each connection is slow. Default: 1. Other numbers are
/// refused.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_set_connections(
    options: Option<&mut jfai_save_options>,
    connections: u32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("connections", "jfai_save_options_set_connections", connections);
        Ok(())
    })
}

/// Replaces an existing file; otherwise it is an error. Default: `false`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_set_overwrite(
    options: Option<&mut jfai_save_options>,
    yes: bool,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("overwrite", "jfai_save_options_set_overwrite", yes);
        Ok(())
    })
}

/// Creates missing folders; otherwise it is an error. Default: `false`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_set_create_parents(
    options: Option<&mut jfai_save_options>,
    yes: bool,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("create_parents", "jfai_save_options_set_create_parents", yes);
        Ok(())
    })
}

/// Computes the SHA-256 of the file. Default: `false`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_set_sha256(
    options: Option<&mut jfai_save_options>,
    yes: bool,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("sha256", "jfai_save_options_set_sha256", yes);
        Ok(())
    })
}

/// Checks that every sample of the MP4 is present; if off, bytes that an earlier check refused are used without another
/// request. Default: `true`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_set_verify(
    options: Option<&mut jfai_save_options>,
    yes: bool,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("verify", "jfai_save_options_set_verify", yes);
        Ok(())
    })
}

/// Timeout of the whole save. In milliseconds. Default: none. Zero is refused.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_save_options_set_timeout_ms(
    options: Option<&mut jfai_save_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("timeout", "jfai_save_options_set_timeout_ms", seconds(ms));
        Ok(())
    })
}
