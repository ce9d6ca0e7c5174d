//! The journal: what is written down so that nothing paid for is lost.
//!
//! With a journal every create writes its intent **before** it is sent and the task's id right after the answer; the
//! end of the task and the saved file close the entry. After a crash [`Videos::pending`](crate::Videos::pending) lists
//! what to resume, and the create requests whose answer never came. Never written: the API key (a hash names it), and the prompt unless
//! [`journal_prompts`](crate::ClientBuilder::journal_prompts) is set; a SHA-256 of the request stands in its place.
//!
//! The file is `FileJournal` (feature `native`). Whoever has another place to keep records in brings a [`Journal`].

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt as _;

use crate::async_compat::{BoxFuture, MaybeSend, MaybeSync};
use crate::error::{Error, ErrorKind, Phase, Result};
pub use crate::protocol::day_budget::{Exceeded, Reservation, Used};
pub use crate::protocol::ledger::{
    Claim, End, Entry, Event, Order, OrderKey, Process, Record, Reserved, Spent, State, Totals,
};
use crate::store::Store;

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

    /// What has not ended, in the order of its beginning, with the records of other processes.
    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>>;

    /// What was created under a key last, or is being created, ended or not (see
    /// [`Ledger::key`](crate::protocol::ledger::Ledger::key)). Default: refused, this place keeps no keys.
    fn key<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        let _ = key;
        Box::pin(async { Err(no_keys()) })
    }

    /// Claims a key for a create request, whose intent this record is: judges it (see
    /// [`Ledger::claim`](crate::protocol::ledger::Ledger::claim)) and keeps the record with the number of the attempt, **in
    /// one step**: of several callers, in whatever process, one gets [`Claim::Free`]. Durable when the future is done.
    /// Default: refused, this place keeps no keys.
    fn claim(&self, record: Record, retry_failed: bool) -> BoxFuture<'_, Result<Claim>> {
        let _ = (record, retry_failed);
        Box::pin(async { Err(no_keys()) })
    }

    /// Keeps the intent of a create request that reserves its cost of the budget of its UTC day, and claims its key where it has
    /// one: judges it (see [`Ledger::reserve`](crate::protocol::ledger::Ledger::reserve)) and keeps the record with the number of
    /// the attempt and with its estimate, **in one step**: of several callers, in whatever process, those are let through that
    /// the budget has room for. Durable when the future is done. What is killed on the way may leave the sum of the day too
    /// high, never too low. Default: refused, this place keeps no sums.
    fn reserve(&self, record: Record, retry_failed: bool, share: Reservation) -> BoxFuture<'_, Result<Reserved>> {
        let _ = (record, retry_failed, share);
        Box::pin(async {
            let text = "this journal keeps no sums of days: it has to have Journal::reserve for a budget";
            Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "budget", text))
        })
    }

    /// The ids of create requests that were answered in the last days. Default: none are known.
    fn answered(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The ids of tasks that are known, also of some that have ended: nobody else's create request made them. Default: those of
    /// [`Journal::entries`].
    fn tasks(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async {
            let entries = self.entries().await?;
            Ok(entries.iter().filter_map(|entry| entry.state.task_id().map(str::to_owned)).collect())
        })
    }

    /// What was created and charged, a line for each UTC day and model, oldest first; of tasks that have ended, too. Default: of
    /// what [`Journal::entries`] gives.
    fn spending(&self) -> BoxFuture<'_, Result<Vec<Spent>>> {
        Box::pin(async { Ok(Spent::of(&self.entries().await?)) })
    }

    /// The name of a create request, from a random word. Default: that word. Who finds a create request by its key puts the
    /// key into it.
    fn intent(&self, key: Option<&str>, random: &str) -> String {
        let _ = key;
        random.to_owned()
    }

    /// Whether a file of this name is the journal's own: a video that is saved there would take its place. Default: it is in no
    /// files.
    fn owns(&self, path: &Path) -> bool {
        let _ = path;
        false
    }

    /// The store that it is in: all clients whose journals are in the same one share one request rate. Default: none.
    fn store(&self) -> Option<Arc<dyn Store>> {
        None
    }

    /// A word that is the same for as long as the journal is, and that nobody else can guess, for the names of create requests under a key
    /// (`Idempotency-Key`): the users of a web page have the same keys, each in a journal of their own. `random` becomes that word where
    /// there is none. Default: none.
    fn salt(&self, random: String) -> BoxFuture<'_, Result<String>> {
        drop(random);
        Box::pin(std::future::ready(Ok(String::new())))
    }

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

fn no_keys() -> Error {
    let text = "this journal keeps no keys: it has to have Journal::key and Journal::claim";
    Error::field(ErrorKind::InvalidRequest, Phase::Create, "key", text)
}

