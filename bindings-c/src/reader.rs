//! A video as something to read and seek in, without a file.

use std::io::SeekFrom;
use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use junfeiai::{CancelToken, VideoReader};

use crate::cancel::{cancellable, jfai_cancel, token};
use crate::client_runtime::{ClientRuntime, release};
use crate::error_handle::jfai_error;
use crate::failure::{Failure, Outcome, need};
use crate::guard::{guard, guard_or};
use crate::status::jfai_status;
use crate::text::{fill, room};
use crate::video::jfai_video;

/// From the start of the file.
pub const JFAI_SEEK_SET: i32 = 0;
/// From where the next read would begin.
pub const JFAI_SEEK_CUR: i32 = 1;
/// From the end of the file.
pub const JFAI_SEEK_END: i32 = 2;

/// So much is taken from the core at a time.
const PIECE: usize = 64 * 1024;

/// A video to read and seek in: for FFmpeg's `avio_alloc_context`, `fopencookie` and the like. For one thread at a time.
pub struct jfai_reader {
    // The lock makes the handle one that threads may hand on; it never waits.
    reader: Mutex<VideoReader>,
    id: Option<String>,
    token: CancelToken,
    runtime: Arc<ClientRuntime>,
}

impl jfai_reader {
    /// The task's id of a handle, which may be NULL, for the errors of a call about it.
    fn id_of(reader: Option<&Self>) -> Option<String> {
        reader.and_then(|reader| reader.id.clone())
    }

    fn reader(&mut self) -> &mut VideoReader {
        self.reader.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn locked(&self) -> MutexGuard<'_, VideoReader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a video by reading its first bytes. Reading from one end to the other costs one short and one long request; a seek costs
/// one only when the bytes there are not buffered. A connection that breaks is resumed where it broke. `cancel` may be NULL;
/// it ends every later call of this reader, too.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reader_open(
    video: Option<&jfai_video>,
    cancel: Option<&jfai_cancel>,
    out: Option<&mut MaybeUninit<Box<jfai_reader>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_video::id_of(video) => {
        let out = need(out, "out")?;
        let (video, runtime) = &need(video, "video")?.held();
        let token = token(cancel);
        let id = video.task_id().map(str::to_owned);
        let reader = Mutex::new(runtime.run(cancellable(&token, id.as_deref(), video.open()))?);
        out.write(Box::new(jfai_reader { reader, id, token, runtime: runtime.clone() }));
        Ok(())
    })
}

/// Reads up to `size` bytes and moves on. `out_size` gets how many: fewer than `size` at the end of the file and before an error, which
/// the next call gives; 0 only at the end.
/// `buffer` may be NULL when `size` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_reader_read(
    reader: Option<&mut jfai_reader>,
    buffer: *mut u8,
    size: usize,
    out_size: Option<&mut MaybeUninit<usize>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_reader::id_of(reader.as_deref()) => {
        let out_size = need(out_size, "out_size")?;
        let reader = need(reader, "reader")?;
        // SAFETY: the header asks for room for `size` bytes or NULL.
        let mut room = unsafe { room(buffer, size, "buffer") }?;
        let mut total = 0;
        let mut piece = vec![0; room.len().min(PIECE)];
        while !room.is_empty() {
            let wanted = piece.len().min(room.len());
            let got = reader.read(piece.get_mut(..wanted).unwrap_or_default());
            let count = match got {
                Ok(0) => break,
                Ok(count) => count,
                // What was read is the caller's; the next call fails with the error, if it persists.
                Err(_) if total > 0 => break,
                Err(failure) => return Err(failure),
            };
            fill(room, piece.get(..count).unwrap_or_default());
            total += count;
            room = room.split_at_mut(count).1;
        }
        out_size.write(total);
        Ok(())
    })
}

impl jfai_reader {
    fn read(&mut self, piece: &mut [u8]) -> Outcome<usize> {
        let (id, token, runtime) = (self.id.clone(), self.token.clone(), self.runtime.clone());
        runtime.run(cancellable(&token, id.as_deref(), self.reader().read(piece)))
    }
}

/// Moves to another place, counted from `whence`: `JFAI_SEEK_…`, which are C's `SEEK_…` where these are 0, 1, 2. Costs no request.
/// `out_position` may be NULL; it gets the new place. Past the end is allowed: reads there return 0 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reader_seek(
    reader: Option<&mut jfai_reader>,
    offset: i64,
    whence: i32,
    out_position: Option<&mut MaybeUninit<u64>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_reader::id_of(reader.as_deref()) => {
        let reader = need(reader, "reader")?;
        let to = match whence {
            JFAI_SEEK_SET => match u64::try_from(offset) {
                Ok(place) => SeekFrom::Start(place),
                Err(_) => return Err(Failure::Argument(format!("offset is {offset}: before the start of the file"))),
            },
            JFAI_SEEK_CUR => SeekFrom::Current(offset),
            JFAI_SEEK_END => SeekFrom::End(offset),
            other => return Err(Failure::Argument(format!("whence is {other}, not a JFAI_SEEK_ number"))),
        };
        let (id, token, runtime) = (reader.id.clone(), reader.token.clone(), reader.runtime.clone());
        let place = runtime.run(cancellable(&token, id.as_deref(), reader.reader().seek(to)))?;
        if let Some(out) = out_position {
            out.write(place);
        }
        Ok(())
    })
}

/// The length of the file in bytes. Known since it was opened, with nearly every server.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reader_size(
    reader: Option<&mut jfai_reader>,
    out_size: Option<&mut MaybeUninit<u64>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err, about jfai_reader::id_of(reader.as_deref()) => {
        let out_size = need(out_size, "out_size")?;
        let reader = need(reader, "reader")?;
        let (id, token, runtime) = (reader.id.clone(), reader.token.clone(), reader.runtime.clone());
        out_size.write(runtime.run(cancellable(&token, id.as_deref(), reader.reader().size()))?);
        Ok(())
    })
}

/// Where the next read begins. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reader_position(reader: Option<&jfai_reader>) -> u64 {
    guard_or!(0 => reader.map_or(0, |reader| reader.locked().position()))
}

/// Frees a reader. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reader_free(reader: Option<Box<jfai_reader>>) {
    guard_or!(() => release(reader, |reader| &reader.runtime));
}
