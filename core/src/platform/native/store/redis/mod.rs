//! A store in Redis or Valkey: four keys for each journal, in one slot of a cluster.
//!
//! `junfeiai:{NAME}:rows` is a hash with a field for each row (`swap.lua` says how it is written), `:names` a sorted set of the
//! names, for scans, `:removed` one of the rows that were removed in the last ten minutes, by the server's time, and `:meta` a
//! hash with the format and the latest version. Rows are written by a script, which the server runs as one step.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, RedisConnectionInfo, RedisError, ServerErrorKind, cmd,
};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio_rustls::TlsConnector;

use super::place::{Place, Scheme, decode};
use super::remote::{PAGE, Page, REMEMBERED, Remote, Session, Swapped, Trouble, Write, chain};
use super::tls;
use crate::error::Result;
use crate::protocol::journal_text::GONE;
use crate::store::{Store, Versioned, end_of_prefix, failed};

/// How the keys of a journal are to be read.
const FORMAT: &str = "1";
/// How often a cluster may send us on to another node.
const HOPS: usize = 4;

const BEGIN: &str = include_str!("begin.lua");
const SWAP: &str = include_str!("swap.lua");

pub(super) struct Settings {
    host: String,
    port: u16,
    login: RedisConnectionInfo,
    tls: Option<TlsConnector>,
    target: String,
    /// Rows, names, meta, removed.
    keys: [String; 4],
    /// Every write waits for the disk.
    fsync_always: bool,
    /// Longest that it waits there, in milliseconds.
    limit: u128,
    /// What can be lost has been said.
    warned: AtomicBool,
    /// When the journal was begun that this store uses, once it has found one.
    begun: OnceLock<String>,
}

/// The store at this place; nothing is sent yet.
pub(super) fn open(place: &Place) -> Result<Arc<dyn Store>> {
    let settings = Settings::new(place)?;
    let target = settings.target.clone();
    Ok(Arc::new(Remote::<Connected>::new(settings, target, place.timeout)))
}

impl Settings {
    fn new(place: &Place) -> Result<Self> {
        let broken = || {
            failed(
                "the place of the store cannot be read: it is redis://user:password@host:6379/0?journal=NAME; what is no letter \
                    or digit in the password is percent-encoded",
            )
        };
        if !place.others.is_empty() {
            return Err(failed(
                "the place of the store has an unknown parameter: there are journal, timeout, ca_file and fsync",
            ));
        }
        let (authority, path) = place.body.split_once('/').unwrap_or((&place.body, ""));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let mut login = RedisConnectionInfo::default().set_lib_name("junfeiai", env!("CARGO_PKG_VERSION"));
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        if !name.is_empty() {
            login = login.set_username(decode(name).ok_or_else(broken)?.as_str());
        }
        if !password.is_empty() {
            login = login.set_password(decode(password).ok_or_else(broken)?.as_str());
        }
        if !path.is_empty() {
            login = login.set_db(path.parse::<u16>().map_err(|_| broken())?.into());
        }
        let (host, port) = split_host(host).ok_or_else(broken)?;
        let scheme = if place.scheme == (Scheme::Redis { tls: true }) { Some(()) } else { None };
        let tls = scheme.map(|()| tls::connector(place.ca_file.as_deref(), None)).transpose()?;
        let key = |part: &str| format!("junfeiai:{{{}}}:{part}", place.journal);
        Ok(Self {
            target: format!("Redis at {host}:{port}"),
            host,
            port,
            login,
            tls,
            keys: [key("rows"), key("names"), key("meta"), key("removed")],
            fsync_always: place.fsync_always,
            limit: place.timeout.as_millis(),
            warned: AtomicBool::new(false),
            begun: OnceLock::new(),
        })
    }
}

/// Host and port; the host without the brackets of IPv6.
fn split_host(text: &str) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("6379"))?),
        None => text.rsplit_once(':').unwrap_or((text, "6379")),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let named = !host.is_empty() && (host.bytes().all(fits) || host.parse::<IpAddr>().is_ok());
    Some((host.to_owned(), port.parse().ok()?)).filter(|_| named)
}

/// A script, and the name that the server gave it.
struct Script {
    text: &'static str,
    /// None where it may not be loaded.
    sha: Option<String>,
}

pub(super) struct Connected {
    connection: MultiplexedConnection,
    closed: Rc<Cell<bool>>,
    settings: Rc<Target>,
    swap: Script,
    /// When the journal was begun.
    begun: String,
    /// `WAITAOF` follows every write.
    wait_for_disk: bool,
}

