//! The setters of jfai_wait_options.
//!
//! Written from core/options.toml by `make options`; do not edit.

use std::mem::MaybeUninit;

use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::guard;
use crate::status::jfai_status;
use crate::time::seconds;
use crate::wait::jfai_wait_options;

/// Timeout of the wait; `JFAI_FOREVER` for no limit. In milliseconds. Default: the client's.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_options_set_timeout_ms(
    options: Option<&mut jfai_wait_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("timeout", "jfai_wait_options_set_timeout_ms", seconds(ms));
        Ok(())
    })
}

/// Delay between polls: starts at this value, backs off to twice of it or to the client's longest delay; at least 5 000
/// except for localhost, at most 24 hours. In milliseconds. Default: the client's. Zero is refused. Source: service
/// document §5.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_wait_options_set_poll_interval_ms(
    options: Option<&mut jfai_wait_options>,
    ms: u64,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(options, "options")?.set("poll_interval", "jfai_wait_options_set_poll_interval_ms", seconds(ms));
        Ok(())
    })
}
