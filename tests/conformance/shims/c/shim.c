/* The C library's shim: a scenario's client and steps as one line of JSON on standard input, what came of each step as one
   line on standard output. It converts and never decides. JSON is read and written by cJSON. */
#include "out.h"

#include <string.h>
#include <time.h>

typedef struct {
  jfai_client *client;
  jfai_task *task;
  jfai_video *video;
  char *kept; /* a durable wait */
} shim;

/* What came of a call: `out` is filled, or `err` is set. */
typedef jfai_status (*verb)(shim *now, const cJSON *with, cJSON *out, jfai_error **err);

/* Keeps the task for later steps. */
static void seen(shim *now, jfai_task *task, cJSON *out) {
  jfai_task_free(now->task);
  now->task = task;
  put_task(out, task);
}

static void found(shim *now, jfai_video *video, cJSON *out) {
  jfai_video_free(now->video);
  now->video = video;
  put_video(out, video);
}

static const char *id_of(const shim *now, const cJSON *with) {
  const char *id = text(with, "id");
  return id != NULL ? id : jfai_task_id(now->task);
}

static jfai_status do_new_client(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  (void)out;
  jfai_client *client = NULL;
  const jfai_status status = open_client(with, &client, err);
  if (status != JFAI_OK) return status;
  jfai_client_free(now->client);
  now->client = client;
  return status;
}

static jfai_status do_create(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_request *request = NULL;
  jfai_task *task = NULL;
  jfai_cancel *cancel = cancel_of(with);
  jfai_status status = request_of(cJSON_GetObjectItem(with, "request"), &request, err);
  if (status == JFAI_OK) status = jfai_create(now->client, request, cancel, &task, err);
  if (status == JFAI_OK) seen(now, task, out);
  jfai_cancel_free(cancel);
  jfai_request_free(request);
  return status;
}

static jfai_status do_get(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_task *task = NULL;
  const jfai_status status = jfai_get(now->client, id_of(now, with), NULL, &task, err);
  if (status == JFAI_OK) seen(now, task, out);
  return status;
}

static jfai_status do_task_by_id(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_task *task = NULL;
  const jfai_status status = jfai_task_by_id(now->client, id_of(now, with), &task, err);
  if (status == JFAI_OK) seen(now, task, out);
  return status;
}

static jfai_status do_refresh(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  (void)with;
  jfai_task *task = NULL;
  const jfai_status status = jfai_task_refresh(now->task, NULL, &task, err);
  if (status == JFAI_OK) seen(now, task, out);
  return status;
}

typedef struct {
  cJSON *states;
  const jfai_cancel *stop;
} told;

static int on_progress(void *user, const jfai_task *task) {
  const told *to = user;
  cJSON_AddItemToArray(to->states, cJSON_CreateString(jfai_task_raw_status(task)));
  if (to->stop != NULL) jfai_cancel_now(to->stop);
  return 0;
}

static jfai_status wait_or_generate(shim *now, const cJSON *with, cJSON *out, jfai_error **err, const jfai_request *request) {
  jfai_wait_options *options = NULL;
  jfai_video *video = NULL;
  jfai_cancel *cancel = cancel_of(with);
  told to = {cJSON_CreateArray(), cancel};
  jfai_status status = jfai_wait_options_new(&options, err);
  if (status == JFAI_OK) status = jfai_wait_options_set_progress(options, on_progress, &to, err);
  if (status == JFAI_OK && cJSON_HasObjectItem(with, "timeout"))
    status = jfai_wait_options_set_timeout_ms(options, ms(number(with, "timeout", 0)), err);
  if (status == JFAI_OK)
    status = request != NULL ? jfai_generate(now->client, request, options, cancel, &video, err)
                             : jfai_wait(now->task, options, cancel, &video, err);
  if (status == JFAI_OK) {
    found(now, video, out);
    cJSON_AddItemToObject(out, "states", to.states);
  } else {
    cJSON_Delete(to.states);
  }
  jfai_wait_options_free(options);
  jfai_cancel_free(cancel);
  return status;
}