/// What errors and commands need of the settings.
struct Target {
    name: String,
    keys: [String; 4],
    limit: u128,
}

impl Session for Connected {
    type Settings = Settings;

    async fn connect(settings: &Settings) -> Result<Self, Trouble> {
        let (mut host, mut port) = (settings.host.clone(), settings.port);
        for _ in 0..HOPS {
            let mut session = Self::connect_to(settings, &host, port).await?;
            let in_use = if settings.begun.get().is_some() { "1" } else { "0" };
            let begun = session.eval(&Script { text: BEGIN, sha: None }, vec![FORMAT.into(), in_use.into()]).await;
            match begun {
                Ok(found) => {
                    session.begun = session.check(found.as_deref(), &settings.begun)?;
                    session.check_durability(settings).await?;
                    let load: Result<String, _> = session.query(cmd("SCRIPT").arg("LOAD").arg(SWAP)).await;
                    session.swap.sha = load.ok();
                    return Ok(session);
                }
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                    return Err(session.read_only());
                }
                Err(error) => match moved(&error, &host) {
                    Some(node) => (host, port) = node,
                    None => return Err(session.trouble(&error)),
                },
            }
        }
        Err(Trouble::Lost("the nodes of the cluster send us from one to the other".to_owned()))
    }

    fn is_closed(&self) -> bool {
        self.closed.get()
    }

    async fn load(&self, name: &str) -> Result<Option<Versioned>, Trouble> {
        let row: Option<String> = self.ask(cmd("HGET").arg(self.key(0)).arg(name)).await?;
        row.as_deref().map_or(Ok(None), |row| self.read(name, row))
    }

    async fn swap(&self, write: &Write, again: bool) -> Result<Swapped, Trouble> {
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let parameters = vec![
            write.name.clone(),
            write.expected.map(|version| version.to_string()).unwrap_or_default(),
            write.value.clone().unwrap_or_default(),
            flag(write.value.is_some()),
            write.id.to_string(),
            flag(again),
            REMEMBERED.to_string(),
            FORMAT.to_owned(),
            self.begun.clone(),
        ];
        let answer = self.eval(&self.swap, parameters).await.map_err(|error| self.trouble(&error))?;
        let written = match answer.as_deref() {
            None => return Ok(Swapped::Stale),
            Some("unknown") => return Ok(Swapped::Unknown),
            // The keys were removed meanwhile. The next connection says it, or finds that they are back.
            Some("gone") => return Err(Trouble::Lost("the keys of the journal are gone".to_owned())),
            Some(version) => version.parse().map_err(|_| self.refused("the version of a row is no number"))?,
        };
        if self.wait_for_disk {
            self.wait_for_disk().await?;
        }
        Ok(Swapped::Written(written))
    }

    async fn page(&self, prefix: &str, after: Option<&str>) -> Result<Page, Trouble> {
        let from = after.map_or_else(|| format!("[{prefix}"), |after| format!("({after}"));
        let end = end_of_prefix(prefix).map_or_else(|| "+".to_owned(), |end| format!("({end}"));
        let mut names = cmd("ZRANGEBYLEX");
        names.arg(self.key(1)).arg(from).arg(end).arg("LIMIT").arg(0).arg(PAGE);
        let names: Vec<String> = self.ask(&names).await?;
        let mut page = Page::default();
        if names.is_empty() {
            return Ok(page);
        }
        if names.len() == PAGE as usize {
            page.next = names.last().cloned();
        }
        let rows: Vec<Option<String>> = self.ask(cmd("HMGET").arg(self.key(0)).arg(&names)).await?;
        for (name, row) in names.into_iter().zip(rows) {
            // Removed since its name was read.
            if let Some(row) = row.as_deref().map_or(Ok(None), |row| self.read(&name, row))? {
                page.rows.push((name, row));
            }
        }
        Ok(page)
    }
}

