//! Clients whose journals are in one store share one request rate, in virtual time.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

mod clock;

use clock::Clock;
use futures_util::future::{Either, join, join_all, select};
use junfeiai::async_compat::BoxFuture;
use junfeiai::store::{MemoryStore, Store, Versioned, unavailable};
use junfeiai::transport::{Headers, HttpRequest, HttpResponse, Timer, Transport, TransportError};
use junfeiai::{Client, ErrorKind, Result, StoreJournal};

/// When each request came, and from which client.
#[derive(Default)]
struct Server {
    came: Mutex<Vec<(Duration, usize)>>,
    refuses: AtomicBool,
    /// For how long it asks to pause then.
    retry_after: Mutex<Option<&'static str>>,
}

struct To {
    server: Arc<Server>,
    client: usize,
    clock: Clock,
}

impl Transport for To {
    fn send(&self, _: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        self.server.came.lock().unwrap().push((now(&self.clock), self.client));
        let refused = self.server.refuses.swap(false, Ordering::Relaxed);
        let (status, text) = if refused {
            (429, r#"{"error":{"message":"slow down","type":"new_api_error","code":""}}"#)
        } else {
            (200, r#"{"code":"success","data":{"task_id":"task_1","status":"IN_PROGRESS"}}"#)
        };
        let body = futures_util::stream::iter([Ok(text.into())]);
        let retry_after = self.server.retry_after.lock().unwrap().filter(|_| refused);
        let headers: Headers = retry_after.map(|text| ("retry-after", text)).into_iter().collect();
        Box::pin(async move { Ok(HttpResponse { status, headers, body: Box::pin(body) }) })
    }
}

/// A store that can be lost.
#[derive(Default)]
struct Fragile {
    store: MemoryStore,
    lost: AtomicBool,
    /// It never answers.
    hangs: AtomicBool,
    /// It takes no write of this row.
    refuses: Mutex<Option<&'static str>>,
}

impl Store for Fragile {
    fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
        if self.hangs.load(Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        if self.lost.load(Ordering::Relaxed) {
            return Box::pin(async { Err(unavailable("the store is gone")) });
        }
        self.store.load(name)
    }

    fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
        if self.lost.load(Ordering::Relaxed) {
            return Box::pin(async { Err(unavailable("the store is gone")) });
        }
        if *self.refuses.lock().unwrap() == Some(name) {
            return Box::pin(async { Ok(None) });
        }
        self.store.swap(name, expected, value)
    }

    fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
        self.store.scan(prefix)
    }
}

