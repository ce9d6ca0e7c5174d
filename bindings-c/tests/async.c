/* The calls that do not block: on the library's thread, and in the caller's own loop. */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

struct seen {
  jfai_client *client; /* freed in the callback when it is not NULL */
  pthread_t thread;
  jfai_task *task;
  jfai_video *video;
  jfai_summary *summary;
  jfai_bytes *bytes;
  jfai_wait_step *step;
  jfai_status status;
  int states;
  atomic_int calls;
};

static void note(struct seen *s, jfai_error *error) {
  s->thread = pthread_self();
  s->status = jfai_error_status(error);
  jfai_error_free(error);
  jfai_client_free(s->client);
  s->client = NULL;
  atomic_fetch_add(&s->calls, 1);
}

static void on_task(void *user, jfai_task *task, jfai_error *error) {
  struct seen *s = user;
  s->task = task;
  note(s, error);
}

static void on_video(void *user, jfai_video *video, jfai_error *error) {
  struct seen *s = user;
  s->video = video;
  note(s, error);
}

static void on_summary(void *user, jfai_summary *summary, jfai_error *error) {
  struct seen *s = user;
  s->summary = summary;
  note(s, error);
}

static void on_step(void *user, jfai_wait_step *step, jfai_error *error) {
  struct seen *s = user;
  s->step = step;
  note(s, error);
}

static void on_bytes(void *user, jfai_bytes *bytes, jfai_error *error) {
  struct seen *s = user;
  s->bytes = bytes;
  note(s, error);
}

static int on_state(void *user, const jfai_task *task) {
  struct seen *s = user;
  s->states++;
  /* A callback may block in the library, on its own thread too. */
  jfai_task *again = NULL;
  EXPECT(JFAI_OK, jfai_task_refresh(task, NULL, &again, &err));
  jfai_task_free(again);
  return 0;
}

static int on_progress(void *user, uint64_t bytes, uint64_t total, double rate) {
  struct seen *s = user;
  (void)bytes, (void)total, (void)rate;
  s->states++;
  return 0;
}

static void await(struct seen *s, const jfai_queue *queue) {
  const double end = now() + 60;
  while (atomic_load(&s->calls) == 0 && now() < end) {
    if (queue != NULL) {
      EXPECT(JFAI_OK, jfai_queue_drain(queue, 1000, NULL, &err));
    } else {
      const struct timespec pause = {0, 2000000};
      nanosleep(&pause, NULL);
    }
  }
  CHECK(atomic_load(&s->calls) == 1);
}

static atomic_int woken;
static void wakeup(void *user) {
  (void)user;
  atomic_fetch_add(&woken, 1);
}