static jfai_status do_wait(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  return wait_or_generate(now, with, out, err, NULL);
}

static jfai_status do_generate(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_request *request = NULL;
  jfai_status status = request_of(cJSON_GetObjectItem(with, "request"), &request, err);
  if (status == JFAI_OK) status = wait_or_generate(now, with, out, err, request);
  jfai_request_free(request);
  return status;
}

static jfai_status do_watch(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  (void)with;
  jfai_watch *watch = NULL;
  jfai_task *task = NULL;
  cJSON *states = cJSON_CreateArray();
  jfai_status status = jfai_watch_new(now->task, NULL, &watch, err);
  while (status == JFAI_OK && (status = jfai_watch_next(watch, NULL, &task, err)) == JFAI_OK && task != NULL) {
    cJSON_AddItemToArray(states, cJSON_CreateString(jfai_task_raw_status(task)));
    jfai_task_free(task);
  }
  jfai_watch_free(watch);
  cJSON_AddItemToObject(out, "states", states);
  return status;
}

/* Keeps the state for later steps. */
static void keep(shim *now, const jfai_wait_step *step, cJSON *out) {
  free(now->kept);
  now->kept = strdup(jfai_wait_step_state(step));
  if (out != NULL) cJSON_AddItemToObject(out, "later", cJSON_Parse(now->kept));
}

static jfai_status do_wait_state(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_wait_options *options = NULL;
  jfai_wait_step *step = NULL;
  jfai_status status = jfai_wait_options_new(&options, err);
  if (status == JFAI_OK && cJSON_HasObjectItem(with, "timeout"))
    status = jfai_wait_options_set_timeout_ms(options, ms(number(with, "timeout", 0)), err);
  if (status == JFAI_OK) status = jfai_task_wait_state(now->task, options, &step, err);
  if (status == JFAI_OK) keep(now, step, out);
  jfai_wait_step_free(step);
  jfai_wait_options_free(options);
  return status;
}

static jfai_status do_advance(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  char *given = cJSON_PrintUnformatted(cJSON_GetObjectItem(with, "state"));
  jfai_cancel *cancel = cancel_of(with);
  jfai_status status;
  for (;;) {
    jfai_wait_step *step = NULL;
    jfai_video *video = NULL;
    status = jfai_advance(now->client, given != NULL ? given : now->kept, cancel, &step, err);
    const bool done = jfai_wait_step_done(step), on = status == JFAI_OK && !done && yes(with, "until_done");
    const int64_t pause = jfai_wait_step_retry_after_ms(step);
    if (done && (status = jfai_wait_step_video(step, &video, err)) == JFAI_OK) found(now, video, out);
    if (status == JFAI_OK && !done) {
      keep(now, step, on ? NULL : out);
      if (!on) cJSON_AddBoolToObject(out, "pauses", pause > 0);
    }
    jfai_wait_step_free(step);
    if (!on) break;
    nanosleep(&(struct timespec){pause / 1000, pause % 1000 * 1000000}, NULL);
  }
  jfai_cancel_free(cancel);
  cJSON_free(given);
  return status;
}

static jfai_status do_task_video(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  (void)with;
  jfai_video *video = NULL;
  const jfai_status status = jfai_task_video(now->task, &video, err);
  if (status == JFAI_OK) found(now, video, out);
  return status;
}

static jfai_status do_video_by_id(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_video *video = NULL;
  const jfai_status status = jfai_video_by_id(now->client, id_of(now, with), &video, err);
  if (status == JFAI_OK) found(now, video, out);
  return status;
}

static jfai_status do_video_at(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_video *video = NULL;
  const jfai_status status = jfai_video_at(now->client, text(with, "url"), &video, err);
  if (status == JFAI_OK) found(now, video, out);
  return status;
}

