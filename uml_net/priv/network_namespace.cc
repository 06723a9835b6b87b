#include "uml_net/priv/network_namespace.h"

#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include <cerrno>
#include <string>

#include "libumlnet/core/netlink_socket.h"

namespace umlnet::priv {

namespace {

// Whether `fd` is of the kernel's own file system of namespaces. Any other file may be one of a file system of the
// caller's (FUSE), which answers every ioctl with whatever number the caller likes.
bool is_of_nsfs(int fd) {
  struct statfs status{};
  return ::fstatfs(fd, &status) == 0 && status.f_type == NSFS_MAGIC;
}

}  // namespace

Result<void> check_namespace_of(int netns, uid_t uid) {
  if (!is_of_nsfs(netns) || ::ioctl(netns, NS_GET_NSTYPE) != CLONE_NEWNET)
    return fail(Code::bad_channel, "the descriptor that netns= names is no network namespace",
                "Open one, as in /proc/PID/ns/net, and leave its descriptor to uml_net.");
  const unique_fd owner(::ioctl(netns, NS_GET_USERNS));
  if (!owner && errno == EMFILE)
    return fail_errno(Code::kernel, EMFILE, "cannot find the user namespace of the network namespace",
                      "Close devices, or begin with a higher limit on open files (ulimit -n).");
  uid_t made_by = 0;
  // A namespace that is not within this one's reach does not even say whose it is.
  const bool is_known = owner && ::ioctl(owner.get(), NS_GET_OWNER_UID, &made_by) == 0;
  if (!is_known || made_by != uid)
    return fail(Code::denied, "the network namespace that netns= names does not belong to uid " + std::to_string(uid),
                "It must have been made in a user namespace of your own, as by: unshare --user --net");
  return {};
}

Result<unique_fd> open_rtnetlink_in(int netns) {
  if (!is_of_nsfs(netns)) return fail(Code::bad_channel, "the descriptor is no namespace");
  const unique_fd owner(::ioctl(netns, NS_GET_USERNS));
  if (!owner) return fail_errno(Code::kernel, errno, "cannot find the network namespace's user namespace");
  if (::setns(owner.get(), CLONE_NEWUSER) != 0)
    return fail_errno(Code::kernel, errno, "cannot enter the network namespace's user namespace");
  if (::setns(netns, CLONE_NEWNET) != 0) return fail_errno(Code::kernel, errno, "cannot enter the network namespace");
  return open_netlink(NETLINK_ROUTE, "cannot open a socket to the network namespace's configuration");
}

}  // namespace umlnet::priv
