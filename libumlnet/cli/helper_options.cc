#include "libumlnet/cli/helper_options.h"

#include <cstdio>

namespace umlnet::cli {

umlnet_options HelperOptions::for_library() const {
  umlnet_options options = UMLNET_OPTIONS_INIT;
  if (!helper.empty()) options.helper = helper.c_str();
  options.timeout_ms = timeout_ms;
  if (!quiet) options.note = [](void*, const char* text) { std::fputs(text, stderr); };
  return options;
}

}  // namespace umlnet::cli
