// The filters of the helper.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <linux/wait.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <initializer_list>
#include <utility>

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

// The executor.

const Condition kTunRequests = is(1, {UMLNET_NUMBER(TUNSETIFF), UMLNET_NUMBER(TUNSETOWNER), UMLNET_NUMBER(TUNSETGROUP),
                                      UMLNET_NUMBER(TUNSETPERSIST), UMLNET_NUMBER(SIOCGIFHWADDR)});

// Descriptors from `first`, a power of two, to twice that.
Condition on_octave(unsigned first) { return {0, UINT32_MAX - (first - 1), {first}}; }

// What each executor does: memory that is not executable, time, its end; capset; rtnetlink; messages to its processes,
// and their end; the descriptors of /dev/net/tun are each variant's own. No open, no file, no socket, no execve, no
// fork, no other ioctl, no file system.
Table executor(std::string_view name) {
  const Condition is_child = is(0, {UMLNET_NUMBER(P_PIDFD)});
  return {.name = name,
          .rules = {{kMemory},
                    kMappings,
                    {{"capget", "capset"}},
                    {{"close", "exit", "exit_group", "rt_sigreturn", "rt_sigprocmask", "restart_syscall"}},
                    {{"clock_gettime", "futex", "fstat"}},
                    {{"sendto", "recvfrom"}, {on_fd({kRtnetlink})}},
                    {{"sendmsg", "recvmsg"}, {on_fd({kFront, kRecorder})}},
                    {{"sendmsg"}, {on_fd({kAnnouncer})}},
                    {{"waitid"}, {is_child, is(1, {kFrontPidfd, kRecorderPidfd})}},
                    {{"pidfd_send_signal"},
                     {on_fd({kFrontPidfd}), is(1, {UMLNET_NUMBER(SIGKILL)}), is_null(2), is(3, {0})}}},
          .for_sanitizers = {"mmap", "mprotect", "sigaltstack", "getpid", "gettid", "rt_sigaction", "readlink",
                             "sched_yield", "openat", "read", "prctl", "getrandom"}};
}

Table with(Table table, std::initializer_list<Rule> more) {
  table.rules.insert(table.rules.end(), more);
  return table;
}

// The files of a new policy, of which a session gets the descriptors.
const Rule kReload = {{"pread64"}};
const Rule kCallersWorker = {{"sendmsg", "recvmsg"}, {on_fd({kCallerWorker})}};

Table one_shot() { return with(executor("OneShot"), {{{"ioctl"}, {on_fd({kTun}), kTunRequests}}}); }

// A call that may want several queues, a relay, or another network namespace.
Table one_shot_open() {
  return with(executor("OneShotOpen"), {{{"ioctl"}, {on_octave(16), kTunRequests}},
                                        {{"ioctl"}, {on_octave(32), kTunRequests}},
                                        {{"ioctl"}, {on_octave(64), kTunRequests}},
                                        {{"sendto", "recvfrom"}, {on_fd({kTargetNamespace})}},
                                        kCallersWorker});
}

// Of an ethertap session: it waits, ends the relay, and asks whether the data socket's other end is there.
Table controller() {
  return with(
      executor("Controller"),
      {{{"ioctl"}, {on_fd({kTun}), kTunRequests}},
       kReload,
       {{"poll"}, {is(1, {kPolledByController})}},
       {{"sendto", "recvfrom"}, {on_fd({kRelay, kPeerWatch})}},
       {{"recvfrom"}, {on_fd({kMonitor})}},
       {{"waitid"}, {is(0, {UMLNET_NUMBER(P_PIDFD)}), is(1, {kRelayPidfd})}},
       {{"pidfd_send_signal"}, {on_fd({kRelayPidfd}), is(1, {UMLNET_NUMBER(SIGKILL)}), is_null(2), is(3, {0})}}});
}

