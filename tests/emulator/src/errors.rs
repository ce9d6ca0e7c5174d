//! The service's answers when something is wrong: several shapes, two languages.

use axum::{body::Body, response::Response};
use hyper::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::accounts::UNITS;

/// The language of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lang {
    English,
    Chinese,
}

impl Lang {
    /// From an `Accept-Language` header: its first language decides.
    pub(crate) fn of(header: Option<&str>) -> Self {
        let first = header.unwrap_or("").trim_start().to_ascii_lowercase();
        if first.starts_with("zh") { Self::Chinese } else { Self::English }
    }

    fn say(self, english: &str, chinese: &str) -> String {
        match self {
            Self::English => english.to_owned(),
            Self::Chinese => chinese.to_owned(),
        }
    }
}

/// Error answers that have been seen; the names are those of the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shape {
    /// 401 of the gate: missing, wrong, expired or used-up key.
    InvalidToken,
    /// 403 of the gate: the key may not use the model.
    NoModelRight,
    /// 403 of the gate: the user is banned.
    Banned,
    /// 403 of the gate: the caller's address is not allowed.
    IpDenied,
    /// 503 of the gate: nobody offers the model. Permanent.
    ModelNotFound,
    /// 400 of the task layer.
    InvalidRequest,
    /// 400 of the task layer: a field has the wrong JSON type.
    InvalidJson,
    /// 400 of the task layer: the length is refused.
    InvalidSeconds,
    /// 400: no such task (as observed).
    TaskNotExist,
    /// 404: no such task (as documented).
    #[serde(rename = "task_not_exist_404")]
    TaskNotExist404,
    /// 403: no money on the account.
    InsufficientUserQuota,
    /// 403: no money on the key.
    PreConsumeTokenQuotaFailed,
    /// 400 of the upstream, quoted as JSON.
    FailToFetchTask,
    /// 401 of the upstream: not about the caller's key.
    #[serde(rename = "upstream_401")]
    Upstream401,
    /// 404 of the upstream: not about the caller's task.
    #[serde(rename = "upstream_404")]
    Upstream404,
    /// 502 of the upstream, quoted as HTML.
    UpstreamHtml,
    /// 429 of the upstream: refused and refunded.
    #[serde(rename = "upstream_429")]
    Upstream429,
    /// 500: the upstream could not be reached. Refunded.
    DoRequestFailed,
    /// 500: the upstream's answer could not be read. Refunded.
    UpstreamUnreadable,
    /// 500: the upstream's answer holds no id. Refunded.
    InvalidResponse,
    /// 200 with `success: false`.
    SuccessFalse,
    /// 500 without a body.
    #[serde(rename = "empty_500")]
    Empty500,
    /// 413 as HTML.
    #[serde(rename = "html_413")]
    Html413,
    /// 429 as HTML: the limit of a proxy in front. The gateway itself limits neither creates nor queries.
    #[serde(rename = "html_429")]
    Html429,
    /// 502 as HTML.
    #[serde(rename = "html_502")]
    Html502,
    /// 503 as HTML.
    #[serde(rename = "html_503")]
    Html503,
    /// 504 as HTML.
    #[serde(rename = "html_504")]
    Html504,
    /// 524 as HTML.
    #[serde(rename = "html_524")]
    Html524,
    /// 502 of the MP4 proxy.
    #[serde(rename = "proxy_502")]
    Proxy502,
    /// 502 of the MP4 proxy for a range past the end.
    #[serde(rename = "proxy_416")]
    Proxy416,
    /// A plain 416.
    #[serde(rename = "plain_416")]
    Plain416,
    /// 502 of the MP4 proxy where the upstream has no such file.
    #[serde(rename = "proxy_404")]
    Proxy404,
    /// 404 of the MP4 proxy: no such task.
    ContentNotFound,
    /// 403 of the MP4 proxy: its own trouble.
    RequestBlocked,
    /// 400 of the MP4 proxy just after the end of the task.
    NotCompleted,
}

