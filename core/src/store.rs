//! A small key-value store with compare-and-set: what a journal or a request budget needs of a database, so that many machines
//! can share it.
//!
//! A [`Store`] holds rows: a name, a value, and a version that changes with every write. Whoever writes says which version it
//! has seen; when another was faster, nothing is written. Three methods with plain values, so that it can be implemented over
//! any database that can compare and set, in any language. `open_store` (feature `native`) opens those in `PostgreSQL` (feature
//! `postgres`) and in Redis or Valkey (feature `redis`); [`MemoryStore`] is for tests.
//!
//! ```
//! use junfeiai::store::{MemoryStore, Store as _};
//!
//! # async fn run() -> junfeiai::Result<()> {
//! let store = MemoryStore::new();
//! // One of many claims a name: `Some` for the one, `None` for all others.
//! let first = store.swap("claim", None, Some("mine".into())).await?;
//! assert!(first.is_some());
//! assert_eq!(store.swap("claim", None, Some("theirs".into())).await?, None);
//! // The next write names the version that it replaces. Without a value it removes the row.
//! let second = store.swap("claim", first, Some("done".into())).await?;
//! assert_eq!(store.load("claim").await?.map(|row| row.value).as_deref(), Some("done"));
//! assert!(store.swap("claim", second, None).await?.is_some());
//! # Ok(()) }
//! # assert!(futures_util::FutureExt::now_or_never(run()).unwrap().is_ok());
//! ```

use std::collections::BTreeMap;
use std::future::ready;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::async_compat::{BoxFuture, MaybeSend, MaybeSync};
use crate::error::{Error, ErrorKind, Phase, Result};

/// The longest name of a row, in bytes.
pub const MAX_NAME: usize = 1_000;
/// The longest value of a row, in bytes.
pub const MAX_VALUE: usize = 4 << 20;

/// A row without its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// What was written, as it was written.
    pub value: String,
    /// Which write it was. At least 1 and below 2^53. It never comes back for this name, not even when the row is removed
    /// and made anew.
    pub version: u64,
}

/// Rows that are replaced only by whoever knows their latest version.
///
/// Names have 1 to [`MAX_NAME`] bytes, values at most [`MAX_VALUE`], and neither holds U+0000; see [`check_row`]. Names are
/// compared byte by byte.
///
/// An operation begins when its method is called, and is carried out to its end even if the future is dropped.
///
/// Errors are made by [`failed`] and [`unavailable`]: kind `journal`.
pub trait Store: MaybeSend + MaybeSync {
    /// The row of this name.
    fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>>;

    /// Writes the row if it still has this version, or, with `None`, if there is no such row. Without a value it removes the
    /// row. Gives the version of this write, also when it removed the row; `None` when another was faster and nothing was
    /// written. Durable when the future is done.
    ///
    /// `None` is certain: it is never said of a write that took place. An error leaves open whether the row was written;
    /// [`Store::load`] tells.
    fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>>;

    /// All rows whose name begins with this, in any order; an empty prefix is all rows. A row that is written meanwhile is
    /// given as it was before or after.
    fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>>;
}

/// An error that the same call cannot get over: missing rights, foreign data, values that are too large. `message` is one
/// line that says what is wrong and what to do; it holds no password.
pub fn failed(message: impl Into<String>) -> Error {
    Error::field(ErrorKind::Journal, Phase::Journal, "journal", message)
}

/// An error that may be gone when the call is made again: the database does not answer. Marked as transient.
pub fn unavailable(message: impl Into<String>) -> Error {
    failed(message).with(|record| record.transient = true)
}

/// Refuses names and values that not every store can keep.
///
/// # Errors
/// `journal` when the name is empty or too long, the value too long, or when one of them holds U+0000.
pub fn check_row(name: &str, value: Option<&str>) -> Result<()> {
    let value = value.unwrap_or_default();
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(failed(format!("the name of a row has {} bytes: take 1 to {MAX_NAME}", name.len())));
    }
    if value.len() > MAX_VALUE {
        let size = value.len();
        return Err(failed(format!("the row {name:?} has {size} bytes: store at most {MAX_VALUE} in one row")));
    }
    if name.contains('\0') || value.contains('\0') {
        return Err(failed(format!(
            "the row {name:?} holds the character U+0000, which databases do not store: remove it"
        )));
    }
    Ok(())
}

/// The first name behind all that begin with this prefix, byte by byte; `None` when there is none.
pub fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // Behind U+D7FF come the surrogates, which no text holds.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Rows in the memory of this process, for tests and for programs of one process. Every operation is done at once.
#[derive(Debug, Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    rows: BTreeMap<String, Versioned>,
    /// The version of the latest write of any row.
    latest: u64,
}

impl MemoryStore {
    /// A store without rows.
    pub fn new() -> Self {
        Self::default()
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn swap(&mut self, name: &str, expected: Option<u64>, value: Option<String>) -> Option<u64> {
        if self.rows.get(name).map(|row| row.version) != expected {
            return None;
        }
        self.latest += 1;
        let version = self.latest;
        match value {
            Some(value) => self.rows.insert(name.to_owned(), Versioned { value, version }),
            None => self.rows.remove(name),
        };
        Some(version)
    }
}

impl Store for MemoryStore {
    fn load(&self, name: &str) -> BoxFuture<'_, Result<Option<Versioned>>> {
        let row = check_row(name, None).map(|()| self.rows().rows.get(name).cloned());
        Box::pin(ready(row))
    }

    fn swap(&self, name: &str, expected: Option<u64>, value: Option<String>) -> BoxFuture<'_, Result<Option<u64>>> {
        let version = check_row(name, value.as_deref()).map(|()| self.rows().swap(name, expected, value));
        Box::pin(ready(version))
    }

    fn scan(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<(String, Versioned)>>> {
        let end = end_of_prefix(prefix);
        let end = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.rows();
        let found = rows.rows.range::<str, _>((Bound::Included(prefix), end));
        Box::pin(ready(Ok(found.map(|(name, row)| (name.clone(), row.clone())).collect())))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_behind_all_that_begins_with_it() {
        for (prefix, end) in [
            ("", None),
            ("a", Some("b")),
            ("a\u{7f}", Some("a\u{80}")),
            ("\u{D7FF}", Some("\u{E000}")),
            ("a\u{10FFFF}\u{10FFFF}", Some("b")),
            ("\u{10FFFF}", None),
        ] {
            assert_eq!(end_of_prefix(prefix).as_deref(), end, "{prefix:?}");
            let longest = format!("{prefix}{}", "\u{10FFFF}".repeat(9));
            assert!(end.is_none_or(|end| *longest < *end), "{prefix:?}");
        }
    }

    #[test]
    fn what_not_every_database_keeps_is_refused() {
        for (name, value) in [("", "x"), ("a\0b", "x"), ("a", "x\0"), (&*"n".repeat(MAX_NAME + 1), "x")] {
            let error = check_row(name, Some(value)).unwrap_err();
            assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Journal, false), "{name:?}");
        }
        assert!(check_row("a", Some(&"x".repeat(MAX_VALUE + 1))).is_err());
        check_row(&"n".repeat(MAX_NAME), Some(&"x".repeat(MAX_VALUE))).unwrap();
    }
}
