use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> Time {
    Time::from_start(Duration::from_millis(millis))
}

fn poll(due: u64) -> SlotRequest {
    SlotRequest::Poll { due: at(due), deadline: None }
}

fn order(since: u64) -> SlotRequest {
    patient(since, 180_000)
}

fn patient(since: u64, patience: u64) -> SlotRequest {
    SlotRequest::Create { since: at(since), patience: Duration::from_millis(patience) }
}

fn until(due: u64, deadline: u64) -> SlotRequest {
    SlotRequest::Poll { due: at(due), deadline: Some(at(deadline)) }
}

fn schedule(rate: f64, burst: u32) -> ScheduleMachine {
    ScheduleMachine::new(SchedulePolicy { rate, burst, ..SchedulePolicy::default() })
}

/// Runs the machine up to a time, every grant fetched at once. Gives time and slot of the grants.
fn run(machine: &mut ScheduleMachine, from: u64, to: u64) -> Vec<(u64, SlotId)> {
    let mut now = at(from);
    let mut grants = Vec::new();
    loop {
        match machine.step(now) {
            ScheduleStep::Grant(slot) => {
                assert_eq!(machine.collect(now, slot), Collected::Granted);
                grants.push((now.since(at(0)).as_millis() as u64, slot));
            }
            ScheduleStep::Expire(slot) => assert_eq!(machine.collect(now, slot), Collected::Expired),
            ScheduleStep::WaitUntil(next) if next <= at(to) => {
                assert!(next > now, "the machine asks to be asked again at once");
                now = next;
            }
            ScheduleStep::WaitUntil(_) | ScheduleStep::Idle => return grants,
        }
    }
}

#[test]
fn entries_are_small() {
    assert!(size_of::<Entry>() <= 48, "{}", size_of::<Entry>());
    assert!(size_of::<(Time, SlotId)>() <= 24);
}

#[test]
fn nothing_is_granted_before_it_is_due() {
    let mut machine = schedule(100.0, 10);
    let late = machine.add(at(0), poll(3000));
    let early = machine.add(at(0), poll(1000));
    assert_eq!(run(&mut machine, 0, 10_000), [(1000, early), (3000, late)]);
    assert_eq!(machine.step(at(10_000)), ScheduleStep::Idle);
}

#[test]
fn a_burst_leaves_together_and_the_rest_one_by_one() {
    let mut machine = schedule(2.0, 4);
    for _ in 0..8 {
        machine.add(at(0), poll(0));
    }
    let times: Vec<u64> = run(&mut machine, 0, 60_000).into_iter().map(|(time, _)| time).collect();
    assert_eq!(times, [0, 0, 0, 0, 500, 1000, 1500, 2000]);
}

#[test]
fn the_nearest_deadline_gets_every_second_grant_under_pressure() {
    let mut machine = schedule(1.0, 1);
    let patient: Vec<SlotId> = (0..6).map(|i| machine.add(at(i), poll(i))).collect();
    let urgent: Vec<SlotId> = (0..3).map(|i| machine.add(at(10), until(10, 9000 - i * 100))).collect();
    let served: Vec<SlotId> = run(&mut machine, 10, 60_000).into_iter().map(|(_, slot)| slot).collect();
    let (p, u) = (&patient, &urgent);
    assert_eq!(served, [u[2], p[0], u[1], p[1], u[0], p[2], p[3], p[4], p[5]]);
}

#[test]
fn a_far_deadline_waits_for_its_turn() {
    let mut machine = schedule(1.0, 1);
    let first = machine.add(at(0), poll(0));
    let second = machine.add(at(1), until(1, 600_000));
    let served: Vec<SlotId> = run(&mut machine, 1, 60_000).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(served, [first, second]);
}

#[test]
fn who_gets_no_slot_expires_after_the_grace() {
    let mut machine = schedule(1.0, 1);
    machine.limited(at(0), at(0), Some(Duration::from_secs(100)));
    let slot = machine.add(at(0), until(1000, 1000));
    assert_eq!(machine.step(at(1000)), ScheduleStep::WaitUntil(at(6000)));
    assert_eq!(machine.step(at(6000)), ScheduleStep::Expire(slot));
    assert_eq!(machine.collect(at(6000), slot), Collected::Expired);
    assert_eq!(machine.step(at(6000)), ScheduleStep::Idle);
}

