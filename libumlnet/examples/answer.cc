// answer.cc: gets a network interface through uml_net, and answers ARP and ping on it, as a guest would.
//
//   c++ -std=c++17 -o answer answer.cc $(pkg-config --cflags --libs libumlnet)
//   ./answer tuntap,,,10.99.0.254 10.99.0.1
//
// and, elsewhere, ping 10.99.0.1. Ends in order at SIGTERM, and at Ctrl-C. The same in C is in answer.c.
#include <poll.h>
#include <sys/signalfd.h>

#include <csignal>
#include <cstdio>
#include <umlnet/umlnet.hpp>

#include "guest.h"  // what the guest says to a frame

int main(int argc, char** argv) try {
  guest guest;
  if (argc < 3 || guest_init(&guest, argv[2]) == 0)
    return std::fputs("usage: answer SETUP ADDRESS [HELPER]   (answer tuntap,,,10.99.0.254 10.99.0.1)\n", stderr), 64;
  umlnet::Options options;
  if (argc > 3) options.helper = argv[3];
  options.note = [](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); };

  sigset_t stop;
  sigemptyset(&stop);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&stop, signal);
  sigprocmask(SIG_BLOCK, &stop, nullptr);  // from here on a signal is something to poll for

  umlnet::Nic nic(argv[1], options);
  nic.add_address(argv[2], "24");
  nic.open();  // the address is announced: all or nothing
  static unsigned char frame[GUEST_FRAME_MAX];
  pollfd fds[] = {{::signalfd(-1, &stop, SFD_CLOEXEC), POLLIN, 0}, {nic.fd(), POLLIN, 0}};
  while (::poll(fds, 2, -1) >= 0 && fds[0].revents == 0)
    if (const auto size = nic.read(frame, sizeof frame))  // never blocks; throws where the device is gone
      if (const auto reply = guest_answer(&guest, frame, *size)) nic.write(frame, reply);
  nic.close();  // the address is withdrawn
} catch (const umlnet::Error& error) {
  std::fprintf(stderr, "answer: %s\n%s", error.what(), std::string(error.helper()).c_str());
  return 1;
}
