//! One schedule for all clones, threads and runtimes of a client: who waits is woken when it may send.
//!
//! There is no thread and no spawned task. Everybody who waits is a [`Turn`]; whoever is polled brings the machine up
//! to date; and one of them, the leader, holds the timer for the machine's next step and hands this over when it
//! leaves. A leader may be a future that nobody polls at the moment (a stream that is kept for later): so everybody
//! else has a timer too, for a time at which it should have been served, finds the leader late then, and takes over.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::async_compat::BoxFuture;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::Pid;
use crate::net::transport::Timer;
use crate::protocol::{
    ApiResponse, CallEvent, Collected, ScheduleMachine, SchedulePolicy, ScheduleStep, SlotId, SlotRequest, classify,
    is_from_upstream,
};
use crate::time::Time;

/// A leader who is later than this is not being polled.
const LATE: Duration = Duration::from_millis(250);
/// Whoever waits for a turn looks after the leader at half of what the queue takes, within these bounds.
const LEAST_PATIENCE: Duration = Duration::from_millis(500);
const MOST_PATIENCE: Duration = Duration::from_secs(600);

/// The schedule of a client.
pub(crate) struct Scheduler {
    timer: Arc<dyn Timer>,
    process: Pid,
    shared: Mutex<Shared>,
}

struct Shared {
    machine: ScheduleMachine,
    /// By slot.
    wakers: Vec<Option<Waker>>,
    leader: Option<SlotId>,
    /// When the leader should bring the machine up to date.
    armed: Time,
}

/// The server asked to slow down, perhaps for how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limited(pub(crate) Option<Duration>);

/// Wakers to be called when the lock is free again: a waker may run anything.
type Woken = Vec<Waker>;

impl Scheduler {
    pub(crate) fn new(policy: SchedulePolicy, timer: Arc<dyn Timer>) -> Self {
        let shared =
            Shared { machine: ScheduleMachine::new(policy), wakers: Vec::new(), leader: None, armed: Time::default() };
        Self { timer, process: Pid::current(), shared: Mutex::new(shared) }
    }

    /// Waits until a poll is due and may be sent. `None` when no slot came in time.
    pub(crate) fn poll_turn(&self, due: Time, deadline: Option<Time>) -> Turn<'_> {
        self.turn(SlotRequest::Poll { due, deadline })
    }

    /// Waits until a create, which waits since this time, may be sent; it is in flight until the permit is released.
    ///
    /// # Errors
    /// `rate_limited`, without anything sent, as soon as the server has asked for pauses that together are longer than `limit`.
    pub(crate) async fn create_turn(&self, since: Time, limit: Duration) -> Result<Permit<'_>> {
        match self.turn(SlotRequest::Create { since, patience: limit }).await {
            Some(slot) => Ok(Permit { scheduler: self, slot: Some(slot) }),
            None => Err(self.paused(Phase::Create)),
        }
    }

    /// Waits for the turn of a query that somebody called for, `get` and the like. It counts against the budget and
    /// goes before the polls of waiting tasks. After some seconds it is sent without a slot: its caller waits for
    /// this one answer. Only a pause that the server asked for is kept.
    ///
    /// # Errors
    /// `rate_limited`, without anything sent, when that pause is longer than `limit`.
    pub(crate) async fn query_turn(&self, phase: Phase, limit: Duration) -> Result<()> {
        let until = self.timer.now() + limit;
        loop {
            let paused = self.lock().machine.paused_until();
            if paused > until {
                return Err(self.paused(phase));
            }
            let due = paused.max(self.timer.now());
            if self.poll_turn(due, Some(due)).await.is_some() || self.lock().machine.paused_until() <= self.timer.now()
            {
                return Ok(());
            }
        }
    }

    /// What is left of the pause that the server asked for.
    pub(crate) fn pause_left(&self) -> Duration {
        self.lock().machine.paused_until().since(self.timer.now())
    }

    /// The error of a call that the server's pause keeps from being sent in time.
    fn paused(&self, phase: Phase) -> Error {
        let left = self.pause_left();
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        let text = format!("nothing was sent: the server asked to pause for another {seconds} s");
        let error = Error::new(ErrorKind::RateLimited, phase, text);
        error.with(|record| record.retry_after = Some(left))
    }

    /// Looks at what came of a request that was sent at this time: a 429 slows everybody, and is given back.
    pub(crate) fn note(&self, phase: Phase, sent: Time, event: &CallEvent) -> Option<Limited> {
        if let CallEvent::Answered(answer) | CallEvent::Broken(answer, _) = event
            && is_limit(phase, answer)
        {
            let (now, mut woken) = (self.timer.now(), Woken::new());
            let mut shared = self.lock();
            shared.machine.limited(now, sent, answer.retry_after());
            let rate = shared.machine.rate();
            // Create requests that will not get their turn in time fail now.
            shared.advance(now, &mut woken);
            drop(shared);
            woken.into_iter().for_each(Waker::wake);
            let limited = Limited(answer.retry_after());
            let retry_after = limited.0.map(|after| after.as_secs_f64());
            tracing::debug!(name: "slow_down", rate, retry_after, "the server asks to slow down");
            return Some(limited);
        }
        None
    }

    /// The slot of what is under way, or `None` when the time for it is up.
    fn turn(&self, request: SlotRequest) -> Turn<'_> {
        Turn { scheduler: self, request, slot: None, sleep: None }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing panics while it is held; and if it did, a schedule out of step is better than a dead client.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an entry out: its owner was dropped, or its create has been answered.
    fn leave(&self, slot: SlotId, answered: bool) {
        // The queue of a parent is not served in its child, and its lock may never open there.
        if !self.process.is_current() {
            return;
        }
        let (now, mut woken) = (self.timer.now(), Woken::new());
        let mut shared = self.lock();
        if answered {
            shared.machine.remove(slot);
        } else {
            shared.machine.abandon(now, slot);
        }
        let own = shared.forget(slot, &mut woken);
        // What it held may be another's now.
        shared.advance(now, &mut woken);
        drop(shared);
        drop(own);
        woken.into_iter().for_each(Waker::wake);
    }
}

