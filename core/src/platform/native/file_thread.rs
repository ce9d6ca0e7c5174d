//! File work off the threads of an async runtime: a stalled disk stalls nobody else.

use std::cell::Cell;
use std::sync::mpsc::{self, SendError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::async_compat::BoxFuture;
use crate::platform::native::sigpipe::block_sigpipe;

type Work = Box<dyn FnOnce() + Send>;

/// Carries out work one after the other: on a thread of its own, or in place where the caller's thread serves nobody else.
///
/// The runtime's own pool of threads would not do: it keeps no order, and drops what is queued when the runtime ends.
#[derive(Default)]
pub(crate) struct FileThread(Mutex<Option<Running>>);

struct Running {
    work: Sender<Work>,
    thread: JoinHandle<()>,
    /// Whoever drops it waits for its end.
    joined: bool,
}

thread_local! {
    /// See [`serving_others`].
    static SERVES_OTHERS: Cell<bool> = const { Cell::new(false) };
}

/// Drives a runtime of one thread for several calls at once: none of them shall wait for the disk of another. A thread that
/// was started for them ends before what it works for is dropped, since a program may unload the library then.
pub fn serving_others<T>(drive: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            SERVES_OTHERS.set(self.0);
        }
    }
    let _before = Before(SERVES_OTHERS.replace(true));
    drive()
}

/// The work did not come to its end: it panicked.
#[derive(Debug)]
pub(crate) struct Lost;

impl FileThread {
    /// A thread, if the caller runs in a runtime whose threads serve others too. One of a single caller, who waits for just
    /// that work, needs none. Where no thread can be started the work is done in place.
    pub(crate) fn for_caller() -> Self {
        Self(Mutex::new(serves_others().then(start).flatten()))
    }

    /// Starts the thread, unless it runs, if the caller is one for whom [`FileThread::for_caller`] would.
    pub(crate) fn start_for_caller(&self) {
        let mut running = self.running();
        if running.is_none() && serves_others() {
            *running = start();
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins the work at once. It comes to its end even if the future is dropped.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Lost>> {
        let running = self.running();
        let Some(Running { work: queue, .. }) = running.as_ref() else {
            drop(running);
            let value = work();
            return Box::pin(async { Ok(value) });
        };
        let (reply, result) = oneshot::channel();
        let work: Work = Box::new(move || {
            // Whoever asked may be gone.
            let _ = reply.send(work());
        });
        if let Err(SendError(work)) = queue.send(work) {
            work();
        }
        // A task that has used up its time would find nothing here, and whoever drops a save polls only once.
        Box::pin(tokio::task::unconstrained(async { result.await.map_err(|_| Lost) }))
    }

    /// Does the work behind everything that was begun, and waits for it. For callers that cannot wait as a future does.
    pub(crate) fn run_and_wait<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        let (reply, result) = mpsc::sync_channel(1);
        drop(self.run(move || {
            let _ = reply.send(work());
        }));
        result.recv().map_err(|_| Lost)
    }

    /// Waits for what was begun. Later work is done in place.
    pub(crate) fn stop(&self) {
        let running = self.running().take();
        if let Some(Running { work, thread, .. }) = running {
            drop(work);
            let _ = thread.join();
        }
    }
}

impl Drop for FileThread {
    fn drop(&mut self) {
        if self.running().as_ref().is_some_and(|running| running.joined) {
            self.stop();
        }
    }
}

/// Whether the calling thread belongs to a runtime that has other work for it.
fn serves_others() -> bool {
    SERVES_OTHERS.get()
        || Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}

fn start() -> Option<Running> {
    let (work, queue) = mpsc::channel::<Work>();
    let serve = move || {
        block_sigpipe();
        for work in queue {
            work();
        }
    };
    let thread = Builder::new().name("junfeiai-files".into()).spawn(serve).ok()?;
    Some(Running { work, thread, joined: SERVES_OTHERS.get() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The disk stalls; the runtime has one thread, and its other tasks go on.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_stalled_disk_stalls_no_other_task() {
        let (go_on, stalled) = mpsc::channel::<()>();
        let work = tokio::spawn(async move {
            let thread = FileThread::for_caller();
            thread.run(move || stalled.recv().unwrap()).await.unwrap();
        });
        // On the one thread that the stalled work would hold up.
        let other = tokio::spawn(async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        tokio::time::timeout(Duration::from_secs(30), other).await.unwrap().unwrap();
        assert!(!work.is_finished());
        go_on.send(()).unwrap();
        work.await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn work_is_done_in_order_and_to_its_end() {
        let thread = FileThread::for_caller();
        let (done, order) = mpsc::channel();
        for number in 0..50 {
            let done = done.clone();
            drop(thread.run(move || {
                std::thread::sleep(Duration::from_micros(100));
                done.send(number).unwrap();
            }));
        }
        assert_eq!(thread.run_and_wait(|| 6).unwrap(), 6);
        let last = thread.run(|| 7);
        thread.stop();
        assert_eq!(order.try_iter().collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
        // Its result is there without waiting, and further work is done in place.
        assert_eq!(futures_util::FutureExt::now_or_never(last).unwrap().unwrap(), 7);
        let here = std::thread::current().id();
        assert!(thread.run(move || std::thread::current().id() == here).await.unwrap());
    }

    /// One thread drives the calls of several, as C's does: the stalled one stalls none of them.
    #[test]
    fn a_stalled_disk_stalls_no_other_call_of_a_thread_that_serves_several() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (go_on, stalled) = mpsc::channel::<()>();
        let (ended, end) = mpsc::channel();
        serving_others(|| {
            runtime.block_on(async {
                let thread = FileThread::for_caller();
                let work = thread.run(move || {
                    stalled.recv_timeout(Duration::from_secs(60)).unwrap();
                    std::thread::sleep(Duration::from_millis(20));
                    ended.send(()).unwrap();
                });
                tokio::time::sleep(Duration::from_millis(1)).await;
                go_on.send(()).unwrap();
                drop(work);
                // It waits for what was begun.
                drop(thread);
                end.try_recv().unwrap();
            });
        });
        assert!(!SERVES_OTHERS.get());
    }

    #[tokio::test]
    async fn a_runtime_of_one_caller_needs_no_thread() {
        let here = std::thread::current().id();
        assert!(FileThread::for_caller().run(move || std::thread::current().id() == here).await.unwrap());
    }
}