static jfai_status do_bytes(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_bytes *bytes = NULL;
  jfai_cancel *cancel = cancel_of(with);
  const jfai_status status = jfai_video_bytes(now->video, (size_t)number(with, "max_bytes", 0), cancel, &bytes, err);
  if (status == JFAI_OK) put_bytes(out, with, 0, jfai_bytes_data(bytes), jfai_bytes_size(bytes));
  jfai_bytes_free(bytes);
  jfai_cancel_free(cancel);
  return status;
}

static jfai_status do_read_range(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  const uint64_t start = (uint64_t)number(with, "start", 0);
  const size_t size = (size_t)(number(with, "end", 0) - (double)start);
  uint8_t *buffer = malloc(size + 1);
  size_t got = 0;
  const jfai_status status = jfai_video_read_range(now->video, start, buffer, size, NULL, &got, err);
  if (status == JFAI_OK) put_bytes(out, with, 0, buffer, got);
  free(buffer);
  return status;
}

static jfai_status do_open(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_reader *reader = NULL;
  jfai_status status = jfai_reader_open(now->video, NULL, &reader, err);
  cJSON *reads = cJSON_AddArrayToObject(out, "reads");
  const cJSON *part = NULL;
  cJSON_ArrayForEach(part, cJSON_GetObjectItem(with, "parts")) {
    const size_t size = (size_t)cJSON_GetArrayItem(part, 1)->valuedouble;
    uint8_t *buffer = malloc(size + 1);
    size_t got = 0;
    if (status == JFAI_OK)
      status = jfai_reader_seek(reader, (int64_t)cJSON_GetArrayItem(part, 0)->valuedouble, JFAI_SEEK_SET, NULL, err);
    if (status == JFAI_OK) status = jfai_reader_read(reader, buffer, size, &got, err);
    if (status == JFAI_OK) {
      cJSON *read = cJSON_CreateObject();
      put_bytes(read, with, cJSON_GetArraySize(reads), buffer, got);
      cJSON_AddItemToArray(reads, read);
    }
    free(buffer);
  }
  uint64_t length = 0;
  if (status == JFAI_OK) status = jfai_reader_size(reader, &length, err);
  cJSON_AddNumberToObject(out, "size", (double)length);
  jfai_reader_free(reader);
  return status;
}

static jfai_status do_save(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  const cJSON *wanted = cJSON_GetObjectItem(with, "options");
  jfai_save_options *options = NULL;
  jfai_summary *summary = NULL;
  jfai_status status = jfai_save_options_new(&options, err);
  if (status == JFAI_OK) status = jfai_save_options_set_overwrite(options, yes(wanted, "overwrite"), err);
  if (status == JFAI_OK) status = jfai_save_options_set_create_parents(options, yes(wanted, "create_parents"), err);
  if (status == JFAI_OK) status = jfai_save_options_set_sha256(options, yes(wanted, "sha256"), err);
  if (status == JFAI_OK && cJSON_HasObjectItem(wanted, "verify"))
    status = jfai_save_options_set_verify(options, yes(wanted, "verify"), err);
  if (status == JFAI_OK && cJSON_HasObjectItem(wanted, "connections"))
    status = jfai_save_options_set_connections(options, (uint32_t)number(wanted, "connections", 1), err);
  if (status == JFAI_OK && cJSON_HasObjectItem(wanted, "timeout"))
    status = jfai_save_options_set_timeout_ms(options, ms(number(wanted, "timeout", 0)), err);
  if (status == JFAI_OK && cJSON_HasObjectItem(wanted, "rate_limit"))
    status = jfai_save_options_set_rate_limit(options, (uint64_t)number(wanted, "rate_limit", 0), err);
  if (status == JFAI_OK) status = jfai_save(now->video, text(with, "path"), options, NULL, &summary, err);
  if (status == JFAI_OK) put_summary(out, summary);
  jfai_summary_free(summary);
  jfai_save_options_free(options);
  return status;
}

