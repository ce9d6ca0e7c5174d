//! Files of this machine as a [`Storage`].

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::async_compat::BoxFuture;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::ForkGuard;
use crate::net::transport::Piece;
use crate::platform::native::file_thread::FileThread;
use crate::platform::native::files::{
    Which, file_id, folder_of, rename_exclusive, sync_file, sync_folder, unless_held, with_suffix,
};
use crate::platform::native::lock::Locked;
use crate::platform::native::process::System;
use crate::protocol::process::ProcessTable;
use crate::storage::{Access, FileStat, Renamed, Storage, SystemLock};

/// The files of one save. The disk is touched by a thread of its own where the caller's serves others too.
pub(crate) struct FileStorage {
    target: PathBuf,
    /// Of the process that began the save alone.
    inner: ForkGuard<Inner>,
}

struct Inner {
    files: Arc<Mutex<Files>>,
    thread: FileThread,
}

/// The files, as whoever carries out the operations has them.
struct Files {
    target: PathBuf,
    open: HashMap<String, OpenFile>,
}

struct OpenFile {
    handle: Handle,
    /// Where the file's cursor is; `None` where that is not known.
    cursor: Option<u64>,
}

enum Handle {
    Plain(File),
    Locked(Locked),
}

impl Deref for Handle {
    type Target = File;

    fn deref(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Locked(file) => file,
        }
    }
}

impl FileStorage {
    /// The files of a save to this target; another working folder later changes nothing.
    pub(crate) fn new(target: &Path) -> Result<Arc<Self>> {
        Self::with(target, FileThread::for_caller)
    }

    /// For a caller that waits for nothing: every operation is carried out before its method returns.
    pub(crate) fn in_place(target: &Path) -> Result<Arc<Self>> {
        Self::with(target, FileThread::default)
    }

    fn with(target: &Path, thread: impl FnOnce() -> FileThread) -> Result<Arc<Self>> {
        if target.file_name().is_none() {
            return Err(Error::new(ErrorKind::Io, Phase::Save, format!("\"{}\" names no file", target.display())));
        }
        if names_folder(target) {
            let text = format!("{} is the name of a folder: name a file in it", target.display());
            return Err(Error::new(ErrorKind::Io, Phase::Save, text));
        }
        #[cfg(windows)]
        refuse_windows_fault(target)?;
        let target = std::path::absolute(target).map_err(|error| io_error("the file", target, &error))?;
        let files = Files { target: target.clone(), open: HashMap::new() };
        let inner = Inner { files: Arc::new(Mutex::new(files)), thread: thread() };
        Ok(Arc::new(Self { target, inner: ForkGuard::new(inner) }))
    }

    /// SHA-256 of the target, in hexadecimal.
    pub(crate) fn sha256(&self) -> BoxFuture<'static, Result<String>> {
        self.run("", |_, path| hash(path))
    }

    fn run<T: Send + 'static>(
        &self,
        suffix: &str,
        work: impl FnOnce(&mut Files, &Path) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let path = with_suffix(&self.target, suffix);
        let Some(inner) = self.inner.get() else {
            let text = format!("{} is being saved by the parent of this process", self.target.display());
            return Box::pin(async { Err(Error::new(ErrorKind::Internal, Phase::Save, text)) });
        };
        let files = inner.files.clone();
        let done = inner.thread.run(move || {
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut files, &path).map_err(|error| io_error("the file", &path, &error))
        });
        Box::pin(async {
            let lost = |_| Error::new(ErrorKind::Internal, Phase::Save, "the file operation did not end");
            done.await.map_err(lost)?
        })
    }
}

/// Whether the path ends as only a folder's can: what is appended to it would name files in that folder.
fn names_folder(target: &Path) -> bool {
    let text = target.as_os_str().as_encoded_bytes();
    let ends = |text: &[u8]| text.last().is_some_and(|&last| std::path::is_separator(last.into()));
    ends(text) || text.strip_suffix(b".").is_some_and(ends)
}

/// Refuses what Windows would read as something else than the file that is meant. A path that begins with `\\?\` is taken
/// as it is, by Windows too.
#[cfg(windows)]
fn refuse_windows_fault(target: &Path) -> Result<()> {
    use std::path::Component;

    // With the longest of what is put behind the target's name for the files beside it.
    let longest = with_suffix(target, ".part.state");
    for part in target.components().chain(longest.components().next_back()) {
        let fault = match part {
            Component::Prefix(prefix) if prefix.kind().is_verbatim() => return Ok(()),
            Component::Normal(name) => crate::text::windows_names::fault(&name.to_string_lossy()),
            _ => None,
        };
        if let Some(fault) = fault {
            let name = part.as_os_str().display();
            let text = format!("{} cannot be a file on Windows: \"{name}\": {fault}", target.display());
            return Err(Error::new(ErrorKind::Io, Phase::Save, text));
        }
    }
    Ok(())
}

