//! Whatever an option is set to: an error that names it, before anything is sent, or a client whose calls run. Never a
//! panic. Time is virtual, and nothing leaves this process.
//!
//! `JUNFEIAI_SEED` repeats a run of the random part; a failure names its seed.
#![cfg(feature = "native")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

mod clock;

use bytes::Bytes;
use clock::Clock;
use futures_util::StreamExt as _;
use junfeiai::async_compat::BoxFuture;
use junfeiai::protocol::{DownloadPolicy, RetryPolicy, WaitPolicy};
use junfeiai::transport::{Failure, Headers, HttpRequest, HttpResponse, Method, Transport, TransportError};
use junfeiai::{CheckOptions, Client, ClientBuilder, Error, ErrorKind, ReaderOptions, VideoRequest};
use junfeiai_emulator::{Emulator, TaskSpec};
use serde_json::{Value, json};

/// What the service does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mood {
    Good,
    Busy,
    Down,
    Unreachable,
    Silent,
}

const MOODS: [Mood; 5] = [Mood::Good, Mood::Busy, Mood::Down, Mood::Unreachable, Mood::Silent];

struct Service {
    mood: Mood,
    posts: AtomicUsize,
    polls: AtomicUsize,
}

fn film() -> Bytes {
    static FILM: OnceLock<Bytes> = OnceLock::new();
    FILM.get_or_init(|| {
        let emulator = Emulator::builder().start().unwrap();
        let id = emulator.add_task(TaskSpec::with_video_bytes(100_000));
        emulator.video_bytes(&id).unwrap()
    })
    .clone()
}

impl Service {
    fn answer(&self, request: &HttpRequest) -> (u16, Vec<(&'static str, String)>, Bytes) {
        let json = |body: &Value| (200, vec![("content-type", "application/json".to_owned())], body.to_string().into());
        match (self.mood, request.method) {
            (Mood::Busy, _) => return (429, vec![("retry-after", "99999999999999999999".to_owned())], Bytes::new()),
            (Mood::Down, _) => return (502, Vec::new(), Bytes::from_static(b"<html></html>")),
            (_, Method::Post) => return json(&json!({ "id": "task_1", "status": "queued" })),
            _ => {}
        }
        let path = request.url.path_only();
        if path.ends_with("/content") {
            let film = film();
            let range = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("range"));
            let asked = range.and_then(|(_, value)| value.strip_prefix("bytes=")?.split_once('-'));
            // Where addresses have 32 bits, too.
            let place = |text: &str| text.parse::<u64>().ok().map(|at| usize::try_from(at).unwrap_or(usize::MAX));
            return match asked.map(|(start, end)| (place(start).unwrap(), place(end))) {
                Some((start, _)) if start >= film.len() => (416, Vec::new(), Bytes::new()),
                Some((start, end)) => {
                    let end = end.unwrap_or(usize::MAX).min(film.len() - 1);
                    let place = format!("bytes {start}-{end}/{}", film.len());
                    (206, vec![("content-range", place)], film.slice(start..=end))
                }
                None => (200, vec![("content-length", film.len().to_string())], film),
            };
        }
        let running = self.polls.fetch_add(1, Ordering::SeqCst) < 2;
        let status = if running { "IN_PROGRESS" } else { "SUCCESS" };
        json(&json!({ "code": "success", "data": { "task_id": "task_1", "status": status } }))
    }
}

impl Transport for Service {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        if request.method == Method::Post {
            self.posts.fetch_add(1, Ordering::SeqCst);
        }
        match self.mood {
            Mood::Silent => return Box::pin(std::future::pending()),
            Mood::Unreachable => {
                return Box::pin(async { Err(TransportError::new(Failure::Connect, "nobody listens")) });
            }
            _ => {}
        }
        let (status, headers, body) = self.answer(&request);
        let body = futures_util::stream::iter(
            body.chunks(16 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect::<Vec<_>>(),
        );
        Box::pin(async move { Ok(HttpResponse { status, headers: Headers::from_iter(headers), body: Box::pin(body) }) })
    }
}

/// A client of this service, and its clock.
fn connect(builder: ClientBuilder, mood: Mood) -> Result<(Client, Clock, Arc<Service>), Error> {
    let (clock, polls) = (Clock::default(), AtomicUsize::new(0));
    let service = Arc::new(Service { mood, posts: AtomicUsize::new(0), polls });
    let client = builder.transport(service.clone()).timer(Arc::new(clock.clone())).build()?;
    Ok((client, clock, service))
}

