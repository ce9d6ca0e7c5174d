//! The engine's own readers of JSON and dates, and plain objects as JSON values.

use js_sys::{Array, Object};
#[cfg(not(feature = "node"))]
use js_sys::{Date, JSON};
use serde_json::{Map, Value};
use wasm_bindgen::{JsCast as _, JsValue};

/// Deeper values are refused, as `serde_json` does it elsewhere.
const MAX_DEPTH: u32 = 128;

/// Beyond this size not every whole number is one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads a JSON text. A whole number that the engine would round becomes a string: it may be an id.
#[cfg(not(feature = "node"))]
pub(crate) fn parse(text: &[u8]) -> Option<Value> {
    value_of(&JSON::parse(std::str::from_utf8(&exact(text)?).ok()?).ok()?)
}

/// The text with quotes around whole numbers beyond [`EXACT`]. `None` when it ends within an escape.
#[cfg(not(feature = "node"))]
fn exact(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut in_string = false;
    while let Some(byte) = text.first() {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // Nothing of a number with a sign, a fraction or an exponent.
        let part = |byte: Option<&u8>| byte.is_some_and(|byte| b"+-.eE".contains(byte));
        let large = (digits, &text[..digits]) > (16, b"9007199254740992");
        let quoted = !in_string && large && !part(out.last()) && !part(text.get(digits));
        in_string ^= *byte == b'"';
        let (token, rest) = text.split_at_checked(if *byte == b'\\' { 2 } else { digits.max(1) })?;
        let quote: &[u8] = if quoted { b"\"" } else { b"" };
        for piece in [quote, token, quote] {
            out.extend_from_slice(piece);
        }
        text = rest;
    }
    Some(out)
}

/// A plain object, array, string, number, boolean or `null` as a JSON value. `undefined` counts as `null`, and as
/// absent inside of objects. `None` for anything else, and for what is nested too deeply or holds itself.
pub fn value_of(value: &JsValue) -> Option<Value> {
    read(value, MAX_DEPTH)
}

fn read(value: &JsValue, depth: u32) -> Option<Value> {
    if value.is_null() || value.is_undefined() {
        return Some(Value::Null);
    }
    if let Some(text) = value.as_string() {
        return Some(Value::String(text));
    }
    if let Some(number) = value.as_f64() {
        let whole = number.fract() == 0.0 && number.abs() <= EXACT;
        return Some(if whole { Value::from(number as i64) } else { Value::from(number) });
    }
    if let Some(yes) = value.as_bool() {
        return Some(Value::Bool(yes));
    }
    let depth = depth.checked_sub(1)?;
    if let Some(list) = value.dyn_ref::<Array>() {
        return list.iter().map(|item| read(&item, depth)).collect::<Option<_>>().map(Value::Array);
    }
    if value.is_function() {
        return None;
    }
    let mut object = Map::new();
    for pair in Object::entries(value.dyn_ref::<Object>()?).iter() {
        let pair: Array = pair.unchecked_into();
        let inner = pair.get(1);
        if !inner.is_undefined() {
            object.insert(pair.get(0).as_string()?, read(&inner, depth)?);
        }
    }
    Some(Value::Object(object))
}

/// An HTTP date in unix seconds.
#[cfg(not(feature = "node"))]
pub(crate) fn http_date(text: &str) -> Option<u64> {
    // The engine reads much more than the three forms of HTTP. The third one (`asctime`) names no zone; it is the only
    // one with a space behind the name of the day.
    let asctime = text.len() == 24 && text.as_bytes()[3] == b' ';
    let milliseconds = if asctime {
        Date::parse(&[text, " GMT"].concat())
    } else if text.contains(',') && text.ends_with(" GMT") {
        Date::parse(text)
    } else {
        f64::NAN
    };
    (milliseconds >= 0.0).then_some((milliseconds / 1000.0) as u64)
}
