#include "uml_net/sys/take_identity.h"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace umlnet {

Result<void> take_identity(uid_t uid, gid_t gid) {
  if (::setresgid(gid, gid, gid) != 0)
    return fail_errno(Code::kernel, errno, "cannot become gid " + std::to_string(gid));
  if (::setresuid(uid, uid, uid) != 0)
    return fail_errno(Code::kernel, errno, "cannot become uid " + std::to_string(uid));
  uid_t uids[3];
  gid_t gids[3];
  if (::getresuid(&uids[0], &uids[1], &uids[2]) != 0 || ::getresgid(&gids[0], &gids[1], &gids[2]) != 0)
    return fail_errno(Code::kernel, errno, "cannot read the process's identity");
  for (const auto is : uids)
    if (is != uid) return fail(Code::bug, "the change to uid " + std::to_string(uid) + " did not hold");
  for (const auto is : gids)
    if (is != gid) return fail(Code::bug, "the change to gid " + std::to_string(gid) + " did not hold");
  return {};
}

}  // namespace umlnet
