//! What a client is in a child of `fork()`, when its parent was busy with it at that moment.
#![cfg(target_os = "linux")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use junfeiai::blocking::Client;
use junfeiai::{CancelToken, ClientBuilder, ErrorKind, Pending, TaskStatus, VideoRequest};
use junfeiai_emulator::Emulator;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use serde_json::json;

/// What a child needs at the most, on the slowest machine. A child that hangs is killed then.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs this in a child of `fork()`; it fails when the child panics or hangs.
fn in_child(work: impl FnOnce()) {
    // SAFETY: the child runs Rust code although other threads may hold locks. That is what is tested; glibc makes the
    // allocator usable, and the child ends without destructors.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let passed = catch_unwind(AssertUnwindSafe(work)).is_ok();
            // SAFETY: it always ends the process.
            unsafe { nix::libc::_exit(i32::from(!passed)) }
        }
        ForkResult::Parent { child } => {
            let until = Instant::now() + LIMIT;
            loop {
                match waitpid(child, Some(WaitPidFlag::WNOHANG)).unwrap() {
                    WaitStatus::StillAlive if Instant::now() < until => thread::sleep(Duration::from_millis(2)),
                    WaitStatus::StillAlive => {
                        kill(child, Signal::SIGKILL).unwrap();
                        waitpid(child, None).unwrap();
                        panic!("the child hung");
                    }
                    status => return assert_eq!(status, WaitStatus::Exited(child, 0)),
                }
            }
        }
    }
}

fn start(rules: &serde_json::Value) -> Emulator {
    let emulator = Emulator::builder().api_key("sk-test").time_scale(600.0).start().unwrap();
    emulator.set_scenario_json(&json!({ "time_scale": 600.0, "rules": rules }).to_string()).unwrap();
    emulator
}

fn builder(emulator: &Emulator) -> ClientBuilder {
    let builder = junfeiai::Client::builder().api_key("sk-test").endpoint(emulator.base_url());
    builder.poll_interval(Duration::from_millis(20))
}

fn client(emulator: &Emulator) -> Client {
    Client::build(builder(emulator)).unwrap()
}

fn posts(emulator: &Emulator) -> usize {
    emulator.requests().iter().filter(|request| request.method == "POST").count()
}

fn until(done: impl Fn() -> bool) {
    while !done() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Polls a future once.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}

fn order() -> VideoRequest {
    VideoRequest::new("a red ball").seconds(6)
}

#[test]
fn the_creates_that_a_parent_has_in_flight_take_no_slot_of_its_child() {
    let emulator =
        start(&json!([{ "match": { "op": "create" }, "times": 4, "fault": { "kind": "hang", "ms": 4000 } }]));
    let client = client(&emulator);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| client.create(order()));
        }
        until(|| posts(&emulator) == 4);
        in_child(|| {
            let task = client.create(order()).unwrap();
            assert_eq!(client.get(task.id()).unwrap().id(), task.id());
        });
        assert_eq!(posts(&emulator), 5);
    });
}

#[test]
fn the_pause_that_a_parent_was_asked_for_is_not_its_childs() {
    let limit = json!({ "kind": "rate_limited", "retry_after": "seconds", "seconds": 600 });
    let emulator = start(&json!([{ "match": { "op": "query" }, "times": 1, "fault": limit }]));
    let client = client(&emulator);
    let id = client.create(order()).unwrap().id().to_owned();
    let refused = |result: junfeiai::Result<junfeiai::Task>| result.unwrap_err().kind() == ErrorKind::RateLimited;
    assert!(refused(client.get(&id)));
    assert!(refused(client.get(&id)), "the pause is kept");
    in_child(|| assert_eq!(client.get(&id).unwrap().id(), id));
    assert!(refused(client.get(&id)), "by the parent still");
}

