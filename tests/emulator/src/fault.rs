//! The faults that a scenario can ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{errors::Shape, scenario::RetryAfter};

/// What goes wrong. `act: true` means that the request is carried out first (a task is made and charged).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is closed, nothing is done.
    DropBeforeAccept {
        /// By RST instead of FIN.
        #[serde(default)]
        rst: bool,
    },
    /// The request is carried out, the connection closed without an answer.
    DropAfterAccept {
        /// By RST instead of FIN.
        #[serde(default)]
        rst: bool,
    },
    /// The request is carried out, the connection reset.
    ResetAfterAccept {},
    /// A create is charged, and then the gateway dies: no task, no row in the log, no refund, no answer.
    DieAfterCharge {
        /// By RST instead of FIN.
        #[serde(default)]
        rst: bool,
    },
    /// No answer, or a late one.
    Hang {
        /// Carry the request out before the wait instead of after it.
        #[serde(default)]
        act: bool,
        /// Real milliseconds before the answer; never when left out.
        #[serde(default)]
        ms: Option<u64>,
    },
    /// An answer of your own.
    Status {
        /// HTTP status.
        status: u16,
        /// Text, or JSON.
        #[serde(default)]
        body: serde_json::Value,
        /// Default: `application/json`, or `text/plain` when the body is text.
        #[serde(default)]
        content_type: Option<String>,
        /// More headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Carry the request out first.
        #[serde(default)]
        act: bool,
    },
    /// An HTML page of a proxy in front.
    Html {
        /// HTTP status.
        #[serde(default = "bad_gateway")]
        status: u16,
        /// Carry the request out first.
        #[serde(default)]
        act: bool,
    },
    /// One of the service's own error answers.
    ErrorShape {
        /// Which.
        shape: Shape,
        /// Carry the request out first. Not done for answers of the task layer, which refunds.
        #[serde(default)]
        act: bool,
    },
    /// No body at all.
    EmptyBody {
        /// HTTP status.
        #[serde(default = "ok")]
        status: u16,
        /// Carry the request out first.
        #[serde(default = "yes")]
        act: bool,
    },
    /// Bytes that are neither JSON nor text.
    Garbage {
        /// HTTP status.
        #[serde(default = "ok")]
        status: u16,
        /// Carry the request out first.
        #[serde(default = "yes")]
        act: bool,
    },
    /// Valid JSON of this many bytes.
    HugeBody {
        /// Size of the body.
        bytes: u64,
        /// Carry the request out first.
        #[serde(default = "yes")]
        act: bool,
    },
    /// JSON that never ends.
    EndlessBody {
        /// Carry the request out first.
        #[serde(default = "yes")]
        act: bool,
    },
    /// Arrays in arrays.
    DeepJson {
        /// How deep.
        #[serde(default = "deep")]
        depth: u32,
        /// Carry the request out first.
        #[serde(default = "yes")]
        act: bool,
    },
    /// The first bytes of the answer arrive one by one.
    SlowHeaders {
        /// Real milliseconds for each.
        #[serde(default = "slow_ms")]
        ms_per_byte: u64,
        /// How many.
        #[serde(default = "slow_bytes")]
        bytes: u64,
    },
    /// The right answer, but the connection ends in its body.
    CutBody {
        /// After this many bytes.
        after_bytes: u64,
        /// By RST instead of FIN.
        #[serde(default)]
        rst: bool,
        /// A body without a length ends as if it were whole, as the gateway does where the upstream breaks off. `false`: the
        /// connection breaks, as where a proxy in front does it.
        #[serde(default = "yes")]
        clean: bool,
        /// Real milliseconds between the last byte and the end. A browser throws away what a page has not read when
        /// the connection breaks: a test that wants the page to see those bytes leaves it time.
        #[serde(default = "soon")]
        pause_ms: u64,
    },
    /// The right answer without a length, whole: the end of the connection is its end.
    UntilClose {},
    /// The right answer with a pause in it.
    StallBody {
        /// After this many bytes.
        after_bytes: u64,
        /// Real milliseconds; for ever when left out.
        #[serde(default)]
        ms: Option<u64>,
    },
    /// 206 with other bytes than asked for, said truly in `Content-Range`.
    WrongContentRange {
        /// How much later the part begins.
        #[serde(default)]
        shift: i64,
        /// How much larger the total is said to be.
        #[serde(default)]
        total: i64,
    },
    /// `Content-Length` differs from the body by this.
    WrongLength {
        /// Positive: more is promised than comes.
        delta: i64,
    },
    /// From now on the file has another `ETag`.
    ChangeEtag {},
    /// From now on the file has other bytes and another `ETag`.
    ChangeFile {},
    /// A redirect.
    Redirect {
        /// HTTP status.
        #[serde(default = "found")]
        status: u16,
        /// Template with `{origin}`, `{second}`, `{host}` (where the request came to), `{path}`, `{id}`.
        location: String,
    },
    /// 400: the task is not completed yet.
    NotReady {},
    /// JSON where a video was expected, with 200.
    JsonAsVideo {
        /// `Content-Type`.
        #[serde(default = "video_type")]
        content_type: String,
    },
    /// 429 in JSON, as some proxies in front make it: the gateway itself limits neither creates nor queries.
    RateLimited {
        /// The form of `Retry-After`.
        #[serde(default)]
        retry_after: RetryAfter,
        /// How far away it is.
        #[serde(default = "one")]
        seconds: u64,
    },
    /// 200 to a create without any id; the task is made. This gateway answers `invalid_response` in its place and refunds.
    NoId {},
    /// 202 `fail_to_fetch_task` to a create: refunded, no task.
    #[serde(rename = "accepted_202")]
    Accepted202 {},
    /// `X-Oneapi-Request-Id` stands twice.
    DuplicateRequestId {},
    /// 200 with the first part of the file as if it were whole.
    IncompleteFile {
        /// How much of it; half when left out.
        #[serde(default)]
        bytes: Option<u64>,
    },
    /// Bytes after the end of the body, counted in `Content-Length`.
    ExtraBytes {
        /// How many.
        #[serde(default = "one")]
        bytes: u64,
    },
    /// A header of the right answer set to another value, or taken away.
    Header {
        /// Its name.
        name: String,
        /// Its value; removed when left out.
        #[serde(default)]
        value: Option<String>,
    },
}

const fn bad_gateway() -> u16 {
    502
}
const fn ok() -> u16 {
    200
}
const fn found() -> u16 {
    302
}
const fn yes() -> bool {
    true
}
const fn deep() -> u32 {
    100_000
}
const fn soon() -> u64 {
    10
}
const fn slow_ms() -> u64 {
    20
}
const fn slow_bytes() -> u64 {
    50
}
const fn one() -> u64 {
    1
}
fn video_type() -> String {
    "video/mp4".into()
}

impl Fault {
    /// The `kind` of the scenario, for the log.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["kind"].as_str().unwrap_or("fault").to_owned()
    }
}
