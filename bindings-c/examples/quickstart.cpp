// Create a video, wait for it, save it. JUNFEIAI_API_KEY=… quickstart ball.mp4
#include <iostream>
#include <junfeiai.hpp>

int main(int count, char **arguments) try {
  if (count > 2 || (count == 2 && arguments[1][0] == '-')) {
    std::cerr << "usage: quickstart [FILE]\n"; // before anything costs money
    return 2;
  }
  const auto file = count > 1 ? arguments[1] : "ball.mp4";
  const auto client = junfeiai::client::from_env();
  client.check_save(file); // a file that is in the way is found out before
  const auto video = client.generate(junfeiai::request("A small red ball bouncing once").seconds(4)); // costs money
  const auto saved = video.save(file);
  std::cout << saved.path << ": " << saved.bytes << " bytes\n";
} catch (const junfeiai::error &e) {
  std::cerr << "error: " << e.what() << '\n';
  return 1;
}
