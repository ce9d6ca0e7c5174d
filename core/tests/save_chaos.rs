//! Random faults, random kills: every time the final file is byte-identical, or there is none and a clear error. Where the file
//! on the server changes while it is saved, it is identical to one of its versions.
//!
//! `JUNFEIAI_SEED` repeats a run, `JUNFEIAI_CASES` makes it longer (`make soak`). A failure names its seed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use junfeiai::DownloadPolicy;
use junfeiai::protocol::byte_ranges::RangeSet;
use junfeiai::{Client, Error, ErrorKind, Summary};
use junfeiai_emulator::{Emulator, TaskSpec};
use serde_json::{Value, json};

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Waits until the emulator has read what killed processes had sent: a request may lie in a buffer when its sender is long gone.
fn settle(emulator: &Emulator) {
    // Connections are accepted in the order in which they were made, so all before this one are counted then.
    let mut last = TcpStream::connect(("127.0.0.1", emulator.port())).unwrap();
    last.write_all(b"GET /__emulator/stats HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    last.read_to_end(&mut Vec::new()).unwrap();
    drop(last);
    let begun = Instant::now();
    while emulator.stats().open_connections > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "connections of killed processes stay open");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs `count` cases with seeds of their own on a few threads.
fn cases(default: u64, case: impl Fn(u64) + Sync) {
    let count = number("JUNFEIAI_CASES").unwrap_or(default);
    let first = number("JUNFEIAI_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 1_000_003);
    println!("{count} cases from seed {first}");
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let seed = first + at;
                    let named = Named(seed);
                    case(seed);
                    drop(named);
                }
            });
        }
    });
}

/// Names the seed of the case that fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat with JUNFEIAI_SEED={} JUNFEIAI_CASES=1", self.0);
        }
    }
}

fn policy(connections: u32, max_failures: u32) -> DownloadPolicy {
    DownloadPolicy {
        connections,
        base: Duration::from_millis(2),
        cap: Duration::from_millis(20),
        settle: Duration::from_millis(100),
        max_failures,
        // So that small files are read by several, too.
        min_part: 64 * 1024,
        ..DownloadPolicy::default()
    }
}

/// Shorter than the stalls of the service, so that they are met as what they are.
const HASTY: Duration = Duration::from_millis(60);
/// For a save that is to succeed: longer than a busy machine is ever silent.
const PATIENT: Duration = Duration::from_secs(30);

fn save(
    base_url: &str,
    id: &str,
    path: &Path,
    connections: u32,
    max_failures: u32,
    idle: Duration,
) -> Result<Summary, Error> {
    // Of several threads, where the files are written by a thread of their own, and of one, where they are not.
    let mut runtime = match connections % 2 {
        0 => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    let (base_url, id, path) = (base_url.to_owned(), id.to_owned(), path.to_owned());
    let save = async move {
        let client = Client::builder()
            .api_key("sk-test")
            .endpoint(base_url)
            .idle_timeout(idle)
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        client.videos().video(&id)?.save(path).policy(policy(connections, max_failures)).await
    };
    runtime.block_on(async { tokio::spawn(save).await.unwrap() })
}

#[test]
fn random_faults() {
    let clear = AtomicU64::new(0);
    let whole = AtomicU64::new(0);
    cases(240, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut chaos =
            [0.5, 0.3, 0.15, 0.3, 0.2, 0.3, 0.03, 0.03].map(|most| if rng.bool() { rng.f64() * most } else { 0.0 });
        let sum: f64 = chaos.iter().sum();
        if sum > 0.95 {
            chaos = chaos.map(|chance| chance / sum * 0.95);
        }
        let [cut, reset, stall, bad_gateway, slow_down, ignore_range, wrong_range, change_file] = chaos;
        let chaos = json!({
            "cut": cut, "reset": reset, "stall": stall, "status_502": bad_gateway, "status_429": slow_down,
            "ignore_range": ignore_range, "wrong_range": wrong_range, "change_file": change_file, "stall_ms": 150,
        });
        let range = if rng.u8(..10) == 0 { "ignore" } else { "honour" };
        let length = rng.u8(..6) != 0;
        let size = rng.u64(20_000..5_000_000);
        // Mostly so slow that further connections are opened.
        let rate = (rng.u8(..4) != 0).then(|| size * rng.u64(2..20));
        let scenario = json!({
            "seed": seed, "chaos": { "content": chaos },
            "content": { "range": range, "content_length": length, "per_connection_rate": rate, "etag": rng.choice(["strong", "weak", "none"]).unwrap() },
        });
        let connections = rng.u32(1..=8);
        let emulator = Emulator::builder().api_key("sk-test").scenario(scenario_of(&scenario)).start().unwrap();
        let id = emulator.add_task(TaskSpec::with_video_bytes(size));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.mp4");
        match save(&emulator.base_url(), &id, &path, connections, rng.u32(1..=12), HASTY) {
            Ok(summary) => {
                whole.fetch_add(1, Ordering::Relaxed);
                if !is_earlier_version(&path, &emulator, &id, size) {
                    assert_same(&path, &emulator, &id, seed, &format!("{summary:?} {scenario}"));
                }
                assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "seed {seed}: something is left");
            }
            Err(error) => {
                clear.fetch_add(1, Ordering::Relaxed);
                assert!(!path.exists(), "seed {seed}: {error}, and yet there is a file");
                assert!(
                    matches!(error.kind(), ErrorKind::Download | ErrorKind::Integrity | ErrorKind::NotReady),
                    "seed {seed}: {error}"
                );
                assert_eq!(error.task_id(), Some(id.as_str()));
                // What was read is of use to the next call, once the service behaves.
                emulator.set_scenario_json("{}").unwrap();
                save(&emulator.base_url(), &id, &path, connections, 12, PATIENT)
                    .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                assert_same(&path, &emulator, &id, seed, "after a clear error");
            }
        }
    });
    println!("{whole:?} whole at once, {clear:?} clear errors and whole with the next call");
    assert!(whole.into_inner() > 0, "no save came through");
}

