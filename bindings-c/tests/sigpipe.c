/* A server that resets the connection costs a call, not the process: SIGPIPE has its default disposition here.
   Arguments: the base URL of a server that does so over https, its CA, the number of rounds. */
#include "check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int blocked(void) {
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  return sigismember(&mask, SIGPIPE);
}

static int pending(void) {
  sigset_t set;
  sigpending(&set);
  return sigismember(&set, SIGPIPE);
}

static void write_to_nobody(void) {
  int ends[2];
  if (pipe(ends) != 0) return;
  close(ends[0]);
  if (write(ends[1], "x", 1) != -1 || errno != EPIPE) failed++;
  close(ends[1]);
}

/* The program's own writes do what they did before. */
static void own_pipes_still_kill(void) {
  const pid_t child = fork();
  if (child == 0) {
    write_to_nobody();
    _exit(0);
  }
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

static jfai_client *resetting_client(const char *url, const char *ca) {
  jfai_client_options *options = NULL;
  jfai_client *client = NULL;
  EXPECT(JFAI_OK, jfai_client_options_new(&options, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_api_key(options, "sk-test", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_endpoint(options, url, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_ca_file(options, ca, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_proxy(options, "", &err));
  EXPECT(JFAI_OK, jfai_client_options_set_max_attempts(options, 1, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_request_rate(options, 1000, 1000, &err));
  EXPECT(JFAI_OK, jfai_client_new(options, &client, &err));
  jfai_client_options_free(options);
  return client;
}

static void blocking(const jfai_client *client, int rounds) {
  jfai_request *request = ball();
  for (int i = 0; i < rounds; i++) {
    jfai_task *task = NULL;
    EXPECT(JFAI_ERR_CREATE_OUTCOME_UNKNOWN, jfai_create(client, request, NULL, &task, &err));
    EXPECT(JFAI_ERR_CONNECTION, jfai_get(client, "task_1", NULL, &task, &err));
    CHECK(!blocked() && !pending());
  }
  jfai_request_free(request);
}

struct ends {
  int unknown, others, blocked;
};

static void created(void *user, jfai_task *task, jfai_error *error) {
  struct ends *ends = user;
  *(jfai_error_status(error) == JFAI_ERR_CREATE_OUTCOME_UNKNOWN ? &ends->unknown : &ends->others) += 1;
  ends->blocked += blocked();
  jfai_error_free(error);
  jfai_task_free(task);
}

/* On the library's thread, whose callbacks run with the mask of the thread that started it. */
static void asynchronous(const char *url, const char *ca, int rounds) {
  struct ends ends = {0, 0, 0};
  jfai_client *client = resetting_client(url, ca);
  jfai_request *request = ball();
  jfai_queue *queue = NULL;
  EXPECT(JFAI_OK, jfai_queue_new(&queue, &err));
  for (int i = 0; i < rounds; i++) {
    size_t count = 0;
    EXPECT(JFAI_OK, jfai_create_async(client, request, NULL, queue, created, &ends, &err));
    EXPECT(JFAI_OK, jfai_queue_drain(queue, 60000, &count, &err));
    CHECK(count == 1);
    /* Without a queue: called on the library's thread, before the client's end returns. */
    jfai_client *other = resetting_client(url, ca);
    jfai_task *task = NULL;
    EXPECT(JFAI_OK, jfai_create_async(other, request, NULL, NULL, created, &ends, &err));
    EXPECT(JFAI_ERR_CONNECTION, jfai_get(other, "task_1", NULL, &task, &err));
    jfai_client_free(other);
  }
  CHECK(ends.unknown >= rounds && ends.unknown + ends.others == 2 * rounds && ends.blocked == 0);
  jfai_queue_free(queue);
  jfai_request_free(request);
  jfai_client_free(client);
}

/* What the program blocked, and what waits for it, is its own affair. */
static void own_mask(const jfai_client *client) {
  sigset_t set, before;
  jfai_task *task = NULL;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, &before);
  raise(SIGPIPE);
  EXPECT(JFAI_ERR_CONNECTION, jfai_get(client, "task_1", NULL, &task, &err));
  CHECK(blocked() && pending());
  const struct timespec now = {0, 0};
  CHECK(sigtimedwait(&set, NULL, &now) == SIGPIPE);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  const int rounds = atoi(arguments[3]);
  signal(SIGPIPE, SIG_DFL);
  jfai_client *client = resetting_client(arguments[1], arguments[2]);
  blocking(client, rounds);
  own_pipes_still_kill();
  own_mask(client);
  asynchronous(arguments[1], arguments[2], rounds);
  own_pipes_still_kill();
  jfai_client_free(client);
  struct sigaction action;
  CHECK(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
  CHECK(!blocked() && !pending());
  return finished("sigpipe");
}
