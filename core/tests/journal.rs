//! The journal: what its lines add up to, how it stands damage and many writers, and what a client writes into it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use junfeiai::async_compat::BoxFuture;
use junfeiai::journal::{Claim, End, Entry, Event, Journal, Order, OrderKey, Record, State};
use junfeiai::protocol::ledger::{Header, Ledger, Tail};
use junfeiai::store::{MemoryStore, Store, Versioned};
use junfeiai::{
    Client, ClientBuilder, Error, ErrorKind, FileJournal, Pending, Result, StoreJournal, VideoRequest, WarningCode,
};
use junfeiai_emulator::Emulator;
use proptest::prelude::*;

const KEY: &str = "sk-journal-test";
const PROMPT: &str = "a prompt that nobody else shall read";

// ---- the ledger -----------------------------------------------------------------------------------------------------

fn event(kind: u8, name: u8) -> Event {
    let (intent, task_id) = (format!("intent{name}"), format!("task_{name}"));
    let order = Order {
        fingerprint: "ab".repeat(32),
        model: "grok-image-video".into(),
        seconds: Some("6".into()),
        prompt: None,
        until: Some(2_000),
        process: None,
        key: (name % 2 == 1).then(|| OrderKey { name: format!("key{name}"), attempt: 1, fields: BTreeMap::new() }),
        account: None,
        estimate: (name % 3 == 1).then_some(100_000),
    };
    match kind {
        0 => Event::Intent { intent, order },
        1 => Event::Created { intent, task_id, model: "grok-image-video".into(), request_id: None },
        2 => Event::Refused { intent, reason: "rate_limited".into() },
        3 => Event::Unknown { intent, reason: "create_outcome_unknown".into(), request_id: None },
        4 => Event::Finished { task_id, status: End::Succeeded, charged: Some(150_000) },
        5 => Event::Finished { task_id, status: End::Failed, charged: None },
        6 => Event::Saved { task_id, path: "/videos/é.mp4".into(), bytes: 1 },
        7 => Event::Forgotten { name: intent },
        8 => Event::Saving { task_id, path: "/videos/é.mp4".into(), bytes: 1 },
        _ => Event::Forgotten { name: task_id },
    }
}

/// The lines that a journal keeps of these events, and the ledger after each of them.
fn kept(events: &[(u8, u8)]) -> (Vec<String>, Vec<Vec<Entry>>) {
    let (mut ledger, mut lines, mut states) = (Ledger::default(), Vec::new(), vec![Vec::new()]);
    for (at, (kind, name)) in events.iter().enumerate() {
        let record = Record::new(at as u64 + 1, event(*kind, *name));
        let line = record.to_line();
        if ledger.apply(record) == Ok(true) {
            lines.push(line);
            states.push(ledger.entries().cloned().collect());
        }
    }
    (lines, states)
}

fn read(text: &[u8]) -> (Vec<Entry>, usize, Tail) {
    let mut ledger = Ledger::default();
    let (used, tail) = ledger.read(text).unwrap_or_else(|damage| panic!("{damage}"));
    (ledger.entries().cloned().collect(), used, tail)
}

fn without_times(entries: &[Entry]) -> Vec<Entry> {
    entries.iter().cloned().map(|entry| Entry { at: 0, changed_at: 0, ..entry }).collect()
}

#[test]
fn a_line_that_is_too_long_is_damage() {
    let mut ledger = Ledger::default();
    assert!(ledger.is_empty());
    let long = Record::new(1, Event::Forgotten { name: "x".repeat(70_000) }).to_line();
    let damage = ledger.read(long.as_bytes()).unwrap_err();
    assert_eq!((damage.line, damage.what.contains("64 KiB")), (1, true), "{damage}");
    ledger.apply(Record::new(1, event(0, 1))).unwrap();
    assert!(!ledger.is_empty());
}

