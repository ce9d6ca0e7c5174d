//! What a former process left to be done, as the journal says.

use serde::Serialize;

use crate::client::task::Task;
use crate::client::videos::Videos;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::journal::{Entry, Event, State, entries_in_flight, key_in_flight};
use crate::net::endpoint::check_task_id;
use crate::protocol::claim::check_key;

/// How far a task was when the journal last heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PendingState {
    /// It was created; its end was not seen.
    Created,
    /// It has a video that was not saved.
    Succeeded,
}

impl PendingState {
    /// The stable name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Succeeded => "succeeded",
        }
    }
}

/// Something paid for, or perhaps paid for, that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pending {
    /// A task to resume: wait for it, save it. Result links live about a day.
    #[non_exhaustive]
    Task {
        /// The task's id.
        task_id: String,
        /// The model asked for.
        model: String,
        /// The length asked for, where it is known.
        seconds: Option<String>,
        /// Unix seconds of its create.
        created_at: u64,
        /// How far it was.
        state: PendingState,
        /// SHA-256 of the request's body, where it is known.
        fingerprint: Option<String>,
        /// The prompt, where the client was told to keep prompts.
        prompt: Option<String>,
        /// The key under which it was created.
        key: Option<String>,
    },
    /// A create whose answer never came: there may be a task, and it may have been charged. Call [`Videos::reconcile`], or
    /// look into the account, then call [`Videos::resolve_unknown`]. It is never sent again by the library.
    #[non_exhaustive]
    Unknown {
        /// The journal's own name for it.
        intent: String,
        /// SHA-256 of the request's body.
        fingerprint: String,
        /// The model asked for.
        model: String,
        /// The length asked for.
        seconds: Option<String>,
        /// Unix seconds of its beginning.
        at: u64,
        /// The process that sent it, where it is known.
        pid: Option<u32>,
        /// Why there is no answer: the kind of the error, `abandoned` when the caller gave it up, or `crashed` when its
        /// process ended first. `charged` when [`Videos::reconcile`] found its charge: there is a task.
        reason: String,
        /// The prompt, where the client was told to keep prompts.
        prompt: Option<String>,
        /// The key under which it was created.
        key: Option<String>,
    },
}

/// How far the task of a key is, as the journal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyState {
    /// Its create request is being sent, here or elsewhere.
    Sending,
    /// Its create request was sent and the outcome is not known: see [`Videos::resolve_unknown`].
    Unknown,
    /// It was created; its end was not seen.
    Created,
    /// It has a video that was not saved.
    Succeeded,
    /// It failed; the service returns the charge.
    Failed,
    /// Its video was saved.
    Saved,
    /// It was [forgotten](Videos::forget).
    Forgotten,
}

impl KeyState {
    /// The stable name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Created => "created",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Saved => "saved",
            Self::Forgotten => "forgotten",
        }
    }
}

/// What the journal knows of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyRecord {
    /// The key.
    pub key: String,
    /// 1 for the first task of the key, one more for each that was created after a failed one.
    pub attempt: u32,
    /// How far it is.
    pub state: KeyState,
    /// The task's id, once there is a task.
    pub task_id: Option<String>,
    /// The journal's own name for the create request.
    pub intent: String,
    /// The model asked for.
    pub model: String,
    /// Unix seconds of the create request.
    pub created_at: u64,
    /// Where the video was saved; in a state before `saved`: where it was about to get its name when its process ended.
    pub path: Option<String>,
    /// Its length.
    pub bytes: Option<u64>,
    /// What the task cost, in the server's units (500000 = 1 USD), where that was seen; returned again when it failed.
    pub charged_units: Option<u64>,
}

impl Videos {
    /// What the journal knows of a key: how far its task is, and where its video was saved. `None` when nothing was created
    /// under it, or that is longer ago than keys are kept (30 days after the end of their task). Asks nothing of the server.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a key; `config` without a journal; `journal` when it cannot be read.
    pub async fn key(&self, key: &str) -> Result<Option<KeyRecord>> {
        check_key(key)?;
        let core = &self.client.core;
        let journal = core.journal()?;
        let Some((entry, sending)) = key_in_flight(journal, key, core.timer.unix_now()).await? else {
            return Ok(None);
        };
        let attempt = entry.key().map_or(1, |key| key.attempt);
        let state = match &entry.state {
            State::Sending if sending => KeyState::Sending,
            State::Sending | State::Unknown { .. } => KeyState::Unknown,
            State::Created { .. } => KeyState::Created,
            State::Succeeded { .. } => KeyState::Succeeded,
            State::Failed { .. } => KeyState::Failed,
            State::Saved { .. } => KeyState::Saved,
            State::Forgotten { .. } => KeyState::Forgotten,
        };
        let (path, bytes) = match (&entry.state, &entry.saving) {
            (State::Saved { path, bytes, .. }, _) | (_, Some((path, bytes))) => (Some(path.clone()), Some(*bytes)),
            _ => (None, None),
        };
        let task_id = entry.state.task_id().map(str::to_owned);
        let (intent, model, created_at, charged_units) = (entry.intent, entry.model, entry.at, entry.charged);
        let key = key.to_owned();
        Ok(Some(KeyRecord { key, attempt, state, task_id, intent, model, created_at, path, bytes, charged_units }))
    }

