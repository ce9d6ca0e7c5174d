//! Which entry a call goes to when there are several: the listed order is the order of preference.
//!
//! ```text
//!   begin            no connection                no connection
//!  ───────▶ choice ────────────────▶ next entry ────────────────▶ … ──▶ none: the call's own backoff
//!             │ connected                │ connected
//!             ▼                          ▼
//!           stays                  becomes the choice, and the preferred entry is looked at again
//!                                  after 5 min, then 10, 20, 40, and every hour
//! ```
//!
//! Only a connection that could not be made (DNS, TCP, TLS) leads to another entry: then nothing was sent, and even a
//! paid call may go elsewhere. After anything that may have been sent the round ends, so that no create is ever sent
//! to two entries.
//!
//! ```
//! use junfeiai::protocol::{Failover, Reach, Time};
//!
//! let now = Time::default();
//! let mut failover = Failover::new(2);
//! let mut round = failover.begin(now, true);
//! assert_eq!(round.entry(), 0);
//! assert!(failover.input(now, &mut round, Reach::NoConnection)); // continues …
//! assert_eq!(round.entry(), 1); // … at the other entry
//! assert!(!failover.input(now, &mut round, Reach::Answered));
//! assert_eq!(failover.current(), 1); // which is the choice from now on
//! ```

use std::time::Duration;

use super::Time;

/// Longest time to connect to an entry while there is another one to try.
pub const CONNECT_CAP: Duration = Duration::from_secs(5);
/// When the preferred entry is looked at again for the first time.
const FIRST_RECHECK: Duration = Duration::from_secs(5 * 60);
/// Longest pause between two such looks.
const LAST_RECHECK: Duration = Duration::from_secs(60 * 60);

/// How far a request to an entry came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// No connection was made: nothing was sent.
    NoConnection,
    /// The request may have been sent, and no answer that speaks for the entry came.
    NoAnswer,
    /// The entry answered.
    Answered,
}

#[derive(Debug, Clone, Copy)]
struct Recheck {
    at: Time,
    pause: Duration,
}

/// The choice that all calls of a client share.
#[derive(Debug)]
pub struct Failover {
    entries: usize,
    current: usize,
    /// Set while the choice is not the preferred entry.
    recheck: Option<Recheck>,
}

/// The entries that one attempt of a call may go to, in order.
#[derive(Debug)]
pub struct Round {
    order: Vec<usize>,
    at: usize,
    /// The choice when the round began.
    home: usize,
}

impl Round {
    /// The entry to send to now, as an index into the list of entries.
    pub fn entry(&self) -> usize {
        self.order.get(self.at).copied().unwrap_or(self.home)
    }

    fn home_was_tried(&self) -> bool {
        self.order.iter().take(self.at).any(|entry| *entry == self.home)
    }
}

impl Failover {
    /// A choice among this many entries, the first of which is preferred.
    pub fn new(entries: usize) -> Self {
        Self { entries: entries.max(1), current: 0, recheck: None }
    }

    /// The entry that calls go to first, as an index into the list of entries.
    pub fn current(&self) -> usize {
        self.current
    }

    /// Begins an attempt. `may_recheck` is for reads: a paid call is not what an entry is tried out with.
    pub fn begin(&mut self, now: Time, may_recheck: bool) -> Round {
        let home = self.current;
        let recheck = may_recheck && self.claim_recheck(now);
        let all = 0..self.entries;
        let order = if recheck {
            all.clone().filter(|entry| *entry <= home).chain(all.filter(|entry| *entry > home)).collect()
        } else {
            std::iter::once(home).chain(all.filter(|entry| *entry != home)).collect()
        };
        Round { order, at: 0, home }
    }

    /// Tells what came of the request to [`Round::entry`]. True when the request is to be sent to the round's next entry
    /// at once, false when the attempt has ended.
    pub fn input(&mut self, now: Time, round: &mut Round, reach: Reach) -> bool {
        let entry = round.entry();
        match reach {
            Reach::NoConnection => {
                round.at += 1;
                return round.at < round.order.len();
            }
            // It took the connection that the choice refused. An entry that is only looked at again has to answer.
            Reach::NoAnswer if !round.home_was_tried() => {}
            Reach::NoAnswer | Reach::Answered if entry == round.home => {}
            Reach::NoAnswer | Reach::Answered => self.choose(now, entry),
        }
        false
    }

    /// True for the one call that looks at the preferred entry when the time has come.
    fn claim_recheck(&mut self, now: Time) -> bool {
        match &mut self.recheck {
            Some(recheck) if now >= recheck.at => {
                recheck.pause = (recheck.pause * 2).min(LAST_RECHECK);
                recheck.at = now + recheck.pause;
                true
            }
            _ => false,
        }
    }

    fn choose(&mut self, now: Time, entry: usize) {
        self.current = entry;
        let first = Recheck { at: now + FIRST_RECHECK, pause: FIRST_RECHECK };
        self.recheck = (entry != 0).then(|| self.recheck.unwrap_or(first));
    }
}

#[cfg(test)]
#[path = "failover_tests.rs"]
mod tests;
