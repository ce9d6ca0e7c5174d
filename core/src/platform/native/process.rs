//! What this system says about its processes: the files of Linux's `/proc`, where they are.

use std::fs;
use std::time::Duration;

use crate::protocol::process::ProcessTable;

/// The processes of this machine.
pub(crate) struct System;

impl ProcessTable for System {
    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn boot_id(&self) -> Option<String> {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(text.trim().to_owned())
    }

    fn pid_space(&self) -> Option<String> {
        Some(fs::read_link("/proc/self/ns/pid").ok()?.display().to_string())
    }

    fn proc_stat(&self, pid: Option<u32>) -> Option<String> {
        let pid = pid.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
        // A program's name need not be text.
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    fn process_exists(&self, _: u32) -> Option<bool> {
        // Not asked: a native saver is known by its system lock, and others go by the age of what they wrote.
        None
    }

    fn uptime(&self) -> Option<Duration> {
        let text = fs::read_to_string("/proc/uptime").ok()?;
        Duration::try_from_secs_f64(text.split(' ').next()?.parse().ok()?).ok()
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::protocol::process::{Process, current, runs};

    #[test]
    fn the_machine_was_booted_before_this() {
        assert!(System.uptime().unwrap() > Duration::ZERO);
    }

    #[test]
    fn a_process_runs_until_it_is_killed() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let stat = || System.proc_stat(Some(child.id())).unwrap();
        let started = stat().rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
        let process = Process { pid: child.id(), started: Some(started), ..current(&System) };
        assert_eq!(runs(&System, &process), Some(true));
        let elsewhere = Process { place: Some("another machine".into()), ..process.clone() };
        assert_eq!(runs(&System, &elsewhere), None);
        child.kill().unwrap();
        // Not yet waited for: it is still in the table.
        let stat = || System.proc_stat(Some(child.id()));
        while stat().is_some_and(|text| !text.contains(") Z ")) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert_eq!(runs(&System, &process), Some(false));
        child.wait().unwrap();
        assert_eq!(runs(&System, &process), Some(false));
        assert_eq!(runs(&System, &current(&System)), Some(true));
    }
}
