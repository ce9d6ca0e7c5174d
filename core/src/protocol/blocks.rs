//! Reading here and there in a file that is far away: what to keep, and what to ask for next.
//!
//! ```text
//!   step(at) ──▶ is it in a block? ── yes ──▶ Ready
//!                  │ no
//!                  ▼
//!                will the running answer bring it soon? ── yes ──▶ More: read on
//!                  │ no
//!                  ▼
//!                has that answer little left? ── yes ──▶ Finish: its connection is worth the little
//!                  │ no
//!                  ▼
//!                Open: drop it, ask for a new part
//! ```
//!
//! How much a new part asks for decides everything. A server sends until its socket is full, so a request for "all the
//! rest" costs megabytes even when it is dropped at once; and a request for every block costs a round trip each. So a
//! part is small after a jump, four times what was read in one go while reading continues, and all the rest once it
//! is clear that somebody reads the file from one end to the other.
//!
//! ```
//! use bytes::Bytes;
//! use junfeiai::protocol::blocks::{BlockReader, BlockStep, ReaderOptions};
//!
//! let mut blocks = BlockReader::new(ReaderOptions::default());
//! assert_eq!(blocks.step(0), BlockStep::Open { start: 0, end: Some(256 * 1024) });
//! assert_eq!(blocks.step(0), BlockStep::More);
//! blocks.arrived(0, Bytes::from_static(b"....ftyp"));
//! blocks.learnt(Some(200 * 1024 * 1024), true);
//! assert_eq!(blocks.step(4), BlockStep::Ready);
//! let mut name = [0; 4];
//! assert_eq!(blocks.copy(4, &mut name), 4);
//! assert_eq!(&name, b"ftyp");
//! // The end of the file is far away: what runs is not for it, so that another part is asked for.
//! let last = 200 * 1024 * 1024 - 1;
//! assert_eq!(blocks.step(last), BlockStep::Finish);
//! blocks.ended(); // it took too long
//! assert_eq!(blocks.step(last), BlockStep::Open { start: last + 1 - 128 * 1024, end: None });
//! ```

use bytes::{Buf as _, Bytes};

/// How a [`VideoReader`](crate::VideoReader) keeps and asks for bytes. All sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderOptions {
    /// Size of a block of the cache; parts begin at multiples of it. Default 128 KiB; a reader takes 4 KiB at least.
    pub block_bytes: usize,
    /// How many blocks are kept, the least recently used is given up first; at least 2. Default 16, which is 2 MiB.
    pub blocks: usize,
    /// What is asked for at first and after a jump. Default 256 KiB.
    pub read_ahead: u64,
    /// After so many bytes in one go the whole rest is asked for. A reader that never jumped gets it after
    /// `read_ahead` bytes. Default 1 MiB.
    pub long_after: u64,
    /// A gap up to this size is read through instead of asking anew, and so is the rest of an answer that is to be
    /// left, if it comes quickly. Default 256 KiB.
    pub skip: u64,
}

/// What is reserved for a block in advance at most; a larger one grows with what comes.
const RESERVED: usize = 1024 * 1024;

impl Default for ReaderOptions {
    fn default() -> Self {
        Self { block_bytes: 128 * 1024, blocks: 16, read_ahead: 256 * 1024, long_after: 1024 * 1024, skip: 256 * 1024 }
    }
}

/// What has to happen before the byte in question can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockStep {
    /// It is here: [`BlockReader::copy`] gives it.
    Ready,
    /// The file ends before it.
    End,
    /// Read on in the running answer and tell [`BlockReader::arrived`] or [`BlockReader::ended`].
    More,
    /// The running answer will not bring it, but has so little left that reading it costs less than a new connection.
    /// Read on as for `More`, or tell [`BlockReader::ended`] when that takes too long or fails.
    Finish,
    /// Drop the running answer, if there is one, and ask for this part; end exclusive, the whole rest when `None`.
    Open {
        /// Its first byte.
        start: u64,
        /// Where it ends.
        end: Option<u64>,
    },
}

/// One run of bytes within one block.
#[derive(Debug)]
struct Block {
    start: u64,
    data: Vec<u8>,
    used: u64,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + self.data.len() as u64
    }

    fn holds(&self, at: u64) -> bool {
        (self.start..self.end()).contains(&at)
    }
}

/// The part that was asked for last.
#[derive(Debug)]
struct Running {
    /// Where its next byte belongs that is not in a block yet.
    next: u64,
    end: Option<u64>,
    /// What came already from `next` on. Taken block by block, so that a large piece cannot push out what it brings.
    waiting: Bytes,
}

