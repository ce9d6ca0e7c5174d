//! What tells one version of a file from another.
//!
//! A resumed download is only as good as the proof that both halves belong to one file. Servers of
//! this family were observed to ignore `If-Range`, to leave out any validator, and to make a strong
//! `ETag` weak on the way; so each part is compared here, with whatever both answers happen to have.
//!
//! ```
//! use junfeiai::protocol::validators::Validators;
//!
//! let before = Validators { etag: Some("\"a\"".into()), ..Validators::default() };
//! let now = Validators { etag: Some("\"b\"".into()), ..Validators::default() };
//! assert_eq!(before.conflict(&now).unwrap().what, "etag");
//! ```

use std::fmt;

use serde_json::Value;

use crate::text::dates::http_date;

/// What identifies one version of a file. Each part of it may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The `ETag` header as it was sent, quotes and a `W/` included.
    pub etag: Option<String>,
    /// The `Last-Modified` header as it was sent.
    pub last_modified: Option<String>,
    /// Length of the whole file in bytes.
    pub total: Option<u64>,
}

/// Two answers that cannot be about the same version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorConflict {
    /// Which validator differs: `"etag"`, `"last_modified"` or `"total"`.
    pub what: &'static str,
    /// Its value in the earlier answer.
    pub was: String,
    /// Its value in the later answer.
    pub is: String,
}

impl fmt::Display for ValidatorConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, was, is } = self;
        write!(f, "the file changed: {what} was {was}, is {is}")
    }
}

impl std::error::Error for ValidatorConflict {}

impl Validators {
    /// As a JSON object; what is unknown is left out.
    pub fn to_json(&self) -> Value {
        let known = [
            ("etag", self.etag.clone().map(Value::from)),
            ("last_modified", self.last_modified.clone().map(Value::from)),
            ("total", self.total.map(Value::from)),
        ];
        known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// Reads what [`Validators::to_json`] wrote. What cannot be read is unknown.
    pub fn from_json(value: &Value) -> Self {
        let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let total = value.get("total").and_then(Value::as_u64);
        Self { etag: text("etag"), last_modified: text("last_modified"), total }
    }

    /// Compares an earlier answer (`self`) with a later one; `None` if nothing speaks against both
    /// being the same file.
    ///
    /// Only what both have is compared. Strong `ETag`s are compared by bytes; if either is weak, the
    /// opaque tags are (RFC 9110 §8.8.3.2: proxies weaken a tag when they touch the encoding, and we
    /// always ask for `identity`). `Last-Modified` decides only where no `ETag` can be compared:
    /// replicas of one file may differ in it. The total always decides.
    pub fn conflict(&self, other: &Validators) -> Option<ValidatorConflict> {
        let conflict = |what, was: &dyn fmt::Display, is: &dyn fmt::Display| {
            Some(ValidatorConflict { what, was: was.to_string(), is: is.to_string() })
        };
        if let (Some(was), Some(is)) = (present(&self.etag), present(&other.etag)) {
            if !same_etag(was, is) {
                return conflict("etag", &was, &is);
            }
        } else if let (Some(was), Some(is)) = (present(&self.last_modified), present(&other.last_modified))
            && !same_date(was, is)
        {
            return conflict("last_modified", &was, &is);
        }
        if let (Some(was), Some(is)) = (self.total, other.total)
            && was != is
        {
            return conflict("total", &was, &is);
        }
        None
    }

    /// Takes over from `other` what is unknown here; what is known stays.
    pub fn merge(&mut self, other: &Validators) {
        if present(&self.etag).is_none() {
            self.etag.clone_from(&other.etag);
        }
        if present(&self.last_modified).is_none() {
            self.last_modified.clone_from(&other.last_modified);
        }
        self.total = self.total.or(other.total);
    }
}

/// The value without outer space; an empty header says nothing.
#[allow(clippy::ref_option)] // called on fields, where `as_deref` at each place would only be noise
fn present(value: &Option<String>) -> Option<&str> {
    value.as_deref().map(str::trim).filter(|v| !v.is_empty())
}

/// Splits an entity tag into "is weak" and the opaque tag.
fn split_weak(tag: &str) -> (bool, &str) {
    match tag.strip_prefix("W/").or_else(|| tag.strip_prefix("w/")) {
        Some(opaque) => (true, opaque.trim_start()),
        None => (false, tag),
    }
}

fn same_etag(a: &str, b: &str) -> bool {
    // Two strong tags are their own opaque tags, so both kinds of comparison are this one.
    split_weak(a).1 == split_weak(b).1
}

fn same_date(a: &str, b: &str) -> bool {
    // The same instant may be written in three ways (RFC 9110 §5.6.7).
    match (http_date(a), http_date(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn validators(etag: &str, modified: &str, total: u64) -> Validators {
        let some = |s: &str| (s != "-").then(|| s.to_owned());
        Validators { etag: some(etag), last_modified: some(modified), total: (total != 0).then_some(total) }
    }

    #[test]
    fn validators_compare_only_what_both_have() {
        let monday = "Mon, 01 Jun 2026 10:00:00 GMT";
        let monday_old_style = "Mon Jun  1 10:00:00 2026";
        let tuesday = "Tue, 02 Jun 2026 10:00:00 GMT";
        for (was, is, what) in [
            (("-", "-", 0), ("\"a\"", monday, 5), None),
            (("\"a\"", "-", 0), ("-", monday, 5), None),
            (("\"a\"", "-", 5), ("\"a\"", "-", 5), None),
            (("\"a\"", "-", 5), ("\"b\"", "-", 5), Some("etag")),
            (("\"a\"", "-", 5), ("\"A\"", "-", 5), Some("etag")),
            (("\"a\"", "-", 0), ("W/\"a\"", "-", 0), None),
            (("W/\"a\"", "-", 0), ("w/\"a\"", "-", 0), None),
            (("W/\"a\"", "-", 0), ("\"b\"", "-", 0), Some("etag")),
            // The dates of replicas may differ while the tag says "the same".
            (("\"a\"", monday, 0), ("\"a\"", tuesday, 0), None),
            (("\"a\"", monday, 0), ("-", tuesday, 0), Some("last_modified")),
            (("", monday, 0), (" ", tuesday, 0), Some("last_modified")),
            (("-", monday, 0), ("-", monday_old_style, 0), None),
            (("-", "yesterday", 0), ("-", "today", 0), Some("last_modified")),
            // The total decides even against equal tags.
            (("\"a\"", monday, 5), ("\"a\"", monday, 6), Some("total")),
        ] {
            let a = validators(was.0, was.1, was.2);
            let b = validators(is.0, is.1, is.2);
            assert_eq!(a.conflict(&b).map(|c| c.what), what, "{a:?} {b:?}");
            assert_eq!(b.conflict(&a).map(|c| c.what), what, "{b:?} {a:?}");
        }
        let conflict = validators("-", "-", 5).conflict(&validators("-", "-", 6));
        assert_eq!(conflict.unwrap().to_string(), "the file changed: total was 5, is 6");
    }

    #[test]
    fn merge_fills_and_never_replaces() {
        let mut a = validators("\"a\"", "-", 0);
        a.merge(&validators("\"b\"", "then", 7));
        assert_eq!(a, validators("\"a\"", "then", 7));
        let some = validators("\"a\"", "-", 7);
        assert_eq!(some.to_json().to_string(), r#"{"etag":"\"a\"","total":7}"#);
        assert_eq!(Validators::from_json(&some.to_json()), some);
        assert_eq!(Validators::from_json(&Value::Null), Validators::default());
    }
}
