//! The check against entries of every kind; and models and balance, which a server need not have.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use junfeiai::{CheckOptions, CheckReport, Client, ClientBuilder, ErrorKind, StepStatus};
use junfeiai_emulator::{Emulator, KeySeen};

const KEY: &str = "sk-test-0123456789";

fn emulator() -> Emulator {
    Emulator::builder().api_key(KEY).second_host(true).start().unwrap()
}

fn builder<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> ClientBuilder {
    Client::builder().api_key(KEY).endpoints(endpoints).proxy("")
}

/// A base URL where nothing listens. The port stays taken, so that nobody else comes to listen there.
fn refused() -> String {
    let taken = Box::leak(Box::new(tokio::net::TcpSocket::new_v4().unwrap()));
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    format!("http://{}/v1", taken.local_addr().unwrap())
}

/// Statuses of an entry's steps by name, those that are as they should be left out.
fn trouble(report: &CheckReport, entry: usize) -> Vec<(&'static str, StepStatus)> {
    let steps = report.entries[entry].steps.iter();
    steps.filter(|step| step.status != StepStatus::Ok).map(|step| (step.name, step.status)).collect()
}

/// What an address of this machine has nothing to look at for.
const LOCAL: [(&str, StepStatus); 2] = [("dns", StepStatus::Skipped), ("tls", StepStatus::Skipped)];

