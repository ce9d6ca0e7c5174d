//! The Rust library's shim: a scenario's client and steps as one line of JSON on standard input, what came of each step
//! as one line on standard output. It converts and never decides.

use std::io::{BufRead as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use junfeiai::{
    AccountAccess, Advance, CancelToken, CheckOptions, Client, ClientBuilder, CreateTracker, Error, ErrorKind, Pending,
    Phase, ReaderOptions, Result, Snapshot, Task, Video, VideoRequest, Videos, WaitState,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let scenario: Value = serde_json::from_str(&line?)?;
        writeln!(out, "{}", runtime.block_on(Shim::default().run(&scenario)))?;
        out.flush()?;
    }
    Ok(())
}

/// What earlier steps left for later ones.
#[derive(Default)]
struct Shim {
    client: Option<Client>,
    task: Option<Task>,
    video: Option<Video>,
    /// A durable wait, as text.
    kept: String,
}

impl Shim {
    async fn run(mut self, scenario: &Value) -> Value {
        let mut outcomes = Vec::new();
        if let Err(error) = self.open(scenario["client"].clone()) {
            return json!({ "client": { "error": error.to_json() }, "steps": [] });
        }
        for step in scenario["steps"].as_array().into_iter().flatten() {
            let outcome = self.step(step["do"].as_str().unwrap_or_default(), &step["with"]).await;
            outcomes.push(outcome.unwrap_or_else(|error| json!({ "error": error.to_json() })));
        }
        json!({ "client": {}, "steps": outcomes })
    }

    fn open(&mut self, options: Value) -> Result<()> {
        self.client = Some(ClientBuilder::from_json(options)?.build()?);
        Ok(())
    }

    async fn step(&mut self, verb: &str, with: &Value) -> Result<Value> {
        let client = self.client.clone().ok_or_else(|| missing("client"))?;
        let token = CancelToken::new();
        if with["cancel"] == "now" {
            token.cancel();
        }
        match verb {
            "new_client" => self.open(with.clone()).map(|()| json!({})),
            "create" | "get" | "task_by_id" | "refresh" | "wait" | "generate" | "watch" | "wait_state" | "advance" => {
                self.task_step(verb, with, &client.videos(), &token).await
            }
            "as_completed" | "generate_many" | "check" | "models" | "balance" | "estimate" | "key" | "pending"
            | "forget" | "reconcile" | "resolve_unknown" | "resume_pending" => {
                self.client_step(verb, with, &client).await
            }
            _ => self.video_step(verb, with, &client.videos(), &token).await,
        }
    }

    /// A step that is about one task.
    async fn task_step(&mut self, verb: &str, with: &Value, videos: &Videos, token: &CancelToken) -> Result<Value> {
        match verb {
            "create" => {
                let request = VideoRequest::from_json(with["request"].clone())?;
                let tracker = CreateTracker::new();
                let videos = videos.tracked(&tracker);
                let task = token.run_create(&tracker, videos.create(request)).await?;
                Ok(self.seen(task))
            }
            "get" => {
                let task = videos.get(&self.id(with)?).await?;
                Ok(self.seen(task))
            }
            "task_by_id" => {
                let task = videos.task(&self.id(with)?)?;
                Ok(self.seen(task))
            }
            "refresh" => {
                let task = self.task()?.refresh().await?;
                Ok(self.seen(task))
            }
            "wait" | "generate" => {
                let wait = if verb == "wait" {
                    self.task()?.wait()
                } else {
                    videos.generate(VideoRequest::from_json(with["request"].clone())?)
                };
                let states = Arc::new(Mutex::new(Vec::new()));
                let (told, stop, at_once) = (states.clone(), token.clone(), with["cancel"] == "seen");
                let wait = wait.options_json(json!({ "timeout": with["timeout"] }))?.cancel_with(token);
                let wait = wait.on_progress(move |task: &Task| {
                    told.lock().unwrap_or_else(PoisonError::into_inner).push(task.snapshot().raw_status.clone());
                    if at_once {
                        stop.cancel();
                    }
                });
                let video = wait.await?;
                let states = states.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let mut outcome = self.found(video);
                outcome["states"] = states.into();
                Ok(outcome)
            }
            "wait_state" => {
                let task = self.task()?;
                let mut policy = task.client().wait_policy().clone();
                policy.set_options(json!({ "timeout": with["timeout"] }))?;
                let state = task.wait_state_with(policy)?;
                self.kept = state.to_string();
                Ok(json!({ "later": state.to_json() }))
            }
            "advance" => loop {
                let state = match with.get("state") {
                    Some(state) => WaitState::from_json(state.clone())?,
                    None => self.kept.parse()?,
                };
                let id = state.task_id().to_owned();
                match token.run_for(&id, videos.advance(state)).await? {
                    Advance::Done(video) => break Ok(self.found(video)),
                    Advance::Later { state, retry_after } => {
                        self.kept = state.to_string();
                        if with["until_done"] != true {
                            break Ok(json!({ "later": state.to_json(), "pauses": !retry_after.is_zero() }));
                        }
                        tokio::time::sleep(retry_after).await;
                    }
                }
            },
            "watch" => {
                let states: Vec<Result<Task>> = self.task()?.watch().collect().await;
                let states: Result<Vec<String>> =
                    states.into_iter().map(|task| Ok(task?.snapshot().raw_status.clone())).collect();
                Ok(json!({ "states": states? }))
            }
            other => Err(missing(other)),
        }
    }