/// A row that cannot be read is in the way of all others.
#[tokio::test]
async fn a_record_that_is_too_long_gets_into_no_store() {
    let journal = StoreJournal::new(Arc::new(MemoryStore::new()));
    let Event::Intent { order, .. } = event(0, 1) else { panic!("an intent") };
    let fields = (0..3000).map(|number| (format!("field {number}"), "sha256:0123456789abcdef".to_owned())).collect();
    let key = Some(OrderKey { name: "key1".into(), attempt: 1, fields });
    let intent = journal.intent(Some("key1"), "1");
    let record = Record::new(1, Event::Intent { intent, order: Order { key, ..order } });
    let error = journal.claim(record, false).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Journal && error.to_string().contains("64 KiB"), "{error}");
    assert_eq!(journal.entries().await.unwrap(), []);
    assert_eq!(journal.key("key1").await.unwrap(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Cut anywhere, the text gives the state of its whole lines; a last line without its end counts when all of it is
    /// there, and is passed over when it is torn.
    #[test]
    fn every_prefix_replays(events in prop::collection::vec((0_u8..10, 0_u8..4), 0..40), cut in any::<prop::sample::Index>()) {
        let (lines, states) = kept(&events);
        let text = lines.concat();
        let cut = cut.index(text.len() + 1);
        let prefix = &text.as_bytes()[..cut];
        let (entries, used, tail) = read(prefix);
        let whole = prefix.split(|byte| *byte == b'\n').count() - 1;
        let start: usize = lines.iter().take(whole).map(String::len).sum();
        let (records, expected) = match prefix.len() - start {
            0 => (whole, Tail::Whole),
            rest if rest + 1 == lines[whole].len() => (whole + 1, Tail::Unended),
            _ => (whole, Tail::Torn),
        };
        prop_assert_eq!(tail, expected);
        prop_assert_eq!(used, if tail == Tail::Torn { start } else { cut });
        prop_assert_eq!(&entries, &states[records]);
    }

    /// Reading in two parts, split at the end of any line, gives the same.
    #[test]
    fn reading_on_gives_the_same(events in prop::collection::vec((0_u8..10, 0_u8..4), 0..40), at in any::<prop::sample::Index>()) {
        let (lines, states) = kept(&events);
        let (first, rest) = lines.split_at(at.index(lines.len() + 1));
        let mut ledger = Ledger::default();
        ledger.read(first.concat().as_bytes()).unwrap();
        ledger.read(rest.concat().as_bytes()).unwrap();
        prop_assert_eq!(ledger.entries().cloned().collect::<Vec<_>>(), states.last().unwrap().clone());
    }

    /// A journal in a store says the same as one in a file. The names of intents are as a store's journal gives them.
    #[test]
    fn a_store_says_the_same(events in prop::collection::vec((0_u8..10, 0_u8..4), 0..40)) {
        let journal = StoreJournal::new(Arc::new(MemoryStore::new()));
        let mut ledger = Ledger::default();
        let intent = |name: u8| journal.intent((name % 2 == 1).then_some(format!("key{name}").as_str()), "1");
        let named = |event: Event, name: u8| match event {
            Event::Intent { order, .. } => Event::Intent { intent: format!("{}{name}", intent(name)), order },
            Event::Created { task_id, model, request_id, .. } => {
                Event::Created { intent: format!("{}{name}", intent(name)), task_id, model, request_id }
            }
            Event::Refused { reason, .. } => Event::Refused { intent: format!("{}{name}", intent(name)), reason },
            Event::Unknown { reason, request_id, .. } => {
                Event::Unknown { intent: format!("{}{name}", intent(name)), reason, request_id }
            }
            Event::Forgotten { name: of } if of.starts_with("intent") => {
                Event::Forgotten { name: format!("{}{name}", intent(name)) }
            }
            event => event,
        };
        for (at, (kind, name)) in events.iter().enumerate() {
            let record = Record::new(at as u64 + 1, named(event(*kind, *name), *name));
            if let Event::Intent { order: Order { key: Some(key), .. }, intent } = &record.event {
                // The only way to a key.
                let claim = ledger.claim(&key.name, true);
                let known = ledger.entries().chain(ledger.keys()).any(|entry| entry.intent == *intent);
                if !known {
                    if let Claim::Free { attempt } = claim {
                        ledger.apply(record.clone().with_attempt(attempt)).unwrap();
                    }
                    prop_assert_eq!(now(journal.claim(record, true)).unwrap(), claim);
                }
            } else {
                let said = ledger.apply(record.clone());
                prop_assert_eq!(now(journal.append(record)).is_ok(), said.is_ok());
            }
            let mut entries: Vec<_> = ledger.entries().cloned().collect();
            entries.sort_by_key(|entry| entry.at);
            prop_assert_eq!(now(journal.entries()).unwrap(), entries);
            prop_assert_eq!(now(journal.spending()).unwrap(), ledger.spending());
            for name in [1, 3] {
                let key = format!("key{name}");
                let found = now(journal.key(&key)).unwrap();
                prop_assert_eq!(found.as_ref(), ledger.key(&key));
            }
        }
    }

    /// A file written anew says the same as the one before.
    #[test]
    fn compaction_loses_nothing(events in prop::collection::vec((0_u8..10, 0_u8..4), 0..40)) {
        let (lines, states) = kept(&events);
        let mut ledger = Ledger::default();
        ledger.read(lines.concat().as_bytes()).unwrap();
        let text = ledger.compacted(&Header::new("g"));
        let (header, start) = Header::read(text.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(header, Header::new("g"));
        let (entries, _, tail) = read(&text.as_bytes()[start..]);
        prop_assert_eq!(tail, Tail::Whole);
        prop_assert_eq!(without_times(&entries), without_times(states.last().unwrap()));
        for (new, old) in entries.iter().zip(states.last().unwrap()) {
            prop_assert_eq!(new.at, old.at);
        }
        let mut again = Ledger::default();
        again.read(&text.as_bytes()[start..]).unwrap();
        prop_assert_eq!(again.spending(), ledger.spending());
    }

    /// A line in the middle that was changed into anything but a record is named.
    #[test]
    fn damage_is_named(events in prop::collection::vec((0_u8..10, 0_u8..4), 3..40), at in any::<prop::sample::Index>(), junk in "[^\n{]{0,20}") {
        let (mut lines, _) = kept(&events);
        prop_assume!(!lines.is_empty());
        let at = at.index(lines.len());
        lines[at] = format!("{junk}\n");
        let damage = Ledger::default().read(lines.concat().as_bytes()).unwrap_err();
        prop_assert_eq!(damage.line, at as u64 + 1);
    }
}

#[test]
fn ids_of_any_form_are_kept_and_what_cannot_be_asked_for_is_damage() {
    let read = |task_id: &str| {
        let line = Record::new(
            1,
            Event::Created { intent: "1".into(), task_id: task_id.into(), model: String::new(), request_id: None },
        );
        let mut ledger = Ledger::default();
        ledger.read(line.to_line().as_bytes()).map(|_| ledger.entries().next().unwrap().state.clone())
    };
    for id in ["dGFz/a +=", "../../x", "任务", "a\nb", &"t".repeat(2048)] {
        assert_eq!(read(id).unwrap(), State::Created { task_id: id.into() });
    }
    for id in ["", " ", ".", "..", &"t".repeat(2049)] {
        assert_eq!(read(id).unwrap_err().line, 1, "{id:?}");
    }
}

// ---- the file -------------------------------------------------------------------------------------------------------

fn now<T>(future: BoxFuture<'_, Result<T>>) -> Result<T> {
    futures_util::FutureExt::now_or_never(future).expect("the file's journal is done at once")
}

/// For one's own measurements: `cargo test --release -p junfeiai --test journal measure -- --ignored --nocapture`.
#[test]
#[ignore = "prints how long a record takes"]
fn measure_records() {
    let folder = tempfile::tempdir().unwrap();
    let journal = FileJournal::open(folder.path().join("j")).unwrap();
    let begun = Instant::now();
    for count in 0..10_000_u32 {
        let (intent, task_id) = (count.to_string(), format!("task_{count}"));
        now(journal.append(Record::new(1, Event::Created { intent, task_id, model: "m".into(), request_id: None })))
            .unwrap();
    }
    let each = begun.elapsed() / 10_000;
    let again = Instant::now();
    let entries = now(FileJournal::open(journal.path()).unwrap().entries()).unwrap().len();
    println!("{each:?} a record; {entries} entries read in {:?}", again.elapsed());
}

fn add(journal: &FileJournal, kind: u8, name: u8) -> Result<()> {
    now(journal.append(Record::new(1, event(kind, name))))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    for content in ["dear diary\n", "{\"a\":1}\n", "\u{feff}{}", "{\"junfeiai_journal\":99,\"generation\":\"1\"}\n"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        fs::write(&path, content).unwrap();
        let error = FileJournal::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Journal, "{error}");
        assert!(error.to_string().contains("line 1:"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names(folder.path()), ["j"]);
        let error = Client::builder().api_key(KEY).journal(&path).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Journal, "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(FileJournal::open(folder.path()).unwrap_err().kind(), ErrorKind::Journal);
    assert_eq!(FileJournal::open(folder.path().join("none/j")).unwrap_err().kind(), ErrorKind::Journal);
}

/// In a folder of its own: a device that is taken for a journal is replaced by a file.
#[cfg(unix)]
#[test]
fn a_pipe_a_socket_and_a_folder_are_no_journals_and_nobody_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let below = folder.path().join("folder");
    fs::create_dir(&below).unwrap();
    std::os::unix::fs::symlink(&pipe, folder.path().join("link")).unwrap();
    for name in ["pipe", "socket", "folder", "link"] {
        let before = names(folder.path());
        let error = FileJournal::open(folder.path().join(name)).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Journal, "{name}: {error}");
        assert_eq!(names(folder.path()), before, "{name}");
    }
    // A pipe in the place of the lock.
    let path = folder.path().join("j");
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join("j.lock")).status().unwrap().success());
    let error = FileJournal::open(&path).err().unwrap();
    assert!(error.to_string().contains("j.lock is not a regular file"), "{error}");
    assert!(!path.exists());
}

