//! The one error record that every binding shows.
//!
//! A failure is a small record: *what kind* it is, *where* it happened, what the server said, which task it is about, and
//! whether the request may have been carried out all the same. The table below is the only place where kinds are
//! named and numbered (what the service says: service document §9); the bindings generate their names from it.
//!
//! ```
//! use junfeiai::{ErrorKind, VideoRequest};
//!
//! let error = VideoRequest::new("A red ball").seconds(3600).prepare().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidRequest);
//! assert_eq!(error.record().field.as_deref(), Some("seconds"));
//! assert!(error.to_string().ends_with("correct the request; nothing was sent"));
//! ```

mod io;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::status::TaskStatus;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! error_kinds {
    ($( $(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $next:literal; )*) => {
        /// What kind of failure it is. Numbers and names never change their meaning; new kinds may come.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum ErrorKind { $( $(#[$doc])* $variant = $number, )* }

        impl ErrorKind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &'static [ErrorKind] = &[ $( ErrorKind::$variant, )* ];

            /// The stable `snake_case` name, the same in every language.
            pub const fn name(self) -> &'static str {
                match self { $( ErrorKind::$variant => $name, )* }
            }

            /// The stable number, the same in every language.
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// What the caller can do next, as the end of a sentence.
            pub const fn next_step(self) -> &'static str {
                match self { $( ErrorKind::$variant => $next, )* }
            }
        }
    };
}

error_kinds! {
    /// The client cannot be built: no key, a base URL that cannot be one, …
    Config = 10, "config", "correct the client's options";
    /// The request was refused before it was sent; nothing was charged.
    InvalidRequest = 11, "invalid_request", "correct the request; nothing was sent";
    /// Refused to send the API key to an untrusted host.
    UntrustedHost = 12, "untrusted_host", "add the host to trusted_hosts if you trust it with the key";
    /// The key was used for another request. Nothing was sent.
    IdempotencyConflict = 13, "idempotency_conflict", "use another key for another request; nothing was sent";
    /// The server refused the request's fields (400 and other 4xx).
    BadRequest = 20, "bad_request", "check model, prompt, seconds, size and images";
    /// The key is missing, wrong, expired or used up (401).
    Authentication = 21, "authentication", "check the API key";
    /// The account may not do this (403).
    PermissionDenied = 22, "permission_denied", "check the account's group and model rights";
    /// The account or the key has not enough balance (403).
    InsufficientBalance = 23, "insufficient_balance", "top up the account, then try again";
    /// The task id or the path is unknown (404, or 400 `task_not_exist`).
    NotFound = 24, "not_found", "check the task id and the base URL";
    /// Too many requests (429).
    RateLimited = 25, "rate_limited", "slow down, then try again";
    /// The service behind the gateway failed (5xx, or `fail_to_fetch_task`).
    Upstream = 26, "upstream", "try again later; if the error persists, contact support with the task id";
    /// The server offers no such model (503 `model_not_found`); trying again does not help.
    ModelUnavailable = 27, "model_unavailable", "choose another model";
    /// The response is not from this API.
    UnexpectedResponse = 28, "unexpected_response", "check that the base URL ends in /v1";
    /// Optional endpoint, not supported by this server.
    NotOffered = 29, "not_offered", "continue without it: this server does not support it";
    /// No connection could be made (DNS, TCP, TLS); nothing was sent.
    Connect = 30, "connect", "check the network, the proxy and the base URL";
    /// The connection was lost after the request may have been sent.
    Connection = 31, "connection", "try again";
    /// No answer in time.
    Timeout = 32, "timeout", "try again, or allow more time";
    /// A create request was sent and its outcome is not known: a task may exist and may have been charged.
    CreateOutcomeUnknown = 40, "create_outcome_unknown", "it may have been charged: check your account's usage page for this task before you create it again";
    /// The task ended in FAILURE; the service returns the charge.
    TaskFailed = 41, "task_failed", "change the prompt or the images, then create a new task";
    /// The wait ended before the task did. The task is still running.
    WaitTimeout = 42, "wait_timeout", "the task is still running: call wait with its id again";
    /// The video could not be read to its end; what was read is kept for the next try.
    Download = 50, "download", "save again to resume";
    /// The video is not there yet.
    NotReady = 51, "not_ready", "try again in a few seconds";
    /// What was read is not the whole, unchanged video.
    Integrity = 52, "integrity", "save again; if the error persists, contact support with the task id";
    /// The target exists and overwriting was not asked for.
    FileExists = 53, "file_exists", "choose another name or allow overwriting";
    /// A local file could not be read or written.
    Io = 54, "io", "check the path, its rights and the disk";
    /// Another saver is writing the same file.
    FileLocked = 55, "file_locked", "wait for the other saver of this file to end";
    /// There is not enough room on the disk.
    NoSpace = 56, "no_space", "make room on the disk, then save again to resume";
    /// The caller cancelled the operation. An existing task keeps running and stays charged.
    Cancelled = 60, "cancelled", "call again to continue";
    /// The journal cannot be used.
    Journal = 61, "journal", "correct what is named, then try again; a new journal would forget what was paid for";
    /// A defect of this library.
    Internal = 70, "internal", "please report this";
}

