//! Jobs with keys whose journal is in a store: created once, whichever client asks, whatever the store goes through.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use junfeiai::store::Store;
use junfeiai::{Client, ErrorKind, KeyState, Pending, StoreJournal, VideoRequest};
use junfeiai_emulator::Emulator;

const KEY: &str = "sk-jobs-test";

fn emulator(scenario: &str) -> Emulator {
    let emulator = Emulator::builder().api_key(KEY).time_scale(600.0).start().unwrap();
    emulator.set_scenario_json(scenario).unwrap();
    emulator
}

fn client(emulator: &Emulator, store: &Arc<dyn Store>) -> Client {
    let journal = Arc::new(StoreJournal::new(store.clone()));
    let builder = Client::builder().api_key(KEY).endpoint(emulator.base_url()).poll_interval(Duration::from_millis(20));
    builder.max_in_flight_creates(16).journal_with(journal).build().unwrap()
}

fn posts(emulator: &Emulator) -> usize {
    emulator.requests().iter().filter(|request| request.method == "POST").count()
}

fn job(number: usize) -> VideoRequest {
    VideoRequest::new(format!("job {number}")).seconds(6).key(format!("job/{number}"))
}

/// From the create request to the saved file, with another client for each step.
pub(crate) async fn one_job(stores: &[Arc<dyn Store>]) {
    let emulator = emulator("{}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.mp4");
    let videos = |number: usize| client(&emulator, &stores[number % stores.len()]).videos();
    let task = videos(0).create(job(1)).await.unwrap();
    let pending = videos(1).pending().await.unwrap();
    assert!(matches!(&pending[..], [Pending::Task { key: Some(key), .. }] if key == "job/1"), "{pending:?}");
    let again = videos(1).create(job(1)).await.unwrap();
    assert_eq!((again.id(), again.is_reused()), (task.id(), true));
    let video = videos(2).generate(job(1)).await.unwrap();
    video.save(&path).await.unwrap();
    assert_eq!(videos(3).pending().await.unwrap(), []);
    assert_eq!(videos(3).key("job/1").await.unwrap().unwrap().state, KeyState::Saved);
    assert_eq!(videos(0).generate(job(1)).await.unwrap().save(&path).await.unwrap().attempts, 0);
    let conflict = videos(1).create(job(1).size("1280x720")).await.unwrap_err();
    assert_eq!(conflict.kind(), ErrorKind::IdempotencyConflict);
    // Without a key as well.
    let task = videos(0).create("no key").await.unwrap();
    assert!(videos(1).forget(task.id()).await.unwrap());
    assert_eq!(videos(2).pending().await.unwrap(), []);
    assert_eq!(posts(&emulator), 2);
}

/// What was lost is settled by hand, and a task that failed is made anew when that is wanted.
pub(crate) async fn ends_of_jobs(stores: &[Arc<dyn Store>]) {
    let emulator = emulator(r#"{"rules":[{"match":{"op":"create"},"times":1,"fault":{"kind":"drop_after_accept"}}]}"#);
    let videos = |number: usize| client(&emulator, &stores[number % stores.len()]).videos();
    for number in 0..3 {
        let error = videos(number).create(job(2)).await.unwrap_err();
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::CreateOutcomeUnknown, true), "{error}");
    }
    assert_eq!(posts(&emulator), 1);
    let intent = videos(1).key("job/2").await.unwrap().unwrap().intent;
    assert!(videos(2).resolve_unknown(&intent, Some(&emulator.task_ids()[0])).await.unwrap());
    assert_eq!(videos(0).create(job(2)).await.unwrap().id(), emulator.task_ids()[0]);
    emulator.set_scenario_json(r#"{"task":{"outcome":"failure"}}"#).unwrap();
    assert_eq!(videos(1).generate(job(3)).await.unwrap_err().kind(), ErrorKind::TaskFailed);
    assert_eq!(videos(2).create(job(3)).await.unwrap_err().kind(), ErrorKind::TaskFailed);
    let again = videos(0).create(job(3).retry_failed(true)).await.unwrap();
    assert!(!again.is_reused());
    assert_eq!(videos(1).key("job/3").await.unwrap().unwrap().attempt, 2);
    assert_eq!(posts(&emulator), 3);
    // A create request that was dropped before it left does not hold its key.
    emulator
        .set_scenario_json(r#"{"rules":[{"match":{"op":"create"},"fault":{"kind":"status","status":400}}]}"#)
        .unwrap();
    assert!(videos(0).create(job(4)).await.is_err());
    assert_eq!(videos(1).key("job/4").await.unwrap(), None);
}

/// Every job is given to every client at once, while `disturb` runs. What the store could not keep is an error before
/// anything is sent, or an unknown outcome that is named.
pub(crate) async fn many_jobs(stores: &[Arc<dyn Store>], name: &str, disturb: impl Future<Output = ()>) {
    const JOBS: usize = 40;
    let emulator = emulator(r#"{"api":{"create_latency_ms":200}}"#);
    let clients: Vec<_> = stores.iter().map(|store| client(&emulator, store)).collect();
    let run = |number: usize, client: &Client| {
        let videos = client.videos();
        async move {
            // As a broker delivers a job again whose worker could not do it.
            for _ in 0..50 {
                match videos.create(job(number)).await {
                    Ok(task) => return Some(task.id().to_owned()),
                    Err(error) if error.kind() == ErrorKind::CreateOutcomeUnknown => return None,
                    Err(error) if error.kind() == ErrorKind::Journal || error.kind() == ErrorKind::Timeout => {}
                    Err(error) => panic!("job {number}: {error}"),
                }
            }
            panic!("job {number} was never done")
        }
    };
    let runs = clients.iter().flat_map(|client| (0..JOBS).map(move |number| run(number, client)));
    let (ended, ()) = tokio::join!(join_all(runs), disturb);
    let unknown = ended.iter().filter(|id| id.is_none()).count();
    for number in 0..JOBS {
        let ids: BTreeSet<_> = ended.iter().skip(number).step_by(JOBS).flatten().collect();
        assert!(ids.len() <= 1, "job {number} has several tasks: {ids:?}");
    }
    let posts = posts(&emulator);
    println!(
        "   {name}: {JOBS} jobs, {} deliveries, {posts} POSTs, {} tasks, {unknown} deliveries that say unknown",
        ended.len(),
        emulator.created_tasks(),
    );
    assert!(posts <= JOBS, "a job was paid for twice");
}