#[test]
fn damage_in_the_middle_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let journal = FileJournal::open(&path).unwrap();
    (0..5).for_each(|name| add(&journal, 0, name).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines[3] = &lines[3][..30];
    let damaged = lines.join("\n") + "\n";
    fs::write(&path, &damaged).unwrap();
    let error = FileJournal::open(&path).unwrap_err();
    assert!(error.to_string().contains("line 4: "), "{error}");
    // One that was open meanwhile: the file is shorter than what it knows, so it reads anew.
    let error = add(&journal, 0, 9).unwrap_err();
    assert!(error.to_string().contains("line 4: "), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
}

#[test]
fn a_torn_last_line_is_cut_off_and_never_glued_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let whole = {
        let journal = FileJournal::open(&path).unwrap();
        (0..3).for_each(|name| add(&journal, 0, name).unwrap());
        fs::read(&path).unwrap()
    };
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    // Every place in the last line, and every place in the first.
    for cut in (0..80).chain(last..whole.len()) {
        fs::write(&path, &whole[..cut]).unwrap();
        let journal = FileJournal::open(&path).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        add(&journal, 0, 7).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{cut}: {text}");
        let kept: Vec<_> = now(journal.entries()).unwrap().into_iter().map(|entry| entry.intent).collect();
        let expected: &[&str] = match cut {
            cut if cut < last => &["intent7"],
            // Only the end of the line is missing: the record counts.
            cut if cut + 1 == whole.len() => &["intent0", "intent1", "intent2", "intent7"],
            _ => &["intent0", "intent1", "intent7"],
        };
        assert_eq!(kept, expected, "cut at {cut}");
        assert_eq!(now(FileJournal::open(&path).unwrap().entries()).unwrap().len(), kept.len());
    }
}

