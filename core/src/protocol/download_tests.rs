#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::*;

#[path = "download_tests/random.rs"]
mod random;
#[path = "download_tests/simulation.rs"]
mod simulation;

/// What a sound MP4 says.
fn info() -> Mp4Info {
    Mp4Info {
        duration: Some(Duration::from_secs(6)),
        width: Some(1280),
        height: Some(720),
        rotation: 0,
        moov_at_end: false,
        fragmented: false,
        video_codec: Some(*b"avc1"),
        audio_codec: None,
        tracks: 1,
    }
}

/// An error answer, as `classify` makes it.
fn refusal(kind: ErrorKind, status: u16) -> Error {
    Error::new(kind, Phase::Content, format!("HTTP {status}")).with(|record| record.status = Some(status))
}

/// The answer to a range that begins behind the file: a plain 416, or what the proxy makes of it.
fn past_the_end(status: u16) -> Error {
    if status == 416 {
        return refusal(ErrorKind::BadRequest, 416);
    }
    let said = "Upstream service returned status 416";
    refusal(ErrorKind::Upstream, status).with(|record| record.server_message = Some(said.into()))
}
