//! The answer to a query: a task's state.

use serde_json::Value;

use super::wire::{ApiResponse, classify, unreadable};
use crate::error::{Phase, Result};
use crate::model::Snapshot;
use crate::net::endpoint::Endpoint;
use crate::net::url::Url;
use crate::status::TaskStatus;

/// Reads the answer to a query for `task_id`.
///
/// Both envelopes are read (`{"code":"success","data":{…}}` and the bare object). The outer `status` alone decides:
/// on FAILURE `result_url` has been seen to hold the failure sentence, and on SUCCESS `fail_reason` the video's URL.
///
/// # Errors
/// Any error of the server; `unexpected_response` for a 2xx that is not a task.
pub fn parse_query(task_id: &str, endpoint: &Endpoint, answer: &ApiResponse) -> Result<Snapshot> {
    if let Some(error) = classify(Phase::Query, answer) {
        return Err(error.with_task(task_id));
    }
    let Some(task) = answer.json().and_then(task_in) else {
        return Err(unreadable(Phase::Query, answer, "the answer to the query is not a task").with_task(task_id));
    };
    let raw_status = text(task, "status").unwrap_or_default();
    let status = TaskStatus::from_server(&raw_status);
    let (video_url, fail_reason) = match status {
        TaskStatus::Succeeded => (Some(video_url(task, task_id, endpoint)), None),
        TaskStatus::Failed => (None, fail_reason(task).map(|sentence| answer.shown(&sentence))),
        _ => (None, None),
    };
    Ok(Snapshot {
        task_id: task_id.to_owned(),
        status,
        raw_status,
        progress: progress(task.get("progress")),
        video_url,
        fail_reason,
        model: text(task, "model"),
        billed_seconds: None,
        charged_units: charged(task, status),
        created_at: number(task, "created_at").or_else(|| number(task, "submit_time")),
        started_at: number(task, "start_time"),
        finished_at: number(task, "finish_time").or_else(|| number(task, "completed_at")),
        raw: String::from_utf8_lossy(&answer.body).into(),
    })
}

/// The object that holds the task's state: `data` of an envelope, or the answer itself. A bare task may hold the upstream's
/// raw answer as its own `data`, whose status can be stale: what names its task is the task.
fn task_in(body: &Value) -> Option<&Value> {
    let names_task = |value: &Value| value.get("task_id").is_some_and(Value::is_string);
    let has_status = |value: &Value| value.get("status").is_some();
    let is_task = |value: &Value| value.is_object() && (has_status(value) || names_task(value));
    let data = body.get("data").filter(|data| is_task(data));
    let outer = names_task(body) || body.get("code").is_none() && !data.is_some_and(names_task);
    if outer && has_status(body) { Some(body) } else { data.or_else(|| Some(body).filter(|body| is_task(body))) }
}

fn url_in(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    Url::parse(text).ok().map(|_| text.to_owned())
}

fn video_url(task: &Value, task_id: &str, endpoint: &Endpoint) -> String {
    ["/result_url", "/fail_reason", "/url", "/video_url", "/video/url", "/metadata/url"]
        .iter()
        .find_map(|place| url_in(task.pointer(place)))
        .unwrap_or_else(|| endpoint.content_url(task_id).to_string())
}

/// The exact charge. After a failure it is returned; older servers still show it then (observed).
fn charged(task: &Value, status: TaskStatus) -> Option<u64> {
    let units = task.get("quota")?.as_u64()?;
    Some(if status == TaskStatus::Failed { 0 } else { units })
}

/// Why it failed: the gateway's own place, then the one where it puts the sentence in the URL's stead, then those of
/// its relatives.
fn fail_reason(task: &Value) -> Option<String> {
    text(task, "fail_reason")
        .or_else(|| text(task, "result_url").filter(|sentence| Url::parse(sentence).is_err()))
        .or_else(|| task.get("error").and_then(|error| text(error, "message")))
        .or_else(|| ["error", "error_message", "reason", "message"].iter().find_map(|name| text(task, name)))
}

/// `"42%"`, `42` or `""` (all observed) as 0–100.
pub(super) fn progress(value: Option<&Value>) -> Option<f64> {
    let number = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => {
            let text = text.trim().trim_end_matches('%').trim_end();
            match text.strip_prefix('-') {
                Some(below) => -crate::text::decimal::read(below)?,
                None => crate::text::decimal::read(text)?,
            }
        }
        _ => return None,
    };
    number.is_finite().then(|| number.clamp(0.0, 100.0))
}

pub(super) fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Unix seconds; 0 means unset (observed).
pub(super) fn number(object: &Value, name: &str) -> Option<u64> {
    object.get(name)?.as_u64().filter(|seconds| *seconds > 0)
}
