//! `fetch` and `setTimeout`, as browsers, workers, Node, Deno and Bun have them.

mod fetch;
mod timer;

pub use fetch::FetchTransport;
pub use timer::JsTimer;

pub use crate::text::engine::value_of;
