//! A journal in a [`Store`], so that the processes of many machines share it.
//!
//! Each create request is one row, whose value is the lines that a file's journal would hold of it. So a claim is one
//! compare-and-set of one row, whoever else writes, and what the lines add up to is decided by the same
//! [`Ledger`].
//!
//! | row | value |
//! |---|---|
//! | `k/` and a hash of the key | what was created under the key |
//! | `c/` and the intent | a create request without a key, until it has ended; then what it cost, for as long as keys are kept |
//! | `accounts` | fingerprints of the API keys whose tasks these are |
//! | `b/` and a UTC day | what is spent and reserved of the day's budget, where clients have one |
//! | `t/` and a hash of the task's id | the name of the task's row |
//! | `salt` | a random word, for the names of create requests under a key |

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use sha2::{Digest as _, Sha256};

use crate::async_compat::{BoxFuture, run_detached};
use crate::error::{Error, Result};
use crate::fork::PerProcess;
use crate::journal::{Claim, Entry, Event, Journal, Process, Record, Reservation, Reserved, Spent, Used};
use crate::net::secret::ApiKey;
use crate::protocol::day_budget::{DAY, DayChange, DaySum, Settlement};
use crate::protocol::ledger::{ANSWERED_KEPT, Ledger, MAX_LINE, Tail};
use crate::protocol::process::{self, ProcessTable};
use crate::store::{Store, Versioned, failed, unavailable};
use crate::text::days;

/// How often a row is read anew because another was faster, before it is an error. Each time another has come further.
const MAX_TRIES: u32 = 1000;
/// Tasks whose rows are remembered.
const MAX_KNOWN: usize = 10_000;
/// How long a key is known after its task has ended.
const KEEP_KEYS: Duration = Duration::from_secs(30 * 24 * 3600);
/// The row with the fingerprints of the accounts.
const ACCOUNTS: &str = "accounts";
/// The row with the random word of the journal.
const SALT: &str = "salt";
/// Longest wait for a record of a create request that is dropped.
const DROP_LIMIT: Duration = Duration::from_secs(5);

/// A [`Journal`] in a [`Store`], so that the processes of many machines share it: `ClientBuilder::journal` makes one of the
/// address of a database. Each create request is one row, so that a claim is one compare-and-set.
///
/// Ended keys are dropped, 30 days after the end of their task, when somebody lists what is pending; what was spent is known for as
/// long.
#[derive(Clone)]
pub struct StoreJournal {
    store: Arc<dyn Store>,
    processes: Option<Arc<dyn ProcessTable + Send + Sync>>,
    account: Option<Account>,
    keep_keys: Duration,
    /// The rows of tasks. Only saves a request.
    known: Arc<PerProcess<Mutex<HashMap<String, String>>>>,
}

/// Whose tasks a client creates.
#[derive(Clone)]
struct Account {
    fingerprint: String,
    joins: bool,
    checked: Arc<PerProcess<OnceLock<()>>>,
}

