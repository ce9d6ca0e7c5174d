//! The budget of a UTC day: whoever shares the journal, whoever is killed, no more than the budget is charged.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::path::Path;
use std::pin::{Pin, pin};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

mod clock;

use clock::Clock;
use junfeiai::async_compat::BoxFuture;
use junfeiai::journal::{End, Event, Journal, Order, Record, Reserved, Used};
use junfeiai::platform::native::TokioTimer;
use junfeiai::protocol::Time;
use junfeiai::protocol::day_budget::{DAY, DayBudget, DaySum, Reservation};
use junfeiai::protocol::ledger::Ledger;
use junfeiai::store::{MemoryStore, Store, Versioned};
use junfeiai::transport::{Failure, Headers, HttpRequest, HttpResponse, Method, Timer, Transport, TransportError};
use junfeiai::{
    Client, ClientBuilder, Error, ErrorKind, FileJournal, Pending, Result, StoreJournal, Video, VideoRequest,
    WarningCode,
};
use junfeiai_emulator::Emulator;
use proptest::prelude::*;

const KEY: &str = "sk-budget-test";
/// What a second costs in the emulator and in the server below, in units; 0.05 USD.
const SECOND: u64 = 25_000;

fn request(seconds: u32) -> VideoRequest {
    VideoRequest::new("a ball").seconds(seconds)
}

fn is_refused(error: &Error) -> bool {
    let field = error.record().field.as_deref();
    error.kind() == ErrorKind::InvalidRequest && field == Some("budget") && !error.maybe_executed()
}

// ---- against the emulator, with both kinds of journals ----------------------------------------------------------------

fn emulator() -> Emulator {
    Emulator::builder().api_key(KEY).time_scale(600.0).start().unwrap()
}

/// A clock whose wall stands at noon: no test may begin on one day and end on the next.
#[derive(Default)]
struct Noon(TokioTimer);

impl Timer for Noon {
    fn now(&self) -> Time {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }

    fn unix_now(&self) -> Option<u64> {
        Some(20_786 * DAY + DAY / 2)
    }

    fn seed(&self) -> u64 {
        self.0.seed()
    }
}

fn builder(emulator: &Emulator) -> ClientBuilder {
    let builder = Client::builder().api_key(KEY).endpoint(emulator.base_url()).proxy("");
    builder.poll_interval(Duration::from_millis(20)).timer(Arc::new(Noon::default()))
}

fn journals(folder: &Path) -> [Arc<dyn Journal>; 3] {
    [
        Arc::new(FileJournal::open(folder.join("journal")).unwrap()),
        // One that is written anew after every record.
        Arc::new(FileJournal::open(folder.join("compacted")).unwrap().compact_after(0, 1)),
        Arc::new(StoreJournal::new(Arc::new(MemoryStore::new()))),
    ]
}

