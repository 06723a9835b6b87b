// The one check for files of root's that nobody else has a say in.
#pragma once

#include <sys/stat.h>

#include <optional>

namespace umlnet {

// What keeps a file from being one, in the order in which it is looked at.
enum class NotRoots { is_link, other_type, other_owner, several_links, writable };

// Nothing where the file that fstat(2) described as `status` is of `type` (S_IFREG, ...), root's, has one name where it
// `has_one_link`, and is writable by none of `others` (S_IWGRP, S_IWOTH) besides.
std::optional<NotRoots> why_not_roots(const struct stat& status, mode_t type, mode_t others, bool has_one_link);

}  // namespace umlnet
