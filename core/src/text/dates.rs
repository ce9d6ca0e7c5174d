//! Dates of HTTP headers.

/// An HTTP date in unix seconds.
#[cfg(not(all(feature = "wasm", not(feature = "node"), target_arch = "wasm32")))]
pub(crate) fn http_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}

// A second reader would be 2.4 KB more for a page to load.
#[cfg(all(feature = "wasm", not(feature = "node"), target_arch = "wasm32"))]
pub(crate) use super::engine::http_date;
