// The loop that the pump is measured against: waits, moves one frame, waits again. It is what one writes first, and
// what uml_switch and the relay of the 2007 uml_net are. No offloads, no sandbox, nothing counted.
//
//   naive_relay KIND FD KIND FD    KIND is tap, stream (4 bytes of length, big-endian, before each frame) or ethertap
//                                  (datagrams, 2 bytes before each frame); FD is inherited
//
// Ends when an end does.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kLongest = 65536 };

typedef struct End {
  enum { TAP, STREAM, ETHERTAP } kind;
  int fd;
} End;

static unsigned char frame[kLongest];

// Reads all, where a stream brings it in parts. 0 at its end.
static int read_whole(int fd, void* to, size_t size) { return recv(fd, to, size, MSG_WAITALL) == (ssize_t)size; }

static size_t read_frame(const End* end) {
  ssize_t size = 0;
  uint32_t length = 0;
  unsigned char padding[2];
  struct iovec parts[2] = {{padding, 2}, {frame, sizeof frame}};
  switch (end->kind) {
    case TAP: size = read(end->fd, frame, sizeof frame); break;
    case ETHERTAP: size = readv(end->fd, parts, 2) - 2; break;
    case STREAM:
      if (!read_whole(end->fd, &length, sizeof length)) exit(0);
      size = ntohl(length);
      if (size > kLongest || !read_whole(end->fd, frame, (size_t)size)) exit(0);
      break;
  }
  if (size < 0 && errno != EAGAIN) exit(0);
  return size > 0 ? (size_t)size : 0;
}

static void write_frame(const End* end, size_t size) {
  const uint32_t length = htonl((uint32_t)size);
  const unsigned char padding[2] = {0, 0};
  struct iovec parts[2] = {{(void*)&length, sizeof length}, {frame, size}};
  switch (end->kind) {
    case TAP: (void)!write(end->fd, frame, size); break;
    case ETHERTAP:
      parts[0] = (struct iovec){(void*)padding, 2};
      if (writev(end->fd, parts, 2) < 0 && errno != ENOBUFS) exit(0);
      break;
    case STREAM:
      for (size_t left = sizeof length + size; left != 0;) {
        const ssize_t sent = writev(end->fd, parts, 2);
        if (sent <= 0) exit(0);
        left -= (size_t)sent;
        for (size_t i = 0, over = (size_t)sent; i < 2; ++i) {
          const size_t gone = over < parts[i].iov_len ? over : parts[i].iov_len;
          parts[i].iov_base = (char*)parts[i].iov_base + gone;
          parts[i].iov_len -= gone;
          over -= gone;
        }
      }
      break;
  }
}

static End end_of(char** words) {
  const End end = {words[0][0] == 't' ? TAP : words[0][0] == 's' ? STREAM : ETHERTAP, atoi(words[1])};
  return end;
}

int main(int argc, char** argv) {
  if (argc != 5) return 64;
  const End ends[2] = {end_of(argv + 1), end_of(argv + 3)};
  const int selects = ends[0].kind == ETHERTAP || ends[1].kind == ETHERTAP;  // as uml_net did
  for (;;) {
    int ready[2];
    if (selects) {
      fd_set set;
      FD_ZERO(&set);
      FD_SET(ends[0].fd, &set);
      FD_SET(ends[1].fd, &set);
      if (select((ends[0].fd > ends[1].fd ? ends[0].fd : ends[1].fd) + 1, &set, NULL, NULL, NULL) < 0) return 1;
      for (int i = 0; i < 2; ++i) ready[i] = FD_ISSET(ends[i].fd, &set);
    } else {
      struct pollfd polls[2] = {{ends[0].fd, POLLIN, 0}, {ends[1].fd, POLLIN, 0}};
      if (poll(polls, 2, -1) < 0) return 1;
      for (int i = 0; i < 2; ++i) ready[i] = polls[i].revents != 0;
    }
    for (int i = 0; i < 2; ++i) {
      if (!ready[i]) continue;
      const size_t size = read_frame(&ends[i]);
      if (size != 0) write_frame(&ends[1 - i], size);
    }
  }
}
