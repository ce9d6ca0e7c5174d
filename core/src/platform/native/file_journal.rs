//! The journal in a file.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::async_compat::BoxFuture;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::PerProcess;
use crate::journal::{Claim, Entry, Journal, Process, Record, Reservation, Reserved, Spent};
use crate::platform::native::file_thread::FileThread;
use crate::platform::native::files::{folder_of, never_waits, random_name, sync_file, unless_held, with_suffix};
use crate::platform::native::lock::{Locked, lockable};
use crate::platform::native::process::System;
use crate::protocol::journal_text::{GONE, JournalText, KeepPolicy, START, Write};
use crate::protocol::process;

/// Longest wait for another process to release the lock, which it holds for the time of one write.
const LOCK_LIMIT: Duration = Duration::from_secs(10);

/// A journal in a file of JSON lines, for any number of threads and processes at once.
///
/// Every record is one line, on the disk (`fdatasync`) before the call continues. In a runtime of several threads a thread
/// of the journal's own waits for the disk, in C for the calls that do not block; elsewhere the calling thread does. `NAME.lock` beside the file keeps the writers
/// apart. Entries that have ended are removed when there are enough of them: the rest is written to
/// `NAME.new`, made durable and renamed, so that a kill at any moment leaves a whole file. A last line that a killed
/// process left torn is passed over and cut off by the next record; anything else that is not a record of ours is an
/// error that names the line, and the file stays as it is.
pub struct FileJournal {
    file: Arc<JournalFile>,
    /// Of each process its own: a child has none of its parent's threads.
    thread: PerProcess<FileThread>,
}

/// The file, as whoever waits for the disk has it.
struct JournalFile {
    path: PathBuf,
    lock_path: PathBuf,
    policy: KeepPolicy,
    /// What was read of the file so far. Of each process its own: another thread may be writing at the moment of a fork.
    known: PerProcess<Mutex<Option<JournalText>>>,
}

impl FileJournal {
    /// Opens a journal, or begins one.
    ///
    /// # Errors
    /// `journal` when the file is not one of ours, is damaged (naming the line), or cannot be written.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // A link is followed once: a rename would put a file in its place.
        let path = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        let path = path.map_err(|error| failed(Path::new("the journal"), &error))?;
        let file = JournalFile {
            lock_path: with_suffix(&path, ".lock"),
            path,
            policy: KeepPolicy::default(),
            known: PerProcess::new(),
        };
        // A file that is not ours gets no lock file beside it.
        if let Some(open) = file.open_file()? {
            let mut start = Vec::new();
            let read = (&open).take(4096).read_to_end(&mut start);
            read.map_err(|error| failed(&file.path, &error))?;
            JournalText::open(None, &start, start.len() as u64).map_err(|what| file.error(&what))?;
        }
        file.locked_as(JournalFile::begin, |_, _| {
            // Nobody writes it while we hold the lock: its writer was killed.
            let _ = fs::remove_file(file.new_path());
            Ok(())
        })?;
        Ok(Self { file: Arc::new(file), thread: PerProcess::new() })
    }

    /// When entries that have ended are removed: after so many of them, or when the file has so many bytes. Default 512
    /// and 1 MiB. A file of entries that are not over is let grow.
    #[must_use]
    pub fn compact_after(self, over: u64, bytes: u64) -> Self {
        self.with(|policy| (policy.max_over, policy.max_bytes) = (over, bytes))
    }

    /// How long a key is known after its task has ended: a create request with the same key within that time creates
    /// nothing. Default 30 days. What is older is removed when the file is compacted.
    #[must_use]
    pub fn keep_keys(self, time: Duration) -> Self {
        self.with(|policy| policy.keep_keys = time)
    }

    fn with(self, change: impl FnOnce(&mut KeepPolicy)) -> Self {
        let JournalFile { path, lock_path, policy, .. } = &*self.file;
        let (path, lock_path, mut policy) = (path.clone(), lock_path.clone(), *policy);
        change(&mut policy);
        let file = JournalFile { path, lock_path, policy, known: PerProcess::new() };
        Self { file: Arc::new(file), thread: self.thread }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// Works on the file without holding up the caller's runtime.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce(&JournalFile) -> Result<T> + Send + 'static) -> Result<T> {
        let thread = self.thread.get_or_init(FileThread::default);
        thread.start_for_caller();
        let file = self.file.clone();
        let done = thread.run(move || work(&file));
        done.await.map_err(|_| self.file.error("the write did not end"))?
    }
}

impl JournalFile {
    /// The file, the lock beside it, and what it is written anew as.
    fn owns(&self, path: &Path) -> bool {
        let real = |path: &Path| Some(fs::canonicalize(folder_of(path)).ok()?.join(path.file_name()?));
        let named = real(path);
        [&self.path, &self.lock_path, &self.new_path()]
            .into_iter()
            .any(|own| own == path || named.is_some() && named == real(own))
    }

