//! A key that is easy to find, and a search that finds it in every disguise.
#![allow(clippy::format_collect)] // a line, once per search

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// Holds what JSON escapes, what URLs encode, and what shells and formats trip over.
pub const KEY: &str = "sk-5eCr3tQ/+%\"\\&=~Zq9";
/// Of a proxy.
pub const PASSWORD: &str = "hUnt3rTwo";
/// Of an account, which only `reconcile` takes.
pub const TOKEN: &str = "acc0unt-7oK3nCoR3/+%\"\\&=~Wx8";

/// A part of the key that looks the same wherever it stands: escapes and encodings touch only what is around it.
const CORE: &str = "5eCr3tQ";
/// The same of the token.
const TOKEN_CORE: &str = "7oK3nCoR3";

/// What must not be found, by name.
fn needles() -> Vec<(String, String)> {
    let mut needles = vec![
        ("the key".to_owned(), CORE.to_owned()),
        ("the password of the proxy".to_owned(), PASSWORD.to_owned()),
        ("the account's token".to_owned(), TOKEN_CORE.to_owned()),
        ("the token as numbers".to_owned(), format!("{:?}", TOKEN_CORE.as_bytes()).trim_matches(['[', ']']).to_owned()),
        (
            "the token in JSON's own escapes".to_owned(),
            TOKEN_CORE.chars().map(|c| format!("\\u{:04x}", c as u32)).collect(),
        ),
        ("the key in hexadecimal".to_owned(), KEY.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("the key as numbers".to_owned(), format!("{:?}", CORE.as_bytes()).trim_matches(['[', ']']).to_owned()),
        ("the key in JSON's own escapes".to_owned(), CORE.chars().map(|c| format!("\\u{:04x}", c as u32)).collect()),
    ];
    // In base64 a text looks different at each of three offsets; the characters at its ends depend on its neighbours.
    for secret in [KEY, PASSWORD, TOKEN] {
        for offset in 0..3 {
            let padded = [vec![b' '; offset].as_slice(), secret.as_bytes()].concat();
            for encoded in [STANDARD.encode(&padded), URL_SAFE.encode(&padded)] {
                let inner = encoded.trim_end_matches('=');
                let inner = &inner[offset + 1..inner.len() - 2];
                needles.push((format!("base64 of a secret at offset {offset}"), inner.to_owned()));
            }
        }
    }
    needles
}

/// What of the secrets is found in this output, with what stands around it.
pub fn leaks(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    let found = needles().into_iter().filter_map(|(name, needle)| {
        let at = text.find(&needle)?;
        let from = (0..=at.saturating_sub(80)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        Some(format!("{name}: …{}", text[from..].chars().take(240).collect::<String>()))
    });
    found.collect()
}

/// Panics when a secret is in this output; what the output is stands in the message.
///
/// # Panics
/// When one is.
pub fn assert_clean(what: &str, output: impl AsRef<[u8]>) {
    let found = leaks(output.as_ref());
    assert!(found.is_empty(), "{what} shows {found:#?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_finds_every_disguise() {
        let basic = STANDARD.encode(format!("user:{PASSWORD}"));
        let bearer = URL_SAFE.encode(format!("Bearer {KEY}"));
        for shown in [
            KEY.to_owned(),
            format!("{KEY:?}"),
            serde_json::json!({ "key": KEY }).to_string(),
            "sk-5eCr3tQ%2F%2B%25%22%5C%26%3D~Zq9".to_owned(),
            format!("Proxy-Authorization: Basic {basic}"),
            bearer,
            format!("{:?}", KEY.as_bytes()),
            KEY.bytes().map(|byte| format!("{byte:02x}")).collect(),
        ] {
            assert!(!leaks(shown.as_bytes()).is_empty(), "{shown}");
        }
        assert!(leaks(b"sk-*** and nothing else, \xff").is_empty());
    }
}
