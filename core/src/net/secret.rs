//! The API key, kept where no output can show it.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::text::json;

/// What stands in place of the key wherever text of the server repeats it.
pub(super) const MASK: &str = "***";
/// A shorter key is a placeholder for your own proxy (`x`, `none`): looked for in every text, it would tear ids and statuses
/// apart and hide nothing.
pub(super) const SHORTEST: usize = 6;
/// A longer key, in bytes, would make a head that servers refuse: after a create request by a lost connection, which leaves open
/// whether the task was created.
const LONGEST: usize = 6 * 1024;

/// An API key. It has no `Display`, its `Debug` shows nothing of it, and its memory is wiped at the end.
#[derive(Clone)]
pub struct ApiKey(Arc<Forms>);

struct Forms {
    key: Zeroizing<String>,
    /// How the key looks in other texts, the key itself first: as it is, inside JSON, inside a URL.
    looks: Vec<Zeroizing<String>>,
}

impl ApiKey {
    /// Takes a key as the account page shows it; white space around it is removed.
    ///
    /// # Errors
    /// `config` when it is empty or holds characters that no key has (a line break from a file, a `Bearer` in front).
    pub fn new(key: &str) -> Result<Self> {
        let key = key.trim();
        if key.is_empty() {
            return Err(Error::config("api_key", "the API key is empty"));
        }
        if key.len() > LONGEST {
            let text = format!("the API key is longer than {LONGEST} bytes, which servers refuse: give the key alone");
            return Err(Error::config("api_key", text));
        }
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::config(
                "api_key",
                "the API key holds a space, a line break or a non-ASCII character: give the key alone, without \"Bearer\"",
            ));
        }
        let key = Zeroizing::new(key.to_owned());
        let looks = if key.len() < SHORTEST { Vec::new() } else { looks(&key) };
        Ok(Self(Arc::new(Forms { key, looks })))
    }

    /// The value of the `Authorization` header. Only a transport calls this, for a request that carries the key.
    pub fn authorization(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", self.0.key.as_str()))
    }

    /// A name for the key that a journal may keep, to tell its requests from those of other keys: the beginning of a SHA-256,
    /// as keys are random.
    #[cfg(feature = "journal")]
    pub(crate) fn account(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let mut hash = format!("{:x}", Sha256::digest(format!("junfeiai journal {}", *self.authorization())));
        hash.truncate(16);
        hash
    }

    /// The text without the key: servers have been seen to repeat it in messages. A key of fewer than 6 characters is
    /// not looked for.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for look in &self.0.looks {
            if text.contains(look.as_str()) {
                text = Cow::Owned(text.replace(look.as_str(), MASK));
            }
        }
        text
    }

    /// A body without the key, however its text is escaped.
    pub(crate) fn redact_body(&self, body: &Bytes) -> Bytes {
        let body = match std::str::from_utf8(body).map(|text| self.redact(text)) {
            Ok(Cow::Borrowed(_)) => body.clone(),
            Ok(Cow::Owned(text)) => text.into(),
            Err(_) => self.redact(&String::from_utf8_lossy(body)).into_owned().into(),
        };
        // What JSON escapes (`\u0073k-…`) shows only when it is read. Numbers and order are kept where nothing is found.
        if body.contains(&b'\\')
            && let Some(mut value) = json::parse(&body)
            && self.redact_value(&mut value)
        {
            return json::write(&value).into();
        }
        body
    }

    fn redact_value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => match self.redact(text) {
                Cow::Owned(clean) => {
                    *text = clean;
                    true
                }
                Cow::Borrowed(_) => false,
            },
            Value::Array(items) => items.iter_mut().fold(false, |found, item| self.redact_value(item) | found),
            Value::Object(fields) => {
                let named = fields.keys().any(|name| matches!(self.redact(name), Cow::Owned(_)));
                if named {
                    // Without `remove`, which nothing else in a page needs.
                    for (name, value) in std::mem::take(fields) {
                        fields.insert(self.redact(&name).into_owned(), value);
                    }
                }
                fields.values_mut().fold(named, |found, item| self.redact_value(item) | found)
            }
            _ => false,
        }
    }
}

