//! MP4 files: who may read them, which part, with which validators.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, UNIX_EPOCH},
};

use axum::{
    Extension,
    body::Body,
    extract::{Path, RawQuery, State as Shared},
    response::Response,
};
use futures_util::stream;
use hyper::{
    HeaderMap,
    header::{self, HeaderValue},
};
use tokio::time::{Instant, sleep};

use crate::{
    accounts::gate,
    arrival::{Context, text},
    errors::{self, Shape},
    exchange::{IsFile, fill_in, header_value},
    plan::{ContentPlan, EtagPlan, RangePlan},
    query::signature,
    rules::HostName,
    scenario::Version,
    state::State,
    synthetic,
    tasks::{Phase, Task},
    video::{CHUNK, VideoFile, mix},
};

/// `GET /v1/videos/{id}/content`.
pub(crate) async fn content(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let plan = plan(&state);
    if let (HostName::First, Some(template)) = (context.host, &plan.redirect) {
        return synthetic::redirect(302, &fill_in(&state, template, &id));
    }
    if context.host == HostName::First || plan.second_needs_key {
        let owner = match gate(&state.lock(), &context) {
            Ok((_, owner)) => owner,
            Err(shape) => return shape.answer(context.lang, &context.request_id),
        };
        if state.lock().tasks.get(&id).is_some_and(|task| task.account != owner) {
            return Shape::ContentNotFound.answer(context.lang, &context.request_id);
        }
    }
    serve(&state, &context, &plan, &id, &headers).await
}

/// `GET /video/grok/{id}?exp=…&sig=…`: the signature is the right to read.
pub(crate) async fn signed(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let field = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let expires = field("exp").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    if field("sig") != Some(signature(&id, expires).as_str()) {
        return errors::proxy(403, "invalid signature");
    }
    if state.clock.unix(state.clock.now()) > expires {
        return errors::proxy(403, "link expired");
    }
    let plan = plan(&state);
    serve(&state, &context, &plan, &id, &headers).await
}

/// `GET /redirect/{id}`: one hop more, on the same host.
pub(crate) async fn redirect(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
) -> Response {
    let template = match context.host {
        HostName::First => "{origin}/v1/videos/{id}/content",
        HostName::Second => "{second}/v1/videos/{id}/content",
    };
    synthetic::redirect(302, &fill_in(&state, template, &id))
}

/// `GET /v1/files/{id}`: an address that no key opens.
pub(crate) async fn unusable(Extension(context): Extension<Context>) -> Response {
    Shape::RequestBlocked.answer(context.lang, &context.request_id)
}

/// How files are served now, with what depends on the version filled in.
fn plan(state: &State) -> ContentPlan {
    let inner = state.lock();
    let mut plan = inner.scenario.content.clone();
    if plan.range == RangePlan::Version {
        let older = inner.scenario.api.version == Version::Older;
        plan.range = if older { RangePlan::Honour } else { RangePlan::Ignore };
    }
    plan
}

/// The file of a finished task, or why there is none.
async fn serve(state: &Arc<State>, context: &Context, plan: &ContentPlan, id: &str, headers: &HeaderMap) -> Response {
    let started = Instant::now();
    sleep(Duration::from_millis(plan.latency_ms)).await;
    let now = state.clock.now();
    let shaped = |shape: Shape| shape.answer(context.lang, &context.request_id);
    let task = {
        let mut inner = state.lock();
        let Some(task) = inner.tasks.get_mut(id) else {
            return shaped(Shape::ContentNotFound);
        };
        task.settle(now);
        task.file_version += u32::from(context.tweaks.change_file);
        task.etag_version += u32::from(context.tweaks.change_etag);
        task.clone()
    };
    let (Phase::Succeeded, Some(ended)) = (task.phase(now), task.ended) else {
        return errors::not_completed(&task.status(now));
    };
    if now < ended + task.plan.not_ready_s {
        return errors::not_completed("IN_PROGRESS");
    }
    let growing = now < ended + task.plan.not_ready_s + task.plan.incomplete_s;
    let drawer = Arc::clone(state);
    let spec = task.video();
    let Ok(file) = tokio::task::spawn_blocking(move || drawer.render(spec)).await else {
        return shaped(Shape::Proxy502);
    };
    let length = if context.tweaks.incomplete || growing {
        let part = context.tweaks.incomplete_bytes.unwrap_or(file.len() / 2);
        part.min(file.len())
    } else {
        file.len()
    };
    let validators = Validators::of(state, plan, &task, ended, length != file.len());
    let mut response = part(context, plan, &file, length, headers, &validators, &task);
    validators.write(response.headers_mut());
    response.extensions_mut().insert(IsFile { started });
    response
}

/// What tells one version of a file from another.
struct Validators {
    etag: Option<String>,
    modified: Option<String>,
}

impl Validators {
    fn of(state: &State, plan: &ContentPlan, task: &Task, ended: f64, partial: bool) -> Self {
        let mut tag = task.etag(plan.etag_changes_after_bytes);
        if partial {
            // Another representation than the whole file will be.
            tag.push_str("-part");
        }
        let etag = match plan.etag {
            EtagPlan::Strong => Some(format!("\"{tag}\"")),
            EtagPlan::Weak => Some(format!("W/\"{tag}\"")),
            EtagPlan::Changes => Some(format!(
                "\"{:016x}\"",
                mix(state.clock.real_ms() ^ task.sent.fetch_add(1, Ordering::Relaxed) << 32)
            )),
            EtagPlan::None => None,
        };
        let seconds = state.clock.unix(ended) + u64::from(task.file_version);
        let modified = UNIX_EPOCH + Duration::from_secs(seconds);
        Self { etag, modified: plan.last_modified.then(|| httpdate::fmt_http_date(modified)) }
    }

