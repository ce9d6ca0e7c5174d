//! Everything that requests share: time, scenario, accounts, tasks, files and the log.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    accounts::{Account, Key, LogRow, all_of},
    chaos::Strike,
    clock::Clock,
    delivery::Pacer,
    log::Log,
    mp4,
    rules::{Facts, Rule, Rules},
    scenario::{KeySpec, Op, RateLimit, Scenario, ScenarioError, parse_value},
    task_spec::{TaskSpec, TaskState, parse_size},
    tasks::{Phase, Task},
    tls::Certificates,
    video::{VideoFile, mix},
};

/// RFC 7396: objects field by field, `null` takes a field away, anything else replaces what was there.
fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(fields), Value::Object(changes)) = (&mut *target, patch) else {
        *target = patch.clone();
        return;
    };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

/// Files kept at a time; a file is drawn again when it is asked for later.
const KEEP_FILES: usize = 64;

/// Counters for tests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks made by POST: each one cost money.
    pub created_tasks: usize,
    /// POSTs to the create path that arrived, whatever became of them.
    pub posts: u64,
    /// Quota units taken.
    pub quota_charged: u64,
    /// Quota units given back.
    pub quota_refunded: u64,
    /// Most requests at one time.
    pub max_concurrent_requests: u64,
    /// Most MP4 responses at one time.
    pub max_concurrent_content: u64,
    /// TCP connections accepted.
    pub connections: u64,
    /// TCP connections that are open now.
    pub open_connections: u64,
}

/// What is behind the lock.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) scenario: Scenario,
    pub(crate) seed: u64,
    rules: Rules,
    counts: HashMap<Op, u64>,
    pub(crate) keys: BTreeMap<String, Key>,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) log_rows: Vec<LogRow>,
    /// Calls of the helper paths that have a budget, in service time.
    pub(crate) helper_calls: Vec<f64>,
    /// Handshakes that are still to fail.
    pub(crate) handshake_failures: u32,
    pub(crate) tasks: BTreeMap<String, Task>,
    next_row: u64,
    bucket: Option<(f64, f64)>,
    pub(crate) stats: Stats,
}

/// Shared by all connections.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) log: Log,
    pub(crate) origin: String,
    pub(crate) second: Option<String>,
    /// Where TLS is spoken.
    pub(crate) certificates: Option<Certificates>,
    pub(crate) pacer: Arc<Pacer>,
    key: String,
    video_bytes: Option<u64>,
    entropy: u64,
    inner: Mutex<Inner>,
    files: Mutex<HashMap<mp4::Spec, Arc<VideoFile>>>,
    running: AtomicU64,
    running_content: AtomicU64,
    requests: AtomicU64,
}

