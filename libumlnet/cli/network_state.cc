#include "libumlnet/cli/network_state.h"

#include <linux/netlink.h>
#include <sysexits.h>

#include <cerrno>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/core/netlink_socket.h"

namespace umlnet::cli {
namespace {

using rtnetlink::Bytes;
using rtnetlink::Message;

const std::string kDoing = "cannot read the kernel's network state";

// The only error without a number is that the tables changed too often.
std::unexpected<Trouble> unreadable(const Error& error) {
  if (error.errnum == 0) return trouble(EX_TEMPFAIL, error.one_line());
  return trouble_errno(EX_OSERR, error.what, error.errnum);
}

template <class Record>
void append(std::optional<Record> record, std::vector<Record>& into) {
  if (record) into.push_back(*std::move(record));
}
template <class Record>
void append(std::vector<Record> records, std::vector<Record>& into) {
  std::ranges::move(records, std::back_inserter(into));
}

// All records of one kind, as `decode` finds them in each message. A kernel without IPv6 has none of it.
template <class Records, class Record>
Result<void> read(NetlinkSocket& socket, Bytes (*build)(std::uint32_t), Records (*decode)(const Message&),
                  std::vector<Record>& into) {
  auto dumped =
      socket.dump(build, kDoing, [&] { into.clear(); }, [&](const Message& message) { append(decode(message), into); });
  return dumped || (dumped.error().errnum != EAFNOSUPPORT && dumped.error().errnum != EOPNOTSUPP) ? dumped
                                                                                                  : Result<void>();
}

// Whether the one record in the answer to a request is as `is_so` says. Not so where the kernel has no such record.
Result<bool> ask(NetlinkSocket& socket, const Bytes& request, bool (*is_so)(const Message&)) {
  bool answer = false;
  const auto asked = socket.get(request, kDoing, [&](const Message& message) { answer = is_so(message); });
  const auto means_none = [](int errnum) {
    return rtnetlink::means_no_route(errnum) || errnum == ENOENT || errnum == ENODEV;
  };
  if (!asked && !means_none(asked.error().errnum)) return std::unexpected(asked.error());
  return answer;
}

}  // namespace

Outcome<policy::HostState> read_network_state(const std::vector<IpAddress>& guests) {
  auto opened = open_netlink(NETLINK_ROUTE, kDoing);
  if (!opened) return unreadable(opened.error());
  NetlinkSocket socket(*std::move(opened));
  policy::HostState state;
  std::vector<rtnetlink::Nexthop> nexthops;
  // Proxy entries before routes, and these before devices: whoever makes them does it the other way round, so nothing
  // looks left behind only because it was made meanwhile.
  const Result<void> reads[] = {
      read(socket, rtnetlink::dump_proxy_entries, rtnetlink::proxy_entry_of, state.proxy_entries),
      read(socket, rtnetlink::dump_ipv6_proxy_entries, rtnetlink::ipv6_proxy_entry_of, state.ipv6_proxy_entries),
      read(socket, rtnetlink::dump_unicast_routes, rtnetlink::routes_of, state.routes),
      read(socket, rtnetlink::dump_ipv6_unicast_routes, rtnetlink::ipv6_routes_of, state.ipv6_routes),
      read(socket, rtnetlink::dump_nexthops, rtnetlink::nexthop_of, nexthops),
      read(socket, rtnetlink::dump_links_with_statistics, rtnetlink::link_of, state.links),
      read(socket, rtnetlink::dump_addresses, rtnetlink::address_of, state.addresses),
      read(socket, rtnetlink::dump_ipv6_addresses, rtnetlink::ipv6_address_of, state.ipv6_addresses),
  };
  for (const auto& done : reads)
    if (!done) return unreadable(done.error());
  rtnetlink::put_nexthops(nexthops, state.routes, state.ipv6_routes);
  for (const auto& guest : guests) {
    const auto local = ask(socket, rtnetlink::look_up_route(socket.next_sequence(), guest), rtnetlink::is_for_the_host);
    if (!local) return unreadable(local.error());
    if (*local) state.local_addresses.push_back(guest);
    for (const int ifindex : policy::on_link_devices(state, guest)) {
      const auto known =
          ask(socket, rtnetlink::get_neighbour(socket.next_sequence(), ifindex, guest), rtnetlink::is_answering);
      if (!known) return unreadable(known.error());
      if (*known) state.neighbours.push_back(guest);
    }
  }
  return state;
}

}  // namespace umlnet::cli
