/* The same, with progress; Ctrl-C ends the program, never the task. */
#include <junfeiai.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t stop;

static void on_signal(int number) {
  (void)number;
  stop = 1;
}

/* Any number but 0 ends the call with JFAI_ERR_CANCELLED; the error has the task's id. */
static int on_task(void *user, const jfai_task *task) {
  (void)user;
  printf("%s  %-12s", jfai_task_id(task), jfai_task_status_name(jfai_task_status(task)));
  if (jfai_task_progress(task) >= 0) printf(" %3.0f %%", jfai_task_progress(task));
  putchar('\n');
  return stop;
}

static int on_bytes(void *user, uint64_t bytes, uint64_t total, double rate) {
  (void)user;
  printf("%llu of %llu bytes, %.0f KiB/s\n", (unsigned long long)bytes, (unsigned long long)total, rate / 1024);
  return stop;
}

int main(int count, char **arguments) {
  if (count > 2 || (count == 2 && arguments[1][0] == '-')) {
    fprintf(stderr, "usage: progress [FILE]\n"); /* before anything costs money */
    return 2;
  }
  const char *file = count > 1 ? arguments[1] : "ball.mp4";
  jfai_error *err = NULL;
  jfai_client *client = NULL;
  jfai_request *request = NULL;
  jfai_wait_options *wait = NULL;
  jfai_save_options *save = NULL;
  jfai_video *video = NULL;

  signal(SIGINT, on_signal);
  if (jfai_wait_options_new(&wait, &err) == JFAI_OK && jfai_wait_options_set_progress(wait, on_task, NULL, &err) == JFAI_OK &&
      jfai_save_options_new(&save, &err) == JFAI_OK && jfai_save_options_set_progress(save, on_bytes, NULL, &err) == JFAI_OK &&
      jfai_save_options_set_overwrite(save, true, &err) == JFAI_OK && jfai_client_from_env(&client, &err) == JFAI_OK &&
      jfai_request_new("A small red ball bouncing once", &request, &err) == JFAI_OK &&
      jfai_generate(client, request, wait, NULL, &video, &err) == JFAI_OK &&
      jfai_save(video, file, save, NULL, NULL, &err) == JFAI_OK) {
    printf("%s is saved\n", file);
  } else {
    fprintf(stderr, "error: %s\n", jfai_error_message(err));
    if (jfai_error_task_id(err) != NULL) fprintf(stderr, "continue later: resume %s %s\n", jfai_error_task_id(err), file);
  }
  const int code = err == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
  jfai_video_free(video);
  jfai_save_options_free(save);
  jfai_wait_options_free(wait);
  jfai_request_free(request);
  jfai_client_free(client);
  jfai_error_free(err);
  return code;
}