// Of the native protocol. Descriptors come and go: what is allowed on TAPs and on rtnetlink sockets is allowed on any
// that came with a message. Those of a record get other numbers, and one asks whose a network namespace is.
Table native_session() {
  Table table =
      with(executor("NativeSession"),
           {kCallersWorker,
            kReload,
            {{"poll"}, {is(1, {kPolledBySession})}},
            {{"recvfrom"}, {on_fd({kMonitor})}},
            {{"ioctl"},
             {is(1, {UMLNET_NUMBER(NS_GET_NSTYPE), UMLNET_NUMBER(NS_GET_USERNS), UMLNET_NUMBER(NS_GET_OWNER_UID)})}},
            {{"fstatfs"}},
            {{"fcntl"}, {is(1, {UMLNET_NUMBER(F_DUPFD_CLOEXEC)}), is_long(2, kForeign)}}});
  for (const unsigned first : {16U, 32U, 64U, 128U}) {
    table.rules.push_back({{"ioctl"}, {on_octave(first), kTunRequests}});
    table.rules.push_back({{"sendto", "recvfrom"}, {on_octave(first)}});
  }
  return table;
}
static_assert(kTun == 16 && kForeign == 256);

struct RecorderPowers {
  bool opens_tun, reads_policy;
};

// Writes to the log and reads its last byte, opens it anew and puts the new file in its place, and asks for the limit
// on file sizes; locks the counters, or where there are none the log; sends to journald. Each path, and how it is
// opened, is one object in memory that nobody can write. Files of the policy are opened beneath the working directory,
// which is one of its two. No other path, no process, no socket.
Table recorder(std::string_view name, const RecorderPowers& powers) {
  const Condition size = is_long(3, sizeof(open_how));
  const auto open = [&](Word path, Word how) {
    return Rule{{"openat2"}, {is_address(1, path), is_address(2, how), size}};
  };
  Table table = {.name = name,
                 .rules = {{{"recvmsg", "sendmsg", "recvfrom"}, {on_fd({kWorkerChannel})}},
                           {{"write", "pread64"}, {on_fd({kLog})}},
                           {{"fstat", "close"}},
                           open(Word::log_path, Word::log_how),
                           {{"dup3"}, {is(1, {kLog})}},
                           {{"prlimit64"}, {is(0, {0}), is(1, {UMLNET_NUMBER(RLIMIT_FSIZE)}), is_null(2)}},
                           {{"poll"}, {is_null(0), is(1, {0})}},  // a short sleep
                           {{"fcntl"}, {is_patched_fd(Word::locked_file), is(1, {UMLNET_NUMBER(F_OFD_SETLK)})}},
                           {{"sendto"}, {is_patched_fd(Word::journal)}},
                           {{"brk", "clock_gettime", "futex", "exit_group", "restart_syscall"}}},
                 .for_sanitizers = {"mmap", "munmap", "sigaltstack", "madvise"}};
  if (powers.opens_tun) table.rules.push_back(open(Word::tun_path, Word::tun_how));
  if (powers.reads_policy)
    table.rules.insert(table.rules.end(),
                       {open(Word::policy_root, Word::root_how),
                        open(Word::policy_directory, Word::directory_how),
                        {{"openat2"}, {is(0, {UMLNET_NUMBER(AT_FDCWD)}), is_address(2, Word::file_how), size}},
                        {{"chdir"}, {is_address(0, Word::policy_root)}},
                        {{"chdir"}, {is_address(0, Word::policy_directory)}},
                        {{"getdents64", "pread64"}}});
  return table;
}

}  // namespace

std::vector<Table> tables() {
  return {front("Front", false),
          front("FrontWithNamed", true),
          one_shot(),
          one_shot_open(),
          controller(),
          native_session(),
          recorder("Recorder", {.opens_tun = false, .reads_policy = true}),
          recorder("RecorderWithTun", {.opens_tun = true, .reads_policy = true}),
          recorder("RecorderWithoutPolicy", {.opens_tun = false, .reads_policy = false}),
          caller_worker(),
          relay("SessionRelay", true),
          relay("SealedRelay", false),
          announcer()};
}

}  // namespace umlnet::filters
