//! What is the same for all databases: a thread for the connection, time limits, and writes whose answer was lost.
//!
//! **A lost answer.** Every write carries an id, drawn at random, and a row keeps the ids of its latest writes with their
//! versions (also while it is removed, for some minutes). When a connection breaks before the answer, the same write is
//! sent again over a new one. It takes place now, or it did before: then its id is there, even if others have written on
//! top of it. Sent twice it cannot take place twice, because it names the version that it replaces. So the caller never hears
//! that another was faster than its own write.

use std::cell::Cell;
use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::async_compat::BoxFuture;
use crate::error::{Error, Result};
use crate::fork::PerProcess;
use crate::platform::native::files::random_name;
use crate::platform::native::sigpipe::block_sigpipe;
use crate::store::{Store, Versioned, check_row, failed, unavailable};

/// Rows that are read at a time.
pub(super) const PAGE: u32 = 500;
/// How many of its latest writes a row remembers.
pub(super) const REMEMBERED: i32 = 16;
/// The pause before a connection is tried again: doubled from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No answer: the connection is gone, or the server cannot answer just now. What was asked may have been done.
    Lost(String),
    /// The server's last word.
    Refused(Error),
}

/// A write that can be sent again.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) name: String,
    pub(super) expected: Option<u64>,
    pub(super) value: Option<String>,
    /// From 0 to 2^63 - 1.
    pub(super) id: i64,
}

/// What came of a write.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Swapped {
    Written(u64),
    /// Another was faster.
    Stale,
    /// Sent again, when the row has been written more often than it remembers.
    Unknown,
}

/// What a write that was sent before has come to, by the versions and ids of the latest writes of its row, the newest
/// first. Each version is replaced by one write: while the one that it wanted to replace is remembered, so is whatever
/// replaced it.
pub(super) fn settle(write: &Write, remembered: &[(u64, i64)]) -> Swapped {
    if let Some((version, _)) = remembered.iter().find(|(_, id)| *id == write.id) {
        return Swapped::Written(*version);
    }
    let reaches_back = remembered.iter().any(|(version, _)| Some(*version) == write.expected);
    if reaches_back || remembered.len() < REMEMBERED as usize { Swapped::Stale } else { Swapped::Unknown }
}

/// A connection to a database. It is used on one thread.
pub(super) trait Session: Sized + 'static {
    /// Where and how to connect.
    type Settings: Send + Sync + 'static;

    /// Connects and looks whether everything is there that rows need; makes what is missing.
    async fn connect(settings: &Self::Settings) -> Result<Self, Trouble>;
    /// Whether it is known to be of no use any more.
    fn is_closed(&self) -> bool;
    async fn load(&self, name: &str) -> Result<Option<Versioned>, Trouble>;
    /// `again` when the same write was sent before.
    async fn swap(&self, write: &Write, again: bool) -> Result<Swapped, Trouble>;
    /// The next [`PAGE`] rows at most, in the order of their names, behind this one; and whether there are more.
    async fn page(&self, prefix: &str, after: Option<&str>) -> Result<Page, Trouble>;
}

/// Some rows of a scan.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) rows: Vec<(String, Versioned)>,
    /// The last name that was looked at, if there may be more behind it.
    pub(super) next: Option<String>,
}

/// What the thread does: made there, so it need not be `Send`.
type Work<S> = Box<dyn FnOnce(Rc<Link<S>>) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// A store in a database.
pub(super) struct Remote<S: Session> {
    settings: Arc<S::Settings>,
    /// For errors: which database it is, without the password.
    target: Arc<str>,
    timeout: Duration,
    /// Tells the thread what to do. A child of `fork()` has neither the thread nor the connection.
    thread: PerProcess<Mutex<Option<mpsc::UnboundedSender<Work<S>>>>>,
}

impl<S: Session> Remote<S> {
    pub(super) fn new(settings: S::Settings, target: String, timeout: Duration) -> Self {
        Self { settings: Arc::new(settings), target: target.into(), timeout, thread: PerProcess::new() }
    }