/// The access of an account's owner, for [`Videos::reconcile_with`](crate::Videos::reconcile_with) alone: a token that reads all of
/// the account, a stronger secret than an API key. Its `Debug` shows nothing of the token, whose memory is wiped at the end.
#[cfg(feature = "journal")]
#[derive(Clone)]
pub struct AccountAccess {
    token: ApiKey,
    user: Option<Box<str>>,
}

#[cfg(feature = "journal")]
impl AccountAccess {
    /// Takes the account's access token, as the account's page shows it.
    ///
    /// # Errors
    /// `config` about `account_token` when it is empty, shorter than 6 characters, or holds characters that no token has.
    pub fn new(token: &str) -> Result<Self> {
        let refuse = |text| Err(Error::config("account_token", text));
        if token.is_empty() {
            return refuse("the account token is empty");
        }
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return refuse(
                "the account token holds a space, a line break or a non-ASCII character: give the token alone, without \"Bearer\"",
            );
        }
        if token.len() < SHORTEST {
            return refuse("the account token is too short to be one");
        }
        if token.len() > LONGEST {
            return refuse("the account token is longer than servers take");
        }
        Ok(Self { token: ApiKey::new(token)?, user: None })
    }

    /// The account's number, which older servers want beside the token (header `New-Api-User`). Default: none is sent.
    ///
    /// # Errors
    /// `config` about `account_user` when it is no number.
    pub fn user(mut self, number: &str) -> Result<Self> {
        if number.is_empty() || number.len() > 20 || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::config("account_user", "the account's number must be digits only"));
        }
        self.user = Some(number.into());
        Ok(self)
    }

    /// Both as options, as other languages give them.
    ///
    /// # Errors
    /// Those of [`AccountAccess::new`] and [`AccountAccess::user`]; `config` about `account_user` without a token.
    pub fn from_options(token: Option<&str>, user: Option<&str>) -> Result<Option<Self>> {
        match (token, user) {
            (Some(token), Some(user)) => Self::new(token)?.user(user).map(Some),
            (Some(token), None) => Self::new(token).map(Some),
            (None, Some(_)) => Err(Error::config("account_user", "account_user is of no use without account_token")),
            (None, None) => Ok(None),
        }
    }

    /// Refuses an API key in the token's place: it opens no account, and the server would be asked in vain.
    pub(crate) fn check_against(&self, key: Option<&ApiKey>) -> Result<()> {
        let bare = |key: &ApiKey| Zeroizing::new(key.0.key.trim_start_matches("sk-").to_owned());
        if key.is_some_and(|key| bare(key) == bare(&self.token)) {
            return Err(Error::config(
                "account_token",
                "the account token is the API key: take the access token of the account",
            ));
        }
        Ok(())
    }

    pub(crate) fn token(&self) -> &ApiKey {
        &self.token
    }

    pub(crate) fn number(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

#[cfg(feature = "journal")]
impl fmt::Debug for AccountAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountAccess({MASK})")
    }
}

