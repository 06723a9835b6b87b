// A pump between sockets, run in a thread, for tests of what goes through it.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "libumlnet/core/unique_fd.h"
#include "umlnet/umlnet.h"

namespace pump_test {

using umlnet::unique_fd;
using Bytes = std::vector<std::uint8_t>;

struct Pair {
  explicit Pair(int type) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) == 0);
    pump.reset(fds[0]);
    peer.reset(fds[1]);
    // A test that hangs is worse than one that fails.
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(peer.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  }
  unique_fd pump, peer;
};

inline umlnet_end end_of(umlnet_framing framing, int fd, unsigned vnet_hdr = 0, unsigned offloads = 0) {
  umlnet_end end = UMLNET_END_INIT;
  end.framing = framing;
  end.fd = fd;
  end.vnet_hdr = vnet_hdr;
  end.offloads = offloads;
  return end;
}

class Pump {
 public:
  Pump(const umlnet_end& a, const umlnet_end& b, const umlnet_pump_options* options = nullptr) {
    umlnet_error error;
    const umlnet_code code = umlnet_pump_new(&a, &b, options, &pump_, &error);
    INFO(error.message);
    REQUIRE(code == UMLNET_OK);
  }
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  ~Pump() {
    if (thread_.joinable()) {
      umlnet_pump_stop(pump_);
      thread_.join();
    }
    umlnet_pump_free(pump_);
  }

  umlnet_pump* get() const { return pump_; }
  void run_in_thread() {
    thread_ = std::thread([this] { code_ = umlnet_pump_run(pump_, &end_, &error_); });
  }
  // Waits for its end, which must come by itself.
  umlnet_code join() {
    thread_.join();
    return code_;
  }
  umlnet_pump_end end() const { return end_; }
  const umlnet_error& error() const { return error_; }
  umlnet_counters counters() const {
    umlnet_counters counters;
    umlnet_pump_counters(pump_, &counters, sizeof counters);
    return counters;
  }
  // As they are once so many frames have been written: a reader may be faster than the counting of what it reads.
  umlnet_counters counters(std::uint64_t a_to_b, std::uint64_t b_to_a) const {
    for (int i = 0; i < 5000; ++i) {
      if (const auto now = counters(); now.a_to_b.frames >= a_to_b && now.b_to_a.frames >= b_to_a) return now;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return counters();
  }

 private:
  umlnet_pump* pump_ = nullptr;
  std::thread thread_;
  umlnet_code code_ = UMLNET_STATE;
  umlnet_pump_end end_ = UMLNET_PUMP_STOPPED;
  umlnet_error error_{};
};

// An Ethernet frame of `size` bytes that bears its number and can be told from all others.
inline Bytes frame(std::size_t size, std::uint32_t number) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(number * 31 + i * 7);
  if (size < 14) return bytes;
  bytes[12] = 0x88;
  bytes[13] = 0xb5;
  if (size >= 18) std::memcpy(&bytes[14], &number, sizeof number);
  return bytes;
}

inline Bytes joined(const Bytes& first, const Bytes& second) {
  Bytes both = first;
  both.insert(both.end(), second.begin(), second.end());
  return both;
}

// As it goes over a stream.
inline Bytes in_stream(const Bytes& frame) {
  const auto size = static_cast<std::uint32_t>(frame.size());
  return joined({static_cast<std::uint8_t>(size >> 24), static_cast<std::uint8_t>(size >> 16),
                 static_cast<std::uint8_t>(size >> 8), static_cast<std::uint8_t>(size)},
                frame);
}

inline void send_all(int fd, const Bytes& bytes) {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t some = ::send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    REQUIRE(some > 0);
    sent += static_cast<std::size_t>(some);
  }
}

inline Bytes receive(int fd) {
  Bytes bytes(70000);
  const ssize_t size = ::recv(fd, bytes.data(), bytes.size(), 0);
  REQUIRE(size >= 0);
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

inline Bytes receive_exactly(int fd, std::size_t size) {
  Bytes bytes(size);
  for (std::size_t got = 0; got < size;) {
    const ssize_t some = ::recv(fd, bytes.data() + got, size - got, 0);
    REQUIRE(some > 0);
    got += static_cast<std::size_t>(some);
  }
  return bytes;
}

inline Bytes receive_from_stream(int fd) {
  const Bytes header = receive_exactly(fd, 4);
  return receive_exactly(fd, std::size_t{header[0]} << 24 | header[1] << 16 | header[2] << 8 | header[3]);
}

}  // namespace pump_test
