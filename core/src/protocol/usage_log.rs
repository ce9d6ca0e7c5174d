//! The log of a key: what it was charged for and given back, as `GET /api/log/token` shows it. Beyond the service document:
//! observed.
//!
//! The server shows the newest 1000 rows of the key. A charge stands there once the upstream has accepted, with the id of the
//! create request and without the task's; a refund names the task. A row that cannot be read is counted and left out: who
//! concludes something from the absence of a row has to look at [`UsageLog::unreadable`] and [`UsageLog::is_full`].
//!
//! ```
//! use junfeiai::protocol::ApiResponse;
//! use junfeiai::protocol::usage_log::{RowKind, parse_usage_log};
//! use junfeiai::transport::Headers;
//!
//! let body = r#"{"data":[{"id":7,"created_at":1750000000,"type":2,"model_name":"grok-image-video","quota":30000,
//!     "request_id":"r1","other":"{\"group_ratio\":1,\"model_price\":0.01}"}],"success":true}"#;
//! let log = parse_usage_log(&ApiResponse::new(200, Headers::new(), body)).unwrap();
//! assert_eq!((log.rows[0].kind, log.rows[0].quota, log.rows[0].model_price), (RowKind::Charge, 30000, Some(0.01)));
//! ```

use serde::Serialize;
use serde_json::Value;

use super::account::if_offered;
use super::query::{number, text};
use super::wire::{ApiResponse, classify, unreadable};
use crate::error::{Phase, Result, one_line};
use crate::text::json;

/// What is read here, in words.
pub(crate) const USAGE_LOG: &str = "the log of the key";
/// How many rows a server shows (observed); older ones are not told.
pub const MAX_ROWS: usize = 1000;

/// What a row is about: the server's `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowKind {
    /// A charge, `type` 2.
    Charge,
    /// A returned charge, `type` 6.
    Refund,
    /// Anything else, with the server's number.
    Other(i64),
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UsageRow {
    /// The server's number of the row; 0 where it has none. It says nothing about the task.
    pub id: u64,
    /// Unix seconds by the server's clock.
    pub created_at: u64,
    /// What it is about.
    pub kind: RowKind,
    /// The model asked for.
    pub model: Option<String>,
    /// Units charged or returned (500000 = 1 USD).
    pub quota: i64,
    /// The group of the key, which decides the price.
    pub group: Option<String>,
    /// The factor of that group.
    pub group_ratio: Option<f64>,
    /// USD for a second of video, before the factor.
    pub model_price: Option<f64>,
    /// The id of the create request, as its answer's header named it.
    pub request_id: Option<String>,
    /// The task's id: known for refunds.
    pub task_id: Option<String>,
    /// Why it was returned.
    pub reason: Option<String>,
    /// The server's sentence about it.
    pub content: Option<String>,
}

/// What the server shows of a key's log, newest row first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UsageLog {
    /// The rows, at most [`MAX_ROWS`].
    pub rows: Vec<UsageRow>,
    /// How many rows could not be read.
    pub unreadable: usize,
    /// True when there may be older rows that are not shown.
    pub is_full: bool,
}

/// Reads the answer to `GET /api/log/token`.
///
/// # Errors
/// `not_offered` when the server has no such log; any other error of the server.
pub fn parse_usage_log(answer: &ApiResponse) -> Result<UsageLog> {
    if let Some(error) = classify(Phase::Check, answer) {
        return Err(if_offered(error, USAGE_LOG));
    }
    let body = answer.json();
    // `null` is the empty list of a server in Go; without the word for yes it could be a refusal.
    let succeeded = body.and_then(|body| body.get("success")).and_then(Value::as_bool);
    let rows = match body.and_then(|body| body.get("data")) {
        Some(Value::Array(rows)) if succeeded != Some(false) => rows.as_slice(),
        Some(Value::Null) if succeeded == Some(true) => &[],
        _ => {
            let error = unreadable(Phase::Check, answer, "the answer is not a log");
            return Err(if_offered(error, USAGE_LOG));
        }
    };
    let mut log = UsageLog { is_full: rows.len() >= MAX_ROWS, ..UsageLog::default() };
    for row in rows {
        match read_row(row) {
            Some(row) => log.rows.push(row),
            None => log.unreadable += 1,
        }
    }
    // Newest first, whatever the order of the server: of more rows than are kept the oldest go.
    log.rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
    log.rows.truncate(MAX_ROWS);
    Ok(log)
}

