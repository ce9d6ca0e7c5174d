//! Small results: frozen, comparable, picklable.

use std::path::PathBuf;

use pyo3::exceptions::{PyBaseException, PyTypeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pyclass::{PyTraverseError, PyVisit};
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::errors::exception;
use crate::interpreter::short;
use crate::json::json_to_python;

/// A Python string literal.
pub(crate) fn quoted(py: Python<'_>, text: &str) -> PyResult<String> {
    PyString::new(py, text).repr()?.extract()
}

/// A path, for Python a `pathlib.Path`: that is Python code.
#[derive(PartialEq, Clone)]
pub(crate) struct FilePath(pub(crate) PathBuf);

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

/// Attributes of a result as a dict, for `json.dumps`.
pub(crate) fn fields_to_dict<'py>(object: &Bound<'py, PyAny>, names: &[&str]) -> PyResult<Bound<'py, PyDict>> {
    let py = object.py();
    short(py, || {
        let fields = PyDict::new(py);
        for name in names {
            fields.set_item(name, plain(&object.getattr(*name)?)?)?;
        }
        Ok(fields)
    })
}

/// The class of an object that is pickled as these attributes, and what they are.
pub(crate) fn reduced<'py>(
    object: &Bound<'py, PyAny>,
    names: &[&str],
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
    let fields = names.iter().map(|name| object.getattr(*name)).collect::<PyResult<Vec<_>>>()?;
    Ok((object.get_type().into_any(), PyTuple::new(object.py(), fields)?))
}

/// The error of an object that is not pickled, with what to do instead.
pub(crate) fn not_pickled(object: &Bound<'_, PyAny>, instead: &str) -> PyErr {
    match object.get_type().name() {
        Ok(name) => PyTypeError::new_err(format!("'{name}' objects cannot be pickled: {instead}")),
        Err(error) => error,
    }
}

/// A value as `json.dumps` takes it.
fn plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let items = value.try_iter()?.map(|item| plain(&item?)).collect::<PyResult<Vec<_>>>()?;
        return Ok(PyList::new(py, items)?.into_any());
    }
    if value.hasattr(intern!(py, "to_dict"))? {
        return value.call_method0(intern!(py, "to_dict"));
    }
    if value.is_instance_of::<PyBaseException>() || value.hasattr(intern!(py, "__fspath__"))? {
        return Ok(value.str()?.into_any());
    }
    Ok(value.clone())
}

/// The same for equal values: lists count as tuples, which have a hash.
fn hash_of<'py>(py: Python<'py>, fields: impl IntoIterator<Item = Bound<'py, PyAny>>) -> PyResult<isize> {
    let hashed = |value: Bound<'py, PyAny>| match value.cast::<PyList>() {
        Ok(list) => Ok(list.to_tuple().hash()?),
        Err(_) => value.hash(),
    };
    short(py, || {
        let hashes = fields.into_iter().map(hashed).collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, hashes)?.hash()
    })
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

            /// The fields as a dict, for ``json.dumps``.
            fn to_dict<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
                fields_to_dict(this, &[$( stringify!($field) ),*])
            }

            fn __hash__(this: &Bound<'_, Self>) -> PyResult<isize> {
                hash_of(this.py(), [$( this.getattr(stringify!($field))? ),*])
            }

            fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
                reduced(this, &[$( stringify!($field) ),*])
            }
        }
    };
}

record! {
    /// The result of ``save``.
    Summary {
        /// The path of the video, as ``pathlib.Path``.
        path: FilePath,
        /// Length of the file in bytes.
        bytes: u64,
        /// Duration in seconds, from the file.
        duration: Option<f64>,
        /// Width in pixels, from the file: the requested size is only a hint to the model.
        width: Option<u32>,
        /// Height in pixels, from the file.
        height: Option<u32>,
        /// True when the download was resumed, after a broken connection or from an earlier call.
        resumed: bool,
        /// Number of requests sent.
        attempts: u32,
        /// Seconds this call took.
        elapsed: f64,
        /// SHA-256 in hexadecimal, if requested.
        sha256: Option<String>,
        /// What the task cost, in the server's units (500000 = 1 USD), if a response or the journal said it.
        charged_units: Option<u64>,
        /// The same in USD.
        charged_usd: Option<f64>,
    }
}

impl From<junfeiai::Summary> for Summary {
    fn from(summary: junfeiai::Summary) -> Self {
        let charged_usd = summary.charged_usd();
        Self {
            path: FilePath(summary.path),
            bytes: summary.bytes,
            duration: summary.duration.map(|duration| duration.as_secs_f64()),
            width: summary.width,
            height: summary.height,
            resumed: summary.resumed,
            attempts: summary.attempts,
            elapsed: summary.elapsed.as_secs_f64(),
            charged_units: summary.charged_units,
            charged_usd,
            sha256: summary.sha256,
        }
    }
}

