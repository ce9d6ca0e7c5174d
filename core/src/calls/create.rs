//! The one call that costs money, from the request to the task's id.

use std::sync::Arc;
use std::time::Duration;

use crate::async_compat::BoxFuture;
use crate::calls::client_core::{Call, ClientCore, Path, Turn};
#[cfg(feature = "journal")]
use crate::calls::create_log::BudgetShare;
#[cfg(not(feature = "journal"))]
use crate::calls::no_create_log::BudgetShare;
use crate::calls::tracker::{LeftBehind, TrackedCreate};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::{Earlier, SavedFile, Snapshot, VideoRequest, Warning};
use crate::protocol::{Safety, parse_create};
use crate::status::TaskStatus;
use crate::time::Time;

/// A task that exists now.
pub(crate) struct CreatedTask {
    pub(crate) snapshot: Snapshot,
    /// When its answer came; `None` for a task that existed for longer.
    pub(crate) at: Option<Time>,
    pub(crate) warnings: Vec<Warning>,
    /// It was created under the same key before: no request was sent.
    pub(crate) reused: bool,
    /// Where its video was saved, as the journal says.
    pub(crate) saved: Option<SavedFile>,
}

/// The create, boxed: it ends soon, and the waiting that follows should not carry its size.
pub(crate) fn create(
    core: Arc<ClientCore>,
    request: VideoRequest,
    create: TrackedCreate,
    timeout: Option<Duration>,
) -> BoxFuture<'static, Result<CreatedTask>> {
    Box::pin(async move {
        let prepared = request.prepare()?;
        let timeout = judged(timeout, core.config.create_timeout, Phase::Create)?;
        if request.retry_failed && request.key.is_none() {
            let text = "retry_failed needs a key: without one every create request makes a new task";
            return Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "retry_failed", text));
        }
        let mut keyed = core.keyed(&request, &prepared, timeout)?;
        for warning in &prepared.warnings {
            tracing::warn!(name: "warning", code = warning.code.name(), "{warning}");
        }
        let mut call = Call {
            phase: Phase::Create,
            safety: Safety::AtMostOnce,
            path: Path::Api("/video/generations".to_owned()),
            body: Some(prepared.body.clone()),
            timeout,
            retry: core.config.retry.clone(),
            // The service knows no such names; a proxy of the user's in front, which adds the key, may.
            create: Some(create.clone()),
            not_after: None,
            idempotency_key: core
                .config
                .key
                .is_none()
                .then(|| format!("{:016x}{:016x}", core.timer.seed(), core.timer.seed())),
            #[cfg(feature = "journal")]
            account: None,
        };
        let salt = match (&keyed, &call.idempotency_key) {
            (Some(_), Some(random)) => create.unless_stopped(core.salt(random)).await?,
            _ => String::new(),
        };
        #[cfg(feature = "prices")]
        let (mut judged, mut cost_warning): (bool, Option<Warning>) = (false, None);
        #[cfg_attr(not(feature = "prices"), allow(unused_mut))]
        let mut share = BudgetShare::default();
        let (turn, intent) = loop {
            if let Some(keyed) = &mut keyed
                && let Some(earlier) = core.earlier(keyed, &create).await?
            {
                return Ok(existing(&core, earlier, prepared.warnings));
            }
            // Only what will be sent costs anything.
            #[cfg(feature = "prices")]
            if !std::mem::replace(&mut judged, true) {
                (cost_warning, share) = create.unless_stopped(Box::pin(core.within_cost(&prepared))).await?;
            }
            // The turns first: a create that only queues is not one that may have been sent.
            let turn = core.turn(&call, core.now()).await?;
            core.shared_turn(&call).await?;
            let begun = core.begin_create(&prepared, &request.prompt, &create, keyed.as_mut(), &share, timeout);
            if let Some(intent) = begun.await? {
                break (turn, intent);
            }
        };
        if let (Some(name), Some(key)) = (&mut call.idempotency_key, intent.idempotency_key(&salt)) {
            *name = key;
        }
        call.not_after = intent.until();
        let left_behind = LeftBehind::create(&create);
        let result = core.request(call, Turn::Come(turn)).await;
        left_behind.nothing();
        let result = result.and_then(|reply| {
            parse_create(&reply.response, prepared.seconds.as_ref())
                .map_err(|error| error.with(|record| record.attempts = reply.attempts))
        });
        let created = match result {
            Ok(created) => created,
            Err(error) => {
                match (error.task_id(), error.maybe_executed()) {
                    (Some(id), _) => create.created(id),
                    (None, true) => {}
                    (None, false) => create.refused(),
                }
                return Err(intent.failed(error).await);
            }
        };
        // First of all: whatever ends this future now, the id is known.
        create.created(&created.snapshot.task_id);
        let left_behind = LeftBehind::task(&created.snapshot.task_id);
        #[cfg(feature = "prices")]
        core.note_charge();
        let mut warnings = prepared.warnings;
        #[cfg(feature = "prices")]
        if let Some(warning) = cost_warning {
            tracing::warn!(name: "warning", code = warning.code.name(), task_id = created.snapshot.task_id, "{warning}");
            warnings.push(warning);
        }
        warnings.extend(intent.created(&created.snapshot.task_id, created.request_id.as_deref()).await);
        if let Some(warning) = created.warning {
            tracing::warn!(name: "warning", code = warning.code.name(), task_id = created.snapshot.task_id, "{warning}");
            warnings.push(warning);
        }
        let (task_id, request_id) = (&created.snapshot.task_id, created.request_id.as_deref());
        tracing::info!(name: "task_created", task_id, model = prepared.model, request_id, "task created");
        let now = core.now();
        core.recent_creates().note(now, &created.snapshot.task_id, core.config.wait.visible_after);
        left_behind.nothing();
        Ok(CreatedTask { snapshot: created.snapshot, at: Some(now), warnings, reused: false, saved: None })
    })
}

