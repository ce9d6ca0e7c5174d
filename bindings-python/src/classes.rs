//! The classes that Python sees: signatures and documentation, the same for both faces. What they do is in `calls`.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::calls::{self, WaitArguments};
use crate::convert::{Arguments, argument, orders, request, texts};
use crate::errors::raise;
use crate::face::{Asyncio, Blocking};
use crate::interpreter::short;
use crate::lane;
use crate::values::{TaskWarning, quoted};

fn shown(py: Python<'_>, text: Option<&str>) -> PyResult<String> {
    text.map_or_else(|| Ok("None".to_owned()), |text| quoted(py, text))
}

/// How a task or a video comes back from a pickle: by its id and the entry, with the key of the place where it is loaded.
fn restored<'py>(py: Python<'py>, class: &str, arguments: (&str, &str)) -> PyResult<(Bound<'py, PyAny>, Py<PyTuple>)> {
    let restore = short(py, || py.import(intern!(py, "junfeiai._restore")))?.getattr(class)?;
    Ok((restore, arguments.into_pyobject(py)?.unbind()))
}

macro_rules! classes {
    (
        $Face:ty;
        $(#[$client_doc:meta])* $Client:ident { $($client_own:tt)* }
        $(#[$videos_doc:meta])* $Videos:ident
        $(#[$task_doc:meta])* $Task:ident
        $(#[$video_doc:meta])* $Video:ident
        $(#[$outcome_doc:meta])* $Outcome:ident
        $restore:literal
    ) => {
        $(#[$client_doc])*
        #[pyclass(frozen, weakref, module = "junfeiai")]
        pub(crate) struct $Client {
            client: Mutex<Option<junfeiai::Client>>,
            endpoint: String,
        }

        impl $Client {
            fn open(&self) -> PyResult<junfeiai::Client> {
                let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
                client.ok_or_else(|| PyRuntimeError::new_err("the client is closed"))
            }

            fn shut(&self) {
                let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
                if client.is_some() {
                    drop(client);
                    lane::let_go();
                }
            }
        }

        impl Drop for $Client {
            fn drop(&mut self) {
                self.shut();
            }
        }

        #[pymethods]
        impl $Client {
            #[new]
            #[pyo3(signature = (**options), text_signature = "(*, api_key=None, base_url=None, endpoint=None, endpoints=None, \
                video_base_url=None, trusted_hosts=None, timeout=None, create_timeout=None, connect_timeout=None, \
                idle_timeout=None, poll_interval=None, wait_timeout=None, max_attempts=None, request_rate=None, \
                request_burst=None, max_in_flight_creates=None, language=None, journal=None, journal_prompts=False, \
                proxy=None, ca_file=None)")]
            fn new(py: Python<'_>, options: Option<Bound<'_, PyDict>>) -> PyResult<Self> {
                let client = calls::client(py, Arguments::new(stringify!($Client), options))?;
                Ok(Self { endpoint: client.endpoint().to_string(), client: Mutex::new(Some(client)) })
            }

            /// Everything about videos.
            #[getter]
            fn videos(&self) -> PyResult<$Videos> {
                Ok($Videos { client: self.open()? })
            }

            /// The base URL that is asked first.
            #[getter]
            fn base_url(&self) -> &str {
                &self.endpoint
            }

            /// True after ``close``.
            #[getter]
            fn closed(&self) -> bool {
                self.client.lock().unwrap_or_else(PoisonError::into_inner).is_none()
            }

            /// Looks at every entry, the key, the clock, the proxy and the video host, and says what to do where
            /// something is wrong. Costs nothing and creates nothing. ``account`` asks for the models and the balance, too.
            #[pyo3(signature = (**options), text_signature = "($self, *, account=False)")]
            fn check(&self, py: Python<'_>, options: Option<Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
                calls::check::<$Face>(py, &self.open()?, Arguments::new("check", options))
            }

            /// The models that this key may use. Beyond the service document: raises ``NotOfferedError`` where the server
            /// does not tell.
            fn models(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::models::<$Face>(py, &self.open()?)
            }

            /// What is left on this key. Beyond the service document: raises ``NotOfferedError`` where the server does not
            /// tell; 20 calls in 20 minutes where it does.
            fn balance(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::balance::<$Face>(py, &self.open()?)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                Ok(format!("{}(base_url={})", stringify!($Client), quoted(py, &self.endpoint)?))
            }

            $($client_own)*
        }

        $(#[$videos_doc])*
        #[pyclass(frozen, module = "junfeiai")]
        pub(crate) struct $Videos {
            pub(crate) client: junfeiai::Client,
        }

        #[pymethods]
        impl $Videos {
            /// Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it
            /// provably was not accepted.
            ///
            /// ``image`` and each of ``images`` is a URL, a ``pathlib.Path`` or the bytes of a PNG, JPEG or WebP.
            /// ``extra`` holds further JSON fields for the model. ``validate`` is ``"strict"`` (advice counts as an
            /// error), ``"default"`` or ``"off"``.
            ///
            /// Raises ``InvalidRequestError`` before anything is sent, ``CreateOutcomeUnknownError`` when the answer
            /// is lost, and what the server refuses.
            #[pyo3(signature = (prompt = None, **options), text_signature = "($self, prompt='', *, model=None, \
                seconds=None, size=None, image=None, images=None, duration=None, extra=None, validate=None)")]
            fn create(
                &self,
                py: Python<'_>,
                prompt: Option<Bound<'_, PyAny>>,
                options: Option<Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let mut arguments = Arguments::with(py, "create", options, "prompt", prompt)?;
                let request = request(py, &mut arguments)?;
                arguments.finish()?;
                calls::create::<$Face>(py, &self.client, request)
            }

            /// ``create`` and ``wait`` in one: the video of a new task. **This costs money.**
            ///
            /// ``on_progress`` is called with the new task first, and then with every state that a poll shows.
            #[pyo3(signature = (prompt = None, **options), text_signature = "($self, prompt='', *, model=None, \
                seconds=None, size=None, image=None, images=None, duration=None, extra=None, validate=None, \
                timeout=None, on_progress=None)")]
            fn generate(
                &self,
                py: Python<'_>,
                prompt: Option<Bound<'_, PyAny>>,
                options: Option<Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let mut arguments = Arguments::with(py, "generate", options, "prompt", prompt)?;
                let request = request(py, &mut arguments)?;
                let wait = WaitArguments::take(&mut arguments)?;
                arguments.finish()?;
                calls::generate::<$Face>(py, &self.client, request, wait)
            }

            /// Asks for a task's state.
            fn get(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::get::<$Face>(py, &self.client, argument(&task_id, "task_id")?)
            }

            /// A task by its id, without asking for it: to wait for it again in a later process, for example.
            fn task(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<$Task> {
                let task_id: String = argument(&task_id, "task_id")?;
                self.client.videos().task(&task_id).map($Task::from).map_err(|error| raise(py, &error))
            }

            /// The video of a task that is done, without asking for it.
            fn video(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<$Video> {
                let task_id: String = argument(&task_id, "task_id")?;
                self.client.videos().video(&task_id).map($Video::from).map_err(|error| raise(py, &error))
            }

            /// A video by its address. The key goes along only when the host is on the list.
            fn video_at(&self, py: Python<'_>, url: Bound<'_, PyAny>) -> PyResult<$Video> {
                let url: String = argument(&url, "url")?;
                self.client.videos().video_at(&url).map($Video::from).map_err(|error| raise(py, &error))
            }

            /// Refuses what ``save`` with these arguments would refuse before it reads anything: options, a file that exists,
            /// a folder that cannot be written, a full disk. Call it before a create that you pay for. Asks nothing of the
            /// server and leaves nothing behind.
            #[pyo3(signature = (path, **options), text_signature = "($self, path, *, connections=1, overwrite=False, \
                create_parents=False, sha256=False, verify=True, timeout=None, rate_limit=None)")]
            fn check_save(
                &self,
                py: Python<'_>,
                path: Bound<'_, PyAny>,
                options: Option<Bound<'_, PyDict>>,
            ) -> PyResult<()> {
                let path: std::path::PathBuf = argument(&path, "path")?;
                calls::check_save(py, &self.client, &path, Arguments::new("check_save", options))
            }

            /// Part of a task's video, see ``read_range`` of the video.
            fn read_range(
                &self,
                py: Python<'_>,
                task_id: Bound<'_, PyAny>,
                start: Bound<'_, PyAny>,
                end: Bound<'_, PyAny>,
            ) -> PyResult<Py<PyAny>> {
                self.video(py, task_id)?.read_range(py, start, end)
            }

            /// A task's video piece by piece, see ``iter_bytes`` of the video.
            fn iter_bytes(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                self.video(py, task_id)?.iter_bytes(py)
            }

            /// Waits for all these tasks; gives an outcome for each, in their order. One failure does not end the other waits.
            fn wait_all(&self, py: Python<'_>, task_ids: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::wait_all::<$Face>(py, &self.client, texts(&task_ids, "task_ids")?)
            }

            /// The outcomes of these tasks as they end. The others are asked for while the next one is waited for.
            fn as_completed(&self, py: Python<'_>, task_ids: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::as_completed::<$Face>(py, &self.client, texts(&task_ids, "task_ids")?)
            }

            /// Creates a task for each request, a prompt or a mapping with the arguments of ``create``, and waits for its
            /// video, with at most ``concurrency`` tasks alive. **This costs money.** Gives the outcomes as they end. All
            /// requests are read before the first is sent; one failure does not stop the rest. Leave the loop to stop.
            #[pyo3(signature = (requests, **options), text_signature = "($self, requests, *, concurrency=4)")]
            fn generate_many(
                &self,
                py: Python<'_>,
                requests: Bound<'_, PyAny>,
                options: Option<Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let mut arguments = Arguments::new("generate_many", options);
                let concurrency = arguments.whole("concurrency")?.unwrap_or(4);
                arguments.finish()?;
                calls::generate_many::<$Face>(py, &self.client, orders(&requests, "requests")?, concurrency)
            }

            /// SHA-256 of a request as ``create`` would send it: what the journal knows it by, see ``Pending``. Checks
            /// the request as ``create`` does and sends nothing.
            #[pyo3(signature = (prompt = None, **options), text_signature = "($self, prompt='', *, model=None, \
                seconds=None, size=None, image=None, images=None, duration=None, extra=None, validate=None)")]
            fn fingerprint(
                &self,
                py: Python<'_>,
                prompt: Option<Bound<'_, PyAny>>,
                options: Option<Bound<'_, PyDict>>,
            ) -> PyResult<String> {
                let mut arguments = Arguments::with(py, "fingerprint", options, "prompt", prompt)?;
                let request = request(py, &mut arguments)?;
                arguments.finish()?;
                request.prepare().map(|prepared| prepared.fingerprint()).map_err(|error| raise(py, &error))
            }

            /// What is left to be done of everything that the client's ``journal`` knows. Asks nothing of the server.
            fn pending(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::pending::<$Face>(py, &self.client)
            }

            /// Takes a task off the journal's list: its video is not wanted, or was taken in another way. False when it
            /// is not on the list.
            fn forget(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::forget::<$Face>(py, &self.client, argument(&task_id, "task_id")?)
            }

            /// Ends a create whose outcome was unknown, after you looked into the account: with the id of the task that
            /// you found there, or without when it made none. False when there is no such create.
            #[pyo3(signature = (intent, task_id = None))]
            fn resolve_unknown(
                &self,
                py: Python<'_>,
                intent: Bound<'_, PyAny>,
                task_id: Option<Bound<'_, PyAny>>,
            ) -> PyResult<Py<PyAny>> {
                let task_id = task_id.map(|task_id| argument(&task_id, "task_id")).transpose()?;
                calls::resolve_unknown::<$Face>(py, &self.client, argument(&intent, "intent")?, task_id)
            }

            /// Waits for all pending tasks of the journal and saves them as ``FOLDER/<task id>.mp4``; gives a ``Saved``
            /// for each when it is done. It can itself be killed and called again.
            fn resume_pending(&self, py: Python<'_>, folder: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::resume_pending::<$Face>(py, &self.client, argument(&folder, "folder")?)
            }

            /// The same as the client's ``check``.
            #[pyo3(signature = (**options), text_signature = "($self, *, account=False)")]
            fn check(&self, py: Python<'_>, options: Option<Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
                calls::check::<$Face>(py, &self.client, Arguments::new("check", options))
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let endpoint = self.client.endpoint().to_string();
                Ok(format!("{}(base_url={})", stringify!($Videos), quoted(py, &endpoint)?))
            }
        }

        $(#[$task_doc])*
        #[pyclass(frozen, weakref, module = "junfeiai")]
        pub(crate) struct $Task {
            task: junfeiai::Task,
        }

        impl From<junfeiai::Task> for $Task {
            fn from(task: junfeiai::Task) -> Self {
                Self { task }
            }
        }

        #[pymethods]
        impl $Task {
            /// The task's id: what to keep to come back to it.
            #[getter]
            fn id(&self) -> &str {
                self.task.id()
            }

            /// The last seen state: ``queued``, ``in_progress``, ``succeeded``, ``failed``, or ``unknown`` for a task
            /// that was not asked for yet.
            #[getter]
            fn status(&self) -> &'static str {
                self.task.status().name()
            }

            /// True for ``succeeded`` and ``failed``: nothing comes after them.
            #[getter]
            fn done(&self) -> bool {
                self.task.status().is_terminal()
            }

            /// The server's own word for the state.
            #[getter]
            fn raw_status(&self) -> &str {
                &self.task.snapshot().raw_status
            }

            /// 0–100, where the server says it. May stand still or go back.
            #[getter]
            fn progress(&self) -> Option<f64> {
                self.task.progress()
            }

            /// The seconds of video that the server billed, where it says so.
            #[getter]
            fn billed_seconds(&self) -> Option<f64> {
                self.task.billed_seconds()
            }

            /// Where the MP4 is, once it succeeded. Reading it needs the key, unless the link is signed.
            #[getter]
            fn video_url(&self) -> Option<&str> {
                self.task.snapshot().video_url.as_deref()
            }

            /// Why it failed.
            #[getter]
            fn fail_reason(&self) -> Option<&str> {
                self.task.snapshot().fail_reason.as_deref()
            }

            /// The model as the server names it; may differ from the one asked for.
            #[getter]
            fn model(&self) -> Option<&str> {
                self.task.snapshot().model.as_deref()
            }

            /// Unix seconds, where the server says it.
            #[getter]
            fn created_at(&self) -> Option<u64> {
                self.task.snapshot().created_at
            }

            /// Unix seconds, where the server says it.
            #[getter]
            fn started_at(&self) -> Option<u64> {
                self.task.snapshot().started_at
            }

            /// Unix seconds, where the server says it.
            #[getter]
            fn finished_at(&self) -> Option<u64> {
                self.task.snapshot().finished_at
            }

            /// Advice that the request does not follow, and a bill that differs from what was asked.
            #[getter]
            fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                PyTuple::new(py, self.task.warnings().iter().map(TaskWarning::from).collect::<Vec<_>>())
            }

            /// The server's last answer, whole, as JSON text; empty for a task that was not asked for yet.
            #[getter]
            fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
                PyString::new(py, &self.task.snapshot().raw)
            }

            /// Asks for the state anew: a new object, this one stays as it is.
            fn refresh(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::refresh::<$Face>(py, &self.task)
            }

            /// Waits for the end of the task and gives its video. ``timeout`` in seconds is the client's
            /// ``wait_timeout`` (30 minutes) unless it is given; ``math.inf`` waits as long as it takes.
            ///
            /// Raises ``TaskFailedError``, ``WaitTimeoutError``, or what kept us from asking too often in a row.
            /// However it ends, the task goes on: call ``wait`` again.
            #[pyo3(signature = (**options), text_signature = "($self, *, timeout=None, on_progress=None)")]
            fn wait(&self, py: Python<'_>, options: Option<Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
                let mut arguments = Arguments::new("wait", options);
                let wait = WaitArguments::take(&mut arguments)?;
                arguments.finish()?;
                calls::wait::<$Face>(py, &self.task, wait)
            }

            /// The states as they come, one for each poll. It ends after the last state, or raises what ``wait`` would.
            fn watch(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::watch::<$Face>(py, &self.task)
            }

            /// The video, when the last seen state says that there is one; otherwise raises ``NotReadyError`` or
            /// ``TaskFailedError``.
            fn video(&self, py: Python<'_>) -> PyResult<$Video> {
                self.task.video().map($Video::from).map_err(|error| raise(py, &error))
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let progress = self.task.progress().map_or_else(|| "None".to_owned(), |progress| progress.to_string());
                let (id, status) = (quoted(py, self.task.id())?, quoted(py, self.task.status().name())?);
                Ok(format!("{}(id={id}, status={status}, progress={progress})", stringify!($Task)))
            }

            fn __eq__(&self, other: &Self) -> bool {
                self.task.id() == other.task.id()
            }

            fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
                PyString::new(py, self.task.id()).hash()
            }

            fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Py<PyTuple>)> {
                let endpoint = self.task.client().endpoint().to_string();
                restored(py, concat!($restore, "task"), (&endpoint, self.task.id()))
            }
        }

        $(#[$video_doc])*
        #[pyclass(frozen, weakref, module = "junfeiai")]
        pub(crate) struct $Video {
            video: junfeiai::Video,
        }

        impl From<junfeiai::Video> for $Video {
            fn from(video: junfeiai::Video) -> Self {
                Self { video }
            }
        }

        #[pymethods]
        impl $Video {
            /// The task that made it, when it is known.
            #[getter]
            fn task_id(&self) -> Option<&str> {
                self.video.task_id()
            }

            /// Its address, when it is known. Reading it needs the key, unless the link is signed.
            #[getter]
            fn url(&self) -> Option<&str> {
                self.video.url()
            }

            /// A file name made from the task id that every system takes, such as ``task_abc.mp4``.
            #[getter]
            fn file_name(&self) -> String {
                self.video.file_name()
            }

            /// Saves the video. The bytes go to ``PATH.part`` and get the final name only when the file is whole,
            /// checked and on the disk. A save that ended early is gone on with by the next.
            ///
            /// ``connections`` is 1–16; more than one is worth it where each connection is slow. ``overwrite`` replaces
            /// a file of that name, ``create_parents`` makes missing folders, ``sha256`` computes the hash, ``verify``
            /// checks the MP4 structure, ``timeout`` is in seconds, ``rate_limit`` in bytes per second.
            /// ``on_progress`` is called with a ``SaveProgress`` at most every 100 ms, and once at the end.
            #[pyo3(signature = (path, **options), text_signature = "($self, path, *, connections=1, overwrite=False, \
                create_parents=False, sha256=False, verify=True, timeout=None, rate_limit=None, on_progress=None)")]
            fn save(
                &self,
                py: Python<'_>,
                path: Bound<'_, PyAny>,
                options: Option<Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let path = argument(&path, "path")?;
                calls::save::<$Face>(py, &self.video, path, Arguments::new("save", options))
            }

            /// The whole video in memory, length and MP4 structure checked. Refuses more than ``max_bytes`` (1 GiB).
            #[pyo3(signature = (**options), text_signature = "($self, *, max_bytes=None)")]
            fn read(&self, py: Python<'_>, options: Option<Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
                let mut arguments = Arguments::new("read", options);
                let max_bytes = arguments.whole("max_bytes")?;
                arguments.finish()?;
                calls::read::<$Face>(py, &self.video, max_bytes)
            }

            /// Bytes from ``start`` up to, without, ``end``; fewer when the file ends before.
            fn read_range(
                &self,
                py: Python<'_>,
                start: Bound<'_, PyAny>,
                end: Bound<'_, PyAny>,
            ) -> PyResult<Py<PyAny>> {
                let (start, end) = (argument(&start, "start")?, argument(&end, "end")?);
                calls::read_range::<$Face>(py, &self.video, start, end)
            }

            /// Opens the video for reading here and there, without a file. Seeking costs no request; a read costs one
            /// when the bytes are neither cached nor near.
            fn open(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::open::<$Face>(py, &self.video)
            }

            /// The bytes as they come, in order; goes on by itself when a connection breaks. Its length is checked; its
            /// structure cannot be, since nothing is kept.
            fn iter_bytes(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::iter_bytes::<$Face>(py, &self.video)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                // The query of a result link may be a signature that opens it without a key.
                let url = self.video.url().map(|url| url.split('?').next().unwrap_or_default());
                let (id, url) = (shown(py, self.video.task_id())?, shown(py, url)?);
                Ok(format!("{}(task_id={id}, url={url})", stringify!($Video)))
            }

            fn __eq__(&self, other: &Self) -> bool {
                match (self.video.task_id(), other.video.task_id()) {
                    (None, None) => self.video.url() == other.video.url(),
                    (one, other) => one == other,
                }
            }

            fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
                PyString::new(py, self.video.task_id().or(self.video.url()).unwrap_or_default()).hash()
            }

            fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Py<PyTuple>)> {
                let endpoint = self.video.client().endpoint().to_string();
                match self.video.task_id() {
                    Some(id) => restored(py, concat!($restore, "video"), (&endpoint, id)),
                    None => {
                        let url = self.video.url().unwrap_or_default();
                        restored(py, concat!($restore, "video_at"), (&endpoint, url))
                    }
                }
            }
        }

        $(#[$outcome_doc])*
        #[pyclass(frozen, module = "junfeiai")]
        pub(crate) struct $Outcome {
            index: Option<usize>,
            task_id: Option<String>,
            result: Result<Py<$Video>, Py<PyAny>>,
        }

        impl $Outcome {
            pub(crate) fn new(
                py: Python<'_>,
                index: Option<usize>,
                task_id: Option<String>,
                result: junfeiai::Result<junfeiai::Video>,
            ) -> PyResult<Self> {
                let known = match &result {
                    Ok(video) => video.task_id(),
                    Err(error) => error.task_id(),
                };
                let task_id = task_id.or_else(|| known.map(str::to_owned));
                let result = match result {
                    Ok(video) => Ok(Py::new(py, $Video::from(video))?),
                    Err(error) => Err(raise(py, &error).into_value(py).into_any()),
                };
                Ok(Self { index, task_id, result })
            }
        }

        #[pymethods]
        impl $Outcome {
            /// Which request it was, counted from 0; ``None`` where tasks were waited for.
            #[getter]
            fn index(&self) -> Option<usize> {
                self.index
            }

            /// The task, when there is one.
            #[getter]
            fn task_id(&self) -> Option<&str> {
                self.task_id.as_deref()
            }

            /// The video; ``None`` when there is none.
            #[getter]
            fn video(&self, py: Python<'_>) -> Option<Py<$Video>> {
                self.result.as_ref().ok().map(|video| video.clone_ref(py))
            }

            /// Why there is no video; ``None`` when there is one.
            #[getter]
            fn error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
                self.result.as_ref().err().map(|error| error.clone_ref(py))
            }

            /// The video, or raises why there is none.
            fn result(&self, py: Python<'_>) -> PyResult<Py<$Video>> {
                match &self.result {
                    Ok(video) => Ok(video.clone_ref(py)),
                    Err(error) => Err(PyErr::from_value(error.bind(py).clone())),
                }
            }

            fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
                let what = if this.get().result.is_ok() { "video" } else { "error" };
                let index = this.getattr("index")?.repr()?;
                Ok(format!("{}(index={index}, {what}={})", stringify!($Outcome), this.getattr(what)?.repr()?))
            }
        }
    };
}