/// The machine of one reader. See the [module documentation](self).
#[derive(Debug)]
pub struct BlockReader {
    options: ReaderOptions,
    total: Option<u64>,
    ranges_honoured: bool,
    blocks: Vec<Block>,
    running: Option<Running>,
    clock: u64,
    /// Where the last read ended, and how much was read up to there without a jump.
    read_end: u64,
    read_run: u64,
    jumped: bool,
    /// Where the last part ended so far, and how much came up to there in parts that follow each other.
    front: u64,
    front_run: u64,
    /// The end of everything that ever came: what lies behind it may be behind the end of the file.
    extent: u64,
}

impl BlockReader {
    /// A reader that has nothing yet.
    pub fn new(mut options: ReaderOptions) -> Self {
        options.block_bytes = options.block_bytes.max(1);
        options.blocks = options.blocks.max(2);
        Self {
            options,
            total: None,
            ranges_honoured: true,
            blocks: Vec::new(),
            running: None,
            clock: 0,
            read_end: 0,
            read_run: 0,
            jumped: false,
            front: 0,
            front_run: 0,
            extent: 0,
        }
    }

    /// Length of the file, where it is known.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether this byte can be had without any IO.
    pub fn holds(&self, at: u64) -> bool {
        self.blocks.iter().any(|block| block.holds(at))
    }

    /// What to do to get the byte at this place. While the length is not known, a place that cannot be reached (such as
    /// `u64::MAX`) leads to what finds it out.
    pub fn step(&mut self, at: u64) -> BlockStep {
        if self.total.is_some_and(|total| at >= total) {
            return BlockStep::End;
        }
        loop {
            if self.holds(at) {
                return BlockStep::Ready;
            }
            match &self.running {
                Some(running) if self.comes_soon(running, at) => {
                    if running.waiting.is_empty() {
                        return BlockStep::More;
                    }
                    self.take_in(at);
                }
                Some(running) if self.nearly_done(running) => {
                    if running.waiting.is_empty() {
                        return BlockStep::Finish;
                    }
                    self.take_in(running.next);
                }
                _ => return self.open(at),
            }
        }
    }

    /// Copies what is here from this place on, and returns how much it is; 0 when [`BlockReader::step`] would not say
    /// `Ready`.
    pub fn copy(&mut self, at: u64, buf: &mut [u8]) -> usize {
        self.clock += 1;
        let mut done = 0;
        while done < buf.len() {
            let here = at + done as u64;
            let Some(block) = self.blocks.iter_mut().find(|block| block.holds(here)) else { break };
            block.used = self.clock;
            let from = block.data.get((here - block.start) as usize..).unwrap_or_default();
            let to = buf.get_mut(done..).unwrap_or_default();
            let length = from.len().min(to.len());
            if let (Some(from), Some(to)) = (from.get(..length), to.get_mut(..length)) {
                to.copy_from_slice(from);
            }
            done += length;
        }
        if done > 0 {
            if self.is_jump(at) {
                self.jumped = true;
                self.read_run = 0;
            }
            self.read_run += done as u64;
            self.read_end = at + done as u64;
        }
        done
    }

    /// Tells what the running answer brought, and where it belongs.
    pub fn arrived(&mut self, at: u64, bytes: Bytes) {
        self.front_run += bytes.len() as u64;
        self.front = at + bytes.len() as u64;
        self.extent = self.extent.max(self.front);
        if let Some(running) = &mut self.running {
            running.next = at;
            running.waiting = bytes;
        }
    }

    /// The running answer has ended, for whatever reason.
    pub fn ended(&mut self) {
        self.running = None;
    }

    /// Tells what is known of the file's length, and whether the server gives parts at all. One that does not sends
    /// everything from the beginning each time, so that reading on is always cheaper than asking anew.
    pub fn learnt(&mut self, total: Option<u64>, ranges_honoured: bool) {
        self.total = total.or(self.total);
        self.ranges_honoured = ranges_honoured;
        if let (false, Some(running)) = (ranges_honoured, &mut self.running) {
            running.end = None;
        }
    }

    /// Reading on a little further is not a jump.
    fn is_jump(&self, at: u64) -> bool {
        at < self.read_end || at - self.read_end > self.options.skip
    }

    fn comes_soon(&self, running: &Running, at: u64) -> bool {
        if at < running.next || running.end.is_some_and(|end| at >= end) {
            return false;
        }
        // Without parts, or on the way to the unknown end, there is nothing better than to read on.
        let only_way = !self.ranges_honoured || self.total.is_none() && running.end.is_none();
        let near = self.options.skip.max(self.options.block_bytes as u64).max(running.waiting.len() as u64);
        only_way || at - running.next <= near
    }

