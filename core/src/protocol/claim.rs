//! Creating once per key: what becomes of a create request whose key is known already.
//!
//! ```text
//!            nothing is known of the key, or its task failed and another is wanted
//!  ┌──────┐ ─────────────────────────────────────────────────────▶ Claim ── claimed: send it
//!  │ Look │                                                          │ taken by another
//!  └──────┘ ── another request under the key ───────────────────────▶ Done(idempotency_conflict)
//!     ▲    ── there is a task ──────────────────────────────────────▶ Done(that task)
//!     │    ── its task failed ──────────────────────────────────────▶ Done(task_failed)
//!     │    ── its sender is gone, or its answer was lost ───────────▶ Done(create_outcome_unknown)
//!     └─────── somebody is sending it right now: WaitUntil ───────────▶ Done(timeout) when that takes too long
//! ```
//!
//! Whether a key is free is decided by the [`Ledger`](super::ledger::Ledger) in one step with keeping the claim; this
//! machine only judges what is found.
//!
//! ```
//! use std::time::Duration;
//! use junfeiai::protocol::Time;
//! use junfeiai::protocol::claim::{ClaimMachine, ClaimStep, KeyedRequest};
//!
//! let request = KeyedRequest::new("film-4711/scene-3", "5f0c…", [("prompt", "A red ball")])?;
//! let now = Time::default();
//! let mut claim = ClaimMachine::new(request, false, now + Duration::from_secs(180));
//! assert!(matches!(claim.step(now), ClaimStep::Look));
//! claim.input(now, None, false); // nothing is known of it
//! assert!(matches!(claim.step(now), ClaimStep::Claim));
//! # Ok::<(), junfeiai::Error>(())
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use super::Time;
use super::ledger::{Entry, OrderKey, State};
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::status::TaskStatus;

/// Longest key, in bytes.
pub const MAX_KEY: usize = 200;
/// Most bytes that are kept of a request's fields as JSON: with everything else they have room in one record.
const MAX_FIELDS: usize = 32 * 1024;
/// The pause between two looks at a create request that another sends; it grows to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A create request with a key.
#[derive(Debug, Clone)]
pub struct KeyedRequest {
    key: String,
    fingerprint: String,
    fields: BTreeMap<String, String>,
}

impl KeyedRequest {
    /// A request with this key: the SHA-256 of its body, and its fields in a form that can be kept and compared.
    ///
    /// # Errors
    /// `invalid_request` when the text cannot be a key, or the fields are too many to be kept.
    pub fn new<N: Into<String>, V: Into<String>>(
        key: &str,
        fingerprint: impl Into<String>,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self> {
        check_key(key)?;
        let fields: BTreeMap<String, String> =
            fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        if serde_json::to_string(&fields).is_ok_and(|text| text.len() > MAX_FIELDS) {
            // Only these can be so many.
            let text = "extra is too large for a request with a key: the journal keeps the names of its fields";
            return Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "extra", text));
        }
        Ok(Self { key: key.to_owned(), fingerprint: fingerprint.into(), fields })
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the journal keeps of it.
    pub fn order(&self) -> OrderKey {
        OrderKey { name: self.key.clone(), attempt: 1, fields: self.fields.clone() }
    }

