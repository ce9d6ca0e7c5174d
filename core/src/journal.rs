//! The journal: what is written down so that nothing paid for is lost.
//!
//! With a journal every create writes its intent **before** it is sent and the task's id right after the answer; the
//! end of the task and the saved file close the entry. After a crash [`Videos::pending`](crate::Videos::pending) lists
//! what to resume, and the create requests whose answer never came. Never written: the API key, and the prompt unless
//! [`journal_prompts`](crate::ClientBuilder::journal_prompts) is set; a SHA-256 of the request stands in its place.
//!
//! The file is `FileJournal` (feature `native`). Whoever has another place to keep records in brings a [`Journal`].

use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::async_compat::{BoxFuture, MaybeSend, MaybeSync};
use crate::error::Result;
pub use crate::protocol::ledger::{End, Entry, Event, Order, Process, Record, State};

/// A place where records survive the end of the process.
pub trait Journal: MaybeSend + MaybeSync {
    /// Keeps a record: when the future is done, the record is durable. One that changes nothing (see
    /// [`Ledger::apply`](crate::protocol::ledger::Ledger::apply)) need not be kept.
    fn append(&self, record: Record) -> BoxFuture<'_, Result<()>>;

    /// Keeps a record for a caller that cannot wait: a create that was dropped. Default: polls [`Journal::append`] once,
    /// without waiting for its end.
    ///
    /// # Errors
    /// Those of [`Journal::append`], where they are known at once.
    fn append_now(&self, record: Record) -> Result<()> {
        self.append(record).now_or_never().unwrap_or(Ok(()))
    }

    /// What is not over, in the order of its beginning, with the records of other processes.
    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>>;

    /// This process, for the intents that it writes. Default: not known.
    fn process(&self) -> Option<Process> {
        None
    }

    /// Whether the process that wrote an intent still runs. Default: not known; its age decides then.
    fn runs(&self, process: &Process) -> Option<bool> {
        let _ = process;
        None
    }
}

/// A client's journal and how it is kept.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) prompts: bool,
}
