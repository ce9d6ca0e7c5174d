//! The file while it is not whole: `NAME.part` with the bytes, `NAME.part.state` with what is known about them.
//!
//! What the state file says is decided in [`protocol::part`](crate::protocol::part).
//! [`SaveLock`] keeps two savers of one video apart.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::platform::native::files::{
    OPEN_FILES_CAN_BE_REMOVED, folder_of, rename_new, same_file, sync_folder, with_suffix,
};
use crate::platform::native::lock::lockable;
use crate::protocol::Progress;
use crate::protocol::mp4::{Mp4Check, Mp4Fault, Mp4Info, Mp4Step};
use crate::protocol::part::{KeptPart, PartState, STATE_START};
use crate::protocol::range::Validators;
use crate::save::lock::{SaveLock, clear_lock, lock_state};
use crate::save::refusals::{io_error, refuse_link};

/// Small pieces are gathered up to this size before they are written.
const GATHER: usize = 256 * 1024;
/// Pieces of at least this size are written as they are.
const DIRECT: usize = 64 * 1024;

pub(super) struct PartFile {
    target: PathBuf,
    part_path: PathBuf,
    state_path: PathBuf,
    file: File,
    lock: SaveLock,
    /// Where the file's cursor is.
    cursor: u64,
    task_id: Option<String>,
    /// What the state file says.
    known: PartState,
    /// Pieces that wait for their neighbours, one run of bytes each.
    gathered: Vec<(u64, Vec<u8>)>,
}

