//! The schedule of one client under any order of events: no more requests leave than the budget allows, none before
//! its time or inside a pause that the server asked for, creates in flight stay within their number, and everybody is
//! served or told that it is too late.
//!
//! Input: four bytes of setting, then events.
#![no_main]

use std::time::Duration;

use junfeiai::protocol::{
    Collected, FRESH, GRACE, LINGER, ScheduleMachine, SchedulePolicy, ScheduleStep, SlotId, SlotRequest, Time,
};
use junfeiai_fuzz::Input;
use libfuzzer_sys::fuzz_target;

/// What the fuzzer knows of an entry.
#[derive(Clone, Copy)]
enum Known {
    Poll {
        slot: SlotId,
        due: Time,
        deadline: Option<Time>,
    },
    Create {
        slot: SlotId,
        since: Time,
        patience: Duration,
    },
    /// A create that was sent at this time and not answered yet.
    Sent {
        slot: SlotId,
        at: Time,
    },
}

struct Bench {
    machine: ScheduleMachine,
    policy: SchedulePolicy,
    now: Time,
    known: Vec<Known>,
    sends: Vec<Time>,
    /// Begin and end of each pause that the server asked for.
    pauses: Vec<(Time, Time)>,
    /// Until when creates that were dropped in flight keep their places.
    dropped: Vec<Time>,
}

impl Bench {
    /// Does what the machine wants until it wants to wait.
    fn settle(&mut self) -> Option<Time> {
        for _ in 0..2000 {
            match self.machine.step(self.now) {
                ScheduleStep::Grant(slot) => {
                    assert!(self.pauses.iter().all(|(_, end)| self.now >= *end), "a grant inside the server's pause");
                    assert!(self.known.iter().any(|known| slot_of(*known) == slot), "a grant to nobody");
                }
                ScheduleStep::Expire(slot) => {
                    let overdue = |known: &Known| {
                        matches!(known, Known::Poll { slot: own, deadline: Some(deadline), .. }
                            if *own == slot && *deadline + GRACE <= self.now)
                            || matches!(known, Known::Create { slot: own, since, patience }
                                if *own == slot && self.paused_since(*since) > *patience)
                    };
                    assert!(self.known.iter().any(overdue), "expired before its time");
                }
                ScheduleStep::WaitUntil(until) => {
                    assert!(until > self.now, "it waits for what has come");
                    return Some(until);
                }
                ScheduleStep::Idle => return None,
            }
        }
        panic!("it runs on");
    }

    /// What the pauses that the server asked for leave of the time from this moment on, all together.
    fn paused_since(&self, from: Time) -> Duration {
        let (mut sum, mut seen) = (Duration::ZERO, from);
        for (start, end) in &self.pauses {
            // Each begins no earlier than the one before.
            sum += end.since(seen.max(*start));
            seen = seen.max(*end);
        }
        sum
    }

    /// How many creates that were dropped in flight still count.
    fn lingering(&self) -> usize {
        self.dropped.iter().filter(|until| **until > self.now).count()
    }

    /// An owner looks at its entry.
    fn collect(&mut self, at: usize) {
        let known = self.known[at];
        if matches!(known, Known::Sent { .. }) {
            return;
        }
        match self.machine.collect(self.now, slot_of(known)) {
            Collected::Waiting => {}
            Collected::Expired => {
                // A create learns of it when it looks, which may be after the pause.
                if let Known::Poll { deadline, .. } = known {
                    assert!(deadline.is_some_and(|deadline| deadline + GRACE <= self.now));
                }
                self.known.swap_remove(at);
            }
            Collected::Granted => {
                self.sends.push(self.now);
                match known {
                    Known::Poll { due, .. } => {
                        assert!(due <= self.now, "a poll before its time");
                        self.known.swap_remove(at);
                    }
                    Known::Create { slot, .. } => {
                        self.known[at] = Known::Sent { slot, at: self.now };
                        let now = self.now;
                        let fresh = |known: &&Known| matches!(known, Known::Sent { at, .. } if now < *at + self.policy.create_lease);
                        let flying = self.known.iter().filter(fresh).count() + self.lingering();
                        assert!(flying <= self.policy.max_in_flight_creates as usize, "{flying} creates in flight");
                    }
                    Known::Sent { .. } => {}
                }
                self.check_rate();
            }
        }
    }

