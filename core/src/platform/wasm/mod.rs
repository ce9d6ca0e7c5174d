//! `fetch` and `setTimeout`, as browsers, workers, Node, Deno and Bun have them.

mod fetch;
mod json;
mod timer;

pub use fetch::FetchTransport;
pub(crate) use json::parse as parse_json;
pub use json::value_of;
pub use timer::JsTimer;
pub(crate) use timer::http_date;
