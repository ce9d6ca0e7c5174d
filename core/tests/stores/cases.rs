//! The cases.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use junfeiai::platform::native::open_store;
use junfeiai::store::{MAX_NAME, MAX_VALUE, MemoryStore, Store, Versioned};
use junfeiai::{Error, ErrorKind};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use tokio::runtime::{self, Runtime};

use crate::proxy::Proxy;
use crate::servers::{ENCODED, PASSWORD, Server, certificate, postgres_programs, redis_programs};

type Shared = Arc<dyn Store>;

/// What must be shown nowhere: the passwords, their parts, and as URLs have them. Numbers alone are ports and times, too.
const SECRETS: [&str; 5] = [PASSWORD, ENCODED, "rd-7391", "wrong:7391", "wrong%3A7391"];

/// A Redis that has on its disk what it said was written.
const DURABLE: [&str; 6] = ["--requirepass", PASSWORD, "--appendonly", "yes", "--appendfsync", "always"];

/// A database that cases run against.
enum Place {
    Memory,
    Postgres(Server),
    Redis(Server),
    /// Its server is not installed.
    Missing {
        name: &'static str,
        why: String,
    },
}

impl Place {
    fn name(&self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Postgres(_) => "postgres",
            Self::Redis(_) => "redis",
            Self::Missing { name, .. } => name,
        }
    }

    fn server(&self) -> &Server {
        match self {
            Self::Memory | Self::Missing { .. } => panic!("no server"),
            Self::Postgres(server) | Self::Redis(server) => server,
        }
    }

    fn server_mut(&mut self) -> &mut Server {
        match self {
            Self::Memory | Self::Missing { .. } => panic!("no server"),
            Self::Postgres(server) | Self::Redis(server) => server,
        }
    }

    fn url_at(&self, port: u16, journal: &str) -> String {
        match self {
            Self::Redis(_) => format!("redis://:{ENCODED}@127.0.0.1:{port}/0?journal={journal}&timeout=60"),
            _ => format!("postgresql://owner:{ENCODED}@127.0.0.1:{port}/postgres?journal={journal}&timeout=60"),
        }
    }

    fn url(&self, journal: &str) -> String {
        self.url_at(self.server().port, journal)
    }

    /// So many handles of one new journal: of clients of their own where it is a server.
    fn stores(&self, count: usize) -> Vec<Shared> {
        if let Self::Memory = self {
            let store: Shared = Arc::new(MemoryStore::new());
            return vec![store; count];
        }
        let url = self.url(&new_journal());
        (0..count).map(|_| open_store(&url).unwrap()).collect()
    }

    fn store(&self) -> Shared {
        self.stores(1).remove(0)
    }
}

