//! A strict reader of http(s) URLs.
//!
//! The key leaves only for origins on a list, so this reader and the one inside the HTTP stack must never see two
//! different hosts in one text. It therefore refuses whatever is read differently by different readers (user info,
//! backslashes, white space, non-ASCII or percent-encoded hosts, numeric hosts in odd forms) instead of repairing it.
//! A property test holds it against the `url` crate.

use std::fmt;

/// Why a text is not taken as a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UrlError(&'static str);

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for UrlError {}

/// An absolute http or https URL without user info and fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    https: bool,
    host: String,
    port: u16,
    /// Starts with `/`; holds the query.
    path: String,
}

/// Scheme, host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// True for https.
    pub https: bool,
    /// Lower-case host; IPv6 in brackets.
    pub host: String,
    /// Port, the scheme's own when none was given.
    pub port: u16,
}

impl Url {
    /// Reads an absolute URL.
    ///
    /// # Errors
    /// When it is not one, or when readers of URLs disagree about such a text.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        reject_ambiguous(text)?;
        let (https, rest) = match split_scheme(text) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some(_) => return Err(UrlError("only http and https URLs are taken")),
            None => return Err(UrlError("it has no scheme such as https://")),
        };
        let rest = rest.strip_prefix("//").ok_or(UrlError("\"//\" is missing behind the scheme"))?;
        Self::with_authority(https, rest)
    }

    fn with_authority(https: bool, rest: &str) -> Result<Self, UrlError> {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (host, port) = parse_authority(authority)?;
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Ok(Self { https, host, port, path: clean_path("", tail) })
    }

    /// The URL that a `Location` header means when this one was asked for (RFC 3986 §5).
    ///
    /// # Errors
    /// As [`Url::parse`].
    pub fn resolve(&self, location: &str) -> Result<Self, UrlError> {
        reject_ambiguous(location)?;
        if split_scheme(location).is_some() {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::with_authority(self.https, rest);
        }
        let mut url = self.clone();
        let own_path = self.path_only();
        url.path = match location.as_bytes().first() {
            None | Some(b'#') => self.path.clone(),
            Some(b'/') => clean_path("", location),
            Some(b'?') => clean_path(own_path, location),
            Some(_) => {
                let folder = own_path.rfind('/').map_or("/", |slash| own_path.get(..=slash).unwrap_or("/"));
                clean_path("", &format!("{folder}{location}"))
            }
        };
        Ok(url)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> Origin {
        Origin { https: self.https, host: self.host.clone(), port: self.port }
    }

    /// Lower-case host; IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own when none was given.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// True for https.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Path and query.
    pub fn path_and_query(&self) -> &str {
        &self.path
    }

    /// The path alone.
    pub fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or("/")
    }

    /// True for `localhost`, `127.0.0.0/8` and `[::1]`.
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }

    /// The same path on another origin.
    pub(crate) fn on(&self, origin: &Origin) -> Self {
        Self { https: origin.https, host: origin.host.clone(), port: origin.port, path: self.path.clone() }
    }

    /// This URL with a path and query of its own; the path must start with `/`.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        Self { path: clean_path("", path), ..self.clone() }
    }

    /// Scheme, host and path without the query, which may hold a signature: fit for logs and errors.
    pub fn for_display(&self) -> String {
        let text = self.to_string();
        match text.split_once('?') {
            Some((front, _)) => format!("{front}?…"),
            None => text,
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.for_display())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, own_port) = if self.https { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == own_port { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// What browsers strip, fold or turn round is refused: it is where two readers come to two hosts.
fn reject_ambiguous(text: &str) -> Result<(), UrlError> {
    if text.len() > 8192 {
        return Err(UrlError("it is longer than 8192 bytes"));
    }
    // A plain space inside a path is harmless (it travels as %20); in front or in a host it is refused further on.
    if text.chars().any(|c| c != ' ' && c.is_whitespace() || c.is_control()) || text.trim() != text {
        return Err(UrlError("it holds white space or a control character"));
    }
    if text.contains('\\') {
        return Err(UrlError("it holds a backslash"));
    }
    Ok(())
}

/// `scheme` and the rest behind the colon, where the text begins with a scheme.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    valid.then_some((scheme, rest))
}

/// Host (lower case) and port of `host`, `host:port`, `[v6]`, `[v6]:port`.
pub(crate) fn parse_authority(authority: &str) -> Result<(String, Option<u16>), UrlError> {
    if authority.contains('@') {
        return Err(UrlError("it holds user info (\"@\")"));
    }
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (inner, tail) = rest.split_once(']').ok_or(UrlError("the IPv6 address has no \"]\""))?;
        let address: std::net::Ipv6Addr = inner.parse().map_err(|_| UrlError("the IPv6 address is not one"))?;
        let port = match tail.strip_prefix(':') {
            Some(port) => Some(port),
            None if tail.is_empty() => None,
            None => return Err(UrlError("there is text behind the IPv6 address")),
        };
        (format!("[{address}]"), port)
    } else {
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        (check_host(host)?, port)
    };
    let port = match port {
        None => None,
        Some(digits) => {
            let valid = !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
            match digits.parse::<u16>() {
                Ok(port) if valid && port > 0 => Some(port),
                _ => return Err(UrlError("the port is not a number from 1 to 65535")),
            }
        }
    };
    Ok((host, port))
}

