#include "libumlnet/cli/command.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>

#include "libumlnet/cli/words.h"

namespace umlnet::cli {
namespace {

constexpr int kNotFound = 127, kNotExecutable = 126;  // as shells have it

// {fd} and {dev}: 0; {fd1}: 1. Nothing for any other braces, {fd0} and {fd01} included.
std::optional<std::size_t> index_of(std::string_view token, std::string_view name) {
  if (!token.starts_with(name)) return std::nullopt;
  token.remove_prefix(name.size());
  if (token.empty()) return 0;
  if (token.front() == '0') return std::nullopt;
  const auto index = number(token, 999);
  return index ? std::optional<std::size_t>(*index) : std::nullopt;
}

[[noreturn]] void become(std::vector<std::string>& words, std::span<const int> fds, const Signals& signals,
                         int report) {
  for (const int fd : fds) ::fcntl(fd, F_SETFD, 0);
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  signals.restore();
  ::execvp(pointers[0], pointers.data());
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(report, &error, sizeof error);
  ::_exit(kNotFound);
}

}  // namespace

Outcome<std::vector<std::string>> fill_in(std::span<char* const> words, std::span<const Given> networks,
                                          std::vector<std::size_t>& unused) {
  std::vector<bool> used(networks.size());
  std::vector<std::string> filled;
  for (const std::string_view word : words) {
    std::string& out = filled.emplace_back();
    for (std::size_t at = 0; at < word.size();) {
      const auto close = word[at] == '{' ? word.find('}', at) : std::string_view::npos;
      const auto token = close != std::string_view::npos ? word.substr(at + 1, close - at - 1) : std::string_view{};
      const auto fd = index_of(token, "fd"), device = index_of(token, "dev");
      const auto index = fd ? fd : device;
      if (!index) {
        out += word[at++];
        continue;
      }
      if (*index >= networks.size())
        return misuse("there is no network for {" + std::string(token) + "} in \"" + std::string(word) + "\": " +
                      std::to_string(networks.size()) + (networks.size() == 1 ? " was" : " were") + " asked for");
      used[*index] = true;
      out += fd ? std::to_string(networks[*index].fd) : networks[*index].device;
      at = close + 1;
    }
  }
  unused.clear();
  for (std::size_t i = 0; i < used.size(); ++i)
    if (!used[i]) unused.push_back(i);
  return filled;
}

Outcome<Command> Command::start(std::vector<std::string> words, std::span<const int> fds, const Signals& signals) {
  const std::string doing = "cannot start " + words[0];
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return trouble_errno(EX_OSERR, doing, errno);
  const OpenFd report(pipe[0]);
  OpenFd report_end(pipe[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return trouble_errno(EX_OSERR, doing, errno);
  if (pid == 0) become(words, fds, signals, report_end.get());
  report_end.reset();
  // Not before it is the command, or has failed to become it.
  int error = 0;
  ssize_t size = -1;
  while ((size = ::read(report.get(), &error, sizeof error)) < 0 && errno == EINTR) {
  }
  if (size == sizeof error) {
    ::waitpid(pid, nullptr, 0);
    if (error == ENOENT) return trouble(kNotFound, doing + ": command not found");
    return trouble_errno(kNotExecutable, doing, error);
  }
  OpenFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    const int why = errno;
    ::kill(pid, SIGTERM);
    ::waitpid(pid, nullptr, 0);
    return trouble_errno(EX_OSERR, "cannot watch " + words[0], why);
  }
  return Command(pid, std::move(pidfd));
}

int Command::wait() const {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0)
    if (errno != EINTR) return EX_OSERR;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Outcome<void> Command::pass_on(const signalfd_siginfo& signal) const {
  // The kernel's own are those of the terminal (Ctrl-C, a new window size, the line that was hung up). They reach the
  // command directly, unless it has left for a process group of its own.
  if (signal.ssi_code == SI_KERNEL && ::getpgid(pid_) == ::getpgrp()) return {};
  if (::kill(pid_, static_cast<int>(signal.ssi_signo)) == 0) return {};
  return trouble_errno(
      EX_OSERR, "cannot pass " + name_of_signal(static_cast<int>(signal.ssi_signo)) + " on to the command", errno);
}

}  // namespace umlnet::cli
