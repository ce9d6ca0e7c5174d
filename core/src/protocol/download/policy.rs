//! What a download is asked for, what it leaves behind, and what it comes to.

use std::ops::Range;
use std::time::Duration;

use super::MAX_CONNECTIONS;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::protocol::byte_ranges::RangeSet;
use crate::protocol::mp4::Mp4Info;
use crate::protocol::validators::Validators;

/// How a video is read.
#[derive(Debug, Clone, PartialEq)]
pub struct DownloadPolicy {
    /// Most connections used at once, 1–16. Default 1; more is worth it where each connection is slow. Further ones are opened
    /// where they bring the file sooner: not for one that is faster than 125 MB/s and brings the rest within a second.
    pub connections: u32,
    /// A further connection takes half of another's rest only when that leaves both about this many bytes.
    /// Default 1 MiB.
    pub min_part: u64,
    /// How many failures in a row without a new byte end it. Default 8.
    pub max_failures: u32,
    /// First pause after such a failure. Default 0.5 s.
    pub base: Duration,
    /// Longest own pause. Default 20 s.
    pub cap: Duration,
    /// Longest time for the whole; `None` (the default) as long as bytes keep coming.
    pub timeout: Option<Duration>,
    /// How long "not ready" (from its first time) and an incomplete file (from the begin of the download, and 30 s at most
    /// where it does not change) are believed to pass: a file settles some seconds after SUCCESS. Default 90 s.
    pub settle: Duration,
    /// Whether the MP4 structure is checked at the end. Default yes.
    pub verify: bool,
    /// Whether the file must begin like an MP4, which keeps error pages out. Default yes.
    pub first_bytes: bool,
    /// Most bytes that are taken of a file whose length the server does not say, so that a body without an end does not
    /// fill the disk. Default 16 GiB.
    pub max_bytes: u64,
    /// Only this part of the file; `None` for all of it.
    pub wanted: Option<Range<u64>>,
}

impl Default for DownloadPolicy {
    fn default() -> Self {
        Self {
            connections: 1,
            min_part: 1024 * 1024,
            max_failures: 8,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            timeout: None,
            settle: Duration::from_secs(90),
            verify: true,
            first_bytes: true,
            max_bytes: 16 << 30,
            wanted: None,
        }
    }
}

impl DownloadPolicy {
    /// Judges what a caller can set, before anything is sent. Everything else is taken as it is: a size or a time that is
    /// larger than anything there can be is no limit.
    ///
    /// # Errors
    /// `invalid_request`, naming the option: connections outside 1–16, or a timeout of zero.
    pub fn check(&self, phase: Phase) -> Result<()> {
        let refuse = |name, text| Err(Error::field(ErrorKind::InvalidRequest, phase, name, text));
        if !(1..=MAX_CONNECTIONS).contains(&self.connections) {
            return refuse("connections", format!("connections must be from 1 to {MAX_CONNECTIONS}"));
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return refuse("timeout", "timeout must be more than zero".to_owned());
        }
        Ok(())
    }
}

/// What a former call left behind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Which bytes are there.
    pub ranges: RangeSet,
    /// ETag, date and length of the file that they are from.
    pub validators: Validators,
    /// Where they are from, without the query.
    pub source: String,
}

/// A download that came to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Length of the whole file, where it is known. For a part that begins behind the end of a file whose length was
    /// never told, that begin: the file is no longer.
    pub total: Option<u64>,
    /// What the MP4 structure says; `None` when it was not checked.
    pub info: Option<Mp4Info>,
    /// Requests sent for the file.
    pub attempts: u32,
    /// True when bytes of a former call or connection were kept and added to.
    pub resumed: bool,
}
