/**
 * @file junfeiai.h
 * libjunfeiai: creates JunFeiAI videos, waits for them and downloads them safely.
 *
 * The conventions are the section Conventions of bindings-c/README.md. In short:
 *
 *  - `jfai_status f(self, inputs..., outputs..., jfai_error **err)`: JFAI_OK, or a JFAI_ERR_ number and an error object in
 *    `*err` (for jfai_error_free(); `err` may be NULL). Outputs are written only on success.
 *  - Handles are opaque; each has its `_free`, and `_free(NULL)` does nothing.
 *  - A handle taken as `const` may be used by several threads at the same time; the others by one at a time.
 *  - Strings are UTF-8 with a NUL at the end. Those given are copied; those returned belong to their handle, and live as long.
 *  - `(NULL, 0)` is an empty slice; NULL elsewhere is JFAI_ERR_ARGUMENT unless the comment says that it may be NULL.
 *  - A handle from before fork() gives JFAI_ERR_FORKED in the child; make a new client there.
 *
 * This file is made by `make header` from bindings-c/src; do not edit it.
 */
/* SPDX-License-Identifier: Apache-2.0 OR MIT */

#ifndef JUNFEIAI_H
#define JUNFEIAI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of this header; jfai_version() says that of the library. */
#define JFAI_VERSION "0.1.0"
/** MAJOR of the version. */
#define JFAI_VERSION_MAJOR 0
/** MINOR of the version. */
#define JFAI_VERSION_MINOR 1
/** PATCH of the version. */
#define JFAI_VERSION_PATCH 0

/** Marks the functions of the library. Define JFAI_STATIC where the static library is linked on Windows. */
#if defined(_WIN32) && !defined(JFAI_STATIC)
#define JFAI_API __declspec(dllimport)
#else
#define JFAI_API
#endif

/**
 * Marks the functions whose status must be looked at: a compiler warns where nobody does. Before C23 a cast to void silences clang,
 * but not gcc. Define it as nothing before this header is included to have no such warnings.
 */
#ifndef JFAI_NODISCARD
#if (defined(__cplusplus) && __cplusplus >= 201703L) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define JFAI_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define JFAI_NODISCARD __attribute__((warn_unused_result))
#else
#define JFAI_NODISCARD
#endif
#endif

/** As a time: without a limit. */
#define JFAI_FOREVER UINT64_MAX

/** jfai_version_check() of this header: call it first where the library is not shipped with the program. */
#define JFAI_VERSION_CHECK(err) jfai_version_check(JFAI_VERSION, (err))

/** @defgroup junfeiai_client Client and library */
/** @defgroup junfeiai_client_options Options of a client */
/** @defgroup junfeiai_requests Requests */
/** @defgroup junfeiai_calls Create, query and wait */
/** @defgroup junfeiai_wait_options Options of a wait */
/** @defgroup junfeiai_tasks Tasks */
/** @defgroup junfeiai_watch States as they come */
/** @defgroup junfeiai_videos Videos and bytes */
/** @defgroup junfeiai_save Saving a video */
/** @defgroup junfeiai_readers Reading without a file */
/** @defgroup junfeiai_batches Many at once */
/** @defgroup junfeiai_async Calls without blocking */
/** @defgroup junfeiai_cancel Cancelling */
/** @defgroup junfeiai_durable Durable waits */
/** @defgroup junfeiai_journal Journal and keys */
/** @defgroup junfeiai_reconciliation Unknown outcomes */
/** @defgroup junfeiai_checks Checks, balance and cost */
/** @defgroup junfeiai_errors Errors */
/** @defgroup junfeiai_log Log */

/**
 * What a function returns: the kinds of errors, with the same numbers and names in every language. New ones may come.
 * @ingroup junfeiai_errors
 */
enum jfai_status_code {
  /** It worked. */
  JFAI_OK = 0,
  /** `"argument"`: an argument is NULL, not UTF-8 or out of range; the message names it. */
  JFAI_ERR_ARGUMENT = 1,
  /** `"forked"`: the handle is from before fork(); make a new client in this process. */
  JFAI_ERR_FORKED = 2,
  /** `"version"`: compile the program with the header of the library that it loads, or install the library of its header. */
  JFAI_ERR_VERSION = 3,
  /** `"config"`: correct the client's options. */
  JFAI_ERR_CONFIG = 10,
  /** `"invalid_request"`: correct the request; nothing was sent. */
  JFAI_ERR_INVALID_REQUEST = 11,
  /** `"untrusted_host"`: add the host to trusted_hosts if you trust it with the key. */
  JFAI_ERR_UNTRUSTED_HOST = 12,
  /** `"idempotency_conflict"`: use another key for another request; nothing was sent. */
  JFAI_ERR_IDEMPOTENCY_CONFLICT = 13,
  /** `"bad_request"`: check model, prompt, seconds, size and images. */
  JFAI_ERR_BAD_REQUEST = 20,
  /** `"authentication"`: check the API key. */
  JFAI_ERR_AUTHENTICATION = 21,
  /** `"permission_denied"`: check the account's group and model rights. */
  JFAI_ERR_PERMISSION_DENIED = 22,
  /** `"insufficient_balance"`: top up the account, then try again. */
  JFAI_ERR_INSUFFICIENT_BALANCE = 23,
  /** `"not_found"`: check the task id and the base URL. */
  JFAI_ERR_NOT_FOUND = 24,
  /** `"rate_limited"`: slow down, then try again. */
  JFAI_ERR_RATE_LIMITED = 25,
  /** `"upstream"`: try again later; if the error persists, contact support with the task id. */
  JFAI_ERR_UPSTREAM = 26,
  /** `"model_unavailable"`: choose another model. */
  JFAI_ERR_MODEL_UNAVAILABLE = 27,
  /** `"unexpected_response"`: check that the base URL ends in /v1. */
  JFAI_ERR_UNEXPECTED_RESPONSE = 28,
  /** `"not_offered"`: continue without it: this server does not support it. */
  JFAI_ERR_NOT_OFFERED = 29,
  /** `"connect"`: check the network, the proxy and the base URL. */
  JFAI_ERR_CONNECT = 30,
  /** `"connection"`: try again. */
  JFAI_ERR_CONNECTION = 31,
  /** `"timeout"`: try again, or allow more time. */
  JFAI_ERR_TIMEOUT = 32,
  /** `"create_outcome_unknown"`: it may have been charged: check your account's usage page for this task before you create it again. */
  JFAI_ERR_CREATE_OUTCOME_UNKNOWN = 40,
  /** `"task_failed"`: change the prompt or the images, then create a new task. */
  JFAI_ERR_TASK_FAILED = 41,
  /** `"wait_timeout"`: the task is still running: call wait with its id again. */
  JFAI_ERR_WAIT_TIMEOUT = 42,
  /** `"download"`: save again to resume. */
  JFAI_ERR_DOWNLOAD = 50,
  /** `"not_ready"`: try again in a few seconds. */
  JFAI_ERR_NOT_READY = 51,
  /** `"integrity"`: save again; if the error persists, contact support with the task id. */
  JFAI_ERR_INTEGRITY = 52,
  /** `"file_exists"`: choose another name or allow overwriting. */
  JFAI_ERR_FILE_EXISTS = 53,
  /** `"io"`: check the path, its rights and the disk. */
  JFAI_ERR_IO = 54,
  /** `"file_locked"`: wait for the other saver of this file to end. */
  JFAI_ERR_FILE_LOCKED = 55,
  /** `"no_space"`: make room on the disk, then save again to resume. */
  JFAI_ERR_NO_SPACE = 56,
  /** `"cancelled"`: call again to continue. */
  JFAI_ERR_CANCELLED = 60,
  /** `"journal"`: correct what is named, then try again; a new journal would forget what was paid for. */
  JFAI_ERR_JOURNAL = 61,
  /** `"internal"`: please report this. */
  JFAI_ERR_INTERNAL = 70,
};

/**
 * What is unfinished: the result of jfai_pending_state().
 * @ingroup junfeiai_journal
 */
enum jfai_pending_kind {
  /** A task that was created; its end was not seen. */
  JFAI_PENDING_CREATED = 1,
  /** A task that has a video, which was not saved. */
  JFAI_PENDING_SUCCEEDED = 2,
  /** A create request without a response: there may be a task, and it may have been charged. Call jfai_reconcile(), or check your
   *  account's usage page for it, then call jfai_resolve_unknown(). The library never sends it again. */
  JFAI_PENDING_UNKNOWN = 3,
};

/**
 * How far the task of a key is: the result of jfai_key_state().
 * @ingroup junfeiai_journal
 */
enum jfai_key_stage {
  /** The create request of a key is being sent, here or elsewhere. */
  JFAI_KEY_SENDING = 1,
  /** The create request of a key was sent and its outcome is unknown: see jfai_resolve_unknown(). */
  JFAI_KEY_UNKNOWN = 2,
  /** The task of a key was created; its end was not seen. */
  JFAI_KEY_CREATED = 3,
  /** The task of a key has a video, which was not saved. */
  JFAI_KEY_SUCCEEDED = 4,
  /** The task of a key failed; the service returns the charge. */
  JFAI_KEY_FAILED = 5,
  /** The video of a key was saved. */
  JFAI_KEY_SAVED = 6,
  /** The task of a key was removed from the list: see jfai_forget(). */
  JFAI_KEY_FORGOTTEN = 7,
};

/**
 * The levels of jfai_set_log().
 * @ingroup junfeiai_log
 */
enum jfai_log_level {
  /** Something is wrong. */
  JFAI_LOG_ERROR = 1,
  /** Advice that a request does not follow, and the like. */
  JFAI_LOG_WARN = 2,
  /** Tasks created, videos saved. */
  JFAI_LOG_INFO = 3,
  /** Every request. */
  JFAI_LOG_DEBUG = 4,
  /** Everything. */
  JFAI_LOG_TRACE = 5,
};

/**
 * Where jfai_reader_seek() counts from.
 * @ingroup junfeiai_readers
 */
enum jfai_seek_origin {
  /** From the start of the file. */
  JFAI_SEEK_SET = 0,
  /** From where the next read would begin. */
  JFAI_SEEK_CUR = 1,
  /** From the end of the file. */
  JFAI_SEEK_END = 2,
};

/**
 * What became of a create request: the result of jfai_settled_verdict().
 * @ingroup junfeiai_reconciliation
 */
enum jfai_verdict {
  /** A task was made and charged. Where its id is known it is pending as a task now, otherwise as a create request of unknown outcome. */
  JFAI_VERDICT_CHARGED = 1,
  /** Nothing was charged: the create request is off the list, and its key may be used again. */
  JFAI_VERDICT_NOT_CHARGED = 2,
  /** The server may still be carrying it out: ask again later. */
  JFAI_VERDICT_UNDER_WAY = 3,
  /** Neither can be proved: see jfai_settled_reason(). */
  JFAI_VERDICT_NOT_KNOWN = 4,
};

/**
 * How strictly a request is checked: for jfai_request_set_validate().
 * @ingroup junfeiai_requests
 */
enum jfai_validation {
  /** Refuses what violates the service document; what it only advises against is a warning. The default. */
  JFAI_VALIDATE_DEFAULT = 0,
  /** Treats warnings as errors. */
  JFAI_VALIDATE_STRICT = 1,
  /** Sends everything as it is. */
  JFAI_VALIDATE_OFF = 2,
};

/**
 * The states of a task: the result of jfai_task_status(). New ones may come.
 * @ingroup junfeiai_tasks
 */
enum jfai_task_state {
  /** Not queried yet, or a status of the server that is not known here: treated as still running. */
  JFAI_TASK_UNKNOWN = 0,
  /** Accepted, not started. */
  JFAI_TASK_QUEUED = 1,
  /** In progress. */
  JFAI_TASK_IN_PROGRESS = 2,
  /** Done; the video can be read. */
  JFAI_TASK_SUCCEEDED = 3,
  /** Ended without a video; the service returns the charge. */
  JFAI_TASK_FAILED = 4,
};

/**
 * The balance of a key. Its endpoint is optional: the service document does not have it.
 * @ingroup junfeiai_checks
 */
typedef struct jfai_balance jfai_balance;

