//! Which task of an account belongs to which create request whose charge is in the key's log.
//!
//! The list of an account shows the tasks of all its keys, without the requests' ids, so a task that fits may be that of another
//! program. What proves more: a charge in the key's **own** log is that of a task which the list must show, submitted within
//! [`NEAR`] of it (the gateway writes both at one moment, by one clock), of the same model and amount. So
//!
//! * a create request without a charge of its own never gets a task, however well one fits;
//! * a task that the journal names already is nobody else's;
//! * where more tasks fit than there are requests, or a request could have made one of several, none is named, unless the requests
//!   are the same (one fingerprint): then it does not matter which is whose;
//! * the prompt decides, where the list shows it and the journal keeps it;
//! * a list that is not whole, has rows that cannot be read, or lacks a task of a charge that the journal explains, or any that it
//!   names (it may be another account's), names none.
//!
//! ```text
//!  request ── charges that fit ── tasks near one of them        every assignment of requests to tasks agrees on it: named
//! ```

use std::collections::{BTreeMap, HashSet};

use super::account_tasks::{TaskList, TaskRow};
use super::claim::kept_fields;
use super::ledger::Entry;
use super::usage_log::UsageRow;
use crate::status::TaskStatus;

/// How far the times of a charge and its task may be apart, in seconds.
pub(super) const NEAR: u64 = 30;

/// A create request, and the charges of which one is its own.
#[derive(Debug)]
pub(super) struct Charged<'a> {
    pub(super) entry: &'a Entry,
    pub(super) charges: Vec<&'a UsageRow>,
    /// The charges are those of the key that it was sent with.
    pub(super) of_this_key: bool,
}

impl Charged<'_> {
    /// The first and the last of its charges' times.
    pub(super) fn times(&self) -> (u64, u64) {
        let times = || self.charges.iter().map(|charge| charge.created_at);
        (times().min().unwrap_or_default(), times().max().unwrap_or_default())
    }
}

/// The list, and what the journal knows of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) list: &'a TaskList,
    /// The ids of tasks that the journal names.
    pub(super) tasks: &'a HashSet<String>,
}

/// The task of each create request, or why it is not known.
pub(super) fn match_tasks<'a>(
    requests: &[Charged<'_>],
    explained: &[&UsageRow],
    known: Known<'a>,
) -> Vec<Result<&'a TaskRow, &'static str>> {
    if let Some(reason) = no_proof(explained, known) {
        return requests.iter().map(|_| Err(reason)).collect();
    }
    let free: Vec<&TaskRow> = known.list.rows.iter().filter(|task| !known.tasks.contains(&task.task_id)).collect();
    let graph = Graph {
        edges: requests.iter().map(|request| fitting(request, &free)).collect(),
        classes: classes(requests),
        tasks: free.len(),
    };
    let assigned = graph.assign();
    let judge = |(index, request): (usize, &Charged<'_>)| {
        if graph.edges.get(index).is_none_or(Vec::is_empty) {
            return Err("the log has its charge, but the account's list has no such task: check the account token");
        }
        if !request.of_this_key {
            return Err(
                "the log has its charge; the journal does not say with which API key it was sent: its task is not known",
            );
        }
        let task = assigned.get(index).copied().flatten().filter(|_| graph.is_certain(index, &assigned));
        task.and_then(|task| free.get(task).copied())
            .ok_or("the log has its charge; more than one task of the account fits it: its task is not known")
    };
    requests.iter().enumerate().map(judge).collect()
}