#[test]
fn a_child_begins_anew_while_its_parent_is_busy() {
    let emulator = start(&json!([]));
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let client =
        Client::build(builder(&emulator).journal(&journal).request_rate(1e6, 1_000_000).max_in_flight_creates(1000))
            .unwrap();
    let first = client.create(order()).unwrap().id().to_owned();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            // Nearly always one of these holds the journal's lock, and often one the schedule's.
            scope.spawn(|| until(|| client.create(order()).is_err() || stop.load(Ordering::SeqCst)));
        }
        for _ in 0..3 {
            scope.spawn(|| until(|| client.get(&first).is_err() || stop.load(Ordering::SeqCst)));
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..10 {
                in_child(|| {
                    let task = client.create(order()).unwrap();
                    let video = client.wait(&task).unwrap();
                    let listed = |id: &str| client.pending().unwrap().iter().any(|entry| is_task(entry, id));
                    assert!(listed(task.id()) && listed(&first));
                    assert!(client.inner().endpoint().base().to_string().starts_with("http://127.0.0.1"));
                    assert_eq!(client.run(video.read_range(4..8)).unwrap(), "ftyp");
                });
            }
        }));
        stop.store(true, Ordering::SeqCst);
        result.unwrap();
    });
    // One journal of all of them, with nothing lost and nothing left open.
    let pending = client.pending().unwrap();
    assert_eq!(pending.len(), emulator.created_tasks(), "{pending:?}");
    assert!(pending.iter().all(|entry| matches!(entry, Pending::Task { .. })), "{pending:?}");
    assert_eq!(posts(&emulator), emulator.created_tasks());
}

fn is_task(entry: &Pending, id: &str) -> bool {
    matches!(entry, Pending::Task { task_id, .. } if task_id == id)
}

#[test]
fn what_a_child_drops_is_left_to_its_parent() {
    let emulator =
        start(&json!([{ "match": { "op": "create" }, "times": 1, "fault": { "kind": "hang", "ms": 4000 } }]));
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let client = builder(&emulator).journal(&journal).max_in_flight_creates(1).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let videos = client.videos();
        let mut both =
            Box::pin(async { futures_util::future::join(videos.create(order()), videos.create(order())).await });
        // One is in flight, the other waits for its slot.
        loop {
            assert!(is_pending(&mut both).await);
            if posts(&emulator) == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut inherited = Some(both);
        in_child(|| drop(inherited.take()));
        let text = std::fs::read_to_string(&journal).unwrap();
        assert!(!text.contains("abandoned"), "{text}");
        let (first, second) = inherited.unwrap().await;
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    });
    assert_eq!(posts(&emulator), 2);
}

#[test]
fn a_save_that_a_child_drops_goes_on() {
    let emulator = start(&json!([]));
    let client = client(&emulator);
    let video = client.generate(order()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ball.mp4");
    let whole = client.run(video.bytes()).unwrap();
    client.run(async {
        let slow = video.save(&path).rate_limit(whole.len() as u64).into_future();
        let mut slow = Some(slow);
        let part = folder.path().join("ball.mp4.part");
        while !part.exists() {
            assert!(is_pending(slow.as_mut().unwrap()).await);
            tokio::task::yield_now().await;
        }
        in_child(|| drop(slow.take()));
        assert!(part.exists());
        slow.unwrap().await.unwrap();
    });
    assert_eq!(std::fs::read(Path::new(&path)).unwrap(), whole);
}

#[test]
fn a_token_of_the_parent_works_in_its_child_alone() {
    let token = CancelToken::new();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            // Its list of those who wait is hardly ever unlocked.
            scope.spawn(|| {
                let mut waits =
                    futures_util::stream::repeat_with(|| token.run(std::future::pending::<junfeiai::Result<()>>()));
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                while !stop.load(Ordering::SeqCst) {
                    let wait = futures_util::FutureExt::now_or_never(waits.next()).flatten().unwrap();
                    assert!(std::pin::pin!(wait).as_mut().poll(&mut context).is_pending());
                }
            });
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..20 {
                in_child(|| {
                    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                    let mut wait = std::pin::pin!(token.cancelled());
                    assert!(wait.as_mut().poll(&mut context).is_pending());
                    token.cancel();
                    assert!(wait.as_mut().poll(&mut context).is_ready());
                });
            }
        }));
        stop.store(true, Ordering::SeqCst);
        result.unwrap();
    });
    assert!(!token.is_cancelled());
}

#[test]
fn a_clients_end_in_a_child_is_not_its_end_in_the_parent() {
    let emulator = start(&json!([]));
    // A second attempt would hide that the first had lost its connection.
    let mut client = Some(Client::build(builder(&emulator).max_attempts(1).timeout(Duration::from_secs(20))).unwrap());
    let task = client.as_ref().unwrap().create(order()).unwrap();
    for _ in 0..3 {
        in_child(|| {
            assert_ne!(client.as_ref().unwrap().get(task.id()).unwrap().status(), TaskStatus::Failed);
            drop(client.take());
        });
        // On the connection that it had.
        client.as_ref().unwrap().get(task.id()).unwrap();
    }
}
