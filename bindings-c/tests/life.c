/* Made and freed ten thousand times without growth; and what a fork leaves of a client. */
#include "check.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static void once(void) {
  jfai_client_options *options = NULL;
  jfai_request *request = NULL;
  jfai_cancel *cancel = NULL;
  jfai_queue *queue = NULL;
  jfai_wait_options *wait = NULL;
  jfai_save_options *save = NULL;
  jfai_error *err = NULL;
  must(jfai_client_options_new(&options, NULL));
  must(jfai_client_options_set_api_key(options, "sk-test", NULL));
  must(jfai_request_new("a ball", &request, NULL));
  if (jfai_request_set_size(request, NULL, &err) != JFAI_ERR_ARGUMENT) failed++;
  must(jfai_cancel_new(&cancel, NULL));
  must(jfai_queue_new(&queue, NULL));
  must(jfai_wait_options_new(&wait, NULL));
  must(jfai_save_options_new(&save, NULL));
  jfai_error_free(err);
  jfai_save_options_free(save);
  jfai_wait_options_free(wait);
  jfai_queue_free(queue);
  jfai_cancel_free(cancel);
  jfai_request_free(request);
  jfai_client_options_free(options);
}

static void a_client(const jfai_client_options *options) {
  jfai_client *client = NULL;
  jfai_task *task = NULL;
  jfai_video *video = NULL;
  must(jfai_client_new(options, &client, NULL));
  must(jfai_task_by_id(client, "task_1", &task, NULL));
  must(jfai_video_by_id(client, "task_1", &video, NULL));
  jfai_client_free(client);
  jfai_video_free(video);
  jfai_task_free(task);
}

