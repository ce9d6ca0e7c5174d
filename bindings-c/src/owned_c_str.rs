//! Strings that C is given.

use std::ffi::{CString, c_char};
use std::ptr;

/// A string for C. A NUL inside, which C would take for the end, becomes U+FFFD.
pub(crate) fn owned(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default())
}

/// A string that lives as long as the handle it belongs to, or NULL.
#[derive(Default)]
pub(crate) struct OwnedCStr(Option<CString>);

impl OwnedCStr {
    pub(crate) fn new(text: &str) -> Self {
        Self(Some(owned(text)))
    }

    pub(crate) fn maybe(text: Option<&str>) -> Self {
        Self(text.map(owned))
    }

    /// A path as its system writes it.
    pub(crate) fn path(path: &std::path::Path) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt as _;
            Self(CString::new(path.as_os_str().as_bytes()).ok())
        }
        #[cfg(not(unix))]
        {
            Self::new(&path.to_string_lossy())
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_ref().and_then(|text| text.to_str().ok())
    }

    pub(crate) fn pointer(&self) -> *const c_char {
        self.0.as_ref().map_or(ptr::null(), |text| text.as_ptr())
    }
}
