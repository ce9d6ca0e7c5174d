//! `libjunfeiai`: the JunFeiAI video API for C.
//!
//! Every function converts, calls the core and converts back; nothing is decided here. The conventions are the first
//! page of the README; the header `junfeiai.h` is made from these files by `make header`, comments included.
//!
//! Arrows point down only, and no two files need each other (`tests/layers.py`).
//!
//! ```text
//! handles   client request task video reader wait advance save watch many journal check calls calls_async options log bytes
//!              │   one file for each kind of handle, or for the calls about it
//! calls     client_runtime     a client with what drives its calls; every handle of it holds on to this
//!           async_worker       the library's thread for `…_async`
//!           completion_queue   completions for the caller's own loop
//!           progress_call      a call with its progress, one step after the other
//!           executor           the runtime of one thread, and the process that it belongs to
//!              │
//! border    cancel error setters   what C sees of a token and an error; which function set which option
//!           option_values      what was set, as the core reads it; the setters themselves (`…_setters`) are written from the table
//!           guard              panics and failures become statuses
//!           error_handle       the error object
//!           text               strings and slices, in
//!              │
//! ground    failure call_context callback owned_c_str time task_status status
//! ```
//!
//! Ownership is in the types: `Option<&T>` is a handle that is looked at, `Option<Box<T>>` one that is given away,
//! `Option<&mut MaybeUninit<T>>` a place for an output. What is left of `unsafe` is reading C's strings and arrays and
//! calling its functions; each place says why it is sound.
// The names are C's; the contract of every function is the header's, not a section of each item.
#![allow(non_camel_case_types, clippy::missing_safety_doc)]
// An owned handle that is not used further is freed by being taken.
#![allow(clippy::needless_pass_by_value)]
// The comments are the header's, where Doxygen makes links of function names; a handle is made where it will live.
#![allow(clippy::doc_markdown, clippy::unnecessary_box_returns)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::undocumented_unsafe_blocks)]

mod guard;

mod advance;
mod async_worker;
mod bytes;
mod call_context;
mod callback;
mod calls;
mod calls_async;
mod cancel;
mod check;
mod client;
mod client_runtime;
mod client_setters;
mod completion_queue;
mod error;
mod error_handle;
mod executor;
mod failure;
mod journal;
mod log;
mod many;
mod option_values;
mod options;
mod owned_c_str;
#[cfg(test)]
mod panics;
mod progress_call;
mod reader;
mod reconcile;
mod request;
mod save;
mod save_setters;
mod setters;
mod status;
mod task;
mod task_status;
mod text;
mod time;
mod video;
mod wait;
mod wait_setters;
mod watch;

pub use advance::*;
pub use bytes::*;
pub use calls::*;
pub use calls_async::*;
pub use cancel::*;
pub use check::*;
pub use client::*;
pub use client_setters::*;
pub use completion_queue::*;
pub use error::*;
pub use error_handle::*;
pub use journal::*;
pub use log::*;
pub use many::*;
pub use options::*;
pub use reader::*;
pub use reconcile::*;
pub use request::*;
pub use save::*;
pub use save_setters::*;
pub use status::*;
pub use task::*;
pub use task_status::*;
pub use video::*;
pub use wait::*;
pub use wait_setters::*;
pub use watch::*;
