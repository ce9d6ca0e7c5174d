//! What becomes of create requests whose answer was lost, against the emulator's billing.
//!
//! `JUNFEIAI_SEED` repeats a run of the random part, `JUNFEIAI_CASES` makes it longer. A failure names its seed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use junfeiai::async_compat::BoxFuture;
use junfeiai::journal::{Claim, Entry, Event, Journal, Record};
use junfeiai::protocol::Time;
use junfeiai::store::MemoryStore;
use junfeiai::transport::Timer;
use junfeiai::{
    AccountAccess, Client, ErrorKind, FileJournal, Pending, Reconciliation, RetryPolicy, StoreJournal, Verdict,
    VideoRequest,
};
use junfeiai_emulator::Emulator;

const KEY: &str = "sk-reconcile-test";
/// Long after a lost create request, in seconds.
const LATER: u64 = 7200;

/// The system's clock, and a wall clock that a test sets forward.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicU64>);

impl Ahead {
    fn by(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Timer for Ahead {
    fn now(&self) -> Time {
        Time::from_start(SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn unix_now(&self) -> Option<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Some(now + self.0.load(Ordering::SeqCst))
    }

    fn seed(&self) -> u64 {
        fastrand::u64(..)
    }
}

fn emulator() -> Emulator {
    Emulator::builder().api_key(KEY).time_scale(1.0).start().unwrap()
}

fn client_with(emulator: &Emulator, key: &str, journal: Option<Arc<dyn Journal>>, clock: &Ahead) -> Client {
    let builder = Client::builder()
        .endpoint(emulator.base_url())
        .api_key(key)
        .timer(Arc::new(clock.clone()))
        .create_timeout(Duration::from_secs(6))
        .retry(RetryPolicy { max_attempts: 1, ..RetryPolicy::default() });
    let builder = match journal {
        Some(journal) => builder.journal_with(journal),
        None => builder,
    };
    builder.build().unwrap()
}

/// A journal whose store sets no pace for requests, which takes a second for each; and whose process may be stopped behind an
/// intent.
struct Wrapped {
    journal: Arc<dyn Journal>,
    stopped: Option<Ahead>,
}

impl Journal for Wrapped {
    fn append(&self, record: Record) -> BoxFuture<'_, junfeiai::Result<()>> {
        Box::pin(async move {
            let is_intent = matches!(record.event, Event::Intent { .. });
            self.journal.append(record).await?;
            if let Some(clock) = self.stopped.as_ref().filter(|_| is_intent) {
                clock.by(LATER);
            }
            Ok(())
        })
    }

    fn entries(&self) -> BoxFuture<'_, junfeiai::Result<Vec<Entry>>> {
        self.journal.entries()
    }

    fn key<'a>(&'a self, key: &'a str) -> BoxFuture<'a, junfeiai::Result<Option<Entry>>> {
        self.journal.key(key)
    }

    fn claim(&self, record: Record, retry_failed: bool) -> BoxFuture<'_, junfeiai::Result<Claim>> {
        self.journal.claim(record, retry_failed)
    }

    fn answered(&self) -> BoxFuture<'_, junfeiai::Result<Vec<String>>> {
        self.journal.answered()
    }

    fn tasks(&self) -> BoxFuture<'_, junfeiai::Result<Vec<String>>> {
        self.journal.tasks()
    }

    fn intent(&self, key: Option<&str>, random: &str) -> String {
        self.journal.intent(key, random)
    }
}

/// A journal of either kind.
fn journal(in_store: bool, dir: &Path) -> Arc<dyn Journal> {
    if in_store {
        let journal = Arc::new(StoreJournal::new(Arc::new(MemoryStore::new())));
        Arc::new(Wrapped { journal, stopped: None })
    } else {
        Arc::new(FileJournal::open(dir.join("journal")).unwrap())
    }
}

