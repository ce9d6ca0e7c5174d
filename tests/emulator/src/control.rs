//! `/__emulator/…`: what tests use to steer and to look.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Path, State as Shared},
    response::Response,
};
use futures_util::stream;
use serde_json::json;

use crate::{
    errors::{answer, json_answer},
    log::RecordedRequest,
    scenario::{Scenario, ScenarioError, parse},
    state::{State, Stats},
    task_spec::TaskSpec,
    video::CHUNK,
};

fn refused(error: &ScenarioError) -> Response {
    json_answer(400, &json!({ "error": error.to_string() }))
}

pub(crate) async fn put_scenario(Shared(state): Shared<Arc<State>>, body: String) -> Response {
    match Scenario::from_json(&body) {
        Ok(scenario) => {
            state.set_scenario(scenario);
            answer(204, None, "")
        }
        Err(error) => refused(&error),
    }
}

pub(crate) async fn patch_scenario(Shared(state): Shared<Arc<State>>, body: String) -> Response {
    let patch = parse::<serde_json::Map<_, _>>(&body).map(serde_json::Value::Object);
    match patch.and_then(|patch| state.patch_scenario(&patch)) {
        Ok(()) => answer(204, None, ""),
        Err(error) => refused(&error),
    }
}

pub(crate) async fn add_rule(Shared(state): Shared<Arc<State>>, body: String) -> Response {
    match parse(&body).and_then(|rule| state.add_rule(rule)) {
        Ok(()) => answer(204, None, ""),
        Err(error) => refused(&error),
    }
}

pub(crate) async fn scenario(Shared(state): Shared<Arc<State>>) -> Json<Scenario> {
    Json(state.lock().scenario.clone())
}

pub(crate) async fn requests(Shared(state): Shared<Arc<State>>) -> Json<Vec<RecordedRequest>> {
    Json(state.log.snapshot())
}

pub(crate) async fn clear_requests(Shared(state): Shared<Arc<State>>) -> Response {
    state.log.clear();
    answer(204, None, "")
}

pub(crate) async fn stats(Shared(state): Shared<Arc<State>>) -> Json<Stats> {
    Json(state.stats())
}

pub(crate) async fn add_task(Shared(state): Shared<Arc<State>>, body: String) -> Response {
    let body = if body.trim().is_empty() { "{}" } else { &body };
    match TaskSpec::from_json(body) {
        Ok(spec) => json_answer(200, &json!({ "id": state.add_task(spec) })),
        Err(error) => refused(&error),
    }
}

pub(crate) async fn ca(Shared(state): Shared<Arc<State>>) -> Response {
    match state.ca_pem() {
        Some(pem) => answer(200, Some("application/x-pem-file"), pem),
        None => json_answer(404, &json!({ "error": "the emulator was started without TLS" })),
    }
}

pub(crate) async fn reset(Shared(state): Shared<Arc<State>>) -> Response {
    state.reset();
    answer(204, None, "")
}

pub(crate) async fn video(Shared(state): Shared<Arc<State>>, Path(id): Path<String>) -> Response {
    let Ok(Some(file)) = tokio::task::spawn_blocking(move || state.file(&id)).await else {
        return json_answer(404, &json!({ "error": "no such task" }));
    };
    let length = file.len();
    let pieces = stream::unfold(0, move |at| {
        let piece = file.read(at, CHUNK);
        let next = at + piece.len() as u64;
        std::future::ready((!piece.is_empty()).then_some((Ok::<_, std::io::Error>(piece), next)))
    });
    let mut response = answer(200, Some("video/mp4"), Body::from_stream(pieces));
    response.headers_mut().insert("content-length", length.into());
    response
}
