//! A store in `PostgreSQL`: one table for all journals of a database.
//!
//! `junfeiai_journal` has a row for each name. `trail` holds the versions and ids of its latest writes, in turn, the newest
//! first (see [`super::remote`]). A row that is removed stays for ten minutes without a value. Versions come from the sequence
//! `junfeiai_journal_version`, so none comes back. The row of the journal `""` with the name `format` says how all of this
//! is to be read.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::{fmt, io};

use rustls_pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::spawn_local;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row};
use tokio_rustls::TlsConnector;

use super::place::Place;
use super::remote::{PAGE, Page, REMEMBERED, Remote, Session, Swapped, Trouble, Write, chain, settle};
use super::tls;
use crate::error::Result;
use crate::protocol::journal_text::GONE;
use crate::store::{Store, Versioned, end_of_prefix, failed};

/// Every journal of this database is read as version 1 of the format.
const FORMAT: u64 = 1;

/// What the table is made of: names, types and the collations of texts.
const COLUMNS: &str =
    "journal text C, name text C, version bigint, value text C, trail bigint[], changed timestamp with time zone";

/// In one transaction, so all of it or nothing. The lock is there because `if not exists` alone fails when two do it at a time.
const CREATE: &str = r#"
select pg_advisory_xact_lock(7741023659221);
create table if not exists junfeiai_journal (
    journal text collate "C" not null,
    name text collate "C" not null,
    version bigint not null,
    value text collate "C",
    trail bigint[] not null,
    changed timestamptz not null default now(),
    primary key (journal, name)
);
create index if not exists junfeiai_journal_removed on junfeiai_journal (journal, changed) where value is null;
create sequence if not exists junfeiai_journal_version;
insert into junfeiai_journal (journal, name, version, value, trail)
    values ('', 'format', nextval('junfeiai_journal_version'), '{"format":1}', '{}') on conflict do nothing;
"#;

const SERVER: &str = r"
select current_setting('server_version_num')::int, current_setting('server_encoding'),
    pg_is_in_recovery() or current_setting('transaction_read_only') = 'on', current_setting('fsync'),
    (select string_agg(concat_ws(' ', attname, format_type(atttypid, null), nullif(collname, 'default')), ', ' order by attnum)
        from pg_attribute left join pg_collation on pg_collation.oid = attcollation
        where attrelid = to_regclass('junfeiai_journal') and attnum > 0 and not attisdropped),
    to_regclass('junfeiai_journal') is not null
";

const RIGHTS: &str = r"
select (select value from junfeiai_journal where journal = '' and name = 'format'),
    has_table_privilege('junfeiai_journal', 'insert') and has_table_privilege('junfeiai_journal', 'update')
        and has_table_privilege('junfeiai_journal', 'delete') and has_sequence_privilege('junfeiai_journal_version', 'usage')
";

const LOAD: &str = "select value, version from junfeiai_journal where journal = $1 and name = $2 and value is not null";

/// When it is sent again, a row that was removed since may have been written by it: then this writes nothing.
const INSERT: &str = r"
with new as materialized (select nextval('junfeiai_journal_version') as version)
insert into junfeiai_journal as old (journal, name, version, value, trail, changed)
    select $1, $2, version, $3, array[version, $4], clock_timestamp() from new
on conflict (journal, name) do update
    set version = excluded.version, value = excluded.value, trail = (excluded.trail || old.trail)[1:$5], changed = excluded.changed
    where old.value is null and $4 <> all(old.trail) and ($6 or array_length(old.trail, 1) < $5)
returning version
";

const UPDATE: &str = r"
with new as materialized (select nextval('junfeiai_journal_version') as version)
update junfeiai_journal as old
    set version = new.version, value = $3, trail = (array[new.version, $4] || old.trail)[1:$5], changed = clock_timestamp()
    from new where journal = $1 and name = $2 and old.version = $6 and value is not null
returning old.version
";

/// As [`UPDATE`] without a value. What was removed long ago is taken out, unless somebody else is just at it.
const REMOVE: &str = r"
with new as materialized (select nextval('junfeiai_journal_version') as version),
    swept as (
        delete from junfeiai_journal where ctid = any(array(
            select ctid from junfeiai_journal
                where journal = $1 and value is null and changed < now() - interval '10 minutes' and name <> $2
                limit 100 for update skip locked))
    )
update junfeiai_journal as old
    set version = new.version, value = $3, trail = (array[new.version, $4] || old.trail)[1:$5], changed = clock_timestamp()
    from new where journal = $1 and name = $2 and old.version = $6 and value is not null
returning old.version
";

