#include "uml_net/worker/worker.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "uml_net/filters/fd_numbers.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/child_process.h"
#include "uml_net/sys/keep_fds.h"

namespace umlnet {
namespace {

constexpr const char* kAdvice = "Leave the processes that uml_net starts alone, and begin anew.";

Error gone() { return {Code::kernel, 0, "it is gone", {}}; }

// The end of the channel's other side. It is ECONNRESET where a question was not read there.
bool means_gone(const Error& error) { return error.errnum == ECONNRESET || error.errnum == EPIPE; }

// An exception ends the process here: who would catch it is the code of the process that forked this one.
[[noreturn]] void run_worker(int channel, const WorkerTraits& traits,
                             const std::function<void(int channel)>& serve) noexcept {
  priv::drop_net_admin();  // and every other
  ::setsid();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || ::prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0) ::_exit(1);
  ::signal(SIGCHLD, SIG_IGN);  // what it starts needs no waiting for
  const NumberedFd numbered[] = {{channel, fd_number::kWorkerChannel}, {traits.kept, fd_number::kWorkerKept}};
  if (!keep_fds(0, numbered)) ::_exit(1);
  if (traits.is_waited_for && ::send(fd_number::kWorkerChannel, "", 1, MSG_NOSIGNAL) < 0) ::_exit(1);
  serve(fd_number::kWorkerChannel);
  ::_exit(0);
}

}  // namespace

Result<Worker> Worker::start(WorkerTraits traits, const std::function<void(int channel)>& serve) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return fail_errno(Code::kernel, errno, "cannot make a channel to the " + traits.name);
  unique_fd ours(pair[0]), theirs(pair[1]);
  // Not by poll(2), which takes no descriptor where the caller lowers the limit on open files to none.
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(traits.patience).count();
  const timeval patience{.tv_sec = seconds, .tv_usec = 0};
  if (::setsockopt(ours.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
    return fail_errno(Code::kernel, errno, "cannot make a channel to the " + traits.name);
  const pid_t pid = ::fork();
  if (pid < 0)
    return fail_errno(Code::kernel, errno, "cannot start the " + traits.name,
                      "The caller's limit on processes (ulimit -u) may be reached.");
  if (pid == 0) run_worker(theirs.get(), traits, serve);
  theirs.reset();
  auto pidfd = traits.pidfd < 0 ? Result<unique_fd>() : pidfd_of(pid, traits.pidfd);
  if (!pidfd) return std::unexpected(std::move(pidfd.error()));
  auto channel = give_number(std::move(ours), traits.channel);
  if (!channel) return std::unexpected(std::move(channel.error()));
  Worker started(std::move(traits), *std::move(pidfd), *std::move(channel));
  if (!started.traits_.is_waited_for) return started;
  auto said = started.receive();
  return said ? Result<Worker>(std::move(started)) : std::unexpected(std::move(said.error()));
}

std::unexpected<Error> Worker::give_up(const Error& why) {
  const Error reason = means_gone(why)        ? gone()
                       : why.errnum == EAGAIN ? Error{Code::kernel, ETIMEDOUT, "no answer came", {}}
                                              : why;
  given_up_ = {Code::kernel, reason.errnum, "the " + traits_.name + " does not answer: " + reason.what, kAdvice};
  return std::unexpected(*given_up_);
}

Result<Message> Worker::receive() {
  auto answer = receive_with_fds(channel_.get(), traits_.longest_answer, Waiting::yes);
  if (!answer && answer.error().errnum == EMFILE)  // which was taken all the same
    return fail_errno(Code::kernel, EMFILE, "cannot take what the " + traits_.name + " opened",
                      "Close devices, or begin with a higher limit on open files (ulimit -n).");
  if (!answer) return give_up(answer.error());
  if (answer->bytes.empty()) return give_up(gone());
  return answer;
}

Result<Message> Worker::ask(std::string_view question, std::span<const int> fds) {
  if (given_up_) return std::unexpected(*given_up_);
  if (auto sent = send_with_fds(channel_.get(), question, fds); !sent) return give_up(sent.error());
  return receive();
}

void Worker::end() {
  channel_.reset();
  if (pidfd_) wait_for_child(pidfd_.get());
}

std::optional<Message> next_question(int channel, std::size_t longest) {
  auto question = receive_with_fds(channel, longest, Waiting::yes);
  if (!question || question->bytes.empty()) return std::nullopt;
  return *std::move(question);
}

}  // namespace umlnet
