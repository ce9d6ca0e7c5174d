use super::*;
use crate::net::transport::Headers;

const FACTS: ProbeFacts = ProbeFacts { has_key: true, connect_is_visible: true };

fn url(base: &str) -> Url {
    Url::parse(&format!("{base}/video/generations/{IMPOSSIBLE_TASK}")).unwrap()
}

/// The first letters of the steps' statuses, in their order: `o`, `w`, `f`, `s`.
fn letters(probed: &Probed) -> String {
    let names: Vec<&str> = probed.steps.iter().map(|step| step.name).collect();
    assert_eq!(names, ["dns", "connect", "tls", "answer", "base_url", "key", "clock"]);
    for step in &probed.steps {
        assert!(!step.detail.is_empty());
        let bad = matches!(step.status, StepStatus::Fail | StepStatus::Warn);
        assert_eq!(step.advice.is_some(), bad, "{step:?}");
    }
    let letter = |status| match status {
        StepStatus::Ok => 'o',
        StepStatus::Warn => 'w',
        StepStatus::Fail => 'f',
        StepStatus::Skipped => 's',
    };
    probed.steps.iter().map(|step| letter(step.status)).collect()
}

fn failed(failure: Failure) -> CallEvent {
    CallEvent::Failed(TransportError::new(failure, "https://a.example: why"))
}

fn answered(status: u16, body: &str) -> CallEvent {
    CallEvent::Answered(ApiResponse::new(status, Headers::new(), body.to_owned()))
}

#[test]
fn how_far_a_request_came() {
    let far = |failure| letters(&judge_probe(&url("https://a.example/v1"), failed(failure), FACTS));
    assert_eq!(far(Failure::Dns), "fssssss");
    assert_eq!(far(Failure::Connect), "ofsssss");
    assert_eq!(far(Failure::Tls), "oofssss");
    assert_eq!(far(Failure::Certificate), "oofssss");
    assert_eq!(far(Failure::Timeout), "ooofsss");
    assert_eq!(far(Failure::Lost), "ooofsss");
    // An address is not looked up, and plain http has no certificate.
    assert_eq!(letters(&judge_probe(&url("http://127.0.0.1:9/v1"), failed(Failure::Lost), FACTS)), "sosfsss");
    // A browser's fetch says no more than that it failed.
    let facts = ProbeFacts { connect_is_visible: false, ..FACTS };
    assert_eq!(letters(&judge_probe(&url("https://a.example/v1"), failed(Failure::Lost), facts)), "sssfsss");
    // Node's says when no connection was made: an entry that nobody listens at is not one that can be used.
    assert_eq!(letters(&judge_probe(&url("https://a.example/v1"), failed(Failure::Connect), facts)), "ofsssss");
}

