//! Keeps two savers of one video apart, whatever language they are written in.
//!
//! Natively that is a lock on `NAME.part.state`, which the system ends with its process. Node has no such locks, so there is a
//! file as well: `NAME.part.lock`, made only where it is not there, with a line that says which process holds it. Each saver
//! writes and honours both; Node, which cannot ask for the first, the second alone.
//!
//! ```text
//! {"pid":4711,"place":"<start of the machine> <number space>","started":81234,"native":true,"name":"5d1f0c6b2a9e4873"}
//! ```
//!
//! A saver that was killed leaves the file. It is taken over as soon as its process is known to be gone: by number, time of
//! beginning, start of the machine and container, since in containers every process may be number 1. Where that cannot be
//! known (another container or machine), a file of which nothing was written for [`ABANDONED`] is taken over.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::Pid;
use crate::platform::native::files::{age, random_name, same_file, with_suffix};
use crate::platform::native::lock::{Locked, lockable};
use crate::platform::native::process;
use crate::protocol::ledger::Process;
use crate::save::refusals::{io_error, refuse_link};

/// So long nothing was written by a saver that counts as gone although its process cannot be looked up from here.
const ABANDONED: Duration = Duration::from_secs(600);
/// Longest line that is one of ours.
const MAX_LINE: u64 = 4096;

/// Both locks of a save.
pub(super) struct SaveLock {
    state: Locked,
    path: PathBuf,
    holder: Holder,
    process: Pid,
}

/// Who holds `NAME.part.lock`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Holder {
    #[serde(flatten)]
    process: Process,
    /// Whether it holds the lock on the state file, too.
    #[serde(default)]
    native: bool,
    /// Tells two savers of one process apart.
    name: String,
}

impl SaveLock {
    /// Locks the save to this target.
    pub(super) fn acquire(target: &Path) -> Result<Self> {
        let state = lock_state(&with_suffix(target, ".part.state"))?;
        let path = with_suffix(target, ".part.lock");
        let holder = Holder { process: process::current(), native: true, name: random_name() };
        let line = serde_json::to_string(&holder).unwrap_or_default() + "\n";
        for _ in 0..8 {
            match File::create_new(&path) {
                Ok(mut file) => {
                    if let Err(error) = file.write_all(line.as_bytes()) {
                        // A full disk, for example: a file without a line would lock everybody out for a while.
                        let _ = fs::remove_file(&path);
                        return Err(io_error("the file", &path, &error));
                    }
                    return Ok(Self { state, path, holder, process: Pid::current() });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => take_over(&path, target, Some(&state))?,
                Err(error) => return Err(io_error("the file", &path, &error)),
            }
        }
        Err(busy(&path))
    }

    /// Refuses a target that another saver is writing. Leaves no lock behind.
    pub(super) fn check(target: &Path) -> Result<()> {
        let (state, path) = (with_suffix(target, ".part.state"), with_suffix(target, ".part.lock"));
        // The lock makes the file that it is about: what is not there is not locked.
        let state = state.exists().then(|| lock_state(&state)).transpose()?;
        if path.exists() && is_held(&path, target, state.as_ref())? {
            return Err(held(&path));
        }
        Ok(())
    }

    /// The state file.
    pub(super) fn state(&mut self) -> &mut File {
        &mut self.state
    }
}

impl Drop for SaveLock {
    fn drop(&mut self) {
        // In a child of `fork()` it is the parent's.
        if self.process.is_current() && read(&self.path).is_some_and(|holder| holder == self.holder) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes the lock file of a saver that is gone.
pub(super) fn clear_lock(target: &Path, state: Option<&Locked>) {
    let path = with_suffix(target, ".part.lock");
    if path.exists() {
        let _ = take_over(&path, target, state);
    }
}

/// Removes the lock file of a saver that is gone; an error where it is not.
fn take_over(path: &Path, target: &Path, state: Option<&Locked>) -> Result<()> {
    if is_held(path, target, state)? {
        return Err(held(path));
    }
    // Moved aside, not removed: only one of several can do that.
    let aside = with_suffix(path, &format!(".{}", random_name()));
    if fs::rename(path, &aside).is_ok() {
        let _ = fs::remove_file(aside);
    }
    Ok(())
}

/// Whether the lock file's saver may still be at work. `state` is the caller's lock on the state file; `None` when there is no
/// such file, which every native saver makes before its lock file.
fn is_held(path: &Path, target: &Path, state: Option<&Locked>) -> Result<bool> {
    refuse_link(path)?;
    let holder = read(path);
    if holder.as_ref().is_some_and(|holder| holder.native) && state.is_none_or(Locked::is_exclusive) {
        // Alive, it would hold the lock that the caller has.
        return Ok(false);
    }
    if let Some(runs) = holder.and_then(|holder| process::runs(&holder.process)) {
        return Ok(runs);
    }
    let ages = [path.to_owned(), with_suffix(target, ".part")].map(|path| age(&path));
    Ok(ages.into_iter().flatten().min().is_some_and(|age| age < ABANDONED))
}

fn read(path: &Path) -> Option<Holder> {
    let mut text = String::new();
    File::open(path).ok()?.take(MAX_LINE).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Locks the state file, which is made where it is not there.
pub(super) fn lock_state(path: &Path) -> Result<Locked> {
    refuse_link(path)?;
    for _ in 0..8 {
        let file = lockable().open(path);
        let file = file.map_err(|error| io_error("the file", path, &error))?;
        let Some(file) = Locked::try_new(file) else {
            return Err(held(path));
        };
        // A saver that just ended may have removed the file that we locked.
        if same_file(&file, path) {
            return Ok(file);
        }
    }
    Err(busy(path))
}

fn held(path: &Path) -> Error {
    let text = format!("{} is held by another saver of this file", path.display());
    Error::new(ErrorKind::FileLocked, Phase::Save, text)
}

fn busy(path: &Path) -> Error {
    let text = format!("{} comes and goes: other savers are at work", path.display());
    Error::new(ErrorKind::FileLocked, Phase::Save, text)
}
