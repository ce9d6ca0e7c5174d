//! Cancelling never hides a paid task: the error has its id, or says that there may be one.
#![allow(missing_docs, clippy::unwrap_used)]

use std::future::{Future, IntoFuture as _, poll_fn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use junfeiai::{CancelToken, Client, ErrorKind, Phase};
use junfeiai_emulator::Emulator;

fn client(emulator: &Emulator) -> Client {
    Client::builder()
        .api_key("sk-test")
        .endpoint(emulator.base_url())
        .poll_interval(Duration::from_millis(20))
        .build()
        .unwrap()
}

/// Cancels as soon as this is so.
fn cancel_when(token: &CancelToken, so: impl Fn() -> bool) -> impl Future<Output = ()> {
    let token = token.clone();
    async move {
        while !so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        token.cancel();
    }
}

#[tokio::test]
async fn a_cancelled_wait_carries_the_task_id() {
    let emulator = Emulator::builder().api_key("sk-test").time_scale(1.0).start().unwrap();
    let token = CancelToken::new();
    // The task would run for most of a minute.
    let polled = cancel_when(&token, || emulator.requests().iter().any(|request| request.method == "GET"));
    let generate = client(&emulator).videos().generate("a red ball").cancel_with(&token).into_future();
    let error = tokio::join!(generate, polled).0.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(emulator.created_tasks(), 1);
    assert!(error.task_id().unwrap().starts_with("task_"), "{error}");
    assert!(!error.maybe_executed());
}

#[tokio::test]
async fn a_create_cancelled_under_way_may_have_been_executed() {
    let emulator = Emulator::builder().api_key("sk-test").start().unwrap();
    emulator.set_scenario_json(r#"{ "api": { "create_latency_ms": 60000 } }"#).unwrap();
    let token = CancelToken::new();
    let sent = cancel_when(&token, || !emulator.requests().is_empty());
    let generate = client(&emulator).videos().generate("a red ball").cancel_with(&token).into_future();
    let error = tokio::join!(generate, sent).0.unwrap_err();
    assert_eq!((error.kind(), error.record().phase), (ErrorKind::Cancelled, Phase::Create));
    assert!(error.maybe_executed());
    assert!(error.to_string().contains("may have been charged"), "{error}");
}

#[tokio::test]
async fn a_create_cancelled_before_it_begins_sends_nothing() {
    let emulator = Emulator::builder().api_key("sk-test").start().unwrap();
    let token = CancelToken::new();
    token.cancel();
    let error = client(&emulator).videos().generate("a red ball").cancel_with(&token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(!error.maybe_executed());
    assert!(emulator.requests().is_empty());
}

#[tokio::test]
async fn an_id_stands_on_a_cancelled_call_and_not_on_what_is_no_task() {
    let emulator = Emulator::builder().api_key("sk-test").start().unwrap();
    let videos = client(&emulator).videos();
    let token = CancelToken::new();
    let error = token.run_for("..", videos.get("..")).await.unwrap_err();
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::InvalidRequest, None));
    let video = videos.video("task_1").unwrap();
    assert_eq!(video.read_range(5..5).await.unwrap_err().task_id(), Some("task_1"));
    token.cancel();
    let error = token.run_for("task_1", video.bytes()).await.unwrap_err();
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::Cancelled, Some("task_1")));
}

#[tokio::test]
async fn one_token_may_stand_behind_many_calls() {
    let token = CancelToken::new();
    let polls = AtomicUsize::new(0);
    let never = || {
        token.run::<()>(poll_fn(|_| {
            polls.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        }))
    };
    let calls = (0..200).map(|_| never()).collect::<FuturesUnordered<_>>();
    let all_wait = cancel_when(&token, || polls.load(Ordering::Relaxed) == 200);
    let (results, ()) = tokio::join!(calls.collect::<Vec<_>>(), all_wait);
    assert_eq!(results.len(), 200);
    assert!(results.iter().all(|result| result.as_ref().unwrap_err().kind() == ErrorKind::Cancelled));
    assert_eq!(polls.into_inner(), 200, "calls must not wake each other");
}

/// A call that is dropped outside of its runtime, at the moment when its answer is there and not taken yet: the connection goes
/// back to the pool then, for which the HTTP stack needs the runtime.
#[test]
fn a_call_dropped_outside_of_its_runtime_does_not_panic() {
    let emulator = Emulator::builder().api_key("sk-test").start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = client(&emulator);
    let videos = client.videos();
    let mut get = Box::pin(videos.get("task_1"));
    runtime.block_on(async {
        while emulator.requests().is_empty() {
            poll_fn(|cx| Poll::Ready(get.as_mut().poll(cx).is_ready())).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The task of the connection reads the answer meanwhile.
        tokio::time::sleep(Duration::from_millis(300)).await;
    });
    drop(get);
    // The next call finds everything in order.
    assert_eq!(runtime.block_on(videos.get("task_1")).unwrap_err().kind(), ErrorKind::NotFound);
}
