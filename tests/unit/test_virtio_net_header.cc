#include <doctest/doctest.h>

#include <utility>
#include <vector>

#include "libumlnet/client/virtio_net_header.h"

using namespace umlnet;
using Bytes = std::vector<std::uint8_t>;

namespace {

const VirtioNetHeader kTcp{.flags = VirtioNetHeader::kNeedsChecksum,
                           .gso_type = VirtioNetHeader::kGsoTcp4 | VirtioNetHeader::kGsoEcn,
                           .hdr_len = 66,
                           .gso_size = 1448,
                           .csum_start = 34,
                           .csum_offset = 16,
                           .num_buffers = 0x0102};

std::optional<OffloadFault> fault(const VirtioNetHeader& header, std::size_t frame_size) {
  const auto checked = header.check(frame_size);
  return checked ? std::nullopt : std::optional(checked.error());
}

VirtioNetHeader changed(auto change) {
  VirtioNetHeader header = kTcp;
  change(header);
  return header;
}

}  // namespace

TEST_CASE("virtio-net header: 10 and 12 bytes, in either order") {
  const Bytes little{1, 0x81, 66, 0, 0xa8, 5, 34, 0, 16, 0, 2, 1};
  const Bytes big{1, 0x81, 0, 66, 5, 0xa8, 0, 34, 0, 16, 1, 2};
  for (const auto& [bytes, order] : {std::pair{little, std::endian::little}, {big, std::endian::big}}) {
    Bytes out(12);
    CHECK(kTcp.encode(out, order));
    CHECK(out == bytes);
    CHECK(VirtioNetHeader::decode(bytes, order) == kTcp);
    out.assign(10, 0);
    CHECK(kTcp.encode(out, order));
    CHECK(out == Bytes(bytes.begin(), bytes.begin() + 10));
    CHECK(VirtioNetHeader::decode(out, order) == changed([](auto& header) { header.num_buffers = 1; }));
  }
  for (const std::size_t size : {0U, 9U, 11U, 13U, 20U}) {
    Bytes bytes(size);
    CHECK_FALSE(VirtioNetHeader::decode(bytes));
    CHECK_FALSE(kTcp.encode(bytes));
  }
}

TEST_CASE("virtio-net header: what cannot be a frame's") {
  CHECK_FALSE(fault(kTcp, 66));
  CHECK_FALSE(fault(VirtioNetHeader{}, 14));
  CHECK(fault(VirtioNetHeader{}, 13) == OffloadFault::short_frame);
  CHECK(fault(kTcp, 65) == OffloadFault::header_outside);
  CHECK(fault(changed([](auto& header) { header.gso_size = 0; }), 66) == OffloadFault::no_gso_size);
  CHECK(fault(changed([](auto& header) { header.csum_start = 13; }), 66) == OffloadFault::checksum_outside);
  CHECK_FALSE(fault(changed([](auto& header) { header.csum_start = 48; }), 66));
  CHECK(fault(changed([](auto& header) { header.csum_start = 49; }), 66) == OffloadFault::checksum_outside);
  CHECK(fault(changed([](auto& header) { header.csum_start = header.csum_offset = 0xffff; }), 66) ==
        OffloadFault::checksum_outside);
  // Without the flag, the two mean nothing.
  CHECK_FALSE(fault(changed([](auto& header) { header.flags = 0, header.csum_start = 0xffff; }), 66));
}

TEST_CASE("virtio-net header: kinds of segmentation") {
  for (int type = 0; type < 256; ++type) {
    const bool known = type == 0 || type == 1 || type == 3 || type == 4 || type == 5 || type == 0x81 || type == 0x84;
    const auto header = changed([&](auto& value) { value.gso_type = static_cast<std::uint8_t>(type); });
    CHECK((fault(header, 66) == OffloadFault::unknown_gso_type) == !known);
  }
}

TEST_CASE("each fault has its own words") {
  for (int i = 0; i <= static_cast<int>(OffloadFault::unsupported); ++i)
    for (int j = 0; j < i; ++j) CHECK(describe(static_cast<OffloadFault>(i)) != describe(static_cast<OffloadFault>(j)));
}
