/* Three videos at once in a loop that never blocks on them, as a GUI or a server has one. The queue wakes poll(), or WSAPoll() of
   Windows, by a byte that a socket sends to itself: WSAPoll() takes sockets alone. */
#include <junfeiai.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef _WIN32
#include <winsock2.h> /* link with ws2_32 */
typedef SOCKET endpoint;
typedef int length;
#define poll WSAPoll
#define close closesocket
#else
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int endpoint;
typedef socklen_t length;
#define INVALID_SOCKET (-1)
#endif

enum { VIDEOS = 3 };

static int left = VIDEOS, saved;

/* A datagram socket of this machine, connected to itself. */
static endpoint to_itself(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  length size = sizeof here;
  const endpoint made = socket(AF_INET, SOCK_DGRAM, 0);
  if (made == INVALID_SOCKET) return made;
  if (bind(made, (struct sockaddr *)&here, size) != 0 || getsockname(made, (struct sockaddr *)&here, &size) != 0 ||
      connect(made, (struct sockaddr *)&here, size) != 0) {
    close(made);
    return INVALID_SOCKET;
  }
  return made;
}

/* On the library's thread: wake the loop, nothing else. */
static void wakeup(void *user) {
  const char byte = 0;
  if (send(*(endpoint *)user, &byte, 1, 0) != 1) fputs("the loop cannot be woken\n", stderr);
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
#ifdef _WIN32
  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return EXIT_FAILURE;
#endif
  endpoint waker = to_itself();
  if (waker == INVALID_SOCKET) {
    fputs("error: no socket for waking the loop\n", stderr);
    return EXIT_FAILURE;
  }
  if (jfai_client_from_env(&client, &err) != JFAI_OK || jfai_queue_new(&queue, &err) != JFAI_OK ||
      jfai_queue_set_wakeup(queue, wakeup, &waker, &err) != JFAI_OK ||
      jfai_request_new("A small red ball bouncing once", &request, &err) != JFAI_OK) {
    fprintf(stderr, "error: %s\n", jfai_error_message(err));
    left = 0;
  }
  for (int i = 0; i < VIDEOS && err == NULL; i++) {
    if (jfai_generate_async(client, request, NULL, NULL, queue, on_video, queue, NULL) != JFAI_OK) left--;
  }
  int ticks = 0;
  while (left > 0) {
    struct pollfd events = {.fd = waker, .events = POLLIN, .revents = 0};
    if (poll(&events, 1, 100) > 0) {
      char byte;
      if (recv(waker, &byte, 1, 0) < 0) fputs("the byte that woke the loop cannot be read\n", stderr);
      if (jfai_queue_drain(queue, 0, NULL, &err) != JFAI_OK) break;
    }
    ticks++; /* here a GUI would draw */
  }
  printf("%d saved, the loop went round %d times\n", saved, ticks);
  jfai_error_free(err);
  jfai_request_free(request);
  jfai_client_free(client);
  jfai_queue_free(queue);
  close(waker);
#ifdef _WIN32
  WSACleanup();
#endif
  return saved == VIDEOS ? EXIT_SUCCESS : EXIT_FAILURE;
}
