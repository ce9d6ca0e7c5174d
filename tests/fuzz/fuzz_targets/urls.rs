//! URLs: whatever we take, the reader inside the HTTP stack takes for the same host.
//!
//! Input: a URL, a line feed, a `Location`.
#![no_main]

use junfeiai::Url;
use junfeiai::endpoint::Endpoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let (text, location) = input.split_once('\n').unwrap_or((input, ""));
    let _ = Endpoint::parse(text);
    let Ok(ours) = Url::parse(text) else { return };
    let same = |ours: &Url, theirs: &url::Url| {
        // An IPv6 address that holds an IPv4 one has two writings.
        let six = |text: &str| text.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().ok();
        match theirs.host() {
            Some(url::Host::Ipv6(address)) => assert_eq!(six(ours.host()), Some(address)),
            _ => assert_eq!(theirs.host_str(), Some(ours.host())),
        }
        assert_eq!(theirs.port_or_known_default(), Some(ours.port()));
        assert_eq!(theirs.scheme() == "https", ours.is_https());
        assert!(theirs.username().is_empty() && theirs.password().is_none());
    };
    if let Ok(theirs) = url::Url::parse(text) {
        same(&ours, &theirs);
    }
    if let Ok(theirs) = url::Url::parse(&ours.to_string()) {
        same(&ours, &theirs);
    }
    if let Ok(to) = ours.resolve(location)
        && let Ok(theirs) = url::Url::parse(&to.to_string())
    {
        same(&to, &theirs);
    }
});
