//! Headers that the caller adds to every request, for a gateway in front of the service for example. Their values may be secrets.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::net::secret::{MASK, SHORTEST, looks};

/// Longest list, in bytes of names and values: servers refuse requests whose head is longer than 8 KiB, and ours is in it, too.
const LONGEST: usize = 6 * 1024;
/// Longest part of a wrong name that an error shows, in characters.
const SHOWN: usize = 60;

/// What this library or the HTTP stack sets, in lower case, and what it is set by where that is an option.
const TAKEN: [(&str, &str); 34] = [
    ("authorization", "api_key"),
    ("accept-language", "language"),
    ("user-agent", "user_agent"),
    ("accept", ""),
    ("accept-encoding", ""),
    ("cache-control", ""),
    ("content-encoding", ""),
    ("content-length", ""),
    ("content-type", ""),
    ("host", ""),
    ("idempotency-key", ""),
    ("new-api-user", ""),
    ("pragma", ""),
    ("range", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("connection", ""),
    ("expect", ""),
    ("http2-settings", ""),
    ("keep-alive", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("proxy-connection", ""),
    ("te", ""),
    ("trailer", ""),
    ("transfer-encoding", ""),
    ("upgrade", ""),
    // What a gateway may read as another method would make a paid request of a free one.
    ("x-http-method", ""),
    ("x-http-method-override", ""),
    ("x-method-override", ""),
    // In JavaScript no name of a header that an object can hold.
    ("__proto__", ""),
];

/// Headers of the caller's own, judged. Their `Debug` shows names only, and the memory of their values is wiped at the end.
#[derive(Clone, Default)]
pub struct CustomHeaders(Option<Arc<[Header]>>);

struct Header {
    name: Box<str>,
    value: Zeroizing<String>,
    /// How the value looks in texts.
    looks: Vec<Zeroizing<String>>,
}

impl CustomHeaders {
    /// Judges names and values.
    ///
    /// # Errors
    /// `config` about `headers`, with the name of the header that cannot be sent and never its value.
    pub(crate) fn new(headers: Vec<(String, Zeroizing<String>)>) -> Result<Self> {
        let refuse = |text: String| Err(Error::config("headers", text));
        let mut judged: Vec<Header> = Vec::with_capacity(headers.len());
        let mut length = 0;
        for (place, (name, value)) in headers.into_iter().enumerate() {
            let token = name.bytes().take_while(|b| is_token(*b)).count();
            if name.is_empty() {
                return refuse("a header has no name".to_owned());
            }
            if token < name.len() {
                // Whoever writes the whole line, or a key, in place of the name has written what must not be shown.
                let (begin, rest) = name.split_at_checked(token).unwrap_or_default();
                let is_name =
                    !begin.is_empty() && !begin.starts_with("sk-") && rest.starts_with([':', ' ', '\t', '\r', '\n']);
                let shown: String = if is_name { begin.chars().take(SHOWN).collect() } else { String::new() };
                let which = if is_name { format!("\"{shown}…\"") } else { format!("number {}", place + 1) };
                return refuse(format!("the header {which} has a name that HTTP does not allow"));
            }
            let shown: String = name.chars().take(SHOWN).collect();
            let lower = name.to_ascii_lowercase();
            if let Some((_, option)) = TAKEN.iter().find(|(taken, _)| *taken == lower) {
                let instead = if option.is_empty() { String::new() } else { format!(": use the option {option}") };
                return refuse(format!("the header {shown} cannot be set, this library sends its own{instead}"));
            }
            if judged.iter().any(|known| known.name.eq_ignore_ascii_case(&name)) {
                return refuse(format!("the header {shown} is given twice"));
            }
            if !value.bytes().all(|b| b.is_ascii_graphic() || matches!(b, b' ' | b'\t')) {
                return refuse(format!(
                    "the value of the header {shown} holds a line break, a control character or a non-ASCII character"
                ));
            }
            let value = Zeroizing::new(value.trim().to_owned());
            length += name.len() + value.len();
            if length > LONGEST {
                return refuse(format!("the headers are longer than {LONGEST} bytes, which servers refuse"));
            }
            let looks = if value.len() < SHORTEST { Vec::new() } else { looks(&value) };
            judged.push(Header { name: name.into(), value, looks });
        }
        Ok(Self((!judged.is_empty()).then(|| judged.into())))
    }

    /// Names and values, in the order in which they were given. Only a transport calls this.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers().iter().map(|header| (&*header.name, header.value.as_str()))
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn headers(&self) -> &[Header] {
        self.0.as_deref().unwrap_or_default()
    }

    /// A text without the values, should a server repeat them in a message. A value of fewer than 6 characters is not looked for.
    /// Not for a whole answer: a value may be a word that ids and addresses are made of.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for look in self.headers().iter().flat_map(|header| &header.looks) {
            if text.contains(look.as_str()) {
                text = Cow::Owned(text.replace(look.as_str(), MASK));
            }
        }
        text
    }
}

