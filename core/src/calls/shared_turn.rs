//! The turn of a request among all processes whose journal is in the same store: they share one request rate.
//!
//! There is no thread and no spawned task. Whoever waits longest brings the [`SharedBudget`] up to date, asks the store and holds
//! the timer; what it has asked the store outlives it. That may be a future that nobody polls at the moment (a stream whose reader
//! is busy): so everybody else has a timer too, finds the first one late then, and goes before it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::async_compat::BoxFuture;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::fork::Pid;
use crate::net::transport::Timer;
use crate::protocol::shared_budget::{BudgetStep, ROW, SharedBudget};
use crate::store::{Store, Versioned, unavailable};
use crate::time::Time;

/// A first in the queue who is later than this is not being polled.
const LATE: Duration = Duration::from_millis(250);
/// Whoever waits for the store's answer shows so often that it is being polled.
const SHOWS: Duration = Duration::from_secs(1);
/// A store that has not answered for so long is done without.
const ANSWERS: Duration = Duration::from_secs(15);
/// The longest time until somebody looks after the first one.
const MOST_PATIENCE: Duration = Duration::from_secs(60);

/// The turns of one process.
pub(crate) struct SharedTurns {
    store: Arc<dyn Store>,
    timer: Arc<dyn Timer>,
    process: Pid,
    state: Mutex<State>,
}

struct State {
    budget: SharedBudget,
    /// What the store was asked and has not answered, and since when.
    asked: Option<(Time, BoxFuture<'static, Answer>)>,
    /// Who waits, the longest first.
    queue: VecDeque<Waiter>,
    tickets: u64,
    /// When the first of them should look at the budget again.
    armed: Time,
}

struct Waiter {
    ticket: u64,
    waker: Waker,
}

enum Answer {
    Loaded(Result<Option<Versioned>>),
    Swapped(Result<Option<u64>>),
}

impl SharedTurns {
    pub(crate) fn new(store: Arc<dyn Store>, timer: Arc<dyn Timer>, rate: f64) -> Self {
        let process = Pid::current();
        let name = format!("{:x}-{:016x}", process.number(), timer.seed());
        let budget = SharedBudget::new(&name, rate);
        let state = State { budget, asked: None, queue: VecDeque::new(), tickets: 0, armed: Time::default() };
        Self { store, timer, process, state: Mutex::new(state) }
    }

    /// Waits until a request of this process may leave; false, at once, when that will be later than this time.
    pub(crate) fn turn(&self, until: Option<Time>) -> SharedTurn<'_> {
        SharedTurn { turns: self, until, ticket: None, sleep: None }
    }

    /// The error of a request whose turn would come too late.
    pub(crate) fn late(&self, phase: Phase) -> Error {
        let now = self.timer.now();
        let left = self.lock().budget.next_departure(now).map(|at| at.since(now)).filter(|left| !left.is_zero());
        let when = left.map_or_else(String::new, |left| {
            format!(", which lets the next one leave in {} s", left.as_secs() + u64::from(left.subsec_nanos() > 0))
        });
        let text = format!("nothing was sent: all processes of the journal share one request rate{when}");
        Error::new(ErrorKind::RateLimited, phase, text).with(|record| record.retry_after = left)
    }

    /// A 429 came to a request that was sent at this time: all processes slow down.
    pub(crate) fn limited(&self, sent: Time, retry_after: Option<Duration>) {
        let now = self.timer.now();
        let mut state = self.lock();
        state.budget.limited(now, sent, retry_after);
        let first = state.calls_first(now);
        drop(state);
        first.into_iter().for_each(Waker::wake);
    }

