//! Durable waits: a wait as a small JSON value that any process can continue.

use std::time::Duration;

use crate::calls::advance::Advanced;
use crate::client::task::Task;
use crate::client::video::Video;
use crate::client::videos::Videos;
use crate::error::Result;
use crate::protocol::{Time, WaitPolicy, WaitState};
use crate::video::fetch::{Charge, Source};

/// What one step of a durable wait brings, see [`Videos::advance`].
#[derive(Debug, Clone)]
pub enum Advance {
    /// The task succeeded.
    Done(Video),
    /// The task is still running, as far as is known.
    Later {
        /// What to keep in place of the state that was handed in.
        state: WaitState,
        /// How long to pause before it is handed in again. Sooner is no error: then nothing is sent.
        retry_after: Duration,
    },
}

impl Task {
    /// A wait that begins now, as a small JSON value for [`Videos::advance`]: for job queues, workflow engines and cron, which must
    /// not hold a worker while the video is made. It has the client's [`WaitPolicy`]; its deadline counts from now.
    ///
    /// # Errors
    /// `config` when the client has a [`Timer`](crate::transport::Timer) that does not know the time of day.
    pub fn wait_state(&self) -> Result<WaitState> {
        self.wait_state_with(self.client.core.config.wait.clone())
    }

    /// [`Task::wait_state`] with a policy of its own.
    ///
    /// # Errors
    /// `invalid_request` when no wait can be done with the policy; those of [`Task::wait_state`].
    pub fn wait_state_with(&self, policy: WaitPolicy) -> Result<WaitState> {
        let core = &self.client.core;
        let begin = || {
            policy.check()?;
            let now = core.unix_time()?;
            let created = self.created.map(|created| {
                let age = core.now().since(created);
                Time::from_start(now.since(Time::default()).saturating_sub(age))
            });
            let policy = policy.for_host(core.config.loopback);
            Ok(WaitState::begin(self.id(), policy, created, now, core.timer.seed()))
        };
        let state: Result<WaitState> = begin();
        state.map_err(|error| error.with_task(self.id()))
    }
}

impl Videos {
    /// One step of a durable wait: asks for the task's state if a poll is due, once, and never sleeps until then. Any process may
    /// take any step, in any language.
    ///
    /// ```no_run
    /// use junfeiai::{Advance, WaitState};
    ///
    /// # async fn step(client: junfeiai::Client, kept: String) -> junfeiai::Result<()> {
    /// // One run of a job: what it keeps is text, which may lie in any queue or database.
    /// let state: WaitState = kept.parse()?;
    /// match client.videos().advance(state).await? {
    ///     Advance::Done(video) => _ = video.save("ball.mp4").await?,
    ///     Advance::Later { state, retry_after } => println!("run again in {retry_after:?} with {state}"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// The deadline and the budget of failed polls are in the state: a poll that fails is no error of this call, and the wait
    /// ends as [`Task::wait`] does. Each step takes the state of the step before; the same state twice is harmless, and polls
    /// twice. A poll that the client's request budget holds back for longer than its own timeout comes back as
    /// [`Advance::Later`].
    ///
    /// # Errors
    /// The wait has ended: `task_failed`, `wait_timeout`, `authentication`, and whatever else ends a [`Task::wait`]. Every
    /// one of them carries the task's id.
    pub async fn advance(&self, state: WaitState) -> Result<Advance> {
        Ok(match self.client.core.advance(state).await? {
            Advanced::Later(state, retry_after) => Advance::Later { state, retry_after },
            Advanced::Succeeded(seen) => {
                let charge = Charge::of(&seen);
                let source = Source { task_id: Some(seen.task_id), url: seen.video_url, charge };
                Advance::Done(Video::new(self.client.clone(), source))
            }
        })
    }
}
