//! Saving under every fault of the service and of the disk: the file is whole or it is not there.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use junfeiai::DownloadPolicy;
use junfeiai::{Client, ErrorKind, Save, Video};
use junfeiai_emulator::{Emulator, RecordedRequest, TaskSpec};
use serde_json::{Value, json};

const SIZE: u64 = 3 * 1024 * 1024 + 4321;

struct Case {
    emulator: Emulator,
    folder: tempfile::TempDir,
    id: String,
    /// Far more than a busy machine needs, but where a stalled body is to be given up.
    idle_timeout: Duration,
}

impl Case {
    fn new(scenario: &Value) -> Self {
        let emulator = Emulator::builder().api_key("sk-test").time_scale(200.0).second_host(true).start().unwrap();
        emulator.set_scenario_json(&scenario.to_string()).unwrap();
        let id = emulator.add_task(TaskSpec::with_video_bytes(SIZE));
        Self { emulator, folder: tempfile::tempdir().unwrap(), id, idle_timeout: Duration::from_secs(30) }
    }

    /// A scenario with one fault on the first request for the video.
    fn once(fault: &Value) -> Self {
        Self::new(&json!({ "rules": [{ "match": { "op": "content" }, "times": 1, "fault": fault }] }))
    }

    fn video(&self) -> Video {
        let client = Client::builder()
            .api_key("sk-test")
            .endpoint(self.emulator.base_url())
            .idle_timeout(self.idle_timeout)
            .build()
            .unwrap();
        client.videos().video(&self.id).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ball.mp4")
    }

    fn save(&self) -> Save {
        self.video().save(self.path()).policy(quick())
    }

    fn content(&self) -> Vec<RecordedRequest> {
        self.emulator.requests().into_iter().filter(|request| request.path.contains("content")).collect()
    }

    /// The file is byte for byte the service's, and nothing is left beside it.
    #[track_caller]
    fn assert_whole(&self) {
        let is = fs::read(self.path()).unwrap();
        assert!(is == self.emulator.video_bytes(&self.id).unwrap(), "the file differs");
        assert_eq!(self.names(), ["ball.mp4"]);
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("ball.mp4.part")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("ball.mp4.part.state")
    }
}

fn quick() -> DownloadPolicy {
    DownloadPolicy {
        base: Duration::from_millis(5),
        cap: Duration::from_millis(40),
        settle: Duration::from_secs(5),
        ..DownloadPolicy::default()
    }
}

#[tokio::test]
async fn passing_faults_cost_nothing_but_time() {
    for (name, fault) in [
        ("cut", json!({ "kind": "cut_body", "after_bytes": 1_000_000 })),
        ("reset", json!({ "kind": "cut_body", "after_bytes": 1_000_000, "rst": true })),
        ("cut at once", json!({ "kind": "cut_body", "after_bytes": 0 })),
        ("stall", json!({ "kind": "stall_body", "after_bytes": 500_000 })),
        ("no answer", json!({ "kind": "drop_before_accept", "rst": true })),
        ("502", json!({ "kind": "html", "status": 502 })),
        ("429", json!({ "kind": "rate_limited", "retry_after": "none" })),
        ("not ready", json!({ "kind": "not_ready" })),
        (
            "403 request blocked",
            json!({ "kind": "status", "status": 403, "body": { "error": { "message": "request blocked: x" } } }),
        ),
        ("JSON that calls itself a video", json!({ "kind": "json_as_video" })),
        ("an HTML page", json!({ "kind": "html", "status": 200 })),
        ("incomplete", json!({ "kind": "incomplete_file" })),
        ("wrong length", json!({ "kind": "wrong_length", "delta": 100 })),
        ("extra bytes", json!({ "kind": "extra_bytes" })),
        (
            "redirect to another host",
            json!({ "kind": "redirect", "status": 302, "location": "{second}/v1/videos/{id}/content" }),
        ),
    ] {
        let mut case = Case::once(&fault);
        if name == "stall" {
            // A busy machine is not silent for so long, and each of its silences would count as a failure.
            case.idle_timeout = Duration::from_secs(2);
        }
        let summary = case.save().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        case.assert_whole();
        assert!(
            case.emulator.requests().iter().any(|request| request.fault.is_some()),
            "{name}: the fault was not played"
        );
        assert_eq!(summary.bytes, SIZE, "{name}");
    }
}

#[tokio::test]
async fn what_was_written_is_not_fetched_twice() {
    let case = Case::new(&json!({ "rules": [
        { "match": { "op": "content", "nth": [1] }, "fault": { "kind": "cut_body", "after_bytes": 1_000_000 } },
        { "match": { "op": "content", "nth": [2] }, "fault": { "kind": "cut_body", "after_bytes": 700_000 } },
    ] }));
    let summary = case.save().await.unwrap();
    case.assert_whole();
    assert!(summary.resumed);
    assert_eq!(summary.attempts, 3);
    let ranges: Vec<_> = case.content().iter().map(|request| request.range.clone()).collect();
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[1].as_deref(), Some(format!("bytes=1000000-{}", SIZE - 1).as_str()));
    assert_eq!(ranges[2].as_deref(), Some(format!("bytes=1700000-{}", SIZE - 1).as_str()));
}

#[tokio::test]
async fn the_proxy_that_cuts_every_body_is_outlived() {
    // 1 s here, in which the link brings a third of the file at most.
    let case = Case::new(&json!({ "content": { "cut_after_s": 200, "rate_bytes_per_s": 1_050_000 } }));
    let summary = case.save().await.unwrap();
    case.assert_whole();
    assert!(summary.attempts >= 3, "{summary:?}");
}

#[tokio::test]
async fn a_server_without_ranges_is_read_over_again_but_written_once() {
    let case = Case::new(&json!({
        "content": { "range": "ignore" },
        "rules": [{ "match": { "op": "content", "nth": [1] }, "fault": { "kind": "cut_body", "after_bytes": 2_000_000 } }],
    }));
    case.video().save(case.path()).policy(DownloadPolicy { connections: 4, ..quick() }).await.unwrap();
    case.assert_whole();
}

