//! Reading here and there in a video: the same bytes whatever happens, and few requests.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use junfeiai::{Client, Error, ErrorKind, ReaderOptions, Video, VideoReader, blocking};
use junfeiai_emulator::{Emulator, RecordedRequest, TaskPlan, TaskSpec};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeek, AsyncSeekExt};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn emulator() -> Emulator {
    Emulator::builder().api_key("sk-test").time_scale(600.0).start().unwrap()
}

fn client(emulator: &Emulator) -> Client {
    Client::builder().api_key("sk-test").endpoint(emulator.base_url()).build().unwrap()
}

/// A finished task with a file of about this size.
fn video(emulator: &Emulator, bytes: u64, moov_at_end: bool) -> (String, Video) {
    let plan = TaskPlan { video_bytes: Some(bytes), moov_at_end, ..TaskPlan::default() };
    let task = emulator.add_task(TaskSpec { plan, ..TaskSpec::default() });
    let url = format!("{}/videos/{task}/content", emulator.base_url());
    (task, client(emulator).videos().video_at(&url).unwrap())
}

fn content_requests(emulator: &Emulator) -> Vec<RecordedRequest> {
    emulator.requests().into_iter().filter(|request| request.path.ends_with("/content")).collect()
}

fn ranges(emulator: &Emulator) -> Vec<Option<String>> {
    content_requests(emulator).into_iter().map(|request| request.range).collect()
}

async fn read_exactly(reader: &mut VideoReader, length: usize) -> junfeiai::Result<Vec<u8>> {
    let mut all = vec![0; length];
    let mut done = 0;
    while done < length {
        match reader.read(&mut all[done..]).await? {
            0 => break,
            more => done += more,
        }
    }
    all.truncate(done);
    Ok(all)
}

async fn read_at(reader: &mut VideoReader, at: u64, length: usize) -> junfeiai::Result<Vec<u8>> {
    reader.seek(SeekFrom::Start(at)).await?;
    read_exactly(reader, length).await
}

#[tokio::test]
async fn reading_through_is_one_long_request() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 20 * MIB, false);
    let mut reader = video.open().await.unwrap();
    let size = reader.size().await.unwrap();
    let all = read_exactly(&mut reader, size as usize + 1).await.unwrap();
    assert!(all == emulator.video_bytes(&task).unwrap(), "other bytes");
    assert_eq!(reader.position(), size);
    let rest = format!("bytes=262144-{}", size - 1);
    assert_eq!(ranges(&emulator), [Some("bytes=0-262143".into()), Some(rest)]);
    let sent: u64 = content_requests(&emulator).iter().map(|request| request.sent_bytes).sum();
    assert_eq!(sent, size, "no byte came twice");
}

/// What a demuxer does: the boxes at the head, `moov` at the end, the first frame.
#[tokio::test]
async fn the_first_frame_of_a_large_file_with_moov_at_the_end() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 200 * MIB, true);
    let begun = Instant::now();
    let mut reader = video.open().await.unwrap();
    let mut at = 0;
    let moov = loop {
        let head = read_at(&mut reader, at, 16).await.unwrap();
        let short = u64::from(u32::from_be_bytes(head[..4].try_into().unwrap()));
        let size = if short == 1 { u64::from_be_bytes(head[8..].try_into().unwrap()) } else { short };
        if &head[4..8] == b"moov" {
            break read_at(&mut reader, at, size as usize).await.unwrap();
        }
        at += size;
    };
    let size = reader.size().await.unwrap();
    assert!(at > 199 * MIB && at + moov.len() as u64 == size);
    // The first chunk of the first track: where its first frame is.
    let stco = moov.windows(4).position(|name| name == b"stco").map(|at| (at, 4));
    let (table, width) = stco.or_else(|| moov.windows(4).position(|name| name == b"co64").map(|at| (at, 8))).unwrap();
    let first = &moov[table + 12..table + 12 + width];
    let first = first.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
    // A picture of 1 MiB is far more than such a file has.
    let frame = read_at(&mut reader, first, MIB as usize).await.unwrap();
    assert_eq!(frame, emulator.video_range(&task, first, MIB as usize).unwrap());
    let requests = content_requests(&emulator);
    let sent: u64 = requests.iter().map(|request| request.sent_bytes).sum();
    let connections: std::collections::BTreeSet<u64> = requests.iter().map(|request| request.connection).collect();
    println!(
        "moov ({} bytes) and 1 MiB of the first frame: {} requests {:?}, {sent} bytes sent, {} connections, {:?}",
        moov.len(),
        requests.len(),
        ranges(&emulator),
        connections.len(),
        begun.elapsed(),
    );
    assert!(requests.len() <= 3, "{:?}", ranges(&emulator));
    assert!(sent <= 2 * MIB, "{sent} bytes");
    assert_eq!(connections.len(), 1, "parts that were read to their end leave the connection usable");
    // It is all in the cache still.
    read_at(&mut reader, at, 100).await.unwrap();
    read_at(&mut reader, 0, 100).await.unwrap();
    assert_eq!(content_requests(&emulator).len(), requests.len());
}