    fn write(&self, record: Record) -> Result<()> {
        self.judged(|_| Ok(((), Some(record))))
    }

    fn claim(&self, record: Record, retry_failed: bool) -> Result<Claim> {
        self.judged(|known| known.claim(record, retry_failed))
    }

    fn reserve(&self, record: Record, retry_failed: bool, share: &Reservation) -> Result<Reserved> {
        self.judged(|known| known.reserve(record, retry_failed, share))
    }

    /// Keeps the record that comes of what the file says, in one step.
    fn judged<T>(&self, judge: impl FnOnce(&JournalText) -> Result<(T, Option<Record>), &'static str>) -> Result<T> {
        self.locked(|known, file| {
            let (result, record) = judge(known).map_err(|what| self.error(what))?;
            record.map_or(Ok(()), |record| self.keep(known, file, record))?;
            Ok(result)
        })
    }

    /// Keeps a record, while nobody else writes.
    fn keep(&self, known: &mut JournalText, mut file: File, record: Record) -> Result<()> {
        let at = record.at;
        let Some(write) = known.keep(record).map_err(|what| self.error(what))? else { return Ok(()) };
        add(&mut file, &write).map_err(|error| {
            // What was not kept must not be read as kept by others either.
            let _ = file.set_len(write.at);
            failed(&self.path, &error)
        })?;
        if known.is_due(&self.policy) {
            // Not every file system lets an open file be replaced.
            drop(file);
            // The record is kept already: that the file could not be made smaller is no reason to fail.
            let smaller = known.replacement(at, &self.policy, random_name()).map_err(|what| self.error(&what));
            match smaller.and_then(|(text, smaller)| self.replace(&text).map(|()| smaller)) {
                Ok(smaller) => *known = smaller,
                Err(error) => tracing::warn!(%error, "the journal could not be written anew"),
            }
        }
        Ok(())
    }

    /// Calls a function with what the file says now, while no other thread or process writes.
    fn locked<T>(&self, action: impl FnOnce(&mut JournalText, File) -> Result<T>) -> Result<T> {
        self.locked_as(|file| Err(file.error(GONE)), action)
    }

    /// The same, and what is done where there is nothing.
    fn locked_as<T>(
        &self,
        begin: impl Fn(&Self) -> Result<(File, Option<JournalText>)>,
        action: impl FnOnce(&mut JournalText, File) -> Result<T>,
    ) -> Result<T> {
        let mut guard = self.known.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let _lock = self.lock()?;
        let (mut file, old) = match self.open_file()? {
            Some(file) => (file, guard.take()),
            None => begin(self)?,
        };
        let mut known = if let Some(known) = self.refresh(&mut file, old)? {
            known
        } else {
            // The very first line was torn.
            drop(file);
            let (begun, old) = begin(self)?;
            file = begun;
            self.refresh(&mut file, old)?.ok_or_else(|| self.error("the journal cannot be begun"))?
        };
        let result = action(&mut known, file);
        // After a failure the file is the only truth.
        *guard = result.is_ok().then_some(known);
        result
    }