/// True for a 429 about the video routes. Helper paths have a limit of their own (observed: 20 calls in 20 minutes), which
/// says nothing about these; and a 429 that the gateway hands through from behind is about the upstream's load, not about
/// how often we ask.
fn is_limit(phase: Phase, answer: &ApiResponse) -> bool {
    phase != Phase::Check
        && answer.status == 429
        && !is_from_upstream(answer)
        && classify(phase, answer).is_some_and(|error| error.kind() == ErrorKind::RateLimited)
}

impl Shared {
    /// Brings the machine up to date and says when it is to be asked again.
    fn advance(&mut self, now: Time, woken: &mut Woken) -> Option<Time> {
        let next = loop {
            match self.machine.step(now) {
                ScheduleStep::Grant(slot) | ScheduleStep::Expire(slot) => woken.extend(self.take_waker(slot)),
                ScheduleStep::WaitUntil(time) => break Some(time),
                ScheduleStep::Idle => break None,
            }
        };
        if let (Some(next), Some(leader)) = (next, self.leader)
            && next < self.armed
        {
            // The leader sleeps too long now.
            self.armed = next;
            woken.extend(self.wakers.get(leader.index()).cloned().flatten());
        }
        next
    }

    fn take_waker(&mut self, slot: SlotId) -> Option<Waker> {
        self.wakers.get_mut(slot.index()).and_then(Option::take)
    }

    /// Forgets one who leaves; if it led, another is woken to do so.
    fn forget(&mut self, slot: SlotId, woken: &mut Woken) -> Option<Waker> {
        if self.leader == Some(slot) {
            self.leader = None;
            let heir = self.machine.last_in_line(slot);
            woken.extend(heir.and_then(|heir| self.wakers.get(heir.index()).cloned().flatten()));
        }
        self.take_waker(slot)
    }
}

/// Waiting for a slot.
#[must_use = "a turn comes only to those who wait for it"]
pub(crate) struct Turn<'a> {
    scheduler: &'a Scheduler,
    request: SlotRequest,
    slot: Option<SlotId>,
    sleep: Option<(Time, BoxFuture<'static, ()>)>,
}

/// What a look at the schedule brought.
enum Look {
    Done(Collected),
    /// Look again at this time: the machine's next step.
    Lead(Time),
    /// Look again at this time, if the leader has not woken us before.
    Follow(Time),
}

