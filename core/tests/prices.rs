//! What a create will cost, and the limit to it, against the emulator's true billing.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use junfeiai::journal::Journal;
use junfeiai::store::MemoryStore;
use junfeiai::{
    Advance, Certainty, Client, ClientBuilder, ErrorKind, FileJournal, Image, Spending, StoreJournal, VideoRequest,
    WarningCode,
};
use junfeiai_emulator::Emulator;

const KEY: &str = "sk-test-0123456789";

fn emulator() -> Emulator {
    Emulator::builder().api_key(KEY).start().unwrap()
}

fn builder(emulator: &Emulator) -> ClientBuilder {
    Client::builder().api_key(KEY).endpoint(emulator.base_url()).proxy("")
}

fn request(seconds: u32) -> VideoRequest {
    VideoRequest::new("a ball").seconds(seconds)
}

#[tokio::test]
async fn estimates_are_what_is_charged() {
    // Per kind of estimate: creates, and those that were charged something else.
    let mut exact = (0, 0);
    let mut rounded = (0, 0);
    let sizes = ["1280x720", "1792x1024", "720x1280", "1024x1792", "1024x1024"];
    for (version, group, ratio) in
        [("older", "default", 1.0), ("newer", "default", 1.0), ("older", "vip", 0.55), ("newer", "vip", 0.55)]
    {
        let emulator = emulator();
        let scenario =
            format!(r#"{{"api":{{"version":"{version}"}},"accounts":[{{"name":"default","group":"{group}"}}]}}"#);
        emulator.set_scenario_json(&scenario).unwrap();
        let first = builder(&emulator).build().unwrap();
        let guess = first.videos().estimate(request(6)).await.unwrap();
        // The group is not known yet; the most that any group pays is.
        assert_eq!((guess.units, guess.certainty), (Some(150_000), Certainty::DefaultGroup));
        assert_eq!((guess.units_at_most, emulator.created_tasks()), (Some(150_000), 0));
        first.videos().create(request(6)).await.unwrap();

        // One row of the log names it to every other client.
        let client = builder(&emulator).build().unwrap();
        for number in 0..50_u32 {
            let order = request(1 + number % 15).size(sizes[(number / 2) as usize % sizes.len()]);
            let order = match number % 2 {
                0 => order,
                _ => order.model("grok-video-1.5").image(Image::url("https://images.example/a.png")),
            };
            let estimate = client.videos().estimate(order.clone()).await.unwrap();
            assert_eq!((estimate.group.as_deref(), estimate.group_ratio), (Some(group), Some(ratio)));
            let task = client.videos().create(order).await.unwrap();
            let charged = client.videos().get(task.id()).await.unwrap().snapshot().charged_units.unwrap();
            match estimate.certainty {
                Certainty::Exact => {
                    exact.0 += 1;
                    exact.1 += u32::from(estimate.units != Some(charged));
                }
                Certainty::Rounded => {
                    rounded.0 += 1;
                    // At most the estimate, and less than one unit for each second below it.
                    let most = estimate.units.unwrap();
                    rounded.1 += u32::from(charged > most || most - charged > estimate.billed_seconds);
                }
                other => panic!("{other:?}"),
            }
        }
        let asked = emulator.requests().iter().filter(|request| request.path.starts_with("/api/")).count();
        assert_eq!(asked, 4, "once for each list and client");
    }
    println!("estimate  creates  charged otherwise");
    println!("exact     {:>7}  {:>17}", exact.0, exact.1);
    println!("rounded   {:>7}  {:>17}", rounded.0, rounded.1);
    assert_eq!((exact.0 + rounded.0, exact.1, rounded.1), (200, 0, 0));
    assert!(exact.0 >= 100, "{exact:?}");
}

#[tokio::test]
async fn what_would_cost_more_is_not_sent() {
    let emulator = emulator();
    let client = builder(&emulator).max_cost(0.3).build().unwrap();
    let error = client.videos().create(request(7)).await.unwrap_err();
    assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::InvalidRequest, Some("max_cost")));
    assert!(error.to_string().contains("0.35 USD") && error.to_string().contains("0.3 USD"), "{error}");
    assert_eq!(emulator.created_tasks(), 0);
    client.videos().create(request(6)).await.unwrap();
    assert!(builder(&emulator).max_cost(-1.0).build().is_err());
    assert!(builder(&emulator).max_cost(f64::NAN).build().is_err());
}

