//! What some servers of this family tell beside the document: their models, and what is left on the key.

use serde::Serialize;
use serde_json::Value;

use super::query::{number, text};
use super::wire::{ApiResponse, classify, unreadable};
use crate::error::{Error, ErrorKind, Phase, Result};

/// Quota units of one USD (observed).
pub const UNITS_PER_USD: f64 = 500_000.0;
/// What [`parse_models`] reads, in words.
pub(crate) const MODELS: &str = "a list of models";
/// What [`parse_balance`] reads, in words.
pub(crate) const BALANCE: &str = "the balance of the key";

/// What is left on the key. Beyond the service document: observed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Balance {
    /// The key's name at the server.
    pub name: Option<String>,
    /// True when the key itself has no limit; the account's balance, which this call does not tell, still has.
    pub unlimited: bool,
    /// What is left, in USD, never below 0. `None` when the key has no limit: then there is no such number, and what the
    /// server says in its place is negative and means nothing.
    pub available_usd: Option<f64>,
    /// What was used up, in USD.
    pub used_usd: f64,
    /// What is left, in the server's units (500000 = 1 USD), never below 0; `None` when the key has no limit. (Creates
    /// at the same time can overdraw a key: then nothing is left.)
    pub available_units: Option<i64>,
    /// What was used up, in the server's units.
    pub used_units: i64,
    /// When the key ends, in unix seconds; `None` when it does not.
    pub expires_at: Option<u64>,
}

/// Reads the answer to `GET {base}/models`.
///
/// # Errors
/// `not_offered` when the server has no such list; any other error of the server.
pub fn parse_models(answer: &ApiResponse) -> Result<Vec<String>> {
    refused(answer).map_err(|error| if_offered(error, MODELS))?;
    let list = answer.json().and_then(|body| body.get("data")).and_then(Value::as_array);
    let names: Option<Vec<String>> = list.and_then(|list| list.iter().map(|model| text(model, "id")).collect());
    names.ok_or_else(|| not_offered(answer, MODELS))
}

/// Reads the answer to `GET /api/usage/token/`.
///
/// # Errors
/// `not_offered` when the server does not tell the balance; any other error of the server.
pub fn parse_balance(answer: &ApiResponse) -> Result<Balance> {
    refused(answer).map_err(|error| if_offered(error, BALANCE))?;
    let data = answer.json().and_then(|body| body.get("data"));
    let balance = data.and_then(|data| {
        let units = |name| data.get(name).and_then(Value::as_i64);
        let unlimited = data.get("unlimited_quota").and_then(Value::as_bool).unwrap_or(false);
        let available = if unlimited { None } else { Some(units("total_available")?.max(0)) };
        let used = units("total_used")?;
        Some(Balance {
            name: text(data, "name"),
            unlimited,
            available_usd: available.map(|units| units as f64 / UNITS_PER_USD),
            used_usd: used as f64 / UNITS_PER_USD,
            available_units: available,
            used_units: used,
            expires_at: number(data, "expires_at"),
        })
    });
    balance.ok_or_else(|| not_offered(answer, BALANCE))
}

/// The error of a helper call, read as what it means: a path that the server does not have is answered with 404, 405, or
/// a web page; the rest is an error like any other. `what` is what was asked for.
pub(crate) fn if_offered(error: Error, what: &str) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::BadRequest | ErrorKind::UnexpectedResponse => error.with(|record| {
            record.kind = ErrorKind::NotOffered;
            record.message = format!("the server does not report {what}");
        }),
        _ => error,
    }
}

fn refused(answer: &ApiResponse) -> Result<()> {
    classify(Phase::Check, answer).map_or(Ok(()), Err)
}

fn not_offered(answer: &ApiResponse, what: &str) -> Error {
    if_offered(unreadable(Phase::Check, answer, "not what was asked for"), what)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::net::transport::Headers;

    fn answer(status: u16, body: &Value) -> ApiResponse {
        ApiResponse::new(status, Headers::new(), body.to_string())
    }

    fn page(status: u16) -> ApiResponse {
        ApiResponse::new(status, Headers::from_iter([("content-type", "text/html")]), "<!doctype html><html></html>")
    }

    fn error_body() -> Value {
        json!({"error": {"message": "Invalid token (request id: r1)", "type": "new_api_error", "code": ""}})
    }

    #[test]
    fn models() {
        let list =
            json!({"success": true, "object": "list", "data": [{"id": "grok-image-video"}, {"id": "grok-video-1.5"}]});
        assert_eq!(parse_models(&answer(200, &list)).unwrap(), ["grok-image-video", "grok-video-1.5"]);
        assert!(parse_models(&answer(200, &json!({"data": []}))).unwrap().is_empty());
    }

    #[test]
    fn balance() {
        let body = json!({"code": true, "message": "ok", "data": {
            "object": "token_usage", "name": "mine", "total_granted": 1_000_000, "total_used": 250_000,
            "total_available": 750_000, "unlimited_quota": false, "expires_at": 0,
        }});
        let balance = parse_balance(&answer(200, &body)).unwrap();
        assert_eq!((balance.available_usd, balance.used_usd), (Some(1.5), 0.5));
        assert_eq!((balance.available_units, balance.used_units), (Some(750_000), 250_000));
        assert_eq!((balance.name.as_deref(), balance.expires_at, balance.unlimited), (Some("mine"), None, false));
    }

    #[test]
    fn what_is_left_is_no_negative_number() {
        let left = |data: Value| {
            let balance = parse_balance(&answer(200, &json!({ "data": data }))).unwrap();
            (balance.unlimited, balance.available_usd, balance.available_units)
        };
        // Observed: a key without a limit shows what it used with a minus.
        let unlimited = json!({"total_granted": 0, "total_used": 5, "total_available": -5, "unlimited_quota": true});
        assert_eq!(left(unlimited), (true, None, None));
        assert_eq!(left(json!({"total_used": 5, "unlimited_quota": true})), (true, None, None));
        // Creates at the same time overdrew it.
        let overdrawn = json!({"total_used": 1_500_000, "total_available": -500_000, "unlimited_quota": false});
        assert_eq!(left(overdrawn), (false, Some(0.0), Some(0)));
    }

    #[test]
    fn what_a_server_without_them_says() {
        let odd = [
            page(200),
            page(404),
            answer(
                404,
                &json!({"error": {"message": "Invalid URL (GET /v1/models)", "type": "invalid_request_error"}}),
            ),
            answer(405, &json!({})),
            answer(200, &json!({"success": false, "message": "no"})),
            answer(200, &json!({"data": null})),
            answer(200, &json!({"data": {"x": 1}})),
            answer(200, &json!({"data": [{"name": "without id"}]})),
            answer(200, &json!([1, 2])),
            ApiResponse::new(200, Headers::new(), ""),
        ];
        for answer in odd {
            for error in [parse_models(&answer).unwrap_err(), parse_balance(&answer).unwrap_err()] {
                assert_eq!(error.kind(), ErrorKind::NotOffered, "{answer:?}");
                assert!(error.to_string().contains("this server does not support it"), "{error}");
            }
        }
    }

    #[test]
    fn other_errors_are_what_they_are() {
        for (status, kind) in [
            (401, ErrorKind::Authentication),
            (403, ErrorKind::PermissionDenied),
            (429, ErrorKind::RateLimited),
            (502, ErrorKind::Upstream),
        ] {
            assert_eq!(parse_models(&answer(status, &error_body())).unwrap_err().kind(), kind);
            assert_eq!(parse_balance(&answer(status, &error_body())).unwrap_err().kind(), kind);
        }
    }
}