    /// In no span do more requests leave than a full bucket and what flows into it. A grant may lie a while before it
    /// is fetched.
    fn check_rate(&self) {
        for (index, first) in self.sends.iter().enumerate() {
            let count = self.sends.len() - index;
            let span = self.now.since(*first) + FRESH;
            let most = f64::from(self.policy.burst) + self.policy.rate * span.as_secs_f64() + 0.01;
            assert!(count as f64 <= most, "{count} requests in {span:?}, at most {most:.2}");
        }
    }
}

fn slot_of(known: Known) -> SlotId {
    match known {
        Known::Poll { slot, .. } | Known::Create { slot, .. } | Known::Sent { slot, .. } => slot,
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let policy = SchedulePolicy {
        rate: (f64::from(input.byte()) + 1.0) / 16.0,
        burst: u32::from(input.byte() % 16) + 1,
        max_in_flight_creates: u32::from(input.byte() % 8) + 1,
        create_lease: Duration::from_secs(u64::from(input.byte()) + 1),
    };
    let mut bench = Bench {
        machine: ScheduleMachine::new(policy),
        policy,
        now: Time::default(),
        known: Vec::new(),
        sends: Vec::new(),
        pauses: Vec::new(),
        dropped: Vec::new(),
    };
    let mut events = 0;
    while !input.is_empty() && events < 400 {
        events += 1;
        let now = bench.now;
        match input.byte() % 8 {
            0 | 1 => {
                let due = now + input.span();
                let deadline = (input.byte() % 2 == 0).then(|| due + input.span());
                let slot = bench.machine.add(now, SlotRequest::Poll { due, deadline });
                bench.known.push(Known::Poll { slot, due: due.max(now), deadline });
            }
            2 => {
                let patience = input.span();
                let slot = bench.machine.add(now, SlotRequest::Create { since: now, patience });
                bench.known.push(Known::Create { slot, since: now, patience });
            }
            3 if !bench.known.is_empty() => {
                let at = usize::from(input.byte()) % bench.known.len();
                let known = bench.known.swap_remove(at);
                if input.byte() % 2 == 0 {
                    bench.machine.remove(slot_of(known));
                } else {
                    if matches!(known, Known::Sent { at, .. } if now < at + policy.create_lease) {
                        bench.dropped.push(now + LINGER);
                    }
                    bench.machine.abandon(now, slot_of(known));
                }
            }
            4 => {
                let wait = (input.byte() % 2 == 0).then(|| input.span());
                let sent = Time::default() + now.since(Time::default()).saturating_sub(input.span());
                bench.machine.limited(now, sent, wait);
                bench.pauses.extend(wait.map(|wait| (now, now + wait)));
                assert!(bench.machine.paused_until() >= now + wait.unwrap_or_default() || wait.is_none());
                assert!(bench.machine.rate() <= policy.rate && bench.machine.creates_allowed() >= 1);
            }
            5 | 6 => bench.now = now + input.span(),
            _ if !bench.known.is_empty() => {
                let at = usize::from(input.byte()) % bench.known.len();
                bench.collect(at);
            }
            _ => {}
        }
        bench.settle();
    }
    // Whoever looks every time comes to the end of the queue.
    for _ in 0..20_000 {
        let next = bench.settle();
        let before = (bench.known.len(), bench.sends.len());
        for at in (0..bench.known.len()).rev() {
            bench.collect(at);
        }
        // Every create is answered at once.
        for at in (0..bench.known.len()).rev() {
            if let Known::Sent { slot, .. } = bench.known[at] {
                bench.machine.remove(slot);
                bench.known.swap_remove(at);
            }
        }
        if bench.known.is_empty() {
            bench.now = bench.now + LINGER;
            assert_eq!(bench.machine.step(bench.now), ScheduleStep::Idle, "nobody is left, and it waits");
            return;
        }
        if before == (bench.known.len(), bench.sends.len()) {
            // What was fetched too late stands in the queue again, and the next round sees to it.
            bench.now = bench.settle().or(next).unwrap_or(bench.now).max(bench.now);
        }
    }
    panic!("somebody waits for ever: {} of them", bench.known.len());
});
