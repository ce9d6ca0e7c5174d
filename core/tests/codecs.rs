//! No answer whatever makes a decoder panic, and what it makes of it holds together.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::Cell;

use junfeiai::endpoint::Endpoint;
use junfeiai::protocol::{ApiResponse, classify, parse_create, parse_query};
use junfeiai::transport::Headers;
use junfeiai::{ErrorKind, Length, Phase, TaskStatus, VideoRequest};

use proptest::prelude::*;
use serde_json::{Value, json};

/// JSON made of the protocol's own words, so that it comes close to what decoders look for.
fn json_value() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "",
        "success",
        "SUCCESS",
        "FAILURE",
        "queued",
        "task_1",
        "../x",
        "42%",
        "https://a.b/c",
        "task_not_exist",
        "fail_to_fetch_task",
        "model_not_found",
        "Invalid token (request id: 1)",
        "\u{0}\n长",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        word.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let key = prop::sample::select(vec![
            "code",
            "message",
            "data",
            "error",
            "id",
            "task_id",
            "status",
            "progress",
            "result_url",
            "fail_reason",
            "url",
            "video",
            "metadata",
            "success",
            "created_at",
            "type",
            "model",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => json_value().prop_map(|value| value.to_string().into_bytes()),
        1 => (json_value(), any::<prop::sample::Index>()).prop_map(|(value, cut)| {
            let text = value.to_string().into_bytes();
            let end = cut.index(text.len() + 1);
            text[..end].to_vec()
        }),
        1 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (1_usize..3000).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

fn answer() -> impl Strategy<Value = ApiResponse> {
    let name = prop::sample::select(vec![
        "retry-after",
        "x-oneapi-request-id",
        "x-new-api-other-ratios",
        "content-type",
        "Content-Range",
    ]);
    let header =
        (name, prop_oneof![any::<String>(), Just("{\"seconds\":1e309}".to_owned()), Just("text/html".to_owned())]);
    let status = prop_oneof![Just(200_u16), 100_u16..600, any::<u16>()];
    (status, prop::collection::vec(header, 0..4), body())
        .prop_map(|(status, headers, body)| ApiResponse::new(status, headers.into_iter().collect::<Headers>(), body))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn decoders_never_panic_and_hold_together(answer in answer(), asked in prop::option::of(".{0,8}")) {
        let success = (200..300).contains(&answer.status());
        for phase in [Phase::Create, Phase::Query, Phase::Content] {
            if let Some(error) = classify(phase, &answer) {
                prop_assert_eq!(error.status(), Some(answer.status()));
                prop_assert!(!error.to_string().contains('\n'));
                prop_assert_eq!(error.maybe_executed(), error.kind() == ErrorKind::CreateOutcomeUnknown);
            } else {
                prop_assert!(success);
            }
        }
        let asked = asked.as_deref().map(Length::from);
        match parse_create(&answer, asked.as_ref()) {
            Ok(created) => {
                prop_assert!(success && !created.snapshot.task_id.trim().is_empty());
                // However it looks, it is one segment of a path.
                let base = junfeiai::endpoint::Endpoint::standard();
                let path = base.content_url(&created.snapshot.task_id).to_string();
                prop_assert_eq!(path.split('/').count(), 7, "{}", path);
                prop_assert!(!path.contains(['?', '#', '\\', ' ']), "{}", path);
            }
            // An answer that says yes, or fails for reasons of its own, never counts as "nothing happened"; but for the task
            // layer's refusals.
            Err(error) => {
                let refused = error.record().code.is_some();
                prop_assert!(!success || error.maybe_executed() || refused, "{}", error);
            }
        }
        let endpoint = Endpoint::standard();
        if let Ok(seen) = parse_query("task_1", &endpoint, &answer) {
            prop_assert_eq!(seen.video_url.is_some(), seen.status == TaskStatus::Succeeded);
            prop_assert!(seen.fail_reason.is_none() || seen.status == TaskStatus::Failed);
            prop_assert!(seen.progress.is_none_or(|progress| (0.0..=100.0).contains(&progress)));
        }
    }
}

#[test]
fn requests_never_panic_and_send_seconds_as_text() {
    // Numbers that are no length as well as some that are: both ends are to be seen.
    let seconds = prop_oneof![
        any::<f64>().prop_map(|n| json!(n)),
        (0..20_u32).prop_map(|n| json!(n)),
        (0..20_u32).prop_map(|n| json!(n.to_string())),
        ".{0,6}".prop_map(Value::from),
    ];
    let size = prop_oneof![Just("1280x720".to_owned()), ".{0,12}"];
    let (sent, refused) = (Cell::new(0), Cell::new(0));
    proptest!(
        ProptestConfig::with_cases(4000),
        |(value in json_value(), prompt in ".{0,30}", seconds in seconds, size in size)| {
            let _ = VideoRequest::from_json(value);
            let request = VideoRequest::from_json(json!({ "prompt": prompt, "seconds": seconds, "size": size }));
            let Ok(prepared) = request.and_then(|request| request.prepare()) else {
                refused.set(refused.get() + 1);
                return Ok(());
            };
            sent.set(sent.get() + 1);
            let body: Value = serde_json::from_slice(&prepared.body).unwrap();
            prop_assert!(body["seconds"].is_string());
            let seconds: f64 = body["seconds"].as_str().unwrap().parse().unwrap();
            prop_assert!((1.0..=15.0).contains(&seconds));
        }
    );
    assert!(sent.get() > 100 && refused.get() > 100, "{sent:?} {refused:?}");
}
