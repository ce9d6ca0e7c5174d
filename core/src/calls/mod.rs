//! The one way to the server: a call waits for its turn, is sent, is kept without the key, and is read by a codec.

pub(crate) mod advance;
pub(crate) mod cancel;
pub(crate) mod client_core;
pub(crate) mod config;
pub(crate) mod create;
#[cfg(feature = "journal")]
pub(crate) mod create_log;
#[cfg(any(feature = "node", not(feature = "wasm")))]
pub(crate) mod departure;
#[cfg(not(any(feature = "node", not(feature = "wasm"))))]
#[path = "no_departure.rs"]
pub(crate) mod departure;
#[cfg(not(feature = "journal"))]
mod no_create_log;
mod option_ranges;
#[cfg(feature = "prices")]
pub(crate) mod prices;
pub(crate) mod scheduler;
#[cfg(feature = "journal")]
mod shared_turn;
pub(crate) mod tracker;
