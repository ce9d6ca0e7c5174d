//! Who is due when: pairs of a time and a slot, in order.

use std::collections::VecDeque;

use super::Time;
use super::slot::SlotId;

/// A sorted queue. Most pairs come at its end and leave at its front; for the ten thousands that wait in one process
/// moving the rest costs less than a tree's nodes do, in time and in code.
#[derive(Debug, Default)]
pub(super) struct DueQueue(VecDeque<(Time, SlotId)>);

impl DueQueue {
    pub(super) fn insert(&mut self, pair: (Time, SlotId)) {
        if let Err(place) = self.0.binary_search(&pair) {
            self.0.insert(place, pair);
        }
    }

    pub(super) fn remove(&mut self, pair: (Time, SlotId)) {
        if let Ok(place) = self.0.binary_search(&pair) {
            self.0.remove(place);
        }
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<(Time, SlotId)> {
        self.0.front().copied()
    }

    /// Takes the earliest, if its time has come.
    pub(super) fn pop_until(&mut self, now: Time) -> Option<SlotId> {
        self.first().filter(|(at, _)| *at <= now)?;
        self.0.pop_front().map(|(_, slot)| slot)
    }

    /// The latest slot other than this one.
    pub(super) fn last_but(&self, but: SlotId) -> Option<SlotId> {
        self.0.iter().rev().map(|(_, slot)| *slot).find(|slot| *slot != but)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
