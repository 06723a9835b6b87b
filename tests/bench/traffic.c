// What the benchmark of the pump sends through it: one TCP stream, datagrams as fast as they go, or one at a time.
//
//   traffic tcp-sink PORT                      accepts one stream, reads it to its end; prints bytes and seconds
//   traffic tcp-source ADDRESS PORT SECONDS    writes for so long, waits until all of it has been read; prints bytes
//   and seconds traffic udp-sink PORT SECONDS              counts datagrams from the first one on; prints how many, and
//   seconds traffic udp-source ADDRESS PORT SIZE SECONDS traffic udp-echo PORT                      sends back what
//   comes, until it is killed traffic udp-ping ADDRESS PORT COUNT        prints the median and the 99th percentile, in
//   microseconds
//
// A sink prints "ready" once it listens. All of it is IPv4.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kPiece = 256 * 1024, kBatch = 64, kPatience = 5 };

static char piece[kPiece];

static void die(const char* doing) {
  fprintf(stderr, "traffic: %s: %s\n", doing, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct sockaddr_in at(const char* address, const char* port) {
  struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  if (inet_pton(AF_INET, address, &result.sin_addr) != 1) die("not an address");
  return result;
}

static int bound(int type, const char* port) {
  struct sockaddr_in here = at("0.0.0.0", port);
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (fd < 0 || bind(fd, (struct sockaddr*)&here, sizeof here) != 0) die("cannot listen");
  if (type == SOCK_STREAM && listen(fd, 1) != 0) die("cannot listen");
  puts("ready");
  fflush(stdout);
  return fd;
}

static int connected(int type, const char* address, const char* port) {
  struct sockaddr_in there = at(address, port);
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr*)&there, sizeof there) != 0) die("cannot connect");
  return fd;
}

// One congestion control on all machines, and none that paces: what is to be measured is the way between.
static void choose_cubic(int fd) { setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5); }

static void set_patience(int fd, long seconds) {
  const struct timeval time = {.tv_sec = seconds};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
}

static void tcp_sink(const char* port) {
  const int listener = bound(SOCK_STREAM, port);
  const int fd = accept(listener, NULL, NULL);
  if (fd < 0) die("cannot accept");
  choose_cubic(fd);
  const double began = now();
  unsigned long long bytes = 0;
  for (ssize_t got; (got = recv(fd, piece, sizeof piece, 0)) != 0; bytes += (unsigned long long)got)
    if (got < 0) die("cannot receive");
  printf("%llu %.6f\n", bytes, now() - began);
}

static void tcp_source(const char* address, const char* port, double seconds) {
  const int fd = connected(SOCK_STREAM, address, port);
  choose_cubic(fd);
  const double began = now();
  unsigned long long bytes = 0;
  while (now() < began + seconds) {
    const ssize_t sent = send(fd, piece, sizeof piece, MSG_NOSIGNAL);
    if (sent < 0) die("cannot send");
    bytes += (unsigned long long)sent;
  }
  // The other side closes once it has all of it.
  shutdown(fd, SHUT_WR);
  while (recv(fd, piece, sizeof piece, 0) > 0) {
  }
  printf("%llu %.6f\n", bytes, now() - began);
}

static void fill(struct mmsghdr* messages, struct iovec* parts, size_t size) {
  for (int i = 0; i < kBatch; ++i) {
    parts[i] = (struct iovec){piece + i * 2048, size};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
  }
}

static void udp_sink(const char* port, double seconds) {
  const int fd = bound(SOCK_DGRAM, port), room = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  set_patience(fd, kPatience);
  struct mmsghdr messages[kBatch];
  struct iovec parts[kBatch];
  fill(messages, parts, 2048);
  unsigned long long count = 0;
  double began = 0, last = 0;
  do {
    const int got = recvmmsg(fd, messages, kBatch, MSG_WAITFORONE, NULL);
    if (got < 0) break;
    last = now();
    if (began == 0) began = last;
    count += (unsigned)got;
  } while (last - began < seconds);
  printf("%llu %.6f\n", count, last - began);
}

static void udp_source(const char* address, const char* port, size_t size, double seconds) {
  const int fd = connected(SOCK_DGRAM, address, port);
  struct mmsghdr messages[kBatch];
  struct iovec parts[kBatch];
  fill(messages, parts, size);
  for (const double end = now() + seconds; now() < end;)
    if (sendmmsg(fd, messages, kBatch, 0) < 0 && errno != ENOBUFS && errno != ECONNREFUSED) die("cannot send");
}

static void udp_echo(const char* port) {
  const int fd = bound(SOCK_DGRAM, port);
  for (;;) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    const ssize_t got = recvfrom(fd, piece, sizeof piece, 0, (struct sockaddr*)&from, &length);
    if (got >= 0) sendto(fd, piece, (size_t)got, 0, (struct sockaddr*)&from, length);
  }
}

static int by_value(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return x < y ? -1 : x > y;
}

static void udp_ping(const char* address, const char* port, int count) {
  const int fd = connected(SOCK_DGRAM, address, port);
  set_patience(fd, 1);
  double* times = calloc((size_t)count, sizeof *times);
  int answered = 0;
  for (int i = -100; i < count; ++i) {  // the first ones also find the neighbour
    const double began = now();
    if (send(fd, &i, sizeof i, 0) < 0) continue;
    int back = 0;
    while (recv(fd, &back, sizeof back, 0) == sizeof back && back != i) {
    }
    if (back == i && i >= 0) times[answered++] = (now() - began) * 1e6;
  }
  if (answered < count / 2) {
    fprintf(stderr, "traffic: %d of %d were answered\n", answered, count);
    exit(1);
  }
  qsort(times, (size_t)answered, sizeof *times, by_value);
  printf("%.2f %.2f\n", times[answered / 2], times[answered / 100 * 99]);
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "tcp-sink") == 0 && argc == 3) {
    tcp_sink(argv[2]);
  } else if (strcmp(what, "tcp-source") == 0 && argc == 5) {
    tcp_source(argv[2], argv[3], atof(argv[4]));
  } else if (strcmp(what, "udp-sink") == 0 && argc == 4) {
    udp_sink(argv[2], atof(argv[3]));
  } else if (strcmp(what, "udp-source") == 0 && argc == 6) {
    udp_source(argv[2], argv[3], (size_t)atoi(argv[4]), atof(argv[5]));
  } else if (strcmp(what, "udp-echo") == 0 && argc == 3) {
    udp_echo(argv[2]);
  } else if (strcmp(what, "udp-ping") == 0 && argc == 5) {
    udp_ping(argv[2], argv[3], atoi(argv[4]));
  } else {
    fprintf(stderr, "traffic: see the beginning of traffic.c\n");
    return 64;
  }
  return 0;
}
