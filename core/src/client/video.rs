//! A video that is done: read it, or save it.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use crate::async_compat::{BoxStream, MaybeSend};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Phase, Result};
#[cfg(feature = "journal")]
use crate::journal::Event;
use crate::model::SavedFile;
use crate::protocol::blocks::ReaderOptions;
use crate::protocol::{DownloadPolicy, Finished};
#[cfg(feature = "journal")]
use crate::save::existing::saved_in;
#[cfg(feature = "journal")]
use crate::save::file_name::safe_file_name;
use crate::save::saver::{PROGRESS_EVERY, Reached, SaveOptions, save};
use crate::storage::Storage;
use crate::video::fetch::{ByteStream, Fetch, MemorySink, Source, Tell, to_memory};
use crate::video::range_response::{self, RangeResponse};
use crate::video::reader::VideoReader;

/// Largest video that [`Video::bytes`] reads by default: 1 GiB.
pub const DEFAULT_MAX_BYTES: usize = 1024 * 1024 * 1024;

/// A video of the service (service document §6). Result links live about a day: save it soon.
///
/// However it is read, a connection that breaks is taken up again where it broke, every answer is compared with the first
/// (`ETag`, date, length), and a signed link that has expired is asked for anew.
#[derive(Clone)]
pub struct Video {
    pub(crate) client: Client,
    pub(crate) source: Source,
    /// Where an earlier call with the same key saved it.
    pub(crate) saved: Option<Arc<SavedFile>>,
}

impl Video {
    pub(crate) fn new(client: Client, source: Source) -> Self {
        Self { client, source, saved: None }
    }

    /// The task that made it, when it is known.
    pub fn task_id(&self) -> Option<&str> {
        self.source.task_id.as_deref()
    }

    /// Where an earlier call with the same [key](crate::VideoRequest#structfield.key) saved it, as the journal says. The
    /// file may have been moved since. [`Video::save`] to the same path gives a file that is still there without a
    /// request.
    pub fn saved_path(&self) -> Option<&Path> {
        self.saved.as_ref().filter(|file| file.named).map(|file| Path::new(&file.path))
    }

    /// A file name made from the task id that every system takes, such as `task_abc.mp4`.
    #[cfg(feature = "journal")]
    pub fn file_name(&self) -> String {
        safe_file_name(self.task_id().unwrap_or("video"))
    }

    /// The client that it belongs to.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its address, when it is known. Reading it needs the key, unless the link is signed.
    pub fn url(&self) -> Option<&str> {
        self.source.url.as_deref()
    }

    /// The whole video in memory, length and MP4 structure checked. Refuses more than 1 GiB.
    ///
    /// # Errors
    /// `not_ready`, `download`, `integrity`, and whatever the server refuses.
    pub async fn bytes(&self) -> Result<Bytes> {
        self.bytes_up_to(DEFAULT_MAX_BYTES).await
    }

    /// [`Video::bytes`] with a limit of its own.
    ///
    /// # Errors
    /// Those of [`Video::bytes`], and `invalid_request` when the video is longer.
    pub async fn bytes_up_to(&self, max_bytes: usize) -> Result<Bytes> {
        to_memory(self.fetch(DownloadPolicy::default()), 0, max_bytes, None, Vec::new()).await.map(Bytes::from)
    }

