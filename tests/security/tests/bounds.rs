//! What a server sends has bounds in memory, on the disk and in number, however it is sent.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use junfeiai::protocol::DownloadPolicy;
use junfeiai::{Client, ErrorKind};
use junfeiai_security::server::{Out, Seen, Server};
use junfeiai_security::{KEY, builder};

/// More than any answer may have; a reader without a bound would take it all.
const MUCH: u64 = 256 << 20;
/// What may be on its way in buffers of both sides when the reader hangs up.
const ON_THE_WAY: u64 = 24 << 20;

fn client(server: &Server) -> Client {
    builder(&format!("{}/v1", server.origin())).max_attempts(1).build().unwrap()
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";

async fn taken_of(handler: impl Fn(&Seen, &mut Out) + Send + Sync + 'static) -> (u64, ErrorKind) {
    let server = Server::start(handler);
    let error = client(&server).videos().get("task_1").await.unwrap_err();
    // What is still under way comes to its end when the connection is closed.
    let mut before = u64::MAX;
    while before != server.taken() {
        before = server.taken();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    (before, error.kind())
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    let piece = vec![b'x'; 1 << 20];
    let json = [b"{\"message\":\"".as_slice(), &piece].concat();
    for (name, first, again) in [
        ("one text", json, piece.clone()),
        ("white space", vec![b' '; 1 << 20], vec![b' '; 1 << 20]),
        ("many fields", b"{".to_vec(), b"\"a\":1,".repeat(100_000)),
        ("arrays in arrays", vec![b'['; 1 << 20], vec![b'['; 1 << 20]),
    ] {
        let (taken, kind) = taken_of(move |_, out| {
            out.write(OK);
            out.write(&first);
            out.endless(&again, MUCH);
        })
        .await;
        assert!(taken < ON_THE_WAY, "{name}: {taken} bytes");
        assert!(matches!(kind, ErrorKind::Connection | ErrorKind::UnexpectedResponse), "{name}: {kind:?}");
    }
}

#[tokio::test]
async fn endless_headers_and_chunks_are_cut_off() {
    let (taken, kind) = taken_of(|_, out| {
        out.write(b"HTTP/1.1 200 OK\r\n");
        out.endless(&b"X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(1000), MUCH);
    })
    .await;
    assert!(taken < ON_THE_WAY && kind == ErrorKind::Connection, "{taken} bytes, {kind:?}");
    let (taken, kind) = taken_of(|_, out| {
        out.write(b"HTTP/1.1 200 OK\r\nX-A: ");
        out.endless(&[b'a'; 1 << 14], MUCH);
    })
    .await;
    assert!(taken < ON_THE_WAY && kind == ErrorKind::Connection, "{taken} bytes, {kind:?}");
    // Chunks with much around little.
    let (taken, _) = taken_of(|_, out| {
        out.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        out.endless(&[b"1;x=".to_vec(), vec![b'y'; 200], b"\r\n{\r\n".to_vec()].concat().repeat(500), MUCH);
    })
    .await;
    assert!(taken < MUCH, "{taken} bytes");
}

#[tokio::test]
async fn answers_that_never_stop_to_begin_end_in_time() {
    let server = Server::start(|_, out| {
        out.endless(&b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(10), MUCH);
    });
    let client = builder(&format!("{}/v1", server.origin())).timeout(Duration::from_millis(800)).max_attempts(1);
    let error = client.build().unwrap().videos().get("task_1").await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Connection), "{error}");
}

#[tokio::test]
async fn deeply_nested_json_is_refused_without_harm() {
    for open in ["[", "{\"a\":", "{\"data\":[{\"b\":["] {
        let body = open.repeat(900_000 / open.len());
        let server = Server::start(move |_, out| out.json(&body));
        let client = client(&server);
        let error = client.videos().get("task_1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{error}");
        let error = client.videos().create("a red ball").await.unwrap_err();
        assert!(error.kind() == ErrorKind::CreateOutcomeUnknown && error.maybe_executed(), "{error}");
        assert!(client.models().await.is_err());
    }
}

/// Nothing is unpacked, so nothing can grow: a body that says it is packed is read as what it is.
#[tokio::test]
async fn packed_bodies_are_not_unpacked() {
    // 1 KiB of gzip that stands for a megabyte would begin like this.
    let bomb: Vec<u8> = [b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xec\xc1\x01\x0d\0".as_slice(), &[0; 1000]].concat();
    for encoding in ["gzip", "deflate", "br", "zstd", "gzip, gzip, gzip"] {
        let bomb = bomb.clone();
        let server = Server::start(move |request, out| {
            let asked = String::from_utf8_lossy(&request.bytes).to_ascii_lowercase();
            let asked = asked.lines().find(|line| line.starts_with("accept-encoding:")).map(str::to_owned);
            assert!(asked.is_none_or(|line| line.ends_with("identity")), "it asks for what it does not unpack");
            out.answer(200, &[("Content-Type", "application/json"), ("Content-Encoding", encoding)], &bomb);
        });
        let client = client(&server);
        let error = client.videos().get("task_1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{encoding}: {error}");
        let folder = tempfile::tempdir().unwrap();
        let hasty = DownloadPolicy { max_failures: 1, settle: Duration::ZERO, ..DownloadPolicy::default() };
        let save =
            client.videos().video_at(&format!("{}/v.mp4", server.origin())).unwrap().save(folder.path().join("v.mp4"));
        let _ = save.policy(hasty).await.unwrap_err();
        assert!(!folder.path().join("v.mp4").exists());
    }
}

#[tokio::test]
async fn an_error_body_for_a_video_is_cut_off() {
    let server = Server::start(|_, out| {
        out.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
        out.endless(&[b'x'; 1 << 14], MUCH);
    });
    let client = client(&server);
    let video = client.videos().video_at(&format!("{}/v.mp4", server.origin())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let hasty = DownloadPolicy { max_failures: 1, base: Duration::from_millis(1), ..DownloadPolicy::default() };
    assert_eq!(video.save(folder.path().join("v.mp4")).policy(hasty).await.unwrap_err().kind(), ErrorKind::Download);
    assert!(server.taken() < ON_THE_WAY, "{} bytes", server.taken());
}

/// A film without an end and without a length.
fn endless_film() -> Server {
    Server::start(|_, out| {
        out.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n\0\0\0\x10ftypisom\0\0\x02\0",
        );
        out.endless(&[0; 1 << 14], MUCH);
    })
}

#[tokio::test]
async fn a_video_without_an_end_fills_neither_memory_nor_disk() {
    let server = endless_film();
    let client = client(&server);
    let video = client.videos().video_at(&format!("{}/v.mp4", server.origin())).unwrap();
    let error = video.bytes_up_to(1 << 20).await.unwrap_err();
    assert_eq!(error.record().field.as_deref(), Some("max_bytes"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.mp4");
    let error = video.save(&path).max_bytes(1 << 20).await.unwrap_err();
    assert_eq!(error.record().field.as_deref(), Some("max_bytes"), "{error}");
    assert!(!path.exists());
    let kept: u64 =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(kept <= (1 << 20) + 4096, "{kept} bytes are on the disk");
    assert!(server.taken() < 2 * ON_THE_WAY, "{} bytes", server.taken());
    assert!(DownloadPolicy::default().max_bytes <= 16 << 30);
}

#[tokio::test]
async fn a_length_that_is_a_lie_takes_no_memory() {
    for length in ["18446744073709551615", "9223372036854775807", "99999999999999999999", "-1", "1e9"] {
        let server = Server::start(move |_, out| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {length}\r\n\r\n");
            out.write(head.as_bytes());
            out.write(b"\0\0\0\x10ftypisom\0\0\x02\0");
        });
        let client = client(&server);
        let video = client.videos().video_at(&format!("{}/v.mp4", server.origin())).unwrap();
        // A broken answer is asked for again and again: the first time is what counts.
        let read = tokio::time::timeout(Duration::from_millis(600), video.bytes_up_to(1 << 20)).await;
        assert!(!matches!(read, Ok(Ok(_))), "{length}");
        let folder = tempfile::tempdir().unwrap();
        let hasty = DownloadPolicy { max_failures: 1, base: Duration::from_millis(1), ..DownloadPolicy::default() };
        let save = video.save(folder.path().join("v.mp4")).policy(hasty).timeout(Duration::from_secs(5));
        save.await.unwrap_err();
        assert!(!folder.path().join("v.mp4").exists());
    }
    // The most memory that this process ever had, all the tests of this file together.
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        let most: u64 = most.unwrap().trim().parse().unwrap();
        assert!(most < 2 << 20, "{most} KiB");
    }
}

#[tokio::test]
async fn redirects_and_their_kind_are_counted() {
    let server = Server::start(|request, out| {
        let next = format!("{}x", request.path());
        out.answer(302, &[("Location", &next)], b"");
    });
    let client = client(&server);
    let error = client.videos().get("task_1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{error}");
    assert_eq!(server.seen().len(), 6, "one and five hops");
    // A create follows none at all.
    client.videos().create("a red ball").await.unwrap_err();
    assert_eq!(server.seen().len(), 7);
    assert!(KEY.len() > 6);
}
