//! Redirects, followed by us so that the key is judged anew on every hop.

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::transport::Method;
use crate::url::Url;

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