#[test]
fn a_429_halves_the_rate_once_and_time_restores_it() {
    let mut machine = schedule(2.0, 4);
    // Three requests were under way together: they meet one limit.
    for answered in [1000, 1010, 1020] {
        machine.limited(at(answered), at(900), None);
    }
    assert!((machine.rate() - 1.0).abs() < 0.01, "{}", machine.rate());
    assert_eq!(machine.creates_allowed(), 2);
    machine.limited(at(3000), at(2000), None);
    assert!((machine.rate() - 0.5).abs() < 0.02, "{}", machine.rate());
    let before = machine.rate();
    machine.step(at(63_000));
    let after = machine.rate();
    assert!((after - before * 2.0).abs() < 0.05, "{after}");
    machine.step(at(603_000));
    assert!((machine.rate() - 2.0).abs() < 1e-9);
    assert_eq!(machine.creates_allowed(), 4);
}

#[test]
fn the_rate_is_never_cut_to_nothing() {
    let mut machine = schedule(2.0, 4);
    for second in 1..1000 {
        machine.limited(at(second * 1000), at(second * 1000 - 1), None);
    }
    assert!(machine.rate() >= 0.1 && machine.rate() < 0.2, "{}", machine.rate());
    assert_eq!(machine.creates_allowed(), 1);
}

#[test]
fn everybody_obeys_retry_after_and_nobody_bunches_behind_it() {
    let mut machine = schedule(2.0, 4);
    for _ in 0..4 {
        machine.add(at(0), poll(0));
    }
    machine.add(at(0), order(0));
    machine.limited(at(0), at(0), Some(Duration::from_secs(20)));
    // A shorter pause does not shorten a longer one.
    machine.limited(at(10), at(0), Some(Duration::from_secs(1)));
    let times: Vec<u64> = run(&mut machine, 10, 60_000).into_iter().map(|(time, _)| time).collect();
    assert_eq!(times[0], 21_000);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] > 900), "{times:?}");
}

#[test]
fn creates_have_a_limit_of_their_own() {
    let policy = SchedulePolicy { rate: 1000.0, burst: 1000, max_in_flight_creates: 2, ..SchedulePolicy::default() };
    let mut machine = ScheduleMachine::new(policy);
    let creates: Vec<SlotId> = (0..3).map(|_| machine.add(at(0), order(0))).collect();
    let query = machine.add(at(0), poll(0));
    let granted: Vec<SlotId> = run(&mut machine, 0, 1000).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(granted, [creates[0], creates[1], query]);
    machine.remove(creates[0]);
    assert_eq!(machine.step(at(2000)), ScheduleStep::Grant(creates[2]));
}

#[test]
fn a_create_that_is_tried_again_does_not_queue_anew() {
    let mut machine = schedule(1.0, 1);
    let queue: Vec<SlotId> = (1000..1010).map(|i| machine.add(at(i), order(i))).collect();
    let again = machine.add(at(2000), order(500));
    let granted = run(&mut machine, 2000, 4000);
    assert_eq!((granted[0].1, granted[1].1), (again, queue[0]));
}

#[test]
fn a_create_that_nobody_finishes_frees_its_place_in_the_end() {
    let policy = SchedulePolicy { max_in_flight_creates: 1, ..SchedulePolicy::default() };
    let mut machine = ScheduleMachine::new(policy);
    let stuck = machine.add(at(0), order(0));
    assert_eq!(run(&mut machine, 0, 0), [(0, stuck)]);
    let next = machine.add(at(0), order(0));
    assert_eq!(run(&mut machine, 0, 300_000), [(180_000, next)]);
    machine.remove(stuck);
    let third = machine.add(at(300_000), order(300_000));
    assert_ne!(machine.step(at(300_000)), ScheduleStep::Grant(third), "the place is not freed twice");
}