#[tokio::test]
async fn several_connections_share_the_file() {
    // So slow that there is time to open the others, on any machine.
    let case = Case::new(&json!({ "content": { "per_connection_rate": 700_000 } }));
    case.video().save(case.path()).policy(DownloadPolicy { connections: 3, ..quick() }).await.unwrap();
    case.assert_whole();
    assert!(case.emulator.stats().max_concurrent_content >= 2);
    let asked: u64 = case.content().iter().map(|request| request.sent_bytes).sum();
    assert!(asked < SIZE + SIZE / 2, "{asked} bytes were sent for {SIZE}");
}

#[tokio::test]
async fn a_changed_file_is_read_anew_once_and_never_mixed() {
    let cut = json!({ "kind": "cut_body", "after_bytes": 1_000_000 });
    let case = Case::new(&json!({ "rules": [
        { "match": { "op": "content", "nth": [1] }, "fault": cut },
        { "match": { "op": "content", "nth": [2] }, "fault": { "kind": "change_file" } },
    ] }));
    case.save().await.unwrap();
    case.assert_whole();

    let case = Case::new(&json!({ "rules": [
        { "match": { "op": "content", "nth": [1, 3] }, "fault": cut },
        { "match": { "op": "content", "nth": [2, 4] }, "fault": { "kind": "change_file" } },
    ] }));
    let error = case.save().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    assert_eq!(error.task_id(), Some(case.id.as_str()));
    assert!(!case.path().exists());
}

#[tokio::test]
async fn wrong_ranges_end_in_an_integrity_error() {
    for range in ["wrong_start", "wrong_total"] {
        let case = Case::new(&json!({
            "content": { "range": range },
            "rules": [{ "match": { "op": "content", "nth": [1, 3] }, "fault": { "kind": "cut_body", "after_bytes": 1_000_000 } }],
        }));
        let error = case.save().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{range}: {error}");
        assert!(!case.path().exists());
    }
}

#[tokio::test]
async fn a_link_that_our_key_cannot_open_is_replaced_by_our_own_entry() {
    for plan in ["unusable", "second_host", "second_host_with_redirect", "signed", "none"] {
        let case = Case::new(&json!({ "task": { "result_url": plan }, "content": { "second_needs_key": true } }));
        let id = case
            .emulator
            .add_task(TaskSpec::from_json(&json!({ "result_url": plan, "video_bytes": SIZE }).to_string()).unwrap());
        let case = Case { id, ..case };
        case.save().await.unwrap_or_else(|error| panic!("{plan}: {error}"));
        case.assert_whole();
    }
}

