//! Where a video is saved: the file operations that a save is made of.
//!
//! [`Video::save`](crate::Video::save) works on files of this machine. Whoever has another place, such as Node's `fs` behind a
//! WebAssembly border, brings a [`Storage`] for [`Video::save_to`](crate::Video::save_to). It carries out single operations; which
//! of them come when, who holds the lock and what is believed of an earlier save is decided by the saver, once for all.

use std::time::Duration;

use bytes::Bytes;

use crate::async_compat::{BoxFuture, MaybeSend, MaybeSync};
use crate::error::Result;
use crate::net::transport::Piece;
use crate::protocol::process::ProcessTable;

/// What a name leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileStat {
    /// A regular file; not a link, a folder, a pipe or a device.
    pub is_file: bool,
    /// A folder.
    pub is_folder: bool,
    /// Its length in bytes.
    pub length: u64,
    /// How long ago it was written to, where that is known.
    pub age: Option<Duration>,
    /// Tells two files apart, and two names of one file; only where an open file can be removed or renamed over.
    pub id: Option<String>,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read it. One that is not there stays so.
    Read,
    /// To read and write it. One that is not there stays so.
    Write,
    /// To read and write it. It is made where it is not there, and left as it is where it is.
    Create,
}

/// How giving a file another name ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renamed {
    /// As asked.
    Done,
    /// There is a file of that name already; nothing was changed.
    Exists,
    /// This system or file system cannot do it.
    Unsupported,
}

/// A lock of the system on an open file, which ends with its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemLock {
    /// Nobody else has it now.
    Exclusive,
    /// Somebody else has it.
    Taken,
    /// This file system gives none.
    Unsupported,
}

/// The files of one save. Every `suffix` is what is appended to the name of the target: `""` is the target itself.
///
/// An operation begins when its method is called, not when its future is polled, and is carried out to its end even if the
/// future is dropped. Operations on one storage are carried out in the order of the calls. No operation blocks the thread
/// that calls it, except where that thread serves nobody else.
///
/// Errors are of the kinds `io` and `no_space`; see [`Error::from_io_code`](crate::Error::from_io_code).
pub trait Storage: ProcessTable + MaybeSend + MaybeSync {
    /// The name of a file for people.
    fn display(&self, suffix: &str) -> String;
    /// Whether files can be locked by [`Storage::lock`].
    fn has_system_locks(&self) -> bool;
    /// What is there under this name; `None` for nothing. `follow` looks through a link.
    fn stat(&self, suffix: &str, follow: bool) -> BoxFuture<'static, Result<Option<FileStat>>>;
    /// Opens a file, never through a link, and without waiting for the other end of a pipe. It stays open under this suffix
    /// until it is closed. Gives what was opened; `None` when it is not there.
    fn open(&self, suffix: &str, access: Access) -> BoxFuture<'static, Result<Option<FileStat>>>;
    /// Takes the system's lock on an open file. It ends when the file is closed.
    fn lock(&self, suffix: &str) -> BoxFuture<'static, Result<SystemLock>>;
    /// Closes an open file.
    fn close(&self, suffix: &str) -> BoxFuture<'static, Result<()>>;
    /// Reads from an open file; fewer bytes at its end.
    fn read(&self, suffix: &str, at: u64, length: usize) -> BoxFuture<'static, Result<Bytes>>;
    /// Writes pieces into an open file, one behind the other. Those outside of this program's memory are only from a transport
    /// that the caller brought as well.
    fn write(&self, suffix: &str, at: u64, pieces: Vec<Piece>) -> BoxFuture<'static, Result<()>>;
    /// Cuts an open file to this length, or extends it.
    fn truncate(&self, suffix: &str, length: u64) -> BoxFuture<'static, Result<()>>;
    /// Makes the bytes and the length of an open file durable.
    fn sync(&self, suffix: &str) -> BoxFuture<'static, Result<()>>;
    /// Makes a file with this text; false when there is one already. After an error part of it may be there.
    fn create(&self, suffix: &str, text: String) -> BoxFuture<'static, Result<bool>>;
    /// Gives a file another name, over whatever has it.
    fn rename(&self, from: &str, to: &str) -> BoxFuture<'static, Result<()>>;
    /// Gives a file another name, unless that is taken, in one step.
    fn rename_new(&self, from: &str, to: &str) -> BoxFuture<'static, Result<Renamed>>;
    /// Gives a file a second name, unless that is taken.
    fn link(&self, from: &str, to: &str) -> BoxFuture<'static, Result<Renamed>>;
    /// Removes a file. It need not be there.
    fn remove(&self, suffix: &str) -> BoxFuture<'static, Result<()>>;
    /// Makes the folder of the files, and those above it.
    fn create_folders(&self) -> BoxFuture<'static, Result<()>>;
    /// Makes the names in the folder durable, where that can be done.
    fn sync_folder(&self) -> BoxFuture<'static, ()>;
    /// Bytes that there is room for; `None` when that is not known.
    fn free_space(&self) -> BoxFuture<'static, Option<u64>>;
    /// Carries out what was asked for, and from now on every operation before its method returns. False where that cannot
    /// be. Called when the future of a save is dropped, which cannot wait.
    fn finish_in_place(&self) -> bool {
        false
    }
}
