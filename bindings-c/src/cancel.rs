//! A way to stop a call from another thread.

use std::mem::MaybeUninit;

use junfeiai::{CancelToken, Result};

use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::{guard, guard_or};
use crate::status::jfai_status;

/// Stops calls from any thread. A paid task is never cancelled, only the call that waits for it or reads it.
pub struct jfai_cancel {
    pub(crate) token: CancelToken,
}

/// The token of a call: the caller's, or one that nobody cancels.
pub(crate) fn token(cancel: Option<&jfai_cancel>) -> CancelToken {
    cancel.map(|cancel| cancel.token.clone()).unwrap_or_default()
}

/// Cancels for a call that may know its task.
pub(crate) async fn cancellable<T>(
    token: &CancelToken,
    task: Option<&str>,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    match task {
        Some(id) => token.run_for(id, call).await,
        None => token.run(call).await,
    }
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

/// Ends every call that has this token, now and later, with `JFAI_ERR_CANCELLED`. From any thread, but not in a signal handler; NULL
/// is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_cancel_now(cancel: Option<&jfai_cancel>) {
    guard_or!(() => if let Some(cancel) = cancel { cancel.token.cancel() });
}

/// True after jfai_cancel_now().
#[unsafe(no_mangle)]
pub extern "C" fn jfai_cancel_is_cancelled(cancel: Option<&jfai_cancel>) -> bool {
    guard_or!(false => cancel.is_some_and(|cancel| cancel.token.is_cancelled()))
}

/// Frees a token. NULL is ignored. Calls that have it continue and can no longer be cancelled.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_cancel_free(cancel: Option<Box<jfai_cancel>>) {
    guard_or!(() => drop(cancel));
}