/// What a header's name may consist of (RFC 9110, `token`).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

impl fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomHeaders(")?;
        for (at, header) in self.headers().iter().enumerate() {
            write!(f, "{}{}: {MASK}", if at == 0 { "" } else { ", " }, header.name)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(given: &[(&str, &str)]) -> Result<CustomHeaders> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), Zeroizing::new((*value).to_owned()));
        CustomHeaders::new(given.iter().map(owned).collect())
    }

    #[test]
    fn good_headers_are_taken_as_they_are() {
        let given =
            [("X-Tenant", "a b\tc"), ("cookie", "session=1; x=\"y\""), ("X-Empty", ""), ("!#$%&'*+.^_`|~", " ~ ")];
        let headers = headers(&given).unwrap();
        let seen: Vec<_> = headers.iter().collect();
        assert_eq!(seen, [given[0], given[1], given[2], (given[3].0, "~")]);
        assert!(!headers.is_empty() && CustomHeaders::default().is_empty());
    }

    #[test]
    fn a_wrong_header_is_named_and_its_value_is_not_shown() {
        let value = "s3cret-value";
        let wrong = |name: &str, value: &str| headers(&[(name, value)]).unwrap_err();
        for (taken, _) in TAKEN {
            for name in [taken.to_owned(), taken.to_ascii_uppercase()] {
                let error = wrong(&name, value);
                assert!(error.to_string().contains(&format!("the header {name} cannot be set")), "{error}");
            }
        }
        for (name, shown) in [
            ("", "a header has no name"),
            ("X A", "\"X…\""),
            ("X-Token: s3cret-value", "\"X-Token…\""),
            ("X\r\nY", "\"X…\""),
            ("X-\u{e9}", "the header number 1 has"),
            (":path", "the header number 1 has"),
            ("s3cret/value", "the header number 1 has"),
            ("sk-s3cret: x", "the header number 1 has"),
            ("s3cret\0", "the header number 1 has"),
        ] {
            assert!(wrong(name, value).to_string().contains(shown), "{name:?}: {}", wrong(name, value));
        }
        for bad in
            ["s3cret-value\n", "\rs3cret-value", "s3cret\0value", "s3cret-\u{e9}", "s3cret\u{7f}value", "\u{1}s3cret"]
        {
            assert!(wrong("X-Token", bad).to_string().contains("the value of the header X-Token holds"), "{bad:?}");
        }
        let twice = headers(&[("X-Token", value), ("x-token", value)]).unwrap_err();
        assert!(twice.to_string().contains("the header x-token is given twice"));
        let long = "s3cret".repeat(LONGEST);
        assert!(wrong("X-Token", &long).to_string().contains("longer than 6144 bytes"));
        for error in [wrong("X A", value), wrong("X-Token: s3cret-value", ""), wrong("Host", value), twice] {
            assert_eq!(error.record().field.as_deref(), Some("headers"));
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn values_are_shown_nowhere() {
        let headers = headers(&[("X-Token", "s3cret \"value\""), ("X-Short", "abc")]).unwrap();
        assert_eq!(format!("{headers:?}"), "CustomHeaders(X-Token: ***, X-Short: ***)");
        for text in ["s3cret \"value\"", "s3cret \\\"value\\\"", "s3cret%20%22value%22"] {
            assert_eq!(headers.redact(&format!("<{text}> abc")), "<***> abc");
        }
    }
}