fn new_journal() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("j{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

fn runtime() -> Runtime {
    runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

async fn value(store: &Shared, name: &str) -> Option<String> {
    store.load(name).await.unwrap().map(|row| row.value)
}

/// Whether an error is one line that says what to do, of the right kind, without the password.
fn judge(error: &Error, transient: bool, parts: &[&str]) {
    let text = error.to_string();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Journal, transient), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    for shown in [&text, &format!("{error:?}"), &error.to_json().to_string()] {
        assert!(!shown.contains('\n') || shown != &text, "{shown}");
        assert!(!SECRETS.iter().any(|secret| shown.contains(secret)), "{shown}");
    }
}

/// All that was logged, by the libraries below as well.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

// ---- every store ----------------------------------------------------------------------------------------------------

async fn a_row_is_replaced_only_by_who_has_seen_it(place: &Place) {
    let store = place.store();
    assert_eq!(store.load("a").await.unwrap(), None);
    assert_eq!(store.swap("a", Some(1), Some("x".into())).await.unwrap(), None);
    let first = store.swap("a", None, Some("1".into())).await.unwrap().unwrap();
    assert_eq!(store.swap("a", None, Some("2".into())).await.unwrap(), None);
    assert_eq!(store.load("a").await.unwrap(), Some(Versioned { value: "1".into(), version: first }));
    let second = store.swap("a", Some(first), Some("2".into())).await.unwrap().unwrap();
    assert_eq!(store.swap("a", Some(first), Some("3".into())).await.unwrap(), None);
    assert_eq!(store.swap("a", Some(first), None).await.unwrap(), None);
    assert_eq!(store.load("a").await.unwrap(), Some(Versioned { value: "2".into(), version: second }));
    assert_eq!(store.load("b").await.unwrap(), None);
    assert!((1..1 << 53).contains(&first) && first != second);
}

async fn no_version_comes_back(place: &Place) {
    let store = place.store();
    let mut seen = BTreeSet::new();
    for round in 0..6 {
        let made = store.swap("a", None, Some(round.to_string())).await.unwrap().unwrap();
        let removed = store.swap("a", Some(made), None).await.unwrap().unwrap();
        assert!(seen.insert(made) && seen.insert(removed), "{seen:?} {made} {removed}");
        assert_eq!(store.load("a").await.unwrap(), None);
        assert!(store.scan("").await.unwrap().is_empty());
        for old in &seen {
            assert_eq!(store.swap("a", Some(*old), Some("old".into())).await.unwrap(), None);
            assert_eq!(store.swap("a", Some(*old), None).await.unwrap(), None);
        }
    }
    assert!(store.swap("a", None, None).await.unwrap().is_some(), "nothing is to be removed, and nothing is there");
    assert_eq!(store.load("a").await.unwrap(), None);
    store.swap("a", None, Some("x".into())).await.unwrap().unwrap();
    assert_eq!(store.swap("a", None, None).await.unwrap(), None);
    assert_eq!(value(&store, "a").await.as_deref(), Some("x"));
}

/// Any sequence of operations has the same results as in memory.
async fn it_does_as_memory_does(place: &Place) {
    let (store, model) = (place.store(), MemoryStore::new());
    let seed = std::env::var("JUNFEIAI_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let mut random = fastrand::Rng::with_seed(seed);
    // The versions of the same write there and here.
    let mut versions = vec![(0, 0)];
    for step in 0..400 {
        let name = ["a", "ab", "b", "é"][random.usize(..4)];
        let expected = random.bool().then(|| versions[random.usize(versions.len().saturating_sub(6)..versions.len())]);
        let value = random.u8(..4).checked_sub(1).map(|_| format!("{step}"));
        let there = store.swap(name, expected.map(|pair| pair.0), value.clone()).await.unwrap();
        let here = model.swap(name, expected.map(|pair| pair.1), value).await.unwrap();
        assert_eq!(there.is_some(), here.is_some(), "step {step} of seed {seed}");
        versions.extend(there.zip(here));
        let names = |rows: Vec<(String, Versioned)>| {
            rows.into_iter().map(|(name, row)| (name, row.value)).collect::<BTreeMap<_, _>>()
        };
        let prefix = ["", "a", "b", "é"][random.usize(..4)];
        assert_eq!(
            names(store.scan(prefix).await.unwrap()),
            names(model.scan(prefix).await.unwrap()),
            "step {step} of seed {seed}"
        );
    }
}

async fn texts_are_kept_as_they_are(place: &Place) {
    let store = place.store();
    let all: Vec<char> = ('\u{1}'..=char::MAX).collect();
    let mut version = None;
    for part in all.chunks(500_000) {
        let text: String = part.iter().collect();
        version = store.swap("every character", version, Some(text.clone())).await.unwrap();
        assert!(value(&store, "every character").await.unwrap() == text);
    }
    let long = "ä".repeat(50_000);
    for text in ["", " ", "\n", "1 2\n3", "'; drop table junfeiai_journal; --", "\\", "\u{feff}", "null", &*long] {
        let name = format!("value {}", text.chars().take(9).collect::<String>());
        store.swap(&name, None, Some(text.to_owned())).await.unwrap().unwrap();
        assert_eq!(value(&store, &name).await.as_deref(), Some(text));
    }
    // Names that only differ in what many databases make equal, and such as mean something to one.
    let mut names: Vec<String> = [
        "A", "a", "ä", "a\u{308}", "ß", "ss", "I", "ı", "a ", " a", "\n", "'", "\"", "{x}", "\\", "\u{ffff}", "-inf",
        "+",
    ]
    .map(String::from)
    .into();
    names.extend(all.chunks(9_000).map(|part| part.iter().take(200).collect()));
    names.push("n".repeat(MAX_NAME));
    for name in &names {
        store.swap(name, None, Some(format!("value of {name}"))).await.unwrap().unwrap();
    }
    for name in &names {
        assert_eq!(value(&store, name).await, Some(format!("value of {name}")), "{name:?}");
    }
    for (name, value) in
        [("", "x"), ("a\0", "x"), ("a", "\0"), (&*"n".repeat(MAX_NAME + 1), "x"), ("big", &*"x".repeat(MAX_VALUE + 1))]
    {
        judge(&store.swap(name, None, Some(value.into())).await.unwrap_err(), false, &["row"]);
    }
}

async fn a_prefix_is_no_pattern(place: &Place) {
    let store = place.store();
    let names = [
        "a",
        "a%",
        "a%b",
        "a_",
        "a_b",
        "a*",
        "a*b",
        "a[b]",
        "a[",
        "a]",
        "a?",
        "a\\",
        "a\\b",
        "ab",
        "aB",
        "A%",
        "á",
        "a\u{10FFFF}",
        "a\u{10FFFF}\u{10FFFF}b",
        "\u{10FFFF}",
        "b",
        "a\u{D7FF}x",
        "a\u{E000}",
        "a.b",
        "a^b",
        "a$",
    ];
    for name in names {
        store.swap(name, None, Some(name.to_uppercase())).await.unwrap().unwrap();
    }
    for prefix in names.iter().copied().chain(["", "c", "a\u{D7FF}", "ax"]) {
        let mut found: Vec<String> = store
            .scan(prefix)
            .await
            .unwrap()
            .into_iter()
            .map(|(name, row)| {
                assert_eq!(row.value, name.to_uppercase());
                name
            })
            .collect();
        let mut expected: Vec<String> =
            names.iter().filter(|name| name.starts_with(prefix)).map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{prefix:?}");
    }
}

async fn ten_thousand_rows(place: &Place) {
    let stores = place.stores(8);
    let begun = Instant::now();
    join_all((0..64).map(|part| {
        let store = stores[part % 8].clone();
        async move {
            for number in (part..10_000).step_by(64) {
                store.swap(&format!("row {number:05}"), None, Some("x".repeat(200))).await.unwrap().unwrap();
            }
        }
    }))
    .await;
    let written = begun.elapsed();
    let begun = Instant::now();
    let rows = stores[0].scan("row ").await.unwrap();
    let names: BTreeSet<String> = rows.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, (0..10_000).map(|number| format!("row {number:05}")).collect());
    assert_eq!(stores[1].scan("row 012").await.unwrap().len(), 100);
    println!(
        "   {}: 10,000 rows written by 64 tasks over 8 connections in {written:.1?}, read in {:.1?}",
        place.name(),
        begun.elapsed()
    );
}

async fn of_16_tasks_one_wins(place: &Place) {
    let stores = place.stores(4);
    for round in 0..30 {
        let name = format!("claim {round}");
        let won = join_all((0..16).map(|task| {
            let (store, name) = (stores[task % 4].clone(), name.clone());
            tokio::spawn(async move {
                store.swap(&name, None, Some(task.to_string())).await.unwrap().map(|version| (task, version))
            })
        }))
        .await;
        let won: Vec<_> = won.into_iter().filter_map(Result::unwrap).collect();
        let row = stores[0].load(&name).await.unwrap().unwrap();
        assert_eq!(won, [(row.value.parse().unwrap(), row.version)]);
        // Now all of them want to replace it, or to remove it.
        let next = join_all((0..16).map(|task| {
            let (store, name) = (stores[task % 4].clone(), name.clone());
            tokio::spawn(async move {
                store.swap(&name, Some(row.version), (task % 2 == 0).then(|| "new".into())).await.unwrap()
            })
        }))
        .await;
        assert_eq!(next.into_iter().filter_map(Result::unwrap).count(), 1);
    }
    join_all((0..16).map(|task| count(stores[task % 4].clone(), 20))).await;
    assert_eq!(value(&stores[0], "counter").await.as_deref(), Some("320"));
}

/// Adds one to a counter, so many times.
async fn count(store: Shared, times: u32) {
    for _ in 0..times {
        loop {
            let row = store.load("counter").await.unwrap();
            let next = row.as_ref().map_or(0, |row| row.value.parse::<u32>().unwrap()) + 1;
            if store.swap("counter", row.map(|row| row.version), Some(next.to_string())).await.unwrap().is_some() {
                break;
            }
        }
    }
}

// ---- every server ---------------------------------------------------------------------------------------------------

/// What a child of [`of_several_processes_one_wins`] does: says which names it got.
fn child(url: &str) {
    runtime().block_on(async {
        let store = open_store(url).unwrap();
        store.load("x").await.unwrap();
        println!("ready");
        std::io::stdin().read_exact(&mut [0]).unwrap();
        for number in 0..50 {
            if store.swap(&format!("name {number}"), None, Some("x".into())).await.unwrap().is_some() {
                println!("{number}");
            }
        }
        count(store, 25).await;
    });
}

async fn of_several_processes_one_wins(place: &Place) {
    let url = place.url(&new_journal());
    let start = || {
        let program = std::env::current_exe().unwrap();
        Command::new(program)
            .env("JUNFEIAI_STORE_CHILD", &url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut children: Vec<_> = (0..4).map(|_| start()).collect();
    let mut outputs: Vec<_> = children.iter_mut().map(|child| child.stdout.take().unwrap()).collect();
    for output in &mut outputs {
        output.read_exact(&mut [0; 6]).unwrap();
    }
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"x").unwrap();
    }
    let mut won = Vec::new();
    for (child, output) in children.iter_mut().zip(&mut outputs) {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success());
        won.extend(text.lines().map(|line| line.parse::<u32>().unwrap()));
    }
    won.sort_unstable();
    assert_eq!(won, (0..50).collect::<Vec<_>>());
    assert_eq!(value(&open_store(&url).unwrap(), "counter").await.as_deref(), Some("100"));
}

