// answer.cc: gets a network interface through uml_net, and answers pings on it, as a guest would.
//
//   c++ -std=c++17 -o answer answer.cc $(pkg-config --cflags --libs libumlnet)
//   ./answer tuntap,,,10.99.0.254 10.99.0.1
//
// and, elsewhere, ping 10.99.0.1. Ends at SIGTERM, and at Ctrl-C. The same in C is in answer.c.
#include <poll.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>
#include <umlnet/umlnet.hpp>
#include <vector>

#include "guest.h"

namespace {

// SIGTERM and SIGINT become something to poll for: none can slip in between a look at a flag and the sleep in poll().
int stop_fd() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  const int fd = ::signalfd(-1, &stop, SFD_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  return fd;
}

// One frame, where there is one. What is no frame counts as none: the next one can be read.
std::optional<std::size_t> read_frame(umlnet::Nic& nic, std::vector<unsigned char>& frame) try {
  return nic.read(frame.data(), frame.size());
} catch (const umlnet::Error& error) {
  if (error.code() != UMLNET_PROTOCOL) throw;
  return std::nullopt;
}

// Until it is told to stop; throws when the device is gone.
void answer(umlnet::Nic& nic, const guest& guest, int stop) {
  std::vector<unsigned char> frame(GUEST_FRAME_MAX);
  pollfd fds[] = {{stop, POLLIN, 0}, {nic.fd(), POLLIN, 0}};
  for (;;) {
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
    if (fds[0].revents != 0) return;
    // Whatever poll() says of the device, reading says it better. One frame at a time, so that a flood of them does
    // not hold up the end.
    const auto size = read_frame(nic, frame);
    if (!size) continue;
    if (const auto reply = guest_answer(&guest, frame.data(), *size)) nic.write(frame.data(), reply);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  guest guest;
  if (argc < 3 || argc > 4 || guest_init(&guest, argv[2]) == 0) {
    std::fprintf(stderr, "usage: answer SETUP ADDRESS [HELPER]   (answer tuntap,,,10.99.0.254 10.99.0.1)\n");
    return 64;
  }
  umlnet::Options options;
  if (argc == 4) options.helper = argv[3];
  // What uml_net explains: "tap0 up with 10.99.0.254/32". The library itself prints nothing.
  options.note = [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); };

  const int stop = stop_fd();  // before there is anything to clean up
  umlnet::Nic nic(argv[1], options);
  nic.add_address(argv[2], "24");
  nic.open();  // announces the address to the host: all or nothing
  answer(nic, guest, stop);
  nic.close();  // the destructor would do it too, and could not say what went wrong
  return 0;
} catch (const umlnet::Error& error) {
  // One line of the library's that says what to do; uml_net's own words, where there are any, are lines.
  std::fprintf(stderr, "answer: %s\n%s", error.what(), std::string(error.helper()).c_str());
  return 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "answer: %s\n", error.what());
  return 1;
}
