//! A lock on an open file that ends when we say so.

use std::fs::{File, OpenOptions, TryLockError};
use std::ops::{Deref, DerefMut};

use crate::fork::Pid;

/// How a file is opened that will be locked or cut: readable and writable, made when it is not there, as it is when it is.
///
/// Not with `append`: Windows then gives no right to write data, without which it neither locks nor cuts.
pub(crate) fn lockable() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options
}

/// A locked file. Closing it is not enough to unlock it: a child process may hold a copy of it, between `fork()` and
/// `exec()` or for as long as it lives.
pub(crate) struct Locked {
    file: File,
    /// False on a file system without locks, which gives the file to everybody.
    exclusive: bool,
    /// Who locked it. A child that drops its copy must not take the lock from us.
    process: Pid,
}

impl Locked {
    /// Locks the file, unless somebody else has it. A file system without locks is no reason to fail: it is as careful
    /// as it allows.
    pub(crate) fn try_new(file: File) -> Option<Self> {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => None,
            Ok(()) => Some(Self::of(file)),
            Err(TryLockError::Error(_)) => Some(Self { file, exclusive: false, process: Pid::current() }),
        }
    }

    /// A file that was just locked.
    pub(crate) fn of(file: File) -> Self {
        Self { file, exclusive: true, process: Pid::current() }
    }

    /// Whether nobody else can have it now.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        if self.process.is_current() {
            let _ = self.file.unlock();
        }
    }
}

impl Deref for Locked {
    type Target = File;

    fn deref(&self) -> &File {
        &self.file
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.file
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_lives_on_does_not_keep_the_lock() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let open = || lockable().open(&path).unwrap();
        let locked = Locked::try_new(open()).unwrap();
        // What a child has after fork(): the same open file.
        let copy = locked.try_clone().unwrap();
        assert!(Locked::try_new(open()).is_none());
        drop(locked);
        assert!(Locked::try_new(open()).is_some());
        // And a copy that a child drops takes nothing from its parent.
        let locked = Locked::try_new(open()).unwrap();
        drop(Locked { file: locked.try_clone().unwrap(), exclusive: true, process: Pid::of_another() });
        assert!(Locked::try_new(open()).is_none());
        drop(copy);
    }
}
