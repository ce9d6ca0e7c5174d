/* What the C library gives, as JSON: each value under the name of its accessor. */
#ifndef CONFORMANCE_OUT_H
#define CONFORMANCE_OUT_H

#include "in.h"

#include <stdio.h>

static void put(cJSON *object, const char *name, const char *value) {
  if (value != NULL) cJSON_AddStringToObject(object, name, value);
  else cJSON_AddNullToObject(object, name);
}

static cJSON *error_json(const jfai_error *e) {
  cJSON *json = cJSON_CreateObject();
  cJSON_AddNumberToObject(json, "status", jfai_error_status(e));
  put(json, "kind", jfai_error_kind(e));
  put(json, "phase", jfai_error_phase(e));
  put(json, "message", jfai_error_message(e));
  put(json, "detail", jfai_error_detail(e));
  put(json, "field", jfai_error_field(e));
  cJSON_AddNumberToObject(json, "http_status", jfai_error_http_status(e));
  put(json, "server_code", jfai_error_server_code(e));
  put(json, "server_message", jfai_error_server_message(e));
  put(json, "request_id", jfai_error_request_id(e));
  put(json, "task_id", jfai_error_task_id(e));
  put(json, "last_status", jfai_task_status_name(jfai_error_last_status(e)));
  cJSON_AddNumberToObject(json, "retry_after_ms", (double)jfai_error_retry_after_ms(e));
  cJSON_AddNumberToObject(json, "attempts", jfai_error_attempts(e));
  cJSON_AddBoolToObject(json, "maybe_executed", jfai_error_maybe_executed(e));
  cJSON_AddBoolToObject(json, "is_transient", jfai_error_is_transient(e));
  return json;
}

static void put_video(cJSON *out, const jfai_video *video) {
  cJSON *json = cJSON_AddObjectToObject(out, "video");
  put(json, "task_id", jfai_video_task_id(video));
  put(json, "url", jfai_video_url(video));
}

/* C has no hash of its own: the bytes go to the file that the step names. */
static void put_bytes(cJSON *out, const cJSON *with, int part, const uint8_t *data, size_t size) {
  char name[4096];
  snprintf(name, sizeof name, "%s.%d", text(with, "into"), part);
  FILE *file = fopen(name, "wb");
  if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) exit(EXIT_FAILURE);
  cJSON *json = cJSON_AddObjectToObject(out, "bytes");
  cJSON_AddNumberToObject(json, "length", (double)size);
  cJSON_AddStringToObject(json, "file", name);
}

static void put_summary(cJSON *out, const jfai_summary *summary) {
  cJSON *json = cJSON_AddObjectToObject(out, "summary");
  put(json, "path", jfai_summary_path(summary));
  cJSON_AddNumberToObject(json, "bytes", (double)jfai_summary_bytes(summary));
  cJSON_AddNumberToObject(json, "duration_ms", (double)jfai_summary_duration_ms(summary));
  cJSON_AddNumberToObject(json, "width", jfai_summary_width(summary));
  cJSON_AddNumberToObject(json, "height", jfai_summary_height(summary));
  cJSON_AddBoolToObject(json, "resumed", jfai_summary_resumed(summary));
  cJSON_AddNumberToObject(json, "attempts", jfai_summary_attempts(summary));
  put(json, "sha256", jfai_summary_sha256(summary));
}

static void put_task(cJSON *out, const jfai_task *task) {
  cJSON *json = cJSON_AddObjectToObject(out, "task");
  put(json, "id", jfai_task_id(task));
  put(json, "status", jfai_task_status_name(jfai_task_status(task)));
  put(json, "raw_status", jfai_task_raw_status(task));
  cJSON_AddNumberToObject(json, "progress", jfai_task_progress(task));
  put(json, "video_url", jfai_task_video_url(task));
  put(json, "fail_reason", jfai_task_fail_reason(task));
  put(json, "model", jfai_task_model(task));
  cJSON_AddNumberToObject(json, "billed_seconds", jfai_task_billed_seconds(task));
  cJSON_AddNumberToObject(json, "charged_units", (double)jfai_task_charged_units(task));
  cJSON_AddNumberToObject(json, "created_at", (double)jfai_task_created_at(task));
  cJSON_AddNumberToObject(json, "started_at", (double)jfai_task_started_at(task));
  cJSON_AddNumberToObject(json, "finished_at", (double)jfai_task_finished_at(task));
  cJSON *list = cJSON_AddArrayToObject(out, "warnings");
  const jfai_warnings *warnings = jfai_task_warnings(task);
  for (size_t i = 0; i < jfai_warnings_count(warnings); i++) {
    cJSON *warning = cJSON_CreateObject();
    put(warning, "code", jfai_warnings_code(warnings, i));
    put(warning, "message", jfai_warnings_message(warnings, i));
    cJSON_AddItemToArray(list, warning);
  }
}

#endif
