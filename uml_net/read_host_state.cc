#include "uml_net/read_host_state.h"

#include <algorithm>
#include <cerrno>
#include <functional>

#include "libumlnet/core/boot_time.h"

namespace umlnet {

using policy::HostState;
using rtnetlink::Message;

namespace {

template <class Record>
Result<void> dump(priv::RtnetlinkSocket& socket, const char* doing, rtnetlink::Bytes (*build)(std::uint32_t),
                  std::optional<Record> (*decode)(const Message&), std::vector<Record>& into) {
  return socket.dump(
      build, doing, [&] { into.clear(); },
      [&](const Message& message) {
        if (auto record = decode(message)) into.push_back(*std::move(record));
      });
}

// Both families in one dump: each has its own vector.
template <class V4, class V6>
Result<void> dump(priv::RtnetlinkSocket& socket, const char* doing, rtnetlink::Bytes (*build)(std::uint32_t),
                  std::optional<V4> (*decode_v4)(const Message&), std::optional<V6> (*decode_v6)(const Message&),
                  std::vector<V4>& into_v4, std::vector<V6>& into_v6) {
  return socket.dump(
      build, doing,
      [&] {
        into_v4.clear();
        into_v6.clear();
      },
      [&](const Message& message) {
        if (auto record = decode_v4(message)) into_v4.push_back(*std::move(record));
        if (auto record = decode_v6(message)) into_v6.push_back(*std::move(record));
      });
}

Result<void> read_settings(priv::RtnetlinkSocket& socket, int which, rtnetlink::Ipv4Settings& into) {
  return socket.get(rtnetlink::get_ipv4_settings(socket.next_sequence(), which), "cannot read the host's IPv4 settings",
                    [&](const Message& message) {
                      if (const auto settings = rtnetlink::ipv4_settings_of(message)) into = *settings;
                    });
}

// A kernel without IPv6 has none.
Result<void> read_ipv6_settings(priv::RtnetlinkSocket& socket, rtnetlink::Ipv6Settings& into) {
  const auto read = socket.get(rtnetlink::get_ipv6_settings(socket.next_sequence(), rtnetlink::kAllDevices),
                               "cannot read the host's IPv6 settings", [&](const Message& message) {
                                 if (const auto settings = rtnetlink::ipv6_settings_of(message)) into = *settings;
                               });
  return read || read.error().errnum == EOPNOTSUPP ? Result<void>() : read;
}

// Where IPv4 has no main table yet, as in a new network namespace, no route is in it.
Result<void> read_ipv4_routes(priv::RtnetlinkSocket& socket, std::vector<rtnetlink::Route>& into) {
  const auto read = dump(socket, "cannot read the routes", rtnetlink::dump_main_routes, rtnetlink::route_of, into);
  return read || read.error().errnum == ENOENT ? Result<void>() : read;
}

bool has_own_entries(const HostState& host) {
  const auto is_own = [](const auto& entry) { return rtnetlink::is_our_protocol(entry.protocol); };
  return std::ranges::any_of(host.proxy_entries, is_own) || std::ranges::any_of(host.ipv6_proxy_entries, is_own);
}

}  // namespace

Result<HostState> read_host_state(priv::RtnetlinkSocket& socket, policy::Extent extent) {
  HostState host;
  host.read_at = boot_time();
  // Proxy entries before routes: a helper that adds an address makes the route first, so that no entry seen here can
  // look stale only because its route was not there yet.
  if (extent != policy::Extent::links)
    if (auto read =
            dump(socket, "cannot read the proxy entries", rtnetlink::dump_all_proxy_entries, rtnetlink::proxy_entry_of,
                 rtnetlink::ipv6_proxy_entry_of, host.proxy_entries, host.ipv6_proxy_entries);
        !read)
      return std::unexpected(std::move(read.error()));
  if (has_own_entries(host)) extent = policy::Extent::everything;
  const bool only_ipv4 = extent == policy::Extent::ipv4_addresses, addresses = extent >= policy::Extent::addresses,
             settings = extent == policy::Extent::everything;
  struct Step {
    bool wanted;
    std::function<Result<void>()> read;
  };
  const Step steps[] = {
      {addresses,
       [&] {
         return dump(socket, "cannot read the routes", rtnetlink::dump_all_routes, rtnetlink::route_of,
                     rtnetlink::ipv6_route_of, host.routes, host.ipv6_routes);
       }},
      {only_ipv4, [&] { return read_ipv4_routes(socket, host.routes); }},
      {true,
       [&] { return dump(socket, "cannot read the devices", rtnetlink::dump_links, rtnetlink::link_of, host.links); }},
      {addresses,
       [&] {
         return dump(socket, "cannot read the addresses", rtnetlink::dump_all_addresses, rtnetlink::address_of,
                     rtnetlink::ipv6_address_of, host.addresses, host.ipv6_addresses);
       }},
      {only_ipv4,
       [&] {
         return dump(socket, "cannot read the addresses", rtnetlink::dump_addresses, rtnetlink::address_of,
                     host.addresses);
       }},
      {settings, [&] { return read_settings(socket, rtnetlink::kAllDevices, host.all); }},
      {settings, [&] { return read_settings(socket, rtnetlink::kDefaultDevice, host.default_device); }},
      {settings, [&] { return read_ipv6_settings(socket, host.ipv6_all); }},
  };
  for (const auto& step : steps)
    if (step.wanted)
      if (auto read = step.read(); !read) return std::unexpected(std::move(read.error()));
  return host;
}

std::uint64_t read_tx_dropped(priv::RtnetlinkSocket& socket, const std::string& name) {
  std::uint64_t dropped = 0;
  const auto read = socket.get(rtnetlink::get_link(socket.next_sequence(), name), "cannot read the device's statistics",
                               [&](const Message& message) {
                                 if (const auto link = rtnetlink::link_of(message)) dropped = link->tx_dropped;
                               });
  return read ? dropped : 0;
}

}  // namespace umlnet
