#include "libumlnet/client/checksum_offload.h"

#include "libumlnet/core/internet_checksum.h"
#include "libumlnet/core/network_order.h"

namespace umlnet {
namespace {

constexpr std::uint16_t kUdpChecksumOffset = 6;

}  // namespace

std::expected<void, OffloadFault> finish_checksum(std::span<std::uint8_t> frame, const VirtioNetHeader& header) {
  if (const auto checked = header.check(frame.size()); !checked) return checked;
  if (!header.needs_checksum()) return {};
  const auto summed = frame.subspan(header.csum_start);
  std::uint16_t checksum = InternetChecksum().add(summed).value();
  if (checksum == 0 && header.csum_offset == kUdpChecksumOffset) checksum = 0xffff;
  put_be16(summed, header.csum_offset, checksum);
  return {};
}

}  // namespace umlnet