impl Shape {
    /// True for the answers of the task layer, `code` beside `"data":null`: a create that ends so was refunded and made no
    /// task (observed).
    pub(crate) fn is_task_layer(self) -> bool {
        matches!(
            self,
            Self::InvalidRequest
                | Self::InvalidJson
                | Self::InvalidSeconds
                | Self::TaskNotExist
                | Self::TaskNotExist404
                | Self::InsufficientUserQuota
                | Self::PreConsumeTokenQuotaFailed
                | Self::FailToFetchTask
                | Self::Upstream401
                | Self::Upstream404
                | Self::UpstreamHtml
                | Self::Upstream429
                | Self::DoRequestFailed
                | Self::UpstreamUnreadable
                | Self::InvalidResponse
        )
    }

    /// The answer.
    pub(crate) fn answer(self, lang: Lang, request_id: &str) -> Response {
        let gate = |status, english: &str, chinese: &str, code: &str| {
            gate(status, &lang.say(english, chinese), request_id, code)
        };
        let upstream = |status: u16, quoted: &str| {
            // The upstream's body as it is.
            task_layer(status, "fail_to_fetch_task", quoted)
        };
        match self {
            Self::InvalidToken => gate(401, "Invalid token", "无效的令牌", ""),
            Self::NoModelRight => no_model_right(lang, request_id, "grok-video-1.5"),
            Self::Banned => gate(403, "User has been banned", "用户已被封禁", ""),
            Self::IpDenied => gate(
                403,
                "Your IP is not in the allowed list of this token",
                "您的 IP 不在令牌允许访问的列表中",
                "access_denied",
            ),
            Self::ModelNotFound => {
                gate(503, "No available channel for the model", "当前分组下该模型无可用渠道", "model_not_found")
            }
            Self::InvalidRequest => task_layer(400, "invalid_request", &lang.say("invalid request", "请求参数错误")),
            Self::InvalidJson => task_layer(400, "invalid_json", "json: cannot unmarshal number into Go struct field"),
            Self::InvalidSeconds => task_layer(400, "invalid_seconds", &lang.say("seconds is invalid", "seconds 无效")),
            Self::TaskNotExist => task_layer(400, "task_not_exist", "task_not_exist"),
            Self::TaskNotExist404 => task_layer(404, "task_not_exist", "task_not_exist"),
            Self::InsufficientUserQuota => task_layer(403, "insufficient_user_quota", &no_money_on_account(0, 150_000)),
            Self::PreConsumeTokenQuotaFailed => {
                task_layer(403, "pre_consume_token_quota_failed", &no_money_on_key(5_000, 150_000))
            }
            Self::FailToFetchTask => upstream(400, r#"{"error":"the prompt was refused"}"#),
            Self::Upstream401 => upstream(401, r#"{"error":{"message":"Incorrect API key provided"}}"#),
            Self::Upstream404 => upstream(404, r#"{"error":{"message":"Not found"}}"#),
            Self::UpstreamHtml => upstream(502, "<html><head><title>502 Bad Gateway</title></head></html>"),
            Self::Upstream429 => upstream(429, "当前分组上游负载已饱和，请稍后再试"),
            Self::DoRequestFailed => task_layer(500, "do_request_failed", "do request failed: unexpected EOF"),
            Self::UpstreamUnreadable => task_layer(
                500,
                "unmarshal_response_body_failed",
                "invalid character '<' looking for beginning of value",
            ),
            Self::InvalidResponse => task_layer(500, "invalid_response", "task_id is empty"),
            Self::SuccessFalse => json_answer(200, &json!({ "success": false, "message": lang.say("failed", "失败") })),
            Self::Empty500 => answer(500, None, ""),
            Self::Html413 => html(413),
            Self::Html429 => html(429),
            Self::Html502 => html(502),
            Self::Html503 => html(503),
            Self::Html504 => html(504),
            Self::Html524 => html(524),
            Self::Proxy502 => proxy(502, "Upstream service returned status 500"),
            Self::Proxy416 => proxy(502, "Upstream service returned status 416"),
            Self::Plain416 => answer(416, None, ""),
            Self::Proxy404 => proxy(502, "Upstream service returned status 404"),
            Self::ContentNotFound => refused_file(404, "Task not found"),
            Self::RequestBlocked => proxy(403, "request blocked: the address is not allowed"),
            Self::NotCompleted => not_completed("IN_PROGRESS"),
        }
    }
}

/// The gate's shape: `error.type` is `new_api_error`, the request id stands in the message.
pub(crate) fn gate(status: u16, text: &str, request_id: &str, code: &str) -> Response {
    let message = format!("{text} (request id: {request_id})");
    json_answer(status, &json!({ "error": { "message": message, "type": "new_api_error", "code": code } }))
}

/// 403 of the gate: the key's list of models does not have this one.
pub(crate) fn no_model_right(lang: Lang, request_id: &str, model: &str) -> Response {
    let text = lang.say(&format!("This token has no access to model {model}"), &format!("该令牌无权访问模型 {model}"));
    gate(403, &text, request_id, "")
}

/// What the gateway says of an account with too little on it; the text is Chinese in every language.
pub(crate) fn no_money_on_account(left: i64, cost: u64) -> String {
    if left <= 0 {
        format!("用户额度不足, 剩余额度: {}", dollars(left))
    } else {
        format!("预扣费额度失败, 用户剩余额度: {}, 需要预扣费额度: {}", dollars(left), dollars(cost.cast_signed()))
    }
}

/// What it says of a key with too little on it; the text is English in every language.
pub(crate) fn no_money_on_key(left: i64, cost: u64) -> String {
    let cost = dollars(cost.cast_signed());
    format!("token quota is not enough, token remain quota: {}, need quota: {cost}", dollars(left))
}

fn dollars(units: i64) -> String {
    format!("＄{:.6}", units as f64 / UNITS)
}

/// The task layer's shape.
pub(crate) fn task_layer(status: u16, code: &str, message: &str) -> Response {
    json_answer(status, &json!({ "code": code, "message": message, "data": null }))
}

/// The MP4 proxy's shape for trouble with the upstream.
pub(crate) fn proxy(status: u16, message: &str) -> Response {
    json_answer(status, &json!({ "error": { "message": message, "type": "server_error" } }))
}

/// The MP4 proxy's shape for what is the caller's affair.
pub(crate) fn refused_file(status: u16, message: &str) -> Response {
    json_answer(status, &json!({ "error": { "message": message, "type": "invalid_request_error" } }))
}

/// The MP4 proxy's answer while a task runs, or after it failed.
pub(crate) fn not_completed(status: &str) -> Response {
    refused_file(400, &format!("Task is not completed yet, current status: {status}"))
}

/// The shape of a path that the gateway does not have.
pub(crate) fn no_such_path(method: &str, path: &str) -> Response {
    let message = format!("Invalid URL ({method} {path})");
    json_answer(
        404,
        &json!({ "error": { "message": message, "type": "invalid_request_error", "param": "", "code": "" } }),
    )
}

/// The shape of the helper paths.
pub(crate) fn helper(status: u16, message: &str) -> Response {
    json_answer(status, &json!({ "message": message, "success": false }))
}

/// JSON as the gateway's encoder writes it: what could be markup is escaped, quoted pages of the upstream among them.
pub(crate) fn escaped(value: &Value) -> String {
    const ESCAPED: [(char, &str); 5] =
        [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    ESCAPED.iter().fold(value.to_string(), |text, (letter, escape)| text.replace(*letter, escape))
}

/// Any JSON.
pub(crate) fn json_answer(status: u16, value: &Value) -> Response {
    answer(status, Some("application/json; charset=utf-8"), escaped(value))
}

/// What an answer lacks of the headers that the gateway puts on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lacks {
    /// A page of the gateway's web interface: it has a request id, and no CORS headers.
    Cors,
    /// A proxy in front, or the router before anything else had its turn: neither.
    RequestIdAndCors,
}

/// A page of a proxy in front.
pub(crate) fn html(status: u16) -> Response {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let page = format!(
        "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n\
         <hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = answer(status, Some("text/html"), page);
    response.extensions_mut().insert(Lacks::RequestIdAndCors);
    response
}

/// A response from its parts.
pub(crate) fn answer(status: u16, content_type: Option<&str>, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(value) = content_type.and_then(|value| header::HeaderValue::from_str(value).ok()) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}