/* `key` is "id" where tasks were waited for, "index" where they were made. */
static jfai_status all_of(jfai_batch *batch, const char *key, cJSON *out, jfai_error **err) {
  cJSON *ended = cJSON_AddArrayToObject(out, "ended");
  jfai_result *result = NULL;
  jfai_status status;
  while ((status = jfai_batch_next(batch, NULL, &result, err)) == JFAI_OK && result != NULL) {
    cJSON *one = cJSON_CreateObject();
    if (strcmp(key, "index") == 0) cJSON_AddNumberToObject(one, "key", (double)jfai_result_index(result));
    else put(one, "key", jfai_result_task_id(result));
    if (jfai_result_error(result) != NULL) cJSON_AddItemToObject(one, "error", error_json(jfai_result_error(result)));
    if (jfai_result_video(result) != NULL) put_video(one, jfai_result_video(result));
    if (jfai_result_summary(result) != NULL) put_summary(one, jfai_result_summary(result));
    cJSON_AddItemToArray(ended, one);
    jfai_result_free(result);
  }
  jfai_batch_free(batch);
  return status;
}

static jfai_status do_as_completed(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  const cJSON *ids = cJSON_GetObjectItem(with, "ids");
  const size_t count = (size_t)cJSON_GetArraySize(ids);
  const char **list = calloc(count + 1, sizeof *list);
  for (size_t i = 0; i < count; i++) list[i] = cJSON_GetArrayItem(ids, (int)i)->valuestring;
  jfai_batch *batch = NULL;
  const jfai_status status = jfai_wait_all(now->client, list, count, &batch, err);
  free(list);
  return status == JFAI_OK ? all_of(batch, "id", out, err) : status;
}

static jfai_status do_generate_many(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  const cJSON *orders = cJSON_GetObjectItem(with, "requests");
  const size_t count = (size_t)cJSON_GetArraySize(orders);
  jfai_request **list = calloc(count + 1, sizeof *list);
  jfai_status status = JFAI_OK;
  for (size_t i = 0; i < count && status == JFAI_OK; i++)
    status = request_of(cJSON_GetArrayItem(orders, (int)i), &list[i], err);
  jfai_batch *batch = NULL;
  if (status == JFAI_OK)
    status = jfai_generate_many(now->client, (const jfai_request *const *)list, count,
                                (size_t)number(with, "concurrency", 4), &batch, err);
  if (status == JFAI_OK) status = all_of(batch, "index", out, err);
  for (size_t i = 0; i < count; i++) jfai_request_free(list[i]);
  free(list);
  return status;
}

static jfai_status do_check(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_report *report = NULL;
  const jfai_status status = jfai_check(now->client, yes(with, "account"), NULL, &report, err);
  if (status == JFAI_OK) cJSON_AddItemToObject(out, "report", cJSON_Parse(jfai_report_json(report)));
  jfai_report_free(report);
  return status;
}

static jfai_status do_models(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  (void)with;
  jfai_names *names = NULL;
  const jfai_status status = jfai_models(now->client, NULL, &names, err);
  cJSON *list = cJSON_AddArrayToObject(out, "models");
  for (size_t i = 0; i < jfai_names_count(names); i++)
    cJSON_AddItemToArray(list, cJSON_CreateString(jfai_names_at(names, i)));
  jfai_names_free(names);
  return status;
}

static jfai_status do_balance(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  (void)with;
  jfai_balance *balance = NULL;
  const jfai_status status = jfai_get_balance(now->client, NULL, &balance, err);
  if (status != JFAI_OK) return status;
  cJSON *json = cJSON_AddObjectToObject(out, "balance");
  put(json, "name", jfai_balance_name(balance));
  cJSON_AddBoolToObject(json, "unlimited", jfai_balance_unlimited(balance));
  cJSON_AddNumberToObject(json, "available_usd", jfai_balance_available_usd(balance));
  cJSON_AddNumberToObject(json, "used_usd", jfai_balance_used_usd(balance));
  cJSON_AddNumberToObject(json, "expires_at", (double)jfai_balance_expires_at(balance));
  jfai_balance_free(balance);
  return status;
}

