// The pump's sandbox as the kernel holds it: a child enters it and tries one thing.
#include <doctest/doctest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <functional>
#include <new>

#include "libumlnet/client/sandbox.h"
#include "libumlnet/client/syscall_name.h"
#include "libumlnet/core/system_calls.h"
#include "tests/unit/in_a_child.h"
#include "tests/unit/pump_fixture.h"
#include "tests/unit/qemu_user.h"

using namespace pump_test;
using namespace umlnet::client;

namespace {

// What the sandbox is made for here: a TAP (/dev/null has its place), a stream, a stop, a capture into a pipe.
struct Fds {
  unique_fd tap{::open("/dev/null", O_RDWR)}, stop{::eventfd(0, EFD_NONBLOCK)}, other{::open("/dev/null", O_RDWR)};
  Pair stream{SOCK_STREAM}, dgram{SOCK_DGRAM};
  int pipe[2] = {-1, -1};
  Fds() { REQUIRE(::pipe(pipe) == 0); }
  ~Fds() {
    ::close(pipe[0]);
    ::close(pipe[1]);
  }
  SandboxFds kept(unsigned vnet_hdr = 0, bool capture = true) const {
    SandboxFds fds;
    fds.a = {.framing = UMLNET_TAP, .fd = tap.get(), .vnet_hdr = vnet_hdr};
    fds.b = {.framing = UMLNET_STREAM, .fd = stream.pump.get()};
    fds.stop = stop.get();
    if (capture) {
      fds.capture = pipe[1];
      fds.capture_kind = CaptureKind::pipe;
    }
    return fds;
  }
};

struct SharedViolation {
  SharedViolation()
      : memory(new(::mmap(nullptr, sizeof(Violation), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
                   Violation) {}
  ~SharedViolation() { ::munmap(memory, sizeof *memory); }
  Violation* memory;
};

End in_the_sandbox(const SandboxFds& fds, Violation& violation, const std::function<void()>& attempt) {
  violation.happened = 0;
  return in_a_child([&] { return enter_sandbox(fds, violation).has_value(); }, attempt);
}

#ifdef __x86_64__
void make_32_bit_call() {
  long number = 20;
  asm volatile("int $0x80" : "+a"(number));
}

// Not every machine does: under some hypervisors, and with ia32_emulation=0, it is a fault without any sandbox.
bool has_32_bit_calls() {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGSEGV, SIG_DFL);
    make_32_bit_call();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status);
}
#endif

}  // namespace

TEST_CASE("sandbox: what pumping needs is let through") {
  if (skip_without_seccomp()) return;
  const Fds fds;
  const SharedViolation violation;
  char byte = 0;
  const iovec part{&byte, 1};
  const auto lives = [&](const SandboxFds& kept, const std::function<void()>& attempt) {
    CHECK(in_the_sandbox(kept, *violation.memory, attempt) == End::lived);
  };
  const int tap = fds.tap.get(), stream = fds.stream.pump.get(), pipe = fds.pipe[1];
  lives(fds.kept(), [] {});
  lives(fds.kept(), [&] { ::read(tap, &byte, 1); });
  lives(fds.kept(), [&] { ::write(tap, &byte, 1); });
  lives(fds.kept(10), [&] { ::readv(tap, &part, 1); });
  lives(fds.kept(10), [&] { ::writev(tap, &part, 1); });
  lives(fds.kept(), [&] { ::recv(stream, &byte, 1, MSG_DONTWAIT); });
  lives(fds.kept(), [&] { ::send(stream, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL); });
  lives(fds.kept(), [&] { ::read(fds.stop.get(), &byte, 1); });
  lives(fds.kept(), [&] { ::write(pipe, &byte, 1); });
  lives(fds.kept(0, false), [] {
    timespec now{};
    ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);  // as where the vDSO does not have it
  });
  lives(fds.kept(0, false), [] { ::sched_yield(); });
  lives(fds.kept(), [&] {
    std::array<pollfd, 4> polls{};
    for (auto& poll : polls) poll.fd = -1;
    ::poll(polls.data(), polls.size(), 0);
    ::poll(polls.data(), 1, 0);
  });
}

