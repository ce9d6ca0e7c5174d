/* What a step is given, as the C library takes it. */
#ifndef CONFORMANCE_IN_H
#define CONFORMANCE_IN_H

#include <cjson/cJSON.h>
#include <junfeiai.h>
#include <stdlib.h>
#include <string.h>

static const char *text(const cJSON *object, const char *name) {
  return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}
static double number(const cJSON *object, const char *name, double otherwise) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}
static bool yes(const cJSON *object, const char *name) {
  return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}
static uint64_t ms(double seconds) { return (uint64_t)(seconds * 1000 + 0.5); }

static jfai_cancel *cancel_of(const cJSON *with) {
  jfai_cancel *cancel = NULL;
  const char *when = text(with, "cancel");
  if (when == NULL) return NULL;
  if (jfai_cancel_new(&cancel, NULL) != JFAI_OK) abort();
  if (strcmp(when, "now") == 0) jfai_cancel_now(cancel);
  return cancel;
}

/* The options of a client by the names of their setters. */
static jfai_status open_client(const cJSON *with, jfai_client **out, jfai_error **err) {
  typedef jfai_status (*text_setter)(jfai_client_options *, const char *, jfai_error **);
  typedef jfai_status (*time_setter)(jfai_client_options *, uint64_t, jfai_error **);
  static const struct { const char *name; text_setter set; } texts[] = {
      {"api_key", jfai_client_options_set_api_key},       {"base_url", jfai_client_options_set_endpoint},
      {"endpoint", jfai_client_options_set_endpoint},     {"endpoints", jfai_client_options_add_endpoint},
      {"trusted_hosts", jfai_client_options_trust_host},  {"video_base_url", jfai_client_options_set_video_base_url},
      {"user_agent", jfai_client_options_set_user_agent},
      {"language", jfai_client_options_set_language},     {"journal", jfai_client_options_set_journal},
      {"proxy", jfai_client_options_set_proxy},           {"ca_file", jfai_client_options_set_ca_file}};
  static const struct { const char *name; time_setter set; } times[] = {
      {"timeout", jfai_client_options_set_timeout_ms},           {"create_timeout", jfai_client_options_set_create_timeout_ms},
      {"connect_timeout", jfai_client_options_set_connect_timeout_ms},
      {"idle_timeout", jfai_client_options_set_idle_timeout_ms}, {"wait_timeout", jfai_client_options_set_wait_timeout_ms},
      {"poll_interval", jfai_client_options_set_poll_interval_ms}};
  jfai_client_options *options = NULL;
  jfai_status status = jfai_client_options_new(&options, err);
  for (const cJSON *item = with->child; item != NULL && status == JFAI_OK; item = item->next) {
    for (size_t i = 0; i < sizeof texts / sizeof *texts && status == JFAI_OK; i++) {
      if (strcmp(item->string, texts[i].name) != 0) continue;
      if (cJSON_IsString(item)) status = texts[i].set(options, item->valuestring, err);
      for (const cJSON *one = item->child; one != NULL && status == JFAI_OK; one = one->next)
        status = texts[i].set(options, one->valuestring, err);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times && status == JFAI_OK; i++)
      if (strcmp(item->string, times[i].name) == 0) status = times[i].set(options, ms(item->valuedouble), err);
    if (strcmp(item->string, "headers") == 0)
      for (const cJSON *one = item->child; one != NULL && status == JFAI_OK; one = one->next)
        status = jfai_client_options_set_header(options, one->string, one->valuestring, err);
    if (strcmp(item->string, "max_attempts") == 0 && status == JFAI_OK)
      status = jfai_client_options_set_max_attempts(options, (uint32_t)item->valuedouble, err);
    if (strcmp(item->string, "max_in_flight_creates") == 0 && status == JFAI_OK)
      status = jfai_client_options_set_max_in_flight_creates(options, (uint32_t)item->valuedouble, err);
    if (strcmp(item->string, "request_rate") == 0 && status == JFAI_OK)
      status = jfai_client_options_set_request_rate(options, item->valuedouble, (uint32_t)number(with, "request_burst", 1), err);
    if (strcmp(item->string, "max_cost") == 0 && !cJSON_IsNull(item) && status == JFAI_OK)
      status = jfai_client_options_set_max_cost(options, item->valuedouble, err);
    if (strcmp(item->string, "budget") == 0 && !cJSON_IsNull(item) && status == JFAI_OK)
      status = jfai_client_options_set_budget(options, item->valuedouble, err);
    if (strcmp(item->string, "max_cost_strict") == 0 && status == JFAI_OK)
      status = jfai_client_options_set_max_cost_strict(options, cJSON_IsTrue(item), err);
    if (strcmp(item->string, "journal_prompts") == 0 && status == JFAI_OK)
      status = jfai_client_options_set_journal_prompts(options, cJSON_IsTrue(item), err);
  }
  if (status == JFAI_OK) status = jfai_client_new(options, out, err);
  jfai_client_options_free(options);
  return status;
}

static jfai_status request_of(const cJSON *json, jfai_request **out, jfai_error **err) {
  char *line = cJSON_PrintUnformatted(json);
  const jfai_status status = jfai_request_from_json(line, out, err);
  cJSON_free(line);
  return status;
}

#endif
