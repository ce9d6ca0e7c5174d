//! Paths, and what the service does with paths that it does not have.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    response::Response,
    routing::{delete, get, post, put},
};
use hyper::{
    Method,
    header::{self, HeaderValue},
};
use serde_json::json;

use crate::{content, control, create, errors, helpers, query, state::State, synthetic};

/// Everything that the emulator serves.
pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/v1/video/generations", post(create::create))
        .route("/v1/video/generations/{id}", get(query::query))
        .route("/v1/videos/{id}", get(query::video))
        .route("/v1/videos/{id}/content", get(content::content))
        .route("/video/grok/{id}", get(content::signed))
        .route("/redirect/{id}", get(content::redirect))
        .route("/v1/files/{id}", get(content::unusable))
        .route("/v1/models", get(helpers::models))
        .route("/api/usage/token/", get(helpers::usage))
        .route("/api/pricing", get(helpers::pricing))
        .route("/api/status", get(helpers::status))
        .route("/__emulator/scenario", put(control::put_scenario).get(control::scenario))
        .route("/__emulator/requests", get(control::requests))
        .route("/__emulator/requests", delete(control::clear_requests))
        .route("/__emulator/stats", get(control::stats))
        .route("/__emulator/tasks", post(control::add_task))
        .route("/__emulator/reset", post(control::reset))
        .route("/__emulator/video/{id}", get(control::video))
        .fallback(elsewhere)
        .method_not_allowed_fallback(elsewhere)
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}

/// A path without a handler: the web page of the gateway, a redirect, a preflight's answer or a JSON 404.
async fn elsewhere(request: Request) -> Response {
    let (method, uri) = (request.method(), request.uri());
    let path = uri.path();
    if method == Method::OPTIONS {
        return preflight();
    }
    let inside =
        ["/v1/", "/api/", "/video/grok/", "/redirect/", "/__emulator/"].iter().any(|start| path.starts_with(start));
    if path.contains("//") || !inside {
        return page();
    }
    let slashless = path.strip_suffix('/').unwrap_or("");
    let known = slashless == "/v1/models"
        || slashless.starts_with("/v1/video/generations")
        || slashless.starts_with("/v1/videos/");
    let moved =
        if known { Some(slashless.to_owned()) } else { (path == "/api/usage/token").then(|| format!("{path}/")) };
    if let Some(mut location) = moved {
        if let Some(query) = uri.query() {
            location = format!("{location}?{query}");
        }
        return synthetic::redirect(if method == Method::GET { 301 } else { 307 }, &location);
    }
    let message = format!("Invalid URL ({method} {path})");
    errors::json_answer(
        404,
        &json!({ "error": { "message": message, "type": "invalid_request_error", "param": "", "code": "" } }),
    )
}

fn preflight() -> Response {
    let mut response = errors::answer(204, None, "");
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,POST,PUT,DELETE,OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("43200"));
    response
}

/// The gateway's web interface answers every other path, to every method.
fn page() -> Response {
    let html = "<!doctype html>\n<html lang=\"zh\">\n<head><meta charset=\"utf-8\"><title>New API</title></head>\n\
                <body><div id=\"root\"></div></body>\n</html>\n";
    errors::answer(200, Some("text/html; charset=utf-8"), html)
}
