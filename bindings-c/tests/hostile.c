/* Hostile values in every setter and argument of every call that pays: what can be refused is refused before
   anything is sent, by the name that the caller wrote; what is taken ends with a task whose id is known. The order and the
   harmless options beside the hostile one are random: JUNFEIAI_SEED repeats them. */
#include "emulator.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

/* Everything that a paying call is made with. */
struct all {
  jfai_client_options *options;
  jfai_request *request;
  jfai_wait_options *wait;
  size_t concurrency;
};

struct value {
  const char *text;
  double number;
  uint64_t whole;
};

typedef jfai_status (*apply_fn)(struct all *a, const struct value *v, jfai_error **e);

#define TEXT(function, of)                                                                                             \
  static jfai_status do_##function(struct all *a, const struct value *v, jfai_error **e) {                             \
    return jfai_##function(a->of, v->text, e);                                                                         \
  }
#define WHOLE(function, of, type)                                                                                      \
  static jfai_status do_##function(struct all *a, const struct value *v, jfai_error **e) {                             \
    return jfai_##function(a->of, (type)v->whole, e);                                                                  \
  }
#define BYTES(function)                                                                                                \
  static jfai_status do_##function(struct all *a, const struct value *v, jfai_error **e) {                             \
    return jfai_##function(a->request, (const uint8_t *)v->text, (size_t)v->whole, e);                                 \
  }
TEXT(client_options_set_api_key, options)
TEXT(client_options_set_endpoint, options)
TEXT(client_options_add_endpoint, options)
TEXT(client_options_set_video_base_url, options)
TEXT(client_options_trust_host, options)
TEXT(client_options_set_proxy, options)
TEXT(client_options_set_ca_file, options)
TEXT(client_options_set_journal, options)
TEXT(client_options_set_language, options)
TEXT(client_options_set_sdk_name, options)
TEXT(client_options_set_user_agent, options)
WHOLE(client_options_set_timeout_ms, options, uint64_t)
WHOLE(client_options_set_create_timeout_ms, options, uint64_t)
WHOLE(client_options_set_connect_timeout_ms, options, uint64_t)
WHOLE(client_options_set_idle_timeout_ms, options, uint64_t)
WHOLE(client_options_set_poll_interval_ms, options, uint64_t)
WHOLE(client_options_set_wait_timeout_ms, options, uint64_t)
WHOLE(client_options_set_max_attempts, options, uint32_t)
WHOLE(client_options_set_max_poll_errors, options, uint32_t)
WHOLE(client_options_set_max_in_flight_creates, options, uint32_t)
WHOLE(wait_options_set_timeout_ms, wait, uint64_t)
WHOLE(wait_options_set_poll_interval_ms, wait, uint64_t)
TEXT(request_set_model, request)
TEXT(request_set_size, request)
TEXT(request_set_key, request)
TEXT(request_set_image_url, request)
TEXT(request_set_image_file, request)
TEXT(request_add_reference_url, request)
TEXT(request_add_reference_file, request)
BYTES(request_set_image_bytes)
BYTES(request_add_reference_bytes)
WHOLE(request_set_validate, request, int32_t)

