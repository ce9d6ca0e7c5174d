//! The key goes to no origin that is not on the list: ours, judged by the reader of URLs inside the HTTP stack.
//!
//! Input: lines. Entries and trusted hosts with commas between them, the video host, the URL asked for, and then one
//! `Location` a line.
#![no_main]

use std::collections::HashSet;

use junfeiai::Url;
use junfeiai::endpoint::{Endpoint, Trust, VIDEO_HOST};
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

/// Host and port by the other reader; a host alone means https.
fn place(text: &str) -> Option<(String, u16)> {
    let text = text.trim();
    let full = match text {
        "standard" => "https://junfeiai.com".to_owned(),
        "china" => "https://junfeiai.hk-proxy.lingzhiwuxian.com".to_owned(),
        text if text.contains("://") => text.to_owned(),
        text => format!("https://{text}"),
    };
    let url = url::Url::parse(&full).ok()?;
    Some((url.host_str()?.to_owned(), url.port_or_known_default()?))
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
    // The list as the other reader understands it.
    let mut listed: HashSet<(String, u16)> = HashSet::from([(VIDEO_HOST.to_owned(), 443)]);
    for text in bases.iter().chain(&trusted).chain(video.iter().filter(|_| video_origin.is_some())) {
        // A host alone that is this machine stands for plain http as well.
        let plain = place(&format!("http://{}", text.trim())).filter(|_| !text.contains("://"));
        listed.extend(place(text).into_iter().chain(plain));
    }
    if endpoints.iter().any(Endpoint::is_documented) {
        listed.extend(["standard", "china"].into_iter().filter_map(place));
    }
    let may = |theirs: &url::Url| {
        let place = theirs.host_str().map(str::to_owned).zip(theirs.port_or_known_default());
        let safe = theirs.scheme() == "https" || theirs.scheme() == "http" && loopback(theirs);
        safe && theirs.username().is_empty() && place.is_some_and(|place| listed.contains(&place))
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
