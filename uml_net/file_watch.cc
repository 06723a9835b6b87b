#include "uml_net/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "policy/location.h"

namespace umlnet {
namespace {

constexpr std::uint32_t kEnds = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;  // of the directory itself
constexpr std::uint32_t kMoves = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kChanges = kMoves | IN_MODIFY | IN_ATTRIB;

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }
std::string directory_of(std::string_view path) { return std::string(path.substr(0, path.rfind('/'))); }

// A file of the policy, its directory of drop-ins, or one of the directories themselves (""). What an editor puts
// beside a file as soon as somebody looks at it is none.
bool is_of_the_policy(std::string_view name) {
  return name.empty() || name == last_part(policy::kPolicyDirectory) ||
         (!name.starts_with('.') && name.ends_with(".json"));
}

}  // namespace

Result<FileWatch> FileWatch::begin() {
  FileWatch watch(unique_fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)));
  if (!watch.fd_) return fail_errno(Code::kernel, errno, "cannot watch the policy");
  // The directories of policy and log may be one.
  const auto add = [&](const std::string& directory, std::uint32_t what) {
    return ::inotify_add_watch(watch.fd_.get(), directory.c_str(), what | IN_ONLYDIR | IN_MASK_ADD);
  };
  const std::array directories = {directory_of(policy::kPolicyFile), std::string(policy::kPolicyDirectory)};
  for (std::size_t i = 0; i < directories.size(); ++i) {
    watch.policy_[i] = add(directories[i], kChanges);
    if (watch.policy_[i] < 0 && errno != ENOENT)
      return fail_errno(Code::kernel, errno, "cannot watch the policy in " + directories[i]);
  }
  watch.log_ = add(directory_of(policy::kAuditLog), kMoves);
  return watch;
}

void FileWatch::take_events() {
  alignas(inotify_event) std::array<char, 4096> events;
  ssize_t size = 0;
  while ((size = ::read(fd_.get(), events.data(), events.size())) > 0)
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(events.data() + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      const std::string_view name = event->len != 0 ? event->name : "";
      const bool lost = (event->mask & IN_Q_OVERFLOW) != 0;
      if (lost || (std::ranges::find(policy_, event->wd) != policy_.end() && is_of_the_policy(name)))
        policy_has_changed_ = true;
      if (lost || (event->wd == log_ && (event->mask & kMoves) != 0 && name == last_part(policy::kAuditLog)))
        log_has_moved_ = true;
      if (event->wd == log_ && (event->mask & kEnds) != 0) log_ = -1;
    }
}

bool FileWatch::policy_has_changed() {
  take_events();
  return policy_has_changed_;
}

bool FileWatch::take_log_moves() {
  take_events();
  return std::exchange(log_has_moved_, false) || log_ < 0;
}

}  // namespace umlnet