/**
 * Many tasks that are waited for or created, and their results as they end. For one thread at a time.
 * @ingroup junfeiai_batches
 */
typedef struct jfai_batch jfai_batch;

/**
 * Bytes of a video, in memory.
 * @ingroup junfeiai_videos
 */
typedef struct jfai_bytes jfai_bytes;

/**
 * Stops calls from any thread. A paid task is never cancelled, only the call that waits for it or reads it.
 * @ingroup junfeiai_cancel
 */
typedef struct jfai_cancel jfai_cancel;

/**
 * One object for one key. Any number of threads may use it at the same time.
 * @ingroup junfeiai_client
 */
typedef struct jfai_client jfai_client;

/**
 * The options of a client. What is not set has its default.
 * @ingroup junfeiai_client_options
 */
typedef struct jfai_client_options jfai_client_options;

/**
 * What went wrong, in full. Made by the function that failed; give it to jfai_error_free().
 * @ingroup junfeiai_errors
 */
typedef struct jfai_error jfai_error;

/**
 * What a create request will cost. Not in the service document: observed.
 * @ingroup junfeiai_checks
 */
typedef struct jfai_estimate jfai_estimate;

/**
 * What the journal knows of a key.
 * @ingroup junfeiai_journal
 */
typedef struct jfai_key_record jfai_key_record;

/**
 * A list of names.
 * @ingroup junfeiai_checks
 */
typedef struct jfai_names jfai_names;

/**
 * The unfinished tasks and create requests of a journal.
 * @ingroup junfeiai_journal
 */
typedef struct jfai_pending jfai_pending;

/**
 * Holds callbacks back until the caller's own loop drains it. Shareable between threads.
 * @ingroup junfeiai_async
 */
typedef struct jfai_queue jfai_queue;

/**
 * A video to read and seek in: for FFmpeg's `avio_alloc_context`, `fopencookie` and the like. For one thread at a time.
 * @ingroup junfeiai_readers
 */
typedef struct jfai_reader jfai_reader;

/**
 * What became of the create requests of a journal whose outcome was unknown.
 * @ingroup junfeiai_reconciliation
 */
typedef struct jfai_reconciliation jfai_reconciliation;

/**
 * What a check found.
 * @ingroup junfeiai_checks
 */
typedef struct jfai_report jfai_report;

/**
 * A request for one video. What is not set has its default.
 * @ingroup junfeiai_requests
 */
typedef struct jfai_request jfai_request;

/**
 * How one of many ended: a video or a file, or an error.
 * @ingroup junfeiai_batches
 */
typedef struct jfai_result jfai_result;

/**
 * How a video is saved. What is not set has its default.
 * @ingroup junfeiai_save
 */
typedef struct jfai_save_options jfai_save_options;

/**
 * What was spent, as a journal says.
 * @ingroup junfeiai_journal
 */
typedef struct jfai_spending jfai_spending;

/**
 * The result of a save.
 * @ingroup junfeiai_save
 */
typedef struct jfai_summary jfai_summary;

/**
 * A task as it was last seen. It never changes: a query returns a new handle. Shareable between threads.
 * @ingroup junfeiai_tasks
 */
typedef struct jfai_task jfai_task;

/**
 * A video of the service. Result links expire after about a day: save it soon. Shareable between threads.
 * @ingroup junfeiai_videos
 */
typedef struct jfai_video jfai_video;

/**
 * How a wait is done. What is not set has the client's value.
 * @ingroup junfeiai_wait_options
 */
typedef struct jfai_wait_options jfai_wait_options;

/**
 * A durable wait after one of its steps: the state to store, or the video. It never changes. Shareable between threads.
 * @ingroup junfeiai_durable
 */
typedef struct jfai_wait_step jfai_wait_step;

/**
 * Advice that a request does not follow, and other things that the caller should know. Nothing failed.
 * @ingroup junfeiai_requests
 */
typedef struct jfai_warnings jfai_warnings;

/**
 * The states of a task as they come. For one thread at a time.
 * @ingroup junfeiai_watch
 */
typedef struct jfai_watch jfai_watch;

/**
 * `JFAI_OK`, or why a function failed: one of the `JFAI_ERR_` numbers. They never change; new ones may come.
 * @ingroup junfeiai_errors
 */
typedef int32_t jfai_status;

/**
 * Completion callback of a call: `task` or `error` is set, the other is NULL. The callback owns what is set and frees it.
 * @ingroup junfeiai_async
 */
typedef void (*jfai_task_done_fn)(void *user, struct jfai_task *task, struct jfai_error *error);

/**
 * Completion callback of a call: `video` or `error` is set, the other is NULL. The callback owns what is set and frees it.
 * @ingroup junfeiai_async
 */
typedef void (*jfai_video_done_fn)(void *user, struct jfai_video *video, struct jfai_error *error);

/**
 * Completion callback of a call: `step` or `error` is set, the other is NULL. The callback owns what is set and frees it.
 * @ingroup junfeiai_async
 */
typedef void (*jfai_wait_step_done_fn)(void *user,
                                       struct jfai_wait_step *step,
                                       struct jfai_error *error);

/**
 * Completion callback of a call: `summary` or `error` is set, the other is NULL. The callback owns what is set and frees it.
 * @ingroup junfeiai_async
 */
typedef void (*jfai_summary_done_fn)(void *user,
                                     struct jfai_summary *summary,
                                     struct jfai_error *error);

/**
 * Completion callback of a call: `bytes` or `error` is set, the other is NULL. The callback owns what is set and frees it.
 * @ingroup junfeiai_async
 */
typedef void (*jfai_bytes_done_fn)(void *user, struct jfai_bytes *bytes, struct jfai_error *error);

/**
 * Called by the library's thread when something new is in a queue. It should only wake the loop that drains the queue.
 * @ingroup junfeiai_async
 */
typedef void (*jfai_wakeup_fn)(void *user);

/**
 * Log callback: called with a `JFAI_LOG_…` level and one line, which is borrowed. No line has the API key. It is called on
 * whichever thread works, possibly on several at a time, and must not call the library.
 * @ingroup junfeiai_log
 */
typedef void (*jfai_log_fn)(void *user, int32_t level, const char *line);

/**
 * Progress callback: called at most every 100 ms and once at the end with the bytes that are there, the length of the file (0 until it
 * is known), and bytes per second. Return 0 to continue; anything else ends the call with `JFAI_ERR_CANCELLED`. It may call any
 * function.
 * @ingroup junfeiai_save
 */
typedef int (*jfai_save_progress_fn)(void *user,
                                     uint64_t bytes,
                                     uint64_t total,
                                     double bytes_per_second);

/**
 * Progress callback: called with every state of a task that a poll returns, and with the new task first when the call creates it. The
 * task is borrowed: see jfai_task_clone(). Return 0 to continue; anything else ends the call with `JFAI_ERR_CANCELLED`. It may call any
 * function.
 * @ingroup junfeiai_wait_options
 */
typedef int (*jfai_task_progress_fn)(void *user, const struct jfai_task *task);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/** @addtogroup junfeiai_durable
 * @{ */

/**
 * Begins a durable wait: a step whose state can be stored, passed to jfai_advance() by any process and read by every binding. For job
 * queues and workflow engines, which must not hold a worker while the video is made. Sends nothing. `options` may be NULL; the timeout
 * counts from now, and the progress callback is not used.
 *
 * @param task The task.
 * @param options The wait options. May be NULL.
 * @param[out] out Gets the handle, for jfai_wait_step_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_task_wait_state(const struct jfai_task *task,
                                 const struct jfai_wait_options *options,
                                 struct jfai_wait_step **out,
                                 struct jfai_error **err);

/**
 * One step of a durable wait, from the state of the step before: queries the task if a poll is due, once, and never sleeps until
 * then. The deadline and the budget of failed polls are in the state, so a failed poll is no error here; the errors are those that end
 * a jfai_wait(), and every one of them has the task's id. `cancel` may be NULL.
 *
 * @param client The client.
 * @param state The state that was stored.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_wait_step_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_advance(const struct jfai_client *client,
                         const char *state,
                         const struct jfai_cancel *cancel,
                         struct jfai_wait_step **out,
                         struct jfai_error **err);

/**
 * True when the task succeeded: jfai_wait_step_video() has its video.
 *
 * @param step The wait step.
 * @return True or false; false where step is NULL.
 */
JFAI_API bool jfai_wait_step_done(const struct jfai_wait_step *step);

/**
 * The state to store, as one line of JSON of a few hundred bytes without the key; NULL when the wait has ended.
 *
 * @param step The wait step.
 * @return A text that belongs to step; NULL where there is none or step is NULL.
 */
JFAI_API
const char *jfai_wait_step_state(const struct jfai_wait_step *step);

/**
 * How long to pause before the next jfai_advance(); -1 when the wait has ended. Sooner is no error: then nothing is sent.
 *
 * @param step The wait step.
 * @return The number; -1 where step is NULL.
 */
JFAI_API
int64_t jfai_wait_step_retry_after_ms(const struct jfai_wait_step *step);

/**
 * The task's id.
 *
 * @param step The wait step.
 * @return A text that belongs to step; NULL where there is none or step is NULL.
 */
JFAI_API const char *jfai_wait_step_task_id(const struct jfai_wait_step *step);

/**
 * The video; `JFAI_ERR_NOT_READY` while the task is still running.
 *
 * @param step The wait step.
 * @param[out] out Gets the handle, for jfai_video_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_wait_step_video(const struct jfai_wait_step *step,
                                 struct jfai_video **out,
                                 struct jfai_error **err);

/**
 * Frees a step. NULL is ignored. The task itself is not affected.
 *
 * @param step What to free; may be NULL.
 */
JFAI_API void jfai_wait_step_free(struct jfai_wait_step *step);

/** @} */

/** @addtogroup junfeiai_videos
 * @{ */

/**
 * The bytes. They belong to the handle. NULL for NULL.
 *
 * @param bytes The bytes.
 * @return Bytes that belong to bytes; NULL where there is none or bytes is NULL.
 */
JFAI_API const uint8_t *jfai_bytes_data(const struct jfai_bytes *bytes);

/**
 * How many they are.
 *
 * @param bytes The bytes.
 * @return The number; 0 where bytes is NULL.
 */
JFAI_API size_t jfai_bytes_size(const struct jfai_bytes *bytes);

/**
 * Frees them. NULL is ignored.
 *
 * @param bytes What to free; may be NULL.
 */
JFAI_API void jfai_bytes_free(struct jfai_bytes *bytes);

/** @} */

/** @addtogroup junfeiai_calls
 * @{ */

/**
 * Creates a task. **This costs money**, so the request is checked first and sent at most once, unless it provably was not
 * accepted. When no response was received: `JFAI_ERR_CREATE_OUTCOME_UNKNOWN`, and jfai_error_maybe_executed() is true.
 * `cancel` may be NULL.
 *
 * @param client The client.
 * @param request The request.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_task_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_create(const struct jfai_client *client,
                        const struct jfai_request *request,
                        const struct jfai_cancel *cancel,
                        struct jfai_task **out,
                        struct jfai_error **err);

/**
 * Queries a task's state. `cancel` may be NULL.
 *
 * @param client The client.
 * @param task_id The task's id.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_task_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_get(const struct jfai_client *client,
                     const char *task_id,
                     const struct jfai_cancel *cancel,
                     struct jfai_task **out,
                     struct jfai_error **err);

/**
 * A task by its id, without a query: to resume it in a later process, for example.
 *
 * @param client The client.
 * @param task_id The task's id.
 * @param[out] out Gets the handle, for jfai_task_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_task_by_id(const struct jfai_client *client,
                            const char *task_id,
                            struct jfai_task **out,
                            struct jfai_error **err);

/**
 * Queries the state again; `out` gets a new handle. `cancel` may be NULL.
 *
 * @param task The task.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_task_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_task_refresh(const struct jfai_task *task,
                              const struct jfai_cancel *cancel,
                              struct jfai_task **out,
                              struct jfai_error **err);

/**
 * Waits for the end of a task and returns its video. A failed poll is not a failed task: only SUCCESS, FAILURE, a definite
 * refusal or the deadline end a wait; every error carries the task's id. `options` and `cancel` may be NULL.
 *
 * @param task The task.
 * @param options The wait options. May be NULL.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_video_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_wait(const struct jfai_task *task,
                      const struct jfai_wait_options *options,
                      const struct jfai_cancel *cancel,
                      struct jfai_video **out,
                      struct jfai_error **err);

/**
 * jfai_create() and jfai_wait() in one. **This costs money.** `options` and `cancel` may be NULL.
 *
 * @param client The client.
 * @param request The request.
 * @param options The wait options. May be NULL.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_video_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_generate(const struct jfai_client *client,
                          const struct jfai_request *request,
                          const struct jfai_wait_options *options,
                          const struct jfai_cancel *cancel,
                          struct jfai_video **out,
                          struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_async
 * @{ */

