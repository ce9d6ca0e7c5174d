// Resumes a task by its id in a later process: resume task_… ball.mp4
#include <iostream>
#include <junfeiai.hpp>

int main(int count, char **arguments) {
  if (count != 3) {
    std::cerr << "usage: resume TASK_ID FILE\n";
    return 2;
  }
  try {
    const auto client = junfeiai::client::from_env();
    auto saved = client.task_by_id(arguments[1]).wait().try_save(arguments[2]);
    if (saved) std::cout << saved->path << " is saved\n";
    else if (saved.error().status() == JFAI_ERR_FILE_EXISTS) std::cout << arguments[2] << " is there already\n";
    else throw saved.error();
  } catch (const junfeiai::error &e) {
    std::cerr << "error: " << e.what() << '\n';
    return 1;
  }
}
