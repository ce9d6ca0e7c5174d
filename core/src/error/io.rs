//! Our error as an [`io::Error`], for everything that reads by `std::io` or tokio's traits.

use std::error::Error as _;
use std::io;

use crate::error::{Error, ErrorKind};

/// Keeps the whole error inside: `error.get_ref()` downcasts to [`Error`]. The kind is never `Interrupted` or
/// `WouldBlock`, which callers take as "try again at once".
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::new(io_kind(&error), error)
    }
}

fn io_kind(error: &Error) -> io::ErrorKind {
    use io::ErrorKind as Io;
    match error.kind() {
        ErrorKind::NotFound => Io::NotFound,
        ErrorKind::Authentication
        | ErrorKind::PermissionDenied
        | ErrorKind::InsufficientBalance
        | ErrorKind::UntrustedHost => Io::PermissionDenied,
        ErrorKind::Config | ErrorKind::InvalidRequest | ErrorKind::BadRequest => Io::InvalidInput,
        ErrorKind::Timeout | ErrorKind::WaitTimeout => Io::TimedOut,
        ErrorKind::Integrity | ErrorKind::UnexpectedResponse => Io::InvalidData,
        ErrorKind::Connect => Io::NotConnected,
        ErrorKind::Connection | ErrorKind::Download => Io::ConnectionAborted,
        ErrorKind::NotReady | ErrorKind::RateLimited | ErrorKind::FileLocked => Io::ResourceBusy,
        ErrorKind::NotOffered => Io::Unsupported,
        ErrorKind::FileExists => Io::AlreadyExists,
        ErrorKind::NoSpace => Io::StorageFull,
        ErrorKind::Io => {
            let kind = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
            kind.filter(|kind| !matches!(kind, Io::Interrupted | Io::WouldBlock)).unwrap_or(Io::Other)
        }
        _ => Io::Other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::Phase;

    #[test]
    fn the_error_is_inside_and_the_kind_says_what_it_is() {
        let error = Error::new(ErrorKind::Integrity, Phase::Content, "the file changed").with_task("task_1");
        let text = error.to_string();
        let io: io::Error = error.into();
        assert_eq!((io.kind(), io.to_string()), (io::ErrorKind::InvalidData, text));
        let inner = io.get_ref().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(inner.task_id(), Some("task_1"));
    }

    #[test]
    fn no_kind_invites_a_loop() {
        for kind in ErrorKind::ALL {
            let cause = io::Error::from(io::ErrorKind::Interrupted);
            let io: io::Error = Error::new(*kind, Phase::Content, "x").with_source(cause).into();
            assert!(!matches!(io.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock), "{kind}");
        }
    }
}
