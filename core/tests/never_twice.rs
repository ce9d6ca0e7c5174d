//! A paid create reaches the server at most once, and the error says truthfully whether it may have been carried out.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use junfeiai::{Client, Error, ErrorKind, Task};
use junfeiai_emulator::Emulator;
use serde_json::json;

/// One fault hangs until this is over; a busy machine has to come to its answers before.
const CREATE_TIMEOUT: Duration = Duration::from_secs(5);

fn client(base_url: &str) -> Client {
    Client::builder()
        .api_key("sk-test")
        .endpoint(base_url)
        .create_timeout(CREATE_TIMEOUT)
        .poll_interval(Duration::from_millis(20))
        .build()
        .unwrap()
}

fn emulator(faults: &serde_json::Value) -> Emulator {
    let emulator = Emulator::builder().api_key("sk-test").time_scale(600.0).start().unwrap();
    emulator.set_scenario_json(&json!({ "rules": faults }).to_string()).unwrap();
    emulator
}

fn on_create(fault: &serde_json::Value) -> serde_json::Value {
    json!([{ "match": { "op": "create" }, "times": 1, "fault": fault }])
}

fn posts(emulator: &Emulator) -> usize {
    emulator.requests().iter().filter(|request| request.method == "POST").count()
}

async fn create(emulator: &Emulator) -> Result<Task, Error> {
    client(&emulator.base_url()).videos().create("a red ball").await
}

#[tokio::test]
async fn an_unknown_outcome_is_never_posted_again() {
    for (name, fault, made) in [
        ("closed after accept", json!({ "kind": "drop_after_accept" }), 1),
        ("reset after accept", json!({ "kind": "reset_after_accept" }), 1),
        ("closed before accept", json!({ "kind": "drop_before_accept" }), 0),
        ("502 with HTML", json!({ "kind": "html", "status": 502, "act": true }), 1),
        ("500", json!({ "kind": "status", "status": 500, "body": { "error": { "message": "panic" } } }), 0),
        ("no answer in time", json!({ "kind": "hang", "act": true }), 1),
        ("2xx without an id", json!({ "kind": "no_id" }), 1),
        ("empty 200", json!({ "kind": "empty_body" }), 1),
        ("garbage 200", json!({ "kind": "garbage" }), 1),
        ("an endless answer", json!({ "kind": "endless_body" }), 1),
        ("deeply nested JSON", json!({ "kind": "deep_json" }), 1),
    ] {
        let emulator = emulator(&on_create(&fault));
        let error = create(&emulator).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown, "{name}: {error}");
        assert!(error.maybe_executed(), "{name}");
        assert_eq!(error.record().attempts, 1, "{name}: {error:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!((posts(&emulator), emulator.created_tasks()), (1, made), "{name}");
    }
}

#[tokio::test]
async fn the_id_in_a_broken_answer_is_kept() {
    let emulator = emulator(&on_create(&json!({ "kind": "cut_body", "after_bytes": 120 })));
    let error = create(&emulator).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown, "{error}");
    let id = error.task_id().expect("the id was in the part that came").to_owned();
    assert_eq!(posts(&emulator), 1);
    let video = client(&emulator.base_url()).videos().task(&id).unwrap().wait().await.unwrap();
    assert_eq!(video.bytes().await.unwrap(), emulator.video_bytes(&id).unwrap());
}

#[tokio::test]
async fn a_refusal_is_not_an_unknown_outcome() {
    for (name, fault, kind) in [
        (
            "400",
            json!({ "kind": "status", "status": 400, "body": { "code": "invalid_request", "message": "no", "data": null } }),
            ErrorKind::BadRequest,
        ),
        (
            "403",
            json!({ "kind": "status", "status": 403, "body": { "code": "insufficient_user_quota", "message": "no", "data": null } }),
            ErrorKind::InsufficientBalance,
        ),
        ("413", json!({ "kind": "html", "status": 413 }), ErrorKind::BadRequest),
        // Whatever the status: the task layer's errors are refunded.
        ("202 fail_to_fetch_task", json!({ "kind": "accepted_202" }), ErrorKind::Upstream),
        ("500 do_request_failed", json!({ "kind": "error_shape", "shape": "do_request_failed" }), ErrorKind::Upstream),
        ("500 invalid_response", json!({ "kind": "error_shape", "shape": "invalid_response" }), ErrorKind::Upstream),
        ("502 of the upstream", json!({ "kind": "error_shape", "shape": "upstream_html" }), ErrorKind::Upstream),
        (
            "503",
            json!({ "kind": "status", "status": 503, "body": { "error": { "message": "no", "code": "model_not_found" } } }),
            ErrorKind::ModelUnavailable,
        ),
    ] {
        let emulator = emulator(&on_create(&fault));
        let error = create(&emulator).await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_executed()), (kind, false), "{name}: {error}");
        assert_eq!((posts(&emulator), emulator.created_tasks()), (1, 0), "{name}");
    }
}

