// The ethertap control stream of the UML protocol, version 4: records of 12 bytes from the guest, `int what` (0 add,
// 1 delete) in the machine's own order, then IPv4 address and netmask in network order. They come split and joined as
// the stream likes. Each is answered by framed text (uml4_frames.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "libumlnet/core/error.h"
#include "libumlnet/core/request.h"

namespace umlnet::uml4 {

inline constexpr std::size_t kControlRecordSize = 12;  // bytes

struct ControlRecord {
  static constexpr int kAdd = 0;
  static constexpr int kDelete = 1;

  int what = kAdd;
  Ipv4 address;
  Ipv4 netmask;  // as sent; request_of() checks it

  static ControlRecord decode(std::span<const std::uint8_t, kControlRecordSize> bytes);
  std::array<std::uint8_t, kControlRecordSize> encode() const;
};

// Puts one record together. It never asks for more than is missing, so the bytes of the next one stay in the stream.
class ControlRecordReader {
 public:
  std::span<std::uint8_t> room() { return std::span(bytes_).subspan(have_); }  // where the next bytes go; not empty
  void took(std::size_t size) { have_ += size; }
  // The record, once it is whole; then the reader is empty again.
  std::optional<ControlRecord> take();

 private:
  std::array<std::uint8_t, kControlRecordSize> bytes_{};
  std::size_t have_ = 0;
};

// What the record asks for, for the session's `device`. Code::bad_value for an unknown `what` and for a netmask that is
// none.
Result<Request> request_of(const ControlRecord& record, const IfName& device);

}  // namespace umlnet::uml4