/// A client whose task has a video already.
fn with_video(mood: Mood) -> (Client, Clock, Arc<Service>) {
    let made = connect(Client::builder().api_key("sk-1"), mood).unwrap();
    made.2.polls.store(2, Ordering::SeqCst);
    made
}

/// Every call of a client, whatever comes of it. At most one task is paid for.
fn use_it(client: &Client, clock: &Clock, service: &Service) {
    clock.run(client.check_with(CheckOptions::default().account(true)));
    clock.run(client.models());
    let Some(made) = clock.run(client.videos().create("a red ball")) else { return };
    assert!(made.is_err() || service.posts.load(Ordering::SeqCst) == 1, "sent more than once");
    clock.run(client.videos().get("task_1"));
    let task = client.videos().task("task_1").unwrap();
    clock.run(task.wait().into_future());
    clock.run(task.watch().for_each(|_| std::future::ready(())));
    clock.run(client.videos().wait_all(["task_1", "task_2"]));
    clock.run(client.videos().video("task_1").unwrap().bytes());
}

/// The option as the error names it; the three names of the entry are one option.
fn names(error: &Error, name: &str) -> bool {
    let record = error.record();
    let entry = ["endpoint", "endpoints", "base_url"];
    let shown: String = name.split(|c: char| c.is_whitespace() || c.is_control()).collect::<Vec<_>>().join(" ");
    let shown: String = shown.trim().chars().take(60).collect();
    record.field.as_deref() == Some(name)
        || record.message.contains(&shown)
        || entry.contains(&name) && record.field.as_deref().is_some_and(|field| entry.contains(&field))
}

fn hostile() -> Vec<Value> {
    let long = "x".repeat(100_000);
    let mut values =
        vec![Value::Null, json!(true), json!(false), json!([]), json!({}), json!([[]]), json!([1]), json!({"a": 1})];
    values.extend(
        [0.0, -0.0, -1.0, 1.0, 0.5, 1e-300, 5e-324, 1e308, f64::MAX, f64::MIN, 1e19, -1e-9].map(|number| json!(number)),
    );
    values.extend([json!(u64::MAX), json!(i64::MIN), json!(i64::MAX), json!(u32::MAX), json!(u64::from(u32::MAX) + 1)]);
    let texts = [
        "",
        " ",
        "\0",
        "a\nb",
        "NaN",
        "inf",
        "-1",
        "5",
        "∞",
        "\u{feff}",
        "a,b",
        "..",
        "/",
        "*",
        "https://",
        "http://[",
        "://",
        "@",
        "https://xn--a/v1",
        "https://a.example:99999/v1",
        "https://user:secret@a.example/v1",
        "\u{202e}",
        "sk-1\u{7f}",
        &long,
    ];
    values.extend(texts.map(|text| json!(text)));
    values.extend(texts.map(|text| json!([text])));
    values
}

/// Runs the cases; one that panics is told with its description, and the others run as well.
fn none_panics<C>(cases: impl IntoIterator<Item = (String, C)>, run: impl Fn(C)) {
    let mut count = 0;
    let mut bad = Vec::new();
    for (what, case) in cases {
        count += 1;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(case))) {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            bad.push(format!("{}: {}", what.chars().take(200).collect::<String>(), text.unwrap_or_default()));
        }
    }
    assert!(bad.is_empty(), "{} of {count} cases:\n{}", bad.len(), bad.join("\n"));
    assert!(count > 0);
}

/// All options of `ClientBuilder::from_json`; `journal` and files are looked at by themselves.
const CLIENT: [&str; 27] = [
    "api_key",
    "endpoint",
    "base_url",
    "endpoints",
    "video_base_url",
    "trusted_hosts",
    "timeout",
    "create_timeout",
    "connect_timeout",
    "idle_timeout",
    "poll_interval",
    "wait_timeout",
    "max_attempts",
    "max_poll_errors",
    "max_in_flight_creates",
    "max_cost",
    "max_cost_strict",
    "budget",
    "request_rate",
    "request_burst",
    "language",
    "headers",
    "user_agent",
    "sdk_name",
    "journal_prompts",
    "proxy",
    "env",
];
const UNKNOWN: [&str; 6] = ["tiemout", "", "\0", "API_KEY", "a\nb", "🎬"];

