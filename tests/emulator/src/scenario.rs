//! The scenario: one JSON value that says how the service behaves. Every field is optional, an unknown one is an error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    chaos::Chaos,
    plan::{ContentPlan, TaskPlan},
    rules::Rule,
    tls::TlsPlan,
};

/// How the emulated service behaves. `Scenario::default()` is a healthy one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// Makes task ids and every random choice repeatable.
    pub seed: Option<u64>,
    /// Service seconds per real second; `None` leaves it as it is.
    pub time_scale: Option<f64>,
    /// Keys beside the one given at the start (or in its place, where the text is the same).
    pub keys: Vec<KeySpec>,
    /// The accounts behind the keys; one that is not listed is rich.
    pub accounts: Vec<AccountSpec>,
    /// Models that exist; `None` means the documented ones.
    pub models: Option<Vec<String>>,
    /// USD for one second of video, by model; the others have prices of the emulator's own.
    pub prices: BTreeMap<String, f64>,
    /// What a group of accounts pays of the price; the others pay all of it.
    pub group_ratios: BTreeMap<String, f64>,
    /// How new tasks live and end.
    pub task: TaskPlan,
    /// Details of the JSON answers.
    pub api: ApiPlan,
    /// How MP4 files are served.
    pub content: ContentPlan,
    /// When to answer 429.
    pub rate_limit: Option<RateLimit>,
    /// How connections are secured, where the emulator was started with TLS.
    pub tls: TlsPlan,
    /// Faults for chosen requests, tried in order.
    pub rules: Vec<Rule>,
    /// Faults by chance.
    pub chaos: Chaos,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: None,
            time_scale: None,
            keys: Vec::new(),
            accounts: Vec::new(),
            models: None,
            prices: BTreeMap::new(),
            group_ratios: [("default".to_owned(), 1.0), ("vip".to_owned(), 0.55)].into(),
            task: TaskPlan::default(),
            api: ApiPlan::default(),
            content: ContentPlan::default(),
            rate_limit: None,
            tls: TlsPlan::default(),
            rules: Vec::new(),
            chaos: Chaos::default(),
        }
    }
}

/// Why a scenario or a task description was refused: names the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError(pub(crate) String);

impl std::fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// Reads a scenario from JSON text.
    pub fn from_json(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = parse(text)?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Checks the values that a type cannot.
    pub(crate) fn check(&self) -> Result<(), ScenarioError> {
        let fail = |field: &str, what: &str| Err(ScenarioError(format!("`{field}`: {what}")));
        if self.time_scale.is_some_and(|scale| !scale.is_finite() || scale <= 0.0) {
            return fail("time_scale", "must be a positive number");
        }
        for (index, key) in self.keys.iter().enumerate() {
            if key.key.is_empty() {
                return fail(&format!("keys[{index}].key"), "must not be empty");
            }
            if !key.balance.is_finite() {
                return fail(&format!("keys[{index}].balance"), "must be a number");
            }
        }
        for (index, account) in self.accounts.iter().enumerate() {
            if !account.balance.is_finite() {
                return fail(&format!("accounts[{index}].balance"), "must be a number");
            }
        }
        for (field, values) in [("prices", &self.prices), ("group_ratios", &self.group_ratios)] {
            if let Some((name, _)) = values.iter().find(|(_, value)| !value.is_finite() || **value < 0.0) {
                return fail(&format!("{field}.{name}"), "must be zero or more");
            }
        }
        if self.api.usage_batch_s.is_some_and(|every| !every.is_finite() || every <= 0.0) {
            return fail("api.usage_batch_s", "must be a positive number");
        }
        if let Some(limit) = &self.rate_limit {
            if !limit.requests_per_s.is_finite() || limit.requests_per_s <= 0.0 {
                return fail("rate_limit.requests_per_s", "must be a positive number");
            }
            if limit.burst == 0 {
                return fail("rate_limit.burst", "must be at least 1");
            }
        }
        if self.content.rate_bytes_per_s == Some(0) {
            return fail("content.rate_bytes_per_s", "must be at least 1");
        }
        if self.content.per_connection_rate == Some(0) {
            return fail("content.per_connection_rate", "must be at least 1");
        }
        self.task.check("task.")?;
        for (index, rule) in self.rules.iter().enumerate() {
            rule.check().or_else(|(field, what)| fail(&format!("rules[{index}].{field}"), what))?;
        }
        self.chaos.check().or_else(|(field, what)| fail(&format!("chaos.{field}"), what))
    }
}

/// Parses JSON and names the place that does not fit.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, ScenarioError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| describe(&error))?;
    reader.end().map_err(|error| ScenarioError(format!("not JSON: {error}")))?;
    Ok(value)
}

/// The same for a value that is parsed already.
pub(crate) fn parse_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, ScenarioError> {
    serde_path_to_error::deserialize(value).map_err(|error| describe(&error))
}

fn describe(error: &serde_path_to_error::Error<serde_json::Error>) -> ScenarioError {
    let path = error.path().to_string();
    let inner = error.inner();
    ScenarioError(if path == "." { inner.to_string() } else { format!("`{path}`: {inner}") })
}

