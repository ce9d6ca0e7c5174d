/* The little that a test program needs. Each ends with "N passed, M failed". */
#ifndef CHECK_H
#define CHECK_H

#include <junfeiai.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef _WIN32
#include <sys/timeb.h>
#endif

static int passed, failed;

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (condition) {                                                                                                   \
      passed++;                                                                                                        \
    } else {                                                                                                           \
      failed++;                                                                                                        \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                          \
    }                                                                                                                  \
  } while (0)

/* The call has this status, and the error object says the same; `err` is its last argument. */
#define EXPECT(status, call)                                                                                           \
  do {                                                                                                                 \
    jfai_error *err = NULL;                                                                                            \
    const jfai_status got_ = (call);                                                                                   \
    if (got_ == (status) && jfai_error_status(err) == got_ && (got_ == JFAI_OK) == (err == NULL)) {                    \
      passed++;                                                                                                        \
    } else {                                                                                                           \
      failed++;                                                                                                        \
      fprintf(stderr, "%s:%d: %s is %d (%s), not %d: %s\n", __FILE__, __LINE__, #call, (int)got_,                      \
              jfai_status_name(got_), (int)(status), err ? jfai_error_message(err) : "no error object");               \
    }                                                                                                                  \
    jfai_error_free(err);                                                                                              \
  } while (0)

/* A call that a test needs and does not test. */
static inline void must(jfai_status status) {
  if (status != JFAI_OK) {
    fprintf(stderr, "a call that is needed failed: %s\n", jfai_status_name(status));
    exit(2);
  }
}

static inline int finished(const char *name) {
  printf("%s: %d passed, %d failed\n", name, passed, failed);
  return failed != 0;
}

/* Seconds, for differences. */
static inline double now(void) {
#ifdef _WIN32
  /* The C library of older Windows has no timespec_get. */
  struct __timeb64 t;
  _ftime64_s(&t);
  return (double)t.time + t.millitm / 1e3;
#else
  struct timespec t;
  timespec_get(&t, TIME_UTC);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
#endif
}

/* A client for the emulator that JUNFEIAI_BASE_URL and JUNFEIAI_API_KEY name. */
static inline jfai_client *emulator_client(void) {
  jfai_client_options *options = NULL;
  jfai_client *client = NULL;
  EXPECT(JFAI_OK, jfai_client_options_new(&options, &err));
  EXPECT(JFAI_OK, jfai_client_options_use_env(options, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_poll_interval_ms(options, 20, &err));
  EXPECT(JFAI_OK, jfai_client_new(options, &client, &err));
  jfai_client_options_free(options);
  if (client == NULL) {
    fprintf(stderr, "there is no client to test with\n");
    exit(2);
  }
  return client;
}

static inline jfai_request *ball(void) {
  jfai_request *request = NULL;
  EXPECT(JFAI_OK, jfai_request_new("A small red ball bouncing once", &request, &err));
  EXPECT(JFAI_OK, jfai_request_set_seconds(request, 4, &err));
  return request;
}

#endif
