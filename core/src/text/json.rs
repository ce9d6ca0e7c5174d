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
    serde_json::from_slice(text).ok().or_else(|| serde_json::from_slice(&without_halves(text)?).ok())
}

/// The text with U+FFFD in place of every half of a character that is written as an escape of its own (`\ud83c`), as it is read in a
/// page: who cuts a text in the middle of an emoji writes that, and with it nothing else of the answer could be read. `None` when there is
/// none.
#[cfg(not(all(feature = "wasm", not(feature = "node"), target_arch = "wasm32")))]
fn without_halves(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut found = false;
    while let Some(byte) = text.first() {
        let (length, is_half) = match escaped_unit(text) {
            Some(0xD800..=0xDBFF) => match text.get(6..).and_then(escaped_unit) {
                Some(0xDC00..=0xDFFF) => (12, false),
                _ => (6, true),
            },
            Some(0xDC00..=0xDFFF) => (6, true),
            Some(_) => (6, false),
            None if *byte == b'\\' => (2, false),
            None => (1, false),
        };
        let (token, rest) = text.split_at_checked(length)?;
        let token: &[u8] = if is_half { b"\\ufffd" } else { token };
        out.extend_from_slice(token);
        found |= is_half;
        text = rest;
    }
    found.then_some(out)
}

/// The UTF-16 unit that the text begins with as an escape.
#[cfg(not(all(feature = "wasm", not(feature = "node"), target_arch = "wasm32")))]
fn escaped_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
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
    fn half_a_character_does_not_spoil_the_rest() {
        for (text, read) in [
            (r#"{"a":"cut \ud83c","id":1}"#, "cut \u{fffd}"),
            (r#"{"a":"\udf88\ud83c\uD83C\uDF88","id":1}"#, "\u{fffd}\u{fffd}\u{1f388}"),
            (r#"{"a":"\ud83c\\udf88\\ud83c \u00e9\"","id":1}"#, "\u{fffd}\\udf88\\ud83c \u{e9}\""),
            (r#"{"a":"\ud83c\n","id":1}"#, "\u{fffd}\n"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::json!({"a": read, "id": 1}), "{text}");
        }
        for text in [r#"{"a":"\ud83c"#, r#"{"a":"\ud83c\"#, r#"{"a":"\ud83c\ud8"}"#, r#"{"a":"\ud83c","#] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let value = serde_json::json!({"a": [1, 2.5, null, true, "\u{1f388}\n"], "b": {}});
        assert_eq!(parse(write(&value).as_bytes()).unwrap(), value);
    }
}
