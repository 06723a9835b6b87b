#include "libumlnet/client/syscall_name.h"

#include <seccomp.h>

#include <cstdlib>
#include <memory>

namespace umlnet::client {

std::string syscall_name(std::uint32_t arch, int number) {
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> name(seccomp_syscall_resolve_num_arch(arch, number));
  return name != nullptr ? name.get() : "system call " + std::to_string(number);
}

}  // namespace umlnet::client
