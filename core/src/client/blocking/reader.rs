//! `Read + Seek` over a video.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::client::blocking::BlockingRuntime;
use crate::error::Result;
use crate::video::reader::VideoReader;

/// A video that can be read from any place, for every crate that takes `Read + Seek`. Made by
/// [`Client::open`](super::Client::open); how it reads is described at [`VideoReader`].
///
/// The [`io::Error`]s have our own [`Error`](crate::Error) inside: `error.get_ref()` downcasts to it.
///
/// ```no_run
/// use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = junfeiai::blocking::Client::from_env()?;
/// let video = client.inner().videos().video("task_1")?;
/// let mut reader = BufReader::new(client.open(&video)?);
/// let mut head = [0; 8];
/// reader.read_exact(&mut head)?;
/// assert_eq!(&head[4..], b"ftyp");
/// reader.seek(SeekFrom::End(-1024))?;
/// # Ok(()) }
/// ```
pub struct Reader {
    reader: VideoReader,
    runtime: Arc<BlockingRuntime>,
}

impl Reader {
    pub(super) fn new(reader: VideoReader, runtime: Arc<BlockingRuntime>) -> Self {
        Self { reader, runtime }
    }

    /// Where the next read begins.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Length of the file in bytes. See [`VideoReader::size`].
    ///
    /// # Errors
    /// Those of [`VideoReader::size`].
    pub fn size(&mut self) -> Result<u64> {
        self.runtime.run(|| self.reader.size())
    }
}

impl Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // Demuxers read a few bytes at a time: what is in the cache needs no runtime.
        match self.reader.read_cached(buf) {
            0 => Ok(self.runtime.run(|| self.reader.read(buf))?),
            length => Ok(length),
        }
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        Ok(self.runtime.run(|| self.reader.seek(to))?)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position())
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reader.fmt(f)
    }
}
