//! Plain data: what is asked for, and what comes back.

mod image;
mod request;
mod task;
mod validate;

pub use image::{Image, ImageType};
pub use request::{KNOWN_MODELS, Length, MODEL_IMAGE_VIDEO, MODEL_VIDEO_1_5, Validate, VideoRequest};
pub use task::Snapshot;
pub(crate) use task::{Earlier, SavedFile};
pub use validate::{Prepared, Warning, WarningCode};