fn check_host(host: &str) -> Result<String, UrlError> {
    if host.is_empty() {
        return Err(UrlError("the host is missing"));
    }
    if host.len() > 253 {
        return Err(UrlError("the host is longer than 253 characters"));
    }
    if !host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
        return Err(UrlError("the host holds a character that host names do not have (write IDN names in punycode)"));
    }
    let host = host.to_ascii_lowercase();
    let name = host.strip_suffix('.').unwrap_or(&host);
    if name.split('.').any(str::is_empty) {
        return Err(UrlError("the host has an empty label"));
    }
    if name.split('.').any(|label| label.starts_with("xn--")) && !valid_punycode(name) {
        return Err(UrlError("the host's punycode is malformed"));
    }
    // Readers turn `127.1`, `0x7f.1` or `2130706433` into an address: only the plain form is taken.
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
    if numeric && host.parse::<std::net::Ipv4Addr>().is_err() {
        return Err(UrlError("the host looks like an IP address in an unusual form"));
    }
    Ok(host)
}

/// Only the look of it: each such label has something behind the prefix. The resolver judges the rest.
fn valid_punycode(name: &str) -> bool {
    name.split('.').filter_map(|label| label.strip_prefix("xn--")).all(|rest| !rest.is_empty() && !rest.ends_with('-'))
}

/// True for the names and addresses of this machine.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    host == "localhost"
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .and_then(|h| h.parse::<std::net::Ipv6Addr>().ok())
            .is_some_and(|ip| ip.is_loopback())
}

/// Path and query without fragment, with dot segments taken out and non-ASCII percent-encoded.
fn clean_path(prefix: &str, tail: &str) -> String {
    let tail = tail.split('#').next().unwrap_or_default();
    let (path, query) = match tail.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (tail, None),
    };
    let joined = format!("{prefix}{path}");
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = joined.strip_prefix('/').unwrap_or(&joined).split('/').peekable();
    while let Some(part) = parts.next() {
        let last = parts.peek().is_none();
        let dots = part.replace("%2e", ".").replace("%2E", ".");
        match dots.as_str() {
            "." => {
                if last {
                    segments.push("");
                }
            }
            ".." => {
                segments.pop();
                if last {
                    segments.push("");
                }
            }
            _ => segments.push(part),
        }
    }
    let mut out = String::with_capacity(joined.len() + 1);
    out.push('/');
    out.push_str(&segments.join("/"));
    if let Some(query) = query {
        out.push('?');
        out.push_str(query);
    }
    encode(&out)
}

fn encode(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'`' | b'{' | b'}')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'`' | b'{' | b'}') {
            out.push(char::from(byte));
        } else {
            push_percent_encoded(&mut out, byte);
        }
    }
    out
}

/// Writes a byte as `%XX`.
pub(crate) fn push_percent_encoded(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    for nibble in [byte >> 4, byte & 15] {
        out.push(char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, out) in [
            ("https://Example.COM", "https://example.com/"),
            ("https://example.com:443/a?b#c", "https://example.com/a?b"),
            ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080/v1/"),
            ("https://[::1]:9/x/../y", "https://[::1]:9/y"),
            ("https://a.b/视频.mp4", "https://a.b/%E8%A7%86%E9%A2%91.mp4"),
        ] {
            assert_eq!(Url::parse(text).unwrap().to_string(), out, "{text}");
        }
    }

    proptest! {
        /// Whatever we take, the reader inside the HTTP stack reads as the same origin.
        #[test]
        fn agrees_with_the_http_stack(text in r"(https?|HTTPS|ftp|)(:|)(//|/|)[a-zA-Z0-9.@:\[\]%_\\/?#\-é\u{ff0e}x0]{0,24}(/[a-z./%?#@:]{0,12})?") {
            if let Ok(ours) = Url::parse(&text) {
                let theirs = url::Url::parse(&text).or_else(|_| url::Url::parse(&ours.to_string()));
                if let Ok(theirs) = theirs {
                    prop_assert_eq!(Some(ours.host()), theirs.host_str());
                    prop_assert_eq!(Some(ours.port()), theirs.port_or_known_default());
                    prop_assert_eq!(ours.is_https(), theirs.scheme() == "https");
                }
                // What we send is our own writing of it: that, too, must lead to the same place.
                if let Ok(written) = url::Url::parse(&ours.to_string()) {
                    prop_assert_eq!(Some(ours.host()), written.host_str());
                    prop_assert_eq!(ours.path_and_query(), written[url::Position::BeforePath..].to_owned());
                }
            }
        }

        #[test]
        fn resolve_agrees_with_the_http_stack(location in r"(https?:|)(//[a-z.]{1,8}|)(/|)[a-z./?#@]{0,16}") {
            let base = "https://junfeiai.com/v1/videos/task_1/content?x=1";
            let ours = Url::parse(base).unwrap().resolve(&location);
            let theirs = url::Url::parse(base).unwrap().join(&location);
            if let (Ok(ours), Ok(mut theirs)) = (ours, theirs) {
                theirs.set_fragment(None);
                prop_assert_eq!(ours.to_string(), theirs.to_string());
            }
        }

        #[test]
        fn never_panics(text in any::<String>()) {
            let _ = Url::parse(&text);
            let _ = Url::parse("https://a.b/c").unwrap().resolve(&text);
        }
    }
}