static void main_job(const jfai_client *client, const jfai_queue *queue, const char *folder) {
  struct seen created = {0}, got = {0}, waited = {0}, saved = {0}, read = {0}, made = {0};
  jfai_request *request = ball();
  jfai_wait_options *wait = NULL;
  jfai_save_options *save = NULL;
  char path[512];
  EXPECT(JFAI_OK, jfai_create_async(client, request, NULL, queue, on_task, &created, &err));
  await(&created, queue);
  CHECK(created.status == JFAI_OK && created.task != NULL);
  CHECK((queue != NULL) == (pthread_equal(created.thread, pthread_self()) != 0));
  if (created.task == NULL) return;
  EXPECT(JFAI_OK, jfai_get_async(client, jfai_task_id(created.task), NULL, queue, on_task, &got, &err));
  await(&got, queue);
  CHECK(got.status == JFAI_OK && strcmp(jfai_task_id(got.task), jfai_task_id(created.task)) == 0);

  EXPECT(JFAI_OK, jfai_wait_options_new(&wait, &err));
  EXPECT(JFAI_OK, jfai_wait_options_set_progress(wait, on_state, &waited, &err));
  EXPECT(JFAI_OK, jfai_wait_async(created.task, wait, NULL, queue, on_video, &waited, &err));
  jfai_wait_options_free(wait);
  await(&waited, queue);
  CHECK(waited.status == JFAI_OK && waited.video != NULL && waited.states > 0);

  struct seen stepped = {0}, refused = {0};
  jfai_wait_step *step = NULL;
  EXPECT(JFAI_OK, jfai_task_by_id(client, jfai_task_id(created.task), &stepped.task, &err));
  EXPECT(JFAI_OK, jfai_task_wait_state(stepped.task, NULL, &step, &err));
  EXPECT(JFAI_OK, jfai_advance_async(client, jfai_wait_step_state(step), NULL, queue, on_step, &stepped, &err));
  await(&stepped, queue);
  CHECK(stepped.status == JFAI_OK && jfai_wait_step_done(stepped.step));
  EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_advance_async(client, "{}", NULL, queue, on_step, &refused, &err));
  CHECK(atomic_load(&refused.calls) == 0);
  jfai_wait_step_free(stepped.step);
  jfai_wait_step_free(step);
  jfai_task_free(stepped.task);

  EXPECT(JFAI_OK, jfai_save_options_new(&save, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_overwrite(save, true, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_progress(save, on_progress, &saved, &err));
  snprintf(path, sizeof path, "%s/async.mp4", folder);
  EXPECT(JFAI_OK, jfai_save_async(waited.video, path, save, NULL, queue, on_summary, &saved, &err));
  jfai_save_options_free(save);
  EXPECT(JFAI_OK, jfai_video_read_range_async(waited.video, 4, 8, NULL, queue, on_bytes, &read, &err));
  await(&saved, queue);
  await(&read, queue);
  CHECK(saved.status == JFAI_OK && jfai_summary_bytes(saved.summary) > 0 && saved.states > 0);
  CHECK(read.status == JFAI_OK && jfai_bytes_size(read.bytes) == 4);
  CHECK(read.bytes != NULL && memcmp(jfai_bytes_data(read.bytes), "ftyp", 4) == 0);

  EXPECT(JFAI_OK, jfai_generate_async(client, request, NULL, NULL, queue, on_video, &made, &err));
  await(&made, queue);
  CHECK(made.status == JFAI_OK && made.video != NULL);

  jfai_video_free(made.video);
  jfai_bytes_free(read.bytes);
  jfai_summary_free(saved.summary);
  jfai_video_free(waited.video);
  jfai_task_free(got.task);
  jfai_task_free(created.task);
  jfai_request_free(request);
  remove(path);
}

/* What still runs when the client is freed ends with JFAI_ERR_CANCELLED before the free returns. */
static void freed_under_way(void) {
  enum { MANY = 200 };
  static struct seen seen[MANY];
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  jfai_task *task = NULL;
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &task, &err));
  for (int i = 0; i < MANY; i++) EXPECT(JFAI_OK, jfai_wait_async(task, NULL, NULL, NULL, on_video, &seen[i], &err));
  jfai_client_free(client);
  int ended = 0;
  for (int i = 0; i < MANY; i++) {
    ended += atomic_load(&seen[i].calls) == 1 && (seen[i].status == JFAI_ERR_CANCELLED || seen[i].video != NULL);
    jfai_video_free(seen[i].video);
  }
  CHECK(ended == MANY);
  struct seen late = {0};
  EXPECT(JFAI_ERR_ARGUMENT, jfai_wait_async(task, NULL, NULL, NULL, on_video, &late, &err));
  CHECK(atomic_load(&late.calls) == 0);
  /* The task outlives its client. */
  jfai_video *video = NULL;
  EXPECT(JFAI_OK, jfai_wait(task, NULL, NULL, &video, &err));
  jfai_video_free(video);
  jfai_task_free(task);
  jfai_request_free(request);
}

static void freed_by_its_callback(void) {
  struct seen seen = {0};
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  seen.client = client;
  EXPECT(JFAI_OK, jfai_create_async(client, request, NULL, NULL, on_task, &seen, &err));
  await(&seen, NULL);
  CHECK(seen.status == JFAI_OK);
  jfai_task_free(seen.task);
  jfai_request_free(request);
}

#ifdef __linux__
/* What the library calls when a file shall be on the disk: this disk stalls as long as it is told to. */
static atomic_int stalls, stalled;
int fdatasync(int fd) {
  for (const double end = now() + 120; atomic_load(&stalls) && now() < end;) {
    const struct timespec pause = {0, 2000000};
    atomic_store(&stalled, 1);
    nanosleep(&pause, NULL);
  }
  return (int)syscall(SYS_fdatasync, fd);
}