classes! {
    Blocking;
    /// A client whose calls block. One for a program is enough: threads may share it, and so may the children of
    /// ``os.fork()``.
    ///
    /// What is not given comes from ``JUNFEIAI_API_KEY``, ``JUNFEIAI_BASE_URL`` and ``JUNFEIAI_VIDEO_BASE_URL``.
    /// ``endpoint`` is ``"standard"`` (the default), ``"china"``, a base URL or a short host alias; ``base_url`` is another
    /// name for it. Durations are in seconds.
    ///
    /// >>> from junfeiai import Client
    /// >>> with Client() as client:
    /// ...     task = client.videos.create("A small red ball bouncing once", seconds=6, size="1280x720")
    /// ...     video = task.wait(on_progress=lambda task: None)
    /// ...     summary = video.save("ball.mp4")
    /// >>> summary.width, summary.height
    /// (1280, 720)
    Client {
        /// Closes the client. Tasks and videos that came from it go on working; idle connections are closed with the
        /// last of them.
        fn close(&self) {
            self.shut();
        }

        fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
            this
        }

        #[pyo3(signature = (*exception))]
        fn __exit__(&self, exception: &Bound<'_, PyTuple>) {
            let _ = exception;
            self.shut();
        }
    }
    /// Everything about videos: create, look up, read. ``client.videos`` gives it.
    ///
    /// >>> task = client.videos.create("A small red ball bouncing once", seconds=6)
    /// >>> client.videos.get(task.id).id == task.id
    /// True
    Videos
    /// A task as it was last seen: paid for, and to be waited for. Two are equal when their ids are.
    ///
    /// >>> task = client.videos.create("A small red ball bouncing once", seconds=6)
    /// >>> again = client.videos.task(task.id)  # in a later process, for example
    /// >>> video = again.wait(timeout=60)
    /// >>> again.refresh().status
    /// 'succeeded'
    Task
    /// A video of the service. Result links live about a day: save it soon.
    ///
    /// >>> video = client.videos.generate("A small red ball bouncing once", seconds=6)
    /// >>> video.read_range(4, 8)
    /// b'ftyp'
    /// >>> len(video.read()) == video.save("ball.mp4").bytes
    /// True
    Video
    /// The end of one of several tasks: a video, or why there is none.
    ///
    /// >>> requests = ['A red ball', {'prompt': 'A blue ball', 'seconds': 6}]
    /// >>> outcomes = list(client.videos.generate_many(requests, concurrency=8))
    /// >>> sorted(outcome.index for outcome in outcomes)
    /// [0, 1]
    /// >>> ids = [outcome.task_id for outcome in outcomes]
    /// >>> [outcome.result().read_range(4, 8) for outcome in client.videos.as_completed(ids)]
    /// [b'ftyp', b'ftyp']
    Outcome
    ""
}

