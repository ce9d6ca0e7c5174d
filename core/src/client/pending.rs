//! What a former process left to be done, as the journal says.

use serde::Serialize;

use crate::client::videos::Videos;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::journal::{Entry, Event, Journal, State};
use crate::net::endpoint::check_task_id;

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
    },
    /// A create whose answer never came: there may be a task, and it may have been charged. Look into the account, then
    /// call [`Videos::resolve_unknown`]. It is never sent again by the library.
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
        /// process ended first.
        reason: String,
        /// The prompt, where the client was told to keep prompts.
        prompt: Option<String>,
    },
}

impl Videos {
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
        let entries = journal.entries().await?;
        Ok(entries.into_iter().filter(|entry| !in_flight(journal, entry, now)).map(pending).collect())
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
        let entries = journal.entries().await?;
        let open = |entry: &&Entry| entry.intent == intent && entry.state.task_id().is_none();
        let Some(entry) = entries.iter().find(open) else {
            return Ok(false);
        };
        if in_flight(journal, entry, core.timer.unix_now()) {
            let text = "this create is being sent right now: wait for its outcome";
            return Err(Error::field(ErrorKind::InvalidRequest, Phase::Journal, "intent", text));
        }
        let intent = intent.to_owned();
        let event = match task_id {
            Some(id) => Event::Created { intent, task_id: id.to_owned(), model: entry.model.clone() },
            None => Event::Forgotten { name: intent },
        };
        core.append(event).await?;
        Ok(true)
    }
}

/// Whether a create may still get its answer. Both must hold: its process is not known to be gone, and a create cannot
/// take that long. A process that is stopped for longer may still bring the id, which the journal then takes.
fn in_flight(journal: &dyn Journal, entry: &Entry, now: Option<u64>) -> bool {
    let State::Sending = entry.state else { return false };
    let Some(order) = &entry.order else { return false };
    let runs = order.process.as_ref().and_then(|process| journal.runs(process));
    match (runs, order.until.zip(now)) {
        (Some(false), _) => false,
        (_, Some((until, now))) => now < until,
        (runs, None) => runs == Some(true),
    }
}

fn pending(entry: Entry) -> Pending {
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
    };
    let reason = match state {
        State::Created { task_id } => return task(task_id, PendingState::Created),
        State::Succeeded { task_id } => return task(task_id, PendingState::Succeeded),
        State::Unknown { reason } => reason,
        State::Sending => "crashed".to_owned(),
    };
    let fingerprint = fingerprint.unwrap_or_default();
    Pending::Unknown { intent, fingerprint, model, seconds, at, pid, reason, prompt }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::async_compat::BoxFuture;
    use crate::journal::{Order, Process, Record};

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

    #[test]
    fn a_create_is_in_flight_while_its_process_may_run_and_it_is_young() {
        let entry = |until, state| Entry {
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
            }),
            state,
        };
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
