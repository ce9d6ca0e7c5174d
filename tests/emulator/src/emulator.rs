//! The handle that tests hold: an emulator on a thread of its own.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use tokio::{runtime, sync::oneshot};

use crate::{
    Fault, Match, Op, RecordedRequest, Rule, Scenario, ScenarioError, Stats, TaskSpec, routes::router, rules::HostName,
    server, state::State, tls::Certificates, video::CHUNK,
};

/// How to start an [`Emulator`].
#[derive(Debug, Clone)]
pub struct Builder {
    host: IpAddr,
    port: u16,
    second_port: Option<u16>,
    api_key: String,
    time_scale: f64,
    video_bytes: Option<u64>,
    tls: bool,
    scenario: Scenario,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            second_port: None,
            api_key: "sk-test".into(),
            time_scale: 60.0,
            video_bytes: None,
            tls: false,
            scenario: Scenario::default(),
        }
    }
}

impl Builder {
    /// The key that works, with a large balance. Default `sk-test`.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.api_key = key.into();
        self
    }

    /// Service seconds per real second. Default 60.
    #[must_use]
    pub fn time_scale(mut self, scale: f64) -> Self {
        self.time_scale = scale;
        self
    }

    /// The port; 0 lets the system choose.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The address to listen at. Default `127.0.0.1`.
    #[must_use]
    pub fn host(mut self, host: IpAddr) -> Self {
        self.host = host;
        self
    }

    /// Open a second host (a second port) for the same files.
    #[must_use]
    pub fn second_host(mut self, yes: bool) -> Self {
        self.second_port = yes.then_some(0);
        self
    }

    /// Open the second host at this port; 0 lets the system choose.
    #[must_use]
    pub fn second_port(mut self, port: u16) -> Self {
        self.second_port = Some(port);
        self
    }

    /// Size of every file whose task does not say another.
    #[must_use]
    pub fn video_bytes(mut self, bytes: u64) -> Self {
        self.video_bytes = Some(bytes);
        self
    }

    /// Speak TLS on every port, with certificates of a CA made at the start: [`Emulator::ca_pem`]. Only `/__emulator/` can be
    /// asked without it as well.
    #[must_use]
    pub fn tls(mut self, yes: bool) -> Self {
        self.tls = yes;
        self
    }

    /// The scenario to start with.
    #[must_use]
    pub fn scenario(mut self, scenario: Scenario) -> Self {
        self.scenario = scenario;
        self
    }

    /// Opens the ports and starts to serve.
    pub fn start(self) -> io::Result<Emulator> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        self.scenario.check().map_err(|error| invalid(error.to_string()))?;
        if !self.time_scale.is_finite() || self.time_scale <= 0.0 {
            return Err(invalid("the time scale must be a positive number".into()));
        }
        let first = listen(self.host, self.port)?;
        let second = self.second_port.map(|port| listen(self.host, port)).transpose()?;
        let address = first.local_addr()?;
        let second_address = second.as_ref().map(TcpListener::local_addr).transpose()?;
        let scheme = if self.tls { "https" } else { "http" };
        let certificates = self.tls.then(|| Certificates::new(self.host)).transpose()?;
        let state = State::new(
            format!("{scheme}://{address}"),
            second_address.map(|address| format!("{scheme}://{address}")),
            certificates,
            self.api_key,
            self.time_scale,
            self.video_bytes,
            self.scenario,
        );
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("junfeiai-emulator".into()).spawn(move || {
            let router = router(Arc::clone(&shared));
            runtime.spawn(server::run(Arc::clone(&shared), router.clone(), HostName::First, first));
            if let Some(second) = second {
                runtime.spawn(server::run(shared, router, HostName::Second, second));
            }
            // Either word or loss of the handle ends it.
            runtime.block_on(stopped).ok();
            // A bound only: what is under way ends at its next wait, and the port is free then.
            runtime.shutdown_timeout(Duration::from_secs(10));
        })?;
        Ok(Emulator { state, address, second_address, stop: Some(stop), thread: Some(thread) })
    }
}

