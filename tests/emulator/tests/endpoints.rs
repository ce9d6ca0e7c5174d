//! Every endpoint as a client sees it, without faults.

mod common;

use common::{CREATE, create, emulator, get, post, post_as, query, send, wish};
use junfeiai_emulator::{KeySeen, TaskSpec, TaskState};
use serde_json::{Value, json};

#[test]
fn create_answers_as_documented_and_says_what_is_billed() {
    let emu = emulator("{}");
    let answer = post(&emu, &wish());
    assert_eq!(answer.status, 200);
    let body = answer.json();
    assert_eq!(body["id"], body["task_id"]);
    assert_eq!(body["object"], "video");
    assert_eq!(body["status"], "queued");
    let id = body["id"].as_str().unwrap();
    assert!(id.starts_with("task_") && id.len() == 37, "{id}");
    assert_eq!(answer.header("x-new-api-other-ratios"), Some(r#"{"seconds":6,"size":1}"#));
    assert!(answer.header("x-oneapi-request-id").is_some());
    assert_eq!(emu.created_tasks(), 1);
}

#[test]
fn billing_follows_seconds_then_duration_then_four() {
    let emu = emulator("{}");
    let billed = |fields: Value| {
        let mut request = json!({ "model": "grok-image-video", "prompt": "x" });
        request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = post(&emu, &request);
        let ratios: Value = serde_json::from_str(answer.header("x-new-api-other-ratios").unwrap()).unwrap();
        ratios["seconds"].as_u64().unwrap()
    };
    assert_eq!(billed(json!({ "seconds": "8" })), 8);
    assert_eq!(billed(json!({ "seconds": "3600" })), 3600);
    assert_eq!(billed(json!({ "seconds": "6", "duration": 10 })), 6);
    assert_eq!(billed(json!({ "duration": 10 })), 10);
    assert_eq!(billed(json!({ "duration": "12" })), 12);
    for senseless in [json!({}), json!({ "seconds": "6s" }), json!({ "seconds": "-5" }), json!({ "duration": 6.5 })] {
        assert_eq!(billed(senseless.clone()), 4, "{senseless}");
    }
}

#[test]
fn fields_of_the_wrong_type_are_refused_and_cost_nothing() {
    let emu = emulator("{}");
    for (field, value) in
        [("seconds", json!(6)), ("images", json!("http://x/a.png")), ("image", json!(["http://x/a.png"]))]
    {
        let mut request = wish();
        request[field] = value;
        let answer = post(&emu, &request);
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (400, "invalid_json"), "{field}");
    }
    let mut request = wish();
    request.as_object_mut().unwrap().remove("prompt");
    assert_eq!(post(&emu, &request).json()["code"], "invalid_request");
    let no_image = json!({ "model": "grok-video-1.5", "prompt": "x", "seconds": "6" });
    assert_eq!(post(&emu, &no_image).json()["code"], "fail_to_fetch_task");
    let stats = emu.stats();
    assert_eq!(stats.created_tasks, 0);
    assert_eq!(stats.quota_charged, stats.quota_refunded);
    assert_eq!(stats.posts, 5);
}

#[test]
fn extra_fields_are_kept() {
    let emu = emulator("{}");
    let mut request = wish();
    request["aspect_ratio"] = json!("16:9");
    let id = post(&emu, &request).json()["id"].as_str().unwrap().to_owned();
    assert_eq!(emu.task_request(&id).unwrap()["aspect_ratio"], "16:9");
}

#[test]
fn a_task_lives_from_not_start_to_success() {
    // So slow at first that it cannot end before it was asked for.
    let emu = emulator(r#"{"time_scale":1,"task":{"queued_s":0,"running_s":100000}}"#);
    let id = create(&emu);
    let mut seen = Vec::new();
    loop {
        let body = query(&emu, &id).json();
        assert_eq!(body["code"], "success");
        let data = &body["data"];
        assert!(data["id"].is_u64());
        let status = data["status"].as_str().unwrap().to_owned();
        if status == "SUCCESS" {
            assert_eq!(data["progress"], "100%");
            assert_eq!(data["result_url"], format!("{}/videos/{id}/content", emu.base_url()));
            assert!(data["finish_time"].as_u64().unwrap() > data["submit_time"].as_u64().unwrap());
            break;
        }
        assert_eq!(data.get("result_url"), None);
        seen.push(status);
        assert_eq!(send(emu.port(), "PATCH", "/__emulator/scenario", &[], r#"{"time_scale":10000000}"#).status, 204);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    assert!(seen.iter().any(|status| status == "IN_PROGRESS"), "{seen:?}");
    assert_eq!(get(&emu, &format!("/v1/videos/{id}")).json()["status"], "completed");
}

#[test]
fn a_failed_task_gives_the_money_back() {
    let emu = emulator(r#"{"task":{"queued_s":0,"running_s":0}}"#);
    let mut request = wish();
    request["prompt"] = json!("please [fail]");
    let id = post(&emu, &request).json()["id"].as_str().unwrap().to_owned();
    let data = query(&emu, &id).json()["data"].clone();
    assert_eq!(data["status"], "FAILURE");
    assert_eq!(data["result_url"], data["fail_reason"]);
    assert!(!data["fail_reason"].as_str().unwrap().is_empty());
    let stats = emu.stats();
    assert_eq!((stats.created_tasks, stats.quota_charged), (1, stats.quota_refunded));
    assert!(stats.quota_charged > 0);
    assert_eq!(get(&emu, &common::content_path(&id)).status, 400);
}

#[test]
fn the_gate_knows_its_keys() {
    let emu = emulator(
        r#"{"keys":[
            {"key":"sk-poor","balance":0.01},
            {"key":"sk-once","used_up_after_creates":1},
            {"key":"sk-flagship","models":["grok-video-1.5"]},
            {"key":"sk-banned","state":"banned"},
            {"key":"sk-stranger","account":"other"}]}"#,
    );
    let call = |key: &str| post_as(&emu, &format!("Bearer {key}"), &wish());
    assert_eq!(call("sk-wrong").json()["error"]["type"], "new_api_error");
    assert_eq!(send(emu.port(), "POST", CREATE, &[], "{}").status, 401);
    assert_eq!(call("sk-poor").json()["code"], "pre_consume_token_quota_failed");
    assert_eq!(call("sk-poor").status, 403);
    assert_eq!(call("sk-flagship").status, 403);
    assert_eq!(call("sk-banned").status, 403);
    // The last create uses the key up: it cannot ask for its own task, another key of the account can.
    let once = call("sk-once");
    let id = once.json()["id"].as_str().unwrap().to_owned();
    let poll = |key: &str| {
        let value = format!("Bearer {key}");
        send(emu.port(), "GET", &format!("{CREATE}/{id}"), &[("authorization", &value)], "")
    };
    assert_eq!(poll("sk-once").status, 401);
    assert_eq!(poll("sk-test").status, 200);
    assert_eq!(poll("sk-stranger").json()["code"], "task_not_exist");
    let unknown = json!({ "model": "no-such", "prompt": "x" });
    let answer = post(&emu, &unknown);
    assert_eq!((answer.status, answer.json()["error"]["code"].clone()), (503, json!("model_not_found")));
}

#[test]
fn texts_follow_the_language() {
    let emu = emulator("{}");
    let say = |language: &str| send(emu.port(), "GET", "/v1/models", &[("accept-language", language)], "").text();
    assert!(say("zh-CN,zh;q=0.9").contains("无效的令牌"));
    assert!(say("en-US").contains("Invalid token"));
    assert!(say("en-US").contains("request id: "));
}

#[test]
fn unknown_tasks_and_paths() {
    let emu = emulator("{}");
    let answer = query(&emu, "task_nope");
    assert_eq!((answer.status, answer.json()["code"].clone()), (400, json!("task_not_exist")));
    emu.set_scenario_json(r#"{"api":{"unknown_task_status":404}}"#).unwrap();
    assert_eq!(query(&emu, "task_nope").status, 404);
    let missing = get(&emu, "/v1/videos/task_nope/content");
    assert_eq!(missing.status, 404);
    assert_eq!(get(&emu, "/v1/nothing").status, 404);
    assert_eq!(get(&emu, "/v1/nothing").json()["error"]["type"], "invalid_request_error");
    for page in ["/video/generations", "//v1/video/generations", "/"] {
        for method in ["GET", "POST"] {
            let answer = send(emu.port(), method, page, &[], "");
            assert_eq!((answer.status, answer.header("content-type").unwrap()), (200, "text/html; charset=utf-8"));
        }
    }
    let moved = get(&emu, "/v1/video/generations/task_x/?a=b");
    assert_eq!((moved.status, moved.header("location")), (301, Some("/v1/video/generations/task_x?a=b")));
    let moved = send(emu.port(), "POST", "/v1/video/generations/", &[], "{}");
    assert_eq!((moved.status, moved.header("location")), (307, Some(CREATE)));
}

#[test]
fn preflight_allows_everything_and_exposes_nothing() {
    let emu = emulator("{}");
    let answer =
        send(emu.port(), "OPTIONS", CREATE, &[("origin", "http://x"), ("access-control-request-method", "POST")], "");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("*"));
    assert_eq!(answer.header("access-control-max-age"), Some("43200"));
    assert!(answer.header("access-control-expose-headers").is_none());
}

#[test]
fn helper_paths() {
    let emu = emulator("{}");
    assert!(
        get(&emu, "/v1/models").json()["data"].as_array().unwrap().iter().any(|model| model["id"] == "grok-video-1.5")
    );
    assert_eq!(get(&emu, "/api/usage/token").status, 301);
    assert!(get(&emu, "/api/usage/token/").json()["data"]["total_available"].as_u64().unwrap() > 0);
    emu.set_scenario_json(r#"{"time_scale":1}"#).unwrap();
    let statuses: Vec<u16> = (0..20).map(|_| get(&emu, "/api/usage/token/").status).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(get(&emu, "/api/pricing").json()["data"][0]["model_price"], 0.05);
    assert_eq!(get(&emu, "/api/status").json()["data"]["quota_per_unit"], 500_000.0);
}

#[test]
fn control_paths() {
    let emu = emulator("{}");
    let put = |body: &str| send(emu.port(), "PUT", "/__emulator/scenario", &[], body);
    assert_eq!(put(r#"{"task":{"outcome":"failure"}}"#).status, 204);
    assert_eq!(get(&emu, "/__emulator/scenario").json()["task"]["outcome"], "failure");
    for (bad, named) in [
        (r#"{"task":{"outcom":"failure"}}"#, "outcom"),
        (r#"{"task":{"queued_s":"8"}}"#, "task.queued_s"),
        (r#"{"rules":[{"fault":{"kind":"no_such"}}]}"#, "rules[0].fault"),
        (r#"{"rules":[{"fault":{"kind":"cut_body","after_bytes":1,"x":2}}]}"#, "x"),
        (r#"{"chaos":{"content":{"cut":0.9,"reset":0.9}}}"#, "chaos.content"),
        (r#"{"task":{"result_url":"nowhere"}}"#, "task.result_url"),
        ("{", "EOF"),
    ] {
        let answer = put(bad);
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.text().contains(named), "{bad}: {}", answer.text());
    }
    let made = send(emu.port(), "POST", "/__emulator/tasks", &[], r#"{"seconds":4,"size":"64x64"}"#).json();
    let id = made["id"].as_str().unwrap();
    let file = get(&emu, &format!("/__emulator/video/{id}")).body;
    assert_eq!(file, emu.video_bytes(id).unwrap());
    let bad = send(emu.port(), "POST", "/__emulator/tasks", &[], r#"{"sise":"64x64"}"#);
    assert!(bad.status == 400 && bad.text().contains("sise"), "{}", bad.text());
    query(&emu, id);
    assert_eq!(get(&emu, "/__emulator/requests").json().as_array().unwrap().len(), 1);
    assert_eq!(send(emu.port(), "DELETE", "/__emulator/requests", &[], "").status, 204);
    assert_eq!(get(&emu, "/__emulator/requests").json().as_array().unwrap().len(), 0);
    assert_eq!(get(&emu, "/__emulator/stats").json()["created_tasks"], 0);
    assert_eq!(send(emu.port(), "POST", "/__emulator/reset", &[], "").status, 204);
    assert_eq!(query(&emu, id).json()["code"], "task_not_exist");
}

#[test]
fn the_log_tells_what_arrived_but_never_the_key() {
    let emu = emulator("{}");
    let mut request = wish();
    request["note"] = json!("my key is sk-test");
    post(&emu, &request);
    let leak = format!("{CREATE}/task_x?key=sk-test");
    send(emu.port(), "GET", &leak, &[("authorization", "Bearer sk-other"), ("x-key", "sk-test")], "");
    send(emu.second_port().unwrap(), "GET", "/v1/models", &[], "");
    let log = emu.requests();
    assert_eq!(log.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(log.iter().map(|entry| entry.key).collect::<Vec<_>>(), [KeySeen::Valid, KeySeen::Other, KeySeen::None]);
    assert_eq!(log[0].body_json.as_ref().unwrap()["seconds"], "6");
    assert_eq!((log[0].status, log[0].complete), (Some(200), true));
    assert_eq!(log[2].host, junfeiai_emulator::HostName::Second);
    assert_ne!(log[0].connection, log[1].connection);
    let all = serde_json::to_string(&log).unwrap();
    assert!(!all.contains("sk-test") && !all.contains("sk-other"), "{all}");
}

#[test]
fn tasks_can_be_put_into_any_state() {
    let emu = emulator(r#"{"time_scale":1}"#);
    for (state, status) in [
        (TaskState::Queued, "NOT_START"),
        (TaskState::Running, "IN_PROGRESS"),
        (TaskState::Finished, "SUCCESS"),
        (TaskState::Failed, "FAILURE"),
    ] {
        let id = emu.add_task(TaskSpec { state, ..TaskSpec::default() });
        assert_eq!(query(&emu, &id).json()["data"]["status"], status);
    }
    assert_eq!(emu.created_tasks(), 0);
}

#[test]
fn scripted_lives() {
    let emu = emulator(
        r#"{"time_scale":1,"task":{"statuses":["NOT_START","queued","WHAT"],"progress":["","10%",42,"30%"],"ends_after_polls":4,
            "final_status":"completed","envelope":"flat","result_field":"video.url","result_url":"{second}/x/{id}"}}"#,
    );
    let id = create(&emu);
    let seen: Vec<(Value, Value)> = (0..5)
        .map(|_| {
            let body = query(&emu, &id).json();
            assert_eq!(body["task_id"], id);
            (body["status"].clone(), body["progress"].clone())
        })
        .collect();
    let expected = [
        ("NOT_START", json!("")),
        ("queued", json!("10%")),
        ("WHAT", json!(42)),
        ("WHAT", json!("30%")),
        ("completed", json!("100%")),
    ];
    assert_eq!(seen, expected.map(|(status, progress)| (json!(status), progress)));
    let body = query(&emu, &id).json();
    assert_eq!(body["video"]["url"], format!("{}/x/{id}", emu.second_origin().unwrap()));

    emu.set_scenario_json(r#"{"time_scale":1,"task":{"visible_after_s":1000,"billed_seconds":15},"api":{"create_id":"data","create_model":"upstream-name","duplicate_request_id":true}}"#).unwrap();
    let answer = post(&emu, &wish());
    assert_eq!(answer.headers["x-oneapi-request-id"].len(), 2);
    assert_eq!(answer.header("x-new-api-other-ratios"), Some(r#"{"seconds":15,"size":1}"#));
    assert_eq!(answer.json()["data"]["model"], "upstream-name");
    let id = answer.json()["data"]["task_id"].as_str().unwrap().to_owned();
    assert_eq!(query(&emu, &id).json()["code"], "task_not_exist");
}

#[test]
fn too_many_requests() {
    let emu = emulator(r#"{"time_scale":1,"rate_limit":{"requests_per_s":0.01,"burst":2,"retry_after":"seconds"}}"#);
    let answers: Vec<_> = (0..3).map(|_| post(&emu, &wish())).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 429]);
    // A hundred seconds from the first one on.
    let pause: u32 = answers[2].header("retry-after").unwrap().parse().unwrap();
    assert!((40..=100).contains(&pause), "{pause}");
    assert_eq!(emu.created_tasks(), 2);
    emu.set_scenario_json(r#"{"rate_limit":{"requests_per_s":0.001,"burst":1,"retry_after":"date","ops":["query"]}}"#)
        .unwrap();
    query(&emu, "task_x");
    assert!(query(&emu, "task_x").header("retry-after").unwrap().ends_with("GMT"));
}

#[test]
fn one_seed_gives_the_same_ids() {
    let ids = [1, 1, 2].map(|seed| create(&emulator(&format!(r#"{{"seed":{seed}}}"#))));
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[test]
fn stopping_frees_the_port_and_closes_connections() {
    let emu = emulator(r#"{"rules":[{"fault":{"kind":"hang"}}]}"#);
    let port = emu.port();
    let waiting = std::thread::spawn(move || send(port, "GET", "/v1/models", &[], ""));
    while emu.requests().is_empty() {
        std::thread::yield_now();
    }
    emu.stop();
    assert_eq!(waiting.join().unwrap().status, 0);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    junfeiai_emulator::Emulator::builder().port(port).start().unwrap();
}
