#include "libumlnet/client/pump_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <type_traits>

#include "libumlnet/client/off_stdio.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace umlnet::client {
namespace {

static_assert(std::is_trivially_destructible_v<PumpMemory>);

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW;

int memory_file() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const int fd = ::memfd_create("umlnet-pump", kFlags | MFD_NOEXEC_SEAL);
  return fd < 0 && errno == EINVAL ? ::memfd_create("umlnet-pump", kFlags) : fd;  // before Linux 6.3
}

std::string end_of(const PumpOutcome& outcome, const PumpConfig& config) {
  const EndConfig& end = outcome.is_b != 0 ? config.b : config.a;
  return (outcome.is_b != 0 ? "end b (" : "end a (") + std::string(end.called()) + ")";
}

}  // namespace

Outcome<umlnet_pump_end> told(const PumpOutcome& outcome, const PumpConfig& config) {
  switch (outcome.how) {
    case PumpOutcome::stopped: return UMLNET_PUMP_STOPPED;
    case PumpOutcome::a_gone: return UMLNET_PUMP_A_GONE;
    case PumpOutcome::b_gone: return UMLNET_PUMP_B_GONE;
    case PumpOutcome::owner_gone: return failed(UMLNET_CLOSED, "the pump's owner is gone");
    case PumpOutcome::nothing_yet: return failed(UMLNET_STATE, "the pump has not ended");
    case PumpOutcome::broke: break;
  }
  const bool is_known = outcome.code > UMLNET_OK && outcome.code <= UMLNET_MEMORY;
  const auto code = is_known ? static_cast<umlnet_code>(outcome.code) : UMLNET_SYSTEM;
  const auto because = [&](std::string text) {
    return outcome.errnum > 0 ? failed_errno(outcome.errnum, std::move(text), code) : failed(code, std::move(text));
  };
  switch (outcome.doing) {
    case PumpOutcome::waiting: return because("the pump cannot wait for frames");
    case PumpOutcome::starting: return because("the pump process was started with what it cannot use");
    case PumpOutcome::entering_sandbox: return because("the pump process cannot enter its sandbox");
    case PumpOutcome::reading:
      if (code == UMLNET_PROTOCOL)
        return because("the stream from " + end_of(outcome, config) +
                       " of the pump cannot be followed any more: a frame of impossible length");
      return because("cannot read from " + end_of(outcome, config) + " of the pump");
    case PumpOutcome::writing: return because("cannot write to " + end_of(outcome, config) + " of the pump");
  }
  return failed(UMLNET_SYSTEM, "the pump failed, and what it says of it makes no sense");
}

void SharedPumpMemory::Unmap::operator()(PumpMemory* memory) const { ::munmap(memory, sizeof *memory); }

Outcome<SharedPumpMemory> SharedPumpMemory::map(int fd) {
  void* memory = ::mmap(nullptr, sizeof(PumpMemory), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return failed_errno(errno, "cannot map the pump's memory", UMLNET_MEMORY);
  SharedPumpMemory shared;
  shared.memory_.reset(static_cast<PumpMemory*>(memory));
  return shared;
}

Outcome<SharedPumpMemory> SharedPumpMemory::make() {
  unique_fd fd = off_stdio(unique_fd(memory_file()));
  if (!fd || ::ftruncate(fd.get(), sizeof(PumpMemory)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0)
    return failed_errno(errno, "cannot make the pump's shared memory");
  auto shared = map(fd.get());
  if (!shared) return shared;
  auto& memory = **shared;
  memory.magic = PumpMemory::kMagic;
  memory.layout = PumpMemory::kLayout;
  memory.size = sizeof memory;
  memory.config = {};
  shared->fd_ = std::move(fd);
  return shared;
}

Outcome<SharedPumpMemory> SharedPumpMemory::of(int fd) {
  struct stat status{};
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals || ::fstat(fd, &status) != 0 || status.st_size != sizeof(PumpMemory))
    return failed(UMLNET_INVALID, "that is not the memory of a pump");
  auto shared = map(fd);
  if (!shared) return shared;
  const auto& memory = **shared;
  if (memory.magic != PumpMemory::kMagic || memory.layout != PumpMemory::kLayout || memory.size != sizeof memory)
    return failed(UMLNET_INVALID, "that is the memory of another version's pump");
  return shared;
}

}  // namespace umlnet::client
