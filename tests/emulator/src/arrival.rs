//! A request as it arrives: what it is for, whose key it carries, what is logged of it.

use std::collections::BTreeMap;

use hyper::{
    HeaderMap, Method,
    header::{self, HeaderName},
    http::request::Parts,
};

use crate::{
    errors::Lang,
    log::{KeySeen, RecordedRequest},
    rules::HostName,
    scenario::Op,
    state::State,
};

/// What the handlers know about a request beside the request.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) host: HostName,
    pub(crate) lang: Lang,
    pub(crate) request_id: String,
    /// The key, where one came.
    pub(crate) key: Option<String>,
    pub(crate) tweaks: Tweaks,
}

/// Faults that only the file handler can play.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tweaks {
    pub(crate) ignore_range: bool,
    pub(crate) shift: i64,
    pub(crate) total: i64,
    pub(crate) incomplete: bool,
    pub(crate) incomplete_bytes: Option<u64>,
    pub(crate) change_etag: bool,
    pub(crate) change_file: bool,
}

/// A header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// What a request is for.
pub(crate) fn classify(method: &Method, path: &str) -> Op {
    let is_file = path.starts_with("/v1/videos/") && path.ends_with("/content");
    let is_create = matches!(path, "/v1/video/generations" | "/v1/videos")
        || (path.starts_with("/v1/videos/") && path.ends_with("/remix"));
    if method == Method::POST && is_create {
        Op::Create
    } else if is_file || ["/video/grok/", "/redirect/", "/v1/files/"].iter().any(|start| path.starts_with(start)) {
        Op::Content
    } else if path.starts_with("/v1/video/generations/") || path.starts_with("/v1/videos/") {
        Op::Query
    } else {
        Op::Other
    }
}

/// The key of a request: the gateway takes it without the word "Bearer", too.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = text(headers, &header::AUTHORIZATION)?.trim();
    let key = match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => value,
    };
    (!key.is_empty()).then(|| key.to_owned())
}

pub(crate) fn range_start(headers: &HeaderMap) -> Option<u64> {
    text(headers, &header::RANGE)?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
}

pub(crate) fn record(
    state: &State,
    head: &Parts,
    op: Op,
    host: HostName,
    key: Option<&str>,
    connection: u64,
) -> RecordedRequest {
    let seen = match key {
        Some(key) if state.lock().keys.contains_key(key) => KeySeen::Valid,
        Some(_) => KeySeen::Other,
        None if head.headers.contains_key(header::AUTHORIZATION) => KeySeen::Other,
        None => KeySeen::None,
    };
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &head.headers {
        let value = if name == header::AUTHORIZATION || name == header::PROXY_AUTHORIZATION {
            seen.as_str().to_owned()
        } else {
            state.redact(&String::from_utf8_lossy(value.as_bytes()))
        };
        let slot = headers.entry(name.as_str().to_owned()).or_default();
        if !slot.is_empty() {
            slot.push_str(", ");
        }
        slot.push_str(&value);
    }
    RecordedRequest {
        seq: 0,
        at_ms: state.clock.real_ms(),
        op,
        method: head.method.to_string(),
        path: state.redact(head.uri.path()),
        query: state.redact(head.uri.query().unwrap_or("")),
        host,
        range: headers.get("range").cloned(),
        headers,
        key: seen,
        body_bytes: 0,
        body_json: None,
        fault: None,
        status: None,
        sent_bytes: 0,
        complete: false,
        connection,
    }
}