/* A disk stalls under one call: the others of the client go on. */
static void stalled_disk(const char *folder) {
  struct seen saved = {0}, got = {0};
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  jfai_task *task = NULL;
  jfai_video *video = NULL;
  char path[512];
  snprintf(path, sizeof path, "%s/stalled.mp4", folder);
  remove(path);
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &task, &err));
  EXPECT(JFAI_OK, jfai_wait(task, NULL, NULL, &video, &err));
  atomic_store(&stalls, 1);
  EXPECT(JFAI_OK, jfai_save_async(video, path, NULL, NULL, NULL, on_summary, &saved, &err));
  for (const double end = now() + 60; !atomic_load(&stalled) && now() < end;) {
    const struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
  }
  CHECK(atomic_load(&stalled));
  EXPECT(JFAI_OK, jfai_get_async(client, jfai_task_id(task), NULL, NULL, on_task, &got, &err));
  await(&got, NULL);
  CHECK(got.status == JFAI_OK && atomic_load(&saved.calls) == 0);
  atomic_store(&stalls, 0);
  await(&saved, NULL);
  CHECK(saved.status == JFAI_OK);
  remove(path);
  jfai_summary_free(saved.summary);
  jfai_task_free(got.task);
  jfai_video_free(video);
  jfai_task_free(task);
  jfai_request_free(request);
  jfai_client_free(client);
}
#endif

/* Every callback is called once, also when its queue is freed first. */
static void queue_freed_first(void) {
  struct seen seen = {0}, late = {0};
  jfai_client *client = emulator_client();
  jfai_queue *queue = NULL;
  jfai_request *request = ball();
  EXPECT(JFAI_OK, jfai_queue_new(&queue, &err));
  EXPECT(JFAI_OK, jfai_queue_set_wakeup(queue, wakeup, NULL, &err));
  EXPECT(JFAI_OK, jfai_create_async(client, request, NULL, queue, on_task, &seen, &err));
  for (const double end = now() + 60; atomic_load(&woken) == 0 && now() < end;) {
    const struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
  }
  CHECK(atomic_load(&woken) == 1 && atomic_load(&seen.calls) == 0);
  EXPECT(JFAI_OK, jfai_create_async(client, request, NULL, queue, on_task, &late, &err));
  jfai_queue_free(queue);
  CHECK(atomic_load(&seen.calls) == 1);
  await(&late, NULL);
  jfai_task_free(seen.task);
  jfai_task_free(late.task);
  jfai_request_free(request);
  jfai_client_free(client);
}

static void cancelled(const jfai_client *client) {
  struct seen seen = {0};
  jfai_cancel *cancel = NULL;
  jfai_request *request = ball();
  jfai_task *task = NULL;
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &task, &err));
  EXPECT(JFAI_OK, jfai_cancel_new(&cancel, &err));
  jfai_cancel_now(cancel);
  EXPECT(JFAI_OK, jfai_wait_async(task, NULL, cancel, NULL, on_video, &seen, &err));
  jfai_cancel_free(cancel);
  await(&seen, NULL);
  CHECK(seen.status == JFAI_ERR_CANCELLED && seen.video == NULL);
  jfai_task_free(task);
  jfai_request_free(request);
}

int main(int count, char **arguments) {
  const char *folder = count > 1 ? arguments[1] : ".";
  jfai_client *client = emulator_client();
  jfai_queue *queue = NULL;
  size_t drained = 9;
  EXPECT(JFAI_OK, jfai_queue_new(&queue, &err));
  EXPECT(JFAI_OK, jfai_queue_drain(queue, 0, &drained, &err));
  CHECK(drained == 0);
  main_job(client, NULL, folder);
  main_job(client, queue, folder);
  cancelled(client);
  jfai_client_free(client);
  jfai_queue_free(queue);
  freed_under_way();
  freed_by_its_callback();
  queue_freed_first();
#ifdef __linux__
  stalled_disk(folder);
#endif
  return finished("async");
}
