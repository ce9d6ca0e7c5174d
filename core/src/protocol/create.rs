//! The answer to a create: the id that was paid for.

use serde_json::Value;

use super::query::{number, text};
use super::wire::{Answer, classify, unreadable};
use crate::decimal;
use crate::endpoint::is_task_id;
use crate::error::{Phase, Result};
use crate::json;
use crate::model::{Length, Snapshot, TaskStatus, Warning, WarningCode};

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

/// Reads the answer to a create.
///
/// # Errors
/// Any error of the server; `create_outcome_unknown` for a 2xx without a task id, since a task may have been made.
pub fn parse_create(answer: &Answer, asked: Option<&Length>) -> Result<Created> {
    if let Some(error) = classify(Phase::Create, answer) {
        return Err(error);
    }
    let Some(body) = answer.json() else {
        let error = unreadable(Phase::Create, answer, "the answer to the create cannot be read");
        return Err(match salvage_id(&answer.body) {
            Some(id) => error.with_task(&id),
            None => error,
        });
    };
    let id_in = |object: &Value| {
        ["task_id", "id"]
            .iter()
            .find_map(|name| object.get(name).and_then(Value::as_str).filter(|id| is_task_id(id)).map(str::to_owned))
    };
    let data = body.get("data").filter(|data| data.is_object());
    let (id, holder) = match (id_in(&body), data.and_then(id_in)) {
        (Some(id), _) => (id, &body),
        (None, Some(id)) => (id, data.unwrap_or(&body)),
        (None, None) => return Err(unreadable(Phase::Create, answer, "the answer to the create holds no task id")),
    };
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
fn billed_seconds(answer: &Answer) -> Option<f64> {
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

/// The id in an answer that broke off: what was paid for should not be lost for a missing brace.
fn salvage_id(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    ["\"task_id\"", "\"id\""].iter().find_map(|name| {
        let rest = text.split_once(name)?.1.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        let (id, _) = rest.split_once('"')?;
        (is_task_id(id) && id.starts_with("task_")).then(|| id.to_owned())
    })
}
