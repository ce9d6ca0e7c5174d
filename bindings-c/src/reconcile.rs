//! What became of create requests whose response was lost.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;

use junfeiai::{AccountAccess, Reconciliation, Settled, Verdict};

use crate::client::jfai_client;
use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::{guard, guard_or};
use crate::owned_c_str::OwnedCStr;
use crate::status::jfai_status;
use crate::text::text;
use crate::time::{to_milliseconds, unix_seconds};

/// A task was made and charged. Where its id is known it is pending as a task now, otherwise as a create request of unknown outcome.
pub const JFAI_VERDICT_CHARGED: i32 = 1;
/// Nothing was charged: the create request is off the list, and its key may be used again.
pub const JFAI_VERDICT_NOT_CHARGED: i32 = 2;
/// The server may still be carrying it out: ask again later.
pub const JFAI_VERDICT_UNDER_WAY: i32 = 3;
/// Neither can be proved: see jfai_settled_reason().
pub const JFAI_VERDICT_NOT_KNOWN: i32 = 4;

/// What became of the create requests of a journal whose outcome was unknown.
pub struct jfai_reconciliation {
    items: Vec<Item>,
    retry_after_ms: i64,
}

struct Item {
    settled: Settled,
    intent: OwnedCStr,
    key: OwnedCStr,
    model: OwnedCStr,
    seconds: OwnedCStr,
    reason: OwnedCStr,
    task_id: OwnedCStr,
    request_id: OwnedCStr,
}

impl Item {
    fn new(settled: Settled) -> Self {
        Self {
            intent: OwnedCStr::new(&settled.intent),
            key: OwnedCStr::maybe(settled.key.as_deref()),
            model: OwnedCStr::new(&settled.model),
            seconds: OwnedCStr::maybe(settled.seconds.as_deref()),
            reason: OwnedCStr::new(&settled.reason),
            task_id: OwnedCStr::maybe(settled.task_id.as_deref()),
            request_id: OwnedCStr::maybe(settled.request_id.as_deref()),
            settled,
        }
    }
}

/// Finds out what became of the create requests whose response was lost, by the usage and the log of the API key, and records it in
/// the client's journal. Sends two requests, or none when there is nothing to find out. A server that has no log, or answers no more
/// such questions now, is no error: see jfai_settled_reason(). `JFAI_ERR_CONFIG` when the client has no journal.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reconcile(
    client: Option<&jfai_client>,
    out: Option<&mut MaybeUninit<Box<jfai_reconciliation>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        out.write(found(runtime.run(runtime.client().videos().reconcile())?));
        Ok(())
    })
}

/// jfai_reconcile() with the access of the account's owner, which finds the ids of lost tasks as well: a create request that was charged
/// gets its task's id from the account's list of tasks, with up to five more requests, and is pending as a task then. `account_token` is
/// the access token of the account, a stronger secret than an API key: it is held for this call alone. `account_user` is the account's
/// number in digits, which older servers want. `account_token` and `account_user` may be NULL. `JFAI_ERR_CONFIG` for a text that is no token.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_reconcile_with(
    client: Option<&jfai_client>,
    account_token: *const c_char,
    account_user: *const c_char,
    out: Option<&mut MaybeUninit<Box<jfai_reconciliation>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        // SAFETY: the header asks for a string or NULL.
        let token = if account_token.is_null() { None } else { Some(unsafe { text(account_token, "account_token") }?) };
        // SAFETY: as above.
        let user = if account_user.is_null() { None } else { Some(unsafe { text(account_user, "account_user") }?) };
        let videos = runtime.client().videos();
        out.write(found(match AccountAccess::from_options(token, user)? {
            Some(access) => runtime.run(videos.reconcile_with(&access))?,
            None => runtime.run(videos.reconcile())?,
        }));
        Ok(())
    })
}

fn found(found: Reconciliation) -> Box<jfai_reconciliation> {
    let retry_after_ms = found.retry_after.map_or(-1, to_milliseconds);
    Box::new(jfai_reconciliation { items: found.entries.into_iter().map(Item::new).collect(), retry_after_ms })
}

/// The number of create requests whose outcome was unknown, oldest first. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reconciliation_count(found: Option<&jfai_reconciliation>) -> usize {
    guard_or!(0 => found.map_or(0, |found| found.items.len()))
}

/// Milliseconds until the server answers such questions again; -1 when it answered them.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reconciliation_retry_after_ms(found: Option<&jfai_reconciliation>) -> i64 {
    guard_or!(-1 => found.map_or(-1, |found| found.retry_after_ms))
}

fn item(found: Option<&jfai_reconciliation>, index: usize) -> Option<&Item> {
    found.and_then(|found| found.items.get(index))
}

/// What became of it: `JFAI_VERDICT_…`; 0 past the end.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_verdict(found: Option<&jfai_reconciliation>, index: usize) -> i32 {
    guard_or!(0 => item(found, index).map_or(0, |item| match item.settled.verdict {
        Verdict::Charged => JFAI_VERDICT_CHARGED,
        Verdict::NotCharged => JFAI_VERDICT_NOT_CHARGED,
        Verdict::UnderWay => JFAI_VERDICT_UNDER_WAY,
        _ => JFAI_VERDICT_NOT_KNOWN,
    }))
}

/// Why, in one sentence.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_reason(found: Option<&jfai_reconciliation>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(found, index).map_or(ptr::null(), |item| item.reason.pointer()))
}

/// The journal's id of the create request, for jfai_resolve_unknown().
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_intent(found: Option<&jfai_reconciliation>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(found, index).map_or(ptr::null(), |item| item.intent.pointer()))
}

/// The key under which it was sent, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_key(found: Option<&jfai_reconciliation>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(found, index).map_or(ptr::null(), |item| item.key.pointer()))
}

/// The requested model.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_model(found: Option<&jfai_reconciliation>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(found, index).map_or(ptr::null(), |item| item.model.pointer()))
}

/// The requested length as it was sent, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_seconds(found: Option<&jfai_reconciliation>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(found, index).map_or(ptr::null(), |item| item.seconds.pointer()))
}

/// The id of the task, or NULL where it is not known.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_task_id(found: Option<&jfai_reconciliation>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(found, index).map_or(ptr::null(), |item| item.task_id.pointer()))
}

/// The server's id of the request, or NULL where it is not known.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_request_id(found: Option<&jfai_reconciliation>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(found, index).map_or(ptr::null(), |item| item.request_id.pointer()))
}

/// What it was charged, in the server's units (500000 = 1 USD); -1 where that is not known. A failed task's charge was returned.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_charged_units(found: Option<&jfai_reconciliation>, index: usize) -> i64 {
    guard_or!(-1 => item(found, index).and_then(|item| item.settled.charged_units).unwrap_or(-1))
}

/// When it began, in unix seconds; -1 past the end.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_settled_created_at(found: Option<&jfai_reconciliation>, index: usize) -> i64 {
    guard_or!(-1 => item(found, index).map_or(-1, |item| unix_seconds(Some(item.settled.at))))
}

/// Frees what jfai_reconcile() gave. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_reconciliation_free(found: Option<Box<jfai_reconciliation>>) {
    guard_or!(() => drop(found));
}