#[test]
fn a_grant_that_lies_too_long_is_void() {
    let policy = SchedulePolicy { rate: 1.0, burst: 2, max_in_flight_creates: 1, ..SchedulePolicy::default() };
    let mut machine = ScheduleMachine::new(policy);
    let query = machine.add(at(0), poll(0));
    let create = machine.add(at(0), order(0));
    assert_eq!(machine.step(at(0)), ScheduleStep::Grant(query));
    assert_eq!(machine.step(at(0)), ScheduleStep::Grant(create));
    // Nobody fetched them: another create takes the place.
    let other = machine.add(at(5000), order(5000));
    assert_eq!(machine.step(at(5000)), ScheduleStep::Grant(other));
    assert_eq!(machine.collect(at(5000), other), Collected::Granted);
    assert_eq!(machine.collect(at(5000), query), Collected::Waiting);
    assert_eq!(machine.collect(at(5000), create), Collected::Waiting);
    machine.remove(other);
    let granted: Vec<SlotId> = run(&mut machine, 5000, 60_000).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(granted, [query, create]);
}

#[test]
fn a_dropped_grant_gives_its_token_back() {
    let mut machine = schedule(0.001, 1);
    let dropped = machine.add(at(0), poll(0));
    assert_eq!(machine.step(at(0)), ScheduleStep::Grant(dropped));
    machine.remove(dropped);
    machine.remove(dropped);
    let next = machine.add(at(0), poll(0));
    assert_eq!(machine.step(at(0)), ScheduleStep::Grant(next));
}

#[test]
fn a_create_in_flight_stays_granted_however_often_it_looks() {
    let policy = SchedulePolicy { max_in_flight_creates: 1, ..SchedulePolicy::default() };
    let mut machine = ScheduleMachine::new(policy);
    let slot = machine.add(at(0), order(0));
    assert_eq!(machine.step(at(0)), ScheduleStep::Grant(slot));
    assert_eq!(machine.collect(at(0), slot), Collected::Granted);
    // Looked at again it is the same one: its lease is not a new one, and its place is taken once.
    assert_eq!(machine.collect(at(100_000), slot), Collected::Granted);
    let next = machine.add(at(100_000), order(100_000));
    assert_eq!(run(&mut machine, 100_000, 300_000), [(180_000, next)]);
}

#[test]
fn a_grant_dropped_long_after_gives_nothing_back() {
    let mut machine = schedule(1.0, 2);
    let old = machine.add(at(0), poll(0));
    assert_eq!(machine.step(at(0)), ScheduleStep::Grant(old));
    // The bucket is full again, and its two tokens are all that may leave now.
    let sent: Vec<SlotId> = (0..2).map(|_| machine.add(at(60_000), poll(60_000))).collect();
    assert_eq!(machine.step(at(60_000)), ScheduleStep::Grant(sent[0]));
    machine.remove(old);
    assert_eq!(machine.step(at(60_000)), ScheduleStep::Grant(sent[1]));
    machine.add(at(60_000), poll(60_000));
    assert!(matches!(machine.step(at(60_000)), ScheduleStep::WaitUntil(next) if next > at(60_900)));
}

#[test]
fn absurd_limits_do_not_overflow() {
    for (rate, burst) in [(f64::MIN_POSITIVE, 1), (f64::MAX, u32::MAX)] {
        let mut machine = schedule(rate, burst);
        for _ in 0..3 {
            machine.add(at(0), until(0, u64::MAX / 2));
        }
        run(&mut machine, 0, 1000);
        machine.limited(at(1000), at(500), Some(Duration::MAX));
        run(&mut machine, 1000, u64::MAX / 4);
    }
}