/// The timeout of one call: its own in place of the client's.
///
/// # Errors
/// `invalid_request` for one of zero, before anything is sent.
pub(crate) fn judged(own: Option<Duration>, client: Duration, phase: Phase) -> Result<Duration> {
    match own {
        Some(Duration::ZERO) => {
            Err(Error::field(ErrorKind::InvalidRequest, phase, "timeout", "timeout must be more than zero"))
        }
        own => Ok(own.unwrap_or(client)),
    }
}

/// The task that was created under the key before.
fn existing(core: &ClientCore, earlier: Earlier, warnings: Vec<Warning>) -> CreatedTask {
    tracing::info!(name: "task_reused", task_id = earlier.task_id, "the task of this key exists already");
    core.note_young(&earlier.task_id, earlier.created_at);
    let at = core.recent_creates().created(&earlier.task_id);
    let status = if earlier.succeeded { TaskStatus::Succeeded } else { TaskStatus::default() };
    let model = Some(earlier.model).filter(|model| !model.is_empty());
    let charged_units = earlier.charged;
    let snapshot = Snapshot { task_id: earlier.task_id, status, model, charged_units, ..Snapshot::default() };
    CreatedTask { snapshot, at, warnings, reused: true, saved: earlier.saved }
}

impl ClientCore {
    /// A task whose create ended a moment ago in another process may not be shown yet, as if it were our own.
    pub(crate) fn note_young(&self, task_id: &str, created_at: u64) {
        let visible_after = self.config.wait.visible_after;
        // The journal knows when the create began; its end may have come as late as that was allowed to take.
        let young = visible_after.saturating_add(self.config.create_timeout).as_secs();
        if self.timer.unix_now().is_some_and(|now| now.saturating_sub(created_at) <= young) {
            self.recent_creates().note(self.now(), task_id, visible_after);
        }
    }
}