#[test]
fn what_an_answer_says_about_path_and_key() {
    let unknown = r#"{"code":"task_not_exist","message":"task_not_exist","data":null}"#;
    let token = r#"{"error":{"message":"Invalid token (request id: r1)","type":"new_api_error","code":""}}"#;
    let no_path = r#"{"error":{"message":"Invalid URL (GET /x)","type":"invalid_request_error","param":"","code":""}}"#;
    let upstream = r#"{"code":"fail_to_fetch_task","message":"{}","data":null}"#;
    let html = "<!doctype html><html></html>";
    for (status, body, expected) in [
        (400, unknown, "oooooos"),
        (404, unknown, "oooooos"),
        (404, r#"{"error":{"message":"task not found","type":"not_found"}}"#, "oooooos"),
        (200, r#"{"code":"task_not_exist","message":"","data":null}"#, "oooooos"),
        (401, token, "ooooofs"),
        (401, "", "oooosfs"),
        (403, token, "ooooofs"),
        (404, no_path, "oooofss"),
        (200, html, "oooofss"),
        (404, html, "oooofss"),
        (403, html, "oooofss"),
        (200, "", "oooofss"),
        (200, r#"{"success":false,"message":"no"}"#, "ooooWss"),
        (400, upstream, "oooooos"),
        (429, "", "ooowsss"),
        (502, html, "ooofsss"),
        (500, upstream, "ooofsos"),
    ] {
        let probed = judge_probe(&url("https://a.example/v1"), answered(status, body), FACTS);
        assert_eq!(letters(&probed), expected.to_lowercase(), "{status} {body}: {probed:#?}");
    }
}

#[test]
fn without_a_key() {
    let facts = ProbeFacts { has_key: false, ..FACTS };
    let judge = |event| judge_probe(&url("https://a.example/v1"), event, facts);
    let probed = judge(answered(401, r#"{"error":{"message":"no token","type":"new_api_error"}}"#));
    assert_eq!(probed.steps[5].advice.as_deref(), Some("set JUNFEIAI_API_KEY or pass api_key"));
    let probed = judge(answered(400, r#"{"code":"task_not_exist","message":"","data":null}"#));
    assert_eq!((probed.steps[5].status, probed.steps[5].detail.contains("none is set")), (StepStatus::Ok, true));
}

#[test]
fn clocks() {
    let with_date = |ours: u64| {
        let headers = Headers::from_iter([("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("x-oneapi-request-id", "r7")]);
        let body = r#"{"code":"task_not_exist","message":"x","data":null}"#;
        let answer = ApiResponse::received(400, headers, body, Some(ours));
        let probed = judge_probe(&url("https://a.example/v1"), CallEvent::Answered(answer), FACTS);
        assert_eq!(probed.request_id.as_deref(), Some("r7"));
        (probed.clock_skew_s, probed.steps[6].status, probed.steps[6].detail.clone())
    };
    let server = 784_111_777;
    assert_eq!(with_date(server + 60).1, StepStatus::Ok);
    assert_eq!(with_date(server - 60).1, StepStatus::Ok);
    let (skew, status, text) = with_date(server + 3600);
    assert_eq!((skew, status), (Some(3600), StepStatus::Warn));
    assert_eq!(text, "this machine's clock is 3600 s ahead of the server's");
    let (skew, _, text) = with_date(server - 61);
    assert_eq!(skew, Some(-61));
    assert!(text.contains("behind"), "{text}");
}

#[test]
fn a_redirect_to_a_foreign_host_is_a_wrong_base_url() {
    let error = Error::new(ErrorKind::UntrustedHost, Phase::Check, "the API key may not go to https://b.example");
    let probed = judge_probe(&url("https://a.example/v1"), CallEvent::Refused(error), FACTS);
    assert_eq!(letters(&probed), "oooofss");
}

#[test]
fn an_answer_that_broke_off_is_judged_by_what_came() {
    let unknown = r#"{"code":"task_not_exist","message":"x","data":null}"#;
    let answer = ApiResponse::new(400, Headers::new(), unknown);
    let broken = CallEvent::Broken(answer, TransportError::new(Failure::Lost, "https://a.example: reset"));
    let probed = judge_probe(&url("https://a.example/v1"), broken, FACTS);
    assert_eq!(letters(&probed), "ooowoos");
    assert!(probed.steps[3].detail.contains("HTTP 400") && probed.steps[3].detail.contains("reset"));
}

#[test]
fn a_key_without_money_is_a_warning_and_one_with_a_task_is_good() {
    let judge = |status, body| letters(&judge_probe(&url("https://a.example/v1"), answered(status, body), FACTS));
    assert_eq!(judge(403, r#"{"code":"insufficient_user_quota","message":"no money","data":null}"#), "ooooows");
    assert_eq!(judge(200, r#"{"code":"success","data":{"task_id":"task_1","status":"SUCCESS"}}"#), "oooooos");
}

#[test]
fn statuses_have_names() {
    let all = [StepStatus::Ok, StepStatus::Warn, StepStatus::Fail, StepStatus::Skipped];
    assert_eq!(all.map(StepStatus::name), ["ok", "warn", "fail", "skipped"]);
}

fn refused(status: u16, body: &str) -> Probed {
    judge_probe(&url("https://a.example/v1"), answered(status, body), FACTS)
}

const TOKEN: &str = r#"{"error":{"message":"Invalid token (request id: r1)","type":"new_api_error","code":""}}"#;

#[test]
fn what_an_answer_leaves_open_about_the_key() {
    let no_model = r#"{"error":{"message":"This token has no access to model ","type":"new_api_error","code":""}}"#;
    let address = r#"{"error":{"message":"Your IP is not allowed","type":"new_api_error","code":"access_denied"}}"#;
    let money = r#"{"code":"insufficient_user_quota","message":"no money","data":null}"#;
    let upstream = r#"{"code":"fail_to_fetch_task","message":"{}","data":null}"#;
    let html = "<!doctype html><html></html>";
    for (status, body, doubt) in [
        (401, TOKEN, Some(KeyDoubt::Refused)),
        (401, "", Some(KeyDoubt::Refused)),
        (403, no_model, Some(KeyDoubt::NoRight)),
        (403, address, None),
        (403, money, None),
        (403, upstream, None),
        (401, upstream, None),
        (401, html, None),
        (403, html, None),
        (400, r#"{"code":"task_not_exist","message":"","data":null}"#, None),
        (429, "", None),
        (502, html, None),
    ] {
        assert_eq!(refused(status, body).doubt, doubt, "{status} {body}");
    }
    let keyless = ProbeFacts { has_key: false, ..FACTS };
    assert_eq!(judge_probe(&url("https://a.example/v1"), answered(401, TOKEN), keyless).doubt, None);
    // The address is at fault there, and the advice says so.
    let step = &refused(403, address).steps[5];
    assert!(step.status == StepStatus::Fail && step.detail.contains("this address"), "{step:?}");
}

fn balance(left: i64, unlimited: bool, expires_at: u64) -> Result<Balance> {
    let data = serde_json::json!({
        "total_used": 5, "total_available": left, "unlimited_quota": unlimited, "expires_at": expires_at,
    });
    super::super::parse_balance(&ApiResponse::new(200, Headers::new(), serde_json::json!({ "data": data }).to_string()))
}

#[test]
fn what_a_refused_key_is() {
    let step = refused(401, TOKEN).steps[5].clone();
    let error = |kind| Err(Error::new(kind, Phase::Check, "why"));
    let now = 1_700_000_000;
    for (told, detail) in [
        (error(ErrorKind::Authentication), "the server does not know this key"),
        (balance(5, false, now - 1), "the key expired 0 minutes ago"),
        (balance(5, false, now - 10_000), "the key expired 2 hours ago"),
        (balance(-5, true, now - 864_000), "the key expired 10 days ago"),
        (balance(0, false, 0), "the key is used up: 0.00 USD left"),
        (balance(-7, false, now + 1), "the key is used up: 0.00 USD left"),
        (balance(-7, true, 0), "neither expired nor used up"),
        (balance(5, false, now + 1), "neither expired nor used up"),
        // Where it is not told, the step stays as it was.
        (error(ErrorKind::RateLimited), &step.detail),
        (error(ErrorKind::NotOffered), &step.detail),
        (error(ErrorKind::Timeout), &step.detail),
    ] {
        let judged = judge_refused_key(&step, &told, Some(now));
        assert!(judged.detail.contains(detail), "{told:?}: {judged:?}");
        assert_eq!((judged.status, judged.name, judged.advice.is_some()), (StepStatus::Fail, "key", true));
    }
    // Without a clock nothing is said to have passed.
    assert!(judge_refused_key(&step, &balance(5, false, now), None).detail.contains("neither expired"));
}

#[test]
fn what_a_key_without_a_right_is() {
    let step = refused(403, TOKEN).steps[5].clone();
    assert_eq!(step.status, StepStatus::Fail);
    let error = |kind| Err(Error::new(kind, Phase::Check, "why"));
    assert_eq!(judge_key_without_right(&step, &Ok(Vec::new())).status, StepStatus::Ok);
    assert_eq!(judge_key_without_right(&step, &error(ErrorKind::PermissionDenied)), step);
    assert_eq!(judge_key_without_right(&step, &error(ErrorKind::Authentication)), step);
    for kind in [ErrorKind::NotOffered, ErrorKind::Timeout, ErrorKind::RateLimited] {
        let judged = judge_key_without_right(&step, &error(kind));
        assert!(judged.status == StepStatus::Warn && judged.advice.is_some(), "{judged:?}");
    }
}