    /// Has work done on the thread of the connection. It comes to its end even if the future is dropped.
    fn ask<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(Rc<Link<S>>) -> Result<T> + Send + 'static,
    ) -> BoxFuture<'static, Result<T>> {
        let (reply, result) = oneshot::channel();
        let work: Work<S> = Box::new(move |link| {
            Box::pin(async move {
                // Whoever asked may be gone.
                let _ = reply.send(work(link).await);
            })
        });
        if let Err(error) = self.send(work) {
            return Box::pin(ready(Err(error)));
        }
        let target = self.target.clone();
        Box::pin(async move {
            result.await.unwrap_or_else(|_| Err(unavailable(format!("{target}: the thread of the connection ended"))))
        })
    }

    fn send(&self, work: Work<S>) -> Result<()> {
        let thread = self.thread.get_or_init(Mutex::default);
        let mut thread = thread.lock().unwrap_or_else(PoisonError::into_inner);
        let work = match thread.as_ref() {
            Some(sender) => match sender.send(work) {
                Ok(()) => return Ok(()),
                // It panicked: a new one.
                Err(mpsc::error::SendError(work)) => work,
            },
            None => work,
        };
        let cannot =
            |error| unavailable(format!("{}: no thread can be started for the connection: {error}", self.target));
        let sender = self.start().map_err(cannot)?;
        // It has just begun to listen.
        let _ = sender.send(work);
        *thread = Some(sender);
        Ok(())
    }

    fn start(&self) -> std::io::Result<mpsc::UnboundedSender<Work<S>>> {
        let (sender, mut queue) = mpsc::unbounded_channel::<Work<S>>();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (settings, target, limit) = (self.settings.clone(), self.target.clone(), self.timeout);
        let serve = move || {
            block_sigpipe();
            let tasks = LocalSet::new();
            tasks.block_on(&runtime, async {
                let current = Current { held: None, failures: 0, pause_until: None };
                let link = Rc::new(Link { settings, target, timeout: limit, current: current.into() });
                while let Some(work) = queue.recv().await {
                    spawn_local(work(link.clone()));
                }
            });
            // Nobody has the store any more: what was begun comes to its end.
            runtime.block_on(async { timeout(limit * 2, tasks).await.ok() });
        };
        thread::Builder::new().name("junfeiai-store".into()).spawn(serve)?;
        Ok(sender)
    }
}

impl<S: Session> Store for Remote<S> {
    fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
        if let Err(error) = check_row(name, None) {
            return Box::pin(ready(Err(error)));
        }
        let name = name.to_owned();
        self.ask(async move |link| link.run(async |session, _| session.load(&name).await).await)
    }

    fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
        if let Err(error) = check_row(name, value.as_deref()) {
            return Box::pin(ready(Err(error)));
        }
        let id = u64::from_str_radix(&random_name(), 16).unwrap_or_default() >> 1;
        let write = Write { name: name.to_owned(), expected, value, id: id.cast_signed() };
        self.ask(async move |link| {
            match link.run(async |session, again| session.swap(&write, again).await).await? {
                Swapped::Written(version) => Ok(Some(version)),
                Swapped::Stale => Ok(None),
                Swapped::Unknown => Err(unavailable(format!(
                    "{}: the connection was lost while the row {:?} was written, and others have written it since: whether it was \
                     written is not known",
                    link.target, write.name
                ))),
            }
        })
    }

    fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
        let prefix = prefix.to_owned();
        self.ask(async move |link| {
            if prefix.contains('\0') {
                return Err(failed("a prefix that holds the character U+0000 is that of no row: remove it"));
            }
            let mut rows = Vec::new();
            let mut after = None;
            loop {
                let page = link.run(async |session, _| session.page(&prefix, after.as_deref()).await).await?;
                rows.extend(page.rows);
                after = page.next;
                if after.is_none() {
                    return Ok(rows);
                }
            }
        })
    }
}

impl<S: Session> fmt::Debug for Remote<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("target", &self.target).finish_non_exhaustive()
    }
}

/// A session, and whether it failed.
struct Held<S> {
    session: S,
    lost: Cell<bool>,
}

/// The connection, and what becomes of it.
struct Link<S: Session> {
    settings: Arc<S::Settings>,
    target: Arc<str>,
    timeout: Duration,
    /// Locked while one of those who ask connects; the others wait for the same connection.
    current: tokio::sync::Mutex<Current<S>>,
}

