//! The helper paths beside the video API.

use std::sync::Arc;

use axum::{Extension, extract::State as Shared, response::Response};
use serde_json::{Value, json};

use crate::{
    accounts::{MODELS, UNITS, gate, price},
    arrival::Context,
    errors::{self, Shape, json_answer},
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

/// `GET /api/usage/token/`: twenty calls in twenty minutes of service time.
pub(crate) async fn usage(Shared(state): Shared<Arc<State>>, Extension(context): Extension<Context>) -> Response {
    let now = state.clock.now();
    let mut inner = state.lock();
    inner.settle(now);
    let shaped = |shape: Shape| shape.answer(context.lang, &context.request_id);
    let Some(account) = context.key.as_ref().and_then(|key| inner.accounts.get_mut(key)) else {
        return shaped(Shape::InvalidToken);
    };
    account.usage_calls.retain(|at| now - at < 1_200.0);
    if account.usage_calls.len() >= 20 {
        return errors::answer(429, None, "");
    }
    account.usage_calls.push(now);
    let available = account.units.max(0).cast_unsigned();
    json_answer(
        200,
        &json!({ "code": true, "message": "ok", "data": {
            "object": "token_usage",
            "name": "emulator",
            "total_granted": available + account.used,
            "total_used": account.used,
            "total_available": available,
            "unlimited_quota": false,
            "model_limits": {},
            "model_limits_enabled": account.spec.models.is_some(),
            "expires_at": 0,
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