/// Whether the file is what the server had before its file changed: a connection that reads on to the end brings the
/// version that it began with.
fn is_earlier_version(path: &Path, emulator: &Emulator, id: &str, size: u64) -> bool {
    let changed =
        emulator.requests().iter().filter(|request| request.fault.as_deref() == Some("chaos:change_file")).count();
    if changed == 0 {
        return false;
    }
    // The same task elsewhere: each request for its file brings the next version.
    let other = Emulator::builder().api_key("sk-test").start().unwrap();
    other.add_task(TaskSpec { id: Some(id.to_owned()), ..TaskSpec::with_video_bytes(size) });
    other.set_scenario_json(r#"{"chaos":{"content":{"change_file":1.0}}}"#).unwrap();
    let is = fs::read(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    (0..changed).any(|version| {
        let earlier = other.video_bytes(id).unwrap();
        save(&other.base_url(), id, &folder.path().join(version.to_string()), 1, 1, PATIENT).unwrap();
        is == earlier
    })
}

/// Says where the difference is and what the service was asked, since such a case is hard to come by.
#[track_caller]
fn assert_same(path: &Path, emulator: &Emulator, id: &str, seed: u64, what: &str) {
    let (is, wanted) = (fs::read(path).unwrap(), emulator.video_bytes(id).unwrap());
    if is == wanted {
        return;
    }
    let first = is.iter().zip(&wanted).position(|(a, b)| a != b);
    let last = is.iter().zip(&wanted).rposition(|(a, b)| a != b);
    for request in emulator.requests() {
        eprintln!(
            "{:>4} ms {} {:?} {:?} -> {:?}, {} bytes",
            request.at_ms, request.path, request.range, request.fault, request.status, request.sent_bytes
        );
    }
    panic!("seed {seed}: {} bytes for {}, different from {first:?} to {last:?}: {what}", is.len(), wanted.len());
}

fn scenario_of(value: &Value) -> junfeiai_emulator::Scenario {
    junfeiai_emulator::Scenario::from_json(&value.to_string()).unwrap()
}

/// Bytes of the video that the service has sent.
fn sent(emulator: &Emulator) -> u64 {
    let requests = emulator.requests();
    requests.iter().filter(|request| request.path.contains("content")).map(|request| request.sent_bytes).sum()
}

/// What a killed process left, as the format of the state file says.
fn kept(path: &Path) -> RangeSet {
    let part = path.with_extension("mp4.part");
    let length = fs::metadata(&part).map_or(0, |data| data.len());
    let text = fs::read_to_string(path.with_extension("mp4.part.state")).unwrap_or_default();
    let mut ranges = RangeSet::new();
    let mut sparse = None;
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        match line.strip_prefix("+ ") {
            Some(range) => range.parse::<RangeSet>().unwrap().iter().for_each(|range| {
                ranges.insert(range.start, range.end);
            }),
            None => sparse = serde_json::from_str::<Value>(line).unwrap()["sparse"].as_bool(),
        }
    }
    if sparse == Some(false) {
        ranges.insert(0, length);
    }
    ranges
}

fn asked(range: Option<&str>) -> Range<u64> {
    let Some((start, end)) = range.and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) else {
        return 0..u64::MAX;
    };
    start.parse().unwrap()..end.parse::<u64>().map_or(u64::MAX, |end| end + 1)
}

