//! Saving a video through somebody else's hands: a storage that is not a file of this machine's own system, such as
//! Node's `fs` behind a WebAssembly border. What is written when, and what a former call left, is decided here.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::async_compat::{BoxFuture, MaybeSend, MaybeSync};
use crate::calls::client_core::ClientCore;
use crate::error::{Phase, Result};
use crate::protocol::mp4::{Mp4Check, Mp4Fault, Mp4Info, Mp4Step};
use crate::protocol::part::PartState;
use crate::protocol::{DownloadPolicy, Finished};
use crate::save::{during_save, refused};
use crate::video::fetch::{Fetch, FetchEvent, Source, Tell};

/// Small pieces are gathered up to this size before they are written.
const GATHER: usize = 256 * 1024;

/// Keeps bytes, and a text beside them that says which they are.
pub trait Storage: MaybeSend + MaybeSync {
    /// Writes bytes at this place.
    fn write(&self, at: u64, bytes: Bytes) -> BoxFuture<'_, Result<()>>;
    /// Appends to the text.
    fn note(&self, lines: String) -> BoxFuture<'_, Result<()>>;
    /// Empties the bytes, then the text.
    fn reset(&self) -> BoxFuture<'_, Result<()>>;
    /// Reads bytes back; fewer at the end.
    fn read(&self, at: u64, length: usize) -> BoxFuture<'_, Result<Bytes>>;
    /// Cuts the text to this many bytes.
    fn cut_text(&self, length: usize) -> BoxFuture<'_, Result<()>>;
}

/// A save into a [`Storage`].
pub struct Keep {
    /// Where to.
    pub storage: Arc<dyn Storage>,
    /// The text that a former call left; empty when there is none.
    pub text: String,
    /// How many bytes a former call left.
    pub length: u64,
    /// How the video is read.
    pub policy: DownloadPolicy,
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep").field("length", &self.length).finish_non_exhaustive()
    }
}

/// Reads a video into a storage, see [`Video::keep`](crate::Video::keep).
pub(crate) async fn keep(
    core: Arc<ClientCore>,
    source: &Source,
    keep: Keep,
    mut tell: impl FnMut(u64, Option<u64>) + MaybeSend + 'static,
) -> Result<Finished> {
    let tell: Tell = Box::new(move |(bytes, total)| tell(*bytes, *total));
    let result = read_into(core, source, keep, tell).await;
    result.map_err(|error| during_save(error, source.task_id.as_deref()))
}

async fn read_into(core: Arc<ClientCore>, source: &Source, keep: Keep, mut tell: Tell) -> Result<Finished> {
    let Keep { storage, text, length, policy } = keep;
    policy.check(Phase::Save)?;
    let kept = PartState::read(source.task_id.as_deref(), &text, length);
    let (known, progress) = if let Some(kept) = kept {
        if kept.text_length < text.len() {
            storage.cut_text(kept.text_length).await?;
        }
        (kept.state, Some(kept.progress))
    } else {
        storage.reset().await?;
        (PartState::new(source.task_id.as_deref()), None)
    };
    let mut writer = Writer { storage, known, gathered: Vec::new(), at: 0 };
    let mut fetch = Fetch::new(core, source, policy, progress);
    loop {
        match fetch.next().await {
            FetchEvent::Write { at, bytes } => {
                let machine = fetch.machine();
                if !writer.known.knows(machine.validators(), machine.source()) {
                    writer.flush().await?;
                    if let Some(line) = writer.known.describe(machine.validators(), machine.source()) {
                        writer.storage.note(line).await?;
                    }
                }
                writer.write(at, &bytes).await?;
                tell(&(fetch.machine().covered(), fetch.machine().total()));
            }
            FetchEvent::Reset => writer.reset().await?,
            FetchEvent::Verify { total } => {
                let verdict = writer.verify(total).await?;
                fetch.verified(verdict);
                // What is refused stays, with its length: a later call can take it as it is.
                let machine = fetch.machine();
                if let Some(line) = writer.known.describe(machine.validators(), machine.source()) {
                    writer.storage.note(line).await?;
                }
            }
            FetchEvent::Done(result) => {
                // What came before a failure is kept for the next call.
                writer.flush().await?;
                return result.map_err(|error| refused(error, "what was read is kept in the .part file"));
            }
        }
    }
}

struct Writer {
    storage: Arc<dyn Storage>,
    known: PartState,
    /// One run of bytes that begins at `at`.
    gathered: Vec<u8>,
    at: u64,
}

impl Writer {
    async fn write(&mut self, at: u64, bytes: &Bytes) -> Result<()> {
        if at != self.at + self.gathered.len() as u64 {
            self.flush().await?;
        }
        if self.gathered.is_empty() {
            self.at = at;
        }
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER { self.flush().await } else { Ok(()) }
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if self.gathered.is_empty() {
                return Ok(());
            }
            let bytes = Bytes::from(std::mem::take(&mut self.gathered));
            let (at, length) = (self.at, bytes.len() as u64);
            if let Some(lines) = self.known.before_write(at) {
                self.storage.note(lines).await?;
            }
            self.storage.write(at, bytes).await?;
            match self.known.after_write(at, length) {
                Some(line) => self.storage.note(line).await,
                None => Ok(()),
            }
        })
    }

    async fn reset(&mut self) -> Result<()> {
        self.gathered.clear();
        self.known.reset();
        self.storage.reset().await
    }

    async fn verify(&mut self, total: u64) -> Result<std::result::Result<Mp4Info, Mp4Fault>> {
        self.flush().await?;
        let mut check = Mp4Check::new(total);
        loop {
            match check.step() {
                Mp4Step::Done(result) => return Ok(result),
                Mp4Step::Need { offset, len } => check.input(&self.storage.read(offset, len).await?),
            }
        }
    }
}
