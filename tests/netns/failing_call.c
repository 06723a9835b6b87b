/*
 * Runs a program in which one system call of a kind fails, though the kernel would have done it:
 *
 *   failing-call KIND N ERRNO UID REPORT PROGRAM [ARGUMENT...]
 *
 * The N-th call (from 1) of KIND that the program and its children make returns ERRNO (a number) and does nothing; all
 * other calls go on. N of 0 only counts. The program runs as UID, real and effective, with no supplementary group, and
 * gains what its file's set-user-ID bit or capabilities give, as from any caller. REPORT (a path) gets one line: how
 * many calls of the kind there were, and the name of the one that failed, or "-".
 *
 *   any       every system call of the program itself from the first capget() on, with which uml_net's own work begins;
 *             but the ends of processes and of signal handlers
 *   front     the same of the first process that it makes, from that one's beginning
 *   netlink   sendto() to a netlink socket: each request to rtnetlink
 *   answer    recvfrom() with room for an address: each answer of rtnetlink. It stays where it is; the request is done
 *   tun       the ioctls of the TUN/TAP driver
 *   reply     what sends or writes on fd 1
 *   audit     what writes to the audit log
 *
 *   trace     none; instead REPORT gets a line for each call of the program, before it is made: its number, its first
 *             argument, and of the process that makes it: real, effective and saved uid, CapPrm, CapEff, NoNewPrivs,
 *             how many seccomp filters, how many open descriptors, its pid
 *
 * How: a seccomp filter sends each call to this process, which looks at it and says how it goes on
 * (seccomp_unotify(2)). A filter may be put on without no_new_privs, which would take a set-user-ID bit's meaning
 * away, by who has CAP_SYS_ADMIN: so it is root that calls this, and the filter comes before the change of identity.
 * Ends with the program's own exit status, or 128 and the signal's number.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kNetlinkAddressSize = 12 /* sizeof(struct sockaddr_nl) */, kTunIoctls = 'T', kBroken = 125 };

struct shared {
  atomic_int listener; /* its number in the child; -1: not yet */
  atomic_int taken;    /* the parent has a copy */
};

static _Noreturn void die(const char* what) {
  fprintf(stderr, "failing-call: %s: %s\n", what, strerror(errno));
  _exit(kBroken);
}

/* Calls that are never failed: there is no going on from a failure of these. */
static int is_an_end(int number) {
  return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn;
}

static int is_fd_of(pid_t pid, unsigned long long fd, const char* suffix) {
  char link[64], target[4096];
  snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, (int)fd);
  const ssize_t size = readlink(link, target, sizeof target - 1);
  if (size < 0) return 0;
  target[size] = '\0';
  const size_t length = strlen(suffix);
  return (size_t)size >= length && strcmp(target + size - length, suffix) == 0;
}

static int is_of_kind(const char* kind, const struct seccomp_notif* call) {
  const int number = call->data.nr;
  const unsigned long long* args = (const unsigned long long*)call->data.args;
  if (strcmp(kind, "trace") == 0) return 0;
  if (strcmp(kind, "any") == 0 || strcmp(kind, "front") == 0) return !is_an_end(number);
  if (strcmp(kind, "netlink") == 0) return number == SYS_sendto && args[5] == kNetlinkAddressSize;
  if (strcmp(kind, "answer") == 0) return number == SYS_recvfrom && args[4] != 0;
  if (strcmp(kind, "tun") == 0) return number == SYS_ioctl && ((args[1] >> 8) & 0xff) == kTunIoctls;
  const int writes = number == SYS_write || number == SYS_pwritev2;
  if (strcmp(kind, "reply") == 0)
    return (writes || number == SYS_sendmsg || number == SYS_sendto) && args[0] == STDOUT_FILENO;
  return writes && is_fd_of((pid_t)call->pid, args[0], "/audit.jsonl");
}

static void trace(FILE* report, const struct seccomp_notif* call) {
  static const char* const kFields[] = {"Uid:", "CapPrm:", "CapEff:", "NoNewPrivs:", "Seccomp_filters:"};
  char path[64], line[512];
  snprintf(path, sizeof path, "/proc/%d/status", (int)call->pid);
  FILE* status = fopen(path, "re");
  if (status == NULL) return; /* it has been killed meanwhile */
  fprintf(report, "%d %llu", call->data.nr, (unsigned long long)call->data.args[0]);
  while (fgets(line, sizeof line, status) != NULL)
    for (size_t i = 0; i < sizeof kFields / sizeof *kFields; ++i)
      if (strncmp(line, kFields[i], strlen(kFields[i])) == 0) {
        char real[32], effective[32], saved[32];
        const int words = sscanf(line + strlen(kFields[i]), "%31s %31s %31s", real, effective, saved);
        fprintf(report, " %s", real);
        if (words == 3) fprintf(report, " %s %s", effective, saved);
      }
  fclose(status);
  snprintf(path, sizeof path, "/proc/%d/fd", (int)call->pid);
  DIR* open_fds = opendir(path);
  int count = 0;
  while (open_fds != NULL && readdir(open_fds) != NULL) ++count;
  if (open_fds != NULL) closedir(open_fds);
  fprintf(report, " %d %d\n", count - 2, (int)call->pid);
}