    fn write(&self, headers: &mut HeaderMap) {
        if let Some(etag) = &self.etag {
            headers.insert(header::ETAG, header_value(etag));
        }
        if let Some(modified) = &self.modified {
            headers.insert(header::LAST_MODIFIED, header_value(modified));
        }
    }

    fn match_if_range(&self, value: &str) -> bool {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong == Some(value) || self.modified.as_deref() == Some(value)
    }
}

/// The part that was asked for, as far as the scenario lets it through.
fn part(
    context: &Context,
    plan: &ContentPlan,
    file: &Arc<VideoFile>,
    length: u64,
    headers: &HeaderMap,
    validators: &Validators,
    task: &Task,
) -> Response {
    let asked = text(headers, &header::RANGE).and_then(|value| parse_range(value, length));
    let current =
        !plan.if_range || text(headers, &header::IF_RANGE).is_none_or(|value| validators.match_if_range(value));
    let ignored = plan.range == RangePlan::Ignore || context.tweaks.ignore_range || !current;
    let Some(asked) = asked.filter(|_| !ignored) else {
        let mut response = whole(file, 0, length, task);
        common(response.headers_mut(), plan);
        return response;
    };
    let (first, last) = match asked {
        Asked::Part(first, last) => (first, last),
        Asked::PastEnd if plan.past_end == 416 => {
            let mut response = Shape::Plain416.answer(context.lang, &context.request_id);
            response.headers_mut().insert(header::CONTENT_RANGE, header_value(&format!("bytes */{length}")));
            return response;
        }
        Asked::PastEnd => return Shape::Proxy416.answer(context.lang, &context.request_id),
        // The gateway passes it on, and the upstream may make anything of it.
        Asked::Reversed(first, last) => {
            let part = plan.reversed_range == 206;
            let mut response = whole(file, 0, if part { 0 } else { length }, task);
            common(response.headers_mut(), plan);
            if part {
                *response.status_mut() = hyper::StatusCode::PARTIAL_CONTENT;
                let value = header_value(&format!("bytes {first}-{last}/{length}"));
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return response;
        }
    };
    let shift = context.tweaks.shift + i64::from(plan.range == RangePlan::WrongStart) * 7;
    let size = last - first + 1;
    // Moved by the scenario: never before the start or past the end of the file.
    let first = first.saturating_add_signed(shift).min(length - 1);
    let last = (first + size - 1).min(length - 1);
    let total =
        length.saturating_add_signed(context.tweaks.total + i64::from(plan.range == RangePlan::WrongTotal) * 1_000);
    let mut response = whole(file, first, last + 1, task);
    *response.status_mut() = hyper::StatusCode::PARTIAL_CONTENT;
    common(response.headers_mut(), plan);
    if plan.range != RangePlan::NoContentRange {
        let value = header_value(&format!("bytes {first}-{last}/{total}"));
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

/// Headers of every file response.
fn common(headers: &mut HeaderMap, plan: &ContentPlan) {
    headers.insert(header::CONTENT_TYPE, header_value(&plan.content_type));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
    if !plan.content_length {
        headers.remove(header::CONTENT_LENGTH);
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Bytes `from..to` as a stream of pieces; nothing of the file is copied where it is in memory.
fn whole(file: &Arc<VideoFile>, from: u64, to: u64, task: &Task) -> Response {
    let file = Arc::clone(file);
    let sent = Arc::clone(&task.sent);
    let pieces = stream::unfold(from, move |at| {
        let piece = file.read(at, (to - at).min(CHUNK as u64) as usize);
        sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        let next = at + piece.len() as u64;
        std::future::ready((!piece.is_empty()).then_some((Ok::<_, std::io::Error>(piece), next)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(to - from));
    response
}

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// First and last byte.
    Part(u64, u64),
    PastEnd,
    /// It ends before it begins.
    Reversed(u64, u64),
}

/// A single range; `None` when the header is to be ignored.
fn parse_range(value: &str, length: u64) -> Option<Asked> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    if last.contains(',') {
        return None;
    }
    let end = length.saturating_sub(1);
    let (first, last) = if first.is_empty() {
        let suffix: u64 = last.parse().ok()?;
        if suffix == 0 { (length, end) } else { (length.saturating_sub(suffix), end) }
    } else {
        let first: u64 = first.parse().ok()?;
        let last = if last.is_empty() { u64::MAX } else { last.parse().ok()? };
        if last < first {
            return Some(Asked::Reversed(first, last));
        }
        (first, last.min(end))
    };
    Some(if first < length { Asked::Part(first, last) } else { Asked::PastEnd })
}

#[cfg(test)]
mod tests {
    use super::{Asked, parse_range};

    #[test]
    fn ranges() {
        for (value, asked) in [
            ("bytes=0-9", Asked::Part(0, 9)),
            ("bytes=90-", Asked::Part(90, 99)),
            ("bytes=90-500", Asked::Part(90, 99)),
            ("bytes=-10", Asked::Part(90, 99)),
            ("bytes=-500", Asked::Part(0, 99)),
            ("bytes=100-", Asked::PastEnd),
            ("bytes=-0", Asked::PastEnd),
            ("bytes=9-1", Asked::Reversed(9, 1)),
        ] {
            assert_eq!(parse_range(value, 100), Some(asked), "{value}");
        }
        for ignored in ["bytes=0-1,5-6", "bytes=a-b", "items=0-1", "bytes=", "bytes=-"] {
            assert_eq!(parse_range(ignored, 100), None, "{ignored}");
        }
    }
}
