/* Whatever ends a call reports what was paid for, or may have been. */
#define _GNU_SOURCE
#include "emulator.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

enum { MANY = 30, LANES = 4 };

/* Creates that are sent stay without an answer. */
static const char SILENT[] = "{\"time_scale\":600,\"api\":{\"create_latency_ms\":600000}}";
/* Creates are answered; the tasks never end. */
static const char STUCK[] = "{\"time_scale\":600,\"task\":{\"outcome\":\"stuck\"}}";
static const char HEALTHY[] = "{\"time_scale\":600}";

struct seen {
  atomic_int calls;
  jfai_status status;
  bool executed;
  char id[128];
};

static struct seen seen[MANY];

static void note(struct seen *s, jfai_error *error) {
  s->status = jfai_error_status(error);
  s->executed = jfai_error_maybe_executed(error);
  const char *id = jfai_error_task_id(error);
  snprintf(s->id, sizeof s->id, "%s", id != NULL ? id : "");
  jfai_error_free(error);
  atomic_fetch_add(&s->calls, 1);
}

static void on_task(void *user, jfai_task *task, jfai_error *error) {
  CHECK(task == NULL);
  jfai_task_free(task);
  note(user, error);
}

static void on_video(void *user, jfai_video *video, jfai_error *error) {
  CHECK(video == NULL);
  jfai_video_free(video);
  note(user, error);
}

static int ended(void) {
  int count = 0;
  for (int i = 0; i < MANY; i++) count += atomic_load(&seen[i].calls);
  return count;
}

/* 30 create requests with four in flight, ended by a token or by freeing the client: four POSTs, and only these may have been carried out. */
static void many_at_once(bool generate, bool by_free, bool queued) {
  emulator_scenario(SILENT);
  memset(seen, 0, sizeof seen);
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  jfai_cancel *cancel = NULL;
  jfai_queue *queue = NULL;
  EXPECT(JFAI_OK, jfai_cancel_new(&cancel, &err));
  if (queued) EXPECT(JFAI_OK, jfai_queue_new(&queue, &err));
  for (int i = 0; i < MANY; i++) {
    if (generate) EXPECT(JFAI_OK, jfai_generate_async(client, request, NULL, cancel, queue, on_video, &seen[i], &err));
    else EXPECT(JFAI_OK, jfai_create_async(client, request, cancel, queue, on_task, &seen[i], &err));
  }
  UNTIL(posts() == LANES);
  if (by_free) jfai_client_free(client);
  else jfai_cancel_now(cancel);
  for (const double end = now() + 60; ended() < MANY && now() < end;) {
    if (queued) EXPECT(JFAI_OK, jfai_queue_drain(queue, 100, NULL, &err));
    else moment();
  }
  int executed = 0, cancelled = 0;
  for (int i = 0; i < MANY; i++) {
    executed += seen[i].executed;
    cancelled += atomic_load(&seen[i].calls) == 1 && seen[i].status == JFAI_ERR_CANCELLED;
  }
  CHECK(cancelled == MANY);
  CHECK(executed == LANES);
  if (!by_free) jfai_client_free(client);
  /* Nothing left for having been cancelled. */
  CHECK(posts() == LANES);
  jfai_queue_free(queue);
  jfai_cancel_free(cancel);
  jfai_request_free(request);
}

struct blocking {
  jfai_client *client;
  const jfai_cancel *cancel;
  bool generate;
  jfai_error *error;
  jfai_status status;
};

static void *block(void *user) {
  struct blocking *b = user;
  jfai_request *request = NULL;
  must(jfai_request_new("a ball", &request, NULL));
  jfai_task *task = NULL;
  jfai_video *video = NULL;
  b->status = b->generate ? jfai_generate(b->client, request, NULL, b->cancel, &video, &b->error)
                          : jfai_create(b->client, request, b->cancel, &task, &b->error);
  jfai_task_free(task);
  jfai_video_free(video);
  jfai_request_free(request);
  return NULL;
}

