// The filters of the helper.
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/table.h"

namespace umlnet::filters {
namespace {

using namespace fd_number;

const std::vector<std::string_view> kMemory = {"brk", "munmap", "mremap", "madvise"};
const Rule kMappings = {{"mmap"}, {has_no(2, UMLNET_NUMBER(PROT_EXEC))}};

// Waits for messages on its channel, sends frames.
Table announcer() {
  return {.name = "Announcer",
          .rules = {{{"recvfrom"}, {on_fd({kWorkerChannel})}},
                    {{"sendto"}, {on_fd({kWorkerKept})}},
                    {{"clock_gettime", "exit_group", "restart_syscall"}}},
          .for_sanitizers = {"sigaltstack"}};
}

// Copies frames between the TAP and the socket until one of them ends.
Table relay(std::string_view name, bool has_controller) {
  const Condition on_all = is(1, {has_controller ? 3 : 2});
  Table table = {.name = name,
                 .rules = {{{"poll"}, {on_all}},
                           {{"read", "write"}, {on_fd({kRelayTap})}},
                           {{"sendto", "recvfrom"}, {on_fd({kRelayData})}},
                           {{"exit_group", "restart_syscall"}}},
                 .for_sanitizers = {"sigaltstack"}};
  if (has_controller) table.rules.push_back({{"read"}, {on_fd({kRelayController})}});
  return table;
}

// Makes socket pairs and relays, which enter a filter of their own, and rtnetlink sockets of other network namespaces.
Table caller_worker() {
  return {.name = "CallerWorker",
          .rules = {{{"recvmsg", "sendmsg"}, {on_fd({kWorkerChannel})}},
                    {{"poll", "read", "write", "sendto", "recvfrom"}},
                    {{"clone", "set_robust_list", "setsid", "getpid", "gettid", "exit_group", "exit"}},
                    {{"rt_sigprocmask", "rt_sigaction", "rt_sigreturn", "restart_syscall", "futex"}},
                    {{"dup3", "close_range", "close", "prlimit64", "setrlimit", "prctl", "seccomp"}},
                    {kMemory},
                    kMappings,
                    {{"socketpair"}, {is(0, {UMLNET_NUMBER(AF_UNIX)})}},
                    {{"fcntl"}, {is(1, {UMLNET_NUMBER(F_SETFL), UMLNET_NUMBER(F_DUPFD_CLOEXEC)})}},
                    {{"socket"}, {is(0, {UMLNET_NUMBER(AF_NETLINK)})}},
                    {{"ioctl"},
                     {is(1, {UMLNET_NUMBER(NS_GET_NSTYPE), UMLNET_NUMBER(NS_GET_USERNS),
                             UMLNET_NUMBER(NS_GET_OWNER_UID)})}},
                    {{"fstatfs", "setns", "setsockopt"}}},
          .for_sanitizers = {"mmap", "mprotect", "sigaltstack", "openat", "readlink", "sched_yield", "getrandom"}};
}

// Reads what the caller says on stdout or in a message, answers there, writes to stderr, and asks what kind of
// descriptors these are.
Table front(std::string_view name, bool has_named) {
  Table table = {.name = name,
                 .rules = {{{"sendmsg", "recvmsg"}, {on_fd({kFrontChannel, STDOUT_FILENO})}},
                           {{"sendto", "recvfrom"}, {on_fd({STDOUT_FILENO})}},
                           {{"write", "pwritev2"}, {on_fd({STDOUT_FILENO, STDERR_FILENO})}},
                           {{"poll", "fstat", "getsockopt", "getpeername", "close"}},
                           {{"fcntl"}, {is(1, {UMLNET_NUMBER(F_GETFL)})}},
                           {kMemory},
                           kMappings,
                           {{"clock_gettime", "futex", "exit", "exit_group"}},
                           {{"rt_sigreturn", "rt_sigprocmask", "restart_syscall"}}},
                 .for_sanitizers = {"mmap", "mprotect", "sigaltstack", "getpid", "gettid", "rt_sigaction",
                                    "sched_yield", "openat", "read", "prctl", "getrandom"}};
  if (has_named) table.rules.push_back({{"sendmsg"}, {on_fd({kNamed})}});
  return table;
}

}  // namespace

std::vector<Table> tables() {
  return {front("Front", false),       front("FrontWithNamed", true), caller_worker(),
          relay("SessionRelay", true), relay("SealedRelay", false),   announcer()};
}

}  // namespace umlnet::filters
