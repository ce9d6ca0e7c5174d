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
