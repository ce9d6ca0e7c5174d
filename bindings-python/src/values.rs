//! Small results: frozen, comparable, picklable.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::convert::json_to_python;
use crate::errors::raise;
use crate::interpreter::short;

/// A Python string literal.
pub(crate) fn quoted(py: Python<'_>, text: &str) -> PyResult<String> {
    PyString::new(py, text).repr()?.extract()
}

/// A path, for Python a `pathlib.Path`: that is Python code.
#[derive(PartialEq, Clone)]
pub(crate) struct FilePath(PathBuf);

impl<'py> IntoPyObject<'py> for FilePath {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        short(py, || self.0.into_pyobject(py))
    }
}

impl FromPyObject<'_, '_> for FilePath {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        short(value.py(), || value.extract()).map(Self)
    }
}

macro_rules! record {
    ($(#[$doc:meta])* $Name:ident { $( $(#[$field_doc:meta])* $field:ident: $type:ty, )* }) => {
        $(#[$doc])*
        #[pyclass(frozen, eq, get_all, from_py_object, module = "junfeiai")]
        #[derive(PartialEq, Clone)]
        pub(crate) struct $Name {
            $( $(#[$field_doc])* $field: $type, )*
        }

        #[pymethods]
        impl $Name {
            #[new]
            #[allow(clippy::too_many_arguments)]
            fn new($($field: $type),*) -> Self {
                Self { $($field),* }
            }

            fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
                let shown = |name| PyResult::Ok(format!("{name}={}", this.getattr(name)?.repr()?));
                let fields = short(this.py(), || PyResult::Ok([$( shown(stringify!($field))? ),*]))?;
                Ok(format!("{}({})", stringify!($Name), fields.join(", ")))
            }

            fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
                let fields = [$( this.getattr(stringify!($field))? ),*];
                Ok((this.get_type().into_any(), PyTuple::new(this.py(), fields)?))
            }
        }
    };
}

record! {
    /// What ``save`` did.
    Summary {
        /// Where the video is, as ``pathlib.Path``.
        path: FilePath,
        /// Length of the file.
        bytes: u64,
        /// Running time in seconds, as the file says.
        duration: Option<f64>,
        /// Width in pixels, as the file says: the size asked for is only advice to the model.
        width: Option<u32>,
        /// Height in pixels, as the file says.
        height: Option<u32>,
        /// True when the file was not read in one go: after a cut, or from what a former call left.
        resumed: bool,
        /// Requests sent for it.
        attempts: u32,
        /// Seconds this call took.
        elapsed: f64,
        /// SHA-256 in hexadecimal, when it was asked for.
        sha256: Option<String>,
    }
}

impl From<junfeiai::Summary> for Summary {
    fn from(summary: junfeiai::Summary) -> Self {
        Self {
            path: FilePath(summary.path),
            bytes: summary.bytes,
            duration: summary.duration.map(|duration| duration.as_secs_f64()),
            width: summary.width,
            height: summary.height,
            resumed: summary.resumed,
            attempts: summary.attempts,
            elapsed: summary.elapsed.as_secs_f64(),
            sha256: summary.sha256,
        }
    }
}

record! {
    /// How far a save is.
    SaveProgress {
        /// Bytes that are there, those of former calls included.
        bytes: u64,
        /// Length of the file, once it is known.
        total: Option<u64>,
        /// Bytes per second over the last second or so.
        rate: f64,
    }
}

impl From<&junfeiai::SaveProgress> for SaveProgress {
    fn from(progress: &junfeiai::SaveProgress) -> Self {
        Self { bytes: progress.bytes, total: progress.total, rate: progress.rate }
    }
}

record! {
    /// Something that works but is advised against, or that the caller should know.
    TaskWarning {
        /// Which advice it is: ``segment_model``, ``unusual_shape``, ``unusual_length``, ``billed_seconds_differ``.
        code: String,
        /// One line for people.
        message: String,
    }
}

impl From<&junfeiai::Warning> for TaskWarning {
    fn from(warning: &junfeiai::Warning) -> Self {
        Self { code: warning.code.name().to_owned(), message: warning.message.clone() }
    }
}

record! {
    /// What is left on a key.
    Balance {
        /// The key's name at the server.
        name: Option<String>,
        /// True when the key itself has no limit; the account's balance, which this call does not tell, still has.
        unlimited: bool,
        /// What is left, in USD, never below 0; ``None`` when the key has no limit.
        available_usd: Option<f64>,
        /// What was used up, in USD.
        used_usd: f64,
        /// When the key ends, in unix seconds; ``None`` when it does not.
        expires_at: Option<u64>,
    }
}

impl From<&junfeiai::Balance> for Balance {
    fn from(balance: &junfeiai::Balance) -> Self {
        Self {
            name: balance.name.clone(),
            unlimited: balance.unlimited,
            available_usd: balance.available_usd,
            used_usd: balance.used_usd,
            expires_at: balance.expires_at,
        }
    }
}

record! {
    /// One step of a check.
    CheckStep {
        /// Its stable name: ``dns connect tls answer base_url key clock proxy video_host models balance``.
        name: String,
        /// How it ended: ``ok``, ``warn``, ``fail`` or ``skipped``.
        status: String,
        /// What was found, one line.
        detail: String,
        /// What to do, one line, where something is to be done.
        advice: Option<String>,
    }
}

impl From<&junfeiai::CheckStep> for CheckStep {
    fn from(step: &junfeiai::CheckStep) -> Self {
        Self {
            name: step.name.to_owned(),
            status: step.status.name().to_owned(),
            detail: step.detail.clone(),
            advice: step.advice.clone(),
        }
    }
}

record! {
    /// One entry as the check found it.
    EntryCheck {
        /// The base URL.
        endpoint: String,
        /// True for the entry that calls go to now.
        in_use: bool,
        /// True when no step failed: tasks can be created here, as far as can be told without creating one.
        ok: bool,
        /// What was looked at, in order.
        steps: Vec<CheckStep>,
        /// Seconds from sending the request to the end of the answer, connecting included.
        latency: Option<f64>,
        /// How many seconds this machine's clock is ahead of the server's; ``None`` when the server's is not shown.
        clock_skew: Option<i64>,
        /// The server's request id, for the administrator.
        request_id: Option<String>,
    }
}

impl From<&junfeiai::EntryCheck> for EntryCheck {
    fn from(entry: &junfeiai::EntryCheck) -> Self {
        Self {
            endpoint: entry.endpoint.clone(),
            in_use: entry.in_use,
            ok: entry.ok,
            steps: entry.steps.iter().map(CheckStep::from).collect(),
            latency: entry.latency.map(|latency| latency.as_secs_f64()),
            clock_skew: entry.clock_skew_s,
            request_id: entry.request_id.clone(),
        }
    }
}

record! {
    /// Something paid for, or perhaps paid for, that is not over, as the journal says.
    Pending {
        /// ``task``: wait for it, save it. ``unknown``: a create whose answer never came; look into the account, then call
        /// ``resolve_unknown``.
        kind: String,
        /// The task's id; ``None`` for a create whose outcome is unknown.
        task_id: Option<String>,
        /// The journal's own name of a create whose outcome is unknown.
        intent: Option<String>,
        /// The model asked for.
        model: String,
        /// The length asked for, where it is known.
        seconds: Option<String>,
        /// Unix seconds of its create.
        created_at: u64,
        /// How far a task was, ``created`` or ``succeeded``; why there is no answer to a create.
        state: String,
        /// SHA-256 of the request's body, where it is known.
        fingerprint: Option<String>,
        /// The prompt, where the client was told to keep prompts.
        prompt: Option<String>,
    }
}

impl Pending {
    /// Kinds that are newer than this binding are left out.
    pub(crate) fn new_from(entry: junfeiai::Pending) -> Option<Self> {
        match entry {
            junfeiai::Pending::Task { task_id, model, seconds, created_at, state, fingerprint, prompt, .. } => {
                Some(Self {
                    kind: "task".to_owned(),
                    task_id: Some(task_id),
                    intent: None,
                    model,
                    seconds,
                    created_at,
                    state: state.name().to_owned(),
                    fingerprint,
                    prompt,
                })
            }
            junfeiai::Pending::Unknown { intent, fingerprint, model, seconds, at, reason, prompt, .. } => Some(Self {
                kind: "unknown".to_owned(),
                task_id: None,
                intent: Some(intent),
                model,
                seconds,
                created_at: at,
                state: reason,
                fingerprint: Some(fingerprint),
                prompt,
            }),
            _ => None,
        }
    }
}

/// One pending task that ``resume_pending`` is done with.
#[pyclass(frozen, module = "junfeiai")]
pub(crate) struct Saved {
    task_id: String,
    summary: Option<Py<Summary>>,
    error: Option<Py<PyAny>>,
}

impl Saved {
    pub(crate) fn new_from(py: Python<'_>, task_id: String, result: junfeiai::Result<junfeiai::Summary>) -> Self {
        match result.map(|summary| Py::new(py, Summary::from(summary))) {
            Ok(Ok(summary)) => Self { task_id, summary: Some(summary), error: None },
            Ok(Err(error)) => Self { task_id, summary: None, error: Some(error.into_value(py).into_any()) },
            Err(error) => Self { task_id, summary: None, error: Some(raise(py, &error).into_value(py).into_any()) },
        }
    }
}

#[pymethods]
impl Saved {
    /// The task.
    #[getter]
    fn task_id(&self) -> &str {
        &self.task_id
    }

    /// What was saved; ``None`` when it failed.
    #[getter]
    fn summary(&self, py: Python<'_>) -> Option<Py<Summary>> {
        self.summary.as_ref().map(|summary| summary.clone_ref(py))
    }

    /// Why it failed; ``None`` when it was saved.
    #[getter]
    fn error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.error.as_ref().map(|error| error.clone_ref(py))
    }

    /// What was saved, or raises why it failed.
    fn result(&self, py: Python<'_>) -> PyResult<Option<Py<Summary>>> {
        match &self.error {
            Some(error) => Err(PyErr::from_value(error.bind(py).clone())),
            None => Ok(self.summary(py)),
        }
    }

    fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
        let (id, outcome) =
            (quoted(this.py(), &this.get().task_id)?, if this.get().error.is_some() { "error" } else { "summary" });
        Ok(format!("Saved(task_id={id}, {outcome}={})", this.getattr(outcome)?.repr()?))
    }
}