const NOTHING: &str = r"
select nextval('junfeiai_journal_version')
    where not exists (select from junfeiai_journal where journal = $1 and name = $2 and value is not null)
";

const TRAIL: &str = "select trail from junfeiai_journal where journal = $1 and name = $2";

const SCAN: &str = r"
select value, version, name from junfeiai_journal
    where journal = $1 and name >= $2 and name > $3 and ($4 is null or name < $4) and value is not null
    order by name limit $5
";

pub(super) struct Settings {
    config: Config,
    tls: TlsConnector,
    target: String,
    journal: String,
    /// Longest that the server may work at one statement, in milliseconds.
    limit: u128,
    /// What can be lost has been said.
    warned: AtomicBool,
    /// The table was there.
    found: AtomicBool,
}

/// The store at this place; nothing is sent yet.
pub(super) fn open(place: &Place) -> Result<Arc<dyn Store>> {
    // `rustls` always looks at the certificate, which is what these two ask for.
    let strict = |parameter: &String| match parameter.as_str() {
        "sslmode=verify-full" | "sslmode=verify-ca" => "sslmode=require".to_owned(),
        _ => parameter.clone(),
    };
    let parameters: Vec<String> = place.others.iter().map(strict).collect();
    let url = zeroize::Zeroizing::new(format!("postgresql://{}?{}", place.body.as_str(), parameters.join("&")));
    let mut config: Config = url.parse().map_err(|_| {
        failed(
            "the place of the store cannot be read: it is postgresql://user:password@host:5432/database?journal=NAME, \
                with the parameters of libpq; what is no letter or digit in the password is percent-encoded",
        )
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(failed("the place of the store names no host: add it between \"@\" and \"/\""));
    }
    if config.get_application_name().is_none() {
        config.application_name("junfeiai");
    }
    let target = format!("PostgreSQL at {}", shown(&config));
    let tls = tls::connector(place.ca_file.as_deref(), Some(b"postgresql"))?;
    let settings = Settings {
        config,
        tls,
        target: target.clone(),
        journal: place.journal.clone(),
        limit: place.timeout.as_millis(),
        warned: AtomicBool::new(false),
        found: AtomicBool::new(false),
    };
    Ok(Arc::new(Remote::<Connected>::new(settings, target, place.timeout)))
}

/// Hosts, ports and database.
fn shown(config: &Config) -> String {
    let name = |host: &tokio_postgres::config::Host| match host {
        tokio_postgres::config::Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
    };
    let mut hosts: Vec<String> = config.get_hosts().iter().map(name).collect();
    if hosts.is_empty() {
        hosts = config.get_hostaddrs().iter().map(ToString::to_string).collect();
    }
    let ports = config.get_ports();
    for (number, host) in hosts.iter_mut().enumerate() {
        let port = ports.get(number).or(ports.first()).copied().unwrap_or(5432);
        *host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    }
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{}/{database}", hosts.join(","))
}

/// A session. Without prepared statements, so that it works through a pool of connections as well.
pub(super) struct Connected {
    client: Client,
    closed: Rc<Cell<bool>>,
    target: String,
    journal: String,
}

impl Session for Connected {
    type Settings = Settings;

    async fn connect(settings: &Settings) -> Result<Self, Trouble> {
        let refused = |error: &tokio_postgres::Error| trouble(&settings.target, error);
        let tls = MakeTls(settings.tls.clone());
        let (client, connection) = settings.config.connect(tls).await.map_err(|error| refused(&error))?;
        let closed = Rc::new(Cell::new(false));
        let told = closed.clone();
        spawn_local(async move {
            // Its error comes to those who asked as well.
            let _ = connection.await;
            told.set(true);
        });
        let session = Self { client, closed, target: settings.target.clone(), journal: settings.journal.clone() };
        session.prepare(settings).await?;
        Ok(session)
    }

    fn is_closed(&self) -> bool {
        self.closed.get() || self.client.is_closed()
    }

    async fn load(&self, name: &str) -> Result<Option<Versioned>, Trouble> {
        let rows = self.ask(LOAD, &[(&self.journal, Type::TEXT), (&name, Type::TEXT)]).await?;
        rows.first().map(|row| self.versioned(row)).transpose()
    }

    async fn swap(&self, write: &Write, again: bool) -> Result<Swapped, Trouble> {
        let version = write.expected.map(u64::cast_signed).unwrap_or_default();
        let trail = 2 * REMEMBERED;
        let mut all: [(&(dyn ToSql + Sync), Type); 6] = [
            (&self.journal, Type::TEXT),
            (&write.name, Type::TEXT),
            (&write.value, Type::TEXT),
            (&write.id, Type::INT8),
            (&trail, Type::INT4),
            (&version, Type::INT8),
        ];
        let first = !again;
        if write.expected.is_none() {
            all[5] = (&first, Type::BOOL);
        }
        let (statement, used) = match (write.expected, &write.value) {
            (None, None) => (NOTHING, 2),
            (None, Some(_)) => (INSERT, 6),
            (Some(_), Some(_)) => (UPDATE, 6),
            (Some(_), None) => (REMOVE, 6),
        };
        let rows = self.ask(statement, all.get(..used).unwrap_or(&all)).await?;
        if let Some(row) = rows.first() {
            return self.get::<i64>(row, 0).map(|version| Swapped::Written(version.cast_unsigned()));
        }
        if !again {
            return Ok(Swapped::Stale);
        }
        let rows = self.ask(TRAIL, all.get(..2).unwrap_or(&all)).await?;
        let trail: Vec<i64> = rows.first().map(|row| self.get(row, 0)).transpose()?.unwrap_or_default();
        let remembered: Vec<_> = trail.chunks_exact(2).map(|pair| (pair[0].cast_unsigned(), pair[1])).collect();
        Ok(settle(write, &remembered))
    }

    async fn page(&self, prefix: &str, after: Option<&str>) -> Result<Page, Trouble> {
        let (after, end, limit) = (after.unwrap_or_default(), end_of_prefix(prefix), i64::from(PAGE));
        let parameters: [(&(dyn ToSql + Sync), Type); 5] = [
            (&self.journal, Type::TEXT),
            (&prefix, Type::TEXT),
            (&after, Type::TEXT),
            (&end, Type::TEXT),
            (&limit, Type::INT8),
        ];
        let mut page = Page::default();
        for row in self.ask(SCAN, &parameters).await? {
            page.rows.push((self.get(&row, 2)?, self.versioned(&row)?));
        }
        if page.rows.len() == PAGE as usize {
            page.next = page.rows.last().map(|(name, _)| name.clone());
        }
        Ok(page)
    }
}

impl Connected {
    async fn ask(&self, statement: &str, parameters: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>, Trouble> {
        self.client.query_typed(statement, parameters).await.map_err(|error| trouble(&self.target, &error))
    }

    fn get<T: for<'a> tokio_postgres::types::FromSql<'a>>(&self, row: &Row, column: usize) -> Result<T, Trouble> {
        row.try_get(column).map_err(|error| trouble(&self.target, &error))
    }

    fn versioned(&self, row: &Row) -> Result<Versioned, Trouble> {
        Ok(Versioned { value: self.get(row, 0)?, version: self.get::<i64>(row, 1)?.cast_unsigned() })
    }

    fn refused(&self, why: impl fmt::Display) -> Trouble {
        Trouble::Refused(failed(format!("{}: {why}", self.target)))
    }

    /// Looks at the server and the table, which is made when there is none.
    async fn prepare(&self, settings: &Settings) -> Result<(), Trouble> {
        // `statement_timeout`: what we have given up must not take place long after. `local` and more than `on` stay.
        let limit = settings.limit;
        let session = format!(
            "set statement_timeout = {limit}; set default_transaction_isolation = 'read committed'; \
             select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
        );
        self.client.batch_execute(&session).await.map_err(|error| trouble(&self.target, &error))?;
        for made in [false, true] {
            let rows = self.ask(SERVER, &[]).await?;
            let row = rows.first().ok_or_else(|| Trouble::Lost("an answer without a row".to_owned()))?;
            let (version, encoding): (i32, String) = (self.get(row, 0)?, self.get(row, 1)?);
            if version < 120_000 {
                return Err(self.refused("PostgreSQL 12 or newer is needed: update the server"));
            }
            if encoding != "UTF8" {
                return Err(
                    self.refused(format!("its encoding is {encoding}: choose a database whose encoding is UTF8"))
                );
            }
            if self.get(row, 2)? {
                return Err(self.refused(
                    "it is read-only (a replica, or default_transaction_read_only is on): give the primary server, and a role that \
                     may write",
                ));
            }
            if self.get::<String>(row, 3)? == "off" && !settings.warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    store = self.target,
                    "fsync is off: a crash of the server's machine may lose what was written. Turn it on before you pay for tasks"
                );
            }
            if self.get(row, 5)? {
                self.check_table(self.get(row, 4)?).await?;
                settings.found.store(true, Ordering::Relaxed);
                return Ok(());
            }
            // Made anew it would know nothing of what was paid for.
            if settings.found.load(Ordering::Relaxed) {
                return Err(self.refused(format!("the table junfeiai_journal: {GONE}")));
            }
            if made {
                break;
            }
            self.client.batch_execute(CREATE).await.map_err(|error| match error.code() {
                Some(&SqlState::INSUFFICIENT_PRIVILEGE | &SqlState::INVALID_SCHEMA_NAME) => self.refused(format!(
                    "the table junfeiai_journal is missing and this role may not make it ({}): grant it CREATE on a schema of its \
                     search_path, or let another role connect once",
                    message(&error)
                )),
                _ => trouble(&self.target, &error),
            })?;
        }
        Err(self.refused(
            "the table junfeiai_journal is not found though it was made: correct the search_path of this role",
        ))
    }

    async fn check_table(&self, columns: Option<String>) -> Result<(), Trouble> {
        let foreign = "it has a table junfeiai_journal that this library did not make: rename it, or choose another database or schema";
        if columns.as_deref() != Some(COLUMNS) {
            return Err(self.refused(foreign));
        }
        let rows = self.ask(RIGHTS, &[]).await?;
        let row = rows.first().ok_or_else(|| Trouble::Lost("an answer without a row".to_owned()))?;
        let format: Option<String> = self.get(row, 0)?;
        let format = format.ok_or_else(|| self.refused(foreign))?;
        let known = serde_json::from_str::<Value>(&format).is_ok_and(|value| value["format"] == FORMAT);
        if !known {
            return Err(
                self.refused("the table junfeiai_journal was made by a newer version of junfeiai: update this program")
            );
        }
        if !self.get::<bool>(row, 1)? {
            return Err(self.refused(
                "this role may not write the table junfeiai_journal: grant it SELECT, INSERT, UPDATE and DELETE, and USAGE on the \
                 sequence junfeiai_journal_version",
            ));
        }
        Ok(())
    }
}

