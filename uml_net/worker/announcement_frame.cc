#include "uml_net/worker/announcement_frame.h"

#include <algorithm>
#include <span>
#include <variant>

#include "libumlnet/core/ethernet.h"
#include "libumlnet/core/internet_checksum.h"

namespace umlnet {
namespace {

using Mac = std::array<std::uint8_t, 6>;

constexpr Mac kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr Mac kAllNodesMac = {0x33, 0x33, 0, 0, 0, 1};  // RFC 2464, 7
constexpr std::array<std::uint8_t, 16> kAllNodes = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

class Writer {
 public:
  Writer& add(std::span<const std::uint8_t> bytes) {
    std::ranges::copy(bytes, frame_.bytes.begin() + static_cast<std::ptrdiff_t>(frame_.size));
    frame_.size += bytes.size();
    return *this;
  }
  Writer& byte(std::uint8_t value) { return add({&value, 1}); }
  Writer& word(std::uint16_t value) {
    return byte(static_cast<std::uint8_t>(value >> 8)).byte(static_cast<std::uint8_t>(value));
  }
  Writer& ethernet(const Mac& destination, const Mac& source, EtherType type) {
    return add(destination).add(source).word(static_cast<std::uint16_t>(type));
  }
  const AnnouncementFrame& frame() const { return frame_; }

 private:
  AnnouncementFrame frame_;
};

AnnouncementFrame arp_announcement(Ipv4 address, const Mac& mac) {
  constexpr std::uint16_t kEthernet = 1, kRequest = 1;
  const auto sender = address.bytes();
  Writer writer;
  writer.ethernet(kBroadcast, mac, EtherType::arp);
  writer.word(kEthernet).word(static_cast<std::uint16_t>(EtherType::ipv4)).byte(6).byte(4).word(kRequest);
  writer.add(mac).add(sender).add(Mac{}).add(sender);
  return writer.frame();
}

AnnouncementFrame neighbour_advertisement(const Ipv6& address, const Mac& mac) {
  constexpr std::uint8_t kIcmpv6 = 58, kAdvertisement = 136, kRouter = 0x80, kOverride = 0x20, kTargetAddress = 2;
  constexpr std::uint16_t kLength = 32;
  const auto message = [&](std::uint16_t checksum) {
    Writer writer;
    writer.byte(kAdvertisement).byte(0).word(checksum).byte(kRouter | kOverride).byte(0).word(0);
    writer.add(address.bytes()).byte(kTargetAddress).byte(1).add(mac);
    return writer.frame();
  };
  const auto unsummed = message(0);
  InternetChecksum sum;
  sum.add_pseudo_header(address, Ipv6(kAllNodes), kIcmpv6, kLength).add(std::span(unsummed.bytes).first(kLength));
  const auto summed = message(sum.value());
  Writer writer;
  writer.ethernet(kAllNodesMac, mac, EtherType::ipv6);
  writer.byte(0x60).byte(0).word(0).word(kLength).byte(kIcmpv6).byte(255).add(address.bytes()).add(kAllNodes);
  return writer.add(std::span(summed.bytes).first(kLength)).frame();
}

}  // namespace

AnnouncementFrame announcement_of(const IpAddress& address, const MacAddress& mac) {
  const auto* v4 = std::get_if<Ipv4>(&address);
  return v4 != nullptr ? arp_announcement(*v4, mac.bytes())
                       : neighbour_advertisement(std::get<Ipv6>(address), mac.bytes());
}

}  // namespace umlnet
