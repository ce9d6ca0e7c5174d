//! Many creates at once, in virtual time: how many requests leave, and whether the errors say truthfully which have.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

mod clock;

use bytes::Bytes;
use clock::Clock;
use futures_util::StreamExt as _;
use junfeiai::WaitPolicy;
use junfeiai::async_compat::BoxFuture;
use junfeiai::journal::{Entry, Event, Journal, Record};
use junfeiai::transport::{Failure, Headers, HttpRequest, HttpResponse, Method, Timer as _, Transport, TransportError};
use junfeiai::{
    CancelToken, Client, CreateTracker, Error, ErrorKind, FileJournal, Pending, Result, Task, VideoRequest,
};

/// What the server does with a create.
#[derive(Clone)]
enum ApiResponse {
    /// Never answers.
    None,
    /// Makes a task with the number of the request in its id.
    Task,
    /// Answers so.
    Status(u16, &'static str, Headers),
    /// Begins to answer so, and stands still.
    Stalled(u16, &'static str),
    /// Makes a task; the answer lies in the socket, and takes a turn of the loop from there to the call.
    Lying,
    /// No connection.
    Refused,
    /// No connection, which is found out after a minute.
    RefusedLate(Clock),
}

#[derive(Clone)]
struct Server {
    answer: Arc<Mutex<ApiResponse>>,
    posts: Arc<AtomicUsize>,
    connects: Arc<AtomicUsize>,
}

impl Server {
    fn new(answer: ApiResponse) -> Self {
        Self { answer: Arc::new(Mutex::new(answer)), posts: Arc::default(), connects: Arc::default() }
    }

    fn posts(&self) -> usize {
        self.posts.load(Ordering::SeqCst)
    }

    fn answers(&self, answer: ApiResponse) {
        *self.answer.lock().unwrap() = answer;
    }
}

/// A body of one piece, after which it ends or stands still.
struct Body(Option<Bytes>, bool);

impl futures_util::Stream for Body {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.take() {
            None if self.1 => Poll::Pending,
            piece => Poll::Ready(piece.map(Ok)),
        }
    }
}

impl Transport for Server {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let server = self.clone();
        Box::pin(async move {
            let answer = server.answer.lock().unwrap().clone();
            let respond = |status, headers, body: String| {
                Ok(HttpResponse { status, headers, body: Box::pin(Body(Some(body.into()), false)) })
            };
            if request.method == Method::Get {
                return respond(200, Headers::new(), r#"{"code":"success","data":{"status":"QUEUED"}}"#.into());
            }
            if let ApiResponse::RefusedLate(time) = &answer {
                time.sleep(Duration::from_secs(60)).await;
            }
            if let ApiResponse::Refused | ApiResponse::RefusedLate(_) = answer {
                server.connects.fetch_add(1, Ordering::SeqCst);
                return Err(TransportError::new(Failure::Connect, "refused"));
            }
            let number = server.posts.fetch_add(1, Ordering::SeqCst);
            match answer {
                ApiResponse::Status(status, body, headers) => respond(status, headers, body.to_owned()),
                ApiResponse::Task => respond(200, Headers::new(), format!(r#"{{"task_id":"task_{number}"}}"#)),
                ApiResponse::Stalled(status, text) => {
                    let body = Box::pin(Body(Some(text.into()), true));
                    Ok(HttpResponse { status, headers: Headers::new(), body })
                }
                ApiResponse::Lying => {
                    let mut turns = 0;
                    std::future::poll_fn(|cx| {
                        turns += 1;
                        // At the first turn nothing has come yet; at the second the loop sees it.
                        if turns == 2 {
                            cx.waker().wake_by_ref();
                        }
                        if turns < 3 { Poll::Pending } else { Poll::Ready(()) }
                    })
                    .await;
                    respond(200, Headers::new(), format!(r#"{{"task_id":"task_{number}"}}"#))
                }
                _ => std::future::pending().await,
            }
        })
    }
}

fn client(server: &Server, time: &Clock) -> Client {
    Client::builder()
        .api_key("sk-test")
        .endpoint("http://127.0.0.1:1")
        .transport(Arc::new(server.clone()))
        .timer(Arc::new(time.clone()))
        .build()
        .unwrap()
}

type Create = Pin<Box<dyn Future<Output = Result<Task>>>>;

/// Polls each of them once; those that end give their results.
fn poll_all(creates: &mut BTreeMap<usize, Create>) -> Vec<(usize, Result<Task>)> {
    let mut cx = Context::from_waker(Waker::noop());
    let mut ended = Vec::new();
    for (number, create) in &mut *creates {
        if let Poll::Ready(result) = create.as_mut().poll(&mut cx) {
            ended.push((*number, result));
        }
    }
    for (number, _) in &ended {
        creates.remove(number);
    }
    ended
}

fn kinds(ended: &[(usize, Result<Task>)]) -> Vec<(ErrorKind, bool)> {
    ended.iter().map(|(_, result)| result.as_ref().unwrap_err()).map(|e| (e.kind(), e.maybe_executed())).collect()
}

/// Of a create and of a query: in place of the client's timeout, and with its meaning.
#[test]
fn a_call_has_a_timeout_of_its_own() {
    let (server, time) = (Server::new(ApiResponse::None), Clock::default());
    let client = client(&server, &time);
    let within = |limit| client.videos().timeout(limit);
    let refused = [
        time.run(within(Duration::ZERO).create("a red ball")).unwrap().unwrap_err(),
        time.run(within(Duration::ZERO).generate("a red ball").into_future()).unwrap().unwrap_err(),
        time.run(within(Duration::ZERO).get("task_1")).unwrap().unwrap_err(),
    ];
    for error in &refused {
        assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::InvalidRequest, Some("timeout")));
    }
    assert_eq!(refused.map(|error| error.task_id().map(str::to_owned)), [None, None, Some("task_1".to_owned())]);
    assert_eq!(server.posts(), 0);
    for limit in [Duration::from_secs(2), Duration::from_secs(600)] {
        let begun = time.now();
        let error = time.run(within(limit).create("a red ball")).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::CreateOutcomeUnknown, true));
        assert_eq!(time.now().since(begun), limit);
    }
    assert_eq!(server.posts(), 2);
    server.answers(ApiResponse::Task);
    let task = time.run(within(Duration::from_secs(2)).create("a red ball")).unwrap().unwrap();
    assert_eq!(time.run(within(Duration::from_secs(2)).get(task.id())).unwrap().unwrap().id(), task.id());
}

/// The head has come and a part of the body, and neither more of it nor its end.
#[test]
fn an_answer_that_stands_still_is_read_as_far_as_it_came() {
    let (server, time) = (Server::new(ApiResponse::None), Clock::default());
    let client = client(&server, &time);
    server.answers(ApiResponse::Stalled(200, r#"{"task_id":"task_whole"}"#));
    assert_eq!(time.run(client.videos().create("a red ball")).unwrap().unwrap().id(), "task_whole");
    for (status, text, kind, id, maybe_executed) in [
        (200, r#"{"task_id":"task_cut","status":"que"#, ErrorKind::CreateOutcomeUnknown, Some("task_cut"), true),
        (200, "", ErrorKind::CreateOutcomeUnknown, None, true),
        (504, "", ErrorKind::CreateOutcomeUnknown, None, true),
        (401, "", ErrorKind::Authentication, None, false),
        (400, r#"{"error":{"message":"no"#, ErrorKind::BadRequest, None, false),
    ] {
        server.answers(ApiResponse::Stalled(status, text));
        let tracker = CreateTracker::new();
        let error = time.run(client.videos().tracked(&tracker).create("a red ball")).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.task_id(), error.status()), (kind, id, Some(status)), "{error}");
        assert_eq!(
            (error.maybe_executed(), tracker.maybe_executed()),
            (maybe_executed, maybe_executed && id.is_none())
        );
    }
    assert_eq!(server.posts(), 6);
    // A limit is one although its body does not come: refused, and sent again.
    server.answers(ApiResponse::Stalled(429, ""));
    let error = time.run(client.videos().create("a red ball")).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::RateLimited, false));
}

/// A program that does something else for longer than the timeout, or is stopped, and then looks at the call again.
#[test]
fn an_answer_that_came_while_nobody_looked_counts() {
    let (server, time) = (Server::new(ApiResponse::Lying), Clock::default());
    let client = client(&server, &time);
    let mut create = Box::pin(async move { client.videos().create("a red ball").await });
    assert!(create.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    time.advance(Duration::from_secs(3600));
    assert_eq!(time.run(create).unwrap().unwrap().id(), "task_0");
    assert_eq!(server.posts(), 1);
}

/// The first endpoint takes its time to say that it cannot be reached.
#[test]
fn no_create_goes_to_the_next_endpoint_when_it_was_stopped_meanwhile() {
    for closes in [true, false] {
        let time = Clock::default();
        let server = Server::new(ApiResponse::RefusedLate(time.clone()));
        let builder = Client::builder().api_key("sk-test").endpoints(["http://127.0.0.1:1", "http://127.0.0.1:2"]);
        let client = builder.transport(Arc::new(server.clone())).timer(Arc::new(time.clone())).build().unwrap();
        let tracker = CreateTracker::new();
        let videos = client.videos().tracked(&tracker);
        let mut create = Box::pin(async move { videos.create("a red ball").await });
        assert!(create.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        if closes {
            client.close();
        } else {
            tracker.stop();
        }
        server.answers(ApiResponse::Task);
        let error = time.run(create).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::Cancelled, false), "{error}");
        assert_eq!((server.posts(), server.connects.load(Ordering::SeqCst), tracker.maybe_executed()), (0, 1, false));
    }
}

#[test]
fn one_token_for_thirty_creates_lets_no_more_leave_and_says_which_have() {
    let (server, time) = (Server::new(ApiResponse::None), Clock::default());
    let client = client(&server, &time);
    let token = CancelToken::new();
    let mut creates: BTreeMap<usize, Create> = (0..30)
        .map(|number| {
            let (token, videos) = (token.clone(), client.videos());
            let create: Create = Box::pin(async move {
                let tracker = CreateTracker::new();
                token.run_create(&tracker, videos.tracked(&tracker).create("a red ball")).await
            });
            (number, create)
        })
        .collect();
    assert!(poll_all(&mut creates).is_empty());
    assert_eq!(server.posts(), 4);
    token.cancel();
    let ended = poll_all(&mut creates);
    assert_eq!(ended.len(), 30);
    let executed = kinds(&ended).iter().filter(|kind| **kind == (ErrorKind::Cancelled, true)).count();
    assert_eq!((executed, server.posts()), (4, 4));
    for (_, result) in &ended {
        let text = result.as_ref().unwrap_err().to_string();
        assert_eq!(text.contains("may have been charged"), result.as_ref().unwrap_err().maybe_executed(), "{text}");
    }
}

#[test]
fn creates_dropped_one_after_the_other_let_no_more_leave() {
    let (server, time) = (Server::new(ApiResponse::None), Clock::default());
    let client = client(&server, &time);
    let tracker = CreateTracker::new();
    let videos = client.videos().tracked(&tracker);
    let mut creates: BTreeMap<usize, Create> = (0..30)
        .map(|number| {
            let videos = videos.clone();
            (number, Box::pin(async move { videos.create("a red ball").await }) as Create)
        })
        .collect();
    poll_all(&mut creates);
    for number in 0..30 {
        creates.remove(&number);
        // Meanwhile all the others are polled, as another thread would do.
        assert!(poll_all(&mut creates).is_empty());
        time.advance(Duration::from_millis(1));
    }
    assert_eq!(server.posts(), 4);
    assert!(tracker.maybe_executed() && tracker.task_ids().is_empty());
    // The places are not lost.
    server.answers(ApiResponse::Task);
    time.advance(Duration::from_secs(2));
    creates.insert(0, Box::pin(async move { videos.create("a red ball").await }));
    assert_eq!(poll_all(&mut creates)[0].1.as_ref().unwrap().id(), "task_4");
    assert_eq!(tracker.task_ids(), ["task_4"]);
}

#[test]
fn a_stopped_tracker_lets_those_in_flight_end_and_nobody_leave() {
    let (server, time) = (Server::new(ApiResponse::None), Clock::default());
    let tracker = CreateTracker::new();
    let videos = client(&server, &time).videos().tracked(&tracker);
    let mut creates: BTreeMap<usize, Create> = (0..30)
        .map(|number| {
            let videos = videos.clone();
            (number, Box::pin(async move { videos.create("a red ball").await }) as Create)
        })
        .collect();
    poll_all(&mut creates);
    tracker.stop();
    let ended = poll_all(&mut creates);
    assert_eq!(kinds(&ended), [(ErrorKind::Cancelled, false)].repeat(26));
    assert!(tracker.maybe_executed());
    time.advance(Duration::from_secs(180));
    let ended = poll_all(&mut creates);
    assert_eq!(kinds(&ended), [(ErrorKind::CreateOutcomeUnknown, true)].repeat(4));
    assert_eq!(server.posts(), 4);
}

#[test]
fn a_closed_client_sends_no_create_that_still_waits() {
    let (server, time) = (Server::new(ApiResponse::None), Clock::default());
    let client = client(&server, &time);
    let create = |tracker: Option<CreateTracker>| -> Create {
        let videos = tracker.map_or_else(|| client.videos(), |tracker| client.videos().tracked(&tracker));
        Box::pin(async move { videos.create("a red ball").await })
    };
    let mut creates: BTreeMap<usize, Create> =
        (0..30).map(|number| (number, create((number % 2 == 0).then(CreateTracker::new)))).collect();
    poll_all(&mut creates);
    client.clone().close();
    let ended = poll_all(&mut creates);
    assert_eq!(kinds(&ended), [(ErrorKind::Cancelled, false)].repeat(26));
    assert!(ended[0].1.as_ref().unwrap_err().to_string().contains("the client was closed"));
    // What has left runs to its end.
    server.answers(ApiResponse::Task);
    time.advance(Duration::from_secs(180));
    assert_eq!(kinds(&poll_all(&mut creates)), [(ErrorKind::CreateOutcomeUnknown, true)].repeat(4));
    // And nothing leaves later.
    creates.insert(30, create(None));
    assert_eq!(kinds(&poll_all(&mut creates)), [(ErrorKind::Cancelled, false)]);
    assert_eq!(server.posts(), 4);
}

#[test]
fn a_create_that_pauses_is_not_sent_again_by_a_closed_client() {
    let (server, time) = (Server::new(ApiResponse::Refused), Clock::default());
    let client = client(&server, &time);
    let videos = client.videos();
    let create: Create = Box::pin(async move { videos.create("a red ball").await });
    let mut creates = BTreeMap::from([(0, create)]);
    assert!(poll_all(&mut creates).is_empty());
    client.close();
    server.answers(ApiResponse::Task);
    assert_eq!(kinds(&poll_all(&mut creates)), [(ErrorKind::Cancelled, false)]);
    assert_eq!(server.posts(), 0);
}

#[test]
fn a_tracker_knows_what_provably_was_not_accepted() {
    let retry_after = || Headers::from_iter([("retry-after", "20")]);
    for answer in [
        ApiResponse::Refused,
        ApiResponse::Status(429, r#"{"error":{"message":"slow down"}}"#, retry_after()),
        ApiResponse::Status(429, r#"{"code":"fail_to_fetch_task","message":"busy","data":null}"#, retry_after()),
        ApiResponse::Status(429, r#"{"error":{"message":"no channel","code":"model_not_found"}}"#, retry_after()),
    ] {
        let (server, time) = (Server::new(answer), Clock::default());
        let tracker = CreateTracker::new();
        let videos = client(&server, &time).videos().tracked(&tracker);
        let create: Create = Box::pin(async move { videos.create("a red ball").await });
        let mut creates = BTreeMap::from([(0, create)]);
        assert!(poll_all(&mut creates).is_empty());
        // It pauses before it is sent again: nothing is out.
        assert!(!tracker.maybe_executed());
        server.answers(ApiResponse::None);
        for _ in 0..60 {
            time.advance(Duration::from_secs(1));
            poll_all(&mut creates);
        }
        assert!(tracker.maybe_executed(), "it was sent again, and there is no answer");
        creates.clear();
        assert!(tracker.maybe_executed(), "what became of it is not known for ever");
    }
}

/// The journal counts a create as given up 6 minutes after its intent: one that left in the fourth could be under way longer.
#[test]
fn a_create_that_others_may_count_as_given_up_while_it_is_under_way_does_not_leave() {
    let folder = tempfile::tempdir().unwrap();
    let (server, time) = (Server::new(ApiResponse::Status(429, "{}", Headers::new())), Clock::default());
    let client = Client::builder()
        .api_key("sk-test")
        .endpoint("http://127.0.0.1:1")
        .transport(Arc::new(server.clone()))
        .timer(Arc::new(time.clone()))
        .journal_with(Arc::new(FileJournal::open(folder.path().join("journal")).unwrap()))
        .build()
        .unwrap();
    let videos = client.videos();
    let create: Create = Box::pin(async move { videos.create("a red ball").await });
    let mut creates = BTreeMap::from([(0, create)]);
    assert!(poll_all(&mut creates).is_empty());
    assert_eq!(server.posts(), 1);
    // The process is stopped while it pauses after the 429.
    server.answers(ApiResponse::Task);
    time.advance(Duration::from_secs(200));
    let ended = poll_all(&mut creates);
    assert_eq!(kinds(&ended), [(ErrorKind::Timeout, false)], "{ended:?}");
    assert_eq!(server.posts(), 1);
}

#[test]
fn a_create_that_pauses_can_be_stopped() {
    let (server, time) = (Server::new(ApiResponse::Refused), Clock::default());
    let tracker = CreateTracker::new();
    let videos = client(&server, &time).videos().tracked(&tracker);
    let create: Create = Box::pin(async move { videos.create("a red ball").await });
    let mut creates = BTreeMap::from([(0, create)]);
    assert!(poll_all(&mut creates).is_empty());
    tracker.stop();
    server.answers(ApiResponse::Task);
    assert_eq!(kinds(&poll_all(&mut creates)), [(ErrorKind::Cancelled, false)]);
    assert_eq!(server.posts(), 0);
}

#[test]
fn a_long_pause_of_the_server_is_said_at_once() {
    let long = Headers::from_iter([("retry-after", "1200")]);
    let (server, time) = (Server::new(ApiResponse::None), Clock::default());
    let client = client(&server, &time);
    let create = || -> Create {
        let videos = client.videos();
        Box::pin(async move { videos.create("a red ball").await })
    };
    let mut creates: BTreeMap<usize, Create> = (0..6).map(|number| (number, create())).collect();
    poll_all(&mut creates);
    assert_eq!(server.posts(), 4);
    // A seventh is refused for twenty minutes: the two that wait for a place hear of it now, not in twenty minutes.
    server.answers(ApiResponse::Status(429, "{}", long));
    creates.remove(&0);
    time.advance(Duration::from_secs(2));
    let ended = poll_all(&mut creates);
    assert_eq!(server.posts(), 5);
    let again = poll_all(&mut creates);
    let said: Vec<&Error> = ended.iter().chain(&again).map(|(_, result)| result.as_ref().unwrap_err()).collect();
    assert_eq!(said.len(), 2);
    for error in &said {
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::RateLimited, false), "{error}");
        assert!(error.retry_after().unwrap() >= Duration::from_secs(1199), "{error}");
    }
    assert!(said.iter().any(|error| error.to_string().contains("nothing was sent")), "{said:?}");
    // So does one that comes later, until what is left of the pause is no longer than a create may take.
    creates.insert(7, create());
    assert_eq!(kinds(&poll_all(&mut creates)), [(ErrorKind::RateLimited, false)]);
    server.answers(ApiResponse::Task);
    time.advance(Duration::from_secs(1100));
    poll_all(&mut creates);
    // What came while nobody looked would be read now.
    time.advance(Duration::from_secs(2));
    poll_all(&mut creates);
    creates.insert(8, create());
    assert!(poll_all(&mut creates).is_empty());
    for _ in 0..200 {
        time.advance(Duration::from_secs(1));
        if let Some((number, result)) = poll_all(&mut creates).pop() {
            assert_eq!((number, result.unwrap().id()), (8, "task_5"));
            return;
        }
    }
    panic!("the create was not sent after the pause");
}

#[test]
fn a_pause_that_is_longer_than_a_create_of_its_own_timeout_may_take_is_said_at_once() {
    let pause = Headers::from_iter([("retry-after", "100")]);
    let (server, time) = (Server::new(ApiResponse::Status(429, "{}", pause)), Clock::default());
    let client = client(&server, &time);
    let create = |timeout| -> Create {
        let videos = client.videos().timeout(timeout);
        Box::pin(async move { videos.create("a red ball").await })
    };
    let mut creates = BTreeMap::from([(0, create(Duration::from_secs(180)))]);
    assert!(poll_all(&mut creates).is_empty());
    assert_eq!(server.posts(), 1);
    creates.insert(1, create(Duration::from_secs(5)));
    creates.insert(2, create(Duration::from_secs(180)));
    let ended = poll_all(&mut creates);
    assert_eq!(kinds(&ended), [(ErrorKind::RateLimited, false)]);
    assert_eq!((ended[0].0, server.posts()), (1, 1));
    assert!(ended[0].1.as_ref().unwrap_err().retry_after().unwrap() > Duration::from_secs(99));
}

#[test]
fn creates_in_the_queue_hear_of_pauses_that_are_longer_than_their_own_timeouts() {
    let (server, time) = (Server::new(ApiResponse::None), Clock::default());
    let client = client(&server, &time);
    let create = |timeout| -> Create {
        let videos = client.videos().timeout(Duration::from_secs(timeout));
        Box::pin(async move { videos.create("a red ball").await })
    };
    let mut creates: BTreeMap<usize, Create> = (0..7).map(|number| (number, create(180))).collect();
    creates.extend([(7, create(5)), (8, create(150)), (9, create(1000))]);
    assert!(poll_all(&mut creates).is_empty());
    assert_eq!(server.posts(), 4);
    let pause = ApiResponse::Status(429, "{}", Headers::from_iter([("retry-after", "100")]));
    // Who ends by the pause that is the answer to the next create requests.
    let mut ended_by = |dropped: &[usize]| -> Vec<usize> {
        for number in dropped {
            creates.remove(number);
        }
        server.answers(pause.clone());
        time.advance(Duration::from_secs(2));
        let mut ended = poll_all(&mut creates);
        ended.extend(poll_all(&mut creates));
        for (_, result) in &ended {
            let error = result.as_ref().unwrap_err();
            assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::RateLimited, false), "{error}");
            assert!(error.retry_after().is_some_and(|left| left > Duration::from_secs(98)), "{error}");
        }
        let mut numbers: Vec<usize> = ended.into_iter().map(|(number, _)| number).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(ended_by(&[0]), [7]);
    assert_eq!(server.posts(), 5);
    time.advance(Duration::from_secs(100));
    // Number 8 would bear this one, and not both.
    assert_eq!(ended_by(&[1, 2, 3]), [8]);
    assert_eq!(server.posts(), 7);
    server.answers(ApiResponse::Task);
    for _ in 0..200 {
        time.advance(Duration::from_secs(1));
        if !poll_all(&mut creates).is_empty() && creates.is_empty() {
            return assert_eq!(server.posts(), 11);
        }
    }
    panic!("those who wait longer were not sent after the pauses");
}

#[test]
fn the_limit_of_a_helper_path_slows_nobody() {
    let (server, time) = (Server::new(ApiResponse::Task), Clock::default());
    let limited = Headers::from_iter([("retry-after", "1200")]);
    let helper = Helper(server.clone(), limited);
    let client = Client::builder()
        .api_key("sk-test")
        .endpoint("http://127.0.0.1:1")
        .transport(Arc::new(helper))
        .timer(Arc::new(time.clone()))
        .build()
        .unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut balance = Box::pin(async { client.balance().await });
    let Poll::Ready(Err(error)) = balance.as_mut().poll(&mut cx) else { panic!("the balance is limited") };
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(1200))));
    let mut create = Box::pin(async { client.videos().create("a red ball").await });
    assert!(matches!(create.as_mut().poll(&mut cx), Poll::Ready(Ok(_))), "a create hangs");
    let mut get = Box::pin(async { client.videos().get("task_1").await });
    assert!(matches!(get.as_mut().poll(&mut cx), Poll::Ready(Ok(_))), "a query hangs");
}

