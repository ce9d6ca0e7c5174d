//! Which proxy a request goes through, for a transport that leaves this to us: Node's `http` knows of none. The rules are those
//! of the built-in native transport, which are curl's.
//!
//! * The option `proxy` counts for every request; `""` is for no proxy.
//! * Otherwise `HTTPS_PROXY` or `HTTP_PROXY` by the scheme of the URL, or `ALL_PROXY`, in capitals or small letters, unless
//!   `NO_PROXY` names the host. In a CGI program, whose callers set `HTTP_PROXY` by a header, the environment counts for nothing.
//! * Plain http to this machine goes through no proxy but a given one on this machine: the key would travel in the clear, to a
//!   machine for which `127.0.0.1` is itself.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::net::transport::ProxySetting;
use crate::net::url::{Url, is_loopback_host, parse_authority};

/// The variables that are read.
pub const PROXY_VARIABLES: [&str; 8] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

/// Set in a CGI program.
pub const CGI_VARIABLE: &str = "REQUEST_METHOD";

/// A proxy. No `Debug`: it holds the password of a proxy.
#[derive(Clone)]
pub struct Proxy {
    /// It is itself spoken to over TLS.
    pub https: bool,
    /// Lower-case host; IPv6 in brackets.
    pub host: String,
    /// The port, the scheme's own when none was given.
    pub port: u16,
    /// The value of `Proxy-Authorization`, where the URL holds user or password.
    pub authorization: Option<Zeroizing<String>>,
}

/// How a request travels.
pub enum Route<'a> {
    /// To the host itself.
    Direct,
    /// Through this proxy.
    Through(&'a Proxy),
    /// Not at all: why, for people.
    Refused(String),
}

#[derive(Clone)]
enum Choice {
    Proxy(Proxy),
    /// This variable names one.
    Socks(&'static str),
}

/// Why a text is no proxy.
enum NoProxy {
    Socks,
    Invalid,
}

/// What was set, read once.
pub struct ProxyRules {
    http: Option<Choice>,
    https: Option<Choice>,
    exceptions: Vec<Exception>,
    /// The option names a proxy on this machine.
    near: bool,
    setting: ProxySetting,
}

impl ProxyRules {
    /// The rules of an option and of an environment.
    ///
    /// # Errors
    /// `config`, naming `proxy`, for an option that is no URL of a proxy. It is not repeated: it may hold a password.
    pub fn new(own: Option<&str>, read: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let none = Self { http: None, https: None, exceptions: Vec::new(), near: false, setting: ProxySetting::Off };
        match own {
            Some("") => return Ok(none),
            Some(text) => {
                let proxy = Proxy::parse(text).map_err(|why| {
                    Error::config(
                        "proxy",
                        match why {
                            NoProxy::Socks => {
                                "proxy is a SOCKS proxy, which is not supported: give an http:// or https:// one"
                            }
                            NoProxy::Invalid => "the proxy is not a URL such as http://127.0.0.1:8080",
                        },
                    )
                })?;
                let near = is_loopback_host(&proxy.host);
                let choice = Some(Choice::Proxy(proxy));
                return Ok(Self { http: choice.clone(), https: choice, near, setting: ProxySetting::Own, ..none });
            }
            None => {}
        }
        let names = PROXY_VARIABLES.into_iter();
        let set = names.filter(|name| read(name).is_some_and(|value| !value.is_empty())).collect();
        let setting = ProxySetting::Environment(set);
        if read(CGI_VARIABLE).is_some() {
            return Ok(Self { setting, ..none });
        }
        let choice = |names: [&'static str; 2]| {
            let (name, text) = names.into_iter().find_map(|name| Some((name, read(name)?)))?;
            match Proxy::parse(&text) {
                Ok(proxy) => Some(Choice::Proxy(proxy)),
                Err(NoProxy::Socks) => Some(Choice::Socks(name)),
                Err(NoProxy::Invalid) => None,
            }
        };
        let all = choice(["ALL_PROXY", "all_proxy"]);
        let no = read("NO_PROXY").or_else(|| read("no_proxy")).unwrap_or_default();
        Ok(Self {
            http: choice(["HTTP_PROXY", "http_proxy"]).or_else(|| all.clone()),
            https: choice(["HTTPS_PROXY", "https_proxy"]).or(all),
            exceptions: no.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Exception::parse).collect(),
            near: false,
            setting,
        })
    }

