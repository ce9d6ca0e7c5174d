// A std::istream over a video of the service: the boxes of its MP4, without a file. stream_reader task_…
#include <iostream>
#include <junfeiai.hpp>

int main(int count, char **arguments) {
  if (count != 2) {
    std::cerr << "usage: stream_reader TASK_ID\n";
    return 2;
  }
  try {
    const auto client = junfeiai::client::from_env();
    junfeiai::video_stream stream(client.video_by_id(arguments[1]).open());
    unsigned char head[8];
    while (stream.read(reinterpret_cast<char *>(head), 8)) {
      const auto size = (std::uint64_t{head[0]} << 24) + (head[1] << 16) + (head[2] << 8) + head[3];
      std::cout << std::string(reinterpret_cast<char *>(head) + 4, 4) << ' ' << size << '\n';
      if (size < 8 || !stream.seekg(static_cast<std::streamoff>(size - 8), std::ios::cur)) break;
    }
  } catch (const junfeiai::error &e) {
    std::cerr << "error: " << e.what() << '\n';
    return 1;
  }
}