fn client_options(name: &str, value: &Value) -> Value {
    let mut options = json!({ "api_key": "sk-1" });
    options[name] = value.clone();
    options
}

#[test]
fn the_options_are_all_of_them() {
    let error = ClientBuilder::from_json(json!({ "tiemout": 1 })).unwrap_err();
    let (_, known) = error.record().message.split_once(": ").unwrap();
    let mut known: Vec<&str> = known.split(", ").collect();
    let mut ours: Vec<&str> = CLIENT.into_iter().chain(["journal", "ca_file", "environment"]).collect();
    known.sort_unstable();
    ours.sort_unstable();
    assert_eq!(known, ours);
}

#[test]
fn every_client_option() {
    let names_ = CLIENT.into_iter().chain(UNKNOWN);
    let cases =
        names_.flat_map(|name| hostile().into_iter().map(move |value| (format!("{name}={value}"), (name, value))));
    none_panics(cases, |(name, value)| {
        let options = client_options(name, &value);
        // With the transport that is built in, whose options are judged as well; then with one that sends nothing.
        if let Err(error) = ClientBuilder::from_json(options.clone()).and_then(ClientBuilder::build) {
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!(names(&error, name), "the error does not name the option: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
            return;
        }
        let (client, clock, service) = connect(ClientBuilder::from_json(options).unwrap(), Mood::Good).unwrap();
        use_it(&client, &clock, &service);
    });
}

#[test]
fn client_options_when_nothing_works() {
    let times = ["timeout", "create_timeout", "connect_timeout", "idle_timeout", "poll_interval", "wait_timeout"];
    let counts = ["max_attempts", "max_poll_errors", "max_in_flight_creates", "request_rate"];
    let values = [json!(5e-324), json!(1e-9), json!(1), json!(1e9), json!(1e19), json!(f64::MAX), json!(i64::MAX)];
    let cases = times.into_iter().chain(counts).flat_map(|name| {
        let values = values.clone().into_iter();
        values
            .flat_map(move |value| MOODS.map(|mood| (format!("{name}={value} {mood:?}"), (name, value.clone(), mood))))
    });
    none_panics(cases, |(name, value, mood)| {
        let built = ClientBuilder::from_json(client_options(name, &value)).and_then(|builder| connect(builder, mood));
        match built {
            Ok((client, clock, service)) => use_it(&client, &clock, &service),
            Err(error) => assert!(names(&error, name), "{error}"),
        }
    });
}

#[test]
fn journals_and_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let names_ = ["\0".to_owned(), path(""), path("none/there"), path(&"x".repeat(5000)), path("ok"), String::new()];
    let cases = ["journal", "ca_file"]
        .into_iter()
        .flat_map(|name| names_.clone().map(|value| (format!("{name}={value}"), (name, value))));
    none_panics(cases, |(name, value)| {
        let built = ClientBuilder::from_json(client_options(name, &json!(value)))
            .and_then(|builder| connect(builder, Mood::Good));
        match built {
            Ok((client, clock, service)) => {
                let made = clock.run(client.videos().create("a red ball")).unwrap();
                let posts = service.posts.load(Ordering::SeqCst);
                assert_eq!(posts, usize::from(made.is_ok()), "{made:?}");
            }
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Config | ErrorKind::Journal), "{error:?}"),
        }
    });
}

const DURATIONS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_secs(1),
    Duration::from_secs(u32::MAX as u64),
    Duration::from_secs(u64::MAX),
    Duration::MAX,
];

type Set = fn(ClientBuilder, Duration) -> ClientBuilder;

