//! A process is killed (SIGKILL) at every step of create → wait → save, and a later one goes on: no id is lost, and
//! nothing is posted twice.
//!
//! The child is this test program again ([`child_that_is_killed`]). A step stops it by standing still for ever at a
//! named place, and saying so on its output; then it is killed.
#![cfg(unix)]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::future::pending;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use junfeiai::async_compat::BoxFuture;
use junfeiai::journal::{Entry, Journal, Process, Record};
use junfeiai::platform::native::{HttpOptions, NativeTransport};
use junfeiai::transport::{HttpRequest, HttpResponse, Method, Transport, TransportError};
use junfeiai::{Client, FileJournal, Pending, Result, VideoRequest};
use junfeiai_emulator::Emulator;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const KEY: &str = "sk-crash-test";
const VIDEO_BYTES: u64 = 2_000_000;

// ---- the child ------------------------------------------------------------------------------------------------------

/// Where the child stands still.
#[derive(Clone, Debug, PartialEq)]
enum Stop {
    /// Nowhere.
    Never,
    /// Before or after the n-th record is written.
    Record(usize, bool),
    /// In the middle of writing the n-th record.
    TornRecord(usize),
    /// Before the POST is sent.
    Post,
    /// When the answer to the POST is there, but nobody has looked at it.
    Answer,
    /// Before the n-th query is sent.
    Query(usize),
    /// After so many bytes of the video.
    Body(u64),
}

impl Stop {
    fn to_text(&self) -> String {
        match self {
            Self::Never => "never".into(),
            Self::Record(n, false) => format!("before {n}"),
            Self::Record(n, true) => format!("after {n}"),
            Self::TornRecord(n) => format!("torn {n}"),
            Self::Post => "post".into(),
            Self::Answer => "answer".into(),
            Self::Query(n) => format!("query {n}"),
            Self::Body(n) => format!("body {n}"),
        }
    }

    fn from_text(text: &str) -> Self {
        let (word, number) = text.split_once(' ').unwrap_or((text, "0"));
        let number: usize = number.parse().unwrap();
        match word {
            "before" => Self::Record(number, false),
            "after" => Self::Record(number, true),
            "torn" => Self::TornRecord(number),
            "post" => Self::Post,
            "answer" => Self::Answer,
            "query" => Self::Query(number),
            "body" => Self::Body(number as u64),
            _ => Self::Never,
        }
    }
}

/// Says that the place is reached, and stays there.
async fn stand_still() {
    println!("\nSTANDS");
    std::io::stdout().flush().unwrap();
    pending::<()>().await;
}

struct StoppingJournal {
    file: FileJournal,
    path: PathBuf,
    stop: Stop,
    count: AtomicUsize,
}

impl Journal for StoppingJournal {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<()>> {
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        Box::pin(async move {
            if self.stop == Stop::Record(count, false) {
                stand_still().await;
            }
            if self.stop == Stop::TornRecord(count) {
                let line = record.to_line();
                let mut file = std::fs::OpenOptions::new().write(true).open(&self.path).unwrap();
                file.seek(SeekFrom::End(0)).unwrap();
                file.write_all(&line.as_bytes()[..line.len() / 2]).unwrap();
                stand_still().await;
            }
            self.file.append(record).await?;
            if self.stop == Stop::Record(count, true) {
                stand_still().await;
            }
            Ok(())
        })
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        self.file.entries()
    }

    fn process(&self) -> Option<Process> {
        self.file.process()
    }

    fn runs(&self, process: &Process) -> Option<bool> {
        self.file.runs(process)
    }
}

struct StoppingTransport {
    inner: Arc<NativeTransport>,
    stop: Stop,
    queries: AtomicUsize,
    bytes: Arc<AtomicU64>,
}

