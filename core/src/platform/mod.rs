//! What differs between the places where the core runs. The only folder that asks for the target.

use std::future::Future;
use std::pin::Pin;

use futures_core::Stream;

pub use per_process::{ForkGuard, PerProcess, Pid};

#[cfg(feature = "native")]
pub mod native;
mod per_process;
#[cfg(all(feature = "wasm", target_arch = "wasm32"))]
pub mod wasm;

#[cfg(all(feature = "wasm", target_arch = "wasm32"))]
pub(crate) use wasm::{http_date, parse_json};

/// Reads a JSON text.
#[cfg(not(all(feature = "wasm", target_arch = "wasm32")))]
pub(crate) fn parse_json(text: &[u8]) -> Option<serde_json::Value> {
    serde_json::from_slice(text).ok()
}

/// An HTTP date in unix seconds.
#[cfg(not(all(feature = "wasm", target_arch = "wasm32")))]
pub(crate) fn http_date(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs())
}

/// Whether the transport can tell a connection that was not made from one that broke. `fetch` does not say.
pub(crate) const CONNECT_IS_VISIBLE: bool = cfg!(not(target_arch = "wasm32"));

/// `Send` where there are threads, nothing in a browser, whose objects belong to one thread.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Sync` where there are threads.
#[cfg(not(target_arch = "wasm32"))]
pub trait MaybeSync: Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Sync + ?Sized> MaybeSync for T {}

/// `Send` where there are threads, nothing in a browser, whose objects belong to one thread.
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
