//! The border: a panic or a misuse becomes a status and an error object, never more.

use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use junfeiai::ErrorKind;

use crate::call_context::internal;
use crate::error_handle::jfai_error;
use crate::failure::{Failure, Outcome};
use crate::status::{OK, jfai_status};

/// The place that C gives for an error object; it may be missing.
pub(crate) type ErrorPlace<'a> = Option<&'a mut MaybeUninit<Box<jfai_error>>>;

/// Guards a function that gives a status: `guard!(err => { …; Ok(()) })`. One about a task gives the id, where it is known:
/// `guard!(err, about id => { …; Ok(()) })`. Every failure of it has the id, a NULL and a fork, too.
macro_rules! guard {
    ($err:ident => $body:block) => {
        $crate::guard::status($err, None, || -> $crate::failure::Outcome { $body })
    };
    ($err:ident, about $task:expr => $body:block) => {
        $crate::guard::status($err, $task, || -> $crate::failure::Outcome { $body })
    };
}

/// Guards a function that cannot fail: `guard_or!(0 => …)` gives 0 when it panics.
macro_rules! guard_or {
    ($default:expr => $body:expr) => {
        $crate::guard::value($default, || $body)
    };
}

pub(crate) use {guard, guard_or};

/// Runs the body of a function of C, which is about this task. Only this function and [`value`] stand between Rust's panics and
/// C's frames. The id is a copy: a callback may free the handle that has it.
pub(crate) fn status(place: ErrorPlace<'_>, task: Option<String>, body: impl FnOnce() -> Outcome) -> jfai_status {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::Core(internal(panic)),
    };
    let failure = match task {
        Some(id) => failure.about(&id),
        None => failure,
    };
    let made = catch_unwind(AssertUnwindSafe(|| {
        let error = jfai_error::from(failure);
        let status = error.status;
        if let Some(place) = place {
            place.write(Box::new(error));
        }
        status
    }));
    made.unwrap_or_else(|_| i32::from(ErrorKind::Internal.number()))
}

/// Runs the body of a function that cannot fail.
pub(crate) fn value<T>(default: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(default)
}

/// Panics. No build that is shipped has it: it is there with the feature `test-panic`, by which the tests build the shipped
/// profile once more, to see that a panic ends here.
#[cfg(feature = "test-panic")]
#[unsafe(no_mangle)]
#[allow(unreachable_pub)] // C alone reaches it
pub extern "C" fn jfai_test_panic(err: Option<&mut MaybeUninit<Box<jfai_error>>>) -> jfai_status {
    #[allow(clippy::panic)]
    {
        guard!(err => { panic!("on purpose") })
    }
}