#[test]
fn a_create_that_is_dropped_in_flight_keeps_its_place_for_a_while() {
    let mut machine = schedule(1000.0, 100);
    let creates: Vec<SlotId> = (0..30).map(|_| machine.add(at(0), order(0))).collect();
    assert_eq!(run(&mut machine, 0, 0).len(), 4);
    // Thirty callers are cancelled one after the other, a millisecond apart: no further one is let go meanwhile.
    for (index, slot) in creates.iter().enumerate() {
        machine.abandon(at(index as u64), *slot);
        assert_eq!(run(&mut machine, index as u64, index as u64), []);
    }
    // What was dropped has gone in the end, and the places are free again.
    let next: Vec<SlotId> = (0..5).map(|_| machine.add(at(50), order(50))).collect();
    let granted: Vec<u64> = run(&mut machine, 50, 5000).into_iter().map(|(when, _)| when).collect();
    assert_eq!(granted, [1000, 1001, 1002, 1003]);
    for slot in next {
        machine.remove(slot);
    }
    assert_eq!((machine.leases.len(), machine.free.len()), (0, machine.entries.len()));
}

#[test]
fn a_create_that_is_dropped_with_its_grant_not_fetched_keeps_its_place_too() {
    let mut machine = ScheduleMachine::new(SchedulePolicy { max_in_flight_creates: 1, ..SchedulePolicy::default() });
    let (first, second) = (machine.add(at(0), order(0)), machine.add(at(0), order(0)));
    assert_eq!(machine.step(at(0)), ScheduleStep::Grant(first));
    machine.abandon(at(10), first);
    assert_eq!(machine.step(at(10)), ScheduleStep::WaitUntil(at(1010)));
    machine.abandon(at(20), second);
    assert_eq!(machine.step(at(20)), ScheduleStep::Idle);
}

#[test]
fn a_pause_that_is_longer_than_a_create_may_take_expires_the_creates_that_wait() {
    let mut machine = schedule(2.0, 4);
    let flying = machine.add(at(0), order(0));
    assert_eq!(run(&mut machine, 0, 0), [(0, flying)]);
    let task = machine.add(at(0), until(5000, 3_000_000));
    machine.limited(at(100), at(0), Some(Duration::from_secs(181)));
    let late = machine.add(at(100), order(100));
    assert_eq!(machine.step(at(100)), ScheduleStep::Expire(late));
    assert_eq!(machine.collect(at(100), late), Collected::Expired);
    // Another one comes when the rest of the pause is bearable; polls wait for it in any case.
    let bearable = machine.add(at(1100), order(1100));
    let granted: Vec<SlotId> = run(&mut machine, 1100, 400_000).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(granted, [bearable, task]);
    machine.limited(at(500_000), at(500_000), Some(Duration::from_secs(1200)));
    let waits = machine.add(at(500_000), order(500_000));
    assert_eq!(machine.step(at(500_000)), ScheduleStep::Expire(waits));
}

#[test]
fn each_create_that_waits_has_a_patience_of_its_own() {
    let mut machine = schedule(2.0, 4);
    let flying: Vec<SlotId> = (0..4).map(|_| machine.add(at(0), order(0))).collect();
    assert_eq!(run(&mut machine, 0, 0).len(), 4);
    let waiting: Vec<SlotId> = [5000, 90_000, 30_000].map(|patience| machine.add(at(0), patient(0, patience))).into();
    // Waiting for a place is not waiting for a pause.
    assert_eq!(run(&mut machine, 0, 60_000), []);
    machine.limited(at(60_000), at(0), Some(Duration::from_secs(60)));
    assert_eq!(machine.step(at(60_000)), ScheduleStep::Expire(waiting[0]));
    assert_eq!(machine.step(at(60_000)), ScheduleStep::Expire(waiting[2]));
    for slot in flying {
        machine.remove(slot);
    }
    assert_eq!(run(&mut machine, 60_000, 200_000), [(121_000, waiting[1])]);
}

