//! The key goes to no origin that is not on the list: ours, judged by the reader of URLs inside the HTTP stack.
//!
//! What is right is written down here a second time, with the crate `url` and the names of the service document; nothing
//! of it is asked of the code that is tested.
//!
//! Input: lines. Entries and trusted hosts with commas between them, the video host, the URL asked for, and then one
//! `Location` a line.
#![no_main]

use std::collections::HashSet;

use junfeiai::Url;
use junfeiai::endpoint::{Endpoint, Trust};
use junfeiai::protocol::{MAX_REDIRECTS, next_hop};
use junfeiai::transport::Method;
use libfuzzer_sys::fuzz_target;
use url::Host;

fn loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Scheme, host and port by the other reader.
type Place = (String, String, u16);

/// The service document, §1.
const STANDARD: &str = "https://junfeiai.com";
const CHINA: &str = "https://junfeiai.hk-proxy.lingzhiwuxian.com";
const VIDEO: &str = "https://video.junfeiai.hk-proxy.lingzhiwuxian.com";

fn origin(url: &url::Url) -> Option<Place> {
    Some((url.scheme().to_owned(), url.host_str()?.to_owned(), url.port_or_known_default()?))
}

fn place(text: &str) -> Option<Place> {
    origin(&url::Url::parse(text).ok()?)
}

/// What an entry, or a host that is trusted, means: a URL as it is, a host alone https.
fn meant(text: &str) -> Option<Place> {
    match text.trim() {
        "standard" => place(STANDARD),
        "china" => place(CHINA),
        text if text.contains("://") => place(text),
        text => place(&format!("https://{text}")),
    }
}

fuzz_target!(|input: &str| {
    let mut lines = input.split('\n');
    let mut list = || lines.next().unwrap_or_default().split(',').filter(|text| !text.is_empty()).map(str::to_owned);
    let bases: Vec<String> = list().collect();
    let trusted: Vec<String> = list().collect();
    let video: Option<String> = list().next();
    let Ok(endpoints) = bases.iter().map(|text| Endpoint::parse(text)).collect::<Result<Vec<_>, _>>() else { return };
    let video_origin = video.as_deref().and_then(|text| Url::parse(text).ok()).map(|url| url.origin());
    let Ok(trust) = Trust::new(&endpoints, video_origin.as_ref(), &trusted) else { return };
    // The list as it should be.
    let mut listed: HashSet<Place> = place(VIDEO).into_iter().collect();
    listed.extend(bases.iter().filter_map(|text| meant(text)));
    listed.extend(video.iter().filter(|_| video_origin.is_some()).filter_map(|text| place(text)));
    for text in &trusted {
        if text.contains("://") {
            // A host that is trusted is trusted for https; one that is this machine for plain http as well.
            let Some((_, host, port)) = place(text) else { continue };
            listed.extend([("https".to_owned(), host.clone(), port), ("http".to_owned(), host, port)]);
        } else {
            listed.extend(meant(text).into_iter().chain(place(&format!("http://{text}"))));
        }
    }
    let documented = [place(STANDARD), place(CHINA)];
    if bases.iter().any(|text| documented.contains(&meant(text))) {
        listed.extend(documented.into_iter().flatten());
    }
    let may = |theirs: &url::Url| {
        let safe = theirs.scheme() == "https" || theirs.scheme() == "http" && loopback(theirs);
        safe && theirs.username().is_empty() && origin(theirs).is_some_and(|place| listed.contains(&place))
    };

    let Some(text) = lines.next() else { return };
    let Ok(mut at) = Url::parse(text) else { return };
    for hops in 0..=MAX_REDIRECTS + 1 {
        // What is sent is our own writing of it; the HTTP stack reads that.
        if trust.allows(&at) {
            // What it does not take as a URL (a malformed punycode label) it does not send.
            let Ok(theirs) = url::Url::parse(&at.to_string()) else { return };
            assert!(may(&theirs), "the key would go to {theirs}, listed are {listed:?}");
            if hops == 0
                && let Ok(given) = url::Url::parse(text)
            {
                assert!(may(&given), "the key would go to {given}, listed are {listed:?}");
            }
        }
        let Some(location) = lines.next() else { return };
        assert!(matches!(next_hop(Method::Post, &at, 307, Some(location), hops), Ok(None)), "a create is redirected");
        match next_hop(Method::Get, &at, 302, Some(location), hops) {
            Ok(Some(next)) => {
                assert!(hops < MAX_REDIRECTS, "too many hops");
                assert!(next.is_https() || !at.is_https(), "from https to plain http");
                let joined = url::Url::parse(&at.to_string()).ok().and_then(|base| base.join(location).ok());
                if let Some(joined) = joined
                    && trust.allows(&next)
                {
                    assert!(may(&joined), "the key would go to {next}, which is {joined} to others");
                }
                at = next;
            }
            Ok(None) => panic!("a redirect was passed over"),
            Err(_) => return,
        }
    }
});
