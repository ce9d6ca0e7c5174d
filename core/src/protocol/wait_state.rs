//! A wait as a small JSON value: for engines that must not hold a worker while a task is made.
//!
//! ```text
//!  WaitState::begin ──▶ {"junfeiai_wait":1,…} ──▶ pause(now)
//!                              ▲                    │ > 0: come again after it, nothing is sent
//!                              │                    ▼ 0
//!                       WaitState::of ◀── input ── machine ── step: Poll ──▶ one request
//!                          (None: the wait has ended)
//! ```
//!
//! Times are unix times, so that any host can read them; the [`WaitMachine`] runs on that clock while it is alive. It makes
//! the same polls at the same times as one that is never written down. Clocks of hosts may differ: a pause is never
//! longer than it was planned, and a deadline comes earlier or later by that difference, once.
//!
//! ```
//! use std::time::Duration;
//! use junfeiai::protocol::{Time, WaitMachine, WaitPolicy, WaitState, WaitStep};
//! use junfeiai::Snapshot;
//!
//! let mut now = Time::from_start(Duration::from_secs(1_750_000_000));
//! let state = WaitState::begin("task_1", WaitPolicy::default(), None, now, 1);
//! // Kept somewhere, read by another process.
//! let mut state: WaitState = state.to_string().parse()?;
//! assert!(state.pause(now).is_zero());
//! let mut wait = state.machine(now);
//! assert!(matches!(wait.step(now), WaitStep::Poll { .. }));
//! wait.input(now, Ok(&Snapshot::default())); // still running
//! let mut state = WaitState::of(&wait, now).expect("the wait goes on");
//! assert!(state.pause(now) >= Duration::from_secs(5));
//! # Ok::<(), junfeiai::Error>(())
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Time;
use super::schedule::GRACE;
use super::wait::{Paused, WaitMachine, WaitPolicy};
use crate::error::{Error, ErrorKind, Phase, Result, one_line};
use crate::net::endpoint::check_task_id;
use crate::status::TaskStatus;
use crate::text::fields::Fields;
use crate::text::json;

/// The form that is written and read.
const VERSION: i64 = 1;
/// Longest text that is read as a state; what is written is shorter, whatever the server says.
const MAX_TEXT: usize = 16 * 1024;
/// The largest charge that is kept, in units: what any language holds in a number.
#[cfg(feature = "journal")]
const MAX_CHARGE: u64 = (1 << 53) - 1;
/// Beyond this a number of seconds is no time but "for ever".
const FOREVER: f64 = 1e15;

/// A wait between two polls, as plain data: made by `Task::wait_state`, continued by `Videos::advance`.
///
/// As text ([`fmt::Display`], [`FromStr`]), as JSON value ([`WaitState::to_json`], [`WaitState::from_json`]) and by serde it is
/// the same JSON object, of a few hundred bytes, which any binding and any later version reads. It holds the task's id and times,
/// never the key.
///
/// ```
/// # async fn run() -> junfeiai::Result<()> {
/// let client = junfeiai::Client::new("sk-1")?;
/// let state = client.videos().task("task_abc")?.wait_state()?;
/// let kept: String = state.to_string();
/// assert_eq!(kept.parse::<junfeiai::WaitState>()?, state);
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq)]
pub struct WaitState {
    /// When it was written, by the clock of the host that wrote it.
    saved: Time,
    wait: Box<Paused>,
}

impl WaitState {
    /// A wait that begins now, in unix time; see [`WaitMachine::new`].
    #[doc(hidden)]
    pub fn begin(id: &str, policy: WaitPolicy, created: Option<Time>, now: Time, seed: u64) -> Self {
        let wait = WaitMachine::new(id, policy, created, now, seed);
        // One that has just begun pauses, be it for no time.
        Self::of(&wait, now).unwrap_or_else(|| unreachable!("a wait begins with a pause"))
    }

