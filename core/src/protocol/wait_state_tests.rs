#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::Snapshot;
use crate::protocol::wait::{MIN_INTERVAL, WaitStep};

const SECOND: Duration = Duration::from_secs(1);
const START: Time = Time::from_start(Duration::from_millis(1_750_000_000_123));

fn fresh() -> WaitState {
    WaitState::begin("task_1", WaitPolicy::default(), None, START, 7)
}

fn refused(value: Value) -> Error {
    WaitState::from_json(value).expect_err("it was taken")
}

/// What a poll brings in the model, and how long it takes.
#[derive(Debug, Clone)]
struct Poll {
    answer: std::result::Result<TaskStatus, (ErrorKind, Option<Duration>)>,
    took: Duration,
}

impl Poll {
    fn result(&self) -> Result<Snapshot> {
        match self.answer {
            Ok(status) => Ok(Snapshot { task_id: "task_1".into(), status, ..Snapshot::default() }),
            Err((kind, after)) => {
                Err(Error::new(kind, Phase::Query, "it went wrong").with(|record| record.retry_after = after))
            }
        }
    }
}

fn polls() -> impl Strategy<Value = Vec<Poll>> {
    use ErrorKind as K;
    let running = prop::sample::select(vec![TaskStatus::Queued, TaskStatus::InProgress, TaskStatus::Unknown]);
    let passing = prop::sample::select(vec![K::Connect, K::Connection, K::Timeout, K::Upstream, K::UnexpectedResponse]);
    let after = prop::option::of((0_u64..400_000).prop_map(Duration::from_millis));
    let answer = prop_oneof![
        30 => running.prop_map(Ok),
        12 => passing.prop_map(|kind| Err((kind, None))),
        8 => after.prop_map(|after| Err((K::RateLimited, after))),
        6 => Just(Err((K::NotFound, None))),
        1 => Just(Err((K::Authentication, None))),
        1 => Just(Ok(TaskStatus::Succeeded)),
        1 => Just(Ok(TaskStatus::Failed)),
    ];
    let poll = (answer, 0_u64..40_000).prop_map(|(answer, ms)| Poll { answer, took: Duration::from_millis(ms) });
    prop::collection::vec(poll, 1..50)
}

fn policy() -> impl Strategy<Value = WaitPolicy> {
    (1_u64..20_000, 1_u64..30_000, prop::option::of(0_u64..2_400_000), 1_u64..60_000, 0_u32..25, 0_u64..90_000)
        .prop_map(|(interval, max_interval, timeout, call_timeout, max_errors, visible_after)| WaitPolicy {
            interval: Duration::from_millis(interval),
            max_interval: Duration::from_millis(max_interval),
            timeout: timeout.map(Duration::from_millis),
            call_timeout: Duration::from_millis(call_timeout),
            max_errors,
            visible_after: Duration::from_millis(visible_after),
        })
}

/// When it polled, with what time to answer, and how it ended.
type Course = (Vec<(Duration, Duration)>, String);

const MOST_POLLS: usize = 120;

/// One wait that is never written down.
fn in_one_go(policy: WaitPolicy, created: Option<Time>, seed: u64, polls: &[Poll]) -> Course {
    let mut wait = WaitMachine::new("task_1", policy, created, START, seed);
    let (mut now, mut made, mut coming) = (START, Vec::new(), polls.iter().cycle());
    loop {
        match wait.step(now) {
            WaitStep::WaitUntil(until) => now = until,
            WaitStep::Poll { timeout } => {
                made.push((now.since(START), timeout));
                // Here, and not behind the poll: that may be the last one of its own accord.
                if made.len() == MOST_POLLS {
                    return (made, "cut".into());
                }
                let poll = coming.next().unwrap();
                now = now + poll.took.min(timeout);
                let result = poll.result();
                wait.input(now, result.as_ref().map_err(Clone::clone));
            }
            WaitStep::Done(result) => return (made, format!("{:?}", result.map_err(|error| error.to_json()))),
        }
    }
}