/// The key as it is, inside a JSON text, and percent-encoded with either kind of digits.
pub(super) fn looks(key: &str) -> Vec<Zeroizing<String>> {
    let json = key.replace('\\', "\\\\").replace('"', "\\\"");
    let (mut upper, mut lower) = (String::new(), String::new());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            upper.push(char::from(byte));
            lower.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(upper, "%{byte:02X}");
            let _ = write!(lower, "%{byte:02x}");
        }
    }
    let mut looks: Vec<Zeroizing<String>> = Vec::new();
    for look in [key.to_owned(), json, upper, lower].map(Zeroizing::new) {
        if !looks.contains(&look) {
            looks.push(look);
        }
    }
    looks
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({MASK})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", ApiKey::new(" sk-secret-1 ").unwrap()), "ApiKey(***)");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_without_repeating_it() {
        for bad in ["", "  ", "Bearer sk-secret", "sk-\nsecret", "sk-ключ"] {
            let error = ApiKey::new(bad).unwrap_err();
            assert_eq!(error.record().field.as_deref(), Some("api_key"));
            assert!(!format!("{error} {error:?}").contains("secret"));
        }
    }

    #[test]
    fn redacts_every_occurrence() {
        let key = ApiKey::new("sk-secret").unwrap();
        assert_eq!(key.redact("a sk-secret b sk-secret"), "a *** b ***");
    }

    #[test]
    fn redacts_the_key_however_it_is_written() {
        let key = ApiKey::new(r#"sk/"+\%=1"#).unwrap();
        for text in [r#"sk/"+\%=1"#, r#"sk/\"+\\%=1"#, "sk%2F%22%2B%5C%25%3D1", "sk%2f%22%2b%5c%25%3d1"] {
            assert_eq!(key.redact(text), "***", "{text}");
        }
        let key = ApiKey::new("sk-secret").unwrap();
        for (body, clean) in [
            (r#"{"message":"\u0073k-secret"}"#, r#"{"message":"***"}"#),
            (r#"{"a":[{"sk\u002dsecret":"\u0073k-\u0073ecret"}]}"#, r#"{"a":[{"***":"***"}]}"#),
            (r#"{"a":1.50,"b":"\n"}"#, r#"{"a":1.50,"b":"\n"}"#),
            ("sk-secret\\", "***\\"),
        ] {
            assert_eq!(key.redact_body(&Bytes::from(body)), clean, "{body}");
        }
        assert_eq!(key.redact_body(&Bytes::from_static(b"\xff sk-secret")), "\u{fffd} ***");
    }

    #[cfg(feature = "journal")]
    #[test]
    fn an_account_token_is_judged_and_never_shown() {
        let access = AccountAccess::new("token-secret-1").unwrap().user("42").unwrap();
        assert_eq!(format!("{access:?}"), "AccountAccess(***)");
        assert_eq!((access.token().authorization().as_str(), access.number()), ("Bearer token-secret-1", Some("42")));
        let field = |result: Result<Option<AccountAccess>>| result.unwrap_err().record().field.clone().unwrap();
        for token in [
            "",
            " ",
            "token secret",
            "token-secret\n",
            " token-secret",
            "Bearer token",
            "tok\u{e9}n-secret",
            "t\0ken-secret",
            "short",
        ] {
            assert_eq!(field(AccountAccess::from_options(Some(token), None)), "account_token", "{token:?}");
        }
        for user in ["", "1 ", "-1", "+1", "1.0", "me", "1\r\nX: y", "\u{661}", &"1".repeat(21)] {
            assert_eq!(
                field(AccountAccess::from_options(Some("token-secret"), Some(user))),
                "account_user",
                "{user:?}"
            );
        }
        assert_eq!(field(AccountAccess::from_options(None, Some("1"))), "account_user");
        assert!(AccountAccess::from_options(None, None).unwrap().is_none());
        for key in ["sk-secret-1", "secret-1"] {
            let error =
                AccountAccess::new(key).unwrap().check_against(Some(&ApiKey::new("sk-secret-1").unwrap())).unwrap_err();
            assert!(
                error.record().field.as_deref() == Some("account_token") && !error.to_string().contains("secret-1")
            );
        }
        access.check_against(None).unwrap();
        access.check_against(Some(&ApiKey::new("sk-other").unwrap())).unwrap();
    }

    #[test]
    fn a_stand_in_for_a_key_tears_nothing_apart() {
        let key = ApiKey::new("task").unwrap();
        assert_eq!(key.redact(r#"{"task_id":"task_1"}"#), r#"{"task_id":"task_1"}"#);
    }
}
