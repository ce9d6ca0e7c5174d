//! Values on their way between JavaScript and the core.

use js_sys::{Function, Reflect};
use junfeiai::platform::wasm::value_of;
use junfeiai::{Error, ErrorKind, Phase};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

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
    named(&Error::new(kind, phase, message), field)
}

fn named(error: &Error, field: &str) -> JsValue {
    let mut record = error.to_json();
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

/// A count of bytes that came as a JavaScript number, in a call about this task.
pub(crate) fn bytes(number: f64, name: &str, task_id: Option<&str>) -> Result<u64, JsValue> {
    // 2^53: beyond it numbers are not exact any more.
    if (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0 {
        return Ok(number as u64);
    }
    let text = format!("{name} must be a whole number of bytes, 0 or more");
    let error = Error::new(ErrorKind::InvalidRequest, Phase::Content, text);
    let error = match task_id {
        Some(id) => error.with_task(id),
        None => error,
    };
    Err(named(&error, name))
}

/// The caller's callback for bytes read so far, and the length where it is known.
pub(crate) fn progress_callback(tell: Option<Function>) -> impl FnMut(u64, Option<u64>) + 'static {
    move |bytes, total| {
        if let Some(tell) = &tell {
            let total = total.map_or(JsValue::NULL, |total| (total as f64).into());
            // What the callback throws is the wrapper's business.
            let _ = tell.call2(&JsValue::UNDEFINED, &(bytes as f64).into(), &total);
        }
    }
}

/// An error of Node's `fs`, by its `code`, or of whatever else keeps bytes.
pub(crate) fn io_error(error: &JsValue, phase: Phase) -> Error {
    let text = |name| Reflect::get(error, &JsValue::from_str(name)).ok().and_then(|value| value.as_string());
    let message = text("message").or_else(|| error.as_string()).unwrap_or_default();
    if phase == Phase::Save {
        return Error::from_io_code(text("code").as_deref().unwrap_or_default(), &message);
    }
    Error::new(ErrorKind::Io, phase, format!("there is no memory for the video: {message}"))
}

/// An error that the package finds itself, as a plain object: of its file work, or a value that is none of its type.
#[wasm_bindgen(js_name = ownError)]
pub fn own_error(kind: &str, phase: &str, message: &str, field: Option<String>, task_id: Option<String>) -> JsValue {
    let kind = ErrorKind::from_name(kind).unwrap_or(ErrorKind::Internal);
    let phases =
        [Phase::Config, Phase::Create, Phase::Query, Phase::Save, Phase::Content, Phase::Check, Phase::Journal];
    let phase = phases.into_iter().find(|one| one.name() == phase).unwrap_or(Phase::Wait);
    match field {
        Some(field) => refusal(kind, phase, &field, message),
        None => record(Error::new(kind, phase, message), task_id),
    }
}

fn record(error: Error, task_id: Option<String>) -> JsValue {
    self::error(&match task_id {
        Some(id) => error.with_task(&id),
        None => error,
    })
}