async fn a_lost_answer_is_settled(place: &Place) {
    let proxy = Proxy::new(place.server().port).await;
    let journal = new_journal();
    let cut = open_store(&place.url_at(proxy.port, &journal)).unwrap();
    let other = open_store(&place.url(&journal)).unwrap();
    // Before it reached the server: it is sent again.
    let first = cut.swap("a", None, Some("1".into())).await.unwrap();
    proxy.cut_request();
    let second = cut.swap("a", first, Some("2".into())).await.unwrap();
    assert_eq!(other.load("a").await.unwrap().map(|row| Some(row.version)), Some(second));

    // When it had been carried out, and others did this with the row before anybody could look.
    for (others, known) in [(0, true), (1, true), (2, true), (15, true), (16, false), (40, false)] {
        let (answered, then) = proxy.cut_answer();
        let name = format!("row {others}");
        let written = cut.swap(&name, None, Some("mine".into()));
        answered.await.unwrap();
        let mine = other.load(&name).await.unwrap().unwrap();
        assert_eq!(mine.value, "mine");
        let mut version = Some(mine.version);
        for number in 0..others {
            version = other.swap(&name, version, (number % 3 != 0).then(|| number.to_string())).await.unwrap();
            version = if number % 3 == 0 { None } else { version };
        }
        then.send(()).unwrap();
        match written.await {
            Ok(version) => assert!(known && version == Some(mine.version), "{others}: {version:?} {mine:?}"),
            Err(error) => {
                assert!(!known, "{others}: {error}");
                judge(&error, true, &["is not known"]);
            }
        }
    }

    // A removal, and one of which others have made the row anew.
    for anew in [false, true] {
        let version = cut.swap("gone", None, Some("x".into())).await.unwrap();
        let (answered, then) = proxy.cut_answer();
        let removed = cut.swap("gone", version, None);
        answered.await.unwrap();
        if anew {
            other.swap("gone", None, Some("y".into())).await.unwrap().unwrap();
        }
        then.send(()).unwrap();
        assert!(removed.await.unwrap().is_some());
        assert_eq!(value(&other, "gone").await.is_some(), anew);
    }

    // One that did not take place, since another was faster.
    let version = cut.swap("stale", None, Some("x".into())).await.unwrap();
    let newer = other.swap("stale", version, Some("y".into())).await.unwrap();
    let (answered, then) = proxy.cut_answer();
    let stale = cut.swap("stale", version, Some("z".into()));
    answered.await.unwrap();
    then.send(()).unwrap();
    assert_eq!(stale.await.unwrap(), None);
    assert_eq!(other.load("stale").await.unwrap().map(|row| row.version), newer);

    // Reads are simply made again.
    let (answered, then) = proxy.cut_answer();
    let row = cut.load("stale");
    answered.await.unwrap();
    then.send(()).unwrap();
    assert_eq!(row.await.unwrap().map(|row| row.version), newer);
}