#[test]
fn it_throws_out_what_is_over_and_others_notice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let one = FileJournal::open(&path).unwrap().compact_after(10, 1 << 20);
    let other = FileJournal::open(&path).unwrap();
    add(&other, 0, 200).unwrap();
    // Those without a key: what has one is kept.
    for name in (0..200).step_by(2) {
        add(&one, 0, name).unwrap();
        add(&one, 1, name).unwrap();
        add(&one, 6, name).unwrap();
    }
    assert!(fs::read_to_string(&path).unwrap().lines().count() < 40, "the file did not become smaller");
    // The other still has its place in a file that is gone.
    add(&other, 1, 200).unwrap();
    let kept = now(one.entries()).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].state, State::Created { task_id: "task_200".into() });
    assert_eq!(names(folder.path()), ["j", "j.lock"]);
    // What changes nothing is not written: a task of another program, one that is over.
    let before = fs::read(&path).unwrap();
    add(&one, 4, 98).unwrap();
    add(&one, 6, 98).unwrap();
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn what_a_killed_writer_left_beside_the_file_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    add(&FileJournal::open(&path).unwrap(), 0, 1).unwrap();
    let before = fs::read(&path).unwrap();
    fs::write(folder.path().join("j.new"), &before[..before.len() / 2]).unwrap();
    assert_eq!(now(FileJournal::open(&path).unwrap().entries()).unwrap().len(), 1);
    assert_eq!(names(folder.path()), ["j", "j.lock"]);
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_gone_while_it_is_in_use_is_not_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, away) = (folder.path().join("j"), folder.path().join("away"));
    let journal = FileJournal::open(&path).unwrap();
    add(&journal, 0, 1).unwrap();
    fs::rename(&path, &away).unwrap();
    let gone = |error: Error| {
        assert_eq!(error.kind(), ErrorKind::Journal, "{error}");
        assert!(error.to_string().contains("it is gone while it is in use: put it back"), "{error}");
    };
    for _ in 0..2 {
        gone(add(&journal, 0, 2).unwrap_err());
        gone(now(journal.entries()).unwrap_err());
    }
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    gone(add(&journal, 0, 2).unwrap_err());
    fs::rename(&away, &path).unwrap();
    add(&journal, 0, 2).unwrap();
    assert_eq!(now(journal.entries()).unwrap().len(), 2);
    // Whoever comes anew begins another.
    fs::remove_file(&path).unwrap();
    assert!(now(FileJournal::open(&path).unwrap().entries()).unwrap().is_empty());
}

