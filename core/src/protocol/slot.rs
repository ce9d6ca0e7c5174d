//! The handle of an entry in the schedule.

/// The handle of an entry, from [`ScheduleMachine::add`](super::ScheduleMachine::add) to [`ScheduleMachine::remove`](super::ScheduleMachine::remove) or to the
/// [`ScheduleMachine::collect`](super::ScheduleMachine::collect) that ends it. Numbers are small and used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub(super) u32);

impl SlotId {
    /// The number, for a table beside the machine.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
