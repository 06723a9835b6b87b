#include "uml_net/worker/announcer.h"

#include <linux/if_packet.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <variant>

#include "libumlnet/core/boot_time.h"
#include "libumlnet/core/fd_passing.h"
#include "uml_net/filters/fd_numbers.h"
#include "uml_net/filters/filters.h"
#include "uml_net/sys/capability.h"
#include "uml_net/sys/signals.h"
#include "uml_net/sys/take_identity.h"
#include "uml_net/worker/announcement_frame.h"

namespace umlnet {
namespace {

constexpr std::chrono::seconds kLasts{1};

struct Announcement {
  std::int64_t until = 0;  // boot time in nanoseconds: a process that was stopped announces nothing of the past
  int ifindex = 0;
  std::array<std::uint8_t, 6> mac{};
  bool is_ipv6 = false;
  std::array<std::uint8_t, 16> address{};  // of IPv4 the first four
};

IpAddress address_of(const Announcement& announcement) {
  if (announcement.is_ipv6) return Ipv6(announcement.address);
  std::array<std::uint8_t, 4> bytes{};
  std::copy_n(announcement.address.begin(), bytes.size(), bytes.begin());
  return Ipv4::from_bytes(bytes);
}

void send_frame(int packets, const Announcement& announcement) {
  const AnnouncementFrame frame = announcement_of(address_of(announcement), MacAddress(announcement.mac));
  sockaddr_ll device{};
  device.sll_family = AF_PACKET;
  device.sll_ifindex = announcement.ifindex;
  // A LAN that is down or gone has nobody to hear of it.
  [[maybe_unused]] const auto sent = ::sendto(packets, frame.bytes.data(), frame.size, MSG_DONTWAIT,
                                              reinterpret_cast<const sockaddr*>(&device), sizeof device);
}

void serve(int channel, int packets) {
  block_all_signals();  // its channel's end ends it
  if (!take_identity(::getuid(), ::getgid())) return;
  if (::prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) != 0) return;  // a change of identity sets it back
  if (!filters::enter(filters::kAnnouncer)) return;
  for (;;) {
    Announcement announcement;
    const ssize_t size = ::recv(channel, &announcement, sizeof announcement, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size != sizeof announcement) return;
    if (boot_time().count() <= announcement.until) send_frame(packets, announcement);
  }
}

}  // namespace

std::optional<Announcer> Announcer::start() {
  const auto packets = priv::open_packet_socket();
  if (!packets) return std::nullopt;
  auto process = Worker::start(
      {.name = "process that announces addresses", .channel = fd_number::kAnnouncer, .kept = packets->get()},
      [](int channel) { serve(channel, fd_number::kWorkerKept); });
  return process ? std::optional(Announcer(*std::move(process))) : std::nullopt;
}

Result<void> Announcer::announce(int ifindex, const MacAddress& mac, const IpAddress& address) const {
  Announcement announcement{.until = (boot_time() + kLasts).count(), .ifindex = ifindex, .mac = mac.bytes()};
  if (const auto* v6 = std::get_if<Ipv6>(&address)) {
    announcement.is_ipv6 = true;
    announcement.address = v6->bytes();
  } else {
    std::ranges::copy(std::get<Ipv4>(address).bytes(), announcement.address.begin());
  }
  return send_with_fds(process_.channel(), bytes_of(announcement), {});
}

}  // namespace umlnet
