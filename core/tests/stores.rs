//! What every store does, tried on that in memory, on `PostgreSQL` and on Redis: real servers, which this program starts. Where one
//! is not installed, it says what was not run.
//!
//!     cargo test -p junfeiai --features postgres,redis --test stores            all
//!     cargo test -p junfeiai --features postgres,redis --test stores -- race    those whose name holds this
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[cfg(target_os = "linux")]
#[path = "stores/cases.rs"]
mod cases;
#[cfg(target_os = "linux")]
#[path = "stores/jobs.rs"]
mod jobs;
#[cfg(target_os = "linux")]
#[path = "stores/proxy.rs"]
mod proxy;
#[cfg(target_os = "linux")]
#[path = "stores/servers.rs"]
mod servers;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cases::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("not run: stores (the servers are started on Linux only)\nstores: 0 passed, 0 failed");
}
