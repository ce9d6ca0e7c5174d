//! What a callback is called with, and a call of one that is due.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the caller wants back in its callbacks.
#[derive(Clone, Copy)]
pub(crate) struct UserData(pub(crate) *mut c_void);

// SAFETY: the library never looks behind this pointer; the header says on which thread a callback gets it.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

/// A call of a callback that is due.
pub(crate) struct Delivery(Box<dyn FnOnce() + Send>);

impl Delivery {
    pub(crate) fn new(call: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(call))
    }

    pub(crate) fn call(self) {
        // A callback is C; what can panic here is our own conversion, and there is nobody to report it to.
        let _ = catch_unwind(AssertUnwindSafe(self.0));
    }
}