#[test]
fn every_setter_of_a_time() {
    let setters: [(&str, Set); 6] = [
        ("timeout", ClientBuilder::timeout),
        ("create_timeout", ClientBuilder::create_timeout),
        ("connect_timeout", ClientBuilder::connect_timeout),
        ("idle_timeout", ClientBuilder::idle_timeout),
        ("poll_interval", ClientBuilder::poll_interval),
        ("wait_timeout", ClientBuilder::wait_timeout),
    ];
    let cases = setters.into_iter().flat_map(|(name, set)| {
        DURATIONS
            .into_iter()
            .flat_map(move |value| MOODS.map(|mood| (format!("{name}({value:?}) {mood:?}"), (name, set, value, mood))))
    });
    none_panics(cases, |(name, set, value, mood)| {
        let one = || set(Client::builder().api_key("sk-1"), value);
        for builder in [one(), one().endpoints(["standard", "china"]), one().endpoint("http://127.0.0.1:9/v1")] {
            match connect(builder, mood) {
                Ok((client, clock, service)) => use_it(&client, &clock, &service),
                Err(error) => {
                    let long = name == "poll_interval" && value > DAY;
                    assert!((value.is_zero() || long) && names(&error, name), "{error}");
                }
            }
        }
    });
}

#[test]
fn every_setter_of_a_number() {
    let rates = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, -1.0, 5e-324, 1e-300, 1.0, 1e308, f64::MAX];
    let cases = rates.into_iter().flat_map(|rate| {
        [0, 1, u32::MAX].into_iter().flat_map(move |burst| {
            [Mood::Good, Mood::Busy].map(|mood| (format!("{rate} {burst} {mood:?}"), (rate, burst, mood)))
        })
    });
    none_panics(cases, |(rate, burst, mood)| {
        match connect(Client::builder().api_key("sk-1").request_rate(rate, burst), mood) {
            Ok((client, clock, service)) => use_it(&client, &clock, &service),
            Err(error) => assert!(names(&error, "request_rate"), "{error}"),
        }
    });
    for count in [0, 1, u32::MAX] {
        for mood in MOODS {
            let builder = Client::builder().api_key("sk-1").max_attempts(count).max_in_flight_creates(count.max(1));
            match connect(builder, mood) {
                Ok((client, clock, service)) => use_it(&client, &clock, &service),
                Err(error) => assert!(count == 0 && names(&error, "max_attempts"), "{error}"),
            }
        }
    }
}

/// Seeds: one that is given, or a new one for each run, and so many cases from it on.
fn seeds(cases: u64) -> impl Iterator<Item = u64> {
    let given = std::env::var("JUNFEIAI_SEED").ok().map(|seed| seed.parse::<u64>().expect("JUNFEIAI_SEED is a number"));
    let first = given.unwrap_or_else(|| u64::from(std::process::id()) * 1_000_003);
    println!("seeds {first} and on");
    (0..cases).map(move |case| first.wrapping_add(case))
}

fn time(rng: &mut fastrand::Rng) -> Duration {
    if rng.bool() {
        DURATIONS[rng.usize(..DURATIONS.len())]
    } else {
        Duration::from_nanos(rng.u64(..) >> rng.u32(..64))
    }
}

