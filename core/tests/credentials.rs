//! The key goes to the listed hosts and to no other, whatever the service answers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use junfeiai::{Client, ClientBuilder, ErrorKind};
use junfeiai_emulator::{Emulator, HostName, KeySeen};
use serde_json::json;

fn emulator(scenario: &serde_json::Value) -> Emulator {
    let emulator = Emulator::builder().api_key("sk-test").time_scale(2000.0).second_host(true).start().unwrap();
    emulator.set_scenario_json(&scenario.to_string()).unwrap();
    emulator
}

fn builder(emulator: &Emulator) -> ClientBuilder {
    Client::builder().api_key("sk-test").endpoint(emulator.base_url()).poll_interval(Duration::from_millis(20))
}

/// What the second host saw: whether the key came along, for each request.
fn keys_at_second(emulator: &Emulator) -> Vec<KeySeen> {
    emulator
        .requests()
        .into_iter()
        .filter(|request| request.host == HostName::Second)
        .map(|request| request.key)
        .collect()
}

#[tokio::test]
async fn a_result_on_an_unlisted_host_is_asked_without_the_key() {
    let emulator =
        emulator(&json!({ "task": { "result_url": "second_host" }, "content": { "second_needs_key": true } }));
    let client = builder(&emulator).build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    let video = task.wait().await.unwrap();
    assert!(video.url().unwrap().starts_with(&emulator.second_origin().unwrap()));
    // The unlisted host wants a key, does not get it, and the video comes from our own entry.
    assert_eq!(video.bytes().await.unwrap(), emulator.video_bytes(task.id()).unwrap());
    let seen = keys_at_second(&emulator);
    assert!(!seen.is_empty() && seen.iter().all(|key| *key == KeySeen::None), "{seen:?}");
}

#[tokio::test]
async fn a_listed_host_gets_the_key() {
    let emulator =
        emulator(&json!({ "task": { "result_url": "second_host" }, "content": { "second_needs_key": true } }));
    let second = emulator.second_origin().unwrap();
    let client = builder(&emulator).trust_host(second.trim_start_matches("http://")).build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    let bytes = task.wait().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, emulator.video_bytes(task.id()).unwrap());
    assert_eq!(keys_at_second(&emulator), [KeySeen::Valid]);
}

#[tokio::test]
async fn a_redirect_to_another_port_loses_the_key() {
    let fault = json!({ "kind": "redirect", "status": 302, "location": "{second}/v1/videos/{id}/content" });
    let emulator =
        emulator(&json!({ "rules": [{ "match": { "op": "content", "host": "first" }, "times": 1, "fault": fault }] }));
    let client = builder(&emulator).build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    let bytes = task.wait().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, emulator.video_bytes(task.id()).unwrap());
    let seen = keys_at_second(&emulator);
    assert!(!seen.is_empty() && seen.iter().all(|key| *key == KeySeen::None), "{seen:?}");
}

/// What each host saw of the caller's own header, the query's, the create's and the file's requests.
fn seen_by(emulator: &Emulator, host: HostName) -> Vec<Option<String>> {
    let requests = emulator.requests().into_iter().filter(|request| request.host == host);
    requests.map(|request| request.headers.get("x-tenant").cloned()).collect()
}

#[tokio::test]
async fn headers_reach_every_call_and_no_other_host() {
    let fault = json!({ "kind": "redirect", "status": 302, "location": "{second}/v1/videos/{id}/content" });
    let emulator =
        emulator(&json!({ "rules": [{ "match": { "op": "content", "host": "first" }, "times": 1, "fault": fault }] }));
    let client = builder(&emulator)
        .header("X-Tenant", "first")
        .header("x-tenant", " blue ")
        .user_agent("my-app/1.2 (test)")
        .build()
        .unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    let bytes = task.wait().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, emulator.video_bytes(task.id()).unwrap());
    client.models().await.unwrap();
    let (first, second) = (seen_by(&emulator, HostName::First), seen_by(&emulator, HostName::Second));
    assert!(first.len() >= 4 && first.iter().all(|value| value.as_deref() == Some("blue")), "{first:?}");
    assert!(!second.is_empty() && second.iter().all(Option::is_none), "{second:?}");
    let named = format!("junfeiai/{} (rust) my-app/1.2 (test)", junfeiai::VERSION);
    assert!(emulator.requests().iter().all(|request| request.headers["user-agent"] == named));
    // Nothing is unpacked, so nothing may be packed.
    assert!(emulator.requests().iter().all(|request| request.headers["accept-encoding"] == "identity"));
}

#[tokio::test]
async fn a_listed_host_gets_the_headers() {
    let emulator = emulator(&json!({ "task": { "result_url": "second_host" } }));
    let second = emulator.second_origin().unwrap();
    let client = builder(&emulator).trust_host(second.trim_start_matches("http://")).header("X-Tenant", "blue");
    let client = client.build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    task.wait().await.unwrap().bytes().await.unwrap();
    assert_eq!(seen_by(&emulator, HostName::Second), [Some("blue".to_owned())]);
}

