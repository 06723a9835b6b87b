// virtio-net headers on their way through a pump: passed on, changed in length, or finished in software.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "libumlnet/client/ip_headers.h"
#include "libumlnet/client/virtio_net_header.h"
#include "libumlnet/core/internet_checksum.h"
#include "libumlnet/core/network_order.h"
#include "tests/unit/pump_fixture.h"

using namespace pump_test;
using umlnet::get_be16;
using umlnet::InternetChecksum;
using umlnet::VirtioNetHeader;

namespace {

constexpr std::size_t kHeaders = 14 + 20 + 20;

Bytes encoded(const VirtioNetHeader& header, std::size_t size) {
  Bytes bytes(size);
  if (size != 0) REQUIRE(header.encode(bytes));
  return bytes;
}

// TCP over IPv4 with `payload` bytes, its checksum left to be finished: the field holds the pseudo header's sum.
Bytes tcp_frame(std::size_t payload) {
  Bytes bytes = frame(kHeaders + payload, 7);
  const Bytes headers = {0x08, 0x00, 0x45, 0, 0,  0, 0x12, 0x34, 0x40, 0,    64,   6,  0, 0,
                         10,   0,    0,    1, 10, 0, 0,    2,    0x9c, 0x40, 0x00, 80, 0, 0,
                         0,    1,    0,    0, 0,  2, 0x50, 0x18, 0xff, 0xff, 0,    0,  0, 0};
  std::copy(headers.begin(), headers.end(), bytes.begin() + 12);
  const auto ip = std::span(bytes).subspan(14);
  umlnet::put_be16(ip, 2, static_cast<std::uint16_t>(ip.size()));
  umlnet::put_be16(ip, 10, InternetChecksum().add(ip.first(20)).value());
  umlnet::put_be16(
      ip, 20 + 16,
      InternetChecksum().add(ip.subspan(12, 8)).add_word(6).add_word(static_cast<std::uint16_t>(ip.size() - 20)).sum());
  return bytes;
}

VirtioNetHeader checksum_header() {
  VirtioNetHeader header;
  header.flags = VirtioNetHeader::kNeedsChecksum;
  header.csum_start = 34;
  header.csum_offset = 16;
  return header;
}

VirtioNetHeader tso_header(std::uint16_t size) {
  VirtioNetHeader header = checksum_header();
  header.gso_type = VirtioNetHeader::kGsoTcp4;
  header.gso_size = size;
  header.hdr_len = kHeaders;
  return header;
}

bool checksums_are_right(const Bytes& frame) {
  const auto ip = std::span(frame).subspan(14);
  return get_be16(ip, 2) == ip.size() && InternetChecksum().add(ip.first(20)).sum() == 0xffff &&
         InternetChecksum()
                 .add(ip.subspan(12, 8))
                 .add_word(6)
                 .add_word(static_cast<std::uint16_t>(ip.size() - 20))
                 .add(ip.subspan(20))
                 .sum() == 0xffff;
}

}  // namespace

TEST_CASE("pump: headers of 10 and 12 bytes become each other, and none") {
  const Bytes packet = tcp_frame(100);
  for (const unsigned from : {0U, 10U, 12U})
    for (const unsigned to : {0U, 10U, 12U})
      for (const auto from_framing : {UMLNET_STREAM, UMLNET_DGRAM})
        for (const auto to_framing : {UMLNET_STREAM, UMLNET_DGRAM}) {
          CAPTURE(from);
          CAPTURE(to);
          Pair a(from_framing == UMLNET_STREAM ? SOCK_STREAM : SOCK_DGRAM);
          Pair b(to_framing == UMLNET_STREAM ? SOCK_STREAM : SOCK_DGRAM);
          const unsigned offloads = UMLNET_OFFLOAD_CSUM | UMLNET_OFFLOAD_TSO4;
          Pump pump(end_of(from_framing, a.pump.get(), from),
                    end_of(to_framing, b.pump.get(), to, to != 0 ? offloads : 0));
          pump.run_in_thread();
          // More than one, so that they are next to each other in the pump's memory.
          Bytes sent;
          for (std::uint32_t i = 0; i < 5; ++i) {
            VirtioNetHeader header = checksum_header();
            if (i == 2 || from == 0) header = {};
            const Bytes whole = joined(encoded(header, from), packet);
            if (from_framing == UMLNET_STREAM)
              sent = joined(sent, in_stream(whole));
            else
              send_all(a.peer.get(), whole);
          }
          if (from_framing == UMLNET_STREAM) send_all(a.peer.get(), sent);
          for (std::uint32_t i = 0; i < 5; ++i) {
            const Bytes got = to_framing == UMLNET_STREAM ? receive_from_stream(b.peer.get()) : receive(b.peer.get());
            if (to == 0) {
              CHECK(got.size() == packet.size());
              CHECK(checksums_are_right(got) == (i != 2 && from != 0));
            } else {
              CHECK(got == joined(encoded(i == 2 || from == 0 ? VirtioNetHeader{} : checksum_header(), to), packet));
            }
          }
          CHECK(pump.counters(5, 0).a_to_b.checksums == (to == 0 && from != 0 ? 4 : 0));
        }
}

