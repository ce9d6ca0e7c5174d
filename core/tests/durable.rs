//! Durable waits through a client, in virtual time: the same requests at the same times as one wait makes, whatever the
//! service does, though each step is another client's.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

mod clock;

use bytes::Bytes;
use clock::Clock;
use junfeiai::async_compat::BoxFuture;
use junfeiai::protocol::Time;
use junfeiai::transport::{Headers, HttpRequest, HttpResponse, Timer, Transport, TransportError};
use junfeiai::{Advance, Client, ErrorKind, WaitPolicy, WaitState};

/// What the service answers to one poll: status, `Retry-After` in seconds, body, and how long it takes.
type Answer = (u16, Option<u64>, &'static str, Duration);

const RUNNING: &str = r#"{"code":"success","data":{"task_id":"task_1","status":"IN_PROGRESS"}}"#;
const DONE: &str = r#"{"code":"success","data":{"task_id":"task_1","status":"SUCCESS"}}"#;
const FAILED: &str = r#"{"code":"success","data":{"task_id":"task_1","status":"FAILURE","fail_reason":"moderated"}}"#;
const UNKNOWN: &str = r#"{"code":"task_not_exist","message":"task_not_exist","data":null}"#;
const BUSY: &str = r#"{"error":{"message":"too fast","type":"new_api_error","code":""}}"#;
const NO_KEY: &str = r#"{"error":{"message":"Invalid token","type":"new_api_error","code":""}}"#;

#[derive(Clone)]
struct Service {
    clock: Clock,
    answers: Arc<Vec<Answer>>,
    /// When each poll came.
    polls: Arc<Mutex<Vec<Duration>>>,
}

impl Transport for Service {
    fn send(&self, _: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let mut polls = self.polls.lock().unwrap();
        let (status, retry_after, body, took) = self.answers[polls.len() % self.answers.len()];
        polls.push(self.clock.now().since(Time::default()));
        let pause = self.clock.sleep(took);
        Box::pin(async move {
            pause.await;
            let mut headers = vec![("content-type", "application/json".to_owned())];
            headers.extend(retry_after.map(|seconds| ("retry-after", seconds.to_string())));
            let body = futures_util::stream::iter([Ok(Bytes::from_static(body.as_bytes()))]);
            Ok(HttpResponse { status, headers: Headers::from_iter(headers), body: Box::pin(body) })
        })
    }
}

/// A clock whose jitter is the same each time.
#[derive(Clone)]
struct Seeded(Clock, u64);

impl Timer for Seeded {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }

    fn unix_now(&self) -> Option<u64> {
        self.0.unix_now()
    }

    fn unix_time(&self) -> Option<Duration> {
        self.0.unix_time()
    }

    fn seed(&self) -> u64 {
        self.1
    }
}

fn service(answers: &[Answer]) -> Service {
    Service { clock: Clock::default(), answers: Arc::new(answers.to_vec()), polls: Arc::default() }
}

fn client(service: &Service, seed: u64) -> Client {
    let builder = Client::builder().api_key("sk-1").transport(Arc::new(service.clone()));
    // The budget after a 429 is that of one client: a wait by steps of several has none of the others'.
    builder.request_rate(1e6, 1000).timer(Arc::new(Seeded(service.clock.clone(), seed))).build().unwrap()
}

/// When it polled, and how it ended.
type Course = (Vec<Duration>, Result<String, String>);

fn in_one_go(answers: &[Answer], timeout: Duration, seed: u64) -> Course {
    let service = service(answers);
    let client = client(&service, seed);
    let wait = client.videos().task("task_1").unwrap().wait().timeout(timeout);
    let ended = service.clock.run(async { wait.await }).expect("it waits for ever");
    let polls = service.polls.lock().unwrap().clone();
    (polls, ended.map(|video| format!("{:?}", video.url())).map_err(|error| error.to_json().to_string()))
}

fn by_steps(answers: &[Answer], timeout: Duration, seed: u64, fresh: bool) -> Course {
    let service = service(answers);
    let mut client_of_step = client(&service, seed);
    let policy = WaitPolicy { timeout: Some(timeout), ..client_of_step.wait_policy().clone() };
    let mut kept = client_of_step.videos().task("task_1").unwrap().wait_state_with(policy).unwrap().to_string();
    for _ in 0..2000 {
        let state: WaitState = kept.parse().unwrap();
        let before = service.polls.lock().unwrap().len();
        let step = service.clock.run(client_of_step.videos().advance(state)).expect("a step hangs");
        let polls = service.polls.lock().unwrap().clone();
        assert!(polls.len() <= before + 1, "more than one poll in a step");
        match step {
            Ok(Advance::Done(video)) => return (polls, Ok(format!("{:?}", video.url()))),
            Ok(Advance::Later { state, retry_after }) => {
                assert!(retry_after > Duration::ZERO);
                kept = state.to_string();
                service.clock.advance(retry_after);
            }
            Err(error) => return (polls, Err(error.to_json().to_string())),
        }
        if fresh {
            // Another process.
            client_of_step = client(&service, seed);
        }
    }
    panic!("it does not end: {kept}");
}