/**
 * jfai_create() without blocking. The callback is called once, on the library's thread or, with a `queue`, in
 * jfai_queue_drain(). `cancel` and `queue` may be NULL. When this fails, the callback is not called.
 *
 * @param client The client.
 * @param request The request.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param queue Where the callbacks wait for jfai_queue_drain(); NULL: they are called on the library's thread.
 * @param done The completion callback.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_create_async(const struct jfai_client *client,
                              const struct jfai_request *request,
                              const struct jfai_cancel *cancel,
                              const struct jfai_queue *queue,
                              jfai_task_done_fn done,
                              void *user,
                              struct jfai_error **err);

/**
 * jfai_get() without blocking; see jfai_create_async().
 *
 * @param client The client.
 * @param task_id The task's id.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param queue Where the callbacks wait for jfai_queue_drain(); NULL: they are called on the library's thread.
 * @param done The completion callback.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_get_async(const struct jfai_client *client,
                           const char *task_id,
                           const struct jfai_cancel *cancel,
                           const struct jfai_queue *queue,
                           jfai_task_done_fn done,
                           void *user,
                           struct jfai_error **err);

/**
 * jfai_wait() without blocking; see jfai_create_async(). The progress callback of `options` is called where `done` is.
 *
 * @param task The task.
 * @param options The wait options.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param queue Where the callbacks wait for jfai_queue_drain(); NULL: they are called on the library's thread.
 * @param done The completion callback.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_wait_async(const struct jfai_task *task,
                            const struct jfai_wait_options *options,
                            const struct jfai_cancel *cancel,
                            const struct jfai_queue *queue,
                            jfai_video_done_fn done,
                            void *user,
                            struct jfai_error **err);

/**
 * jfai_advance() without blocking; see jfai_create_async().
 *
 * @param client The client.
 * @param state The state that was stored.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param queue Where the callbacks wait for jfai_queue_drain(); NULL: they are called on the library's thread.
 * @param done The completion callback.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_advance_async(const struct jfai_client *client,
                               const char *state,
                               const struct jfai_cancel *cancel,
                               const struct jfai_queue *queue,
                               jfai_wait_step_done_fn done,
                               void *user,
                               struct jfai_error **err);

/**
 * jfai_generate() without blocking; see jfai_create_async(). The progress callback of `options` is called where `done` is.
 *
 * @param client The client.
 * @param request The request.
 * @param options The wait options.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param queue Where the callbacks wait for jfai_queue_drain(); NULL: they are called on the library's thread.
 * @param done The completion callback.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_generate_async(const struct jfai_client *client,
                                const struct jfai_request *request,
                                const struct jfai_wait_options *options,
                                const struct jfai_cancel *cancel,
                                const struct jfai_queue *queue,
                                jfai_video_done_fn done,
                                void *user,
                                struct jfai_error **err);

/**
 * jfai_save() without blocking; see jfai_create_async(). The progress callback of `options` is called where `done` is.
 *
 * @param video The video.
 * @param file The path of the file.
 * @param options The save options.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param queue Where the callbacks wait for jfai_queue_drain(); NULL: they are called on the library's thread.
 * @param done The completion callback.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_async(const struct jfai_video *video,
                            const char *file,
                            const struct jfai_save_options *options,
                            const struct jfai_cancel *cancel,
                            const struct jfai_queue *queue,
                            jfai_summary_done_fn done,
                            void *user,
                            struct jfai_error **err);

/**
 * Reads the bytes from `offset` up to, not including, `end`, without blocking; see jfai_create_async(). Fewer only at the end of the file.
 *
 * @param video The video.
 * @param offset The first byte, counted from 0.
 * @param end The first byte that is not read.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param queue Where the callbacks wait for jfai_queue_drain(); NULL: they are called on the library's thread.
 * @param done The completion callback.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_video_read_range_async(const struct jfai_video *video,
                                        uint64_t offset,
                                        uint64_t end,
                                        const struct jfai_cancel *cancel,
                                        const struct jfai_queue *queue,
                                        jfai_bytes_done_fn done,
                                        void *user,
                                        struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_cancel
 * @{ */

/**
 * Makes a token; it may be given to any number of calls.
 *
 * @param[out] out Gets the handle, for jfai_cancel_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_cancel_new(struct jfai_cancel **out, struct jfai_error **err);

/**
 * Ends every call that has this token, now and later, with `JFAI_ERR_CANCELLED`. From any thread, but not in a signal handler; NULL
 * is ignored.
 *
 * @param cancel The cancel.
 */
JFAI_API
void jfai_cancel_now(const struct jfai_cancel *cancel);

/**
 * True after jfai_cancel_now().
 *
 * @param cancel The cancel.
 * @return True or false; false where cancel is NULL.
 */
JFAI_API bool jfai_cancel_is_cancelled(const struct jfai_cancel *cancel);

/**
 * Frees a token. NULL is ignored. Calls that have it continue and can no longer be cancelled.
 *
 * @param cancel What to free; may be NULL.
 */
JFAI_API void jfai_cancel_free(struct jfai_cancel *cancel);

/** @} */

/** @addtogroup junfeiai_checks
 * @{ */

/**
 * Checks every endpoint, the key, the clock, the proxy and the video host, and says what to do about each problem. Costs nothing and
 * creates nothing; problems are in the report. With `account` it queries the models and the balance, too: a server that reports
 * the balance allows 20 calls in 20 minutes. `cancel` may be NULL.
 *
 * @param client The client.
 * @param account Whether models and balance are queried as well.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_report_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_check(const struct jfai_client *client,
                       bool account,
                       const struct jfai_cancel *cancel,
                       struct jfai_report **out,
                       struct jfai_error **err);

/**
 * True when tasks can be created, as far as can be known without creating one.
 *
 * @param report The report.
 * @return True or false; false where report is NULL.
 */
JFAI_API bool jfai_report_ok(const struct jfai_report *report);

/**
 * The report as text, in several lines.
 *
 * @param report The report.
 * @return A text that belongs to report; NULL where there is none or report is NULL.
 */
JFAI_API const char *jfai_report_text(const struct jfai_report *report);

/**
 * The report as one JSON object.
 *
 * @param report The report.
 * @return A text that belongs to report; NULL where there is none or report is NULL.
 */
JFAI_API const char *jfai_report_json(const struct jfai_report *report);

/**
 * Frees a report. NULL is ignored.
 *
 * @param report What to free; may be NULL.
 */
JFAI_API void jfai_report_free(struct jfai_report *report);

/**
 * The models that the key may use; `JFAI_ERR_NOT_OFFERED` when the server does not list them. `cancel` may be NULL.
 *
 * @param client The client.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_names_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_models(const struct jfai_client *client,
                        const struct jfai_cancel *cancel,
                        struct jfai_names **out,
                        struct jfai_error **err);

/**
 * How many names there are. 0 for NULL.
 *
 * @param names The names.
 * @return The number; 0 where names is NULL.
 */
JFAI_API size_t jfai_names_count(const struct jfai_names *names);

/**
 * One of the names; NULL past the end.
 *
 * @param names The names.
 * @param index Which one, counted from 0.
 * @return A text that belongs to names; NULL where there is none or names is NULL.
 */
JFAI_API const char *jfai_names_at(const struct jfai_names *names, size_t index);

/**
 * Frees a list of names. NULL is ignored.
 *
 * @param names What to free; may be NULL.
 */
JFAI_API void jfai_names_free(struct jfai_names *names);

/**
 * The key's balance; `JFAI_ERR_NOT_OFFERED` when the server does not report it. It allows 20 calls in 20 minutes.
 * `cancel` may be NULL.
 *
 * @param client The client.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_balance_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_get_balance(const struct jfai_client *client,
                             const struct jfai_cancel *cancel,
                             struct jfai_balance **out,
                             struct jfai_error **err);

/**
 * The remaining balance, in USD, never below 0; `INFINITY` when the key has no limit, see `jfai_balance_unlimited`.
 *
 * @param balance The balance.
 * @return The number; 0 where balance is NULL.
 */
JFAI_API
double jfai_balance_available_usd(const struct jfai_balance *balance);

/**
 * What was spent, in USD.
 *
 * @param balance The balance.
 * @return The number; 0 where balance is NULL.
 */
JFAI_API double jfai_balance_used_usd(const struct jfai_balance *balance);

/**
 * True when the key itself has no limit; the account's balance is still limited, and this call does not report it.
 *
 * @param balance The balance.
 * @return True or false; false where balance is NULL.
 */
JFAI_API
bool jfai_balance_unlimited(const struct jfai_balance *balance);

/**
 * When the key expires, in unix seconds; -1 when it does not.
 *
 * @param balance The balance.
 * @return The number; -1 where balance is NULL.
 */
JFAI_API int64_t jfai_balance_expires_at(const struct jfai_balance *balance);

/**
 * The key's name at the server, or NULL.
 *
 * @param balance The balance.
 * @return A text that belongs to balance; NULL where there is none or balance is NULL.
 */
JFAI_API const char *jfai_balance_name(const struct jfai_balance *balance);

/**
 * Frees a balance. NULL is ignored.
 *
 * @param balance What to free; may be NULL.
 */
JFAI_API void jfai_balance_free(struct jfai_balance *balance);

/**
 * What jfai_create() with this request will cost. Creates nothing and costs nothing: checks the request, then reads the server's
 * price list and the key's log, each at most once in 15 minutes. Where the server does not tell, the cost is unknown, which is no
 * error. `cancel` may be NULL.
 *
 * @param client The client.
 * @param request The request.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_estimate_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_get_estimate(const struct jfai_client *client,
                              const struct jfai_request *request,
                              const struct jfai_cancel *cancel,
                              struct jfai_estimate **out,
                              struct jfai_error **err);

/**
 * The charge in the server's units (500000 = 1 USD); -1 when it is not known.
 *
 * @param estimate The estimate.
 * @return The number; -1 where estimate is NULL.
 */
JFAI_API int64_t jfai_estimate_units(const struct jfai_estimate *estimate);

/**
 * The charge in USD; -1 when it is not known.
 *
 * @param estimate The estimate.
 * @return The number; -1 where estimate is NULL.
 */
JFAI_API double jfai_estimate_usd(const struct jfai_estimate *estimate);

/**
 * How sure the charge is: `"exact"` to the unit; `"rounded"`, at most this; `"default_group"`, for the price group that is assumed
 * before the key's first charge; `"last_charge"`, as the last charge of this model; `"unknown"`.
 *
 * @param estimate The estimate.
 * @return A text that belongs to estimate; NULL where there is none or estimate is NULL.
 */
JFAI_API
const char *jfai_estimate_certainty(const struct jfai_estimate *estimate);

/**
 * The most that it can be in units by the listed prices, whatever the key's group; -1 without listed prices.
 *
 * @param estimate The estimate.
 * @return The number; -1 where estimate is NULL.
 */
JFAI_API
int64_t jfai_estimate_units_at_most(const struct jfai_estimate *estimate);

/**
 * The seconds that the server will bill: 4 without a length, or with one that it cannot read.
 *
 * @param estimate The estimate.
 * @return The number; 0 where estimate is NULL.
 */
JFAI_API uint64_t jfai_estimate_billed_seconds(const struct jfai_estimate *estimate);

/**
 * All of it as one JSON object, with the price per second, the ratios of size and group, and notes.
 *
 * @param estimate The estimate.
 * @return A text that belongs to estimate; NULL where there is none or estimate is NULL.
 */