static jfai_status do_client_options_set_request_rate(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_client_options_set_request_rate(a->options, v->number, (uint32_t)v->whole, e);
}
/* The text is the value, and then the name. */
static jfai_status do_client_options_set_header(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_client_options_set_header(a->options, "X-Gateway", v->text, e);
}
static jfai_status do_header_name(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_client_options_set_header(a->options, v->text, "1", e);
}
static jfai_status do_client_options_set_max_cost(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_client_options_set_max_cost(a->options, v->number, e);
}
static jfai_status do_client_options_set_budget(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_client_options_set_budget(a->options, v->number, e);
}
static jfai_status do_client_options_set_retry_pauses_ms(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_client_options_set_retry_pauses_ms(a->options, v->whole, v->whole, v->whole, e);
}
static jfai_status do_request_set_seconds(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_request_set_seconds(a->request, v->number, e);
}
/* The text is the value; the name is a harmless one. */
static jfai_status do_request_set_extra_json(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_request_set_extra_json(a->request, "x", v->text, e);
}
static jfai_status do_extra_name(struct all *a, const struct value *v, jfai_error **e) {
  return jfai_request_set_extra_json(a->request, v->text, "1", e);
}
static jfai_status do_request_new(struct all *a, const struct value *v, jfai_error **e) {
  jfai_request *request = NULL;
  const jfai_status status = jfai_request_new(v->text, &request, e);
  if (status == JFAI_OK) {
    jfai_request_free(a->request);
    a->request = request;
  }
  return status;
}
static jfai_status do_request_from_json(struct all *a, const struct value *v, jfai_error **e) {
  jfai_request *request = NULL;
  const jfai_status status = jfai_request_from_json(v->text, &request, e);
  if (status == JFAI_OK) {
    jfai_request_free(a->request);
    a->request = request;
  }
  return status;
}
static jfai_status do_concurrency(struct all *a, const struct value *v, jfai_error **e) {
  (void)e;
  a->concurrency = (size_t)v->whole;
  return JFAI_OK;
}

static char huge[(1 << 16) + 1];
#define BAD_UTF8 "a\xff\xfe"