/// A store whose client is killed after so many operations.
struct Killed(MemoryStore, std::sync::atomic::AtomicI32);

impl Killed {
    fn lives(&self) -> bool {
        self.1.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) > 0
    }
}

impl Store for Killed {
    fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
        if self.lives() { self.0.load(name) } else { Box::pin(std::future::pending()) }
    }

    fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
        if self.lives() { self.0.swap(name, expected, value) } else { Box::pin(std::future::pending()) }
    }

    fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
        self.0.scan(prefix)
    }
}

/// A process that is killed between any two operations on a store leaves a task either unknown or one whose end can be written.
#[test]
fn a_store_whose_client_is_killed_at_any_operation_says_what_there_is() {
    for lives in 0..12 {
        for name in [2, 3] {
            let store = Arc::new(Killed(MemoryStore::new(), lives.into()));
            let journal = StoreJournal::new(store.clone());
            let intent = journal.intent((name == 3).then_some("key3"), "1");
            let events = (0..7).filter(|kind| [0, 1, 4].contains(kind)).map(|kind| match event(kind, name) {
                Event::Intent { order, .. } => Event::Intent { intent: intent.clone(), order },
                Event::Created { task_id, model, request_id, .. } => {
                    Event::Created { intent: intent.clone(), task_id, model, request_id }
                }
                event => event,
            });
            for event in events {
                let record = Record::new(1, event);
                let done = match &record.event {
                    Event::Intent { order: Order { key: Some(_), .. }, .. } => {
                        futures_util::FutureExt::now_or_never(journal.claim(record, false)).is_some()
                    }
                    _ => futures_util::FutureExt::now_or_never(journal.append(record)).is_some(),
                };
                if !done {
                    break;
                }
            }
            store.1.store(i32::MAX, std::sync::atomic::Ordering::Relaxed);
            let next = StoreJournal::new(store.clone());
            let states = || now(next.entries()).unwrap().into_iter().map(|entry| entry.state).collect::<Vec<_>>();
            let has_task = states().iter().any(|state| state.task_id().is_some());
            now(next.append(Record::new(2, event(6, name)))).unwrap();
            let ended = states().iter().all(|state| state.task_id().is_none());
            assert!(ended, "killed after {lives} operations: the end of the task is not taken");
            let key = now(next.key("key3")).unwrap();
            let saved = key.is_some_and(|entry| matches!(entry.state, State::Saved { .. }));
            assert_eq!(saved, has_task && name == 3, "killed after {lives} operations");
        }
    }
}

