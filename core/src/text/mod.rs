//! Codecs of texts: JSON, decimals, dates, the fields of an options object.

pub(crate) mod dates;
#[cfg(feature = "journal")]
pub(crate) mod days;
pub(crate) mod decimal;
#[cfg(all(feature = "wasm", target_arch = "wasm32"))]
pub(crate) mod engine;
pub(crate) mod fields;
pub(crate) mod json;
#[cfg(feature = "journal")]
pub(crate) mod windows_names;