    /// Writes a 429 down where nobody waits who would do it: until then the other processes send on. Ends without that when it cannot be
    /// done by this time.
    pub(crate) async fn write_limit(&self, until: Time) {
        let mut sleep: Option<(Time, BoxFuture<'static, ()>)> = None;
        poll_fn(|cx| {
            loop {
                let now = self.timer.now();
                let mut guard = self.lock();
                let state = &mut *guard;
                if !state.budget.has_limit() || !state.queue.is_empty() || now >= until {
                    return Poll::Ready(());
                }
                if state.listens(&*self.timer, cx) {
                    continue;
                }
                let look = match state.budget.step(now) {
                    BudgetStep::WaitUntil(time) if time > until => return Poll::Ready(()),
                    BudgetStep::WaitUntil(time) if time > now => time,
                    // What was asked wakes us, and whoever has begun to wait since then is seen; a departure is nobody's here.
                    BudgetStep::WaitUntil(_) | BudgetStep::Idle => now + LATE,
                    step => {
                        state.asked = self.ask(step).map(|answer| (now, answer));
                        continue;
                    }
                };
                drop(guard);
                if sleep.as_ref().is_none_or(|(time, _)| *time > look) {
                    sleep = Some((look, self.timer.sleep(look.since(now))));
                }
                if let Some((_, sleeping)) = &mut sleep
                    && sleeping.as_mut().poll(cx).is_pending()
                {
                    return Poll::Pending;
                }
                sleep = None;
            }
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, step: BudgetStep) -> Option<BoxFuture<'static, Answer>> {
        let store = self.store.clone();
        match step {
            BudgetStep::Load => Some(Box::pin(async move { Answer::Loaded(store.load(ROW).await) })),
            BudgetStep::Swap { expected, value } => {
                Some(Box::pin(async move { Answer::Swapped(store.swap(ROW, expected, Some(value)).await) }))
            }
            BudgetStep::WaitUntil(_) | BudgetStep::Idle => None,
        }
    }
}

impl State {
    /// Whom to wake, so that the first of the queue looks at the budget now.
    fn calls_first(&mut self, now: Time) -> Option<Waker> {
        self.armed = now;
        self.queue.front().map(|waiter| waiter.waker.clone())
    }

    /// Whether the one at this place brings the budget up to date: the first, or who finds it late and goes before it.
    fn leads(&mut self, at: usize, now: Time) -> bool {
        if at == 0 {
            return true;
        }
        let late = now > self.armed + LATE;
        if late && let Some(own) = self.queue.remove(at) {
            self.queue.push_front(own);
        }
        late
    }

    /// Takes in what the store answers, or that it does not; whether there was anything.
    fn listens(&mut self, timer: &dyn Timer, cx: &mut Context<'_>) -> bool {
        let Some((since, asked)) = &mut self.asked else { return false };
        let answer = match asked.as_mut().poll(cx) {
            Poll::Ready(answer) => answer,
            Poll::Pending if timer.now().since(*since) < ANSWERS => return false,
            Poll::Pending => Answer::Loaded(Err(unavailable("the store does not answer"))),
        };
        self.asked = None;
        self.answered(timer, answer);
        true
    }

    fn answered(&mut self, timer: &dyn Timer, answer: Answer) {
        let now = timer.now();
        match answer {
            Answer::Loaded(Ok(row)) => {
                if let Some(unix) = timer.unix_time() {
                    self.budget.shown(now, unix);
                }
                self.budget.loaded(now, row.as_ref().map(|row| (row.value.as_str(), row.version)));
                if self.budget.take_warning() {
                    tracing::warn!("the store takes no write of the shared request rate: this process uses its share");
                }
            }
            Answer::Swapped(Ok(version)) => self.budget.swapped(version),
            Answer::Loaded(Err(error)) | Answer::Swapped(Err(error)) => {
                self.budget.failed(now);
                if self.budget.take_warning() {
                    tracing::warn!(%error, "the shared request rate is not known: this process uses its share of it");
                }
            }
        }
    }
}

/// Somebody who waits.
#[must_use = "a turn does nothing until it is awaited"]
pub(crate) struct SharedTurn<'a> {
    turns: &'a SharedTurns,
    until: Option<Time>,
    ticket: Option<u64>,
    sleep: Option<(Time, BoxFuture<'static, ()>)>,
}

impl Future for SharedTurn<'_> {
    /// Whether it came.
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let turns = self.turns;
        let mut guard = turns.lock();
        let state = &mut *guard;
        let ticket = *self.ticket.get_or_insert_with(|| {
            state.tickets += 1;
            state.queue.push_back(Waiter { ticket: state.tickets, waker: cx.waker().clone() });
            state.tickets
        });
        let until = self.until;
        let is_late = move |budget: &SharedBudget, now: Time| {
            until.is_some_and(|until| budget.next_departure(now).is_some_and(|at| at > until))
        };
        loop {
            let now = turns.timer.now();
            let Some(at) = state.queue.iter().position(|waiter| waiter.ticket == ticket) else {
                return Poll::Ready(true);
            };
            if let Some(waiter) = state.queue.get_mut(at) {
                waiter.waker.clone_from(cx.waker());
            }
            // Whoever goes takes his place out when he is dropped.
            if is_late(&state.budget, now) {
                return Poll::Ready(false);
            }
            let look = if state.leads(at, now) {
                state.listens(&*turns.timer, cx);
                state.budget.demand(now, state.queue.len());
                if state.budget.take(now) {
                    state.queue.pop_front();
                    self.ticket = None;
                    let next = state.calls_first(now);
                    drop(guard);
                    next.into_iter().for_each(Waker::wake);
                    return Poll::Ready(true);
                }
                if is_late(&state.budget, now) {
                    return Poll::Ready(false);
                }
                let look = match state.budget.step(now) {
                    BudgetStep::WaitUntil(time) => time,
                    // What was asked wakes us.
                    BudgetStep::Idle => now + SHOWS,
                    step => {
                        state.asked = turns.ask(step).map(|answer| (now, answer));
                        continue;
                    }
                };
                state.armed = look;
                look
            } else {
                // Those behind look one after the other, if nobody has woken them before.
                let place = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1);
                state.armed.max(now) + LATE.saturating_mul(place).min(MOST_PATIENCE)
            };
            // Who looks too early looks again.
            if self.sleep.as_ref().is_none_or(|(time, _)| *time > look) {
                self.sleep = Some((look, turns.timer.sleep(look.since(now))));
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

impl Drop for SharedTurn<'_> {
    fn drop(&mut self) {
        // The lock of a parent may never open in its child.
        let Some(ticket) = self.ticket.filter(|_| self.turns.process.is_current()) else { return };
        let now = self.turns.timer.now();
        let mut state = self.turns.lock();
        let led = state.queue.front().is_some_and(|waiter| waiter.ticket == ticket);
        state.queue.retain(|waiter| waiter.ticket != ticket);
        let next = if led { state.calls_first(now) } else { None };
        drop(state);
        next.into_iter().for_each(Waker::wake);
    }
}
