//! The bytes of a video: read once through, here and there, or as the answer to a player.

pub(crate) mod fetch;
pub(crate) mod range_response;
pub(crate) mod reader;
#[cfg(feature = "native")]
mod reader_io;
