//! Tasks that were created a moment ago, which the server may not show yet.

use std::collections::VecDeque;
use std::time::Duration;

use super::Time;

/// When the latest creates of a client were answered, by task id: so that a task is known as young wherever its id turns
/// up again in the same program.
#[derive(Debug, Default)]
pub struct RecentCreates {
    /// In the order of their creates.
    created: VecDeque<(Box<str>, Time)>,
}

impl RecentCreates {
    /// Notes a create. Notes older than `keep` are given up.
    pub fn note(&mut self, now: Time, task_id: &str, keep: Duration) {
        while self.created.front().is_some_and(|(_, created)| now.since(*created) >= keep) {
            self.created.pop_front();
        }
        self.created.push_back((task_id.into(), now));
    }

    /// When this task was created, if that is noted.
    pub fn created(&self, task_id: &str) -> Option<Time> {
        // From the end: whoever asks has mostly just created it.
        self.created.iter().rev().find(|(id, _)| **id == *task_id).map(|(_, created)| *created)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_are_kept() {
        let mut recent_creates = RecentCreates::default();
        let at = |ms: u64| Time::from_start(Duration::from_millis(ms));
        let mut most = 0;
        for n in 0..100_000_u64 {
            recent_creates.note(at(n * 10), &format!("task_{n}"), Duration::from_secs(30));
            most = most.max(recent_creates.created.len());
        }
        assert_eq!(recent_creates.created("task_99999"), Some(at(999_990)));
        assert_eq!(recent_creates.created("task_97001"), Some(at(970_010)), "29.98 s old");
        assert_eq!(recent_creates.created("task_50000"), None);
        assert!(most <= 3_001, "{most} for 3000 young ones");
    }
}