fn now(clock: &Clock) -> Duration {
    clock.now().since(junfeiai::protocol::Time::default())
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Runs a future to its end, while time goes on by ten milliseconds whenever everybody waits.
fn run<T>(clock: &Clock, future: impl Future<Output = T>) -> T {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(woken.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        if !woken.0.swap(false, Ordering::SeqCst) {
            clock.advance(Duration::from_millis(10));
        }
    }
}

/// What comes of a future within this time.
async fn within<T>(clock: &Clock, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), clock.sleep(limit)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

struct Fleet {
    server: Arc<Server>,
    store: Arc<Fragile>,
    clients: Vec<Client>,
    clock: Clock,
}

impl Fleet {
    fn new(count: usize, shared: bool) -> Self {
        let (server, store, clock) = (Arc::<Server>::default(), Arc::<Fragile>::default(), Clock::default());
        let client = |client| {
            let transport = To { server: server.clone(), client, clock: clock.clone() };
            let builder = Client::builder().api_key("sk-1").endpoint("https://api.example/v1").request_rate(2.0, 4);
            let builder = builder.transport(Arc::new(transport)).timer(Arc::new(clock.clone())).max_attempts(1);
            let journal = || Arc::new(StoreJournal::new(store.clone()));
            if shared { builder.journal_with(journal()) } else { builder }.build().unwrap()
        };
        let clients = (0..count).map(client).collect();
        Self { server, store, clients, clock }
    }

    /// Every client asks four at a time for so many seconds; gives how many requests each has sent.
    fn ask(&self, seconds: u64) -> Vec<usize> {
        let until = now(&self.clock) + Duration::from_secs(seconds);
        let before = self.server.came.lock().unwrap().len();
        let one = |client: &Client| {
            let videos = client.videos();
            async move {
                loop {
                    let left = until.saturating_sub(now(&self.clock));
                    if left.is_zero() {
                        return;
                    }
                    let _ = within(&self.clock, left, videos.get("task_1")).await;
                }
            }
        };
        run(&self.clock, join_all(self.clients.iter().flat_map(|client| (0..4).map(move |_| one(client)))));
        let came = self.server.came.lock().unwrap();
        let mut counts = vec![0; self.clients.len()];
        came[before..].iter().for_each(|(_, client)| counts[*client] += 1);
        counts
    }

    /// Most requests within ten seconds.
    fn peak(&self) -> usize {
        let came = self.server.came.lock().unwrap();
        let within = |at: usize| {
            let end = came[at].0 + Duration::from_secs(10);
            came[at..].iter().take_while(move |(time, _)| *time < end)
        };
        (0..came.len()).map(|at| within(at).count()).max().unwrap_or_default()
    }
}

#[test]
fn one_four_and_eight_processes_send_no_more_than_one_may() {
    for count in [1, 4, 8] {
        let fleet = Fleet::new(count, true);
        let counts = fleet.ask(120);
        let sum: usize = counts.iter().sum();
        let alone: usize = Fleet::new(count, false).ask(120).iter().sum();
        let rate = |count: usize| count as f64 / 120.0;
        println!("{count} processes: {:.2} requests a second, without a store {:.2}", rate(sum), rate(alone));
        assert!((216..=246).contains(&sum), "{count} processes sent {sum} requests in 120 s: {counts:?}");
        assert!(fleet.peak() <= 22, "{} requests within 10 s", fleet.peak());
        assert!(counts.iter().all(|sent| *sent * count * 2 >= sum), "one was starved: {counts:?}");
        assert!(alone >= count * 200, "the comparison has no store: {alone}");
    }
}

#[test]
fn a_429_to_one_slows_all() {
    let fleet = Fleet::new(4, true);
    fleet.ask(30);
    fleet.server.refuses.store(true, Ordering::Relaxed);
    fleet.ask(2);
    let slowed: usize = fleet.ask(20).iter().sum();
    assert!(slowed <= 30, "{slowed} requests in 20 s, half of 40 are allowed and a recovery");
    assert!(slowed >= 10, "{slowed}: nobody stands still");
}

#[test]
fn without_the_store_each_process_takes_its_share() {
    let fleet = Fleet::new(4, true);
    fleet.ask(30);
    fleet.store.lost.store(true, Ordering::Relaxed);
    let sum: usize = fleet.ask(60).iter().sum();
    assert!((60..=132).contains(&sum), "{sum} requests in 60 s without the store");
    fleet.store.lost.store(false, Ordering::Relaxed);
    let sum: usize = fleet.ask(60).iter().sum();
    assert!((100..=150).contains(&sum), "{sum} requests in 60 s after it came back");
}

#[test]
fn who_gives_up_waiting_holds_up_nobody() {
    let fleet = Fleet::new(1, true);
    let videos = fleet.clients[0].videos();
    fleet.ask(3);
    // Those in front are dropped while the store is asked and while they wait.
    for milliseconds in [0, 1, 100, 400] {
        let limit = Duration::from_millis(milliseconds);
        let gives_up = (0..5).map(|_| within(&fleet.clock, limit, videos.get("task_1")));
        let stays = within(&fleet.clock, Duration::from_secs(20), videos.get("task_1"));
        let (_, stays) = run(&fleet.clock, join(join_all(gives_up), stays));
        stays.expect("it waits for those that are gone").unwrap();
    }
}

/// A stream whose reader is busy with something else waits, and polls nothing.
#[test]
fn who_is_not_polled_holds_up_nobody() {
    let fleet = Fleet::new(1, true);
    let videos = fleet.clients[0].videos();
    run(&fleet.clock, videos.get("task_1")).unwrap();
    let mut first = Box::pin(videos.get("task_1"));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let second = within(&fleet.clock, Duration::from_secs(20), videos.get("task_1"));
    run(&fleet.clock, second).expect("it goes before the first").unwrap();
    run(&fleet.clock, first).unwrap();
}

/// Nobody waits in silence for as long as another was told to.
#[test]
fn a_long_pause_that_one_process_was_asked_for_is_said_to_the_others_at_once() {
    let fleet = Fleet::new(2, true);
    let (one, other) = (fleet.clients[0].videos(), fleet.clients[1].videos());
    // Both know the rate; of the two requests of the first the second writes the pause down.
    run(&fleet.clock, join(one.get("task_1"), other.get("task_1"))).1.unwrap();
    *fleet.server.retry_after.lock().unwrap() = Some("1200");
    fleet.server.refuses.store(true, Ordering::Relaxed);
    let (first, second) = run(&fleet.clock, join(one.get("task_1"), one.get("task_1")));
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    }
    let begun = now(&fleet.clock);
    let sent = fleet.server.came.lock().unwrap().len();
    let errors = [
        run(&fleet.clock, other.get("task_1")).unwrap_err(),
        run(&fleet.clock, other.create("a red ball")).unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::RateLimited, false), "{error}");
        assert!(error.to_string().contains("nothing was sent"), "{error}");
        assert!(error.retry_after().is_some_and(|left| left > Duration::from_secs(1100)), "{error}");
    }
    assert!(now(&fleet.clock) < begun + Duration::from_secs(10));
    // A create request that never had its turn is nothing to settle.
    assert!(run(&fleet.clock, other.pending()).unwrap().is_empty());
    assert!(run(&fleet.clock, fleet.store.scan("c/")).unwrap().is_empty());
    // A wait ends at its own deadline.
    let wait = other.task("task_1").unwrap().wait().timeout(Duration::from_secs(60));
    let error = run(&fleet.clock, wait.into_future()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WaitTimeout, "{error}");
    let waited = now(&fleet.clock).saturating_sub(begun);
    assert!((60..80).contains(&waited.as_secs()), "{waited:?}");
    assert_eq!(fleet.server.came.lock().unwrap().len(), sent, "nothing was sent");
}