impl ErrorKind {
    /// The kind with this stable number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }

    /// The kind with this stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Which part of the work the failure belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Phase {
    /// Building a client or reading its options.
    Config,
    /// Creating a task: the call that costs money.
    Create,
    /// Asking for a task's state.
    Query,
    /// Waiting for a task.
    Wait,
    /// Reading the MP4.
    Content,
    /// Writing the MP4 to a file.
    Save,
    /// Looking at the service without creating anything.
    Check,
    /// Reading or writing the journal.
    Journal,
}

impl Phase {
    /// The stable name, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Create => "create",
            Self::Query => "query",
            Self::Wait => "wait",
            Self::Content => "content",
            Self::Save => "save",
            Self::Check => "check",
            Self::Journal => "journal",
        }
    }
}

/// The record behind an [`Error`]. All of it is plain data without the API key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ErrorRecord {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// Where it happened.
    pub phase: Phase,
    /// What went wrong, one clear English line without the advice that [`fmt::Display`] adds.
    pub message: String,
    /// The option or request field at fault, where one is.
    pub field: Option<Cow<'static, str>>,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// The server's own `code`.
    pub code: Option<String>,
    /// The server's own message, in its language.
    pub server_message: Option<String>,
    /// The server's request id, for the administrator.
    pub request_id: Option<String>,
    /// The task this is about. Present on every error after a task exists.
    pub task_id: Option<String>,
    /// The last status seen of that task.
    pub last_status: Option<TaskStatus>,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
    /// How many requests were sent for this call.
    pub attempts: u32,
    /// True when the request may have been carried out (and charged) although there is no answer.
    pub maybe_executed: bool,
    /// True when the same call may succeed later without any change.
    pub transient: bool,
}

/// Any failure of this library.
///
/// `Display` is one line that says what happened and what to do next; the parts are in [`Error::record`].
#[derive(Clone)]
pub struct Error {
    record: Box<ErrorRecord>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A new error of this kind. What the record does not say yet is added by the `with_…` calls.
    pub fn new(kind: ErrorKind, phase: Phase, message: impl Into<String>) -> Self {
        let transient = matches!(
            kind,
            ErrorKind::RateLimited
                | ErrorKind::Upstream
                | ErrorKind::Connect
                | ErrorKind::Connection
                | ErrorKind::Timeout
                | ErrorKind::NotReady
        );
        Self {
            record: Box::new(ErrorRecord {
                kind,
                phase,
                message: bounded(&message.into(), MAX_MESSAGE),
                field: None,
                status: None,
                code: None,
                server_message: None,
                request_id: None,
                task_id: None,
                last_status: None,
                retry_after: None,
                attempts: 0,
                maybe_executed: kind == ErrorKind::CreateOutcomeUnknown,
                transient,
            }),
            source: None,
        }
    }

    /// A refused option or request field.
    pub(crate) fn field(
        kind: ErrorKind,
        phase: Phase,
        field: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let mut error = Self::new(kind, phase, message);
        error.record.field = Some(field.into());
        error
    }

    /// A configuration error about one option.
    pub(crate) fn config(option: &'static str, message: impl Into<String>) -> Self {
        Self::field(ErrorKind::Config, Phase::Config, option, message)
    }

    /// All parts of it.
    pub fn record(&self) -> &ErrorRecord {
        &self.record
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.record.kind
    }

    /// The task this is about; present on every error after a task exists.
    pub fn task_id(&self) -> Option<&str> {
        self.record.task_id.as_deref()
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> Option<u16> {
        self.record.status
    }

    /// How long the server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.record.retry_after
    }

