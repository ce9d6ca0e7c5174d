//! Strings and slices that C hands in, and buffers that it wants filled.

use std::ffi::{CStr, c_char};
use std::path::PathBuf;

use crate::failure::{Failure, Outcome};

/// A string of C.
///
/// # Safety
/// The pointer is NULL or points at a string with a NUL at its end that stays as it is while it is borrowed.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, name: &str) -> Outcome<&'a str> {
    if pointer.is_null() {
        return Err(Failure::Argument(format!("{name} is NULL")));
    }
    // SAFETY: it is not NULL, and the caller promises the rest.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|error| Failure::Argument(format!("{name} is not UTF-8: byte {}", error.valid_up_to())))
}

/// A path of C: UTF-8; on Unix any bytes, as file names are there.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn path(pointer: *const c_char, name: &str) -> Outcome<PathBuf> {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        if pointer.is_null() {
            return Err(Failure::Argument(format!("{name} is NULL")));
        }
        // SAFETY: it is not NULL, and the caller promises the rest.
        let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
        not_empty(PathBuf::from(std::ffi::OsStr::from_bytes(bytes)), name)
    }
    #[cfg(not(unix))]
    {
        // SAFETY: the caller's promise is the same.
        not_empty(PathBuf::from(unsafe { text(pointer, name) }?), name)
    }
}

fn not_empty(path: PathBuf, name: &str) -> Outcome<PathBuf> {
    if path.as_os_str().is_empty() { Err(Failure::Argument(format!("{name} is empty"))) } else { Ok(path) }
}

/// A slice of C; `(NULL, 0)` is an empty one.
///
/// # Safety
/// The pointer is NULL or points at `len` items that stay as they are while they are borrowed.
pub(crate) unsafe fn slice<'a, T>(pointer: *const T, len: usize, name: &str) -> Outcome<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    check(pointer, len, name)?;
    // SAFETY: it is neither NULL nor too long, and the caller promises the rest.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// Room that C gives for bytes; `(NULL, 0)` is none.
///
/// # Safety
/// The pointer is NULL or points at `len` bytes that only this call touches.
pub(crate) unsafe fn room<'a>(
    pointer: *mut u8,
    len: usize,
    name: &str,
) -> Outcome<&'a mut [std::mem::MaybeUninit<u8>]> {
    if len == 0 {
        return Ok(&mut []);
    }
    check(pointer, len, name)?;
    // SAFETY: as above; bytes that may not be written yet are what the type says.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer.cast(), len) })
}

fn check<T>(pointer: *const T, len: usize, name: &str) -> Outcome {
    let longest = usize::try_from(isize::MAX).unwrap_or(usize::MAX) / std::mem::size_of::<T>().max(1);
    if pointer.is_null() {
        return Err(Failure::Argument(format!("{name} is NULL, but its length is {len}")));
    }
    if len > longest {
        return Err(Failure::Argument(format!("the length of {name} is {len}: nothing can be so long")));
    }
    Ok(())
}

/// Copies bytes into the room of C.
pub(crate) fn fill(room: &mut [std::mem::MaybeUninit<u8>], bytes: &[u8]) -> usize {
    for (place, byte) in room.iter_mut().zip(bytes) {
        place.write(*byte);
    }
    room.len().min(bytes.len())
}