async fn a_dropped_future_is_carried_out(place: &Place) {
    let store = place.store();
    store.load("a").await.unwrap();
    drop(store.swap("a", None, Some("x".into())));
    // Also when the store itself goes.
    let url = place.url(&new_journal());
    let short = open_store(&url).unwrap();
    drop(short.swap("b", None, Some("y".into())));
    drop(short);
    let other = open_store(&url).unwrap();
    for (store, name) in [(&store, "a"), (&other, "b")] {
        let limit = Instant::now() + Duration::from_secs(30);
        while value(store, name).await.is_none() {
            assert!(Instant::now() < limit, "{name}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn a_server_that_stands_still(place: &Place) {
    let url = format!("{}&timeout=1", place.url(&new_journal()));
    let (used, unused) = (open_store(&url).unwrap(), open_store(&url).unwrap());
    // Its connection is to be there, however slow this machine is.
    while used.load("a").await.is_err() {}
    place.server().freeze(true);
    for store in [&used, &unused] {
        judge(&store.load("a").await.unwrap_err(), true, &["in 1 s", "check the database and the network"]);
    }
    judge(&used.swap("a", None, Some("y".into())).await.unwrap_err(), true, &["in 1 s"]);
    place.server().freeze(false);
    let used = open_store(&place.url(&new_journal())).unwrap();
    used.swap("a", None, Some("z".into())).await.unwrap().unwrap();
}

async fn what_returned_is_there_after_a_kill(place: &Place) {
    // One of its own: the others go on with theirs.
    let mut place = match place {
        Place::Redis(_) => Place::Redis(Server::redis(&DURABLE)),
        _ => Place::Postgres(Server::postgres(&[])),
    };
    let store = place.store();
    for round in 0..3 {
        let kept: Arc<Mutex<Vec<String>>> = Arc::default();
        let writers: Vec<_> = (0..8)
            .map(|task| {
                let (store, kept) = (store.clone(), kept.clone());
                tokio::spawn(async move {
                    for number in 0..40 {
                        let name = format!("{round} {task} {number}");
                        // It waits through the restart; one whose time is up may be there or not.
                        if store.swap(&name, None, Some(name.clone())).await.is_ok_and(|version| version.is_some()) {
                            kept.lock().unwrap().push(name);
                        }
                    }
                })
            })
            .collect();
        while kept.lock().unwrap().len() < 60 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        place.server_mut().kill();
        place.server_mut().start();
        for writer in writers {
            writer.await.unwrap();
        }
        let kept = kept.lock().unwrap().clone();
        for name in &kept {
            assert_eq!(value(&store, name).await.as_ref(), Some(name));
        }
        println!("   {}: killed among 320 writes: {} said to be written, all of them there", place.name(), kept.len());
    }
}

async fn any_runtime_will_do(place: &Place) {
    let store = place.store();
    let mut version = None;
    for number in 0..4 {
        let (mine, before) = (store.clone(), version);
        let done = std::thread::spawn(move || {
            let runtime =
                if number % 2 == 0 { runtime::Builder::new_current_thread().build().unwrap() } else { runtime() };
            runtime.block_on(mine.swap("a", before, Some(number.to_string()))).unwrap()
        });
        version = tokio::task::spawn_blocking(|| done.join().unwrap()).await.unwrap();
        assert!(version.is_some());
    }
}

/// Without a runtime: a child of `fork()` must not have one.
fn a_child_of_fork_has_its_own_connection(place: &Place) {
    let store = place.store();
    let wait = |name: &str, version| futures_util::FutureExt::boxed(store.swap(name, version, Some("x".into())));
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(wait("before", None)).unwrap().unwrap();
    // SAFETY: the child runs Rust code although other threads may hold locks: that is what is tested.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let runtime = runtime::Builder::new_current_thread().build().unwrap();
            let done = catch_unwind(AssertUnwindSafe(|| {
                assert!(runtime.block_on(wait("before", None)).unwrap().is_none());
                runtime.block_on(wait("child", None)).unwrap().unwrap();
            }));
            // SAFETY: it always ends the process.
            unsafe { nix::libc::_exit(i32::from(done.is_err())) }
        }
        ForkResult::Parent { child } => {
            runtime.block_on(wait("parent", None)).unwrap().unwrap();
            assert_eq!(waitpid(child, None).unwrap(), WaitStatus::Exited(child, 0));
            assert!(runtime.block_on(store.load("child")).unwrap().is_some());
        }
    }
}

async fn a_wrong_password_is_shown_nowhere(place: &Place) {
    let port = place.server().port;
    let url = place.url("x").replace(ENCODED, "wrong%3A7391");
    let error = open_store(&url).unwrap().load("a").await.unwrap_err();
    judge(&error, false, &["check", "of the place"]);
    let none = url.replace("wrong%3A7391", "");
    judge(&open_store(&none).unwrap().load("a").await.unwrap_err(), false, &[]);
    let gone = place.url_at(1, "x") + "&timeout=0.3";
    judge(&open_store(&gone).unwrap().load("a").await.unwrap_err(), true, &["127.0.0.1:1"]);
    let store = open_store(&place.url("x")).unwrap();
    store.load("a").await.unwrap();
    let broken = place.url("x").replace(&port.to_string(), "70000000");
    judge(&open_store(&broken).err().unwrap(), false, &["cannot be read"]);
}

async fn a_job_is_created_once(place: &Place) {
    crate::jobs::one_job(&place.stores(4)).await;
    crate::jobs::ends_of_jobs(&place.stores(3)).await;
}

async fn of_many_deliveries_one_is_sent(place: &Place) {
    crate::jobs::many_jobs(&place.stores(4), place.name(), async {}).await;
}

async fn a_server_that_is_killed_lets_no_job_be_paid_twice(place: &Place) {
    let mut place = match place {
        Place::Redis(_) => Place::Redis(Server::redis(&DURABLE)),
        _ => Place::Postgres(Server::postgres(&[])),
    };
    let stores = place.stores(4);
    let name = place.name();
    let disturb = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            tokio::task::block_in_place(|| {
                place.server_mut().kill();
                place.server_mut().start();
            });
        }
    };
    crate::jobs::many_jobs(&stores, name, disturb).await;
}