#[tokio::test]
async fn an_expired_link_is_asked_for_again() {
    // The first link is good for 200 ms here, the next one for as long as anybody needs.
    let plan = json!({ "result_url": "signed", "signed_expires_s": 40, "video_bytes": SIZE });
    let case = Case::new(&json!({}));
    let id = case.emulator.add_task(TaskSpec::from_json(&plan.to_string()).unwrap());
    let case = Case { id, ..case };
    let client = Client::builder().api_key("sk-test").endpoint(case.emulator.base_url()).build().unwrap();
    let video = client.videos().get(&case.id).await.unwrap().video().unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    case.emulator.set_scenario_json(r#"{"time_scale":0.1}"#).unwrap();
    video.save(case.path()).policy(quick()).await.unwrap();
    case.assert_whole();
    let queries =
        case.emulator.requests().iter().filter(|request| request.path.contains("/video/generations/")).count();
    assert_eq!(queries, 2, "the fresh link was asked for");
}

/// Drops a save in the middle, when some of the bytes are in the file. The others never come.
async fn begin(case: &Case) {
    let stall =
        r#"{"rules":[{"match":{"op":"content"},"times":1,"fault":{"kind":"stall_body","after_bytes":2000000}}]}"#;
    case.emulator.set_scenario_json(stall).unwrap();
    let enough = async {
        while fs::metadata(case.part()).map_or(0, |data| data.len()) < 500_000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        biased;
        () = enough => {}
        result = case.save().into_future() => panic!("it came to its end: {result:?}"),
    }
}

#[tokio::test]
async fn a_later_call_goes_on_where_the_first_stopped() {
    let case = Case::new(&json!({}));
    begin(&case).await;
    let there = fs::metadata(case.part()).unwrap().len();
    assert!((500_000..SIZE).contains(&there), "{there}");
    case.emulator.set_scenario_json("{}").unwrap();
    case.emulator.clear_requests();
    let summary = case.save().await.unwrap();
    case.assert_whole();
    assert!(summary.resumed);
    assert_eq!(case.content()[0].range.as_deref(), Some(format!("bytes={there}-{}", SIZE - 1).as_str()));
}

#[tokio::test]
async fn what_is_left_of_another_video_is_not_mixed_in() {
    let case = Case::new(&json!({}));
    begin(&case).await;
    case.emulator.set_scenario_json("{}").unwrap();
    let other = case.emulator.add_task(TaskSpec::with_video_bytes(SIZE + 5));
    let case = Case { id: other, ..case };
    case.save().await.unwrap();
    case.assert_whole();
}

/// Without a task's id, a length or a tag only the address tells one video from another. A signature is no part of it.
#[tokio::test]
async fn what_is_left_of_another_address_is_not_mixed_in() {
    let nameless = json!({ "range": "honour", "etag": "none", "last_modified": false, "content_length": false });
    let with = |rules: Value| json!({ "content": nameless, "rules": rules }).to_string();
    let stall = json!([{ "match": { "op": "content" }, "times": 1, "fault": { "kind": "stall_body", "after_bytes": 2_000_000 } }]);
    let client = |case: &Case| Client::builder().api_key("sk-test").endpoint(case.emulator.base_url()).build().unwrap();
    for (other, query, resumes) in [(true, "", false), (false, "", true), (false, "?sig=2", true)] {
        let case = Case::new(&json!({}));
        case.emulator.set_scenario_json(&with(stall.clone())).unwrap();
        let url = |id: &str, query: &str| format!("{}/videos/{id}/content{query}", case.emulator.base_url());
        let save = |url: &str| {
            let policy = DownloadPolicy { verify: false, ..quick() };
            client(&case).videos().video_at(url).unwrap().save(case.path()).policy(policy)
        };
        let enough = async {
            while fs::metadata(case.part()).map_or(0, |data| data.len()) < 500_000 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let sig = if query.is_empty() { "" } else { "?sig=1" };
        tokio::select! {
            biased;
            () = enough => {}
            result = save(&url(&case.id, sig)).into_future() => panic!("it came to its end: {result:?}"),
        }
        case.emulator.set_scenario_json(&with(json!([]))).unwrap();
        let second = if other { case.emulator.add_task(TaskSpec::with_video_bytes(SIZE + 5)) } else { case.id.clone() };
        case.emulator.clear_requests();
        save(&url(&second, query)).await.unwrap();
        let whole = case.emulator.video_bytes(&second).unwrap();
        assert!(fs::read(case.path()).unwrap() == whole, "{other} {query:?}: the file differs");
        assert_eq!(case.content()[0].range.is_some(), resumes, "{other} {query:?}");
    }
}

#[tokio::test]
async fn the_target_is_respected() {
    let case = Case::new(&json!({}));
    fs::write(case.path(), "mine").unwrap();
    assert_eq!(case.save().await.unwrap_err().kind(), ErrorKind::FileExists);
    assert_eq!(fs::read(case.path()).unwrap(), b"mine");
    assert!(case.content().is_empty(), "nothing was fetched for a name that is taken");
    case.save().overwrite(true).await.unwrap();
    case.assert_whole();

    let case = Case::new(&json!({}));
    fs::create_dir(case.path()).unwrap();
    let error = case.save().overwrite(true).await.unwrap_err();
    assert!(error.to_string().contains("is a folder"), "{error}");

    let deep = case.folder.path().join("a/b/c.mp4");
    let error = case.video().save(&deep).policy(quick()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    case.video().save(&deep).policy(quick()).create_parents(true).await.unwrap();
    assert_eq!(fs::metadata(&deep).unwrap().len(), SIZE);
}

/// Another program takes the name while the video is read. What was read and checked stays, and is not read again.
#[tokio::test]
async fn a_whole_video_whose_name_is_taken_meanwhile_is_kept() {
    let case = Case::new(&json!({}));
    let taken = case.path();
    let save = case.save().on_progress(move |_| fs::write(&taken, "theirs").unwrap());
    let error = save.await.unwrap_err();
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::FileExists, Some(case.id.as_str())), "{error}");
    assert!(error.to_string().contains("ball.mp4.part, from which the next save"), "{error}");
    assert_eq!(fs::read(case.path()).unwrap(), b"theirs");
    assert_eq!(case.names(), ["ball.mp4", "ball.mp4.part", "ball.mp4.part.state"], "the lock is released");
    assert!(fs::read(case.part()).unwrap() == case.emulator.video_bytes(&case.id).unwrap());
    let state = fs::read_to_string(case.state()).unwrap();
    assert!(state.ends_with(&format!("synced 0-{}\n", SIZE - 1)), "also after a loss of power: {state}");
    // Refused as before, which costs nothing of it.
    assert_eq!(case.save().await.unwrap_err().kind(), ErrorKind::FileExists);
    case.emulator.clear_requests();
    case.save().overwrite(true).await.unwrap();
    case.assert_whole();
    assert!(case.content().is_empty(), "it was read again");
}

#[cfg(unix)]
#[tokio::test]
async fn links_lead_nowhere() {
    let case = Case::new(&json!({}));
    let victim = case.folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, case.path()).unwrap();
    assert_eq!(case.save().await.unwrap_err().kind(), ErrorKind::FileExists);
    // Overwriting replaces the link, not what it points to.
    case.save().overwrite(true).await.unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert!(fs::symlink_metadata(case.path()).unwrap().is_file());
    fs::remove_file(case.path()).unwrap();
    for suffix in [".part", ".part.state"] {
        let trap = PathBuf::from(format!("{}{suffix}", case.path().display()));
        std::os::unix::fs::symlink(&victim, &trap).unwrap();
        let error = case.save().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        fs::remove_file(&trap).unwrap();
    }
}

#[tokio::test]
async fn two_savers_do_not_mix() {
    let case = Case::new(&json!({ "content": { "rate_bytes_per_s": 6_000_000 } }));
    let (one, two) = tokio::join!(case.save().into_future(), case.save().into_future());
    let errors: Vec<_> = [one, two].into_iter().filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(errors, [ErrorKind::FileLocked]);
    case.assert_whole();
}

#[tokio::test]
async fn a_disk_without_room_is_said_before_it_is_full() {
    let case = Case::new(&json!({}));
    let id = case.emulator.add_task(TaskSpec::with_video_bytes(1 << 55));
    let case = Case { id, ..case };
    let error = case.save().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
    assert!(!case.path().exists());
}

#[tokio::test]
async fn progress_is_told_seldom_and_truly() {
    let case = Case::new(&json!({ "content": { "rate_bytes_per_s": 8_000_000 } }));
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = seen.clone();
    let summary = case.save().on_progress(move |progress| sink.lock().unwrap().push(*progress)).await.unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.len() as f64 <= 3.0 + summary.elapsed.as_secs_f64() * 10.0, "{} calls", seen.len());
    assert!(seen.windows(2).all(|pair| pair[0].bytes <= pair[1].bytes));
    let last = seen.last().unwrap();
    assert_eq!((last.bytes, last.total), (SIZE, Some(SIZE)));
}

