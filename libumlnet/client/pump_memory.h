// The memory that a pump's owner and the process that pumps share: what to do, what was counted, how it ended. Its size
// is sealed, so that neither can pull it from under the other.
//
// The owner believes nothing in it: whoever has taken over the process can write what it likes there.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "libumlnet/client/failure.h"
#include "libumlnet/client/pump_config.h"
#include "libumlnet/client/pump_counters.h"
#include "libumlnet/core/unique_fd.h"

namespace umlnet::client {

// How a pump ended, as numbers.
struct PumpOutcome {
  enum How : std::uint32_t { nothing_yet, stopped, a_gone, b_gone, owner_gone, broke } how = nothing_yet;
  // Where it failed: in doing what, for which end, and why.
  enum Doing : std::uint32_t { waiting, reading, writing, starting, entering_sandbox } doing = waiting;
  std::uint32_t is_b = 0;
  std::uint32_t code = UMLNET_OK;  // umlnet_code
  std::int32_t errnum = 0;
};

// The outcome in words.
Outcome<umlnet_pump_end> told(const PumpOutcome& outcome, const PumpConfig& config);

// The first forbidden system call: the dying process's own word.
struct Violation {
  std::atomic<std::uint32_t> happened, arch;
  std::atomic<std::int32_t> number;
};

struct PumpMemory {
  static constexpr std::uint32_t kMagic = 0x756d6c50, kLayout = 2;
  std::uint32_t magic, layout;
  std::uint64_t size;
  PumpConfig config;
  PumpCounters counters;
  PumpOutcome outcome;
  Violation violation;
};

class SharedPumpMemory {
 public:
  // Fresh, all zero but for its marks. UMLNET_SYSTEM, UMLNET_MEMORY.
  static Outcome<SharedPumpMemory> make();
  // That of an owner, checked for size, seals and marks, not for `config`. `fd` is borrowed, and may be closed after.
  static Outcome<SharedPumpMemory> of(int fd);

  PumpMemory& operator*() const { return *memory_; }
  PumpMemory* operator->() const { return memory_.get(); }
  int fd() const { return fd_.get(); }

 private:
  struct Unmap {
    void operator()(PumpMemory* memory) const;
  };
  static Outcome<SharedPumpMemory> map(int fd);
  std::unique_ptr<PumpMemory, Unmap> memory_;
  unique_fd fd_;
};

}  // namespace umlnet::client
