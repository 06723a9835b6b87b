#include "libumlnet/client/helper_run.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "libumlnet/client/off_stdio.h"
#include "libumlnet/core/uml4_frames.h"

namespace umlnet::client {
namespace {

constexpr std::size_t kMostComplaint = 4096;  // bytes kept of stderr
constexpr int kMostReads = 64;                // of stderr at a time

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

Outcome<HelperRun> HelperRun::start(const std::string& path, std::vector<std::string> words, int out, int data) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return failed_errno(errno, "cannot make a pipe to " + path);
  unique_fd complaints(pipe[0]);
  const unique_fd stderr_end(pipe[1]);
  ::fcntl(complaints.get(), F_SETFL, O_NONBLOCK);

  words.insert(words.begin(), path);
  Program program{
      .path = path, .arguments = std::move(words), .fds = {{STDOUT_FILENO, out}, {STDERR_FILENO, stderr_end.get()}}};
  if (data >= 0) program.fds.push_back({3, data});
  auto process = WatchedProcess::start(program);
  if (process) return HelperRun(path, *std::move(process), off_stdio(std::move(complaints)));
  auto failure = std::move(process.error());
  if (failure.errnum == EACCES)
    failure.message += ". Only members of its group may run it (ls -l " + path + "); ask the administrator to add you.";
  if (failure.errnum == ENOENT) failure.message += ". Install uml_net, or say where it is.";
  return std::unexpected(std::move(failure));
}

void HelperRun::take_complaints() {
  std::array<char, 1024> bytes;
  for (int i = 0; i < kMostReads; ++i) {  // one that never stops must not keep the deadline from being seen
    const ssize_t size = ::read(complaints_.get(), bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    const auto kept = std::min(static_cast<std::size_t>(size), kMostComplaint - complaint_.size());
    complaint_.append(bytes.data(), kept);
  }
}

HelperRun::Event HelperRun::wait(int fd, const Deadline& deadline) {
  for (;;) {
    std::array<pollfd, 3> polls = {
        {{.fd = fd, .events = POLLIN, .revents = 0},
         {.fd = process_.has_ended() ? -1 : process_.end_fd(), .events = POLLIN, .revents = 0},
         {.fd = complaints_.get(), .events = POLLIN, .revents = 0}}};
    if (process_.has_ended() && fd < 0) return Event::ended;
    // Where it has ended already, what is in `fd` is there now or never.
    const int ready = ::poll(polls.data(), polls.size(), process_.has_ended() ? 0 : deadline.milliseconds_left());
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return Event::deadline;  // it would fail again at once: there is no waiting
    if ((polls[2].revents & POLLIN) != 0) take_complaints();
    if (polls[0].revents != 0) return Event::readable;
    if (process_.has_ended()) return Event::ended;
    if (polls[1].revents != 0) {
      process_.wait(deadline);
      continue;
    }
    if (deadline.passed()) return Event::deadline;
    // Its stderr is closed, and says so for ever: not polled, and the rest goes on.
    if ((polls[2].revents & (POLLHUP | POLLERR)) != 0 && (polls[2].revents & POLLIN) == 0) complaints_.reset();
  }
}

Outcome<void> HelperRun::read(int fd, void* bytes, std::size_t size, const Deadline& deadline) {
  auto* to = static_cast<char*>(bytes);
  while (size > 0) {
    switch (wait(fd, deadline)) {
      case Event::deadline: return failed(UMLNET_TIMEOUT, {});
      case Event::ended: return failed(UMLNET_CLOSED, {});
      case Event::readable: break;
    }
    const ssize_t taken = ::read(fd, to, size);
    if (taken < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (taken <= 0) return failed(UMLNET_CLOSED, {});
    to += taken;
    size -= static_cast<std::size_t>(taken);
  }
  return {};
}

Outcome<bool> HelperRun::succeeded(const Deadline& deadline) {
  while (!process_.has_ended())
    if (wait(-1, deadline) == Event::deadline) return failed(UMLNET_TIMEOUT, {});
  const auto status = process_.wait(deadline);
  return status && WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
}

Failure HelperRun::failure(umlnet_code code, const std::string& doing, const std::string& reply) {
  if (complaints_) take_complaints();
  Failure failure{.code = code, .message = doing + ": "};
  failure.helper = reply.empty() ? uml4::decode_text(complaint_) : reply;
  const auto status = process_.has_ended() ? process_.wait(Deadline::in(0)) : std::nullopt;
  if (status && WIFEXITED(*status)) failure.exit_status = WEXITSTATUS(*status);
  if (status && WIFSIGNALED(*status)) {
    const char* name = ::sigabbrev_np(WTERMSIG(*status));
    failure.message += path_ + " was killed by signal " + std::to_string(WTERMSIG(*status)) + " (SIG" +
                       (name != nullptr ? name : "?") + ")";
    if (!failure.helper.empty()) failure.message += ", having said: " + first_line(failure.helper);
  } else if (!failure.helper.empty())
    failure.message += first_line(failure.helper);
  else if (failure.exit_status >= 0)
    failure.message += path_ + " ended with status " + std::to_string(failure.exit_status) + " and said nothing";
  else
    failure.message += path_ + " said nothing";
  return failure;
}

Failure HelperRun::hung(const std::string& doing) {
  process_.kill();
  if (complaints_) take_complaints();
  return {.code = UMLNET_TIMEOUT,
          .message = doing + ": " + path_ + " did not finish in time, and has been killed",
          .helper = uml4::decode_text(complaint_)};
}

}  // namespace umlnet::client
