//! `tracing` to `logging.getLogger("junfeiai")`.
//!
//! Events may come from any thread, some of which must not wait for the GIL. So an event is a line in a queue, and whoever
//! is attached anyway hands the lines on: a waiting thread at each tick and at the end of its call, the courier for async
//! calls. `logging` is not imported before there is a line for it.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use junfeiai::fork::PerProcess;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::interpreter::{call_method_waited_for, may_attach, short};

/// Lines kept while nobody is attached; the oldest go first.
const MOST_LINES: usize = 10_000;

struct Line {
    level: u8,
    text: String,
}

static LINES: PerProcess<Mutex<VecDeque<Line>>> = PerProcess::new();
/// The least level that the Python logger wants, by Python's numbers.
static LEAST: AtomicU8 = AtomicU8::new(30);
static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Takes the events of the core. Called once, when the module is imported.
pub(crate) fn install() {
    // Another subscriber cannot be there: this library is the only one in its shared object.
    let _ = tracing::subscriber::set_global_default(ToQueue);
}

/// Reads the logger's level, so that what nobody wants is not even written down.
pub(crate) fn look_at_level(py: Python<'_>) {
    let level = logger(py, false).and_then(|logger| {
        let level = call_method_waited_for(logger.bind(py), intern!(py, "getEffectiveLevel"), ()).ok()?;
        level.extract::<i64>().ok()
    });
    LEAST.store(level.unwrap_or(30).clamp(0, 255) as u8, Ordering::Relaxed);
}

/// True when there are lines to hand on.
pub(crate) fn is_waiting() -> bool {
    LINES.get().is_some_and(|lines| !lines.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
}

/// Hands the lines on. What a handler raises is its own affair.
pub(crate) fn drain(py: Python<'_>) {
    let Some(lines) = LINES.get() else { return };
    while is_waiting() {
        let Some(logger) = logger(py, true) else { return };
        // Once the interpreter ends they are left to the thread that ends it.
        if !may_attach() {
            return;
        }
        // The lock is not held while Python runs.
        let Some(line) = lines.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { return };
        let arguments = (line.level, intern!(py, "%s"), line.text);
        if let Err(error) = call_method_waited_for(logger.bind(py), intern!(py, "log"), arguments) {
            short(py, || error.write_unraisable(py, None));
        }
    }
}

/// The logger, where `logging` is imported already or may be now.
fn logger(py: Python<'_>, import: bool) -> Option<&Py<PyAny>> {
    if let Some(logger) = LOGGER.get(py) {
        return Some(logger);
    }
    let module = if import {
        short(py, || py.import(intern!(py, "logging"))).ok()?.into_any()
    } else {
        short(py, || py.import(intern!(py, "sys"))).ok()?.getattr("modules").ok()?.get_item("logging").ok()?
    };
    let logger = call_method_waited_for(&module, intern!(py, "getLogger"), ("junfeiai",)).ok()?.unbind();
    Some(LOGGER.get_or_init(py, || logger))
}

struct ToQueue;

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

impl Subscriber for ToQueue {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // What a dropped call leaves behind is told by `paid`: once, and with Python's names.
        let wanted = metadata.target().starts_with("junfeiai") && metadata.target() != "junfeiai::calls::tracker";
        if wanted { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && number(*metadata.level()) >= LEAST.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let text = words.message + &words.fields;
        let queue = LINES.get_or_init(Mutex::default);
        let mut lines = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= MOST_LINES {
            lines.pop_front();
        }
        lines.push_back(Line { level: number(*event.metadata().level()), text });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message, then `name=value` for each field.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.fields, " {field}={value}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {field}={value:?}")
        };
    }
}
