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

use std::sync::Arc;

use self::place::{Place, Scheme};
use crate::error::Result;
use crate::store::Store;

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
