//! The classes that Python sees: signatures and documentation, the same for both call modes. What they do is in `calls`.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::asyncio_bridge::{done, immediate, opening};
use crate::blocking_runtime::{self, PinnedRuntime};
use crate::call_mode::{Asyncio, Blocking, naming};
use crate::calls::{self, ResultClasses, WaitArguments};
use crate::convert::{Arguments, SavePath, argument, json_argument, request, requests, texts};
use crate::errors::{exception, raise};
use crate::interpreter::short;
use crate::iterators::{AsyncIterator, Items, Iterator};
use crate::json::json_to_python;
use crate::paid_calls::PaidCall;
use crate::range_response::{AsyncRangeResponse, RangeResponse};
use crate::reader::{self, AsyncVideoReader};
use crate::signatures::with_signatures;
use crate::values::{FilePath, TaskWarning, fields_to_dict, not_pickled, quoted, reduced};

fn shown(py: Python<'_>, text: Option<&str>) -> PyResult<String> {
    text.map_or_else(|| Ok("None".to_owned()), |text| quoted(py, text))
}

/// How a task or a video is unpickled: from its id and endpoint, with the key of the process that loads it.
fn restored<'py>(py: Python<'py>, class: &str, arguments: (&str, &str)) -> PyResult<(Bound<'py, PyAny>, Py<PyTuple>)> {
    let restore = short(py, || py.import(intern!(py, "junfeiai._restore")))?.getattr(class)?;
    Ok((restore, arguments.into_pyobject(py)?.unbind()))
}

/// An argument as it was given. It is read below, where the interpreter's end waits for code of the argument's own.
type Argument<'py> = Option<Bound<'py, PyAny>>;

/// Refuses arguments that a method does not have: more by position, and others by name. Python would do so without the id of
/// the task, which nobody else may know, as in `create(…).wait(…)`.
fn refuse_others(
    method: &str,
    most: usize,
    more: &Bound<'_, PyTuple>,
    unknown: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    if let Some(name) = unknown.and_then(|unknown| unknown.keys().iter().next()) {
        return Err(PyTypeError::new_err(format!("{method}() got an unexpected keyword argument '{name}'")));
    }
    if more.is_empty() {
        return Ok(());
    }
    let given = most + more.len();
    let text = format!("{method}() takes {most} positional arguments but {given} were given: give the others by name");
    Err(PyTypeError::new_err(text))
}

/// Arguments by their names.
macro_rules! arguments {
    ($($name:ident)*) => {
        Arguments::new([$((stringify!($name), $name)),*])
    };
}

