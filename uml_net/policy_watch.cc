#include "uml_net/policy_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "policy/location.h"

namespace umlnet {
namespace {

constexpr std::uint32_t kChanges = IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB |
                                   IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

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
  if (!changed_) changed_ = ::read(fd_.get(), events.data(), events.size()) > 0;
  return changed_;
}

}  // namespace umlnet