impl Transport for StoppingTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, std::result::Result<HttpResponse, TransportError>> {
        let (inner, stop, bytes) = (self.inner.clone(), self.stop.clone(), self.bytes.clone());
        let post = request.method == Method::Post;
        let content = request.url.to_string().contains("/content");
        let query = if post || content { 0 } else { self.queries.fetch_add(1, Ordering::SeqCst) + 1 };
        Box::pin(async move {
            if post && stop == Stop::Post || stop == Stop::Query(query) {
                stand_still().await;
            }
            let mut response = inner.send(request).await?;
            if post && stop == Stop::Answer {
                stand_still().await;
            }
            if content && let Stop::Body(limit) = stop {
                let body = response.body.then(move |piece| {
                    let bytes = bytes.clone();
                    async move {
                        let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
                        if bytes.fetch_add(length, Ordering::SeqCst) + length > limit {
                            stand_still().await;
                        }
                        piece
                    }
                });
                response.body = Box::pin(body);
            }
            Ok(response)
        })
    }
}

fn child_client(url: &str, path: &Path, stop: &Stop) -> Client {
    let journal = StoppingJournal {
        file: FileJournal::open(path).unwrap(),
        path: path.to_owned(),
        stop: stop.clone(),
        count: AtomicUsize::new(0),
    };
    let transport = StoppingTransport {
        inner: Arc::new(NativeTransport::new(HttpOptions::default()).unwrap()),
        stop: stop.clone(),
        queries: AtomicUsize::new(0),
        bytes: Arc::default(),
    };
    Client::builder()
        .api_key(KEY)
        .endpoint(url)
        .poll_interval(Duration::from_millis(15))
        .journal_with(Arc::new(journal))
        .transport(Arc::new(transport))
        .build()
        .unwrap()
}

#[tokio::test]
async fn child_that_is_killed() {
    let Ok(folder) = std::env::var("CRASH_FOLDER").map(PathBuf::from) else { return };
    let url = std::env::var("CRASH_URL").unwrap();
    let stop = Stop::from_text(&std::env::var("CRASH_STOP").unwrap());
    let videos = child_client(&url, &folder.join("journal"), &stop).videos();
    if std::env::var("CRASH_RESUME").is_ok() {
        let mut done = videos.resume_pending(folder.join("videos")).await.unwrap();
        while let Some((_, result)) = done.next().await {
            result.unwrap();
        }
        return;
    }
    let video = videos.generate(VideoRequest::new("a red ball").seconds(6)).await.unwrap();
    video.save(folder.join("videos").join(video.file_name())).create_parents(true).await.unwrap();
}

// ---- the parent -----------------------------------------------------------------------------------------------------

struct Place {
    emulator: Emulator,
    folder: tempfile::TempDir,
}

impl Place {
    fn new(scenario: &str) -> Self {
        let emulator = Emulator::builder().api_key(KEY).time_scale(1200.0).video_bytes(VIDEO_BYTES).start().unwrap();
        emulator.set_scenario_json(scenario).unwrap();
        Self { emulator, folder: tempfile::tempdir().unwrap() }
    }

