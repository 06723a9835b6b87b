#include "libumlnet/cli/network_state.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "libumlnet/core/unique_fd.h"

namespace umlnet::cli {
namespace {

using rtnetlink::Bytes;
using rtnetlink::ByteSpan;
using rtnetlink::Message;

constexpr std::size_t kBufferSize = 65536;  // more than the kernel puts into one datagram of a dump
constexpr int kTries = 20;

const std::string kDoing = "cannot read the kernel's network state";

class Dumps {
 public:
  static Outcome<Dumps> open() {
    unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd) return trouble_errno(EX_OSERR, kDoing, errno);
    // So that the kernel heeds what a request leaves out, as it does not from programs that never asked for strictness.
    const int on = 1;
    ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    return Dumps(std::move(fd));
  }

  // All records of one kind, as `decode` finds them in each message; begins anew where the kernel's table changed under
  // way.
  template <class Records, class Record>
  Outcome<void> read(Bytes (*build)(std::uint32_t), Records (*decode)(const Message&), std::vector<Record>& into) {
    for (int tries = 0; tries < kTries; ++tries) {
      into.clear();
      const auto whole = read_once(build(++sequence_), [&](const Message& message) { append(decode(message), into); });
      if (!whole) return std::unexpected(whole.error());
      if (*whole) return {};
    }
    return trouble(EX_TEMPFAIL, kDoing + ": it changes faster than it can be read. Try again in a moment.");
  }

  // Whether the one record in the answer to a request is as `is_so` says. Not so where the kernel answers with an
  // error: it has no such record.
  Outcome<bool> ask(const std::function<Bytes(std::uint32_t)>& build, bool (*is_so)(const Message&)) {
    const auto request = build(++sequence_);
    if (::send(fd_.get(), request.data(), request.size(), 0) < 0) return trouble_errno(EX_OSERR, kDoing, errno);
    std::optional<bool> answer;
    while (!answer) {
      const auto datagram = receive();
      if (!datagram) return std::unexpected(datagram.error());
      rtnetlink::for_each_message(*datagram, [&](const Message& message) {
        if (message.sequence == sequence_) answer = is_so(message);
        return !answer;
      });
    }
    return *answer;
  }

 private:
  template <class Record>
  static void append(std::optional<Record> record, std::vector<Record>& into) {
    if (record) into.push_back(*std::move(record));
  }
  template <class Record>
  static void append(std::vector<Record> records, std::vector<Record>& into) {
    std::ranges::move(records, std::back_inserter(into));
  }

  explicit Dumps(unique_fd fd) : fd_(std::move(fd)), buffer_(kBufferSize) {}

  // False where the table changed meanwhile.
  Outcome<bool> read_once(const Bytes& request, const std::function<void(const Message&)>& take) {
    if (::send(fd_.get(), request.data(), request.size(), 0) < 0) return trouble_errno(EX_OSERR, kDoing, errno);
    bool done = false, interrupted = false;
    int error = 0;
    while (!done) {
      const auto datagram = receive();
      if (!datagram) return std::unexpected(datagram.error());
      rtnetlink::for_each_message(*datagram, [&](const Message& message) {
        if (message.sequence != sequence_) return true;
        interrupted |= (message.flags & NLM_F_DUMP_INTR) != 0;
        done |= message.type == NLMSG_DONE;
        if (const auto number = rtnetlink::error_of(message)) {
          error = *number;
          done = true;
        } else if (!done) {
          take(message);
        }
        return true;
      });
    }
    // A kernel without IPv6 has none to tell of.
    if (error != 0 && error != EAFNOSUPPORT && error != EOPNOTSUPP) return trouble_errno(EX_OSERR, kDoing, error);
    return !interrupted;
  }

  Outcome<ByteSpan> receive() {
    for (;;) {
      sockaddr_nl from{};
      socklen_t from_size = sizeof from;
      const ssize_t size = ::recvfrom(fd_.get(), buffer_.data(), buffer_.size(), MSG_TRUNC,
                                      reinterpret_cast<sockaddr*>(&from), &from_size);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return trouble_errno(EX_OSERR, kDoing, errno);
      if (from.nl_pid != 0) continue;  // another process wrote to our port
      if (static_cast<std::size_t>(size) > buffer_.size()) return trouble_errno(EX_OSERR, kDoing, EMSGSIZE);
      return ByteSpan(buffer_.data(), static_cast<std::size_t>(size));
    }
  }

  unique_fd fd_;
  std::vector<std::uint8_t> buffer_;
  std::uint32_t sequence_ = 0;
};

}  // namespace

Outcome<policy::HostState> read_network_state(const std::vector<IpAddress>& guests) {
  auto dumps = Dumps::open();
  if (!dumps) return std::unexpected(dumps.error());
  policy::HostState state;
  std::vector<rtnetlink::Nexthop> nexthops;
  // Proxy entries before routes, and these before devices: whoever makes them does it the other way round, so nothing
  // looks left behind only because it was made meanwhile.
  const Outcome<void> reads[] = {
      dumps->read(rtnetlink::dump_proxy_entries, rtnetlink::proxy_entry_of, state.proxy_entries),
      dumps->read(rtnetlink::dump_ipv6_proxy_entries, rtnetlink::ipv6_proxy_entry_of, state.ipv6_proxy_entries),
      dumps->read(rtnetlink::dump_unicast_routes, rtnetlink::routes_of, state.routes),
      dumps->read(rtnetlink::dump_ipv6_unicast_routes, rtnetlink::ipv6_routes_of, state.ipv6_routes),
      dumps->read(rtnetlink::dump_nexthops, rtnetlink::nexthop_of, nexthops),
      dumps->read(rtnetlink::dump_links_with_statistics, rtnetlink::link_of, state.links),
      dumps->read(rtnetlink::dump_addresses, rtnetlink::address_of, state.addresses),
      dumps->read(rtnetlink::dump_ipv6_addresses, rtnetlink::ipv6_address_of, state.ipv6_addresses),
  };
  for (const auto& read : reads)
    if (!read) return std::unexpected(read.error());
  rtnetlink::put_nexthops(nexthops, state.routes, state.ipv6_routes);
  for (const auto& guest : guests) {
    const auto local = dumps->ask([&](auto sequence) { return rtnetlink::look_up_route(sequence, guest); },
                                  rtnetlink::is_for_the_host);
    if (!local) return std::unexpected(local.error());
    if (*local) state.local_addresses.push_back(guest);
    for (const int ifindex : policy::on_link_devices(state, guest)) {
      const auto known = dumps->ask([&](auto sequence) { return rtnetlink::get_neighbour(sequence, ifindex, guest); },
                                    rtnetlink::is_answering);
      if (!known) return std::unexpected(known.error());
      if (*known) state.neighbours.push_back(guest);
    }
  }
  return state;
}

}  // namespace umlnet::cli
