//! `POST /v1/video/generations`: field checks, billing, a new task.

use std::sync::Arc;

use axum::{Extension, extract::State as Shared, response::Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::{
    accounts::{MODELS, gate, price},
    arrival::Context,
    errors::{self, Shape},
    exchange::header_value,
    scenario::CreateId,
    state::{Inner, State},
    task_spec::parse_size,
    tasks::Task,
};

/// Why no task was made: one of the known shapes, or a code and a message of the task layer.
enum Refusal {
    Shape(Shape),
    TaskLayer(&'static str, String),
}

impl From<Shape> for Refusal {
    fn from(shape: Shape) -> Self {
        Self::Shape(shape)
    }
}

/// `POST /v1/video/generations`.
pub(crate) async fn create(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    body: Bytes,
) -> Response {
    let task = match make(&state, &context, &body) {
        Ok(task) => task,
        Err(Refusal::Shape(shape)) => return shape.answer(context.lang, &context.request_id),
        Err(Refusal::TaskLayer(code, message)) => return errors::task_layer(400, code, &message),
    };
    let api = state.lock().scenario.api.clone();
    let mut answer = json!({
        "object": "video",
        "model": api.create_model.as_ref().unwrap_or(&task.model),
        "status": api.create_status,
        "progress": 0,
        "created_at": state.clock.unix(task.created),
        "seconds": task.seconds.to_string(),
        "size": format!("{}x{}", task.size.0, task.size.1),
    });
    if !matches!(api.create_id, CreateId::TaskId | CreateId::Number) {
        answer["id"] = json!(task.id);
    }
    if !matches!(api.create_id, CreateId::Id | CreateId::Number) {
        answer["task_id"] = json!(task.id);
    }
    match api.create_id {
        CreateId::Data => answer = json!({ "code": "success", "data": answer }),
        CreateId::RequestId => answer = json!({ "request_id": task.id }),
        CreateId::Text => answer = json!({ "code": "success", "data": task.id }),
        CreateId::Number => answer["id"] = task.id.parse::<u64>().map_or(Value::Null, Value::from),
        _ => {}
    }
    let text = format!("{}{answer}", if api.create_bom { "\u{feff}" } else { "" });
    let mut response = errors::answer(200, Some("application/json; charset=utf-8"), text);
    if api.billing_header {
        let billed = task.plan.billed_seconds.unwrap_or(task.seconds);
        let ratios = json!({ "seconds": billed, "size": 1 }).to_string();
        response.headers_mut().insert("x-new-api-other-ratios", header_value(&ratios));
    }
    response
}

/// Checks, charges and makes the task.
fn make(state: &State, context: &Context, body: &[u8]) -> Result<Task, Refusal> {
    let now = state.clock.now();
    let mut inner = state.lock();
    inner.settle(now);
    let (key, owner) = gate(&inner, context)?;
    let wish = Wish::read(body).map_err(|(code, message)| Refusal::TaskLayer(code, message))?;
    let mut plan = inner.scenario.task.clone();
    let billed = plan.billed_seconds.unwrap_or_else(|| wish.billed_seconds());
    let cost = u64::from(billed) * price(&wish.model);
    charge(&mut inner, &key, &wish, cost)?;

    let asked = wish.size.as_deref().and_then(parse_size);
    let size = plan.size.as_deref().and_then(parse_size).or(asked).unwrap_or((1280, 720));
    plan.video_bytes = state.video_bytes(plan.video_bytes);
    let task = Task {
        id: inner.new_task_id(),
        row: inner.next_row(),
        account: owner,
        key: Some(key),
        // The video has the length that was asked for, whatever is billed.
        seconds: wish.billed_seconds(),
        model: wish.model,
        prompt: wish.prompt,
        size,
        plan,
        created: now,
        ended: None,
        polls: 0,
        cost,
        refunded: false,
        request: wish.all,
        file_version: 0,
        etag_version: 0,
        sent: Arc::default(),
    };
    inner.tasks.insert(task.id.clone(), task.clone());
    Ok(task)
}

/// Rights and money. What the upstream refuses is charged and given back.
fn charge(inner: &mut Inner, key: &str, wish: &Wish, cost: u64) -> Result<(), Refusal> {
    let known = match &inner.scenario.models {
        Some(models) => models.contains(&wish.model),
        None => MODELS.contains(&wish.model.as_str()),
    };
    if !known {
        return Err(Shape::ModelNotFound.into());
    }
    let account = inner.accounts.get_mut(key).ok_or(Shape::InvalidToken)?;
    if account.spec.models.as_ref().is_some_and(|models| !models.contains(&wish.model)) {
        return Err(Shape::NoModelRight.into());
    }
    if account.units < cost.cast_signed() {
        return Err(Shape::InsufficientUserQuota.into());
    }
    inner.stats.quota_charged += cost;
    if let Some(quoted) = wish.upstream_refusal() {
        inner.stats.quota_refunded += cost;
        return Err(Refusal::TaskLayer("fail_to_fetch_task", quoted.to_owned()));
    }
    account.units -= cost.cast_signed();
    account.used += cost;
    account.creates += 1;
    inner.stats.created_tasks += 1;
    Ok(())
}

/// The fields of a create request that the service looks at.
struct Wish {
    model: String,
    prompt: String,
    seconds: String,
    duration: Option<i64>,
    size: Option<String>,
    image: Option<String>,
    images: Vec<String>,
    all: Value,
}

impl Wish {
    fn read(body: &[u8]) -> Result<Self, (&'static str, String)> {
        let all: Value = serde_json::from_slice(body).map_err(|error| ("invalid_json", error.to_string()))?;
        let Value::Object(fields) = &all else {
            return Err(("invalid_json", "json: cannot unmarshal into Go value of type TaskSubmitReq".into()));
        };
        let text = |name: &'static str| string(fields, name);
        let duration = match fields.get("duration") {
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            None | Some(Value::Null) => None,
            Some(other) => return Err(mismatch("duration", other, "int")),
        };
        let images = match fields.get("images") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| mismatch("images", item, "string")))
                .collect::<Result<_, _>>()?,
            Some(other) => return Err(mismatch("images", other, "[]string")),
        };
        let wish = Self {
            model: text("model")?.unwrap_or_default(),
            prompt: text("prompt")?.unwrap_or_default(),
            seconds: text("seconds")?.unwrap_or_default(),
            duration,
            size: text("size")?,
            image: text("image")?.filter(|image| !image.is_empty()),
            images,
            all: all.clone(),
        };
        if wish.model.is_empty() {
            return Err(("invalid_request", "model field is required".into()));
        }
        if wish.prompt.trim().is_empty() {
            return Err(("invalid_request", "prompt is required".into()));
        }
        Ok(wish)
    }

    /// As the service counts: `seconds` first, `duration` where that says nothing, four where neither makes sense.
    fn billed_seconds(&self) -> u32 {
        let seconds = self.seconds.parse::<i64>().unwrap_or(0);
        let seconds = if seconds == 0 { self.duration.unwrap_or(0) } else { seconds };
        if seconds > 0 { u32::try_from(seconds).unwrap_or(u32::MAX).min(1_000_000) } else { 4 }
    }

    /// What the upstream says to a request that does not suit the model.
    fn upstream_refusal(&self) -> Option<&'static str> {
        let pictures = self.images.len() + usize::from(self.image.is_some());
        if self.model == "grok-video-1.5" && pictures != 1 {
            Some(r#"{"error":"grok-video-1.5 needs exactly one image"}"#)
        } else if self.prompt.chars().count() > 4_096 {
            Some(r#"{"error":"prompt is longer than 4096 characters"}"#)
        } else if pictures > 7 {
            Some(r#"{"error":"at most 7 reference images"}"#)
        } else {
            None
        }
    }
}

fn string(fields: &Map<String, Value>, name: &'static str) -> Result<Option<String>, (&'static str, String)> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(mismatch(name, other, "string")),
    }
}

fn mismatch(field: &str, value: &Value, wanted: &str) -> (&'static str, String) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    (
        "invalid_json",
        format!("json: cannot unmarshal {kind} into Go struct field TaskSubmitReq.{field} of type {wanted}"),
    )
}
