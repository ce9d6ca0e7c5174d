//! The shared corpus `tests/vectors`, through the core's codecs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use junfeiai::endpoint::{Endpoint, Trust};
use junfeiai::protocol::content_range::{ContentRange, ContentRangeHeader};
use junfeiai::protocol::retry_after::parse_retry_after;
use junfeiai::protocol::{ApiResponse, classify, parse_create, parse_query};
use junfeiai::transport::Headers;
use junfeiai::{Error, Length, Origin, Phase, Url, VideoRequest};
use serde_json::{Map, Value, json};

/// Runs every vector of a file; says all differences, not the first.
fn run(file: &str, run_one: impl Fn(&Value) -> Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(file);
    let corpus: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = corpus["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 20, "{file} is too short to be true");
    let mut differences = Vec::new();
    for vector in vectors {
        let is = run_one(vector);
        if let Err(why) = compare(&vector["expect"], &is, file == "requests.json") {
            differences.push(format!("{} ({}): {why}\n    is {is}", vector["name"], vector["source"]));
        }
    }
    assert!(differences.is_empty(), "{file}: {} of {}\n{}", differences.len(), vectors.len(), differences.join("\n"));
}

fn compare(expect: &Value, is: &Value, requests: bool) -> Result<(), String> {
    let (Value::Object(expect), Value::Object(is)) = (expect, is) else {
        return if same(expect, is) { Ok(()) } else { Err(format!("expected {expect}")) };
    };
    for (key, wanted) in expect {
        let got = is.get(key).unwrap_or(&Value::Null);
        match (key.as_str(), wanted) {
            ("message_contains", Value::Array(pieces)) => {
                let text = is["text"].as_str().unwrap_or_default();
                if let Some(missing) = pieces.iter().find(|piece| !text.contains(piece.as_str().unwrap())) {
                    return Err(format!("{missing} is not in {text:?}"));
                }
            }
            ("warnings", Value::Array(wanted)) => {
                let mut got: Vec<String> = got.as_array().into_iter().flatten().map(ToString::to_string).collect();
                let mut wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
                got.sort();
                wanted.sort();
                if got != wanted {
                    return Err(format!("warnings {got:?}, expected {wanted:?}"));
                }
            }
            ("body", wanted) if requests && !same(wanted, got) => return Err(format!("body, expected {wanted}")),
            ("body", _) if requests => {}
            (_, Value::Object(_)) => compare(wanted, got, requests)?,
            _ if !same(wanted, got) => return Err(format!("{key} is {got}, expected {wanted}")),
            _ => {}
        }
    }
    Ok(())
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(v, w)| same(v, w)),
        (a, b) => a == b,
    }
}

fn answer(input: &Value) -> ApiResponse {
    let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned());
    let headers: Headers = input["headers"].as_array().into_iter().flatten().map(pair).collect();
    ApiResponse::new(input["status"].as_u64().unwrap() as u16, headers, input["body"].as_str().unwrap().to_owned())
}

fn error(error: &Error) -> Value {
    let record = error.record();
    json!({ "error": {
        "kind": record.kind.name(),
        "code": record.code,
        "http_status": record.status,
        "request_id": record.request_id,
        "retry_after": record.retry_after.map(|after| after.as_secs_f64()),
        "maybe_executed": record.maybe_executed,
        "transient": record.transient,
        "server_message": record.server_message,
        "field": record.field,
        "task_id": record.task_id,
        "text": error.to_string(),
    }})
}

fn create(input: &Value) -> Value {
    let asked = input["asked_seconds"].as_str().map(Length::from);
    match parse_create(&answer(input), asked.as_ref()) {
        Err(failure) => error(&failure),
        Ok(created) => json!({ "ok": {
            "task_id": created.snapshot.task_id,
            "status": created.snapshot.status.name(),
            "raw_status": created.snapshot.raw_status,
            "model": created.snapshot.model,
            "progress": created.snapshot.progress,
            "billed_seconds": created.snapshot.billed_seconds,
            "billed_differs": created.warning.is_some(),
        }}),
    }
}