JFAI_API const char *jfai_estimate_json(const struct jfai_estimate *estimate);

/**
 * Frees an estimate. NULL is ignored.
 *
 * @param estimate What to free; may be NULL.
 */
JFAI_API void jfai_estimate_free(struct jfai_estimate *estimate);

/** @} */

/** @addtogroup junfeiai_client
 * @{ */

/**
 * Makes a client with these options. Nothing is sent.
 *
 * @param options The client options.
 * @param[out] out Gets the handle, for jfai_client_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_new(const struct jfai_client_options *options,
                            struct jfai_client **out,
                            struct jfai_error **err);

/**
 * Makes a client from `JUNFEIAI_API_KEY`, `JUNFEIAI_BASE_URL` and `JUNFEIAI_VIDEO_BASE_URL`. Nothing is sent.
 *
 * @param[out] out Gets the handle, for jfai_client_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_from_env(struct jfai_client **out,
                                 struct jfai_error **err);

/**
 * Frees a client. NULL is ignored. Asynchronous calls that still run are cancelled, and their callbacks are called with
 * `JFAI_ERR_CANCELLED` before this returns (when a callback calls this, right after it returns; those of calls with a queue wait in
 * it): afterwards the library's thread has ended. Tasks, videos and readers stay usable. Blocking calls in other threads continue,
 * but a create request of theirs that has not left is not sent: it ends with `JFAI_ERR_CANCELLED`.
 *
 * @param client What to free; may be NULL.
 */
JFAI_API
void jfai_client_free(struct jfai_client *client);

/**
 * The endpoint that is used, as a URL.
 *
 * @param client The client.
 * @return A text that belongs to client; NULL where there is none or client is NULL.
 */
JFAI_API const char *jfai_client_endpoint(const struct jfai_client *client);

/**
 * The library's version, such as `"0.1.0"`. The text is constant.
 *
 * @return A constant text.
 */
JFAI_API const char *jfai_version(void);

/**
 * Whether this library fits the header of version `header_version`: JFAI_VERSION_CHECK() passes that which the program was compiled
 * with. Otherwise `JFAI_ERR_VERSION`, with both versions in the message: another minor version before 1.0, another major version
 * after it, or a library older than the header. client_options of C++ checks it.
 *
 * @param header_version JFAI_VERSION, as the program was compiled with it.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_version_check(const char *header_version,
                               struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_client_options
 * @{ */

/**
 * The API key; optional when your reverse proxy adds it. Default: none.
 *
 * @param options The client options.
 * @param api_key The API key.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_api_key(struct jfai_client_options *options,
                                            const char *api_key,
                                            struct jfai_error **err);

/**
 * The endpoint: `"standard"`, `"china"`, a base URL ending in `/v1`, or a short host alias. Default: `"standard"`.
 * Source: service document §1.
 *
 * @param options The client options.
 * @param endpoint A name, a base URL or an alias.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_endpoint(struct jfai_client_options *options,
                                             const char *endpoint,
                                             struct jfai_error **err);

/**
 * A custom domain in place of the documented video host, as scheme and host. Default: none. Source: service document
 * §1.
 *
 * @param options The client options.
 * @param video_base_url Scheme and host.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_video_base_url(struct jfai_client_options *options,
                                                   const char *video_base_url,
                                                   struct jfai_error **err);

/**
 * Timeout of one query. In milliseconds. Default: 30 000. Zero is refused.
 *
 * @param options The client options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_timeout_ms(struct jfai_client_options *options,
                                               uint64_t ms,
                                               struct jfai_error **err);

/**
 * Timeout of a create request: the service can take minutes, and after the timeout the task may still be created and
 * charged. In milliseconds. Default: 180 000. Zero is refused.
 *
 * @param options The client options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_create_timeout_ms(struct jfai_client_options *options,
                                                      uint64_t ms,
                                                      struct jfai_error **err);

/**
 * Timeout of connecting; at most 5 000 with several endpoints. In milliseconds. Default: 10 000. Zero is refused.
 *
 * @param options The client options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_connect_timeout_ms(struct jfai_client_options *options,
                                                       uint64_t ms,
                                                       struct jfai_error **err);

/**
 * Maximum time without data during a download. In milliseconds. Default: 30 000. Zero is refused.
 *
 * @param options The client options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_idle_timeout_ms(struct jfai_client_options *options,
                                                    uint64_t ms,
                                                    struct jfai_error **err);

/**
 * Delay between polls: starts at this value, backs off to 10 000 or twice the value, whichever is less; at least 5 000
 * except for localhost, at most 24 hours. In milliseconds. Default: 5 000. Zero is refused. Source: service document
 * §5.
 *
 * @param options The client options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_poll_interval_ms(struct jfai_client_options *options,
                                                     uint64_t ms,
                                                     struct jfai_error **err);

/**
 * Timeout of one wait for a task; `JFAI_FOREVER` for no limit. In milliseconds. Default: 1 800 000.
 *
 * @param options The client options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_wait_timeout_ms(struct jfai_client_options *options,
                                                    uint64_t ms,
                                                    struct jfai_error **err);

/**
 * Attempts of one call, the first included. A create request is sent again only when it provably was not accepted.
 * Default: 4. 0 is refused.
 *
 * @param options The client options.
 * @param max_attempts How many attempts.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_max_attempts(struct jfai_client_options *options,
                                                 uint32_t max_attempts,
                                                 struct jfai_error **err);

/**
 * Polls that may fail in a row before a wait ends with an error. Default: 20.
 *
 * @param options The client options.
 * @param max_poll_errors How many polls.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_max_poll_errors(struct jfai_client_options *options,
                                                    uint32_t max_poll_errors,
                                                    struct jfai_error **err);

/**
 * Concurrent create requests; the others wait. Default: 4. 0 is refused.
 *
 * @param options The client options.
 * @param max_in_flight_creates How many create requests.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_max_in_flight_creates(struct jfai_client_options *options,
                                                          uint32_t max_in_flight_creates,
                                                          struct jfai_error **err);

/**
 * Refuses a create request as well if its cost may exceed `max_cost` or `budget`: the server hides its prices, or the
 * key's group is not known and another group would pay more. Otherwise an unknown price is a warning. Default:
 * `false`.
 *
 * @param options The client options.
 * @param yes Whether.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_max_cost_strict(struct jfai_client_options *options,
                                                    bool yes,
                                                    struct jfai_error **err);

/**
 * `Accept-Language`, which decides the language of the server's messages, such as `en` or `zh-CN`. Default: the
 * server's.
 *
 * @param options The client options.
 * @param language The languages, as in the HTTP header.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_language(struct jfai_client_options *options,
                                             const char *language,
                                             struct jfai_error **err);

/**
 * Your program's name, such as `my-app/1.2`, added to the `User-Agent`. Default: none.
 *
 * @param options The client options.
 * @param user_agent The text.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_user_agent(struct jfai_client_options *options,
                                               const char *user_agent,
                                               struct jfai_error **err);

/**
 * A file that records paid tasks, so that a later process can resume them; several processes of a machine may share
 * it. For several machines the address of a database: `"postgresql://…"`, `"redis://…"`, `"valkey://…"`. Default:
 * none.
 *
 * @param options The client options.
 * @param file The path of the file.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_journal(struct jfai_client_options *options,
                                            const char *file,
                                            struct jfai_error **err);

/**
 * Keeps prompts in the journal instead of the SHA-256 of the request. Default: `false`.
 *
 * @param options The client options.
 * @param yes Whether.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_journal_prompts(struct jfai_client_options *options,
                                                    bool yes,
                                                    struct jfai_error **err);

/**
 * A proxy instead of the one in `HTTP_PROXY`, `HTTPS_PROXY` or `ALL_PROXY`; `""` for no proxy. Default: the system's.
 *
 * @param options The client options.
 * @param proxy The URL of the proxy.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_proxy(struct jfai_client_options *options,
                                          const char *proxy,
                                          struct jfai_error **err);

/**
 * Further root certificates as a PEM file, besides the system's and `SSL_CERT_FILE`. Default: none.
 *
 * @param options The client options.
 * @param file The path of the file.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_ca_file(struct jfai_client_options *options,
                                            const char *file,
                                            struct jfai_error **err);

/**
 * The client name in the `User-Agent`. Default: `"c"`.
 *
 * @param options The client options.
 * @param sdk_name The name.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_sdk_name(struct jfai_client_options *options,
                                             const char *sdk_name,
                                             struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_async
 * @{ */

/**
 * Makes a queue.
 *
 * @param[out] out Gets the handle, for jfai_queue_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_queue_new(struct jfai_queue **out, struct jfai_error **err);

/**
 * Frees a queue. NULL is ignored. Callbacks that wait in it are called now; those of calls that still run will be called on the
 * library's thread, so cancel and drain these first, or free the client first.
 *
 * @param queue What to free; may be NULL.
 */
JFAI_API
void jfai_queue_free(struct jfai_queue *queue);

/**
 * Sets the function that wakes the loop that drains the queue: it writes to a pipe or an eventfd, or posts a message. NULL for none.
 * It is called on the library's thread and must not call the library. After this returned, the previous one is no longer called.
 *
 * @param queue The queue.
 * @param wakeup The function; NULL removes it.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_queue_set_wakeup(const struct jfai_queue *queue,
                                  jfai_wakeup_fn wakeup,
                                  void *user,
                                  struct jfai_error **err);

/**
 * Calls the callbacks that wait in the queue, on this thread. When there are none it waits for the first, up to
 * `timeout_ms` milliseconds (0: not at all; `JFAI_FOREVER`). `out_count` (may be NULL) gets how many were called.
 *
 * @param queue The queue.
 * @param timeout_ms How many milliseconds to wait at most.
 * @param[out] out_count Gets how many callbacks were called. May be NULL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_queue_drain(const struct jfai_queue *queue,
                             uint64_t timeout_ms,
                             size_t *out_count,
                             struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_errors
 * @{ */

/**
 * Frees an error. NULL is ignored.
 *
 * @param error What to free; may be NULL.
 */
JFAI_API void jfai_error_free(struct jfai_error *error);

/**
 * Its number, the one that the function returned: `JFAI_ERR_…`. 0 for NULL.
 *
 * @param error The error.
 * @return One of #jfai_status_code; 0 where error is NULL.
 */
JFAI_API jfai_status jfai_error_status(const struct jfai_error *error);

/**
 * Its kind by name, such as `"task_failed"`; the same in every language.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_kind(const struct jfai_error *error);

/**
 * Where it happened: `"config"`, `"create"`, `"query"`, `"wait"`, `"content"`, `"save"`, `"check"`, `"journal"`.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API
const char *jfai_error_phase(const struct jfai_error *error);

/**
 * One line of text: what happened, with its numbers, and what to do next.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_message(const struct jfai_error *error);

/**
 * What happened, without what jfai_error_message() adds.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_detail(const struct jfai_error *error);

/**
 * The option or request field at fault, or NULL.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_field(const struct jfai_error *error);

/**
 * The HTTP status of the response, or 0.
 *
 * @param error The error.
 * @return The number; 0 where error is NULL.
 */
JFAI_API int32_t jfai_error_http_status(const struct jfai_error *error);

/**
 * The server's own code, or NULL.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_server_code(const struct jfai_error *error);

/**
 * The server's own message in its language, or NULL.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_server_message(const struct jfai_error *error);

/**
 * The server's request id, for its administrator, or NULL.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_request_id(const struct jfai_error *error);

/**
 * The task that it is about, or NULL. Every error after a task exists has it: with it the task can be resumed.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API
const char *jfai_error_task_id(const struct jfai_error *error);

/**
 * How many tasks it is about: those of jfai_generate_many() that exist when it ends early, else 1 or 0.
 *
 * @param error The error.
 * @return The number; 0 where error is NULL.
 */
JFAI_API
size_t jfai_error_task_count(const struct jfai_error *error);

/**
 * One of these tasks, counted from 0; NULL past the end.
 *
 * @param error The error.
 * @param index Which one, counted from 0.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_task_id_at(const struct jfai_error *error, size_t index);

/**
 * The last state seen of that task: `JFAI_TASK_…`, 0 when none was seen.
 *
 * @param error The error.
 * @return One of #jfai_task_state; 0 where error is NULL.
 */
