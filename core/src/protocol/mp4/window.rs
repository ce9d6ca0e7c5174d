//! The bytes that the check has at hand.

use super::{MAX_NEED, Mp4Check, Stop};

/// One stretch of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    at: u64,
    bytes: Vec<u8>,
    /// How long `bytes` is to become.
    want: usize,
}

impl Window {
    fn get(&self, at: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(at.checked_sub(self.at)?).ok()?;
        self.bytes.get(from..)?.get(..len)
    }

    /// Offset and number of the bytes that are still to come.
    fn missing(&self) -> (u64, usize) {
        let have = self.bytes.len();
        (self.at.saturating_add(have as u64), self.want.saturating_sub(have))
    }
}

/// Which window a stretch is read through. Each table has its own: they are read side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lens {
    Boxes,
    Sizes,
    Runs,
    Offsets,
}

impl Mp4Check {
    /// Copies `len` bytes at `at` (up to 96 of them), or notes that `ahead` bytes from there are wanted.
    pub(super) fn read(&mut self, lens: Lens, at: u64, len: u64, ahead: u64) -> Result<Bytes, Stop> {
        let len = len as usize;
        if len == 0 {
            return Ok(Bytes::copy(&[]));
        }
        // What the boxes were read with often holds the tables as well.
        for other in [lens, Lens::Boxes] {
            if let Some(bytes) = self.windows.get(other as usize).and_then(|window| window.get(at, len)) {
                return Ok(Bytes::copy(bytes));
            }
        }
        let Some(window) = self.windows.get_mut(lens as usize) else {
            return Err(Stop::Unchecked);
        };
        // A stretch that is still coming in and will hold the bytes is waited for.
        let coming = at >= window.at && at - window.at + len as u64 <= window.want as u64;
        if !coming || window.missing().1 == 0 {
            let want = (ahead.min(MAX_NEED as u64) as usize).max(len);
            if lens != Lens::Boxes {
                let Some(left) = self.table_bytes.checked_sub(want as u64) else {
                    return Err(Stop::Unchecked);
                };
                self.table_bytes = left;
            }
            (window.at, window.want) = (at, want);
            window.bytes.clear();
        }
        self.wants = lens;
        Err(Stop::Need)
    }

    /// One entry of a table whose last byte is before `end`.
    pub(super) fn entry(&mut self, lens: Lens, at: u64, width: usize, end: u64) -> Result<u64, Stop> {
        let bytes = self.read(lens, at, width as u64, end.saturating_sub(at))?;
        Ok(bytes.be(0, width))
    }

    pub(super) fn missing(&self) -> (u64, usize) {
        self.windows.get(self.wants as usize).map_or((0, 0), Window::missing)
    }

    pub(super) fn fill(&mut self, bytes: &[u8]) {
        if let Some(window) = self.windows.get_mut(self.wants as usize) {
            let len = window.missing().1.min(bytes.len());
            window.bytes.extend_from_slice(bytes.get(..len).unwrap_or_default());
        }
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

    pub(super) fn all(&self) -> &[u8] {
        self.data.get(..self.len).unwrap_or_default()
    }

    /// A big-endian number of `width` bytes (at most 8); `None` if it is not all there.
    pub(super) fn get(&self, at: usize, width: usize) -> Option<u64> {
        let field = self.all().get(at..)?.get(..width)?;
        Some(field.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)))
    }

    /// The same where it must be there; else 0.
    #[inline(never)] // it is called all over, and small where it is called
    pub(super) fn be(&self, at: usize, width: usize) -> u64 {
        self.get(at, width).unwrap_or(0)
    }

    pub(super) fn fourcc(&self, at: usize) -> Option<[u8; 4]> {
        self.all().get(at..)?.first_chunk().copied()
    }
}