    fn spawn(&self, stop: &Stop, resume: bool) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child_that_is_killed", "--nocapture"]);
        command.env("CRASH_FOLDER", self.folder.path()).env("CRASH_URL", self.emulator.base_url());
        command.env("CRASH_STOP", stop.to_text()).stdout(Stdio::piped()).stderr(Stdio::null());
        if resume {
            command.env("CRASH_RESUME", "1");
        }
        command.spawn().unwrap()
    }

    /// Runs a child to the place and kills it there. False when it came to its end without standing still.
    fn kill_at(&self, stop: &Stop, resume: bool) -> bool {
        let mut child = self.spawn(stop, resume);
        let output = BufReader::new(child.stdout.take().unwrap());
        let stands = output.lines().map_while(std::result::Result::ok).any(|line| line == "STANDS");
        if stands {
            child.kill().unwrap();
        }
        let status = child.wait().unwrap();
        assert!(stands || status.success(), "{stop:?}: the child failed: {status}");
        stands
    }

    fn posts(&self) -> usize {
        self.emulator.requests().iter().filter(|request| request.method == "POST").count()
    }

    /// Waits until the emulator has read what killed processes had sent: a request may lie in a buffer when its sender
    /// is long gone.
    async fn settle(&self) {
        // Connections are accepted in the order in which they were made, so all before this one are counted then.
        let mut last = tokio::net::TcpStream::connect(("127.0.0.1", self.emulator.port())).await.unwrap();
        last.write_all(b"GET /__emulator/stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        last.read_to_end(&mut Vec::new()).await.unwrap();
        drop(last);
        let begun = Instant::now();
        while self.emulator.stats().open_connections > 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "connections of killed processes stay open");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Bytes of the one video that were written before the process was killed.
    fn written(&self) -> u64 {
        let id = self.emulator.task_ids().pop().unwrap_or_default();
        let part = self.folder.path().join("videos").join(format!("{id}.mp4.part"));
        std::fs::metadata(part).map_or(0, |part| part.len())
    }

    /// Where each read of the video began.
    fn reads(&self) -> Vec<u64> {
        let requests = self.emulator.requests();
        let reads = requests.iter().filter(|request| request.path.contains("/content"));
        let start = |range: &String| range.trim_start_matches("bytes=").split('-').next().unwrap().parse().unwrap();
        reads.map(|request| request.range.as_ref().map_or(0, start)).collect()
    }

    fn client(&self) -> Client {
        Client::builder()
            .api_key(KEY)
            .endpoint(self.emulator.base_url())
            .poll_interval(Duration::from_millis(15))
            .journal(self.folder.path().join("journal"))
            .build()
            .unwrap()
    }

    fn saved(&self) -> BTreeSet<String> {
        let Ok(files) = std::fs::read_dir(self.folder.path().join("videos")) else { return BTreeSet::new() };
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| name.strip_suffix(".mp4").map(str::to_owned)).collect()
    }

    /// What must hold after any crash, and after going on. Gives how many creates were left unknown.
    async fn check_and_go_on(&self, what: &str) -> usize {
        self.settle().await;
        let made: BTreeSet<_> = self.emulator.task_ids().into_iter().collect();
        let posts = self.posts();
        let videos = self.client().videos();
        let (mut tasks, mut unknown) = (BTreeSet::new(), 0);
        for entry in videos.pending().await.unwrap() {
            match entry {
                Pending::Task { task_id, .. } => assert!(tasks.insert(task_id), "{what}: listed twice"),
                Pending::Unknown { reason, pid, .. } => {
                    assert_eq!(reason, "crashed", "{what}");
                    assert!(pid.is_some(), "{what}");
                    unknown += 1;
                }
                other => panic!("{what}: {other:?}"),
            }
        }
        let without_a_name = made.difference(&tasks).filter(|id| !self.saved().contains(*id)).count();
        assert!(without_a_name <= unknown, "{what}: of {made:?} the journal knows {tasks:?} and {unknown} unknown");
        assert!(tasks.is_subset(&made), "{what}: {tasks:?}");

        let mut done = videos.resume_pending(self.folder.path().join("videos")).await.unwrap();
        let mut resumed = BTreeSet::new();
        while let Some((id, result)) = done.next().await {
            let summary = result.unwrap_or_else(|error| panic!("{what}: {id}: {error}"));
            assert_eq!(std::fs::read(summary.path).unwrap(), self.emulator.video_bytes(&id).unwrap(), "{what}");
            resumed.insert(id);
        }
        assert_eq!(resumed, tasks, "{what}");
        assert!(videos.pending().await.unwrap().iter().all(|entry| matches!(entry, Pending::Unknown { .. })), "{what}");
        // A second time there is nothing to do, and the videos stand whole and alone in their folder.
        let reads = self.reads();
        assert!(videos.resume_pending(self.folder.path()).await.unwrap().next().await.is_none(), "{what}");
        assert_eq!(self.reads(), reads, "{what}");
        let files = std::fs::read_dir(self.folder.path().join("videos")).map_or(0, Iterator::count);
        assert_eq!(files, self.saved().len(), "{what}: something is left beside the videos");
        assert_eq!((self.posts(), self.emulator.created_tasks()), (posts, made.len()), "{what}: posted again");
        unknown
    }
}

