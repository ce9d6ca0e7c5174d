//! The API key, kept where no output can show it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// What stands in place of the key wherever text of the server repeats it.
const MASK: &str = "***";

/// An API key. It has no `Display`, its `Debug` shows nothing of it, and its memory is wiped at the end.
#[derive(Clone)]
pub struct ApiKey(Arc<Zeroizing<String>>);

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
        if !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::config(
                "api_key",
                "the API key holds a space, a line break or a non-ASCII character: give the key alone, without \"Bearer\"",
            ));
        }
        Ok(Self(Arc::new(Zeroizing::new(key.to_owned()))))
    }

    /// The value of the `Authorization` header. Only a transport calls this, for a request that carries the key.
    pub fn authorization(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", self.0.as_str()))
    }

    /// The text without the key: servers have been seen to repeat it in messages.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if text.contains(self.0.as_str()) {
            Cow::Owned(text.replace(self.0.as_str(), MASK))
        } else {
            Cow::Borrowed(text)
        }
    }
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
}
