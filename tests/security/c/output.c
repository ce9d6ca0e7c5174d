/* Prints everything that the C binding can say, for ../run.py to search: every text of every object and error, the log at its
 * lowest level, and what a panic leaves on standard error. Its arguments: the folder for its files, and how many
 * milliseconds it waits for a task. */
#include <junfeiai.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the static library alone, for tests. */
jfai_status jfai_test_panic(jfai_error **err);

static int said;

static void say(const char *what, const char *text) {
  said++;
  printf("%s: %s\n", what, text != NULL ? text : "(none)");
}

static void on_log(void *user, int32_t level, const char *line) {
  (void)user;
  printf("log %d: %s\n", (int)level, line);
}

/* Everything that an error says; gives it back. */
static void tell(const char *what, jfai_status status, jfai_error *err) {
  printf("%s ended with %d %s\n", what, (int)status, jfai_status_name(status));
  if (err == NULL) return;
  say("message", jfai_error_message(err));
  say("detail", jfai_error_detail(err));
  say("field", jfai_error_field(err));
  say("server code", jfai_error_server_code(err));
  say("server message", jfai_error_server_message(err));
  say("request id", jfai_error_request_id(err));
  say("task", jfai_error_task_id(err));
  say("json", jfai_error_json(err));
  jfai_error_free(err);
}

static void tell_task(const jfai_task *task) {
  if (task == NULL) return;
  say("task", jfai_task_id(task));
  say("raw status", jfai_task_raw_status(task));
  say("url", jfai_task_video_url(task));
  say("reason", jfai_task_fail_reason(task));
  say("model", jfai_task_model(task));
  say("raw", jfai_task_raw_json(task));
  const jfai_warnings *warnings = jfai_task_warnings(task);
  for (size_t i = 0; i < jfai_warnings_count(warnings); i++) say("warning", jfai_warnings_message(warnings, i));
}

static int on_task(void *user, const jfai_task *task) {
  (void)user;
  tell_task(task);
  return 0;
}

static void must(jfai_status status) {
  if (status != JFAI_OK) {
    fprintf(stderr, "a call that is needed failed: %s\n", jfai_status_name(status));
    exit(3);
  }
}

