//! The JunFeiAI video API: creates, waits for and downloads videos safely.
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
//! * **A paid create request is sent at most once** unless it provably was not accepted. When its answer is lost, the error is
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
//! | [`Videos`], [`VideoRequest`] | create, look up, generate many; the request |
//! | [`Task`], [`Wait`] | a paid task: ask, wait, watch |
//! | [`WaitState`], [`Advance`] | a wait that no process has to hold: in job queues and workflow engines |
//! | [`Video`], [`Save`], [`VideoReader`], [`RangeResponse`] | save it, read it here and there, hand it on to a player |
//! | [`Error`], [`ErrorKind`], [`error`] | what went wrong, and what to do next |
//! | [`blocking`] | the same without an async runtime |
//! | [`journal`], [`Pending`] | resuming after a crash |
//! | [`Client::check`] | is everything set up right? |
//!
//! The crate's README is the guide, with tables of options and errors and with recipes. "Service document" is the
//! description of the API at <https://doc.junfeiai.com>; "observed" is what servers do besides.
//!
//! # Features
//!
//! `native` (default): HTTP by reqwest with rustls on tokio, files, journals, system proxies. `blocking` (default): the
//! [`blocking`] client. `wasm`: `fetch` and timers of a browser or Node, for wasm32. `postgres`, `redis`: stores in databases,
//! see [`store`].
//!
//! # How it is built
//!
//! ```text
//! client      Client, Videos, Task, Video: handles, no policy
//! save        a file, or a storage that somebody else brings
//! video       the bytes of a video
//! calls       ask a machine, do the IO, tell the machine
//! platform    reqwest, tokio, files; fetch and timers
//! protocol    machines and codecs: no async, no clock, no sockets
//! model, net  plain data, URLs and trust, the traits of a transport and a clock
//! ```
//!
//! The machines need neither tokio nor reqwest: without the feature `native` they are all that is left, and a custom
//! [`transport::Transport`] and [`transport::Timer`] complete them.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![forbid(unsafe_code)]
// Nothing is `Send` there, and the same code runs where it is.
#![cfg_attr(target_arch = "wasm32", allow(clippy::arc_with_non_send_sync))]

#[cfg(any(
    all(feature = "native", not(any(unix, windows))),
    all(feature = "wasm", target_arch = "wasm32", not(target_os = "unknown")),
))]
compile_error!(
    "junfeiai is for Linux, macOS and Windows with the feature `native` (default), and for wasm32-unknown-unknown with \
     `default-features = false` and the feature `wasm`; elsewhere, build it without features and bring a transport"
);

pub mod async_compat;
mod calls;
mod check;
mod client;
pub mod error;
#[doc(hidden)]
pub mod fork;
#[cfg(feature = "journal")]
pub mod journal;
mod model;
mod net;
pub mod platform;
#[doc(hidden)]
pub mod protocol;
mod save;
mod status;
pub mod storage;
#[cfg(feature = "journal")]
pub mod store;
#[cfg(feature = "journal")]
mod store_journal;
mod text;
mod time;
mod video;

pub use calls::cancel::CancelToken;
pub use calls::config::VERSION;
pub use calls::tracker::CreateTracker;
pub use check::{CheckOptions, CheckReport, EntryCheck};
pub use client::Client;
pub use client::advance::Advance;
#[cfg(feature = "blocking")]
pub use client::blocking;
pub use client::builder::ClientBuilder;
#[cfg(feature = "journal")]
pub use client::pending::{KeyRecord, KeyState, Pending, PendingState};
#[cfg(feature = "journal")]
pub use client::reconcile::{Reconciliation, Settled};
#[cfg(feature = "journal")]
pub use client::spending::Spending;
pub use client::task::{Task, Wait};
pub use client::video::{DEFAULT_MAX_BYTES, Video};
pub use client::videos::Videos;
pub use error::{Error, ErrorKind, ErrorRecord, Phase, Result};
pub use model::{
    Image, ImageType, KNOWN_MODELS, Length, MODEL_IMAGE_VIDEO, MODEL_VIDEO_1_5, Prepared, Snapshot, Validate,
    VideoRequest, Warning, WarningCode,
};
#[cfg(feature = "journal")]
pub use net::secret::AccountAccess;
pub use net::secret::ApiKey;
pub use net::url::{Origin, Url, UrlError};
pub use net::{endpoint, transport};
#[cfg(feature = "native")]
pub use platform::native::{FileJournal, open_store};
pub use protocol::blocks::ReaderOptions;
#[cfg(feature = "journal")]
pub use protocol::reconcile::Verdict;
pub use protocol::{Balance, CheckStep, DownloadPolicy, RetryPolicy, StepStatus, WaitPolicy, WaitState};
#[cfg(feature = "prices")]
pub use protocol::{Certainty, Estimate};
#[cfg(feature = "native")]
pub use save::file::Save;
#[cfg(feature = "native")]
pub use save::meter::SaveProgress;
pub use save::saver::SaveOptions;
#[cfg(feature = "native")]
pub use save::summary::Summary;
pub use status::TaskStatus;
#[cfg(feature = "journal")]
pub use store_journal::StoreJournal;
pub use video::fetch::MemorySink;
pub use video::range_response::RangeResponse;
pub use video::reader::VideoReader;

/// The code of the documents, compiled by the documentation tests of the repository: the suite `core-docs` sets this name. The
/// published package has neither the README above this folder nor the emulator. Translations have the same blocks:
/// tests/docs/run.py.
#[cfg(all(doctest, junfeiai_repository))]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Guide;
    #[doc = include_str!("../../README.md")]
    struct Readme;
}
