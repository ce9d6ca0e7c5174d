// Compiled with -fno-exceptions: the forms that return a result, and what the others do. With an argument the error of a form that
// would throw is not caught, since nothing can: the program ends.
#include "check.h"

#include <junfeiai.hpp>

int main(int count, char **) {
  junfeiai::client_options options;
  options.use_env().poll_interval(std::chrono::milliseconds(20));
  const junfeiai::client client(options);
  if (count > 1) client.get("task_no_such_thing");
  auto none = client.try_get("task_no_such_thing");
  CHECK(!none && none.error().status() == JFAI_ERR_NOT_FOUND);
  // What is wrong with an argument is a result, too, or what the completion function is called with.
  auto nul = client.try_get(std::string("a\0b", 3));
  CHECK(!nul && nul.error().status() == JFAI_ERR_ARGUMENT);
  auto token = junfeiai::cancel_token();
  const auto taken = std::move(token);
  auto moved = client.try_create(junfeiai::request("A small red ball bouncing once"), &token);
  CHECK(!moved && moved.error().status() == JFAI_ERR_ARGUMENT);
  jfai_status told = JFAI_OK;
  const auto note = [&told](const auto &result) { told = result ? JFAI_OK : result.error().status(); };
  client.generate_async(junfeiai::request("x"), junfeiai::wait_options().poll_interval(std::chrono::milliseconds(0)), note);
  CHECK(told == JFAI_ERR_INVALID_REQUEST);
  client.create_async(junfeiai::request("x"), note, &token);
  CHECK(told == JFAI_ERR_ARGUMENT);
  auto made = client.try_create(junfeiai::request("A small red ball bouncing once").seconds(4));
  CHECK(made.has_value());
  if (made) {
    const junfeiai::task task = std::move(made).value();
    auto video = task.try_wait();
    CHECK(video.has_value());
    if (video) {
      auto summary = video->try_save("no_exceptions.mp4");
      CHECK(summary && summary->bytes > 1000);
    }
    junfeiai::event_queue queue;
    bool called = false;
    task.wait_async({}, [&](junfeiai::result<junfeiai::video> seen) { called = seen && seen->task_id() == task.id(); }, nullptr, &queue);
    queue.drain(std::chrono::minutes(1));
    CHECK(called);
  }
  return finished("no_exceptions");
}
