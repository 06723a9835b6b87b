#include "libumlnet/core/root_owned.h"

namespace umlnet {

std::optional<NotRoots> why_not_roots(const struct stat& status, mode_t type, mode_t others, bool has_one_link) {
  if (S_ISLNK(status.st_mode)) return NotRoots::is_link;
  if ((status.st_mode & S_IFMT) != type) return NotRoots::other_type;
  if (status.st_uid != 0) return NotRoots::other_owner;
  if (has_one_link && status.st_nlink != 1) return NotRoots::several_links;
  if ((status.st_mode & others) != 0) return NotRoots::writable;
  return std::nullopt;
}

}  // namespace umlnet