/* The same for calls that block their threads: one is in flight, the other waits for its place. */
static void blocked(bool generate) {
  emulator_scenario(SILENT);
  jfai_client_options *options = NULL;
  jfai_client *client = NULL;
  EXPECT(JFAI_OK, jfai_client_options_new(&options, &err));
  EXPECT(JFAI_OK, jfai_client_options_use_env(options, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_max_in_flight_creates(options, 1, &err));
  EXPECT(JFAI_OK, jfai_client_new(options, &client, &err));
  jfai_client_options_free(options);
  jfai_cancel *cancel = NULL;
  EXPECT(JFAI_OK, jfai_cancel_new(&cancel, &err));
  struct blocking calls[2] = {{client, cancel, generate, NULL, 0}, {client, cancel, generate, NULL, 0}};
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) CHECK(pthread_create(&threads[i], NULL, block, &calls[i]) == 0);
  UNTIL(posts() == 1);
  jfai_cancel_now(cancel);
  int executed = 0;
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    CHECK(calls[i].status == JFAI_ERR_CANCELLED);
    executed += jfai_error_maybe_executed(calls[i].error);
    CHECK(jfai_error_task_count(calls[i].error) == 0 && jfai_error_task_id_at(calls[i].error, 0) == NULL);
    jfai_error_free(calls[i].error);
  }
  CHECK(executed == 1 && posts() == 1);
  jfai_cancel_free(cancel);
  jfai_client_free(client);
}

/* One of several threads with a create request of its own on one client. */
struct queued {
  jfai_client *client;
  jfai_request *request;
  jfai_cancel *cancel;
  bool generate;
  atomic_long thread;
  atomic_bool over;
  jfai_error *error;
  jfai_status status;
};

static void *wait_in_queue(void *user) {
  struct queued *q = user;
  jfai_task *task = NULL;
  jfai_video *video = NULL;
  atomic_store(&q->thread, syscall(SYS_gettid));
  q->status = q->generate ? jfai_generate(q->client, q->request, NULL, q->cancel, &video, &q->error)
                          : jfai_create(q->client, q->request, q->cancel, &task, &q->error);
  jfai_task_free(task);
  jfai_video_free(video);
  atomic_store(&q->over, true);
  return NULL;
}

/* What the kernel says that a thread of this process is doing: "running" or the number of a system call. */
static bool kernel_says(long thread, char *line, int size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%ld/syscall", thread);
  FILE *file = fopen(path, "r");
  if (file == NULL) return false;
  const bool read = fgets(line, size, file) != NULL;
  fclose(file);
  return read;
}

/* True while a thread sleeps. */
static bool sleeps(const struct queued *q) {
  char line[256] = "";
  const long thread = atomic_load(&q->thread);
  if (thread == 0 || !kernel_says(thread, line, sizeof line) || line[0] < '0' || line[0] > '9') return false;
  const long number = atol(line);
#ifdef SYS_epoll_wait
  if (number == SYS_epoll_wait) return true;
#endif
#ifdef SYS_futex
  if (number == SYS_futex) return true;
#endif
#ifdef SYS_futex_time64
  if (number == SYS_futex_time64) return true;
#endif
  return number == SYS_epoll_pwait;
}

/* True once a thread sleeps for long: on its way into the library it sleeps nowhere, but for a lock that another one holds for a moment. */
static bool inside(const struct queued *q) {
  for (int look = 0; look < 3; look++) {
    if (!sleeps(q)) return false;
    nanosleep(&(struct timespec){0, 10000000}, NULL);
  }
  return true;
}

/* The client is freed while threads are in its calls, as its comment allows: the request that is in flight goes on, and those that wait
 * for their turn are not sent. */