static long kilobytes(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file != NULL) {
    if (fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    fclose(file);
  }
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int descriptors(void) {
  int count = 0;
  for (int i = 0; i < 1024; i++) count += fcntl(i, F_GETFD) != -1;
  return count;
}

static void forked(const jfai_client *client) {
  jfai_task *task = NULL;
  EXPECT(JFAI_OK, jfai_get(client, "task_life", NULL, &task, &err));
  const pid_t child = fork();
  if (child == 0) {
    /* The child: old handles say what they are, are freed without harm, and a new client works. */
    jfai_task *seen = NULL;
    passed = failed = 0;
    EXPECT(JFAI_ERR_FORKED, jfai_get(client, "task_life", NULL, &seen, &err));
    EXPECT(JFAI_ERR_FORKED, jfai_task_refresh(task, NULL, &seen, &err));
    /* The task is paid for: this error names it, too. */
    jfai_video *video = NULL;
    jfai_error *of_task = NULL;
    CHECK(jfai_wait(task, NULL, NULL, &video, &of_task) == JFAI_ERR_FORKED);
    CHECK(jfai_error_task_id(of_task) != NULL && strcmp(jfai_error_task_id(of_task), "task_life") == 0);
    jfai_error_free(of_task);
    CHECK(strcmp(jfai_task_id(task), "task_life") == 0);
    jfai_task_free(task);
    jfai_client *own = emulator_client();
    EXPECT(JFAI_OK, jfai_get(own, "task_life", NULL, &seen, &err));
    jfai_task_free(seen);
    jfai_client_free(own);
    _exit(failed != 0);
  }
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  /* The parent continues with the connection that it had. */
  jfai_task *again = NULL;
  EXPECT(JFAI_OK, jfai_task_refresh(task, NULL, &again, &err));
  jfai_task_free(again);
  jfai_task_free(task);
}

static atomic_int done_at_end;

static void count_done(void *user, jfai_task *task, jfai_error *error) {
  (void)user;
  CHECK(task != NULL && error == NULL);
  jfai_task_free(task);
  jfai_error_free(error);
  atomic_fetch_add(&done_at_end, 1);
}

/* After the destructors of thread_local objects, as functions of atexit() are called: a blocking call is refused, and sends nothing. */
static void at_its_end(void *user) {
  const jfai_client *client = user;
  jfai_request *request = ball();
  jfai_task *task = NULL;
  jfai_error *error = NULL;
  CHECK(jfai_create(client, request, NULL, &task, &error) == JFAI_ERR_INVALID_REQUEST && task == NULL);
  CHECK(!jfai_error_maybe_executed(error) && strstr(jfai_error_message(error), "without blocking") != NULL);
  jfai_error_free(error);
  EXPECT(JFAI_OK, jfai_create_async(client, request, NULL, NULL, count_done, NULL, &err));
  for (const double end = now() + 60; atomic_load(&done_at_end) == 0 && now() < end;) {
    const struct timespec pause = {0, 2000000};
    nanosleep(&pause, NULL);
  }
  CHECK(atomic_load(&done_at_end) == 1);
  jfai_request_free(request);
}

static pthread_key_t ending;

static void *use_and_end(void *user) {
  jfai_task *task = NULL;
  EXPECT(JFAI_OK, jfai_get(user, "task_life", NULL, &task, &err));
  jfai_task_free(task);
  CHECK(pthread_setspecific(ending, user) == 0);
  return NULL;
}

static void at_the_end_of_a_thread(jfai_client *client) {
  pthread_t thread;
  CHECK(pthread_key_create(&ending, at_its_end) == 0);
  CHECK(pthread_create(&thread, NULL, use_and_end, client) == 0);
  pthread_join(thread, NULL);
  pthread_key_delete(ending);
}

static const jfai_client *shared;
static atomic_int stop;

static void *work(void *user) {
  while (!atomic_load(&stop)) {
    jfai_task *task = NULL;
    if (jfai_get(shared, "task_life", NULL, &task, NULL) == JFAI_OK) jfai_task_free(task);
  }
  return user;
}

/* Slow on purpose: a fork nearly always finds it running. */
static void slow_log(void *user, int32_t level, const char *line) {
  const struct timespec pause = {0, 1000000};
  (void)user, (void)level, (void)line;
  nanosleep(&pause, NULL);
}

static void no_log(void *user, int32_t level, const char *line) {
  (void)level, (void)line;
  ++*(int *)user;
}

static void ended(void *user, jfai_task *task, jfai_error *error) {
  ++*(int *)user;
  jfai_task_free(task);
  jfai_error_free(error);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#if !defined(ADDRESS_SANITIZER)
#define ADDRESS_SANITIZER 0
#endif

/* A child begins anew, whatever locks the threads of its parent held. Not under the address sanitizer: its allocator's own
 * locks stay shut in the child of a busy process (clang 14). */
static void forked_while_busy(jfai_client *client) {
  enum { THREADS = 3, FORKS = 10 };
  pthread_t threads[THREADS];
  jfai_queue *queue = NULL;
  jfai_cancel *cancel = NULL;
  int calls = 0;
  shared = client;
  EXPECT(JFAI_OK, jfai_queue_new(&queue, &err));
  EXPECT(JFAI_OK, jfai_cancel_new(&cancel, &err));
  EXPECT(JFAI_OK, jfai_set_log(slow_log, NULL, JFAI_LOG_TRACE, &err));
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
  for (int i = 0; i < FORKS; i++) {
    EXPECT(JFAI_OK, jfai_get_async(client, "task_life", cancel, queue, ended, &calls, &err));
    const pid_t child = fork();
    if (child == 0) {
      jfai_task *task = NULL;
      int lines = 0;
      passed = failed = 0;
      alarm(60);
      EXPECT(JFAI_OK, jfai_set_log(no_log, &lines, JFAI_LOG_DEBUG, &err));
      EXPECT(JFAI_ERR_FORKED, jfai_get_async(client, "task_life", NULL, NULL, ended, &calls, &err));
      EXPECT(JFAI_ERR_FORKED, jfai_queue_set_wakeup(queue, NULL, NULL, &err));
      EXPECT(JFAI_ERR_FORKED, jfai_queue_drain(queue, 0, NULL, &err));
      jfai_queue_free(queue);
      jfai_client_free(client);
      jfai_client *own = emulator_client();
      EXPECT(JFAI_OK, jfai_get(own, "task_life", cancel, &task, &err));
      CHECK(lines > 0);
      jfai_cancel_now(cancel);
      jfai_task_free(task);
      EXPECT(JFAI_ERR_CANCELLED, jfai_get(own, "task_life", cancel, &task, &err));
      jfai_cancel_free(cancel);
      jfai_client_free(own);
      _exit(failed != 0);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  atomic_store(&stop, 1);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  EXPECT(JFAI_OK, jfai_set_log(NULL, NULL, JFAI_LOG_ERROR, &err));
  while (calls < FORKS) EXPECT(JFAI_OK, jfai_queue_drain(queue, 60000, NULL, &err));
  CHECK(!jfai_cancel_is_cancelled(cancel));
  jfai_cancel_free(cancel);
  jfai_queue_free(queue);
}

int main(int count, char **arguments) {
  const int rounds = count > 2 ? atoi(arguments[2]) : 10000;
  jfai_client_options *options = NULL;
  EXPECT(JFAI_OK, jfai_client_options_new(&options, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_api_key(options, "sk-test", &err));
  const int clients = rounds < 1000 ? rounds : 1000;
  for (int i = 0; i < rounds; i++) once();
  for (int i = 0; i < clients / 10 + 1; i++) a_client(options);
  malloc_trim(0);
  const long before = kilobytes();
  const int open_before = descriptors();
  for (int i = 0; i < rounds; i++) once();
  for (int i = 0; i < clients; i++) a_client(options);
  malloc_trim(0);
  const long grown = kilobytes() - before;
  printf("life: %d rounds and %d clients grew by %ld KiB\n", rounds, clients, grown);
  /* A sanitizer keeps freed memory for a while. */
  if (getenv("SANITIZED") == NULL) CHECK(grown < 1024);
  CHECK(descriptors() == open_before);
  jfai_client_options_free(options);

  jfai_client *client = emulator_client();
#if defined(__GLIBC__)
  /* What a thread_local object of ours registers so late glibc never frees: some bytes for each such thread. */
  if (!ADDRESS_SANITIZER) at_the_end_of_a_thread(client);
#endif
  forked(client);
  if (!ADDRESS_SANITIZER) forked_while_busy(client);
  jfai_client_free(client);
  return finished("life");
}
