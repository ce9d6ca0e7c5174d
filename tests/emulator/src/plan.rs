//! The parts of a scenario about tasks and about files.

use serde::{Deserialize, Serialize};

use crate::{scenario::ScenarioError, task_spec::parse_size};

/// How a task lives, ends and is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskPlan {
    /// Service seconds before it runs.
    pub queued_s: f64,
    /// Service seconds that it runs.
    pub running_s: f64,
    /// How it ends.
    pub outcome: Outcome,
    /// The sentence of a failure.
    pub fail_reason: Option<String>,
    /// Statuses to show instead: the n-th query shows the n-th, later ones the last, until the end.
    pub statuses: Option<Vec<String>>,
    /// Progress values (texts or numbers) to show instead, in the same way.
    pub progress: Option<Vec<serde_json::Value>>,
    /// The task ends at the query after this many, whatever the time.
    pub ends_after_polls: Option<u32>,
    /// The word for the end instead of `SUCCESS` or `FAILURE`.
    pub final_status: Option<String>,
    /// Where the video is said to be: `content`, `signed`, `second_host`, `second_host_with_redirect`, `unusable`,
    /// `none`, or a template with `{origin}`, `{second}`, `{id}`.
    pub result_url: String,
    /// The field that holds it.
    pub result_field: ResultField,
    /// The shape of a query's answer.
    pub envelope: Envelope,
    /// The gateway keeps the upstream's first answer in `data.data` and never a later one.
    pub stale_data: bool,
    /// Service seconds for which a new task is unknown to queries.
    pub visible_after_s: f64,
    /// Service seconds after the end for which the file answers "not completed yet".
    pub not_ready_s: f64,
    /// Service seconds, after those, for which the file is served incomplete.
    pub incomplete_s: f64,
    /// Service seconds for which a signed link works.
    pub signed_expires_s: f64,
    /// Seconds to bill whatever was asked.
    pub billed_seconds: Option<u32>,
    /// Size of the file in bytes, never less than the coded picture needs.
    pub video_bytes: Option<u64>,
    /// Put `moov` after `mdat`.
    pub moov_at_end: bool,
    /// Frame size of the file, whatever was asked: `WIDTHxHEIGHT`.
    pub size: Option<String>,
}

impl Default for TaskPlan {
    fn default() -> Self {
        Self {
            queued_s: 8.0,
            running_s: 45.0,
            outcome: Outcome::Success,
            fail_reason: None,
            statuses: None,
            progress: None,
            ends_after_polls: None,
            final_status: None,
            result_url: "content".into(),
            result_field: ResultField::ResultUrl,
            envelope: Envelope::Data,
            stale_data: false,
            visible_after_s: 0.0,
            not_ready_s: 0.0,
            incomplete_s: 0.0,
            signed_expires_s: 86_400.0,
            billed_seconds: None,
            video_bytes: None,
            moov_at_end: false,
            size: None,
        }
    }
}

impl TaskPlan {
    pub(crate) fn check(&self, at: &str) -> Result<(), ScenarioError> {
        let lengths = [
            ("queued_s", self.queued_s),
            ("running_s", self.running_s),
            ("visible_after_s", self.visible_after_s),
            ("not_ready_s", self.not_ready_s),
            ("incomplete_s", self.incomplete_s),
        ];
        for (name, value) in lengths {
            if !value.is_finite() || value < 0.0 {
                return Err(ScenarioError(format!("`{at}{name}`: must be zero or more")));
            }
        }
        if self.size.as_deref().is_some_and(|size| parse_size(size).is_none()) {
            return Err(ScenarioError(format!("`{at}size`: must be WIDTHxHEIGHT, 16 to 4096 pixels each")));
        }
        let url = self.result_url.as_str();
        let known = ["content", "signed", "second_host", "second_host_with_redirect", "unusable", "none"];
        if !known.contains(&url) && !url.contains("://") && !url.contains('{') {
            let words = known.join(", ");
            return Err(ScenarioError(format!("`{at}result_url`: must be one of {words}, or a URL template")));
        }
        Ok(())
    }
}

/// How a task ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// With a video.
    #[default]
    Success,
    /// Without one; the money comes back.
    Failure,
    /// Never.
    Stuck,
}

/// The field of a finished task that holds the video's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ResultField {
    /// The documented one.
    #[default]
    #[serde(rename = "result_url")]
    ResultUrl,
    /// As older versions do.
    #[serde(rename = "fail_reason")]
    FailReason,
    /// `url`.
    #[serde(rename = "url")]
    Url,
    /// `video_url`.
    #[serde(rename = "video_url")]
    VideoUrl,
    /// `video: {url}`.
    #[serde(rename = "video.url")]
    VideoDotUrl,
    /// `metadata: {url}`.
    #[serde(rename = "metadata.url")]
    MetadataUrl,
}

/// The shape of a query's answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Envelope {
    /// `{"code":"success","data":{…}}`.
    #[default]
    Data,
    /// The task itself.
    Flat,
}

/// How MP4 files are served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentPlan {
    /// What `Range` does.
    pub range: RangePlan,
    /// The validator.
    pub etag: EtagPlan,
    /// After so many bytes of a file were sent, its `ETag` differs.
    pub etag_changes_after_bytes: Option<u64>,
    /// Send `Last-Modified`.
    pub last_modified: bool,
    /// Service seconds after which every response ends in mid-body (the real proxy: 60).
    pub cut_after_s: Option<f64>,
    /// Real bytes per second for all responses together.
    pub rate_bytes_per_s: Option<u64>,
    /// Real bytes per second for each response.
    pub per_connection_rate: Option<u64>,
    /// Real milliseconds before the headers.
    pub latency_ms: u64,
    /// `If-Range` reaches the file.
    pub if_range: bool,
    /// Answer on the first host with a 302 to this template (`{origin}`, `{second}`, `{id}`).
    pub redirect: Option<String>,
    /// `Content-Type` of the file.
    pub content_type: String,
    /// Announce `Content-Length`; otherwise the body is chunked.
    pub content_length: bool,
    /// Status for a range past the end: 502 as the proxy does, or 416.
    pub past_end: u16,
    /// What the upstream makes of a range that ends before it begins: 200 with everything, or 206 with nothing.
    pub reversed_range: u16,
    /// The second host asks for the key too.
    pub second_needs_key: bool,
}

impl Default for ContentPlan {
    fn default() -> Self {
        Self {
            range: RangePlan::Version,
            etag: EtagPlan::Strong,
            etag_changes_after_bytes: None,
            last_modified: true,
            cut_after_s: None,
            rate_bytes_per_s: None,
            per_connection_rate: None,
            latency_ms: 0,
            if_range: false,
            redirect: None,
            content_type: "video/mp4".into(),
            content_length: true,
            past_end: 502,
            reversed_range: 200,
            second_needs_key: false,
        }
    }
}

/// What a `Range` header does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RangePlan {
    /// As the version of the gateway does: the older one honours it, the newer one ignores it.
    #[default]
    Version,
    /// 206 with the right bytes.
    Honour,
    /// 200 with everything, though `Accept-Ranges: bytes` is said.
    Ignore,
    /// 206 that starts (header and bytes) somewhere else.
    WrongStart,
    /// 206 with another total.
    WrongTotal,
    /// 206 without `Content-Range`.
    NoContentRange,
}

/// What kind of `ETag` is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EtagPlan {
    /// `"…"`.
    #[default]
    Strong,
    /// `W/"…"`.
    Weak,
    /// None.
    None,
    /// Another one in every response.
    Changes,
}
