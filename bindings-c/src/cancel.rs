//! A way to stop a call from another thread.

use std::mem::MaybeUninit;

use junfeiai::CancelToken;

use crate::error::jfai_error;
use crate::guard::{guard, guard_or, need};
use crate::status::jfai_status;

/// Stops calls from any thread. A paid task is never cancelled, only the call that waits for it or reads it.
pub struct jfai_cancel {
    pub(crate) token: CancelToken,
}

/// Makes a token; it may be given to any number of calls.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_cancel_new(
    out: Option<&mut MaybeUninit<Box<jfai_cancel>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        need(out, "out")?.write(Box::new(jfai_cancel { token: CancelToken::new() }));
        Ok(())
    })
}

/// Ends every call that has this token, now and later, with `JFAI_ERR_CANCELLED`. From any thread; NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_cancel_now(cancel: Option<&jfai_cancel>) {
    guard_or!(() => if let Some(cancel) = cancel { cancel.token.cancel() });
}

/// True after jfai_cancel_now().
#[unsafe(no_mangle)]
pub extern "C" fn jfai_cancel_is_cancelled(cancel: Option<&jfai_cancel>) -> bool {
    guard_or!(false => cancel.is_some_and(|cancel| cancel.token.is_cancelled()))
}

/// Frees a token. NULL is ignored. Calls that have it go on and cannot be cancelled any more.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_cancel_free(cancel: Option<Box<jfai_cancel>>) {
    guard_or!(() => drop(cancel));
}
