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

  // ALTIFNAMSIZ of linux/if.h, for alternative names.
  static constexpr std::size_t kAlternativeSize = 128;

  // What the kernel takes as a name (1 to 15 bytes, not "." or "..", no '/', ':' or space), less what would mislead a
  // reader or be expanded: '%', control bytes, anything that is not ASCII.
  static std::optional<IfName> parse(std::string_view text);

  // The same for a device that is there, which can be named by an alternative name too: 1 to 127 bytes.
  static std::optional<IfName> parse_existing(std::string_view text);

  // Whether the name has letters, digits, '.', '_' and '-' only, and no '-' in front: no shell, script or option parser
  // reads it as anything but a name.
  bool is_plain() const;

  const std::string& str() const { return name_; }
  auto operator<=>(const IfName&) const = default;

 private:
  static std::optional<IfName> parse_shorter_than(std::size_t size, std::string_view text);
  explicit IfName(std::string_view name) : name_(name) {}
  std::string name_;
};

}  // namespace umlnet
