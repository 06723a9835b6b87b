#include "libumlnet/client/watched_process.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "libumlnet/client/off_stdio.h"
#include "libumlnet/client/raw_syscall.h"
#include "libumlnet/client/watcher.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace umlnet::client {
namespace {

constexpr std::size_t kStack = std::size_t{64} * 1024;
constexpr std::size_t kGuard = 4096;
constexpr int kEndTimeout = 5000;  // milliseconds that a killed program may take to end

// Two stacks, each with a page below it that nobody may touch: the watcher's, and that of the program's first moment.
class Stacks {
 public:
  static Outcome<Stacks> get() {
    void* memory = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return failed_errno(errno, "cannot get memory to start a program with", UMLNET_MEMORY);
    Stacks stacks(static_cast<unsigned char*>(memory));
    ::mprotect(stacks.memory_, kGuard, PROT_NONE);
    ::mprotect(stacks.memory_ + kOne, kGuard, PROT_NONE);
    return stacks;
  }
  Stacks(Stacks&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  Stacks& operator=(Stacks&&) = delete;
  ~Stacks() {
    if (memory_ != nullptr) ::munmap(memory_, kSize);
  }
  unsigned char* first() const { return memory_ + kOne; }
  unsigned char* second() const { return memory_ + kSize; }

 private:
  static constexpr std::size_t kOne = kGuard + kStack, kSize = 2 * kOne;
  explicit Stacks(unsigned char* memory) : memory_(memory) {}
  unsigned char* memory_;
};

// No signal of the host program may be handled in the watcher before it has blocked them all.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    const std::uint64_t all = ~std::uint64_t{0};  // those of the C library's own too, which its functions leave out
    raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, raw(&all), raw(&before_), sizeof all);
  }
  ~AllSignalsBlocked() { raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, raw(&before_), 0, sizeof before_); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  std::uint64_t before_ = 0;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (auto& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

struct WatchedProcess::Watcher {
  Watcher(Stacks its_stacks, const Program& its_program)
      : stacks(std::move(its_stacks)), path(its_program.path), arguments(its_program.arguments) {}

  Stacks stacks;
  std::string path;
  std::vector<std::string> arguments;
  std::vector<std::string> environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  std::vector<char*> argument_pointers = pointers(arguments);
  std::vector<char*> environment_pointers = pointers(environment);
  WatcherJob job{};
  unique_fd channel = {};
  unique_fd pidfd = {};
  pid_t program = -1;
  bool ended = false;
  std::optional<int> status = {};

  // Nothing of this may go before the watcher, which works on it, has ended.
  void join() {
    if (!pidfd) return;
    // Closing alone would not do: a child that the host program has forked has a copy.
    ::shutdown(channel.get(), SHUT_RDWR);
    channel.reset();
    reap();
  }

  // Of a watcher that has said its last word, or will never be asked again.
  void reap() {
    if (!pidfd) return;
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd.get()), &info, WEXITED | __WALL) != 0 &&
           errno == EINTR) {
    }
    // Where the host program waited for it (with __WALL, unasked), it has ended as well.
    pidfd.reset();
  }

  // What the watcher says next; nothing at the deadline, or where it says nothing any more: then it has ended. With
  // MSG_PEEK it stays to be heard, and the channel readable.
  std::optional<WatcherSays> listen(const Deadline& deadline, int flags = 0) {
    for (;;) {
      pollfd poll{.fd = channel.get(), .events = POLLIN, .revents = 0};
      const int ready = ::poll(&poll, 1, deadline.milliseconds_left());
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return std::nullopt;
      WatcherSays words{};
      const ssize_t size = ::recv(channel.get(), &words, sizeof words, MSG_DONTWAIT | flags);
      if (size == sizeof words) return words;
      if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      ended = true;
      return std::nullopt;
    }
  }
};

