//! reqwest, tokio's clock, and files.

mod http;
mod journal;
mod lock;
mod part;
mod process;
mod reader;
mod resume;
mod save;
mod sigpipe;
mod target;
mod timer;
mod tls;

pub(crate) use http::is_agreed;
pub use http::{HttpOptions, NativeTransport};
pub use journal::FileJournal;
pub use save::{Save, SaveProgress, Summary};
pub use sigpipe::{block_sigpipe, without_sigpipe};
pub use timer::TokioTimer;