/// What a failed operation on a file is for the caller of a save.
pub(crate) fn io_error(what: &str, path: &Path, error: &io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => ErrorKind::NoSpace,
        _ => ErrorKind::Io,
    };
    let advice = match error.kind() {
        io::ErrorKind::InvalidFilename => Error::SHORTER_NAME,
        _ => "",
    };
    Error::new(kind, Phase::Save, format!("{what} {} cannot be used: {error}{advice}", path.display()))
}

impl Files {
    fn opened(&mut self, suffix: &str) -> io::Result<&mut OpenFile> {
        self.open.get_mut(suffix).ok_or_else(|| io::Error::other("the file is not open"))
    }

    fn open(&mut self, suffix: &str, path: &Path, access: Access) -> io::Result<Option<FileStat>> {
        let mut options = File::options();
        // Not for appending: Windows then gives no right to write data, without which it neither locks nor cuts.
        options.read(true).write(access != Access::Read).create(access == Access::Create).truncate(false);
        never_elsewhere(&mut options);
        let file = match unless_held(|| options.open(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && access != Access::Create => return Ok(None),
            file => file?,
        };
        let stat = stat_of(&file.metadata()?, Which::Open(&file));
        self.open.insert(suffix.to_owned(), OpenFile { handle: Handle::Plain(file), cursor: None });
        Ok(Some(stat))
    }

    fn lock(&mut self, suffix: &str) -> io::Result<SystemLock> {
        let Some(OpenFile { handle: Handle::Plain(file), cursor }) = self.open.remove(suffix) else {
            return Err(io::Error::other("the file is not open, or locked already"));
        };
        let Some(locked) = Locked::try_new(file) else { return Ok(SystemLock::Taken) };
        let lock = if locked.is_exclusive() { SystemLock::Exclusive } else { SystemLock::Unsupported };
        self.open.insert(suffix.to_owned(), OpenFile { handle: Handle::Locked(locked), cursor });
        Ok(lock)
    }

    fn read(&mut self, suffix: &str, at: u64, length: usize) -> io::Result<Bytes> {
        let file = self.opened(suffix)?;
        file.cursor = None;
        let mut source = &*file.handle;
        source.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::with_capacity(length);
        source.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    fn write(&mut self, suffix: &str, at: u64, pieces: &[Bytes]) -> io::Result<()> {
        let file = self.opened(suffix)?;
        let mut sink = &*file.handle;
        if file.cursor.take() != Some(at) {
            sink.seek(SeekFrom::Start(at))?;
        }
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = slices.as_mut_slice();
        // Empty ones would be written for ever.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match sink.write_vectored(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut rest, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        file.cursor = Some(at + pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
        Ok(())
    }
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(format!("{:x}", hasher.finalize())),
            Ok(count) => hasher.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is opened is what was asked for: not what a link leads to, and not a pipe, whose other end would be waited for.
fn never_elsewhere(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;

        /// The link itself is opened, which is no regular file.
        const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
        options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    }
    #[cfg(not(any(unix, windows)))]
    let _ = options;
}

fn stat_of(data: &fs::Metadata, which: Which<'_>) -> FileStat {
    // A clock that was set back makes nothing old.
    let age = data.modified().ok().map(|written| written.elapsed().unwrap_or_default());
    FileStat { is_file: data.is_file(), is_folder: data.is_dir(), length: data.len(), age, id: file_id(data, which) }
}

impl ProcessTable for FileStorage {
    fn pid(&self) -> u32 {
        System.pid()
    }

    fn boot_id(&self) -> Option<String> {
        System.boot_id()
    }

    fn pid_space(&self) -> Option<String> {
        System.pid_space()
    }

    fn proc_stat(&self, pid: Option<u32>) -> Option<String> {
        System.proc_stat(pid)
    }

    fn process_exists(&self, pid: u32) -> Option<bool> {
        System.process_exists(pid)
    }

    fn uptime(&self) -> Option<Duration> {
        System.uptime()
    }
}

impl Storage for FileStorage {
    fn display(&self, suffix: &str) -> String {
        with_suffix(&self.target, suffix).display().to_string()
    }

    fn has_system_locks(&self) -> bool {
        true
    }

    fn stat(&self, suffix: &str, follow: bool) -> BoxFuture<'static, Result<Option<FileStat>>> {
        self.run(suffix, move |_, path| match if follow { fs::metadata(path) } else { fs::symlink_metadata(path) } {
            Ok(data) => Ok(Some(stat_of(&data, Which::Named(path)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
    }

    fn open(&self, suffix: &str, access: Access) -> BoxFuture<'static, Result<Option<FileStat>>> {
        let name = suffix.to_owned();
        self.run(suffix, move |files, path| files.open(&name, path, access))
    }

    fn lock(&self, suffix: &str) -> BoxFuture<'static, Result<SystemLock>> {
        let name = suffix.to_owned();
        self.run(suffix, move |files, _| files.lock(&name))
    }

    fn close(&self, suffix: &str) -> BoxFuture<'static, Result<()>> {
        let name = suffix.to_owned();
        self.run(suffix, move |files, _| {
            files.open.remove(&name);
            Ok(())
        })
    }

    fn read(&self, suffix: &str, at: u64, length: usize) -> BoxFuture<'static, Result<Bytes>> {
        let name = suffix.to_owned();
        self.run(suffix, move |files, _| files.read(&name, at, length))
    }

    fn write(&self, suffix: &str, at: u64, pieces: Vec<Piece>) -> BoxFuture<'static, Result<()>> {
        let name = suffix.to_owned();
        let pieces: Vec<Bytes> = pieces.into_iter().map(Piece::into_bytes).collect();
        self.run(suffix, move |files, _| files.write(&name, at, &pieces))
    }

    fn truncate(&self, suffix: &str, length: u64) -> BoxFuture<'static, Result<()>> {
        let name = suffix.to_owned();
        self.run(suffix, move |files, _| files.opened(&name)?.handle.set_len(length))
    }