/// One API key and what it may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeySpec {
    /// The key itself.
    pub key: String,
    /// What it may use, in USD.
    pub balance: f64,
    /// Models it may use; `None` means all.
    pub models: Option<Vec<String>>,
    /// It counts as used up after this many tasks.
    pub used_up_after_creates: Option<u32>,
    /// The key has no limit of its own; `balance` is then its account's, where `accounts` does not list that.
    pub unlimited: bool,
    /// Whether the gate lets it in at all.
    pub state: KeyState,
    /// Keys of one account see each other's tasks.
    pub account: String,
}

impl Default for KeySpec {
    fn default() -> Self {
        Self {
            key: String::new(),
            balance: 1_000_000.0,
            models: None,
            used_up_after_creates: None,
            unlimited: false,
            state: KeyState::Active,
            account: "default".into(),
        }
    }
}

/// The account behind keys: the money, and what its owner may see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSpec {
    /// What keys call it.
    pub name: String,
    /// Money on it, in USD. Without any, nothing can be created, and everything else goes on.
    pub balance: f64,
    /// Its group, which decides the price.
    pub group: String,
    /// The token of its owner, for `/api/task/self`; without one that path is closed.
    pub access_token: Option<String>,
    /// Its number, which the older version wants beside the token.
    pub user_id: u64,
}

impl Default for AccountSpec {
    fn default() -> Self {
        Self { name: "default".into(), balance: 1_000_000.0, group: "default".into(), access_token: None, user_id: 1 }
    }
}

/// One of the two versions of the gateway that were observed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Version {
    /// The one with additions of its own.
    #[default]
    Older,
    /// The newer one.
    Newer,
}

/// What the gate thinks of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyState {
    /// Works.
    #[default]
    Active,
    /// 401: nothing left on it.
    UsedUp,
    /// 401: past its date.
    Expired,
    /// 401: switched off.
    Disabled,
    /// 403: the user is banned.
    Banned,
    /// 403: the caller's address is not on the list.
    IpDenied,
}

/// Details of the JSON answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiPlan {
    /// Which version of the gateway answers, where they differ.
    pub version: Version,
    /// Consumption is logged; without it `/api/log/token` is empty.
    pub log: bool,
    /// Everybody may see `/api/pricing`; otherwise 403.
    pub pricing: bool,
    /// What keys have used is written in batches, every so many service seconds.
    pub usage_batch_s: Option<f64>,
    /// Real milliseconds between the look at a key's quota and the taking of it.
    pub quota_window_ms: u64,
    /// Send `X-New-Api-Other-Ratios` with the billed seconds.
    pub billing_header: bool,
    /// Send `X-Oneapi-Request-Id` twice.
    pub duplicate_request_id: bool,
    /// HTTP status for an unknown task: 400 as observed, 404 as documented.
    pub unknown_task_status: u16,
    /// The upstream's own first word in a create answer.
    pub create_status: String,
    /// The model named in a create answer; the one asked for when `None`.
    pub create_model: Option<String>,
    /// Where a create answer holds the task id.
    pub create_id: CreateId,
    /// The form of new task ids: `{id}` stands for one as the service makes them, `{n}` for a number that counts up.
    pub task_id: String,
    /// A byte order mark in front of a create answer.
    pub create_bom: bool,
    /// Real milliseconds before a create is answered; the task is made first.
    pub create_latency_ms: u64,
    /// Real milliseconds before a query is answered.
    pub query_latency_ms: u64,
}

impl Default for ApiPlan {
    fn default() -> Self {
        Self {
            version: Version::Older,
            log: true,
            pricing: true,
            usage_batch_s: None,
            quota_window_ms: 0,
            billing_header: true,
            duplicate_request_id: false,
            unknown_task_status: 400,
            create_status: "queued".into(),
            create_model: None,
            create_id: CreateId::Both,
            task_id: "{id}".into(),
            create_bom: false,
            create_latency_ms: 0,
            query_latency_ms: 0,
        }
    }
}

/// Where a create answer holds the task id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CreateId {
    /// In `id` and `task_id`.
    #[default]
    Both,
    /// Only in `id`.
    Id,
    /// Only in `task_id`.
    TaskId,
    /// Everything inside `data`.
    Data,
    /// Only in `request_id`, and nothing else is said.
    RequestId,
    /// `data` is the id.
    Text,
    /// Only in `id`, as a number. The ids have to be digits, see [`ApiPlan::task_id`].
    Number,
}

/// A token bucket in service time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Tokens per service second.
    pub requests_per_s: f64,
    /// Size of the bucket.
    pub burst: u32,
    /// The `Retry-After` of a 429.
    pub retry_after: RetryAfter,
    /// What is counted.
    pub ops: Vec<Op>,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { requests_per_s: 3.0, burst: 4, retry_after: RetryAfter::None, ops: vec![Op::Create, Op::Query] }
    }
}

/// The form of `Retry-After`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RetryAfter {
    /// Not sent.
    #[default]
    None,
    /// Seconds.
    Seconds,
    /// An HTTP date.
    Date,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Op {
    /// `POST /v1/video/generations` and its siblings.
    Create,
    /// `GET` of a task.
    Query,
    /// An MP4, by any path.
    Content,
    /// Everything else.
    Other,
    /// In a rule: all of them.
    #[default]
    Any,
}
