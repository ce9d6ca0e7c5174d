// The C++ wrapper: each call, throwing, trying and asynchronous.
#include "check.h"

#include <atomic>
#include <fstream>
#include <junfeiai.hpp>
#include <thread>

using namespace std::chrono_literals;
namespace fs = std::filesystem;

static junfeiai::client_options options() {
  return std::move(junfeiai::client_options().use_env().poll_interval(20ms));
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
  throws(JFAI_ERR_INVALID_REQUEST, [&] { client.task_by_id("no/such"); });
  throws(JFAI_ERR_INVALID_REQUEST, [&] { client.video_at("nonsense"); });
  throws(JFAI_ERR_CONFIG, [] { junfeiai::client(std::string_view("")); });
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
  wait.timeout = 20s;
  wait.poll_interval = 10ms;
  wait.on_progress([&](const junfeiai::task_view &seen) {
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

  junfeiai::save_options save;
  save.sha256 = save.create_parents = save.overwrite = true;
  std::uint64_t last = 0;
  save.on_progress([&](const junfeiai::save_progress &p) { last = p.bytes; });
  const auto path = folder / fs::u8path("cpp \xc3\xa4") / video.file_name();
  const auto summary = video.save(path, save);
  CHECK(summary.path == path && summary.bytes == last && fs::file_size(path) == last);
  CHECK(summary.duration == 4000ms && summary.width == 1280u && summary.height == 720u && summary.sha256);
  CHECK(summary.attempts > 0 && summary.elapsed >= 0ms);
  throws(JFAI_ERR_FILE_EXISTS, [&] { video.save(path); });

  const auto bytes = video.bytes();
  CHECK(bytes.size() == last && video.read_range(4, 4) == std::vector<std::uint8_t>({'f', 't', 'y', 'p'}));
  throws(JFAI_ERR_INVALID_REQUEST, [&] { video.bytes(10); });
  CHECK(client.video_at(video.url()).read_range(0, 8).size() == 8);

  // The stream says what the file says.
  junfeiai::video_stream stream(client.video_by_id(task.id()).open());
  std::ifstream file(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
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

  // An exception of a callback comes out where the call ends.
  junfeiai::wait_options broken;
  broken.on_progress([](const junfeiai::task_view &) { throw std::runtime_error("mine"); });
  try {
    client.generate(ball, broken);
    CHECK(!"it throws");
  } catch (const std::runtime_error &e) {
    CHECK(std::string_view(e.what()) == "mine");
  }
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
  save.overwrite = true;
  CHECK(video.save_async(folder / "async.mp4", save).get().bytes > 0);
  fs::remove(folder / "async.mp4");
  CHECK(client.get_async(task.id()).get().status() == junfeiai::task_status::succeeded);
  junfeiai::wait_options broken;
  broken.on_progress([](const junfeiai::task_view &) { throw std::runtime_error("mine"); });
  auto future = client.generate_async(ball, broken);
  try {
    future.get();
    CHECK(!"it throws");
  } catch (const std::runtime_error &e) {
    CHECK(std::string_view(e.what()) == "mine");
  }

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
}

static void cancelling(const junfeiai::client &client) {
  const auto task = client.create(junfeiai::request("a ball"));
  const junfeiai::cancel_token cancel;
  junfeiai::wait_options slow;
  slow.poll_interval = 60s;
  slow.timeout = junfeiai::forever;
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
  std::vector<junfeiai::request> orders;
  for (int i = 0; i < 5; i++) orders.emplace_back("a ball").seconds(4);
  auto made = client.generate_many(orders, 3);
  std::vector<std::string> ids;
  while (auto one = made.next()) {
    CHECK(one->ok && one->index < 5 && one->task_id && one->status == JFAI_OK);
    ids.push_back(*one->task_id);
    if (ids.size() == 1) CHECK(one->save(folder / "one.mp4").bytes > 0);
  }
  CHECK(ids.size() == 5);
  ids.push_back("task_no_such_thing");
  auto waited = client.wait_all(ids);
  int good = 0, bad = 0;
  while (auto one = waited.next()) {
    good += one->ok;
    bad += one->status == JFAI_ERR_NOT_FOUND && one->index == 5 && !one->message.empty() && one->error && one->error->task_id() == "task_no_such_thing";
  }
  CHECK(good == 5 && bad == 1);
  const auto left = client.list_pending();
  CHECK(left.size() == 4 && left[0].task_id && left[0].prompt == "a ball" && !left[0].intent && !left[0].reason);
  CHECK(left[0].state != junfeiai::pending_state::unknown && left[0].model == "grok-image-video" && left[0].fingerprint && left[0].seconds);
  CHECK(std::chrono::system_clock::now() - left[0].created_at < 1h);
  CHECK(client.forget(*left[0].task_id) && !client.forget("task_never_seen") && !client.resolve_unknown("never-seen"));
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
    CHECK(!client.models().empty() && client.balance().available_usd > 0);
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