classes! {
    Asyncio;
    /// A client for asyncio: the same names as ``Client``, with ``await``, ``async for`` and ``async with``.
    ///
    /// Several event loops may share one. Cancelling the asyncio task ends the work, never the paid task.
    ///
    /// >>> import asyncio
    /// >>> from junfeiai import AsyncClient
    /// >>> async def main():
    /// ...     async with AsyncClient() as client:
    /// ...         task = await client.videos.create("A small red ball bouncing once", seconds=6, size="1280x720")
    /// ...         video = await task.wait(timeout=60)
    /// ...         return await video.save("ball.mp4")
    /// >>> asyncio.run(main()).width
    /// 1280
    AsyncClient {
        /// Closes the client. Tasks and videos that came from it go on working; idle connections are closed with the
        /// last of them.
        fn close(&self) {
            self.shut();
        }

        fn __aenter__(this: Bound<'_, Self>) -> PyResult<Py<PyAny>> {
            immediate(this.py(), this.into_any().unbind())
        }

        #[pyo3(signature = (*exception))]
        fn __aexit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
            let _ = exception;
            self.shut();
            immediate(py, py.None())
        }
    }
    /// Everything about videos: create, look up, read. ``client.videos`` gives it.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     task = await async_client.videos.create("A small red ball bouncing once", seconds=6)
    /// ...     return await async_client.videos.get(task.id) == task
    /// >>> asyncio.run(main())
    /// True
    AsyncVideos
    /// A task as it was last seen: paid for, and to be waited for. Two are equal when their ids are.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     task = await async_client.videos.create("A small red ball bouncing once", seconds=6)
    /// ...     async for state in task.watch():
    /// ...         last = state.status
    /// ...     return last
    /// >>> asyncio.run(main())
    /// 'succeeded'
    AsyncTask
    /// A video of the service. Result links live about a day: save it soon.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
    /// ...     return await video.read_range(4, 8)
    /// >>> asyncio.run(main())
    /// b'ftyp'
    AsyncVideo
    /// The end of one of several tasks: a video, or why there is none.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     prompts = "A red ball", "A blue ball"
    /// ...     outcomes = async_client.videos.generate_many(prompts, concurrency=8)
    /// ...     return sorted([outcome.index async for outcome in outcomes])
    /// >>> asyncio.run(main())
    /// [0, 1]
    AsyncOutcome
    "async_"
}

/// A coroutine that gives this value at once.
pub(crate) fn immediate(py: Python<'_>, value: Py<PyAny>) -> PyResult<Py<PyAny>> {
    short(py, || {
        py.import(intern!(py, "junfeiai._aio"))?.call_method1(intern!(py, "immediate"), (value,)).map(Bound::unbind)
    })
}