Outcome<WatchedProcess> WatchedProcess::start(const Program& program) {
  auto stacks = Stacks::get();
  if (!stacks) return std::unexpected(std::move(stacks.error()));
  auto watcher = std::make_unique<Watcher>(*std::move(stacks), program);

  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return failed_errno(errno, "cannot make a channel to " + program.path);
  unique_fd theirs(pair[1]);
  watcher->channel = off_stdio(unique_fd(pair[0]));

  // Copies above all wanted numbers, so that none is overwritten on its way to its place.
  const unique_fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return failed_errno(errno, "cannot open /dev/null");
  auto given = program.fds;
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (std::ranges::none_of(given, [&](const auto& fd) { return fd.number == number; }))
      given.push_back({number, null.get()});
  if (given.size() > kWatcherFds) return failed(UMLNET_INVALID, "too many descriptors for " + program.path);
  const int above = std::ranges::max(given, {}, &Program::GivenFd::number).number + 1;
  std::vector<unique_fd> copies;
  WatcherJob& job = watcher->job;
  for (const auto& [number, fd] : given) {
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, above));
    if (!copies.back()) return failed_errno(errno, "cannot hand a descriptor to " + program.path);
    job.fds[job.fd_count++] = {.fd = copies.back().get(), .number = number};
  }
  unique_fd channel(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, above));
  if (!channel) return failed_errno(errno, "cannot make a channel to " + program.path);

  job.path = watcher->path.c_str();
  job.arguments = watcher->argument_pointers.data();
  job.environment = watcher->environment_pointers.data();
  job.channel = channel.get();
  job.program_stack = watcher->stacks.second();

  int pidfd = -1;
  const int pid = [&] {
    const AllSignalsBlocked blocked;
    return ::clone(watch, watcher->stacks.first(), CLONE_VM | CLONE_PIDFD, &job, &pidfd);
  }();
  if (pid < 0) return failed_errno(errno, "cannot start a process for " + program.path);
  watcher->pidfd = off_stdio(unique_fd(pidfd));

  WatchedProcess process(std::move(watcher));
  // Otherwise the end of the watcher would not show on the channel.
  theirs.reset();
  channel.reset();
  const auto words = process.watcher_->listen(Deadline::in(-1));
  if (words && words->what == WatcherSays::started) {
    process.watcher_->program = words->value;
    return process;
  }
  process.watcher_->ended = true;
  if (!words) return failed(UMLNET_SYSTEM, "the process that was to start " + program.path + " was killed");
  return failed_errno(words->value, "cannot start " + program.path, UMLNET_NO_HELPER);
}

WatchedProcess::WatchedProcess(std::unique_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}
WatchedProcess::WatchedProcess(WatchedProcess&&) noexcept = default;

WatchedProcess& WatchedProcess::operator=(WatchedProcess&& other) noexcept {
  std::swap(watcher_, other.watcher_);
  return *this;
}

WatchedProcess::~WatchedProcess() {
  if (watcher_ == nullptr) return;
  kill();
  watcher_->join();
}

pid_t WatchedProcess::pid() const { return watcher_->program; }
int WatchedProcess::end_fd() const { return watcher_->channel.get(); }
bool WatchedProcess::has_ended() const { return watcher_->ended; }

std::optional<int> WatchedProcess::wait(const Deadline& deadline) {
  if (watcher_->ended) return watcher_->status;
  if (const auto words = watcher_->listen(deadline, MSG_PEEK)) {  // end_fd() stays readable from here on
    watcher_->ended = true;
    if (words->what == WatcherSays::ended) watcher_->status = words->value;
    // Only with its end the channel is, and stays, readable.
    watcher_->reap();
  }
  return watcher_->status;
}

void WatchedProcess::kill() {
  if (watcher_->ended) return;
  const char order = 'k';
  if (::send(watcher_->channel.get(), &order, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) watcher_->ended = true;
  // A process that the kernel holds, in some driver, does not hear even that; it is left to itself.
  wait(Deadline::in(kEndTimeout));
  watcher_->ended = true;
}

}  // namespace umlnet::client
