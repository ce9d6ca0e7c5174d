#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unnecessary_wraps // `seen` stands beside `error`
)]

use super::*;

#[path = "wait_tests/random.rs"]
mod random;

const SECOND: Duration = Duration::from_secs(1);

fn start() -> Time {
    Time::from_start(SECOND * 1000)
}

fn seen(status: TaskStatus) -> Result<Snapshot> {
    Ok(Snapshot { task_id: "task_1".into(), status, raw: "{}".into(), ..Snapshot::default() })
}

fn running() -> Result<Snapshot> {
    seen(TaskStatus::InProgress)
}

fn error(kind: ErrorKind) -> Result<Snapshot> {
    Err(Error::new(kind, Phase::Query, "it went wrong"))
}

/// The service's own word for a task that it does not know.
fn error_of_unknown() -> Result<Snapshot> {
    let said = |record: &mut crate::error::ErrorRecord| record.code = Some("task_not_exist".into());
    error(ErrorKind::NotFound).map_err(|error| error.with(said))
}

/// A wait and its clock.
struct Bench {
    wait: WaitMachine,
    now: Time,
}

impl Bench {
    fn new(policy: WaitPolicy, created: Option<Time>) -> Self {
        Self { wait: WaitMachine::new("task_1", policy, created, start(), 5), now: start() }
    }

    fn elapsed(&self) -> Duration {
        self.now.since(start())
    }

    /// Sleeps until something else is to be done.
    fn next(&mut self) -> WaitStep {
        match self.wait.step(self.now) {
            WaitStep::WaitUntil(until) => {
                assert!(until > self.now);
                // Whoever asks too early is told the same.
                let early = self.now + until.since(self.now) / 2;
                assert!(matches!(self.wait.step(early), WaitStep::WaitUntil(same) if same == until));
                self.now = until;
                self.wait.step(self.now)
            }
            step => step,
        }
    }

    /// Waits for the next poll; how long that was, and what it may take.
    fn polls(&mut self) -> (Duration, Duration) {
        let before = self.now;
        match self.next() {
            WaitStep::Poll { timeout } => (self.now.since(before), timeout),
            step => panic!("a poll was expected, not {step:?}"),
        }
    }

    fn hears(&mut self, result: Result<Snapshot>) {
        match result {
            Ok(snapshot) => self.wait.input(self.now, Ok(&snapshot)),
            Err(error) => self.wait.input(self.now, Err(error)),
        }
    }

    fn done(&mut self) -> Result<()> {
        match self.next() {
            WaitStep::Done(result) => result,
            step => panic!("the end was expected, not {step:?}"),
        }
    }

    fn fails(&mut self, kind: ErrorKind) -> Error {
        let error = self.done().unwrap_err();
        assert_eq!((error.kind(), error.task_id()), (kind, Some("task_1")), "{error}");
        error
    }
}

#[test]
fn a_fresh_task_is_given_a_moment_and_another_is_asked_for_at_once() {
    let (pause, _) = Bench::new(WaitPolicy::default(), Some(start())).polls();
    assert!(pause >= SECOND * 5 && pause <= Duration::from_millis(5750), "{pause:?}");
    let (pause, timeout) = Bench::new(WaitPolicy::default(), None).polls();
    assert_eq!((pause, timeout), (Duration::ZERO, SECOND * 30));
    // Created, but a while ago.
    let mut bench = Bench::new(WaitPolicy::default(), Some(Time::from_start(SECOND * 900)));
    assert_eq!(bench.polls().0, Duration::ZERO);
}

#[test]
fn pauses_grow_from_five_to_ten_seconds() {
    let mut bench = Bench::new(WaitPolicy::default(), None);
    bench.polls();
    bench.hears(running());
    let mut expected = 5.0_f64;
    for _ in 0..20 {
        let pause = bench.polls().0.as_secs_f64();
        assert!(pause >= expected && pause <= expected * 1.15 + 0.001, "{pause} for {expected}");
        expected = (expected * 1.25).min(10.0);
        bench.hears(running());
    }
}

