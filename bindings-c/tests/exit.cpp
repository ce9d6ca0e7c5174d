// A client that is static ends after main(): what was set for its log and its errors is still there. run.py lets the C library
// overwrite what is freed.
#include "check.h"

#include <atomic>
#include <cstdlib>
#include <junfeiai.hpp>

static std::atomic<int> lines{0}, unhandled{0}, wrong{0};

static struct last {
  std::optional<junfeiai::client> client;
  ~last() {
    client.reset();
    CHECK(lines > 0 && unhandled == 3 && wrong == 0);
    const int code = finished("exit");
    std::fflush(nullptr);
    std::_Exit(code);
  }
} at_exit;

int main() {
  at_exit.client.emplace(std::move(junfeiai::client_options().use_env()));
  const std::string large(100, 'x');
  junfeiai::set_log(
      [large](junfeiai::log_level, std::string_view) {
        lines++;
        wrong += large != std::string(100, 'x');
      },
      junfeiai::log_level::trace);
  junfeiai::set_unhandled([large](const junfeiai::error &) {
    unhandled++;
    wrong += large != std::string(100, 'x');
  });
  const junfeiai::cancel_token never;
  (void)at_exit.client->try_get("task_no_such_thing");
  for (int i = 0; i < 3; i++) at_exit.client->create_async(junfeiai::request("a ball"), [](auto) { throw 1; }, &never);
}
