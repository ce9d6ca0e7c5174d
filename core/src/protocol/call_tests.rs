#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;
use crate::net::transport::{Failure, Headers};

const TIMEOUT: Duration = Duration::from_secs(180);
/// A wall clock for `Retry-After` dates: Sun, 06 Nov 1994 08:49:37 GMT.
const UNIX: u64 = 784_111_777;

fn start() -> Time {
    Time::from_start(Duration::from_secs(1000))
}

fn machine(phase: Phase, policy: RetryPolicy) -> CallMachine {
    let safety = if phase == Phase::Create { Safety::AtMostOnce } else { Safety::Idempotent };
    CallMachine::new(phase, safety, policy, TIMEOUT, start(), 3)
}

fn create() -> CallMachine {
    machine(Phase::Create, RetryPolicy::default())
}

fn query() -> CallMachine {
    machine(Phase::Query, RetryPolicy::default())
}

fn answer(status: u16) -> ApiResponse {
    with_headers(status, Headers::new())
}

fn with_headers(status: u16, headers: Headers) -> ApiResponse {
    let body = if status < 400 { &br#"{"id":"task_1"}"#[..] } else { &br#"{"error":{"message":"no"}}"#[..] };
    ApiResponse::received(status, headers, body, Some(UNIX))
}

fn answered(status: u16) -> CallEvent {
    CallEvent::Answered(answer(status))
}

fn later(status: u16, retry_after: &str) -> CallEvent {
    CallEvent::Answered(with_headers(status, Headers::from_iter([("Retry-After", retry_after)])))
}

fn failed(failure: Failure) -> CallEvent {
    CallEvent::Failed(TransportError::new(failure, "it failed"))
}

/// Sends, sleeping over pauses, and hands in the event; the time of the attempt.
fn attempt(call: &mut CallMachine, now: &mut Time, event: CallEvent) -> Time {
    if let CallStep::WaitUntil(until) = call.step(*now) {
        assert!(until > *now);
        *now = until;
    } else {
        // The step above was the attempt itself.
        call.input(*now, event);
        return *now;
    }
    assert!(matches!(call.step(*now), CallStep::Send { .. }));
    call.input(*now, event);
    *now
}

fn done(call: &mut CallMachine, now: Time) -> Result<ApiResponse> {
    match call.step(now) {
        CallStep::Done(result) => result,
        step => panic!("the end was expected, not {step:?}"),
    }
}

fn pause(call: &mut CallMachine, now: Time) -> Duration {
    match call.step(now) {
        CallStep::WaitUntil(until) => until.since(now),
        step => panic!("a pause was expected, not {step:?}"),
    }
}

/// One attempt with this outcome: does it go on?
fn goes_on_after(mut call: CallMachine, event: CallEvent) -> Result<Duration, Error> {
    let CallStep::Send { attempt: 1, timeout: TIMEOUT } = call.step(start()) else { panic!() };
    call.input(start(), event);
    match call.step(start()) {
        CallStep::WaitUntil(until) => Ok(until.since(start())),
        CallStep::Done(result) => Err(result.unwrap_err()),
        step @ CallStep::Send { .. } => panic!("without any pause: {step:?}"),
    }
}

#[test]
fn a_good_answer_ends_it() {
    for mut call in [create(), query()] {
        assert!(matches!(call.step(start()), CallStep::Send { attempt: 1, timeout: TIMEOUT }));
        call.input(start(), answered(200));
        assert_eq!(done(&mut call, start()).unwrap().status, 200);
        assert_eq!(call.attempts(), 1);
    }
}

#[test]
fn a_read_is_tried_again_after_whatever_may_pass() {
    for failure in [Failure::Dns, Failure::Connect, Failure::Tls, Failure::Timeout, Failure::Lost] {
        assert!(goes_on_after(query(), failed(failure)).is_ok(), "{failure:?}");
    }
    for status in [408, 429, 499, 500, 502, 503, 504, 520, 524] {
        assert!(goes_on_after(query(), answered(status)).is_ok(), "{status}");
    }
    for (status, kind) in [
        (301, ErrorKind::UnexpectedResponse),
        (400, ErrorKind::BadRequest),
        (401, ErrorKind::Authentication),
        (403, ErrorKind::PermissionDenied),
        (404, ErrorKind::NotFound),
        (413, ErrorKind::BadRequest),
    ] {
        let error = goes_on_after(query(), answered(status)).unwrap_err();
        assert_eq!((error.kind(), error.record().attempts, error.maybe_executed()), (kind, 1, false));
    }
}

/// The same certificate is shown the next time.
#[test]
fn a_certificate_that_is_not_valid_ends_every_call_at_once() {
    for call in [query(), create()] {
        let error = goes_on_after(call, failed(Failure::Certificate)).unwrap_err();
        assert_eq!((error.kind(), error.record().attempts), (ErrorKind::Connect, 1));
        assert!(!error.is_transient() && !error.maybe_executed(), "{error}");
        assert!(error.to_string().contains("no secure connection"), "{error}");
    }
}

#[test]
fn a_create_is_tried_again_only_when_it_was_not_accepted() {
    for failure in [Failure::Dns, Failure::Connect, Failure::Tls] {
        assert!(goes_on_after(create(), failed(failure)).is_ok(), "{failure:?}");
    }
    assert!(goes_on_after(create(), answered(429)).is_ok());
    for event in [
        failed(Failure::Timeout),
        failed(Failure::Lost),
        answered(408),
        answered(499),
        answered(101),
        answered(500),
        answered(502),
        answered(524),
    ] {
        let what = format!("{event:?}");
        let error = goes_on_after(create(), event).unwrap_err();
        assert_eq!((error.kind(), error.maybe_executed()), (ErrorKind::CreateOutcomeUnknown, true), "{what}");
        assert_eq!(error.record().attempts, 1);
    }
    for status in [307, 400, 401, 403, 404, 413, 422] {
        let error = goes_on_after(create(), answered(status)).unwrap_err();
        assert!(!error.maybe_executed(), "{status} means refused");
    }
}

#[test]
fn refused_on_our_side_is_final() {
    let refused = || CallEvent::Refused(Error::new(ErrorKind::UntrustedHost, Phase::Query, "not there"));
    for call in [create(), query()] {
        assert_eq!(goes_on_after(call, refused()).unwrap_err().kind(), ErrorKind::UntrustedHost);
    }
}

#[test]
fn a_broken_body_is_a_lost_read() {
    let broken = |status| CallEvent::Broken(answer(status), TransportError::new(Failure::Lost, "cut"));
    assert!(goes_on_after(query(), broken(200)).is_ok());
    // A refusal stays one without its last bytes.
    assert_eq!(goes_on_after(query(), broken(401)).unwrap_err().kind(), ErrorKind::Authentication);
    assert!(goes_on_after(create(), broken(429)).is_ok());
    assert!(goes_on_after(create(), broken(502)).unwrap_err().maybe_executed());
    // What a create answered is not thrown away: the id may be in it.
    let mut call = create();
    assert!(matches!(call.step(start()), CallStep::Send { .. }));
    call.input(start(), broken(200));
    assert_eq!(&done(&mut call, start()).unwrap().body[..], br#"{"id":"task_1"}"#);
}

#[test]
fn retry_after_in_seconds_or_as_a_date_is_obeyed() {
    let jitter = RetryPolicy::default().base;
    for (text, seconds) in
        [("7", 7), ("0", 0), ("Sun, 06 Nov 1994 08:49:47 GMT", 10), ("Sun, 06 Nov 1994 08:00:00 GMT", 0)]
    {
        for call in [create(), query()] {
            let pause = goes_on_after(call, later(429, text)).unwrap();
            let asked = Duration::from_secs(seconds);
            assert!(pause >= asked && pause <= asked + jitter, "{text}: {pause:?}");
        }
    }
    // Longer than anyone would wait: the error says how long.
    let error = goes_on_after(create(), later(429, "600")).unwrap_err();
    assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(600))));
    assert!(!error.maybe_executed());
}

