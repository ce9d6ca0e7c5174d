//! What an earlier process left unfinished.

use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::ptr;

use junfeiai::{KeyRecord, KeyState, Pending, PendingState};

use crate::client::jfai_client;
use crate::error_handle::jfai_error;
use crate::failure::need;
use crate::guard::{guard, guard_or};
use crate::owned_c_str::OwnedCStr;
use crate::status::jfai_status;
use crate::text::text;
use crate::time::unix_seconds;

/// A task that was created; its end was not seen.
pub const JFAI_PENDING_CREATED: i32 = 1;
/// A task that has a video, which was not saved.
pub const JFAI_PENDING_SUCCEEDED: i32 = 2;
/// A create request without a response: there may be a task, and it may have been charged. Call jfai_reconcile(), or check your
/// account's usage page for it, then call jfai_resolve_unknown(). The library never sends it again.
pub const JFAI_PENDING_UNKNOWN: i32 = 3;

/// The create request of a key is being sent, here or elsewhere.
pub const JFAI_KEY_SENDING: i32 = 1;
/// The create request of a key was sent and its outcome is unknown: see jfai_resolve_unknown().
pub const JFAI_KEY_UNKNOWN: i32 = 2;
/// The task of a key was created; its end was not seen.
pub const JFAI_KEY_CREATED: i32 = 3;
/// The task of a key has a video, which was not saved.
pub const JFAI_KEY_SUCCEEDED: i32 = 4;
/// The task of a key failed; the service returns the charge.
pub const JFAI_KEY_FAILED: i32 = 5;
/// The video of a key was saved.
pub const JFAI_KEY_SAVED: i32 = 6;
/// The task of a key was removed from the list: see jfai_forget().
pub const JFAI_KEY_FORGOTTEN: i32 = 7;

/// What the journal knows of a key.
pub struct jfai_key_record {
    record: KeyRecord,
    task_id: OwnedCStr,
    intent: OwnedCStr,
    path: OwnedCStr,
}

/// The unfinished tasks and create requests of a journal.
pub struct jfai_pending {
    items: Vec<Item>,
}

struct Item {
    state: i32,
    task_id: OwnedCStr,
    intent: OwnedCStr,
    model: OwnedCStr,
    seconds: OwnedCStr,
    reason: OwnedCStr,
    fingerprint: OwnedCStr,
    prompt: OwnedCStr,
    key: OwnedCStr,
    at: i64,
}

impl Item {
    fn new(pending: &Pending) -> Option<Self> {
        Some(match pending {
            Pending::Task { task_id, model, seconds: length, created_at, state, fingerprint, prompt, key, .. } => {
                Self {
                    state: match state {
                        PendingState::Succeeded => JFAI_PENDING_SUCCEEDED,
                        _ => JFAI_PENDING_CREATED,
                    },
                    task_id: OwnedCStr::new(task_id),
                    intent: OwnedCStr::default(),
                    model: OwnedCStr::new(model),
                    seconds: OwnedCStr::maybe(length.as_deref()),
                    reason: OwnedCStr::default(),
                    fingerprint: OwnedCStr::maybe(fingerprint.as_deref()),
                    prompt: OwnedCStr::maybe(prompt.as_deref()),
                    key: OwnedCStr::maybe(key.as_deref()),
                    at: unix_seconds(Some(*created_at)),
                }
            }
            Pending::Unknown { intent, fingerprint, model, seconds: length, at, reason, prompt, key, .. } => Self {
                state: JFAI_PENDING_UNKNOWN,
                task_id: OwnedCStr::default(),
                intent: OwnedCStr::new(intent),
                model: OwnedCStr::new(model),
                seconds: OwnedCStr::maybe(length.as_deref()),
                reason: OwnedCStr::new(reason),
                fingerprint: OwnedCStr::new(fingerprint),
                prompt: OwnedCStr::maybe(prompt.as_deref()),
                key: OwnedCStr::maybe(key.as_deref()),
                at: unix_seconds(Some(*at)),
            },
            _ => return None,
        })
    }
}

/// The unfinished tasks and create requests of the client's journal, oldest first. Sends no request. `JFAI_ERR_CONFIG`
/// when the client has no journal: see jfai_client_options_set_journal().
#[unsafe(no_mangle)]
pub extern "C" fn jfai_list_pending(
    client: Option<&jfai_client>,
    out: Option<&mut MaybeUninit<Box<jfai_pending>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        let pending = runtime.run(runtime.client().videos().pending())?;
        out.write(Box::new(jfai_pending { items: pending.iter().filter_map(Item::new).collect() }));
        Ok(())
    })
}