struct Current<S> {
    held: Option<Rc<Held<S>>>,
    /// In a row.
    failures: u32,
    /// Not tried again before.
    pause_until: Option<Instant>,
}

impl<S: Session> Link<S> {
    /// Carries out one operation, again when the connection breaks, until its time is up.
    async fn run<T>(&self, attempt: impl AsyncFn(&S, bool) -> Result<T, Trouble>) -> Result<T> {
        let deadline = Instant::now() + self.timeout;
        // A connection that has silently died must not use up all of the time.
        let first = deadline - self.timeout / 2;
        let mut last = None;
        loop {
            let held = match timeout_at(deadline, self.connected(deadline)).await {
                Ok(held) => held?,
                Err(_) => return Err(self.timed_out(last)),
            };
            let limit = if last.is_none() { first } else { deadline };
            let answer = timeout_at(limit, attempt(&held.session, last.is_some())).await;
            let why = match answer {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(Trouble::Refused(error))) => return Err(error),
                Ok(Err(Trouble::Lost(why))) => why,
                Err(_) => "no answer".to_owned(),
            };
            held.lost.set(true);
            last = Some(why);
            if Instant::now() >= deadline {
                return Err(self.timed_out(last));
            }
        }
    }

    /// The connection, made anew if there is none or the last one failed.
    async fn connected(&self, deadline: Instant) -> Result<Rc<Held<S>>> {
        let mut current = self.current.lock().await;
        if let Some(held) = current.held.as_ref().filter(|held| !held.lost.get() && !held.session.is_closed()) {
            return Ok(held.clone());
        }
        current.held = None;
        let mut last = "no connection".to_owned();
        loop {
            if let Some(pause_until) = current.pause_until {
                sleep_until(pause_until.min(deadline)).await;
            }
            match timeout_at(deadline, S::connect(&self.settings)).await {
                Ok(Ok(session)) => {
                    current.failures = 0;
                    // One that breaks right away again and again is not made without a pause.
                    current.pause_until = Some(Instant::now() + FIRST_PAUSE);
                    let held = Rc::new(Held { session, lost: Cell::new(false) });
                    current.held = Some(held.clone());
                    return Ok(held);
                }
                Ok(Err(Trouble::Refused(error))) => return Err(error),
                Ok(Err(Trouble::Lost(why))) => last = why,
                Err(_) => {}
            }
            let pause = FIRST_PAUSE * 2u32.pow(current.failures.min(10));
            current.failures += 1;
            current.pause_until = Some(Instant::now() + pause.min(LONGEST_PAUSE));
            if Instant::now() + FIRST_PAUSE >= deadline {
                return Err(self.timed_out(Some(last)));
            }
        }
    }

    fn timed_out(&self, last: Option<String>) -> Error {
        let seconds = self.timeout.as_secs_f64();
        let why = last.unwrap_or_else(|| "no connection".to_owned());
        unavailable(format!("{} did not do in {seconds} s what was asked of it: {why}", self.target))
    }
}

/// An error with all that it says of its causes, each once, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(expected: Option<u64>) -> Write {
        Write { name: "a".into(), expected, value: None, id: 7 }
    }

    #[test]
    fn a_write_is_known_by_its_id_even_below_others() {
        assert_eq!(settle(&write(Some(3)), &[(9, 1), (8, 7), (3, 2)]), Swapped::Written(8));
        assert_eq!(settle(&write(None), &[(9, 1), (8, 7)]), Swapped::Written(8));
    }

    #[test]
    fn another_was_faster_is_only_said_when_it_is_sure() {
        let many: Vec<(u64, i64)> = (100 - REMEMBERED as u64 + 1..=100).rev().zip(1_000..).collect();
        assert_eq!(settle(&write(Some(3)), &[(9, 1), (3, 2)]), Swapped::Stale);
        assert_eq!(settle(&write(Some(90)), &many), Swapped::Stale);
        // The row was removed long ago, and perhaps made anew.
        assert_eq!(settle(&write(Some(3)), &[]), Swapped::Stale);
        assert_eq!(settle(&write(Some(3)), &[(9, 1)]), Swapped::Stale);
        for expected in [Some(3), None] {
            assert_eq!(settle(&write(expected), &many), Swapped::Unknown);
        }
    }
}
