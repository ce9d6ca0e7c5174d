//! Who a process is, so that a later one can tell whether it still runs.
//!
//! Linux says it all in `/proc`: a process is its number, the moment it began, the start of the machine and the number
//! space (the container) that the number belongs to. Where these files are missing nothing is claimed.

use std::fs;

use crate::protocol::ledger::Process;

/// This process.
pub(crate) fn current() -> Process {
    let started = stat("self").map(|(_, started)| started);
    Process { pid: std::process::id(), place: place(), started }
}

/// Whether a process runs; `None` when that cannot be known from here.
pub(crate) fn runs(process: &Process) -> Option<bool> {
    let (here, started) = (place()?, process.started?);
    // Another place is another container, another machine that shares the file, or this one before its last start.
    if process.place.as_deref() != Some(here.as_str()) {
        return None;
    }
    Some(match stat(&process.pid.to_string()) {
        // Killed, and not yet missed by its parent.
        Some((b'Z' | b'X', _)) | None => false,
        Some((_, since)) => since == started,
    })
}

/// The start of the machine, and the number space.
fn place() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), space.display()))
}

/// State and time of beginning of a process.
fn stat(pid: &str) -> Option<(u8, u64)> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, which may hold anything, brackets too.
    let rest = text.get(text.iter().rposition(|byte| *byte == b')')? + 2..)?;
    let rest = std::str::from_utf8(rest).ok()?;
    let state = *rest.as_bytes().first()?;
    Some((state, rest.split(' ').nth(19)?.parse().ok()?))
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_until_it_is_killed() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let (_, started) = stat(&child.id().to_string()).unwrap();
        let process = Process { pid: child.id(), started: Some(started), ..current() };
        assert_eq!(runs(&process), Some(true));
        let other = Process { started: Some(started + 1), ..process.clone() };
        assert_eq!(runs(&other), Some(false), "the number was given to another process");
        let elsewhere = Process { place: Some("another machine".into()), ..process.clone() };
        assert_eq!(runs(&elsewhere), None);
        child.kill().unwrap();
        // Not yet waited for: it is still in the table.
        while stat(&child.id().to_string()).is_some_and(|(state, _)| state != b'Z') {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(runs(&process), Some(false));
        child.wait().unwrap();
        assert_eq!(runs(&process), Some(false));
        assert_eq!(runs(&current()), Some(true));
    }
}
