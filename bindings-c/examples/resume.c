/* Resumes a task by its id in a later process: resume task_… ball.mp4 */
#include <junfeiai.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: resume TASK_ID FILE\n");
    return 2;
  }
  jfai_error *err = NULL;
  jfai_client *client = NULL;
  jfai_task *task = NULL;
  jfai_video *video = NULL;
  if (jfai_client_from_env(&client, &err) == JFAI_OK &&
      jfai_task_by_id(client, arguments[1], &task, &err) == JFAI_OK &&
      jfai_wait(task, NULL, NULL, &video, &err) == JFAI_OK &&
      jfai_save(video, arguments[2], NULL, NULL, NULL, &err) == JFAI_OK) {
    printf("%s is saved\n", arguments[2]);
  } else if (jfai_error_status(err) == JFAI_ERR_FILE_EXISTS) {
    printf("%s is there already\n", arguments[2]);
    jfai_error_free(err);
    err = NULL;
  } else {
    fprintf(stderr, "error: %s\n", jfai_error_message(err));
  }
  const int code = err == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
  jfai_video_free(video);
  jfai_task_free(task);
  jfai_client_free(client);
  jfai_error_free(err);
  return code;
}
