/*
 * two_queues.c: one call for a TAP device with two queues, an IPv4 and an IPv6 address of the host's, and a guard: the
 * guest cannot send from another address than its own. The guest answers pings from whichever queue they come.
 *
 *   cc -o two_queues two_queues.c $(pkg-config --cflags --libs libumlnet)
 *   ./two_queues 10.99.0.254/24 fd00:99::1/64 10.99.0.1
 *
 * Ends at SIGTERM, and at Ctrl-C; the device goes with its descriptors.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <umlnet/umlnet.h>
#include <unistd.h>

#include "guest.h" /* what the guest says to a frame */

static void note(void* user, const char* text) { fputs(text, user); }

int main(int argc, char** argv) {
  struct guest guest;
  if (argc < 4 || !guest_init(&guest, argv[3]))
    return fputs("usage: two_queues HOST/LENGTH HOST6/LENGTH GUEST [HELPER]\n", stderr), 64;
  char mac[18];
  const unsigned char* m = guest.mac;
  snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);

  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigaddset(&stop, SIGINT);
  sigprocmask(SIG_BLOCK, &stop, NULL);

  const char* const addresses[] = {argv[1], argv[2], NULL};
  const char* const guests[] = {argv[3], NULL};
  umlnet_device_request request = UMLNET_DEVICE_REQUEST_INIT;
  request.addresses = addresses;
  request.guests = guests;
  request.queues = 2;
  request.anti_spoof = 1;
  request.guest_mac = mac;
  umlnet_options options = {sizeof options, argc > 4 ? argv[4] : NULL, 0, note, stderr};
  umlnet_device* device = NULL;
  umlnet_error error;
  if (umlnet_device_open(&request, &options, &device, &error) != UMLNET_OK) /* all of it, or nothing */
    return fprintf(stderr, "two_queues: %s\n%s", error.message, error.helper), 1;

  static unsigned char frame[GUEST_FRAME_MAX];
  struct pollfd fds[] = {{umlnet_device_fd(device, 0), POLLIN, 0},
                         {umlnet_device_fd(device, 1), POLLIN, 0},
                         {signalfd(-1, &stop, SFD_CLOEXEC), POLLIN, 0}};
  while (poll(fds, 3, -1) >= 0 && fds[2].revents == 0)
    for (int queue = 0; queue < 2; ++queue) {
      const ssize_t size = fds[queue].revents != 0 ? read(fds[queue].fd, frame, sizeof frame) : 0;
      const size_t answer = size > 0 ? guest_answer(&guest, frame, (size_t)size) : 0;
      if (answer != 0 && write(fds[queue].fd, frame, answer) < 0) perror("two_queues: write");
    }
  umlnet_device_free(device);
  return 0;
}