    /// A step that is about one video.
    async fn video_step(&mut self, verb: &str, with: &Value, videos: &Videos, token: &CancelToken) -> Result<Value> {
        match verb {
            "task_video" => {
                let video = self.task()?.video()?;
                Ok(self.found(video))
            }
            "video_by_id" => {
                let video = videos.video(&self.id(with)?)?;
                Ok(self.found(video))
            }
            "video_at" => {
                let video = videos.video_at(with["url"].as_str().unwrap_or_default())?;
                Ok(self.found(video))
            }
            "bytes" => {
                let video = self.video()?;
                let limit = with["max_bytes"].as_u64().and_then(|limit| usize::try_from(limit).ok());
                let read = video.bytes_up_to(limit.unwrap_or(junfeiai::DEFAULT_MAX_BYTES));
                Ok(bytes(&token.run_for(video.task_id().unwrap_or_default(), read).await?))
            }
            "stream" => {
                let mut stream = self.video()?.stream();
                let mut all = Vec::new();
                while let Some(piece) = stream.next().await {
                    all.extend_from_slice(&piece?);
                }
                Ok(bytes(&all))
            }
            "read_range" => Ok(bytes(&self.video()?.read_range(number(with, "start")..number(with, "end")).await?)),
            "open" => self.open_and_read(with).await,
            "save" => {
                let save = self.video()?.save(with["path"].as_str().unwrap_or_default());
                let options = with.get("options").cloned().unwrap_or_else(|| json!({}));
                Ok(json!({ "summary": save.options_json(options)?.await? }))
            }
            other => Err(missing(other)),
        }
    }

