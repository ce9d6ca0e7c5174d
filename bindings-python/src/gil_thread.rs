//! The one thread of ours that asks for the GIL. It hands on log lines, and results and progress for event loops without a
//! [`LoopQueue`](crate::loop_queue::LoopQueue).
//!
//! The runtime's threads never wait for the GIL, so a busy interpreter does not stop sockets, and a thread that holds the
//! GIL can wait for the runtime without a deadlock. The thread starts with the first job.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use junfeiai::fork::PerProcess;
use pyo3::prelude::*;

use crate::interpreter::attach;
use crate::log;

/// How long the interpreter's end waits for a job that is being done.
const GRACE: Duration = Duration::from_millis(300);

type Job = Box<dyn FnOnce(Python<'_>) + Send>;

struct GilThread {
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Option<JoinHandle<()>>,
}

static GIL_THREAD: PerProcess<GilThread> = PerProcess::new();

/// Has something done by the thread, attached to the interpreter. Nothing is done once the interpreter ends.
pub(crate) fn send(job: impl FnOnce(Python<'_>) + Send + 'static) {
    let gil_thread = GIL_THREAD.get_or_init(|| {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new().name("junfeiai-gil".to_owned()).spawn(move || run(&receiver)).ok();
        GilThread { jobs: Mutex::new(Some(sender)), thread }
    });
    if let Some(sender) = &*gil_thread.jobs.lock().unwrap_or_else(PoisonError::into_inner) {
        let _ = sender.send(Box::new(job));
    }
}

fn run(jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let done = attach(|py| {
            first(py);
            // Jobs that came meanwhile are done in the same turn: taking the GIL once serves a burst.
            for job in jobs.try_iter() {
                job(py);
            }
            log::drain_quietly(py);
        });
        if done.is_none() {
            return;
        }
    }
}

/// Ends the thread, at the interpreter's end and with the GIL released.
pub(crate) fn stop() {
    let Some(gil_thread) = GIL_THREAD.get() else { return };
    drop(gil_thread.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
    let end = Instant::now() + GRACE;
    while gil_thread.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}
