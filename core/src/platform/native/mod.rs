//! reqwest, tokio's clock, and files.

mod http;
mod journal;
mod lock;
mod part;
mod per_process;
mod process;
mod reader;
mod resume;
mod save;
mod target;
mod timer;
mod tls;

pub use http::{HttpOptions, NativeTransport};
pub use journal::FileJournal;
pub use per_process::PerProcess;
pub use save::{Save, SaveProgress, Summary};
pub use timer::TokioTimer;