impl Turn<'_> {
    fn look(&mut self, now: Time, cx: &mut Context<'_>) -> Look {
        let mut woken = Woken::new();
        let mut shared = self.scheduler.lock();
        let slot = *self.slot.get_or_insert_with(|| shared.machine.add(now, self.request));
        // First: a grant that lay too long goes back before the tokens are given out.
        let mut collected = shared.machine.collect(now, slot);
        let mut next = None;
        if collected == Collected::Waiting {
            next = shared.advance(now, &mut woken);
            collected = shared.machine.collect(now, slot);
        }
        let mut old = None;
        let look = if collected == Collected::Waiting {
            if shared.wakers.len() <= slot.index() {
                shared.wakers.resize(slot.index() + 1, None);
            }
            if let Some(place) = shared.wakers.get_mut(slot.index())
                && !place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                old = place.replace(cx.waker().clone());
            }
            let leads = shared.leader.is_none_or(|leader| leader == slot) || now > shared.armed + LATE;
            let next = next.unwrap_or(now + MOST_PATIENCE);
            if leads {
                shared.leader = Some(slot);
                shared.armed = next;
                Look::Lead(next)
            } else {
                let due = match self.request {
                    SlotRequest::Poll { due, .. } => due,
                    SlotRequest::Create { .. } => now,
                };
                let patience = (shared.machine.queue_time() / 2).clamp(LEAST_PATIENCE, MOST_PATIENCE);
                Look::Follow(due.max(now) + patience)
            }
        } else {
            old = shared.forget(slot, &mut woken);
            Look::Done(collected)
        };
        drop(shared);
        drop(old);
        woken.into_iter().for_each(Waker::wake);
        look
    }
}

impl Future for Turn<'_> {
    type Output = Option<SlotId>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SlotId>> {
        let timer = &self.scheduler.timer;
        loop {
            let now = timer.now();
            let until = match self.look(now, cx) {
                Look::Done(collected) => {
                    self.sleep = None;
                    let slot = self.slot.take();
                    return Poll::Ready(slot.filter(|_| collected == Collected::Granted));
                }
                Look::Lead(next) => Some(next).filter(|next| self.sleep.as_ref().is_none_or(|(at, _)| at != next)),
                Look::Follow(time) => Some(time).filter(|_| self.sleep.is_none()),
            };
            if let Some(until) = until {
                self.sleep = Some((until, timer.sleep(until.since(now))));
            }
            if let Some((_, sleep)) = &mut self.sleep
                && sleep.as_mut().poll(cx).is_pending()
            {
                return Poll::Pending;
            }
            self.sleep = None;
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.scheduler.leave(slot, false);
        }
    }
}

/// A create in flight, until it is released. One that is dropped counts as in flight a little longer.
#[must_use = "the create counts as in flight while this lives"]
pub(crate) struct Permit<'a> {
    scheduler: &'a Scheduler,
    slot: Option<SlotId>,
}

impl Permit<'_> {
    /// The create has been answered, or could not be sent: another one may go.
    pub(crate) fn release(mut self) {
        if let Some(slot) = self.slot.take() {
            self.scheduler.leave(slot, true);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            self.scheduler.leave(slot, false);
        }
    }
}

#[cfg(all(test, feature = "native"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_of_fork_drops_does_not_wait_for_the_lock_of_its_parent() {
        let timer = Arc::new(crate::platform::native::TokioTimer::new());
        let mut scheduler = Scheduler::new(SchedulePolicy::default(), timer);
        scheduler.process = Pid::of_another();
        let (scheduler, (dropped, seen)) = (&scheduler, std::sync::mpsc::channel());
        std::thread::scope(|scope| {
            let mut held = scheduler.lock();
            let request = SlotRequest::Create { since: Time::default(), patience: Duration::MAX };
            let slot = Some(held.machine.add(Time::default(), request));
            scope.spawn(move || {
                drop(Turn { scheduler, request, slot, sleep: None });
                drop(Permit { scheduler, slot });
                let _ = dropped.send(());
            });
            // As long as a machine may be busy; then the lock opens, for the scope to end.
            let result = seen.recv_timeout(Duration::from_secs(60));
            drop(held);
            assert_eq!(result, Ok(()));
        });
    }
}
