//! URLs, endpoints and trust, the key, headers of the caller's own, and the traits of a transport and a clock.

pub(crate) mod custom_headers;
pub mod endpoint;
pub(crate) mod secret;
pub mod transport;
pub(crate) mod url;
