// The kernel's settings below /proc/sys.
#pragma once

#include <optional>
#include <string>

#include "libumlnet/cli/host_view.h"

namespace umlnet::cli {

// A setting of one digit, which is all that these files hold. None if it cannot be read or is no digit.
inline std::optional<int> kernel_setting(const HostView& host, const std::string& path) {
  const auto text = host.read(path);
  if (!text || text->empty() || text->front() < '0' || text->front() > '9') return std::nullopt;
  return text->front() - '0';
}

}  // namespace umlnet::cli