static void refusals(void) {
  static const char *const wrong[] = {"Bearer sk-5eCr3tQ", "sk-5eCr3tQ\nsk-5eCr3tQ", "https://sk-5eCr3tQ@a.example/v1",
                                      "https://a.example/v1?k=sk-5eCr3tQ", "u:hUnt3rTwo@a.example", "http://u:hUnt3rTwo@ no url"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    for (int option = 0; option < 7; option++) {
      jfai_client_options *options = NULL;
      jfai_client *client = NULL;
      jfai_error *err = NULL;
      must(jfai_client_options_new(&options, NULL));
      must(jfai_client_options_use_env(options, NULL));
      jfai_status status = option == 0   ? jfai_client_options_set_api_key(options, wrong[i], &err)
                           : option == 1 ? jfai_client_options_set_endpoint(options, wrong[i], &err)
                           : option == 2 ? jfai_client_options_set_video_base_url(options, wrong[i], &err)
                           : option == 3 ? jfai_client_options_trust_host(options, wrong[i], &err)
                           : option == 4 ? jfai_client_options_set_proxy(options, wrong[i], &err)
                           : option == 5 ? jfai_client_options_set_header(options, wrong[i], "1", &err)
                                         : jfai_client_options_set_header(options, "Host", wrong[i], &err);
      if (status == JFAI_OK) status = jfai_client_new(options, &client, &err);
      tell("a refused option", status, err);
      jfai_client_free(client);
      jfai_client_options_free(options);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  char path[4096], journal[4096];
  snprintf(path, sizeof path, "%s/v.mp4", argv[1]);
  snprintf(journal, sizeof journal, "%s/journal", argv[1]);
  jfai_error *err = NULL;
  tell("set_log", jfai_set_log(on_log, NULL, JFAI_LOG_TRACE, &err), err);
  jfai_client_options *options = NULL;
  jfai_client *client = NULL;
  must(jfai_client_options_new(&options, NULL));
  must(jfai_client_options_use_env(options, NULL));
  must(jfai_client_options_set_poll_interval_ms(options, 20, NULL));
  must(jfai_client_options_set_max_attempts(options, 1, NULL));
  must(jfai_client_options_set_header(options, "X-Gateway", "hUnt3rTwo", NULL));
  must(jfai_client_options_set_journal(options, journal, NULL));
  err = NULL;
  tell("client", jfai_client_new(options, &client, &err), err);
  jfai_client_options_free(options);
  if (client == NULL) return 2;
  say("endpoint", jfai_client_endpoint(client));

  jfai_request *request = NULL;
  must(jfai_request_new("a ball", &request, NULL));
  must(jfai_request_set_seconds(request, 5, NULL));
  jfai_task *task = NULL;
  err = NULL;
  tell("create", jfai_create(client, request, NULL, &task, &err), err);
  tell_task(task);
  jfai_request_free(request);
  if (task == NULL) {
    err = NULL;
    tell("task by id", jfai_task_by_id(client, "task_1", &task, &err), err);
  }
  jfai_task *other = NULL;
  err = NULL;
  tell("get", jfai_get(client, "task_none", NULL, &other, &err), err);
  tell_task(other);
  jfai_task_free(other);
  jfai_wait_options *waiting = NULL;
  jfai_video *video = NULL;
  must(jfai_wait_options_new(&waiting, NULL));
  must(jfai_wait_options_set_timeout_ms(waiting, strtoull(argv[2], NULL, 10), NULL));
  must(jfai_wait_options_set_progress(waiting, on_task, NULL, NULL));
  err = NULL;
  tell("wait", jfai_wait(task, waiting, NULL, &video, &err), err);
  jfai_wait_options_free(waiting);
  if (video == NULL) {
    err = NULL;
    tell("video by id", jfai_video_by_id(client, jfai_task_id(task), &video, &err), err);
  }
  jfai_save_options *saving = NULL;
  must(jfai_save_options_new(&saving, NULL));
  must(jfai_save_options_set_timeout_ms(saving, strtoull(argv[3], NULL, 10), NULL));
  err = NULL;
  tell("save", jfai_save(video, path, saving, NULL, NULL, &err), err);
  jfai_save_options_free(saving);
  say("video", jfai_video_url(video));
  say("file name", jfai_video_file_name(video));
  jfai_names *names = NULL;
  err = NULL;
  tell("models", jfai_models(client, NULL, &names, &err), err);
  for (size_t i = 0; i < jfai_names_count(names); i++) say("model", jfai_names_at(names, i));
  jfai_names_free(names);
  jfai_balance *balance = NULL;
  err = NULL;
  tell("balance", jfai_get_balance(client, NULL, &balance, &err), err);
  say("balance", jfai_balance_name(balance));
  jfai_balance_free(balance);
  jfai_report *report = NULL;
  err = NULL;
  tell("check", jfai_check(client, true, NULL, &report, &err), err);
  say("report", jfai_report_text(report));
  say("report", jfai_report_json(report));
  jfai_report_free(report);
  jfai_pending *pending = NULL;
  err = NULL;
  tell("pending", jfai_list_pending(client, &pending, &err), err);
  for (size_t i = 0; i < jfai_pending_count(pending); i++) {
    say("pending", jfai_pending_task_id(pending, i));
    say("reason", jfai_pending_reason(pending, i));
    say("fingerprint", jfai_pending_fingerprint(pending, i));
  }
  jfai_pending_free(pending);
  static const char *const tokens[] = {"Bearer acc0unt-7oK3nCoR3", "acc0unt-7oK3nCoR3\nacc0unt-7oK3nCoR3", "acc0unt-7oK3nCoR3/+%\"\\&=~Wx8"};
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
    jfai_reconciliation *found = NULL;
    err = NULL;
    tell("reconcile", jfai_reconcile_with(client, tokens[i], "7", &found, &err), err);
    for (size_t j = 0; j < jfai_reconciliation_count(found); j++) say("settled", jfai_settled_reason(found, j));
    jfai_reconciliation_free(found);
    err = NULL;
    tell("a refused number", jfai_reconcile_with(client, tokens[2], tokens[i], &found, &err), err);
  }
  refusals();
  err = NULL;
  tell("a panic", jfai_test_panic(&err), err);
  jfai_video_free(video);
  jfai_task_free(task);
  jfai_client_free(client);
  printf("%d texts were said\n", said);
  return 0;
}
