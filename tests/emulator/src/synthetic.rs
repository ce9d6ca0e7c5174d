//! Answers that are made up from a fault alone.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::stream;
use hyper::header::{self, HeaderName};
use serde_json::{Value, json};

use crate::{
    errors::{self, Lang, answer as respond, json_answer},
    exchange::header_value,
    fault::Fault,
    scenario::Op,
    video::CHUNK,
};

/// Whether the request is carried out before the made-up answer.
pub(crate) fn acts(fault: &Fault) -> bool {
    match fault {
        Fault::Status { act, .. }
        | Fault::Html { act, .. }
        | Fault::EmptyBody { act, .. }
        | Fault::Garbage { act, .. }
        | Fault::HugeBody { act, .. }
        | Fault::EndlessBody { act }
        | Fault::DeepJson { act, .. } => *act,
        // What the task layer refuses was given back: no task is left (observed).
        Fault::ErrorShape { act, shape } => *act && !shape.is_task_layer(),
        Fault::NoId {} => true,
        _ => false,
    }
}

/// The made-up answer of a fault that has one.
pub(crate) fn answer(fault: &Fault, lang: Lang, request_id: &str) -> Response {
    match fault {
        Fault::Status { status, body, content_type, headers, .. } => {
            let (default, text) = match body {
                Value::Null => (None, String::new()),
                Value::String(text) => (Some("text/plain; charset=utf-8"), text.clone()),
                json => (Some("application/json; charset=utf-8"), json.to_string()),
            };
            let mut response = respond(*status, content_type.as_deref().or(default), text);
            for (name, value) in headers {
                if let Ok(name) = HeaderName::try_from(name.as_str()) {
                    response.headers_mut().append(name, header_value(value));
                }
            }
            response
        }
        Fault::Html { status, .. } => errors::html(*status),
        Fault::ErrorShape { shape, .. } => shape.answer(lang, request_id),
        Fault::EmptyBody { status, .. } => respond(*status, None, Body::empty()),
        Fault::Garbage { status, .. } => {
            let noise: Vec<u8> = (0..512u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            respond(*status, Some("application/json"), noise)
        }
        Fault::HugeBody { bytes, .. } => huge(*bytes),
        Fault::EndlessBody { .. } => {
            let start = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(br#"{"code":"success","pad":""#))]);
            let pad = Bytes::from(vec![b'a'; CHUNK]);
            let endless = stream::repeat_with(move || Ok(pad.clone()));
            let body = Body::from_stream(futures_util::StreamExt::chain(start, endless));
            respond(200, Some("application/json"), body)
        }
        Fault::DeepJson { depth, .. } => {
            let depth = *depth as usize;
            let text = ["{\"data\":", &"[".repeat(depth), &"]".repeat(depth), "}"].concat();
            respond(200, Some("application/json"), text)
        }
        Fault::NotReady {} => errors::not_completed("IN_PROGRESS"),
        Fault::JsonAsVideo { content_type } => {
            let body = json!({ "error": { "message": "upstream busy", "type": "server_error" } });
            respond(200, Some(content_type), body.to_string())
        }
        Fault::NoId {} => {
            json_answer(200, &json!({ "status": "queued", "model": "grok-image-video", "object": "video" }))
        }
        Fault::Accepted202 {} => errors::task_layer(202, "fail_to_fetch_task", "{}"),
        // The others change the regular answer and never come here.
        _ => json_answer(500, &json!({ "error": { "message": "not a made-up answer", "type": "emulator" } })),
    }
}

/// 429 in the shape that fits the request.
pub(crate) fn too_many(op: Op, lang: Lang, request_id: &str) -> Response {
    if op == Op::Content {
        return errors::proxy(429, "Too many requests");
    }
    let text = match lang {
        Lang::English => "Too many requests, please slow down",
        Lang::Chinese => "请求过于频繁，请稍后再试",
    };
    errors::gate(429, text, request_id, "rate_limit_exceeded")
}

/// A redirect without a body.
pub(crate) fn redirect(status: u16, location: &str) -> Response {
    let mut response = respond(status, None, Body::empty());
    response.headers_mut().insert(header::LOCATION, header_value(location));
    response
}

/// Valid JSON of exactly `bytes` bytes, made while it is sent.
fn huge(bytes: u64) -> Response {
    const HEAD: &[u8] = br#"{"code":"success","data":{"pad":""#;
    const TAIL: &[u8] = br#""}}"#;
    let pad = bytes.saturating_sub((HEAD.len() + TAIL.len()) as u64);
    let block = Bytes::from(vec![b'a'; CHUNK]);
    let blocks = pad.div_ceil(CHUNK as u64);
    let pieces = (0..blocks + 2).map(move |index| {
        Ok::<_, std::io::Error>(match index {
            0 => Bytes::from_static(HEAD),
            index if index == blocks + 1 => Bytes::from_static(TAIL),
            index => {
                let left = pad - (index - 1) * CHUNK as u64;
                block.slice(..left.min(CHUNK as u64) as usize)
            }
        })
    });
    let mut response = respond(200, Some("application/json"), Body::from_stream(stream::iter(pieces)));
    let length = pad + (HEAD.len() + TAIL.len()) as u64;
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response
}