#[tokio::test]
async fn the_rate_limit_holds() {
    let case = Case::new(&json!({}));
    let summary = case.save().rate_limit(6_000_000).await.unwrap();
    case.assert_whole();
    let least = SIZE as f64 / 6_000_000.0 * 0.7;
    assert!(summary.elapsed.as_secs_f64() > least, "{summary:?}");
}

#[tokio::test]
async fn what_stays_wrong_ends_in_a_clear_error_and_no_file() {
    for (name, fault, kind) in [
        ("always 502", json!({ "kind": "html", "status": 502 }), ErrorKind::Download),
        ("always cut at once", json!({ "kind": "cut_body", "after_bytes": 0 }), ErrorKind::Download),
        ("always JSON", json!({ "kind": "json_as_video" }), ErrorKind::Download),
        (
            "unknown",
            json!({ "kind": "status", "status": 404, "body": { "error": { "message": "no" } } }),
            ErrorKind::NotFound,
        ),
        (
            "the key does not open it",
            json!({ "kind": "status", "status": 401, "body": { "error": { "message": "no" } } }),
            ErrorKind::Authentication,
        ),
    ] {
        let case = Case::new(&json!({ "rules": [{ "match": { "op": "content" }, "fault": fault }] }));
        let error = case.save().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error}");
        assert_eq!(error.task_id(), Some(case.id.as_str()), "{name}");
        assert!(!case.path().exists(), "{name}");
        assert!(case.content().len() < 40, "{name}: {} requests", case.content().len());
        assert!(case.names().is_empty(), "{name}: {:?} is left although nothing was read", case.names());
    }
}

