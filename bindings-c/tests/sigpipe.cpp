// As sigpipe.c, through the C++ wrapper: an exception for the call, and the process lives on.
#include "check.h"

#include <junfeiai.hpp>

#include <csignal>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

template <class F>
static junfeiai::error thrown(F call) {
  try {
    call();
  } catch (const junfeiai::error &error) {
    return error;
  }
  failed++;
  throw std::runtime_error("no exception");
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  std::signal(SIGPIPE, SIG_DFL);
  const junfeiai::client client(junfeiai::client_options()
                                    .api_key("sk-test")
                                    .endpoint(arguments[1])
                                    .ca_file(arguments[2])
                                    .proxy("")
                                    .max_attempts(1)
                                    .request_rate(1000, 1000));
  const junfeiai::request ball("a ball");
  for (int i = 0; i < std::stoi(arguments[3]); i++) {
    const auto lost = thrown([&] { (void)client.create(ball); });
    CHECK(lost.status() == JFAI_ERR_CREATE_OUTCOME_UNKNOWN && lost.maybe_executed());
    CHECK(thrown([&] { client.get("task_1"); }).status() == JFAI_ERR_CONNECTION);
    CHECK(thrown([&] { client.create_async(ball).get(); }).status() == JFAI_ERR_CREATE_OUTCOME_UNKNOWN);
  }
  const pid_t child = fork();
  if (child == 0) {
    int ends[2];
    if (pipe(ends) == 0 && close(ends[0]) == 0) _exit(write(ends[1], "x", 1) == 1);
    _exit(2);
  }
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
  return finished("sigpipe");
}