impl Connected {
    async fn connect_to(settings: &Settings, host: &str, port: u16) -> Result<Self, Trouble> {
        let at = |why: String| Trouble::Lost(format!("{host}:{port}: {why}"));
        let stream = TcpStream::connect((host, port)).await.map_err(|error| at(error.to_string()))?;
        let _ = stream.set_nodelay(true);
        let Some(tls) = &settings.tls else {
            return Self::log_in(settings, stream).await;
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            Trouble::Refused(failed(format!("{}: the host is no name that a certificate can have", settings.target)))
        })?;
        match tls.connect(name, stream).await {
            Ok(stream) => Self::log_in(settings, stream).await,
            Err(error) => Err(match tls::refusal(&error) {
                Some(why) => Trouble::Refused(failed(format!("{}: {why}", settings.target))),
                None => at(format!("no secure connection: {error}")),
            }),
        }
    }

    async fn log_in(
        settings: &Settings,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Self, Trouble> {
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(&settings.login, stream, config)
            .await
            .map_err(|error| trouble(&settings.target, &error))?;
        let closed = Rc::new(Cell::new(false));
        let told = closed.clone();
        spawn_local(async move {
            driver.await;
            told.set(true);
        });
        let target = Target { name: settings.target.clone(), keys: settings.keys.clone(), limit: settings.limit };
        let swap = Script { text: SWAP, sha: None };
        Ok(Self { connection, closed, settings: Rc::new(target), swap, begun: String::new(), wait_for_disk: false })
    }

    /// What was found of the journal. Another than the one in use knows nothing of what was paid for.
    fn check(&self, found: Option<&str>, in_use: &OnceLock<String>) -> Result<String, Trouble> {
        match found.and_then(|found| found.split_once(' ')).unwrap_or((found.unwrap_or_default(), "")) {
            (FORMAT, begun) if in_use.get_or_init(|| begun.to_owned()) == begun => Ok(begun.to_owned()),
            (FORMAT | "gone", _) => Err(self.refused(format!("the journal's keys ({}, …): {GONE}", self.key(0)))),
            ("foreign", _) => Err(self.refused(format!(
                "the keys {} and their like are not of this library: choose another journal name, or another database",
                self.key(0)
            ))),
            _ => Err(self.refused("the journal was made by a newer version of junfeiai: update this program, or choose another journal name")),
        }
    }

    /// What the server may lose, and whether it can be written to.
    async fn check_durability(&mut self, settings: &Settings) -> Result<(), Trouble> {
        let info: String = self.query(cmd("INFO").arg("all")).await.unwrap_or_default();
        let info: HashMap<&str, &str> = info.lines().filter_map(|line| line.split_once(':')).collect();
        if info.get("role") == Some(&"slave") && info.get("slave_read_only") != Some(&"0") {
            return Err(self.read_only());
        }
        // Where CONFIG is forbidden, as by many providers, INFO says most of it.
        let mut known: HashMap<String, String> = HashMap::new();
        for names in ["append*", "maxmemory*"] {
            let more: Result<HashMap<String, String>, _> = self.query(cmd("CONFIG").arg("GET").arg(names)).await;
            known.extend(more.unwrap_or_default());
        }
        let told = |name: &str| known.get(name).map(String::as_str);
        let append_only = told("appendonly").map(|on| on == "yes").or(info.get("aof_enabled").map(|on| *on == "1"));
        let fsync = told("appendfsync");
        let memory = told("maxmemory").or(info.get("maxmemory").copied()).unwrap_or("0");
        let policy = told("maxmemory-policy").or(info.get("maxmemory_policy").copied()).unwrap_or("noeviction");
        if settings.fsync_always && !(append_only == Some(true) && fsync == Some("always")) {
            self.wait_for_disk = true;
            self.wait_for_disk().await.map_err(|_| {
                self.refused(
                    "fsync=always cannot be kept: set appendonly yes and appendfsync always on the server, or appendonly yes on one \
                     with WAITAOF (Redis 7.2, Valkey 7.2 and newer)",
                )
            })?;
        }
        if settings.warned.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let store = &settings.target;
        if append_only == Some(false) {
            tracing::warn!(
                store,
                "the server has no append-only file: what was written since its last snapshot is lost when it ends. Set appendonly yes before you pay for tasks"
            );
        } else if fsync == Some("no") {
            tracing::warn!(
                store,
                "appendfsync is no: a crash of the server's machine loses what the system had not written, 30 seconds or more. Set everysec or always"
            );
        }
        if memory != "0" && policy != "noeviction" {
            tracing::warn!(
                store,
                policy,
                "the server removes keys when its memory is full, the journal's too. Set maxmemory-policy noeviction"
            );
        }
        Ok(())
    }

    async fn wait_for_disk(&self) -> Result<(), Trouble> {
        let mut wait = cmd("WAITAOF");
        wait.arg(1).arg(0).arg(u64::try_from(self.settings.limit).unwrap_or(u64::MAX));
        let written: (u64, u64) = self.ask(&wait).await?;
        if written.0 == 0 {
            Err(Trouble::Lost("the disk of the server did not take it in time".to_owned()))
        } else {
            Ok(())
        }
    }

    fn key(&self, number: usize) -> &str {
        self.settings.keys.get(number).map_or("", String::as_str)
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        command.query_async(&mut self.connection.clone()).await
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Trouble> {
        self.query(command).await.map_err(|error| self.trouble(&error))
    }

    /// Runs a script: by its name where the server knows it.
    async fn eval(&self, script: &Script, parameters: Vec<String>) -> Result<Option<String>, RedisError> {
        let command = |name: &str, script: &str| {
            let mut command = cmd(name);
            command.arg(script).arg(self.settings.keys.len()).arg(&self.settings.keys).arg(&parameters);
            command
        };
        if let Some(sha) = &script.sha {
            match self.query(&command("EVALSHA", sha)).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {}
                answer => return answer,
            }
        }
        self.query(&command("EVAL", script.text)).await
    }

    /// A row as it is kept.
    fn read(&self, name: &str, row: &str) -> Result<Option<Versioned>, Trouble> {
        // Without a value it was removed.
        let Some((trail, value)) = row.split_once('\n') else { return Ok(None) };
        let version = trail.split(' ').next().and_then(|version| version.parse().ok());
        let version = version
            .ok_or_else(|| self.refused(format!("the row {name:?} was written by another program: remove it")))?;
        Ok(Some(Versioned { value: value.to_owned(), version }))
    }

    fn refused(&self, why: impl std::fmt::Display) -> Trouble {
        Trouble::Refused(failed(format!("{}: {why}", self.settings.name)))
    }

    fn read_only(&self) -> Trouble {
        self.refused("it is a read-only replica: give the primary server")
    }

    fn trouble(&self, error: &RedisError) -> Trouble {
        trouble(&self.settings.name, error)
    }
}