async fn two_accounts_do_not_share_a_journal(place: &Place) {
    let url = place.url(&new_journal());
    let client = |key: &str, url: &str| {
        let builder = junfeiai::Client::builder().api_key(key).endpoint("http://127.0.0.1:1");
        builder.max_attempts(1).journal(url).build().unwrap()
    };
    // Nobody listens there: what is refused is refused before.
    let refused = |error: Error| (error.kind(), error.to_string().contains("another API key"));
    let create = |client: junfeiai::Client| async move { client.videos().create("a").await.unwrap_err() };
    assert_eq!(refused(create(client("sk-one", &url)).await), (ErrorKind::Connect, false));
    assert_eq!(refused(create(client("sk-two", &url)).await), (ErrorKind::Journal, true));
    assert_eq!(refused(create(client("sk-two", &format!("{url}&account=same"))).await), (ErrorKind::Connect, false));
    for key in ["sk-one", "sk-two"] {
        assert_eq!(refused(create(client(key, &url)).await), (ErrorKind::Connect, false));
    }
    let wrong =
        junfeiai::Client::builder().api_key("sk-one").journal(format!("{url}&account=other")).build().unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Journal);
    let path = junfeiai::Client::builder().api_key("sk-one").journal("postgresql:/host/db").build().unwrap_err();
    assert!(path.to_string().contains("as a string"), "{path}");
}