static jfai_status do_estimate(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_request *request = NULL;
  jfai_estimate *estimate = NULL;
  jfai_status status = request_of(cJSON_GetObjectItem(with, "request"), &request, err);
  if (status == JFAI_OK) status = jfai_get_estimate(now->client, request, NULL, &estimate, err);
  if (status == JFAI_OK) {
    cJSON *json = cJSON_Parse(jfai_estimate_json(estimate));
    // What has a function of its own is read by it.
    cJSON_DeleteItemFromObject(json, "units");
    cJSON_AddNumberToObject(json, "units", (double)jfai_estimate_units(estimate));
    cJSON_DeleteItemFromObject(json, "certainty");
    put(json, "certainty", jfai_estimate_certainty(estimate));
    cJSON_AddItemToObject(out, "estimate", json);
  }
  jfai_estimate_free(estimate);
  jfai_request_free(request);
  return status;
}

static jfai_status do_key(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_key_record *key = NULL;
  const jfai_status status = jfai_find_key(now->client, text(with, "key"), &key, err);
  if (status != JFAI_OK) return status;
  if (key == NULL) {
    cJSON_AddNullToObject(out, "known");
    return status;
  }
  cJSON *json = cJSON_AddObjectToObject(out, "known");
  cJSON_AddNumberToObject(json, "state", jfai_key_state(key));
  cJSON_AddNumberToObject(json, "attempt", jfai_key_attempt(key));
  put(json, "task_id", jfai_key_task_id(key));
  put(json, "path", jfai_key_path(key));
  jfai_key_record_free(key);
  return status;
}

static jfai_status do_pending(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  (void)with;
  jfai_pending *pending = NULL;
  const jfai_status status = jfai_list_pending(now->client, &pending, err);
  cJSON *list = cJSON_AddArrayToObject(out, "pending");
  for (size_t i = 0; i < jfai_pending_count(pending); i++) {
    cJSON *one = cJSON_CreateObject();
    cJSON_AddNumberToObject(one, "state", jfai_pending_state(pending, i));
    put(one, "task_id", jfai_pending_task_id(pending, i));
    put(one, "model", jfai_pending_model(pending, i));
    put(one, "seconds", jfai_pending_seconds(pending, i));
    put(one, "reason", jfai_pending_reason(pending, i));
    put(one, "prompt", jfai_pending_prompt(pending, i));
    cJSON_AddItemToArray(list, one);
  }
  jfai_pending_free(pending);
  return status;
}

static jfai_status do_forget(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  bool known = false;
  const jfai_status status = jfai_forget(now->client, id_of(now, with), &known, err);
  cJSON_AddBoolToObject(out, "found", known);
  return status;
}

static jfai_status do_reconcile(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_reconciliation *found = NULL;
  const char *token = cJSON_GetStringValue(cJSON_GetObjectItem(with, "account_token"));
  const char *user = cJSON_GetStringValue(cJSON_GetObjectItem(with, "account_user"));
  const jfai_status status = token || user ? jfai_reconcile_with(now->client, token, user, &found, err) : jfai_reconcile(now->client, &found, err);
  if (status != JFAI_OK) return status;
  cJSON *reconciled = cJSON_AddObjectToObject(out, "reconciled");
  cJSON *list = cJSON_AddArrayToObject(reconciled, "entries");
  for (size_t i = 0; i < jfai_reconciliation_count(found); i++) {
    cJSON *one = cJSON_CreateObject();
    cJSON_AddNumberToObject(one, "verdict", jfai_settled_verdict(found, i));
    put(one, "reason", jfai_settled_reason(found, i));
    put(one, "key", jfai_settled_key(found, i));
    put(one, "model", jfai_settled_model(found, i));
    put(one, "seconds", jfai_settled_seconds(found, i));
    put(one, "task_id", jfai_settled_task_id(found, i));
    put(one, "request_id", jfai_settled_request_id(found, i));
    cJSON_AddNumberToObject(one, "charged_units", (double)jfai_settled_charged_units(found, i));
    cJSON_AddItemToArray(list, one);
  }
  cJSON_AddNumberToObject(reconciled, "retry_after_ms", (double)jfai_reconciliation_retry_after_ms(found));
  jfai_reconciliation_free(found);
  return status;
}

