/*
 * two_guests.c: the network side of a VM manager that runs two guests: two interfaces, one event loop.
 *
 *   cc -o two_guests two_guests.c $(pkg-config --cflags --libs libumlnet)
 *   ./two_guests tuntap,,,10.99.0.254 10.99.0.1 tuntap,,,10.98.0.254 10.98.0.1
 *
 * Each guest answers pings. One whose device is taken away is given up, and the other one goes on. Ends at SIGTERM, at
 * Ctrl-C, or when no guest is left; whatever the host was told for the guests is then taken back.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <umlnet/umlnet.h>

#include "guest.h"

enum { VMS = 2, BURST = 64 };

struct vm {
  umlnet_nic* nic; /* NULL: not there (any more) */
  struct guest guest;
  const char* address;
};

/* `user` is the VM that it is about. */
static void note(void* user, const char* text) {
  const struct vm* vm = user;
  fprintf(stderr, "%s: %s", vm->address, text);
}

static void write_error(const struct vm* vm, const umlnet_error* error) {
  fprintf(stderr, "%s: %s\n%s", vm->address, error->message, error->helper);
}

/* 1, or 0 after a message. Nothing is left behind then. */
static int vm_start(struct vm* vm, const char* setup, const char* address, const char* helper) {
  umlnet_options options = UMLNET_OPTIONS_INIT;
  options.helper = helper;
  options.note = note;
  options.user = vm; /* stays where it is as long as the interface lives */
  vm->address = address;

  umlnet_error error;
  if (umlnet_nic_new(setup, &options, &vm->nic, &error) == UMLNET_OK) {
    /* The addresses of a guest come and go while it runs, and each is announced when it comes. Here there is one, and
     * it comes at once. */
    if (umlnet_nic_open(vm->nic, &error) == UMLNET_OK &&
        umlnet_nic_add_address(vm->nic, address, "24", &error) == UMLNET_OK)
      return 1;
    umlnet_nic_free(vm->nic);
    vm->nic = NULL;
  }
  write_error(vm, &error);
  return 0;
}

/* Withdraws the guest's addresses and closes the device. 1, or 0 where something could not be taken back. */
static int vm_stop(struct vm* vm) {
  if (vm->nic == NULL) return 1;
  umlnet_error error;
  const int good = umlnet_nic_close(vm->nic, &error) == UMLNET_OK;
  if (!good) write_error(vm, &error);
  umlnet_nic_free(vm->nic);
  vm->nic = NULL;
  return good;
}

/*
 * Gives the guest what is there for it, and takes its answers. At most BURST frames, so that a guest under load does
 * not starve the other one; poll() comes back at once for the rest. 0: the device is gone.
 */
static int vm_serve(struct vm* vm) {
  static unsigned char frame[GUEST_FRAME_MAX];
  for (int i = 0; i < BURST; ++i) {
    size_t size = 0;
    const umlnet_code code = umlnet_nic_read(vm->nic, frame, sizeof frame, &size);
    if (code == UMLNET_AGAIN) return 1;
    if (code == UMLNET_PROTOCOL) continue; /* no frame that anybody could use */
    if (code != UMLNET_OK) {
      fprintf(stderr, "%s: the device %s failed: %s\n", vm->address, umlnet_nic_device(vm->nic),
              umlnet_code_name(code));
      return 0;
    }
    size = guest_answer(&vm->guest, frame, size);
    /* A device that takes nothing now loses the answer. Waiting for it would hold up the other guest. */
    if (size != 0) umlnet_nic_write(vm->nic, frame, size);
  }
  return 1;
}

/* 0 where nothing went wrong. */
static int run(struct vm vms[VMS], int stop) {
  int failed = 0;
  while (failed < VMS) {
    struct pollfd fds[VMS + 1] = {{.fd = stop, .events = POLLIN}};
    /* poll() leaves out a negative fd, which is what an interface that is not there has. */
    for (int i = 0; i < VMS; ++i) fds[i + 1] = (struct pollfd){.fd = umlnet_nic_fd(vms[i].nic), .events = POLLIN};
    if (poll(fds, VMS + 1, -1) < 0) {
      if (errno == EINTR) continue;
      perror("two_guests: poll");
      return 1;
    }
    if (fds[0].revents != 0) break;
    for (int i = 0; i < VMS; ++i) {
      if (fds[i + 1].revents == 0 || vm_serve(&vms[i])) continue;
      vm_stop(&vms[i]);
      ++failed;
    }
  }
  return failed;
}

int main(int argc, char** argv) {
  static struct vm vms[VMS];
  if ((argc != 5 && argc != 6) || !guest_init(&vms[0].guest, argv[2]) || !guest_init(&vms[1].guest, argv[4])) {
    fprintf(stderr, "usage: two_guests SETUP ADDRESS SETUP ADDRESS [HELPER]\n");
    return 64;
  }
  const char* helper = argc == 6 ? argv[5] : NULL;

  /* SIGTERM and SIGINT become something to poll for, before there is anything to clean up. */
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  const int stop = signalfd(-1, &signals, SFD_CLOEXEC);
  if (stop < 0) {
    perror("two_guests: signalfd");
    return 1;
  }

  /* Both or none. */
  int status = 1;
  if (vm_start(&vms[0], argv[1], argv[2], helper) && vm_start(&vms[1], argv[3], argv[4], helper))
    status = run(vms, stop) != 0;
  for (int i = VMS - 1; i >= 0; --i)
    if (!vm_stop(&vms[i])) status = 1;
  return status;
}