    /// What differs from the request that the key was used for; `None` when it is the same one.
    fn difference(&self, entry: &Entry) -> Option<String> {
        if entry.order.as_ref().is_some_and(|order| order.fingerprint == self.fingerprint) {
            return None;
        }
        let none = BTreeMap::new();
        let former = entry.key().map_or(&none, |key| &key.fields);
        let names = former.keys().chain(self.fields.keys().filter(|name| !former.contains_key(*name)));
        let differs = names.filter(|name| former.get(*name) != self.fields.get(*name));
        let parts: Vec<String> =
            differs.map(|name| difference(name, former.get(name), self.fields.get(name))).collect();
        // The same fields in another order are the same request.
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn difference(name: &str, former: Option<&String>, now: Option<&String>) -> String {
    match (former, now) {
        (Some(_), None) => format!("{name} was given and is not now"),
        (None, Some(_)) => format!("{name} was not given and is now"),
        (Some(former), Some(now)) if !former.starts_with(HASHED) && !now.starts_with(HASHED) => {
            format!("{name} was {former} and is {now}")
        }
        _ => format!("{name} differs"),
    }
}

/// How a field begins of which only a hash is kept.
const HASHED: &str = "sha256:";

/// The fields of a request's JSON body in a form that can be kept: short words as they are, everything else (prompts and
/// images above all) as the beginning of its SHA-256.
pub fn kept_fields(body: &[u8]) -> BTreeMap<String, String> {
    use sha2::{Digest as _, Sha256};
    const AS_IT_IS: [&str; 4] = ["model", "seconds", "duration", "size"];
    const LONGEST: usize = 40;
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_slice(body).unwrap_or_default();
    let kept = fields.into_iter().map(|(name, value)| {
        let text = value.to_string();
        let value = if AS_IT_IS.contains(&name.as_str()) && text.len() <= LONGEST {
            text
        } else {
            let mut hash = format!("{HASHED}{:x}", Sha256::digest(&text));
            hash.truncate(HASHED.len() + 16);
            hash
        };
        (name, value)
    });
    kept.collect()
}

/// Refuses what cannot be a key.
///
/// # Errors
/// `invalid_request`.
pub fn check_key(key: &str) -> Result<()> {
    let text = if key.is_empty() {
        "key must not be empty: name the job, or leave the key out"
    } else if key.len() > MAX_KEY {
        "key is too long: it may have 200 bytes"
    } else if key.chars().any(char::is_control) {
        "key must not hold control characters"
    } else {
        return Ok(());
    };
    Err(about_key(ErrorKind::InvalidRequest, text))
}

fn about_key(kind: ErrorKind, text: impl Into<String>) -> Error {
    Error::field(kind, Phase::Create, "key", text)
}

/// What the driver shall do next.
#[derive(Debug)]
pub enum ClaimStep {
    /// Look up the key and say what was found.
    Look,
    /// Claim the key. The request is sent when that succeeds; else say what was found.
    Claim,
    /// Ask the machine again at this time.
    WaitUntil(Time),
    /// Nothing is to be sent: this was created under the key, or this is wrong.
    Done(Result<Box<Entry>>),
}

#[derive(Debug)]
enum Next {
    Look,
    Claim,
    Pause(Time),
    Done(Result<Box<Entry>>),
}

/// The machine of one create request with a key. See the [module documentation](self).
#[derive(Debug)]
pub struct ClaimMachine {
    request: KeyedRequest,
    retry_failed: bool,
    deadline: Time,
    pause: Duration,
    /// The create request whose sender was gone at the last look.
    gone: Option<String>,
    next: Next,
}

impl ClaimMachine {
    /// A request with a key. It waits until the deadline for another that sends the same request. `retry_failed` asks for
    /// another task when the key's task failed.
    pub fn new(request: KeyedRequest, retry_failed: bool, deadline: Time) -> Self {
        Self { request, retry_failed, deadline, pause: FIRST_PAUSE, gone: None, next: Next::Look }
    }

    /// The request.
    pub fn request(&self) -> &KeyedRequest {
        &self.request
    }

    /// Whether another task is wanted when the key's task failed.
    pub fn retries_failed(&self) -> bool {
        self.retry_failed
    }

    /// What to do now.
    pub fn step(&mut self, now: Time) -> ClaimStep {
        match &self.next {
            Next::Pause(until) if now < *until => ClaimStep::WaitUntil(*until),
            Next::Look | Next::Pause(_) => ClaimStep::Look,
            Next::Claim => ClaimStep::Claim,
            Next::Done(result) => ClaimStep::Done(result.clone()),
        }
    }

    /// Says what was found under the key, and whether its sender may still get an answer.
    ///
    /// A sender that ends between the look at the journal and the look at its process has written the outcome before it ended, so
    /// one that is gone is looked up once more.
    pub fn input(&mut self, now: Time, found: Option<&Entry>, in_flight: bool) {
        let gone = found.filter(|entry| entry.state == State::Sending && !in_flight).map(|entry| &entry.intent);
        if gone.is_some() && gone != self.gone.as_ref() {
            self.gone = gone.cloned();
            self.next = Next::Look;
            return;
        }
        self.next = match found.map(|entry| self.judge(entry, in_flight)) {
            None | Some(Verdict::Claim) => Next::Claim,
            Some(Verdict::Wait(sender)) => self.wait(now, sender),
            Some(Verdict::Done(result)) => Next::Done(result),
        };
    }

    fn judge(&self, entry: &Entry, in_flight: bool) -> Verdict {
        let key = &self.request.key;
        if let Some(difference) = self.request.difference(entry) {
            let text = format!("the key {key:?} was used for another request: {difference}");
            let error = about_key(ErrorKind::IdempotencyConflict, text);
            return Verdict::Done(Err(error.about(entry.state.task_id())));
        }
        match &entry.state {
            State::Sending if in_flight => {
                Verdict::Wait(entry.order.as_ref().and_then(|order| Some(order.process.as_ref()?.pid)))
            }
            State::Sending | State::Unknown { .. } => {
                let text = format!(
                    "the outcome of an earlier create request of the key {key:?} is not known (intent {})",
                    entry.intent
                );
                Verdict::Done(Err(about_key(ErrorKind::CreateOutcomeUnknown, text)))
            }
            State::Failed { .. } if self.retry_failed => Verdict::Claim,
            State::Failed { task_id } => {
                let attempt = entry.key().map_or(1, |key| key.attempt);
                let text =
                    format!("the task of the key {key:?} failed (attempt {attempt}); retry_failed creates another one");
                let error = about_key(ErrorKind::TaskFailed, text).with_task(task_id);
                Verdict::Done(Err(error.with(|record| record.last_status = Some(TaskStatus::Failed))))
            }
            State::Created { .. } | State::Succeeded { .. } | State::Saved { .. } | State::Forgotten { .. } => {
                Verdict::Done(Ok(Box::new(entry.clone())))
            }
        }
    }

    fn wait(&mut self, now: Time, sender: Option<u32>) -> Next {
        if now >= self.deadline {
            let sender = sender.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
            let text = format!("{sender} is still sending the create request of the key {:?}", self.request.key);
            return Next::Done(Err(about_key(ErrorKind::Timeout, text)));
        }
        let until = (now + self.pause).min(self.deadline);
        self.pause = self.pause.mul_f64(1.5).min(MAX_PAUSE);
        Next::Pause(until)
    }
}

enum Verdict {
    Claim,
    Wait(Option<u32>),
    Done(Result<Box<Entry>>),
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::protocol::ledger::Order;

    const BODY: &[u8] = br#"{"model":"grok-image-video","prompt":"A red ball","seconds":"6"}"#;

    fn request(body: &[u8]) -> KeyedRequest {
        KeyedRequest::new("film/1", String::from_utf8_lossy(body), kept_fields(body)).unwrap()
    }

    fn entry(state: State) -> Entry {
        let request = request(BODY);
        Entry {
            intent: "1f".into(),
            model: "grok-image-video".into(),
            at: 1,
            changed_at: 1,
            order: Some(Order {
                fingerprint: request.fingerprint.clone(),
                model: "grok-image-video".into(),
                seconds: None,
                prompt: None,
                until: None,
                process: None,
                key: Some(request.order()),
                account: None,
                estimate: None,
            }),
            state,
            request_id: None,
            saving: None,
            charged: None,
        }
    }

    fn machine(body: &[u8], retry_failed: bool) -> ClaimMachine {
        ClaimMachine::new(request(body), retry_failed, Time::default() + Duration::from_secs(10))
    }

    fn judged(state: State, in_flight: bool, retry_failed: bool) -> ClaimStep {
        let mut claim = machine(BODY, retry_failed);
        assert!(matches!(claim.step(Time::default()), ClaimStep::Look));
        claim.input(Time::default(), Some(&entry(state.clone())), in_flight);
        if state == State::Sending && !in_flight {
            assert!(matches!(claim.step(Time::default()), ClaimStep::Look), "its sender may have written how it ended");
            claim.input(Time::default(), Some(&entry(state)), in_flight);
        }
        claim.step(Time::default())
    }

    fn refused(step: ClaimStep) -> Error {
        match step {
            ClaimStep::Done(Err(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    /// Its sender wrote the outcome and ended while we looked from the journal to the list of processes.
    #[test]
    fn what_the_sender_wrote_before_it_ended_is_found() {
        let mut claim = machine(BODY, false);
        claim.input(Time::default(), Some(&entry(State::Sending)), false);
        assert!(matches!(claim.step(Time::default()), ClaimStep::Look));
        claim.input(Time::default(), Some(&entry(State::Created { task_id: "task_1".to_owned() })), false);
        assert!(
            matches!(claim.step(Time::default()), ClaimStep::Done(Ok(found)) if found.state.task_id() == Some("task_1"))
        );
        // Another request took its place: its sender is a different one.
        let mut claim = machine(BODY, false);
        claim.input(Time::default(), Some(&entry(State::Sending)), false);
        let other = Entry { intent: "2f".into(), ..entry(State::Sending) };
        claim.input(Time::default(), Some(&other), false);
        assert!(matches!(claim.step(Time::default()), ClaimStep::Look));
        claim.input(Time::default(), Some(&other), false);
        assert_eq!(refused(claim.step(Time::default())).kind(), ErrorKind::CreateOutcomeUnknown);
    }

    #[test]
    fn what_was_created_under_the_key_is_given() {
        let id = || "task_1".to_owned();
        for state in [
            State::Created { task_id: id() },
            State::Succeeded { task_id: id() },
            State::Saved { task_id: id(), path: "/a.mp4".into(), bytes: 1 },
            State::Forgotten { task_id: id() },
        ] {
            for retry_failed in [false, true] {
                match judged(state.clone(), false, retry_failed) {
                    ClaimStep::Done(Ok(found)) => assert_eq!(found.state, state),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn a_failed_task_is_created_anew_only_when_that_is_asked_for() {
        let failed = || State::Failed { task_id: "task_1".into() };
        assert!(matches!(judged(failed(), false, true), ClaimStep::Claim));
        let error = refused(judged(failed(), false, false));
        assert_eq!((error.kind(), error.task_id()), (ErrorKind::TaskFailed, Some("task_1")), "{error}");
    }

    #[test]
    fn an_outcome_that_is_not_known_is_never_tried_again() {
        for (state, in_flight) in [(State::Sending, false), (State::Unknown { reason: "timeout".into() }, false)] {
            for retry_failed in [false, true] {
                let error = refused(judged(state.clone(), in_flight, retry_failed));
                assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown);
                assert!(error.maybe_executed() && error.to_string().contains("intent 1f"), "{error}");
            }
        }
    }

    #[test]
    fn another_request_is_refused_with_what_differs() {
        for (body, what) in [
            (r#"{"model":"grok-image-video","prompt":"A blue ball","seconds":"6"}"#, "prompt differs"),
            (r#"{"model":"grok-image-video","prompt":"A red ball","seconds":"8"}"#, r#"seconds was "6" and is "8""#),
            (r#"{"model":"grok-image-video","prompt":"A red ball"}"#, "seconds was given and is not now"),
            (
                r#"{"model":"grok-image-video","prompt":"A red ball","seconds":"6","image":"https://a"}"#,
                "image was not given and is now",
            ),
        ] {
            let mut claim = machine(body.as_bytes(), true);
            // Whatever became of the other one.
            for state in [State::Sending, State::Failed { task_id: "task_1".into() }] {
                claim.input(Time::default(), Some(&entry(state)), true);
                let error = refused(claim.step(Time::default()));
                assert_eq!(error.kind(), ErrorKind::IdempotencyConflict);
                assert!(error.to_string().contains(what), "{error}");
                assert!(!error.to_string().contains("ball"), "a prompt is nobody else's: {error}");
            }
        }
    }

    #[test]
    fn a_request_that_another_sends_is_waited_for_until_the_deadline() {
        let (mut claim, mut now) = (machine(BODY, false), Time::default());
        let mut looks = 0;
        let error = loop {
            match claim.step(now) {
                ClaimStep::Look => {
                    looks += 1;
                    claim.input(now, Some(&entry(State::Sending)), true);
                }
                ClaimStep::WaitUntil(time) => now = time,
                step => break refused(step),
            }
        };
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::Timeout, false), "{error}");
        assert_eq!(now.since(Time::default()), Duration::from_secs(10));
        assert!((8..=12).contains(&looks), "{looks} looks in 10 s");
        // Its outcome is taken as soon as it is there.
        let mut claim = machine(BODY, false);
        claim.input(Time::default(), Some(&entry(State::Sending)), true);
        let now = Time::default() + Duration::from_secs(1);
        assert!(matches!(claim.step(now), ClaimStep::Look));
        claim.input(now, Some(&entry(State::Created { task_id: "task_1".into() })), false);
        assert!(matches!(claim.step(now), ClaimStep::Done(Ok(_))));
        // And a key that became free meanwhile (the other was refused) is claimed.
        claim.input(now, None, false);
        assert!(matches!(claim.step(now), ClaimStep::Claim));
    }

    #[test]
    fn more_fields_than_can_be_kept_are_refused() {
        let fields = |count: usize| (0..count).map(|number| (format!("field {number}"), "sha256:0123456789abcdef"));
        KeyedRequest::new("k", "f", fields(500)).unwrap();
        let error = KeyedRequest::new("k", "f", fields(2000)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(error.record().field.as_deref(), Some("extra"), "{error}");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused() {
        for key in ["", "a\nb", "\0", "a\u{7f}", &"k".repeat(201), &"é".repeat(101)] {
            let error = check_key(key).unwrap_err();
            assert_eq!(error.record().field.as_deref(), Some("key"), "{error}");
        }
        for key in ["a", "film-4711/scene 3", "é".repeat(100).as_str(), "\u{1f600}"] {
            check_key(key).unwrap();
        }
    }
}
