//! What a create writes into the journal, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use sha2::{Digest as _, Sha256};

use crate::calls::client_core::ClientCore;
use crate::calls::tracker::TrackedCreate;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::Pid;
use crate::journal::{End, Entry, Event, Journal, Order, Record, Recorder, Reservation, Reserved, State, in_flight};
use crate::model::{Earlier, Prepared, SavedFile, Snapshot, VideoRequest, Warning, WarningCode};
use crate::net::secret::ApiKey;
use crate::protocol::claim::{ClaimMachine, ClaimStep, KeyedRequest, kept_fields};
use crate::protocol::day_budget::DAY;
use crate::status::TaskStatus;

/// Longest prompt that is kept, in characters: what the known models take.
const MAX_PROMPT: usize = 4096;
/// Longest model name or length that is kept, in characters.
const MAX_WORD: usize = 200;
/// What is added to the longest life of a create before it counts as given up, in seconds.
const MARGIN: u64 = 60;

/// A create that was written down and not sent yet. Dropped without an outcome, it notes that there is none.
pub(crate) struct OpenIntent {
    recorder: Option<Recorder>,
    /// What came of it, while that is written down.
    outcome: Option<Event>,
    process: Pid,
    core: Arc<ClientCore>,
    intent: String,
    model: String,
    /// Unix seconds after which nothing is sent for it.
    until: Option<u64>,
    /// Key and number of the task under it.
    key: Option<(String, u32)>,
    create: TrackedCreate,
}

/// A create request with a key, and what is known of it.
pub(crate) struct Keyed(ClaimMachine);

/// What a create request reserves of the day's budget, where the client has one.
#[derive(Default)]
pub(crate) struct BudgetShare(pub(crate) Option<Reservation>);

impl From<Entry> for Earlier {
    fn from(entry: Entry) -> Self {
        let succeeded = matches!(entry.state, State::Succeeded { .. } | State::Saved { .. });
        let task_id = entry.state.task_id().unwrap_or_default().to_owned();
        let charged = entry.charged.filter(|_| succeeded);
        let saved = match (entry.state, entry.saving) {
            (State::Saved { path, bytes, .. }, _) => Some(SavedFile { path, bytes, named: true }),
            (_, Some((path, bytes))) => Some(SavedFile { path, bytes, named: false }),
            _ => None,
        };
        Self { task_id, model: entry.model, created_at: entry.at, succeeded, charged, saved }
    }
}

impl ClientCore {
    fn unix(&self) -> u64 {
        self.timer.unix_now().unwrap_or_default()
    }

    /// The journal.
    ///
    /// # Errors
    /// `config` when there is none.
    pub(crate) fn journal(&self) -> Result<&dyn Journal> {
        let missing = || Error::config("journal", "this client keeps no journal: give it the option journal");
        self.recorder.as_ref().map(|recorder| &*recorder.journal).ok_or_else(missing)
    }

    pub(crate) async fn append(&self, event: Event) -> Result<()> {
        self.journal()?.append(Record::new(self.unix(), event)).await
    }

