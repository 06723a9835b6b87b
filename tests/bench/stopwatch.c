// Times how long programs take to hand over an open device, or to end: from the moment before the process is made to
// the moment at which the descriptor is here. What comes after (the helper's last words, its end, and the end of the
// device, for which the kernel waits some 20 ms or more) is waited for and not counted.
//
//   stopwatch ROUNDS CALLERS [-- NAME UID WAY ARGUMENT... [--after ARGUMENT...]]...
//
// One round starts every contender once, CALLERS processes of it at the same time, in an order that is drawn for each
// round, the same ones at each start of this program: what the one before leaves the kernel to do, the end of a device
// above all, takes time from whoever comes next. WAY is how the descriptor comes:
//   datagram  on fd 1, a datagram socket
//   stream    on the stream socket whose number stands in place of {fd} in an argument
//   exit      not at all: the time is that to the end of the program, whose output goes to /dev/null
// The program runs as UID and that group. `--after` is a command that clears up, as root, and is not timed; {n} in its
// arguments and in the program's is the number of the caller, from 0. On stdout comes one JSON array a run: name,
// round, nanoseconds, peak resident memory in KiB, page faults. The program's stderr is this program's.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMostContenders = 32, kMostCallers = 64, kMostArguments = 64, kPatience = 60000 /* ms */ };

enum way { kDatagram, kStream, kExit };

struct contender {
  const char* name;
  unsigned uid;
  enum way way;
  char **argv, **after;  // NULL: nothing to clear up
};

struct run {
  pid_t pid;
  int ours, received;
  long long started, ended;
  struct rusage usage;
};

static long long now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void die(const char* what, const char* whom) {
  fprintf(stderr, "stopwatch: %s %s: %s\n", what, whom, strerror(errno));
  exit(1);
}

// `text` with {fd} and {n} replaced. Lives until the next argument list is filled in.
static char* filled(const char* text, int fd, int n) {
  static char room[2 * kMostArguments][512];
  static unsigned next;
  const char* place = strstr(text, "{fd}");
  const int number = place != NULL ? fd : n;
  if (place == NULL) place = strstr(text, "{n}");
  if (place == NULL) return (char*)text;
  char* out = room[next++ % (2 * kMostArguments)];
  snprintf(out, sizeof room[0], "%.*s%d%s", (int)(place - text), text, number, strchr(place, '}') + 1);
  return out;
}

static void fill(char** out, char** in, int fd, int n) {
  int i = 0;
  for (; in[i] != NULL && i < kMostArguments; ++i) out[i] = filled(in[i], fd, n);
  out[i] = NULL;
}

// The system calls themselves: the C library's functions would speak for all threads of a process that the child of
// vfork() is not. `inherited` may be -1.
static pid_t spawn(char** argv, unsigned uid, int inherited, int output) {
  const pid_t child = vfork();
  if (child != 0) return child;
  syscall(SYS_setgroups, 0, NULL);
  syscall(SYS_setresgid, uid, uid, uid);
  syscall(SYS_setresuid, uid, uid, uid);
  if (inherited >= 0) fcntl(inherited, F_SETFD, 0);
  dup2(output, STDOUT_FILENO);
  execv(argv[0], argv);
  _exit(127);
}

