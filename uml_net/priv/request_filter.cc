#include "uml_net/priv/request_filter.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "libumlnet/core/system_calls.h"
#include "uml_net/priv/network_namespace.h"
#include "uml_net/priv/tun.h"

namespace umlnet::priv {
namespace {

using ArgMatch = SeccompFilter::ArgMatch;

constexpr int kMemory[] = {SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise};
constexpr int kCapability[] = {SYS_capget, SYS_capset};
constexpr int kEnd[] = {SYS_close, SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_restart_syscall};
constexpr int kTime[] = {SYS_clock_gettime, SYS_futex};

#ifdef UMLNET_SANITIZED
// What the sanitizers' own run-time asks for. Not in a release build.
constexpr int kSanitizer[] = {SYS_mmap,     SYS_mprotect,    SYS_sigaltstack, SYS_getpid, SYS_gettid, SYS_rt_sigaction,
                              kSysReadlink, SYS_sched_yield, SYS_openat,      SYS_read,   SYS_prctl,  SYS_getrandom};
#endif

}  // namespace

SeccompFilter request_filter(const RequestFilterFds& fds) {
  SeccompFilter filter;
  const auto on = [](int fd) { return ArgMatch::equals_int(0, static_cast<std::uint32_t>(fd)); };
  filter.allow_each(kMemory).allow_each(kCapability).allow_each(kEnd).allow_each(kTime);
  filter.allow(SYS_mmap, {ArgMatch::has_none_of(2, PROT_EXEC)});
  for (const int tun : fds.tuns)
    for (const auto request : kTunRequests) filter.allow(SYS_ioctl, {on(tun), ArgMatch::equals_int(1, request)});
  filter.allow_on_fd(SYS_sendto, fds.rtnetlink).allow_on_fd(SYS_recvfrom, fds.rtnetlink);
  filter.allow_on_fd(SYS_sendmsg, fds.front).allow_on_fd(SYS_recvmsg, fds.front);
  const auto is_front = ArgMatch::equals_int(0, static_cast<std::uint32_t>(fds.front_pid));
  filter.allow(SYS_kill, {is_front, ArgMatch::equals_int(1, SIGKILL)}).allow(SYS_wait4, {is_front});
  filter.allow(SYS_wait4, {ArgMatch::equals_int(0, static_cast<std::uint32_t>(fds.recorder_pid))});
  filter.allow_on_fd(SYS_sendmsg, fds.recorder).allow_on_fd(SYS_recvmsg, fds.recorder);
  filter.allow(SYS_fstat);
  filter.allow_on_fd(SYS_sendto, fds.target_namespace).allow_on_fd(SYS_recvfrom, fds.target_namespace);
  filter.allow_on_fd(SYS_sendmsg, fds.caller_worker).allow_on_fd(SYS_recvmsg, fds.caller_worker);
  filter.allow_on_fd(SYS_sendmsg, fds.announcer);
  if (fds.session || fds.native_session) filter.allow(SYS_pread64);  // the files of a new policy
  if (fds.session) {
    const SessionFds& session = *fds.session;
    filter.allow_poll({ArgMatch::equals_int(1, kSessionPollFds)});
    filter.allow_on_fd(SYS_recvfrom, session.relay).allow_on_fd(SYS_sendto, session.relay);
    filter.allow_on_fd(SYS_recvfrom, session.watch).allow_on_fd(SYS_sendto, session.watch);
    filter.allow_on_fd(SYS_recvfrom, session.monitor);
    const auto is_relay = ArgMatch::equals_int(0, static_cast<std::uint32_t>(session.relay_pid));
    filter.allow(SYS_kill, {is_relay, ArgMatch::equals_int(1, SIGKILL)});
    filter.allow(SYS_wait4, {is_relay});
  }
  if (fds.native_session) {
    filter.allow_poll({ArgMatch::equals_int(1, kNativeSessionPollFds)});
    filter.allow(SYS_sendto).allow(SYS_recvfrom);
    for (const auto request : kTunRequests) filter.allow(SYS_ioctl, {ArgMatch::equals_int(1, request)});
    for (const auto request : kNamespaceRequests) filter.allow(SYS_ioctl, {ArgMatch::equals_int(1, request)});
    filter.allow(SYS_fstatfs);
    filter.allow(SYS_fcntl, {ArgMatch::equals_int(1, F_DUPFD_CLOEXEC), ArgMatch::equals(2, kFirstForeignFd)});
  }
#ifdef UMLNET_SANITIZED
  filter.allow_each(kSanitizer);
#endif
  return filter;
}

}  // namespace umlnet::priv