    /// The request's key, judged; `None` without one.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a key, or there is no journal to keep it.
    pub(crate) fn keyed(
        &self,
        request: &VideoRequest,
        prepared: &Prepared,
        timeout: Duration,
    ) -> Result<Option<Keyed>> {
        let Some(key) = &request.key else { return Ok(None) };
        if self.recorder.is_none() {
            let text = "a key needs a journal, which says what was created under it: give the client one with journal";
            return Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "key", text));
        }
        // What is kept and shown must not hold the API key, wherever the caller put it.
        let without_key = |text: String| match &self.config.key {
            Some(key) => key.redact(&text).into_owned(),
            None => text,
        };
        if without_key(key.clone()) != *key {
            let text = "key must not hold the API key: it is kept in the journal";
            return Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "key", text));
        }
        let fields =
            kept_fields(&prepared.body).into_iter().map(|(name, value)| (without_key(name), without_key(value)));
        let keyed = KeyedRequest::new(key, prepared.fingerprint(), fields)?;
        let deadline = self.now() + timeout;
        Ok(Some(Keyed(ClaimMachine::new(keyed, request.retry_failed, deadline))))
    }

    /// What was created under the key before; waits while another is sending the request. `None` when the key may be
    /// claimed.
    pub(crate) async fn earlier(&self, keyed: &mut Keyed, create: &TrackedCreate) -> Result<Option<Earlier>> {
        let journal = self.journal()?;
        loop {
            match keyed.0.step(self.now()) {
                ClaimStep::Claim => return Ok(None),
                ClaimStep::Look => {
                    let found = journal.key(keyed.0.request().key()).await?;
                    self.found(keyed, found.as_ref());
                }
                ClaimStep::WaitUntil(time) => {
                    create.unless_stopped(self.sleep_until(time).map(Ok)).await?;
                }
                ClaimStep::Done(Ok(entry)) => {
                    let earlier = Earlier::from(*entry);
                    create.created(&earlier.task_id);
                    return Ok(Some(earlier));
                }
                ClaimStep::Done(Err(error)) => {
                    match error.task_id() {
                        Some(id) => create.created(id),
                        None if error.maybe_executed() => create.was_sent(),
                        None => {}
                    }
                    return Err(error);
                }
            }
        }
    }

    fn found(&self, keyed: &mut Keyed, found: Option<&Entry>) {
        let sending = |entry| self.journal().is_ok_and(|journal| in_flight(journal, entry, self.timer.unix_now()));
        keyed.0.input(self.now(), found, found.is_some_and(sending));
    }

    /// Writes down that a create will be sent. Nothing may be sent when this fails. `None` when another was faster with the
    /// key; an error, too, when the day's budget has no room for it.
    pub(crate) async fn begin_create(
        self: &Arc<Self>,
        prepared: &Prepared,
        prompt: &str,
        create: &TrackedCreate,
        keyed: Option<&mut Keyed>,
        share: &BudgetShare,
        timeout: Duration,
    ) -> Result<Option<OpenIntent>> {
        let mut open = OpenIntent {
            recorder: None,
            outcome: None,
            process: Pid::current(),
            core: self.clone(),
            intent: String::new(),
            model: prepared.model.clone(),
            until: None,
            key: None,
            create: create.clone(),
        };
        let Some(recorder) = &self.recorder else {
            return Ok(Some(open));
        };
        let now = self.timer.unix_now();
        let life = (self.config.retry.budget.saturating_add(timeout)).as_secs();
        let fingerprint = prepared.fingerprint();
        let key = keyed.as_ref().map(|keyed| keyed.0.request().key());
        open.intent = recorder.journal.intent(key, &self.new_name(&fingerprint));
        open.model = self.bounded(&prepared.model, MAX_WORD);
        let order = Order {
            fingerprint,
            model: open.model.clone(),
            seconds: prepared.seconds.as_ref().map(|seconds| self.bounded(seconds.as_str(), MAX_WORD)),
            prompt: recorder.prompts.then(|| self.bounded(prompt, MAX_PROMPT)),
            until: now.map(|now| now.saturating_add(life).saturating_add(MARGIN)),
            process: recorder.journal.process(),
            key: keyed.as_ref().map(|keyed| keyed.0.request().order()),
            account: self.config.key.as_ref().map(ApiKey::account),
            estimate: None,
        };
        // Later, it could still be under way when the journal counts it as given up.
        open.until = now.map(|now| now.saturating_add(self.config.retry.budget.as_secs()).saturating_add(MARGIN));
        // Before it is written: whoever drops the create meanwhile leaves an intent that nothing is sent for.
        open.recorder = Some(recorder.clone());
        let record = Record::new(self.unix(), Event::Intent { intent: open.intent.clone(), order });
        let (at, journal) = (record.at, &recorder.journal);
        let retries_failed = keyed.as_ref().is_some_and(|keyed| keyed.0.retries_failed());
        let written = match (&keyed, share.0) {
            (_, Some(share)) => journal.reserve(record, retries_failed, share).await,
            (None, None) => journal.append(record).await.map(|()| Reserved::Kept { attempt: 1, units: 0 }),
            (Some(_), None) => journal.claim(record, retries_failed).await.map(Reserved::from),
        };
        match (written, keyed, share.0) {
            (Ok(Reserved::Taken(entry)), Some(keyed), _) => {
                open.recorder = None;
                self.found(keyed, Some(&entry));
                Ok(None)
            }
            (Ok(Reserved::Exceeded(exceeded)), _, Some(share)) => {
                open.recorder = None;
                Err(share.error(at / DAY, exceeded))
            }
            (Ok(Reserved::Kept { attempt, .. }), keyed, _) => {
                open.key = keyed.map(|keyed| (keyed.0.request().key().to_owned(), attempt));
                Ok(Some(open))
            }
            // Only a custom journal answers like this: what it did not keep is not sent.
            (Ok(Reserved::Taken(_) | Reserved::Exceeded(_)), ..) => {
                open.recorder = None;
                let text =
                    "nothing was sent, because the journal answers what it was not asked: correct its Journal::reserve";
                Err(Error::new(ErrorKind::Journal, Phase::Create, text))
            }
            (Err(error), ..) => {
                // A store whose answer was lost may have it all the same: it would count as sent, and its key as taken.
                if recorder.journal.store().is_some() {
                    let event = Event::Refused { intent: open.intent.clone(), reason: error.kind().name().to_owned() };
                    if let Err(failure) = recorder.journal.append(Record::new(self.unix(), event)).await {
                        tracing::debug!(error = %failure, "a create request that was not sent could not be withdrawn");
                    }
                }
                open.recorder = None;
                let text =
                    format!("nothing was sent, because the journal cannot be written: {}", error.record().message);
                Err(Error::new(ErrorKind::Journal, Phase::Create, text).with_source(error))
            }
        }
    }

    /// Notes the end of a wait: only the two ends that nothing comes after. `charged` is what the task cost, before the charge of
    /// a failed one was returned.
    pub(crate) async fn note_finished(&self, task_id: &str, result: &Result<()>, charged: Option<u64>) {
        let status = match result {
            Ok(()) => End::Succeeded,
            Err(error) if error.kind() == ErrorKind::TaskFailed => End::Failed,
            _ => return,
        };
        self.note(Event::Finished { task_id: task_id.to_owned(), status, charged }).await;
    }

    /// Notes the end of a task that an answer showed.
    pub(crate) async fn note_seen(&self, seen: &Snapshot) {
        let status = match seen.status {
            TaskStatus::Succeeded => End::Succeeded,
            TaskStatus::Failed => End::Failed,
            _ => return,
        };
        // What a failed task had cost is not shown any more.
        let charged = seen.charged_units.filter(|_| status == End::Succeeded);
        self.note(Event::Finished { task_id: seen.task_id.clone(), status, charged }).await;
    }

    /// Notes something whose loss costs no money: without it the task only stays on the list.
    pub(crate) async fn note(&self, event: Event) {
        if self.recorder.is_some()
            && let Err(error) = self.append(event).await
        {
            tracing::warn!(name: "journal_failed", %error, "the journal could not be written");
        }
    }

    /// See [`Journal::salt`]; `random` is any text that nobody can guess.
    pub(crate) async fn salt(&self, random: &str) -> Result<String> {
        let mut random = format!("{:x}", Sha256::digest(random));
        random.truncate(32);
        self.journal()?.salt(random).await
    }

    /// A name for a create that no other process gives.
    fn new_name(&self, fingerprint: &str) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut hash = Sha256::new();
        hash.update(fingerprint);
        for number in [count, self.timer.seed(), self.unix()] {
            hash.update(number.to_le_bytes());
        }
        let mut name = format!("{:x}", hash.finalize());
        name.truncate(16);
        name
    }

    fn bounded(&self, text: &str, characters: usize) -> String {
        let text = self.config.key.as_ref().map_or(text.into(), |key| key.redact(text));
        text.chars().take(characters).collect()
    }
}

