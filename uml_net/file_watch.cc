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
#include "uml_net/identity.h"
#include "uml_net/policy_stamp.h"

namespace umlnet {
namespace {

constexpr std::size_t kLog = 2;                                                           // of the places
constexpr std::uint32_t kEnds = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;  // of the directory itself
constexpr std::uint32_t kMoves = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::uint32_t kChanges = kMoves | IN_MODIFY | IN_ATTRIB;

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('/') + 1); }
std::string directory_of(std::string_view path) { return std::string(path.substr(0, path.rfind('/'))); }

}  // namespace

FileWatch FileWatch::begin() {
  FileWatch watch;
  if (!as_real_uid([&] { watch.fd_ = unique_fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)); }) || !watch.fd_) return {};
  // The directories of policy and log may be one.
  const auto add = [&](const std::string& directory, std::uint32_t what) {
    return ::inotify_add_watch(watch.fd_.get(), directory.c_str(), what | IN_ONLYDIR | IN_MASK_ADD);
  };
  for (std::size_t i = 0; i < kPolicyDirectories.size(); ++i) {
    watch.places_[i] = add(kPolicyDirectories[i], kChanges);
    if (watch.places_[i] < 0 && (i == 0 || errno != ENOENT)) return {};
  }
  watch.places_[kLog] = add(directory_of(policy::kAuditLog), kMoves);
  return watch;
}

void FileWatch::take_events() {
  alignas(inotify_event) std::array<char, 4096> events;
  ssize_t size = 0;
  while (fd_ && (size = ::read(fd_.get(), events.data(), events.size())) > 0)
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(events.data() + at);
      at += static_cast<ssize_t>(sizeof *event + event->len);
      const std::string_view name = event->len != 0 ? event->name : "";
      const bool lost = (event->mask & IN_Q_OVERFLOW) != 0;
      const auto place = static_cast<std::size_t>(std::ranges::find(places_, event->wd) - places_.begin());
      // Without a name: the directory itself.
      const bool of_policy = place < kLog && (name.empty() || is_of_the_policy(place, name));
      const bool of_log = event->wd == places_[kLog];
      if (lost || of_policy) policy_has_changed_ = true;
      if (lost || (of_log && (event->mask & kMoves) != 0 && name == last_part(policy::kAuditLog)))
        log_has_moved_ = true;
      if (of_log && (event->mask & kEnds) != 0) places_[kLog] = -1;
    }
}

bool FileWatch::policy_has_changed() {
  take_events();
  return policy_has_changed_;
}

bool FileWatch::take_log_moves() {
  take_events();
  return std::exchange(log_has_moved_, false) || places_[kLog] < 0;
}

}  // namespace umlnet
