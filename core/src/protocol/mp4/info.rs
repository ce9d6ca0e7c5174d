//! What a check finds: what a sound file says about itself, or why it is none.

use std::fmt;
use std::time::Duration;

/// What a sound MP4 says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mp4Info {
    /// Length in time; `None` if the file does not say. Of fragments that nobody counted, what is there.
    pub duration: Option<Duration>,
    /// Width in pixels as a player shows it: a quarter turn ([`rotation`](Self::rotation)) is applied.
    pub width: Option<u32>,
    /// Height in pixels as a player shows it.
    pub height: Option<u32>,
    /// Clockwise turn of the picture before it is shown: 0, 90, 180 or 270 degrees.
    pub rotation: u16,
    /// The index (`moov`) stands behind the first media data: a player must seek before it can start.
    pub moov_at_end: bool,
    /// The media come in fragments (`moof`), or the file announces them (`mvex`).
    pub fragmented: bool,
    /// Something stands behind the last whole box, or a box claims more than there is. No sample is missing, but where
    /// the length of the file was only guessed more may follow.
    pub loose_end: bool,
    /// Sample format of the first video track, such as `avc1` or `hvc1`.
    pub video_codec: Option<[u8; 4]>,
    /// Sample format of the first audio track, such as `mp4a`.
    pub audio_codec: Option<[u8; 4]>,
    /// Number of tracks of any kind.
    pub tracks: u32,
}

/// Why the data are not a whole MP4. `Display` is one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mp4Fault {
    /// The data do not begin like an MP4: an error page, another format.
    NotMp4 {
        /// The first bytes, at most 16.
        first: Vec<u8>,
    },
    /// The data end too early. Fetching again may help.
    Truncated {
        /// The box that is cut; `????` if the cut is before its type.
        box_type: [u8; 4],
        /// Length in bytes that the data must have at least.
        needs: u64,
        /// Length in bytes that they have.
        has: u64,
    },
    /// A box without which nothing can be played is not there.
    Missing {
        /// `"moov"`, `"mdat"` or `"moof"`.
        what: &'static str,
    },
    /// A box contradicts the format.
    Malformed {
        /// The box.
        box_type: [u8; 4],
        /// Where it begins, in bytes from the start of the file.
        offset: u64,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for Mp4Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMp4 { first } => {
                write!(f, "not an MP4: it begins with \"{}\"", first.escape_ascii())
            }
            Self::Truncated { box_type, needs, has } => write!(
                f,
                "the MP4 is cut off in its '{}' box: at least {needs} bytes are needed, {has} are there",
                box_type.escape_ascii()
            ),
            Self::Missing { what } => write!(f, "the MP4 has no '{what}' box"),
            Self::Malformed { box_type, offset, why } => {
                write!(f, "the MP4 is malformed: '{}' box at byte {offset}: {why}", box_type.escape_ascii())
            }
        }
    }
}

impl std::error::Error for Mp4Fault {}

/// What [`Mp4Check`](super::Mp4Check) wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mp4Step {
    /// Hand these bytes to [`Mp4Check::input`](super::Mp4Check::input). `len` is 1 to [`MAX_NEED`](super::MAX_NEED); the range lies inside of
    /// the file.
    Need {
        /// First byte, from the start of the file.
        offset: u64,
        /// Number of bytes.
        len: usize,
    },
    /// The verdict; every later step repeats it.
    Done(Result<Mp4Info, Mp4Fault>),
}
