// The same, with progress.
#include <iostream>
#include <junfeiai.hpp>

int main(int count, char **arguments) try {
  if (count > 2 || (count == 2 && arguments[1][0] == '-')) {
    std::cerr << "usage: progress [FILE]\n"; // before anything costs money
    return 2;
  }
  const auto client = junfeiai::client::from_env();
  const auto video = client.generate(
      junfeiai::request("A small red ball bouncing once").seconds(std::chrono::seconds(4)),
      junfeiai::wait_options().on_progress([](const junfeiai::task_view &task) {
        std::cout << task.id() << "  " << task.status_name() << ' ' << task.progress().value_or(0) << " %\n";
      }));
  junfeiai::save_options options;
  options.overwrite(true).on_progress([](const junfeiai::save_progress &p) { std::cout << p.bytes << " of " << p.total << " bytes\n"; });
  video.save(count > 1 ? arguments[1] : "ball.mp4", options);
} catch (const junfeiai::error &e) {
  std::cerr << "error: " << e.what() << '\n';
  if (e.task_id()) std::cerr << "continue later: resume " << *e.task_id() << '\n';
  return 1;
}
