/*
 * answer.c: gets a network interface through uml_net, and answers pings on it, as a guest would.
 *
 *   cc -o answer answer.c $(pkg-config --cflags --libs libumlnet)
 *   ./answer tuntap,,,10.99.0.254 10.99.0.1
 *
 * and, elsewhere, ping 10.99.0.1. Ends at SIGTERM, and at Ctrl-C. The same in C++ is in answer.cc.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <umlnet/umlnet.h>

#include "guest.h"

/* What uml_net explains: "tap0 up with 10.99.0.254/32". The library itself prints nothing. */
static void note(void* user, const char* text) {
  (void)user;
  fputs(text, stderr);
}

/* The library's message is one line that says what to do; uml_net's own words, where there are any, are lines. */
static int fail(const umlnet_error* error) {
  fprintf(stderr, "answer: %s\n%s", error->message, error->helper);
  return 1;
}

/* SIGTERM and SIGINT become something to poll for: none can slip in between a look at a flag and the sleep in poll().
 */
static int stop_fd(void) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, NULL);
  return signalfd(-1, &stop, SFD_CLOEXEC);
}

/* Until it is told to stop, or the device is gone. */
static umlnet_code answer(umlnet_nic* nic, const struct guest* guest, int stop) {
  static unsigned char frame[GUEST_FRAME_MAX];
  struct pollfd fds[] = {{.fd = stop, .events = POLLIN}, {.fd = umlnet_nic_fd(nic), .events = POLLIN}};
  for (;;) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return UMLNET_SYSTEM;
    if (fds[0].revents != 0) return UMLNET_OK;

    /* Whatever poll() says of the device, reading says it better; it never blocks. One frame at a time, so that a flood
     * of them does not hold up the end. */
    size_t size = 0;
    const umlnet_code code = umlnet_nic_read(nic, frame, sizeof frame, &size);
    if (code == UMLNET_AGAIN || code == UMLNET_PROTOCOL) continue; /* none, or one that is none: the next one */
    if (code != UMLNET_OK) return code;
    size = guest_answer(guest, frame, size);
    if (size != 0) umlnet_nic_write(nic, frame, size); /* may be lost, as on any wire: they will ask again */
  }
}

int main(int argc, char** argv) {
  struct guest guest;
  if (argc < 3 || argc > 4 || !guest_init(&guest, argv[2])) {
    fprintf(stderr, "usage: answer SETUP ADDRESS [HELPER]   (answer tuntap,,,10.99.0.254 10.99.0.1)\n");
    return 64;
  }
  umlnet_options options = UMLNET_OPTIONS_INIT;
  options.note = note;
  if (argc == 4) options.helper = argv[3];

  const int stop = stop_fd(); /* before there is anything to clean up */
  if (stop < 0) {
    perror("answer: signalfd");
    return 1;
  }

  umlnet_error error;
  umlnet_nic* nic;
  if (umlnet_nic_new(argv[1], &options, &nic, &error) != UMLNET_OK) return fail(&error);

  /* The address is remembered while the interface is closed, and announced to the host when it opens: all or nothing.
   * The netmask says on which of the host's networks it is published. */
  int status = 0;
  if (umlnet_nic_add_address(nic, argv[2], "24", &error) != UMLNET_OK || umlnet_nic_open(nic, &error) != UMLNET_OK) {
    status = fail(&error);
  } else {
    const umlnet_code code = answer(nic, &guest, stop);
    if (code != UMLNET_OK) {
      fprintf(stderr, "answer: the device %s failed: %s\n", umlnet_nic_device(nic), umlnet_code_name((int)code));
      status = 1;
    }
    /* umlnet_nic_free() would close it too, and could not say what went wrong. */
    if (umlnet_nic_close(nic, &error) != UMLNET_OK) status = fail(&error);
  }
  umlnet_nic_free(nic);
  return status;
}
