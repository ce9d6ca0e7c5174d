//! Redirects, followed by us so that the key is judged anew on every hop.

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::net::transport::Method;
use crate::net::url::Url;

/// Most hops of one request.
pub const MAX_REDIRECTS: u32 = 5;

/// Where to go after this answer, or `None` when it is no redirect.
///
/// Only reads are followed. A create is not: 301–303 would turn it into a read, and a base URL that redirects is better
/// corrected than paid for twice over.
///
/// # Errors
/// `unexpected_response` for a redirect without or with a senseless target, a downgrade from https to http, or too many
/// hops.
pub fn next_hop(method: Method, from: &Url, status: u16, location: Option<&str>, hops: u32) -> Result<Option<Url>> {
    if !matches!(status, 301 | 302 | 303 | 307 | 308) || method != Method::Get {
        return Ok(None);
    }
    let refuse = |why: String| {
        Error::new(ErrorKind::UnexpectedResponse, Phase::Content, why).with(|record| record.status = Some(status))
    };
    let location = location.ok_or_else(|| refuse("the server redirects without saying where to".into()))?;
    let to =
        from.resolve(location).map_err(|error| refuse(format!("the server redirects to no usable URL: {error}")))?;
    if hops >= MAX_REDIRECTS {
        return Err(refuse(format!("the server redirects more than {MAX_REDIRECTS} times")));
    }
    if from.is_https() && !to.is_https() {
        return Err(refuse(format!("the server redirects from https to plain http ({})", to.for_display())));
    }
    Ok(Some(to))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn hop(method: Method, from: &str, status: u16, location: Option<&str>, hops: u32) -> Result<Option<String>> {
        next_hop(method, &Url::parse(from).unwrap(), status, location, hops).map(|to| to.map(|to| to.to_string()))
    }

    const HERE: &str = "https://a.example/v1/videos/task_1/content?x=1";

    #[test]
    fn reads_follow_every_kind_of_redirect() {
        for status in [301, 302, 303, 307, 308] {
            for (location, to) in [
                ("https://b.example/file.mp4?sig=1", "https://b.example/file.mp4?sig=1"),
                ("/other", "https://a.example/other"),
                ("//c.example/file", "https://c.example/file"),
                ("https://b.example:8443/", "https://b.example:8443/"),
            ] {
                assert_eq!(hop(Method::Get, HERE, status, Some(location), 0).unwrap().as_deref(), Some(to));
            }
        }
        let up = hop(Method::Get, "http://127.0.0.1:80/a", 302, Some("https://a.example/"), 0).unwrap();
        assert_eq!(up.as_deref(), Some("https://a.example/"));
    }

    #[test]
    fn other_answers_and_paid_calls_are_left_alone() {
        for status in [200, 206, 300, 304, 305, 404] {
            assert_eq!(hop(Method::Get, HERE, status, Some("/other"), 0).unwrap(), None, "{status}");
        }
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(hop(Method::Post, HERE, status, Some("/other"), 0).unwrap(), None, "{status}");
        }
    }

    #[test]
    fn senseless_redirects_are_errors() {
        for location in [None, Some("ftp://a.example/"), Some("https://user@a.example/"), Some("http://a.example/")] {
            let error = hop(Method::Get, HERE, 302, location, 0).unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::UnexpectedResponse, Some(302)), "{location:?}");
        }
    }

    #[test]
    fn a_circle_is_left_after_five_hops() {
        let mut hops = 0;
        let error = loop {
            match hop(Method::Get, HERE, 302, Some(HERE), hops) {
                Ok(_) => hops += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(hops, MAX_REDIRECTS);
        assert!(error.to_string().contains("more than 5 times"), "{error}");
    }
}