    fn nearly_done(&self, running: &Running) -> bool {
        let end = running.end.map(|end| self.total.map_or(end, |total| total.min(end)));
        end.is_some_and(|end| running.next < end && end - running.next <= self.options.skip)
    }

    /// Puts what came into the one block that it belongs to, up to the end of that block.
    fn take_in(&mut self, at: u64) {
        let size = self.options.block_bytes as u64;
        let Some(running) = &mut self.running else { return };
        let from = running.next;
        // What lies far before the wanted byte would only push out better blocks.
        let far = (at - from).saturating_sub(self.options.skip.max(size)).min(running.waiting.len() as u64);
        if far > 0 {
            running.waiting.advance(far as usize);
            running.next += far;
            return;
        }
        let room = size - from % size;
        let piece = running.waiting.split_to(room.min(running.waiting.len() as u64) as usize);
        running.next += piece.len() as u64;
        self.store(from, &piece);
    }

    fn store(&mut self, from: u64, piece: &[u8]) {
        let size = self.options.block_bytes as u64;
        self.clock += 1;
        let same = self.blocks.iter().position(|block| block.start / size == from / size);
        let slot = same.unwrap_or_else(|| {
            if self.blocks.len() < self.options.blocks {
                // A block may be set larger than memory: no more is reserved than a usual one, or than what came.
                let data = Vec::with_capacity(self.options.block_bytes.min(piece.len().max(RESERVED)));
                self.blocks.push(Block { start: from, data, used: 0 });
                return self.blocks.len() - 1;
            }
            let oldest = self.blocks.iter().enumerate().min_by_key(|(_, block)| block.used);
            oldest.map_or(0, |(slot, _)| slot)
        });
        let Some(block) = self.blocks.get_mut(slot) else { return };
        if same.is_none() || from < block.start || from > block.end() {
            block.data.clear();
            block.start = from;
        }
        let known = (block.end() - from) as usize;
        block.data.extend_from_slice(piece.get(known..).unwrap_or_default());
        block.used = self.clock;
    }

    fn open(&mut self, at: u64) -> BlockStep {
        let size = self.options.block_bytes as u64;
        let (mut start, mut end) = (at / size * size, None);
        if self.total.is_none() && at > self.extent.saturating_add(self.options.skip.max(size)) {
            // Perhaps there is no such byte. The answer to an open part says where the file ends.
            start = self.extent;
        } else {
            // What the block has of it already need not come again; and nothing is asked for that may be behind the end.
            let begun = self.blocks.iter().find(|block| block.start == start);
            start = begun.map_or(start, Block::end);
            start = if self.total.is_none() { start.min(self.extent) } else { start };
            let least = at.saturating_add(1);
            end = self.part_length(at, start).map(|length| start.saturating_add(length).max(least));
            end = end.and_then(|end| end.checked_next_multiple_of(size));
            let whole = |block: &&Block| block.start.is_multiple_of(size) && self.is_whole(block);
            let next = self.blocks.iter().filter(whole).map(|block| block.start).filter(|next| *next > at).min();
            end = end.map(|end| next.map_or(end, |next| next.min(end)));
            end = end.filter(|end| self.total.is_none_or(|total| *end < total));
        }
        if !self.follows(start) {
            self.front_run = 0;
        }
        self.front = start;
        self.running = Some(Running { next: start, end, waiting: Bytes::new() });
        BlockStep::Open { start, end }
    }

    /// How much to ask for; `None` for the whole rest.
    fn part_length(&self, at: u64, start: u64) -> Option<u64> {
        let jump = self.is_jump(at);
        let read = if jump { 0 } else { self.read_run };
        let came = if self.follows(start) { self.front_run } else { 0 };
        let run = read.max(came);
        let straight = !jump && !self.jumped && read >= self.options.read_ahead;
        let long = !self.ranges_honoured || straight || run >= self.options.long_after;
        (!long).then(|| self.options.read_ahead.max(run.saturating_mul(4)))
    }

    /// Whether a part that begins here continues where the last one ended.
    fn follows(&self, start: u64) -> bool {
        start >= self.front && start - self.front <= self.options.skip
    }

    fn is_whole(&self, block: &Block) -> bool {
        block.data.len() == self.options.block_bytes || Some(block.end()) == self.total
    }
}

#[cfg(test)]
#[path = "blocks_tests.rs"]
mod tests;