#[test]
fn pauses_that_are_bearable_one_by_one_add_up() {
    let mut machine = schedule(2.0, 4);
    let flying: Vec<SlotId> = (0..4).map(|_| machine.add(at(0), order(0))).collect();
    assert_eq!(run(&mut machine, 0, 0).len(), 4);
    let [waits, expires] = [300_000, 250_000].map(|patience| machine.add(at(0), patient(0, patience)));
    // Those that overlap count once.
    for (now, pause) in [(0, 50), (10_000, 90), (200_000, 100)] {
        machine.limited(at(now), at(0), Some(Duration::from_secs(pause)));
        assert_eq!(run(&mut machine, now, now), []);
    }
    // 100 s and 100 s; of the last 51 s nothing has passed.
    machine.limited(at(400_000), at(0), Some(Duration::from_secs(51)));
    assert_eq!(machine.step(at(400_000)), ScheduleStep::Expire(expires));
    // One that comes now has 51 s before it.
    let [late, later] = [50_999, 51_000].map(|patience| machine.add(at(400_000), patient(400_000, patience)));
    assert_eq!(machine.step(at(400_000)), ScheduleStep::Expire(late));
    for slot in flying {
        machine.remove(slot);
    }
    let granted: Vec<SlotId> = run(&mut machine, 400_000, 500_000).into_iter().map(|(_, slot)| slot).collect();
    assert_eq!(granted, [waits, later]);
}

#[derive(Debug, Clone)]
enum Op {
    Pass(u64),
    Poll { due_in: u64, deadline_in: Option<u64> },
    Create { patience: u64 },
    Drop(usize),
    Limited { ago: u64, retry_after: Option<u64> },
    Lag(bool),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..4000_u64).prop_map(Op::Pass),
        6 => (0..20_000_u64, prop::option::of(0..60_000_u64))
            .prop_map(|(due_in, more)| Op::Poll { due_in, deadline_in: more.map(|more| due_in + more) }),
        2 => (0..60_000_u64).prop_map(|patience| Op::Create { patience }),
        1 => any::<usize>().prop_map(Op::Drop),
        1 => (0..3000_u64, prop::option::of(0..10_000_u64))
            .prop_map(|(ago, retry_after)| Op::Limited { ago, retry_after }),
        1 => any::<bool>().prop_map(Op::Lag),
    ];
    prop::collection::vec(op, 1..200)
}

/// Slot, due, deadline or the patience of a create, whether it is one, and how many grants it may have to let pass.
type Open = (SlotId, u64, Option<u64>, bool, Option<usize>);

