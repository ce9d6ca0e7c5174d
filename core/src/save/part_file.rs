//! The file while it is not whole: `NAME.part` with the bytes, `NAME.part.state` with what is known about them.
//!
//! What the state file says is decided in [`protocol::part`](crate::protocol::part). [`lock`] keeps two savers of one
//! video apart.
//!
//! Bytes are handed to the storage while further ones are read: one batch is being written, the next is gathered. Nothing
//! else is asked of the storage meanwhile, so after a failed write nothing that came later is in the file.
//!
//! So that a lost power does not cost everything, a long save syncs now and then, and the state file says so: see
//! [`protocol::part`](crate::protocol::part).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;

use crate::async_compat::BoxFuture;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::Pid;
use crate::net::transport::Piece;
use crate::protocol::mp4::{Mp4Fault, Mp4Info};
use crate::protocol::part::{KeptPart, PartState};
use crate::protocol::validators::Validators;
use crate::protocol::{MAX_CONNECTIONS, Progress};
use crate::save::files::{
    LOCK, PART, STALE, STATE, TARGET, check_structure, check_target, exists, open, refuse_other_than_file,
};
use crate::save::lock;
use crate::storage::{Access, Renamed, Storage};
use crate::time::Time;

/// A run of bytes of at least this size is written as soon as the storage is free.
const GATHER: usize = 256 * 1024;
/// Most bytes that wait for the storage. Beyond, reading waits as well.
const MAX_GATHERED: usize = 4 * 1024 * 1024;
/// Pieces below this size are copied together: each whole one keeps the memory that it was received in.
const SMALL: usize = 16 * 1024;
/// A save syncs what is there after so many bytes, but not more often than every [`SYNC_PAUSE`], and after [`SYNC_LATEST`] if there
/// are fewer. A fast save of a usual video is over before the first sync, which would only slow it down; a slow one
/// loses half a minute at most.
const SYNC_BYTES: u64 = 64 * 1024 * 1024;
const SYNC_PAUSE: Duration = Duration::from_secs(5);
const SYNC_LATEST: Duration = Duration::from_secs(30);
/// Longest state file that is read.
const MAX_STATE: u64 = 64 * 1024 * 1024;

pub(super) struct PartFile {
    storage: Arc<dyn Storage>,
    process: Pid,
    /// What the lock file says while it is ours.
    line: String,
    task_id: Option<String>,
    /// What the state file says, what is being written included.
    known: PartState,
    /// Its length.
    state_length: u64,
    /// There may be, or have been, a text on the disk.
    had_text: bool,
    /// Bytes that wait for the storage, one run for each place.
    gathered: Vec<Run>,
    /// How many they are.
    waiting: usize,
    /// What is being written.
    batch: Option<BoxFuture<'static, Result<()>>>,
    /// A sync failed: bytes that were written may be lost although they can be read.
    lost: Arc<AtomicBool>,
    /// Bytes since the last sync, and when that was.
    unsynced: u64,
    synced: Time,
    now: Time,
    stage: Stage,
}

/// How far the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not locked, or not opened yet.
    New,
    Open,
    /// A write failed: what the state file would be told next is not known.
    Broken,
    /// Whole and on the disk: all that is missing is the name.
    Whole,
    /// The target has the bytes.
    Named,
    /// Nothing is left to do.
    Over,
}

/// Bytes that belong behind one another.
struct Run {
    at: u64,
    length: usize,
    pieces: Vec<Piece>,
    /// Small pieces, which come last.
    small: Vec<u8>,
}

impl Run {
    fn new(at: u64) -> Self {
        Self { at, length: 0, pieces: Vec::new(), small: Vec::new() }
    }

    fn push(&mut self, piece: Piece) {
        self.length += piece.len();
        if let Piece::Here(bytes) = &piece
            && bytes.len() < SMALL
        {
            self.small.extend_from_slice(bytes);
        } else {
            self.end_small();
            self.pieces.push(piece);
        }
    }

    fn end_small(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push(Bytes::from(std::mem::take(&mut self.small)).into());
        }
    }
}