impl State {
    pub(crate) fn new(
        origin: String,
        second: Option<String>,
        certificates: Option<Certificates>,
        key: String,
        time_scale: f64,
        video_bytes: Option<u64>,
        scenario: Scenario,
    ) -> Arc<Self> {
        let clock = Clock::new(time_scale);
        let entropy = RandomState::new().hash_one(clock.unix(0.0));
        let state = Self {
            clock,
            log: Log::default(),
            origin,
            second,
            certificates,
            pacer: Arc::default(),
            key,
            video_bytes,
            entropy,
            inner: Mutex::new(Inner {
                scenario: Scenario::default(),
                seed: entropy,
                rules: Rules::default(),
                counts: HashMap::new(),
                keys: BTreeMap::new(),
                accounts: BTreeMap::new(),
                log_rows: Vec::new(),
                helper_calls: Vec::new(),
                handshake_failures: 0,
                tasks: BTreeMap::new(),
                next_row: 1,
                bucket: None,
                stats: Stats::default(),
            }),
            files: Mutex::default(),
            running: AtomicU64::new(0),
            running_content: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        };
        state.set_scenario(scenario);
        Arc::new(state)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to be given as the CA of the certificate that is shown now.
    pub(crate) fn ca_pem(&self) -> Option<String> {
        let certificate = self.lock().scenario.tls.certificate;
        Some(self.certificates.as_ref()?.ca_pem(certificate).to_owned())
    }

    /// Takes a scenario: counters of rules start anew, tasks stay, keys and accounts stay unless it lists some.
    pub(crate) fn set_scenario(&self, scenario: Scenario) {
        if let Some(scale) = scenario.time_scale {
            self.clock.set_scale(scale);
        }
        let mut inner = self.lock();
        inner.seed = scenario.seed.map_or(self.entropy, mix);
        inner.rules = Rules::new(&scenario.rules, inner.seed);
        inner.counts.clear();
        inner.bucket = None;
        inner.handshake_failures = scenario.tls.failures;
        if inner.keys.is_empty() || !scenario.keys.is_empty() || !scenario.accounts.is_empty() {
            self.open_accounts(&mut inner, &scenario);
        }
        inner.scenario = scenario;
    }

    /// Adds a rule behind the others, whose counters go on.
    pub(crate) fn add_rule(&self, rule: Rule) -> Result<(), ScenarioError> {
        rule.check().map_err(|(field, what)| ScenarioError(format!("`{field}`: {what}")))?;
        let mut inner = self.lock();
        inner.rules.push(rule.clone());
        inner.scenario.rules.push(rule);
        Ok(())
    }

    /// Changes these fields of the scenario (a JSON merge patch). Counters of rules go on unless the patch has `rules`.
    pub(crate) fn patch_scenario(&self, patch: &Value) -> Result<(), ScenarioError> {
        let mut inner = self.lock();
        let mut whole = serde_json::to_value(&inner.scenario).map_err(|error| ScenarioError(error.to_string()))?;
        merge(&mut whole, patch);
        let scenario: Scenario = parse_value(whole)?;
        scenario.check()?;
        if let (Some(scale), true) = (scenario.time_scale, patch.get("time_scale").is_some()) {
            self.clock.set_scale(scale);
        }
        if patch.get("seed").is_some() || patch.get("rules").is_some() {
            inner.seed = scenario.seed.map_or(self.entropy, mix);
            inner.rules = Rules::new(&scenario.rules, inner.seed);
            inner.counts.clear();
        }
        if patch.get("rate_limit").is_some() {
            inner.bucket = None;
        }
        if patch.pointer("/tls/failures").is_some() {
            inner.handshake_failures = scenario.tls.failures;
        }
        if patch.get("keys").is_some() || patch.get("accounts").is_some() {
            self.open_accounts(&mut inner, &scenario);
        }
        inner.scenario = scenario;
        Ok(())
    }

    /// Gives out the scenario's keys and accounts anew.
    fn open_accounts(&self, inner: &mut Inner, scenario: &Scenario) {
        let own = KeySpec { key: self.key.clone(), ..KeySpec::default() };
        (inner.keys, inner.accounts) = all_of(scenario, own);
        inner.log_rows.clear();
        inner.helper_calls.clear();
    }

    /// As after the start, with a healthy scenario.
    pub(crate) fn reset(&self) {
        {
            let mut inner = self.lock();
            inner.keys.clear();
            inner.tasks.clear();
            inner.stats = Stats { open_connections: inner.stats.open_connections, ..Stats::default() };
            inner.next_row = 1;
        }
        self.set_scenario(Scenario::default());
        self.log.clear();
    }

    /// A fresh request id in the gateway's form: the moment to the second, its nanoseconds, eight hexadecimal digits and
    /// eight letters and digits.
    pub(crate) fn request_id(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let word = mix(self.entropy ^ number);
        let moment = date_and_time(self.clock.unix(self.clock.now()));
        let tail = letters(mix(word), 8);
        format!("{moment}{:09}{:08x}{tail}", mix(number ^ word) % 1_000_000_000, word >> 32)
    }

    /// The fault for a request, if any, with its name for the log.
    pub(crate) fn strike(&self, facts: &Facts<'_>) -> Option<(String, Strike)> {
        let mut inner = self.lock();
        if facts.op == Op::Create {
            inner.stats.posts += 1;
        }
        if let Some(fault) = inner.rules.pick(facts) {
            return Some((fault.name(), Strike::Fault(fault)));
        }
        let count = inner.counts.entry(facts.op).or_insert(0);
        *count += 1;
        let count = *count;
        let (name, strike) = inner.scenario.chaos.strike(facts.op, inner.seed, count)?;
        Some((name.to_owned(), strike))
    }

    /// Takes a token from the bucket; otherwise the limit and the service seconds until the next one.
    pub(crate) fn limit(&self, op: Op) -> Result<(), (RateLimit, f64)> {
        let mut inner = self.lock();
        let Some(limit) = inner.scenario.rate_limit.clone() else {
            return Ok(());
        };
        if !limit.ops.contains(&op) && !limit.ops.contains(&Op::Any) {
            return Ok(());
        }
        let now = self.clock.now();
        let (tokens, since) = inner.bucket.unwrap_or((f64::from(limit.burst), now));
        let tokens = (tokens + (now - since) * limit.requests_per_s).min(f64::from(limit.burst));
        let granted = tokens >= 1.0;
        inner.bucket = Some((if granted { tokens - 1.0 } else { tokens }, now));
        if granted { Ok(()) } else { Err(((limit.clone()), (1.0 - tokens) / limit.requests_per_s)) }
    }

    /// Replaces every known key in a text.
    pub(crate) fn redact(&self, text: &str) -> String {
        let inner = self.lock();
        let mut text = text.to_owned();
        for key in inner.keys.keys().filter(|key| !key.is_empty()) {
            if text.contains(key.as_str()) {
                text = text.replace(key.as_str(), "[key]");
            }
        }
        text
    }

    /// Puts a task into the store.
    pub(crate) fn add_task(&self, spec: TaskSpec) -> String {
        let now = self.clock.now();
        let (queued, running) = (spec.plan.queued_s, spec.plan.running_s);
        let (created, ended) = match spec.state {
            TaskState::Queued => (now, None),
            TaskState::Running => (now - queued, None),
            TaskState::Finished | TaskState::Failed => (now - queued - running, Some(now)),
        };
        let mut plan = spec.plan;
        if spec.state == TaskState::Failed {
            plan.outcome = crate::plan::Outcome::Failure;
        }
        let size = plan.size.as_deref().and_then(parse_size).unwrap_or((1280, 720));
        let mut inner = self.lock();
        let id = spec.id.unwrap_or_else(|| inner.new_task_id());
        let row = inner.next_row();
        plan.video_bytes = plan.video_bytes.or(self.video_bytes);
        let task = Task {
            id: id.clone(),
            row,
            user: inner.accounts.get(&spec.account).map_or(0, |account| account.spec.user_id),
            group: inner.accounts.get(&spec.account).map_or("default".into(), |account| account.spec.group.clone()),
            account: spec.account,
            key: None,
            model: spec.model,
            prompt: spec.prompt,
            seconds: spec.seconds,
            billed: spec.seconds,
            size_ratio: 1.0,
            size,
            plan,
            created,
            ended,
            polls: 0,
            cost: 0,
            refunded: false,
            request: Value::Null,
            file_version: 0,
            etag_version: 0,
            sent: Arc::default(),
        };
        inner.tasks.insert(id.clone(), task);
        id
    }

    /// The scenario's default size of files, or the one given at the start.
    pub(crate) fn video_bytes(&self, plan: Option<u64>) -> Option<u64> {
        plan.or(self.video_bytes)
    }

    /// The file of a task, drawn when it is first asked for.
    pub(crate) fn file(&self, task_id: &str) -> Option<Arc<VideoFile>> {
        let spec = self.lock().tasks.get(task_id)?.video();
        Some(self.render(spec))
    }

    /// The file for a description; the same one is drawn once.
    pub(crate) fn render(&self, spec: mp4::Spec) -> Arc<VideoFile> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(&spec) {
            return Arc::clone(file);
        }
        let file = Arc::new(mp4::render(&spec));
        if files.len() >= KEEP_FILES {
            files.clear();
        }
        files.insert(spec, Arc::clone(&file));
        file
    }