#[tokio::test]
async fn a_task_that_is_not_done_is_said_so() {
    let case = Case::new(&json!({}));
    for (state, kind) in [("running", ErrorKind::NotReady), ("failed", ErrorKind::TaskFailed)] {
        let id = case
            .emulator
            .add_task(TaskSpec::from_json(&json!({ "state": state, "running_s": 1e9 }).to_string()).unwrap());
        let client = Client::builder().api_key("sk-test").endpoint(case.emulator.base_url()).build().unwrap();
        let error = client.videos().video(&id).unwrap().save(case.path()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn a_stream_goes_on_by_itself() {
    let case = Case::new(&json!({ "rules": [
        { "match": { "op": "content", "nth": [1, 2] }, "fault": { "kind": "cut_body", "after_bytes": 800_000 } },
    ] }));
    let mut whole = Vec::new();
    let mut stream = case.video().stream();
    while let Some(piece) = stream.next().await {
        whole.extend_from_slice(&piece.unwrap());
    }
    assert!(whole == case.emulator.video_bytes(&case.id).unwrap());
    assert_eq!(case.content().len(), 3);
}

#[tokio::test]
async fn ranges_are_read_as_asked() {
    for plan in ["honour", "ignore", "no_content_range"] {
        let case = Case::new(&json!({ "content": { "range": plan } }));
        let all = case.emulator.video_bytes(&case.id).unwrap();
        let video = case.video();
        for range in [0..1, 0..1024, 5..6, 1_000_000..1_100_000, SIZE - 10..SIZE, SIZE - 10..SIZE + 10] {
            let read =
                video.read_range(range.clone()).await.unwrap_or_else(|error| panic!("{plan} {range:?}: {error}"));
            let end = range.end.min(SIZE) as usize;
            assert!(read == all[range.start as usize..end], "{plan} {range:?}: {} bytes", read.len());
        }
        assert_eq!(video.read_range(5..5).await.unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
    let case = Case::new(&json!({}));
    let error = case.video().bytes_up_to(1000).await.unwrap_err();
    assert_eq!(error.record().field.as_deref(), Some("max_bytes"));
}

#[test]
fn file_names_are_safe_everywhere() {
    let client = Client::builder().api_key("sk-test").endpoint("http://127.0.0.1:1").build().unwrap();
    let name_of = |id: &str| client.videos().video(id).unwrap().file_name();
    for (id, name) in [("task_abc", "task_abc.mp4"), ("CON", "video_CON.mp4"), ("com1.x", "video_com1.x.mp4")] {
        assert_eq!(name_of(id), name);
    }
    // Where the name cannot say the whole id, two ids still have two names.
    let long = "t".repeat(2000);
    let odd = [
        "task:1",
        "task/1",
        "task_1",
        "a.",
        "..a",
        "a",
        "任务",
        "任 务",
        "../../a",
        "a\0b",
        &long,
        &format!("{long}u"),
    ];
    let names: Vec<String> = odd.iter().map(|id| name_of(id)).collect();
    for name in &names {
        assert!(name.len() <= 200 && !name.starts_with('.'), "{name}");
        assert!(Path::new(name).extension().is_some_and(|extension| extension == "mp4"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)), "{name}");
        assert_eq!(Path::new(name).components().count(), 1);
    }
    let different: std::collections::HashSet<&String> = names.iter().collect();
    assert_eq!(different.len(), odd.len(), "{names:?}");
}

/// What stands beside a whole file when its saver was killed before it had tidied up.
const STATE: &str = "{\"junfeiai\":1,\"source\":\"\",\"sparse\":false,\"task_id\":\"task_1\",\"validators\":{}}\n";

#[tokio::test]
async fn what_a_killed_saver_left_beside_a_whole_file_is_removed() {
    for overwrite in [false, true] {
        // The last two: killed before the first line was written, or while it was.
        for state in [STATE, "", &STATE[..9]] {
            let case = Case::new(&json!({}));
            fs::write(case.path(), "whole").unwrap();
            fs::write(case.state(), state).unwrap();
            // It had just taken over the lock of another one.
            fs::write(case.folder.path().join("ball.mp4.part.stale"), "{}").unwrap();
            let result = case.save().overwrite(overwrite).await;
            assert_eq!(result.err().map(|error| error.kind()), (!overwrite).then_some(ErrorKind::FileExists));
            assert_eq!(case.names(), ["ball.mp4"], "{state:?}");
        }
    }
}

#[tokio::test]
async fn what_is_not_known_to_be_left_over_stays() {
    let case = Case::new(&json!({}));
    fs::write(case.path(), "whole").unwrap();
    let refused = async || assert_eq!(case.save().await.unwrap_err().kind(), ErrorKind::FileExists);

    fs::write(case.state(), "dear diary").unwrap();
    refused().await;
    assert_eq!(fs::read_to_string(case.state()).unwrap(), "dear diary", "somebody else's file");

    // A save that overwrites was stopped; the next one goes on with it.
    fs::write(case.state(), STATE).unwrap();
    fs::write(case.part(), "half").unwrap();
    refused().await;
    assert_eq!(case.names(), ["ball.mp4", "ball.mp4.part", "ball.mp4.part.state"]);

    // Another saver is at work, and has not made its part file yet.
    fs::remove_file(case.part()).unwrap();
    let other = fs::File::options().read(true).write(true).open(case.state()).unwrap();
    other.lock().unwrap();
    refused().await;
    assert_eq!(case.names(), ["ball.mp4", "ball.mp4.part.state"]);
    drop(other);
    refused().await;
    assert_eq!(case.names(), ["ball.mp4"]);
}

/// A saver that names the file by a link (Node's) was killed before it removed the old name.
#[cfg(unix)]
#[tokio::test]
async fn a_whole_file_under_both_names_keeps_the_right_one() {
    for overwrite in [false, true] {
        let case = Case::new(&json!({ "rules": [{ "fault": { "kind": "status", "status": 404 } }] }));
        fs::write(case.path(), "whole").unwrap();
        fs::hard_link(case.path(), case.part()).unwrap();
        fs::write(case.state(), STATE).unwrap();
        case.save().overwrite(overwrite).await.unwrap_err();
        assert_eq!(fs::read_to_string(case.path()).unwrap(), "whole", "a save that failed took the file away");
        assert_eq!(case.names(), ["ball.mp4"]);
    }
}

/// A lock file as another saver writes it, Node's for example; `native` ones hold a lock of the system, too.
#[cfg(target_os = "linux")]
fn lock_file(pid: u32, place: Option<&str>, started: u64, native: bool) -> String {
    let here = || {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let space = fs::read_link("/proc/self/ns/pid").unwrap();
        format!("{} {}", boot.trim(), space.display())
    };
    let place = place.map_or_else(here, str::to_owned);
    json!({ "pid": pid, "place": place, "started": started, "native": native, "name": "another" }).to_string() + "\n"
}

/// When a process began, in the system's ticks.
#[cfg(target_os = "linux")]
fn started(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn savers_of_other_languages_are_kept_apart_by_a_lock_file() {
    let me = std::process::id();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let container = format!("{} pid:[1]", boot.trim());
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    // What was written in its first minute counts as written before.
    let long_booted = uptime.split(' ').next().unwrap().parse::<f64>().unwrap() > 120.0;
    for (text, age, held, why) in [
        (lock_file(me, None, started(me), false), None, true, "its process runs"),
        (lock_file(me, None, started(me) + 1, false), None, false, "the number is another process's now"),
        (lock_file(999_999_999, None, 1, false), None, false, "its process is gone"),
        (lock_file(me, None, started(me) + 1, true), None, false, "a native one that was killed"),
        // In containers everybody may be process 1.
        (lock_file(1, Some("another container"), started(1), false), None, true, "it was at work a moment ago"),
        (lock_file(1, Some(&container), started(1), true), None, false, "alive it would hold the system's lock"),
        (
            lock_file(1, Some("another-machine pid:[1]"), started(1), true),
            None,
            long_booted,
            "a native one of another machine, whose locks are not seen from here",
        ),
        (lock_file(1, Some("another-machine pid:[1]"), started(1), true), Some(long_ago), false, "nothing for an hour"),
        (lock_file(1, Some("another container"), started(1), false), Some(long_ago), false, "nothing for an hour"),
        (String::new(), None, false, "killed between making it and writing its line"),
        ("torn".to_owned(), None, true, "it is being written"),
        ("torn".to_owned(), Some(long_ago), false, "it was torn long ago"),
    ] {
        let case = Case::new(&json!({}));
        let path = case.folder.path().join("ball.mp4.part.lock");
        fs::write(&path, &text).unwrap();
        if let Some(age) = age {
            fs::File::options().write(true).open(&path).unwrap().set_modified(age).unwrap();
        }
        let judged = case.save().check();
        let saved = case.save().await;
        if held {
            assert_eq!(judged.unwrap_err().kind(), ErrorKind::FileLocked, "{why}");
            assert_eq!(saved.unwrap_err().kind(), ErrorKind::FileLocked, "{why}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "{why}: the other's lock was touched");
        } else {
            judged.unwrap_or_else(|error| panic!("{why}: {error}"));
            saved.unwrap_or_else(|error| panic!("{why}: {error}"));
            case.assert_whole();
        }
    }
}

/// What Node reads while a native saver is at work: by then it says who that is.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_save_at_work_has_a_lock_file_that_names_its_process() {
    let case = Case::new(&json!({}));
    let (seen, me) = (std::sync::Arc::new(std::sync::Mutex::new(Value::Null)), std::process::id());
    let (sink, path) = (seen.clone(), case.folder.path().join("ball.mp4.part.lock"));
    let look = move |_: &junfeiai::SaveProgress| {
        if let Ok(text) = fs::read_to_string(&path) {
            *sink.lock().unwrap() = serde_json::from_str(&text).unwrap();
        }
    };
    case.save().on_progress(look).await.unwrap();
    let seen = seen.lock().unwrap().clone();
    assert_eq!((&seen["pid"], &seen["started"], &seen["native"]), (&json!(me), &json!(started(me)), &json!(true)));
    case.assert_whole();
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_or_a_name_that_is_too_long_is_refused_by_check_and_save_alike() {
    let case = Case::new(&json!({}));
    let pipe = case.folder.path().join("pipe.mp4");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let long = case.folder.path().join(format!("{}.mp4", "n".repeat(246)));
    for (path, why) in [(&pipe, "not a regular file"), (&long, "take a shorter name")] {
        let save = || case.video().save(path).overwrite(true);
        for error in [save().check().unwrap_err(), save().await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Io, "{error}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
    assert_eq!(case.names(), ["pipe.mp4"]);
    // The longest name that there is room for.
    let longest = case.folder.path().join(format!("{}.mp4", "n".repeat(240)));
    case.video().save(&longest).await.unwrap();
    // What to do is said however long the path is.
    let mut folder = case.folder.path().to_owned();
    for _ in 0..8 {
        folder.push("f".repeat(97));
        fs::create_dir(&folder).unwrap();
        let path = folder.join(format!("{}.mp4", "n".repeat(246)));
        for error in [case.video().save(&path).check().unwrap_err(), case.video().save(&path).await.unwrap_err()] {
            assert!(error.to_string().contains("take a shorter name"), "{error}");
        }
    }
}

/// The folder stays what it was, even where the name is too long for what stands beside it.
#[cfg(unix)]
#[tokio::test]
async fn names_that_leave_no_room_for_a_save_are_refused_and_leave_nothing() {
    let case = Case::new(&json!({}));
    for length in 245..=256 {
        let path = case.folder.path().join("n".repeat(length));
        for error in [case.video().save(&path).check().unwrap_err(), case.video().save(&path).await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Io, "{length}: {error}");
            assert!(error.to_string().contains("take a shorter name"), "{length}: {error}");
            assert_eq!(error.task_id(), Some(case.id.as_str()));
        }
    }
    assert!(case.names().is_empty(), "{:?}", case.names());
    // There is room for a lock that has to be moved aside, too.
    let longest = case.folder.path().join("n".repeat(244));
    let lock = format!("{}.part.lock", longest.display());
    fs::write(&lock, "torn").unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&lock).unwrap().set_modified(long_ago).unwrap();
    case.video().save(&longest).await.unwrap();
    assert_eq!(case.names().len(), 1);
}

/// A pipe or a folder in place of our own files is refused, and waited for by nobody.
#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_in_place_of_our_own_is_refused() {
    for suffix in [".part", ".part.state", ".part.lock"] {
        for make in ["mkfifo", "mkdir"] {
            let case = Case::new(&json!({}));
            let trap = PathBuf::from(format!("{}{suffix}", case.path().display()));
            assert!(std::process::Command::new(make).arg(&trap).status().unwrap().success());
            let error = case.save().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io, "{make} {suffix}: {error}");
            assert!(error.to_string().contains("is not a regular file"), "{make} {suffix}: {error}");
            assert_eq!(case.names().len(), 1, "{make} {suffix}: {:?}", case.names());
        }
    }
}

/// Another saver's lock, or options that cannot be used: the save is refused with the task's id and leaves nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_refused_save_leaves_nothing_and_names_its_task() {
    let case = Case::new(&json!({}));
    let lock = case.folder.path().join("ball.mp4.part.lock");
    fs::write(&lock, lock_file(std::process::id(), None, started(std::process::id()), false)).unwrap();
    let error = case.save().await.unwrap_err();
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::FileLocked, Some(case.id.as_str())));
    assert_eq!(case.names(), ["ball.mp4.part.lock"]);
    let save = || case.video().save(case.path());
    for error in [
        save().check().unwrap_err(),
        save().connections(0).check().unwrap_err(),
        save().connections(0).await.unwrap_err(),
        save().rate_limit(0).await.unwrap_err(),
        save().options_json(json!({ "connections": 99 })).unwrap_err(),
        save().options_json(json!({ "nobody": 1 })).unwrap_err(),
        save().options_json(json!(1)).unwrap_err(),
    ] {
        assert_eq!(error.task_id(), Some(case.id.as_str()), "{error}");
    }
}

/// The folder in which a relative path was given is the one that counts. In a process of its own, whose folder it changes.
#[test]
fn another_working_folder_changes_nothing() {
    if std::env::var_os("JUNFEIAI_TEST_CHILD").is_none() {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "another_working_folder_changes_nothing"]).env("JUNFEIAI_TEST_CHILD", "1");
        // Its result is not one of this program's: what it prints is shown only where it failed.
        let output = child.output().unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    for threads in [0, 2] {
        let runtime = if threads == 0 {
            tokio::runtime::Builder::new_current_thread().enable_all().build()
        } else {
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()
        };
        runtime.unwrap().block_on(async {
            let (case, elsewhere) = (Case::new(&json!({})), tempfile::tempdir().unwrap());
            std::env::set_current_dir(case.folder.path()).unwrap();
            let other = elsewhere.path().to_owned();
            let save = case.video().save("ball.mp4").policy(quick());
            let leave = move |_: &junfeiai::SaveProgress| std::env::set_current_dir(&other).unwrap();
            let summary = save.sha256(true).on_progress(leave).await.unwrap();
            assert_eq!(summary.path, Path::new("ball.mp4"));
            assert_eq!(summary.sha256.unwrap().len(), 64);
            case.assert_whole();
            assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
            std::env::set_current_dir("/").unwrap();
        });
    }
}

