//! The machine of one wait under any order of answers: it never asks faster than the service allows, goes on through
//! failures, makes at most one poll at the deadline, and is over a last call after it.
//!
//! Input: eight bytes of setting, then events.
#![no_main]

use std::time::Duration;

use junfeiai::endpoint::Endpoint;
use junfeiai::protocol::{
    MIN_INTERVAL, Time, WaitMachine, WaitPolicy, WaitStep, classify, parse_query, transport_error,
};
use junfeiai::transport::{Failure, TransportError};
use junfeiai::{ErrorKind, Phase, Result, Snapshot, TaskStatus};
use junfeiai_fuzz::{Input, samples};
use libfuzzer_sys::fuzz_target;

const LAST_CALL: Duration = Duration::from_secs(5);

/// What a poll brings. Without more input the server fails for ever, which must end as well.
fn answer(input: &mut Input<'_>) -> Result<Snapshot> {
    match input.byte() % 4 {
        0 | 1 if !input.is_empty() => {
            let all = samples();
            let sample = &all[input.pair() % all.len()];
            if let Some(error) = classify(Phase::Query, &sample.answer) {
                return Err(error);
            }
            parse_query("task_1", &Endpoint::standard(), &sample.answer)
        }
        2 if !input.is_empty() => Ok(Snapshot::default()),
        _ => Err(transport_error(Phase::Query, TransportError::new(Failure::Lost, "reset"))),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let policy = WaitPolicy {
        interval: input.span().max(Duration::from_millis(1)),
        max_interval: input.span(),
        call_timeout: input.seconds().max(Duration::from_secs(1)),
        timeout: match input.byte() {
            0 => None,
            minutes => Some(Duration::from_secs(u64::from(minutes) * 20)),
        },
        max_errors: u32::from(input.byte()),
        visible_after: input.seconds(),
    }
    .for_host(false);
    let created = (input.byte() % 2 == 1).then(Time::default);
    let mut now = Time::default() + input.seconds();
    let began = now;
    let mut machine = WaitMachine::new("task_1", policy.clone(), created, now, u64::from(input.byte()));
    let deadline = machine.deadline();
    assert_eq!(deadline, policy.timeout.map(|timeout| began + timeout));
    let (mut asked, mut answered): (Option<Time>, Option<Time>) = (None, None);
    let mut last_seen = None;
    let (mut failed, mut last_made, mut not_before) = (0_u32, false, now);
    // When the input is used up the server fails for ever: then errors run out, if the deadline does not come first.
    for _ in 0..100_000 {
        match machine.step(now) {
            WaitStep::WaitUntil(until) => {
                assert!(until > now && machine.due() == Some(until));
                assert!(deadline.is_none_or(|deadline| until <= deadline), "a pause beyond the deadline");
                // The driver wakes up early, on time, or late.
                now = match input.byte() % 8 {
                    1 => now + until.since(now) / 2,
                    2 => until + input.span(),
                    _ => until,
                };
            }
            WaitStep::Poll { timeout } => {
                assert!(!last_made, "a poll after the last one");
                if let Some(asked) = asked {
                    assert!(now.since(asked) >= MIN_INTERVAL, "faster than the service allows: {:?}", now.since(asked));
                }
                assert!(answered.is_none_or(|at| now >= at));
                assert!(timeout <= policy.call_timeout);
                let left = deadline.map_or(Duration::MAX, |deadline| deadline.since(now));
                assert!(timeout <= left.max(LAST_CALL));
                let last = deadline.is_some_and(|deadline| now >= deadline);
                assert!(now >= not_before || last, "earlier than Retry-After says");
                asked = Some(now);
                last_made = last;
                // The driver gives a poll no more than its time.
                now = now + input.span().min(timeout);
                answered = Some(now);
                let result = answer(&mut input);
                last_seen = result.as_ref().ok().map(|seen| seen.status);
                let seen =
                    result.as_ref().map(|seen| seen.status).map_err(|error| (error.kind(), error.is_transient()));
                not_before = now + result.as_ref().err().and_then(junfeiai::Error::retry_after).unwrap_or_default();
                failed = if seen.is_ok() { 0 } else { failed + 1 };
                machine.input(now, result.as_ref().map_err(Clone::clone));
                let pausing = machine.due().is_some();
                match seen {
                    Ok(TaskStatus::Succeeded | TaskStatus::Failed) => assert!(!pausing, "it goes on after the end"),
                    // Still running, whatever the server calls it; and failing to ask is not failing.
                    Ok(_) => assert!(pausing || deadline.is_some_and(|deadline| now >= deadline)),
                    Err((kind, true)) if kind != ErrorKind::NotFound && failed <= policy.max_errors => {
                        assert!(
                            pausing || deadline.is_some_and(|deadline| now >= deadline),
                            "given up early: {kind:?}"
                        );
                    }
                    Err(_) => {}
                }
            }
            WaitStep::Done(result) => {
                match result {
                    Ok(()) => assert_eq!(last_seen, Some(TaskStatus::Succeeded)),
                    Err(error) => {
                        assert_eq!(error.task_id(), Some("task_1"), "an id was lost");
                        assert!(
                            error.kind() != ErrorKind::WaitTimeout || deadline.is_some_and(|deadline| now >= deadline)
                        );
                        assert!(error.kind() != ErrorKind::Internal, "{error}");
                    }
                }
                return;
            }
        }
    }
    panic!("it does not end");
});