macro_rules! classes {
    (
        client: [$($client_option:ident)*] $client_signature:literal;
        request: [$($request_field:ident)*] $request_signature:literal;
        create: $create_signature:literal;
        generate: [$($wait_option:ident)*] $generate_signature:literal;
        wait: $wait_signature:literal;
        save: [$($save_option:ident)*] $save_signature:literal;
        check_save: [$($check_save_option:ident)*] $check_save_signature:literal;
        $Mode:ty;
        $(#[$client_doc:meta])* $Client:ident { $($client_own:tt)* }
        $(#[$videos_doc:meta])* $Videos:ident
        $(#[$task_doc:meta])* $Task:ident
        $(#[$video_doc:meta])* $Video:ident
        $(#[$outcome_doc:meta])* $Outcome:ident
        $(#[$advanced_doc:meta])* $Advanced:ident
        $reader:expr, $opening:expr;
        $Iterator:ident, $RangeResponse:ident;
        $restore:literal
    ) => {
        impl ResultClasses for $Mode {
            fn task(py: Python<'_>, task: junfeiai::Task) -> PyResult<Py<PyAny>> {
                Ok(Py::new(py, $Task::from(task))?.into_any())
            }

            fn video(py: Python<'_>, video: junfeiai::Video) -> PyResult<Py<PyAny>> {
                Ok(Py::new(py, $Video::from(video))?.into_any())
            }

            fn outcome(
                py: Python<'_>,
                index: Option<usize>,
                task_id: Option<String>,
                result: junfeiai::Result<junfeiai::Video>,
            ) -> PyResult<Py<PyAny>> {
                Ok(Py::new(py, $Outcome::new(py, index, task_id, result)?)?.into_any())
            }

            fn advanced(py: Python<'_>, step: junfeiai::Advance) -> PyResult<Py<PyAny>> {
                let step = match step {
                    junfeiai::Advance::Done(video) => {
                        $Advanced { video: Some(Py::new(py, $Video::from(video))?), state: None, retry_after: None }
                    }
                    junfeiai::Advance::Later { state, retry_after } => $Advanced {
                        video: None,
                        state: Some(json_to_python(py, &state.to_json())?),
                        retry_after: Some(retry_after.as_secs_f64()),
                    },
                };
                Ok(Py::new(py, step)?.into_any())
            }

            fn reader(py: Python<'_>, reader: junfeiai::VideoReader, pinned: PinnedRuntime) -> PyResult<Py<PyAny>> {
                $reader(py, reader, pinned)
            }

            fn range_response(
                py: Python<'_>,
                response: junfeiai::RangeResponse,
                pinned: PinnedRuntime,
            ) -> PyResult<Py<PyAny>> {
                Ok(Py::new(py, $RangeResponse::new(py, response, pinned)?)?.into_any())
            }

            fn opening(py: Python<'_>, opened: Py<PyAny>) -> PyResult<Py<PyAny>> {
                $opening(py, opened)
            }

            fn iterator(py: Python<'_>, items: Items, paid: Option<Arc<PaidCall>>) -> PyResult<Py<PyAny>> {
                Ok(Py::new(py, $Iterator::new(items, paid))?.into_any())
            }
        }

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

            fn drop_client(&self) {
                let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).take();
                if client.is_some() {
                    drop(client);
                    blocking_runtime::close_idle_connections();
                }
            }

            /// What the program asks for. A client that is only forgotten stays open for the calls that were begun with it.
            fn close_client(&self) {
                if let Ok(client) = self.open() {
                    client.close();
                }
                self.drop_client();
            }
        }

        impl Drop for $Client {
            fn drop(&mut self) {
                self.drop_client();
            }
        }

        #[pymethods]
        impl $Client {
            #[new]
            #[pyo3(signature = (*, $($client_option = None),*), text_signature = $client_signature)]
            #[allow(clippy::too_many_arguments)]
            fn new(py: Python<'_>, $($client_option: Argument<'_>),*) -> PyResult<Self> {
                let client = calls::client(py, arguments!($($client_option)*))?;
                Ok(Self { endpoint: client.endpoint().to_string(), client: Mutex::new(Some(client)) })
            }

            /// The calls about videos.
            #[getter]
            fn videos(&self) -> PyResult<$Videos> {
                Ok($Videos { client: self.open()? })
            }

            /// The base URL of the preferred endpoint.
            #[getter]
            fn base_url(&self) -> &str {
                &self.endpoint
            }

            /// True after ``close``.
            #[getter]
            fn closed(&self) -> bool {
                self.client.lock().unwrap_or_else(PoisonError::into_inner).is_none()
            }

            /// Checks every endpoint, the key, the clock, the proxy and the video host, and gives advice for what is
            /// wrong. Costs nothing and creates nothing. ``account`` queries the models and the balance as well.
            #[pyo3(signature = (*, account = None), text_signature = "($self, *, account=False)")]
            fn check(&self, py: Python<'_>, account: Argument<'_>) -> PyResult<Py<PyAny>> {
                calls::check::<$Mode>(py, &self.open()?, arguments!(account))
            }

            /// The models that this key may use. Optional endpoint: raises ``NotOfferedError`` if the server does not
            /// support it.
            fn models(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::models::<$Mode>(py, &self.open()?)
            }

            /// The balance of this key. Optional endpoint: raises ``NotOfferedError`` if the server does not support it.
            /// Servers that do allow 20 calls in 20 minutes.
            fn balance(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::balance::<$Mode>(py, &self.open()?)
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                Ok(format!("{}(base_url={})", stringify!($Client), quoted(py, &self.endpoint)?))
            }

            fn __reduce__(this: &Bound<'_, Self>) -> PyResult<()> {
                Err(not_pickled(this, "they hold the API key; make one in each process, and send the ids of tasks"))
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
            /// ``image`` and each of ``images`` is a URL, or a PNG, JPEG or WebP as a ``pathlib.Path``, bytes or a file that was
            /// opened with mode ``"rb"``.
            /// ``extra`` holds further JSON fields for the model. ``key`` is your own name for the job: one task is created per
            /// key, whoever asks, however often; a later call returns the same task. ``validate`` is ``"strict"`` (treat warnings as
            /// errors), ``"default"`` or ``"off"``. ``timeout``: of this create request, in seconds, in place of the client's
            /// ``create_timeout``; after it the task may still be created and charged.
            ///
            /// Raises ``InvalidRequestError`` before anything is sent, ``CreateOutcomeUnknownError`` when no response
            /// was received, and an ``APIStatusError`` when the server refuses the request.
            #[pyo3(
                signature = (prompt = None, *, $($request_field = None,)* timeout = None),
                text_signature = $create_signature
            )]
            #[allow(clippy::too_many_arguments)]
            fn create(
                &self,
                py: Python<'_>,
                prompt: Argument<'_>,
                $($request_field: Argument<'_>,)*
                timeout: Argument<'_>,
            ) -> PyResult<Py<PyAny>> {
                let request = request(py, &mut arguments!(prompt $($request_field)*))?;
                calls::create::<$Mode>(py, &self.client, request, arguments!(timeout))
            }

            /// What ``create`` with these arguments will cost. Creates nothing and costs nothing: checks the request, then
            /// reads the server's price list and the key's log, each at most once in 15 minutes. ``certainty`` of the
            /// result says how sure it is; where the server does not tell, the cost is unknown, which is no error.
            ///
            /// Raises ``InvalidRequestError``, as ``create`` does.
            #[pyo3(signature = (prompt = None, *, $($request_field = None),*), text_signature = $request_signature)]
            #[allow(clippy::too_many_arguments)]
            fn estimate(
                &self,
                py: Python<'_>,
                prompt: Argument<'_>,
                $($request_field: Argument<'_>),*
            ) -> PyResult<Py<PyAny>> {
                let request = request(py, &mut arguments!(prompt $($request_field)*))?;
                calls::estimate::<$Mode>(py, &self.client, request)
            }

            /// Creates a task, waits for it and returns its video. **This costs money.**
            ///
            /// ``on_progress`` is called with the new task first, and then with the result of every poll.
            #[pyo3(
                signature = (prompt = None, *, $($request_field = None,)* $($wait_option = None),*),
                text_signature = $generate_signature
            )]
            #[allow(clippy::too_many_arguments)]
            fn generate(
                &self,
                py: Python<'_>,
                prompt: Argument<'_>,
                $($request_field: Argument<'_>,)*
                $($wait_option: Argument<'_>),*
            ) -> PyResult<Py<PyAny>> {
                let request = request(py, &mut arguments!(prompt $($request_field)*))?;
                let wait = WaitArguments::take(arguments!($($wait_option)*))?;
                calls::generate::<$Mode>(py, &self.client, request, wait)
            }

            /// Queries a task. ``timeout``: of this query, in seconds, in place of the client's ``timeout``.
            #[pyo3(signature = (task_id, *, timeout = None))]
            fn get(&self, py: Python<'_>, task_id: Bound<'_, PyAny>, timeout: Argument<'_>) -> PyResult<Py<PyAny>> {
                let task_id = argument(&task_id, "task_id")?;
                calls::get::<$Mode>(py, &self.client, task_id, arguments!(timeout))
            }

            /// A task by its id, without a request: to wait for it in a later process, for example.
            fn task(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<$Task> {
                let task_id: String = argument(&task_id, "task_id")?;
                self.client.videos().task(&task_id).map($Task::from).map_err(|error| raise(py, &error))
            }

            /// One step of a durable wait: queries the task if a poll is due, once, and never sleeps until then. ``state`` is
            /// what ``wait_state`` returned, or the step before; any process may take any step.
            ///
            /// The deadline and the budget of failed polls are in the state: a failed poll raises nothing. Raises what ends a
            /// ``wait``: ``TaskFailedError``, ``WaitTimeoutError``, ``AuthenticationError``, …
            fn advance(&self, py: Python<'_>, state: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::advance::<$Mode>(py, &self.client, json_argument(&state, "state")?)
            }

            /// The video of a task that has succeeded, without a request.
            fn video(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<$Video> {
                let task_id: String = argument(&task_id, "task_id")?;
                self.client.videos().video(&task_id).map($Video::from).map_err(|error| raise(py, &error))
            }

            /// A video by its URL. The key is sent only to trusted hosts.
            fn video_at(&self, py: Python<'_>, url: Bound<'_, PyAny>) -> PyResult<$Video> {
                let url: String = argument(&url, "url")?;
                self.client.videos().video_at(&url).map($Video::from).map_err(|error| raise(py, &error))
            }

            /// Checks the arguments of ``save`` without a download: raises for wrong options, a file that exists, a folder
            /// that cannot be written or a full disk. Call it before ``create``, which costs money. Sends no request and
            /// leaves no file behind.
            #[pyo3(signature = (path, *, $($check_save_option = None),*), text_signature = $check_save_signature)]
            #[allow(clippy::too_many_arguments)]
            fn check_save(
                &self,
                py: Python<'_>,
                path: Bound<'_, PyAny>,
                $($check_save_option: Argument<'_>),*
            ) -> PyResult<()> {
                let path: SavePath = argument(&path, "path")?;
                calls::check_save(py, &self.client, &path.0, arguments!($($check_save_option)*))
            }

            /// A byte range of a task's video, see ``read_range`` of the video.
            fn read_range(
                &self,
                py: Python<'_>,
                task_id: Bound<'_, PyAny>,
                start: Bound<'_, PyAny>,
                end: Bound<'_, PyAny>,
            ) -> PyResult<Py<PyAny>> {
                self.video(py, task_id)?.read_range(py, start, end)
            }

            /// A task's video in chunks, see ``iter_bytes`` of the video.
            fn iter_bytes(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                self.video(py, task_id)?.iter_bytes(py)
            }

            /// Waits for all these tasks and returns their outcomes in order. A failure does not end the other waits.
            fn wait_all(&self, py: Python<'_>, task_ids: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::wait_all::<$Mode>(py, &self.client, texts(&task_ids, "task_ids")?)
            }

            /// The outcomes of these tasks as they end. All tasks are polled together.
            fn as_completed(&self, py: Python<'_>, task_ids: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::as_completed::<$Mode>(py, &self.client, texts(&task_ids, "task_ids")?)
            }

            /// Creates a task for each request, a prompt or a mapping with the arguments of ``create``, and waits for its
            /// video, with at most ``concurrency`` tasks at a time. **This costs money.** Yields the outcomes as they end.
            /// The types of all arguments are checked, and all images read, before the first request is sent; one that cannot
            /// be sent, or fails, does not stop the others. Break out of the loop to stop.
            #[pyo3(signature = (requests, *, concurrency = None), text_signature = "($self, requests, *, concurrency=4)")]
            fn generate_many(
                &self,
                py: Python<'_>,
                requests: Bound<'_, PyAny>,
                concurrency: Argument<'_>,
            ) -> PyResult<Py<PyAny>> {
                let concurrency = arguments!(concurrency).int("concurrency")?.unwrap_or(4);
                calls::generate_many::<$Mode>(py, &self.client, self::requests(&requests, "requests")?, concurrency)
            }

            /// SHA-256 of a request as ``create`` would send it; the journal identifies requests by it, see ``Pending``.
            /// Checks the request as ``create`` does and sends nothing.
            #[pyo3(signature = (prompt = None, *, $($request_field = None),*), text_signature = $request_signature)]
            #[allow(clippy::too_many_arguments)]
            fn fingerprint(
                &self,
                py: Python<'_>,
                prompt: Argument<'_>,
                $($request_field: Argument<'_>),*
            ) -> PyResult<String> {
                let request = request(py, &mut arguments!(prompt $($request_field)*))?;
                request.prepare().map(|prepared| prepared.fingerprint()).map_err(|error| raise(py, &error))
            }

            /// The unfinished tasks and create requests in the client's ``journal``. Sends no request.
            fn pending(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::pending::<$Mode>(py, &self.client)
            }

            /// What the client's ``journal`` knows of a key: how far its task is, and where its video was saved. ``None``
            /// if nothing was created under it. Sends no request.
            fn key(&self, py: Python<'_>, key: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::key::<$Mode>(py, &self.client, argument(&key, "key")?)
            }

            /// What was created and charged under the client's ``journal``: a ``Spending`` for each UTC day and model, oldest
            /// first, from ``since`` (``YYYY-MM-DD``) on. Known are the charges that a wait or a query has seen. A file reaches
            /// back 400 days, a database 30. Sends no request.
            #[pyo3(signature = (since = None))]
            fn spending(&self, py: Python<'_>, since: Option<Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
                let since = since.map(|since| argument(&since, "since")).transpose()?;
                calls::spending::<$Mode>(py, &self.client, since)
            }

            /// Marks a task in the journal as done, so that it is not pending any more: for a video that was read by ``read``,
            /// ``iter_bytes``, ``open`` or ``serve`` instead of ``save``, or that is not wanted. False when it is not on the list.
            fn forget(&self, py: Python<'_>, task_id: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::forget::<$Mode>(py, &self.client, argument(&task_id, "task_id")?)
            }

            /// Finds out what became of the create requests whose response was lost, by the usage and the log of the API key,
            /// and records it in the journal: ``charged`` (stays pending, as a task if its id is known), ``not_charged`` (removed;
            /// may be created again under its key), ``under_way`` or ``not_known``. Sends two requests, or none if there is
            /// nothing to find out.
            ///
            /// With ``account_token``, the access token of the account, a lost task is found as well, and pending as a task then:
            /// up to five more requests, for the account's list of tasks. ``account_user`` is the account's number, which older
            /// servers want. The token is a stronger secret than an API key: it is held for this call alone.
            #[pyo3(signature = (*, account_token = None, account_user = None))]
            fn reconcile(
                &self,
                py: Python<'_>,
                account_token: Argument<'_>,
                account_user: Argument<'_>,
            ) -> PyResult<Py<PyAny>> {
                calls::reconcile::<$Mode>(py, &self.client, arguments!(account_token account_user))
            }

            /// Marks a create request of unknown outcome as resolved, after you checked your account's usage page: with
            /// the id of the task that you found there, or without one if there is none. False when the journal has no
            /// such request.
            #[pyo3(signature = (intent, task_id = None))]
            fn resolve_unknown(
                &self,
                py: Python<'_>,
                intent: Bound<'_, PyAny>,
                task_id: Option<Bound<'_, PyAny>>,
            ) -> PyResult<Py<PyAny>> {
                let task_id = task_id.map(|task_id| argument(&task_id, "task_id")).transpose()?;
                calls::resolve_unknown::<$Mode>(py, &self.client, argument(&intent, "intent")?, task_id)
            }

            /// Waits for all pending tasks of the journal and saves them as ``FOLDER/<task id>.mp4``; yields a ``Saved``
            /// for each. If it is interrupted, call it again.
            fn resume_pending(&self, py: Python<'_>, folder: Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                calls::resume_pending::<$Mode>(py, &self.client, argument(&folder, "folder")?)
            }

            /// The same as the client's ``check``.
            #[pyo3(signature = (*, account = None), text_signature = "($self, *, account=False)")]
            fn check(&self, py: Python<'_>, account: Argument<'_>) -> PyResult<Py<PyAny>> {
                calls::check::<$Mode>(py, &self.client, arguments!(account))
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                let endpoint = self.client.endpoint().to_string();
                Ok(format!("{}(base_url={})", stringify!($Videos), quoted(py, &endpoint)?))
            }

            fn __reduce__(this: &Bound<'_, Self>) -> PyResult<()> {
                Err(not_pickled(this, "make a client in each process, and send the ids of tasks"))
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
            /// The task's id. Keep it: the id is enough to continue later.
            #[getter]
            fn id(&self) -> &str {
                self.task.id()
            }

            /// The last known status: ``queued``, ``in_progress``, ``succeeded``, ``failed``, or ``unknown`` for a task
            /// that was not queried yet.
            #[getter]
            fn status(&self) -> &'static str {
                self.task.status().name()
            }

            /// True for ``succeeded`` and ``failed``, which are final.
            #[getter]
            fn done(&self) -> bool {
                self.task.status().is_terminal()
            }

            /// The status as the server spells it.
            #[getter]
            fn raw_status(&self) -> &str {
                &self.task.snapshot().raw_status
            }

            /// 0–100, if the server reports it. May stall or decrease.
            #[getter]
            fn progress(&self) -> Option<f64> {
                self.task.progress()
            }

            /// The seconds of video that the server billed, if it reports them.
            #[getter]
            fn billed_seconds(&self) -> Option<f64> {
                self.task.billed_seconds()
            }

            /// What the server charged for it, in its units: 500,000 are 1 USD. Known after the first query, if the server
            /// reports it; 0 for a failed task, whose charge is returned.
            #[getter]
            fn charged_units(&self) -> Option<u64> {
                self.task.charged_units()
            }

            /// True if the task was created by an earlier call with the same ``key``: this one sent no request and cost
            /// nothing.
            #[getter]
            fn reused(&self) -> bool {
                self.task.is_reused()
            }

            /// Where an earlier call with the same ``key`` saved the video, if it did.
            #[getter]
            fn saved_path(&self) -> Option<FilePath> {
                self.task.saved_path().map(|path| FilePath(path.to_owned()))
            }

            /// The URL of the MP4, once the task succeeded. Reading it needs the key, unless the URL is signed.
            #[getter]
            fn video_url(&self) -> Option<&str> {
                self.task.snapshot().video_url.as_deref()
            }

            /// Why the task failed.
            #[getter]
            fn fail_reason(&self) -> Option<&str> {
                self.task.snapshot().fail_reason.as_deref()
            }

            /// The model as the server names it; may differ from the requested one.
            #[getter]
            fn model(&self) -> Option<&str> {
                self.task.snapshot().model.as_deref()
            }

            /// When the task was created, in Unix seconds, if the server reports it.
            #[getter]
            fn created_at(&self) -> Option<u64> {
                self.task.snapshot().created_at
            }

            /// When the task was started, in Unix seconds, if the server reports it.
            #[getter]
            fn started_at(&self) -> Option<u64> {
                self.task.snapshot().started_at
            }

            /// When the task ended, in Unix seconds, if the server reports it.
            #[getter]
            fn finished_at(&self) -> Option<u64> {
                self.task.snapshot().finished_at
            }

            /// Recommendations that the request does not follow, and a billed length other than the requested one.
            #[getter]
            fn warnings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
                PyTuple::new(py, self.task.warnings().iter().map(TaskWarning::from).collect::<Vec<_>>())
            }

            /// The server's last response as JSON text; empty for a task that was not queried yet.
            #[getter]
            fn raw<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
                PyString::new(py, &self.task.snapshot().raw)
            }

            /// Queries the task and returns a new object; this one does not change. ``timeout``: of this query, in seconds,
            /// in place of the client's ``timeout``.
            #[pyo3(signature = (*more, timeout = None, **unknown), text_signature = "($self, *, timeout=None)")]
            fn refresh(
                &self,
                py: Python<'_>,
                more: &Bound<'_, PyTuple>,
                timeout: Argument<'_>,
                unknown: Option<&Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let refresh = || {
                    refuse_others(concat!(stringify!($Task), ".refresh"), 0, more, unknown)?;
                    calls::refresh::<$Mode>(py, &self.task, arguments!(timeout))
                };
                naming(py, refresh(), Some(self.task.id()))
            }

            /// Waits for the end of the task and returns its video. ``timeout`` is in seconds; the default is the client's
            /// ``wait_timeout`` (30 minutes), and ``math.inf`` waits without a limit. ``poll_interval`` is the delay in seconds
            /// that polling starts with; the default is the client's.
            ///
            /// Raises ``TaskFailedError``, ``WaitTimeoutError``, or the error of polling after too many failures in a
            /// row. Unless the task itself failed, it is still running then: call ``wait`` again.
            #[pyo3(signature = (*more, $($wait_option = None,)* **unknown), text_signature = $wait_signature)]
            fn wait(
                &self,
                py: Python<'_>,
                more: &Bound<'_, PyTuple>,
                $($wait_option: Argument<'_>,)*
                unknown: Option<&Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let wait = || {
                    refuse_others(concat!(stringify!($Task), ".wait"), 0, more, unknown)?;
                    calls::wait::<$Mode>(py, &self.task, arguments!($($wait_option)*))
                };
                naming(py, wait(), Some(self.task.id()))
            }

            /// Begins a durable wait: a small dict of strings and numbers, for ``videos.advance``. For job queues and workflow
            /// engines, which must not hold a worker while the video is made. Sends no request. ``timeout`` counts from now;
            /// the default is the client's ``wait_timeout``, and ``math.inf`` sets no limit. ``poll_interval`` is as in ``wait``.
            #[pyo3(
                signature = (*more, timeout = None, poll_interval = None, **unknown),
                text_signature = "($self, *, timeout=None, poll_interval=None)"
            )]
            fn wait_state(
                &self,
                py: Python<'_>,
                more: &Bound<'_, PyTuple>,
                timeout: Argument<'_>,
                poll_interval: Argument<'_>,
                unknown: Option<&Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let begin = || {
                    refuse_others(concat!(stringify!($Task), ".wait_state"), 0, more, unknown)?;
                    calls::wait_state(py, &self.task, arguments!(timeout poll_interval))
                };
                naming(py, begin(), Some(self.task.id()))
            }

            /// Yields the task after each poll. Ends after the final status, or raises what ``wait`` would.
            fn watch(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::watch::<$Mode>(py, &self.task)
            }

            /// The video, if the last known status is ``succeeded``; otherwise raises ``NotReadyError`` or
            /// ``TaskFailedError``.
            fn video(&self, py: Python<'_>) -> PyResult<$Video> {
                self.task.video().map($Video::from).map_err(|error| raise(py, &error))
            }

            /// The task's fields as a dict, for ``json.dumps``: all but ``raw``.
            fn to_dict<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
                let names = [
                    "id", "status", "done", "raw_status", "progress", "billed_seconds", "charged_units", "reused",
                    "saved_path", "video_url", "fail_reason", "model", "created_at", "started_at", "finished_at",
                    "warnings",
                ];
                fields_to_dict(this, &names)
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

            /// It never changes and is its own copy: one by way of a pickle would have the key of the environment.
            fn __copy__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
                this
            }

            fn __deepcopy__<'py>(this: PyRef<'py, Self>, memo: &Bound<'py, PyAny>) -> PyRef<'py, Self> {
                let _ = memo;
                this
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
            /// The task that made it, if known.
            #[getter]
            fn task_id(&self) -> Option<&str> {
                self.video.task_id()
            }

            /// Where an earlier call with the same ``key`` saved it, if it did. ``save`` to the same path returns a file that
            /// is still there without a request.
            #[getter]
            fn saved_path(&self) -> Option<FilePath> {
                self.video.saved_path().map(|path| FilePath(path.to_owned()))
            }

            /// Its URL, if known. Reading it needs the key, unless the URL is signed.
            #[getter]
            fn url(&self) -> Option<&str> {
                self.video.url()
            }

            /// A file name made from the task id that is valid on every system, such as ``task_abc.mp4``.
            #[getter]
            fn file_name(&self) -> String {
                self.video.file_name()
            }

            /// Saves the video. The bytes are written to ``PATH.part``; the final file name appears only after the
            /// download is complete, verified and synced to disk. An interrupted save is resumed by the next one.
            ///
            /// ``connections`` is 1–16; more than one helps if each connection is slow. ``overwrite`` replaces an
            /// existing file, ``create_parents`` creates missing folders, ``sha256`` computes the hash, ``verify``
            /// checks the MP4 structure, ``timeout`` is in seconds, ``rate_limit`` in bytes per second.
            /// ``on_progress`` is called with a ``SaveProgress`` at most every 100 ms, and once at the end.
            #[pyo3(signature = (path = None, *more, $($save_option = None,)* **unknown), text_signature = $save_signature)]
            #[allow(clippy::too_many_arguments)]
            fn save(
                &self,
                py: Python<'_>,
                path: Argument<'_>,
                more: &Bound<'_, PyTuple>,
                $($save_option: Argument<'_>,)*
                unknown: Option<&Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let save = || {
                    refuse_others(concat!(stringify!($Video), ".save"), 1, more, unknown)?;
                    let path: SavePath = argument(&path.unwrap_or_else(|| py.None().into_bound(py)), "path")?;
                    calls::save::<$Mode>(py, &self.video, path.0, arguments!($($save_option)*))
                };
                naming(py, save(), self.video.task_id())
            }

            /// The whole video as bytes; checks its length and MP4 structure. Refuses more than ``max_bytes`` (1 GiB).
            #[pyo3(signature = (*more, max_bytes = None, **unknown), text_signature = "($self, *, max_bytes=None)")]
            fn read(
                &self,
                py: Python<'_>,
                more: &Bound<'_, PyTuple>,
                max_bytes: Argument<'_>,
                unknown: Option<&Bound<'_, PyDict>>,
            ) -> PyResult<Py<PyAny>> {
                let read = || {
                    refuse_others(concat!(stringify!($Video), ".read"), 0, more, unknown)?;
                    calls::read::<$Mode>(py, &self.video, arguments!(max_bytes).int("max_bytes")?)
                };
                naming(py, read(), self.video.task_id())
            }

            /// Bytes from ``start`` up to, but not including, ``end``; fewer at the end of the file.
            fn read_range(
                &self,
                py: Python<'_>,
                start: Bound<'_, PyAny>,
                end: Bound<'_, PyAny>,
            ) -> PyResult<Py<PyAny>> {
                let read = || {
                    let (start, end) = (argument(&start, "start")?, argument(&end, "end")?);
                    calls::read_range::<$Mode>(py, &self.video, start, end)
                };
                naming(py, read(), self.video.task_id())
            }

            /// Opens the video as a seekable file object, without a file on disk. Seeking sends no request; a read sends
            /// one if the bytes are neither cached nor near the current position.
            fn open(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::open::<$Mode>(py, &self.video)
            }

            /// Answers a media player that sent this ``Range`` header (``None``: the whole video), exact to the byte, whatever
            /// the service does with ``Range``: pass status, headers and bytes on in a route of your web framework. ``total`` is
            /// the length that an earlier answer had, which saves a query. The bytes resume after a broken connection.
            #[pyo3(signature = (range_header = None, *, total = None), text_signature = "($self, range_header=None, *, total=None)")]
            fn serve(&self, py: Python<'_>, range_header: Argument<'_>, total: Argument<'_>) -> PyResult<Py<PyAny>> {
                let serve = || {
                    let mut given = arguments!(range_header total);
                    let (range_header, total) = (given.take("range_header")?, given.int("total")?);
                    calls::serve::<$Mode>(py, &self.video, range_header, total)
                };
                naming(py, serve(), self.video.task_id())
            }

            /// The bytes in chunks, in order; resumes after a broken connection. The length is checked; the MP4
            /// structure is not, since nothing is kept.
            fn iter_bytes(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
                calls::iter_bytes::<$Mode>(py, &self.video)
            }

            /// ``task_id``, ``url``, ``saved_path`` and ``file_name`` as a dict, for ``json.dumps``. A signed ``url`` grants
            /// access without a key.
            fn to_dict<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
                fields_to_dict(this, &["task_id", "url", "saved_path", "file_name"])
            }

            fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
                // The query of a result URL may be a signature that grants access without a key.
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

            /// It never changes and is its own copy: one by way of a pickle would have the key of the environment.
            fn __copy__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
                this
            }

            fn __deepcopy__<'py>(this: PyRef<'py, Self>, memo: &Bound<'py, PyAny>) -> PyRef<'py, Self> {
                let _ = memo;
                this
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
                    Err(error) => Err(exception(py, &error)?.unbind()),
                };
                Ok(Self { index, task_id, result })
            }
        }

        #[pymethods]
        impl $Outcome {
            /// An error that was raised holds the frames that it went through, and one of them may hold this outcome.
            fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
                self.result.as_ref().err().map_or(Ok(()), |error| visit.call(error))
            }

            #[staticmethod]
            #[pyo3(name = "_unpickled")]
            fn unpickled(
                index: Option<usize>,
                task_id: Option<String>,
                video: Option<Py<$Video>>,
                error: Option<Py<PyAny>>,
            ) -> PyResult<Self> {
                let result = match (video, error) {
                    (Some(video), None) => Ok(video),
                    (None, Some(error)) => Err(error),
                    _ => return Err(PyTypeError::new_err("an outcome has either a video or an error")),
                };
                Ok(Self { index, task_id, result })
            }

            /// The index of the request, from 0; ``None`` for tasks given by their ids.
            #[getter]
            fn index(&self) -> Option<usize> {
                self.index
            }

            /// The task's id, if there is a task.
            #[getter]
            fn task_id(&self) -> Option<&str> {
                self.task_id.as_deref()
            }

            /// The video; ``None`` on failure.
            #[getter]
            fn video(&self, py: Python<'_>) -> Option<Py<$Video>> {
                self.result.as_ref().ok().map(|video| video.clone_ref(py))
            }

            /// Why there is no video; ``None`` on success.
            #[getter]
            fn error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
                self.result.as_ref().err().map(|error| error.clone_ref(py))
            }

            /// Returns the video, or raises ``error``.
            fn result(&self, py: Python<'_>) -> PyResult<Py<$Video>> {
                match &self.result {
                    Ok(video) => Ok(video.clone_ref(py)),
                    Err(error) => Err(PyErr::from_value(error.bind(py).clone())),
                }
            }

            /// ``index``, ``task_id``, ``video`` and ``error`` as a dict, for ``json.dumps``.
            fn to_dict<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
                fields_to_dict(this, &["index", "task_id", "video", "error"])
            }

            fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
                let what = if this.get().result.is_ok() { "video" } else { "error" };
                let index = this.getattr("index")?.repr()?;
                Ok(format!("{}(index={index}, {what}={})", stringify!($Outcome), this.getattr(what)?.repr()?))
            }

            fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
                let (class, fields) = reduced(this, &["index", "task_id", "video", "error"])?;
                Ok((class.getattr("_unpickled")?, fields))
            }
        }

        $(#[$advanced_doc])*
        #[pyclass(frozen, module = "junfeiai")]
        pub(crate) struct $Advanced {
            video: Option<Py<$Video>>,
            state: Option<Py<PyAny>>,
            retry_after: Option<f64>,
        }

        #[pymethods]
        impl $Advanced {
            #[staticmethod]
            #[pyo3(name = "_unpickled")]
            fn unpickled(video: Option<Py<$Video>>, state: Option<Py<PyAny>>, retry_after: Option<f64>) -> Self {
                Self { video, state, retry_after }
            }

            /// The video; ``None`` while the task is still running.
            #[getter]
            fn video(&self, py: Python<'_>) -> Option<Py<$Video>> {
                self.video.as_ref().map(|video| video.clone_ref(py))
            }

            /// What to store for the next step, as a dict for ``json.dumps``; ``None`` when the wait has ended.
            #[getter]
            fn state(&self, py: Python<'_>) -> Option<Py<PyAny>> {
                self.state.as_ref().map(|state| state.clone_ref(py))
            }

            /// Seconds to pause before the next step; ``None`` when the wait has ended. Sooner is no error: then nothing is
            /// sent.
            #[getter]
            fn retry_after(&self) -> Option<f64> {
                self.retry_after
            }

            /// ``video``, ``state`` and ``retry_after`` as a dict, for ``json.dumps``.
            fn to_dict<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
                fields_to_dict(this, &["video", "state", "retry_after"])
            }

            fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
                let what = if this.get().video.is_some() { "video" } else { "retry_after" };
                Ok(format!("{}({what}={})", stringify!($Advanced), this.getattr(what)?.repr()?))
            }

            fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
                let (class, fields) = reduced(this, &["video", "state", "retry_after"])?;
                Ok((class.getattr("_unpickled")?, fields))
            }
        }
    };
}

