#include <junfeiai.h>
#include <stdio.h>

int main(void) {
  jfai_error *err = NULL;
  const jfai_status status = JFAI_VERSION_CHECK(&err);
  printf("junfeiai %s: %s\n", jfai_version(), status == JFAI_OK ? "fits its header" : jfai_error_message(err));
  jfai_error_free(err);
  return status != JFAI_OK;
}
