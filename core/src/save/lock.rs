//! Keeps two savers of one video apart, whatever language they are written in.
//!
//! Natively that is a lock of the system on `NAME.part.state`, which ends with its process. Node has no such locks, so there is
//! a file as well: `NAME.part.lock`, made only where it is not there, with a line that says which process holds it. Each saver
//! writes and honours both; Node, which cannot ask for the first, the second alone.
//!
//! ```text
//! {"pid":4711,"place":"<boot of the machine> <number space>","started":81234,"native":true,"name":"5d1f0c6b2a9e4873"}
//! ```
//!
//! A saver that was killed leaves the file. It is taken over as soon as its process is known to be gone: by number, time of
//! beginning, boot of the machine and container, since in containers every process may be number 1. Where that cannot be
//! known (another container or machine), a file of which nothing was written for [`ABANDONED`] is taken over.
//!
//! Some file systems that machines share (sshfs, 9p, virtiofs, NFS with `local_lock`) keep the lock of the system to one machine.
//! So holding it says that a native saver is gone only where that was one of this boot, or wrote nothing since this boot.
//!
//! The file is made and written in two steps, and a saver may be killed between them. So an empty one holds nobody up for long
//! (see [`UNWRITTEN`]), and whoever wrote a line looks whether the file with it is still there.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::protocol::part::STATE_START;
use crate::protocol::process::{self, Process};
use crate::save::files::{LOCK, PART, STALE, STATE, open, read_file};
use crate::storage::{Access, Storage, SystemLock};

/// So long nothing was written by a saver that counts as gone although its process cannot be looked up from here.
const ABANDONED: Duration = Duration::from_secs(600);
/// So long a lock file may be without its line. With the lock of the system, which a native saver takes first, nobody is waited
/// for: a native saver that made it is gone, and one of Node looks again.
const UNWRITTEN: Duration = Duration::from_secs(5);
/// So far a clock may have been wrong when the machine was booted: it is set right later.
const CLOCK_ERROR: Duration = Duration::from_secs(60);
/// Longest line that is one of ours.
const MAX_LINE: usize = 4096;
/// How often a lock that others release and take is tried for.
const TRIES: u32 = 8;

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

/// The line of a saver of this process. `name` is nobody else's.
pub(super) fn line_of(storage: &dyn Storage, name: u64) -> String {
    let holder =
        Holder { process: process::current(storage), native: storage.has_system_locks(), name: format!("{name:016x}") };
    serde_json::to_string(&holder).unwrap_or_default() + "\n"
}

/// Takes both locks of a save. Whatever comes of it, [`release`] gives back what was taken.
pub(super) async fn acquire(storage: &dyn Storage, line: &str) -> Result<()> {
    // A look first: taking the lock of the system makes the state file, which a refused saver must not leave.
    check(storage).await?;
    let state = if storage.has_system_locks() { lock_state(storage, Access::Create).await? } else { None };
    for _ in 0..TRIES {
        match storage.create(LOCK, line.to_owned()).await {
            Ok(true) if is_ours(storage, line).await => return Ok(()),
            // It was taken for that of a saver that is gone, before the line was in it.
            Ok(true) => {}
            Ok(false) => take_over(storage, state).await?,
            Err(error) => {
                // A full disk, for example: a file without a line would lock everybody out for a while.
                let left = read_file(storage, LOCK, MAX_LINE).await.ok().flatten();
                if left.is_some_and(|text| line.starts_with(&text)) {
                    let _ = storage.remove(LOCK).await;
                }
                if state == Some(SystemLock::Exclusive) {
                    let _ = remove_orphan(storage).await;
                }
                return Err(error);
            }
        }
    }
    Err(busy(storage, LOCK))
}

/// Gives both locks back.
pub(super) async fn release(storage: &dyn Storage, line: &str) {
    if is_ours(storage, line).await {
        // A saver may have been killed while it took over.
        let _ = storage.remove(STALE).await;
        let _ = storage.remove(LOCK).await;
    }
    let _ = storage.close(STATE).await;
}

/// Whether the lock file is of the saver with this line.
pub(super) async fn is_ours(storage: &dyn Storage, line: &str) -> bool {
    read_file(storage, LOCK, MAX_LINE).await.ok().flatten().is_some_and(|text| text == line)
}

/// Removes the state file of a saver that was killed right behind the rename, and one that is there only because we locked
/// it: it is ours, and there are no bytes that it could be about. Whoever asks holds the locks.
pub(super) async fn remove_orphan(storage: &dyn Storage) -> Result<()> {
    if storage.stat(PART, false).await?.is_some() {
        return Ok(());
    }
    if !storage.has_system_locks() && open(storage, STATE, Access::Read).await?.is_none() {
        return Ok(());
    }
    let start = storage.read(STATE, 0, STATE_START.len()).await?;
    if STATE_START.as_bytes().starts_with(&start) { storage.remove(STATE).await } else { Ok(()) }
}

/// Refuses a target that another saver is writing, and one beside which another program's file has the name of the state
/// file. Leaves no lock behind, and makes no file.
pub(super) async fn check(storage: &dyn Storage) -> Result<()> {
    let state = if storage.has_system_locks() {
        // The lock makes the file that it is about: what is not there is not locked, and every native saver makes it before
        // its lock file.
        lock_state(storage, Access::Write).await?.or(Some(SystemLock::Exclusive))
    } else {
        None
    };
    let held = judge(storage, state).await;
    if state.is_some() {
        storage.close(STATE).await?;
    }
    match held? {
        Some((true, _)) => Err(held_by_another(storage, LOCK)),
        _ => refuse_foreign(storage).await,
    }
}

