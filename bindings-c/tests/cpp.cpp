// The C++ wrapper: each call, throwing, trying and asynchronous.
#include "check.h"

#include <atomic>
#include <fstream>
#include <junfeiai.hpp>
#include <limits>
#include <thread>

using namespace std::chrono_literals;
namespace fs = std::filesystem;

static junfeiai::client_options options() {
  return std::move(junfeiai::client_options().use_env().poll_interval(20ms));
}

struct mine : std::exception {
  const char *what() const noexcept override { return "mine"; }
};
static constexpr auto milliseconds_min = junfeiai::milliseconds::min();

// The call ends with an error that has the task's id, and the exception of the caller is nested in it.
template <class F>
static void nested(const char *function, F f) {
  try {
    f();
    CHECK(!"it throws");
  } catch (const junfeiai::error &e) {
    CHECK(e.status() == JFAI_ERR_CANCELLED && !e.maybe_executed());
    CHECK(e.task_id() && e.task_id()->substr(0, 5) == "task_");
    CHECK(std::string_view(e.what()).find("mine") != std::string_view::npos);
    CHECK(std::string_view(e.what()).find(function) != std::string_view::npos && e.cause());
    CHECK(std::string_view(e.what()).find(e.task_id().value_or("no id")) != std::string_view::npos);
    try {
      std::rethrow_if_nested(e);
      CHECK(!"it is nested");
    } catch (const mine &m) {
      CHECK(std::string_view(m.what()) == "mine");
    }
  }
}

template <class F>
static void throws(jfai_status status, F f) {
  try {
    f();
    CHECK(!"it throws");
  } catch (const junfeiai::error &e) {
    CHECK(e.status() == status);
    CHECK(std::string_view(e.what()).size() > 10);
  }
}

static void errors(const junfeiai::client &client) {
  auto got = client.try_get("task_no_such_thing");
  CHECK(!got && !got.has_value());
  const auto &e = got.error();
  CHECK(e.kind() == "not_found" && e.phase() == "query" && e.http_status() == 400 && e.attempts() > 0);
  CHECK(e.server_code() == "task_not_exist" && e.server_message() && e.request_id());
  CHECK(e.task_id() == "task_no_such_thing" && !e.field() && !e.retry_after());
  CHECK(!e.maybe_executed() && !e.is_transient() && e.last_status() == junfeiai::task_status::unknown);
  CHECK(e.json().find("not_found") != std::string::npos && !e.detail().empty());
  throws(JFAI_ERR_NOT_FOUND, [&] { client.get("task_no_such_thing"); });
  throws(JFAI_ERR_NOT_FOUND, [&] { client.get_async("task_no_such_thing").get(); });
  throws(JFAI_ERR_INVALID_REQUEST, [&] { client.task_by_id(""); });
  throws(JFAI_ERR_INVALID_REQUEST, [&] { client.video_at("nonsense"); });
  throws(JFAI_ERR_CONFIG, [] { junfeiai::client(std::string_view("")); });
  // As std::getenv() and the arguments of main() may be.
  const char *none = nullptr;
  throws(JFAI_ERR_ARGUMENT, [&] { junfeiai::client c(none); });
  throws(JFAI_ERR_ARGUMENT, [&] { junfeiai::request r(none); });
  throws(JFAI_ERR_ARGUMENT, [&] { options().endpoint(none); });
  throws(JFAI_ERR_ARGUMENT, [&] { client.task_by_id(none); });
  CHECK(client.try_get(none).error().detail() == "id is NULL");
  CHECK(client.try_get({"task_1x", 6}).error().task_id() == "task_1");
  throws(JFAI_ERR_ARGUMENT, [] { junfeiai::request("bad \xff text"); });
  throws(JFAI_ERR_IO, [] { junfeiai::request("x").image_file("/no/such"); });
}

static void requests() {
  const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0};
  junfeiai::request r("a ball");
  r.model("grok-image-video").seconds(7s).size("1280x720").extra_json("aspect_ratio", "\"16:9\"");
  const auto warnings = r.check();
  CHECK(warnings.size() == 1 && warnings[0].code == "unusual_length" && !warnings[0].message.empty());
  r.check_as(junfeiai::validate::strict);
  throws(JFAI_ERR_INVALID_REQUEST, [&] { r.check(); });
  r.check_as(junfeiai::validate::off).image_url("https://example.com/a.png").image_bytes(png, sizeof png);
  r.reference_url("https://example.com/a.png").reference_bytes(png, sizeof png);
  CHECK(junfeiai::request::from_json(R"({"prompt":"a ball"})").check().empty());
}

