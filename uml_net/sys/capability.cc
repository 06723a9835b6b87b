#include "uml_net/sys/capability.h"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <type_traits>

namespace umlnet::priv {
namespace {

struct FreeCap {
  void operator()(cap_t caps) const { cap_free(caps); }
};
using Caps = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCap>;

bool is_set(const Caps& caps, cap_value_t capability, cap_flag_t set) {
  cap_flag_value_t value = CAP_CLEAR;
  return cap_get_flag(caps.get(), capability, set, &value) == 0 && value == CAP_SET;
}

constexpr std::uint64_t only(cap_value_t capability) { return std::uint64_t{1} << capability; }

// Sets the process's effective set to exactly `capability`, or to nothing where it is negative. What is permitted stays
// so as far as it is in `kept`. Not by cap_get_proc(), which asks the kernel for its version each time: this is called
// twice for every change.
bool put_in_effect(cap_value_t capability, std::uint64_t kept = ~std::uint64_t{0}) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::capget(&header, sets.data()) != 0) return false;
  for (auto& half : sets) {
    half.effective = 0;
    half.permitted &= static_cast<std::uint32_t>(kept);
    kept >>= 32;
  }
  if (const auto number = static_cast<unsigned>(capability); capability >= 0)
    sets[CAP_TO_INDEX(number)].effective = CAP_TO_MASK(number);
  return ::capset(&header, sets.data()) == 0;
}

constexpr cap_value_t kNothing = -1;

}  // namespace

bool has_net_admin() {
  const Caps caps(cap_get_proc());
  return caps && is_set(caps, CAP_NET_ADMIN, CAP_PERMITTED);
}

Result<void> clear_effective_caps(bool keeps_net_raw) {
  if (!put_in_effect(kNothing, only(CAP_NET_ADMIN) | only(CAP_SETPCAP) | (keeps_net_raw ? only(CAP_NET_RAW) : 0)))
    return fail_errno(Code::kernel, errno, "cannot put the capabilities out of effect");
  return {};
}

Result<unique_fd> open_packet_socket() {
  const bool may = put_in_effect(CAP_NET_RAW);
  // Protocol 0: it receives nothing.
  unique_fd socket(may ? ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) : -1);
  const int error = errno;
  if (!put_in_effect(kNothing, only(CAP_NET_ADMIN) | only(CAP_SETPCAP))) std::abort();
  if (!socket) return fail_errno(Code::kernel, error, "cannot open a packet socket");
  return socket;
}

void empty_bounding_set() {
  if (!put_in_effect(CAP_SETPCAP)) return;
  // Not cap_drop_bound(), which asks first whether there is such a capability.
  for (cap_value_t capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0L, 0L, 0L) == 0; ++capability) {
  }
  if (!put_in_effect(kNothing, only(CAP_NET_ADMIN))) std::abort();
}

Result<void> keep_permitted_over_setuid(bool keep) {
  if (prctl(PR_SET_KEEPCAPS, keep ? 1L : 0L, 0L, 0L, 0L) != 0)
    return fail_errno(Code::kernel, errno, "cannot keep the capability over the change of identity");
  return {};
}

Result<bool> keep_only_net_admin() {
  const Caps before(cap_get_proc()), wanted(cap_init());
  if (!before || !wanted) return fail_errno(Code::kernel, errno, "cannot read the process's capabilities");
  const bool have = is_set(before, CAP_NET_ADMIN, CAP_PERMITTED);
  const cap_value_t net_admin = CAP_NET_ADMIN;
  if (have && cap_set_flag(wanted.get(), CAP_PERMITTED, 1, &net_admin, CAP_SET) != 0)
    return fail_errno(Code::kernel, errno, "cannot choose the capability to keep");
  if (cap_set_proc(wanted.get()) != 0) return fail_errno(Code::kernel, errno, "cannot give up the other capabilities");
  const Caps after(cap_get_proc());  // the kernel empties the ambient set with the inheritable one
  if (!after || cap_compare(after.get(), wanted.get()) != 0)
    return fail(Code::bug, "the kernel left other capabilities than were asked for");
  return have;
}

void drop_net_admin() {
  const Caps nothing(cap_init());
  if (!nothing || cap_set_proc(nothing.get()) != 0) std::abort();
}

Result<ScopedNetAdmin> ScopedNetAdmin::raise() {
  if (!put_in_effect(CAP_NET_ADMIN)) return fail_errno(Code::kernel, errno, "cannot put CAP_NET_ADMIN into effect");
  return ScopedNetAdmin();
}

ScopedNetAdmin::~ScopedNetAdmin() {
  if (active_ && !put_in_effect(kNothing)) std::abort();
}

}  // namespace umlnet::priv
