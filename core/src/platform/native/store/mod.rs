//! Stores in databases that many machines share: `PostgreSQL` and Redis or Valkey.

// What only one of the databases asks for is not asked for in a build without it.
#[cfg_attr(not(all(feature = "postgres", feature = "redis")), allow(dead_code))]
mod place;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "postgres", feature = "redis"))]
#[cfg_attr(not(feature = "postgres"), allow(dead_code))]
mod remote;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod tls;

use std::path::Path;
use std::sync::Arc;

use self::place::{Place, Scheme};
use crate::error::Result;
use crate::journal::Journal;
use crate::net::secret::ApiKey;
use crate::platform::native::file_journal::FileJournal;
use crate::platform::native::process::System;
use crate::store::{Store, failed};
use crate::store_journal::StoreJournal;

/// The journal at this place: a file, or a database by its URL (see [`open_store`]), where `account=same` takes in another
/// API key of the same account.
///
/// # Errors
/// `journal` when the file cannot be one, or the URL cannot be used.
pub(crate) fn open_journal(place: &Path, key: Option<&ApiKey>) -> Result<Arc<dyn Journal>> {
    let Some(text) = place.to_str().filter(|text| is_url(text)) else { return Ok(Arc::new(FileJournal::open(place)?)) };
    if !text.contains("://") {
        // What a path object makes of an address.
        return Err(failed("the journal is the address of a database that was taken for a path: give it as a string"));
    }
    let (text, same_account) = without_account(text)?;
    let journal = StoreJournal::new(open_store(&text)?).processes(Arc::new(System));
    Ok(Arc::new(journal.account_of(key, same_account)))
}

fn is_url(text: &str) -> bool {
    const SCHEMES: [&str; 6] = ["postgresql", "postgres", "redis", "rediss", "valkey", "valkeys"];
    let scheme = |name: &&str| text.strip_prefix(*name).is_some_and(|rest| rest.starts_with(":/"));
    text.contains("://") || SCHEMES.iter().any(scheme)
}

/// The address without `account=same`, and whether it was there.
fn without_account(text: &str) -> Result<(String, bool)> {
    let Some((address, query)) = text.split_once('?') else { return Ok((text.to_owned(), false)) };
    let (ours, others): (Vec<_>, Vec<_>) = query.split('&').partition(|part| part.starts_with("account="));
    if ours.iter().any(|part| *part != "account=same") {
        return Err(failed("account of the place can only be \"same\": leave it out otherwise"));
    }
    let query = others.join("&");
    let text = if query.is_empty() { address.to_owned() } else { format!("{address}?{query}") };
    Ok((text, !ours.is_empty()))
}

/// The store at this place:
///
/// * `postgresql://user:password@host:5432/database?journal=NAME` (Cargo feature `postgres`): rows in the table
///   `junfeiai_journal`, which is made when it is missing. Further parameters are those of the URLs of `libpq` that
///   `tokio-postgres` knows; `sslmode` is `prefer` by default. Certificates are always checked.
/// * `redis://user:password@host:6379/0?journal=NAME`, `rediss://` for TLS, `valkey://` and `valkeys://` likewise (Cargo feature
///   `redis`): keys that begin with `junfeiai:{NAME}:`. `fsync=always` waits for the disk at every write.
///
/// `journal` names what is kept apart in one database: 1 to 64 of the characters `A-Z a-z 0-9 . _ -`, `default` by default.
/// `timeout` is how long one operation takes at most, in seconds: 5 by default, from 0.1 to 60. `ca_file` (`sslrootcert`
/// likewise) is a PEM file of certificates to believe besides those of the system.
///
/// Nothing is sent yet: the connection is made by the first operation, on a thread of its own for each process, and again
/// when it is lost. So the store works in any runtime, and in a child of `fork()`. An operation waits through a short
/// outage of the server; it fails when its time is up.
///
/// # Errors
/// `journal` for an unknown scheme or parameter, and for a build without the feature. None shows the password.
pub fn open_store(place: &str) -> Result<Arc<dyn Store>> {
    let place = Place::parse(place)?;
    match place.scheme {
        #[cfg(feature = "postgres")]
        Scheme::Postgres => postgres::open(&place),
        #[cfg(not(feature = "postgres"))]
        Scheme::Postgres => Err(place.without("postgres")),
        #[cfg(feature = "redis")]
        Scheme::Redis { .. } => redis::open(&place),
        #[cfg(not(feature = "redis"))]
        Scheme::Redis { .. } => Err(place.without("redis")),
    }
}
