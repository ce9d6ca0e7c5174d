//! Each call once, for both faces.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use junfeiai::{CheckOptions, Client, SaveProgress, Task, Video, VideoRequest, Wait};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::{Map, Value};

use crate::bridge::Output;
use crate::classes::{AsyncVideos, Videos};
use crate::convert::{Arguments, Kind};
use crate::errors::raise;
use crate::face::{Asyncio, Blocking, Callback, Ear, Face, Items};
use crate::interpreter::detach;
use crate::lane::Home;
use crate::paid::Paid;
use crate::values;

type Answer = PyResult<Py<PyAny>>;

fn to_bytes(py: Python<'_>, bytes: &Bytes) -> Py<PyAny> {
    PyBytes::new(py, bytes).into_any().unbind()
}

const CLIENT_OPTIONS: [(&str, Kind); 21] = [
    ("api_key", Kind::Text),
    ("base_url", Kind::Text),
    ("endpoint", Kind::Text),
    ("endpoints", Kind::Texts),
    ("video_base_url", Kind::Text),
    ("trusted_hosts", Kind::Texts),
    ("timeout", Kind::Number),
    ("create_timeout", Kind::Number),
    ("connect_timeout", Kind::Number),
    ("idle_timeout", Kind::Number),
    ("poll_interval", Kind::Number),
    ("wait_timeout", Kind::Number),
    ("max_attempts", Kind::Whole),
    ("request_rate", Kind::Number),
    ("request_burst", Kind::Whole),
    ("max_in_flight_creates", Kind::Whole),
    ("language", Kind::Text),
    ("journal", Kind::Path),
    ("journal_prompts", Kind::YesNo),
    ("proxy", Kind::Text),
    ("ca_file", Kind::Path),
];

/// A client with these options; what is not given comes from the environment.
pub(crate) fn client(py: Python<'_>, mut arguments: Arguments<'_>) -> PyResult<Client> {
    let mut options = arguments.options(&CLIENT_OPTIONS)?;
    arguments.finish()?;
    options.insert("env".to_owned(), true.into());
    options.insert("face".to_owned(), "python".into());
    let builder = junfeiai::ClientBuilder::from_json(Value::Object(options));
    builder.and_then(junfeiai::ClientBuilder::build).map_err(|error| raise(py, &error))
}

pub(crate) fn check<F: Face>(py: Python<'_>, client: &Client, mut arguments: Arguments<'_>) -> Answer {
    let options = CheckOptions::default().account(arguments.take("account")?.unwrap_or(false));
    arguments.finish()?;
    let client = client.clone();
    F::run(py, &Ear::default(), async move { Ok(client.check_with(options).await) }, |py, report| {
        Ok(Py::new(py, values::CheckReport::from(report))?.into_any())
    })
}

