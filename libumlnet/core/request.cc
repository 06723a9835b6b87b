#include "libumlnet/core/request.h"

#include <charconv>
#include <limits>
#include <system_error>

namespace umlnet {

std::optional<DeviceOwner> DeviceOwner::parse(std::string_view text) {
  DeviceOwner owner;
  if (text.starts_with(':')) {
    owner.kind = Kind::group;
    text.remove_prefix(1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), owner.id);
  // The largest number is nobody's: the kernel's "none".
  if (error != std::errc{} || end != text.data() + text.size() || owner.id == std::numeric_limits<id_t>::max())
    return std::nullopt;
  return owner;
}

std::string DeviceOwner::str() const { return (kind == Kind::group ? ":" : "") + std::to_string(id); }

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::tuntap: return "tuntap";
    case Operation::ethertap: return "ethertap";
    case Operation::address: return "address";
    case Operation::bridge: return "bridge";
    case Operation::open: return "open";
    case Operation::gc: return "gc";
  }
  return "unknown";
}

}  // namespace umlnet