/* `refused`: what the error has to say; NULL when the value is a legal one. `many`: judged by jfai_generate_many() alone. */
static const struct row {
  apply_fn apply;
  struct value value;
  const char *refused;
  bool many;
} rows[] = {
#define T(function, text, refused) {do_##function, {text, 0, 0}, refused, false}
#define N(function, number, whole, refused) {do_##function, {NULL, number, whole}, refused, false}
#define B(function, text, size, refused) {do_##function, {text, 0, size}, refused, false}
    T(client_options_set_api_key, NULL, "api_key"), T(client_options_set_api_key, "", "set_api_key"),
    T(client_options_set_api_key, BAD_UTF8, "api_key"), T(client_options_set_api_key, "a\nb", "set_api_key"),
    T(client_options_set_api_key, huge, "set_api_key"),
    T(client_options_set_endpoint, NULL, "endpoint"), T(client_options_set_endpoint, BAD_UTF8, "endpoint"),
    T(client_options_set_endpoint, "", "set_endpoint"), T(client_options_set_endpoint, "ftp://x/v1", "set_endpoint"),
    T(client_options_set_endpoint, "http://[", "set_endpoint"), T(client_options_set_endpoint, huge, "set_endpoint"),
    T(client_options_add_endpoint, "http://a b/v1", "add_endpoint"), T(client_options_add_endpoint, NULL, "endpoint"),
    T(client_options_set_video_base_url, "", "set_video_base_url"), T(client_options_set_video_base_url, NULL, "url"),
    T(client_options_set_video_base_url, "x y", "set_video_base_url"),
    T(client_options_trust_host, "", "trust_host"), T(client_options_trust_host, "*.example.com", "trust_host"),
    T(client_options_trust_host, NULL, "host"), T(client_options_trust_host, "a:99999", "trust_host"),
    T(client_options_set_proxy, "::", "set_proxy"), T(client_options_set_proxy, NULL, "proxy"),
    T(client_options_set_ca_file, "", "file"), T(client_options_set_ca_file, NULL, "file"),
    T(client_options_set_ca_file, "/no/such.pem", "set_ca_file"), T(client_options_set_ca_file, "/", "set_ca_file"),
    T(client_options_set_journal, "", "file"), T(client_options_set_journal, NULL, "file"),
    T(client_options_set_journal, "/no/such/journal", "/no/such/journal"), T(client_options_set_journal, "/", "/"),
    T(client_options_set_language, NULL, "language"), T(client_options_set_language, BAD_UTF8, "language"),
    T(client_options_set_language, "\x01", "set_language"), T(client_options_set_language, "a\r\nb: c", "set_language"),
    T(client_options_set_language, huge, "set_language"),
    T(client_options_set_sdk_name, NULL, "sdk_name"), T(client_options_set_sdk_name, BAD_UTF8, "sdk_name"),
    T(client_options_set_user_agent, NULL, "user_agent"), T(client_options_set_user_agent, BAD_UTF8, "user_agent"),
    T(client_options_set_user_agent, "a\r\nb: c", "set_user_agent"), T(client_options_set_user_agent, "", "set_user_agent"),
    T(client_options_set_user_agent, huge, "set_user_agent"), T(client_options_set_user_agent, "my-app/1.2", NULL),
    T(client_options_set_header, NULL, "value"), T(client_options_set_header, BAD_UTF8, "value"),
    T(client_options_set_header, "a\r\nb: c", "X-Gateway"), T(client_options_set_header, "\x01", "X-Gateway"),
    T(client_options_set_header, huge, "set_header"), T(client_options_set_header, "", NULL), T(client_options_set_header, "a b", NULL),
    T(header_name, NULL, "name"), T(header_name, BAD_UTF8, "name"), T(header_name, "", "set_header"), T(header_name, "a b", "set_header"),
    T(header_name, "Authorization", "Authorization"), T(header_name, "HOST", "HOST"), T(header_name, "range", "range"),
    T(header_name, "X-Other", NULL),
    T(client_options_set_sdk_name, "a\r\nb: c", NULL), T(client_options_set_sdk_name, "", NULL),
#define TIMES(function)                                                                                                \
  N(function, 0, 0, #function), N(function, 0, UINT64_MAX, NULL), N(function, 0, UINT64_MAX - 1, NULL),                \
      N(function, 0, INT64_MAX, NULL), N(function, 0, (uint64_t)INT64_MAX + 1, NULL)
    TIMES(client_options_set_timeout_ms), TIMES(client_options_set_create_timeout_ms),
    TIMES(client_options_set_connect_timeout_ms), TIMES(client_options_set_idle_timeout_ms),
#define INTERVALS(function)                                                                                            \
  N(function, 0, 0, #function), N(function, 0, UINT64_MAX, #function), N(function, 0, UINT64_MAX - 1, #function),      \
      N(function, 0, 86400001, #function), N(function, 0, 86400000, NULL)
    INTERVALS(client_options_set_poll_interval_ms), INTERVALS(wait_options_set_poll_interval_ms),
    N(client_options_set_wait_timeout_ms, 0, UINT64_MAX, NULL), N(client_options_set_wait_timeout_ms, 0, UINT64_MAX - 1, NULL),
    N(wait_options_set_timeout_ms, 0, UINT64_MAX, NULL), N(wait_options_set_timeout_ms, 0, UINT64_MAX - 1, NULL),
    N(wait_options_set_timeout_ms, 0, 0, NULL), N(wait_options_set_timeout_ms, 0, (uint64_t)INT64_MAX + 1, NULL),
    N(client_options_set_max_attempts, 0, 0, "set_max_attempts"), N(client_options_set_max_attempts, 0, UINT32_MAX, NULL),
    N(client_options_set_max_poll_errors, 0, 0, NULL), N(client_options_set_max_poll_errors, 0, UINT32_MAX, NULL),
    N(client_options_set_max_in_flight_creates, 0, 0, "set_max_in_flight_creates"),
    N(client_options_set_max_in_flight_creates, 0, UINT32_MAX, NULL),
    N(client_options_set_retry_pauses_ms, 0, UINT64_MAX, NULL), N(client_options_set_retry_pauses_ms, 0, UINT64_MAX - 1, NULL),
    N(client_options_set_request_rate, NAN, 1, "set_request_rate"), N(client_options_set_request_rate, INFINITY, 1, "set_request_rate"),
    N(client_options_set_request_rate, -INFINITY, 1, "set_request_rate"), N(client_options_set_request_rate, -1, 1, "set_request_rate"),
    N(client_options_set_request_rate, -0.0, 1, "set_request_rate"), N(client_options_set_request_rate, 1, 0, "set_request_rate"),
    N(client_options_set_request_rate, 1e308, UINT32_MAX, NULL), N(client_options_set_request_rate, 5e-324, 8, "set_request_rate"),
    N(client_options_set_request_rate, 1e-5, 8, "set_request_rate"), N(client_options_set_request_rate, 1.0 / 86400, 8, NULL),
    N(client_options_set_max_cost, NAN, 0, "set_max_cost"), N(client_options_set_max_cost, INFINITY, 0, "set_max_cost"),
    N(client_options_set_max_cost, -1, 0, "set_max_cost"), N(client_options_set_max_cost, -5e-324, 0, "set_max_cost"),
    N(client_options_set_max_cost, 1e308, 0, "set_max_cost"), N(client_options_set_max_cost, 0, 0, "max_cost"),
    N(client_options_set_max_cost, 5e-324, 0, "more than max_cost"), N(client_options_set_max_cost, 1000, 0, NULL),
    N(client_options_set_budget, NAN, 0, "set_budget"), N(client_options_set_budget, INFINITY, 0, "set_budget"),
    N(client_options_set_budget, -1, 0, "set_budget"), N(client_options_set_budget, 0, 0, "set_budget"),
    N(client_options_set_budget, 5e-324, 0, "set_budget"), N(client_options_set_budget, 1000, 0, "journal"),
    T(request_new, NULL, "prompt"), T(request_new, "", "request_new"), T(request_new, " \n", "request_new"),
    T(request_new, BAD_UTF8, "prompt"), T(request_new, huge, "request_new"),
    T(request_from_json, NULL, "json"), T(request_from_json, "[]", "object"), T(request_from_json, "{", "json"),
    T(request_from_json, "{\"prompt\":\"a\",\"sceonds\":4}", "sceonds"), T(request_from_json, "{\"prompt\":7}", "prompt"),
    T(request_from_json, "{\"prompt\":\"a\",\"seconds\":1e999}", "json"), T(request_from_json, "{\"prompt\":\"\"}", "prompt"),
    T(request_set_model, NULL, "model"), T(request_set_model, "", "set_model"), T(request_set_model, BAD_UTF8, "model"),
    N(request_set_seconds, NAN, 0, "set_seconds"), N(request_set_seconds, INFINITY, 0, "set_seconds"),
    N(request_set_seconds, -INFINITY, 0, "set_seconds"), N(request_set_seconds, -5, 0, "set_seconds"),
    N(request_set_seconds, -0.0, 0, "set_seconds"), N(request_set_seconds, 0.5, 0, "set_seconds"),
    N(request_set_seconds, 16, 0, "set_seconds"), N(request_set_seconds, 1e308, 0, "set_seconds"),
    N(request_set_seconds, 5e-324, 0, "set_seconds"), N(request_set_seconds, -9223372036854775808.0, 0, "set_seconds"),
    T(request_set_size, NULL, "size"), T(request_set_size, "", "set_size"), T(request_set_size, "0x0", "set_size"),
    T(request_set_size, "-1x5", "set_size"), T(request_set_size, "1280x", "set_size"), T(request_set_size, BAD_UTF8, "size"),
    T(request_set_size, huge, "set_size"),
    T(request_set_key, NULL, "key"), T(request_set_key, "", "set_key"), T(request_set_key, "a\nb", "set_key"),
    T(request_set_key, BAD_UTF8, "key"), T(request_set_key, huge, "set_key"),
    T(request_set_image_url, NULL, "url"), T(request_set_image_url, "", "set_image_url"),
    T(request_set_image_url, "file:///etc/passwd", "set_image_url"), T(request_set_image_url, BAD_UTF8, "url"),
    T(request_set_image_file, NULL, "file"), T(request_set_image_file, "", "file"),
    T(request_set_image_file, "/no/such.png", "/no/such.png"), T(request_set_image_file, "/", "/"),
    T(request_add_reference_url, NULL, "url"), T(request_add_reference_url, "x", "add_reference_url"),
    T(request_add_reference_file, NULL, "file"), T(request_add_reference_file, "/no/such.png", "/no/such.png"),
    B(request_set_image_bytes, NULL, 1, "data"), B(request_set_image_bytes, "GIF89a", 6, "image"),
    B(request_set_image_bytes, "x", SIZE_MAX, "data"), B(request_set_image_bytes, NULL, 0, "image"),
    B(request_add_reference_bytes, NULL, 1, "data"), B(request_add_reference_bytes, "x", SIZE_MAX, "data"),
    B(request_add_reference_bytes, "x", 1, "image"),
    T(request_set_extra_json, NULL, "json"), T(request_set_extra_json, "nope", "json"), T(request_set_extra_json, "1e999", "json"),
    T(request_set_extra_json, "", "json"), T(extra_name, NULL, "name"), T(extra_name, BAD_UTF8, "name"),
    T(extra_name, "prompt", "set_extra_json"), T(extra_name, "seconds", "set_extra_json"),
    N(request_set_validate, 0, 3, "validate"), N(request_set_validate, 0, (uint32_t)-1, "validate"),
    N(request_set_validate, 0, (uint32_t)INT32_MIN, "validate"),
    {do_concurrency, {NULL, 0, 0}, "concurrency", true}, {do_concurrency, {NULL, 0, SIZE_MAX}, NULL, true},
};

static uint64_t state;
static uint64_t chance(uint64_t below) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (state >> 33) % below;
}

struct ended {
  atomic_int calls;
  jfai_error *error;
};

static void on_task(void *user, jfai_task *task, jfai_error *error) {
  struct ended *e = user;
  e->error = error;
  jfai_task_free(task);
  atomic_fetch_add(&e->calls, 1);
}

static void on_summary(void *user, jfai_summary *summary, jfai_error *error) {
  (void)user;
  CHECK(!"it is called");
  jfai_summary_free(summary);
  jfai_error_free(error);
}

static void on_video(void *user, jfai_video *video, jfai_error *error) {
  struct ended *e = user;
  e->error = error;
  jfai_video_free(video);
  atomic_fetch_add(&e->calls, 1);
}

enum { CREATE, GENERATE, CREATE_ASYNC, GENERATE_ASYNC, MANY, WAYS };
static const char *const names[] = {"jfai_create", "jfai_generate", "jfai_create_async", "jfai_generate_async", "jfai_generate_many"};

/* What a call came to. */
struct outcome {
  char line[4096];
  bool failed, with_id;
};

static struct outcome see(const jfai_error *error) {
  struct outcome o = {{0}, error != NULL, jfai_error_task_id(error) != NULL};
  if (error != NULL) snprintf(o.line, sizeof o.line, "%s", jfai_error_message(error));
  return o;
}

static struct outcome taken(jfai_error *error) {
  const struct outcome o = see(error);
  jfai_error_free(error);
  return o;
}

static struct outcome pay(int way, const jfai_client *client, const struct all *a) {
  jfai_error *error = NULL;
  jfai_task *task = NULL;
  jfai_video *video = NULL;
  struct ended end = {0};
  switch (way) {
  case CREATE: CHECK((jfai_create(client, a->request, NULL, &task, &error) == JFAI_OK) == (error == NULL)); break;
  case GENERATE: CHECK((jfai_generate(client, a->request, a->wait, NULL, &video, &error) == JFAI_OK) == (error == NULL)); break;
  case CREATE_ASYNC:
    if (jfai_create_async(client, a->request, NULL, NULL, on_task, &end, &error) == JFAI_OK) {
      UNTIL(atomic_load(&end.calls) == 1);
      error = end.error;
    }
    break;
  case GENERATE_ASYNC:
    if (jfai_generate_async(client, a->request, a->wait, NULL, NULL, on_video, &end, &error) == JFAI_OK) {
      UNTIL(atomic_load(&end.calls) == 1);
      error = end.error;
    }
    break;
  case MANY: {
    const jfai_request *batch_requests[1] = {a->request};
    jfai_batch *batch = NULL;
    jfai_result *result = NULL;
    if (jfai_generate_many(client, batch_requests, 1, a->concurrency, &batch, &error) != JFAI_OK) break;
    EXPECT(JFAI_OK, jfai_batch_next(batch, NULL, &result, &err));
    const struct outcome o = see(jfai_result_error(result));
    jfai_result_free(result);
    jfai_batch_free(batch);
    return o;
  }
  }
  jfai_task_free(task);
  jfai_video_free(video);
  return taken(error);
}

/* One hostile value among harmless ones, in one paying call. */
static void one(const struct row *row, int way) {
  struct all a = {NULL, NULL, NULL, 1};
  struct outcome o = {{0}, false, false};
  jfai_client *client = NULL;
  jfai_error *error = NULL;
  const long before = posts();
  EXPECT(JFAI_OK, jfai_client_options_new(&a.options, &err));
  EXPECT(JFAI_OK, jfai_client_options_use_env(a.options, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_poll_interval_ms(a.options, 20, &err));
  EXPECT(JFAI_OK, jfai_wait_options_new(&a.wait, &err));
  /* Pauses may be long: the wait ends after its first look, unless the row says how long it may take. */
  if (row->apply != do_wait_options_set_timeout_ms && row->apply != do_client_options_set_wait_timeout_ms)
    EXPECT(JFAI_OK, jfai_wait_options_set_timeout_ms(a.wait, 0, &err));
  if (row->apply == do_client_options_set_poll_interval_ms || row->apply == do_wait_options_set_poll_interval_ms)
    EXPECT(JFAI_OK, jfai_client_options_set_wait_timeout_ms(a.options, 0, &err));
  EXPECT(JFAI_OK, jfai_request_new("a ball", &a.request, &err));
  if (chance(2)) EXPECT(JFAI_OK, jfai_request_set_validate(a.request, JFAI_VALIDATE_DEFAULT, &err));
  if (chance(2)) EXPECT(JFAI_OK, jfai_client_options_set_language(a.options, "en", &err));
  if (chance(2)) EXPECT(JFAI_OK, jfai_client_options_set_max_attempts(a.options, 2, &err));
  if (chance(2)) EXPECT(JFAI_OK, jfai_request_set_size(a.request, "1280x720", &err));
  row->apply(&a, &row->value, &error);
  o = taken(error);
  error = NULL;
  if (!o.failed) {
    CHECK((jfai_client_new(a.options, &client, &error) == JFAI_OK) == (error == NULL));
    o = taken(error);
    if (!o.failed) o = pay(way, client, &a);
  }
  jfai_client_free(client);
  const long sent = posts() - before;
  if (row->refused != NULL) {
    CHECK(o.failed && !o.with_id && sent == 0);
    CHECK(strstr(o.line, row->refused) != NULL);
  } else {
    CHECK(sent == 1 && (!o.failed || o.with_id));
  }
  if ((row->refused != NULL) != (o.failed && !o.with_id) || (row->refused != NULL && strstr(o.line, row->refused) == NULL))
    fprintf(stderr, "row %d in %s, refused %s: %ld sent, %s\n", (int)(row - rows), names[way],
            row->refused != NULL ? row->refused : "no", sent, o.line);
  jfai_request_free(a.request);
  jfai_wait_options_free(a.wait);
  jfai_client_options_free(a.options);
}

/* Nothing at all in each place, beside what the generated misuse.c tries one by one: no request leaves. */
static void nothing(const jfai_client *client, const jfai_request *request) {
  jfai_task *task = NULL;
  jfai_video *video = NULL;
  jfai_batch *batch = NULL;
  const jfai_request *batch_requests[2] = {request, NULL};
  const long before = posts();
  EXPECT(JFAI_ERR_ARGUMENT, jfai_create(client, request, NULL, NULL, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_create(NULL, request, NULL, &task, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_create(client, NULL, NULL, &task, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_generate(client, request, NULL, NULL, NULL, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_generate(client, NULL, NULL, NULL, &video, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_create_async(client, request, NULL, NULL, NULL, NULL, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_generate_async(client, request, NULL, NULL, NULL, NULL, NULL, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_generate_many(client, batch_requests, 2, 1, &batch, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_generate_many(client, batch_requests, SIZE_MAX, 1, &batch, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_generate_many(client, NULL, 1, 1, &batch, &err));
  EXPECT(JFAI_ERR_ARGUMENT, jfai_generate_many(client, batch_requests, 1, 1, NULL, &err));
  CHECK(posts() == before);
}

#define SAVE(function, type)                                                                                           \
  static jfai_status do_##function(jfai_save_options *save, uint64_t value, jfai_error **e) {                          \
    return jfai_##function(save, (type)value, e);                                                                      \
  }
SAVE(save_options_set_connections, uint32_t)
SAVE(save_options_set_timeout_ms, uint64_t)
SAVE(save_options_set_rate_limit, uint64_t)

/* `field`: the option that the error is about; NULL when the value is a legal one. */
static const struct save_row {
  jfai_status (*apply)(jfai_save_options *save, uint64_t value, jfai_error **e);
  uint64_t value;
  const char *setter, *field;
} save_rows[] = {
#define S(function, value, field) {do_##function, value, "jfai_" #function, field}
    S(save_options_set_connections, 0, "connections"), S(save_options_set_connections, 17, "connections"),
    S(save_options_set_connections, UINT32_MAX, "connections"), S(save_options_set_connections, 1, NULL),
    S(save_options_set_connections, 16, NULL),
    S(save_options_set_timeout_ms, 0, "timeout"), S(save_options_set_timeout_ms, 1, NULL),
    S(save_options_set_timeout_ms, UINT64_MAX, NULL), S(save_options_set_timeout_ms, UINT64_MAX - 1, NULL),
    S(save_options_set_timeout_ms, INT64_MAX, NULL), S(save_options_set_timeout_ms, (uint64_t)INT64_MAX + 1, NULL),
    S(save_options_set_rate_limit, 0, "rate_limit"), S(save_options_set_rate_limit, 1, NULL),
    S(save_options_set_rate_limit, UINT64_MAX, NULL),
};

/* The error is about the task of the video that is not saved. */
static bool is_life(const jfai_error *error) {
  const char *id = jfai_error_task_id(error);
  return id != NULL && strcmp(id, "task_life") == 0;
}

/* The same verdicts for a save: before anything is asked for, and no file is begun. */
static void saves(const jfai_client *client, const char *folder) {
  char path[512], part[520];
  snprintf(path, sizeof path, "%s/hostile.mp4", folder);
  snprintf(part, sizeof part, "%s.part", path);
  jfai_video *video = NULL;
  EXPECT(JFAI_OK, jfai_video_by_id(client, "task_life", &video, &err));
  for (size_t i = 0; i < sizeof save_rows / sizeof *save_rows; i++) {
    const struct save_row *row = &save_rows[i];
    jfai_save_options *save = NULL;
    jfai_error *error = NULL;
    EXPECT(JFAI_OK, jfai_save_options_new(&save, &err));
    EXPECT(JFAI_OK, row->apply(save, row->value, &err));
    if (row->field == NULL) {
      EXPECT(JFAI_OK, jfai_check_save(client, path, save, &err));
    } else {
      CHECK(jfai_save(video, path, save, NULL, NULL, &error) == JFAI_ERR_INVALID_REQUEST);
      CHECK(strstr(jfai_error_message(error), row->setter) != NULL);
      CHECK(strcmp(jfai_error_field(error), row->field) == 0 && is_life(error));
      jfai_error_free(error);
      EXPECT(JFAI_ERR_INVALID_REQUEST, jfai_save_async(video, path, save, NULL, NULL, on_summary, NULL, &err));
      CHECK(jfai_check_save(client, path, save, &error) == JFAI_ERR_INVALID_REQUEST);
      CHECK(strstr(jfai_error_message(error), row->setter) != NULL);
      jfai_error_free(error);
    }
    CHECK(access(path, F_OK) != 0 && access(part, F_OK) != 0);
    jfai_save_options_free(save);
  }
  /* Names that no file can have. */
  static const struct {
    const char *file, *said;
  } files[] = {{NULL, "file"}, {"", "file"}, {"/", "names no file"}, {"/no/such/folder.mp4", "/no/such"}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    jfai_error *error = NULL;
    CHECK(jfai_save(video, files[i].file, NULL, NULL, NULL, &error) != JFAI_OK);
    CHECK(strstr(jfai_error_message(error), files[i].said) != NULL && is_life(error));
    jfai_error_free(error);
    CHECK(jfai_check_save(client, files[i].file, NULL, &error) != JFAI_OK);
    CHECK(strstr(jfai_error_message(error), files[i].said) != NULL);
    jfai_error_free(error);
  }
  jfai_video_free(video);
}

/* A journal that can no longer be written: no create request is sent without its record. */
static void full_journal(const char *folder) {
  char path[512];
  snprintf(path, sizeof path, "%s/hostile.journal", folder);
  jfai_client_options *options = NULL;
  jfai_client *client = NULL;
  jfai_task *task = NULL;
  jfai_request *request = ball();
  struct rlimit old, none;
  EXPECT(JFAI_OK, jfai_client_options_new(&options, &err));
  EXPECT(JFAI_OK, jfai_client_options_use_env(options, &err));
  EXPECT(JFAI_OK, jfai_client_options_set_journal(options, path, &err));
  EXPECT(JFAI_OK, jfai_client_new(options, &client, &err));
  const long before = posts();
  signal(SIGXFSZ, SIG_IGN);
  CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
  none = old;
  none.rlim_cur = 1;
  CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
  EXPECT(JFAI_ERR_JOURNAL, jfai_create(client, request, NULL, &task, &err));
  CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
  CHECK(posts() == before && task == NULL);
  EXPECT(JFAI_OK, jfai_create(client, request, NULL, &task, &err));
  CHECK(posts() == before + 1);
  jfai_task_free(task);
  jfai_request_free(request);
  jfai_client_free(client);
  jfai_client_options_free(options);
  remove(path);
}

int main(int count, char **arguments) {
  const char *folder = count > 1 ? arguments[1] : ".";
  const char *given = getenv("JUNFEIAI_SEED");
  const uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
  enum { ROWS = sizeof rows / sizeof *rows };
  printf("JUNFEIAI_SEED=%llu\n", (unsigned long long)seed);
  state = seed;
  memset(huge, 'x', sizeof huge - 1);
  jfai_client *client = emulator_client();
  jfai_request *request = ball();
  nothing(client, request);
  saves(client, folder);
  full_journal(folder);
  jfai_request_free(request);
  jfai_client_free(client);
  /* Each row once, in a call by chance, from a place by chance; `many` in the one that judges it. */
  const uint64_t first = chance(ROWS);
  for (uint64_t i = 0; i < ROWS; i++) {
    const struct row *row = &rows[(first + i) % ROWS];
    const bool waits = row->apply == do_wait_options_set_timeout_ms || row->apply == do_wait_options_set_poll_interval_ms;
    /* Wait options go to the calls that wait for one. */
    one(row, row->many ? MANY : waits ? (chance(2) ? GENERATE : GENERATE_ASYNC) : (int)chance(WAYS));
  }
  return finished("hostile");
}