fn count(rng: &mut fastrand::Rng) -> u32 {
    rng.u32(..) >> rng.u32(..32)
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn long(rng: &mut fastrand::Rng) -> u64 {
    if rng.u8(..4) == 0 { u64::MAX } else { rng.u64(..) >> rng.u32(..64) }
}

#[test]
fn policies_at_random() {
    none_panics(seeds(100).map(|seed| (format!("repeat with JUNFEIAI_SEED={seed}"), seed)), |seed| {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let mut retry = RetryPolicy::default();
        (retry.max_attempts, retry.base, retry.cap, retry.budget) = (count(rng), time(rng), time(rng), time(rng));
        let mut wait = WaitPolicy::default();
        (wait.interval, wait.max_interval, wait.call_timeout, wait.visible_after) =
            (time(rng), time(rng), time(rng), time(rng));
        (wait.timeout, wait.max_errors) = (Some(time(rng)).filter(|_| rng.bool()), count(rng));
        let mood = MOODS[rng.usize(..MOODS.len())];
        let host = if rng.bool() { "standard" } else { "http://127.0.0.1:9/v1" };
        let builder = Client::builder().api_key("sk-1").endpoint(host).retry(retry.clone()).wait_policy(wait.clone());
        let (client, clock, service) = match connect(builder, mood) {
            Ok(made) => made,
            Err(error) => {
                let zero = retry.max_attempts == 0 || wait.interval.is_zero() || wait.call_timeout.is_zero();
                let long = wait.interval.max(wait.max_interval) > DAY;
                assert!((zero || long) && error.record().field.is_some(), "{error}");
                connect(Client::builder().api_key("sk-1").endpoint(host), mood).unwrap()
            }
        };
        use_it(&client, &clock, &service);
        // A wait of one call, which creates nothing before it is looked at.
        clock.run(client.videos().task("task_1").unwrap().wait().policy(wait.clone()).into_future());
        let timeout = time(rng);
        clock.run(client.videos().generate("a red ball").policy(wait).timeout(timeout).into_future());
    });
}

#[test]
fn reading_at_random() {
    none_panics(seeds(100).map(|seed| (format!("repeat with JUNFEIAI_SEED={seed}"), seed)), |seed| {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let mood = if rng.u8(..4) == 0 { MOODS[rng.usize(..MOODS.len())] } else { Mood::Good };
        let (client, clock, _) = with_video(mood);
        let video = client.videos().video("task_1").unwrap();
        let (start, end) = (long(rng), long(rng));
        let read = clock.run(video.read_range(start..end));
        if mood == Mood::Good {
            let film = film();
            let expected = film.get((start as usize).min(film.len())..(end as usize).min(film.len()));
            match read.unwrap() {
                Ok(bytes) => assert_eq!(Some(&bytes[..]), expected, "{start}..{end}"),
                Err(error) => assert!(start >= end && names(&error, "range"), "{start}..{end}: {error}"),
            }
        }
        clock.run(video.bytes_up_to(long(rng) as usize));
        let header = format!("bytes={}-{}", long(rng), long(rng));
        let known = Some(long(rng)).filter(|_| rng.bool());
        if let Some(Ok(served)) =
            clock.run(video.serve(Some(&header).filter(|_| rng.bool()).map(String::as_str), known))
        {
            clock.run(served.body.for_each(|_| std::future::ready(())));
        }
        let mut options = ReaderOptions::default();
        (options.block_bytes, options.blocks) = (long(rng) as usize, long(rng) as usize);
        (options.read_ahead, options.long_after, options.skip) = (long(rng), long(rng), long(rng));
        if let Some(Ok(mut reader)) = clock.run(video.open_with(options)) {
            for _ in 0..6 {
                let to = [
                    std::io::SeekFrom::Start(long(rng)),
                    std::io::SeekFrom::End(long(rng).cast_signed()),
                    std::io::SeekFrom::Current(long(rng).cast_signed()),
                ];
                let _ = clock.run(reader.seek(to[rng.usize(..3)]));
                let mut buf = vec![0; rng.usize(..70_000)];
                let at = reader.position();
                if let Some(Ok(length)) = clock.run(reader.read(&mut buf))
                    && length > 0
                {
                    assert_eq!(buf[..length], film()[at as usize..at as usize + length]);
                }
            }
        }
    });
}

#[test]
fn every_option_of_a_save() {
    let names_ = ["overwrite", "create_parents", "sha256", "connections", "verify", "timeout", "rate_limit"];
    let cases = names_
        .into_iter()
        .chain(UNKNOWN)
        .flat_map(|name| hostile().into_iter().map(move |value| (format!("{name}={value}"), (name, value))));
    none_panics(cases, |(name, value)| {
        let folder = tempfile::tempdir().unwrap();
        let (client, clock, service) = with_video(Mood::Good);
        let save = client.videos().video("task_1").unwrap().save(folder.path().join("v.mp4"));
        match save.options_json(json!({ name: value })) {
            Ok(save) => {
                let saved = clock.run(save.into_future());
                assert!(saved.is_none_or(|saved| saved.is_ok() || name == "timeout"), "it was taken");
            }
            Err(error) => {
                assert!(error.kind() == ErrorKind::InvalidRequest && names(&error, name), "{error}");
                assert_eq!(service.polls.load(Ordering::SeqCst), 2);
            }
        }
    });
}

#[test]
fn a_save_that_cannot_be_is_refused_before_anything_is_asked_or_written() {
    let folder = tempfile::tempdir().unwrap();
    let (client, clock, service) = with_video(Mood::Good);
    let save = || client.videos().video("task_1").unwrap().save(folder.path().join("v.mp4"));
    for (save, name) in [
        (save().connections(0), "connections"),
        (save().connections(17), "connections"),
        (save().connections(u32::MAX), "connections"),
        (save().rate_limit(0), "rate_limit"),
        (save().timeout(Duration::ZERO), "timeout"),
        (save().policy(DownloadPolicy { connections: 99, ..DownloadPolicy::default() }), "connections"),
    ] {
        let error = clock.run(save.into_future()).unwrap().unwrap_err();
        assert!(error.kind() == ErrorKind::InvalidRequest && names(&error, name), "{error}");
        assert_eq!(error.record().task_id.as_deref(), Some("task_1"));
    }
    assert_eq!(service.polls.load(Ordering::SeqCst), 2);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn saves_at_random() {
    none_panics(seeds(200).map(|seed| (format!("repeat with JUNFEIAI_SEED={seed}"), seed)), |seed| {
        let rng = &mut fastrand::Rng::with_seed(seed);
        let mood = if rng.u8(..3) == 0 { MOODS[rng.usize(..MOODS.len())] } else { Mood::Good };
        let (client, clock, _) = with_video(mood);
        let folder = tempfile::tempdir().unwrap();
        let mut policy = DownloadPolicy::default();
        (policy.connections, policy.min_part, policy.max_failures) = (rng.u32(..20), long(rng), rng.u32(..9));
        (policy.base, policy.cap, policy.settle) = (time(rng), time(rng), time(rng));
        (policy.timeout, policy.max_bytes) = (Some(time(rng)).filter(|_| rng.bool()), long(rng));
        let (limit, limited) = (long(rng), rng.bool());
        let mut save = client.videos().video("task_1").unwrap().save(folder.path().join("v.mp4")).policy(policy);
        if limited {
            save = save.rate_limit(limit);
        }
        if let Some(Ok(_)) = clock.run(save.into_future()) {
            assert_eq!(std::fs::read(folder.path().join("v.mp4")).unwrap(), film());
        }
    });
}

#[test]
fn every_option_of_a_wait() {
    let cases = ["timeout"]
        .into_iter()
        .chain(UNKNOWN)
        .flat_map(|name| hostile().into_iter().map(move |value| (format!("{name}={value}"), (name, value))));
    none_panics(cases, |(name, value)| {
        let (client, clock, service) = connect(Client::builder().api_key("sk-1"), Mood::Good).unwrap();
        match client.videos().generate("a red ball").options_json(json!({ name: value })) {
            Ok(wait) => {
                clock.run(wait.into_future());
                assert_eq!(service.posts.load(Ordering::SeqCst), 1);
            }
            Err(error) => {
                assert!(error.kind() == ErrorKind::InvalidRequest && names(&error, name), "{error}");
                assert_eq!(service.posts.load(Ordering::SeqCst), 0);
            }
        }
    });
}

#[test]
fn every_field_of_a_request() {
    let names_ = ["model", "prompt", "seconds", "duration", "size", "image", "images", "extra", "validate"];
    let cases = names_
        .into_iter()
        .chain(UNKNOWN)
        .flat_map(|name| hostile().into_iter().map(move |value| (format!("{name}={value}"), (name, value))));
    none_panics(cases, |(name, value)| {
        let (client, clock, service) = connect(Client::builder().api_key("sk-1"), Mood::Good).unwrap();
        let mut request = json!({ "prompt": "a red ball" });
        request[name] = value;
        let made =
            VideoRequest::from_json(request).and_then(|request| clock.run(client.videos().create(request)).unwrap());
        let posts = service.posts.load(Ordering::SeqCst);
        match made {
            Ok(_) => assert_eq!(posts, 1),
            Err(error) => {
                assert!(error.kind() == ErrorKind::InvalidRequest && posts == 0, "{error}");
                assert!(names(&error, name), "the error does not name the field: {error}");
            }
        }
    });
}

#[test]
fn a_policy_that_no_wait_can_have_is_refused_before_anything_is_asked() {
    let (client, clock, service) = connect(Client::builder().api_key("sk-1"), Mood::Good).unwrap();
    let policy = WaitPolicy { interval: Duration::ZERO, ..WaitPolicy::default() };
    let task = client.videos().task("task_1").unwrap();
    let waited = clock.run(task.wait().policy(policy.clone()).into_future()).unwrap();
    let watched = clock.run(task.watch_with(policy).next()).unwrap().unwrap();
    for error in [waited.unwrap_err(), watched.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!((error.record().field.as_deref(), error.task_id()), (Some("poll_interval"), Some("task_1")));
    }
    assert_eq!(service.posts.load(Ordering::SeqCst) + service.polls.load(Ordering::SeqCst), 0);
}