#[tokio::test]
async fn a_query_is_not_redirected_to_an_unlisted_host() {
    let fault = json!({ "kind": "redirect", "status": 307, "location": "{second}/v1/video/generations/{id}" });
    let emulator = emulator(&json!({ "rules": [{ "match": { "op": "query" }, "fault": fault }] }));
    let client = builder(&emulator).build().unwrap();
    let error = client.videos().get("task_1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UntrustedHost, "{error}");
    assert!(keys_at_second(&emulator).is_empty());
}

#[tokio::test]
async fn a_create_follows_no_redirect() {
    let fault = json!({ "kind": "redirect", "status": 307, "location": "{second}/v1/video/generations" });
    let emulator = emulator(&json!({ "rules": [{ "match": { "op": "create" }, "fault": fault }] }));
    let error = builder(&emulator).build().unwrap().videos().create("a red ball").await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::UnexpectedResponse, false), "{error}");
    assert!(keys_at_second(&emulator).is_empty());
    assert_eq!(emulator.created_tasks(), 0);
}

#[tokio::test]
async fn endless_redirects_end() {
    let fault = json!({ "kind": "redirect", "status": 302, "location": "/v1/videos/{id}/content" });
    let emulator = emulator(&json!({ "rules": [{ "match": { "op": "content" }, "fault": fault }] }));
    let id = emulator.add_task(junfeiai_emulator::TaskSpec::default());
    let error = builder(&emulator).build().unwrap().videos().video(&id).unwrap().bytes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{error}");
    assert!(emulator.requests().len() < 20);
}

#[tokio::test]
async fn a_signed_link_needs_no_key_and_is_renewed_when_it_has_expired() {
    let emulator = emulator(&json!({ "task": { "result_url": "signed" } }));
    let client = builder(&emulator).build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    let video = task.wait().await.unwrap();
    assert_eq!(video.bytes().await.unwrap(), emulator.video_bytes(task.id()).unwrap());
    assert!(!format!("{video:?}").contains("sig="), "a signature opens the video without a key: {video:?}");
}

#[tokio::test]
async fn a_message_that_repeats_the_key_is_masked() {
    let body =
        json!({ "error": { "message": "Invalid token sk-test (request id: 1)", "type": "new_api_error", "code": "" } });
    let headers = json!({ "X-Oneapi-Request-Id": "sk-test-1" });
    let fault = json!({ "kind": "status", "status": 401, "body": body, "headers": headers });
    let emulator = emulator(&json!({ "rules": [{ "match": { "op": "any" }, "fault": fault }] }));
    let error = builder(&emulator).build().unwrap().videos().get("task_1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    let shown = format!("{error} {error:?} {}", error.to_json());
    assert!(shown.contains("***") && !shown.contains("sk-test"), "{shown}");
}

#[tokio::test]
async fn ids_cannot_leave_their_path() {
    let emulator = emulator(&json!({}));
    let client = builder(&emulator).build().unwrap();
    for id in ["..", ".", "", " ", "\n"] {
        assert_eq!(client.videos().task(id).unwrap_err().kind(), ErrorKind::InvalidRequest, "{id:?}");
    }
    assert!(emulator.requests().is_empty());
    for (id, path) in [
        ("../../secret", "..%2F..%2Fsecret"),
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("task_1?x", "task_1%3Fx"),
        ("task_1#x", "task_1%23x"),
        ("task_\u{1}", "task_%01"),
        ("%2e%2e", "%252e%252e"),
        ("..\\..", "..%5C.."),
        ("@evil.example:1", "%40evil.example:1"),
    ] {
        let error = client.videos().get(id).await.unwrap_err();
        assert_eq!((error.kind(), error.task_id()), (ErrorKind::NotFound, Some(id)));
        let asked = emulator.requests().pop().unwrap().path;
        assert_eq!(asked, format!("/v1/video/generations/{path}"));
        let text = error.to_string();
        assert!(!text.contains(char::is_control), "{text:?}");
        let url = client.endpoint().content_url(id);
        assert!(url.to_string().ends_with(&format!("/v1/videos/{path}/content")), "{url}");
    }
}

#[test]
fn options_show_neither_key_nor_password() {
    let builder = Client::builder()
        .api_key("sk-secret-key")
        .endpoint("https://user:hunter2@junfeiai.com/v1")
        .proxy("http://user:hunter2@127.0.0.1:9");
    let proxy = Some("http://user:hunter2@127.0.0.1:9".to_owned());
    let http = junfeiai::platform::native::HttpOptions { proxy, ..Default::default() };
    let error = builder.build().unwrap_err();
    let client = Client::builder().api_key("sk-secret-key").build().unwrap();
    let builder = Client::builder().api_key("sk-secret-key").endpoint("https://user:hunter2@junfeiai.com/v1");
    let shown = format!("{builder:?} {http:?} {client:?} {error} {error:?} {}", error.to_json());
    assert!(!shown.contains("hunter2") && !shown.contains("secret"), "{shown}");
}
