//! What was observed of the real gateway, row by row as the README's table has it.

mod common;

use std::{collections::BTreeSet, sync::Arc};

use common::{
    Answer, CREATE, End, content_path, create, emulator, get, get_as, get_range, post, post_as, query, send, wish,
    with_fault,
};
use junfeiai_emulator::{Emulator, TaskPlan, TaskSpec};
use serde_json::{Value, json};

fn error(answer: &Answer) -> (u16, String, Value) {
    let error = answer.json()["error"].clone();
    (answer.status, error["message"].as_str().unwrap_or_default().to_owned(), error["code"].clone())
}

fn usage(emu: &Emulator) -> Value {
    get(emu, "/api/usage/token/").json()["data"].clone()
}

/// Row 1.
#[test]
fn the_helper_budget_has_its_own_429() {
    let emu = emulator(r#"{"time_scale":1}"#);
    let calls: Vec<u16> = (0..20)
        .map(|call| get(&emu, if call % 2 == 0 { "/api/usage/token/" } else { "/api/log/token" }).status)
        .collect();
    assert_eq!(calls, [200; 20]);
    let over = get(&emu, "/api/usage/token/");
    assert_eq!((over.status, over.header("retry-after"), over.body.len()), (429, None, 0));
    assert_eq!(get(&emu, "/v1/models").status, 200);
    emu.set_scenario_json(r#"{"time_scale":1,"api":{"version":"newer"}}"#).unwrap();
    assert_eq!(get(&emu, "/api/log/token").header("retry-after"), Some("1200"));
}

/// Rows 2 and 3.
#[test]
fn a_key_with_a_list_of_models_sees_no_task_of_others() {
    let emu = emulator(r#"{"keys":[{"key":"sk-test","models":["grok-image-video"]}]}"#);
    let id = emu.add_task(TaskSpec { model: "grok-video-1.5".into(), ..TaskSpec::default() });
    let (status, text, code) = error(&query(&emu, "task_none"));
    assert!(status == 403 && text.starts_with("This token has no access to model  (request id: "), "{text}");
    assert_eq!(code, "");
    let (status, text, _) = error(&query(&emu, &id));
    assert!(status == 403 && text.starts_with("This token has no access to model grok-video-1.5 ("), "{text}");
    assert_eq!(get(&emu, &content_path(&id)).status, 200);
}

/// Rows 4 and 6.
#[test]
fn what_the_upstream_said_is_quoted_as_it_is() {
    let said = |shape: &str| {
        let emu = with_fault("create", &format!(r#"{{"kind":"error_shape","shape":"{shape}"}}"#));
        post(&emu, &wish())
    };
    let busy = said("upstream_429");
    assert_eq!((busy.status, busy.json()["code"].clone()), (429, json!("fail_to_fetch_task")));
    assert_eq!(busy.json()["message"], "当前分组上游负载已饱和，请稍后再试");
    assert_eq!(said("upstream_401").json()["message"], r#"{"error":{"message":"Incorrect API key provided"}}"#);
    let page = said("upstream_html");
    assert!(page.text().contains(r"\u003chtml\u003e") && !page.text().contains('<'), "{}", page.text());
    assert!(page.json()["message"].as_str().unwrap().starts_with("<html>"));
}

/// Row 5.
#[test]
fn only_a_proxy_in_front_limits_creates_and_queries() {
    let emu = emulator(r#"{"time_scale":1}"#);
    assert!((0..40).all(|_| query(&emu, "task_none").status == 400));
    emu.set_scenario_json(r#"{"rules":[{"fault":{"kind":"error_shape","shape":"html_429"}}]}"#).unwrap();
    let limited = post(&emu, &wish());
    assert_eq!((limited.status, limited.header("content-type")), (429, Some("text/html")));
    assert!(limited.header("x-oneapi-request-id").is_none());
}

/// Row 7.
#[test]
fn a_create_that_the_upstream_spoils_is_refunded_and_leaves_no_task() {
    let emu = emulator(r#"{"rules":[{"fault":{"kind":"error_shape","shape":"invalid_response","act":true}}]}"#);
    let answer = post(&emu, &wish());
    assert_eq!((answer.status, answer.json()["data"].clone()), (500, Value::Null));
    assert_eq!(answer.json()["code"], "invalid_response");
    assert_eq!(answer.header("x-new-api-other-ratios"), Some(r#"{"seconds":6,"size":1}"#));
    let stats = emu.stats();
    assert_eq!((stats.created_tasks, stats.quota_charged - stats.quota_refunded), (0, 0));
    let accepted = post(&with_fault("create", r#"{"kind":"accepted_202"}"#), &wish());
    assert_eq!((accepted.status, accepted.json()["code"].clone()), (202, json!("fail_to_fetch_task")));
}

/// Row 8.
#[test]
fn an_account_without_money_cannot_create_and_goes_on_with_the_rest() {
    let emu = emulator(r#"{"accounts":[{"name":"default","balance":0}]}"#);
    let id = emu.add_task(TaskSpec::default());
    let refused = post(&emu, &wish());
    assert_eq!((refused.status, refused.json()["code"].clone()), (403, json!("insufficient_user_quota")));
    assert_eq!(refused.json()["message"], "用户额度不足, 剩余额度: ＄0.000000");
    assert_eq!(get(&emu, "/v1/models").status, 200);
    assert_eq!(query(&emu, &id).json()["data"]["status"], "SUCCESS");
    assert_eq!(get(&emu, &content_path(&id)).status, 200);
    emu.set_scenario_json(r#"{"accounts":[{"name":"default","balance":0.1}]}"#).unwrap();
    let text = post(&emu, &wish()).json()["message"].clone();
    assert_eq!(text, "预扣费额度失败, 用户剩余额度: ＄0.100000, 需要预扣费额度: ＄0.300000");
}

/// Row 9.
#[test]
fn a_key_with_too_little_says_how_little_and_can_be_overdrawn_at_once() {
    let emu = emulator(r#"{"keys":[{"key":"sk-test","balance":0.1}]}"#);
    let refused = post(&emu, &wish());
    assert_eq!((refused.status, refused.json()["code"].clone()), (403, json!("pre_consume_token_quota_failed")));
    let text = "token quota is not enough, token remain quota: ＄0.100000, need quota: ＄0.300000";
    assert_eq!(refused.json()["message"], text);

    // Quota for three, five at once: all of them find it.
    emu.set_scenario_json(r#"{"keys":[{"key":"sk-test","balance":0.9}],"api":{"quota_window_ms":3500}}"#).unwrap();
    let emu = Arc::new(emu);
    let creates: Vec<_> = (0..5)
        .map(|_| {
            let emu = Arc::clone(&emu);
            std::thread::spawn(move || post(&emu, &wish()).status)
        })
        .collect();
    let accepted = creates.into_iter().map(|create| create.join().unwrap()).filter(|status| *status == 200).count();
    assert_eq!(accepted, 5);
    assert_eq!(usage(&emu)["total_available"], -300_000);
    assert_eq!(get(&emu, "/v1/models").status, 401);
}

/// Row 10.
#[test]
fn a_key_without_a_limit_has_meaningless_numbers() {
    let emu = emulator(r#"{"keys":[{"key":"sk-test","unlimited":true,"balance":0.5}]}"#);
    create(&emu);
    let told = usage(&emu);
    assert_eq!(
        (&told["unlimited_quota"], &told["total_granted"], &told["total_available"], &told["total_used"]),
        (&json!(true), &json!(0), &json!(-150_000), &json!(150_000))
    );
    // Its account's money is another thing.
    assert_eq!(post(&emu, &wish()).json()["code"], "insufficient_user_quota");
    assert_eq!(get(&emu, "/v1/models").status, 200);
}

/// Row 11.
#[test]
fn model_limits_are_an_object() {
    let emu = emulator(r#"{"keys":[{"key":"sk-test","models":["grok-video-1.5"]}]}"#);
    let told = usage(&emu);
    assert_eq!(told["model_limits"], json!({ "grok-video-1.5": true }));
    assert_eq!(told["model_limits_enabled"], true);
}

/// Row 12.
#[test]
fn no_right_to_a_model_names_it_and_has_no_code() {
    let emu = emulator(r#"{"keys":[{"key":"sk-test","models":["grok-video-1.5"]}]}"#);
    let (status, text, code) = error(&post(&emu, &wish()));
    assert!(status == 403 && text.contains("This token has no access to model grok-image-video ("), "{text}");
    assert_eq!(code, "");
    let denied = with_fault("create", r#"{"kind":"error_shape","shape":"ip_denied"}"#);
    assert_eq!(error(&post(&denied, &wish())).2, "access_denied");
}

/// Row 13.
#[test]
fn the_gate_reads_the_model_and_says_so_in_both_languages() {
    let emu = emulator("{}");
    let sent = |language: &str, body: &str| {
        let headers =
            [("authorization", "Bearer sk-test"), ("content-type", "application/json"), ("accept-language", language)];
        error(&send(emu.port(), "POST", CREATE, &headers, body))
    };
    for (body, english, chinese) in [
        (r#"{"prompt":"x"}"#, "Model name not specified", "未指定模型名称"),
        (r#"{"model":5}"#, "Invalid request: json: cannot unmarshal number", "无效的请求: json"),
        ("{", "Invalid request: ", "无效的请求: "),
        ("[]", "Invalid request: json: cannot unmarshal array", "无效的请求: json"),
    ] {
        for (language, text) in [("en", english), ("zh-CN", chinese)] {
            let (status, said, code) = sent(language, body);
            assert!(status == 400 && said.starts_with(text) && said.contains("request id"), "{body}: {said}");
            assert_eq!(code, "");
        }
    }
    assert_eq!(emu.created_tasks(), 0);
    assert_eq!(send(emu.port(), "POST", CREATE, &[("content-type", "application/json")], "{").status, 401);
}

/// Row 14.
#[test]
fn a_create_without_a_type_is_refused() {
    let emu = emulator("{}");
    let answer = send(emu.port(), "POST", CREATE, &[("authorization", "Bearer sk-test")], &wish().to_string());
    assert_eq!((answer.status, emu.created_tasks()), (400, 0));
}

/// Row 15.
#[test]
fn the_sibling_path_creates_too() {
    let emu = emulator("{}");
    let to = |path: &str, body: Value| {
        let headers = [("authorization", "Bearer sk-test"), ("content-type", "application/json")];
        send(emu.port(), "POST", path, &headers, &body.to_string())
    };
    let made = to("/v1/videos", wish());
    assert_eq!((made.status, emu.created_tasks(), emu.stats().posts), (200, 1, 1));
    let id = made.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(query(&emu, &id).status, 200);
    let unknown = to("/v1/videos/task_none/remix", json!({ "prompt": "x" }));
    assert_eq!((unknown.status, unknown.json()["code"].clone()), (400, json!("task_origin_not_exist")));
    let again = to(&format!("/v1/videos/{id}/remix"), json!({ "prompt": "x" }));
    assert_eq!((again.status, again.json()["seconds"].clone()), (200, json!("6")));
}

/// Row 16.
#[test]
fn large_sizes_cost_two_thirds_more() {
    for (version, units) in [("older", 1_458_333), ("newer", 1_458_331)] {
        let emu = emulator(&format!(r#"{{"api":{{"version":"{version}"}},"prices":{{"grok-image-video":0.25}}}}"#));
        let mut request = wish();
        (request["seconds"], request["size"]) = (json!("7"), json!("1792x1024"));
        let answer = post(&emu, &request);
        assert_eq!(answer.header("x-new-api-other-ratios"), Some(r#"{"seconds":7,"size":1.666667}"#));
        assert_eq!(emu.stats().quota_charged, units, "{version}");
    }
}

/// Row 17.
#[test]
fn a_create_answer_repeats_what_was_sent_and_nothing_else() {
    let emu = emulator("{}");
    let bare = post(&emu, &json!({ "model": "grok-image-video", "prompt": "x", "duration": 6 })).json();
    assert_eq!((bare.get("seconds"), bare.get("size")), (None, None));
    let odd = post(&emu, &json!({ "model": "grok-image-video", "prompt": "x", "seconds": "6s", "size": "wide" }));
    assert_eq!((odd.json()["seconds"].clone(), odd.json()["size"].clone()), (json!("6s"), json!("wide")));
    assert_eq!(odd.header("x-new-api-other-ratios"), Some(r#"{"seconds":4,"size":1}"#));
}

/// Row 18.
#[test]
fn log_dashboard_and_own_tasks_are_there() {
    let emu = emulator(
        r#"{"keys":[{"key":"sk-test","balance":2.0}],
            "accounts":[{"name":"default","access_token":"at-owner","user_id":7,"group":"vip"}]}"#,
    );
    let made = post(&emu, &wish());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let log = get(&emu, "/api/log/token").json();
    assert_eq!((log["success"].clone(), log["data"].as_array().unwrap().len()), (json!(true), 1));
    let row = &log["data"][0];
    assert_eq!(
        (row["type"].clone(), row["quota"].clone(), row["group"].clone()),
        (json!(2), json!(82_500), json!("vip"))
    );
    assert_eq!(row["request_id"], made.header("x-oneapi-request-id").unwrap());
    let other: Value = serde_json::from_str(row["other"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&other["group_ratio"], &other["is_task"], &other["model_price"]),
        (&json!(0.55), &json!(true), &json!(0.05))
    );
    assert!(!log.to_string().contains(&id), "no task id");

    assert_eq!(get(&emu, "/v1/dashboard/billing/subscription").json()["hard_limit_usd"], 2.0);
    assert_eq!(get(&emu, "/v1/dashboard/billing/usage").json()["total_usage"], 16.5);

    let tasks = |headers: &[(&str, &str)], query: &str| {
        send(emu.port(), "GET", &format!("/api/task/self?p=1&page_size=100{query}"), headers, "")
    };
    let owner = [("authorization", "at-owner"), ("new-api-user", "7")];
    let listed = tasks(&owner, "").json()["data"].clone();
    assert_eq!((listed["total"].clone(), listed["items"][0]["task_id"].clone()), (json!(1), json!(id)));
    assert_eq!(tasks(&owner, "&end_timestamp=1").json()["data"]["total"], 0);
    assert_eq!(tasks(&owner[..1], "").status, 401);
    assert_eq!(tasks(&[("authorization", "Bearer sk-test")], "").json()["success"], false);
    assert_eq!(tasks(&[], "").status, 401);
    emu.set_scenario_json(r#"{"api":{"version":"newer"}}"#).unwrap();
    assert_eq!(tasks(&owner[..1], "").json()["data"]["total"], 1);
}

/// Row 19.
#[test]
fn prices_are_shown_with_groups_or_hidden() {
    let emu = emulator(r#"{"prices":{"grok-image-video":0.01}}"#);
    let shown = send(emu.port(), "GET", "/api/pricing", &[], "").json();
    let model = &shown["data"][0];
    assert_eq!(
        (&model["model_name"], &model["quota_type"], &model["model_price"]),
        (&json!("grok-image-video"), &json!(1), &json!(0.01))
    );
    assert_eq!(model.get("billing_unit"), None);
    assert_eq!(shown["group_ratio"], json!({ "default": 1.0, "vip": 0.55 }));
    for name in ["usable_group", "auto_groups", "vendors", "pricing_version"] {
        assert!(shown.get(name).is_some(), "{name}");
    }
    assert!(model.get("model_ratio").is_some() && model["supported_endpoint_types"].is_array());
    emu.set_scenario_json(r#"{"api":{"pricing":false}}"#).unwrap();
    assert_eq!(send(emu.port(), "GET", "/api/pricing", &[], "").status, 403);
}

/// Row 20.
#[test]
fn status_has_what_a_page_needs() {
    let emu = emulator("{}");
    let status = get(&emu, "/api/status").json()["data"].clone();
    for name in ["server_address", "quota_display_type", "usd_exchange_rate", "quota_per_unit", "version"] {
        assert!(status.get(name).is_some(), "{name}");
    }
    let extra = |status: &Value| status.as_object().unwrap().keys().any(|name| name.starts_with("video_"));
    assert!(extra(&status));
    emu.set_scenario_json(r#"{"api":{"version":"newer"}}"#).unwrap();
    assert!(!extra(&get(&emu, "/api/status").json()["data"]));
}

/// Row 21.
#[test]
fn models_are_listed_without_segments() {
    let emu = emulator("{}");
    let models = get(&emu, "/v1/models").json()["data"].clone();
    let names: Vec<_> = models.as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
    assert_eq!(names, [json!("grok-image-video"), json!("grok-video-1.5")]);
    assert_eq!(
        (&models[0]["owned_by"], &models[0]["supported_endpoint_types"]),
        (&json!("sora"), &json!(["openai-video"]))
    );
}

/// Rows 22 and 23.
#[test]
fn the_balance_tells_what_a_401_hides() {
    let emu = emulator(
        r#"{"keys":[{"key":"sk-expired","state":"expired"},{"key":"sk-off","state":"disabled"},{"key":"sk-empty","balance":0}]}"#,
    );
    let ask = |key: &str| get_as(&emu, key, "/api/usage/token/");
    let wrong = ask("sk-wrong");
    assert_eq!((wrong.status, wrong.json()), (401, json!({ "message": "Invalid token", "success": false })));
    assert_eq!(get_as(&emu, "sk-expired", "/v1/models").status, 401);
    let expires = ask("sk-expired").json()["data"]["expires_at"].as_u64().unwrap();
    assert!(expires > 0 && expires < 4_000_000_000, "{expires}");
    assert_eq!(get_as(&emu, "sk-empty", "/v1/models").status, 401);
    assert_eq!(ask("sk-empty").json()["data"]["total_available"], 0);
    assert_eq!(ask("sk-off").status, 401);
    emu.set_scenario_json(r#"{"api":{"version":"newer"}}"#).unwrap();
    assert_eq!(ask("sk-off").status, 200);
}

/// Rows 24 and 25.
#[test]
fn files_that_are_not_there() {
    // So slow that the task cannot end before it was asked for.
    let emu = emulator(r#"{"time_scale":0.001}"#);
    let unknown = get(&emu, &content_path("task_none"));
    assert_eq!((unknown.status, unknown.header("cache-control")), (404, None));
    assert_eq!(unknown.json()["error"]["type"], "invalid_request_error");
    let running = emu.add_task(TaskSpec { state: junfeiai_emulator::TaskState::Queued, ..TaskSpec::default() });
    let early = get(&emu, &content_path(&running));
    assert_eq!((early.status, early.json()["error"]["type"].clone()), (400, json!("invalid_request_error")));
    emu.set_scenario_json(r#"{"rules":[{"fault":{"kind":"error_shape","shape":"proxy_404"}}]}"#).unwrap();
    let upstream = get(&emu, &content_path(&running));
    assert_eq!(error(&upstream).1, "Upstream service returned status 404");
    assert_eq!((upstream.status, upstream.json()["error"]["type"].clone()), (502, json!("server_error")));
}

/// Row 26.
#[test]
fn paths_and_methods_that_are_not_there_may_be_cached_for_a_week() {
    let emu = emulator("{}");
    let id = emu.add_task(TaskSpec::default());
    for (method, path) in [
        ("GET", "/v1/nothing".to_owned()),
        ("DELETE", format!("{CREATE}/{id}")),
        ("HEAD", content_path(&id)),
        ("HEAD", "/v1/models".to_owned()),
        ("GET", CREATE.to_owned()),
        ("GET", "/api/nothing".to_owned()),
    ] {
        let answer = send(emu.port(), method, &path, &[("authorization", "Bearer sk-test")], "");
        assert_eq!(answer.status, 404, "{method} {path}");
        assert_eq!(answer.header("cache-control"), Some("max-age=604800"), "{method} {path}");
        assert!(answer.header("cache-version").is_some() && answer.header("allow").is_none(), "{method} {path}");
        if method != "HEAD" {
            let said = answer.json()["error"].clone();
            assert_eq!(said["message"], format!("Invalid URL ({method} {path})"));
            assert_eq!(
                (&said["type"], &said["param"], &said["code"]),
                (&json!("invalid_request_error"), &json!(""), &json!(""))
            );
        }
    }
}

/// Rows 27 and 29.
#[test]
fn the_page_of_a_wrong_path() {
    let emu = emulator("{}");
    for method in ["GET", "POST"] {
        let page = send(emu.port(), method, "/video/generations", &[], "");
        assert_eq!((page.status, page.header("cache-control")), (200, Some("no-cache")));
        assert!(page.header("x-oneapi-request-id").is_some() && page.text().starts_with("<!doctype html>"));
    }
    let doubled = get(&emu, "/v1//video/generations");
    assert_eq!((doubled.status, doubled.json()["error"]["type"].clone()), (404, json!("invalid_request_error")));
    assert_eq!(get(&emu, "//v1/video/generations").status, 200);
}

/// Row 28.
#[test]
fn a_slash_at_the_end_is_redirected_before_anything_else() {
    let emu = emulator("{}");
    for (method, path, status, to, page) in [
        ("GET", "/v1/models/", 301, "/v1/models", true),
        ("GET", "/v1/videos/task_x/content/?a=b", 301, "/v1/videos/task_x/content?a=b", true),
        ("GET", "/api/usage/token", 301, "/api/usage/token/", true),
        ("POST", "/v1/video/generations/", 307, CREATE, false),
        ("POST", "/v1/videos/", 307, "/v1/videos", false),
    ] {
        let moved = send(emu.port(), method, path, &[("origin", "http://x")], "");
        assert_eq!((moved.status, moved.header("location")), (status, Some(to)), "{method} {path}");
        assert_eq!(moved.text().contains("Moved Permanently"), page, "{method} {path}");
        assert!(moved.header("x-oneapi-request-id").is_none() && moved.header("access-control-allow-origin").is_none());
    }
    // Where no route is meant, there is none.
    assert_eq!(get(&emu, "/v1/nothing/").status, 404);
    assert_eq!(send(emu.port(), "DELETE", "/v1/models/", &[], "").status, 404);
}

/// Rows 30 and 31.
#[test]
fn cors_is_for_pages_of_other_origins() {
    let emu = emulator("{}");
    let asked = |method: &str, origin: &[(&str, &str)]| {
        let headers = [&[("authorization", "Bearer sk-test")][..], origin].concat();
        let answer = send(emu.port(), method, "/v1/models", &headers, "");
        let cors = ["access-control-allow-origin", "access-control-allow-credentials"];
        (answer.status, cors.map(|name| answer.header(name).map(str::to_owned)))
    };
    let all = [Some("*".to_owned()), Some("true".to_owned())];
    assert_eq!(asked("OPTIONS", &[]), (404, [None, None]));
    assert_eq!(asked("OPTIONS", &[("origin", "http://page")]), (204, all.clone()));
    assert_eq!(asked("GET", &[]), (200, [None, None]));
    assert_eq!(asked("GET", &[("origin", "http://page")]), (200, all));
    let own = emu.origin();
    assert_eq!(asked("GET", &[("origin", &own)]), (200, [None, None]));
}

/// Row 32.
#[test]
fn a_key_needs_no_bearer() {
    let emu = emulator("{}");
    for (value, status) in [("sk-test", 200), ("bearer sk-test", 200), ("Basic sk-test", 401), ("Bearer ", 401)] {
        assert_eq!(get_as(&emu, value, "/v1/models").status, status, "{value}");
    }
    assert_eq!(post_as(&emu, "sk-test", &wish()).status, 200);
    assert!(!serde_json::to_string(&emu.requests()).unwrap().contains("sk-test"));
}

/// Rows 33 and 34.
#[test]
fn a_query_shows_what_the_gateway_knows() {
    let emu = emulator(r#"{"time_scale":1,"task":{"queued_s":0,"running_s":1e9}}"#);
    let quick = emu.add_task(TaskSpec {
        plan: TaskPlan { queued_s: 0.0, running_s: 5.0, ..TaskPlan::default() },
        ..TaskSpec::default()
    });
    let long = emu.add_task(TaskSpec::default());
    let running = create(&emu);
    let answer = query(&emu, &running);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let data = answer.json()["data"].clone();
    assert_eq!((&data["platform"], &data["start_time"], data.get("result_url")), (&json!("55"), &json!(0), None));
    assert_eq!(data["data"]["status"], "in_progress");
    // Whether it was seen running: the gateway looks every fifteen seconds.
    let done = |id: &str| query(&emu, id).json()["data"].clone();
    assert_eq!(
        (done(&quick)["start_time"].clone(), done(&quick)["data"]["status"].clone()),
        (json!(0), json!("completed"))
    );
    assert!(done(&long)["start_time"].as_u64().unwrap() > 0 && done(&long)["result_url"].is_string());
    let failed = emu.add_task(TaskSpec { state: junfeiai_emulator::TaskState::Failed, ..TaskSpec::default() });
    assert_eq!(
        (&done(&failed)["data"]["status"], &done(&failed)["result_url"]),
        (&json!("failed"), &done(&failed)["fail_reason"])
    );
    let stale = TaskPlan { stale_data: true, ..TaskPlan::default() };
    let stale = emu.add_task(TaskSpec { plan: stale, ..TaskSpec::default() });
    assert_eq!(
        (done(&stale)["status"].clone(), done(&stale)["data"]["status"].clone()),
        (json!("SUCCESS"), json!("processing"))
    );
}

/// Row 35.
#[test]
fn the_sibling_query_differs_by_version() {
    let emu = emulator(r#"{"time_scale":1}"#);
    let seen = |id: &str| get(&emu, &format!("/v1/videos/{id}")).json();
    let young = create(&emu);
    assert_eq!((seen(&young)["seconds"].clone(), seen(&young)["size"].clone()), (json!("6"), json!("320x192")));
    emu.set_scenario_json(r#"{"time_scale":1,"task":{"ends_after_polls":0}}"#).unwrap();
    let done = create(&emu);
    let url = format!("{}/videos/{done}/content", emu.base_url());
    let older = seen(&done);
    assert_eq!((older.get("seconds"), older.get("size")), (None, None));
    assert_eq!(
        [&older["url"], &older["result_url"], &older["video"]["url"], &older["task_id"]],
        [&json!(url), &json!(url), &json!(url), &json!(done)]
    );
    emu.set_scenario_json(r#"{"time_scale":1,"api":{"version":"newer"}}"#).unwrap();
    let newer = seen(&done);
    for name in ["task_id", "url", "result_url", "video"] {
        assert_eq!(newer.get(name), None, "{name}");
    }
    assert_eq!(newer["metadata"]["url"], url);
}

/// Row 36, and what the newer version makes of ranges.
#[test]
fn ranges_that_are_passed_on_and_ranges_that_are_ignored() {
    let emu = emulator("{}");
    let plan = TaskPlan { size: Some("64x64".into()), ..TaskPlan::default() };
    let path = content_path(&emu.add_task(TaskSpec { plan, ..TaskSpec::default() }));
    let asked = |scenario: &str, range: &str| {
        emu.set_scenario_json(scenario).unwrap();
        get_range(&emu, &path, range)
    };
    assert_eq!(asked("{}", "bytes=5-2").status, 200);
    let nonsense = asked(r#"{"content":{"reversed_range":206}}"#, "bytes=5-2");
    assert_eq!((nonsense.status, nonsense.body.len()), (206, 0));
    assert!(nonsense.header("content-range").unwrap().starts_with("bytes 5-2/"));
    assert_eq!(asked("{}", "bytes=0-9").status, 206);
    let newer = r#"{"api":{"version":"newer"}}"#;
    let ignored = asked(newer, "bytes=0-9");
    assert_eq!((ignored.status, ignored.header("accept-ranges")), (200, Some("bytes")));
}

/// Row 37.
#[test]
fn request_ids_have_their_form() {
    let emu = emulator(r#"{"time_scale":1}"#);
    let id = emu.add_task(TaskSpec::default());
    let file = get(&emu, &content_path(&id)).headers["x-oneapi-request-id"].clone();
    assert_eq!(file.len(), 2);
    let single = query(&emu, &id).headers["x-oneapi-request-id"].clone();
    assert_eq!(single.len(), 1);
    let all: BTreeSet<String> = file.into_iter().chain(single).collect();
    assert_eq!(all.len(), 3);
    for id in all {
        let (digits, rest) = id.split_at(23);
        assert!(digits.starts_with("20") && digits.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
        assert!(rest[..8].bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
        assert!(rest.len() == 16 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    }
}

/// Row 38.
#[test]
fn a_body_without_a_length_is_cut_cleanly() {
    let cut = |fault: &str| {
        let emu = emulator(&format!(
            r#"{{"content":{{"content_length":false}},"rules":[{{"match":{{"op":"content"}},"fault":{fault}}}]}}"#
        ));
        let id = emu.add_task(TaskSpec::with_video_bytes(200_000));
        let raw = common::raw(emu.port(), &content_path(&id));
        assert!(!emu.requests()[0].complete);
        (raw.windows(7).any(|window| window == b"\r\n0\r\n\r\n"), raw.len())
    };
    let (ended, size) = cut(r#"{"kind":"cut_body","after_bytes":50000}"#);
    assert!(ended && (50_000..52_000).contains(&size), "{size}");
    assert!(!cut(r#"{"kind":"cut_body","after_bytes":50000,"clean":false}"#).0);
    assert!(!cut(r#"{"kind":"cut_body","after_bytes":50000,"rst":true}"#).0);
    // The minute of the proxy, too.
    let emu = emulator(
        r#"{"time_scale":60,"content":{"content_length":false,"cut_after_s":60,"per_connection_rate":1000000}}"#,
    );
    let id = emu.add_task(TaskSpec::with_video_bytes(4_000_000));
    let answer = get(&emu, &content_path(&id));
    assert_eq!((answer.status, answer.end), (200, End::Eof));
    assert!(answer.body.len() < 4_000_000);
}

/// What a create costs, and what becomes of the money.
#[test]
fn money_goes_and_comes_back() {
    let emu = emulator(
        r#"{"time_scale":1,"keys":[{"key":"sk-test","balance":1.0}],
            "accounts":[{"name":"default","balance":10.0,"group":"vip"}],"task":{"ends_after_polls":1}}"#,
    );
    let mut request = wish();
    request["prompt"] = json!("[fail] please");
    let id = post(&emu, &request).json()["id"].as_str().unwrap().to_owned();
    // 0.05 USD × 500 000 × 0.55 = 13 750 units a second.
    assert_eq!(query(&emu, &id).json()["data"]["quota"], 82_500);
    assert_eq!(
        (usage(&emu)["total_used"].clone(), usage(&emu)["total_available"].clone()),
        (json!(82_500), json!(417_500))
    );
    assert_eq!(query(&emu, &id).json()["data"]["status"], "FAILURE");
    assert_eq!((usage(&emu)["total_used"].clone(), usage(&emu)["total_available"].clone()), (json!(0), json!(500_000)));
    let log = get(&emu, "/api/log/token").json()["data"].clone();
    assert_eq!(
        (log[0]["type"].clone(), log[0]["quota"].clone(), log[1]["type"].clone()),
        (json!(6), json!(82_500), json!(2))
    );
    let other: Value = serde_json::from_str(log[0]["other"].as_str().unwrap()).unwrap();
    assert_eq!((other["task_id"].clone(), other["reason"].is_string()), (json!(id), true));
    assert_eq!(query(&emu, &id).json()["data"]["quota"], 82_500, "the older version leaves the number");
    emu.set_scenario_json(r#"{"api":{"version":"newer","log":false}}"#).unwrap();
    assert_eq!(query(&emu, &id).json()["data"]["quota"], 0);
    assert_eq!(get(&emu, "/api/log/token").json()["data"], json!([]));
}

/// A row of the log says that the upstream has accepted; until then only the sum has risen.
#[test]
fn the_log_is_behind_the_charge() {
    let emu = emulator(r#"{"time_scale":1,"api":{"create_latency_ms":3500}}"#);
    let port = emu.port();
    let body = wish().to_string();
    let posted = std::thread::spawn(move || {
        let headers = [("authorization", "Bearer sk-test"), ("content-type", "application/json")];
        send(port, "POST", CREATE, &headers, &body).status
    });
    while emu.created_tasks() == 0 {
        std::thread::yield_now();
    }
    assert_eq!(usage(&emu)["total_used"], 150_000);
    assert_eq!(get(&emu, "/api/log/token").json()["data"], json!([]));
    assert_eq!(posted.join().unwrap(), 200);
    assert_eq!(get(&emu, "/api/log/token").json()["data"][0]["type"], 2);
}

/// A gateway that dies keeps the money; sums that are written in batches come late.
#[test]
fn charges_that_cannot_be_explained() {
    let emu = with_fault("create", r#"{"kind":"die_after_charge"}"#);
    assert_eq!(post(&emu, &wish()).status, 0);
    assert_eq!((usage(&emu)["total_used"].clone(), emu.created_tasks()), (json!(150_000), 0));
    assert_eq!(get(&emu, "/api/log/token").json()["data"], json!([]));
    let emu = emulator(r#"{"time_scale":1,"api":{"usage_batch_s":1e6}}"#);
    create(&emu);
    assert_eq!(usage(&emu)["total_used"], 0);
    emu.set_scenario_json("{}").unwrap();
    assert_eq!(usage(&emu)["total_used"], 150_000);
}