/// The same wait by steps, each from the text that the step before left; `early` asks before the pause is over, as well.
fn by_steps(
    policy: WaitPolicy,
    created: Option<Time>,
    seed: u64,
    loopback: bool,
    polls: &[Poll],
    early: bool,
) -> Course {
    let mut kept = WaitState::begin("task_1", policy, created, START, seed).to_string();
    let (mut now, mut made, mut coming) = (START, Vec::new(), polls.iter().cycle());
    loop {
        let mut state: WaitState = kept.parse().unwrap();
        assert_eq!(state.to_string(), kept);
        let as_kept = state.clone();
        state = state.for_host(loopback);
        assert_eq!(state, as_kept, "what was written may be used as it is");
        let pause = state.pause(now);
        if !pause.is_zero() {
            if early {
                let mut again: WaitState = kept.parse().unwrap();
                let half = now + pause / 2;
                assert_eq!(again.pause(half), (now + pause).since(half));
                assert_eq!(again.to_string(), kept, "a step that comes too early changes nothing");
            }
            now = now + pause;
            continue;
        }
        let mut wait = state.machine(now);
        match wait.step(now) {
            WaitStep::Poll { timeout } => {
                made.push((now.since(START), timeout));
                // Here, and not behind the poll: that may be the last one of its own accord.
                if made.len() == MOST_POLLS {
                    return (made, "cut".into());
                }
                let poll = coming.next().unwrap();
                now = now + poll.took.min(timeout);
                let result = poll.result();
                wait.input(now, result.as_ref().map_err(Clone::clone));
            }
            // The deadline was at the very end of the pause.
            WaitStep::Done(result) => return (made, format!("{:?}", result.map_err(|error| error.to_json()))),
            WaitStep::WaitUntil(_) => {}
        }
        match WaitState::of(&wait, now) {
            Some(state) => kept = state.to_string(),
            None => match wait.step(now) {
                WaitStep::Done(result) => return (made, format!("{:?}", result.map_err(|error| error.to_json()))),
                step => panic!("{step:?}"),
            },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn by_steps_it_makes_the_same_polls_and_ends_in_the_same_way(
        policy in policy(), polls in polls(), seed: u64, loopback: bool, early: bool, age_ms in prop::option::of(0_u64..60_000),
    ) {
        let policy = policy.for_host(loopback);
        let created = age_ms.map(|ms| Time::from_start(START.since(Time::default()).saturating_sub(Duration::from_millis(ms))));
        let whole = in_one_go(policy.clone(), created, seed, &polls);
        let steps = by_steps(policy, created, seed, loopback, &polls, early);
        prop_assert_eq!(whole, steps);
    }

    /// An engine that keeps to the pauses, on hosts whose clocks differ.
    #[test]
    fn clocks_that_differ_neither_stop_it_nor_make_it_faster(
        skews in prop::collection::vec(-600_000_i64..600_000, 1..5),
        hosts in prop::collection::vec(0_usize..5, 1..60),
        seed: u64,
    ) {
        let running = Poll { answer: Ok(TaskStatus::InProgress), took: SECOND }.result();
        let at = |now: Time, host: usize| {
            let ms = now.since(Time::default()).as_millis() as i64 + skews[host % skews.len()];
            Time::from_start(Duration::from_millis(ms as u64))
        };
        let most = skews.iter().max().unwrap() - skews.iter().min().unwrap();
        let most = Duration::from_millis(most as u64);
        let mut coming = hosts.iter().cycle();
        let (mut now, mut asked): (Time, Option<Time>) = (START, None);
        let mut kept = WaitState::begin("task_1", WaitPolicy::default(), None, at(now, 0), seed).to_string();
        let ended = loop {
            let host = *coming.next().unwrap();
            let mut state: WaitState = kept.parse::<WaitState>().unwrap().for_host(false);
            let pause = state.pause(at(now, host));
            // The longest pause of its own, and what is left to a deadline right behind it.
            prop_assert!(pause <= Duration::from_millis(16_502), "{pause:?} is longer than any that was planned");
            if pause.is_zero() {
                let deadline = state.deadline();
                let mut wait = state.machine(at(now, host));
                if let WaitStep::Poll { .. } = wait.step(at(now, host)) {
                    // But for the one poll at the deadline, which a clock that is ahead makes at once.
                    let last = deadline.is_some_and(|deadline| at(now, host) >= deadline);
                    prop_assert!(last || asked.is_none_or(|asked| now.since(asked) >= MIN_INTERVAL), "too fast");
                    // A step on a host whose clock is behind may leave a poll out, not more than the clocks differ.
                    prop_assert!(asked.is_none_or(|asked| now.since(asked) <= most + Duration::from_secs(34)), "it hung");
                    asked = Some(now);
                    wait.input(at(now, host), running.as_ref().map_err(Clone::clone));
                }
                match WaitState::of(&wait, at(now, host)) {
                    Some(next) => {
                        state = next;
                        let pause = state.pause(at(now, host));
                        now = now + pause;
                    }
                    None => break now,
                }
            } else {
                now = now + pause;
            }
            kept = state.to_string();
        };
        let lasted = ended.since(START);
        let timeout = WaitPolicy::default().timeout.unwrap();
        prop_assert!(lasted + most + SECOND >= timeout && lasted <= timeout + most * 2 + Duration::from_secs(30), "{lasted:?}");
    }

    /// Whatever stands in a field: nothing panics, and against the service it is not asked faster than it allows.
    #[test]
    fn hostile_fields_are_refused_or_bounded(
        field in prop::sample::select(vec![
            "junfeiai_wait", "task_id", "saved", "due", "deadline", "created", "asked", "interval", "polls", "errors", "not_found",
            "status", "error", "seed", "policy", "policy.poll_interval", "policy.max_poll_interval", "policy.timeout",
            "policy.poll_timeout", "policy.max_poll_errors", "policy.visible_after",
        ]),
        value in prop_oneof![
            any::<f64>().prop_map(|number| json!(number)), any::<i64>().prop_map(Value::from), any::<u64>().prop_map(Value::from),
            "\\PC{0,40}".prop_map(Value::from), Just(json!("x".repeat(5000))), Just(Value::Null), Just(json!([1])), Just(json!({"a": 1})), Just(json!(true)),
            Just(json!(1_750_000_001)), Just(json!(0)), Just(json!(1e300)), Just(json!(-0.0)),
        ],
        errors in 0_u32..3,
    ) {
        let mut state = fresh().to_json();
        state["asked"] = 1_750_000_000.into();
        match field.strip_prefix("policy.") {
            Some(name) => state["policy"][name] = value,
            None => state[field] = value,
        }
        let Ok(state) = WaitState::from_json(state) else { return Ok(()) };
        prop_assert!(state.to_string().len() <= 4096, "{} bytes", state.to_string().len());
        prop_assert_eq!(state.to_string().parse::<WaitState>().unwrap().to_string(), state.to_string());
        let (mut now, mut asked) = (START, None::<Time>);
        let mut state = state;
        for round in 0..20 {
            state = state.for_host(false);
            let longest = state.wait.policy.longest_pause();
            let pause = state.pause(now);
            prop_assert!(pause <= longest);
            now = now + pause;
            let deadline = state.deadline();
            let mut wait = state.machine(now);
            let WaitStep::Poll { .. } = wait.step(now) else { break };
            prop_assert!(asked.is_none_or(|asked| now.since(asked) >= MIN_INTERVAL));
            asked = Some(now);
            let answer = if round < errors { Err((ErrorKind::Upstream, None)) } else { Ok(TaskStatus::Queued) };
            let result = Poll { answer, took: SECOND }.result();
            wait.input(now, result.as_ref().map_err(Clone::clone));
            match WaitState::of(&wait, now) {
                Some(next) => state = next,
                None => break,
            }
            prop_assert_eq!(state.deadline(), deadline, "the deadline was lost");
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = text.parse::<WaitState>();
    }
}

#[test]
fn it_is_a_small_object_with_names_that_say_what_they_hold() {
    let mut wait = fresh().machine(START);
    wait.step(START);
    let asked = Poll { answer: Err((ErrorKind::Upstream, None)), took: SECOND }.result();
    wait.input(START + SECOND, asked.as_ref().map_err(Clone::clone));
    let state = WaitState::of(&wait, START + SECOND).unwrap();
    let seed = state.to_json()["seed"].clone();
    let due = state.to_json()["due"].clone();
    assert_eq!(
        state.to_json(),
        json!({
            "junfeiai_wait": 1, "task_id": "task_1", "saved": 1_750_000_001.123, "due": due, "deadline": 1_750_001_800.123,
            "created": null, "asked": 1_750_000_000.123, "interval": 5.0, "polls": 1, "errors": 1, "not_found": 0,
            "status": null, "charged": null, "error": "it went wrong", "seed": seed,
            "policy": {"poll_interval": 5.0, "max_poll_interval": 10.0, "timeout": 1800.0, "poll_timeout": 30.0,
                       "max_poll_errors": 20, "visible_after": 30.0},
        })
    );
    assert_eq!((state.task_id(), state.polls(), state.last_status()), ("task_1", 1, None));
    let read: WaitState = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
    assert_eq!(read, state);
}

/// Newer servers show 0 once a failed task's charge was returned: the step that hears of the failure knows it from the steps before.
#[test]
fn what_a_step_saw_charged_is_known_to_the_one_that_ends_the_wait() {
    let seen = |status, charged_units| Snapshot { status, charged_units, ..Snapshot::default() };
    let step = |kept: &str, snapshot: &Snapshot| {
        let mut state: WaitState = kept.parse().unwrap();
        let now = START + SECOND * 1000 + state.pause(START + SECOND * 1000);
        let mut wait = state.machine(now);
        assert!(matches!(wait.step(now), WaitStep::Poll { .. }));
        wait.input(now, Ok(snapshot));
        (WaitState::of(&wait, now).map(|state| state.to_string()), wait.charged_units())
    };
    let (kept, _) = step(&fresh().to_string(), &seen(TaskStatus::Queued, Some(150_000)));
    // An answer that does not say it takes nothing away.
    let (kept, _) = step(&kept.unwrap(), &seen(TaskStatus::InProgress, None));
    let kept = kept.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap()["charged"], json!(150_000));
    assert_eq!(step(&kept, &seen(TaskStatus::Failed, Some(0))), (None, Some(150_000)));
    // A state of a version before, and what is no charge.
    for other in
        [None, Some(json!(null)), Some(json!("many")), Some(json!(-1)), Some(json!(0.5)), Some(json!(u64::MAX))]
    {
        let mut state: Value = serde_json::from_str(&kept).unwrap();
        match other {
            Some(other) => state["charged"] = other,
            None => _ = state.as_object_mut().unwrap().remove("charged"),
        }
        assert_eq!(step(&state.to_string(), &seen(TaskStatus::Failed, Some(0))), (None, None), "{state}");
    }
    let (kept, _) = step(&fresh().to_string(), &seen(TaskStatus::Queued, Some(u64::MAX)));
    assert_eq!(serde_json::from_str::<Value>(&kept.unwrap()).unwrap()["charged"], Value::Null);
}

#[test]
fn what_is_no_state_is_refused_by_its_field_and_what_is_unknown_passed_over() {
    let good = || fresh().to_json();
    let with = |name: &str, value: Value| {
        let mut state = good();
        state[name] = value;
        state
    };
    assert_eq!(WaitState::from_json(with("of_a_later_version", json!([1]))).unwrap(), fresh());
    for (name, value) in [
        ("saved", json!(-1)),
        ("due", json!("soon")),
        ("due", Value::Null),
        ("deadline", Value::Null),
        ("task_id", json!("..")),
        ("polls", json!(-1)),
        ("polls", json!(1.5)),
        ("seed", json!("xyz")),
        ("seed", json!(7)),
        ("policy", json!(7)),
    ] {
        let error = refused(with(name, value.clone()));
        assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::InvalidRequest, Some(name)), "{value}");
    }
    let error = refused(with("polls", json!("many")));
    assert_eq!(
        error.to_string(),
        "polls must be a whole number, not a string (task task_1); the task is still running: call wait(\"task_1\")"
    );
    let error = refused(with("junfeiai_wait", json!(2)));
    assert!(
        error.to_string().starts_with("the wait state is of version 2, but this version of junfeiai reads version 1")
    );
    for other in [json!({}), json!({"task_id": "task_1"}), json!(null), json!([]), json!("task_1"), json!(5)] {
        assert_eq!(refused(other).kind(), ErrorKind::InvalidRequest);
    }
    for text in ["", "{", "null", "task_1", &format!("{}{}", " ".repeat(20_000), fresh())] {
        assert!(text.parse::<WaitState>().is_err(), "{text:?}");
    }
    let error = serde_json::from_value::<WaitState>(json!({})).unwrap_err();
    assert!(error.to_string().contains("this is no wait state"), "{error}");
}

