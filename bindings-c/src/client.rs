//! The client.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use crate::client_runtime::ClientRuntime;
use crate::error_handle::jfai_error;
use crate::failure::{Failure, Outcome, need};
use crate::guard::{guard, guard_or};
use crate::options::jfai_client_options;
use crate::owned_c_str::OwnedCStr;
use crate::status::jfai_status;
use crate::text::text;

/// One object for one key. Any number of threads may use it at the same time.
pub struct jfai_client {
    pub(crate) runtime: Arc<ClientRuntime>,
    endpoint: OwnedCStr,
}

impl jfai_client {
    pub(crate) fn new(runtime: Arc<ClientRuntime>) -> Box<Self> {
        let endpoint = OwnedCStr::new(&runtime.client().endpoint().base().to_string());
        Box::new(Self { runtime, endpoint })
    }

    /// What a blocking call needs of its client, which a callback or another thread may free before the call has ended.
    pub(crate) fn runtime(client: Option<&Self>) -> Outcome<Arc<ClientRuntime>> {
        Ok(need(client, "client")?.runtime.clone())
    }
}

fn make(options: &jfai_client_options) -> Outcome<Box<jfai_client>> {
    let runtime = ClientRuntime::new(options.builder()?).map_err(|error| options.values.named(error))?;
    Ok(jfai_client::new(runtime))
}

/// Makes a client with these options. Nothing is sent.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_new(
    options: Option<&jfai_client_options>,
    out: Option<&mut MaybeUninit<Box<jfai_client>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        out.write(make(need(options, "options")?)?);
        Ok(())
    })
}

/// Makes a client from `JUNFEIAI_API_KEY`, `JUNFEIAI_BASE_URL` and `JUNFEIAI_VIDEO_BASE_URL`. Nothing is sent.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_from_env(
    out: Option<&mut MaybeUninit<Box<jfai_client>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        out.write(make(&jfai_client_options::with_env())?);
        Ok(())
    })
}

/// Frees a client. NULL is ignored. Asynchronous calls that still run are cancelled, and their callbacks are called with
/// `JFAI_ERR_CANCELLED` before this returns (when a callback calls this, right after it returns; those of calls with a queue wait in
/// it): afterwards the library's thread has ended. Tasks, videos and readers stay usable. Blocking calls in other threads continue,
/// but a create request of theirs that has not left is not sent: it ends with `JFAI_ERR_CANCELLED`.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_free(client: Option<Box<jfai_client>>) {
    guard_or!(() => if let Some(client) = client {
        match client.runtime.end_async() {
            Ok(ending) => {
                client.runtime.client().close();
                ending.join();
            }
            // The sockets and the thread are the parent's.
            Err(_) => std::mem::forget(client),
        }
    });
}

/// The endpoint that is used, as a URL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_client_endpoint(client: Option<&jfai_client>) -> *const c_char {
    guard_or!(ptr::null() => client.map_or(ptr::null(), |client| client.endpoint.pointer()))
}

/// The library's version, such as `"0.1.0"`. The text is constant.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Whether this library fits the header of version `header_version`: JFAI_VERSION_CHECK() passes that which the program was compiled
/// with. Otherwise `JFAI_ERR_VERSION`, with both versions in the message: another minor version before 1.0, another major version
/// after it, or a library older than the header. client_options of C++ checks it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_version_check(
    header_version: *const c_char,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        // SAFETY: the header asks for a string or NULL.
        let header = unsafe { text(header_version, "header_version") }?;
        fits(header, env!("CARGO_PKG_VERSION"))
    })
}

/// The three numbers of a version; what comes after them, such as `-rc.1`, says nothing about the ABI.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.split(['-', '+']).next()?.split('.').map(|part| part.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

fn fits(header: &str, library: &str) -> Outcome {
    let Some(wanted) = numbers(header) else {
        return Err(Failure::Argument(format!("header_version {header:?} is no version such as {library}")));
    };
    let compatible = numbers(library).is_some_and(|library| {
        let same = if library[0] == 0 { 2 } else { 1 };
        wanted[..same] == library[..same] && wanted <= library
    });
    if compatible {
        return Ok(());
    }
    Err(Failure::Version(format!(
        "the program was compiled with junfeiai.h of version {header}, but the library is version {library}"
    )))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_header_fits_its_own_and_newer_compatible_libraries() {
        for (header, library) in
            [("0.1.0", "0.1.0"), ("0.1.0", "0.1.7"), ("0.1.0-rc.1", "0.1.0"), ("1.2.3", "1.4.0"), ("1.2.3", "1.2.3")]
        {
            assert!(fits(header, library).is_ok(), "{header} {library}");
        }
        for (header, library) in [
            ("0.1.0", "0.2.0"),
            ("0.2.0", "0.1.9"),
            ("0.1.1", "0.1.0"),
            ("1.0.0", "2.0.0"),
            ("1.3.0", "1.2.9"),
            ("0.1.0", "1.1.0"),
        ] {
            assert!(fits(header, library).is_err(), "{header} {library}");
        }
        for header in ["", "1", "1.2", "1.2.3.4", "a.b.c", "0.1.x", "-1.0.0", "99999999999999999999.0.0"] {
            assert!(fits(header, "0.1.0").is_err(), "{header}");
        }
    }
}