/// Limits the helper paths and nothing else.
struct Helper(Server, Headers);

impl Transport for Helper {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        if request.url.path_only().starts_with("/api/") {
            let response = HttpResponse { status: 429, headers: self.1.clone(), body: Box::pin(Body(None, false)) };
            return Box::pin(async move { Ok(response) });
        }
        self.0.send(request)
    }
}

#[tokio::test]
async fn generate_many_lists_the_tasks_that_were_not_given_out() {
    let (server, time) = (Server::new(ApiResponse::Task), Clock::default());
    let tracker = CreateTracker::new();
    let requests = ["a", "b", "c"].map(VideoRequest::new);
    let mut videos = client(&server, &time).videos().tracked(&tracker).generate_many(requests, 3).unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(videos.poll_next_unpin(&mut cx).is_pending());
    assert_eq!(tracker.task_ids(), ["task_0", "task_1", "task_2"]);
    drop(videos);
    assert_eq!(tracker.task_ids(), ["task_0", "task_1", "task_2"]);
    assert!(!tracker.maybe_executed());
}

#[test]
fn the_journal_calls_unknown_only_what_has_left() {
    let folder = tempfile::tempdir().unwrap();
    for (answer, unknown) in [(ApiResponse::None, 1), (ApiResponse::Refused, 0)] {
        let (server, time) = (Server::new(answer), Clock::default());
        let journal = Arc::new(FileJournal::open(folder.path().join(format!("journal-{unknown}"))).unwrap());
        let client = Client::builder()
            .api_key("sk-test")
            .endpoint("http://127.0.0.1:1")
            .transport(Arc::new(server))
            .timer(Arc::new(time.clone()))
            .journal_with(journal)
            .build()
            .unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        let mut create = Box::pin(async { client.videos().create("a red ball").await });
        assert!(create.as_mut().poll(&mut cx).is_pending());
        drop(create);
        let mut pending = Box::pin(async { client.videos().pending().await });
        let Poll::Ready(Ok(entries)) = pending.as_mut().poll(&mut cx) else { panic!("the journal is there") };
        let open = entries.iter().filter(|entry| matches!(entry, Pending::Unknown { .. })).count();
        assert_eq!((open, entries.len()), (unknown, unknown), "{entries:?}");
    }
}