#[test]
fn by_steps_of_any_client_it_polls_and_ends_as_one_wait_does() {
    let seed = std::env::var("JUNFEIAI_SEED").map_or_else(|_| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap());
    println!("repeat with JUNFEIAI_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut ends = std::collections::BTreeSet::new();
    let mut round = 0;
    // Some ends are rare; numbers of another size are other random numbers.
    while round < 400 || (ends.len() < 6 && round < 8000) {
        round += 1;
        // A pause that the server asks for beyond the deadline is known to the client that was asked: it leaves out the last poll.
        let fresh = round % 2 == 0;
        let count = random.usize(1..25);
        let answers: Vec<Answer> = (0..count)
            .map(|_| {
                let took = Duration::from_millis(random.u64(0..20_000));
                match random.u32(0..60) {
                    0..30 => (200, None, RUNNING, took),
                    30..36 => (502, None, "<html></html>", took),
                    36..42 => (429, Some(random.u64(0..120)).filter(|_| !fresh), BUSY, took),
                    42..45 => (429, None, BUSY, took),
                    45..50 => (400, None, UNKNOWN, took),
                    50..56 => (200, None, DONE, took),
                    56..58 => (200, None, FAILED, took),
                    _ => (401, None, NO_KEY, took),
                }
            })
            .collect();
        let timeout = Duration::from_millis(random.u64(1..900_000));
        let seed = random.u64(..);
        let whole = in_one_go(&answers, timeout, seed);
        assert_eq!(whole, by_steps(&answers, timeout, seed, fresh), "{round}: {answers:?} {timeout:?}");
        let kind = |text: &String| serde_json::from_str::<serde_json::Value>(text).unwrap()["kind"].to_string();
        ends.insert(whole.1.as_ref().map_or_else(kind, |_| "a video".to_owned()));
    }
    assert_eq!(ends.len(), 6, "not every end was met: {ends:?}");
}

#[test]
fn a_pause_of_the_server_is_kept_by_the_clients_own_schedule_and_not_slept_in_a_step() {
    let service = service(&[(429, Some(600), BUSY, Duration::ZERO), (200, None, RUNNING, Duration::ZERO)]);
    let client = client(&service, 1);
    let first = client.videos().task("task_1").unwrap().wait_state().unwrap();
    let other = client.videos().task("task_2").unwrap().wait_state().unwrap();
    let later = |state| match service.clock.run(client.videos().advance(state)).expect("it hangs").unwrap() {
        Advance::Later { state, retry_after } => (state, retry_after),
        Advance::Done(_) => panic!("done"),
    };
    let (_, pause) = later(first);
    assert!(pause >= Duration::from_secs(600) && pause <= Duration::from_secs(606), "{pause:?}");
    // Another task of the same client: nothing is sent before the pause has passed.
    let began = service.clock.now();
    let (state, pause) = later(other);
    assert_eq!((pause, service.clock.now().since(began)), (Duration::from_secs(600), Duration::ZERO));
    assert_eq!((service.polls.lock().unwrap().len(), state.polls()), (1, 0));
    service.clock.advance(pause);
    assert_eq!(later(state).0.polls(), 1);
}

#[test]
fn a_step_behind_the_deadline_polls_once_more_and_ends() {
    for (answers, kind) in [
        ([(200, None, DONE, Duration::ZERO)], None),
        ([(200, None, RUNNING, Duration::ZERO)], Some(ErrorKind::WaitTimeout)),
    ] {
        let service = service(&answers);
        let client = client(&service, 1);
        let state = client.videos().task("task_1").unwrap().wait_state().unwrap();
        service.clock.advance(Duration::from_secs(86_400));
        let ended = service.clock.run(client.videos().advance(state)).unwrap();
        assert_eq!(ended.as_ref().err().map(junfeiai::Error::kind), kind);
        if let Err(error) = ended {
            assert_eq!(error.task_id(), Some("task_1"));
        }
        assert_eq!(service.polls.lock().unwrap().len(), 1);
    }
}

/// The last poll is made at the deadline, and left out when the one before it was only just made. Either way the wait is over then.
#[test]
fn at_the_very_instant_of_the_deadline_it_times_out() {
    let second = Duration::from_secs(1);
    for (first, polls) in [(Duration::ZERO, 2), (second * 4, 1)] {
        for fresh in [false, true] {
            let service = service(&[(200, None, RUNNING, Duration::ZERO)]);
            let of_first = client(&service, 1);
            let policy = WaitPolicy { timeout: Some(second * 7), ..of_first.wait_policy().clone() };
            let state = of_first.videos().task("task_1").unwrap().wait_state_with(policy).unwrap();
            service.clock.advance(first);
            let step = service.clock.run(of_first.videos().advance(state)).expect("it hangs").unwrap();
            let Advance::Later { state, retry_after } = step else { panic!("done") };
            assert_eq!(first + retry_after, second * 7);
            service.clock.advance(retry_after);
            let of_last = if fresh { client(&service, 2) } else { of_first };
            let error = service.clock.run(of_last.videos().advance(state)).expect("it hangs").unwrap_err();
            assert_eq!((error.kind(), error.task_id()), (ErrorKind::WaitTimeout, Some("task_1")), "{error}");
            assert_eq!(service.polls.lock().unwrap().len(), polls);
        }
    }
}

#[test]
fn a_clock_without_the_time_of_day_is_refused_and_named() {
    struct Dateless(Clock);
    impl Timer for Dateless {
        fn now(&self) -> Time {
            self.0.now()
        }
        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            self.0.sleep(duration)
        }
        fn unix_now(&self) -> Option<u64> {
            None
        }
        fn seed(&self) -> u64 {
            1
        }
    }
    let service = service(&[(200, None, DONE, Duration::ZERO)]);
    let builder = Client::builder().api_key("sk-1").transport(Arc::new(service.clone()));
    let client = builder.timer(Arc::new(Dateless(service.clock))).build().unwrap();
    let error = client.videos().task("task_1").unwrap().wait_state().unwrap_err();
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::Config, Some("task_1")));
    assert!(error.to_string().contains("Timer"), "{error}");
}