fn listen(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(SocketAddr::new(host, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// A running emulator. Dropping it closes every connection and both ports at once.
#[derive(Debug)]
pub struct Emulator {
    state: Arc<State>,
    address: SocketAddr,
    second_address: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Options for a new one.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The base URL for clients: `http://127.0.0.1:PORT/v1`, or with `https`.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.state.origin)
    }

    /// What a client that is to trust the emulator has to be given as its CA, with TLS: the CA made at the start, or the
    /// certificate itself where the scenario has one that is signed by itself.
    pub fn ca_pem(&self) -> Option<String> {
        self.state.ca_pem()
    }

    /// `http://127.0.0.1:PORT`, or with `https`.
    pub fn origin(&self) -> String {
        self.state.origin.clone()
    }

    /// The other host's origin, where there is one.
    pub fn second_origin(&self) -> Option<String> {
        self.state.second.clone()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The other host's port, where there is one.
    pub fn second_port(&self) -> Option<u16> {
        self.second_address.map(|address| address.port())
    }

    /// Changes the behaviour from the next request on; counters of rules start anew, tasks stay.
    ///
    /// # Panics
    /// When a value is out of its bounds; [`Emulator::set_scenario_json`] returns that as an error.
    pub fn set_scenario(&self, scenario: Scenario) {
        if let Err(error) = scenario.check() {
            panic!("scenario: {error}");
        }
        self.state.set_scenario(scenario);
    }

    /// The same from JSON.
    pub fn set_scenario_json(&self, json: &str) -> Result<(), ScenarioError> {
        self.state.set_scenario(Scenario::from_json(json)?);
        Ok(())
    }

    /// Lets `fault` strike the next `times` requests of this kind, behind the faults that were asked for before.
    ///
    /// # Panics
    /// When a value of the fault is out of its bounds.
    pub fn fault(&self, op: Op, times: u32, fault: Fault) {
        self.add_rule(Rule { matches: Match { op, ..Match::default() }, times: Some(times), fault });
    }

    /// Adds a rule behind the others, whose counters go on.
    ///
    /// # Panics
    /// When a value is out of its bounds.
    pub fn add_rule(&self, rule: Rule) {
        if let Err(error) = self.state.add_rule(rule) {
            panic!("rule: {error}");
        }
    }

    /// What arrived since the start or the last clearing.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.log.snapshot()
    }

    /// Forgets what arrived.
    pub fn clear_requests(&self) {
        self.state.log.clear();
    }

    /// How many tasks POSTs have really made: each one cost money.
    pub fn created_tasks(&self) -> usize {
        self.state.lock().stats.created_tasks
    }

    /// All counters.
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// Ids of all tasks, in no particular order.
    pub fn task_ids(&self) -> Vec<String> {
        self.state.lock().tasks.keys().cloned().collect()
    }

    /// The JSON that a task was made with, extra fields included.
    pub fn task_request(&self, task_id: &str) -> Option<serde_json::Value> {
        self.state.lock().tasks.get(task_id).map(|task| task.request.clone())
    }

    /// Puts a task into the store without a POST and without a charge.
    pub fn add_task(&self, spec: TaskSpec) -> String {
        self.state.add_task(spec)
    }

    /// The exact bytes of a task's file, whatever its state.
    pub fn video_bytes(&self, task_id: &str) -> Option<Bytes> {
        let file = self.state.file(task_id)?;
        let mut all = BytesMut::with_capacity(file.len() as usize);
        if file.len() <= CHUNK as u64 {
            return Some(file.read(0, CHUNK));
        }
        while (all.len() as u64) < file.len() {
            all.extend_from_slice(&file.read(all.len() as u64, CHUNK));
        }
        Some(all.freeze())
    }

    /// A part of a task's file, for files that are too large to hold.
    pub fn video_range(&self, task_id: &str, start: u64, length: usize) -> Option<Bytes> {
        Some(self.state.file(task_id)?.read(start, length))
    }

    /// Forgets tasks, log and counters, and behaves healthily again.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Ends it; the same as dropping.
    pub fn stop(self) {}
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
