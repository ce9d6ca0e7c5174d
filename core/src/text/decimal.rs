//! Numbers in texts, read and written by way of the JSON library: the standard library's own reader and writer of
//! floating-point numbers bring tables of 12 KB that do not compress, which a page would have to load.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::text::json;

/// Reads a plain decimal number such as `6`, `06` or `6.50`: digits, and digits around one point.
pub(crate) fn read(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit());
    if !plain {
        return None;
    }
    // JSON has no leading zeros.
    let zeros = text.bytes().take_while(|b| *b == b'0').count();
    let rest = text.get(zeros..)?;
    let needs_zero = !rest.starts_with(|c: char| c.is_ascii_digit());
    let text = if needs_zero { text.get(zeros.checked_sub(1)?..)? } else { rest };
    json::parse(text.as_bytes())?.as_f64().filter(|number| number.is_finite())
}

/// A number for people and for the wire: `6`, `6.5`.
pub(crate) struct Decimal(pub(crate) f64);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_nan() {
            return f.write_str("NaN");
        }
        if self.0.is_infinite() {
            return f.write_str(if self.0 > 0.0 { "inf" } else { "-inf" });
        }
        let text = json::write(&Value::from(self.0));
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

/// A duration in seconds for people: `30`, `0.25`.
pub(crate) struct Seconds(pub(crate) Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs())?;
        match self.0.subsec_nanos() {
            0 => Ok(()),
            nanos => {
                let text = format!("{nanos:09}");
                write!(f, ".{}", text.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_read() {
        for (text, number) in [
            ("6", Some(6.0)),
            ("06", Some(6.0)),
            ("6.50", Some(6.5)),
            ("0", Some(0.0)),
            ("00", Some(0.0)),
            ("00.5", Some(0.5)),
            ("15.0", Some(15.0)),
            ("123456789012345678901234567890", Some(1.234_567_890_123_456_8e29)),
            ("", None),
            (".", None),
            ("6.", None),
            (".5", None),
            ("6s", None),
            ("-5", None),
            ("1e3", None),
            ("inf", None),
            ("1.2.3", None),
        ] {
            assert_eq!(read(text), number, "{text:?}");
        }
        assert_eq!(read(&"9".repeat(400)), None, "beyond every number");
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for (number, text) in
            [(6.0, "6"), (6.5, "6.5"), (0.1, "0.1"), (-5.0, "-5"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")]
        {
            assert_eq!(Decimal(number).to_string(), text);
            assert_eq!(text, number.to_string());
        }
        for (millis, text) in [(30_000, "30"), (250, "0.25"), (1_001, "1.001"), (0, "0")] {
            assert_eq!(Seconds(Duration::from_millis(millis)).to_string(), text);
        }
    }
}
