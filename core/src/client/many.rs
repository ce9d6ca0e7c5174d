//! Many tasks at once: wait for all, take them as they end, or make a whole list with a few at a time.

use std::future::IntoFuture as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::future;
use futures_util::stream::{FuturesUnordered, StreamExt as _};

use crate::async_compat::{BoxFuture, BoxStream, MaybeSend};
use crate::calls::tracker::CreateTracker;
use crate::client::task::Wait;
use crate::client::video::Video;
use crate::client::videos::Videos;
use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::VideoRequest;

impl Videos {
    /// Waits for all these tasks and gives every one's video or failure, in the order of the ids.
    ///
    /// One failure does not end the other waits. An id that cannot be one or that the server does not know is that
    /// entry's failure. All share the client's request budget, see
    /// [`ClientBuilder::request_rate`](crate::ClientBuilder::request_rate); an id that stands twice is asked for twice.
    ///
    /// ```no_run
    /// # async fn run(client: junfeiai::Client) -> junfeiai::Result<()> {
    /// for (id, result) in client.videos().wait_all(["task_a", "task_b"]).await {
    ///     match result {
    ///         Ok(video) => _ = video.save(format!("{id}.mp4")).await?,
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn wait_all<I>(&self, ids: I) -> Vec<(String, Result<Video>)>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let (ids, waits) = self.waits(ids);
        let mut ended: Vec<_> = waits.collect().await;
        ended.sort_unstable_by_key(|(number, _)| *number);
        ids.into_iter().zip(ended).map(|(id, (_, result))| (id, result)).collect()
    }

    /// The same tasks in the order in which they end, each as soon as it has ended.
    ///
    /// Dropping the stream stops the waiting, never the tasks. They are asked for only while the stream is polled: do
    /// long work with a result in a task of its own if the others shall be noticed meanwhile.
    pub fn as_completed<I>(&self, ids: I) -> BoxStream<'static, (String, Result<Video>)>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let (mut ids, waits) = self.waits(ids);
        // Each number comes once.
        let id = move |number: usize| ids.get_mut(number).map(std::mem::take).unwrap_or_default();
        Box::pin(waits.scan(id, |id, (number, result)| future::ready(Some((id(number), result)))))
    }

    /// Creates a task for each request and waits for its video, with at most `concurrency` tasks alive at a time.
    /// **This costs money.** The stream gives the number of the request (from 0) and its video or failure, as they end.
    ///
    /// One failure does not stop the rest, whatever it is: stop by dropping the stream. Then no further task is created
    /// and nobody waits any more, but existing tasks keep running, and a create request in flight may still be accepted. A
    /// failure after a task was created carries its id. Requests are taken from the iterator one by one, each when its
    /// turn comes. Besides `concurrency` the client's own limits hold, see
    /// [`ClientBuilder::max_in_flight_creates`](crate::ClientBuilder::max_in_flight_creates).
    ///
    /// ```no_run
    /// # async fn run(client: junfeiai::Client) -> junfeiai::Result<()> {
    /// use futures_util::StreamExt as _;
    /// use junfeiai::VideoRequest;
    ///
    /// let requests = ["A red ball", "A blue ball"].map(VideoRequest::new);
    /// let mut videos = client.videos().generate_many(requests, 8)?;
    /// while let Some((number, result)) = videos.next().await {
    ///     match result {
    ///         Ok(video) => _ = video.save(format!("ball-{number}.mp4")).await?,
    ///         Err(error) => eprintln!("request {number}: {error}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `invalid_request` when `concurrency` is 0. Everything else is an item of the stream.
    pub fn generate_many<I>(
        &self,
        requests: I,
        concurrency: usize,
    ) -> Result<BoxStream<'static, (usize, Result<Video>)>>
    where
        I: IntoIterator<Item = VideoRequest>,
        I::IntoIter: MaybeSend + 'static,
    {
        self.generate_many_with(requests, concurrency, |_, wait| wait)
    }

    /// [`Videos::generate_many`] where `each` sets what differs for a task: it gets the number of its request (from 0) and its
    /// [`Wait`], before its create request is sent.
    ///
    /// ```no_run
    /// # fn run(client: junfeiai::Client) -> junfeiai::Result<()> {
    /// use junfeiai::VideoRequest;
    ///
    /// let requests = ["A red ball", "A blue ball"].map(VideoRequest::new);
    /// let videos = client.videos().generate_many_with(requests, 8, |number, wait| {
    ///     wait.on_progress(move |task| println!("request {number}: {} {:?}", task.id(), task.status()))
    /// })?;
    /// # drop(videos); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Videos::generate_many`].
    pub fn generate_many_with<I>(
        &self,
        requests: I,
        concurrency: usize,
        mut each: impl FnMut(usize, Wait) -> Wait + MaybeSend + 'static,
    ) -> Result<BoxStream<'static, (usize, Result<Video>)>>
    where
        I: IntoIterator<Item = VideoRequest>,
        I::IntoIter: MaybeSend + 'static,
    {
        if concurrency == 0 {
            let text = "concurrency must be at least 1: with 0 nothing would ever be created";
            return Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "concurrency", text));
        }
        let (videos, tracker) = (self.clone(), self.tracker.clone());
        let runs = requests.into_iter().enumerate();
        let runs = runs.map(move |(number, request)| numbered(number, each(number, videos.generate(request))));
        let (waiting, alive) = (Box::new(runs.fuse()), FuturesUnordered::new());
        Ok(Box::pin(Running { waiting, alive, most: concurrency, tracker }))
    }

    /// The ids, and a wait for each by its number.
    fn waits<I>(&self, ids: I) -> (Vec<String>, FuturesUnordered<Run>)
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
        let wait = |(number, id): (usize, &String)| match self.task(id) {
            Ok(task) => numbered(number, task.wait()),
            Err(error) => Box::pin(future::ready((number, Err(error)))),
        };
        let waits = ids.iter().enumerate().map(wait).collect();
        (ids, waits)
    }
}

/// A wait with its number, which never fails as a whole.
type Run = BoxFuture<'static, (usize, Result<Video>)>;

fn numbered(number: usize, wait: Wait) -> Run {
    let wait = wait.into_future();
    Box::pin(async move { (number, wait.await) })
}

/// Runs with at most so many of them alive.
struct Running {
    waiting: Box<dyn Runs>,
    alive: FuturesUnordered<Run>,
    most: usize,
    tracker: Option<CreateTracker>,
}

trait Runs: Iterator<Item = Run> + MaybeSend {}
impl<T: Iterator<Item = Run> + MaybeSend> Runs for T {}

impl Stream for Running {
    type Item = (usize, Result<Video>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while self.alive.len() < self.most
            && let Some(run) = self.waiting.next()
        {
            self.alive.push(run);
        }
        let next = ready!(self.alive.poll_next_unpin(cx));
        if let (Some(tracker), Some((_, result))) = (&self.tracker, &next) {
            tracker.given_out(result.as_ref().map(Video::task_id));
        }
        Poll::Ready(next)
    }
}
