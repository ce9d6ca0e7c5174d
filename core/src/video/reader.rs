//! A video as something to read and seek in, without a file.

use std::fmt;
use std::future::poll_fn;
use std::io::SeekFrom;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::async_compat::BoxFuture;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::protocol::blocks::{BlockReader, BlockStep, ReaderOptions};
use crate::protocol::{DownloadPolicy, Progress};
use crate::video::fetch::{Fetch, FetchEvent};

/// So long the next request waits for the end of the one before it, which saves a new connection.
const FINISH_WITHIN: Duration = Duration::from_millis(250);

/// Smallest block of the cache.
const LEAST_BLOCK: usize = 4096;

/// A video that can be read from any place, made by [`Video::open`](crate::Video::open).
///
/// Reading from one end to the other costs one short and one long request; a seek costs a request only when the bytes
/// there are neither in the cache (2 MiB by default) nor near in the running answer. A connection that breaks is taken
/// up again where it broke. The length is checked; where the server does not say it, the end must not lie inside of a
/// box, as far as all before it was read. More of the MP4 structure is not checked.
///
/// Every answer is compared with the first (`ETag`, date, length): when the file changes while it is read, that is an
/// `integrity` error, now and at every later read. After any other error the next read tries again.
///
/// It implements tokio's `AsyncRead` and `AsyncSeek` with the feature `native`; the own methods do the same with our
/// own error. All of them may be dropped half-way: nothing is lost.
///
/// ```no_run
/// use std::io::SeekFrom;
///
/// # async fn run(client: junfeiai::Client) -> junfeiai::Result<()> {
/// let mut reader = client.videos().video("task_1")?.open().await?;
/// let size = reader.size().await?;
/// reader.seek(SeekFrom::End(-1024)).await?;
/// let mut buf = [0; 1024];
/// let length = reader.read(&mut buf).await?; // up to the end of the cached block, perhaps less than 1024
/// println!("{length} of the last bytes of {size}");
/// # Ok(()) }
/// ```
pub struct VideoReader {
    fetch: Fetch,
    blocks: BlockReader,
    position: u64,
    /// What identifies the file that the bytes so far are from.
    keep: Progress,
    /// Ends the reading of what is left of a part that nobody waits for.
    finishing: Option<BoxFuture<'static, ()>>,
    /// The file changed: there is nothing more to be had here.
    changed: Option<Error>,
    #[cfg(feature = "native")]
    pub(crate) seeking: Option<SeekFrom>,
}

impl VideoReader {
    /// Opens it by reading its first bytes.
    pub(crate) async fn open(fetch: impl FnOnce(DownloadPolicy) -> Fetch, mut options: ReaderOptions) -> Result<Self> {
        // Every block is looked at for every read: with blocks of a few bytes that takes the time, not the network.
        options.block_bytes = options.block_bytes.max(LEAST_BLOCK);
        // Nothing is asked for before the first part is chosen.
        let policy = DownloadPolicy { wanted: Some(0..0), verify: false, ..DownloadPolicy::default() };
        let mut reader = Self {
            fetch: fetch(policy).counting(),
            blocks: BlockReader::new(options),
            position: 0,
            keep: Progress::default(),
            finishing: None,
            changed: None,
            #[cfg(feature = "native")]
            seeking: None,
        };
        poll_fn(|cx| reader.poll_bring(cx, 0)).await?;
        Ok(reader)
    }

    /// Where the next read begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Length of the file in bytes. Known since the first answer of nearly every server; where it is not, this reads on
    /// until it is.
    ///
    /// # Errors
    /// Those of [`VideoReader::read`], when a request is needed.
    pub async fn size(&mut self) -> Result<u64> {
        poll_fn(|cx| self.poll_size(cx)).await
    }