impl StoreJournal {
    /// A journal in this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, processes: None, account: None, keep_keys: KEEP_KEYS, known: Arc::default() }
    }

    /// Whom to ask which processes still run. Without it a create request of another process counts as in flight for as
    /// long as it may take.
    #[must_use]
    pub fn processes(mut self, processes: Arc<dyn ProcessTable + Send + Sync>) -> Self {
        self.processes = Some(processes);
        self
    }

    /// How long a key is known after its task has ended. Default 30 days.
    #[must_use]
    pub fn keep_keys(mut self, time: Duration) -> Self {
        self.keep_keys = time;
        self
    }

    /// Whose tasks these are: create requests for another account are refused before they are sent. `same_account` adds
    /// this one to those that the journal knows. Default: whoever comes.
    #[must_use]
    pub fn account(mut self, fingerprint: String, same_account: bool) -> Self {
        self.account = Some(Account { fingerprint, joins: same_account, checked: Arc::default() });
        self
    }

    /// [`StoreJournal::account`] for the account of this API key, which no error of the store shows then.
    #[must_use]
    pub fn account_of(mut self, key: Option<&ApiKey>, same_account: bool) -> Self {
        if let Some(key) = key {
            self.store = Arc::new(Masked { store: self.store, key: key.clone() });
        }
        let fingerprint = key.map_or_else(|| "none".to_owned(), ApiKey::account);
        self.account(fingerprint, same_account)
    }

    /// Refuses to mix the tasks of two accounts.
    async fn check_account(&self) -> Result<()> {
        let Some(account) = &self.account else { return Ok(()) };
        if account.checked.get_or_init(OnceLock::new).get().is_some() {
            return Ok(());
        }
        for _ in 0..MAX_TRIES {
            let row = self.store.load(ACCOUNTS).await?;
            let known = row.as_ref().map_or("", |row| row.value.as_str());
            if known.split(' ').any(|known| known == account.fingerprint) {
                _ = account.checked.get_or_init(OnceLock::new).set(());
                return Ok(());
            }
            if !known.is_empty() && !account.joins {
                return Err(failed(
                    "this journal holds tasks of another API key: take another journal=NAME for another account, or add \
                     &account=same once when only the key was replaced (with a store object in JavaScript: other names \
                     of rows, or account: \"same\" on the object)",
                ));
            }
            let value = format!("{known} {}", account.fingerprint).trim().to_owned();
            if self.store.swap(ACCOUNTS, row.map(|row| row.version), Some(value)).await?.is_some() {
                _ = account.checked.get_or_init(OnceLock::new).set(());
                return Ok(());
            }
        }
        Err(changed_too_often(ACCOUNTS))
    }

    async fn write(&self, record: Record) -> Result<()> {
        if let Event::Intent { .. } = &record.event {
            self.check_account().await?;
        }
        let name = match &record.event {
            Event::Intent { intent, .. }
            | Event::Created { intent, .. }
            | Event::Refused { intent, .. }
            | Event::Unknown { intent, .. } => row_of(intent),
            Event::Finished { task_id, .. } | Event::Saving { task_id, .. } | Event::Saved { task_id, .. } => {
                // A task of another program is nobody's here.
                let Some(name) = self.row_of_task(task_id).await? else { return Ok(()) };
                name
            }
            Event::Forgotten { name } => self.row_of_task(name).await?.unwrap_or_else(|| row_of(name)),
            Event::Answered { .. } | Event::Spent(_) => return Ok(()),
        };
        let task = match &record.event {
            Event::Created { task_id, .. }
            | Event::Finished { task_id, .. }
            | Event::Saved { task_id, .. }
            | Event::Forgotten { name: task_id } => Some(task_id.as_str()),
            _ => None,
        };
        if let Event::Created { task_id, .. } = &record.event {
            // First: a process that is killed in between must not leave a task whose end nobody could write down.
            self.note_task(task_id, &name).await?;
        }
        let is_known = self
            .change(&name, |ledger| {
                let day_change = ledger.day_change(&record);
                ledger.apply(record.clone())?;
                Ok((task.is_some_and(|task_id| ledger.knows_task(task_id)), day_change))
            })
            .await?;
        match task {
            Some(task_id) if !is_known => self.forget_task(task_id).await,
            _ => Ok(()),
        }
    }

    /// Changes a row by what its lines add up to, and the sum of a day by what follows from it. What changes nothing is not
    /// written.
    ///
    /// A charge is in the sum before it is in the row, everything else afterwards: whoever is killed in between leaves a sum that is
    /// too high, or one that the same record, written again, does not change.
    async fn change<T>(
        &self,
        name: &str,
        change: impl Fn(&mut Ledger) -> Result<(T, Option<DayChange>), &'static str>,
    ) -> Result<T> {
        let mut begun = None;
        for _ in 0..MAX_TRIES {
            let row = self.store.load(name).await?;
            // Nobody else begins a row with this text: its intent is in it.
            if begun.is_some() && begun == row.as_ref().map(|row| row.value.clone()) {
                let text = "its swap must give the new version, and None only where another was faster";
                return Err(failed(format!(
                    "the row {name:?} was written, and the store gives no version of it: {text}"
                )));
            }
            let text = row.as_ref().map_or("", |row| row.value.as_str());
            let mut ledger = read(name, text)?;
            let changed = change(&mut ledger).map_err(|what| failed(format!("the row {name:?}: {what}")))?;
            let (result, mut day_change) = changed;
            let is_new = row.is_none();
            if let Some(charge) = day_change.take_if(|change| matches!(change.settlement, Settlement::Charged(_))) {
                self.settle(charge).await?;
            }
            let new = write(&ledger);
            // It could not be read again, and with it nothing that the journal holds.
            if new.split_inclusive('\n').any(|line| line.len() > MAX_LINE) {
                return Err(failed(format!("the row {name:?}: a record is longer than 64 KiB")));
            }
            let value = (!new.is_empty()).then_some(&new);
            let same = new == text;
            if same || self.store.swap(name, row.map(|row| row.version), value.cloned()).await?.is_some() {
                if let Some(change) = day_change {
                    self.settle(change).await?;
                }
                return Ok(result);
            }
            begun = is_new.then_some(new);
        }
        Err(changed_too_often(name))
    }

    /// Settles a reservation in the sum of its day; a day without a sum has none.
    async fn settle(&self, change: DayChange) -> Result<()> {
        let DayChange { day, intent, model, settlement } = change;
        self.change_day(day, false, |sum| sum.settle(&intent, &model, settlement)).await.map(|_| ())
    }

    /// Changes the sum of a day. `None` when there is none and none is to be begun.
    async fn change_day<T>(&self, day: u64, begins: bool, change: impl Fn(&mut DaySum) -> T) -> Result<Option<T>> {
        let name = day_row(day);
        for _ in 0..MAX_TRIES {
            let row = self.store.load(&name).await?;
            let mut sum = match &row {
                Some(row) => DaySum::read(&row.value).map_err(|what| failed(format!("the row {name:?}: {what}")))?,
                None if begins => self.begin_day(day).await?,
                None => return Ok(None),
            };
            let result = change(&mut sum);
            let text = sum.write();
            let same = row.as_ref().is_some_and(|row| row.value == text);
            if same || self.store.swap(&name, row.map(|row| row.version), Some(text)).await?.is_some() {
                return Ok(Some(result));
            }
        }
        Err(changed_too_often(&name))
    }

    /// The sum of a day that has none yet: what the entries say. Sums before yesterday's are removed.
    async fn begin_day(&self, day: u64) -> Result<DaySum> {
        let mut ledgers = self.ledgers().await?;
        ledgers.sort_by_key(|ledger| ledger.changed_at().max(ledger.last_spent()));
        let (mut used, mut last) = (Used::default(), BTreeMap::new());
        for ledger in &ledgers {
            used.add(ledger.used_on(day));
            for line in ledger.spending() {
                last.extend(ledger.last_charge(&line.model).map(|units| (line.model, units)));
            }
        }
        let yesterday = day_row(day.saturating_sub(1));
        for (name, row) in self.store.scan("b/").await? {
            if name < yesterday {
                self.store.swap(&name, Some(row.version), None).await?;
            }
        }
        Ok(DaySum::begin(used, last))
    }

    /// Keeps which row a task is in. Without it the task would not be found by its id.
    async fn note_task(&self, task_id: &str, name: &str) -> Result<()> {
        let row = task_row(task_id);
        for _ in 0..MAX_TRIES {
            let old = self.store.load(&row).await?;
            if old.as_ref().is_some_and(|old| old.value == name)
                || self.store.swap(&row, old.map(|old| old.version), Some(name.to_owned())).await?.is_some()
            {
                self.remember(task_id, name);
                return Ok(());
            }
        }
        Err(changed_too_often(&row))
    }

    async fn row_of_task(&self, task_id: &str) -> Result<Option<String>> {
        if let Some(name) = self.with_known(|known| known.get(task_id).cloned()) {
            return Ok(Some(name));
        }
        let Some(row) = self.store.load(&task_row(task_id)).await? else { return Ok(None) };
        self.remember(task_id, &row.value);
        Ok(Some(row.value))
    }

    fn remember(&self, task_id: &str, name: &str) {
        self.with_known(|known| {
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            known.insert(task_id.to_owned(), name.to_owned());
        });
    }

    fn with_known<T>(&self, action: impl FnOnce(&mut HashMap<String, String>) -> T) -> T {
        let known = self.known.get_or_init(Mutex::default);
        action(&mut known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every row of create requests with what its lines add up to, after dropping those that need not be kept.
    async fn ledgers(&self) -> Result<Vec<Ledger>> {
        let mut rows = self.store.scan("k/").await?;
        rows.extend(self.store.scan("c/").await?);
        let ledgers: Result<Vec<_>> = rows.iter().map(|(name, row)| read(name, &row.value)).collect();
        let mut ledgers = ledgers?;
        let newest = ledgers.iter().filter_map(Ledger::changed_at).max().unwrap_or_default();
        for ((name, row), ledger) in rows.iter().zip(&mut ledgers) {
            let ids: Vec<_> = ledger.keys().filter_map(|entry| entry.state.task_id().map(str::to_owned)).collect();
            let before = newest.saturating_sub(self.keep_keys.as_secs());
            ledger.expire(before);
            // What it cost is told for as long as a key is known.
            let spent = ledger.last_spent().is_some_and(|at| at >= before);
            let answered = ledger.changed_at().is_some_and(|at| at.saturating_add(ANSWERED_KEPT) < newest);
            // One that was changed meanwhile stays for the next time.
            if ledger.is_empty() && !spent && (answered || ledger.answered().next().is_none() || !ids.is_empty()) {
                self.store.swap(name, Some(row.version), None).await?;
                for id in ids {
                    self.forget_task(&id).await?;
                }
            }
        }
        Ok(ledgers)
    }

    async fn forget_task(&self, task_id: &str) -> Result<()> {
        self.with_known(|known| known.remove(task_id));
        let name = task_row(task_id);
        if let Some(row) = self.store.load(&name).await? {
            self.store.swap(&name, Some(row.version), None).await?;
        }
        Ok(())
    }
}

/// A store whose errors do not show the API key: a custom one may put anything into them.
struct Masked {
    store: Arc<dyn Store>,
    key: ApiKey,
}

impl Masked {
    fn masked<'a, T: 'a>(&self, answer: BoxFuture<'a, Result<T>>) -> BoxFuture<'a, Result<T>> {
        let key = self.key.clone();
        let mask = move |error: Error| error.with(|record| record.message = key.redact(&record.message).into_owned());
        Box::pin(answer.map(|result| result.map_err(mask)))
    }
}

impl Store for Masked {
    fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
        self.masked(self.store.load(name))
    }

    fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
        self.masked(self.store.swap(name, expected, value))
    }

    fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
        self.masked(self.store.scan(prefix))
    }
}