static void start(const struct contender* who, int n, int nowhere, struct run* run) {
  int ends[2] = {-1, -1};
  char* argv[kMostArguments + 1];
  if (who->way != kExit &&
      socketpair(AF_UNIX, (who->way == kDatagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0, ends) != 0)
    die("no sockets for", who->name);
  fill(argv, who->argv, ends[1], n);
  run->ours = ends[0];
  run->received = -1;
  run->started = now();
  run->pid = spawn(argv, who->uid, who->way == kStream ? ends[1] : -1, who->way == kDatagram ? ends[1] : nowhere);
  if (run->pid < 0) die("cannot start", who->name);
  if (ends[1] >= 0) close(ends[1]);
}

// Takes the descriptor out of the message that has come.
static void receive(const struct contender* who, struct run* run) {
  char bytes[4096];
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec data = {bytes, sizeof bytes};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
  const ssize_t size = recvmsg(run->ours, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  run->ended = now();
  const struct cmsghdr* rights = size > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (rights == NULL || rights->cmsg_type != SCM_RIGHTS) {
    fprintf(stderr, "stopwatch: %s answers without a descriptor: %.*s\n", who->name, size > 0 ? (int)size : 0, bytes);
    exit(1);
  }
  memcpy(&run->received, CMSG_DATA(rights), sizeof run->received);
}

static void finish(const struct contender* who, struct run* run) {
  int status = 0;
  if (wait4(run->pid, &status, 0, &run->usage) != run->pid) die("lost", who->name);
  if (who->way == kExit) run->ended = now();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    fprintf(stderr, "stopwatch: %s ends with status %#x\n", who->name, (unsigned)status);
    exit(1);
  }
}

static void clear_up(const struct contender* who, int callers, struct run* runs, int nowhere) {
  for (int n = 0; n < callers; ++n) {
    if (runs[n].received >= 0) close(runs[n].received);
    if (runs[n].ours >= 0) close(runs[n].ours);
    if (who->after == NULL) continue;
    char* argv[kMostArguments + 1];
    fill(argv, who->after, -1, n);
    const pid_t child = spawn(argv, 0, -1, nowhere);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) die("cannot clear up after", who->name);
  }
}

static void time_one(const struct contender* who, int callers, int round, int nowhere) {
  static struct run runs[kMostCallers];
  struct pollfd waiting[kMostCallers];
  for (int n = 0; n < callers; ++n) start(who, n, nowhere, &runs[n]);
  int open = 0;
  for (int n = 0; n < callers; ++n) {
    waiting[n] = (struct pollfd){runs[n].ours, POLLIN, 0};
    open += runs[n].ours >= 0;
  }
  while (open > 0) {
    if (poll(waiting, (nfds_t)callers, kPatience) <= 0) die("no answer from", who->name);
    for (int n = 0; n < callers; ++n) {
      if (waiting[n].fd < 0 || waiting[n].revents == 0) continue;
      receive(who, &runs[n]);
      waiting[n].fd = -1;
      --open;
    }
  }
  for (int n = 0; n < callers; ++n) finish(who, &runs[n]);
  for (int n = 0; n < callers; ++n)
    printf("[\"%s\", %d, %lld, %ld, %ld]\n", who->name, round, runs[n].ended - runs[n].started, runs[n].usage.ru_maxrss,
           runs[n].usage.ru_minflt);
  clear_up(who, callers, runs, nowhere);
}

static void shuffle(struct contender* contenders, int number) {
  for (int last = number - 1; last > 0; --last) {
    const int drawn = rand() % (last + 1);
    const struct contender moved = contenders[last];
    contenders[last] = contenders[drawn];
    contenders[drawn] = moved;
  }
}

static int usage(void) {
  fputs("stopwatch ROUNDS CALLERS [-- NAME UID datagram|stream|exit ARGUMENT... [--after ARGUMENT...]]...\n", stderr);
  return 64;
}

int main(int argc, char** argv) {
  static struct contender contenders[kMostContenders];
  int number = 0;
  const int rounds = argc > 2 ? atoi(argv[1]) : 0, callers = argc > 2 ? atoi(argv[2]) : 0;
  if (rounds < 1 || callers < 1 || callers > kMostCallers) return usage();
  for (int i = 3; i < argc; ++i) {
    if (strcmp(argv[i], "--") == 0) {
      if (i + 4 >= argc || number == kMostContenders) return usage();
      const char* way = argv[i + 3];
      contenders[number++] = (struct contender){argv[i + 1], (unsigned)atoi(argv[i + 2]),
                                                strcmp(way, "datagram") == 0 ? kDatagram
                                                : strcmp(way, "stream") == 0 ? kStream
                                                                             : kExit,
                                                argv + i + 4, NULL};
      argv[i] = NULL;
      i += 3;
    } else if (strcmp(argv[i], "--after") == 0 && number > 0) {
      contenders[number - 1].after = argv + i + 1;
      argv[i] = NULL;
    }
  }
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (number == 0 || nowhere < 0) return usage();
  for (int round = 0; round < rounds; ++round) {
    shuffle(contenders, number);
    for (int i = 0; i < number; ++i) time_one(&contenders[i], callers, round, nowhere);
    fflush(stdout);
  }
  return 0;
}
