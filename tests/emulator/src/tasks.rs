//! A task: its life in service time, how it is shown, what it costs and which file belongs to it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

use crate::{
    mp4,
    plan::{Envelope, Outcome, ResultField, TaskPlan},
    scenario::Version,
    video::mix,
};

/// Longest video that is drawn; longer wishes are billed but not fulfilled.
const LONGEST: u32 = 3_600;
/// How often the gateway itself asks the upstream, in service seconds.
const GATEWAY_ASKS_S: f64 = 15.0;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Queued,
    Running,
    Succeeded,
    Failed,
}

/// One task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) row: u64,
    pub(crate) account: String,
    pub(crate) user: u64,
    pub(crate) group: String,
    pub(crate) key: Option<String>,
    pub(crate) model: String,
    pub(crate) prompt: String,
    pub(crate) seconds: u32,
    pub(crate) billed: u32,
    /// What the size multiplied the price by.
    pub(crate) size_ratio: f64,
    pub(crate) size: (u32, u32),
    pub(crate) plan: TaskPlan,
    pub(crate) created: f64,
    pub(crate) ended: Option<f64>,
    pub(crate) polls: u32,
    pub(crate) cost: u64,
    pub(crate) refunded: bool,
    /// The whole request as it came, extra fields included.
    pub(crate) request: Value,
    /// Counts changes of the file's bytes.
    pub(crate) file_version: u32,
    /// Counts changes of the `ETag` alone.
    pub(crate) etag_version: u32,
    /// File bytes sent so far, over all responses.
    pub(crate) sent: Arc<AtomicU64>,
}

impl Task {
    /// Brings the task up to a moment.
    pub(crate) fn settle(&mut self, now: f64) {
        let end = self.created + self.plan.queued_s + self.plan.running_s;
        let by_time = self.plan.ends_after_polls.is_none() && self.plan.outcome != Outcome::Stuck && now >= end;
        if self.ended.is_none() && by_time {
            self.ended = Some(end);
        }
    }

    /// Counts a query; a task that ends by polls may end here.
    pub(crate) fn poll(&mut self, now: f64) {
        self.settle(now);
        if self.ended.is_none() {
            self.polls += 1;
            if self.plan.ends_after_polls.is_some_and(|polls| self.polls > polls) {
                self.ended = Some(now);
            }
        }
    }

    /// Where the task stands, after [`Task::settle`].
    pub(crate) fn phase(&self, now: f64) -> Phase {
        let fails = self.plan.outcome == Outcome::Failure || self.prompt.contains("[fail]");
        match self.ended {
            Some(_) if fails => Phase::Failed,
            Some(_) => Phase::Succeeded,
            None if now < self.created + self.plan.queued_s => Phase::Queued,
            None => Phase::Running,
        }
    }

    /// The status word.
    pub(crate) fn status(&self, now: f64) -> String {
        let phase = self.phase(now);
        if let Phase::Succeeded | Phase::Failed = phase {
            let word = if phase == Phase::Succeeded { "SUCCESS" } else { "FAILURE" };
            return self.plan.final_status.clone().unwrap_or_else(|| word.into());
        }
        if let Some(word) = self.plan.statuses.as_deref().and_then(|all| nth(all, self.polls)) {
            return word.clone();
        }
        let waited = (now - self.created) / self.plan.queued_s.max(f64::EPSILON);
        match phase {
            Phase::Queued if waited < 0.25 => "NOT_START",
            Phase::Queued if waited < 0.5 => "SUBMITTED",
            Phase::Queued => "QUEUED",
            _ => "IN_PROGRESS",
        }
        .into()
    }

    /// Percent done.
    pub(crate) fn percent(&self, now: f64) -> u32 {
        match self.phase(now) {
            Phase::Queued => 0,
            Phase::Running => {
                let share = (now - self.created - self.plan.queued_s) / self.plan.running_s.max(f64::EPSILON);
                (share * 100.0).clamp(1.0, 99.0) as u32
            }
            Phase::Succeeded | Phase::Failed => 100,
        }
    }

    fn progress(&self, now: f64) -> Value {
        match self.plan.progress.as_deref().and_then(|all| nth(all, self.polls)) {
            Some(value) if self.ended.is_none() => value.clone(),
            _ if self.phase(now) == Phase::Queued => json!("0%"),
            _ => json!(format!("{}%", self.percent(now))),
        }
    }

    /// The sentence of a failure.
    pub(crate) fn fail_reason(&self) -> String {
        let default = "upstream: the request was refused by the content policy";
        self.plan.fail_reason.clone().unwrap_or_else(|| default.into())
    }