fn query(input: &Value) -> Value {
    let endpoint = Endpoint::parse(input["base_url"].as_str().unwrap_or("standard")).unwrap();
    match parse_query(input["task_id"].as_str().unwrap_or("task_1"), &endpoint, &answer(input)) {
        Err(failure) => error(&failure),
        Ok(seen) => json!({ "ok": {
            "task_id": seen.task_id,
            "status": seen.status.name(),
            "raw_status": seen.raw_status,
            "progress": seen.progress,
            "video_url": seen.video_url,
            "fail_reason": seen.fail_reason,
            "created_at": seen.created_at,
            "finished_at": seen.finished_at,
        }}),
    }
}

#[test]
fn creates() {
    run("create.json", |vector| create(&vector["input"]));
}

#[test]
fn queries() {
    run("query.json", |vector| query(&vector["input"]));
}

#[test]
fn errors() {
    run("errors.json", |vector| {
        let input = &vector["input"];
        let success = (200..300).contains(&input["status"].as_u64().unwrap());
        match input["phase"].as_str().unwrap() {
            "create" if success => create(input),
            "query" if success => query(input),
            phase => {
                let phase = match phase {
                    "create" => Phase::Create,
                    "query" => Phase::Query,
                    _ => Phase::Content,
                };
                classify(phase, &answer(input)).map_or(Value::Null, |failure| error(&failure))
            }
        }
    });
}

#[test]
fn requests() {
    run("requests.json", |vector| {
        let prepared = VideoRequest::from_json(vector["input"].clone()).and_then(|request| request.prepare());
        match prepared {
            Err(failure) => error(&failure),
            Ok(prepared) => json!({
                "body": serde_json::from_slice::<Value>(&prepared.body).unwrap(),
                "warnings": prepared.warnings.iter().map(|warning| warning.code.name()).collect::<Vec<_>>(),
            }),
        }
    });
}

#[test]
fn urls() {
    run("urls.json", |vector| {
        let input = &vector["input"];
        match vector["what"].as_str().unwrap() {
            "endpoint" => match Endpoint::parse(input.as_str().unwrap()) {
                Ok(endpoint) => json!({ "base": endpoint.to_string() }),
                Err(failure) => error(&failure),
            },
            "credential" => match trust(input) {
                Ok(trust) => {
                    let url = Url::parse(input["url"].as_str().unwrap());
                    json!({ "send_key": url.is_ok_and(|url| trust.allows(&url)) })
                }
                Err(failure) => error(&failure),
            },
            _ => {
                let from = Url::parse(input["from"].as_str().unwrap()).unwrap();
                let location = input["location"].as_str().unwrap();
                // An empty Location is no place to go to.
                let to = Some(location).filter(|location| !location.is_empty()).and_then(|to| from.resolve(to).ok());
                json!({ "url": to.map(|url| url.to_string()) })
            }
        }
    });
}

fn trust(input: &Value) -> junfeiai::Result<Trust> {
    let list = |name: &str| -> Vec<String> {
        input[name].as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let endpoints = list("base_urls").iter().map(|text| Endpoint::parse(text)).collect::<junfeiai::Result<Vec<_>>>()?;
    let video: Option<Origin> = input["video_base_url"].as_str().map(|url| Url::parse(url).unwrap().origin());
    Trust::new(&endpoints, video.as_ref(), &list("trusted_hosts"))
}

#[test]
fn retry_after() {
    run("retry_after.json", |vector| {
        let input = &vector["input"];
        let after = input["value"].as_str().and_then(|value| parse_retry_after(value, input["now_unix"].as_u64()));
        json!({ "seconds": after.map(|after| after.as_secs_f64()) })
    });
}

#[test]
fn content_range() {
    run("content_range.json", |vector| match vector["input"]["value"].as_str().and_then(ContentRange::parse) {
        None => Value::Null,
        Some(ContentRangeHeader::Unsatisfied { total }) => json!({ "unsatisfied": true, "total": total }),
        Some(ContentRangeHeader::Satisfied(range)) => {
            let mut out = Map::new();
            out.insert("start".into(), range.start.into());
            out.insert("end".into(), range.end_inclusive.into());
            out.insert("total".into(), range.total.map_or(Value::Null, Into::into));
            out.into()
        }
    });
}