#[test]
fn random_kills() {
    if let Ok(order) = std::env::var("JUNFEIAI_TEST_CHILD") {
        let order: Value = serde_json::from_str(&order).unwrap();
        let text = |name: &str| order[name].as_str().unwrap().to_owned();
        let connections = order["connections"].as_u64().unwrap() as u32;
        save(&text("base_url"), &text("id"), Path::new(&text("path")), connections, 20, PATIENT).unwrap();
        return;
    }
    let kills = AtomicU64::new(0);
    let resumed = AtomicU64::new(0);
    cases(60, |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let size = rng.u64(500_000..4_000_000);
        let scenario = json!({ "seed": seed, "chaos": { "content": { "cut": 0.2, "reset": 0.1 } }, "content": { "per_connection_rate": size * 2 } });
        let emulator = Emulator::builder().api_key("sk-test").scenario(scenario_of(&scenario)).start().unwrap();
        let id = emulator.add_task(TaskSpec::with_video_bytes(size));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.mp4");
        let connections = rng.u32(1..=6);
        let order =
            json!({ "base_url": emulator.base_url(), "id": id, "path": path, "connections": connections }).to_string();
        let command = || {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "random_kills", "--nocapture"]).env("JUNFEIAI_TEST_CHILD", &order);
            command
        };
        let start = || command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..3 {
            // Killed at any moment, the file is not there or it is whole. By the clock any moment is one of the start as
            // well; by the bytes there is mostly something to resume, however slow the machine is.
            emulator.clear_requests();
            let mut child = start();
            if rng.bool() {
                std::thread::sleep(Duration::from_millis(rng.u64(5..400)));
            } else {
                let enough = rng.u64(1..size);
                while child.try_wait().unwrap().is_none() && sent(&emulator) < enough {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            child.kill().unwrap();
            let _ = child.wait();
            if path.exists() {
                break;
            }
            kills.fetch_add(1, Ordering::Relaxed);
            let kept = kept(&path);
            resumed.fetch_add(u64::from(!kept.is_empty()), Ordering::Relaxed);
            // What the next process asks for is nothing that is there.
            settle(&emulator);
            emulator.clear_requests();
            let mut child = start();
            std::thread::sleep(Duration::from_millis(rng.u64(30..120)));
            child.kill().unwrap();
            let _ = child.wait();
            for request in emulator.requests().iter().filter(|request| request.path.contains("content")) {
                let asked = asked(request.range.as_deref());
                let again = kept.iter().find(|kept| kept.start.max(asked.start) < kept.end.min(asked.end));
                assert!(again.is_none(), "seed {seed}: {asked:?} was asked for although {again:?} is there");
            }
            if path.exists() {
                break;
            }
        }
        if !path.exists() {
            let last = command().output().unwrap();
            let text = String::from_utf8_lossy(&last.stderr);
            assert!(last.status.success(), "seed {seed}: the last process ended with {}: {text}", last.status);
        }
        assert_same(&path, &emulator, &id, seed, "after kills");
        // A kill right behind the rename leaves the state file; whoever comes next clears it away.
        let error = save(&emulator.base_url(), &id, &path, 1, 12, PATIENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileExists);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "seed {seed}: something is left");
    });
    println!("{kills:?} kills, after {resumed:?} of them there was something to go on with");
    assert!(resumed.into_inner() > 0);
}

/// A file size limit stands in for a full disk: writing fails in the middle, nothing is lost.
#[cfg(unix)]
#[test]
fn a_full_disk_is_said_and_what_was_read_is_kept() {
    let emulator = Emulator::builder().api_key("sk-test").start().unwrap();
    let size = 3_000_000;
    let id = emulator.add_task(TaskSpec::with_video_bytes(size));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.mp4");
    if let Ok(order) = std::env::var("JUNFEIAI_TEST_CHILD") {
        let order: Value = serde_json::from_str(&order).unwrap();
        let text = |name: &str| order[name].as_str().unwrap().to_owned();
        let error = save(&text("base_url"), &text("id"), Path::new(&text("path")), 1, 12, PATIENT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        assert!(error.to_string().contains("make room"), "{error}");
        return;
    }
    let order = json!({ "base_url": emulator.base_url(), "id": id, "path": path }).to_string();
    let exe = std::env::current_exe().unwrap();
    let limited = |blocks: u32| {
        let command = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec '{}' --exact a_full_disk_is_said_and_what_was_read_is_kept",
            exe.display()
        );
        let output = Command::new("sh").args(["-c", &command]).env("JUNFEIAI_TEST_CHILD", &order).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(!path.exists());
        // Without the line that says whose it is, it would lock everybody out.
        assert!(!folder.path().join("v.mp4.part.lock").exists(), "{blocks} blocks");
    };
    limited(0);
    limited(2000);
    let there = kept(&path).covered();
    assert!(there > 900_000, "{there}");
    emulator.clear_requests();
    assert!(save(&emulator.base_url(), &id, &path, 1, 12, PATIENT).unwrap().resumed);
    assert!(fs::read(&path).unwrap() == emulator.video_bytes(&id).unwrap());
}