#[test]
fn an_id_in_an_answer_of_unknown_outcome_is_on_the_error() {
    let body = r#"{"error":{"message":"panic after task_AbCdEfGhIjKlMnOpQrStUvWxYz012345 was queued"}}"#;
    let (server, time) = (Server::new(ApiResponse::Status(500, body, Headers::new())), Clock::default());
    let tracker = CreateTracker::new();
    let videos = client(&server, &time).videos().tracked(&tracker);
    let create: Create = Box::pin(async move { videos.create("a red ball").await });
    let error = poll_all(&mut BTreeMap::from([(0, create)])).remove(0).1.unwrap_err();
    let id = "task_AbCdEfGhIjKlMnOpQrStUvWxYz012345";
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::CreateOutcomeUnknown, Some(id)));
    assert_eq!(tracker.task_ids(), [id]);
}

#[test]
fn a_policy_that_no_wait_can_be_done_with_is_refused_before_the_create() {
    let (server, time) = (Server::new(ApiResponse::Task), Clock::default());
    let policy = WaitPolicy { interval: Duration::ZERO, ..WaitPolicy::default() };
    let videos = client(&server, &time).videos();
    let error = time.run(videos.generate("a red ball").policy(policy).into_future()).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::InvalidRequest, Some("poll_interval")));
    assert_eq!(server.posts(), 0);
}