    fn sync(&self, suffix: &str) -> BoxFuture<'static, Result<()>> {
        let name = suffix.to_owned();
        self.run(suffix, move |files, _| sync_file(&files.opened(&name)?.handle, File::sync_data))
    }

    fn create(&self, suffix: &str, text: String) -> BoxFuture<'static, Result<bool>> {
        self.run(suffix, move |_, path| match unless_held(|| File::create_new(path)) {
            Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn rename(&self, from: &str, to: &str) -> BoxFuture<'static, Result<()>> {
        let from = with_suffix(&self.target, from);
        self.run(to, move |_, to| unless_held(|| fs::rename(&from, to)))
    }

    fn rename_new(&self, from: &str, to: &str) -> BoxFuture<'static, Result<Renamed>> {
        let from = with_suffix(&self.target, from);
        self.run(to, move |_, to| Ok(rename_exclusive(&from, to)))
    }

    fn link(&self, from: &str, to: &str) -> BoxFuture<'static, Result<Renamed>> {
        let from = with_suffix(&self.target, from);
        self.run(to, move |_, to| match unless_held(|| fs::hard_link(&from, to)) {
            Ok(()) => Ok(Renamed::Done),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Renamed::Exists),
            Err(_) => Ok(Renamed::Unsupported),
        })
    }

    fn remove(&self, suffix: &str) -> BoxFuture<'static, Result<()>> {
        self.run(suffix, |_, path| match unless_held(|| fs::remove_file(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        })
    }

    fn create_folders(&self) -> BoxFuture<'static, Result<()>> {
        let folder = folder_of(&self.target).to_owned();
        let made = self.run("", move |_, _| {
            Ok(fs::create_dir_all(&folder).map_err(|error| io_error("the folder", &folder, &error)))
        });
        Box::pin(async { made.await? })
    }

    fn sync_folder(&self) -> BoxFuture<'static, ()> {
        let synced = self.run("", |files, _| {
            sync_folder(folder_of(&files.target));
            Ok(())
        });
        Box::pin(async { drop(synced.await) })
    }

    fn free_space(&self) -> BoxFuture<'static, Option<u64>> {
        let stats = self.run("", |files, _| fs4::statvfs(folder_of(&files.target)));
        // A file system that does not say how large it is, as some behind FUSE, says nothing of its room either.
        Box::pin(async {
            stats.await.ok().filter(|stats| stats.total_space() > 0).map(|stats| stats.available_space())
        })
    }

    fn finish_in_place(&self) -> bool {
        self.inner.get().map(|inner| inner.thread.stop()).is_some()
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_file_system_without_a_size_says_nothing_of_its_room() {
        let free = |path: &Path| FileStorage::in_place(path).unwrap().free_space().now_or_never().unwrap();
        assert_eq!(free(Path::new("/proc/v.mp4")), None);
        assert!(free(&std::env::temp_dir().join("v.mp4")).is_some());
    }
}
