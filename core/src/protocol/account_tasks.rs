//! The tasks of an account, as `GET /api/task/self` lists them for the account's access token and not for a key. Beyond the service
//! document: observed.
//!
//! ```text
//!  TaskPages::new(from, to) ──▶ next ──▶ Some(path): ask for it ──▶ input(page) ─┐
//!                                ▲                                             │
//!                                └─────────────────────────────────────────────┘
//!                              None: list()
//! ```
//!
//! Newest first, up to 100 on a page. These questions share a limit of 20 in 20 minutes with those for usage and log, so at most
//! [`MAX_PAGES`] are asked for. Who concludes something from the absence of a row has to look at [`TaskList::is_whole`] and
//! [`TaskList::unreadable`].
//!
//! ```
//! use junfeiai::protocol::ApiResponse;
//! use junfeiai::protocol::account_tasks::{TaskPages, parse_account_tasks};
//! use junfeiai::transport::Headers;
//!
//! let mut pages = TaskPages::new(1_750_000_000, 1_750_000_060);
//! assert_eq!(
//!     pages.next_path().as_deref(),
//!     Some("/api/task/self?p=1&page_size=100&start_timestamp=1750000000&end_timestamp=1750000060")
//! );
//! let body = r#"{"success":true,"data":{"total":1,"items":[{"task_id":"task_1","submit_time":1750000004,"quota":30000,
//!     "status":"IN_PROGRESS","properties":{"input":"","origin_model_name":"grok-image-video"}}]}}"#;
//! pages.input(parse_account_tasks(&ApiResponse::new(200, Headers::new(), body)).unwrap());
//! assert_eq!(pages.next_path(), None);
//! let list = pages.list();
//! assert!(list.is_whole && list.rows[0].task_id == "task_1");
//! ```

use std::collections::HashSet;

use serde_json::Value;

use super::account::if_offered;
use super::query::{number, text};
use super::wire::{ApiResponse, classify, unreadable};
use crate::error::{Error, ErrorKind, Phase, Result, one_line};
use crate::net::endpoint::is_task_id;
use crate::status::TaskStatus;
use crate::text::json;

/// How many pages are asked for at most.
pub const MAX_PAGES: u32 = 5;
/// Rows of a page.
const PAGE_SIZE: u64 = 100;
/// What is read here, in words.
const ACCOUNT_TASKS: &str = "the tasks of an account";
/// Larger times are milliseconds.
const MOST_SECONDS: u64 = 100_000_000_000;

/// One task of the account, whatever key made it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskRow {
    /// The task's id.
    pub task_id: String,
    /// Unix seconds by the server's clock, when the upstream had accepted.
    pub submitted_at: u64,
    /// The model asked for, where the row shows it.
    pub model: Option<String>,
    /// Units charged (500000 = 1 USD), where the row shows them. Newer servers show 0 for a failed task, whose charge was returned.
    pub quota: Option<i64>,
    /// How far it has come.
    pub status: TaskStatus,
    /// The prompt, on servers that show it.
    pub prompt: Option<String>,
}

/// One page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskPage {
    /// Its rows.
    pub rows: Vec<TaskRow>,
    /// How many rows could not be read.
    pub unreadable: usize,
    /// How many rows all pages have together, where the server says it.
    pub total: Option<u64>,
}

/// The tasks of an account within a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskList {
    /// Unix seconds of its beginning, by the server's clock.
    pub from: u64,
    /// Unix seconds of its end.
    pub to: u64,
    /// The rows, each task once.
    pub rows: Vec<TaskRow>,
    /// How many rows could not be read.
    pub unreadable: usize,
    /// True when all tasks of that time are there.
    pub is_whole: bool,
}

/// Which page is asked for next, and when all are there.
#[derive(Debug)]
pub struct TaskPages {
    list: TaskList,
    seen: HashSet<String>,
    page: u32,
    ended: bool,
}

impl TaskPages {
    /// The tasks submitted between these times, in unix seconds.
    pub fn new(from: u64, to: u64) -> Self {
        Self { list: TaskList { from, to, ..TaskList::default() }, seen: HashSet::new(), page: 1, ended: false }
    }

    /// Path and query of the page to ask for; `None` when there is none.
    pub fn next_path(&self) -> Option<String> {
        let (page, TaskList { from, to, .. }) = (self.page, &self.list);
        let path = format!("/api/task/self?p={page}&page_size={PAGE_SIZE}&start_timestamp={from}&end_timestamp={to}");
        (!self.ended).then_some(path)
    }

