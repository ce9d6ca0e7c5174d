/* What a test asks the emulator itself: how many create requests arrived, and how it shall behave. Over a plain socket, so that the
   library under test has no part in it. */
#ifndef EMULATOR_H
#define EMULATOR_H

#include "check.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

/* The body of the answer, to be freed; the program ends when the emulator does not answer. */
static inline char *emulator(const char *method, const char *path, const char *body) {
  const char *base = getenv("JUNFEIAI_BASE_URL");
  const char *colon = base != NULL ? strrchr(base, ':') : NULL;
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)(colon != NULL ? atoi(colon + 1) : 0));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const size_t room = strlen(body) + 300;
  char *request = malloc(room);
  const int length = snprintf(request, room,
                              "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                              "Connection: close\r\n\r\n%s",
                              method, path, strlen(body), body);
  char *answer = calloc(1, 1 << 16);
  size_t got = 0;
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || write(fd, request, (size_t)length) != length) {
    fprintf(stderr, "the emulator does not answer\n");
    exit(2);
  }
  for (ssize_t more; got < (1 << 16) - 1 && (more = read(fd, answer + got, (1 << 16) - 1 - got)) > 0;) got += (size_t)more;
  close(fd);
  free(request);
  if (strncmp(answer, "HTTP/1.1 2", 10) != 0) {
    fprintf(stderr, "%s %s: %s\n", method, path, answer);
    exit(2);
  }
  const char *end = strstr(answer, "\r\n\r\n");
  char *out = strdup(end != NULL ? end + 4 : "");
  free(answer);
  return out;
}

/* Begins anew, with this scenario: an object of JSON. */
static inline void emulator_scenario(const char *json) {
  free(emulator("POST", "/__emulator/reset", ""));
  free(emulator("PUT", "/__emulator/scenario", json));
}

static inline long emulator_stat(const char *name) {
  char *stats = emulator("GET", "/__emulator/stats", "");
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":", name);
  const char *at = strstr(stats, quoted);
  const long value = at != NULL ? atol(at + strlen(quoted)) : -1;
  free(stats);
  return value;
}

/* Creates that arrived: each may cost money. */
static inline long posts(void) { return emulator_stat("posts"); }

static inline void moment(void) {
  const struct timespec pause = {0, 2000000};
  nanosleep(&pause, NULL);
}

/* Waits for what has to happen; a minute is for machines that are busy. */
#define UNTIL(condition)                                                                                               \
  do {                                                                                                                 \
    const double until_ = now() + 60;                                                                                  \
    bool met_ = false;                                                                                                 \
    while (!(met_ = (condition)) && now() < until_) moment();                                                          \
    if (!met_) fprintf(stderr, "%s:%d: in vain: %s\n", __FILE__, __LINE__, #condition);                                \
    CHECK(met_);                                                                                                       \
  } while (0)

#endif
