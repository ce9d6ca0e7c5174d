//! The bytes that the check has at hand.

use super::{MAX_NEED, Stop};

/// The bytes at hand: one stretch of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    at: u64,
    pub(super) bytes: Vec<u8>,
    /// How long `bytes` is to become.
    want: usize,
}

impl Window {
    /// Makes sure of `len` bytes at `at` and copies the first of them (up to 96), or notes that
    /// `ahead` bytes from there are wanted.
    pub(super) fn read(&mut self, at: u64, len: u64, ahead: u64) -> Result<Bytes, Stop> {
        let len = len as usize;
        if len == 0 {
            return Ok(Bytes::copy(&[]));
        }
        let inside = at.checked_sub(self.at).and_then(|from| usize::try_from(from).ok());
        if let Some(from) = inside
            && let Some(bytes) = self.bytes.get(from..).and_then(|tail| tail.get(..len))
        {
            return Ok(Bytes::copy(bytes));
        }
        // A stretch that is still coming in and will hold the bytes is waited for.
        let coming = inside.is_some_and(|from| from.saturating_add(len) <= self.want);
        if !coming {
            self.at = at;
            self.bytes.clear();
            self.want = (ahead.min(MAX_NEED as u64) as usize).max(len);
        }
        Err(Stop::Need)
    }

    /// Offset and number of the bytes that are still to come.
    pub(super) fn missing(&self) -> (u64, usize) {
        let have = self.bytes.len();
        (self.at.saturating_add(have as u64), self.want.saturating_sub(have))
    }
}

/// A copy of the few bytes of a field group: lets go of the window before the machine is changed.
#[derive(Clone, Copy)]
pub(super) struct Bytes {
    data: [u8; 96],
    len: usize,
}

impl Bytes {
    pub(super) fn copy(bytes: &[u8]) -> Self {
        let mut data = [0; 96];
        let len = bytes.len().min(data.len());
        for (to, from) in data.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self { data, len }
    }

    /// A big-endian number of `width` bytes (at most 8); `None` if it is not all there.
    pub(super) fn be(&self, at: usize, width: usize) -> Option<u64> {
        let field = self.data.get(..self.len)?.get(at..)?.get(..width)?;
        Some(field.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    pub(super) fn fourcc(&self, at: usize) -> Option<[u8; 4]> {
        self.data.get(..self.len)?.get(at..)?.first_chunk().copied()
    }
}