#[tokio::test]
async fn seeks_that_cost_nothing() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 10 * MIB, false);
    let file = emulator.video_bytes(&task).unwrap();
    let mut reader = video.open().await.unwrap();
    let size = reader.size().await.unwrap();
    assert_eq!(size, file.len() as u64);
    assert_eq!(reader.seek(SeekFrom::End(-5)).await.unwrap(), size - 5);
    assert_eq!(reader.seek(SeekFrom::Current(100)).await.unwrap(), size + 95);
    assert_eq!(reader.read(&mut [0; 10]).await.unwrap(), 0, "behind the end there is nothing");
    assert_eq!(reader.seek(SeekFrom::Start(1000)).await.unwrap(), 1000);
    let error = reader.seek(SeekFrom::Current(-1001)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(reader.position(), 1000, "a seek that fails moves nothing");
    assert_eq!(read_exactly(&mut reader, 100).await.unwrap(), file[1000..1100]);
    assert_eq!(read_at(&mut reader, 4, 4).await.unwrap(), b"ftyp");
    assert_eq!(reader.read(&mut []).await.unwrap(), 0);
    assert_eq!(content_requests(&emulator).len(), 1);
}

async fn wander(reader: &mut VideoReader, emulator: &Emulator, task: &str, seed: u64, steps: u32) {
    let size = reader.size().await.unwrap();
    let mut state = seed;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for step in 0..steps {
        let at = match random(3) {
            0 => random(size + 1000),
            1 => (reader.position() + random(300_000)).min(size),
            _ => reader.position().saturating_sub(random(300_000)),
        };
        let length = 1 + random(200_000) as usize;
        let got = read_at(reader, at, length).await.unwrap_or_else(|error| panic!("seed {seed} step {step}: {error}"));
        let expected = emulator.video_range(task, at, length).unwrap();
        assert!(got == expected, "seed {seed} step {step}: other bytes at {at}+{length}");
    }
}

