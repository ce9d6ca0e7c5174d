//! Where the service is, and where the key may go.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::url::{Origin, Url, is_loopback_host, parse_authority, push_percent_encoded};

/// The standard entry (service document §1).
pub const STANDARD_BASE_URL: &str = "https://junfeiai.com/v1";
/// The entry preferred from servers in China (service document §1).
pub const CHINA_BASE_URL: &str = "https://junfeiai.hk-proxy.lingzhiwuxian.com/v1";
/// The host that serves the MP4 files (service document §1).
pub const VIDEO_HOST: &str = "video.junfeiai.hk-proxy.lingzhiwuxian.com";
/// Documents only; never an API entry (service document §1).
const DOCUMENTS_HOST: &str = "doc.junfeiai.com";

/// The origins of the entries that the service document names.
fn documented_origins() -> impl Iterator<Item = Origin> {
    [STANDARD_BASE_URL, CHINA_BASE_URL].into_iter().filter_map(|base| Some(Url::parse(base).ok()?.origin()))
}

/// The origin of the documented video host.
pub(crate) fn video_origin() -> Origin {
    Origin { https: true, host: VIDEO_HOST.to_owned(), port: 443 }
}

/// One entry to the API: an origin and a path that ends in the version, without a slash at the end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    base: Url,
}