/// Who was answered so has nothing more to send.
#[test]
fn a_429_to_the_only_request_of_a_process_is_said_to_the_others_at_once() {
    let fleet = Fleet::new(2, true);
    let (one, other) = (fleet.clients[0].videos(), fleet.clients[1].videos());
    run(&fleet.clock, join(one.get("task_1"), other.get("task_1"))).1.unwrap();
    *fleet.server.retry_after.lock().unwrap() = Some("1200");
    fleet.server.refuses.store(true, Ordering::Relaxed);
    let begun = now(&fleet.clock);
    let error = run(&fleet.clock, one.get("task_1")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    assert!(now(&fleet.clock) < begun + Duration::from_secs(5), "it is not held up by that");
    let sent = fleet.server.came.lock().unwrap().len();
    let error = run(&fleet.clock, other.get("task_1")).unwrap_err();
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    assert_eq!(fleet.server.came.lock().unwrap().len(), sent, "nothing was sent");
}

/// The time of the row stands still while nobody sends. Those who come back together must not move it on one after the other.
#[test]
fn after_a_pause_of_all_no_more_leave_than_may() {
    let fleet = Fleet::new(8, true);
    let all = || {
        join_all(fleet.clients.iter().map(|client| {
            let videos = client.videos();
            async move { videos.get("task_1").await }
        }))
    };
    for got in run(&fleet.clock, all()) {
        got.unwrap();
    }
    fleet.clock.advance(Duration::from_secs(60));
    let before = fleet.server.came.lock().unwrap().len();
    for got in run(&fleet.clock, all()) {
        got.unwrap();
    }
    let came = fleet.server.came.lock().unwrap();
    let took = came.last().unwrap().0.saturating_sub(came[before].0);
    assert!(took >= Duration::from_millis(3_400), "8 requests at 2 a second left within {took:?}");
}

/// Such are jobs of cron and functions in a cloud.
#[test]
fn time_passes_between_processes_that_send_one_request_each() {
    let fleet = Fleet::new(100, true);
    for client in &fleet.clients {
        let videos = client.videos();
        let begun = now(&fleet.clock);
        run(&fleet.clock, videos.get("task_1")).unwrap();
        let waited = now(&fleet.clock).saturating_sub(begun);
        assert!(waited < Duration::from_secs(1), "{waited:?}");
        fleet.clock.advance(Duration::from_secs(10));
    }
}

/// One process after a long pause: the pause is over for its second request, too.
#[test]
fn a_long_pause_of_the_server_is_kept_once() {
    let fleet = Fleet::new(1, true);
    let videos = fleet.clients[0].videos();
    *fleet.server.retry_after.lock().unwrap() = Some("1200");
    fleet.server.refuses.store(true, Ordering::Relaxed);
    run(&fleet.clock, videos.get("task_1")).unwrap_err();
    fleet.clock.advance(Duration::from_secs(1_200));
    for _ in 0..5 {
        run(&fleet.clock, videos.get("task_1")).unwrap();
        fleet.clock.advance(Duration::from_secs(10));
    }
}

/// Such a store says each time that another was faster. Nobody waits for it without an end.
#[test]
fn a_store_that_takes_no_write_holds_up_nobody() {
    let fleet = Fleet::new(1, true);
    *fleet.store.refuses.lock().unwrap() = Some("budget");
    let videos = fleet.clients[0].videos();
    for _ in 0..3 {
        let got = within(&fleet.clock, Duration::from_secs(20), videos.get("task_1"));
        run(&fleet.clock, got).expect("it does without the store").unwrap();
    }
}

/// A custom store whose connection has silently died, for example.
#[test]
fn a_store_that_never_answers_holds_up_nobody() {
    let fleet = Fleet::new(1, true);
    let videos = fleet.clients[0].videos();
    run(&fleet.clock, videos.get("task_1")).unwrap();
    fleet.store.hangs.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        run(&fleet.clock, videos.get("task_1")).expect("it does without the store");
    }
}