TEST_CASE("sandbox: anything else kills, and the system call is known") {
  if (skip_without_seccomp()) return;
  const Fds fds;
  const SharedViolation violation;
  char byte = 0;
  iovec part{&byte, 1};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  mmsghdr messages{.msg_hdr = message, .msg_len = 0};
  const sockaddr address{.sa_family = AF_UNIX, .sa_data = {}};
  const int tap = fds.tap.get(), stream = fds.stream.pump.get(), other = fds.other.get();
  struct Attempt {
    const char* name;
    int number;
    std::function<void()> act;
  };
  const Attempt attempts[] = {
      {"getpid", SYS_getpid, [] { ::syscall(SYS_getpid); }},
      {"openat", SYS_openat, [] { ::syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY); }},
      {"read of another file", SYS_read, [&] { ::read(other, &byte, 1); }},
      {"read of the stream, which could wait", SYS_read, [&] { ::read(stream, &byte, 1); }},
      {"write to another file", SYS_write, [&] { ::write(other, &byte, 1); }},
      {"write to stderr", SYS_write, [&] { ::write(STDERR_FILENO, &byte, 1); }},
      {"a receive that could wait", SYS_recvfrom, [&] { ::recv(stream, &byte, 1, 0); }},
      {"a send that could raise SIGPIPE", SYS_sendto, [&] { ::send(stream, &byte, 1, MSG_DONTWAIT); }},
      {"a send to an address", SYS_sendto,
       [&] { ::sendto(stream, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL, &address, sizeof address); }},
      {"sendmsg, which could pass descriptors", SYS_sendmsg,
       [&] { ::sendmsg(stream, &message, MSG_DONTWAIT | MSG_NOSIGNAL); }},
      {"recvmsg, which could receive some", SYS_recvmsg, [&] { ::recvmsg(stream, &message, MSG_DONTWAIT); }},
      {"recvmmsg on the stream", SYS_recvmmsg, [&] { ::recvmmsg(stream, &messages, 1, MSG_DONTWAIT, nullptr); }},
      {"writev, where no frames are joined", SYS_writev, [&] { ::writev(tap, &part, 1); }},
      {"ioctl on the TAP", SYS_ioctl, [&] { ::ioctl(tap, 0x400454cb /* TUNSETPERSIST */, 1); }},
      {"poll on more", umlnet::kSysPoll,
       [] {
         std::array<pollfd, 5> polls{};
         ::poll(polls.data(), polls.size(), 0);
       }},
      {"executable memory", SYS_mprotect, [&] { ::mprotect(violation.memory, 4096, PROT_READ | PROT_EXEC); }},
      {"socket", SYS_socket, [] { ::socket(AF_INET, SOCK_DGRAM, 0); }},
      {"execve", SYS_execve, [] { ::execl("/bin/true", "true", nullptr); }},
#ifdef SYS_fork
      {"fork", SYS_fork, [] { ::syscall(SYS_fork); }},
#endif
      {"clone", SYS_clone, [] { ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
      {"clone3", SYS_clone3, [] { ::syscall(SYS_clone3, 0, 0); }},
      {"ptrace", SYS_ptrace, [] { ::syscall(SYS_ptrace, 0, 0, 0, 0); }},
      {"kill", SYS_kill, [] { ::kill(1, 0); }},
      {"rt_sigaction", SYS_rt_sigaction, [] { ::syscall(SYS_rt_sigaction, SIGSYS, nullptr, nullptr, 8); }},
      {"rt_sigprocmask", SYS_rt_sigprocmask, [] { ::syscall(SYS_rt_sigprocmask, SIG_BLOCK, nullptr, nullptr, 8); }},
      {"setrlimit", SYS_prlimit64, [] { ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, nullptr); }},
      {"io_uring", SYS_io_uring_setup, [] { ::syscall(SYS_io_uring_setup, 1, nullptr); }},
      {"dup", SYS_dup, [&] { ::dup(tap); }},
      {"close", SYS_close, [&] { ::close(tap); }},
#ifndef UMLNET_SANITIZED
      {"mmap", SYS_mmap, [] { ::syscall(SYS_mmap, nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
#endif
  };
  for (const auto& [name, number, act] : attempts) {
    CHECK_MESSAGE(in_the_sandbox(fds.kept(), *violation.memory, act) == End::killed, name);
    CHECK_MESSAGE(violation.memory->happened == 1, name);
    CHECK_MESSAGE(violation.memory->number == number, name);
  }
  CHECK(syscall_name(violation.memory->arch, SYS_getpid) == "getpid");
  CHECK(syscall_name(violation.memory->arch, 4711) == "system call 4711");

  const auto dies = [&](const SandboxFds& kept, const std::function<void()>& act) {
    CHECK(in_the_sandbox(kept, *violation.memory, act) == End::killed);
  };
  dies(fds.kept(10), [&] { ::read(tap, &byte, 1); });  // with a header it is readv
  dies(fds.kept(10), [&] { ::writev(other, &part, 1); });
  dies(fds.kept(0, false), [&] { ::write(fds.pipe[1], &byte, 1); });
  dies(fds.kept(0, false), [] {
    pollfd poll{};
    ::poll(&poll, 1, 0);
  });
  // These die without a word: a handler that returns, and other tables of system calls.
  std::vector<std::function<void()>> silent = {[] { ::syscall(SYS_rt_sigreturn); }};
#ifdef __x86_64__
  silent.emplace_back([] { ::syscall(0x40000000 | SYS_getpid); });
  if (has_32_bit_calls())
    silent.emplace_back(make_32_bit_call);
  else
    MESSAGE("not tried: 32-bit system calls, which this machine does not have");
#endif
  for (const auto& act : silent) {
    dies(fds.kept(), act);
    CHECK(violation.memory->happened == 0);
  }
}

TEST_CASE("sandbox: handlers of the host program do not run in it, and signals that would end it are ignored") {
  if (skip_without_seccomp()) return;
  const Fds fds;
  const SharedViolation violation;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGTERM, &action, nullptr);
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGTERM);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    if (!enter_sandbox(fds.kept(), *violation.memory)) ::_exit(2);
    char byte = 0;
    ::write(fds.pipe[1], &byte, 1);
    std::array<pollfd, 4> polls{};
    for (auto& poll : polls) poll.fd = -1;
    ::poll(polls.data(), polls.size(), 10'000);
    ::_exit(1);
  }
  char byte = 1;
  REQUIRE(::read(fds.pipe[0], &byte, 1) == 1);  // it is inside
  ::kill(child, SIGPIPE);
  ::kill(child, SIGXFSZ);
  ::kill(child, SIGTERM);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}

TEST_CASE("sandbox: a process with several threads stays outside") {
  const Fds fds;
  const SharedViolation violation;
  std::thread other([] { std::this_thread::sleep_for(std::chrono::milliseconds(50)); });
  const auto entered = enter_sandbox(fds.kept(), *violation.memory);
  REQUIRE_FALSE(entered);
  CHECK(entered.error().code == UMLNET_STATE);
  other.join();
  CHECK(::fcntl(fds.other.get(), F_GETFD) >= 0);
}

TEST_CASE("sandbox: nobody outside of it may work on the same memory") {
  if (skip_without_shared_memory()) return;
  const Fds fds;
  const SharedViolation violation;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // As vfork() does: this one's parent works on the same memory, if only afterwards.
    alignas(16) static std::array<char, 65536> stack;
    struct Shared {
      const Fds& fds;
      Violation& violation;
      bool refused = false;
    } shared{fds, *violation.memory};
    const auto enter = [](void* argument) {
      auto& in = *static_cast<Shared*>(argument);
      const auto entered = enter_sandbox(in.fds.kept(), in.violation);
      in.refused = !entered && entered.error().code == UMLNET_SANDBOX;
      return 0;
    };
    const int pid = ::clone(enter, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &shared);
    ::_exit(pid > 0 && shared.refused ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("sandbox: where unshare() is forbidden, as in containers") {
  if (skip_without_seccomp()) return;
  const Fds fds;
  const SharedViolation violation;
  for (const bool alone : {true, false}) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      sock_filter lines[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
                             {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_unshare},
                             {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
                             {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
      sock_fprog filter{.len = std::size(lines), .filter = lines};
      if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        ::_exit(3);
      if (!alone) std::thread([] { std::this_thread::sleep_for(std::chrono::seconds(10)); }).detach();
      const auto entered = enter_sandbox(fds.kept(), *violation.memory);
      ::syscall(SYS_exit_group, alone ? !entered : entered || entered.error().code != UMLNET_STATE);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
}

TEST_CASE("sandbox: a pump in a forked process") {
  if (skip_without_seccomp()) return;
  Pair a(SOCK_STREAM), b(SOCK_DGRAM);
  Pump pump(end_of(UMLNET_STREAM, a.pump.get()), end_of(UMLNET_DGRAM, b.pump.get()));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    umlnet_pump_end end = UMLNET_PUMP_A_GONE;
    if (umlnet_pump_enter_sandbox(pump.get(), nullptr) != UMLNET_OK) ::_exit(2);
    const bool good = umlnet_pump_run(pump.get(), &end, nullptr) == UMLNET_OK && end == UMLNET_PUMP_STOPPED;
    ::_exit(good ? 0 : 3);
  }
  for (std::uint32_t i = 0; i < 500; ++i) {
    send_all(a.peer.get(), in_stream(frame(1000, i)));
    CHECK(receive(b.peer.get()) == frame(1000, i));
    send_all(b.peer.get(), frame(900, i));
    CHECK(receive_from_stream(a.peer.get()) == frame(900, i));
  }
  CHECK(pump.counters(500, 500).a_to_b.frames == 500);  // of the other process
  umlnet_pump_stop(pump.get());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