async fn the_cost_of_a_claim(place: &Place) {
    let store = place.store();
    let mut times = Vec::new();
    for number in 0..500 {
        let begun = Instant::now();
        store.swap(&format!("claim {number}"), None, Some("x".repeat(200))).await.unwrap().unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    println!("   {}: a swap takes {:.2?} (median), {:.2?} (99 of 100)", place.name(), times[250], times[495]);
}

// ---- PostgreSQL -----------------------------------------------------------------------------------------------------

/// The store of a new database, which this is done with first, and what its error says.
async fn refused_by_postgres(server: &Server, prepare: &[&str], user: &str, parts: &[&str]) {
    let database = new_journal();
    server.admin(&format!("create database {database}"));
    for statement in prepare {
        server.admin_in(&database, statement);
    }
    let tables = "select string_agg(relname || ' ' || relkind::text, ',' order by relname) from pg_class where relname like 'junfeiai%'";
    let before = server.admin_in(&database, tables);
    let url = format!("postgresql://{user}:{ENCODED}@127.0.0.1:{}/{database}?timeout=60", server.port);
    let store = open_store(&url).unwrap();
    let error = store.swap("a", None, Some("x".into())).await.unwrap_err();
    judge(&error, false, parts);
    assert!(error.to_string().contains(&format!("/{database}")), "{error}");
    assert_eq!(server.admin_in(&database, tables), before, "nothing was changed");
}

async fn a_postgres_that_will_not_do_says_why(place: &Place) {
    let server = place.server();
    for statement in [
        &format!("create role guest login password '{PASSWORD}'"),
        &format!("create role reader login password '{PASSWORD}'"),
        "alter role reader set default_transaction_read_only = on",
        "create database narrow encoding 'LATIN1' template template0",
    ] {
        server.admin(statement);
    }
    let foreign = "that this library did not make: rename it";
    refused_by_postgres(server, &["create table junfeiai_journal (id int)"], "owner", &[foreign]).await;
    refused_by_postgres(server, &["create view junfeiai_journal as select 1 as journal"], "owner", &[foreign]).await;
    refused_by_postgres(
        server,
        &["revoke create on schema public from public"],
        "guest",
        &["may not make it", "grant it CREATE"],
    )
    .await;
    refused_by_postgres(server, &[], "reader", &["read-only"]).await;
    // One that this library has made, and then something is done to it.
    let url = place.url(&new_journal());
    let store = open_store(&url).unwrap();
    store.swap("a", None, Some("x".into())).await.unwrap().unwrap();
    let made = server.admin_in("postgres", "select value from junfeiai_journal where journal = ''");
    assert_eq!(made, r#"{"format":1}"#);
    let guest = url.replace("//owner", "//guest");
    judge(&open_store(&guest).unwrap().load("a").await.unwrap_err(), false, &["permission denied", "grant"]);
    server.admin("grant select on junfeiai_journal to guest");
    judge(
        &open_store(&guest).unwrap().load("a").await.unwrap_err(),
        false,
        &["may not write the table", "grant it SELECT, INSERT"],
    );
    server.admin(
        "grant insert, update, delete on junfeiai_journal to guest; grant usage on junfeiai_journal_version to guest",
    );
    assert_eq!(value(&open_store(&guest).unwrap(), "a").await.as_deref(), Some("x"));
    server.admin(r#"update junfeiai_journal set value = '{"format":2}' where journal = ''"#);
    judge(
        &open_store(&url).unwrap().load("a").await.unwrap_err(),
        false,
        &["newer version of junfeiai: update this program"],
    );
    server.admin(r#"update junfeiai_journal set value = '{"format":1}' where journal = ''"#);
    let narrow = url.replace("/postgres?", "/narrow?");
    judge(&open_store(&narrow).unwrap().load("a").await.unwrap_err(), false, &["UTF8"]);
    let missing = url.replace("/postgres?", "/missing?");
    judge(&open_store(&missing).unwrap().load("a").await.unwrap_err(), false, &["does not exist", "correct the place"]);
    // A role whose commits do not wait for the disk: ours do.
    server.admin("alter role owner set synchronous_commit = off");
    store.swap("c", None, Some("x".into())).await.unwrap().unwrap();
    let behind = open_store(&url).unwrap();
    // The server itself writes to its log at any moment: what follows our write may not be on the disk yet.
    let before = server.admin("select pg_current_wal_insert_lsn()");
    behind.swap("b", None, Some("x".into())).await.unwrap().unwrap();
    assert_eq!(server.admin(&format!("select pg_current_wal_flush_lsn() > '{before}'")), "t");
    server.admin("alter role owner reset synchronous_commit");
    // Everybody comes at once to a database without a table.
    server.admin("create database fresh");
    let fresh = url.replace("/postgres?", "/fresh?");
    let stores: Vec<Shared> = (0..12).map(|_| open_store(&fresh).unwrap()).collect();
    let won = join_all(stores.iter().map(|store| store.swap("a", None, Some("x".into())))).await;
    assert_eq!(won.into_iter().filter(|won| won.as_ref().unwrap().is_some()).count(), 1);
    // A store that has used a table does not make another: what was paid for would be unknown to it.
    server.admin_in("fresh", "drop table junfeiai_journal; drop sequence junfeiai_journal_version");
    server.admin("select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = 'fresh'");
    judge(&stores[0].swap("b", None, Some("x".into())).await.unwrap_err(), false, &["gone while it is in use"]);
    open_store(&fresh).unwrap().swap("b", None, Some("x".into())).await.unwrap().unwrap();
}

async fn old_removals_are_swept_from_postgres(place: &Place) {
    let journal = new_journal();
    let store = open_store(&place.url(&journal)).unwrap();
    for name in ["a", "b"] {
        let version = store.swap(name, None, Some("x".into())).await.unwrap();
        store.swap(name, version, None).await.unwrap().unwrap();
    }
    place.server().admin(&format!(
        "update junfeiai_journal set changed = now() - interval '11 minutes' where journal = '{journal}'"
    ));
    let version = store.swap("c", None, Some("x".into())).await.unwrap();
    store.swap("c", version, None).await.unwrap().unwrap();
    let left = place
        .server()
        .admin(&format!("select string_agg(name, ',') from junfeiai_journal where journal = '{journal}'"));
    assert_eq!(left, "c");
    let again = store.swap("a", None, Some("x".into())).await.unwrap();
    assert!(again > version);
}

async fn postgres_over_tls(_: &Place) {
    let [ca, certificate, key] = certificate();
    let mut server = Server::postgres(&[]);
    let data = server.file("x", "").parent().unwrap().join("data");
    let server_files = [data.join("server.crt"), data.join("server.key")];
    std::fs::write(&server_files[0], certificate).unwrap();
    std::fs::write(&server_files[1], key).unwrap();
    own_alike(&server_files, &data);
    server.admin("alter system set ssl = on");
    server.kill();
    server.start();
    let ca = server.file("ca.pem", &ca);
    let url = format!("postgresql://owner:{ENCODED}@127.0.0.1:{}/postgres?timeout=60&sslmode=verify-full", server.port);
    judge(&open_store(&url).unwrap().load("a").await.unwrap_err(), false, &["no secure connection", "sslrootcert"]);
    let store = open_store(&format!("{url}&sslrootcert={}", ca.display())).unwrap();
    store.swap("a", None, Some("x".repeat(100_000))).await.unwrap().unwrap();
    assert_eq!(value(&store, "a").await.unwrap().len(), 100_000);
    let encrypted =
        "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where application_name = 'junfeiai'";
    assert_eq!(server.admin(encrypted), "t");
    let missing = format!("{url}&sslrootcert=/nowhere/ca.pem");
    judge(&open_store(&missing).err().unwrap(), false, &["/nowhere/ca.pem cannot be used"]);
}

/// Gives files the owner of this folder, and only him.
fn own_alike(files: &[std::path::PathBuf], folder: &std::path::Path) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let owner = std::fs::metadata(folder).unwrap();
    for file in files {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

// ---- Redis ----------------------------------------------------------------------------------------------------------

async fn a_redis_that_will_not_do_says_why(place: &Place) {
    let server = place.server();
    for (prepare, parts) in [
        ("SET junfeiai:{NAME}:rows x", "not of this library: choose another journal name"),
        ("HSET junfeiai:{NAME}:rows a x", "not of this library"),
        ("HSET junfeiai:{NAME}:meta other x", "not of this library"),
        ("HSET junfeiai:{NAME}:meta format 2", "newer version of junfeiai: update this program"),
    ] {
        let journal = new_journal();
        server.admin(&prepare.replace("NAME", &journal));
        let before = server.admin("DBSIZE");
        let store = open_store(&place.url(&journal)).unwrap();
        judge(&store.swap("a", None, Some("x".into())).await.unwrap_err(), false, &[parts]);
        assert_eq!(server.admin("DBSIZE"), before, "nothing was changed");
    }
    // A user who may do no more than is needed, and one who may not do that.
    let commands = "+eval +evalsha +script +type +exists +time +hget +hset +hmget +hdel +hincrby +zadd +zrem +zrangebylex +zrangebyscore";
    server.admin(&format!("ACL SETUSER least on >{PASSWORD} ~junfeiai:* {commands}"));
    server.admin(&format!("ACL SETUSER less on >{PASSWORD} ~junfeiai:* +get"));
    let journal = new_journal();
    let least = open_store(&place.url(&journal).replace("//:", "//least:")).unwrap();
    let version = least.swap("a", None, Some("x".into())).await.unwrap();
    assert_eq!(least.scan("").await.unwrap().len(), 1);
    assert!(least.swap("a", version, None).await.unwrap().is_some());
    let less = open_store(&place.url(&journal).replace("//:", "//less:")).unwrap();
    judge(&less.load("a").await.unwrap_err(), false, &["allow this user"]);
    // Its memory is full.
    server.admin("CONFIG SET maxmemory 1");
    judge(&least.swap("b", None, Some("x".into())).await.unwrap_err(), false, &["no memory left"]);
    server.admin("CONFIG SET maxmemory 0");
    // A replica.
    let replica = Place::Redis(Server::redis(&[
        "--requirepass",
        PASSWORD,
        "--masterauth",
        PASSWORD,
        "--replicaof",
        &format!("127.0.0.1 {}", server.port),
    ]));
    judge(&open_store(&replica.url(&journal)).unwrap().load("a").await.unwrap_err(), false, &["replica"]);
    // What the disk does not have yet must not count as written.
    let careless = Place::Redis(Server::redis(&["--requirepass", PASSWORD, "--appendonly", "no"]));
    let url = format!("{}&fsync=always", careless.url(&journal));
    judge(&open_store(&url).unwrap().load("a").await.unwrap_err(), false, &["fsync=always cannot be kept"]);
    open_store(&format!("{}&fsync=always", place.url(&journal))).unwrap().load("a").await.unwrap();
}

async fn lost_keys_bring_no_version_back(place: &Place) {
    let journal = new_journal();
    let store = open_store(&place.url(&journal)).unwrap();
    let version = store.swap("a", None, Some("x".into())).await.unwrap();
    for part in ["rows", "names", "meta", "removed"] {
        place.server().admin(&format!("DEL junfeiai:{{{journal}}}:{part}"));
    }
    // A store that has used them does not begin anew: what was paid for would be unknown to it. Nor does it go on in another's.
    judge(&store.swap("a", None, Some("y".into())).await.unwrap_err(), false, &["gone while it is in use"]);
    assert_eq!(place.server().admin(&format!("EXISTS junfeiai:{{{journal}}}:meta")), "0");
    let other = open_store(&place.url(&journal)).unwrap();
    let again = other.swap("a", None, Some("z".into())).await.unwrap();
    judge(&store.swap("a", again, Some("y".into())).await.unwrap_err(), false, &["gone while it is in use"]);
    let store = other;
    assert!(again > version, "{again:?} {version:?}");
    place.server().admin("SCRIPT FLUSH");
    assert!(store.swap("a", again, Some("z".into())).await.unwrap().is_some());
}

async fn old_removals_are_swept_from_redis(place: &Place) {
    let journal = new_journal();
    let store = open_store(&place.url(&journal)).unwrap();
    for name in ["a", "b"] {
        let version = store.swap(name, None, Some("x".into())).await.unwrap();
        store.swap(name, version, None).await.unwrap().unwrap();
        place.server().admin(&format!("ZINCRBY junfeiai:{{{journal}}}:removed -660 {name}"));
    }
    // Made anew, it is none of those.
    store.swap("b", None, Some("x".into())).await.unwrap().unwrap();
    let version = store.swap("c", None, Some("x".into())).await.unwrap();
    store.swap("c", version, None).await.unwrap().unwrap();
    let left = place.server().admin(&format!("HKEYS junfeiai:{{{journal}}}:rows"));
    assert_eq!(left.lines().collect::<BTreeSet<_>>(), ["b", "c"].into());
    assert!(store.swap("a", None, Some("x".into())).await.unwrap() > version);
}

async fn redis_over_tls(_: &Place) {
    let [ca, certificate, key] = certificate();
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        std::fs::write(files.path().join(name), text).unwrap();
        files.path().join(name).display().to_string()
    };
    let (ca, certificate, key) = (path("ca", &ca), path("certificate", &certificate), path("key", &key));
    let server = Server::redis(&[
        "--requirepass",
        PASSWORD,
        "--port",
        "0",
        "--tls-port",
        "{port}",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--tls-auth-clients",
        "no",
    ]);
    let url = format!("rediss://:{ENCODED}@127.0.0.1:{}?timeout=60", server.port);
    judge(&open_store(&url).unwrap().load("a").await.unwrap_err(), false, &["no secure connection", "ca_file"]);
    let store = open_store(&format!("{url}&ca_file={ca}")).unwrap();
    store.swap("a", None, Some("x".repeat(100_000))).await.unwrap().unwrap();
    assert_eq!(value(&store, "a").await.unwrap().len(), 100_000);
}

async fn a_cluster_sends_on_to_the_right_node(_: &Place) {
    let options = ["--requirepass", PASSWORD, "--cluster-enabled", "yes"];
    let nodes = [Server::redis(&options), Server::redis(&options)];
    nodes[0].admin("CLUSTER ADDSLOTSRANGE 0 8191");
    nodes[1].admin("CLUSTER ADDSLOTSRANGE 8192 16383");
    nodes[1].admin("CLUSTER SET-CONFIG-EPOCH 2");
    nodes[0].admin(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port));
    for node in &nodes {
        crate::servers::until("the cluster", || node.admin("CLUSTER INFO").contains("cluster_state:ok"));
    }
    let mut on = [0, 0];
    for number in 0..8 {
        let url = format!("redis://:{ENCODED}@127.0.0.1:{}?journal=n{number}&timeout=60", nodes[0].port);
        let store = open_store(&url).unwrap();
        let version = store.swap("a", None, Some("x".into())).await.unwrap();
        assert_eq!(store.scan("").await.unwrap().len(), 1);
        assert!(store.swap("a", version, None).await.unwrap().is_some());
        let slot: u32 = nodes[0].admin(&format!("CLUSTER KEYSLOT junfeiai:{{n{number}}}:rows")).parse().unwrap();
        on[usize::from(slot > 8191)] += 1;
    }
    assert!(on[0] > 0 && on[1] > 0, "{on:?}");
}

fn what_a_server_may_lose_is_said_once(runtime: &Runtime, log: &Log) {
    let place = Place::Redis(Server::redis(&[
        "--requirepass",
        PASSWORD,
        "--appendonly",
        "no",
        "--maxmemory",
        "100mb",
        "--maxmemory-policy",
        "allkeys-lru",
    ]));
    let said = |what: &str| log.text().matches(what).count();
    let before = [said("append-only file"), said("maxmemory-policy noeviction")];
    let store = place.store();
    for _ in 0..3 {
        runtime.block_on(store.load("a")).unwrap();
        place.server().admin("CLIENT KILL TYPE normal SKIPME yes");
    }
    assert_eq!(
        [said("append-only file"), said("maxmemory-policy noeviction")],
        before.map(|count| count + 1),
        "{}",
        log.text()
    );
    assert!(log.text().contains(&place.server().port.to_string()));
}

// ---- the runner -----------------------------------------------------------------------------------------------------

struct Runner {
    runtime: Runtime,
    filter: Vec<String>,
    passed: u32,
    failed: u32,
}

impl Runner {
    fn wants(&self, name: &str) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|part| name.contains(part))
    }

    fn run(&mut self, place: &Place, name: &str, case: impl FnOnce(&Runtime)) {
        let name = &format!("{}: {name}", place.name());
        if !self.wants(name) {
            return;
        }
        if let Place::Missing { why, .. } = place {
            println!("not run: {name} ({why})");
            return;
        }
        let begun = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| case(&self.runtime))).is_ok() {
            self.passed += 1;
            println!("ok {name} ({:.1?})", begun.elapsed());
        } else {
            self.failed += 1;
            println!("FAILED {name}");
        }
    }
}

