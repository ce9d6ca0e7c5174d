//! Bytes that the library allocated.

use std::ptr;

use crate::guard::guard_or;

/// Bytes of a video, in memory.
pub struct jfai_bytes {
    pub(crate) bytes: bytes::Bytes,
}

/// The bytes. They belong to the handle. NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_bytes_data(bytes: Option<&jfai_bytes>) -> *const u8 {
    guard_or!(ptr::null() => bytes.map_or(ptr::null(), |bytes| bytes.bytes.as_ptr()))
}

/// How many they are.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_bytes_size(bytes: Option<&jfai_bytes>) -> usize {
    guard_or!(0 => bytes.map_or(0, |bytes| bytes.bytes.len()))
}

/// Frees them. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_bytes_free(bytes: Option<Box<jfai_bytes>>) {
    guard_or!(() => drop(bytes));
}