/// Others were faster each time; or the store gives no version for what it has written.
fn changed_too_often(name: &str) -> Error {
    unavailable(format!("the row {name:?} was changed by others {MAX_TRIES} times in a row: try again"))
}

impl Journal for StoreJournal {
    fn append(&self, record: Record) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.write(record))
    }

    fn append_now(&self, record: Record) -> Result<()> {
        // A store works in threads of its own: this one only waits, and not for ever.
        let journal = self.clone();
        let writing = Box::pin(async move { journal.write(record).await });
        run_detached(writing, "junfeiai-journal", DROP_LIMIT).unwrap_or_else(|| {
            Err(unavailable("the journal did not answer: the outcome of a create request is not written down"))
        })
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        Box::pin(async {
            let ledgers = self.ledgers().await?;
            let mut entries: Vec<_> = ledgers.iter().flat_map(Ledger::entries).cloned().collect();
            entries.sort_by(|one, other| (one.at, &one.intent).cmp(&(other.at, &other.intent)));
            Ok(entries)
        })
    }

    fn key<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            let name = key_row(key);
            let Some(row) = self.store.load(&name).await? else { return Ok(None) };
            Ok(read(&name, &row.value)?.key(key).cloned())
        })
    }

    fn claim(&self, record: Record, retry_failed: bool) -> BoxFuture<'_, Result<Claim>> {
        Box::pin(async move {
            let Event::Intent { order, .. } = &record.event else { return Err(failed("only a create is claimed")) };
            let Some(key) = &order.key else { return Err(failed("the create has no key")) };
            self.check_account().await?;
            let name = key_row(&key.name);
            self.change(&name, |ledger| {
                let claim = ledger.claim(&key.name, retry_failed);
                if let Claim::Free { attempt } = claim {
                    ledger.apply(record.clone().with_attempt(attempt))?;
                }
                Ok((claim, None))
            })
            .await
        })
    }

    /// Reserves in the row of the day first: a process that is killed before the intent is written leaves a sum that is too
    /// high until the day ends.
    fn reserve(&self, record: Record, retry_failed: bool, share: Reservation) -> BoxFuture<'_, Result<Reserved>> {
        Box::pin(async move {
            let Event::Intent { intent, order } = &record.event else { return Err(failed("only a create reserves")) };
            self.check_account().await?;
            let key = order.key.as_ref().map(|key| key.name.as_str());
            let claim = |ledger: &Ledger| key.map_or(Claim::Free { attempt: 1 }, |key| ledger.claim(key, retry_failed));
            let name = key.map_or_else(|| row_of(intent), key_row);
            // What was created under the key costs nothing again.
            if key.is_some()
                && let Some(row) = self.store.load(&name).await?
                && let Claim::Taken(entry) = claim(&read(&name, &row.value)?)
            {
                return Ok(Reserved::Taken(entry));
            }
            let day = record.at / DAY;
            let reserved = self.change_day(day, true, |sum| sum.reserve(intent, &order.model, &share)).await?;
            let units = match reserved {
                Some(Ok(units)) => units,
                Some(Err(exceeded)) => return Ok(Reserved::Exceeded(exceeded)),
                None => return Err(failed("the sum of the day could not be begun")),
            };
            let kept = record.clone().with_estimate(units);
            let written = self.change(&name, |ledger| {
                let claim = claim(ledger);
                if let Claim::Free { attempt } = claim {
                    ledger.apply(kept.clone().with_attempt(attempt))?;
                }
                Ok((claim, None))
            });
            let written = written.await;
            if let Ok(Claim::Free { attempt }) = written {
                return Ok(Reserved::Kept { attempt, units });
            }
            // Another was faster with the key, or nothing can be written: nothing will be sent.
            let (intent, model) = (intent.clone(), order.model.clone());
            let released = self.settle(DayChange { day, intent, model, settlement: Settlement::Released }).await;
            written.and_then(|claim| released.map(|()| claim.into()))
        })
    }

    fn answered(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async {
            let ledgers = self.ledgers().await?;
            Ok(ledgers.iter().flat_map(Ledger::answered).map(str::to_owned).collect())
        })
    }

    fn tasks(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        Box::pin(async {
            let ledgers = self.ledgers().await?;
            Ok(ledgers.iter().flat_map(Ledger::tasks).map(str::to_owned).collect())
        })
    }

    fn spending(&self) -> BoxFuture<'_, Result<Vec<Spent>>> {
        Box::pin(async {
            let ledgers = self.ledgers().await?;
            Ok(Spent::merged(ledgers.iter().flat_map(Ledger::spending)))
        })
    }

    fn process(&self) -> Option<Process> {
        Some(process::current(&**self.processes.as_ref()?))
    }

    fn runs(&self, process: &Process) -> Option<bool> {
        process::runs(&**self.processes.as_ref()?, process)
    }

    fn store(&self) -> Option<Arc<dyn Store>> {
        Some(self.store.clone())
    }

    fn salt(&self, random: String) -> BoxFuture<'_, Result<String>> {
        Box::pin(async move {
            if let Some(row) = self.store.load(SALT).await? {
                return Ok(row.value);
            }
            if self.store.swap(SALT, None, Some(random.clone())).await?.is_some() {
                return Ok(random);
            }
            let row = self.store.load(SALT).await?;
            row.map(|row| row.value)
                .ok_or_else(|| failed("the row \"salt\" of the journal comes and goes: another program writes it"))
        })
    }

    fn intent(&self, key: Option<&str>, random: &str) -> String {
        key.map_or_else(|| random.to_owned(), |key| format!("{}.{random}", hash(key)))
    }
}