#[test]
fn a_clock_that_is_behind_begins_the_pause_anew_and_not_the_wait() {
    let mut wait = fresh().machine(START);
    wait.step(START);
    wait.input(START, Poll { answer: Ok(TaskStatus::Queued), took: SECOND }.result().as_ref().map_err(Clone::clone));
    let ahead = WaitState::of(&wait, START).unwrap();
    let planned = ahead.clone().pause(START);
    let mut state = ahead.clone();
    let behind = Time::from_start(START.since(Time::default()).saturating_sub(SECOND * 300));
    assert_eq!(state.pause(behind), planned);
    // The same host again: now the pause passes.
    assert_eq!(state.pause(behind + planned / 2), planned.saturating_sub(planned / 2));
    assert_eq!(state.pause(behind + planned), Duration::ZERO);
    assert_eq!(state.deadline(), ahead.deadline());
}

#[test]
fn within_a_millisecond_no_clock_is_behind() {
    // Just after a whole millisecond: what is written is the next one.
    let now = START + Duration::from_nanos(1);
    let state = WaitState::begin("task_1", WaitPolicy::default(), None, now, 7);
    for later in [0, 1, 500_000, 999_998, 999_999, 1_500_000] {
        let later = now + Duration::from_nanos(later);
        assert_eq!(state.clone().pause(later), Duration::ZERO);
        assert!(matches!(state.clone().machine(later).step(later), WaitStep::Poll { .. }));
    }
    let mut wait = state.machine(now);
    wait.step(now);
    wait.input(now, Poll { answer: Ok(TaskStatus::Queued), took: SECOND }.result().as_ref().map_err(Clone::clone));
    let mut state = WaitState::of(&wait, now).unwrap();
    assert!(state.pause(now) >= MIN_INTERVAL && state.pause(now) <= Duration::from_millis(5751));
}

#[test]
fn a_poll_that_the_schedule_holds_back_is_planned_before_the_deadline() {
    let mut state = fresh();
    state.defer(START, Duration::ZERO);
    assert_eq!(state.pause(START), MIN_INTERVAL);
    state.defer(START, SECOND * 60);
    assert_eq!(state.pause(START), SECOND * 60);
    state.defer(START + SECOND * 1790, SECOND * 600);
    assert_eq!(state.pause(START + SECOND * 1790), SECOND * 10);
    // At the deadline: once more, then the wait ends.
    state.defer(START + SECOND * 1800, SECOND * 600);
    assert_eq!(state.pause(START + SECOND * 1800), GRACE);
}
