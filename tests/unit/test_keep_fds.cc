// Descriptors at fixed numbers: a child gives them their numbers, and looks.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <map>
#include <vector>

#include "uml_net/sys/keep_fds.h"

using namespace umlnet;

namespace {

// Whether `holds` does in a child that has an own pipe's end for each of the numbers; the ends tell each other apart.
bool in_a_child_with(const std::vector<int>& numbers, const std::function<bool(const std::map<int, ino_t>&)>& holds) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::map<int, ino_t> inodes;
    for (const int number : numbers) {
      int pipe[2];
      if (::pipe(pipe) != 0) ::_exit(2);
      const int high = ::fcntl(pipe[0], F_DUPFD, 50);
      ::close(pipe[0]);
      ::close(pipe[1]);
      if (::dup2(high, number) < 0) ::_exit(2);
      ::close(high);
      struct stat status{};
      ::fstat(number, &status);
      inodes[number] = status.st_ino;
    }
    ::_exit(holds(inodes) ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == 0;
}

bool is_at(int number, ino_t inode) {
  struct stat status{};
  return ::fstat(number, &status) == 0 && status.st_ino == inode && ::fcntl(number, F_GETFD) == FD_CLOEXEC;
}

bool is_closed(int number) { return ::fcntl(number, F_GETFD) < 0; }

}  // namespace

TEST_CASE("fixed numbers: each descriptor gets its own, whatever was there, and no other stays open") {
  CHECK(in_a_child_with({7, 8, 20, 30}, [](const std::map<int, ino_t>& had) {
    const NumberedFd fds[] = {{20, 7}, {8, 9}, {-1, 10}};
    return keep_fds(3, fds) && is_at(7, had.at(20)) && is_at(9, had.at(8)) && is_closed(8) && is_closed(10) &&
           is_closed(20) && is_closed(30) && ::fcntl(STDERR_FILENO, F_GETFD) >= 0;
  }));
}

TEST_CASE("fixed numbers: they may be each other's") {
  CHECK(in_a_child_with({7, 8, 9}, [](const std::map<int, ino_t>& had) {
    const NumberedFd fds[] = {{7, 8}, {8, 9}, {9, 7}};
    return keep_fds(0, fds) && is_at(8, had.at(7)) && is_at(9, had.at(8)) && is_at(7, had.at(9)) &&
           is_closed(STDIN_FILENO) && is_closed(10);
  }));
  // One that has its number already stays.
  CHECK(in_a_child_with({7, 8}, [](const std::map<int, ino_t>& had) {
    ::fcntl(7, F_SETFD, FD_CLOEXEC);
    const NumberedFd fds[] = {{7, 7}, {8, 6}};
    return keep_fds(3, fds) && is_at(7, had.at(7)) && is_at(6, had.at(8)) && is_closed(8);
  }));
}

TEST_CASE("fixed numbers: an error where one cannot be had") {
  CHECK(in_a_child_with({7}, [](const std::map<int, ino_t>&) {
    const rlimit few{9, 9};
    const NumberedFd fds[] = {{7, 9}};
    return ::setrlimit(RLIMIT_NOFILE, &few) == 0 && !keep_fds(3, fds);
  }));
}

TEST_CASE("fixed numbers: one descriptor gets its number, where nothing else is") {
  CHECK(in_a_child_with({20, 21}, [](const std::map<int, ino_t>& had) {
    auto moved = give_number(unique_fd(20), 30);
    if (!moved || moved->get() != 30 || !is_at(30, had.at(20)) || !is_closed(20)) return false;
    if (auto stays = give_number(*std::move(moved), 30); !stays || !is_at(stays->release(), had.at(20))) return false;
    if (const auto none = give_number(unique_fd(), 31); !none || *none) return false;
    const auto taken = give_number(unique_fd(21), 30);
    return !taken && taken.error().code == Code::bug && is_closed(21) && is_closed(31) && is_at(30, had.at(20));
  }));
  CHECK(in_a_child_with({20}, [](const std::map<int, ino_t>&) {
    const rlimit low{30, 30};
    if (::setrlimit(RLIMIT_NOFILE, &low) != 0) return false;
    const auto moved = give_number(unique_fd(20), 30);
    return !moved && moved.error().code == Code::kernel && moved.error().errnum == EMFILE && is_closed(20);
  }));
}

TEST_CASE("fixed numbers: those that nothing has are occupied, and no others") {
  CHECK(in_a_child_with({20, 22, 40}, [](const std::map<int, ino_t>& had) {
    return occupy_numbers(19, 24, 40) && is_closed(18) && is_at(19, had.at(40)) && ::fcntl(20, F_GETFD) == 0 &&
           is_at(21, had.at(40)) && ::fcntl(22, F_GETFD) == 0 && is_at(23, had.at(40)) && is_closed(24);
  }));
  CHECK(in_a_child_with({3}, [](const std::map<int, ino_t>&) {
    const rlimit low{30, 30};
    if (::setrlimit(RLIMIT_NOFILE, &low) != 0) return false;
    const auto kept = occupy_numbers(28, 31, 3);
    return !kept && kept.error().code == Code::kernel;
  }));
}
