//! Queries of a task, and the address of its video.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, State as Shared},
    response::Response,
};
use serde_json::Value;

use crate::{
    accounts::gate,
    arrival::Context,
    errors::{self, Shape},
    exchange::fill_in,
    state::State,
    tasks::{Phase, Task},
    video::mix,
};

/// Why a task is not shown.
enum Hidden {
    Shape(Shape),
    /// The key's list of models does not have the task's; the gate reads the model before it looks for the task, so that
    /// of a task that does not exist the name is empty.
    Model(String),
}

impl Hidden {
    fn answer(self, context: &Context) -> Response {
        match self {
            Self::Shape(shape) => shape.answer(context.lang, &context.request_id),
            Self::Model(model) => errors::no_model_right(context.lang, &context.request_id, &model),
        }
    }
}

/// Finds a task that the caller may see and counts the query.
fn look_up(state: &State, context: &Context, id: &str) -> Result<Task, Hidden> {
    let now = state.clock.now();
    let mut inner = state.lock();
    let (key, owner) = gate(&inner, context).map_err(Hidden::Shape)?;
    let visible = |task: &&Task| task.account == owner && now >= task.created + task.plan.visible_after_s;
    let model = inner.tasks.get(id).filter(visible).map(|task| task.model.clone());
    if !inner.keys[&key].may_use(model.as_deref().unwrap_or_default()) {
        return Err(Hidden::Model(model.unwrap_or_default()));
    }
    let unknown =
        if inner.scenario.api.unknown_task_status == 404 { Shape::TaskNotExist404 } else { Shape::TaskNotExist };
    let task = inner.tasks.get_mut(id).filter(|_| model.is_some()).ok_or(Hidden::Shape(unknown))?;
    task.poll(now);
    let task = task.clone();
    inner.settle(now);
    Ok(task)
}

/// `GET /v1/video/generations/{id}`.
pub(crate) async fn query(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
) -> Response {
    match look_up(&state, &context, &id) {
        Ok(task) => shown(&task.enveloped(data_of(&state, &task))),
        Err(hidden) => hidden.answer(&context),
    }
}

/// A task as its queries and its account's list show it.
pub(crate) fn data_of(state: &State, task: &Task) -> Value {
    let now = state.clock.now();
    let version = state.lock().scenario.api.version;
    let url = result_url(state, task, now);
    task.shown(now, version, url.as_deref(), &|at| state.clock.unix(at))
}

/// `GET /v1/videos/{id}`.
pub(crate) async fn video(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
) -> Response {
    match look_up(&state, &context, &id) {
        Ok(task) => {
            let now = state.clock.now();
            let version = state.lock().scenario.api.version;
            let url = result_url(&state, &task, now);
            shown(&task.shown_as_video(now, version, url.as_deref(), &|at| state.clock.unix(at)))
        }
        Err(hidden) => hidden.answer(&context),
    }
}

/// The gateway hands on what it has stored, and says of it no more than that it is JSON.
fn shown(value: &Value) -> Response {
    errors::answer(200, Some("application/json"), errors::escaped(value))
}

/// The address that a finished task shows; a signed one is new at every query.
fn result_url(state: &State, task: &Task, now: f64) -> Option<String> {
    if task.phase(now) != Phase::Succeeded {
        return None;
    }
    let template = match task.plan.result_url.as_str() {
        "none" => return None,
        "content" => "{origin}/v1/videos/{id}/content",
        "second_host" => "{second}/v1/videos/{id}/content",
        "second_host_with_redirect" => "{second}/redirect/{id}",
        "unusable" => "{origin}/v1/files/{id}",
        "signed" => {
            let expires = state.clock.unix(now + task.plan.signed_expires_s);
            let link = format!("{{origin}}/video/grok/{{id}}?exp={expires}&sig={}", signature(&task.id, expires));
            return Some(fill_in(state, &link, &task.id));
        }
        template => template,
    };
    Some(fill_in(state, template, &task.id))
}

/// What makes a signed link valid.
pub(crate) fn signature(id: &str, expires: u64) -> String {
    let word = id.bytes().fold(mix(expires), |word, byte| mix(word ^ u64::from(byte)));
    format!("{word:016x}")
}