impl fmt::Debug for StoreJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A store's address may hold a password.
        f.debug_struct("StoreJournal").finish_non_exhaustive()
    }
}

fn hash(text: &str) -> String {
    let mut hash = format!("{:x}", Sha256::digest(text));
    hash.truncate(40);
    hash
}

fn key_row(key: &str) -> String {
    format!("k/{}", hash(key))
}

fn task_row(task_id: &str) -> String {
    format!("t/{}", hash(task_id))
}

fn day_row(day: u64) -> String {
    format!("b/{}", days::write(day))
}

/// The row of a create request: the name of one with a key begins with the key's hash.
fn row_of(intent: &str) -> String {
    intent.split_once('.').map_or_else(|| format!("c/{intent}"), |(hash, _)| format!("k/{hash}"))
}

fn read(name: &str, text: &str) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    match ledger.read(text.as_bytes()) {
        Ok((_, Tail::Whole)) => Ok(ledger),
        Ok(_) => Err(failed(format!("the row {name:?} was cut off: it is not one of ours"))),
        Err(damage) => Err(failed(format!("the row {name:?}, {damage}"))),
    }
}

fn write(ledger: &Ledger) -> String {
    ledger.records().map(|record| record.to_line()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::Order;
    use crate::store::MemoryStore;

    /// It writes, and says each time that another was faster.
    #[derive(Default)]
    struct Silent(MemoryStore);

    impl Store for Silent {
        fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
            self.0.load(name)
        }

        fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
            Box::pin(self.0.swap(name, expected, value).map(|written| written.map(|_| None::<u64>)))
        }

        fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
            self.0.scan(prefix)
        }
    }

    /// Otherwise the create request would wait for another that sends the same, which is itself.
    #[test]
    fn a_store_that_gives_no_version_of_what_it_has_written_is_an_error() {
        let journal = StoreJournal::new(Arc::new(Silent::default()));
        let order = Order {
            fingerprint: "f".into(),
            model: "m".into(),
            seconds: None,
            prompt: None,
            until: None,
            process: None,
            key: None,
            account: None,
            estimate: None,
        };
        let record = Record::new(100, Event::Intent { intent: "1f".into(), order });
        let error = journal.append(record).now_or_never().unwrap().unwrap_err();
        assert!(error.to_string().contains("gives no version"), "{error}");
    }
    /// Its errors say what they should not.
    struct Talks;

    impl Store for Talks {
        fn load(&self, _: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
            Box::pin(async { Err(unavailable("no access with sk-secret-1")) })
        }

        fn swap(&self, _: &str, _: Option<u64>, _: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
            Box::pin(async { Err(failed("no access with sk-secret-1")) })
        }

        fn scan(&self, _: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
            Box::pin(async { Err(unavailable("no access with sk-secret-1")) })
        }
    }

    #[test]
    fn what_a_store_says_is_shown_without_the_key() {
        let key = ApiKey::new("sk-secret-1").unwrap();
        let journal = StoreJournal::new(Arc::new(Talks)).account_of(Some(&key), false);
        let store = journal.store().unwrap();
        let errors = [
            journal.entries().now_or_never().unwrap().unwrap_err(),
            store.load("budget").now_or_never().unwrap().unwrap_err(),
            store.swap("budget", None, None).now_or_never().unwrap().unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().contains("no access with ***"), "{error}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }
}
