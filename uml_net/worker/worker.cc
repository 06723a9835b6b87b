#include "uml_net/worker/worker.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "libumlnet/core/close_fds.h"
#include "uml_net/sys/capability.h"

namespace umlnet {
namespace {

constexpr int kPatience = 5000;  // milliseconds
constexpr const char* kAdvice = "Leave the processes that uml_net starts alone, and begin anew.";

Error gone() { return {Code::kernel, 0, "it is gone", {}}; }

// The end of the channel's other side. It is ECONNRESET where a question was not read there.
bool means_gone(const Error& error) { return error.errnum == ECONNRESET || error.errnum == EPIPE; }

Result<void> wait_for(int channel, int patience) {
  pollfd poll{.fd = channel, .events = POLLIN, .revents = 0};
  int ready = -1;
  do {
    ready = ::poll(&poll, 1, patience);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return fail_errno(Code::kernel, errno, "cannot wait for an answer");
  if (ready == 0) return fail_errno(Code::kernel, ETIMEDOUT, "no answer came");
  return {};
}

[[noreturn]] void run_worker(int channel, void (*serve)(int channel, int kept), int kept, bool says_so) {
  priv::drop_net_admin();  // and every other
  ::setsid();
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || ::prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0) ::_exit(1);
  ::signal(SIGCHLD, SIG_IGN);  // what it starts needs no waiting for
  if (!close_fds_from(0, std::array{channel, kept})) ::_exit(1);
  if (says_so && ::send(channel, &says_so, sizeof says_so, MSG_NOSIGNAL) < 0) ::_exit(1);
  serve(channel, kept);
  ::_exit(0);
}

}  // namespace

Result<Worker> Worker::start(const std::string& name, void (*serve)(int channel, int kept), int kept) {
  return start(name, serve, kept, false);
}

Result<Worker> Worker::start_and_wait(const std::string& name, void (*serve)(int channel, int kept)) {
  auto started = start(name, serve, -1, true);
  if (!started) return started;
  if (auto ready = wait_for(started->channel(), kPatience); !ready) return started->give_up(ready.error());
  if (auto said = receive_with_fds(started->channel(), kLongestMessage); !said || said->bytes.empty())
    return started->give_up(said ? gone() : said.error());
  return started;
}

Result<Worker> Worker::start(const std::string& name, void (*serve)(int channel, int kept), int kept, bool says_so) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
    return fail_errno(Code::kernel, errno, "cannot make a channel to the " + name);
  unique_fd ours(pair[0]), theirs(pair[1]);
  const pid_t pid = ::fork();
  if (pid < 0)
    return fail_errno(Code::kernel, errno, "cannot start the " + name,
                      "The caller's limit on processes (ulimit -u) may be reached.");
  if (pid == 0) run_worker(theirs.get(), serve, kept, says_so);
  return Worker(name, std::move(ours));
}

std::unexpected<Error> Worker::give_up(const Error& why) {
  given_up_ = true;
  const Error& reason = means_gone(why) ? gone() : why;
  return fail_errno(Code::kernel, reason.errnum, "the " + name_ + " does not answer: " + reason.what, kAdvice);
}

Result<Message> Worker::ask(std::string_view question, std::span<const int> fds) {
  if (given_up_) return fail(Code::kernel, "the " + name_ + " did not answer before, and was given up", kAdvice);
  if (auto sent = send_with_fds(channel_.get(), question, fds); !sent) return give_up(sent.error());
  if (auto ready = wait_for(channel_.get(), kPatience); !ready) return give_up(ready.error());
  auto answer = receive_with_fds(channel_.get(), kLongestMessage);
  if (!answer && answer.error().errnum == EMFILE)  // which was taken all the same
    return fail_errno(Code::kernel, EMFILE, "cannot take what the " + name_ + " opened",
                      "Close devices, or begin with a higher limit on open files (ulimit -n).");
  if (!answer) return give_up(answer.error());
  if (answer->bytes.empty()) return give_up(gone());
  return answer;
}

std::optional<Message> next_question(int channel, std::size_t longest) {
  if (!wait_for(channel, -1)) return std::nullopt;
  auto question = receive_with_fds(channel, longest);
  if (!question || question->bytes.empty()) return std::nullopt;
  return *std::move(question);
}

}  // namespace umlnet
