//! What arrived: one entry per request, without the key.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{rules::HostName, scenario::Op};

/// Bodies above this are counted, not kept.
const KEEP_BODY: usize = 4 * 1024 * 1024;

/// One request as it arrived, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// Counts from 1; keeps counting when the log is cleared.
    pub seq: u64,
    /// Real milliseconds since the emulator started.
    pub at_ms: u64,
    /// What it was for; never `any`.
    pub op: Op,
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// Query without `?`, empty when there is none.
    pub query: String,
    /// Which listener.
    pub host: HostName,
    /// Headers by lower-case name, `authorization` replaced by what [`Self::key`] says.
    pub headers: BTreeMap<String, String>,
    /// What kind of key came with it.
    pub key: KeySeen,
    /// Size of the request body.
    pub body_bytes: u64,
    /// The body, where it was JSON.
    pub body_json: Option<Value>,
    /// The `Range` header.
    pub range: Option<String>,
    /// The fault that struck it.
    pub fault: Option<String>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Body bytes handed to the connection so far.
    pub sent_bytes: u64,
    /// Whether the answer's body came to its regular end.
    pub complete: bool,
    /// The TCP connection, counted from 1.
    pub connection: u64,
}

/// What kind of key a request carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySeen {
    /// One that the emulator knows.
    Valid,
    /// Another one.
    Other,
    /// None.
    None,
}

impl KeySeen {
    /// The word of the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Other => "other",
            Self::None => "none",
        }
    }
}

/// A growing entry: the response's body counts while it is sent.
#[derive(Debug)]
pub(crate) struct Entry {
    record: Mutex<RecordedRequest>,
    sent: AtomicU64,
}

impl Entry {
    pub(crate) fn set_body(&self, body: &[u8], redacted: &str) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.body_bytes = body.len() as u64;
        if body.len() <= KEEP_BODY {
            record.body_json = serde_json::from_str(redacted).ok();
        }
    }

    pub(crate) fn set_fault(&self, name: &str) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).fault = Some(name.to_owned());
    }

    pub(crate) fn set_status(&self, status: u16) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).status = Some(status);
    }

    pub(crate) fn set_complete(&self) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).complete = true;
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn snapshot(&self) -> RecordedRequest {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        record.sent_bytes = self.sent.load(Ordering::Relaxed);
        record
    }
}

/// All entries since the last clearing.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<(u64, Vec<Arc<Entry>>)>,
}

impl Log {
    /// Adds an entry; its `seq` is given here.
    pub(crate) fn open(&self, mut record: RecordedRequest) -> Arc<Entry> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.0 += 1;
        record.seq = entries.0;
        let entry = Arc::new(Entry { record: Mutex::new(record), sent: AtomicU64::new(0) });
        entries.1.push(Arc::clone(&entry));
        entry
    }

    pub(crate) fn snapshot(&self) -> Vec<RecordedRequest> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        entries.iter().map(|entry| entry.snapshot()).collect()
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).1.clear();
    }
}