impl Endpoint {
    /// Reads `standard`, `china`, a base URL, or a short host alias such as `junfeiai.hkproxy`.
    ///
    /// An empty path becomes `/v1`, since without it the server answers every call with a web page.
    ///
    /// # Errors
    /// `config` when it cannot be an API entry: the documents-only domain, plain http to another machine, a
    /// query, user info, …
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let full = match text {
            "standard" => STANDARD_BASE_URL.to_owned(),
            "china" => CHINA_BASE_URL.to_owned(),
            _ if !text.contains("://") && looks_like_host(text) => format!("https://{text}"),
            _ => text.to_owned(),
        };
        let refuse =
            |why: &str| Error::config("base_url", format!("the base URL {} cannot be used: {why}", shown(text)));
        if full.contains(['?', '#', ' ']) {
            return Err(refuse("it holds a space, a query or a fragment"));
        }
        let url = Url::parse(&full).map_err(|error| refuse(&error.to_string()))?;
        if url.host().trim_end_matches('.') == DOCUMENTS_HOST {
            return Err(refuse("this domain holds the documents only; use \"standard\" or \"china\""));
        }
        if !url.is_https() && !url.is_loopback() {
            return Err(refuse("plain http shows what is sent, an API key with it, to the network; use https"));
        }
        let path = url.path_only().trim_end_matches('/');
        let base = url.with_path(if path.is_empty() { "/v1" } else { path });
        Ok(Self { base })
    }

    /// The standard entry.
    pub fn standard() -> Self {
        Self { base: Url::parse(STANDARD_BASE_URL).unwrap_or_else(|_| unreachable!("the constant is a URL")) }
    }

    /// The URL of a path below the base; `path` starts with `/`.
    pub fn url(&self, path: &str) -> Url {
        self.base.with_path(&format!("{}{path}", self.base.path_only()))
    }

    /// The URL of a path below the origin, for helper paths outside `/v1`.
    pub fn root_url(&self, path: &str) -> Url {
        self.base.with_path(path)
    }

    /// The base URL.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// True for the entries that the service document names.
    pub fn is_documented(&self) -> bool {
        let origin = self.base.origin();
        documented_origins().any(|documented| documented == origin)
    }

    /// Where a task's MP4 can be read with the key, whatever `result_url` says.
    pub fn content_url(&self, task_id: &str) -> Url {
        self.url(&format!("/videos/{}/content", path_segment(task_id)))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.base, f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// A host alone or with a port and a path: an alias of the user's. (`javascript:…` or `ftp:x` is not.)
fn looks_like_host(text: &str) -> bool {
    let authority = text.split('/').next().unwrap_or_default();
    !authority.is_empty() && !authority.contains('@') && parse_authority(authority).is_ok() && authority.contains('.')
        || authority.split(':').next() == Some("localhost")
}

/// A refused text as an error shows it: user info may hold a secret, so it is cut off, and so is what looks like a key
/// that was given in the wrong place.
fn shown(text: &str) -> String {
    let text = match text.rfind('@') {
        Some(at) => format!("…{}", text.get(at..).unwrap_or_default()),
        None => text.split(['?', '#']).next().unwrap_or_default().to_owned(),
    };
    let begins_word = |at: usize| !text.get(..at).unwrap_or_default().ends_with(|c: char| c.is_ascii_alphanumeric());
    let text = match text.match_indices("sk-").find(|(at, _)| begins_word(*at)) {
        Some((at, _)) => format!("{}sk-…", text.get(..at).unwrap_or_default()),
        None => text,
    };
    format!("\"{}\"", text.chars().take(120).collect::<String>())
}

/// The list of places that may be given the key.
#[derive(Debug, Clone)]
pub struct Trust {
    origins: Vec<Origin>,
}

impl Trust {
    /// The configured entries, the documented video host, the documented entries when one of them is configured (task
    /// ids are valid on both and results may name either), the video base URL, and the hosts that the user lists.
    ///
    /// # Errors
    /// `config` when an entry of `trusted_hosts` is not `host` or `host:port`.
    pub fn new(endpoints: &[Endpoint], video_base: Option<&Origin>, trusted_hosts: &[String]) -> Result<Self> {
        let mut origins: Vec<Origin> = endpoints.iter().map(|endpoint| endpoint.base.origin()).collect();
        origins.push(video_origin());
        if endpoints.iter().any(Endpoint::is_documented) {
            origins.extend(documented_origins());
        }
        origins.extend(video_base.cloned());
        for entry in trusted_hosts {
            let refuse = |why: &str| {
                Error::config("trusted_hosts", format!("the trusted host {} cannot be used: {why}", shown(entry)))
            };
            if entry.contains('*') {
                return Err(refuse("patterns are not supported; list each host"));
            }
            let (host, port) = match entry.as_str() {
                text if text.contains("://") => {
                    let url = Url::parse(text).map_err(|error| refuse(&error.to_string()))?;
                    if !url.is_https() && !url.is_loopback() {
                        return Err(refuse("plain http shows what is sent, an API key with it, to the network"));
                    }
                    (url.host().to_owned(), Some(url.port()))
                }
                text => parse_authority(text).map_err(|error| refuse(&error.to_string()))?,
            };
            // Plain http is for this machine only.
            if is_loopback_host(&host) {
                origins.push(Origin { https: false, host: host.clone(), port: port.unwrap_or(80) });
            }
            origins.push(Origin { https: true, host, port: port.unwrap_or(443) });
        }
        Ok(Self { origins })
    }

    /// True when the key may be sent to this URL.
    pub fn allows(&self, url: &Url) -> bool {
        let origin = url.origin();
        (origin.https || is_loopback_host(&origin.host)) && self.origins.contains(&origin)
    }
}

/// Reads the option `video_base_url`: the custom domain in place of the documented video host.
///
/// # Errors
/// `config` when it is not a URL or host, or plain http to another machine.
pub(crate) fn parse_video_base(text: &str) -> Result<Origin> {
    let text = text.trim();
    let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let refuse = |why: &str| {
        Error::config("video_base_url", format!("the video base URL {} cannot be used: {why}", shown(text)))
    };
    let url = Url::parse(&full).map_err(|error| refuse(&error.to_string()))?;
    if !url.is_https() && !url.is_loopback() {
        return Err(refuse("plain http shows what is sent, an API key with it, to the network; use https"));
    }
    if url.path_and_query() != "/" {
        return Err(refuse("give scheme and host only, without a path"));
    }
    Ok(url.origin())
}

/// A `result_url` on the documented video host, moved to the user's own name for it.
pub(crate) fn rewrite_video_url(url: Url, video_base: Option<&Origin>) -> Url {
    match video_base {
        Some(origin) if url.origin() == video_origin() => url.on(origin),
        _ => url,
    }
}

/// Longest task id, in bytes: what fits into a URL when every byte is percent-encoded.
const MAX_TASK_ID: usize = 2048;

/// Checks what a caller gives as a task id. Its form is the server's business: any text is taken that can be one segment
/// of a path: it is percent-encoded there.
///
/// # Errors
/// `invalid_request` for a blank text, `.` or `..`, and for more than 2048 bytes.
pub fn check_task_id(id: &str) -> Result<&str> {
    if is_task_id(id) {
        Ok(id)
    } else {
        Err(Error::field(
            ErrorKind::InvalidRequest,
            Phase::Query,
            "task_id",
            "the task id is not one: it looks like \"task_…\" and is what create returned",
        ))
    }
}

pub(crate) fn is_task_id(id: &str) -> bool {
    !id.trim().is_empty() && id.len() <= MAX_TASK_ID && id != "." && id != ".."
}

/// A task id as one segment of a path: everything but `A–Z a–z 0–9 . _ : ~ -` is percent-encoded, so that no id can lead
/// to another path.
pub(crate) fn path_segment(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'~' | b'-');
    if id.bytes().all(plain) {
        return Cow::Borrowed(id);
    }
    let mut out = String::with_capacity(id.len() * 2);
    for byte in id.bytes() {
        if plain(byte) { out.push(char::from(byte)) } else { push_percent_encoded(&mut out, byte) }
    }
    Cow::Owned(out)
}