with_signatures! {
    Blocking;
    /// The synchronous client. One per program is enough: threads may share it, and so may the children of
    /// ``os.fork()``.
    ///
    /// Options that are not given come from ``JUNFEIAI_API_KEY``, ``JUNFEIAI_BASE_URL`` and
    /// ``JUNFEIAI_VIDEO_BASE_URL``.
    /// ``endpoint`` is ``"standard"`` (the default), ``"china"``, a base URL or a short host alias; ``base_url`` is an
    /// alias of it. Durations are in seconds.
    ///
    /// >>> from junfeiai import Client
    /// >>> with Client() as client:
    /// ...     task = client.videos.create("A small red ball bouncing once", seconds=6, size="1280x720")
    /// ...     video = task.wait(on_progress=lambda task: None)
    /// ...     summary = video.save("ball.mp4")
    /// >>> summary.width, summary.height
    /// (1280, 720)
    Client {
        /// Closes the client. Create requests that wait for their turn in other threads are not sent: they raise
        /// ``CallCancelledError``. Those that have left run to their end, and tasks and videos made by the client keep working; idle
        /// connections are closed with the last of them.
        fn close(&self) {
            self.close_client();
        }

        fn __enter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
            this
        }

        #[pyo3(signature = (*exception))]
        fn __exit__(&self, exception: &Bound<'_, PyTuple>) {
            let _ = exception;
            self.close_client();
        }
    }
    /// The calls about videos: create, query, read. Available as ``client.videos``.
    ///
    /// >>> task = client.videos.create("A small red ball bouncing once", seconds=6)
    /// >>> client.videos.get(task.id).id == task.id
    /// True
    Videos
    /// A paid task, with its last known status. Tasks are equal if their ids are.
    ///
    /// >>> task = client.videos.create("A small red ball bouncing once", seconds=6)
    /// >>> again = client.videos.task(task.id)  # in a later process, for example
    /// >>> video = again.wait(timeout=60)
    /// >>> again.refresh().status
    /// 'succeeded'
    Task
    /// A video of the service. Result URLs expire after about a day: save it soon.
    ///
    /// >>> video = client.videos.generate("A small red ball bouncing once", seconds=6)
    /// >>> video.read_range(4, 8)
    /// b'ftyp'
    /// >>> len(video.read()) == video.save("ball.mp4").bytes
    /// True
    Video
    /// The result of one of several tasks: a video, or why there is none.
    ///
    /// >>> requests = ['A red ball', {'prompt': 'A blue ball', 'seconds': 6}]
    /// >>> outcomes = list(client.videos.generate_many(requests, concurrency=8))
    /// >>> sorted(outcome.index for outcome in outcomes)
    /// [0, 1]
    /// >>> ids = [outcome.task_id for outcome in outcomes]
    /// >>> [outcome.result().read_range(4, 8) for outcome in client.videos.as_completed(ids)]
    /// [b'ftyp', b'ftyp']
    Outcome
    /// One step of a durable wait: the video, or what to store and how long to pause.
    ///
    /// >>> import json, time
    /// >>> kept = json.dumps(client.videos.create("A small red ball bouncing once", seconds=6).wait_state(timeout=60))
    /// >>> while not (step := client.videos.advance(json.loads(kept))).video:  # each round may run in another process
    /// ...     kept = json.dumps(step.state)
    /// ...     time.sleep(step.retry_after)
    /// >>> step.video.read_range(4, 8)
    /// b'ftyp'
    Advanced
    reader::file, |_, file| Ok(file);
    Iterator, RangeResponse;
    ""
}

