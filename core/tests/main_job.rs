//! The main job over real HTTP: create, wait, save, verified; and the faults around it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use junfeiai::{Client, TaskStatus, VideoRequest};
use junfeiai_emulator::Emulator;

fn client(emulator: &Emulator) -> Client {
    Client::builder()
        .api_key("sk-test")
        .endpoint(emulator.base_url())
        .poll_interval(Duration::from_millis(20))
        .build()
        .unwrap()
}

#[tokio::test]
async fn create_wait_save() {
    let emulator = Emulator::builder().api_key("sk-test").time_scale(600.0).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let client = client(&emulator);
    let task = client.videos().create(VideoRequest::new("a red ball").seconds(6).size("1280x720")).await.unwrap();
    assert!(task.warnings().is_empty(), "{:?}", task.warnings());
    assert_eq!(task.billed_seconds(), Some(6.0));
    let video = task.wait().await.unwrap();
    let summary = video.save(folder.path().join("ball.mp4")).sha256(true).await.unwrap();
    assert_eq!((summary.width, summary.height), (Some(1280), Some(720)));
    assert_eq!(summary.duration.unwrap().as_secs_f64().round() as u32, 6);
    assert_eq!(std::fs::read(&summary.path).unwrap(), emulator.video_bytes(task.id()).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the video");
    assert_eq!(client.videos().get(task.id()).await.unwrap().status(), TaskStatus::Succeeded);
    assert_eq!(video.bytes().await.unwrap(), emulator.video_bytes(task.id()).unwrap());
    assert_eq!(video.read_range(4..8).await.unwrap(), "ftyp");
}

#[test]
fn a_client_in_several_runtimes() {
    let emulator = Emulator::builder().api_key("sk-test").time_scale(600.0).start().unwrap();
    let client = client(&emulator);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let task = first.block_on(client.videos().create(VideoRequest::new("a red ball").seconds(6))).unwrap();
    first.block_on(client.videos().get(task.id())).unwrap();
    // Nobody turns the first runtime now: its connection would never answer.
    let second = runtime();
    let again = second.block_on(async {
        let videos = client.videos();
        tokio::time::timeout(Duration::from_secs(20), videos.get(task.id())).await
    });
    assert_eq!(again.unwrap().unwrap().id(), task.id());
    drop(first);
    second.block_on(client.videos().get(task.id())).unwrap();
}

#[test]
fn a_save_on_a_runtime_of_several_threads() {
    let emulator = Emulator::builder().api_key("sk-test").time_scale(600.0).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ball.mp4");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let client = client(&emulator);
    let summary = runtime.block_on(async {
        let video = client.videos().generate(VideoRequest::new("a red ball").seconds(6)).await.unwrap();
        let first = video.save(&path).sha256(true).await.unwrap();
        let error = video.save(&path).await.unwrap_err();
        assert_eq!(error.kind(), junfeiai::ErrorKind::FileExists);
        assert_eq!(video.save(&path).overwrite(true).sha256(true).await.unwrap().sha256, first.sha256);
        first
    });
    assert_eq!(std::fs::metadata(&path).unwrap().len(), summary.bytes);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the video");
}
