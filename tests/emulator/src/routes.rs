//! Paths, and what the service does with paths and methods that it does not have.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    response::Response,
    routing::{delete, get, post, put},
};
use hyper::{
    HeaderMap, Method,
    header::{self, HeaderValue},
};
use serde_json::json;

use crate::{
    arrival::text,
    content, control, create,
    errors::{self, Lacks},
    exchange::header_value,
    helpers, query,
    state::State,
};

/// Everything that the emulator serves.
pub(crate) fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/v1/video/generations", post(create::create))
        .route("/v1/videos", post(create::create))
        .route("/v1/videos/{id}/remix", post(create::remix))
        .route("/v1/video/generations/{id}", get(query::query))
        .route("/v1/videos/{id}", get(query::video))
        .route("/v1/videos/{id}/content", get(content::content))
        .route("/video/grok/{id}", get(content::signed))
        .route("/redirect/{id}", get(content::redirect))
        .route("/v1/files/{id}", get(content::unusable))
        .route("/v1/models", get(helpers::models))
        .route("/v1/dashboard/billing/subscription", get(helpers::subscription))
        .route("/v1/dashboard/billing/usage", get(helpers::billing_usage))
        .route("/api/usage/token/", get(helpers::usage))
        .route("/api/log/token", get(helpers::log))
        .route("/api/task/self", get(helpers::own_tasks))
        .route("/api/pricing", get(helpers::pricing))
        .route("/api/status", get(helpers::status))
        .route("/__emulator/scenario", put(control::put_scenario).get(control::scenario).patch(control::patch_scenario))
        .route("/__emulator/rules", post(control::add_rule))
        .route("/__emulator/requests", get(control::requests))
        .route("/__emulator/requests", delete(control::clear_requests))
        .route("/__emulator/stats", get(control::stats))
        .route("/__emulator/tasks", post(control::add_task))
        .route("/__emulator/ca", get(control::ca))
        .route("/__emulator/reset", post(control::reset))
        .route("/__emulator/video/{id}", get(control::video))
        .fallback(elsewhere)
        .method_not_allowed_fallback(elsewhere)
        .layer(DefaultBodyLimit::disable())
        .with_state(state)
}

/// A path or a method without a handler: a redirect to the path that is meant, a preflight's answer, a JSON 404, or the web
/// page of the gateway.
pub(crate) async fn elsewhere(request: Request) -> Response {
    let (method, uri) = (request.method(), request.uri());
    let path = uri.path();
    if path.starts_with("/__emulator/") {
        return errors::json_answer(404, &json!({ "error": "the emulator has no such path" }));
    }
    // The router's own doing, before the gateway says anything: neither request id nor CORS.
    if let Some(mut location) = other_slash(path).filter(|other| is_route(method, other)) {
        if let Some(query) = uri.query() {
            location = format!("{location}?{query}");
        }
        return moved(method, &location);
    }
    if method == Method::OPTIONS && foreign_origin(request.headers()).is_some() {
        return preflight();
    }
    if path.starts_with("/v1") || path.starts_with("/api") {
        let mut response = errors::no_such_path(method.as_str(), path);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=604800"));
        headers.insert("cache-version", HeaderValue::from_static(CACHE_VERSION));
        return response;
    }
    page()
}

/// Names the build of the web interface, on everything that has no route.
const CACHE_VERSION: &str = "b688f2fb5be447c25e5aa3bd063087a83db32a288bf6a4f35f2d8db310e40b14";

/// The path with a slash at its end, or without it.
fn other_slash(path: &str) -> Option<String> {
    match path.strip_suffix('/') {
        Some("") => None,
        Some(without) => Some(without.to_owned()),
        None => Some(format!("{path}/")),
    }
}

/// The gateway's routes; a part in braces stands for any text.
const ROUTES: [(Method, &str); 14] = [
    (Method::POST, "/v1/video/generations"),
    (Method::POST, "/v1/videos"),
    (Method::POST, "/v1/videos/{id}/remix"),
    (Method::GET, "/v1/video/generations/{id}"),
    (Method::GET, "/v1/videos/{id}"),
    (Method::GET, "/v1/videos/{id}/content"),
    (Method::GET, "/v1/models"),
    (Method::GET, "/v1/dashboard/billing/subscription"),
    (Method::GET, "/v1/dashboard/billing/usage"),
    (Method::GET, "/api/usage/token/"),
    (Method::GET, "/api/log/token"),
    (Method::GET, "/api/task/self"),
    (Method::GET, "/api/pricing"),
    (Method::GET, "/api/status"),
];

fn is_route(method: &Method, path: &str) -> bool {
    let fits = |pattern: &str| {
        let (mut wanted, mut given) = (pattern.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some("{id}"), Some(part)) if !part.is_empty() => {}
                (Some(wanted), Some(given)) if wanted == given => {}
                _ => return false,
            }
        }
    };
    ROUTES.iter().any(|(allowed, pattern)| allowed == method && fits(pattern))
}

/// To the path that is meant: 301 with a page for GET, 307 without a body for everything else.
fn moved(method: &Method, location: &str) -> Response {
    let mut response = if *method == Method::GET {
        let page = format!("<a href=\"{}\">Moved Permanently</a>.\n\n", location.replace('&', "&amp;"));
        errors::answer(301, Some("text/html; charset=utf-8"), page)
    } else {
        errors::answer(307, None, "")
    };
    response.headers_mut().insert(header::LOCATION, header_value(location));
    response.extensions_mut().insert(Lacks::RequestIdAndCors);
    response
}

/// The origin of a page that asks another server than its own: CORS is about nobody else.
pub(crate) fn foreign_origin(headers: &HeaderMap) -> Option<&str> {
    let origin = text(headers, &header::ORIGIN).filter(|origin| !origin.is_empty())?;
    let own = text(headers, &header::HOST).is_some_and(|host| {
        origin.split_once("://").is_some_and(|(scheme, at)| matches!(scheme, "http" | "https") && at == host)
    });
    (!own).then_some(origin)
}

fn preflight() -> Response {
    let mut response = errors::answer(204, None, "");
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET,POST,PUT,DELETE,OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("43200"));
    response
}

/// The gateway's web interface answers every other path, to every method.
fn page() -> Response {
    let html = "<!doctype html>\n<html lang=\"zh\">\n<head><meta charset=\"utf-8\"><title>New API</title></head>\n\
                <body><div id=\"root\"></div></body>\n</html>\n";
    let mut response = errors::answer(200, Some("text/html; charset=utf-8"), html);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("cache-version", HeaderValue::from_static(CACHE_VERSION));
    response.extensions_mut().insert(Lacks::Cors);
    response
}