/// What the pauses leave of the time from this moment on, all together.
fn paused_since(pauses: &[(u64, u64)], from: u64) -> u64 {
    // Each begins no earlier than the one before; only what lies behind the end of all before it counts.
    let mut seen = from;
    pauses.iter().fold(0, |sum, (start, end)| {
        let more = end.saturating_sub(seen.max(*start));
        seen = seen.max(*end);
        sum + more
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens: the budget is kept in every window, creates keep their limit, nobody is granted early,
    /// nobody waits for more than twice the grants that stood before him, and no entry is lost or left behind.
    #[test]
    fn the_promises_hold_in_every_order_of_events(ops in ops(), rate in 0.5..20.0_f64, burst in 1..6_u32) {
        let mut machine = schedule(rate, burst);
        let mut now = 0_u64;
        let mut open: Vec<Open> = Vec::new();
        let mut flying: Vec<SlotId> = Vec::new();
        let mut grants: Vec<u64> = Vec::new();
        let mut paused = 0;
        let mut pauses: Vec<(u64, u64)> = Vec::new();
        let mut lagging = false;
        for op in ops.into_iter().chain([Op::Lag(false), Op::Pass(3_600_000)]) {
            let to = match op {
                Op::Pass(more) => now + more,
                Op::Poll { due_in, deadline_in } => {
                    let request = SlotRequest::Poll { due: at(now + due_in), deadline: deadline_in.map(|d| at(now + d)) };
                    open.push((machine.add(at(now), request), now + due_in, deadline_in.map(|d| now + d), false, None));
                    now
                }
                Op::Create { patience } => {
                    open.push((machine.add(at(now), patient(now, patience)), now, Some(patience), true, None));
                    now
                }
                Op::Drop(which) => {
                    if !open.is_empty() {
                        let (slot, ..) = open.swap_remove(which % open.len());
                        machine.abandon(at(now), slot);
                    }
                    now
                }
                Op::Limited { ago, retry_after } => {
                    machine.limited(at(now), at(now.saturating_sub(ago)), retry_after.map(Duration::from_millis));
                    paused = paused.max(now + retry_after.unwrap_or(0));
                    pauses.push((now, now + retry_after.unwrap_or(0)));
                    now
                }
                Op::Lag(on) => {
                    lagging = on;
                    now
                }
            };
            // Creates end when the next event comes.
            for slot in flying.drain(..) {
                machine.remove(slot);
            }
            loop {
                match machine.step(at(now)) {
                    ScheduleStep::Grant(slot) if lagging => {
                        // Fetched too late: it must go back into the queue.
                        let index = open.iter().position(|entry| entry.0 == slot).unwrap();
                        open[index].4 = None;
                        lagging = false;
                        let granted = now;
                        now += 1500;
                        // A create's place is taken back in time; a poll's grant is void when it is fetched.
                        if open[index].3 {
                            machine.remove(slot);
                            open.swap_remove(index);
                        } else {
                            open[index].1 = now;
                            grants.push(granted);
                            prop_assert_eq!(machine.collect(at(now), slot), Collected::Waiting);
                        }
                    }
                    ScheduleStep::Grant(slot) => {
                        let index = open.iter().position(|entry| entry.0 == slot).unwrap();
                        let (_, due, _, create, _) = open.swap_remove(index);
                        prop_assert_eq!(machine.collect(at(now), slot), Collected::Granted);
                        prop_assert!(now >= due && now >= paused, "{now} {due} {paused}");
                        grants.push(now);
                        if create {
                            flying.push(slot);
                            prop_assert!(flying.len() <= 4);
                        }
                        let waiting = open.len() + 1;
                        // Creates may have to wait for others in flight; polls may not.
                        for entry in open.iter_mut().filter(|entry| entry.1 <= now && !entry.3) {
                            prop_assert!(entry.4 != Some(0), "somebody waits for more than twice his fair share");
                            entry.4 = Some(entry.4.map_or(2 * waiting, |left| left - 1));
                        }
                    }
                    ScheduleStep::Expire(slot) => {
                        let index = open.iter().position(|entry| entry.0 == slot).unwrap();
                        let (_, begun, deadline, create, _) = open.swap_remove(index);
                        if create {
                            prop_assert!(paused_since(&pauses, begun) > deadline.unwrap());
                        } else {
                            prop_assert!(now >= deadline.unwrap() + 5000);
                        }
                        prop_assert_eq!(machine.collect(at(now), slot), Collected::Expired);
                    }
                    ScheduleStep::WaitUntil(next) => {
                        prop_assert!(next > at(now));
                        for (_, begun, patience, ..) in open.iter().filter(|entry| entry.3) {
                            prop_assert!(paused_since(&pauses, *begun) <= patience.unwrap(), "a create waits in silence");
                        }
                        for slot in flying.drain(..) {
                            machine.remove(slot);
                        }
                        // In whole milliseconds, rounded up.
                        let next = next.since(at(0)).as_micros().div_ceil(1000) as u64;
                        if next > to {
                            break;
                        }
                        now = next;
                    }
                    ScheduleStep::Idle => break,
                }
            }
            now = now.max(to);
        }
        for (index, start) in grants.iter().enumerate() {
            for (count, end) in grants.get(index..).unwrap().iter().enumerate() {
                let most = f64::from(burst) + rate * (end - start) as f64 / 1000.0;
                prop_assert!((count + 1) as f64 <= most + 0.01, "{} requests in {} ms", count + 1, end - start);
            }
        }
        prop_assert!(open.is_empty(), "{open:?}");
        let left = machine.sleeping.len() + machine.ready.len() + machine.urgent.len() + machine.creates.len()
            + machine.patience.len();
        prop_assert_eq!(left, 0);
        for slot in flying {
            machine.abandon(at(now), slot);
        }
        prop_assert_eq!(machine.step(at(now + 1000)), ScheduleStep::Idle);
        prop_assert_eq!(machine.leases.len(), 0);
        prop_assert_eq!(machine.free.len(), machine.entries.len());
    }
}
