//! Who a process is, so that a later one can tell whether it still runs.
//!
//! Linux says it all in `/proc`: a process is its number, the time of its beginning, the boot of the machine and the number
//! space (the container) that the number belongs to. Where these files are missing nothing is claimed. The files are read by
//! whoever has them, natively or through Node; what they mean is here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A process, as far as its system can tell it from others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Where that number means something: this boot of this machine, and the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// When it began, in the system's own ticks: a number that is used again belongs to another process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
}

/// What a system says about its processes.
pub trait ProcessTable {
    /// The calling process.
    fn pid(&self) -> u32;
    /// The id of this boot of the machine (Linux: `/proc/sys/kernel/random/boot_id`).
    fn boot_id(&self) -> Option<String>;
    /// The number space of the calling process (Linux: where `/proc/self/ns/pid` leads).
    fn pid_space(&self) -> Option<String>;
    /// The text of `/proc/PID/stat`; of the calling process where no number is given.
    fn proc_stat(&self, pid: Option<u32>) -> Option<String>;
    /// Whether any process has this number, for systems without `/proc`.
    fn process_exists(&self, pid: u32) -> Option<bool>;
    /// How long ago the machine was booted (Linux: `/proc/uptime`).
    fn uptime(&self) -> Option<Duration> {
        None
    }
}

/// The calling process.
pub fn current(table: &(impl ProcessTable + ?Sized)) -> Process {
    let started = table.proc_stat(None).as_deref().and_then(parse_stat).map(|stat| stat.started);
    Process { pid: table.pid(), place: place(table), started }
}

/// Whether a process runs; `None` when that cannot be known from here.
pub fn runs(table: &(impl ProcessTable + ?Sized), process: &Process) -> Option<bool> {
    let here = place(table);
    if here.is_none() && process.place.is_none() {
        // Without /proc the number is all there is.
        return table.process_exists(process.pid);
    }
    let (here, started) = (here?, process.started?);
    // Another place is another container, another machine that shares the file, or this one before its last boot.
    if process.place.as_deref() != Some(here.as_str()) {
        return None;
    }
    let Some(stat) = table.proc_stat(Some(process.pid)) else {
        // A service may be shown its user's processes alone (`hidepid`, systemd's `ProtectProc`). The first one is always there.
        return table.proc_stat(Some(1)).map(|_| false);
    };
    // One that ended and was not yet waited for by its parent is still in the table.
    Some(parse_stat(&stat).is_some_and(|stat| !matches!(stat.state, b'Z' | b'X') && stat.started == started))
}

/// Whether a process is of this boot of this machine; `None` where either is not known.
pub fn same_boot(table: &(impl ProcessTable + ?Sized), process: &Process) -> Option<bool> {
    let boot = process.place.as_deref()?.split(' ').next();
    Some(boot == Some(table.boot_id()?.as_str()))
}

/// The boot of the machine, and the number space.
fn place(table: &(impl ProcessTable + ?Sized)) -> Option<String> {
    Some(format!("{} {}", table.boot_id()?, table.pid_space()?))
}

struct Stat {
    state: u8,
    started: u64,
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The second field is the program's name in brackets, which may hold anything, brackets too.
    let rest = text.get(text.rfind(')')? + 2..)?;
    let state = *rest.as_bytes().first()?;
    Some(Stat { state, started: rest.split(' ').nth(19)?.parse().ok()? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A machine with one process, number 7, beside the first one, which not everybody is shown.
    struct Table {
        boot: Option<&'static str>,
        stat: &'static str,
        shows_all: bool,
    }

    impl ProcessTable for Table {
        fn pid(&self) -> u32 {
            7
        }

        fn boot_id(&self) -> Option<String> {
            self.boot.map(str::to_owned)
        }

        fn pid_space(&self) -> Option<String> {
            self.boot.map(|_| "pid:[1]".to_owned())
        }

        fn proc_stat(&self, pid: Option<u32>) -> Option<String> {
            let shown = pid.is_none_or(|pid| pid == 7 || (pid == 1 && self.shows_all));
            (self.boot.is_some() && shown).then(|| self.stat.to_owned())
        }

        fn process_exists(&self, pid: u32) -> Option<bool> {
            Some(pid == 7)
        }
    }

    const ODD_NAME: &str = "7 (a) b) R 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1";

    #[test]
    fn a_process_is_its_number_its_beginning_and_its_place() {
        let table = Table { boot: Some("a"), stat: ODD_NAME, shows_all: true };
        let process = current(&table);
        assert_eq!(process, Process { pid: 7, place: Some("a pid:[1]".into()), started: Some(4242) });
        assert_eq!(runs(&table, &process), Some(true));
        assert_eq!(runs(&table, &Process { pid: 8, ..process.clone() }), Some(false));
        assert_eq!(runs(&table, &Process { started: Some(4243), ..process.clone() }), Some(false), "used again");
        assert_eq!(runs(&table, &Process { started: None, ..process.clone() }), None);
        let container = Process { place: Some("a pid:[2]".into()), ..process.clone() };
        let unknown = Process { place: None, ..process.clone() };
        assert_eq!([&process, &container, &unknown].map(|of| same_boot(&table, of)), [Some(true), Some(true), None]);
        let elsewhere = Table { boot: Some("b"), ..table };
        assert_eq!(runs(&elsewhere, &process), None, "another boot, machine or container");
        assert_eq!(same_boot(&elsewhere, &process), Some(false));
        assert_eq!(same_boot(&Table { boot: None, stat: "", shows_all: true }, &process), None);
        let zombie = "7 (a) Z 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4242 1 1";
        let zombie = Table { boot: Some("a"), stat: zombie, shows_all: true };
        assert_eq!(runs(&zombie, &process), Some(false), "ended, not yet waited for");
    }

    #[test]
    fn a_process_that_is_not_shown_may_run() {
        let table = Table { boot: Some("a"), stat: ODD_NAME, shows_all: false };
        let process = current(&table);
        assert_eq!(runs(&table, &process), Some(true));
        assert_eq!(runs(&table, &Process { started: Some(4243), ..process.clone() }), Some(false), "used again");
        assert_eq!(runs(&table, &Process { pid: 8, ..process }), None);
    }

    #[test]
    fn without_proc_the_number_is_all_there_is() {
        let table = Table { boot: None, stat: "", shows_all: true };
        let process = current(&table);
        assert_eq!(process, Process { pid: 7, place: None, started: None });
        assert_eq!(runs(&table, &process), Some(true));
        assert_eq!(runs(&table, &Process { pid: 8, ..process }), Some(false));
        let elsewhere = Process { pid: 7, place: Some("a pid:[1]".into()), started: Some(4242) };
        assert_eq!(runs(&table, &elsewhere), None);
    }
}
