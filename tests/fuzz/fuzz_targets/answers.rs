//! Answers of the server: no body makes a decoder panic, and nothing that may have been paid for counts as nothing.
#![no_main]

use junfeiai::endpoint::Endpoint;
use junfeiai::protocol::{Answer, classify, parse_create, parse_query};
use junfeiai::transport::Headers;
use junfeiai::{ErrorKind, Phase, TaskStatus, VideoRequest};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, String, Vec<u8>)| {
    let (status, header, body) = input;
    let headers: Headers =
        ["retry-after", "x-oneapi-request-id", "x-new-api-other-ratios", "content-type"].map(|name| (name, header.as_str())).into_iter().collect();
    let answer = Answer::new(status, headers, body.clone());
    for phase in [Phase::Create, Phase::Query, Phase::Content] {
        if let Some(error) = classify(phase, &answer) {
            assert!(!error.to_string().contains('\n'));
            assert_eq!(error.maybe_executed(), error.kind() == ErrorKind::CreateOutcomeUnknown);
        }
    }
    match parse_create(&answer, None) {
        Ok(created) => assert!(!created.snapshot.task_id.is_empty()),
        Err(error) => assert!(!(200..300).contains(&status) || error.maybe_executed()),
    }
    if let Ok(seen) = parse_query("task_1", &Endpoint::standard(), &answer) {
        assert_eq!(seen.video_url.is_some(), seen.status == TaskStatus::Succeeded);
    }
    if let Ok(value) = serde_json::from_slice(&body)
        && let Ok(request) = VideoRequest::from_json(value)
    {
        let _ = request.prepare();
    }
});
