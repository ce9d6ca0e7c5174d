//! MP4 files: ranges, validators, addresses, hosts and speeds.

mod common;

use common::{End, content_path, emulator, get, get_range, query, send};
use junfeiai_emulator::{Emulator, KeySeen, TaskPlan, TaskSpec};

fn file(emu: &Emulator) -> (String, Vec<u8>) {
    let spec =
        TaskSpec { plan: TaskPlan { size: Some("320x192".into()), ..TaskPlan::default() }, ..TaskSpec::default() };
    let id = emu.add_task(spec);
    let bytes = emu.video_bytes(&id).unwrap().to_vec();
    (id, bytes)
}

#[test]
fn whole_file_and_parts() {
    let emu = emulator("{}");
    let (id, bytes) = file(&emu);
    let path = content_path(&id);
    let all = get(&emu, &path);
    assert_eq!((all.status, &all.body), (200, &bytes));
    assert_eq!(all.announced(), Some(bytes.len()));
    assert_eq!(all.header("content-type"), Some("video/mp4"));
    assert_eq!(all.header("accept-ranges"), Some("bytes"));
    assert_eq!(all.header("cache-control"), Some("public, max-age=86400"));
    assert!(all.header("etag").unwrap().starts_with('"') && all.header("last-modified").is_some());
    let total = bytes.len();
    for (range, part) in [("bytes=0-1023", 0..1024), ("bytes=1000-", 1000..total), ("bytes=-100", total - 100..total)] {
        let answer = get_range(&emu, &path, range);
        assert_eq!((answer.status, &answer.body[..]), (206, &bytes[part.clone()]), "{range}");
        let said = format!("bytes {}-{}/{total}", part.start, part.end - 1);
        assert_eq!(answer.header("content-range"), Some(said.as_str()));
    }
    assert_eq!(get_range(&emu, &path, "bytes=0-1,5-6").status, 200);
    let past = get_range(&emu, &path, &format!("bytes={total}-"));
    assert_eq!(past.status, 502);
    assert!(past.text().contains("Upstream service returned status 416"));
    assert_eq!(send(emu.port(), "HEAD", &path, &[("authorization", "Bearer sk-test")], "").status, 404);
    assert_eq!(send(emu.port(), "GET", &path, &[], "").status, 401);
    assert_eq!(send(emu.port(), "GET", &format!("{path}?key=sk-test"), &[], "").status, 401);
}