pub(crate) fn models<F: Face>(py: Python<'_>, client: &Client) -> Answer {
    let client = client.clone();
    F::run(py, &Ear::default(), async move { client.models().await }, |py, models| {
        Ok(models.into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn balance<F: Face>(py: Python<'_>, client: &Client) -> Answer {
    let client = client.clone();
    F::run(py, &Ear::default(), async move { client.balance().await }, |py, balance| {
        Ok(Py::new(py, values::Balance::from(&balance))?.into_any())
    })
}

pub(crate) fn create<F: Face>(py: Python<'_>, client: &Client, request: VideoRequest) -> Answer {
    let ear = Ear::creating();
    let videos = ear.videos(client);
    F::run(py, &ear, async move { videos.create(request).await }, F::task)
}

/// A call that creates a task and panics, for the tests.
#[pyfunction]
pub(crate) fn _panic(py: Python<'_>, videos: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    fn call<F: Face>(py: Python<'_>, client: &Client) -> Answer {
        let ear = Ear::creating();
        let videos = ear.videos(client);
        let call = async move {
            let task = videos.create("a ball").await?;
            assert!(task.id().is_empty(), "on purpose");
            Ok(task)
        };
        F::run(py, &ear, call, F::task)
    }
    match videos.cast::<Videos>() {
        Ok(videos) => call::<Blocking>(py, &videos.get().client),
        Err(_) => call::<Asyncio>(py, &videos.cast::<AsyncVideos>()?.get().client),
    }
}

pub(crate) fn get<F: Face>(py: Python<'_>, client: &Client, task_id: String) -> Answer {
    let videos = client.videos();
    F::run(py, &Ear::default(), async move { videos.get(&task_id).await }, F::task)
}

pub(crate) fn refresh<F: Face>(py: Python<'_>, task: &Task) -> Answer {
    let task = task.clone();
    F::run(py, &Ear::about(Some(task.id())), async move { task.refresh().await }, F::task)
}

pub(crate) fn generate<F: Face>(
    py: Python<'_>,
    client: &Client,
    request: VideoRequest,
    options: WaitArguments,
) -> Answer {
    let ear = Ear::creating();
    let wait = ear.videos(client).generate(request);
    run_wait::<F>(py, wait, options, ear)
}

pub(crate) fn wait<F: Face>(py: Python<'_>, task: &Task, options: WaitArguments) -> Answer {
    run_wait::<F>(py, task.wait(), options, Ear::about(Some(task.id())))
}

fn run_wait<F: Face>(py: Python<'_>, wait: Wait, options: WaitArguments, ear: Ear) -> Answer {
    let wait = wait.options_json(Value::Object(options.options)).map_err(|error| raise(py, &error))?;
    let ear = ear.with(options.on_progress);
    let speaker = ear.speaker::<F, Task>(|task| {
        let task = task.clone();
        Box::new(move |py| F::task(py, task))
    });
    let wait = match speaker {
        Some(speaker) => wait.on_progress(speaker),
        None => wait,
    };
    F::run(py, &ear, wait.into_future(), F::video)
}

/// The arguments of `wait`, which are also some of those of `generate`.
pub(crate) struct WaitArguments {
    options: Map<String, Value>,
    on_progress: Option<Callback>,
}

impl WaitArguments {
    pub(crate) fn take(arguments: &mut Arguments<'_>) -> PyResult<Self> {
        let options = arguments.options(&[("timeout", Kind::Number)])?;
        Ok(Self { options, on_progress: arguments.take("on_progress")? })
    }
}

pub(crate) fn watch<F: Face>(py: Python<'_>, task: &Task) -> Answer {
    let states: Items =
        Box::pin(task.watch().map(|state| state.map(|task| -> Output { Box::new(move |py| F::task(py, task)) })));
    F::items(py, states, Paid::about(Some(task.id())))
}

const SAVE_OPTIONS: [(&str, Kind); 7] = [
    ("connections", Kind::Whole),
    ("overwrite", Kind::YesNo),
    ("create_parents", Kind::YesNo),
    ("sha256", Kind::YesNo),
    ("verify", Kind::YesNo),
    ("timeout", Kind::Number),
    ("rate_limit", Kind::Number),
];

pub(crate) fn check_save(py: Python<'_>, client: &Client, path: &Path, mut arguments: Arguments<'_>) -> PyResult<()> {
    let options = arguments.options(&SAVE_OPTIONS)?;
    arguments.finish()?;
    let videos = client.videos();
    detach(py, || videos.check_save(path, Value::Object(options))).map_err(|error| raise(py, &error))
}

pub(crate) fn save<F: Face>(py: Python<'_>, video: &Video, path: PathBuf, mut arguments: Arguments<'_>) -> Answer {
    let options = arguments.options(&SAVE_OPTIONS)?;
    let callback = arguments.take("on_progress")?;
    arguments.finish()?;
    let save = video.save(path).options_json(Value::Object(options)).map_err(|error| raise(py, &error))?;
    let ear = Ear::about(video.task_id()).with(callback);
    let speaker = ear.speaker::<F, SaveProgress>(|progress| {
        let progress = values::SaveProgress::from(progress);
        Box::new(move |py| Ok(Py::new(py, progress)?.into_any()))
    });
    let save = match speaker {
        Some(speaker) => save.on_progress(speaker),
        None => save,
    };
    F::run(py, &ear, save.into_future(), |py, summary| Ok(Py::new(py, values::Summary::from(summary))?.into_any()))
}

pub(crate) fn read<F: Face>(py: Python<'_>, video: &Video, max_bytes: Option<usize>) -> Answer {
    let (video, limit) = (video.clone(), max_bytes.unwrap_or(junfeiai::DEFAULT_MAX_BYTES));
    let ear = Ear::about(video.task_id());
    F::run(py, &ear, async move { video.bytes_up_to(limit).await }, |py, bytes| Ok(to_bytes(py, &bytes)))
}

pub(crate) fn read_range<F: Face>(py: Python<'_>, video: &Video, start: u64, end: u64) -> Answer {
    let video = video.clone();
    F::run(py, &Ear::default(), async move { video.read_range(start..end).await }, |py, bytes| Ok(to_bytes(py, &bytes)))
}

pub(crate) fn wait_all<F: Face>(py: Python<'_>, client: &Client, ids: Vec<String>) -> Answer {
    let videos = client.videos();
    F::run(py, &Ear::default(), async move { Ok(videos.wait_all(ids).await) }, |py, ended| {
        let ended: PyResult<Vec<_>> =
            ended.into_iter().map(|(task_id, result)| F::outcome(py, None, Some(task_id), result)).collect();
        Ok(ended?.into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn as_completed<F: Face>(py: Python<'_>, client: &Client, ids: Vec<String>) -> Answer {
    let ended: Items = Box::pin(client.videos().as_completed(ids).map(|(task_id, result)| {
        let output: Output = Box::new(move |py| F::outcome(py, None, Some(task_id), result));
        Ok(output)
    }));
    F::items(py, ended, None)
}

pub(crate) fn generate_many<F: Face>(
    py: Python<'_>,
    client: &Client,
    requests: Vec<VideoRequest>,
    concurrency: i64,
) -> Answer {
    let paid = Paid::creating();
    let videos = client.videos().tracked(&paid.tracker());
    let videos = videos.generate_many(requests, usize::try_from(concurrency).unwrap_or_default());
    let videos = videos.map_err(|error| raise(py, &error))?;
    let ended: Items = Box::pin(videos.map(|(index, result)| {
        let output: Output = Box::new(move |py| F::outcome(py, Some(index), None, result));
        Ok(output)
    }));
    F::items(py, ended, Some(paid))
}

pub(crate) fn open<F: Face>(py: Python<'_>, video: &Video) -> Answer {
    let video = video.clone();
    let home = Home::default();
    let ear = Ear::at(&home);
    F::run(py, &ear, async move { video.open().await }, |py, reader| F::reader(py, reader, home))
}

pub(crate) fn pending<F: Face>(py: Python<'_>, client: &Client) -> Answer {
    let videos = client.videos();
    F::run(py, &Ear::default(), async move { videos.pending().await }, |py, entries| {
        let entries: Vec<_> = entries.into_iter().filter_map(values::Pending::new_from).collect();
        Ok(entries.into_pyobject(py)?.into_any().unbind())
    })
}

pub(crate) fn forget<F: Face>(py: Python<'_>, client: &Client, task_id: String) -> Answer {
    let videos = client.videos();
    F::run(py, &Ear::default(), async move { videos.forget(&task_id).await }, yes_no)
}

pub(crate) fn resolve_unknown<F: Face>(
    py: Python<'_>,
    client: &Client,
    intent: String,
    task_id: Option<String>,
) -> Answer {
    let videos = client.videos();
    F::run(py, &Ear::default(), async move { videos.resolve_unknown(&intent, task_id.as_deref()).await }, yes_no)
}

fn yes_no(py: Python<'_>, yes: bool) -> Answer {
    Ok(yes.into_pyobject(py)?.to_owned().into_any().unbind())
}

pub(crate) fn resume_pending<F: Face>(py: Python<'_>, client: &Client, folder: PathBuf) -> Answer {
    let videos = client.videos();
    let begun = stream::once(async move { videos.resume_pending(folder).await });
    let saves = begun.map_ok(|saves| {
        saves.map(|(task_id, result)| -> junfeiai::Result<Output> {
            Ok(Box::new(move |py| Ok(Py::new(py, values::Saved::new_from(py, task_id, result))?.into_any())))
        })
    });
    F::items(py, Box::pin(saves.try_flatten()), None)
}

pub(crate) fn iter_bytes<F: Face>(py: Python<'_>, video: &Video) -> Answer {
    let pieces: Items = Box::pin(
        video.stream().map(|piece| piece.map(|bytes| -> Output { Box::new(move |py| Ok(to_bytes(py, &bytes))) })),
    );
    F::items(py, pieces, None)
}
