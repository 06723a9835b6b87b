/*
 * answer.c: gets a network interface through uml_net, and answers ARP and ping on it, as a guest would.
 *
 *   cc -o answer answer.c $(pkg-config --cflags --libs libumlnet)
 *   ./answer tuntap,,,10.99.0.254 10.99.0.1
 *
 * and, elsewhere, ping 10.99.0.1. Ends in order at SIGTERM, and at Ctrl-C. The same in C++ is in answer.cc.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <umlnet/umlnet.h>

#include "guest.h" /* what the guest says to a frame */

/* The library prints nothing itself: this is "tap0 up with 10.99.0.254/32", in uml_net's words. */
static void note(void* user, const char* text) { fputs(text, user); }

int main(int argc, char** argv) {
  struct guest guest;
  if (argc < 3 || !guest_init(&guest, argv[2]))
    return fputs("usage: answer SETUP ADDRESS [HELPER]   (answer tuntap,,,10.99.0.254 10.99.0.1)\n", stderr), 64;
  umlnet_options options = {sizeof options, argc > 3 ? argv[3] : NULL, 0, note, stderr};

  /* Blocked before there is anything to clean up: from here on a signal is something to poll for. */
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, NULL);

  umlnet_nic* nic = NULL;
  umlnet_error error;
  umlnet_code code = umlnet_nic_new(argv[1], &options, &nic, &error);
  if (code == UMLNET_OK) code = umlnet_nic_add_address(nic, argv[2], "24", &error);
  if (code == UMLNET_OK) code = umlnet_nic_open(nic, &error); /* the address is announced: all or nothing */

  static unsigned char frame[GUEST_FRAME_MAX];
  struct pollfd fds[] = {{signalfd(-1, &stop, SFD_CLOEXEC), POLLIN, 0}, {umlnet_nic_fd(nic), POLLIN, 0}};
  while (code == UMLNET_OK && poll(fds, 2, -1) >= 0 && fds[0].revents == 0) {
    size_t size = 0;
    code = umlnet_nic_read(nic, frame, sizeof frame, &size); /* never blocks */
    if (code == UMLNET_OK && (size = guest_answer(&guest, frame, size)) != 0) umlnet_nic_write(nic, frame, size);
    if (code == UMLNET_AGAIN || code == UMLNET_PROTOCOL) code = UMLNET_OK; /* nothing, or no frame: the next one */
    if (code != UMLNET_OK) umlnet_error_set(&error, code, 0, "the device is gone");
  }
  if (code == UMLNET_OK) code = umlnet_nic_close(nic, &error); /* the address is withdrawn */
  if (code != UMLNET_OK) fprintf(stderr, "answer: %s\n%s", error.message, error.helper);
  umlnet_nic_free(nic);
  return code != UMLNET_OK;
}
