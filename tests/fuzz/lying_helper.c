/* A helper that answers what the fuzzer says, from the file that is named as the program and ".answer":
 *
 *   byte 0  its exit status; 255: it dies of a signal
 *   byte 1  how many descriptors it sends, modulo 9
 *   byte 2  1: it complains on stderr with the same words
 *   then    steps of one byte, the length, and that many bytes: the first is sent at once, each other one in answer to
 *           something that was read; where nothing comes for a while, it ends
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMostFds = 8, kHead = 3, kMostAnswer = 65536, kPatience = 10 /* milliseconds */ };

static unsigned char answer[kMostAnswer];

static void send_step(const unsigned char* bytes, size_t size, int fds) {
  union {
    char room[CMSG_SPACE(sizeof(int) * kMostFds)];
    struct cmsghdr align;
  } control;
  struct iovec iov = {.iov_base = (void*)bytes, .iov_len = size};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
  if (fds > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.room;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)fds);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)fds);
    for (int i = 0; i < fds; ++i) memcpy(CMSG_DATA(header) + sizeof(int) * (size_t)i, &(int){0}, sizeof(int));
  }
  if (sendmsg(STDOUT_FILENO, &message, MSG_NOSIGNAL) < 0 && write(STDOUT_FILENO, bytes, size) < 0) _exit(99);
}

int main(int argc, char** argv) {
  char path[PATH_MAX];
  if (argc < 1 || snprintf(path, sizeof path, "%s.answer", argv[0]) >= (int)sizeof path) return 98;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t size = file < 0 ? -1 : read(file, answer, sizeof answer);
  if (size < kHead) return 97;
  int fds = answer[1] % (kMostFds + 1);
  for (ssize_t at = kHead; at < size;) {
    const ssize_t left = size - at - 1, wanted = answer[at];
    const ssize_t length = wanted < left ? wanted : left;
    if (at > kHead) {
      char record[64];
      struct pollfd in = {.fd = STDOUT_FILENO, .events = POLLIN};
      if (poll(&in, 1, kPatience) <= 0 || read(STDOUT_FILENO, record, sizeof record) <= 0) break;
    }
    send_step(answer + at + 1, (size_t)length, fds);
    if ((answer[2] & 1) != 0 && write(STDERR_FILENO, answer + at + 1, (size_t)length) < 0) return 96;
    fds = 0;
    at += 1 + length;
  }
  if (answer[0] == 255) raise(SIGKILL);
  return answer[0];
}