#[test]
fn jitter_is_there() {
    let pauses: std::collections::BTreeSet<_> = (0..20)
        .map(|seed| {
            let mut wait = WaitMachine::new("t", WaitPolicy::default(), Some(start()), start(), seed);
            match wait.step(start()) {
                WaitStep::WaitUntil(until) => until,
                step => panic!("{step:?}"),
            }
        })
        .collect();
    assert!(pauses.len() > 15);
}

#[test]
fn only_this_machine_may_be_asked_faster() {
    let fast = WaitPolicy {
        interval: Duration::from_millis(20),
        max_interval: Duration::from_millis(40),
        ..WaitPolicy::default()
    };
    let here = fast.clone().for_host(true);
    assert_eq!((here.interval, here.max_interval), (fast.interval, fast.max_interval));
    let there = fast.for_host(false);
    assert_eq!((there.interval, there.max_interval), (MIN_INTERVAL, MIN_INTERVAL));
    let slow = WaitPolicy { interval: SECOND * 60, ..WaitPolicy::default() }.for_host(false);
    assert_eq!((slow.interval, slow.max_interval), (SECOND * 60, SECOND * 60));
}

#[test]
fn an_interval_above_the_longest_is_kept() {
    let mut bench = Bench::new(WaitPolicy { interval: SECOND * 20, ..WaitPolicy::default() }, None);
    bench.polls();
    for result in [running(), running(), error(ErrorKind::Upstream), running()] {
        bench.hears(result);
        assert!(bench.polls().0 >= SECOND * 20);
    }
}

#[test]
fn success_ends_it() {
    let mut bench = Bench::new(WaitPolicy::default(), None);
    bench.polls();
    bench.hears(seen(TaskStatus::Succeeded));
    bench.done().unwrap();
}

#[test]
fn failure_carries_its_reason() {
    let mut bench = Bench::new(WaitPolicy::default(), None);
    bench.polls();
    bench.hears(running());
    bench.polls();
    let reason = Some("content was moderated".to_owned());
    bench.hears(Ok(Snapshot { status: TaskStatus::Failed, fail_reason: reason.clone(), ..Snapshot::default() }));
    let error = bench.fails(ErrorKind::TaskFailed);
    assert!(error.to_string().contains("content was moderated"), "{error}");
    let record = error.record();
    assert_eq!((record.last_status, &record.server_message), (Some(TaskStatus::Failed), &reason));
    assert_eq!((record.attempts, error.is_transient()), (2, false));
}

#[test]
fn whatever_is_not_an_end_is_still_running() {
    let mut bench = Bench::new(WaitPolicy::default(), None);
    for status in [TaskStatus::Queued, TaskStatus::InProgress, TaskStatus::Unknown, TaskStatus::Queued] {
        bench.polls();
        bench.hears(seen(status));
        assert_eq!(bench.wait.last_status(), Some(status));
    }
    bench.polls();
}

#[test]
fn an_answer_that_failed_to_come_is_not_a_failed_task() {
    let mut bench = Bench::new(WaitPolicy::default(), None);
    bench.polls();
    for kind in [
        ErrorKind::Connect,
        ErrorKind::Connection,
        ErrorKind::Timeout,
        ErrorKind::RateLimited,
        // `fail_to_fetch_task` too, whatever status it quotes.
        ErrorKind::Upstream,
        // A page where JSON was expected.
        ErrorKind::UnexpectedResponse,
        ErrorKind::NotFound,
    ] {
        bench.hears(error(kind));
        let (pause, _) = bench.polls();
        assert!(pause >= MIN_INTERVAL && pause <= SECOND * 60, "{kind}: {pause:?}");
    }
    // A certificate that is not valid ends a call, and may be renewed meanwhile.
    bench.hears(error(ErrorKind::Connect).map_err(|error| error.with(|record| record.transient = false)));
    bench.polls();
    bench.hears(seen(TaskStatus::Succeeded));
    bench.done().unwrap();
}

