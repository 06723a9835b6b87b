#include "libumlnet/client/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "libumlnet/core/close_fds.h"
#include "libumlnet/core/seccomp_filter.h"
#include "libumlnet/core/system_calls.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::client {
namespace {

// The system call that dies_of_a_system_call() ends with: the filter kills on it.
constexpr int kDeath = SYS_rt_sigreturn;

#ifdef UMLNET_SANITIZED
// What the sanitizers' own run-time asks for. Not in a release build.
constexpr int kSanitizer[] = {SYS_sigaltstack, SYS_mmap, SYS_munmap, SYS_madvise, SYS_sched_yield};
#endif

// Of an argument that the kernel takes as an int or an unsigned int, and whose upper half it ignores.
scmp_arg_cmp is(unsigned argument, unsigned value) { return {argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value}; }
scmp_arg_cmp on(int fd) { return is(0, static_cast<unsigned>(fd)); }
scmp_arg_cmp is_null(unsigned argument) { return {argument, SCMP_CMP_EQ, 0, 0}; }

// In no memory of the heap: who frees that makes system calls, which the filter forbids.
struct Program {
  std::array<sock_filter, 512> lines;
  std::size_t size;
};

// The filter while it is put together. The first call that fails fails program().
class PumpFilter {
 public:
  explicit PumpFilter(const SandboxFds& fds) : context_(seccomp_init(SCMP_ACT_TRAP), seccomp_release) {
    if (!context_) return;
    error_ = seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    add(SCMP_ACT_KILL_PROCESS, kDeath);
    allow_poll(fds.count());
    allow_end(fds.a);
    allow_end(fds.b);
    allow(SYS_read, {on(fds.stop)});
    if (fds.channel >= 0) allow(SYS_sendto, {on(fds.channel)});
    if (fds.capture_kind != CaptureKind::none)
      allow(fds.capture_kind == CaptureKind::socket ? SYS_sendto : SYS_write, {on(fds.capture)});
    if (fds.capture_kind == CaptureKind::pipe || fds.capture_kind == CaptureKind::socket) allow_poll(1);
    for (const int call : {SYS_clock_gettime, SYS_sched_yield, SYS_exit_group, SYS_restart_syscall}) allow(call);
#ifdef UMLNET_SANITIZED
    for (const int call : kSanitizer) allow(call);
#endif
  }

  Outcome<Program> program() const {
    const auto failed = [](int error) { return failed_errno(error, "cannot make the seccomp filter", UMLNET_SANDBOX); };
    if (error_ != 0) return failed(-error_);
    const unique_fd file(::memfd_create("umlnet-filter", MFD_CLOEXEC));
    if (!file) return failed(errno);
    if (const int error = seccomp_export_bpf(context_.get(), file.get()); error != 0) return failed(-error);
    Program program;
    const ssize_t size = ::pread(file.get(), program.lines.data(), sizeof program.lines, 0);
    if (size <= 0 || size == sizeof program.lines) return failed(size < 0 ? errno : E2BIG);
    program.size = static_cast<std::size_t>(size) / sizeof program.lines[0];
    return program;
  }

 private:
  void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    if (error_ == 0)
      error_ = seccomp_rule_add_exact_array(context_.get(), action, call, static_cast<unsigned>(conditions.size()),
                                            conditions.begin());
  }
  void allow(int call, std::initializer_list<scmp_arg_cmp> conditions = {}) { add(SCMP_ACT_ALLOW, call, conditions); }

  void allow_poll(unsigned fds) {
    kPollIsPpoll ? allow(kSysPoll, {is(1, fds), is_null(3)})  // the signal mask stays
                 : allow(kSysPoll, {is(1, fds)});
  }

  void allow_end(const EndConfig& end) {
    const auto fd = on(end.fd), no_address = is_null(4);
    switch (end.framing) {
      case UMLNET_TAP:
        allow(end.vnet_hdr != 0 ? SYS_readv : SYS_read, {fd});
        allow(SYS_write, {fd});
        if (end.vnet_hdr != 0) allow(SYS_writev, {fd});
        return;
      case UMLNET_STREAM: allow(SYS_recvfrom, {fd, is(3, MSG_DONTWAIT), no_address}); break;
      default: allow(SYS_recvmmsg, {fd, is(3, MSG_DONTWAIT), no_address}); break;  // 4: the timeout
    }
    allow(SYS_sendto, {fd, is(3, MSG_DONTWAIT | MSG_NOSIGNAL), no_address});
  }

  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  int error_ = -ENOMEM;
};

std::atomic<Violation*> where_violations_go = nullptr;

void dies_of_a_system_call(int /*signal*/, siginfo_t* info, void* /*context*/) {
  if (Violation* violation = where_violations_go.load()) {
    violation->arch = info->si_arch;
    violation->number = info->si_syscall;
    violation->happened = 1;
  }
  for (;;) ::syscall(kDeath);
}

