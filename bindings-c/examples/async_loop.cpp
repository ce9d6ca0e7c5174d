// Three videos at once: futures, and your own loop that drains a queue.
#include <iostream>
#include <junfeiai.hpp>

int main() try {
  // Before the client, so that they are still there when it ends its calls.
  int left = 2, saved = 0;
  const junfeiai::event_queue queue;
  const auto client = junfeiai::client::from_env();
  const junfeiai::request request("A small red ball bouncing once");

  auto future = client.generate_async(request);

  for (int i = 0; i < 2; i++) {
    client.generate_async(
        request, {},
        [&](junfeiai::result<junfeiai::video> video) {
          left--;
          if (video) saved += video->save(video->file_name()).bytes > 0;
          else std::cerr << "error: " << video.error().what() << '\n';
        },
        nullptr, &queue);
  }
  while (left > 0) queue.drain(std::chrono::milliseconds(100)); // here a GUI would draw, too

  const auto video = future.get();
  saved += video.save_async(video.file_name()).get().bytes > 0;
  std::cout << saved << " saved\n";
  return saved == 3 ? 0 : 1;
} catch (const junfeiai::error &e) {
  std::cerr << "error: " << e.what() << '\n';
  return 1;
}
