#include "libumlnet/core/uml4_control.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace umlnet::uml4 {

ControlRecord ControlRecord::decode(std::span<const std::uint8_t, kControlRecordSize> bytes) {
  ControlRecord record;
  static_assert(sizeof record.what == 4);
  std::memcpy(&record.what, bytes.data(), sizeof record.what);
  record.address = Ipv4::from_bytes({bytes[4], bytes[5], bytes[6], bytes[7]});
  record.netmask = Ipv4::from_bytes({bytes[8], bytes[9], bytes[10], bytes[11]});
  return record;
}

std::array<std::uint8_t, kControlRecordSize> ControlRecord::encode() const {
  std::array<std::uint8_t, kControlRecordSize> bytes{};
  std::memcpy(bytes.data(), &what, sizeof what);
  std::ranges::copy(address.bytes(), bytes.begin() + 4);
  std::ranges::copy(netmask.bytes(), bytes.begin() + 8);
  return bytes;
}

std::optional<ControlRecord> ControlRecordReader::take() {
  if (have_ < bytes_.size()) return std::nullopt;
  have_ = 0;
  return ControlRecord::decode(bytes_);
}

Result<Request> request_of(const ControlRecord& record, const IfName& device) {
  if (record.what != ControlRecord::kAdd && record.what != ControlRecord::kDelete)
    return fail(Code::bad_value, "the control record's operation " + std::to_string(record.what) + " is not known",
                "Known are 0 (add) and 1 (delete).");
  const auto netmask = Ipv4Mask::from_address(record.netmask);
  if (!netmask)
    return fail(Code::bad_value, "the netmask " + record.netmask.str() + " is not an IPv4 netmask",
                "It has one bits on the left and zero bits on the right.");
  if (record.what == ControlRecord::kAdd)
    return AddAddress{.device = device, .address = record.address, .netmask = *netmask};
  return DeleteAddress{.device = device, .address = record.address, .netmask = *netmask};
}

}  // namespace umlnet::uml4
