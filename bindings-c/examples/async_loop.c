/* Three videos at once in a loop that never blocks on them, as a GUI has one. POSIX: the queue wakes poll() by a pipe. */
#include <junfeiai.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { VIDEOS = 3 };

static int left = VIDEOS, saved;

/* On the library's thread: wake the loop, nothing else. */
static void wakeup(void *user) {
  const char byte = 0;
  if (write(*(int *)user, &byte, 1) != 1) perror("write");
}

/* From here on: in the loop's own thread, from jfai_queue_drain(). */
static void on_saved(void *user, jfai_summary *summary, jfai_error *error) {
  (void)user;
  left--;
  if (error != NULL) fprintf(stderr, "error: %s\n", jfai_error_message(error));
  else saved += printf("%s: %llu bytes\n", jfai_summary_path(summary), (unsigned long long)jfai_summary_bytes(summary)) > 0;
  jfai_summary_free(summary);
  jfai_error_free(error);
}

static void on_video(void *user, jfai_video *video, jfai_error *error) {
  /* When the save cannot be started, on_saved is not called. */
  if (error != NULL || jfai_save_async(video, jfai_video_file_name(video), NULL, NULL, user, on_saved, NULL, &error) != JFAI_OK) {
    left--;
    fprintf(stderr, "error: %s\n", jfai_error_message(error));
  }
  jfai_error_free(error);
  jfai_video_free(video);
}

int main(void) {
  jfai_error *err = NULL;
  jfai_client *client = NULL;
  jfai_request *request = NULL;
  jfai_queue *queue = NULL;
  int ends[2];
  if (pipe(ends) != 0) {
    perror("pipe");
    return EXIT_FAILURE;
  }
  if (jfai_client_from_env(&client, &err) != JFAI_OK || jfai_queue_new(&queue, &err) != JFAI_OK ||
      jfai_queue_set_wakeup(queue, wakeup, &ends[1], &err) != JFAI_OK ||
      jfai_request_new("A small red ball bouncing once", &request, &err) != JFAI_OK) {
    fprintf(stderr, "error: %s\n", jfai_error_message(err));
    left = 0;
  }
  for (int i = 0; i < VIDEOS && err == NULL; i++) {
    if (jfai_generate_async(client, request, NULL, NULL, queue, on_video, queue, NULL) != JFAI_OK) left--;
  }
  int ticks = 0;
  while (left > 0) {
    struct pollfd events = {.fd = ends[0], .events = POLLIN, .revents = 0};
    if (poll(&events, 1, 100) > 0) {
      char bytes[64];
      if (read(ends[0], bytes, sizeof bytes) < 0) perror("read");
      if (jfai_queue_drain(queue, 0, NULL, &err) != JFAI_OK) break;
    }
    ticks++; /* here a GUI would draw */
  }
  printf("%d saved, the loop went round %d times\n", saved, ticks);
  jfai_error_free(err);
  jfai_request_free(request);
  jfai_client_free(client);
  jfai_queue_free(queue);
  close(ends[0]);
  close(ends[1]);
  return saved == VIDEOS ? EXIT_SUCCESS : EXIT_FAILURE;
}
