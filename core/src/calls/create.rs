//! The one call that costs money, from the request to the task's id.

use std::sync::Arc;

use crate::async_compat::BoxFuture;
use crate::calls::client_core::{Call, ClientCore, Path, Turn};
use crate::calls::tracker::{LeftBehind, TrackedCreate};
use crate::error::{Phase, Result};
use crate::model::{Snapshot, VideoRequest, Warning};
use crate::protocol::{Safety, parse_create};
use crate::time::Time;

/// A task that exists now.
pub(crate) struct CreatedTask {
    pub(crate) snapshot: Snapshot,
    /// When its answer came.
    pub(crate) at: Time,
    pub(crate) warnings: Vec<Warning>,
}

/// The create, boxed: it ends soon, and the waiting that follows should not carry its size.
pub(crate) fn create(
    core: Arc<ClientCore>,
    request: VideoRequest,
    create: TrackedCreate,
) -> BoxFuture<'static, Result<CreatedTask>> {
    Box::pin(async move {
        let prepared = request.prepare()?;
        for warning in &prepared.warnings {
            tracing::warn!(code = warning.code.name(), "{warning}");
        }
        let call = Call {
            phase: Phase::Create,
            safety: Safety::AtMostOnce,
            path: Path::Api("/video/generations".to_owned()),
            body: Some(prepared.body.clone()),
            timeout: core.config.create_timeout,
            retry: core.config.retry.clone(),
            // The service knows no such names; a proxy of the user's in front, which adds the key, may.
            create: Some(create.clone()),
            idempotency_key: core
                .config
                .key
                .is_none()
                .then(|| format!("{:016x}{:016x}", core.timer.seed(), core.timer.seed())),
        };
        // The turn first: a create that only queues is not one that may have been sent.
        let turn = core.turn(&call, core.now()).await?;
        let intent = core.begin_create(&prepared, &request.prompt, &create).await?;
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
        let mut warnings = prepared.warnings;
        warnings.extend(intent.created(&created.snapshot.task_id).await);
        if let Some(warning) = created.warning {
            tracing::warn!(code = warning.code.name(), task_id = created.snapshot.task_id, "{warning}");
            warnings.push(warning);
        }
        tracing::info!(task_id = created.snapshot.task_id, model = prepared.model, "task created");
        let now = core.now();
        core.recent_creates().note(now, &created.snapshot.task_id, core.config.wait.visible_after);
        Ok(CreatedTask { snapshot: created.snapshot, at: now, warnings })
    })
}
