//! The helper paths beside the video API.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{RawQuery, State as Shared},
    response::Response,
};
use hyper::{
    HeaderMap,
    header::{self, HeaderValue},
};
use serde_json::{Map, Value, json};

use crate::{
    accounts::{Key, UNITS, gate},
    arrival::Context,
    errors::{self, json_answer},
    query::data_of,
    scenario::{KeyState, Version},
    state::{Inner, State},
};

/// Calls of a helper path with a budget, and the service seconds in which they may be made.
const BUDGET: (usize, f64) = (20, 1_200.0);
/// What a model can be used for.
const ENDPOINT: &str = "openai-video";

/// `GET /v1/models`.
pub(crate) async fn models(Shared(state): Shared<Arc<State>>, Extension(context): Extension<Context>) -> Response {
    let inner = state.lock();
    let key = match gate(&inner, &context) {
        Ok((key, _)) => key,
        Err(shape) => return shape.answer(context.lang, &context.request_id),
    };
    let listed = inner.scenario.listed_models();
    let data: Vec<Value> = listed
        .iter()
        .filter(|model| inner.keys[&key].may_use(model))
        .map(|model| {
            json!({
                "id": model, "object": "model", "created": 1_626_777_600, "owned_by": "sora",
                "supported_endpoint_types": [ENDPOINT],
            })
        })
        .collect();
    json_answer(200, &json!({ "success": true, "object": "list", "data": data }))
}

/// Why a helper path says nothing.
enum Closed {
    /// No call is left of the budget; the newer version says when there are some.
    Budget(Version),
    Key,
}

impl Closed {
    fn answer(&self) -> Response {
        match self {
            Self::Key => errors::helper(401, "Invalid token"),
            Self::Budget(version) => {
                let mut response = errors::answer(429, None, "");
                if *version == Version::Newer {
                    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1200"));
                }
                response
            }
        }
    }
}

/// Takes a call from the budget that all callers at one address share, and finds the key. One that the gate refuses will do,
/// too, as long as it exists: that is how a key that is expired or used up can be told from a wrong one. The older version
/// does not answer for one that is switched off.
fn reader<'a>(inner: &'a mut Inner, context: &Context, now: f64) -> Result<&'a Key, Closed> {
    let (most, within) = BUDGET;
    let version = inner.scenario.api.version;
    inner.helper_calls.retain(|at| now - at < within);
    if inner.helper_calls.len() >= most {
        return Err(Closed::Budget(version));
    }
    inner.helper_calls.push(now);
    let hidden = |key: &&Key| key.spec.state == KeyState::Disabled && version == Version::Older;
    let key = context.key.as_ref().and_then(|key| inner.keys.get(key)).filter(|key| !hidden(key));
    key.ok_or(Closed::Key)
}

/// `GET /api/usage/token/`.
pub(crate) async fn usage(Shared(state): Shared<Arc<State>>, Extension(context): Extension<Context>) -> Response {
    let now = state.clock.now();
    let mut inner = state.lock();
    inner.settle(now);
    let written = inner.scenario.api.usage_batch_s.map_or(now, |every| (now / every).floor() * every);
    let key = match reader(&mut inner, &context, now) {
        Ok(key) => key,
        Err(closed) => return closed.answer(),
    };
    let (left, used) = (key.left(), key.used(written));
    let (granted, available) = if key.spec.unlimited { (0, -used) } else { (left + used, left) };
    let models: Map<String, Value> =
        key.spec.models.iter().flatten().map(|model| (model.clone(), Value::Bool(true))).collect();
    let expires_at = if key.spec.state == KeyState::Expired { state.clock.unix(now) - 867_600 } else { 0 };
    json_answer(
        200,
        &json!({ "code": true, "message": "ok", "data": {
            "object": "token_usage",
            "name": "emulator",
            "total_granted": granted,
            "total_used": used,
            "total_available": available,
            "unlimited_quota": key.spec.unlimited,
            "model_limits": models,
            "model_limits_enabled": key.spec.models.is_some(),
            "expires_at": expires_at,
        }}),
    )
}

/// `GET /api/log/token`: what this key was charged for and given back.
pub(crate) async fn log(Shared(state): Shared<Arc<State>>, Extension(context): Extension<Context>) -> Response {
    let now = state.clock.now();
    let mut inner = state.lock();
    inner.settle(now);
    let key = match reader(&mut inner, &context, now) {
        Ok(key) => key.spec.key.clone(),
        Err(closed) => return closed.answer(),
    };
    let rows = if inner.scenario.api.log { inner.log_of(&key, &|at| state.clock.unix(at)) } else { Vec::new() };
    json_answer(200, &json!({ "data": rows, "message": "", "success": true }))
}

/// `GET /v1/dashboard/billing/subscription`: what was put on the key, in USD.
pub(crate) async fn subscription(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
) -> Response {
    on_dashboard(&state, &context, |key, used| {
        // A key without a limit has a hundred million dollars there.
        let units = if key.spec.unlimited { 1e8 * UNITS } else { (key.left() + used) as f64 };
        let usd = units / UNITS;
        json!({
            "object": "billing_subscription", "has_payment_method": true, "soft_limit_usd": usd, "hard_limit_usd": usd,
            "system_hard_limit_usd": usd, "access_until": 0,
        })
    })
}