/// What ``check`` found. ``str()`` gives a readable text of several lines.
#[pyclass(frozen, module = "junfeiai")]
pub(crate) struct CheckReport {
    report: junfeiai::CheckReport,
}

impl From<junfeiai::CheckReport> for CheckReport {
    fn from(report: junfeiai::CheckReport) -> Self {
        Self { report }
    }
}

#[pymethods]
impl CheckReport {
    /// True when the entry that calls end up at can be used and the video host answers.
    #[getter]
    fn ok(&self) -> bool {
        self.report.ok
    }

    /// This library's version.
    #[getter]
    fn version(&self) -> &'static str {
        self.report.version
    }

    /// Every entry in the order of preference.
    #[getter]
    fn entries(&self) -> Vec<EntryCheck> {
        self.report.entries.iter().map(EntryCheck::from).collect()
    }

    /// ``proxy``, ``video_host``, ``models``, ``balance``, in this order.
    #[getter]
    fn steps(&self) -> Vec<CheckStep> {
        self.report.steps.iter().map(CheckStep::from).collect()
    }

    /// The models of this key, where they were asked for and the server tells them.
    #[getter]
    fn models(&self) -> Option<Vec<String>> {
        self.report.models.clone()
    }

    /// What is left on the key, where it was asked for and the server tells it.
    #[getter]
    fn balance(&self) -> Option<Balance> {
        self.report.balance.as_ref().map(Balance::from)
    }

    /// The report as plain values, for ``json.dumps``.
    fn to_dict(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        json_to_python(py, &self.report.to_json())
    }

    fn __str__(&self) -> String {
        self.report.to_string()
    }

    fn __repr__(&self) -> String {
        let ok = if self.report.ok { "True" } else { "False" };
        format!("CheckReport(ok={ok}, entries={})", self.report.entries.len())
    }
}