JFAI_API int32_t jfai_error_last_status(const struct jfai_error *error);

/**
 * How long the server asked to wait, in milliseconds; -1 when it did not.
 *
 * @param error The error.
 * @return The number; -1 where error is NULL.
 */
JFAI_API int64_t jfai_error_retry_after_ms(const struct jfai_error *error);

/**
 * How many requests were sent for the call.
 *
 * @param error The error.
 * @return The number; 0 where error is NULL.
 */
JFAI_API uint32_t jfai_error_attempts(const struct jfai_error *error);

/**
 * True when the request may have been carried out, and charged, although no response was received. Do not simply send it again.
 *
 * @param error The error.
 * @return True or false; false where error is NULL.
 */
JFAI_API
bool jfai_error_maybe_executed(const struct jfai_error *error);

/**
 * True when the same call may succeed later without any change.
 *
 * @param error The error.
 * @return True or false; false where error is NULL.
 */
JFAI_API bool jfai_error_is_transient(const struct jfai_error *error);

/**
 * All of it as one JSON object, for logs.
 *
 * @param error The error.
 * @return A text that belongs to error; NULL where there is none or error is NULL.
 */
JFAI_API const char *jfai_error_json(const struct jfai_error *error);

/**
 * The name of a status: `"ok"`, `"task_failed"`, …; `"unknown"` for a number that is none. The text is constant.
 *
 * @param status The number.
 * @return A constant text.
 */
JFAI_API
const char *jfai_status_name(jfai_status status);

/** @} */

/** @addtogroup junfeiai_journal
 * @{ */

/**
 * The unfinished tasks and create requests of the client's journal, oldest first. Sends no request. `JFAI_ERR_CONFIG`
 * when the client has no journal: see jfai_client_options_set_journal().
 *
 * @param client The client.
 * @param[out] out Gets the handle, for jfai_pending_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_list_pending(const struct jfai_client *client,
                              struct jfai_pending **out,
                              struct jfai_error **err);

/**
 * Removes a task from the journal's list: its video is not wanted, or was saved in another way. The task itself is not affected.
 * `out_found` may be NULL; it gets false when the task is not on the list.
 *
 * @param client The client.
 * @param task_id The task's id.
 * @param[out] out_found Gets whether it was on the list. May be NULL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_forget(const struct jfai_client *client,
                        const char *task_id,
                        bool *out_found,
                        struct jfai_error **err);

/**
 * Marks a create request whose outcome was unknown as resolved, after you checked the account: with the id of the task that you found
 * there, or without one when there is none (`task_id` may be NULL). `out_found` may be NULL; it gets false when there is no such request.
 *
 * @param client The client.
 * @param intent The journal's id of the create request.
 * @param task_id The task's id. May be NULL.
 * @param[out] out_found Gets whether it was on the list. May be NULL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_resolve_unknown(const struct jfai_client *client,
                                 const char *intent,
                                 const char *task_id,
                                 bool *out_found,
                                 struct jfai_error **err);

/**
 * The number of items. 0 for NULL.
 *
 * @param pending The pending.
 * @return The number; 0 where pending is NULL.
 */
JFAI_API size_t jfai_pending_count(const struct jfai_pending *pending);

/**
 * What it is: `JFAI_PENDING_…`; 0 past the end.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return One of #jfai_pending_kind; 0 where pending is NULL.
 */
JFAI_API int32_t jfai_pending_state(const struct jfai_pending *pending, size_t index);

/**
 * The task's id; NULL for a create request whose outcome is unknown.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return A text that belongs to pending; NULL where there is none or pending is NULL.
 */
JFAI_API const char *jfai_pending_task_id(const struct jfai_pending *pending, size_t index);

/**
 * The journal's id of a create request whose outcome is unknown, for jfai_resolve_unknown(); NULL for a task.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return A text that belongs to pending; NULL where there is none or pending is NULL.
 */
JFAI_API
const char *jfai_pending_intent(const struct jfai_pending *pending,
                                size_t index);

/**
 * The requested model.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return A text that belongs to pending; NULL where there is none or pending is NULL.
 */
JFAI_API const char *jfai_pending_model(const struct jfai_pending *pending, size_t index);

/**
 * The requested length as it was sent, or NULL.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return A text that belongs to pending; NULL where there is none or pending is NULL.
 */
JFAI_API const char *jfai_pending_seconds(const struct jfai_pending *pending, size_t index);

/**
 * Why the outcome is unknown: the kind of the error, `"abandoned"`, `"crashed"`, or `"charged"` when jfai_reconcile() found its charge; NULL
 * for a task.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return A text that belongs to pending; NULL where there is none or pending is NULL.
 */
JFAI_API
const char *jfai_pending_reason(const struct jfai_pending *pending,
                                size_t index);

/**
 * The SHA-256 of the request, or NULL.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return A text that belongs to pending; NULL where there is none or pending is NULL.
 */
JFAI_API const char *jfai_pending_fingerprint(const struct jfai_pending *pending, size_t index);

/**
 * The prompt, or NULL: it is kept only with jfai_client_options_set_journal_prompts().
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return A text that belongs to pending; NULL where there is none or pending is NULL.
 */
JFAI_API const char *jfai_pending_prompt(const struct jfai_pending *pending, size_t index);

/**
 * The key under which it was created, or NULL.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return A text that belongs to pending; NULL where there is none or pending is NULL.
 */
JFAI_API const char *jfai_pending_key(const struct jfai_pending *pending, size_t index);

/**
 * When it began, in unix seconds; -1 past the end.
 *
 * @param pending The pending.
 * @param index Which one, counted from 0.
 * @return The number; -1 where pending is NULL.
 */
JFAI_API int64_t jfai_pending_created_at(const struct jfai_pending *pending, size_t index);

/**
 * Frees the list. NULL is ignored.
 *
 * @param pending What to free; may be NULL.
 */
JFAI_API void jfai_pending_free(struct jfai_pending *pending);

/**
 * What the client's journal knows of a key: how far its task is, and where its video was saved. `out` gets NULL when nothing was
 * created under it. Sends no request.
 *
 * @param client The client.
 * @param key The key.
 * @param[out] out Gets the handle, for jfai_key_record_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_find_key(const struct jfai_client *client,
                          const char *key,
                          struct jfai_key_record **out,
                          struct jfai_error **err);

/**
 * How far the task of a key is: `JFAI_KEY_…`; 0 for NULL.
 *
 * @param record The key record.
 * @return One of #jfai_key_stage; 0 where record is NULL.
 */
JFAI_API int32_t jfai_key_state(const struct jfai_key_record *record);

/**
 * 1 for the first task of a key, one more for each that was created after a failed one; 0 for NULL.
 *
 * @param record The key record.
 * @return The number; 0 where record is NULL.
 */
JFAI_API uint32_t jfai_key_attempt(const struct jfai_key_record *record);

/**
 * The id of the task of a key; NULL when there is no task yet.
 *
 * @param record The key record.
 * @return A text that belongs to record; NULL where there is none or record is NULL.
 */
JFAI_API const char *jfai_key_task_id(const struct jfai_key_record *record);

/**
 * The journal's id of the create request of a key, for jfai_resolve_unknown().
 *
 * @param record The key record.
 * @return A text that belongs to record; NULL where there is none or record is NULL.
 */
JFAI_API const char *jfai_key_intent(const struct jfai_key_record *record);

/**
 * Where the video of a key was saved, or NULL; in a state before `JFAI_KEY_SAVED`: where it was about to get its name.
 *
 * @param record The key record.
 * @return A text that belongs to record; NULL where there is none or record is NULL.
 */
JFAI_API
const char *jfai_key_path(const struct jfai_key_record *record);

/**
 * When the create request of a key began, in unix seconds; -1 for NULL.
 *
 * @param record The key record.
 * @return The number; -1 where record is NULL.
 */
JFAI_API int64_t jfai_key_created_at(const struct jfai_key_record *record);

/**
 * Frees what jfai_find_key() gave. NULL is ignored.
 *
 * @param record What to free; may be NULL.
 */
JFAI_API void jfai_key_record_free(struct jfai_key_record *record);

/**
 * What was created and charged under the client's journal, for each UTC day and model, from the day `since` (`YYYY-MM-DD`) on;
 * `since` may be NULL for all of it. Sends no request. Known are the charges that a wait or a query has seen; a file reaches back 400 days, a database 30.
 * `JFAI_ERR_CONFIG` when the client has no journal.
 *
 * @param client The client.
 * @param since The first day, as YYYY-MM-DD. May be NULL.
 * @param[out] out Gets the handle, for jfai_spending_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_get_spending(const struct jfai_client *client,
                              const char *since,
                              struct jfai_spending **out,
                              struct jfai_error **err);

/**
 * A JSON array, oldest day first, of objects with `day`, `model`, `creates`, `charged_units` (500000 are 1 USD), `charged_usd`, and
 * `refunded_units` and `refunded_usd`, which were returned of it; with `failed` tasks, create requests of `unknown` outcome, and
 * `uncharged` tasks, whose charge was not seen.
 *
 * @param spending The spending.
 * @return A text that belongs to spending; NULL where there is none or spending is NULL.
 */
JFAI_API
const char *jfai_spending_json(const struct jfai_spending *spending);

/**
 * Frees what was spent. NULL is ignored.
 *
 * @param spending What to free; may be NULL.
 */
JFAI_API void jfai_spending_free(struct jfai_spending *spending);

/** @} */

/** @addtogroup junfeiai_log
 * @{ */

/**
 * Sets the log callback of every client of this process, up to this `JFAI_LOG_…` level; NULL for none. After this returned, the
 * previous one is no longer called.
 *
 * @param callback The function that gets the lines; NULL removes it.
 * @param user What the callback is given as its first argument.
 * @param level The most detailed level that is wanted, of #jfai_log_level.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_set_log(jfai_log_fn callback,
                         void *user,
                         int32_t level,
                         struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_batches
 * @{ */

/**
 * Begins to wait for all these tasks; jfai_batch_next() returns each as soon as it has ended. One failure does not end the other
 * waits. They share the client's rate limit.
 *
 * @param client The client.
 * @param task_ids The ids of the tasks.
 * @param count How many items the array has.
 * @param[out] out Gets the handle, for jfai_batch_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_wait_all(const struct jfai_client *client,
                          const char *const *task_ids,
                          size_t count,
                          struct jfai_batch **out,
                          struct jfai_error **err);

/**
 * Begins to create a task for each request and to wait for its video, with at most `concurrency` tasks alive at a time. **This costs
 * money.** jfai_batch_next() returns each as it ends; nothing is sent before the first call of it. One failure does not stop the
 * rest: see jfai_batch_stop(). Freeing the batch stops it at once; tasks that exist keep running, see jfai_batch_task_ids().
 *
 * @param client The client.
 * @param requests The requests.
 * @param count How many items the array has.
 * @param concurrency How many tasks may be alive at a time.
 * @param[out] out Gets the handle, for jfai_batch_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_generate_many(const struct jfai_client *client,
                               const struct jfai_request *const *requests,
                               size_t count,
                               size_t concurrency,
                               struct jfai_batch **out,
                               struct jfai_error **err);

/**
 * Begins to wait for all pending tasks of the client's journal and to save them as `FOLDER/<task id>.mp4`; jfai_batch_next() returns
 * each when it is done. The process may be killed meanwhile and call this again. Create requests whose outcome is unknown are left
 * alone: see jfai_list_pending(). `JFAI_ERR_CONFIG` when the client has no journal.
 *
 * @param client The client.
 * @param folder The path of the folder.
 * @param[out] out Gets the handle, for jfai_batch_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_resume_pending(const struct jfai_client *client,
                                const char *folder,
                                struct jfai_batch **out,
                                struct jfai_error **err);

/**
 * Waits for the next one to end; `out` gets NULL after the last. When `cancel` ends this call, the batch can be resumed, and the
 * error lists the tasks that were created and not returned yet: jfai_error_task_id_at(). `cancel` may be NULL.
 *
 * @param batch The batch.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_result_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_batch_next(struct jfai_batch *batch,
                            const struct jfai_cancel *cancel,
                            struct jfai_result **out,
                            struct jfai_error **err);

/**
 * Stops creating: no further create request is sent, and jfai_batch_next() returns those that were not sent as
 * `JFAI_ERR_CANCELLED`. What was sent before is waited for and returned as usual. For jfai_generate_many(); other batches create nothing.
 *
 * @param batch The batch.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_batch_stop(struct jfai_batch *batch,
                            struct jfai_error **err);

/**
 * The ids of the tasks of jfai_generate_many() that exist and were not returned by jfai_batch_next() yet, for jfai_names_free(): store
 * them before the batch is freed early. These tasks keep running.
 *
 * @param batch The batch.
 * @param[out] out Gets the handle, for jfai_names_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_batch_task_ids(const struct jfai_batch *batch,
                                struct jfai_names **out,
                                struct jfai_error **err);

/**
 * True while a create request of the batch was sent and its outcome is not known: a task may exist that jfai_batch_task_ids() does not list.
 *
 * @param batch The batch.
 * @return True or false; false where batch is NULL.
 */
