#include "libumlnet/client/transport_registry.h"

#include <algorithm>
#include <deque>
#include <mutex>

#include "libumlnet/client/custom_transport.h"
#include "libumlnet/client/ethertap_transport.h"
#include "libumlnet/client/tuntap_transport.h"

namespace umlnet::client {
namespace {

struct Registry {
  std::mutex mutex;
  std::deque<TransportKind> kinds{tuntap_transport(), ethertap_transport()};  // a deque: nothing in it ever moves

  // Never destroyed: some thread may still use it when the process ends.
  static Registry& get() {
    static auto* const registry = new Registry;
    return *registry;
  }
};

}  // namespace

const TransportKind* find_transport(std::string_view name) {
  auto& registry = Registry::get();
  const std::scoped_lock lock(registry.mutex);
  const auto found = std::ranges::find(registry.kinds, name, &TransportKind::name);
  return found != registry.kinds.end() ? &*found : nullptr;
}

const TransportKind* transport_number(std::size_t index) {
  auto& registry = Registry::get();
  const std::scoped_lock lock(registry.mutex);
  return index < registry.kinds.size() ? &registry.kinds[index] : nullptr;
}

Outcome<void> add_transport(TransportKind kind) {
  auto& registry = Registry::get();
  const std::scoped_lock lock(registry.mutex);
  if (std::ranges::find(registry.kinds, kind.name, &TransportKind::name) != registry.kinds.end())
    return failed(UMLNET_STATE, "there is a transport " + kind.name + " already");
  registry.kinds.push_back(std::move(kind));
  return {};
}

}  // namespace umlnet::client

extern "C" {

umlnet_code umlnet_transport_register(const umlnet_transport* transport, umlnet_error* error) {
  using namespace umlnet::client;
  return at_border(error, [&]() -> Outcome<void> {
    auto kind = custom_transport(transport);
    if (!kind) return std::unexpected(std::move(kind.error()));
    return add_transport(*std::move(kind));
  });
}

const char* umlnet_transport_name(size_t index) {
  const auto* kind = umlnet::client::transport_number(index);
  return kind != nullptr ? kind->name.c_str() : nullptr;
}

}  // extern "C"
