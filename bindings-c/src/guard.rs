//! The border: a panic or a misuse becomes a status, never more.

use std::any::Any;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

use junfeiai::{CreateTracker, Error, ErrorKind, Phase};

use crate::error::jfai_error;
use crate::status::{OK, jfai_status};

/// Why a function did not do what it was asked to.
pub(crate) enum Failure {
    /// The core says so.
    Core(Error),
    /// The core refuses an option, and this function set it.
    Refused(Error, &'static str),
    /// A call about many ends early, and these tasks of it exist.
    Many(Error, Vec<String>),
    /// An argument cannot be one.
    Argument(String),
    /// The handle was made before a fork.
    Forked,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl Failure {
    /// The failure of a call that creates many, with what exists of them and was not given out.
    pub(crate) fn of_many(self, tracker: &CreateTracker) -> Self {
        match self {
            Self::Core(error) => Self::Many(tracker.stamp(error), tracker.task_ids()),
            failure => failure,
        }
    }
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The place that C gives for an error object; it may be missing.
pub(crate) type ErrorPlace<'a> = Option<&'a mut MaybeUninit<Box<jfai_error>>>;

/// Guards a function that gives a status: `guard!(err => { …; Ok(()) })`.
macro_rules! guard {
    ($err:ident => $body:block) => {
        $crate::guard::status($err, || -> $crate::guard::Outcome { $body })
    };
}

/// Guards a function that cannot fail: `guard_or!(0 => …)` gives 0 when it panics.
macro_rules! guard_or {
    ($default:expr => $body:expr) => {
        $crate::guard::value($default, || $body)
    };
}

pub(crate) use {guard, guard_or};

/// Runs the body of a function of C. Only this function and [`value`] stand between Rust's panics and C's frames.
pub(crate) fn status(place: ErrorPlace<'_>, body: impl FnOnce() -> Outcome) -> jfai_status {
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::Core(internal(panic)),
    };
    let made = catch_unwind(AssertUnwindSafe(|| {
        let error = jfai_error::from(failure);
        let status = error.status();
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

/// What an error that is made on this side of the core has to say of its call.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    /// What the call created, if it creates.
    pub(crate) tracker: CreateTracker,
    /// The task that it was about from the start.
    task_id: Option<String>,
}

impl About {
    /// A call about this task, where it is known.
    pub(crate) fn task(id: Option<&str>) -> Self {
        Self { task_id: id.map(str::to_owned), ..Self::default() }
    }

    /// What a panic of the call becomes.
    pub(crate) fn panicked(&self, panic: Box<dyn Any + Send>) -> Error {
        let error = self.tracker.stamp(internal(panic));
        match &self.task_id {
            Some(id) => error.with_task(id),
            None => error,
        }
    }

    /// Runs what a call does on this side of the core, such as telling progress and making handles: should it panic, the
    /// error says as much as the call's own errors do.
    pub(crate) fn guard<T>(&self, body: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Failure::Core(self.panicked(panic))))
    }
}

/// What a panic becomes.
pub(crate) fn internal(panic: Box<dyn Any + Send>) -> Error {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "an unknown panic".to_owned(),
    };
    // Dropping what was thrown may panic again.
    std::mem::forget(panic);
    Error::new(ErrorKind::Internal, Phase::Config, format!("the library panicked: {text}"))
}

/// The handle, or which argument is NULL.
pub(crate) fn need<T>(argument: Option<T>, name: &str) -> Outcome<T> {
    argument.ok_or_else(|| Failure::Argument(format!("{name} is NULL")))
}

/// Panics. It is in no header and not among the symbols of the shared library; the tests call it in the static one, to
/// see that a panic ends here in the build that is shipped.
#[unsafe(no_mangle)]
#[allow(unreachable_pub)] // C alone reaches it
pub extern "C" fn jfai_test_panic(err: Option<&mut MaybeUninit<Box<jfai_error>>>) -> jfai_status {
    #[allow(clippy::panic)]
    {
        guard!(err => { panic!("on purpose") })
    }
}

// The linker takes the strictest visibility that any object names: hidden keeps the symbol out of the shared library.
#[cfg(target_os = "linux")]
core::arch::global_asm!(".hidden jfai_test_panic");
