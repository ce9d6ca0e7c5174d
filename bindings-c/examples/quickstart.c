/* Create a video, wait for it, save it. JUNFEIAI_API_KEY=… quickstart ball.mp4 */
#include <junfeiai.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
  if (count > 2 || (count == 2 && arguments[1][0] == '-')) {
    fprintf(stderr, "usage: quickstart [FILE]\n"); /* before anything costs money */
    return 2;
  }
  const char *file = count > 1 ? arguments[1] : "ball.mp4";
  jfai_error *err = NULL;
  jfai_client *client = NULL;
  jfai_request *request = NULL;
  jfai_video *video = NULL;
  jfai_summary *summary = NULL;

  if (jfai_client_from_env(&client, &err) == JFAI_OK &&
      jfai_request_new("A small red ball bouncing once", &request, &err) == JFAI_OK &&
      jfai_request_set_seconds(request, 4, &err) == JFAI_OK &&
      jfai_check_save(client, file, NULL, &err) == JFAI_OK && /* a file that is in the way is found out before */
      jfai_generate(client, request, NULL, NULL, &video, &err) == JFAI_OK && /* this is what costs money */
      jfai_save(video, file, NULL, NULL, &summary, &err) == JFAI_OK) {
    printf("%s: %llu bytes\n", jfai_summary_path(summary), (unsigned long long)jfai_summary_bytes(summary));
  } else {
    fprintf(stderr, "error: %s\n", jfai_error_message(err));
  }
  const int code = err == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
  jfai_summary_free(summary);
  jfai_video_free(video);
  jfai_request_free(request);
  jfai_client_free(client);
  jfai_error_free(err);
  return code;
}