    /// What is left to be done of everything that this journal knows: tasks to resume, and create requests whose outcome
    /// is unknown, in the order of their beginning. Asks nothing of the server.
    ///
    /// A task is on the list until its file was saved, it failed, or it was [forgotten](Videos::forget); a program that
    /// reads videos without saving them (as bytes or a stream) forgets each when it is done with it.
    ///
    /// A create that is being sent right now, here or in another process, is not on the list. Whether its process still
    /// runs is known on Linux, for processes of the same start of the machine and the same container; elsewhere, and
    /// for all that was begun longer ago than a create can take (its timeout, the retries, and a minute), age decides.
    ///
    /// # Errors
    /// `config` without a journal; `journal` when it cannot be read.
    pub async fn pending(&self) -> Result<Vec<Pending>> {
        let journal = self.client.core.journal()?;
        let now = self.client.core.timer.unix_now();
        let entries = entries_in_flight(journal, now).await?;
        Ok(entries.into_iter().filter(|(_, in_flight)| !in_flight).filter_map(|(entry, _)| pending(entry)).collect())
    }

    /// The task of a [`Pending::Task`], which may have been created a moment ago by another process: the server may not show it
    /// yet. Asks nothing of the server.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a task id.
    pub fn pending_task(&self, task_id: &str, created_at: u64) -> Result<Task> {
        self.client.core.note_young(check_task_id(task_id)?, created_at);
        self.task(task_id)
    }

    /// Takes a task off the journal's list: its video is not wanted, or was taken in another way. The task itself goes
    /// on. False when the task is not on the list.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a task id; `config` without a journal; `journal`.
    pub async fn forget(&self, task_id: &str) -> Result<bool> {
        let task_id = check_task_id(task_id)?;
        let known = self.client.core.journal()?.entries().await?;
        if !known.iter().any(|entry| entry.state.task_id() == Some(task_id)) {
            return Ok(false);
        }
        self.client.core.append(Event::Forgotten { name: task_id.to_owned() }).await?;
        Ok(true)
    }

    /// Ends a create whose outcome was unknown, after you looked into the account: with the id of the task that you
    /// found there, which is then one to resume, or with `None` when it made none. `intent` is the one of
    /// [`Pending::Unknown`]. False when there is no such create.
    ///
    /// # Errors
    /// `invalid_request` when the create is being sent right now, or the text cannot be a task id; `config` without a
    /// journal; `journal`.
    pub async fn resolve_unknown(&self, intent: &str, task_id: Option<&str>) -> Result<bool> {
        let core = &self.client.core;
        let task_id = task_id.map(check_task_id).transpose()?;
        let journal = core.journal()?;
        let entries = entries_in_flight(journal, core.timer.unix_now()).await?;
        let open = |(entry, _): &&(Entry, bool)| entry.intent == intent && entry.state.task_id().is_none();
        let Some((entry, in_flight)) = entries.iter().find(open) else {
            return Ok(false);
        };
        if *in_flight {
            let text = "this create is being sent right now: wait for its outcome";
            return Err(Error::field(ErrorKind::InvalidRequest, Phase::Journal, "intent", text));
        }
        let intent = intent.to_owned();
        let event = match task_id {
            Some(id) => {
                let (task_id, model, request_id) = (id.to_owned(), entry.model.clone(), entry.request_id.clone());
                Event::Created { intent, task_id, model, request_id }
            }
            None => Event::Forgotten { name: intent },
        };
        core.append(event).await?;
        Ok(true)
    }
}

fn pending(entry: Entry) -> Option<Pending> {
    let key = entry.key().map(|key| key.name.clone());
    let Entry { intent, model, at, order, state, .. } = entry;
    let (fingerprint, seconds, prompt, pid) = match order {
        Some(order) => (Some(order.fingerprint), order.seconds, order.prompt, order.process.map(|process| process.pid)),
        None => (None, None, None, None),
    };
    let task = |task_id, state| Pending::Task {
        task_id,
        model: model.clone(),
        seconds: seconds.clone(),
        created_at: at,
        state,
        fingerprint: fingerprint.clone(),
        prompt: prompt.clone(),
        key: key.clone(),
    };
    let reason = match state {
        State::Created { task_id } => return Some(task(task_id, PendingState::Created)),
        State::Succeeded { task_id } => return Some(task(task_id, PendingState::Succeeded)),
        State::Unknown { reason } => reason,
        State::Sending => "crashed".to_owned(),
        State::Failed { .. } | State::Saved { .. } | State::Forgotten { .. } => return None,
    };
    let fingerprint = fingerprint.unwrap_or_default();
    Some(Pending::Unknown { intent, fingerprint, model, seconds, at, pid, reason, prompt, key })
}
