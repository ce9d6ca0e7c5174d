//! Futures, streams and callbacks that are `Send` where there are threads, and need not be in a browser, whose objects belong
//! to one thread.

use std::future::Future;
use std::pin::Pin;

use futures_core::Stream;

use crate::error::Result;

/// `Send` where there are threads.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Sync` where there are threads.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSync: Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Sync + ?Sized> MaybeSync for T {}

/// `Send` where there are threads.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSend {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> MaybeSend for T {}

/// `Sync` where there are threads.
#[cfg(target_arch = "wasm32")]
pub trait MaybeSync {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> MaybeSync for T {}

/// A boxed future, `Send` where there are threads.
#[cfg(not(target_arch = "wasm32"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A boxed future.
#[cfg(target_arch = "wasm32")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A boxed stream, `Send` where there are threads.
#[cfg(not(target_arch = "wasm32"))]
pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;
/// A boxed stream.
#[cfg(target_arch = "wasm32")]
pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + 'a>>;

/// A boxed callback, `Send` where there are threads.
#[cfg(not(target_arch = "wasm32"))]
pub type BoxCallback<T> = Box<dyn FnMut(&T) + Send>;
/// A boxed callback.
#[cfg(target_arch = "wasm32")]
pub type BoxCallback<T> = Box<dyn FnMut(&T)>;

/// Carries a future out for a caller that cannot wait for it: on a thread of its own, for whose end this waits at most so
/// long. `None` when it has not ended by then.
#[cfg(not(target_arch = "wasm32"))]
pub fn run_detached(
    future: BoxFuture<'static, Result<()>>,
    name: &str,
    longest: std::time::Duration,
) -> Option<Result<()>> {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::{self, Thread};

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let (sender, receiver) = std::sync::mpsc::channel();
    let work = move || {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let (mut cx, mut future) = (Context::from_waker(&waker), future);
        loop {
            if let Poll::Ready(result) = future.as_mut().poll(&mut cx) {
                _ = sender.send(result);
                return;
            }
            thread::park();
        }
    };
    thread::Builder::new().name(name.to_owned()).spawn(work).ok()?;
    receiver.recv_timeout(longest).ok()
}

/// Carries a future out for a caller that cannot wait for it. There is one thread, so it goes on when that has nothing else to
/// do: its end is not known here.
#[cfg(target_arch = "wasm32")]
pub fn run_detached(future: BoxFuture<'static, Result<()>>, _: &str, _: std::time::Duration) -> Option<Result<()>> {
    let ended = futures_util::FutureExt::map(future, drop);
    #[cfg(feature = "wasm")]
    wasm_bindgen_futures::spawn_local(ended);
    #[cfg(not(feature = "wasm"))]
    drop(futures_util::FutureExt::now_or_never(ended));
    Some(Ok(()))
}
