//! What must not be shared across `fork()`.
//!
//! A child has its parent's memory but none of its threads. A lock that another thread held at that moment stays shut in
//! the child for ever, a slot that it held is never given back, and a connection whose task lives in the parent's runtime
//! never answers. So whatever holds such things is made anew in each process, and what the child inherited is neither
//! used nor dropped there: dropping would take locks, and would reach the parent's sockets and files.

use std::sync::OnceLock;

use once_cell::race::OnceBox;

/// The process that made something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pid(u32);

impl Pid {
    /// The calling process.
    pub fn current() -> Self {
        // A page is one process, and asking for its number panics.
        #[cfg(target_arch = "wasm32")]
        return Self(0);
        #[cfg(not(target_arch = "wasm32"))]
        Self(std::process::id())
    }

    /// Its number; 0 in a page.
    pub fn number(self) -> u32 {
        self.0
    }

    /// False in a child that inherited the value by `fork()`.
    pub fn is_current(self) -> bool {
        self == Self::current()
    }

    /// As a child of `fork()` sees the number of its parent.
    #[cfg(test)]
    pub(crate) fn of_another() -> Self {
        Self(std::process::id() + 1)
    }
}

/// A value for each process. The parent's is left alone in the child: neither used nor dropped.
#[derive(Debug)]
pub struct PerProcess<T> {
    first: Slot<T>,
}

/// Without a lock: one that another thread held at the time of the fork would stay shut in the child for ever.
type Slot<T> = OnceBox<Entry<T>>;

#[derive(Debug)]
struct Entry<T> {
    process: Pid,
    /// The threads of its own process wait here while one of them makes the value; no other process looks at it.
    value: OnceLock<T>,
    next: Slot<T>,
}

impl<T> PerProcess<T> {
    /// No value yet.
    pub const fn new() -> Self {
        Self { first: OnceBox::new() }
    }

    /// This process's value, made if there is none yet.
    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let process = Pid::current();
        let mut slot = &self.first;
        loop {
            let entry = slot.get_or_init(|| Box::new(Entry::new(process)));
            if entry.process == process {
                return entry.value.get_or_init(make);
            }
            slot = &entry.next;
        }
    }

    /// This process's value, if there is one.
    pub fn get(&self) -> Option<&T> {
        let process = Pid::current();
        let mut slot = &self.first;
        loop {
            let entry = slot.get()?;
            if entry.process == process {
                return entry.value.get();
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

impl<T> Entry<T> {
    fn new(process: Pid) -> Self {
        Self { process, value: OnceLock::new(), next: OnceBox::new() }
    }
}

impl<T> Drop for Entry<T> {
    fn drop(&mut self) {
        if !self.process.is_current() {
            std::mem::forget(self.value.take());
        }
    }
}

/// Owns a value that only the process that made it drops; a child that inherited it leaks it instead.
#[derive(Debug)]
pub struct ForkGuard<T> {
    process: Pid,
    /// Always there; an option so that the drop can take it.
    value: Option<T>,
}

impl<T> ForkGuard<T> {
    /// Takes a value that this process has just made.
    pub fn new(value: T) -> Self {
        Self { process: Pid::current(), value: Some(value) }
    }

    /// The value; `None` in a child of the process that made it.
    pub fn get(&self) -> Option<&T> {
        self.value.as_ref().filter(|_| self.process.is_current())
    }

    /// As [`ForkGuard::get`], to change it.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut().filter(|_| self.process.is_current())
    }
}

impl<T> Drop for ForkGuard<T> {
    fn drop(&mut self) {
        if !self.process.is_current() {
            std::mem::forget(self.value.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    /// A cell as a child of `fork()` has it, its parent's value inside.
    fn inherited<T>(value: OnceLock<T>) -> PerProcess<T> {
        let cell = PerProcess::new();
        assert!(cell.first.set(Box::new(Entry { process: Pid::of_another(), value, next: OnceBox::new() })).is_ok());
        cell
    }

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
        let cell = inherited(1.into());
        assert_eq!(cell.get(), None);
        assert_eq!(*cell.get_or_init(|| 2), 2);
        assert_eq!(cell.get(), Some(&2));
    }

    #[test]
    fn a_value_that_a_parent_was_making_is_not_waited_for() {
        // Never finished, as when the thread that makes it is not in the child.
        let cell = inherited(OnceLock::new());
        assert_eq!(cell.get(), None);
        assert_eq!(*cell.get_or_init(|| 2), 2);
    }

    #[test]
    fn only_the_process_that_made_a_value_drops_it() {
        let value = Rc::new(());
        drop(inherited(value.clone().into()));
        drop(ForkGuard { process: Pid::of_another(), value: Some(value.clone()) });
        assert_eq!(Rc::strong_count(&value), 3, "leaked, not dropped");
        let own = PerProcess::new();
        own.get_or_init(|| value.clone());
        drop((own, ForkGuard::new(value.clone())));
        assert_eq!(Rc::strong_count(&value), 3);
    }

    #[test]
    fn an_inherited_value_is_not_handed_out() {
        let mut guard = ForkGuard { process: Pid::of_another(), value: Some(1) };
        assert!(guard.get().is_none() && guard.get_mut().is_none());
        assert_eq!(ForkGuard::new(1).get(), Some(&1));
    }
}
