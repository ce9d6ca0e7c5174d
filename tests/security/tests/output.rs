//! The key is in nothing that is shown, logged, thrown or left behind, whatever the server sends back of it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use junfeiai::{AccountAccess, Client, Error, VideoRequest};
use junfeiai_security::{KEY, PASSWORD, TOKEN, assert_clean, builder, emulator, leaks};
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

/// All that any crate logs in this process, at every level, by either of the two ways there are.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn log() -> MutexGuard<'static, Vec<u8>> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ToLog;

impl io::Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        log().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for ToLog {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl log::Log for ToLog {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        log().extend(format!("{} {} {}\n", record.level(), record.target(), record.args()).bytes());
    }

    fn flush(&self) {}
}

static LOGGING: LazyLock<()> = LazyLock::new(|| {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(ToLog).init();
    // The other way: whatever tracing does not take.
    let _ = log::set_logger(&ToLog);
    log::set_max_level(log::LevelFilter::Trace);
});

fn show(what: &str, thing: &(impl Debug + ?Sized)) {
    assert_clean(what, format!("{thing:?} {thing:#?}"));
}

fn show_error(what: &str, error: &Error) {
    show(what, error);
    show(what, error.record());
    assert_clean(what, format!("{error} {}", error.to_json()));
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        assert_clean(what, format!("{inner} {inner:?}"));
        cause = inner.source();
    }
}

/// Every file below this folder: its name and what is in it.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn assert_files_clean(folder: &Path) -> usize {
    let all = files(folder);
    for (name, bytes) in &all {
        assert_clean(name, name);
        assert_clean(name, bytes);
    }
    all.len()
}

/// The key as a server may repeat it: as it is, in JSON's escapes, doubly escaped, in a URL, in pieces of a page.
fn echoes() -> Vec<String> {
    let encoded = "\"https://evil.example/?k=sk-5eCr3tQ%2F%2B%25%22%5C%26%3D~Zq9\"".to_owned();
    echoes_of(KEY, encoded)
}

fn echoes_of(secret: &str, encoded: String) -> Vec<String> {
    let hidden: String =
        secret.chars().flat_map(|c| format!("\\u{:04x}", c as u32).into_bytes()).map(char::from).collect();
    let plain = json!(secret).to_string();
    let nested = json!(json!({ "authorization": format!("Bearer {secret}") }).to_string()).to_string();
    vec![plain, format!("\"Invalid token {hidden}\""), nested, encoded]
}

