// Writes a small capture to stdout: two interfaces, three packets, one of them cut, and the statistics.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "libumlnet/client/pcapng_writer.h"

using namespace umlnet;

namespace {

constexpr std::uint64_t kStart = 1'700'000'000'000'000'000;  // nanoseconds: 2023-11-14T22:13:20Z

// A UDP datagram from 10.99.0.1 port 4369 to 10.99.0.254 port 8738, all but its payload.
constexpr std::array<std::uint8_t, 42> kHeaders{
    0x02, 0,    0,    0,    0,    1,  0x02, 0, 0, 0,  0,  2, 0x08, 0x00, 0x45, 0x00, 0x00, 0x2c, 0x12, 0x34, 0,
    0,    0x40, 0x11, 0x52, 0xc9, 10, 99,   0, 1, 10, 99, 0, 254,  0x11, 0x11, 0x22, 0x22, 0x00, 0x18, 0x00, 0x00};

}  // namespace

int main() {
  std::array<std::uint8_t, 4096> file{};
  std::size_t size = 0;
  const auto room = [&] { return std::span(file).subspan(size); };

  std::array<std::uint8_t, kHeaders.size() + 16> frame{};
  std::ranges::copy(kHeaders, frame.begin());
  std::ranges::fill(std::span(frame).subspan(kHeaders.size()), std::uint8_t{'x'});

  size += pcapng::put_section(room(), "umlnet 0.1.0");
  size += pcapng::put_interface(room(), {.name = "tap0", .description = "guest one"});
  size += pcapng::put_interface(room(), {.name = "tap1", .description = "", .snap_length = 50});
  size += pcapng::put_packet(
      room(), {.interface = 0, .time = kStart + 1, .direction = pcapng::Direction::inbound, .frame = frame});
  size += pcapng::put_packet(room(),
                             {.interface = 1,
                              .time = kStart + 1'500'000'000,
                              .direction = pcapng::Direction::outbound,
                              .dropped = 7,
                              .frame = frame},
                             50);
  size += pcapng::put_packet(room(), {.interface = 0, .time = kStart + 2'000'000'000, .frame = frame});
  for (const std::uint32_t interface : {0U, 1U})
    size += pcapng::put_statistics(room(), {.interface = interface,
                                            .start = kStart,
                                            .end = kStart + 3'000'000'000,
                                            .received = 10 + interface,
                                            .dropped = 7 * interface});
  return write(STDOUT_FILENO, file.data(), size) == static_cast<ssize_t>(size) ? 0 : 1;
}