#[tokio::test]
async fn hidden_prices_are_a_warning_or_refused() {
    let emulator = emulator();
    emulator.set_scenario_json(r#"{"api":{"pricing":false}}"#).unwrap();
    let task = builder(&emulator).max_cost(0.3).build().unwrap().videos().create(request(6)).await.unwrap();
    assert!(task.warnings().iter().any(|warning| warning.code == WarningCode::PriceUnknown));
    let strict = builder(&emulator).max_cost(0.3).max_cost_strict(true).build().unwrap();
    let error = strict.videos().create(request(6)).await.unwrap_err();
    assert_eq!(error.record().field.as_deref(), Some("max_cost"));
    // The charge before tells what the model costs.
    let client = builder(&emulator).max_cost(0.3).build().unwrap();
    assert_eq!(client.videos().estimate(request(6)).await.unwrap().certainty, Certainty::LastCharge);
    assert!(client.videos().create(request(7)).await.is_err());
    assert_eq!(emulator.created_tasks(), 1);
}

/// One task that is saved, one that fails, one that nobody waited for, one whose answer is lost.
async fn spend(emulator: &Emulator, client: &Client, folder: &Path, key: Option<&str>) {
    let named = |seconds: u32, name: &str| match key {
        Some(key) => request(seconds).key(format!("{key}/{name}")),
        None => request(seconds),
    };
    let videos = client.videos();
    let summary = videos.generate(named(6, "saved")).await.unwrap().save(folder.join("a.mp4")).await.unwrap();
    assert_eq!((summary.charged_units, summary.charged_usd()), (Some(150_000), Some(0.3)));
    // Newer servers show 0 once the charge was returned: what it was is known from the polls before.
    emulator
        .set_scenario_json(r#"{"api":{"version":"newer"},"task":{"outcome":"failure","ends_after_polls":2}}"#)
        .unwrap();
    let error = videos.generate(named(4, "failed")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    emulator.set_scenario_json("{}").unwrap();
    videos.create(named(8, "not seen")).await.unwrap();
    emulator
        .set_scenario_json(r#"{"rules":[{"match":{"op":"create"},"fault":{"kind":"drop_after_accept"}}]}"#)
        .unwrap();
    let error = videos.create(named(5, "lost")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown);
    emulator.set_scenario_json("{}").unwrap();
}

fn sums(lines: &[Spending]) -> [u64; 6] {
    let mut sums = [0; 6];
    for line in lines {
        let parts = [line.creates, line.charged_units, line.refunded_units, line.failed, line.unknown, line.uncharged];
        for (sum, part) in sums.iter_mut().zip(parts) {
            *sum += part;
        }
    }
    sums
}

#[tokio::test]
async fn what_was_spent_is_in_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::builder().api_key(KEY).time_scale(600.0).start().unwrap();
    let builder = || builder(&emulator).poll_interval(Duration::from_millis(20));
    let stores: [(&str, Arc<dyn Journal>); 2] = [
        ("file", Arc::new(FileJournal::open(folder.path().join("journal")).unwrap().compact_after(1, 1))),
        ("store", Arc::new(StoreJournal::new(Arc::new(MemoryStore::new())))),
    ];
    for (name, journal) in stores {
        let target = folder.path().join(name);
        std::fs::create_dir_all(target.join("keyed")).unwrap();
        let client = builder().journal_with(journal.clone()).build().unwrap();
        assert_eq!(client.videos().spending(None).await.unwrap(), [], "{name}");
        spend(&emulator, &client, &target, None).await;
        let lines = client.videos().spending(None).await.unwrap();
        assert_eq!(sums(&lines), [3, 250_000, 100_000, 1, 1, 1], "{name}: {lines:?}");
        // Keys are kept after their end: the same again, in entries instead of sums.
        spend(&emulator, &client, &target.join("keyed"), Some("key")).await;
        let lines = client.videos().spending(None).await.unwrap();
        assert_eq!(sums(&lines), [6, 500_000, 200_000, 2, 2, 2], "{name}: {lines:?}");
        assert!(lines.iter().all(|line| line.model == "grok-image-video" && line.day.as_str() > "2026"));
        assert_eq!(client.videos().spending(Some("9999-01-01")).await.unwrap(), []);
        let error = client.videos().spending(Some("yesterday")).await.unwrap_err();
        assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::InvalidRequest, Some("since")));
        let known = client.videos().key("key/saved").await.unwrap().unwrap();
        assert_eq!(known.charged_units, Some(150_000));
        // Another client of the same journal knows it as well, and a video that is there costs nothing again.
        let again = builder().journal_with(journal.clone()).build().unwrap();
        let task = again.videos().create(request(6).key("key/saved")).await.unwrap();
        assert_eq!((task.is_reused(), task.charged_units()), (true, Some(150_000)));
        assert_eq!(sums(&again.videos().spending(None).await.unwrap()), [6, 500_000, 200_000, 2, 2, 2]);
    }
}

/// A wait in steps notes what a failed task was charged, as a wait in one go does.
#[tokio::test]
async fn a_wait_in_steps_knows_what_a_failed_task_was_charged() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::builder().api_key(KEY).time_scale(600.0).start().unwrap();
    emulator
        .set_scenario_json(r#"{"api":{"version":"newer"},"task":{"outcome":"failure","ends_after_polls":2}}"#)
        .unwrap();
    let client = || {
        let journal = folder.path().join("journal");
        builder(&emulator).poll_interval(Duration::from_millis(20)).journal(journal).build().unwrap()
    };
    let task = client().videos().create(request(6)).await.unwrap();
    let mut kept = task.wait_state().unwrap().to_string();
    let error = loop {
        // Each step is another process.
        match client().videos().advance(kept.parse().unwrap()).await {
            Ok(Advance::Later { state, retry_after }) => {
                kept = state.to_string();
                tokio::time::sleep(retry_after).await;
            }
            Ok(Advance::Done(video)) => panic!("{video:?}"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::TaskFailed, "{error}");
    let lines = client().videos().spending(None).await.unwrap();
    assert_eq!(sums(&lines), [1, 150_000, 150_000, 1, 0, 0], "{lines:?}");
}