JFAI_API
bool jfai_batch_maybe_executed(const struct jfai_batch *batch);

/**
 * Stops and frees a batch. NULL is ignored. No further task is created, and waiting ends; tasks that exist keep running.
 *
 * @param batch What to free; may be NULL.
 */
JFAI_API
void jfai_batch_free(struct jfai_batch *batch);

/**
 * The index of the id or request that was given, from 0; for jfai_resume_pending() the number of the result.
 *
 * @param result The result.
 * @return The number; 0 where result is NULL.
 */
JFAI_API
size_t jfai_result_index(const struct jfai_result *result);

/**
 * The task's id; NULL when none was created.
 *
 * @param result The result.
 * @return A text that belongs to result; NULL where there is none or result is NULL.
 */
JFAI_API const char *jfai_result_task_id(const struct jfai_result *result);

/**
 * The video, or NULL. It belongs to the result.
 *
 * @param result The result.
 * @return A handle that belongs to result; NULL where there is none or result is NULL.
 */
JFAI_API const struct jfai_video *jfai_result_video(const struct jfai_result *result);

/**
 * The file, for jfai_resume_pending(), or NULL. It belongs to the result.
 *
 * @param result The result.
 * @return A handle that belongs to result; NULL where there is none or result is NULL.
 */
JFAI_API const struct jfai_summary *jfai_result_summary(const struct jfai_result *result);

/**
 * The error, or NULL. It belongs to the result.
 *
 * @param result The result.
 * @return A handle that belongs to result; NULL where there is none or result is NULL.
 */
JFAI_API const struct jfai_error *jfai_result_error(const struct jfai_result *result);

/**
 * Frees a result with what belongs to it. NULL is ignored.
 *
 * @param result What to free; may be NULL.
 */
JFAI_API void jfai_result_free(struct jfai_result *result);

/** @} */

/** @addtogroup junfeiai_client_options
 * @{ */

/**
 * Makes options that are all at their defaults.
 *
 * @param[out] out Gets the handle, for jfai_client_options_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_new(struct jfai_client_options **out,
                                    struct jfai_error **err);

/**
 * Frees options. NULL is ignored. A client that was made with them does not need them any more.
 *
 * @param options What to free; may be NULL.
 */
JFAI_API void jfai_client_options_free(struct jfai_client_options *options);

/**
 * Fills what is not set from `JUNFEIAI_API_KEY`, `JUNFEIAI_BASE_URL` and `JUNFEIAI_VIDEO_BASE_URL`, when the client is made.
 *
 * @param options The client options.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_use_env(struct jfai_client_options *options,
                                        struct jfai_error **err);

/**
 * Adds an endpoint after those that are set. Another one than the first is used only when no connection can be made, so that
 * nothing is paid for twice. The key is sent to all of them.
 *
 * @param options The client options.
 * @param endpoint A name, a base URL or an alias.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_add_endpoint(struct jfai_client_options *options,
                                             const char *endpoint,
                                             struct jfai_error **err);

/**
 * Adds a host that the key may be sent to, as `host` or `host:port`.
 *
 * @param options The client options.
 * @param host The host, or host and port.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_trust_host(struct jfai_client_options *options,
                                           const char *host,
                                           struct jfai_error **err);

/**
 * Sets a further header of every request, for a gateway of yours for example; call it again for more. A name that was set before, in
 * whatever case, gets this value. Headers are sent only to hosts that may receive the key, and their values are never shown: they may
 * be secrets. `jfai_client_new` refuses a name or value that cannot be sent, and what this library sends itself, such as
 * `Authorization` or `Range`. Default: none.
 *
 * @param options The client options.
 * @param name Its name.
 * @param value The value.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_header(struct jfai_client_options *options,
                                           const char *name,
                                           const char *value,
                                           struct jfai_error **err);

/**
 * Sets the most that one create request may cost, in USD: one that would cost more is refused before it is sent. Default: no
 * limit.
 *
 * @param options The client options.
 * @param usd US dollars.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_max_cost(struct jfai_client_options *options,
                                             double usd,
                                             struct jfai_error **err);

/**
 * Sets the most that all create requests of one UTC day may cost together, in USD, of all clients that share the journal: one that
 * would exceed it is refused before it is sent. Needs a journal. Default: no limit.
 *
 * @param options The client options.
 * @param usd US dollars.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_budget(struct jfai_client_options *options,
                                           double usd,
                                           struct jfai_error **err);

/**
 * Sets the rate limit that all tasks and threads of the client share (a token bucket): requests per second, and the burst. Downloads
 * are not limited. Default 2 per second in bursts of 4; for a server on localhost 1000 and 1000.
 *
 * @param options The client options.
 * @param per_second Requests per second.
 * @param burst How many requests may be sent at once.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_request_rate(struct jfai_client_options *options,
                                                 double per_second,
                                                 uint32_t burst,
                                                 struct jfai_error **err);

/**
 * Sets the delays between attempts, in milliseconds: the first (default 500), the longest (20000), and the time from the
 * first attempt to the start of the last (120000).
 *
 * @param options The client options.
 * @param first_ms Milliseconds before the second attempt.
 * @param longest_ms The longest delay in milliseconds.
 * @param budget_ms Milliseconds from the first attempt to the start of the last.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_client_options_set_retry_pauses_ms(struct jfai_client_options *options,
                                                    uint64_t first_ms,
                                                    uint64_t longest_ms,
                                                    uint64_t budget_ms,
                                                    struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_readers
 * @{ */

/**
 * Opens a video by reading its first bytes. Reading from one end to the other costs one short and one long request; a seek costs
 * one only when the bytes there are not buffered. A connection that breaks is resumed where it broke. `cancel` may be NULL;
 * it ends every later call of this reader, too.
 *
 * @param video The video.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_reader_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_reader_open(const struct jfai_video *video,
                             const struct jfai_cancel *cancel,
                             struct jfai_reader **out,
                             struct jfai_error **err);

/**
 * Reads up to `size` bytes and moves on. `out_size` gets how many: fewer than `size` at the end of the file and before an error, which
 * the next call gives; 0 only at the end.
 * `buffer` may be NULL when `size` is 0.
 *
 * @param reader The reader.
 * @param[out] buffer Where the bytes go. May be NULL.
 * @param size The number of bytes.
 * @param[out] out_size Gets the number of bytes.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_reader_read(struct jfai_reader *reader,
                             uint8_t *buffer,
                             size_t size,
                             size_t *out_size,
                             struct jfai_error **err);

/**
 * Moves to another place, counted from `whence`: `JFAI_SEEK_…`, which are C's `SEEK_…` where these are 0, 1, 2. Costs no request.
 * `out_position` may be NULL; it gets the new place. Past the end is allowed: reads there return 0 bytes.
 *
 * @param reader The reader.
 * @param offset How many bytes, forwards or backwards.
 * @param whence One of #jfai_seek_origin.
 * @param[out] out_position Gets the new position. May be NULL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_reader_seek(struct jfai_reader *reader,
                             int64_t offset,
                             int32_t whence,
                             uint64_t *out_position,
                             struct jfai_error **err);

/**
 * The length of the file in bytes. Known since it was opened, with nearly every server.
 *
 * @param reader The reader.
 * @param[out] out_size Gets the number of bytes.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_reader_size(struct jfai_reader *reader,
                             uint64_t *out_size,
                             struct jfai_error **err);

/**
 * Where the next read begins. 0 for NULL.
 *
 * @param reader The reader.
 * @return The number; 0 where reader is NULL.
 */
JFAI_API uint64_t jfai_reader_position(const struct jfai_reader *reader);

/**
 * Frees a reader. NULL is ignored.
 *
 * @param reader What to free; may be NULL.
 */
JFAI_API void jfai_reader_free(struct jfai_reader *reader);

/** @} */

/** @addtogroup junfeiai_reconciliation
 * @{ */

/**
 * Finds out what became of the create requests whose response was lost, by the usage and the log of the API key, and records it in
 * the client's journal. Sends two requests, or none when there is nothing to find out. A server that has no log, or answers no more
 * such questions now, is no error: see jfai_settled_reason(). `JFAI_ERR_CONFIG` when the client has no journal.
 *
 * @param client The client.
 * @param[out] out Gets the handle, for jfai_reconciliation_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_reconcile(const struct jfai_client *client,
                           struct jfai_reconciliation **out,
                           struct jfai_error **err);

/**
 * jfai_reconcile() with the access of the account's owner, which finds the ids of lost tasks as well: a create request that was charged
 * gets its task's id from the account's list of tasks, with up to five more requests, and is pending as a task then. `account_token` is
 * the access token of the account, a stronger secret than an API key: it is held for this call alone. `account_user` is the account's
 * number in digits, which older servers want. `account_token` and `account_user` may be NULL. `JFAI_ERR_CONFIG` for a text that is no token.
 *
 * @param client The client.
 * @param account_token The access token of the account. May be NULL.
 * @param account_user The account's number in digits. May be NULL.
 * @param[out] out Gets the handle, for jfai_reconciliation_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_reconcile_with(const struct jfai_client *client,
                                const char *account_token,
                                const char *account_user,
                                struct jfai_reconciliation **out,
                                struct jfai_error **err);

/**
 * The number of create requests whose outcome was unknown, oldest first. 0 for NULL.
 *
 * @param found The reconciliation.
 * @return The number; 0 where found is NULL.
 */
JFAI_API size_t jfai_reconciliation_count(const struct jfai_reconciliation *found);

/**
 * Milliseconds until the server answers such questions again; -1 when it answered them.
 *
 * @param found The reconciliation.
 * @return The number; -1 where found is NULL.
 */
JFAI_API int64_t jfai_reconciliation_retry_after_ms(const struct jfai_reconciliation *found);

/**
 * What became of it: `JFAI_VERDICT_…`; 0 past the end.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return One of #jfai_verdict; 0 where found is NULL.
 */
JFAI_API int32_t jfai_settled_verdict(const struct jfai_reconciliation *found, size_t index);

/**
 * Why, in one sentence.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return A text that belongs to found; NULL where there is none or found is NULL.
 */
JFAI_API const char *jfai_settled_reason(const struct jfai_reconciliation *found, size_t index);

/**
 * The journal's id of the create request, for jfai_resolve_unknown().
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return A text that belongs to found; NULL where there is none or found is NULL.
 */
JFAI_API const char *jfai_settled_intent(const struct jfai_reconciliation *found, size_t index);

/**
 * The key under which it was sent, or NULL.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return A text that belongs to found; NULL where there is none or found is NULL.
 */
JFAI_API const char *jfai_settled_key(const struct jfai_reconciliation *found, size_t index);

/**
 * The requested model.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return A text that belongs to found; NULL where there is none or found is NULL.
 */
JFAI_API const char *jfai_settled_model(const struct jfai_reconciliation *found, size_t index);

/**
 * The requested length as it was sent, or NULL.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return A text that belongs to found; NULL where there is none or found is NULL.
 */
JFAI_API const char *jfai_settled_seconds(const struct jfai_reconciliation *found, size_t index);

/**
 * The id of the task, or NULL where it is not known.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return A text that belongs to found; NULL where there is none or found is NULL.
 */
