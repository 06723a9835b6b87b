// The owner of one open file descriptor; an int parameter is always borrowed.
#pragma once

#include <unistd.h>

#include <utility>

namespace umlnet::cli {

class OpenFd {
 public:
  OpenFd() = default;
  explicit OpenFd(int fd) : fd_(fd) {}
  OpenFd(OpenFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenFd& operator=(OpenFd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~OpenFd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace umlnet::cli
