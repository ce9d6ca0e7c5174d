//! Keys and the accounts behind them: what they may do, what is left on them, and what their log says.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    arrival::Context,
    errors::Shape,
    scenario::{AccountSpec, KeySpec, KeyState, Scenario, Version},
    state::Inner,
    tasks::Task,
};

/// Quota units of one USD.
pub(crate) const UNITS: f64 = 500_000.0;
/// Models that the document names.
pub(crate) const MODELS: [&str; 2] = ["grok-image-video", "grok-video-1.5"];
/// Segment models of the kind that the document advises against: they can be used and are not listed.
const SEGMENT_MODELS: [&str; 3] = ["grok-image-video-4s", "grok-image-video-6s-8s", "grok-image-video-10s-15s"];
/// Rows of a log that are shown at most.
const LOG_ROWS: usize = 1_000;

impl Scenario {
    /// The models that `/v1/models` and `/api/pricing` list.
    pub(crate) fn listed_models(&self) -> Vec<String> {
        self.models.clone().unwrap_or_else(|| MODELS.map(str::to_owned).to_vec())
    }

    /// Whether somebody offers this model.
    pub(crate) fn offers(&self, model: &str) -> bool {
        match &self.models {
            Some(models) => models.iter().any(|known| known == model),
            None => MODELS.contains(&model) || SEGMENT_MODELS.contains(&model),
        }
    }

    /// USD for one second of video.
    pub(crate) fn price(&self, model: &str) -> f64 {
        self.prices.get(model).copied().unwrap_or(if model == "grok-video-1.5" { 0.08 } else { 0.05 })
    }

    /// What a group pays of it.
    pub(crate) fn group_ratio(&self, group: &str) -> f64 {
        self.group_ratios.get(group).copied().unwrap_or(1.0)
    }

    /// Quota units of a video. The versions differ in where they cut fractions off.
    pub(crate) fn cost(&self, model: &str, group: &str, seconds: u32, size: f64) -> u64 {
        let second = (self.price(model) * UNITS * self.group_ratio(group)).trunc();
        match self.api.version {
            Version::Older => (second * f64::from(seconds) * size).trunc() as u64,
            Version::Newer => (second * size).trunc() as u64 * u64::from(seconds),
        }
    }
}

/// One account with what is left on it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) spec: AccountSpec,
    pub(crate) units: i64,
}

impl Account {
    pub(crate) fn new(spec: AccountSpec) -> Self {
        let units = (spec.balance * UNITS) as i64;
        Self { spec, units }
    }
}

/// One key with what is left on it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) spec: KeySpec,
    pub(crate) units: i64,
    pub(crate) creates: u32,
    /// Units used, change by change in service time.
    used: Vec<(f64, i64)>,
}

impl Key {
    pub(crate) fn new(spec: KeySpec) -> Self {
        let units = if spec.unlimited { 0 } else { (spec.balance * UNITS) as i64 };
        Self { spec, units, creates: 0, used: Vec::new() }
    }

    /// What is left to the caller's eyes: nothing on a key that counts as used up.
    pub(crate) fn left(&self) -> i64 {
        if self.spec.state == KeyState::UsedUp || self.is_used_up() { self.units.min(0) } else { self.units }
    }

    /// Units used up to a moment.
    pub(crate) fn used(&self, at: f64) -> i64 {
        self.used.iter().filter(|(when, _)| *when <= at).map(|(_, units)| units).sum()
    }

    /// Whether the key's list of models, if it has one, has this one.
    pub(crate) fn may_use(&self, model: &str) -> bool {
        self.spec.models.as_ref().is_none_or(|models| models.iter().any(|allowed| allowed == model))
    }

    pub(crate) fn is_used_up(&self) -> bool {
        (!self.spec.unlimited && self.units <= 0)
            || self.spec.used_up_after_creates.is_some_and(|most| self.creates >= most)
    }
}

/// The keys of a scenario and the accounts behind them. An account that is not listed is a rich one, or has the balance of
/// its key without a limit.
pub(crate) fn all_of(scenario: &Scenario, own: KeySpec) -> (BTreeMap<String, Key>, BTreeMap<String, Account>) {
    let mut keys = BTreeMap::new();
    let mut accounts: BTreeMap<String, Account> =
        scenario.accounts.iter().map(|spec| (spec.name.clone(), Account::new(spec.clone()))).collect();
    for spec in std::iter::once(own).chain(scenario.keys.iter().cloned()) {
        let listed = scenario.accounts.iter().any(|account| account.name == spec.account);
        let user = accounts.len() as u64 + 1;
        let account = accounts.entry(spec.account.clone()).or_insert_with(|| {
            Account::new(AccountSpec { name: spec.account.clone(), user_id: user, ..AccountSpec::default() })
        });
        if spec.unlimited && !listed {
            account.units = (spec.balance * UNITS) as i64;
        }
        keys.insert(spec.key.clone(), Key::new(spec));
    }
    (keys, accounts)
}