#[tokio::test]
async fn a_saturated_upstream_is_waited_for() {
    let rules = json!([{ "match": { "op": "create" }, "times": 2, "fault": { "kind": "error_shape", "shape": "upstream_429" } }]);
    let emulator = emulator(&rules);
    create(&emulator).await.unwrap();
    assert_eq!((posts(&emulator), emulator.created_tasks()), (3, 1));
}

#[tokio::test]
async fn after_429_it_waits_and_succeeds() {
    let fault = json!({ "kind": "rate_limited", "retry_after": "seconds" });
    let emulator = emulator(&on_create(&fault));
    let task = create(&emulator).await.unwrap();
    assert_eq!((posts(&emulator), emulator.created_tasks()), (2, 1));
    let seen = emulator.requests();
    let pause = seen[1].at_ms - seen[0].at_ms;
    assert!(pause >= 1000, "Retry-After: 1 was obeyed, the pause was {pause} ms");
    assert!(task.id().starts_with("task_"));
}

/// A port that nobody is given by chance: it is none of those that the system hands out.
fn free_port() -> u16 {
    let own = std::process::id() % 20_000;
    let ports = (0..20_000).map(|step| 10_000 + ((own + step) % 20_000) as u16);
    ports.into_iter().find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap()
}

#[tokio::test]
async fn refused_then_up_is_one_create() {
    let port = free_port();
    let starter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        Emulator::builder().api_key("sk-test").port(port).start().unwrap()
    });
    let builder = Client::builder().api_key("sk-test").endpoint(format!("http://127.0.0.1:{port}/v1"));
    // The emulator may come late.
    let retry = junfeiai::RetryPolicy { max_attempts: 50, cap: Duration::from_millis(500), ..Default::default() };
    let client = builder.create_timeout(Duration::from_secs(120)).retry(retry).build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    let emulator = starter.join().unwrap();
    assert_eq!((posts(&emulator), emulator.created_tasks()), (1, 1));
    assert!(task.id().starts_with("task_"));
}

#[tokio::test]
async fn nobody_there_says_that_nothing_was_sent() {
    // Taken, and nobody listens.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let client = Client::builder()
        .api_key("sk-test")
        .endpoint(format!("http://{}", taken.local_addr().unwrap()))
        .retry(junfeiai::RetryPolicy { max_attempts: 2, base: Duration::from_millis(10), ..Default::default() })
        .build()
        .unwrap();
    let error = client.videos().create("a red ball").await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed(), error.record().attempts), (ErrorKind::Connect, false, 2));
    assert!(!format!("{error} {error:?}").contains("sk-test"));
}

#[tokio::test]
async fn a_pooled_connection_is_never_used_for_a_create() {
    let emulator = emulator(&json!([]));
    let client = client(&emulator.base_url());
    for _ in 0..3 {
        let task = client.videos().create("a red ball").await.unwrap();
        task.refresh().await.unwrap();
    }
    let requests = emulator.requests();
    let of_posts: Vec<u64> = requests.iter().filter(|r| r.method == "POST").map(|r| r.connection).collect();
    let others = |post: &u64| requests.iter().filter(|r| r.connection == *post).count();
    assert!(of_posts.iter().all(|post| others(post) == 1), "{of_posts:?}");
    let gets: Vec<u64> = requests.iter().filter(|r| r.method == "GET").map(|r| r.connection).collect();
    assert!(gets.windows(2).all(|pair| pair[0] == pair[1]), "queries share one connection: {gets:?}");
}
