//! What is said about a body does not depend on how the connection cuts it into pieces.
#![cfg(feature = "native")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use junfeiai::async_compat::BoxFuture;
use junfeiai::transport::{Failure, Headers, HttpRequest, HttpResponse, Transport, TransportError};
use junfeiai::{Client, DownloadPolicy, Error, ErrorKind, MemorySink, Phase, Video};

const TOTAL: usize = 100_000;

/// Gives zeros behind the beginning of an MP4, in pieces of one size.
struct Pieces {
    size: usize,
    says_length: bool,
}

impl Transport for Pieces {
    fn send(&self, _: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let mut whole = b"\0\0\0\x18ftypisom\0\0\0\0isommp42".to_vec();
        whole.resize(TOTAL, 0);
        let pieces: Vec<_> = whole.chunks(self.size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let mut headers = Headers::new();
        headers.push("Content-Type", "video/mp4");
        if self.says_length {
            headers.push("Content-Length", TOTAL.to_string());
        }
        Box::pin(async { Ok(HttpResponse { status: 200, headers, body: Box::pin(stream::iter(pieces)) }) })
    }
}

fn video(size: usize, says_length: bool) -> Video {
    let transport = Arc::new(Pieces { size, says_length });
    let client = Client::builder().api_key("sk-1").transport(transport).build().unwrap();
    client.videos().video_of("task_1", "https://junfeiai.com/v1/videos/task_1/content").unwrap()
}

#[tokio::test]
async fn too_long_a_video_is_refused_in_the_same_words() {
    for says_length in [true, false] {
        let mut texts = Vec::new();
        for size in [1, 777, 9_999, 10_000, 10_001, 65_536, TOTAL] {
            let error = video(size, says_length).bytes_up_to(10_000).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert_eq!(error.record().field.as_deref(), Some("max_bytes"));
            assert_eq!(error.task_id(), Some("task_1"));
            texts.push(error.to_string());
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert_eq!(texts.concat().contains("100000"), says_length, "{texts:?}");
    }
}

/// Memory that has no room for more than so many bytes.
struct Small(Arc<Mutex<Vec<u8>>>, usize);

impl MemorySink for Small {
    fn write(&mut self, at: u64, bytes: &[u8], length: Option<u64>) -> Result<(), Error> {
        assert_eq!(length, Some(TOTAL as u64));
        if at as usize + bytes.len() > self.1 {
            return Err(Error::new(ErrorKind::Io, Phase::Content, "there is no room"));
        }
        self.0.lock().unwrap().write(at, bytes, length)
    }

    fn clear(&mut self) {
        self.0.lock().unwrap().clear();
    }

    fn read(&self, at: u64, length: usize) -> Result<Bytes, Error> {
        MemorySink::read(&*self.0.lock().unwrap(), at, length)
    }
}

#[tokio::test]
async fn a_sink_that_is_full_ends_the_read_with_its_error() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = told.clone();
    let tell = move |bytes, total| seen.lock().unwrap().push((bytes, total));
    let result = video(1000, true).bytes_into(Small(kept.clone(), 5_500), TOTAL, tell).await;
    let error = result.err().expect("it has no room");
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::Io, Some("task_1")));
    assert_eq!(kept.lock().unwrap().len(), 5_000);
    let total = Some(TOTAL as u64);
    assert_eq!(*told.lock().unwrap(), (1..=5).map(|times| (times * 1000, total)).collect::<Vec<_>>());
}

/// Memory that cannot be read again.
struct Gone;

impl MemorySink for Gone {
    fn write(&mut self, _: u64, _: &[u8], _: Option<u64>) -> Result<(), Error> {
        Ok(())
    }

    fn clear(&mut self) {}

    fn read(&self, _: u64, _: usize) -> Result<Bytes, Error> {
        Err(Error::new(ErrorKind::Io, Phase::Content, "it is gone"))
    }
}

#[tokio::test]
async fn a_sink_that_cannot_be_read_ends_the_check_with_its_error() {
    let result = video(1000, true).bytes_into(Gone, TOTAL, |_, _| {}).await;
    let error = result.err().expect("it is gone");
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::Io, Some("task_1")));
}

