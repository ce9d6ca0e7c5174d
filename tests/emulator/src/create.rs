//! `POST /v1/video/generations` and its siblings: field checks, billing, a new task.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::{Path, State as Shared},
    response::Response,
};
use bytes::Bytes;
use hyper::{HeaderMap, header};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::{
    accounts::gate,
    arrival::{Context, text},
    errors::{self, Lang, Shape},
    exchange::header_value,
    scenario::CreateId,
    state::{Inner, State},
    task_spec::parse_size,
    tasks::Task,
};

/// Why no task was made.
enum Refusal {
    Shape(Shape),
    /// The key's list of models does not have this one.
    Model(String),
    /// The gate, in both languages.
    Gate(String, String),
    TaskLayer(u16, &'static str, String),
}

impl From<Shape> for Refusal {
    fn from(shape: Shape) -> Self {
        Self::Shape(shape)
    }
}

impl Refusal {
    /// The gate cannot read the request.
    fn unreadable(why: &str) -> Self {
        Self::Gate(format!("Invalid request: {why}"), format!("无效的请求: {why}"))
    }

    fn answer(self, context: &Context) -> Response {
        let id = &context.request_id;
        match self {
            Self::Shape(shape) => shape.answer(context.lang, id),
            Self::Model(model) => errors::no_model_right(context.lang, id, &model),
            Self::Gate(english, chinese) => {
                errors::gate(400, if context.lang == Lang::English { &english } else { &chinese }, id, "")
            }
            Self::TaskLayer(status, code, message) => errors::task_layer(status, code, &message),
        }
    }
}

/// `POST /v1/video/generations`, `POST /v1/videos`.
pub(crate) async fn create(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match fields(&headers, &body) {
        Ok(fields) => answer(&state, &context, fields).await,
        // Who sent it is looked at before what was sent.
        Err(refusal) => gate(&state.lock(), &context).err().map_or(refusal, Refusal::from).answer(&context),
    }
}

/// `POST /v1/videos/{id}/remix`: as a create with the model, length and size of another task.
pub(crate) async fn remix(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let owner = match gate(&state.lock(), &context) {
        Ok((_, owner)) => owner,
        Err(shape) => return shape.answer(context.lang, &context.request_id),
    };
    let Some(origin) = state.lock().tasks.get(&id).filter(|task| task.account == owner).cloned() else {
        return errors::task_layer(400, "task_origin_not_exist", "task_origin_not_exist");
    };
    let mut fields = match fields(&headers, &body) {
        Ok(fields) => fields,
        Err(refusal) => return refusal.answer(&context),
    };
    let kept = ["seconds", "size", "image", "images"].map(|name| (name, origin.request.get(name).cloned()));
    for (name, value) in kept.into_iter().chain([("model", Some(json!(origin.model)))]) {
        if let Some(value) = value {
            fields.insert(name.into(), value);
        }
    }
    answer(&state, &context, fields).await
}

/// What the gate reads of a request: only JSON that says to be JSON, and of that the model's name.
fn fields(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    if !text(headers, &header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json")) {
        return Ok(Map::new());
    }
    let fields = match serde_json::from_slice(body).map_err(|error| Refusal::unreadable(&error.to_string()))? {
        Value::Object(fields) => fields,
        other => {
            let kind = kind_of(&other);
            return Err(Refusal::unreadable(&format!(
                "json: cannot unmarshal {kind} into Go value of type ModelRequest"
            )));
        }
    };
    string(&fields, "model", "ModelRequest").map_err(|(_, why)| Refusal::unreadable(&why))?;
    Ok(fields)
}

/// Makes the task, or says why not.
async fn answer(state: &State, context: &Context, fields: Map<String, Value>) -> Response {
    let window = state.lock().scenario.api.quota_window_ms;
    let made = if window == 0 {
        let mut inner = state.lock();
        check(state, &mut inner, context, fields).and_then(|order| make(state, &mut inner, context, order))
    } else {
        let checked = check(state, &mut state.lock(), context, fields);
        // Creates that come at once all find the quota that only some of them can have.
        sleep(Duration::from_millis(window)).await;
        checked.and_then(|order| make(state, &mut state.lock(), context, order))
    };
    let task = match made {
        Ok(task) => task,
        Err(refusal) => return refusal.answer(context),
    };
    let api = state.lock().scenario.api.clone();
    let mut answer = json!({
        "object": "video",
        "model": api.create_model.as_ref().unwrap_or(&task.model),
        "status": api.create_status,
        "progress": 0,
        "created_at": state.clock.unix(task.created),
    });
    task.echo(&mut answer);
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
    let text = format!("{}{}", if api.create_bom { "\u{feff}" } else { "" }, errors::escaped(&answer));
    let mut response = errors::answer(200, Some("application/json; charset=utf-8"), text);
    if api.billing_header {
        response.headers_mut().insert(RATIOS, header_value(&ratios(task.billed, task.size_ratio)));
    }
    response
}

/// The header that says what is billed.
pub(crate) const RATIOS: &str = "x-new-api-other-ratios";

fn ratios(seconds: u32, size: f64) -> String {
    let size = if size > 1.0 { json!(size) } else { json!(1) };
    json!({ "seconds": seconds, "size": size }).to_string()
}

/// What the header would say of a request: the gateway writes it before it reads the upstream's answer.
pub(crate) fn ratios_of(state: &State, body: &[u8]) -> Option<String> {
    let Value::Object(fields) = serde_json::from_slice(body).ok()? else { return None };
    let wish = Wish::read(fields).ok()?;
    let billed = state.lock().scenario.task.billed_seconds.unwrap_or_else(|| wish.billed_seconds());
    Some(ratios(billed, wish.size_ratio()))
}

/// A create that may be made: who asked, for what, and what it costs.
struct Order {
    key: String,
    account: String,
    group: String,
    wish: Wish,
    billed: u32,
    cost: u64,
}

/// Key, rights, fields and money, in the service's order.
fn check(state: &State, inner: &mut Inner, context: &Context, fields: Map<String, Value>) -> Result<Order, Refusal> {
    inner.settle(state.clock.now());
    let (key, account) = gate(inner, context)?;
    let model = fields.get("model").and_then(Value::as_str).unwrap_or_default();
    if !inner.keys[&key].may_use(model) {
        return Err(Refusal::Model(model.to_owned()));
    }
    if model.is_empty() {
        return Err(Refusal::Gate(
            "Model name not specified, model name cannot be empty".into(),
            "未指定模型名称，模型名称不能为空".into(),
        ));
    }
    if !inner.scenario.offers(model) {
        return Err(Shape::ModelNotFound.into());
    }
    let wish = Wish::read(fields).map_err(|(code, message)| Refusal::TaskLayer(400, code, message))?;
    let billed = inner.scenario.task.billed_seconds.unwrap_or_else(|| wish.billed_seconds());
    let group = inner.accounts.get(&account).map(|account| account.spec.group.clone()).unwrap_or_default();
    let cost = inner.scenario.cost(&wish.model, &group, billed, wish.size_ratio());

    let of_account = inner.accounts.get(&account).map_or(0, |account| account.units);
    if of_account < cost.cast_signed() || of_account <= 0 {
        let text = errors::no_money_on_account(of_account, cost);
        return Err(Refusal::TaskLayer(403, "insufficient_user_quota", text));
    }
    let of_key = &inner.keys[&key];
    if !of_key.spec.unlimited && of_key.units < cost.cast_signed() {
        let text = errors::no_money_on_key(of_key.units, cost);
        return Err(Refusal::TaskLayer(403, "pre_consume_token_quota_failed", text));
    }
    Ok(Order { key, account, group, wish, billed, cost })
}

/// Charges, asks the upstream and makes the task. What the upstream refuses is given back.
fn make(state: &State, inner: &mut Inner, context: &Context, order: Order) -> Result<Task, Refusal> {
    let now = state.clock.now();
    let Order { key, account, group, wish, billed, cost } = order;
    inner.take(now, &key, &account, cost);
    if let Some(quoted) = wish.upstream_refusal() {
        inner.give_back(now, Some(&key), &account, cost);
        return Err(Refusal::TaskLayer(400, "fail_to_fetch_task", quoted.to_owned()));
    }
    let mut plan = inner.scenario.task.clone();
    let asked = wish.size.as_deref().and_then(parse_size);
    let size = plan.size.as_deref().and_then(parse_size).or(asked).unwrap_or((1280, 720));
    plan.video_bytes = state.video_bytes(plan.video_bytes);
    let task = Task {
        id: inner.new_task_id(),
        row: inner.next_row(),
        user: inner.accounts.get(&account).map_or(0, |account| account.spec.user_id),
        account,
        group,
        key: Some(key.clone()),
        // The video has the length that was asked for, whatever is billed.
        seconds: wish.billed_seconds(),
        size_ratio: wish.size_ratio(),
        model: wish.model,
        prompt: wish.prompt,
        billed,
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
    inner.stats.created_tasks += 1;
    if let Some(key) = inner.keys.get_mut(&key) {
        key.creates += 1;
    }
    let accepted = Instant::now() + Duration::from_millis(inner.scenario.api.create_latency_ms);
    inner.log_create(&task, &key, &context.request_id, accepted);
    inner.tasks.insert(task.id.clone(), task.clone());
    Ok(task)
}

/// Charges and ends there, as where the gateway dies before the upstream has answered: nobody gives the money back.
pub(crate) fn charge_only(state: &State, context: &Context, headers: &HeaderMap, body: &[u8]) {
    let mut inner = state.lock();
    if let Ok(order) = fields(headers, body).and_then(|fields| check(state, &mut inner, context, fields)) {
        inner.take(state.clock.now(), &order.key, &order.account, order.cost);
    }
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
    fn read(fields: Map<String, Value>) -> Result<Self, (&'static str, String)> {
        let text = |name: &'static str| string(&fields, name, "TaskSubmitReq");
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
            all: Value::Null,
        };
        if wish.prompt.trim().is_empty() {
            return Err(("invalid_request", "prompt is required".into()));
        }
        Ok(Self { all: Value::Object(fields), ..wish })
    }

    /// As the service counts: `seconds` first, `duration` where that says nothing, four where neither makes sense.
    fn billed_seconds(&self) -> u32 {
        let seconds = self.seconds.parse::<i64>().unwrap_or(0);
        let seconds = if seconds == 0 { self.duration.unwrap_or(0) } else { seconds };
        if seconds > 0 { u32::try_from(seconds).unwrap_or(u32::MAX).min(1_000_000) } else { 4 }
    }

    /// What the size multiplies the price by.
    fn size_ratio(&self) -> f64 {
        if matches!(self.size.as_deref(), Some("1792x1024" | "1024x1792")) { 1.666_667 } else { 1.0 }
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

fn string(fields: &Map<String, Value>, name: &str, of: &str) -> Result<Option<String>, (&'static str, String)> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            let kind = kind_of(other);
            let why = format!("json: cannot unmarshal {kind} into Go struct field {of}.{name} of type string");
            Err(("invalid_json", why))
        }
    }
}

fn mismatch(field: &str, value: &Value, wanted: &str) -> (&'static str, String) {
    let kind = kind_of(value);
    (
        "invalid_json",
        format!("json: cannot unmarshal {kind} into Go struct field TaskSubmitReq.{field} of type {wanted}"),
    )
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
