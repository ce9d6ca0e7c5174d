//! The library's log, for a callback of the caller.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::fmt::{self, Write as _};
use std::mem::MaybeUninit;
use std::sync::{PoisonError, RwLock};

use junfeiai::fork::PerProcess;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::callback::UserData;
use crate::error_handle::jfai_error;
use crate::failure::Failure;
use crate::guard::guard;
use crate::owned_c_str::owned;
use crate::status::jfai_status;

/// Something is wrong.
pub const JFAI_LOG_ERROR: i32 = 1;
/// Advice that a request does not follow, and the like.
pub const JFAI_LOG_WARN: i32 = 2;
/// Tasks created, videos saved.
pub const JFAI_LOG_INFO: i32 = 3;
/// Every request.
pub const JFAI_LOG_DEBUG: i32 = 4;
/// Everything.
pub const JFAI_LOG_TRACE: i32 = 5;

/// Log callback: called with a `JFAI_LOG_…` level and one line, which is borrowed. No line has the API key. It is called on
/// whichever thread works, possibly on several at a time, and must not call the library.
pub type jfai_log_fn = Option<unsafe extern "C" fn(user: *mut c_void, level: i32, line: *const c_char)>;

#[derive(Clone, Copy)]
struct Target {
    callback: unsafe extern "C" fn(*mut c_void, i32, *const c_char),
    user: UserData,
    level: i32,
}

/// Locked while the callback is called, so of each process its own.
static TARGET: PerProcess<RwLock<Option<Target>>> = PerProcess::new();
/// What a child of `fork()` begins with. Locked for a moment only; a fork in just that moment begins with none.
static LATEST: RwLock<Option<Target>> = RwLock::new(None);

fn target() -> &'static RwLock<Option<Target>> {
    TARGET.get_or_init(|| RwLock::new(LATEST.try_read().ok().and_then(|latest| *latest)))
}

thread_local! {
    /// True while this thread is inside the callback: what it causes is not logged again.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Sets the log callback of every client of this process, up to this `JFAI_LOG_…` level; NULL for none. After this returned, the
/// previous one is no longer called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_set_log(
    callback: jfai_log_fn,
    user: *mut c_void,
    level: i32,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        if !(JFAI_LOG_ERROR..=JFAI_LOG_TRACE).contains(&level) {
            return Err(Failure::Argument(format!("level is {level}, not a JFAI_LOG_ number")));
        }
        if IN_CALLBACK.get() {
            return Err(Failure::Argument("the log cannot be set from its own callback".to_owned()));
        }
        // Only the first call succeeds: there is one for the process, and it stays.
        let _ = tracing::subscriber::set_global_default(LogSubscriber);
        let target = callback.map(|callback| Target { callback, user: UserData(user), level });
        let mut current = self::target().write().unwrap_or_else(PoisonError::into_inner);
        *current = target;
        if let Ok(mut latest) = LATEST.try_write() {
            *latest = target;
        }
        Ok(())
    })
}

struct LogSubscriber;

fn number(level: Level) -> i32 {
    match level {
        Level::ERROR => JFAI_LOG_ERROR,
        Level::WARN => JFAI_LOG_WARN,
        Level::INFO => JFAI_LOG_INFO,
        Level::DEBUG => JFAI_LOG_DEBUG,
        Level::TRACE => JFAI_LOG_TRACE,
    }
}

impl Subscriber for LogSubscriber {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        // The level may change at any time.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Other crates' events may show what is not theirs to show.
        metadata.is_event()
            && metadata.target().starts_with("junfeiai")
            && !IN_CALLBACK.get()
            && target()
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .as_ref()
                .is_some_and(|target| number(*metadata.level()) <= target.level)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = LogLine::default();
        event.record(&mut line);
        let line = owned(&format!("{}{}", line.message, line.fields));
        let target = target().read().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = target.as_ref() {
            IN_CALLBACK.set(true);
            // SAFETY: the header asks for a function that may be called from any thread until it is replaced, which
            // waits for this lock.
            unsafe { (target.callback)(target.user.0, number(*event.metadata().level()), line.as_ptr()) };
            IN_CALLBACK.set(false);
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message, then the fields as `name=value`.
#[derive(Default)]
struct LogLine {
    message: String,
    fields: String,
}

impl Visit for LogLine {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }
}