static jfai_status do_resolve_unknown(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  bool known = false;
  jfai_pending *pending = NULL;
  jfai_status status = jfai_list_pending(now->client, &pending, err);
  for (size_t i = 0; i < jfai_pending_count(pending) && status == JFAI_OK; i++) {
    const char *intent = jfai_pending_intent(pending, i);
    if (intent != NULL) status = jfai_resolve_unknown(now->client, intent, text(with, "id"), &known, err);
  }
  jfai_pending_free(pending);
  cJSON_AddBoolToObject(out, "found", known);
  return status;
}

static jfai_status do_resume_pending(shim *now, const cJSON *with, cJSON *out, jfai_error **err) {
  jfai_batch *batch = NULL;
  const jfai_status status = jfai_resume_pending(now->client, text(with, "folder"), &batch, err);
  return status == JFAI_OK ? all_of(batch, "id", out, err) : status;
}

static const struct { const char *name; verb call; } verbs[] = {
    {"new_client", do_new_client}, {"create", do_create},           {"get", do_get},
    {"task_by_id", do_task_by_id}, {"refresh", do_refresh},         {"wait", do_wait},
    {"generate", do_generate},     {"watch", do_watch},             {"task_video", do_task_video},
    {"wait_state", do_wait_state}, {"advance", do_advance},
    {"video_by_id", do_video_by_id}, {"video_at", do_video_at},     {"bytes", do_bytes},
    {"read_range", do_read_range}, {"open", do_open},               {"save", do_save},
    {"as_completed", do_as_completed}, {"generate_many", do_generate_many}, {"check", do_check},
    {"models", do_models},         {"balance", do_balance},         {"pending", do_pending},
    {"estimate", do_estimate},
    {"key", do_key},               {"forget", do_forget},         {"reconcile", do_reconcile},   {"resolve_unknown", do_resolve_unknown}, {"resume_pending", do_resume_pending}};

static cJSON *carry_out(shim *now, const cJSON *step) {
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    if (strcmp(verbs[i].name, text(step, "do")) != 0) continue;
    cJSON *out = cJSON_CreateObject();
    jfai_error *err = NULL;
    if (verbs[i].call(now, cJSON_GetObjectItem(step, "with"), out, &err) == JFAI_OK) return out;
    cJSON_Delete(out);
    out = cJSON_CreateObject();
    cJSON_AddItemToObject(out, "error", error_json(err));
    jfai_error_free(err);
    return out;
  }
  cJSON *out = cJSON_CreateObject();
  cJSON_AddStringToObject(out, "thrown", "the shim has no such step");
  return out;
}

int main(void) {
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, stdin) > 0) {
    cJSON *scenario = cJSON_Parse(line);
    cJSON *answer = cJSON_CreateObject();
    cJSON *client = cJSON_AddObjectToObject(answer, "client");
    cJSON *steps = cJSON_AddArrayToObject(answer, "steps");
    shim now = {NULL, NULL, NULL, NULL};
    jfai_error *err = NULL;
    if (open_client(cJSON_GetObjectItem(scenario, "client"), &now.client, &err) == JFAI_OK) {
      const cJSON *step = NULL;
      cJSON_ArrayForEach(step, cJSON_GetObjectItem(scenario, "steps")) cJSON_AddItemToArray(steps, carry_out(&now, step));
    } else {
      cJSON_AddItemToObject(client, "error", error_json(err));
      jfai_error_free(err);
    }
    char *text_of = cJSON_PrintUnformatted(answer);
    puts(text_of);
    fflush(stdout);
    cJSON_free(text_of);
    jfai_video_free(now.video);
    jfai_task_free(now.task);
    jfai_client_free(now.client);
    free(now.kept);
    cJSON_Delete(answer);
    cJSON_Delete(scenario);
  }
  free(line);
  return 0;
}