TEST_CASE("pump: what the far end cannot take is finished: checksums, segments") {
  constexpr std::size_t kPayload = 60'000;
  const Bytes packet = tcp_frame(kPayload);
  for (const auto framing : {UMLNET_STREAM, UMLNET_DGRAM, UMLNET_ETHERTAP})
    for (const bool with_header : {false, true}) {
      if (with_header && framing == UMLNET_ETHERTAP) continue;
      CAPTURE(framing);
      CAPTURE(with_header);
      Pair a(SOCK_DGRAM), b(framing == UMLNET_STREAM ? SOCK_STREAM : SOCK_DGRAM);
      const int little = 16384;  // the segments of one frame wait half-way
      ::setsockopt(b.pump.get(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
      Pump pump(end_of(UMLNET_DGRAM, a.pump.get(), 12),
                end_of(framing, b.pump.get(), with_header ? 10 : 0, with_header ? UMLNET_OFFLOAD_CSUM : 0));
      pump.run_in_thread();
      send_all(a.peer.get(), joined(encoded(checksum_header(), 12), tcp_frame(10)));
      send_all(a.peer.get(), joined(encoded(tso_header(1460), 12), packet));
      send_all(a.peer.get(), joined(encoded({}, 12), frame(64, 9)));

      const auto take = [&] {
        Bytes bytes = framing == UMLNET_STREAM ? receive_from_stream(b.peer.get()) : receive(b.peer.get());
        if (framing == UMLNET_ETHERTAP) bytes.erase(bytes.begin(), bytes.begin() + 2);
        return bytes;
      };
      const auto strip = [&](Bytes bytes) {
        if (with_header) {
          CHECK(Bytes(bytes.begin(), bytes.begin() + 10) == encoded({}, 10));
          bytes.erase(bytes.begin(), bytes.begin() + 10);
        }
        return bytes;
      };
      if (with_header)
        CHECK(take() == joined(encoded(checksum_header(), 10), tcp_frame(10)));  // that much it can take
      else
        CHECK(checksums_are_right(take()));
      std::size_t payload = 0, segments = 0;
      while (payload < kPayload) {
        std::this_thread::sleep_for(std::chrono::microseconds(500));
        const Bytes segment = strip(take());
        REQUIRE(segment.size() > kHeaders);
        CHECK(checksums_are_right(segment));
        CHECK(std::equal(segment.begin() + kHeaders, segment.end(),
                         packet.begin() + static_cast<std::ptrdiff_t>(kHeaders + payload)));
        payload += segment.size() - kHeaders;
        ++segments;
      }
      CHECK(payload == kPayload);
      CHECK(strip(take()) == frame(64, 9));
      const auto counters = pump.counters(segments + 2, 0).a_to_b;
      CHECK(counters.segmented == 1);
      CHECK(counters.checksums == (with_header ? 0 : 1));
      CHECK(counters.frames == segments + 2);
      CHECK(counters.waits > 0);
    }
}

TEST_CASE("pump: what the far end can take goes as it is") {
  Pair a(SOCK_DGRAM), b(SOCK_STREAM);
  Pump pump(end_of(UMLNET_DGRAM, a.pump.get(), 10),
            end_of(UMLNET_STREAM, b.pump.get(), 12, UMLNET_OFFLOAD_CSUM | UMLNET_OFFLOAD_TSO4));
  pump.run_in_thread();
  const Bytes packet = tcp_frame(60'000);
  send_all(a.peer.get(), joined(encoded(tso_header(1460), 10), packet));
  CHECK(receive_from_stream(b.peer.get()) == joined(encoded(tso_header(1460), 12), packet));
  // With marks of congestion it cannot: that is another offload.
  VirtioNetHeader ecn = tso_header(1460);
  ecn.gso_type |= VirtioNetHeader::kGsoEcn;
  send_all(a.peer.get(), joined(encoded(ecn, 10), packet));
  CHECK(receive_from_stream(b.peer.get()).size() == 12 + kHeaders + 1460);
  CHECK(pump.counters().a_to_b.segmented == 1);
}

TEST_CASE("pump: headers that do not fit their frames cost the frame") {
  Pair a(SOCK_DGRAM), b(SOCK_DGRAM);
  Pump pump(end_of(UMLNET_DGRAM, a.pump.get(), 10), end_of(UMLNET_DGRAM, b.pump.get(), 10, UMLNET_OFFLOAD_ALL));
  pump.run_in_thread();
  VirtioNetHeader outside = checksum_header(), unknown, no_size = tso_header(0), fragments = tso_header(1400);
  outside.csum_start = 9999;
  unknown.gso_type = 77;
  fragments.gso_type = VirtioNetHeader::kGsoUdp;  // of what is TCP
  for (const auto& header : {outside, unknown, no_size, fragments})
    send_all(a.peer.get(), joined(encoded(header, 10), tcp_frame(3000)));
  send_all(a.peer.get(), Bytes(9));
  send_all(a.peer.get(), Bytes(23));
  send_all(a.peer.get(), joined(encoded({}, 10), frame(64, 9)));
  CHECK(receive(b.peer.get()) == joined(encoded({}, 10), frame(64, 9)));
  CHECK(pump.counters(1, 0).a_to_b.malformed == 5);
  CHECK(pump.counters().a_to_b.too_short == 1);
}