    /// True when the request may have been carried out (and charged) although there is no answer.
    pub fn maybe_executed(&self) -> bool {
        self.record.maybe_executed
    }

    /// True when the same call may succeed later without any change.
    pub fn is_transient(&self) -> bool {
        self.record.transient
    }

    /// The record as JSON, for logs and for the bindings.
    pub fn to_json(&self) -> Value {
        let record = &*self.record;
        let mut fields = Map::new();
        // Texts apart from the rest: the code of one conversion for all of them.
        let texts = [
            ("kind", Some(record.kind.name())),
            ("phase", Some(record.phase.name())),
            ("message", Some(record.message.as_str())),
            ("field", record.field.as_deref()),
            ("code", record.code.as_deref()),
            ("server_message", record.server_message.as_deref()),
            ("request_id", record.request_id.as_deref()),
            ("task_id", record.task_id.as_deref()),
            ("last_status", record.last_status.map(TaskStatus::name)),
            ("text", Some(&*self.to_string())),
        ];
        for (name, text) in texts {
            fields.insert(name.to_owned(), text.into());
        }
        let rest: [(&str, Value); 6] = [
            ("number", record.kind.number().into()),
            ("status", record.status.into()),
            ("retry_after_s", record.retry_after.map(|after| after.as_secs_f64()).into()),
            ("attempts", record.attempts.into()),
            ("maybe_executed", record.maybe_executed.into()),
            ("transient", record.transient.into()),
        ];
        for (name, value) in rest {
            fields.insert(name.to_owned(), value);
        }
        Value::Object(fields)
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut ErrorRecord)) -> Self {
        change(&mut self.record);
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// Most systems take 255 bytes; what is not whole has 11 more.
    pub(crate) const SHORTER_NAME: &str = ": take a shorter name, of 240 bytes at most";

    /// An error of a foreign file system by the name of its error number (`ENOSPC`, `EACCES`, …).
    pub fn from_io_code(code: &str, message: &str) -> Self {
        let kind = match code {
            "ENOSPC" | "EDQUOT" | "EFBIG" => ErrorKind::NoSpace,
            _ => ErrorKind::Io,
        };
        let advice = if code == "ENAMETOOLONG" { Self::SHORTER_NAME } else { "" };
        Self::new(kind, Phase::Save, format!("the file cannot be used: {message}{advice}"))
    }

    /// [`Error::with_task`], where the task is known.
    pub(crate) fn about(self, task_id: Option<&str>) -> Self {
        match task_id {
            Some(id) => self.with_task(id),
            None => self,
        }
    }

    /// Notes the task that it is about, unless one is noted already.
    #[must_use]
    pub fn with_task(mut self, id: &str) -> Self {
        if self.record.task_id.is_none() {
            self.record.task_id = Some(id.to_owned());
        }
        self
    }

    /// Names the option or request field that it is about, where the caller gave the value under another name than ours: an
    /// image that is one of `images`, for example.
    #[must_use]
    pub fn with_field(mut self, field: &'static str) -> Self {
        self.record.field = Some(field.into());
        self
    }

    /// The advice that ends the displayed line.
    fn next_step(&self) -> Cow<'static, str> {
        let record = &self.record;
        match (&record.task_id, record.kind) {
            // Not the service's own words: what to do about the key, the rights or the fields is not known.
            (_, ErrorKind::Authentication | ErrorKind::PermissionDenied | ErrorKind::BadRequest)
                if record.transient && record.phase != Phase::Content =>
            {
                Cow::Borrowed("try again; if it persists, check the proxy or firewall in front of the service")
            }
            (None, ErrorKind::Upstream) if record.phase == Phase::Create => {
                Cow::Borrowed("nothing was charged: try again later")
            }
            #[cfg(feature = "journal")]
            (_, ErrorKind::Authentication) if record.field.as_deref() == Some("account_token") => {
                Cow::Borrowed("check the account token, and whether the server wants the account's number with it")
            }
            // A key used up by its last create cannot poll its own task any more: the task is not lost.
            (Some(id), ErrorKind::Authentication) => {
                let id = one_line(id);
                Cow::Owned(format!(
                    "the task is still running: another key of the same account can call wait(\"{id}\")"
                ))
            }
            (Some(id), ErrorKind::CreateOutcomeUnknown) => {
                let id = one_line(id);
                Cow::Owned(format!("the broken answer names a task: try wait(\"{id}\") before anything else"))
            }
            (Some(id), kind)
                if record.phase == Phase::Wait && !matches!(kind, ErrorKind::TaskFailed | ErrorKind::NotFound) =>
            {
                Cow::Owned(format!("the task is still running: call wait(\"{}\")", one_line(id)))
            }
            // The check refused the file: reading it again brings the same bytes.
            (_, ErrorKind::Integrity) if record.field.as_deref() == Some("verify") => {
                Cow::Borrowed(if record.phase == Phase::Save {
                    "to have the file as it is, save with verify off, which sends no request; \
                     to read it anew, remove the .part file"
                } else {
                    "to have the video as it is, save it with verify off, or read it as a stream"
                })
            }
            // A journal in a database has neither lines nor a file.
            (_, ErrorKind::Journal) if record.field.as_deref() == Some("journal") => {
                Cow::Borrowed(if record.transient {
                    "check the database and the network, then try again"
                } else {
                    "correct it there, or choose another place for the journal"
                })
            }
            (_, ErrorKind::Download) if !record.transient => {
                Cow::Borrowed("saving again cannot help: contact support with the task id")
            }
            (None, ErrorKind::Cancelled) if record.maybe_executed => {
                Cow::Borrowed(ErrorKind::CreateOutcomeUnknown.next_step())
            }
            _ => Cow::Borrowed(record.kind.next_step()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = &self.record;
        f.write_str(&record.message)?;
        let mut open = " (";
        let mut part = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| -> fmt::Result {
            let result = write!(f, "{open}{name} {value}");
            open = ", ";
            result
        };
        if let Some(status) = record.status {
            part(f, "HTTP", &status)?;
        }
        if let Some(code) = &record.code {
            part(f, "code", code)?;
        }
        if let Some(id) = &record.task_id {
            part(f, "task", &one_line(id))?;
        }
        if let Some(id) = &record.request_id {
            part(f, "request", id)?;
        }
        if let Some(after) = record.retry_after {
            part(f, "retry after", &format_args!("{} s", after.as_secs() + u64::from(after.subsec_nanos() > 0)))?;
        }
        if open == ", " {
            f.write_str(")")?;
        }
        write!(f, "; {}", self.next_step())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("record", &self.record).field("source", &self.source).finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// Longest text of the server that is shown in an error.
const MAX_TEXT: usize = 400;
/// Longest message, with such a text, names of files or a list of every option in it.
const MAX_MESSAGE: usize = 1000;

/// Makes foreign text fit for one line: no control characters, no runs of white space, bounded.
pub(crate) fn one_line(text: &str) -> String {
    bounded(text, MAX_TEXT)
}

fn bounded(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(2 * limit));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    // What is too long loses its middle: that is a name or a page of a proxy, and the end says what to do.
    let after = |count: usize| out.char_indices().nth(count).map(|(at, _)| at);
    let before = |count: usize| out.char_indices().nth_back(count).map(|(at, _)| at);
    match (after(limit), after(limit / 2), before((limit / 2).saturating_sub(1))) {
        (Some(_), Some(head), Some(tail)) => {
            let (head, tail) = (out.get(..head).unwrap_or_default(), out.get(tail..).unwrap_or_default());
            format!("{head}…{tail}")
        }
        _ => out,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_lead_back() {
        for kind in ErrorKind::ALL {
            assert_eq!(ErrorKind::from_number(kind.number()), Some(*kind));
            assert_eq!(ErrorKind::from_name(kind.name()), Some(*kind));
        }
    }

    #[test]
    fn display_is_one_line_that_says_what_to_do() {
        let error = Error::new(ErrorKind::WaitTimeout, Phase::Wait, "no end\nafter\t1800 s").with_task("task_1");
        assert_eq!(
            error.to_string(),
            "no end after 1800 s (task task_1); the task is still running: call wait(\"task_1\")"
        );
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(one_line(&"长 ".repeat(5000)).chars().count(), MAX_TEXT + 1);
        for length in 1..3 * MAX_MESSAGE {
            let text = format!("the file {} cannot be used: take a shorter name", "长".repeat(length));
            let error = Error::new(ErrorKind::Io, Phase::Save, text.as_str());
            let shown = &error.record.message;
            assert!(shown.starts_with("the file 长"), "{shown}");
            assert!(shown.ends_with("长 cannot be used: take a shorter name"), "{shown}");
            assert_eq!(*shown == text, text.chars().count() <= MAX_MESSAGE, "{length}");
        }
    }
}
