//! A page has no option `log`, and the core's events are compiled away.

use junfeiai::Result;
use junfeiai::async_compat::BoxStream;

/// In the place of the one that logs.
#[derive(Clone, Default)]
pub(crate) struct Log(());

#[allow(clippy::unused_self)] // the shape of the one that logs
impl Log {
    pub(crate) fn scoped<T, F: Future<Output = Result<T>>>(&self, future: F) -> F {
        future
    }

    pub(crate) fn stream<T>(&self, stream: BoxStream<'static, T>) -> BoxStream<'static, T> {
        stream
    }
}
