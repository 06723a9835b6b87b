#include "libumlnet/cli/restorer.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <csignal>
#include <utility>

extern char** environ;

namespace umlnet::cli {

Restorer::Restorer(std::string helper) : helper_(std::move(helper)) {
  if (helper_.empty() && ::access(UMLNET_HELPER, X_OK) == 0) helper_ = UMLNET_HELPER;
  if (helper_.empty()) helper_ = "uml_net";
  // Without notices the next request of anybody restores what is lost.
  if (auto monitor = NetworkMonitor::open()) monitor_.emplace(*std::move(monitor));
}

Restorer::~Restorer() { reap(true); }

void Restorer::reap(bool wait) {
  int status = 0;
  if (running_ <= 0 || ::waitpid(running_, &status, wait ? 0 : WNOHANG) == 0) return;
  running_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL) is_wanted_ = true;  // it was held up
}

int Restorer::patience() const {
  constexpr int kUntilItEnds = 50;  // milliseconds
  if (is_wanted_) return kUntilItEnds;
  return monitor_ ? monitor_->patience() : -1;
}

void Restorer::look(int ready) {
  reap(false);
  if (monitor_ && ready >= 0 && monitor_->settles(ready)) is_wanted_ = true;
  if (!is_wanted_ || running_ > 0) return;
  is_wanted_ = false;
  posix_spawn_file_actions_t silent;
  ::posix_spawn_file_actions_init(&silent);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::posix_spawn_file_actions_addopen(&silent, fd, "/dev/null", O_RDWR, 0);
  posix_spawnattr_t unblocked;
  ::posix_spawnattr_init(&unblocked);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&unblocked, &none);
  ::posix_spawnattr_setflags(&unblocked, POSIX_SPAWN_SETSIGMASK);
  char gc[] = "gc";
  char* const words[] = {helper_.data(), gc, nullptr};
  if (::posix_spawnp(&running_, helper_.c_str(), &silent, &unblocked, words, environ) != 0) running_ = -1;
  ::posix_spawnattr_destroy(&unblocked);
  ::posix_spawn_file_actions_destroy(&silent);
}

}  // namespace umlnet::cli
