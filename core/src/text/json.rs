//! JSON texts. The engine of a page has a reader of its own; another one would only have to be loaded there. In Node nothing is
//! loaded, and handing over an answer value by value would cost more than reading it.

use serde_json::{Number, Value};

/// Reads a text; `None` when it is not JSON, or nested deeper than 128 levels. A byte order mark in front is passed over:
/// servers have been seen to write one (observed).
pub(crate) fn parse(text: &[u8]) -> Option<Value> {
    read(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text))
}

#[cfg(not(all(feature = "wasm", not(feature = "node"), target_arch = "wasm32")))]
fn read(text: &[u8]) -> Option<Value> {
    serde_json::from_slice(text).ok()
}

#[cfg(all(feature = "wasm", not(feature = "node"), target_arch = "wasm32"))]
use super::engine::parse as read;

/// A number that was read from this text, with all of its digits: of very many, reading has rounded the last ones away.
#[cfg(not(all(feature = "wasm", not(feature = "node"), target_arch = "wasm32")))]
pub(crate) fn as_written(number: &Number, text: &[u8]) -> String {
    let digits = || {
        let runs = text.split(|byte| !byte.is_ascii_digit()).filter_map(|digits| std::str::from_utf8(digits).ok());
        runs.filter(|digits| digits.len() > 15).find(|digits| digits.parse().ok() == number.as_f64())
    };
    let digits = if number.is_f64() { digits() } else { None };
    digits.map_or_else(|| number.to_string(), str::to_owned)
}

/// A number that was read from this text. One of very many digits was read as a string.
#[cfg(all(feature = "wasm", not(feature = "node"), target_arch = "wasm32"))]
pub(crate) fn as_written(number: &Number, _: &[u8]) -> String {
    number.to_string()
}

/// Writes a value as one line.
pub(crate) fn write(value: &Value) -> String {
    // Not by `Display`, which carries the writer a second time.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn deep_nesting_is_refused() {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(127).as_bytes()).is_some());
        assert!(parse(nested(129).as_bytes()).is_none());
        assert!(parse(nested(1_000_000).as_bytes()).is_none());
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(parse("\u{feff}{}".as_bytes()).unwrap(), serde_json::json!({}));
        assert!(parse("\u{feff}\u{feff}{}".as_bytes()).is_none());
    }

    #[test]
    fn what_was_written_is_read() {
        let value = serde_json::json!({"a": [1, 2.5, null, true, "\u{1f388}\n"], "b": {}});
        assert_eq!(parse(write(&value).as_bytes()).unwrap(), value);
    }
}
