//! The answer to a create: the id that was paid for.

use serde_json::Value;

use super::query::{number, text};
use super::wire::{ApiResponse, classify, task_layer_error, unreadable};
use crate::error::{Error, Phase, Result};
use crate::model::{Length, Snapshot, Warning, WarningCode};
use crate::net::endpoint::{is_task_id, path_segment};
use crate::status::TaskStatus;
use crate::text::decimal;
use crate::text::json;

/// What a create brought.
#[derive(Debug, Clone)]
pub struct Created {
    /// The new task's first state.
    pub snapshot: Snapshot,
    /// A warning when the billed seconds differ from what was asked.
    pub warning: Option<Warning>,
    /// The server's request id, for the administrator.
    pub request_id: Option<String>,
}

/// Reads the answer to a create. Wherever a server of this family puts the id, and whatever it looks like: it is a task
/// that was paid for.
///
/// # Errors
/// Any error of the server; `create_outcome_unknown` for a 2xx without a task id, since a task may have been made.
pub fn parse_create(answer: &ApiResponse, asked: Option<&Length>) -> Result<Created> {
    if let Some(error) = create_error(answer) {
        return Err(error);
    }
    let Some(body) = answer.json() else {
        let error = unreadable(Phase::Create, answer, "the answer to the create cannot be read");
        return Err(error.about(salvaged(answer, true).as_deref()));
    };
    let Some((id, holder)) = find_id(body, &answer.body) else {
        // The task layer's "no" with a 2xx (observed: 202): refunded, and no task was made.
        if let Some(refused) = task_layer_error(Phase::Create, answer) {
            return Err(refused);
        }
        let error = unreadable(Phase::Create, answer, "the answer to the create holds no task id");
        return Err(error.about(salvaged(answer, false).as_deref()));
    };
    if !is_task_id(&id) {
        let what = "the answer to the create holds a task id that cannot be asked for";
        return Err(unreadable(Phase::Create, answer, what).with_task(&id));
    }
    let raw_status = text(holder, "status").unwrap_or_default();
    let billed_seconds = billed_seconds(answer);
    let snapshot = Snapshot {
        task_id: id,
        status: TaskStatus::from_server(&raw_status),
        raw_status,
        progress: super::query::progress(holder.get("progress")),
        model: text(holder, "model"),
        billed_seconds,
        created_at: number(holder, "created_at"),
        raw: String::from_utf8_lossy(&answer.body).into(),
        ..Snapshot::default()
    };
    Ok(Created { warning: billing_warning(asked, billed_seconds), snapshot, request_id: answer.request_id(None) })
}

/// The seconds in `X-New-Api-Other-Ratios: {"seconds":6,"size":1}` (observed).
fn billed_seconds(answer: &ApiResponse) -> Option<f64> {
    let ratios = json::parse(answer.headers.get("x-new-api-other-ratios")?.as_bytes())?;
    let seconds = ratios.get("seconds")?;
    seconds.as_f64().or_else(|| decimal::read(seconds.as_str()?.trim())).filter(|s| s.is_finite() && *s >= 0.0)
}

fn billing_warning(asked: Option<&Length>, billed: Option<f64>) -> Option<Warning> {
    let (asked, billed) = (asked?, billed?);
    let same = asked.seconds().is_some_and(|asked| (asked - billed).abs() < 1e-6);
    (!same).then(|| Warning {
        code: WarningCode::BilledSecondsDiffer,
        message: format!(
            "\"{}\" seconds were asked for, the server billed {} s",
            asked.as_str(),
            decimal::Decimal(billed)
        ),
    })
}

/// [`classify`] for the answer to a create: when its outcome is not known, the error carries the id that the answer names.
pub(super) fn create_error(answer: &ApiResponse) -> Option<Error> {
    let error = classify(Phase::Create, answer)?;
    let id = salvaged(answer, false).filter(|_| error.maybe_executed());
    Some(error.about(id.as_deref()))
}

/// The task's id, and the object that describes the task: in the answer itself, in its `data`, or `data` is the id
/// (observed).
fn find_id<'a>(body: &'a Value, text: &[u8]) -> Option<(String, &'a Value)> {
    let data = body.get("data").map(|data| data.as_array().and_then(|list| list.first()).unwrap_or(data));
    let inner = data.filter(|data| data.is_object());
    let said = data.filter(|_| !says_no(body));
    let in_body = |name| (body.get(name), body);
    let in_data = |name| (inner.and_then(|inner| inner.get(name)), inner.unwrap_or(body));
    let tasks = [in_body("task_id"), in_body("id"), in_data("task_id"), in_data("id"), (said, body)];
    let requests = [in_body("request_id"), in_data("request_id")];
    // Where the answer names a task, in whatever place, a request's id is only that; and a refusal made none.
    let requests = if names_task(body) || is_refusal(body) { &[][..] } else { &requests[..] };
    let first = |read: &dyn Fn(&Value) -> Option<String>| {
        let mut places = tasks.iter().chain(requests);
        places.find_map(|(value, holder)| Some((read((*value)?)?, *holder)))
    };
    // What looks like the ids of this service goes first, a number last: it may be a row of a table.
    first(&plain_id).or_else(|| first(&text_id)).or_else(|| first(&|value| number_id(value, text)))
}