JFAI_API const char *jfai_settled_task_id(const struct jfai_reconciliation *found, size_t index);

/**
 * The server's id of the request, or NULL where it is not known.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return A text that belongs to found; NULL where there is none or found is NULL.
 */
JFAI_API const char *jfai_settled_request_id(const struct jfai_reconciliation *found, size_t index);

/**
 * What it was charged, in the server's units (500000 = 1 USD); -1 where that is not known. A failed task's charge was returned.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return The number; -1 where found is NULL.
 */
JFAI_API
int64_t jfai_settled_charged_units(const struct jfai_reconciliation *found,
                                   size_t index);

/**
 * When it began, in unix seconds; -1 past the end.
 *
 * @param found The reconciliation.
 * @param index Which one, counted from 0.
 * @return The number; -1 where found is NULL.
 */
JFAI_API int64_t jfai_settled_created_at(const struct jfai_reconciliation *found, size_t index);

/**
 * Frees what jfai_reconcile() gave. NULL is ignored.
 *
 * @param found What to free; may be NULL.
 */
JFAI_API void jfai_reconciliation_free(struct jfai_reconciliation *found);

/** @} */

/** @addtogroup junfeiai_requests
 * @{ */

/**
 * Makes a request with this prompt and every default.
 *
 * @param prompt What the video shows.
 * @param[out] out Gets the handle, for jfai_request_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_new(const char *prompt,
                             struct jfai_request **out,
                             struct jfai_error **err);

/**
 * Makes a request from a JSON object with the fields `model`, `prompt`, `seconds`, `size`, `image`, `images`, `extra`, `validate`.
 *
 * @param json The JSON text.
 * @param[out] out Gets the handle, for jfai_request_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_from_json(const char *json,
                                   struct jfai_request **out,
                                   struct jfai_error **err);

/**
 * Frees a request. NULL is ignored.
 *
 * @param request What to free; may be NULL.
 */
JFAI_API void jfai_request_free(struct jfai_request *request);

/**
 * Sets the model. Default `"grok-image-video"`.
 *
 * @param request The request.
 * @param model The name of the model.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_model(struct jfai_request *request,
                                   const char *model,
                                   struct jfai_error **err);

/**
 * Sets the length in seconds. The known models make whole seconds from 1 to 15; without it the server makes and bills 4 s.
 *
 * @param request The request.
 * @param seconds The length in seconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_seconds(struct jfai_request *request,
                                     double seconds,
                                     struct jfai_error **err);

/**
 * Sets the frame size such as `"1280x720"`: advice to the model, which may use another.
 *
 * @param request The request.
 * @param size The frame size.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_size(struct jfai_request *request,
                                  const char *size,
                                  struct jfai_error **err);

/**
 * Sets the one image to start from, as a URL that the service fetches. `grok-video-1.5` needs an image.
 *
 * @param request The request.
 * @param url The URL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_image_url(struct jfai_request *request,
                                       const char *url,
                                       struct jfai_error **err);

/**
 * Sets the one image to start from, as a PNG, JPEG or WebP file that is read now.
 *
 * @param request The request.
 * @param file The path of the file.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_image_file(struct jfai_request *request,
                                        const char *file,
                                        struct jfai_error **err);

/**
 * Sets the one image to start from, as the bytes of a PNG, JPEG or WebP file.
 *
 * @param request The request.
 * @param data The bytes.
 * @param size The number of bytes.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_image_bytes(struct jfai_request *request,
                                         const uint8_t *data,
                                         size_t size,
                                         struct jfai_error **err);

/**
 * Adds a reference image, as a URL that the service fetches. Up to 7, for `grok-image-video`.
 *
 * @param request The request.
 * @param url The URL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_add_reference_url(struct jfai_request *request,
                                           const char *url,
                                           struct jfai_error **err);

/**
 * Adds a reference image, as a PNG, JPEG or WebP file that is read now.
 *
 * @param request The request.
 * @param file The path of the file.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_add_reference_file(struct jfai_request *request,
                                            const char *file,
                                            struct jfai_error **err);

/**
 * Adds a reference image, as the bytes of a PNG, JPEG or WebP file.
 *
 * @param request The request.
 * @param data The bytes.
 * @param size The number of bytes.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_add_reference_bytes(struct jfai_request *request,
                                             const uint8_t *data,
                                             size_t size,
                                             struct jfai_error **err);

/**
 * Adds a further field, passed on to the model as it is; `json` is its value as JSON, such as `"\"16:9\""` or `"3"`.
 *
 * @param request The request.
 * @param name Its name.
 * @param json The JSON text.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_extra_json(struct jfai_request *request,
                                        const char *name,
                                        const char *json,
                                        struct jfai_error **err);

/**
 * Sets your own name for the job, 1 to 200 bytes: one task is created per key, whoever asks, however often; a later request
 * with the same key gets the same task. Needs a journal: see jfai_client_options_set_journal().
 *
 * @param request The request.
 * @param key The key.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_key(struct jfai_request *request,
                                 const char *key,
                                 struct jfai_error **err);

/**
 * Sets whether another task is created under the key when its task failed.
 *
 * @param request The request.
 * @param yes Whether.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_retry_failed(struct jfai_request *request,
                                          bool yes,
                                          struct jfai_error **err);

/**
 * Sets how strictly the request is checked before it is sent: `JFAI_VALIDATE_…`.
 *
 * @param request The request.
 * @param validate One of #jfai_validation.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_set_validate(struct jfai_request *request,
                                      int32_t validate,
                                      struct jfai_error **err);

/**
 * Checks a request as jfai_create() does, without sending it. `out` (may be NULL) gets the warnings, for jfai_warnings_free().
 *
 * @param request The request.
 * @param[out] out Gets the handle, for jfai_warnings_free(). May be NULL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_request_check(const struct jfai_request *request,
                               struct jfai_warnings **out,
                               struct jfai_error **err);

/**
 * How many warnings there are. 0 for NULL.
 *
 * @param warnings The warnings.
 * @return The number; 0 where warnings is NULL.
 */
JFAI_API size_t jfai_warnings_count(const struct jfai_warnings *warnings);

/**
 * The stable name of a warning, such as `"unusual_length"`; NULL past the end.
 *
 * @param warnings The warnings.
 * @param index Which one, counted from 0.
 * @return A text that belongs to warnings; NULL where there is none or warnings is NULL.
 */
JFAI_API const char *jfai_warnings_code(const struct jfai_warnings *warnings, size_t index);

/**
 * A warning as one line of text; NULL past the end.
 *
 * @param warnings The warnings.
 * @param index Which one, counted from 0.
 * @return A text that belongs to warnings; NULL where there is none or warnings is NULL.
 */
JFAI_API const char *jfai_warnings_message(const struct jfai_warnings *warnings, size_t index);

/**
 * Frees warnings that jfai_request_check() gave; not those of a task, which belong to it. NULL is ignored.
 *
 * @param warnings What to free; may be NULL.
 */
JFAI_API
void jfai_warnings_free(struct jfai_warnings *warnings);

/** @} */

/** @addtogroup junfeiai_save
 * @{ */

/**
 * Saves a video as a file. The bytes go to `NAME.part`; the final file name appears only after the download is complete,
 * verified and on the disk. A save that ended early is resumed by the next. `options` and `cancel` may be NULL; `out` may be NULL.
 *
 * @param video The video.
 * @param file The path of the file.
 * @param options The save options. May be NULL.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_summary_free(). May be NULL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save(const struct jfai_video *video,
                      const char *file,
                      const struct jfai_save_options *options,
                      const struct jfai_cancel *cancel,
                      struct jfai_summary **out,
                      struct jfai_error **err);

/**
 * Judges where a video that does not exist yet shall be saved, and how: call it before jfai_generate(), which is paid for. It sends
 * nothing and leaves nothing behind. An answer for this moment: the disk may be full when the video is there. `options` may be
 * NULL; their progress callback is not called.
 *
 * @param client The client.
 * @param file The path of the file.
 * @param options The save options. May be NULL.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_check_save(const struct jfai_client *client,
                            const char *file,
                            const struct jfai_save_options *options,
                            struct jfai_error **err);

/**
 * Makes options that are all at their defaults.
 *
 * @param[out] out Gets the handle, for jfai_save_options_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_new(struct jfai_save_options **out, struct jfai_error **err);

/**
 * Frees options. NULL is ignored. A call that was started with them does not need them any more.
 *
 * @param options What to free; may be NULL.
 */
JFAI_API void jfai_save_options_free(struct jfai_save_options *options);

/**
 * Sets the maximum number of bytes per second, at least 1. Default: no limit. 0 is refused by the call that gets these options.
 *
 * @param options The save options.
 * @param bytes_per_second Bytes per second.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_set_rate_limit(struct jfai_save_options *options,
                                             uint64_t bytes_per_second,
                                             struct jfai_error **err);

/**
 * Sets the progress callback; NULL for none. `user` is passed to it as it is.
 *
 * @param options The save options.
 * @param progress The progress callback; NULL removes it.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_set_progress(struct jfai_save_options *options,
                                           jfai_save_progress_fn progress,
                                           void *user,
                                           struct jfai_error **err);

/**
 * Where the file is.
 *
 * @param summary The summary.
 * @return A text that belongs to summary; NULL where there is none or summary is NULL.
 */
JFAI_API const char *jfai_summary_path(const struct jfai_summary *summary);

/**
 * Its length.
 *
 * @param summary The summary.
 * @return The number; 0 where summary is NULL.
 */
JFAI_API uint64_t jfai_summary_bytes(const struct jfai_summary *summary);

/**
 * The duration in milliseconds, as the file says; -1 when it was not checked or does not say.
 *
 * @param summary The summary.
 * @return The number; -1 where summary is NULL.
 */
JFAI_API int64_t jfai_summary_duration_ms(const struct jfai_summary *summary);

/**
 * The width in pixels, as the file says; 0 when it was not checked or does not say.
 *
 * @param summary The summary.
 * @return The number; 0 where summary is NULL.
 */
JFAI_API uint32_t jfai_summary_width(const struct jfai_summary *summary);

/**
 * The height in pixels, as the file says; 0 when it was not checked or does not say.
 *
 * @param summary The summary.
 * @return The number; 0 where summary is NULL.
 */
JFAI_API uint32_t jfai_summary_height(const struct jfai_summary *summary);

/**
 * True when the download was resumed: after a lost connection, or from what an earlier call left.
 *
 * @param summary The summary.
 * @return True or false; false where summary is NULL.
 */
JFAI_API bool jfai_summary_resumed(const struct jfai_summary *summary);

/**
 * How many requests were sent for it.
 *
 * @param summary The summary.
 * @return The number; 0 where summary is NULL.
 */
JFAI_API uint32_t jfai_summary_attempts(const struct jfai_summary *summary);

/**
 * How long the call took, in milliseconds.
 *
 * @param summary The summary.
 * @return The number; 0 where summary is NULL.
 */
JFAI_API int64_t jfai_summary_elapsed_ms(const struct jfai_summary *summary);

/**
 * The SHA-256 in hexadecimal, or NULL when it was not computed.
 *
 * @param summary The summary.
 * @return A text that belongs to summary; NULL where there is none or summary is NULL.
 */
JFAI_API const char *jfai_summary_sha256(const struct jfai_summary *summary);

/**
 * What the task cost, in the server's units (500000 = 1 USD), where a response or the journal said it; else -1.
 *
 * @param summary The summary.
 * @return The number; -1 where summary is NULL.
 */
JFAI_API
int64_t jfai_summary_charged_units(const struct jfai_summary *summary);

/**
 * Frees a summary. NULL is ignored.
 *
 * @param summary What to free; may be NULL.
 */
JFAI_API void jfai_summary_free(struct jfai_summary *summary);

