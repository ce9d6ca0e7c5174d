//! A durable wait from any text: what is read never panics, asks no faster than the service allows, keeps its deadline, and
//! is the same when it is written and read again.
#![no_main]

use std::time::Duration;

use junfeiai::protocol::{MIN_INTERVAL, Time, WaitState, WaitStep};
use junfeiai::{Error, ErrorKind, Phase, Snapshot};
use libfuzzer_sys::fuzz_target;

const NOW: Time = Time::from_start(Duration::from_secs(1_750_000_000));

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut state: WaitState = match text.parse() {
        Ok(state) => state,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            return;
        }
    };
    let (mut now, mut asked) = (NOW, None::<Time>);
    for round in 0..50 {
        let written = state.to_string();
        assert!(written.len() <= 16 * 1024);
        assert_eq!(written.parse::<WaitState>().expect("what was written is read").to_string(), written);
        state = state.for_host(false);
        let pause = state.pause(now);
        now = now + pause;
        if now.since(NOW) > Duration::from_secs(1 << 40) {
            // A clock that has come to its end stands still.
            return;
        }
        let (deadline, id) = (state.deadline(), state.task_id().to_owned());
        let mut wait = state.machine(now);
        match wait.step(now) {
            WaitStep::Poll { .. } => {
                assert!(asked.is_none_or(|asked| now.since(asked) >= MIN_INTERVAL), "faster than the service allows");
                asked = Some(now);
                let running = Snapshot::default();
                let failed = Error::new(ErrorKind::Upstream, Phase::Query, "x");
                wait.input(now, if round % 3 == 0 { Err(failed) } else { Ok(&running) });
            }
            WaitStep::Done(Err(error)) => {
                assert_eq!(error.task_id(), Some(id.as_str()));
                return;
            }
            step => panic!("{step:?}"),
        }
        match WaitState::of(&wait, now) {
            Some(next) => state = next,
            None => return,
        }
        assert_eq!(state.deadline(), deadline, "the deadline was lost");
        assert_eq!(state.task_id(), id);
    }
});