#[test]
fn an_unknown_outcome_that_generate_many_gave_out_is_the_callers() {
    let (server, time) = (Server::new(ApiResponse::Status(500, "", Headers::new())), Clock::default());
    let tracker = CreateTracker::new();
    let requests = ["a", "b"].map(VideoRequest::new);
    let mut videos = client(&server, &time).videos().tracked(&tracker).generate_many(requests, 1).unwrap();
    let (_, result) = time.run(videos.next()).unwrap().unwrap();
    assert!(result.unwrap_err().maybe_executed());
    assert!(!tracker.maybe_executed());
}

thread_local! {
    /// What this thread logged.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThreadLog;

impl std::io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged at `WARN` and above while a future is polled once and then dropped. One subscriber for the whole process:
/// those that come and go change what other threads' events are worth.
fn logged<T>(future: impl Future<Output = T>) -> String {
    static SUBSCRIBER: Once = Once::new();
    SUBSCRIBER.call_once(|| {
        let builder = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::WARN);
        let subscriber = builder.with_ansi(false).with_writer(|| ThreadLog).finish();
        tracing_subscriber::util::SubscriberInitExt::init(subscriber);
    });
    LOG.take();
    let mut future = Box::pin(future);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(future);
    String::from_utf8(LOG.take()).unwrap()
}

