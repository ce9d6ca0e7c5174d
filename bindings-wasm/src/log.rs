//! The core's events for the function that is the option `log` of a client.
//!
//! A module has one subscriber, and each client a function of its own. Events come from futures and streams alone, while they are
//! polled or dropped: timers, sockets and signals only wake them. So each of them is [`Scoped`], and what happens inside belongs to
//! its client. The function is not called in here, in the middle of whatever is locked or borrowed: `ts/node-log.ts` calls it in a
//! microtask.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Once;
use std::task::{Context, Poll};

use futures_util::Stream;
use junfeiai::Result;
use junfeiai::async_compat::BoxStream;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::convert;

#[wasm_bindgen]
extern "C" {
    /// The function of a client: `ts/node-log.ts`.
    pub type JsLog;
    /// The least severe level that is wanted, as a word.
    #[wasm_bindgen(method, getter)]
    fn level(this: &JsLog) -> String;
    /// Whether a log function asks now, or what one has begun.
    #[wasm_bindgen(method, getter, js_name = isCalling)]
    fn is_calling(this: &JsLog) -> bool;
    /// Takes an entry. Calls nothing of the caller's.
    #[wasm_bindgen(method)]
    fn write(this: &JsLog, entry: JsValue);
}

thread_local! {
    /// Whose future or stream is polled or dropped now.
    static CURRENT: RefCell<Log> = const { RefCell::new(Log(None)) };
}

struct Target {
    log: JsLog,
    level: Level,
}

/// Where the events of a client go; nowhere without the option.
#[derive(Clone, Default)]
pub(crate) struct Log(Option<Rc<Target>>);

impl Log {
    pub(crate) fn of(log: JsLog) -> Self {
        static INSTALL: Once = Once::new();
        // Until the first client with a log an event costs one comparison.
        INSTALL.call_once(|| {
            // There is no other subscriber: the module is this library alone.
            let _ = set_global_default(ToClient);
        });
        let level = log.level().parse().unwrap_or(Level::INFO);
        Self(Some(Rc::new(Target { log, level })))
    }

    /// A future of this client.
    pub(crate) fn scoped<T, F: Future<Output = Result<T>>>(&self, future: F) -> Scoped<F> {
        Scoped::new(self, Box::pin(future))
    }

    /// A stream of this client.
    pub(crate) fn stream<T: 'static>(&self, stream: BoxStream<'static, T>) -> BoxStream<'static, T> {
        Box::pin(Scoped::new(self, stream))
    }
}

/// A future or a stream whose events are those of one client, to the end of its drop.
pub(crate) struct Scoped<T: ?Sized> {
    log: Log,
    inner: Option<Pin<Box<T>>>,
}

impl<T: ?Sized> Scoped<T> {
    fn new(log: &Log, inner: Pin<Box<T>>) -> Self {
        // What a log function asks for is not logged: its entries would make it ask again, without end.
        let target = log.0.clone().filter(|target| !target.log.is_calling());
        Self { log: Log(target), inner: Some(inner) }
    }

    fn within<R>(&mut self, work: impl FnOnce(&mut Option<Pin<Box<T>>>) -> R) -> R {
        // Nested where a callback of the caller's drops something of another client.
        let outer = CURRENT.replace(self.log.clone());
        let result = work(&mut self.inner);
        CURRENT.set(outer);
        result
    }
}

impl<F: Future + ?Sized> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.within(|inner| inner.as_mut().map_or(Poll::Pending, |inner| inner.as_mut().poll(cx)))
    }
}

impl<S: Stream + ?Sized> Stream for Scoped<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.within(|inner| inner.as_mut().map_or(Poll::Ready(None), |inner| inner.as_mut().poll_next(cx)))
    }
}

impl<T: ?Sized> Drop for Scoped<T> {
    fn drop(&mut self) {
        self.within(|inner| drop(inner.take()));
    }
}

struct ToClient;

impl Subscriber for ToClient {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Other crates' events may show what is not theirs to show.
        if metadata.target().starts_with("junfeiai") { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_wanted = |target: &Rc<Target>| *metadata.level() <= target.level;
        metadata.is_event() && CURRENT.with_borrow(|log| log.0.as_ref().is_some_and(is_wanted))
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some(target) = CURRENT.with_borrow(|log| log.0.clone()) else { return };
        let mut entry = Entry::default();
        event.record(&mut entry);
        let metadata = event.metadata();
        target.log.write(convert::value(&json!({
            "level": metadata.level().as_str().to_ascii_lowercase(),
            // Without a name of its own an event is called after its place in the source.
            "event": Some(metadata.name()).filter(|name| !name.starts_with("event ")),
            "message": entry.message,
            "fields": entry.fields,
        })));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The message and the other fields of an event.
#[derive(Default)]
struct Entry {
    message: String,
    fields: Map<String, Value>,
}

impl Entry {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    // Whole numbers beyond 2^53, which a server may claim, are rounded: JavaScript has no others.
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value as f64);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value as f64);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field, format!("{value:?}"));
        }
    }
}