std::unexpected<Failure> refused(const char* what) { return failed_errno(errno, what, UMLNET_SANDBOX); }

// Whether this is the process's only thread.
Outcome<bool> is_alone() {
  // Changes nothing, and fails where there is another thread.
  if (::unshare(CLONE_THREAD) == 0) return true;
  if (errno == EINVAL) return false;
  // Containers forbid unshare() altogether. The directory has a subdirectory a thread, beside its own two links.
  struct stat tasks{};
  if (::stat("/proc/self/task", &tasks) != 0) return refused("cannot count the threads of the process");
  return tasks.st_nlink == 3;
}

Outcome<void> check_alone() {
  const auto alone = is_alone();
  if (!alone) return std::unexpected(alone.error());
  if (!*alone) return failed(UMLNET_STATE, "a process with several threads cannot enter the pump's sandbox");
  return {};
}

// A process outside of the sandbox that works on the same memory (clone with CLONE_VM; vfork) would do what is written
// there for it. The library's own (watcher.h) ends once the descriptors are closed, which takes a moment.
Outcome<void> wait_for_memory_of_its_own() {
  constexpr int kPatience = 1000;  // milliseconds
  for (int waited = 0; ::unshare(CLONE_VM) != 0; ++waited) {
    if (errno != EINVAL) return {};  // unshare() is forbidden, and nobody can tell
    if (waited == kPatience)
      return failed(UMLNET_SANDBOX, "another process works on the memory of this one, and would stay outside");
    ::poll(nullptr, 0, 1);
  }
  return {};
}

Outcome<void> settle_signals(Violation& violation) {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action{};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    ::signal(signal, SIG_DFL);
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  where_violations_go = &violation;
  struct sigaction action{};
  action.sa_sigaction = dies_of_a_system_call;
  action.sa_flags = SA_SIGINFO;
  sigfillset(&action.sa_mask);
  sigset_t trap;
  sigemptyset(&trap);
  sigaddset(&trap, SIGSYS);
  if (::sigaction(SIGSYS, &action, nullptr) != 0 || ::sigprocmask(SIG_UNBLOCK, &trap, nullptr) != 0)
    return refused("cannot handle SIGSYS");
  return {};
}

Outcome<void> drop_capabilities() {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  // Up to the last that the kernel knows, or not at all without CAP_SETPCAP. Nothing is ever executed.
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return refused("cannot drop capabilities");
  return {};
}

Outcome<void> lower_limits(const SandboxFds& fds) {
  struct Limit {
    __rlimit_resource_t resource;
    rlim_t most;
  };
  const Limit limits[] = {
      {RLIMIT_NOFILE, fds.count()},  // poll() takes no more than that, and wants as many
      {RLIMIT_NPROC, 0},
      {RLIMIT_CORE, 0},
      {RLIMIT_MEMLOCK, 0},
      {RLIMIT_MSGQUEUE, 0},
      {RLIMIT_SIGPENDING, 0},
      {RLIMIT_NICE, 0},
      {RLIMIT_RTPRIO, 0},
      {RLIMIT_FSIZE, fds.capture_kind == CaptureKind::file ? RLIM_INFINITY : 0},
  };
  for (const auto& [resource, most] : limits) {
    rlimit limit{};
    if (most == RLIM_INFINITY) continue;
    if (::getrlimit(resource, &limit) != 0) return refused("cannot read a resource limit");
    if (limit.rlim_cur <= most && limit.rlim_max <= most) continue;
    limit = {most, most};
    if (::setrlimit(resource, &limit) != 0) return refused("cannot lower a resource limit");
  }
  return {};
}

}  // namespace

Outcome<void> enter_sandbox(const SandboxFds& fds, Violation& violation, const std::function<void()>& last) {
  if (auto alone = check_alone(); !alone) return alone;
  const auto filter = PumpFilter(fds).program();
  if (!filter) return std::unexpected(filter.error());

  const std::array<int, 6> all = {fds.a.fd, fds.b.fd, fds.stop, fds.capture, fds.channel, fds.owner};
  std::vector<int> kept;
  for (const int fd : all)
    if (fd >= 0) kept.push_back(fd);
  if (auto closed = close_fds_from(0, kept); !closed) return failed_by(UMLNET_SANDBOX, closed.error());
  if (auto own = wait_for_memory_of_its_own(); !own) return own;

  if (auto settled = settle_signals(violation); !settled) return settled;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return refused("cannot give up new privileges");
  if (auto dropped = drop_capabilities(); !dropped) return dropped;
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return refused("cannot become undumpable");
  if (last) last();
  if (auto lowered = lower_limits(fds); !lowered) return lowered;
  if (auto entered = enter_seccomp_filter(std::span(filter->lines).first(filter->size), FilteredThreads::all); !entered)
    return failed_by(UMLNET_SANDBOX, entered.error());
  return {};
}

}  // namespace umlnet::client
