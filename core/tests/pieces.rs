//! What is said about a body does not depend on how the connection cuts it into pieces.
#![cfg(feature = "native")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use junfeiai::async_compat::BoxFuture;
use junfeiai::transport::{Headers, HttpRequest, HttpResponse, Transport, TransportError};
use junfeiai::{Client, Error, ErrorKind, MemorySink, Phase, Video};

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