    /// Takes in the page that was asked for.
    pub fn input(&mut self, page: TaskPage) {
        if self.ended {
            return;
        }
        let is_empty = page.rows.is_empty() && page.unreadable == 0;
        let before = self.seen.len();
        self.list.unreadable += page.unreadable;
        let mut reached_the_beginning = false;
        for row in page.rows {
            // A task that is made meanwhile moves the others down: they come twice, and none is left out.
            if !self.seen.insert(row.task_id.clone()) {
                continue;
            }
            // A server that does not know the window shows all, newest first.
            reached_the_beginning |= row.submitted_at < self.list.from;
            if (self.list.from..=self.list.to).contains(&row.submitted_at) {
                self.list.rows.push(row);
            }
        }
        let counted = (self.seen.len() + self.list.unreadable) as u64;
        let all = match page.total {
            Some(total) => counted >= total,
            // Without a total only an empty page says that there is no other: a server may have smaller pages.
            None => is_empty,
        };
        self.list.is_whole = all || reached_the_beginning;
        self.page += 1;
        let repeats = self.seen.len() == before;
        self.ended = self.list.is_whole || repeats || self.page > MAX_PAGES;
    }

    /// What was read.
    pub fn list(self) -> TaskList {
        self.list
    }
}

/// Reads one page of the answer to `GET /api/task/self`.
///
/// # Errors
/// `authentication` about `account_token` when the server does not accept the token; `not_offered` when it has no such list; any
/// other error of the server.
pub fn parse_account_tasks(answer: &ApiResponse) -> Result<TaskPage> {
    if let Some(error) = classify(Phase::Check, answer) {
        return Err(account_error(error));
    }
    let body = answer.json();
    let data = body.and_then(|body| body.get("data"));
    let rows = match data {
        Some(Value::Array(rows)) => rows.as_slice(),
        // `null` is the empty list of a server in Go.
        Some(Value::Null) if body.is_some_and(|body| body.get("success").is_some()) => &[],
        Some(Value::Object(object)) => {
            match ["items", "records", "list", "data"].iter().find_map(|name| object.get(*name)) {
                Some(Value::Array(rows)) => rows.as_slice(),
                Some(Value::Null) => &[],
                _ => return Err(no_list(answer)),
            }
        }
        _ => return Err(no_list(answer)),
    };
    let total = data.and_then(|data| data.get("total")).or_else(|| body.and_then(|body| body.get("total")));
    let mut page = TaskPage { total: total.and_then(Value::as_u64), ..TaskPage::default() };
    for row in rows {
        match read_row(row) {
            Some(row) => page.rows.push(row),
            None => page.unreadable += 1,
        }
    }
    Ok(page)
}

fn no_list(answer: &ApiResponse) -> Error {
    if_offered(unreadable(Phase::Check, answer, "the answer is not a list of tasks"), ACCOUNT_TASKS)
}

/// What the server's refusal means here.
pub(crate) fn account_error(error: Error) -> Error {
    let record = error.record();
    // A gateway refuses a wrong token with 200 as well (observed).
    let said_no = record.kind == ErrorKind::UnexpectedResponse
        && record.status.is_some_and(|status| (200..300).contains(&status))
        && record.code.is_none();
    if !said_no && (record.kind != ErrorKind::Authentication || record.transient) {
        return if_offered(error, ACCOUNT_TASKS);
    }
    error.with(|record| {
        let said = record.server_message.as_deref().map_or(String::new(), |text| format!(": {}", one_line(text)));
        record.kind = ErrorKind::Authentication;
        record.field = Some("account_token".into());
        record.message = format!("the server does not accept the account token{said}");
    })
}

