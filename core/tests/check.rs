//! The check against entries of every kind; and models and balance, which a server need not have.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

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
    let begun = Instant::now();
    let report = client.check().await;
    let took = begun.elapsed();
    assert!(report.ok && report.entries[0].ok && report.entries[0].in_use, "{report}");
    assert_eq!(trouble(&report, 0), LOCAL, "{report}");
    assert!(report.entries[0].latency.unwrap() <= took);
    // Both clocks are of this machine, and are read while the call runs.
    assert!(report.entries[0].clock_skew_s.unwrap().unsigned_abs() <= 2 + took.as_secs());
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
    assert_eq!(report.balance.as_ref().unwrap().available_usd, Some(12.5), "{report}");
    assert_eq!(report.step("balance").unwrap().detail, "12.50 USD left, 0.00 USD used");
    assert_eq!(client.models().await.unwrap(), ["grok-video-1.5"]);
    assert_eq!(client.balance().await.unwrap().available_units, Some(6_250_000));
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
        assert!(error.to_string().contains("not support"), "{error}");
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
    assert!(step.detail.contains("does not know this key"), "{report}");
    assert_eq!(report.step("models").unwrap().detail, "no endpoint can be asked");
    assert_eq!(report.step("balance").unwrap().detail, "not told with this key");
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

/// The steps and the paths that a check of this key asks for.
async fn keys(key: &serde_json::Value, options: CheckOptions) -> (CheckReport, Vec<String>, Emulator) {
    let emulator = emulator();
    emulator.set_scenario_json(&serde_json::json!({ "keys": [key] }).to_string()).unwrap();
    let report = builder([emulator.base_url()]).build().unwrap().check_with(options).await;
    let paths = emulator.requests().into_iter().map(|request| request.path).collect();
    (report, paths, emulator)
}

const PROBE: &str = "/v1/video/generations/task_00000000000000000000000000000000";