/// Gives a file without a length, breaks that off, and then gives what is asked for without saying which part it is.
struct Hidden {
    size: usize,
    /// A part is the whole file nevertheless.
    whole: bool,
    says_length: bool,
    asked: Mutex<Vec<Option<String>>>,
}

const CUT: usize = 60_000;

fn beginning_twice() -> Vec<u8> {
    let mut whole = b"\0\0\0\x18ftypisom\0\0\0\0isommp42".to_vec();
    whole.extend((whole.len()..TOTAL).map(|at| (at % 251) as u8));
    whole
}

impl Transport for Hidden {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let range = request.headers.iter().find(|(name, _)| *name == "Range").map(|(_, range)| range.clone());
        let mut asked = self.asked.lock().unwrap();
        let first = asked.is_empty();
        asked.push(range.clone());
        let part = range.as_ref().map(|range| {
            let (start, end) = range.trim_start_matches("bytes=").split_once('-').unwrap();
            start.parse().unwrap()..end.parse::<usize>().map_or(TOTAL, |end| end + 1)
        });
        let behind = part.as_ref().is_some_and(|part| part.start >= TOTAL);
        let status = if behind {
            416
        } else if part.is_some() {
            206
        } else {
            200
        };
        let body = &beginning_twice()[part.filter(|_| !self.whole).unwrap_or(0..TOTAL)];
        let mut headers = Headers::new();
        if !first && (self.says_length || range.is_none()) {
            headers.push("Content-Length", body.len().to_string());
        }
        let end = if first { CUT.min(body.len()) } else { body.len() };
        let mut pieces: Vec<_> = body[..end].chunks(self.size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        if first && end < body.len() {
            pieces.push(Err(TransportError::new(Failure::Lost, "cut")));
        }
        Box::pin(async move { Ok(HttpResponse { status, headers, body: Box::pin(stream::iter(pieces)) }) })
    }
}

impl Hidden {
    fn new(size: usize, whole: bool, says_length: bool) -> Arc<Self> {
        Arc::new(Self { size, whole, says_length, asked: Mutex::default() })
    }

    fn video(self: &Arc<Self>) -> Video {
        let client = Client::builder().api_key("sk-1").transport(self.clone()).build().unwrap();
        client.videos().video_of("task_1", "https://junfeiai.com/v1/videos/task_1/content").unwrap()
    }
}

/// A server that calls the whole file the rest of it: its bytes are not put behind those that are there.
#[tokio::test]
async fn a_part_that_begins_as_the_whole_file_is_not_taken_for_the_rest() {
    for size in [1, 7, 8, 9, TOTAL] {
        for says_length in [true, false] {
            for whole in [true, false] {
                let server = Hidden::new(size, whole, says_length);
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("v.mp4");
                let policy = DownloadPolicy {
                    verify: false,
                    base: std::time::Duration::from_millis(1),
                    ..DownloadPolicy::default()
                };
                server.video().save(&path).policy(policy).await.unwrap();
                assert!(std::fs::read(&path).unwrap() == beginning_twice(), "{size} {says_length} {whole}");
                let ranges = server.asked.lock().unwrap().clone();
                assert_eq!(ranges[..2], [None, Some(format!("bytes={CUT}-"))]);
                assert_eq!(ranges.get(2).is_some_and(Option::is_none), whole, "{ranges:?}");
            }
        }
    }
}

/// So few bytes are no beginning, however they come.
#[tokio::test]
async fn a_short_part_that_does_not_say_where_it_belongs_is_given() {
    let whole = beginning_twice();
    for size in [1, 3, 100] {
        for says_length in [true, false] {
            for range in [99_995..100_000, 500..503, 5..6, 1000..1100] {
                let server = Hidden::new(size, false, says_length);
                let read = server.video().read_range(range.start as u64..range.end as u64).await.unwrap();
                assert!(read == whole[range.clone()], "{size} {says_length} {range:?}");
            }
        }
    }
}