/// Without an id and a time a row says nothing. `id` alone is the number of the row (observed).
fn read_row(row: &Value) -> Option<TaskRow> {
    let word = |object: &Value, name: &str| text(object, name).map(|text| one_line(&text));
    // An object, or the text of one.
    let properties = match row.get("properties") {
        Some(Value::String(text)) => json::parse(text.as_bytes()).unwrap_or_default(),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    let submitted_at = number(row, "submit_time").or_else(|| number(row, "created_at"))?;
    Some(TaskRow {
        task_id: text(row, "task_id").or_else(|| text(row, "id")).filter(|id| is_task_id(id))?,
        submitted_at: if submitted_at > MOST_SECONDS { submitted_at / 1000 } else { submitted_at },
        // The upstream may have another name for it.
        model: word(&properties, "origin_model_name")
            .or_else(|| word(row, "model"))
            .or_else(|| word(row, "model_name")),
        quota: row.get("quota").and_then(Value::as_i64),
        status: TaskStatus::from_server(&text(row, "status").unwrap_or_default()),
        prompt: [&properties, row].iter().find_map(|place| text(place, "input").or_else(|| text(place, "prompt"))),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::net::transport::Headers;

    fn read(status: u16, body: &Value) -> Result<TaskPage> {
        parse_account_tasks(&ApiResponse::new(status, Headers::new(), body.to_string()))
    }

    fn row(number: u64) -> Value {
        json!({"id": number, "created_at": 1_750_000_000 + number, "task_id": format!("task_{number}"), "platform": "55", "user_id": 1,
            "group": "default", "quota": 30_000, "action": "textGenerate", "status": "NOT_START", "fail_reason": "",
            "submit_time": 1_750_000_000 + number, "progress": "0%",
            "properties": {"input": "", "upstream_model_name": "grok-up", "origin_model_name": "grok-image-video"}, "data": {"id": "up"}})
    }

    #[test]
    fn rows_as_observed_in_every_envelope() {
        let rows = json!([row(1), row(2)]);
        let bodies = [
            (
                json!({"success": true, "message": "", "data": {"page": 1, "page_size": 100, "total": 2, "items": rows}}),
                Some(2),
            ),
            (json!({"success": true, "data": rows}), None),
            (json!({"success": true, "total": 7, "data": rows}), Some(7)),
            (json!({"code": "success", "data": {"list": rows}}), None),
        ];
        for (body, total) in bodies {
            let page = read(200, &body).unwrap();
            assert_eq!((page.rows.len(), page.unreadable, page.total), (2, 0, total), "{body}");
            let task = &page.rows[0];
            assert_eq!((task.task_id.as_str(), task.submitted_at, task.quota), ("task_1", 1_750_000_001, Some(30_000)));
            assert_eq!((task.model.as_deref(), task.prompt.as_deref()), (Some("grok-image-video"), None));
        }
        for body in
            [json!({"success": true, "data": null}), json!({"success": true, "data": {"items": null, "total": 0}})]
        {
            assert_eq!(read(200, &body).unwrap().rows, [], "{body}");
        }
    }

    #[test]
    fn odd_fields_cost_a_row_only_where_it_says_nothing_without_them() {
        let changed = |name: &str, value: Value| {
            let mut row = row(1);
            row[name] = value;
            let mut page = read(200, &json!({"success": true, "data": [row]})).unwrap();
            (page.rows.pop(), page.unreadable)
        };
        for value in [Value::Null, json!(7), json!(""), json!(".."), json!(["task_1"])] {
            assert_eq!(changed("task_id", value.clone()), (None, 1), "{value}");
        }
        for name in ["quota", "status", "properties", "action", "never_seen", "submit_time"] {
            for value in [Value::Null, json!("{"), json!([]), json!({"a": [1]}), json!(0)] {
                assert_eq!(changed(name, value.clone()).0.unwrap().task_id, "task_1", "{name} {value}");
            }
        }
        let mut no_time = row(1);
        no_time["submit_time"] = json!(0);
        no_time["created_at"] = Value::Null;
        assert_eq!(read(200, &json!({"success": true, "data": [no_time]})).unwrap().unreadable, 1);
        // Milliseconds, the text of an object, a prompt.
        assert_eq!(changed("submit_time", json!(1_750_000_009_123_u64)).0.unwrap().submitted_at, 1_750_000_009);
        let task = changed("properties", json!(r#"{"input":"a red ball","origin_model_name":"m"}"#)).0.unwrap();
        assert_eq!((task.prompt.as_deref(), task.model.as_deref()), (Some("a red ball"), Some("m")));
        // Of the upstream's name for it nothing follows.
        assert_eq!(changed("properties", json!({"upstream_model_name": "x"})).0.unwrap().model, None);
        let mut without = row(1);
        without.as_object_mut().unwrap().remove("task_id");
        without["id"] = json!("task_x");
        assert_eq!(read(200, &json!({"success": true, "data": [without]})).unwrap().rows[0].task_id, "task_x");
    }

    #[test]
    fn refusals_are_about_the_token_and_other_answers_no_list() {
        let no = json!({"success": false, "message": "无权进行此操作，access token 无效"});
        for (status, body) in
            [(200, &no), (401, &no), (401, &json!({"error": {"message": "Invalid token", "code": ""}}))]
        {
            let error = read(status, body).unwrap_err();
            assert_eq!(
                (error.kind(), error.record().field.as_deref()),
                (ErrorKind::Authentication, Some("account_token"))
            );
            assert!(error.to_string().contains("does not accept the account token"), "{error}");
            assert!(error.to_string().contains("check the account token"), "{error}");
        }
        for (status, body) in [
            (404, json!({"error": {"message": "Invalid URL (GET /api/task/self)", "type": "invalid_request_error"}})),
            (405, json!({})),
            (200, json!({"success": true, "data": {"x": 1}})),
            (200, json!({"success": true, "data": "no"})),
            (200, json!({"data": null})),
            (200, json!([1])),
            (200, json!({})),
        ] {
            assert_eq!(read(status, &body).unwrap_err().kind(), ErrorKind::NotOffered, "{status} {body}");
        }
        let page = ApiResponse::new(200, Headers::from_iter([("content-type", "text/html")]), "<!doctype html>");
        assert_eq!(parse_account_tasks(&page).unwrap_err().kind(), ErrorKind::NotOffered);
        let limited = ApiResponse::new(429, Headers::from_iter([("retry-after", "1200")]), "");
        let error = parse_account_tasks(&limited).unwrap_err();
        assert_eq!(
            (error.kind(), error.retry_after().map(|time| time.as_secs())),
            (ErrorKind::RateLimited, Some(1200))
        );
        assert_eq!(read(403, &no).unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert_eq!(read(502, &json!({})).unwrap_err().kind(), ErrorKind::Upstream);
    }

    fn paged(total: u64, size: u64, says_total: bool, window: bool, repeats: bool) -> (TaskList, u32) {
        // Newest first; every second within the window.
        let all: Vec<u64> = (0..total).rev().filter(|number| !window || *number >= 10).collect();
        let mut pages = TaskPages::new(1_750_000_010, 1_760_000_000);
        let mut asked = 0;
        while let Some(path) = pages.next_path() {
            asked += 1;
            assert!(
                path.contains(&format!("?p={asked}&page_size=100&start_timestamp=1750000010&end_timestamp=1760000000"))
            );
            let page = if repeats { 0 } else { u64::from(asked - 1) };
            let rows: Vec<Value> =
                all.iter().skip((page * size) as usize).take(size as usize).map(|number| row(*number)).collect();
            let data = if says_total { json!({"items": rows, "total": all.len()}) } else { json!(rows) };
            pages.input(read(200, &json!({"success": true, "data": data})).unwrap());
        }
        (pages.list(), asked)
    }

    #[test]
    fn pages_until_all_are_there_and_never_many() {
        // Total, size of a page, says the total, knows the window, shows the first page for every: whole, rows, questions.
        for (total, size, says, window, repeats, whole, rows, asked) in [
            (5, 100, true, true, false, true, 0, 1),
            (60, 100, true, true, false, true, 50, 1),
            (60, 100, false, true, false, true, 50, 2),
            (270, 100, true, true, false, true, 260, 3),
            (130, 50, true, true, false, true, 120, 3),
            (130, 50, false, true, false, true, 120, 4),
            (60, 100, true, false, false, true, 50, 1),
            (60, 20, false, false, false, true, 50, 3),
            (800, 100, true, true, false, false, 500, 5),
            (800, 100, false, false, false, false, 500, 5),
            (270, 100, true, true, true, false, 100, 2),
            (270, 100, false, true, true, false, 100, 2),
        ] {
            let (list, questions) = paged(total, size, says, window, repeats);
            assert_eq!(
                (list.is_whole, list.rows.len(), questions),
                (whole, rows, asked),
                "{total} {size} {says} {window}"
            );
        }
    }

    /// Any damage of a text leaves an error or rows that add up, never a panic.
    #[test]
    fn damaged_texts_are_survived() {
        let text = json!({"success": true, "data": {"items": [row(1), row(2), row(3)], "total": 3}}).to_string();
        let mut random = fastrand::Rng::with_seed(7);
        let mut read_rows = 0;
        for _ in 0..3000 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..random.usize(1..4) {
                if bytes.is_empty() {
                    break;
                }
                let place = random.usize(..bytes.len());
                match random.u32(..3) {
                    0 => bytes.truncate(place.max(1)),
                    1 => bytes[place] = b"{}[],:\"\\0-9.eEntf\x00\xff"[random.usize(..19)],
                    _ => drop(bytes.remove(place)),
                }
            }
            if let Ok(page) = parse_account_tasks(&ApiResponse::new(200, Headers::new(), bytes)) {
                assert!(page.rows.len() + page.unreadable <= 3);
                read_rows += page.rows.len();
            }
        }
        assert!(read_rows > 500, "damage of single values is survived: {read_rows}");
    }
}
