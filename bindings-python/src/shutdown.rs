//! What `atexit` runs: running calls are dropped, and no thread of ours enters the interpreter any more.

use std::time::Duration;

use pyo3::prelude::*;

use crate::{gil_thread, interpreter, log, paid_calls, runtime};

/// How long the interpreter's end waits for running calls to release what they hold.
const GRACE: Duration = Duration::from_millis(300);

/// Called before the interpreter is taken down. The order matters: first nobody enters any more, then everything that runs
/// is dropped, and what is known of paid tasks is logged last.
pub(crate) fn shutdown(py: Python<'_>) {
    interpreter::close();
    interpreter::detach(py, || {
        gil_thread::stop();
        runtime::stop(GRACE);
    });
    paid_calls::report_all(py);
    interpreter::wait_for_the_short(py);
    log::drain_quietly(py);
}