#[test]
fn pauses_grow_and_attempts_are_counted() {
    let mut call = query();
    let mut now = start();
    let mut times = Vec::new();
    for number in 1..=4_u32 {
        match call.step(now) {
            CallStep::Send { attempt, .. } => assert_eq!(attempt, number),
            step => panic!("{step:?}"),
        }
        call.input(now, answered(502));
        times.push(now);
        if number < 4 {
            let pause = pause(&mut call, now);
            let ceiling = Duration::from_millis(500 << (number - 1));
            assert!(pause <= ceiling && pause >= ceiling / 2, "{pause:?}");
            assert_eq!(call.attempts(), number);
            // Asked too early, it waits for the same moment.
            assert!(matches!(call.step(now + pause / 2), CallStep::WaitUntil(until) if until == now + pause));
            now = now + pause;
        }
    }
    let error = done(&mut call, now).unwrap_err();
    assert_eq!((error.kind(), error.record().attempts, error.status()), (ErrorKind::Upstream, 4, Some(502)));
}

#[test]
fn the_last_error_tells_the_truth() {
    // Refused, then sent and lost: the second may have been carried out.
    let mut now = start();
    let mut call = create();
    attempt(&mut call, &mut now, answered(429));
    attempt(&mut call, &mut now, failed(Failure::Lost));
    let error = done(&mut call, now).unwrap_err();
    assert_eq!((error.maybe_executed(), error.record().attempts), (true, 2));
    // Never anything but refused.
    let mut call = create();
    for event in [answered(429), failed(Failure::Connect), failed(Failure::Dns), answered(429)] {
        attempt(&mut call, &mut now, event);
    }
    let error = done(&mut call, now).unwrap_err();
    assert_eq!((error.kind(), error.maybe_executed(), error.record().attempts), (ErrorKind::RateLimited, false, 4));
}