macro_rules! cases {
    ($runner:expr, $place:expr, $($case:ident)*) => {
        $(
            $runner.run($place, &stringify!($case).replace('_', " "), |runtime| {
                let done = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(240), $case($place)).await });
                done.expect("it hung");
            });
        )*
    };
}

fn all_stores(runner: &mut Runner, place: &Place) {
    cases! { runner, place,
        a_row_is_replaced_only_by_who_has_seen_it no_version_comes_back it_does_as_memory_does texts_are_kept_as_they_are
        a_prefix_is_no_pattern ten_thousand_rows of_16_tasks_one_wins the_cost_of_a_claim a_job_is_created_once
        of_many_deliveries_one_is_sent
    }
}

fn all_servers(runner: &mut Runner, place: &Place) {
    cases! { runner, place,
        of_several_processes_one_wins a_lost_answer_is_settled a_dropped_future_is_carried_out any_runtime_will_do
        a_wrong_password_is_shown_nowhere a_server_that_stands_still what_returned_is_there_after_a_kill
        a_server_that_is_killed_lets_no_job_be_paid_twice two_accounts_do_not_share_a_journal
    }
    runner.run(place, "a child of fork has its own connection", |_| a_child_of_fork_has_its_own_connection(place));
}

pub(crate) fn main() -> ExitCode {
    if let Ok(url) = std::env::var("JUNFEIAI_STORE_CHILD") {
        child(&url);
        return ExitCode::SUCCESS;
    }
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let filter = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let mut runner = Runner { runtime: runtime(), filter, passed: 0, failed: 0 };
    all_stores(&mut runner, &Place::Memory);
    let started = |name: &'static str, installed: Result<(), String>, start: &dyn Fn() -> Place| match installed {
        Ok(()) => start(),
        Err(why) => Place::Missing { name, why },
    };
    let place = &started("postgres", postgres_programs().map(drop), &|| Place::Postgres(Server::postgres(&[])));
    all_stores(&mut runner, place);
    all_servers(&mut runner, place);
    cases! { runner, place, a_postgres_that_will_not_do_says_why old_removals_are_swept_from_postgres postgres_over_tls }
    let place = &started("redis", redis_programs().map(drop), &|| Place::Redis(Server::redis(&DURABLE)));
    all_stores(&mut runner, place);
    all_servers(&mut runner, place);
    cases! { runner, place,
        a_redis_that_will_not_do_says_why lost_keys_bring_no_version_back old_removals_are_swept_from_redis redis_over_tls
        a_cluster_sends_on_to_the_right_node
    }
    runner.run(place, "what a server may lose is said once", |runtime| {
        what_a_server_may_lose_is_said_once(runtime, &log);
    });
    runner.run(&Place::Memory, "no password is in the log", |_| {
        let text = log.text();
        assert!(!SECRETS.iter().any(|secret| text.contains(secret)));
    });
    println!("stores: {} passed, {} failed", runner.passed, runner.failed);
    ExitCode::from(u8::from(runner.failed > 0))
}
