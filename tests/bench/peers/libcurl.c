/* libcurl's easy interface: libcurl get BASE COUNT, libcurl save URL FILE */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

struct answer {
  CURL *curl;
  char text[4096];
  size_t length;
};

static size_t keep(char *bytes, size_t one, size_t count, void *with) {
  struct answer *answer = with;
  const size_t room = sizeof answer->text - answer->length;
  if (one * count > room) return 0;
  memcpy(answer->text + answer->length, bytes, one * count);
  answer->length += one * count;
  return one * count;
}

static int get(void *with) {
  struct answer *answer = with;
  answer->length = 0;
  return curl_easy_perform(answer->curl) != CURLE_OK || answer->length == 0;
}

int main(int count, char **arguments) {
  char line[256], url[512];
  if (count != 4) return 2;
  struct answer answer = {.curl = curl_easy_init()};
  snprintf(line, sizeof line, "Authorization: Bearer %s", getenv("JUNFEIAI_API_KEY"));
  struct curl_slist *headers = curl_slist_append(NULL, line);
  curl_easy_setopt(answer.curl, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(answer.curl, CURLOPT_FAILONERROR, 1L);
  int result;
  if (strcmp(arguments[1], "get") == 0) {
    snprintf(url, sizeof url, "%s/video/generations/task_1", arguments[2]);
    curl_easy_setopt(answer.curl, CURLOPT_URL, url);
    curl_easy_setopt(answer.curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(answer.curl, CURLOPT_WRITEDATA, &answer);
    result = timed(atoi(arguments[3]), get, &answer);
  } else {
    FILE *file = fopen(arguments[3], "wb");
    curl_easy_setopt(answer.curl, CURLOPT_URL, arguments[2]);
    curl_easy_setopt(answer.curl, CURLOPT_BUFFERSIZE, 256L * 1024L);
    curl_easy_setopt(answer.curl, CURLOPT_WRITEDATA, file);
    result = file == NULL || curl_easy_perform(answer.curl) != CURLE_OK || fclose(file) != 0;
  }
  curl_slist_free_all(headers);
  curl_easy_cleanup(answer.curl);
  return result;
}