    fn lock(&self) -> Result<Locked> {
        let mut options = lockable();
        never_waits(&mut options);
        let file = unless_held(|| options.open(&self.lock_path)).map_err(|error| failed(&self.lock_path, &error))?;
        let file = self.regular(file, &self.lock_path)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Locked::of(file)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_LIMIT => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(self.error(&format!("another process holds {}", self.lock_path.display())));
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(TryLockError::Error(error)) => return Err(failed(&self.lock_path, &error)),
            }
        }
    }

    fn open_file(&self) -> Result<Option<File>> {
        let mut options = OpenOptions::new();
        never_waits(options.read(true).write(true));
        match unless_held(|| options.open(&self.path)) {
            Ok(file) => self.regular(file, &self.path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&self.path, &error)),
        }
    }

    /// Refuses a pipe, whose other end would be waited for, and a device, which would be replaced by a file.
    fn regular(&self, file: File, path: &Path) -> Result<File> {
        match file.metadata() {
            Ok(data) if data.is_file() => Ok(file),
            Ok(_) if path == self.path => Err(self.error("it is not a regular file: name another")),
            Ok(_) => Err(self.error(&format!("{} is not a regular file", path.display()))),
            Err(error) => Err(failed(path, &error)),
        }
    }

    fn begin(&self) -> Result<(File, Option<JournalText>)> {
        let (text, known) = JournalText::begin(random_name());
        self.replace(&text)?;
        let file = self.open_file()?.ok_or_else(|| self.error("the file was removed while it was begun"))?;
        Ok((file, Some(known)))
    }

    /// Reads what is new in the file, or all of it when it was written anew. `None` when it has no first line.
    fn refresh(&self, file: &mut File, old: Option<JournalText>) -> Result<Option<JournalText>> {
        let io = |error: io::Error| failed(&self.path, &error);
        let size = file.metadata().map_err(io)?.len();
        let mut start = Vec::new();
        (&*file).take(START as u64).read_to_end(&mut start).map_err(io)?;
        let known = JournalText::open(old, &start, size).map_err(|what| self.error(&what))?;
        let Some(mut known) = known else { return Ok(None) };
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(known.end())).and_then(|_| file.read_to_end(&mut text)).map_err(io)?;
        known.take(&text).map_err(|what| self.error(&what))?;
        if let Some(write) = known.mend() {
            add(file, &write).map_err(io)?;
        }
        Ok(Some(known))
    }

    /// Where the file is written anew, before it gets its name.
    fn new_path(&self) -> PathBuf {
        with_suffix(&self.path, ".new")
    }

    /// Writes the file anew: durable first, then under its name.
    fn replace(&self, text: &str) -> Result<()> {
        let new_path = self.new_path();
        let write = || -> io::Result<()> {
            // A former process may have been killed right here; what is there is not resumed.
            match unless_held(|| fs::remove_file(&new_path)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = unless_held(|| OpenOptions::new().write(true).create_new(true).open(&new_path))?;
            if let Ok(old) = fs::metadata(&self.path) {
                file.set_permissions(old.permissions())?;
            }
            file.write_all(text.as_bytes())?;
            sync_file(&file, File::sync_all)?;
            drop(file);
            unless_held(|| fs::rename(&new_path, &self.path))?;
            #[cfg(unix)]
            if let Some(parent) = self.path.parent() {
                // Where a folder cannot be synced the name is as durable as its file system makes it.
                let _ = File::open(parent).and_then(|folder| folder.sync_all());
            }
            Ok(())
        };
        write().map_err(|error| failed(&self.path, &error))
    }

    fn error(&self, what: &str) -> Error {
        Error::new(ErrorKind::Journal, Phase::Journal, format!("{}: {what}", self.path.display()))
    }
}

impl Journal for FileJournal {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.run(|file| file.write(record)))
    }

    fn owns(&self, path: &Path) -> bool {
        self.file.owns(path)
    }

    fn append_now(&self, record: Record) -> Result<()> {
        let file = self.file.clone();
        // Behind what is being written: the intent itself may be.
        let done = self.thread.get_or_init(FileThread::default).run_and_wait(move || file.write(record));
        done.map_err(|_| self.file.error("the write did not end"))?
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        Box::pin(self.run(|file| file.locked(|known, _| Ok(known.ledger().entries().cloned().collect()))))
    }

    fn key<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        let key = key.to_owned();
        Box::pin(self.run(move |file| file.locked(|known, _| Ok(known.ledger().key(&key).cloned()))))
    }

    fn claim(&self, record: Record, retry_failed: bool) -> BoxFuture<'_, Result<Claim>> {
        Box::pin(self.run(move |file| file.claim(record, retry_failed)))
    }

    fn reserve(&self, record: Record, retry_failed: bool, share: Reservation) -> BoxFuture<'_, Result<Reserved>> {
        Box::pin(self.run(move |file| file.reserve(record, retry_failed, &share)))
    }

    fn answered(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(self.run(|file| file.locked(|known, _| Ok(known.ledger().answered().map(str::to_owned).collect()))))
    }

    fn tasks(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(self.run(|file| file.locked(|known, _| Ok(known.ledger().tasks().map(str::to_owned).collect()))))
    }

    fn spending(&self) -> BoxFuture<'_, Result<Vec<Spent>>> {
        Box::pin(self.run(|file| file.locked(|known, _| Ok(known.ledger().spending()))))
    }

    fn process(&self) -> Option<Process> {
        Some(process::current(&System))
    }

    fn runs(&self, process: &Process) -> Option<bool> {
        process::runs(&System, process)
    }
}

impl fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileJournal").field("path", &self.file.path).finish_non_exhaustive()
    }
}

/// Writes what the file ends with, and waits for the disk.
fn add(file: &mut File, write: &Write) -> io::Result<()> {
    if file.metadata()?.len() > write.at {
        file.set_len(write.at)?;
    }
    file.seek(SeekFrom::Start(write.at))?;
    file.write_all(write.text.as_bytes())?;
    sync_file(file, File::sync_data)
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorKind::Journal, Phase::Journal, format!("{} cannot be used: {error}", path.display()))
}