    /// The way of a request for this URL.
    pub fn route(&self, url: &Url) -> Route<'_> {
        if !url.is_https() && url.is_loopback() && !self.near
            || self.exceptions.iter().any(|exception| exception.matches(url.host()))
        {
            return Route::Direct;
        }
        match if url.is_https() { &self.https } else { &self.http } {
            None => Route::Direct,
            Some(Choice::Proxy(proxy)) => Route::Through(proxy),
            Some(Choice::Socks(variable)) => Route::Refused(format!(
                "{variable} names a SOCKS proxy, which is not supported; nothing was sent: \
                 set the option proxy to an http:// or https:// one, or to \"\" for none"
            )),
        }
    }

    /// What was set, for the check.
    pub fn setting(&self) -> &ProxySetting {
        &self.setting
    }
}

impl Proxy {
    fn parse(text: &str) -> std::result::Result<Self, NoProxy> {
        let (https, rest) = match text.split_once("://") {
            None => (false, text),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" => (false, rest),
                "https" => (true, rest),
                "socks" | "socks4" | "socks4a" | "socks5" | "socks5h" => return Err(NoProxy::Socks),
                _ => return Err(NoProxy::Invalid),
            },
        };
        // To other readers a backslash is a slash.
        let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        let (host, port) = parse_authority(authority).map_err(|_| NoProxy::Invalid)?;
        let authorization = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let mut pair = Zeroizing::new(decoded(name));
            pair.push(b':');
            pair.extend_from_slice(&Zeroizing::new(decoded(password)));
            Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(&*pair)))
        });
        Ok(Self { https, host, port: port.unwrap_or(if https { 443 } else { 80 }), authorization })
    }
}

/// The bytes that a percent-encoded text stands for.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = hex
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    out
}

/// One entry of `NO_PROXY`.
enum Exception {
    All,
    Address(IpAddr),
    /// An address, and how many of its bits count.
    Network(IpAddr, u8),
    /// A domain, with everything below it.
    Domain(String),
}

