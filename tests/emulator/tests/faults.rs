//! Every fault kind, and the rules that choose requests.

mod common;

use common::{
    Answer, CREATE, End, content_path, create, emulator, get, get_range, post, query, send, wish, with_fault,
};
use junfeiai_emulator::{Emulator, Fault, Match, Op, Rule, Scenario, Shape, TaskPlan, TaskSpec};
use serde_json::json;

fn video(emu: &Emulator) -> (String, Vec<u8>) {
    let plan = TaskPlan { size: Some("320x192".into()), ..TaskPlan::default() };
    let id = emu.add_task(TaskSpec { plan, ..TaskSpec::default() });
    let bytes = emu.video_bytes(&id).unwrap().to_vec();
    (id, bytes)
}

/// The file under one fault: answer and true bytes.
fn file_with(fault: &str) -> (Answer, Vec<u8>, Emulator, String) {
    let emu = with_fault("content", fault);
    let (id, bytes) = video(&emu);
    (get(&emu, &content_path(&id)), bytes, emu, id)
}

#[test]
fn connections_that_end_without_an_answer() {
    for (fault, made, end) in [
        (r#"{"kind":"drop_before_accept"}"#, 0, None),
        (r#"{"kind":"drop_before_accept","rst":true}"#, 0, Some(End::Reset)),
        (r#"{"kind":"drop_after_accept"}"#, 1, Some(End::Eof)),
        (r#"{"kind":"drop_after_accept","rst":true}"#, 1, Some(End::Reset)),
        (r#"{"kind":"reset_after_accept"}"#, 1, Some(End::Reset)),
        (r#"{"kind":"die_after_charge"}"#, 0, None),
        (r#"{"kind":"die_after_charge","rst":true}"#, 0, Some(End::Reset)),
        (r#"{"kind":"hang"}"#, 0, Some(End::Timeout)),
        (r#"{"kind":"hang","act":true}"#, 1, Some(End::Timeout)),
    ] {
        let emu = with_fault("create", fault);
        let answer = post(&emu, &wish());
        assert_eq!((answer.status, emu.created_tasks()), (0, made), "{fault}");
        assert!(end.is_none_or(|end| end == answer.end), "{fault}: {:?}", answer.end);
        let log = emu.requests();
        assert!(log[0].fault.is_some() && log[0].status.is_none());
        assert_eq!(post(&emu, &wish()).status, 200, "only once: {fault}");
    }
}

#[test]
fn late_answers() {
    let emu = with_fault("create", r#"{"kind":"hang","ms":200}"#);
    let answer = post(&emu, &wish());
    assert!(answer.status == 200 && answer.took.as_millis() >= 200);
    let emu = with_fault("query", r#"{"kind":"slow_headers","ms_per_byte":5,"bytes":40}"#);
    let answer = query(&emu, "task_x");
    assert!(answer.status == 400 && answer.took.as_millis() >= 200, "{:?}", answer.took);
}

#[test]
fn made_up_answers() {
    let emu =
        with_fault("create", r#"{"kind":"status","status":503,"body":{"a":1},"headers":{"x-extra":"1"},"act":true}"#);
    let answer = post(&emu, &wish());
    assert_eq!((answer.status, answer.json(), answer.header("x-extra")), (503, json!({ "a": 1 }), Some("1")));
    assert_eq!(emu.created_tasks(), 1);
    let answer = post(&with_fault("create", r#"{"kind":"status","status":500,"body":"text"}"#), &wish());
    assert_eq!((answer.status, answer.text()), (500, "text".into()));
    let answer = post(&with_fault("create", r#"{"kind":"html","status":504}"#), &wish());
    assert_eq!((answer.status, answer.header("content-type")), (504, Some("text/html")));
    assert!(answer.header("x-oneapi-request-id").is_none() && answer.text().contains("nginx"));
    let answer = post(&with_fault("create", r#"{"kind":"empty_body"}"#), &wish());
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let answer = post(&with_fault("create", r#"{"kind":"garbage"}"#), &wish());
    assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err() && answer.body.len() == 512);
    let answer = post(&with_fault("create", r#"{"kind":"huge_body","bytes":3000000}"#), &wish());
    assert_eq!(answer.body.len(), 3_000_000);
    assert_eq!(answer.json()["code"], "success");
    let answer = post(&with_fault("create", r#"{"kind":"endless_body"}"#), &wish());
    assert!(answer.body.len() > 20 << 20, "{}", answer.body.len());
    let answer = post(&with_fault("create", r#"{"kind":"deep_json","depth":5000}"#), &wish());
    assert!(answer.text().contains(&"[".repeat(5_000)));
}

#[test]
fn creates_that_seem_to_succeed() {
    let emu = with_fault("create", r#"{"kind":"no_id"}"#);
    let answer = post(&emu, &wish());
    assert_eq!((answer.status, answer.json().get("id"), emu.created_tasks()), (200, None, 1));
    let emu = with_fault("create", r#"{"kind":"accepted_202"}"#);
    let answer = post(&emu, &wish());
    assert_eq!((answer.status, answer.json()["code"].clone()), (202, json!("fail_to_fetch_task")));
    assert_eq!(emu.created_tasks(), 0, "refunded");
    let answer = post(&with_fault("create", r#"{"kind":"duplicate_request_id"}"#), &wish());
    let ids = &answer.headers["x-oneapi-request-id"];
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    let answer =
        post(&with_fault("create", r#"{"kind":"header","name":"content-type","value":"text/plain"}"#), &wish());
    assert_eq!(answer.header("content-type"), Some("text/plain"));
}

#[test]
fn ids_of_any_form_lead_to_their_tasks() {
    for (api, id, path, part) in [
        (r#"{"task_id":"dGFz/a+{n}=="}"#, "dGFz/a+1==", "dGFz%2Fa%2B1%3D%3D", r#""id":"dGFz/a+1==""#),
        (r#"{"task_id":"77{n}","create_id":"number"}"#, "771", "771", r#""id":771"#),
        (r#"{"task_id":"t{n}","create_id":"request_id"}"#, "t1", "t1", r#"{"request_id":"t1"}"#),
        (r#"{"task_id":"t{n}","create_id":"text","create_bom":true}"#, "t1", "t1", r#"{"code":"success","data":"t1"}"#),
    ] {
        let emu = Emulator::builder().start().unwrap();
        emu.set_scenario_json(&format!(r#"{{"api":{api}}}"#)).unwrap();
        let answer = post(&emu, &wish());
        assert!(answer.text().contains(part), "{}", answer.text());
        assert_eq!(answer.text().starts_with('\u{feff}'), api.contains("bom"));
        let seen = get(&emu, &format!("/v1/video/generations/{path}"));
        assert_eq!(seen.json()["data"]["task_id"], json!(id), "{}", seen.text());
    }
}

#[test]
fn rate_limited_once() {
    for (form, seen) in [("seconds", Some("7")), ("none", None)] {
        let emu = with_fault("create", &format!(r#"{{"kind":"rate_limited","retry_after":"{form}","seconds":7}}"#));
        let answer = post(&emu, &wish());
        assert_eq!((answer.status, answer.header("retry-after"), emu.created_tasks()), (429, seen, 0));
        assert_eq!(post(&emu, &wish()).status, 200);
    }
    let emu = with_fault("query", r#"{"kind":"rate_limited","retry_after":"date"}"#);
    assert!(query(&emu, "task_x").header("retry-after").unwrap().ends_with("GMT"));
}

#[test]
fn every_error_shape_can_be_asked_for() {
    for (shape, status, part) in [
        ("invalid_token", 401, "new_api_error"),
        ("no_model_right", 403, "new_api_error"),
        ("banned", 403, "new_api_error"),
        ("ip_denied", 403, "new_api_error"),
        ("model_not_found", 503, "model_not_found"),
        ("invalid_request", 400, "invalid_request"),
        ("invalid_json", 400, "invalid_json"),
        ("invalid_seconds", 400, "invalid_seconds"),
        ("task_not_exist", 400, "task_not_exist"),
        ("task_not_exist_404", 404, "task_not_exist"),
        ("insufficient_user_quota", 403, "insufficient_user_quota"),
        ("pre_consume_token_quota_failed", 403, "pre_consume_token_quota_failed"),
        ("fail_to_fetch_task", 400, "the prompt was refused"),
        ("upstream_401", 401, "fail_to_fetch_task"),
        ("upstream_404", 404, "fail_to_fetch_task"),
        ("upstream_html", 502, r"\u003chtml\u003e"),
        ("upstream_429", 429, "fail_to_fetch_task"),
        ("do_request_failed", 500, "do_request_failed"),
        ("upstream_unreadable", 500, "unmarshal_response_body_failed"),
        ("invalid_response", 500, "invalid_response"),
        ("success_false", 200, "false"),
        ("empty_500", 500, ""),
        ("html_413", 413, "nginx"),
        ("html_429", 429, "nginx"),
        ("html_502", 502, "nginx"),
        ("html_503", 503, "nginx"),
        ("html_504", 504, "nginx"),
        ("html_524", 524, "nginx"),
        ("proxy_502", 502, "server_error"),
        ("proxy_416", 502, "Upstream service returned status 416"),
        ("plain_416", 416, ""),
        ("proxy_404", 502, "Upstream service returned status 404"),
        ("content_not_found", 404, "invalid_request_error"),
        ("request_blocked", 403, "request blocked"),
        ("not_completed", 400, "not completed yet"),
    ] {
        let emu = with_fault("query", &format!(r#"{{"kind":"error_shape","shape":"{shape}"}}"#));
        let answer = query(&emu, "task_x");
        assert_eq!(answer.status, status, "{shape}");
        assert!(answer.text().contains(part), "{shape}: {}", answer.text());
        assert_eq!(emu.requests()[0].fault.as_deref(), Some("error_shape"));
    }
}

#[test]
fn bodies_that_end_too_soon() {
    for rst in [false, true] {
        let (answer, bytes, emu, id) = file_with(&format!(r#"{{"kind":"cut_body","after_bytes":5000,"rst":{rst}}}"#));
        assert_eq!((answer.status, answer.announced()), (200, Some(bytes.len())));
        assert_eq!(answer.end, if rst { End::Reset } else { End::Eof });
        if !rst {
            assert_eq!(answer.body, bytes[..5000]);
        }
        assert_eq!((emu.requests()[0].sent_bytes, emu.requests()[0].complete), (5000, false));
        assert_eq!(get(&emu, &content_path(&id)).body, bytes);
    }
    let (answer, bytes, ..) = file_with(r#"{"kind":"cut_body","after_bytes":0}"#);
    assert_eq!((answer.announced(), answer.body.len()), (Some(bytes.len()), 0));
    let (answer, bytes, ..) = file_with(r#"{"kind":"wrong_length","delta":100}"#);
    assert_eq!((answer.announced(), answer.body.len()), (Some(bytes.len() + 100), bytes.len()));
    let (answer, bytes, ..) = file_with(r#"{"kind":"wrong_length","delta":-100}"#);
    assert_eq!((answer.announced(), &answer.body[..]), (Some(bytes.len() - 100), &bytes[..bytes.len() - 100]));
    let (answer, bytes, ..) = file_with(r#"{"kind":"stall_body","after_bytes":1000,"ms":250}"#);
    assert!(answer.took.as_millis() >= 250 && answer.body == bytes);
    let (answer, ..) = file_with(r#"{"kind":"stall_body","after_bytes":1000}"#);
    assert_eq!((answer.end, answer.body.len()), (End::Timeout, 1000));
    // Whole, though only the end of the connection says so.
    let (answer, bytes, emu, _) = file_with(r#"{"kind":"until_close"}"#);
    assert_eq!((answer.announced(), answer.header("transfer-encoding"), answer.end), (None, None, End::Eof));
    assert!(answer.body == bytes && emu.requests()[0].complete);
    // JSON answers can be cut too.
    let emu = with_fault("create", r#"{"kind":"cut_body","after_bytes":10}"#);
    let answer = post(&emu, &wish());
    assert_eq!((answer.status, answer.body.len(), emu.created_tasks()), (200, 10, 1));
    // The end comes when it was asked for.
    let emu = with_fault("create", r#"{"kind":"cut_body","after_bytes":10,"pause_ms":250}"#);
    let answer = post(&emu, &wish());
    assert!(answer.body.len() == 10 && answer.took.as_millis() >= 250);
}

#[test]
fn files_that_are_not_what_they_seem() {
    let (answer, ..) = file_with(r#"{"kind":"not_ready"}"#);
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("Task is not completed yet, current status: "));
    let (answer, ..) = file_with(r#"{"kind":"json_as_video"}"#);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("video/mp4")));
    assert!(answer.json().is_object());
    let (answer, bytes, ..) = file_with(r#"{"kind":"incomplete_file","bytes":3000}"#);
    assert_eq!((answer.announced(), &answer.body[..]), (Some(3000), &bytes[..3000]));
    let (answer, bytes, ..) = file_with(r#"{"kind":"extra_bytes","bytes":9}"#);
    assert_eq!((answer.announced(), answer.body.len()), (Some(bytes.len() + 9), bytes.len() + 9));
    assert_eq!(answer.body[..bytes.len()], bytes);
}

#[test]
fn ranges_and_validators_that_lie() {
    let emu = with_fault("content", r#"{"kind":"wrong_content_range","shift":50,"total":3}"#);
    let (id, bytes) = video(&emu);
    let path = content_path(&id);
    let answer = get_range(&emu, &path, "bytes=100-199");
    assert_eq!(answer.body, bytes[150..250]);
    assert_eq!(answer.header("content-range").unwrap(), format!("bytes 150-249/{}", bytes.len() + 3));
    let before = get(&emu, &path);
    emu.set_scenario_json(r#"{"rules":[{"match":{"op":"content"},"times":1,"fault":{"kind":"change_etag"}}]}"#)
        .unwrap();
    let changed = get(&emu, &path);
    let after = get(&emu, &path);
    assert_eq!(changed.body, before.body);
    assert_ne!(changed.header("etag"), before.header("etag"));
    assert_eq!(changed.header("etag"), after.header("etag"));
    emu.set_scenario_json(r#"{"rules":[{"match":{"op":"content"},"times":1,"fault":{"kind":"change_file"}}]}"#)
        .unwrap();
    let changed = get(&emu, &path);
    assert_ne!(changed.body, before.body);
    assert_ne!(changed.header("etag"), after.header("etag"));
    assert_eq!(changed.body, emu.video_bytes(&id).unwrap());
}

#[test]
fn redirects() {
    let emu = emulator(
        r#"{"rules":[{"match":{"op":"content"},"times":1,"fault":{"kind":"redirect","location":"{second}/v1/videos/{id}/content"}},
                     {"match":{"op":"content"},"fault":{"kind":"redirect","status":307,"location":"{host}{path}"}}]}"#,
    );
    let (id, _) = video(&emu);
    let answer = get(&emu, &content_path(&id));
    let target = format!("{}/v1/videos/{id}/content", emu.second_origin().unwrap());
    assert_eq!((answer.status, answer.header("location")), (302, Some(target.as_str())));
    let answer = get(&emu, &content_path(&id));
    let target = format!("{}/v1/videos/{id}/content", emu.origin());
    assert_eq!((answer.status, answer.header("location")), (307, Some(target.as_str())));
}

#[test]
fn rules_choose_requests() {
    let rule = |matches, times| Rule { matches, times, fault: Fault::ErrorShape { shape: Shape::Html502, act: false } };
    let emu = emulator("{}");
    let statuses = |rules: Vec<Rule>, range: Option<&str>| {
        emu.set_scenario(Scenario { seed: Some(5), rules, ..Scenario::default() });
        let mut headers = vec![("authorization", "Bearer sk-test")];
        headers.extend(range.map(|range| ("range", range)));
        let one = || send(emu.port(), "GET", "/v1/models", &headers, "").status;
        (0..6).map(|_| one() == 502).collect::<Vec<_>>()
    };
    let (yes, no) = (true, false);
    let any = Match::default();
    assert_eq!(statuses(vec![rule(any.clone(), Some(2))], None), [yes, yes, no, no, no, no]);
    let nth = Match { nth: Some(vec![2, 5]), ..any.clone() };
    assert_eq!(statuses(vec![rule(nth, None)], None), [no, yes, no, no, yes, no]);
    let window = Match { from: Some(3), to: Some(4), ..any.clone() };
    assert_eq!(statuses(vec![rule(window, None)], None), [no, no, yes, yes, no, no]);
    let other = Match { op: Op::Create, ..any.clone() };
    assert_eq!(statuses(vec![rule(other, None)], None), [no; 6]);
    let path = Match { path_contains: Some("models".into()), method: Some("get".into()), ..any.clone() };
    assert_eq!(statuses(vec![rule(path, Some(1))], None), [yes, no, no, no, no, no]);
    let late = Match { range_start_at_least: Some(100), ..any.clone() };
    assert_eq!(statuses(vec![rule(late.clone(), None)], None), [no; 6]);
    assert_eq!(statuses(vec![rule(late, None)], Some("bytes=100-")), [yes; 6]);
    let second = Match { host: Some(junfeiai_emulator::HostName::Second), ..any.clone() };
    assert_eq!(statuses(vec![rule(second, None)], None), [no; 6]);
    let chance = Match { probability: Some(0.5), ..any };
    let first = statuses(vec![rule(chance.clone(), None)], None);
    assert_eq!(first, statuses(vec![rule(chance, None)], None), "one seed, one fate");
    assert!(first.contains(&yes) && first.contains(&no), "{first:?}");
}

#[test]
fn chaos_is_repeatable_and_of_every_kind() {
    let fates = |seed: u64| {
        let emu = emulator(&format!(
            r#"{{"seed":{seed},"chaos":{{"content":{{"cut":0.15,"reset":0.1,"stall":0.1,"status_502":0.15,"status_429":0.1,
                "ignore_range":0.1,"wrong_range":0.1,"change_file":0.1,"stall_ms":1}},
                "query":{{"drop":0.2,"status_502":0.2,"status_429":0.2,"not_exist":0.2}}}}}}"#
        ));
        let (id, _) = video(&emu);
        for _ in 0..80 {
            get_range(&emu, &content_path(&id), "bytes=10-");
            query(&emu, &id);
        }
        emu.requests().into_iter().map(|entry| entry.fault).collect::<Vec<_>>()
    };
    let first = fates(7);
    assert_eq!(first, fates(7));
    let mut kinds: Vec<String> = first.into_iter().flatten().collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 10, "{kinds:?}");
}

#[test]
fn the_task_is_made_even_if_the_client_has_gone() {
    let emu = emulator(r#"{"api":{"create_latency_ms":60000}}"#);
    let answer = post(&emu, &wish());
    assert_eq!((answer.status, answer.end, emu.created_tasks()), (0, End::Timeout, 1));
    emu.set_scenario_json("{}").unwrap();
    create(&emu);
    let posts = emu.requests().iter().filter(|entry| entry.method == "POST" && entry.path == CREATE).count();
    assert_eq!((posts, emu.stats().posts), (2, 2));
}

#[test]
fn rules_that_are_added_leave_the_others_and_their_counters_alone() {
    let emu = with_fault("create", r#"{"kind":"status","status":418}"#);
    assert_eq!(post(&emu, &wish()).status, 418);
    emu.fault(Op::Create, 2, Fault::Html { status: 502, act: false });
    let added = r#"{"match":{"op":"query"},"times":1,"fault":{"kind":"html","status":503}}"#;
    assert_eq!(send(emu.port(), "POST", "/__emulator/rules", &[], added).status, 204);
    let seen: Vec<u16> = (0..3).map(|_| post(&emu, &wish()).status).collect();
    assert_eq!(seen, [502, 502, 200], "the first rule does not fire again");
    let id = create(&emu);
    assert_eq!([query(&emu, &id).status, query(&emu, &id).status], [503, 200]);
    let ops: Vec<Op> = emu.requests().iter().map(|request| request.op).collect();
    assert_eq!(ops, [Op::Create, Op::Create, Op::Create, Op::Create, Op::Create, Op::Query, Op::Query]);

    for (bad, why) in [
        (r#"{"fault":{"kind":"drop_nothing"}}"#, "unknown variant `drop_nothing`"),
        (r#"{"fault":{"kind":"status","status":1}}"#, "fault.status"),
        ("[]", "invalid"),
    ] {
        let answer = send(emu.port(), "POST", "/__emulator/rules", &[], bad);
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.text().contains(why), "{bad}: {}", answer.text());
    }
}

#[test]
fn a_patch_changes_what_it_names() {
    let emu = emulator(
        r#"{"task":{"queued_s":5,"running_s":7,"fail_reason":"no"},
            "rules":[{"match":{"op":"create"},"times":1,"fault":{"kind":"status","status":418}}]}"#,
    );
    let patch = |body: &str| send(emu.port(), "PATCH", "/__emulator/scenario", &[], body);
    let shown = || send(emu.port(), "GET", "/__emulator/scenario", &[], "").json();
    assert_eq!(post(&emu, &wish()).status, 418);
    assert_eq!(patch(r#"{"task":{"outcome":"failure","queued_s":0,"fail_reason":null},"time_scale":500}"#).status, 204);
    let task = &shown()["task"];
    assert_eq!(
        (&task["outcome"], &task["queued_s"], &task["running_s"]),
        (&json!("failure"), &json!(0.0), &json!(7.0))
    );
    assert_eq!((&task["fail_reason"], &shown()["time_scale"]), (&json!(null), &json!(500.0)));
    assert_eq!(post(&emu, &wish()).status, 200, "the rule's counter went on");
    assert_eq!(patch(r#"{"rules":[{"match":{"op":"create"},"fault":{"kind":"status","status":419}}]}"#).status, 204);
    assert_eq!(post(&emu, &wish()).status, 419);
    assert_eq!(patch(r#"{"keys":[{"key":"sk-other"}],"rules":[]}"#).status, 204);
    assert_eq!(common::post_as(&emu, "sk-other", &wish()).status, 200);
    for (bad, why) in
        [(r#"{"task":{"outcom":"failure"}}"#, "outcom"), (r#"{"time_scale":0}"#, "time_scale"), ("5", "map")]
    {
        let answer = patch(bad);
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.text().contains(why), "{bad}: {}", answer.text());
    }
    assert_eq!(shown()["time_scale"], json!(500.0), "a patch that is refused changes nothing");
}
