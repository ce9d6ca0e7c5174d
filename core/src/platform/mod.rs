//! Adapters to the places where the core runs: they carry out what others decide.

#[cfg(feature = "native")]
pub mod native;
#[cfg(all(feature = "wasm", target_arch = "wasm32"))]
pub mod wasm;