/// `JUNFEIAI_SEED` gives another run than the usual one; a run says how it is repeated.
fn random(usual: u64) -> fastrand::Rng {
    let seed = std::env::var("JUNFEIAI_SEED").map_or(usual, |seed| seed.parse().expect("JUNFEIAI_SEED is a number"));
    println!("repeat with JUNFEIAI_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

#[tokio::test]
async fn killed_at_every_step() {
    let mut random = random(0x0063_7261_7368);
    // Where it is killed; POSTs, tasks, and creates of unknown outcome after that.
    let mut steps = vec![
        (Stop::Record(1, false), 0, 0, 0),
        (Stop::TornRecord(1), 0, 0, 0),
        (Stop::Record(1, true), 0, 0, 1),
        (Stop::Post, 0, 0, 1),
        (Stop::Answer, 1, 1, 1),
        (Stop::Record(2, false), 1, 1, 1),
        (Stop::TornRecord(2), 1, 1, 1),
        (Stop::Record(2, true), 1, 1, 0),
        (Stop::Query(1), 1, 1, 0),
        (Stop::Query(3), 1, 1, 0),
        (Stop::Record(3, false), 1, 1, 0),
        (Stop::TornRecord(3), 1, 1, 0),
        (Stop::Record(3, true), 1, 1, 0),
        (Stop::Body(0), 1, 1, 0),
        (Stop::Record(4, false), 1, 1, 0),
        (Stop::TornRecord(4), 1, 1, 0),
        (Stop::Record(4, true), 1, 1, 0),
        (Stop::Record(5, false), 1, 1, 0),
        (Stop::TornRecord(5), 1, 1, 0),
        (Stop::Record(5, true), 1, 1, 0),
        (Stop::Never, 1, 1, 0),
    ];
    steps.extend((0..4).map(|_| (Stop::Body(random.u64(1..VIDEO_BYTES)), 1, 1, 0)));
    for (stop, posts, tasks, unknown) in steps {
        let place = Place::new(r#"{"seed":1,"task":{"ends_after_polls":3}}"#);
        let what = format!("{stop:?}");
        assert_eq!(place.kill_at(&stop, false), stop != Stop::Never, "{what}");
        assert_eq!((place.posts(), place.emulator.created_tasks()), (posts, tasks), "{what}");
        // How much of the body that is depends on the machine: bytes are written behind.
        let written = place.written();
        assert_eq!(place.check_and_go_on(&what).await, unknown, "{what}");
        if let Stop::Body(_) = &stop {
            assert_eq!(place.reads(), [0, written], "{what}: resumed where the file ends");
        }
        if matches!(stop, Stop::Record(5, _) | Stop::TornRecord(5)) {
            assert_eq!(place.reads(), [0], "{what}: the video stood there already");
        }
    }
}

/// Killed between giving the file its name and tidying up, as a saver that renames and one that links do it.
#[tokio::test]
async fn killed_before_it_had_tidied_up() {
    for linked in [false, true] {
        let place = Place::new("{}");
        assert!(place.kill_at(&Stop::Record(5, false), false));
        let id = place.emulator.task_ids().pop().unwrap();
        let beside = |suffix: &str| place.folder.path().join("videos").join(format!("{id}.mp4{suffix}"));
        assert_eq!(std::fs::metadata(beside("")).unwrap().len(), VIDEO_BYTES);
        std::fs::write(beside(".part.state"), format!("{{\"junfeiai\":1,\"task_id\":\"{id}\"}}\n")).unwrap();
        if linked {
            std::fs::hard_link(beside(""), beside(".part")).unwrap();
        }
        assert_eq!(place.check_and_go_on(if linked { "linked" } else { "renamed" }).await, 0);
        assert_eq!((place.saved(), place.reads()), (BTreeSet::from([id]), vec![0]));
    }
}

/// The server has the POST, and its answer never comes.
#[tokio::test]
async fn killed_while_the_server_works() {
    let place = Place::new(r#"{"rules":[{"match":{"op":"create"},"fault":{"kind":"hang","act":true}}]}"#);
    let mut child = place.spawn(&Stop::Never, false);
    while place.emulator.created_tasks() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let videos = place.client().videos();
    assert_eq!(videos.pending().await.unwrap(), [], "its process still runs");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.check_and_go_on("hang").await, 1);
    // The user finds the task in the account.
    let pending = videos.pending().await.unwrap();
    let [Pending::Unknown { intent, .. }] = &pending[..] else { panic!("{pending:?}") };
    let id = place.emulator.task_ids().pop().unwrap();
    assert!(videos.resolve_unknown(intent, Some(&id)).await.unwrap());
    assert_eq!(place.check_and_go_on("hang, resolved").await, 0);
    assert_eq!(place.saved(), BTreeSet::from([id]));
    assert_eq!(place.posts(), 1);
}

/// Going on is itself killed, again and again, until all is saved.
#[tokio::test]
async fn killed_while_going_on() {
    let place = Place::new("{}");
    let videos = place.client().videos();
    for _ in 0..3 {
        videos.create("a red ball").await.unwrap();
    }
    let stops =
        [Stop::Query(2), Stop::Body(600_000), Stop::Record(2, false), Stop::Body(1_500_000), Stop::Record(1, true)];
    for stop in stops {
        place.kill_at(&stop, true);
        assert_eq!(place.posts(), 3);
    }
    assert_eq!(place.check_and_go_on("going on").await, 0);
    assert_eq!(place.saved().len(), 3);
}

/// The next process begins so soon that the server does not show the task yet.
#[tokio::test]
async fn killed_before_the_task_is_visible() {
    // More often than a wait would believe "not found" of another task.
    let unseen = r#"{"match":{"op":"query"},"times":8,"fault":{"kind":"error_shape","shape":"task_not_exist"}}"#;
    let place = Place::new(&format!(r#"{{"rules":[{unseen}]}}"#));
    assert!(place.kill_at(&Stop::Record(2, true), false));
    assert_eq!(place.check_and_go_on("not visible").await, 0);
    let not_found = place.emulator.requests().iter().filter(|request| request.status == Some(400)).count();
    assert_eq!(not_found, 8);
    assert_eq!(place.saved().len(), 1);
}

/// The same for programs without an async runtime.
#[test]
fn going_on_without_a_runtime() {
    let place = Place::new("{}");
    place.kill_at(&Stop::Query(1), false);
    let builder = Client::builder().api_key(KEY).endpoint(place.emulator.base_url());
    let builder = builder.poll_interval(Duration::from_millis(15)).journal(place.folder.path().join("journal"));
    let client = junfeiai::blocking::Client::build(builder).unwrap();
    assert_eq!(client.pending().unwrap().len(), 1);
    let mut done = Vec::new();
    client.resume_pending(place.folder.path(), |id, result| done.push((id, result.unwrap().bytes))).unwrap();
    assert_eq!(done, [(place.emulator.task_ids().pop().unwrap(), VIDEO_BYTES)]);
    assert_eq!((client.pending().unwrap(), place.posts()), (vec![], 1));
}

/// Several processes share a journal and are killed at any moment.
#[tokio::test]
async fn killed_at_any_moment() {
    let place = Place::new("{}");
    let mut random = random(42);
    for round in 0..8 {
        let mut children: Vec<_> = (0..3).map(|_| place.spawn(&Stop::Never, false)).collect();
        for child in &mut children {
            std::thread::sleep(Duration::from_millis(random.u64(5..90)));
            child.kill().unwrap();
        }
        for child in &mut children {
            child.wait().unwrap();
        }
        place.check_and_go_on(&format!("round {round}")).await;
    }
    println!("24 processes killed: {} tasks, {} saved", place.emulator.created_tasks(), place.saved().len());
}
