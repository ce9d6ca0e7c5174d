//! What became of create requests whose answer was lost.

use std::collections::HashSet;
use std::time::Duration;

use serde::Serialize;

use crate::calls::client_core::ClientCore;
use crate::check::{account_tasks, balance, usage_log};
use crate::client::videos::Videos;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{Entry, Event, Record, State, entries_in_flight};
use crate::net::secret::{AccountAccess, ApiKey};
use crate::protocol::UsageLog;
use crate::protocol::account_tasks::TaskList;
use crate::protocol::reconcile::{
    AccountTasks, CHARGED, Evidence, Judged, NOT_CHARGED, Verdict, last_sent, reconcile, task_window,
};

/// One create request whose outcome was unknown, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Settled {
    /// The journal's own name for the create request.
    pub intent: String,
    /// The key under which it was sent.
    pub key: Option<String>,
    /// The model asked for.
    pub model: String,
    /// The length asked for.
    pub seconds: Option<String>,
    /// Unix seconds of its beginning.
    pub at: u64,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// The task's id, where it is known: the journal resumes the task.
    pub task_id: Option<String>,
    /// The server's id of the request, where it is known.
    pub request_id: Option<String>,
    /// What it was charged, in the server's units (500000 = 1 USD), where that is known. A failed task's charge was returned.
    pub charged_units: Option<i64>,
}

/// What [`Videos::reconcile`] found out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reconciliation {
    /// Every create request whose outcome was unknown, in the order of their beginning.
    pub entries: Vec<Settled>,
    /// The server answers no more such questions for so long. They have a limit of their own (20 in 20 minutes, observed), which
    /// says nothing about videos.
    #[serde(rename = "retry_after_s", serialize_with = "seconds")]
    pub retry_after: Option<Duration>,
}

#[allow(clippy::ref_option)] // as serde hands it over
fn seconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(to)
}

impl Videos {
    /// Finds out what became of the create requests whose answer was lost, by the usage and the log of the API key, and
    /// writes it into the journal:
    ///
    /// * [`Verdict::Charged`]: a task was made and charged. Where a refund names the task, the task is on the list of
    ///   [`Videos::pending`] now. Otherwise the request stays there as unknown, with the reason `charged`.
    /// * [`Verdict::NotCharged`]: it is off the list, and may be created again under its key.
    /// * [`Verdict::UnderWay`]: the server may still be carrying it out. Ask again later.
    /// * [`Verdict::NotKnown`]: neither can be proved. [`Settled::reason`] says why; the list stays as it is.
    ///
    /// Two questions to the server, none when the list has no such request. "Not charged" is said only where the log
    /// proves it: a server without a log, other programs that use the same key, or a key that is in use without a pause leave it
    /// not known. The server's log is beyond its document.
    ///
    /// # Errors
    /// `config` without a journal; `journal` when it cannot be read or written; what keeps us from asking. A server that has
    /// no log, or answers no more questions now, is no error.
    pub async fn reconcile(&self) -> Result<Reconciliation> {
        self.find_out(None).await
    }

    /// [`Videos::reconcile`] with the access of the account's owner, which finds the ids of lost tasks as well: a request that was
    /// charged gets its task's id from the account's list of tasks, and the journal resumes the task.
    ///
    /// The key's log still decides what was charged; the list is asked for only where a charge has no task yet, with up to 5
    /// more questions. A task is named only where the list proves that it is this request's: the list shows the tasks of all keys
    /// of the account, so where two of the same model, amount and half a minute fit, none is named, unless the requests are the
    /// same. The access is held for this call alone, and leaves only for the endpoint.
    ///
    /// ```no_run
    /// # async fn run(client: junfeiai::Client) -> junfeiai::Result<()> {
    /// let token = std::env::var("JUNFEIAI_ACCOUNT_TOKEN").unwrap_or_default();
    /// let access = junfeiai::AccountAccess::new(&token)?;
    /// for entry in client.videos().reconcile_with(&access).await?.entries {
    ///     println!("{}: {}, task {:?}", entry.intent, entry.verdict.name(), entry.task_id);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Videos::reconcile`]; `config` about `account_token` when it is the API key; `authentication` about `account_token`
    /// when the server does not accept it. What the log proves is in the journal then. A server that lists no tasks, or answers no
    /// more questions now, is no error.
    pub async fn reconcile_with(&self, access: &AccountAccess) -> Result<Reconciliation> {
        access.check_against(self.client.core.config.key.as_ref())?;
        self.find_out(Some(access)).await
    }

    async fn find_out(&self, access: Option<&AccountAccess>) -> Result<Reconciliation> {
        let core = &self.client.core;
        if unknown(core).await?.0.is_empty() {
            return Ok(Reconciliation::default());
        }
        // In this order: a charge that is made in between is in the log, and its answer in the journal.
        let now = core.timer.unix_now().unwrap_or_default();
        let asked = ask(core).await;
        let (used_units, log) = match asked {
            Ok(answers) => answers,
            Err(error) => {
                let reason = match error.kind() {
                    ErrorKind::RateLimited => {
                        "the server answers no more questions about this key now: ask again later"
                    }
                    ErrorKind::NotOffered => "this server does not report the usage and the log of a key",
                    _ => return Err(error),
                };
                let (unknown, _) = unknown(core).await?;
                let entries = unknown.iter().map(|entry| Settled::new(entry, Judged::not_known(reason))).collect();
                return Ok(Reconciliation { entries, retry_after: error.record().retry_after });
            }
        };
        let answers = Answers { now, used_units, log };
        let (mut unknown, mut judged, window) = answers.judge(core, &Tasks::NotAsked).await?;
        let (mut retry_after, mut failure) = (None, None);
        if let (Some(access), Some(window)) = (access, window) {
            let tasks = match account_tasks(core, access, window).await {
                Ok(list) => Tasks::Listed(list),
                Err(error) => {
                    retry_after = error.retry_after();
                    Tasks::not_told(error, &mut failure)
                }
            };
            // The journal anew: a task that was named meanwhile is nobody else's.
            (unknown, judged, _) = answers.judge(core, &tasks).await?;
        }
        let mut entries = Vec::with_capacity(unknown.len());
        for (entry, judged) in unknown.iter().zip(judged) {
            note(core, entry, &judged, now).await?;
            entries.push(Settled::new(entry, judged));
        }
        match failure {
            // What is certain has been written down.
            Some(error) => Err(error),
            None => Ok(Reconciliation { entries, retry_after }),
        }
    }
}