// ---- many writers ---------------------------------------------------------------------------------------------------

fn child(test: &str, environment: &[(&str, String)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// What the children of the next test do.
#[test]
fn child_that_writes() {
    let (Ok(path), Ok(number)) = (std::env::var("TEST_JOURNAL"), std::env::var("TEST_NUMBER")) else { return };
    let journal = FileJournal::open(path).unwrap().compact_after(15, 8 * 1024);
    let write = |event| now(journal.append(Record::new(1, event))).unwrap();
    for count in 0..30 {
        let (intent, task_id) = (format!("{number}-{count}"), format!("task_{number}_{count}"));
        let Event::Intent { order, .. } = event(0, 0) else { unreachable!() };
        write(Event::Intent { intent: intent.clone(), order });
        write(Event::Created { intent, task_id: task_id.clone(), model: String::new(), request_id: None });
        if count % 10 != 0 {
            write(Event::Finished { task_id: task_id.clone(), status: End::Succeeded, charged: Some(150_000) });
            write(Event::Saved { task_id, path: "/x".into(), bytes: 1 });
        }
    }
}

#[test]
fn many_processes_and_threads_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let begun = Instant::now();
    let children: Vec<_> = (0..6)
        .map(|number| {
            let environment = [("TEST_JOURNAL", path.display().to_string()), ("TEST_NUMBER", number.to_string())];
            child("child_that_writes", &environment)
        })
        .collect();
    let journal = Arc::new(FileJournal::open(&path).unwrap().compact_after(15, 8 * 1024));
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let journal = journal.clone();
            std::thread::spawn(move || {
                for count in 0..20 {
                    let (intent, task_id) = (format!("t{number}-{count}"), format!("task_t{number}_{count}"));
                    now(journal.append(Record::new(
                        1,
                        Event::Created { intent, task_id, model: String::new(), request_id: None },
                    )))
                    .unwrap();
                }
            })
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let mut left: Vec<_> = now(FileJournal::open(&path).unwrap().entries())
        .unwrap()
        .into_iter()
        .map(|entry| entry.state.task_id().unwrap().to_owned())
        .collect();
    left.sort();
    let of_children = (0..6).flat_map(|number| [0, 10, 20].map(|count| format!("task_{number}_{count}")));
    let of_threads = (0..4).flat_map(|number| (0..20).map(move |count| format!("task_t{number}_{count}")));
    let mut expected: Vec<_> = of_children.chain(of_threads).collect();
    expected.sort();
    assert_eq!(left, expected);
    let lines = fs::read_to_string(&path).unwrap().lines().count();
    assert!(lines < 700, "{lines} lines: it was never written anew");
    println!("{} records by 6 processes and 4 threads in {:?}, {lines} lines left", 6 * 114 + 80, begun.elapsed());
}

/// Every record is whole and there when its writer is killed at any moment, compaction included.
#[test]
#[cfg(unix)]
fn killed_writers_leave_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let seed = std::env::var("JUNFEIAI_SEED").map_or(7, |seed| seed.parse().expect("JUNFEIAI_SEED is a number"));
    println!("repeat with JUNFEIAI_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..12 {
        let environment = [("TEST_JOURNAL", path.display().to_string()), ("TEST_NUMBER", format!("k{round}"))];
        let mut child = child("child_that_writes", &environment);
        std::thread::sleep(Duration::from_millis(random.u64(5..80)));
        child.kill().unwrap();
        child.wait().unwrap();
        let journal = FileJournal::open(&path).unwrap_or_else(|error| panic!("round {round}: {error}"));
        now(journal.append(Record::new(1, event(1, round)))).unwrap();
        let entries = now(journal.entries()).unwrap();
        for earlier in 0..=round {
            let id = format!("task_{earlier}");
            assert!(entries.iter().any(|entry| entry.state.task_id() == Some(&id)), "{id} was lost");
        }
    }
}