impl OpenIntent {
    /// Unix seconds after which nothing may be sent for it.
    pub(crate) fn until(&self) -> Option<u64> {
        self.until
    }

    /// A name for the request that is the same for every repetition under its key, and no other journal's.
    pub(crate) fn idempotency_key(&self, salt: &str) -> Option<String> {
        let (key, attempt) = self.key.as_ref()?;
        let mut name = format!("{:x}", Sha256::digest(format!("{salt}{attempt} {key}")));
        name.truncate(32);
        Some(name)
    }

    /// Notes the task's id. Gives a warning instead of an error: the task exists and is paid for.
    pub(crate) async fn created(mut self, task_id: &str, request_id: Option<&str>) -> Option<Warning> {
        let event = self.created_event(task_id, request_id);
        let error = self.write(event).await.err()?;
        tracing::error!(
            name: "journal_failed",
            task_id,
            %error,
            "a task was created, but the journal could not be written: keep its id"
        );
        let message = format!("the journal could not be written, keep the task's id: {}", error.record().message);
        Some(Warning { code: WarningCode::JournalFailed, message })
    }

    /// Notes why there is no task, as far as that is known, and hands the error on.
    pub(crate) async fn failed(mut self, error: Error) -> Error {
        let request_id = error.record().request_id.as_deref();
        let event = if let Some(id) = error.task_id() {
            // A broken answer that names the task: the id is worth more than the rest of the answer.
            self.created_event(id, request_id)
        } else {
            let (intent, reason) = (self.intent.clone(), error.kind().name().to_owned());
            if error.maybe_executed() {
                let request_id = request_id.map(|id| self.core.bounded(id, MAX_WORD));
                Event::Unknown { intent, reason, request_id }
            } else {
                Event::Refused { intent, reason }
            }
        };
        if let Err(failure) = self.write(event).await {
            tracing::error!(
                name: "journal_failed",
                intent = self.intent,
                outcome = error.kind().name(),
                error = %failure,
                "the journal could not be written: it will count the outcome of this create as unknown"
            );
        }
        error
    }