/// `GET /v1/dashboard/billing/usage`: what was used of it, in cents.
pub(crate) async fn billing_usage(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
) -> Response {
    on_dashboard(&state, &context, |_, used| json!({ "object": "list", "total_usage": used as f64 / UNITS * 100.0 }))
}

fn on_dashboard(state: &State, context: &Context, show: impl Fn(&Key, i64) -> Value) -> Response {
    let now = state.clock.now();
    let mut inner = state.lock();
    inner.settle(now);
    match gate(&inner, context) {
        Ok((key, _)) => json_answer(200, &show(&inner.keys[&key], inner.keys[&key].used(now))),
        Err(shape) => shape.answer(context.lang, &context.request_id),
    }
}

/// `GET /api/task/self`: all tasks of an account, for its owner's access token and not for a key.
pub(crate) async fn own_tasks(
    Shared(state): Shared<Arc<State>>,
    Extension(context): Extension<Context>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap_or_default();
    let field = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| field(name).and_then(|text| text.parse::<u64>().ok()).filter(|number| *number > 0);
    let tasks = {
        let mut inner = state.lock();
        inner.settle(state.clock.now());
        let Some(token) = &context.key else {
            return errors::helper(401, "无权进行此操作，未登录且未提供 access token");
        };
        let mut owners = inner.accounts.values();
        let Some(owner) = owners.find(|account| account.spec.access_token.as_ref() == Some(token)) else {
            return errors::helper(200, "无权进行此操作，access token 无效");
        };
        let user = headers.get("new-api-user").and_then(|value| value.to_str().ok());
        if inner.scenario.api.version == Version::Older {
            if user.is_none() {
                return errors::helper(401, "无权进行此操作，未提供 New-Api-User");
            }
            if user != Some(owner.spec.user_id.to_string().as_str()) {
                return errors::helper(401, "无权进行此操作，New-Api-User 与登录用户不匹配");
            }
        }
        let mut tasks: Vec<_> = inner.tasks.values().filter(|task| task.account == owner.spec.name).cloned().collect();
        tasks.sort_by_key(|task| std::cmp::Reverse(task.row));
        tasks
    };
    let (from, to) = (number("start_timestamp").unwrap_or(0), number("end_timestamp").unwrap_or(u64::MAX));
    let id = field("task_id").filter(|id| !id.is_empty());
    let fits = tasks.iter().filter(|task| {
        let submitted = state.clock.unix(task.created);
        (from..=to).contains(&submitted) && id.is_none_or(|id| id == task.id)
    });
    let fits: Vec<_> = fits.collect();
    let (page, size) = (number("p").unwrap_or(1), number("page_size").unwrap_or(10).min(100));
    let first = ((page - 1) * size) as usize;
    let items: Vec<Value> = fits.iter().skip(first).take(size as usize).map(|task| data_of(&state, task)).collect();
    json_answer(
        200,
        &json!({ "success": true, "message": "", "data": {
            "page": page, "page_size": size, "total": fits.len(), "items": items,
        }}),
    )
}

/// `GET /api/pricing`.
pub(crate) async fn pricing(Shared(state): Shared<Arc<State>>) -> Response {
    let scenario = state.lock().scenario.clone();
    if !scenario.api.pricing {
        return errors::helper(403, "无权进行此操作");
    }
    let groups: Vec<&String> = scenario.group_ratios.keys().collect();
    let usable: Map<String, Value> = groups.iter().map(|group| ((*group).clone(), json!(group))).collect();
    let data: Vec<Value> = scenario
        .listed_models()
        .iter()
        .map(|model| {
            json!({
                "model_name": model,
                "vendor_id": 1,
                "quota_type": 1,
                "model_ratio": 0,
                "model_price": scenario.price(model),
                "owner_by": "",
                "completion_ratio": 0,
                "enable_groups": groups,
                "supported_endpoint_types": [ENDPOINT],
            })
        })
        .collect();
    json_answer(
        200,
        &json!({
            "success": true,
            "data": data,
            "vendors": [{ "id": 1, "name": "xAI" }],
            "group_ratio": scenario.group_ratios,
            "usable_group": usable,
            "auto_groups": ["default"],
            "supported_endpoint": { ENDPOINT: { "path": "/v1/videos", "method": "POST" } },
            "pricing_version": "a42d372ccf0b5dd13ecf71203521f9d2",
        }),
    )
}

/// `GET /api/status`.
pub(crate) async fn status(Shared(state): Shared<Arc<State>>) -> Response {
    let version = state.lock().scenario.api.version;
    let mut data = json!({
        "system_name": "JunFeiAI emulator",
        "version": env!("CARGO_PKG_VERSION"),
        "start_time": state.clock.unix(0.0),
        "server_address": state.origin,
        "quota_per_unit": UNITS,
        "quota_display_type": "USD",
        "display_in_currency": true,
        "usd_exchange_rate": 7.3,
        "enable_data_export": true,
        "enable_task": true,
        "setup": true,
    });
    if version == Version::Older {
        data["video_result_base_url"] = json!(state.origin);
    }
    json_answer(200, &json!({ "success": true, "message": "", "data": data }))
}
