//! What a create writes into the journal, and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use crate::calls::client_core::ClientCore;
use crate::calls::tracker::TrackedCreate;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::Pid;
use crate::journal::{End, Event, Journal, Order, Record, Recorder};
use crate::model::{Prepared, Warning, WarningCode};

/// Longest prompt that is kept, in characters: what the known models take.
const MAX_PROMPT: usize = 4096;
/// Longest model name or length that is kept, in characters.
const MAX_WORD: usize = 200;
/// What is added to the longest life of a create before it counts as given up, in seconds.
const MARGIN: u64 = 60;

/// A create that was written down and not sent yet. Dropped without an outcome, it notes that there is none.
pub(crate) struct OpenIntent {
    recorder: Option<Recorder>,
    process: Pid,
    core: Arc<ClientCore>,
    intent: String,
    model: String,
    create: TrackedCreate,
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
        let missing = || Error::config("journal", "this client keeps no journal: give it one with journal(path)");
        self.recorder.as_ref().map(|recorder| &*recorder.journal).ok_or_else(missing)
    }

    pub(crate) async fn append(&self, event: Event) -> Result<()> {
        self.journal()?.append(Record::new(self.unix(), event)).await
    }

    /// Writes down that a create will be sent. Nothing may be sent when this fails.
    pub(crate) async fn begin_create(
        self: &Arc<Self>,
        prepared: &Prepared,
        prompt: &str,
        create: &TrackedCreate,
    ) -> Result<OpenIntent> {
        let mut open = OpenIntent {
            recorder: None,
            process: Pid::current(),
            core: self.clone(),
            intent: String::new(),
            model: prepared.model.clone(),
            create: create.clone(),
        };
        let Some(recorder) = &self.recorder else {
            return Ok(open);
        };
        let now = self.timer.unix_now();
        let life = (self.config.retry.budget.saturating_add(self.config.create_timeout)).as_secs();
        let fingerprint = prepared.fingerprint();
        open.intent = self.new_name(&fingerprint);
        open.model = self.bounded(&prepared.model, MAX_WORD);
        let order = Order {
            fingerprint,
            model: open.model.clone(),
            seconds: prepared.seconds.as_ref().map(|seconds| self.bounded(seconds.as_str(), MAX_WORD)),
            prompt: recorder.prompts.then(|| self.bounded(prompt, MAX_PROMPT)),
            until: now.map(|now| now.saturating_add(life).saturating_add(MARGIN)),
            process: recorder.journal.process(),
        };
        // Before it is written: whoever drops the create meanwhile leaves an intent that nothing is sent for.
        open.recorder = Some(recorder.clone());
        let written = self.append(Event::Intent { intent: open.intent.clone(), order }).await;
        written.map_err(|error| {
            open.recorder = None;
            let text = format!("nothing was sent, because the journal cannot be written: {}", error.record().message);
            Error::new(ErrorKind::Journal, Phase::Create, text).with_source(error)
        })?;
        Ok(open)
    }

    /// Notes the end of a wait: only the two ends that nothing comes after.
    pub(crate) async fn note_finished(&self, task_id: &str, result: &Result<()>) {
        let status = match result {
            Ok(()) => End::Succeeded,
            Err(error) if error.kind() == ErrorKind::TaskFailed => End::Failed,
            _ => return,
        };
        self.note(Event::Finished { task_id: task_id.to_owned(), status }).await;
    }

    /// Notes something whose loss costs no money: without it the task only stays on the list.
    pub(crate) async fn note(&self, event: Event) {
        if self.recorder.is_some()
            && let Err(error) = self.append(event).await
        {
            tracing::warn!(%error, "the journal could not be written");
        }
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
    /// Notes the task's id. Gives a warning instead of an error: the task exists and is paid for.
    pub(crate) async fn created(mut self, task_id: &str) -> Option<Warning> {
        let recorder = self.recorder.take()?;
        let error = self.write_created(&recorder, task_id).await.err()?;
        tracing::error!(task_id, %error, "a task was created, but the journal could not be written: keep its id");
        let message = format!("the journal could not be written, keep the task's id: {}", error.record().message);
        Some(Warning { code: WarningCode::JournalFailed, message })
    }

    /// Notes why there is no task, as far as that is known, and hands the error on.
    pub(crate) async fn failed(mut self, error: Error) -> Error {
        let Some(recorder) = self.recorder.take() else {
            return error;
        };
        let reason = error.kind().name().to_owned();
        let intent = self.intent.clone();
        let written = if let Some(id) = error.task_id() {
            // A broken answer that names the task: the id is worth more than the rest of the answer.
            self.write_created(&recorder, id).await
        } else {
            let maybe = error.maybe_executed();
            let event = if maybe { Event::Unknown { intent, reason } } else { Event::Refused { intent, reason } };
            recorder.journal.append(Record::new(self.core.unix(), event)).await
        };
        if let Err(failure) = written {
            tracing::error!(
                intent = self.intent,
                outcome = error.kind().name(),
                error = %failure,
                "the journal could not be written: it will count the outcome of this create as unknown"
            );
        }
        error
    }

    async fn write_created(&self, recorder: &Recorder, task_id: &str) -> Result<()> {
        let (intent, task_id, model) = (self.intent.clone(), task_id.to_owned(), self.model.clone());
        recorder.journal.append(Record::new(self.core.unix(), Event::Created { intent, task_id, model })).await
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
        let (intent, reason) = (std::mem::take(&mut self.intent), "abandoned".to_owned());
        let event = if self.create.is_unsettled() {
            Event::Unknown { intent, reason }
        } else {
            Event::Refused { intent, reason }
        };
        if let Err(error) = recorder.journal.append_now(Record::new(self.core.unix(), event)) {
            tracing::error!(%error, "a create was given up, and the journal could not be written");
        }
    }
}
