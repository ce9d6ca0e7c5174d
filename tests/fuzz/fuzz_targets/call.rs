//! The machine of one call under any order of events: a paid create is never sent again once the server may have seen
//! it, no attempt begins before the server allows it, and it always comes to an end.
//!
//! Input: eight bytes of setting, then events.
#![no_main]

use std::time::Duration;

use junfeiai::protocol::{CallEvent, CallMachine, CallStep, RetryPolicy, Safety, Time};
use junfeiai::transport::{Failure, TransportError};
use junfeiai::{Error, ErrorKind, Phase};
use junfeiai_fuzz::{Input, samples};
use libfuzzer_sys::fuzz_target;

const FAILURES: [Failure; 5] = [Failure::Dns, Failure::Connect, Failure::Tls, Failure::Timeout, Failure::Lost];

/// What the fuzzer's server saw of an attempt, judged without the library.
#[derive(Clone, Copy, PartialEq)]
enum Seen {
    /// Nothing, or it said 429, which takes the charge back.
    Nothing,
    /// The request, perhaps.
    Perhaps,
}

fn event(input: &mut Input<'_>) -> (CallEvent, Seen, Option<Duration>) {
    match input.byte() % 5 {
        kind @ (0 | 1) => {
            let all = samples();
            let answer = all[input.pair() % all.len()].answer.clone();
            // Without a wall clock only the form in seconds is read.
            let wait = answer
                .headers()
                .get("retry-after")
                .and_then(|text| text.trim().parse().ok())
                .filter(|wait| *wait <= 3600);
            let seen = if answer.status() == 429 { Seen::Nothing } else { Seen::Perhaps };
            let wait = wait.map(Duration::from_secs);
            if kind == 0 {
                (CallEvent::Answered(answer), seen, wait)
            } else {
                let broken = TransportError::new(Failure::Lost, "reset");
                (CallEvent::Broken(answer, broken), seen, wait)
            }
        }
        2 | 3 => {
            let failure = FAILURES[usize::from(input.byte()) % FAILURES.len()];
            let seen = if failure.not_sent() { Seen::Nothing } else { Seen::Perhaps };
            (CallEvent::Failed(TransportError::new(failure, "failed")), seen, None)
        }
        _ => {
            let kind = if input.byte() % 2 == 0 { ErrorKind::UntrustedHost } else { ErrorKind::UnexpectedResponse };
            // A redirect that makes no sense came with an answer.
            (CallEvent::Refused(Error::new(kind, Phase::Query, "refused")), Seen::Perhaps, None)
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let safety = if input.byte() % 2 == 0 { Safety::AtMostOnce } else { Safety::Idempotent };
    let phase = if safety == Safety::AtMostOnce { Phase::Create } else { Phase::Query };
    let policy = RetryPolicy {
        max_attempts: u32::from(input.byte()),
        base: input.span(),
        cap: input.span(),
        budget: input.seconds(),
    };
    let timeout = input.seconds();
    let (most, budget) = (policy.max_attempts.max(1), policy.budget);
    let seed = u64::from(input.byte());
    let mut now = Time::default();
    let mut machine = CallMachine::new(phase, safety, policy, timeout, now, seed);
    let (mut sent, mut paid, mut not_before, mut last) = (0, Seen::Nothing, Time::default(), None);
    // Sends at most `most` times, and waits at most once between two of them, or when it is asked too early.
    for _ in 0..2000 {
        match machine.step(now) {
            CallStep::Send { attempt, timeout: limit } => {
                sent += 1;
                assert_eq!((attempt, machine.attempts()), (sent, sent));
                assert!(sent <= most, "more attempts than allowed");
                assert!(safety == Safety::Idempotent || paid == Seen::Nothing, "a second POST");
                assert!(now >= not_before, "earlier than the server allows");
                assert!(limit <= timeout);
                now = now + input.span().min(limit);
                let (event, seen, wait) = event(&mut input);
                (paid, last) = (if seen == Seen::Perhaps { seen } else { paid }, Some(seen));
                let answered_well =
                    matches!(&event, CallEvent::Answered(answer) if (200..300).contains(&answer.status()));
                let lost = matches!(&event, CallEvent::Failed(error) if !error.failure.not_sent());
                not_before = wait.map_or(now, |wait| now + wait);
                machine.input(now, event);
                // What comes after it is settled must not bring about anything.
                machine.input(now, CallEvent::Failed(TransportError::new(Failure::Dns, "late")));
                if safety == Safety::AtMostOnce && lost {
                    let CallStep::Done(Err(error)) = machine.step(now) else { panic!("a lost create goes on") };
                    assert!(error.maybe_executed());
                    assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown);
                    return;
                }
                if safety == Safety::AtMostOnce && answered_well {
                    assert!(matches!(machine.step(now), CallStep::Done(_)), "a create that was answered goes on");
                    return;
                }
            }
            CallStep::WaitUntil(until) => {
                assert!(until > now && until >= not_before, "a pause that is too short");
                assert!(until.since(Time::default()) <= budget, "a pause beyond the budget");
                // The driver wakes up early, on time, or late.
                now = match input.byte() % 4 {
                    1 => now + until.since(now) / 2,
                    2 => until + input.span(),
                    _ => until,
                };
            }
            CallStep::Done(result) => {
                if let Err(error) = result {
                    assert!(!error.to_string().contains('\n'));
                    assert!(error.maybe_executed() <= (last == Some(Seen::Perhaps)), "nothing was sent: {error}");
                }
                return;
            }
        }
    }
    panic!("it does not end");
});