/// Whether a `task_id` stands anywhere in it. What was read is nested no deeper than 128 levels.
fn names_task(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let id = || text_id(value).or_else(|| number_id(value, b""));
            (name == "task_id" && id().is_some()) || names_task(value)
        }),
        Value::Array(list) => list.iter().any(names_task),
        _ => false,
    }
}

fn plain_id(value: &Value) -> Option<String> {
    text_id(value).filter(|id| is_task_id(id) && path_segment(id) == *id)
}

fn text_id(value: &Value) -> Option<String> {
    value.as_str().filter(|id| !id.trim().is_empty()).map(str::to_owned)
}

/// A number that is an id.
fn number_id(value: &Value, text: &[u8]) -> Option<String> {
    let number = value.as_number().filter(|number| number.as_u64() != Some(0))?;
    Some(json::as_written(number, text))
}

/// True where `data` may be the text of a refusal and not an id.
fn says_no(body: &Value) -> bool {
    let code = body.get("code").and_then(Value::as_str).is_some_and(|code| !code.eq_ignore_ascii_case("success"));
    code || body.get("success").and_then(Value::as_bool) == Some(false)
}

/// True for an answer that says that there is no task: gateways put the request's id into those, too.
fn is_refusal(body: &Value) -> bool {
    let no_data = body.get("data").is_some_and(Value::is_null);
    let failed = body.get("success").and_then(Value::as_bool) == Some(false);
    let names_error =
        |error: &Value| text_id(error).is_some() || error.as_object().is_some_and(|fields| !fields.is_empty());
    failed || (no_data && says_no(body)) || body.get("error").is_some_and(names_error)
}

/// The id in an answer that cannot be read, or that is an error: what was paid for should not be lost for a missing brace.
/// In an answer that was `cut` off its names are believed; elsewhere only what cannot be anything but an id.
fn salvaged(answer: &ApiResponse, cut: bool) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let sure = TASK_NAMES.iter().find_map(|name| named(&text, name, |_| true));
    let named = || OTHER_NAMES.iter().find_map(|name| named(&text, name, |id| cut || id.starts_with("task_")));
    let anywhere = || {
        text.match_indices("task_").find_map(|(at, _)| {
            let rest = text.get(at..)?;
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            let id = rest.get(..end?)?;
            (id.len() == DOCUMENTED_ID).then(|| id.to_owned())
        })
    };
    sure.or_else(named).or_else(anywhere).or_else(|| nothing_else(&answer.body)).or_else(|| located(answer))
}

/// Names of an id that can only be a task's, as servers of other families write it, too.
const TASK_NAMES: [&str; 10] = [
    "task_id",
    "taskId",
    "taskID",
    "TaskId",
    "video_id",
    "videoId",
    "job_id",
    "jobId",
    "generation_id",
    "generationId",
];
/// Names of an id that may be another thing's.
const OTHER_NAMES: [&str; 4] = ["id", "ID", "Id", "request_id"];

/// What stands behind this name in a text that looks like JSON.
fn named(text: &str, name: &str, believed: impl Fn(&str) -> bool) -> Option<String> {
    text.match_indices(&format!("\"{name}\"")).find_map(|(at, name)| {
        let rest = text.get(at + name.len()..)?.trim_start().strip_prefix(':')?.trim_start();
        let id = match rest.strip_prefix('"') {
            Some(rest) => rest.split_once('"')?.0,
            // A number whose end was not cut off.
            None => rest.get(..rest.find(|c: char| !c.is_ascii_digit())?)?,
        };
        (believed(id) && is_task_id(id) && id != "0" && !id.contains('\\')).then(|| id.to_owned())
    })
}

/// The only word of an answer that is nothing but a JSON string.
fn nothing_else(body: &[u8]) -> Option<String> {
    let text = json::parse(body)?;
    let id = text.as_str().filter(|id| is_task_id(id) && !id.contains(char::is_whitespace))?;
    Some(id.to_owned())
}

/// The task that the answer's `Location` leads to.
fn located(answer: &ApiResponse) -> Option<String> {
    let path = answer.headers.get("location")?.split(['?', '#']).next()?;
    let (before, id) = path.rsplit_once('/')?;
    let of_task = before.ends_with("/generations") || before.ends_with("/videos") || id.starts_with("task_");
    (of_task && is_task_id(id) && !id.contains('%')).then(|| id.to_owned())
}

/// The length of an id as the service document shows it: `task_` and 32 characters.
const DOCUMENTED_ID: usize = 37;
