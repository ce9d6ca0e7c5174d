//! reqwest, tokio's clock, and files.

mod http;
mod part;
mod reader;
mod save;
mod timer;
mod tls;

pub use http::{HttpOptions, NativeTransport};
pub use save::{Save, SaveProgress, Summary};
pub use timer::TokioTimer;
