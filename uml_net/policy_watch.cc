#include "uml_net/policy_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "policy/location.h"

namespace umlnet {
namespace {

constexpr std::uint32_t kChanges = IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

// A file of the policy, its directory of drop-ins, or one of the directories themselves (""). What an editor puts
// beside a file as soon as somebody looks at it is none.
bool is_of_the_policy(std::string_view name) {
  const std::string_view drop_ins = policy::kPolicyDirectory;
  return name.empty() || name == drop_ins.substr(drop_ins.rfind('/') + 1) ||
         (!name.starts_with('.') && name.ends_with(".json"));
}

}  // namespace

Result<PolicyWatch> PolicyWatch::begin() {
  unique_fd fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!fd) return fail_errno(Code::kernel, errno, "cannot watch the policy");
  const std::string file = policy::kPolicyFile;
  for (const std::string& directory : {file.substr(0, file.rfind('/')), std::string(policy::kPolicyDirectory)})
    if (::inotify_add_watch(fd.get(), directory.c_str(), kChanges) < 0 && errno != ENOENT)
      return fail_errno(Code::kernel, errno, "cannot watch the policy in " + directory);
  return PolicyWatch(std::move(fd));
}

bool PolicyWatch::has_changed() {
  alignas(inotify_event) std::array<char, 4096> events;
  ssize_t size = 0;
  while (!changed_ && (size = ::read(fd_.get(), events.data(), events.size())) > 0)
    for (ssize_t at = 0; at < size;) {
      const auto* event = reinterpret_cast<const inotify_event*>(events.data() + at);
      changed_ = changed_ || is_of_the_policy(event->len != 0 ? event->name : "");
      at += static_cast<ssize_t>(sizeof *event + event->len);
    }
  return changed_;
}

}  // namespace umlnet