    /// [`Video::bytes_up_to`] into memory of the caller's, which is given back. `tell` is called with every piece: how
    /// many bytes are there, and the length where it is known.
    ///
    /// # Errors
    /// Those of [`Video::bytes_up_to`] and of the sink.
    pub async fn bytes_into<M: MemorySink + 'static>(
        &self,
        sink: M,
        max_bytes: usize,
        mut tell: impl FnMut(u64, Option<u64>) + MaybeSend + 'static,
    ) -> Result<M> {
        let tell: Tell = Box::new(move |(bytes, total)| tell(*bytes, *total));
        to_memory(self.fetch(DownloadPolicy::default()), 0, max_bytes, Some(tell), sink).await
    }

    /// The bytes as they come, in order, as a stream that resumes by itself when a connection breaks. Its length is
    /// checked; where the server does not say it, the stream must not end inside of a box of the MP4. More of its structure
    /// cannot be checked, since nothing is kept.
    pub fn stream(&self) -> BoxStream<'static, Result<Bytes>> {
        let policy = DownloadPolicy { verify: false, ..DownloadPolicy::default() };
        Box::pin(ByteStream::new(self.fetch(policy)))
    }

    /// Part of the video: bytes from `range.start` up to, without, `range.end`; fewer when the file ends before.
    ///
    /// # Errors
    /// `invalid_request` for an empty range, and those of [`Video::bytes`].
    pub async fn read_range(&self, range: Range<u64>) -> Result<Bytes> {
        self.read_range_into(Vec::new(), range).await.map(Bytes::from)
    }

    /// [`Video::read_range`] into memory of the caller's, which is given back.
    ///
    /// # Errors
    /// Those of [`Video::read_range`] and of the sink.
    pub async fn read_range_into<M: MemorySink + 'static>(&self, sink: M, range: Range<u64>) -> Result<M> {
        if range.start >= range.end {
            let text = format!("the range {}..{} is empty: its end must be after its start", range.start, range.end);
            let error = Error::field(ErrorKind::InvalidRequest, Phase::Content, "range", text);
            return Err(error.about(self.task_id()));
        }
        let limit = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(DEFAULT_MAX_BYTES);
        let start = range.start;
        let policy = DownloadPolicy { wanted: Some(range), verify: false, ..DownloadPolicy::default() };
        to_memory(self.fetch(policy), start, limit, None, sink).await
    }

    /// Opens it for reading here and there, without a file. See [`VideoReader`].
    ///
    /// # Errors
    /// Those of [`Video::bytes`].
    pub async fn open(&self) -> Result<VideoReader> {
        self.open_with(ReaderOptions::default()).await
    }

    /// [`Video::open`] with a custom size of the cache and of the read-ahead.
    ///
    /// # Errors
    /// Those of [`Video::open`].
    pub async fn open_with(&self, options: ReaderOptions) -> Result<VideoReader> {
        VideoReader::open(|policy| self.fetch(policy), options).await
    }

    /// What its task was charged, in the server's units (500000 = 1 USD), where a query of the task has said it (observed, beyond
    /// the service document).
    #[cfg(feature = "journal")]
    pub fn charged_units(&self) -> Option<u64> {
        self.source.charge.units()
    }

    /// The answer to a player that sent this `Range` header. `known_total` is the file's length where a former answer
    /// said it; it saves asking for more than is needed.
    ///
    /// # Errors
    /// Those of [`Video::bytes`] that come before the first byte; later ones come in the body.
    pub async fn serve(&self, range: Option<&str>, known_total: Option<u64>) -> Result<RangeResponse> {
        range_response::serve(|policy| self.fetch(policy), range, known_total).await
    }

    /// Saves the video into a storage of the caller's, resuming where an earlier save stopped. `notify` is called with how
    /// many bytes are there, and the length where it is known: at most every 100 ms while bytes come, and once at the end.
    ///
    /// # Errors
    /// `invalid_request` for a policy that cannot be used; those of the storage, `file_exists`, `file_locked`, `no_space`; `not_ready`,
    /// `download`, `integrity`, and what the server refuses.
    pub async fn save_to(
        &self,
        storage: Arc<dyn Storage>,
        options: SaveOptions,
        mut notify: impl FnMut(u64, Option<u64>) + MaybeSend,
    ) -> Result<Finished> {
        let core = self.client.core.clone();
        let mut notified = None;
        let tick = |reached: Reached| {
            let now = self.client.core.now();
            if notified.is_none_or(|last| now.since(last) >= PROGRESS_EVERY) {
                notified = Some(now);
                notify(reached.bytes, reached.total);
            }
        };
        #[cfg(feature = "journal")]
        let (kept_path, earlier) = {
            let path = options.kept_path.clone();
            let saved = self.saved.as_deref().filter(|saved| Some(&saved.path) == path.as_ref());
            let earlier = match (saved, options.take_whole) {
                (None, false) => None,
                (saved, _) => {
                    let found = saved_in(&storage, saved, core.timer.seed(), core.now()).await;
                    found.map_err(|error| error.about(self.task_id()))?
                }
            };
            (path, earlier)
        };
        #[cfg(not(feature = "journal"))]
        let earlier = None;
        let finished = match earlier {
            Some(finished) => finished,
            None => save(core, &self.source, storage, options, tick).await?,
        };
        let total = finished.total.unwrap_or_default();
        #[cfg(feature = "journal")]
        if let (Some(id), Some(path)) = (&self.source.task_id, kept_path) {
            self.client.core.note(Event::Saved { task_id: id.clone(), path, bytes: total }).await;
        }
        notify(total, Some(total));
        Ok(finished)
    }

    pub(crate) fn fetch(&self, policy: DownloadPolicy) -> Fetch {
        Fetch::new(self.client.core.clone(), &self.source, policy, None)
    }
}

impl fmt::Debug for Video {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query of a result link may be a signature that opens it without a key.
        let url = self.source.url.as_deref().map(|url| url.split('?').next().unwrap_or_default());
        f.debug_struct("Video").field("task_id", &self.source.task_id).field("url", &url).finish_non_exhaustive()
    }
}
