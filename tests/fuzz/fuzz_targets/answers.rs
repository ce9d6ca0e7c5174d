//! Answers of the server: no body makes a decoder panic, and nothing that may have been paid for counts as nothing.
//!
//! Input: the status in two bytes, header lines, an empty line, the body.
#![no_main]

use junfeiai::endpoint::Endpoint;
use junfeiai::protocol::{ApiResponse, classify, parse_balance, parse_create, parse_models, parse_query};
use junfeiai::transport::Headers;
use junfeiai::{ErrorKind, Phase, TaskStatus, VideoRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((status, rest)) = input.split_first_chunk::<2>() else { return };
    let status = u16::from_be_bytes(*status);
    let end = rest.windows(2).position(|pair| pair == b"\n\n").map_or(0, |at| at + 1);
    let (head, body) = rest.split_at(end);
    let body = body.strip_prefix(b"\n").unwrap_or(body);
    let head = String::from_utf8_lossy(head);
    let headers: Headers = head.lines().filter_map(|line| line.split_once(": ")).collect();
    let answer = ApiResponse::new(status, headers, body.to_vec());
    for phase in [Phase::Create, Phase::Query, Phase::Content] {
        if let Some(error) = classify(phase, &answer) {
            assert!(!error.to_string().contains('\n'));
            assert_eq!(error.maybe_executed(), error.kind() == ErrorKind::CreateOutcomeUnknown);
        }
    }
    match parse_create(&answer, None) {
        Ok(created) => assert!(!created.snapshot.task_id.is_empty()),
        // An error of the task layer was refunded, whatever its status.
        Err(error) => assert!(!(200..300).contains(&status) || error.maybe_executed() || is_of_task_layer(body)),
    }
    if let Ok(seen) = parse_query("task_1", &Endpoint::standard(), &answer) {
        assert_eq!(seen.video_url.is_some(), seen.status == TaskStatus::Succeeded);
    }
    let _ = parse_models(&answer);
    let _ = parse_balance(&answer);
    if let Ok(value) = serde_json::from_slice(body)
        && let Ok(request) = VideoRequest::from_json(value)
    {
        let _ = request.prepare();
    }
});

/// `code` beside `"data": null`.
fn is_of_task_layer(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let value: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    value.is_some_and(|value| value.get("code").is_some() && value.get("data").is_some_and(serde_json::Value::is_null))
}
