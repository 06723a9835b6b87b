// The name of a network device.
#pragma once

#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace umlnet {

class IfName {
 public:
  // IFNAMSIZ of linux/if.h: 15 bytes and the NUL behind them.
  static constexpr std::size_t kSize = 16;

  // What the kernel takes as a name (1 to 15 bytes, not "." or "..", no '/', ':' or space), less what would mislead a
  // reader or be expanded: '%', control bytes, anything that is not ASCII.
  static std::optional<IfName> parse(std::string_view text);

  // Whether the name has letters, digits, '.', '_' and '-' only, and no '-' in front: no shell, script or option parser
  // reads it as anything but a name.
  bool is_plain() const;

  const std::string& str() const { return name_; }
  auto operator<=>(const IfName&) const = default;

 private:
  explicit IfName(std::string_view name) : name_(name) {}
  std::string name_;
};

}  // namespace umlnet