#[test]
fn a_single_attempt_is_a_single_attempt() {
    for max_attempts in [0, 1] {
        let policy = RetryPolicy { max_attempts, ..RetryPolicy::default() };
        let error = goes_on_after(machine(Phase::Query, policy), answered(502)).unwrap_err();
        assert_eq!(error.record().attempts, 1);
    }
}

#[test]
fn the_budget_ends_it() {
    let policy = RetryPolicy { max_attempts: 1000, ..RetryPolicy::default() };
    let budget = policy.budget;
    let mut call = machine(Phase::Query, policy);
    let mut now = start();
    let mut last = now;
    loop {
        match call.step(now) {
            CallStep::Send { .. } => {
                last = now;
                now = now + Duration::from_secs(1);
                call.input(now, answered(502));
            }
            CallStep::WaitUntil(until) => now = until,
            CallStep::Done(result) => break drop(result.unwrap_err()),
        }
    }
    assert!(last.since(start()) <= budget && last.since(start()) > budget / 2);
}

#[test]
fn words_out_of_turn_send_nothing() {
    let mut call = create();
    call.input(start(), answered(200));
    assert!(matches!(call.step(start()), CallStep::Send { attempt: 1, .. }));
    // Asked again while sending.
    assert_eq!(done(&mut call, start()).unwrap_err().kind(), ErrorKind::Internal);
    call.input(start(), failed(Failure::Lost));
    // A second word about the same attempt.
    call.input(start(), answered(429));
    assert!(done(&mut call, start()).unwrap_err().maybe_executed());
    call.input(start(), answered(429));
    assert_eq!(done(&mut call, start() + TIMEOUT).unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(call.attempts(), 1);
}

#[derive(Debug, Clone)]
enum Outcome {
    Status(u16, Option<u32>),
    Broken(u16),
    Failed(Failure),
}

impl Outcome {
    /// What the server may have done, whatever the client heard of it.
    fn may_have_run(&self) -> bool {
        match self {
            Self::Status(status, _) | Self::Broken(status) => {
                *status < 300 || *status >= 500 || matches!(*status, 408 | 499)
            }
            Self::Failed(failure) => !failure.not_sent(),
        }
    }

    fn event(&self) -> CallEvent {
        match self {
            Self::Status(status, None) => answered(*status),
            Self::Status(status, Some(seconds)) => later(*status, &seconds.to_string()),
            Self::Broken(status) => CallEvent::Broken(answer(*status), TransportError::new(Failure::Lost, "cut")),
            Self::Failed(failure) => failed(*failure),
        }
    }
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let status = prop::sample::select(vec![
        101, 200, 202, 301, 400, 401, 403, 404, 408, 413, 429, 429, 429, 499, 500, 502, 503, 524,
    ]);
    let failure = prop::sample::select(vec![
        Failure::Dns,
        Failure::Connect,
        Failure::Tls,
        Failure::Certificate,
        Failure::Timeout,
        Failure::Lost,
    ]);
    prop_oneof![
        (status.clone(), prop::option::of(0_u32..90)).prop_map(|(status, after)| Outcome::Status(status, after)),
        status.prop_map(Outcome::Broken),
        failure.prop_map(Outcome::Failed),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_it_ends_and_pays_once(
        outcomes in prop::collection::vec((outcome(), 0_u64..200_000), 1..40),
        paid: bool,
        max_attempts in 0_u32..12,
        seed: u64,
    ) {
        let policy = RetryPolicy { max_attempts, ..RetryPolicy::default() };
        let (phase, safety) =
            if paid { (Phase::Create, Safety::AtMostOnce) } else { (Phase::Query, Safety::Idempotent) };
        let mut call = CallMachine::new(phase, safety, policy.clone(), TIMEOUT, start(), seed);
        let mut now = start();
        let mut ran = false;
        let mut sent = 0;
        let mut latest = now;
        let mut coming = outcomes.iter().cycle();
        let result = loop {
            match call.step(now) {
                CallStep::Send { attempt, timeout } => {
                    prop_assert!(!(paid && ran), "a create that may have run is sent again");
                    sent += 1;
                    prop_assert_eq!(attempt, sent);
                    prop_assert!(sent <= max_attempts.max(1));
                    prop_assert!(timeout <= TIMEOUT);
                    prop_assert!(now.since(start()) <= policy.budget);
                    let (outcome, took) = coming.next().unwrap();
                    ran |= outcome.may_have_run();
                    now = now + Duration::from_millis(*took).min(timeout);
                    call.input(now, outcome.event());
                }
                CallStep::WaitUntil(until) => {
                    prop_assert!(until > now && until >= latest, "time runs backwards");
                    latest = until;
                    now = until;
                }
                CallStep::Done(result) => break result,
            }
        };
        prop_assert_eq!(call.attempts(), sent);
        if let Err(error) = result {
            prop_assert_eq!(error.record().attempts, sent);
            // Never silent about money.
            prop_assert_eq!(error.maybe_executed(), paid && ran);
        } else {
            prop_assert!(ran);
        }
    }
}
