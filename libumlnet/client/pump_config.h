// What a pump is made of, as plain numbers: the same in the library and in the program that pumps (pump_program.cc),
// which gets it through shared memory.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libumlnet/client/failure.h"

namespace umlnet::client {

// umlnet_end without functions.
struct EndConfig {
  std::uint32_t framing = 0;
  std::int32_t fd = -1;
  std::uint32_t vnet_hdr = 0;
  std::uint32_t offloads = 0;
  char name[32] = {};  // for people; NUL-terminated

  std::string_view called() const { return name; }
};

enum class CaptureKind : std::uint32_t { none, file, pipe, socket };

struct PumpConfig {
  EndConfig a, b;
  std::int32_t capture_fd = -1;
  CaptureKind capture_kind = CaptureKind::none;
  std::uint32_t capture_snaplen = 0;
};

// Looks at everything that can be seen without reading or writing a frame: numbers, names, and whether each fd is open
// and of the kind that its framing asks for. Nothing is changed. UMLNET_INVALID says which end, and what is wrong.
Outcome<void> check_config(const PumpConfig& config);

// Of an open descriptor; `none` where it is none that can be written a capture to.
CaptureKind capture_kind_of(int fd);

}  // namespace umlnet::client
