#include "uml_net/worker/caller_worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"
#include "uml_net/priv/network_namespace.h"
#include "uml_net/worker/frame_relay.h"

namespace umlnet {
namespace {

constexpr char kSeal = 's';
constexpr char kNamespace = 'n';

void answer(int channel, int error, int fd = -1) {
  [[maybe_unused]] const auto sent = send_with_fds(channel, bytes_of(error), std::span(&fd, error == 0 ? 1 : 0));
}

[[noreturn]] void relay(int tap, int data) {
  ::setsid();
  if (::fcntl(tap, F_SETFL, O_RDWR | O_NONBLOCK) != 0) ::_exit(1);
  FrameCounters counters;  // nobody reads them
  ::_exit(become_relay({.tap = tap, .data = data}, kSealedPackets, counters) == RelayEnd::failed ? 1 : 0);
}

void seal(int channel, int tap) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) return answer(channel, errno);
  const unique_fd theirs(pair[0]), ours(pair[1]);
  const pid_t pid = ::fork();
  if (pid == 0) relay(tap, ours.get());
  answer(channel, pid < 0 ? errno : 0, theirs.get());
}

// In a process of its own, because there is no way back.
void open_rtnetlink(int channel, int netns) {
  const pid_t pid = ::fork();
  if (pid < 0) return answer(channel, errno);
  if (pid > 0) return;
  const auto socket = priv::open_rtnetlink_in(netns);
  answer(channel, socket ? 0 : socket.error().errnum, socket ? socket->get() : -1);
  ::_exit(0);
}

void serve(int channel) {
  if (!filters::enter(filters::kCallerWorker)) return;
  while (const auto question = next_question(channel)) {
    if (question->fds.size() != 1) return;
    const int fd = question->fds[0].get();
    question->bytes[0] == kSeal ? seal(channel, fd) : open_rtnetlink(channel, fd);
  }
}

}  // namespace

Result<CallerWorker> CallerWorker::start() {
  auto process = Worker::start({.name = "process that attends to the caller's descriptors",
                                .channel = fd_number::kCallerWorker,
                                .is_waited_for = true},
                               serve);
  if (!process) return std::unexpected(std::move(process.error()));
  return CallerWorker(*std::move(process));
}

Result<unique_fd> CallerWorker::ask(char question, int fd, const std::string& doing) {
  auto message = process_.ask({&question, 1}, std::span(&fd, 1));
  if (!message) return std::unexpected(std::move(message.error()));
  const auto error = object_of<int>(message->bytes);
  if (!error) return fail(Code::bug, doing + ": a strange answer");
  if (*error != 0) return fail_errno(Code::kernel, *error, doing);
  if (message->fds.size() != 1) return fail(Code::bug, doing + ": a strange answer");
  return std::move(message->fds[0]);
}

Result<unique_fd> CallerWorker::seal(int tap) { return ask(kSeal, tap, "cannot start the relay of the interface"); }

Result<unique_fd> CallerWorker::rtnetlink_in(int netns) {
  auto socket = ask(kNamespace, netns, "cannot reach into the network namespace");
  // Of its own user namespace, which is the host's, uid 0 is the owner as well; that is no way in for it.
  if (!socket && socket.error().errnum == EINVAL) {
    socket.error() = {Code::denied, 0,
                      "the network namespace that netns= names belongs to the host's own user namespace",
                      "Call uml_net within it (ip netns exec NAME ...), or make one by: unshare --user --net"};
  }
  return socket;
}

}  // namespace umlnet
