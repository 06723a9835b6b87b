#include "libumlnet/cli/guest_kernel.h"

#include <cstdio>

#include "libumlnet/core/plain_text.h"

namespace umlnet::cli {
namespace {

// Older ones hand the processor's extended state back in less room than AMX takes, and each program in the guest dies.
constexpr unsigned kMajor = 6, kMinor = 13;

}  // namespace

Finding examine_guest_kernel(const Examination& examination) {
  const auto& host = examination.host;
  const auto kernel = host.find_in_path("linux.uml");
  if (!kernel) return ok("there is no linux.uml in PATH to look at");
  const auto processor = host.read("/proc/cpuinfo");
  if (!processor) return cannot_tell(processor.error().line());
  const auto output = host.run({*kernel, "--version"});
  if (!output) return cannot_tell(output.error().line(), "see what it says: " + *kernel + " --version");
  unsigned major = 0, minor = 0;
  if (std::sscanf(output->out.c_str(), "%u.%u", &major, &minor) != 2)  // NOLINT(cert-err34-c): both are checked
    return cannot_tell(*kernel + " does not say its version", "see what it says: " + *kernel + " --version");
  const auto version = escaped(output->out.substr(0, output->out.find('\n')), 40);
  const bool old = major < kMajor || (major == kMajor && minor < kMinor);
  if (!old || !processor->contains("amx_tile"))
    return ok(*kernel + " is " + version + ", which runs on this processor");
  return warning("this processor has AMX, and " + *kernel + " is " + version +
                     ": its guests die with \"ptrace set fp regs failed, errno = 14\"",
                 "use a User-Mode Linux kernel from 6.13 on, or QEMU");
}

}  // namespace umlnet::cli
