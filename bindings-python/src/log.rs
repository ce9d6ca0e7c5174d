//! `tracing` to `logging.getLogger("junfeiai")`.
//!
//! Events may come from any thread, some of which must not wait for the GIL. So an event becomes a line in a queue, and a
//! thread that holds the GIL anyway hands the lines on: a blocked thread at each tick and at the end of its call, the
//! `gil_thread` for async calls. `logging` is not imported before there is a line for it. The fields of an event are
//! attributes of its record, too.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use junfeiai::fork::PerProcess;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::interpreter::{call_method_waited_for, may_attach, short};
use crate::json::json_to_python;

/// Lines kept until a thread hands them on; the oldest are dropped first.
const MAX_LINES: usize = 10_000;

struct Line {
    level: u8,
    text: String,
    fields: Map<String, Value>,
}

static LINES: PerProcess<Mutex<VecDeque<Line>>> = PerProcess::new();
/// The effective level of the Python logger, by Python's numbers.
static MIN_LEVEL: AtomicU8 = AtomicU8::new(30);
static LOGGER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Takes the events of the core. Called once, when the module is imported.
pub(crate) fn install() {
    // There is no other subscriber: this library is the only one in its shared object.
    let _ = tracing::subscriber::set_global_default(ToQueue);
}

/// Reads the logger's level, so that lines below it are not even formatted.
///
/// # Errors
/// What Python raises meanwhile: Ctrl-C, or what another thread has set for this one.
pub(crate) fn read_level(py: Python<'_>) -> PyResult<()> {
    let level = match logger(py, false)? {
        Some(logger) => call_method_waited_for(logger.bind(py), intern!(py, "getEffectiveLevel"), ())?.extract().ok(),
        None => None,
    };
    MIN_LEVEL.store(level.unwrap_or(30_i64).clamp(0, 255) as u8, Ordering::Relaxed);
    Ok(())
}

/// True when there are lines to hand on.
pub(crate) fn is_waiting() -> bool {
    LINES.get().is_some_and(|lines| !lines.lock().unwrap_or_else(PoisonError::into_inner).is_empty())
}

/// Hands the lines on. An exception of a handler is written as unraisable.
///
/// # Errors
/// What is no `Exception`, such as Ctrl-C while a handler runs. The other lines are left for the next time.
pub(crate) fn drain(py: Python<'_>) -> PyResult<()> {
    let Some(lines) = LINES.get() else { return Ok(()) };
    while is_waiting() {
        let Some(logger) = logger(py, true)? else { return Ok(()) };
        // During shutdown they are left to the thread that ends the interpreter.
        if !may_attach() {
            return Ok(());
        }
        // The lock is not held while Python runs.
        let Some(line) = lines.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { return Ok(()) };
        match hand_on(py, logger, line) {
            Err(error) if error.is_instance_of::<PyException>(py) => short(py, || error.write_unraisable(py, None)),
            result => result?,
        }
    }
    Ok(())
}

/// The same where nobody is to be told of Ctrl-C: in a thread of ours, and at the interpreter's end.
pub(crate) fn drain_quietly(py: Python<'_>) {
    if let Err(error) = drain(py) {
        short(py, || error.write_unraisable(py, None));
    }
}

fn hand_on(py: Python<'_>, logger: &Py<PyAny>, line: Line) -> PyResult<()> {
    let read = || PyResult::Ok((py.import(intern!(py, "junfeiai._log"))?, json_to_python(py, &line.fields.into())?));
    let (module, fields) = short(py, read)?;
    call_method_waited_for(&module, intern!(py, "record"), (logger.bind(py), line.level, line.text, fields))?;
    Ok(())
}

/// The logger, if `logging` is imported already or may be imported now.
///
/// # Errors
/// What is no `Exception`, such as Ctrl-C.
fn logger(py: Python<'_>, import: bool) -> PyResult<Option<&Py<PyAny>>> {
    if let Some(logger) = LOGGER.get(py) {
        return Ok(Some(logger));
    }
    let module = short(py, || {
        if import {
            py.import(intern!(py, "logging")).map(Bound::into_any)
        } else {
            py.import(intern!(py, "sys"))?.getattr(intern!(py, "modules"))?.get_item(intern!(py, "logging"))
        }
    });
    let logger = module.and_then(|module| call_method_waited_for(&module, intern!(py, "getLogger"), ("junfeiai",)));
    match logger {
        Ok(logger) => Ok(Some(LOGGER.get_or_init(py, || logger.unbind()))),
        // It is not there, or another thread is importing it.
        Err(error) if error.is_instance_of::<PyException>(py) => Ok(None),
        Err(error) => Err(error),
    }
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
        // The core's own report of dropped calls is replaced by that of `paid_calls`: once, and with Python's names.
        let wanted = metadata.target().starts_with("junfeiai") && metadata.target() != "junfeiai::calls::tracker";
        if wanted { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && number(*metadata.level()) >= MIN_LEVEL.load(Ordering::Relaxed)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = EventText::default();
        event.record(&mut text);
        let name = event.metadata().name();
        // Without a name of its own an event is called after its place in the source.
        if !name.starts_with("event ") {
            text.fields.insert("event".to_owned(), name.into());
        }
        let (level, fields) = (number(*event.metadata().level()), text.fields);
        let text = text.message + &text.shown;
        let queue = LINES.get_or_init(Mutex::default);
        let mut lines = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(Line { level, text, fields });
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message, then `name=value` for each field; and the fields themselves.
#[derive(Default)]
struct EventText {
    message: String,
    shown: String,
    fields: Map<String, Value>,
}

impl EventText {
    fn add(&mut self, field: &Field, value: impl Into<Value> + std::fmt::Display) {
        let _ = write!(self.shown, " {field}={value}");
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for EventText {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.add(field, format!("{value:?}"));
        }
    }
}
