//! Counts the boxes of a file while its bytes pass by, for readers that keep none of them.

use super::is_trailer;

/// Follows the top-level boxes of bytes that go past, wherever they come from. It needs the bytes in order; once it has
/// missed a header it says nothing any more.
///
/// ```
/// use junfeiai::protocol::mp4::BoxCounter;
///
/// let mut boxes = BoxCounter::default();
/// boxes.pass(0, b"\0\0\0\x10ftypisom\0\0\0\0\0\0\x01\0mdat....");
/// assert_eq!(boxes.cut_at(28), Some((*b"mdat", 272)));
/// assert_eq!(boxes.cut_at(272), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct BoxCounter {
    /// Where the next header begins.
    next: u64,
    /// What of it has come.
    head: Vec<u8>,
    kind: [u8; 4],
    /// A box reaches to the end of the file, or what follows is none: nothing more can be said.
    open: bool,
}

impl BoxCounter {
    /// Takes bytes that stand at this place of the file.
    pub fn pass(&mut self, at: u64, bytes: &[u8]) {
        loop {
            let from = self.next.saturating_add(self.head.len() as u64);
            let Some(tail) = from.checked_sub(at).and_then(|skip| bytes.get(usize::try_from(skip).ok()?..)) else {
                return;
            };
            let long = self.head.get(..4) == Some(&[0, 0, 0, 1]);
            let wants = if long { 16 } else { 8 } - self.head.len();
            self.head.extend_from_slice(tail.get(..wants).unwrap_or(tail));
            if self.open || tail.is_empty() || tail.len() < wants {
                return;
            }
            if !long && self.head.get(..4) == Some(&[0, 0, 0, 1]) {
                continue;
            }
            let number = |bytes: &[u8]| bytes.iter().fold(0u64, |n, &byte| n << 8 | u64::from(byte));
            let size = if long { self.head.get(8..16) } else { self.head.get(..4) }.map_or(0, number);
            if size < self.head.len() as u64 || is_trailer(&self.head) {
                self.open = true;
                return;
            }
            self.kind = self.head.get(4..).and_then(|kind| kind.first_chunk().copied()).unwrap_or_default();
            self.next = self.next.saturating_add(size);
            self.head.clear();
        }
    }

    /// Whether a file that ends here is cut in a box, and where that box would end.
    pub fn cut_at(&self, end: u64) -> Option<([u8; 4], u64)> {
        (!self.open && self.next > end).then_some((self.kind, self.next))
    }
}
