//! URLs, endpoints and trust, the key, and the traits of a transport and a clock.

pub mod endpoint;
pub(crate) mod secret;
pub mod transport;
pub(crate) mod url;