    /// Writes what came of it. Whoever drops this meanwhile, in a journal that is a database, leaves it to `drop`.
    async fn write(&mut self, event: Event) -> Result<()> {
        let Some(recorder) = self.recorder.clone() else { return Ok(()) };
        self.outcome = Some(event.clone());
        let written = recorder.journal.append(Record::new(self.core.unix(), event)).await;
        self.recorder = None;
        written
    }

    fn created_event(&self, task_id: &str, request_id: Option<&str>) -> Event {
        let (intent, task_id, model) = (self.intent.clone(), task_id.to_owned(), self.model.clone());
        let request_id = request_id.map(|id| self.core.bounded(id, MAX_WORD));
        Event::Created { intent, task_id, model, request_id }
    }
}

impl Drop for OpenIntent {
    fn drop(&mut self) {
        // The caller dropped the create before its outcome was known. One that has not left made no task.
        let Some(recorder) = self.recorder.take() else { return };
        // In a child of `fork()` it is the parent's, which continues it.
        if !self.process.is_current() {
            return;
        }
        // What is written twice counts once.
        let known = self.outcome.take().or_else(|| self.create.task_id().map(|id| self.created_event(id, None)));
        let event = known.unwrap_or_else(|| {
            let (intent, reason) = (self.intent.clone(), "abandoned".to_owned());
            if self.create.is_unsettled() {
                Event::Unknown { intent, reason, request_id: None }
            } else {
                Event::Refused { intent, reason }
            }
        });
        if let Err(error) = recorder.journal.append_now(Record::new(self.core.unix(), event)) {
            tracing::error!(name: "journal_failed", %error, "a create was given up, and the journal could not be written");
        }
    }
}