/// One row of a key's log.
#[derive(Debug, Clone)]
pub(crate) struct LogRow {
    pub(crate) key: String,
    /// 2: used, 6: given back.
    pub(crate) kind: u8,
    pub(crate) created: f64,
    pub(crate) model: String,
    pub(crate) quota: u64,
    pub(crate) group: String,
    pub(crate) content: String,
    pub(crate) request_id: String,
    pub(crate) other: Value,
    /// It is written when the upstream has accepted.
    pub(crate) written: Instant,
}

impl Inner {
    /// Takes money: of the key, of the account, and in the counters.
    pub(crate) fn take(&mut self, now: f64, key: &str, account: &str, cost: u64) {
        self.stats.quota_charged += cost;
        self.move_units(now, key, account, cost.cast_signed());
    }

    /// Gives it back.
    pub(crate) fn give_back(&mut self, now: f64, key: Option<&str>, account: &str, cost: u64) {
        self.stats.quota_refunded += cost;
        self.move_units(now, key.unwrap_or_default(), account, -cost.cast_signed());
    }

    fn move_units(&mut self, now: f64, key: &str, account: &str, units: i64) {
        if let Some(key) = self.keys.get_mut(key) {
            key.units -= units;
            key.used.push((now, units));
        }
        if let Some(account) = self.accounts.get_mut(account) {
            account.units -= units;
        }
    }

    /// The row of a create that the upstream has accepted.
    pub(crate) fn log_create(&mut self, task: &Task, key: &str, request_id: &str, written: Instant) {
        let mut factors = vec![format!("seconds: {:.2}", f64::from(task.billed))];
        if task.size_ratio > 1.0 {
            factors.push(format!("size: {:.2}", task.size_ratio));
        }
        self.log_rows.push(LogRow {
            key: key.to_owned(),
            kind: 2,
            created: task.created,
            model: task.model.clone(),
            quota: task.cost,
            group: task.group.clone(),
            content: format!("操作 {}, 计算参数：{}", task.action(), factors.join(", ")),
            request_id: request_id.to_owned(),
            other: json!({
                "group_ratio": self.scenario.group_ratio(&task.group),
                "is_task": true,
                "model_price": self.scenario.price(&task.model),
                "request_path": "/v1/video/generations",
            }),
            written,
        });
    }

    /// The row of a failed task's refund.
    pub(crate) fn log_refund(&mut self, task: &Task, at: f64) {
        self.log_rows.push(LogRow {
            key: task.key.clone().unwrap_or_default(),
            kind: 6,
            created: at,
            model: task.model.clone(),
            quota: task.cost,
            group: task.group.clone(),
            content: format!("异步任务执行失败，退还 ＄{:.6}", task.cost as f64 / UNITS),
            request_id: String::new(),
            other: json!({ "is_task": true, "task_id": task.id, "reason": task.fail_reason() }),
            written: Instant::now(),
        });
    }

    /// A key's log, the newest row first.
    pub(crate) fn log_of(&self, key: &str, unix: &dyn Fn(f64) -> u64) -> Vec<Value> {
        let now = Instant::now();
        let rows = self.log_rows.iter().enumerate().rev();
        rows.filter(|(_, row)| row.key == key && row.written <= now)
            .take(LOG_ROWS)
            .map(|(index, row)| {
                json!({
                    "id": index + 1,
                    "created_at": unix(row.created),
                    "type": row.kind,
                    "content": row.content,
                    "token_name": "emulator",
                    "model_name": row.model,
                    "quota": row.quota,
                    "prompt_tokens": 0,
                    "completion_tokens": 0,
                    "use_time": 0,
                    "is_stream": false,
                    "group": row.group,
                    "request_id": row.request_id,
                    "other": row.other.to_string(),
                })
            })
            .collect()
    }
}

/// The gate: which account a request belongs to, or the answer that keeps it out.
pub(crate) fn gate(inner: &Inner, context: &Context) -> Result<(String, String), Shape> {
    let key = context.key.as_deref().ok_or(Shape::InvalidToken)?;
    let known = inner.keys.get(key).ok_or(Shape::InvalidToken)?;
    match known.spec.state {
        KeyState::Active if !known.is_used_up() => Ok((key.to_owned(), known.spec.account.clone())),
        KeyState::Banned => Err(Shape::Banned),
        KeyState::IpDenied => Err(Shape::IpDenied),
        _ => Err(Shape::InvalidToken),
    }
}