    /// What kind of work the gateway calls it.
    pub(crate) fn action(&self) -> &'static str {
        let pictures = self.request.get("image").is_some() || self.request.get("images").is_some();
        if pictures { "generate" } else { "textGenerate" }
    }

    /// Length and size as they were sent, where they were sent: the upstream repeats them.
    pub(crate) fn echo(&self, answer: &mut Value) {
        for name in ["seconds", "size"] {
            if let Some(value) =
                self.request.get(name).filter(|value| value.as_str().is_some_and(|text| !text.is_empty()))
            {
                answer[name] = value.clone();
            }
        }
    }

    /// The moment at which the gateway, which asks the upstream every 15 s, first found the task running.
    fn seen_running(&self, now: f64) -> Option<f64> {
        let seen = self.created + GATEWAY_ASKS_S * (self.plan.queued_s / GATEWAY_ASKS_S).ceil().max(1.0);
        (seen <= now && self.ended.is_none_or(|ended| seen < ended)).then_some(seen)
    }

    /// The upstream's last answer, as the gateway keeps it.
    fn upstream(&self, now: f64) -> Value {
        let id = format!("up_{:016x}", mix(self.row));
        if self.plan.stale_data {
            // Its first answer, never refreshed: a reader who trusts it waits for ever.
            return json!({ "id": id, "status": "processing", "progress": 1, "video": null });
        }
        let mut answer = json!({
            "id": id, "object": "video", "model": self.model, "status": self.video_status(now), "progress": self.percent(now),
        });
        match self.phase(now) {
            Phase::Succeeded => answer["video"] = json!({ "url": format!("https://upstream.example/{id}.mp4") }),
            Phase::Failed => answer["error"] = json!({ "message": self.fail_reason() }),
            Phase::Queued | Phase::Running => {}
        }
        answer
    }

    fn video_status(&self, now: f64) -> &'static str {
        match self.phase(now) {
            Phase::Queued => "queued",
            Phase::Running => "in_progress",
            Phase::Succeeded => "completed",
            Phase::Failed => "failed",
        }
    }

    /// What a query answers. `url` is the video's address, already made up; `unix` turns service time into dates.
    pub(crate) fn shown(&self, now: f64, version: Version, url: Option<&str>, unix: &dyn Fn(f64) -> u64) -> Value {
        let phase = self.phase(now);
        let quota = if self.refunded && version == Version::Newer { 0 } else { self.cost };
        let mut data = json!({
            "id": self.row,
            "created_at": unix(self.created),
            "updated_at": unix(self.ended.unwrap_or(now)),
            "task_id": self.id,
            "platform": "55",
            "user_id": self.user,
            "group": self.group,
            "channel_id": 3,
            "quota": quota,
            "action": self.action(),
            "status": self.status(now),
            "fail_reason": "",
            "submit_time": unix(self.created),
            "start_time": self.seen_running(now).map_or(0, unix),
            "finish_time": self.ended.map_or(0, unix),
            "progress": self.progress(now),
            "properties": { "input": "", "upstream_model_name": self.model, "origin_model_name": self.model },
            "data": self.upstream(now),
        });
        match phase {
            Phase::Failed => {
                data["fail_reason"] = json!(self.fail_reason());
                data["result_url"] = json!(self.fail_reason());
            }
            Phase::Succeeded => match self.plan.result_field {
                ResultField::ResultUrl => data["result_url"] = json!(url.unwrap_or("")),
                ResultField::FailReason => data["fail_reason"] = json!(url.unwrap_or("")),
                ResultField::Url => data["url"] = json!(url),
                ResultField::VideoUrl => data["video_url"] = json!(url),
                ResultField::VideoDotUrl => data["video"] = json!({ "url": url }),
                ResultField::MetadataUrl => data["metadata"] = json!({ "url": url }),
            },
            Phase::Queued | Phase::Running => {}
        }
        data
    }

    /// The task in the envelope of a query's answer.
    pub(crate) fn enveloped(&self, mut data: Value) -> Value {
        match self.plan.envelope {
            Envelope::Data => json!({ "code": "success", "message": "", "data": data }),
            Envelope::Flat => {
                data["id"] = json!(self.id);
                data
            }
        }
    }

    /// What the sibling path `/v1/videos/{id}` answers.
    pub(crate) fn shown_as_video(
        &self,
        now: f64,
        version: Version,
        url: Option<&str>,
        unix: &dyn Fn(f64) -> u64,
    ) -> Value {
        let mut video = json!({
            "id": self.id,
            "object": "video",
            "model": self.model,
            "status": self.video_status(now),
            "progress": self.percent(now),
            "created_at": unix(self.created),
        });
        if version == Version::Older {
            video["task_id"] = json!(self.id);
        }
        if now < self.created + GATEWAY_ASKS_S && self.ended.is_none() {
            // Of the upstream's first answer; the later ones do not repeat it.
            self.echo(&mut video);
        }
        if let Some(ended) = self.ended {
            video["completed_at"] = json!(unix(ended));
        }
        match self.phase(now) {
            Phase::Succeeded => {
                video["metadata"] = json!({ "url": url });
                if version == Version::Older {
                    video["url"] = json!(url);
                    video["result_url"] = json!(url);
                    video["video"] = json!({ "url": url });
                }
            }
            Phase::Failed => {
                video["error"] = json!({ "message": self.fail_reason(), "code": "generation_failed" });
            }
            Phase::Queued | Phase::Running => {}
        }
        video
    }

    /// Which file belongs to the task now.
    pub(crate) fn video(&self) -> mp4::Spec {
        let id = self
            .id
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3));
        mp4::Spec {
            width: self.size.0,
            height: self.size.1,
            seconds: self.seconds.clamp(1, LONGEST),
            identity: mix(id ^ u64::from(self.file_version)),
            bytes: self.plan.video_bytes,
            moov_at_end: self.plan.moov_at_end,
        }
    }

    /// The tag inside an `ETag`, without quotes.
    pub(crate) fn etag(&self, changes_after: Option<u64>) -> String {
        let late = changes_after.is_some_and(|bytes| self.sent.load(Ordering::Relaxed) >= bytes);
        let tag = mix(self.video().identity ^ u64::from(self.etag_version) << 32 ^ u64::from(late) << 63);
        format!("{tag:016x}")
    }
}

/// The entry for the n-th query (counted from 1), the last one for later ones.
fn nth<T>(all: &[T], polls: u32) -> Option<&T> {
    all.get((polls.max(1) as usize - 1).min(all.len().wrapping_sub(1)))
}