/// As a machine that lost power may leave it: another boot, and more bytes than were synced.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn after_a_boot_of_the_machine_only_what_was_synced_is_believed() {
    for synced in [true, false] {
        let case = Case::new(&json!({}));
        begin(&case).await;
        let there = fs::metadata(case.part()).unwrap().len();
        let text = fs::read_to_string(case.state()).unwrap();
        let (head, claim) = text.split_at(text.find("synced ").unwrap());
        assert_eq!(claim, format!("synced 0-{}\n", there - 1));
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let text = format!("{}{}", head.replace(boot.trim(), "another"), if synced { claim } else { "" });
        assert!(text.contains("another"), "{text}");
        fs::write(case.state(), text).unwrap();
        fs::File::options().write(true).open(case.part()).unwrap().set_len(there + 1000).unwrap();
        case.emulator.set_scenario_json("{}").unwrap();
        case.emulator.clear_requests();
        assert_eq!(case.save().await.unwrap().resumed, synced);
        case.assert_whole();
        let from = synced.then(|| format!("bytes={there}-{}", SIZE - 1));
        assert_eq!(case.content()[0].range, from);
    }
}

/// In a runtime of several threads a dropped save keeps what was read as well, the batch that is being written included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_save_keeps_what_was_read_where_a_thread_of_its_own_writes() {
    let case = Case::new(&json!({}));
    begin(&case).await;
    let there = fs::metadata(case.part()).unwrap().len();
    assert_eq!(case.names(), ["ball.mp4.part", "ball.mp4.part.state"], "the lock is released");
    let state = fs::read_to_string(case.state()).unwrap();
    assert!(state.ends_with(&format!("synced 0-{}\n", there - 1)), "{there}: {state}");
    case.emulator.set_scenario_json("{}").unwrap();
    case.emulator.clear_requests();
    assert!(case.save().await.unwrap().resumed);
    case.assert_whole();
    assert_eq!(case.content()[0].range.as_deref(), Some(format!("bytes={there}-{}", SIZE - 1).as_str()));
}

