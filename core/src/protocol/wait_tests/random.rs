//! Random answers: it is polite, it ends in time, and it says what it heard.

use proptest::prelude::*;

use super::super::*;
use super::{seen, start};

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Status(TaskStatus),
    Error(ErrorKind, Option<u32>),
}

fn outcome() -> impl Strategy<Value = Outcome> {
    use ErrorKind as K;
    let running = prop::sample::select(vec![TaskStatus::Queued, TaskStatus::InProgress, TaskStatus::Unknown]);
    let passing = prop::sample::select(vec![
        K::Connect,
        K::Connection,
        K::Timeout,
        K::RateLimited,
        K::Upstream,
        K::UnexpectedResponse,
    ]);
    prop_oneof![
        30 => running.prop_map(Outcome::Status),
        20 => (passing, prop::option::of(0_u32..120)).prop_map(|(kind, after)| Outcome::Error(kind, after)),
        4 => Just(Outcome::Error(K::NotFound, None)),
        1 => Just(Outcome::Error(K::Authentication, None)),
        1 => Just(Outcome::Status(TaskStatus::Succeeded)),
        1 => Just(Outcome::Status(TaskStatus::Failed)),
    ]
}

proptest! {
    #[test]
    fn whatever_is_heard_it_is_polite_and_ends(
        outcomes in prop::collection::vec((outcome(), 0_u64..40_000), 1..60),
        seed: u64,
        fresh: bool,
        interval_ms in 10_u64..20_000,
        timeout_s in prop::option::of(0_u64..2400),
        max_errors in 0_u32..25,
    ) {
        let policy = WaitPolicy {
            interval: Duration::from_millis(interval_ms),
            max_errors,
            timeout: Some(Duration::from_secs(timeout_s.unwrap_or(1800))),
            ..WaitPolicy::default()
        };
        let policy = policy.for_host(interval_ms < 5000);
        let deadline = start() + policy.timeout.unwrap();
        let mut wait = WaitMachine::new("task_1", policy.clone(), fresh.then(start), start(), seed);
        let mut now = start();
        let mut heard = Vec::new();
        let mut asked: Option<Time> = None;
        let mut not_before = start();
        let mut coming = outcomes.iter().cycle();
        let result = loop {
            match wait.step(now) {
                WaitStep::WaitUntil(until) => {
                    prop_assert!(until > now && until <= deadline);
                    now = until;
                }
                WaitStep::Poll { timeout } => {
                    let gap = if now >= deadline { policy.interval.min(MIN_INTERVAL) } else { policy.interval };
                    prop_assert!(asked.is_none_or(|asked| now.since(asked) >= gap), "too soon");
                    prop_assert!(now >= not_before || now >= deadline, "Retry-After was not obeyed");
                    prop_assert!(timeout <= policy.call_timeout);
                    prop_assert!(now + timeout <= deadline.max(now) + Duration::from_secs(5));
                    asked = Some(now);
                    let (outcome, took) = *coming.next().unwrap();
                    now = now + Duration::from_millis(took).min(timeout);
                    heard.push(outcome);
                    let result = match outcome {
                        Outcome::Status(status) => seen(status),
                        Outcome::Error(kind, after) => {
                            let after = after.map(|s| Duration::from_secs(s.into()));
                            not_before = now + after.unwrap_or_default();
                            let said = after.is_none().then(|| "task_not_exist".to_owned());
                            Err(Error::new(kind, Phase::Query, "x").with(|record| {
                                record.retry_after = after;
                                record.code = said.filter(|_| kind == ErrorKind::NotFound);
                            }))
                        }
                    };
                    wait.input(now, result.as_ref().map_err(Clone::clone));
                }
                WaitStep::Done(result) => break result,
            }
        };
        prop_assert!(now <= deadline + Duration::from_secs(5), "it ended too late");
        let last = heard.last().copied();
        let failures = heard.iter().rev().take_while(|outcome| matches!(outcome, Outcome::Error(..))).count();
        match result {
            Ok(()) => prop_assert!(matches!(last, Some(Outcome::Status(TaskStatus::Succeeded)))),
            Err(error) => {
                prop_assert_eq!(error.task_id(), Some("task_1"));
                prop_assert_eq!(error.record().attempts as usize, heard.len());
                match error.kind() {
                    ErrorKind::TaskFailed => {
                        prop_assert!(matches!(last, Some(Outcome::Status(TaskStatus::Failed))));
                    }
                    ErrorKind::WaitTimeout => prop_assert!(now >= deadline, "it gave up too early"),
                    ErrorKind::Authentication => {
                        prop_assert!(matches!(last, Some(Outcome::Error(ErrorKind::Authentication, _))));
                    }
                    ErrorKind::NotFound if matches!(last, Some(Outcome::Error(_, None))) => prop_assert!(failures >= 3),
                    kind => {
                        prop_assert!(matches!(last, Some(Outcome::Error(heard, _)) if heard == kind));
                        prop_assert!(failures > max_errors as usize, "{} of {}", failures, max_errors);
                    }
                }
            }
        }
    }
}