    /// A step about many tasks, the journal or the service.
    async fn client_step(&self, verb: &str, with: &Value, client: &Client) -> Result<Value> {
        let videos = client.videos();
        match verb {
            "as_completed" => {
                let ended: Vec<_> = videos.as_completed(texts(&with["ids"])).collect().await;
                Ok(json!({ "ended": ended.into_iter().map(|(id, end)| one(&json!(id), end)).collect::<Vec<_>>() }))
            }
            "generate_many" => {
                let requests: Result<Vec<_>> = with["requests"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|request| VideoRequest::from_json(request.clone()))
                    .collect();
                let concurrency = usize::try_from(number(with, "concurrency")).unwrap_or(usize::MAX);
                let ended: Vec<_> = videos.generate_many(requests?, concurrency)?.collect().await;
                Ok(json!({ "ended": ended.into_iter().map(|(at, end)| one(&json!(at), end)).collect::<Vec<_>>() }))
            }
            "check" => {
                let options = CheckOptions::default().account(with["account"] == true);
                Ok(json!({ "report": client.check_with(options).await.to_json() }))
            }
            "models" => Ok(json!({ "models": client.models().await? })),
            "balance" => Ok(json!({ "balance": client.balance().await? })),
            "estimate" => {
                let request = VideoRequest::from_json(with["request"].clone())?;
                Ok(json!({ "estimate": videos.estimate(request).await? }))
            }
            "key" => Ok(json!({ "known": videos.key(with["key"].as_str().unwrap_or_default()).await? })),
            "pending" => Ok(json!({ "pending": videos.pending().await? })),
            "forget" => Ok(json!({ "found": videos.forget(&self.id(with)?).await? })),
            "reconcile" => {
                let word = |name: &str| with[name].as_str();
                let access = AccountAccess::from_options(word("account_token"), word("account_user"))?;
                let found = match access {
                    Some(access) => videos.reconcile_with(&access).await?,
                    None => videos.reconcile().await?,
                };
                Ok(json!({ "reconciled": found }))
            }
            "resolve_unknown" => {
                let intent = videos.pending().await?.into_iter().find_map(|pending| match pending {
                    Pending::Unknown { intent, .. } => Some(intent),
                    _ => None,
                });
                let intent = intent.ok_or_else(|| missing("create of unknown outcome"))?;
                Ok(json!({ "found": videos.resolve_unknown(&intent, with["id"].as_str()).await? }))
            }
            "resume_pending" => {
                let mut ended = videos.resume_pending(with["folder"].as_str().unwrap_or_default()).await?;
                let mut saved = Vec::new();
                while let Some((id, result)) = ended.next().await {
                    saved.push(match result {
                        Ok(summary) => json!({ "id": id, "summary": summary }),
                        Err(error) => json!({ "id": id, "error": error.to_json() }),
                    });
                }
                Ok(json!({ "ended": saved }))
            }
            other => Err(missing(other)),
        }
    }

    async fn open_and_read(&self, with: &Value) -> Result<Value> {
        let mut reader = self.video()?.open_with(ReaderOptions::default()).await?;
        let mut reads = Vec::new();
        for part in with["parts"].as_array().into_iter().flatten() {
            reader.seek(std::io::SeekFrom::Start(part[0].as_u64().unwrap_or_default())).await?;
            let mut buffer = vec![0; part[1].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or_default()];
            let mut filled = 0;
            while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
                match reader.read(room).await? {
                    0 => break,
                    length => filled += length,
                }
            }
            buffer.truncate(filled);
            reads.push(bytes(&buffer));
        }
        Ok(json!({ "size": reader.size().await?, "reads": reads }))
    }

    fn seen(&mut self, task: Task) -> Value {
        let outcome = json!({ "task": snapshot(task.snapshot()), "warnings": task.warnings() });
        self.task = Some(task);
        outcome
    }

    fn found(&mut self, video: Video) -> Value {
        let outcome = json!({ "video": found(&video) });
        self.video = Some(video);
        outcome
    }

    /// The id that the step names, or that of the last task.
    fn id(&self, with: &Value) -> Result<String> {
        match with["id"].as_str() {
            Some(id) => Ok(id.to_owned()),
            None => Ok(self.task()?.id().to_owned()),
        }
    }

    fn task(&self) -> Result<&Task> {
        self.task.as_ref().ok_or_else(|| missing("task"))
    }

    fn video(&self) -> Result<&Video> {
        self.video.as_ref().ok_or_else(|| missing("video"))
    }
}

/// A mistake in the scenario, not an outcome.
fn missing(what: &str) -> Error {
    Error::new(ErrorKind::Internal, Phase::Config, format!("the shim has no {what}"))
}

fn number(with: &Value, name: &str) -> u64 {
    with[name].as_u64().unwrap_or_default()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn snapshot(snapshot: &Snapshot) -> Value {
    serde_json::to_value(snapshot).unwrap_or_default()
}

fn found(video: &Video) -> Value {
    json!({ "task_id": video.task_id(), "url": video.url() })
}

fn one(key: &Value, end: Result<Video>) -> Value {
    match end {
        Ok(video) => json!({ "key": key, "video": found(&video) }),
        Err(error) => json!({ "key": key, "error": error.to_json() }),
    }
}

fn bytes(bytes: &[u8]) -> Value {
    let digest = Sha256::digest(bytes);
    let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    json!({ "bytes": { "length": bytes.len(), "sha256": hex } })
}