    /// Counters, with all tasks brought up to date.
    pub(crate) fn stats(&self) -> Stats {
        let now = self.clock.now();
        let mut inner = self.lock();
        inner.settle(now);
        inner.stats.clone()
    }

    /// Counts a request until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>, op: Op) -> InFlight {
        let running = self.running.fetch_add(1, Ordering::AcqRel) + 1;
        let content = u64::from(op == Op::Content);
        let running_content = self.running_content.fetch_add(content, Ordering::AcqRel) + content;
        let mut inner = self.lock();
        inner.stats.max_concurrent_requests = inner.stats.max_concurrent_requests.max(running);
        inner.stats.max_concurrent_content = inner.stats.max_concurrent_content.max(running_content);
        InFlight { state: Arc::clone(self), content }
    }
}

impl Inner {
    pub(crate) fn next_row(&mut self) -> u64 {
        let row = self.next_row;
        self.next_row += 1;
        row
    }

    /// A task id in the service's form: `task_` and 32 letters and digits.
    pub(crate) fn new_task_id(&self) -> String {
        let id = format!("task_{}", letters(mix(self.seed ^ mix(self.next_row)), 32));
        self.scenario.api.task_id.replace("{id}", &id).replace("{n}", &self.next_row.to_string())
    }

    /// Brings every task up to a moment and returns the money of failed ones.
    pub(crate) fn settle(&mut self, now: f64) {
        let mut back = Vec::new();
        for task in self.tasks.values_mut() {
            task.settle(now);
            if task.cost > 0 && !task.refunded && task.phase(now) == Phase::Failed {
                task.refunded = true;
                back.push(task.clone());
            }
        }
        for task in back {
            let at = task.ended.unwrap_or(now);
            self.give_back(at, task.key.as_deref(), &task.account, task.cost);
            self.log_refund(&task, at);
        }
    }
}

/// So many letters and digits, from a random word.
fn letters(mut word: u64, count: usize) -> String {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::new();
    for _ in 0..count {
        text.push(char::from(LETTERS[(word % 62) as usize]));
        word = mix(word);
    }
    text
}

/// `YYYYMMDDhhmmss` of a moment, in UTC.
fn date_and_time(unix: u64) -> String {
    let (days, second) = (unix / 86_400, unix % 86_400);
    // Howard Hinnant's civil_from_days, with years that begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}", second / 3_600, second / 60 % 60, second % 60)
}

/// Marks a request as running.
#[derive(Debug)]
pub(crate) struct InFlight {
    state: Arc<State>,
    content: u64,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.state.running.fetch_sub(1, Ordering::AcqRel);
        self.state.running_content.fetch_sub(self.content, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::date_and_time;

    #[test]
    fn dates() {
        for (unix, text) in [
            (0, "19700101000000"),
            (951_782_400, "20000229000000"),
            (1_795_896_061, "20261128200101"),
            (4_107_542_399, "21000228235959"),
        ] {
            assert_eq!(date_and_time(unix), text);
        }
    }
}
