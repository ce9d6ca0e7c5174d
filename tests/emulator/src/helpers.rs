//! The helper paths beside the video API.

use std::sync::Arc;

use axum::{Extension, extract::State as Shared, response::Response};
use hyper::header::{self, HeaderValue};
use serde_json::{Value, json};

use crate::{
    accounts::{MODELS, UNITS, gate, price},
    arrival::Context,
    errors::{self, json_answer},
    scenario::KeyState,
    state::State,
};

/// `GET /v1/models`.
pub(crate) async fn models(Shared(state): Shared<Arc<State>>, Extension(context): Extension<Context>) -> Response {
    let inner = state.lock();
    let key = match gate(&inner, &context) {
        Ok((key, _)) => key,
        Err(shape) => return shape.answer(context.lang, &context.request_id),
    };
    let all = inner.scenario.models.clone().unwrap_or_else(|| MODELS.map(str::to_owned).to_vec());
    let allowed = inner.accounts[&key].spec.models.clone();
    let data: Vec<Value> = all
        .iter()
        .filter(|model| allowed.as_ref().is_none_or(|allowed| allowed.contains(model)))
        .map(|model| json!({ "id": model, "object": "model", "created": 1_626_777_600, "owned_by": "xai" }))
        .collect();
    json_answer(200, &json!({ "success": true, "object": "list", "data": data }))
}

/// `GET /api/usage/token/`: twenty calls in twenty minutes of service time. It answers for keys that the gate refuses,
/// too, as long as they exist: that is how a key that is expired or used up can be told from a wrong one.
pub(crate) async fn usage(Shared(state): Shared<Arc<State>>, Extension(context): Extension<Context>) -> Response {
    let now = state.clock.now();
    let mut inner = state.lock();
    inner.settle(now);
    let known = context.key.as_ref().and_then(|key| inner.accounts.get_mut(key));
    let Some(account) = known.filter(|account| account.spec.state != KeyState::Disabled) else {
        return json_answer(401, &json!({ "message": "Invalid token", "success": false }));
    };
    account.usage_calls.retain(|at| now - at < 1_200.0);
    if account.usage_calls.len() >= 20 {
        let mut response = errors::answer(429, None, "");
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1200"));
        return response;
    }
    account.usage_calls.push(now);
    let (left, used) = (account.left(), account.used.cast_signed());
    let (granted, available) = if account.spec.unlimited { (0, -used) } else { (left + used, left) };
    let models = account.spec.models.iter().flatten().map(|model| (model.clone(), Value::Bool(true))).collect();
    let expires_at = if account.spec.state == KeyState::Expired { state.clock.unix(now) - 867_600 } else { 0 };
    json_answer(
        200,
        &json!({ "code": true, "message": "ok", "data": {
            "object": "token_usage",
            "name": "emulator",
            "total_granted": granted,
            "total_used": used,
            "total_available": available,
            "unlimited_quota": account.spec.unlimited,
            "model_limits": Value::Object(models),
            "model_limits_enabled": account.spec.models.is_some(),
            "expires_at": expires_at,
        }}),
    )
}

/// `GET /api/pricing`.
pub(crate) async fn pricing(Shared(state): Shared<Arc<State>>) -> Response {
    let all = state.lock().scenario.models.clone().unwrap_or_else(|| MODELS.map(str::to_owned).to_vec());
    let data: Vec<Value> = all
        .iter()
        .map(|model| {
            json!({
                "model_name": model,
                "quota_type": 1,
                "model_price": price(model) as f64 / UNITS,
                "billing_unit": "second",
                "enable_groups": ["default"],
            })
        })
        .collect();
    json_answer(200, &json!({ "success": true, "data": data, "group_ratio": { "default": 1 } }))
}

/// `GET /api/status`.
pub(crate) async fn status(Shared(state): Shared<Arc<State>>) -> Response {
    let data = json!({
        "system_name": "JunFeiAI emulator",
        "version": env!("CARGO_PKG_VERSION"),
        "start_time": state.clock.unix(0.0),
        "quota_per_unit": UNITS,
    });
    json_answer(200, &json!({ "success": true, "message": "", "data": data }))
}
