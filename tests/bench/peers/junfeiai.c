/* Our C library: junfeiai get BASE COUNT, junfeiai save URL FILE. The key and the entry come from the environment. */
#include <junfeiai.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static int get(void *with) {
  jfai_task *task = NULL;
  const jfai_status status = jfai_get(with, "task_1", NULL, &task, NULL);
  jfai_task_free(task);
  return status != JFAI_OK;
}

static int save(const jfai_client *client, const char *url, const char *file) {
  jfai_video *video = NULL;
  const int bad = jfai_video_at(client, url, &video, NULL) != JFAI_OK || jfai_save(video, file, NULL, NULL, NULL, NULL) != JFAI_OK;
  jfai_video_free(video);
  return bad;
}

int main(int count, char **arguments) {
  jfai_client_options *options = NULL;
  jfai_client *client = NULL;
  if (count != 4) return 2;
  int result = jfai_client_options_new(&options, NULL) != JFAI_OK ||
               jfai_client_options_use_env(options, NULL) != JFAI_OK ||
               jfai_client_options_set_request_rate(options, 1e6, 1000000, NULL) != JFAI_OK ||
               jfai_client_new(options, &client, NULL) != JFAI_OK;
  if (result == 0)
    result = strcmp(arguments[1], "get") == 0 ? timed(atoi(arguments[3]), get, client) : save(client, arguments[2], arguments[3]);
  jfai_client_free(client);
  jfai_client_options_free(options);
  return result;
}
