// How uml_net is called, as --helper, --timeout and --quiet say.
#pragma once

#include <string>

#include "umlnet/umlnet.h"

namespace umlnet::cli {

struct HelperOptions {
  std::string helper;  // "": where it was installed, else in PATH
  int timeout_ms = 0;  // 0: the library's
  bool quiet = false;

  // What the helper explains goes to stderr, unless quiet. Valid as long as this object.
  umlnet_options for_library() const;
};

}  // namespace umlnet::cli
