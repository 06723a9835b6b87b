#include "libumlnet/core/host_guard.h"

#include <algorithm>
#include <array>

#include "libumlnet/core/classifier_rules.h"

namespace umlnet {
namespace {

using namespace classifier;

constexpr Code guard(GuestProtocols protocols) {
  const Code ipv4 = drop_bad_ipv4() + drop_ipv4_router_messages() + pass();
  const Code ipv6 = drop_bad_ipv6() + ipv6_by_next_header(drop_ipv6_router_messages() + pass());
  Code code =
      drop_tagged() + drop_below(kNetwork) + half_at(kEtherTypeAt) + when(kArpType, pass()) + when(kIpv4Type, ipv4);
  if (protocols == GuestProtocols::ipv4_and_ipv6) code = std::move(code) + when(kIpv6Type, ipv6);
  return std::move(code) + drop();
}

// Put together by the compiler, so that nothing of it runs in the privileged process.
template <GuestProtocols protocols>
constexpr auto kGuard = [] {
  std::array<sock_filter, guard(protocols).size()> program{};
  std::ranges::copy(guard(protocols), program.begin());
  return program;
}();

}  // namespace

std::span<const sock_filter> host_guard_program(GuestProtocols protocols) {
  if (protocols == GuestProtocols::ipv4) return kGuard<GuestProtocols::ipv4>;
  return kGuard<GuestProtocols::ipv4_and_ipv6>;
}

}  // namespace umlnet
