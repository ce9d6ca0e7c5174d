/* A status that nobody looks at: compilers warn. */
#include <junfeiai.h>

void ignored(jfai_client_options *options) { jfai_client_options_set_budget(options, 1, NULL); }
