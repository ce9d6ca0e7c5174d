//! The one thread of ours that enters the interpreter: it hands on log lines, and results and progress for event loops
//! without a mailbox.
//!
//! The runtime's threads never wait for the GIL, so a busy interpreter does not stop sockets, and a thread that holds the
//! GIL can wait for the runtime without fear. The thread starts with the first errand.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use junfeiai::fork::PerProcess;
use pyo3::prelude::*;

use crate::interpreter::attach;
use crate::log;

/// How long the interpreter's end waits for a message that is being handed over.
const FAREWELL: Duration = Duration::from_millis(300);

type SlotRequest = Box<dyn FnOnce(Python<'_>) + Send>;

struct Courier {
    errands: Mutex<Option<Sender<SlotRequest>>>,
    thread: Option<JoinHandle<()>>,
}

static COURIER: PerProcess<Courier> = PerProcess::new();

/// Has something done by the courier, attached to the interpreter. Nothing is done once the interpreter ends.
pub(crate) fn send(errand: impl FnOnce(Python<'_>) + Send + 'static) {
    let courier = COURIER.get_or_init(|| {
        let (sender, receiver) = channel();
        let thread = std::thread::Builder::new().name("junfeiai-courier".to_owned()).spawn(move || run(&receiver)).ok();
        Courier { errands: Mutex::new(Some(sender)), thread }
    });
    if let Some(sender) = &*courier.errands.lock().unwrap_or_else(PoisonError::into_inner) {
        let _ = sender.send(Box::new(errand));
    }
}

fn run(errands: &Receiver<SlotRequest>) {
    while let Ok(first) = errands.recv() {
        let done = attach(|py| {
            first(py);
            // Whatever has come meanwhile goes along: one turn at the GIL serves a burst.
            for errand in errands.try_iter() {
                errand(py);
            }
            log::drain(py);
        });
        if done.is_none() {
            return;
        }
    }
}

/// Ends the courier, at the interpreter's end and with the GIL released.
pub(crate) fn stop() {
    let Some(courier) = COURIER.get() else { return };
    drop(courier.errands.lock().unwrap_or_else(PoisonError::into_inner).take());
    let end = Instant::now() + FAREWELL;
    while courier.thread.as_ref().is_some_and(|thread| !thread.is_finished()) && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
}