    /// What a wait has come to at this unix time; `None` while a poll is under way and after the end.
    #[doc(hidden)]
    pub fn of(wait: &WaitMachine, now: Time) -> Option<Self> {
        let wait = wait.paused()?;
        let saved = whole_ms(now);
        let (created, asked_at) = (wait.created.map(whole_ms), wait.asked_at.map(whole_ms));
        let (due, deadline) = (whole_ms(wait.due), wait.deadline.map(whole_ms));
        let wait = Box::new(Paused { due, deadline, created, asked_at, ..wait });
        Some(Self { saved, wait })
    }

    /// How long until the next poll, by the clock of this host; zero when it is due. A clock behind that of the host that
    /// wrote the state cannot tell how much of the pause is over: then the state's pause begins anew, by this clock.
    #[doc(hidden)]
    pub fn pause(&mut self, now: Time) -> Duration {
        // The state holds whole milliseconds: within one, no clock is behind.
        let now = if now + Duration::from_millis(1) > self.saved { now.max(self.saved) } else { now };
        if now < self.saved {
            // One that was cut short for a last poll at the deadline is none by this clock.
            let least = self.wait.asked_at.map_or(Duration::ZERO, |_| self.wait.policy.least_gap());
            self.postpone(now, self.wait.due.since(self.saved).max(least));
        }
        self.wait.due.since(now)
    }

    /// Plans the poll that is due for later, since the client's schedule lets none leave for this long; the last one for the
    /// deadline, or right after it.
    #[doc(hidden)]
    pub fn defer(&mut self, now: Time, busy: Duration) {
        let pause = busy.max(self.wait.policy.interval);
        let last = self.wait.deadline.map_or(pause, |deadline| deadline.since(now).max(GRACE));
        self.postpone(now, pause.min(last));
    }

    fn postpone(&mut self, now: Time, pause: Duration) {
        let now = whole_ms(now);
        self.saved = now;
        self.wait.due = now + pause.min(self.wait.policy.longest_pause());
        self.wait.asked_at = self.wait.asked_at.map(|asked| asked.min(now));
    }

    /// The machine that continues it now that its pause is over, on unix time.
    #[doc(hidden)]
    pub fn machine(mut self, now: Time) -> WaitMachine {
        self.wait.due = self.wait.due.min(now);
        WaitMachine::resumed(*self.wait)
    }

    /// The state as it may be used against this kind of host: any but this machine is asked no faster than the service allows,
    /// whatever the state says.
    #[doc(hidden)]
    #[must_use]
    pub fn for_host(mut self, loopback: bool) -> Self {
        let wait = &mut self.wait;
        wait.policy = wait.policy.clone().for_host(loopback);
        wait.interval = wait.interval.clamp(wait.policy.interval, wait.policy.max_interval);
        if let Some(asked) = wait.asked_at {
            let least = asked + wait.policy.least_gap();
            // At the deadline the machine itself leaves out a poll that would come too soon.
            wait.due = wait.due.max(wait.deadline.map_or(least, |deadline| least.min(deadline)));
        }
        self
    }

    /// The task that is waited for.
    pub fn task_id(&self) -> &str {
        &self.wait.id
    }

    /// The status that the last answered poll showed; `None` before the first.
    pub fn last_status(&self) -> Option<TaskStatus> {
        self.wait.last_status
    }

    /// How many polls were made.
    pub fn polls(&self) -> u32 {
        self.wait.polls
    }

    /// Longest time for one poll.
    #[doc(hidden)]
    pub fn call_timeout(&self) -> Duration {
        self.wait.policy.call_timeout
    }

    /// When the wait gives up, in unix time.
    #[doc(hidden)]
    pub fn deadline(&self) -> Option<Time> {
        self.wait.deadline
    }

