//! Each call once, for both call modes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use junfeiai::{
    AccountAccess, Advance, CheckOptions, Client, Phase, RangeResponse, SaveProgress, Task, Video, VideoReader,
    VideoRequest, Videos, Wait, WaitPolicy, WaitState,
};
use pyo3::prelude::*;
use serde_json::{Map, Value};

use crate::blocking_runtime::PinnedRuntime;
use crate::call_mode::{CallContext, CallMode};
use crate::convert::{AccountNumber, Arguments, Callable, to_bytes};
use crate::deferred::DeferredObject;
use crate::errors::raise;
use crate::interpreter::detach;
use crate::iterators::Items;
use crate::json::json_to_python;
use crate::paid_calls::PaidCall;
use crate::parameter_kind::Kind;
use crate::signatures::{CLIENT_OPTIONS, SAVE_OPTIONS, WAIT_OPTIONS};
use crate::values;

type CallResult = PyResult<Py<PyAny>>;

/// The classes of results that differ between the call modes.
pub(crate) trait ResultClasses: CallMode {
    fn task(py: Python<'_>, task: Task) -> CallResult;
    fn video(py: Python<'_>, video: Video) -> CallResult;
    /// The result of one of several tasks.
    fn outcome(
        py: Python<'_>,
        index: Option<usize>,
        task_id: Option<String>,
        result: junfeiai::Result<Video>,
    ) -> CallResult;
    /// What a step of a durable wait brings.
    fn advanced(py: Python<'_>, step: Advance) -> CallResult;
    /// An open video as a file.
    fn reader(py: Python<'_>, reader: VideoReader, pinned: PinnedRuntime) -> CallResult;
    /// An answer for a player.
    fn range_response(py: Python<'_>, response: RangeResponse, pinned: PinnedRuntime) -> CallResult;
    /// A coroutine that opens something, or what is open already.
    fn opening(py: Python<'_>, opened: Py<PyAny>) -> CallResult;
    /// A stream as an iterator, with what is known of its paid tasks.
    fn iterator(py: Python<'_>, items: Items, paid: Option<Arc<PaidCall>>) -> CallResult;
}

/// A client with these options; options that are not given come from the environment.
pub(crate) fn client(py: Python<'_>, mut arguments: Arguments<'_>) -> PyResult<Client> {
    let mut options = arguments.options(CLIENT_OPTIONS)?;
    options.insert("env".to_owned(), true.into());
    options.insert("sdk_name".to_owned(), "python".into());
    let builder = junfeiai::ClientBuilder::from_json(Value::Object(options));
    builder.and_then(junfeiai::ClientBuilder::build).map_err(|error| raise(py, &error))
}

pub(crate) fn check<M: ResultClasses>(py: Python<'_>, client: &Client, mut arguments: Arguments<'_>) -> CallResult {
    let options = CheckOptions::default().account(arguments.take("account")?.unwrap_or(false));
    let client = client.clone();
    M::run(py, &CallContext::default(), async move { Ok(client.check_with(options).await) }, |py, report| {
        Ok(Py::new(py, values::CheckReport::from(report))?.into_any())
    })
}

pub(crate) fn models<M: ResultClasses>(py: Python<'_>, client: &Client) -> CallResult {
    let client = client.clone();
    M::run(py, &CallContext::default(), async move { client.models().await }, |py, models| {
        Ok(models.into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn balance<M: ResultClasses>(py: Python<'_>, client: &Client) -> CallResult {
    let client = client.clone();
    M::run(py, &CallContext::default(), async move { client.balance().await }, |py, balance| {
        Ok(Py::new(py, values::Balance::from(&balance))?.into_any())
    })
}

/// The options of a single request.
const CALL_OPTIONS: &[(&str, Kind)] = &[("timeout", Kind::Number)];

/// The calls with these options.
fn with_options(py: Python<'_>, videos: Videos, task: Option<&str>, mut arguments: Arguments<'_>) -> PyResult<Videos> {
    let options = Value::Object(arguments.options(CALL_OPTIONS)?);
    let videos = match task {
        Some(task) => videos.options_json(Phase::Query, options).map_err(|error| error.with_task(task)),
        None => videos.options_json(Phase::Create, options),
    };
    videos.map_err(|error| raise(py, &error))
}

pub(crate) fn create<M: ResultClasses>(
    py: Python<'_>,
    client: &Client,
    request: VideoRequest,
    options: Arguments<'_>,
) -> CallResult {
    let context = CallContext::creating();
    let videos = with_options(py, context.videos(client), None, options)?;
    M::run(py, &context, async move { videos.create(request).await }, M::task)
}

pub(crate) fn estimate<M: ResultClasses>(py: Python<'_>, client: &Client, request: VideoRequest) -> CallResult {
    let videos = client.videos();
    M::run(py, &CallContext::default(), async move { videos.estimate(request).await }, |py, estimate| {
        Ok(Py::new(py, values::Estimate::from(estimate))?.into_any())
    })
}

/// A call that creates a task and panics, for the tests.
pub(crate) fn panic<M: ResultClasses>(py: Python<'_>, client: &Client) -> CallResult {
    let context = CallContext::creating();
    let videos = context.videos(client);
    let call = async move {
        let task = videos.create("a ball").await?;
        assert!(task.id().is_empty(), "on purpose");
        Ok(task)
    };
    M::run(py, &context, call, M::task)
}

pub(crate) fn get<M: ResultClasses>(
    py: Python<'_>,
    client: &Client,
    task_id: String,
    options: Arguments<'_>,
) -> CallResult {
    let videos = with_options(py, client.videos(), Some(&task_id), options)?;
    M::run(py, &CallContext::default(), async move { videos.get(&task_id).await }, M::task)
}

pub(crate) fn refresh<M: ResultClasses>(py: Python<'_>, task: &Task, options: Arguments<'_>) -> CallResult {
    let task = task.clone();
    let videos = with_options(py, task.client().videos(), Some(task.id()), options)?;
    M::run(py, &CallContext::about(Some(task.id())), async move { videos.refresh(&task).await }, M::task)
}

pub(crate) fn generate<M: ResultClasses>(
    py: Python<'_>,
    client: &Client,
    request: VideoRequest,
    options: WaitArguments,
) -> CallResult {
    let context = CallContext::creating();
    let wait = context.videos(client).generate(request);
    run_wait::<M>(py, wait, options, context)
}

pub(crate) fn wait<M: ResultClasses>(py: Python<'_>, task: &Task, arguments: Arguments<'_>) -> CallResult {
    let context = CallContext::about(Some(task.id()));
    // The task was paid for: an error about an argument must not hide its id.
    let options = context.noted(py, WaitArguments::take(arguments))?;
    run_wait::<M>(py, task.wait(), options, context)
}

fn run_wait<M: ResultClasses>(py: Python<'_>, wait: Wait, options: WaitArguments, context: CallContext) -> CallResult {
    let wait = wait.options_json(Value::Object(options.options)).map_err(|error| raise(py, &error))?;
    let context = context.on_progress(options.on_progress);
    let sender = context.progress_sender::<M, Task>(|task| {
        let task = task.clone();
        Box::new(move |py| M::task(py, task))
    });
    let wait = match sender {
        Some(sender) => wait.on_progress(sender),
        None => wait,
    };
    M::run(py, &context, wait.into_future(), M::video)
}

/// A durable wait that begins now, as a dict.
pub(crate) fn wait_state(py: Python<'_>, task: &Task, mut arguments: Arguments<'_>) -> CallResult {
    let mut policy: WaitPolicy = task.client().wait_policy().clone();
    let state = policy
        .set_options(Value::Object(arguments.options(WAIT_OPTIONS)?))
        .map_err(|error| error.with_task(task.id()))
        .and_then(|()| task.wait_state_with(policy));
    json_to_python(py, &state.map_err(|error| raise(py, &error))?.to_json())
}

pub(crate) fn advance<M: ResultClasses>(py: Python<'_>, client: &Client, state: Map<String, Value>) -> CallResult {
    let state = WaitState::from_json(Value::Object(state)).map_err(|error| raise(py, &error))?;
    let (videos, context) = (client.videos(), CallContext::about(Some(state.task_id())));
    M::run(py, &context, async move { videos.advance(state).await }, M::advanced)
}

/// The arguments of `wait`, which are also some of those of `generate`.
pub(crate) struct WaitArguments {
    options: Map<String, Value>,
    on_progress: Option<Callable>,
}

impl WaitArguments {
    pub(crate) fn take(mut arguments: Arguments<'_>) -> PyResult<Self> {
        let options = arguments.options(WAIT_OPTIONS)?;
        Ok(Self { options, on_progress: arguments.take("on_progress")? })
    }
}

pub(crate) fn watch<M: ResultClasses>(py: Python<'_>, task: &Task) -> CallResult {
    let states: Items = Box::pin(
        task.watch().map(|state| state.map(|task| -> DeferredObject { Box::new(move |py| M::task(py, task)) })),
    );
    M::iterator(py, states, PaidCall::about(Some(task.id())))
}

pub(crate) fn check_save(py: Python<'_>, client: &Client, path: &Path, mut arguments: Arguments<'_>) -> PyResult<()> {
    let options = arguments.options(SAVE_OPTIONS)?;
    let videos = client.videos();
    detach(py, || videos.check_save(path, Value::Object(options))).map_err(|error| raise(py, &error))
}

pub(crate) fn save<M: ResultClasses>(
    py: Python<'_>,
    video: &Video,
    path: PathBuf,
    mut arguments: Arguments<'_>,
) -> CallResult {
    let context = CallContext::about(video.task_id());
    let options = context.noted(py, arguments.options(SAVE_OPTIONS))?;
    let callback = context.noted(py, arguments.take("on_progress"))?;
    let save = video.save(path).options_json(Value::Object(options)).map_err(|error| raise(py, &error))?;
    let context = context.on_progress(callback);
    let sender = context.progress_sender::<M, SaveProgress>(|progress| {
        let progress = values::SaveProgress::from(progress);
        Box::new(move |py| Ok(Py::new(py, progress)?.into_any()))
    });
    let save = match sender {
        Some(sender) => save.on_progress(sender),
        None => save,
    };
    M::run(py, &context, save.into_future(), |py, summary| Ok(Py::new(py, values::Summary::from(summary))?.into_any()))
}

pub(crate) fn read<M: ResultClasses>(py: Python<'_>, video: &Video, max_bytes: Option<usize>) -> CallResult {
    let (video, limit) = (video.clone(), max_bytes.unwrap_or(junfeiai::DEFAULT_MAX_BYTES));
    let context = CallContext::about(video.task_id());
    M::run(py, &context, async move { video.bytes_up_to(limit).await }, |py, bytes| Ok(to_bytes(py, &bytes)))
}

pub(crate) fn read_range<M: ResultClasses>(py: Python<'_>, video: &Video, start: u64, end: u64) -> CallResult {
    let video = video.clone();
    M::run(py, &CallContext::default(), async move { video.read_range(start..end).await }, |py, bytes| {
        Ok(to_bytes(py, &bytes))
    })
}

pub(crate) fn wait_all<M: ResultClasses>(py: Python<'_>, client: &Client, ids: Vec<String>) -> CallResult {
    let videos = client.videos();
    M::run(py, &CallContext::default(), async move { Ok(videos.wait_all(ids).await) }, |py, ended| {
        let ended: PyResult<Vec<_>> =
            ended.into_iter().map(|(task_id, result)| M::outcome(py, None, Some(task_id), result)).collect();
        Ok(ended?.into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn as_completed<M: ResultClasses>(py: Python<'_>, client: &Client, ids: Vec<String>) -> CallResult {
    let ended: Items = Box::pin(client.videos().as_completed(ids).map(|(task_id, result)| {
        let outcome: DeferredObject = Box::new(move |py| M::outcome(py, None, Some(task_id), result));
        Ok(outcome)
    }));
    M::iterator(py, ended, None)
}

pub(crate) fn generate_many<M: ResultClasses>(
    py: Python<'_>,
    client: &Client,
    requests: Vec<VideoRequest>,
    concurrency: i64,
) -> CallResult {
    let paid = PaidCall::creating();
    let videos = client.videos().tracked(&paid.tracker());
    let videos = videos.generate_many(requests, usize::try_from(concurrency).unwrap_or_default());
    let videos = videos.map_err(|error| raise(py, &error))?;
    let giver = paid.clone();
    let ended: Items = Box::pin(videos.map(move |(index, result)| {
        giver.gives_out(&result);
        let outcome: DeferredObject = Box::new(move |py| M::outcome(py, Some(index), None, result));
        Ok(outcome)
    }));
    M::iterator(py, ended, Some(paid))
}

pub(crate) fn open<M: ResultClasses>(py: Python<'_>, video: &Video) -> CallResult {
    let video = video.clone();
    let pinned = PinnedRuntime::default();
    let context = CallContext::pinned_to(&pinned);
    let opened = M::run(py, &context, async move { video.open().await }, |py, reader| M::reader(py, reader, pinned))?;
    M::opening(py, opened)
}

pub(crate) fn serve<M: ResultClasses>(
    py: Python<'_>,
    video: &Video,
    range_header: Option<String>,
    total: Option<u64>,
) -> CallResult {
    let video = video.clone();
    let pinned = PinnedRuntime::default();
    let context = CallContext::pinned_to(&pinned);
    let call = async move { video.serve(range_header.as_deref(), total).await };
    M::run(py, &context, call, |py, response| M::range_response(py, response, pinned))
}

pub(crate) fn pending<M: ResultClasses>(py: Python<'_>, client: &Client) -> CallResult {
    let videos = client.videos();
    M::run(py, &CallContext::default(), async move { videos.pending().await }, |py, entries| {
        let entries: Vec<_> = entries.into_iter().filter_map(values::Pending::new_from).collect();
        Ok(entries.into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn reconcile<M: ResultClasses>(py: Python<'_>, client: &Client, mut arguments: Arguments<'_>) -> CallResult {
    let videos = client.videos();
    let token = arguments.take::<String>("account_token")?;
    let user = arguments.take::<AccountNumber>("account_user")?.map(|number| number.0);
    let access = AccountAccess::from_options(token.as_deref(), user.as_deref()).map_err(|error| raise(py, &error))?;
    let found = async move {
        match access {
            Some(access) => videos.reconcile_with(&access).await,
            None => videos.reconcile().await,
        }
    };
    M::run(py, &CallContext::default(), found, |py, found| {
        Ok(values::Reconciliation::from(found).into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn key<M: ResultClasses>(py: Python<'_>, client: &Client, key: String) -> CallResult {
    let videos = client.videos();
    M::run(py, &CallContext::default(), async move { videos.key(&key).await }, |py, record| {
        Ok(record.map(values::KeyRecord::from).into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn spending<M: ResultClasses>(py: Python<'_>, client: &Client, since: Option<String>) -> CallResult {
    let videos = client.videos();
    M::run(py, &CallContext::default(), async move { videos.spending(since.as_deref()).await }, |py, lines| {
        let lines: Vec<_> = lines.into_iter().map(values::Spending::from).collect();
        Ok(lines.into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn forget<M: ResultClasses>(py: Python<'_>, client: &Client, task_id: String) -> CallResult {
    let videos = client.videos();
    M::run(py, &CallContext::default(), async move { videos.forget(&task_id).await }, to_bool)
}

pub(crate) fn resolve_unknown<M: ResultClasses>(
    py: Python<'_>,
    client: &Client,
    intent: String,
    task_id: Option<String>,
) -> CallResult {
    let videos = client.videos();
    M::run(
        py,
        &CallContext::default(),
        async move { videos.resolve_unknown(&intent, task_id.as_deref()).await },
        to_bool,
    )
}

fn to_bool(py: Python<'_>, yes: bool) -> CallResult {
    Ok(yes.into_pyobject(py)?.to_owned().into_any().unbind())
}

pub(crate) fn resume_pending<M: ResultClasses>(py: Python<'_>, client: &Client, folder: PathBuf) -> CallResult {
    let videos = client.videos();
    let begun = stream::once(async move { videos.resume_pending(folder).await });
    let saves = begun.map_ok(|saves| {
        saves.map(|(task_id, result)| -> junfeiai::Result<DeferredObject> {
            Ok(Box::new(move |py| Ok(Py::new(py, values::Saved::new_from(py, task_id, result)?)?.into_any())))
        })
    });
    M::iterator(py, Box::pin(saves.try_flatten()), None)
}

pub(crate) fn iter_bytes<M: ResultClasses>(py: Python<'_>, video: &Video) -> CallResult {
    M::iterator(py, pieces(video.stream()), None)
}

/// Bytes as they come, as objects of Python.
pub(crate) fn pieces(bytes: impl Stream<Item = junfeiai::Result<Bytes>> + Send + 'static) -> Items {
    Box::pin(bytes.map(|piece| piece.map(|bytes| -> DeferredObject { Box::new(move |py| Ok(to_bytes(py, &bytes))) })))
}