/// The answer to a poll, as the driver hands its error on.
fn answered(status: u16, content_type: &str, body: &'static str) -> Result<Snapshot> {
    let headers = crate::net::transport::Headers::from_iter([("content-type", content_type)]);
    let endpoint = crate::net::endpoint::Endpoint::standard();
    crate::protocol::parse_query("task_1", &endpoint, &crate::protocol::ApiResponse::new(status, headers, body))
}

#[test]
fn a_page_of_a_proxy_in_front_does_not_end_it() {
    let mut bench = Bench::new(WaitPolicy::default(), None);
    bench.polls();
    for status in [400, 401, 403, 405, 413, 451] {
        for (content_type, body) in [("text/html", "<html>Forbidden</html>"), ("", ""), ("text/plain", "no")] {
            bench.hears(answered(status, content_type, body));
            bench.polls();
        }
    }
    // Nor does JSON that says nothing, or another "no" than 401 and 403: the task exists, and may be asked for in a moment.
    for body in ["{}", r#"{"error":{}}"#, r#"{"error":{"message":null,"code":""}}"#] {
        for status in [400, 401, 402, 403, 451] {
            bench.hears(answered(status, "application/json", body));
            bench.polls();
            bench.hears(running());
            bench.polls();
        }
    }
    for status in [200, 400, 402, 405, 409, 422] {
        for body in [
            r#"{"error":{"message":"no","type":"new_api_error","code":""}}"#,
            r#"{"code":"invalid_request","message":"no","data":null}"#,
            r#"{"code":"insufficient_user_quota","message":"no","data":null}"#,
        ] {
            bench.hears(answered(status, "application/json", body));
            bench.polls();
            bench.hears(running());
            bench.polls();
        }
    }
    // The gateway's own words do.
    bench.hears(answered(401, "application/json", r#"{"error":{"message":"Invalid token","type":"new_api_error"}}"#));
    let error = bench.fails(ErrorKind::Authentication);
    assert!(error.to_string().contains("another key"), "{error}");
    // Nor is there no end: such pages use up the budget of failures in a row.
    let mut bench = Bench::new(WaitPolicy { max_errors: 3, timeout: None, ..WaitPolicy::default() }, None);
    for _ in 0..4 {
        bench.polls();
        bench.hears(answered(403, "text/html", "<html>Forbidden</html>"));
    }
    let error = bench.fails(ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("check the proxy or firewall in front"), "{error}");
}

#[test]
fn what_no_patience_helps_ends_it_and_names_the_task() {
    for kind in [
        ErrorKind::Authentication,
        ErrorKind::PermissionDenied,
        ErrorKind::InsufficientBalance,
        ErrorKind::BadRequest,
        ErrorKind::Cancelled,
    ] {
        let mut bench = Bench::new(WaitPolicy::default(), None);
        bench.polls();
        bench.hears(running());
        bench.polls();
        bench.hears(error(kind));
        let error = bench.fails(kind);
        let record = error.record();
        assert_eq!((record.last_status, record.attempts), (Some(TaskStatus::InProgress), 2));
        assert_eq!(record.phase, Phase::Wait);
    }
}

#[test]
fn the_error_budget_is_for_failures_in_a_row() {
    let policy = WaitPolicy { timeout: None, ..WaitPolicy::default() };
    // The last is a redirect to where a proxy wants a log-in.
    for kind in [ErrorKind::Upstream, ErrorKind::UnexpectedResponse, ErrorKind::UntrustedHost] {
        let mut bench = Bench::new(policy.clone(), None);
        for _ in 0..3 {
            for _ in 0..20 {
                bench.polls();
                bench.hears(error(kind));
            }
            bench.polls();
            bench.hears(running());
        }
        // After a good answer the pause is short again.
        assert!(bench.polls().0 < SECOND * 12);
        for _ in 0..20 {
            bench.hears(error(kind));
            bench.polls();
        }
        bench.hears(error(kind));
        assert_eq!(bench.fails(kind).record().attempts, 84);
    }
}

#[test]
fn retry_after_is_obeyed() {
    let mut bench = Bench::new(WaitPolicy::default(), None);
    bench.polls();
    for seconds in [0, 3, 45, 300] {
        let asked = SECOND * seconds;
        let limited = Error::new(ErrorKind::RateLimited, Phase::Query, "slow down");
        bench.hears(Err(limited.with(|record| record.retry_after = Some(asked))));
        let (pause, _) = bench.polls();
        assert!(pause >= asked.max(MIN_INTERVAL) && pause <= asked.max(MIN_INTERVAL) + SECOND * 5, "{pause:?}");
    }
}

#[test]
fn a_task_just_made_may_not_be_visible_yet() {
    let mut bench = Bench::new(WaitPolicy::default(), Some(start()));
    let mut polls = 0;
    let error = loop {
        match bench.next() {
            WaitStep::Poll { .. } => {
                polls += 1;
                bench.hears(error_of_unknown());
            }
            WaitStep::Done(result) => break result.unwrap_err(),
            step @ WaitStep::WaitUntil(_) => panic!("{step:?}"),
        }
    };
    assert_eq!((error.kind(), error.record().attempts), (ErrorKind::NotFound, polls));
    assert!(bench.elapsed() > SECOND * 30 && polls > 3, "{polls} in {:?}", bench.elapsed());
    // One answer in between, and it counts anew.
    let mut bench = Bench::new(WaitPolicy::default(), None);
    for result in [error_of_unknown(), error_of_unknown(), running(), error_of_unknown(), error_of_unknown()] {
        bench.polls();
        bench.hears(result);
    }
    bench.polls();
    bench.hears(error_of_unknown());
    bench.fails(ErrorKind::NotFound);
}

/// The 404 of a proxy whose service is being replaced, without a code and a word.
#[test]
fn a_404_that_says_nothing_may_pass() {
    let mut bench = Bench::new(WaitPolicy::default(), None);
    for _ in 0..WaitPolicy::default().max_errors {
        bench.polls();
        bench.hears(error(ErrorKind::NotFound));
    }
    bench.polls();
    bench.hears(seen(TaskStatus::Succeeded));
    bench.done().unwrap();
    let mut bench = Bench::new(WaitPolicy { max_errors: 5, ..WaitPolicy::default() }, None);
    for _ in 0..6 {
        bench.polls();
        bench.hears(error(ErrorKind::NotFound));
    }
    bench.fails(ErrorKind::NotFound);
}

fn within(seconds: u64) -> WaitPolicy {
    WaitPolicy { timeout: Some(SECOND * seconds as u32), ..WaitPolicy::default() }
}

#[test]
fn the_last_poll_is_made_at_the_deadline() {
    for seconds in 10..130 {
        let limit = SECOND * seconds;
        let mut bench = Bench::new(within(seconds.into()), None);
        let mut last = start();
        let error = loop {
            match bench.next() {
                WaitStep::Poll { timeout } => {
                    assert!(timeout <= limit.saturating_sub(bench.elapsed()).max(SECOND * 5));
                    assert!(last == bench.now || bench.now.since(last) >= MIN_INTERVAL);
                    last = bench.now;
                    bench.hears(running());
                }
                WaitStep::Done(result) => break result.unwrap_err(),
                step @ WaitStep::WaitUntil(_) => panic!("{step:?}"),
            }
        };
        assert_eq!((last, bench.now), (start() + limit, start() + limit));
        assert_eq!((error.kind(), error.record().last_status), (ErrorKind::WaitTimeout, Some(TaskStatus::InProgress)));
        let text = error.to_string();
        let said = format!("within {seconds} s; it is in_progress");
        assert!(text.contains(&said) && text.contains("wait(\"task_1\")"), "{text}");
    }
    // It counts, too.
    let mut bench = Bench::new(within(3), Some(start()));
    assert_eq!(bench.polls(), (SECOND * 3, SECOND * 5));
    bench.hears(seen(TaskStatus::Succeeded));
    bench.done().unwrap();
}

#[test]
fn a_wait_that_is_too_short_for_two_polls_makes_one() {
    let mut bench = Bench::new(within(3), None);
    bench.polls();
    bench.hears(running());
    bench.fails(ErrorKind::WaitTimeout);
    assert_eq!(bench.elapsed(), SECOND * 3);
    let mut bench = Bench::new(within(0), None);
    assert_eq!(bench.polls(), (Duration::ZERO, SECOND * 5));
    bench.hears(running());
    bench.fails(ErrorKind::WaitTimeout);
}

#[test]
fn a_poll_that_comes_back_behind_the_deadline_was_the_last() {
    let mut bench = Bench::new(within(10), None);
    bench.polls();
    bench.now = bench.now + SECOND * 11;
    bench.hears(error(ErrorKind::Timeout));
    let error = bench.fails(ErrorKind::WaitTimeout);
    let text = error.to_string();
    assert!(text.contains("could not be asked for") && text.contains("it went wrong"), "{text}");
    assert_eq!(error.record().last_status, None);
}

#[test]
fn after_a_sleep_of_the_machine_one_poll_is_made() {
    let mut bench = Bench::new(within(60), None);
    bench.polls();
    bench.hears(running());
    bench.now = bench.now + SECOND * 3600;
    assert_eq!(bench.polls(), (Duration::ZERO, SECOND * 5));
    bench.hears(seen(TaskStatus::Succeeded));
    bench.done().unwrap();
}

#[test]
fn a_wait_without_an_end_goes_on() {
    let mut bench = Bench::new(WaitPolicy { timeout: None, ..WaitPolicy::default() }, None);
    while bench.elapsed() < SECOND * 86_400 {
        assert_eq!(bench.polls().1, SECOND * 30);
        bench.hears(running());
    }
    assert_eq!(bench.wait.deadline(), None);
}

#[test]
fn words_out_of_turn_change_nothing() {
    let mut bench = Bench::new(WaitPolicy::default(), Some(start()));
    bench.hears(seen(TaskStatus::Failed));
    bench.polls();
    assert!(matches!(bench.wait.step(bench.now), WaitStep::Done(Err(error)) if error.kind() == ErrorKind::Internal));
    bench.hears(seen(TaskStatus::Succeeded));
    bench.hears(seen(TaskStatus::Failed));
    bench.done().unwrap();
    assert_eq!(bench.done().unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn the_longest_durations_do_not_overflow() {
    let policy =
        WaitPolicy { interval: Duration::MAX, max_interval: Duration::MAX, timeout: None, ..WaitPolicy::default() };
    let mut bench = Bench::new(policy, None);
    bench.polls();
    bench.hears(running());
    bench.polls();
    bench.hears(error(ErrorKind::Upstream));
    assert!(matches!(bench.wait.step(start()), WaitStep::WaitUntil(_)));
}

/// Half an hour with a fault in every other poll, in virtual time.
#[test]
fn thirty_minutes_with_faults() {
    for seed in 0..100 {
        let mut wait = WaitMachine::new("task_1", WaitPolicy::default(), Some(start()), start(), seed);
        let mut now = start();
        let mut polls = 0_u32;
        let mut last = None;
        loop {
            match wait.step(now) {
                WaitStep::WaitUntil(until) => now = until,
                WaitStep::Poll { .. } => {
                    polls += 1;
                    now = now + SECOND;
                    let result = match polls {
                        _ if now.since(start()) > SECOND * 29 * 60 => seen(TaskStatus::Succeeded),
                        n if n % 2 == 0 => error(ErrorKind::Upstream),
                        n if n % 3 == 0 => seen(TaskStatus::Unknown),
                        _ => running(),
                    };
                    wait.input(now, result.as_ref().map_err(Clone::clone));
                    last = result.ok();
                }
                WaitStep::Done(result) => break result.unwrap(),
            }
        }
        assert_eq!(last.unwrap().status, TaskStatus::Succeeded);
        assert!((150..350).contains(&polls), "{polls}");
    }
}