#[test]
fn ranges_as_the_scenario_wants_them() {
    let emu = emulator(r#"{"content":{"range":"ignore"}}"#);
    let (id, bytes) = file(&emu);
    let ask = |plan: &str| {
        emu.set_scenario_json(&format!(r#"{{"content":{plan}}}"#)).unwrap();
        get_range(&emu, &content_path(&id), "bytes=100-199")
    };
    assert_eq!(ask(r#"{"range":"ignore"}"#).status, 200);
    assert_eq!(ask(r#"{"range":"wrong_start"}"#).body, bytes[107..207]);
    assert!(
        ask(r#"{"range":"wrong_total"}"#).header("content-range").unwrap().ends_with(&(bytes.len() + 1000).to_string())
    );
    let bare = ask(r#"{"range":"no_content_range"}"#);
    assert_eq!((bare.status, bare.header("content-range")), (206, None));
    assert_eq!(ask(r#"{"content_length":false}"#).header("transfer-encoding"), Some("chunked"));
    assert_eq!(ask(r#"{"content_length":false}"#).body, bytes[100..200]);
    assert!(ask(r#"{"etag":"weak"}"#).header("etag").unwrap().starts_with("W/"));
    assert_eq!(ask(r#"{"etag":"none","last_modified":false}"#).header("etag"), None);
    assert_ne!(ask(r#"{"etag":"changes"}"#).header("etag"), ask(r#"{"etag":"changes"}"#).header("etag"));
    let before = ask("{}").header("etag").unwrap().to_owned();
    let after = ask(r#"{"etag_changes_after_bytes":1}"#);
    assert_ne!(after.header("etag"), Some(before.as_str()));
    emu.set_scenario_json(r#"{"content":{"past_end":416}}"#).unwrap();
    assert_eq!(get_range(&emu, &content_path(&id), "bytes=99999999-").status, 416);
    emu.set_scenario_json(r#"{"content":{"if_range":true}}"#).unwrap();
    let conditional = |tag: &str| {
        let headers = [("authorization", "Bearer sk-test"), ("range", "bytes=100-199"), ("if-range", tag)];
        send(emu.port(), "GET", &content_path(&id), &headers, "").status
    };
    assert_eq!((conditional(&before), conditional("\"other\"")), (206, 200));
}

#[test]
fn addresses_of_every_kind() {
    let emu = emulator("{}");
    let url = |kind: &str| {
        let plan = TaskPlan { result_url: kind.into(), size: Some("64x64".into()), ..TaskPlan::default() };
        let id = emu.add_task(TaskSpec { plan, ..TaskSpec::default() });
        let url = query(&emu, &id).json()["data"]["result_url"].as_str().unwrap().to_owned();
        (id, url)
    };
    let (_, none) = url("none");
    assert_eq!(none, "");
    let (id, signed) = url("signed");
    let path = signed.strip_prefix(&emu.origin()).unwrap();
    assert_eq!(send(emu.port(), "GET", path, &[], "").body, emu.video_bytes(&id).unwrap());
    assert_eq!(send(emu.port(), "GET", &path.replace("sig=", "sig=0"), &[], "").status, 403);
    let (_, unusable) = url("unusable");
    assert_eq!(get(&emu, unusable.strip_prefix(&emu.origin()).unwrap()).status, 403);
    let second = emu.second_origin().unwrap();
    let (id, other) = url("second_host");
    let path = other.strip_prefix(&second).unwrap();
    emu.clear_requests();
    assert_eq!(send(emu.second_port().unwrap(), "GET", path, &[], "").body, emu.video_bytes(&id).unwrap());
    assert_eq!(emu.requests()[0].key, KeySeen::None);
    let (_, hop) = url("second_host_with_redirect");
    let answer = send(emu.second_port().unwrap(), "GET", hop.strip_prefix(&second).unwrap(), &[], "");
    assert_eq!(answer.status, 302);
    assert!(answer.header("location").unwrap().starts_with(&second));
    emu.set_scenario_json(r#"{"content":{"redirect":"{second}/v1/videos/{id}/content","second_needs_key":true}}"#)
        .unwrap();
    let answer = get(&emu, &content_path(&id));
    assert_eq!(
        (answer.status, answer.header("location").unwrap()),
        (302, format!("{second}/v1/videos/{id}/content").as_str())
    );
    assert_eq!(send(emu.second_port().unwrap(), "GET", &content_path(&id), &[], "").status, 401);
}

#[test]
fn a_signed_link_expires() {
    let emu = emulator(r#"{"time_scale":20000}"#);
    let plan = TaskPlan {
        result_url: "signed".into(),
        signed_expires_s: 600.0,
        size: Some("64x64".into()),
        ..TaskPlan::default()
    };
    let id = emu.add_task(TaskSpec { plan, ..TaskSpec::default() });
    let link = || query(&emu, &id).json()["data"]["result_url"].as_str().unwrap().replace(&emu.origin(), "");
    let old = link();
    std::thread::sleep(std::time::Duration::from_millis(120));
    assert_eq!(send(emu.port(), "GET", &old, &[], "").status, 403);
    emu.set_scenario_json(r#"{"time_scale":1}"#).unwrap();
    assert_eq!(send(emu.port(), "GET", &link(), &[], "").status, 200);
}

#[test]
fn not_ready_then_incomplete_then_whole() {
    let emu = emulator(r#"{"time_scale":10}"#);
    let plan = TaskPlan { not_ready_s: 40.0, incomplete_s: 40.0, size: Some("64x64".into()), ..TaskPlan::default() };
    let id = emu.add_task(TaskSpec { plan, ..TaskSpec::default() });
    let mut stages = Vec::new();
    let whole = emu.video_bytes(&id).unwrap().len();
    loop {
        let answer = get(&emu, &content_path(&id));
        let stage = if answer.status == 400 {
            "not ready"
        } else if answer.body.len() < whole {
            "incomplete"
        } else {
            "whole"
        };
        if stages.last() != Some(&stage) {
            stages.push(stage);
        }
        if stage == "whole" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(stages, ["not ready", "incomplete", "whole"]);
}

#[test]
fn the_proxy_cuts_after_service_time() {
    let emu = emulator(r#"{"time_scale":60,"content":{"cut_after_s":60,"per_connection_rate":1000000}}"#);
    let id = emu.add_task(TaskSpec::with_video_bytes(4_000_000));
    let answer = get(&emu, &content_path(&id));
    assert_eq!((answer.status, answer.announced(), answer.end), (200, Some(4_000_000), End::Eof));
    assert!(answer.body.len() < 4_000_000, "{}", answer.body.len());
    assert_eq!(answer.body, emu.video_range(&id, 0, answer.body.len()).unwrap());
    assert!(!emu.requests()[0].complete);
}

#[test]
fn rates_hold() {
    let emu = emulator(r#"{"content":{"rate_bytes_per_s":2000000,"latency_ms":50}}"#);
    let id = emu.add_task(TaskSpec::with_video_bytes(600_000));
    let answer = get(&emu, &content_path(&id));
    assert_eq!(answer.body.len(), 600_000);
    let ms = answer.took.as_millis();
    assert!(ms >= 300, "{ms}");
}

#[test]
fn large_files_are_not_held() {
    let emu = emulator("{}");
    let size = 6u64 << 30;
    let id = emu.add_task(TaskSpec::with_video_bytes(size));
    let tail = get_range(&emu, &content_path(&id), "bytes=-65536");
    assert_eq!((tail.status, tail.body.len()), (206, 65_536));
    assert_eq!(tail.body, emu.video_range(&id, size - 65_536, 65_536).unwrap());
    let middle = get_range(&emu, &content_path(&id), "bytes=5000000000-5000000999");
    assert_eq!(middle.body, emu.video_range(&id, 5_000_000_000, 1_000).unwrap());
    assert_eq!(middle.header("content-range"), Some("bytes 5000000000-5000000999/6442450944"));
}
