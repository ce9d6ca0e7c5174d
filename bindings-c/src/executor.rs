//! What drives a client's futures: a runtime of one thread, which is whichever thread calls, and the process that it belongs to.

use junfeiai::fork::Pid;
use junfeiai::platform::native::without_sigpipe;
use junfeiai::{Error, ErrorKind, Phase, Result};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::failure::{Failure, Outcome, need};

pub(crate) struct Executor {
    /// Always there; an option so that `drop` can take it.
    runtime: Option<Runtime>,
    process: Pid,
}

impl Executor {
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            Error::new(ErrorKind::Io, Phase::Config, format!("the runtime cannot be started: {error}"))
        })?;
        Ok(Self { runtime: Some(runtime), process: Pid::current() })
    }

    /// Sockets and threads do not survive a fork: what was made before it must not be touched after it.
    pub(crate) fn forked(&self) -> bool {
        !self.process.is_current()
    }

    pub(crate) fn check(&self) -> Outcome {
        if self.forked() { Err(Failure::Forked) } else { Ok(()) }
    }

    /// Drives a future to its end on the calling thread.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> Outcome<F::Output> {
        self.check()?;
        let runtime = need(self.runtime.as_ref(), "the runtime")?;
        // What tokio keeps of a thread is gone before functions of atexit() and such destructors are called.
        if Handle::try_current().is_err_and(|error| error.is_thread_local_destroyed()) {
            return Err(Error::new(
                ErrorKind::InvalidRequest,
                Phase::Config,
                "this thread is ending, in a function of atexit() or a destructor of a static or thread_local object, and can make no \
                 blocking call: make it before, in another thread, or without blocking",
            )
            .into());
        }
        // The program's own disposition of SIGPIPE is left as it is, and its callbacks run with the mask that it chose.
        Ok(without_sigpipe(|| {
            let _entered = runtime.enter();
            runtime.block_on(future)
        }))
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without waiting: a name lookup that hangs must not hold up whoever frees the last handle, and the last
            // handle may be freed by a callback.
            without_sigpipe(|| runtime.shutdown_background());
        }
    }
}
