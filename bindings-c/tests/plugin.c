/* A shared library that the static one is linked into: it exports this function and nothing else. */
#include <junfeiai.h>

const char *plugin_version(void) { return jfai_version(); }
