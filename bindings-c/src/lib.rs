//! `libjunfeiai`: the JunFeiAI video API for C.
//!
//! Every function converts, calls the core and converts back; nothing is decided here. The conventions are the first
//! page of the README; the header `junfeiai.h` is made from these files by `make header`, comments included.
//!
//! ```text
//! guard    panics and misuse become statuses       text     strings and slices, in and out
//! engine   a client with its runtime and process   pump     a call with its progress, one step after the other
//! ops      the library's thread for `…_async`      queue    completions for the caller's own loop
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

mod bytes;
mod calls;
mod calls_async;
mod cancel;
mod check;
mod client;
mod engine;
mod error;
mod journal;
mod log;
mod many;
mod ops;
mod options;
#[cfg(test)]
mod panics;
mod pump;
mod queue;
mod reader;
mod request;
mod save;
mod status;
mod task;
mod text;
mod video;
mod wait;
mod watch;

pub use bytes::*;
pub use calls::*;
pub use calls_async::*;
pub use cancel::*;
pub use check::*;
pub use client::*;
pub use error::*;
pub use journal::*;
pub use log::*;
pub use many::*;
pub use options::*;
pub use queue::*;
pub use reader::*;
pub use request::*;
pub use save::*;
pub use status::*;
pub use task::*;
pub use video::*;
pub use wait::*;
pub use watch::*;