/// Without a time, a kind and an amount a row says nothing.
fn read_row(row: &Value) -> Option<UsageRow> {
    let kind = match row.get("type")?.as_i64()? {
        2 => RowKind::Charge,
        6 => RowKind::Refund,
        other => RowKind::Other(other),
    };
    // An object, or the text of one.
    let other = match row.get("other") {
        Some(Value::String(text)) => json::parse(text.as_bytes()).unwrap_or_default(),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    let word = |object: &Value, name: &str| text(object, name).map(|text| one_line(&text));
    let factor = |name| other.get(name).and_then(Value::as_f64).filter(|number| number.is_finite() && *number >= 0.0);
    Some(UsageRow {
        id: number(row, "id").unwrap_or_default(),
        created_at: number(row, "created_at")?,
        kind,
        model: word(row, "model_name"),
        quota: row.get("quota")?.as_i64()?,
        group: word(row, "group").or_else(|| word(&other, "group")),
        group_ratio: factor("group_ratio"),
        model_price: factor("model_price"),
        request_id: word(row, "request_id").or_else(|| word(&other, "request_id")),
        task_id: word(&other, "task_id").or_else(|| word(row, "task_id")),
        reason: word(&other, "reason"),
        content: word(row, "content"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ErrorKind;
    use crate::net::transport::Headers;

    fn read(status: u16, body: &Value) -> Result<UsageLog> {
        parse_usage_log(&ApiResponse::new(status, Headers::new(), body.to_string()))
    }

    fn charge() -> Value {
        json!({"id": 3, "created_at": 1_750_000_000_u64, "type": 2, "content": "6 s", "model_name": "grok-image-video",
            "quota": 30_000, "group": "vip", "request_id": "2026r1",
            "other": r#"{"group_ratio":0.55,"is_task":true,"model_price":0.01,"new":[1]}"#})
    }

    #[test]
    fn charges_and_refunds_as_observed() {
        let refund = json!({"id": 4, "created_at": 1_750_000_060_u64, "type": 6, "content": "", "model_name": "grok-image-video",
            "quota": 30_000, "group": "vip", "request_id": "",
            "other": r#"{"task_id":"task_1","reason":"the\nupstream failed"}"#});
        let log = read(200, &json!({"data": [charge(), refund], "success": true, "message": ""})).unwrap();
        assert_eq!((log.unreadable, log.is_full), (0, false));
        let [refund, charge] = log.rows.as_slice() else { panic!("{log:?}") };
        assert_eq!(
            (charge.kind, charge.id, charge.created_at, charge.quota),
            (RowKind::Charge, 3, 1_750_000_000, 30_000)
        );
        assert_eq!((charge.group_ratio, charge.model_price), (Some(0.55), Some(0.01)));
        assert_eq!((charge.group.as_deref(), charge.request_id.as_deref()), (Some("vip"), Some("2026r1")));
        assert_eq!((charge.task_id.as_deref(), charge.content.as_deref()), (None, Some("6 s")));
        assert_eq!((refund.kind, refund.request_id.as_deref()), (RowKind::Refund, None));
        assert_eq!(
            (refund.task_id.as_deref(), refund.reason.as_deref()),
            (Some("task_1"), Some("the upstream failed"))
        );
    }

    #[test]
    fn an_empty_log_is_one() {
        for body in [json!({"data": [], "success": true}), json!({"data": null, "success": true}), json!({"data": []})]
        {
            assert_eq!(read(200, &body).unwrap(), UsageLog::default(), "{body}");
        }
    }

    #[test]
    fn what_is_no_log_is_not_taken_for_an_empty_one() {
        let bodies = [
            json!({}),
            json!({"data": null}),
            json!({"data": {}, "success": true}),
            json!({"success": true}),
            json!({"data": [], "success": false, "message": "no"}),
            json!([charge()]),
        ];
        for body in bodies {
            assert!(read(200, &body).is_err(), "{body}");
        }
        assert_eq!(read(404, &json!({})).unwrap_err().kind(), ErrorKind::NotOffered);
        let page = ApiResponse::new(200, Headers::from_iter([("content-type", "text/html")]), "<html></html>");
        assert_eq!(parse_usage_log(&page).unwrap_err().kind(), ErrorKind::NotOffered);
    }

    #[test]
    fn too_many_calls_say_when_to_ask_again() {
        let limited = ApiResponse::new(429, Headers::from_iter([("retry-after", "1200")]), "");
        let error = parse_usage_log(&limited).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert_eq!(error.record().retry_after, Some(std::time::Duration::from_mins(20)));
    }

    #[test]
    fn a_row_is_read_as_far_as_it_can_be() {
        let changed = |name: &str, value: Value| {
            let mut row = charge();
            row[name] = value;
            let log = read(200, &json!({"data": [row], "success": true})).unwrap();
            (log.rows.into_iter().next(), log.unreadable)
        };
        // Without these a row explains nothing.
        for name in ["created_at", "type", "quota"] {
            for value in [Value::Null, json!("2"), json!([]), json!(1.5)] {
                assert_eq!(changed(name, value.clone()), (None, 1), "{name} {value}");
            }
        }
        assert_eq!(changed("created_at", json!(0)), (None, 1));
        for name in ["id", "content", "model_name", "group", "request_id", "other", "never_seen"] {
            for value in [Value::Null, json!(-1), json!({"a": [1]}), json!("{"), json!("[1]"), json!("")] {
                assert!(changed(name, value.clone()).0.is_some(), "{name} {value}");
            }
        }
        let (row, _) = changed("other", json!({"group_ratio": 2, "model_price": -1, "task_id": 7}));
        let row = row.unwrap();
        assert_eq!((row.group_ratio, row.model_price, row.task_id), (Some(2.0), None, None));
        assert_eq!(changed("type", json!(5)).0.unwrap().kind, RowKind::Other(5));
        let long = changed("content", json!("x".repeat(100_000))).0.unwrap().content.unwrap();
        assert!(long.len() < 500, "{}", long.len());
    }

    #[test]
    fn a_full_log_says_so_and_keeps_the_newest() {
        let rows = |count: u64| -> Vec<Value> {
            let row = |number| {
                let mut row = charge();
                row["id"] = json!(number);
                row["created_at"] = json!(1_750_000_000 + number);
                row
            };
            (1..=count).map(row).collect()
        };
        let log = read(200, &json!({"data": rows(999), "success": true})).unwrap();
        assert_eq!((log.rows.len(), log.is_full), (999, false));
        let log = read(200, &json!({"data": rows(1500), "success": true})).unwrap();
        assert_eq!((log.rows.len(), log.is_full), (MAX_ROWS, true));
        assert_eq!((log.rows[0].id, log.rows[999].id), (1500, 501));
    }

    /// Any damage of a text leaves an error or a log whose rows add up, never a panic.
    #[test]
    fn damaged_texts_are_survived() {
        let text = json!({"data": [charge(), charge(), charge()], "success": true}).to_string();
        let mut seed = 1_u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let mut read_rows = 0;
        for _ in 0..5000 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=next(3) {
                let place = next(bytes.len());
                match next(3) {
                    0 => bytes.truncate(place.max(1)),
                    1 => bytes[place] = b"{}[],:\"\\0-9.eEntf\x00\xff"[next(19)],
                    _ => drop(bytes.remove(place)),
                }
                if bytes.is_empty() {
                    break;
                }
            }
            if let Ok(log) = parse_usage_log(&ApiResponse::new(200, Headers::new(), bytes)) {
                assert!(log.rows.len() + log.unreadable <= 3);
                read_rows += log.rows.len();
            }
        }
        assert!(read_rows > 1000, "damage of single values is survived: {read_rows}");
    }
}
