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

Operation operation_of(const Request& request) {
  struct Visitor {
    Operation operator()(const MakeTap&) const { return Operation::tuntap; }
    Operation operator()(const OpenEthertap&) const { return Operation::ethertap; }
    Operation operator()(const MakeBridgedTap&) const { return Operation::bridge; }
    Operation operator()(const AddAddress&) const { return Operation::address; }
    Operation operator()(const DeleteAddress&) const { return Operation::address; }
    Operation operator()(const OpenInterface&) const { return Operation::open; }
    Operation operator()(const RemoveInterface&) const { return Operation::open; }
    Operation operator()(const OpenSession&) const { return Operation::open; }
    Operation operator()(const CollectGarbage&) const { return Operation::gc; }
  };
  return std::visit(Visitor{}, request);
}

std::string_view request_name(const Request& request) {
  if (std::holds_alternative<AddAddress>(request)) return "add";
  if (std::holds_alternative<DeleteAddress>(request)) return "del";
  if (std::holds_alternative<RemoveInterface>(request)) return "remove";
  if (std::holds_alternative<OpenSession>(request)) return "session";
  return operation_name(operation_of(request));
}

}  // namespace umlnet
