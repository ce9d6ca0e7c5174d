//! A real MP4 without an encoder library: a test card of flat macroblocks in constrained baseline H.264.
//!
//! [`card`] draws, [`h264`] codes, [`mux`] lays out the file. [`render`] does all three.

pub(crate) mod bits;
pub(crate) mod card;
pub(crate) mod h264;
pub(crate) mod mux;

use crate::video::VideoFile;

/// Frames per second of every generated video; there is one keyframe each second.
pub(crate) const FPS: u32 = 24;

/// What to draw and how to lay it out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Spec {
    /// Displayed width in pixels.
    pub(crate) width: u32,
    /// Displayed height in pixels.
    pub(crate) height: u32,
    /// Length in whole seconds.
    pub(crate) seconds: u32,
    /// Decides the strip of identity colours and the padding, so that no two tasks have equal files.
    pub(crate) identity: u64,
    /// Wanted size of the whole file; ignored when the coded picture alone is larger.
    pub(crate) bytes: Option<u64>,
    /// Put `moov` after `mdat`.
    pub(crate) moov_at_end: bool,
}

/// Draws, codes and lays out one file.
pub(crate) fn render(spec: &Spec) -> VideoFile {
    let mut coder = h264::Coder::new(spec.width, spec.height, FPS);
    let (columns, rows) = coder.macroblocks();
    let card = card::Card::new(columns, rows, spec.width, spec.height, spec.seconds, spec.identity);
    let mut seconds = Vec::with_capacity(spec.seconds as usize);
    for second in 0..spec.seconds {
        let frames = (0..FPS).map(|frame| coder.frame(&card.picture(second, frame), frame == 0)).collect();
        seconds.push(frames);
    }
    mux::mux(spec, &coder, seconds)
}