// ---- the client -----------------------------------------------------------------------------------------------------

fn builder(emulator: &Emulator, path: &Path) -> ClientBuilder {
    Client::builder()
        .api_key(KEY)
        .endpoint(emulator.base_url())
        .poll_interval(Duration::from_millis(20))
        .create_timeout(Duration::from_secs(60))
        .journal(path)
}

fn emulator(scenario: &str) -> Emulator {
    let emulator = Emulator::builder().api_key(KEY).time_scale(600.0).start().unwrap();
    emulator.set_scenario_json(scenario).unwrap();
    emulator
}

fn request() -> VideoRequest {
    VideoRequest::new(PROMPT).seconds(6)
}

fn posts(emulator: &Emulator) -> usize {
    emulator.requests().iter().filter(|request| request.method == "POST").count()
}

#[tokio::test]
async fn from_create_to_saved() {
    let emulator = emulator("{}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let client = builder(&emulator, &path).build().unwrap();
    let videos = client.videos();
    assert_eq!(videos.pending().await.unwrap(), []);
    let task = videos.create(request()).await.unwrap();
    assert!(task.warnings().is_empty());
    let pending = videos.pending().await.unwrap();
    let Pending::Task { task_id, model, seconds, state, prompt, fingerprint, .. } = &pending[0] else { panic!() };
    assert_eq!((task_id.as_str(), model.as_str(), seconds.as_deref()), (task.id(), "grok-image-video", Some("6")));
    assert_eq!((format!("{state:?}"), prompt), ("Created".into(), &None));
    assert_eq!(fingerprint.as_ref().unwrap().len(), 64);
    let video = task.wait().await.unwrap();
    let json = serde_json::to_value(videos.pending().await.unwrap()).unwrap();
    assert_eq!((&json[0]["kind"], &json[0]["state"]), (&"task".into(), &"succeeded".into()));
    video.save(folder.path().join("v.mp4")).await.unwrap();
    assert_eq!(videos.pending().await.unwrap(), []);
    // Looked at again, it stays over.
    videos.task(task.id()).unwrap().wait().await.unwrap();
    assert_eq!(videos.pending().await.unwrap(), []);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("v.mp4") && text.contains(task.id()), "{text}");
    assert!(!text.contains(KEY) && !text.contains("nobody else"), "{text}");
}

#[tokio::test]
async fn prompts_are_kept_only_when_asked_for_and_never_with_the_key() {
    let emulator = emulator("{}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("j");
    let client = builder(&emulator, &path).journal_prompts(true).build().unwrap();
    client.videos().create(VideoRequest::new(format!("{PROMPT} {KEY}")).seconds(6)).await.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(PROMPT) && !text.contains(KEY), "{text}");
}

#[tokio::test]
async fn a_failed_task_and_a_refused_create_are_over() {
    let emulator = emulator(r#"{"task":{"outcome":"failure"}}"#);
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&emulator, &folder.path().join("j")).build().unwrap();
    let error = client.videos().generate(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    assert_eq!(client.videos().pending().await.unwrap(), []);
    let error = client.videos().create(request().model("no-such-model")).await.unwrap_err();
    assert!(!error.maybe_executed());
    assert_eq!(client.videos().pending().await.unwrap(), []);
}

#[tokio::test]
async fn an_unknown_outcome_stays_until_the_user_has_looked() {
    let fault = r#"{"rules":[{"match":{"op":"create"},"times":2,"fault":{"kind":"drop_after_accept"}}]}"#;
    let emulator = emulator(fault);
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&emulator, &folder.path().join("j")).build().unwrap();
    let videos = client.videos();
    for _ in 0..2 {
        assert!(videos.create(request()).await.unwrap_err().maybe_executed());
    }
    assert_eq!((posts(&emulator), emulator.created_tasks()), (2, 2));
    let pending = videos.pending().await.unwrap();
    let intents: Vec<_> = pending
        .iter()
        .map(|entry| match entry {
            Pending::Unknown { intent, pid, reason, .. } => {
                assert_eq!((*pid, reason.as_str()), (Some(std::process::id()), "create_outcome_unknown"));
                intent.as_str()
            }
            other => panic!("{other:?}"),
        })
        .collect();
    // Found in the account: it becomes a task to go on with. Not found: it is over.
    let id = emulator.task_ids().pop().unwrap();
    assert!(videos.resolve_unknown(intents[0], Some(&id)).await.unwrap());
    assert!(videos.resolve_unknown(intents[1], None).await.unwrap());
    assert!(!videos.resolve_unknown(intents[1], None).await.unwrap());
    let pending = videos.pending().await.unwrap();
    assert!(matches!(&pending[..], [Pending::Task { task_id, .. }] if *task_id == id), "{pending:?}");
    assert!(!videos.forget("task_of_another").await.unwrap());
    assert!(videos.forget(&id).await.unwrap());
    assert_eq!(videos.pending().await.unwrap(), []);
    assert_eq!(posts(&emulator), 2);
}

