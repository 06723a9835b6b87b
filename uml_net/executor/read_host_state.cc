#include "uml_net/executor/read_host_state.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>

#include "libumlnet/core/boot_time.h"
#include "libumlnet/core/device_marks.h"

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

// `build` dumps routes of one family or of both. Only on a host with nexthop objects there may be more to ask.
Result<void> read_routes(priv::RtnetlinkSocket& socket, rtnetlink::Bytes (*build)(std::uint32_t), HostState& host) {
  auto read = socket.dump(
      build, "cannot read the routes",
      [&] {
        host.routes.clear();
        host.ipv6_routes.clear();
      },
      [&](const Message& message) {
        std::ranges::move(rtnetlink::routes_of(message), std::back_inserter(host.routes));
        std::ranges::move(rtnetlink::ipv6_routes_of(message), std::back_inserter(host.ipv6_routes));
      });
  if (!read || !rtnetlink::lack_nexthops(host.routes, host.ipv6_routes)) return read;
  std::vector<rtnetlink::Nexthop> nexthops;
  read = dump(socket, "cannot read the nexthop objects", rtnetlink::dump_nexthops, rtnetlink::nexthop_of, nexthops);
  rtnetlink::put_nexthops(nexthops, host.routes, host.ipv6_routes);
  return read;
}

// What the kernel says of one address that is asked for as a guest's. That it is not there is an answer.
Result<void> look_up(priv::RtnetlinkSocket& socket, const IpAddress& address, HostState& host) {
  const auto routed = socket.get(rtnetlink::look_up_route(socket.next_sequence(), address), "cannot look up a route",
                                 [&](const Message& message) {
                                   if (rtnetlink::is_for_the_host(message)) host.local_addresses.push_back(address);
                                 });
  if (!routed && !rtnetlink::means_no_route(routed.error().errnum)) return routed;
  for (const int ifindex : policy::on_link_devices(host, address)) {
    const auto known = socket.get(rtnetlink::get_neighbour(socket.next_sequence(), ifindex, address),
                                  "cannot look up a neighbour", [&](const Message& message) {
                                    if (rtnetlink::is_answering(message)) host.neighbours.push_back(address);
                                  });
    if (!known && known.error().errnum != ENOENT && known.error().errnum != ENODEV) return known;
  }
  return {};
}

bool has_own_entries(const HostState& host) {
  const auto is_own = [](const auto& entry) { return rtnetlink::is_our_protocol(entry.protocol); };
  return std::ranges::any_of(host.proxy_entries, is_own) || std::ranges::any_of(host.ipv6_proxy_entries, is_own);
}

bool has_marks(const HostState& host) {
  return std::ranges::any_of(host.links,
                             [](const auto& link) { return std::ranges::any_of(link.alternative_names, is_mark); });
}

}  // namespace

Result<HostState> read_host_state(priv::RtnetlinkSocket& socket, policy::HostStateScope extent) {
  HostState host;
  host.read_at = boot_time();
  // Proxy entries before routes: a helper that adds an address makes the route first, so that no entry seen here can
  // look stale only because its route was not there yet.
  if (extent != policy::HostStateScope::links)
    if (auto read =
            dump(socket, "cannot read the proxy entries", rtnetlink::dump_all_proxy_entries, rtnetlink::proxy_entry_of,
                 rtnetlink::ipv6_proxy_entry_of, host.proxy_entries, host.ipv6_proxy_entries);
        !read)
      return std::unexpected(std::move(read.error()));
  // And devices before routes: one that is marked for a guest has the route by then.
  if (auto read = dump(socket, "cannot read the devices", rtnetlink::dump_links, rtnetlink::link_of, host.links); !read)
    return std::unexpected(std::move(read.error()));
  socket.grammar().look_at(host.links);
  if (extent != policy::HostStateScope::links && (has_own_entries(host) || has_marks(host)))
    extent = policy::HostStateScope::everything;
  const bool only_ipv4 = extent == policy::HostStateScope::ipv4_addresses,
             addresses = extent >= policy::HostStateScope::addresses,
             settings = extent == policy::HostStateScope::everything;
  struct Step {
    bool wanted;
    std::function<Result<void>()> read;
  };
  const Step steps[] = {
      {addresses, [&] { return read_routes(socket, rtnetlink::dump_all_unicast_routes, host); }},
      {only_ipv4, [&] { return read_routes(socket, rtnetlink::dump_unicast_routes, host); }},
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

Result<HostState> read_host_state(priv::RtnetlinkSocket& socket, const Request& request) {
  auto host = read_host_state(socket, policy::extent_of(request));
  if (!host) return host;
  for (const auto& guest : policy::guests_of(request))
    if (auto asked = look_up(socket, guest, *host); !asked) return std::unexpected(std::move(asked.error()));
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