/// What the server says, or what happened instead.
fn message(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| chain(error), |error| error.message().to_owned())
}

fn trouble(target: &str, error: &tokio_postgres::Error) -> Trouble {
    let refused = |why: String| Trouble::Refused(failed(format!("{target}: {why}")));
    let text = message(error);
    let Some(code) = error.code() else {
        if let Some(why) = tls::refusal(error) {
            return refused(why.replace("ca_file", "sslrootcert"));
        }
        let kind = error.to_string();
        let settled =
            ["error performing TLS handshake", "authentication error", "invalid configuration", "unsupported"];
        return if settled.iter().any(|word| kind.starts_with(word)) { refused(text) } else { Trouble::Lost(text) };
    };
    match (code.code(), code.code().get(..2).unwrap_or_default()) {
        // The connection; too many of them; the server stops, starts, or has become a replica; a statement that took too long
        // or met another; a deadlock.
        (_, "08" | "40") | ("53300" | "57P01" | "57P02" | "57P03" | "57P05" | "57014" | "55P03" | "25006", _) => {
            Trouble::Lost(text)
        }
        ("53100", _) => refused(format!("the server has no room left: {text}")),
        (_, "28") => refused(format!("{text}: check user and password of the place")),
        ("3D000", _) => refused(format!("{text}: create it, or correct the place")),
        ("42501", _) => refused(format!("{text}: grant the role what is missing")),
        _ => refused(text),
    }
}

/// TLS by rustls, as tokio-postgres asks for it. Without channel binding, which would need a reader of certificates: the
/// certificate itself is checked.
#[derive(Clone)]
struct MakeTls(TlsConnector);

struct ConnectTls {
    connector: TlsConnector,
    host: Option<ServerName<'static>>,
}

struct Encrypted<T>(tokio_rustls::client::TlsStream<T>);

type Connecting<T> = Pin<Box<dyn Future<Output = io::Result<Encrypted<T>>> + Send>>;

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<T> for MakeTls {
    type Stream = Encrypted<T>;
    type TlsConnect = ConnectTls;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> io::Result<ConnectTls> {
        // A name that none can be is an error only when TLS is asked for: a socket of this machine has none.
        Ok(ConnectTls { connector: self.0.clone(), host: ServerName::try_from(domain.to_owned()).ok() })
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<T> for ConnectTls {
    type Stream = Encrypted<T>;
    type Error = io::Error;
    type Future = Connecting<T>;

    fn connect(self, stream: T) -> Connecting<T> {
        Box::pin(async move {
            let host = self.host.ok_or_else(|| io::Error::other("the host is no name that a certificate can have"))?;
            self.connector.connect(host, stream).await.map(Encrypted)
        })
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<T> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}
