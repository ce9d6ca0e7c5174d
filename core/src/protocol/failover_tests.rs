use std::time::Duration;

use super::*;

fn at(seconds: u64) -> Time {
    Time::from_start(Duration::from_secs(seconds))
}

/// Sends one read: the entries that it went to, with `up` saying which take connections.
fn read(failover: &mut Failover, now: Time, up: &[bool]) -> Vec<usize> {
    attempt(failover, now, true, up, Reach::Answered)
}

fn attempt(failover: &mut Failover, now: Time, recheck: bool, up: &[bool], reached: Reach) -> Vec<usize> {
    let mut round = failover.begin(now, recheck);
    let mut tried = Vec::new();
    loop {
        let entry = round.entry();
        tried.push(entry);
        let reach = if up[entry] { reached } else { Reach::NoConnection };
        if !failover.input(now, &mut round, reach) {
            return tried;
        }
    }
}

#[test]
fn the_first_entry_is_used_while_it_can_be_reached() {
    let mut failover = Failover::new(3);
    for second in 0..1000 {
        assert_eq!(read(&mut failover, at(second), &[true, true, true]), [0]);
    }
}

#[test]
fn one_entry_is_tried_once_an_attempt() {
    let mut failover = Failover::new(1);
    assert_eq!(read(&mut failover, at(0), &[false]), [0]);
    assert_eq!(failover.current(), 0);
}

#[test]
fn the_choice_is_sticky() {
    let mut failover = Failover::new(3);
    assert_eq!(read(&mut failover, at(0), &[false, false, true]), [0, 1, 2]);
    // The first two are back, but nobody asks them yet.
    assert_eq!(read(&mut failover, at(299), &[true, true, true]), [2]);
    assert_eq!(failover.current(), 2);
}

#[test]
fn nothing_is_chosen_when_none_can_be_reached() {
    let mut failover = Failover::new(2);
    assert_eq!(read(&mut failover, at(0), &[false, false]), [0, 1]);
    assert_eq!(failover.current(), 0);
    assert_eq!(read(&mut failover, at(1), &[true, true]), [0]);
}

#[test]
fn the_preferred_entry_is_looked_at_again_ever_more_rarely() {
    let mut failover = Failover::new(2);
    read(&mut failover, at(0), &[false, true]);
    let mut looks = Vec::new();
    for second in 1..30_000 {
        if read(&mut failover, at(second), &[false, true]) == [0, 1] {
            looks.push(second);
        }
    }
    let minutes = |minutes: u64| minutes * 60;
    let expected: Vec<u64> = [5, 15, 35, 75, 135, 195, 255, 315, 375, 435, 495].map(minutes).to_vec();
    assert_eq!(looks, expected);
    // It is back: taken at the next look, and not before.
    let next = minutes(555);
    assert_eq!(read(&mut failover, at(next - 1), &[true, true]), [1]);
    assert_eq!(read(&mut failover, at(next), &[true, true]), [0]);
    assert_eq!(failover.current(), 0);
    // A new outage begins with the short pause again.
    read(&mut failover, at(next + 1), &[false, true]);
    assert_eq!(read(&mut failover, at(next + 300), &[true, true]), [1]);
    assert_eq!(read(&mut failover, at(next + 301), &[true, true]), [0]);
}

#[test]
fn only_one_of_many_calls_looks_again() {
    let mut failover = Failover::new(2);
    read(&mut failover, at(0), &[false, true]);
    let rounds: Vec<Round> = (0..100).map(|_| failover.begin(at(300), true)).collect();
    assert_eq!(rounds.iter().filter(|round| round.entry() == 0).count(), 1);
}

#[test]
fn a_paid_call_is_not_what_an_entry_is_tried_out_with() {
    let mut failover = Failover::new(2);
    read(&mut failover, at(0), &[false, true]);
    assert_eq!(attempt(&mut failover, at(400), false, &[true, true], Reach::Answered), [1]);
    assert_eq!(read(&mut failover, at(400), &[true, true]), [0]);
}

#[test]
fn after_anything_that_may_have_been_sent_the_round_is_over() {
    for reached in [Reach::NoAnswer, Reach::Answered] {
        let mut failover = Failover::new(2);
        assert_eq!(attempt(&mut failover, at(0), false, &[true, true], reached), [0]);
        assert_eq!(attempt(&mut failover, at(0), false, &[false, true], reached), [0, 1]);
        assert_eq!(failover.current(), 1, "it took the connection that the first refused");
    }
}

#[test]
fn an_entry_that_is_looked_at_again_has_to_answer() {
    let mut failover = Failover::new(2);
    read(&mut failover, at(0), &[false, true]);
    // It takes the connection and says nothing: this read fails, and the choice stays.
    assert_eq!(attempt(&mut failover, at(300), true, &[true, true], Reach::NoAnswer), [0]);
    assert_eq!(failover.current(), 1);
}

#[test]
fn a_late_answer_of_the_old_choice_does_not_take_the_choice_back() {
    let mut failover = Failover::new(2);
    let mut slow_create = failover.begin(at(0), false);
    read(&mut failover, at(10), &[false, true]);
    assert!(!failover.input(at(170), &mut slow_create, Reach::Answered));
    assert_eq!(failover.current(), 1);
}

#[test]
fn the_choice_that_goes_down_leads_back_to_the_preferred_entry() {
    let mut failover = Failover::new(2);
    read(&mut failover, at(0), &[false, true]);
    assert_eq!(read(&mut failover, at(60), &[true, false]), [1, 0]);
    assert_eq!(failover.current(), 0);
}
