//! What the check refuses, and what servers do that looks like another file: the bytes are read once, and stay in reach.
#![cfg(feature = "native")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clock;

use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use clock::Clock;
use futures_util::{StreamExt as _, stream};
use junfeiai::async_compat::BoxFuture;
use junfeiai::transport::{Headers, HttpRequest, HttpResponse, Transport, TransportError};
use junfeiai::{Client, Error, ErrorKind, Save, Video};

fn file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mp4").join(name)).unwrap()
}

/// `Range` of each request, and how many bytes of its body were taken.
type Seen = Arc<Mutex<Vec<(Option<String>, usize)>>>;

/// A server of one file.
#[derive(Default)]
struct Server {
    file: Vec<u8>,
    /// Each connection brings at most so much, and then ends as if that were all.
    brings: Option<usize>,
    no_length: bool,
    ignores_range: bool,
    content_type: Option<&'static str>,
    /// Bodies come byte by byte.
    crumbs: bool,
    /// The tag of an answer, by its number.
    etag: Option<fn(usize) -> String>,
    seen: Seen,
}

impl Transport for Server {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let range = request.headers.iter().find(|(name, _)| *name == "Range").map(|(_, value)| value.clone());
        let number = self.seen.lock().unwrap().len();
        self.seen.lock().unwrap().push((range.clone(), 0));
        let asked = range.filter(|_| !self.ignores_range).map(|text| {
            let (start, end) = text.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            let end = end.parse::<usize>().map_or(self.file.len(), |last| (last + 1).min(self.file.len()));
            start.parse::<usize>().unwrap()..end
        });
        let part = asked.clone().unwrap_or(0..self.file.len());
        let mut headers = Headers::new();
        headers.push("Content-Type", self.content_type.unwrap_or("video/mp4"));
        if let Some(etag) = self.etag {
            headers.push("ETag", etag(number));
        }
        let status = match &asked {
            Some(asked) if asked.start >= self.file.len() => 416,
            Some(_) => 206,
            None => 200,
        };
        let mut body = self.file.get(part.clone()).unwrap_or_default().to_vec();
        if status == 206 {
            let total = if self.no_length { "*".to_owned() } else { self.file.len().to_string() };
            headers.push("Content-Range", format!("bytes {}-{}/{total}", part.start, part.end - 1));
        }
        if !self.no_length {
            headers.push("Content-Length", body.len().to_string());
        }
        body.truncate(self.brings.unwrap_or(usize::MAX));
        let seen = self.seen.clone();
        let pieces: Vec<Bytes> = body.chunks(if self.crumbs { 1 } else { 1000 }).map(Bytes::copy_from_slice).collect();
        let pieces = stream::iter(pieces).map(move |piece| {
            seen.lock().unwrap()[number].1 += piece.len();
            Ok(piece)
        });
        Box::pin(async move { Ok(HttpResponse { status, headers, body: Box::pin(pieces) }) })
    }
}

/// One call in virtual time, and what the server saw.
struct Case {
    clock: Clock,
    seen: Seen,
    video: Video,
    folder: tempfile::TempDir,
}

impl Case {
    fn new(server: Server) -> Self {
        let (clock, seen) = (Clock::default(), server.seen.clone());
        let client = Client::builder()
            .api_key("sk-1")
            .transport(Arc::new(server))
            .timer(Arc::new(clock.clone()))
            .build()
            .unwrap();
        let video = client.videos().video_of("task_1", "https://junfeiai.com/v1/videos/task_1/content").unwrap();
        Self { clock, seen, video, folder: tempfile::tempdir().unwrap() }
    }

    fn save(&self) -> Save {
        self.video.save(self.folder.path().join("ball.mp4"))
    }

    fn run<T>(&self, call: impl std::future::IntoFuture<Output = Result<T, Error>>) -> Result<T, Error> {
        self.clock.run(call.into_future()).expect("it waits for ever")
    }

    fn saved(&self) -> Vec<u8> {
        std::fs::read(self.folder.path().join("ball.mp4")).unwrap()
    }

    /// Requests, and bytes of bodies.
    fn cost(&self) -> (usize, usize) {
        let seen = std::mem::take(&mut *self.seen.lock().unwrap());
        (seen.len(), seen.iter().map(|(_, bytes)| bytes).sum())
    }
}