/// Removes a task from the journal's list: its video is not wanted, or was saved in another way. The task itself is not affected.
/// `out_found` may be NULL; it gets false when the task is not on the list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_forget(
    client: Option<&jfai_client>,
    task_id: *const c_char,
    out_found: Option<&mut MaybeUninit<bool>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let runtime = &jfai_client::runtime(client)?;
        // SAFETY: the header asks for a string or NULL.
        let id = unsafe { text(task_id, "task_id") }?;
        let found = runtime.run(runtime.client().videos().forget(id))?;
        if let Some(out) = out_found {
            out.write(found);
        }
        Ok(())
    })
}

/// Marks a create request whose outcome was unknown as resolved, after you checked the account: with the id of the task that you found
/// there, or without one when there is none (`task_id` may be NULL). `out_found` may be NULL; it gets false when there is no such request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_resolve_unknown(
    client: Option<&jfai_client>,
    intent: *const c_char,
    task_id: *const c_char,
    out_found: Option<&mut MaybeUninit<bool>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let runtime = &jfai_client::runtime(client)?;
        // SAFETY: the header asks for a string or NULL.
        let intent = unsafe { text(intent, "intent") }?;
        // SAFETY: as above.
        let id = if task_id.is_null() { None } else { Some(unsafe { text(task_id, "task_id") }?) };
        let found = runtime.run(runtime.client().videos().resolve_unknown(intent, id))?;
        if let Some(out) = out_found {
            out.write(found);
        }
        Ok(())
    })
}

/// The number of items. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_count(pending: Option<&jfai_pending>) -> usize {
    guard_or!(0 => pending.map_or(0, |pending| pending.items.len()))
}

fn item(pending: Option<&jfai_pending>, index: usize) -> Option<&Item> {
    pending.and_then(|pending| pending.items.get(index))
}

/// What it is: `JFAI_PENDING_…`; 0 past the end.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_state(pending: Option<&jfai_pending>, index: usize) -> i32 {
    guard_or!(0 => item(pending, index).map_or(0, |item| item.state))
}

/// The task's id; NULL for a create request whose outcome is unknown.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_task_id(pending: Option<&jfai_pending>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(pending, index).map_or(ptr::null(), |item| item.task_id.pointer()))
}

/// The journal's id of a create request whose outcome is unknown, for jfai_resolve_unknown(); NULL for a task.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_intent(pending: Option<&jfai_pending>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(pending, index).map_or(ptr::null(), |item| item.intent.pointer()))
}

/// The requested model.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_model(pending: Option<&jfai_pending>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(pending, index).map_or(ptr::null(), |item| item.model.pointer()))
}

/// The requested length as it was sent, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_seconds(pending: Option<&jfai_pending>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(pending, index).map_or(ptr::null(), |item| item.seconds.pointer()))
}

/// Why the outcome is unknown: the kind of the error, `"abandoned"`, `"crashed"`, or `"charged"` when jfai_reconcile() found its charge; NULL
/// for a task.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_reason(pending: Option<&jfai_pending>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(pending, index).map_or(ptr::null(), |item| item.reason.pointer()))
}

/// The SHA-256 of the request, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_fingerprint(pending: Option<&jfai_pending>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(pending, index).map_or(ptr::null(), |item| item.fingerprint.pointer()))
}

/// The prompt, or NULL: it is kept only with jfai_client_options_set_journal_prompts().
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_prompt(pending: Option<&jfai_pending>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(pending, index).map_or(ptr::null(), |item| item.prompt.pointer()))
}

/// The key under which it was created, or NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_key(pending: Option<&jfai_pending>, index: usize) -> *const c_char {
    guard_or!(ptr::null() => item(pending, index).map_or(ptr::null(), |item| item.key.pointer()))
}

/// When it began, in unix seconds; -1 past the end.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_created_at(pending: Option<&jfai_pending>, index: usize) -> i64 {
    guard_or!(-1 => item(pending, index).map_or(-1, |item| item.at))
}

/// Frees the list. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_pending_free(pending: Option<Box<jfai_pending>>) {
    guard_or!(() => drop(pending));
}