/// Why this list proves nothing.
fn no_proof(explained: &[&UsageRow], known: Known<'_>) -> Option<&'static str> {
    let list = known.list;
    // Another account may be busy enough to have a task for each of these charges, but none with an id of ours.
    let is_ours = explained.is_empty() || list.rows.iter().any(|task| known.tasks.contains(&task.task_id));
    let within = |row: &&&UsageRow| {
        row.created_at >= list.from.saturating_add(NEAR) && row.created_at.saturating_add(NEAR) <= list.to
    };
    let shown = |row: &UsageRow| list.rows.iter().any(|task| fits(row, task));
    if !list.is_whole {
        Some("the log has its charge; the account has more tasks of that time than can be asked for")
    } else if list.unreadable > 0 {
        Some("the log has its charge; the account's list has rows that cannot be read")
    } else if !is_ours || !explained.iter().filter(within).all(|row| shown(row)) {
        Some("the log has its charge, but the account's list lacks tasks of this key: check the account token")
    } else {
        None
    }
}

/// Whether a task may be that of a charge.
fn fits(charge: &UsageRow, task: &TaskRow) -> bool {
    let model = match (&charge.model, &task.model) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    // The charge of a failed one was returned: newer servers show 0 then.
    let returned = task.status == TaskStatus::Failed && task.quota == Some(0);
    let amount = returned || task.quota.is_none_or(|quota| quota == charge.quota);
    charge.created_at.abs_diff(task.submitted_at) <= NEAR && model && amount
}

/// The numbers of the tasks that a request may have made.
fn fitting(request: &Charged<'_>, free: &[&TaskRow]) -> Vec<usize> {
    let may_be = |task: &TaskRow| {
        request.charges.iter().any(|charge| fits(charge, task)) && says_the_same(request.entry, task) != Some(false)
    };
    free.iter().enumerate().filter(|(_, task)| may_be(task)).map(|(number, _)| number).collect()
}

/// Whether the prompts are the same, where both are known.
fn says_the_same(entry: &Entry, task: &TaskRow) -> Option<bool> {
    let (order, shown) = (entry.order.as_ref()?, task.prompt.as_ref()?);
    if let Some(prompt) = &order.prompt {
        return Some(prompt.trim() == shown);
    }
    let kept = order.key.as_ref()?.fields.get("prompt")?;
    let body = serde_json::json!({ "prompt": shown }).to_string();
    Some(kept_fields(body.as_bytes()).get("prompt") == Some(kept))
}

/// One number for all requests that are the same.
fn classes(requests: &[Charged<'_>]) -> Vec<usize> {
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    let mut classes = Vec::with_capacity(requests.len());
    for (index, request) in requests.iter().enumerate() {
        let fingerprint = request.entry.order.as_ref().map_or("", |order| order.fingerprint.as_str());
        classes.push(if fingerprint.is_empty() { index } else { *known.entry(fingerprint).or_insert(index) });
    }
    classes
}

/// Requests, and the tasks that each may have made.
struct Graph {
    edges: Vec<Vec<usize>>,
    classes: Vec<usize>,
    tasks: usize,
}

impl Graph {
    /// A task of its own for each request, for as many of them as can be.
    fn assign(&self) -> Vec<Option<usize>> {
        let mut owners: Vec<Option<usize>> = vec![None; self.tasks];
        for request in 0..self.edges.len() {
            self.place(request, &mut owners, &mut vec![false; self.tasks]);
        }
        let mut assigned = vec![None; self.edges.len()];
        for (task, owner) in owners.iter().enumerate() {
            if let Some(place) = owner.and_then(|owner| assigned.get_mut(owner)) {
                *place = Some(task);
            }
        }
        assigned
    }

    /// Whether as many requests get a task when this one has this one.
    fn assigns_as_many(&self, request: usize, task: usize, most: usize) -> bool {
        let mut owners: Vec<Option<usize>> = vec![None; self.tasks];
        let tried = (0..self.tasks).map(|number| number == task).collect::<Vec<_>>();
        let others = (0..self.edges.len()).filter(|other| *other != request);
        let placed = others.filter(|other| self.place(*other, &mut owners, &mut tried.clone())).count();
        placed + 1 == most
    }

    /// Finds a task for a request that was not tried, moving others where they can be moved.
    fn place(&self, request: usize, owners: &mut [Option<usize>], tried: &mut [bool]) -> bool {
        for task in self.edges.get(request).into_iter().flatten().copied() {
            match tried.get_mut(task) {
                Some(tried) if !*tried => *tried = true,
                _ => continue,
            }
            let owner = owners.get(task).copied().flatten();
            if owner.is_none_or(|owner| self.place(owner, owners, tried)) {
                if let Some(place) = owners.get_mut(task) {
                    *place = Some(request);
                }
                return true;
            }
        }
        false
    }

    /// Whether every other assignment gives the same tasks to the requests that are the same as this one.
    fn is_certain(&self, request: usize, assigned: &[Option<usize>]) -> bool {
        let of_class = |index: usize| self.classes.get(index) == self.classes.get(request);
        let own: HashSet<usize> =
            assigned.iter().enumerate().filter(|(index, _)| of_class(*index)).filter_map(|(_, task)| *task).collect();
        let most = assigned.iter().flatten().count();
        let mut edges =
            self.edges.iter().enumerate().flat_map(|(index, tasks)| tasks.iter().map(move |task| (index, *task)));
        // It could have made a task that is not among these, or another request one of these.
        !edges.any(|(index, task)| of_class(index) != own.contains(&task) && self.assigns_as_many(index, task, most))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn graph(edges: &[&[usize]], classes: &[usize], tasks: usize) -> Graph {
        Graph { edges: edges.iter().map(|tasks| tasks.to_vec()).collect(), classes: classes.to_vec(), tasks }
    }

    fn certain(graph: &Graph) -> Vec<Option<usize>> {
        let assigned = graph.assign();
        (0..graph.edges.len()).map(|index| assigned[index].filter(|_| graph.is_certain(index, &assigned))).collect()
    }

    #[test]
    fn a_task_is_certain_when_every_assignment_agrees() {
        // One and one; two tasks for one; two and two of different requests, and of the same.
        assert_eq!(certain(&graph(&[&[0]], &[0], 1)), [Some(0)]);
        assert_eq!(certain(&graph(&[&[0, 1]], &[0], 2)), [None]);
        assert_eq!(certain(&graph(&[&[0, 1], &[0, 1]], &[0, 1], 2)), [None, None]);
        let same = certain(&graph(&[&[0, 1], &[0, 1]], &[0, 0], 2));
        assert_eq!(same.iter().flatten().copied().collect::<HashSet<_>>(), HashSet::from([0, 1]));
        // The second can only be 1, so the first is 0; and a chain of that.
        assert_eq!(certain(&graph(&[&[0, 1], &[1]], &[0, 1], 2)), [Some(0), Some(1)]);
        assert_eq!(certain(&graph(&[&[0, 1], &[1, 2], &[2]], &[0, 1, 2], 3)), [Some(0), Some(1), Some(2)]);
        // Three tasks for two that are the same: one is somebody else's.
        assert_eq!(certain(&graph(&[&[0, 1, 2], &[0, 1, 2]], &[0, 0], 3)), [None, None]);
        // Two requests for one task: either may have made it.
        assert_eq!(certain(&graph(&[&[0], &[0]], &[0, 1], 1)), [None, None]);
        // What is elsewhere is not touched by it.
        assert_eq!(certain(&graph(&[&[0, 1], &[2]], &[0, 1], 3)), [None, Some(2)]);
        assert_eq!(certain(&graph(&[&[], &[0]], &[0, 1], 1)), [None, Some(0)]);
    }

    /// Against all assignments, tried one by one.
    #[test]
    fn small_graphs_agree_with_all_their_assignments() {
        fn all(graph: &Graph, from: usize, now: &mut Vec<Option<usize>>, found: &mut Vec<Vec<Option<usize>>>) {
            if from == graph.edges.len() {
                found.push(now.clone());
                return;
            }
            for task in graph.edges[from].iter().copied().map(Some).chain([None]) {
                if task.is_none() || !now.contains(&task) {
                    now.push(task);
                    all(graph, from + 1, now, found);
                    now.pop();
                }
            }
        }
        let mut random = fastrand::Rng::with_seed(20_261_129);
        let mut named = 0;
        for _ in 0..4000 {
            let (requests, tasks) = (random.usize(1..5), random.usize(1..5));
            let edges: Vec<Vec<usize>> =
                (0..requests).map(|_| (0..tasks).filter(|_| random.u32(..5) < 2).collect()).collect();
            let classes = (0..requests).map(|index| random.usize(..=index)).collect();
            let graph = Graph { edges, classes, tasks };
            let mut found = Vec::new();
            all(&graph, 0, &mut Vec::new(), &mut found);
            let most = found.iter().map(|one| one.iter().flatten().count()).max().unwrap();
            found.retain(|one| one.iter().flatten().count() == most);
            let of = |one: &[Option<usize>], class: usize| -> HashSet<usize> {
                one.iter().zip(&graph.classes).filter(|(_, of)| **of == class).filter_map(|(task, _)| *task).collect()
            };
            for (index, task) in certain(&graph).into_iter().enumerate() {
                let class = graph.classes[index];
                let agree = found.iter().all(|one| of(one, class) == of(&found[0], class));
                let expected = agree && task.is_some();
                assert_eq!(task.is_some(), expected, "{:?} {:?} {index}", graph.edges, graph.classes);
                if !agree {
                    assert_eq!(task, None);
                }
                named += u32::from(task.is_some());
            }
        }
        assert!(named > 1000, "{named}");
    }
}