fn fault(fault: &str) -> String {
    format!(r#"{{"rules":[{{"match":{{"op":"create"}},"times":1,"fault":{fault}}}]}}"#)
}

fn request(seconds: u32) -> VideoRequest {
    VideoRequest::new("A red ball").seconds(seconds)
}

/// A create request that is answered, and one whose answer is lost in this way.
async fn one_lost(emulator: &Emulator, client: &Client, clock: &Ahead, how: &str, lost: VideoRequest) {
    client.videos().create(request(8)).await.unwrap();
    clock.by(100);
    emulator.set_scenario_json(&fault(how)).unwrap();
    let error = client.videos().create(lost).await.unwrap_err();
    assert!(error.kind() == ErrorKind::CreateOutcomeUnknown && error.maybe_executed(), "{how}: {error}");
    emulator.set_scenario_json("{}").unwrap();
}

fn only(found: &Reconciliation) -> (Verdict, &str) {
    let [entry] = found.entries.as_slice() else { panic!("{found:?}") };
    (entry.verdict, &entry.reason)
}

/// Ways to lose an answer, whether the task is made and charged, and the verdict.
const POINTS: [(&str, bool, Verdict); 11] = [
    (r#"{"kind":"drop_before_accept"}"#, false, Verdict::NotCharged),
    (r#"{"kind":"drop_before_accept","rst":true}"#, false, Verdict::NotCharged),
    (r#"{"kind":"html","status":502}"#, false, Verdict::NotCharged),
    (r#"{"kind":"drop_after_accept"}"#, true, Verdict::Charged),
    (r#"{"kind":"reset_after_accept"}"#, true, Verdict::Charged),
    (r#"{"kind":"hang","act":true}"#, true, Verdict::Charged),
    (r#"{"kind":"html","status":502,"act":true}"#, true, Verdict::Charged),
    (r#"{"kind":"garbage"}"#, true, Verdict::Charged),
    (r#"{"kind":"empty_body"}"#, true, Verdict::Charged),
    (r#"{"kind":"no_id"}"#, true, Verdict::Charged),
    // Charged without a task: only the administrator can tell.
    (r#"{"kind":"die_after_charge"}"#, false, Verdict::NotKnown),
];

#[tokio::test]
async fn an_answer_that_is_lost_anywhere() {
    for in_store in [false, true] {
        for (how, made, verdict) in POINTS {
            let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
            let client = client_with(&emulator, KEY, Some(journal(in_store, dir.path())), &clock);
            one_lost(&emulator, &client, &clock, how, request(6)).await;
            let name = format!("{how} in a store {in_store}");
            assert_eq!(emulator.created_tasks(), 1 + usize::from(made), "{name}");

            let videos = client.videos();
            emulator.clear_requests();
            let found = videos.reconcile().await.unwrap();
            let under_way = if made { Verdict::Charged } else { Verdict::UnderWay };
            assert_eq!(only(&found).0, under_way, "{name}: {found:?}");
            let paths: Vec<String> = emulator.requests().iter().map(|request| request.path.clone()).collect();
            assert_eq!(paths, ["/api/usage/token/", "/api/log/token"], "{name}");
            clock.by(LATER);
            let found = videos.reconcile().await.unwrap();
            assert_eq!(only(&found).0, verdict, "{name}: {found:?}");

            let reasons: Vec<String> = videos.pending().await.unwrap().into_iter().filter_map(unknown).collect();
            match verdict {
                Verdict::NotCharged => assert!(reasons.is_empty(), "{name}: {reasons:?}"),
                Verdict::Charged => assert_eq!(reasons, ["charged"], "{name}"),
                _ => assert!(!reasons.contains(&"charged".to_owned()) && reasons.len() == 1, "{name}: {reasons:?}"),
            }
            // The journal says the same to whoever asks next, without a question where nothing is open.
            emulator.clear_requests();
            let again = videos.reconcile().await.unwrap();
            assert_eq!(emulator.requests().is_empty(), verdict == Verdict::NotCharged, "{name}");
            assert_eq!(again.entries.len(), reasons.len(), "{name}: {again:?}");
            assert!(again.entries.iter().all(|entry| entry.verdict == verdict), "{name}: {again:?}");
        }
    }
}

fn unknown(pending: Pending) -> Option<String> {
    match pending {
        Pending::Unknown { reason, .. } => Some(reason),
        _ => None,
    }
}

#[tokio::test]
async fn a_key_is_free_again_only_when_nothing_was_charged() {
    for (how, free) in [(POINTS[0].0, true), (POINTS[3].0, false)] {
        for in_store in [false, true] {
            let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
            let client = client_with(&emulator, KEY, Some(journal(in_store, dir.path())), &clock);
            one_lost(&emulator, &client, &clock, how, request(6).key("film/1")).await;
            clock.by(LATER);
            let made = emulator.created_tasks();
            let again = client.videos().create(request(6).key("film/1")).await;
            assert_eq!(again.unwrap_err().kind(), ErrorKind::CreateOutcomeUnknown);
            let found = client.videos().reconcile().await.unwrap();
            assert_eq!(found.entries[0].key.as_deref(), Some("film/1"));
            let again = client.videos().create(request(6).key("film/1")).await;
            assert_eq!(again.is_ok(), free, "{how}: {again:?}");
            assert_eq!(emulator.created_tasks(), made + usize::from(free));
            if let Ok(task) = again {
                let same = client.videos().create(request(6).key("film/1")).await.unwrap();
                assert_eq!(same.id(), task.id());
            }
        }
    }
}

/// The refund of a failed task names it.
#[tokio::test]
async fn a_task_that_failed_is_found_by_its_refund() {
    let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
    let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
    let videos = client.videos();
    videos.create(request(8)).await.unwrap();
    clock.by(100);
    let scenario = r#"{"task":{"queued_s":0,"running_s":0,"outcome":"failure"},
        "rules":[{"match":{"op":"create"},"times":1,"fault":{"kind":"drop_after_accept"}}]}"#;
    emulator.set_scenario_json(scenario).unwrap();
    videos.create(request(6).key("film/1")).await.unwrap_err();
    emulator.set_scenario_json("{}").unwrap();
    clock.by(LATER);
    let found = videos.reconcile().await.unwrap();
    let entry = &found.entries[0];
    assert_eq!((entry.verdict, entry.charged_units), (Verdict::Charged, Some(150_000)), "{entry:?}");
    let id = entry.task_id.clone().unwrap();
    assert!(emulator.task_ids().contains(&id));
    let error = videos.task(&id).unwrap().wait().await.unwrap_err();
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::TaskFailed, Some(id.as_str())), "{error}");
    // What is known of a failed task holds: another is made when it is asked for.
    let another = videos.create(request(6).key("film/1").retry_failed(true)).await.unwrap();
    assert_ne!(another.id(), id);
}

/// What hides the truth: nothing is called free, and the journal stays as it is.
#[tokio::test]
async fn what_cannot_be_known() {
    let foreign = "foreign";
    let cases: [(&str, &str, &str); 7] = [
        ("{\"api\":{\"log\":false}}", "none of this journal's", "the log is off"),
        (foreign, "other programs use this key", "another program"),
        (
            r#"{"rules":[{"match":{"path_contains":"/api/log/token"},"fault":{"kind":"status","status":404,"body":""}}]}"#,
            "does not report",
            "no log",
        ),
        (
            r#"{"rules":[{"match":{"path_contains":"/api/usage"},"fault":{"kind":"html","status":200}}]}"#,
            "does not report",
            "no usage",
        ),
        (
            r#"{"rules":[{"match":{"path_contains":"/api/log/token"},
                "fault":{"kind":"status","status":429,"body":"","headers":{"retry-after":"1200"}}}]}"#,
            "no more questions",
            "too many questions",
        ),
        (
            r#"{"rules":[{"match":{"path_contains":"/api/usage/token"},"fault":{"kind":"status","status":429,"body":""}}]}"#,
            "no more questions",
            "too many questions, without a time",
        ),
        (
            r#"{"rules":[{"match":{"path_contains":"/api/usage/token"},"fault":{"kind":"status","status":200,
                "body":{"code":true,"data":{"total_used":0,"total_available":1,"unlimited_quota":false}}}}]}"#,
            "behind its log",
            "the usage is behind",
        ),
    ];
    for (scenario, reason, name) in cases {
        let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
        let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
        one_lost(&emulator, &client, &clock, POINTS[0].0, request(6)).await;
        if scenario == foreign {
            let other = client_with(&emulator, KEY, None, &clock);
            for seconds in [6, 10] {
                other.videos().create(request(seconds)).await.unwrap();
            }
        } else {
            emulator.set_scenario_json(scenario).unwrap();
        }
        clock.by(LATER);
        let before = client.videos().pending().await.unwrap();
        let found = client.videos().reconcile().await.unwrap();
        let (verdict, why) = only(&found);
        assert!(verdict == Verdict::NotKnown && why.contains(reason), "{name}: {found:?}");
        let limit = (name == "too many questions").then_some(Duration::from_secs(1200));
        assert_eq!(found.retry_after, limit, "{name}");
        assert_eq!(client.videos().pending().await.unwrap(), before, "{name}");
        // The limit of these questions is not one of create requests.
        emulator.clear_requests();
        client.videos().create(request(4)).await.unwrap();
        assert_eq!(emulator.requests().len(), 1, "{name}");
    }
}

/// A journal may hold create requests of several keys. Each key answers for its own.
#[tokio::test]
async fn another_keys_requests_are_left_to_that_key() {
    let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
    emulator.set_scenario_json(r#"{"keys":[{"key":"sk-second-key","account":"default"}]}"#).unwrap();
    let shared = journal(false, dir.path());
    let client = client_with(&emulator, KEY, Some(shared.clone()), &clock);
    let second = client_with(&emulator, "sk-second-key", Some(shared), &clock);
    one_lost(&emulator, &client, &clock, POINTS[0].0, request(6)).await;
    clock.by(LATER);
    let found = second.videos().reconcile().await.unwrap();
    let (verdict, why) = only(&found);
    assert!(verdict == Verdict::NotKnown && why.contains("another API key"), "{found:?}");
    assert_eq!(only(&client.videos().reconcile().await.unwrap()).0, Verdict::NotCharged);
    // The names of keys in the journal are not the keys.
    let text = std::fs::read_to_string(dir.path().join("journal")).unwrap();
    assert!(!text.contains("sk-") && text.contains("\"account\":\""), "{text}");
}

/// The id of the answer whose body was of no use finds its charge among those of others.
#[tokio::test]
async fn its_own_id_tells_among_those_of_others() {
    let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
    let client = client_with(&emulator, KEY, Some(journal(true, dir.path())), &clock);
    one_lost(&emulator, &client, &clock, r#"{"kind":"empty_body"}"#, request(6)).await;
    let other = client_with(&emulator, KEY, None, &clock);
    for _ in 0..3 {
        other.videos().create(request(6)).await.unwrap();
    }
    let found = client.videos().reconcile().await.unwrap();
    assert_eq!(only(&found).0, Verdict::Charged, "{found:?}");
    assert!(found.entries[0].request_id.is_some(), "{found:?}");
}

#[tokio::test]
async fn without_a_journal_it_says_so_and_without_lost_answers_it_asks_nothing() {
    let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
    let error = client_with(&emulator, KEY, None, &clock).videos().reconcile().await.unwrap_err();
    assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Config, Some("journal")));
    let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
    client.videos().create(request(6)).await.unwrap();
    emulator.clear_requests();
    assert_eq!(client.videos().reconcile().await.unwrap(), Reconciliation::default());
    assert!(emulator.requests().is_empty());
    // What keeps us from asking is an error: the list stays.
    one_lost(&emulator, &client, &clock, POINTS[0].0, request(6)).await;
    let refused = r#"{"rules":[{"match":{"path_contains":"/api/"},"fault":{"kind":"drop_before_accept"}}]}"#;
    emulator.set_scenario_json(refused).unwrap();
    assert_eq!(client.videos().reconcile().await.unwrap_err().kind(), ErrorKind::Connection);
    assert_eq!(client.videos().pending().await.unwrap().into_iter().filter_map(unknown).count(), 1);
}

/// A process that is stopped between its note and its request, and set going long after others have settled it, sends nothing.
#[tokio::test]
async fn a_process_that_was_stopped_too_long_sends_nothing() {
    let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
    let stops = Wrapped { journal: journal(false, dir.path()), stopped: Some(clock.clone()) };
    let client = client_with(&emulator, KEY, Some(Arc::new(stops)), &clock);
    let error = client.videos().create(request(6)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Timeout && !error.maybe_executed(), "{error}");
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    assert!(emulator.requests().is_empty());
    assert!(client.videos().pending().await.unwrap().is_empty());
}

/// Any mix of answers and losses: no verdict is wrong.
#[tokio::test]
async fn sixty_random_runs() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("JUNFEIAI_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 1_000_003);
    let cases = number("JUNFEIAI_CASES").unwrap_or(60);
    let mut table: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    // Few runs lose an answer to a request that was not charged and also leave no doubt about it, so that some sixty have none of
    // them by chance. There are more runs until there was one.
    let shown = |table: &BTreeMap<_, _>| {
        [("charged", "charged"), ("not charged", "not_charged")].iter().all(|verdict| table.contains_key(verdict))
    };
    for (seed, done) in (first..).zip(0..cases.saturating_mul(20)) {
        if done >= cases && (cases < 60 || shown(&table)) {
            break;
        }
        let again = format!("repeat with JUNFEIAI_SEED={seed} JUNFEIAI_CASES=1");
        let mut random = fastrand::Rng::with_seed(seed);
        let (emulator, clock, dir) = (emulator(), Ahead::default(), tempfile::tempdir().unwrap());
        let client = client_with(&emulator, KEY, Some(journal(random.bool(), dir.path())), &clock);
        client.videos().create(request(8)).await.unwrap();
        clock.by(60);
        let mut truth = BTreeMap::new();
        for lost in 0..random.u32(1..6) {
            let seconds = random.u32(4..11);
            if random.bool() {
                // Another length than those of lost ones, or one of them.
                client.videos().create(request(seconds)).await.unwrap();
                continue;
            }
            let (how, made, _) = POINTS[random.usize(..POINTS.len())];
            // Waiting for the end of a create request is slow.
            let how = if how.contains("hang") { POINTS[3].0 } else { how };
            emulator.set_scenario_json(&fault(how)).unwrap();
            let key = format!("job/{lost}");
            client.videos().create(request(seconds).key(key.as_str())).await.unwrap_err();
            emulator.set_scenario_json("{}").unwrap();
            truth.insert(key, (how, made || how.contains("die_after_charge")));
        }
        clock.by([900, 3000, LATER][random.usize(..3)]);
        let found = client.videos().reconcile().await.unwrap();
        assert_eq!(found.entries.len(), truth.len(), "{again}");
        for entry in &found.entries {
            let (how, charged) = truth[entry.key.as_deref().unwrap()];
            let wrong = match entry.verdict {
                Verdict::Charged => !charged,
                Verdict::NotCharged => charged,
                _ => false,
            };
            assert!(!wrong, "{again}: {how} {entry:?}");
            *table.entry((if charged { "charged" } else { "not charged" }, entry.verdict.name())).or_default() += 1;
        }
    }
    for ((truth, verdict), count) in &table {
        println!("{truth:<12} {verdict:<12} {count:>4}");
    }
    if cases >= 60 {
        assert!(shown(&table), "{table:?}");
    }
}

const TOKEN: &str = "account-token-4711";
const ACCOUNT: &str = r#"{"accounts":[{"name":"default","user_id":7,"access_token":"account-token-4711"}],
    "keys":[{"key":"sk-neighbour","account":"default"}]}"#;

fn access() -> AccountAccess {
    AccountAccess::new(TOKEN).unwrap().user("7").unwrap()
}

/// An emulator whose account has a token, and a second key.
fn with_account() -> Emulator {
    let emulator = emulator();
    emulator.set_scenario_json(ACCOUNT).unwrap();
    emulator
}

fn paths(emulator: &Emulator) -> Vec<String> {
    emulator.requests().iter().map(|request| request.path.clone()).collect()
}

/// The only task that is not of the answered create request, by what was asked for.
fn of_seconds(emulator: &Emulator, seconds: u32) -> Vec<String> {
    let asked = |id: &String| emulator.task_request(id).unwrap()["seconds"] == seconds.to_string().as_str();
    emulator.task_ids().into_iter().filter(asked).collect()
}

#[tokio::test]
async fn with_the_accounts_token_a_lost_task_is_found_and_resumed() {
    for in_store in [false, true] {
        for (how, made, verdict) in POINTS {
            let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
            let client = client_with(&emulator, KEY, Some(journal(in_store, dir.path())), &clock);
            one_lost(&emulator, &client, &clock, how, request(6).key("film/1")).await;
            let name = format!("{how} in a store {in_store}");
            clock.by(LATER);
            emulator.clear_requests();
            let found = client.videos().reconcile_with(&access()).await.unwrap();
            assert_eq!(only(&found).0, verdict, "{name}: {found:?}");
            // Without a charge there is nothing to look for.
            let list: &[&str] = if made { &["/api/task/self"] } else { &[] };
            assert_eq!(paths(&emulator), [&["/api/usage/token/", "/api/log/token"], list].concat(), "{name}");
            let id = found.entries[0].task_id.clone();
            assert_eq!(id.clone().into_iter().collect::<Vec<_>>(), of_seconds(&emulator, 6), "{name}: {found:?}");
            let Some(id) = id else { continue };
            assert_eq!(found.entries[0].charged_units, Some(150_000), "{name}");
            // The journal has it as a task: nothing is open any more, and the key leads to it.
            let pending = client.videos().pending().await.unwrap();
            assert!(pending.iter().all(|one| !matches!(one, Pending::Unknown { .. })), "{name}: {pending:?}");
            assert_eq!(client.videos().reconcile_with(&access()).await.unwrap(), Reconciliation::default(), "{name}");
            let task = client.videos().create(request(6).key("film/1")).await.unwrap();
            assert_eq!((task.id(), task.is_reused()), (id.as_str(), true), "{name}");
            assert_eq!(emulator.created_tasks(), 2, "{name}");
            if !in_store {
                let text = std::fs::read_to_string(dir.path().join("journal")).unwrap();
                assert!(text.contains(&id) && !text.contains(TOKEN), "{text}");
            }
        }
    }
}

/// What was known before without a token is named later with one.
#[tokio::test]
async fn a_charge_that_was_found_before_gets_its_task_later() {
    let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
    let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
    one_lost(&emulator, &client, &clock, POINTS[3].0, request(6)).await;
    let found = client.videos().reconcile().await.unwrap();
    assert_eq!((only(&found).0, found.entries[0].task_id.clone()), (Verdict::Charged, None));
    let found = client.videos().reconcile_with(&access()).await.unwrap();
    assert_eq!(found.entries[0].task_id.iter().cloned().collect::<Vec<_>>(), of_seconds(&emulator, 6));
}

/// Other programs, on other keys of the account and on this key: what fits by chance is not taken.
#[tokio::test]
async fn tasks_of_other_programs_are_left_alone() {
    // Their key, seconds, and what is said.
    for (key, seconds, named, reason) in [
        ("sk-neighbour", 10, true, "the account's list its task"),
        ("sk-neighbour", 6, false, "more than one task of the account fits"),
        (KEY, 10, true, "the account's list its task"),
        (KEY, 6, false, "other programs use this key"),
    ] {
        for in_store in [false, true] {
            let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
            let client = client_with(&emulator, KEY, Some(journal(in_store, dir.path())), &clock);
            // Its own request's id tells among the charges of this key; a connection that breaks tells nothing.
            let how = if key == KEY && named { r#"{"kind":"empty_body"}"# } else { POINTS[3].0 };
            one_lost(&emulator, &client, &clock, how, request(6)).await;
            let other = client_with(&emulator, key, None, &clock);
            let theirs = other.videos().create(request(seconds)).await.unwrap();
            let ours: Vec<_> = of_seconds(&emulator, 6).into_iter().filter(|id| id != theirs.id()).collect();
            let before = client.videos().pending().await.unwrap().len();
            let found = client.videos().reconcile_with(&access()).await.unwrap();
            let (_, why) = only(&found);
            assert!(why.contains(reason), "{key} {seconds}: {found:?}");
            let id: Vec<_> = found.entries[0].task_id.iter().cloned().collect();
            assert_eq!(id, if named { ours } else { Vec::new() }, "{key} {seconds}");
            assert_eq!(client.videos().pending().await.unwrap().len(), before);
        }
    }
    // A program on another key makes the only task that fits, and the lost request never arrived.
    let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
    let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
    one_lost(&emulator, &client, &clock, POINTS[0].0, request(6)).await;
    client_with(&emulator, "sk-neighbour", None, &clock).videos().create(request(6)).await.unwrap();
    clock.by(LATER);
    let found = client.videos().reconcile_with(&access()).await.unwrap();
    assert_eq!((only(&found).0, found.entries[0].task_id.clone()), (Verdict::NotCharged, None), "{found:?}");
}

/// Several lost at once: which task is whose matters only when they are different requests.
#[tokio::test]
async fn several_lost_at_once() {
    for (prompts, named) in [(["red", "red"], true), (["red", "blue"], false)] {
        let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
        let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
        client.videos().create(request(8)).await.unwrap();
        clock.by(100);
        for prompt in prompts {
            emulator.set_scenario_json(&fault(POINTS[3].0)).unwrap();
            client.videos().create(VideoRequest::new(prompt).seconds(6)).await.unwrap_err();
        }
        let found = client.videos().reconcile_with(&access()).await.unwrap();
        assert!(found.entries.iter().all(|entry| entry.verdict == Verdict::Charged), "{found:?}");
        let mut ids: Vec<_> = found.entries.iter().filter_map(|entry| entry.task_id.clone()).collect();
        let mut made = if named { of_seconds(&emulator, 6) } else { Vec::new() };
        ids.sort();
        made.sort();
        assert_eq!(ids, made, "{found:?}");
    }
}

/// Tasks that have ended are not on the list of what is open, and are nobody else's all the same.
#[tokio::test]
async fn a_task_of_the_journal_that_has_ended_is_not_taken_for_a_lost_one() {
    for in_store in [false, true] {
        let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
        let kept = || -> Arc<dyn Journal> {
            Arc::new(FileJournal::open(dir.path().join("journal")).unwrap().compact_after(1, 1))
        };
        let in_memory = journal(true, dir.path());
        // Each client is another process.
        let client = || {
            let journal = if in_store { in_memory.clone() } else { kept() };
            client_with(&emulator, KEY, Some(journal), &clock)
        };
        for seconds in [6, 8, 6] {
            let task = client().videos().create(request(seconds)).await.unwrap();
            assert!(client().videos().forget(task.id()).await.unwrap());
        }
        assert!(client().videos().pending().await.unwrap().is_empty());
        let known = of_seconds(&emulator, 6);
        clock.by(100);
        emulator.set_scenario_json(&fault(POINTS[3].0)).unwrap();
        client().videos().create(request(6)).await.unwrap_err();
        let found = client().videos().reconcile_with(&access()).await.unwrap();
        let lost: Vec<_> = of_seconds(&emulator, 6).into_iter().filter(|id| !known.contains(id)).collect();
        assert_eq!(
            found.entries[0].task_id.iter().cloned().collect::<Vec<_>>(),
            lost,
            "in a store {in_store}: {found:?}"
        );
    }
}

#[tokio::test]
async fn a_lost_task_that_failed_is_named_and_ends_as_failed() {
    let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
    let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
    // The refund alone cannot tell: two charges of that amount.
    client.videos().create(request(6)).await.unwrap();
    clock.by(100);
    let scenario = r#"{"api":{"version":"newer"},"task":{"queued_s":0,"running_s":0,"outcome":"failure"},
        "rules":[{"match":{"op":"create"},"times":1,"fault":{"kind":"drop_after_accept"}}]}"#;
    emulator.set_scenario_json(scenario).unwrap();
    client.videos().create(request(6)).await.unwrap_err();
    emulator.set_scenario_json(r#"{"api":{"version":"newer"}}"#).unwrap();
    let found = client.videos().reconcile_with(&access()).await.unwrap();
    let (verdict, why) = only(&found);
    assert!(verdict == Verdict::Charged && why.contains("failed"), "{found:?}");
    let id = found.entries[0].task_id.clone().unwrap();
    let error = client.videos().task(&id).unwrap().wait().await.unwrap_err();
    assert_eq!((error.kind(), error.task_id()), (ErrorKind::TaskFailed, Some(id.as_str())), "{error}");
}

/// A scenario, the account's number, and the reason or the error.
type Case = (String, Option<&'static str>, Result<&'static str, (ErrorKind, &'static str)>);

/// What keeps the list from telling leaves what the log told: it is in the journal, and nothing is called free.
#[tokio::test]
async fn a_list_that_tells_nothing_takes_nothing_away() {
    let path = |fault: &str| {
        format!(
            r#"{{"api":{{"version":"newer"}},"rules":[{{"match":{{"path_contains":"/api/task/self"}},"fault":{fault}}}]}}"#
        )
    };
    let elsewhere = format!(
        r#"{{"kind":"status","status":302,"body":"{TOKEN}","headers":{{"location":"https://doc.junfeiai.com/api/task/self"}}}}"#
    );
    let echo = format!(r#"{{"kind":"status","status":401,"body":{{"success":false,"message":"no account {TOKEN}"}}}}"#);
    let cases: [Case; 9] = [
        (r#"{"api":{"log":false,"version":"newer"}}"#.into(), None, Ok("none of this journal's")),
        (path(r#"{"kind":"status","status":404,"body":""}"#), None, Ok("does not list the tasks")),
        (path(r#"{"kind":"html","status":200}"#), None, Ok("does not list the tasks")),
        (
            path(r#"{"kind":"status","status":429,"body":"","headers":{"retry-after":"1200"}}"#),
            None,
            Ok("no more questions now"),
        ),
        (path(r#"{"kind":"drop_before_accept"}"#), None, Err((ErrorKind::Connection, ""))),
        (
            path(&elsewhere),
            None,
            Err((ErrorKind::UntrustedHost, "the account token may not go to https://doc.junfeiai.com")),
        ),
        (path(&echo), None, Err((ErrorKind::Authentication, "does not accept the account token: no account ***"))),
        (r#"{"api":{"version":"older"}}"#.into(), None, Err((ErrorKind::Authentication, "New-Api-User"))),
        (r#"{"api":{"version":"older"}}"#.into(), Some("8"), Err((ErrorKind::Authentication, "New-Api-User"))),
    ];
    for (scenario, user, expected) in cases {
        let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
        let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
        one_lost(&emulator, &client, &clock, POINTS[3].0, request(6)).await;
        clock.by(LATER);
        emulator.set_scenario_json(&scenario).unwrap();
        let access = AccountAccess::from_options(Some(TOKEN), user).unwrap().unwrap();
        let found = client.videos().reconcile_with(&access).await;
        let charged = !scenario.contains(r#""log":false"#);
        match (&found, expected) {
            (Ok(found), Ok(reason)) => {
                let (verdict, why) = only(found);
                assert_eq!(verdict, if charged { Verdict::Charged } else { Verdict::NotKnown }, "{scenario}");
                assert!(why.contains(reason) && found.entries[0].task_id.is_none(), "{scenario}: {found:?}");
                let limit = scenario.contains("429").then_some(Duration::from_secs(1200));
                assert_eq!(found.retry_after, limit, "{scenario}");
            }
            (Err(error), Err((kind, text))) => {
                assert!(error.kind() == kind && error.to_string().contains(text), "{scenario}: {error}");
                let field = (kind == ErrorKind::Authentication).then_some("account_token");
                assert_eq!(error.record().field.as_deref(), field, "{scenario}");
                assert!(!format!("{error} {error:?} {}", error.to_json()).contains(TOKEN), "{error:?}");
            }
            (found, _) => panic!("{scenario}: {found:?}"),
        }
        let reasons: Vec<String> = client.videos().pending().await.unwrap().into_iter().filter_map(unknown).collect();
        assert_eq!(reasons.iter().any(|reason| reason == "charged"), charged, "{scenario}: {reasons:?}");
        assert_eq!(reasons.len(), 1, "{scenario}");
    }
    // The older version wants the number; a wrong token it refuses as the newer one does.
    let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
    let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
    one_lost(&emulator, &client, &clock, POINTS[3].0, request(6)).await;
    for version in ["older", "newer"] {
        emulator.set_scenario_json(&format!(r#"{{"api":{{"version":"{version}"}}}}"#)).unwrap();
        let wrong = AccountAccess::new("no-such-token").unwrap();
        let error = client.videos().reconcile_with(&wrong).await.unwrap_err();
        assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Authentication, Some("account_token")));
        assert!(error.to_string().contains("check the account token"), "{error}");
    }
    emulator.set_scenario_json(r#"{"api":{"version":"older"}}"#).unwrap();
    emulator.clear_requests();
    let found = client.videos().reconcile_with(&access()).await.unwrap();
    assert_eq!(found.entries[0].task_id.iter().cloned().collect::<Vec<_>>(), of_seconds(&emulator, 6));
    // The number goes with the token alone, and the token nowhere else.
    for request in emulator.requests() {
        let of_account = request.path == "/api/task/self";
        assert_eq!(request.headers.get("new-api-user").map(String::as_str), of_account.then_some("7"), "{request:?}");
        assert_eq!(request.key == junfeiai_emulator::KeySeen::Valid, !of_account, "{request:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_none_is_refused_before_anything_is_sent() {
    let (emulator, clock, dir) = (with_account(), Ahead::default(), tempfile::tempdir().unwrap());
    let client = client_with(&emulator, KEY, Some(journal(false, dir.path())), &clock);
    one_lost(&emulator, &client, &clock, POINTS[3].0, request(6)).await;
    emulator.clear_requests();
    let error = client.videos().reconcile_with(&AccountAccess::new(KEY).unwrap()).await.unwrap_err();
    assert_eq!((error.kind(), error.record().field.as_deref()), (ErrorKind::Config, Some("account_token")));
    assert!(!error.to_string().contains(KEY) && emulator.requests().is_empty(), "{error}");
}
