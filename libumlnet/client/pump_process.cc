#include "libumlnet/client/pump_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "libumlnet/client/off_stdio.h"
#include "libumlnet/client/pump.h"
#include "libumlnet/client/pump_threads.h"
#include "libumlnet/client/sandbox.h"
#include "libumlnet/client/syscall_name.h"

namespace umlnet::client {
namespace {

constexpr int kPatience = 10'000;  // milliseconds for the program's start

// Numbers of the program's descriptors, as it is started; 2 is /dev/null, for what the dynamic linker has to say.
enum Started : int {
  kA = 0,
  kB = 1,
  kMemory = 3,
  kChannelAtFirst = 4,
  kStopAtFirst = 5,
  kOwnerAtFirst = 6,
  kCaptureAtFirst = 7
};
// And while it pumps: none free below the limit on open files.
enum Pumping : int { kStop = 2, kChannel = 3, kOwner = 4, kCapture = 5 };

PumpConfig with_its_numbers(PumpConfig config) {
  config.a.fd = kA;
  config.b.fd = kB;
  if (config.capture_fd >= 0) config.capture_fd = kCapture;
  return config;
}

[[noreturn]] void leave(int status) {
  for (;;) ::syscall(SYS_exit_group, status);
}

[[noreturn]] void leave_failed(PumpMemory& memory, PumpOutcome::Doing doing, const Failure& failure) {
  memory.outcome = {.how = PumpOutcome::broke,
                    .doing = doing,
                    .is_b = 0,
                    .code = static_cast<std::uint32_t>(failure.code),
                    .errnum = failure.errnum};
  leave(EX_OSERR);
}

bool settle_numbers(bool has_capture) {
  return ::dup2(kStopAtFirst, kStop) >= 0 && ::dup2(kChannelAtFirst, kChannel) >= 0 &&
         ::dup2(kOwnerAtFirst, kOwner) >= 0 && (!has_capture || ::dup2(kCaptureAtFirst, kCapture) >= 0);
}

}  // namespace

void be_the_pump_process(void (*in_the_sandbox)()) {
  auto shared = SharedPumpMemory::of(kMemory);
  if (!shared) {
    constexpr char kText[] =
        "umlnet-pump: this program is started by libumlnet, where a program calls umlnet_pump_start()\n";
    (void)!::write(STDERR_FILENO, kText, sizeof kText - 1);
    leave(EX_USAGE);
  }
  constexpr Pump::Owner kItsOwner{.channel = kChannel, .pidfd = kOwner};
  PumpMemory& memory = **shared;
  // What is used is what was checked, whatever becomes of the memory.
  const PumpConfig config = memory.config;
  const bool has_capture = config.capture_fd >= 0;
  if (!settle_numbers(has_capture)) leave_failed(memory, PumpOutcome::starting, {.errnum = errno, .message = {}});
  if (config.a.fd != kA || config.b.fd != kB || (has_capture && config.capture_fd != kCapture) ||
      config.a.framing == UMLNET_CALLBACK || config.b.framing == UMLNET_CALLBACK)
    leave_failed(memory, PumpOutcome::starting, {.code = UMLNET_INVALID, .message = {}});
  if (const auto checked = check_config(config); !checked) leave_failed(memory, PumpOutcome::starting, checked.error());

  Pump pump(config, {}, memory.counters, kStop);
  PumpThreads threads(pump, kItsOwner, memory.outcome);
  if (const auto entered = enter_sandbox(pump.fds(kItsOwner), memory.violation, [&] { threads.start(); }); !entered)
    leave_failed(memory, PumpOutcome::entering_sandbox, entered.error());
  pump.is_in_sandbox();
  if (in_the_sandbox != nullptr) in_the_sandbox();
  const char ready = 1;
  ::send(kChannel, &ready, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  threads.run();
}

Outcome<PumpProcess> PumpProcess::start(const std::string& program, const PumpConfig& config,
                                        const SharedPumpMemory& memory, int stop) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return failed_errno(errno, "cannot make a channel to the pump process");
  unique_fd ours(pair[0]), theirs(pair[1]);
  const unique_fd self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  if (!self) return failed_errno(errno, "cannot show the pump process who owns it (pidfd_open)");
  memory->config = with_its_numbers(config);
  memory->outcome = {};
  memory->violation.happened = 0;
  Program started{.path = program,
                  .arguments = {"umlnet-pump"},
                  .fds = {{kA, config.a.fd},
                          {kB, config.b.fd},
                          {kMemory, memory.fd()},
                          {kChannelAtFirst, theirs.get()},
                          {kStopAtFirst, stop},
                          {kOwnerAtFirst, self.get()}}};
  if (config.capture_fd >= 0) started.fds.push_back({kCaptureAtFirst, config.capture_fd});
  auto process = WatchedProcess::start(started);
  if (!process) return std::unexpected(std::move(process.error()));
  theirs.reset();

  PumpProcess pump(std::move(*process), off_stdio(std::move(ours)), config, *memory);
  const Deadline deadline = Deadline::in(kPatience);
  for (;;) {
    pollfd poll{.fd = pump.channel_.get(), .events = POLLIN, .revents = 0};
    const int events = ::poll(&poll, 1, deadline.milliseconds_left());
    if (events < 0 && errno == EINTR) continue;
    char ready = 0;
    if (events > 0 && ::recv(pump.channel_.get(), &ready, 1, MSG_DONTWAIT) == 1) return pump;
    if (events != 0) break;
    pump.kill();
    return failed(UMLNET_TIMEOUT, "the pump process, " + program + ", was not ready within ten seconds");
  }
  const auto end = pump.wait(deadline);
  if (end && !*end) return std::unexpected(end->error());
  pump.kill();
  return failed(UMLNET_SYSTEM, "the pump process, " + program + ", ended before it was ready");
}

Outcome<umlnet_pump_end> PumpProcess::end_of(std::optional<int> status) const {
  const std::string process = "the pump process ";
  if (!status) return failed(UMLNET_SYSTEM, process + "ended, and nobody can say how: its watcher was killed");
  if (WIFSIGNALED(*status)) {
    const int signal = WTERMSIG(*status);
    const Violation& violation = memory_->violation;
    if (signal == SIGSYS && violation.happened != 0)
      return failed(UMLNET_SANDBOX, process +
                                        "was killed by its sandbox for a forbidden system call; it says that it was " +
                                        syscall_name(violation.arch, violation.number));
    if (signal == SIGSYS)
      return failed(UMLNET_SANDBOX,
                    process + "was killed by its sandbox for a forbidden system call that is not known");
    const char* name = ::sigabbrev_np(signal);
    return failed(UMLNET_SYSTEM, process + "was killed by signal " +
                                     (name != nullptr ? "SIG" + std::string(name) : std::to_string(signal)));
  }
  const PumpOutcome outcome = memory_->outcome;
  const int exit_status = WEXITSTATUS(*status);
  if (outcome.how == PumpOutcome::nothing_yet || (exit_status != 0 && outcome.how != PumpOutcome::broke))
    return failed(UMLNET_SYSTEM, process + "ended with exit status " + std::to_string(exit_status));
  auto end = told(outcome, config_);
  // Of what it can claim, this alone would be taken for something else: that it still runs.
  if (!end && end.error().code == UMLNET_TIMEOUT) end.error().code = UMLNET_SYSTEM;
  return end;
}

std::optional<Outcome<umlnet_pump_end>> PumpProcess::wait(const Deadline& deadline) {
  const auto status = process_.wait(deadline);
  if (!status && !process_.has_ended()) return std::nullopt;
  return end_of(status);
}

}  // namespace umlnet::client