/// Refuses to write over a state file that no saver wrote. One of ours may have lost its begin with the power: then zeros are
/// there.
async fn refuse_foreign(storage: &dyn Storage) -> Result<()> {
    let Some(text) = read_file(storage, STATE, STATE_START.len()).await? else { return Ok(()) };
    if text.bytes().zip(STATE_START.bytes()).all(|(is, ours)| is == ours || is == 0) {
        return Ok(());
    }
    let name = storage.display(STATE);
    let text =
        format!("{name} is needed for the save, but is another program's file: move it, or save under another name");
    Err(Error::new(ErrorKind::Io, Phase::Save, text))
}

/// Removes the lock file of a saver that is gone; an error where it is not.
async fn take_over(storage: &dyn Storage, state: Option<SystemLock>) -> Result<()> {
    let text = match judge(storage, state).await? {
        None => return Ok(()),
        Some((true, _)) => return Err(held_by_another(storage, LOCK)),
        Some((false, text)) => text,
    };
    // Moved aside, not removed: only one of several can do that.
    if storage.rename(LOCK, STALE).await.is_err() {
        return Ok(());
    }
    let moved = read_file(storage, STALE, MAX_LINE).await?;
    if moved.is_some_and(|moved| moved != text) {
        // Another saver was faster: this is its lock.
        let _ = storage.link(STALE, LOCK).await;
        let _ = storage.remove(STALE).await;
        return Err(held_by_another(storage, LOCK));
    }
    storage.remove(STALE).await
}

/// Whether the lock file's saver may still be at work, and what the file says; `None` when there is no such file. `state` is
/// the caller's lock on the state file, `None` where there are no such locks.
async fn judge(storage: &dyn Storage, state: Option<SystemLock>) -> Result<Option<(bool, String)>> {
    let Some(text) = read_file(storage, LOCK, MAX_LINE).await? else { return Ok(None) };
    let holder = serde_json::from_str::<Holder>(&text).ok();
    let mut ages = Vec::new();
    for suffix in [LOCK, PART] {
        ages.extend(storage.stat(suffix, false).await?.and_then(|stat| stat.age));
    }
    let age = ages.into_iter().min();
    // Alive, it would hold the lock that the caller has.
    let held_the_lock = |holder: &Holder| {
        let here = process::same_boot(storage, &holder.process) != Some(false);
        holder.native && (here || was_before(age, storage.uptime()))
    };
    let held = if text.is_empty() && state == Some(SystemLock::Exclusive)
        || state == Some(SystemLock::Exclusive) && holder.as_ref().is_some_and(held_the_lock)
    {
        false
    } else if let Some(runs) = holder.and_then(|holder| process::runs(storage, &holder.process)) {
        runs
    } else {
        age.is_some_and(|age| age < if text.is_empty() { UNWRITTEN } else { ABANDONED })
    };
    Ok(Some((held, text)))
}

/// Whether what was last written so long ago was written before the machine was booted.
fn was_before(age: Option<Duration>, uptime: Option<Duration>) -> bool {
    uptime.is_none_or(|uptime| age.is_some_and(|age| age.saturating_add(CLOCK_ERROR) >= uptime))
}

/// Takes the system's lock on the state file; `None` when it is not there.
async fn lock_state(storage: &dyn Storage, access: Access) -> Result<Option<SystemLock>> {
    for _ in 0..TRIES {
        let Some(opened) = open(storage, STATE, access).await? else { return Ok(None) };
        let lock = storage.lock(STATE).await?;
        if lock == SystemLock::Taken {
            storage.close(STATE).await?;
            return Err(held_by_another(storage, STATE));
        }
        // A saver that just ended may have removed the file that we locked.
        if storage.stat(STATE, false).await?.is_some_and(|named| named.id == opened.id) {
            return Ok(Some(lock));
        }
        storage.close(STATE).await?;
    }
    Err(busy(storage, STATE))
}

fn held_by_another(storage: &dyn Storage, suffix: &str) -> Error {
    let text = format!("{} is held by another saver of this file", storage.display(suffix));
    Error::new(ErrorKind::FileLocked, Phase::Save, text)
}

fn busy(storage: &dyn Storage, suffix: &str) -> Error {
    let text = format!("{} comes and goes: other savers are at work", storage.display(suffix));
    Error::new(ErrorKind::FileLocked, Phase::Save, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After a loss of power a save goes on at once; what another machine writes now was not written before this boot.
    #[test]
    fn what_was_written_before_a_boot_is_told_from_what_is_written_now() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (age, uptime, before) in [
            (seconds(40), seconds(20), true),
            (seconds(3600), seconds(20), true),
            (seconds(5000), seconds(4990), true),
            (seconds(0), seconds(30), true),
            (seconds(0), seconds(3600), false),
            (seconds(500), seconds(3600), false),
            (None, seconds(3600), false),
            (seconds(0), None, true),
        ] {
            assert_eq!(was_before(age, uptime), before, "{age:?} {uptime:?}");
        }
    }
}