static void freed_while_blocked(bool generate) {
  enum { THREADS = 3 };
  char line[256];
  if (!kernel_says(syscall(SYS_gettid), line, sizeof line)) {
    printf("paid: not run: this kernel does not say whether a thread sleeps\n");
    return;
  }
  emulator_scenario(SILENT);
  jfai_client_options *options = NULL;
  jfai_client *client = NULL;
  EXPECT(JFAI_OK, jfai_client_options_new(&options, &err));
  EXPECT(JFAI_OK, jfai_client_options_use_env(options, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_max_in_flight_creates(options, 1, &err));
  EXPECT(JFAI_OK, jfai_client_new(options, &client, &err));
  jfai_client_options_free(options);
  struct queued calls[THREADS];
  pthread_t threads[THREADS];
  memset(calls, 0, sizeof calls);
  for (int i = 0; i < THREADS; i++) {
    calls[i].client = client;
    calls[i].request = ball();
    calls[i].generate = generate;
    EXPECT(JFAI_OK, jfai_cancel_new(&calls[i].cancel, &err));
    CHECK(pthread_create(&threads[i], NULL, wait_in_queue, &calls[i]) == 0);
  }
  UNTIL(posts() == 1);
  for (int i = 0; i < THREADS; i++) UNTIL(inside(&calls[i]));
  jfai_client_free(client);
  UNTIL(atomic_load(&calls[0].over) + atomic_load(&calls[1].over) + atomic_load(&calls[2].over) == 2);
  int in_flight = 0, unsent = 0;
  for (int i = 0; i < THREADS; i++) {
    const bool over = atomic_load(&calls[i].over);
    jfai_cancel_now(calls[i].cancel);
    pthread_join(threads[i], NULL);
    CHECK(calls[i].status == JFAI_ERR_CANCELLED);
    CHECK(jfai_error_maybe_executed(calls[i].error) != over);
    CHECK(strstr(jfai_error_message(calls[i].error), over ? "the client was closed before the create request was sent" : "after it was sent") != NULL);
    unsent += over;
    in_flight += !over;
    jfai_error_free(calls[i].error);
    jfai_cancel_free(calls[i].cancel);
    jfai_request_free(calls[i].request);
  }
  CHECK(in_flight == 1 && unsent == 2 && posts() == 1);
}

/* Everything that a call was given; its first progress frees it. */
struct given {
  jfai_client *client;
  jfai_request *request;
  jfai_task *task;
  jfai_video *video;
  jfai_wait_options *wait;
  jfai_save_options *save;
  jfai_cancel *cancel;
  int calls;
};

static void free_given(struct given *g) {
  if (g->calls++ > 0) return;
  jfai_client_free(g->client);
  jfai_request_free(g->request);
  jfai_task_free(g->task);
  jfai_video_free(g->video);
  jfai_wait_options_free(g->wait);
  jfai_save_options_free(g->save);
  jfai_cancel_free(g->cancel);
}

static int free_at_state(void *user, const jfai_task *task) {
  CHECK(strncmp(jfai_task_id(task), "task_", 5) == 0);
  free_given(user);
  CHECK(strncmp(jfai_task_id(task), "task_", 5) == 0);
  return 0;
}

static int free_at_bytes(void *user, uint64_t bytes, uint64_t total, double rate) {
  (void)bytes, (void)total, (void)rate;
  free_given(user);
  return 0;
}

static struct given all_handles(void) {
  struct given g;
  memset(&g, 0, sizeof g);
  g.client = emulator_client();
  EXPECT(JFAI_OK, jfai_wait_options_new(&g.wait, &err));
  EXPECT(JFAI_OK, jfai_save_options_new(&g.save, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_overwrite(g.save, true, &err));
  EXPECT(JFAI_OK, jfai_cancel_new(&g.cancel, &err));
  return g;
}

/* A callback of a blocking call may free any handle: the call has what it needs, and gives what was paid for. */
static void freed_by_callbacks(void) {
  emulator_scenario(HEALTHY);
  jfai_video *video = NULL;
  struct given g = all_handles();
  g.request = ball();
  EXPECT(JFAI_OK, jfai_wait_options_set_progress(g.wait, free_at_state, &g, &err));
  EXPECT(JFAI_OK, jfai_generate(g.client, g.request, g.wait, g.cancel, &video, &err));
  CHECK(g.calls > 0 && video != NULL && strncmp(jfai_video_task_id(video), "task_", 5) == 0);

  char id[128];
  snprintf(id, sizeof id, "%s", video != NULL ? jfai_video_task_id(video) : "");
  jfai_video_free(video);
  video = NULL;
  g = all_handles();
  EXPECT(JFAI_OK, jfai_task_by_id(g.client, id, &g.task, &err));
  EXPECT(JFAI_OK, jfai_wait_options_set_progress(g.wait, free_at_state, &g, &err));
  EXPECT(JFAI_OK, jfai_wait(g.task, g.wait, g.cancel, &video, &err));
  CHECK(g.calls > 0 && video != NULL);
  jfai_video_free(video);

  g = all_handles();
  EXPECT(JFAI_OK, jfai_video_by_id(g.client, id, &g.video, &err));
  EXPECT(JFAI_OK, jfai_save_options_set_progress(g.save, free_at_bytes, &g, &err));
  jfai_summary *summary = NULL;
  EXPECT(JFAI_OK, jfai_save(g.video, "freed.mp4", g.save, g.cancel, &summary, &err));
  CHECK(g.calls > 0 && jfai_summary_bytes(summary) > 1000);
  jfai_summary_free(summary);
  CHECK(remove("freed.mp4") == 0);
}

/* Options that are refused by a call about a task: the error has the task's id. */
static void refused_with_an_id(void) {
  jfai_client *client = emulator_client();
  jfai_task *task = NULL;
  jfai_wait_options *options = NULL;
  EXPECT(JFAI_OK, jfai_task_by_id(client, "task_1", &task, &err));
  EXPECT(JFAI_OK, jfai_wait_options_new(&options, &err));
  EXPECT(JFAI_OK, jfai_wait_options_set_poll_interval_ms(options, 0, &err));
  for (int way = 0; way < 4; way++) {
    jfai_video *video = NULL;
    jfai_watch *watch = NULL;
    jfai_wait_step *step = NULL;
    jfai_error *error = NULL;
    const jfai_status status = way == 0   ? jfai_wait(task, options, NULL, &video, &error)
                               : way == 1 ? jfai_wait_async(task, options, NULL, NULL, on_video, &seen[0], &error)
                               : way == 2 ? jfai_watch_new(task, options, &watch, &error)
                                          : jfai_task_wait_state(task, options, &step, &error);
    CHECK(status == JFAI_ERR_INVALID_REQUEST && strstr(jfai_error_message(error), "jfai_wait_options_set_poll_interval_ms") != NULL);
    CHECK(jfai_error_task_id(error) != NULL && strcmp(jfai_error_task_id(error), "task_1") == 0);
    jfai_error_free(error);
  }
  jfai_wait_options_free(options);
  jfai_task_free(task);
  jfai_client_free(client);
}

static int stop(void *user, const jfai_task *task) {
  int *calls = user;
  (void)task;
  ++*calls;
  return 1;
}

static int cancel_it(void *user, const jfai_task *task) {
  (void)task;
  jfai_cancel_now(user);
  return 0;
}

/* Whatever ends a generate after its create: the error has the id, and knows that nothing is in doubt. */
static void after_the_create(void) {
  emulator_scenario(STUCK);
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  for (int way = 0; way < 3; way++) {
    jfai_wait_options *options = NULL;
    jfai_cancel *cancel = NULL;
    jfai_video *video = NULL;
    jfai_error *error = NULL;
    int calls = 0;
    EXPECT(JFAI_OK, jfai_wait_options_new(&options, &err));
    EXPECT(JFAI_OK, jfai_cancel_new(&cancel, &err));
    if (way == 0) EXPECT(JFAI_OK, jfai_wait_options_set_progress(options, stop, &calls, &err));
    if (way == 1) EXPECT(JFAI_OK, jfai_wait_options_set_progress(options, cancel_it, cancel, &err));
    if (way == 2) EXPECT(JFAI_OK, jfai_wait_options_set_timeout_ms(options, 0, &err));
    const jfai_status status = jfai_generate(client, request, options, cancel, &video, &error);
    CHECK(status == (way == 2 ? JFAI_ERR_WAIT_TIMEOUT : JFAI_ERR_CANCELLED));
    CHECK(jfai_error_task_id(error) != NULL && strncmp(jfai_error_task_id(error), "task_", 5) == 0);
    CHECK(strcmp(jfai_error_task_id_at(error, 0), jfai_error_task_id(error)) == 0 && jfai_error_task_count(error) == 1);
    CHECK(!jfai_error_maybe_executed(error));
    CHECK(calls == (way == 0));
    jfai_error_free(error);

    /* And in the asynchronous form. */
    memset(seen, 0, sizeof seen);
    jfai_cancel *again = NULL;
    EXPECT(JFAI_OK, jfai_cancel_new(&again, &err));
    if (way == 1) EXPECT(JFAI_OK, jfai_wait_options_set_progress(options, cancel_it, again, &err));
    EXPECT(JFAI_OK, jfai_generate_async(client, request, options, again, NULL, on_video, &seen[0], &err));
    UNTIL(atomic_load(&seen[0].calls) == 1);
    CHECK(seen[0].status == status && strncmp(seen[0].id, "task_", 5) == 0 && !seen[0].executed);
    jfai_cancel_free(again);
    jfai_cancel_free(cancel);
    jfai_wait_options_free(options);
  }
  /* The client is freed while the task is waited for. */
  memset(seen, 0, sizeof seen);
  jfai_wait_options *options = NULL;
  EXPECT(JFAI_OK, jfai_wait_options_new(&options, &err));
  const long before = emulator_stat("created_tasks");
  EXPECT(JFAI_OK, jfai_generate_async(client, request, options, NULL, NULL, on_video, &seen[0], &err));
  UNTIL(emulator_stat("created_tasks") == before + 1);
  jfai_client_free(client);
  CHECK(atomic_load(&seen[0].calls) == 1 && seen[0].status == JFAI_ERR_CANCELLED);
  /* The answer may be on its way just now: then it is the create that is in doubt. */
  CHECK((seen[0].id[0] != 0) != seen[0].executed);
  jfai_wait_options_free(options);
  jfai_request_free(request);
}

static atomic_int created;

static void on_line(void *user, int32_t level, const char *line) {
  (void)user, (void)level;
  if (strstr(line, "task created") != NULL) atomic_fetch_add(&created, 1);
}

static void *cancel_later(void *user) {
  UNTIL(atomic_load(&created) >= 8);
  jfai_cancel_now(user);
  return NULL;
}

static bool holds(const jfai_names *names, const char *id) {
  for (size_t i = 0; i < jfai_names_count(names); i++)
    if (strcmp(jfai_names_at(names, i), id) == 0) return true;
  return false;
}

/* A batch that is left early names every task that it made, and what it did not send never leaves. */
static void many_left_early(void) {
  enum { REQUESTS = 12, ALIVE = 8 };
  emulator_scenario(STUCK);
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  const jfai_request *batch_requests[REQUESTS];
  for (int i = 0; i < REQUESTS; i++) batch_requests[i] = request;
  jfai_batch *batch = NULL;
  jfai_cancel *cancel = NULL;
  jfai_result *result = NULL;
  jfai_error *error = NULL;
  jfai_names *names = NULL;
  pthread_t thread;
  EXPECT(JFAI_OK, jfai_cancel_new(&cancel, &err));
  EXPECT(JFAI_OK, jfai_set_log(on_line, NULL, JFAI_LOG_INFO, &err));
  EXPECT(JFAI_OK, jfai_generate_many(client, batch_requests, REQUESTS, ALIVE, &batch, &err));
  CHECK(posts() == 0 && !jfai_batch_maybe_executed(batch));
  EXPECT(JFAI_OK, jfai_batch_task_ids(batch, &names, &err));
  CHECK(jfai_names_count(names) == 0);
  jfai_names_free(names);
  CHECK(pthread_create(&thread, NULL, cancel_later, cancel) == 0);
  CHECK(jfai_batch_next(batch, cancel, &result, &error) == JFAI_ERR_CANCELLED && result == NULL);
  pthread_join(thread, NULL);
  EXPECT(JFAI_OK, jfai_batch_task_ids(batch, &names, &err));
  CHECK(jfai_names_count(names) == ALIVE && jfai_error_task_count(error) == ALIVE);
  for (size_t i = 0; i < jfai_error_task_count(error); i++) {
    CHECK(holds(names, jfai_error_task_id_at(error, i)));
    CHECK(strstr(jfai_error_message(error), jfai_error_task_id_at(error, i)) != NULL);
    CHECK(strstr(jfai_error_json(error), jfai_error_task_id_at(error, i)) != NULL);
  }
  CHECK(!jfai_error_maybe_executed(error) && !jfai_batch_maybe_executed(batch));
  jfai_error_free(error);

  /* Stopped: the four that were not sent end as cancelled, the eight are waited for. */
  EXPECT(JFAI_OK, jfai_batch_stop(batch, &err));
  free(emulator("PUT", "/__emulator/scenario", "{\"time_scale\":600,\"rules\":[{\"match\":{\"op\":\"query\"},\"fault\":{\"kind\":\"error_shape\",\"shape\":\"invalid_token\"}}]}"));
  int with_id = 0, unsent = 0;
  for (;;) {
    EXPECT(JFAI_OK, jfai_batch_next(batch, NULL, &result, &err));
    if (result == NULL) break;
    const jfai_error *why = jfai_result_error(result);
    if (jfai_result_task_id(result) != NULL) {
      with_id++;
      CHECK(holds(names, jfai_result_task_id(result)) && jfai_error_task_id(why) != NULL);
    } else {
      unsent++;
      CHECK(jfai_error_status(why) == JFAI_ERR_CANCELLED && !jfai_error_maybe_executed(why));
    }
    jfai_result_free(result);
  }
  CHECK(with_id == ALIVE && unsent == REQUESTS - ALIVE);
  CHECK(posts() == ALIVE);
  jfai_names_free(names);
  EXPECT(JFAI_OK, jfai_batch_task_ids(batch, &names, &err));
  CHECK(jfai_names_count(names) == 0);
  jfai_names_free(names);
  jfai_batch_free(batch);
  EXPECT(JFAI_OK, jfai_set_log(NULL, NULL, JFAI_LOG_INFO, &err));
  jfai_cancel_free(cancel);
  jfai_request_free(request);
  jfai_client_free(client);
}

/* Handles from before a fork send nothing in the child. */
static void forked(void) {
  emulator_scenario(HEALTHY);
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  const jfai_request *batch_requests[1] = {request};
  jfai_batch *batch = NULL;
  EXPECT(JFAI_OK, jfai_generate_many(client, batch_requests, 1, 1, &batch, &err));
  const pid_t child = fork();
  if (child == 0) {
    passed = failed = 0;
    jfai_task *task = NULL;
    jfai_video *video = NULL;
    jfai_batch *other = NULL;
    jfai_result *result = NULL;
    EXPECT(JFAI_ERR_FORKED, jfai_create(client, request, NULL, &task, &err));
    EXPECT(JFAI_ERR_FORKED, jfai_generate(client, request, NULL, NULL, &video, &err));
    EXPECT(JFAI_ERR_FORKED, jfai_create_async(client, request, NULL, NULL, on_task, &seen[0], &err));
    EXPECT(JFAI_ERR_FORKED, jfai_generate_async(client, request, NULL, NULL, NULL, on_video, &seen[0], &err));
    EXPECT(JFAI_ERR_FORKED, jfai_generate_many(client, batch_requests, 1, 1, &other, &err));
    EXPECT(JFAI_ERR_FORKED, jfai_batch_next(batch, NULL, &result, &err));
    jfai_batch_free(batch);
    _exit(failed != 0);
  }
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  CHECK(posts() == 0);
  jfai_batch_free(batch);
  jfai_request_free(request);
  jfai_client_free(client);
}

int main(void) {
#if defined(__GLIBC__)
  /* What is freed is overwritten. */
  mallopt(M_PERTURB, 165);
#endif
  many_at_once(false, false, false);
  many_at_once(true, false, true);
  many_at_once(false, true, false);
  many_at_once(true, true, true);
  blocked(false);
  blocked(true);
  freed_while_blocked(false);
  freed_while_blocked(true);
  freed_by_callbacks();
  refused_with_an_id();
  after_the_create();
  many_left_early();
  forked();
  return finished("paid");
}