    /// The state as a JSON object.
    pub fn to_json(&self) -> Value {
        let wait = &*self.wait;
        let policy = &wait.policy;
        let policy = object([
            ("poll_interval", seconds(policy.interval)),
            ("max_poll_interval", seconds(policy.max_interval)),
            ("timeout", policy.timeout.map_or(Value::Null, seconds)),
            ("poll_timeout", seconds(policy.call_timeout)),
            ("max_poll_errors", policy.max_errors.into()),
            ("visible_after", seconds(policy.visible_after)),
        ]);
        object([
            ("junfeiai_wait", VERSION.into()),
            ("task_id", wait.id.as_ref().into()),
            ("saved", unix(self.saved)),
            ("due", unix(wait.due)),
            ("deadline", wait.deadline.map_or(Value::Null, unix)),
            ("created", wait.created.map_or(Value::Null, unix)),
            ("asked", wait.asked_at.map_or(Value::Null, unix)),
            ("interval", seconds(wait.interval)),
            ("polls", wait.polls.into()),
            ("errors", wait.errors.into()),
            ("not_found", wait.not_found.into()),
            ("status", wait.last_status.map(TaskStatus::name).into()),
            // Only shown until a failed task's charge is returned, so a later step cannot ask for it.
            #[cfg(feature = "journal")]
            ("charged", wait.charged.filter(|units| *units <= MAX_CHARGE).into()),
            ("error", wait.last_error.as_deref().into()),
            // As text: not every language holds 64 bits in a number.
            ("seed", format!("{:016x}", wait.seed).into()),
            ("policy", policy),
        ])
    }

    /// Reads a state. Fields that are not known are passed over: a later version may have more.
    ///
    /// # Errors
    /// `invalid_request` for what no version of this library has written, naming the field; and for a state of another
    /// version of the form.
    pub fn from_json(value: Value) -> Result<Self> {
        let id = value.get("task_id").and_then(Value::as_str).filter(|id| check_task_id(id).is_ok()).map(str::to_owned);
        read(value).map_err(|error| error.about(id.as_deref()))
    }
}

fn read(value: Value) -> Result<WaitState> {
    #[cfg(feature = "journal")]
    // Of no use to the wait itself: what is no charge is none.
    let charged = value.get("charged").and_then(Value::as_u64).filter(|units| *units <= MAX_CHARGE);
    let mut fields = Fields::of(value, ErrorKind::InvalidRequest, Phase::Wait, "the wait state")?;
    match fields.whole("junfeiai_wait")? {
        Some(VERSION) => {}
        Some(other) => {
            let text = format!(
                "the wait state is of version {other}, but this version of junfeiai reads version {VERSION}: \
                 use the same version of junfeiai everywhere"
            );
            return Err(fields.refuse("junfeiai_wait", text));
        }
        None => {
            let text = "this is no wait state: it has no field junfeiai_wait; pass what wait_state returned";
            return Err(fields.refuse("junfeiai_wait", text));
        }
    }
    let policy = Value::Object(fields.object("policy")?);
    let policy = read_policy(Fields::of(policy, ErrorKind::InvalidRequest, Phase::Wait, "the policy")?)?;
    let id = needed(&mut fields, "task_id", Fields::text)?;
    check_task_id(&id)?;
    let saved = needed(&mut fields, "saved", time)?;
    let asked_at = time(&mut fields, "asked")?.map(|asked| asked.min(saved));
    let due = needed(&mut fields, "due", time)?;
    let deadline = time(&mut fields, "deadline")?;
    if deadline.is_none() && policy.timeout.is_some() {
        return Err(fields.refuse("deadline", "the wait state has lost its field deadline: pass it unchanged"));
    }
    let seed = needed(&mut fields, "seed", Fields::text)?;
    let seed =
        u64::from_str_radix(&seed, 16).map_err(|_| fields.refuse("seed", "seed must be 16 hexadecimal digits"))?;
    let wait = Paused {
        id: id.into(),
        due: due.clamp(saved, saved + policy.longest_pause()),
        deadline,
        created: time(&mut fields, "created")?.map(|created| created.min(saved)),
        asked_at,
        interval: span(&mut fields, "interval")?.unwrap_or(policy.interval).clamp(policy.interval, policy.max_interval),
        polls: count(&mut fields, "polls")?,
        errors: count(&mut fields, "errors")?,
        not_found: count(&mut fields, "not_found")?,
        last_status: fields.text("status")?.map(|name| TaskStatus::from_server(&name)),
        #[cfg(feature = "journal")]
        charged,
        last_error: fields.text("error")?.map(|text| one_line(&text).into()),
        seed,
        policy,
    };
    Ok(WaitState { saved, wait: Box::new(wait) })
}