#[tokio::test]
async fn a_key_with_a_list_of_models_is_good() {
    for account in [false, true] {
        let key = serde_json::json!({ "key": KEY, "models": ["grok-video-1.5"] });
        let (report, paths, _emulator) = keys(&key, CheckOptions::default().account(account)).await;
        assert!(report.ok, "{report}");
        assert_eq!(trouble(&report, 0), local(&[]), "{report}");
        assert!(report.entries[0].step("key").unwrap().detail.contains("some models only"), "{report}");
        assert_eq!(report.models.as_deref().unwrap(), ["grok-video-1.5"], "{report}");
        let usage = ["/api/usage/token/"].into_iter().filter(|_| account);
        assert_eq!(paths, [PROBE, "/v1/models"].into_iter().chain(usage).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_banned_user_and_a_wrong_address_are_not() {
    // The address has a code of its own: nothing has to be asked besides.
    for (state, detail, asked) in
        [("banned", "denies this", vec![PROBE, "/v1/models"]), ("ip_denied", "from this address", vec![PROBE])]
    {
        let key = serde_json::json!({ "key": KEY, "state": state });
        let (report, paths, _emulator) = keys(&key, CheckOptions::default()).await;
        assert!(!report.ok, "{report}");
        assert_eq!(trouble(&report, 0), local(&[("key", StepStatus::Fail)]), "{report}");
        assert!(report.entries[0].step("key").unwrap().detail.contains(detail), "{report}");
        assert_eq!(paths, asked);
    }
}

#[tokio::test]
async fn a_server_without_models_leaves_a_warning() {
    let emulator = emulator();
    let scenario = serde_json::json!({
        "keys": [{ "key": KEY, "models": ["grok-video-1.5"] }],
        "rules": [{ "match": { "op": "other" }, "fault": { "kind": "status", "status": 404 } }],
    });
    emulator.set_scenario_json(&scenario.to_string()).unwrap();
    let report = builder([emulator.base_url()]).build().unwrap().check().await;
    assert!(report.ok, "{report}");
    assert_eq!(trouble(&report, 0), local(&[("key", StepStatus::Warn)]), "{report}");
}

#[tokio::test]
async fn what_a_401_hides_is_asked_for_once() {
    for (key, detail, left) in [
        (serde_json::json!({ "key": KEY, "state": "disabled" }), "does not know this key", None),
        (serde_json::json!({ "key": KEY, "state": "expired" }), "the key expired 10 days ago", Some(500_000_000_000)),
        (serde_json::json!({ "key": KEY, "state": "used_up" }), "used up: 0.00 USD left", Some(0)),
        (serde_json::json!({ "key": KEY, "balance": -1.5 }), "used up: 0.00 USD left", Some(0)),
    ] {
        for account in [false, true] {
            let (report, paths, _emulator) = keys(&key, CheckOptions::default().account(account)).await;
            assert!(!report.ok, "{report}");
            assert_eq!(trouble(&report, 0), local(&[("key", StepStatus::Fail)]), "{report}");
            assert!(report.entries[0].step("key").unwrap().detail.contains(detail), "{key}: {report}");
            assert_eq!(report.balance.as_ref().and_then(|balance| balance.available_units), left, "{key}: {report}");
            assert_eq!(paths, [PROBE, "/api/usage/token/"], "{key}");
        }
    }
}

#[tokio::test]
async fn two_entries_that_refuse_the_key_cost_one_look_at_the_balance() {
    let emulator = emulator();
    let scenario = serde_json::json!({ "keys": [{ "key": KEY, "state": "used_up" }] });
    emulator.set_scenario_json(&scenario.to_string()).unwrap();
    let second = emulator.base_url().replace("127.0.0.1", "localhost");
    let report = builder([emulator.base_url(), second]).build().unwrap().check().await;
    for entry in &report.entries {
        assert!(entry.step("key").unwrap().detail.contains("used up"), "{report}");
    }
    let usage = emulator.requests().into_iter().filter(|request| request.path == "/api/usage/token/");
    assert_eq!(usage.count(), 1);
}

#[tokio::test]
async fn a_balance_that_is_not_told_now_is_no_trouble() {
    let emulator = emulator();
    let client = builder([emulator.base_url()]).build().unwrap();
    for _ in 0..20 {
        client.balance().await.unwrap();
    }
    let report = client.check_with(CheckOptions::default().account(true)).await;
    assert!(report.ok, "{report}");
    let step = report.step("balance").unwrap();
    assert!(step.status == StepStatus::Skipped && step.detail.contains("asked for too often"), "{report}");
    let refused = builder([emulator.base_url()]).api_key("sk-another-key-here").build().unwrap();
    let rule = serde_json::json!({ "rules": [{ "match": { "op": "other" }, "fault": { "kind": "rate_limited" } }] });
    emulator.set_scenario_json(&rule.to_string()).unwrap();
    let report = refused.check().await;
    assert!(report.entries[0].step("key").unwrap().detail.contains("does not accept the API key"), "{report}");
}

#[tokio::test]
async fn a_key_without_a_limit_has_no_number_left() {
    let key = serde_json::json!({ "key": KEY, "unlimited": true });
    let (report, _, emulator) = keys(&key, CheckOptions::default().account(true)).await;
    assert!(report.ok, "{report}");
    let detail = &report.step("balance").unwrap().detail;
    assert_eq!(detail, "the key has no limit of its own, 0.00 USD used");
    let client = builder([emulator.base_url()]).build().unwrap();
    client.videos().create("a red ball").await.unwrap();
    let balance = client.balance().await.unwrap();
    assert!(balance.unlimited && balance.used_units > 0, "{balance:?}");
    assert_eq!((balance.available_usd, balance.available_units), (None, None));
    let report = client.check_with(CheckOptions::default().account(true)).await;
    assert!(!report.to_string().contains("USD left"), "{report}");
    assert_eq!(report.to_json()["balance"]["available_usd"], serde_json::Value::Null);
}
