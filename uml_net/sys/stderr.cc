#include "uml_net/sys/stderr.h"

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace umlnet {

std::unexpected<Error> not_taken() { return fail(Code::reply, "the caller did not take the reply within 5 seconds"); }

// A pipe that polls as writable takes PIPE_BUF (4096) bytes at once, and no reply is longer.
Result<void> wait_until_writable(int fd) {
  pollfd poll{.fd = fd, .events = POLLOUT, .revents = 0};
  int ready = -1;
  do {
    ready = ::poll(&poll, 1, kPatience);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return fail_errno(Code::reply, errno, "cannot wait for the caller to take the reply");
  if (ready == 0) return not_taken();
  if ((poll.revents & POLLOUT) == 0) return fail(Code::reply, "the caller closed its end before the reply");
  return {};
}

ssize_t write_at_once(int fd, std::string_view bytes) {
  const iovec data{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  const ssize_t written = ::pwritev2(fd, &data, 1, -1, RWF_NOWAIT);
  // Not known of every kind of file, and of pipes not before Linux 6.4: then what poll() said must do.
  return written < 0 && errno == EOPNOTSUPP ? ::write(fd, bytes.data(), bytes.size()) : written;
}

void write_to_stderr(std::string_view text) {
  // Nothing can be done for a caller without stderr, or one that lets it fill up and does not read.
  if (write_at_once(STDERR_FILENO, text) >= 0 || errno != EAGAIN || !wait_until_writable(STDERR_FILENO)) return;
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

std::string told(const Error& error) { return "uml_net: " + error.text(); }

void write_error(const Error& error) { write_to_stderr(told(error)); }

}  // namespace umlnet