/// Whether a create may still get its answer. Both must hold: its process is not known to be gone, and a create cannot
/// take that long. A process that is stopped for longer may still bring the id, which the journal then takes.
pub(crate) fn in_flight(journal: &dyn Journal, entry: &Entry, now: Option<u64>) -> bool {
    let State::Sending = entry.state else { return false };
    let Some(order) = &entry.order else { return false };
    let runs = order.process.as_ref().and_then(|process| journal.runs(process));
    match (runs, order.until.zip(now)) {
        (Some(false), _) => false,
        (_, Some((until, now))) => now < until,
        (runs, None) => runs == Some(true),
    }
}

/// What the journal lists, each with whether a create request of it may still get its answer.
///
/// A process that ends between the reading and the look at it has written the outcome before it ended, so a request whose process
/// is gone is read again before it counts as one without an outcome.
pub(crate) async fn entries_in_flight(journal: &dyn Journal, now: Option<u64>) -> Result<Vec<(Entry, bool)>> {
    let mut gone = BTreeSet::new();
    loop {
        let entries = journal.entries().await?.into_iter();
        let entries: Vec<_> = entries.map(|entry| (in_flight(journal, &entry, now), entry)).collect();
        let known = gone.len();
        let now_gone = entries.iter().filter(|(in_flight, entry)| !in_flight && entry.state == State::Sending);
        gone.extend(now_gone.map(|(_, entry)| entry.intent.clone()));
        if gone.len() == known {
            return Ok(entries.into_iter().map(|(in_flight, entry)| (entry, in_flight)).collect());
        }
    }
}

/// What the journal knows of a key, and whether its create request may still get its answer; read again like
/// [`entries_in_flight`].
pub(crate) async fn key_in_flight(journal: &dyn Journal, key: &str, now: Option<u64>) -> Result<Option<(Entry, bool)>> {
    let mut gone = None;
    loop {
        let Some(entry) = journal.key(key).await? else { return Ok(None) };
        let in_flight = in_flight(journal, &entry, now);
        if in_flight || entry.state != State::Sending || gone.as_ref() == Some(&entry.intent) {
            return Ok(Some((entry, in_flight)));
        }
        gone = Some(entry.intent);
    }
}

/// A client's journal and how it is kept.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) prompts: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Knows of one process what it is told.
    struct Told(Option<bool>);

    impl Journal for Told {
        fn append(&self, _: Record) -> BoxFuture<'_, Result<()>> {
            Box::pin(async { Ok(()) })
        }

        fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn runs(&self, _: &Process) -> Option<bool> {
            self.0
        }
    }

    fn entry(until: Option<u64>, state: State) -> Entry {
        Entry {
            intent: "1".into(),
            model: "m".into(),
            at: 100,
            changed_at: 100,
            order: Some(Order {
                fingerprint: String::new(),
                model: "m".into(),
                seconds: None,
                prompt: None,
                until,
                process: Some(Process { pid: 1, place: None, started: None }),
                key: None,
                account: None,
                estimate: None,
            }),
            state,
            request_id: None,
            saving: None,
            charged: None,
        }
    }

    /// Its process writes the outcome and ends as soon as somebody has read that it is sending.
    struct Ends(std::sync::atomic::AtomicBool);

    impl Ends {
        fn read(&self) -> Entry {
            let read = self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
            entry(Some(400), if read { State::Created { task_id: "task_1".into() } } else { State::Sending })
        }
    }

    impl Journal for Ends {
        fn append(&self, _: Record) -> BoxFuture<'_, Result<()>> {
            Box::pin(async { Ok(()) })
        }

        fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
            Box::pin(async { Ok(vec![self.read()]) })
        }

        fn key(&self, _: &str) -> BoxFuture<'_, Result<Option<Entry>>> {
            Box::pin(async { Ok(Some(self.read())) })
        }

        fn runs(&self, _: &Process) -> Option<bool> {
            Some(false)
        }
    }

    #[test]
    fn what_a_process_wrote_before_it_ended_is_read() {
        let ends = || Ends(false.into());
        let listed = entries_in_flight(&ends(), Some(101)).now_or_never().unwrap().unwrap();
        assert_eq!(listed.first().map(|(entry, _)| entry.state.task_id()), Some(Some("task_1")));
        let (entry, _) = key_in_flight(&ends(), "k", Some(101)).now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(entry.state.task_id(), Some("task_1"));
    }

    #[test]
    fn a_create_is_in_flight_while_its_process_may_run_and_it_is_young() {
        let cases = [
            // runs, until, now, in flight
            (Some(true), Some(400), Some(399), true),
            (Some(true), Some(400), Some(400), false),
            (Some(false), Some(400), Some(101), false),
            (None, Some(400), Some(399), true),
            (None, Some(400), Some(400), false),
            // Without a clock only the process can say so.
            (Some(true), None, None, true),
            (None, None, None, false),
            (Some(false), None, None, false),
        ];
        for (runs, until, now, expected) in cases {
            let result = in_flight(&Told(runs), &entry(until, State::Sending), now);
            assert_eq!(result, expected, "{runs:?} {until:?} {now:?}");
        }
        let unknown = State::Unknown { reason: "timeout".into() };
        assert!(!in_flight(&Told(Some(true)), &entry(Some(400), unknown), Some(101)));
    }
}