/// What the server said of the key, and when it was asked.
struct Answers {
    now: u64,
    used_units: i64,
    log: UsageLog,
}

impl Answers {
    /// The create requests whose outcome is not known, what became of each, and when the tasks that have no name yet were made.
    async fn judge(&self, core: &ClientCore, tasks: &Tasks) -> Result<(Vec<Entry>, Vec<Judged>, Option<(u64, u64)>)> {
        let journal = core.journal()?;
        let (unknown, in_flight) = unknown(core).await?;
        let answered = journal.answered().await?.into_iter().collect();
        let known = match tasks {
            Tasks::Listed(_) => journal.tasks().await?.into_iter().collect(),
            _ => HashSet::new(),
        };
        let account = core.config.key.as_ref().map(ApiKey::account);
        let tasks = match tasks {
            Tasks::NotAsked => AccountTasks::NotAsked,
            Tasks::NotTold(reason) => AccountTasks::NotTold(reason),
            Tasks::Listed(list) => AccountTasks::Listed { list, known: &known },
        };
        let Self { now, used_units, log } = self;
        let (now, used_units, account) = (*now, *used_units, account.as_deref());
        let evidence = Evidence { now, used_units, log, answered: &answered, account, tasks };
        let judged = reconcile(&unknown, &in_flight, evidence);
        let window = task_window(&judged, evidence);
        Ok((unknown, judged, window))
    }
}

/// What the account's list said.
enum Tasks {
    NotAsked,
    NotTold(&'static str),
    Listed(TaskList),
}

impl Tasks {
    /// Why it said nothing. What is no answer of a server without a list is the caller's failure.
    fn not_told(error: Error, failure: &mut Option<Error>) -> Self {
        Self::NotTold(match error.kind() {
            ErrorKind::RateLimited => {
                "the log has its charge; the server answers no more questions now: ask for its task again later"
            }
            ErrorKind::NotOffered => "the log has its charge; this server does not list the tasks of an account",
            _ => {
                *failure = Some(error);
                "the log has its charge; the account's tasks could not be asked for"
            }
        })
    }
}

/// The create requests whose outcome is not known, and those that are being sent.
async fn unknown(core: &ClientCore) -> Result<(Vec<Entry>, Vec<Entry>)> {
    let journal = core.journal()?;
    let now = core.timer.unix_now();
    let open = entries_in_flight(journal, now).await?.into_iter().filter(|(entry, _)| entry.state.task_id().is_none());
    let (sending, unknown): (Vec<_>, Vec<_>) = open.partition(|(_, in_flight)| *in_flight);
    let entries = |list: Vec<(Entry, bool)>| list.into_iter().map(|(entry, _)| entry).collect();
    Ok((entries(unknown), entries(sending)))
}

/// The units used, and then the log.
async fn ask(core: &ClientCore) -> Result<(i64, UsageLog)> {
    let used = balance(core).await?.used_units;
    Ok((used, usage_log(core).await?))
}

/// Writes down what is certain. Whoever resolved it meanwhile is not overruled: the journal passes over what comes later.
async fn note(core: &ClientCore, entry: &Entry, judged: &Judged, now: u64) -> Result<()> {
    let intent = entry.intent.clone();
    let request_id = judged.request_id.clone().or_else(|| entry.request_id.clone());
    let noted = matches!(&entry.state, State::Unknown { reason } if reason == CHARGED);
    let (at, event) = match (judged.verdict, judged.task_id.clone()) {
        (Verdict::NotCharged, _) => (now, Event::Refused { intent, reason: NOT_CHARGED.to_owned() }),
        (Verdict::Charged, Some(task_id)) => {
            (now, Event::Created { intent, task_id, model: entry.model.clone(), request_id })
        }
        // As of the time when it was sent, which a later look needs to know.
        (Verdict::Charged, None) if !noted || request_id != entry.request_id => {
            (last_sent(entry).min(now), Event::Unknown { intent, reason: CHARGED.to_owned(), request_id })
        }
        _ => return Ok(()),
    };
    core.journal()?.append(Record::new(at, event)).await
}

impl Settled {
    fn new(entry: &Entry, judged: Judged) -> Self {
        Self {
            intent: entry.intent.clone(),
            key: entry.key().map(|key| key.name.clone()),
            model: entry.model.clone(),
            seconds: entry.order.as_ref().and_then(|order| order.seconds.clone()),
            at: entry.at,
            verdict: judged.verdict,
            reason: judged.reason.to_owned(),
            task_id: judged.task_id,
            request_id: judged.request_id.or_else(|| entry.request_id.clone()),
            charged_units: judged.charged_units,
        }
    }
}