static void main_job(const junfeiai::client &client, const fs::path &folder) {
  const junfeiai::cancel_token cancel;
  const junfeiai::request ball = std::move(junfeiai::request("a ball").seconds(4));
  const auto task = client.create(ball, &cancel);
  CHECK(task.id().substr(0, 5) == "task_" && task.billed_seconds() == 4.0 && task.warnings().empty());
  CHECK(!task.try_video() && task.fail_reason().empty());

  int states = 0;
  junfeiai::wait_options wait;
  wait.timeout(20s).poll_interval(10ms).on_progress([&](const junfeiai::task_view &seen) {
    states++;
    CHECK(seen.id() == task.id() && !seen.status_name().empty());
  });
  const auto video = task.wait(wait, &cancel);
  CHECK(states > 0 && video.task_id() == task.id() && !video.url().empty());

  const auto seen = client.get(task.id());
  CHECK(seen.status() == junfeiai::task_status::succeeded && seen.progress() == 100.0 && !seen.raw_json().empty());
  CHECK(!seen.video_url().empty() && !seen.raw_status().empty() && !task.model().empty());
  CHECK(seen.created_at() || !seen.started_at() || seen.finished_at());
  CHECK(seen.video().task_id() == task.id() && task.refresh().status() == seen.status());
  CHECK(junfeiai::task::copy_of(seen).id() == task.id());
  int watched = 0;
  client.task_by_id(task.id()).watch([&](const junfeiai::task &) { watched++; });
  CHECK(watched == 1);

  const auto begun = client.task_by_id(task.id()).wait_state(junfeiai::wait_options().timeout(20s));
  CHECK(!begun.done() && !begun.state().empty() && begun.task_id() == task.id() && begun.retry_after() == 0ms);
  CHECK(!begun.try_video() && begun.try_video().error().status() == JFAI_ERR_NOT_READY);
  const auto ended = client.advance(begun.state());
  CHECK(ended.done() && ended.state().empty() && ended.video().task_id() == task.id());
  CHECK(client.advance_async(begun.state()).get().done());
  CHECK(client.try_advance("{}").error().status() == JFAI_ERR_INVALID_REQUEST);

  junfeiai::save_options save;
  save.sha256(true).create_parents(true).overwrite(true);
  std::uint64_t last = 0;
  save.on_progress([&](const junfeiai::save_progress &p) { last = p.bytes; });
  const auto path = folder / fs::u8path("cpp \xc3\xa4") / video.file_name();
  const auto summary = video.save(path, save);
  CHECK(summary.path == path && summary.bytes == last && fs::file_size(path) == last);
  CHECK(summary.duration == 4000ms && summary.width == 1280u && summary.height == 720u && summary.sha256);
  CHECK(summary.attempts > 0 && summary.elapsed >= 0ms);
  throws(JFAI_ERR_FILE_EXISTS, [&] { video.save(path); });
  throws(JFAI_ERR_FILE_EXISTS, [&] { client.check_save(path); });
  client.check_save(path, junfeiai::save_options().overwrite(true));

  const auto bytes = video.bytes();
  CHECK(bytes.size() == last && video.read_range(4, 4) == std::vector<std::uint8_t>({'f', 't', 'y', 'p'}));
  throws(JFAI_ERR_INVALID_REQUEST, [&] { video.bytes(10); });
  CHECK(client.video_at(video.url()).read_range(0, 8).size() == 8);

  // The stream says what the file says.
  junfeiai::video_stream stream(client.video_by_id(task.id()).open());
  std::ifstream file(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  file.close();
  const std::string streamed{std::istreambuf_iterator<char>(stream), {}};
  CHECK(streamed == whole);
  stream.clear();
  char four[4];
  CHECK(stream.seekg(-4, std::ios::end) && stream.read(four, 4) && whole.compare(whole.size() - 4, 4, four, 4) == 0);
  CHECK(stream.seekg(4) && stream.read(four, 4) && std::string(four, 4) == "ftyp");
  CHECK(stream.tellg() == std::streampos(8) && stream.seekg(-4, std::ios::cur) && stream.get() == 'f');
  CHECK(!stream.failure());
  auto reader = video.open();
  CHECK(reader.size() == last && reader.seek(4) == 4 && reader.read(four, 4) == 4 && reader.position() == 8);
  CHECK(!reader.try_seek(-1));

  // An exception of a progress function comes out where the call ends, with the id of what was paid for.
  junfeiai::wait_options broken;
  broken.on_progress([](const junfeiai::task_view &) { throw mine{}; });
  nested("progress", [&] { (void)client.generate(ball, broken); });
  nested("progress", [&] { client.task_by_id(task.id()).wait(broken); }); // the first state is the last
  nested("progress", [&] { client.task_by_id(task.id()).watch([](const junfeiai::task &) { throw mine{}; }); });
  const auto tried = client.try_generate(ball, broken);
  CHECK(!tried && tried.error().status() == JFAI_ERR_CANCELLED && tried.error().task_id() && tried.error().cause());
  junfeiai::save_options broken_save;
  broken_save.overwrite(true).on_progress([](const junfeiai::save_progress &) { throw mine{}; });
  nested("progress", [&] { video.save(path, broken_save); });
  junfeiai::wait_options stop;
  stop.on_progress([](const junfeiai::task_view &) { return false; });
  auto stopped = client.try_generate(ball, stop);
  CHECK(!stopped && stopped.error().status() == JFAI_ERR_CANCELLED && stopped.error().task_id());
  fs::remove_all(path.parent_path());
}

static void asynchronous(const junfeiai::client &client, const fs::path &folder) {
  const junfeiai::request ball("a ball");
  auto task = client.create_async(ball).get();
  auto video = task.wait_async().get();
  junfeiai::save_options save;
  save.overwrite(true);
  CHECK(video.save_async(folder / "async.mp4", save).get().bytes > 0);
  fs::remove(folder / "async.mp4");
  CHECK(client.get_async(task.id()).get().status() == junfeiai::task_status::succeeded);
  junfeiai::wait_options broken;
  broken.on_progress([](const junfeiai::task_view &) { throw mine{}; });
  nested("progress", [&] { client.generate_async(ball, broken).get(); });

  const junfeiai::event_queue queue;
  std::atomic<int> woken{0};
  queue.set_wakeup([](void *user) { ++*static_cast<std::atomic<int> *>(user); }, &woken);
  int calls = 0;
  const auto here = std::this_thread::get_id();
  const auto count = [&](auto result) {
    calls++;
    CHECK(result.has_value() && std::this_thread::get_id() == here);
  };
  client.create_async(ball, count, nullptr, &queue);
  task.wait_async({}, count, nullptr, &queue);
  client.generate_async(ball, {}, count, nullptr, &queue);
  video.save_async(folder / "queued.mp4", save, count, nullptr, &queue);
  for (int i = 0; calls < 4 && i < 600; i++) queue.drain(100ms);
  CHECK(calls == 4 && woken >= 4);
  fs::remove(folder / "queued.mp4");

  // A token alone gives a future as well.
  const junfeiai::cancel_token cancel;
  junfeiai::cancel_token changeable;
  CHECK(client.generate_async(ball, {}, &cancel).get().task_id().substr(0, 5) == "task_");
  CHECK(task.wait_async({}, &changeable).get().task_id() == task.id());
  CHECK(client.video_by_id(task.id()).save_async(folder / "token.mp4", save, &changeable).get().bytes > 0);
  fs::remove(folder / "token.mp4");
  changeable.cancel();
  throws(JFAI_ERR_CANCELLED, [&] { client.generate_async(ball, {}, &changeable).get(); });

  // Functions that are none: of progress nothing is called, and without completion nothing is sent.
  const std::function<bool(const junfeiai::task_view &)> no_progress;
  CHECK(client.generate(ball, junfeiai::wait_options().on_progress(no_progress)).task_id().substr(0, 5) == "task_");
  const std::function<void(junfeiai::result<junfeiai::task>)> no_end;
  void (*const no_pointer)(junfeiai::result<junfeiai::video>) = nullptr;
  throws(JFAI_ERR_ARGUMENT, [&] { client.create_async(ball, no_end, nullptr, &queue); });
  throws(JFAI_ERR_ARGUMENT, [&] { client.generate_async(ball, {}, no_pointer, nullptr, &queue); });

  // What a completion function throws does not hide how the call failed.
  bool failed_call = false;
  client.task_by_id("task_no_such_thing").wait_async({}, [&](auto) { failed_call = true; throw mine{}; }, nullptr, &queue);
  for (int i = 0; !failed_call && i < 600; i++) {
    try {
      queue.drain(100ms);
    } catch (const junfeiai::error &e) {
      CHECK(e.status() == JFAI_ERR_NOT_FOUND && e.task_id() == "task_no_such_thing" && e.cause());
      CHECK(std::string_view(e.what()).find("the completion function threw mine: the server does not know") == 0);
    }
  }
  CHECK(failed_call);

  // A completion function that throws: out of drain(), or to the one who was set for it. Every function is called.
  std::vector<std::string> unhandled;
  std::mutex lock;
  junfeiai::set_unhandled([&](const junfeiai::error &e) {
    const std::lock_guard<std::mutex> hold(lock);
    unhandled.push_back(e.task_id().value_or("") + ": " + e.what());
  });
  int thrown = 0, notified = 0;
  const auto breaks = [&](auto) {
    notified++;
    throw mine{};
  };
  client.create_async(ball, breaks, nullptr, &queue);
  client.create_async(ball, breaks, nullptr, &queue);
  for (int i = 0; notified < 2 && i < 600; i++) {
    try {
      queue.drain(100ms);
    } catch (const junfeiai::error &e) {
      thrown++;
      CHECK(e.task_id() && e.task_id()->substr(0, 5) == "task_" && e.cause());
    }
  }
  const auto count_unhandled = [&] {
    const std::lock_guard<std::mutex> hold(lock);
    return static_cast<int>(unhandled.size());
  };
  // Both in one drain(): one of them is thrown, the other one handed over.
  CHECK(notified == 2 && thrown >= 1 && thrown + count_unhandled() == 2);
  const int before = count_unhandled();
  client.create_async(ball, [](auto) { throw mine{}; });
  for (int i = 0; count_unhandled() == before && i < 6000; i++) std::this_thread::sleep_for(10ms);
  CHECK(count_unhandled() == before + 1 && unhandled.back().substr(0, 5) == "task_" && unhandled.back().find("mine") != std::string::npos);
  junfeiai::set_unhandled(nullptr);
  // Nobody is set: a line on standard error, at the latest when the client ends. run.py looks for it.
  client.create_async(ball, [](auto) { throw mine{}; });
}

// What the wrapper can see to be wrong is refused before C is called, and a moved-from object is empty.
static void misuse(const junfeiai::client &client, const fs::path &folder) {
  const std::string nul("a\0b", 3);
  const auto refused = [](const char *name, auto f) {
    try {
      f();
      CHECK(!"it is refused");
    } catch (const junfeiai::error &e) {
      CHECK(e.status() == JFAI_ERR_ARGUMENT && e.kind() == "argument" && !e.maybe_executed());
      CHECK(std::string_view(e.what()).find(name) != std::string_view::npos && e.json().find(name) != std::string::npos);
    }
  };
  refused("prompt", [&] { junfeiai::request r(nul); });
  refused("json", [&] { junfeiai::request::from_json(nul); });
  junfeiai::request ball("a ball");
  refused("model", [&] { ball.model(nul); });
  refused("size", [&] { ball.size(nul); });
  refused("image_url", [&] { ball.image_url(nul); });
  refused("image_file", [&] { ball.image_file(nul); });
  refused("reference_url", [&] { ball.reference_url(nul); });
  refused("name", [&] { ball.extra_json(nul, "1"); });
  refused("json", [&] { ball.extra_json("x", nul); });
  junfeiai::client_options o;
  refused("api_key", [&] { o.api_key(nul); });
  refused("endpoint", [&] { o.endpoint(nul); });
  refused("journal", [&] { o.journal(nul); });
  refused("timeout", [&] { o.timeout(-1ms); });
  refused("wait_timeout", [&] { o.wait_timeout(milliseconds_min); });
  refused("poll_interval", [&] { o.poll_interval(-1h); });
  refused("budget", [&] { o.retry_pauses(1ms, 1ms, -1ms); });
  refused("id", [&] { client.get(nul); });
  refused("id", [&] { client.task_by_id(nul); });
  refused("ids", [&] { (void)client.wait_all({"task_1", nul}); });
  junfeiai::wait_options wait;
  refused("timeout", [&] { wait.timeout(-1ms); });
  refused("poll_interval", [&] { wait.poll_interval(-1ms); });
  wait.poll_interval(0ms);
  throws(JFAI_ERR_INVALID_REQUEST, [&] { (void)client.generate(ball, wait); });
  throws(JFAI_ERR_INVALID_REQUEST, [&] { client.generate_async(ball, wait).get(); });
  junfeiai::save_options save;
  refused("timeout", [&] { save.timeout(-1ms); });
  save.rate_limit(0);
  throws(JFAI_ERR_INVALID_REQUEST, [&] { client.video_by_id("task_1").save(folder / "no.mp4", save); });
  throws(JFAI_ERR_INVALID_REQUEST, [&] { client.check_save(folder / "no.mp4", save); });

  junfeiai::cancel_token cancel;
  const junfeiai::cancel_token taken = std::move(cancel);
  refused("cancel", [&] { (void)client.create(ball, &cancel); });
  refused("cancel", [&] { client.create_async(ball, &cancel).get(); });
  junfeiai::event_queue queue;
  const junfeiai::event_queue taken_queue = std::move(queue);
  refused("queue", [&] { client.create_async(ball, [](auto) {}, nullptr, &queue); });
  // The forms that return a result return these errors as well, with the task's id.
  const auto returned = [](const char *name, auto result, std::string_view id) {
    CHECK(!result && result.error().status() == JFAI_ERR_ARGUMENT && result.error().task_id().value_or("") == id);
    CHECK(!result && std::string_view(result.error().what()).find(name) != std::string_view::npos);
  };
  const auto task_1 = client.task_by_id("task_1");
  const auto video_1 = client.video_by_id("task_1");
  returned("cancel", client.try_create(ball, &cancel), "");
  returned("cancel", client.try_generate(ball, {}, &cancel), "");
  returned("id", client.try_get(nul), "");
  returned("cancel", client.try_get("task_1", &cancel), "");
  returned("state", client.try_advance(nul), "");
  returned("cancel", task_1.try_refresh(&cancel), "task_1");
  returned("cancel", task_1.try_wait({}, &cancel), "task_1");
  returned("file", video_1.try_save(nul), "task_1");
  returned("cancel", video_1.try_save("no.mp4", {}, &cancel), "task_1");
  returned("cancel", video_1.try_open(&cancel), "task_1");
  returned("cancel", video_1.try_bytes(0, &cancel), "task_1");
  returned("cancel", video_1.try_read_range(0, 1, &cancel), "task_1");
  returned("size", video_1.try_read_range(0, std::numeric_limits<std::size_t>::max()), "task_1");
  refused("since", [&] { client.spending(nul); });
  junfeiai::request other = std::move(ball);
  refused("request", [&] { (void)client.create(ball); });
  refused("request", [&] { ball.model("x"); });
  auto first = client.task_by_id("task_1");
  {
    const junfeiai::task second = std::move(first);
    CHECK(second.id() == "task_1");
  }
  CHECK(first.id().empty() && first.get() == nullptr && first.status() == junfeiai::task_status::unknown);
  refused("task", [&] { first.wait(); });
  first = client.task_by_id("task_2");
  auto &self = first;
  first = std::move(self);
  CHECK(first.id() == "task_2");
  auto video = client.video_by_id("task_1");
  const auto kept = std::move(video);
  CHECK(video.task_id().empty());
  refused("video", [&] { video.save(folder / "no.mp4"); });
  junfeiai::client one(options());
  const junfeiai::client two = std::move(one);
  refused("client", [&] { (void)one.create(other); });
  CHECK(one.endpoint().empty() && !two.endpoint().empty());
}

// Hostile values in every option, as hostile.c has them for C: refused by the option's name before anything is sent, or the client works.
static void hostile(const junfeiai::client &client, const fs::path &folder) {
  using client_options = junfeiai::client_options;
  using text_option = client_options &(client_options::*)(junfeiai::text_view);
  using path_option = client_options &(client_options::*)(const fs::path &);
  using time_option = client_options &(client_options::*)(junfeiai::milliseconds);
  using count_option = client_options &(client_options::*)(std::uint32_t);
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::string nul("a\0b", 3), lines("a\r\nb: c"), huge(1 << 16, 'x');
  const char *none = nullptr;
  const auto task = client.create(junfeiai::request("a ball"));
  const auto names = [](const junfeiai::error &e, std::string_view name) {
    const bool found = std::string_view(e.what()).find(name) != std::string_view::npos;
    if (!found) fprintf(stderr, "%s is not named: %s\n", std::string(name).c_str(), e.what());
    return found;
  };
  const auto refused = [&](const char *name, auto set) {
    try {
      auto o = options();
      set(o);
      const junfeiai::client made(std::move(o));
      fprintf(stderr, "%s is taken\n", name);
      CHECK(!"it is refused");
    } catch (const junfeiai::error &e) {
      CHECK(names(e, name) && !e.maybe_executed() && !e.task_id());
    }
  };
  const auto works = [&](auto set) {
    auto o = options();
    set(o);
    const junfeiai::client made(std::move(o));
    CHECK(made.get(task.id()).id() == task.id());
  };

  const std::pair<const char *, text_option> texts[] = {
      {"api_key", &client_options::api_key}, {"endpoint", &client_options::endpoint}, {"add_endpoint", &client_options::add_endpoint},
      {"video_base_url", &client_options::video_base_url}, {"trust_host", &client_options::trust_host},
      {"language", &client_options::language}, {"user_agent", &client_options::user_agent}, {"proxy", &client_options::proxy},
      {"sdk_name", &client_options::sdk_name}};
  for (const auto &[name, option] : texts) {
    const auto set = option; // C++17 lambdas cannot capture what a structured binding names
    refused(name, [&](client_options &o) { (o.*set)(nul); });
    refused(name, [&](client_options &o) { (o.*set)(none); });
    // What is sent of the one is filtered, and the other is a URL, read as browsers read one.
    if (std::string_view(name) == "sdk_name" || std::string_view(name) == "proxy") continue;
    refused(name, [&](client_options &o) { (o.*set)(lines); });
    refused(name, [&](client_options &o) { (o.*set)(huge); });
  }
  const std::pair<const char *, path_option> paths[] = {{"journal", &client_options::journal}, {"ca_file", &client_options::ca_file}};
  for (const auto &[name, option] : paths) {
    const auto set = option;
    refused(name, [&](client_options &o) { (o.*set)(nul); });
    refused("no-such", [&](client_options &o) { (o.*set)(folder / "no-such" / "file"); });
  }
  const std::pair<const char *, time_option> times[] = {
      {"timeout", &client_options::timeout}, {"create_timeout", &client_options::create_timeout},
      {"connect_timeout", &client_options::connect_timeout}, {"idle_timeout", &client_options::idle_timeout},
      {"poll_interval", &client_options::poll_interval}, {"wait_timeout", &client_options::wait_timeout}};
  for (const auto &[name, option] : times) {
    const auto set = option;
    const std::string_view which = name;
    refused(name, [&](client_options &o) { (o.*set)(-1ms); });
    refused(name, [&](client_options &o) { (o.*set)(milliseconds_min); });
    if (which == "wait_timeout") works([&](client_options &o) { (o.*set)(0ms); });
    else refused(name, [&](client_options &o) { (o.*set)(0ms); });
    if (which == "poll_interval") refused(name, [&](client_options &o) { (o.*set)(junfeiai::forever); });
    else works([&](client_options &o) { (o.*set)(junfeiai::forever); });
  }
  const std::pair<const char *, count_option> counts[] = {
      {"max_attempts", &client_options::max_attempts}, {"max_poll_errors", &client_options::max_poll_errors},
      {"max_in_flight_creates", &client_options::max_in_flight_creates}};
  for (const auto &[name, option] : counts) {
    const auto set = option;
    works([&](client_options &o) { (o.*set)(most); });
    if (std::string_view(name) == "max_poll_errors") works([&](client_options &o) { (o.*set)(0); });
    else refused(name, [&](client_options &o) { (o.*set)(0); });
  }
  for (const double number : {nan, inf, -inf, -1.0}) {
    refused("request_rate", [&](client_options &o) { o.request_rate(number, 1); });
    refused("max_cost", [&](client_options &o) { o.max_cost(number); });
    refused("budget", [&](client_options &o) { o.budget(number); });
  }
  refused("request_rate", [](client_options &o) { o.request_rate(5e-324, 1); });
  refused("request_rate", [](client_options &o) { o.request_rate(1, 0); });
  refused("budget", [](client_options &o) { o.budget(0); });
  refused("journal", [](client_options &o) { o.budget(1); });
  refused("max_cost_strict", [](client_options &o) { o.max_cost_strict(true); });
  works([&](client_options &o) { o.request_rate(1e308, most).max_cost(0).max_cost_strict(true).journal_prompts(true); });
  for (const auto wrong : {-1ms, milliseconds_min}) {
    refused("retry_pauses: first", [&](client_options &o) { o.retry_pauses(wrong, 1ms, 1ms); });
    refused("retry_pauses: longest", [&](client_options &o) { o.retry_pauses(1ms, wrong, 1ms); });
    refused("retry_pauses: budget", [&](client_options &o) { o.retry_pauses(1ms, 1ms, wrong); });
  }
  works([](client_options &o) { o.retry_pauses(junfeiai::forever, junfeiai::forever, junfeiai::forever); });
  refused("header: name", [&](client_options &o) { o.header(nul, "1"); });
  refused("header: name", [&](client_options &o) { o.header(none, "1"); });
  refused("header: value", [&](client_options &o) { o.header("X-A", nul); });
  refused("header: value", [&](client_options &o) { o.header("X-A", none); });
  refused("header", [&](client_options &o) { o.header("X-A", lines); });
  refused("header", [&](client_options &o) { o.header("X-A", huge); });
  refused("Authorization", [](client_options &o) { o.header("Authorization", "1"); });

  const auto file = folder / "hostile.mp4";
  const auto video = client.video_by_id(task.id());
  const auto not_saved = [&](const char *field, auto set) {
    junfeiai::save_options save;
    set(save);
    const auto result = video.try_save(file, save);
    CHECK(!result && result.error().status() == JFAI_ERR_INVALID_REQUEST && names(result.error(), field));
    CHECK(!result && result.error().field().value_or("") == field && result.error().task_id().value_or("") == task.id());
    throws(JFAI_ERR_INVALID_REQUEST, [&] { client.check_save(file, save); });
    throws(JFAI_ERR_INVALID_REQUEST, [&] { video.save(file, save); });
    throws(JFAI_ERR_INVALID_REQUEST, [&] { video.save_async(file, save).get(); });
    CHECK(!fs::exists(file) && !fs::exists(folder / "hostile.mp4.part"));
  };
  for (const std::uint32_t wrong : {std::uint32_t{0}, std::uint32_t{17}, most})
    not_saved("connections", [&](junfeiai::save_options &save) { save.connections(wrong); });
  not_saved("rate_limit", [](junfeiai::save_options &save) { save.rate_limit(0); });
  not_saved("timeout", [](junfeiai::save_options &save) { save.timeout(0ms); });
  const auto longest = std::numeric_limits<std::uint64_t>::max();
  client.check_save(file, junfeiai::save_options().connections(16).rate_limit(longest).timeout(junfeiai::forever));
  // A poll that never comes is refused before the create that the wait is for.
  junfeiai::wait_options wait;
  wait.poll_interval(25h);
  const auto late = client.try_generate(junfeiai::request("a ball"), wait);
  CHECK(!late && late.error().status() == JFAI_ERR_INVALID_REQUEST && late.error().field().value_or("") == "poll_interval");
  CHECK(!late && !late.error().task_id() && names(late.error(), "poll_interval"));
}

static void cancelling(const junfeiai::client &client) {
  const auto task = client.create(junfeiai::request("a ball"));
  const junfeiai::cancel_token cancel;
  junfeiai::wait_options slow;
  slow.poll_interval(60s).timeout(junfeiai::forever);
  std::thread thread([&] {
    std::this_thread::sleep_for(100ms);
    cancel.cancel();
  });
  throws(JFAI_ERR_CANCELLED, [&] { task.wait(slow, &cancel); });
  thread.join();
  CHECK(cancel.cancelled());
}

static void many(const fs::path &folder) {
  const junfeiai::client client(std::move(options().journal(folder / "journal").journal_prompts(true).request_rate(500, 50).max_in_flight_creates(3)));
  std::vector<junfeiai::request> batch_requests;
  for (int i = 0; i < 5; i++) batch_requests.emplace_back("a ball").seconds(4);
  auto made = client.generate_many(batch_requests, 3);
  std::vector<std::string> ids;
  while (auto one = made.next()) {
    CHECK(one->ok && one->index < 5 && one->task_id && one->status == JFAI_OK);
    ids.push_back(*one->task_id);
    if (ids.size() == 1) CHECK(one->save(folder / "one.mp4").bytes > 0);
  }
  CHECK(ids.size() == 5 && made.task_ids().empty() && !made.maybe_executed());
  auto stopped = client.generate_many(batch_requests, 3);
  stopped.stop();
  int unsent = 0;
  while (auto one = stopped.next()) unsent += one->status == JFAI_ERR_CANCELLED && !one->task_id && !one->error->maybe_executed();
  CHECK(unsent == 5);
  ids.push_back("task_no_such_thing");
  auto waited = client.wait_all(ids);
  int good = 0, bad = 0;
  while (auto one = waited.next()) {
    good += one->ok;
    if (!one->ok) throws(JFAI_ERR_NOT_FOUND, [&] { one->save(folder / "no.mp4"); });
    bad += one->status == JFAI_ERR_NOT_FOUND && one->index == 5 && !one->message.empty() && one->error && one->error->task_id() == "task_no_such_thing";
  }
  CHECK(good == 5 && bad == 1);
  const auto left = client.list_pending();
  CHECK(left.size() == 4 && left[0].task_id && left[0].prompt == "a ball" && !left[0].intent && !left[0].reason);
  CHECK(left[0].state != junfeiai::pending_state::unknown && left[0].model == "grok-image-video" && left[0].fingerprint && left[0].seconds);
  CHECK(std::chrono::system_clock::now() - left[0].created_at < 1h);
  CHECK(client.forget(*left[0].task_id) && !client.forget("task_never_seen") && !client.resolve_unknown("never-seen"));
  CHECK(client.reconcile().entries.empty() && !client.reconcile().retry_after);
  CHECK(client.reconcile("account-token").entries.empty() && client.reconcile("account-token", "7").entries.empty());
  int saved = 0;
  auto resumed = client.resume_pending(folder / "resumed");
  while (auto one = resumed.next()) saved += one->ok;
  CHECK(saved == 3 && client.list_pending().empty());
  fs::remove_all(folder / "resumed");
}

int main(int count, char **arguments) {
  const fs::path folder = count > 1 ? arguments[1] : ".";
  CHECK(junfeiai::version() == JFAI_VERSION);
  static_assert(!std::is_copy_constructible_v<junfeiai::client> && std::is_nothrow_move_constructible_v<junfeiai::task>);
  static_assert(std::is_nothrow_copy_constructible_v<junfeiai::error>);
  // Moved, they would read from the memory of the old one.
  static_assert(!std::is_move_constructible_v<junfeiai::video_streambuf> && !std::is_move_assignable_v<junfeiai::video_streambuf>);
  static_assert(!std::is_move_constructible_v<junfeiai::video_stream> && !std::is_move_assignable_v<junfeiai::video_stream>);
  std::atomic<int> lines{0};
  try {
    junfeiai::set_log([&](junfeiai::log_level, std::string_view line) { lines += !line.empty(); }, junfeiai::log_level::debug);
    requests();
    const junfeiai::client client(options());
    CHECK(!client.endpoint().empty());
    cancelling(client);
    errors(client);
    main_job(client, folder);
    asynchronous(client, folder);
    misuse(client, folder);
    hostile(client, folder);
    CHECK(!client.models().empty() && client.balance().available_usd > 0);
    const auto cost = client.estimate(junfeiai::request("a ball").seconds(6));
    CHECK(cost.units && cost.usd && *cost.usd > 0 && !cost.certainty.empty() && cost.billed_seconds == 6);
    const junfeiai::client limited(std::move(options().max_cost(0.001)));
    throws(JFAI_ERR_INVALID_REQUEST, [&] { (void)limited.create(junfeiai::request("a ball").seconds(6)); });
    const junfeiai::client budgeted(std::move(options().journal(folder / "budget.journal").budget(0.5)));
    (void)budgeted.create(junfeiai::request("a ball").seconds(6));
    throws(JFAI_ERR_INVALID_REQUEST, [&] { (void)budgeted.create(junfeiai::request("a ball").seconds(6)); });
    CHECK(client.check().text.find("junfeiai") != std::string::npos);
    many(folder);
    junfeiai::clear_log();
    CHECK(lines > 10);
  } catch (const std::exception &e) {
    fprintf(stderr, "not expected: %s\n", e.what());
    failed++;
  }
  return finished("cpp");
}