record! {
    /// Progress of a save.
    SaveProgress {
        /// Bytes saved so far, including those of earlier calls.
        bytes: u64,
        /// Length of the file in bytes, once known.
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
    /// A request that works but is not recommended, or something else that the caller should know.
    TaskWarning {
        /// The kind of warning: ``segment_model``, ``unusual_shape``, ``unusual_length``, ``billed_seconds_differ``,
        /// ``journal_failed``, ``price_unknown``.
        code: String,
        /// One line of text.
        message: String,
    }
}

impl From<&junfeiai::Warning> for TaskWarning {
    fn from(warning: &junfeiai::Warning) -> Self {
        Self { code: warning.code.name().to_owned(), message: warning.message.clone() }
    }
}

record! {
    /// The balance of a key.
    Balance {
        /// The key's name at the server.
        name: Option<String>,
        /// True when the key itself has no limit; the account still has one, which is not reported here.
        unlimited: bool,
        /// Remaining USD, at least 0; ``None`` when the key has no limit.
        available_usd: Option<f64>,
        /// Used USD.
        used_usd: f64,
        /// When the key expires, in Unix seconds; ``None`` when it does not.
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
    /// What a create request will cost. Not in the service document: observed.
    Estimate {
        /// The charge in the server's units (500000 = 1 USD); ``None`` when it is not known.
        units: Option<u64>,
        /// The same in USD.
        usd: Option<f64>,
        /// How sure that is: ``exact`` to the unit; ``rounded``, at most this; ``default_group``, for the price group that is
        /// assumed before the key's first charge; ``last_charge``, as the last charge of this model; ``unknown``.
        certainty: String,
        /// The most it can be in units by the listed prices, whatever the key's group; ``None`` without listed prices.
        units_at_most: Option<u64>,
        /// The seconds that the server will bill: 4 without a length, or with one that it cannot read.
        billed_seconds: u64,
        /// USD for one second of video before the group's ratio.
        price_per_second: Option<f64>,
        /// What the size multiplies the price by.
        size_ratio: f64,
        /// The key's price group, where its log names it.
        group: Option<String>,
        /// What the group multiplies the price by.
        group_ratio: Option<f64>,
        /// What the caller should know of it, a line each.
        notes: Vec<String>,
    }
}

impl From<junfeiai::Estimate> for Estimate {
    fn from(estimate: junfeiai::Estimate) -> Self {
        Self {
            units: estimate.units,
            usd: estimate.usd,
            certainty: estimate.certainty.name().to_owned(),
            units_at_most: estimate.units_at_most,
            billed_seconds: estimate.billed_seconds,
            price_per_second: estimate.price_per_second,
            size_ratio: estimate.size_ratio,
            group: estimate.group,
            group_ratio: estimate.group_ratio,
            notes: estimate.notes,
        }
    }
}

record! {
    /// One step of a check.
    CheckStep {
        /// Its stable name: ``dns connect tls answer base_url key clock proxy video_host models balance``.
        name: String,
        /// The result: ``ok``, ``warn``, ``fail`` or ``skipped``.
        status: String,
        /// What was found, one line.
        detail: String,
        /// What to do, one line, if anything.
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
    /// The check of one endpoint.
    EntryCheck {
        /// The base URL.
        endpoint: String,
        /// True for the endpoint that is in use now.
        in_use: bool,
        /// True when no step failed: as far as can be checked without creating a task, tasks can be created here.
        ok: bool,
        /// The steps, in order.
        steps: Vec<CheckStep>,
        /// Seconds from connecting to the end of the response.
        latency: Option<f64>,
        /// How many seconds this machine's clock is ahead of the server's; ``None`` when the server does not report its
        /// time.
        clock_skew: Option<i64>,
        /// The server's request id, for support.
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
    /// An entry of the journal that is not finished: a task, or a create request that may have been charged.
    Pending {
        /// ``task``: wait for it and save it. ``unknown``: a create request without a response; call
        /// ``reconcile``, or check your account's usage page, then call ``resolve_unknown``.
        kind: String,
        /// The task's id; ``None`` for a create request of unknown outcome.
        task_id: Option<String>,
        /// The journal's id of a create request of unknown outcome.
        intent: Option<String>,
        /// The requested model.
        model: String,
        /// The requested length, if known.
        seconds: Option<String>,
        /// Unix seconds of the create request.
        created_at: u64,
        /// For a task ``created`` or ``succeeded``; for a create request why its outcome is unknown, or ``charged`` when
        /// ``reconcile`` found its charge.
        state: String,
        /// SHA-256 of the request's body, if known.
        fingerprint: Option<String>,
        /// The prompt, if the client was made with ``journal_prompts``.
        prompt: Option<String>,
        /// The key under which it was created.
        key: Option<String>,
    }
}

record! {
    /// What the journal knows of a key.
    KeyRecord {
        /// The key.
        key: String,
        /// 1 for the first task of the key, one more for each that was created after a failed one.
        attempt: u32,
        /// ``sending``, ``unknown``, ``created``, ``succeeded``, ``failed``, ``saved`` or ``forgotten``.
        state: String,
        /// The task's id, once there is a task.
        task_id: Option<String>,
        /// The journal's id of the create request, for ``resolve_unknown``.
        intent: String,
        /// The requested model.
        model: String,
        /// Unix seconds of the create request.
        created_at: u64,
        /// Where the video was saved; in a state before ``saved``: where it was about to get its name.
        path: Option<FilePath>,
        /// Its length in bytes.
        bytes: Option<u64>,
        /// What the task cost, in the server's units (500000 = 1 USD), if that was seen; returned again if it failed.
        charged_units: Option<u64>,
    }
}

record! {
    /// What was created and charged on one day with one model, from the journal.
    Spending {
        /// The day of the create requests in UTC, as ``YYYY-MM-DD``.
        day: String,
        /// The requested model.
        model: String,
        /// Tasks created.
        creates: u64,
        /// What they cost, in the server's units (500000 = 1 USD), including what was returned since.
        charged_units: u64,
        /// The same in USD.
        charged_usd: f64,
        /// What the service returned of it, for failed tasks.
        refunded_units: u64,
        /// The same in USD.
        refunded_usd: f64,
        /// Tasks that failed.
        failed: u64,
        /// Create requests of unknown outcome, including those in flight: they may have been charged.
        unknown: u64,
        /// Tasks that have not failed and whose charge was never seen; not in ``charged_units``.
        uncharged: u64,
    }
}

impl From<junfeiai::Spending> for Spending {
    fn from(spending: junfeiai::Spending) -> Self {
        Self {
            day: spending.day,
            model: spending.model,
            creates: spending.creates,
            charged_units: spending.charged_units,
            charged_usd: spending.charged_usd,
            refunded_units: spending.refunded_units,
            refunded_usd: spending.refunded_usd,
            failed: spending.failed,
            unknown: spending.unknown,
            uncharged: spending.uncharged,
        }
    }
}

record! {
    /// A create request whose outcome was unknown, and what became of it.
    Settled {
        /// The journal's id of the create request.
        intent: String,
        /// The key under which it was sent.
        key: Option<String>,
        /// The requested model.
        model: String,
        /// The requested length, if known.
        seconds: Option<String>,
        /// Unix seconds of the create request.
        created_at: u64,
        /// ``charged``, ``not_charged``, ``under_way`` or ``not_known``.
        verdict: String,
        /// Why, in one sentence.
        reason: String,
        /// The task's id, if known: the task is pending now.
        task_id: Option<String>,
        /// The server's id of the request, if known.
        request_id: Option<String>,
        /// What it was charged in the server's units (500000 = 1 USD), if known. A failed task's charge was returned.
        charged_units: Option<i64>,
    }
}

record! {
    /// The result of ``reconcile``.
    Reconciliation {
        /// Every create request whose outcome was unknown, oldest first.
        entries: Vec<Settled>,
        /// Seconds until the server answers such questions again, if it refused them now.
        retry_after: Option<f64>,
    }
}

impl From<junfeiai::Settled> for Settled {
    fn from(settled: junfeiai::Settled) -> Self {
        Self {
            intent: settled.intent,
            key: settled.key,
            model: settled.model,
            seconds: settled.seconds,
            created_at: settled.at,
            verdict: settled.verdict.name().to_owned(),
            reason: settled.reason,
            task_id: settled.task_id,
            request_id: settled.request_id,
            charged_units: settled.charged_units,
        }
    }
}

impl From<junfeiai::Reconciliation> for Reconciliation {
    fn from(found: junfeiai::Reconciliation) -> Self {
        Self {
            entries: found.entries.into_iter().map(Settled::from).collect(),
            retry_after: found.retry_after.map(|time| time.as_secs_f64()),
        }
    }
}

impl From<junfeiai::KeyRecord> for KeyRecord {
    fn from(record: junfeiai::KeyRecord) -> Self {
        Self {
            key: record.key,
            attempt: record.attempt,
            state: record.state.name().to_owned(),
            task_id: record.task_id,
            intent: record.intent,
            model: record.model,
            created_at: record.created_at,
            path: record.path.map(|path| FilePath(path.into())),
            bytes: record.bytes,
            charged_units: record.charged_units,
        }
    }
}

impl Pending {
    /// Kinds that this binding does not know are left out.
    pub(crate) fn new_from(entry: junfeiai::Pending) -> Option<Self> {
        match entry {
            junfeiai::Pending::Task {
                task_id, model, seconds, created_at, state, fingerprint, prompt, key, ..
            } => Some(Self {
                kind: "task".to_owned(),
                task_id: Some(task_id),
                intent: None,
                model,
                seconds,
                created_at,
                state: state.name().to_owned(),
                fingerprint,
                prompt,
                key,
            }),
            junfeiai::Pending::Unknown { intent, fingerprint, model, seconds, at, reason, prompt, key, .. } => {
                Some(Self {
                    kind: "unknown".to_owned(),
                    task_id: None,
                    intent: Some(intent),
                    model,
                    seconds,
                    created_at: at,
                    state: reason,
                    fingerprint: Some(fingerprint),
                    prompt,
                    key,
                })
            }
            _ => None,
        }
    }
}

/// The result of ``resume_pending`` for one task.
#[pyclass(frozen, module = "junfeiai")]
pub(crate) struct Saved {
    task_id: String,
    summary: Option<Py<Summary>>,
    error: Option<Py<PyAny>>,
}

impl Saved {
    pub(crate) fn new_from(
        py: Python<'_>,
        task_id: String,
        result: junfeiai::Result<junfeiai::Summary>,
    ) -> PyResult<Self> {
        Ok(match result {
            Ok(summary) => Self { task_id, summary: Some(Py::new(py, Summary::from(summary))?), error: None },
            Err(error) => Self { task_id, summary: None, error: Some(exception(py, &error)?.unbind()) },
        })
    }
}

#[pymethods]
impl Saved {
    /// An error that was raised holds the frames that it went through, and one of them may hold this object.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.error)
    }

    #[staticmethod]
    #[pyo3(name = "_unpickled")]
    fn unpickled(task_id: String, summary: Option<Py<Summary>>, error: Option<Py<PyAny>>) -> PyResult<Self> {
        if summary.is_some() == error.is_some() {
            return Err(PyTypeError::new_err("it has either a summary or an error"));
        }
        Ok(Self { task_id, summary, error })
    }

    /// The task's id.
    #[getter]
    fn task_id(&self) -> &str {
        &self.task_id
    }

    /// The saved file; ``None`` on failure.
    #[getter]
    fn summary(&self, py: Python<'_>) -> Option<Py<Summary>> {
        self.summary.as_ref().map(|summary| summary.clone_ref(py))
    }

    /// Why it failed; ``None`` on success.
    #[getter]
    fn error(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.error.as_ref().map(|error| error.clone_ref(py))
    }

    /// Returns ``summary``, or raises ``error``.
    fn result(&self, py: Python<'_>) -> PyResult<Option<Py<Summary>>> {
        match &self.error {
            Some(error) => Err(PyErr::from_value(error.bind(py).clone())),
            None => Ok(self.summary(py)),
        }
    }

    /// ``task_id``, ``summary`` and ``error`` as a dict, for ``json.dumps``.
    fn to_dict<'py>(this: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        fields_to_dict(this, &["task_id", "summary", "error"])
    }

    fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
        let (id, outcome) =
            (quoted(this.py(), &this.get().task_id)?, if this.get().error.is_some() { "error" } else { "summary" });
        Ok(format!("Saved(task_id={id}, {outcome}={})", this.getattr(outcome)?.repr()?))
    }

    fn __reduce__<'py>(this: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let (class, fields) = reduced(this, &["task_id", "summary", "error"])?;
        Ok((class.getattr("_unpickled")?, fields))
    }
}

/// The result of ``check``. ``str()`` returns a readable text of several lines.
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
    /// True when the endpoint in use works and the video host responds.
    #[getter]
    fn ok(&self) -> bool {
        self.report.ok
    }

    /// This library's version.
    #[getter]
    fn version(&self) -> &'static str {
        self.report.version
    }

    /// Every endpoint, the preferred one first.
    #[getter]
    fn entries(&self) -> Vec<EntryCheck> {
        self.report.entries.iter().map(EntryCheck::from).collect()
    }

    /// ``proxy``, ``video_host``, ``models``, ``balance``, in this order.
    #[getter]
    fn steps(&self) -> Vec<CheckStep> {
        self.report.steps.iter().map(CheckStep::from).collect()
    }

    /// The models of this key, if requested and reported by the server.
    #[getter]
    fn models(&self) -> Option<Vec<String>> {
        self.report.models.clone()
    }

    /// The balance of the key, if requested and reported by the server.
    #[getter]
    fn balance(&self) -> Option<Balance> {
        self.report.balance.as_ref().map(Balance::from)
    }

    /// The report as a dict, for ``json.dumps``.
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

    fn __reduce__(this: &Bound<'_, Self>) -> PyResult<()> {
        Err(not_pickled(this, "send what its to_dict() returns, or str() of it"))
    }
}
