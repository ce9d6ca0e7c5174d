//! What must not be shared across `fork()`.
//!
//! A child has its parent's memory but none of its threads: a pooled connection whose task lives in the parent's runtime
//! never answers there. Whatever holds such things is made anew in each process.

use std::sync::OnceLock;

/// A value for each process. The parent's is left alone in the child: neither used nor dropped.
#[derive(Debug)]
pub struct PerProcess<T> {
    first: Slot<T>,
}

type Slot<T> = OnceLock<Box<Entry<T>>>;

/// A list instead of a lock: a lock that another thread held at the time of the fork would stay shut in the child for ever.
#[derive(Debug)]
struct Entry<T> {
    process: u32,
    value: T,
    next: Slot<T>,
}

impl<T> PerProcess<T> {
    /// No value yet.
    pub const fn new() -> Self {
        Self { first: OnceLock::new() }
    }

    /// This process's value, made if there is none yet.
    pub fn get_or_init(&self, make: impl Fn() -> T) -> &T {
        let process = std::process::id();
        let mut slot = &self.first;
        loop {
            let entry = slot.get_or_init(|| Box::new(Entry { process, value: make(), next: OnceLock::new() }));
            if entry.process == process {
                return &entry.value;
            }
            slot = &entry.next;
        }
    }

    /// This process's value, if there is one.
    pub fn get(&self) -> Option<&T> {
        let process = std::process::id();
        let mut slot = &self.first;
        loop {
            let entry = slot.get()?;
            if entry.process == process {
                return Some(&entry.value);
            }
            slot = &entry.next;
        }
    }
}

impl<T> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_for_a_process() {
        let cell = PerProcess::new();
        assert_eq!(cell.get(), None);
        assert_eq!(*cell.get_or_init(|| 1), 1);
        assert_eq!(*cell.get_or_init(|| 2), 1);
        assert_eq!(cell.get(), Some(&1));
    }

    #[test]
    fn the_value_of_another_process_is_passed_by() {
        let cell = PerProcess::new();
        let parent = Entry { process: std::process::id() + 1, value: 1, next: OnceLock::new() };
        assert!(cell.first.set(Box::new(parent)).is_ok());
        assert_eq!(cell.get(), None);
        assert_eq!(*cell.get_or_init(|| 2), 2);
        assert_eq!(cell.get(), Some(&2));
    }
}