with_signatures! {
    Asyncio;
    /// A client for asyncio: the same names as ``Client``, with ``await``, ``async for`` and ``async with``.
    ///
    /// Several event loops may share one. Cancelling the asyncio task stops waiting; the remote task keeps running and
    /// stays charged.
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
        /// Closes the client. Create requests that wait for their turn are not sent: they raise ``CallCancelledError``. Those that
        /// have left run to their end, and tasks and videos made by the client keep working; idle connections are closed with the
        /// last of them. May be awaited, and need not be.
        fn close(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
            self.close_client();
            done(py)
        }

        /// The same as ``close``, for code that expects a coroutine.
        fn aclose(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
            self.close_client();
            immediate(py, py.None())
        }

        fn __aenter__(this: Bound<'_, Self>) -> PyResult<Py<PyAny>> {
            immediate(this.py(), this.into_any().unbind())
        }

        #[pyo3(signature = (*exception))]
        fn __aexit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<Py<PyAny>> {
            let _ = exception;
            self.close_client();
            immediate(py, py.None())
        }
    }
    /// The calls about videos: create, query, read. Available as ``client.videos``.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     task = await async_client.videos.create("A small red ball bouncing once", seconds=6)
    /// ...     return await async_client.videos.get(task.id) == task
    /// >>> asyncio.run(main())
    /// True
    AsyncVideos
    /// A paid task, with its last known status. Tasks are equal if their ids are.
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
    /// A video of the service. Result URLs expire after about a day: save it soon.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     video = await async_client.videos.generate("A small red ball bouncing once", seconds=6)
    /// ...     return await video.read_range(4, 8)
    /// >>> asyncio.run(main())
    /// b'ftyp'
    AsyncVideo
    /// The result of one of several tasks: a video, or why there is none.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     prompts = "A red ball", "A blue ball"
    /// ...     outcomes = async_client.videos.generate_many(prompts, concurrency=8)
    /// ...     return sorted([outcome.index async for outcome in outcomes])
    /// >>> asyncio.run(main())
    /// [0, 1]
    AsyncOutcome
    /// One step of a durable wait: the video, or what to store and how long to pause.
    ///
    /// >>> import asyncio
    /// >>> async def main():
    /// ...     task = await async_client.videos.create("A small red ball bouncing once", seconds=6)
    /// ...     step = await async_client.videos.advance(task.wait_state())
    /// ...     return step.video is None and step.state.get("task_id") == task.id
    /// >>> asyncio.run(main())
    /// True
    AsyncAdvanced
    async_reader, opening;
    AsyncIterator, AsyncRangeResponse;
    "async_"
}

/// An open video for asyncio, whose connection stays on our runtime without being pinned.
fn async_reader(py: Python<'_>, reader: junfeiai::VideoReader, _: PinnedRuntime) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, AsyncVideoReader::from(reader))?.into_any())
}