fn local(more: &[(&'static str, StepStatus)]) -> Vec<(&'static str, StepStatus)> {
    let order = ["dns", "connect", "tls", "answer", "base_url", "key", "clock"];
    let mut all: Vec<_> = LOCAL.iter().chain(more).copied().collect();
    all.sort_by_key(|(name, _)| order.iter().position(|known| known == name));
    all
}

#[tokio::test]
async fn a_good_entry() {
    let emulator = emulator();
    let client = builder([emulator.base_url()]).video_base_url(emulator.second_origin().unwrap()).build().unwrap();
    let report = client.check().await;
    assert!(report.ok && report.entries[0].ok && report.entries[0].in_use, "{report}");
    assert_eq!(trouble(&report, 0), LOCAL, "{report}");
    assert!(report.entries[0].latency.unwrap() < Duration::from_secs(1));
    assert!(report.entries[0].clock_skew_s.unwrap().abs() <= 2);
    assert!(report.entries[0].request_id.as_deref().is_some_and(|id| !id.is_empty()));
    assert_eq!(report.step("video_host").unwrap().status, StepStatus::Ok, "{report}");
    assert_eq!(report.step("models").unwrap().status, StepStatus::Skipped);
    assert!(report.models.is_none() && report.balance.is_none());

    // Nothing was created; one question to the entry, one to the video host, the latter without the key.
    let requests = emulator.requests();
    assert_eq!((requests.len(), emulator.created_tasks()), (2, 0));
    assert!(requests.iter().all(|request| request.method == "GET"));
    let keys = |path: &str| requests.iter().filter(|r| r.path == path).map(|r| r.key).collect::<Vec<_>>();
    assert_eq!(keys("/"), [KeySeen::None]);
    assert_eq!(keys("/v1/video/generations/task_00000000000000000000000000000000"), [KeySeen::Valid]);

    let text = report.to_string();
    assert!(text.starts_with("junfeiai ") && text.contains("ready, 1 of 1 entries can be used"), "{text}");
    let json = report.to_json();
    assert_eq!(json["ok"], true);
    assert_eq!(json["entries"][0]["steps"][5]["name"], "key");
    assert_eq!(json["entries"][0]["steps"][5]["status"], "ok");
    assert!(json["entries"][0]["latency_s"].as_f64().unwrap() > 0.0);
    assert!(!text.contains(KEY) && !json.to_string().contains(KEY));
}

#[tokio::test]
async fn models_and_balance_when_asked_for() {
    let emulator = emulator();
    let keys = format!(r#"{{"keys":[{{"key":"{KEY}","balance":12.5,"models":["grok-video-1.5"]}}]}}"#);
    emulator.set_scenario_json(&keys).unwrap();
    let client = builder([refused(), emulator.base_url()]).build().unwrap();
    let report = client.check_with(CheckOptions::default().account(true)).await;
    assert_eq!(report.models.as_deref().unwrap(), ["grok-video-1.5"], "{report}");
    assert!((report.balance.as_ref().unwrap().available_usd - 12.5).abs() < 1e-9, "{report}");
    assert_eq!(report.step("balance").unwrap().detail, "12.50 USD left, 0.00 USD used");
    assert_eq!(client.models().await.unwrap(), ["grok-video-1.5"]);
    assert_eq!(client.balance().await.unwrap().available_units, 6_250_000);
    assert_eq!(emulator.created_tasks(), 0);
}

#[tokio::test]
async fn a_server_without_models_and_balance() {
    let emulator = emulator();
    for fault in [
        r#"{"kind":"html","status":200}"#,
        r#"{"kind":"html","status":404}"#,
        r#"{"kind":"status","status":404,"body":{"error":{"message":"no","type":"invalid_request_error"}}}"#,
        r#"{"kind":"error_shape","shape":"success_false"}"#,
    ] {
        emulator.set_scenario_json(&format!(r#"{{"rules":[{{"match":{{"op":"other"}},"fault":{fault}}}]}}"#)).unwrap();
        let client = builder([emulator.base_url()]).build().unwrap();
        assert_eq!(client.models().await.unwrap_err().kind(), ErrorKind::NotOffered, "{fault}");
        let error = client.balance().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotOffered, "{fault}");
        assert!(error.to_string().contains("not offer"), "{error}");
        let report = client.check_with(CheckOptions::default().account(true)).await;
        assert!(report.ok, "they are no condition: {report}");
        for name in ["models", "balance"] {
            let step = report.step(name).unwrap();
            assert_eq!((step.status, step.detail.as_str()), (StepStatus::Skipped, "not offered by this server"));
        }
    }
}

#[tokio::test]
async fn the_balance_is_not_asked_for_again_at_once() {
    let emulator = emulator();
    emulator.set_scenario_json(r#"{"rules":[{"fault":{"kind":"rate_limited"}}]}"#).unwrap();
    let client = builder([emulator.base_url()]).build().unwrap();
    assert_eq!(client.balance().await.unwrap_err().kind(), ErrorKind::RateLimited);
    assert_eq!(emulator.requests().len(), 1);
}

#[tokio::test]
async fn a_wrong_key() {
    let emulator = emulator();
    let client = builder([emulator.base_url()]).api_key("sk-another-key-here").build().unwrap();
    let report = client.check_with(CheckOptions::default().account(true)).await;
    assert!(!report.ok, "{report}");
    assert_eq!(trouble(&report, 0), local(&[("key", StepStatus::Fail)]), "{report}");
    let step = report.entries[0].step("key").unwrap();
    assert!(step.detail.contains("does not accept the API key"), "{report}");
    assert_eq!(report.step("balance").unwrap().detail, "no entry can be asked");
    let text = report.to_string();
    assert!(text.contains("NOT ready") && text.contains("FAIL") && !text.contains("sk-another"), "{text}");
}

#[tokio::test]
async fn a_base_url_that_is_not_the_api() {
    let emulator = emulator();
    for (base, what) in [
        (format!("{}/api/v0", emulator.origin()), "path"),
        (format!("{}/v2", emulator.origin()), "web page"),
        (format!("{}/v1/v1", emulator.origin()), "path"),
    ] {
        let report = builder([&base]).build().unwrap().check().await;
        assert!(!report.ok, "{report}");
        let expected = local(&[("base_url", StepStatus::Fail), ("key", StepStatus::Skipped)]);
        assert_eq!(trouble(&report, 0), expected, "{base}: {report}");
        let step = report.entries[0].step("base_url").unwrap();
        assert!(step.detail.contains(what), "{base}: {}", step.detail);
        assert!(step.advice.as_deref().unwrap().contains("/v1"));
    }
}

#[tokio::test]
async fn nothing_listens_and_no_such_name() {
    let good = emulator();
    let first = refused();
    let client = builder([first.as_str(), "https://nonexistent.invalid", &good.base_url()]).build().unwrap();
    let report = client.check().await;
    assert!(report.ok, "the third can be used: {report}");
    assert_eq!(report.entries.iter().map(|entry| entry.ok).collect::<Vec<_>>(), [false, false, true]);
    let connect = report.entries[0].step("connect").unwrap();
    assert_eq!(connect.status, StepStatus::Fail, "{report}");
    assert!(connect.advice.is_some() && report.entries[0].latency.is_none());
    assert_eq!(report.entries[1].step("dns").unwrap().status, StepStatus::Fail, "{report}");
    assert_eq!(report.entries[1].step("connect").unwrap().status, StepStatus::Skipped);
    assert!(report.to_string().contains(": ready, 1 of 3 entries can be used"), "{report}");
    assert_eq!(client.endpoint().to_string(), first, "a check does not change the choice");
}

#[tokio::test]
async fn a_wrong_entry_stands_in_the_way_of_the_good_one_behind_it() {
    let emulator = emulator();
    let wrong = format!("{}/v2", emulator.origin());
    let client = builder([refused(), wrong, emulator.base_url()]).build().unwrap();
    let report = client.check().await;
    assert_eq!(report.entries.iter().map(|entry| entry.ok).collect::<Vec<_>>(), [false, false, true]);
    assert!(!report.ok, "it takes connections, so calls go no further: {report}");
    assert!(client.videos().get("task_1").await.unwrap_err().to_string().contains("/v1"));
}

#[tokio::test]
async fn an_entry_that_does_not_answer() {
    let emulator = emulator();
    for (fault, timeout) in [
        (r#"{"kind":"drop_before_accept","rst":true}"#, 30_000),
        (r#"{"kind":"hang"}"#, 2_000),
        (r#"{"kind":"html","status":502}"#, 30_000),
    ] {
        emulator.set_scenario_json(&format!(r#"{{"rules":[{{"fault":{fault}}}]}}"#)).unwrap();
        let client = builder([emulator.base_url()]).timeout(Duration::from_millis(timeout)).build().unwrap();
        let report = client.check().await;
        assert!(!report.ok, "{fault}: {report}");
        assert_eq!(report.entries[0].step("connect").unwrap().status, StepStatus::Ok, "{fault}: {report}");
        assert_eq!(report.entries[0].step("answer").unwrap().status, StepStatus::Fail, "{fault}: {report}");
        assert_eq!(report.entries[0].step("key").unwrap().status, StepStatus::Skipped, "{fault}: {report}");
    }
}

#[tokio::test]
async fn a_clock_that_is_off() {
    let emulator = emulator();
    let fault = r#"{"kind":"header","name":"date","value":"Sun, 06 Nov 1994 08:49:37 GMT"}"#;
    emulator.set_scenario_json(&format!(r#"{{"rules":[{{"fault":{fault}}}]}}"#)).unwrap();
    let report = builder([emulator.base_url()]).build().unwrap().check().await;
    assert!(report.ok, "a warning, no failure: {report}");
    assert_eq!(trouble(&report, 0), local(&[("clock", StepStatus::Warn)]), "{report}");
    assert!(report.entries[0].clock_skew_s.unwrap() > 900_000_000);
    assert!(report.to_string().contains("ahead of"), "{report}");
}

#[tokio::test]
async fn a_video_host_that_is_down() {
    let emulator = emulator();
    let down = refused();
    let client = builder([emulator.base_url()]).video_base_url(down.trim_end_matches("/v1")).build().unwrap();
    let report = client.check().await;
    assert!(!report.ok && report.entries[0].ok, "{report}");
    let step = report.step("video_host").unwrap();
    assert!(step.status == StepStatus::Fail && step.advice.is_some(), "{report}");
}