#[tokio::test]
async fn half_of_what_a_save_leaves_is_read_anew() {
    for name in ["ball.mp4.part", "ball.mp4.part.state"] {
        let case = Case::new(&json!({}));
        fs::write(case.folder.path().join(name), STATE).unwrap();
        let summary = case.save().await.unwrap();
        case.assert_whole();
        assert!(!summary.resumed, "{name}");
    }
}

/// Another program's file has the name of the state file: it is refused before anything is asked for or written.
#[tokio::test]
async fn a_state_file_that_is_not_ours_is_left_alone() {
    for text in ["dear diary", "{}\n", "{\"junfeiai\":", "{\"junfeiai\":2,\"task_id\":\"task_1\"}\n"] {
        for part in [false, true] {
            let case = Case::new(&json!({}));
            fs::write(case.state(), text).unwrap();
            if part {
                fs::write(case.part(), "theirs").unwrap();
            }
            let before = case.names();
            if text.ends_with(':') {
                // A line that was being written when its saver was killed.
                case.save().await.unwrap();
                case.assert_whole();
                continue;
            }
            for error in [case.save().check().unwrap_err(), case.save().await.map(drop).unwrap_err()] {
                assert_eq!((error.kind(), error.task_id()), (ErrorKind::Io, Some(case.id.as_str())), "{error}");
                assert!(error.to_string().contains("ball.mp4.part.state is needed for the save"), "{error}");
            }
            assert_eq!(fs::read_to_string(case.state()).unwrap(), text);
            assert!(!part || fs::read_to_string(case.part()).unwrap() == "theirs");
            assert_eq!(case.names(), before);
            assert!(case.content().is_empty(), "{text:?}");
        }
    }
    // What a lost power makes of the first line.
    let case = Case::new(&json!({}));
    fs::write(case.part(), "half").unwrap();
    fs::write(case.state(), "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
    case.save().await.unwrap();
    case.assert_whole();
}

fn options(overwrite: bool, create_parents: bool) -> Value {
    json!({ "overwrite": overwrite, "create_parents": create_parents })
}

/// What can be refused is refused before a video is paid for, and looking leaves nothing behind.
#[tokio::test]
async fn a_target_is_judged_before_there_is_a_video() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("there.mp4"), "x").unwrap();
    fs::create_dir(at("folder")).unwrap();
    let client = Client::new("sk-test").unwrap();
    let check = |name: &str, options: Value| client.videos().check_save(at(name), options);
    check("new.mp4", json!({})).unwrap();
    check("there.mp4", options(true, false)).unwrap();
    check("a/b/new.mp4", options(false, true)).unwrap();
    for (name, options, kind, text) in [
        ("there.mp4", options(false, false), ErrorKind::FileExists, "there.mp4"),
        ("folder", options(true, false), ErrorKind::Io, "folder"),
        ("none/new.mp4", options(false, false), ErrorKind::Io, "does not exist"),
        ("there.mp4/new.mp4", options(false, true), ErrorKind::Io, "there.mp4"),
        ("a\0b.mp4", options(false, false), ErrorKind::Io, "NUL"),
        ("new.mp4", json!({ "connections": 17 }), ErrorKind::InvalidRequest, "connections"),
        ("new.mp4", json!({ "nobody": 1 }), ErrorKind::InvalidRequest, "nobody"),
    ] {
        let error = check(name, options).unwrap_err();
        assert_eq!(error.kind(), kind, "{name:?}: {error}");
        assert!(error.to_string().contains(text), "{name:?}: {error}");
    }
    // The names beside the file must be possible, too.
    let long = "x".repeat(250);
    assert_eq!(check(&long, json!({})).unwrap_err().kind(), ErrorKind::Io);
    fs::create_dir(at("new.mp4.part")).unwrap();
    assert_eq!(check("new.mp4", json!({})).unwrap_err().kind(), ErrorKind::Io);
    fs::remove_dir(at("new.mp4.part")).unwrap();
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["folder", "there.mp4"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_device_or_a_dead_link_is_no_target() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new("sk-test").unwrap();
    let error = client.videos().check_save("/dev/null", options(true, false)).unwrap_err();
    assert!(error.to_string().contains("not a regular file"), "{error}");
    std::os::unix::fs::symlink("nowhere", folder.path().join("link")).unwrap();
    let below = folder.path().join("link/new.mp4");
    assert_eq!(client.videos().check_save(below, options(false, true)).unwrap_err().kind(), ErrorKind::Io);
}

