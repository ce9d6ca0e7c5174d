//! Values on their way over the border.

use std::time::Duration;

use junfeiai::platform::wasm::value_of;
use junfeiai::{Error, ErrorKind, Phase};
use serde::Serialize;
use wasm_bindgen::JsValue;

/// The error's record as a plain object; the TypeScript side makes an `Error` of it.
pub(crate) fn error(error: &Error) -> JsValue {
    let mut record = error.to_json();
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    if let (Some(object), false) = (record.as_object_mut(), causes.is_empty()) {
        object.insert("cause".into(), causes.into());
    }
    value(&record)
}

/// The record of an error that is about one option or field, by the name that the caller wrote.
pub(crate) fn refusal(kind: ErrorKind, phase: Phase, field: &str, message: &str) -> JsValue {
    let mut record = Error::new(kind, phase, message).to_json();
    record["field"] = field.into();
    value(&record)
}

/// Plain data as plain objects, `null` for what is not there.
pub(crate) fn value(data: &impl Serialize) -> JsValue {
    data.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).unwrap_or(JsValue::NULL)
}

/// A plain object as JSON.
pub(crate) fn json(object: JsValue, phase: Phase) -> Result<serde_json::Value, Error> {
    value_of(&object).ok_or_else(|| {
        let kind = if phase == Phase::Config { ErrorKind::Config } else { ErrorKind::InvalidRequest };
        Error::new(kind, phase, "the argument must be a plain object of strings, numbers, booleans and arrays")
    })
}

/// Seconds as a duration; [`Duration::MAX`] for infinity and everything too long to be one.
pub(crate) fn duration(seconds: f64, name: &str) -> Result<Duration, JsValue> {
    if seconds >= 0.0 {
        return Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let text = format!("{name} is not a duration: give a number of 0 or more");
    Err(refusal(ErrorKind::InvalidRequest, Phase::Wait, name, &text))
}

/// A count of bytes that came as a JavaScript number.
pub(crate) fn bytes(number: f64, name: &str) -> Result<u64, JsValue> {
    // 2^53: beyond it numbers are not exact any more.
    if number.is_finite() && number >= 0.0 && number <= 9_007_199_254_740_992.0 && number.fract() == 0.0 {
        return Ok(number as u64);
    }
    let text = format!("{name} must be a whole number of bytes, 0 or more");
    Err(refusal(ErrorKind::InvalidRequest, Phase::Content, name, &text))
}
