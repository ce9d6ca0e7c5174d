/* A panic of the build that is shipped ends at the border. Linked with the static library, where the function is hidden. */
#include "check.h"

jfai_status jfai_test_panic(jfai_error **err);

int main(void) {
  jfai_error *err = NULL;
  for (int i = 0; i < 3; i++) {
    CHECK(jfai_test_panic(&err) == JFAI_ERR_INTERNAL);
    CHECK(err != NULL && strstr(jfai_error_message(err), "on purpose") != NULL);
    CHECK(strcmp(jfai_error_kind(err), "internal") == 0);
    jfai_error_free(err);
    CHECK(jfai_test_panic(NULL) == JFAI_ERR_INTERNAL);
  }
  return finished("panic");
}