impl PartFile {
    /// Opens what a former call left, or begins anew; the second value is what is there already.
    pub(super) fn open(
        target: &Path,
        task_id: Option<&str>,
        overwrite: bool,
        parents: bool,
    ) -> Result<(Self, Option<Progress>)> {
        tidy(target);
        check_target(target, overwrite)?;
        // The working folder may be another one before the save ends.
        let target = &std::path::absolute(target).map_err(|error| io_error("the file", target, &error))?;
        if parents && let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(|error| io_error("the folder", parent, &error))?;
        }
        let part_path = with_suffix(target, ".part");
        let state_path = with_suffix(target, ".part.state");
        refuse_link(&part_path)?;
        let mut lock = SaveLock::acquire(target)?;
        // The other saver may have ended between our first look and the lock.
        let file = check_target(target, overwrite).and_then(|()| {
            let file = lockable().open(&part_path);
            file.map_err(|error| io_error("the file", &part_path, &error))
        });
        let file = match file {
            Ok(file) => file,
            Err(error) => {
                // The state file may be there only because we locked it.
                if is_orphan(lock.state(), &part_path) {
                    let _ = fs::remove_file(&state_path);
                }
                return Err(error);
            }
        };
        let mut part = Self {
            target: target.clone(),
            part_path,
            state_path,
            file,
            lock,
            cursor: u64::MAX,
            task_id: task_id.map(str::to_owned),
            known: PartState::new(task_id),
            gathered: Vec::new(),
        };
        let kept = part.load()?;
        if kept.is_none() {
            part.reset()?;
        }
        Ok((part, kept))
    }

    fn load(&mut self) -> Result<Option<Progress>> {
        let mut text = String::new();
        let read = self.lock.state().read_to_string(&mut text);
        let length = self.file.metadata().map_err(|error| io_error("the file", &self.part_path, &error))?.len();
        let kept = PartState::read(self.task_id.as_deref(), &text, length).filter(|_| read.is_ok());
        let Some(KeptPart { state, progress, text_length }) = kept else {
            return Ok(None);
        };
        self.known = state;
        if text_length < text.len() {
            // A line that was being written when the process was killed.
            let state = self.lock.state();
            state
                .set_len(text_length as u64)
                .and_then(|()| state.seek(SeekFrom::End(0)).map(|_| ()))
                .map_err(|error| io_error("the file", &self.state_path, &error))?;
        }
        Ok(Some(progress))
    }

    /// Notes what the bytes that follow are from. Costs nothing when it is known already.
    pub(super) fn describe(&mut self, validators: &Validators, source: &str) -> Result<()> {
        if self.known.knows(validators, source) {
            return Ok(());
        }
        self.flush()?;
        match self.known.describe(validators, source) {
            Some(line) => self.note(&line),
            None => Ok(()),
        }
    }

    fn note(&mut self, line: &str) -> Result<()> {
        // One write for one line: it is there as a whole or not at all, but for a torn end.
        self.lock.state().write_all(line.as_bytes()).map_err(|error| io_error("the file", &self.state_path, &error))
    }

    /// Takes bytes for this place. They are in the file after [`PartFile::flush`] at the latest.
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        if let Some(slot) = self.gathered.iter().position(|(start, run)| start + run.len() as u64 == at) {
            let full = self.gathered.get_mut(slot).is_some_and(|(_, run)| {
                run.extend_from_slice(bytes);
                run.len() >= GATHER
            });
            if full {
                let (start, run) = self.gathered.swap_remove(slot);
                self.write_through(start, &run)?;
            }
            return Ok(());
        }
        if bytes.len() >= DIRECT {
            return self.write_through(at, bytes);
        }
        if self.gathered.len() >= 2 * crate::protocol::MAX_CONNECTIONS as usize {
            self.flush()?;
        }
        let mut run = Vec::with_capacity(GATHER + DIRECT);
        run.extend_from_slice(bytes);
        self.gathered.push((at, run));
        Ok(())
    }

    fn write_through(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        if let Some(lines) = self.known.before_write(at) {
            self.note(&lines)?;
        }
        let result = if self.cursor == at { Ok(at) } else { self.file.seek(SeekFrom::Start(at)) };
        self.cursor = u64::MAX;
        result
            .and_then(|_| self.file.write_all(bytes))
            .map_err(|error| io_error("the file", &self.part_path, &error))?;
        let length = bytes.len() as u64;
        self.cursor = at + length;
        match self.known.after_write(at, length) {
            Some(line) => self.note(&line),
            None => Ok(()),
        }
    }

    /// Writes what was gathered.
    pub(super) fn flush(&mut self) -> Result<()> {
        let mut runs = std::mem::take(&mut self.gathered);
        runs.sort_by_key(|(start, _)| *start);
        for (start, run) in runs {
            self.write_through(start, &run)?;
        }
        Ok(())
    }

    /// Where the bytes are while they are not whole.
    pub(super) fn part_path(&self) -> &Path {
        &self.part_path
    }

    /// Throws away what is there.
    pub(super) fn reset(&mut self) -> Result<()> {
        self.gathered.clear();
        self.cursor = u64::MAX;
        self.known.reset();
        // The bytes first: a state without bytes is harmless, bytes under a wrong state are not.
        self.file.set_len(0).map_err(|error| io_error("the file", &self.part_path, &error))?;
        let cleared = empty(self.lock.state());
        cleared.map_err(|error| io_error("the file", &self.state_path, &error))
    }

    /// Checks the MP4 structure of the first `total` bytes.
    pub(super) fn verify(&mut self, total: u64) -> Result<std::result::Result<Mp4Info, Mp4Fault>> {
        self.flush()?;
        self.cursor = u64::MAX;
        let mut check = Mp4Check::new(total);
        let mut buffer = Vec::new();
        loop {
            match check.step() {
                Mp4Step::Done(result) => return Ok(result),
                Mp4Step::Need { offset, len } => {
                    buffer.resize(len, 0);
                    let read =
                        self.file.seek(SeekFrom::Start(offset)).and_then(|_| read_full(&mut self.file, &mut buffer));
                    let read = read.map_err(|error| io_error("the file", &self.part_path, &error))?;
                    check.input(buffer.get(..read).unwrap_or_default());
                }
            }
        }
    }

    /// Gives the whole file its name, which it returns: durable bytes first, then the name, then the folder.
    pub(super) fn finish(mut self, total: u64, overwrite: bool) -> Result<PathBuf> {
        self.flush()?;
        let durable = self.file.set_len(total).and_then(|()| self.file.sync_all());
        durable.map_err(|error| io_error("the file", &self.part_path, &error))?;
        if overwrite {
            fs::rename(&self.part_path, &self.target).map_err(|error| io_error("the file", &self.target, &error))?;
        } else {
            rename_new(&self.part_path, &self.target).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => exists(&self.target),
                _ => io_error("the file", &self.target, &error),
            })?;
        }
        let _ = fs::remove_file(&self.state_path);
        sync_folder(folder_of(&self.target));
        Ok(self.target)
    }

    /// Keeps what is there for a later call.
    pub(super) fn keep(mut self) {
        let _ = self.flush();
        let empty = self.file.metadata().is_ok_and(|data| data.len() == 0);
        if empty {
            let _ = fs::remove_file(&self.part_path);
            let _ = fs::remove_file(&self.state_path);
        } else {
            let _ = self.file.sync_data();
        }
    }

    /// An error when the disk has no room for what is missing.
    pub(super) fn check_room(&self, total: u64, covered: u64) -> Result<()> {
        let missing = total.saturating_sub(covered);
        let folder = folder_of(&self.part_path);
        match fs4::available_space(folder) {
            Ok(free) if free < missing => {
                let folder = folder.display();
                let text = format!("the video needs {missing} more bytes, but {folder} has {free} free");
                Err(Error::new(ErrorKind::NoSpace, Phase::Save, text))
            }
            // Where the question is not answered, writing will tell.
            _ => Ok(()),
        }
    }
}

