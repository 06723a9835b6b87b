#include "libumlnet/cli/command.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "libumlnet/cli/words.h"
#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

constexpr int kNotFound = 127, kNotExecutable = 126;  // as shells have it

struct Token {
  enum Kind : std::uint8_t { fd, fds, device } kind;
  std::size_t network;
  char separator = ':';
};

// {fd}, {fds}, {fds,} and {dev}, of the first network; {fd1}, {fds1}, {fds1,} and {dev1} of the second. Nothing for any
// other braces, {fd0} and {fd01} included.
std::optional<Token> parse_token(std::string_view braces) {
  if (braces.size() < 2) return std::nullopt;
  auto text = braces.substr(1, braces.size() - 2);
  Token token{.kind = Token::fd, .network = 0};
  if (text.starts_with("fds")) {
    token.kind = Token::fds;
    text.remove_prefix(3);
    if (text.ends_with(',')) {
      token.separator = ',';
      text.remove_suffix(1);
    }
  } else if (text.starts_with("fd")) {
    text.remove_prefix(2);
  } else if (text.starts_with("dev")) {
    token.kind = Token::device;
    text.remove_prefix(3);
  } else {
    return std::nullopt;
  }
  if (text.empty()) return token;
  if (text.front() == '0') return std::nullopt;
  const auto index = number(text, 999);
  if (!index) return std::nullopt;
  token.network = *index;
  return token;
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

Outcome<Filled> fill_in(std::span<char* const> words, std::span<const Given> networks) {
  Filled filled{
      .words = {}, .named = std::vector<bool>(networks.size()), .gets_fds = std::vector<bool>(networks.size())};
  for (const std::string_view word : words) {
    std::string& out = filled.words.emplace_back();
    for (std::size_t at = 0; at < word.size();) {
      const auto close = word[at] == '{' ? word.find('}', at) : std::string_view::npos;
      const auto braces = close != std::string_view::npos ? word.substr(at, close + 1 - at) : std::string_view{};
      const auto token = parse_token(braces);
      if (!token) {
        out += word[at++];
        continue;
      }
      const auto in_word = [&] { return std::string(braces) + " in " + in_quotes(word, 256); };
      if (token->network >= networks.size())
        return misuse("there is no network for " + in_word() + ": " + std::to_string(networks.size()) +
                      (networks.size() == 1 ? " was" : " were") + " asked for");
      const Given& given = networks[token->network];
      filled.named[token->network] = true;
      if (token->kind == Token::device) {
        out += given.device;
      } else {
        filled.gets_fds[token->network] = true;
        if (token->kind == Token::fd && given.fds.size() > 1)
          return misuse(in_word() + " is one descriptor, and this network has " + std::to_string(given.fds.size()) +
                        ", one for each queue: write {fds}, which puts ':' between them, or {fds,}");
        for (std::size_t i = 0; i < given.fds.size(); ++i)
          out += (i != 0 ? std::string(1, token->separator) : "") + std::to_string(given.fds[i]);
      }
      at = close + 1;
    }
  }
  return filled;
}

Outcome<Command> Command::start(std::vector<std::string> words, std::span<const int> fds, const Signals& signals) {
  const std::string doing = "cannot start " + words[0];
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return trouble_errno(EX_OSERR, doing, errno);
  const unique_fd report(pipe[0]);
  unique_fd report_end(pipe[1]);
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
  unique_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
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