#[tokio::test]
async fn an_answer_that_breaks_off_still_gives_its_id() {
    let fault = r#"{"rules":[{"match":{"op":"create"},"fault":{"kind":"cut_body","after_bytes":95}}]}"#;
    let emulator = emulator(fault);
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&emulator, &folder.path().join("j")).build().unwrap();
    let error = client.videos().create(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown);
    let pending = client.videos().pending().await.unwrap();
    let id = emulator.task_ids().pop().unwrap();
    assert_eq!(error.task_id(), Some(id.as_str()), "the cut is behind the id");
    assert!(matches!(&pending[..], [Pending::Task { task_id, .. }] if *task_id == id), "{pending:?}");
}

#[tokio::test]
async fn a_create_in_flight_is_not_pending_and_one_given_up_is_unknown() {
    let emulator = emulator(r#"{"rules":[{"match":{"op":"create"},"fault":{"kind":"hang","act":true}}]}"#);
    let folder = tempfile::tempdir().unwrap();
    let client = builder(&emulator, &folder.path().join("j")).create_timeout(Duration::from_secs(60)).build().unwrap();
    let videos = client.videos();
    let create = tokio::spawn({
        let videos = videos.clone();
        async move { videos.create(request()).await }
    });
    while emulator.created_tasks() == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(videos.pending().await.unwrap(), [], "it is being sent right now");
    create.abort();
    assert!(create.await.unwrap_err().is_cancelled());
    let pending = videos.pending().await.unwrap();
    assert!(matches!(&pending[..], [Pending::Unknown { reason, .. }] if reason == "abandoned"), "{pending:?}");
    assert_eq!(posts(&emulator), 1);
}

/// A journal whose disk fails at the n-th record.
struct Failing(FileJournal, std::sync::atomic::AtomicU32, u32);

impl Journal for Failing {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<()>> {
        if self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 >= self.2 {
            // An error of the same kind as a full disk gives.
            let error: Result<Error> = FileJournal::open("/dev/null/journal").map(|_| unreachable!()).or_else(Ok);
            return Box::pin(async move { Err(error?) });
        }
        self.0.append(record)
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        self.0.entries()
    }
}

#[tokio::test]
async fn without_a_journal_nothing_is_sent_and_a_paid_id_is_never_withheld() {
    let emulator = emulator("{}");
    let folder = tempfile::tempdir().unwrap();
    let client = |nth| {
        let journal = FileJournal::open(folder.path().join(format!("j{nth}"))).unwrap();
        let builder = Client::builder().api_key(KEY).endpoint(emulator.base_url());
        builder.journal_with(Arc::new(Failing(journal, 0.into(), nth))).build().unwrap()
    };
    let error = client(1).videos().create(request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Journal, "{error}");
    assert!(error.to_string().contains("nothing was sent") && !error.maybe_executed(), "{error}");
    assert_eq!(posts(&emulator), 0);
    let task = client(2).videos().create(request()).await.unwrap();
    assert_eq!(task.warnings().first().map(|warning| warning.code), Some(WarningCode::JournalFailed));
    assert_eq!(emulator.task_ids(), [task.id()]);
    let error = Client::builder().api_key(KEY).build().unwrap().videos().pending().await.unwrap_err();
    assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Config, Some("journal")));
}