fn read_policy(mut fields: Fields) -> Result<WaitPolicy> {
    let interval = needed(&mut fields, "poll_interval", span)?;
    let policy = WaitPolicy {
        interval,
        max_interval: needed(&mut fields, "max_poll_interval", span)?.max(interval),
        timeout: span(&mut fields, "timeout")?.filter(|timeout| *timeout < Duration::MAX),
        call_timeout: needed(&mut fields, "poll_timeout", span)?,
        max_errors: count(&mut fields, "max_poll_errors")?,
        visible_after: needed(&mut fields, "visible_after", span)?,
    };
    policy.check()?;
    Ok(policy)
}

fn needed<T>(
    fields: &mut Fields,
    name: &'static str,
    read: impl FnOnce(&mut Fields, &'static str) -> Result<Option<T>>,
) -> Result<T> {
    read(fields, name)?
        .ok_or_else(|| fields.refuse(name, format!("the wait state has lost its field {name}: pass it unchanged")))
}

fn count(fields: &mut Fields, name: &'static str) -> Result<u32> {
    match fields.whole(name)? {
        None => Ok(0),
        Some(count) if count >= 0 => Ok(u32::try_from(count).unwrap_or(u32::MAX)),
        Some(_) => Err(fields.refuse(name, format!("{name} must not be negative"))),
    }
}

/// Seconds as a duration, the longest there is for what no clock can hold.
fn span(fields: &mut Fields, name: &'static str) -> Result<Option<Duration>> {
    match fields.number(name)? {
        None => Ok(None),
        Some(seconds) if seconds >= FOREVER => Ok(Some(Duration::MAX)),
        Some(seconds) if seconds >= 0.0 => Ok(Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))),
        Some(_) => Err(fields.refuse(name, format!("{name} must not be negative"))),
    }
}

/// Unix seconds, exact to the millisecond, as a time.
fn time(fields: &mut Fields, name: &'static str) -> Result<Option<Time>> {
    let since = span(fields, name)?;
    Ok(since.map(|since| {
        let rounded = since.saturating_add(Duration::from_micros(500));
        let ms = u64::try_from(rounded.as_millis()).map_or(Duration::MAX, Duration::from_millis);
        Time::from_start(ms)
    }))
}

/// A time in whole milliseconds, as it is written.
fn whole_ms(time: Time) -> Time {
    let ms = time.since(Time::default()).saturating_add(Duration::from_nanos(999_999)).as_millis();
    Time::from_start(u64::try_from(ms).map_or(Duration::MAX, Duration::from_millis))
}

/// A time as unix seconds.
fn unix(time: Time) -> Value {
    (time.since(Time::default()).as_millis() as f64 / 1000.0).into()
}

fn seconds(duration: Duration) -> Value {
    duration.as_secs_f64().into()
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One line of JSON.
impl fmt::Display for WaitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&json::write(&self.to_json()))
    }
}

impl fmt::Debug for WaitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for WaitState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let value = Some(text).filter(|text| text.len() <= MAX_TEXT).and_then(|text| json::parse(text.as_bytes()));
        let refuse = || {
            let text = "this is no wait state: pass the JSON text that was made of one, unchanged";
            Error::new(ErrorKind::InvalidRequest, Phase::Wait, text)
        };
        Self::from_json(value.ok_or_else(refuse)?)
    }
}

impl Serialize for WaitState {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WaitState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[path = "wait_state_tests.rs"]
mod tests;