#[tokio::test]
async fn random_seeks_with_faults_give_the_same_bytes() {
    let options = || ReaderOptions { block_bytes: 16 * 1024, blocks: 8, read_ahead: 32 * KIB, ..Default::default() };
    let one = |seed: u64| async move {
        let emulator = emulator();
        let (task, video) = video(&emulator, 3 * MIB, seed < 3);
        let chaos = r#"{"cut":0.15,"reset":0.1,"ignore_range":0.1,"status_502":0.03,"wrong_range":0.02}"#;
        emulator.set_scenario_json(&format!(r#"{{"seed":{seed},"chaos":{{"content":{chaos}}}}}"#)).unwrap();
        let mut reader = video.open_with(options()).await.unwrap();
        wander(&mut reader, &emulator, &task, seed, 25).await;
    };
    // At the same time, since they spend theirs in pauses.
    tokio::join!(one(0), one(1), one(2), one(3), one(4), one(5));
}

#[tokio::test]
async fn servers_that_do_less() {
    for content in [
        r#"{"range":"ignore"}"#,
        r#"{"range":"no_content_range"}"#,
        r#"{"range":"ignore","content_length":false,"etag":"none","last_modified":false}"#,
        r#"{"content_length":false,"etag":"weak"}"#,
        r#"{"range":"no_content_range","content_length":false,"past_end":416}"#,
    ] {
        let emulator = emulator();
        // One of them ends where the first part does.
        for bytes in [256 * KIB, 3 * MIB] {
            let (task, video) = video(&emulator, bytes, false);
            emulator.set_scenario_json(&format!(r#"{{"content":{content}}}"#)).unwrap();
            let file = emulator.video_bytes(&task).unwrap();
            let mut reader = video.open().await.unwrap();
            assert_eq!(read_at(&mut reader, file.len() as u64 + 1_000_000, 10).await.unwrap(), b"", "{content}");
            assert_eq!(reader.seek(SeekFrom::End(0)).await.unwrap(), file.len() as u64, "{content}");
            wander(&mut reader, &emulator, &task, 3, 8).await;
            let all = read_at(&mut reader, 0, file.len() + 1).await.unwrap();
            assert!(all == file, "{content}");
        }
    }
}

#[tokio::test]
async fn a_server_without_ranges_is_read_on_in_one_request() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 3 * MIB, false);
    emulator.set_scenario_json(r#"{"content":{"range":"ignore"}}"#).unwrap();
    let mut reader = video.open().await.unwrap();
    assert!(read_at(&mut reader, 0, 3 * MIB as usize + 1000).await.unwrap() == emulator.video_bytes(&task).unwrap());
    assert_eq!(content_requests(&emulator).len(), 1, "{:?}", ranges(&emulator));
}

#[tokio::test]
async fn part_of_a_file_from_a_server_without_ranges() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 3 * MIB, false);
    emulator.set_scenario_json(r#"{"content":{"range":"ignore"}}"#).unwrap();
    let file = emulator.video_bytes(&task).unwrap();
    assert_eq!(video.read_range(2_000_000..2_000_100).await.unwrap(), file[2_000_000..2_000_100]);
}

#[tokio::test]
async fn a_changed_file_is_never_mixed() {
    for (fault, again) in [("change_file", false), ("change_etag", false), ("change_file", true)] {
        let emulator = emulator();
        let (task, video) = video(&emulator, 5 * MIB, false);
        let old = emulator.video_bytes(&task).unwrap();
        let mut reader = video.open().await.unwrap();
        assert_eq!(read_exactly(&mut reader, 1000).await.unwrap(), old[..1000]);
        // The next request meets another file; in the last case it breaks off first, so that it changes on the way.
        let cut = r#"{"match":{"op":"content"},"times":1,"fault":{"kind":"cut_body","after_bytes":90000}},"#;
        let change = format!(r#"{{"match":{{"op":"content"}},"times":1,"fault":{{"kind":"{fault}"}}}}"#);
        emulator.set_scenario_json(&format!(r#"{{"rules":[{}{change}]}}"#, if again { cut } else { "" })).unwrap();
        reader.seek(SeekFrom::Start(3 * MIB)).await.unwrap();
        let mut got = Vec::new();
        let error = loop {
            let mut buf = [0; 5000];
            match reader.read(&mut buf).await {
                Ok(length) => got.extend_from_slice(&buf[..length]),
                Err(error) => break error,
            }
            assert!(got.len() < 2 * MIB as usize, "{fault}: nobody noticed");
        };
        assert!(got == old[3 * MIB as usize..][..got.len()], "{fault}: bytes of the other file");
        assert_eq!(got.len(), if again { 90_000 } else { 0 });
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
        let before = content_requests(&emulator).len();
        reader.seek(SeekFrom::Start(0)).await.unwrap();
        assert_eq!(reader.read(&mut [0; 10]).await.unwrap_err().kind(), ErrorKind::Integrity, "and it stays");
        assert_eq!(content_requests(&emulator).len(), before);
    }
}

#[tokio::test]
async fn one_wrong_answer_is_not_another_file() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 5 * MIB, false);
    let mut reader = video.open().await.unwrap();
    let fault = r#"{"rules":[{"match":{"op":"content"},"times":1,"fault":{"kind":"wrong_content_range","shift":7}}]}"#;
    emulator.set_scenario_json(fault).unwrap();
    let got = read_at(&mut reader, 3 * MIB, 1000).await.unwrap();
    assert_eq!(got, emulator.video_range(&task, 3 * MIB, 1000).unwrap());
}

#[tokio::test]
async fn after_an_error_the_next_read_tries_again() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 5 * MIB, false);
    let mut reader = video.open().await.unwrap();
    let fault = r#"{"kind":"error_shape","shape":"invalid_token"}"#;
    emulator
        .set_scenario_json(&format!(r#"{{"rules":[{{"match":{{"op":"content"}},"times":1,"fault":{fault}}}]}}"#))
        .unwrap();
    let error = read_at(&mut reader, 3 * MIB, 1000).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    let got = read_at(&mut reader, 3 * MIB, 1000).await.unwrap();
    assert_eq!(got, emulator.video_range(&task, 3 * MIB, 1000).unwrap());
}

#[tokio::test]
async fn a_slow_rest_does_not_hold_up_a_jump() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 5 * MIB, false);
    let stall = r#"{"rules":[{"match":{"op":"content"},"times":1,"fault":{"kind":"stall_body","after_bytes":50000}}]}"#;
    emulator.set_scenario_json(stall).unwrap();
    let mut reader = video.open().await.unwrap();
    // The body stays away for ever, and only after half a minute would it be given up.
    let jump = tokio::time::timeout(Duration::from_secs(20), read_at(&mut reader, 3 * MIB, 10)).await;
    assert_eq!(jump.unwrap().unwrap(), emulator.video_range(&task, 3 * MIB, 10).unwrap());
}

#[tokio::test]
async fn a_pause_ends_the_request_and_keeps_what_was_read() {
    let emulator = emulator();
    let (task, video) = video(&emulator, 20 * MIB, false);
    let file = emulator.video_bytes(&task).unwrap();
    let half = 2 * MIB as usize;
    let mut reader = video.open().await.unwrap();
    // After so much the whole rest is under way.
    assert!(read_at(&mut reader, 0, half).await.unwrap() == file[..half]);
    let (asked, open) = (content_requests(&emulator).len(), emulator.stats().open_connections);
    reader.pause();
    reader.pause();
    let paused = Instant::now();
    while emulator.stats().open_connections >= open {
        assert!(paused.elapsed() < Duration::from_secs(20), "the request is still under way");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(reader.size().await.unwrap(), file.len() as u64);
    assert_eq!(read_at(&mut reader, 2 * MIB - 1000, 1000).await.unwrap(), file[half - 1000..half]);
    assert_eq!(content_requests(&emulator).len(), asked, "it was at hand");
    assert!(read_at(&mut reader, 2 * MIB, file.len()).await.unwrap() == file[half..]);
    // Which file it has to be is still known.
    reader.pause();
    emulator.set_scenario_json(r#"{"rules":[{"match":{"op":"content"},"fault":{"kind":"change_file"}}]}"#).unwrap();
    let error = read_at(&mut reader, 4 * MIB, 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
}

#[tokio::test]
async fn a_task_whose_address_is_not_known_is_asked_once() {
    let emulator = emulator();
    let (task, _) = video(&emulator, 5 * MIB, false);
    let video = client(&emulator).videos().video(&task).unwrap();
    let mut reader = video.open().await.unwrap();
    wander(&mut reader, &emulator, &task, 5, 5).await;
    let queries = emulator.requests().iter().filter(|request| !request.path.ends_with("/content")).count();
    assert_eq!(queries, 1);
    assert!(client(&emulator).videos().video("task_unknown").unwrap().open().await.is_err());
}

#[tokio::test]
async fn tokio_traits() {
    async fn tail(mut reader: impl AsyncRead + AsyncSeek + Unpin + Send) -> std::io::Result<Vec<u8>> {
        reader.seek(SeekFrom::End(-300_000)).await?;
        let mut all = Vec::new();
        reader.read_to_end(&mut all).await?;
        Ok(all)
    }
    let emulator = emulator();
    let (task, video) = video(&emulator, 3 * MIB, false);
    let file = emulator.video_bytes(&task).unwrap();
    let mut reader = video.open().await.unwrap();
    let error = AsyncSeekExt::seek(&mut reader, SeekFrom::Current(-1)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    assert_eq!(AsyncSeekExt::stream_position(&mut reader).await.unwrap(), 0);
    assert!(tail(reader).await.unwrap() == file[file.len() - 300_000..]);
}

#[test]
fn the_blocking_reader() {
    let emulator = emulator();
    let (task, _) = video(&emulator, 3 * MIB, true);
    let file = emulator.video_bytes(&task).unwrap();
    let client = blocking::Client::build(Client::builder().api_key("sk-test").endpoint(emulator.base_url())).unwrap();
    let video = client.inner().videos().video(&task).unwrap();
    let mut reader = client.open(&video).unwrap();
    assert_eq!(reader.size().unwrap(), file.len() as u64);
    let mut whole = Vec::new();
    assert_eq!(std::io::copy(&mut reader, &mut whole).unwrap(), file.len() as u64);
    assert!(whole == file);
    assert_eq!(reader.stream_position().unwrap(), file.len() as u64);
    assert_eq!(content_requests(&emulator).len(), 2, "{:?}", ranges(&emulator));

    let mut reader = BufReader::new(client.open(&video).unwrap());
    let mut name = [0; 4];
    reader.seek(SeekFrom::Start(4)).unwrap();
    reader.read_exact(&mut name).unwrap();
    assert_eq!(&name, b"ftyp");
    reader.seek(SeekFrom::End(-2000)).unwrap();
    let mut end = Vec::new();
    reader.read_to_end(&mut end).unwrap();
    assert!(end == file[file.len() - 2000..]);
    assert_eq!(reader.seek(SeekFrom::Current(-1_000_000_000)).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);

    emulator.set_scenario_json(r#"{"rules":[{"match":{"op":"content"},"fault":{"kind":"change_file"}}]}"#).unwrap();
    reader.seek(SeekFrom::Start(1_500_000)).unwrap();
    let error = reader.read_exact(&mut name).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidData);
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).unwrap();
    assert_eq!((inner.kind(), inner.task_id()), (ErrorKind::Integrity, Some(task.as_str())));
}

/// What a player gets: status, headers by name, and the bytes.
async fn served(video: &Video, range: Option<&str>, total: Option<u64>) -> (u16, Vec<(&'static str, String)>, Vec<u8>) {
    let mut answer = video.serve(range, total).await.unwrap();
    let mut body = Vec::new();
    while let Some(piece) = answer.body.next().await {
        body.extend_from_slice(&piece.unwrap());
    }
    (answer.status, answer.headers, body)
}

#[tokio::test]
async fn a_player_is_answered_exactly_whatever_the_server_does() {
    for content in [
        "{}",
        r#"{"past_end":416}"#,
        r#"{"range":"ignore"}"#,
        r#"{"range":"no_content_range"}"#,
        r#"{"content_length":false,"etag":"weak"}"#,
    ] {
        let emulator = emulator();
        let (task, video) = video(&emulator, 256 * KIB, false);
        emulator.set_scenario_json(&format!(r#"{{"content":{content}}}"#)).unwrap();
        let file = emulator.video_bytes(&task).unwrap();
        let length = file.len() as u64;
        for known in [None, Some(length)] {
            for (range, start, end) in [
                ("bytes=0-1", 0, 2),
                ("bytes=4-", 4, length),
                ("bytes=-3", length - 3, length),
                (&*format!("bytes={}-", length - 1), length - 1, length),
                (&*format!("bytes=10-{}", length + 10), 10, length),
            ] {
                let (status, headers, body) = served(&video, Some(range), known).await;
                assert_eq!(status, 206, "{content} {range} {known:?}");
                assert!(body == file[start as usize..end as usize], "{content} {range} {known:?}");
                let said = format!("bytes {start}-{}/{length}", end - 1);
                assert!(headers.contains(&("Content-Range", said)), "{content} {range} {headers:?}");
            }
            // Behind the end, by one byte and by far: whoever asks learns how long the file is.
            for range in
                [format!("bytes={length}-"), "bytes=99999999999-".to_owned(), format!("bytes={length}-{length}")]
            {
                let (status, headers, body) = served(&video, Some(&range), known).await;
                assert_eq!((status, body.len()), (416, 0), "{content} {range} {known:?}");
                assert!(
                    headers.contains(&("Content-Range", format!("bytes */{length}"))),
                    "{content} {range} {headers:?}"
                );
            }
        }
        assert_eq!(served(&video, None, None).await.2, file, "{content}");
    }
    // Without ranges and without lengths there is only the whole, and no other bytes are called so.
    let emulator = emulator();
    let (task, video) = video(&emulator, 256 * KIB, false);
    emulator.set_scenario_json(r#"{"content":{"range":"ignore","content_length":false}}"#).unwrap();
    let file = emulator.video_bytes(&task).unwrap();
    for range in [None, Some("bytes=0-1"), Some("bytes=4-"), Some("bytes=-3"), Some("bytes=99999999999-")] {
        let (status, headers, body) = served(&video, range, None).await;
        assert!(status == 200 && body == file, "{range:?} {status} {}", body.len());
        assert!(headers.iter().all(|(name, _)| *name != "Content-Length"), "{range:?} {headers:?}");
    }
}
