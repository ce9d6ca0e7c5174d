//! Two entries over real HTTP, of which one is down, slow, or breaks off.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use junfeiai::async_compat::BoxFuture;
use junfeiai::platform::native::{HttpOptions, NativeTransport, TokioTimer};
use junfeiai::protocol::{DownloadPolicy, RetryPolicy, Time};
use junfeiai::transport::{Failure, HttpRequest, HttpResponse, Timer, Transport, TransportError};
use junfeiai::{Client, ClientBuilder, CreateTracker, ErrorKind, TaskStatus, VideoRequest};
use junfeiai_emulator::{Emulator, KeySeen, RecordedRequest, TaskSpec};

fn emulator() -> Emulator {
    Emulator::builder().api_key("sk-test").time_scale(600.0).second_host(true).start().unwrap()
}

fn builder<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> ClientBuilder {
    let retry = RetryPolicy { base: Duration::from_millis(50), ..RetryPolicy::default() };
    Client::builder()
        .api_key("sk-test")
        .endpoints(endpoints)
        .poll_interval(Duration::from_millis(20))
        .retry(retry)
        .proxy("")
}

/// A base URL where nothing listens. The port stays taken, so that nobody else comes to listen there.
fn refused() -> String {
    let taken = Box::leak(Box::new(tokio::net::TcpSocket::new_v4().unwrap()));
    taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    format!("http://{}/v1", taken.local_addr().unwrap())
}

/// No pause may come before the other entry is tried: a call that makes one does not end in time.
fn builder_without_time_for_a_pause<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> ClientBuilder {
    let hour = Duration::from_secs(3600);
    builder(endpoints).retry(RetryPolicy { base: hour, cap: hour, ..RetryPolicy::default() })
}

/// A listener whose queue is full, so that a connection to it is neither made nor refused.
struct Blackhole {
    address: SocketAddr,
    _listener: tokio::net::TcpListener,
    _fill: Vec<tokio::net::TcpStream>,
}

impl Blackhole {
    async fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        // The system itself takes them, and does nothing for the one that has no place any more.
        let mut fill = Vec::new();
        let next = || tokio::time::timeout(Duration::from_secs(1), tokio::net::TcpStream::connect(address));
        while let Ok(taken) = next().await {
            fill.push(taken.unwrap());
        }
        Self { address, _listener: listener, _fill: fill }
    }

    fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }
}

/// Polls it once.
async fn looked_at<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

fn posts(requests: &[RecordedRequest]) -> usize {
    requests.iter().filter(|request| request.method == "POST").count()
}

/// The whole job with a first entry that cannot be reached; how long the create took.
async fn job_past(first: String, connect_timeout: Duration) -> Duration {
    let emulator = emulator();
    let client = builder_without_time_for_a_pause([first, emulator.base_url()]);
    let client = client.connect_timeout(connect_timeout).build().unwrap();
    assert_ne!(client.endpoint().to_string(), emulator.base_url());
    let begun = Instant::now();
    let task = client.videos().create(VideoRequest::new("a red ball").seconds(6)).await.unwrap();
    let took = begun.elapsed();
    assert_eq!(client.endpoint().to_string(), emulator.base_url(), "the choice is kept");
    let video = task.wait().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let summary = video.save(folder.path().join("ball.mp4")).await.unwrap();
    assert_eq!(std::fs::read(summary.path).unwrap(), emulator.video_bytes(task.id()).unwrap());
    assert_eq!((emulator.created_tasks(), posts(&emulator.requests())), (1, 1));
    assert!(emulator.requests().iter().all(|request| request.key == KeySeen::Valid));
    took
}

#[tokio::test]
async fn the_first_entry_refuses_connections() {
    job_past(refused(), Duration::from_secs(10)).await;
}

#[tokio::test]
async fn the_first_entry_has_no_address() {
    let emulator = emulator();
    let entries = ["https://nonexistent.invalid/v1".to_owned(), emulator.base_url()];
    let client = builder_without_time_for_a_pause(entries).build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    task.refresh().await.unwrap();
    assert_eq!((posts(&emulator.requests()), emulator.requests().len()), (1, 2));
}