#[test]
fn a_refused_file_is_read_once_named_and_to_be_had_unchecked() {
    let tag: fn(usize) -> String = |_| "\"a\"".to_owned();
    for etag in [None, Some(tag)] {
        let bytes = file("stts_zeroed.mp4");
        let case = Case::new(Server { file: bytes.clone(), etag, ..Server::default() });
        let error = case.run(case.save()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        let shown = error.to_string();
        for part in ["'stts' box", "ball.mp4.part", "save with verify off, which sends no request", "task_1"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        let (requests, read) = case.cost();
        assert!((2..=7).contains(&requests) && read == bytes.len(), "{requests} requests, {read} bytes");
        // Again with the check: a look whether the server has another one by now.
        let error = case.run(case.save()).unwrap_err();
        assert!(error.to_string().contains("'stts' box"));
        assert_eq!(case.cost(), (1, 0));
        let summary = case.run(case.save().verify(false)).unwrap();
        assert_eq!((summary.bytes, summary.attempts), (bytes.len() as u64, 0));
        assert_eq!(case.cost(), (0, 0));
        assert_eq!(case.saved(), bytes);
    }
}

#[test]
fn the_length_of_a_refused_file_may_have_been_found_out() {
    let bytes = file("stts_zeroed.mp4");
    let case = Case::new(Server { file: bytes.clone(), no_length: true, ..Server::default() });
    let error = case.run(case.save()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    assert_eq!(case.cost().1, bytes.len());
    case.run(case.save().verify(false)).unwrap();
    assert_eq!(case.cost(), (0, 0));
    assert_eq!(case.saved(), bytes);
}

#[test]
fn a_wrong_content_type_alone_refuses_nothing() {
    let bytes = file("ok_plain.mp4");
    let server = || Server { file: bytes.clone(), content_type: Some("text/html"), ..Server::default() };
    for (brings, crumbs) in [(None, false), (Some(7000), false), (None, true)] {
        let case = Case::new(Server { brings, crumbs, ..server() });
        case.run(case.save()).unwrap();
        assert_eq!(case.saved(), bytes);
    }
    let page = b"<html>no</html>".to_vec();
    for (file, verify, crumbs) in [
        (page.clone(), true, false),
        (page.clone(), false, false),
        (page, false, true),
        (b"{}".to_vec(), false, false),
        (Vec::new(), false, false),
    ] {
        let case = Case::new(Server { file, crumbs, ..server() });
        let error = case.run(case.save().verify(verify)).unwrap_err();
        // The task was asked for another link, which this server answers with its page as well.
        assert_eq!(error.kind(), ErrorKind::UnexpectedResponse, "{error}");
        assert_eq!(std::fs::read_dir(case.folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn tags_that_differ_between_nodes_end_in_a_saved_file() {
    let bytes = file("ok_plain.mp4");
    for ignores_range in [false, true] {
        // Where everything comes again each time, a connection has to bring more than the one before.
        let brings = if ignores_range { None } else { Some(5000) };
        let tag: fn(usize) -> String = |number| format!("\"{}\"", number % 2);
        let etag = Some(tag);
        let case = Case::new(Server { file: bytes.clone(), brings, etag, ignores_range, ..Server::default() });
        let summary = case.run(case.save().connections(4)).unwrap();
        assert_eq!(case.saved(), bytes);
        assert_eq!(summary.bytes, bytes.len() as u64);
    }
}

#[test]
fn where_no_save_can_finish_it_is_said() {
    for no_length in [false, true] {
        let server = Server {
            file: file("ok_plain.mp4"),
            brings: Some(9000),
            no_length,
            ignores_range: true,
            ..Server::default()
        };
        let case = Case::new(server);
        let error = case.run(case.save()).unwrap_err();
        let text = "the server ignores Range and ends every connection after 9000 bytes, so that no save can finish";
        assert!(error.to_string().contains(text), "{error}");
        assert!(case.cost().0 <= 8);
    }
}

#[test]
fn a_fragmented_file_without_a_length_is_looked_behind() {
    let bytes = file("ok_frag_styp.mp4");
    // A clean end between two fragments, as when the upstream broke off.
    let border = file("cut_frag_2of4.mp4").len();
    for brings in [border, bytes.len()] {
        let case =
            Case::new(Server { file: bytes.clone(), brings: Some(brings), no_length: true, ..Server::default() });
        case.run(case.save()).unwrap();
        assert_eq!(case.saved(), bytes);
    }
}

/// A short body that ends cleanly, where nothing tells but the boxes.
#[test]
fn streams_readers_and_parts_notice_a_cut_box() {
    let bytes = file("ok_plain.mp4");
    let cut = |brings| Server {
        file: bytes.clone(),
        brings: Some(brings),
        no_length: true,
        ignores_range: true,
        ..Server::default()
    };
    let all = |video: Video| async move {
        let mut pieces = video.stream();
        let mut read = Vec::new();
        while let Some(piece) = pieces.next().await {
            read.extend_from_slice(&piece?);
        }
        Ok(read)
    };
    let reader = |video: Video| async move {
        let mut reader = video.open().await?;
        let mut read = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match reader.read(&mut buffer).await? {
                0 => return Ok(read),
                length => read.extend_from_slice(&buffer[..length]),
            }
        }
    };
    let short = 9000;
    for what in 0..4 {
        for brings in [short, bytes.len()] {
            let case = Case::new(cut(brings));
            let video = case.video.clone();
            let result = match what {
                0 => case.run(all(video)),
                1 => case.run(reader(video)),
                2 => case.run(async move { video.read_range(0..1 << 20).await.map(Vec::from) }),
                _ => case.run(async move {
                    video.read_range(1000..1 << 20).await.map(|read| [&file("ok_plain.mp4")[..1000], &read].concat())
                }),
            };
            match result {
                Ok(read) => assert_eq!((brings, &read), (bytes.len(), &bytes), "{what}"),
                Err(error) => {
                    assert_eq!((brings, error.kind()), (short, ErrorKind::Integrity), "{what}: {error}");
                    assert!(error.to_string().contains("the video ends in its 'mdat' box: 9000 bytes came"), "{error}");
                }
            }
        }
    }
    // What lies before the cut can be read.
    let case = Case::new(cut(short));
    let video = case.video.clone();
    assert_eq!(case.run(async move { video.read_range(100..8000).await }).unwrap(), bytes[100..8000]);
    assert!(case.clock.run(async { case.video.bytes().await }).unwrap().is_err());
}