fn fails_next(emulator: &Emulator, fault: &str) {
    let scenario = format!(r#"{{"rules":[{{"match":{{"op":"create"}},"times":1,"fault":{fault}}}]}}"#);
    emulator.set_scenario_json(&scenario).unwrap();
}

#[tokio::test]
async fn what_would_exceed_the_budget_is_not_sent_and_what_is_given_back_may_be_spent_again() {
    let folder = tempfile::tempdir().unwrap();
    for journal in journals(folder.path()) {
        let emulator = emulator();
        let client = builder(&emulator).journal_with(journal).budget(0.6).build().unwrap();
        let videos = client.videos();
        // Refused by the server: nothing is reserved any more.
        fails_next(&emulator, r#"{"kind":"status","status":400}"#);
        assert_eq!(videos.create(request(12)).await.unwrap_err().kind(), ErrorKind::BadRequest);
        // Failed and refunded.
        emulator.set_scenario_json(r#"{"task":{"outcome":"failure"}}"#).unwrap();
        assert_eq!(videos.generate(request(12)).await.unwrap_err().kind(), ErrorKind::TaskFailed);
        emulator.set_scenario_json("{}").unwrap();
        // One whose charge was seen, and one whose was not.
        videos.generate(request(6)).await.unwrap();
        videos.create(request(4)).await.unwrap();
        let posts = emulator.requests().iter().filter(|request| request.method == "POST").count();
        let error = videos.create(request(3)).await.unwrap_err();
        assert!(is_refused(&error) && error.task_id().is_none(), "{error}");
        let text = error.to_string();
        let amounts =
            ["cost 0.15 USD", "0.3 USD are spent", "0.2 USD reserved", "UTC day 2026-11-29", "budget, 0.6 USD"];
        assert!(amounts.iter().all(|part| text.contains(part)), "{text}");
        let sent = emulator.requests().iter().filter(|request| request.method == "POST").count();
        assert_eq!(sent, posts, "nothing was sent");
        videos.create(request(2)).await.unwrap();
        assert!(is_refused(&videos.create(request(1)).await.unwrap_err()));
    }
}

#[tokio::test]
async fn a_key_that_is_taken_costs_nothing_and_is_never_refused() {
    let folder = tempfile::tempdir().unwrap();
    for journal in journals(folder.path()) {
        let emulator = emulator();
        let videos = builder(&emulator).journal_with(journal).budget(0.6).build().unwrap().videos();
        let task = videos.create(request(6).key("a")).await.unwrap();
        emulator.set_scenario_json(r#"{"task":{"outcome":"failure"}}"#).unwrap();
        let failed = videos.generate(request(6).key("failed")).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::TaskFailed);
        emulator.set_scenario_json("{}").unwrap();
        videos.create(request(6).key("b")).await.unwrap();
        // The budget is used up.
        assert!(is_refused(&videos.create(request(6).key("c")).await.unwrap_err()));
        assert!(is_refused(&videos.create(request(6).key("failed").retry_failed(true)).await.unwrap_err()));
        let again = videos.create(request(6).key("a")).await.unwrap();
        assert_eq!((again.is_reused(), again.id()), (true, task.id()));
        assert_eq!(videos.key("c").await.unwrap(), None, "a refused request leaves no trace of its key");
        let again = videos.create(request(6).key("failed")).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::TaskFailed);
        assert_eq!(emulator.created_tasks(), 3);
    }
}

#[tokio::test]
async fn an_unknown_outcome_keeps_its_reservation_until_it_is_settled() {
    let folder = tempfile::tempdir().unwrap();
    for journal in journals(folder.path()) {
        let emulator = emulator();
        let videos = builder(&emulator).journal_with(journal).budget(0.3).build().unwrap().videos();
        let lost = async |fault| {
            fails_next(&emulator, fault);
            let error = videos.create(request(6)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CreateOutcomeUnknown, "{error}");
            assert!(is_refused(&videos.create(request(1)).await.unwrap_err()));
            let pending = videos.pending().await.unwrap();
            let [Pending::Unknown { intent, .. }] = pending.as_slice() else { panic!("{pending:?}") };
            intent.clone()
        };
        let intent = lost(r#"{"kind":"drop_before_accept"}"#).await;
        assert!(videos.resolve_unknown(&intent, None).await.unwrap());
        let intent = lost(r#"{"kind":"drop_after_accept"}"#).await;
        let id = emulator.task_ids().pop().unwrap();
        assert!(videos.resolve_unknown(&intent, Some(&id)).await.unwrap());
        // There is a task: it is paid for, whether its video is wanted or not.
        assert!(is_refused(&videos.create(request(1)).await.unwrap_err()));
        assert!(videos.forget(&id).await.unwrap());
        assert!(is_refused(&videos.create(request(1)).await.unwrap_err()));
    }
}

#[tokio::test]
async fn of_many_at_once_as_many_are_sent_as_there_is_room_for() {
    let folder = tempfile::tempdir().unwrap();
    for journal in journals(folder.path()) {
        let emulator = emulator();
        let clients: Vec<_> = (0..4)
            .map(|_| builder(&emulator).journal_with(journal.clone()).budget(1.5).build().unwrap().videos())
            .collect();
        let creates = (0..24).map(|number| clients[number % 4].create(request(6)));
        let results = futures_util::future::join_all(creates).await;
        let refused = results.iter().filter_map(|result| result.as_ref().err()).filter(|error| is_refused(error));
        assert_eq!((emulator.created_tasks(), refused.count()), (5, 19));
    }
}

#[tokio::test]
async fn a_price_that_is_not_known_is_a_warning_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (number, journal) in journals(folder.path()).into_iter().enumerate() {
        let emulator = emulator();
        emulator.set_scenario_json(r#"{"api":{"pricing":false,"log":false}}"#).unwrap();
        let client = |strict| {
            let builder = builder(&emulator).journal_with(journal.clone()).budget(0.7);
            builder.max_cost_strict(strict).build().unwrap().videos()
        };
        let error = client(true).create(request(6)).await.unwrap_err();
        assert!(is_refused(&error) && error.to_string().contains("the operator hides them"), "{error}");
        let videos = client(false);
        let first = videos.create(request(6)).await.unwrap();
        let warned = first.warnings().iter().filter(|warning| warning.code == WarningCode::PriceUnknown);
        assert_eq!(warned.count(), 1);
        // From the first charge on, requests count as much: 0.3 + 0.3, and no third one.
        first.wait().await.unwrap();
        videos.create(request(6)).await.unwrap();
        let error = videos.create(request(1)).await.unwrap_err();
        assert!(is_refused(&error) && error.to_string().contains("cost 0.3 USD (estimate: last_charge)"), "{error}");
        assert_eq!(emulator.created_tasks(), 2, "journal {number}");
    }
}

/// A journal that keeps no sums.
struct Plain;
impl Journal for Plain {
    fn append(&self, _: Record) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn entries(&self) -> BoxFuture<'_, Result<Vec<junfeiai::journal::Entry>>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

#[test]
fn what_is_no_budget_is_refused_when_the_client_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let field = |builder: ClientBuilder| {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        error.record().field.clone().unwrap()
    };
    let builder = || Client::builder().api_key(KEY);
    assert_eq!(field(builder().budget(1.0)), "budget");
    for usd in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e10] {
        assert_eq!(field(builder().journal(folder.path().join("j")).budget(usd)), "budget", "{usd}");
    }
    assert_eq!(field(builder().max_cost_strict(true)), "max_cost_strict");
    builder().journal(folder.path().join("j")).budget(1.0).max_cost_strict(true).build().unwrap();
    // A journal that keeps no sums says so when something is to be sent.
    let share = Reservation::new(&DayBudget::new(1.0, false).unwrap(), Some(1));
    let error = finish(Plain.reserve(intent(1, "a", None), false, share)).unwrap_err();
    assert!(is_refused(&error) && error.to_string().contains("Journal::reserve"), "{error}");
}

// ---- processes of the system --------------------------------------------------------------------------------------------

#[tokio::test]
async fn child_that_creates() {
    let Ok(path) = std::env::var("BUDGET_JOURNAL") else { return };
    let client = Client::builder().api_key(KEY).endpoint(std::env::var("BUDGET_URL").unwrap()).proxy("");
    let videos = client.timer(Arc::new(Noon::default())).journal(path).budget(1.5).build().unwrap().videos();
    for _ in 0..8 {
        match videos.create(request(6)).await {
            Ok(_) => {}
            Err(error) => assert!(is_refused(&error), "{error}"),
        }
    }
}

#[tokio::test]
async fn two_processes_with_one_file_spend_one_budget() {
    let emulator = emulator();
    let folder = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..2)
        .map(|_| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command
                .args(["--exact", "child_that_creates", "--nocapture"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command.env("BUDGET_JOURNAL", folder.path().join("journal")).env("BUDGET_URL", emulator.base_url());
            command.spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(emulator.created_tasks(), 5);
}

// ---- a server and a store in virtual time ----------------------------------------------------------------------------------

/// One more turn of the scheduler, so that a process can be killed here.
fn step() -> impl Future<Output = ()> {
    let mut done = false;
    std::future::poll_fn(move |cx| {
        // Whoever drives it in a thread of its own is woken.
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut done, true) { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// Drives what needs no clock to its end.
fn finish<T>(call: impl Future<Output = T>) -> T {
    let mut call = pin!(call);
    loop {
        if let Poll::Ready(done) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
    }
}

/// A store whose answers take time. An operation is carried out when it is called.
#[derive(Default)]
struct Slow(MemoryStore);

/// What is done already and answered later.
fn later<T: Send + 'static>(done: T) -> BoxFuture<'static, T> {
    Box::pin(async move {
        step().await;
        done
    })
}

impl Store for Slow {
    fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
        later(finish(self.0.load(name)))
    }

    fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
        later(finish(self.0.swap(name, expected, value)))
    }

    fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
        later(finish(self.0.scan(prefix)))
    }
}

/// A task of the server.
#[derive(Debug, Clone)]
struct Made {
    prompt: String,
    units: u64,
    fails: bool,
    /// It failed, and its charge was returned.
    refunded: bool,
}

/// What the server has done.
#[derive(Default)]
struct Server {
    tasks: Mutex<BTreeMap<String, Made>>,
    random: Mutex<fastrand::Rng>,
    /// It carries everything out and loses nothing.
    is_perfect: bool,
}

impl Server {
    /// Units charged and not returned.
    fn charged(&self) -> u64 {
        self.tasks.lock().unwrap().values().filter(|task| !task.refunded).map(|task| task.units).sum()
    }

    /// The answer, and whether it arrives.
    fn answer(&self, request: &HttpRequest) -> (u16, String, bool) {
        let url = request.url.to_string();
        if url.ends_with("/api/pricing") {
            let list = r#"{"data":[{"model_name":"grok-image-video","quota_type":1,"model_price":0.05}],"group_ratio":{"default":1}}"#;
            return (200, list.to_owned(), true);
        }
        if url.contains("/api/") {
            return (404, "{}".to_owned(), true);
        }
        let mut tasks = self.tasks.lock().unwrap();
        let mut random = self.random.lock().unwrap();
        if request.method == Method::Get {
            let id = url.rsplit('/').next().unwrap().to_owned();
            let task = tasks.get_mut(&id).unwrap();
            task.refunded = task.fails;
            let status = if task.fails { "FAILURE" } else { "SUCCESS" };
            let units = task.units;
            let data = format!(r#"{{"task_id":"{id}","status":"{status}","quota":{units},"fail_reason":"no"}}"#);
            return (200, format!(r#"{{"code":"success","data":{data}}}"#), true);
        }
        let body: serde_json::Value = serde_json::from_slice(request.body.as_ref().unwrap()).unwrap();
        let luck = if self.is_perfect { 9 } else { random.u8(0..10) };
        match luck {
            // Lost before it was carried out.
            0 => return (0, String::new(), false),
            // Refused.
            1 => return (200, r#"{"code":"invalid_response","message":"no","data":null}"#.to_owned(), true),
            _ => {}
        }
        let id = format!("task_{}", tasks.len());
        let prompt = body["prompt"].as_str().unwrap().to_owned();
        let units = body["seconds"].as_str().unwrap().parse::<u64>().unwrap() * SECOND;
        let fails = !self.is_perfect && random.u8(0..3) == 0;
        tasks.insert(id.clone(), Made { prompt, units, fails, refunded: false });
        (200, format!(r#"{{"id":"{id}","task_id":"{id}","status":"queued"}}"#), luck != 2)
    }
}

struct To(Arc<Server>);

impl Transport for To {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, TransportError>> {
        let server = self.0.clone();
        Box::pin(async move {
            step().await;
            let (status, body, arrives) = server.answer(&request);
            step().await;
            let body = futures_util::stream::iter([Ok(body.into())]);
            let response = HttpResponse { status, headers: Headers::new(), body: Box::pin(body) };
            arrives.then_some(response).ok_or_else(|| TransportError::new(Failure::Lost, "the connection was lost"))
        })
    }
}

/// A journal that all processes share.
#[derive(Clone)]
enum Place {
    File(std::path::PathBuf),
    Store(Arc<Slow>),
}

impl Place {
    fn open(&self) -> Arc<dyn Journal> {
        match self {
            Self::File(path) => Arc::new(FileJournal::open(path).unwrap().compact_after(20, 1 << 20)),
            Self::Store(store) => Arc::new(StoreJournal::new(store.clone())),
        }
    }

    /// What the journal says is used of a day.
    fn used(&self, day: u64) -> Used {
        match self {
            Self::File(_) => {
                let mut used = Used::default();
                let lines = finish(self.open().spending()).unwrap();
                lines.iter().filter(|line| line.day == day).for_each(|line| used.add(line.totals.used()));
                used
            }
            Self::Store(store) => {
                let rows = finish(store.0.scan("b/")).unwrap();
                let row = rows.into_iter().max_by(|one, other| one.0.cmp(&other.0));
                row.map(|(_, row)| DaySum::read(&row.value).unwrap().used()).unwrap_or_default()
            }
        }
    }
}

fn to(server: &Arc<Server>, clock: &Clock, place: &Place, usd: f64) -> Client {
    let builder = Client::builder().api_key(KEY).endpoint("http://127.0.0.1:9").transport(Arc::new(To(server.clone())));
    let builder = builder.timer(Arc::new(clock.clone())).journal_with(place.open()).budget(usd);
    // The prompt tells which task an unknown outcome has.
    builder.poll_interval(Duration::from_millis(200)).journal_prompts(true).build().unwrap()
}

#[test]
fn a_new_utc_day_has_a_new_budget() {
    let folder = tempfile::tempdir().unwrap();
    for place in [Place::File(folder.path().join("j")), Place::Store(Arc::default())] {
        let clock = Clock::default();
        let server = Arc::new(Server { is_perfect: true, ..Server::default() });
        let videos = to(&server, &clock, &place, 0.3).videos();
        let create = |seconds| clock.run(videos.create(request(seconds))).unwrap();
        let rest = |clock: &Clock| DAY - clock.unix_now().unwrap() % DAY;
        let task = create(6).unwrap();
        // The last second of the day.
        clock.advance(Duration::from_secs(rest(&clock) - 1));
        assert!(is_refused(&create(1).unwrap_err()));
        clock.advance(Duration::from_secs(1));
        create(5).unwrap();
        assert!(is_refused(&create(2).unwrap_err()));
        // What yesterday's task cost is yesterday's matter.
        clock.run(task.wait().into_future()).unwrap().unwrap();
        assert!(is_refused(&create(2).unwrap_err()));
        create(1).unwrap();
        for _ in 0..5 {
            clock.advance(Duration::from_secs(rest(&clock)));
            create(6).unwrap();
            assert!(is_refused(&create(1).unwrap_err()));
        }
        if let Place::Store(store) = &place {
            let rows = finish(store.0.scan("b/")).unwrap();
            assert_eq!(rows.len(), 2, "only today's sum and yesterday's are kept: {rows:?}");
        }
    }
}

/// What was spent before the first client had a budget counts.
#[test]
fn a_budget_that_is_set_in_the_middle_of_a_day_counts_what_was_charged_before() {
    let folder = tempfile::tempdir().unwrap();
    for place in [Place::File(folder.path().join("j")), Place::Store(Arc::default())] {
        let clock = Clock::default();
        let server = Arc::new(Server { is_perfect: true, ..Server::default() });
        let before =
            Client::builder().api_key(KEY).endpoint("http://127.0.0.1:9").transport(Arc::new(To(server.clone())));
        let before = before.timer(Arc::new(clock.clone())).journal_with(place.open()).build().unwrap();
        clock.run(before.videos().generate(request(5)).into_future()).unwrap().unwrap();
        let videos = to(&server, &clock, &place, 0.3).videos();
        let error = clock.run(videos.create(request(2))).unwrap().unwrap_err();
        assert!(is_refused(&error) && error.to_string().contains("0.25 USD are spent"), "{error}");
        clock.run(videos.create(request(1))).unwrap().unwrap();
    }
}

type Run = Pin<Box<dyn Future<Output = Result<Video>>>>;

/// Many processes create until the budget is used up; they are killed, cancelled and refused at any moment. Never is more charged
/// than the budget, nor more than the journal knows of.
#[test]
fn no_more_than_the_budget_is_charged_whoever_is_killed() {
    let first = std::env::var("JUNFEIAI_SEED").map_or_else(|_| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap());
    let cases = std::env::var("JUNFEIAI_CASES").map_or(10, |cases| cases.parse::<u64>().unwrap());
    let mut totals = [0_u64; 5];
    for seed in first..first + cases {
        println!("repeat with JUNFEIAI_SEED={seed} JUNFEIAI_CASES=1");
        let folder = tempfile::tempdir().unwrap();
        for place in [Place::File(folder.path().join("j")), Place::Store(Arc::default())] {
            for (total, count) in totals.iter_mut().zip(spend(seed, &place)) {
                *total += count;
            }
        }
    }
    let [runs, kills, dropped, refused, unknown] = totals;
    println!("{runs} runs: {kills} killed, {dropped} cancelled, {refused} refused, {unknown} settled by hand");
    if cases >= 10 {
        assert!(kills > 0 && dropped > 0 && refused > 0 && unknown > 0, "{totals:?}");
    }
}

fn spend(seed: u64, place: &Place) -> [u64; 5] {
    const RUNS: u32 = 40;
    const BUDGET: u64 = 20 * SECOND;
    let mut random = fastrand::Rng::with_seed(seed);
    let clock = Clock::default();
    let day = clock.unix_now().unwrap() / DAY;
    let server = Arc::new(Server { random: Mutex::new(fastrand::Rng::with_seed(seed ^ 1)), ..Server::default() });
    let mut cx = Context::from_waker(Waker::noop());
    let mut running: Vec<Run> = Vec::new();
    let mut last = 0;
    let [mut begun, mut kills, mut dropped, mut refused, mut settled] = [0_u32; 5];
    while begun < RUNS || !running.is_empty() {
        if running.len() < 4 && begun < RUNS {
            begun += 1;
            // Of three runs two have one job with a key; no prompt has more than one task.
            let job = begun / 3;
            let order = if begun.is_multiple_of(3) {
                VideoRequest::new(format!("run {begun}")).seconds(random.u32(1..=9))
            } else {
                VideoRequest::new(format!("job {job}")).seconds(1 + job % 9).key(format!("job/{job}"))
            };
            running.push(Box::pin(to(&server, &clock, place, 1.0).videos().generate(order).into_future()));
        }
        clock.advance(Duration::from_millis(20));
        let at = random.usize(0..running.len());
        match random.u8(0..60) {
            // kill -9: nothing of it runs any more, not even a destructor.
            0 => {
                std::mem::forget(running.swap_remove(at));
                kills += 1;
            }
            1 => {
                drop(running.swap_remove(at));
                dropped += 1;
            }
            _ => {
                if let Poll::Ready(result) = running[at].as_mut().poll(&mut cx) {
                    drop(running.swap_remove(at));
                    if let Err(error) = result {
                        let legal = [
                            ErrorKind::Upstream,
                            ErrorKind::TaskFailed,
                            ErrorKind::CreateOutcomeUnknown,
                            ErrorKind::Timeout,
                        ];
                        assert!(is_refused(&error) || legal.contains(&error.kind()), "{error}");
                        refused += u32::from(is_refused(&error));
                    }
                }
            }
        }
        let charged = server.charged();
        if charged == last {
            continue;
        }
        last = charged;
        assert!(charged <= BUDGET, "{charged} units are charged, the budget is {BUDGET}");
        let used = place.used(day);
        assert!(used.total() >= charged, "{charged} units are charged, the journal knows of {used:?}");
    }
    // Everybody is gone, and somebody looks into the account.
    clock.advance(Duration::from_secs(3600));
    let videos = to(&server, &clock, place, 1.0).videos();
    for pending in clock.run(videos.pending()).unwrap().unwrap() {
        let Pending::Unknown { intent, prompt, .. } = pending else { continue };
        let tasks = server.tasks.lock().unwrap().clone();
        let id = tasks.iter().find(|(_, task)| Some(&task.prompt) == prompt.as_ref()).map(|(id, _)| id.as_str());
        assert!(clock.run(videos.resolve_unknown(&intent, id)).unwrap().unwrap());
        settled += 1;
    }
    // What is left is exact where a file's entries are added up; a store keeps what was reserved by who was killed.
    for pending in clock.run(videos.pending()).unwrap().unwrap() {
        let Pending::Task { task_id, .. } = pending else { panic!("{pending:?}") };
        let ended = clock.run(videos.task(&task_id).unwrap().wait().into_future()).unwrap();
        assert!(ended.is_ok() || ended.unwrap_err().kind() == ErrorKind::TaskFailed);
    }
    let used = place.used(day);
    match place {
        Place::File(_) => assert_eq!(used, Used { spent: server.charged(), reserved: 0 }),
        Place::Store(_) => assert!(used.total() >= server.charged(), "{used:?} {}", server.charged()),
    }
    [begun, kills, dropped, refused, settled].map(u64::from)
}

// ---- the two ways of adding up ---------------------------------------------------------------------------------------------

fn intent(at: u64, name: &str, estimate: Option<u64>) -> Record {
    let order = Order {
        fingerprint: "ab".repeat(32),
        model: "m".into(),
        seconds: None,
        prompt: None,
        until: None,
        process: None,
        key: None,
        account: None,
        estimate,
    };
    Record::new(at, Event::Intent { intent: name.to_owned(), order })
}

#[test]
fn journals_of_former_versions_are_read_and_estimates_outlive_a_compaction() {
    let line = r#"{"v":1,"at":86400,"event":"intent","intent":"1","fingerprint":"ab","model":"m"}"#;
    let mut ledger = Ledger::default();
    ledger.read(format!("{line}\n").as_bytes()).unwrap();
    assert_eq!(ledger.used_on(1), Used::default());
    ledger.apply(intent(86_400, "2", Some(7))).unwrap();
    ledger.apply(intent(86_400, "3", Some(5))).unwrap();
    let created = |name: &str| Event::Created {
        intent: name.into(),
        task_id: format!("task_{name}"),
        model: "m".into(),
        request_id: None,
    };
    // Saved without its charge having been seen: the estimate counts, in the line of the day.
    ledger.apply(Record::new(86_401, created("3"))).unwrap();
    let saved = Event::Saved { task_id: "task_3".into(), path: "/a.mp4".into(), bytes: 1 };
    ledger.apply(Record::new(86_402, saved)).unwrap();
    assert_eq!(ledger.used_on(1), Used { spent: 0, reserved: 12 });
    let text: String = ledger.records().map(|record| record.to_line()).collect();
    let mut again = Ledger::default();
    again.read(text.as_bytes()).unwrap();
    assert_eq!((again.used_on(1), again.used_on(2)), (Used { spent: 0, reserved: 12 }, Used::default()));
    // Lines without estimates are those of former versions.
    let mut plain = Ledger::default();
    plain.read(format!("{line}\n").as_bytes()).unwrap();
    assert_eq!(plain.records().map(|record| record.to_line()).collect::<String>(), format!("{line}\n"));
}

proptest! {
    /// A file adds up its entries, a store keeps a sum beside them: from the same records comes the same sum.
    #[test]
    fn both_kinds_of_journals_come_to_the_same_sum(steps in prop::collection::vec((0u8..8, 0u8..6, 1u64..400), 0..60)) {
        let share = |units| Reservation::new(&DayBudget::new(0.002, false).unwrap(), Some(units));
        let (mut ledger, mut sum) = (Ledger::default(), DaySum::default());
        let mut begun = BTreeMap::new();
        for (at, (kind, name, units)) in steps.into_iter().enumerate() {
            let at = at as u64 + 1;
            let (intent_name, task_id) = (format!("i{name}"), format!("task_{name}"));
            // A task has one charge, which says it does not fail.
            let charged = Some(u64::from(name) * 50);
            let event = match kind {
                0 if begun.contains_key(&name) => continue,
                0 => {
                    let record = intent(at, &intent_name, None);
                    let one = ledger.reserve(&record, false, &share(units)).unwrap();
                    let other = sum.reserve(&intent_name, "m", &share(units));
                    match one {
                        Reserved::Kept { attempt, units } => {
                            prop_assert_eq!((attempt, other), (1, Ok(units)));
                            ledger.apply(record.with_estimate(units)).unwrap();
                            begun.insert(name, units);
                        }
                        Reserved::Exceeded(exceeded) => prop_assert_eq!(other, Err(exceeded)),
                        Reserved::Taken(_) => panic!("there is no key"),
                    }
                    continue;
                }
                1 => Event::Created { intent: intent_name, task_id, model: "m".into(), request_id: None },
                2 => Event::Refused { intent: intent_name, reason: "no".into() },
                3 => Event::Unknown { intent: intent_name, reason: "timeout".into(), request_id: None },
                4 if name % 2 == 0 => Event::Finished { task_id, status: End::Succeeded, charged },
                4 => Event::Finished { task_id, status: End::Failed, charged: None },
                5 => Event::Saved { task_id, path: "/a.mp4".into(), bytes: 1 },
                6 => Event::Forgotten { name: intent_name },
                _ => Event::Forgotten { name: task_id },
            };
            // A task whose intent was never written is not this test's matter.
            if !begun.contains_key(&name) {
                continue;
            }
            if let Event::Created { intent, .. } = &event
                && !ledger.entries().any(|entry| entry.intent == *intent)
            {
                continue;
            }
            let record = Record::new(at, event);
            let change = ledger.day_change(&record);
            ledger.apply(record).unwrap();
            if let Some(change) = change {
                prop_assert_eq!(change.day, 0);
                sum.settle(&change.intent, &change.model, change.settlement);
            }
            prop_assert_eq!(sum.used().total(), ledger.used_on(0).total());
        }
    }
}