/**
 * Connections used at once, 1–16; more than one helps where each connection is slow. Default: 1. Other numbers are
 * refused.
 *
 * @param options The save options.
 * @param connections How many connections.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_set_connections(struct jfai_save_options *options,
                                              uint32_t connections,
                                              struct jfai_error **err);

/**
 * Replaces an existing file; otherwise it is an error. Default: `false`.
 *
 * @param options The save options.
 * @param yes Whether.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_set_overwrite(struct jfai_save_options *options,
                                            bool yes,
                                            struct jfai_error **err);

/**
 * Creates missing folders; otherwise it is an error. Default: `false`.
 *
 * @param options The save options.
 * @param yes Whether.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_set_create_parents(struct jfai_save_options *options,
                                                 bool yes,
                                                 struct jfai_error **err);

/**
 * Computes the SHA-256 of the file. Default: `false`.
 *
 * @param options The save options.
 * @param yes Whether.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_set_sha256(struct jfai_save_options *options,
                                         bool yes,
                                         struct jfai_error **err);

/**
 * Checks that every sample of the MP4 is present; if off, bytes that an earlier check refused are used without another
 * request. Default: `true`.
 *
 * @param options The save options.
 * @param yes Whether.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_set_verify(struct jfai_save_options *options,
                                         bool yes,
                                         struct jfai_error **err);

/**
 * Timeout of the whole save. In milliseconds. Default: none. Zero is refused.
 *
 * @param options The save options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_save_options_set_timeout_ms(struct jfai_save_options *options,
                                             uint64_t ms,
                                             struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_tasks
 * @{ */

/**
 * Frees a task handle. NULL is ignored. The task itself is not affected.
 *
 * @param task What to free; may be NULL.
 */
JFAI_API void jfai_task_free(struct jfai_task *task);

/**
 * Makes a second handle of a task, to keep the one that a callback was called with.
 *
 * @param task The task.
 * @param[out] out Gets the handle, for jfai_task_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_task_clone(const struct jfai_task *task,
                            struct jfai_task **out,
                            struct jfai_error **err);

/**
 * Its id: store it to resume the task in a later process.
 *
 * @param task The task.
 * @return A text that belongs to task; NULL where there is none or task is NULL.
 */
JFAI_API const char *jfai_task_id(const struct jfai_task *task);

/**
 * Its state: `JFAI_TASK_…`.
 *
 * @param task The task.
 * @return One of #jfai_task_state; 0 where task is NULL.
 */
JFAI_API int32_t jfai_task_status(const struct jfai_task *task);

/**
 * The name of a state: `"queued"`, `"in_progress"`, `"succeeded"`, `"failed"` or `"unknown"`. The text is constant.
 *
 * @param status The number.
 * @return A constant text.
 */
JFAI_API
const char *jfai_task_status_name(int32_t status);

/**
 * The server's own spelling of the state.
 *
 * @param task The task.
 * @return A text that belongs to task; NULL where there is none or task is NULL.
 */
JFAI_API const char *jfai_task_raw_status(const struct jfai_task *task);

/**
 * 0 to 100; -1 when the server does not report it. May stall or go back.
 *
 * @param task The task.
 * @return The number; -1 where task is NULL.
 */
JFAI_API double jfai_task_progress(const struct jfai_task *task);

/**
 * The seconds of video that the server billed; -1 when it does not report it.
 *
 * @param task The task.
 * @return The number; -1 where task is NULL.
 */
JFAI_API double jfai_task_billed_seconds(const struct jfai_task *task);

/**
 * What the server charged for it, in its units: 500,000 are 1 USD. Known after the first query, where the server reports it; 0
 * for a failed task, whose charge is returned; -1 when it is not known.
 *
 * @param task The task.
 * @return The number; -1 where task is NULL.
 */
JFAI_API
int64_t jfai_task_charged_units(const struct jfai_task *task);

/**
 * True when the task was created by an earlier call with the same key: this one sent no request and cost nothing.
 *
 * @param task The task.
 * @return True or false; false where task is NULL.
 */
JFAI_API
bool jfai_task_is_reused(const struct jfai_task *task);

/**
 * Where an earlier call with the same key saved the video, or NULL.
 *
 * @param task The task.
 * @return A text that belongs to task; NULL where there is none or task is NULL.
 */
JFAI_API const char *jfai_task_saved_path(const struct jfai_task *task);

/**
 * Where the MP4 is, or NULL. Reading it needs the key, unless the link is signed.
 *
 * @param task The task.
 * @return A text that belongs to task; NULL where there is none or task is NULL.
 */
JFAI_API const char *jfai_task_video_url(const struct jfai_task *task);

/**
 * Why it failed, or NULL.
 *
 * @param task The task.
 * @return A text that belongs to task; NULL where there is none or task is NULL.
 */
JFAI_API const char *jfai_task_fail_reason(const struct jfai_task *task);

/**
 * The model as the server names it, or NULL. May differ from the requested one.
 *
 * @param task The task.
 * @return A text that belongs to task; NULL where there is none or task is NULL.
 */
JFAI_API const char *jfai_task_model(const struct jfai_task *task);

/**
 * When it was accepted, in unix seconds; -1 when the server does not report it.
 *
 * @param task The task.
 * @return The number; -1 where task is NULL.
 */
JFAI_API int64_t jfai_task_created_at(const struct jfai_task *task);

/**
 * When it was started, in unix seconds; -1 when the server does not report it.
 *
 * @param task The task.
 * @return The number; -1 where task is NULL.
 */
JFAI_API int64_t jfai_task_started_at(const struct jfai_task *task);

/**
 * When it ended, in unix seconds; -1 when the server does not report it.
 *
 * @param task The task.
 * @return The number; -1 where task is NULL.
 */
JFAI_API int64_t jfai_task_finished_at(const struct jfai_task *task);

/**
 * The server's last response, whole, as JSON; empty before the first query.
 *
 * @param task The task.
 * @return A text that belongs to task; NULL where there is none or task is NULL.
 */
JFAI_API const char *jfai_task_raw_json(const struct jfai_task *task);

/**
 * Advice that the request did not follow, and a billed length that differs from the requested one. They belong to the task.
 *
 * @param task The task.
 * @return A handle that belongs to task; NULL where there is none or task is NULL.
 */
JFAI_API
const struct jfai_warnings *jfai_task_warnings(const struct jfai_task *task);

/** @} */

/** @addtogroup junfeiai_videos
 * @{ */

/**
 * The video of a task, when its last seen state says that there is one; else `JFAI_ERR_NOT_READY` or `JFAI_ERR_TASK_FAILED`.
 *
 * @param task The task.
 * @param[out] out Gets the handle, for jfai_video_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_task_video(const struct jfai_task *task,
                            struct jfai_video **out,
                            struct jfai_error **err);

/**
 * The video of a task that is done, by the task's id: its URL is queried when it is read.
 *
 * @param client The client.
 * @param task_id The task's id.
 * @param[out] out Gets the handle, for jfai_video_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_video_by_id(const struct jfai_client *client,
                             const char *task_id,
                             struct jfai_video **out,
                             struct jfai_error **err);

/**
 * A video by its URL. The key is sent only when the host is trusted.
 *
 * @param client The client.
 * @param url The URL.
 * @param[out] out Gets the handle, for jfai_video_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_video_at(const struct jfai_client *client,
                          const char *url,
                          struct jfai_video **out,
                          struct jfai_error **err);

/**
 * Frees a video handle. NULL is ignored.
 *
 * @param video What to free; may be NULL.
 */
JFAI_API void jfai_video_free(struct jfai_video *video);

/**
 * The id of the task that made it, or NULL.
 *
 * @param video The video.
 * @return A text that belongs to video; NULL where there is none or video is NULL.
 */
JFAI_API const char *jfai_video_task_id(const struct jfai_video *video);

/**
 * Its URL, or NULL when it is not known yet. Reading it needs the key, unless the link is signed.
 *
 * @param video The video.
 * @return A text that belongs to video; NULL where there is none or video is NULL.
 */
JFAI_API const char *jfai_video_url(const struct jfai_video *video);

/**
 * Where an earlier call with the same key saved it, or NULL. Saving to the same path gives a file that is still there without a
 * request.
 *
 * @param video The video.
 * @return A text that belongs to video; NULL where there is none or video is NULL.
 */
JFAI_API
const char *jfai_video_saved_path(const struct jfai_video *video);

/**
 * A file name made from the task's id that is valid on every system, such as `"task_abc.mp4"`.
 *
 * @param video The video.
 * @return A text that belongs to video; NULL where there is none or video is NULL.
 */
JFAI_API const char *jfai_video_file_name(const struct jfai_video *video);

/**
 * Reads part of a video into `buffer`: up to `size` bytes from `offset` on, fewer only at the end of the file. `out_size` gets how many.
 * Every call sends a request: see jfai_reader_open() for sequential reads. `cancel` may be NULL.
 *
 * @param video The video.
 * @param offset The first byte, counted from 0.
 * @param[out] buffer Where the bytes go.
 * @param size The number of bytes.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out_size Gets the number of bytes.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_video_read_range(const struct jfai_video *video,
                                  uint64_t offset,
                                  uint8_t *buffer,
                                  size_t size,
                                  const struct jfai_cancel *cancel,
                                  size_t *out_size,
                                  struct jfai_error **err);

/**
 * Reads a whole video into memory, length and MP4 structure checked. Refuses more than `max_size` bytes (0: 1 GiB).
 * `cancel` may be NULL.
 *
 * @param video The video.
 * @param max_size How many bytes at most.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_bytes_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_video_bytes(const struct jfai_video *video,
                             size_t max_size,
                             const struct jfai_cancel *cancel,
                             struct jfai_bytes **out,
                             struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_wait_options
 * @{ */

/**
 * Makes options that all have the client's values.
 *
 * @param[out] out Gets the handle, for jfai_wait_options_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_wait_options_new(struct jfai_wait_options **out, struct jfai_error **err);

/**
 * Frees options. NULL is ignored. A call that was started with them does not need them any more.
 *
 * @param options What to free; may be NULL.
 */
JFAI_API void jfai_wait_options_free(struct jfai_wait_options *options);

/**
 * Sets the progress callback; NULL for none. `user` is passed to it as it is.
 *
 * @param options The wait options.
 * @param progress The progress callback; NULL removes it.
 * @param user What the callback is given as its first argument.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_wait_options_set_progress(struct jfai_wait_options *options,
                                           jfai_task_progress_fn progress,
                                           void *user,
                                           struct jfai_error **err);

/**
 * Timeout of the wait; `JFAI_FOREVER` for no limit. In milliseconds. Default: the client's.
 *
 * @param options The wait options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_wait_options_set_timeout_ms(struct jfai_wait_options *options,
                                             uint64_t ms,
                                             struct jfai_error **err);

/**
 * Delay between polls: starts at this value, backs off to twice of it or to the client's longest delay; at least 5 000
 * except for localhost, at most 24 hours. In milliseconds. Default: the client's. Zero is refused. Source: service
 * document §5.
 *
 * @param options The wait options.
 * @param ms Milliseconds.
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_wait_options_set_poll_interval_ms(struct jfai_wait_options *options,
                                                   uint64_t ms,
                                                   struct jfai_error **err);

/** @} */

/** @addtogroup junfeiai_watch
 * @{ */

/**
 * Begins to watch a task. `options` may be NULL; its progress callback is not used.
 *
 * @param task The task.
 * @param options The wait options. May be NULL.
 * @param[out] out Gets the handle, for jfai_watch_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_watch_new(const struct jfai_task *task,
                           const struct jfai_wait_options *options,
                           struct jfai_watch **out,
                           struct jfai_error **err);

/**
 * Waits for the next state; `out` gets NULL after the last one. Fails as a wait fails: `JFAI_ERR_TASK_FAILED`, …
 * `cancel` may be NULL.
 *
 * @param watch The watch.
 * @param cancel Ends the call from any thread; NULL: nothing does.
 * @param[out] out Gets the handle, for jfai_task_free().
 * @param[out] err Gets the error of a call that fails, for jfai_error_free(); may be NULL.
 * @return JFAI_OK, or one of #jfai_status_code.
 */
JFAI_NODISCARD JFAI_API
jfai_status jfai_watch_next(struct jfai_watch *watch,
                            const struct jfai_cancel *cancel,
                            struct jfai_task **out,
                            struct jfai_error **err);

/**
 * Stops watching. NULL is ignored. The task itself is not affected.
 *
 * @param watch What to free; may be NULL.
 */
JFAI_API void jfai_watch_free(struct jfai_watch *watch);

/** @} */

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* JUNFEIAI_H */