fn shapes(echo: &str) -> Vec<String> {
    vec![
        format!(r#"{{"error":{{"message":{echo},"type":"new_api_error","code":""}}}}"#),
        format!(r#"{{"code":{echo},"message":{echo},"data":null}}"#),
        format!(r#"{{"code":"success","data":{{"task_id":"task_1","status":"FAILURE","fail_reason":{echo}}}}}"#),
        format!(r#"{{"code":"success","data":{{"task_id":"task_1","status":"SUCCESS","result_url":{echo}}}}}"#),
        format!(r#"{{"id":"task_1","task_id":"task_1","status":{echo},"model":{echo},"object":"video"}}"#),
        format!(r#"{{"id":{echo},"status":"queued"}}"#),
        format!(r#"{{"data":[{{"id":{echo}}}],{echo}:1}}"#),
        format!("<html><title>{KEY}</title>{echo}</html>"),
        format!("{echo}\u{0}{echo}"),
    ]
}

fn headers() -> Value {
    headers_of(KEY)
}

/// What a header can hold of a secret as it is.
fn headers_of(secret: &str) -> Value {
    json!({
        "X-Oneapi-Request-Id": secret, "ETag": format!("\"{secret}\""), "Retry-After": secret, "Content-Type": secret,
        "Location": format!("http://evil.example/{secret}?{secret}"), "Last-Modified": secret, "Content-Range": secret,
        "X-New-Api-Other-Ratios": json!({ "seconds": secret }).to_string(), "Date": secret,
    })
}

async fn use_all(client: &Client, folder: &Path) {
    let videos = client.videos();
    let what = "a result";
    let shown = |result: Result<Box<dyn Debug>, Error>| match result {
        Ok(thing) => show(what, &*thing),
        Err(error) => show_error(what, &error),
    };
    let boxed = |thing: Box<dyn Debug>| thing;
    let task = videos.create("a red ball").await;
    if let Ok(task) = &task {
        assert_clean("a warning", format!("{:?} {:?}", task.warnings(), task.snapshot()));
        assert_clean("raw", task.snapshot().raw.as_bytes());
    }
    shown(task.map(|task| boxed(Box::new(task))));
    let seen = videos.get("task_1").await;
    if let Ok(seen) = &seen {
        assert_clean("raw", seen.snapshot().raw.as_bytes());
    }
    shown(seen.map(|seen| boxed(Box::new(seen))));
    let wait = videos.task("task_1").unwrap().wait().timeout(std::time::Duration::from_millis(50));
    shown(wait.await.map(|video| boxed(Box::new(video))));
    let video = videos.video("task_1").unwrap();
    show(what, &video);
    let hasty = junfeiai::protocol::DownloadPolicy {
        max_failures: 1,
        base: std::time::Duration::from_millis(1),
        settle: std::time::Duration::ZERO,
        ..Default::default()
    };
    let save = video.save(folder.join("v.mp4")).policy(hasty).overwrite(true);
    show(what, &save);
    shown(save.await.map(|saved| boxed(Box::new(saved))));
    shown(client.models().await.map(|models| boxed(Box::new(models))));
    shown(client.balance().await.map(|balance| boxed(Box::new(balance))));
    let report = client.check().await;
    assert_clean("the check", format!("{report} {report:?} {}", report.to_json()));
}

#[tokio::test]
async fn whatever_the_server_repeats_is_masked() {
    LazyLock::force(&LOGGING);
    let emulator = emulator(&json!({}));
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&emulator.base_url()).journal(folder.path().join("journal")).build().unwrap();
    show("a client", &client);
    for body in echoes().iter().flat_map(|echo| shapes(echo)) {
        for status in [200, 302, 401, 500] {
            let fault = json!({ "kind": "status", "status": status, "body": body, "headers": headers(), "act": true });
            emulator
                .set_scenario_json(&json!({ "rules": [{ "match": { "op": "any" }, "fault": fault }] }).to_string())
                .unwrap();
            use_all(&client, folder.path()).await;
        }
    }
    show("pending", &client.videos().pending().await.unwrap());
    assert!(assert_files_clean(folder.path()) > 0);
    // The emulator got the key each time: the search had something to find.
    assert!(emulator.requests().iter().all(|request| request.key == junfeiai_emulator::KeySeen::Valid));
    let logged = log().clone();
    assert!(logged.len() > 10_000, "only {} bytes were logged", logged.len());
    assert_clean("the log", logged);
}

/// The value of a header of the caller's own: it may be as secret as the key.
#[tokio::test]
async fn a_header_that_the_server_repeats_is_masked_in_whatever_it_says() {
    LazyLock::force(&LOGGING);
    let emulator = emulator(&json!({}));
    let client = builder(&emulator.base_url()).build().unwrap();
    show("a client", &client);
    let coded = format!("http://evil.example/{PASSWORD}");
    for (status, body) in [
        (401, json!({ "error": { "message": format!("not {PASSWORD}"), "code": PASSWORD } })),
        (200, json!({ "code": format!("no_{PASSWORD}"), "message": format!("{PASSWORD}!"), "data": null })),
        (200, json!({ "task_id": "task_1", "status": "FAILURE", "fail_reason": format!("because of {PASSWORD}") })),
        (500, json!({ "message": format!("(request id: {PASSWORD})") })),
        (302, json!({})),
    ] {
        let headers = json!({ "X-Oneapi-Request-Id": PASSWORD, "Location": coded });
        let fault = json!({ "kind": "status", "status": status, "body": body.to_string(), "headers": headers });
        emulator
            .set_scenario_json(&json!({ "rules": [{ "match": { "op": "any" }, "fault": fault }] }).to_string())
            .unwrap();
        let videos = client.videos();
        let errors = [
            videos.create("a red ball").await.err(),
            videos.get("task_1").await.err(),
            // A wait outlives errors of polls: this one need not.
            videos.task("task_1").unwrap().wait().timeout(Duration::from_secs(2)).await.err(),
            client.models().await.err(),
        ];
        let errors: Vec<Error> = errors.into_iter().flatten().collect();
        // What is masked was there.
        assert!(status == 302 || format!("{errors:?}").contains("***"), "{status}: {errors:?}");
        for error in &errors {
            show_error("an error", error);
        }
    }
    assert!(emulator.requests().iter().any(|request| request.headers.contains_key("x-gateway")));
}

/// The whole life of a task with every fault that a network has.
#[tokio::test]
async fn nothing_that_is_logged_or_kept_on_the_way_shows_it() {
    LazyLock::force(&LOGGING);
    for kind in [
        json!({ "kind": "drop_before_accept", "rst": true }),
        json!({ "kind": "cut_body", "after_bytes": 1000 }),
        json!({ "kind": "change_etag" }),
        json!({ "kind": "json_as_video" }),
        json!({ "kind": "html" }),
        json!({ "kind": "redirect", "location": "{second}/v1/videos/{id}/content" }),
        json!({ "kind": "rate_limited" }),
        json!({ "kind": "header", "name": "ETag", "value": format!("\"{KEY}\"") }),
    ] {
        let emulator = emulator(&json!({ "rules": [{ "match": { "op": "content" }, "times": 3, "fault": kind }] }));
        let folder = tempfile::tempdir().unwrap();
        let client =
            builder(&emulator.base_url()).journal(folder.path().join("journal")).journal_prompts(true).build().unwrap();
        let request = VideoRequest::new(format!("a prompt that holds {KEY}")).seconds(6).image("https://a.b/c.png");
        let task = client.videos().create(request).await.unwrap();
        show("a task", &task);
        assert_clean("the journal", std::fs::read(folder.path().join("journal")).unwrap());
        let watched: Vec<_> = task.watch().collect().await;
        show("what was watched", &watched);
        let video = task.wait().await.unwrap();
        // Ended in the middle: part and state stay behind.
        let begun = std::sync::Arc::new(tokio::sync::Notify::new());
        let notice = begun.clone();
        let save = video.save(folder.path().join("v.mp4")).connections(2).rate_limit(50_000);
        let save = save.on_progress(move |_| notice.notify_one());
        tokio::select! {
            () = begun.notified() => {}
            result = save.into_future() => panic!("it came to its end: {result:?}"),
        }
        assert!(assert_files_clean(folder.path()) >= 2);
        match video.save(folder.path().join("v.mp4")).sha256(true).await {
            Ok(saved) => show("a summary", &saved),
            Err(error) => show_error("a save", &error),
        }
        show("pending", &client.videos().pending().await.unwrap());
        assert_files_clean(folder.path());
    }
    let logged = log().clone();
    let text = String::from_utf8_lossy(&logged);
    assert!(
        text.contains("junfeiai") && text.contains("video saved") && text.contains("hyper"),
        "too little is logged"
    );
    assert_clean("the log", &logged);
}

/// The account's token, whatever the server makes of it: in errors, results, the journal, the log, and at no other host.
#[tokio::test]
async fn the_accounts_token_is_masked_and_kept_nowhere() {
    LazyLock::force(&LOGGING);
    let account = json!({ "name": "default", "user_id": 7, "access_token": TOKEN });
    let emulator = emulator(&json!({ "accounts": [account], "api": { "version": "newer" } }));
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&emulator.base_url()).journal(folder.path().join("journal")).build().unwrap();
    let access = AccountAccess::new(TOKEN).unwrap().user("7").unwrap();
    show("an access", &access);
    for token in [format!("Bearer {TOKEN}"), format!("{TOKEN}\n{TOKEN}"), format!("{TOKEN}\u{e9}")] {
        show_error("a refused token", &AccountAccess::new(&token).unwrap_err());
        show_error("a refused number", &AccountAccess::new(TOKEN).unwrap().user(&token).unwrap_err());
    }
    let lose = json!({ "match": { "op": "create" }, "fault": { "kind": "empty_body" } });
    emulator.set_scenario_json(&json!({ "rules": [lose] }).to_string()).unwrap();
    client.videos().create(VideoRequest::new("a red ball").seconds(6)).await.unwrap_err();
    let encoded = "\"https://evil.example/?k=acc0unt-7oK3nCoR3%2F%2B%25%22%5C%26%3D~Wx8\"".to_owned();
    let mut errors = 0;
    for body in echoes_of(TOKEN, encoded).iter().flat_map(|echo| {
        let row = json!({ "task_id": "task_1", "submit_time": 1_750_000_000, "properties": { "input": TOKEN } });
        [
            shapes(echo),
            vec![
                format!(r#"{{"success":false,"message":{echo}}}"#),
                json!({ "success": true, "data": [row] }).to_string(),
            ],
        ]
        .concat()
    }) {
        for status in [200, 302, 401, 403, 500] {
            let fault = json!({ "kind": "status", "status": status, "body": body, "headers": headers_of(TOKEN) });
            let rule = json!({ "match": { "path_contains": "/api/task/self" }, "fault": fault });
            // The limit of these questions is not what this is about.
            emulator
                .set_scenario_json(
                    &json!({ "accounts": [account], "api": { "version": "newer" }, "rules": [lose] }).to_string(),
                )
                .unwrap();
            client.videos().create(VideoRequest::new("a red ball").seconds(6)).await.unwrap_err();
            emulator.set_scenario_json(&json!({ "rules": [rule] }).to_string()).unwrap();
            match client.videos().reconcile_with(&access).await {
                Ok(found) => show("what was found", &found),
                Err(error) => {
                    errors += 1;
                    show_error("an error about the account", &error);
                }
            }
        }
    }
    assert!(errors > 50, "only {errors} errors were seen");
    show("pending", &client.videos().pending().await.unwrap());
    assert!(assert_files_clean(folder.path()) > 0);
    // The token went to the endpoint, for the list alone, and the key never there.
    let requests = emulator.requests();
    let of_account: Vec<_> = requests.iter().filter(|request| request.path == "/api/task/self").collect();
    assert!(of_account.len() > 100, "{}", of_account.len());
    for request in &requests {
        let is_key = request.key == junfeiai_emulator::KeySeen::Valid;
        assert_eq!(is_key, request.path != "/api/task/self", "{}", request.path);
        assert_eq!(request.host, junfeiai_emulator::HostName::First);
    }
    assert_clean("the log", log().clone());
}

#[tokio::test]
async fn a_callback_that_panics_shows_nothing_of_it() {
    static PANICS: Mutex<String> = Mutex::new(String::new());
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(|panic| {
        let trace = std::backtrace::Backtrace::force_capture();
        PANICS.lock().unwrap().extend([panic.to_string(), format!("{panic:?}"), trace.to_string()]);
    }));
    let emulator = emulator(&json!({}));
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&emulator.base_url()).build().unwrap();
    let (saving, path) = (client.clone(), folder.path().join("v.mp4"));
    let id = emulator.add_task(junfeiai_emulator::TaskSpec::default());
    let save = tokio::spawn(async move {
        let video = saving.videos().video(&id).unwrap();
        video.save(path).on_progress(|_| panic!("the callback's own")).await
    });
    let error = save.await.unwrap_err();
    std::panic::set_hook(before);
    assert!(error.is_panic());
    let told = PANICS.lock().unwrap().clone();
    assert!(told.contains("the callback's own") && told.contains("a_callback_that_panics"), "{told}");
    assert_clean("the panic", told);
    show("the error of the task", &error);
    assert_files_clean(folder.path());
    // The client goes on.
    assert!(client.videos().create("a red ball").await.is_ok());
}

#[tokio::test]
async fn refused_options_are_not_repeated() {
    let wrong: Vec<Value> = vec![
        json!({ "api_key": format!("Bearer {KEY}") }),
        json!({ "api_key": format!("{KEY}\n{KEY}") }),
        json!({ "api_key": [KEY] }),
        json!({ "api_key": { KEY: KEY } }),
        json!({ "api_key": KEY, "unknown": KEY }),
        json!({ "api_key": KEY, "timeout": -1 }),
        json!({ "api_key": "another", "endpoint": KEY }),
        json!({ "api_key": "another", "endpoint": format!("Bearer {KEY}") }),
        json!({ "api_key": "another", "trusted_hosts": [KEY] }),
        json!({ "api_key": "another", "video_base_url": KEY }),
        json!({ "api_key": KEY, "endpoint": format!("https://{KEY}@junfeiai.com/v1") }),
        json!({ "api_key": KEY, "endpoint": format!("https://junfeiai.com/v1?key={KEY}") }),
        json!({ "api_key": KEY, "endpoint": format!("https://user:{PASSWORD}@junfeiai.com/v1") }),
        json!({ "api_key": KEY, "trusted_hosts": [format!("user:{PASSWORD}@a.example")] }),
        json!({ "api_key": KEY, "video_base_url": format!("https://user:{PASSWORD}@a.example") }),
        json!({ "api_key": KEY, "proxy": format!("user:{PASSWORD}@ no url") }),
        json!({ "api_key": KEY, "ca_file": "/nowhere/ca.pem", "proxy": format!("http://u:{PASSWORD}@127.0.0.1:1") }),
        json!({ "api_key": KEY, "headers": { "X-Gateway": format!("{PASSWORD}\n") } }),
        json!({ "api_key": KEY, "headers": { format!("X-Gateway: {PASSWORD}"): "" } }),
        json!({ "api_key": KEY, "headers": { "Host": PASSWORD } }),
        json!({ "api_key": KEY, "headers": { "X-Gateway": PASSWORD, "x-gateway": PASSWORD } }),
        json!({ "api_key": KEY, "headers": { "X-Gateway": [PASSWORD] } }),
        json!({ "api_key": KEY, "headers": PASSWORD }),
        json!({ "api_key": KEY, "headers": { format!("{KEY} x"): "" } }),
        json!({ "api_key": KEY, "user_agent": format!("{PASSWORD}\r\n") }),
    ];
    for options in wrong {
        let error = junfeiai::ClientBuilder::from_json(options).and_then(junfeiai::ClientBuilder::build).unwrap_err();
        show_error("a refused option", &error);
    }
    show("a builder", &Client::builder().api_key(KEY).proxy(format!("http://u:{PASSWORD}@127.0.0.1:1")));
    show("a key", &junfeiai::ApiKey::new(KEY).unwrap());
}

#[tokio::test]
async fn an_entry_that_is_not_there_shows_nothing() {
    LazyLock::force(&LOGGING);
    // Taken, and nobody listens.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Refused, no TLS behind https, and no such name.
    for entry in
        [format!("http://{closed}/v1"), format!("https://{closed}/v1"), "https://junfeiai.invalid/v1".to_owned()]
    {
        let client = builder(&entry).proxy("").build().unwrap();
        use_all(&client, folder.path()).await;
    }
    let _ = assert_files_clean(folder.path());
    assert_clean("the log", log().clone());
}

#[test]
fn both_ways_to_log_are_searched() {
    LazyLock::force(&LOGGING);
    tracing::trace!("a word of tracing");
    log::trace!("a word of log");
    let logged = String::from_utf8_lossy(&log()).into_owned();
    assert!(logged.contains("a word of tracing") && logged.contains("a word of log"));
    assert!(!leaks(format!("Authorization: Bearer {KEY}").as_bytes()).is_empty());
}
