//! A connection that the server reset must not end the program.
//!
//! Whoever writes to such a socket gets SIGPIPE, which by default ends the process. Rust programs ignore it from the start,
//! and so does Python; C and C++ programs do not, and may want to keep it for their own pipes. `send` with `MSG_NOSIGNAL`
//! would spare it, but TLS writes with `writev`, which has no flags. So the signal is blocked in the one thread that
//! writes, while it does. Nothing of the process is changed: neither the disposition of the signal nor another thread.
//!
//! Linux and Android only: on Apple's systems every socket is made with `SO_NOSIGPIPE` (by mio and socket2), and Windows
//! has no signals.

/// Blocks SIGPIPE in the calling thread for good: for threads of our own, which run nothing of the program's.
pub fn block_sigpipe() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = linux::set().thread_block();
}

/// Runs work that may write to sockets. The signal mask of the calling thread is afterwards what it was.
pub fn without_sigpipe<T>(work: impl FnOnce() -> T) -> T {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _blocked = linux::Blocked::new();
    work()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, raise};
    use nix::sys::signalfd::{SfdFlags, SignalFd};
    use nix::unistd::Pid;

    pub(super) fn set() -> SigSet {
        let mut set = SigSet::empty();
        set.add(Signal::SIGPIPE);
        set
    }

    /// SIGPIPE is blocked in this thread until it is dropped.
    pub(super) struct Blocked {
        /// False when it was blocked before: then all of it is somebody else's affair.
        by_us: bool,
    }

    impl Blocked {
        pub(super) fn new() -> Self {
            let before = set().thread_swap_mask(SigmaskHow::SIG_BLOCK);
            Self { by_us: before.is_ok_and(|before| !before.contains(Signal::SIGPIPE)) }
        }
    }

    impl Drop for Blocked {
        fn drop(&mut self) {
            if !self.by_us {
                return;
            }
            // It was not blocked before, so what is pending now came while it was.
            let foreign = take_pending();
            let _ = set().thread_unblock();
            if foreign {
                let _ = kill(Pid::this(), Signal::SIGPIPE);
            }
        }
    }

    /// Takes the signal that a write left for this thread, if one did. True for one that another process sent to this
    /// one, which is to be passed on.
    fn take_pending() -> bool {
        // The kernel looks among the thread's own signals first. It never waits, unlike `sigwait`.
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        match SignalFd::with_flags(&set(), flags).map(|fd| fd.read_signal()) {
            Ok(Ok(Some(info))) => info.ssi_pid != std::process::id(),
            Ok(_) => false,
            Err(_) => {
                // No descriptor is left: with one more of the same, which is merged, there is surely one to wait for.
                let _ = raise(Signal::SIGPIPE).and_then(|()| set().wait());
                false
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;
    use std::os::fd::OwnedFd;

    use nix::sys::signal::{SigSet, Signal, raise};

    use super::*;

    fn blocked() -> bool {
        SigSet::thread_get_mask().unwrap().contains(Signal::SIGPIPE)
    }

    /// Whether the thread has a SIGPIPE that waits for it.
    fn pending() -> bool {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("SigPnd:")).unwrap();
        u64::from_str_radix(line.trim(), 16).unwrap() & 1 << (Signal::SIGPIPE as i32 - 1) != 0
    }

    /// Writes to a pipe that nobody reads.
    fn write_to_nobody() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let error = std::fs::File::from(OwnedFd::from(writer)).write(b"x").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn the_mask_is_what_it_was_and_nothing_is_left_pending() {
        std::thread::spawn(|| {
            assert!(!blocked());
            let result = without_sigpipe(|| {
                assert!(blocked());
                write_to_nobody();
                // Even where it is ignored, since it might not be when it is unblocked.
                assert!(pending());
                without_sigpipe(write_to_nobody);
                assert!(pending(), "the outermost takes it");
                7
            });
            assert_eq!((result, blocked(), pending()), (7, false, false));
            let panicked = std::panic::catch_unwind(|| without_sigpipe(|| std::panic::resume_unwind(Box::new(()))));
            assert!(panicked.is_err() && !blocked());
        })
        .join()
        .unwrap();
    }

    #[test]
    fn what_the_program_blocked_is_its_own_affair() {
        std::thread::spawn(|| {
            block_sigpipe();
            raise(Signal::SIGPIPE).unwrap();
            without_sigpipe(write_to_nobody);
            assert!(blocked() && pending());
        })
        .join()
        .unwrap();
    }
}
