//! What the tests of the promises share: a key that is easy to find, a search that finds it in every disguise, and
//! servers made by hand that keep every byte they are sent.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)] // for tests: a panic is what they end with

pub mod net;
pub mod scan;
pub mod server;

use std::time::Duration;

use junfeiai::{Client, ClientBuilder};
use junfeiai_emulator::{Emulator, HostName, KeySeen};
use serde_json::Value;

pub use scan::{KEY, PASSWORD, TOKEN, assert_clean, leaks};

/// An emulator that takes [`KEY`], with a second host that wants no key.
pub fn emulator(scenario: &Value) -> Emulator {
    let emulator = Emulator::builder().api_key(KEY).time_scale(2000.0).second_host(true).start().unwrap();
    emulator.set_scenario_json(&scenario.to_string()).unwrap();
    emulator
}

/// A client that does not wait long for anything.
pub fn builder(base_url: &str) -> ClientBuilder {
    Client::builder()
        .api_key(KEY)
        // Of a gateway in front: as secret as the key.
        .header("X-Gateway", PASSWORD)
        .endpoint(base_url)
        .poll_interval(Duration::from_millis(20))
        .max_attempts(2)
        .retry(junfeiai::RetryPolicy { max_attempts: 2, base: Duration::from_millis(1), ..Default::default() })
}

/// Whether the key came along with the requests at the second host, which is on no list.
pub fn keys_at_second(emulator: &Emulator) -> Vec<KeySeen> {
    let requests = emulator.requests();
    requests.into_iter().filter(|request| request.host == HostName::Second).map(|request| request.key).collect()
}