impl Exception {
    fn parse(part: &str) -> Self {
        if part == "*" {
            return Self::All;
        }
        if let Ok(address) = part.parse() {
            return Self::Address(address);
        }
        if let Some((address, bits)) = part.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse::<u8>())
            && bits <= if address.is_ipv4() { 32 } else { 128 }
        {
            return Self::Network(address, bits);
        }
        Self::Domain(part.strip_prefix('.').unwrap_or(part).to_ascii_lowercase())
    }

    fn matches(&self, host: &str) -> bool {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match (self, host.parse::<IpAddr>()) {
            (Self::All, _) => true,
            (Self::Address(address), Ok(ip)) => *address == ip,
            (Self::Network(address, bits), Ok(ip)) => match (address, ip) {
                (IpAddr::V4(one), IpAddr::V4(other)) => {
                    let mask = u32::MAX.checked_shl(32 - u32::from(*bits)).unwrap_or_default();
                    one.to_bits() & mask == other.to_bits() & mask
                }
                (IpAddr::V6(one), IpAddr::V6(other)) => {
                    let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or_default();
                    one.to_bits() & mask == other.to_bits() & mask
                }
                _ => false,
            },
            (Self::Domain(domain), Err(_)) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            _ => false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Where a request for this URL goes, and with which password.
    fn way(rules: &ProxyRules, url: &str) -> String {
        match rules.route(&Url::parse(url).unwrap()) {
            Route::Direct => "direct".to_owned(),
            Route::Through(proxy) => {
                let scheme = if proxy.https { "https" } else { "http" };
                let password =
                    proxy.authorization.as_ref().map(|text| format!(" {}", text.as_str())).unwrap_or_default();
                format!("{scheme}://{}:{}{password}", proxy.host, proxy.port)
            }
            Route::Refused(why) => why,
        }
    }

    fn of(variables: &[(&str, &str)]) -> ProxyRules {
        ProxyRules::new(None, |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
        .unwrap()
    }

    fn own(proxy: &str) -> ProxyRules {
        ProxyRules::new(Some(proxy), |name| (name == "HTTPS_PROXY").then(|| "http://other:1".to_owned())).unwrap()
    }

    #[test]
    fn the_option_counts_for_every_request() {
        assert_eq!(way(&own("http://proxy.example:8080"), "https://a.example/v1"), "http://proxy.example:8080");
        assert_eq!(way(&own("https://proxy.example"), "https://127.0.0.1:1/v1"), "https://proxy.example:443");
        assert_eq!(way(&own("Proxy.Example:3128/path"), "https://a.example/v1"), "http://proxy.example:3128");
        assert_eq!(way(&own("[::1]"), "http://localhost:9/"), "http://[::1]:80");
        assert_eq!(
            way(&own("http://us%3Aer:p@ss@p.example"), "https://a.example/"),
            "http://p.example:80 Basic dXM6ZXI6cEBzcw=="
        );
        assert_eq!(way(&own(""), "https://a.example/v1"), "direct");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_being_repeated() {
        for bad in [
            "user:secret@",
            "http://user:secret@:x",
            "\u{0}secret",
            "ftp://secret",
            "http://",
            "socks5://u:secret@a.example:1",
        ] {
            let Err(error) = ProxyRules::new(Some(bad), |_| None) else { unreachable!("{bad} was taken") };
            assert_eq!(error.record().field.as_deref(), Some("proxy"));
            assert!(!error.to_string().contains("secret"), "{error}");
            assert_eq!(error.to_string().contains("SOCKS"), bad.starts_with("socks"), "{error}");
        }
    }

    #[test]
    fn the_environment_counts_by_scheme() {
        let both =
            of(&[("HTTP_PROXY", "one.example:1"), ("https_proxy", "two.example:2"), ("ALL_PROXY", "three.example:3")]);
        assert_eq!(way(&both, "http://a.example/"), "http://one.example:1");
        assert_eq!(way(&both, "https://a.example/"), "http://two.example:2");
        assert_eq!(way(&of(&[("all_proxy", "three.example:3")]), "https://a.example/"), "http://three.example:3");
        // In capitals first; what is no URL counts as none.
        assert_eq!(way(&of(&[("HTTPS_PROXY", "a b"), ("https_proxy", "c:1")]), "https://a.example/"), "direct");
        let socks = of(&[("ALL_PROXY", "socks5h://127.0.0.1:1080")]);
        assert!(
            way(&socks, "https://a.example/").starts_with("ALL_PROXY names a SOCKS proxy"),
            "{}",
            way(&socks, "https://a.example/")
        );
        assert_eq!(way(&of(&[("HTTPS_PROXY", "c:1"), ("REQUEST_METHOD", "GET")]), "https://a.example/"), "direct");
        let ProxySetting::Environment(set) = both.setting() else { unreachable!() };
        assert_eq!(set, &["https_proxy", "HTTP_PROXY", "ALL_PROXY"]);
    }

    #[test]
    fn plain_http_to_this_machine_goes_through_a_near_proxy_alone() {
        let far = of(&[("ALL_PROXY", "http://p.example:1")]);
        for url in ["http://127.0.0.1:9/v1", "http://localhost:9/", "http://[::1]:9/"] {
            assert_eq!(way(&far, url), "direct", "{url}");
            assert_eq!(way(&own("http://p.example:1"), url), "direct", "{url}");
            assert_eq!(way(&own("http://127.0.0.1:8080"), url), "http://127.0.0.1:8080", "{url}");
        }
        assert_eq!(way(&far, "https://127.0.0.1:9/v1"), "http://p.example:1");
    }

    #[test]
    fn no_proxy_names_hosts_networks_and_domains() {
        let rules = |no: &str| of(&[("ALL_PROXY", "p:1"), ("NO_PROXY", no)]);
        for (no, url, direct) in [
            ("a.example, b.example", "https://b.example/", true),
            ("b.example", "https://x.b.example/", true),
            (".b.example", "https://b.example/", true),
            ("b.example", "https://xb.example/", false),
            ("B.Example", "https://b.example/", true),
            ("*", "https://b.example/", true),
            ("10.0.0.1", "https://10.0.0.1/", true),
            ("10.0.0.0/8", "https://10.9.9.9/", true),
            ("10.0.0.0/8", "https://11.0.0.1/", false),
            ("0.0.0.0/0", "https://11.0.0.1/", true),
            ("::1", "https://[::1]:9/", true),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("fd00::/8", "https://[fe80::1]/", false),
            ("0.0.1", "https://10.0.0.1/", false),
            ("", "https://b.example/", false),
        ] {
            assert_eq!(way(&rules(no), url) == "direct", direct, "{no} {url}");
        }
    }
}