/* Everything but what this process itself does between the filter and execve(), which is nothing that is counted. */
static int put_filter_on(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_yield, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  };
  const struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
  return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
}

static _Noreturn void become(struct shared* shared, uid_t uid, char** argv) {
  atomic_store(&shared->listener, put_filter_on());
  while (!atomic_load(&shared->taken)) sched_yield();
  /* From here on each call is seen by the parent, which lets it pass until execve(). */
  if (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) die("identity");
  execv(argv[0], argv);
  die(argv[0]);
}

static int take_listener(struct shared* shared, pid_t child) {
  int number;
  while ((number = atomic_load(&shared->listener)) == -1) sched_yield();
  if (number < 0) die("seccomp (is this root?)");
  const int process = (int)syscall(SYS_pidfd_open, child, 0);
  const int listener = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, number, 0);
  if (listener < 0) die("cannot take the filter's listener");
  close(process);
  atomic_store(&shared->taken, 1);
  return listener;
}

/* The first process that `program` made: others may come to their first call before it. The kernel's list may miss some
 * of those that come and go, so it is asked until it has one. */
static pid_t first_child(pid_t program) {
  char path[64];
  int child = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)program, (int)program);
  for (int tries = 0; tries < 1000 && child == 0; ++tries) {
    FILE* children = fopen(path, "re");
    if (children == NULL) return 0;
    if (fscanf(children, "%d", &child) != 1) child = 0;
    fclose(children);
  }
  return (pid_t)child;
}

/* Answers until the last process with the filter has ended. */
static void supervise(int listener, pid_t program, const char* kind, long fail_at, int error, FILE* report, long* count,
                      int* failed) {
  const int tracing = strcmp(kind, "trace") == 0, any = strcmp(kind, "any") == 0;
  int started = 0, working = !any; /* execve() was seen; and what else `kind` begins with */
  pid_t only = any ? program : 0;  /* of which process the calls count; 0: of all */
  for (;;) {
    struct pollfd poll_listener = {.fd = listener, .events = POLLIN};
    if (poll(&poll_listener, 1, -1) < 0) continue;
    if ((poll_listener.revents & POLLIN) == 0) return;
    struct seccomp_notif call;
    memset(&call, 0, sizeof call);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue; /* the process has been killed meanwhile */
    struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    if (started && call.data.nr == SYS_capget) working = 1;
    if (strcmp(kind, "front") == 0 && only == 0) {
      if ((pid_t)call.pid == program)
        working = 0;
      else if ((pid_t)call.pid == first_child(program))
        working = started, only = (pid_t)call.pid;
    }
    if (started && working && (only == 0 || (pid_t)call.pid == only) && is_of_kind(kind, &call) &&
        ++*count == fail_at) {
      *failed = call.data.nr;
      answer.flags = 0;
      answer.error = -error;
    }
    if (started && tracing) trace(report, &call);
    if (call.data.nr == SYS_execve) started = 1;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

int main(int argc, char** argv) {
  if (argc < 7) {
    fprintf(stderr, "failing-call KIND N ERRNO UID REPORT PROGRAM [ARGUMENT...]\n");
    return kBroken;
  }
  struct shared* shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) die("mmap");
  atomic_store(&shared->listener, -1);
  FILE* report = fopen(argv[5], "we");
  if (report == NULL) die(argv[5]);
  const pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    become(shared, (uid_t)atoi(argv[4]), argv + 6);
  }
  const int listener = take_listener(shared, child);
  /* What the program was given is the program's alone: its end is to show. */
  for (int fd = 0; fd < 1024; ++fd)
    if (fd != listener && fd != fileno(report) && fd != STDERR_FILENO) close(fd);
  long count = 0;
  int failed = -1;
  supervise(listener, child, argv[1], atol(argv[2]), atoi(argv[3]), report, &count, &failed);
  if (strcmp(argv[1], "trace") != 0) fprintf(report, "%ld %d\n", count, failed);
  fclose(report);
  int status;
  if (waitpid(child, &status, 0) != child) die("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
