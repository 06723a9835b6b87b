// How uml_net is called, as --helper, --timeout and --quiet say.
#pragma once

#include <getopt.h>

#include <span>
#include <string>

#include "libumlnet/cli/trouble.h"
#include "umlnet/umlnet.h"

namespace umlnet::cli {

struct HelperOptions {
  std::string helper;  // "": where it was installed, else in PATH
  int timeout_ms = 0;  // 0: the library's
  bool quiet = false;

  // The letters are "qt:".
  static std::span<const option> table();
  // Takes what getopt_long() returned, with its value; false where that is an option of somebody else's.
  Outcome<bool> take(int letter, const std::string& value);

  // What the helper explains goes to stderr, unless quiet. Valid as long as this object.
  umlnet_options for_library() const;
};

}  // namespace umlnet::cli
