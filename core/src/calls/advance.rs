//! One step of a wait that is kept as data between its polls.

use std::time::Duration;

use crate::calls::client_core::{ClientCore, Turn};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::Snapshot;
use crate::protocol::{GRACE, RetryPolicy, Time, WaitState, WaitStep};

/// What a step of a wait brings, when it is no error.
pub(crate) enum Advanced {
    /// The task succeeded: its last state.
    Succeeded(Box<Snapshot>),
    /// The wait as it is now, and when it wants to be continued.
    Later(WaitState, Duration),
}

impl ClientCore {
    /// The time of day, which what outlives the process is written in.
    ///
    /// # Errors
    /// `config` when the timer does not know it.
    pub(crate) fn unix_time(&self) -> Result<Time> {
        let text = "the Timer of this client does not tell the time of day: make its unix_now return it";
        let since = self.timer.unix_time().ok_or_else(|| Error::new(ErrorKind::Config, Phase::Wait, text))?;
        Ok(Time::from_start(since))
    }

    /// Continues a wait: makes the poll that is due, or none.
    pub(crate) async fn advance(&self, state: WaitState) -> Result<Advanced> {
        let id: Box<str> = state.task_id().into();
        self.poll_if_due(state).await.map_err(|error| error.with_task(&id))
    }

    async fn poll_if_due(&self, state: WaitState) -> Result<Advanced> {
        let (began, began_unix) = (self.now(), self.unix_time()?);
        // Somebody may set the clock while this runs.
        let unix_now = || began_unix + self.now().since(began);
        let mut state = state.for_host(self.config.loopback);
        let pause = state.pause(began_unix);
        if !pause.is_zero() {
            return Ok(Advanced::Later(state, pause));
        }
        let deadline = state.deadline().map(|deadline| began + deadline.since(began_unix));
        if !self.poll_turn_comes(deadline, state.call_timeout()).await {
            let now = unix_now();
            if state.deadline().is_some_and(|deadline| deadline + GRACE <= now) {
                return Err(state.machine(now).timed_out());
            }
            state.defer(now, self.scheduler().pause_left());
            let pause = state.pause(now);
            return Ok(Advanced::Later(state, pause));
        }
        let now = unix_now();
        let mut machine = state.machine(now);
        let mut seen = None;
        let first = machine.step(now);
        if let WaitStep::Poll { timeout } = first {
            // The wait has a budget of its own for failures: one attempt a poll.
            let retry = RetryPolicy { max_attempts: 1, ..self.config.retry.clone() };
            let result = self.query(machine.task_id(), timeout, retry, Turn::Come(None)).await;
            machine.input(unix_now(), result.as_ref().map_err(Clone::clone));
            seen = result.ok();
        }
        let now = unix_now();
        if let Some(mut state) = WaitState::of(&machine, now) {
            let pause = state.pause(now);
            return Ok(Advanced::Later(state, pause));
        }
        // At its deadline it ends without a poll.
        let last = if matches!(first, WaitStep::Done(_)) { first } else { machine.step(now) };
        let WaitStep::Done(result) = last else {
            return Err(Error::new(ErrorKind::Internal, Phase::Wait, "a wait neither pauses nor ends"));
        };
        self.note_finished(machine.task_id(), &result, machine.charged_units()).await;
        result?;
        let missing = || Error::new(ErrorKind::Internal, Phase::Wait, "a wait ended without a state");
        Ok(Advanced::Succeeded(Box::new(seen.ok_or_else(missing)?)))
    }

    /// Waits for the turn of a poll that is due; false when it would come later than this, which is not waited for, or too long after
    /// the deadline.
    async fn poll_turn_comes(&self, deadline: Option<Time>, limit: Duration) -> bool {
        let scheduler = self.scheduler();
        let latest = self.now() + limit;
        let until = deadline.map_or(latest, |deadline| latest.min(deadline + GRACE));
        scheduler.pause_left() <= limit
            && self.within(limit, scheduler.poll_turn(self.now(), deadline)).await.flatten().is_some()
            && self.shared_poll_turn(Some(until), true).await
    }
}