/// One step of a batch.
enum Step {
    Bytes(u64, Vec<Piece>),
    Lines(u64, String),
    Sync(&'static str),
}

async fn carry_out(storage: Arc<dyn Storage>, steps: Vec<Step>, lost: Arc<AtomicBool>) -> Result<()> {
    for step in steps {
        match step {
            Step::Bytes(at, pieces) => storage.write(PART, at, pieces).await?,
            // One write: the lines are there as a whole or not at all, but for a torn end.
            Step::Lines(at, lines) => storage.write(STATE, at, vec![Bytes::from(lines).into()]).await?,
            Step::Sync(suffix) => {
                let synced = storage.sync(suffix).await;
                // The system reports it once; what it could not write is not written later.
                lost.fetch_or(synced.is_err(), Ordering::Relaxed);
                synced?;
            }
        }
    }
    Ok(())
}

impl PartFile {
    /// Nothing is touched yet. `seed` is for a name that no other saver has.
    pub(super) fn new(storage: Arc<dyn Storage>, task_id: Option<&str>, seed: u64, now: Time) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let line = lock::line_of(&*storage, seed.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed)));
        Self {
            process: Pid::current(),
            line,
            task_id: task_id.map(str::to_owned),
            known: PartState::new(task_id, storage.boot_id().as_deref()),
            state_length: 0,
            had_text: false,
            gathered: Vec::new(),
            waiting: 0,
            batch: None,
            lost: Arc::default(),
            unsynced: 0,
            synced: now,
            now,
            stage: Stage::New,
            storage,
        }
    }

    /// Locks the save and opens what an earlier one left, or begins anew; gives what is there already. `sources` is where the
    /// video can be read.
    pub(super) async fn open(
        &mut self,
        overwrite: bool,
        create_parents: bool,
        sources: &[String],
    ) -> Result<Option<Progress>> {
        let storage = self.storage.clone();
        self.tidy().await?;
        check_target(&*storage, overwrite).await?;
        if create_parents {
            storage.create_folders().await?;
        }
        refuse_other_than_file(&*storage, PART).await?;
        self.had_text = storage.stat(STATE, false).await?.is_some();
        lock::acquire(&*storage, &self.line).await?;
        // The other saver may have ended between our first look and the lock.
        check_target(&*storage, overwrite).await?;
        self.had_text |= storage.stat(PART, false).await?.is_some();
        // With a lock of the system it is open already. Before the other: until that is open, nothing but what is ours is
        // removed when the save is refused.
        if !storage.has_system_locks() {
            open(&*storage, STATE, Access::Create).await?;
        }
        let part = open(&*storage, PART, Access::Create).await?.unwrap_or_default();
        self.stage = Stage::Open;
        let kept = self.load(part.length, sources).await?;
        if kept.is_none() {
            self.reset().await?;
        } else {
            // What the text says, and what was cut off it, perhaps by a process that was killed right then, is on the disk
            // before anything is written: a machine that loses power keeps no mixture of old lines and new.
            storage.sync(STATE).await?;
        }
        Ok(kept)
    }

    async fn load(&mut self, length: u64, sources: &[String]) -> Result<Option<Progress>> {
        let storage = self.storage.clone();
        self.state_length = storage.stat(STATE, false).await?.unwrap_or_default().length;
        if self.state_length > MAX_STATE {
            return Ok(None);
        }
        let text = storage.read(STATE, 0, self.state_length as usize).await?;
        let kept = PartState::read(self.task_id.as_deref(), storage.boot_id().as_deref(), &text, length);
        // Where no task's id says so, another address may be another video, of which nothing else need differ.
        let kept = kept.filter(|kept| kept.same_task || sources.contains(&kept.progress.source));
        let Some(KeptPart { state, progress, text_length, rebooted, .. }) = kept else {
            return Ok(None);
        };
        self.known = state;
        // In this order: a process that is killed in between leaves what can be believed.
        if let Some(cut) = rebooted.as_ref().and_then(|rebooted| rebooted.cut) {
            storage.truncate(PART, cut).await?;
        }
        if text_length < text.len() {
            storage.truncate(STATE, text_length as u64).await?;
            self.state_length = text_length as u64;
        }
        if let Some(rebooted) = rebooted {
            let lines = self.lines(rebooted.lines);
            self.begin(vec![lines]);
            self.settle().await?;
        }
        Ok(Some(progress))
    }

    /// [`PartFile::tidy`], and nothing else.
    #[cfg(feature = "journal")]
    pub(super) async fn only_tidy(mut self) -> Result<()> {
        let result = self.tidy().await;
        self.stage = if result.is_ok() { Stage::Over } else { self.stage };
        result
    }

    /// Removes what a saver left beside a whole file when it was killed before it had tidied up. Does nothing while there is
    /// no file of that name, or while another saver is at work.
    async fn tidy(&mut self) -> Result<()> {
        let storage = &*self.storage;
        // A target that cannot be looked at is refused by what comes next.
        let Some(target) = storage.stat(TARGET, false).await.ok().flatten().filter(|stat| stat.is_file) else {
            return Ok(());
        };
        let mut left = false;
        for suffix in [PART, STATE, LOCK, STALE] {
            left |= storage.stat(suffix, false).await?.is_some();
        }
        if !left {
            return Ok(());
        }
        if lock::acquire(storage, &self.line).await.is_ok() {
            // A saver that gives the file its name by a link was killed before it removed the old one.
            let part = storage.stat(PART, false).await?;
            if part.is_some_and(|part| part.id.is_some() && part.id == target.id) {
                storage.remove(PART).await?;
            }
            lock::remove_orphan(storage).await?;
        }
        lock::release(storage, &self.line).await;
        Ok(())
    }

    /// Notes what the bytes that follow are from. Costs nothing when it is known already.
    pub(super) async fn describe(&mut self, validators: &Validators, source: &str) -> Result<()> {
        if self.known.knows(validators, source) {
            return Ok(());
        }
        self.flush().await?;
        let line = self.known.describe(validators, source);
        let steps = line.map(|line| self.lines(line)).into_iter().collect();
        self.begin(steps);
        self.settle().await
    }

    /// Takes bytes for this place. They are in the file after [`PartFile::flush`] at the latest.
    pub(super) async fn write(&mut self, at: u64, bytes: Piece) -> Result<()> {
        self.waiting += bytes.len();
        self.unsynced += bytes.len() as u64;
        if let Some(run) = self.gathered.iter_mut().find(|run| run.at + run.length as u64 == at) {
            run.push(bytes);
        } else {
            let mut run = Run::new(at);
            run.push(bytes);
            self.gathered.push(run);
        }
        std::future::poll_fn(|cx| Poll::Ready(self.poll_batch(cx))).await?;
        while self.waiting > MAX_GATHERED {
            self.settle().await?;
            self.begin_ready(true);
        }
        Ok(())
    }

    /// Goes on with what is being written, and with what waits for it. An error of the storage comes out here.
    pub(super) fn poll_batch(&mut self, cx: &mut Context<'_>) -> Result<()> {
        loop {
            if self.batch.is_none() && self.is_sync_due() {
                self.begin_sync();
            }
            if self.batch.is_none() && !self.begin_ready(false) {
                return Ok(());
            }
            match self.batch.as_mut().map(|batch| batch.as_mut().poll(cx)) {
                Some(Poll::Ready(result)) => self.ended(result)?,
                _ => return Ok(()),
            }
        }
    }

    /// The time, for the syncs of a long save.
    pub(super) fn set_time(&mut self, now: Time) {
        self.now = now;
    }

    fn is_sync_due(&self) -> bool {
        let since = self.now.since(self.synced);
        self.unsynced > 0 && since >= SYNC_PAUSE && (self.unsynced >= SYNC_BYTES || since >= SYNC_LATEST)
    }

    /// Begins to make durable what was gathered and written, and then the word that it is.
    fn begin_sync(&mut self) {
        (self.unsynced, self.synced) = (0, self.now);
        let mut steps = self.take_ready(true);
        if let Some(line) = self.known.after_sync() {
            steps.push(Step::Sync(PART));
            steps.push(self.lines(line));
            steps.push(Step::Sync(STATE));
        }
        self.begin(steps);
    }

    /// Begins to write the runs that are long enough, or all of them; false when there are none.
    fn begin_ready(&mut self, all: bool) -> bool {
        let steps = self.take_ready(all);
        self.begin(steps)
    }

    fn take_ready(&mut self, all: bool) -> Vec<Step> {
        let all = all || self.gathered.len() > 2 * MAX_CONNECTIONS as usize;
        let mut ready: Vec<Run> = self.gathered.extract_if(.., |run| all || run.length >= GATHER).collect();
        ready.sort_by_key(|run| run.at);
        let mut steps = Vec::new();
        let mut written = String::new();
        for mut run in ready {
            self.waiting -= run.length;
            run.end_small();
            if let Some(lines) = self.known.before_write(run.at) {
                steps.push(self.lines(lines));
            }
            steps.push(Step::Bytes(run.at, run.pieces));
            written.extend(self.known.after_write(run.at, run.length as u64));
        }
        // One write for all of them, behind the bytes that they are about.
        if !written.is_empty() {
            steps.push(self.lines(written));
        }
        steps
    }

    fn lines(&mut self, lines: String) -> Step {
        let at = self.state_length;
        self.state_length += lines.len() as u64;
        self.had_text = true;
        Step::Lines(at, lines)
    }

    /// Begins a batch; the one before has ended.
    fn begin(&mut self, steps: Vec<Step>) -> bool {
        if steps.is_empty() {
            return false;
        }
        self.batch = Some(Box::pin(carry_out(self.storage.clone(), steps, self.lost.clone())));
        true
    }

    fn ended(&mut self, result: Result<()>) -> Result<()> {
        self.batch = None;
        if result.is_err() {
            self.stage = Stage::Broken;
        }
        result
    }

    /// Waits for what is being written.
    async fn settle(&mut self) -> Result<()> {
        let Some(batch) = &mut self.batch else { return Ok(()) };
        let result = batch.await;
        self.ended(result)
    }

    /// Writes what was gathered.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.settle().await?;
        self.begin_ready(true);
        self.settle().await
    }

    /// The name of the file with the bytes while they are not whole, for people.
    pub(super) fn display(&self) -> String {
        self.storage.display(PART)
    }

    /// Throws away what is there.
    pub(super) async fn reset(&mut self) -> Result<()> {
        self.settle().await?;
        self.gathered.clear();
        self.waiting = 0;
        self.unsynced = 0;
        self.known.reset();
        self.state_length = 0;
        // The bytes first: a state without bytes is harmless, bytes under a wrong state are not.
        self.storage.truncate(PART, 0).await?;
        self.storage.truncate(STATE, 0).await?;
        // Otherwise a machine that loses power could keep the old text beside new bytes.
        if self.had_text { self.storage.sync(STATE).await } else { Ok(()) }
    }

    /// Checks the MP4 structure of the first `total` bytes.
    pub(super) async fn verify(&mut self, total: u64) -> Result<std::result::Result<Mp4Info, Mp4Fault>> {
        self.flush().await?;
        check_structure(&*self.storage, PART, total).await
    }

    /// An error when there is no room for what is missing.
    pub(super) async fn check_room(&mut self, missing: u64) -> Result<()> {
        match self.storage.free_space().await {
            Some(free) if free < missing => {
                let name = self.storage.display(PART);
                let text = format!("the video needs {missing} more bytes, but there are {free} free for {name}");
                Err(Error::new(ErrorKind::NoSpace, Phase::Save, text))
            }
            // Where the question is not answered, writing will tell.
            _ => Ok(()),
        }
    }

    /// Gives the whole file its name: durable bytes first, then the name, then the folder.
    pub(super) async fn finish(&mut self, total: u64, overwrite: bool) -> Result<()> {
        self.flush().await?;
        let storage = self.storage.clone();
        storage.truncate(PART, total).await?;
        self.begin(vec![Step::Sync(PART)]);
        self.settle().await?;
        // From here on nothing is written: whatever keeps the file from its name, or ends the save right here, it is whole.
        self.stage = Stage::Whole;
        // Not every system renames an open file.
        storage.close(PART).await?;
        let named = if overwrite { storage.rename(PART, TARGET).await } else { self.name_new().await };
        if let Err(error) = named {
            return Err(unnamed(&*storage, error).await);
        }
        self.stage = Stage::Named;
        storage.sync_folder().await;
        self.keep().await;
        Ok(())
    }

    /// Gives the file its name, never over one that came in the meantime.
    async fn name_new(&mut self) -> Result<()> {
        let storage = &*self.storage;
        let mut renamed = storage.rename_new(PART, TARGET).await?;
        if renamed == Renamed::Unsupported {
            // A second name is refused where there is one already; most file systems know links.
            renamed = storage.link(PART, TARGET).await?;
            if renamed == Renamed::Done {
                // The video is saved. An old name that another program holds for long (Windows) is removed by the next save.
                let _ = storage.remove(PART).await;
                return Ok(());
            }
        }
        match renamed {
            Renamed::Done => Ok(()),
            Renamed::Exists => Err(exists(storage)),
            // The look and the rename are two steps there.
            Renamed::Unsupported if storage.stat(TARGET, false).await?.is_some() => Err(exists(storage)),
            Renamed::Unsupported => storage.rename(PART, TARGET).await,
        }
    }

    /// Keeps what is there for a later save, unless there is nothing, and releases the locks. Errors are passed over: there
    /// is an earlier one, or nobody to tell it to.
    pub(super) async fn keep(&mut self) {
        let storage = self.storage.clone();
        match self.stage {
            // Refused. What others have in hand is not looked at.
            Stage::New if lock::is_ours(&*storage, &self.line).await => {
                let _ = lock::remove_orphan(&*storage).await;
            }
            Stage::Open | Stage::Broken => {
                if self.stage == Stage::Open && self.flush().await.is_ok() {
                    self.begin_sync();
                    let _ = self.settle().await;
                }
                let part = storage.stat(PART, false).await.ok().flatten();
                let _ = storage.close(PART).await;
                if part.is_none_or(|part| part.length == 0) || self.lost.load(Ordering::Relaxed) {
                    let _ = storage.remove(PART).await;
                    let _ = storage.remove(STATE).await;
                }
            }
            Stage::Whole => {
                // Another boot believes it only so.
                if let Some(line) = self.known.after_sync() {
                    let steps = vec![self.lines(line), Step::Sync(STATE)];
                    self.begin(steps);
                    let _ = self.settle().await;
                }
                let _ = storage.close(PART).await;
                // A rename that was reported as failed, or not at all, may have been done.
                let _ = lock::remove_orphan(&*storage).await;
            }
            Stage::Named => {
                let _ = storage.remove(STATE).await;
            }
            Stage::New | Stage::Over => {}
        }
        lock::release(&*storage, &self.line).await;
        self.stage = Stage::Over;
    }
}

/// Adds to what kept the whole file from its name where its bytes are.
async fn unnamed(storage: &dyn Storage, error: Error) -> Error {
    if !matches!(storage.stat(PART, false).await, Ok(Some(_))) {
        return error;
    }
    let (why, part) = (&error.record().message, storage.display(PART));
    let text = format!("{why}; the whole video is in {part}, from which the next save to this name takes it");
    error.with(|record| record.message = text)
}

impl Drop for PartFile {
    /// A dropped future keeps what is there, too, where that needs no waiting.
    fn drop(&mut self) {
        if self.stage == Stage::Over {
            return;
        }
        if !self.process.is_current() {
            // In a child of `fork()`: the parent continues writing.
            std::mem::forget(self.batch.take());
            return;
        }
        if self.storage.finish_in_place() {
            let _ = self.keep().now_or_never();
        }
    }
}
