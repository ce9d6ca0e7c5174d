//! Many tasks at once: wait for all, take them as they end, or make a whole list with a few at a time.

use futures_util::future::ready;
use futures_util::stream::{self, FuturesUnordered, StreamExt as _};

use crate::error::{Error, ErrorKind, Phase, Result};
use crate::model::VideoRequest;
use crate::platform::{BoxFuture, BoxStream, MaybeSend};
use crate::video::Video;
use crate::videos::Videos;

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
        let waits = ids.into_iter().enumerate().map(|(index, id)| numbered(index, self.wait_for(id.into())));
        let mut ended: Vec<_> = waits.collect::<FuturesUnordered<_>>().collect().await;
        ended.sort_unstable_by_key(|(index, _)| *index);
        ended.into_iter().map(|(_, entry)| entry).collect()
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
        Box::pin(ids.into_iter().map(|id| self.wait_for(id.into())).collect::<FuturesUnordered<_>>())
    }

    /// Creates a task for each request and waits for its video, with at most `concurrency` tasks alive at a time.
    /// **This costs money.** The stream gives the number of the request (from 0) and its video or failure, as they end.
    ///
    /// One failure does not stop the rest, whatever it is: stop by dropping the stream. Then no further task is created
    /// and nobody waits any more, but tasks that exist go on, and a create that is under way may still be accepted. A
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
        if concurrency == 0 {
            let text = "concurrency must be at least 1: with 0 nothing would ever be created";
            return Err(Error::field(ErrorKind::InvalidRequest, Phase::Create, "concurrency", text));
        }
        let videos = self.clone();
        let runs = requests.into_iter().enumerate();
        let runs = runs.map(move |(index, request)| numbered(index, videos.generate(request).into_future()));
        Ok(Box::pin(stream::iter(runs).buffer_unordered(concurrency)))
    }

    /// A wait with its id, which never fails as a whole.
    fn wait_for(&self, id: String) -> BoxFuture<'static, (String, Result<Video>)> {
        match self.task(&id) {
            Ok(task) => {
                let wait = task.wait().into_future();
                Box::pin(async move { (id, wait.await) })
            }
            Err(error) => Box::pin(ready((id, Err(error)))),
        }
    }
}

async fn numbered<T>(index: usize, future: impl Future<Output = T>) -> (usize, T) {
    (index, future.await)
}
