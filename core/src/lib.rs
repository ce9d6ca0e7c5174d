//! The JunFeiAI video API: create a task once, wait politely, end with a verified MP4.
//!
//! ```no_run
//! use junfeiai::{Client, VideoRequest};
//!
//! # async fn run() -> junfeiai::Result<()> {
//! let client = Client::from_env()?;
//! let task = client.videos().create(VideoRequest::new("A red ball bouncing once").seconds(6)).await?;
//! println!("paid for: {}", task.id()); // enough to come back to it in a later process
//! let video = task.wait().on_progress(|task| println!("{} {:?}", task.status(), task.progress())).await?;
//! let summary = video.save("ball.mp4").await?;
//! println!("{} bytes, {:?}", summary.bytes, summary.duration);
//! # Ok(()) }
//! ```
//!
//! # What it promises
//!
//! * **A paid create is sent at most once** unless it provably was not accepted. When its answer is lost, the error is
//!   [`ErrorKind::CreateOutcomeUnknown`] and says `maybe_executed`.
//! * **A paid task is not lost**: every error after it exists carries its id; with a [`journal`] not even a crash loses
//!   it, see [`Videos::pending`].
//! * **A failed poll is not a failed task**: see [`protocol::WaitMachine`].
//! * **The key goes only where it belongs**: see [`endpoint::Trust`].
//! * **A file has its final name only when it is whole**: see [`Video::save`].
//!
//! # Where to start
//!
//! | | |
//! |---|---|
//! | [`Client`], [`ClientBuilder`] | one for each key; every option |
//! | [`Videos`], [`VideoRequest`] | create, look up, generate many; what is ordered |
//! | [`Task`], [`Wait`] | a paid task: ask, wait, watch |
//! | [`Video`], [`Save`], [`VideoReader`], [`Served`] | save it, read it here and there, hand it on to a player |
//! | [`Error`], [`ErrorKind`], [`error`] | what went wrong, and what to do next |
//! | [`blocking`] | the same without an async runtime |
//! | [`journal`], [`Pending`] | going on after a crash |
//! | [`Client::check`] | is everything set up right? |
//!
//! The crate's README is the guide, with tables of options and errors and with recipes. "Service document" is the
//! description of the API at <https://doc.junfeiai.com>; "observed" is what servers do besides.
//!
//! # Features
//!
//! `native` (default): HTTP by reqwest with rustls on tokio, files, journals, system proxies. `blocking` (default): the
//! [`blocking`] client. `wasm`: `fetch` and timers of a browser or Node, for wasm32.
//!
//! # How it is built
//!
//! ```text
//! Client, Videos, Task, Video      the faces                         async, no policy
//! driver, fetch                    ask the machine, do the IO, tell the machine
//! protocol                         machines and codecs               no async, no clock, no sockets
//! model, error, endpoint, url      plain data
//! ```
//!
//! The machines need neither tokio nor reqwest: without the feature `native` they are all that is left, and an own
//! [`transport::Transport`] and [`transport::Timer`] complete them.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![forbid(unsafe_code)]

#[cfg(feature = "blocking")]
pub mod blocking;
mod cancel;
mod check;
mod client;
mod config;
mod decimal;
mod driver;
pub mod endpoint;
pub mod error;
mod fetch;
mod fields;
mod io_error;
#[cfg(feature = "journal")]
pub mod journal;
mod json;
mod keep;
mod many;
mod model;
#[cfg(not(feature = "journal"))]
mod no_journal;
mod options;
#[cfg(feature = "journal")]
mod pending;
pub mod platform;
pub mod protocol;
mod reader;
mod scheduler;
mod secret;
mod serve;
mod task;
mod tracker;
pub mod transport;
mod url;
mod video;
mod videos;

pub use cancel::CancelToken;
pub use check::{CheckOptions, CheckReport, EntryCheck};
pub use client::{Client, ClientBuilder};
pub use config::VERSION;
pub use error::{Error, ErrorKind, ErrorRecord, Phase, Result};
pub use fetch::MemorySink;
pub use keep::{Keep, Storage};
pub use model::{
    Image, ImageType, KNOWN_MODELS, Length, MODEL_IMAGE_VIDEO, MODEL_VIDEO_1_5, Prepared, Snapshot, TaskStatus,
    Validate, VideoRequest, Warning, WarningCode,
};
#[cfg(feature = "journal")]
pub use pending::{Pending, PendingState};
#[cfg(feature = "native")]
pub use platform::native::{FileJournal, Save, SaveProgress, Summary};
pub use protocol::blocks::ReaderOptions;
pub use protocol::{Balance, CheckStep, StepStatus};
pub use reader::VideoReader;
pub use secret::ApiKey;
pub use serve::Served;
pub use task::{Task, Wait};
pub use tracker::CreateTracker;
pub use url::{Origin, Url, UrlError};
pub use video::{DEFAULT_MAX_BYTES, Video};
pub use videos::Videos;

/// The code of the documents, compiled by the documentation tests. Translations have the same blocks: tests/docs/run.py.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Guide;
    #[doc = include_str!("../../README.md")]
    struct Readme;
}
