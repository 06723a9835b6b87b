// A pattern for device names: `*`, `?` and `[...]` as in the shell ("tap*", "uml[0-9]*").
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libumlnet/core/ifname.h"

namespace umlnet::policy {

class DevicePattern {
 public:
  // 1 to 64 bytes of what a device name may hold, and `*`, `?`, `[abc]`, `[a-z]`, `[!a-z]`; brackets must close.
  static std::optional<DevicePattern> parse(std::string_view text);

  bool matches(const IfName& name) const;
  // A name that it matches; nothing where it matches none that a device can have, as with ".".
  std::optional<IfName> example() const;
  const std::string& str() const { return text_; }

 private:
  explicit DevicePattern(std::string_view text) : text_(text) {}
  std::string text_;
};

}  // namespace umlnet::policy
