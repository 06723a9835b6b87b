// A pattern for names of devices: `*`, `?` and `[...]` as in the shell ("tap*", "uml[0-9]*").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libumlnet/core/ifname.h"
#include "libumlnet/core/rtnetlink.h"

namespace umlnet::policy {

class DevicePattern {
 public:
  // 1 to 64 bytes of what a device name may hold, and `*`, `?`, `[abc]`, `[a-z]`, `[!a-z]`; brackets must close. It
  // must match a name of at most `longest` bytes.
  static std::optional<DevicePattern> parse(std::string_view text, std::size_t longest = IfName::kSize - 1);

  bool matches(std::string_view name) const;
  // A name that it matches; nothing where it matches none that a device can have, as with ".".
  std::optional<std::string> example() const;
  // Whether it is a name, and so matches only that.
  bool is_name() const { return text_.find_first_of("*?[") == std::string::npos; }
  const std::string& str() const { return text_; }

 private:
  explicit DevicePattern(std::string_view text) : text_(text) {}
  std::string text_;
};

// Whether one of the patterns matches the name, or a name of the device.
bool match_any(const std::vector<DevicePattern>& patterns, std::string_view name);
bool match_any(const std::vector<DevicePattern>& patterns, const rtnetlink::Link& device);

}  // namespace umlnet::policy