#[test]
fn whoever_drops_a_paid_call_finds_its_id_in_the_log() {
    let (server, time) = (Server::new(ApiResponse::Task), Clock::default());
    let client = client(&server, &time);
    let text = logged(client.videos().generate("a red ball").into_future());
    assert!(text.contains("WARN") && text.contains("task_0"), "{text:?}");
    server.answers(ApiResponse::None);
    let text = logged(client.videos().create("a red ball"));
    assert!(text.contains("WARN") && text.contains("may have been charged"), "{text:?}");
    // What has not left is nothing to warn of.
    server.answers(ApiResponse::Refused);
    assert_eq!(logged(client.videos().create("a red ball")), "");
}

/// A journal in a database that takes intents, and does not answer when it is told how they ended.
#[derive(Default)]
struct Slow {
    told_at_the_end: Mutex<Vec<Event>>,
}

impl Journal for Slow {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<()>> {
        let is_intent = matches!(record.event, Event::Intent { .. });
        Box::pin(async move { if is_intent { Ok(()) } else { std::future::pending().await } })
    }

    fn append_now(&self, record: Record) -> Result<()> {
        self.told_at_the_end.lock().unwrap().push(record.event);
        Ok(())
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// What a create came to when it is dropped while that is being written down, and what the log says then.
fn dropped_while_written(answer: ApiResponse) -> (Vec<Event>, String) {
    let (server, time, journal) = (Server::new(answer), Clock::default(), Arc::new(Slow::default()));
    let client = Client::builder()
        .api_key("sk-test")
        .endpoint("http://127.0.0.1:1")
        .transport(Arc::new(server))
        .timer(Arc::new(time))
        .journal_with(journal.clone())
        .build()
        .unwrap();
    let text = logged(client.videos().create("a red ball"));
    let told = journal.told_at_the_end.lock().unwrap().clone();
    (told, text)
}

#[test]
fn what_a_create_came_to_is_kept_though_it_is_dropped_while_that_is_written_down() {
    let (told, text) = dropped_while_written(ApiResponse::Task);
    assert!(matches!(&told[..], [Event::Created { task_id, .. }] if task_id == "task_0"), "{told:?}");
    assert!(text.contains("WARN") && text.contains("task_0"), "{text:?}");
    let (told, _) = dropped_while_written(ApiResponse::Status(400, "{}", Headers::new()));
    assert!(matches!(&told[..], [Event::Refused { reason, .. }] if reason == "bad_request"), "{told:?}");
    let (told, _) = dropped_while_written(ApiResponse::Status(500, "", Headers::new()));
    assert!(matches!(&told[..], [Event::Unknown { reason, .. }] if reason == "create_outcome_unknown"), "{told:?}");
}
