#include "uml_net/trusted_opener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include "libumlnet/core/look_at_fd.h"
#include "policy/location.h"
#include "uml_net/audit_log.h"
#include "uml_net/held_signals.h"
#include "uml_net/policy_stamp.h"
#include "uml_net/try_for.h"

namespace umlnet {
namespace {

// The filter compares addresses, so each path is one object.
constexpr const char* kTun = "/dev/net/tun";
constexpr const char* kLog = policy::kAuditLog;
constexpr int kTunFlags = O_RDWR | O_CLOEXEC;
constexpr int kLogFlags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

struct Question {
  unsigned tuns;
  dev_t log_device;
  ino_t log_inode;
};

struct Answer {
  int tun_error = 0;
  int log_error = 0;
  int policy_error = 0;
  bool has_log = false;
  bool has_policy_changed = false;
};

// The directories above it were looked at when the session began; only root can change what lies in them.
bool is_fit_to_be_the_log(const struct stat& status) {
  return S_ISREG(status.st_mode) && status.st_uid == 0 && status.st_nlink == 1 && (status.st_mode & S_IWOTH) == 0;
}

void answer(int channel, const Question& question, const PolicyStamp& policy) {
  Answer answer;
  if (const auto current = policy.is_current(); current)
    answer.has_policy_changed = !*current;
  else
    answer.policy_error = current.error();
  std::array<unique_fd, kMaxPassedFds> opened;
  std::array<int, kMaxPassedFds> fds{};
  std::size_t count = 0;
  const auto add = [&](int fd) {
    opened[count] = unique_fd(fd);
    fds[count++] = fd;
  };
  // One place is the log's.
  for (unsigned i = 0; i < question.tuns && i + 1 < kMaxPassedFds && answer.tun_error == 0; ++i) {
    const int fd = ::open(kTun, kTunFlags);
    if (fd < 0)
      answer.tun_error = errno;
    else
      add(fd);
  }
  unique_fd log(::open(kLog, kLogFlags));
  struct stat status{};
  if (!log || !look_at_fd(log.get(), status)) {
    answer.log_error = errno;
  } else if (!is_fit_to_be_the_log(status)) {
    answer.log_error = EPERM;
  } else if (status.st_dev != question.log_device || status.st_ino != question.log_inode) {
    answer.has_log = true;
    add(log.release());
  }
  if (const auto sent = send_with_fds(channel, bytes_of(answer), std::span(fds).first(count)); !sent && count != 0) {
    // So many descriptors of this user are on their way already that the kernel takes no more.
    answer.tun_error = answer.log_error = sent.error().errnum;
    answer.has_log = false;
    [[maybe_unused]] const auto told = send_with_fds(channel, bytes_of(answer), {});
  }
}

// The first question, and its answer.
struct Beginning {
  bool many;
};
struct Begun {
  int error = 0;
  FileWatch::Places places = {};
};

// It holds a descriptor on each file of the policy.
void take_all_descriptors() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

std::optional<PolicyStamp> begin(int channel, const Beginning& beginning) {
  take_all_descriptors();
  // The watch first: it and the stamp see what happens in between.
  const auto watch = beginning.many ? FileWatch::begin() : FileWatch();
  auto stamp = PolicyStamp::take();
  const Begun begun{.error = stamp ? 0 : stamp.error(), .places = watch.places()};
  const int fd = watch.fd();
  const auto sent = send_with_fds(channel, bytes_of(begun), std::span(&fd, fd >= 0 ? 1 : 0));
  return sent && stamp ? std::optional(*std::move(stamp)) : std::nullopt;
}

void serve(int channel) {
  // Its channel's end ends it, and not a signal that was meant for the session, which asks once more for its last line.
  block_all_signals();
  const auto first = next_question(channel);
  const auto beginning = first ? object_of<Beginning>(first->bytes) : std::nullopt;
  if (!beginning) return;
  const auto policy = begin(channel, *beginning);
  if (!policy || !opener_filter(channel, beginning->many).enter()) return;
  while (const auto message = next_question(channel)) {
    const auto question = object_of<Question>(message->bytes);
    if (!question) return;
    answer(channel, *question, *policy);
  }
}

std::unexpected<Error> fail_about_the_policy(int errnum) {
  return fail_errno(Code::kernel, errnum, std::string("cannot keep an eye on the policy in ") + policy::kPolicyRoot,
                    "A session needs to be allowed to list that directory, and a descriptor for each of its files.");
}

}  // namespace

SeccompFilter opener_filter(int channel, bool opens_tun) {
  using Where = SeccompFilter::Where;
  const auto at = [](const char* path) { return Where::equals(1, reinterpret_cast<std::uint64_t>(path)); };
  SeccompFilter filter;
  if (opens_tun) filter.allow(SYS_openat, {at(kTun), Where::equals(2, kTunFlags)});
  filter.allow(SYS_openat, {at(kLog), Where::equals(2, kLogFlags)});
  filter.allow_on_fd(SYS_recvmsg, channel).allow_on_fd(SYS_sendmsg, channel).allow_poll({Where::equals(1, 1)});
  PolicyStamp::allow(filter);
  filter.allow(SYS_fstat).allow(SYS_close).allow(SYS_brk).allow(SYS_exit_group).allow(SYS_restart_syscall);
#ifdef UMLNET_SANITIZED
  // What the sanitizers' own run-time asks for. Not in a release build.
  for (const int call : {SYS_mmap, SYS_munmap, SYS_sigaltstack, SYS_futex, SYS_madvise}) filter.allow(call);
#endif
  return filter;
}

Result<TrustedOpener> TrustedOpener::start() {
  auto process = Assistant::start("process that opens the session's files", serve);
  if (!process) return std::unexpected(std::move(process.error()));
  return TrustedOpener(*std::move(process));
}

Result<FileWatch> TrustedOpener::begin(bool many) {
  const Beginning beginning{.many = many};
  auto message = process_.ask(bytes_of(beginning));
  if (!message) return std::unexpected(std::move(message.error()));
  const auto begun = object_of<Begun>(message->bytes);
  if (!begun) return fail(Code::bug, "a strange answer about the policy");
  if (begun->error != 0) return fail_about_the_policy(begun->error);
  return message->fds.empty() ? FileWatch() : FileWatch(std::move(message->fds[0]), begun->places);
}

Result<TrustedOpener::Opened> TrustedOpener::ask(unsigned tuns, const struct stat& log) {
  const Question question{.tuns = tuns, .log_device = log.st_dev, .log_inode = log.st_ino};
  auto message = process_.ask(bytes_of(question));
  if (!message) return std::unexpected(std::move(message.error()));
  const auto said = object_of<Answer>(message->bytes);
  if (!said) return fail(Code::bug, "a strange answer about /dev/net/tun");
  const Answer& answer = *said;
  if (answer.policy_error != 0) return fail_about_the_policy(answer.policy_error);
  policy_has_changed_ = policy_has_changed_ || answer.has_policy_changed;
  if (answer.log_error != 0)
    return fail_errno(Code::audit, answer.log_error, std::string("cannot open the audit log ") + kLog + " again",
                      "Nothing is granted without a record.");
  if (answer.tun_error != 0) return fail_errno(Code::kernel, answer.tun_error, "cannot open /dev/net/tun");
  Opened opened;
  opened.tuns = std::move(message->fds);
  if (answer.has_log && !opened.tuns.empty()) {
    opened.log = std::move(opened.tuns.back());
    opened.tuns.pop_back();
  }
  if (opened.tuns.size() != tuns) return fail(Code::bug, "a strange answer about /dev/net/tun");
  return opened;
}

Result<std::optional<unique_fd>> TrustedOpener::open(std::vector<unique_fd>& tuns, unsigned wanted, int log,
                                                     FileWatch& watch) {
  if (auto there = process_.check(); !there) return std::unexpected(std::move(there.error()));
  const unsigned missing = wanted > tuns.size() ? wanted - static_cast<unsigned>(tuns.size()) : 0;
  struct stat held{};
  if (!look_at_fd(log, held)) return fail_errno(Code::audit, errno, "cannot look at the audit log");
  // Before the question: what moves after it is for the next one.
  if (watch.take_log_moves() || !is_fit_to_be_the_log(held)) has_log_in_place_ = false;
  if (missing == 0 && has_log_in_place_) return std::nullopt;
  Result<Opened> opened;
  try_for(audit::kRotationTakes, [&] {
    opened = ask(missing == 0 ? 0 : missing + kAhead, held);
    if (!opened && opened.error().errnum == EMFILE && missing != 0) opened = ask(missing, held);
    return opened || opened.error().code != Code::audit || !audit::is_being_rotated(opened.error().errnum);
  });
  if (!opened) return std::unexpected(std::move(opened.error()));
  has_log_in_place_ = true;
  std::ranges::move(opened->tuns, std::back_inserter(tuns));
  return std::move(opened->log);
}

}  // namespace umlnet
