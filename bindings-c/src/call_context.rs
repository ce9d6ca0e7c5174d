//! What is known of a call besides its result: a panic of it becomes an error that names its task and says whether
//! it may have been charged.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;
use junfeiai::{CreateTracker, Error, ErrorKind, Phase, Result};

use crate::failure::{Failure, Outcome};

/// What an error that is made on this side of the core has to say of its call.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallContext {
    /// What the call created, if it creates.
    pub(crate) tracker: CreateTracker,
    /// The task that it was about from the start.
    task_id: Option<String>,
}

impl CallContext {
    /// A call about this task, where it is known.
    pub(crate) fn task(id: Option<&str>) -> Self {
        Self { task_id: id.map(str::to_owned), ..Self::default() }
    }

    /// What a panic of the call becomes.
    pub(crate) fn panicked(&self, panic: Box<dyn Any + Send>) -> Error {
        let error = self.tracker.stamp(internal(panic));
        match &self.task_id {
            Some(id) => error.with_task(id),
            None => error,
        }
    }

    /// Runs what a call does on this side of the core, such as telling progress and making handles: should it panic, the
    /// error says as much as the call's own errors do.
    pub(crate) fn guard<T>(&self, body: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(Failure::Core(self.panicked(panic))))
    }
}

/// What a panic becomes.
pub(crate) fn internal(panic: Box<dyn Any + Send>) -> Error {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "an unknown panic".to_owned(),
    };
    // Dropping what was thrown may panic again.
    std::mem::forget(panic);
    Error::new(ErrorKind::Internal, Phase::Config, format!("the library panicked: {text}"))
}

/// A panic inside a call is an error of that call.
pub(crate) async fn caught<T>(context: CallContext, call: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(call).catch_unwind().await.unwrap_or_else(|panic| Err(context.panicked(panic)))
}
