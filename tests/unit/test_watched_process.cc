// A program of the library's, and what becomes of the host program's threads meanwhile.
#include <doctest/doctest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>
#include <optional>

#include "libumlnet/client/watched_process.h"
#include "tests/unit/qemu_user.h"

using namespace umlnet::client;

TEST_CASE("watched process: the thread that started it ends before, and its memory goes") {
  if (skip_without_shared_memory()) return;
  constexpr std::size_t kStack = std::size_t{1} << 20;
  void* stack = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(stack != MAP_FAILED);
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  REQUIRE(::pthread_attr_setstack(&attributes, stack, kStack) == 0);
  std::optional<WatchedProcess> process;
  const auto start = [](void* into) -> void* {
    auto started = WatchedProcess::start({.path = "/bin/sleep", .arguments = {"sleep", "60"}, .fds = {}});
    if (started) static_cast<std::optional<WatchedProcess>*>(into)->emplace(*std::move(started));
    return nullptr;
  };
  pthread_t thread;
  REQUIRE(::pthread_create(&thread, &attributes, start, &process) == 0);
  ::pthread_join(thread, nullptr);
  ::pthread_attr_destroy(&attributes);
  ::munmap(stack, kStack);  // with all that is the thread's own (errno, the stack protector's value)

  REQUIRE(process);
  process->kill();
  const auto status = process->wait(Deadline::in(0));
  REQUIRE(status);
  CHECK(WIFSIGNALED(*status));
  CHECK(WTERMSIG(*status) == SIGKILL);
}