/// Removes what a saver left beside a whole file when it was killed before it had tidied up. Does nothing while there is
/// no file of that name, or while another saver is at work.
pub(crate) fn tidy(target: &Path) {
    if !target.is_file() {
        return;
    }
    remove_second_name(target);
    let (part_path, state_path) = (with_suffix(target, ".part"), with_suffix(target, ".part.state"));
    // The lock makes the file that it is about: what is not there is not locked.
    let state = state_path.is_file().then(|| lock_state(&state_path)).transpose();
    let Ok(state) = state else { return };
    if state.as_ref().is_some_and(|state| is_orphan(state, &part_path)) {
        let _ = fs::remove_file(state_path);
    }
    clear_lock(target, state.as_ref());
}

fn empty(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0)).map(|_| ())
}

/// A saver that gives the file its name by a link (as Node's does) was killed before it removed the old one.
fn remove_second_name(target: &Path) {
    let part_path = with_suffix(target, ".part");
    // Only there can the two be told to be one file.
    if OPEN_FILES_CAN_BE_REMOVED && File::open(target).is_ok_and(|file| same_file(&file, &part_path)) {
        let _ = fs::remove_file(part_path);
    }
}

/// True for the state file of a saver that was killed right behind the rename: it is ours, and there are no bytes that it
/// could be about. Whoever asks holds its lock.
fn is_orphan(state: &File, part_path: &Path) -> bool {
    let mut start = [0; STATE_START.len()];
    let mut reader = state;
    let read = reader.seek(SeekFrom::Start(0)).and_then(|_| read_full(&mut reader, &mut start));
    let ours = read.is_ok_and(|length| STATE_START.as_bytes().starts_with(start.get(..length).unwrap_or_default()));
    ours && fs::symlink_metadata(part_path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

pub(super) fn check_target(target: &Path, overwrite: bool) -> Result<()> {
    if target.file_name().is_none() {
        return Err(Error::new(ErrorKind::Io, Phase::Save, format!("{} names no file", target.display())));
    }
    match fs::symlink_metadata(target) {
        Ok(_) if target.is_dir() => {
            Err(Error::new(ErrorKind::Io, Phase::Save, format!("{} is a folder: name a file in it", target.display())))
        }
        Ok(_) if !overwrite => Err(exists(target)),
        // A pipe or a device is no place that a file can be renamed to. A link is looked through: what it leads to counts.
        Ok(_) if fs::metadata(target).is_ok_and(|data| !data.is_file()) => {
            let text = format!("{} is not a regular file: name another", target.display());
            Err(Error::new(ErrorKind::Io, Phase::Save, text))
        }
        _ => Ok(()),
    }
}

fn exists(target: &Path) -> Error {
    Error::new(ErrorKind::FileExists, Phase::Save, format!("{} exists already", target.display()))
}

pub(super) fn read_full(file: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// SHA-256 of a file, in hexadecimal.
pub(super) fn hash(path: &Path) -> Result<String> {
    let read = || -> std::io::Result<Sha256> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let count = read_full(&mut file, &mut buffer)?;
            if count == 0 {
                return Ok(hasher);
            }
            hasher.update(buffer.get(..count).unwrap_or_default());
        }
    };
    let hasher = read().map_err(|error| io_error("the file", path, &error))?;
    Ok(format!("{:x}", hasher.finalize()))
}
