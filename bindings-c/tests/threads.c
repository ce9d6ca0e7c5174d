/* One client, eight threads; and cancelling from another thread, at once. */
#include "check.h"

#include <pthread.h>

enum { THREADS = 8, ROUNDS = 3 };

struct work {
  const jfai_client *client;
  const jfai_task *shared;
  int right, wrong;
};

static void *work(void *user) {
  struct work *w = user;
  for (int i = 0; i < ROUNDS; i++) {
    jfai_request *request = NULL;
    jfai_video *video = NULL;
    jfai_task *seen = NULL;
    uint8_t buffer[32];
    size_t got = 0;
    int ok = jfai_request_new("a ball", &request, NULL) == JFAI_OK;
    ok &= jfai_generate(w->client, request, NULL, NULL, &video, NULL) == JFAI_OK;
    ok &= jfai_video_read_range(video, 0, buffer, sizeof buffer, NULL, &got, NULL) == JFAI_OK;
    ok &= jfai_task_refresh(w->shared, NULL, &seen, NULL) == JFAI_OK;
    ok &= strcmp(jfai_task_id(seen), jfai_task_id(w->shared)) == 0;
    *(ok ? &w->right : &w->wrong) += 1;
    jfai_task_free(seen);
    jfai_video_free(video);
    jfai_request_free(request);
  }
  return NULL;
}

struct canceller {
  const jfai_cancel *cancel;
  double at;
};

static void *cancel_later(void *user) {
  struct canceller *c = user;
  const struct timespec pause = {0, 300000000};
  nanosleep(&pause, NULL);
  c->at = now();
  jfai_cancel_now(c->cancel);
  return NULL;
}

/* A task that does not end while it is waited for. */
static void cancel_from_another_thread(const jfai_client *client) {
  jfai_request *request = ball();
  jfai_task *task = NULL;
  jfai_video *video = NULL;
  jfai_wait_options *slow = NULL;
  struct canceller c = {0};
  jfai_cancel *cancel = NULL;
  pthread_t thread;
  jfai_error *err = NULL;
  EXPECT(JFAI_OK, jfai_cancel_new(&cancel, &err));
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &task, &err));
  EXPECT(JFAI_OK, jfai_wait_options_new(&slow, &err));
  EXPECT(JFAI_OK, jfai_wait_options_set_poll_interval_ms(slow, 60000, &err));
  c.cancel = cancel;
  CHECK(pthread_create(&thread, NULL, cancel_later, &c) == 0);
  CHECK(jfai_wait(task, slow, cancel, &video, &err) == JFAI_ERR_CANCELLED);
  const double ended = now();
  pthread_join(thread, NULL);
  printf("threads: cancelled after %.1f ms\n", (ended - c.at) * 1e3);
  /* The next poll would come after a minute. */
  CHECK(ended - c.at < 30);
  CHECK(strcmp(jfai_error_task_id(err), jfai_task_id(task)) == 0);
  jfai_error_free(err);
  jfai_wait_options_free(slow);
  jfai_cancel_free(cancel);
  jfai_task_free(task);
  jfai_request_free(request);
}

int main(void) {
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  jfai_task *shared = NULL;
  pthread_t threads[THREADS];
  struct work works[THREADS];
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &shared, &err));
  cancel_from_another_thread(client);
  for (int i = 0; i < THREADS; i++) {
    works[i] = (struct work){client, shared, 0, 0};
    CHECK(pthread_create(&threads[i], NULL, work, &works[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    CHECK(works[i].right == ROUNDS && works[i].wrong == 0);
  }
  jfai_task_free(shared);
  jfai_request_free(request);
  jfai_client_free(client);
  return finished("threads");
}
