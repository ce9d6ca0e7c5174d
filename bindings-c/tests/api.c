/* Every function as it is meant to be used. */
#include "check.h"

static int logged;
static int states;
static uint64_t last_bytes;

static void on_log(void *user, int32_t level, const char *line) {
  (void)level;
  (*(int *)user)++;
  if (strstr(line, "sk-test") != NULL) failed++;
}

static int on_task(void *user, const jfai_task *task) {
  CHECK(jfai_task_id(task) != NULL);
  (*(int *)user)++;
  return 0;
}

static int stop_at_once(void *user, const jfai_task *task) {
  jfai_task **keep = user;
  if (*keep == NULL) EXPECT(JFAI_OK, jfai_task_clone(task, keep, &err));
  return 1;
}

static int on_bytes(void *user, uint64_t bytes, uint64_t total, double rate) {
  *(uint64_t *)user = bytes;
  CHECK(total == 0 || bytes <= total);
  CHECK(rate >= 0);
  return 0;
}

static int no_more_bytes(void *user, uint64_t bytes, uint64_t total, double rate) {
  (void)user, (void)bytes, (void)total, (void)rate;
  return 1;
}

static void options(void) {
  jfai_client_options *o = NULL;
  jfai_client *client = NULL;
  EXPECT(JFAI_OK, jfai_client_options_new(&o, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_api_key(o, "sk-test", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_endpoint(o, "china", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_video_base_url(o, "https://video.example", &err));
  EXPECT(JFAI_OK, jfai_client_options_trust_host(o, "files.example:8443", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_proxy(o, "", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_language(o, "zh-CN", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_sdk_name(o, "test", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_user_agent(o, "my-app/1.2", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_header(o, "X-Gateway", "first", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_header(o, "x-gateway", "second", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_timeout_ms(o, 1000, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_create_timeout_ms(o, JFAI_FOREVER, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_connect_timeout_ms(o, 1000, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_idle_timeout_ms(o, 1000, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_max_attempts(o, 3, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_retry_pauses_ms(o, 10, 20, 100, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_poll_interval_ms(o, 6000, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_wait_timeout_ms(o, JFAI_FOREVER, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_max_poll_errors(o, 5, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_request_rate(o, 1.5, 3, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_max_in_flight_creates(o, 2, &err));
  EXPECT(JFAI_OK, jfai_client_options_add_endpoint(o, "standard", &err));
  EXPECT(JFAI_OK, jfai_client_new(o, &client, &err));
  CHECK(strcmp(jfai_client_endpoint(client), "https://junfeiai.hk-proxy.lingzhiwuxian.com/v1") == 0);
  jfai_client_free(client);
  client = NULL;

  EXPECT(JFAI_OK, jfai_client_options_set_ca_file(o, "/no/such/file.pem", &err));
  EXPECT(JFAI_ERR_CONFIG, jfai_client_new(o, &client, &err));
  CHECK(client == NULL);
  jfai_client_options_free(o);

  EXPECT(JFAI_OK, jfai_client_options_new(&o, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_timeout_ms(o, 0, &err));
  EXPECT(JFAI_ERR_CONFIG, jfai_client_new(o, &client, &err));
  jfai_client_options_free(o);
}

static void requests(void) {
  static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0};
  jfai_request *r = NULL;
  jfai_warnings *w = NULL;
  EXPECT(JFAI_OK, jfai_request_new("a ball", &r, &err));
  EXPECT(JFAI_OK, jfai_request_set_model(r, "grok-image-video", &err));
  EXPECT(JFAI_OK, jfai_request_set_seconds(r, 7, &err));
  EXPECT(JFAI_OK, jfai_request_set_size(r, "1280x720", &err));
  EXPECT(JFAI_OK, jfai_request_set_extra_json(r, "aspect_ratio", "\"16:9\"", &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_request_set_extra_json(r, "aspect_ratio", "16:9", &err));
  EXPECT(JFAI_OK, jfai_request_check(r, &w, &err));
  CHECK(jfai_warnings_count(w) == 1);
  CHECK(strcmp(jfai_warnings_code(w, 0), "unusual_length") == 0);
  CHECK(jfai_warnings_message(w, 0) != NULL);
  CHECK(jfai_warnings_code(w, 1) == NULL && jfai_warnings_message(w, SIZE_MAX) == NULL);
  jfai_warnings_free(w);
  EXPECT(JFAI_OK, jfai_request_set_validate(r, JFAI_VALIDATE_STRICT, &err));
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_request_check(r, NULL, &err));
  EXPECT(JFAI_OK, jfai_request_set_validate(r, JFAI_VALIDATE_OFF, &err));
  EXPECT(JFAI_OK, jfai_request_check(r, NULL, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_request_set_validate(r, 9, &err));
  EXPECT(JFAI_OK, jfai_request_set_image_url(r, "https://example.com/a.png", &err));
  EXPECT(JFAI_OK, jfai_request_set_image_bytes(r, png, sizeof png, &err));
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_request_set_image_bytes(r, NULL, 0, &err));
  EXPECT(JFAI_ERR_IO, jfai_request_set_image_file(r, "/no/such/image.png", &err));
  EXPECT(JFAI_OK, jfai_request_add_reference_url(r, "https://example.com/a.png", &err));
  EXPECT(JFAI_OK, jfai_request_add_reference_bytes(r, png, sizeof png, &err));
  EXPECT(JFAI_ERR_IO, jfai_request_add_reference_file(r, "/no/such/image.png", &err));
  jfai_request_free(r);

  EXPECT(JFAI_OK, jfai_request_from_json("{\"prompt\":\"a ball\",\"seconds\":6}", &r, &err));
  EXPECT(JFAI_OK, jfai_request_check(r, NULL, &err));
  jfai_request_free(r);
  r = NULL;
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_request_from_json("{\"promt\":\"a ball\"}", &r, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_request_from_json("{", &r, &err));
  CHECK(r == NULL);
}

static void errors(const jfai_client *client) {
  jfai_error *err = NULL;
  jfai_task *task = NULL;
  const jfai_status status = jfai_get(client, "task_no_such_thing", NULL, &task, &err);
  CHECK(status == JFAI_ERR_NOT_FOUND && jfai_error_status(err) == status);
  CHECK(task == NULL);
  CHECK(strcmp(jfai_error_kind(err), "not_found") == 0);
  CHECK(strcmp(jfai_error_phase(err), "query") == 0);
  CHECK(jfai_error_message(err) != NULL && jfai_error_detail(err) != NULL);
  CHECK(jfai_error_http_status(err) == 400);
  CHECK(strcmp(jfai_error_server_code(err), "task_not_exist") == 0);
  CHECK(jfai_error_server_message(err) != NULL);
  CHECK(jfai_error_request_id(err) != NULL);
  CHECK(strcmp(jfai_error_task_id(err), "task_no_such_thing") == 0);
  CHECK(jfai_error_last_status(err) == JFAI_TASK_UNKNOWN);
  CHECK(jfai_error_retry_after_ms(err) == -1);
  CHECK(jfai_error_attempts(err) >= 1);
  CHECK(!jfai_error_maybe_executed(err) && !jfai_error_is_transient(err));
  CHECK(jfai_error_field(err) == NULL);
  CHECK(strstr(jfai_error_json(err), "\"number\":24") != NULL);
  jfai_error_free(err);
  CHECK(strcmp(jfai_status_name(JFAI_OK), "ok") == 0);
  CHECK(strcmp(jfai_status_name(JFAI_ERR_FORKED), "forked") == 0);
  CHECK(strcmp(jfai_status_name(JFAI_ERR_INTERNAL), "internal") == 0);
  CHECK(strcmp(jfai_status_name(-5), "unknown") == 0);
}

static void main_job(const jfai_client *client, const char *folder) {
  char path[512];
  jfai_request *request = ball();
  jfai_task *task = NULL, *again = NULL, *seen = NULL, *kept = NULL;
  jfai_video *video = NULL, *other = NULL;
  jfai_wait_options *wait = NULL;
  jfai_save_options *save = NULL;
  jfai_summary *summary = NULL;
  jfai_watch *watch = NULL;
  jfai_cancel *cancel = NULL;
  jfai_bytes *bytes = NULL;
  uint8_t buffer[64];
  size_t got = 0;

  EXPECT(JFAI_OK, jfai_cancel_new(&cancel, &err));
  CHECK(!jfai_cancel_is_cancelled(cancel));
  EXPECT(JFAI_OK, jfai_create(client, request, cancel, &task, &err));
  CHECK(strncmp(jfai_task_id(task), "task_", 5) == 0);
  CHECK(jfai_task_billed_seconds(task) == 4);
  CHECK(strcmp(jfai_task_status_name(jfai_task_status(task)), "queued") == 0);
  CHECK(jfai_task_raw_status(task) != NULL && jfai_task_model(task) != NULL);
  CHECK(jfai_warnings_count(jfai_task_warnings(task)) == 0);
  EXPECT(JFAI_ERR_NOT_READY, jfai_task_video(task, &video, &err));

  EXPECT(JFAI_OK, jfai_wait_options_new(&wait, &err));
  EXPECT(JFAI_OK, jfai_wait_options_set_timeout_ms(wait, 20000, &err));
  EXPECT(JFAI_OK, jfai_wait_options_set_poll_interval_ms(wait, 10, &err));
  EXPECT(JFAI_OK, jfai_wait_options_set_progress(wait, on_task, &states, &err));
  EXPECT(JFAI_OK, jfai_wait(task, wait, cancel, &video, &err));
  CHECK(states >= 1);
  CHECK(strcmp(jfai_video_task_id(video), jfai_task_id(task)) == 0);
  CHECK(jfai_video_url(video) != NULL && strstr(jfai_video_file_name(video), ".mp4") != NULL);

  EXPECT(JFAI_OK, jfai_task_by_id(client, jfai_task_id(task), &again, &err));
  CHECK(jfai_task_status(again) == JFAI_TASK_UNKNOWN && jfai_task_progress(again) == -1);
  EXPECT(JFAI_OK, jfai_task_refresh(again, cancel, &seen, &err));
  CHECK(jfai_task_status(seen) == JFAI_TASK_SUCCEEDED && jfai_task_progress(seen) == 100);
  CHECK(jfai_task_video_url(seen) != NULL && jfai_task_fail_reason(seen) == NULL);
  CHECK(jfai_task_created_at(seen) != 0 && jfai_task_started_at(seen) != 0 && jfai_task_finished_at(seen) != 0);
  CHECK(strstr(jfai_task_raw_json(seen), "SUCCESS") != NULL);
  jfai_task_free(seen);
  EXPECT(JFAI_OK, jfai_get(client, jfai_task_id(task), NULL, &seen, &err));
  EXPECT(JFAI_OK, jfai_task_video(seen, &other, &err));
  jfai_video_free(other);

  EXPECT(JFAI_OK, jfai_watch_new(again, wait, &watch, &err));
  jfai_task *shown = NULL;
  EXPECT(JFAI_OK, jfai_watch_next(watch, cancel, &shown, &err));
  CHECK(jfai_task_status(shown) == JFAI_TASK_SUCCEEDED);
  jfai_task_free(shown);
  EXPECT(JFAI_OK, jfai_watch_next(watch, NULL, &shown, &err));
  CHECK(shown == NULL);
  jfai_watch_free(watch);

  jfai_wait_step *step = NULL, *next = NULL;
  EXPECT(JFAI_OK, jfai_task_wait_state(again, wait, &step, &err));
  CHECK(!jfai_wait_step_done(step) && jfai_wait_step_retry_after_ms(step) == 0);
  CHECK(strcmp(jfai_wait_step_task_id(step), jfai_task_id(task)) == 0);
  CHECK(strstr(jfai_wait_step_state(step), "\"junfeiai_wait\":1") != NULL && strstr(jfai_wait_step_state(step), "sk-test") == NULL);
  EXPECT(JFAI_ERR_NOT_READY, jfai_wait_step_video(step, &other, &err));
  EXPECT(JFAI_OK, jfai_advance(client, jfai_wait_step_state(step), NULL, &next, &err));
  CHECK(jfai_wait_step_done(next) && jfai_wait_step_state(next) == NULL && jfai_wait_step_retry_after_ms(next) == -1);
  CHECK(strcmp(jfai_wait_step_task_id(next), jfai_task_id(task)) == 0);
  EXPECT(JFAI_OK, jfai_wait_step_video(next, &other, &err));
  CHECK(strcmp(jfai_video_task_id(other), jfai_task_id(task)) == 0);
  jfai_video_free(other);
  jfai_wait_step_free(next);
  jfai_cancel *stop = NULL;
  EXPECT(JFAI_OK, jfai_cancel_new(&stop, &err));
  jfai_cancel_now(stop);
  next = NULL;
  EXPECT(JFAI_ERR_CANCELLED, jfai_advance(client, jfai_wait_step_state(step), stop, &next, &err));
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_advance(client, "{}", NULL, &next, &err));
  CHECK(next == NULL);
  jfai_cancel_free(stop);
  jfai_wait_step_free(step);

  EXPECT(JFAI_OK, jfai_save_options_new(&save, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_connections(save, 2, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_overwrite(save, false, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_create_parents(save, true, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_sha256(save, true, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_verify(save, true, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_timeout_ms(save, 20000, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_rate_limit(save, UINT64_MAX, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_progress(save, on_bytes, &last_bytes, &err));
  snprintf(path, sizeof path, "%s/new/%s", folder, jfai_video_file_name(video));
  remove(path);
  EXPECT(JFAI_OK, jfai_check_save(client, path, save, &err));
  CHECK(fopen(path, "rb") == NULL);
  EXPECT(JFAI_OK, jfai_save(video, path, save, cancel, &summary, &err));
  CHECK(strcmp(jfai_summary_path(summary), path) == 0);
  CHECK(jfai_summary_bytes(summary) == last_bytes && last_bytes > 1000);
  CHECK(jfai_summary_duration_ms(summary) == 4000);
  CHECK(jfai_summary_charged_units(summary) > 0 && jfai_summary_charged_units(NULL) == -1);
  CHECK(jfai_summary_width(summary) == 1280 && jfai_summary_height(summary) == 720);
  CHECK(jfai_summary_attempts(summary) >= 1 && jfai_summary_elapsed_ms(summary) >= 0);
  CHECK(!jfai_summary_resumed(summary) || jfai_summary_attempts(summary) > 1);
  CHECK(jfai_summary_sha256(summary) != NULL && strlen(jfai_summary_sha256(summary)) == 64);
  EXPECT(JFAI_ERR_FILE_EXISTS, jfai_save(video, path, save, NULL, NULL, &err));
  EXPECT(JFAI_ERR_FILE_EXISTS, jfai_check_save(client, path, save, &err));
  EXPECT(JFAI_ERR_FILE_EXISTS, jfai_check_save(client, path, NULL, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_overwrite(save, true, &err));
  EXPECT(JFAI_OK, jfai_check_save(client, path, save, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_progress(save, no_more_bytes, NULL, &err));
  jfai_error *err = NULL;
  const jfai_status stopped = jfai_save(video, path, save, NULL, NULL, &err);
  /* A small file may be whole before progress is reported. */
  CHECK(stopped == JFAI_ERR_CANCELLED || stopped == JFAI_OK);
  CHECK(stopped == JFAI_OK || strcmp(jfai_error_task_id(err), jfai_task_id(task)) == 0);
  jfai_error_free(err);
  remove(path);

  EXPECT(JFAI_OK, jfai_video_read_range(video, 4, buffer, sizeof buffer, cancel, &got, &err));
  CHECK(got == sizeof buffer && memcmp(buffer, "ftyp", 4) == 0);
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_video_read_range(video, 4, NULL, 0, NULL, &got, &err));
  EXPECT(JFAI_OK, jfai_video_bytes(video, 0, cancel, &bytes, &err));
  CHECK(jfai_bytes_size(bytes) == jfai_summary_bytes(summary));
  CHECK(memcmp(jfai_bytes_data(bytes) + 4, buffer, 64) == 0);
  jfai_bytes_free(bytes);
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_video_bytes(video, 10, NULL, &bytes, &err));
  EXPECT(JFAI_OK, jfai_video_at(client, jfai_video_url(video), &other, &err));
  CHECK(jfai_video_task_id(other) == NULL);
  EXPECT(JFAI_OK, jfai_video_read_range(other, 0, buffer, 8, NULL, &got, &err));
  jfai_video_free(other);
  EXPECT(JFAI_OK, jfai_video_by_id(client, jfai_task_id(task), &other, &err));
  EXPECT(JFAI_OK, jfai_video_read_range(other, 0, buffer, 8, NULL, &got, &err));
  jfai_video_free(other);
  jfai_video_free(video);

  /* generate; and a callback that ends it, with the id of what was paid for */
  EXPECT(JFAI_OK, jfai_wait_options_set_progress(wait, NULL, NULL, &err));
  EXPECT(JFAI_OK, jfai_generate(client, request, wait, NULL, &video, &err));
  jfai_video_free(video);
  EXPECT(JFAI_OK, jfai_wait_options_set_progress(wait, stop_at_once, &kept, &err));
  const jfai_status ended = jfai_generate(client, request, wait, NULL, &video, &err);
  CHECK(ended == JFAI_ERR_CANCELLED && kept != NULL);
  CHECK(strcmp(jfai_error_task_id(err), jfai_task_id(kept)) == 0);
  jfai_error_free(err);

  jfai_cancel_now(cancel);
  CHECK(jfai_cancel_is_cancelled(cancel));
  EXPECT(JFAI_ERR_CANCELLED, jfai_get(client, jfai_task_id(task), cancel, &shown, &err));
  EXPECT(JFAI_ERR_CANCELLED, jfai_create(client, request, cancel, &shown, &err));

  /* a task that fails */
  jfai_request_free(request);
  EXPECT(JFAI_OK, jfai_request_new("a ball [fail]", &request, &err));
  err = NULL;
  CHECK(jfai_generate(client, request, NULL, NULL, &video, &err) == JFAI_ERR_TASK_FAILED);
  CHECK(jfai_error_task_id(err) != NULL && jfai_error_last_status(err) == JFAI_TASK_FAILED);
  jfai_error_free(err);

  jfai_cancel_free(cancel);
  jfai_summary_free(summary);
  jfai_save_options_free(save);
  jfai_wait_options_free(wait);
  jfai_task_free(kept);
  jfai_task_free(seen);
  jfai_task_free(again);
  jfai_task_free(task);
  jfai_request_free(request);
}

static void reading(const jfai_client *client) {
  jfai_video *video = NULL;
  jfai_reader *reader = NULL;
  jfai_bytes *whole = NULL;
  uint8_t buffer[300000];
  uint64_t size = 0, place = 0;
  size_t got = 9;
  EXPECT(JFAI_OK, jfai_video_by_id(client, "task_life", &video, &err));
  EXPECT(JFAI_OK, jfai_video_bytes(video, 0, NULL, &whole, &err));
  EXPECT(JFAI_OK, jfai_reader_open(video, NULL, &reader, &err));
  EXPECT(JFAI_OK, jfai_reader_size(reader, &size, &err));
  CHECK(size == jfai_bytes_size(whole));
  EXPECT(JFAI_OK, jfai_reader_read(reader, NULL, 0, &got, &err));
  CHECK(got == 0 && jfai_reader_position(reader) == 0);
  EXPECT(JFAI_OK, jfai_reader_read(reader, buffer, size < sizeof buffer ? (size_t)size : sizeof buffer, &got, &err));
  CHECK(got > 1000 && memcmp(buffer, jfai_bytes_data(whole), got) == 0);
  EXPECT(JFAI_OK, jfai_reader_seek(reader, -10, JFAI_SEEK_END, &place, &err));
  CHECK(place == size - 10);
  EXPECT(JFAI_OK, jfai_reader_read(reader, buffer, sizeof buffer, &got, &err));
  CHECK(got == 10 && memcmp(buffer, jfai_bytes_data(whole) + size - 10, 10) == 0);
  EXPECT(JFAI_OK, jfai_reader_read(reader, buffer, 1, &got, &err));
  CHECK(got == 0);
  EXPECT(JFAI_OK, jfai_reader_seek(reader, 4, JFAI_SEEK_SET, NULL, &err));
  EXPECT(JFAI_OK, jfai_reader_seek(reader, 2, JFAI_SEEK_CUR, &place, &err));
  CHECK(place == 6 && jfai_reader_position(reader) == 6);
  EXPECT(JFAI_ERR_ARGUMENT, jfai_reader_seek(reader, -1, JFAI_SEEK_SET, NULL, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_reader_seek(reader, 0, 3, NULL, &err));
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_reader_seek(reader, INT64_MIN, JFAI_SEEK_CUR, NULL, &err));
  jfai_reader_free(reader);
  jfai_bytes_free(whole);
  jfai_video_free(video);
}

static void looking(const jfai_client *client) {
  jfai_report *report = NULL;
  jfai_names *models = NULL;
  jfai_balance *balance = NULL;
  EXPECT(JFAI_OK, jfai_check(client, true, NULL, &report, &err));
  CHECK(jfai_report_ok(report) || strstr(jfai_report_text(report), "video_host") != NULL);
  CHECK(strstr(jfai_report_json(report), "\"entries\"") != NULL);
  jfai_report_free(report);
  EXPECT(JFAI_OK, jfai_models(client, NULL, &models, &err));
  CHECK(jfai_names_count(models) > 0 && jfai_names_at(models, 0) != NULL);
  CHECK(jfai_names_at(models, jfai_names_count(models)) == NULL);
  jfai_names_free(models);
  EXPECT(JFAI_OK, jfai_get_balance(client, NULL, &balance, &err));
  CHECK(jfai_balance_available_usd(balance) > 0 && jfai_balance_used_usd(balance) >= 0);
  CHECK(jfai_balance_expires_at(balance) >= -1 && (jfai_balance_unlimited(balance) || jfai_balance_name(balance) != NULL));
  jfai_balance_free(balance);

  jfai_request *request = ball();
  jfai_estimate *estimate = NULL;
  EXPECT(JFAI_OK, jfai_get_estimate(client, request, NULL, &estimate, &err));
  CHECK(jfai_estimate_units(estimate) > 0 && jfai_estimate_usd(estimate) > 0);
  CHECK(jfai_estimate_units_at_most(estimate) >= jfai_estimate_units(estimate) && jfai_estimate_billed_seconds(estimate) > 0);
  CHECK(jfai_estimate_certainty(estimate) != NULL && strstr(jfai_estimate_json(estimate), "\"price_per_second\":") != NULL);
  jfai_estimate_free(estimate);
  jfai_request_free(request);
  EXPECT(JFAI_ERR_ARGUMENT, jfai_get_estimate(client, NULL, NULL, &estimate, &err));
  CHECK(jfai_estimate_units(NULL) == -1 && jfai_estimate_usd(NULL) == -1 && jfai_estimate_json(NULL) == NULL);
  jfai_estimate_free(NULL);
}

static void many(const jfai_client *client) {
  const char *ids[] = {"task_life", "task_no_such_thing", "task_life"};
  jfai_request *one = ball(), *two = ball();
  const jfai_request *batch_requests[] = {one, two};
  jfai_batch *batch = NULL;
  jfai_result *result = NULL;
  int videos = 0, errors = 0, places = 0;
  EXPECT(JFAI_OK, jfai_wait_all(client, ids, 3, &batch, &err));
  for (;;) {
    EXPECT(JFAI_OK, jfai_batch_next(batch, NULL, &result, &err));
    if (result == NULL) break;
    places |= 1 << jfai_result_index(result);
    CHECK(strcmp(jfai_result_task_id(result), ids[jfai_result_index(result)]) == 0);
    videos += jfai_result_video(result) != NULL;
    errors += jfai_error_status(jfai_result_error(result)) == JFAI_ERR_NOT_FOUND;
    CHECK(jfai_result_summary(result) == NULL);
    jfai_result_free(result);
  }
  CHECK(videos == 2 && errors == 1 && places == 7);
  jfai_batch_free(batch);
  EXPECT(JFAI_OK, jfai_wait_all(client, NULL, 0, &batch, &err));
  EXPECT(JFAI_OK, jfai_batch_next(batch, NULL, &result, &err));
  CHECK(result == NULL);
  jfai_batch_free(batch);
  batch = NULL;
  ids[1] = NULL;
  EXPECT(JFAI_ERR_ARGUMENT, jfai_wait_all(client, ids, 3, &batch, &err));

  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_generate_many(client, batch_requests, 2, 0, &batch, &err));
  EXPECT(JFAI_OK, jfai_generate_many(client, batch_requests, 2, 2, &batch, &err));
  jfai_request_free(one);
  jfai_request_free(two);
  for (int i = 0; i < 2; i++) {
    EXPECT(JFAI_OK, jfai_batch_next(batch, NULL, &result, &err));
    CHECK(jfai_result_video(result) != NULL && jfai_result_task_id(result) != NULL);
    jfai_result_free(result);
  }
  jfai_batch_free(batch);
  batch_requests[0] = NULL;
  batch = NULL;
  EXPECT(JFAI_ERR_ARGUMENT, jfai_generate_many(client, batch_requests, 1, 2, &batch, &err));
  CHECK(batch == NULL);
}

/* The same key is one task, until it is saved and after. */
static void keys(const jfai_client *client, const char *folder) {
  char path[512];
  jfai_request *request = ball();
  jfai_task *first = NULL, *again = NULL;
  jfai_video *video = NULL;
  jfai_summary *summary = NULL;
  jfai_pending *list = NULL;
  jfai_key_record *record = NULL;
  EXPECT(JFAI_OK, jfai_request_set_key(request, "film/1", &err));
  EXPECT(JFAI_OK, jfai_request_set_retry_failed(request, true, &err));
  EXPECT(JFAI_OK, jfai_find_key(client, "film/1", &record, &err));
  CHECK(record == NULL && jfai_key_state(NULL) == 0 && jfai_key_attempt(NULL) == 0 && jfai_key_created_at(NULL) == -1);
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &first, &err));
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &again, &err));
  CHECK(strcmp(jfai_task_id(first), jfai_task_id(again)) == 0);
  CHECK(!jfai_task_is_reused(first) && jfai_task_is_reused(again) && jfai_task_saved_path(again) == NULL);
  EXPECT(JFAI_OK, jfai_list_pending(client, &list, &err));
  CHECK(jfai_pending_count(list) == 1 && strcmp(jfai_pending_key(list, 0), "film/1") == 0 && jfai_pending_key(list, 1) == NULL);
  jfai_pending_free(list);
  EXPECT(JFAI_OK, jfai_generate(client, request, NULL, NULL, &video, &err));
  CHECK(jfai_video_saved_path(video) == NULL);
  snprintf(path, sizeof path, "%s/keyed.mp4", folder);
  EXPECT(JFAI_OK, jfai_save(video, path, NULL, NULL, &summary, &err));
  jfai_summary_free(summary);
  jfai_video_free(video);
  EXPECT(JFAI_OK, jfai_generate(client, request, NULL, NULL, &video, &err));
  CHECK(strstr(jfai_video_saved_path(video), "keyed.mp4") != NULL);
  EXPECT(JFAI_OK, jfai_save(video, path, NULL, NULL, &summary, &err));
  CHECK(jfai_summary_attempts(summary) == 0);
  jfai_summary_free(summary);
  jfai_video_free(video);
  EXPECT(JFAI_OK, jfai_find_key(client, "film/1", &record, &err));
  CHECK(jfai_key_state(record) == JFAI_KEY_SAVED && jfai_key_attempt(record) == 1 && jfai_key_created_at(record) > 1600000000);
  CHECK(strcmp(jfai_key_task_id(record), jfai_task_id(first)) == 0 && strlen(jfai_key_intent(record)) > 8);
  CHECK(strstr(jfai_key_path(record), "keyed.mp4") != NULL);
  jfai_key_record_free(record);
  CHECK(jfai_task_charged_units(first) == -1);
  jfai_task_free(first);
  jfai_task_free(again);
  jfai_request_free(request);
}

static void journal(const jfai_client *without, const char *folder) {
  char path[512];
  jfai_client_options *o = NULL;
  jfai_client *client = NULL;
  jfai_pending *list = NULL;
  jfai_request *request = ball();
  jfai_task *task = NULL;
  jfai_batch *batch = NULL;
  jfai_result *result = NULL;
  jfai_reconciliation *settled = NULL;
  bool found = true;
  EXPECT(JFAI_ERR_CONFIG, jfai_list_pending(without, &list, &err));
  EXPECT(JFAI_ERR_CONFIG, jfai_reconcile(without, &settled, &err));
  snprintf(path, sizeof path, "%s/journal", folder);
  EXPECT(JFAI_OK, jfai_client_options_new(&o, &err));
  EXPECT(JFAI_OK, jfai_client_options_use_env(o, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_journal(o, path, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_journal_prompts(o, true, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_max_cost_strict(o, true, &err));
  EXPECT(JFAI_ERR_CONFIG, jfai_client_new(o, &client, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_budget(o, 0, &err));
  EXPECT(JFAI_ERR_CONFIG, jfai_client_new(o, &client, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_budget(o, 50, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_max_cost(o, 5, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_poll_interval_ms(o, 20, &err));
  EXPECT(JFAI_OK, jfai_client_new(o, &client, &err));
  jfai_client_options_free(o);
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &task, &err));
  jfai_spending *spending = NULL;
  EXPECT(JFAI_ERR_CONFIG, jfai_get_spending(without, NULL, &spending, &err));
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_get_spending(client, "soon", &spending, &err));
  EXPECT(JFAI_OK, jfai_get_spending(client, "2026-01-01", &spending, &err));
  CHECK(jfai_spending_json(spending)[0] == '[' && jfai_spending_json(NULL) == NULL);
  jfai_spending_free(spending);
  EXPECT(JFAI_OK, jfai_list_pending(client, &list, &err));
  CHECK(jfai_pending_count(list) == 1 && jfai_pending_state(list, 0) == JFAI_PENDING_CREATED);
  CHECK(strcmp(jfai_pending_task_id(list, 0), jfai_task_id(task)) == 0 && jfai_pending_intent(list, 0) == NULL);
  CHECK(strcmp(jfai_pending_model(list, 0), "grok-image-video") == 0 && strcmp(jfai_pending_seconds(list, 0), "4") == 0);
  CHECK(jfai_pending_reason(list, 0) == NULL && strlen(jfai_pending_fingerprint(list, 0)) == 64);
  CHECK(strstr(jfai_pending_prompt(list, 0), "red ball") != NULL && jfai_pending_created_at(list, 0) > 1600000000);
  CHECK(jfai_pending_state(list, 1) == 0 && jfai_pending_task_id(list, 1) == NULL && jfai_pending_created_at(list, 1) == -1);
  jfai_pending_free(list);
  EXPECT(JFAI_OK, jfai_resume_pending(client, folder, &batch, &err));
  EXPECT(JFAI_OK, jfai_batch_next(batch, NULL, &result, &err));
  CHECK(jfai_summary_bytes(jfai_result_summary(result)) > 1000 && jfai_result_error(result) == NULL);
  CHECK(strcmp(jfai_result_task_id(result), jfai_task_id(task)) == 0);
  jfai_result_free(result);
  EXPECT(JFAI_OK, jfai_batch_next(batch, NULL, &result, &err));
  CHECK(result == NULL);
  jfai_batch_free(batch);
  jfai_task_free(task);
  keys(client, folder);
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &task, &err));
  EXPECT(JFAI_OK, jfai_forget(client, jfai_task_id(task), &found, &err));
  CHECK(found);
  EXPECT(JFAI_OK, jfai_forget(client, "task_never_seen", &found, &err));
  CHECK(!found);
  found = true;
  EXPECT(JFAI_OK, jfai_reconcile(client, &settled, &err));
  CHECK(jfai_reconciliation_count(settled) == 0 && jfai_reconciliation_retry_after_ms(settled) == -1);
  CHECK(jfai_settled_verdict(settled, 0) == 0 && jfai_settled_reason(settled, 0) == NULL && jfai_settled_charged_units(settled, 0) == -1);
  CHECK(jfai_settled_task_id(settled, 0) == NULL && jfai_settled_created_at(settled, 0) == -1 && jfai_reconciliation_count(NULL) == 0);
  CHECK(jfai_settled_intent(settled, 0) == NULL && jfai_settled_key(settled, 0) == NULL && jfai_settled_model(settled, 0) == NULL);
  CHECK(jfai_settled_seconds(settled, 0) == NULL && jfai_settled_request_id(settled, 0) == NULL);
  jfai_reconciliation_free(settled);
  EXPECT(JFAI_OK, jfai_reconcile_with(client, "account-token", "7", &settled, &err));
  CHECK(jfai_reconciliation_count(settled) == 0);
  jfai_reconciliation_free(settled);
  EXPECT(JFAI_OK, jfai_reconcile_with(client, NULL, NULL, &settled, &err));
  jfai_reconciliation_free(settled);
  EXPECT(JFAI_ERR_CONFIG, jfai_reconcile_with(client, "two words", NULL, &settled, &err));
  EXPECT(JFAI_ERR_CONFIG, jfai_reconcile_with(client, "", NULL, &settled, &err));
  EXPECT(JFAI_ERR_CONFIG, jfai_reconcile_with(client, "account-token", "me", &settled, &err));
  EXPECT(JFAI_ERR_CONFIG, jfai_reconcile_with(client, NULL, "7", &settled, &err));
  EXPECT(JFAI_OK, jfai_resolve_unknown(client, "never-seen", NULL, &found, &err));
  CHECK(!found);
  EXPECT(JFAI_OK, jfai_list_pending(client, &list, &err));
  CHECK(jfai_pending_count(list) == 0);
  jfai_pending_free(list);
  jfai_task_free(task);
  jfai_request_free(request);
  jfai_client_free(client);
}

static void versions(void) {
  jfai_error *err = NULL;
  EXPECT(JFAI_OK, JFAI_VERSION_CHECK(&err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_version_check("one", &err));
  CHECK(jfai_version_check("99.0.0", &err) == JFAI_ERR_VERSION && strcmp(jfai_error_kind(err), "version") == 0);
  const char *message = jfai_error_message(err);
  CHECK(strstr(message, "99.0.0") != NULL && strstr(message, JFAI_VERSION) != NULL && strstr(message, "header") != NULL);
  jfai_error_free(err);
  CHECK(strcmp(jfai_status_name(JFAI_ERR_VERSION), "version") == 0);
}

int main(int count, char **arguments) {
  const char *folder = count > 1 ? arguments[1] : ".";
  jfai_client *client = NULL;
  CHECK(strcmp(jfai_version(), JFAI_VERSION) == 0);
  versions();
  EXPECT(JFAI_OK, jfai_set_log(on_log, &logged, JFAI_LOG_TRACE, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_set_log(on_log, &logged, 0, &err));
  options();
  requests();
  EXPECT(JFAI_OK, jfai_client_from_env(&client, &err));
  jfai_client_free(client);
  client = emulator_client();
  errors(client);
  main_job(client, folder);
  reading(client);
  looking(client);
  many(client);
  journal(client, folder);
  jfai_client_free(client);
  CHECK(logged > 10);
  EXPECT(JFAI_OK, jfai_set_log(NULL, NULL, JFAI_LOG_ERROR, &err));
  return finished("api");
}