    /// Reads some bytes, as many as are at hand, and moves on; 0 at the end of the file or for an empty buffer.
    ///
    /// # Errors
    /// `integrity` when the file changed since it was opened or ends inside of a box, `download`, and whatever the server refuses.
    pub async fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        poll_fn(|cx| self.poll_read_some(cx, buf)).await
    }

    /// Moves to another place, and returns it. Costs no request. Behind the end is allowed: reads there give 0 bytes.
    ///
    /// # Errors
    /// `invalid_request` for a place before the start; those of [`VideoReader::size`] for one counted from the end.
    pub async fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        poll_fn(|cx| self.poll_seek_to(cx, to)).await
    }

    /// Ends the request under way, if there is one, for a caller that will not read on soon. What is cached stays, and
    /// the next read asks for what it needs.
    pub fn pause(&mut self) {
        self.finishing = None;
        self.blocks.ended();
        // As when it was opened: nothing is asked for before a part is chosen.
        self.fetch.next_part(0..0, self.keep.clone());
    }

    pub(crate) fn poll_read_some(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize>> {
        if buf.is_empty() || !ready!(self.poll_bring(cx, self.position))? {
            return Poll::Ready(Ok(0));
        }
        Poll::Ready(Ok(self.read_cached(buf)))
    }

    /// Reads what needs no waiting; 0 when nothing is at hand.
    pub(crate) fn read_cached(&mut self, buf: &mut [u8]) -> usize {
        if self.changed.is_some() {
            return 0;
        }
        let length = self.blocks.copy(self.position, buf);
        self.position += length as u64;
        length
    }

    pub(crate) fn poll_seek_to(&mut self, cx: &mut Context<'_>, to: SeekFrom) -> Poll<Result<u64>> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => ready!(self.poll_size(cx))?.checked_add_signed(by),
        };
        let Some(place) = place else {
            let text = "the seek leads to no place in the video";
            return Poll::Ready(Err(Error::field(ErrorKind::InvalidRequest, Phase::Content, "position", text)));
        };
        self.position = place;
        Poll::Ready(Ok(place))
    }

    fn poll_size(&mut self, cx: &mut Context<'_>) -> Poll<Result<u64>> {
        loop {
            if let Some(total) = self.blocks.total() {
                return Poll::Ready(Ok(total));
            }
            // No file reaches this far: the way there finds the end.
            let step = self.blocks.step(u64::MAX);
            ready!(self.poll_step(cx, step))?;
        }
    }

    /// Sees to it that the byte at this place is in the cache; false when the file ends before.
    fn poll_bring(&mut self, cx: &mut Context<'_>, at: u64) -> Poll<Result<bool>> {
        loop {
            if let Some(error) = &self.changed {
                return Poll::Ready(Err(error.clone()));
            }
            match self.blocks.step(at) {
                BlockStep::Ready => return Poll::Ready(Ok(true)),
                BlockStep::End => return Poll::Ready(Ok(false)),
                step => ready!(self.poll_step(cx, step))?,
            }
        }
    }

    fn poll_step(&mut self, cx: &mut Context<'_>, step: BlockStep) -> Poll<Result<()>> {
        if let Some(error) = &self.changed {
            return Poll::Ready(Err(error.clone()));
        }
        match step {
            BlockStep::Open { start, end } => {
                tracing::trace!(start, end, "video part");
                self.finishing = None;
                self.fetch.next_part(start..end.unwrap_or(u64::MAX), self.keep.clone());
                return Poll::Ready(Ok(()));
            }
            BlockStep::Finish => return self.poll_finish(cx).map(Ok),
            BlockStep::More | BlockStep::Ready | BlockStep::End => self.finishing = None,
        }
        match ready!(self.fetch.poll_event(cx)) {
            FetchEvent::Write { at, bytes } => {
                self.learn();
                self.blocks.arrived(at, bytes.into_bytes());
            }
            // An answer was of another file, or of another place in it. What was handed out stays what we compare with:
            // if the next answer differs from that too, the download ends with the error.
            FetchEvent::Reset => self.blocks.ended(),
            FetchEvent::Verify { .. } => {
                return Poll::Ready(Err(Error::new(ErrorKind::Internal, Phase::Content, "a part was to be checked")));
            }
            FetchEvent::Done(result) => {
                self.blocks.ended();
                match result {
                    Ok(finished) => {
                        let honoured = self.fetch.machine().ranges_honoured();
                        self.blocks.learnt(finished.total, honoured);
                    }
                    Err(error) => {
                        if error.kind() == ErrorKind::Integrity {
                            self.changed = Some(error.clone());
                        }
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the rest of a part, unless that takes long. Nobody waits for it, so no failure matters.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Self { finishing, fetch, .. } = self;
        let late = finishing.get_or_insert_with(|| fetch.sleep(FINISH_WITHIN)).as_mut().poll(cx).is_ready();
        if !late && self.fetch.machine().is_reading() {
            match self.fetch.poll_event(cx) {
                Poll::Ready(FetchEvent::Write { at, bytes }) => {
                    self.learn();
                    self.blocks.arrived(at, bytes.into_bytes());
                    return Poll::Ready(());
                }
                Poll::Pending if self.fetch.machine().is_reading() => return Poll::Pending,
                _ => {}
            }
        }
        self.finishing = None;
        self.blocks.ended();
        Poll::Ready(())
    }

    /// Takes over what the answer's head said.
    fn learn(&mut self) {
        let machine = self.fetch.machine();
        if machine.validators() != &self.keep.validators || machine.source() != self.keep.source {
            self.keep = Progress { ranges: crate::protocol::byte_ranges::RangeSet::new(), ..machine.progress() };
        }
        let honoured = machine.ranges_honoured();
        self.blocks.learnt(machine.total(), honoured);
        if !honoured {
            // The whole rest comes anyway.
            self.fetch.widen();
        }
    }
}

impl fmt::Debug for VideoReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoReader")
            .field("position", &self.position)
            .field("size", &self.blocks.total())
            .finish_non_exhaustive()
    }
}