/// A check says what the save itself would say, in folders that are not there yet, too.
#[cfg(unix)]
#[tokio::test]
async fn a_check_and_a_save_agree_about_folders_that_are_missing() {
    let long = |length: usize| "n".repeat(length);
    let (folder, name, tight) =
        (format!("new/{}/ok.mp4", long(256)), format!("new/{}", long(256)), format!("new/{}", long(245)));
    let (fits, deep) = (format!("new/{}", long(244)), format!("{}ok.mp4", "new/../".repeat(700)));
    for (path, kind) in [
        ("new/x/../../ok.mp4", None),
        ("new/x/../y/ok.mp4", None),
        ("link/new/../../ok.mp4", None),
        (&*fits, None),
        ("new/x/../../there.mp4", Some(ErrorKind::FileExists)),
        ("new/../nowhere", Some(ErrorKind::FileExists)),
        ("link/new/../../../there.mp4", Some(ErrorKind::FileExists)),
        ("new/../folder", Some(ErrorKind::Io)),
        ("new/../there.mp4/ok.mp4", Some(ErrorKind::Io)),
        ("new/../nowhere/ok.mp4", Some(ErrorKind::Io)),
        ("nowhere/../ok.mp4", Some(ErrorKind::Io)),
        ("there.mp4/../ok.mp4", Some(ErrorKind::Io)),
        ("new/../loop/ok.mp4", Some(ErrorKind::Io)),
        ("new/../trap", Some(ErrorKind::Io)),
        ("new/", Some(ErrorKind::Io)),
        ("new/.", Some(ErrorKind::Io)),
        ("a/new//", Some(ErrorKind::Io)),
        (&*folder, Some(ErrorKind::Io)),
        (&*name, Some(ErrorKind::Io)),
        (&*tight, Some(ErrorKind::Io)),
        (&*deep, Some(ErrorKind::Io)),
    ] {
        let case = Case::new(&json!({}));
        let at = |name: &str| case.folder.path().join(name);
        fs::write(at("there.mp4"), "x").unwrap();
        for name in ["folder", "real", "real/inner", "trap.part"] {
            fs::create_dir(at(name)).unwrap();
        }
        for (to, link) in [("gone", "nowhere"), ("loop", "loop"), ("real/inner", "link")] {
            std::os::unix::fs::symlink(to, at(link)).unwrap();
        }
        let save = || case.video().save(at(path)).policy(quick()).create_parents(true);
        let before = case.names();
        let judged = save().check();
        assert_eq!(case.names(), before, "{path}");
        let saved = save().await.map(drop);
        for result in [judged, saved] {
            assert_eq!(result.as_ref().err().map(junfeiai::Error::kind), kind, "{path}: {result:?}");
        }
    }
}

/// A video over the journal, or over what stands beside it, would end what is known of everything that was paid for.
#[tokio::test]
async fn the_files_of_the_journal_are_no_targets() {
    let case = Case::new(&json!({}));
    let folder = case.folder.path();
    let builder = Client::builder().api_key("sk-test").endpoint(case.emulator.base_url());
    let client = builder.journal(folder.join("j.part")).build().unwrap();
    let before = case.names();
    let video = client.videos().video(&case.id).unwrap();
    // The last one has the journal as what it is read into.
    for name in ["j.part", "j.part.lock", "j.part.new", "new/../j.part", "j"] {
        let save = || video.save(folder.join(name)).policy(quick()).overwrite(true).create_parents(true);
        for error in [save().check().unwrap_err(), save().await.map(drop).unwrap_err()] {
            assert_eq!((error.kind(), error.task_id()), (ErrorKind::Io, Some(case.id.as_str())), "{name}: {error}");
            assert!(error.to_string().contains("this client's journal: name another"), "{name}: {error}");
        }
    }
    assert_eq!(case.names(), before);
    assert!(case.content().is_empty());
    video.save(folder.join("ball.mp4")).policy(quick()).await.unwrap();
    assert!(client.videos().pending().await.unwrap().is_empty());
}

/// What another saver has in hand is refused, and what a former one left is not touched.
#[tokio::test]
async fn a_check_leaves_a_part_alone() {
    let case = Case::new(&json!({}));
    let [part, state] = [".part", ".part.state"].map(|end| PathBuf::from(format!("{}{end}", case.path().display())));
    fs::write(&part, [7; 1000]).unwrap();
    fs::write(&state, STATE).unwrap();
    case.save().check().unwrap();
    assert_eq!((fs::read(&part).unwrap().len(), fs::read_to_string(&state).unwrap().as_str()), (1000, STATE));
    let other = fs::OpenOptions::new().write(true).open(&state).unwrap();
    other.lock().unwrap();
    assert_eq!(case.save().check().unwrap_err().kind(), ErrorKind::FileLocked);
    drop(other);
    case.save().check().unwrap();
    assert!(case.content().is_empty(), "nothing was asked of the server");
}

/// What Windows would take for something else than the file that is meant is refused before anything is asked for.
#[cfg(windows)]
#[tokio::test]
async fn names_that_windows_takes_for_something_else_are_refused() {
    let case = Case::new(&json!({}));
    for name in ["nul", "CON.mp4", "ab:c.mp4", "what?.mp4", "ball.mp4.", "ball ", "com1/ball.mp4", "a|b/ball.mp4"] {
        let path = case.folder.path().join(name);
        let error = case.video().save(&path).create_parents(true).check().unwrap_err();
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("on Windows"), "{name}: {error}");
        let error = case.video().save(&path).create_parents(true).await.unwrap_err();
        assert!(error.to_string().contains("on Windows"), "{name}: {error}");
    }
    assert!(case.content().is_empty() && case.names().is_empty());
}

/// Paths of more than 260 characters, and those that are taken literally.
#[cfg(windows)]
#[tokio::test]
async fn long_and_literal_paths_are_saved_to() {
    let case = Case::new(&json!({}));
    let folder = case.folder.path().join("f".repeat(120)).join("g".repeat(120));
    let literal = PathBuf::from(format!(r"\\?\{}", case.folder.path().display())).join("literal.mp4");
    for path in [folder.join("ball.mp4"), literal] {
        case.video().save(&path).policy(quick()).create_parents(true).await.unwrap();
        assert!(fs::read(&path).unwrap() == case.emulator.video_bytes(&case.id).unwrap());
    }
}