/// What the client's journal knows of a key: how far its task is, and where its video was saved. `out` gets NULL when nothing was
/// created under it. Sends no request.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_find_key(
    client: Option<&jfai_client>,
    key: *const c_char,
    out: Option<&mut MaybeUninit<Option<Box<jfai_key_record>>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        // SAFETY: the header asks for a string or NULL.
        let key = unsafe { text(key, "key") }?;
        let record = runtime.run(runtime.client().videos().key(key))?;
        out.write(record.map(|record| {
            let task_id = OwnedCStr::maybe(record.task_id.as_deref());
            let (intent, path) = (OwnedCStr::new(&record.intent), OwnedCStr::maybe(record.path.as_deref()));
            Box::new(jfai_key_record { record, task_id, intent, path })
        }));
        Ok(())
    })
}

/// How far the task of a key is: `JFAI_KEY_…`; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_key_state(record: Option<&jfai_key_record>) -> i32 {
    guard_or!(0 => record.map_or(0, |record| match record.record.state {
        KeyState::Sending => JFAI_KEY_SENDING,
        KeyState::Unknown => JFAI_KEY_UNKNOWN,
        KeyState::Created => JFAI_KEY_CREATED,
        KeyState::Succeeded => JFAI_KEY_SUCCEEDED,
        KeyState::Failed => JFAI_KEY_FAILED,
        KeyState::Saved => JFAI_KEY_SAVED,
        KeyState::Forgotten => JFAI_KEY_FORGOTTEN,
        _ => 0,
    }))
}

/// 1 for the first task of a key, one more for each that was created after a failed one; 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_key_attempt(record: Option<&jfai_key_record>) -> u32 {
    guard_or!(0 => record.map_or(0, |record| record.record.attempt))
}

/// The id of the task of a key; NULL when there is no task yet.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_key_task_id(record: Option<&jfai_key_record>) -> *const c_char {
    guard_or!(ptr::null() => record.map_or(ptr::null(), |record| record.task_id.pointer()))
}

/// The journal's id of the create request of a key, for jfai_resolve_unknown().
#[unsafe(no_mangle)]
pub extern "C" fn jfai_key_intent(record: Option<&jfai_key_record>) -> *const c_char {
    guard_or!(ptr::null() => record.map_or(ptr::null(), |record| record.intent.pointer()))
}

/// Where the video of a key was saved, or NULL; in a state before `JFAI_KEY_SAVED`: where it was about to get its name.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_key_path(record: Option<&jfai_key_record>) -> *const c_char {
    guard_or!(ptr::null() => record.map_or(ptr::null(), |record| record.path.pointer()))
}

/// When the create request of a key began, in unix seconds; -1 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_key_created_at(record: Option<&jfai_key_record>) -> i64 {
    guard_or!(-1 => record.map_or(-1, |record| unix_seconds(Some(record.record.created_at))))
}

/// Frees what jfai_find_key() gave. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_key_record_free(record: Option<Box<jfai_key_record>>) {
    guard_or!(() => drop(record));
}

/// What was spent, as a journal says.
pub struct jfai_spending {
    json: OwnedCStr,
}

/// What was created and charged under the client's journal, for each UTC day and model, from the day `since` (`YYYY-MM-DD`) on;
/// `since` may be NULL for all of it. Sends no request. Known are the charges that a wait or a query has seen; a file reaches back 400 days, a database 30.
/// `JFAI_ERR_CONFIG` when the client has no journal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn jfai_get_spending(
    client: Option<&jfai_client>,
    since: *const c_char,
    out: Option<&mut MaybeUninit<Box<jfai_spending>>>,
    err: Option<&mut MaybeUninit<Box<jfai_error>>>,
) -> jfai_status {
    guard!(err => {
        let out = need(out, "out")?;
        let runtime = &jfai_client::runtime(client)?;
        // SAFETY: the header asks for a string or NULL.
        let since = if since.is_null() { None } else { Some(unsafe { text(since, "since") }?) };
        let lines = runtime.run(runtime.client().videos().spending(since))?;
        let json = OwnedCStr::new(&serde_json::to_string(&lines).unwrap_or_default());
        out.write(Box::new(jfai_spending { json }));
        Ok(())
    })
}

/// A JSON array, oldest day first, of objects with `day`, `model`, `creates`, `charged_units` (500000 are 1 USD), `charged_usd`, and
/// `refunded_units` and `refunded_usd`, which were returned of it; with `failed` tasks, create requests of `unknown` outcome, and
/// `uncharged` tasks, whose charge was not seen.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_spending_json(spending: Option<&jfai_spending>) -> *const c_char {
    guard_or!(ptr::null() => spending.map_or(ptr::null(), |spending| spending.json.pointer()))
}

/// Frees what was spent. NULL is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn jfai_spending_free(spending: Option<Box<jfai_spending>>) {
    guard_or!(() => drop(spending));
}