/// Where a node of a cluster says that the keys are. Without a host it is the same one.
fn moved(error: &RedisError, host: &str) -> Option<(String, u16)> {
    if error.kind() != ErrorKind::Server(ServerErrorKind::Moved) {
        return None;
    }
    let (node, port) = error.redirect_node()?.0.rsplit_once(':')?;
    let node = node.trim_start_matches('[').trim_end_matches(']');
    Some((if node.is_empty() || node == "?" { host } else { node }.to_owned(), port.parse().ok()?))
}

fn trouble(target: &str, error: &RedisError) -> Trouble {
    use ServerErrorKind as Server;
    let refused = |why: String| Trouble::Refused(failed(format!("{target}: {why}")));
    let text = chain(error);
    match (error.kind(), error.code().unwrap_or_default()) {
        (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS" | "NOAUTH") => {
            refused("it does not take user and password: check those of the place".to_owned())
        }
        (ErrorKind::Server(Server::NoPerm), _) => refused(format!(
            "{text}: allow this user ~junfeiai:* and the commands eval, evalsha, script, type, exists, time, hget, hset, hmget, hdel, \
             hincrby, zadd, zrem, zrangebylex and zrangebyscore"
        )),
        (_, "OOM") => refused(format!("the server has no memory left: {text}")),
        (_, "MISCONF") => refused(format!("the server takes no writes: {text}")),
        (_, "WRONGTYPE") => refused(format!("the keys of the journal were changed by another program: {text}")),
        (
            ErrorKind::Server(
                Server::BusyLoading
                | Server::TryAgain
                | Server::ClusterDown
                | Server::MasterDown
                | Server::Moved
                | Server::Ask
                | Server::ReadOnly,
            )
            | ErrorKind::Io
            | ErrorKind::Parse,
            _,
        )
        | (_, "BUSY" | "NOREPLICAS") => Trouble::Lost(text),
        _ => refused(text),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read() {
        let settings = |text: &str| Settings::new(&Place::parse(text).unwrap());
        let one = settings("redis://me:p%40ss%2F@db.example:7000/3?journal=video").unwrap();
        assert_eq!((one.host.as_str(), one.port, one.login.db()), ("db.example", 7000, 3));
        assert_eq!((one.login.username(), one.login.password()), (Some("me"), Some("p@ss/")));
        assert_eq!(one.keys[0], "junfeiai:{video}:rows");
        let two = settings("valkeys://:secret@[::1]").unwrap();
        assert_eq!((two.host.as_str(), two.port, two.tls.is_some()), ("::1", 6379, true));
        assert_eq!((two.login.username(), two.login.password()), (None, Some("secret")));
        for broken in [
            "redis://",
            "redis://u:secret/x@h",
            "redis://h:x",
            "redis://u:%@h",
            "redis://h/secret",
            "redis://h?secret=1",
        ] {
            let error = settings(broken).err().unwrap();
            assert!(!format!("{error} {error:?}").contains("secret"), "{broken}");
        }
    }
}
