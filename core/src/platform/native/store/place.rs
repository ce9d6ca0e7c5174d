//! URLs of databases. Their passwords appear in no error: no part of such a text is repeated, since nobody can tell where in a
//! broken one the password is.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

#[cfg(not(all(feature = "postgres", feature = "redis")))]
use crate::error::Error;
use crate::error::Result;
use crate::store::failed;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Postgres,
    Redis { tls: bool },
}

/// What a URL says, as far as it is the same for all databases.
pub(super) struct Place {
    pub(super) scheme: Scheme,
    /// What stands between the scheme and the parameters: holds the password.
    pub(super) body: Zeroizing<String>,
    /// The parameters that are not ours, as they were written.
    pub(super) others: Vec<String>,
    pub(super) journal: String,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) timeout: Duration,
    pub(super) fsync_always: bool,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("scheme", &self.scheme).field("journal", &self.journal).finish_non_exhaustive()
    }
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self> {
        const SCHEMES: &str = "postgresql://, postgres://, redis://, rediss://, valkey:// or valkeys://";
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            failed(format!("the place of the store is no URL of a database: it begins with {SCHEMES}"))
        })?;
        let scheme = match scheme {
            "postgresql" | "postgres" => Scheme::Postgres,
            "redis" | "valkey" => Scheme::Redis { tls: false },
            "rediss" | "valkeys" => Scheme::Redis { tls: true },
            _ => return Err(failed(format!("the place of the store has an unknown scheme: take {SCHEMES}"))),
        };
        let (body, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut place = Self {
            scheme,
            body: Zeroizing::new(body.to_owned()),
            others: Vec::new(),
            journal: "default".to_owned(),
            ca_file: None,
            timeout: DEFAULT_TIMEOUT,
            fsync_always: false,
        };
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value =
                || decode(value).ok_or_else(|| failed(format!("{name} of the place is no percent-encoded text")));
            match name {
                "journal" => place.journal = journal(value()?.to_string())?,
                "ca_file" | "sslrootcert" => place.ca_file = Some(value()?.as_str().into()),
                "timeout" => place.timeout = timeout(&value()?)?,
                "fsync" if matches!(scheme, Scheme::Redis { .. }) => match value()?.as_str() {
                    "always" => place.fsync_always = true,
                    _ => return Err(failed("fsync of the place can only be \"always\": leave it out otherwise")),
                },
                _ => place.others.push(part.to_owned()),
            }
        }
        Ok(place)
    }

    /// For a build that lacks what this place needs.
    #[cfg(not(all(feature = "postgres", feature = "redis")))]
    pub(super) fn without(&self, feature: &str) -> Error {
        let database = if self.scheme == Scheme::Postgres { "PostgreSQL" } else { "Redis" };
        failed(format!("this build has no store in {database}: build junfeiai with the Cargo feature `{feature}`"))
    }
}

fn journal(name: String) -> Result<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        Ok(name)
    } else {
        Err(failed("journal of the place is no name: take 1 to 64 of A-Z, a-z, 0-9, \".\", \"_\" and \"-\""))
    }
}

fn timeout(seconds: &str) -> Result<Duration> {
    let seconds = seconds.parse().ok().filter(|seconds| (0.1..=60.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| failed("timeout of the place is not in 0.1 to 60 seconds"))
}

/// A text without its percent-encoding; `None` when it is broken.
pub(super) fn decode(text: &str) -> Option<Zeroizing<String>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next()?, rest.next()?];
        let digits = std::str::from_utf8(&digits).ok().filter(|digits| !digits.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
    }
    String::from_utf8(bytes).ok().map(Zeroizing::new)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn our_parameters_are_taken_out() {
        let place =
            Place::parse("rediss://h/0?journal=a.b-c_1&fsync=always&timeout=0.5&ca_file=%2Ftmp%2Fca.pem&x=1").unwrap();
        assert_eq!((place.scheme, place.body.as_str()), (Scheme::Redis { tls: true }, "h/0"));
        assert_eq!((place.journal.as_str(), place.fsync_always), ("a.b-c_1", true));
        assert_eq!((place.timeout, place.ca_file), (Duration::from_millis(500), Some("/tmp/ca.pem".into())));
        assert_eq!(place.others, ["x=1"]);
        let place = Place::parse("postgres://u:p@h/d?sslmode=require").unwrap();
        assert_eq!((place.scheme, place.journal.as_str()), (Scheme::Postgres, "default"));
        assert_eq!((place.timeout, place.others), (DEFAULT_TIMEOUT, vec!["sslmode=require".to_owned()]));
    }

    #[test]
    fn a_place_that_is_none_is_refused_without_repeating_it() {
        for text in [
            "",
            "journal.jsonl?secret",
            "mysql://u:secret@h/d",
            "redis://u:secret@h?journal=a%20b",
            "redis://u:secret@h?journal=",
            "redis://u:secret@h?journal=%",
            "redis://u:secret@h?timeout=0",
            "redis://u:secret@h?timeout=secret",
            "redis://u:secret@h?fsync=secret",
        ] {
            let error = Place::parse(text).unwrap_err();
            let shown = format!("{error} {error:?} {}", error.to_json());
            assert!(!shown.contains("secret"), "{shown}");
        }
        assert!(!format!("{:?}", Place::parse("redis://u:secret@h").unwrap()).contains("secret"));
    }

    #[test]
    fn percent_encoding_is_read_strictly() {
        assert_eq!(decode("a%20%C3%A9").unwrap().as_str(), "a é");
        for broken in ["%", "%2", "%+1", "%zz", "%ff"] {
            assert!(decode(broken).is_none(), "{broken}");
        }
    }
}
