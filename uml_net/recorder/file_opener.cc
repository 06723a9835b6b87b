#include "uml_net/recorder/file_opener.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include "libumlnet/core/look_at_fd.h"
#include "policy/location.h"
#include "uml_net/recorder/audit_log.h"
#include "uml_net/recorder/policy_reader.h"
#include "uml_net/sys/open_file_limit.h"
#include "uml_net/sys/retry_for.h"
#include "uml_net/sys/signals.h"

namespace umlnet {
namespace {

// The filter compares addresses, so each path is one object.
constexpr const char* kTun = "/dev/net/tun";
constexpr const char* kLog = policy::kAuditLog;
constexpr int kTunFlags = O_RDWR | O_CLOEXEC;
constexpr int kLogFlags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

enum class Asked : std::uint8_t { open, file, forget, remember };

// After `remember`, the file's path, a NUL byte and its text follow.
struct Question {
  Asked what = Asked::open;
  unsigned number = 0;  // of descriptors on /dev/net/tun, or of the policy's file
  dev_t log_device = 0;
  ino_t log_inode = 0;
};

// To `open`, with the descriptors.
struct Answer {
  int tun_error = 0;
  int log_error = 0;
  bool has_log = false;
  bool has_policy_changed = false;
};

// To the others; to `file` with the descriptor, and the file's path follows.
struct FileAnswer {
  int error = 0;
  bool is_there = false;
};

constexpr std::size_t kLongestPath = 4096;  // bytes
constexpr std::size_t kLongestQuestion = sizeof(Question) + kLongestPath + policy::kMaxFileSize;

using Policy = std::vector<policy::PolicyText>;

// The directories above it were looked at when the session began; only root can change what lies in them.
bool is_fit_to_be_the_log(const struct stat& status) {
  return S_ISREG(status.st_mode) && status.st_uid == 0 && status.st_nlink == 1 && (status.st_mode & S_IWOTH) == 0;
}

void open_for(int channel, const Question& question, const Policy& policy) {
  Answer answer{.has_policy_changed = !is_policy(policy)};
  std::array<unique_fd, kMaxPassedFds> opened;
  std::array<int, kMaxPassedFds> fds{};
  std::size_t count = 0;
  const auto add = [&](int fd) {
    opened[count] = unique_fd(fd);
    fds[count++] = fd;
  };
  // One place is the log's.
  for (unsigned i = 0; i < question.number && i + 1 < kMaxPassedFds && answer.tun_error == 0; ++i) {
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

void open_policy_file(int channel, unsigned wanted) {
  FileAnswer answer;
  std::string path = policy::kPolicyRoot;
  unique_fd found;
  unsigned number = 0;
  const int error = for_each_policy_file([&](const std::string& name, std::expected<unique_fd, int> file) {
    if (number++ < wanted) return true;
    path = name;
    answer = {.error = file ? 0 : file.error(), .is_there = file.has_value()};
    if (file) found = *std::move(file);
    return false;
  });
  if (error != 0) answer.error = error;
  const auto send = [&] {
    const int fd = found.get();
    return send_with_fds(channel, std::string(bytes_of(answer)) + path, std::span(&fd, found ? 1 : 0));
  };
  if (auto sent = send(); !sent && found) {  // too many of this user's descriptors are on their way
    answer = {.error = sent.error().errnum};
    found.reset();
    sent = send();
  }
}

void answer(int channel, std::string_view message, Policy& policy) {
  const auto question = object_of<Question>(message.substr(0, sizeof(Question)));
  if (!question) ::_exit(1);
  switch (question->what) {
    case Asked::open: return open_for(channel, *question, policy);
    case Asked::file: return open_policy_file(channel, question->number);
    case Asked::forget: policy.clear(); break;
    case Asked::remember: {
      const auto file = message.substr(sizeof(Question));
      const auto end = std::min(file.find('\0'), file.size());
      policy.push_back({std::string(file.substr(0, end)), std::string(file.substr(std::min(end + 1, file.size())))});
    }
  }
  [[maybe_unused]] const auto sent = send_with_fds(channel, bytes_of(FileAnswer{}), {});
}

template <bool kMany>
void serve(int channel, int /*kept*/) {
  // Its channel's end ends it, and not a signal that was meant for the session, which asks once more for its last line.
  block_all_signals();
  raise_open_file_limit();   // for those that it opens for one question
  ::mallopt(M_MMAP_MAX, 0);  // the filter allows no mmap(2), which could replace a pinned path
  if (!enter_policy_directory() || !opener_filter(channel, kMany).enter()) return;
  Policy policy;
  while (const auto message = next_question(channel, kLongestQuestion)) answer(channel, message->bytes, policy);
}

}  // namespace

SeccompFilter opener_filter(int channel, bool opens_tun) {
  using ArgMatch = SeccompFilter::ArgMatch;
  const auto at = [](const char* path) { return ArgMatch::equals(1, reinterpret_cast<std::uint64_t>(path)); };
  SeccompFilter filter;
  if (opens_tun) filter.allow(SYS_openat, {at(kTun), ArgMatch::equals(2, kTunFlags)});
  filter.allow(SYS_openat, {at(kLog), ArgMatch::equals(2, kLogFlags)});
  filter.allow_on_fd(SYS_recvmsg, channel).allow_on_fd(SYS_sendmsg, channel).allow_poll({ArgMatch::equals(1, 1)});
  allow_policy_reading(filter);
  filter.allow(SYS_fstat).allow(SYS_close).allow(SYS_brk).allow(SYS_exit_group).allow(SYS_restart_syscall);
#ifdef UMLNET_SANITIZED
  // What the sanitizers' own run-time asks for. Not in a release build.
  for (const int call : {SYS_mmap, SYS_munmap, SYS_sigaltstack, SYS_futex, SYS_madvise}) filter.allow(call);
#endif
  return filter;
}

Result<FileOpener> FileOpener::start(bool many) {
  auto process = Worker::start("process that opens the session's files", many ? serve<true> : serve<false>);
  if (!process) return std::unexpected(std::move(process.error()));
  return FileOpener(*std::move(process));
}

Result<void> FileOpener::remember(std::span<const policy::PolicyText> policy) {
  const auto say = [&](Asked what, const std::string& file) -> Result<void> {
    const auto answer = process_.ask(std::string(bytes_of(Question{.what = what})) + file);
    return answer ? Result<void>() : std::unexpected(answer.error());
  };
  auto said = say(Asked::forget, {});
  for (const auto& file : policy)
    if (said) said = say(Asked::remember, file.path + '\0' + file.text);
  return said;
}

Result<std::optional<FileOpener::PolicyFile>> FileOpener::policy_file(unsigned number) {
  auto message = process_.ask(bytes_of(Question{.what = Asked::file, .number = number}));
  if (!message) return std::unexpected(std::move(message.error()));
  const auto answer = object_of<FileAnswer>(std::string_view(message->bytes).substr(0, sizeof(FileAnswer)));
  if (!answer || message->fds.size() != (answer->is_there ? 1 : 0))
    return fail(Code::bug, "a strange answer about the policy");
  std::string path = message->bytes.substr(sizeof(FileAnswer));
  if (answer->error != 0)
    return fail_errno(Code::bad_policy, answer->error, "cannot read the policy: cannot open " + path,
                      "The administrator finds what is wrong by: umlnet policy check");
  if (!answer->is_there) return std::nullopt;
  return PolicyFile{std::move(path), std::move(message->fds[0])};
}

Result<FileOpener::Opened> FileOpener::ask(unsigned tuns, const struct stat& log) {
  const Question question{.what = Asked::open, .number = tuns, .log_device = log.st_dev, .log_inode = log.st_ino};
  auto message = process_.ask(bytes_of(question));
  if (!message) return std::unexpected(std::move(message.error()));
  const auto said = object_of<Answer>(message->bytes);
  if (!said) return fail(Code::bug, "a strange answer about /dev/net/tun");
  const Answer& answer = *said;
  policy_has_changed_ = answer.has_policy_changed;
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

Result<std::optional<unique_fd>> FileOpener::open(std::vector<unique_fd>& tuns, unsigned wanted, int log) {
  const unsigned missing = wanted > tuns.size() ? wanted - static_cast<unsigned>(tuns.size()) : 0;
  struct stat held{};
  if (!look_at_fd(log, held)) return fail_errno(Code::audit, errno, "cannot look at the audit log");
  Result<Opened> opened;
  retry_for(audit::kRotationTakes, [&] {
    opened = ask(missing == 0 ? 0 : missing + kAhead, held);
    if (!opened && opened.error().errnum == EMFILE && missing != 0) opened = ask(missing, held);
    return opened || opened.error().code != Code::audit || !audit::is_being_rotated(opened.error().errnum);
  });
  if (!opened) return std::unexpected(std::move(opened.error()));
  std::ranges::move(opened->tuns, std::back_inserter(tuns));
  return std::move(opened->log);
}

}  // namespace umlnet
