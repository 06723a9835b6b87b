// The control stream of an ethertap session: records that come split and joined as the guest likes. The first byte
// chooses how they are split.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "libumlnet/core/uml4_control.h"
#include "require.h"

using namespace umlnet;
using uml4::ControlRecord;

namespace {

void require_request_is_of(const ControlRecord& record) {
  static const IfName device = *IfName::parse("tap7");
  const auto request = uml4::request_of(record, device);
  const bool known = record.what == ControlRecord::kAdd || record.what == ControlRecord::kDelete;
  // One bits on the left, zero bits on the right.
  const std::uint32_t zeros = ~record.netmask.value();
  const bool is_mask = (zeros & (zeros + 1)) == 0;
  REQUIRE_THAT(request.has_value() == (known && is_mask));
  if (!request) return fuzz::require_readable(request.error());
  const auto same = [&](const auto& change) {
    return change.device == device && change.address == record.address &&
           change.netmask.value() == record.netmask.value();
  };
  if (record.what == ControlRecord::kAdd)
    REQUIRE_THAT(same(std::get<AddAddress>(*request)));
  else
    REQUIRE_THAT(same(std::get<DeleteAddress>(*request)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 37;
  std::span<const std::uint8_t> stream(data + 1, size - 1), rest = stream;
  uml4::ControlRecordReader reader;
  std::size_t records = 0;
  while (!rest.empty()) {
    const auto room = reader.room();
    REQUIRE_THAT(!room.empty());
    REQUIRE_THAT(room.size() <= uml4::kControlRecordSize);
    const std::size_t taken = std::min({room.size(), rest.size(), step});
    std::ranges::copy(rest.first(taken), room.begin());
    reader.took(taken);
    rest = rest.subspan(taken);
    if (const auto record = reader.take()) {
      const auto sent = stream.subspan(records * uml4::kControlRecordSize, uml4::kControlRecordSize);
      REQUIRE_THAT(std::ranges::equal(record->encode(), sent));
      require_request_is_of(*record);
      ++records;
    }
    REQUIRE_THAT(!reader.take());
  }
  REQUIRE_THAT(records == stream.size() / uml4::kControlRecordSize);
  return 0;
}
