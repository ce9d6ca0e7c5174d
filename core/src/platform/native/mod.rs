//! reqwest, tokio's clock, files and locks.

mod file_journal;
mod file_thread;
pub(crate) mod files;
mod http;
pub(crate) mod lock;
pub(crate) mod process;
mod sigpipe;
pub(crate) mod storage;
mod store;
mod timer;
mod tls;

pub use file_journal::FileJournal;
pub use file_thread::serving_others;
pub(crate) use http::is_agreed;
pub use http::{HttpOptions, NativeTransport};
pub use sigpipe::{block_sigpipe, without_sigpipe};
pub(crate) use store::open_journal;
pub use store::open_store;
pub use timer::TokioTimer;