#[tokio::test]
async fn the_first_entry_cannot_be_connected_to_in_time() {
    let hole = Blackhole::new().await;
    let took = job_past(hole.base_url(), Duration::from_millis(300)).await;
    // Without a limit the system would try for two minutes.
    assert!(took >= Duration::from_millis(280) && took < Duration::from_secs(60), "{took:?}");
}

#[tokio::test]
async fn connecting_is_capped_where_there_is_another_entry() {
    let hole = Blackhole::new().await;
    let took = job_past(hole.base_url(), Duration::from_secs(600)).await;
    // At 5 s; without the cap it would be given up after ten minutes, and the system's own limit is two.
    assert!(took > Duration::from_millis(4_500) && took < Duration::from_secs(60), "{took:?}");
}

/// After anything that may have been sent there is no second POST, neither here nor there.
#[tokio::test]
async fn a_create_that_may_have_been_sent_is_not_sent_to_the_other_entry() {
    for (fault, tasks) in [
        (r#"{"kind":"reset_after_accept"}"#, 1),
        (r#"{"kind":"drop_after_accept"}"#, 1),
        (r#"{"kind":"drop_before_accept","rst":true}"#, 0),
        (r#"{"kind":"hang","act":true}"#, 1),
        (r#"{"kind":"html","status":502,"act":true}"#, 1),
        (r#"{"kind":"garbage"}"#, 1),
        (r#"{"kind":"no_id"}"#, 1),
    ] {
        let (first, second) = (emulator(), emulator());
        first.set_scenario_json(&format!(r#"{{"rules":[{{"match":{{"op":"create"}},"fault":{fault}}}]}}"#)).unwrap();
        // Only one of them hangs until its time is up.
        let client = builder([first.base_url(), second.base_url()]).create_timeout(Duration::from_secs(5));
        let client = client.build().unwrap();
        let error = client.videos().create("a red ball").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown, "{fault}: {error}");
        assert!(error.maybe_executed(), "{fault}");
        let sent = (posts(&first.requests()), posts(&second.requests()));
        assert_eq!(sent, (1, 0), "{fault}: exactly one POST in all");
        assert_eq!((first.created_tasks(), second.created_tasks()), (tasks, 0), "{fault}");
        assert_eq!(client.endpoint().to_string(), first.base_url(), "{fault}: it took the connection");
    }
}

/// The rule holds at the second entry as well, after the first could not be reached.
#[tokio::test]
async fn one_post_in_all_past_an_entry_that_is_down() {
    let (second, third) = (emulator(), emulator());
    let fault = r#"{"rules":[{"match":{"op":"create"},"fault":{"kind":"reset_after_accept"}}]}"#;
    second.set_scenario_json(fault).unwrap();
    let client = builder([refused(), second.base_url(), third.base_url()]).build().unwrap();
    let error = client.videos().create("a red ball").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown, "{error}");
    assert_eq!((posts(&second.requests()), posts(&third.requests())), (1, 0));
}

/// What the first entry answers is the answer, whatever the other would say.
#[tokio::test]
async fn an_answer_is_not_taken_to_the_other_entry() {
    let (first, second) = (emulator(), emulator());
    let fault =
        r#"{"rules":[{"match":{"op":"create"},"fault":{"kind":"error_shape","shape":"insufficient_user_quota"}}]}"#;
    first.set_scenario_json(fault).unwrap();
    let client = builder([first.base_url(), second.base_url()]).build().unwrap();
    assert_eq!(client.videos().create("a red ball").await.unwrap_err().kind(), ErrorKind::InsufficientBalance);
    let id = second.add_task(TaskSpec::default());
    assert_eq!(client.videos().get(&id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn no_entry_can_be_reached() {
    let (first, second) = (refused(), refused());
    let retry = RetryPolicy { base: Duration::from_millis(20), max_attempts: 3, ..RetryPolicy::default() };
    let client = builder([&first, &second]).retry(retry).build().unwrap();
    let error = client.videos().create("a red ball").await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::Connect, false));
    assert_eq!(error.record().attempts, 3, "rounds through all entries, with pauses between them");
    for entry in [&first, &second] {
        let origin = entry.trim_end_matches("/v1");
        assert!(error.to_string().contains(origin), "{origin} is named: {error}");
    }
    assert_eq!(client.endpoint().to_string(), first);
}

#[tokio::test]
async fn the_key_goes_to_listed_entries_only() {
    let (first, second, foreign) = (emulator(), emulator(), emulator());
    // The first entry sends queries elsewhere; the task of the second says that its video is elsewhere.
    let elsewhere = format!(r#"{{"kind":"redirect","location":"{}{{path}}"}}"#, foreign.origin());
    first.set_scenario_json(&format!(r#"{{"rules":[{{"fault":{elsewhere}}}]}}"#)).unwrap();
    let client = builder([first.base_url(), second.base_url()]).build().unwrap();
    let error = client.videos().get("task_1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UntrustedHost, "{error}");
    let template = format!("{}/v1/videos/{{id}}/content", foreign.origin());
    second.set_scenario_json(&format!(r#"{{"task":{{"result_url":"{template}"}}}}"#)).unwrap();
    let client = builder([refused(), second.base_url()]).build().unwrap();
    let video = client.videos().generate("a red ball").await.unwrap();
    assert_eq!(video.bytes().await.unwrap().len(), second.video_bytes(video.task_id().unwrap()).unwrap().len());
    let seen = foreign.requests();
    assert!(!seen.is_empty(), "the video was asked for there");
    assert!(seen.iter().all(|request| request.key == KeySeen::None), "{seen:?}");
}

/// A transport with a switch: no connection is made to the port that is off.
struct Switch {
    inner: NativeTransport,
    off: AtomicU16,
    asked: AtomicU64,
}

impl Switch {
    fn new() -> Arc<Self> {
        let options =
            HttpOptions { connect_timeout: Duration::from_secs(5), proxy: Some(String::new()), ca_file: None };
        Arc::new(Self {
            inner: NativeTransport::new(options).unwrap(),
            off: AtomicU16::new(0),
            asked: AtomicU64::new(0),
        })
    }
}

impl Transport for Switch {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        if request.url.port() == self.off.load(Ordering::SeqCst) {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let error = TransportError::new(Failure::Connect, format!("{}: switched off", request.url.origin()));
            return Box::pin(async move { Err(error) });
        }
        self.inner.send(request)
    }
}

/// A clock that can be put forward.
struct Clock {
    inner: TokioTimer,
    ahead_s: AtomicU64,
    sleeps: AtomicBool,
}

impl Timer for Clock {
    fn now(&self) -> Time {
        self.inner.now() + Duration::from_secs(self.ahead_s.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.sleeps.store(true, Ordering::SeqCst);
        self.inner.sleep(duration)
    }

    fn unix_now(&self) -> Option<u64> {
        self.inner.unix_now()
    }

    fn seed(&self) -> u64 {
        7
    }
}

fn second_base_url(emulator: &Emulator) -> String {
    format!("{}/v1", emulator.second_origin().unwrap())
}

#[tokio::test]
async fn the_choice_is_kept_and_the_preferred_entry_looked_at_again() {
    let emulator = emulator();
    let id = emulator.add_task(TaskSpec::default());
    let (first, second) = (emulator.base_url(), second_base_url(&emulator));
    let switch = Switch::new();
    let clock = Arc::new(Clock { inner: TokioTimer::new(), ahead_s: 0.into(), sleeps: false.into() });
    let client = builder([&first, &second]).transport(switch.clone()).timer(clock.clone()).build().unwrap();
    let asked = || switch.asked.load(Ordering::SeqCst);

    client.videos().get(&id).await.unwrap();
    assert_eq!(client.endpoint().to_string(), first);
    switch.off.store(emulator.port(), Ordering::SeqCst);
    for _ in 0..10 {
        client.videos().get(&id).await.unwrap();
    }
    assert_eq!((client.endpoint().to_string(), asked()), (second.clone(), 1), "asked once, then left alone");

    // Five minutes later it is still down: one look, and the call that looked is answered by the other entry.
    clock.ahead_s.store(301, Ordering::SeqCst);
    for _ in 0..10 {
        client.videos().get(&id).await.unwrap();
    }
    assert_eq!((client.endpoint().to_string(), asked()), (second.clone(), 2));

    // It is back, but the next look comes ten minutes after the last; and a create is not what it is tried with.
    switch.off.store(0, Ordering::SeqCst);
    clock.ahead_s.store(850, Ordering::SeqCst);
    client.videos().get(&id).await.unwrap();
    assert_eq!(client.endpoint().to_string(), second);
    clock.ahead_s.store(1000, Ordering::SeqCst);
    client.videos().create("a red ball").await.unwrap();
    assert_eq!(client.endpoint().to_string(), second);
    client.videos().get(&id).await.unwrap();
    assert_eq!(client.endpoint().to_string(), first);
    assert_eq!(client.endpoints().len(), 2);
}

/// A wait goes on at the other entry, and the video is read there although its address names the first.
#[tokio::test]
async fn the_first_entry_goes_down_in_the_middle() {
    let emulator = emulator();
    let switch = Switch::new();
    let entries = [emulator.base_url(), second_base_url(&emulator)];
    let client = builder_without_time_for_a_pause(entries).transport(switch.clone()).build().unwrap();
    let task = client.videos().create("a red ball").await.unwrap();
    switch.off.store(emulator.port(), Ordering::SeqCst);
    let video = task.wait().await.unwrap();
    assert!(video.url().unwrap().starts_with(&emulator.origin()), "{:?}", video.url());
    let folder = tempfile::tempdir().unwrap();
    let hour = Duration::from_secs(3600);
    let policy = DownloadPolicy { connections: 4, base: hour, cap: hour, ..DownloadPolicy::default() };
    let save = video.save(folder.path().join("ball.mp4")).policy(policy).timeout(Duration::from_secs(60));
    let summary = save.await.unwrap();
    assert_eq!(std::fs::read(summary.path).unwrap(), emulator.video_bytes(task.id()).unwrap());
    assert_eq!(emulator.created_tasks(), 1);
}

#[tokio::test]
async fn a_link_that_is_not_told_is_made_from_the_entry_that_answered() {
    let emulator = emulator();
    emulator.set_scenario_json(r#"{"task":{"result_url":"none"}}"#).unwrap();
    let client = builder([refused(), emulator.base_url()]).build().unwrap();
    let video = client.videos().generate("a red ball").await.unwrap();
    assert!(video.url().unwrap().starts_with(&emulator.base_url()), "{:?}", video.url());
}

#[tokio::test]
async fn a_task_just_created_may_not_be_visible_yet() {
    let emulator = emulator();
    // The next queries do not know the task, more of them than a wait for any other task believes.
    let not_yet = || {
        let fault = r#"{"match":{"op":"query"},"times":6,"fault":{"kind":"error_shape","shape":"task_not_exist"}}"#;
        emulator.set_scenario_json(&format!(r#"{{"rules":[{fault}]}}"#)).unwrap();
        emulator.clear_requests();
    };
    let unseen = || emulator.requests().iter().filter(|request| request.status == Some(400)).count();
    let client = builder([emulator.base_url()]).build().unwrap();

    not_yet();
    let task = client.videos().create("a red ball").await.unwrap();
    let seen = task.refresh().await.unwrap();
    assert_ne!(seen.status(), TaskStatus::Unknown);
    assert_eq!(unseen(), 6);

    // By its id alone, in the same program.
    not_yet();
    let task = client.videos().create("a red ball").await.unwrap();
    client.videos().get(task.id()).await.unwrap();
    assert_eq!(unseen(), 6);

    not_yet();
    let task = client.videos().create("a red ball").await.unwrap();
    task.wait().await.unwrap();
    assert_eq!(unseen(), 6);

    // A task of another program is not given that time.
    not_yet();
    let task = client.videos().create("a red ball").await.unwrap();
    let other = builder([emulator.base_url()]).build().unwrap();
    assert_eq!(other.videos().get(task.id()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(unseen(), 1);
}

#[test]
fn options() {
    let client = builder(["standard", "china", "standard"]).build().unwrap();
    let names: Vec<String> = client.endpoints().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["https://junfeiai.com/v1", "https://junfeiai.hk-proxy.lingzhiwuxian.com/v1"]);
    assert_eq!(builder(["my.alias"]).build().unwrap().endpoint().to_string(), "https://my.alias/v1");
    let none: [&str; 0] = [];
    assert_eq!(builder(none).build().unwrap().endpoint().to_string(), names[0]);
    assert_eq!(builder(["standard", "https://doc.junfeiai.com"]).build().unwrap_err().kind(), ErrorKind::Config);
    // One host that is not this machine: nobody is asked faster than the service allows.
    let slow = builder(["http://127.0.0.1:9", "standard"]).build().unwrap();
    assert_eq!(slow.wait_policy().interval, Duration::from_secs(5));
    let fast = builder(["http://127.0.0.1:9", "http://localhost:8"]).build().unwrap();
    assert_eq!(fast.wait_policy().interval, Duration::from_millis(20));
    // A documented entry anywhere in the list needs a key.
    assert_eq!(
        Client::builder().endpoints(["http://127.0.0.1:9", "china"]).build().unwrap_err().kind(),
        ErrorKind::Config
    );
}

/// Whoever gives up a create while its connection is being made has paid nothing, and its key is free.
#[tokio::test]
async fn a_create_that_never_got_a_connection_was_not_sent() {
    let hole = Blackhole::new().await;
    let folder = tempfile::tempdir().unwrap();
    let client = builder([hole.base_url()]).journal(folder.path().join("j").to_str().unwrap());
    let client = client.build().unwrap();
    let tracker = CreateTracker::new();
    let videos = client.videos().tracked(&tracker);
    let mut create = Box::pin(videos.create(VideoRequest::new("a red ball").key("film")));
    assert!(looked_at(create.as_mut()).await.is_pending());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(looked_at(create.as_mut()).await.is_pending(), "nobody takes the connection");
    assert!(!tracker.maybe_executed());
    drop(create);
    assert!(!tracker.maybe_executed() && client.videos().pending().await.unwrap().is_empty());
    // A limit of its own, too.
    let videos = client.videos().timeout(Duration::from_millis(300));
    let error = videos.create(VideoRequest::new("a red ball").key("film")).await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::Connect, false), "{error}");
    assert!(client.videos().pending().await.unwrap().is_empty());
}

/// The connection is made after the create was stopped: nothing may be written to it.
#[tokio::test]
async fn a_create_that_is_stopped_while_it_connects_does_not_leave() {
    use tokio::io::AsyncReadExt as _;

    let Blackhole { address, _listener: listener, _fill: fill } = Blackhole::new().await;
    let client = builder([format!("http://{address}/v1")]).connect_timeout(Duration::from_secs(60)).build().unwrap();
    let tracker = CreateTracker::new();
    let videos = client.videos().tracked(&tracker);
    let mut create = Box::pin(videos.create("a red ball"));
    assert!(looked_at(create.as_mut()).await.is_pending());
    tracker.stop();
    // Those that filled the queue go, and the create's turn comes.
    let taken = fill.len();
    drop(fill);
    let come = tokio::spawn(async move {
        for _ in 0..taken {
            drop(listener.accept().await.unwrap());
        }
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let _ = connection.read_to_end(&mut bytes).await;
        bytes
    });
    let error = create.await.unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::Cancelled, false), "{error}");
    assert!(!tracker.maybe_executed());
    assert_eq!(String::from_utf8(come.await.unwrap()).unwrap(), "");
}
