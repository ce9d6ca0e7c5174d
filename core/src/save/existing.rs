//! A video that was saved before.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use crate::error::Result;
use crate::protocol::mp4::{Mp4Check, Mp4Info, Mp4Step};
use crate::save::file::Summary;
use crate::save::part_file::read_full;
use crate::save::refusals::io_error;
use crate::time::Time;

/// What is known of a video that a former process saved without coming to say so. A file has this name only when it is
/// whole; one that is not a whole MP4 is somebody else's, and saving will say that it is in the way.
pub(crate) fn whole(path: &Path, now: impl Fn() -> Time) -> Result<Option<Summary>> {
    let begun = now();
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let io = |error: std::io::Error| io_error("the file", path, &error);
    let bytes = file.metadata().map_err(io)?.len();
    let Some(info) = check(&mut file, bytes).map_err(io)? else { return Ok(None) };
    Ok(Some(Summary {
        path: path.to_owned(),
        bytes,
        duration: info.duration,
        width: info.width,
        height: info.height,
        resumed: false,
        attempts: 0,
        elapsed: now().since(begun),
        sha256: None,
    }))
}

fn check(file: &mut File, bytes: u64) -> std::io::Result<Option<Mp4Info>> {
    let mut check = Mp4Check::new(bytes);
    let mut buffer = Vec::new();
    loop {
        match check.step() {
            Mp4Step::Done(result) => return Ok(result.ok()),
            Mp4Step::Need { offset, len } => {
                buffer.resize(len, 0);
                file.seek(SeekFrom::Start(offset))?;
                let read = read_full(file, &mut buffer)?;
                check.input(buffer.get(..read).unwrap_or_default());
            }
        }
    }
}
